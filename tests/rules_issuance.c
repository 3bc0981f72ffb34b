/* The rules of issuance: an order is bound in every way, and nothing that is bent a little passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../services/issuance/rules.h"
#include "common.pb-c.h"

#define NOW ((int64_t)1790000000000)

/* A whole order that is right; each test bends one thing. */
struct sound {
    Pb__GrantStatement grant;
    Pb__AllotmentStatement allotment;
    Pb__PrintOrder order;
    Pb__TerminalCert terminal;
    Pb__PrinterCert printer;
    Pb__Challenge challenge;
    Pb__Principal who;
    uint32_t numbers[3];
    uint8_t document[32], artwork[32], nonce[32], seal_key[65], other[32];
    struct order o;
};

static char grant_id[] = "grt_a", org[] = "org_a", member[] = "mem_a", seal[] = "sel_a", allotment_id[] = "alt_a",
            printer_id[] = "prn_a", terminal_id[] = "trm_a", strange[] = "xxx_b";

#define BIN(a) ((ProtobufCBinaryData){ sizeof(a), (a) })

static void sound_statements(struct sound *s) {
    pb__grant_statement__init(&s->grant);
    pb__allotment_statement__init(&s->allotment);
    s->grant.grant_id = s->allotment.grant_id = grant_id;
    s->grant.organization_id = s->allotment.organization_id = org;
    s->grant.member_id = s->allotment.member_id = member;
    s->grant.seal_id = s->allotment.seal_id = seal;
    s->grant.copies = 3;
    s->grant.not_before = s->allotment.not_before = NOW - 1000;
    s->grant.not_after = NOW + 2000;
    s->allotment.not_after = NOW + 1500;
    s->grant.document_digest = s->allotment.document_digest = BIN(s->document);
    s->grant.artwork_digest = s->allotment.artwork_digest = BIN(s->artwork);
    s->allotment.allotment_id = allotment_id;
    s->allotment.printer_id = printer_id;
    s->allotment.terminal_id = terminal_id;
    s->allotment.numbers = s->numbers;
    s->allotment.n_numbers = 3;
    s->allotment.grant_digest = BIN(s->o.grant_digest);
    s->allotment.challenge_digest = BIN(s->o.challenge_digest);
}

static void sound_devices(struct sound *s) {
    pb__print_order__init(&s->order);
    pb__terminal_cert__init(&s->terminal);
    pb__printer_cert__init(&s->printer);
    pb__challenge__init(&s->challenge);
    pb__principal__init(&s->who);
    s->order.allotment_id = allotment_id;
    s->order.printer_id = s->printer.printer_id = s->challenge.printer_id = printer_id;
    s->order.terminal_id = s->terminal.terminal_id = terminal_id;
    s->order.allotment_digest = BIN(s->o.allotment_digest);
    s->order.challenge_digest = BIN(s->o.challenge_digest);
    s->terminal.member_id = s->who.member_id = member;
    s->terminal.organization_id = s->printer.organization_id = s->who.organization_id = org;
    s->printer.seal_key = BIN(s->seal_key);
    s->challenge.nonce = BIN(s->nonce);
    s->challenge.expires_at = NOW + 1000;
}

static int setup(void **state) {
    struct sound *s = calloc(1, sizeof *s);
    assert_non_null(s);
    for (uint32_t i = 0; i < 3; i++)
        s->numbers[i] = i + 1;
    memset(s->document, 1, 32);
    memset(s->artwork, 2, 32);
    memset(s->other, 99, 32);
    memset(s->o.grant_digest, 3, 32);
    memset(s->o.allotment_digest, 4, 32);
    memset(s->o.challenge_digest, 5, 32);
    sound_statements(s);
    sound_devices(s);
    s->o.grant = &s->grant;
    s->o.allotment = &s->allotment;
    s->o.order = &s->order;
    s->o.terminal = &s->terminal;
    s->o.printer = &s->printer;
    s->o.challenge = &s->challenge;
    *state = s;
    return 0;
}

static int teardown(void **state) {
    free(*state);
    return 0;
}

static void test_sound_order_passes(void **state) {
    struct sound *s = *state;
    assert_null(order_bound(&s->o, &s->who));
    assert_null(order_in_time(&s->o, NOW));
}

