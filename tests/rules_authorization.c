/* Authorization's rules: every state with every action, approvers n of m, terms, counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "arena.h"
#include "rules_grant.h"
#include "rules_policy.h"
#include "rules_request.h"
#include "rules_seal.h"

#define is(e, NAME) assert_ptr_equal((e), CHOP_ERR(NAME))
#define ok(e) assert_null(e)

/* ---- every state with every action: "state action next", all that is not listed is ESTATE ---- */
struct allowed {
    const char *state, *action, *next;
};
static void check_machine(const struct fsm *m, const struct allowed *list, size_t n) {
    size_t seen = 0;
    assert_true(fsm_valid(m));
    for (size_t s = 0; s < m->n_states; s++)
        for (size_t a = 0; a < m->n_moves; a++) {
            const char *next = NULL, *want = NULL;
            bool first = true;
            for (size_t k = 0; k < a; k++)
                first = first && strcmp(m->moves[k].action, m->moves[a].action) != 0;
            if (!first) continue;
            for (size_t k = 0; k < n; k++)
                if (!strcmp(list[k].state, m->states[s].name) && !strcmp(list[k].action, m->moves[a].action))
                    want = list[k].next;
            chop_err e = fsm_apply(m, m->states[s].name, m->moves[a].action, &next);
            if (want) {
                ok(e);
                assert_string_equal(next, want);
                assert_true(fsm_may(m, m->states[s].name, next));
                seen++;
            } else {
                is(e, ESTATE);
                assert_null(next);
            }
        }
    assert_int_equal(seen, n);
    const char *next;
    is(fsm_apply(m, m->states[0].name, "no-such-action", &next), EINVAL);
}

static void test_seal_states(void **state) {
    (void)state;
    static const struct allowed list[] = { { "draft", "register", "registered" }, { "draft", "activate", "active" },
        { "draft", "destroy", "destroyed" }, { "registered", "activate", "active" },
        { "registered", "report_lost", "lost" }, { "registered", "revoke", "revoked" },
        { "active", "register", "active" }, { "active", "suspend", "suspended" }, { "active", "report_lost", "lost" },
        { "active", "revoke", "revoked" }, { "suspended", "register", "suspended" },
        { "suspended", "resume", "active" }, { "suspended", "report_lost", "lost" },
        { "suspended", "revoke", "revoked" }, { "lost", "recover", "suspended" }, { "lost", "revoke", "revoked" },
        { "lost", "destroy", "destroyed" }, { "revoked", "destroy", "destroyed" } };
    check_machine(&seal_fsm, list, CHOP_COUNT(list));
}

static void test_request_states(void **state) {
    (void)state;
    static const struct allowed list[] = { { "pending", "approve", "pending" },
        { "pending", "await_signature", "signing" }, { "pending", "grant", "granted" },
        { "pending", "reject", "rejected" }, { "pending", "withdraw", "withdrawn" }, { "pending", "expire", "expired" },
        { "signing", "sign", "granted" }, { "signing", "withdraw", "withdrawn" }, { "signing", "expire", "expired" },
        { "granted", "cancel", "cancelled" } };
    check_machine(&request_fsm, list, CHOP_COUNT(list));
}

static void test_grant_states(void **state) {
    (void)state;
    static const struct allowed list[] = { { "waiting", "open", "open" }, { "waiting", "cancel", "cancelled" },
        { "open", "suspend", "suspended" }, { "open", "cancel", "cancelled" }, { "suspended", "resume", "open" },
        { "suspended", "cancel", "cancelled" } };
    check_machine(&grant_fsm, list, CHOP_COUNT(list));
}

static void test_number_states(void **state) {
    (void)state;
    static const struct allowed list[] = { { "reserved", "report_printed", "printed" },
        { "reserved", "report_spoiled", "spoiled" }, { "reserved", "report_refused", "returned" },
        { "reserved", "report_interrupted", "interrupted" }, { "reserved", "close_out", "returned" }, { "reserved", "settle_printed", "printed" },
        { "reserved", "settle_spoiled", "spoiled" }, { "interrupted", "settle_printed", "printed" },
        { "interrupted", "settle_spoiled", "spoiled" }, { "returned", "reserve", "reserved" },
        { "printed", "revoke", "revoked" } };
    check_machine(&number_fsm, list, CHOP_COUNT(list));
}

