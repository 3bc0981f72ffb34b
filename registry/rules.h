/* rules: whether a filing continues its seal's chain. Pure: no store, no clock. */
#pragma once
#include "base.h"

enum rules_verdict {
    RULES_ACCEPT,
    RULES_STAND_IN, /* a gap notice, in the place of the fact that it names */
    RULES_SAME,     /* held already, under this very key: answer the same receipt */
    RULES_GAP,      /* not the next of its seal */
    RULES_CONFLICT, /* the number, the key or the chain belongs to another fact */
};

struct rules_chain { /* what is held of one seal */
    uint64_t last_seq;       /* 0: nothing */
    uint8_t last_digest[32]; /* of the fact last_seq */
};
struct rules_held { /* what is held under the same key or the same (seal, seq) */
    bool found;
    bool same_key;
    uint8_t digest[32];
};
struct rules_fact {
    uint64_t seq;
    uint8_t digest[32];          /* of its payload */
    struct chop_bytes previous; /* previous_digest: empty or 32 bytes */
    uint64_t gap_seq;           /* of a gap notice for this registry: whose place it may take; 0: none */
};

enum rules_verdict rules_judge(const struct rules_chain *chain, const struct rules_held *by_key,
    const struct rules_held *by_seq, const struct rules_fact *fact);
