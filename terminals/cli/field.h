/* field: fields of messages by name, driven by protobuf-c descriptors. */
#pragma once
#include "pb.h"

#include <protobuf-c/protobuf-c.h>

const ProtobufCFieldDescriptor *field_find(const ProtobufCMessageDescriptor *d, const char *name, size_t n);
/* Whether a field holds anything but its default. */
bool field_set(const void *message, const ProtobufCFieldDescriptor *f);
/* The message in a singular message field, NULL if unset. */
ProtobufCMessage *field_message(const void *message, const ProtobufCFieldDescriptor *f);
size_t field_count(const void *message, const ProtobufCFieldDescriptor *f);

/* Sets a scalar by path ("document.facts.number"), making the messages on the way. EINVAL. */
chop_err field_put(void *message, const char *path, const char *text, struct arena *mem) CHOP_MUSTCHECK;
chop_err field_put_bytes(void *message, const char *path, struct chop_bytes b, struct arena *mem) CHOP_MUSTCHECK;
/* Sets a singular message, also as the member of a oneof. */
chop_err field_put_message(void *message, const char *name, const void *sub) CHOP_MUSTCHECK;
/* Appends to a repeated text or message field. */
chop_err field_add(void *message, const char *path, const void *item, struct arena *mem) CHOP_MUSTCHECK;
/* A scalar as text, "" where unset: times as they are. */
const char *field_text(const void *message, const char *path, struct arena *mem);
/* One singular scalar or one item of a repeated one, as text; NULL for bytes and messages. */
const char *field_item_text(const void *message, const ProtobufCFieldDescriptor *f, size_t i, struct arena *mem);
/* Whether all that is set in `asked` is so in `shown` (bytes and passwords, which content leaves out, aside); else the
 * name of the first field that differs. */
const char *field_differs(const void *asked, const void *shown);
/* Copies one field of a message of the same kind; its contents are shared. */
void field_copy(void *to, const void *from, const ProtobufCFieldDescriptor *f);
/* A shallow copy; then a scalar field of it may be cleared. NULL when memory is out. */
void *field_clone(const void *message, struct arena *mem);
void field_clear(void *message, const ProtobufCFieldDescriptor *f);
