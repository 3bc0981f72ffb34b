/* filing: one POST /v1/filings under way, from the HTTP thread to the writer and back. */
#pragma once
#include "switches.h"
#include "trust.h"

typedef struct Pb__FactStatement Pb__FactStatement;

struct filing {
    struct arena *mem; /* everything below lies here */
    /* what came, verified */
    const char *key;
    struct chop_bytes fact; /* packed Signed{fact} */
    const Pb__FactStatement *statement;
    uint8_t digest[32]; /* of the fact's payload */
    enum switch_mode mode;
    /* what is answered */
    int status;           /* HTTP */
    const char *code;     /* of a refusal */
    const char *detail;
    uint64_t expected;    /* of a gap */
    struct chop_bytes receipt; /* packed Signed{receipt}, status 200 */
    /* the writer's */
    void (*done)(void *ctx); /* called once, after the commit, on the writer's thread */
    void *ctx;
    struct filing *next;
};

static inline void filing_refuse(struct filing *f, int status, const char *code, const char *detail) {
    f->status = status;
    f->code = code;
    f->detail = detail;
}
