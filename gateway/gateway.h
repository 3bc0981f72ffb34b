/* gateway: what its files share: configuration and the one object that holds everything. */
#pragma once
#include "bus.h"
#include "conf.h"

#include <stdatomic.h>

struct gateway_conf {
    const char *address, *web, *proxies;
    const char *tls_address, *tls_certificate, *tls_key;
    int64_t port, tls_port, threads;
    int64_t connections, connections_per_address;
    int64_t head_bytes, body_bytes, body_memory;
    int64_t head_seconds, body_seconds, reply_seconds;
    int64_t call_ms, session_seconds, sessions;
    int64_t address_rate, address_burst, session_rate, session_burst;
    bool cookie_secure;
};
extern const struct conf_row gateway_conf_rows[];

struct http;
struct routes;
struct session_cache;
struct static_files;
struct limit;

struct gateway {
    const struct gateway_conf *conf;
    struct bus *bus; /* may be NULL: then every call answers EBUS */
    struct routes *routes;
    struct session_cache *sessions;
    struct static_files *files;
    struct limit *by_address, *by_session;
    struct http *http;
    _Atomic int64_t body_memory; /* bytes of bodies being held */
    _Atomic int64_t calls;       /* connections that wait for an answer */
    _Atomic bool stopping;       /* no connection may begin to wait any more */
};

/* Loads the web files, compiles the routes and listens. On failure nothing is left behind. */
chop_err gateway_start(struct gateway *g, const struct gateway_conf *conf, struct bus *bus) CHOP_MUSTCHECK;
void gateway_stop(struct gateway *g);
