/* What people type, scan or send. */
#include "marks.h"

#include <string.h>

#define TEXT_MAX 256   /* a URL of ours has 45 characters */
#define COMPACT_MAX 32 /* the longest mark has 24 */

/* ---- folding: other forms of the same characters, in UTF-8, become ASCII ---- */

static bool is_dash(const uint8_t *p) { /* U+2010 to U+2015 */
    return p[0] == 0xe2 && p[1] == 0x80 && p[2] >= 0x90 && p[2] <= 0x95;
}

static bool is_wide_space(const uint8_t *p) { /* U+3000 */
    return p[0] == 0xe3 && p[1] == 0x80 && p[2] == 0x80;
}

/* Full-width forms U+FF01 to U+FF5E are ASCII 0x21 to 0x7E. */
static char narrow(const uint8_t *p) {
    if (p[0] != 0xef || (p[1] != 0xbc && p[1] != 0xbd) || (p[2] & 0xc0) != 0x80) return 0;
    unsigned code = (unsigned)(p[1] & 3) << 6 | (p[2] & 0x3f);
    return code >= 1 && code <= 0x5e ? (char)(code + 0x20) : 0;
}

/* One character of text into c; gives the bytes used, 0 for one that no mark holds. */
static size_t fold_one(const uint8_t *p, size_t n, char *c) {
    if (p[0] < 0x80) {
        *c = p[0] == '\t' || p[0] == '\n' || p[0] == '\r' ? ' ' : (char)p[0];
        return *c >= ' ' && *c < 0x7f ? 1 : 0;
    }
    if (n >= 2 && p[0] == 0xc2 && p[1] == 0xa0) { /* no-break space */
        *c = ' ';
        return 2;
    }
    if (n < 3) return 0;
    *c = is_dash(p) ? '-' : is_wide_space(p) ? ' ' : narrow(p);
    return *c ? 3 : 0;
}

static chop_err invalid(void) {
    return CHOP_FAIL(EINVAL, NULL, "neither a token, nor 16 or 24 digits, nor a link of ours");
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

/* Folds, trims and raises to upper case. */
static chop_err fold(const char *text, size_t n, char out[TEXT_MAX + 1]) {
    size_t at = 0;
    if (n > (size_t)3 * TEXT_MAX) return invalid();
    for (size_t i = 0, used; i < n; i += used) {
        char c;
        used = fold_one((const uint8_t *)text + i, n - i, &c);
        if (used == 0 || at == TEXT_MAX) return invalid();
        if (at > 0 || c != ' ') out[at++] = upper(c);
    }
    while (at > 0 && out[at - 1] == ' ')
        at--;
    out[at] = 0;
    return NULL;
}

/* ---- marks ---- */

/* Drops spaces and dashes; false where more remains than any mark has. */
static bool compact(const char *text, char out[COMPACT_MAX + 1]) {
    size_t at = 0;
    for (; *text; text++) {
        if (*text == ' ' || *text == '-') continue;
        if (at == COMPACT_MAX) return false;
        out[at++] = *text == 'O' ? '0' : *text == 'I' || *text == 'L' ? '1' : *text;
    }
    out[at] = 0;
    return true;
}

static chop_err mistyped(const char *what) {
    return CHOP_FAIL(EMISTYPED, NULL, "the check %s does not fit: something was mistyped", what);
}

static chop_err read_token(const char *s, size_t n, struct marks_read *m) {
    if (strspn(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") != n) return invalid();
    if (n != MARKS_TOKEN_LEN && n != MARKS_TOKEN_LEN + 1) return invalid();
    if (n == MARKS_TOKEN_LEN + 1 && marks_token_check(s) != s[MARKS_TOKEN_LEN]) return mistyped("symbol");
    m->kind = MARKS_TOKEN;
    memcpy(m->token, s, MARKS_TOKEN_LEN);
    return NULL;
}

static chop_err read_serial(const char *s, struct marks_read *m) {
    if (marks_check_digit(s, MARKS_SERIAL_LEN - 1) != s[MARKS_SERIAL_LEN - 1]) return mistyped("digit");
    m->kind = MARKS_SERIAL;
    memcpy(m->serial, s, MARKS_SERIAL_LEN);
    return NULL;
}

static chop_err read_barcode(const char *s, struct marks_read *m) {
    const char *cipher = s + MARKS_SERIAL_LEN;
    TRY(read_serial(s, m));
    if (marks_cipher_check(s, cipher) != cipher[MARKS_CIPHER_LEN - 1]) return mistyped("digit");
    m->kind = MARKS_BARCODE;
    memcpy(m->cipher, cipher, MARKS_CIPHER_LEN);
    return NULL;
}

/* Without its serial a cipher's last digit says nothing. */
static void read_cipher(const char *s, struct marks_read *m) {
    m->kind = MARKS_CIPHER_ONLY;
    memcpy(m->cipher, s, MARKS_CIPHER_LEN);
}

/* Sixteen digits are a serial: of 10^8 tokens not one is all digits, and its link or check symbol still reads it. */
static chop_err read_typed(const char *text, struct marks_read *m) {
    char s[COMPACT_MAX + 1];
    if (!compact(text, s)) return invalid();
    size_t n = strlen(s);
    if (strspn(s, "0123456789") != n) return read_token(s, n, m);
    if (n == MARKS_SERIAL_LEN) return read_serial(s, m);
    if (n == MARKS_SERIAL_LEN + MARKS_CIPHER_LEN) return read_barcode(s, m);
    if (n != MARKS_CIPHER_LEN) return read_token(s, n, m);
    read_cipher(s, m);
    return NULL;
}

/* ---- links ---- */

/* Whether the n characters at s are `host`, in any case. */
static bool same_host(const char *s, size_t n, const char *host) {
    if (!host || strlen(host) != n || n == 0) return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] != upper(host[i])) return false;
    return true;
}

/* [https://]<host>/V/<token>. Plain http, a user name or another port are another place. */
static chop_err read_link(const char *text, const char *host, struct marks_read *m) {
    static const char scheme[] = "HTTPS://";
    const char *at = strncmp(text, scheme, sizeof scheme - 1) == 0 ? text + sizeof scheme - 1 : text;
    size_t n = strcspn(at, "/");
    if (!same_host(at, n, host)) return CHOP_FAIL(EELSEWHERE, NULL, "this code leads to another place");
    char s[COMPACT_MAX + 1];
    if (strncmp(at + n, "/V/", 3) != 0 || !compact(at + n + 3, s)) return invalid();
    return read_token(s, strlen(s), m);
}

chop_err marks_read(const char *text, size_t n, const char *host, struct marks_read *ret_mark) {
    char folded[TEXT_MAX + 1];
    struct marks_read m;
    memset(&m, 0, sizeof m);
    TRY(fold(text, n, folded));
    TRY(strchr(folded, '/') ? read_link(folded, host, &m) : read_typed(folded, &m));
    *ret_mark = m;
    return NULL;
}
