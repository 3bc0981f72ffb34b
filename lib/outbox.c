/* The producer's side: events as rows, and the sequencer that gives them positions and announces them. */
#include "log.h"
#include "metrics.h"
#include "outbox_internal.h"

#include "common.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEQUENCE_BATCH 400
#define READ_BYTES (512 << 10) /* a reply ends with the event that passes this: it must fit into a message */
#define IDLE_MS 1000      /* the poll that makes a lost hint harmless (pitfall 17) */
#define ANNOUNCE_MS 1000

uint32_t outbox_partition(const char *key) {
    uint64_t h = chop_hash_text(key);
    return (uint32_t)((h >> 32 ^ h) % OUTBOX_PARTITIONS);
}

/* Advisory locks belong to the database, which all services share. */
int64_t outbox_lock_key(const char *service, const char *what, int index) {
    char text[128];
    (void)snprintf(text, sizeof text, "%s%s/%d", service, what, index);
    return (int64_t)chop_hash_text(text);
}

chop_err outbox_put(struct call *c, const char *type, const char *key, const void *message) {
    struct chop_bytes payload;
    TRY(pb_pack(message, c->mem, &payload));
    TRY(DB_DO(c->db, "outbox_put", I_(outbox_partition(key)), T_(type), T_(key), B_(payload), I_(c->now),
        T_(c->trace ? c->trace : "")));
    rpc_mark_events();
    return NULL;
}

/* ---- ReadEvents ---- */

static chop_err read_row(struct call *c, const struct db_rows *rows, size_t i, Pb__Event **ret_event) {
    Pb__Event *e = PB_NEW(c->mem, Pb__Event, pb__event);
    if (!e) return CHOP_ERR(EMEMORY);
    e->producer = PB_STR(c->name);
    e->partition = (uint32_t)db_int(rows, i, 0);
    e->position = (uint64_t)db_int(rows, i, 1);
    e->type = PB_STR(db_text(rows, i, 2));
    e->key = PB_STR(db_text(rows, i, 3));
    e->payload = PB_BIN(db_bytes(rows, i, 4));
    e->at = db_int(rows, i, 5);
    e->trace = PB_STR(db_text(rows, i, 6));
    *ret_event = e;
    return NULL;
}

chop_err outbox_read_events(struct call *c, const void *in_, void *out_) {
    const Pb__ReadEventsRequest *in = in_;
    Pb__ReadEventsReply *out = out_;
    struct db_rows *rows;
    TRY(rpc_check_int("partition", in->partition, 0, OUTBOX_PARTITIONS - 1));
    TRY(rpc_check_int("limit", in->limit, 1, OUTBOX_READ_MAX));
    TRY(rpc_check_int("from", (int64_t)in->from, 1, INT64_MAX));
    TRY(DB_ONE(c->db, &rows, "outbox_head_of", I_(in->partition)));
    out->head = (uint64_t)db_int(rows, 0, 0);
    out->epoch = (uint64_t)db_int(rows, 0, 1);
    TRY(DB_QUERY(c->db, &rows, "outbox_read", I_(in->partition), I_(in->from), I_(in->limit),
        I_(READ_BYTES)));
    out->n_events = db_count(rows);
    out->events = ARENA_ARRAY(c->mem, Pb__Event *, out->n_events + 1);
    if (!out->events) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < out->n_events; i++) TRY(read_row(c, rows, i, &out->events[i]));
    return NULL;
}

/* ---- sequencer ---- */

struct sequencing {
    struct outbox *o;
    struct db *db;
    struct arena *mem;
    struct metric *events;
};

static chop_err give_positions(struct sequencing *s, struct db_rows **ret_rows) {
    struct db_rows *lock;
    TRY(db_begin(s->db));
    chop_err e = db_query(s->db, &lock, "outbox_lock", DB_NOARGS); /* its own statement: the next sees all before */
    if (!e) e = DB_QUERY(s->db, ret_rows, "outbox_sequence", I_(SEQUENCE_BATCH));
    if (!e && db_count(*ret_rows)) chop_failpoint("outbox.sequence.before");
    if (!e) e = db_commit(s->db);
    if (e) db_rollback(s->db);
    return e;
}

static chop_err publish_row(struct sequencing *s, const struct db_rows *rows, size_t i) {
    Pb__Event e = PB__EVENT__INIT;
    e.producer = PB_STR(s->o->opt.service);
    e.partition = (uint32_t)db_int(rows, i, 0);
    e.position = (uint64_t)db_int(rows, i, 1);
    e.type = PB_STR(db_text(rows, i, 2));
    e.key = PB_STR(db_text(rows, i, 3));
    e.payload = PB_BIN(db_bytes(rows, i, 4));
    e.at = db_int(rows, i, 5);
    e.trace = PB_STR(db_text(rows, i, 6));
    e.epoch = (uint64_t)db_int(rows, i, 7);
    struct chop_bytes packed;
    char subject[128], id[96];
    TRY(pb_pack(&e, s->mem, &packed));
    (void)snprintf(subject, sizeof subject, "chop.evt.%s", e.type);
    (void)snprintf(id, sizeof id, "%s-%llu-%u-%llu", e.producer, (unsigned long long)e.epoch, e.partition,
        (unsigned long long)e.position);
    return bus_js_publish(s->o->opt.bus, subject, id, packed);
}

