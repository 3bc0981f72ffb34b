/* unit_pb: bounded unpacking. Every refusal has its neighbour that is accepted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common.pb-c.h"
#include "pb.h"

/* A message that holds itself, as no message of ours does: field 1 `child`, field 2 `name`, field 3 `many`. */
struct node {
    ProtobufCMessage base;
    struct node *child;
    char *name;
    size_t n_many;
    struct node **many;
};
extern const ProtobufCMessageDescriptor node_descriptor;

static void node_init(ProtobufCMessage *m) {
    *(struct node *)m = (struct node){ .base = { &node_descriptor, 0, NULL }, .name = PB_STR(protobuf_c_empty_string) };
}

static const ProtobufCFieldDescriptor node_fields[] = {
    { .name = "child",
        .id = 1,
        .label = PROTOBUF_C_LABEL_NONE,
        .type = PROTOBUF_C_TYPE_MESSAGE,
        .offset = offsetof(struct node, child),
        .descriptor = &node_descriptor },
    { .name = "name",
        .id = 2,
        .label = PROTOBUF_C_LABEL_NONE,
        .type = PROTOBUF_C_TYPE_STRING,
        .offset = offsetof(struct node, name),
        .default_value = &protobuf_c_empty_string },
    { .name = "many",
        .id = 3,
        .label = PROTOBUF_C_LABEL_REPEATED,
        .type = PROTOBUF_C_TYPE_MESSAGE,
        .quantifier_offset = offsetof(struct node, n_many),
        .offset = offsetof(struct node, many),
        .descriptor = &node_descriptor },
};
static const unsigned node_by_name[] = { 0, 2, 1 };
static const ProtobufCIntRange node_ranges[] = { { 1, 0 }, { 0, 3 } };
const ProtobufCMessageDescriptor node_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "test.Node",
    .short_name = "Node",
    .c_name = "Node",
    .package_name = "test",
    .sizeof_message = sizeof(struct node),
    .n_fields = 3,
    .fields = node_fields,
    .fields_sorted_by_name = node_by_name,
    .n_field_ranges = 1,
    .field_ranges = node_ranges,
    .message_init = node_init,
};

static int setup(void **state) {
    *state = arena_new((size_t)8 << 20);
    return *state ? 0 : -1;
}

static int teardown(void **state) {
    arena_free(*state);
    return 0;
}

/* `depth` messages, one within the other, in field `tag`; returns where it starts in buf[size]. */
static struct chop_bytes nest(uint8_t *buf, size_t size, int depth, uint8_t tag) {
    size_t at = size;
    for (int i = 1; i < depth; i++) {
        size_t n = size - at;
        if (n >= 128)
            buf[--at] = (uint8_t)(n >> 7), buf[--at] = (uint8_t)(n | 0x80);
        else
            buf[--at] = (uint8_t)n;
        buf[--at] = tag;
    }
    return CHOP_BYTES(buf + at, size - at);
}

static void test_depth(void **state) {
    uint8_t buf[16000];
    struct node *m = NULL;
    for (uint8_t tag = 0x0a; tag <= 0x1a; tag = (uint8_t)(tag + 0x10)) {
        assert_null(pb_unpack(&node_descriptor, nest(buf, sizeof buf, PB_MAX_DEPTH, tag), *state, &m));
        assert_non_null(m);
        m = NULL;
        assert_ptr_equal(
            pb_unpack(&node_descriptor, nest(buf, sizeof buf, PB_MAX_DEPTH + 1, tag), *state, &m), CHOP_ERR(ELIMIT));
        assert_ptr_equal(pb_unpack(&node_descriptor, nest(buf, sizeof buf, 4000, tag), *state, &m), CHOP_ERR(ELIMIT));
        assert_null(m);
    }
}

static void test_size(void **state) {
    uint8_t *big = arena_alloc(*state, PB_MAX_BYTES + 1);
    assert_non_null(big);
    Pb__Empty *m = NULL;
    memset(big, 0x08, PB_MAX_BYTES + 1); /* field 1 = 8, again and again: unknown to Empty */
    assert_ptr_equal(PB_UNPACK(pb__empty, CHOP_BYTES(big, PB_MAX_BYTES + 1), *state, &m), CHOP_ERR(ELIMIT));
    assert_null(PB_UNPACK(pb__empty, CHOP_BYTES(big, 1000), *state, &m));
}

static chop_err read_text(struct arena *mem, const char *text, size_t n) {
    uint8_t bytes[64] = { 0x0a, (uint8_t)n };
    memcpy(bytes + 2, text, n);
    Pb__Signed *m = NULL;
    chop_err e = PB_UNPACK(pb__signed, CHOP_BYTES(bytes, n + 2), mem, &m);
    if (!e) assert_string_equal(m->type, text);
    return e;
}

