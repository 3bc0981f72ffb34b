#include "reads.h"

#include "pb.h"
#include "pbjson.h"

#include "filing.pb-c.h"

#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST 1000

static struct reads_answer json(struct arena *mem, int status, const void *message) {
    struct reads_answer a = { .status = status, .type = "application/json" };
    if (pbjson_print(message, mem, &a.body)) return (struct reads_answer){ .status = 503, .type = "application/json" };
    return a;
}

struct reads_answer reads_refusal(struct arena *mem, int status, const char *code, const char *detail,
    uint64_t expected) {
    Pb__FilingRefusal r = PB__FILING_REFUSAL__INIT;
    r.code = PB_STR(code);
    r.detail = PB_STR(detail);
    r.expected = expected;
    return json(mem, status, &r);
}

struct reads_answer reads_receipt(struct arena *mem, struct chop_bytes receipt) {
    Pb__FilingAnswer a = PB__FILING_ANSWER__INIT;
    a.receipt = PB_BIN(receipt);
    return json(mem, 200, &a);
}

static struct reads_answer unavailable(struct arena *mem) {
    return reads_refusal(mem, 503, "unavailable", "try again later", 0);
}

struct reads_answer reads_status(struct store *s, const char *key, struct arena *mem) {
    struct rules_held held;
    struct chop_bytes receipt;
    if (store_by_key(s, key, mem, &held, &receipt)) return unavailable(mem);
    if (!held.found) return reads_refusal(mem, 404, "not_found", "nothing was filed under this key", 0);
    return reads_receipt(mem, receipt);
}

static Pb__HeldFiling *held_filing(const struct store_filing *f, struct arena *mem) {
    Pb__HeldFiling *h = PB_NEW(mem, Pb__HeldFiling, pb__held_filing);
    if (!h) return NULL;
    h->number = PB_STR(f->number);
    h->fact_id = PB_STR(f->fact_id);
    h->kind = PB_STR(f->kind);
    h->seal_id = PB_STR(f->seal_id);
    h->seal_seq = f->seq;
    h->fact_digest = arena_hex(mem, f->digest);
    h->idempotency_key = PB_STR(f->key);
    h->received_at = f->received_at;
    return h;
}

static uint32_t read_limit(const char *text) {
    unsigned long n = text ? strtoul(text, NULL, 10) : LIMIT_DEFAULT;
    return n == 0 ? LIMIT_DEFAULT : n > LIMIT_MOST ? LIMIT_MOST : (uint32_t)n;
}

struct reads_answer reads_list(struct store *s, const char *seal, const char *after, const char *limit,
    struct arena *mem) {
    struct store_filing *list;
    size_t n;
    if (store_list(s, seal ? seal : "", after ? after : "", read_limit(limit), mem, &list, &n)) return unavailable(mem);
    Pb__HeldFilings all = PB__HELD_FILINGS__INIT;
    all.filings = ARENA_ARRAY(mem, Pb__HeldFiling *, n ? n : 1);
    for (size_t i = 0; all.filings && i < n; i++) {
        all.filings[i] = held_filing(&list[i], mem);
        if (!all.filings[i]) return unavailable(mem);
    }
    all.n_filings = all.filings ? n : 0;
    return json(mem, 200, &all);
}
