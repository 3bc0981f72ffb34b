/* chop-draw trace: the ink of a picture as polygons along its pixels' borders. The picture is a stranger's: its size is
 * read from the header before any decoder sees it, and decoding happens with no file left to open. */
#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "io.h"
#include "outline.h"
#include "picture.h"
#include "simplify.h"

#define PNG_MAX_BYTES ((size_t)8 << 20)
#define PNG_MAX_SIDE 4000
#define MAX_CORNERS (4 * OUTLINE_MAX_POINTS)

/* ---- which pixels are ink ---- */
enum { INK = 1, SEEN = 2 }; /* SEEN: the pixel's upper border was walked */
struct plan {               /* pixels with a border of blank ones around them */
    uint8_t *cells;
    int32_t width, height;
};

static uint8_t *cell(const struct plan *p, int32_t x, int32_t y) {
    return &p->cells[(size_t)(y + 1) * (size_t)(p->width + 2) + (size_t)(x + 1)];
}

/* Black and red ink both lack green, paper does not: so the green of the pixel on white paper decides. Cairo's colours
 * are multiplied by their alpha already. */
static bool is_ink(uint32_t argb, uint32_t threshold) {
    return (argb >> 8 & 0xff) + (255 - (argb >> 24)) < threshold;
}

static chop_err plan_of(cairo_surface_t *image, uint32_t threshold, struct plan *ret) {
    struct plan p = { .width = cairo_image_surface_get_width(image), .height = cairo_image_surface_get_height(image) };
    p.cells = calloc((size_t)(p.width + 2) * (size_t)(p.height + 2), 1);
    if (!p.cells) return CHOP_ERR(EMEMORY);
    bool opaque = cairo_image_surface_get_format(image) == CAIRO_FORMAT_RGB24;
    for (int32_t y = 0; y < p.height; y++) {
        const unsigned char *row =
            cairo_image_surface_get_data(image) + (ptrdiff_t)y * cairo_image_surface_get_stride(image);
        for (int32_t x = 0; x < p.width; x++) {
            uint32_t argb;
            memcpy(&argb, row + 4 * (size_t)x, sizeof argb);
            if (is_ink(opaque ? argb | 0xff000000 : argb, threshold)) *cell(&p, x, y) = INK;
        }
    }
    *ret = p;
    return NULL;
}

/* ---- decoding ---- */
static cairo_status_t feed(void *ctx, unsigned char *out, unsigned n) {
    struct chop_bytes *left = ctx;
    if (n > left->n) return CAIRO_STATUS_READ_ERROR;
    memcpy(out, left->p, n);
    left->p += n, left->n -= n;
    return CAIRO_STATUS_SUCCESS;
}

static void surface_done(cairo_surface_t **s) {
    cairo_surface_destroy(*s);
}

static chop_err decode(struct chop_bytes png, uint32_t threshold, struct plan *ret) {
    uint32_t width, height;
    TRY(png_size(png, PNG_MAX_SIDE, &width, &height));
    __attribute__((cleanup(surface_done))) cairo_surface_t *image =
        cairo_image_surface_create_from_png_stream(feed, &png);
    if (cairo_surface_status(image)) return CHOP_FAIL(EINVAL, "png", "a broken PNG picture");
    cairo_format_t format = cairo_image_surface_get_format(image);
    if ((format != CAIRO_FORMAT_ARGB32 && format != CAIRO_FORMAT_RGB24) ||
        cairo_image_surface_get_width(image) != (int)width || cairo_image_surface_get_height(image) != (int)height)
        return CHOP_FAIL(EINVAL, "png", "a PNG picture of an unusual kind: save it with 8 bits a channel");
    return plan_of(image, threshold, ret);
}

/* ---- walking the borders ---- */
struct contours {
    GArray *corners; /* struct pixel_point */
    GArray *ends;    /* guint */
};

static const struct pixel_point steps[4] = { { 1, 0 }, { 0, 1 }, { -1, 0 }, { 0, -1 } }; /* east, south, west, north */
/* The pixels ahead of a corner, relative to the one south-east of it, by heading. */
static const struct pixel_point ahead_right[4] = { { 0, 0 }, { -1, 0 }, { -1, -1 }, { 0, -1 } };
static const struct pixel_point ahead_left[4] = { { 0, -1 }, { 0, 0 }, { -1, 0 }, { -1, -1 } };

static int turn(const struct plan *p, struct pixel_point at, int heading) {
    struct pixel_point r = ahead_right[heading], l = ahead_left[heading];
    if (!(*cell(p, at.x + r.x, at.y + r.y) & INK)) return (heading + 1) % 4;
    if (*cell(p, at.x + l.x, at.y + l.y) & INK) return (heading + 3) % 4;
    return heading;
}

