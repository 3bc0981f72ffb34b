/* chop-draw, run as a service would run it: seals of every kind, traced pictures, the contract, printed paper; hostile
 * input is refused with exit status 2 and a reason. The program's path is the argument. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <cmocka.h>
#include <jansson.h>

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
    size_t n;
    char *err = (char *)shell_read("err", &n);
    char want[128];
    snprintf(want, sizeof want, "{\"error\":\"%s\",\"field\":\"%s\"", error, field);
    if (status != 2 || !strstr(err, want)) fail_msg("status %d: %s instead of %s", status, err, want);
    free(err);
    free(shell_read("out", &n));
    assert_int_equal(n, 0);
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

/* ---- documents ---- */
static json_t *json_of(const char *name) {
    size_t n;
    char *text = (char *)shell_read(name, &n);
    json_t *o = json_loads(text, 0, NULL);
    assert_non_null(o);
    free(text);
    return o;
}

static void assert_found(const char *name, const char *needle) {
    size_t n;
    char *text = (char *)shell_read(name, &n);
    assert_non_null(text);
    if (!strstr(text, needle)) fail_msg("%s is not in %s", needle, name);
    free(text);
}

static void the_contract_is_what_its_facts_say(void **state) {
    (void)state;
    for (int pages = 2; pages <= 5; pages++) {
        assert_int_equal(shell_run("%s contract --out contract.pdf --pages %d", draw, pages), 0);
        json_t *facts = json_of("out"), *place = json_object_get(facts, "seal_place");
        assert_int_equal(json_integer_value(json_object_get(facts, "pages")), pages);
        assert_int_equal(json_integer_value(json_object_get(place, "page")), pages);
        assert_int_equal(shell_run("pdftotext contract.pdf text"), 0);
        assert_found("text", json_string_value(json_object_get(facts, "title")));
        assert_found("text", json_string_value(json_object_get(facts, "number")));
        assert_found("text", json_string_value(json_object_get(facts, "counterparty")));
        assert_found("text", "584,000.00");
        assert_string_equal(json_string_value(json_object_get(facts, "amount")), "CNY 584000.00");
        json_decref(facts);
        assert_int_equal(shell_run("%s pdfinfo contract.pdf", draw), 0);
        json_t *info = json_of("out"), *size = json_array_get(json_object_get(info, "page_sizes_um"), 0);
        assert_int_equal(json_integer_value(json_object_get(info, "pages")), pages);
        assert_int_equal(json_integer_value(json_array_get(size, 0)), 210000);
        assert_int_equal(json_integer_value(json_array_get(size, 1)), 297000);
        json_decref(info);
    }
    assert_int_equal(shell_run("%s contract --out again.pdf --pages 5 > facts && cmp contract.pdf again.pdf", draw), 0);
}

static void what_is_no_document_is_refused(void **state) {
    (void)state;
    static const char fake[] = "%PDF-1.7\nbut nothing that follows is a document, however long it may be, to be sure\n";
    shell_write("fake.pdf", fake, sizeof fake - 1);
    assert_error(shell_run("%s pdfinfo fake.pdf", draw), "EINVAL", "fake.pdf");
    shell_write("empty.pdf", "", 0);
    assert_error(shell_run("%s pdfinfo empty.pdf", draw), "EINVAL", "empty.pdf");
    picture("picture.pdf", 20, 20, squares);
    assert_error(shell_run("%s pdfinfo picture.pdf", draw), "EINVAL", "picture.pdf");
    assert_error(shell_run("%s pdfinfo missing.pdf", draw), "EINVAL", "missing.pdf");
}

/* ---- paper ---- */
static uint32_t pixel_of(cairo_surface_t *image, int x, int y) {
    uint32_t v;
    memcpy(
        &v, cairo_image_surface_get_data(image) + y * cairo_image_surface_get_stride(image) + x * CHANNELS, sizeof v);
    return v & 0xffffff;
}

static cairo_surface_t *image_of(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", shell_folder(), name);
    cairo_surface_t *image = cairo_image_surface_create_from_png(path);
    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    return image;
}

/* A checked bitmap of 16 x 8 pixels, its left half all ink, and one that is all ink. */
static void write_layers(const char *json) {
    static const uint8_t half[] = "P4\n# a comment\n16 8\n\xff\0\xff\0\xff\0\xff\0\xff\0\xff\0\xff\0\xff";
    uint8_t full[16 + 800 / 8 * 300] = "P4 800 300\n";
    memset(full + 11, 0xff, 800 / 8 * 300);
    shell_write("half.pbm", half, sizeof half);
    shell_write("full.pbm", full, 11 + 800 / 8 * 300);
    shell_write("raster.json", json, strlen(json));
}