static void test_each_name_is_bound(void **state) {
    struct sound *s = *state;
    const struct {
        char **slot;
        const char *field;
        chop_err err;
    } rows[] = {
        { &s->allotment.grant_id, "allotment.grant_id", CHOP_ERR(EMISMATCH) },
        { &s->allotment.organization_id, "allotment.organization_id", CHOP_ERR(EMISMATCH) },
        { &s->allotment.member_id, "allotment.member_id", CHOP_ERR(EMISMATCH) },
        { &s->allotment.seal_id, "allotment.seal_id", CHOP_ERR(EMISMATCH) },
        { &s->order.allotment_id, "order.allotment_id", CHOP_ERR(EMISMATCH) },
        { &s->order.printer_id, "order.printer_id", CHOP_ERR(EMISMATCH) },
        { &s->order.terminal_id, "order.terminal_id", CHOP_ERR(EMISMATCH) },
        { &s->terminal.terminal_id, "terminal_cert.terminal_id", CHOP_ERR(EMISMATCH) },
        { &s->terminal.member_id, "terminal_cert.member_id", CHOP_ERR(EMISMATCH) },
        { &s->terminal.organization_id, "terminal_cert.organization_id", CHOP_ERR(EMISMATCH) },
        { &s->printer.printer_id, "printer_cert.printer_id", CHOP_ERR(EMISMATCH) },
        { &s->printer.organization_id, "printer_cert.organization_id", CHOP_ERR(EMISMATCH) },
        { &s->challenge.printer_id, "challenge.printer_id", CHOP_ERR(EMISMATCH) },
        { &s->who.member_id, "grant.member_id", CHOP_ERR(EDENIED) },
        { &s->who.organization_id, "grant.member_id", CHOP_ERR(EDENIED) },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        char *was = *rows[i].slot;
        *rows[i].slot = strange;
        assert_ptr_equal(order_bound(&s->o, &s->who), rows[i].err);
        assert_string_equal(chop_detail_field(), rows[i].field);
        *rows[i].slot = was;
    }
    assert_null(order_bound(&s->o, &s->who));
}

/* Two empty names are not the same name. */
static void test_empty_names_bind_nothing(void **state) {
    struct sound *s = *state;
    char none[] = "";
    s->allotment.terminal_id = s->order.terminal_id = s->terminal.terminal_id = none;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
}

static void test_each_digest_is_bound(void **state) {
    struct sound *s = *state;
    const struct {
        ProtobufCBinaryData *slot;
        const char *field;
    } rows[] = {
        { &s->allotment.grant_digest, "allotment.grant_digest" },
        { &s->allotment.document_digest, "allotment.document_digest" },
        { &s->allotment.artwork_digest, "allotment.artwork_digest" },
        { &s->allotment.challenge_digest, "allotment.challenge_digest" },
        { &s->order.allotment_digest, "order.allotment_digest" },
        { &s->order.challenge_digest, "order.challenge_digest" },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        ProtobufCBinaryData was = *rows[i].slot;
        *rows[i].slot = BIN(s->other);
        assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
        assert_string_equal(chop_detail_field(), rows[i].field);
        *rows[i].slot = (ProtobufCBinaryData){ 31, was.data };
        assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
        *rows[i].slot = (ProtobufCBinaryData){ 0, NULL };
        assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
        *rows[i].slot = was;
    }
}

/* What is to be held is neither taken for a print nor made under a grant that does not say so. */
static void test_loads_are_meant(void **state) {
    struct sound *s = *state;
    s->order.load = true;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "order.load");
    s->allotment.offline = true;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "allotment.offline");
    s->grant.offline = true;
    assert_null(order_bound(&s->o, &s->who));
    s->order.load = false;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
    s->allotment.offline = false; /* an offline grant prints online too */
    assert_null(order_bound(&s->o, &s->who));
}

static void test_printers_of_the_grant(void **state) {
    struct sound *s = *state;
    char *other[] = { strange }, *both[] = { strange, printer_id };
    s->grant.printer_ids = other;
    s->grant.n_printer_ids = 1;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "grant.printer_ids");
    s->grant.printer_ids = both;
    s->grant.n_printer_ids = 2;
    assert_null(order_bound(&s->o, &s->who));
}

