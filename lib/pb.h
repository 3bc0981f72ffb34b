/* pb: protobuf-c with arenas: bounded unpacking, packing, copying. */
#pragma once
#include "arena.h"

typedef struct ProtobufCMessage ProtobufCMessage;
typedef struct ProtobufCMessageDescriptor ProtobufCMessageDescriptor;

#define PB_MAX_BYTES ((size_t)4 << 20)
#define PB_MAX_DEPTH 16

/* Unpacks into the arena; EINVAL where bytes are not a message of this type, ELIMIT above PB_MAX_BYTES or nested
 * deeper than PB_MAX_DEPTH. Text fields are checked to be UTF-8. */
chop_err pb_unpack(const ProtobufCMessageDescriptor *desc, struct chop_bytes bytes, struct arena *mem,
    void *ret_message /* Pb__X ** */) CHOP_MUSTCHECK;
/* Packs into the arena; EMEMORY. */
chop_err pb_pack(const void *message, struct arena *mem, struct chop_bytes *ret_bytes) CHOP_MUSTCHECK;
/* An initialised empty message in the arena; NULL when memory is out. */
void *pb_new(const ProtobufCMessageDescriptor *desc, struct arena *mem);
/* PB_NEW(mem, Pb__Seal, pb__seal) */
#define PB_NEW(mem, Type, name) ((Type *)pb_new(&name##__descriptor, (mem)))
#define PB_UNPACK(name, bytes, mem, ret) pb_unpack(&name##__descriptor, (bytes), (mem), (ret))
/* struct chop_bytes from a ProtobufCBinaryData and back. */
#define PB_BYTES(bd) CHOP_BYTES((bd).data, (bd).len)
#define PB_BIN(b) ((ProtobufCBinaryData){ .len = (b).n, .data = (uint8_t *)(uintptr_t)(b).p })
/* proto3 strings are never NULL after unpacking; to set one: */
#define PB_STR(s) ((char *)(uintptr_t)(s))
