/* draw: runs chop-draw. Fonts, pictures and PDF are read by that short-lived child, never in this process. */
#pragma once
#include "arena.h"
#include "authorization.pb-c.h"
#include "rules_seal.h"

/* Runs `program argv...` with input on its standard input; at most `limit` bytes of output, ten seconds in all, an
 * environment without this service's secrets. EINVAL with the child's own words where the input is at fault. */
#define DRAW_AT_ONCE 2 /* children; above it EBUSY: drawing must not hold all threads that answer calls */
chop_err draw_run(const char *program, const char *const *argv, struct chop_bytes input, size_t limit,
    struct arena *mem, struct chop_bytes *ret_out) CHOP_MUSTCHECK;

/* An outline, checked, of the asked size. */
chop_err draw_seal(const char *program, const Pb__SealCreate *in, const struct seal_form *f, const char *ring_text,
    bool sample, struct arena *mem, struct chop_bytes *ret_outline) CHOP_MUSTCHECK;
chop_err draw_trace(const char *program, struct chop_bytes png, uint32_t width_um, uint32_t height_um,
    struct arena *mem, struct chop_bytes *ret_outline) CHOP_MUSTCHECK;
chop_err draw_png(const char *program, struct chop_bytes outline, uint32_t dpi, struct arena *mem,
    struct chop_bytes *ret_png) CHOP_MUSTCHECK;
/* EINVAL unless it is a PDF that can be read. */
chop_err draw_check_pdf(const char *program, struct chop_bytes pdf, struct arena *mem) CHOP_MUSTCHECK;
