/* marks: what verifies an impression (design 6). C99, no heap; shared by issuance, verification and printer. */
#pragma once
#include "base.h"

/* token: 80 bits, 16 letters of Crockford Base32 without I L O U, upper case; as text with a check symbol from the
 * same 32 letters: "XXXX-XXXX-XXXX-XXXX-C". */
#define MARKS_TOKEN_LEN 16
#define MARKS_TOKEN_TEXT_LEN 21
void marks_token_make(const uint8_t bits[10], char out[MARKS_TOKEN_LEN + 1]);
char marks_token_check(const char *token);
void marks_token_text(const char *token, char out[MARKS_TOKEN_TEXT_LEN + 1]);
/* serial: 15 digits and an ISO 7064 MOD 11,10 check digit. `random15` below 10^15. */
#define MARKS_SERIAL_LEN 16
void marks_serial_make(uint64_t random15, char out[MARKS_SERIAL_LEN + 1]);
/* cipher (数列密押): 8 digits: 7 of HMAC-SHA256(key, serial|seal code|date|document digest|number) truncated as in
 * RFC 4226 5.3 (mod 10^7), then an ISO 7064 MOD 11,10 digit over the serial's 15 (without its check digit) and the
 * seven. The HMAC is the caller's. */
#define MARKS_CIPHER_LEN 8
void marks_cipher_make(const uint8_t hmac[32], const char *serial, char out[MARKS_CIPHER_LEN + 1]);
/* The last digit of a cipher, from its first seven and the serial: tells a mistyped pair without any key. */
char marks_cipher_check(const char *serial, const char *cipher);
/* The text that the HMAC covers; returns its length, 0 when out is too small (256 suffices). `day`: YYYYMMDD. */
size_t marks_cipher_input(const char *serial, const char *seal_code, const char *day, const uint8_t digest[32],
    uint32_t number, char *out, size_t size);
/* The day of a time in UTC+8 as YYYYMMDD. */
void marks_day(int64_t ms, char out[9]);

/* ---- what people type, scan or send ---- */
enum marks_kind { MARKS_TOKEN = 1, MARKS_SERIAL, MARKS_BARCODE /* serial+cipher, 24 digits */, MARKS_CIPHER_ONLY };
struct marks_read {
    enum marks_kind kind;
    char token[MARKS_TOKEN_LEN + 1];
    char serial[MARKS_SERIAL_LEN + 1];
    char cipher[MARKS_CIPHER_LEN + 1]; /* "" when not given */
};
/* Reads a mark of any form: token with or without check symbol, 16 digits, 24 digits, a URL https://<host>/V/<token>.
 * Accepts lower case, O/I/L for 0/1/1, spaces, dashes, full-width digits and letters. `host`: our own host[:port] for
 * URLs. EMISTYPED when a check symbol or digit is wrong, EELSEWHERE for a URL of another host, EINVAL for anything
 * else. */
chop_err marks_read(const char *text, size_t n, const char *host, struct marks_read *ret_mark) CHOP_MUSTCHECK;
/* ISO 7064 MOD 11,10 check digit of n decimal digits. */
char marks_check_digit(const char *digits, size_t n);
