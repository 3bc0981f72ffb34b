/* identity: proving factors. What must be tamper-proof is tampered with. */
#include "svc_identity_world.h"

#include <stdatomic.h>
#include <unistd.h>

static struct fixture_program *program;
static struct person boss, user;
static struct crypto_key *key;
static const char *key_id;

static Pb__ProveFactorRequest by_password(const Pb__PrepareActReply *act) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    in.act_id = act->act_id;
    in.ticket = act->ticket;
    in.factor = PB_STR("password");
    in.password = PB_STR(PASSWORD);
    return in;
}

/* A ticket as its owner would make it, for tests of tickets; authorization is an owner too. */
struct made {
    Pb__Ticket ticket;
    uint8_t digest[32], nonce[32];
    Pb__Clause clauses[2], *list[2];
    char *factors[2][2];
};

static void ticket_make(struct made *m, const struct person *p) {
    memset(m, 0, sizeof *m);
    m->ticket = (Pb__Ticket)PB__TICKET__INIT;
    chop_random(m->digest, 32);
    chop_random(m->nonce, 32);
    char id[CHOP_ID_MAX];
    chop_id_new("act", id);
    for (int i = 0; i < 2; i++) {
        m->clauses[i] = (Pb__Clause)PB__CLAUSE__INIT;
        m->clauses[i].n_factors = 1;
        m->clauses[i].factors = m->factors[i];
        m->list[i] = &m->clauses[i];
    }
    m->factors[0][0] = PB_STR("password");
    m->factors[1][0] = PB_STR("key");
    m->ticket.owner = PB_STR("authorization");
    m->ticket.act_id = arena_str(fixture_mem(), id);
    m->ticket.kind = PB_STR("decide");
    m->ticket.organization_id = PB_STR(p->organization_id);
    m->ticket.member_id = PB_STR(p->member_id);
    m->ticket.digest = PB_BIN(CHOP_BYTES(m->digest, 32));
    m->ticket.nonce = PB_BIN(CHOP_BYTES(m->nonce, 32));
    m->ticket.n_clauses = 2;
    m->ticket.clauses = m->list;
    m->ticket.expires_at = chop_now_ms() + 60000;
}

static Pb__ProveFactorRequest made_request(const struct made *m, const char *signer, const char *factor) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    in.act_id = m->ticket.act_id;
    in.ticket = PB_BIN(fixture_sign(signer, "ticket", &m->ticket));
    in.factor = PB_STR(factor);
    if (strcmp(factor, "password") == 0) in.password = PB_STR(PASSWORD);
    uint8_t challenge[32];
    trust_act_challenge(m->ticket.act_id, CHOP_BYTES(m->nonce, 32), CHOP_BYTES(m->digest, 32), challenge);
    if (strcmp(factor, "key") == 0) in.signature = world_signature(key, CHOP_BYTES(challenge, 32));
    return in;
}

static Pb__Proof *proof_open(ProtobufCBinaryData packed) {
    Pb__Signed *s;
    Pb__Proof *p;
    WORKS(trust_verify_packed(fixture_trust(), PB_BYTES(packed), "proof", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__proof, PB_BYTES(s->payload), fixture_mem(), &p));
    return p;
}

/* ---- what works ---- */

static void test_two_clauses(void **state) {
    (void)state;
    struct made m;
    Pb__ProveFactorReply *out;
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "password");
    WORKS(CALL("ProveFactor", &in, user.who, &out));
    assert_int_equal(out->n_proven, 1);
    assert_string_equal(out->proven[0], "password");
    assert_int_equal(out->n_missing, 1);
    assert_string_equal(out->missing[0]->factors[0], "key");
    assert_int_equal(out->proof.len, 0);
    WORKS(CALL("ProveFactor", &in, user.who, &out)); /* a repetition changes nothing */
    assert_int_equal(out->n_proven, 1);
    assert_int_equal(out->proof.len, 0);
    in = made_request(&m, "authorization", "key");
    WORKS(CALL("ProveFactor", &in, user.who, &out));
    assert_int_equal(out->n_missing, 0);
    assert_int_equal(proof_open(out->proof)->n_factors, 2);
    in = made_request(&m, "authorization", "password");
    WORKS(CALL("ProveFactor", &in, user.who, &out)); /* after all, it gives a fresh proof */
    assert_int_equal(proof_open(out->proof)->n_factors, 2);
}