static void layers_land_on_their_pixels(void **state) {
    (void)state;
    write_layers(
        "{\"layers\":[{\"file\":\"half.pbm\",\"dpi\":600,\"x_um\":25400,\"y_um\":50800,\"color\":\"C8102E\"}]}");
    assert_int_equal(shell_run("%s page --dpi 600 --raster raster.json --png paper.png", draw), 0);
    cairo_surface_t *image = image_of("paper.png");
    assert_int_equal(cairo_image_surface_get_width(image), 4961);
    assert_int_equal(cairo_image_surface_get_height(image), 7016);
    for (int y = 1195; y < 1215; y++)
        for (int x = 595; x < 620; x++)
            assert_int_equal(pixel_of(image, x, y), x >= 600 && x < 608 && y >= 1200 && y < 1208 ? 0xc8102e : 0xffffff);
    cairo_surface_destroy(image);
    size_t n;
    uint8_t *png = shell_read("paper.png", &n);
    static const uint8_t phys[] = "\0\0\0\tpHYs\0\0\x5c\x46\0\0\x5c\x46\1"; /* 23622 pixels a metre */
    assert_non_null(memmem(png, 128, phys, sizeof phys - 1));
    free(png);
}

static void ink_does_not_hide_text(void **state) {
    (void)state;
    write_layers(
        "{\"layers\":[{\"file\":\"full.pbm\",\"dpi\":200,\"x_um\":50000,\"y_um\":25000,\"color\":\"C8102E\"}]}");
    assert_int_equal(shell_run("%s contract --out contract.pdf", draw), 0);
    assert_int_equal(
        shell_run("%s page --paper contract.pdf --dpi 200 --raster raster.json --png paper.png --pdf paper.pdf", draw),
        0);
    cairo_surface_t *image = image_of("paper.png");
    int dark = 0, red = 0;
    for (int y = 200; y < 490; y++)
        for (int x = 400; x < 1190; x++) {
            uint32_t p = pixel_of(image, x, y);
            assert_true(p >> 16 <= 0xc8 && (p >> 8 & 0xff) <= 0x10); /* paper shows nowhere */
            dark += p >> 16 < 0x20, red += p == 0xc8102e;
        }
    assert_true(dark > 1000);
    assert_true(red > 100000);
    cairo_surface_destroy(image);
    assert_int_equal(shell_run("pdfimages -list paper.pdf"), 0);
    assert_found("out", "stencil");
    assert_int_equal(shell_run("%s pdfinfo paper.pdf", draw), 0);
    assert_found("out", "{\"pages\":1,\"page_sizes_um\":[[210000,297000]]}");
}

/* The document that comes out looks like the one that went in: letters do not move (lettering.h). */
static void letters_stay_where_they_were(void **state) {
    (void)state;
    write_layers("{\"layers\":[]}");
    assert_int_equal(shell_run("%s contract --out contract.pdf", draw), 0);
    assert_int_equal(
        shell_run("%s page --paper contract.pdf --page 3 --dpi 150 --raster raster.json --png one.png "
                  "--pdf paper.pdf && %s page --paper paper.pdf --dpi 150 --raster raster.json --png two.png",
            draw, draw),
        0);
    cairo_surface_t *one = image_of("one.png"), *two = image_of("two.png");
    int far = 0, ink = 0;
    for (int y = 0; y < cairo_image_surface_get_height(one); y++)
        for (int x = 0; x < cairo_image_surface_get_width(one); x++) {
            int a = (int)(pixel_of(one, x, y) & 0xff), b = (int)(pixel_of(two, x, y) & 0xff);
            far += abs(a - b) > 200, ink += a < 128;
        }
    assert_true(ink > 5000);
    assert_true(far < 50); /* rims differ a little; a letter that moved differs in a thousand pixels */
    cairo_surface_destroy(one);
    cairo_surface_destroy(two);
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
#ifndef __SANITIZE_ADDRESS__
    assert_int_equal(strtol(strstr(limits, "Max address space") + 25, NULL, 10), 1L << 30);
#endif
    free(limits);
}

static void bad_layers_are_refused(void **state) {
    (void)state;
#define LAYER(file, dpi, color)                                                                                        \
    "{\"layers\":[{\"file\":\"" file "\",\"dpi\":" dpi ",\"x_um\":0,\"y_um\":0,\"color\":\"" color "\"}]}"
    static const struct {
        const char *json, *field;
    } cases[] = {
        { "{}", "layers" },
        { LAYER("half.pbm", "0", "000000"), "dpi" },
        { LAYER("half.pbm", "600", "red"), "color" },
        { LAYER("raster.json", "600", "000000"), "raster.json" },
        { LAYER("short.pbm", "600", "000000"), "short.pbm" },
        { LAYER("long.pbm", "600", "000000"), "long.pbm" },
        { LAYER("missing.pbm", "600", "000000"), "missing.pbm" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_layers(cases[i].json);
        shell_write("short.pbm", "P4\n16 8\n123456789012345", 23);
        shell_write("long.pbm", "P4\n16 8\n12345678901234567", 25);
        assert_error(shell_run("%s page --raster raster.json --png paper.png", draw), "EINVAL", cases[i].field);
    }
    write_layers("{\"layers\":[]}");
    assert_int_equal(shell_run("%s contract --out contract.pdf", draw), 0);
    assert_error(
        shell_run("%s page --paper contract.pdf --page 4 --raster raster.json --png p.png", draw), "EINVAL", "--page");
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
        cmocka_unit_test(the_contract_is_what_its_facts_say),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(layers_land_on_their_pixels),
        cmocka_unit_test(ink_does_not_hide_text),
        cmocka_unit_test(letters_stay_where_they_were),
        cmocka_unit_test(strangers_are_read_behind_fences),
        cmocka_unit_test(bad_layers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