/* A machine that contradicts itself is found. */
static void test_fsm_valid(void **state) {
    (void)state;
    static const struct fsm_state states[] = { { "a", FSM_TO(1) }, { "b", 0 } };
    static const struct fsm_move good[] = { { "go", FSM_FROM(0), 1 } };
    static const struct fsm_move extra[] = { { "go", FSM_FROM(0), 1 }, { "back", FSM_FROM(1), 0 } };
    static const struct fsm_move twice[] = { { "go", FSM_FROM(0), 1 }, { "go", FSM_FROM(0), 1 } };
    static const struct fsm_move outside[] = { { "go", FSM_FROM(0), 2 } };
    static const struct fsm_state same[] = { { "a", FSM_TO(1) }, { "a", 0 } };
    const struct fsm g = FSM("g", states, good), e = FSM("e", states, extra), t = FSM("t", states, twice),
                     o = FSM("o", states, outside), s = FSM("s", same, good);
    assert_true(fsm_valid(&g));
    assert_false(fsm_valid(&e));
    assert_false(fsm_valid(&t));
    assert_false(fsm_valid(&o));
    assert_false(fsm_valid(&s));
}

/* ---- seals ---- */
static void test_seal_code(void **state) {
    (void)state;
    ok(rules_seal_code("3101040012345"));
    is(rules_seal_code("310104001234"), EINVAL);
    assert_string_equal(chop_detail_field(), "seal_create.code");
    is(rules_seal_code("31010400123456"), EINVAL);
    is(rules_seal_code("310104001234a"), EINVAL);
    is(rules_seal_code("310104001234\xef\xbc\x95"), EINVAL);
    is(rules_seal_code(""), EINVAL);
    assert_true(rules_seal_code_area("3101040012345"));
    assert_true(rules_seal_code_area("1101040012345"));
    assert_true(rules_seal_code_area("8201040012345"));
    assert_false(rules_seal_code_area("9901040012345"));
    assert_false(rules_seal_code_area("1001040012345"));
}

static Pb__SealCreate seal_of(const char *kind, const char *shape, uint32_t width, uint32_t height) {
    Pb__SealCreate s = PB__SEAL_CREATE__INIT;
    s.name = (char *)(uintptr_t) "公章";
    s.code = (char *)(uintptr_t) "3101040012345";
    s.kind = (char *)(uintptr_t)kind;
    s.shape = (char *)(uintptr_t)shape;
    s.ring_text = (char *)(uintptr_t) "张三之印";
    s.tax_number = (char *)(uintptr_t) "91310000MA1FL00000";
    s.width_um = width;
    s.height_um = height;
    return s;
}

static chop_err size_check(Pb__SealCreate s) {
    const struct seal_form *f;
    TRY(rules_seal_create(&s, &f));
    return rules_seal_size(f, &s.width_um, &s.height_um);
}

