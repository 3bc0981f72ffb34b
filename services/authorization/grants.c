/* Making a grant: the signed, bounded permission that follows from a complete request. */
#include <string.h>

#include "auth.h"
#include "outbox.h"

#define HOUR_MS ((int64_t)3600 * 1000)

static Pb__Approval *approval_of(struct arena *mem, const Pb__Decision *d, struct chop_bytes proof_digest) {
    Pb__Approval *a = PB_NEW(mem, Pb__Approval, pb__approval);
    if (!a) return NULL;
    a->member_id = d->member_id;
    a->member_name = d->member_name;
    a->post = d->post;
    a->at = d->at;
    a->factors = d->factors;
    a->n_factors = d->n_factors;
    a->proof_digest = PB_BIN(proof_digest);
    return a;
}

static chop_err put_approvals(struct arena *mem, Pb__GrantStatement *g, const struct decisions *d) {
    g->approvals = ARENA_ARRAY(mem, Pb__Approval *, d->n + 1);
    if (!g->approvals) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < d->n; i++) {
        g->approvals[i] = approval_of(mem, d->list[i], d->proof_digests[i]);
        if (!g->approvals[i]) return CHOP_ERR(EMEMORY);
        g->n_approvals++;
    }
    return NULL;
}

static chop_err put_terms(const struct commit *k, Pb__GrantStatement *g, const struct request *r, const struct seal *s,
    const struct decisions *d) {
    struct terms t = { .copies = r->body->copies,
        .printer_ids = r->body->printer_ids,
        .n_printers = r->body->n_printer_ids,
        .signature_of = "" };
    const int64_t latest = k->c->now + (int64_t)s->policy->window_hours * HOUR_MS;
    for (size_t i = 0; i < d->n; i++)
        TRY(rules_terms_merge(&t, d->terms[i], k->c->mem));
    g->copies = t.copies;
    g->not_before = t.not_before > k->c->now ? t.not_before : k->c->now;
    g->not_after = t.not_after && t.not_after < latest ? t.not_after : latest;
    if (g->not_after <= g->not_before) return CHOP_FAIL(EEXPIRED, NULL, "the approved window is over");
    g->printer_ids = t.printer_ids;
    g->n_printer_ids = t.n_printers;
    g->signature_of = PB_STR(t.signature_of);
    g->offline = s->policy->offline && t.n_printers == 1; /* an offline grant names one printer */
    return NULL;
}

static chop_err put_signature(const struct commit *k, Pb__GrantStatement *g) {
    struct db_rows *r;
    if (!*g->signature_of) return NULL;
    TRY(DB_QUERY(k->c->db, &r, "specimen_latest", T_(g->organization_id), T_(g->signature_of)));
    if (!db_count(r)) return CHOP_FAIL(ESTATE, NULL, "the ordered signature is gone");
    g->specimen_digest = PB_BIN(db_bytes(r, 0, 0));
    g->signature_name = PB_STR(db_text(r, 0, 1));
    return NULL;
}

static chop_err put_seal(struct call *c, Pb__GrantStatement *g, const struct seal *s) {
    bool sample;
    g->organization_id = PB_STR(s->organization_id);
    g->organization_name = PB_STR(s->organization_name);
    g->seal_id = PB_STR(s->seal_id);
    g->seal_name = PB_STR(s->name);
    g->seal_code = PB_STR(s->code);
    g->seal_kind = PB_STR(s->kind);
    g->artwork_digest = PB_BIN(seal_artwork(s, &sample));
    g->sample = sample;
    g->policy_version = s->policy->version;
    g->spoil_allowance = s->policy->spoil_allowance;
    g->server_time_hours = s->policy->server_time_hours;
    g->gate = s->policy->gate;
    g->n_gate = s->policy->n_gate;
    g->granted_at = c->now;
    return NULL;
}

