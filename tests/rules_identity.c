#include "rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define OK(e) assert_null(e)
#define BAD(e)                                                                                                         \
    do {                                                                                                               \
        chop_detail_clear();                                                                                           \
        assert_ptr_equal((e), CHOP_ERR(EINVAL));                                                                       \
        assert_string_equal(chop_detail_field(), "f");                                                                 \
    } while (0)

static void test_slug(void **state) {
    (void)state;
    OK(rules_slug("f", "ab"));
    OK(rules_slug("f", "a-1"));
    OK(rules_slug("f", "abcdefghijklmnopqrstuvwxyz012345"));
    const char *bad[] = { "", "a", "abcdefghijklmnopqrstuvwxyz0123456", "-ab", "ab-", "Ab", "a_b", "a b", "a\n", "单位",
        "a/b" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        BAD(rules_slug("f", bad[i]));
}

static void test_account(void **state) {
    (void)state;
    OK(rules_account("f", "li.si"));
    OK(rules_account("f", "0x@example.org"));
    const char *bad[] = { "", "a", ".ab", "@ab", "_ab", "-ab", "Ab", "a b", "a/b", "a\tb", "张三",
        "a1234567890123456789012345678901234567890123456789012345678901234" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        BAD(rules_account("f", bad[i]));
}

static void test_text(void **state) {
    (void)state;
    OK(rules_text("f", "张三", 1, 6));
    OK(rules_text("f", "", 0, 6));
    BAD(rules_text("f", "", 1, 6));
    BAD(rules_text("f", "张三丰", 1, 6));
    BAD(rules_text("f", " a", 1, 6));
    BAD(rules_text("f", "a ", 1, 6));
    BAD(rules_text("f", "a\nb", 1, 6));
    BAD(rules_text("f", "a\x7f", 1, 6));
    BAD(rules_text("f", "\xff", 1, 6));
}

/* Published numbers: Tencent's (深圳市腾讯计算机系统有限公司) and Huawei's (华为技术有限公司). */
static void test_uscc(void **state) {
    (void)state;
    const char *good[] = { "9144030071526726XG", "914403001922038216" };
    for (size_t i = 0; i < CHOP_COUNT(good); i++)
        OK(rules_uscc("f", good[i]));
    BAD(rules_uscc("f", "914403001922038216X"));
    BAD(rules_uscc("f", "91440300192203821"));
    BAD(rules_uscc("f", "9144030019220382l6"));
    BAD(rules_uscc("f", "91440300I922038216"));
    BAD(rules_uscc("f", "9144A3001922038216"));
}

/* A weighted sum with a prime modulus finds every wrong character and every swap of neighbours. */
static void test_uscc_finds_slips(void **state) {
    (void)state;
    static const char letters[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    const char *right = "9144030071526726XG";
    char s[19];
    for (size_t i = 0; i < 18; i++)
        for (size_t k = 0; k < 31; k++) {
            memcpy(s, right, sizeof s);
            s[i] = letters[k];
            if (letters[k] != right[i]) assert_non_null(rules_uscc("f", s));
        }
    for (size_t i = 0; i < 17; i++) {
        memcpy(s, right, sizeof s);
        s[i] = right[i + 1];
        s[i + 1] = right[i];
        if (right[i] != right[i + 1]) assert_non_null(rules_uscc("f", s));
    }
}

static void test_password(void **state) {
    (void)state;
    OK(rules_password("f", "correct horse", "lisi"));
    OK(rules_password("f", "用印密码要长", "lisi"));
    BAD(rules_password("f", "seven77", "lisi"));
    BAD(rules_password("f", "", "lisi"));
    BAD(rules_password("f", "Zhang.San", "zhang.san"));
    BAD(rules_password("f", "Password1", "lisi"));
    BAD(rules_password("f", "1QAZ2wsx", "lisi"));
    BAD(rules_password("f", "zzzzzzzzzz", "lisi"));
    char long_one[258];
    memset(long_one, 'a', 257);
    long_one[0] = 'b';
    long_one[257] = 0;
    BAD(rules_password("f", long_one, "lisi"));
    long_one[256] = 0;
    OK(rules_password("f", long_one, "lisi"));
}

/* Every set of the four roles: allowed exactly where all of it is one of the three powers. */
static void test_roles_table(void **state) {
    (void)state;
    static const bool allowed[16] = { [0] = true,
        [ROLE_USER] = true,
        [ROLE_MANAGER] = true,
        [ROLE_ADMIN] = true,
        [ROLE_MANAGER | ROLE_ADMIN] = true,
        [ROLE_AUDITOR] = true };
    for (unsigned set = 0; set < 16; set++) {
        const char *names[4];
        size_t n = rules_roles_names(set, names);
        unsigned got = 99;
        char *const *list = (char *const *)(uintptr_t)names;
        if (allowed[set]) {
            OK(rules_roles("f", list, n, &got));
            assert_int_equal(got, set);
        } else {
            BAD(rules_roles("f", list, n, &got));
            assert_int_equal(got, 99);
        }
    }
}

static void test_roles_names(void **state) {
    (void)state;
    unsigned set;
    BAD(rules_roles("f", (char *[]){ (char[]){ "root" } }, 1, &set));
    BAD(rules_roles("f", (char *[]){ (char[]){ "" } }, 1, &set));
    BAD(rules_roles("f", (char *[]){ (char[]){ "user" }, (char[]){ "user" } }, 2, &set));
    BAD(rules_roles("f", (char *[]){ (char[]){ "admin,manager" } }, 1, &set));
}

static void test_roles_text(void **state) {
    (void)state;
    for (unsigned set = 0; set < 16; set++) {
        char text[ROLES_TEXT_MAX];
        rules_roles_text(set, text);
        assert_int_equal(rules_roles_parse(text), set);
    }
    assert_int_equal(rules_roles_parse("manager,what,admin"), ROLE_MANAGER | ROLE_ADMIN);
    assert_int_equal(rules_roles_parse("useradmin"), 0);
}

static void test_pause(void **state) {
    (void)state;
    for (int64_t k = 0; k < RULES_FREE_TRIES; k++)
        assert_int_equal(rules_pause_ms(k), 0);
    int64_t want = 1000;
    for (int64_t k = RULES_FREE_TRIES; k < 200; k++, want *= 2) {
        if (want > RULES_PAUSE_MAX_MS) want = RULES_PAUSE_MAX_MS;
        assert_int_equal(rules_pause_ms(k), want);
    }
    assert_int_equal(rules_pause_ms(INT64_MAX), RULES_PAUSE_MAX_MS);
}

static void test_factors(void **state) {
    (void)state;
    assert_int_equal(rules_factor("password"), FACTOR_PASSWORD);
    assert_int_equal(rules_factor("key"), FACTOR_KEY);
    const char *others[] = { "fingerprint", "face", "realname", "alipay", "wechat", "oidc" };
    for (size_t i = 0; i < CHOP_COUNT(others); i++)
        assert_int_equal(rules_factor(others[i]), FACTOR_OTHER);
    assert_int_equal(rules_factor(""), FACTOR_UNKNOWN);
    assert_int_equal(rules_factor("Key"), FACTOR_UNKNOWN);
}

static void test_code(void **state) {
    (void)state;
    char code[RULES_CODE_LEN + 1], again[RULES_CODE_LEN + 1];
    rules_code_make((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff", code);
    assert_string_equal(code, "ZZZZZZZZZZ");
    rules_code_make((const uint8_t *)"\x01\x23\x45\x67\x89\xab\xcd", code);
    assert_int_equal(strspn(code, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"), RULES_CODE_LEN);
    assert_true(rules_code_read(code, again));
    assert_string_equal(code, again);
    assert_true(rules_code_read("oil01-abcde", again));
    assert_string_equal(again, "01101ABCDE");
    assert_true(rules_code_read(" 0 1 2 3 4 5 6 7 8 9 ", again));
    const char *bad[] = { "", "012345678", "01234567890", "01234U6789", "01234567é", "0123456789\n" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        assert_false(rules_code_read(bad[i], again));
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_slug), cmocka_unit_test(test_account),
        cmocka_unit_test(test_text), cmocka_unit_test(test_uscc), cmocka_unit_test(test_uscc_finds_slips),
        cmocka_unit_test(test_password), cmocka_unit_test(test_roles_table), cmocka_unit_test(test_roles_names),
        cmocka_unit_test(test_roles_text), cmocka_unit_test(test_pause), cmocka_unit_test(test_factors),
        cmocka_unit_test(test_code) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