/* ---- two at the same moment ---- */

struct answer {
    atomic_int ready;
    chop_err err;
    uint8_t bytes[8192];
    size_t n;
};

static void on_answer(void *ctx, chop_err err, struct chop_bytes reply) {
    struct answer *a = ctx;
    a->err = err;
    if (!err && reply.n <= sizeof a->bytes) memcpy(a->bytes, reply.p, a->n = reply.n);
    atomic_store(&a->ready, 1);
}

static void prove_async(const Pb__ProveFactorRequest *in, struct answer *a) {
    struct bus_headers h = { .deadline = chop_now_ms() + 5000, .principal = user.who };
    struct chop_bytes request;
    WORKS(pb_pack(in, fixture_mem(), &request));
    bus_call_async(fixture_bus(), "chop.identity.v1.ProveFactor", &h, request, on_answer, a);
}

static bool has_proof(struct answer *a) {
    Pb__ProveFactorReply *out;
    while (!atomic_load(&a->ready))
        (void)usleep(200);
    WORKS(a->err);
    WORKS(PB_UNPACK(pb__prove_factor_reply, CHOP_BYTES(a->bytes, a->n), fixture_mem(), &out));
    return out->proof.len > 0;
}

/* Exactly one of two answers is the last one, and carries the proof. */
static void test_parallel_factors(void **state) {
    (void)state;
    for (int round = 0; round < 60; round++) {
        struct made m;
        static struct answer answers[2];
        memset(answers, 0, sizeof answers);
        ticket_make(&m, &user);
        Pb__ProveFactorRequest password = made_request(&m, "authorization", "password");
        Pb__ProveFactorRequest by_key = made_request(&m, "authorization", "key");
        prove_async(&password, &answers[0]);
        prove_async(&by_key, &answers[1]);
        bool first = has_proof(&answers[0]), second = has_proof(&answers[1]);
        assert_int_equal(first + second, 1);
    }
}

/* Whoever holds root key, ticket and the member's public key can check a proof without asking identity. */
static void test_proof_verifies_offline(void **state) {
    (void)state;
    struct made m;
    Pb__ProveFactorReply *out;
    uint8_t ticket_digest[32], challenge[32];
    struct chop_bytes payload;
    ticket_make(&m, &user);
    m.factors[0][0] = PB_STR("key");
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "key");
    WORKS(CALL("ProveFactor", &in, user.who, &out));
    Pb__Proof *p = proof_open(out->proof);
    WORKS(pb_pack(&m.ticket, fixture_mem(), &payload));
    crypto_sha256(payload, ticket_digest);
    assert_string_equal(p->audience, "authorization");
    assert_string_equal(p->act_id, m.ticket.act_id);
    assert_memory_equal(p->ticket_digest.data, ticket_digest, 32);
    assert_memory_equal(p->digest.data, m.digest, 32);
    assert_string_equal(p->member_id, user.member_id);
    assert_string_equal(p->organization_id, user.organization_id);
    assert_int_equal(p->expires_at - p->issued_at, 120000);
    assert_int_equal(p->n_factors, 1);
    const Pb__ProvenFactor *f = p->factors[0];
    assert_string_equal(f->factor, "key");
    assert_string_equal(f->amr, "pop swk");
    assert_string_equal(f->credential_id, key_id);
    assert_string_equal(f->algorithm, "ES256");
    trust_act_challenge(p->act_id, CHOP_BYTES(m.nonce, 32), PB_BYTES(p->digest), challenge);
    assert_memory_equal(f->challenge.data, challenge, 32);
    WORKS(crypto_verify(key, PB_BYTES(f->challenge), PB_BYTES(f->signature)));
}

static void test_password_evidence(void **state) {
    (void)state;
    Pb__ProveFactorReply *out;
    Pb__PrepareActReply *act = world_prepare_something(&boss);
    WORKS(world_prove_password(&boss, act, PASSWORD, &out));
    Pb__Proof *p = proof_open(out->proof);
    assert_string_equal(p->audience, "identity");
    assert_string_equal(p->factors[0]->amr, "pwd");
    assert_int_equal(p->factors[0]->signature.len, 0);
    assert_string_equal(p->roles[0], "admin");
}

