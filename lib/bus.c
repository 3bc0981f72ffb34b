#include "bus_internal.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_TRY_MS 100
#define CONNECT_WITHIN_MS 5000
#define STREAM "CHOP_EVENTS"
#define STREAM_BYTES ((int64_t)1 << 30)
#define STREAM_AGE_NS ((int64_t)24 * 3600 * 1000000000)

chop_err bus_failed(natsStatus s, const char *what) {
    if (s == NATS_TIMEOUT) return CHOP_FAIL(ETIMEOUT, NULL, "%s: no answer in time", what);
    if (s == NATS_NO_RESPONDERS) return CHOP_FAIL(EUNREACHABLE, NULL, "%s: nobody serves it", what);
    return CHOP_FAIL(EBUS, NULL, "%s: %s", what, natsStatus_GetText(s));
}

/* ---- connections ---- */

static void on_lost(natsConnection *nc, void *ctx) {
    (void)nc;
    log_line(LOG_WARN, "bus connection lost", "name", (const char *)ctx, NULL);
}

static void on_back(natsConnection *nc, void *ctx) {
    (void)nc;
    log_line(LOG_INFO, "bus connection back", "name", (const char *)ctx, NULL);
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *ctx) {
    (void)nc;
    (void)sub;
    (void)ctx;
    log_line(LOG_WARN, "bus error", "detail", natsStatus_GetText(s), NULL);
}

static natsStatus set_options(natsOptions *opts, const struct bus *b, const struct bus_options *o, bool asap) {
    void *name = (void *)(uintptr_t)o->name;
    natsStatus s = natsOptions_SetURL(opts, o->url);
    if (s == NATS_OK && *o->user) s = natsOptions_SetUserInfo(opts, o->user, o->password);
    if (s == NATS_OK) s = natsOptions_SetName(opts, o->name);
    if (s == NATS_OK) s = natsOptions_SetCustomInboxPrefix(opts, b->prefix);
    if (s == NATS_OK) s = natsOptions_SetMaxReconnect(opts, -1); /* pitfall 3 */
    if (s == NATS_OK) s = natsOptions_SetReconnectWait(opts, 200);
    if (s == NATS_OK) s = natsOptions_SetReconnectJitter(opts, 50, 100);
    if (s == NATS_OK) s = natsOptions_SetReconnectBufSize(opts, 1); /* pitfall 4: no stale calls */
    if (s == NATS_OK) s = natsOptions_SetPingInterval(opts, 10000);
    if (s == NATS_OK) s = natsOptions_SetMaxPingsOut(opts, 2);
    if (s == NATS_OK) s = natsOptions_SetSendAsap(opts, asap);
    if (s == NATS_OK) s = natsOptions_SetIgnoreDiscoveredServers(opts, true);
    if (s == NATS_OK) s = natsOptions_SetDisconnectedCB(opts, on_lost, name);
    if (s == NATS_OK) s = natsOptions_SetReconnectedCB(opts, on_back, name);
    if (s == NATS_OK) s = natsOptions_SetErrorHandler(opts, on_error, NULL);
    return s;
}

static chop_err connect_one(const struct bus *b, const struct bus_options *o, bool asap, natsConnection **ret) {
    natsOptions *opts = NULL;
    natsStatus s = natsOptions_Create(&opts);
    if (s == NATS_OK) s = set_options(opts, b, o, asap);
    if (s == NATS_OK) {
        int64_t until = chop_now_ms() + CONNECT_WITHIN_MS;
        do {
            s = natsConnection_Connect(ret, opts);
            if (s != NATS_OK) nats_Sleep(CONNECT_TRY_MS);
        } while (s != NATS_OK && s != NATS_CONNECTION_AUTH_FAILED && chop_now_ms() < until);
    }
    natsOptions_Destroy(opts);
    return s == NATS_OK ? NULL : bus_failed(s, "connect");
}

static chop_err open_all(struct bus *b, const struct bus_options *o) {
    char inbox[CHOP_ID_MAX];
    chop_id_new("i", inbox);
    (void)snprintf(b->prefix, sizeof b->prefix, "_INBOX.%s.%s", o->name, inbox);
    TRY(connect_one(b, o, true, &b->fast));
    TRY(connect_one(b, o, false, &b->bulk));
    jsOptions opts;
    jsOptions_Init(&opts);
    opts.Wait = 2000;
    natsStatus s = natsConnection_JetStream(&b->js, b->bulk, &opts);
    if (s != NATS_OK) return bus_failed(s, "JetStream");
    return bus_calls_start(b);
}

