/* settle: what a sender holds of a batch, and how its outcome becomes rows and events in one transaction. */
#pragma once
#include "adapter.h"
#include "relay.h"

#define BATCH_MOST 32 /* lanes */
#define RUN_MOST 8 /* filings of one lane in a batch */

struct lane_claim {
    const char *seal_id;
    int64_t fence;
    bool ours;    /* still, when settling */
    bool blocked; /* a filing of it did not get through: the rest waits */
};
struct filing_claim {
    const char *filing_id, *was, *seal_id, *key, *fact_id, *kind, *grant_id, *organization_id;
    uint64_t seal_seq; /* the place in the seal */
    uint64_t fact_seq; /* what the fact itself says: another one when a gap notice stands in */
    bool notice;
    unsigned failures;
    int64_t made_at; /* the fact's */
    uint32_t number;
    struct chop_bytes digest, fact;
    struct lane_claim *lane;
    /* what happened */
    unsigned exchanges; /* 0: not tried */
    bool asking;        /* the last exchange was a status call */
    struct adapter_answer answer;
    const Pb__ReceiptStatement *receipt; /* OUTCOME_RECEIPT: judged right */
};
struct batch {
    struct registry *registry;
    const char *seals; /* of the lanes, joined by commas */
    struct lane_claim *lanes;
    size_t n_lanes;
    struct filing_claim *filings; /* by seal and seal_seq */
    size_t n_filings;
};

/* Claims up to n lanes with work and their first filings; ret->n_lanes 0: nothing is due. */
chop_err batch_claim(struct call *c, struct registry *g, size_t n, int64_t lease_ms, struct batch *ret_batch)
    CHOP_MUSTCHECK;
/* Writes all outcomes, receipts and events, and gives the lanes back. */
chop_err batch_settle(struct call *c, const struct relay *r, struct batch *b) CHOP_MUSTCHECK;
