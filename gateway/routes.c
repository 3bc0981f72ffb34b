#include "routes.h"

#include "metrics.h"
#include "pb.h"

#include <protobuf-c/protobuf-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct routes {
    size_t n;
    struct route_ready ready[];
};

static bool segment_split(const char *path, struct segment *out, size_t *ret_n) {
    size_t n = 0;
    for (const char *p = path; *p == '/';) {
        size_t len = strcspn(++p, "/");
        if (len == 0 || n == ROUTE_SEGMENTS) return false;
        bool field = p[0] == '{';
        if (field && (len < 3 || p[len - 1] != '}')) return false;
        out[n++] = field ? (struct segment){ p + 1, len - 2, true } : (struct segment){ p, len, false };
        p += len;
    }
    *ret_n = n;
    return n > 0;
}

static const ProtobufCMethodDescriptor *method_find(const ProtobufCServiceDescriptor *service, const char *name) {
    return protobuf_c_service_descriptor_get_method_by_name(service, name);
}

static bool field_fits(const ProtobufCMessageDescriptor *in, const struct segment *s) {
    for (unsigned i = 0; i < in->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &in->fields[i];
        if (strlen(f->name) != s->n || memcmp(f->name, s->text, s->n) != 0) continue;
        return f->label != PROTOBUF_C_LABEL_REPEATED && f->type != PROTOBUF_C_TYPE_MESSAGE;
    }
    return false;
}

static chop_err ready_init(struct route_ready *ready, const struct route *row) {
    ready->row = row;
    if (!segment_split(row->path, ready->segments, &ready->count))
        return CHOP_FAIL(EINTERNAL, row->path, "the path is malformed");
    const ProtobufCMethodDescriptor *call = method_find(row->service, row->rpc);
    if (!call) return CHOP_FAIL(EINTERNAL, row->path, "%s has no call %s", row->bus_name, row->rpc);
    ready->in = call->input;
    ready->out = call->output;
    for (size_t i = 0; i < ready->count; i++)
        if (ready->segments[i].field && !field_fits(ready->in, &ready->segments[i]))
            return CHOP_FAIL(EINTERNAL, row->path, "%s has no such field", ready->in->name);
    (void)snprintf(ready->subject, sizeof ready->subject, "chop.%s.v1.%s", row->bus_name, row->rpc);
    char label[128];
    (void)snprintf(label, sizeof label, "route=\"%s %s\"", row->method, row->path);
    ready->latency = metric_latency("chop_gateway_request_milliseconds", label);
    return NULL;
}

chop_err routes_new(const struct route *rows, size_t n, struct routes **ret_routes) {
    struct routes *r = calloc(1, sizeof *r + n * sizeof r->ready[0]);
    if (!r) return CHOP_ERR(EMEMORY);
    r->n = n;
    for (size_t i = 0; i < n; i++) {
        chop_err e = ready_init(&r->ready[i], &rows[i]);
        if (!e) continue;
        free(r);
        return e;
    }
    *ret_routes = r;
    return NULL;
}

void routes_free(struct routes *r) {
    free(r);
}

size_t routes_length(const struct routes *r) {
    return r->n;
}

const struct route_ready *routes_at(const struct routes *r, size_t i) {
    return &r->ready[i];
}

static bool path_matches(const struct route_ready *ready, const char *path, struct chop_bytes *values) {
    const char *p = path;
    for (size_t i = 0; i < ready->count; i++) {
        const struct segment *s = &ready->segments[i];
        if (*p++ != '/') return false;
        size_t len = strcspn(p, "/");
        if (len == 0 || (!s->field && (len != s->n || memcmp(p, s->text, len) != 0))) return false;
        values[i] = CHOP_BYTES(p, len);
        p += len;
    }
    return *p == 0;
}

static void allow_add(struct route_match *m, const char *method) {
    size_t n = strlen(m->allow);
    (void)snprintf(m->allow + n, sizeof m->allow - n, "%s%s", n ? ", " : "", method);
}

chop_err routes_match(const struct routes *r, const char *method, const char *path, struct route_match *ret_match) {
    struct route_match m = { 0 };
    if (strcmp(method, "HEAD") == 0) method = "GET";
    for (size_t i = 0; i < r->n; i++) {
        const struct route_ready *ready = &r->ready[i];
        if (!path_matches(ready, path, m.values)) continue;
        if (strcmp(ready->row->method, method) == 0) {
            m.ready = ready;
            *ret_match = m;
            return NULL;
        }
        allow_add(&m, ready->row->method);
    }
    if (!m.allow[0]) return CHOP_FAIL(ENOTFOUND, NULL, "nothing answers at this path");
    memcpy(ret_match->allow, m.allow, sizeof m.allow);
    return CHOP_FAIL(EMETHOD, NULL, "this path takes %s", m.allow);
}
