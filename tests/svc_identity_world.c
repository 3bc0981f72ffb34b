#include "svc_identity_world.h"

#include <stdio.h>
#include <stdlib.h>

#define NEW(Type, name) ((Type *)pb_new(&name##__descriptor, fixture_mem()))

struct fixture_program *world_start(const char *const *more) {
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    const char *env[16] = { fixture_text("CHOP_IDENTITY_CA_KEY=%s", fixture_key_path("identity-ca")),
        fixture_text("CHOP_IDENTITY_CA_CERT=%s", fixture_ca_cert_path()), "CHOP_IDENTITY_OPERATOR_TOKEN=" OPERATOR,
        "CHOP_IDENTITY_PASSWORD_OPSLIMIT=1", "CHOP_IDENTITY_PASSWORD_MEMLIMIT=8192" };
    for (size_t n = 5; more && *more && n < 15; n++)
        env[n] = *more++;
    return fixture_start("identity", "identity", env);
}

/* ---- people ---- */

void world_refresh(struct person *p) {
    Pb__ResolveSessionRequest in = PB__RESOLVE_SESSION_REQUEST__INIT;
    Pb__ResolveSessionReply *out;
    in.token = PB_STR(p->token);
    WORKS(CALL("ResolveSession", &in, NULL, &out));
    p->who = fixture_base64(PB_BYTES(out->principal));
}

struct person world_sign_in(const char *slug, const char *account, const char *password) {
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    Pb__SignInReply *out;
    in.organization = PB_STR(slug);
    in.account = PB_STR(account);
    in.password = PB_STR(password);
    WORKS(CALL("SignIn", &in, NULL, &out));
    struct person p = { slug, account, out->me->member->member_id, out->me->organization->organization_id,
        out->me->session_id, out->token, NULL };
    world_refresh(&p);
    return p;
}

struct person world_organization(const char *slug) {
    Pb__CreateOrganizationRequest in = PB__CREATE_ORGANIZATION_REQUEST__INIT;
    Pb__CreateOrganizationReply *out;
    in.operator_token = PB_STR(OPERATOR);
    in.name = PB_STR("测试单位");
    in.slug = PB_STR(slug);
    in.admin_account = PB_STR("boss");
    in.admin_name = PB_STR("赵一");
    in.admin_password = PB_STR(PASSWORD);
    WORKS(CALL("CreateOrganization", &in, NULL, &out));
    assert_string_equal(out->admin->organization_id, out->organization->organization_id);
    return world_sign_in(slug, "boss", PASSWORD);
}

struct person world_member(const struct person *admin, const char *account, const char *roles) {
    Pb__CommitIdentityActReply *out;
    WORKS(world_act(admin, world_member_add(account, roles), &out));
    return world_sign_in(admin->slug, account, PASSWORD);
}

struct chop_bytes world_statement(const char *label, struct chop_bytes a) {
    size_t n = strlen(label) + 1;
    uint8_t *p = arena_alloc(fixture_mem(), n + a.n);
    memcpy(p, label, n);
    if (a.n) memcpy(p + n, a.p, a.n);
    return CHOP_BYTES(p, n + a.n);
}

ProtobufCBinaryData world_signature(const struct crypto_key *k, struct chop_bytes statement) {
    uint8_t *out = arena_alloc(fixture_mem(), 64);
    WORKS(crypto_sign(k, statement, out));
    return PB_BIN(CHOP_BYTES(out, 64));
}

Pb__StartSignInReply *world_start_sign_in(const char *slug, const char *account) {
    Pb__StartSignInRequest in = PB__START_SIGN_IN_REQUEST__INIT;
    Pb__StartSignInReply *out;
    in.organization = PB_STR(slug);
    in.account = PB_STR(account);
    WORKS(CALL("StartSignIn", &in, NULL, &out));
    assert_int_equal(out->challenge.len, 32);
    return out;
}

/* ---- keys ---- */

static struct crypto_key *keys[64];

static void keys_free(void) {
    for (size_t i = 0; i < CHOP_COUNT(keys); i++)
        crypto_key_free(keys[i]);
}

struct crypto_key *world_key(enum crypto_alg alg) {
    static size_t n;
    if (n == 0) (void)atexit(keys_free);
    assert_true(n < CHOP_COUNT(keys));
    WORKS(crypto_key_generate(alg, &keys[n]));
    return keys[n++];
}

chop_err world_terminal(const struct person *p, const struct crypto_key *k, Pb__Terminal **ret) {
    Pb__RegisterTerminalRequest in = PB__REGISTER_TERMINAL_REQUEST__INIT;
    in.name = PB_STR("手机");
    in.public_key = PB_BIN(crypto_key_spki(k));
    in.signature = world_signature(k, world_statement("chop/1/terminal-register", chop_str(p->member_id)));
    return CALL("RegisterTerminal", &in, p->who, ret);
}

/* ---- acts ---- */

