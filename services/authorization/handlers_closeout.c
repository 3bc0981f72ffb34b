/* Close-outs: what a printer was loaded with and gives back unused. Its signed word is the only way back for such a
 * number but a person's. An event confers no authority: what does not verify or fit is said loudly and ignored. */
#include <string.h>

#include "auth.h"
#include "printer.pb-c.h"

#define CLOCK_SKEW_MS ((int64_t)5 * 60 * 1000)

struct closed {
    const Pb__CloseoutReceived *in;
    Pb__PrinterCert *cert;
    Pb__Closeout *m;
    uint8_t digest[32];
};

static chop_err verify(struct call *c, struct closed *x) {
    if (!x->in->closeout || !x->in->printer_cert)
        return CHOP_FAIL(EINVAL, NULL, "the close-out or certificate is missing");
    int64_t at = x->in->received_at; /* as for reports: the certificate must have been valid when it arrived */
    if (at <= 0 || at > c->now + CLOCK_SKEW_MS) at = c->now;
    TRY(trust_verify_printer(c->trust, x->in->printer_cert, x->in->closeout, "closeout", at, c->mem, &x->cert));
    TRY(PB_UNPACK(pb__closeout, PB_BYTES(x->in->closeout->payload), c->mem, &x->m));
    crypto_sha256(PB_BYTES(x->in->closeout->payload), x->digest);
    if (strcmp(x->m->printer_id, x->cert->printer_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the close-out speaks for another printer");
    if (x->m->n_numbers > RULES_MAX_COUNT) return CHOP_FAIL(ELIMIT, NULL, "more numbers than were ever allotted");
    return NULL;
}

/* The allotment is this printer's, and was loaded. */
static chop_err match(const struct closed *x, const struct db_rows *r) {
    if (strcmp(db_text(r, 0, 0), x->m->grant_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "another grant");
    if (strcmp(db_text(r, 0, 1), x->cert->organization_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "not its own");
    if (strcmp(db_text(r, 0, 2), x->m->printer_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "another printer");
    return db_bool(r, 0, 3) ? NULL : CHOP_FAIL(ESTATE, NULL, "the allotment was not loaded");
}

static chop_err fits(const struct spot *s, const struct closed *x, const char **ret_next) {
    if (strcmp(s->number->allotment_id, x->m->allotment_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the number is of another allotment");
    return fsm_apply(&number_fsm, s->number->state, "close_out", ret_next);
}

/* One number that does not fit (settled by a person meanwhile, or reported otherwise) keeps its state; the others do
 * not suffer for it. */
static chop_err give_back(struct call *c, const struct closed *x, uint32_t number) {
    struct spot s;
    const char *next;
    chop_err e = spot_lock(c, x->m->grant_id, number, x->cert->organization_id, &s);
    if (event_trouble(e)) return e;
    if (e || fits(&s, x, &next))
        return event_ignore(
            c, "contradictory close-out", "does not fit the number's state", x->m->allotment_id, number);
    TRY(DB_DO(c->db, "number_return", T_(x->m->grant_id), I_(number), T_("closed out"), I_(c->now)));
    return settled_publish(c, &s, next, "closed out", NULL);
}

static chop_err apply(struct call *c, const struct closed *x) {
    struct chop_bytes packed;
    TRY(pb_pack(x->in->closeout, c->mem, &packed));
    TRY(DB_DO(c->db, "closeout_add", T_(x->m->allotment_id), B_(CHOP_BYTES(x->digest, 32)), B_(packed), I_(c->now)));
    for (size_t i = 0; i < x->m->n_numbers; i++)
        TRY(give_back(c, x, x->m->numbers[i]));
    chop_failpoint("authorization.closeout.before");
    return NULL;
}

static chop_err take(struct call *c, const struct closed *x) {
    struct db_rows *r;
    const char *id = x->m->allotment_id;
    TRY(DB_QUERY(c->db, &r, "closeout_lock", T_(id)));
    if (!db_count(r)) return event_ignore(c, "close-out ignored", "no such allotment", id, 0);
    if (match(x, r)) return event_ignore(c, "close-out ignored", "is not about its allotment", id, 0);
    if (db_null(r, 0, 4)) return apply(c, x);
    if (chop_bytes_equal(db_bytes(r, 0, 4), CHOP_BYTES(x->digest, 32))) return NULL; /* the printer repeats it */
    return event_ignore(c, "contradictory close-out", "another close-out was taken", id, 0);
}

chop_err closeout_event(struct call *c, const void *message, const Pb__Event *event) {
    struct closed *x = ARENA_NEW(c->mem, struct closed);
    if (!x) return CHOP_ERR(EMEMORY);
    x->in = message;
    chop_err e = verify(c, x);
    if (event_trouble(e)) return e;
    if (e) return event_ignore(c, "close-out ignored", e->name, event->key, 0);
    return take(c, x);
}
