/* outline: what is written reads back, malformed bytes are refused one by one, filling is exact. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "outline.h"

/* At 254 dpi a pixel is exactly 100 um, so that pictures can be drawn as text. */
#define DPI 254
#define SIDE 12

struct made {
    uint8_t out[4096];
    struct outline_writer w;
};

static void begin(struct made *m) {
    outline_begin(&m->w, m->out, sizeof m->out, (struct outline_size){ SIDE * 100, SIDE * 100 });
}

static struct chop_bytes done(struct made *m) {
    size_t n = outline_end(&m->w);
    assert_int_not_equal(n, 0);
    struct outline_size size;
    assert_null(outline_check(CHOP_BYTES(m->out, n), &size));
    assert_int_equal(size.width_um, SIDE * 100);
    return CHOP_BYTES(m->out, n);
}

static void fill(struct chop_bytes o, int32_t dx, int32_t dy, struct outline_raster r, uint8_t *bits) {
    r.bits = bits;
    r.winding = malloc(r.rows_px * (r.width_px + 1) * sizeof *r.winding);
    assert_non_null(r.winding);
    outline_raster(o, dx, dy, &r);
    free(r.winding);
}

static void assert_picture(struct chop_bytes o, int32_t dx, int32_t dy, const char *const rows[SIDE]) {
    uint8_t bits[SIDE * 2];
    fill(o, dx, dy, (struct outline_raster){ .dpi = DPI, .width_px = SIDE, .rows_px = SIDE }, bits);
    for (size_t y = 0; y < SIDE; y++) {
        char line[SIDE + 1] = "";
        for (size_t x = 0; x < SIDE; x++)
            line[x] = bits[y * 2 + x / 8] & 0x80 >> x % 8 ? '#' : '.';
        assert_string_equal(line, rows[y]);
        assert_int_equal(bits[y * 2 + 1] & 0x0f, 0);
    }
}

static void a_rectangle_is_exact(void **state) {
    (void)state;
    struct made m;
    begin(&m);
    outline_rect(&m.w, 200, 100, 500, 300);
    const char *const want[SIDE] = { "............", "..#####.....", "..#####.....", "..#####.....", "............",
        "............", "............", "............", "............", "............", "............",
        "............" };
    assert_picture(done(&m), 0, 0, want);
    const char *const moved[SIDE] = { "####........", "####........", "............", "............", "............",
        "............", "............", "............", "............", "............", "............",
        "............" };
    assert_picture(done(&m), -300, -200, moved);
    /* centres decide: 150 is a centre and belongs to the shape that starts there, not to the one that ends there */
    assert_picture(done(&m), -250, -150, moved);
    assert_picture(done(&m), -349, -249, moved);
}

static void overlaps_unite_and_holes_stay_open(void **state) {
    (void)state;
    struct made m;
    begin(&m);
    outline_rect(&m.w, 0, 0, 600, 600);
    const int32_t hole[] = { 100, 100, 100, 500, 500, 500, 500, 100 };
    outline_polygon(&m.w, hole, 4);
    outline_rect(&m.w, 400, 400, 700, 500);
    const char *const want[SIDE] = { "######......", "#....#......", "#....#......", "#....#......", "#...#######.",
        "###########.", "....#######.", "....#######.", "....#######.", "............", "............",
        "............" };
    assert_picture(done(&m), 0, 0, want);
}

static void a_diagonal_follows_the_centres(void **state) {
    (void)state;
    struct made m;
    begin(&m);
    const int32_t triangle[] = { 0, 0, 1200, 1200, 0, 1200 };
    outline_polygon(&m.w, triangle, 3);
    const char *const want[SIDE] = { "#...........", "##..........", "###.........", "####........", "#####.......",
        "######......", "#######.....", "########....", "#########...", "##########..", "###########.",
        "############" };
    /* the edge runs through the diagonal's centres: a right edge does not own them, so move it by a micrometre */
    const char *const bare[SIDE] = { "............", "#...........", "##..........", "###.........", "####........",
        "#####.......", "######......", "#######.....", "########....", "#########...", "##########..",
        "###########." };
    assert_picture(done(&m), 0, 0, bare);
    assert_picture(done(&m), 1, 0, want);
}

