#include <cairo.h>
#include <dlfcn.h>
#include <string.h>

#include "lettering.h"

static bool as_shapes;

void lettering_as_shapes(bool on) {
    as_shapes = on;
}

/* The next definition of a function: a pointer that ISO C lets nobody cast, so it is copied. */
static void find_next(const char *name, void *ret_function, size_t size) {
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(ret_function, &symbol, size);
}

static void fill_glyphs(cairo_t *cr, const cairo_glyph_t *glyphs, int n) {
    for (int i = 0; i < n; i++) {
        cairo_new_path(cr);
        cairo_glyph_path(cr, &glyphs[i], 1);
        cairo_fill(cr);
    }
}

void cairo_show_glyphs(cairo_t *cr, const cairo_glyph_t *glyphs, int n) {
    static void (*next)(cairo_t *, const cairo_glyph_t *, int);
    if (as_shapes) {
        fill_glyphs(cr, glyphs, n);
        return;
    }
    if (!next) find_next("cairo_show_glyphs", &next, sizeof next);
    next(cr, glyphs, n);
}

void cairo_show_text_glyphs(cairo_t *cr, const char *text, int text_len, const cairo_glyph_t *glyphs, int n,
    const cairo_text_cluster_t *clusters, int clusters_len, cairo_text_cluster_flags_t flags) {
    static void (*next)(cairo_t *, const char *, int, const cairo_glyph_t *, int, const cairo_text_cluster_t *, int,
        cairo_text_cluster_flags_t);
    if (as_shapes) {
        fill_glyphs(cr, glyphs, n);
        return;
    }
    if (!next) find_next("cairo_show_text_glyphs", &next, sizeof next);
    next(cr, text, text_len, glyphs, n, clusters, clusters_len, flags);
}
