/* verification: one function for each event. What does not verify is counted, told and passed over: it never becomes
 * part of the read model, and it does not stop what comes after it either. */
#include "handlers.h"

#include <stdio.h>
#include <string.h>

#include "verification.h"

static chop_err forged(struct call *c, const Pb__Event *ev, chop_err e) {
    struct verification *s = c->service;
    metric_add(s->forged, 1);
    log_line(LOG_ERROR, "event not believed", "type", ev->type, "position", LOG_INT(ev->position), "code", e->name,
        "field", chop_detail_field(), "detail", chop_detail_text(), NULL);
    return NULL;
}

/* Signatures, bindings and malformed contents are the event's fault; all else is ours and is tried again. */
static bool events_fault(chop_err e) {
    return e == CHOP_ERR(ESIGNATURE) || e == CHOP_ERR(EMISMATCH) || e == CHOP_ERR(EEXPIRED) || e == CHOP_ERR(EINVAL) ||
           e == CHOP_ERR(ELIMIT);
}
#define BELIEVE(expr)                                                                                                  \
    do {                                                                                                               \
        chop_err b_ = (expr);                                                                                          \
        if (b_ && events_fault(b_)) return forged(c, event, b_);                                                       \
        if (b_) return b_;                                                                                             \
    } while (0)

/* ---- issuance.impression.issued ---- */

static chop_err add_replacement(struct call *c, const struct evidence *e) {
    uint32_t old = e->allotment->replaces;
    if (old == 0 || old > INT32_MAX) return NULL;
    TRY(DB_DO(c->db, "verification_replacement_put", T_(e->grant->grant_id), I_(old), I_(e->impression->number)));
    return build_rows(c, e->grant->grant_id, old);
}

EVENT_HANDLER(impression_issued, Pb__ImpressionIssued) {
    struct evidence e;
    Pb__Verdict *v;
    struct chop_bytes base;
    int64_t added, serials;
    BELIEVE(evidence_read(c, in, event->at, &e));
    TRY(evidence_verdict(c, &e, &v));
    TRY(pb_pack(v, c->mem, &base));
    TRY(DB_DO_COUNT(c->db, &added, "verification_impression_add", T_(e.grant->grant_id), I_(v->number),
        T_(e.allotment->allotment_id), T_(v->token), T_(e.grant->seal_id), I_(e.allotment->not_after),
        B_(PB_BYTES(e.impression->cipher_hash)), B_(base)));
    if (added == 0) return NULL; /* these marks, or others for the same number, are known: the first ones count */
    TRY(DB_DO_COUNT(c->db, &serials, "verification_serial_add", T_(v->serial), T_(v->token)));
    if (serials == 0) log_line(LOG_ERROR, "serial issued twice", "impression", e.impression->impression_id, NULL);
    TRY(build_rows(c, e.grant->grant_id, v->number));
    return add_replacement(c, &e);
}

/* ---- authorization.impression.settled ---- */

/* A print that ended after the seal was reported lost, revoked or destroyed: the seal's events come in the same order.
 */
static chop_err printed_after_end(struct call *c, const Pb__FactStatement *f, bool *ret_doubtful) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "verification_seal", T_(f->seal_id)));
    *ret_doubtful = db_count(r) > 0 && db_int(r, 0, 2) > 0 && f->at >= db_int(r, 0, 2);
    return NULL;
}

static chop_err outcome_now(struct call *c, const Pb__ImpressionSettled *in, enum outcome *ret) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "verification_outcome", T_(in->grant_id), I_(in->number), T_(in->allotment_id)));
    *ret = db_count(r) ? (enum outcome)db_int(r, 0, 0) : ISSUED;
    return NULL;
}

EVENT_HANDLER(impression_settled, Pb__ImpressionSettled) {
    enum outcome next = outcome_of(in->state), now;
    bool doubtful = false;
    const Pb__FactStatement *fact = NULL;
    if (next == OUTCOMES || in->number == 0 || in->number > INT32_MAX)
        return forged(c, event, CHOP_FAIL(EINVAL, "state", "no such outcome"));
    if (outcome_needs_proof(next)) BELIEVE(outcome_proven(c, in, next, event->at, &fact));
    TRY(outcome_now(c, in, &now));
    if (!outcome_follows(now, next)) return NULL;
    if (next == PRINTED) TRY(printed_after_end(c, fact, &doubtful)); /* by the signed time and seal, not the event's */
    TRY(DB_DO(c->db, "verification_outcome_put", T_(in->grant_id), I_(in->number), T_(in->allotment_id), I_(next),
        I_(in->at), I_(next == PRINTED ? fact->at : 0), L_(doubtful)));
    return build_rows(c, in->grant_id, in->number);
}

