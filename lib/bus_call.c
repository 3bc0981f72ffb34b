/* Calls: one inbox for all answers of the process, a table of waiting calls, a clock that ends the late ones. */
#include "bus_internal.h"
#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384u
#define TICK_MS 20
#define DEFAULT_TIMEOUT_MS 5000
#define FEW_IN_FLIGHT 3 /* up to so many waiting calls each goes out at once */

struct slot {
    bus_reply_fn fn;
    void *ctx;
    _Atomic int64_t deadline_ns; /* monotonic; 0: the slot is free */
    uint32_t generation;
    uint32_t next_free;
};

struct bus_calls {
    struct slot slots[SLOTS];
    pthread_mutex_t lock;
    uint32_t free_head; /* index + 1; 0: none */
    uint32_t high;      /* slots ever used */
    _Atomic uint32_t in_flight;
    natsSubscription *sub;
    pthread_t timer;
    _Atomic bool stop;
    size_t prefix_len; /* of "<prefix>.r." */
    struct bus_calls *next_retired;
};

static bool slot_take(struct bus_calls *c, bus_reply_fn fn, void *ctx, int64_t deadline_ns, uint32_t *ret_index,
    uint32_t *ret_generation) {
    pthread_mutex_lock(&c->lock);
    uint32_t index = c->free_head ? c->free_head - 1 : c->high;
    bool found = index < SLOTS;
    if (found) {
        struct slot *s = &c->slots[index];
        if (c->free_head) c->free_head = s->next_free;
        else c->high++;
        s->fn = fn;
        s->ctx = ctx;
        s->deadline_ns = deadline_ns;
        *ret_index = index;
        *ret_generation = ++s->generation;
        atomic_fetch_add(&c->in_flight, 1);
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

/* Takes the call out of the table, if it is still the same one: whoever succeeds answers it. */
static bool slot_give(struct bus_calls *c, uint32_t index, uint32_t generation, bus_reply_fn *ret_fn, void **ret_ctx) {
    if (index >= SLOTS) return false;
    pthread_mutex_lock(&c->lock);
    struct slot *s = &c->slots[index];
    bool ours = s->deadline_ns != 0 && s->generation == generation;
    if (ours) {
        *ret_fn = s->fn;
        *ret_ctx = s->ctx;
        s->deadline_ns = 0;
        s->next_free = c->free_head;
        c->free_head = index + 1;
        atomic_fetch_sub(&c->in_flight, 1);
    }
    pthread_mutex_unlock(&c->lock);
    return ours;
}

/* ---- answers ---- */

/* Reads the CallError that bus_reply_error wrote. */
static chop_err read_error(struct chop_bytes body) {
    char texts[3][256] = { "", "", "" };
    for (size_t i = 0; i + 2 <= body.n;) {
        unsigned field = body.p[i] >> 3;
        size_t n = body.p[i + 1] & 127, head = 2;
        if (body.p[i + 1] & 128) {
            if (i + 3 > body.n) break;
            n |= (size_t)body.p[i + 2] << 7;
            head = 3;
        }
        if (field < 1 || field > 3 || n > body.n - i - head) break;
        (void)snprintf(texts[field - 1], sizeof texts[0], "%.*s", (int)n, (const char *)body.p + i + head);
        i += head + n;
    }
    return chop_fail(chop_err_by_name(texts[0]), texts[1], "%s", texts[2]);
}

static chop_err answer_error(natsMsg *msg, struct chop_bytes body) {
    const char *value = NULL;
    if (natsMsgHeader_Get(msg, "Status", &value) == NATS_OK && strcmp(value, "503") == 0 && body.n == 0)
        return CHOP_FAIL(EUNREACHABLE, NULL, "nobody serves this call now");
    if (natsMsgHeader_Get(msg, "Nats-Service-Error-Code", &value) == NATS_OK) return read_error(body);
    return NULL;
}

static void on_answer(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx) {
    (void)nc;
    (void)sub;
    struct bus_calls *c = ctx;
    const char *subject = natsMsg_GetSubject(msg);
    char *end = NULL;
    unsigned long index = strtoul(subject + c->prefix_len, &end, 10);
    unsigned long generation = end && *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    bus_reply_fn fn;
    void *fn_ctx;
    if (slot_give(c, (uint32_t)index, (uint32_t)generation, &fn, &fn_ctx)) {
        struct chop_bytes body = CHOP_BYTES(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
        chop_detail_clear();
        chop_err e = answer_error(msg, body);
        fn(fn_ctx, e, e ? CHOP_BYTES(NULL, 0) : body);
    }
    natsMsg_Destroy(msg);
}

static void expire_at(struct bus_calls *c, uint32_t index, int64_t now_ns) {
    pthread_mutex_lock(&c->lock);
    bool late = c->slots[index].deadline_ns && c->slots[index].deadline_ns < now_ns;
    uint32_t generation = c->slots[index].generation;
    pthread_mutex_unlock(&c->lock);
    bus_reply_fn fn;
    void *ctx;
    if (!late || !slot_give(c, index, generation, &fn, &ctx)) return;
    fn(ctx, CHOP_FAIL(ETIMEOUT, NULL, "no answer in time"), CHOP_BYTES(NULL, 0));
}

static void *timer_main(void *arg) {
    struct bus_calls *c = arg;
    while (!atomic_load(&c->stop)) {
        nats_Sleep(TICK_MS);
        if (atomic_load(&c->in_flight) == 0) continue;
        pthread_mutex_lock(&c->lock);
        uint32_t high = c->high;
        pthread_mutex_unlock(&c->lock);
        int64_t now = chop_mono_ns();
        for (uint32_t i = 0; i < high; i++)
            if (atomic_load_explicit(&c->slots[i].deadline_ns, memory_order_relaxed) != 0) expire_at(c, i, now);
    }
    return NULL;
}

chop_err bus_calls_start(struct bus *b) {
    struct bus_calls *c = calloc(1, sizeof *c);
    if (!c) return CHOP_ERR(EMEMORY);
    pthread_mutex_init(&c->lock, NULL);
    char subject[128];
    (void)snprintf(subject, sizeof subject, "%s.r.*.*", b->prefix);
    c->prefix_len = strlen(b->prefix) + 3;
    natsStatus s = natsConnection_Subscribe(&c->sub, b->fast, subject, on_answer, c);
    if (s == NATS_OK) s = natsSubscription_SetPendingLimits(c->sub, -1, -1);
    if (s != NATS_OK || pthread_create(&c->timer, NULL, timer_main, c) != 0) {
        natsSubscription_Destroy(c->sub);
        free(c);
        return bus_failed(s, "inbox");
    }
    b->calls = c;
    return NULL;
}

void bus_calls_stop(struct bus *b) {
    struct bus_calls *c = b->calls;
    atomic_store(&c->stop, true);
    pthread_join(c->timer, NULL);
    (void)natsSubscription_Unsubscribe(c->sub);
    natsSubscription_Destroy(c->sub);
    for (uint32_t i = 0; i < c->high; i++) expire_at(c, i, INT64_MAX);
    /* The table stays, in a list: the library's thread may just now be looking into it. */
    static _Atomic(struct bus_calls *) retired;
    c->next_retired = atomic_load(&retired);
    while (!atomic_compare_exchange_weak(&retired, &c->next_retired, c)) {}
}

/* ---- sending ---- */

static natsStatus set_headers(natsMsg *msg, const struct bus_headers *h) {
    natsStatus s = NATS_OK;
    char number[24];
    if (h->deadline) {
        (void)snprintf(number, sizeof number, "%lld", (long long)h->deadline);
        s = natsMsgHeader_Set(msg, "Chop-Deadline", number);
    }
    if (s == NATS_OK && h->trace) s = natsMsgHeader_Set(msg, "traceparent", h->trace);
    if (s == NATS_OK && h->principal) s = natsMsgHeader_Set(msg, "Chop-Principal", h->principal);
    return s;
}

static natsStatus send_call(struct bus *b, const char *subject, const char *reply, const struct bus_headers *h,
    struct chop_bytes request) {
    bool few = atomic_load(&b->calls->in_flight) <= FEW_IN_FLIGHT;
    natsMsg *msg = NULL;
    natsStatus s = natsMsg_Create(&msg, subject, reply, (const char *)request.p, (int)request.n);
    if (s == NATS_OK) s = set_headers(msg, h);
    if (s == NATS_OK) s = natsConnection_PublishMsg(few ? b->fast : b->bulk, msg);
    natsMsg_Destroy(msg);
    return s;
}

static int64_t deadline_ns(const struct bus_headers *h) {
    int64_t left = h->deadline ? h->deadline - chop_now_ms() : DEFAULT_TIMEOUT_MS;
    return chop_mono_ns() + (left > 0 ? left : 0) * 1000000 + 1;
}

void bus_call_async(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    bus_reply_fn fn, void *ctx) {
    uint32_t index, generation;
    if (!slot_take(b->calls, fn, ctx, deadline_ns(h), &index, &generation)) {
        fn(ctx, CHOP_FAIL(EBUSY, NULL, "too many calls wait for answers"), CHOP_BYTES(NULL, 0));
        return;
    }
    char reply[128];
    (void)snprintf(reply, sizeof reply, "%s.r.%u.%u", b->prefix, index, generation);
    natsStatus s = bus_connected(b) ? send_call(b, subject, reply, h, request) : NATS_CONNECTION_DISCONNECTED;
    void *fn_ctx;
    if (s != NATS_OK && slot_give(b->calls, index, generation, &fn, &fn_ctx))
        fn(fn_ctx, bus_failed(s, "call"), CHOP_BYTES(NULL, 0));
}

/* ---- waiting ---- */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
    chop_err err;
    char field[96], detail[256];
    struct arena *mem;
    struct chop_bytes reply;
};

static void wake_waiter(void *ctx, chop_err err, struct chop_bytes reply) {
    struct waiter *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->err = err;
    if (err) {
        (void)snprintf(w->field, sizeof w->field, "%s", chop_detail_field());
        (void)snprintf(w->detail, sizeof w->detail, "%s", chop_detail_text());
    } else {
        w->reply = arena_copy(w->mem, reply); /* the waiter sleeps: its arena is ours meanwhile */
        if (arena_failed(w->mem)) w->err = CHOP_ERR(EMEMORY);
    }
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

chop_err bus_call(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    struct arena *mem, struct chop_bytes *ret_reply) {
    struct waiter w = { .mem = mem };
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.cond, NULL);
    bus_call_async(b, subject, h, request, wake_waiter, &w);
    pthread_mutex_lock(&w.lock);
    while (!w.done) pthread_cond_wait(&w.cond, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.cond);
    if (w.err) return chop_fail(w.err, w.field, "%s", w.detail);
    *ret_reply = w.reply;
    return NULL;
}
