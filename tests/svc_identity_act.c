/* identity's own acts, and with them lib/act: freezing, committing once, refusing what is not proven for this act. */
#include "svc_identity_world.h"

#include "pbjson.h"

#include <unistd.h>

static struct fixture_program *program;
static struct person boss;

static void test_content_is_frozen(void **state) {
    (void)state;
    Pb__PrepareActReply *act;
    Pb__IdentityActContent *content;
    Pb__Signed *s;
    Pb__Ticket *t;
    uint8_t digest[32];
    WORKS(world_prepare(&boss, world_member_add("frozen", "manager,admin"), &act));
    WORKS(pbjson_read(
        &pb__identity_act_content__descriptor, PB_BYTES(act->content), &PBJSON_LIMITS, fixture_mem(), &content));
    assert_string_equal(content->act_id, act->act_id);
    assert_string_equal(content->kind, "member-add");
    assert_string_equal(content->organization_name, "测试单位");
    assert_string_equal(content->member_add->account, "frozen");
    assert_string_equal(content->member_add->password, "");
    assert_null(memmem(act->content.data, act->content.len, PASSWORD, strlen(PASSWORD)));
    WORKS(trust_verify_packed(fixture_trust(), PB_BYTES(act->ticket), "ticket", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__ticket, PB_BYTES(s->payload), fixture_mem(), &t));
    crypto_sha256(PB_BYTES(act->content), digest);
    assert_memory_equal(t->digest.data, digest, 32);
    assert_string_equal(t->owner, "identity");
    assert_string_equal(t->member_id, boss.member_id);
    assert_int_equal(t->expires_at, act->expires_at);
    assert_true(chop_bytes_equal(PB_BYTES(t->nonce), PB_BYTES(act->nonce)));
    assert_int_equal(t->n_clauses, 1);
    assert_string_equal(t->clauses[0]->factors[0], "password");
    assert_string_equal(t->clauses[0]->factors[1], "key");
}

static void test_commit_once(void **state) {
    (void)state;
    Pb__PrepareActReply *act;
    Pb__ProveFactorReply *proven;
    Pb__CommitIdentityActReply *first, *again;
    WORKS(world_prepare(&boss, world_member_add("once", "user"), &act));
    WORKS(world_prove_password(&boss, act, PASSWORD, &proven));
    WORKS(world_commit(&boss, act->act_id, proven->proof, &first));
    WORKS(world_commit(&boss, act->act_id, proven->proof, &again));
    assert_string_equal(first->member->member_id, again->member->member_id);
    WORKS(world_commit(&boss, act->act_id, PB_BIN(CHOP_BYTES("x", 1)), &again)); /* a late retry: no proof needed */
    assert_string_equal(first->member->member_id, again->member->member_id);
    assert_string_equal(fixture_sql("identity", "SELECT count(*) FROM member WHERE account = 'once'"), "1");
    assert_string_equal(
        fixture_sql("identity", fixture_text("SELECT secret IS NULL FROM act WHERE act_id = '%s'", act->act_id)), "t");
}

static void test_commit_needs_its_own_proof(void **state) {
    (void)state;
    struct person other = world_organization("thief");
    Pb__PrepareActReply *one = world_prepare_something(&boss), *two = world_prepare_something(&boss);
    Pb__ProveFactorReply *proven;
    WORKS(world_prove_password(&boss, one, PASSWORD, &proven));
    ProtobufCBinaryData none = { 0, NULL };
    FAILS(world_commit(&boss, two->act_id, proven->proof, NULL), EMISMATCH, "proof");
    FAILS(world_commit(&boss, two->act_id, none, NULL), EINVAL, "proof");
    FAILS(world_commit(&other, one->act_id, proven->proof, NULL), ENOTFOUND, "act_id");
    FAILS(world_commit(&boss, "act_00000000000000000000000000", proven->proof, NULL), ENOTFOUND, "act_id");
    FAILS(world_commit(&boss, "act", proven->proof, NULL), EINVAL, "act_id");
    FAILS(world_commit(&boss, one->act_id, one->ticket, NULL), EMISMATCH, NO_FIELD); /* signed, but no proof */
    struct chop_bytes right = PB_BYTES(proven->proof);
    for (size_t i = 0; i < right.n; i += 7) {
        struct chop_bytes bad = arena_copy(fixture_mem(), right);
        ((uint8_t *)(uintptr_t)bad.p)[i] ^= 1;
        assert_non_null(world_commit(&boss, one->act_id, PB_BIN(bad), NULL));
    }
    WORKS(world_commit(&boss, one->act_id, proven->proof, NULL));
}