/* With ink on the right hand: outer borders run clockwise, holes counter-clockwise, as outlines want them. */
static void walk(const struct plan *p, struct pixel_point start, struct contours *c) {
    struct pixel_point at = start;
    int heading = 0;
    do {
        g_array_append_val(c->corners, at);
        int before = heading;
        while (heading == before) {
            if (heading == 0) *cell(p, at.x, at.y) |= SEEN;
            at.x += steps[heading].x, at.y += steps[heading].y;
            heading = turn(p, at, heading);
        }
    } while (at.x != start.x || at.y != start.y || heading != 0);
    g_array_append_val(c->ends, c->corners->len);
}

static chop_err walk_all(const struct plan *p, struct contours *c) {
    for (int32_t y = 0; y < p->height; y++)
        for (int32_t x = 0; x < p->width; x++) {
            if (*cell(p, x, y) != INK || *cell(p, x, y - 1) & INK) continue;
            walk(p, (struct pixel_point){ x, y }, c);
            if (c->corners->len > MAX_CORNERS) return CHOP_FAIL(ELIMIT, "png", "the picture is too intricate to print");
        }
    return c->ends->len ? NULL : CHOP_FAIL(EINVAL, "png", "there is no ink in the picture");
}

/* ---- out ---- */
struct target {
    struct outline_size box;
    int32_t width, height; /* pixels */
    double tolerance;      /* pixels */
};

static void put_contour(struct outline_writer *w, const struct pixel_point *from, size_t n, const struct target *t) {
    struct pixel_point *p = g_memdup2(from, n * sizeof *p);
    if (t->tolerance > 0) n = simplify_closed(p, n, t->tolerance);
    for (size_t i = 0; i < n; i++) {
        p[i].x = (int32_t)(((int64_t)p[i].x * t->box.width_um * 2 + t->width) / (2 * (int64_t)t->width));
        p[i].y = (int32_t)(((int64_t)p[i].y * t->box.height_um * 2 + t->height) / (2 * (int64_t)t->height));
    }
    if (n >= 3) outline_polygon(w, (const int32_t *)(const void *)p, n);
    g_free(p);
}

static bool put_all(const struct contours *c, const struct target *t, uint8_t *out, size_t *ret_used) {
    struct outline_writer w;
    outline_begin(&w, out, OUTLINE_MAX_BYTES, t->box);
    guint start = 0;
    for (guint i = 0; i < c->ends->len && !w.overflow; i++) {
        guint end = g_array_index(c->ends, guint, i);
        put_contour(&w, &g_array_index(c->corners, struct pixel_point, start), end - start, t);
        start = end;
    }
    struct outline_size size;
    *ret_used = outline_end(&w);
    return *ret_used > 0 && !outline_check(CHOP_BYTES(out, *ret_used), &size);
}

/* Exactly along the pixels when that fits, else with growing, still invisible, freedom. */
static chop_err put(const struct contours *c, struct target t) {
    static uint8_t out[OUTLINE_MAX_BYTES];
    static const double tolerances[] = { 0, 0.75, 1.0, 1.5 };
    for (size_t i = 0, used; i < G_N_ELEMENTS(tolerances); i++) {
        t.tolerance = tolerances[i];
        if (put_all(c, &t, out, &used)) return io_write(out, used);
    }
    return CHOP_FAIL(ELIMIT, "png", "the picture is too intricate to print");
}

static chop_err trace(const struct plan *p, struct outline_size box) {
    struct contours c = { g_array_new(FALSE, FALSE, sizeof(struct pixel_point)),
        g_array_new(FALSE, FALSE, sizeof(guint)) };
    chop_err e = walk_all(p, &c);
    if (!e) e = put(&c, (struct target){ .box = box, .width = p->width, .height = p->height });
    g_array_unref(c.corners);
    g_array_unref(c.ends);
    return e;
}

chop_err command_trace(const struct args *a) {
    TRY(args_check(a, "--width-um --height-um --threshold", "", 0));
    long width, height, threshold;
    TRY(args_int(a, "--width-um", 0, 1000, OUTLINE_MAX_UM, &width));
    TRY(args_int(a, "--height-um", 0, 1000, OUTLINE_MAX_UM, &height));
    TRY(args_int(a, "--threshold", 128, 1, 255, &threshold));
    io_fence_files();
    CHOP_BLOB png = { .p = NULL };
    TRY(io_read(PNG_MAX_BYTES, &png));
    struct plan p = { .cells = NULL };
    TRY(decode(CHOP_BYTES(png.p, png.n), (uint32_t)threshold, &p));
    chop_err e = trace(&p, (struct outline_size){ (uint32_t)width, (uint32_t)height });
    free(p.cells);
    return e;
}
