/* JSON into messages. One pass over the bytes; a value goes straight into its field. */
#include "pbjson_internal.h"

#include <stdio.h>
#include <string.h>

#define MAX_FIELDS 128 /* of one message type */

struct reader {
    struct lex in;
    const struct pbjson_limits *limits;
    struct arena *mem;
    int depth;
};

/* Where the reader is: a chain on the stack, written out only when something is refused. */
struct at {
    const struct at *up;
    struct chop_bytes name; /* of a field, or p == NULL for an item */
    size_t index;
};

static size_t path_write(const struct at *at, char *out, size_t size) {
    if (!at) return 0;
    size_t n = path_write(at->up, out, size);
    if (n >= size) return n;
    int more;
    if (at->name.p)
        more = snprintf(out + n, size - n, "%s%.*s", n ? "." : "", (int)at->name.n, (const char *)at->name.p);
    else
        more = snprintf(out + n, size - n, "[%zu]", at->index);
    return more < 0 ? n : n + (size_t)more;
}

static chop_err refuse(chop_err e, const struct at *at, const char *why) {
    char path[80] = "";
    (void)path_write(at, path, sizeof path);
    /* A stranger's key may be in it: only plain text goes on, and no sequence can be cut in two. */
    for (char *c = path; *c; c++)
        if ((uint8_t)*c <= 0x20 || (uint8_t)*c >= 0x7f) *c = '?';
    if (why == pbjson_no_memory) return CHOP_FAIL(EMEMORY, path, "the request needs too much memory");
    return chop_fail(e, path, "%s", why);
}

#define REFUSE(at, why) refuse(CHOP_ERR(EINVAL), (at), (why))
#define OVER(at, why) refuse(CHOP_ERR(ELIMIT), (at), (why))
#define CHECK(at, call)                                                                                                \
    do {                                                                                                               \
        const char *why_ = (call);                                                                                     \
        if (why_) return REFUSE((at), why_);                                                                           \
    } while (0)

static chop_err read_message(
    struct reader *r, const struct at *at, const ProtobufCMessageDescriptor *desc, ProtobufCMessage **ret_message);

static chop_err read_value(struct reader *r, const struct at *at, const ProtobufCFieldDescriptor *f, void *slot) {
    if (f->type == PROTOBUF_C_TYPE_MESSAGE) return read_message(r, at, f->descriptor, slot);
    if (store_is_integer(f->type)) {
        struct integer v;
        CHECK(at, lex_integer(&r->in, &v));
        CHECK(at, store_integer(f, v, slot));
        return NULL;
    }
    if (f->type == PROTOBUF_C_TYPE_BOOL) {
        bool v = false;
        CHECK(at, lex_bool(&r->in, &v));
        CHECK(at, store_bool(v, slot));
        return NULL;
    }
    struct chop_bytes text = { 0 };
    CHECK(at, lex_string(&r->in, r->mem, &text));
    CHECK(at, store_text(f, text, r->mem, slot));
    return NULL;
}

/* The list doubles; what it leaves behind in the arena is at most as much again. */
static chop_err list_room(struct reader *r, const struct at *at, size_t size, size_t n, void **list) {
    if (n >= r->limits->items) return OVER(at, "a list has too many items");
    if (n != 0 && (n < 4 || (n & (n - 1)) != 0)) return NULL;
    void *more = arena_array(r->mem, size, n < 4 ? 4 : 2 * n);
    if (!more) return REFUSE(at, pbjson_no_memory);
    if (n) memcpy(more, *list, n * size);
    *list = more;
    return NULL;
}

static chop_err read_items(
    struct reader *r, const struct at *at, const ProtobufCFieldDescriptor *f, void **list, size_t *ret_n) {
    size_t size = store_size(f->type), n = 0;
    do {
        struct at item = { .up = at, .index = n };
        TRY(list_room(r, &item, size, n, list));
        TRY(read_value(r, &item, f, (uint8_t *)*list + n * size));
        n++;
    } while (lex_take(&r->in, ','));
    *ret_n = n;
    return NULL;
}

static chop_err read_list(
    struct reader *r, const struct at *at, const ProtobufCFieldDescriptor *f, ProtobufCMessage *m) {
    if (!lex_take(&r->in, '[')) return REFUSE(at, "a list is expected");
    if (++r->depth > r->limits->depth) return OVER(at, "nested too deeply");
    void *list = NULL;
    size_t n = 0;
    if (lex_peek(&r->in) != ']') TRY(read_items(r, at, f, &list, &n));
    if (!lex_take(&r->in, ']')) return REFUSE(at, "a comma or the end of the list is expected");
    r->depth--;
    *(size_t *)(void *)((uint8_t *)m + f->quantifier_offset) = n;
    *(void **)field_slot(m, f) = list;
    return NULL;
}

