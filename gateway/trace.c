#include "trace.h"

#include <stdio.h>
#include <string.h>

/* Ids need to be unique, not secret; one system call for many of them. */
static void random_some(uint8_t *out, size_t n) {
    static _Thread_local uint8_t pool[480];
    static _Thread_local size_t left;
    if (left < n) {
        chop_random(pool, sizeof pool);
        left = sizeof pool;
    }
    left -= n;
    memcpy(out, pool + left, n);
}

static bool is_id(const char *p, size_t n) {
    return strspn(p, "0123456789abcdef") >= n && strspn(p, "0") < n;
}

/* version 00: "00-" 32 hex "-" 16 hex "-" 2 hex, lower case, no id all zero. */
static bool is_valid(const char *h) {
    if (!h || strlen(h) != 55 || memcmp(h, "00-", 3) != 0 || h[35] != '-' || h[52] != '-') return false;
    return is_id(h + 3, 32) && is_id(h + 36, 16) && strspn(h + 53, "0123456789abcdef") == 2;
}

void trace_begin(const char *header, char traceparent[56], char trace[33]) {
    uint8_t bits[24];
    random_some(bits, sizeof bits);
    bits[0] |= 1; /* never all zero */
    bits[16] |= 1;
    bool known = is_valid(header);
    if (known)
        memcpy(trace, header + 3, 32);
    else
        chop_hex(bits, 16, trace);
    trace[32] = 0;
    memcpy(traceparent, "00-", 3);
    memcpy(traceparent + 3, trace, 32);
    traceparent[35] = '-';
    chop_hex(bits + 16, 8, traceparent + 36);
    memcpy(traceparent + 52, known ? header + 52 : "-01", 4);
}
