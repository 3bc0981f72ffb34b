/* chop-draw, run as a service would run it: seals of every kind, traced pictures; hostile input is refused with exit
 * status 2 and a reason. The program's path is the argument. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <cmocka.h>

#include "outline.h"
#include "shell.h"

static const char *draw;

/* ---- seals ---- */
struct seal {
    uint8_t *bytes;
    size_t n;
    struct outline_size size;
};

static struct seal seal_of(const char *json) {
    shell_write("seal.json", json, strlen(json));
    if (shell_run("%s seal < seal.json", draw) != 0) {
        size_t n;
        fail_msg("%s: %s", json, (char *)shell_read("err", &n));
    }
    struct seal s;
    s.bytes = shell_read("out", &s.n);
    assert_null(outline_check(CHOP_BYTES(s.bytes, s.n), &s.size));
    return s;
}

struct ink {
    int32_t width, height;
    int16_t *winding; /* summed up: how often each pixel is inside; its sign too */
};

static struct ink ink_of(const struct seal *s, uint32_t dpi) {
    struct ink k = { (int32_t)(s->size.width_um * dpi / 25400), (int32_t)(s->size.height_um * dpi / 25400), NULL };
    size_t cells = (size_t)(k.width + 1) * (size_t)k.height;
    uint8_t *bits = malloc((size_t)(k.width + 7) / 8 * (size_t)k.height);
    k.winding = malloc(cells * sizeof *k.winding);
    assert_true(bits && k.winding);
    outline_raster(CHOP_BYTES(s->bytes, s->n), 0, 0,
        &(struct outline_raster){ dpi, 0, 0, (uint32_t)k.width, (uint32_t)k.height, k.winding, bits });
    for (size_t i = 0; i < cells; i++)
        if (i % (size_t)(k.width + 1)) k.winding[i] = (int16_t)(k.winding[i] + k.winding[i - 1]);
    free(bits);
    return k;
}

static int16_t winding_at(const struct ink *k, int32_t x, int32_t y) {
    return k->winding[y * (k->width + 1) + x];
}

static double ink_share(const struct ink *k) {
    int64_t sum = 0;
    for (int32_t i = 0; i < k->width * k->height; i++)
        sum += winding_at(k, i % k->width, i / k->width) != 0;
    return (double)sum / k->width / k->height;
}

#define NAME "示例科技有限公司"
#define FORTY "中华人民共和国国际贸易促进发展研究开发建设投资咨询服务股份有限责任公司北京分公司"

static void every_kind_and_shape_prints(void **state) {
    (void)state;
    static const char *const kinds[] = { "official", "contract", "finance", "invoice", "legal_rep" };
    static const char *const shapes[] = { "round\",\"height_um\":30000,\"width_um\":30000,\"code\":\"1101050012345",
        "ellipse\",\"tax_number\":\"91110105MA01ABCD2X", "square" };
    for (size_t i = 0; i < 15; i++) {
        char json[512];
        snprintf(json, sizeof json, "{\"kind\":\"%s\",\"ring_text\":\"" NAME "\",\"shape\":\"%s\"}", kinds[i / 3],
            shapes[i % 3]);
        struct seal s = seal_of(json);
        struct ink k = ink_of(&s, 300);
        assert_true(s.n > 1000 && s.n < 60000);
        assert_true(ink_share(&k) > 0.05 && ink_share(&k) < 0.6);
        free(k.winding);
        free(s.bytes);
    }
}

