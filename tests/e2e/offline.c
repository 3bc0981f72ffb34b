/* e2e_offline BIN: a printer is loaded, the broker dies, impressions are printed beside the printer with the chop command,
 * the broker comes back, reports arrive, the rest is given back: and never more on paper than was granted. */
#include "world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define COPIES 3

static struct world w;
static char grant_id[CHOP_ID_MAX], job_id[CHOP_ID_MAX], seal_id[CHOP_ID_MAX], token[COPIES + 1][32];
static const char *sock;

#define assert_ok(e)                                                                                                   \
    do {                                                                                                               \
        chop_err got_ = (e);                                                                                           \
        if (got_) fail_msg("%s: %s: %s", got_->name, chop_detail_field(), chop_detail_text());                         \
    } while (0)

/* ---- the chop command, as the user; with a server that is not there, where `away` says so ---- */
static int chop(bool away, const char *line) {
    return stack_shell("CHOP_HOME='%s/cli' %s '%s/chop' %s > '%s/chop.out' 2> '%s/chop.err'", stack_dir(),
        away ? "CHOP_SERVER=http://127.0.0.1:1" : "", stack_bin(), line, stack_dir(), stack_dir());
}
#define CHOP(status, away, ...)                                                                                        \
    do {                                                                                                               \
        const char *line_ = stack_text(__VA_ARGS__);                                                                   \
        int rc_ = chop(away, line_);                                                                                   \
        if (rc_ != (status))                                                                                           \
            fail_msg("chop %s: %d\n%s%s", line_, rc_, stack_file("chop.out"), stack_file("chop.err"));                 \
    } while (0)

static void write_file(const char *path, struct chop_bytes b) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

/* The user's terminal, as the command keeps it. */
static void make_profile(void) {
    const struct person *p = &w.user;
    const char *dir = stack_text("%s/cli/default", stack_dir());
    assert_int_equal(mkdir(stack_text("%s/cli", stack_dir()), 0700), 0);
    assert_int_equal(mkdir(dir, 0700), 0);
    const char *text = stack_text("server=%s\ntoken=%s\nmember_id=%s\norganization_id=%s\nterminal_id=%s\nkey=%s/key.pem\n",
        stack_url(), p->token, p->member_id, p->organization_id, p->terminal_id, dir);
    write_file(stack_text("%s/profile", dir), chop_str(text));
    write_file(stack_text("%s/terminal.cert", dir), CHOP_BYTES(p->terminal_cert, p->terminal_cert_n));
    assert_ok(crypto_key_save(p->key, stack_text("%s/key.pem", dir)));
    assert_ok(crypto_key_save(p->device, stack_text("%s/device.pem", dir)));
    CHOP(0, false, "keys");
}

/* ---- a grant for this printer, offline ---- */
static void make_grant(void) {
    Pb__Policy policy = PB__POLICY__INIT;
    Pb__RequestUse in = PB__REQUEST_USE__INIT;
    Pb__Document doc = PB__DOCUMENT__INIT;
    Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
    Pb__CommitActReply *out;
    Pb__Request *r;
    uint8_t digest[32];
    char *printers[] = { w.printer.id };
    policy.offline = true;
    assert_ok(seal_make(w.a, &w.admin, "外勤专用章", world_seal_code(), &policy, seal_id));
    crypto_sha256(chop_str("the contract\n"), digest);
    write_file(stack_text("%s/contract.txt", stack_dir()), chop_str("the contract\n"));
    facts.pages = 1;
    doc.title = PB_STR("外勤合同");
    doc.sha256 = arena_hex(api_mem(w.a), CHOP_BYTES(digest, 32));
    doc.facts = &facts;
    in.seal_id = seal_id;
    in.document = &doc;
    in.copies = COPIES;
    in.purpose = PB_STR("外出签约");
    in.printer_ids = printers;
    in.n_printer_ids = 1;
    assert_ok(ACT(w.a, &w.user, REQUEST, request, &in, &out));
    assert_ok(request_decide(w.a, &w.manager, out->request->request_id, "approve", NULL, &r));
    (void)snprintf(grant_id, sizeof grant_id, "%s", r->grant_id);
}

static Pb__Grant *grant_now(void) {
    Pb__Grant *g;
    assert_ok(grant_get(w.a, &w.user, grant_id, &g));
    return g;
}

/* Until number k is in this state. */
static void wait_number(uint32_t k, const char *state) {
    const char *last = "";
    for (int64_t until = chop_now_ms() + 10000; chop_now_ms() < until; nap_ms(50)) {
        Pb__Grant *g = grant_now();
        for (size_t i = 0; i < g->n_numbers; i++)
            if (g->numbers[i]->number == k) last = g->numbers[i]->state;
        if (strcmp(last, state) == 0) return;
    }
    fail_msg("number %u is %s, not %s", k, last, state);
}

static void assert_verdict(const char *mark, const char *verdict) {
    Pb__Verdict *v;
    assert_ok(verify_until(w.a, mark, NULL, verdict, 5000, &v));
    assert_string_equal(v->verdict, verdict);
}

/* ---- the story, in order ---- */
static void a_printer_is_loaded(void **state) {
    Pb__Job *j;
    (void)state;
    CHOP(0, false, "print %s --printer %s --count %d --load --yes", grant_id, w.printer.id, COPIES);
    const char *text = stack_file("chop.out");
    assert_int_equal(sscanf(text, "job %31[^:]: held", job_id), 1);
    assert_non_null(strstr(text, "held"));
    assert_int_equal(printer_inks(&w.printer, ""), 0);
    Pb__Grant *g = grant_now();
    assert_int_equal(g->remaining, 0);
    assert_int_equal(g->offline_at_risk, COPIES);
    assert_true(g->offline_until > chop_now_ms() + 23 * 3600000 && g->offline_until <= chop_now_ms() + 24 * 3600000);
    assert_ok(API(w.a, "GET", stack_text("/v1/prints/%s", job_id), w.user.token, NULL, pb__job, &j));
    assert_int_equal(j->n_marks, COPIES);
    for (size_t i = 0; i < j->n_marks; i++)
        (void)snprintf(token[j->marks[i]->number], sizeof token[0], "%s", j->marks[i]->token);
    assert_verdict(token[1], "pending");
}

