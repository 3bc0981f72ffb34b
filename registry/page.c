#include "reads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SHOWN 50

static const char head[] =
    "<!doctype html><html lang=zh-CN><meta charset=utf-8><meta name=viewport content=\"width=device-width\">"
    "<meta http-equiv=refresh content=5><style>body{font:15px/1.5 system-ui,sans-serif;margin:2rem;color:#222}"
    "table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #ddd}"
    "th{color:#666;font-weight:500}code{font-size:13px}</style>";

/* Writes text with the five letters escaped that HTML gives a meaning. */
static void escape(FILE *out, const char *text) {
    for (; *text; text++) {
        switch (*text) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc(*text, out);
        }
    }
}

/* Time in UTC+8. */
static void put_time(FILE *out, int64_t ms) {
    time_t t = (time_t)(ms / 1000 + 8 * 3600);
    struct tm tm;
    char text[32];
    if (!gmtime_r(&t, &tm) || strftime(text, sizeof text, "%F %T", &tm) == 0) text[0] = 0;
    fputs(text, out);
}

static void put_row(FILE *out, const struct store_filing *f) {
    const char *const cells[] = { f->kind, f->organization, f->seal_name, f->member };
    char digest[17] = "";
    if (f->digest.n == 32) chop_hex(f->digest.p, 8, digest);
    fprintf(out, "<tr><td><code>%s</code><td>", f->number);
    put_time(out, f->received_at);
    for (size_t i = 0; i < CHOP_COUNT(cells); i++) {
        fputs("<td>", out);
        escape(out, cells[i]);
    }
    fprintf(out, "<td>%llu<td><code>%s…</code>\n", (unsigned long long)f->seq, digest);
}

static void put_page(FILE *out, const char *name, const char *title, uint64_t count, const struct store_filing *list,
    size_t n) {
    fputs(head, out);
    fputs("<title>", out);
    escape(out, title[0] ? title : name);
    fputs("</title><h1>", out);
    escape(out, title[0] ? title : name);
    fprintf(out, "</h1><p>备案 filings: %llu</p>", (unsigned long long)count);
    fputs("<table><tr><th>备案编号 number<th>收到 received<th>事实 fact<th>单位 organization<th>印章 seal"
          "<th>人员 member<th>序号 seq<th>摘要 digest\n", out);
    for (size_t i = 0; i < n; i++) put_row(out, &list[i]);
    fputs("</table></html>\n", out);
}

struct reads_answer page_latest(struct store *s, const char *name, const char *title, struct arena *mem) {
    struct store_filing *list;
    size_t n, len;
    uint64_t count;
    CHOP_FREE char *text = NULL;
    if (store_latest(s, SHOWN, mem, &list, &n) || store_count(s, &count))
        return reads_refusal(mem, 503, "unavailable", "try again later", 0);
    FILE *out = open_memstream(&text, &len);
    if (!out) return reads_refusal(mem, 503, "unavailable", "out of memory", 0);
    put_page(out, name, title, count, list, n);
    if (fclose(out) != 0) return reads_refusal(mem, 503, "unavailable", "out of memory", 0);
    return (struct reads_answer){ 200, "text/html; charset=utf-8", arena_copy(mem, CHOP_BYTES(text, len)) };
}
