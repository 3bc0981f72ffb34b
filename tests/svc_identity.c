/* identity: organizations, signing in, sessions, members, one organization's walls. */
#include "svc_identity_world.h"

#include <stdio.h>
#include <stdlib.h>

static struct fixture_program *program;
static struct person boss;

/* ---- organizations ---- */

static Pb__CreateOrganizationRequest organization_request(const char *slug) {
    Pb__CreateOrganizationRequest in = PB__CREATE_ORGANIZATION_REQUEST__INIT;
    in.operator_token = PB_STR(OPERATOR);
    in.name = PB_STR("单位");
    in.slug = PB_STR(slug);
    in.admin_account = PB_STR("root");
    in.admin_name = PB_STR("某");
    in.admin_password = PB_STR(PASSWORD);
    return in;
}

static void test_organization_fields(void **state) {
    (void)state;
    Pb__CreateOrganizationRequest in;
#define BAD(field_, value, name)                                                                                       \
    do {                                                                                                               \
        in = organization_request("fields");                                                                           \
        in.field_ = PB_STR(value);                                                                                     \
        FAILS(CALL("CreateOrganization", &in, NULL, NULL), name, #field_);                                             \
    } while (0)
    BAD(operator_token, "", EAUTH);
    BAD(operator_token, OPERATOR "x", EAUTH);
    BAD(name, "", EINVAL);
    BAD(slug, "No", EINVAL);
    BAD(uscc, "123", EINVAL);
    BAD(uscc, "914403001922038217", EMISTYPED);
    BAD(admin_account, "A b", EINVAL);
    BAD(admin_name, "", EINVAL);
    BAD(admin_password, "short", EINVAL);
    BAD(admin_password, "password123", EINVAL);
    assert_string_equal(fixture_sql("identity", "SELECT count(*) FROM organization WHERE slug = 'fields'"), "0");
}

static void test_organization_once(void **state) {
    (void)state;
    Pb__CreateOrganizationRequest in = organization_request("once");
    in.uscc = PB_STR("914403001922038216");
    WORKS(CALL("CreateOrganization", &in, NULL, NULL));
    FAILS(CALL("CreateOrganization", &in, NULL, NULL), EEXISTS, "slug");
    in.slug = PB_STR("twice");
    FAILS(CALL("CreateOrganization", &in, NULL, NULL), EEXISTS, "uscc");
}

static void test_no_secret_is_stored_or_logged(void **state) {
    (void)state;
    assert_null(strstr(fixture_log("identity"), PASSWORD));
    assert_null(strstr(fixture_log("identity"), OPERATOR));
    assert_null(strstr(fixture_log("identity"), boss.token));
    assert_string_equal(
        fixture_sql("identity", "SELECT count(*) FROM credential WHERE password_hash LIKE '$argon2id$%'"),
        fixture_sql("identity", "SELECT count(*) FROM credential WHERE kind = 'password'"));
    assert_string_equal(fixture_sql("identity", fixture_text("SELECT count(*) FROM session WHERE "
                                                             "token_hash = sha256('%s')",
                                                    boss.token)),
        "1");
}

/* ---- signing in ---- */

static chop_err sign_in(const char *slug, const char *account, const char *password, Pb__SignInReply **ret) {
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR(slug);
    in.account = PB_STR(account);
    in.password = PB_STR(password);
    return CALL("SignIn", &in, NULL, ret);
}

/* Nobody learns from the answer whether organization or account exist. */
static void test_sign_in_wrong(void **state) {
    (void)state;
    char first[256];
    FAILS(sign_in("acme", "boss", "wrong password", NULL), EAUTH, "");
    (void)snprintf(first, sizeof first, "%s", chop_detail_text());
    FAILS(sign_in("acme", "nobody", "wrong password", NULL), EAUTH, "");
    assert_string_equal(chop_detail_text(), first);
    FAILS(sign_in("nowhere", "boss", PASSWORD, NULL), EAUTH, "");
    assert_string_equal(chop_detail_text(), first);
    FAILS(sign_in("acme", "boss", "", NULL), EINVAL, "password");
    FAILS(sign_in("ACME", "boss", "x", NULL), EINVAL, "organization");
    FAILS(sign_in("acme", "Boss", "x", NULL), EINVAL, "account");
}

static void test_throttle(void **state) {
    (void)state;
    struct person p = world_member(&boss, "throttled", "user");
    for (int i = 0; i < 5; i++)
        FAILS(sign_in("acme", p.account, "wrong password", NULL), EAUTH, NO_FIELD);
    FAILS(sign_in("acme", p.account, PASSWORD, NULL), ETHROTTLED, NO_FIELD);
    WORKS(sign_in("acme", "boss", PASSWORD, NULL)); /* others go on */
    (void)fixture_sql("identity", "UPDATE throttle SET blocked_until = 0");
    WORKS(sign_in("acme", p.account, PASSWORD, NULL)); /* a pause, no lockout; and a success forgets */
    FAILS(sign_in("acme", p.account, "wrong password", NULL), EAUTH, NO_FIELD);
    WORKS(sign_in("acme", p.account, PASSWORD, NULL));
}

static void test_unknown_accounts_are_throttled_too(void **state) {
    (void)state;
    for (int i = 0; i < 5; i++)
        FAILS(sign_in("acme", "ghost", "wrong password", NULL), EAUTH, NO_FIELD);
    FAILS(sign_in("acme", "ghost", "wrong password", NULL), ETHROTTLED, NO_FIELD);
}

static void test_rehash(void **state) {
    (void)state;
    struct person p = world_member(&boss, "rehashed", "user");
    fixture_stop(program);
    program = world_start((const char *const[]){ "CHOP_IDENTITY_PASSWORD_OPSLIMIT=2", NULL });
    const char *query = fixture_text("SELECT password_hash FROM credential WHERE member_id = '%s'", p.member_id);
    assert_non_null(strstr(fixture_sql("identity", query), "t=1,"));
    WORKS(sign_in("acme", "rehashed", PASSWORD, NULL));
    assert_non_null(strstr(fixture_sql("identity", query), "t=2,"));
    WORKS(sign_in("acme", "rehashed", PASSWORD, NULL));
}

static Pb__SignInRequest key_sign_in(
    const struct person *p, const Pb__StartSignInReply *s, const struct crypto_key *k) {
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR(p->slug);
    in.account = PB_STR(p->account);
    in.sign_in_id = s->sign_in_id;
    in.signature = world_signature(k, world_statement("chop/1/sign-in", PB_BYTES(s->challenge)));
    return in;
}

static void test_sign_in_by_key(void **state) {
    (void)state;
    struct person p = world_member(&boss, "keyed", "user");
    Pb__CommitIdentityActReply *added;
    const enum crypto_alg algs[] = { CRYPTO_ES256, CRYPTO_ED25519, CRYPTO_SM2 };
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = world_key(algs[i]);
        WORKS(world_act(&p, world_key_add(&p, k), &added));
        assert_string_equal(added->credential->algorithm, crypto_alg_name(algs[i]));
        Pb__SignInRequest in = key_sign_in(&p, world_start_sign_in(p.slug, p.account), k);
        WORKS(CALL("SignIn", &in, NULL, NULL));
        FAILS(CALL("SignIn", &in, NULL, NULL), EUSED, "sign_in_id");
    }
    struct crypto_key *stranger = world_key(CRYPTO_ES256);
    Pb__SignInRequest in = key_sign_in(&p, world_start_sign_in(p.slug, p.account), stranger);
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "");
}

