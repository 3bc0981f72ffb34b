#include "request.h"

#include "limit.h"
#include "log.h"
#include "metrics.h"
#include "reply.h"
#include "serve.h"
#include "trace.h"

#include <string.h>

#define BODY_UNCHARGED ((size_t)16 << 10) /* fits the arena's first chunk */

static chop_err admit(struct request *r, struct chop_bytes client) {
    int64_t cost = r->match.ready && r->match.ready->row->cost ? r->match.ready->row->cost : 1, wait = 1;
    if (limit_take(r->g->by_address, client, cost, r->began_ns, &wait)) return NULL;
    return serve_throttled(r, wait);
}

/* Bodies are held in memory: all of them together are bounded, too. */
static chop_err body_charge(struct request *r, size_t n) {
    if (n <= BODY_UNCHARGED) return NULL;
    int64_t size = (int64_t)n, held = atomic_fetch_add(&r->g->body_memory, size) + size;
    r->body_charged = size;
    if (held > r->g->conf->body_memory) return CHOP_FAIL(EBUSY, NULL, "too many large bodies are being received");
    return NULL;
}

static chop_err body_prepare(struct request *r) {
    size_t n = r->head.content_length;
    if (n > (size_t)r->g->conf->body_bytes)
        return CHOP_FAIL(ELIMIT, NULL, "the body is longer than %lld bytes", (long long)r->g->conf->body_bytes);
    if (n == 0) return NULL;
    bool takes = strcmp(r->method, "POST") == 0 || strcmp(r->method, "PUT") == 0 || strcmp(r->method, "PATCH") == 0;
    if (!takes) return CHOP_FAIL(EINVAL, NULL, "%s takes no body", r->method);
    TRY(body_charge(r, n));
    r->body = arena_alloc(r->mem, n);
    return r->body ? NULL : CHOP_ERR(EMEMORY);
}

static chop_err begin(struct request *r, const char *uri_end, const char *version, struct chop_bytes client) {
    TRY(head_read(r->conn, r->method, r->path, uri_end, version, &r->head));
    trace_begin(r->head.value[HEAD_TRACEPARENT], r->traceparent, r->trace);
    r->match_err = routes_match(r->g->routes, r->method, r->path, &r->match);
    TRY(admit(r, client));
    return body_prepare(r);
}

void request_begin(struct request *r, const char *method, const char *url, const char *uri_end, const char *version,
    struct chop_bytes client) {
    r->open = true;
    r->method = method;
    r->path = url;
    r->began_ns = chop_mono_ns();
    r->next = serve_request;
    trace_begin(NULL, r->traceparent, r->trace);
    chop_err e = begin(r, uri_end, version, client);
    if (!e) return;
    reply_problem(r, e, chop_detail_field(), chop_detail_text());
    r->reply.close = true; /* its body, if any, was not read */
}

bool request_take(struct request *r, struct chop_bytes piece) {
    if (!r->body || piece.n > r->head.content_length - r->body_n) return false;
    memcpy(r->body + r->body_n, piece.p, piece.n);
    r->body_n += piece.n;
    return true;
}

void request_step(struct request *r) {
    r->waiting = false;
    while (r->reply.status == 0 && !r->waiting)
        r->next(r);
}

/* On a bus thread: keep it short. The thread of the listener goes on as soon as the connection is resumed, so nothing
 * of the request may be touched after that. */
static void on_answer(void *ctx, chop_err err, struct chop_bytes reply) {
    struct request *r = ctx;
    struct gateway *g = r->g;
    r->err = err;
    if (err) {
        r->err_field = arena_str(r->mem, chop_detail_field());
        r->err_detail = arena_str(r->mem, chop_detail_text());
    } else {
        r->answer = arena_copy(r->mem, reply);
        if (r->answer.n != reply.n) r->err = CHOP_ERR(EMEMORY);
    }
    MHD_resume_connection(r->conn);
    atomic_fetch_sub(&g->calls, 1);
}

void request_call(struct request *r, const char *subject, const char *principal, struct chop_bytes message,
    void (*next)(struct request *r)) {
    struct bus_headers h = { .trace = r->traceparent, .deadline = r->deadline, .principal = principal };
    r->next = next;
    r->err = NULL;
    r->err_field = r->err_detail = "";
    /* Counted first, then looked: http_stop looks the other way round, so one of the two sees the other. */
    atomic_fetch_add(&r->g->calls, 1);
    bool stopping = atomic_load(&r->g->stopping);
    if (!r->g->bus || stopping) {
        atomic_fetch_sub(&r->g->calls, 1);
        r->err = stopping ? CHOP_ERR(EBUSY) : CHOP_ERR(EBUS);
        r->reply.close = stopping;
        return;
    }
    r->waiting = true;
    chop_detail_clear();
    MHD_suspend_connection(r->conn); /* before the answer can come */
    bus_call_async(r->g->bus, subject, &h, message, on_answer, r);
}

static void request_log(const struct request *r) {
    const struct route_ready *ready = r->match.ready;
    int64_t ns = chop_mono_ns() - r->began_ns;
    if (ready) metric_observe_ns(ready->latency, ns);
    if (r->reply.status < 400 && (!ready || ready->row->flags & ROUTE_QUIET)) return;
    log_line(r->reply.status < 500 ? LOG_INFO : LOG_WARN, "request", "route", ready ? ready->row->path : "", "method",
        ready ? ready->row->method : "", "status", LOG_INT(r->reply.status), "code", r->error_code ? r->error_code : "",
        "ms", LOG_INT(ns / 1000000), "trace", r->trace, NULL);
}

void request_end(struct request *r) {
    if (r->open) request_log(r);
    if (r->body_charged) atomic_fetch_sub(&r->g->body_memory, r->body_charged);
    struct request fresh = { .g = r->g, .peer = r->peer, .conn = r->conn, .mem = r->mem, .tls = r->tls, .query = "" };
    arena_reset(r->mem);
    *r = fresh;
}
