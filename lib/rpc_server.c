/* One subscription feeds a bounded queue; workers pop it, each with its own connection and arena (house, habit 8). */
#include "log.h"
#include "metrics.h"
#include "rpc_internal.h"

#include "common.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_MAX 64
#define BATCH_GROWN 32 /* waiting calls that are worth a second batch at the same time */
#define SERIAL_TRIES 4

struct method_state {
    const struct rpc_method *row;
    const ProtobufCMethodDescriptor *proto;
    struct metric *latency, *errors;
    _Atomic uint64_t requests, failures, total_ns;
};

struct rpc_server {
    struct rpc_server_options o;
    struct method_state *methods;
    size_t n_methods;
    struct bus_sub *sub;
    struct bus_msg **ring;
    size_t head, count;
    int batching; /* workers inside of a batch */
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool stopping;
    pthread_t *threads;
    int n_threads;
    struct metric *queued, *busy;
    char started[32];
    size_t subject_prefix; /* length of "chop.<service>.v1." */
};

struct worker {
    struct rpc_server *s;
    struct arena *mem;
    struct db *db;
    struct principal_cache *principals;
};

/* ---- queue ---- */

static struct method_state *method_of(struct rpc_server *s, const struct bus_msg *m) {
    const char *name = bus_msg_subject(m) + s->subject_prefix;
    for (size_t i = 0; i < s->n_methods; i++)
        if (strcmp(s->methods[i].row->name, name) == 0) return &s->methods[i];
    return NULL;
}

/* Whether a worker should begin with the first call. While one batch is at work, calls of such methods gather for the
 * next: together they cost the store and the bus a fraction of what they cost one by one. */
static bool worth_taking(struct rpc_server *s) {
    if (s->count == 0) return false;
    if (s->batching == 0 || s->count >= BATCH_GROWN || s->stopping) return true;
    const struct method_state *m = method_of(s, s->ring[s->head]);
    return !m || !m->row->batch;
}

static void on_call(void *ctx, struct bus_msg *m) {
    struct rpc_server *s = ctx;
    pthread_mutex_lock(&s->lock);
    bool room = s->count < (size_t)s->o.queue;
    if (room) {
        s->ring[(s->head + s->count++) % (size_t)s->o.queue] = m;
        if (worth_taking(s)) pthread_cond_signal(&s->cond);
    }
    pthread_mutex_unlock(&s->lock);
    if (room) return;
    metric_add(s->busy, 1);
    bus_reply_error(s->o.bus, m, CHOP_ERR(EBUSY), "", "the service has too many waiting calls");
    bus_msg_free(m);
}

