/* shape: polygons in micrometres while they are being drawn, y down; the last step before an outline. */
#pragma once
#include <cairo.h>
#include <glib.h>

#include "base.h"
#include "io.h"
#include "outline.h"

struct shape {
    GArray *xy;   /* double pairs of all polygons */
    GArray *ends; /* guint: pairs in use at the end of each polygon */
};
void shape_init(struct shape *s);
void shape_done(struct shape *s);
#define CHOP_SHAPE __attribute__((cleanup(shape_done))) struct shape

void shape_point(struct shape *s, double x, double y);
void shape_close(struct shape *s);
/* How many closed polygons there are: a mark for shape_upright. */
guint shape_mark(const struct shape *s);
/* Makes the polygons from `mark` on wind clockwise as a whole: those of one letter or other shape whose contours are
 * consistent, so that holes are the ones that run the other way. */
void shape_upright(struct shape *s, guint mark);

/* Adds a path with `m` applied, curves flattened to within `tolerance` micrometres, wound upright. */
void shape_path(struct shape *s, const cairo_path_t *path, const cairo_matrix_t *m, double tolerance);
void shape_ellipse(struct shape *s, double cx, double cy, double rx, double ry, bool hole);
void shape_rect(struct shape *s, double x, double y, double width, double height, bool hole);
void shape_star(struct shape *s, double cx, double cy, double radius);

/* Keeps what lies where a*x + b*y <= c. */
void shape_clip(struct shape *s, double a, double b, double c);
/* Appends all of `from`. */
void shape_join(struct shape *s, const struct shape *from);
/* Width and height of all points' box, and its corner. */
void shape_extents(const struct shape *s, double *ret_x, double *ret_y, double *ret_width, double *ret_height);
void shape_transform(struct shape *s, const cairo_matrix_t *m);

/* Rounds to micrometres, cuts at the box, writes the outline. ELIMIT when it is too large, EINVAL when it is empty. */
chop_err shape_outline(struct shape *s, struct outline_size box, struct blob *ret) CHOP_MUSTCHECK;
