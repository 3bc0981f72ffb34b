/* Senders: threads that belong to one registry each, so that a registry that hangs holds up nobody else's filings. */
#include "adapter.h"
#include "metrics.h"
#include "settle.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MAX ((size_t)64 << 20)
#define REPLY_MAX (256 * 1024)
#define WINDOW_NS (30 * 1000000LL) /* a batch is committed about so often */
#define PAUSE_MOST_MS 30000        /* of a whole registry */

struct sender {
    struct relay *relay;
    struct registry *registry;
    pthread_t thread;
    struct db *db;
    struct arena *mem;
    struct httpc *http;
    size_t batch; /* lanes to claim: grows while they fit the window */
    bool first;   /* of its registry's: the one that looks when hinted; the others when it finds more than it takes */
    uint64_t hints_seen;
    bool outbox_runs; /* known by a first hint: senders begin before the outbox does, which finds their rows by itself */
};

/* ---- one filing ---- */

static void judge(struct sender *s, const struct trust *t, struct filing_claim *f) {
    if (f->answer.outcome != OUTCOME_RECEIPT) return;
    struct rules_expected expected = { .registry = s->registry->name, .fact_id = f->fact_id, .seal_id = f->seal_id,
        .key = f->key, .seal_seq = f->fact_seq, .made_at = f->made_at };
    memcpy(expected.digest, f->digest.p, 32);
    if (!rules_check_receipt(t, f->answer.receipt, &expected, chop_now_ms(), s->mem, &f->receipt)) return;
    f->answer.outcome = OUTCOME_LIE;
    f->answer.detail = arena_str(s->mem, chop_detail_text());
    log_line(LOG_ERROR, "registry lies", "registry", s->registry->name, "filing", f->filing_id, "detail", f->answer.detail,
        NULL);
}

static void exchange(struct sender *s, struct filing_claim *f, adapter_fn fn, bool asking) {
    struct adapter_filing a = { .key = f->key, .fact = f->fact };
    f->exchanges++;
    f->asking = asking;
    f->answer = fn(s->http, s->registry, &a, s->mem);
}

/* What may have arrived before is asked about first; only the registry's own "not found" lets it be sent again. */
static void file_one(struct sender *s, const struct trust *t, struct filing_claim *f) {
    const struct adapter *a = s->registry->adapter;
    bool ask = rules_ask_first(f->was) && (a->can & ADAPTER_STATUS);
    if (ask) exchange(s, f, a->status, true);
    if (!ask || f->answer.outcome == OUTCOME_NOT_FOUND) exchange(s, f, a->send, false);
    chop_failpoint("filing.sent.after");
    judge(s, t, f);
    if (f->receipt) metric_add(s->registry->receipted, 1);
}

/* ---- the registry as a whole ---- */

static void note_outage(struct sender *s) {
    struct registry *g = s->registry;
    int64_t now = chop_mono_ns(), until = atomic_load(&g->paused_until);
    if (until > now) return; /* another sender has noticed */
    unsigned outages = atomic_fetch_add(&g->outages, 1) + 1;
    int64_t ms = rules_pause(outages, s->relay->conf.retry_base_ms);
    if (ms > PAUSE_MOST_MS) ms = PAUSE_MOST_MS;
    if (outages > 1) atomic_store(&g->paused_until, now + ms * 1000000);
    log_line(LOG_ERROR, "registry does not answer", "registry", g->name, "times", LOG_INT(outages), NULL);
}

static chop_err note_health(struct sender *s) {
    struct registry *g = s->registry;
    if (atomic_exchange(&g->outages, 0) < 2) return NULL; /* one lane's own trouble */
    atomic_store(&g->paused_until, 0);
    log_line(LOG_INFO, "registry is back", "registry", g->name, NULL);
    return DB_DO(s->db, "lanes_hurry", T_(g->name), I_(chop_now_ms()));
}

/* ---- one batch ---- */

static void call_help(struct sender *s) {
    struct relay *r = s->relay;
    (void)pthread_mutex_lock(&r->lock);
    s->registry->calls++;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
}

/* In each lane in order; a lane that fails goes no further, and an outage ends the batch. True when all were tried. */
static bool send_batch(struct sender *s, const struct trust *t, struct batch *b, bool *ret_outage) {
    int64_t until = chop_mono_ns() + WINDOW_NS;
    for (size_t i = 0; i < b->n_filings; i++) {
        struct filing_claim *f = &b->filings[i];
        if (f->lane->blocked) continue;
        file_one(s, t, f);
        f->lane->blocked = !f->receipt;
        *ret_outage = !f->receipt && rules_is_outage(f->answer.outcome);
        if (*ret_outage || chop_mono_ns() > until) return i + 1 == b->n_filings;
    }
    return true;
}

static void adapt(struct sender *s, bool all, size_t lanes) {
    if (all && lanes == s->batch && s->batch < BATCH_MOST) s->batch *= 2;
    if (!all && s->batch > 1) s->batch /= 2;
}

