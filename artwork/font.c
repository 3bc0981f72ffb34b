#include <cairo-ft.h>
#include <stdlib.h>
#include <string.h>

#include "font.h"

#define EM 1000.0

struct font {
    cairo_t *cr;
    cairo_scaled_font_t *scaled;
};

/* The toy interface falls back to any font in silence; a seal must not. */
static bool is_family(cairo_scaled_font_t *scaled, const char *family) {
    FT_Face face = cairo_ft_scaled_font_lock_face(scaled);
    bool same = face && face->family_name && strcmp(face->family_name, family) == 0;
    if (face) cairo_ft_scaled_font_unlock_face(scaled);
    return same;
}

static cairo_t *new_context(void) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cr = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_font_options_t *o = cairo_font_options_create();
    cairo_font_options_set_hint_style(o, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(o, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, o);
    cairo_font_options_destroy(o);
    return cr;
}

chop_err font_open(const char *family, bool bold, struct font **ret_font) {
    CHOP_FONT f = g_new0(struct font, 1);
    f->cr = new_context();
    cairo_select_font_face(
        f->cr, family, CAIRO_FONT_SLANT_NORMAL, bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(f->cr, EM);
    f->scaled = cairo_get_scaled_font(f->cr);
    if (cairo_scaled_font_status(f->scaled) || !is_family(f->scaled, family))
        return CHOP_FAIL(EINTERNAL, NULL, "the font %s is not installed", family);
    *ret_font = f;
    f = NULL;
    return NULL;
}

void font_close(struct font **font) {
    if (*font) cairo_destroy((*font)->cr);
    g_free(*font);
    *font = NULL;
}

static bool has_letter(struct font *f, const char *letter) {
    cairo_glyph_t one, *glyph = &one;
    int n = 1;
    if (cairo_scaled_font_text_to_glyphs(f->scaled, 0, 0, letter, -1, &glyph, &n, NULL, NULL, NULL)) return false;
    bool has = n == 1 && glyph[0].index != 0;
    if (glyph != &one) cairo_glyph_free(glyph);
    return has;
}

chop_err font_letter(struct font *f, const char *letter, const cairo_matrix_t *m, double tolerance, struct shape *s) {
    if (!has_letter(f, letter)) return CHOP_FAIL(EINVAL, NULL, "the font has no letter \"%s\"", letter);
    cairo_matrix_t em = *m;
    cairo_matrix_scale(&em, 1 / EM, 1 / EM);
    cairo_new_path(f->cr);
    cairo_move_to(f->cr, 0, 0);
    cairo_text_path(f->cr, letter);
    cairo_path_t *path = cairo_copy_path(f->cr);
    chop_err e = path->status ? CHOP_FAIL(EINTERNAL, NULL, "%s", cairo_status_to_string(path->status)) : NULL;
    if (!e) shape_path(s, path, &em, tolerance);
    cairo_path_destroy(path);
    return e;
}

static cairo_text_extents_t extents(struct font *f, const char *letter) {
    cairo_text_extents_t x;
    cairo_scaled_font_text_extents(f->scaled, letter, &x);
    return x;
}

double font_advance(struct font *f, const char *letter) {
    return extents(f, letter).x_advance / EM;
}

void font_box(struct font *f, const char *letter, double *ret_x, double *ret_y, double *ret_width, double *ret_height) {
    cairo_text_extents_t x = extents(f, letter);
    *ret_x = x.x_bearing / EM, *ret_y = x.y_bearing / EM;
    *ret_width = x.width / EM, *ret_height = x.height / EM;
}
