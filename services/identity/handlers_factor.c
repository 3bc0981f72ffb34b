/* Proving factors against a ticket of any owner. Identity decides nothing about the act: it says what was shown. */
#include <string.h>

#include "act.h"
#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

#define TICKET_MAX ((size_t)16 << 10)
#define PROOF_MS (2 * MINUTE_MS)
#define MAX_FACTORS 8

struct proving {
    const Pb__ProveFactorRequest *in;
    Pb__Ticket *ticket;
    uint8_t ticket_digest[32];
    Pb__ProvenFactor shown; /* what this call proves */
    struct password_check password;
    Pb__ProveFactorReply *out;
};

/* ---- the ticket ---- */

static bool factor_asked(const Pb__Ticket *t, const char *factor) {
    for (size_t i = 0; i < t->n_clauses; i++)
        for (size_t k = 0; k < t->clauses[i]->n_factors; k++)
            if (strcmp(t->clauses[i]->factors[k], factor) == 0) return true;
    return false;
}

/* A ticket's owner is the service whose key signed it: authorization cannot ask in identity's name. */
static chop_err ticket_open(struct call *c, struct proving *p) {
    Pb__Signed *s;
    const Pb__KeyEntry *entry;
    if (p->in->ticket.len == 0 || p->in->ticket.len > TICKET_MAX)
        return CHOP_FAIL(EINVAL, "ticket", "missing or too long");
    TRY(PB_UNPACK(pb__signed, PB_BYTES(p->in->ticket), c->mem, &s));
    TRY(trust_verify(c->trust, s, "ticket", c->now, &entry));
    TRY(PB_UNPACK(pb__ticket, PB_BYTES(s->payload), c->mem, &p->ticket));
    if (strcmp(entry->purpose, p->ticket->owner) != 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "its owner is not who signed it");
    if (!trust_key_serves(entry, p->ticket->organization_id))
        return CHOP_FAIL(EMISMATCH, "ticket", "its key is another organization's");
    crypto_sha256(PB_BYTES(s->payload), p->ticket_digest);
    return NULL;
}

static chop_err ticket_check(const struct call *c, const struct proving *p) {
    const Pb__Ticket *t = p->ticket;
    if (strcmp(t->act_id, p->in->act_id) != 0) return CHOP_FAIL(EMISMATCH, "act_id", "the ticket is for another act");
    if (strcmp(t->member_id, c->who->member_id) != 0 || strcmp(t->organization_id, c->who->organization_id) != 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "the ticket is for another member");
    if (strcmp(t->terminal_id, c->who->terminal_id) != 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "the ticket is for another terminal");
    if (t->digest.len != 32 || t->nonce.len != 32 || t->n_clauses == 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "the ticket is not complete");
    if (t->expires_at <= c->now) return CHOP_FAIL(EEXPIRED, "ticket", "the act's time is over");
    return NULL;
}

static chop_err factor_check(const struct proving *p) {
    enum factor f = rules_factor(p->in->factor);
    if (f == FACTOR_UNKNOWN) return CHOP_FAIL(EINVAL, "factor", "no factor has this name");
    if (f == FACTOR_OTHER) return CHOP_FAIL(EINVAL, "factor", "%s is not available in this deployment", p->in->factor);
    if (!factor_asked(p->ticket, p->in->factor))
        return CHOP_FAIL(EINVAL, "factor", "this act does not ask for %s", p->in->factor);
    return NULL;
}

/* ---- password ---- */

static chop_err password_show(struct call *c, struct proving *p) {
    struct db_rows *rows;
    TRY(rpc_check_len("password", p->in->password, 1, 256));
    TRY(DB_QUERY(c->db, &rows, "credential_password", T_(c->who->member_id)));
    p->password = (struct password_check){ .throttle_kind = "member",
        .throttle_name = c->who->member_id,
        .hash = db_count(rows) ? db_text(rows, 0, 1) : NULL,
        .password = p->in->password };
    chop_err e = identity_password_check(c, &p->password);
    identity_wipe(p->in->password);
    TRY(e);
    p->shown.amr = PB_STR("pwd");
    p->shown.credential_id = PB_STR(db_text(rows, 0, 0));
    return NULL;
}

