#include "pb.h"

#include <protobuf-c/protobuf-c.h>

/* protobuf-c trusts its input's shape: it recurses as deep as the bytes say, cuts a text at its first NUL and does not
 * look at UTF-8. So the wire format is walked once before it is let near the bytes; what passes here is bounded. */

struct wire {
    const uint8_t *p, *end;
};

/* One varint of at most 10 bytes (64 bits). */
static bool wire_varint(struct wire *w, uint64_t *ret_value) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70 && w->p < w->end; shift += 7) {
        uint8_t byte = *w->p++;
        if (shift == 63 && byte > 1) return false;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool wire_skip(struct wire *w, uint64_t n) {
    if (n > (uint64_t)(w->end - w->p)) return false;
    w->p += n;
    return true;
}

static bool wire_tag(struct wire *w, uint32_t *ret_number, unsigned *ret_type) {
    uint64_t tag;
    if (!wire_varint(w, &tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    *ret_number = (uint32_t)(tag >> 3);
    *ret_type = (unsigned)(tag & 7);
    return true;
}

/* Takes one value; a length-delimited one is given as `ret_inner`. Groups (types 3 and 4) are refused. */
static bool wire_value(struct wire *w, unsigned type, struct chop_bytes *ret_inner) {
    uint64_t n;
    switch (type) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        return wire_varint(w, &n);
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        return wire_skip(w, 8);
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        return wire_skip(w, 4);
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!wire_varint(w, &n)) return false;
        *ret_inner = CHOP_BYTES(w->p, (size_t)n);
        return wire_skip(w, n);
    default:
        return false;
    }
}

static chop_err malformed(const ProtobufCMessageDescriptor *desc) {
    return CHOP_FAIL(EINVAL, NULL, "the bytes are not a %s", desc->short_name);
}

static chop_err scan_message(const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, int depth);

static chop_err scan_inner(const ProtobufCFieldDescriptor *field, struct chop_bytes inner, int depth) {
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) return scan_message(field->descriptor, inner, depth + 1);
    if (field->type == PROTOBUF_C_TYPE_STRING && !chop_utf8_valid((const char *)inner.p, inner.n))
        return CHOP_FAIL(EINVAL, field->name, "the text is not UTF-8");
    return NULL;
}

static chop_err scan_field(const ProtobufCMessageDescriptor *desc, struct wire *w, int depth) {
    uint32_t number;
    unsigned type;
    struct chop_bytes inner = { NULL, 0 };
    if (!wire_tag(w, &number, &type) || !wire_value(w, type, &inner)) return malformed(desc);
    if (type != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED) return NULL;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(desc, number);
    return field ? scan_inner(field, inner, depth) : NULL;
}

static chop_err scan_message(const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, int depth) {
    if (depth > PB_MAX_DEPTH) return CHOP_FAIL(ELIMIT, NULL, "nested deeper than %d", PB_MAX_DEPTH);
    struct wire w = { bytes.p, bytes.p + bytes.n };
    while (w.p < w.end)
        TRY(scan_field(desc, &w, depth));
    return NULL;
}

struct arena_allocator {
    ProtobufCAllocator base;
    struct arena *mem;
    bool out_of_memory;
};

static void *allocator_take(void *data, size_t size) {
    struct arena_allocator *a = data;
    void *p = arena_alloc(a->mem, size);
    if (!p) a->out_of_memory = true;
    return p;
}

/* The arena gives back all at once. */
static void allocator_give(void *data, void *pointer) {
    (void)data;
    (void)pointer;
}

chop_err pb_unpack(
    const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, struct arena *mem, void *ret_message) {
    static const uint8_t nothing[1];
    if (bytes.n > PB_MAX_BYTES) return CHOP_FAIL(ELIMIT, NULL, "a message of %zu bytes", bytes.n);
    if (bytes.n == 0) bytes.p = nothing;
    TRY(scan_message(desc, bytes, 1));
    struct arena_allocator a = { { allocator_take, allocator_give, NULL }, mem, false };
    a.base.allocator_data = &a;
    ProtobufCMessage *message = protobuf_c_message_unpack(desc, &a.base, bytes.n, bytes.p);
    if (a.out_of_memory) return CHOP_ERR(EMEMORY);
    if (!message) return malformed(desc);
    *(ProtobufCMessage **)ret_message = message;
    return NULL;
}

chop_err pb_pack(const void *message, struct arena *mem, struct chop_bytes *ret_bytes) {
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *out = arena_alloc(mem, n);
    if (!out) return CHOP_ERR(EMEMORY);
    *ret_bytes = CHOP_BYTES(out, protobuf_c_message_pack(message, out));
    return NULL;
}

void *pb_new(const ProtobufCMessageDescriptor *desc, struct arena *mem) {
    ProtobufCMessage *message = arena_alloc(mem, desc->sizeof_message);
    if (message) protobuf_c_message_init(desc, message);
    return message;
}
