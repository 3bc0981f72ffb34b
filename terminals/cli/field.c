#include "field.h"

#include "pbjson.h"

#include <stdio.h>
#include <string.h>

const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *d, const char *name, size_t n) {
    for (unsigned i = 0; i < d->n_fields; i++)
        if (strlen(d->fields[i].name) == n && memcmp(d->fields[i].name, name, n) == 0) return &d->fields[i];
    return NULL;
}

static void *slot(const void *message, const ProtobufCFieldDescriptor *f) {
    return (uint8_t *)(uintptr_t)message + f->offset;
}

static uint32_t *oneof_case(const void *message, const ProtobufCFieldDescriptor *f) {
    return (uint32_t *)(void *)((uint8_t *)(uintptr_t)message + f->quantifier_offset);
}

static bool in_oneof(const ProtobufCFieldDescriptor *f) {
    return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

static bool repeated(const ProtobufCFieldDescriptor *f) {
    return f->label == PROTOBUF_C_LABEL_REPEATED;
}

size_t field_count(const void *message, const ProtobufCFieldDescriptor *f) {
    return repeated(f) ? *(size_t *)(void *)((uint8_t *)(uintptr_t)message + f->quantifier_offset) : 0;
}

ProtobufCMessage *field_message(const void *message, const ProtobufCFieldDescriptor *f) {
    if (f->type != PROTOBUF_C_TYPE_MESSAGE || repeated(f)) return NULL;
    if (in_oneof(f) && *oneof_case(message, f) != f->id) return NULL;
    return *(ProtobufCMessage **)slot(message, f);
}

static int64_t number(const void *p, ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: return *(const int64_t *)p;
    case PROTOBUF_C_TYPE_UINT32: return *(const uint32_t *)p;
    case PROTOBUF_C_TYPE_BOOL: return *(const protobuf_c_boolean *)p;
    default: return *(const int32_t *)p;
    }
}

bool field_set(const void *message, const ProtobufCFieldDescriptor *f) {
    if (repeated(f)) return field_count(message, f) > 0;
    if (in_oneof(f) && *oneof_case(message, f) != f->id) return false;
    const void *p = slot(message, f);
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) return *(void *const *)p != NULL;
    if (f->type == PROTOBUF_C_TYPE_BYTES) return ((const ProtobufCBinaryData *)p)->len > 0;
    if (f->type == PROTOBUF_C_TYPE_STRING) return *(char *const *)p && **(char *const *)p;
    return number(p, f->type) != 0;
}

/* ---- setting ---- */

static chop_err no_field(const char *path) {
    return CHOP_FAIL(EINVAL, path, "no such field");
}

chop_err field_put_message(void *message, const char *name, const void *sub) {
    const ProtobufCFieldDescriptor *f = field_find(((ProtobufCMessage *)message)->descriptor, name, strlen(name));
    if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE || repeated(f)) return no_field(name);
    if (in_oneof(f)) *oneof_case(message, f) = f->id;
    *(const void **)slot(message, f) = sub;
    return NULL;
}

/* The message that holds the path's last name. */
static chop_err descend(void *message, const char *path, struct arena *mem, void **ret_holder, const char **ret_name) {
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        const ProtobufCFieldDescriptor *f =
            field_find(((ProtobufCMessage *)message)->descriptor, path, (size_t)(dot - path));
        if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE || repeated(f)) return no_field(path);
        void *sub = field_message(message, f);
        if (!sub) {
            sub = pb_new(f->descriptor, mem);
            if (!sub) return CHOP_ERR(EMEMORY);
            TRY(field_put_message(message, f->name, sub));
        }
        message = sub;
    }
    *ret_holder = message;
    *ret_name = path;
    return NULL;
}

chop_err field_put(void *message, const char *path, const char *text, struct arena *mem) {
    void *holder;
    const char *name;
    TRY(descend(message, path, mem, &holder, &name));
    return pbjson_set(holder, name, text, mem);
}

chop_err field_put_bytes(void *message, const char *path, struct chop_bytes b, struct arena *mem) {
    void *holder;
    const char *name;
    TRY(descend(message, path, mem, &holder, &name));
    const ProtobufCFieldDescriptor *f = field_find(((ProtobufCMessage *)holder)->descriptor, name, strlen(name));
    if (!f || f->type != PROTOBUF_C_TYPE_BYTES || repeated(f)) return no_field(path);
    *(ProtobufCBinaryData *)slot(holder, f) = PB_BIN(b);
    return NULL;
}

chop_err field_add(void *message, const char *path, const void *item, struct arena *mem) {
    void *holder;
    const char *name;
    TRY(descend(message, path, mem, &holder, &name));
    const ProtobufCFieldDescriptor *f = field_find(((ProtobufCMessage *)holder)->descriptor, name, strlen(name));
    if (!f || !repeated(f) || (f->type != PROTOBUF_C_TYPE_STRING && f->type != PROTOBUF_C_TYPE_MESSAGE))
        return no_field(path);
    size_t n = field_count(holder, f);
    const void **more = ARENA_ARRAY(mem, const void *, n + 1);
    if (!more) return CHOP_ERR(EMEMORY);
    if (n) memcpy(more, *(void **)slot(holder, f), n * sizeof *more);
    more[n] = item;
    *(const void ***)slot(holder, f) = more;
    *(size_t *)(void *)((uint8_t *)holder + f->quantifier_offset) = n + 1;
    return NULL;
}