/* ---- authorization.seal.changed, authorization.grant.changed ---- */

EVENT_HANDLER(seal_changed, Pb__SealChanged) {
    Pb__FactStatement *f;
    struct db_rows *r;
    BELIEVE(fact_read(c, in->fact, event->at, &f));
    if (strcmp(f->seal_id, in->seal_id) != 0 || strcmp(f->kind, "seal-state") != 0)
        return forged(c, event, CHOP_FAIL(EMISMATCH, "fact", "is of something else"));
    if (!detail_says(f, in->state)) return forged(c, event, CHOP_FAIL(EMISMATCH, "fact", "tells another state"));
    TRY(DB_QUERY(c->db, &r, "verification_seal", T_(in->seal_id)));
    int64_t ended = db_count(r) ? db_int(r, 0, 2) : 0;
    if (!seal_ended(in->state))
        ended = 0;
    else if (ended == 0)
        ended = f->at;
    return DB_DO(c->db, "verification_seal_put", T_(in->seal_id), T_(in->state), I_(f->seal_seq), I_(ended));
}

/* Says only why nothing may come any more; no verdict gets better by it. */
EVENT_HANDLER(grant_changed, Pb__GrantChanged) {
    unsigned flags = strcmp(in->state, "cancelled") == 0   ? MARK_CANCELLED
                     : strcmp(in->state, "suspended") == 0 ? MARK_SUSPENDED
                                                           : 0;
    TRY(DB_DO(c->db, "verification_grant_put", T_(in->grant_id), I_(flags), I_(in->at)));
    return build_rows(c, in->grant_id, 0);
}

/* ---- authorization.fact.filed, filing-relay.filing.receipted ---- */

/* PostgreSQL's array text; registries' names are [a-z0-9-], anything else is left out. */
static const char *name_array(struct call *c, char *const *names, size_t n) {
    char *out = arena_alloc(c->mem, n * 34 + 3);
    if (!out) return "{}";
    char *p = out;
    *p++ = '{';
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(names[i]);
        if (len == 0 || len > 32 || strspn(names[i], "abcdefghijklmnopqrstuvwxyz0123456789-") != len) continue;
        if (p[-1] != '{') *p++ = ',';
        p = stpcpy(p, names[i]);
    }
    memcpy(p, "}", 2);
    return out;
}

EVENT_HANDLER(fact_filed, Pb__FactFiled) {
    Pb__FactStatement *f;
    uint8_t digest[32];
    BELIEVE(fact_read(c, in->fact, event->at, &f));
    if (!*f->grant_id || f->number > INT32_MAX) return NULL; /* of the seal, not of a paper */
    crypto_sha256(PB_BYTES(in->fact->payload), digest);
    TRY(DB_DO(c->db, "verification_fact_add", T_(f->fact_id), T_(f->grant_id), I_(f->number), T_(f->allotment_id),
        T_(f->kind), B_(CHOP_BYTES(digest, 32)), I_(f->at), T_(name_array(c, in->registries, in->n_registries))));
    return build_rows(c, f->grant_id, f->number);
}

EVENT_HANDLER(filing_receipted, Pb__FilingReceipted) {
    Pb__ReceiptStatement *r;
    struct db_rows *fact;
    BELIEVE(receipt_read(c, in->receipt, in->registry, in->fact_id, event->at, &r));
    struct chop_bytes digest = PB_BYTES(r->fact_digest);
    TRY(DB_DO(c->db, "verification_receipt_add", T_(in->fact_id), T_(in->registry), B_(digest), T_(r->number),
        I_(r->received_at)));
    TRY(DB_QUERY(c->db, &fact, "verification_fact", T_(in->fact_id), B_(digest)));
    if (db_count(fact) == 0) return NULL; /* the fact itself is still on its way */
    const char *grant_id = arena_str(c->mem, db_text(fact, 0, 0));
    return build_rows(c, grant_id, (uint32_t)db_int(fact, 0, 1));
}

const struct event_row verification_events[] = {
    EVENT("issuance.impression.issued", pb__impression_issued, impression_issued),
    EVENT("authorization.impression.settled", pb__impression_settled, impression_settled),
    EVENT("authorization.seal.changed", pb__seal_changed, seal_changed),
    EVENT("authorization.grant.changed", pb__grant_changed, grant_changed),
    EVENT("authorization.fact.filed", pb__fact_filed, fact_filed),
    EVENT("filing-relay.filing.receipted", pb__filing_receipted, filing_receipted),
    EVENT_END,
};
