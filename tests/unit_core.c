/* The core's ordinary life: printing, pairing, challenges, time, manifest, memory. */
#include "unit_core_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR ((int64_t)3600000)

static void expect_error(struct world *w, chop_err e, const char *name, const char *check) {
    if (!e || strcmp(e->name, name) != 0 || strcmp(printer_check(&w->core), check) != 0)
        fail_msg("%s at %s, expected %s at %s", e ? e->name : "success", printer_check(&w->core), name, check);
}

static void a_job_is_printed_and_reported_once(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j;
    world_pair(w);
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    assert_null(job_print(&j, packed));
    assert_int_equal(w->n_reports, 3);
    for (uint32_t i = 0; i < 3; i++) {
        const Pb__Report *r = w->reports[i].r;
        assert_int_equal(w->output.inked[i + 1], 1);
        assert_string_equal(r->outcome, "printed");
        assert_string_equal(r->reason, "");
        assert_int_equal(r->number, i + 1);
        assert_int_equal(r->journal_seq, i + 1);
        assert_int_equal(r->boot_counter, 1);
        assert_string_equal(r->allotment_id, j.allotment_id);
        assert_string_equal(r->grant_id, j.grant_id);
        assert_string_equal(r->job_id, j.job_id);
        uint8_t d[32];
        crypto_sha256(PB_BYTES(j.order_s->payload), d);
        assert_memory_equal(r->order_digest.data, d, 32);
        crypto_sha256(PB_BYTES(j.envelope_s->payload), d);
        assert_memory_equal(r->envelope_digest.data, d, 32);
    }
    /* again: the same reports, no ink */
    expect_error(w, job_print(&j, packed), "EUSED", "replay");
    assert_int_equal(w->n_reports, 6);
    for (size_t i = 0; i < 3; i++) {
        assert_true(chop_bytes_equal(w->reports[i].packed, w->reports[i + 3].packed));
        assert_int_equal(w->output.inked[i + 1], 1);
    }
    world_free(w);
}

/* A second envelope over the same allotment, sealed afresh, is still the same allotment. */
static void another_envelope_over_an_allotment_prints_nothing(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j;
    world_pair(w);
    job_init(&j, w);
    assert_null(job_print(&j, job_make(&j)));
    chop_id_new("job", j.job_id);
    j.challenge = CHOP_BYTES(NULL, 0);
    expect_error(w, job_print(&j, job_make(&j)), "EUSED", "replay");
    assert_int_equal(w->output.inked[1], 1);
    world_free(w);
}

static void a_challenge_serves_one_job(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j, k;
    world_pair(w);
    job_init(&j, w);
    assert_null(job_print(&j, job_make(&j)));
    job_init(&k, w);
    k.challenge = j.challenge;
    expect_error(w, job_print(&k, job_make(&k)), "EUSED", "challenge");
    assert_int_equal(w->output.inked[1], 1);
    world_free(w);
}

static void one_job_at_a_time(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j, k;
    bool more;
    world_pair(w);
    job_init(&j, w);
    job_init(&k, w);
    struct chop_bytes a = job_make(&j), b = job_make(&k);
    assert_null(printer_envelope(&w->core, a));
    assert_ptr_equal(printer_envelope(&w->core, b), CHOP_ERR(EBUSY));
    assert_null(printer_step(&w->core, &more));
    assert_true(more);
    /* asks are answered between two numbers and do not disturb the job */
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    assert_null(printer_challenge(&w->core, out, &n));
    assert_null(printer_time(&w->core, world_time(w, w->now)));
    assert_null(printer_step(&w->core, &more));
    assert_null(printer_step(&w->core, &more));
    assert_false(more);
    assert_null(job_print(&k, b));
    assert_int_equal(w->n_reports, 6);
    world_free(w);
}

static void a_failing_output_spoils_one_number_at_most(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j, k;
    world_pair(w);
    w->output.fail_ink = 2;
    job_init(&j, w);
    assert_ptr_equal(job_print(&j, job_make(&j)), CHOP_ERR(EPEER));
    assert_string_equal(w->reports[0].r->outcome, "printed");
    assert_string_equal(w->reports[1].r->outcome, "spoiled");
    assert_string_equal(w->reports[1].r->reason, "EPEER");
    assert_string_equal(w->reports[2].r->outcome, "refused");
    assert_string_equal(w->reports[2].r->check, "stopped");
    assert_int_equal(w->output.inked[3], 0);
    /* what fails before ink is refused, and may be printed under another allotment */
    w->output.fail_ink = 0;
    w->output.fail_prepare = 1;
    job_init(&k, w);
    assert_ptr_equal(job_print(&k, job_make(&k)), CHOP_ERR(EUNREACHABLE));
    assert_string_equal(w->reports[3].r->outcome, "refused");
    assert_string_equal(w->reports[3].r->check, "prepare");
    w->output.fail_prepare = 0;
    chop_id_new("alt", k.allotment_id);
    k.challenge = CHOP_BYTES(NULL, 0);
    assert_null(job_print(&k, job_make(&k)));
    assert_string_equal(w->reports[6].r->outcome, "printed");
    world_free(w);
}

