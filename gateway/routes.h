/* routes: one table row per route; everything else follows from the descriptors. */
#pragma once
#include "arena.h"

typedef struct ProtobufCServiceDescriptor ProtobufCServiceDescriptor;
typedef struct ProtobufCMessageDescriptor ProtobufCMessageDescriptor;
typedef struct ProtobufCMessage ProtobufCMessage;
struct request;

enum scope {
    SCOPE_PUBLIC,   /* no session */
    SCOPE_MEMBER,   /* a session; the call carries its principal */
    SCOPE_OPERATOR, /* no session: the operator's token is in the message */
};
enum route_flag {
    ROUTE_RAW = 1,     /* the reply is an HttpPage, passed on as it is */
    ROUTE_LENIENT = 2, /* unknown query parameters are ignored: the link may have been decorated on its way */
    ROUTE_QUIET = 4,   /* logged only when it fails */
};

struct route {
    const char *method, *path; /* "/v1/acts/{act_id}/commit": a {field} is a field of the request message */
    const ProtobufCServiceDescriptor *service;
    const char *bus_name; /* "printer-bridge": its subjects are chop.<bus_name>.v1.<rpc> */
    const char *rpc;
    enum scope scope;
    unsigned flags;
    int64_t cost;    /* tokens of the caller's rate limit; 0 means 1 */
    int64_t call_ms; /* 0: the configured deadline */
    const char *doc; /* one line, for docs/openapi.yaml */
    /* Optional: more of the request message from the request's head. */
    chop_err (*fill)(struct request *r, ProtobufCMessage *in);
    /* Optional: what the reply means to the gateway itself (sign in, sign out). */
    void (*after)(struct request *r, ProtobufCMessage *out);
};
extern const struct route route_table[];
extern const size_t route_count;

#define ROUTE_SEGMENTS 8
struct segment {
    const char *text; /* a literal, or the field's name */
    size_t n;
    bool field;
};
/* A row made ready for use: the path split, the call looked up. */
struct route_ready {
    const struct route *row;
    struct segment segments[ROUTE_SEGMENTS];
    size_t count;
    const ProtobufCMessageDescriptor *in, *out;
    char subject[96];
    struct metric *latency;
};
struct routes;
/* EINTERNAL names the row that is wrong: a malformed path, an unknown call, a {field} that is no scalar of the request.
 */
chop_err routes_new(const struct route *rows, size_t n, struct routes **ret_routes) CHOP_MUSTCHECK;
void routes_free(struct routes *r);
size_t routes_length(const struct routes *r);
const struct route_ready *routes_at(const struct routes *r, size_t i);

struct route_match {
    const struct route_ready *ready;
    struct chop_bytes values[ROUTE_SEGMENTS]; /* by segment, still percent-encoded */
    char allow[64];                           /* after EMETHOD: the methods that this path takes */
};
/* ENOTFOUND, or EMETHOD. HEAD is answered by the GET row. */
chop_err routes_match(
    const struct routes *r, const char *method, const char *path, struct route_match *ret_match) CHOP_MUSTCHECK;