static chop_err put_request(struct call *c, Pb__GrantStatement *g, const struct request *r) {
    uint8_t *digest = arena_alloc(c->mem, 32);
    if (!digest) return CHOP_ERR(EMEMORY);
    if (!chop_unhex(r->body->document->sha256, digest, 32))
        return CHOP_FAIL(EINTERNAL, NULL, "a stored digest is malformed");
    g->grant_id = PB_STR(rpc_new_id(c, "grant"));
    g->request_id = PB_STR(r->request_id);
    g->member_id = PB_STR(r->requester_id);
    g->member_name = r->body->requester_name;
    g->document = r->body->document;
    g->placement = r->body->placement;
    g->document_digest = PB_BIN(CHOP_BYTES(digest, 32));
    g->request_digest = PB_BIN(r->digest);
    g->request_proof_digest = PB_BIN(r->proof_digest);
    return NULL;
}

/* The proofs of everybody who had a part in it. */
static chop_err put_proofs(
    const struct commit *k, Pb__FactStatement *f, const struct request *r, const struct decisions *d) {
    f->proof_digests = ARENA_ARRAY(k->c->mem, ProtobufCBinaryData, d->n + 2);
    if (!f->proof_digests) return CHOP_ERR(EMEMORY);
    size_t n = 0;
    f->proof_digests[n++] = PB_BIN(r->proof_digest);
    bool listed = false;
    for (size_t i = 0; i < d->n; i++) {
        f->proof_digests[n++] = PB_BIN(d->proof_digests[i]);
        listed = listed || memcmp(d->proof_digests[i].p, k->act->proof_digest, 32) == 0;
    }
    if (!listed) f->proof_digests[n++] = PB_BIN(CHOP_BYTES(k->act->proof_digest, 32)); /* a sign act */
    f->n_proof_digests = n;
    return NULL;
}

static chop_err file_authorization(const struct commit *k, const Pb__GrantStatement *g, const struct request *r,
    struct seal *s, const struct decisions *d, struct fact *f) {
    *f = fact_new("authorization-given");
    Pb__FactStatement *m = &f->statement;
    TRY(fact_by(k->c, f, &k->who, k->act));
    TRY(put_proofs(k, m, r, d));
    m->request_id = g->request_id;
    m->grant_id = g->grant_id;
    m->document_digest = g->document_digest;
    m->artwork_digest = g->artwork_digest;
    m->copies = g->copies;
    return fact_file(k->c, f, s, k->act->act_id);
}

static chop_err grant_store(struct call *c, const Pb__GrantStatement *g, struct chop_bytes packed,
    const uint8_t digest[32], const struct fact *f) {
    return DB_DO(c->db, "grant_add", T_(g->grant_id), T_(g->organization_id), T_(g->request_id), T_(g->seal_id),
        T_(g->member_id), T_(g->seal_name), T_(g->document->title), B_(packed), B_(CHOP_BYTES(digest, 32)),
        T_(g->n_gate ? "waiting" : "open"), I_(g->copies), I_(g->spoil_allowance), I_(g->not_before), I_(g->not_after),
        T_(text_join(c->mem, g->gate, g->n_gate)), T_(f->statement.fact_id), B_(CHOP_BYTES(f->digest, 32)), I_(c->now));
}

chop_err grant_make(const struct commit *k, const struct request *r, struct seal *s, const struct decisions *d,
    const char **ret_grant_id) {
    Pb__GrantStatement g = PB__GRANT_STATEMENT__INIT;
    Pb__GrantOpened opened = PB__GRANT_OPENED__INIT;
    struct chop_bytes packed;
    struct fact f;
    uint8_t digest[32];
    TRY(put_request(k->c, &g, r));
    TRY(put_seal(k->c, &g, s));
    TRY(put_terms(k, &g, r, s, d));
    TRY(put_signature(k, &g));
    TRY(put_approvals(k->c->mem, &g, d));
    TRY(auth_sign(k->c, "grant", &g, k->c->mem, &opened.grant, &packed, digest));
    TRY(file_authorization(k, &g, r, s, d, &f));
    TRY(grant_store(k->c, &g, packed, digest, &f));
    *ret_grant_id = g.grant_id;
    if (g.n_gate) return NULL;
    return outbox_put(k->c, "authorization.grant.opened", s->seal_id, &opened);
}
