/* rpc: dispatch of calls and events: decode, principal, deadline, transaction, handler, reply, one log line. */
#pragma once
#include "bus.h"
#include "db.h"
#include "pb.h"
#include "trust.h"

typedef struct Pb__Principal Pb__Principal;
typedef struct Pb__Event Pb__Event;
typedef struct ProtobufCServiceDescriptor ProtobufCServiceDescriptor;

struct app;
struct call { /* all that a handler may touch */
    struct arena *mem; /* reset after the reply */
    struct db *db;     /* inside a transaction unless the row says RPC_READ; NULL in services without a store */
    const Pb__Principal *who; /* NULL in public, internal and event calls */
    const struct trust *trust;
    void *service;     /* the app's own state (struct app .state) */
    int64_t now;       /* ms; one moment for the whole call */
    int64_t deadline;
    const char *trace;
    const char *principal; /* the principal as it came, for calls on the member's behalf */
    struct bus *bus;
    const char *name;  /* of the service: "authorization" */
    struct app *app;
};

typedef chop_err (*rpc_fn)(struct call *c, const void *in, void *out);
enum rpc_flag {
    RPC_MEMBER = 0,   /* needs a principal */
    RPC_PUBLIC = 1,   /* no principal needed; `who` is set if one was sent */
    RPC_INTERNAL = 2, /* between services: authority, if any, is in the signed message */
    RPC_READ = 4,     /* no transaction around it */
    RPC_QUIET = 8,    /* logged only when it fails */
};
/* Optional: handles many waiting calls of this method at once (errs[i] by call). The db is outside a transaction. */
typedef void (*rpc_batch_fn)(struct call *c, size_t n, const void *const *in, void *const *out, chop_err *errs);
struct rpc_method {
    const char *name; /* as in the proto's service */
    rpc_fn fn;
    unsigned flags;
    rpc_batch_fn batch;
};
#define RPC(Name, fn, flags) { #Name, fn, flags, NULL }
#define RPC_BATCH(Name, fn, flags) { #Name, NULL, flags, fn }
#define RPC_END { NULL, NULL, 0, NULL }

/* A typed handler: HANDLER(decide, Pb__Decide, Pb__Request) { ... in->..., out->..., c->... } */
#define HANDLER(fn, In, Out)                                                                  \
    static chop_err fn##_typed(struct call *c, const In *in, Out *out);                       \
    static chop_err fn(struct call *c, const void *in, void *out) {                           \
        return fn##_typed(c, in, out);                                                        \
    }                                                                                         \
    static chop_err fn##_typed(struct call *c CHOP_UNUSED, const In *in CHOP_UNUSED, Out *out CHOP_UNUSED)
#define CHOP_UNUSED __attribute__((unused))

/* ---- events in ---- */
/* Runs in a transaction that also moves the inbox position. An error rolls back and is tried again for ever (with
 * growing pauses, loudly): a handler answers NULL for what it must ignore. `c->who` is NULL. */
typedef chop_err (*event_fn)(struct call *c, const void *message, const Pb__Event *event);
struct event_row {
    const char *type; /* "authorization.fact.filed": producer is what stands before the first dot */
    const ProtobufCMessageDescriptor *desc;
    event_fn fn;
};
#define EVENT(type, pbname, fn) { type, &pbname##__descriptor, fn }
#define EVENT_END { NULL, NULL, NULL }
#define EVENT_HANDLER(fn, Msg)                                                                \
    static chop_err fn##_typed(struct call *c, const Msg *in, const Pb__Event *event);        \
    static chop_err fn(struct call *c, const void *in, const Pb__Event *event) {              \
        return fn##_typed(c, in, event);                                                      \
    }                                                                                         \
    static chop_err fn##_typed(struct call *c CHOP_UNUSED, const Msg *in CHOP_UNUSED, const Pb__Event *event CHOP_UNUSED)

/* ---- helpers for handlers ---- */
bool rpc_has_role(const struct call *c, const char *role);
/* EDENIED unless the caller has one of the roles in "admin,auditor". */
chop_err rpc_need_role(const struct call *c, const char *roles) CHOP_MUSTCHECK;
/* Calls another service with the same trace and remaining time (and, if as_member, the same principal). */
chop_err rpc_call(struct call *c, const char *service, const ProtobufCServiceDescriptor *sd, const char *method,
    const void *in, bool as_member, void *ret_out /* Pb__X ** */) CHOP_MUSTCHECK;
/* EINVAL naming the field unless n is within [min, max] / the text's UTF-8 length in bytes is. */
chop_err rpc_check_len(const char *field, const char *text, size_t min, size_t max) CHOP_MUSTCHECK;
chop_err rpc_check_int(const char *field, int64_t n, int64_t min, int64_t max) CHOP_MUSTCHECK;
chop_err rpc_check_id(const char *field, const char *id, const char *prefix) CHOP_MUSTCHECK;
/* 64 hex digits to 32 bytes. */
chop_err rpc_check_digest(const char *field, const char *hex, uint8_t out[32]) CHOP_MUSTCHECK;
/* A new id in the arena. */
const char *rpc_new_id(struct call *c, const char *prefix);
