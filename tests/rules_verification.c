/* The rules of verification: every combination of what can be known has the verdict that design 7 gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../services/verification/rules.h"
#include "../services/verification/text.h"
#include "../services/verification/words.h"
#include "arena.h"

#define END ((int64_t)1790000000000)
#define GRACE VERIFICATION_GRACE_MS

static const char *verdict(enum outcome o, bool current, bool differs, bool ended, unsigned flags, int64_t now) {
    const struct situation s = { .outcome = o,
        .flags = flags,
        .seal_ended_now = ended,
        .current = current,
        .differs = differs,
        .now = now,
        .not_after = END };
    return conclude(&s).verdict;
}

/* Said a second time, in words of its own: the whole table, 6 outcomes x 5 conditions x flags. */
static const char *expected(enum outcome o, bool current, bool differs, bool ended, unsigned flags, int64_t now) {
    static const char *const over[OUTCOMES] = { [SPOILED] = "void", [RETURNED] = "void", [REVOKED] = "revoked" };
    if (over[o]) return over[o];
    if (differs) return "mismatch";
    if (!current) return "unavailable";
    switch (o) {
    case PRINTED:
        return flags & MARK_DOUBTFUL ? "doubtful" : "genuine";
    case INTERRUPTED:
        return "interrupted";
    default:
        return ended ? "doubtful" : now > END + GRACE ? "overdue" : "pending";
    }
}

static void test_every_combination(void **state) {
    (void)state;
    static const int64_t times[] = { END - 1, END + GRACE, END + GRACE + 1 };
    size_t seen = 0;
    for (unsigned o = 0; o < OUTCOMES; o++)
        for (unsigned bits = 0; bits < 64; bits++)
            for (size_t t = 0; t < CHOP_COUNT(times); t++, seen++) {
                bool current = bits & 1, differs = bits & 2, ended = bits & 4;
                unsigned flags = bits >> 3;
                assert_string_equal(verdict((enum outcome)o, current, differs, ended, flags, times[t]),
                    expected((enum outcome)o, current, differs, ended, flags, times[t]));
            }
    assert_int_equal(seen, 6 * 64 * 3);
}

/* The sentence that matters most: nothing but a printed, current, matching, undoubted impression is genuine. */
static void test_genuine_is_rare(void **state) {
    (void)state;
    for (unsigned o = 0; o < OUTCOMES; o++)
        for (unsigned bits = 0; bits < 64; bits++) {
            bool current = bits & 1, differs = bits & 2, ended = bits & 4;
            bool genuine = strcmp(verdict((enum outcome)o, current, differs, ended, bits >> 3, END), "genuine") == 0;
            assert_int_equal(genuine, o == PRINTED && current && !differs && !(bits >> 3 & MARK_DOUBTFUL));
        }
}

static void test_old_paper_stays_genuine_after_the_seal(void **state) {
    (void)state;
    assert_string_equal(verdict(PRINTED, true, false, true, 0, END + 1000 * GRACE), "genuine");
}

static void test_reasons(void **state) {
    (void)state;
    struct situation s = { .outcome = SPOILED, .current = true, .not_after = END, .now = END };
    assert_string_equal(conclude(&s).reason, "spoiled");
    s.outcome = RETURNED;
    assert_string_equal(conclude(&s).reason, "returned");
    s.outcome = ISSUED;
    s.flags = MARK_CANCELLED;
    assert_string_equal(conclude(&s).verdict, "pending");
    assert_string_equal(conclude(&s).reason, "grant-cancelled");
    s.outcome = OUTCOMES;
    assert_string_equal(conclude(&s).verdict, "unavailable");
}

