/* The relay's rules: every state with every outcome, pauses, HTTP answers, and receipts bent in every way. */
#include "rules.h"
#include "svc_filing_world.h"

#include "pb.h"

#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_machine(void **state) {
    (void)state;
    assert_true(fsm_valid(&filing_fsm));
    static const struct {
        const char *from, *action, *to; /* to NULL: refused */
    } rows[] = {
        { "waiting", "claim", "sending" },   { "unknown", "claim", "sending" },  { "sending", "claim", "sending" },
        { "receipted", "claim", NULL },      { "dead", "claim", NULL },          { "sending", "receipt", "receipted" },
        { "waiting", "receipt", NULL },      { "dead", "receipt", NULL },        { "sending", "retry", "waiting" },
        { "sending", "lose", "unknown" },    { "sending", "bury", "dead" },      { "unknown", "bury", NULL },
        { "dead", "replay", "waiting" },     { "waiting", "replay", NULL },      { "receipted", "replay", NULL },
        { "unknown", "replay", NULL },       { "receipted", "refile", "waiting" }, { "receipted", "bury", NULL },
        { "dead", "skip", "waiting" },       { "waiting", "skip", NULL },        { "receipted", "skip", NULL },
        { "sending", "skip", NULL },         { "unknown", "skip", NULL },        { "sending", "notice", "skipped" },
        { "dead", "notice", NULL },          { "skipped", "skip", NULL },        { "skipped", "claim", NULL },
        { "skipped", "replay", NULL },       { "skipped", "refile", "waiting" },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        const char *to = NULL;
        chop_err e = fsm_apply(&filing_fsm, rows[i].from, rows[i].action, &to);
        if (!rows[i].to) {
            if (!e) fail_msg("%s %s is allowed", rows[i].from, rows[i].action);
            continue;
        }
        assert_null(e);
        assert_string_equal(to, rows[i].to);
    }
}

/* After each outcome, of a sending and of a status call. What is unknown never becomes waiting without being asked. */
static void test_outcomes(void **state) {
    (void)state;
    static const struct {
        enum outcome o;
        const char *sent, *asked;
    } rows[OUTCOME_COUNT] = {
        { OUTCOME_RECEIPT, "receipted", "receipted" }, { OUTCOME_LIE, "dead", "dead" },
        { OUTCOME_UNREACHED, "waiting", "unknown" },   { OUTCOME_LOST, "unknown", "unknown" },
        { OUTCOME_BUSY, "waiting", "unknown" },        { OUTCOME_REFUSED, "dead", "unknown" },
        { OUTCOME_GAP, "waiting", "unknown" },         { OUTCOME_CONFLICT, "dead", "unknown" },
        { OUTCOME_NOT_FOUND, "waiting", NULL },
    };
    for (size_t i = 0; i < OUTCOME_COUNT; i++) {
        const char *to;
        assert_null(fsm_apply(&filing_fsm, "sending", rules_action(rows[i].o, false), &to));
        assert_string_equal(to, rows[i].sent);
        if (!rows[i].asked) {
            assert_null(rules_action(rows[i].o, true));
            continue;
        }
        assert_null(fsm_apply(&filing_fsm, "sending", rules_action(rows[i].o, true), &to));
        assert_string_equal(to, rows[i].asked);
    }
    assert_true(rules_ask_first("unknown"));
    assert_true(rules_ask_first("sending"));
    assert_false(rules_ask_first("waiting"));
}

static void test_http(void **state) {
    (void)state;
    static const struct {
        long status;
        const char *code;
        bool asking;
        enum outcome o;
    } rows[] = {
        { 409, "gap", false, OUTCOME_GAP },        { 409, "conflict", false, OUTCOME_CONFLICT },
        { 409, "", false, OUTCOME_CONFLICT },      { 404, "not_found", true, OUTCOME_NOT_FOUND },
        { 404, "", true, OUTCOME_REFUSED },        { 404, "not_found", false, OUTCOME_REFUSED },
        { 408, "", false, OUTCOME_BUSY },          { 429, "", false, OUTCOME_BUSY },
        { 500, "", false, OUTCOME_BUSY },          { 503, "", true, OUTCOME_BUSY },
        { 401, "bad_signature", false, OUTCOME_BUSY }, { 422, "bad_fact", false, OUTCOME_REFUSED },
        { 410, "", false, OUTCOME_REFUSED },       { 302, "", false, OUTCOME_REFUSED },
        { 202, "", false, OUTCOME_LOST },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++)
        if (rules_http(rows[i].status, rows[i].code, rows[i].asking) != rows[i].o)
            fail_msg("%ld %s", rows[i].status, rows[i].code);
}

static void test_pauses(void **state) {
    (void)state;
    static const int64_t wanted[] = { 500, 2000, 10000, 60000, 300000, 900000, 900000 };
    for (unsigned i = 0; i < CHOP_COUNT(wanted); i++) assert_int_equal(rules_pause(i + 1, 500), wanted[i]);
    assert_int_equal(rules_pause(0, 500), 500);
    assert_int_equal(rules_pause(4000000000u, 500), 900000);
}

/* ---- receipts ---- */

static struct world *w;
static Pb__ReceiptStatement receipt;
static struct rules_expected expected;
static uint8_t digest[32] = { 1, 2, 3 };

static chop_err check(const struct crypto_key *k, const char *type) {
    struct chop_bytes payload, packed;
    const Pb__ReceiptStatement *r = NULL;
    assert_null(pb_pack(&receipt, w->mem, &payload));
    assert_null(trust_sign_packed(k, NULL, type, payload, w->mem, &packed));
    chop_err e = rules_check_receipt(w->trust, packed, &expected, chop_now_ms(), w->mem, &r);
    assert_true((e == NULL) == (r != NULL));
    return e;
}

