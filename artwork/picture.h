/* picture: PNG pictures out (exact resolution in pHYs) and, behind fences, in. */
#pragma once
#include "io.h"

/* One-bit picture: ink in `rgb` on white, or on nothing. */
struct png_bits {
    const uint8_t *bits; /* rows of (width + 7) / 8 bytes, 1 = ink, most significant first */
    uint32_t width, height, dpi;
    uint8_t rgb[3];
    bool transparent;
};
chop_err png_write_bits(const char *path, const struct png_bits *p) CHOP_MUSTCHECK; /* NULL: standard output */
/* 24-bit rows from 32-bit pixels 0x00RRGGBB, `stride` in bytes. */
struct png_pixels {
    const uint8_t *pixels;
    uint32_t width, height, dpi;
    size_t stride;
};
chop_err png_write_pixels(const char *path, const struct png_pixels *p) CHOP_MUSTCHECK;
/* Width and height from the header alone; EINVAL unless it is a PNG of 1 to `limit` pixels a side. */
chop_err png_size(struct chop_bytes png, uint32_t limit, uint32_t *ret_width, uint32_t *ret_height) CHOP_MUSTCHECK;
