/* Reading, writing and filling of outlines. Every reader is bounded by the bytes it got, so that walking bytes which
 * nobody checked draws nonsense at worst. */
#include <string.h>

#include "outline.h"

#define HEADER_LEN 12
#define MIN_POINTS 3
#define MIN_POINT_LEN 2

/* ---- reading ---- */
struct reader {
    const uint8_t *p, *end;
    int32_t x, y; /* where the pen is */
};

static uint32_t get_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* LEB128 of at most 28 bits, shortest form only: one outline has one encoding, hence one digest. */
static bool read_varint(struct reader *r, uint32_t *ret) {
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 28 && r->p < r->end; shift += 7) {
        uint8_t byte = *r->p++;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if (byte & 0x80) continue;
        if (byte == 0 && shift > 0) return false;
        *ret = value;
        return true;
    }
    return false;
}

/* Moves the pen; deltas have 28 bits and the pen stays within 120 mm, so the sum cannot overflow. */
static bool read_delta(struct reader *r, int32_t *pen) {
    uint32_t zigzag;
    if (!read_varint(r, &zigzag)) return false;
    int32_t delta = (int32_t)(zigzag >> 1) ^ -(int32_t)(zigzag & 1);
    int32_t moved = *pen + delta;
    if (moved < 0 || moved > OUTLINE_MAX_UM) return false;
    *pen = moved;
    return true;
}

static bool read_point(struct reader *r) {
    return read_delta(r, &r->x) && read_delta(r, &r->y);
}

static bool read_count(struct reader *r, uint32_t *ret) {
    return read_varint(r, ret) && *ret >= MIN_POINTS && *ret <= OUTLINE_MAX_POINTS &&
           *ret <= (size_t)(r->end - r->p) / MIN_POINT_LEN;
}

static struct reader reader_of(struct chop_bytes data) {
    if (data.n < HEADER_LEN) return (struct reader){ .p = NULL };
    return (struct reader){ .p = data.p + HEADER_LEN, .end = data.p + data.n };
}

static chop_err check_header(struct chop_bytes data, struct outline_size *ret_size) {
    if (data.n > OUTLINE_MAX_BYTES) return CHOP_FAIL(ELIMIT, "outline", "%zu bytes are above the limit", data.n);
    if (data.n < HEADER_LEN || memcmp(data.p, "CHO1", 4) != 0) return CHOP_FAIL(EINVAL, "outline", "not an outline");
    struct outline_size size = { get_u32(data.p + 4), get_u32(data.p + 8) };
    if (size.width_um == 0 || size.width_um > OUTLINE_MAX_UM || size.height_um == 0 || size.height_um > OUTLINE_MAX_UM)
        return CHOP_FAIL(EINVAL, "outline", "a side is not 1 to %d micrometres long", OUTLINE_MAX_UM);
    *ret_size = size;
    return NULL;
}

struct tally {
    uint32_t points;
    uint64_t travel; /* vertical way of all edges: what filling costs */
};

static chop_err check_polygon(struct reader *r, const struct outline_size *size, struct tally *t) {
    uint32_t count;
    if (!read_count(r, &count)) return CHOP_FAIL(EINVAL, "outline", "a polygon's length is wrong");
    t->points += count;
    if (t->points > OUTLINE_MAX_POINTS) return CHOP_FAIL(ELIMIT, "outline", "too many points");
    int32_t first = 0, before = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!read_point(r)) return CHOP_FAIL(EINVAL, "outline", "a point is malformed");
        if ((uint32_t)r->x > size->width_um || (uint32_t)r->y > size->height_um)
            return CHOP_FAIL(EINVAL, "outline", "a point lies outside of the box");
        if (i == 0) first = before = r->y;
        t->travel += (uint64_t)(r->y > before ? r->y - before : before - r->y);
        before = r->y;
    }
    t->travel += (uint64_t)(first > before ? first - before : before - first);
    return NULL;
}

