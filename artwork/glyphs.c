/* chop-draw glyphs: the letters that marks are written with, as a C table, so that issuance needs no font. The em is
 * 1000 units; the pen stands at the left end of the base line, y down. */
#include <math.h>
#include <stdio.h>

#include "commands.h"
#include "font.h"

#define UNITS 1000
static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-:/. ";

struct printer {
    int polygon;
};

static bool print_point(void *ctx, int32_t x, int32_t y, bool first) {
    struct printer *p = ctx;
    printf("%s{ %d, %d }", first ? p->polygon++ ? ",\n    { GLYPH_BREAK, 0 }, " : "    " : ", ", x - UNITS, y - UNITS);
    return true;
}

/* The pen stands in the middle of the box, so that what hangs below or to the left of it fits. */
static chop_err print_glyph(struct font *f, const char *letter) {
    CHOP_SHAPE s;
    shape_init(&s);
    const cairo_matrix_t m = { UNITS, 0, 0, UNITS, UNITS, UNITS };
    CHOP_BLOB outline = { .p = NULL };
    TRY(font_letter(f, letter, &m, 3, &s));
    printf("static const struct glyph_point glyph_%02x[] = {\n", (unsigned)letter[0]);
    if (*letter != ' ') {
        TRY(shape_outline(&s, (struct outline_size){ UNITS * 2, UNITS * 2 }, &outline));
        outline_walk(CHOP_BYTES(outline.p, outline.n), print_point, &(struct printer){ 0 });
        printf(",\n");
    }
    printf("    { GLYPH_END, 0 },\n};\n");
    return NULL;
}

chop_err command_glyphs(const struct args *a) {
    TRY(args_check(a, "", "", 0));
    CHOP_FONT f = NULL;
    TRY(font_open(FONT_CODE, false, &f));
    printf("/* Made by: chop-draw glyphs > lib/markblock_glyphs.h   (outlines of %s) */\n", FONT_CODE);
    for (const char *p = alphabet; *p; p++)
        TRY(print_glyph(f, (const char[]){ *p, 0 }));
    printf("static const struct glyph glyphs[128] = {\n");
    for (const char *p = alphabet; *p; p++)
        printf("    ['%c'] = { %ld, glyph_%02x },\n", *p, lround(font_advance(f, (const char[]){ *p, 0 }) * UNITS),
            (unsigned)*p);
    printf("};\n");
    return NULL;
}
