/* Reports of printers: stored before the broker hears that they arrived (pitfall 12), acknowledged to the printer
 * after. */
#include "bridge.h"

#include "metrics.h"

#include <string.h>

struct received {
    Pb__Signed *report_s, *cert_s;
    Pb__Report *report;
    const char *organization_id;
    uint8_t digest[32];
};

static void count(const char *result) {
    static struct metric *good, *again, *bad;
    if (!good) {
        good = metric_counter("chop_printer_bridge_reports_total", "result=\"stored\"");
        again = metric_counter("chop_printer_bridge_reports_total", "result=\"repeated\"");
        bad = metric_counter("chop_printer_bridge_reports_total", "result=\"dropped\"");
    }
    metric_add(strcmp(result, "stored") == 0 ? good : strcmp(result, "repeated") == 0 ? again : bad, 1);
}

/* Whatever the broker said of its sender: the printer's own signature decides. */
static chop_err verify(struct link_call *k, const char *printer_id, struct chop_bytes payload, struct received *x) {
    struct call *c = &k->c;
    struct db_rows *r;
    Pb__PrinterCert *cert;
    TRY(DB_ONE(c->db, &r, "printer_get", T_(printer_id)));
    x->organization_id = db_text(r, 0, 1);
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 6), c->mem, &x->cert_s));
    TRY(PB_UNPACK(pb__signed, payload, c->mem, &x->report_s));
    TRY(trust_verify_printer(c->trust, x->cert_s, x->report_s, "report", c->now, c->mem, &cert));
    TRY(PB_UNPACK(pb__report, PB_BYTES(x->report_s->payload), c->mem, &x->report));
    if (strcmp(x->report->printer_id, printer_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "a report about another printer");
    crypto_sha256(PB_BYTES(x->report_s->payload), x->digest);
    return NULL;
}

/* Two different reports about one number mean that a journal was rolled back: both are kept and passed on. */
static chop_err look_for_others(struct link_call *k, const struct received *x) {
    struct db_rows *r;
    const Pb__Report *p = x->report;
    TRY(DB_ONE(k->c.db, &r, "report_others", T_(p->allotment_id), I_(p->number), B_(CHOP_BYTES(x->digest, 32))));
    if (db_int(r, 0, 0) > 0)
        log_line(LOG_ERROR, "a printer contradicts itself", "printer", p->printer_id, "allotment", p->allotment_id,
            "number", LOG_INT(p->number), "outcome", p->outcome, NULL);
    return NULL;
}

static chop_err put_event(struct link_call *k, const struct received *x) {
    Pb__ReportReceived event = PB__REPORT_RECEIVED__INIT;
    event.report = x->report_s;
    event.printer_cert = x->cert_s;
    event.received_at = k->c.now;
    event.organization_id = PB_STR(x->organization_id);
    return outbox_put(&k->c, "printer-bridge.report.received", x->report->printer_id, &event);
}

static chop_err store(struct link_call *k, const struct received *x, struct chop_bytes payload, bool *ret_new) {
    struct db *db = k->c.db;
    const Pb__Report *p = x->report;
    int64_t added = 0;
    TRY(DB_DO_COUNT(db, &added, "report_add", B_(CHOP_BYTES(x->digest, 32)), T_(p->printer_id), T_(p->allotment_id),
        I_(p->number), T_(p->outcome), B_(payload), I_(k->c.now)));
    *ret_new = added == 1;
    if (!*ret_new) return NULL;
    TRY(look_for_others(k, x));
    TRY(DB_DO(db, "delivery_reported", T_(p->printer_id), T_(p->allotment_id), I_(p->number), I_(k->c.now)));
    TRY(DB_DO(db, "delivery_done", T_(p->printer_id), T_(p->allotment_id), I_(k->c.now)));
    return put_event(k, x);
}

static chop_err commit(struct link_call *k, const struct received *x, struct chop_bytes payload, bool *ret_new) {
    struct db *db = k->c.db;
    TRY(db_begin(db));
    chop_err e = store(k, x, payload, ret_new);
    chop_failpoint("printer-bridge.report.before");
    if (!e) e = db_commit(db);
    if (e) db_rollback(db);
    chop_failpoint("printer-bridge.report.committed");
    return e;
}

static void acknowledge(struct link_call *k, struct received *x) {
    Pb__ReportAck ack = PB__REPORT_ACK__INIT;
    ack.allotment_id = x->report->allotment_id;
    ack.number = x->report->number;
    ack.report_digest = (ProtobufCBinaryData){ 32, x->digest };
    chop_err e = link_publish(k->link, x->report->printer_id, "ack", &ack, k->c.mem);
    if (e && !e->retryable) log_error("cannot acknowledge a report", e);
}

/* The store's trouble is ours: the report shall come again. Anything else is the report's own fault. */
static bool is_trouble(chop_err e) {
    return e->retryable;
}

chop_err report_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) {
    struct received x = { .report = NULL };
    bool is_new = false;
    chop_err e = verify(k, printer_id, payload, &x);
    if (e && !is_trouble(e)) {
        count("dropped");
        log_line(
            LOG_ERROR, "report dropped", "printer", printer_id, "error", e->name, "detail", chop_detail_text(), NULL);
        return NULL;
    }
    TRY(e);
    TRY(commit(k, &x, payload, &is_new));
    count(is_new ? "stored" : "repeated");
    if (is_new) app_wake_outbox(k->c.app);
    log_line(is_new ? LOG_INFO : LOG_DEBUG, "report", "printer", printer_id, "allotment", x.report->allotment_id,
        "number", LOG_INT(x.report->number), "outcome", x.report->outcome, "reason", x.report->reason, "check",
        x.report->check, NULL);
    acknowledge(k, &x);
    return NULL;
}
