/* Loaded jobs: kept in the journal while there is a network, printed by local orders when there is none, given back by
 * a signed close-out. */
#include "core_internal.h"

/* ---- loading ---- */
/* Whoever loads wants to know that it is here before going away with the printer. */
static chop_err tell_held(struct opened *o, uint32_t *numbers, size_t n) {
    struct printer_core *c = o->c;
    struct chop_bytes payload, packed;
    Pb__HeldStatement m = PB__HELD_STATEMENT__INIT;
    m.printer_id = c->printer_id;
    m.job_id = o->envelope->job_id;
    m.allotment_id = o->allotment->allotment_id;
    m.numbers = numbers;
    m.n_numbers = n;
    m.at = o->now;
    m.boot_counter = c->at.boot;
    bump_reset(&c->scratch);
    TRY(bump_pack(&c->scratch, &m, &payload));
    TRY(keys_sign(c, "held", payload, &c->scratch, &packed));
    if (c->s.report) c->s.report(c->s.report_ctx, packed);
    return NULL;
}

chop_err held_keep(struct opened *o, struct chop_bytes packed) {
    struct printer_core *c = o->c;
    const Pb__AllotmentStatement *a = o->allotment;
    const struct printer_journal *j = c->s.journal;
    struct journal_number like;
    TRY(core_refuse(c, envelope_like(o, &like), "held"));
    int64_t until = a->not_after < o->grant->not_after ? a->not_after : o->grant->not_after;
    chop_err e = j->hold(j->ctx, &like, a->numbers, a->n_numbers, o->challenge_digest, packed, until, o->now);
    if (e == CHOP_ERR(EBUSY)) return core_refuse(c, e, "held"); /* too many: nothing was written */
    TRY(core_broken(c, e));
    c->at.last_time = o->now;
    chop_failpoint("printer.held.after");
    /* It is held whether or not this can be said: the envelope comes again until it was heard. */
    (void)!tell_held(o, a->numbers, a->n_numbers);
    return NULL;
}

chop_err held_again(struct opened *o) {
    struct printer_core *c = o->c;
    const struct printer_journal *j = c->s.journal;
    uint32_t numbers[PRINTER_HELD_NUMBERS];
    struct journal_held held;
    size_t n = 0;
    chop_err e = j->held_get(j->ctx, o->envelope->job_id, &held);
    if (e == CHOP_ERR(ENOTFOUND)) return NULL;
    TRY(core_broken(c, e));
    if (strcmp(held.allotment_id, o->allotment->allotment_id) != 0) return NULL;
    if (!held.open) {
        report_again(c, held.allotment_id, 0);
        return NULL;
    }
    TRY(core_broken(c, j->held_numbers(j->ctx, held.allotment_id, numbers, &n)));
    return n ? tell_held(o, numbers, n) : NULL;
}

/* ---- printing ---- */
/* Who orders is known before anything is opened for him. */
static chop_err read_order(struct opened *o, struct chop_bytes order, struct chop_bytes terminal_cert) {
    struct printer_core *c = o->c;
    Pb__KeyManifest *m;
    Pb__Signed *s, *cert;
    TRY(core_refuse(c, keys_manifest(c, o->mem, &m), "manifest"));
    TRY(core_refuse(c, BUMP_UNPACK(o->mem, pb__signed, order, &s), "local-order"));
    TRY(core_refuse(c, BUMP_UNPACK(o->mem, pb__signed, terminal_cert, &cert), "terminal-cert"));
    TRY(keys_verify_terminal(c, o->mem, m, cert, s, "local-order", o->now, &o->cert));
    TRY(core_refuse(c, BUMP_UNPACK(o->mem, pb__local_order, PB_VIEW(s->payload), &o->local), "local-order"));
    core_sha256(c, PB_VIEW(s->payload), o->order_digest);
    return NULL;
}

static chop_err open_held(struct opened *o) {
    struct printer_core *c = o->c;
    const struct printer_journal *j = c->s.journal;
    struct journal_held held;
    size_t n = 0;
    chop_err e = j->held_get(j->ctx, o->local->job_id, &held);
    if (e == CHOP_ERR(ENOTFOUND)) return core_refuse(c, e, "held");
    TRY(core_broken(c, e));
    if (!held.open) return REFUSE(c, ESTATE, "held");
    uint8_t *packed = bump_take(o->mem, held.envelope_n);
    if (!packed) return REFUSE(c, EMEMORY, "held");
    TRY(core_broken(c, j->held_envelope(j->ctx, o->local->job_id, packed, held.envelope_n, &n)));
    return envelope_open(o, CHOP_BYTES(packed, n));
}

