#include "serve.h"

#include "limit.h"
#include "pb.h"
#include "pbjson.h"
#include "reply.h"
#include "static.h"
#include "target.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common.pb-c.h"
#include "identity.pb-c.h"

#define RESOLVE "chop.identity.v1.ResolveSession"
#define COOKIE "chop_session"

static void fail(struct request *r, chop_err e) {
    reply_problem(r, e, chop_detail_field(), chop_detail_text());
}

chop_err serve_throttled(struct request *r, int64_t wait_s) {
    reply_header(r, "Retry-After", arena_printf(r->mem, "%lld", (long long)wait_s));
    return CHOP_FAIL(ETHROTTLED, NULL, "come again in %lld s", (long long)wait_s);
}

/* ---- the answer ---- */
static chop_err answer_page(struct request *r) {
    Pb__HttpPage *page;
    TRY(PB_UNPACK(pb__http_page, r->answer, r->mem, &page));
    return reply_page(r, page->status, page->content_type, PB_BYTES(page->body), page->cache_control);
}

static chop_err answer_json(struct request *r) {
    const struct route_ready *ready = r->match.ready;
    ProtobufCMessage *out = NULL;
    struct chop_bytes json;
    TRY(pb_unpack(ready->out, r->answer, r->mem, &out));
    if (ready->row->after) ready->row->after(r, out);
    TRY(pbjson_print(out, r->mem, &json));
    reply_json(r, json);
    return NULL;
}

static void answer(struct request *r) {
    chop_failpoint("gateway.answer.before");
    if (r->err) {
        reply_problem(r, r->err, r->err_field, r->err_detail);
        return;
    }
    chop_detail_clear();
    bool raw = (r->match.ready->row->flags & ROUTE_RAW) != 0;
    chop_err e = raw ? answer_page(r) : answer_json(r);
    if (e == CHOP_ERR(EINVAL)) e = CHOP_ERR(EPEER); /* what the service sent, not what the caller sent */
    if (e) fail(r, e);
}

/* ---- the message ---- */
static bool is_json(const char *type) {
    if (!type || strncasecmp(type, "application/json", 16) != 0) return false;
    type += 16;
    while (*type == ' ')
        type++;
    return *type == 0 || strcasecmp(type, ";charset=utf-8") == 0 || strcasecmp(type, "; charset=utf-8") == 0;
}

static chop_err message_from_body(struct request *r, ProtobufCMessage **ret_in) {
    const struct route_ready *ready = r->match.ready;
    if (r->body_n == 0) {
        *ret_in = pb_new(ready->in, r->mem);
        return *ret_in ? NULL : CHOP_ERR(EMEMORY);
    }
    if (!is_json(r->head.value[HEAD_CONTENT_TYPE])) return CHOP_FAIL(EINVAL, NULL, "the body must be application/json");
    struct pbjson_limits limits = PBJSON_LIMITS;
    return pbjson_read(ready->in, CHOP_BYTES(r->body, r->body_n), &limits, r->mem, ret_in);
}

static chop_err message_from_path(struct request *r, ProtobufCMessage *in) {
    const struct route_ready *ready = r->match.ready;
    for (size_t i = 0; i < ready->count; i++) {
        const struct segment *s = &ready->segments[i];
        char *value;
        if (!s->field) continue;
        TRY(target_decode(r->match.values[i], false, r->mem, &value));
        TRY(pbjson_set(in, arena_strn(r->mem, s->text, s->n), value, r->mem));
    }
    return NULL;
}

static chop_err message_build(struct request *r, struct chop_bytes *ret_packed) {
    const struct route *row = r->match.ready->row;
    ProtobufCMessage *in = NULL;
    TRY(message_from_body(r, &in));
    TRY(message_from_path(r, in));
    if (!(row->flags & ROUTE_LENIENT)) TRY(target_query_into(r->query, in, r->mem));
    if (row->fill) TRY(row->fill(r, in));
    return pb_pack(in, r->mem, ret_packed);
}

static chop_err call(struct request *r) {
    struct chop_bytes packed;
    TRY(message_build(r, &packed));
    request_call(r, r->match.ready->subject, r->principal, packed, answer);
    return NULL;
}

/* ---- the session ---- */
static bool is_token(const char *s, size_t n) {
    return n >= 16 && n <= 256 &&
           strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=") == n;
}

/* The value of our cookie (RFC 6265, section 4.2.1); twice is a trick. */
static chop_err cookie_token(struct request *r, const char **ret_token) {
    const char *p = r->head.value[HEAD_COOKIE], *found = NULL;
    size_t name = strlen(COOKIE);
    while (p && *p) {
        size_t n = strcspn(p, ";");
        if (n > name && strncmp(p, COOKIE "=", name + 1) == 0) {
            if (found) return CHOP_FAIL(EAUTH, NULL, "the session cookie is given twice");
            found = arena_strn(r->mem, p + name + 1, n - name - 1);
        }
        p += n;
        p += strspn(p, "; ");
    }
    *ret_token = found;
    return NULL;
}

