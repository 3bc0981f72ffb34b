/* rules: what follows from what a registry did. Pure: no bus, no store, no network. */
#pragma once
#include "fsm.h"
#include "trust.h"

typedef struct Pb__ReceiptStatement Pb__ReceiptStatement;

/* waiting, sending, unknown, receipted, dead, skipped; see docs/registry-protocol.md */
extern const struct fsm filing_fsm;

enum outcome {          /* of one exchange with a registry */
    OUTCOME_RECEIPT,    /* a receipt that is right */
    OUTCOME_LIE,        /* a receipt that is not */
    OUTCOME_UNREACHED,  /* surely did not arrive */
    OUTCOME_LOST,       /* may have arrived: unknown is not failed */
    OUTCOME_BUSY,       /* it says: later */
    OUTCOME_REFUSED,    /* it will never take this */
    OUTCOME_GAP,        /* it waits for an earlier fact of the seal */
    OUTCOME_CONFLICT,   /* it holds another fact in this one's place */
    OUTCOME_NOT_FOUND,  /* of a status call, authoritative: it was never filed */
    OUTCOME_COUNT
};

/* The action of filing_fsm that follows, or NULL where the filing is to be sent now (a status call's not-found).
 * `asking`: the exchange was a status call; then a failure leaves the filing unknown, to be asked about again. */
const char *rules_action(enum outcome o, bool asking);
/* Whether a filing in this state must be asked about before it is sent again. */
bool rules_ask_first(const char *state);
/* Whether the outcome says that the registry as a whole is not well. */
bool rules_is_outage(enum outcome o);
/* What an HTTP answer other than 200 means; `code` is the body's, "" where there is none. */
enum outcome rules_http(long status, const char *code, bool asking);
/* Milliseconds before the next try after so many failures in a row (from 1): base times 1, 4, 20, 120, 600, 1800. */
int64_t rules_pause(unsigned failures, int64_t base_ms);

struct rules_expected { /* what a right receipt says */
    const char *registry, *fact_id, *seal_id, *key;
    uint64_t seal_seq;
    uint8_t digest[32];
    int64_t made_at; /* the fact's time: no receipt is older */
};
/* Verifies a packed Signed{receipt}: signature by the registry's own key (manifest purpose registry, entry name) and that
 * it speaks of this very filing. Any failure is EPEER with a detail: a lie. */
chop_err rules_check_receipt(const struct trust *t, struct chop_bytes packed, const struct rules_expected *expected,
    int64_t now, struct arena *mem, const Pb__ReceiptStatement **ret_receipt) CHOP_MUSTCHECK;
bool rules_name_valid(const char *registry);
