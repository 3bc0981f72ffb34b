/* The chain rule of the registry, case by case. */
#include "rules.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const uint8_t a[32] = { 1 }, b[32] = { 2 };

static enum rules_verdict judge(uint64_t last, bool key, bool seq, const uint8_t held[32], uint64_t fact_seq,
    struct chop_bytes previous) {
    struct rules_chain chain = { .last_seq = last };
    memcpy(chain.last_digest, a, 32);
    struct rules_held by_key = { .found = key }, by_seq = { .found = seq };
    memcpy(by_key.digest, held, 32);
    memcpy(by_seq.digest, held, 32);
    struct rules_fact fact = { .seq = fact_seq, .previous = previous };
    memcpy(fact.digest, b, 32);
    return rules_judge(&chain, &by_key, &by_seq, &fact);
}

static void test_rules(void **state) {
    (void)state;
    struct chop_bytes none = CHOP_BYTES(NULL, 0), right = CHOP_BYTES(a, 32), wrong = CHOP_BYTES(b, 32);
    assert_int_equal(judge(0, false, false, a, 1, none), RULES_ACCEPT);
    assert_int_equal(judge(4, false, false, a, 5, right), RULES_ACCEPT);
    assert_int_equal(judge(0, false, false, a, 1, right), RULES_CONFLICT); /* the first has no previous */
    assert_int_equal(judge(4, false, false, a, 5, none), RULES_CONFLICT);
    assert_int_equal(judge(4, false, false, a, 5, wrong), RULES_CONFLICT);
    assert_int_equal(judge(4, false, false, a, 5, CHOP_BYTES(a, 31)), RULES_CONFLICT);
    assert_int_equal(judge(0, false, false, a, 2, right), RULES_GAP);
    assert_int_equal(judge(4, false, false, a, 6, right), RULES_GAP);
    assert_int_equal(judge(4, false, false, a, 3, right), RULES_GAP);
    assert_int_equal(judge(4, true, false, b, 3, right), RULES_SAME);
    assert_int_equal(judge(4, true, false, a, 5, right), RULES_CONFLICT);
    assert_int_equal(judge(4, false, true, b, 3, right), RULES_SAME);
    assert_int_equal(judge(4, false, true, a, 3, right), RULES_CONFLICT);
}

/* last: what is held; gap: whose place the notice (fact 9) may take here. */
static enum rules_verdict judge_notice(uint64_t last, uint64_t gap, bool key, bool seq) {
    struct rules_chain chain = { .last_seq = last };
    struct rules_held by_key = { .found = key }, by_seq = { .found = seq };
    struct rules_fact fact = { .seq = 9, .previous = CHOP_BYTES(b, 32), .gap_seq = gap };
    memcpy(chain.last_digest, b, 32);
    memcpy(by_key.digest, a, 32);
    memcpy(by_seq.digest, a, 32);
    memcpy(fact.digest, a, 32);
    return rules_judge(&chain, &by_key, &by_seq, &fact);
}

static void test_notices(void **state) {
    (void)state;
    assert_int_equal(judge_notice(4, 5, false, false), RULES_STAND_IN);
    assert_int_equal(judge_notice(0, 1, false, false), RULES_STAND_IN);
    assert_int_equal(judge_notice(4, 0, false, false), RULES_GAP); /* no notice, or another registry's */
    assert_int_equal(judge_notice(4, 6, false, false), RULES_GAP); /* the place is not due */
    assert_int_equal(judge_notice(4, 4, false, false), RULES_GAP); /* the place is taken */
    assert_int_equal(judge_notice(4, 5, true, false), RULES_SAME);
    assert_int_equal(judge_notice(8, 5, false, false), RULES_ACCEPT); /* the same notice, as the fact that it is */
    assert_int_equal(judge_notice(9, 5, false, true), RULES_SAME);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rules), cmocka_unit_test(test_notices) };
    return cmocka_run_group_tests_name("registry rules", tests, NULL, NULL);
}
