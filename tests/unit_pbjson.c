/* pbjson: what is carried there and back, and everything that must be refused, with the path named. */
#include "pbjson.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit_pbjson.pb-c.h"

static struct arena *mem;

static int setup(void **state) {
    (void)state;
    mem = arena_new((size_t)4 << 20);
    return mem ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    arena_free(mem);
    return 0;
}

static chop_err read_n(const char *json, size_t n, Pbtest__Everything **ret) {
    chop_detail_clear();
    struct pbjson_limits limits = { 4096, 6, 5 };
    return pbjson_read(&pbtest__everything__descriptor, CHOP_BYTES(json, n), &limits, mem, ret);
}

static Pbtest__Everything *reads(const char *json) {
    Pbtest__Everything *m = NULL;
    chop_err e = read_n(json, strlen(json), &m);
    if (e) print_error("%s: %s %s: %s\n", json, e->name, chop_detail_field(), chop_detail_text());
    assert_null(e);
    assert_non_null(m);
    return m;
}

static void prints(const void *m, const char *expected) {
    struct chop_bytes json;
    assert_null(pbjson_print(m, mem, &json));
    assert_string_equal(arena_strn(mem, (const char *)json.p, json.n), expected);
}

static void there_and_back(const char *json) {
    prints(reads(json), json);
}

static void refused_n(const char *json, size_t n, const char *code, const char *field) {
    Pbtest__Everything *m = NULL;
    chop_err e = read_n(json, n, &m);
    if (!e || strcmp(e->name, code) != 0 || strcmp(chop_detail_field(), field) != 0)
        print_error("%s: %s at '%s' (%s)\n", json, e ? e->name : "taken", chop_detail_field(), chop_detail_text());
    assert_non_null(e);
    assert_string_equal(e->name, code);
    assert_string_equal(chop_detail_field(), field);
    assert_true(chop_detail_text()[0] != 0);
    assert_null(m); /* outputs are touched only on success */
}

static void refused(const char *json, const char *field) {
    refused_n(json, strlen(json), "EINVAL", field);
}

static void test_round_trip(void **state) {
    (void)state;
    there_and_back("{}");
    there_and_back("{\"text\":\"印章 ok\",\"data\":\"AAEC/w==\",\"flag\":true,\"i32\":-2147483648,\"s32\":2147483647,"
                   "\"f32\":-1,\"u32\":4294967295,\"x32\":1,\"i64\":-9007199254740991,\"s64\":9007199254740991,"
                   "\"f64\":-5,\"u64\":9007199254740991,\"x64\":7,\"colour\":\"BLUE\",\"leaf\":{\"name\":\"x\","
                   "\"small\":3},\"inner\":{\"inner\":{\"text\":\"deep\"}},\"names\":[\"a\",\"\",\"c\",\"d\",\"e\"],"
                   "\"blobs\":[\"\",\"/w==\"],\"numbers\":[0,-1,2],\"flags\":[false,true],"
                   "\"colours\":[\"NONE\",\"RED\"],\"leaves\":[{},{\"small\":-1}],\"word\":\"w\"}");
    there_and_back("{\"number\":0}"); /* an alternative is there even when it is zero */
    there_and_back("{\"word\":\"\"}");
    there_and_back("{\"object\":{}}");
    there_and_back("{\"leaf\":{}}");
}

static void test_empty_is_left_out(void **state) {
    (void)state;
    prints(reads(" {\"text\" :\t\"\", \"i32\":0,\r\n\"u64\":0, \"flag\":false,\"names\":[ ],\"colour\":\"NONE\", "
                 "\"data\":\"\", \"i64\" : -0 } "),
        "{}");
}

static void test_escapes(void **state) {
    (void)state;
    Pbtest__Everything *m = reads("{\"te\\u0078t\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u5370\\uD83D\\uDE00\\u007f\"}");
    assert_string_equal(m->text, "\"\\/\b\f\n\r\t印😀\x7f");
    there_and_back("{\"text\":\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f😀\"}");
}

