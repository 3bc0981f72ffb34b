#include <math.h>
#include <stdlib.h>

#include "shape.h"

void shape_init(struct shape *s) {
    s->xy = g_array_new(FALSE, FALSE, 2 * sizeof(double));
    s->ends = g_array_new(FALSE, FALSE, sizeof(guint));
}

void shape_done(struct shape *s) {
    g_array_unref(s->xy);
    g_array_unref(s->ends);
}

static double *at(const struct shape *s, guint i) {
    return (double *)(void *)s->xy->data + 2 * (size_t)i;
}

static guint end_of(const struct shape *s, guint polygon) {
    return g_array_index(s->ends, guint, polygon);
}

static guint start_of(const struct shape *s, guint polygon) {
    return polygon == 0 ? 0 : end_of(s, polygon - 1);
}

guint shape_mark(const struct shape *s) {
    return s->ends->len;
}

void shape_point(struct shape *s, double x, double y) {
    const double p[2] = { x, y };
    g_array_append_vals(s->xy, p, 1);
}

void shape_close(struct shape *s) {
    guint start = start_of(s, s->ends->len), end = s->xy->len;
    if (end - start < 3)
        g_array_set_size(s->xy, start);
    else
        g_array_append_val(s->ends, end);
}

/* Twice the signed area: positive when clockwise on screen. */
static double area(const struct shape *s, guint polygon) {
    double sum = 0;
    guint start = start_of(s, polygon), end = end_of(s, polygon);
    for (guint i = start; i < end; i++) {
        const double *a = at(s, i), *b = at(s, i + 1 < end ? i + 1 : start);
        sum += a[0] * b[1] - b[0] * a[1];
    }
    return sum;
}

static void reverse(struct shape *s, guint polygon) {
    for (guint i = start_of(s, polygon), j = end_of(s, polygon) - 1; i < j; i++, j--) {
        double *a = at(s, i), *b = at(s, j), x = a[0], y = a[1];
        a[0] = b[0], a[1] = b[1], b[0] = x, b[1] = y;
    }
}

void shape_upright(struct shape *s, guint mark) {
    double sum = 0;
    for (guint i = mark; i < s->ends->len; i++)
        sum += area(s, i);
    for (guint i = mark; sum < 0 && i < s->ends->len; i++)
        reverse(s, i);
}

struct pen {
    struct shape *s;
    const cairo_matrix_t *m;
    double tolerance, x, y;
};

static void pen_to(struct pen *p, double x, double y) {
    cairo_matrix_transform_point(p->m, &x, &y);
    shape_point(p->s, x, y);
    p->x = x, p->y = y;
}

/* A cubic lies within 6 * d / (8 n^2) of n chords, d its largest second difference. */
static void pen_curve(struct pen *p, const cairo_path_data_t *data) {
    double x[4] = { p->x }, y[4] = { p->y };
    for (int i = 1; i < 4; i++) {
        x[i] = data[i].point.x, y[i] = data[i].point.y;
        cairo_matrix_transform_point(p->m, &x[i], &y[i]);
    }
    double d = fmax(
        hypot(x[0] - 2 * x[1] + x[2], y[0] - 2 * y[1] + y[2]), hypot(x[1] - 2 * x[2] + x[3], y[1] - 2 * y[2] + y[3]));
    int n = (int)fmin(ceil(sqrt(6 * d / (8 * p->tolerance))), 200);
    for (int i = 1; i <= n; i++) {
        double t = (double)i / n, u = 1 - t;
        double a = u * u * u, b = 3 * u * u * t, c = 3 * u * t * t, e = t * t * t;
        shape_point(p->s, a * x[0] + b * x[1] + c * x[2] + e * x[3], a * y[0] + b * y[1] + c * y[2] + e * y[3]);
    }
    p->x = x[3], p->y = y[3];
}

void shape_path(struct shape *s, const cairo_path_t *path, const cairo_matrix_t *m, double tolerance) {
    guint mark = shape_mark(s);
    struct pen p = { .s = s, .m = m, .tolerance = tolerance };
    for (int i = 0; i < path->num_data; i += path->data[i].header.length) {
        const cairo_path_data_t *d = &path->data[i];
        switch (d->header.type) {
        case CAIRO_PATH_MOVE_TO:
            shape_close(s);
            pen_to(&p, d[1].point.x, d[1].point.y);
            break;
        case CAIRO_PATH_LINE_TO:
            pen_to(&p, d[1].point.x, d[1].point.y);
            break;
        case CAIRO_PATH_CURVE_TO:
            pen_curve(&p, d);
            break;
        case CAIRO_PATH_CLOSE_PATH:
            shape_close(s);
            break;
        }
    }
    shape_close(s);
    shape_upright(s, mark);
}

void shape_ellipse(struct shape *s, double cx, double cy, double rx, double ry, bool hole) {
    const double tolerance = 4, r = fmax(rx, ry);
    int n = (int)ceil(M_PI / acos(1 - tolerance / fmax(r, 2 * tolerance)) / 4) * 4;
    for (int i = 0; i < n; i++) {
        double t = 2 * M_PI * i / n * (hole ? -1 : 1);
        shape_point(s, cx + rx * sin(t), cy - ry * cos(t));
    }
    shape_close(s);
}

