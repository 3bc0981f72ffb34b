/* The tokens of RFC 8259, strictly: no comments, no trailing commas, no NaN, integers only. */
#include "pbjson_internal.h"

#include <string.h>

const char pbjson_no_memory[] = PBJSON_NO_MEMORY;

int lex_peek(struct lex *l) {
    while (l->p < l->end && (*l->p == ' ' || *l->p == '\t' || *l->p == '\n' || *l->p == '\r'))
        l->p++;
    return l->p < l->end ? *l->p : 0;
}

bool lex_take(struct lex *l, char c) {
    if (lex_peek(l) != c) return false;
    l->p++;
    return true;
}

static int hex4(const uint8_t *p) {
    int value = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i] | 0x20;
        if (p[i] >= '0' && p[i] <= '9')
            value = value << 4 | (p[i] - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (c - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static uint8_t *utf8_put(uint8_t *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (uint8_t)c;
        return out;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    *out++ = (uint8_t)(lead[more] | c >> (6 * more));
    while (more-- > 0)
        *out++ = (uint8_t)(0x80 | (c >> (6 * more) & 0x3f));
    return out;
}

/* \uXXXX at p (behind the u) with at least `left` bytes; *used is 4, or 10 for a surrogate pair. */
static const char *unescape_u(const uint8_t *p, size_t left, uint32_t *ret_char, size_t *used) {
    int hi = left >= 4 ? hex4(p) : -1;
    if (hi < 0) return "a \\u escape needs four hex digits";
    if (hi == 0) return "a string must not hold NUL";
    *ret_char = (uint32_t)hi;
    *used = 4;
    if (hi < 0xd800 || hi > 0xdfff) return NULL;
    int lo = left >= 10 && p[4] == '\\' && p[5] == 'u' ? hex4(p + 6) : -1;
    if (hi > 0xdbff || lo < 0xdc00 || lo > 0xdfff) return "a lone surrogate is no character";
    *ret_char = 0x10000 + (((uint32_t)hi & 0x3ff) << 10) + ((uint32_t)lo & 0x3ff);
    *used = 10;
    return NULL;
}

static const char *unescape(const uint8_t *p, const uint8_t *end, uint8_t *out, size_t *ret_n) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t *o = out;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        const char *simple = strchr(from, p[1]); /* the scan saw a byte behind every backslash, never a NUL */
        if (simple) {
            *o++ = (uint8_t)to[simple - from];
            p += 2;
            continue;
        }
        if (p[1] != 'u') return "unknown escape in a string";
        uint32_t c = 0;
        size_t used = 0;
        const char *why = unescape_u(p + 2, (size_t)(end - p - 2), &c, &used);
        if (why) return why;
        o = utf8_put(o, c);
        p += 2 + used;
    }
    *ret_n = (size_t)(o - out);
    return NULL;
}

/* Runs to the closing quote; notes whether there are escapes and bytes above ASCII. */
static const char *scan_string(struct lex *l, bool *escapes, bool *high) {
    for (; l->p < l->end; l->p++) {
        uint8_t c = *l->p;
        if (c == '"') return NULL;
        if (c < 0x20) return "a control character must be escaped in a string";
        *high |= c >= 0x80;
        if (c != '\\') continue;
        *escapes = true;
        l->p++;
        if (l->p < l->end && *l->p < 0x20) return "unknown escape in a string";
    }
    return "a string has no end";
}

const char *lex_string(struct lex *l, struct arena *mem, struct chop_bytes *ret) {
    if (!lex_take(l, '"')) return "a string is expected";
    const uint8_t *start = l->p;
    bool escapes = false, high = false;
    const char *why = scan_string(l, &escapes, &high);
    if (why) return why;
    size_t n = (size_t)(l->p - start);
    l->p++;
    if (high && !chop_utf8_valid((const char *)start, n)) return "a string is not valid UTF-8";
    *ret = CHOP_BYTES(start, n);
    if (!escapes) return NULL;
    uint8_t *plain = arena_alloc(mem, n);
    if (!plain) return pbjson_no_memory;
    why = unescape(start, start + n, plain, &n);
    *ret = CHOP_BYTES(plain, n);
    return why;
}

const char *lex_integer(struct lex *l, struct integer *ret) {
    *ret = (struct integer){ .negative = lex_take(l, '-') };
    const uint8_t *start = l->p;
    for (; l->p < l->end && *l->p >= '0' && *l->p <= '9'; l->p++) {
        ret->magnitude = ret->magnitude * 10 + (uint64_t)(*l->p - '0');
        if (ret->magnitude > PBJSON_MAX_INTEGER) return "an integer is beyond 2^53-1";
    }
    if (l->p == start) return "an integer is expected";
    if (*start == '0' && l->p - start > 1) return "an integer must not start with 0";
    if (l->p < l->end && (*l->p == '.' || *l->p == 'e' || *l->p == 'E')) return "fractions and exponents are refused";
    return NULL;
}

const char *lex_bool(struct lex *l, bool *ret) {
    int c = lex_peek(l);
    size_t left = (size_t)(l->end - l->p), n = c == 't' ? 4 : 5;
    if (left < n || memcmp(l->p, c == 't' ? "true" : "false", n) != 0) return "true or false is expected";
    l->p += n;
    *ret = c == 't';
    return NULL;
}
