#include "http.h"

#include "conf.h"
#include "log.h"
#include "reply.h"
#include "request.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define ARENA_LIMIT(conf) ((size_t)(conf)->body_bytes * 4 + ((size_t)24 << 20))

struct listener {
    struct gateway *g;
    struct http *http;
    struct MHD_Daemon *daemon;
    bool tls;
    int fd; /* while it stops; else -1 */
    char *key, *certificate;
};

struct peer { /* one connection */
    struct peer *next, **at;
    struct listener *listener;
    struct request request;
    int fd;
    uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d; of IPv6 the /64, which is one customer */
    uint8_t client[16];  /* the same of whom a proxy named, for the present request */
    const char *uri_end;
    _Atomic int64_t until; /* monotonic ns: when the present phase must be over; 0: a call's own deadline rules */
};

struct http {
    struct gateway *g;
    struct listener plain, tls;
    pthread_mutex_t lock; /* the list of connections */
    pthread_cond_t wake;
    struct peer *peers;
    pthread_t clock;
    bool ticking, stopping;
};

static void phase_begin(struct peer *p, int64_t seconds) {
    atomic_store(&p->until, seconds ? chop_mono_ns() + seconds * SECOND : 0);
}

/* ---- callbacks of libmicrohttpd ---- */
static struct peer *peer_of(struct MHD_Connection *conn) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void address_of(const struct sockaddr *sa, uint8_t out[16]) {
    memset(out, 0, 16);
    if (sa && sa->sa_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16);
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
        if (memcmp(out, mapped, 12) != 0) memset(out + 8, 0, 8);
    } else if (sa && sa->sa_family == AF_INET) {
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    }
}

static bool address_parse(const char *text, uint16_t port, struct sockaddr_storage *out) {
    struct sockaddr_in *v4 = (void *)out;
    struct sockaddr_in6 *v6 = (void *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1) return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return true;
}

static struct peer *peer_new(struct listener *l, struct MHD_Connection *conn) {
    struct peer *p = calloc(1, sizeof *p);
    struct arena *mem = p ? arena_new(ARENA_LIMIT(l->g->conf)) : NULL;
    if (!mem) {
        free(p);
        return NULL;
    }
    p->listener = l;
    p->request = (struct request){ .g = l->g, .peer = p, .conn = conn, .mem = mem, .tls = l->tls, .query = "" };
    p->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    address_of(MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr, p->address);
    phase_begin(p, l->g->conf->head_seconds);
    return p;
}

static void peer_link(struct http *h, struct peer *p) {
    pthread_mutex_lock(&h->lock);
    p->next = h->peers;
    p->at = &h->peers;
    if (p->next) p->next->at = &p->next;
    h->peers = p;
    pthread_mutex_unlock(&h->lock);
}

static void peer_free(struct http *h, struct peer *p) {
    pthread_mutex_lock(&h->lock);
    *p->at = p->next;
    if (p->next) p->next->at = p->at;
    pthread_mutex_unlock(&h->lock);
    arena_free(p->request.mem);
    free(p);
}

static void on_connection(
    void *cls, struct MHD_Connection *conn, void **context, enum MHD_ConnectionNotificationCode code) {
    struct listener *l = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct peer *p = peer_new(l, conn);
        if (p) peer_link(l->http, p);
        *context = p;
    } else if (*context) {
        peer_free(l->http, *context);
        *context = NULL;
    }
}

/* Called with the whole target before libmicrohttpd takes it apart; the query is ours to read. */
static void *on_target(void *cls, const char *uri, struct MHD_Connection *conn) {
    (void)cls;
    struct peer *p = peer_of(conn);
    if (!p) return NULL;
    p->uri_end = head_target_end(uri);
    const char *query = strchr(uri, '?');
    p->request.query = query ? arena_str(p->request.mem, query + 1) : "";
    return NULL;
}

static size_t leave_escaped(void *cls, struct MHD_Connection *conn, char *s) {
    (void)cls;
    (void)conn;
    return strlen(s);
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **context, enum MHD_RequestTerminationCode code) {
    (void)cls;
    (void)conn;
    (void)code;
    struct request *r = *context;
    if (!r) return;
    *context = NULL;
    phase_begin(r->peer, r->g->conf->head_seconds);
    request_end(r);
}

static bool is_listed(const char *list, const char *text) {
    size_t n = strlen(text);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == n && memcmp(at, text, n) == 0) return true;
    return false;
}

struct named {
    char text[INET6_ADDRSTRLEN];
};