static void test_seal_forms(void **state) {
    (void)state;
    static const uint32_t official[] = { 40000, 42000, 45000 };
    for (size_t i = 0; i < CHOP_COUNT(official); i++)
        ok(size_check(seal_of("official", "", official[i], 0)));
    ok(size_check(seal_of("official", "round", 40000, 40000)));
    ok(size_check(seal_of("contract", "round", 38000, 0)));
    ok(size_check(seal_of("contract", "", 58000, 58000)));
    ok(size_check(seal_of("finance", "", 0, 0)));
    ok(size_check(seal_of("invoice", "ellipse", 40000, 30000)));
    ok(size_check(seal_of("legal_rep", "square", 18000, 18000)));
    ok(size_check(seal_of("legal_rep", "", 25000, 0)));
    is(size_check(seal_of("official", "square", 0, 0)), EINVAL);
    is(size_check(seal_of("party", "", 0, 0)), EINVAL);
    is(size_check(seal_of("official", "", 37999, 0)), EINVAL);
    is(size_check(seal_of("official", "", 60001, 0)), EINVAL);
    is(size_check(seal_of("official", "", 40000, 40001)), EINVAL);
    is(size_check(seal_of("contract", "", 59000, 0)), EINVAL);
    is(size_check(seal_of("invoice", "", 41000, 0)), EINVAL);
    is(size_check(seal_of("invoice", "", 40000, 40000)), EINVAL);
    is(size_check(seal_of("legal_rep", "", 26000, 0)), EINVAL);
    is(size_check(seal_of("legal_rep", "", 17000, 0)), EINVAL);
    is(size_check(seal_of("official", "", UINT32_MAX, 0)), EINVAL);
}

static void test_seal_change_fields(void **state) {
    (void)state;
    Pb__SealChange in = PB__SEAL_CHANGE__INIT;
    const char *next;
    in.action = (char *)(uintptr_t) "register";
    is(rules_seal_change(&in, "draft", "", &next), EINVAL);
    in.filing_number = (char *)(uintptr_t) "沪公备2026-1";
    ok(rules_seal_change(&in, "draft", "", &next));
    assert_string_equal(next, "registered");
    is(rules_seal_change(&in, "active", "older", &next), ESTATE);
    in.action = (char *)(uintptr_t) "suspend";
    is(rules_seal_change(&in, "active", "", &next), EINVAL); /* a number belongs to register alone */
}

/* holders: of "police", "" (the unit), "tax", each where its letter stands in the text. */
static void test_seal_orders(void **state) {
    (void)state;
    static const struct {
        const char *action, *state, *holders, *next; /* next NULL: refused */
        bool unit;
    } rows[] = {
        { "suspend", "active", "", "suspended", false }, { "suspend", "suspended", "", "suspended", true },
        { "suspend", "suspended", "t", "suspended", false }, { "suspend", "suspended", "p", NULL, false },
        { "suspend", "lost", "", NULL, false }, { "suspend", "draft", "", NULL, false },
        { "resume", "suspended", "p", "active", false }, { "resume", "suspended", "", NULL, false },
        { "resume", "suspended", "t", NULL, false }, { "resume", "suspended", "pt", "suspended", false },
        { "resume", "suspended", "pu", "suspended", false }, { "resume", "active", "", NULL, false },
        { "resume", "lost", "p", NULL, false }, { "report_lost", "active", "", "lost", false },
        { "report_lost", "suspended", "p", "lost", false }, { "report_lost", "revoked", "", NULL, false },
        { "revoke", "suspended", "pt", "revoked", false }, { "revoke", "destroyed", "", NULL, false },
        { "destroy", "lost", "", NULL, false }, { "activate", "draft", "", NULL, false },
        { "recover", "lost", "", NULL, false }, { "", "active", "", NULL, false },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        const char *holders[3];
        size_t n = 0;
        struct order_effect x;
        if (strchr(rows[i].holders, 'p')) holders[n++] = "police";
        if (strchr(rows[i].holders, 'u')) holders[n++] = "";
        if (strchr(rows[i].holders, 't')) holders[n++] = "tax";
        chop_err e = rules_seal_order(rows[i].action, rows[i].state, "police", holders, n, &x);
        if (!e != !!rows[i].next) fail_msg("%s %s %s", rows[i].action, rows[i].state, rows[i].holders);
        if (e) continue;
        assert_string_equal(x.next, rows[i].next);
        assert_int_equal(x.unit, rows[i].unit);
        assert_int_equal(x.hold, strcmp(rows[i].action, "suspend") == 0);
        assert_int_equal(x.release, strcmp(rows[i].action, "resume") == 0);
    }
    const char *police[] = { "police" };
    ok(rules_seal_holders("resume", NULL, 0));
    is(rules_seal_holders("resume", police, 1), ESTATE);
    ok(rules_seal_holders("report_lost", police, 1));
}