/* A star-like scribble with many crossings, wound both ways. */
static struct chop_bytes scribble(struct made *m, uint32_t seed) {
    begin(m);
    for (int p = 0; p < 6; p++) {
        int32_t xy[40];
        for (size_t i = 0; i < 40; i++) {
            seed = seed * 1664525 + 1013904223;
            xy[i] = (int32_t)(seed >> 8) % (SIDE * 100 + 1);
        }
        outline_polygon(&m->w, xy, 20);
    }
    return done(m);
}

/* Winding of one point, by the definition, with nothing in common with the raster but the point rule. */
struct probe {
    double x, y, x0, y0, xp, yp;
    int winding;
};

static void probe_edge(struct probe *p, double xb, double yb) {
    bool up = yb < p->yp;
    double top = up ? yb : p->yp, bottom = up ? p->yp : yb;
    if (p->y >= top && p->y < bottom) {
        double x = p->xp + (xb - p->xp) * (p->y - p->yp) / (yb - p->yp);
        if (x <= p->x) p->winding += up ? 1 : -1;
    }
    p->xp = xb, p->yp = yb;
}

static bool probe_point(void *ctx, int32_t x, int32_t y, bool first) {
    struct probe *p = ctx;
    if (first) {
        probe_edge(p, p->x0, p->y0);
        p->x0 = p->xp = x, p->y0 = p->yp = y;
    }
    probe_edge(p, x, y);
    return true;
}

static void filling_is_the_winding_of_each_centre(void **state) {
    (void)state;
    struct made m;
    for (uint32_t seed = 1; seed < 30; seed++) {
        struct chop_bytes o = scribble(&m, seed);
        uint8_t bits[120 * 15];
        fill(o, 0, 0, (struct outline_raster){ .dpi = 2400, .width_px = 113, .rows_px = 113 }, bits);
        for (size_t i = 0; i < 113 * 113; i++) {
            size_t x = i % 113, y = i / 113;
            struct probe p = { .x = ((double)x + 0.5) * 25400 / 2400, .y = ((double)y + 0.5) * 25400 / 2400 };
            outline_walk(o, probe_point, &p);
            probe_edge(&p, p.x0, p.y0);
            assert_int_equal(!!(bits[y * 15 + x / 8] & 0x80 >> x % 8), p.winding != 0);
        }
    }
}

static void swaths_equal_the_whole(void **state) {
    (void)state;
    struct made m;
    struct chop_bytes o = scribble(&m, 77);
    struct outline_raster r = { .dpi = 600, .x0_px = -5, .y0_px = -4, .width_px = 41, .rows_px = 36 };
    uint8_t whole[36 * 6], part[36 * 6];
    fill(o, 30, -20, r, whole);
    for (uint32_t y = 0; y < 36; y += 9) {
        struct outline_raster s = r;
        s.y0_px += (int32_t)y, s.rows_px = 9;
        fill(o, 30, -20, s, part + y * 6);
    }
    assert_memory_equal(whole, part, sizeof whole);
    uint8_t right[36 * 3];
    r.x0_px += 24, r.width_px = 17;
    fill(o, 30, -20, r, right);
    for (size_t y = 0; y < 36; y++)
        assert_memory_equal(right + y * 3, whole + y * 6 + 3, 3);
}