/* Takes the next message, and those behind it of the same method where it has a batch handler. 0 at the end. */
static size_t pop(struct rpc_server *s, struct bus_msg *out[BATCH_MAX], struct method_state **ret_method, bool *ret_more) {
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    while (!worth_taking(s) && !(s->stopping && s->count == 0)) pthread_cond_wait(&s->cond, &s->lock);
    while (s->count > 0 && n < BATCH_MAX) {
        struct bus_msg *m = s->ring[s->head];
        struct method_state *method = method_of(s, m);
        if (n > 0 && (method != *ret_method || !method || !method->row->batch)) break;
        *ret_method = method;
        out[n++] = m;
        s->head = (s->head + 1) % (size_t)s->o.queue;
        s->count--;
    }
    if (n > 0 && *ret_method && (*ret_method)->row->batch) s->batching++;
    if (worth_taking(s)) pthread_cond_signal(&s->cond);
    *ret_more = s->count > 0 || n > 4;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static void batch_done(struct rpc_server *s) {
    pthread_mutex_lock(&s->lock);
    s->batching--;
    pthread_mutex_unlock(&s->lock); /* who was in the batch pops next: nobody else need be woken */
}

/* ---- one call ---- */

static void call_init(struct worker *w, struct call *c) {
    struct rpc_server *s = w->s;
    *c = (struct call){ .mem = w->mem, .db = w->db, .trust = s->o.trust(s->o.app), .service = s->o.state,
        .now = chop_now_ms(), .name = s->o.service, .app = s->o.app, .bus = s->o.bus };
    c->deadline = c->now + 5000;
}

static chop_err read_headers(struct worker *w, struct call *c, const struct bus_msg *m, unsigned flags) {
    const char *deadline = bus_msg_header(m, "Chop-Deadline"), *trace = bus_msg_header(m, "traceparent");
    if (deadline) c->deadline = strtoll(deadline, NULL, 10);
    c->trace = trace ? trace : "";
    if (c->deadline < c->now) return CHOP_FAIL(ETIMEOUT, NULL, "the call's deadline has passed");
    const char *principal = bus_msg_header(m, "Chop-Principal");
    if (principal) {
        TRY(principal_read(w->principals, c->trust, principal, c->now, c->mem, &c->who));
        c->principal = principal;
    }
    if (!principal && !(flags & (RPC_PUBLIC | RPC_INTERNAL))) return CHOP_FAIL(EAUTH, NULL, "sign in first");
    return NULL;
}

static chop_err run_once(struct call *c, const struct method_state *m, const void *in, void *out) {
    if (!c->db || m->row->flags & RPC_READ) return m->row->fn(c, in, out);
    TRY(db_begin(c->db));
    chop_err e = m->row->fn(c, in, out);
    chop_failpoint("rpc.commit.before");
    if (!e) e = db_commit(c->db);
    if (e) db_rollback(c->db);
    else chop_failpoint("rpc.commit.after");
    return e;
}

static chop_err run_handler(struct call *c, const struct method_state *m, const void *in, void **ret_out) {
    chop_err e = NULL;
    for (int i = 0; i < SERIAL_TRIES; i++) {
        *ret_out = pb_new(m->proto->output, c->mem);
        if (!*ret_out) return CHOP_ERR(EMEMORY);
        (void)rpc_take_events_mark();
        e = run_once(c, m, in, *ret_out);
        if (e != CHOP_ERR(ESERIAL)) break;
    }
    return e;
}

static void account(struct method_state *m, chop_err e, int64_t ns) {
    atomic_fetch_add_explicit(&m->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->total_ns, (uint64_t)ns, memory_order_relaxed);
    metric_observe_ns(m->latency, ns);
    if (!e) return;
    atomic_fetch_add_explicit(&m->failures, 1, memory_order_relaxed);
    metric_add(m->errors, 1);
}

static void log_call(const struct call *c, const struct method_state *m, chop_err e, int64_t ns) {
    if (!e && m->row->flags & RPC_QUIET) return;
    char took[32];
    (void)snprintf(took, sizeof took, "%.2f", (double)ns / 1e6);
    log_line(e && e->http >= 500 ? LOG_WARN : LOG_INFO, m->row->name, "result", e ? e->name : "ok", "ms", took, "member",
        c->who ? c->who->member_id : "", "field", e ? chop_detail_field() : "", "detail", e ? chop_detail_text() : "",
        "trace", c->trace ? c->trace : "", NULL);
}

static void answer(struct rpc_server *s, struct call *c, struct bus_msg *msg, chop_err e, const void *out, bool more) {
    struct chop_bytes reply;
    if (!e) e = pb_pack(out, c->mem, &reply);
    if (e)
        bus_reply_error(s->o.bus, msg, e, chop_detail_field(), chop_detail_text());
    else
        bus_reply(s->o.bus, msg, reply, more);
}

static void serve_one(struct worker *w, struct method_state *m, struct bus_msg *msg, bool more) {
    struct call c;
    void *in = NULL, *out = NULL;
    int64_t start = chop_mono_ns();
    call_init(w, &c);
    chop_detail_clear();
    chop_err e = read_headers(w, &c, msg, m->row->flags);
    if (!e) e = pb_unpack(m->proto->input, bus_msg_data(msg), c.mem, &in);
    if (!e) e = run_handler(&c, m, in, &out);
    if (e && !*chop_detail_text()) e = chop_fail(e, NULL, "%s", e->text);
    int64_t took = chop_mono_ns() - start;
    if (rpc_take_events_mark() && !e && w->s->o.committed) w->s->o.committed(w->s->o.committed_ctx);
    log_call(&c, m, e, took);
    answer(w->s, &c, msg, e, out, more);
    account(m, e, took);
}

static void serve_batch(struct worker *w, struct method_state *m, struct bus_msg **msgs, size_t n, bool more) {
    struct call c;
    void *in[BATCH_MAX], *out[BATCH_MAX];
    chop_err errs[BATCH_MAX] = { NULL };
    struct bus_msg *live[BATCH_MAX];
    size_t n_live = 0;
    int64_t start = chop_mono_ns();
    call_init(w, &c);
    for (size_t i = 0; i < n; i++) {
        chop_detail_clear();
        chop_err e = read_headers(w, &c, msgs[i], m->row->flags);
        if (!e) e = pb_unpack(m->proto->input, bus_msg_data(msgs[i]), c.mem, &in[n_live]);
        out[n_live] = pb_new(m->proto->output, c.mem);
        if (!e && !out[n_live]) e = CHOP_ERR(EMEMORY);
        if (e)
            answer(w->s, &c, msgs[i], e, NULL, true);
        else
            live[n_live++] = msgs[i];
    }
    chop_detail_clear();
    if (n_live) m->row->batch(&c, n_live, (const void *const *)in, out, errs);
    int64_t took = (chop_mono_ns() - start) / (int64_t)n;
    for (size_t i = 0; i < n_live; i++) {
        answer(w->s, &c, live[i], errs[i], out[i], more || i + 1 < n_live);
        account(m, errs[i], took);
        if (errs[i]) log_call(&c, m, errs[i], took);
    }
}

/* ---- workers ---- */

static void serve(struct worker *w, struct method_state *m, struct bus_msg **msgs, size_t n, bool more) {
    if (!m)
        bus_reply_error(w->s->o.bus, msgs[0], CHOP_ERR(ENOTFOUND), "", "no such method");
    else if (m->row->batch)
        serve_batch(w, m, msgs, n, more);
    else
        serve_one(w, m, msgs[0], more);
    if (m && m->row->batch) batch_done(w->s);
    for (size_t i = 0; i < n; i++) bus_msg_free(msgs[i]);
    if (w->db) db_results_free(w->db);
    arena_reset(w->mem);
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    struct bus_msg *msgs[BATCH_MAX];
    struct method_state *m = NULL;
    bool more;
    for (size_t n; (n = pop(w->s, msgs, &m, &more)) > 0;) serve(w, m, msgs, n, more);
    if (w->db) db_close(w->db);
    arena_free(w->mem);
    principal_cache_free(w->principals);
    free(w);
    return NULL;
}

static chop_err worker_start(struct rpc_server *s) {
    struct worker *w = calloc(1, sizeof *w);
    if (!w) return CHOP_ERR(EMEMORY);
    w->s = s;
    w->mem = arena_new(RPC_CALL_MEMORY);
    w->principals = principal_cache_new();
    if (!w->mem || !w->principals) return CHOP_ERR(EMEMORY);
    if (s->o.conninfo) TRY(db_open(s->o.conninfo, s->o.store, &w->db));
    if (pthread_create(&s->threads[s->n_threads], NULL, worker_main, w) != 0) return CHOP_ERR(EMEMORY);
    s->n_threads++;
    return NULL;
}

/* ---- start and stop ---- */

static chop_err bind_methods(struct rpc_server *s) {
    for (const struct rpc_method *r = s->o.methods; r->name; r++) s->n_methods++;
    s->methods = calloc(s->n_methods + 1, sizeof *s->methods);
    if (!s->methods) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < s->n_methods; i++) {
        struct method_state *m = &s->methods[i];
        char label[96];
        m->row = &s->o.methods[i];
        m->proto = protobuf_c_service_descriptor_get_method_by_name(s->o.proto, m->row->name);
        if (!m->proto) return CHOP_FAIL(EINTERNAL, NULL, "the proto has no method %s", m->row->name);
        (void)snprintf(label, sizeof label, "service=\"%s\",method=\"%s\"", s->o.service, m->row->name);
        m->latency = metric_latency("chop_rpc_call_ms", label);
        m->errors = metric_counter("chop_rpc_errors_total", label);
    }
    return NULL;
}