static void test_seal_usable(void **state) {
    (void)state;
    ok(rules_seal_usable("active", "", false)); /* prints SAMPLE */
    ok(rules_seal_usable("active", "n", true));
    is(rules_seal_usable("active", "", true), ESTATE); /* an upload has no SAMPLE version */
    for (size_t i = 0; i < seal_fsm.n_states; i++)
        if (strcmp(seal_fsm.states[i].name, "active") != 0)
            is(rules_seal_usable(seal_fsm.states[i].name, "n", false), ESTATE);
}

/* ---- policies ---- */
static struct arena *mem;
static int setup(void **state) {
    (void)state;
    mem = arena_new((size_t)1 << 20);
    return mem ? 0 : 1;
}
static int teardown(void **state) {
    (void)state;
    arena_free(mem);
    return 0;
}

static void test_policy_defaults(void **state) {
    (void)state;
    Pb__Policy *p;
    ok(rules_policy_fill("p", NULL, 1, mem, &p));
    assert_int_equal(p->approvals_needed, 1);
    assert_int_equal(p->max_copies, 20);
    assert_int_equal(p->window_hours, 72);
    assert_int_equal(p->request_hours, 168);
    assert_int_equal(p->offline_hours, 24);
    assert_int_equal(p->spoil_allowance, 0);
    assert_false(p->offline);
    struct clauses soft = rules_policy_clauses(p, STEP_REQUEST), hard = rules_policy_clauses(p, STEP_PRINT);
    assert_int_equal(soft.n, 1);
    assert_int_equal(soft.list[0]->n_factors, 2);
    assert_string_equal(soft.list[0]->factors[0], "password");
    assert_int_equal(hard.n, 1);
    assert_int_equal(hard.list[0]->n_factors, 3);
    for (size_t i = 0; i < hard.list[0]->n_factors; i++)
        assert_string_not_equal(hard.list[0]->factors[i], "password");
    assert_ptr_equal(rules_policy_clauses(p, STEP_DECIDE).list, hard.list);
    assert_ptr_equal(rules_policy_clauses(NULL, STEP_ADMIN).list, soft.list);
}

static void test_policy_bounds(void **state) {
    (void)state;
    static char *ids[] = { "mem_a", "mem_b" }, *twice[] = { "mem_a", "mem_a" }, *bad[] = { "a,b" };
    static char *police[] = { "police" }, *other[] = { "third-party" }, *upper[] = { "Police" };
    static char *factors[] = { "key" }, *voodoo[] = { "voodoo" };
    Pb__Clause clause = PB__CLAUSE__INIT, unknown = PB__CLAUSE__INIT, empty = PB__CLAUSE__INIT;
    clause.factors = factors, clause.n_factors = 1, unknown.factors = voodoo, unknown.n_factors = 1;
    Pb__Clause *good[] = { &clause }, *wrong[] = { &unknown }, *hollow[] = { &empty };
    Pb__Policy *out;
#define POLICY(...)                                                                                                    \
    ({                                                                                                                 \
        Pb__Policy q = PB__POLICY__INIT;                                                                               \
        __VA_ARGS__;                                                                                                   \
        rules_policy_fill("p", &q, 2, mem, &out);                                                                      \
    })
    ok(POLICY(q.approver_ids = ids, q.n_approver_ids = 2, q.approvals_needed = 2, q.ordered = 1));
    is(POLICY(q.approver_ids = ids, q.n_approver_ids = 2, q.approvals_needed = 3), EINVAL);
    is(POLICY(q.ordered = 1), EINVAL);
    is(POLICY(q.approver_ids = twice, q.n_approver_ids = 2), EINVAL);
    is(POLICY(q.requester_ids = bad, q.n_requester_ids = 1), EINVAL);
    is(POLICY(q.registries = upper, q.n_registries = 1), EINVAL);
    ok(POLICY(q.gate = police, q.n_gate = 1));
    is(POLICY(q.gate = police, q.n_gate = 1, q.registries = other, q.n_registries = 1), EINVAL);
    ok(POLICY(q.decide_clauses = good, q.n_decide_clauses = 1));
    assert_ptr_equal(rules_policy_clauses(out, STEP_DECIDE).list, good);
    assert_ptr_equal(rules_policy_clauses(out, STEP_SIGN).list, good); /* sign follows decide */
    is(POLICY(q.print_clauses = wrong, q.n_print_clauses = 1), EINVAL);
    is(POLICY(q.print_clauses = hollow, q.n_print_clauses = 1), EINVAL);
    is(POLICY(q.max_copies = 1001), EINVAL);
    is(POLICY(q.offline_hours = 73), EINVAL);
    is(POLICY(q.window_hours = UINT32_MAX), EINVAL);
    assert_string_equal(chop_detail_field(), "p.window_hours");
}

