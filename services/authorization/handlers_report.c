/* What comes back: printers' signed reports and registries' signed receipts. An event confers no authority: both are
 * verified here, and what does not verify is said loudly and ignored. */
#include <string.h>

#include "auth.h"
#include "filing.pb-c.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"
#include "printer.pb-c.h"

#define CLOCK_SKEW_MS ((int64_t)5 * 60 * 1000)
#define MAX_REASON 200

chop_err event_ignore(struct call *c, const char *what, const char *why, const char *id, uint32_t number) {
    metric_add(auth_of(c)->refused, 1);
    log_line(LOG_ERROR, what, "why", why, "detail", chop_detail_text(), "id", id, "number", LOG_INT(number), NULL);
    chop_detail_clear();
    return NULL;
}

bool event_trouble(chop_err e) {
    return e && (e->retryable || e == CHOP_ERR(EINTERNAL));
}

/* ---- reports ---- */
struct reported {
    const Pb__ReportReceived *in;
    Pb__PrinterCert *cert;
    Pb__Report *report;
    uint8_t digest[32];
    struct spot spot;
    const char *next;
};

static chop_err report_verify(struct call *c, struct reported *x) {
    if (!x->in->report || !x->in->printer_cert) return CHOP_FAIL(EINVAL, NULL, "the report or certificate is missing");
    /* A report may come long after the printing: its certificate must have been valid when it arrived. */
    int64_t at = x->in->received_at;
    if (at <= 0 || at > c->now + CLOCK_SKEW_MS) at = c->now;
    TRY(trust_verify_printer(c->trust, x->in->printer_cert, x->in->report, "report", at, c->mem, &x->cert));
    TRY(PB_UNPACK(pb__report, PB_BYTES(x->in->report->payload), c->mem, &x->report));
    crypto_sha256(PB_BYTES(x->in->report->payload), x->digest);
    if (strcmp(x->report->printer_id, x->cert->printer_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the report speaks for another printer");
    if (strlen(x->report->reason) > MAX_REASON) return CHOP_FAIL(ELIMIT, NULL, "the reason is too long");
    return NULL;
}

/* True where this very report was taken already; false with a detail where another one was. */
static chop_err report_seen(struct call *c, const struct reported *x, bool *ret_same, bool *ret_other) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "report_get", T_(x->report->allotment_id), I_(x->report->number)));
    *ret_same = db_count(r) && chop_bytes_equal(db_bytes(r, 0, 0), CHOP_BYTES(x->digest, 32));
    *ret_other = db_count(r) && !*ret_same;
    return NULL;
}

