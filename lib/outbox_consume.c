/* The consumer's side: apply position + 1 only, together with the effect; ask ReadEvents for what is missing. */
#include "log.h"
#include "metrics.h"
#include "outbox_internal.h"

#include "common.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAX 4096
#define BATCH_MAX 64
#define TICK_MS 250
#define FETCH_MAX 200
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS 10000
#define FAST_PATH_LOST_NS 3000000000LL

/* What one thread knows of one (producer, partition). */
struct lane {
    uint64_t next;      /* position to apply next; 0: not read from the inbox yet */
    int64_t paused_ns;  /* mono; until then a failed event is left alone */
    int64_t pause_ms;
};

struct consumer {
    struct outbox *o;
    int index;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct bus_msg *queue[QUEUE_MAX];
    size_t head, count;
    bool woken;
    struct db *db;
    struct arena *mem;       /* of the batch */
    struct arena *call_mem;  /* of one handler */
    struct arena *fetch_mem; /* of one ReadEvents */
    bool held;
    struct lane lanes[PRODUCERS_MAX][OUTBOX_PARTITIONS];
    struct metric *applied, *failed, *fetched;
};

/* ---- arrivals ---- */

static int producer_index(const struct outbox *o, const char *name) {
    for (size_t i = 0; i < o->n_producers; i++)
        if (strcmp(o->producers[i].name, name) == 0) return (int)i;
    return -1;
}

/* The bus lets a service publish under its own name only (its user's subjects): an event that says another producer's
 * name would take the place of a true one. */
static bool event_of(const Pb__Event *e, const char *producer) {
    size_t n = strlen(producer);
    return strcmp(e->producer, producer) == 0 && strncmp(e->type, producer, n) == 0 && e->type[n] == '.';
}

static bool said_by(const struct bus_msg *m, const char *prefix, const char *rest) {
    size_t n = strlen(prefix);
    const char *subject = bus_msg_subject(m);
    return strncmp(subject, prefix, n) == 0 && strcmp(subject + n, rest) == 0;
}

/* The partition stands in the packed event as field 2; only the thread that owns it unpacks the whole. */
static bool event_partition(struct chop_bytes b, uint32_t *ret_partition) {
    *ret_partition = 0; /* proto3 leaves a zero out */
    size_t i = 0;
    if (b.n >= 2 && b.p[0] == 0x0a) i = 2 + (size_t)b.p[1];
    if (i + 1 < b.n && b.p[i] == 0x10) *ret_partition = b.p[i + 1];
    return *ret_partition < OUTBOX_PARTITIONS;
}

static void on_event(void *ctx, struct bus_msg *m) {
    struct outbox *o = ctx;
    uint32_t partition;
    bool queued = false;
    if (event_partition(bus_msg_data(m), &partition)) {
        struct consumer *c = &o->consumers[partition % (uint32_t)o->n_consumers];
        pthread_mutex_lock(&c->lock);
        queued = c->count < QUEUE_MAX;
        if (queued) c->queue[(c->head + c->count++) % QUEUE_MAX] = m;
        pthread_cond_signal(&c->cond);
        pthread_mutex_unlock(&c->lock);
    }
    if (!queued) bus_msg_free(m); /* the head announcement will tell */
}

static void note_progress(struct producer *p) {
    bool behind = false;
    for (int i = 0; i < OUTBOX_PARTITIONS; i++) behind |= atomic_load(&p->head[i]) > atomic_load(&p->applied[i]);
    if (!behind)
        atomic_store(&p->behind_since, 0);
    else if (atomic_load(&p->behind_since) == 0)
        atomic_store(&p->behind_since, chop_mono_ns());
}

static void wake(struct consumer *c) {
    pthread_mutex_lock(&c->lock);
    c->woken = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->lock);
}

static void on_heads(void *ctx, struct bus_msg *m) {
    struct outbox *o = ctx;
    struct arena *mem = arena_new((size_t)64 << 10);
    Pb__HeadAnnouncement *a;
    int index = -1;
    if (mem && !PB_UNPACK(pb__head_announcement, bus_msg_data(m), mem, &a)) index = producer_index(o, a->producer);
    if (index >= 0 && said_by(m, "chop.head.", a->producer)) {
        struct producer *p = &o->producers[index];
        for (size_t i = 0; i < a->n_heads && i < OUTBOX_PARTITIONS; i++) atomic_store(&p->head[i], a->heads[i]);
        atomic_store(&p->heard_at, chop_mono_ns());
        note_progress(p);
        for (int i = 0; i < o->n_consumers; i++) wake(&o->consumers[i]);
    }
    arena_free(mem);
    bus_msg_free(m);
}

