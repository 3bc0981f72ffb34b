/* Counts, decisions, acts, walls between organizations. */
#include "flow.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static void request_new(uint32_t copies, char ret_request_id[CHOP_ID_MAX]) {
    Pb__Request *r;
    const struct use u = { .seal_id = world.seal_id, .title = "框架协议", .copies = copies };
    assert_ok(request_make(world.a, &world.user, &u, &r));
    assert_string_equal(r->state, "pending");
    (void)snprintf(ret_request_id, CHOP_ID_MAX, "%s", r->request_id);
}

static Pb__Request *request_get(const char *request_id) {
    Pb__Request *r;
    assert_ok(API(world.a, "GET", stack_text("/v1/requests/%s", request_id), world.user.token, NULL, pb__request, &r));
    return r;
}

/* ---- decisions ---- */
static void rejecting_ends_it(void **state) {
    Pb__Request *r;
    char id[CHOP_ID_MAX];
    (void)state;
    request_new(1, id);
    assert_code(request_decide(world.a, &world.user, id, "approve", NULL, &r), EDENIED);
    assert_ok(request_decide(world.a, &world.manager, id, "reject", NULL, &r));
    assert_string_equal(r->state, "rejected");
    assert_string_equal(r->decisions[0]->reason, "金额不符");
    assert_code(request_decide(world.a, &world.manager, id, "approve", NULL, &r), ESTATE);
    assert_string_equal(request_get(id)->grant_id, "");
}

static void withdrawing_ends_it(void **state) {
    Pb__Withdraw in = PB__WITHDRAW__INIT;
    Pb__Request *r;
    char id[CHOP_ID_MAX];
    (void)state;
    request_new(1, id);
    in.request_id = id;
    in.reason = PB_STR("写错了");
    assert_code(ACT(world.a, &world.manager, WITHDRAW, withdraw, &in, NULL), EDENIED);
    assert_ok(ACT(world.a, &world.user, WITHDRAW, withdraw, &in, NULL));
    assert_string_equal(request_get(id)->state, "withdrawn");
    assert_code(request_decide(world.a, &world.manager, id, "approve", NULL, &r), ESTATE);
}

static void cancelling_stops_the_grant(void **state) {
    Pb__Cancel in = PB__CANCEL__INIT;
    Pb__Grant *g;
    Pb__Job *j;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(2, id);
    in.grant_id = id;
    assert_ok(ACT(world.a, &world.manager, CANCEL, cancel, &in, NULL));
    assert_ok(grant_get(world.a, &world.user, id, &g));
    assert_string_equal(g->state, "cancelled");
    assert_code(print_start(world.a, &world.user, id, world.printer.id, 1, &j), ESTATE);
}

/* ---- counts ---- */
static void overrun_is_refused(void **state) {
    Pb__Job *j;
    struct print first, second;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(2, id);
    assert_code(print_start(world.a, &world.user, id, world.printer.id, 3, &j), EOVERRUN);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 2, 0, &first));
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &second));
    assert_ok(print_commit(world.a, &world.user, &first));
    assert_code(print_commit(world.a, &world.user, &second), EOVERRUN);
    assert_ok(print_submit(world.a, &world.user, &first, &j));
    assert_ok(job_wait(world.a, &world.user, j->job_id, 15000, 20, &j));
    assert_int_equal(j->n_numbers, 2);
}

#define COPIES 5
#define TRIES 10
struct printing {
    pthread_t thread;
    const char *grant_id;
    const struct printer *printer;
    chop_err e;
    char job_id[CHOP_ID_MAX], token[32];
};

static void *print_one(void *arg) {
    struct printing *p = arg;
    CHOP_CLEANUP(api_free_p) struct api *a = api_new(stack_url());
    Pb__Job *j;
    do { /* as a terminal does: again where the answer says that it may help */
        api_reset(a);
        p->e = print_start(a, &world.user, p->grant_id, p->printer->id, 1, &j);
    } while (p->e && p->e->retryable);
    if (p->e) return NULL;
    (void)snprintf(p->token, sizeof p->token, "%s", j->marks[0]->token);
    (void)snprintf(p->job_id, sizeof p->job_id, "%s", j->job_id);
    p->e = job_wait(a, &world.user, p->job_id, 20000, 20, &j);
    return NULL;
}

