/* reads: what GET answers. Each fills status, type and body (in the arena). */
#pragma once
#include "store.h"

struct reads_answer {
    int status;
    const char *type;
    struct chop_bytes body;
};
struct reads_answer reads_refusal(struct arena *mem, int status, const char *code, const char *detail, uint64_t expected);
struct reads_answer reads_receipt(struct arena *mem, struct chop_bytes receipt);
/* GET /v1/filings/{key} */
struct reads_answer reads_status(struct store *s, const char *key, struct arena *mem);
/* GET /v1/filings?seal=&after=&limit= ; NULL where absent */
struct reads_answer reads_list(struct store *s, const char *seal, const char *after, const char *limit,
    struct arena *mem);
/* GET / : a table for people (page.c) */
struct reads_answer page_latest(struct store *s, const char *name, const char *title, struct arena *mem);