bool outbox_behind(const struct outbox *o, const char *producer, int64_t ms) {
    int i = producer_index(o, producer);
    if (i < 0) return true;
    int64_t now = chop_mono_ns(), since = atomic_load(&o->producers[i].behind_since);
    if (now - atomic_load(&o->producers[i].heard_at) > ms * 1000000 + 1500000000) return true;
    return since != 0 && now - since > ms * 1000000;
}

/* ---- applying ---- */

static const struct event_row *row_of(const struct outbox *o, const char *type) {
    for (const struct event_row *r = o->opt.events; r->type; r++)
        if (strcmp(r->type, type) == 0) return r;
    return NULL;
}

static chop_err handle(struct consumer *c, const Pb__Event *e) {
    const struct event_row *row = row_of(c->o, e->type);
    if (!row) return NULL;
    const struct outbox_options *opt = &c->o->opt;
    arena_reset(c->call_mem); /* each event has its own: what a batch needs together must not stop its lane for ever */
    struct call call = { .mem = c->call_mem, .db = c->db, .trust = opt->trust(opt->app), .service = opt->state,
        .now = chop_now_ms(), .trace = e->trace, .name = opt->service, .app = opt->app, .bus = opt->bus };
    call.deadline = call.now + 5000;
    void *message;
    TRY(pb_unpack(row->desc, PB_BYTES(e->payload), c->call_mem, &message));
    return row->fn(&call, message, e);
}

static chop_err move(struct consumer *c, const char *producer, uint32_t partition, uint64_t from, uint64_t to) {
    int64_t moved;
    TRY(DB_DO_COUNT(c->db, &moved, "inbox_move", T_(producer), I_(partition), I_(from), I_(to)));
    return moved == 1 ? NULL : CHOP_FAIL(ESERIAL, NULL, "another instance applies these events");
}

/* All of them in one transaction; they are the next ones of their lanes, in order. */
static chop_err apply_in_transaction(struct consumer *c, Pb__Event **events, size_t n) {
    for (size_t i = 0; i < n; i++) TRY(handle(c, events[i]));
    for (size_t i = 0; i < n; i++) { /* each lane moves once: from before its first to its last */
        uint64_t from = events[i]->position - 1, to = events[i]->position;
        bool first = true;
        for (size_t k = 0; k < n; k++) {
            bool same = events[k]->partition == events[i]->partition &&
                strcmp(events[k]->producer, events[i]->producer) == 0;
            if (same && k < i) first = false;
            if (same && k > i) to = events[k]->position;
        }
        if (first) TRY(move(c, events[i]->producer, events[i]->partition, from, to));
    }
    return NULL;
}

static chop_err apply(struct consumer *c, Pb__Event **events, size_t n) {
    TRY(db_begin(c->db));
    (void)rpc_take_events_mark();
    chop_err e = apply_in_transaction(c, events, n);
    chop_failpoint("inbox.commit.before");
    if (!e) e = db_commit(c->db);
    if (e) db_rollback(c->db);
    if (rpc_take_events_mark() && !e && c->o->opt.produces) outbox_wake(c->o);
    return e;
}

static void applied(struct consumer *c, const Pb__Event *e) {
    int p = producer_index(c->o, e->producer);
    struct lane *l = &c->lanes[p][e->partition];
    l->next = e->position + 1;
    l->pause_ms = 0;
    atomic_store(&c->o->producers[p].applied[e->partition], e->position);
    metric_add(c->applied, 1);
}

static void failed(struct consumer *c, const Pb__Event *e, chop_err err) {
    struct lane *l = &c->lanes[producer_index(c->o, e->producer)][e->partition];
    l->pause_ms = l->pause_ms == 0 ? PAUSE_FIRST_MS : l->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : l->pause_ms * 2;
    l->paused_ns = chop_mono_ns() + l->pause_ms * 1000000;
    l->next = 0; /* read the inbox again: an unknown commit may have gone through */
    metric_add(c->failed, 1);
    log_line(LOG_ERROR, "event not applied", "type", e->type, "producer", e->producer, "partition",
        LOG_INT(e->partition), "position", LOG_INT(e->position), "code", err->name, "detail", chop_detail_text(), NULL);
}