static void two_printers_never_overrun(void **state) {
    struct printer other;
    struct printing p[TRIES];
    char id[CHOP_ID_MAX];
    int printed = 0, refused = 0, inks = 0;
    (void)state;
    printer_new(world.a, &world.admin, "second", &other);
    printer_run(world.a, &world.user, &other, "null", NULL);
    printer_accept(world.a, &other, &world.user);
    flow_grant(COPIES, id);
    for (size_t i = 0; i < TRIES; i++) {
        p[i] = (struct printing){ .grant_id = id, .printer = i % 2 ? &other : &world.printer };
        assert_int_equal(pthread_create(&p[i].thread, NULL, print_one, &p[i]), 0);
    }
    for (size_t i = 0; i < TRIES; i++) {
        (void)pthread_join(p[i].thread, NULL);
        printed += p[i].e == NULL;
        refused += p[i].e == CHOP_ERR(EOVERRUN);
        if (!p[i].e) inks += printer_inks(p[i].printer, p[i].token);
    }
    printer_end(&other, SIGTERM);
    assert_int_equal(printed, COPIES);
    assert_int_equal(refused, TRIES - COPIES);
    assert_int_equal(inks, COPIES);
}

/* ---- acts ---- */
static void acts_bind_their_proofs(void **state) {
    struct print one, other;
    struct act mixed;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(2, id);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &one));
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &other));
    mixed = one.act;
    mixed.proof = other.act.proof;
    assert_code(act_commit(world.a, &world.user, &mixed, NULL), EMISMATCH);
    mixed.proof = CHOP_BYTES(NULL, 0);
    assert_code(act_commit(world.a, &world.user, &mixed, NULL), EINVAL);
    /* Another member cannot commit it, and a password is not enough to print. */
    assert_code(act_commit(world.a, &world.manager, &one.act, NULL), ENOTFOUND);
    assert_code(act_prove_password(world.a, &world.user, &one.act), EINVAL);
    assert_ok(act_commit(world.a, &world.user, &one.act, NULL));
}

static void an_act_works_once(void **state) {
    Pb__CommitActReply *first, *again;
    struct print p, same_challenge;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(3, id);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &p));
    assert_ok(act_commit(world.a, &world.user, &p.act, &first));
    assert_ok(act_commit(world.a, &world.user, &p.act, &again));
    assert_true(chop_bytes_equal(PB_BYTES(first->print->allotment), PB_BYTES(again->print->allotment)));
    assert_int_equal(stack_number("SELECT count(*) FROM \"authorization\".number WHERE grant_id = '%s'", id), 1);
    /* A second act over the printer's same challenge. */
    same_challenge = p;
    Pb__PrintUse in = PB__PRINT_USE__INIT;
    in.grant_id = id;
    in.printer_id = world.printer.id;
    in.count = 1;
    in.challenge = p.challenge->challenge;
    in.printer_cert = p.challenge->printer_cert;
    assert_code(ACT(world.a, &world.user, PRINT, print, &in, NULL), EUSED);
    (void)same_challenge;
}

static void an_act_ends(void **state) {
    struct print p;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(1, id);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &p));
    (void)stack_sql("UPDATE \"authorization\".act SET expires_at = 1 WHERE act_id = '%s'", p.act.prepared->act_id);
    assert_code(act_commit(world.a, &world.user, &p.act, NULL), EEXPIRED);
}

/* ---- signatures ---- */
static void specimen_put(const struct person *who) {
    Pb__SpecimenPut in = PB__SPECIMEN_PUT__INIT;
    char *path = stack_text("%s/signature", stack_dir());
    uint8_t outline[65536];
    (void)stack_output("%s/chop-draw signature --text 李四 >%s", stack_bin(), path);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    in.outline.len = fread(outline, 1, sizeof outline, f);
    in.outline.data = outline;
    (void)fclose(f);
    assert_ok(ACT(world.a, who, SPECIMEN_PUT, specimen_put, &in, NULL));
}

