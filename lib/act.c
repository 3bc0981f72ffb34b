/* act: see act.h. The row keeps the ticket's own bytes, so what a proof is compared with is what was signed. */
#include "act.h"

#include <string.h>

#include "common.pb-c.h"
#include "identity.pb-c.h"
#include "pbjson.h"

enum {
    ACT_LIFETIME_MS = 10 * 60 * 1000,
    ACT_STALE_MS = 60 * 60 * 1000, /* an abandoned act still answers "expired" for an hour */
    PROOF_LIFETIME_MS = 2 * 60 * 1000,
    CLOCK_SKEW_MS = 10 * 1000,
    PROOF_MAX_BYTES = 64 * 1024,
    MAX_CLAUSES = 8,
    NONCE_LEN = 32,
};

/* ---- clauses ---- */

static bool clause_met(const Pb__Clause *clause, const char *const *proven, size_t n_proven) {
    for (size_t i = 0; i < clause->n_factors; i++)
        for (size_t k = 0; k < n_proven; k++)
            if (strcmp(clause->factors[i], proven[k]) == 0) return true;
    return false;
}

bool act_clauses_met(Pb__Clause *const *clauses, size_t n_clauses, const char *const *proven, size_t n_proven) {
    for (size_t i = 0; i < n_clauses; i++)
        if (!clause_met(clauses[i], proven, n_proven)) return false;
    return true;
}

/* An act without clauses would commit on an empty proof: that is a mistake of its owner, never a wish. */
static chop_err clauses_check(const struct act_new *a) {
    if (a->n_clauses == 0 || a->n_clauses > MAX_CLAUSES)
        return CHOP_FAIL(EINTERNAL, NULL, "act of kind %s with %zu clauses", a->kind, a->n_clauses);
    for (size_t i = 0; i < a->n_clauses; i++)
        if (a->clauses[i]->n_factors == 0) return CHOP_FAIL(EINTERNAL, NULL, "act of kind %s: empty clause", a->kind);
    return NULL;
}

/* ---- prepare ---- */

static chop_err ticket_sign(struct call *c, const struct crypto_key *signer, const struct act_new *a,
    const uint8_t digest[32], Pb__PrepareActReply *out) {
    Pb__Ticket ticket = PB__TICKET__INIT;
    ticket.owner = PB_STR(c->name);
    ticket.act_id = PB_STR(a->act_id);
    ticket.kind = PB_STR(a->kind);
    ticket.organization_id = c->who->organization_id;
    ticket.member_id = c->who->member_id;
    ticket.terminal_id = c->who->terminal_id;
    ticket.digest = PB_BIN(CHOP_BYTES(digest, 32));
    ticket.nonce = out->nonce;
    ticket.n_clauses = a->n_clauses;
    ticket.clauses = (Pb__Clause **)(uintptr_t)a->clauses;
    ticket.policy_version = a->policy_version;
    ticket.expires_at = out->expires_at;
    struct chop_bytes payload, packed;
    TRY(pb_pack(&ticket, c->mem, &payload));
    TRY(trust_sign_packed(signer, NULL, "ticket", payload, c->mem, &packed));
    out->ticket = PB_BIN(packed);
    return NULL;
}

static chop_err act_store(struct call *c, const struct act_new *a, const Pb__PrepareActReply *out) {
    struct db_arg secret = a->secret.n ? B_(a->secret) : N_;
    TRY(DB_DO(c->db, "act_forget_stale", I_(c->now - ACT_STALE_MS)));
    return DB_DO(c->db, "act_add", T_(a->act_id), T_(a->kind), T_(c->who->organization_id), T_(c->who->member_id),
        T_(c->who->terminal_id), B_(PB_BYTES(out->content)), secret, B_(PB_BYTES(out->ticket)), I_(c->now),
        I_(out->expires_at));
}

