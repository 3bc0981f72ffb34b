/* issuance: one function for each call and event. */
#include "handlers.h"

#include <stdio.h>
#include <string.h>

#include "common.pb-c.h"
#include "issuance.h"

#define DRAWS 4 /* a taken serial is one in 10^6 after 10^9 impressions: the second draw is luxury */

/* ---- SubmitOrder ---- */

static chop_err known_job(struct call *c, const struct submitted *s, const char **ret_job_id) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "issuance_job_by_allotment", T_(s->o.allotment->allotment_id)));
    *ret_job_id = NULL;
    if (db_count(r) == 0) return NULL;
    if (!chop_bytes_equal(db_bytes(r, 0, 1), CHOP_BYTES(s->o.order_digest, 32)))
        return CHOP_FAIL(EUSED, "allotment", "another order used this allotment");
    *ret_job_id = db_text(r, 0, 0);
    return NULL;
}

/* "{1,2,3}" */
static const char *number_array(struct call *c, const Pb__AllotmentStatement *a) {
    const size_t size = a->n_numbers * 11 + 3;
    char *text = arena_alloc(c->mem, size);
    if (!text) return "{}";
    size_t at = 0;
    for (size_t i = 0; i < a->n_numbers; i++)
        at += (size_t)snprintf(text + at, size - at, "%c%u", i ? ',' : '{', (unsigned)a->numbers[i]);
    memcpy(text + at, "}", 2);
    return text;
}

/* What authorization says now: signatures tell what was allowed when they were made, not that the seal was suspended or
 * the grant cancelled since. "exhausted" is a grant whose last numbers are the ones that are ordered here. */
static chop_err still_allowed(const Pb__GrantState *g, const char *allotment_id) {
    if (strcmp(g->seal_state, "active") != 0)
        return CHOP_FAIL(ESTATE, "grant.seal_id", "the seal is %.32s", g->seal_state);
    if (strcmp(g->grant_state, "open") != 0 && strcmp(g->grant_state, "exhausted") != 0)
        return CHOP_FAIL(ESTATE, "grant", "the grant is %.32s", g->grant_state);
    if (!g->number || strcmp(g->number->allotment_id, allotment_id) != 0)
        return CHOP_FAIL(EUSED, "allotment.numbers", "the number is not of this allotment");
    if (strcmp(g->number->state, "reserved") != 0)
        return CHOP_FAIL(EUSED, "allotment.numbers", "the number is %.32s", g->number->state);
    return NULL;
}

static chop_err ask_authorization(struct call *c, const struct submitted *s, uint32_t number) {
    Pb__FindGrantStateRequest ask = PB__FIND_GRANT_STATE_REQUEST__INIT;
    Pb__GrantState *state;
    ask.grant_id = s->o.grant->grant_id;
    ask.number = number;
    TRY(rpc_call(c, "authorization", &pb__authorization__descriptor, "FindGrantState", &ask, false, &state));
    return still_allowed(state, s->o.allotment->allotment_id);
}

/* A number with marks already: only authorization, asked now, can say that it went back and belongs to this allotment.
 */
static chop_err number_reissued(struct call *c, const struct submitted *s, uint32_t number, const char *old_allotment) {
    TRY(ask_authorization(c, s, number));
    return DB_DO(
        c->db, "issuance_number_returned", T_(s->o.grant->grant_id), I_(number), T_(old_allotment), I_(c->now));
}

static chop_err numbers_free(struct call *c, const struct submitted *s) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "issuance_numbers_live", T_(s->o.grant->grant_id), T_(number_array(c, s->o.allotment))));
    for (size_t i = 0; i < db_count(r); i++) {
        if (strcmp(db_text(r, i, 2), "issued") != 0)
            return CHOP_FAIL(EUSED, "allotment.numbers", "number %d was used", (int)db_int(r, i, 0));
        if (strcmp(db_text(r, i, 1), s->o.allotment->allotment_id) == 0)
            return CHOP_FAIL(ESERIAL, "allotment", "the same allotment was ordered at this moment"); /* tried again */
        TRY(number_reissued(c, s, (uint32_t)db_int(r, i, 0), db_text(r, i, 1)));
    }
    return NULL;
}

static chop_err marks_taken(struct call *c, const struct job *j, bool *ret_taken) {
    char *tokens = arena_alloc(c->mem, j->n * (MARKS_TOKEN_LEN + 1) + 3);
    char *serials = arena_alloc(c->mem, j->n * (MARKS_SERIAL_LEN + 1) + 3);
    if (!tokens || !serials) return CHOP_ERR(EMEMORY);
    char *t = tokens, *d = serials;
    for (size_t i = 0; i < j->n; i++) {
        *t++ = *d++ = i ? ',' : '{';
        t = stpcpy(t, j->impressions[i].token);
        d = stpcpy(d, j->impressions[i].serial);
    }
    *t = *d = '}';
    struct db_rows *r;
    TRY(DB_ONE(c->db, &r, "issuance_marks_taken", T_(tokens), T_(serials)));
    *ret_taken = db_int(r, 0, 0) > 0;
    return NULL;
}