/* A challenge is good for its own id, its own account and its own time. */
static void test_sign_in_challenge_binds(void **state) {
    (void)state;
    struct person p = world_member(&boss, "binder", "user");
    struct crypto_key *k = world_key(CRYPTO_ES256);
    WORKS(world_act(&p, world_key_add(&p, k), NULL));
    Pb__StartSignInReply *mine = world_start_sign_in(p.slug, p.account), *other = world_start_sign_in(p.slug, "boss");
    Pb__SignInRequest in = key_sign_in(&p, other, k);
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "");
    in = key_sign_in(&p, mine, k);
    in.sign_in_id = PB_STR(fixture_text("%.33s%lld", mine->sign_in_id, 99999999999999LL)); /* a longer life */
    FAILS(CALL("SignIn", &in, NULL, NULL), EAUTH, "");
    in.sign_in_id = PB_STR(fixture_text("%.33s%lld", mine->sign_in_id, 1000LL));
    FAILS(CALL("SignIn", &in, NULL, NULL), EEXPIRED, "sign_in_id");
    in.sign_in_id = PB_STR("whatever");
    FAILS(CALL("SignIn", &in, NULL, NULL), EINVAL, "sign_in_id");
    in.sign_in_id = PB_STR("");
    FAILS(CALL("SignIn", &in, NULL, NULL), EINVAL, "sign_in_id");
    in = key_sign_in(&p, mine, k);
    in.password = PB_STR(PASSWORD);
    FAILS(CALL("SignIn", &in, NULL, NULL), EINVAL, "signature");
}