/* ---- key ---- */

/* "pop": possession of a key was proven; "swk": nothing says that hardware keeps it (RFC 8176). */
static chop_err key_show(struct call *c, struct proving *p) {
    uint8_t *challenge = arena_alloc(c->mem, 32);
    struct key_used used;
    if (!challenge) return CHOP_ERR(EMEMORY);
    if (p->in->signature.len != CRYPTO_SIGNATURE_LEN) return CHOP_FAIL(EINVAL, "signature", "not 64 bytes");
    if (*p->in->credential_id) TRY(rpc_check_id("credential_id", p->in->credential_id, "crd"));
    trust_act_challenge(p->ticket->act_id, PB_BYTES(p->ticket->nonce), PB_BYTES(p->ticket->digest), challenge);
    TRY(identity_key_check(
        c, c->who->member_id, p->in->credential_id, CHOP_BYTES(challenge, 32), PB_BYTES(p->in->signature), &used));
    p->shown.amr = PB_STR("pop swk");
    p->shown.credential_id = PB_STR(used.credential_id);
    p->shown.algorithm = PB_STR(used.algorithm);
    p->shown.challenge = PB_BIN(CHOP_BYTES(challenge, 32));
    p->shown.signature = p->in->signature;
    return NULL;
}

/* ---- keeping and concluding ---- */

static chop_err shown_store(struct call *c, const struct proving *p) {
    const Pb__ProvenFactor *s = &p->shown;
    struct db_rows *rows;
    chop_err e = DB_ONE(c->db, &rows, "credential_active", T_(s->credential_id));
    if (e == CHOP_ERR(ENOTFOUND)) return CHOP_FAIL(EAUTH, "credential_id", "revoked meanwhile");
    TRY(e);
    if (p->password.password) TRY(identity_password_clear(c, &p->password));
    if (*p->password.rehash)
        TRY(DB_DO(c->db, "credential_rehash", T_(s->credential_id), T_(p->password.hash), T_(p->password.rehash)));
    TRY(DB_DO(c->db, "credential_used", T_(s->credential_id), I_(c->now)));
    TRY(DB_DO(c->db, "proven_forget_old", I_(c->now - HOUR_MS)));
    return DB_DO(c->db, "proven_add", B_(CHOP_BYTES(p->ticket_digest, 32)), T_(s->factor), T_(p->ticket->act_id),
        T_(s->amr), T_(s->credential_id), I_(c->now), T_(s->algorithm), B_(PB_BYTES(s->challenge)),
        B_(PB_BYTES(s->signature)), I_(p->ticket->expires_at));
}

static chop_err proven_read(struct call *c, const struct db_rows *rows, size_t r, Pb__ProvenFactor **ret_factor) {
    Pb__ProvenFactor *f = PB_NEW(c->mem, Pb__ProvenFactor, pb__proven_factor);
    if (!f) return CHOP_ERR(EMEMORY);
    f->factor = PB_STR(db_text(rows, r, 0));
    f->amr = PB_STR(db_text(rows, r, 1));
    f->credential_id = PB_STR(db_text(rows, r, 2));
    f->proven_at = db_int(rows, r, 3);
    f->algorithm = PB_STR(db_text(rows, r, 4));
    f->challenge = PB_BIN(db_bytes(rows, r, 5));
    f->signature = PB_BIN(db_bytes(rows, r, 6));
    *ret_factor = f;
    return NULL;
}

static chop_err proven_load(struct call *c, const struct proving *p, Pb__Proof *proof) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "proven_list", B_(CHOP_BYTES(p->ticket_digest, 32))));
    proof->factors = ARENA_ARRAY(c->mem, Pb__ProvenFactor *, MAX_FACTORS);
    p->out->proven = ARENA_ARRAY(c->mem, char *, MAX_FACTORS);
    if (!proof->factors || !p->out->proven) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(rows) && i < MAX_FACTORS; i++) {
        TRY(proven_read(c, rows, i, &proof->factors[i]));
        p->out->proven[i] = proof->factors[i]->factor;
        proof->n_factors = p->out->n_proven = i + 1;
    }
    return NULL;
}

