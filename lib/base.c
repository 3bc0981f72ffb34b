#include "base.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

const struct chop_errinfo chop_errors[CHOP_E_COUNT] = {
#define X(name, http, retry, text) { #name, http, retry, text },
    CHOP_ERRORS(X)
#undef X
};

static _Thread_local char detail_text[256];
static _Thread_local char detail_field[96];

chop_err chop_fail(chop_err e, const char *field, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(detail_text, sizeof detail_text, fmt, ap);
    va_end(ap);
    (void)snprintf(detail_field, sizeof detail_field, "%s", field ? field : "");
    return e;
}

const char *chop_detail_text(void) {
    return detail_text;
}

const char *chop_detail_field(void) {
    return detail_field;
}

void chop_detail_clear(void) {
    detail_text[0] = detail_field[0] = 0;
}

chop_err chop_err_by_name(const char *name) {
    for (size_t i = 0; i < CHOP_E_COUNT; i++)
        if (strcmp(chop_errors[i].name, name) == 0) return &chop_errors[i];
    return CHOP_ERR(EINTERNAL);
}

bool chop_bytes_equal(struct chop_bytes a, struct chop_bytes b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

uint64_t chop_hash_text(const char *s) {
    uint64_t h = 14695981039346656037u;
    while (*s) h = (h ^ (unsigned char)*s++) * 1099511628211u;
    return h;
}

void chop_hex(const uint8_t *p, size_t n, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = 0;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool chop_unhex(const char *text, uint8_t *out, size_t n) {
    if (strlen(text) != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int hi = hex_value(text[2 * i]), lo = hex_value(text[2 * i + 1]);
        if (hi < 0 || lo < 0) return false;
        out[i] = (uint8_t)(hi << 4 | lo);
    }
    return true;
}

/* The length of the sequence that starts at p (of n left), 0 where it is not valid (RFC 3629, section 4). */
static size_t utf8_sequence(const uint8_t *p, size_t n) {
    if (p[0] < 0x80) return p[0] ? 1 : 0;
    size_t len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || len > n) return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] > 0x9f;
    bool beyond = p[0] == 0xf4 && p[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : len;
}

bool chop_utf8_valid(const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        size_t len = utf8_sequence((const uint8_t *)s + i, n - i);
        if (len == 0) return false;
        i += len;
    }
    return true;
}

int64_t chop_now_ms(void) {
    static _Atomic int64_t offset = INT64_MIN;
    int64_t shift = atomic_load(&offset);
    if (shift == INT64_MIN) {
        const char *text = getenv("CHOP_TEST_CLOCK_OFFSET_MS");
        shift = text ? strtoll(text, NULL, 10) : 0;
        atomic_store(&offset, shift);
    }
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + shift;
}

int64_t chop_mono_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void chop_random(void *out, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t got = getrandom((uint8_t *)out + done, n - done, 0);
        if (got < 0) abort();
        done += (size_t)got;
    }
}

void chop_id_new(const char *prefix, char out[CHOP_ID_MAX]) {
    static const char letters[] = "0123456789abcdefghjkmnpqrstvwxyz";
    uint8_t bits[16];
    int64_t now = chop_now_ms();
    for (int i = 0; i < 6; i++) bits[i] = (uint8_t)(now >> (40 - 8 * i));
    chop_random(bits + 6, 10);
    char text[27];
    unsigned acc = 0;
    int held = 2; /* 26 letters hold 130 bits: two leading zero bits */
    size_t at = 0;
    for (int i = 0; i < 16; i++) {
        acc = acc << 8 | bits[i];
        held += 8;
        while (held >= 5) {
            held -= 5;
            text[at++] = letters[acc >> held & 31];
        }
    }
    text[26] = 0;
    (void)snprintf(out, CHOP_ID_MAX, "%.5s_%s", prefix, text);
}

bool chop_id_valid(const char *s, const char *prefix) {
    size_t n = strlen(prefix);
    if (strncmp(s, prefix, n) != 0 || s[n] != '_' || strlen(s + n + 1) != 26) return false;
    return strspn(s + n + 1, "0123456789abcdefghjkmnpqrstvwxyz") == 26;
}

void chop_free_p(void *pp) {
    free(*(void **)pp);
}

void chop_close_p(int *fd) {
    if (*fd >= 0) close(*fd);
}

#ifdef CHOP_FAILPOINTS
/* Whether the file already names this point: then a restarted process lives on. */
static bool failpoint_was_hit(const char *path, const char *name) {
    FILE *f = fopen(path, "r");
    if (!f) return false;
    char line[128];
    bool hit = false;
    while (!hit && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        hit = strcmp(line, name) == 0;
    }
    fclose(f);
    return hit;
}

void chop_failpoint(const char *name) {
    static _Atomic int count;
    const char *want = getenv("CHOP_FAILPOINT"), *path = getenv("CHOP_FAILPOINT_FILE");
    if (!want || !path) return;
    size_t n = strcspn(want, ":");
    if (strlen(name) != n || strncmp(want, name, n) != 0) return;
    int nth = want[n] ? atoi(want + n + 1) : 1;
    if (atomic_fetch_add(&count, 1) + 1 != nth || failpoint_was_hit(path, name)) return;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        (void)!write(fd, name, strlen(name));
        (void)!write(fd, "\n", 1);
        (void)fsync(fd);
    }
    kill(getpid(), SIGKILL);
}
#endif