/* ---- sessions ---- */

static void test_session_ends(void **state) {
    (void)state;
    struct person p = world_sign_in("acme", "boss", PASSWORD);
    Pb__ResolveSessionRequest in = PB__RESOLVE_SESSION_REQUEST__INIT;
    Pb__SignOutRequest out = PB__SIGN_OUT_REQUEST__INIT;
    in.token = PB_STR(p.token);
    WORKS(CALL("SignOut", &out, p.who, NULL));
    FAILS(CALL("ResolveSession", &in, NULL, NULL), EAUTH, "token");
    FAILS(CALL("SignOut", &out, NULL, NULL), EAUTH, "token");
    in.token = PB_STR("0000000000000000000000000000000000000000000000000000000000000000");
    FAILS(CALL("ResolveSession", &in, NULL, NULL), EAUTH, "token");
    in.token = PB_STR("");
    FAILS(CALL("ResolveSession", &in, NULL, NULL), EAUTH, "token");
}

static void test_session_times(void **state) {
    (void)state;
    struct person p = world_sign_in("acme", "boss", PASSWORD);
    Pb__ResolveSessionRequest in = PB__RESOLVE_SESSION_REQUEST__INIT;
    in.token = PB_STR(p.token);
    (void)fixture_sql("identity",
        fixture_text("UPDATE session SET seen_at = seen_at - 43190000 WHERE session_id = '%s'", p.session_id));
    WORKS(CALL("ResolveSession", &in, NULL, NULL)); /* and is seen now */
    (void)fixture_sql("identity",
        fixture_text("UPDATE session SET seen_at = seen_at - 43190000 WHERE session_id = '%s'", p.session_id));
    WORKS(CALL("ResolveSession", &in, NULL, NULL));
    (void)fixture_sql("identity",
        fixture_text("UPDATE session SET seen_at = seen_at - 43200001 WHERE session_id = '%s'", p.session_id));
    FAILS(CALL("ResolveSession", &in, NULL, NULL), EAUTH, "token");
    p = world_sign_in("acme", "boss", PASSWORD);
    in.token = PB_STR(p.token);
    (void)fixture_sql("identity", fixture_text("UPDATE session SET expires_at = expires_at - 86400001 WHERE "
                                               "session_id = '%s'",
                                      p.session_id));
    FAILS(CALL("ResolveSession", &in, NULL, NULL), EAUTH, "token");
}

static void test_principal(void **state) {
    (void)state;
    Pb__ResolveSessionRequest in = PB__RESOLVE_SESSION_REQUEST__INIT;
    Pb__ResolveSessionReply *out;
    Pb__Signed *s;
    Pb__Principal *p;
    in.token = PB_STR(boss.token);
    WORKS(CALL("ResolveSession", &in, NULL, &out));
    WORKS(
        trust_verify_packed(fixture_trust(), PB_BYTES(out->principal), "principal", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__principal, PB_BYTES(s->payload), fixture_mem(), &p));
    assert_string_equal(p->member_id, boss.member_id);
    assert_string_equal(p->organization_id, boss.organization_id);
    assert_int_equal(p->n_roles, 1);
    assert_string_equal(p->roles[0], "admin");
    assert_true(p->expires_at <= chop_now_ms() + 300000 && p->expires_at == out->expires_at);
}

static void test_needs_a_principal(void **state) {
    (void)state;
    Pb__Empty empty = PB__EMPTY__INIT;
    FAILS(CALL("GetMe", &empty, NULL, NULL), EAUTH, NO_FIELD);
    FAILS(CALL("GetMe", &empty, "AAAA", NULL), EAUTH, NO_FIELD);
    Pb__Principal p = PB__PRINCIPAL__INIT;
    p.member_id = PB_STR(boss.member_id);
    p.organization_id = PB_STR(boss.organization_id);
    const char *forged = fixture_base64(fixture_sign("authorization", "principal", &p));
    FAILS(CALL("GetMe", &empty, forged, NULL), EAUTH, NO_FIELD);
}

