/* What handlers use: roles, checks, calls to other services; and the principal. */
#include "rpc_internal.h"

#include "common.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Base64 of the principal header (RFC 4648, section 4) ---- */

static int base64_value(char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static chop_err base64_read(const char *text, struct arena *mem, struct chop_bytes *ret_bytes) {
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '=') n--;
    uint8_t *out = arena_alloc(mem, n + 1);
    if (!out) return CHOP_ERR(EMEMORY);
    size_t used = 0;
    uint32_t acc = 0;
    int held = 0;
    for (size_t i = 0; i < n; i++) {
        int v = base64_value(text[i]);
        if (v < 0) return CHOP_FAIL(EAUTH, NULL, "the principal is not Base64");
        acc = (acc << 6 | (uint32_t)v) & 0xffffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[used++] = (uint8_t)(acc >> held);
        }
    }
    *ret_bytes = CHOP_BYTES(out, used);
    return NULL;
}

/* ---- principals: the same few come again and again, so a verified one is remembered whole ---- */

#define CACHE_SLOTS 256u

struct principal_cache {
    struct {
        char *header;
        uint8_t *payload;
        size_t n;
        uint64_t trust_version;
    } slots[CACHE_SLOTS];
};

struct principal_cache *principal_cache_new(void) {
    return calloc(1, sizeof(struct principal_cache));
}

void principal_cache_free(struct principal_cache *c) {
    if (!c) return;
    for (size_t i = 0; i < CACHE_SLOTS; i++) {
        free(c->slots[i].header);
        free(c->slots[i].payload);
    }
    free(c);
}

static size_t slot_of(const char *header) {
    return chop_hash_text(header) % CACHE_SLOTS;
}

static void remember(struct principal_cache *c, const char *header, struct chop_bytes payload, uint64_t version) {
    size_t i = slot_of(header);
    char *key = strdup(header);
    uint8_t *copy = malloc(payload.n + 1);
    if (!key || !copy) {
        free(key);
        free(copy);
        return;
    }
    memcpy(copy, payload.p, payload.n);
    free(c->slots[i].header);
    free(c->slots[i].payload);
    c->slots[i].header = key;
    c->slots[i].payload = copy;
    c->slots[i].n = payload.n;
    c->slots[i].trust_version = version;
}

static chop_err verify_principal(struct principal_cache *cache, const struct trust *trust, const char *header,
    int64_t now, struct arena *mem, struct chop_bytes *ret_payload) {
    size_t i = slot_of(header);
    if (cache && cache->slots[i].header && strcmp(cache->slots[i].header, header) == 0 &&
        cache->slots[i].trust_version == trust_version(trust)) {
        *ret_payload = CHOP_BYTES(cache->slots[i].payload, cache->slots[i].n);
        return NULL;
    }
    struct chop_bytes packed;
    Pb__Signed *s;
    Pb__Principal *who;
    const Pb__KeyEntry *key;
    TRY(base64_read(header, mem, &packed));
    TRY(PB_UNPACK(pb__signed, packed, mem, &s));
    TRY(trust_verify(trust, s, "principal", now, &key));
    TRY(PB_UNPACK(pb__principal, PB_BYTES(s->payload), mem, &who));
    if (!trust_key_serves(key, who->organization_id)) return CHOP_ERR(EAUTH);
    *ret_payload = PB_BYTES(s->payload);
    if (cache) remember(cache, header, *ret_payload, trust_version(trust));
    return NULL;
}

chop_err principal_read(struct principal_cache *cache, const struct trust *trust, const char *header, int64_t now,
    struct arena *mem, const Pb__Principal **ret_who) {
    struct chop_bytes payload;
    if (verify_principal(cache, trust, header, now, mem, &payload))
        return CHOP_FAIL(EAUTH, NULL, "the principal does not verify");
    Pb__Principal *who;
    TRY(PB_UNPACK(pb__principal, payload, mem, &who));
    if (who->expires_at <= now) return CHOP_FAIL(EAUTH, NULL, "the principal is over");
    *ret_who = who;
    return NULL;
}

/* ---- the thread's call ---- */

static _Thread_local bool events_marked;

void rpc_mark_events(void) {
    events_marked = true;
}

bool rpc_take_events_mark(void) {
    bool marked = events_marked;
    events_marked = false;
    return marked;
}

/* ---- helpers for handlers ---- */

bool rpc_has_role(const struct call *c, const char *role) {
    for (size_t i = 0; c->who && i < c->who->n_roles; i++)
        if (strcmp(c->who->roles[i], role) == 0) return true;
    return false;
}

chop_err rpc_need_role(const struct call *c, const char *roles) {
    char one[32];
    for (const char *p = roles; *p;) {
        size_t n = strcspn(p, ",");
        if (n < sizeof one) {
            memcpy(one, p, n);
            one[n] = 0;
            if (rpc_has_role(c, one)) return NULL;
        }
        p += n + (p[n] == ',');
    }
    return CHOP_FAIL(EDENIED, NULL, "needs the role %s", roles);
}

chop_err rpc_call(struct call *c, const char *service, const ProtobufCServiceDescriptor *sd, const char *method,
    const void *in, bool as_member, void *ret_out) {
    const ProtobufCMethodDescriptor *m = protobuf_c_service_descriptor_get_method_by_name(sd, method);
    if (!m) return CHOP_FAIL(EINTERNAL, NULL, "no method %s", method);
    struct chop_bytes request, reply;
    TRY(pb_pack(in, c->mem, &request));
    struct bus_headers h = { .trace = c->trace, .deadline = c->deadline };
    if (as_member) h.principal = c->principal;
    char subject[128];
    (void)snprintf(subject, sizeof subject, "chop.%s.v1.%s", service, method);
    TRY(bus_call(c->bus, subject, &h, request, c->mem, &reply));
    return pb_unpack(m->output, reply, c->mem, ret_out);
}

chop_err rpc_check_len(const char *field, const char *text, size_t min, size_t max) {
    size_t n = strlen(text);
    if (n < min && n == 0) return CHOP_FAIL(EINVAL, field, "is missing");
    if (n < min || n > max) return CHOP_FAIL(EINVAL, field, "has %zu bytes, not %zu to %zu", n, min, max);
    return NULL;
}

chop_err rpc_check_int(const char *field, int64_t n, int64_t min, int64_t max) {
    if (n >= min && n <= max) return NULL;
    return CHOP_FAIL(EINVAL, field, "%lld is not within %lld to %lld", (long long)n, (long long)min, (long long)max);
}

chop_err rpc_check_id(const char *field, const char *id, const char *prefix) {
    return chop_id_valid(id, prefix) ? NULL : CHOP_FAIL(EINVAL, field, "is not an id %s_...", prefix);
}

chop_err rpc_check_digest(const char *field, const char *hex, uint8_t out[32]) {
    return chop_unhex(hex, out, 32) ? NULL : CHOP_FAIL(EINVAL, field, "is not 64 hexadecimal digits");
}

const char *rpc_new_id(struct call *c, const char *prefix) {
    char id[CHOP_ID_MAX];
    chop_id_new(prefix, id);
    return arena_str(c->mem, id);
}