chop_err rpc_server_start(const struct rpc_server_options *o, struct rpc_server **ret_server) {
    struct rpc_server *s = calloc(1, sizeof *s);
    if (!s) return CHOP_ERR(EMEMORY);
    s->o = *o;
    s->ring = calloc((size_t)o->queue, sizeof *s->ring);
    s->threads = calloc((size_t)o->workers, sizeof *s->threads);
    if (!s->ring || !s->threads) return CHOP_ERR(EMEMORY);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->cond, NULL);
    s->busy = metric_counter("chop_rpc_busy_total", NULL);
    (void)snprintf(s->started, sizeof s->started, "%lld", (long long)chop_now_ms());
    TRY(bind_methods(s));
    for (int i = 0; i < o->workers; i++) TRY(worker_start(s));
    char subject[96];
    (void)snprintf(subject, sizeof subject, "chop.%s.v1.*", o->service);
    s->subject_prefix = strlen(subject) - 1;
    TRY(bus_subscribe(o->bus, subject, o->service, on_call, s, &s->sub));
    *ret_server = s;
    return NULL;
}

void rpc_server_stop(struct rpc_server *s) {
    bus_unsubscribe(s->sub);
    bus_flush(s->o.bus);
    pthread_mutex_lock(&s->lock);
    s->stopping = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < s->n_threads; i++) pthread_join(s->threads[i], NULL);
    bus_flush(s->o.bus);
    /* The server's memory stays: a late message of the library may still look into it. The process is ending. */
}

/* ---- ADR-32 ---- */

static char *describe_endpoint(struct rpc_server *s, const struct method_state *m, bool stats, struct arena *mem) {
    uint64_t n = atomic_load(&m->requests), ns = atomic_load(&m->total_ns);
    char *head = arena_printf(mem, "{\"name\":\"%s\",\"subject\":\"chop.%s.v1.%s\",\"queue_group\":\"%s\"", m->row->name,
        s->o.service, m->row->name, s->o.service);
    if (!stats) return arena_printf(mem, "%s,\"metadata\":{}}", head);
    return arena_printf(mem,
        "%s,\"num_requests\":%llu,\"num_errors\":%llu,\"last_error\":\"\",\"processing_time\":%llu,"
        "\"average_processing_time\":%llu}",
        head, (unsigned long long)n, (unsigned long long)atomic_load(&m->failures), (unsigned long long)ns,
        (unsigned long long)(n ? ns / n : 0));
}

const char *rpc_server_endpoints(struct rpc_server *s, bool stats, struct arena *mem) {
    char *list = arena_str(mem, "");
    for (size_t i = 0; i < s->n_methods; i++)
        list = arena_printf(mem, "%s%s%s", list, i ? "," : "", describe_endpoint(s, &s->methods[i], stats, mem));
    return list;
}
