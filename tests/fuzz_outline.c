/* Any bytes: no crash when walked or filled unchecked; when outline_check accepts them, a copy through the writer is the
 * same bytes and swaths agree with the whole. */
#include <stdlib.h>
#include <string.h>

#include "outline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIDE 64

static void fill(struct chop_bytes o, int32_t x0, int32_t y0, uint32_t rows, uint8_t *bits) {
    static int16_t winding[SIDE * (SIDE + 1)];
    struct outline_raster r = { 600, x0, y0, SIDE, rows, winding, bits };
    outline_raster(o, -40, 25, &r);
}

static void check_swaths(struct chop_bytes o, int32_t x0, int32_t y0) {
    uint8_t whole[SIDE * SIDE / 8], part[SIDE * SIDE / 8];
    fill(o, x0, y0, SIDE, whole);
    for (int32_t y = 0; y < SIDE; y += 16) fill(o, x0, y0 + y, 16, part + y * SIDE / 8);
    if (memcmp(whole, part, sizeof whole) != 0) abort();
}

static void check_copy(struct chop_bytes o, struct outline_size size) {
    static uint8_t out[OUTLINE_MAX_BYTES];
    struct outline_writer w;
    outline_begin(&w, out, sizeof out, size);
    outline_append(&w, o, 0, 0);
    if (outline_end(&w) != o.n || memcmp(out, o.p, o.n) != 0) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct chop_bytes o = { data, size };
    struct outline_size box;
    check_swaths(o, -3, -3);
    if (outline_check(o, &box)) return 0;
    check_copy(o, box);
    check_swaths(o, (int32_t)(box.width_um / 84), (int32_t)(box.height_um / 84));
    return 0;
}
