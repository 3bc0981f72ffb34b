/* Finding an impression: in the read model, else by asking its owners. */
#include "verification.h"

#include <string.h>

#define ASK_MS 1500

/* Revocations and losses come from authorization: that is what must not be missed. */
bool model_current(struct call *c) {
    const struct verification *s = c->service;
    return !app_events_behind(c->app, "authorization", s->conf.stale_ms);
}

/* ---- the owners ---- */

static struct call call_for_asking(struct call *c) {
    struct call ask = *c;
    int64_t latest = chop_now_ms() + ASK_MS;
    if (ask.deadline == 0 || ask.deadline > latest) ask.deadline = latest;
    return ask;
}

static void situation_of(struct call *c, struct found *f, int64_t not_after) {
    f->at.now = c->now;
    f->at.not_after = not_after;
}

/* What authorization says now of this number: EPEER where its answer is of other marks. */
static chop_err ask_state(struct call *c, const char *grant_id, const char *allotment_id, struct found *f) {
    struct verification *s = c->service;
    struct call ask = call_for_asking(c);
    Pb__FindGrantStateRequest request = PB__FIND_GRANT_STATE_REQUEST__INIT;
    Pb__GrantState *state;
    request.grant_id = PB_STR(grant_id);
    request.number = f->v->number;
    metric_add(s->asked, 1);
    TRY(rpc_call(&ask, "authorization", &pb__authorization__descriptor, "FindGrantState", &request, false, &state));
    if (!state->number) return CHOP_FAIL(EPEER, NULL, "authorization does not know the number");
    bool ours = strcmp(state->number->allotment_id, allotment_id) == 0, known = f->at.outcome == PRINTED;
    f->at.outcome = ours ? outcome_of(state->number->state) : RETURNED;
    if (f->at.outcome == OUTCOMES) return CHOP_FAIL(EPEER, NULL, "authorization names an unknown outcome");
    if (f->at.outcome == PRINTED && !f->v->printed_at) f->v->printed_at = state->number->at;
    f->v->seal_state_now = state->seal_state;
    f->at.seal_ended_now = seal_ended(state->seal_state);
    /* The owner does not tell since when the seal is over: only the model knows whether this print came before. */
    f->at.current = known || f->at.outcome != PRINTED || !f->at.seal_ended_now;
    f->as_of = state->as_of ? state->as_of : c->now;
    return NULL;
}

static chop_err ask_all(struct call *c, const char *token, const char *serial, struct found *f) {
    struct verification *s = c->service;
    struct call ask = call_for_asking(c);
    Pb__FindImpressionRequest request = PB__FIND_IMPRESSION_REQUEST__INIT;
    Pb__ImpressionIssued *issued;
    struct evidence e;
    request.token = PB_STR(token);
    request.serial = PB_STR(serial);
    metric_add(s->asked, 1);
    TRY(rpc_call(&ask, "issuance", &pb__issuance__descriptor, "FindImpression", &request, false, &issued));
    TRY(evidence_read(c, issued, issued->issued_at, &e));
    bool asked_for = strcmp(*token ? token : serial, *token ? e.impression->token : e.impression->serial) == 0;
    if (!asked_for) return CHOP_FAIL(EPEER, NULL, "issuance answered for other marks");
    TRY(evidence_verdict(c, &e, &f->v));
    memcpy(f->cipher_hash, e.impression->cipher_hash.data, sizeof f->cipher_hash);
    situation_of(c, f, e.allotment->not_after);
    return ask_state(c, e.grant->grant_id, e.allotment->allotment_id, f);
}

void found_ask(struct call *c, const char *token, const char *serial, struct found *ret) {
    struct found f = { .as_of = c->now };
    chop_err e = ask_all(c, token, serial, &f);
    if (e == CHOP_ERR(ENOTFOUND))
        f.v = NULL;
    else if (e)
        f = (struct found){ .as_of = c->now, .unavailable = true };
    *ret = f;
}

/* ---- the read model ---- */

/* The model may be old: the owner's word replaces it. Where the owner is silent, `current` stays false. */
static void refresh(struct call *c, const char *token, struct found *f) {
    struct db_rows *r;
    if (f->at.outcome == REVOKED || f->at.outcome == SPOILED || f->at.outcome == RETURNED) return; /* over for good */
    if (DB_ONE(c->db, &r, "verification_where", T_(token))) return;
    struct found fresh = *f;
    if (!ask_state(c, db_text(r, 0, 0), db_text(r, 0, 1), &fresh)) *f = fresh;
}

chop_err found_row(struct call *c, const char *token, const struct db_rows *rows, size_t row, struct found *ret) {
    const struct verification *s = c->service;
    struct found f = { .as_of = c->now - s->conf.stale_ms };
    if (row == FOUND_NO_ROW) {
        found_ask(c, token, "", ret);
        return NULL;
    }
    TRY(PB_UNPACK(pb__verdict, db_bytes(rows, row, 0), c->mem, &f.v));
    situation_of(c, &f, db_int(rows, row, 3));
    f.at.outcome = (enum outcome)db_int(rows, row, 1);
    f.at.flags = (unsigned)db_int(rows, row, 2);
    f.at.seal_ended_now = seal_ended(db_text(rows, row, 5));
    f.at.current = model_current(c);
    f.v->seal_state_now = PB_STR(db_text(rows, row, 5));
    struct chop_bytes hash = db_bytes(rows, row, 4);
    if (hash.n != sizeof f.cipher_hash) return CHOP_FAIL(EINTERNAL, NULL, "a mark without cipher hash");
    memcpy(f.cipher_hash, hash.p, hash.n);
    if (!f.at.current) refresh(c, token, &f);
    *ret = f;
    return NULL;
}
