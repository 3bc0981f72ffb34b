/* unit_marks: check symbols proven by trying every error; every form in which people write a mark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "marks.h"

#define HOST "v.chop.example:8443"
static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static chop_err read_text(const char *text, struct marks_read *m) {
    memset(m, 0x55, sizeof *m);
    return marks_read(text, strlen(text), HOST, m);
}

static void assert_error(const char *text, const char *want) {
    struct marks_read m, before;
    memset(&before, 0x55, sizeof before);
    chop_err e = read_text(text, &m);
    if (!e || strcmp(e->name, want) != 0) fail_msg("\"%s\": %s, not %s", text, e ? e->name : "read", want);
    assert_memory_equal(&m, &before, sizeof m);
}

static void assert_token(const char *text, const char *token) {
    struct marks_read m;
    chop_err e = read_text(text, &m);
    if (e) fail_msg("\"%s\": %s", text, e->name);
    assert_int_equal(m.kind, MARKS_TOKEN);
    assert_string_equal(m.token, token);
    assert_string_equal(m.serial, "");
    assert_string_equal(m.cipher, "");
}

/* ---- token ---- */

static void random_token(char out[18]) {
    uint8_t bits[10];
    chop_random(bits, sizeof bits);
    marks_token_make(bits, out);
    out[16] = marks_token_check(out);
    out[17] = 0;
}

