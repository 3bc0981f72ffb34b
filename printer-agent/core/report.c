/* The end of a number: its signed report goes into the journal with the outcome, in one, and only then out. */
#include "core_internal.h"

static chop_err build(struct printer_core *c, const struct journal_number *n, chop_err reason, const char *check,
    struct journal_report *ret_report) {
    Pb__Report r = PB__REPORT__INIT;
    r.printer_id = c->printer_id;
    r.boot_counter = c->at.boot;
    r.journal_seq = c->at.seq + 1;
    r.job_id = (char *)(uintptr_t)n->job_id;
    r.allotment_id = (char *)(uintptr_t)n->allotment_id;
    r.grant_id = (char *)(uintptr_t)n->grant_id;
    r.number = n->number;
    r.outcome = (char *)(uintptr_t)journal_fsm[n->state].name;
    if (reason) r.reason = (char *)(uintptr_t)reason->name;
    if (reason && check) r.check = (char *)(uintptr_t)check;
    r.started_at = n->started_at;
    r.ended_at = n->ended_at;
    r.order_digest = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)n->order_digest };
    r.envelope_digest = (ProtobufCBinaryData){ 32, (uint8_t *)(uintptr_t)n->envelope_digest };
    struct chop_bytes payload;
    TRY(bump_pack(&c->scratch, &r, &payload));
    TRY(keys_sign(c, "report", payload, &c->scratch, &ret_report->bytes));
    if (ret_report->bytes.n > PRINTER_SMALL_MAX) return CHOP_ERR(ELIMIT);
    core_sha256(c, payload, ret_report->digest);
    ret_report->seq = r.journal_seq;
    return NULL;
}

chop_err report_end(struct printer_core *c, enum journal_number_state from, struct journal_number *n,
    enum journal_number_state to, chop_err reason, const char *check) {
    struct journal_report report;
    if (!journal_may_move(from, to)) return core_broken(c, CHOP_ERR(EINTERNAL));
    bump_reset(&c->scratch);
    int64_t now = printer_now(c);
    n->state = to;
    n->ended_at = now;
    TRY(core_broken(c, build(c, n, reason, check, &report)));
    TRY(core_broken(c, c->s.journal->move(c->s.journal->ctx, from, n, &report, now)));
    c->at.seq = report.seq;
    c->at.last_time = now;
    chop_failpoint("printer.ended.after");
    if (to == NUMBER_PRINTED) chop_failpoint("printer.printed.after");
    if (c->s.report) c->s.report(c->s.report_ctx, report.bytes);
    return NULL;
}

void report_again(struct printer_core *c, const char *allotment_id, uint32_t number) {
    uint8_t bytes[PRINTER_SMALL_MAX];
    size_t n = 0;
    if (!c->s.report) return;
    if (c->s.journal->report_get(c->s.journal->ctx, allotment_id, number, bytes, sizeof bytes, &n)) return;
    c->s.report(c->s.report_ctx, CHOP_BYTES(bytes, n));
}