static void a_window_may_close_between_two_numbers(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j;
    bool more;
    world_pair(w);
    job_init(&j, w);
    assert_null(printer_envelope(&w->core, job_make(&j)));
    assert_null(printer_step(&w->core, &more));
    w->now += 2 * HOUR;
    assert_ptr_equal(printer_step(&w->core, &more), CHOP_ERR(EEXPIRED));
    assert_string_equal(w->reports[1].r->outcome, "refused");
    assert_string_equal(w->reports[1].r->check, "window");
    assert_int_equal(w->output.inked[2], 0);
    world_free(w);
}

/* ---- pairing ---- */
static Pb__TerminalCert *cert_of(struct world *w) {
    struct job j;
    job_init(&j, w);
    Pb__TerminalCert *c = PB_NEW(w->mem, Pb__TerminalCert, pb__terminal_cert);
    *c = j.cert;
    return c;
}

static chop_err try_pair(struct world *w, const char *digits, const char *printer_id, const char *terminal_id) {
    uint8_t mac[32], out[PRINTER_SMALL_MAX];
    size_t n, a = strlen(printer_id), b = strlen(terminal_id);
    char text[160] = "chop/1/pair";
    memcpy(text + 12, printer_id, a + 1);
    memcpy(text + 13 + a, terminal_id, b);
    crypto_hmac_sha256(chop_str(digits), CHOP_BYTES(text, 13 + a + b), mac);
    Pb__PairStatement p = PB__PAIR_STATEMENT__INIT;
    p.printer_id = PB_STR(printer_id);
    p.terminal_id = PB_STR(terminal_id);
    p.code_mac = (ProtobufCBinaryData){ 32, mac };
    p.at = w->now;
    return printer_pair(&w->core, world_sign(w, KEY_TERMINAL, w->terminal_id, "pair", &p),
        world_sign(w, KEY_CA, NULL, "terminal-cert", cert_of(w)), out, &n);
}

static void a_code_has_five_tries_and_ten_minutes(void **state) {
    (void)state;
    struct world *w = world_new();
    struct journal_code code, again;
    expect_error(w, try_pair(w, "00000000", w->printer_id, w->terminal_id), "EEXPIRED", "pair-code");
    assert_null(printer_pair_code(&w->core, &code));
    assert_int_equal(strlen(code.digits), 8);
    char wrong[9];
    memcpy(wrong, code.digits, 9);
    wrong[0] = wrong[0] == '9' ? '0' : (char)(wrong[0] + 1);
    for (int i = 0; i < 5; i++) {
        expect_error(w, try_pair(w, wrong, w->printer_id, w->terminal_id), "EDENIED", "pair-code");
        if (i == 2) world_boot(w); /* a restart gives no new tries */
    }
    expect_error(w, try_pair(w, code.digits, w->printer_id, w->terminal_id), "ETHROTTLED", "pair-code");
    assert_null(printer_pair_code(&w->core, &again));
    assert_string_not_equal(code.digits, again.digits);
    w->now += PRINTER_CODE_MS + 1;
    expect_error(w, try_pair(w, again.digits, w->printer_id, w->terminal_id), "EEXPIRED", "pair-code");
    assert_int_equal(w->mem_journal->n_pairings, 0);
    world_free(w);
}

static void a_pair_statement_is_bound(void **state) {
    (void)state;
    struct world *w = world_new();
    struct journal_code code;
    assert_null(printer_pair_code(&w->core, &code));
    expect_error(w, try_pair(w, code.digits, "prn_other", w->terminal_id), "EMISMATCH", "printer");
    expect_error(w, try_pair(w, code.digits, w->printer_id, "trm_other"), "EMISMATCH", "pair");
    assert_int_equal(w->mem_journal->code.tries, 5); /* only who is of the house may guess */
    assert_null(try_pair(w, code.digits, w->printer_id, w->terminal_id));
    assert_null(try_pair(w, code.digits, w->printer_id, w->terminal_id)); /* the answer was lost */
    w->now++;
    expect_error(w, try_pair(w, code.digits, w->printer_id, w->terminal_id), "EEXPIRED", "pair-code"); /* a new one */
    assert_int_equal(w->mem_journal->n_pairings, 1);
    assert_string_equal(w->mem_journal->pairings[0].member_id, w->member_id);
    world_free(w);
}