/* A proof with every field right but one, signed by identity itself. */
static chop_err commit_forged(const Pb__PrepareActReply *act, const Pb__Proof *proof, const char *signer) {
    return world_commit(&boss, act->act_id, PB_BIN(fixture_sign(signer, "proof", proof)), NULL);
}

static void test_each_binding_counts(void **state) {
    (void)state;
    Pb__PrepareActReply *act = world_prepare_something(&boss);
    Pb__ProveFactorReply *proven;
    Pb__Signed *s;
    Pb__Proof *right;
    WORKS(world_prove_password(&boss, act, PASSWORD, &proven));
    WORKS(PB_UNPACK(pb__signed, PB_BYTES(proven->proof), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__proof, PB_BYTES(s->payload), fixture_mem(), &right));
    uint8_t zeros[32] = { 0 };
    Pb__Proof p;
#define FORGED(change, name)                                                                                           \
    do {                                                                                                               \
        p = *right;                                                                                                    \
        change;                                                                                                        \
        FAILS(commit_forged(act, &p, "identity"), name, "proof");                                                      \
    } while (0)
    FORGED(p.audience = PB_STR("authorization"), EMISMATCH);
    FORGED(p.act_id = PB_STR("act_00000000000000000000000000"), EMISMATCH);
    FORGED(p.ticket_digest = PB_BIN(CHOP_BYTES(zeros, 32)), EMISMATCH);
    FORGED(p.ticket_digest.len = 31, EMISMATCH);
    FORGED(p.digest = PB_BIN(CHOP_BYTES(zeros, 32)), EMISMATCH);
    FORGED(p.organization_id = PB_STR("org_x"), EMISMATCH);
    FORGED(p.member_id = PB_STR("mem_x"), EMISMATCH);
    FORGED(p.terminal_id = PB_STR("ter_x"), EMISMATCH);
    FORGED(p.n_factors = 0, ECLAUSE);
    FORGED(p.expires_at = chop_now_ms() - 1, EEXPIRED);
    FORGED(p.issued_at = chop_now_ms() + 60000, EEXPIRED);
    FORGED(p.expires_at = p.issued_at + 120001, EMISMATCH);
    Pb__ProvenFactor face = *right->factors[0], *list = &face;
    face.factor = PB_STR("face");
    FORGED(p.factors = &list, ECLAUSE);
    p = *right;
    FAILS(commit_forged(act, &p, "authorization"), EMISMATCH, NO_FIELD); /* another purpose's key */
    WORKS(commit_forged(act, &p, "identity"));                           /* and nothing else was wrong */
}

static void test_expired_act(void **state) {
    (void)state;
    Pb__PrepareActReply *act = world_prepare_something(&boss);
    Pb__ProveFactorReply *proven;
    WORKS(world_prove_password(&boss, act, PASSWORD, &proven));
    (void)fixture_sql("identity",
        fixture_text("UPDATE act SET expires_at = %lld WHERE act_id = '%s'", (long long)chop_now_ms(), act->act_id));
    FAILS(world_commit(&boss, act->act_id, proven->proof, NULL), EEXPIRED, "act_id");
    (void)fixture_sql("identity", "UPDATE act SET expires_at = 1 WHERE committed_at IS NULL");
    (void)world_prepare_something(&boss); /* sweeps */
    FAILS(world_commit(&boss, act->act_id, proven->proof, NULL), ENOTFOUND, "act_id");
}

/* ---- who may what ---- */

