#include "openapi.h"

#include "routes.h"

#include <protobuf-c/protobuf-c.h>
#include <string.h>

#include "gateway.pb-c.h"

#define MAX_SCHEMAS 256

struct printer {
    FILE *out;
    const ProtobufCMessageDescriptor *schemas[MAX_SCHEMAS]; /* in the order in which they were met */
    size_t n;
};

static void head_print(FILE *out) {
    fputs(
        "# Printed by `chop-gateway --openapi` from the route table and proto/*.proto: do not edit.\n"
        "openapi: 3.1.0\n"
        "info:\n"
        "  title: Chopmark\n"
        "  version: v1\n"
        "  description: >-\n"
        "    Bodies are UTF-8 JSON (application/json) with a Content-Length. Bytes are standard Base64 with padding,\n"
        "    times are milliseconds since 1970 UTC, integers stay within 2^53-1. Empty texts, zeros, empty lists and\n"
        "    unset objects are left out of answers. Unknown or repeated fields are refused. A traceparent header\n"
        "    (W3C Trace Context) is continued. Requests with the session cookie that change something need the header\n"
        "    X-Chop: 1 or a same-site Origin.\n"
        "security:\n"
        "  - bearer: []\n"
        "  - cookie: []\n",
        out);
}

/* Whether the field stands in the path. */
static bool in_path(const struct route_ready *ready, const char *field) {
    for (size_t i = 0; i < ready->count; i++) {
        const struct segment *s = &ready->segments[i];
        if (s->field && strlen(field) == s->n && memcmp(field, s->text, s->n) == 0) return true;
    }
    return false;
}

static void schema_note(struct printer *p, const ProtobufCMessageDescriptor *d) {
    for (size_t i = 0; i < p->n; i++)
        if (p->schemas[i] == d) return;
    if (p->n < MAX_SCHEMAS) p->schemas[p->n++] = d;
}

static const char *integer_bounds(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return "minimum: -2147483648, maximum: 2147483647";
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return "minimum: 0, maximum: 4294967295";
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return "minimum: 0, maximum: 9007199254740991";
    default:
        return "minimum: -9007199254740991, maximum: 9007199254740991";
    }
}

static void enum_print(FILE *out, const ProtobufCEnumDescriptor *e) {
    fputs("{ type: string, enum: [", out);
    for (unsigned i = 0; i < e->n_values; i++)
        fprintf(out, "%s%s", i ? ", " : "", e->values[i].name);
    fputs("] }", out);
}

static void type_print(struct printer *p, const ProtobufCFieldDescriptor *f) {
    if (f->type == PROTOBUF_C_TYPE_STRING)
        fputs("{ type: string }", p->out);
    else if (f->type == PROTOBUF_C_TYPE_BYTES)
        fputs("{ type: string, contentEncoding: base64 }", p->out);
    else if (f->type == PROTOBUF_C_TYPE_BOOL)
        fputs("{ type: boolean }", p->out);
    else if (f->type == PROTOBUF_C_TYPE_ENUM)
        enum_print(p->out, f->descriptor);
    else if (f->type != PROTOBUF_C_TYPE_MESSAGE)
        fprintf(p->out, "{ type: integer, %s }", integer_bounds(f->type));
    else {
        const ProtobufCMessageDescriptor *d = f->descriptor;
        schema_note(p, d);
        fprintf(p->out, "{ $ref: '#/components/schemas/%s' }", d->short_name);
    }
}

static void schema_print(struct printer *p, const ProtobufCMessageDescriptor *d) {
    fprintf(p->out, "    %s:\n      type: object\n      additionalProperties: false\n", d->short_name);
    if (d->n_fields) fputs("      properties:\n", p->out);
    for (unsigned i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        bool list = f->label == PROTOBUF_C_LABEL_REPEATED;
        fprintf(p->out, "        %s: %s", f->name, list ? "{ type: array, items: " : "");
        type_print(p, f);
        fputs(list ? " }\n" : "\n", p->out);
    }
}

static void parameter_print(struct printer *p, const ProtobufCFieldDescriptor *f, const char *where) {
    fprintf(p->out, "        - { name: %s, in: %s, required: %s, schema: ", f->name, where,
        strcmp(where, "path") == 0 ? "true" : "false");
    type_print(p, f);
    fputs(" }\n", p->out);
}

static bool takes_body(const struct route *row) {
    return strcmp(row->method, "POST") == 0 || strcmp(row->method, "PUT") == 0;
}