chop_err outline_check(struct chop_bytes data, struct outline_size *ret_size) {
    struct outline_size size;
    TRY(check_header(data, &size));
    struct reader r = reader_of(data);
    if (r.p == r.end) return CHOP_FAIL(EINVAL, "outline", "there is nothing in it");
    struct tally t = { 0 };
    while (r.p < r.end)
        TRY(check_polygon(&r, &size, &t));
    if (t.travel > OUTLINE_MAX_TRAVEL_UM) return CHOP_FAIL(ELIMIT, "outline", "the picture is too intricate to print");
    *ret_size = size;
    return NULL;
}

void outline_walk(struct chop_bytes data, outline_point_fn fn, void *ctx) {
    struct reader r = reader_of(data);
    while (r.p < r.end) {
        uint32_t count;
        if (!read_count(&r, &count)) return;
        for (uint32_t i = 0; i < count; i++)
            if (!read_point(&r) || !fn(ctx, r.x, r.y, i == 0)) return;
    }
}

/* ---- writing ---- */
static void put_byte(struct outline_writer *w, uint8_t byte) {
    if (w->used < w->size)
        w->out[w->used++] = byte;
    else
        w->overflow = true;
}

static void put_u32(struct outline_writer *w, uint32_t v) {
    for (unsigned i = 0; i < 4; i++)
        put_byte(w, (uint8_t)(v >> (8 * i)));
}

static void put_varint(struct outline_writer *w, uint32_t v) {
    for (; v > 0x7f; v >>= 7)
        put_byte(w, (uint8_t)(v | 0x80));
    put_byte(w, (uint8_t)v);
}

static void put_delta(struct outline_writer *w, int32_t *pen, int32_t to) {
    int32_t delta = to - *pen;
    put_varint(w, ((uint32_t)delta << 1) ^ (delta < 0 ? UINT32_MAX : 0));
    *pen = to;
}

/* A point outside of the box written in the header would make bytes that outline_check refuses: it counts as overflow.
 */
static void put_point(struct outline_writer *w, int64_t x, int64_t y) {
    if (w->used < HEADER_LEN || x < 0 || y < 0 || x > get_u32(w->out + 4) || y > get_u32(w->out + 8)) {
        w->overflow = true;
        return;
    }
    put_delta(w, &w->x, (int32_t)x);
    put_delta(w, &w->y, (int32_t)y);
}

void outline_begin(struct outline_writer *w, uint8_t *out, size_t size, struct outline_size box) {
    *w = (struct outline_writer){ .out = out, .size = size };
    for (const char *magic = "CHO1"; *magic; magic++)
        put_byte(w, (uint8_t)*magic);
    put_u32(w, box.width_um);
    put_u32(w, box.height_um);
    if (box.width_um > OUTLINE_MAX_UM || box.height_um > OUTLINE_MAX_UM) w->overflow = true;
}

void outline_polygon(struct outline_writer *w, const int32_t *xy, size_t n) {
    if (n < MIN_POINTS || n > OUTLINE_MAX_POINTS) {
        w->overflow = true;
        return;
    }
    put_varint(w, (uint32_t)n);
    for (size_t i = 0; i < n && !w->overflow; i++)
        put_point(w, xy[2 * i], xy[2 * i + 1]);
}

void outline_rect(struct outline_writer *w, int32_t x, int32_t y, int32_t width, int32_t height) {
    const int32_t xy[] = { x, y, x + width, y, x + width, y + height, x, y + height };
    outline_polygon(w, xy, 4);
}

void outline_append(struct outline_writer *w, struct chop_bytes data, int32_t dx, int32_t dy) {
    struct reader r = reader_of(data);
    while (r.p < r.end && !w->overflow) {
        uint32_t count;
        if (!read_count(&r, &count)) return;
        put_varint(w, count);
        for (uint32_t i = 0; i < count && !w->overflow; i++) {
            if (!read_point(&r)) w->overflow = true;
            put_point(w, (int64_t)r.x + dx, (int64_t)r.y + dy);
        }
    }
}

size_t outline_end(const struct outline_writer *w) {
    return w->overflow || w->used <= HEADER_LEN ? 0 : w->used;
}

/* ---- raster ----
 * Exact: a micrometre is 2 * dpi units and the centre of pixel i lies at (2i + 1) * 25400 units, both whole. With
 * 2400 dpi and outlines moved by at most a metre, all products stay below 2^62. */
