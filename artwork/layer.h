/* layer: the bitmaps that a printer put on a page, as listed in RASTER.json:
 *   {"layers":[{"file":"layer0.pbm","dpi":600,"x_um":62000,"y_um":128000,"color":"C8102E"}]}
 * Files are raw PBM (P4), their names relative to the JSON's folder; x and y are the bitmap's top left corner. */
#pragma once
#include "base.h"
#include "io.h"

#define LAYER_MAX 64

struct layer {
    struct blob file;    /* owned */
    const uint8_t *bits; /* in file: rows of (width + 7) / 8 bytes, 1 = ink, most significant first */
    uint32_t width, height, dpi;
    int32_t x_um, y_um;
    uint8_t rgb[3];
};
struct layers {
    size_t n;
    struct layer at[LAYER_MAX];
};
chop_err layers_read(const char *json_path, struct layers *ret) CHOP_MUSTCHECK;
void layers_done(struct layers *l);
