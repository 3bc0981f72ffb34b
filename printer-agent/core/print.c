/* Printing: reserved -> started (durable) -> ink -> printed or spoiled (durable) -> report. */
#include "core_internal.h"

static const Pb__MarkedImpression *marked(const Pb__Envelope *e, uint32_t number) {
    for (size_t i = 0; i < e->n_impressions; i++)
        if (e->impressions[i]->number == number) return e->impressions[i];
    return NULL;
}

static void fill_page(const struct printer_job *job, const struct journal_number *n, struct printer_page *p) {
    const Pb__Envelope *e = job->envelope;
    const Pb__MarkedImpression *m = marked(e, n->number);
    *p = (struct printer_page){ .job_id = n->job_id, .allotment_id = n->allotment_id, .number = n->number };
    p->token = m->token;
    p->serial = m->serial;
    p->cipher = m->cipher;
    p->artwork = PB_VIEW(e->artwork);
    p->marks = PB_VIEW(m->mark_block);
    p->signature = PB_VIEW(e->signature_artwork);
    p->page = job->page;
    p->x_um = job->x_um;
    p->y_um = job->y_um;
}

static chop_err start_number(struct printer_core *c, struct journal_number *n) {
    int64_t now = printer_now(c);
    n->state = NUMBER_STARTED;
    n->started_at = now;
    if (!journal_may_move(c->job.from, NUMBER_STARTED)) return core_broken(c, CHOP_ERR(EINTERNAL));
    TRY(core_broken(c, c->s.journal->move(c->s.journal->ctx, c->job.from, n, NULL, now)));
    c->at.last_time = now;
    chop_failpoint("printer.started.after");
    return NULL;
}

/* A jam or an empty cartridge would spoil number after number: the rest of the job goes back unused. What is held stays
 * so: only a close-out gives it back. */
static chop_err stop_number(struct printer_core *c, struct journal_number *n, chop_err why, const char *check) {
    c->job.stopped = true;
    if (c->job.from == NUMBER_RESERVED) TRY(report_end(c, NUMBER_RESERVED, n, NUMBER_REFUSED, why, check));
    return core_refuse(c, why, check);
}

static chop_err ink_number(struct printer_core *c, struct journal_number *n, const struct printer_page *page) {
    TRY(start_number(c, n));
    chop_err e = c->s.output->ink(c->s.output->ctx, page);
    chop_failpoint("printer.ink.after");
    if (!e) return report_end(c, NUMBER_STARTED, n, NUMBER_PRINTED, NULL, NULL);
    c->job.stopped = true;
    TRY(report_end(c, NUMBER_STARTED, n, NUMBER_SPOILED, e, "ink"));
    return core_refuse(c, e, "ink");
}

static chop_err print_number(struct printer_core *c, struct journal_number *n) {
    struct printer_page page;
    if (c->job.stopped) return stop_number(c, n, CHOP_ERR(ESTATE), "stopped");
    if (printer_now(c) > c->job.not_after) return stop_number(c, n, CHOP_ERR(EEXPIRED), "window");
    fill_page(&c->job, n, &page);
    chop_err e = c->s.output->prepare(c->s.output->ctx, &page);
    return e ? stop_number(c, n, e, "prepare") : ink_number(c, n, &page);
}

chop_err printer_step(struct printer_core *c, bool *ret_more) {
    struct printer_job *job = &c->job;
    c->check = "";
    if (c->broken) return CHOP_ERR(ESTORE);
    if (!job->active) {
        *ret_more = false;
        return NULL;
    }
    struct journal_number n = job->like;
    n.number = job->numbers[job->next];
    n.state = job->from;
    chop_err e = print_number(c, &n);
    if (c->broken) return e;
    job->next++;
    job->active = job->next < job->n_numbers;
    *ret_more = job->active;
    return e;
}

chop_err printer_recover(struct printer_core *c) {
    struct journal_number n;
    for (;;) {
        c->check = "recover";
        chop_err e = c->s.journal->open_get(c->s.journal->ctx, &n);
        if (e == CHOP_ERR(ENOTFOUND)) return NULL;
        TRY(core_broken(c, e));
        bool started = n.state == NUMBER_STARTED;
        TRY(report_end(c, n.state, &n, started ? NUMBER_INTERRUPTED : NUMBER_REFUSED, started ? NULL : CHOP_ERR(ESTATE),
            started ? NULL : "restart"));
    }
}
