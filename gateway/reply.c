#include "reply.h"

#include "pbjson.h"

#include <stdio.h>
#include <string.h>

#include "gateway.pb-c.h"

#define POLICY_PAGE                                                                                                    \
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "       \
    "frame-ancestors 'none'"
#define POLICY_DATA "default-src 'none'; frame-ancestors 'none'; sandbox"

void reply_header(struct request *r, const char *name, const char *value) {
    if (r->reply.more_count == REPLY_HEADERS) return;
    r->reply.more[r->reply.more_count].name = name;
    r->reply.more[r->reply.more_count++].value = value;
}

/* Details are cut to a length by whoever wrote them: half a character must not spoil the whole answer. */
static char *clean(struct arena *mem, const char *s) {
    char *copy = arena_str(mem, s ? s : "");
    if (chop_utf8_valid(copy, strlen(copy))) return copy;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
    return copy;
}

static void problem_headers(struct request *r, chop_err e) {
    if (e->http == 401) reply_header(r, "WWW-Authenticate", "Bearer");
    if (e->http == 405) reply_header(r, "Allow", r->match.allow);
    bool waits = e->http == 503 || e->http == 429;
    for (size_t i = 0; i < r->reply.more_count; i++)
        if (strcmp(r->reply.more[i].name, "Retry-After") == 0) waits = false;
    if (waits) reply_header(r, "Retry-After", "1");
}

void reply_problem(struct request *r, chop_err e, const char *field, const char *detail) {
    Pb__Problem p = PB__PROBLEM__INIT;
    char type[64];
    (void)snprintf(type, sizeof type, "urn:chop:error:%s", e->name);
    p.type = type;
    p.title = (char *)(uintptr_t)e->text;
    p.status = (uint32_t)e->http;
    p.code = (char *)(uintptr_t)e->name;
    p.field = clean(r->mem, field);
    p.detail = clean(r->mem, detail);
    p.trace = r->trace;
    p.retryable = e->retryable;
    struct chop_bytes json = chop_str("{\"type\":\"urn:chop:error:EMEMORY\",\"status\":503,\"code\":\"EMEMORY\"}");
    bool printed = pbjson_print(&p, r->mem, &json) == NULL;
    r->error_code = e->name;
    r->reply.status = printed ? (unsigned)e->http : 503;
    r->reply.type = "application/problem+json";
    r->reply.body = json;
    r->reply.cache = "no-store";
    r->reply.policy = POLICY_DATA;
    problem_headers(r, e);
}

void reply_json(struct request *r, struct chop_bytes json) {
    r->reply.status = 200;
    r->reply.type = "application/json";
    r->reply.body = json;
    r->reply.cache = "no-store";
    r->reply.policy = POLICY_DATA;
}

static bool is_header_text(const char *s, size_t max) {
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (s[i] < 0x20 || s[i] == 0x7f) return false;
    return n <= max;
}

chop_err reply_page(struct request *r, uint32_t status, const char *type, struct chop_bytes body, const char *cache) {
    bool fits = status >= 200 && status <= 599 && *type && is_header_text(type, 100) && is_header_text(cache, 100);
    if (!fits) return CHOP_FAIL(EPEER, NULL, "the service answered a malformed page");
    r->reply.status = status;
    r->reply.type = type;
    r->reply.body = body;
    r->reply.cache = *cache ? cache : "no-store";
    r->reply.policy = strncmp(type, "text/html", 9) == 0 ? POLICY_PAGE : POLICY_DATA;
    return NULL;
}

static void add(struct MHD_Response *out, const char *name, const char *value) {
    if (value) (void)MHD_add_response_header(out, name, value);
}

static struct MHD_Response *response_new(const struct reply *p) {
    /* The bytes stay in the request's arena until the request is completed. */
    struct MHD_Response *out =
        MHD_create_response_from_buffer(p->body.n, (void *)(uintptr_t)p->body.p, MHD_RESPMEM_PERSISTENT);
    if (!out) return NULL;
    add(out, "Content-Type", p->type);
    add(out, "Cache-Control", p->cache);
    add(out, "Content-Security-Policy", p->policy);
    add(out, "X-Content-Type-Options", "nosniff");
    add(out, "Referrer-Policy", "no-referrer");
    for (size_t i = 0; i < p->more_count; i++)
        add(out, p->more[i].name, p->more[i].value);
    if (p->close) add(out, "Connection", "close");
    return out;
}

enum MHD_Result reply_queue(struct request *r) {
    struct reply *p = &r->reply;
    if (p->shared) return MHD_queue_response(r->conn, p->status, p->shared);
    struct MHD_Response *out = response_new(p);
    if (!out) return MHD_NO;
    enum MHD_Result ok = MHD_queue_response(r->conn, p->status, out);
    MHD_destroy_response(out);
    return ok;
}