/* Of several X-Forwarded-For, and of the names in one, the last was added by the nearest proxy; what stands before it
 * may be the client's own invention. */
static enum MHD_Result on_forwarded(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    struct named *n = cls;
    if (strcasecmp(name, "X-Forwarded-For") != 0) return MHD_YES;
    const char *last = value ? strrchr(value, ',') : NULL;
    last = last ? last + 1 : value ? value : "";
    last += strspn(last, " \t");
    (void)snprintf(n->text, sizeof n->text, "%.*s", (int)strcspn(last, " \t"), last);
    char *port = strchr(n->text, ':'); /* some write 1.2.3.4:5678 */
    if (port && !strchr(port + 1, ':')) *port = 0;
    return MHD_YES;
}

/* Behind a proxy of ours the client is whom the proxy names last. */
static struct chop_bytes client_of(struct MHD_Connection *conn, struct peer *p) {
    const char *proxies = p->listener->g->conf->proxies;
    if (!*proxies) return CHOP_BYTES(p->address, 16);
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr *sa = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    if (sa->sa_family == AF_INET)
        inet_ntop(AF_INET, p->address + 12, text, sizeof text);
    else
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, text, sizeof text);
    if (!is_listed(proxies, text)) return CHOP_BYTES(p->address, 16);
    struct named named = { "" };
    struct sockaddr_storage far;
    (void)MHD_get_connection_values(conn, MHD_HEADER_KIND, on_forwarded, &named);
    if (!address_parse(named.text, 0, &far)) return CHOP_BYTES(p->address, 16);
    address_of((const struct sockaddr *)&far, p->client);
    return CHOP_BYTES(p->client, 16);
}

static enum MHD_Result queue(struct request *r) {
    phase_begin(r->peer, r->g->conf->reply_seconds);
    return reply_queue(r);
}

static enum MHD_Result on_head(struct peer *p, struct MHD_Connection *conn, const char *method, const char *url,
    const char *version, void **context) {
    struct request *r = &p->request;
    r->conn = conn;
    *context = r;
    phase_begin(p, r->g->conf->body_seconds);
    request_begin(r, method, url, p->uri_end, version, client_of(conn, p));
    return r->reply.status ? queue(r) : MHD_YES; /* queued this early, it also closes the connection */
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_n, void **context) {
    (void)cls;
    struct peer *p = peer_of(conn);
    if (!p) return MHD_NO;
    struct request *r = &p->request;
    if (!*context) return on_head(p, conn, method, url, version, context);
    if (*upload_n) {
        bool taken = request_take(r, CHOP_BYTES(upload, *upload_n));
        *upload_n = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    phase_begin(p, 0);
    request_step(r);
    return r->waiting ? MHD_YES : queue(r);
}

static void on_log(void *cls, const char *fmt, va_list ap) {
    (void)cls;
    char line[256];
    (void)vsnprintf(line, sizeof line, fmt, ap);
    line[strcspn(line, "\n")] = 0;
    log_line(LOG_DEBUG, "libmicrohttpd", "text", line, NULL);
}

/* ---- the clock ---- */
/* Only ends the socket; libmicrohttpd's own thread then sees that and cleans up. */
static void *clock_run(void *arg) {
    struct http *h = arg;
    pthread_mutex_lock(&h->lock);
    while (!h->stopping) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_nsec += 250000000;
        at.tv_sec += at.tv_nsec / SECOND;
        at.tv_nsec %= SECOND;
        pthread_cond_timedwait(&h->wake, &h->lock, &at);
        int64_t now = chop_mono_ns();
        for (struct peer *p = h->peers; p; p = p->next) {
            int64_t until = atomic_load(&p->until);
            if (until && until < now) shutdown(p->fd, SHUT_RDWR);
        }
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

/* ---- start and stop ---- */
static chop_err listener_start(struct listener *l, const char *address, int64_t port) {
    const struct gateway_conf *c = l->g->conf;
    struct sockaddr_storage sa;
    if (!address_parse(address, (uint16_t)port, &sa)) return CHOP_FAIL(EINVAL, "ADDRESS", "no address: %s", address);
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    if (sa.ss_family == AF_INET6) flags |= MHD_USE_IPv6;
    if (l->tls) flags |= MHD_USE_TLS;
    struct MHD_OptionItem more[] = {
        { MHD_OPTION_HTTPS_MEM_KEY, 0, l->key },
        { MHD_OPTION_HTTPS_MEM_CERT, 0, l->certificate },
        { MHD_OPTION_END, 0, NULL },
    };
    if (!l->tls) more[0].option = MHD_OPTION_END;
    l->daemon = MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, on_request, l, /* */
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,                          /* first, so that it hears of the others */
        MHD_OPTION_SOCK_ADDR, &sa, /* */
        MHD_OPTION_THREAD_POOL_SIZE, (unsigned)(c->threads > 1 ? c->threads : 0),                        /* */
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)c->connections,                                           /* */
        MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)c->connections_per_address,                        /* */
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)c->head_bytes,                                       /* */
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)c->head_seconds,                                        /* */
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_LISTEN_BACKLOG_SIZE, 1024U,                          /* */
        MHD_OPTION_URI_LOG_CALLBACK, on_target, NULL, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL, /* */
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, /* */
        MHD_OPTION_ARRAY, more, MHD_OPTION_END);
    if (!l->daemon) return CHOP_FAIL(EBUSY, "PORT", "cannot listen on %s port %lld", address, (long long)port);
    return NULL;
}

