/* chop-draw's documents and paper: the demo's contract, what is a PDF and what is not, bitmaps put on pages. The
 * program's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cairo.h>
#include <cmocka.h>
#include <jansson.h>

#include "shell.h"

static const char *draw;

static void assert_error(int status, const char *error, const char *field) {
    assert_true(shell_refused(status, error, field));
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
    static const uint8_t picture[64] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
    shell_write("picture.pdf", picture, sizeof picture);
    assert_error(shell_run("%s pdfinfo picture.pdf", draw), "EINVAL", "picture.pdf");
    assert_error(shell_run("%s pdfinfo missing.pdf", draw), "EINVAL", "missing.pdf");
}

/* ---- paper ---- */
static uint32_t pixel_of(cairo_surface_t *image, int x, int y) {
    uint32_t v;
    memcpy(&v, cairo_image_surface_get_data(image) + y * cairo_image_surface_get_stride(image) + x * 4, sizeof v);
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
        cmocka_unit_test(the_contract_is_what_its_facts_say),
        cmocka_unit_test(what_is_no_document_is_refused),
        cmocka_unit_test(layers_land_on_their_pixels),
        cmocka_unit_test(ink_does_not_hide_text),
        cmocka_unit_test(letters_stay_where_they_were),
        cmocka_unit_test(bad_layers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
