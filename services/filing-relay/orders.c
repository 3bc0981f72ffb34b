/* Registries' orders: fetched in sequence and passed on unopened. One thread a registry, so that one that hangs does
 * not keep another's order waiting; of all replicas' threads for a registry one is elected. */
#include "adapter.h"
#include "metrics.h"
#include "outbox.h"
#include "rules.h"

#include "relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ARENA_MAX ((size_t)8 << 20)
#define REPLY_MAX (512 * 1024)
#define PAUSE_MOST_MS 30000
#define ORDER_MAX 4096 /* a packed Signed{registry-order} */

struct poller {
    struct relay *relay;
    struct registry *registry;
    pthread_t thread;
    struct db *db;
    struct arena *mem;
    struct httpc *http;
    bool held; /* elected */
    unsigned failures;
    struct metric *orders;
};

/* ---- taking over ---- */

/* What is no Signed at all is passed over, loudly: nobody could do more with it, and the orders behind it matter. */
static chop_err pass_on(struct call *c, struct poller *p, const Pb__HeldOrder *o) {
    Pb__OrderReceived e = PB__ORDER_RECEIVED__INIT;
    if (o->order.len > ORDER_MAX || PB_UNPACK(pb__signed, PB_BYTES(o->order), c->mem, &e.order)) {
        log_line(
            LOG_ERROR, "order is malformed", "registry", p->registry->name, "sequence", LOG_INT(o->sequence), NULL);
        return NULL;
    }
    e.registry = PB_STR(p->registry->name);
    metric_add(p->orders, 1);
    return outbox_put(c, "filing-relay.order.received", p->registry->name, &e);
}

static chop_err move(struct call *c, const struct poller *p, uint64_t from, uint64_t to) {
    int64_t moved;
    TRY(DB_DO_COUNT(c->db, &moved, "order_place_move", T_(p->registry->name), I_(from), I_(to)));
    return moved == 1 ? NULL : CHOP_FAIL(ESERIAL, NULL, "another instance takes these orders over");
}

static chop_err take(struct call *c, struct poller *p, const Pb__HeldOrders *page, uint64_t place) {
    uint64_t last = place;
    for (size_t i = 0; i < page->n_orders; i++) {
        const Pb__HeldOrder *o = page->orders[i];
        if (o->sequence <= last || o->sequence > INT64_MAX)
            return CHOP_FAIL(EPEER, "sequence", "its orders are out of sequence");
        /* To hold the later ones back would leave a seal in use that one of them suspends. */
        if (o->sequence != last + 1)
            log_line(LOG_ERROR, "orders are missing", "registry", p->registry->name, "after", LOG_INT(last), NULL);
        TRY(pass_on(c, p, o));
        last = o->sequence;
    }
    return move(c, p, place, last);
}

/* Position and events are one transaction. */
static chop_err commit(struct call *c, struct poller *p, const Pb__HeldOrders *page, uint64_t place, bool set_back) {
    TRY(db_begin(c->db));
    chop_err e = set_back ? move(c, p, place, 0) : take(c, p, page, place);
    if (!e) chop_failpoint("filing.order.before");
    if (!e) e = db_commit(c->db);
    if (e) db_rollback(c->db);
    return e;
}

static chop_err poll_once(struct poller *p, bool *ret_more) {
    struct call c;
    struct db_rows *rows;
    Pb__HeldOrders *page;
    TRY(app_call_init(p->relay->app, p->mem, p->db, &c));
    TRY(DB_QUERY(p->db, &rows, "order_place", T_(p->registry->name)));
    uint64_t place = db_count(rows) ? (uint64_t)db_int(rows, 0, 0) : 0;
    TRY(p->registry->adapter->orders(p->http, p->registry, place, p->mem, &page));
    /* An older copy of it numbers its orders anew: take all, authorization applies each once. */
    bool set_back = page->last > 0 && page->last < place;
    if (set_back)
        log_line(LOG_ERROR, "registry lost orders", "registry", p->registry->name, "last", LOG_INT(page->last), NULL);
    *ret_more = set_back || page->n_orders > 0;
    return *ret_more ? commit(&c, p, page, place, set_back) : NULL;
}

