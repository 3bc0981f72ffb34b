/* Authorization as a program: counting. Printing, reports, settling, the gate, and what a crash must not change. */
#include "svc_authorization_world.h"

#include <unistd.h>

/* ---- printing ---- */
static void test_print_refused(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 2);
    struct printer *foreign = world_printer("org_b"), *another = world_printer("org_a"), forged = *another;
    Pb__PrepareActReply *r;
    Pb__PrintUse *m;
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, foreign, 1)), &r), EDENIED);
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 0)), &r), EINVAL);
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 3)), &r), EOVERRUN);
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 1000000)), &r), EINVAL);
    FAILS(world_prepare(&both, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r),
        EDENIED); /* another's grant */
    FAILS(world_prepare(&other_user, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r), ENOTFOUND);
    FAILS(world_prepare(&stranger, PARAMS(PRINT, world_print_params(grant_id, foreign, 1)), &r), ENOTFOUND);
    m = world_print_params(grant_id, printer, 1);
    m->challenge = PB_BIN(world_challenge(printer, chop_now_ms() - 1));
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EEXPIRED);
    m = world_print_params(grant_id, printer, 1);
    m->challenge = PB_BIN(world_challenge(another, 0)); /* another printer's challenge beside this one's certificate */
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EMISMATCH);
    forged.id = printer->id;
    m->challenge = PB_BIN(world_challenge(&forged, 0)); /* the right name, the wrong key */
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), ESIGNATURE);
    m = world_print_params(grant_id, another, 1);
    m->printer_id = TEXT(printer->id);
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EMISMATCH);
    struct person no_terminal = user;
    no_terminal.terminal_id = "";
    FAILS(world_prepare(&no_terminal, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r), EDENIED);
    m = world_print_params(grant_id, printer, 1);
    WORKS(world_act(&user, PARAMS(PRINT, m), NULL));
    FAILS(world_act(&user, PARAMS(PRINT, m), NULL), EUSED); /* a challenge works once */
    assert_int_equal(
        world_count(fixture_text("SELECT next_number FROM seal_grant WHERE grant_id = '%s'", grant_id)), 2);
}

static void test_suspend_blocks(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 1);
    Pb__PrepareActReply *r;
    WORKS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r));
    WORKS(world_seal_change(&admin, seal_id, "suspend", NULL));
    FAILS(world_commit(&user, r->act_id, world_proof(&user, r, "key"), NULL), ESTATE);
    assert_string_equal(world_get_grant(&user, grant_id)->state, "suspended");
    WORKS(world_seal_change(&admin, seal_id, "resume", NULL));
    WORKS(world_commit(&user, r->act_id, world_proof(&user, r, "key"), NULL));
}

/* Many print acts commit on one grant at the very same time: never more numbers than granted. */
struct answers {
    int won, overrun, other, left;
};
static void on_answer(void *ctx, chop_err err, struct chop_bytes reply) {
    struct answers *a = ctx;
    (void)reply;
    if (!err)
        __atomic_add_fetch(&a->won, 1, __ATOMIC_SEQ_CST);
    else if (err == CHOP_ERR(EOVERRUN))
        __atomic_add_fetch(&a->overrun, 1, __ATOMIC_SEQ_CST);
    else
        __atomic_add_fetch(&a->other, 1, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&a->left, 1, __ATOMIC_SEQ_CST);
}

static struct chop_bytes print_ready(const char *grant_id, uint32_t count) {
    Pb__PrepareActReply *r;
    Pb__CommitActRequest in = PB__COMMIT_ACT_REQUEST__INIT;
    struct chop_bytes packed;
    WORKS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, count)), &r));
    in.act_id = r->act_id;
    in.proof = PB_BIN(fixture_sign("identity", "proof", &world_proof(&user, r, "key")->m));
    WORKS(pb_pack(&in, fixture_mem(), &packed));
    return packed;
}

static void commit_all(const struct chop_bytes *packed, int n, struct answers *a) {
    const struct bus_headers h = { .principal = world_principal(&user), .deadline = chop_now_ms() + 20000 };
    a->left = n;
    for (int i = 0; i < n; i++)
        bus_call_async(fixture_bus(), "chop.authorization.v1.CommitAct", &h, packed[i], on_answer, a);
}

