/* chop-verification against a real PostgreSQL and nats-server: what it says of a paper, and that nothing unsigned makes
 * it say more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "svc_verification_ask.h"

static struct authority *authority;
static struct fixture_program *program;

#define SQL(text) fixture_sql("verification", text)

/* ---- the life of a paper ---- */

static void test_from_pending_to_revoked(void **state) {
    (void)state;
    struct paper *p = paper_new();
    paper_issue(p);
    becomes(p, "pending");
    paper_settle(p, "printed", "impression-printed", "");
    becomes(p, "genuine");
    Pb__Verdict *v;
    assert_null(verify(p->token, "", &v));
    assert_true(v->printed_at > 0 && v->as_of > chop_now_ms() - 60000 && v->as_of <= chop_now_ms());
    assert_int_equal(v->number, 1);
    assert_int_equal(v->copies, 100);
    assert_string_equal(v->organization, "北京华章科技有限公司");
    paper_settle_with(p, &(struct settle){ .state = "revoked", .revocation = true });
    becomes(p, "revoked");
    paper_settle(p, "printed", "impression-printed", ""); /* told again, or late: a revoked paper stays revoked */
    settled(p);
    assert_string_equal(verdict_of(p->token), "revoked");
}

static void test_overdue(void **state) {
    (void)state;
    struct paper *p = paper_new();
    p->kit->allotment.not_after = chop_now_ms() - 15 * 60 * 1000 - 1000;
    paper_issue(p);
    becomes(p, "overdue");
    paper_settle(p, "printed", "impression-printed", ""); /* a late report still counts */
    becomes(p, "genuine");
}

static void test_interrupted_and_settled(void **state) {
    (void)state;
    struct paper *p = paper_new();
    paper_issue(p);
    paper_settle(p, "interrupted", NULL, NULL);
    becomes(p, "interrupted");
    paper_settle(p, "printed", "impression-settled", "printed");
    becomes(p, "genuine");
    paper_settle(p, "interrupted", NULL, NULL); /* unsigned: takes nothing back */
    settled(p);
    assert_string_equal(verdict_of(p->token), "genuine");
}

static void test_spoiled_and_replaced(void **state) {
    (void)state;
    struct paper *p = paper_new();
    Pb__Verdict *v;
    paper_issue(p);
    paper_settle(p, "spoiled", "impression-spoiled", "jam");
    becomes(p, "void");
    struct paper *next = paper_sibling(p, 2, "alt_replacement");
    next->kit->allotment.replaces = 1;
    paper_issue(next);
    becomes(next, "pending");
    assert_null(verify(p->token, "", &v));
    assert_string_equal(v->reason, "spoiled");
    assert_int_equal(v->replaced_by, 2);
}

/* A number that went back and was printed under another allotment: the old marks are void, the new ones are not. */
static void test_returned_number(void **state) {
    (void)state;
    struct paper *p = paper_new();
    paper_issue(p);
    paper_settle(p, "returned", NULL, NULL);
    becomes(p, "void");
    struct paper *again = paper_sibling(p, 1, "alt_second");
    paper_issue(again);
    paper_settle(again, "printed", "impression-printed", "");
    becomes(again, "genuine");
    assert_string_equal(verdict_of(p->token), "void");
}

static void test_doubtful_after_loss(void **state) {
    (void)state;
    struct paper *before = paper_new(), *after;
    paper_issue(before);
    paper_settle(before, "printed", "impression-printed", "");
    becomes(before, "genuine");
    after = paper_sibling(before, 2, NULL);
    paper_issue(after);
    becomes(after, "pending");
    seal_change(before, "lost", 7, NULL);
    becomes(after, "doubtful"); /* on paper, unconfirmed, and the seal is away */
    paper_settle(after, "printed", "impression-printed", "");
    settled(before);
    assert_string_equal(verdict_of(after->token), "doubtful");
    assert_string_equal(verdict_of(before->token), "genuine"); /* a verdict is about the moment of printing */
    seal_change(before, "active", 8, NULL);
    seal_change(before, "destroyed", 6, NULL); /* older than what is known */
    settled(before);
    assert_string_equal(verdict_of(after->token), "doubtful");
    Pb__Verdict *v;
    assert_null(verify(before->token, "", &v));
    assert_string_equal(v->seal_state_now, "active");
}

