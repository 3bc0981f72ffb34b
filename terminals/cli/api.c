#include "cli.h"
#include "field.h"
#include "pbjson.h"

#include "gateway.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 20000
#define REPLY_MAX ((size_t)8 << 20)
#define WAIT_MOST_S 5
#define TRIES_MOST 6

/* Plain HTTP only to this very machine: a password goes over it. */
static bool is_local(const char *server) {
    static const char *const hosts[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };
    for (size_t i = 0; i < CHOP_COUNT(hosts); i++) {
        size_t n = strlen(hosts[i]);
        if (strncmp(server, hosts[i], n) == 0 && (server[n] == 0 || server[n] == ':' || server[n] == '/')) return true;
    }
    return false;
}

static chop_err client(struct cli *c) {
    const char *server = c->profile.server;
    if (c->http) return NULL;
    if (!server[0]) return CHOP_FAIL(EINVAL, NULL, "which server? chop login --server https://...");
    struct httpc_options o = {
        .allow_private = true, /* the person chose the server; a unit's own is often inside */
        .allow_http = is_local(server),
        .ca_file = c->profile.ca_file[0] ? c->profile.ca_file : NULL,
        .timeout_ms = TIMEOUT_MS,
        .max_reply = REPLY_MAX,
    };
    return httpc_new(&o, &c->http);
}

/* ---- addresses ---- */

/* RFC 3986: everything but the unreserved letters is escaped. */
static const char *escape(const char *text, struct arena *mem) {
    char *out = arena_alloc(mem, 3 * strlen(text) + 4), *p = out;
    if (!out) return "";
    for (; *text; text++) {
        unsigned char ch = (unsigned char)*text;
        bool plain = (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') || strchr("-._~", ch);
        p += snprintf(p, 4, plain ? "%c" : "%%%02X", ch);
    }
    return out;
}

/* A number may be 0, which as a query would be left out. */
static const char *path_text(const void *in, const char *name, struct arena *mem) {
    const ProtobufCFieldDescriptor *f = in ? field_find(((const ProtobufCMessage *)in)->descriptor, name, strlen(name)) : NULL;
    const char *text = f ? field_item_text(in, f, 0, mem) : NULL;
    return text ? text : "";
}

static chop_err fill_path(struct cli *c, const char *path, const void *in, const char **ret_path) {
    const char *out = "";
    while (*path) {
        size_t n = strcspn(path, "{");
        out = arena_printf(c->mem, "%s%.*s", out, (int)n, path);
        path += n;
        if (!*path) break;
        size_t k = strcspn(++path, "}");
        const char *name = arena_strn(c->mem, path, k), *text = path_text(in, name, c->mem);
        if (!text[0]) return CHOP_FAIL(EINVAL, name, "is missing");
        out = arena_printf(c->mem, "%s%s", out, escape(text, c->mem));
        path += k + 1;
    }
    *ret_path = out;
    return NULL;
}

static const char *query_of(struct cli *c, const char *path, const void *in) {
    const char *out = "";
    if (!in) return out;
    const ProtobufCMessageDescriptor *d = ((const ProtobufCMessage *)in)->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const char *name = d->fields[i].name, *text = field_text(in, name, c->mem);
        if (!text[0] || strstr(path, arena_printf(c->mem, "{%s}", name))) continue;
        out = arena_printf(c->mem, "%s%c%s=%s", out, out[0] ? '&' : '?', name, escape(text, c->mem));
    }
    return out;
}

/* What stands in the path stands there alone: the gateway refuses to be told twice. */
static chop_err body_of(struct cli *c, const char *path, const void *in, struct chop_bytes *ret_body) {
    void *rest = field_clone(in, c->mem);
    if (!rest) return CHOP_ERR(EMEMORY);
    const ProtobufCMessageDescriptor *d = ((const ProtobufCMessage *)in)->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++)
        if (strstr(path, arena_printf(c->mem, "{%s}", d->fields[i].name))) field_clear(rest, &d->fields[i]);
    return pbjson_print(rest, c->mem, ret_body);
}

/* ---- answers ---- */

static chop_err problem(struct cli *c, const struct httpc_reply *r) {
    Pb__Problem *p;
    if (pbjson_read(&pb__problem__descriptor, r->body, &PBJSON_LIMITS, c->mem, &p) || !p->code[0])
        return CHOP_FAIL(EPEER, NULL, "HTTP status %ld", r->status);
    return chop_fail(chop_err_by_name(p->code), p->field, "%s", p->detail);
}

/* "Too many tries" was not acted upon: where the wait is short, it is simply waited for. */
static chop_err send_patiently(struct cli *c, const char *method, const char *url, const char *const *headers,
    struct chop_bytes body, struct httpc_reply *ret_reply) {
    for (int tries = 0;; tries++) {
        chop_detail_clear();
        TRY(httpc_send(c->http, method, url, headers, body, c->mem, ret_reply));
        long wait = ret_reply->retry_after_s;
        if (ret_reply->status != 429 || wait < 1 || wait > WAIT_MOST_S || tries == TRIES_MOST) return NULL;
        local_sleep_ms((int)wait * 1000);
    }
}

chop_err api_call(struct cli *c, const char *method, const char *path, const void *in,
    const ProtobufCMessageDescriptor *out, void *ret_out) {
    bool query = strcmp(method, "GET") == 0 || strcmp(method, "DELETE") == 0;
    struct chop_bytes body = { 0 };
    struct httpc_reply r;
    const char *where;
    TRY(client(c));
    TRY(fill_path(c, path, in, &where));
    const char *url = arena_printf(c->mem, "%s%s%s", c->profile.server, where, query ? query_of(c, path, in) : "");
    if (!query && in) TRY(body_of(c, path, in, &body));
    const char *headers[] = { "Accept: application/json", "Content-Type: application/json",
        c->profile.token[0] ? arena_printf(c->mem, "Authorization: Bearer %s", c->profile.token) : NULL, NULL };
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    TRY(send_patiently(c, method, url, headers, body, &r));
    c->reply = r.body;
    if (r.status >= 400) return problem(c, &r);
    if (r.status != 200) return CHOP_FAIL(EPEER, NULL, "HTTP status %ld", r.status);
    return ret_out ? pbjson_read(out, r.body, &PBJSON_LIMITS, c->mem, ret_out) : NULL;
}
