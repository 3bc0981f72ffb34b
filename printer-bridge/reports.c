/* Reports of printers: stored before the broker hears that they arrived (pitfall 12), acknowledged to the printer
 * after. */
#include "bridge.h"

#include "metrics.h"

#include <string.h>

static void count(const char *result) {
    static struct metric *good, *again, *bad;
    if (!good) {
        good = metric_counter("chop_printer_bridge_reports_total", "result=\"stored\"");
        again = metric_counter("chop_printer_bridge_reports_total", "result=\"repeated\"");
        bad = metric_counter("chop_printer_bridge_reports_total", "result=\"dropped\"");
    }
    metric_add(strcmp(result, "stored") == 0 ? good : strcmp(result, "repeated") == 0 ? again : bad, 1);
}

static chop_err take_report(struct link_call *k, const char *printer_id, const struct received *x);
static const struct kind {
    const char *type;
    chop_err (*take)(struct link_call *k, const char *printer_id, const struct received *x);
} kinds[] = {
    { "report", take_report },
    { "held", held_receive },
    { "closeout", closeout_receive },
};
static const struct kind *find_kind(const char *type) {
    for (size_t i = 0; i < CHOP_COUNT(kinds); i++)
        if (strcmp(kinds[i].type, type) == 0) return &kinds[i];
    return NULL;
}

/* Whatever the broker said of its sender: the printer's own signature decides. */
static chop_err verify(struct link_call *k, const char *printer_id, struct chop_bytes payload, struct received *x) {
    struct call *c = &k->c;
    struct db_rows *r;
    Pb__PrinterCert *cert;
    TRY(PB_UNPACK(pb__signed, payload, c->mem, &x->statement));
    if (!find_kind(x->statement->type)) return CHOP_FAIL(EMISMATCH, NULL, "not a report");
    TRY(DB_ONE(c->db, &r, "printer_get", T_(printer_id)));
    x->organization_id = db_text(r, 0, 1);
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 6), c->mem, &x->cert));
    TRY(trust_verify_printer(c->trust, x->cert, x->statement, x->statement->type, c->now, c->mem, &cert));
    crypto_sha256(PB_BYTES(x->statement->payload), x->digest);
    x->packed = payload;
    return NULL;
}

/* Two different reports about one number mean that a journal was rolled back: both are kept and passed on. */
static chop_err look_for_others(struct link_call *k, const struct received *x, const Pb__Report *p) {
    struct db_rows *r;
    TRY(DB_ONE(k->c.db, &r, "report_others", T_(p->allotment_id), I_(p->number), B_(CHOP_BYTES(x->digest, 32))));
    if (db_int(r, 0, 0) > 0)
        log_line(LOG_ERROR, "a printer contradicts itself", "printer", p->printer_id, "allotment", p->allotment_id,
            "number", LOG_INT(p->number), "outcome", p->outcome, NULL);
    return NULL;
}

static chop_err put_event(struct link_call *k, const struct received *x, const Pb__Report *p) {
    Pb__ReportReceived event = PB__REPORT_RECEIVED__INIT;
    event.report = x->statement;
    event.printer_cert = x->cert;
    event.received_at = k->c.now;
    event.organization_id = PB_STR(x->organization_id);
    return outbox_put(&k->c, "printer-bridge.report.received", p->printer_id, &event);
}

static chop_err store(struct link_call *k, const struct received *x, const Pb__Report *p, bool *ret_new) {
    struct db *db = k->c.db;
    int64_t added = 0;
    TRY(DB_DO_COUNT(db, &added, "report_add", B_(CHOP_BYTES(x->digest, 32)), T_(p->printer_id), T_(p->allotment_id),
        I_(p->number), T_(p->outcome), B_(x->packed), I_(k->c.now)));
    *ret_new = added == 1;
    if (!*ret_new) return NULL;
    TRY(look_for_others(k, x, p));
    TRY(DB_DO(db, "delivery_reported", T_(p->printer_id), T_(p->allotment_id), I_(p->number), I_(k->c.now)));
    TRY(DB_DO(db, "delivery_done", T_(p->printer_id), T_(p->allotment_id), I_(k->c.now)));
    return put_event(k, x, p);
}

static chop_err commit(struct link_call *k, const struct received *x, const Pb__Report *p, bool *ret_new) {
    struct db *db = k->c.db;
    TRY(db_begin(db));
    chop_err e = store(k, x, p, ret_new);
    chop_failpoint("printer-bridge.report.before");
    if (!e) e = db_commit(db);
    if (e) db_rollback(db);
    chop_failpoint("printer-bridge.report.committed");
    return e;
}

void report_acknowledge(
    struct link_call *k, const char *printer_id, char *allotment_id, uint32_t number, const uint8_t digest[32]) {
    Pb__ReportAck ack = PB__REPORT_ACK__INIT;
    ack.allotment_id = allotment_id;
    ack.number = number;
    ack.report_digest = PB_BIN(CHOP_BYTES(digest, 32));
    chop_err e = link_publish(k->link, printer_id, "ack", &ack, k->c.mem);
    if (e && !e->retryable) log_error("cannot acknowledge a report", e);
}

/* The store's trouble is ours: the report shall come again. Anything else is the report's own fault. */
static bool is_trouble(chop_err e) {
    return e->retryable || e == CHOP_ERR(EINTERNAL);
}

static chop_err take_report(struct link_call *k, const char *printer_id, const struct received *x) {
    bool is_new = false;
    Pb__Report *p;
    TRY(PB_UNPACK(pb__report, PB_BYTES(x->statement->payload), k->c.mem, &p));
    if (strcmp(p->printer_id, printer_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "a report about another printer");
    TRY(commit(k, x, p, &is_new));
    count(is_new ? "stored" : "repeated");
    if (is_new) app_wake_outbox(k->c.app);
    log_line(is_new ? LOG_INFO : LOG_DEBUG, "report", "printer", printer_id, "allotment", p->allotment_id, "number",
        LOG_INT(p->number), "outcome", p->outcome, "reason", p->reason, "check", p->check, NULL);
    report_acknowledge(k, printer_id, p->allotment_id, p->number, x->digest);
    return NULL;
}

chop_err report_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) {
    struct received x = { .statement = NULL };
    chop_err e = verify(k, printer_id, payload, &x);
    if (!e) e = find_kind(x.statement->type)->take(k, printer_id, &x);
    if (!e || is_trouble(e)) return e;
    count("dropped");
    log_line(LOG_ERROR, "report dropped", "printer", printer_id, "error", e->name, "detail", chop_detail_text(), NULL);
    return NULL;
}