chop_err act_prepare(
    struct call *c, const struct crypto_key *signer, const struct act_new *a, Pb__PrepareActReply *out) {
    if (!c->who) return CHOP_FAIL(EAUTH, NULL, "an act needs a member");
    if (!signer) return CHOP_FAIL(EINTERNAL, NULL, "no key to sign tickets");
    TRY(clauses_check(a));
    struct chop_bytes content;
    TRY(pbjson_print(a->content, c->mem, &content));
    uint8_t digest[32], *nonce = arena_alloc(c->mem, NONCE_LEN);
    if (!nonce) return CHOP_ERR(EMEMORY);
    chop_random(nonce, NONCE_LEN);
    crypto_sha256(content, digest);

    Pb__PrepareActReply reply = PB__PREPARE_ACT_REPLY__INIT;
    reply.act_id = PB_STR(a->act_id);
    reply.content = PB_BIN(content);
    reply.nonce = PB_BIN(CHOP_BYTES(nonce, NONCE_LEN));
    reply.n_clauses = a->n_clauses;
    reply.clauses = (Pb__Clause **)(uintptr_t)a->clauses;
    reply.expires_at = c->now + (a->lifetime_ms ? a->lifetime_ms : ACT_LIFETIME_MS);
    TRY(ticket_sign(c, signer, a, digest, &reply));
    TRY(act_store(c, a, &reply));
    *out = reply;
    return NULL;
}

/* ---- commit ---- */

static chop_err proof_time_check(const struct call *c, const Pb__Proof *p) {
    if (p->expires_at <= c->now || p->issued_at > c->now + CLOCK_SKEW_MS)
        return CHOP_FAIL(EEXPIRED, "proof", "the proof is not valid now");
    if (p->expires_at - p->issued_at > PROOF_LIFETIME_MS)
        return CHOP_FAIL(EMISMATCH, "proof", "the proof lives longer than two minutes");
    return NULL;
}

static bool same_bytes(ProtobufCBinaryData a, const uint8_t *b) {
    return a.len == 32 && memcmp(a.data, b, 32) == 0;
}

/* Names what differs: a terminal that mixes two acts up should read which one. */
static const char *proof_mismatch(
    const struct call *c, const struct act *a, const uint8_t ticket_digest[32], const Pb__Proof *p) {
    if (strcmp(p->audience, c->name) != 0) return "audience";
    if (strcmp(p->act_id, a->act_id) != 0) return "act_id";
    if (!same_bytes(p->ticket_digest, ticket_digest)) return "ticket_digest";
    if (!same_bytes(p->digest, a->content_digest)) return "digest";
    if (strcmp(p->organization_id, a->organization_id) != 0) return "organization_id";
    if (strcmp(p->member_id, a->member_id) != 0) return "member_id";
    if (strcmp(p->terminal_id, a->terminal_id) != 0) return "terminal_id";
    return NULL;
}

static chop_err proof_clauses_check(struct call *c, const Pb__Ticket *ticket, const Pb__Proof *p) {
    const char **proven = ARENA_ARRAY(c->mem, const char *, p->n_factors + 1);
    if (!proven) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < p->n_factors; i++)
        proven[i] = p->factors[i]->factor;
    if (ticket->n_clauses == 0 || !act_clauses_met(ticket->clauses, ticket->n_clauses, proven, p->n_factors))
        return CHOP_FAIL(ECLAUSE, "proof", "the proof does not satisfy the required factors");
    return NULL;
}

