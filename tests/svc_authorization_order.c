/* Registries' orders and gap notices, against the program itself: an order is the registry's by its signature or
 * nothing. */
#include "svc_authorization_world.h"

static const char *seal_state(const char *seal_id) {
    return fixture_sql("authorization", fixture_text("SELECT state FROM seal WHERE seal_id = '%s'", seal_id));
}

static const char *outcome(const char *order_id) {
    return fixture_sql("authorization",
        fixture_text("SELECT outcome || ' ' || error FROM registry_order WHERE order_id = '%s'", order_id));
}

static int64_t orders(void) {
    return world_count("SELECT count(*) FROM registry_order");
}

static void give(const Pb__RegistryOrder *m) {
    world_order_event("police", m, "registry");
}

/* The last fact of the seal, as an auditor finds it in the list. */
static Pb__FactStatement *last_fact(const char *seal_id) {
    Pb__ListFactsRequest in = PB__LIST_FACTS_REQUEST__INIT;
    Pb__ListFactsReply *out;
    Pb__FactStatement *m;
    in.seal_id = TEXT(seal_id);
    in.limit = 1;
    in.after_seq = world_check_facts(&auditor, seal_id) - 1;
    WORKS(CALL("ListFacts", &in, &auditor, &out));
    assert_int_equal(out->n_facts, 1);
    WORKS(PB_UNPACK(pb__fact_statement, PB_BYTES(out->facts[0]->statement->payload), fixture_mem(), &m));
    return m;
}

static int64_t changes(const char *seal_id) {
    return world_count(
        fixture_text("SELECT count(*) FROM outbox WHERE type = 'authorization.seal.changed' AND key = '%s'", seal_id));
}

static void test_suspend_blocks_resume_frees(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant = world_grant(&user, &manager, seal_id, 2);
    Pb__RegistryOrder *suspend = world_order(seal_id, "suspend");
    Pb__PrepareActReply *r;
    const int64_t told = changes(seal_id);
    /* prepared before the order: its commit is refused as well */
    WORKS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant, printer, 1)), &r));
    give(suspend);
    assert_string_equal(seal_state(seal_id), "suspended");
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant, printer, 1)), &r), ESTATE);
    FAILS(world_commit(&user, r->act_id, world_proof(&user, r, "key"), NULL), ESTATE);
    assert_string_equal(world_get_grant(&user, grant)->state, "suspended");
    Pb__FactStatement *f = last_fact(seal_id);
    assert_string_equal(f->kind, "seal-state");
    assert_string_equal(f->detail, "suspended: 协助调查");
    assert_string_equal(f->member_id, "registry:police");
    assert_string_equal(f->member_name, "police");
    assert_int_equal(f->evidence_digest.len, 32);
    assert_int_equal(f->n_proof_digests, 0);
    assert_int_equal(changes(seal_id), told + 1);
    FAILS(world_seal_change(&admin, seal_id, "resume", NULL), ESTATE); /* not the unit's to lift */
    give(world_order(seal_id, "resume"));
    assert_string_equal(seal_state(seal_id), "active");
    assert_int_equal(changes(seal_id), told + 2);
    assert_int_equal(world_print(&user, grant, printer, 1)->numbers[0], 1);
}

static void test_the_units_own_suspension_stays(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    WORKS(world_seal_change(&admin, seal_id, "suspend", NULL));
    give(world_order(seal_id, "suspend"));
    FAILS(world_seal_change(&admin, seal_id, "resume", NULL), ESTATE);
    give(world_order(seal_id, "resume"));
    assert_string_equal(seal_state(seal_id), "suspended");
    WORKS(world_seal_change(&admin, seal_id, "resume", NULL));
    WORKS(world_seal_change(&admin, seal_id, "suspend", NULL)); /* nothing is left of the order */
    WORKS(world_seal_change(&admin, seal_id, "resume", NULL));
}