static chop_err token_find(struct request *r) {
    const char *header = r->head.value[HEAD_AUTHORIZATION], *token = NULL;
    if (header) {
        if (strncasecmp(header, "Bearer ", 7) != 0) return CHOP_FAIL(EAUTH, NULL, "only Bearer tokens are taken");
        token = header + 7;
    } else {
        TRY(cookie_token(r, &token));
        r->by_cookie = token != NULL;
    }
    if (!token) return CHOP_FAIL(EAUTH, NULL, "sign in first");
    if (!is_token(token, strlen(token))) return CHOP_FAIL(EAUTH, NULL, "the token is malformed");
    r->token = token;
    session_key(chop_str(token), r->session);
    return NULL;
}

static bool same_origin(const struct request *r) {
    const char *origin = r->head.value[HEAD_ORIGIN], *host = r->head.value[HEAD_HOST];
    if (!origin || !host) return false;
    const char *rest = strncmp(origin, "https://", 8) == 0  ? origin + 8
                       : strncmp(origin, "http://", 7) == 0 ? origin + 7
                                                            : "";
    return *rest && strcasecmp(rest, host) == 0;
}

/* A browser sends the cookie along with other sites' forms, but neither this header nor a foreign Origin as ours. */
static chop_err check_forgery(const struct request *r) {
    bool safe = strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0;
    const char *mark = r->head.value[HEAD_X_CHOP];
    if (!r->by_cookie || safe || (mark && strcmp(mark, "1") == 0) || same_origin(r)) return NULL;
    return CHOP_FAIL(
        EDENIED, NULL, "with the session cookie this needs the header X-Chop: 1 or an Origin of this site");
}

static void call_or_fail(struct request *r) {
    chop_err e = call(r);
    if (e) fail(r, e);
}

static const char *base64(struct arena *mem, struct chop_bytes b) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = arena_alloc(mem, (b.n + 2) / 3 * 4 + 1), *w = text;
    if (!text) return NULL;
    for (size_t i = 0; i < b.n; i += 3) {
        size_t left = b.n - i;
        uint32_t v = (uint32_t)b.p[i] << 16 | (left > 1 ? (uint32_t)b.p[i + 1] << 8 : 0) | (left > 2 ? b.p[i + 2] : 0);
        *w++ = digits[v >> 18];
        *w++ = digits[v >> 12 & 63];
        *w++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *w++ = left > 2 ? digits[v & 63] : '=';
    }
    return text;
}

static chop_err resolved_keep(struct request *r) {
    Pb__ResolveSessionReply *reply;
    TRY(PB_UNPACK(pb__resolve_session_reply, r->answer, r->mem, &reply));
    if (reply->principal.len == 0) return CHOP_FAIL(EPEER, NULL, "identity answered no principal");
    r->principal = base64(r->mem, PB_BYTES(reply->principal));
    if (!r->principal) return CHOP_ERR(EMEMORY);
    int64_t until = chop_now_ms() + r->g->conf->session_seconds * 1000;
    session_put(r->g->sessions, r->session, r->principal, until < reply->expires_at ? until : reply->expires_at);
    return NULL;
}

static void resolved(struct request *r) {
    if (r->err) {
        reply_problem(r, r->err, r->err_field, r->err_detail);
        return;
    }
    chop_detail_clear();
    chop_err e = resolved_keep(r);
    if (e)
        fail(r, e == CHOP_ERR(EINVAL) ? CHOP_ERR(EPEER) : e);
    else
        call_or_fail(r);
}

static chop_err resolve(struct request *r) {
    Pb__ResolveSessionRequest ask = PB__RESOLVE_SESSION_REQUEST__INIT;
    struct chop_bytes packed;
    ask.token = PB_STR(r->token);
    TRY(pb_pack(&ask, r->mem, &packed));
    request_call(r, RESOLVE, NULL, packed, resolved);
    return NULL;
}

static chop_err serve_member(struct request *r) {
    int64_t wait = 1, cost = r->match.ready->row->cost ? r->match.ready->row->cost : 1;
    TRY(token_find(r));
    TRY(check_forgery(r));
    if (!limit_take(r->g->by_session, CHOP_BYTES(r->session, SESSION_KEY), cost, r->began_ns, &wait))
        return serve_throttled(r, wait);
    r->principal = session_find(r->g->sessions, r->session, chop_now_ms(), r->mem);
    return r->principal ? call(r) : resolve(r);
}

static chop_err serve(struct request *r) {
    if (!r->match.ready) {
        if (static_serve(r)) return NULL;
        return routes_match(r->g->routes, r->method, r->path, &r->match); /* again, for its detail */
    }
    int64_t ms = r->match.ready->row->call_ms ? r->match.ready->row->call_ms : r->g->conf->call_ms;
    r->deadline = chop_now_ms() + ms;
    return r->match.ready->row->scope == SCOPE_MEMBER ? serve_member(r) : call(r);
}

void serve_request(struct request *r) {
    chop_detail_clear();
    if (r->body_n != r->head.content_length) {
        reply_problem(r, CHOP_ERR(EINVAL), NULL, "the body is shorter than announced");
        return;
    }
    chop_err e = serve(r);
    if (e) fail(r, e);
}