static size_t roles_split(const char *roles, char ***ret) {
    *ret = ARENA_ARRAY(fixture_mem(), char *, 5);
    size_t n = 0;
    for (const char *p = roles; *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
        (*ret)[n++] = arena_strn(fixture_mem(), p, strcspn(p, ","));
    return n;
}

Pb__PrepareIdentityActRequest *world_member_add(const char *account, const char *roles) {
    Pb__PrepareIdentityActRequest *in = NEW(Pb__PrepareIdentityActRequest, pb__prepare_identity_act_request);
    in->params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_MEMBER_ADD;
    in->member_add = NEW(Pb__MemberAdd, pb__member_add);
    in->member_add->account = PB_STR(account);
    in->member_add->name = PB_STR("钱二");
    in->member_add->post = PB_STR("科员");
    in->member_add->password = PB_STR(PASSWORD);
    in->member_add->n_roles = roles_split(roles, &in->member_add->roles);
    return in;
}

Pb__PrepareIdentityActRequest *world_member_roles(const char *member_id, const char *roles) {
    Pb__PrepareIdentityActRequest *in = NEW(Pb__PrepareIdentityActRequest, pb__prepare_identity_act_request);
    in->params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_MEMBER_ROLES;
    in->member_roles = NEW(Pb__MemberRoles, pb__member_roles);
    in->member_roles->member_id = PB_STR(member_id);
    in->member_roles->post = PB_STR("处长");
    in->member_roles->n_roles = roles_split(roles, &in->member_roles->roles);
    return in;
}

Pb__PrepareIdentityActRequest *world_key_add(const struct person *p, const struct crypto_key *k) {
    Pb__PrepareIdentityActRequest *in = NEW(Pb__PrepareIdentityActRequest, pb__prepare_identity_act_request);
    in->params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_KEY_ADD;
    in->key_add = NEW(Pb__KeyAdd, pb__key_add);
    in->key_add->name = PB_STR("U盾");
    in->key_add->public_key = PB_BIN(crypto_key_spki(k));
    in->key_add->signature = world_signature(k, world_statement("chop/1/key-add", chop_str(p->member_id)));
    return in;
}

Pb__PrepareIdentityActRequest *world_credential_revoke(const char *credential_id) {
    Pb__PrepareIdentityActRequest *in = NEW(Pb__PrepareIdentityActRequest, pb__prepare_identity_act_request);
    in->params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_CREDENTIAL_REVOKE;
    in->credential_revoke = NEW(Pb__CredentialRevoke, pb__credential_revoke);
    in->credential_revoke->credential_id = PB_STR(credential_id);
    return in;
}

chop_err world_prepare(const struct person *p, const Pb__PrepareIdentityActRequest *in, Pb__PrepareActReply **ret) {
    return CALL("PrepareAct", in, p->who, ret);
}

Pb__PrepareActReply *world_prepare_something(const struct person *admin) {
    static int n;
    Pb__PrepareActReply *act;
    WORKS(world_prepare(admin, world_member_add(fixture_text("someone.%d", ++n), "user"), &act));
    return act;
}

static Pb__ProveFactorRequest prove_request(const Pb__PrepareActReply *act, const char *factor) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    in.act_id = act->act_id;
    in.ticket = act->ticket;
    in.factor = PB_STR(factor);
    return in;
}

chop_err world_prove_password(
    const struct person *p, const Pb__PrepareActReply *act, const char *password, Pb__ProveFactorReply **ret) {
    Pb__ProveFactorRequest in = prove_request(act, "password");
    in.password = PB_STR(password);
    return CALL("ProveFactor", &in, p->who, ret);
}

chop_err world_prove_key(
    const struct person *p, const Pb__PrepareActReply *act, const struct crypto_key *k, Pb__ProveFactorReply **ret) {
    Pb__ProveFactorRequest in = prove_request(act, "key");
    uint8_t digest[32], challenge[32];
    crypto_sha256(PB_BYTES(act->content), digest);
    trust_act_challenge(act->act_id, PB_BYTES(act->nonce), CHOP_BYTES(digest, 32), challenge);
    in.signature = world_signature(k, CHOP_BYTES(challenge, 32));
    return CALL("ProveFactor", &in, p->who, ret);
}

chop_err world_commit(
    const struct person *p, const char *act_id, ProtobufCBinaryData proof, Pb__CommitIdentityActReply **ret) {
    Pb__CommitIdentityActRequest in = PB__COMMIT_IDENTITY_ACT_REQUEST__INIT;
    in.act_id = PB_STR(act_id);
    in.proof = proof;
    return CALL("CommitAct", &in, p->who, ret);
}

chop_err world_act(const struct person *p, const Pb__PrepareIdentityActRequest *in, Pb__CommitIdentityActReply **ret) {
    Pb__PrepareActReply *act;
    Pb__ProveFactorReply *proven;
    TRY(world_prepare(p, in, &act));
    TRY(world_prove_password(p, act, PASSWORD, &proven));
    assert_int_equal(proven->n_missing, 0);
    return world_commit(p, act->act_id, proven->proof, ret);
}