chop_err bus_open(const struct bus_options *o, struct bus **ret_bus) {
    struct bus *b = calloc(1, sizeof *b);
    if (!b) return CHOP_ERR(EMEMORY);
    chop_err e = open_all(b, o);
    if (e) {
        bus_close(b);
        return e;
    }
    *ret_bus = b;
    return NULL;
}

static void flush_one(natsConnection *nc) {
    if (nc && natsConnection_Status(nc) == NATS_CONN_STATUS_CONNECTED) (void)natsConnection_FlushTimeout(nc, 1000);
}

void bus_flush(struct bus *b) {
    flush_one(b->fast);
    flush_one(b->bulk);
}

void bus_close(struct bus *b) {
    if (!b) return;
    bus_flush(b);
    if (b->calls) bus_calls_stop(b);
    jsCtx_Destroy(b->js);
    if (b->fast) natsConnection_Close(b->fast);
    if (b->bulk) natsConnection_Close(b->bulk);
    natsConnection_Destroy(b->fast);
    natsConnection_Destroy(b->bulk);
    b->fast = b->bulk = NULL;
    /* The struct stays, in a list: a callback of the library may be under way with it. */
    static _Atomic(struct bus *) retired;
    b->next_retired = atomic_load(&retired);
    while (!atomic_compare_exchange_weak(&retired, &b->next_retired, b)) {}
}

bool bus_connected(const struct bus *b) {
    return natsConnection_Status(b->fast) == NATS_CONN_STATUS_CONNECTED &&
        natsConnection_Status(b->bulk) == NATS_CONN_STATUS_CONNECTED;
}

/* ---- subscriptions ---- */

struct bus_sub {
    natsSubscription *nats;
    bus_msg_fn fn;
    void *ctx;
};

static void on_message(natsConnection *nc, natsSubscription *sub, natsMsg *msg, void *ctx) {
    (void)nc;
    (void)sub;
    struct bus_sub *s = ctx;
    s->fn(s->ctx, (struct bus_msg *)msg);
}

static chop_err sub_new(bus_msg_fn fn, void *ctx, struct bus_sub **ret_sub) {
    struct bus_sub *s = calloc(1, sizeof *s);
    if (!s) return CHOP_ERR(EMEMORY);
    *s = (struct bus_sub){ NULL, fn, ctx };
    *ret_sub = s;
    return NULL;
}

static chop_err sub_ready(struct bus_sub *sub, natsStatus s, struct bus_sub **ret_sub) {
    if (s != NATS_OK) {
        free(sub);
        return bus_failed(s, "subscribe");
    }
    (void)natsSubscription_SetPendingLimits(sub->nats, 1 << 16, 64 << 20);
    *ret_sub = sub;
    return NULL;
}

chop_err bus_subscribe(struct bus *b, const char *subject, const char *queue, bus_msg_fn fn, void *ctx,
    struct bus_sub **ret_sub) {
    struct bus_sub *sub;
    TRY(sub_new(fn, ctx, &sub));
    natsStatus s = queue ? natsConnection_QueueSubscribe(&sub->nats, b->fast, subject, queue, on_message, sub)
                         : natsConnection_Subscribe(&sub->nats, b->fast, subject, on_message, sub);
    return sub_ready(sub, s, ret_sub);
}

chop_err bus_js_subscribe(struct bus *b, const char *subject, bus_msg_fn fn, void *ctx, struct bus_sub **ret_sub) {
    struct bus_sub *sub;
    TRY(sub_new(fn, ctx, &sub));
    jsSubOptions opts;
    jsSubOptions_Init(&opts);
    opts.Ordered = true;
    opts.Stream = STREAM;
    opts.Config.DeliverPolicy = js_DeliverNew;
    return sub_ready(sub, js_Subscribe(&sub->nats, b->js, subject, on_message, sub, NULL, &opts, NULL), ret_sub);
}

static void sub_complete(void *ctx) {
    free(ctx);
}

void bus_unsubscribe(struct bus_sub *s) {
    if (!s) return;
    /* The library may still run the callback: it says when it will not (pitfall 11). */
    if (natsSubscription_SetOnCompleteCB(s->nats, sub_complete, s) != NATS_OK) return;
    natsSubscription *nats = s->nats; /* s may be gone any moment now */
    (void)natsSubscription_Unsubscribe(nats);
    natsSubscription_Destroy(nats);
}

/* ---- messages ---- */

static natsMsg *inner(const struct bus_msg *m) {
    return (natsMsg *)(uintptr_t)m;
}

