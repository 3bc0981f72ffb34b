#include "bump.h"

#include <string.h>

#define BUMP_ALIGN ((size_t)16)

void bump_init(struct bump *b, void *buffer, size_t size) {
    size_t skew = (size_t)((uintptr_t)buffer % BUMP_ALIGN);
    size_t skip = skew ? BUMP_ALIGN - skew : 0;
    *b = (struct bump){ .p = (uint8_t *)buffer + skip, .size = size > skip ? size - skip : 0 };
}

void bump_reset(struct bump *b) {
    b->used = 0;
    b->failed = false;
}

void *bump_take(struct bump *b, size_t n) {
    size_t rounded = (n + BUMP_ALIGN - 1) & ~(BUMP_ALIGN - 1);
    if (rounded < n || rounded > b->size - b->used) {
        b->failed = true;
        return NULL;
    }
    void *at = b->p + b->used;
    b->used += rounded;
    memset(at, 0, n);
    return at;
}

static void *allocator_take(void *data, size_t n) {
    return bump_take(data, n);
}

/* Given back all at once. */
static void allocator_give(void *data, void *p) {
    (void)data;
    (void)p;
}

chop_err bump_unpack(
    struct bump *b, const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, void *ret_message) {
    static const uint8_t nothing[1] = { 0 };
    ProtobufCAllocator allocator = { allocator_take, allocator_give, b };
    bool failed_before = b->failed;
    b->failed = false;
    ProtobufCMessage *m = protobuf_c_message_unpack(desc, &allocator, bytes.n, bytes.n ? bytes.p : nothing);
    bool full = b->failed;
    b->failed = failed_before;
    if (full) return CHOP_ERR(EMEMORY);
    if (!m) return CHOP_FAIL(EINVAL, NULL, "the bytes are not a %s", desc->short_name);
    *(ProtobufCMessage **)ret_message = m;
    return NULL;
}

chop_err bump_pack(struct bump *b, const void *message, struct chop_bytes *ret_bytes) {
    size_t n = protobuf_c_message_get_packed_size(message);
    uint8_t *out = bump_take(b, n ? n : 1);
    if (!out) return CHOP_ERR(EMEMORY);
    *ret_bytes = CHOP_BYTES(out, protobuf_c_message_pack(message, out));
    return NULL;
}