static void wait_answers(const struct answers *a) {
    for (int i = 0; i < 400 && __atomic_load_n(&a->left, __ATOMIC_SEQ_CST); i++)
        fixture_sleep_ms(25);
    assert_int_equal(a->left, 0);
    assert_int_equal(a->other, 0);
}

static void test_parallel_overrun(void **state) {
    (void)state;
    enum { ACTS = 12, COPIES = 5 };
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, COPIES);
    struct chop_bytes packed[ACTS];
    struct answers a = { .won = 0 };
    for (int i = 0; i < ACTS; i++)
        packed[i] = print_ready(grant_id, 1);
    commit_all(packed, ACTS, &a);
    wait_answers(&a);
    assert_int_equal(a.won, COPIES);
    assert_int_equal(a.overrun, ACTS - COPIES);
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM number WHERE grant_id = '%s'", grant_id)), COPIES);
    assert_int_equal(
        world_count(fixture_text("SELECT max(number) FROM number WHERE grant_id = '%s'", grant_id)), COPIES);
    assert_int_equal(world_check_facts(&auditor, seal_id), 3 + COPIES);
}

/* Print acts and batches of reports on one seal at once: nothing waits in a circle, the chain stays dense. */
static void test_parallel_reports(void **state) {
    (void)state;
    enum { GRANTS = 4, EACH = 3 };
    const char *seal_id = world_seal(&admin, NULL);
    struct chop_bytes packed[GRANTS * EACH];
    struct answers a = { .won = 0 };
    const int64_t deadlocks = world_count("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'");
    for (int g = 0; g < GRANTS; g++) {
        const char *grant_id = world_grant(&user, &manager, seal_id, 2 * EACH);
        Pb__AllotmentStatement *first = world_print(&user, grant_id, printer, EACH);
        for (int i = 0; i < EACH; i++)
            packed[g + i * GRANTS] = print_ready(grant_id, 1);
        for (uint32_t i = 0; i < EACH; i++)
            world_report_later(printer, first, first->numbers[i], "printed");
    }
    world_announce_reports();
    commit_all(packed, GRANTS * EACH, &a);
    wait_answers(&a);
    world_wait_reports();
    assert_int_equal(a.won, GRANTS * EACH);
    /* draft, active; then for each grant: given, the first print, its reports, the other prints */
    assert_int_equal(world_check_facts(&auditor, seal_id), 2 + GRANTS * (2 + EACH + EACH));
    assert_int_equal(world_count("SELECT deadlocks FROM pg_stat_database WHERE datname = 'postgres'"), deadlocks);
}

static chop_err commit_again(struct chop_bytes packed) {
    chop_err e = NULL;
    for (int i = 0; i < 10; i++) {
        const struct bus_headers h = { .principal = world_principal(&user), .deadline = chop_now_ms() + 5000 };
        struct chop_bytes reply;
        e = bus_call(fixture_bus(), "chop.authorization.v1.CommitAct", &h, packed, fixture_mem(), &reply);
        if (!e || !e->retryable) return e;
        fixture_sleep_ms(20);
    }
    return e;
}

/* The database ends the service's connections in the middle of commits: who is told "try again" may do so, whether
 * the first try was committed or not, and in the end everything has happened once. */
static void test_terminated(void **state) {
    (void)state;
    enum { ROUNDS = 3, ACTS = 15 };
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 20);
    struct chop_bytes packed[ACTS];
    for (int i = 0; i < ACTS; i++)
        packed[i] = print_ready(grant_id, 1);
    for (int round = 0; round < ROUNDS; round++) {
        struct answers a = { .won = 0 };
        commit_all(packed + round * 5, 5, &a);
        fixture_sleep_ms(2 * round);
        (void)fixture_sql(
            "postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'authorization'");
        for (int i = 0; i < 400 && __atomic_load_n(&a.left, __ATOMIC_SEQ_CST); i++)
            fixture_sleep_ms(25);
        assert_int_equal(a.left, 0);
        assert_int_equal(a.overrun, 0);
    }
    for (int i = 0; i < ACTS; i++)
        WORKS(commit_again(packed[i]));
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM number WHERE grant_id = '%s'", grant_id)), ACTS);
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM allotment WHERE grant_id = '%s'", grant_id)), ACTS);
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 5);
    assert_int_equal(world_check_facts(&auditor, seal_id), 3 + ACTS);
}

