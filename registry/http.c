#include "http.h"

#include "log.h"
#include "pbjson.h"
#include "reads.h"

#include "filing.pb-c.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BODY_MAX (64 * 1024)
#define ARENA_MAX ((size_t)2 << 20)
#define CONNECTIONS 512
#define IDLE_S 120
#define HELD_MAX 256

struct http {
    struct http_options o;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* guards reader and held */
    struct request *held[HELD_MAX];
    size_t n_held;
};

struct request {
    struct http *http;
    struct MHD_Connection *conn;
    struct arena *mem;
    char body[BODY_MAX];
    size_t n_body;
    bool too_large;
    bool judged; /* the filing has its outcome */
    struct filing filing;
};

/* ---- answering ---- */

static enum MHD_Result answer(struct request *r, struct reads_answer a) {
    /* The body is copied: the arena goes when the request is completed, which may be before it is sent. */
    struct MHD_Response *m =
        MHD_create_response_from_buffer(a.body.n, (void *)(uintptr_t)a.body.p, MHD_RESPMEM_MUST_COPY);
    if (!m) return MHD_NO;
    (void)MHD_add_response_header(m, "Content-Type", a.type);
    (void)MHD_add_response_header(m, "Cache-Control", "no-store");
    (void)MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    enum MHD_Result ok = MHD_queue_response(r->conn, (unsigned)a.status, m);
    MHD_destroy_response(m);
    return ok;
}

static enum MHD_Result refuse(struct request *r, int status, const char *code, const char *detail) {
    return answer(r, reads_refusal(r->mem, status, code, detail, 0));
}

static const char *header(struct request *r, const char *name) {
    return MHD_lookup_connection_value(r->conn, MHD_HEADER_KIND, name);
}

static const char *query(struct request *r, const char *name) {
    return MHD_lookup_connection_value(r->conn, MHD_GET_ARGUMENT_KIND, name);
}

static struct accept_headers signature_headers(struct request *r) {
    return (struct accept_headers){ header(r, "webhook-id"), header(r, "webhook-timestamp"),
        header(r, "webhook-signature") };
}

/* ---- POST /v1/filings: verified here, stored by the writer, answered after its commit ---- */

/* On the writer's thread, or where a held request is let go. */
static void filing_done(void *ctx) {
    struct request *r = ctx;
    r->judged = true;
    MHD_resume_connection(r->conn);
}

static enum MHD_Result hold(struct request *r) {
    struct http *h = r->http;
    (void)pthread_mutex_lock(&h->lock);
    bool room = h->n_held < HELD_MAX;
    if (room) {
        MHD_suspend_connection(r->conn);
        h->held[h->n_held++] = r;
    }
    (void)pthread_mutex_unlock(&h->lock);
    return room ? MHD_YES : MHD_NO;
}

static void release_held(struct http *h) {
    (void)pthread_mutex_lock(&h->lock);
    for (size_t i = 0; i < h->n_held; i++) filing_done(h->held[i]);
    h->n_held = 0;
    (void)pthread_mutex_unlock(&h->lock);
}

static enum MHD_Result answer_filing(struct request *r) {
    struct filing *f = &r->filing;
    if (f->mode == SWITCH_LOSE_ANSWER || f->mode == SWITCH_TIMEOUT) return MHD_NO; /* closes without a word */
    if (f->status == 200) return answer(r, reads_receipt(r->mem, f->receipt));
    log_line(LOG_INFO, "filing refused", "code", f->code, "detail", f->detail, NULL);
    return answer(r, reads_refusal(r->mem, f->status, f->code, f->detail, f->expected));
}

static enum MHD_Result post_filing(struct request *r) {
    struct filing *f = &r->filing;
    if (r->judged) return answer_filing(r);
    f->mem = r->mem;
    f->done = filing_done;
    f->ctx = r;
    struct accept_headers headers = signature_headers(r);
    if (!accept_filing(&r->http->o.accept, &headers, CHOP_BYTES(r->body, r->n_body), f)) return answer_filing(r);
    f->mode = switches_take(r->http->o.switches);
    if (f->mode == SWITCH_ERROR500) return refuse(r, 500, "unavailable", "switched to fail");
    if (f->mode == SWITCH_REFUSE) return refuse(r, 422, "bad_fact", "switched to refuse");
    if (f->mode == SWITCH_TIMEOUT) return hold(r);
    MHD_suspend_connection(r->conn); /* before the push: the writer may be faster than this thread */
    writer_push(r->http->o.writer, f);
    return MHD_YES;
}

