/* relay: what filing-relay's files share. */
#pragma once
#include "app.h"
#include "webhook.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>

struct adapter;
struct registry { /* one row of the registries file */
    const char *name, *title, *url, *organization_id;
    const struct adapter *adapter;
    struct webhook_secret secret;
    /* an outage is noticed once for all of its senders */
    _Atomic int64_t paused_until; /* chop_mono_ns; 0: well */
    _Atomic unsigned outages;     /* failures in a row */
    uint64_t calls;               /* under the relay's lock: a sender found more than it takes */
    struct metric *receipted, *failed, *died;
};
struct relay_conf {
    const char *registries, *ca_file;
    bool allow_private, allow_http;
    int64_t senders, timeout_ms, retry_base_ms, poll_ms, orders_ms;
};
struct relay {
    struct relay_conf conf;
    struct app *app;
    struct arena *mem; /* of the registries */
    struct registry *registries;
    size_t n_registries;
    struct sender *senders;
    size_t n_senders;
    struct poller *pollers; /* one a registry that gives orders */
    size_t n_pollers;
    pthread_mutex_t lock; /* guards hints and stopping */
    pthread_cond_t wake;
    uint64_t hints; /* counts events applied: there may be work */
    bool stopping;
};

/* ---- registries.c ---- */
chop_err registries_load(struct relay *r) CHOP_MUSTCHECK;
/* NULL where there is none of this name. */
struct registry *registries_find(const struct relay *r, const char *name);
bool registry_serves(const struct registry *g, const char *organization_id);

/* ---- handlers.c, handlers_fact.c ---- */
extern const struct rpc_method relay_methods[];
chop_err relay_on_fact(struct call *c, const void *message, const Pb__Event *event);

/* ---- sender.c ---- */
chop_err senders_start(struct relay *r) CHOP_MUSTCHECK;
void senders_stop(struct relay *r);
/* After an event was applied (or is about to be committed): look for work soon. */
void senders_hint(struct relay *r);

/* ---- orders.c ---- */
chop_err pollers_start(struct relay *r) CHOP_MUSTCHECK;
/* After senders_stop, which says that the relay stops. */
void pollers_stop(struct relay *r);
