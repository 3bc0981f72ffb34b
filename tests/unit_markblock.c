/* markblock: what is printed is what two decoders read, on whole dots, with quiet zones; what cannot be printed is
 * refused. The second decoder's path is the argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "markblock.h"
#include "shell.h"

static const char *second_decoder;

static const struct markblock sample = {
    .url = "HTTPS://VERIFY.CHOP.CN:8443/V/7K3M9QZX42TWHJ8N",
    .token = "7K3M-9QZX-42TW-HJ8N-C",
    .serial = "1234567890123456",
    .cipher = "98765432",
    .lines = { "2026-11-23 14:05", "SEAL 1101050012345", "1/3" },
};

struct made {
    uint8_t out[MARKBLOCK_MAX_BYTES];
    struct chop_bytes bytes;
    struct markblock_layout layout;
};

static void make(const struct markblock *in, struct made *m) {
    size_t n;
    assert_null(markblock_make(in, m->out, sizeof m->out, &n, &m->layout));
    m->bytes = CHOP_BYTES(m->out, n);
    struct outline_size size;
    assert_null(outline_check(m->bytes, &size));
    assert_int_equal(size.width_um, m->layout.size.width_um);
    assert_int_equal(size.height_um, m->layout.size.height_um);
}

/* ---- pictures ---- */
struct picture {
    uint32_t width, height;
    uint8_t *pixels; /* 0 ink, 255 paper */
};

static int32_t px(int64_t um, uint32_t dpi) {
    return (int32_t)((um * dpi + 12700) / 25400);
}

/* The area and `quiet_um` around it. */
static struct picture picture_of(const struct made *m, struct markblock_area a, int32_t quiet_um, uint32_t dpi) {
    int32_t x0 = px(a.x_um - quiet_um, dpi), y0 = px(a.y_um - quiet_um, dpi);
    struct outline_raster r = { .dpi = dpi, .x0_px = x0, .y0_px = y0 };
    r.width_px = (uint32_t)(px(a.x_um + a.width_um + quiet_um, dpi) - x0);
    r.rows_px = (uint32_t)(px(a.y_um + a.height_um + quiet_um, dpi) - y0);
    size_t stride = (r.width_px + 7) / 8;
    r.winding = malloc((r.width_px + 1) * r.rows_px * sizeof *r.winding);
    r.bits = malloc(stride * r.rows_px);
    struct picture p = { r.width_px, r.rows_px, malloc((size_t)r.width_px * r.rows_px) };
    assert_true(r.winding && r.bits && p.pixels);
    outline_raster(m->bytes, 0, 0, &r);
    for (size_t y = 0; y < p.height; y++)
        for (size_t x = 0; x < p.width; x++)
            p.pixels[y * p.width + x] = r.bits[y * stride + x / 8] & 0x80 >> x % 8 ? 0 : 255;
    free(r.winding);
    free(r.bits);
    return p;
}

static void write_pgm(const struct picture *p) {
    size_t size = 32 + (size_t)p->width * p->height;
    uint8_t *file = malloc(size);
    assert_non_null(file);
    size_t head = (size_t)snprintf((char *)file, 32, "P5\n%u %u\n255\n", p->width, p->height);
    memcpy(file + head, p->pixels, (size_t)p->width * p->height);
    shell_write("mark.pgm", file, head + (size_t)p->width * p->height);
    free(file);
}

/* ---- decoders ---- */
static void assert_zbar_reads(const char *symbology, struct chop_bytes want) {
    assert_int_equal(shell_run("zbarimg -q --raw --oneshot -Sdisable -S%s.enable -Sbinary mark.pgm", symbology), 0);
    size_t n;
    uint8_t *got = shell_read("out", &n);
    assert_int_equal(n, want.n);
    assert_memory_equal(got, want.p, n);
    free(got);
}

static void assert_zxing_reads(const char *format, struct chop_bytes want) {
    if (!second_decoder) return;
    char expected[1024];
    int head = snprintf(expected, sizeof expected, "%s ", format);
    chop_hex(want.p, want.n, expected + head);
    assert_int_equal(shell_run("%s mark.pgm", second_decoder), 0);
    size_t n;
    char *got = (char *)shell_read("out", &n);
    got[strcspn(got, "\n")] = 0;
    assert_string_equal(got, expected);
    free(got);
}

static void assert_code_reads(
    const struct made *m, struct markblock_area a, int32_t quiet_um, const char *names[2], struct chop_bytes want) {
    static const uint32_t resolutions[] = { 300, 600 };
    for (size_t i = 0; i < 2; i++) {
        struct picture p = picture_of(m, a, quiet_um, resolutions[i]);
        write_pgm(&p);
        assert_zbar_reads(names[0], want);
        assert_zxing_reads(names[1], want);
        free(p.pixels);
    }
}