static void test_text_refused(void **state) {
    (void)state;
    refused("{\"text\":\"\\u0000\"}", "text");
    refused("{\"text\":\"\\ud800\"}", "text");
    refused("{\"text\":\"\\ud800\\u0041\"}", "text");
    refused("{\"text\":\"\\udc00\\ud800\"}", "text");
    refused("{\"text\":\"\\u12g4\"}", "text");
    refused("{\"text\":\"\\u12\"}", "text");
    refused("{\"text\":\"\\x41\"}", "text");
    refused("{\"text\":\"a\nb\"}", "text");
    refused("{\"text\":\"\xff\"}", "text");
    refused("{\"text\":\"\xc0\x80\"}", "text");
    refused("{\"text\":\"\xed\xa0\x80\"}", "text");
    refused("{\"text\":\"open}", "text");
    refused("{\"text\":\"open\\", "text");
    refused("{\"text\":\"open\\\"", "text");
    refused_n("{\"text\":\"a\0b\"}", 14, "EINVAL", "text");
    refused_n("{\"text\":\"a\\\0b\"}", 15, "EINVAL", "text");
    refused("{\"\xff\":1}", "");
}

static void test_types_refused(void **state) {
    (void)state;
    refused("{\"text\":1}", "text");
    refused("{\"text\":null}", "text");
    refused("{\"flag\":1}", "flag");
    refused("{\"flag\":\"true\"}", "flag");
    refused("{\"flag\":tru}", "flag");
    refused("{\"i32\":\"1\"}", "i32");
    refused("{\"i32\":true}", "i32");
    refused("{\"leaf\":[]}", "leaf");
    refused("{\"leaf\":\"x\"}", "leaf");
    refused("{\"names\":\"x\"}", "names");
    refused("{\"names\":[\"x\",2]}", "names[1]");
    refused("{\"colour\":1}", "colour");
    refused("{\"colour\":\"red\"}", "colour");
    refused("{\"colours\":[\"RED\",\"RE\"]}", "colours[1]");
}

static void test_numbers_refused(void **state) {
    (void)state;
    refused("{\"i32\":2147483648}", "i32");
    refused("{\"i32\":-2147483649}", "i32");
    refused("{\"u32\":4294967296}", "u32");
    refused("{\"u32\":-1}", "u32");
    refused("{\"u64\":-1}", "u64");
    refused("{\"u64\":9007199254740992}", "u64");
    refused("{\"i64\":-9007199254740992}", "i64");
    refused("{\"i64\":99999999999999999999999999999999}", "i64");
    refused("{\"i32\":1.0}", "i32");
    refused("{\"i32\":1e0}", "i32");
    refused("{\"i32\":1E0}", "i32");
    refused("{\"i32\":01}", "i32");
    refused("{\"i32\":+1}", "i32");
    refused("{\"i32\":.5}", "i32");
    refused("{\"i32\":- 1}", "i32");
    refused("{\"i32\":NaN}", "i32");
    refused("{\"i32\":0x10}", "");
    refused("{\"i32\":}", "i32");
}

static void test_base64_refused(void **state) {
    (void)state;
    static const char *const wrong[] = { "A", "AA", "AAA", "AA=", "A===", "====", "AA==AAAA",
        "AB==", "AAB=", "A-A=", "A_A=", "AAAA ", " AAA", "AA=A", "=AAA" };
    for (size_t i = 0; i < CHOP_COUNT(wrong); i++) {
        refused(arena_printf(mem, "{\"data\":\"%s\"}", wrong[i]), "data");
        refused(arena_printf(mem, "{\"blobs\":[\"\",\"%s\"]}", wrong[i]), "blobs[1]");
    }
    Pbtest__Everything *m = reads("{\"data\":\"AAAA\",\"blobs\":[\"AAE=\",\"AA==\",\"\\/\\/\\/\\/\"]}");
    assert_int_equal(m->data.len, 3);
    assert_int_equal(m->blobs[0].len, 2);
    assert_int_equal(m->blobs[1].len, 1);
    assert_memory_equal(m->blobs[2].data, "\xff\xff\xff", 3);
}