static void test_numbers_must_rise(void **state) {
    struct sound *s = *state;
    static const uint32_t bad[][3] = { { 1, 1, 2 }, { 0, 1, 2 }, { 2, 1, 3 }, { 1, 2, 2147483648u } };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++) {
        memcpy(s->numbers, bad[i], sizeof s->numbers);
        assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EINVAL));
        assert_string_equal(chop_detail_field(), "allotment.numbers");
    }
    s->allotment.n_numbers = 0;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EINVAL));
}

static void test_windows(void **state) {
    struct sound *s = *state;
    assert_ptr_equal(order_in_time(&s->o, NOW - 1001), CHOP_ERR(ESTATE));
    assert_null(order_in_time(&s->o, NOW - 1000));
    assert_null(order_in_time(&s->o, NOW + 999));
    assert_ptr_equal(order_in_time(&s->o, NOW + 1000), CHOP_ERR(EEXPIRED));
    assert_string_equal(chop_detail_field(), "challenge.expires_at");
    s->challenge.expires_at = NOW + 9000;
    assert_ptr_equal(order_in_time(&s->o, NOW + 1500), CHOP_ERR(EEXPIRED));
    assert_string_equal(chop_detail_field(), "allotment.not_after");
    s->allotment.not_after = NOW + 9000;
    assert_ptr_equal(order_in_time(&s->o, NOW + 2000), CHOP_ERR(EEXPIRED));
    assert_string_equal(chop_detail_field(), "grant.not_after");
}

static void test_sizes_of_nonce_and_seal_key(void **state) {
    struct sound *s = *state;
    s->challenge.nonce.len = 31;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EINVAL));
    s->challenge.nonce.len = 32;
    s->printer.seal_key.len = 64;
    assert_ptr_equal(order_bound(&s->o, &s->who), CHOP_ERR(EINVAL));
}

static void test_host(void **state) {
    (void)state;
    char out[ISSUANCE_HOST_MAX + 1];
    assert_null(issuance_host("v.example.cn:8443", out));
    assert_string_equal(out, "V.EXAMPLE.CN:8443");
    assert_null(issuance_host("12345678901234567890", out));
    assert_ptr_equal(issuance_host("123456789012345678901", out), CHOP_ERR(EINVAL));
    assert_ptr_equal(issuance_host("", out), CHOP_ERR(EINVAL));
    assert_ptr_equal(issuance_host("a_b.cn", out), CHOP_ERR(EINVAL));
    assert_ptr_equal(issuance_host("a/b", out), CHOP_ERR(EINVAL));
}

/* Every pair of outcomes: only what this table allows. */
static void test_outcomes(void **state) {
    (void)state;
    static const char *const all[] = { "issued", "interrupted", "printed", "spoiled", "returned", "revoked", "",
        "print" };
    static const char *const allowed[][2] = { { "issued", "interrupted" }, { "issued", "printed" },
        { "issued", "spoiled" }, { "issued", "returned" }, { "issued", "revoked" }, { "interrupted", "printed" },
        { "interrupted", "spoiled" }, { "interrupted", "revoked" }, { "printed", "revoked" },
        { "spoiled", "revoked" } };
    for (size_t a = 0; a < CHOP_COUNT(all); a++)
        for (size_t b = 0; b < CHOP_COUNT(all); b++) {
            bool want = false;
            for (size_t i = 0; i < CHOP_COUNT(allowed); i++)
                want |= strcmp(allowed[i][0], all[a]) == 0 && strcmp(allowed[i][1], all[b]) == 0;
            assert_int_equal(outcome_follows(all[a], all[b]), want);
        }
    assert_true(outcome_final("printed") && outcome_final("returned"));
    assert_false(outcome_final("issued") || outcome_final("interrupted") || outcome_final("nonsense"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_sound_order_passes),
        T(test_each_name_is_bound),
        T(test_empty_names_bind_nothing),
        T(test_each_digest_is_bound),
        T(test_loads_are_meant),
        T(test_printers_of_the_grant),
        T(test_numbers_must_rise),
        T(test_windows),
        T(test_sizes_of_nonce_and_seal_key),
        cmocka_unit_test(test_host),
        cmocka_unit_test(test_outcomes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