static void test_utf8(void **state) {
    assert_null(read_text(*state, "印章", 6));
    assert_null(read_text(*state, "", 0));
    assert_ptr_equal(read_text(*state, "\xff", 1), CHOP_ERR(EINVAL));
    assert_string_equal(chop_detail_field(), "type");
    assert_ptr_equal(read_text(*state, "\xed\xa0\x80", 3), CHOP_ERR(EINVAL)); /* surrogate */
    assert_ptr_equal(read_text(*state, "\xc0\xaf", 2), CHOP_ERR(EINVAL));     /* overlong */
    assert_ptr_equal(read_text(*state, "\xe5\x8d", 2), CHOP_ERR(EINVAL));     /* cut */
    /* A NUL inside would make two readers see two texts. */
    assert_ptr_equal(read_text(*state, "a\0b", 3), CHOP_ERR(EINVAL));
}

static void test_malformed(void **state) {
    static const struct {
        const char *what;
        const char *bytes;
        size_t n;
    } rows[] = {
        { "cut tag", "\x80", 1 },
        { "field number 0", "\x00\x00", 2 },
        { "tag beyond 32 bits", "\x88\x80\x80\x80\x80\x01\x00", 7 },
        { "length beyond the end", "\x0a\x05zz", 4 },
        { "length of 2^64-1", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01zz", 13 },
        { "varint of 11 bytes", "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12 },
        { "varint of 65 bits", "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11 },
        { "group start", "\x2b\x2c", 2 },
        { "wire type 6", "\x2e", 1 },
        { "cut fixed64", "\x29\x01\x02", 3 },
        { "cut fixed32", "\x2d\x01\x02", 3 },
        { "text as a number", "\x08\x01", 2 },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        Pb__Signed *m = NULL;
        chop_err e = PB_UNPACK(pb__signed, CHOP_BYTES(rows[i].bytes, rows[i].n), *state, &m);
        if (e != CHOP_ERR(EINVAL)) fail_msg("%s: %s", rows[i].what, e ? e->name : "accepted");
        assert_null(m);
    }
}

/* Every cut of a good message is refused or is itself a message; the whole one reads back. */
static void test_round_trip(void **state) {
    Pb__ProvenFactor factor = PB__PROVEN_FACTOR__INIT, *factors[] = { &factor, &factor };
    factor.factor = PB_STR("key");
    factor.challenge = PB_BIN(chop_str("0123"));
    Pb__Proof proof = PB__PROOF__INIT, *back = NULL;
    proof.member_name = PB_STR("张三");
    proof.n_factors = 2;
    proof.factors = factors;
    proof.expires_at = INT64_MIN;
    struct chop_bytes packed;
    assert_null(pb_pack(&proof, *state, &packed));
    for (size_t n = 0; n < packed.n; n++) {
        chop_err e = PB_UNPACK(pb__proof, CHOP_BYTES(packed.p, n), *state, &back);
        assert_true(!e || e == CHOP_ERR(EINVAL));
    }
    assert_null(PB_UNPACK(pb__proof, packed, *state, &back));
    assert_string_equal(back->member_name, "张三");
    assert_int_equal(back->n_factors, 2);
    assert_true(chop_bytes_equal(PB_BYTES(back->factors[1]->challenge), chop_str("0123")));
    assert_true(back->expires_at == INT64_MIN);
    assert_string_equal(back->post, "");
}

/* Two bytes a child make a hundred in memory: the arena's limit answers, and the error tells it from bad bytes. */
static void test_amplification(void **state) {
    struct arena *small = arena_new(4096);
    uint8_t bytes[2000];
    for (size_t i = 0; i < sizeof bytes; i += 2)
        bytes[i] = 0x1a, bytes[i + 1] = 0;
    struct node *m = NULL;
    assert_ptr_equal(pb_unpack(&node_descriptor, CHOP_BYTES(bytes, sizeof bytes), small, &m), CHOP_ERR(EMEMORY));
    assert_null(m);
    assert_null(pb_unpack(&node_descriptor, CHOP_BYTES(bytes, sizeof bytes), *state, &m));
    assert_int_equal(m->n_many, 1000);
    arena_free(small);
}

static void test_empty_and_new(void **state) {
    Pb__Signed *m = NULL;
    assert_null(PB_UNPACK(pb__signed, CHOP_BYTES(NULL, 0), *state, &m));
    assert_string_equal(m->type, "");
    struct chop_bytes packed;
    assert_null(pb_pack(m, *state, &packed));
    assert_int_equal(packed.n, 0);
    Pb__KeyEntry *entry = PB_NEW(*state, Pb__KeyEntry, pb__key_entry);
    assert_string_equal(entry->purpose, "");
    struct arena *tiny = arena_new(8);
    assert_null(PB_NEW(tiny, Pb__KeyEntry, pb__key_entry));
    m->type = PB_STR("a type that needs more than eight bytes");
    assert_ptr_equal(pb_pack(m, tiny, &packed), CHOP_ERR(EMEMORY));
    arena_free(tiny);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_size, setup, teardown),
        cmocka_unit_test_setup_teardown(test_utf8, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_amplification, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty_and_new, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