/* ---- requests ---- */
static Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
static Pb__Document document = PB__DOCUMENT__INIT;
static Pb__RequestUse request_of(uint32_t copies, uint32_t pages) {
    Pb__RequestUse r = PB__REQUEST_USE__INIT;
    facts.pages = pages;
    document.title = (char *)(uintptr_t) "采购合同";
    document.sha256 = (char *)(uintptr_t) "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    document.facts = &facts;
    r.document = &document;
    r.copies = copies;
    return r;
}

static void test_request_fields(void **state) {
    (void)state;
    Pb__Policy *p;
    ok(rules_policy_fill("p", NULL, 1, mem, &p));
    static const struct {
        uint32_t copies, pages;
        bool fine;
    } cases[] = { { 1, 1, true }, { 20, 2000, true }, { 0, 1, false }, { 21, 1, false }, { 1000000, 1, false },
        { UINT32_MAX, 1, false }, { 1, 0, false }, { 1, 2001, false } };
    for (size_t i = 0; i < CHOP_COUNT(cases); i++) {
        Pb__RequestUse r = request_of(cases[i].copies, cases[i].pages);
        chop_err e = rules_request_check(&r, p, "mem_a");
        if (cases[i].fine)
            ok(e);
        else
            is(e, EINVAL);
    }
    Pb__RequestUse r = request_of(1, 1);
    document.sha256 = (char *)(uintptr_t) "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
    is(rules_request_check(&r, p, "mem_a"), EINVAL);
    document.sha256 = (char *)(uintptr_t) "e3b0";
    is(rules_request_check(&r, p, "mem_a"), EINVAL);
    r = request_of(1, 1);
    static char *only[] = { "mem_b" };
    p->requester_ids = only, p->n_requester_ids = 1;
    is(rules_request_check(&r, p, "mem_a"), EDENIED);
    ok(rules_request_check(&r, p, "mem_b"));
    r.document = NULL;
    is(rules_request_check(&r, p, "mem_b"), EINVAL);
}

static void test_request_expiry(void **state) {
    (void)state;
    const char *next;
    assert_string_equal(rules_request_state("pending", 100, 99), "pending");
    assert_string_equal(rules_request_state("pending", 100, 100), "expired");
    assert_string_equal(rules_request_state("signing", 100, 101), "expired");
    assert_string_equal(rules_request_state("granted", 100, 101), "granted");
    is(rules_request_apply("pending", 100, 100, "grant", &next), EEXPIRED);
    is(rules_request_apply("granted", 100, 99, "grant", &next), ESTATE);
    ok(rules_request_apply("pending", 100, 99, "grant", &next));
}

/* ---- approvers: all sequences over small cases against a slow, plain definition ---- */
static char *names[] = { "a", "b", "c", "d", "r" };

/* Ordered: a sequence of approvals is legal when it climbs the list and n can still be reached. */
static bool plain_may(size_t m, size_t n, bool ordered, const int *done, size_t n_done, int who) {
    if (who >= (int)m) return false;
    for (size_t i = 0; i < n_done; i++)
        if (done[i] == who || (ordered && done[i] > who)) return false;
    return !ordered || n_done + 1 + (m - 1 - (size_t)who) >= n;
}