static void test_roles_of_acts(void **state) {
    (void)state;
    struct person user = world_member(&boss, "nobody", "user"), auditor = world_member(&boss, "audit", "auditor");
    Pb__PrepareIdentityActRequest code = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__PrinterCode printer = PB__PRINTER_CODE__INIT;
    printer.name = PB_STR("印章机");
    code.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PRINTER_CODE;
    code.printer_code = &printer;
    const struct person *who[] = { &user, &auditor };
    for (size_t i = 0; i < 2; i++) {
        FAILS(world_prepare(who[i], world_member_add("x1", "user"), NULL), EDENIED, NO_FIELD);
        FAILS(world_prepare(who[i], world_member_roles(user.member_id, "admin"), NULL), EDENIED, NO_FIELD);
        FAILS(world_prepare(who[i], &code, NULL), EDENIED, NO_FIELD);
    }
    Pb__PrepareIdentityActRequest none = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    FAILS(world_prepare(&boss, &none, NULL), EINVAL, NO_FIELD);
    FAILS(world_prepare(&boss, world_member_add("x1", "user,manager"), NULL), EINVAL, "member_add.roles");
    FAILS(world_prepare(&boss, world_member_add("x1", ""), NULL), EINVAL, "member_add.roles");
    FAILS(world_prepare(&boss, world_member_add("X1", "user"), NULL), EINVAL, "member_add.account");
    FAILS(world_prepare(&boss, world_member_add("boss", "user"), NULL), EEXISTS, "member_add.account");
    FAILS(world_prepare(&boss, world_member_roles("mem_x", "user"), NULL), EINVAL, "member_roles.member_id");
}

/* What the principal says is minutes old: the store's roles count at commit. */
static void test_demoted_admin_commits_nothing(void **state) {
    (void)state;
    struct person second = world_member(&boss, "second", "admin");
    Pb__PrepareActReply *act = world_prepare_something(&second);
    Pb__ProveFactorReply *proven;
    WORKS(world_prove_password(&second, act, PASSWORD, &proven));
    WORKS(world_act(&boss, world_member_roles(second.member_id, "manager"), NULL));
    FAILS(world_commit(&second, act->act_id, proven->proof, NULL), EDENIED, NO_FIELD);
}

static void test_last_admin_stays(void **state) {
    (void)state;
    struct person lone = world_organization("lone"), second = world_member(&lone, "second", "admin");
    Pb__PrepareActReply *one, *two;
    Pb__ProveFactorReply *proof_one, *proof_two;
    /* Two admins remove each other: both prepared while it was allowed, only the first succeeds. */
    WORKS(world_prepare(&lone, world_member_roles(second.member_id, "user"), &one));
    WORKS(world_prepare(&second, world_member_roles(lone.member_id, "user"), &two));
    WORKS(world_prove_password(&lone, one, PASSWORD, &proof_one));
    WORKS(world_prove_password(&second, two, PASSWORD, &proof_two));
    WORKS(world_commit(&lone, one->act_id, proof_one->proof, NULL));
    FAILS(world_commit(&second, two->act_id, proof_two->proof, NULL), EDENIED, NO_FIELD);
    FAILS(world_act(&lone, world_member_roles(lone.member_id, "user"), NULL), ESTATE, "member_roles.roles");
    FAILS(world_act(&lone, world_member_roles(lone.member_id, ""), NULL), ESTATE, "member_roles.roles");
    WORKS(world_act(&lone, world_member_roles(lone.member_id, "admin,manager"), NULL));
}

static void test_leaving(void **state) {
    (void)state;
    struct person p = world_member(&boss, "leaver", "user");
    Pb__CommitIdentityActReply *out;
    Pb__ResolveSessionRequest resolve = PB__RESOLVE_SESSION_REQUEST__INIT;
    resolve.token = PB_STR(p.token);
    WORKS(world_act(&boss, world_member_roles(p.member_id, ""), &out));
    assert_string_equal(out->member->state, "left");
    FAILS(CALL("ResolveSession", &resolve, NULL, NULL), EAUTH, "token");
    /* The principal lives a few minutes more, and does nothing. */
    FAILS(world_prepare(&p, world_key_add(&p, world_key(CRYPTO_ES256)), NULL), EDENIED, NO_FIELD);
    FAILS(world_terminal(&p, world_key(CRYPTO_ES256), NULL), EDENIED, NO_FIELD);
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR("acme");
    in.account = PB_STR("leaver");
    in.password = PB_STR(PASSWORD);
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, NO_FIELD);
    WORKS(world_act(&boss, world_member_roles(p.member_id, "user"), NULL));
    WORKS(CALL("SignIn", &in, NULL, NULL));
}