static void test_applied_once(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    Pb__RegistryOrder *suspend = world_order(seal_id, "suspend");
    give(suspend);
    give(suspend);
    give(world_order(seal_id, "resume"));
    size_t facts = world_check_facts(&auditor, seal_id);
    give(suspend); /* replayed later */
    assert_string_equal(seal_state(seal_id), "active");
    suspend->reason = TEXT("another order under the same id");
    give(suspend);
    assert_string_equal(seal_state(seal_id), "active");
    assert_int_equal(world_check_facts(&auditor, seal_id), facts);
    assert_string_equal(outcome(suspend->order_id), "applied ");
}

static void test_by_code(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *other = world_seal(&admin, NULL);
    const char *code =
        fixture_sql("authorization", fixture_text("SELECT code FROM seal WHERE seal_id = '%s'", seal_id));
    Pb__RegistryOrder *m = world_order("", "report_lost"), *both_named = world_order(other, "suspend");
    m->seal_code = both_named->seal_code = TEXT(code);
    give(m);
    assert_string_equal(seal_state(seal_id), "lost");
    give(both_named); /* one's id and the other's code */
    assert_string_equal(seal_state(other), "active");
    assert_non_null(strstr(outcome(both_named->order_id), "refused"));
}

/* What is not the registry's own word leaves no trace but a line in the log. */
static void test_forged(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    const int64_t before = orders();
    Pb__RegistryOrder *m = world_order(seal_id, "suspend");
    world_order_event("police", m, "authorization"); /* a key that may not order */
    world_order_event("internal", m, "registry");    /* fetched from another than signed it */
    m->registry = TEXT("internal");
    world_order_event("internal", m, "registry"); /* police's key for internal's name */
    m->registry = TEXT("police");
    m->at = chop_now_ms() + (int64_t)3600000;
    give(m);
    m->at = chop_now_ms();
    m->order_id = TEXT("");
    give(m);
    assert_string_equal(seal_state(seal_id), "active");
    assert_int_equal(orders(), before);
    assert_non_null(strstr(fixture_log("authorization"), "order ignored"));
}

static void test_unknown_seal(void **state) {
    (void)state;
    Pb__RegistryOrder *m = world_order("seal_00000000000000000000000000", "suspend");
    const int64_t facts = world_count("SELECT count(*) FROM fact");
    give(m);
    assert_non_null(strstr(outcome(m->order_id), "refused ENOTFOUND"));
    assert_int_equal(world_count("SELECT count(*) FROM fact"), facts);
}

/* Refused once, for good; the fact tells auditors and registries. */
static void test_refused_is_recorded(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    Pb__RegistryOrder *m = world_order(seal_id, "resume"), *odd = world_order(seal_id, "destroy");
    const int64_t told = changes(seal_id);
    give(m);
    assert_non_null(strstr(outcome(m->order_id), "refused ESTATE"));
    Pb__FactStatement *f = last_fact(seal_id);
    assert_string_equal(f->kind, "order-refused");
    assert_string_equal(f->member_id, "registry:police");
    assert_int_equal(strncmp(f->detail, "resume: ESTATE", 14), 0);
    give(odd);
    assert_non_null(strstr(outcome(odd->order_id), "refused EINVAL"));
    assert_string_equal(seal_state(seal_id), "active");
    assert_int_equal(changes(seal_id), told);
    size_t facts = world_check_facts(&auditor, seal_id);
    give(m);
    assert_int_equal(world_check_facts(&auditor, seal_id), facts);
    give(world_order(seal_id, "revoke")); /* the lane goes on behind it */
    assert_string_equal(seal_state(seal_id), "revoked");
}

