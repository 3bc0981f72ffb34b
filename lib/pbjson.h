/* pbjson: protobuf messages as JSON, driven by protobuf-c descriptors.
 * Field names are the proto names. int32..uint64 are JSON integers (|x| <= 2^53-1), bool is true/false, bytes is
 * standard Base64 with padding, enums are their names, repeated is an array, a oneof is its one member.
 * Empty strings, zeros, empty lists and unset messages are left out when printing. */
#pragma once
#include "pb.h"

struct pbjson_limits {
    size_t bytes; /* of the whole text */
    int depth;
    size_t items; /* of any array */
};
#define PBJSON_LIMITS ((struct pbjson_limits){ (size_t)4 << 20, 16, 1000 })

/* Reads UTF-8 JSON into a message of `desc` in the arena. EINVAL names the field by path ("document.sha256"):
 * unknown field, wrong type, null, duplicate key, bad UTF-8, number out of range, trailing text, NaN, a fraction.
 * ELIMIT, with the path, above one of the limits; EMEMORY when the arena is full. */
chop_err pbjson_read(const ProtobufCMessageDescriptor *desc, struct chop_bytes json, const struct pbjson_limits *limits,
    struct arena *mem, void *ret_message) CHOP_MUSTCHECK;
/* Prints compact UTF-8 JSON into the arena, fields in the order of their numbers. EINTERNAL names a field that JSON
 * cannot carry: an integer beyond 2^53-1, text that is not UTF-8, a floating-point number. */
chop_err pbjson_print(const void *message, struct arena *mem, struct chop_bytes *ret_json) CHOP_MUSTCHECK;
/* Sets a scalar field by name from text (path and query parameters); EINVAL for an unknown field, a bad number, a list
 * or message, and a field that has a value already: a body and a path cannot disagree. */
chop_err pbjson_set(void *message, const char *field, const char *text, struct arena *mem) CHOP_MUSTCHECK;