static void test_password_change(void **state) {
    (void)state;
    struct person p = world_member(&boss, "changer", "user"), elsewhere = world_sign_in("acme", "changer", PASSWORD);
    Pb__PrepareIdentityActRequest in = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__PasswordChange change = PB__PASSWORD_CHANGE__INIT;
    in.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PASSWORD_CHANGE;
    in.password_change = &change;
    change.new_password = PB_STR("changer");
    FAILS(world_prepare(&p, &in, NULL), EINVAL, "password_change.new_password");
    change.new_password = PB_STR("another horse 2");
    WORKS(world_act(&p, &in, NULL));
    Pb__ResolveSessionRequest resolve = PB__RESOLVE_SESSION_REQUEST__INIT;
    resolve.token = PB_STR(elsewhere.token);
    FAILS(CALL("ResolveSession", &resolve, NULL, NULL), EAUTH, "token");
    world_refresh(&p);
    (void)world_sign_in("acme", "changer", "another horse 2");
    Pb__SignInRequest old = PB__SIGN_IN_REQUEST__INIT;
    old.organization = PB_STR("acme");
    old.account = PB_STR("changer");
    old.password = PB_STR(PASSWORD);
    FAILS(CALL("SignIn", &old, NULL, NULL), EAUTH, NO_FIELD);
}

static void test_key_possession(void **state) {
    (void)state;
    struct person p = world_member(&boss, "keyless", "user");
    struct crypto_key *k = world_key(CRYPTO_SM2);
    Pb__PrepareIdentityActRequest *in = world_key_add(&boss, k); /* signed for another member */
    FAILS(world_prepare(&p, in, NULL), ESIGNATURE, "key_add.signature");
    in = world_key_add(&p, k);
    in->key_add->public_key.len--;
    FAILS(world_prepare(&p, in, NULL), EINVAL, "key_add.public_key");
    in = world_key_add(&p, k);
    in->key_add->name = PB_STR("\n");
    FAILS(world_prepare(&p, in, NULL), EINVAL, "key_add.name");
}

/* Every change is an event, in order, each once. */
static void test_events(void **state) {
    (void)state;
    Pb__ReadEventsRequest in = PB__READ_EVENTS_REQUEST__INIT;
    struct person p = world_member(&boss, "told", "user");
    size_t seen = 0;
    in.from = 1;
    in.limit = 500;
    fixture_kill(program); /* what was committed is told after the next start */
    program = world_start(NULL);
    for (int tries = 0; tries < 40 && !seen; tries++) {
        for (in.partition = 0; in.partition < 16; in.partition++) {
            Pb__ReadEventsReply *out;
            WORKS(CALL("ReadEvents", &in, NULL, &out));
            for (size_t i = 0; i < out->n_events; i++) {
                assert_int_equal(out->events[i]->position, i + 1);
                seen += strcmp(out->events[i]->type, "identity.member.changed") == 0 &&
                        strcmp(out->events[i]->key, p.member_id) == 0;
            }
        }
        if (!seen) (void)usleep(100000);
    }
    assert_int_equal(seen, 1);
}

static int up(void **state) {
    (void)state;
    program = world_start(NULL);
    boss = world_organization("acme");
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    fixture_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_content_is_frozen), cmocka_unit_test(test_commit_once),
        cmocka_unit_test(test_commit_needs_its_own_proof), cmocka_unit_test(test_each_binding_counts),
        cmocka_unit_test(test_expired_act), cmocka_unit_test(test_roles_of_acts),
        cmocka_unit_test(test_demoted_admin_commits_nothing), cmocka_unit_test(test_last_admin_stays),
        cmocka_unit_test(test_leaving), cmocka_unit_test(test_password_change), cmocka_unit_test(test_key_possession),
        cmocka_unit_test(test_events) };
    return cmocka_run_group_tests(tests, up, down);
}
