/* rpc_internal: what the dispatcher of calls, the consumers of events and lib/app share. */
#pragma once
#include "rpc.h"

/* ---- principals ---- */
struct principal_cache; /* one a thread */
struct principal_cache *principal_cache_new(void);
void principal_cache_free(struct principal_cache *c);
/* header: Base64 of the packed Signed{principal}. EAUTH where it does not verify or is over. */
chop_err principal_read(struct principal_cache *cache, const struct trust *trust, const char *header, int64_t now,
    struct arena *mem, const Pb__Principal **ret_who) CHOP_MUSTCHECK;

/* ---- the thread's call ---- */
/* Set by outbox_put: the transaction holds events; the dispatcher wakes the sequencer after the commit. */
void rpc_mark_events(void);
bool rpc_take_events_mark(void);

/* ---- server ---- */
struct rpc_server;
struct rpc_server_options {
    const char *service;
    const ProtobufCServiceDescriptor *proto;
    const struct rpc_method *methods;
    struct bus *bus;
    const char *conninfo; /* NULL: no database */
    const struct db_store *store;
    const struct trust *(*trust)(const struct app *app);
    struct app *app;
    void *state;
    int workers, queue;
    void (*committed)(void *ctx); /* after a commit with events */
    void *committed_ctx;
};
chop_err rpc_server_start(const struct rpc_server_options *o, struct rpc_server **ret_server) CHOP_MUSTCHECK;
/* Stops taking calls, finishes those that wait. */
void rpc_server_stop(struct rpc_server *s);
/* The endpoints as ADR-32 lists them in INFO, or with their counts in STATS: JSON objects, in the arena. */
const char *rpc_server_endpoints(struct rpc_server *s, bool stats, struct arena *mem);

#define RPC_CALL_MEMORY ((size_t)24 << 20)