static const char *qr_names[2] = { "qrcode", "QRCode Q" };
static const char *signed_names[2] = { "qrcode", "QRCode M" };
static const char *bar_names[2] = { "code128", "Code128 -" };

static void the_qr_reads(void **state) {
    (void)state;
    static const char *const urls[] = { "HTTPS://A.CN/V/0000000000000000",
        "HTTPS://VERIFY.CHOP.CN:8443/V/7K3M9QZX42TWHJ8N", "HTTPS://192.168.100.100:8443/V/ZZZZZZZZZZZZZZZZ" };
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
        struct markblock in = sample;
        struct made m;
        in.url = urls[i];
        make(&in, &m);
        assert_code_reads(&m, m.layout.qr, 4 * 339, qr_names, chop_str(urls[i]));
    }
}

static void the_bars_read(void **state) {
    (void)state;
    static const char *const serials[] = { "0000000000000000", "1234567890123456", "9999999999999999" };
    for (size_t i = 0; i < sizeof serials / sizeof *serials; i++) {
        struct markblock in = sample;
        struct made m;
        char want[25];
        in.serial = serials[i];
        make(&in, &m);
        snprintf(want, sizeof want, "%s%s", in.serial, in.cipher);
        assert_code_reads(&m, m.layout.bars, 2540, bar_names, chop_str(want));
    }
}

static void all_codes_read_from_the_whole_block(void **state) {
    (void)state;
    struct made m;
    make(&sample, &m);
    const struct markblock_area all = { 0, 0, (int32_t)m.layout.size.width_um, (int32_t)m.layout.size.height_um };
    struct picture p = picture_of(&m, all, 3000, 600);
    write_pgm(&p);
    assert_zbar_reads("qrcode", chop_str(sample.url));
    assert_zbar_reads("code128", chop_str("123456789012345698765432"));
    free(p.pixels);
}

static void the_signed_qr_reads(void **state) {
    (void)state;
    static const struct {
        size_t n;
        int version;
    } cases[] = { { 1, 6 }, { 106, 6 }, { 107, 7 }, { 134, 8 }, { 180, 9 }, { MARKBLOCK_SIGNED_LEN, 10 } };
    uint8_t data[MARKBLOCK_SIGNED_LEN];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 37 + 128); /* zeros and high bytes among them */
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct markblock in = sample;
        struct made m;
        in.signed_qr = CHOP_BYTES(data, cases[i].n);
        make(&in, &m);
        assert_int_equal(m.layout.signed_version, cases[i].version);
        assert_code_reads(&m, m.layout.signed_qr, 4 * 254, signed_names, in.signed_qr);
    }
}

/* ---- geometry ---- */
static void dots_are_whole_at_both_resolutions(void **state) {
    (void)state;
    struct made m;
    make(&sample, &m);
    const struct markblock_area areas[] = { m.layout.qr, m.layout.bars };
    for (size_t a = 0; a < 2; a++) {
        struct picture coarse = picture_of(&m, areas[a], 0, 300), fine = picture_of(&m, areas[a], 0, 600);
        assert_int_equal(fine.width, 2 * coarse.width);
        assert_int_equal(fine.height, 2 * coarse.height);
        for (size_t i = 0; i < (size_t)fine.width * fine.height; i++) {
            size_t x = i % fine.width, y = i / fine.width;
            assert_int_equal(fine.pixels[i], coarse.pixels[y / 2 * coarse.width + x / 2]);
        }
        free(coarse.pixels);
        free(fine.pixels);
    }
    assert_int_equal(m.layout.qr.width_um, 9821); /* 29 modules of 4/300 inch */
    assert_int_equal(m.layout.bars.width_um, 42418);
    assert_true(m.layout.bars.height_um >= 8000);
}

/* Nothing but paper where a code's quiet zone lies. */
static void assert_quiet(const struct made *m, struct markblock_area a, int32_t around_x, int32_t around_y) {
    assert_true(a.x_um >= around_x && a.y_um >= around_y);
    assert_true(a.x_um + a.width_um + around_x <= (int32_t)m->layout.size.width_um);
    assert_true(a.y_um + a.height_um + around_y <= (int32_t)m->layout.size.height_um);
    const struct markblock_area wide = { a.x_um - around_x, a.y_um - around_y, a.width_um + 2 * around_x,
        a.height_um + 2 * around_y };
    struct picture p = picture_of(m, wide, 0, 600);
    int32_t left = px(a.x_um, 600) - px(wide.x_um, 600), top = px(a.y_um, 600) - px(wide.y_um, 600);
    int32_t width = px(a.x_um + a.width_um, 600) - px(a.x_um, 600),
            height = px(a.y_um + a.height_um, 600) - px(a.y_um, 600);
    for (int32_t i = 0; i < (int32_t)(p.width * p.height); i++) {
        int32_t x = i % (int32_t)p.width, y = i / (int32_t)p.width;
        bool inside = x >= left && x < left + width && y >= top && y < top + height;
        if (!inside) assert_int_equal(p.pixels[i], 255);
    }
    free(p.pixels);
}

