#include <errno.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "picture.h"

static void on_error(png_structp png, png_const_charp text) {
    (void)png;
    fprintf(stderr, "chop-draw: png: %s\n", text);
    exit(1);
}

struct sheet {
    FILE *f;
    png_structp png;
    png_infop info;
};

static chop_err sheet_open(const char *path, struct sheet *ret) {
    struct sheet s = { .f = path ? fopen(path, "wbe") : stdout };
    if (!s.f) return CHOP_FAIL(EINVAL, path, "cannot be written: %s", strerror(errno));
    s.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, NULL);
    s.info = s.png ? png_create_info_struct(s.png) : NULL;
    if (!s.info) return CHOP_ERR(EMEMORY);
    png_init_io(s.png, s.f);
    png_set_compression_level(s.png, 6);
    *ret = s;
    return NULL;
}

static void sheet_head(const struct sheet *s, uint32_t width, uint32_t height, int depth, int type, uint32_t dpi) {
    uint32_t per_metre = (uint32_t)lround(dpi / 0.0254);
    png_set_IHDR(s->png, s->info, width, height, depth, type, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_set_pHYs(s->png, s->info, per_metre, per_metre, PNG_RESOLUTION_METER);
}

static chop_err sheet_close(struct sheet *s, const char *path) {
    png_write_end(s->png, s->info);
    png_destroy_write_struct(&s->png, &s->info);
    bool failed = ferror(s->f) || (path ? fclose(s->f) : fflush(s->f)) != 0;
    return failed ? CHOP_FAIL(EINTERNAL, path, "cannot be written") : NULL;
}

chop_err png_write_bits(const char *path, const struct png_bits *p) {
    struct sheet s;
    TRY(sheet_open(path, &s));
    sheet_head(&s, p->width, p->height, 1, PNG_COLOR_TYPE_PALETTE, p->dpi);
    const png_color colors[2] = { { 255, 255, 255 }, { p->rgb[0], p->rgb[1], p->rgb[2] } };
    png_set_PLTE(s.png, s.info, colors, 2);
    const png_byte alpha[1] = { 0 };
    if (p->transparent) png_set_tRNS(s.png, s.info, alpha, 1, NULL);
    png_write_info(s.png, s.info);
    for (uint32_t y = 0; y < p->height; y++)
        png_write_row(s.png, p->bits + (size_t)y * ((p->width + 7) / 8));
    return sheet_close(&s, path);
}

chop_err png_write_pixels(const char *path, const struct png_pixels *p) {
    struct sheet s;
    TRY(sheet_open(path, &s));
    sheet_head(&s, p->width, p->height, 8, PNG_COLOR_TYPE_RGB, p->dpi);
    png_set_compression_level(s.png, 3); /* paper is mostly white: more effort gains little */
    png_write_info(s.png, s.info);
    png_set_filler(s.png, 0, PNG_FILLER_AFTER);
    png_set_bgr(s.png);
    for (uint32_t y = 0; y < p->height; y++)
        png_write_row(s.png, p->pixels + y * p->stride);
    return sheet_close(&s, path);
}

static uint32_t get_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

chop_err png_size(struct chop_bytes png, uint32_t limit, uint32_t *ret_width, uint32_t *ret_height) {
    static const uint8_t magic[16] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    if (png.n < 33 || memcmp(png.p, magic, sizeof magic) != 0) return CHOP_FAIL(EINVAL, "png", "not a PNG picture");
    uint32_t width = get_be32(png.p + 16), height = get_be32(png.p + 20);
    if (width == 0 || height == 0 || width > limit || height > limit)
        return CHOP_FAIL(ELIMIT, "png", "%u x %u pixels: each side may have 1 to %u", width, height, limit);
    *ret_width = width, *ret_height = height;
    return NULL;
}
