/* The band that says a seal is not the filed one: ink is cleared from a slanted strip, so the words stay readable. */
#include <math.h>

#include "seal.h"

#define SLANT (-18.0 * M_PI / 180)

static double length_inside(struct outline_size box, bool curved, double half_band) {
    double a = box.width_um / 2.0, b = box.height_um / 2.0, u = cos(SLANT) / a, v = sin(SLANT) / b;
    double chord = curved ? 1 / hypot(u, v) : a / cos(SLANT);
    return curved ? chord * sqrt(1 - pow(half_band / fmin(a, b), 2)) - half_band * 0.25 : chord - half_band * 0.4;
}

/* Both parts that are left when the strip |v| < half is cut out, v across the strip. */
static void cut_strip(struct shape *s, double cx, double cy, double half) {
    double a = -sin(SLANT), b = cos(SLANT), middle = a * cx + b * cy;
    CHOP_SHAPE below;
    shape_init(&below);
    shape_join(&below, s);
    shape_clip(s, a, b, middle - half);
    shape_clip(&below, -a, -b, -middle - half);
    shape_join(s, &below);
}

static chop_err draw_words(struct font *f, double half, double height, struct shape *s) {
    struct letters word = { 0 }, han = { 0 };
    TRY(letters_split("SAMPLE", NULL, &word));
    TRY(letters_split("样章", NULL, &han));
    double unit = fmin(half * 2 / 7.6, height * 0.8); /* six capitals and two wide letters with air between */
    struct cell c = { .x = -1.55 * unit, .width = unit * 0.72, .height = height };
    TRY(cell_row(f, &word, c, unit * 0.85, cell_digit, s));
    c.x = 2.45 * unit, c.width = unit * 1.2;
    return cell_row(f, &han, c, unit * 1.3, cell_letter, s);
}

chop_err sample_band(struct font *f, struct outline_size box, bool curved, struct shape *s) {
    double cx = box.width_um / 2.0, cy = box.height_um / 2.0, small = fmin(cx, cy);
    double half = small * 0.2, rule = small * 0.018, reach = length_inside(box, curved, half);
    cut_strip(s, cx, cy, half);
    CHOP_SHAPE band;
    shape_init(&band);
    shape_rect(&band, -reach, -half, 2 * reach, rule, false);
    shape_rect(&band, -reach, half - rule, 2 * reach, rule, false);
    TRY(draw_words(f, reach * 0.95, small * 0.24, &band));
    cairo_matrix_t m;
    cairo_matrix_init_translate(&m, cx, cy);
    cairo_matrix_rotate(&m, SLANT);
    shape_transform(&band, &m);
    shape_join(s, &band);
    return NULL;
}