static chop_err report_match(struct reported *x) {
    const Pb__Number *n = x->spot.number;
    const char *action = rules_report_action(x->report->outcome, x->report->started_at != 0);
    if (!action) return CHOP_FAIL(EINVAL, NULL, "the outcome is unknown");
    if (strcmp(n->allotment_id, x->report->allotment_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "another allotment");
    if (strcmp(n->printer_id, x->report->printer_id) != 0) return CHOP_FAIL(EMISMATCH, NULL, "another printer");
    return fsm_apply(&number_fsm, n->state, action, &x->next);
}

static chop_err report_fact(struct call *c, struct reported *x, struct fact *f) {
    Pb__GrantStatement *g;
    const struct spot *s = &x->spot;
    *f = fact_new(strcmp(x->next, "printed") == 0 ? "impression-printed" : "impression-spoiled");
    Pb__FactStatement *m = &f->statement;
    TRY(grant_statement(c, s->grant.statement, &g));
    m->request_id = PB_STR(s->grant.request_id);
    m->grant_id = PB_STR(s->grant.grant_id);
    m->allotment_id = s->number->allotment_id;
    m->number = s->number->number;
    m->member_id = g->member_id;
    m->member_name = g->member_name;
    m->terminal_id = PB_STR(s->terminal_id);
    m->printer_id = s->number->printer_id;
    m->document_digest = g->document_digest;
    m->artwork_digest = g->artwork_digest;
    m->copies = g->copies;
    m->detail = x->report->reason;
    m->evidence_digest = PB_BIN(CHOP_BYTES(x->digest, 32));
    return fact_file(c, f, &x->spot.seal, "");
}

static chop_err number_apply(struct call *c, struct reported *x) {
    const Pb__Number *n = x->spot.number;
    const char *grant_id = x->spot.grant.grant_id;
    if (strcmp(x->next, "returned") == 0)
        return DB_DO(c->db, "number_return", T_(grant_id), I_(n->number), T_(x->report->reason), I_(c->now));
    int64_t moved;
    TRY(DB_DO_COUNT(c->db, &moved, "number_move", T_(grant_id), I_(n->number), T_(n->state), T_(x->next),
        T_(x->report->reason), I_(c->now)));
    return moved == 1 ? NULL : CHOP_FAIL(ESERIAL, NULL, "the number changed meanwhile");
}

static chop_err report_apply(struct call *c, struct reported *x) {
    struct chop_bytes packed;
    struct fact f = { .message = NULL };
    const bool final = strcmp(x->next, "printed") == 0 || strcmp(x->next, "spoiled") == 0;
    TRY(pb_pack(x->in->report, c->mem, &packed));
    TRY(number_apply(c, x));
    TRY(DB_DO(c->db, "report_add", T_(x->report->allotment_id), I_(x->report->number), B_(CHOP_BYTES(x->digest, 32)),
        B_(packed), I_(c->now)));
    if (final) TRY(report_fact(c, x, &f));
    TRY(settled_publish(c, &x->spot, x->next, x->report->reason, f.message));
    chop_failpoint("authorization.report.before");
    return NULL;
}

static chop_err report_take(struct call *c, struct reported *x) {
    bool same, other;
    chop_err e = spot_lock(c, x->report->grant_id, x->report->number, x->cert->organization_id, &x->spot);
    if (event_trouble(e)) return e;
    if (e)
        return event_ignore(
            c, "report ignored", "no such impression of this organization", x->report->grant_id, x->report->number);
    TRY(report_seen(c, x, &same, &other));
    if (same) return NULL; /* the printer repeats it until it is acknowledged */
    if (other)
        return event_ignore(
            c, "contradictory report", "another report was taken", x->report->allotment_id, x->report->number);
    if (report_match(x))
        return event_ignore(
            c, "contradictory report", "does not fit the number's state", x->report->allotment_id, x->report->number);
    return report_apply(c, x);
}

chop_err report_event(struct call *c, const void *message, const Pb__Event *event) {
    struct reported *x = ARENA_NEW(c->mem, struct reported);
    if (!x) return CHOP_ERR(EMEMORY);
    x->in = message;
    chop_err e = report_verify(c, x);
    if (event_trouble(e)) return e;
    if (e) return event_ignore(c, "report ignored", e->name, event->key, 0);
    return report_take(c, x);
}

/* ---- receipts: the gate of a grant ---- */
static chop_err receipt_verify(
    struct call *c, const Pb__FilingReceipted *in, const char *organization_id, struct chop_bytes fact_digest) {
    const Pb__KeyEntry *entry;
    Pb__ReceiptStatement *m;
    TRY(trust_verify(c->trust, in->receipt, "receipt", c->now, &entry));
    TRY(PB_UNPACK(pb__receipt_statement, PB_BYTES(in->receipt->payload), c->mem, &m));
    if (strcmp(entry->name, in->registry) != 0 || strcmp(m->registry, in->registry) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the receipt is another registry's");
    if (*entry->organization_id && strcmp(entry->organization_id, organization_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the registry is another organization's");
    if (strcmp(m->fact_id, in->fact_id) != 0 || !chop_bytes_equal(PB_BYTES(m->fact_digest), fact_digest))
        return CHOP_FAIL(EMISMATCH, NULL, "the receipt is for another fact");
    return NULL;
}

static const char *gate_without(struct arena *mem, const char *gate, const char *registry) {
    size_t n, kept = 0;
    char **names = text_split(mem, gate, &n);
    for (size_t i = 0; names && i < n; i++)
        if (strcmp(names[i], registry) != 0) names[kept++] = names[i];
    return names ? text_join(mem, names, kept) : gate;
}

static chop_err gate_open(struct call *c, const char *grant_id, const char *seal_id, struct chop_bytes statement) {
    Pb__GrantOpened opened = PB__GRANT_OPENED__INIT;
    Pb__GrantChanged changed = PB__GRANT_CHANGED__INIT;
    TRY(PB_UNPACK(pb__signed, statement, c->mem, &opened.grant));
    changed.grant_id = PB_STR(grant_id);
    changed.state = PB_STR("open");
    changed.at = c->now;
    TRY(outbox_put(c, "authorization.grant.opened", seal_id, &opened));
    return outbox_put(c, "authorization.grant.changed", seal_id, &changed);
}

static chop_err receipt_apply(struct call *c, const Pb__FilingReceipted *in, const struct db_rows *r) {
    const char *gate = gate_without(c->mem, db_text(r, 0, 1), in->registry), *next = "waiting";
    if (!*gate) TRY(fsm_apply(&grant_fsm, db_text(r, 0, 0), "open", &next));
    TRY(DB_DO(c->db, "grant_gate", T_(in->grant_id), T_(gate), T_(next)));
    return *gate ? NULL : gate_open(c, in->grant_id, db_text(r, 0, 4), db_bytes(r, 0, 5));
}

chop_err receipt_event(struct call *c, const void *message, const Pb__Event *event) {
    const Pb__FilingReceipted *in = message;
    struct db_rows *r;
    (void)event;
    if (strcmp(in->fact_kind, "authorization-given") != 0 || !in->receipt) return NULL;
    TRY(DB_QUERY(c->db, &r, "grant_for_receipt", T_(in->grant_id), T_(in->fact_id)));
    if (!db_count(r) || strcmp(db_text(r, 0, 0), "waiting") != 0 || !text_has(db_text(r, 0, 1), in->registry))
        return NULL;
    chop_err e = receipt_verify(c, in, db_text(r, 0, 3), db_bytes(r, 0, 2));
    if (event_trouble(e)) return e;
    if (e) return event_ignore(c, "receipt ignored", e->name, in->grant_id, 0);
    return receipt_apply(c, in, r);
}
