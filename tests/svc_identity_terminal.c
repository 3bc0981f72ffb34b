/* identity: terminals, their keys and certificates. */
#include "svc_identity_world.h"

static struct fixture_program *program;
static struct person boss;

static Pb__SignInRequest terminal_sign_in(const struct person *p, const char *terminal_id, const struct crypto_key *k) {
    Pb__StartSignInReply *s = world_start_sign_in(p->slug, p->account);
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR(p->slug);
    in.account = PB_STR(p->account);
    in.password = PB_STR(PASSWORD);
    in.sign_in_id = s->sign_in_id;
    in.terminal_id = PB_STR(terminal_id);
    in.terminal_signature = world_signature(k, world_statement("chop/1/terminal", PB_BYTES(s->challenge)));
    return in;
}

static void test_terminal_certificate(void **state) {
    (void)state;
    struct person p = world_member(&boss, "terminal", "user");
    struct crypto_key *k = world_key(CRYPTO_ES256);
    Pb__Terminal *t, *again;
    Pb__TerminalCert *cert;
    WORKS(world_terminal(&p, k, &t));
    WORKS(trust_verify(fixture_trust(), t->certificate, "terminal-cert", chop_now_ms(), NULL));
    WORKS(PB_UNPACK(pb__terminal_cert, PB_BYTES(t->certificate->payload), fixture_mem(), &cert));
    assert_string_equal(cert->terminal_id, t->terminal_id);
    assert_string_equal(cert->member_id, p.member_id);
    assert_string_equal(cert->organization_id, p.organization_id);
    assert_true(chop_bytes_equal(PB_BYTES(cert->public_key), crypto_key_spki(k)));
    WORKS(world_terminal(&p, k, &again)); /* a retry */
    assert_string_equal(again->terminal_id, t->terminal_id);
    world_refresh(&p);
    Pb__Empty empty = PB__EMPTY__INIT;
    Pb__Me *me;
    WORKS(CALL("GetMe", &empty, p.who, &me));
    assert_string_equal(me->terminal_id, t->terminal_id);
}

static void test_terminal_sign_in(void **state) {
    (void)state;
    struct person p = world_member(&boss, "ontheroad", "user"), q = world_member(&boss, "thief", "user");
    struct crypto_key *k = world_key(CRYPTO_ES256), *wrong = world_key(CRYPTO_ES256);
    Pb__Terminal *t;
    Pb__SignInReply *out;
    WORKS(world_terminal(&p, k, &t));
    Pb__SignInRequest in = terminal_sign_in(&p, t->terminal_id, k);
    WORKS(CALL("SignIn", &in, NULL, &out));
    assert_string_equal(out->me->terminal_id, t->terminal_id);
    in = terminal_sign_in(&p, t->terminal_id, wrong);
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "terminal_signature");
    in = terminal_sign_in(&q, t->terminal_id, k); /* another's device */
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "terminal_id");
    Pb__PrepareIdentityActRequest revoke = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__TerminalRevoke what = PB__TERMINAL_REVOKE__INIT;
    what.terminal_id = t->terminal_id;
    revoke.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_TERMINAL_REVOKE;
    revoke.terminal_revoke = &what;
    FAILS(world_act(&q, &revoke, NULL), EDENIED, NO_FIELD);
    Pb__CommitIdentityActReply *done;
    WORKS(world_act(&boss, &revoke, &done));
    assert_string_equal(done->terminal->state, "revoked");
    in = terminal_sign_in(&p, t->terminal_id, k);
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "terminal_id");
    Pb__ResolveSessionRequest resolve = PB__RESOLVE_SESSION_REQUEST__INIT;
    resolve.token = out->token; /* opened on that terminal */
    FAILS(CALL("ResolveSession", &resolve, NULL, NULL), EAUTH, "token");
}

/* A principal of before the loss still lives for minutes: what it prepared on the lost device is not proven any more.
 */
static void test_lost_terminal_proves_nothing(void **state) {
    (void)state;
    struct person p = world_member(&boss, "lostphone", "user");
    Pb__Terminal *t;
    Pb__PrepareActReply *before;
    Pb__ProveFactorReply *proof;
    WORKS(world_terminal(&p, world_key(CRYPTO_ES256), &t));
    world_refresh(&p);
    WORKS(world_prepare(&p, world_key_add(&p, world_key(CRYPTO_ES256)), &before));
    WORKS(world_act(&p, world_key_add(&p, world_key(CRYPTO_ES256)), NULL));
    Pb__PrepareIdentityActRequest revoke = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__TerminalRevoke what = PB__TERMINAL_REVOKE__INIT;
    what.terminal_id = t->terminal_id;
    revoke.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_TERMINAL_REVOKE;
    revoke.terminal_revoke = &what;
    WORKS(world_act(&boss, &revoke, NULL));
    FAILS(world_prove_password(&p, before, PASSWORD, &proof), EDENIED, "terminal_id");
}

/* A device key is never a factor, a factor never a device key, and neither ever another's. */
static void test_key_serves_one_thing(void **state) {
    (void)state;
    struct person p = world_member(&boss, "onekey", "user"), q = world_member(&boss, "otherkey", "user");
    struct crypto_key *device = world_key(CRYPTO_ES256), *factor = world_key(CRYPTO_ES256);
    WORKS(world_terminal(&p, device, NULL));
    world_refresh(&p);
    FAILS(world_act(&p, world_key_add(&p, device), NULL), EUSED, "key_add.public_key");
    WORKS(world_act(&p, world_key_add(&p, factor), NULL));
    FAILS(world_terminal(&p, factor, NULL), EUSED, "public_key");
    FAILS(world_terminal(&q, factor, NULL), EUSED, "public_key");
    FAILS(world_terminal(&q, device, NULL), EUSED, "public_key");
    FAILS(world_act(&q, world_key_add(&q, factor), NULL), EUSED, "key_add.public_key");
    FAILS(world_terminal(&q, world_key(CRYPTO_ED25519), NULL), EINVAL, "public_key");
}

static void test_terminal_possession(void **state) {
    (void)state;
    struct crypto_key *k = world_key(CRYPTO_ES256);
    Pb__RegisterTerminalRequest in = PB__REGISTER_TERMINAL_REQUEST__INIT;
    in.name = PB_STR("pc");
    in.public_key = PB_BIN(crypto_key_spki(k));
    in.signature = world_signature(k, world_statement("chop/1/terminal-register", chop_str("mem_of_somebody_else")));
    FAILS(CALL("RegisterTerminal", &in, boss.who, NULL), ESIGNATURE, "signature");
    in.signature.len = 63;
    FAILS(CALL("RegisterTerminal", &in, boss.who, NULL), EINVAL, "signature");
    in.public_key.len -= 1;
    FAILS(CALL("RegisterTerminal", &in, boss.who, NULL), EINVAL, "public_key");
    in.name = PB_STR("");
    FAILS(CALL("RegisterTerminal", &in, boss.who, NULL), EINVAL, "name");
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_terminal_certificate),
        cmocka_unit_test(test_terminal_sign_in), cmocka_unit_test(test_lost_terminal_proves_nothing),
        cmocka_unit_test(test_key_serves_one_thing), cmocka_unit_test(test_terminal_possession) };
    return cmocka_run_group_tests(tests, up, down);
}