static void an_ordered_signature_is_printed(void **state) {
    Pb__Request *r;
    Pb__Job *j;
    Pb__Verdict *v;
    char id[CHOP_ID_MAX], grant_id[CHOP_ID_MAX];
    (void)state;
    request_new(1, id);
    assert_code(request_decide(world.a, &world.manager, id, "approve", world.manager.member_id, &r), ESTATE);
    specimen_put(&world.manager);
    assert_ok(request_decide(world.a, &world.manager, id, "approve", world.manager.member_id, &r));
    (void)snprintf(grant_id, sizeof grant_id, "%s", r->grant_id);
    assert_ok(print_start(world.a, &world.user, grant_id, world.printer.id, 1, &j));
    assert_ok(job_wait(world.a, &world.user, j->job_id, 10000, 20, &j));
    assert_string_equal(j->numbers[0]->state, "printed");
    assert_ok(verify_until(world.a, j->marks[0]->token, j->marks[0]->cipher, "genuine", 3000, &v));
    assert_string_equal(v->signature_name, "李四");
}

static void another_members_signature_waits_for_it(void **state) {
    Pb__SignOrder in = PB__SIGN_ORDER__INIT;
    Pb__Request *r;
    char id[CHOP_ID_MAX];
    (void)state;
    specimen_put(&world.user);
    request_new(1, id);
    assert_ok(request_decide(world.a, &world.manager, id, "approve", world.user.member_id, &r));
    assert_string_equal(r->state, "signing");
    in.request_id = id;
    assert_code(ACT(world.a, &world.manager, SIGN, sign, &in, NULL), EDENIED);
    assert_ok(ACT(world.a, &world.user, SIGN, sign, &in, NULL));
    assert_string_equal(request_get(id)->state, "granted");
}

/* ---- walls ---- */
static void another_organization_sees_nothing(void **state) {
    struct person stranger;
    Pb__Request *r;
    Pb__Grant *g;
    Pb__Job *j, *own;
    Pb__Seal *s;
    Pb__Printer *p;
    Pb__ListFilingsReply *list;
    char id[CHOP_ID_MAX], request_id[CHOP_ID_MAX];
    char *operator_token = stack_file("secrets/operator");
    (void)state;
    operator_token[strcspn(operator_token, "\n")] = 0;
    assert_ok(organization_create(world.a, operator_token, "stranger", "上海他人有限公司", &stranger));
    assert_ok(person_equip(world.a, &stranger));
    request_new(1, request_id);
    flow_grant(1, id);
    assert_ok(print_start(world.a, &world.user, id, world.printer.id, 1, &own));
    assert_ok(job_wait(world.a, &world.user, own->job_id, 10000, 20, &own));
    const char *t = stranger.token;
    assert_code(API(world.a, "GET", stack_text("/v1/requests/%s", request_id), t, NULL, pb__request, &r), ENOTFOUND);
    assert_code(API(world.a, "GET", stack_text("/v1/grants/%s", id), t, NULL, pb__grant, &g), ENOTFOUND);
    assert_code(API(world.a, "GET", stack_text("/v1/seals/%s", world.seal_id), t, NULL, pb__seal, &s), ENOTFOUND);
    assert_code(API(world.a, "GET", stack_text("/v1/prints/%s", own->job_id), t, NULL, pb__job, &j), ENOTFOUND);
    assert_code(API(world.a, "GET", stack_text("/v1/printers/%s", world.printer.id), t, NULL, pb__printer, &p), ENOTFOUND);
    assert_code(print_start(world.a, &stranger, id, world.printer.id, 1, &j), ENOTFOUND);
    assert_ok(filings_of(world.a, &stranger, id, &list));
    assert_int_equal(list->n_filings, 0);
    assert_code(API(world.a, "GET", "/v1/me", "0123456789abcdef0123456789abcdef", NULL, pb__me, &r), EAUTH);
    person_done(&stranger);
}

const struct CMUnitTest flow_rules_tests[] = {
    cmocka_unit_test(rejecting_ends_it),
    cmocka_unit_test(withdrawing_ends_it),
    cmocka_unit_test(cancelling_stops_the_grant),
    cmocka_unit_test(overrun_is_refused),
    cmocka_unit_test(two_printers_never_overrun),
    cmocka_unit_test(acts_bind_their_proofs),
    cmocka_unit_test(an_act_works_once),
    cmocka_unit_test(an_act_ends),
    cmocka_unit_test(an_ordered_signature_is_printed),
    cmocka_unit_test(another_members_signature_waits_for_it),
    cmocka_unit_test(another_organization_sees_nothing),
};
const size_t flow_rules_count = CHOP_COUNT(flow_rules_tests);
