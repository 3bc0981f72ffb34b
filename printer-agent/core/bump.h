/* bump: memory from a buffer that the caller gives; nothing is freed singly. The printer has no heap. */
#pragma once
#include "base.h"
#include <protobuf-c/protobuf-c.h>

struct bump {
    uint8_t *p;
    size_t size, used;
    bool failed; /* something did not fit since the last reset */
};
void bump_init(struct bump *b, void *buffer, size_t size);
void bump_reset(struct bump *b);
/* Zeroed, aligned for any type; NULL when the buffer is full. */
void *bump_take(struct bump *b, size_t n);

/* Unpacks into the buffer: EINVAL where the bytes are no such message, EMEMORY where it does not fit. The schema's
 * messages do not nest in themselves, so the depth is bounded by the schema. */
chop_err bump_unpack(
    struct bump *b, const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, void *ret_message) CHOP_MUSTCHECK;
#define BUMP_UNPACK(b, name, bytes, ret) bump_unpack((b), &name##__descriptor, (bytes), (ret))
chop_err bump_pack(struct bump *b, const void *message, struct chop_bytes *ret_bytes) CHOP_MUSTCHECK;
