#include "text.h"

#include <string.h>

#define VALUE_MAX 300

void text_put(struct text *t, const char *s, size_t n) {
    if (n > t->cap - t->n) {
        t->full = true;
        return;
    }
    memcpy(t->p + t->n, s, n);
    t->n += n;
}

void text_str(struct text *t, const char *s) {
    text_put(t, s, strlen(s));
}

/* Most values hold nothing to escape: whole runs are copied. */
static void put_escaped(struct text *t, const char *s, size_t n) {
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        const char *with;
        switch (s[i]) {
        case '&':
            with = "&amp;";
            break;
        case '<':
            with = "&lt;";
            break;
        case '>':
            with = "&gt;";
            break;
        case '"':
            with = "&quot;";
            break;
        case '\'':
            with = "&#39;";
            break;
        default:
            continue;
        }
        text_put(t, s + from, i - from);
        text_str(t, with);
        from = i + 1;
    }
    text_put(t, s + from, n - from);
}

void text_html(struct text *t, const char *s) {
    size_t n = strlen(s), cut = n;
    if (n > VALUE_MAX)
        for (cut = VALUE_MAX; cut > 0 && ((unsigned char)s[cut] & 0xC0) == 0x80;)
            cut--;
    put_escaped(t, s, cut);
    if (cut < n) TEXT(t, "…");
}

void text_uint(struct text *t, uint64_t n) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    text_put(t, digits + at, sizeof digits - at);
}

static void put_pair(char *p, unsigned n) {
    p[0] = (char)('0' + n / 10 % 10);
    p[1] = (char)('0' + n % 10);
}

/* The civil date of a day count: years begin in March, eras have 400 years (Howard Hinnant's known method). */
static void put_date(char *p, int64_t days) {
    days += 719468;
    unsigned era = (unsigned)(days / 146097), doe = (unsigned)(days % 146097);
    unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    unsigned month = mp < 10 ? mp + 3 : mp - 9, year = yoe + era * 400 + (month <= 2);
    put_pair(p, year / 100);
    put_pair(p + 2, year % 100);
    put_pair(p + 5, month);
    put_pair(p + 8, doy - (153 * mp + 2) / 5 + 1);
}

void text_time(struct text *t, int64_t ms) {
    char out[] = "0000-00-00 00:00:00";
    int64_t s = ms / 1000 + 8 * 3600;
    if (ms < 0 || s / 86400 > 2932896) return; /* the year 9999 */
    unsigned second = (unsigned)(s % 86400);
    put_date(out, s / 86400);
    put_pair(out + 11, second / 3600);
    put_pair(out + 14, second / 60 % 60);
    put_pair(out + 17, second % 60);
    text_put(t, out, sizeof out - 1);
}