/* ---- what does not ---- */

static void test_wrong_password(void **state) {
    (void)state;
    Pb__PrepareActReply *act = world_prepare_something(&boss);
    FAILS(world_prove_password(&boss, act, "wrong password", NULL), EAUTH, NO_FIELD);
    FAILS(world_prove_password(&boss, act, "", NULL), EINVAL, "password");
    for (int i = 0; i < 4; i++)
        FAILS(world_prove_password(&boss, act, "wrong password", NULL), EAUTH, NO_FIELD);
    FAILS(world_prove_password(&boss, act, PASSWORD, NULL), ETHROTTLED, NO_FIELD);
    (void)fixture_sql("identity", "UPDATE throttle SET blocked_until = 0");
    WORKS(world_prove_password(&boss, act, PASSWORD, NULL));
}

static void test_factor_names(void **state) {
    (void)state;
    Pb__PrepareActReply *act = world_prepare_something(&boss);
    Pb__ProveFactorRequest in = by_password(act);
    const char *others[] = { "fingerprint", "face", "realname", "alipay", "wechat", "oidc" };
    for (size_t i = 0; i < CHOP_COUNT(others); i++) {
        in.factor = PB_STR(others[i]);
        FAILS(CALL("ProveFactor", &in, boss.who, NULL), EINVAL, "factor");
        assert_non_null(strstr(chop_detail_text(), "is not available in this deployment"));
        assert_non_null(strstr(chop_detail_text(), others[i]));
    }
    in.factor = PB_STR("blood");
    FAILS(CALL("ProveFactor", &in, boss.who, NULL), EINVAL, "factor");
    struct made m;
    ticket_make(&m, &user);
    m.ticket.n_clauses = 1;
    m.factors[0][0] = PB_STR("key");
    in = made_request(&m, "authorization", "password"); /* not asked for: no guessing by such tickets */
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EINVAL, "factor");
}

static void test_wrong_act(void **state) {
    (void)state;
    Pb__PrepareActReply *one = world_prepare_something(&boss), *two = world_prepare_something(&boss);
    Pb__ProveFactorRequest in = by_password(one);
    in.act_id = two->act_id;
    FAILS(CALL("ProveFactor", &in, boss.who, NULL), EMISMATCH, "act_id");
    in.act_id = PB_STR("act_x");
    FAILS(CALL("ProveFactor", &in, boss.who, NULL), EINVAL, "act_id");
}

static void test_wrong_key(void **state) {
    (void)state;
    struct made m;
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "key");
    uint8_t challenge[32];
    trust_act_challenge(m.ticket.act_id, CHOP_BYTES(m.nonce, 32), CHOP_BYTES(m.digest, 32), challenge);
    in.signature = world_signature(world_key(CRYPTO_ES256), CHOP_BYTES(challenge, 32));
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EAUTH, "signature");
    in = made_request(&m, "authorization", "key");
    in.credential_id = PB_STR("crd_00000000000000000000000000");
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EAUTH, "signature");
    in.credential_id = PB_STR(key_id);
    WORKS(CALL("ProveFactor", &in, user.who, NULL));
    in.signature.len = 63;
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EINVAL, "signature");
}

/* A signature made for one act, over one content and nonce, proves nothing for another. */
static void test_replay_across_acts(void **state) {
    (void)state;
    struct made one, two;
    ticket_make(&one, &user);
    ticket_make(&two, &user);
    Pb__ProveFactorRequest in = made_request(&one, "authorization", "key");
    WORKS(CALL("ProveFactor", &in, user.who, NULL));
    Pb__ProveFactorRequest replay = made_request(&two, "authorization", "key");
    replay.signature = in.signature;
    FAILS(CALL("ProveFactor", &replay, user.who, NULL), EAUTH, "signature");
    /* The same act id with another content: another ticket, so what was proven for the first counts for nothing. */
    two.ticket.act_id = one.ticket.act_id;
    Pb__ProveFactorReply *out;
    replay = made_request(&two, "authorization", "password");
    WORKS(CALL("ProveFactor", &replay, user.who, &out));
    assert_int_equal(out->n_proven, 1);
    assert_int_equal(out->n_missing, 1);
}

