/* request: the life of one HTTP request under limits. One state machine owns it (`next`, `waiting`): only threads of
 * libmicrohttpd step it, the bus only leaves its answer and wakes it, only the completed callback ends it. */
#pragma once
#include "gateway.h"
#include "head.h"
#include "routes.h"
#include "session.h"

#define REPLY_HEADERS 8

struct reply {
    unsigned status; /* 0: none yet */
    const char *type;
    struct chop_bytes body;     /* lives in the request's arena */
    const char *cache, *policy; /* Cache-Control; Content-Security-Policy or NULL */
    struct {
        const char *name, *value;
    } more[REPLY_HEADERS];
    size_t more_count;
    struct MHD_Response *shared; /* instead of all of the above: a web file's, kept ready */
    bool close;                  /* the connection cannot be trusted any more */
};

struct peer;
struct request {
    struct gateway *g;
    struct peer *peer;
    struct MHD_Connection *conn;
    struct arena *mem;
    bool tls, open;

    const char *method, *path;
    const char *query; /* raw, "" where there is none */
    struct head head;
    struct route_match match;
    chop_err match_err;
    uint8_t *body;
    size_t body_n;
    int64_t body_charged;

    char traceparent[56];
    char trace[33];
    int64_t began_ns, deadline; /* deadline: ms since 1970, of the calls it makes */
    uint8_t session[SESSION_KEY];
    const char *token, *principal;
    bool by_cookie;

    void (*next)(struct request *r); /* what follows; sets reply.status, or waits */
    bool waiting;
    const char *error_code;
    chop_err err; /* of the call that was waited for; its detail: */
    const char *err_field, *err_detail;
    struct chop_bytes answer;
    struct reply reply;
};

/* The head has come: refuses what must be refused (the reply is then ready and closes), else makes room for the body.
 */
void request_begin(struct request *r, const char *method, const char *url, const char *uri_end, const char *version,
    struct chop_bytes client);
/* A piece of the body; false when more comes than was announced. */
bool request_take(struct request *r, struct chop_bytes piece);
/* Steps until there is a reply or it waits. */
void request_step(struct request *r);
/* Calls over the bus and waits; `next` goes on when r->err and r->answer are there. */
void request_call(struct request *r, const char *subject, const char *principal, struct chop_bytes message,
    void (*next)(struct request *r));
/* Ends it: one log line, metrics, memory. */
void request_end(struct request *r);
