/* act_clauses_met against an oracle that works on bit sets: every set of proven factors, every list of up to two
 * clauses of up to two factors. (The rest of lib/act needs a store: svc_identity.) */
#include "act.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "common.pb-c.h"

static char *factors[] = { (char[]){ "password" }, (char[]){ "key" }, (char[]){ "fingerprint" }, (char[]){ "face" },
    (char[]){ "realname" }, (char[]){ "alipay" }, (char[]){ "wechat" }, (char[]){ "oidc" } };
enum { FACTORS = CHOP_COUNT(factors), NONE = FACTORS };

struct shape {
    int picks[2][2]; /* NONE: the place is empty */
    int n_clauses;
};

static bool oracle(const struct shape *s, unsigned proven) {
    for (int i = 0; i < s->n_clauses; i++) {
        unsigned any_of = 0;
        for (int k = 0; k < 2; k++)
            if (s->picks[i][k] != NONE) any_of |= 1u << s->picks[i][k];
        if ((any_of & proven) == 0) return false;
    }
    return true;
}

static bool asked(const struct shape *s, unsigned proven) {
    Pb__Clause clauses[2] = { PB__CLAUSE__INIT, PB__CLAUSE__INIT };
    char *lists[2][2];
    Pb__Clause *list[2] = { &clauses[0], &clauses[1] };
    const char *names[FACTORS];
    size_t n = 0;
    for (int i = 0; i < s->n_clauses; i++) {
        clauses[i].factors = lists[i];
        for (int k = 0; k < 2; k++)
            if (s->picks[i][k] != NONE) lists[i][clauses[i].n_factors++] = factors[s->picks[i][k]];
    }
    for (int f = FACTORS - 1; f >= 0; f--)
        if (proven & 1u << f) names[n++] = factors[f];
    return act_clauses_met(list, (size_t)s->n_clauses, names, n);
}

static void check_proven(const struct shape *s) {
    for (unsigned proven = 0; proven < 1u << FACTORS; proven++)
        assert_int_equal(asked(s, proven), oracle(s, proven));
}

static void test_all_shapes(void **state) {
    (void)state;
    check_proven(&(struct shape){ .n_clauses = 0 });
    for (int a = 0; a <= NONE; a++)
        for (int b = 0; b <= NONE; b++) {
            check_proven(&(struct shape){ { { a, b } }, 1 });
            for (int i = 0; i <= NONE; i++)
                for (int k = 0; k <= NONE; k++)
                    check_proven(&(struct shape){ { { a, b }, { i, k } }, 2 });
        }
}

static void test_names_compare_whole(void **state) {
    (void)state;
    Pb__Clause clause = PB__CLAUSE__INIT, *list = &clause;
    clause.n_factors = 1;
    clause.factors = (char *[]){ (char[]){ "key" } };
    assert_false(act_clauses_met(&list, 1, (const char *const[]){ "keys", "ke", "", "KEY" }, 4));
    assert_true(act_clauses_met(&list, 1, (const char *const[]){ "keys", "key" }, 2));
}

static void test_empty_clause_is_never_met(void **state) {
    (void)state;
    Pb__Clause clause = PB__CLAUSE__INIT, *list = &clause;
    assert_false(act_clauses_met(&list, 1, (const char *const *)factors, FACTORS));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_shapes), cmocka_unit_test(test_names_compare_whole),
        cmocka_unit_test(test_empty_clause_is_never_met) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