static size_t walk(size_t m, uint32_t n, bool ordered, int *done, size_t n_done) {
    char *approved[5], *turns[5];
    size_t completed = 0, allowed = 0;
    for (size_t i = 0; i < n_done; i++)
        approved[i] = names[done[i]];
    const struct approvers a = { names, m, n, ordered, "r", approved, n_done };
    if (n_done == n) return 1;
    for (int who = 0; who < 4; who++) {
        const bool may = plain_may(m, n, ordered, done, n_done, who);
        chop_err e = rules_approver_check(&a, names[who]);
        assert_int_equal(e == NULL, may);
        allowed += may;
        if (!may) continue;
        assert_int_equal(rules_approver_last(&a), n_done + 1 == n);
        done[n_done] = who;
        completed += walk(m, n, ordered, done, n_done + 1);
    }
    is(rules_approver_check(&a, "r"), EDENIED);
    assert_int_equal(rules_approver_turns(&a, turns), allowed);
    assert_true(allowed > 0); /* no sequence of legal approvals ends in a dead end */
    return completed;
}

static void test_approvers_exhaustive(void **state) {
    (void)state;
    static const size_t parallel[5][5] = {
        [1] = { 0, 1 }, [2] = { 0, 2, 2 }, [3] = { 0, 3, 6, 6 }, [4] = { 0, 4, 12, 24, 24 }
    };
    static const size_t in_order[5][5] = {
        [1] = { 0, 1 }, [2] = { 0, 2, 1 }, [3] = { 0, 3, 3, 1 }, [4] = { 0, 4, 6, 4, 1 }
    };
    int done[5];
    for (size_t m = 1; m <= 4; m++)
        for (uint32_t n = 1; n <= m; n++) {
            assert_int_equal(walk(m, n, false, done, 0), parallel[m][n]);
            assert_int_equal(walk(m, n, true, done, 0), in_order[m][n]);
        }
}

static void test_approvers_any(void **state) {
    (void)state;
    char *approved[] = { "x" };
    struct approvers a = { NULL, 0, 2, false, "r", approved, 1 };
    ok(rules_approver_check(&a, "y"));
    is(rules_approver_check(&a, "x"), EUSED);
    is(rules_approver_check(&a, "r"), EDENIED);
    assert_true(rules_approver_last(&a));
    Pb__Policy p = PB__POLICY__INIT;
    static char *list[] = { "x", "r" };
    char **ids;
    size_t n;
    p.approver_ids = list, p.n_approver_ids = 2, p.approvals_needed = 2;
    is(rules_approvers_freeze(&p, "r", mem, &ids, &n), EDENIED);
    p.approvals_needed = 1;
    ok(rules_approvers_freeze(&p, "r", mem, &ids, &n));
    assert_int_equal(n, 1);
    assert_string_equal(ids[0], "x");
}

static Pb__Decide decide_of(const char *verdict, uint32_t copies, int64_t from, int64_t to) {
    Pb__Decide d = PB__DECIDE__INIT;
    d.verdict = (char *)(uintptr_t)verdict;
    d.copies = copies;
    d.not_before = from;
    d.not_after = to;
    return d;
}

static void test_decide_fields(void **state) {
    (void)state;
    Pb__Policy *p;
    const int64_t now = 1000000, hour = 3600000;
    ok(rules_policy_fill("p", NULL, 1, mem, &p));
    Pb__Decide d = decide_of("approve", 0, 0, 0);
    ok(rules_decide_check(&d, p, now));
    d = decide_of("reject", 0, 0, 0);
    is(rules_decide_check(&d, p, now), EINVAL); /* a reason is owed */
    d.reason = (char *)(uintptr_t) "金额不符";
    ok(rules_decide_check(&d, p, now));
    d = decide_of("maybe", 0, 0, 0);
    is(rules_decide_check(&d, p, now), EINVAL);
    d = decide_of("approve", 0, 0, now + 72 * hour);
    ok(rules_decide_check(&d, p, now));
    d = decide_of("approve", 0, 0, now + 72 * hour + 1);
    is(rules_decide_check(&d, p, now), EINVAL);
    d = decide_of("approve", 0, 0, now);
    is(rules_decide_check(&d, p, now), EINVAL);
    d = decide_of("approve", 0, now + 2 * hour, now + hour);
    is(rules_decide_check(&d, p, now), EINVAL);
}