static void test_outcomes(void **state) {
    (void)state;
    assert_int_equal(outcome_of("reserved"), ISSUED);
    assert_int_equal(outcome_of("printed"), PRINTED);
    assert_int_equal(outcome_of("nonsense"), OUTCOMES);
    assert_true(outcome_follows(ISSUED, PRINTED) && outcome_follows(INTERRUPTED, SPOILED));
    assert_true(outcome_follows(PRINTED, REVOKED));
    assert_true(outcome_follows(RETURNED, PRINTED)); /* proven, where the other was only said */
    assert_false(outcome_follows(RETURNED, INTERRUPTED) || outcome_follows(RETURNED, ISSUED));
    assert_false(outcome_follows(PRINTED, INTERRUPTED) || outcome_follows(PRINTED, RETURNED));
    assert_false(outcome_follows(PRINTED, SPOILED) || outcome_follows(SPOILED, PRINTED));
    for (unsigned o = 0; o < OUTCOMES; o++)
        assert_false(outcome_follows(REVOKED, (enum outcome)o));
    assert_true(outcome_needs_proof(PRINTED) && outcome_needs_proof(SPOILED) && outcome_needs_proof(REVOKED));
    assert_true(seal_ended("lost") && seal_ended("destroyed") && !seal_ended("active") && !seal_ended("suspended"));
}

static void test_masking_names(void **state) {
    (void)state;
    struct arena *mem = arena_new(1 << 16);
    assert_string_equal(mask_name(mem, "张三"), "张*");
    assert_string_equal(mask_name(mem, "张小三"), "张*三");
    assert_string_equal(mask_name(mem, "欧阳小三"), "欧**三");
    assert_string_equal(mask_name(mem, "Alice"), "A***e");
    assert_string_equal(mask_name(mem, "Alexandra"), "A***a");
    assert_string_equal(mask_name(mem, "李"), "*");
    assert_string_equal(mask_name(mem, ""), "");
    assert_string_equal(mask_text(mem, "上海某某贸易有限公司"), "上海****公司");
    assert_string_equal(mask_text(mem, "采购合同书"), "采购****");
    assert_string_equal(mask_text(mem, "合同书"), "合***");
    assert_string_equal(mask_text(mem, "合同"), "***");
    arena_free(mem);
}

/* A letter cut in two at the end: what lies behind the text stays there. */
static void test_cut_letters(void **state) {
    (void)state;
    struct arena *mem = arena_new(1 << 16);
    char text[] = "张\xE4\0secret of somebody else";
    char four[] = "ab\xF0\0secret of somebody else";
    assert_null(strstr(mask_name(mem, text), "cret"));
    assert_null(strstr(mask_name(mem, four), "cret"));
    assert_null(strstr(mask_text(mem, four), "cret"));
    assert_false(fact_same(text, "张"));
    assert_false(fact_same("张", four));
    arena_free(mem);
}

static void test_masked_verdict_hides(void **state) {
    (void)state;
    struct arena *mem = arena_new(1 << 16);
    Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
    Pb__Approval approval = PB__APPROVAL__INIT, *approvals[] = { &approval };
    Pb__Verdict v = PB__VERDICT__INIT;
    char name[] = "王小明", title[] = "二零二六年采购合同", amount[] = "128,000.00", party[] = "上海某某贸易有限公司",
         sha[] = "ab";
    uint8_t digest[32] = { 0 };
    approval.member_name = v.requester = v.signature_name = name;
    approval.proof_digest = (ProtobufCBinaryData){ 32, digest };
    facts.amount = amount;
    facts.counterparty = party;
    v.document_title = title;
    v.document_sha256 = sha;
    v.facts = &facts;
    v.approvals = approvals;
    v.n_approvals = 1;
    mask_verdict(mem, &v);
    assert_string_equal(v.level, "masked");
    assert_string_equal(v.approvals[0]->member_name, "王*明");
    assert_int_equal(v.approvals[0]->proof_digest.len, 0);
    assert_string_equal(v.requester, "王*明");
    assert_string_equal(v.signature_name, "王*明");
    assert_string_equal(v.facts->amount, "****");
    assert_string_equal(v.facts->counterparty, "上海****公司");
    assert_string_equal(v.document_title, "二零****合同");
    assert_string_equal(v.document_sha256, "");
    arena_free(mem);
}

