#include "rules.h"

#include "pb.h"

#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <string.h>

enum { WAITING, SENDING, UNKNOWN, RECEIPTED, DEAD, SKIPPED };

static const struct fsm_state states[] = {
    [WAITING] = { "waiting", FSM_TO(SENDING) },
    [SENDING] = { "sending", FSM_TO(SENDING) | FSM_TO(WAITING) | FSM_TO(UNKNOWN) | FSM_TO(RECEIPTED) | FSM_TO(DEAD) |
        FSM_TO(SKIPPED) },
    [UNKNOWN] = { "unknown", FSM_TO(SENDING) },
    [RECEIPTED] = { "receipted", FSM_TO(WAITING) },
    [DEAD] = { "dead", FSM_TO(WAITING) },
    [SKIPPED] = { "skipped", FSM_TO(WAITING) },
};
static const struct fsm_move moves[] = {
    /* From sending: whoever had claimed it is gone, and nobody knows how far it came. */
    { "claim", FSM_FROM(WAITING) | FSM_FROM(UNKNOWN) | FSM_FROM(SENDING), SENDING },
    { "receipt", FSM_FROM(SENDING), RECEIPTED },
    { "notice", FSM_FROM(SENDING), SKIPPED }, /* the receipt of a gap notice that stands in the filing's place */
    { "retry", FSM_FROM(SENDING), WAITING },
    { "lose", FSM_FROM(SENDING), UNKNOWN },
    { "bury", FSM_FROM(SENDING), DEAD },
    { "replay", FSM_FROM(DEAD), WAITING },
    { "skip", FSM_FROM(DEAD), WAITING }, /* from now on the gap notice is sent in its place */
    { "refile", FSM_FROM(RECEIPTED) | FSM_FROM(SKIPPED), WAITING }, /* the registry lost what it had receipted */
};
const struct fsm filing_fsm = FSM("filing", states, moves);

static const struct {
    const char *sent, *asked;
    bool outage;
} follow[OUTCOME_COUNT] = {
    [OUTCOME_RECEIPT] = { "receipt", "receipt", false },
    [OUTCOME_LIE] = { "bury", "bury", false },
    [OUTCOME_UNREACHED] = { "retry", "lose", true },
    [OUTCOME_LOST] = { "lose", "lose", true },
    [OUTCOME_BUSY] = { "retry", "lose", true },
    [OUTCOME_REFUSED] = { "bury", "lose", false },
    [OUTCOME_GAP] = { "retry", "lose", false },
    [OUTCOME_CONFLICT] = { "bury", "lose", false },
    [OUTCOME_NOT_FOUND] = { "retry", NULL, false },
};

const char *rules_action(enum outcome o, bool asking) {
    return asking ? follow[o].asked : follow[o].sent;
}

bool rules_is_outage(enum outcome o) {
    return follow[o].outage;
}

bool rules_ask_first(const char *state) {
    return strcmp(state, "unknown") == 0 || strcmp(state, "sending") == 0;
}

enum outcome rules_http(long status, const char *code, bool asking) {
    if (status == 409) return strcmp(code, "gap") == 0 ? OUTCOME_GAP : OUTCOME_CONFLICT;
    /* Only the registry's own word is authoritative: a proxy in between may say 404 as well. */
    if (status == 404 && asking && strcmp(code, "not_found") == 0) return OUTCOME_NOT_FOUND;
    if (status == 401 || status == 403) return OUTCOME_BUSY; /* about the relay (secret, clock), not about this filing */
    if (status == 408 || status == 425 || status == 429 || status >= 500) return OUTCOME_BUSY;
    if (status >= 400) return OUTCOME_REFUSED;
    return status >= 300 ? OUTCOME_REFUSED : OUTCOME_LOST; /* a redirect is a failure; a 2xx without receipt tells nothing */
}

int64_t rules_pause(unsigned failures, int64_t base_ms) {
    static const int64_t factors[] = { 1, 4, 20, 120, 600, 1800 };
    size_t i = failures == 0 ? 0 : failures - 1;
    return base_ms * factors[i < CHOP_COUNT(factors) ? i : CHOP_COUNT(factors) - 1];
}

bool rules_name_valid(const char *registry) {
    size_t n = strlen(registry);
    return n >= 1 && n <= 32 && strspn(registry, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

/* ---- receipts ---- */

static chop_err lie(const char *what) {
    return CHOP_FAIL(EPEER, NULL, "the receipt's %s", what);
}

/* The key must be valid now, or have been when the receipt was made: a status call may answer an old receipt. That is not
 * before its fact was made, whatever the receipt says: a stolen key that was revoked since signs any date. */
static chop_err check_signature(const struct trust *t, const Pb__Signed *s, const struct rules_expected *expected,
    int64_t now, struct arena *mem, Pb__ReceiptStatement **ret_receipt) {
    const Pb__KeyEntry *entry;
    Pb__ReceiptStatement *r;
    chop_err e = trust_verify(t, s, "receipt", now, &entry);
    if (e && e != CHOP_ERR(EEXPIRED)) return lie("signature does not verify");
    if (PB_UNPACK(pb__receipt_statement, PB_BYTES(s->payload), mem, &r)) return lie("payload is malformed");
    int64_t made = r->received_at > expected->made_at ? r->received_at : expected->made_at;
    if (e && trust_verify(t, s, "receipt", made, &entry)) return lie("key was not valid when it was made");
    if (strcmp(entry->name, expected->registry) != 0) return lie("key is another registry's");
    *ret_receipt = r;
    return NULL;
}

chop_err rules_check_receipt(const struct trust *t, struct chop_bytes packed, const struct rules_expected *expected,
    int64_t now, struct arena *mem, const Pb__ReceiptStatement **ret_receipt) {
    Pb__Signed *s;
    Pb__ReceiptStatement *r;
    if (PB_UNPACK(pb__signed, packed, mem, &s)) return lie("bytes are malformed");
    TRY(check_signature(t, s, expected, now, mem, &r));
    if (strcmp(r->registry, expected->registry) != 0) return lie("registry is another");
    if (strcmp(r->fact_id, expected->fact_id) != 0) return lie("fact is another");
    if (!chop_bytes_equal(PB_BYTES(r->fact_digest), CHOP_BYTES(expected->digest, 32))) return lie("digest is another");
    if (strcmp(r->seal_id, expected->seal_id) != 0) return lie("seal is another");
    if (r->seal_seq != expected->seal_seq) return lie("number in the seal's chain is another");
    if (strcmp(r->idempotency_key, expected->key) != 0) return lie("idempotency key is another");
    if (!r->number[0] || strlen(r->number) > 64) return lie("filing number is missing or too long");
    *ret_receipt = r;
    return NULL;
}