/* ---- reports ---- */
static void test_refused_returns(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 2);
    Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 2);
    world_report(printer, a, 1, "refused");
    assert_string_equal(world_number_state(grant_id, 1), "returned");
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 1);
    world_report(printer, a, 1, "printed"); /* it said that it never started */
    assert_string_equal(world_number_state(grant_id, 1), "returned");
    a = world_print(&user, grant_id, printer, 1);
    assert_int_equal(a->numbers[0], 1); /* the lowest free number */
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 0);
    Pb__Report m = PB__REPORT__INIT; /* "refused", but it had started */
    m.printer_id = TEXT(printer->id);
    m.allotment_id = a->allotment_id;
    m.grant_id = a->grant_id;
    m.number = 1;
    m.outcome = TEXT("refused");
    m.started_at = 5;
    world_report_message(printer, &m);
    assert_string_equal(world_number_state(grant_id, 1), "interrupted");
}

static void test_contradictions(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 2);
    Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 2);
    struct printer *another = world_printer("org_a"), forged = *another;
    world_report(another, a, 1, "printed"); /* a genuine printer, but not this allotment's */
    assert_string_equal(world_number_state(grant_id, 1), "reserved");
    forged.id = printer->id, forged.cert = printer->cert; /* the right name, the wrong key */
    world_report(&forged, a, 1, "printed");
    assert_string_equal(world_number_state(grant_id, 1), "reserved");
    world_report(printer, a, 1, "printed");
    world_report(printer, a, 1, "printed"); /* repeated */
    world_report(printer, a, 1, "spoiled"); /* contradicts */
    world_report(printer, a, 1, "refused");
    world_report(printer, a, 2, "vanished");
    world_report(printer, a, 77, "printed");
    world_report(printer, a, 4000000000u, "printed"); /* what the store cannot hold must not stop the lane */
    assert_string_equal(world_number_state(grant_id, 1), "printed");
    assert_string_equal(world_number_state(grant_id, 2), "reserved");
    assert_int_equal(world_count(fixture_text(
                         "SELECT count(*) FROM fact WHERE grant_id = '%s' AND kind LIKE 'impression%%'", grant_id)),
        1);
    assert_non_null(strstr(fixture_log("authorization"), "contradictory report"));
    Pb__FindGrantStateRequest find = PB__FIND_GRANT_STATE_REQUEST__INIT;
    Pb__GrantState *found;
    find.grant_id = TEXT(grant_id);
    find.number = 4000000000u;
    WORKS(CALL("FindGrantState", &find, NULL, &found));
    assert_null(found->number);
    assert_int_equal(world_check_facts(&auditor, seal_id), 5);
}

static void test_spoiled_replaced(void **state) {
    (void)state;
    Pb__Policy *policy = NEW(Pb__Policy, pb__policy);
    policy->spoil_allowance = 1;
    const char *seal_id = world_seal(&admin, policy), *grant_id = world_grant(&user, &manager, seal_id, 2);
    Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 2);
    Pb__PrepareActReply *r;
    Pb__PrintUse *m = world_print_params(grant_id, printer, 1);
    m->replaces = 1;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), ESTATE); /* not spoiled yet */
    world_report(printer, a, 1, "spoiled");
    world_report(printer, a, 2, "spoiled");
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 0); /* spoiled counts as used */
    WORKS(world_act(&user, PARAMS(PRINT, m), NULL));
    assert_string_equal(world_number_state(grant_id, 3), "reserved");
    Pb__Grant *g = world_get_grant(&user, grant_id);
    assert_int_equal(g->numbers[0]->replaced_by, 3);
    assert_int_equal(g->numbers[2]->replaces, 1);
    m = world_print_params(grant_id, printer, 1);
    m->replaces = 1;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EUSED);
    m->replaces = 2;
    FAILS(world_act(&user, PARAMS(PRINT, m), NULL), EOVERRUN); /* the allowance is one */
}