static void test_structure_refused(void **state) {
    (void)state;
    static const char *const wrong[] = { "", " ", "null", "[]", "1", "\"x\"", "{", "{}}", "{} {}", "{},",
        "{\"i32\":1,}", "{,}", "{i32:1}", "{'i32':1}", "{}\xef\xbb\xbf", "\xef\xbb\xbf{}", "// {}\n{}", "{}x",
        "{\"i32\":1 \"u32\":1}" };
    for (size_t i = 0; i < CHOP_COUNT(wrong); i++)
        refused(wrong[i], "");
    refused_n("{}\0", 3, "EINVAL", "");
    refused("{\"i32\" 1}", "i32");
    refused("{\"names\":[\"a\",]}", "names[1]");
    refused("{\"names\":[,]}", "names[0]");
    refused("{\"names\":[\"a\"}", "names");
    refused("{\"leaf\":{\"small\":1}", "");
}

static void test_unknown_and_duplicate(void **state) {
    (void)state;
    refused("{\"nobody\":1}", "nobody");
    refused("{\"leaves\":[{\"name\":\"a\"},{\"nom\":1}]}", "leaves[1].nom");
    refused("{\"inner\":{\"leaf\":{\"x\":1}}}", "inner.leaf.x");
    refused("{\"tex\":\"\"}", "tex");
    refused("{\"texts\":\"\"}", "texts");
    refused("{\"a b\n\":1}", "");
    refused("{\"a b\xe5\x8d\xb0\":1}", "a?b???");
    refused("{\"i32\":1,\"i32\":1}", "i32");
    refused("{\"i32\":0,\"u32\":1,\"i32\":0}", "i32");
    refused("{\"text\":\"\",\"te\\u0078t\":\"\"}", "text");
    refused("{\"names\":[],\"names\":[]}", "names");
    refused("{\"leaf\":{\"name\":\"a\",\"name\":\"a\"}}", "leaf.name");
    refused("{\"number\":0,\"word\":\"\"}", "word");
}

static void test_limits(void **state) {
    (void)state;
    there_and_back("{\"numbers\":[1,2,3,4,5]}");
    refused_n("{\"numbers\":[1,2,3,4,5,6]}", 25, "ELIMIT", "numbers[5]");
    there_and_back("{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"inner\":{}}}}}}");
    const char *deep = "{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"inner\":{}}}}}}}";
    refused_n(deep, strlen(deep), "ELIMIT", "inner.inner.inner.inner.inner.inner");
    deep = "{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"names\":[]}}}}}}";
    refused_n(deep, strlen(deep), "ELIMIT", "inner.inner.inner.inner.inner.names");
    char *big = arena_printf(mem, "{\"text\":\"%*s\"}", 4096 - 11, "x");
    (void)reads(big);
    big = arena_printf(mem, "{\"text\":\"%*s\"}", 4096 - 10, "x");
    refused_n(big, strlen(big), "ELIMIT", "");
}

static void test_memory(void **state) {
    (void)state;
    struct arena *small = arena_new(1200);
    const char *json = "{\"inner\":{\"inner\":{\"inner\":{\"inner\":{\"inner\":{}}}}}}";
    Pbtest__Everything *m = NULL;
    struct pbjson_limits limits = PBJSON_LIMITS;
    chop_err e = pbjson_read(&pbtest__everything__descriptor, chop_str(json), &limits, small, &m);
    assert_ptr_equal(e, CHOP_ERR(EMEMORY));
    assert_null(m);
    m = reads("{\"text\":\"0123456789\"}");
    arena_reset(small);
    assert_non_null(arena_alloc(small, 1100));
    struct chop_bytes json_out;
    assert_ptr_equal(pbjson_print(m, small, &json_out), CHOP_ERR(EMEMORY));
    arena_free(small);
}

static void test_long_path_is_cut(void **state) {
    (void)state;
    char *key = arena_printf(mem, "{\"%0300d\":1}", 7);
    Pbtest__Everything *m = NULL;
    assert_ptr_equal(read_n(key, strlen(key), &m), CHOP_ERR(EINVAL));
    assert_true(strlen(chop_detail_field()) < 90);
}