/* ---- the other calls ---- */

static bool signed_by_relay(struct request *r) {
    struct accept_headers s = signature_headers(r);
    return !webhook_verify(r->http->o.accept.secret, s.id, s.timestamp, s.signature, CHOP_BYTES(NULL, 0),
        chop_now_ms() / 1000);
}

static bool may_read(struct request *r) {
    return !r->http->o.options->signed_reads || signed_by_relay(r);
}

static enum MHD_Result get_status(struct request *r, const char *key) {
    if (!may_read(r)) return refuse(r, 401, "bad_signature", "the webhook signature does not verify");
    (void)pthread_mutex_lock(&r->http->lock);
    struct reads_answer a = reads_status(r->http->o.reader, key, r->mem);
    (void)pthread_mutex_unlock(&r->http->lock);
    return answer(r, a);
}

static enum MHD_Result get_list(struct request *r) {
    if (!may_read(r)) return refuse(r, 401, "bad_signature", "the webhook signature does not verify");
    (void)pthread_mutex_lock(&r->http->lock);
    struct reads_answer a = reads_list(r->http->o.reader, query(r, "seal"), query(r, "after"), query(r, "limit"), r->mem);
    (void)pthread_mutex_unlock(&r->http->lock);
    return answer(r, a);
}

static enum MHD_Result get_page(struct request *r) {
    const struct options *o = r->http->o.options;
    (void)pthread_mutex_lock(&r->http->lock);
    struct reads_answer a = page_latest(r->http->o.reader, o->name, o->title, r->mem);
    (void)pthread_mutex_unlock(&r->http->lock);
    return answer(r, a);
}

static enum MHD_Result put_switch(struct request *r) {
    Pb__RegistrySwitch *s;
    struct chop_bytes body = CHOP_BYTES(r->body, r->n_body);
    if (!r->http->o.switches) return refuse(r, 404, "not_found", "not started with --test-switches");
    if (pbjson_read(&pb__registry_switch__descriptor, body, &PBJSON_LIMITS, r->mem, &s) ||
        switches_set(r->http->o.switches, s->mode, s->count))
        return refuse(r, 400, "bad_request", "wanted: {\"mode\": \"ok\", \"count\": 0}");
    release_held(r->http);
    log_line(LOG_WARN, "switched", "mode", s->mode, "count", LOG_INT(s->count), NULL);
    return answer(r, (struct reads_answer){ 200, "application/json", chop_str("{}") });
}

/* ---- orders ---- */

static enum MHD_Result get_orders(struct request *r) {
    if (!signed_by_relay(r)) return refuse(r, 401, "bad_signature", "the webhook signature does not verify");
    (void)pthread_mutex_lock(&r->http->lock);
    struct reads_answer a = orders_list(r->http->o.reader, query(r, "after"), query(r, "limit"), r->mem);
    (void)pthread_mutex_unlock(&r->http->lock);
    return answer(r, a);
}

static enum MHD_Result put_order(struct request *r) {
    struct http *h = r->http;
    const struct orders *o = &h->o.orders;
    if (!o->token && !h->o.switches) return refuse(r, 404, "not_found", "not started with --operator-token-file");
    if (!orders_may_enter(o, header(r, "authorization"))) return refuse(r, 401, "bad_token", "not the operator's token");
    (void)pthread_mutex_lock(&h->lock);
    struct reads_answer a = orders_enter(o, h->o.reader, CHOP_BYTES(r->body, r->n_body), r->mem);
    (void)pthread_mutex_unlock(&h->lock);
    return answer(r, a);
}

