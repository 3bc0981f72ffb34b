/* chop-draw png: an outline as a picture, through the same raster that prints it. */
#include <stdlib.h>

#include "commands.h"
#include "io.h"
#include "outline.h"
#include "picture.h"

static uint32_t pixels(uint32_t um, uint32_t dpi) {
    return (uint32_t)(((uint64_t)um * dpi + 25399) / 25400);
}

static chop_err preview_bits(struct chop_bytes outline, struct outline_size size, uint32_t dpi, struct png_bits *ret) {
    uint32_t width = pixels(size.width_um, dpi), height = pixels(size.height_um, dpi);
    if (width > 6000 || height > 6000) return CHOP_FAIL(ELIMIT, "--dpi", "the picture would be too large");
    int16_t *winding = malloc(((size_t)width + 1) * height * sizeof *winding);
    uint8_t *bits = malloc(((size_t)width + 7) / 8 * height);
    if (winding && bits)
        outline_raster(outline, 0, 0, &(struct outline_raster){ dpi, 0, 0, width, height, winding, bits });
    free(winding);
    if (!winding || !bits) {
        free(bits);
        return CHOP_ERR(EMEMORY);
    }
    *ret = (struct png_bits){ .bits = bits, .width = width, .height = height, .dpi = dpi };
    return NULL;
}

chop_err command_png(const struct args *a) {
    TRY(args_check(a, "--dpi --color", "--transparent", 0));
    long dpi;
    uint8_t rgb[3];
    TRY(args_int(a, "--dpi", 300, 20, OUTLINE_MAX_DPI, &dpi));
    TRY(args_color(args_text(a, "--color", "C8102E"), rgb));
    CHOP_BLOB outline = { .p = NULL };
    struct outline_size size;
    TRY(io_read_outline(&outline, &size));
    struct png_bits p = { .bits = NULL };
    TRY(preview_bits(CHOP_BYTES(outline.p, outline.n), size, (uint32_t)dpi, &p));
    p.transparent = args_flag(a, "--transparent");
    for (int i = 0; i < 3; i++)
        p.rgb[i] = rgb[i];
    chop_err e = png_write_bits(NULL, &p);
    free((void *)(uintptr_t)p.bits);
    return e;
}
