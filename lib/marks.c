#include "marks.h"

#include <stdio.h>
#include <string.h>

static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* ---- token ---- */

void marks_token_make(const uint8_t bits[10], char out[MARKS_TOKEN_LEN + 1]) {
    uint32_t held = 0;
    int count = 0;
    size_t at = 0;
    for (int i = 0; i < 10; i++) {
        held = held << 8 | bits[i];
        for (count += 8; count >= 5; count -= 5)
            out[at++] = letters[held >> (count - 5) & 31];
    }
    out[at] = 0;
}

static unsigned letter_value(char c) {
    const char *p = c ? strchr(letters, c) : NULL;
    return p ? (unsigned)(p - letters) : 0;
}

/* The check symbol makes the 17 letters, read as elements of GF(32) = GF(2)[x]/(x^5+x^2+1), fulfil
 *   sum of letter[i] * a^(16-i) = 0,   a = x, which has order 31.
 * A wrong letter changes one term; two letters exchanged (neighbours or not, the check symbol among them) change the
 * sum by (p + q)(a^j + a^k), and a twin xx read as yy by the like. None of these is 0, since 17 powers of a are all
 * different: every such error is found. tests/unit_marks.c tries them all. */
static unsigned times_a(unsigned v) {
    return (v << 1) ^ (v & 16 ? 0x25 : 0);
}

char marks_token_check(const char *token) {
    unsigned sum = 0;
    for (size_t i = 0; i < MARKS_TOKEN_LEN; i++)
        sum = times_a(sum) ^ letter_value(token[i]);
    return letters[times_a(sum)];
}

void marks_token_text(const char *token, char out[MARKS_TOKEN_TEXT_LEN + 1]) {
    (void)snprintf(out, MARKS_TOKEN_TEXT_LEN + 1, "%.4s-%.4s-%.4s-%.4s-%c", token, token + 4, token + 8, token + 12,
        marks_token_check(token));
}

/* ---- digits ---- */

/* ISO/IEC 7064:2003, clause 9 (hybrid systems), with M = 10. */
char marks_check_digit(const char *digits, size_t n) {
    unsigned product = 10;
    for (size_t i = 0; i < n; i++) {
        unsigned sum = (product + (unsigned)(digits[i] - '0')) % 10;
        product = (sum ? sum : 10) * 2 % 11;
    }
    return (char)('0' + (11 - product) % 10);
}

static void put_digits(uint64_t value, size_t n, char *out) {
    for (size_t i = n; i-- > 0; value /= 10)
        out[i] = (char)('0' + value % 10);
}

void marks_serial_make(uint64_t random15, char out[MARKS_SERIAL_LEN + 1]) {
    put_digits(random15, MARKS_SERIAL_LEN - 1, out);
    out[MARKS_SERIAL_LEN - 1] = marks_check_digit(out, MARKS_SERIAL_LEN - 1);
    out[MARKS_SERIAL_LEN] = 0;
}

/* The digit that ends the cipher checks the serial too, so that halves of two papers do not pass for one. The serial's
 * own check digit is left out: after it the sum of MOD 11,10 is the same for every serial, and nothing of it was left.
 */
char marks_cipher_check(const char *serial, const char *cipher) {
    char all[MARKS_SERIAL_LEN - 1 + MARKS_CIPHER_LEN - 1];
    memcpy(all, serial, MARKS_SERIAL_LEN - 1);
    memcpy(all + MARKS_SERIAL_LEN - 1, cipher, MARKS_CIPHER_LEN - 1);
    return marks_check_digit(all, sizeof all);
}

void marks_cipher_make(const uint8_t hmac[32], const char *serial, char out[MARKS_CIPHER_LEN + 1]) {
    const uint8_t *p = hmac + (hmac[31] & 15); /* RFC 4226 5.3; with SHA-256 the last byte is the 32nd (RFC 6238) */
    uint32_t value = (uint32_t)(p[0] & 0x7f) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
    put_digits(value, MARKS_CIPHER_LEN - 1, out);
    out[MARKS_CIPHER_LEN - 1] = marks_cipher_check(serial, out);
    out[MARKS_CIPHER_LEN] = 0;
}

/* Only the seal code's length is open, so the text can be cut in one way only. */
size_t marks_cipher_input(const char *serial, const char *seal_code, const char *day, const uint8_t digest[32],
    uint32_t number, char *out, size_t size) {
    char hex[65];
    chop_hex(digest, 32, hex);
    int n = snprintf(out, size, "%s|%s|%s|%s|%lu", serial, seal_code, day, hex, (unsigned long)number);
    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

#define DAY_MS 86400000
#define UTC8_MS 28800000

/* Days since 1970-01-01 to the proleptic Gregorian calendar, by eras of 400 years that begin on 1 March. */
void marks_day(int64_t ms, char out[9]) {
    int64_t local = ms + UTC8_MS, days = local / DAY_MS - (local % DAY_MS < 0) + 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097, in_era = days - era * 146097;
    int64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    int64_t in_year = in_era - (365 * year + year / 4 - year / 100), march = (5 * in_year + 2) / 153;
    int64_t day = in_year - (153 * march + 2) / 5 + 1, month = march < 10 ? march + 3 : march - 9;
    year += era * 400 + (month <= 2);
    put_digits((uint64_t)(year * 10000 + month * 100 + day), 8, out);
    out[8] = 0;
}