/* Together if it works, else one by one so that a bad event stops only its own lane. */
static void apply_all(struct consumer *c, Pb__Event **events, size_t n) {
    if (n == 0) return;
    chop_err e = n > 1 ? apply(c, events, n) : NULL;
    bool together = n > 1 && !e;
    for (size_t i = 0; i < n; i++) {
        struct lane *l = &c->lanes[producer_index(c->o, events[i]->producer)][events[i]->partition];
        if (!together && l->next != events[i]->position) continue;
        e = together ? NULL : apply(c, &events[i], 1);
        if (e) failed(c, events[i], e);
        else applied(c, events[i]);
    }
}

/* ---- lanes ---- */

static chop_err lane_read(struct consumer *c, int producer, uint32_t partition) {
    struct lane *l = &c->lanes[producer][partition];
    if (l->next) return NULL;
    struct db_rows *rows;
    TRY(DB_ONE(c->db, &rows, "inbox_of", T_(c->o->producers[producer].name), I_(partition)));
    l->next = (uint64_t)db_int(rows, 0, 0) + 1;
    atomic_store(&c->o->producers[producer].applied[partition], l->next - 1);
    return NULL;
}

static bool lane_ready(struct consumer *c, int producer, uint32_t partition) {
    struct lane *l = &c->lanes[producer][partition];
    return (l->pause_ms == 0 || chop_mono_ns() >= l->paused_ns) && !lane_read(c, producer, partition);
}

static size_t take_batch(struct consumer *c, struct bus_msg **msgs) {
    size_t n = 0;
    pthread_mutex_lock(&c->lock);
    while (c->count > 0 && n < BATCH_MAX) {
        msgs[n++] = c->queue[c->head];
        c->head = (c->head + 1) % QUEUE_MAX;
        c->count--;
    }
    pthread_mutex_unlock(&c->lock);
    return n;
}

/* From what arrived, those that are next in their lanes; the rest are repeats, or show a gap that heads will fill. */
static void consume_arrivals(struct consumer *c) {
    struct bus_msg *msgs[BATCH_MAX];
    Pb__Event *events[BATCH_MAX], *e;
    size_t n = take_batch(c, msgs), use = 0;
    uint64_t next[PRODUCERS_MAX][OUTBOX_PARTITIONS] = { 0 };
    for (size_t i = 0; i < n; i++) {
        if (PB_UNPACK(pb__event, bus_msg_data(msgs[i]), c->mem, &e)) continue;
        int p = producer_index(c->o, e->producer);
        if (!event_of(e, e->producer) || !said_by(msgs[i], "chop.evt.", e->type)) continue;
        if (p < 0 || e->partition >= OUTBOX_PARTITIONS || !lane_ready(c, p, e->partition)) continue;
        atomic_store(&c->o->producers[p].delivered_at, chop_mono_ns());
        uint64_t *want = &next[p][e->partition];
        if (*want == 0) *want = c->lanes[p][e->partition].next;
        if (e->position > atomic_load(&c->o->producers[p].head[e->partition]))
            atomic_store(&c->o->producers[p].head[e->partition], e->position);
        if (e->position != *want) continue;
        (*want)++;
        events[use++] = e;
    }
    apply_all(c, events, use);
    for (size_t i = 0; i < n; i++) bus_msg_free(msgs[i]);
    for (size_t i = 0; i < c->o->n_producers; i++) note_progress(&c->o->producers[i]);
}

/* ---- catching up ---- */

static chop_err read_events(struct consumer *c, const char *producer, uint32_t partition, uint64_t from,
    Pb__ReadEventsReply **ret_reply) {
    Pb__ReadEventsRequest request = PB__READ_EVENTS_REQUEST__INIT;
    request.partition = partition;
    request.from = from;
    request.limit = FETCH_MAX;
    struct chop_bytes packed, reply;
    char subject[96];
    (void)snprintf(subject, sizeof subject, "chop.%s.v1.ReadEvents", producer);
    TRY(pb_pack(&request, c->fetch_mem, &packed));
    TRY(bus_call(c->o->opt.bus, subject, &(struct bus_headers){ .deadline = chop_now_ms() + 5000 }, packed, c->fetch_mem,
        &reply));
    return PB_UNPACK(pb__read_events_reply, reply, c->fetch_mem, ret_reply);
}

static bool event_fits(const Pb__Event *e, const char *producer, uint32_t partition, uint64_t position) {
    return event_of(e, producer) && e->partition == partition && e->position == position;
}

