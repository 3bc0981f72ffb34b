/* outline: frozen artwork as filled polygons, and its raster. C99, no heap: shared by services and printer.
 *
 * Bytes: "CHO1", width and height in micrometres (u32 little-endian each), then polygons to the end. A polygon:
 * varint count n >= 3 (LEB128, shortest form, at most 4 bytes), then n points as zigzag varints dx, dy in micrometres,
 * each relative to the point before, also across polygons (the outline's very first to 0,0 at the top left, y down).
 * Polygons are filled together, non-zero winding: an outer contour runs clockwise on screen, a hole counter-clockwise;
 * writers take care that every shape's winding is never negative, so that overlapping shapes unite. The digest of an
 * artwork is SHA-256 of these bytes. */
#pragma once
#include "base.h"

#define OUTLINE_MAX_BYTES ((size_t)256 << 10)
#define OUTLINE_MAX_UM 120000 /* 120 mm either way */
#define OUTLINE_MAX_POINTS 200000
#define OUTLINE_MAX_TRAVEL_UM 100000000 /* vertical way of all edges together: bounds the time of filling */
#define OUTLINE_MAX_DPI 2400

/* ---- reading ---- */
struct outline_size {
    uint32_t width_um, height_um;
};
/* Checks everything: header, bounds, that there is a polygon, that all points lie in the box, polygon lengths, no bytes
 * left over. EINVAL for malformed bytes, ELIMIT for what is too large. */
chop_err outline_check(struct chop_bytes data, struct outline_size *ret_size) CHOP_MUSTCHECK;
/* Walks a checked outline; false from fn stops. `first` marks a polygon's first point. */
typedef bool (*outline_point_fn)(void *ctx, int32_t x_um, int32_t y_um, bool first);
void outline_walk(struct chop_bytes data, outline_point_fn fn, void *ctx);

/* ---- writing, into the caller's buffer ---- */
struct outline_writer {
    uint8_t *out;
    size_t size, used;
    int32_t x, y;
    bool overflow;
};
void outline_begin(struct outline_writer *w, uint8_t *out, size_t size, struct outline_size box);
/* One polygon of n points (x0,y0,x1,y1,...), in the box. */
void outline_polygon(struct outline_writer *w, const int32_t *xy, size_t n);
void outline_rect(struct outline_writer *w, int32_t x, int32_t y, int32_t width, int32_t height);
/* Appends all polygons of a checked outline, moved by dx, dy. */
void outline_append(struct outline_writer *w, struct chop_bytes data, int32_t dx, int32_t dy);
/* Bytes written; 0 if they did not fit, a point lay outside of the box, or nothing was drawn. */
size_t outline_end(const struct outline_writer *w);

/* ---- raster: one swath of rows, so that a small device can print a large seal ---- */
struct outline_raster {
    uint32_t dpi;
    int32_t x0_px, y0_px;       /* where the swath lies on the outline's pixel grid */
    uint32_t width_px, rows_px; /* its size */
    int16_t *winding;           /* scratch: rows_px * (width_px + 1) cells */
    uint8_t *bits;              /* out: rows_px rows of (width_px + 7) / 8 bytes, 1 = ink, most significant first */
};
/* Fills the swath of the outline moved by (dx_um, dy_um), at most a metre. A pixel is ink when its centre is inside
 * (left and top edges belong to the shape). Blank when dpi is 0 or above OUTLINE_MAX_DPI. */
void outline_raster(struct chop_bytes data, int32_t dx_um, int32_t dy_um, const struct outline_raster *r);