static Pb__Settle *settle_params(const char *grant_id, const char *outcome) {
    Pb__Settle *m = NEW(Pb__Settle, pb__settle);
    m->grant_id = TEXT(grant_id);
    m->number = 1;
    m->outcome = TEXT(outcome);
    m->reason = TEXT("看过纸张,完整");
    return m;
}

static void test_settle_and_revoke(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&both, &manager, seal_id, 2);
    Pb__AllotmentStatement *a = world_print(&both, grant_id, printer, 1);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    FAILS(world_prepare(&manager, PARAMS(SETTLE, settle_params(grant_id, "spoiled")), &r),
        ESTATE); /* it may still print */
    world_report(printer, a, 1, "interrupted");
    FAILS(world_prepare(&both, PARAMS(SETTLE, settle_params(grant_id, "printed")), &r), EDENIED); /* not alone */
    FAILS(world_prepare(&manager, PARAMS(SETTLE, settle_params(grant_id, "returned")), &r), EINVAL);
    FAILS(world_prepare(&stranger, PARAMS(SETTLE, settle_params(grant_id, "printed")), &r), ENOTFOUND);
    Pb__Revoke *v = NEW(Pb__Revoke, pb__revoke);
    v->grant_id = TEXT(grant_id);
    v->number = 1;
    v->reason = TEXT("合同作废");
    FAILS(world_prepare(&manager, PARAMS(REVOKE, v), &r), ESTATE); /* not printed yet */
    WORKS(world_act(&manager, PARAMS(SETTLE, settle_params(grant_id, "printed")), &out));
    assert_string_equal(out->grant->numbers[0]->state, "printed");
    FAILS(world_prepare(&user, PARAMS(REVOKE, v), &r), EDENIED);
    WORKS(world_act(&manager, PARAMS(REVOKE, v), &out));
    assert_string_equal(out->grant->numbers[0]->state, "revoked");
    FAILS(world_prepare(&manager, PARAMS(REVOKE, v), &r), ESTATE);
    assert_int_equal(world_check_facts(&auditor, seal_id), 6); /* draft, active, given, commanded, settled, revoked */
}

static void test_unreported_settled(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 1);
    Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 1);
    (void)fixture_sql(
        "authorization", fixture_text("UPDATE allotment SET not_after = 1 WHERE grant_id = '%s'", grant_id));
    WORKS(world_act(&admin, PARAMS(SETTLE, settle_params(grant_id, "spoiled")), NULL));
    world_report(printer, a, 1, "printed"); /* too late: what was settled stays */
    assert_string_equal(world_number_state(grant_id, 1), "spoiled");
}

static void test_withdraw_and_cancel(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 1);
    Pb__Withdraw *w = NEW(Pb__Withdraw, pb__withdraw);
    Pb__Cancel *x = NEW(Pb__Cancel, pb__cancel);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    w->request_id = TEXT(id);
    FAILS(world_prepare(&manager, PARAMS(WITHDRAW, w), &r), EDENIED);
    WORKS(world_act(&user, PARAMS(WITHDRAW, w), &out));
    assert_string_equal(out->request->state, "withdrawn");
    FAILS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), ESTATE);
    x->grant_id = TEXT(world_grant(&user, &manager, seal_id, 1));
    FAILS(world_prepare(&other_user, PARAMS(CANCEL, x), &r), ENOTFOUND);
    WORKS(world_act(&manager2, PARAMS(CANCEL, x), &out));
    assert_string_equal(out->grant->state, "cancelled");
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(x->grant_id, printer, 1)), &r), ESTATE);
    Pb__FindGrantStateRequest in = PB__FIND_GRANT_STATE_REQUEST__INIT;
    Pb__GrantState *g;
    in.grant_id = x->grant_id;
    WORKS(CALL("FindGrantState", &in, NULL, &g));
    assert_string_equal(g->grant_state, "cancelled");
    assert_null(g->number);
}

