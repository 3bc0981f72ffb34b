/* text: an append buffer for pages. Constant parts are copied, values are escaped; nothing is formatted by printf. */
#pragma once
#include "base.h"

struct text {
    char *p;
    size_t n, cap;
    bool full; /* something did not fit: the page is not to be sent */
};
void text_put(struct text *t, const char *s, size_t n);
/* TEXT(t, "literal") */
#define TEXT(t, literal) text_put((t), "" literal, sizeof(literal) - 1)
void text_str(struct text *t, const char *s); /* a constant of ours, not escaped */
/* Escaped for HTML, element or quoted attribute; cut to 300 bytes of input at a letter's end, with an ellipsis. */
void text_html(struct text *t, const char *s);
void text_uint(struct text *t, uint64_t n);
/* "2026-11-23 22:41:12" in UTC+8. */
void text_time(struct text *t, int64_t ms);