/* ---- the thread ---- */

static chop_err elect(struct poller *p) {
    uint8_t digest[32];
    int64_t key;
    crypto_sha256(chop_str(arena_printf(p->mem, "filing-relay/orders/%s", p->registry->name)), digest);
    memcpy(&key, digest, sizeof key);
    return db_try_lock(p->db, key, &p->held);
}

/* True until the relay stops. */
static bool rest(struct poller *p, int64_t ms) {
    struct relay *r = p->relay;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    (void)pthread_mutex_lock(&r->lock);
    while (!r->stopping && pthread_cond_timedwait(&r->wake, &r->lock, &until) != ETIMEDOUT) {
    }
    bool on = !r->stopping;
    (void)pthread_mutex_unlock(&r->lock);
    return on;
}

/* A registry without orders answers so for ever: that is said now and then. */
static int64_t note(struct poller *p, chop_err e) {
    if (!e) {
        p->failures = 0;
        return p->relay->conf.orders_ms;
    }
    p->held = false;
    if (p->failures++ % 20 == 0)
        log_line(LOG_ERROR, "orders not fetched", "registry", p->registry->name, "code", e->name, "detail",
            chop_detail_text(), NULL);
    int64_t ms = p->relay->conf.orders_ms + rules_pause(p->failures, p->relay->conf.retry_base_ms);
    return ms > PAUSE_MOST_MS ? PAUSE_MOST_MS : ms;
}

static void *poll_all(void *arg) {
    struct poller *p = arg;
    int64_t ms = 0;
    while (rest(p, ms)) {
        bool more = false;
        chop_err e = db_ready(p->db);
        if (!e && !p->held) e = elect(p);
        if (!e && p->held) e = poll_once(p, &more);
        ms = note(p, e);
        if (more && !e) ms = 0;
        db_results_free(p->db);
        arena_reset(p->mem);
    }
    return NULL;
}

static chop_err poller_start(struct relay *r, struct poller *p, struct registry *g) {
    *p = (struct poller){ .relay = r, .registry = g };
    struct httpc_options o = { .allow_private = r->conf.allow_private,
        .allow_http = r->conf.allow_http,
        .ca_file = r->conf.ca_file[0] ? r->conf.ca_file : NULL,
        .timeout_ms = (long)r->conf.timeout_ms,
        .max_reply = REPLY_MAX };
    p->orders = metric_counter("chop_filing_relay_orders_total", arena_printf(r->mem, "registry=\"%s\"", g->name));
    TRY(httpc_new(&o, &p->http));
    p->mem = arena_new(ARENA_MAX);
    if (!p->mem) return CHOP_ERR(EMEMORY);
    TRY(app_db(r->app, &p->db));
    return pthread_create(&p->thread, NULL, poll_all, p) == 0 ? NULL : CHOP_ERR(EMEMORY);
}

static void poller_free(struct poller *p) {
    if (p->db) db_close(p->db);
    if (p->mem) arena_free(p->mem);
    httpc_free(p->http);
}

chop_err pollers_start(struct relay *r) {
    r->pollers = calloc(r->n_registries + 1, sizeof *r->pollers);
    if (!r->pollers) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < r->n_registries; i++) {
        if (!r->registries[i].adapter->orders) continue;
        chop_err e = poller_start(r, &r->pollers[r->n_pollers], &r->registries[i]);
        if (e) {
            poller_free(&r->pollers[r->n_pollers]);
            return e;
        }
        r->n_pollers++;
    }
    return NULL;
}

void pollers_stop(struct relay *r) {
    for (size_t i = 0; i < r->n_pollers; i++)
        (void)pthread_join(r->pollers[i].thread, NULL);
    for (size_t i = 0; i < r->n_pollers; i++)
        poller_free(&r->pollers[i]);
    free(r->pollers);
    r->pollers = NULL;
    r->n_pollers = 0;
}
