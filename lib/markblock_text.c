#include "markblock_text.h"

#define GLYPH_BREAK INT16_MIN /* x: the next polygon starts */
#define GLYPH_END INT16_MAX
#define GLYPH_POINTS 128

struct glyph_point { /* 1/1000 em from the pen, y down */
    int16_t x, y;
};
struct glyph {
    int advance;
    const struct glyph_point *points;
};
#include "markblock_glyphs.h"

static const struct glyph *glyph_of(char c) {
    unsigned char u = (unsigned char)c;
    return u < 128 && glyphs[u].points ? &glyphs[u] : NULL;
}

bool marktext_valid(const char *text) {
    for (; *text; text++)
        if (!glyph_of(*text)) return false;
    return true;
}

int32_t marktext_width(const char *text, int32_t em_um) {
    int32_t sum = 0;
    for (; *text; text++)
        sum += glyph_of(*text) ? glyph_of(*text)->advance : 0;
    return (int32_t)((int64_t)sum * em_um / 1000);
}

static int32_t scaled(int32_t v, int32_t em_um) { /* rounds half up, also below zero */
    int64_t twice = 2 * (int64_t)v * em_um + 1000;
    return (int32_t)(twice >= 0 ? twice / 2000 : -((-twice + 1999) / 2000));
}

static void write_glyph(struct outline_writer *w, const struct glyph *g, int32_t x, int32_t y, int32_t em_um) {
    int32_t xy[2 * GLYPH_POINTS];
    size_t n = 0;
    for (const struct glyph_point *p = g->points;; p++) {
        if (p->x == GLYPH_BREAK || p->x == GLYPH_END) {
            if (n >= 3) outline_polygon(w, xy, n);
            n = 0;
            if (p->x == GLYPH_END) return;
        } else if (n < GLYPH_POINTS) {
            xy[2 * n] = x + scaled(p->x, em_um), xy[2 * n + 1] = y + scaled(p->y, em_um);
            n++;
        }
    }
}

void marktext_write(struct outline_writer *w, const char *text, int32_t x, int32_t y, int32_t em_um) {
    int64_t pen = 0; /* 1/1000 em: rounding does not add up along the line */
    for (; *text; text++) {
        const struct glyph *g = glyph_of(*text);
        if (!g) continue;
        write_glyph(w, g, x + (int32_t)(pen * em_um / 1000), y, em_um);
        pen += g->advance;
    }
}