#define INCH_UM 25400
#define MAX_MOVE_UM 1000000

static int64_t ceil_div(int64_t a, int64_t b) { /* b > 0 */
    return a / b + (a % b > 0);
}

/* The first pixel whose centre is at or after v / den units. */
static int64_t pixel_from(int64_t v, int64_t den) {
    return ceil_div(v - INCH_UM * den, 2 * INCH_UM * den);
}

static int64_t clamp(int64_t v, int64_t low, int64_t high) {
    return v < low ? low : v > high ? high : v;
}

/* Adds one edge: +1 or -1 into the first cell at or right of where it crosses each row's centres. Cells wrap as
 * 16-bit numbers: a turn around a point takes three edges of two bytes each, so the true winding of the largest outline
 * (below 44 000) never wraps to zero. */
static void add_edge(const struct outline_raster *r, int64_t xa, int64_t ya, int64_t xb, int64_t yb) {
    if (ya == yb) return;
    int16_t sign = yb < ya ? 1 : -1;
    int64_t top = ya < yb ? ya : yb, bottom = ya < yb ? yb : ya;
    int64_t from = clamp(pixel_from(top, 1) - r->y0_px, 0, r->rows_px);
    int64_t to = clamp(pixel_from(bottom, 1) - r->y0_px, 0, r->rows_px);
    int64_t den = bottom - top, slope = ya < yb ? xb - xa : xa - xb, x_top = ya < yb ? xa : xb;
    for (int64_t row = from; row < to; row++) {
        int64_t centre = (2 * (row + r->y0_px) + 1) * INCH_UM;
        int64_t px = pixel_from(x_top * den + slope * (centre - top), den);
        int64_t cell = clamp(px - r->x0_px, 0, r->width_px);
        int16_t *w = &r->winding[(size_t)row * (r->width_px + 1) + (size_t)cell];
        *w = (int16_t)(uint16_t)(*w + sign);
    }
}

static void pack_row(const int16_t *winding, uint32_t width, uint8_t *bits) {
    unsigned sum = 0;
    for (uint32_t x = 0; x < width; x += 8) {
        unsigned byte = 0;
        for (uint32_t i = 0; i < 8; i++) {
            if (x + i < width) sum += (unsigned)winding[x + i];
            byte = byte << 1 | (x + i < width && (sum & 0xffff) != 0);
        }
        bits[x / 8] = (uint8_t)byte;
    }
}

struct fill {
    const struct outline_raster *r;
    int64_t dx_um, dy_um, unit;
    int64_t x0, y0, x, y; /* first and last point of the open polygon */
    bool open;
};

static void fill_close(struct fill *f) {
    if (f->open) add_edge(f->r, f->x, f->y, f->x0, f->y0);
}

static bool fill_point(void *ctx, int32_t x_um, int32_t y_um, bool first) {
    struct fill *f = ctx;
    int64_t x = (x_um + f->dx_um) * f->unit, y = (y_um + f->dy_um) * f->unit;
    if (first) {
        fill_close(f);
        f->x0 = x, f->y0 = y, f->open = true;
    } else {
        add_edge(f->r, f->x, f->y, x, y);
    }
    f->x = x, f->y = y;
    return true;
}

static bool movable(int32_t um) {
    return um >= -MAX_MOVE_UM && um <= MAX_MOVE_UM;
}

void outline_raster(struct chop_bytes data, int32_t dx_um, int32_t dy_um, const struct outline_raster *r) {
    size_t cells = (size_t)r->width_px + 1, stride = ((size_t)r->width_px + 7) / 8;
    memset(r->winding, 0, r->rows_px * cells * sizeof *r->winding);
    if (r->dpi > 0 && r->dpi <= OUTLINE_MAX_DPI && movable(dx_um) && movable(dy_um)) {
        struct fill f = { .r = r, .dx_um = dx_um, .dy_um = dy_um, .unit = 2 * (int64_t)r->dpi };
        outline_walk(data, fill_point, &f);
        fill_close(&f);
    }
    for (uint32_t row = 0; row < r->rows_px; row++)
        pack_row(r->winding + row * cells, r->width_px, r->bits + row * stride);
}
