/* chop-draw signature: a specimen of a signature for demonstrations: slanted, uneven letters that run into each other,
 * with a stroke below. The same name gives the same bytes. */
#include <math.h>

#include "commands.h"
#include "seal.h"

#define SLANT 0.30
#define RISE (-5.0 * M_PI / 180)
#define MAX_NAME 12

static double wobble(const char *letter, int i, double range) {
    return range * sin(1.7 * i + 0.37 * (unsigned char)letter[0] +
                       0.11 * (unsigned char)letter[g_utf8_skip[(guchar)letter[0]] - 1]);
}

static chop_err draw_name(struct font *f, const struct letters *l, double height, struct shape *s, double *ret_width) {
    double pen = 0;
    for (int i = 0; i < l->n; i++) {
        double size = height * (i == 0 ? 1.08 : 0.92 + wobble(l->at[i], i, 0.07));
        cairo_matrix_t m;
        cairo_matrix_init_translate(&m, pen, wobble(l->at[i], i, 0.06) * height);
        cairo_matrix_rotate(&m, wobble(l->at[i], i + 2, 0.06));
        cairo_matrix_scale(&m, size * 0.9, size);
        TRY(font_letter(f, l->at[i], &m, 6, s));
        pen += font_advance(f, l->at[i]) * size * 0.74;
    }
    *ret_width = pen;
    return NULL;
}

/* A pen stroke that swells and thins out: both sides of a curve. */
static void draw_swash(struct shape *s, double width, double height) {
    guint mark = shape_mark(s);
    const int n = 48;
    for (int i = 0; i <= 2 * n + 1; i++) {
        bool back = i > n;
        double t = (double)(back ? 2 * n + 1 - i : i) / n, thick = height * 0.035 * (0.12 + sin(M_PI * pow(t, 0.7)));
        double x = width * (-0.08 + 1.2 * t), y = height * (0.30 - 0.10 * sin(2.2 * M_PI * t) - 0.10 * t);
        shape_point(s, x, y + (back ? thick : -thick));
    }
    shape_close(s);
    shape_upright(s, mark);
}

/* The hand is not a machine: lines bend a little. */
static void bend(struct shape *s, double height) {
    for (guint i = 0; i < s->xy->len; i++) {
        double *p = (double *)(void *)s->xy->data + 2 * (size_t)i, x = p[0], y = p[1];
        p[0] = x + height * 0.022 * sin(5.1 * y / height + 2.3 * x / height);
        p[1] = y + height * 0.030 * sin(3.7 * x / height);
    }
}

static chop_err place(struct shape *s, double height, struct blob *ret) {
    cairo_matrix_t m;
    cairo_matrix_init_rotate(&m, RISE);
    cairo_matrix_t slant = { 1, 0, -SLANT, 1, 0, 0 };
    cairo_matrix_multiply(&m, &slant, &m);
    shape_transform(s, &m);
    double x, y, w, h, margin = 200;
    shape_extents(s, &x, &y, &w, &h);
    double scale = (height - 2 * margin) / fmax(h, 1);
    cairo_matrix_t fit = { scale, 0, 0, scale, margin - x * scale, margin - y * scale };
    shape_transform(s, &fit);
    double width = ceil(w * scale + 2 * margin);
    if (width > OUTLINE_MAX_UM) return CHOP_FAIL(ELIMIT, "--text", "the name is too long for this height");
    return shape_outline(s, (struct outline_size){ (uint32_t)width, (uint32_t)height }, ret);
}

chop_err command_signature(const struct args *a) {
    TRY(args_check(a, "--text --height-um", "", 0));
    long height;
    TRY(args_int(a, "--height-um", 12000, 4000, 40000, &height));
    struct letters l;
    TRY(letters_split(args_text(a, "--text", ""), "--text", &l));
    if (l.n == 0 || l.n > MAX_NAME) return CHOP_FAIL(EINVAL, "--text", "has 1 to %d letters", MAX_NAME);
    CHOP_FONT f = NULL;
    TRY(font_open(FONT_SONG, false, &f));
    CHOP_SHAPE s;
    shape_init(&s);
    double width;
    TRY(draw_name(f, &l, (double)height, &s, &width));
    draw_swash(&s, width, (double)height);
    bend(&s, (double)height);
    CHOP_BLOB outline = { .p = NULL };
    TRY(place(&s, (double)height, &outline));
    return io_write(outline.p, outline.n);
}