static chop_err missing_list(struct call *c, const struct proving *p) {
    Pb__ProveFactorReply *out = p->out;
    const Pb__Ticket *t = p->ticket;
    out->missing = ARENA_ARRAY(c->mem, Pb__Clause *, t->n_clauses);
    if (!out->missing) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < t->n_clauses; i++)
        if (!act_clauses_met(&t->clauses[i], 1, (const char *const *)out->proven, out->n_proven))
            out->missing[out->n_missing++] = t->clauses[i];
    return NULL;
}

/* The principal may be minutes older than the loss of the device. */
static chop_err terminal_active(struct call *c, const char *terminal_id) {
    struct db_rows *rows;
    if (!*terminal_id) return NULL;
    TRY(DB_QUERY(c->db, &rows, "terminal_get", T_(terminal_id), T_(c->who->organization_id)));
    if (db_count(rows) && strcmp(db_text(rows, 0, 1), c->who->member_id) == 0 &&
        strcmp(db_text(rows, 0, 3), "active") == 0)
        return NULL;
    return CHOP_FAIL(EDENIED, "terminal_id", "the terminal is revoked");
}

static chop_err proof_fill(struct call *c, const struct proving *p, Pb__Proof *proof) {
    Pb__Member *m;
    Pb__Organization *o;
    TRY(identity_member_find(c, "member_id", c->who->member_id, &m));
    if (strcmp(m->state, "active") != 0) return CHOP_FAIL(EDENIED, NULL, "the member has left");
    TRY(terminal_active(c, p->ticket->terminal_id));
    TRY(identity_organization_find(c, m->organization_id, &o));
    proof->audience = p->ticket->owner;
    proof->act_id = p->ticket->act_id;
    proof->ticket_digest = PB_BIN(CHOP_BYTES(p->ticket_digest, 32));
    proof->digest = p->ticket->digest;
    proof->organization_id = o->organization_id;
    proof->organization_name = o->name;
    proof->member_id = m->member_id;
    proof->member_name = m->name;
    proof->post = m->post;
    proof->n_roles = m->n_roles;
    proof->roles = m->roles;
    proof->terminal_id = p->ticket->terminal_id;
    proof->issued_at = c->now;
    proof->expires_at = c->now + PROOF_MS;
    return NULL;
}

static chop_err proof_sign(struct call *c, const struct proving *p, Pb__Proof *proof) {
    struct chop_bytes payload, packed;
    TRY(proof_fill(c, p, proof));
    TRY(pb_pack(proof, c->mem, &payload));
    TRY(trust_sign_packed(app_sign_key(c->app), NULL, "proof", payload, c->mem, &packed));
    p->out->proof = PB_BIN(packed);
    return NULL;
}

static chop_err conclude(struct call *c, void *arg) {
    struct proving *p = arg;
    Pb__Proof proof = PB__PROOF__INIT;
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "proven_lock", B_(CHOP_BYTES(p->ticket_digest, 32))));
    TRY(shown_store(c, p));
    TRY(proven_load(c, p, &proof));
    TRY(missing_list(c, p));
    return p->out->n_missing ? NULL : proof_sign(c, p, &proof);
}

IDENTITY_HANDLER(prove_factor, Pb__ProveFactorRequest, Pb__ProveFactorReply) {
    struct proving p = { .in = in, .shown = PB__PROVEN_FACTOR__INIT, .out = out };
    TRY(rpc_check_id("act_id", in->act_id, "act"));
    TRY(ticket_open(c, &p));
    TRY(ticket_check(c, &p));
    TRY(factor_check(&p));
    p.shown.factor = in->factor;
    if (rules_factor(in->factor) == FACTOR_PASSWORD) {
        TRY(password_show(c, &p));
    } else {
        TRY(key_show(c, &p));
    }
    return identity_transaction(c, conclude, &p);
}