/* ---- the gate ---- */
static Pb__Fact *grant_fact(const char *grant_id) {
    Pb__ListFactsRequest in = PB__LIST_FACTS_REQUEST__INIT;
    Pb__ListFactsReply *out;
    in.grant_id = TEXT(grant_id);
    WORKS(CALL("ListFacts", &in, &user, &out));
    assert_string_equal(out->facts[0]->kind, "authorization-given");
    return out->facts[0];
}

static void test_gate(void **state) {
    (void)state;
    Pb__Policy *policy = NEW(Pb__Policy, pb__policy);
    char *gate[] = { TEXT("police") };
    policy->gate = gate;
    policy->n_gate = 1;
    const char *seal_id = world_seal(&admin, policy), *grant_id = world_grant(&user, &manager, seal_id, 1);
    Pb__PrepareActReply *r;
    assert_string_equal(world_get_grant(&user, grant_id)->state, "waiting");
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r), ESTATE);
    Pb__Fact *f = grant_fact(grant_id), another = *f;
    world_receipt("police", f, "bridge"); /* signed by a key that is no registry's */
    assert_string_equal(world_get_grant(&user, grant_id)->state, "waiting");
    another.digest = TEXT("00000000000000000000000000000000000000000000000000000000000000aa");
    world_receipt("police", &another, "registry"); /* for other bytes */
    assert_string_equal(world_get_grant(&user, grant_id)->state, "waiting");
    world_receipt("police", f, "registry");
    assert_string_equal(world_get_grant(&user, grant_id)->state, "open");
    (void)world_print(&user, grant_id, printer, 1);
}

/* Two registries: one receipt is not enough, and the police's key does not speak for the other. */
static void test_gate_of_two(void **state) {
    (void)state;
    Pb__Policy *policy = NEW(Pb__Policy, pb__policy);
    char *gate[] = { TEXT("police"), TEXT("third-party") };
    policy->gate = gate;
    policy->n_gate = 2;
    const char *seal_id = world_seal(&admin, policy), *grant_id = world_grant(&user, &manager, seal_id, 1);
    const char *left = fixture_text("SELECT state || ':' || gate FROM seal_grant WHERE grant_id = '%s'", grant_id);
    Pb__Fact *f = grant_fact(grant_id);
    world_receipt("third-party", f, "registry");
    assert_string_equal(fixture_sql("authorization", left), "waiting:police,third-party");
    world_receipt("police", f, "registry");
    world_receipt("police", f, "registry");
    assert_string_equal(fixture_sql("authorization", left), "waiting:third-party");
}

/* ---- offline ---- */
/* A grant for this one printer, under a policy that permits it; NULL: under one that does not. */
static const char *offline_grant(bool permitted, const char **ret_seal_id, uint32_t copies) {
    Pb__Policy *policy = NEW(Pb__Policy, pb__policy);
    Pb__RequestUse *m;
    Pb__CommitActReply *out;
    policy->offline = permitted;
    policy->offline_hours = 5;
    *ret_seal_id = world_seal(&admin, policy);
    m = world_request_params(*ret_seal_id, copies);
    m->printer_ids = ARENA_ARRAY(fixture_mem(), char *, 1);
    m->printer_ids[m->n_printer_ids++] = TEXT(printer->id);
    WORKS(world_act(&user, PARAMS(REQUEST, m), &out));
    return world_approve(&manager, out->request->request_id)->grant_id;
}

static Pb__AllotmentStatement *load(const char *grant_id, uint32_t count) {
    Pb__CommitActReply *out;
    Pb__Signed *s;
    Pb__AllotmentStatement *a;
    Pb__PrintUse *m = world_print_params(grant_id, printer, count);
    m->load = true;
    WORKS(world_act(&user, PARAMS(PRINT, m), &out));
    WORKS(trust_verify_packed(
        fixture_trust(), PB_BYTES(out->print->allotment), "allotment", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__allotment_statement, PB_BYTES(s->payload), fixture_mem(), &a));
    return a;
}

