/* Values into the fields of a message, by its descriptor. */
#include "pbjson_internal.h"

#include <string.h>

enum { KIND_NONE, KIND_I32, KIND_U32, KIND_I64, KIND_U64 };

static const struct {
    uint64_t most_negative, most;
    size_t width;
} kinds[] = {
    [KIND_I32] = { (uint64_t)INT32_MAX + 1, INT32_MAX, 4 },
    [KIND_U32] = { 0, UINT32_MAX, 4 },
    [KIND_I64] = { PBJSON_MAX_INTEGER, PBJSON_MAX_INTEGER, 8 },
    [KIND_U64] = { 0, PBJSON_MAX_INTEGER, 8 },
};

static const uint8_t kind_of[PROTOBUF_C_TYPE_MESSAGE + 1] = {
    [PROTOBUF_C_TYPE_INT32] = KIND_I32,
    [PROTOBUF_C_TYPE_SINT32] = KIND_I32,
    [PROTOBUF_C_TYPE_SFIXED32] = KIND_I32,
    [PROTOBUF_C_TYPE_INT64] = KIND_I64,
    [PROTOBUF_C_TYPE_SINT64] = KIND_I64,
    [PROTOBUF_C_TYPE_SFIXED64] = KIND_I64,
    [PROTOBUF_C_TYPE_UINT32] = KIND_U32,
    [PROTOBUF_C_TYPE_FIXED32] = KIND_U32,
    [PROTOBUF_C_TYPE_UINT64] = KIND_U64,
    [PROTOBUF_C_TYPE_FIXED64] = KIND_U64,
};

bool store_is_integer(ProtobufCType type) {
    return kind_of[type] != KIND_NONE;
}

size_t store_size(ProtobufCType type) {
    if (kind_of[type]) return kinds[kind_of[type]].width;
    switch (type) {
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_ENUM:
        return sizeof(int);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return 0;
    }
}

const char *store_integer(const ProtobufCFieldDescriptor *f, struct integer v, void *slot) {
    uint8_t kind = kind_of[f->type];
    if (v.magnitude > (v.negative ? kinds[kind].most_negative : kinds[kind].most))
        return "a number is out of the field's range";
    uint64_t value = v.negative ? 0 - v.magnitude : v.magnitude; /* two's complement */
    if (kinds[kind].width == 8)
        *(uint64_t *)slot = value;
    else
        *(uint32_t *)slot = (uint32_t)value;
    return NULL;
}

const char *store_bool(bool v, void *slot) {
    *(protobuf_c_boolean *)slot = v;
    return NULL;
}

static const char *store_string(struct chop_bytes text, struct arena *mem, void *slot) {
    char *copy = arena_alloc(mem, text.n + 1);
    if (!copy) return pbjson_no_memory;
    *(char **)slot = memcpy(copy, text.p, text.n);
    return NULL;
}

static int base64_value(uint8_t c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648, section 4: padded, and the unused bits are zero, so that each value has one spelling. */
static const char *store_base64(struct chop_bytes text, struct arena *mem, void *slot) {
    static const char wrong[] = "bytes must be standard Base64 with padding";
    size_t pad = 0;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
        pad++;
    if (text.n % 4 != 0) return wrong;
    size_t digits = text.n - pad, n = text.n / 4 * 3 - pad;
    uint8_t *out = arena_alloc(mem, n + 3);
    if (!out) return pbjson_no_memory;
    uint32_t acc = 0;
    for (size_t i = 0; i < text.n; i++) {
        int v = i < digits ? base64_value(text.p[i]) : 0;
        if (v < 0) return wrong;
        acc = acc << 6 | (uint32_t)v;
        if (i % 4 != 3) continue;
        uint8_t *o = out + i / 4 * 3;
        o[0] = (uint8_t)(acc >> 16);
        o[1] = (uint8_t)(acc >> 8);
        o[2] = (uint8_t)acc;
    }
    if (out[n] != 0 || out[n + 1] != 0) return wrong;
    *(ProtobufCBinaryData *)slot = (ProtobufCBinaryData){ .len = n, .data = out };
    return NULL;
}

static const char *store_enum(const ProtobufCEnumDescriptor *e, struct chop_bytes name, void *slot) {
    for (unsigned i = 0; i < e->n_values; i++) {
        if (strlen(e->values[i].name) != name.n || memcmp(e->values[i].name, name.p, name.n) != 0) continue;
        *(int *)slot = e->values[i].value;
        return NULL;
    }
    return "no such name in this enumeration";
}

const char *store_text(const ProtobufCFieldDescriptor *f, struct chop_bytes text, struct arena *mem, void *slot) {
    if (f->type == PROTOBUF_C_TYPE_STRING) return store_string(text, mem, slot);
    if (f->type == PROTOBUF_C_TYPE_BYTES) return store_base64(text, mem, slot);
    return store_enum(f->descriptor, text, slot);
}

static int name_compare(struct chop_bytes a, const char *b) {
    size_t bn = strlen(b);
    int order = memcmp(a.p, b, a.n < bn ? a.n : bn);
    return order != 0 ? order : (a.n > bn) - (a.n < bn);
}

const ProtobufCFieldDescriptor *field_by_name(const ProtobufCMessageDescriptor *desc, struct chop_bytes name) {
    unsigned low = 0, high = desc->n_fields;
    while (low < high) {
        unsigned mid = low + (high - low) / 2;
        const ProtobufCFieldDescriptor *f = &desc->fields[desc->fields_sorted_by_name[mid]];
        int order = name_compare(name, f->name);
        if (order == 0) return f;
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

bool field_is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    const void *slot = (const uint8_t *)m + f->offset;
    if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF)
        return *(const uint32_t *)(const void *)((const uint8_t *)m + f->quantifier_offset) == f->id;
    switch (f->type) {
    case PROTOBUF_C_TYPE_STRING: {
        const char *s = *(char *const *)slot;
        return s && *s;
    }
    case PROTOBUF_C_TYPE_BYTES:
        return ((const ProtobufCBinaryData *)slot)->len > 0;
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(void *const *)slot != NULL;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        return true; /* not carried: whoever prints it must be told */
    default:
        return store_size(f->type) == 8 ? *(const uint64_t *)slot != 0 : *(const uint32_t *)slot != 0;
    }
}