/* ---- reading ---- */

static size_t item_size(ProtobufCType type) {
    switch (type) {
    case PROTOBUF_C_TYPE_STRING: return sizeof(char *);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_UINT64: return 8;
    case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
    default: return 4;
    }
}

const char *field_item_text(const void *message, const ProtobufCFieldDescriptor *f, size_t i, struct arena *mem) {
    if (f->type == PROTOBUF_C_TYPE_BYTES || f->type == PROTOBUF_C_TYPE_MESSAGE) return NULL;
    const uint8_t *p = slot(message, f);
    if (repeated(f)) p = *(uint8_t *const *)(const void *)p + i * item_size(f->type);
    if (f->type == PROTOBUF_C_TYPE_STRING) return *(char *const *)(const void *)p;
    if (f->type == PROTOBUF_C_TYPE_BOOL) return number(p, f->type) ? "yes" : "no";
    return arena_printf(mem, "%lld", (long long)number(p, f->type));
}

const char *field_text(const void *message, const char *path, struct arena *mem) {
    for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
        const ProtobufCFieldDescriptor *f =
            field_find(((const ProtobufCMessage *)message)->descriptor, path, (size_t)(dot - path));
        message = f ? field_message(message, f) : NULL;
        if (!message) return "";
    }
    const ProtobufCFieldDescriptor *f = field_find(((const ProtobufCMessage *)message)->descriptor, path, strlen(path));
    if (!f || !field_set(message, f)) return "";
    if (!repeated(f)) {
        const char *text = field_item_text(message, f, 0, mem);
        return text ? text : "";
    }
    const char *all = "";
    for (size_t i = 0; i < field_count(message, f); i++) {
        const char *one = field_item_text(message, f, i, mem);
        if (one) all = arena_printf(mem, "%s%s%s", all, i ? "," : "", one);
    }
    return all;
}

/* ---- comparing ---- */

static bool left_out(const ProtobufCFieldDescriptor *f) {
    return f->type == PROTOBUF_C_TYPE_BYTES || strstr(f->name, "password");
}

static const char *item_differs(const void *asked, const void *shown, const ProtobufCFieldDescriptor *f, size_t i) {
    if (f->type == PROTOBUF_C_TYPE_MESSAGE)
        return field_differs((*(void ***)slot(asked, f))[i], (*(void ***)slot(shown, f))[i]);
    const uint8_t *a = *(uint8_t **)slot(asked, f), *b = *(uint8_t **)slot(shown, f);
    size_t size = item_size(f->type);
    if (f->type == PROTOBUF_C_TYPE_STRING)
        return strcmp(((char **)(uintptr_t)a)[i], ((char **)(uintptr_t)b)[i]) == 0 ? NULL : f->name;
    return memcmp(a + i * size, b + i * size, size) == 0 ? NULL : f->name;
}

static const char *one_differs(const void *asked, const void *shown, const ProtobufCFieldDescriptor *f) {
    if (!field_set(asked, f) || left_out(f)) return NULL;
    if (repeated(f)) {
        if (field_count(asked, f) != field_count(shown, f)) return f->name;
        for (size_t i = 0; i < field_count(asked, f); i++) {
            const char *name = item_differs(asked, shown, f, i);
            if (name) return name;
        }
        return NULL;
    }
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        const void *sub = field_message(shown, f);
        return sub ? field_differs(field_message(asked, f), sub) : f->name;
    }
    if (!field_set(shown, f)) return f->name;
    const void *a = slot(asked, f), *b = slot(shown, f);
    bool same = f->type == PROTOBUF_C_TYPE_STRING ? strcmp(*(char *const *)a, *(char *const *)b) == 0
                                                  : number(a, f->type) == number(b, f->type);
    return same ? NULL : f->name;
}

const char *field_differs(const void *asked, const void *shown) {
    const ProtobufCMessageDescriptor *d = ((const ProtobufCMessage *)asked)->descriptor;
    if (((const ProtobufCMessage *)shown)->descriptor != d) return d->short_name;
    for (unsigned i = 0; i < d->n_fields; i++) {
        const char *name = one_differs(asked, shown, &d->fields[i]);
        if (name) return name;
    }
    return NULL;
}

void field_copy(void *to, const void *from, const ProtobufCFieldDescriptor *f) {
    size_t size = repeated(f) || f->type == PROTOBUF_C_TYPE_MESSAGE ? sizeof(void *)
                  : f->type == PROTOBUF_C_TYPE_BYTES                ? sizeof(ProtobufCBinaryData)
                                                                    : item_size(f->type);
    memcpy(slot(to, f), slot(from, f), size);
    if (repeated(f)) *(size_t *)(void *)((uint8_t *)to + f->quantifier_offset) = field_count(from, f);
}

void *field_clone(const void *message, struct arena *mem) {
    size_t n = ((const ProtobufCMessage *)message)->descriptor->sizeof_message;
    void *copy = arena_alloc(mem, n);
    if (copy) memcpy(copy, message, n);
    return copy;
}

void field_clear(void *message, const ProtobufCFieldDescriptor *f) {
    if (f->type == PROTOBUF_C_TYPE_STRING)
        *(const char **)slot(message, f) = protobuf_c_empty_string;
    else if (f->type != PROTOBUF_C_TYPE_MESSAGE && f->type != PROTOBUF_C_TYPE_BYTES && !repeated(f))
        memset(slot(message, f), 0, item_size(f->type));
}
