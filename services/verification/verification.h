/* What the files of this service share. */
#pragma once
#include "app.h"
#include "marks.h"
#include "metrics.h"
#include "rules.h"

#include "common.pb-c.h"
#include "filing.pb-c.h"
#include "issuance.pb-c.h"

struct verification_conf {
    const char *verify_host, *verify_key;
    int64_t stale_ms;
};
struct verification {
    struct verification_conf conf;
    uint8_t verify_key[32];
    struct metric *forged, *asked;
};

/* ---- evidence.c: signed statements, read only after they verified ---- */
struct evidence {
    const Pb__ImpressionStatement *impression;
    const Pb__GrantStatement *grant;
    const Pb__AllotmentStatement *allotment;
};
/* ESIGNATURE, EMISMATCH, EEXPIRED, EINVAL: not to be believed. `at`: when it was said. */
chop_err evidence_read(struct call *c, const Pb__ImpressionIssued *in, int64_t at, struct evidence *ret) CHOP_MUSTCHECK;
/* The verdict as it is right after issuing: full level, no verdict word yet. */
chop_err evidence_verdict(struct call *c, const struct evidence *e, Pb__Verdict **ret) CHOP_MUSTCHECK;
chop_err fact_read(struct call *c, const Pb__Signed *s, int64_t at, Pb__FactStatement **ret) CHOP_MUSTCHECK;
/* A seal's state, and what a number was settled as, stand in the fact's detail before any reason. */
bool detail_says(const Pb__FactStatement *f, const char *word);
/* Whether the statement proves that this number of this grant came to this end. The fact that does, but for a
 * revocation that is none. */
chop_err outcome_proven(struct call *c, const Pb__ImpressionSettled *in, enum outcome o, int64_t at,
    const Pb__FactStatement **ret_fact) CHOP_MUSTCHECK;
/* Whether it is the registry's own receipt for this fact. */
chop_err receipt_read(struct call *c, const Pb__Signed *s, const char *registry, const char *fact_id, int64_t at,
    Pb__ReceiptStatement **ret) CHOP_MUSTCHECK;

/* ---- build.c: makes rows again from what is known ---- */
/* number 0: all of the grant. */
chop_err build_rows(struct call *c, const char *grant_id, uint32_t number) CHOP_MUSTCHECK;

/* ---- lookup.c ---- */
struct found {
    Pb__Verdict *v;      /* full level; NULL: no such mark */
    struct situation at; /* without `differs` */
    uint8_t cipher_hash[32];
    int64_t as_of;
    bool unavailable; /* neither the read model nor the owner can tell */
};
/* What the query of a mark, or of many, gave in this row; FOUND_NO_ROW: nothing. */
#define FOUND_NO_ROW SIZE_MAX
chop_err found_row(struct call *c, const char *token, const struct db_rows *rows, size_t row, struct found *ret)
    CHOP_MUSTCHECK;
/* From issuance and authorization themselves. */
void found_ask(struct call *c, const char *token, const char *serial, struct found *ret);
/* Whether what is known here may be told as it is now. */
bool model_current(struct call *c);

/* ---- answer.c ---- */
struct question {
    const char *cipher;          /* "" for none */
    const Pb__KeyFacts *facts;   /* NULL for none */
    const char *document_sha256; /* "" for none */
};
/* Verdict, level and masking. ETHROTTLED, EMISTYPED for the cipher; *v is then answered on the masked level. */
chop_err answer_make(struct call *c, struct found *f, const struct question *q, Pb__Verdict *out) CHOP_MUSTCHECK;
/* A verdict without an impression. */
void answer_bare(struct call *c, const char *verdict, const char *reason, Pb__Verdict *out);

/* ---- page.c ---- */
struct page_view {
    const Pb__Verdict *v;
    const char *host, *token;
    const char *notice; /* about the cipher: "throttled", "mistyped", NULL */
};
chop_err page_render(const struct page_view *w, struct arena *mem, struct chop_bytes *ret_html) CHOP_MUSTCHECK;