static chop_err announce(struct sequencing *s) {
    struct db_rows *rows;
    TRY(db_query(s->db, &rows, "outbox_heads", DB_NOARGS));
    Pb__HeadAnnouncement a = PB__HEAD_ANNOUNCEMENT__INIT;
    uint64_t heads[OUTBOX_PARTITIONS] = { 0 };
    a.producer = PB_STR(s->o->opt.service);
    for (size_t i = 0; i < db_count(rows) && i < OUTBOX_PARTITIONS; i++) {
        heads[i] = (uint64_t)db_int(rows, i, 1);
        a.epoch = (uint64_t)db_int(rows, i, 2);
    }
    a.heads = heads;
    a.n_heads = OUTBOX_PARTITIONS;
    struct chop_bytes packed;
    char subject[96];
    TRY(pb_pack(&a, s->mem, &packed));
    (void)snprintf(subject, sizeof subject, "chop.head.%s", s->o->opt.service);
    return bus_publish(s->o->opt.bus, subject, packed);
}

/* One round: positions for what is committed, then out with it. True when there may be more at once. */
static chop_err sequence(struct sequencing *s, bool *ret_more) {
    struct db_rows *rows;
    TRY(give_positions(s, &rows));
    size_t n = db_count(rows);
    if (n > 0) chop_failpoint("outbox.publish.before");
    for (size_t i = 0; i < n; i++) {
        chop_err e = publish_row(s, rows, i);
        if (e) break; /* consumers find the gap by the head announcement */
    }
    metric_add(s->events, (int64_t)n);
    *ret_more = n == SEQUENCE_BATCH;
    return NULL;
}

static void wait_for_work(struct sequencer *q, int64_t ms) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&q->lock);
    while (!q->woken && !atomic_load(&q->o->stop))
        if (pthread_cond_timedwait(&q->cond, &q->lock, &until) == ETIMEDOUT) break;
    q->woken = false;
    pthread_mutex_unlock(&q->lock);
}

/* Elected by a session lock: it goes when the connection goes, and db_begin reconnects without a word. So it is asked
 * for again before each announcement; positions stay dense meanwhile, because outbox_lock is held while they are given. */
static bool elected(struct sequencing *s) {
    bool held = false;
    chop_err e = db_try_lock(s->db, outbox_lock_key(s->o->opt.service, "/sequencer", 0), &held);
    return !e && held;
}

static void sequencer_run(struct sequencing *s) {
    int64_t announced = 0;
    bool held = false;
    while (!atomic_load(&s->o->stop)) {
        bool more = false;
        chop_err e = db_ready(s->db);
        if (!e && !held) held = elected(s);
        if (!e && held) e = sequence(s, &more);
        if (!e && held && (!more || chop_mono_ns() - announced > ANNOUNCE_MS * 1000000LL) && (held = elected(s))) {
            chop_err told = announce(s);
            if (told) log_error("head not announced", told);
            announced = chop_mono_ns();
        }
        if (e) {
            held = false;
            log_error("sequencer waits", e);
        }
        db_results_free(s->db);
        arena_reset(s->mem);
        if (!more) wait_for_work(&s->o->seq, e ? 200 : IDLE_MS);
    }
}

static void *sequencer_main(void *arg) {
    struct sequencer *q = arg;
    struct sequencing s = { .o = q->o, .mem = arena_new(RPC_CALL_MEMORY) };
    s.events = metric_counter("chop_outbox_events_total", NULL);
    while (s.mem && !s.db && !atomic_load(&q->o->stop)) {
        if (db_open(q->o->opt.conninfo, q->o->opt.store, &s.db)) wait_for_work(q, 500);
    }
    if (s.db) sequencer_run(&s);
    if (s.db) db_close(s.db);
    arena_free(s.mem);
    return NULL;
}

void outbox_wake(struct outbox *o) {
    pthread_mutex_lock(&o->seq.lock);
    o->seq.woken = true;
    pthread_cond_signal(&o->seq.cond);
    pthread_mutex_unlock(&o->seq.lock);
}

chop_err outbox_start(const struct outbox_options *opt, struct outbox **ret_outbox) {
    struct outbox *o = calloc(1, sizeof *o);
    if (!o) return CHOP_ERR(EMEMORY);
    o->opt = *opt;
    o->seq.o = o;
    pthread_mutex_init(&o->seq.lock, NULL);
    pthread_cond_init(&o->seq.cond, NULL);
    *ret_outbox = o;
    chop_err e = bus_js_ensure(opt->bus);
    if (e) log_error("no event stream: positions alone carry events", e);
    if (opt->produces) {
        if (pthread_create(&o->seq.thread, NULL, sequencer_main, &o->seq) != 0) return CHOP_ERR(EMEMORY);
        o->seq.running = true;
    }
    return opt->events ? consumers_start(o) : NULL;
}

void outbox_stop(struct outbox *o) {
    atomic_store(&o->stop, true);
    consumers_stop(o);
    outbox_wake(o);
    if (o->seq.running) pthread_join(o->seq.thread, NULL);
    /* The memory stays: a late message of the bus may still look into it. The process is ending. */
}