static chop_err proof_check(
    struct call *c, const Pb__Signed *ticket_signed, const Pb__Ticket *ticket, struct chop_bytes proof, struct act *a) {
    if (proof.n == 0 || proof.n > PROOF_MAX_BYTES) return CHOP_FAIL(EINVAL, "proof", "missing or too long");
    Pb__Signed *signed_proof;
    Pb__Proof *p;
    const Pb__KeyEntry *key;
    TRY(PB_UNPACK(pb__signed, proof, c->mem, &signed_proof));
    TRY(trust_verify(c->trust, signed_proof, "proof", c->now, &key));
    TRY(PB_UNPACK(pb__proof, PB_BYTES(signed_proof->payload), c->mem, &p));
    if (!trust_key_serves(key, a->organization_id))
        return CHOP_FAIL(EMISMATCH, "proof", "key %s is another organization's", key->kid);

    uint8_t ticket_digest[32];
    crypto_sha256(PB_BYTES(ticket_signed->payload), ticket_digest);
    const char *differs = proof_mismatch(c, a, ticket_digest, p);
    if (differs) return CHOP_FAIL(EMISMATCH, "proof", "the proof is for another %s", differs);
    TRY(proof_time_check(c, p));
    TRY(proof_clauses_check(c, ticket, p));
    a->proof = p;
    a->proof_signed = proof;
    crypto_sha256(PB_BYTES(signed_proof->payload), a->proof_digest);
    return NULL;
}

static struct act row_read(const struct db_rows *r, const char *act_id) {
    struct act a = { .act_id = act_id,
        .kind = db_text(r, 0, 0),
        .organization_id = db_text(r, 0, 1),
        .member_id = db_text(r, 0, 2),
        .terminal_id = db_text(r, 0, 3),
        .content = db_bytes(r, 0, 4),
        .secret = db_bytes(r, 0, 5),
        .prepared_at = db_int(r, 0, 7),
        .committed = db_bool(r, 0, 9),
        .result = db_bytes(r, 0, 10),
        .proof_signed = db_bytes(r, 0, 11) };
    crypto_sha256(a.content, a.content_digest);
    return a;
}

static bool caller_owns(const struct call *c, const struct act *a) {
    return c->who && strcmp(c->who->member_id, a->member_id) == 0 &&
           strcmp(c->who->organization_id, a->organization_id) == 0;
}

/* A retried commit may come long after the proof's two minutes: it only reads what was answered. */
static chop_err committed_read(struct call *c, struct act *a) {
    Pb__Signed *s;
    TRY(PB_UNPACK(pb__signed, a->proof_signed, c->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), a->proof_digest);
    return NULL;
}

chop_err act_load(struct call *c, const char *act_id, struct chop_bytes proof, struct act *ret_act) {
    struct db_rows *r;
    Pb__Signed *signed_ticket;
    Pb__Ticket *ticket;
    TRY(rpc_check_id("act_id", act_id, "act"));
    TRY(DB_QUERY(c->db, &r, "act_lock", T_(act_id)));
    if (db_count(r) == 0) return CHOP_FAIL(ENOTFOUND, "act_id", "no such act");
    struct act a = row_read(r, act_id);
    if (!caller_owns(c, &a)) return CHOP_FAIL(ENOTFOUND, "act_id", "no such act");
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 6), c->mem, &signed_ticket));
    TRY(PB_UNPACK(pb__ticket, PB_BYTES(signed_ticket->payload), c->mem, &ticket));
    a.policy_version = ticket->policy_version;
    if (a.committed) {
        TRY(committed_read(c, &a));
    } else {
        if (db_int(r, 0, 8) <= c->now) return CHOP_FAIL(EEXPIRED, "act_id", "the act was not committed in time");
        TRY(proof_check(c, signed_ticket, ticket, proof, &a));
    }
    *ret_act = a;
    return NULL;
}

chop_err act_finish(struct call *c, const struct act *a, const void *result) {
    struct chop_bytes packed;
    int64_t done = 0;
    TRY(pb_pack(result, c->mem, &packed));
    TRY(DB_DO_COUNT(c->db, &done, "act_commit", T_(a->act_id), I_(c->now), B_(packed), B_(a->proof_signed)));
    if (done != 1) return CHOP_FAIL(ESTATE, "act_id", "the act was committed before");
    return NULL;
}
