/* From the request to the paper, and from the paper to the verdict. */
#include "flow.h"

#include "marks.h"

#include <cairo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static Pb__Job *job; /* the one that the tests below look at; a copy of its own memory */
static char grant_id[CHOP_ID_MAX];

static Pb__Job *keep(const Pb__Job *j) {
    size_t n = pb__job__get_packed_size(j);
    uint8_t *packed = malloc(n ? n : 1);
    assert_non_null(packed);
    pb__job__pack(j, packed);
    Pb__Job *copy = pb__job__unpack(NULL, n, packed);
    free(packed);
    return copy;
}

/* ---- the job ---- */
static void whole_job(void **state) {
    Pb__Job *j;
    (void)state;
    flow_grant(1, grant_id);
    assert_ok(print_start(world.a, &world.user, grant_id, world.printer.id, 1, &j));
    assert_int_equal(j->n_marks, 1);
    char id[CHOP_ID_MAX];
    (void)snprintf(id, sizeof id, "%s", j->job_id);
    assert_ok(job_wait(world.a, &world.user, id, 10000, 20, &j));
    assert_string_equal(j->numbers[0]->state, "printed");
    job = keep(j);
    assert_int_equal(printer_inks(&world.printer, job->marks[0]->token), 1);
    assert_int_equal(access(stack_text("%s/%s.png", world.printer.out, job->marks[0]->token), R_OK), 0);
    assert_int_equal(access(stack_text("%s/%s.pdf", world.printer.out, job->marks[0]->token), R_OK), 0);
    assert_number(grant_id, 1, "printed");
}

/* ---- what is on the paper ---- */
struct gray {
    int width, height;
    uint8_t *pixels;
};

static struct gray page_read(const char *token) {
    cairo_surface_t *image = cairo_image_surface_create_from_png(stack_text("%s/%s.png", world.printer.out, token));
    assert_int_equal(cairo_surface_status(image), CAIRO_STATUS_SUCCESS);
    struct gray g = { cairo_image_surface_get_width(image), cairo_image_surface_get_height(image), NULL };
    g.pixels = malloc((size_t)g.width * (size_t)g.height);
    assert_non_null(g.pixels);
    const uint8_t *row = cairo_image_surface_get_data(image);
    for (int y = 0; y < g.height; y++, row += cairo_image_surface_get_stride(image))
        for (int x = 0; x < g.width; x++) /* green: what sees red ink */
            g.pixels[(size_t)y * (size_t)g.width + (size_t)x] = row[4 * x + 1];
    cairo_surface_destroy(image);
    return g;
}

static struct gray halved(const struct gray *in) {
    struct gray g = { in->width / 2, in->height / 2, NULL };
    size_t w = (size_t)in->width;
    g.pixels = malloc((size_t)g.width * (size_t)g.height);
    assert_non_null(g.pixels);
    for (size_t y = 0; y < (size_t)g.height; y++)
        for (size_t x = 0; x < (size_t)g.width; x++) {
            const uint8_t *p = in->pixels + 2 * y * w + 2 * x;
            g.pixels[y * (size_t)g.width + x] = (uint8_t)((p[0] + p[1] + p[w] + p[w + 1]) / 4);
        }
    return g;
}