static enum MHD_Result route(struct request *r, const char *method, const char *path) {
    static const char filings[] = "/v1/filings";
    bool get = strcmp(method, "GET") == 0;
    if (r->too_large) return refuse(r, 413, "too_large", "a body has at most 64 KiB");
    if (get && strcmp(path, "/") == 0) return get_page(r);
    if (get && strcmp(path, filings) == 0) return get_list(r);
    if (get && strncmp(path, "/v1/filings/", 12) == 0) return get_status(r, path + 12);
    if (get && strcmp(path, "/v1/orders") == 0) return get_orders(r);
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/v1/orders") == 0) return put_order(r);
    if (strcmp(method, "POST") == 0 && strcmp(path, filings) == 0) return post_filing(r);
    if (strcmp(method, "PUT") == 0 && strcmp(path, "/v1/switch") == 0) return put_switch(r);
    return refuse(r, 404, "not_found", "no such path or method");
}

/* ---- libmicrohttpd ---- */

struct counted {
    int host, length, encoding;
};

static enum MHD_Result count_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value) {
    struct counted *c = ctx;
    (void)kind, (void)value;
    c->host += strcasecmp(name, "host") == 0;
    c->length += strcasecmp(name, "content-length") == 0;
    c->encoding += strcasecmp(name, "transfer-encoding") == 0;
    return MHD_YES;
}

/* What a proxy in front might have read differently (pitfall 21). */
static bool ambiguous(struct MHD_Connection *conn) {
    struct counted c = { 0 };
    (void)MHD_get_connection_values(conn, MHD_HEADER_KIND, count_header, &c);
    return c.host > 1 || c.length + c.encoding > 1;
}

static struct request *request_new(struct http *h, struct MHD_Connection *conn) {
    struct request *r = malloc(sizeof *r);
    if (!r) return NULL;
    *r = (struct request){ .http = h, .conn = conn };
    r->mem = arena_new(ARENA_MAX);
    if (r->mem) return r;
    free(r);
    return NULL;
}

static void take_body(struct request *r, const char *data, size_t n) {
    if (n > sizeof r->body - r->n_body) {
        r->too_large = true;
        return;
    }
    memcpy(r->body + r->n_body, data, n);
    r->n_body += n;
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **req) {
    (void)version;
    struct request *r = *req;
    if (!r) {
        *req = request_new(cls, conn); /* answered on the second call, which keeps the connection (pitfall 20) */
        return *req && !ambiguous(conn) ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        take_body(r, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return route(r, method, url);
}

static void completed(void *cls, struct MHD_Connection *conn, void **req, enum MHD_RequestTerminationCode code) {
    (void)cls, (void)conn, (void)code;
    struct request *r = *req;
    if (!r) return;
    arena_free(r->mem);
    free(r);
    *req = NULL;
}

static struct MHD_Daemon *start_daemon(struct http *h, const struct addrinfo *a) {
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (a->ai_family == AF_INET6) flags |= MHD_USE_IPv6;
    return MHD_start_daemon(flags, 0, NULL, NULL, handle, h, MHD_OPTION_SOCK_ADDR, a->ai_addr,
        MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
        MHD_OPTION_END);
}

chop_err http_start(const struct http_options *o, struct http **ret_http) {
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM }, *a;
    char port[8];
    (void)snprintf(port, sizeof port, "%u", o->options->port);
    if (getaddrinfo(o->options->host, port, &hints, &a) != 0)
        return CHOP_FAIL(EINVAL, NULL, "--listen: %s is no numeric address", o->options->host);
    struct http *h = calloc(1, sizeof *h);
    if (h) {
        h->o = *o;
        (void)pthread_mutex_init(&h->lock, NULL);
        h->daemon = start_daemon(h, a);
    }
    freeaddrinfo(a);
    if (!h || !h->daemon) {
        free(h);
        return CHOP_FAIL(EUNREACHABLE, NULL, "%s:%s cannot be listened on", o->options->host, port);
    }
    *ret_http = h;
    return NULL;
}

uint16_t http_port(const struct http *h) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info ? info->port : 0;
}

void http_quiesce(struct http *h) {
    int fd = MHD_quiesce_daemon(h->daemon);
    chop_close_p(&fd);
    release_held(h);
}

void http_stop(struct http *h) {
    if (!h) return;
    release_held(h);
    MHD_stop_daemon(h->daemon);
    (void)pthread_mutex_destroy(&h->lock);
    free(h);
}