static Pb__Closeout *closeout_of(const Pb__AllotmentStatement *a, uint32_t first, uint32_t last) {
    Pb__Closeout *m = NEW(Pb__Closeout, pb__closeout);
    m->printer_id = TEXT(printer->id);
    m->job_id = TEXT("job_1");
    m->allotment_id = a->allotment_id;
    m->grant_id = a->grant_id;
    m->numbers = ARENA_ARRAY(fixture_mem(), uint32_t, 8);
    for (uint32_t i = first; i <= last; i++)
        m->numbers[m->n_numbers++] = i;
    m->at = chop_now_ms();
    return m;
}

static void test_load(void **state) {
    (void)state;
    const char *seal_id, *online, *grant_id = offline_grant(true, &seal_id, 5);
    Pb__PrepareActReply *r;
    Pb__AllotmentStatement *a = load(grant_id, 3);
    assert_true(a->offline);
    assert_int_equal(a->not_after - a->not_before, 5 * 3600 * 1000);
    Pb__Grant *g = world_get_grant(&user, grant_id);
    assert_int_equal(g->remaining, 2);
    assert_int_equal(g->offline_at_risk, 3);
    assert_int_equal(g->offline_until, a->not_after);
    Pb__AllotmentStatement *now = world_print(&user, grant_id, printer, 1); /* the same grant prints online too */
    assert_false(now->offline);
    assert_true(now->not_after - now->not_before <= 30 * 60 * 1000);
    assert_int_equal(world_get_grant(&user, grant_id)->offline_at_risk, 3);
    Pb__PrintUse *m = world_print_params(grant_id, printer, 2);
    m->load = true;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EOVERRUN);
    m = world_print_params(grant_id, printer, 81); /* more than one envelope carries offline */
    m->load = true;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EINVAL);
    m = world_print_params(grant_id, printer, 1);
    m->load = true;
    m->replaces = 1;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EINVAL);
    online = offline_grant(false, &seal_id, 2);
    m = world_print_params(online, printer, 1);
    m->load = true;
    FAILS(world_prepare(&user, PARAMS(PRINT, m), &r), EDENIED);
}

static void test_closeout(void **state) {
    (void)state;
    const char *seal_id, *grant_id = offline_grant(true, &seal_id, 3);
    Pb__AllotmentStatement *a = load(grant_id, 3);
    world_report(printer, a, 2, "printed");
    assert_int_equal(world_get_grant(&user, grant_id)->offline_at_risk, 2);
    struct printer *another = world_printer("org_a"), forged = *another;
    Pb__Closeout *m = closeout_of(a, 1, 1);
    world_closeout(another, m); /* speaks for this printer, but is another */
    m->printer_id = TEXT(another->id);
    world_closeout(another, m);                           /* for itself, about an allotment that is not its own */
    forged.id = printer->id, forged.cert = printer->cert; /* the right name, the wrong key */
    world_closeout(&forged, closeout_of(a, 1, 1));
    m = closeout_of(a, 1, 1);
    m->allotment_id = TEXT("allot_unknown");
    world_closeout(printer, m);
    assert_string_equal(world_number_state(grant_id, 1), "reserved");
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 0);

    m = closeout_of(a, 1, 3); /* 2 is printed: what it says of that one is not believed */
    world_closeout(printer, m);
    world_closeout(printer, m); /* repeated */
    assert_string_equal(world_number_state(grant_id, 1), "returned");
    assert_string_equal(world_number_state(grant_id, 2), "printed");
    assert_string_equal(world_number_state(grant_id, 3), "returned");
    Pb__Grant *g = world_get_grant(&user, grant_id);
    assert_int_equal(g->remaining, 2);
    assert_int_equal(g->offline_at_risk, 0);
    assert_int_equal(g->offline_until, 0);
    assert_non_null(strstr(fixture_log("authorization"), "contradictory close-out"));

    Pb__AllotmentStatement *again = world_print(&user, grant_id, printer, 2);
    assert_int_equal(again->numbers[0], 1);
    assert_int_equal(again->numbers[1], 3);
    m->at++;
    world_closeout(printer, m);                        /* another one over the same allotment */
    world_closeout(printer, closeout_of(again, 1, 3)); /* an allotment that was never loaded */
    world_report(printer, a, 1, "printed");            /* it had given it back */
    assert_string_equal(world_number_state(grant_id, 1), "reserved");
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 0);
    assert_int_equal(
        world_count(fixture_text("SELECT count(*) FROM closeout WHERE allotment_id = '%s'", a->allotment_id)), 1);
    assert_int_equal(world_check_facts(&auditor, seal_id), 6); /* draft, active, given, loaded, printed, commanded */
}

