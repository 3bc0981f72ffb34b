#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 2048

static const char *service_name = "chop";
static _Atomic int least_level = LOG_INFO;

void log_start(const char *service, enum log_level least) {
    service_name = service;
    atomic_store(&least_level, (int)least);
}

const char *log_int_text(char *buf, int64_t n) {
    (void)snprintf(buf, 24, "%lld", (long long)n);
    return buf;
}

struct line {
    char text[LINE_MAX_BYTES];
    size_t used;
};

static void put_char(struct line *l, char c) {
    if (l->used < sizeof l->text - 4) l->text[l->used++] = c;
}

static void put_raw(struct line *l, const char *s) {
    while (*s) put_char(l, *s++);
}

/* A JSON string; whatever is not printable ASCII or UTF-8 is escaped, so one entry stays one line. */
static void put_string(struct line *l, const char *s) {
    static const char digits[] = "0123456789abcdef";
    bool utf8 = chop_utf8_valid(s, strlen(s));
    put_char(l, '"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') {
            put_char(l, '\\');
            put_char(l, (char)c);
        } else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8)) {
            put_raw(l, "\\u00");
            put_char(l, digits[c >> 4]);
            put_char(l, digits[c & 15]);
        } else {
            put_char(l, (char)c);
        }
    }
    put_char(l, '"');
}

static void put_pair(struct line *l, const char *key, const char *value) {
    put_char(l, ',');
    put_string(l, key);
    put_char(l, ':');
    put_string(l, value ? value : "");
}

static void put_start(struct line *l, enum log_level level, const char *msg) {
    static const char *const names[] = { "debug", "info", "warn", "error" };
    struct timespec t;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    char at[64];
    size_t n = strftime(at, sizeof at, "{\"at\":\"%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(at + n, sizeof at - n, ".%03ldZ\"", t.tv_nsec / 1000000);
    put_raw(l, at);
    put_pair(l, "level", names[level]);
    put_pair(l, "service", service_name);
    put_pair(l, "msg", msg);
}

void log_line(enum log_level level, const char *msg, ...) {
    if ((int)level < atomic_load(&least_level)) return;
    struct line l = { .used = 0 };
    put_start(&l, level, msg);
    va_list ap;
    va_start(ap, msg);
    for (const char *key; (key = va_arg(ap, const char *)) != NULL;) {
        const char *value = va_arg(ap, const char *);
        put_pair(&l, key, value);
    }
    va_end(ap);
    l.text[l.used++] = '}';
    l.text[l.used++] = '\n';
    (void)!write(STDERR_FILENO, l.text, l.used); /* one write: lines of threads do not mix */
}

void log_error(const char *msg, chop_err e) {
    log_line(LOG_ERROR, msg, "code", e ? e->name : "", "field", chop_detail_field(), "detail", chop_detail_text(), NULL);
}