/* ---- members and walls ---- */

static void test_members(void **state) {
    (void)state;
    struct person p = world_member(&boss, "watcher", "user"), m = world_member(&boss, "chief", "manager");
    Pb__ListMembersRequest in = PB__LIST_MEMBERS_REQUEST__INIT;
    Pb__ListMembersReply *out;
    in.role = PB_STR("manager");
    WORKS(CALL("ListMembers", &in, p.who, &out));
    assert_int_equal(out->n_members, 1);
    assert_string_equal(out->members[0]->member_id, m.member_id);
    assert_string_equal(out->members[0]->account, ""); /* not for colleagues */
    WORKS(CALL("ListMembers", &in, boss.who, &out));
    assert_string_equal(out->members[0]->account, "chief");
    in.role = PB_STR("king");
    FAILS(CALL("ListMembers", &in, p.who, NULL), EINVAL, "role");
    in.role = PB_STR("");
    in.limit = 201;
    FAILS(CALL("ListMembers", &in, p.who, NULL), EINVAL, "limit");
    in.limit = 1;
    WORKS(CALL("ListMembers", &in, p.who, &out));
    assert_int_equal(out->n_members, 1);
    const char *first = out->members[0]->member_id;
    in.after = PB_STR(first);
    WORKS(CALL("ListMembers", &in, p.who, &out));
    assert_string_not_equal(out->members[0]->member_id, first);
}

static void test_walls(void **state) {
    (void)state;
    struct person other = world_organization("other");
    Pb__Terminal *t;
    WORKS(world_terminal(&boss, world_key(CRYPTO_ES256), &t));
    Pb__GetOrganizationRequest org = PB__GET_ORGANIZATION_REQUEST__INIT;
    org.organization_id = PB_STR(boss.organization_id);
    FAILS(CALL("GetOrganization", &org, other.who, NULL), ENOTFOUND, "organization_id");
    WORKS(CALL("GetOrganization", &org, boss.who, NULL));
    Pb__ListTerminalsRequest terminals = PB__LIST_TERMINALS_REQUEST__INIT;
    terminals.member_id = PB_STR(boss.member_id);
    FAILS(CALL("ListTerminals", &terminals, other.who, NULL), ENOTFOUND, "member_id");
    FAILS(world_act(&other, world_member_roles(boss.member_id, "user"), NULL), ENOTFOUND, "member_roles.member_id");
    Pb__PrepareIdentityActRequest revoke = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__TerminalRevoke what = PB__TERMINAL_REVOKE__INIT;
    what.terminal_id = t->terminal_id;
    revoke.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_TERMINAL_REVOKE;
    revoke.terminal_revoke = &what;
    FAILS(world_act(&other, &revoke, NULL), ENOTFOUND, "terminal_revoke.terminal_id");
    Pb__ListMembersRequest members = PB__LIST_MEMBERS_REQUEST__INIT;
    Pb__ListMembersReply *out;
    WORKS(CALL("ListMembers", &members, other.who, &out));
    for (size_t i = 0; i < out->n_members; i++)
        assert_string_equal(out->members[i]->organization_id, other.organization_id);
    world_refresh(&boss);
}

static void test_keys_for_outsiders(void **state) {
    (void)state;
    Pb__Empty empty = PB__EMPTY__INIT;
    Pb__Keys *keys;
    struct trust *t;
    WORKS(CALL("GetKeys", &empty, NULL, &keys));
    WORKS(trust_new(PB_BYTES(keys->root_spki), PB_BYTES(keys->manifest), 0, &t));
    trust_free(t);
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
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_organization_fields),
        cmocka_unit_test(test_organization_once), cmocka_unit_test(test_sign_in_wrong), cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_unknown_accounts_are_throttled_too), cmocka_unit_test(test_sign_in_by_key),
        cmocka_unit_test(test_sign_in_challenge_binds), cmocka_unit_test(test_session_ends),
        cmocka_unit_test(test_session_times), cmocka_unit_test(test_principal),
        cmocka_unit_test(test_needs_a_principal), cmocka_unit_test(test_members), cmocka_unit_test(test_walls),
        cmocka_unit_test(test_keys_for_outsiders), cmocka_unit_test(test_rehash),
        cmocka_unit_test(test_no_secret_is_stored_or_logged) };
    return cmocka_run_group_tests(tests, up, down);
}