/* SIGKILL between prepare and commit, and after it: what was committed stays, a retried commit answers the same. */
static void test_killed(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 3);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *first, *again;
    WORKS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r));
    fixture_kill(world_program());
    world_restart();
    struct proof *p = world_proof(&user, r, "key");
    WORKS(world_commit(&user, r->act_id, p, &first));
    fixture_kill(world_program());
    world_restart();
    WORKS(world_commit(&user, r->act_id, p, &again));
    assert_int_equal(first->print->allotment.len, again->print->allotment.len);
    assert_memory_equal(first->print->allotment.data, again->print->allotment.data, first->print->allotment.len);
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 2);
}

#ifdef CHOP_FAILPOINTS
/* The process dies while it commits a print act: before the commit nothing happened, after it everything did; either
 * way the terminal's second try ends in one allotment. */
static void crash_print(const char *point, int64_t reserved) {
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 3);
    const char *numbers = fixture_text("SELECT count(*) FROM number WHERE grant_id = '%s'", grant_id);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    WORKS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 2)), &r));
    struct proof *p = world_proof(&user, r, "key");
    fixture_stop(world_program());
    world_restart_crashing(point);
    chop_err e = world_commit(&user, r->act_id, p, &out);
    assert_non_null(e);
    assert_true(e->retryable);
    fixture_kill(world_program());
    assert_int_equal(world_count(numbers), reserved);
    world_restart();
    WORKS(world_commit(&user, r->act_id, p, &out));
    assert_int_equal(world_count(numbers), 2);
    assert_int_equal(world_get_grant(&user, grant_id)->remaining, 1);
    assert_int_equal(world_check_facts(&auditor, seal_id), 4);
}

static void test_crash_print(void **state) {
    (void)state;
    crash_print("authorization.print.before", 0);
    crash_print("authorization.commit.before", 0);
    crash_print("rpc.commit.after", 2);
}

/* A report is applied once although the process died over it. */
static void test_crash_report(void **state) {
    (void)state;
    static const char *const points[] = { "authorization.report.before", "inbox.commit.before" };
    for (size_t i = 0; i < CHOP_COUNT(points); i++) {
        const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 1);
        Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 1);
        fixture_stop(world_program());
        world_restart_crashing(points[i]);
        world_report_later(printer, a, 1, "printed");
        world_announce_reports();
        for (int k = 0; k < 100 && access(fixture_text("%s/%s.died", fixture_dir(), points[i]), F_OK) != 0; k++)
            fixture_sleep_ms(50);
        fixture_kill(world_program());
        assert_string_equal(world_number_state(grant_id, 1), "reserved");
        world_restart();
        world_wait_reports();
        assert_string_equal(world_number_state(grant_id, 1), "printed");
        assert_int_equal(world_check_facts(&auditor, seal_id), 5);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print_refused),
        cmocka_unit_test(test_suspend_blocks),
        cmocka_unit_test(test_parallel_overrun),
        cmocka_unit_test(test_parallel_reports),
        cmocka_unit_test(test_terminated),
        cmocka_unit_test(test_refused_returns),
        cmocka_unit_test(test_contradictions),
        cmocka_unit_test(test_spoiled_replaced),
        cmocka_unit_test(test_settle_and_revoke),
        cmocka_unit_test(test_unreported_settled),
        cmocka_unit_test(test_withdraw_and_cancel),
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_gate_of_two),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_closeout),
        cmocka_unit_test(test_killed),
#ifdef CHOP_FAILPOINTS
        cmocka_unit_test(test_crash_print),
        cmocka_unit_test(test_crash_report),
#endif
    };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