/* One ReadEvents and its effect; true when there is more to fetch. */
static bool catch_up_once(struct consumer *c, int producer, uint32_t partition) {
    Pb__ReadEventsReply *reply;
    struct lane *l = &c->lanes[producer][partition];
    arena_reset(c->fetch_mem);
    chop_err e = read_events(c, c->o->producers[producer].name, partition, l->next, &reply);
    if (e) {
        log_line(LOG_WARN, "events not read", "producer", c->o->producers[producer].name, "code", e->name, NULL);
        return false;
    }
    metric_add(c->fetched, (int64_t)reply->n_events);
    for (size_t i = 0; i < reply->n_events; i += BATCH_MAX) {
        size_t n = reply->n_events - i < BATCH_MAX ? reply->n_events - i : BATCH_MAX;
        uint64_t before = l->next;
        for (size_t k = 0; k < n; k++)
            if (!event_fits(reply->events[i + k], c->o->producers[producer].name, partition, before + k)) return false;
        apply_all(c, reply->events + i, n);
        db_results_free(c->db);
        arena_reset(c->mem);
        if (l->next != before + n) return false;
    }
    return reply->n_events > 0 && l->next <= reply->head;
}

static void catch_up(struct consumer *c) {
    for (int p = 0; p < (int)c->o->n_producers; p++) {
        for (uint32_t k = (uint32_t)c->index; k < OUTBOX_PARTITIONS; k += (uint32_t)c->o->n_consumers) {
            if (!lane_ready(c, p, k)) continue;
            if (atomic_load(&c->o->producers[p].head[k]) < c->lanes[p][k].next) continue;
            while (!atomic_load(&c->o->stop) && catch_up_once(c, p, k)) {}
        }
        note_progress(&c->o->producers[p]);
    }
}

/* The fast path is gone (store wiped, consumer lost) when heads move and nothing arrives: subscribe anew. */
static void renew_fast_path(struct outbox *o) {
    for (size_t i = 0; i < o->n_producers; i++) {
        struct producer *p = &o->producers[i];
        int64_t now = chop_mono_ns(), since = atomic_load(&p->behind_since);
        bool lost = since != 0 && now - since > 200000000 && now - atomic_load(&p->delivered_at) > FAST_PATH_LOST_NS;
        if (p->events_sub && !lost) continue;
        char subject[96];
        (void)snprintf(subject, sizeof subject, "chop.evt.%s.>", p->name);
        if (bus_js_ensure(o->opt.bus)) continue;
        bus_unsubscribe(p->events_sub);
        p->events_sub = NULL;
        atomic_store(&p->delivered_at, now);
        if (bus_js_subscribe(o->opt.bus, subject, on_event, o, &p->events_sub)) p->events_sub = NULL;
    }
}

/* ---- threads ---- */

static void wait_for_work(struct consumer *c) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += TICK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&c->lock);
    while (c->count == 0 && !c->woken && !atomic_load(&c->o->stop))
        if (pthread_cond_timedwait(&c->cond, &c->lock, &until) == ETIMEDOUT) break;
    c->woken = false;
    pthread_mutex_unlock(&c->lock);
}

static bool arrivals_wait(struct consumer *c) {
    pthread_mutex_lock(&c->lock);
    bool some = c->count > 0;
    pthread_mutex_unlock(&c->lock);
    return some;
}

static void drop_arrivals(struct consumer *c) {
    struct bus_msg *msgs[BATCH_MAX];
    for (size_t n; (n = take_batch(c, msgs)) > 0;)
        for (size_t i = 0; i < n; i++) bus_msg_free(msgs[i]);
}

/* Another instance applies this thread's events; how far it is stands in the inbox, and outbox_behind must know. */
static void look_on(struct consumer *c) {
    for (size_t p = 0; p < c->o->n_producers; p++) {
        struct producer *producer = &c->o->producers[p];
        struct db_rows *rows;
        if (DB_QUERY(c->db, &rows, "inbox_list", T_(producer->name))) return;
        for (size_t i = 0; i < db_count(rows); i++) {
            int64_t k = db_int(rows, i, 0);
            if (k % c->o->n_consumers == c->index) atomic_store(&producer->applied[k], (uint64_t)db_int(rows, i, 1));
        }
        note_progress(producer);
    }
    db_results_free(c->db);
}

static bool elected(struct consumer *c) {
    if (db_ready(c->db)) return c->held = false;
    if (c->held) return true;
    bool held = false;
    int64_t key = outbox_lock_key(c->o->opt.service, "/consumer", c->index);
    if (db_try_lock(c->db, key, &held)) held = false;
    if (held) memset(c->lanes, 0, sizeof c->lanes);
    return c->held = held;
}