static void parameters_print(struct printer *p, const struct route_ready *ready) {
    bool begun = false;
    for (unsigned i = 0; i < ready->in->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &ready->in->fields[i];
        bool path = in_path(ready, f->name);
        bool query = !path && !takes_body(ready->row) && !(ready->row->flags & ROUTE_LENIENT);
        if (!path && !query) continue;
        if (!begun) fputs("      parameters:\n", p->out);
        begun = true;
        parameter_print(p, f, path ? "path" : "query");
    }
    if (ready->row->flags & ROUTE_LENIENT)
        fputs("        - { name: c, in: query, required: false, schema: { type: string } }\n", p->out);
}

static void answer_print(struct printer *p, const struct route_ready *ready) {
    fputs("      responses:\n        '200':\n          description: done\n          content:\n", p->out);
    if (ready->row->flags & ROUTE_RAW) {
        fputs("            '*/*': { schema: { type: string, contentMediaType: application/octet-stream } }\n", p->out);
    } else {
        schema_note(p, ready->out);
        fprintf(p->out, "            application/json: { schema: { $ref: '#/components/schemas/%s' } }\n",
            ready->out->short_name);
    }
    fputs("        default: { $ref: '#/components/responses/Problem' }\n", p->out);
}

/* A single-quoted scalar. */
static void quoted_print(FILE *out, const char *s) {
    fputc('\'', out);
    for (; *s; s++) {
        if (*s == '\'') fputc('\'', out);
        fputc(*s, out);
    }
    fputc('\'', out);
}

static void operation_print(struct printer *p, const struct route_ready *ready) {
    const struct route *row = ready->row;
    char method[8] = "";
    for (size_t i = 0; row->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)(row->method[i] | 0x20);
    fprintf(p->out, "    %s:\n      summary: ", method);
    quoted_print(p->out, row->doc);
    fprintf(p->out, "\n      tags: [%s]\n", row->bus_name);
    if (row->scope != SCOPE_MEMBER) fputs("      security: []\n", p->out);
    parameters_print(p, ready);
    if (takes_body(row)) {
        schema_note(p, ready->in);
        fprintf(p->out,
            "      requestBody:\n        content:\n          application/json: "
            "{ schema: { $ref: '#/components/schemas/%s' } }\n",
            ready->in->short_name);
    }
    answer_print(p, ready);
}

static bool met_before(const struct routes *routes, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (strcmp(routes_at(routes, k)->row->path, routes_at(routes, i)->row->path) == 0) return true;
    return false;
}

static void paths_print(struct printer *p, const struct routes *routes) {
    fputs("paths:\n", p->out);
    for (size_t i = 0; i < routes_length(routes); i++) {
        const char *path = routes_at(routes, i)->row->path;
        if (met_before(routes, i)) continue;
        fprintf(p->out, "  %s:\n", path);
        for (size_t k = i; k < routes_length(routes); k++)
            if (strcmp(routes_at(routes, k)->row->path, path) == 0) operation_print(p, routes_at(routes, k));
    }
}

static void errors_print(FILE *out) {
    fputs("    ErrorCode:\n      description: |-\n", out);
    for (size_t i = 0; i < CHOP_E_COUNT; i++)
        fprintf(out, "        %s %d%s: %s\n", chop_errors[i].name, chop_errors[i].http,
            chop_errors[i].retryable ? " (may be tried again)" : "", chop_errors[i].text);
    fputs("      type: string\n      enum: [", out);
    for (size_t i = 0; i < CHOP_E_COUNT; i++)
        fprintf(out, "%s%s", i ? ", " : "", chop_errors[i].name);
    fputs("]\n", out);
}

static void components_print(struct printer *p) {
    fputs("components:\n"
          "  securitySchemes:\n"
          "    bearer: { type: http, scheme: bearer }\n"
          "    cookie: { type: apiKey, in: cookie, name: chop_session }\n"
          "  responses:\n"
          "    Problem:\n"
          "      description: RFC 9457; code is one of ErrorCode, type is urn:chop:error:<code>\n"
          "      content:\n"
          "        application/problem+json: { schema: { $ref: '#/components/schemas/Problem' } }\n"
          "  schemas:\n",
        p->out);
    errors_print(p->out);
    schema_note(p, &pb__problem__descriptor);
    for (size_t i = 0; i < p->n; i++)
        schema_print(p, p->schemas[i]); /* the list grows on the way */
}

chop_err openapi_print(FILE *out) {
    struct routes *routes = NULL;
    TRY(routes_new(route_table, route_count, &routes));
    struct printer p = { .out = out };
    head_print(out);
    paths_print(&p, routes);
    components_print(&p);
    routes_free(routes);
    return ferror(out) ? CHOP_ERR(EINTERNAL) : NULL;
}