/* Producers are not ordered among each other. */
static void test_any_order(void **state) {
    (void)state;
    struct paper *p = paper_new();
    uint8_t digest[32];
    Pb__Verdict *v;
    paper_seal(p);
    paper_settle(p, "printed", "impression-printed", "");
    const char *fact = fact_file(p, "impression-printed", digest);
    nap(300);
    receipt_tell(p, fact, digest, fixture_key("registry"), "P-1");
    nap(300);
    tell("issuance", "issuance.impression.issued", p->kit->grant.seal_id, &p->issued);
    becomes(p, "genuine");
    assert_null(verify(p->token, "", &v));
    assert_int_equal(v->n_filings, 1);
    assert_string_equal(v->filings[0]->state, "filed");
    assert_string_equal(v->filings[0]->number, "P-1");
}

static void test_filings(void **state) {
    (void)state;
    struct paper *p = paper_new();
    uint8_t digest[32], other[32] = { 1 };
    Pb__Verdict *v;
    paper_issue(p);
    paper_settle(p, "printed", "impression-printed", "");
    becomes(p, "genuine");
    const char *fact = fact_file(p, "impression-printed", digest);
    receipt_tell(p, fact, digest, fixture_key("authorization"), "FORGED-1"); /* not the registry */
    receipt_tell(p, fact, digest, verification_world->printer, "FORGED-2");  /* nobody */
    settled(p);
    assert_null(verify(p->token, "", &v));
    assert_int_equal(v->n_filings, 1);
    assert_string_equal(v->filings[0]->state, "pending");
    assert_string_equal(v->filings[0]->registry, "police");
    receipt_tell(p, fact_file(p, "print-commanded", digest), other, fixture_key("registry"),
        "OTHER-FACT"); /* of other contents */
    settled(p);
    (void)fact_file(p, "authorization-given", digest); /* makes the rows again from all that is stored */
    settled(p);
    assert_null(verify(p->token, "", &v));
    assert_int_equal(v->n_filings, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(v->filings[i]->state, "pending");
}

/* ---- forged events ---- */

static void unknown_still(struct paper *p, const struct paper *beside) {
    paper_issue(p);
    settled(beside);
    assert_string_equal(verdict_of(p->token), "unknown");
}

static void test_forged_issuing(void **state) {
    (void)state;
    struct paper *good = paper_new(), *p;
    paper_issue(good);
    becomes(good, "pending");
    (p = paper_new())->kit->grant_signer = "issuance";
    unknown_still(p, good);
    (p = paper_new())->kit->allotment_signer = "bridge";
    unknown_still(p, good);
    (p = paper_new())->kit->grant_signer = "authorization-org_b"; /* a key of another organization alone */
    unknown_still(p, good);
    (p = paper_new())->kit->allotment_signer = "authorization-org_b";
    unknown_still(p, good);
    (p = paper_new())->statement_signer = "authorization";
    unknown_still(p, good);
    (p = paper_new())->kit->bend_grant_digest = true; /* an allotment of another grant */
    unknown_still(p, good);
    (p = paper_new())->statement.number = 9; /* a number that was not allotted */
    unknown_still(p, good);
    /* a strange token under a real grant: issuance's word does not cover it */
    p = paper_new();
    paper_seal(p);
    p->issued.statement->payload.data[p->issued.statement->payload.len - 3] ^= 1;
    tell("issuance", "issuance.impression.issued", p->kit->grant.seal_id, &p->issued);
    settled(good);
    assert_string_equal(verdict_of(p->token), "unknown");
    assert_non_null(strstr(fixture_log("verification"), "event not believed"));
}

/* A second pair of marks for the same number: the first ones count. */
static void test_second_marks(void **state) {
    (void)state;
    struct paper *p = paper_new(), *second;
    paper_issue(p);
    becomes(p, "pending");
    second = paper_sibling(p, 1, NULL);
    unknown_still(second, p);
}

static void test_forged_outcomes(void **state) {
    (void)state;
    struct paper *p = paper_new();
    paper_issue(p);
    becomes(p, "pending");
    static const struct settle forged[] = {
        { .state = "printed" },
        { .state = "printed", .kind = "impression-printed", .signer = "issuance" },
        { .state = "printed", .kind = "impression-printed", .fact_number = 2 },
        { .state = "printed", .kind = "impression-spoiled" },
        { .state = "printed", .kind = "print-commanded" },
        { .state = "printed", .kind = "impression-settled", .detail = "spoiled" },
        { .state = "printed", .revocation = true },
        { .state = "spoiled" },
        { .state = "spoiled", .kind = "impression-printed" },
        { .state = "revoked" },
        { .state = "revoked", .revocation = true, .signer = "bridge" },
        { .state = "revoked", .revocation = true, .fact_number = 2 },
        { .state = "genuine", .kind = "impression-printed" },
    };
    for (size_t i = 0; i < CHOP_COUNT(forged); i++)
        paper_settle_with(p, &forged[i]);
    seal_change(p, "lost", 3, "bridge");
    settled(p);
    assert_string_equal(verdict_of(p->token), "pending");
    /* "returned" needs no proof, so it does not stand against one */
    paper_settle(p, "returned", NULL, NULL);
    becomes(p, "void");
    paper_settle(p, "printed", "impression-printed", "");
    becomes(p, "genuine");
}

/* Nothing that decides comes from the event around a true fact: not its seal, not its time, not half of a word. */
static void test_true_facts_in_forged_events(void **state) {
    (void)state;
    struct paper *p = paper_new(), *late, *moved;
    paper_issue(p);
    becomes(p, "pending");
    late = paper_sibling(p, 2, NULL);
    moved = paper_sibling(p, 3, NULL);
    paper_issue(late);
    paper_issue(moved);
    becomes(moved, "pending");
    seal_change_as(p, "lost", "l", 7);
    seal_change(p, "lost", 7, NULL);
    becomes(p, "doubtful");
    paper_settle_with(late, &(struct settle){ .state = "printed", .kind = "impression-printed", .at = 1000 });
    paper_settle_with(
        moved, &(struct settle){ .state = "printed", .kind = "impression-printed", .key = "seal_of_another_lane" });
    settled(p);
    nap(300);
    assert_string_equal(verdict_of(late->token), "doubtful");
    assert_string_equal(verdict_of(moved->token), "doubtful");
}

/* ---- marks, ciphers, facts ---- */

static void test_any_mark(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    Pb__Verdict *v;
    assert_null(verify(p->serial, "", &v));
    assert_string_equal(v->verdict, "genuine");
    assert_string_equal(v->level, "masked");
    assert_string_equal(v->token, p->token);
    assert_null(verify(fixture_text("%s%s", p->serial, p->cipher), "", &v)); /* the bar code */
    assert_string_equal(v->level, "full");
    assert_string_equal(v->requester, "张小三");
    assert_string_equal(verdict_of(fixture_text("HTTPS://V.EXAMPLE.CN:8443/V/%s", p->token)), "genuine");
    assert_string_equal(verdict_of(fixture_text("https://v.example.cn:8443/v/%s", p->token)), "genuine");
    assert_string_equal(verdict_of(fixture_text("https://evil.example.cn/V/%s", p->token)), "elsewhere");
    char bad[MARKS_SERIAL_LEN + 1];
    memcpy(bad, p->serial, sizeof bad);
    bad[3] = bad[3] == '9' ? '0' : (char)(bad[3] + 1);
    assert_string_equal(verdict_of(bad), "mistyped");
    assert_string_equal(verdict_of("hello"), "EINVAL");
    assert_string_equal(verdict_of(p->cipher), "EINVAL");
    assert_string_equal(verdict_of(""), "EINVAL");
}

static void test_levels(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    Pb__Verdict *v;
    assert_null(verify(p->token, "", &v));
    assert_string_equal(v->requester, "张*三");
    assert_string_equal(v->approvals[0]->member_name, "王*明");
    assert_string_equal(v->facts->amount, "****");
    assert_string_equal(v->facts->number, "CG-2026-1123");
    assert_string_equal(v->document_sha256, "");
    assert_null(verify(p->token, p->cipher, &v));
    assert_string_equal(v->level, "full");
    assert_string_equal(v->approvals[0]->member_name, "王小明");
    assert_string_equal(v->approvals[0]->member_id, "");
    assert_string_equal(v->facts->amount, "128,000.00");
    assert_int_equal(strlen(v->document_sha256), 64);
}

/* Another cipher with a fitting check digit. */
static void wrong_cipher(const struct paper *p, unsigned n, char out[MARKS_CIPHER_LEN + 1]) {
    uint8_t mac[32] = { (uint8_t)n, (uint8_t)(n >> 8), 7 };
    do {
        crypto_sha256(CHOP_BYTES(mac, 32), mac);
        marks_cipher_make(mac, p->serial, out);
    } while (strcmp(out, p->cipher) == 0);
}

static void test_wrong_ciphers_slow(void **state) {
    (void)state;
    struct paper *p = printed_paper(), *other = printed_paper();
    char wrong[MARKS_CIPHER_LEN + 1];
    Pb__Verdict *v;
    for (unsigned i = 0; i < 4; i++) {
        wrong_cipher(p, i, wrong);
        assert_null(verify(p->token, wrong, &v));
        assert_string_equal(v->verdict, "mismatch");
        assert_string_equal(v->level, "masked");
        assert_string_equal(v->mismatches[0], "cipher");
    }
    assert_ptr_equal(verify(p->token, wrong, &v), CHOP_ERR(ETHROTTLED));
    assert_ptr_equal(verify(p->token, p->cipher, &v), CHOP_ERR(ETHROTTLED)); /* or guessing in parallel would pay */
    assert_ptr_equal(verify(fixture_text("%s%s", p->serial, p->cipher), "", &v), CHOP_ERR(ETHROTTLED));
    assert_string_equal(verdict_of(p->token), "genuine"); /* only its full level */
    assert_null(verify(other->token, other->cipher, &v));
    assert_string_equal(v->level, "full");
    assert_true(has(page(p->token, p->cipher, "text/html"), "稍后再试"));
    nap(1100);
    assert_null(verify(p->token, p->cipher, &v));
    assert_string_equal(v->level, "full");
    for (unsigned i = 0; i < 3; i++) { /* forgiven */
        wrong_cipher(p, i, wrong);
        assert_null(verify(p->token, wrong, &v));
    }
}

static void test_mistyped_cipher_is_no_try(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    char bad[MARKS_CIPHER_LEN + 1];
    Pb__Verdict *v;
    memcpy(bad, p->cipher, sizeof bad);
    bad[7] = bad[7] == '9' ? '0' : (char)(bad[7] + 1);
    for (int i = 0; i < 10; i++)
        assert_ptr_equal(verify(p->token, bad, &v), CHOP_ERR(EMISTYPED));
    assert_ptr_equal(verify(p->token, "1234", &v), CHOP_ERR(EMISTYPED));
    assert_null(verify(p->token, p->cipher, &v));
    assert_true(has(page(p->token, bad, ""), "密押输入有误"));
}

static void test_facts(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    Pb__VerifyRequest in = PB__VERIFY_REQUEST__INIT;
    Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
    Pb__Verdict *v;
    in.mark = p->token;
    in.facts = &facts;
    facts.amount = PB_STR("￥１２８０００．００");
    facts.pages = 12;
    assert_null(ask(&in, &v));
    assert_string_equal(v->verdict, "genuine");
    facts.amount = PB_STR("1128000.00");
    facts.pages = 13;
    in.document_sha256 = PB_STR("00");
    assert_null(ask(&in, &v));
    assert_string_equal(v->verdict, "mismatch");
    assert_int_equal(v->n_mismatches, 3);
    assert_string_equal(v->facts->amount, "****"); /* what differs is named, not told */
}

/* A yes or no to what the masked level hides is a guess: without the cipher they slow down, of that paper only. */
static void test_guessing_facts_slows(void **state) {
    (void)state;
    struct paper *p = printed_paper(), *other = printed_paper();
    Pb__VerifyRequest in = PB__VERIFY_REQUEST__INIT;
    Pb__KeyFacts facts = PB__KEY_FACTS__INIT, shown = PB__KEY_FACTS__INIT;
    Pb__Verdict *v;
    in.mark = p->token;
    in.facts = &facts;
    for (int i = 0; i < 4; i++) {
        facts.amount = PB_STR(fixture_text("%d", 127000 + i));
        assert_null(ask(&in, &v));
        assert_string_equal(v->verdict, "mismatch");
    }
    facts.amount = PB_STR("128000.00"); /* also the right one: or guessing in parallel would pay */
    assert_ptr_equal(ask(&in, &v), CHOP_ERR(ETHROTTLED));
    assert_string_equal(chop_detail_field(), "facts");
    shown.number = PB_STR("CG-2026-1124"); /* shown to all: comparing it tells nothing */
    in.facts = &shown;
    assert_null(ask(&in, &v));
    assert_string_equal(v->verdict, "mismatch");
    in.facts = NULL;
    in.document_sha256 = PB_STR("00");
    assert_ptr_equal(ask(&in, &v), CHOP_ERR(ETHROTTLED));
    in.document_sha256 = PB_STR("");
    in.facts = &facts;
    in.cipher = p->cipher; /* who holds the paper is not slowed by strangers */
    assert_null(ask(&in, &v));
    assert_string_equal(v->verdict, "genuine");
    in.cipher = PB_STR("");
    in.mark = other->token;
    assert_null(ask(&in, &v));
    in.mark = p->token;
    nap(1100);
    facts.amount = PB_STR("");
    facts.counterparty = PB_STR("上海远航贸易有限公司");
    assert_null(ask(&in, &v)); /* right, and forgives nothing: the next wrong one has its pause again */
    assert_string_equal(v->verdict, "genuine");
    facts.amount = PB_STR("1");
    assert_null(ask(&in, &v));
    assert_ptr_equal(ask(&in, &v), CHOP_ERR(ETHROTTLED));
}

static void test_counts(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    const char *sql = fixture_text("SELECT coalesce(sum(n), 0) FROM check_count WHERE token = '%s'", p->token);
    int before = atoi(SQL(sql));
    (void)page(p->token, "", "");
    assert_int_equal(atoi(SQL(sql)), before);
    (void)verdict_of(p->token);
    (void)verdict_of(p->serial);
    assert_int_equal(atoi(SQL(sql)), before + 2);
}

/* ---- the page ---- */

static void test_page(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    Pb__HttpPage *h = page(p->token, "", "text/html,*/*");
    assert_int_equal(h->status, 200);
    assert_string_equal(h->content_type, "text/html; charset=utf-8");
    assert_string_equal(h->cache_control, "no-store");
    assert_true(h->body.len < 30000 && chop_utf8_valid((const char *)h->body.data, h->body.len));
    assert_true(
        has(h, "真实") && has(h, "Genuine") && has(h, "王*明") && has(h, "总经理") && has(h, "北京华章科技有限公司"));
    assert_false(has(h, "128,000") || has(h, "远航") || has(h, "王小明") || has(h, "<script"));
    assert_true(has(h, "name=c") && has(h, fixture_text("action=\"/V/%s\"", p->token)));
    assert_true(has(h, "不对合同效力作任何判断") && has(h, "v.example.cn:8443"));
    h = page(p->token, p->cipher, "");
    assert_true(has(h, "128,000.00") && has(h, "王小明") && has(h, "采购合同"));
    assert_true(has(h, "&lt;设备&gt;") && !has(h, "<设备>"));
    assert_false(has(h, "name=c "));
    h = page(p->token, "", "application/json");
    assert_string_equal(h->content_type, "application/json");
    assert_true(has(h, "\"verdict\":\"genuine\""));
    char lower[MARKS_TOKEN_LEN + 1] = { 0 };
    for (int i = 0; i < MARKS_TOKEN_LEN; i++)
        lower[i] = (char)(p->token[i] | (p->token[i] >= 'A' ? 0x20 : 0));
    assert_true(has(page(lower, "", ""), "真实"));
}

static void test_page_of_nothing(void **state) {
    (void)state;
    Pb__HttpPage *h = page("0123456789ABCDEF", "", "");
    assert_int_equal(h->status, 404);
    assert_true(has(h, "查无此印") && has(h, "Unknown"));
    assert_int_equal(page("x", "", "")->status, 404);
    assert_int_equal(page("<script>alert(1)</script>", "", "")->status, 404);
    assert_false(has(page("<script>alert(1)</script>", "", ""), "alert"));
    issuance_silent(true);
    h = page("0123456789ABCDEF", "", "");
    issuance_silent(false);
    assert_int_equal(h->status, 503);
    assert_true(has(h, "暂时无法核验"));
}

/* ---- never genuine from what may be old ---- */

static void test_the_owner_is_asked_on_a_miss(void **state) {
    (void)state;
    struct paper *p = paper_new();
    paper_seal(p);
    paper_known(p); /* issuance knows it; its event is still on its way */
    authority->number_state = "printed";
    authority->number_allotment = p->kit->allotment.allotment_id;
    Pb__Verdict *v;
    assert_null(verify(p->token, "", &v));
    assert_string_equal(v->verdict, "genuine");
    assert_null(verify(p->serial, "", &v));
    assert_string_equal(v->verdict, "genuine");
    /* nobody here knows yet whether the print came before the seal's end */
    authority->seal_state = "lost";
    assert_string_equal(verdict_of(p->token), "unavailable");
    authority->seal_state = NULL;
    authority->number_state = "reserved";
    assert_string_equal(verdict_of(p->token), "pending");
    authority->number_allotment = "alt_other"; /* the number went to another allotment: these marks never printed */
    assert_string_equal(verdict_of(p->token), "void");
    authority->number_state = NULL;
    struct paper *forged = paper_new();
    forged->kit->grant_signer = "issuance";
    paper_seal(forged);
    paper_known(forged);
    assert_string_equal(verdict_of(forged->token), "unavailable");
}

static void test_lag(void **state) {
    (void)state;
    struct paper *p = printed_paper(), *revoked = printed_paper();
    paper_settle_with(revoked, &(struct settle){ .state = "revoked", .revocation = true });
    becomes(revoked, "revoked");
    producers_quiet(true);
    nap(4000); /* STALE_MS and an announcement's interval */
    authority->silent = true;
    assert_string_equal(verdict_of(p->token), "unavailable");
    assert_string_equal(verdict_of(revoked->token), "revoked");
    assert_int_equal(page(p->token, "", "")->status, 503);
    authority->silent = false;
    authority->number_allotment = p->kit->allotment.allotment_id;
    authority->number_state = "revoked"; /* the owner knows more */
    assert_string_equal(verdict_of(p->token), "revoked");
    authority->number_state = "printed";
    assert_string_equal(verdict_of(p->token), "genuine");
    authority->number_state = NULL;
    producers_quiet(false);
    becomes(p, "genuine");
}

static void test_without_store(void **state) {
    (void)state;
    struct paper *p = printed_paper();
    paper_known(p);
    fixture_kill_part(FIX_PG);
    authority->number_state = "printed";
    authority->number_allotment = p->kit->allotment.allotment_id;
    assert_int_equal(page(p->token, "", "")->status, 200);
    assert_string_equal(verdict_of(p->token), "genuine");
    issuance_silent(true);
    assert_int_equal(page(p->token, "", "")->status, 503);
    issuance_silent(false);
    authority->number_state = NULL;
    fixture_up(FIX_PG);
    becomes(p, "genuine");
}

/* ---- */

static int up(void **state) {
    (void)state;
    verification_world = world_up();
    authority = authority_up();
    producers_up(true);
    program = fixture_start("verification", NULL, world_verification_env());
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    producers_down();
    world_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_from_pending_to_revoked),
        cmocka_unit_test(test_overdue),
        cmocka_unit_test(test_interrupted_and_settled),
        cmocka_unit_test(test_spoiled_and_replaced),
        cmocka_unit_test(test_returned_number),
        cmocka_unit_test(test_doubtful_after_loss),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_filings),
        cmocka_unit_test(test_forged_issuing),
        cmocka_unit_test(test_second_marks),
        cmocka_unit_test(test_forged_outcomes),
        cmocka_unit_test(test_true_facts_in_forged_events),
        cmocka_unit_test(test_any_mark),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_wrong_ciphers_slow),
        cmocka_unit_test(test_mistyped_cipher_is_no_try),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_guessing_facts_slows),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_page),
        cmocka_unit_test(test_page_of_nothing),
        cmocka_unit_test(test_the_owner_is_asked_on_a_miss),
        cmocka_unit_test(test_lag),
        cmocka_unit_test(test_without_store),
    };
    return cmocka_run_group_tests(tests, up, down);
}
