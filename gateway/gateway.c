#include "gateway.h"

#include "conf.h"
#include "http.h"
#include "limit.h"
#include "log.h"
#include "routes.h"
#include "session.h"
#include "static.h"

#include <stddef.h>
#include <string.h>
#include <sys/resource.h>

#define ROW(key, type, field, fallback, min, max, doc)                                                                 \
    { key, type, offsetof(struct gateway_conf, field), fallback, min, max, 0, doc }

const struct conf_row gateway_conf_rows[] = {
    ROW("ADDRESS", CONF_STR, address, "127.0.0.1", 0, 64, "numeric address to listen on"),
    ROW("PORT", CONF_INT, port, "8080", -1, 65535, "port for HTTP; 0: any free one; -1: none"),
    ROW("TLS_ADDRESS", CONF_STR, tls_address, "0.0.0.0", 0, 64, "numeric address to listen on for HTTPS"),
    ROW("TLS_PORT", CONF_INT, tls_port, "8443", 0, 65535, "port for HTTPS; 0: any free one"),
    ROW("TLS_CERTIFICATE", CONF_STR, tls_certificate, "", 0, 4096, "PEM chain; empty: no HTTPS"),
    ROW("TLS_KEY", CONF_STR, tls_key, "", 0, 4096, "PEM key of the certificate"),
    ROW("THREADS", CONF_INT, threads, "2", 1, 64, "threads of each listener"),
    ROW("WEB", CONF_STR, web, "", 0, 4096, "directory of the web files; empty: none"),
    ROW("PROXIES", CONF_STR, proxies, "", 0, 1024,
        "numeric addresses, comma between them, whose X-Forwarded-For names the client"),
    ROW("CONNECTIONS", CONF_INT, connections, "2048", 8, 1000000, "open connections in all"),
    ROW("CONNECTIONS_PER_ADDRESS", CONF_INT, connections_per_address, "256", 0, 1000000,
        "open connections of one address; 0: no limit (behind a proxy)"),
    ROW("HEAD_BYTES", CONF_INT, head_bytes, "16384", 2048, 262144, "memory for a request's head"),
    ROW("BODY_BYTES", CONF_INT, body_bytes, "2097152", 1024, 4194304, "longest body"),
    ROW("BODY_MEMORY", CONF_INT, body_memory, "134217728", 1048576, (int64_t)1 << 40, "bytes of all bodies being held"),
    ROW("HEAD_SECONDS", CONF_INT, head_seconds, "20", 1, 3600, "time for a head, and how long a connection may idle"),
    ROW("BODY_SECONDS", CONF_INT, body_seconds, "30", 1, 3600, "time for a body"),
    ROW("REPLY_SECONDS", CONF_INT, reply_seconds, "60", 1, 3600, "time for the client to take its reply"),
    ROW("CALL_MS", CONF_INT, call_ms, "5000", 100, 60000, "deadline of a call"),
    ROW("SESSIONS", CONF_INT, sessions, "16384", 8, 10000000, "sessions that are remembered"),
    ROW("SESSION_SECONDS", CONF_INT, session_seconds, "30", 0, 30,
        "for how long they are: a sign-out elsewhere counts then"),
    ROW("ADDRESS_RATE", CONF_INT, address_rate, "100", 0, 1000000, "requests a second of one address; 0: no limit"),
    ROW("ADDRESS_BURST", CONF_INT, address_burst, "400", 1, 10000000, "how many may come at once"),
    ROW("SESSION_RATE", CONF_INT, session_rate, "50", 0, 1000000, "requests a second of one session; 0: no limit"),
    ROW("SESSION_BURST", CONF_INT, session_burst, "200", 1, 10000000, "how many may come at once"),
    ROW("COOKIE_SECURE", CONF_BOOL, cookie_secure, "false", 0, 0,
        "the cookie only over HTTPS, also where a proxy ends it"),
    CONF_END,
};

/* The usual soft limit of 1024 files is below what is configured. */
static void files_raise(int64_t connections) {
    struct rlimit now;
    rlim_t want = (rlim_t)connections * 2 + 256; /* both listeners, and the rest */
    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= want) return;
    now.rlim_cur = now.rlim_max < want ? now.rlim_max : want;
    if (setrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur < want)
        log_line(LOG_WARN, "fewer files may be open than connections are configured", NULL);
}

static chop_err parts_new(struct gateway *g) {
    const struct gateway_conf *c = g->conf;
    files_raise(c->connections);
    TRY(routes_new(route_table, route_count, &g->routes));
    TRY(static_load(c->web, &g->files));
    g->sessions = session_cache_new((size_t)c->sessions);
    g->by_address = limit_new(c->address_rate, c->address_burst);
    g->by_session = limit_new(c->session_rate, c->session_burst);
    if (!g->sessions || !g->by_address || !g->by_session) return CHOP_ERR(EMEMORY);
    return http_start(g, &g->http);
}

chop_err gateway_start(struct gateway *g, const struct gateway_conf *conf, struct bus *bus) {
    *g = (struct gateway){ .conf = conf, .bus = bus };
    chop_err e = parts_new(g);
    if (e) gateway_stop(g);
    return e;
}

void gateway_stop(struct gateway *g) {
    if (!http_stop(g->http)) return;
    limit_free(g->by_session);
    limit_free(g->by_address);
    session_cache_free(g->sessions);
    static_free(g->files);
    routes_free(g->routes);
    *g = (struct gateway){ 0 };
}