static void test_facts(void **state) {
    (void)state;
    assert_true(fact_same("¥128,000.00", "128000.00"));
    assert_true(fact_same("ＣＧ－2026 001", "cg-2026001"));
    assert_false(fact_same("128000.00", "1280000.0"));
    assert_false(fact_same("128000", "128000.00"));
    assert_false(fact_same("", "1"));
    Pb__KeyFacts approved = PB__KEY_FACTS__INIT, given = PB__KEY_FACTS__INIT;
    char amount[] = "128000.00", other[] = "1280000.00", number[] = "CG-1";
    const char *names[8];
    approved.amount = amount;
    approved.number = number;
    approved.pages = 12;
    assert_int_equal(facts_differ(&approved, "aa", &given, "", names), 0);
    given.amount = other;
    given.number = number;
    given.pages = 13;
    assert_int_equal(facts_differ(&approved, "aa", &given, "bb", names), 3);
    assert_string_equal(names[0], "amount");
    assert_string_equal(names[1], "document_sha256");
    assert_string_equal(names[2], "pages");
    assert_int_equal(facts_differ(NULL, "", &given, "", names), 3); /* nothing approved: everything given differs */
    assert_int_equal(facts_differ(&approved, "aa", NULL, "AA", names), 0);
}

static void test_text(void **state) {
    (void)state;
    char room[2048];
    struct text t = { .p = room, .cap = sizeof room };
    text_html(&t, "<a href=\"x\" y='z'>&");
    text_put(&t, "|", 1);
    text_uint(&t, 0);
    text_put(&t, "|", 1);
    text_uint(&t, UINT64_MAX);
    text_put(&t, "|", 1);
    text_time(&t, 1793457672000); /* date -u -d @1793457672 */
    text_put(&t, "|", 1);
    text_time(&t, 951782400000 - 8 * 3600000); /* a leap day */
    text_put(&t, "", 1);
    assert_string_equal(room, "&lt;a href=&quot;x&quot; y=&#39;z&#39;&gt;&amp;|0|18446744073709551615|2026-10-31 "
                              "22:41:12|2000-02-29 00:00:00");
    char longer[1024] = { 0 };
    for (size_t i = 0; i + 3 < sizeof longer; i += 3)
        memcpy(longer + i, "印", 3);
    t.n = 0;
    text_html(&t, longer);
    assert_int_equal(t.n, 303);
    assert_true(chop_utf8_valid(room, t.n));
    struct text small = { .p = room, .cap = 4 };
    text_html(&small, "12345");
    assert_true(small.full);
}

static void test_every_verdict_has_words(void **state) {
    (void)state;
    static const char *const all[] = { "genuine", "pending", "overdue", "interrupted", "void", "doubtful", "revoked",
        "unknown", "mismatch", "mistyped", "unavailable", "elsewhere" };
    for (size_t i = 0; i < CHOP_COUNT(all); i++)
        assert_string_equal(words_of(all[i])->verdict, all[i]);
    assert_string_equal(words_of("nonsense")->verdict, "unavailable");
    assert_non_null(reason_words("after-loss"));
    assert_null(reason_words("nonsense"));
}

static void test_host(void **state) {
    (void)state;
    assert_null(verification_host("12345678901234567890"));
    assert_ptr_equal(verification_host("123456789012345678901"), CHOP_ERR(EINVAL));
    assert_ptr_equal(verification_host(""), CHOP_ERR(EINVAL));
    assert_ptr_equal(verification_host("a/b"), CHOP_ERR(EINVAL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination),
        cmocka_unit_test(test_genuine_is_rare),
        cmocka_unit_test(test_old_paper_stays_genuine_after_the_seal),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_masking_names),
        cmocka_unit_test(test_cut_letters),
        cmocka_unit_test(test_masked_verdict_hides),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_every_verdict_has_words),
        cmocka_unit_test(test_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
