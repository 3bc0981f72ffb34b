/* pbjson_internal: the lexer and the field stores that the reader and pbjson_set share.
 * These functions return NULL on success, else why the text is refused: only their caller knows the path. */
#pragma once
#include "pbjson.h"

#include <protobuf-c/protobuf-c.h>

#define PBJSON_MAX_INTEGER ((uint64_t)9007199254740991) /* 2^53-1: what every JSON peer holds exactly */
#define PBJSON_NO_MEMORY "out of memory"                /* compared by address: becomes EMEMORY */
extern const char pbjson_no_memory[];

struct lex {
    const uint8_t *p, *end;
};

struct integer {
    bool negative;
    uint64_t magnitude;
};

/* Skips white space and says what comes next; 0 at the end. */
int lex_peek(struct lex *l);
/* Takes the character c, after white space; false where something else comes. */
bool lex_take(struct lex *l, char c);
/* A quoted string. Without escapes *ret points into the text, else into the arena. */
const char *lex_string(struct lex *l, struct arena *mem, struct chop_bytes *ret) CHOP_MUSTCHECK;
const char *lex_integer(struct lex *l, struct integer *ret) CHOP_MUSTCHECK;
const char *lex_bool(struct lex *l, bool *ret) CHOP_MUSTCHECK;

/* The bytes that one value of this type takes in a message; 0 for types that pbjson does not carry (floats). */
size_t store_size(ProtobufCType type);
/* Each writes one value of the field's type to slot. */
const char *store_integer(const ProtobufCFieldDescriptor *f, struct integer v, void *slot) CHOP_MUSTCHECK;
const char *store_bool(bool v, void *slot) CHOP_MUSTCHECK;
/* A string, bytes in Base64 or the name of an enum's value. */
const char *store_text(
    const ProtobufCFieldDescriptor *f, struct chop_bytes text, struct arena *mem, void *slot) CHOP_MUSTCHECK;
bool store_is_integer(ProtobufCType type);
/* The field of this name; NULL where unknown. */
const ProtobufCFieldDescriptor *field_by_name(const ProtobufCMessageDescriptor *desc, struct chop_bytes name);
/* Whether a singular field holds anything but its default. */
bool field_is_set(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f);
/* Where a oneof notes which of its members is set. */
static inline uint32_t *field_case(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    return (uint32_t *)(void *)((uint8_t *)m + f->quantifier_offset);
}
static inline void *field_slot(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    return (uint8_t *)m + f->offset;
}