static chop_err draw_all(struct call *c, struct job *j) {
    for (int try = 0; try < DRAWS; try++) {
        bool taken;
        for (size_t i = 0; i < j->n; i++)
            TRY(impression_draw(c->service, &j->from->o, j->from->o.allotment->numbers[i], &j->impressions[i]));
        TRY(marks_taken(c, j, &taken));
        if (!taken) return NULL;
    }
    return CHOP_FAIL(ESERIAL, NULL, "no free marks were drawn");
}

static chop_err job_make(struct call *c, const struct submitted *s, struct job *j) {
    j->from = s;
    j->job_id = rpc_new_id(c, "job");
    j->n = s->o.allotment->n_numbers;
    j->impressions = ARENA_ARRAY(c->mem, struct impression, j->n);
    if (!j->impressions) return CHOP_ERR(EMEMORY);
    TRY(draw_all(c, j));
    for (size_t i = 0; i < j->n; i++)
        TRY(impression_finish(c, &s->o, &j->impressions[i]));
    return envelope_seal(c, j);
}

/* Up to job_store nothing is locked: fetching and cryptography happen before the first write. */
HANDLER(submit_order, Pb__SubmitOrderRequest, Pb__Job) {
    struct submitted s;
    struct job j = { 0 };
    const char *job_id;
    TRY(submitted_read(c, in, &s));
    TRY(known_job(c, &s, &job_id));
    if (job_id) return job_print(c, job_id, out);
    TRY(order_in_time(&s.o, c->now));
    TRY(ask_authorization(c, &s, s.o.allotment->numbers[0]));
    TRY(artwork_fetch(c, s.o.grant, &j.artwork));
    TRY(specimen_fetch(c, in, s.o.grant, &j.signature));
    TRY(job_make(c, &s, &j));
    TRY(numbers_free(c, &s));
    TRY(job_store(c, &j));
    return job_print(c, j.job_id, out);
}

HANDLER(get_job, Pb__GetJobRequest, Pb__Job) {
    TRY(rpc_check_id("job_id", in->job_id, "job"));
    return job_print(c, in->job_id, out);
}

/* ---- FindImpression ---- */

static chop_err print_found(struct call *c, const struct db_rows *r, Pb__ImpressionIssued *out) {
    out->impression_id = arena_str(c->mem, db_text(r, 0, 0));
    out->grant_id = arena_str(c->mem, db_text(r, 0, 1));
    out->number = (uint32_t)db_int(r, 0, 2);
    out->token = arena_str(c->mem, db_text(r, 0, 3));
    out->serial = arena_str(c->mem, db_text(r, 0, 4));
    out->cipher_hash = PB_BIN(arena_copy(c->mem, db_bytes(r, 0, 5)));
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 6), c->mem, &out->statement));
    out->issued_at = db_int(r, 0, 7);
    out->job_id = arena_str(c->mem, db_text(r, 0, 8));
    out->printer_id = arena_str(c->mem, db_text(r, 0, 9));
    out->printer_name = arena_str(c->mem, db_text(r, 0, 10));
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 11), c->mem, &out->grant));
    return PB_UNPACK(pb__signed, db_bytes(r, 0, 12), c->mem, &out->allotment);
}

HANDLER(find_impression, Pb__FindImpressionRequest, Pb__ImpressionIssued) {
    struct db_rows *r;
    if (*in->token)
        TRY(DB_ONE(c->db, &r, "issuance_find_by_token", T_(in->token)));
    else
        TRY(DB_ONE(c->db, &r, "issuance_find_by_serial", T_(in->serial)));
    return print_found(c, r, out);
}

/* ---- what became of the numbers ---- */

/* For display, and to free a number that never touched paper: making new marks for it still needs a signed allotment.
 */
EVENT_HANDLER(impression_settled, Pb__ImpressionSettled) {
    struct db_rows *r;
    chop_err e = DB_ONE(c->db, &r, "issuance_outcome_lock", T_(in->grant_id), I_(in->number), T_(in->allotment_id));
    if (e == CHOP_ERR(ENOTFOUND)) return NULL; /* settled without ever having marks */
    if (e) return e;
    if (!outcome_follows(db_text(r, 0, 0), in->state)) return NULL;
    return DB_DO(c->db, "issuance_outcome_put", T_(in->grant_id), I_(in->number), T_(in->allotment_id), T_(in->state),
        I_(in->at), T_(in->reason), I_(in->replaces));
}

const struct rpc_method issuance_methods[] = {
    RPC(SubmitOrder, submit_order, RPC_MEMBER),
    RPC(GetJob, get_job, RPC_MEMBER | RPC_READ),
    RPC(FindImpression, find_impression, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC_END,
};

const struct event_row issuance_events[] = {
    EVENT("authorization.impression.settled", pb__impression_settled, impression_settled),
    EVENT_END,
};