static void quiet_zones_are_quiet(void **state) {
    (void)state;
    uint8_t data[134] = { 1 };
    struct markblock in = sample;
    struct made m;
    in.signed_qr = CHOP_BYTES(data, sizeof data);
    in.lines[1] = in.lines[2] = "MMMMMMMMMMMMMMMMMMMMMMMMMMM";
    make(&in, &m);
    assert_quiet(&m, m.layout.qr, 4 * 338, 4 * 338);
    assert_quiet(&m, m.layout.bars, 10 * 254 - 1, 0);
    assert_quiet(&m, m.layout.signed_qr, 4 * 254 - 1, 4 * 254 - 1);
}

static void the_same_marks_are_the_same_bytes(void **state) {
    (void)state;
    struct made a, b;
    make(&sample, &a);
    make(&sample, &b);
    assert_true(chop_bytes_equal(a.bytes, b.bytes));
    struct markblock in = sample;
    in.cipher = "98765433";
    make(&in, &b);
    assert_false(chop_bytes_equal(a.bytes, b.bytes));
}

/* ---- refusals ---- */
static void assert_refused(const struct markblock *in, chop_err want, const char *field) {
    struct made m = { .layout.signed_version = 77 };
    size_t n = 77;
    assert_ptr_equal(markblock_make(in, m.out, sizeof m.out, &n, &m.layout), want);
    if (field) assert_string_equal(chop_detail_field(), field);
    assert_int_equal(n, 77);
    assert_int_equal(m.layout.signed_version, 77);
}

#define REFUSED(member, value, error, field)                                                                           \
    do {                                                                                                               \
        struct markblock in_ = sample;                                                                                 \
        in_.member = value;                                                                                            \
        assert_refused(&in_, CHOP_ERR(error), field);                                                                  \
    } while (0)

static void what_cannot_be_printed_is_refused(void **state) {
    (void)state;
    static const uint8_t data[MARKBLOCK_SIGNED_LEN + 1];
    REFUSED(url, "HTTPS://VERIFY.EXAMPLE.CN:8443/V/7K3M9QZX42TWHJ8N", ELIMIT, "url"); /* a host of 22 characters */
    REFUSED(url, "https://VERIFY.CHOP.CN/V/7K3M9QZX42TWHJ8N", EINVAL, "url");
    REFUSED(url, "", EINVAL, "url");
    REFUSED(token, "7K3M-9QZX-42TW-HJ8N", EINVAL, "token");
    REFUSED(token, "7k3m-9QZX-42TW-HJ8N-C", EINVAL, "token");
    REFUSED(serial, "123456789012345", EINVAL, "serial");
    REFUSED(serial, "12345678901234567", EINVAL, "serial");
    REFUSED(serial, "123456789012345X", EINVAL, "serial");
    REFUSED(cipher, "9876543", EINVAL, "cipher");
    REFUSED(cipher, "9876 432", EINVAL, "cipher");
    REFUSED(lines[0], "2026-11-23 14:05 AND MUCH MORE", ELIMIT, "lines");
    REFUSED(lines[2], "lower case", EINVAL, "lines");
    REFUSED(lines[1], "公章", EINVAL, "lines");
    REFUSED(signed_qr, CHOP_BYTES(data, sizeof data), ELIMIT, "signed_qr");
}

static void a_small_buffer_is_refused(void **state) {
    (void)state;
    struct made whole, m;
    make(&sample, &whole);
    size_t n = 77;
    assert_ptr_equal(markblock_make(&sample, m.out, whole.bytes.n - 1, &n, &m.layout), CHOP_ERR(ELIMIT));
    assert_int_equal(n, 77);
    assert_null(markblock_make(&sample, m.out, whole.bytes.n, &n, &m.layout));
}

int main(int argc, char **argv) {
    second_decoder = argc > 1 ? argv[1] : NULL;
    if (!second_decoder) fprintf(stderr, "one decoder only\n");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_qr_reads),
        cmocka_unit_test(the_bars_read),
        cmocka_unit_test(all_codes_read_from_the_whole_block),
        cmocka_unit_test(the_signed_qr_reads),
        cmocka_unit_test(dots_are_whole_at_both_resolutions),
        cmocka_unit_test(quiet_zones_are_quiet),
        cmocka_unit_test(the_same_marks_are_the_same_bytes),
        cmocka_unit_test(what_cannot_be_printed_is_refused),
        cmocka_unit_test(a_small_buffer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