static void far_and_strange_swaths_are_blank(void **state) {
    (void)state;
    struct made m;
    struct chop_bytes o = scribble(&m, 5);
    const struct outline_raster strange[] = {
        { .dpi = 600, .x0_px = INT32_MAX, .y0_px = INT32_MAX },
        { .dpi = 600, .x0_px = INT32_MIN, .y0_px = INT32_MIN },
        { .dpi = 0 },
        { .dpi = OUTLINE_MAX_DPI + 1 },
        { .dpi = UINT32_MAX },
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct outline_raster r = strange[i];
        uint8_t bits[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
        r.width_px = 8, r.rows_px = 8;
        fill(o, 0, 0, r, bits);
        for (size_t b = 0; b < 8; b++)
            assert_int_equal(bits[b], 0);
    }
    uint8_t bits[8];
    fill(o, INT32_MAX, INT32_MIN, (struct outline_raster){ .dpi = 600, .width_px = 8, .rows_px = 8 }, bits);
    for (size_t b = 0; b < 8; b++)
        assert_int_equal(bits[b], 0);
}

static void deep_windings_do_not_wrap_to_nothing(void **state) {
    (void)state;
    static uint8_t out[OUTLINE_MAX_BYTES];
    struct outline_writer w;
    outline_begin(&w, out, sizeof out, (struct outline_size){ 100, 100 });
    static int32_t xy[2 * 120000];
    for (size_t i = 0; i < 120000; i++) {
        xy[2 * i] = i % 3 == 1 ? 60 : 0;
        xy[2 * i + 1] = i % 3 == 2 ? 60 : 0;
    }
    outline_polygon(&w, xy, 98304); /* 32768 turns: as a 16-bit number the most negative one */
    size_t n = outline_end(&w);
    struct outline_size size;
    assert_null(outline_check(CHOP_BYTES(out, n), &size));
    uint8_t bits[1];
    fill(CHOP_BYTES(out, n), 0, 0, (struct outline_raster){ .dpi = 1000, .width_px = 1, .rows_px = 1 }, bits);
    assert_int_equal(bits[0], 0x80);
}

static void assert_refused(const uint8_t *p, size_t n, chop_err want) {
    struct outline_size size = { 1, 1 };
    uint8_t *copy = malloc(n + 1); /* exact size, so that a sanitizer sees an over-read */
    assert_non_null(copy);
    memcpy(copy, p, n);
    assert_ptr_equal(outline_check(CHOP_BYTES(copy, n), &size), want);
    assert_int_equal(size.width_um, 1);
    free(copy);
}

#define HEAD 'C', 'H', 'O', '1', 100, 0, 0, 0, 100, 0, 0, 0
#define REFUSE(...)                                                                                                    \
    do {                                                                                                               \
        const uint8_t b_[] = { __VA_ARGS__ };                                                                          \
        assert_refused(b_, sizeof b_, CHOP_ERR(EINVAL));                                                               \
    } while (0)

static void malformed_bytes_are_refused(void **state) {
    (void)state;
    const uint8_t good[] = { HEAD, 3, 2, 2, 4, 0, 0, 4 };
    struct outline_size size;
    assert_null(outline_check(CHOP_BYTES(good, sizeof good), &size));
    for (size_t n = 0; n < sizeof good; n++)
        assert_refused(good, n, CHOP_ERR(EINVAL));
    REFUSE('C', 'H', 'O', '2', 100, 0, 0, 0, 100, 0, 0, 0, 3, 2, 2, 4, 0, 0, 4);     /* another format */
    REFUSE('C', 'H', 'O', '1', 0, 0, 0, 0, 100, 0, 0, 0, 3, 0, 2, 0, 0, 0, 4);       /* no width */
    REFUSE('C', 'H', 'O', '1', 100, 0, 0, 0, 0xc1, 0xd4, 1, 0, 3, 2, 2, 4, 0, 0, 4); /* 120001 um high */
    REFUSE(HEAD, 2, 2, 2, 4, 0);                                                     /* two points */
    REFUSE(HEAD, 0);                                                                 /* no points */
    REFUSE(HEAD, 4, 2, 2, 4, 0, 0, 4);                                               /* a point is missing */
    REFUSE(HEAD, 3, 2, 2, 4, 0, 0, 4, 0);                                            /* a byte is left over */
    REFUSE(HEAD, 3, 1, 2, 4, 0, 0, 4);                                               /* left of the box */
    REFUSE(HEAD, 3, 2, 1, 4, 0, 0, 4);                                               /* above the box */
    REFUSE(HEAD, 3, 0xca, 1, 2, 4, 0, 0, 4);                                         /* right of the box: 101 */
    REFUSE(HEAD, 3, 2, 2, 4, 0, 0, 0xc8, 1);                                         /* below the box: 101 */
    REFUSE(HEAD, 0x83, 0, 2, 2, 4, 0, 0, 4);                                         /* count in a longer form */
    REFUSE(HEAD, 3, 0x82, 0, 2, 4, 0, 0, 4);                                         /* delta in a longer form */
    REFUSE(HEAD, 3, 0xfe, 0xff, 0xff, 0xff, 0x0f, 2, 4, 0, 0, 4);                    /* five bytes */
    REFUSE(HEAD, 0xff, 0xff, 0xff, 0x7f, 2, 2, 4, 0, 0, 4);                          /* more points than bytes */
    REFUSE(HEAD, 3, 2, 2, 4, 0, 0, 0x84);                                            /* ends inside a number */
}

static void too_much_is_refused(void **state) {
    (void)state;
    static uint8_t out[OUTLINE_MAX_BYTES + 64];
    struct outline_writer w;
    outline_begin(&w, out, sizeof out, (struct outline_size){ 100, 100 });
    while (w.used <= OUTLINE_MAX_BYTES)
        outline_rect(&w, 0, 0, 5, 5);
    assert_refused(out, outline_end(&w), CHOP_ERR(ELIMIT));
    outline_begin(&w, out, sizeof out, (struct outline_size){ 100000, 100000 });
    for (int i = 0; i < 501; i++)
        outline_rect(&w, 0, 0, 100000, 100000); /* 100.2 m of edges */
    assert_refused(out, outline_end(&w), CHOP_ERR(ELIMIT));
}

static void the_writer_refuses_what_does_not_fit(void **state) {
    (void)state;
    uint8_t out[64];
    struct outline_writer w;
    const struct outline_size box = { 100, 100 };
    for (size_t size = 0; size < 12 + 9; size++) {
        outline_begin(&w, out, size, box);
        outline_rect(&w, 0, 0, 5, 5);
        assert_int_equal(outline_end(&w), 0);
    }
    outline_begin(&w, out, sizeof out, box);
    assert_int_equal(outline_end(&w), 0); /* nothing drawn */
    outline_rect(&w, 0, 0, 100, 100);
    assert_int_equal(outline_end(&w), 12 + 1 + 2 + 3 + 3 + 3);
    outline_rect(&w, 0, 0, 101, 100);
    assert_int_equal(outline_end(&w), 0);
    outline_begin(&w, out, sizeof out, box);
    outline_rect(&w, -1, 0, 10, 10);
    assert_int_equal(outline_end(&w), 0);
    outline_begin(&w, out, sizeof out, (struct outline_size){ OUTLINE_MAX_UM + 1, 100 });
    outline_rect(&w, 0, 0, 10, 10);
    assert_int_equal(outline_end(&w), 0);
}

static void an_appended_outline_is_the_moved_one(void **state) {
    (void)state;
    struct made part, both, direct;
    begin(&part);
    outline_rect(&part.w, 0, 0, 200, 100);
    outline_rect(&part.w, 300, 200, 100, 100);
    struct chop_bytes p = done(&part);
    begin(&both);
    outline_rect(&both.w, 900, 900, 100, 100);
    outline_append(&both.w, p, 500, 400);
    begin(&direct);
    outline_rect(&direct.w, 900, 900, 100, 100);
    outline_rect(&direct.w, 500, 400, 200, 100);
    outline_rect(&direct.w, 800, 600, 100, 100);
    assert_true(chop_bytes_equal(done(&both), done(&direct)));
    outline_append(&both.w, p, 1100, 0);
    assert_int_equal(outline_end(&both.w), 0);
}

static bool stop_at_second(void *ctx, int32_t x, int32_t y, bool first) {
    (void)x, (void)y, (void)first;
    return ++*(int *)ctx < 2;
}

static void a_walk_stops_when_asked(void **state) {
    (void)state;
    struct made m;
    begin(&m);
    outline_rect(&m.w, 0, 0, 5, 5);
    int seen = 0;
    outline_walk(done(&m), stop_at_second, &seen);
    assert_int_equal(seen, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rectangle_is_exact),
        cmocka_unit_test(overlaps_unite_and_holes_stay_open),
        cmocka_unit_test(a_diagonal_follows_the_centres),
        cmocka_unit_test(filling_is_the_winding_of_each_centre),
        cmocka_unit_test(swaths_equal_the_whole),
        cmocka_unit_test(far_and_strange_swaths_are_blank),
        cmocka_unit_test(deep_windings_do_not_wrap_to_nothing),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(too_much_is_refused),
        cmocka_unit_test(the_writer_refuses_what_does_not_fit),
        cmocka_unit_test(an_appended_outline_is_the_moved_one),
        cmocka_unit_test(a_walk_stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