static void it_prints_without_a_network(void **state) {
    (void)state;
    stack_kill("mosquitto", SIGTERM);
    CHOP(0, true, "printer held %s", sock);
    assert_non_null(strstr(stack_file("chop.out"), job_id));
    CHOP(0, true, "print --local %s %s --yes", sock, job_id); /* the lowest: 1 */
    CHOP(0, true, "print --local %s %s --number 3 --yes", sock, job_id);
    assert_non_null(strstr(stack_file("chop.out"), "number 3: printed"));
    CHOP(1, true, "print --local %s %s --number 3 --yes", sock, job_id);
    CHOP(1, true, "print --local %s job_0123456789abcdefghjkmnpqrs --yes", sock);
    assert_int_equal(printer_inks(&w.printer, ""), 2);
    assert_int_equal(printer_inks(&w.printer, token[1]), 1);
    assert_int_equal(printer_inks(&w.printer, token[3]), 1);
    assert_int_equal(grant_now()->offline_at_risk, COPIES); /* nobody knows yet */
    assert_verdict(token[3], "pending");
}

/* The paper's own word, by the pinned keys alone: never "genuine". */
static void the_signed_qr_reads_offline(void **state) {
    (void)state;
    const char *page = stack_text("%s/%s.png", w.printer.out, token[1]), *qr = stack_text("%s/qr", stack_dir());
    (void)stack_shell("zbarimg -q --raw -Sdisable -Sqrcode.enable -Sbinary '%s' > '%s.all'", page, qr);
    char raw[4096], *at = raw;
    FILE *f = fopen(stack_text("%s.all", qr), "re");
    assert_non_null(f);
    size_t n = fread(raw, 1, sizeof raw, f);
    (void)fclose(f);
    while (at + 4 <= raw + n && memcmp(at, "CHM1", 4) != 0)
        at++;
    if (at + 4 > raw + n) fail_msg("no signed QR was read from %s", page);
    size_t length = (size_t)(raw + n - at);
    for (size_t i = 0; i + 8 <= length; i++)
        if (memcmp(at + i, "HTTPS://", 8) == 0) length = i;
    write_file(qr, CHOP_BYTES(at, length));
    CHOP(4, true, "verify --offline %s --document %s/contract.txt", qr, stack_dir());
    assert_non_null(strstr(stack_file("chop.out"), "issued for this document, printing not confirmed"));
    assert_null(strstr(stack_file("chop.out"), "genuine"));
    CHOP(4, true, "verify --offline \"$(base64 -w0 %s)\" --document %s/ports.env", qr, stack_dir());
    assert_non_null(strstr(stack_file("chop.out"), "issued for another document"));
    at[10] ^= 1;
    write_file(qr, CHOP_BYTES(at, length));
    CHOP(1, true, "verify --offline %s", qr);
}

static void reports_arrive_when_the_network_is_back(void **state) {
    (void)state;
    assert_int_equal(stack_shell("mqtt_start"), 0);
    wait_number(1, "printed");
    wait_number(3, "printed");
    Pb__Grant *g = grant_now();
    assert_int_equal(g->offline_at_risk, 1);
    assert_int_equal(g->remaining, 0);
    assert_verdict(token[1], "genuine");
    assert_verdict(token[3], "genuine");
    assert_verdict(token[2], "pending");
}

static void what_is_left_comes_back(void **state) {
    Pb__Job *j;
    (void)state;
    CHOP(0, false, "printer close-out %s %s", w.printer.id, job_id);
    wait_number(2, "returned");
    Pb__Grant *g = grant_now();
    assert_int_equal(g->offline_at_risk, 0);
    assert_int_equal(g->remaining, 1);
    CHOP(0, true, "printer close-out --local %s %s", sock, job_id); /* again: the same word */
    CHOP(1, true, "print --local %s %s --number 2 --yes", sock, job_id);
    assert_verdict(token[2], "void");
    assert_ok(print_start(w.a, &w.user, grant_id, w.printer.id, 1, &j));
    assert_ok(job_wait(w.a, &w.user, j->job_id, 10000, 20, &j));
    assert_int_equal(j->numbers[0]->number, 2);
    assert_string_equal(j->numbers[0]->state, "printed");
    assert_int_equal(printer_inks(&w.printer, ""), COPIES);
    struct print p;
    chop_err e = print_prepare(w.a, &w.user, grant_id, w.printer.id, 1, 0, &p);
    assert_ptr_equal(e, CHOP_ERR(EOVERRUN));
    assert_int_equal(stack_number("SELECT count(*) FROM \"authorization\".number WHERE grant_id = '%s'", grant_id), COPIES);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_printer_is_loaded),
        cmocka_unit_test(it_prints_without_a_network),
        cmocka_unit_test(the_signed_qr_reads_offline),
        cmocka_unit_test(reports_arrive_when_the_network_is_back),
        cmocka_unit_test(what_is_left_comes_back),
    };
    if (argc < 2) return 2;
    stack_start("e2e-offline", argv[1], NULL);
    world_make(&w, "waiqin", world_seal_code(), "page");
    sock = stack_text("%s/local.sock", w.printer.dir);
    make_profile();
    make_grant();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    world_done(&w);
    return failed;
}