static int make(void **state) {
    (void)state;
    w = world_new(NULL);
    expected = (struct rules_expected){ "police", "fact_1", "seal_1", "key", 7, { 1, 2, 3 }, 1 };
    pb__receipt_statement__init(&receipt);
    receipt.registry = PB_STR("police");
    receipt.number = PB_STR("POLICE-20261123-000001");
    receipt.fact_id = PB_STR("fact_1");
    receipt.seal_id = PB_STR("seal_1");
    receipt.idempotency_key = PB_STR("key");
    receipt.seal_seq = 7;
    receipt.received_at = chop_now_ms();
    receipt.fact_digest = PB_BIN(CHOP_BYTES(digest, 32));
    return 0;
}

static int unmake(void **state) {
    (void)state;
    world_free(w);
    return 0;
}

static void test_right_receipt(void **state) {
    (void)state;
    assert_null(check(w->registry[0], "receipt"));
}

/* A manifest whose police key ended half an hour ago: it ran out, or it was stolen and revoked. */
static void end_key(bool revoked) {
    Pb__KeyEntry e = PB__KEY_ENTRY__INIT, *entries[] = { &e };
    Pb__KeyManifest m = PB__KEY_MANIFEST__INIT;
    struct chop_bytes payload, packed;
    int64_t ended = chop_now_ms() - 1800000;
    e.kid = PB_STR(crypto_key_kid(w->registry[0]));
    e.purpose = PB_STR("registry");
    e.algorithm = PB_STR("ES256");
    e.public_key = PB_BIN(crypto_key_spki(w->registry[0]));
    e.not_before = chop_now_ms() - 86400000;
    e.not_after = revoked ? chop_now_ms() + 86400000 : ended;
    e.revoked_at = revoked ? ended : 0;
    e.name = PB_STR("police");
    m.version = 2;
    m.entries = entries;
    m.n_entries = 1;
    assert_null(pb_pack(&m, w->mem, &payload));
    assert_null(trust_sign_packed(w->root, NULL, "manifest", payload, w->mem, &packed));
    trust_free(w->trust);
    assert_null(trust_new(crypto_key_spki(w->root), packed, 0, &w->trust));
}

static void test_ended_keys(void **state) {
    (void)state;
    for (int revoked = 0; revoked <= 1; revoked++) {
        end_key(revoked);
        receipt.received_at = chop_now_ms() - 3600000;
        expected.made_at = chop_now_ms() - 3660000;
        assert_null(check(w->registry[0], "receipt")); /* given while the key was good */
        receipt.received_at = chop_now_ms() - 60000;
        assert_ptr_equal(check(w->registry[0], "receipt"), CHOP_ERR(EPEER));
        receipt.received_at = chop_now_ms() - 3600000;
        expected.made_at = chop_now_ms() - 60000;
        assert_ptr_equal(check(w->registry[0], "receipt"), CHOP_ERR(EPEER)); /* older than what it receipts */
    }
}

static void test_wrong_signers(void **state) {
    (void)state;
    chop_err lie = CHOP_ERR(EPEER);
    assert_ptr_equal(check(w->registry[1], "receipt"), lie); /* another registry's key */
    assert_ptr_equal(check(w->owner, "receipt"), lie);       /* another purpose */
    assert_ptr_equal(check(w->stranger, "receipt"), lie);
    assert_ptr_equal(check(w->registry[0], "fact"), lie);    /* another type */
}

#define BENT(field, value)                                                                    \
    do {                                                                                      \
        __typeof__(receipt.field) was_ = receipt.field;                                       \
        receipt.field = (value);                                                              \
        assert_ptr_equal(check(w->registry[0], "receipt"), CHOP_ERR(EPEER));                  \
        receipt.field = was_;                                                                 \
    } while (0)

static void test_wrong_contents(void **state) {
    (void)state;
    uint8_t other[32] = { 1, 2, 4 };
    BENT(registry, PB_STR("internal"));
    BENT(fact_id, PB_STR("fact_2"));
    BENT(seal_id, PB_STR("seal_2"));
    BENT(idempotency_key, PB_STR("other"));
    BENT(seal_seq, 8);
    BENT(number, PB_STR(""));
    BENT(fact_digest, PB_BIN(CHOP_BYTES(other, 32)));
    BENT(fact_digest, PB_BIN(CHOP_BYTES(digest, 31)));
    assert_null(check(w->registry[0], "receipt"));
}

static void test_tampered_bytes(void **state) {
    (void)state;
    struct chop_bytes payload, packed;
    const Pb__ReceiptStatement *r;
    assert_null(pb_pack(&receipt, w->mem, &payload));
    assert_null(trust_sign_packed(w->registry[0], NULL, "receipt", payload, w->mem, &packed));
    for (size_t i = 0; i < packed.n; i++) {
        struct chop_bytes bent = arena_copy(w->mem, packed);
        ((uint8_t *)(uintptr_t)bent.p)[i] ^= 0x04;
        if (!rules_check_receipt(w->trust, bent, &expected, chop_now_ms(), w->mem, &r)) fail_msg("byte %zu", i);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, make, unmake)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_machine), cmocka_unit_test(test_outcomes), cmocka_unit_test(test_http),
        cmocka_unit_test(test_pauses),  TEST(test_right_receipt), TEST(test_ended_keys),        TEST(test_wrong_signers),
        TEST(test_wrong_contents),      TEST(test_tampered_bytes),
    };
    return cmocka_run_group_tests_name("filing rules", tests, NULL, NULL);
}