/* A lost connection took the lock with it. */
static void check_connection(struct consumer *c) {
    bool held = false;
    int64_t key = outbox_lock_key(c->o->opt.service, "/consumer", c->index);
    if (c->held && (db_try_lock(c->db, key, &held) || !held)) c->held = false;
}

static void *consumer_main(void *arg) {
    struct consumer *c = arg;
    int64_t checked = chop_mono_ns(), caught_up = 0;
    while (!atomic_load(&c->o->stop)) {
        wait_for_work(c);
        if (!c->db && db_open(c->o->opt.conninfo, c->o->opt.store, &c->db)) continue;
        if (!elected(c)) {
            drop_arrivals(c);
            look_on(c);
            continue;
        }
        consume_arrivals(c);
        db_results_free(c->db);
        arena_reset(c->mem);
        if (!arrivals_wait(c) || chop_mono_ns() - caught_up > TICK_MS * 1000000LL) { /* a busy lane starves no other */
            catch_up(c);
            caught_up = chop_mono_ns();
        }
        if (c->index == 0) renew_fast_path(c->o);
        if (chop_mono_ns() - checked > 2000000000) {
            check_connection(c);
            checked = chop_mono_ns();
        }
    }
    if (c->db) db_close(c->db);
    return NULL;
}

/* ---- start and stop ---- */

static chop_err add_producer(struct outbox *o, const char *type) {
    char name[32];
    (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(type, "."), type);
    if (producer_index(o, name) >= 0) return NULL;
    if (o->n_producers == PRODUCERS_MAX) return CHOP_FAIL(EINTERNAL, NULL, "too many producers");
    (void)snprintf(o->producers[o->n_producers++].name, sizeof name, "%s", name);
    return NULL;
}

static chop_err prepare_inbox(struct outbox *o) {
    struct db *db;
    TRY(db_open(o->opt.conninfo, o->opt.store, &db));
    chop_err e = NULL;
    for (size_t i = 0; i < o->n_producers && !e; i++) e = DB_DO(db, "inbox_add", T_(o->producers[i].name));
    db_close(db);
    return e;
}

static chop_err consumer_start(struct outbox *o, int index) {
    struct consumer *c = &o->consumers[index];
    c->o = o;
    c->index = index;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->cond, NULL);
    c->mem = arena_new(RPC_CALL_MEMORY);
    c->call_mem = arena_new(RPC_CALL_MEMORY);
    c->fetch_mem = arena_new(RPC_CALL_MEMORY);
    c->applied = metric_counter("chop_inbox_applied_total", NULL);
    c->failed = metric_counter("chop_inbox_failed_total", NULL);
    c->fetched = metric_counter("chop_inbox_fetched_total", NULL);
    if (!c->mem || !c->call_mem || !c->fetch_mem || pthread_create(&c->thread, NULL, consumer_main, c) != 0) return CHOP_ERR(EMEMORY);
    return NULL;
}

chop_err consumers_start(struct outbox *o) {
    for (const struct event_row *r = o->opt.events; r->type; r++) TRY(add_producer(o, r->type));
    if (o->n_producers == 0) return NULL;
    TRY(prepare_inbox(o));
    o->consumers = calloc((size_t)o->opt.consumers, sizeof *o->consumers);
    if (!o->consumers) return CHOP_ERR(EMEMORY);
    int wanted = o->opt.consumers;
    o->n_consumers = wanted; /* all threads must see the final number */
    for (int i = 0; i < wanted; i++) TRY(consumer_start(o, i));
    for (size_t i = 0; i < o->n_producers; i++) {
        char subject[96];
        (void)snprintf(subject, sizeof subject, "chop.head.%s", o->producers[i].name);
        TRY(bus_subscribe(o->opt.bus, subject, NULL, on_heads, o, &o->producers[i].heads_sub));
    }
    return NULL;
}

void consumers_stop(struct outbox *o) {
    for (int i = 0; i < o->n_consumers; i++) wake(&o->consumers[i]);
    for (int i = 0; i < o->n_consumers; i++) pthread_join(o->consumers[i].thread, NULL);
    for (size_t i = 0; i < o->n_producers; i++) { /* after the threads: the first of them renews these */
        bus_unsubscribe(o->producers[i].heads_sub);
        bus_unsubscribe(o->producers[i].events_sub);
    }
}