static void test_print_refuses(void **state) {
    (void)state;
    Pbtest__Everything m = PBTEST__EVERYTHING__INIT;
    struct chop_bytes json = { 0 };
    m.u64 = UINT64_C(9007199254740992);
    assert_ptr_equal(pbjson_print(&m, mem, &json), CHOP_ERR(EINTERNAL));
    assert_string_equal(chop_detail_field(), "u64");
    m.u64 = 0;
    m.text = (char[]){ "\xff" };
    assert_ptr_equal(pbjson_print(&m, mem, &json), CHOP_ERR(EINTERNAL));
    assert_string_equal(chop_detail_field(), "text");
    m.text = NULL;
    m.colour = (Pbtest__Colour)9;
    prints(&m, "{\"colour\":9}");
    Pbtest__Floating f = PBTEST__FLOATING__INIT;
    f.share = 0.5;
    assert_ptr_equal(pbjson_print(&f, mem, &json), CHOP_ERR(EINTERNAL));
    assert_null(json.p);
    Pbtest__Everything loop = PBTEST__EVERYTHING__INIT;
    loop.inner = &loop;
    assert_ptr_equal(pbjson_print(&loop, mem, &json), CHOP_ERR(EINTERNAL));
}

static void set_refused(const char *field, const char *text) {
    Pbtest__Everything m = PBTEST__EVERYTHING__INIT;
    chop_err e = pbjson_set(&m, field, text, mem);
    if (!e) print_error("%s=%s taken\n", field, text);
    assert_ptr_equal(e, CHOP_ERR(EINVAL));
    assert_string_equal(chop_detail_field(), field);
    prints(&m, "{}");
}

static void test_set(void **state) {
    (void)state;
    Pbtest__Everything m = PBTEST__EVERYTHING__INIT;
    assert_null(pbjson_set(&m, "text", "a\"印", mem));
    assert_null(pbjson_set(&m, "data", "/w==", mem));
    assert_null(pbjson_set(&m, "flag", "true", mem));
    assert_null(pbjson_set(&m, "i64", "-7", mem));
    assert_null(pbjson_set(&m, "u32", "4294967295", mem));
    assert_null(pbjson_set(&m, "colour", "RED", mem));
    assert_null(pbjson_set(&m, "number", "0", mem));
    prints(&m, "{\"text\":\"a\\\"印\",\"data\":\"/w==\",\"flag\":true,\"u32\":4294967295,\"i64\":-7,"
               "\"colour\":\"RED\",\"number\":0}");
    assert_ptr_equal(pbjson_set(&m, "text", "b", mem), CHOP_ERR(EINVAL)); /* a body and a path cannot disagree */
    assert_ptr_equal(pbjson_set(&m, "number", "0", mem), CHOP_ERR(EINVAL));
    assert_ptr_equal(pbjson_set(&m, "word", "x", mem), CHOP_ERR(EINVAL));
    assert_string_equal(m.text, "a\"印");
}

static void test_set_refused(void **state) {
    (void)state;
    set_refused("nobody", "1");
    set_refused("leaf", "{}");
    set_refused("object", "{}");
    set_refused("names", "a");
    set_refused("i32", "");
    set_refused("i32", " 1");
    set_refused("i32", "1 ");
    set_refused("i32", "1,");
    set_refused("i32", "x");
    set_refused("i32", "2147483648");
    set_refused("u64", "9007199254740992");
    set_refused("u32", "-1");
    set_refused("flag", "1");
    set_refused("flag", "trueish");
    set_refused("data", "AA");
    set_refused("text", "\xff");
    set_refused("colour", "GREEN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_empty_is_left_out),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_text_refused),
        cmocka_unit_test(test_types_refused),
        cmocka_unit_test(test_numbers_refused),
        cmocka_unit_test(test_base64_refused),
        cmocka_unit_test(test_structure_refused),
        cmocka_unit_test(test_unknown_and_duplicate),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_long_path_is_cut),
        cmocka_unit_test(test_print_refuses),
        cmocka_unit_test(test_set),
        cmocka_unit_test(test_set_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