/* ---- time ---- */
static void time_never_goes_back(void **state) {
    (void)state;
    struct world *w = world_new();
    int64_t start = w->now;
    assert_null(printer_time(&w->core, world_time(w, start + HOUR)));
    assert_int_equal(printer_now(&w->core), start + HOUR);
    assert_null(printer_time(&w->core, world_time(w, start)));
    assert_int_equal(printer_now(&w->core), start + HOUR);
    w->now = start - 100 * HOUR; /* the battery died */
    world_boot(w);
    assert_int_equal(printer_now(&w->core), start + HOUR);
    world_free(w);
}

static void a_time_is_for_this_printer_and_by_the_bridge(void **state) {
    (void)state;
    struct world *w = world_new();
    Pb__TimeStatement t = PB__TIME_STATEMENT__INIT;
    t.at = w->now;
    t.printer_id = PB_STR("prn_other");
    expect_error(w, printer_time(&w->core, world_sign(w, KEY_BRIDGE, NULL, "time", &t)), "EMISMATCH", "time");
    t.printer_id = w->printer_id;
    expect_error(w, printer_time(&w->core, world_sign(w, KEY_ISSUANCE, NULL, "time", &t)), "EMISMATCH", "time");
    expect_error(w, printer_time(&w->core, world_sign(w, KEY_STRANGER, NULL, "time", &t)), "ESIGNATURE", "time");
    assert_int_equal(w->core.at.signed_time, 0);
    world_free(w);
}

/* ---- manifest ---- */
static void a_manifest_only_goes_up(void **state) {
    (void)state;
    struct world *w = world_new();
    struct chop_bytes v5 = w->manifest_signed;
    w->manifest.version = 7;
    world_sign_manifest(w);
    assert_null(printer_manifest(&w->core, w->manifest_signed));
    assert_null(printer_manifest(&w->core, w->manifest_signed));
    expect_error(w, printer_manifest(&w->core, v5), "EEXPIRED", "manifest-version");
    struct chop_bytes v7 = w->manifest_signed;
    w->manifest_signed = v5; /* the directory still has the manifest of enrolment */
    world_boot(w);
    assert_int_equal(w->core.manifest_version, 7);
    expect_error(w, printer_manifest(&w->core, v5), "EEXPIRED", "manifest-version");
    assert_null(printer_manifest(&w->core, v7));
    w->manifest.version = 8;
    struct chop_bytes forged = world_sign(w, KEY_STRANGER, NULL, "manifest", &w->manifest);
    expect_error(w, printer_manifest(&w->core, forged), "ESIGNATURE", "manifest");
    forged = world_sign(w, KEY_ROOT, NULL, "envelope", &w->manifest);
    expect_error(w, printer_manifest(&w->core, forged), "EMISMATCH", "manifest");
    assert_int_equal(w->core.manifest_version, 7);
    world_free(w);
}

/* ---- memory ---- */
static void a_small_buffer_refuses_but_does_not_break(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j;
    world_pair(w);
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    size_t whole = w->core.job_mem.size, tried = 0;
    for (size_t size = 64; size < 16384; size += 331, tried++) {
        w->core.job_mem.size = size;
        chop_err e = printer_envelope(&w->core, packed);
        if (!e) break;
        assert_false(w->core.broken);
        assert_true(e == CHOP_ERR(EMEMORY) || e == CHOP_ERR(ELIMIT));
        assert_int_equal(w->n_reports, 0); /* says nothing about the job */
    }
    assert_true(tried > 5);
    w->core.job_mem.size = whole;
    bool more = true;
    while (more)
        assert_null(printer_step(&w->core, &more));
    assert_int_equal(w->n_reports, 3);
    world_free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_printed_and_reported_once),
        cmocka_unit_test(another_envelope_over_an_allotment_prints_nothing),
        cmocka_unit_test(a_challenge_serves_one_job),
        cmocka_unit_test(one_job_at_a_time),
        cmocka_unit_test(a_failing_output_spoils_one_number_at_most),
        cmocka_unit_test(a_window_may_close_between_two_numbers),
        cmocka_unit_test(a_code_has_five_tries_and_ten_minutes),
        cmocka_unit_test(a_pair_statement_is_bound),
        cmocka_unit_test(time_never_goes_back),
        cmocka_unit_test(a_time_is_for_this_printer_and_by_the_bridge),
        cmocka_unit_test(a_manifest_only_goes_up),
        cmocka_unit_test(a_small_buffer_refuses_but_does_not_break),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
