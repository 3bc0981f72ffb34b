/* bus: the only user of cnats. Calls (request-reply), serving, core publish, JetStream publish and subscribe. */
#pragma once
#include "arena.h"

struct bus;
struct bus_options {
    const char *url; /* nats://127.0.0.1:4222 */
    const char *user;
    const char *password;
    const char *name; /* service name: shown in monitoring; also the private inbox prefix */
};
/* Connects (and keeps reconnecting for ever); EBUS when the first connection fails within 5 s. */
chop_err bus_open(const struct bus_options *o, struct bus **ret_bus) CHOP_MUSTCHECK;
void bus_close(struct bus *b); /* drains, flushes, closes */
bool bus_connected(const struct bus *b);

/* ---- headers of a call ---- */
struct bus_headers {
    const char *trace;      /* W3C traceparent, or NULL */
    int64_t deadline;       /* ms since 1970, absolute; 0 none */
    const char *principal;  /* Base64 of the packed Signed{principal}, or NULL */
};

/* ---- calling ---- */
/* One answer, or ETIMEOUT (deadline), EBUS (no connection), EUNREACHABLE (nobody serves the subject), or the
 * error the service answered (with the thread's detail set). The reply lies in the arena. */
chop_err bus_call(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    struct arena *mem, struct chop_bytes *ret_reply) CHOP_MUSTCHECK;
/* The same without waiting: fn is called exactly once, on a bus thread, and must not block. `reply` is only valid
 * during fn. On error, chop_detail_field/text of the calling thread hold the detail. */
typedef void (*bus_reply_fn)(void *ctx, chop_err err, struct chop_bytes reply);
void bus_call_async(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    bus_reply_fn fn, void *ctx);

/* ---- serving ---- */
struct bus_msg; /* one received message; owned by who got it */
typedef void (*bus_msg_fn)(void *ctx, struct bus_msg *m); /* on a bus thread: queue it, return at once */
struct bus_sub;
/* queue NULL: every instance gets it. */
chop_err bus_subscribe(struct bus *b, const char *subject, const char *queue, bus_msg_fn fn, void *ctx,
    struct bus_sub **ret_sub) CHOP_MUSTCHECK;
void bus_unsubscribe(struct bus_sub *s);
const char *bus_msg_subject(const struct bus_msg *m);
struct chop_bytes bus_msg_data(const struct bus_msg *m);
const char *bus_msg_header(const struct bus_msg *m, const char *name); /* NULL if absent */
bool bus_msg_wants_reply(const struct bus_msg *m);
/* `more` tells that other answers follow at once, so that they may share a flush. */
void bus_reply(struct bus *b, struct bus_msg *m, struct chop_bytes reply, bool more);
void bus_reply_error(struct bus *b, struct bus_msg *m, chop_err err, const char *field, const char *detail);
void bus_msg_free(struct bus_msg *m);

/* ---- publishing ---- */
chop_err bus_publish(struct bus *b, const char *subject, struct chop_bytes data) CHOP_MUSTCHECK;
/* JetStream: the fast path only. Publishes without waiting for acks; a lost message is found by positions. */
chop_err bus_js_publish(struct bus *b, const char *subject, const char *msg_id, struct chop_bytes data) CHOP_MUSTCHECK;
/* Makes sure that the stream CHOP_EVENTS (chop.evt.>) exists; called at start, after reconnects and errors. */
chop_err bus_js_ensure(struct bus *b) CHOP_MUSTCHECK;
/* Ephemeral ordered consumer from now on; fn on a bus thread. */
chop_err bus_js_subscribe(struct bus *b, const char *subject, bus_msg_fn fn, void *ctx, struct bus_sub **ret_sub)
    CHOP_MUSTCHECK;
void bus_flush(struct bus *b);
