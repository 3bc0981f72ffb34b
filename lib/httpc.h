/* httpc: the only user of libcurl: bounded outbound HTTP (pitfall 23). One client per thread. */
#pragma once
#include "arena.h"

struct httpc;
struct httpc_options {
    bool allow_private; /* loopback and private ranges, for registries of one's own */
    bool allow_http;    /* plain http; otherwise https only */
    const char *ca_file; /* NULL: the system's */
    long timeout_ms;     /* whole exchange */
    size_t max_reply;    /* bytes */
};
struct httpc_reply {
    long status;
    struct chop_bytes body; /* in the arena */
    long retry_after_s;     /* 0 if none */
};
chop_err httpc_new(const struct httpc_options *o, struct httpc **ret_client) CHOP_MUSTCHECK;
void httpc_free(struct httpc *h);
/* headers: NULL-terminated "Name: value". No redirects (a 3xx is an answer like any other), no proxy. ETIMEOUT when it
 * may have arrived, EUNREACHABLE when it surely did not (no connection), EDENIED for a forbidden address, ELIMIT for a
 * reply above max_reply. method GET, POST, PUT, PATCH, DELETE, OPTIONS. A request is never sent twice by itself, and its
 * address is judged after the name is resolved. */
chop_err httpc_send(struct httpc *h, const char *method, const char *url, const char *const *headers,
    struct chop_bytes body, struct arena *mem, struct httpc_reply *ret_reply) CHOP_MUSTCHECK;