static void test_terms(void **state) {
    (void)state;
    static char *asked[] = { "p1", "p2", "p3" }, *first[] = { "p2", "p3" }, *second[] = { "p3", "p4" },
                *third[] = { "p1" };
    struct terms t = { .copies = 5, .printer_ids = asked, .n_printers = 3, .signature_of = "" };
    Pb__Decide d = decide_of("approve", 3, 10, 100);
    d.printer_ids = first, d.n_printer_ids = 2;
    ok(rules_terms_merge(&t, &d, mem));
    d = decide_of("approve", 4, 0, 0);
    is(rules_terms_merge(&t, &d, mem), EOVERRUN); /* nobody gives back what another took away */
    d = decide_of("approve", 2, 20, 200);
    d.printer_ids = second, d.n_printer_ids = 2;
    d.signature_of = (char *)(uintptr_t) "m1";
    ok(rules_terms_merge(&t, &d, mem));
    assert_int_equal(t.copies, 2);
    assert_int_equal(t.not_before, 20);
    assert_int_equal(t.not_after, 100);
    assert_int_equal(t.n_printers, 1);
    assert_string_equal(t.printer_ids[0], "p3");
    assert_string_equal(t.signature_of, "m1");
    d = decide_of("approve", 0, 0, 0);
    d.signature_of = (char *)(uintptr_t) "m2";
    is(rules_terms_merge(&t, &d, mem), ESTATE);
    d = decide_of("approve", 0, 0, 0);
    d.printer_ids = third, d.n_printer_ids = 1;
    is(rules_terms_merge(&t, &d, mem), ESTATE);
    d = decide_of("approve", 0, 100, 0);
    is(rules_terms_merge(&t, &d, mem), ESTATE);
}

/* ---- counts ---- */
static void test_reserve(void **state) {
    (void)state;
    struct grant_count g = { .copies = 5, .next = 1 };
    uint32_t got[RULES_MAX_COUNT];
    ok(rules_number_reserve(&g, NULL, 0, 2, got));
    assert_int_equal(got[0], 1);
    assert_int_equal(got[1], 2);
    assert_int_equal(rules_grant_remaining(&g), 3);
    is(rules_number_reserve(&g, NULL, 0, 4, got), EOVERRUN);
    assert_int_equal(g.next, 3); /* a refusal takes nothing */
    is(rules_number_reserve(&g, NULL, 0, 0, got), EOVERRUN);
    g.returned = 1;
    ok(rules_number_reserve(&g, (const uint32_t[]){ 1, 6 }, 2, 2, got));
    assert_int_equal(got[0], 1); /* the returned one first; 6 belongs to replacements */
    assert_int_equal(got[1], 3);
    assert_int_equal(g.returned, 0);
    ok(rules_number_reserve(&g, NULL, 0, 2, got));
    assert_int_equal(rules_grant_remaining(&g), 0);
    is(rules_number_reserve(&g, NULL, 0, 1, got), EOVERRUN);
}

/* Every way to split copies into reservations: never a number twice, never above copies. */
static void reserve_all(struct grant_count g, uint64_t taken) {
    for (uint32_t count = 1; count <= g.copies + 1; count++) {
        struct grant_count after = g;
        uint32_t got[RULES_MAX_COUNT];
        const uint32_t left = rules_grant_remaining(&g);
        chop_err e = rules_number_reserve(&after, NULL, 0, count, got);
        assert_int_equal(e == NULL, count <= left);
        if (e) continue;
        uint64_t now = taken;
        for (uint32_t i = 0; i < count; i++) {
            assert_in_range(got[i], 1, g.copies);
            assert_false(now >> got[i] & 1);
            now |= 1u << got[i];
        }
        reserve_all(after, now);
    }
}