static void test_expired_ticket(void **state) {
    (void)state;
    struct made m;
    ticket_make(&m, &user);
    m.ticket.expires_at = chop_now_ms() - 1;
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "password");
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EEXPIRED, "ticket");
}

static void test_tampered_ticket(void **state) {
    (void)state;
    struct made m;
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "password");
    struct chop_bytes right = PB_BYTES(in.ticket);
    for (size_t i = 0; i < right.n; i += 3) {
        struct chop_bytes bad = arena_copy(fixture_mem(), right);
        ((uint8_t *)(uintptr_t)bad.p)[i] ^= 0x20;
        in.ticket = PB_BIN(bad);
        assert_non_null(CALL("ProveFactor", &in, user.who, NULL));
    }
    in.ticket.len = 0;
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EINVAL, "ticket");
    in = made_request(&m, "authorization", "password");
    WORKS(CALL("ProveFactor", &in, user.who, NULL));
}

static void test_ticket_of_no_owner(void **state) {
    (void)state;
    struct made m;
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "issuance", "password");
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EMISMATCH, NO_FIELD);
    in = made_request(&m, "identity", "password"); /* an owner, but not the one it names */
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EMISMATCH, "ticket");
    in = made_request(&m, "authorization-org_b", "password"); /* a key of another organization alone */
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EMISMATCH, "ticket");
    m.ticket.n_clauses = 0;
    in = made_request(&m, "authorization", "password");
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EMISMATCH, "ticket");
}

static void test_ticket_of_another(void **state) {
    (void)state;
    struct made m;
    struct person stranger = world_organization("stranger");
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "password");
    FAILS(CALL("ProveFactor", &in, boss.who, NULL), EMISMATCH, "ticket");
    FAILS(CALL("ProveFactor", &in, stranger.who, NULL), EMISMATCH, "ticket");
    FAILS(CALL("ProveFactor", &in, NULL, NULL), EAUTH, NO_FIELD);
    m.ticket.terminal_id = PB_STR("ter_00000000000000000000000000");
    in = made_request(&m, "authorization", "password");
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EMISMATCH, "ticket");
}

/* Last: it takes the user's key away. What was proven by it and not yet used counts no more. */
static void test_revoked_key(void **state) {
    (void)state;
    struct made m;
    Pb__ProveFactorReply *out;
    ticket_make(&m, &user);
    Pb__ProveFactorRequest in = made_request(&m, "authorization", "key");
    WORKS(CALL("ProveFactor", &in, user.who, &out));
    FAILS(world_act(&boss, world_credential_revoke(key_id), NULL), ENOTFOUND, "credential_revoke.credential_id");
    WORKS(world_act(&user, world_credential_revoke(key_id), NULL));
    FAILS(CALL("ProveFactor", &in, user.who, NULL), EAUTH, "signature");
    in = made_request(&m, "authorization", "password");
    WORKS(CALL("ProveFactor", &in, user.who, &out));
    assert_int_equal(out->n_proven, 1);
    assert_int_equal(out->proof.len, 0);
    FAILS(world_act(&user, world_credential_revoke(key_id), NULL), ESTATE, "credential_revoke.credential_id");
    FAILS(world_act(&user, world_key_add(&user, key), NULL), EUSED, "key_add.public_key");
}

static int up(void **state) {
    (void)state;
    Pb__CommitIdentityActReply *added;
    program = world_start(NULL);
    boss = world_organization("acme");
    user = world_member(&boss, "user", "user");
    key = world_key(CRYPTO_ES256);
    if (world_act(&user, world_key_add(&user, key), &added)) return -1;
    key_id = added->credential->credential_id;
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    fixture_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_two_clauses), cmocka_unit_test(test_parallel_factors),
        cmocka_unit_test(test_proof_verifies_offline), cmocka_unit_test(test_password_evidence),
        cmocka_unit_test(test_wrong_password), cmocka_unit_test(test_factor_names), cmocka_unit_test(test_wrong_act),
        cmocka_unit_test(test_wrong_key), cmocka_unit_test(test_replay_across_acts),
        cmocka_unit_test(test_expired_ticket), cmocka_unit_test(test_tampered_ticket),
        cmocka_unit_test(test_ticket_of_no_owner), cmocka_unit_test(test_ticket_of_another),
        cmocka_unit_test(test_revoked_key) };
    return cmocka_run_group_tests(tests, up, down);
}