static void kinds_have_their_usual_sizes(void **state) {
    (void)state;
    static const struct {
        const char *json;
        uint32_t width, height;
    } cases[] = {
        { "{\"kind\":\"official\",\"ring_text\":\"" NAME "\"}", 40000, 40000 },
        { "{\"kind\":\"contract\",\"ring_text\":\"" NAME "\"}", 38000, 38000 },
        { "{\"kind\":\"invoice\",\"ring_text\":\"" NAME "\",\"tax_number\":\"91110105MA01ABCD2X\"}", 40000, 30000 },
        { "{\"kind\":\"legal_rep\",\"ring_text\":\"张三\"}", 20000, 20000 },
        { "{\"kind\":\"official\",\"ring_text\":\"" NAME "\",\"width_um\":42000,\"edge_um\":1200}", 42000, 42000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct seal s = seal_of(cases[i].json);
        assert_int_equal(s.size.width_um, cases[i].width);
        assert_int_equal(s.size.height_um, cases[i].height);
        free(s.bytes);
    }
}

static void the_same_seal_is_the_same_bytes(void **state) {
    (void)state;
    static const char json[] = "{\"kind\":\"official\",\"ring_text\":\"" NAME "\",\"code\":\"1101050012345\"}";
    struct seal a = seal_of(json), b = seal_of(json);
    assert_true(chop_bytes_equal(CHOP_BYTES(a.bytes, a.n), CHOP_BYTES(b.bytes, b.n)));
    struct seal c = seal_of("{\"kind\":\"official\",\"ring_text\":\"" NAME "\",\"code\":\"1101050012346\"}");
    assert_false(chop_bytes_equal(CHOP_BYTES(a.bytes, a.n), CHOP_BYTES(c.bytes, c.n)));
    free(a.bytes), free(b.bytes), free(c.bytes);
}

/* A clear ring between edge and letters, a clear disc within them, and no hole where shapes would cancel out. */
static void assert_sound(const char *json) {
    struct seal s = seal_of(json);
    struct ink k = ink_of(&s, 600);
    double r = s.size.width_um / 2.0;
    for (int i = 0; i < 3600; i++) {
        double angle = i * M_PI / 1800, at = r - 1000 - 250;
        int32_t x = (int32_t)((r + at * sin(angle)) * 600 / 25400), y = (int32_t)((r - at * cos(angle)) * 600 / 25400);
        assert_int_equal(winding_at(&k, x, y), 0);
    }
    for (int32_t i = 0; i < k.width * k.height; i++)
        assert_true(winding_at(&k, i % k.width, i / k.width) >= 0);
    free(k.winding);
    free(s.bytes);
}

static void short_and_long_names_fit(void **state) {
    (void)state;
    assert_sound("{\"kind\":\"official\",\"ring_text\":\"示例公司\",\"code\":\"1101050012345\"}");
    assert_sound("{\"kind\":\"official\",\"ring_text\":\"" NAME "\"}");
    assert_sound("{\"kind\":\"contract\",\"ring_text\":\"" FORTY "\",\"code\":\"1101050012345\"}");
}

static void a_sample_says_so(void **state) {
    (void)state;
    struct seal real = seal_of("{\"kind\":\"official\",\"ring_text\":\"" NAME "\"}");
    struct seal shown = seal_of("{\"kind\":\"official\",\"ring_text\":\"" NAME "\",\"sample\":true}");
    struct ink a = ink_of(&real, 300), b = ink_of(&shown, 300);
    int star = 0, cleared = 0, words = 0;
    for (int i = -1000; i < 1000; i++) { /* along the band: its middle carries words, its rim nothing but paper */
        double u = i * 12.0, c = cos(18 * M_PI / 180), d = sin(18 * M_PI / 180), v = 3300;
        int32_t x = (int32_t)((20000 + u * c + v * d) * 300 / 25400),
                y = (int32_t)((20000 - u * d + v * c) * 300 / 25400);
        star += winding_at(&a, x, y) > 0, cleared += winding_at(&b, x, y) > 0;
        x = (int32_t)((20000 + u * c) * 300 / 25400), y = (int32_t)((20000 - u * d) * 300 / 25400);
        words += winding_at(&b, x, y) > 0 && winding_at(&a, x, y) == 0;
    }
    assert_true(star > 100);
    assert_int_equal(cleared, 0);
    assert_true(words > 100);
    free(a.winding), free(b.winding), free(real.bytes), free(shown.bytes);
}

/* ---- refusals ---- */
static void assert_error(int status, const char *error, const char *field) {
    assert_true(shell_refused(status, error, field));
}

static void bad_seals_are_refused(void **state) {
    (void)state;
#define SEAL(more) "{\"kind\":\"official\",\"ring_text\":\"" NAME "\"," more "}"
    static const struct {
        const char *json, *error, *field;
    } cases[] = {
        { "", "EINVAL", "" },
        { "[]", "EINVAL", "" },
        { "{\"kind\":\"official\",\"kind\":\"finance\",\"ring_text\":\"" NAME "\"}", "EINVAL", "" },
        { "{\"ring_text\":\"" NAME "\"}", "EINVAL", "kind" },
        { "{\"kind\":\"royal\",\"ring_text\":\"" NAME "\"}", "EINVAL", "kind" },
        { "{\"kind\":\"official\"}", "EINVAL", "ring_text" },
        { "{\"kind\":\"official\",\"ring_text\":\"公\"}", "EINVAL", "ring_text" },
        { "{\"kind\":\"official\",\"ring_text\":\"" FORTY "司\"}", "EINVAL", "ring_text" },
        { "{\"kind\":\"official\",\"ring_text\":\"" FORTY FORTY "\"}", "ELIMIT", "ring_text" },
        { "{\"kind\":\"official\",\"ring_text\":\"一\\n二\"}", "EINVAL", "ring_text" },
        { "{\"kind\":\"official\",\"ring_text\":\"\xf0\x92\x80\x80\xf0\x92\x80\x81\"}", "EINVAL",
            "" }, /* no such letter */
        { "{\"kind\":\"official\",\"ring_text\":7}", "EINVAL", "ring_text" },
        { SEAL("\"shape\":\"star\""), "EINVAL", "shape" },
        { SEAL("\"width_um\":7999"), "EINVAL", "width_um" },
        { SEAL("\"width_um\":80001"), "EINVAL", "width_um" },
        { SEAL("\"width_um\":40000.5"), "EINVAL", "width_um" },
        { SEAL("\"height_um\":30000"), "EINVAL", "height_um" },
        { SEAL("\"edge_um\":0"), "EINVAL", "edge_um" },
        { SEAL("\"star\":1"), "EINVAL", "star" },
        { SEAL("\"code\":\"12\""), "EINVAL", "code" },
        { SEAL("\"code\":\"11010500123A5\""), "EINVAL", "code" },
        { SEAL("\"tax_number\":\"short\""), "EINVAL", "tax_number" },
        { SEAL("\"sampel\":true"), "EINVAL", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        shell_write("seal.json", cases[i].json, strlen(cases[i].json));
        assert_error(shell_run("%s seal < seal.json", draw), cases[i].error, cases[i].field);
    }
}

/* ---- pictures ---- */
static void a_preview_traces_back(void **state) {
    (void)state;
    struct seal s = seal_of("{\"kind\":\"contract\",\"ring_text\":\"" NAME "\",\"code\":\"1101050012345\"}");
    shell_write("seal", s.bytes, s.n);
    assert_int_equal(shell_run("%s png --dpi 300 < seal > one.png", draw), 0);
    assert_int_equal(shell_run("%s trace --width-um 38000 --height-um 38000 < one.png > traced", draw), 0);
    assert_int_equal(shell_run("%s png --dpi 300 < traced > two.png", draw), 0);
    assert_int_equal(shell_run("cmp one.png two.png"), 0);
    free(s.bytes);
}

enum { CHANNELS = 4 };
static void paint(uint8_t *p, uint8_t alpha, uint8_t red, uint8_t green, uint8_t blue) {
    uint32_t argb = (uint32_t)alpha << 24 | (uint32_t)red << 16 | (uint32_t)green << 8 | blue;
    memcpy(p, &argb, sizeof argb);
}

typedef void (*painter)(uint8_t *pixel, int x, int y);
static void picture(const char *name, int width, int height, painter fn) {
    char path[128];
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, width, height);
    int stride = cairo_image_surface_get_stride(image);
    uint8_t *data = cairo_image_surface_get_data(image);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            fn(data + y * stride + x * CHANNELS, x, y);
    cairo_surface_mark_dirty(image);
    snprintf(path, sizeof path, "%s/%s", shell_folder(), name);
    assert_int_equal(cairo_surface_write_to_png(image, path), CAIRO_STATUS_SUCCESS);
    cairo_surface_destroy(image);
}

static void squares(uint8_t *p, int x, int y) { /* black, red, pale, transparent black, half-transparent black */
    static const uint8_t colors[5][4] = { { 255, 0, 0, 0 }, { 255, 220, 20, 30 }, { 255, 230, 225, 200 },
        { 0, 0, 0, 0 }, { 100, 0, 0, 0 } };
    const uint8_t *c = colors[x / 10 % 5];
    bool inside = x % 10 >= 2 && x % 10 < 8 && y >= 2 && y < 8;
    paint(p, inside ? c[0] : 255, inside ? c[1] : 255, inside ? c[2] : 255, inside ? c[3] : 255);
}

static void black_and_red_are_ink(void **state) {
    (void)state;
    picture("squares.png", 50, 10, squares);
    assert_int_equal(shell_run("%s trace --width-um 50000 --height-um 10000 < squares.png", draw), 0);
    struct seal s;
    s.bytes = shell_read("out", &s.n);
    uint8_t want[64];
    struct outline_writer w;
    outline_begin(&w, want, sizeof want, (struct outline_size){ 50000, 10000 });
    outline_rect(&w, 2000, 2000, 6000, 6000);
    outline_rect(&w, 12000, 2000, 6000, 6000);
    assert_int_equal(s.n, outline_end(&w));
    assert_memory_equal(s.bytes, want, s.n);
    free(s.bytes);
}

static void blank(uint8_t *p, int x, int y) {
    (void)x, (void)y;
    paint(p, 0, 0, 0, 0);
}

static void noise(uint8_t *p, int x, int y) {
    uint32_t h = (uint32_t)x * 2654435761u ^ (uint32_t)y * 2246822519u;
    h = (h ^ h >> 15) * 2654435761u;
    uint8_t v = h >> 31 ? 255 : 0;
    paint(p, 255, v, v, v);
}

static void assert_trace_refused(const char *name, const char *error) {
    assert_error(shell_run("%s trace --width-um 40000 --height-um 40000 < %s", draw, name), error, "png");
}

static void hostile_pictures_are_refused(void **state) {
    (void)state;
    picture("blank.png", 20, 20, blank);
    assert_trace_refused("blank.png", "EINVAL");
    picture("noise.png", 1500, 1500, noise);
    assert_trace_refused("noise.png", "ELIMIT");
    picture("good.png", 50, 10, squares);
    size_t n;
    uint8_t *png = shell_read("good.png", &n);
    shell_write("bad.png", png, n / 2);
    assert_trace_refused("bad.png", "EINVAL");
    shell_write("bad.png", "", 0);
    assert_trace_refused("bad.png", "EINVAL");
    shell_write("bad.png", "GIF89a, say, and then a good deal more than that", 48);
    assert_trace_refused("bad.png", "EINVAL");
    for (size_t side = 16; side <= 20; side += 4) {
        uint8_t *big = malloc(n);
        assert_non_null(big);
        memcpy(big, png, n);
        big[side] = 0, big[side + 1] = 0, big[side + 2] = 4001 >> 8, big[side + 3] = 4001 & 0xff;
        shell_write("bad.png", big, n);
        assert_trace_refused("bad.png", "ELIMIT");
        memset(big + side, 0xff, 4);
        shell_write("bad.png", big, n);
        assert_trace_refused("bad.png", "ELIMIT");
        memset(big + side, 0, 4);
        shell_write("bad.png", big, n);
        assert_trace_refused("bad.png", "ELIMIT");
        free(big);
    }
    png[n / 2] ^= 0x55; /* a checksum fails */
    shell_write("bad.png", png, n);
    assert_trace_refused("bad.png", "EINVAL");
    free(png);
}

static void a_traced_outline_is_never_a_stranger(void **state) {
    (void)state;
    shell_write("bad", "CHO1 and no more", 16);
    assert_error(shell_run("%s png < bad", draw), "EINVAL", "outline");
    assert_int_equal(shell_run("%s", draw), 1);
    assert_int_equal(shell_run("%s seal --shape round < /dev/null", draw), 2);
}

/* While it waits for a stranger's bytes, the process could neither open a file nor eat the machine. */
static void strangers_are_read_behind_fences(void **state) {
    (void)state;
    assert_int_equal(shell_run("mkfifo fifo; %s trace --width-um 9000 --height-um 9000 < fifo & p=$!; exec 3> fifo; "
                               "sleep 0.5; cat /proc/$p/limits > limits; exec 3>&-; wait $p",
                         draw),
        2);
    size_t n;
    char *limits = (char *)shell_read("limits", &n);
    assert_non_null(limits);
    static const char *const wanted[] = { "Max open files", "Max cpu time", "Max core file size" };
    static const long values[] = { 0, 20, 0 };
    for (size_t i = 0; i < 3; i++) {
        const char *line = strstr(limits, wanted[i]);
        assert_non_null(line);
        assert_int_equal(strtol(line + 25, NULL, 10), values[i]);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_int_equal(strtol(strstr(limits, "Max address space") + 25, NULL, 10), 1L << 30);
#endif
    free(limits);
}

static void signatures_are_drawn(void **state) {
    (void)state;
    static const char *const names[] = { "张三", "欧阳小明", "Zhang San" };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(shell_run("%s signature --text '%s'", draw, names[i]), 0);
        struct seal s;
        s.bytes = shell_read("out", &s.n);
        assert_null(outline_check(CHOP_BYTES(s.bytes, s.n), &s.size));
        assert_int_equal(s.size.height_um, 12000);
        free(s.bytes);
    }
    assert_error(shell_run("%s signature", draw), "EINVAL", "--text");
}

int main(int argc, char **argv) {
    if (argc < 2) return 1;
    draw = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_and_shape_prints),
        cmocka_unit_test(kinds_have_their_usual_sizes),
        cmocka_unit_test(the_same_seal_is_the_same_bytes),
        cmocka_unit_test(short_and_long_names_fit),
        cmocka_unit_test(a_sample_says_so),
        cmocka_unit_test(bad_seals_are_refused),
        cmocka_unit_test(a_preview_traces_back),
        cmocka_unit_test(black_and_red_are_ink),
        cmocka_unit_test(hostile_pictures_are_refused),
        cmocka_unit_test(a_traced_outline_is_never_a_stranger),
        cmocka_unit_test(signatures_are_drawn),
        cmocka_unit_test(strangers_are_read_behind_fences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