static chop_err read_field(
    struct reader *r, const struct at *at, const ProtobufCFieldDescriptor *f, ProtobufCMessage *m) {
    if (store_size(f->type) == 0) return CHOP_FAIL(EINTERNAL, f->name, "fields of this type are not carried");
    if (f->label == PROTOBUF_C_LABEL_REPEATED) return read_list(r, at, f, m);
    bool oneof = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (oneof && *field_case(m, f) != 0) return REFUSE(at, "another of these alternatives is given already");
    TRY(read_value(r, at, f, field_slot(m, f)));
    if (oneof) *field_case(m, f) = f->id;
    return NULL;
}

struct seen {
    uint64_t bits[MAX_FIELDS / 64];
};

static bool seen_before(struct seen *s, size_t field) {
    uint64_t bit = UINT64_C(1) << (field % 64);
    bool before = (s->bits[field / 64] & bit) != 0;
    s->bits[field / 64] |= bit;
    return before;
}

static chop_err read_member(struct reader *r, const struct at *up, ProtobufCMessage *m, struct seen *seen) {
    struct at at = { .up = up };
    CHECK(up, lex_string(&r->in, r->mem, &at.name));
    const ProtobufCFieldDescriptor *f = field_by_name(m->descriptor, at.name);
    if (!f) return REFUSE(&at, "unknown field");
    if (seen_before(seen, (size_t)(f - m->descriptor->fields))) return REFUSE(&at, "the field is given twice");
    if (!lex_take(&r->in, ':')) return REFUSE(&at, "a colon is expected");
    return read_field(r, &at, f, m);
}

static chop_err read_message(
    struct reader *r, const struct at *at, const ProtobufCMessageDescriptor *desc, ProtobufCMessage **ret_message) {
    if (!lex_take(&r->in, '{')) return REFUSE(at, "an object is expected");
    if (++r->depth > r->limits->depth) return OVER(at, "nested too deeply");
    if (desc->n_fields > MAX_FIELDS) return CHOP_FAIL(EINTERNAL, NULL, "%s has too many fields", desc->name);
    ProtobufCMessage *m = arena_alloc(r->mem, desc->sizeof_message);
    if (!m) return REFUSE(at, pbjson_no_memory);
    desc->message_init(m);
    struct seen seen = { { 0 } };
    if (lex_peek(&r->in) != '}') {
        do
            TRY(read_member(r, at, m, &seen));
        while (lex_take(&r->in, ','));
    }
    if (!lex_take(&r->in, '}')) return REFUSE(at, "a comma or the end of the object is expected");
    r->depth--;
    *ret_message = m;
    return NULL;
}

chop_err pbjson_read(const ProtobufCMessageDescriptor *desc, struct chop_bytes json, const struct pbjson_limits *limits,
    struct arena *mem, void *ret_message) {
    if (json.n > limits->bytes) return CHOP_FAIL(ELIMIT, NULL, "the text is longer than %zu bytes", limits->bytes);
    struct reader r = { .in = { json.p, json.p + json.n }, .limits = limits, .mem = mem };
    ProtobufCMessage *m = NULL;
    TRY(read_message(&r, NULL, desc, &m));
    (void)lex_peek(&r.in);
    if (r.in.p != r.in.end) return REFUSE(NULL, "something follows the object");
    *(ProtobufCMessage **)ret_message = m;
    return NULL;
}

static const char *set_value(const ProtobufCFieldDescriptor *f, const char *text, struct arena *mem, void *slot) {
    struct chop_bytes b = chop_str(text);
    struct lex in = { b.p, b.p + b.n };
    struct integer number = { 0 };
    bool truth = false;
    const char *why = NULL;
    if (store_is_integer(f->type)) {
        if (b.n == 0 || b.p[0] <= ' ') return "an integer is expected";
        why = lex_integer(&in, &number);
        if (!why) why = in.p == in.end ? store_integer(f, number, slot) : "an integer is expected";
    } else if (f->type == PROTOBUF_C_TYPE_BOOL) {
        why = lex_bool(&in, &truth);
        if (!why) why = in.p == in.end ? store_bool(truth, slot) : "true or false is expected";
    } else {
        why = chop_utf8_valid(text, b.n) ? store_text(f, b, mem, slot) : "the text is not valid UTF-8";
    }
    return why;
}

chop_err pbjson_set(void *message, const char *field, const char *text, struct arena *mem) {
    ProtobufCMessage *m = message;
    struct at at = { .name = chop_str(field) };
    const ProtobufCFieldDescriptor *f = field_by_name(m->descriptor, at.name);
    if (!f) return REFUSE(&at, "unknown field");
    bool plain = f->type != PROTOBUF_C_TYPE_MESSAGE && store_size(f->type) != 0;
    if (f->label == PROTOBUF_C_LABEL_REPEATED || !plain) return REFUSE(&at, "this field cannot be given here");
    if (field_is_set(m, f)) return REFUSE(&at, "the field is given twice");
    bool oneof = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
    if (oneof && *field_case(m, f) != 0) return REFUSE(&at, "another of these alternatives is given already");
    CHECK(&at, set_value(f, text, mem, field_slot(m, f)));
    if (oneof) *field_case(m, f) = f->id;
    return NULL;
}
