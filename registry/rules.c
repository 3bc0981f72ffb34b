#include "rules.h"

#include <string.h>

static bool same_digest(const struct rules_held *held, const struct rules_fact *fact) {
    return memcmp(held->digest, fact->digest, 32) == 0;
}

/* The first fact of a seal has no previous one. */
static bool links(const struct rules_chain *chain, const struct rules_fact *fact) {
    if (chain->last_seq == 0) return fact->previous.n == 0;
    return fact->previous.n == 32 && memcmp(fact->previous.p, chain->last_digest, 32) == 0;
}

enum rules_verdict rules_judge(const struct rules_chain *chain, const struct rules_held *by_key,
    const struct rules_held *by_seq, const struct rules_fact *fact) {
    if (by_key->found) return same_digest(by_key, fact) ? RULES_SAME : RULES_CONFLICT;
    /* Before what is held by number: the notice comes again later, as the fact that it is, and is another filing then. */
    if (fact->gap_seq != 0 && fact->gap_seq == chain->last_seq + 1) return RULES_STAND_IN;
    /* The same fact under another key is answered alike: a fact is filed once, whatever it is called. */
    if (by_seq->found) return same_digest(by_seq, fact) ? RULES_SAME : RULES_CONFLICT;
    if (fact->seq != chain->last_seq + 1) return RULES_GAP;
    return links(chain, fact) ? RULES_ACCEPT : RULES_CONFLICT;
}