static chop_err listeners_start(struct http *h) {
    const struct gateway_conf *c = h->g->conf;
    if (c->port >= 0) TRY(listener_start(&h->plain, c->address, c->port));
    if (!*c->tls_certificate) return NULL;
    size_t n;
    TRY(conf_read_file(c->tls_certificate, (size_t)1 << 20, &h->tls.certificate, &n));
    TRY(conf_read_file(c->tls_key, (size_t)1 << 20, &h->tls.key, &n));
    return listener_start(&h->tls, c->tls_address, c->tls_port);
}

chop_err http_start(struct gateway *g, struct http **ret_http) {
    struct http *h = calloc(1, sizeof *h);
    if (!h) return CHOP_ERR(EMEMORY);
    h->g = g;
    h->plain = (struct listener){ .g = g, .http = h, .fd = -1 };
    h->tls = (struct listener){ .g = g, .http = h, .tls = true, .fd = -1 };
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->wake, NULL);
    chop_err e = listeners_start(h);
    h->ticking = !e && pthread_create(&h->clock, NULL, clock_run, h) == 0;
    if (!e && !h->ticking) e = CHOP_ERR(EMEMORY);
    if (e)
        (void)http_stop(h);
    else
        *ret_http = h;
    return e;
}

/* No answer may arrive for a connection that is gone: the calls end first, at the latest by their deadlines. */
static bool calls_drain(struct gateway *g) {
    int64_t until = chop_mono_ns() + (g->conf->call_ms + 20000) * 1000000;
    while (atomic_load(&g->calls) > 0 && chop_mono_ns() < until)
        usleep(10000);
    usleep(50000); /* what was resumed last is being written */
    return atomic_load(&g->calls) == 0;
}

static void listener_stop(struct listener *l) {
    if (l->daemon) MHD_stop_daemon(l->daemon);
    chop_close_p(&l->fd);
    if (l->key) explicit_bzero(l->key, strlen(l->key));
    free(l->key);
    free(l->certificate);
}

static void clock_stop(struct http *h) {
    pthread_mutex_lock(&h->lock);
    h->stopping = true;
    pthread_cond_signal(&h->wake);
    pthread_mutex_unlock(&h->lock);
    if (h->ticking) pthread_join(h->clock, NULL);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->wake);
}

bool http_stop(struct http *h) {
    if (!h) return true;
    struct listener *all[] = { &h->plain, &h->tls };
    for (size_t i = 0; i < CHOP_COUNT(all); i++) {
        all[i]->fd = all[i]->daemon ? MHD_quiesce_daemon(all[i]->daemon) : -1;
        /* New clients are turned away now; the number stays ours until the library's threads have let go of it. */
        if (all[i]->fd >= 0) shutdown(all[i]->fd, SHUT_RDWR);
    }
    atomic_store(&h->g->stopping, true);
    if (!calls_drain(h->g)) {
        log_line(LOG_ERROR, "calls without an answer: leaving the connections to the kernel", NULL);
        return false; /* stopping the library now would abort the process */
    }
    for (size_t i = 0; i < CHOP_COUNT(all); i++)
        listener_stop(all[i]);
    clock_stop(h);
    free(h);
    return true;
}

uint16_t http_port(const struct http *h, bool tls) {
    struct MHD_Daemon *d = tls ? h->tls.daemon : h->plain.daemon;
    const union MHD_DaemonInfo *info = d ? MHD_get_daemon_info(d, MHD_DAEMON_INFO_BIND_PORT) : NULL;
    return info ? info->port : 0;
}