static void test_token_make(void **state) {
    (void)state;
    char t[17], text[22];
    marks_token_make((const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", t);
    assert_string_equal(t, "0000000000000000");
    marks_token_make((const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", t);
    assert_string_equal(t, "ZZZZZZZZZZZZZZZZ");
    /* letters 0 to 15 and 16 to 31 in order */
    marks_token_make((const uint8_t *)"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf", t);
    assert_string_equal(t, "0123456789ABCDEF");
    marks_token_make((const uint8_t *)"\x84\x65\x3a\x56\xd7\xc6\x75\xbe\x77\xdf", t);
    assert_string_equal(t, "GHJKMNPQRSTVWXYZ");
    marks_token_text(t, text);
    assert_int_equal(strlen(text), MARKS_TOKEN_TEXT_LEN);
    assert_memory_equal(text, "GHJK-MNPQ-RSTV-WXYZ-", 20);
    assert_int_equal(text[20], marks_token_check(t));
}

/* The check is linear: an error's effect does not depend on the other letters. One base word therefore stands for
 * all, but several are tried. */
static void test_token_single_errors(void **state) {
    (void)state;
    for (int round = 0; round < 50; round++) {
        char t[18], token[17] = { 0 };
        random_token(t);
        memcpy(token, t, 16);
        for (size_t i = 0; i < 17; i++)
            for (size_t v = 0; v < 32; v++) {
                char wrong[18];
                memcpy(wrong, t, 18);
                wrong[i] = letters[v];
                if (wrong[i] == t[i])
                    assert_token(wrong, token);
                else
                    assert_error(wrong, "EMISTYPED");
            }
    }
}

/* All pairs of places and all pairs of letters: exchanges and twins. */
static void test_token_exchanges(void **state) {
    (void)state;
    for (size_t i = 0; i < 17; i++)
        for (size_t j = i + 1; j < 17; j++)
            for (size_t a = 0; a < 32; a++)
                for (size_t b = 0; b < 32; b++) {
                    if (a == b) continue;
                    char t[17], u[17];
                    memset(t, '0', 17);
                    t[i] = letters[a], t[j] = letters[b];
                    memcpy(u, t, 17);
                    u[i] = letters[b], u[j] = letters[a];
                    /* Where the check is right before the exchange it must be wrong after it. For pairs without
                     * the check symbol: the two words need two different symbols. */
                    bool both = j < 16 ? marks_token_check(t) == marks_token_check(u)
                                       : marks_token_check(t) == t[16] && marks_token_check(u) == u[16];
                    if (both) fail_msg("places %zu and %zu, letters %c and %c", i, j, letters[a], letters[b]);
                    memset(t, '0', 17);
                    memset(u, '0', 17);
                    t[i] = t[j] = letters[a];
                    u[i] = u[j] = letters[b];
                    both = j < 16 ? marks_token_check(t) == marks_token_check(u)
                                  : marks_token_check(t) == t[16] && marks_token_check(u) == u[16];
                    if (both) fail_msg("twins at %zu and %zu, letters %c and %c", i, j, letters[a], letters[b]);
                }
}

/* ---- digits ---- */

static void test_check_digit_known(void **state) {
    (void)state;
    assert_int_equal(marks_check_digit("0794", 4), '5'); /* ISO/IEC 7064's own example */
    assert_int_equal(marks_check_digit("", 0), '1');
}

/* Exhaustive over all words of four digits: the state before and after a word takes every value. */
static void test_check_digit_errors(void **state) {
    (void)state;
    unsigned exchanges = 0, missed = 0;
    for (unsigned n = 0; n < 10000; n++) {
        char w[6], e[6];
        (void)snprintf(w, sizeof w, "%04u", n);
        w[4] = marks_check_digit(w, 4);
        for (size_t i = 0; i < 5; i++)
            for (char d = '0'; d <= '9'; d++) {
                memcpy(e, w, 5);
                e[i] = d;
                if (d != w[i] && marks_check_digit(e, 4) == e[4]) fail_msg("%.5s read as %.5s", w, e);
            }
        for (size_t i = 0; i < 4; i++) {
            if (w[i] == w[i + 1]) continue;
            memcpy(e, w, 5);
            e[i] = w[i + 1], e[i + 1] = w[i];
            exchanges++;
            missed += marks_check_digit(e, 4) == e[4];
        }
    }
    /* The standard promises all single errors and, of exchanged neighbours, nearly all. */
    assert_in_range(missed * 1000 / exchanges, 0, 25);
}

static void test_serial(void **state) {
    (void)state;
    char s[17], wrong[17];
    struct marks_read m;
    marks_serial_make(79499999999999, s);
    assert_memory_equal(s, "079499999999999", 15);
    marks_serial_make(999999999999999, s);
    assert_memory_equal(s, "999999999999999", 15);
    marks_serial_make(123456789012345, s);
    assert_null(read_text(s, &m));
    assert_int_equal(m.kind, MARKS_SERIAL);
    assert_string_equal(m.serial, s);
    assert_string_equal(m.token, "");
    for (size_t i = 0; i < 16; i++)
        for (char d = '0'; d <= '9'; d++) {
            memcpy(wrong, s, 17);
            wrong[i] = d;
            if (d != s[i]) assert_error(wrong, "EMISTYPED");
        }
}

/* RFC 4226's own example of truncation, laid so that the 32nd byte chooses the same offset. */
static void test_cipher_make(void **state) {
    (void)state;
    uint8_t hmac[32] = { 0 };
    char serial[17], c[9];
    memcpy(hmac + 10, "\x50\xef\x7f\x19", 4);
    hmac[31] = 0x5a;
    marks_serial_make(1, serial);
    marks_cipher_make(hmac, serial, c); /* 0x50ef7f19 = 1357872921 */
    assert_memory_equal(c, "7872921", 7);
    assert_int_equal(strlen(c), 8);
    hmac[10] |= 0x80; /* the sign bit is masked */
    marks_cipher_make(hmac, serial, c);
    assert_memory_equal(c, "7872921", 7);
    hmac[31] = 0x0f; /* offset 15: bytes 15 to 18 */
    memcpy(hmac + 15, "\0\0\0\x07", 4);
    marks_cipher_make(hmac, serial, c);
    assert_memory_equal(c, "0000007", 7);
}

static void test_barcode(void **state) {
    (void)state;
    uint8_t hmac[32];
    char serial[17], c[9], all[25], wrong[25];
    struct marks_read m;
    chop_random(hmac, sizeof hmac);
    marks_serial_make(314159265358979, serial);
    marks_cipher_make(hmac, serial, c);
    (void)snprintf(all, sizeof all, "%s%s", serial, c);
    assert_null(read_text(all, &m));
    assert_int_equal(m.kind, MARKS_BARCODE);
    assert_string_equal(m.serial, serial);
    assert_string_equal(m.cipher, c);
    for (size_t i = 0; i < 24; i++)
        for (char d = '0'; d <= '9'; d++) {
            memcpy(wrong, all, 25);
            wrong[i] = d;
            if (d != all[i]) assert_error(wrong, "EMISTYPED");
        }
    /* Two wholes that do not belong together are found nine times in ten: the last digit covers both. */
    char other[17];
    int found = 0;
    for (uint64_t n = 0; n < 1000; n++) {
        marks_serial_make(n, other);
        (void)snprintf(wrong, sizeof wrong, "%s%s", other, c);
        found += read_text(wrong, &m) != NULL;
    }
    assert_in_range(found, 850, 950);
    assert_null(read_text(c, &m));
    assert_int_equal(m.kind, MARKS_CIPHER_ONLY);
    assert_string_equal(m.cipher, c);
    assert_string_equal(m.serial, "");
}

static void test_cipher_input(void **state) {
    (void)state;
    uint8_t digest[32] = { 0xab, 0xcd };
    char out[256];
    size_t n =
        marks_cipher_input("0000000000000015", "1101010000001", "20260301", digest, 4294967295u, out, sizeof out);
    assert_string_equal(out, "0000000000000015|1101010000001|20260301|"
                             "abcd000000000000000000000000000000000000000000000000000000000000|4294967295");
    assert_int_equal(n, strlen(out));
    assert_int_equal(marks_cipher_input("0000000000000015", "1", "20260301", digest, 1, out, n - 21), 0);
}

static void test_day(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *day;
    } rows[] = {
        { 0, "19700101" },
        { 57599999, "19700101" }, /* 23:59:59.999 in UTC+8 */
        { 57600000, "19700102" }, /* midnight there */
        { -28800000, "19700101" },
        { -28800001, "19691231" },
        { 1709135999999, "20240228" },
        { 1709136000000, "20240229" },
        { 1709222400000, "20240301" },
        { 951753600000, "20000229" },
        { 4107513600000, "21000301" }, /* 2100 is no leap year */
        { 4107513599999, "21000228" },
        { 1767196799999, "20251231" },
        { 1767196800000, "20260101" },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        char day[9];
        marks_day(rows[i].ms, day);
        assert_string_equal(day, rows[i].day);
    }
}

/* ---- what people write ---- */

static void test_token_forms(void **state) {
    (void)state;
    static const char t[] = "01ABCDEFGHJKMNPQ";
    char text[22], lower[22], url[80];
    assert_token(t, t);
    marks_token_text(t, text);
    assert_token(text, t);
    for (size_t i = 0; i < sizeof text; i++)
        lower[i] = (char)(text[i] >= 'A' ? text[i] + 32 : text[i]);
    assert_token(lower, t);
    assert_token("OlABCDEFGHJKMNPQ", t);
    assert_token("oIabcdefghjkmnpq", t);
    assert_token(" 01AB CDEF\tGHJK-MNPQ \r\n", t);
    assert_token("０１ＡＢ－ＣＤＥＦ　ｇｈｊｋ－ＭＮＰＱ", t);
    assert_token("01AB–CDEF—GHJK‐MNPQ", t);
    assert_token("01AB\xc2\xa0"
                 "CDEFGHJKMNPQ",
        t);
    (void)snprintf(url, sizeof url, "HTTPS://V.CHOP.EXAMPLE:8443/V/%s", t);
    assert_token(url, t);
    (void)snprintf(url, sizeof url, "https://v.chop.example:8443/v/%s\n", lower);
    assert_token(url, t);
    (void)snprintf(url, sizeof url, "v.chop.example:8443/V/%s", text);
    assert_token(url, t);
    assert_token("https://v.chop.example:8443/V/0123456789012345", "0123456789012345"); /* in a link: no serial */
    text[20] = text[20] == '0' ? '1' : '0';
    assert_error(text, "EMISTYPED");
    (void)snprintf(url, sizeof url, "https://v.chop.example:8443/V/%s", text);
    assert_error(url, "EMISTYPED");
}

static void test_digit_forms(void **state) {
    (void)state;
    char s[17], text[64];
    struct marks_read m;
    marks_serial_make(100200300400500, s);
    (void)snprintf(text, sizeof text, "%.4s %.4s-%.4s %.4s", s, s + 4, s + 8, s + 12);
    assert_null(read_text(text, &m));
    assert_string_equal(m.serial, s);
    for (size_t i = 0; i < 16; i++) { /* full width */
        const char wide[] = { '\xef', '\xbc', (char)(0x90 + (s[i] - '0')), 0 };
        memcpy(text + 3 * i, wide, sizeof wide);
    }
    assert_null(read_text(text, &m));
    assert_int_equal(m.kind, MARKS_SERIAL);
    assert_string_equal(m.serial, s);
    (void)snprintf(text, sizeof text, "I0O2OO3OO4OO5OO%c", s[15]); /* letters that look like digits */
    assert_null(read_text(text, &m));
    assert_string_equal(m.serial, s);
}

static void test_elsewhere(void **state) {
    (void)state;
    assert_error("https://evil.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("https://v.chop.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE"); /* another port */
    assert_error("https://v.chop.example:8443.evil.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("https://evil.example@v.chop.example:8443/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("https://v.chop.example:8443@evil.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("https://v.chop.example:8443\\@evil.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("http://v.chop.example:8443/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("https:///V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    assert_error("evil.example/V/01ABCDEFGHJKMNPQ", "EELSEWHERE");
    struct marks_read m;
    const char link[] = "https:///V/01ABCDEFGHJKMNPQ";
    assert_ptr_equal(marks_read(link, strlen(link), "", &m), CHOP_ERR(EELSEWHERE));
    assert_ptr_equal(marks_read(link, strlen(link), NULL, &m), CHOP_ERR(EELSEWHERE));
}

static void test_invalid(void **state) {
    (void)state;
    static const char *texts[] = { "", " ", "-", "0", "01ABCDEFGHJKMNP", "01ABCDEFGHJKMNPQRS", "01ABCDEFGHJKMNPU",
        "01ABCDEFGHJKMNP!", "01ABCDEFGHJKMNP\xff", "01ABCDEFGHJKMNP\xef\xbc", "01ABCDEFGHJKMNP印", "1234567",
        "123456789", "123456789012345", "12345678901234567890123", "1234567890123456789012345", "0x1234567890123456",
        "https://v.chop.example:8443/", "https://v.chop.example:8443/V/",
        "https://v.chop.example:8443/W/01ABCDEFGHJKMNPQ", "https://v.chop.example:8443/V/01ABCDEFGHJKMNPQ?x=1",
        "https://v.chop.example:8443/V/01ABCDEFGHJKMNPQ/", "https://v.chop.example:8443/V/../V/01ABCDEFGHJKMNPQ",
        "https://v.chop.example:8443/V/%301ABCDEFGHJKMNP",
        "01ABCDEFGHJKMNP\xef\xbc\x10" /* not UTF-8, but the bits of a full-width 0 */ };
    for (size_t i = 0; i < CHOP_COUNT(texts); i++)
        assert_error(texts[i], "EINVAL");
    struct marks_read m;
    assert_ptr_equal(marks_read("01ABCDEFGHJKMNP\0", 16, HOST, &m), CHOP_ERR(EINVAL));
    char big[5000];
    memset(big, ' ', sizeof big);
    assert_ptr_equal(marks_read(big, sizeof big, HOST, &m), CHOP_ERR(EINVAL));
    memset(big, '-', 700);
    assert_ptr_equal(marks_read(big, 700, HOST, &m), CHOP_ERR(EINVAL));
    memset(big, 'A', 40);
    assert_ptr_equal(marks_read(big, 40, HOST, &m), CHOP_ERR(EINVAL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_make),
        cmocka_unit_test(test_token_single_errors),
        cmocka_unit_test(test_token_exchanges),
        cmocka_unit_test(test_check_digit_known),
        cmocka_unit_test(test_check_digit_errors),
        cmocka_unit_test(test_serial),
        cmocka_unit_test(test_cipher_make),
        cmocka_unit_test(test_barcode),
        cmocka_unit_test(test_cipher_input),
        cmocka_unit_test(test_day),
        cmocka_unit_test(test_token_forms),
        cmocka_unit_test(test_digit_forms),
        cmocka_unit_test(test_elsewhere),
        cmocka_unit_test(test_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