static chop_err run_batch(struct sender *s, bool *ret_worked) {
    struct relay *r = s->relay;
    struct call c;
    struct batch b;
    bool outage = false;
    int64_t lease_ms = 2 * r->conf.timeout_ms + 1000; /* one status call, one sending; then the batch is over its window */
    TRY(app_call_init(r->app, s->mem, s->db, &c));
    TRY(batch_claim(&c, s->registry, s->batch, lease_ms, &b));
    *ret_worked = b.n_lanes > 0;
    if (b.n_lanes == 0) return NULL;
    if (b.n_lanes == s->batch) call_help(s);
    adapt(s, send_batch(s, c.trust, &b, &outage), b.n_lanes);
    c.now = chop_now_ms();
    TRY(batch_settle(&c, r, &b));
    if (s->outbox_runs) app_wake_outbox(r->app);
    if (outage) note_outage(s);
    return outage || b.n_filings == 0 ? NULL : note_health(s);
}

/* ---- the thread ---- */

static int64_t pause_left_ms(const struct sender *s) {
    int64_t left = atomic_load(&s->registry->paused_until) - chop_mono_ns();
    return left > 0 ? left / 1000000 + 1 : 0;
}

/* Waits for a hint or `ms`; a hint that came since the last look counts. During an outage hints do not. */
static bool wait_for_work(struct sender *s, int64_t ms, bool heed_hints) {
    struct relay *r = s->relay;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&r->lock);
    int rc = 0;
    const uint64_t *hints = s->first ? &r->hints : &s->registry->calls;
    while (!r->stopping && rc == 0 && !(heed_hints && *hints != s->hints_seen))
        rc = pthread_cond_timedwait(&r->wake, &r->lock, &until);
    bool hinted = *hints != s->hints_seen;
    s->hints_seen = *hints;
    (void)pthread_mutex_unlock(&r->lock);
    return hinted;
}

static bool stopping(struct sender *s) {
    struct relay *r = s->relay;
    (void)pthread_mutex_lock(&r->lock);
    bool stop = r->stopping;
    s->outbox_runs = r->hints > 0;
    (void)pthread_mutex_unlock(&r->lock);
    return stop;
}

/* A hint comes just before the commit that makes work visible: so look again soon, then ever more seldom. */
static void *send_all(void *arg) {
    struct sender *s = arg;
    int64_t idle_ms = 1;
    while (!stopping(s)) {
        bool worked = false;
        int64_t paused = pause_left_ms(s);
        chop_err e = paused ? NULL : db_ready(s->db);
        if (!e && !paused) e = run_batch(s, &worked);
        if (e) log_error("batch failed", e);
        db_results_free(s->db);
        arena_reset(s->mem);
        if (worked && !e) {
            idle_ms = 1;
            continue;
        }
        idle_ms = 2 * idle_ms < s->relay->conf.poll_ms && !e && s->first ? 2 * idle_ms : s->relay->conf.poll_ms;
        if (wait_for_work(s, paused ? paused : idle_ms, !paused)) idle_ms = 1;
    }
    return NULL;
}

void senders_hint(struct relay *r) {
    (void)pthread_mutex_lock(&r->lock);
    r->hints++;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
}

static chop_err sender_start(struct relay *r, struct sender *s, struct registry *g, bool first) {
    *s = (struct sender){ .relay = r, .registry = g, .batch = 4, .first = first };
    struct httpc_options o = { .allow_private = r->conf.allow_private, .allow_http = r->conf.allow_http,
        .ca_file = r->conf.ca_file[0] ? r->conf.ca_file : NULL, .timeout_ms = (long)r->conf.timeout_ms,
        .max_reply = REPLY_MAX };
    TRY(httpc_new(&o, &s->http));
    s->mem = arena_new(ARENA_MAX);
    if (!s->mem) return CHOP_ERR(EMEMORY);
    TRY(app_db(r->app, &s->db));
    return pthread_create(&s->thread, NULL, send_all, s) == 0 ? NULL : CHOP_ERR(EMEMORY);
}

static void sender_free(struct sender *s) {
    if (s->db) db_close(s->db);
    if (s->mem) arena_free(s->mem);
    httpc_free(s->http);
}

chop_err senders_start(struct relay *r) {
    size_t each = (size_t)r->conf.senders, all = each * r->n_registries;
    r->senders = calloc(all + 1, sizeof *r->senders);
    if (!r->senders) return CHOP_ERR(EMEMORY);
    for (; r->n_senders < all; r->n_senders++) {
        struct sender *s = &r->senders[r->n_senders];
        chop_err e = sender_start(r, s, &r->registries[r->n_senders / each], r->n_senders % each == 0);
        if (!e) continue;
        sender_free(s);
        return e;
    }
    return NULL;
}

void senders_stop(struct relay *r) {
    (void)pthread_mutex_lock(&r->lock);
    r->stopping = true;
    (void)pthread_cond_broadcast(&r->wake);
    (void)pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->n_senders; i++) (void)pthread_join(r->senders[i].thread, NULL);
    for (size_t i = 0; i < r->n_senders; i++) sender_free(&r->senders[i]);
    free(r->senders);
    r->senders = NULL;
    r->n_senders = 0;
}