static void test_never_overrun(void **state) {
    (void)state;
    for (uint32_t copies = 1; copies <= 7; copies++)
        reserve_all((struct grant_count){ .copies = copies, .next = 1 }, 0);
}

static void test_replace(void **state) {
    (void)state;
    struct grant_count g = { .copies = 3, .next = 4, .spoil_allowance = 2 };
    uint32_t number;
    ok(rules_number_replace(&g, NULL, 0, &number));
    assert_int_equal(number, 4);
    ok(rules_number_replace(&g, (const uint32_t[]){ 2, 4 }, 2, &number)); /* a refused replacement is used again */
    assert_int_equal(number, 4);
    ok(rules_number_replace(&g, NULL, 0, &number));
    assert_int_equal(number, 5);
    is(rules_number_replace(&g, NULL, 0, &number), EOVERRUN);
    g.spoil_allowance = 0, g.replaced = 0;
    is(rules_number_replace(&g, NULL, 0, &number), EOVERRUN);
}

static void test_grant_state(void **state) {
    (void)state;
    struct grant_count g = { .copies = 2, .next = 1 };
    assert_string_equal(rules_grant_state("open", "active", &g, 100, 99), "open");
    assert_string_equal(rules_grant_state("open", "active", &g, 100, 100), "expired");
    assert_string_equal(rules_grant_state("open", "suspended", &g, 100, 50), "suspended");
    assert_string_equal(rules_grant_state("open", "lost", &g, 100, 50), "suspended");
    assert_string_equal(rules_grant_state("waiting", "active", &g, 100, 50), "waiting");
    assert_string_equal(rules_grant_state("cancelled", "active", &g, 100, 500), "cancelled");
    g.next = 3;
    assert_string_equal(rules_grant_state("open", "active", &g, 100, 50), "exhausted");
    ok(rules_grant_printable("open", "active", 10, 100, 50));
    is(rules_grant_printable("open", "active", 10, 100, 100), EEXPIRED);
    is(rules_grant_printable("open", "active", 10, 100, 9), ESTATE);
    is(rules_grant_printable("waiting", "active", 10, 100, 50), ESTATE);
    is(rules_grant_printable("cancelled", "active", 10, 100, 50), ESTATE);
    is(rules_grant_printable("open", "suspended", 10, 100, 50), ESTATE);
}

static void test_reports(void **state) {
    (void)state;
    assert_string_equal(rules_report_action("printed", true), "report_printed");
    assert_string_equal(rules_report_action("refused", false), "report_refused");
    assert_string_equal(rules_report_action("refused", true), "report_interrupted"); /* ink may have touched paper */
    assert_null(rules_report_action("fine", true));
    assert_null(rules_settle_action("returned"));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_seal_states), cmocka_unit_test(test_request_states),
        cmocka_unit_test(test_grant_states), cmocka_unit_test(test_number_states), cmocka_unit_test(test_fsm_valid),
        cmocka_unit_test(test_seal_code), cmocka_unit_test(test_seal_forms), cmocka_unit_test(test_seal_change_fields),
        cmocka_unit_test(test_seal_usable), cmocka_unit_test(test_seal_orders), cmocka_unit_test(test_policy_defaults),
        cmocka_unit_test(test_policy_bounds), cmocka_unit_test(test_request_fields),
        cmocka_unit_test(test_request_expiry), cmocka_unit_test(test_approvers_exhaustive),
        cmocka_unit_test(test_approvers_any), cmocka_unit_test(test_decide_fields), cmocka_unit_test(test_terms),
        cmocka_unit_test(test_reserve), cmocka_unit_test(test_never_overrun), cmocka_unit_test(test_replace),
        cmocka_unit_test(test_grant_state), cmocka_unit_test(test_reports) };
    return cmocka_run_group_tests(tests, setup, teardown);
}