static const char *page_write(const struct gray *g, const char *name) {
    const char *path = stack_text("%s/%s.pgm", stack_dir(), name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    (void)fprintf(f, "P5\n%d %d\n255\n", g->width, g->height);
    assert_int_equal(fwrite(g->pixels, 1, (size_t)g->width * (size_t)g->height, f), (size_t)g->width * (size_t)g->height);
    (void)fclose(f);
    return path;
}

static void assert_read(const char *text, const char *what) {
    if (!strstr(text, what)) fail_msg("\"%s\" was not read, but: %s", what, text);
}

static char *hex_of(const char *text) {
    char hex[512];
    chop_hex((const uint8_t *)text, strlen(text), hex);
    return stack_text("%s", hex);
}

static void assert_decoders(const char *path) {
    const Pb__Marks *m = job->marks[0];
    const char *bars = stack_text("%s%s", m->serial, m->cipher);
    const char *zbar = stack_output("zbarimg -q -Sdisable -Sqrcode.enable -Scode128.enable -Sbinary %s 2>/dev/null", path);
    assert_read(zbar, m->url);
    assert_read(zbar, bars);
    if (!flow_read_zxing) return;
    assert_read(stack_output("%s %s QRCode", flow_read_zxing, path), hex_of(m->url));
    assert_read(stack_output("%s %s Code128", flow_read_zxing, path), hex_of(bars));
}

static void two_decoders_read_it(void **state) {
    (void)state;
    assert_non_null(job);
    struct gray full = page_read(job->marks[0]->token);
    assert_in_range(full.width, 4955, 4965); /* A4 at 600 dpi */
    assert_decoders(page_write(&full, "page600"));
    struct gray half = halved(&full);
    assert_decoders(page_write(&half, "page300"));
    free(half.pixels);
    free(full.pixels);
}

/* ---- what the marks say ---- */
static void every_mark_leads_to_the_record(void **state) {
    Pb__Verdict *v;
    (void)state;
    const Pb__Marks *m = job->marks[0];
    assert_verdict(m->url, NULL, "genuine");
    assert_verdict(m->token, NULL, "genuine");
    assert_verdict(stack_text("%s%s", m->serial, m->cipher), NULL, "genuine");
    assert_verdict(m->serial, NULL, "genuine");
    assert_verdict(m->serial, m->cipher, "genuine");
    assert_ok(verify_mark(world.a, m->url, NULL, &v));
    assert_string_equal(v->level, "masked");
    assert_null(strstr(v->requester, "张小三"));
    assert_ok(verify_mark(world.a, m->token, m->cipher, &v));
    assert_string_equal(v->level, "full");
    assert_string_equal(v->requester, "张小三");
    assert_string_equal(v->seal_name, "合同专用章");
    assert_int_equal(v->number, 1);
    assert_int_equal(v->copies, 1);
    assert_int_equal(v->n_approvals, 1);
    assert_string_equal(v->approvals[0]->member_name, "李四");
}

static void the_page_answers_without_script(void **state) {
    struct api_reply r;
    (void)state;
    const struct chop_bytes none = { NULL, 0 };
    assert_ok(api_raw(world.a, "GET", stack_text("/V/%s", job->marks[0]->token), NULL, NULL, none, &r));
    assert_int_equal(r.status, 200);
    assert_ok(api_raw(world.a, "GET", "/V/0000000000000000", NULL, NULL, none, &r));
    assert_int_equal(r.status, 404);
    assert_true(r.body.n < 30000);
}

static void facts_stand_in_three_registries(void **state) {
    static const char *const registries[] = { "police", "third-party", "internal" };
    static const char *const kinds[] = { "authorization-given", "print-commanded", "impression-printed" };
    Pb__ListFilingsReply *list;
    Pb__Verdict *v;
    (void)state;
    assert_true(world_filed(&world, grant_id, 3, 5000));
    assert_ok(filings_of(world.a, &world.auditor, grant_id, &list));
    for (size_t r = 0; r < 3; r++) {
        uint64_t last = 0;
        size_t n = 0;
        for (uint64_t seq = 1; seq < 1000 && n < 3; seq++) /* in the order of the seal */
            for (size_t i = 0; i < list->n_filings; i++) {
                const Pb__Filing *f = list->filings[i];
                if (f->seal_seq != seq || strcmp(f->registry, registries[r]) != 0) continue;
                assert_string_equal(f->fact_kind, kinds[n++]);
                assert_true(f->seal_seq > last && *f->number && f->receipt);
                last = f->seal_seq;
            }
        assert_int_equal(n, 3);
    }
    for (int i = 0; i < 100; i++) { /* the page shows them when the receipts have come round */
        size_t filed = 0;
        assert_ok(verify_mark(world.a, job->marks[0]->token, job->marks[0]->cipher, &v));
        for (size_t k = 0; k < v->n_filings; k++) filed += strcmp(v->filings[k]->state, "filed") == 0;
        if (filed == 9) return;
        nap_ms(30);
    }
    fail_msg("the verdict does not show nine filings");
}

static void wrong_marks(void **state) {
    Pb__Verdict *v;
    char text[32];
    (void)state;
    const Pb__Marks *m = job->marks[0];
    (void)snprintf(text, sizeof text, "%s", m->serial);
    text[3] = text[3] == '9' ? '0' : (char)(text[3] + 1);
    assert_verdict(text, NULL, "mistyped");
    assert_verdict("HTTPS://EVIL.EXAMPLE/V/0123456789ABCDEF", NULL, "elsewhere");
    assert_verdict("0123456789ABCDEF", NULL, "unknown");
    assert_code(verify_mark(world.a, "hello", NULL, &v), EINVAL);
    (void)snprintf(text, sizeof text, "%s", m->cipher);
    text[2] = text[2] == '9' ? '0' : (char)(text[2] + 1);
    assert_code(verify_mark(world.a, m->token, text, &v), EMISTYPED);
    text[7] = marks_cipher_check(m->serial, text); /* now it is forged rather than mistyped */
    assert_verdict(m->token, text, "mismatch");
}

static void revoking_shows_at_once(void **state) {
    Pb__Revoke in = PB__REVOKE__INIT;
    Pb__Verdict *v;
    (void)state;
    in.grant_id = grant_id;
    in.number = 1;
    in.reason = PB_STR("合同作废");
    assert_ok(ACT(world.a, &world.manager, REVOKE, revoke, &in, NULL));
    assert_ok(verify_until(world.a, job->marks[0]->token, NULL, "revoked", 1000, &v));
    assert_string_equal(v->verdict, "revoked");
    assert_true(world_filed(&world, grant_id, 4, 5000));
    pb__job__free_unpacked(job, NULL);
    job = NULL;
}

const struct CMUnitTest flow_paper_tests[] = {
    cmocka_unit_test(whole_job),
    cmocka_unit_test(two_decoders_read_it),
    cmocka_unit_test(every_mark_leads_to_the_record),
    cmocka_unit_test(the_page_answers_without_script),
    cmocka_unit_test(facts_stand_in_three_registries),
    cmocka_unit_test(wrong_marks),
    cmocka_unit_test(revoking_shows_at_once),
};
const size_t flow_paper_count = CHOP_COUNT(flow_paper_tests);