void shape_rect(struct shape *s, double x, double y, double width, double height, bool hole) {
    guint mark = shape_mark(s);
    shape_point(s, x, y);
    shape_point(s, x + width, y);
    shape_point(s, x + width, y + height);
    shape_point(s, x, y + height);
    shape_close(s);
    if (hole) reverse(s, mark);
}

void shape_star(struct shape *s, double cx, double cy, double radius) {
    const double inner = radius * sin(M_PI / 10) / sin(3 * M_PI / 10);
    for (int i = 0; i < 10; i++) {
        double r = i % 2 ? inner : radius, t = M_PI * i / 5;
        shape_point(s, cx + r * sin(t), cy - r * cos(t));
    }
    shape_close(s);
}

/* One polygon's part in the half plane (Sutherland-Hodgman): where it falls apart, the pieces stay joined by edges that
 * run to and fro on the cutting line and enclose nothing. */
static void clip_polygon(struct shape *out, const struct shape *s, guint polygon, const double h[3]) {
    guint start = start_of(s, polygon), end = end_of(s, polygon);
    for (guint i = start; i < end; i++) {
        const double *p = at(s, i), *q = at(s, i + 1 < end ? i + 1 : start);
        double dp = h[0] * p[0] + h[1] * p[1] - h[2], dq = h[0] * q[0] + h[1] * q[1] - h[2];
        if (dp <= 0) shape_point(out, p[0], p[1]);
        if ((dp <= 0) == (dq <= 0)) continue;
        double t = dp / (dp - dq);
        shape_point(out, p[0] + t * (q[0] - p[0]), p[1] + t * (q[1] - p[1]));
    }
    shape_close(out);
}

void shape_clip(struct shape *s, double a, double b, double c) {
    const double h[3] = { a, b, c };
    struct shape out;
    shape_init(&out);
    for (guint i = 0; i < s->ends->len; i++)
        clip_polygon(&out, s, i, h);
    shape_done(s);
    *s = out;
}

void shape_join(struct shape *s, const struct shape *from) {
    for (guint i = 0; i < from->ends->len; i++) {
        for (guint j = start_of(from, i); j < end_of(from, i); j++)
            shape_point(s, at(from, j)[0], at(from, j)[1]);
        shape_close(s);
    }
}

void shape_extents(const struct shape *s, double *ret_x, double *ret_y, double *ret_width, double *ret_height) {
    double low[2] = { INFINITY, INFINITY }, high[2] = { -INFINITY, -INFINITY };
    for (guint i = 0; i < s->xy->len; i++)
        for (int k = 0; k < 2; k++)
            low[k] = fmin(low[k], at(s, i)[k]), high[k] = fmax(high[k], at(s, i)[k]);
    *ret_x = low[0], *ret_y = low[1];
    *ret_width = fmax(high[0] - low[0], 0), *ret_height = fmax(high[1] - low[1], 0);
}

void shape_transform(struct shape *s, const cairo_matrix_t *m) {
    for (guint i = 0; i < s->xy->len; i++)
        cairo_matrix_transform_point(m, &at(s, i)[0], &at(s, i)[1]);
}

static void put_polygon(struct outline_writer *w, const struct shape *s, guint polygon, GArray *rounded) {
    g_array_set_size(rounded, 0);
    for (guint i = start_of(s, polygon); i < end_of(s, polygon); i++) {
        const int32_t p[2] = { (int32_t)lround(at(s, i)[0]), (int32_t)lround(at(s, i)[1]) };
        const int32_t *last = rounded->len ? (int32_t *)(void *)rounded->data + 2 * (size_t)(rounded->len - 1) : NULL;
        if (!last || p[0] != last[0] || p[1] != last[1]) g_array_append_vals(rounded, p, 1);
    }
    if (rounded->len >= 3) outline_polygon(w, (int32_t *)(void *)rounded->data, rounded->len);
}

chop_err shape_outline(struct shape *s, struct outline_size box, struct blob *ret) {
    shape_clip(s, -1, 0, 0);
    shape_clip(s, 0, -1, 0);
    shape_clip(s, 1, 0, box.width_um);
    shape_clip(s, 0, 1, box.height_um);
    if (s->ends->len == 0) return CHOP_FAIL(EINVAL, NULL, "there is nothing to draw");
    CHOP_BLOB b = { .p = malloc(OUTLINE_MAX_BYTES) };
    if (!b.p) return CHOP_ERR(EMEMORY);
    struct outline_writer w;
    outline_begin(&w, b.p, OUTLINE_MAX_BYTES, box);
    GArray *rounded = g_array_new(FALSE, FALSE, 2 * sizeof(int32_t));
    for (guint i = 0; i < s->ends->len; i++)
        put_polygon(&w, s, i, rounded);
    g_array_unref(rounded);
    b.n = outline_end(&w);
    if (b.n == 0) return CHOP_FAIL(ELIMIT, NULL, "the picture is too intricate to print");
    struct outline_size size;
    TRY(outline_check(CHOP_BYTES(b.p, b.n), &size));
    *ret = b;
    b.p = NULL;
    return NULL;
}