static chop_err begin_local(struct opened *o) {
    struct printer_core *c = o->c;
    const struct printer_journal *j = c->s.journal;
    struct journal_number like;
    TRY(core_refuse(c, envelope_like(o, &like), "local-order"));
    TRY(core_broken(c, j->spend(j->ctx, o->challenge_digest, o->now)));
    c->at.last_time = o->now;
    chop_failpoint("printer.spent.after");
    envelope_begin(o, &like, o->local->numbers, o->local->n_numbers, NUMBER_HELD);
    return NULL;
}

chop_err printer_local(struct printer_core *c, struct chop_bytes order, struct chop_bytes terminal_cert) {
    c->check = "";
    if (c->broken) return CHOP_ERR(ESTORE);
    if (c->job.active) return CHOP_ERR(EBUSY);
    bump_reset(&c->job_mem);
    struct opened o = { .c = c, .mem = &c->job_mem, .now = printer_now(c) };
    TRY(read_order(&o, order, terminal_cert));
    TRY(open_held(&o));
    TRY(check_local(&o));
    return begin_local(&o);
}

/* ---- giving back ---- */
static chop_err sign_closeout(struct printer_core *c, struct journal_held *held, uint32_t *numbers, size_t n,
    int64_t now, struct journal_report *ret_report) {
    struct chop_bytes payload;
    Pb__Closeout m = PB__CLOSEOUT__INIT;
    m.printer_id = c->printer_id;
    m.boot_counter = c->at.boot;
    m.journal_seq = c->at.seq + 1;
    m.job_id = held->job_id;
    m.allotment_id = held->allotment_id;
    m.grant_id = held->grant_id;
    m.numbers = numbers;
    m.n_numbers = n;
    m.at = now;
    TRY(bump_pack(&c->scratch, &m, &payload));
    TRY(keys_sign(c, "closeout", payload, &c->scratch, &ret_report->bytes));
    if (ret_report->bytes.n > PRINTER_SMALL_MAX) return CHOP_ERR(ELIMIT);
    core_sha256(c, payload, ret_report->digest);
    ret_report->seq = m.journal_seq;
    return NULL;
}

/* The numbers are unprintable, durably, before anybody can hear that they are free. */
static chop_err close_now(struct printer_core *c, struct journal_held *held, uint8_t *out, size_t *ret_n) {
    const struct printer_journal *j = c->s.journal;
    uint32_t numbers[PRINTER_HELD_NUMBERS];
    struct journal_report report;
    size_t n = 0;
    int64_t now = printer_now(c);
    TRY(core_broken(c, j->held_numbers(j->ctx, held->allotment_id, numbers, &n)));
    if (n == 0) return REFUSE(c, ESTATE, "close-out");
    if (!journal_may_move(NUMBER_HELD, NUMBER_RETURNED)) return core_broken(c, CHOP_ERR(EINTERNAL));
    bump_reset(&c->scratch);
    TRY(core_refuse(c, sign_closeout(c, held, numbers, n, now, &report), "close-out"));
    TRY(core_broken(c, j->close_out(j->ctx, held, numbers, n, &report, now)));
    c->at.seq = report.seq;
    c->at.last_time = now;
    chop_failpoint("printer.closed.after");
    memcpy(out, report.bytes.p, report.bytes.n);
    *ret_n = report.bytes.n;
    if (c->s.report) c->s.report(c->s.report_ctx, report.bytes);
    return NULL;
}

chop_err printer_close_out(struct printer_core *c, const char *job_id, uint8_t *out, size_t *ret_n) {
    const struct printer_journal *j = c->s.journal;
    struct journal_held held;
    c->check = "close-out";
    if (c->broken) return CHOP_ERR(ESTORE);
    if (c->job.active) return CHOP_ERR(EBUSY); /* it may be of this very job */
    chop_err e = j->held_get(j->ctx, job_id, &held);
    if (e == CHOP_ERR(ENOTFOUND)) return e;
    TRY(core_broken(c, e));
    if (held.open) return close_now(c, &held, out, ret_n);
    e = j->report_get(j->ctx, held.allotment_id, 0, out, PRINTER_SMALL_MAX, ret_n);
    return e == CHOP_ERR(ENOTFOUND) ? CHOP_ERR(ESTATE) : core_broken(c, e);
}
