/* The page driver puts an impression onto a page whose marks read back: QR and bar code, from picture and document. */
#include "markblock.h"
#include "marks.h"
#include "output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/chop-page-XXXXXX";
static uint8_t marks[MARKBLOCK_MAX_BYTES], seal[OUTLINE_MAX_BYTES];
static char token[MARKS_TOKEN_LEN + 1], serial[MARKS_SERIAL_LEN + 1], cipher[MARKS_CIPHER_LEN + 1];

static const char *run(const char *format, ...) CHOP_PRINTF(1, 2);
static const char *run(const char *format, ...) {
    static char out[4096];
    char text[1024];
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    FILE *f = popen(text, "r");
    size_t n = fread(out, 1, sizeof out - 1, f);
    out[n] = 0;
    (void)pclose(f);
    return out;
}

static struct printer_page make_page(uint8_t seed) {
    char text[MARKS_TOKEN_TEXT_LEN + 1], url[64];
    uint8_t bits[10] = { seed, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, hmac[32] = { seed };
    size_t n = 0;
    struct markblock_layout layout;
    marks_token_make(bits, token);
    marks_token_text(token, text);
    marks_serial_make(123456789012345 + seed, serial);
    marks_cipher_make(hmac, serial, cipher);
    (void)snprintf(url, sizeof url, "HTTPS://LOCALHOST:8443/V/%s", token);
    struct markblock m = { .url = url, .token = text, .serial = serial, .cipher = cipher };
    assert_null(markblock_make(&m, marks, sizeof marks, &n, &layout));
    struct outline_writer w;
    outline_begin(&w, seal, sizeof seal, (struct outline_size){ 40000, 40000 });
    outline_rect(&w, 0, 0, 40000, 1000);
    outline_rect(&w, 0, 39000, 40000, 1000);
    return (struct printer_page){ .job_id = "job_1",
        .allotment_id = "alt_1",
        .number = seed,
        .token = token,
        .serial = serial,
        .cipher = cipher,
        .marks = CHOP_BYTES(marks, n),
        .artwork = CHOP_BYTES(seal, outline_end(&w)),
        .page = 1 };
}

static void expect_marks(const char *file) {
    const char *read = run("zbarimg -q --raw %s/%s 2>/dev/null", dir, file);
    char digits[32];
    (void)snprintf(digits, sizeof digits, "%s%s\n", serial, cipher);
    if (!strstr(read, token) || !strstr(read, digits)) fail_msg("%s reads as: %s", file, read);
}

static void print_at(uint8_t seed, uint32_t x_um, const char *paper) {
    struct output *o;
    assert_null(output_new(
        &(struct output_options){
            .kind = "page", .out = dir, .draw = DRAW_BIN, .paper = paper, .dpi = 600, .paper_width_um = 210000 },
        &o));
    struct printer_output out = output_of(o);
    struct printer_page page = make_page(seed);
    page.x_um = x_um;
    page.y_um = 100000;
    assert_null(out.prepare(out.ctx, &page));
    assert_string_equal(run("ls %s | grep -c %s", dir, token), "0\n"); /* nothing on paper yet */
    assert_null(out.ink(out.ctx, &page));
    output_free(o);
    char name[64];
    (void)snprintf(name, sizeof name, "%s.png", token);
    expect_marks(name);
    (void)run("pdftoppm -r 300 -png -singlefile %s/%s.pdf %s/again", dir, token, dir);
    expect_marks("again.png");
}

static void marks_read_back_from_a_blank_sheet(void **state) {
    (void)state;
    print_at(1, 30000, NULL);
    print_at(2, 160000, NULL); /* marks at the left */
    assert_string_equal(run("wc -l < %s/prints.log", dir), "2\n");
    assert_string_equal(run("ls %s/.work | wc -l", dir), "0\n");
}

static void marks_read_back_from_a_document(void **state) {
    (void)state;
    char paper[64];
    (void)snprintf(paper, sizeof paper, "%s/contract.pdf", dir);
    (void)run("%s contract --out %s > /dev/null", DRAW_BIN, paper);
    print_at(3, 30000, paper);
}

/* Ink that fails is spoiled, never silently printed. */
static void a_failing_drawer_is_an_error(void **state) {
    (void)state;
    struct output *o;
    const char *const bad[] = { "/bin/false", "/nowhere/chop-draw" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++) {
        assert_null(output_new(
            &(struct output_options){
                .kind = "page", .out = dir, .draw = bad[i], .dpi = 600, .paper_width_um = 210000 },
            &o));
        struct printer_output out = output_of(o);
        struct printer_page page = make_page(4);
        assert_null(out.prepare(out.ctx, &page));
        assert_ptr_equal(out.ink(out.ctx, &page), CHOP_ERR(EPEER));
        output_free(o);
    }
}

static void faults_are_placed(void **state) {
    (void)state;
    struct output *o;
    struct printer_page page = make_page(5);
    assert_ptr_equal(output_new(&(struct output_options){ .kind = "null", .fault = "often" }, &o), CHOP_ERR(EINVAL));
    assert_ptr_equal(output_new(&(struct output_options){ .kind = "laser" }, &o), CHOP_ERR(EINVAL));
    assert_null(output_new(&(struct output_options){ .kind = "null", .fault = "ink:2" }, &o));
    struct printer_output out = output_of(o);
    assert_null(out.ink(out.ctx, &page));
    assert_non_null(out.ink(out.ctx, &page));
    assert_null(out.ink(out.ctx, &page));
    output_free(o);
}

static int up(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int down(void **state) {
    (void)state;
    (void)run("rm -rf %s", dir);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_read_back_from_a_blank_sheet),
        cmocka_unit_test(marks_read_back_from_a_document),
        cmocka_unit_test(a_failing_drawer_is_an_error),
        cmocka_unit_test(faults_are_placed),
    };
    return cmocka_run_group_tests(tests, up, down);
}