static void test_impression_revoked(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant = world_grant(&user, &manager, seal_id, 1);
    Pb__AllotmentStatement *a = world_print(&user, grant, printer, 1);
    Pb__RegistryOrder *early = world_order(seal_id, "revoke_impression"),
                      *m = world_order(seal_id, "revoke_impression"),
                      *wrong = world_order(world_seal(&admin, NULL), "revoke_impression");
    early->grant_id = m->grant_id = wrong->grant_id = TEXT(grant);
    early->number = m->number = wrong->number = 1;
    give(early); /* nothing is on paper yet */
    assert_string_equal(world_number_state(grant, 1), "reserved");
    world_report(printer, a, 1, "printed");
    give(wrong); /* another seal's impression */
    assert_string_equal(world_number_state(grant, 1), "printed");
    give(m);
    assert_string_equal(world_number_state(grant, 1), "revoked");
    Pb__FactStatement *f = last_fact(seal_id);
    assert_string_equal(f->kind, "impression-revoked");
    assert_string_equal(f->member_id, "registry:police");
    assert_string_equal(f->grant_id, grant);
    assert_int_equal(
        world_count(fixture_text("SELECT count(*) FROM outbox WHERE type = 'authorization.impression.settled' "
                                 "AND key = '%s' AND position('revoked'::bytea IN payload) > 0",
            seal_id)),
        1);
}

/* ---- gap notices ---- */
static Pb__Gap *gap(const char *seal_id, uint64_t seq) {
    Pb__Gap *m = NEW(Pb__Gap, pb__gap);
    m->seal_id = TEXT(seal_id);
    m->seal_seq = seq;
    m->registry = TEXT("police");
    m->reason = TEXT("登记机关拒收");
    return m;
}

static void test_gap(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    Pb__Gap *m = gap(seal_id, 1);
    FAILS(world_prepare(&user, PARAMS(GAP, m), &r), EDENIED);
    FAILS(world_prepare(&manager, PARAMS(GAP, m), &r), EDENIED);
    FAILS(world_prepare(&stranger, PARAMS(GAP, m), &r), ENOTFOUND);
    FAILS(world_prepare(&auditor, PARAMS(GAP, gap(seal_id, 0)), &r), EINVAL);
    FAILS(world_prepare(&auditor, PARAMS(GAP, gap(seal_id, 9)), &r), ENOTFOUND);
    m->registry = TEXT("Police");
    FAILS(world_prepare(&auditor, PARAMS(GAP, m), &r), EINVAL);
    m->registry = TEXT("police");
    m->reason = TEXT("");
    FAILS(world_prepare(&auditor, PARAMS(GAP, m), &r), EINVAL);
    m->reason = TEXT("登记机关拒收");
    WORKS(world_prepare(&auditor, PARAMS(GAP, m), &r));
    const char *fact_id = world_content(r)->gap->fact_id;
    assert_int_equal(strncmp(fact_id, "fact_", 5), 0);
    WORKS(world_commit(&auditor, r->act_id, world_proof(&auditor, r, "key"), &out));
    Pb__FactStatement *f = last_fact(seal_id);
    assert_string_equal(out->fact->fact_id, f->fact_id);
    assert_string_equal(f->kind, "gap");
    assert_string_equal(f->gap_registry, "police");
    assert_string_equal(f->gap_fact_id, fact_id);
    assert_int_equal(f->gap_seq, 1);
    assert_string_equal(f->member_id, auditor.member_id);
    assert_string_equal(fixture_sql("authorization",
                            fixture_text("SELECT encode(digest, 'hex') FROM fact WHERE fact_id = '%s'", fact_id)),
        arena_hex(fixture_mem(), PB_BYTES(f->gap_digest)));
    assert_non_null(strstr(f->detail, "登记机关拒收"));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_suspend_blocks_resume_frees),
        cmocka_unit_test(test_the_units_own_suspension_stays), cmocka_unit_test(test_applied_once),
        cmocka_unit_test(test_by_code), cmocka_unit_test(test_forged), cmocka_unit_test(test_unknown_seal),
        cmocka_unit_test(test_refused_is_recorded), cmocka_unit_test(test_impression_revoked),
        cmocka_unit_test(test_gap) };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
