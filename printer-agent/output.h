/* output: what puts ink on paper. */
#pragma once
#include "core.h"

struct output_options {
    const char *kind;  /* "page": draws onto a PDF or a blank sheet; "null": does everything but drawing */
    const char *out;   /* directory: <token>.png and .pdf per impression, and prints.log, a line for each ink */
    const char *paper; /* PDF to print on; NULL: a blank A4 sheet */
    const char *draw;  /* chop-draw's path; NULL: beside this program */
    const char *fault; /* NULL, or for tests "prepare:K", "ink:K": the K-th impression fails before or after ink */
    uint32_t dpi;
    uint32_t paper_width_um; /* the marks go to the seal's left where there is no room at its right */
    int delay_ms;            /* each ink takes at least so long */
};
struct output;
chop_err output_new(const struct output_options *o, struct output **ret_output) CHOP_MUSTCHECK;
void output_free(struct output *o);
void output_free_p(struct output **o);
struct printer_output output_of(struct output *o);

/* ---- drivers: what the kinds implement ---- */
struct output_driver {
    chop_err (*prepare)(const struct output_options *o, const struct printer_page *page);
    chop_err (*ink)(const struct output_options *o, const struct printer_page *page);
};
extern const struct output_driver output_null, output_page;

/* ---- layout of an impression (pure) ---- */
struct layout_box {
    int32_t x_um, y_um;
};
struct layout {
    struct layout_box seal, marks, signature; /* top left corners */
};
/* Marks right of the seal, left where the paper ends, below where neither fits; the signature across the seal's lower
 * edge, on the side away from the marks. signature_w 0: none. */
struct layout_in {
    uint32_t x_um, y_um, paper_w;
    uint32_t seal_w, seal_h, marks_w, marks_h, signature_w, signature_h;
};
struct layout layout_make(const struct layout_in *in);
