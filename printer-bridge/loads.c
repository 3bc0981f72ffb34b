/* Loads: what a printer says that it holds, and what it gives back of it. */
#include "bridge.h"

#include <string.h>

/* ---- held: the envelope need not be sent any more. Nothing else follows from it, so it is not kept. ---- */
chop_err held_receive(struct link_call *k, const char *printer_id, const struct received *x) {
    Pb__HeldStatement *m;
    int64_t changed = 0;
    TRY(PB_UNPACK(pb__held_statement, PB_BYTES(x->statement->payload), k->c.mem, &m));
    if (strcmp(m->printer_id, printer_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "about another printer");
    TRY(DB_DO_COUNT(
        k->c.db, &changed, "delivery_held", T_(m->job_id), T_(printer_id), T_(m->allotment_id), I_(k->c.now)));
    log_line(changed ? LOG_INFO : LOG_DEBUG, "held", "printer", printer_id, "job", m->job_id, NULL);
    return NULL;
}

/* ---- close-outs: stored with their event, then acknowledged ---- */
static chop_err look_for_others(struct link_call *k, const struct received *x, const Pb__Closeout *m) {
    struct db_rows *r;
    TRY(DB_ONE(k->c.db, &r, "closeout_others", T_(m->allotment_id), B_(CHOP_BYTES(x->digest, 32))));
    if (db_int(r, 0, 0) > 0)
        log_line(LOG_ERROR, "a printer contradicts itself", "printer", m->printer_id, "allotment", m->allotment_id,
            "outcome", "closeout", NULL);
    return NULL;
}

static chop_err put_event(struct link_call *k, const struct received *x, const Pb__Closeout *m) {
    Pb__CloseoutReceived event = PB__CLOSEOUT_RECEIVED__INIT;
    event.closeout = x->statement;
    event.printer_cert = x->cert;
    event.received_at = k->c.now;
    event.organization_id = PB_STR(x->organization_id);
    return outbox_put(&k->c, "printer-bridge.closeout.received", m->printer_id, &event);
}

static chop_err store(struct link_call *k, const struct received *x, const Pb__Closeout *m, bool *ret_new) {
    struct db *db = k->c.db;
    int64_t added = 0;
    TRY(DB_DO_COUNT(db, &added, "closeout_add", B_(CHOP_BYTES(x->digest, 32)), T_(m->printer_id), T_(m->allotment_id),
        B_(x->packed), I_(k->c.now)));
    *ret_new = added == 1;
    if (!*ret_new) return NULL;
    TRY(look_for_others(k, x, m));
    for (size_t i = 0; i < m->n_numbers; i++)
        TRY(DB_DO(db, "delivery_reported", T_(m->printer_id), T_(m->allotment_id), I_(m->numbers[i]), I_(k->c.now)));
    TRY(DB_DO(db, "delivery_done", T_(m->printer_id), T_(m->allotment_id), I_(k->c.now)));
    return put_event(k, x, m);
}

chop_err closeout_receive(struct link_call *k, const char *printer_id, const struct received *x) {
    struct db *db = k->c.db;
    bool is_new = false;
    Pb__Closeout *m;
    TRY(PB_UNPACK(pb__closeout, PB_BYTES(x->statement->payload), k->c.mem, &m));
    if (strcmp(m->printer_id, printer_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "about another printer");
    TRY(db_begin(db));
    chop_err e = store(k, x, m, &is_new);
    if (!e) e = db_commit(db);
    if (e) db_rollback(db);
    TRY(e);
    if (is_new) app_wake_outbox(k->c.app);
    log_line(is_new ? LOG_INFO : LOG_DEBUG, "closed out", "printer", printer_id, "job", m->job_id, "numbers",
        LOG_INT(m->n_numbers), NULL);
    report_acknowledge(k, printer_id, m->allotment_id, 0, x->digest);
    return NULL;
}
