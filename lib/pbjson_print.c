/* Messages into compact JSON: one pass, into a buffer that doubles in the arena. */
#include "pbjson_internal.h"

#include <string.h>

struct out {
    struct arena *mem;
    char *p;
    size_t n, cap;
};

static bool room(struct out *o, size_t more) {
    if (o->cap - o->n >= more) return true;
    size_t cap = o->cap * 2 > o->n + more ? o->cap * 2 : o->n + more + 1024;
    char *p = arena_alloc(o->mem, cap);
    if (!p) return false;
    if (o->n) memcpy(p, o->p, o->n);
    o->p = p;
    o->cap = cap;
    return true;
}

static bool put(struct out *o, const char *s, size_t n) {
    if (!room(o, n)) return false;
    memcpy(o->p + o->n, s, n);
    o->n += n;
    return true;
}

static bool put_char(struct out *o, char c) {
    return put(o, &c, 1);
}

static bool put_number(struct out *o, uint64_t magnitude, bool negative) {
    char digits[21];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + magnitude % 10);
    while ((magnitude /= 10) != 0);
    if (negative) digits[--at] = '-';
    return put(o, digits + at, sizeof digits - at);
}

static bool put_escape(struct out *o, uint8_t c) {
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) return put(o, (char[]){ '\\', to[simple - from] }, 2);
    return put(o, (char[]){ '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] }, 6);
}

static bool put_string(struct out *o, const char *s) {
    if (!put_char(o, '"')) return false;
    const char *run = s;
    for (; *s; s++) {
        uint8_t c = (uint8_t)*s;
        if (c >= 0x20 && c != '"' && c != '\\') continue;
        if (!put(o, run, (size_t)(s - run)) || !put_escape(o, c)) return false;
        run = s + 1;
    }
    return put(o, run, (size_t)(s - run)) && put_char(o, '"');
}

static bool put_base64(struct out *o, struct chop_bytes b) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (!room(o, (b.n + 2) / 3 * 4 + 2)) return false;
    char *w = o->p + o->n;
    *w++ = '"';
    for (size_t i = 0; i < b.n; i += 3) {
        size_t left = b.n - i;
        uint32_t v = (uint32_t)b.p[i] << 16 | (left > 1 ? (uint32_t)b.p[i + 1] << 8 : 0) | (left > 2 ? b.p[i + 2] : 0);
        *w++ = digits[v >> 18];
        *w++ = digits[v >> 12 & 63];
        *w++ = left > 1 ? digits[v >> 6 & 63] : '=';
        *w++ = left > 2 ? digits[v & 63] : '=';
    }
    *w++ = '"';
    o->n = (size_t)(w - o->p);
    return true;
}

static chop_err print_message(struct out *o, const ProtobufCMessage *m, int depth);

#define PUT(call)                                                                                                      \
    do {                                                                                                               \
        if (!(call)) return CHOP_ERR(EMEMORY);                                                                         \
    } while (0)

static chop_err print_integer(struct out *o, const ProtobufCFieldDescriptor *f, const void *slot) {
    bool is_signed = f->type <= PROTOBUF_C_TYPE_SFIXED64, wide = store_size(f->type) == 8;
    uint64_t v = wide ? *(const uint64_t *)slot : *(const uint32_t *)slot;
    if (is_signed && !wide) v = (uint64_t)(int64_t) * (const int32_t *)slot;
    bool negative = is_signed && (int64_t)v < 0;
    uint64_t magnitude = negative ? 0 - v : v;
    if (magnitude > PBJSON_MAX_INTEGER) return CHOP_FAIL(EINTERNAL, f->name, "an integer is beyond 2^53-1");
    PUT(put_number(o, magnitude, negative));
    return NULL;
}

/* A value that this build does not know by name is printed as its number, as protobuf's own mapping does. */
static chop_err print_enum(struct out *o, const ProtobufCFieldDescriptor *f, int value) {
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(f->descriptor, value);
    if (known)
        PUT(put_string(o, known->name));
    else
        PUT(put_number(o, (uint64_t)(value < 0 ? -(int64_t)value : value), value < 0));
    return NULL;
}

static chop_err print_text(struct out *o, const ProtobufCFieldDescriptor *f, const char *s) {
    if (!s) s = "";
    if (!chop_utf8_valid(s, strlen(s))) return CHOP_FAIL(EINTERNAL, f->name, "a text is not valid UTF-8");
    PUT(put_string(o, s));
    return NULL;
}

static chop_err print_value(struct out *o, const ProtobufCFieldDescriptor *f, const void *slot, int depth) {
    switch (f->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        return print_message(o, *(ProtobufCMessage *const *)slot, depth + 1);
    case PROTOBUF_C_TYPE_STRING:
        return print_text(o, f, *(char *const *)slot);
    case PROTOBUF_C_TYPE_ENUM:
        return print_enum(o, f, *(const int *)slot);
    case PROTOBUF_C_TYPE_BYTES:
        PUT(put_base64(o, PB_BYTES(*(const ProtobufCBinaryData *)slot)));
        return NULL;
    case PROTOBUF_C_TYPE_BOOL:
        PUT(*(const protobuf_c_boolean *)slot ? put(o, "true", 4) : put(o, "false", 5));
        return NULL;
    default:
        return print_integer(o, f, slot);
    }
}

static chop_err print_list(struct out *o, const ProtobufCFieldDescriptor *f, const uint8_t *list, size_t n, int depth) {
    size_t size = store_size(f->type);
    PUT(put_char(o, '['));
    for (size_t i = 0; i < n; i++) {
        if (i) PUT(put_char(o, ','));
        TRY(print_value(o, f, list + i * size, depth));
    }
    PUT(put_char(o, ']'));
    return NULL;
}

static size_t list_length(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    return *(const size_t *)(const void *)((const uint8_t *)m + f->quantifier_offset);
}

static chop_err print_field(struct out *o, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f, int depth) {
    const uint8_t *slot = (const uint8_t *)m + f->offset;
    if (store_size(f->type) == 0) return CHOP_FAIL(EINTERNAL, f->name, "fields of this type are not carried");
    if (o->p[o->n - 1] != '{') PUT(put_char(o, ','));
    PUT(put_char(o, '"') && put(o, f->name, strlen(f->name)) && put(o, "\":", 2));
    if (f->label != PROTOBUF_C_LABEL_REPEATED) return print_value(o, f, slot, depth);
    return print_list(o, f, *(uint8_t *const *)(const void *)slot, list_length(m, f), depth);
}

static chop_err print_message(struct out *o, const ProtobufCMessage *m, int depth) {
    if (depth > 2 * PB_MAX_DEPTH) return CHOP_FAIL(EINTERNAL, NULL, "a message is nested too deeply");
    PUT(put_char(o, '{'));
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        bool set = f->label == PROTOBUF_C_LABEL_REPEATED ? list_length(m, f) > 0 : field_is_set(m, f);
        if (set) TRY(print_field(o, m, f, depth));
    }
    PUT(put_char(o, '}'));
    return NULL;
}

chop_err pbjson_print(const void *message, struct arena *mem, struct chop_bytes *ret_json) {
    struct out o = { .mem = mem };
    TRY(print_message(&o, message, 0));
    *ret_json = CHOP_BYTES(o.p, o.n);
    return NULL;
}