const char *bus_msg_subject(const struct bus_msg *m) {
    return natsMsg_GetSubject(inner(m));
}

struct chop_bytes bus_msg_data(const struct bus_msg *m) {
    return CHOP_BYTES(natsMsg_GetData(inner(m)), (size_t)natsMsg_GetDataLength(inner(m)));
}

const char *bus_msg_header(const struct bus_msg *m, const char *name) {
    const char *value = NULL;
    return natsMsgHeader_Get(inner(m), name, &value) == NATS_OK ? value : NULL;
}

bool bus_msg_wants_reply(const struct bus_msg *m) {
    return natsMsg_GetReply(inner(m)) != NULL;
}

void bus_msg_free(struct bus_msg *m) {
    natsMsg_Destroy((natsMsg *)m);
}

void bus_reply(struct bus *b, struct bus_msg *m, struct chop_bytes reply, bool more) {
    const char *to = natsMsg_GetReply(inner(m));
    if (!to) return;
    natsStatus s = natsConnection_Publish(more ? b->bulk : b->fast, to, reply.p, (int)reply.n);
    if (s != NATS_OK) log_line(LOG_WARN, "reply not sent", "detail", natsStatus_GetText(s), NULL);
}

/* Headers of ADR-32; the body is a Pb__CallError, written by hand because this layer knows no protobuf:
 * fields 1 to 3 are strings. */
void bus_reply_error(struct bus *b, struct bus_msg *m, chop_err err, const char *field, const char *detail) {
    const char *to = natsMsg_GetReply(inner(m));
    if (!to) return;
    const char *texts[] = { err->name, field, detail };
    char body[512];
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        size_t n = strnlen(texts[i], i == 2 ? 255 : 96);
        if (n == 0 || used + n + 3 > sizeof body) continue;
        body[used++] = (char)((i + 1) << 3 | 2);
        if (n >= 128) body[used++] = (char)((n & 127) | 128);
        body[used++] = (char)(n >= 128 ? n >> 7 : n);
        memcpy(body + used, texts[i], n);
        used += n;
    }
    char code[8];
    (void)snprintf(code, sizeof code, "%d", err->http);
    natsMsg *reply = NULL;
    natsStatus s = natsMsg_Create(&reply, to, NULL, body, (int)used);
    if (s == NATS_OK) s = natsMsgHeader_Set(reply, "Nats-Service-Error", err->text);
    if (s == NATS_OK) s = natsMsgHeader_Set(reply, "Nats-Service-Error-Code", code);
    if (s == NATS_OK) s = natsConnection_PublishMsg(b->fast, reply);
    if (s != NATS_OK) log_line(LOG_WARN, "error reply not sent", "detail", natsStatus_GetText(s), NULL);
    natsMsg_Destroy(reply);
}

/* ---- publishing ---- */

chop_err bus_publish(struct bus *b, const char *subject, struct chop_bytes data) {
    natsStatus s = natsConnection_Publish(b->fast, subject, data.p, (int)data.n);
    return s == NATS_OK ? NULL : bus_failed(s, "publish");
}

chop_err bus_js_publish(struct bus *b, const char *subject, const char *msg_id, struct chop_bytes data) {
    natsMsg *msg = NULL;
    natsStatus s = natsMsg_Create(&msg, subject, NULL, (const char *)data.p, (int)data.n);
    if (s == NATS_OK) s = natsMsgHeader_Set(msg, "Nats-Msg-Id", msg_id);
    if (s == NATS_OK) s = natsConnection_PublishMsg(b->fast, msg);
    natsMsg_Destroy(msg);
    return s == NATS_OK ? NULL : bus_failed(s, "publish");
}

chop_err bus_js_ensure(struct bus *b) {
    jsStreamInfo *info = NULL;
    natsStatus s = js_GetStreamInfo(&info, b->js, STREAM, NULL, NULL);
    if (s == NATS_NOT_FOUND) {
        const char *subjects[] = { "chop.evt.>" };
        jsStreamConfig config;
        jsStreamConfig_Init(&config);
        config.Name = STREAM;
        config.Subjects = subjects;
        config.SubjectsLen = 1;
        config.Storage = js_FileStorage;
        config.MaxBytes = STREAM_BYTES;
        config.MaxAge = STREAM_AGE_NS;
        config.NoAck = true; /* positions, not acks, tell what arrived */
        s = js_AddStream(&info, b->js, &config, NULL, NULL);
    }
    jsStreamInfo_Destroy(info);
    return s == NATS_OK ? NULL : bus_failed(s, "stream");
}
