#include "rules_grant.h"

#include <string.h>

enum { WAITING, OPEN, SUSPENDED, CANCELLED };
static const struct fsm_state grant_states[] = {
    [WAITING] = { "waiting", FSM_TO(OPEN) | FSM_TO(CANCELLED) },
    [OPEN] = { "open", FSM_TO(SUSPENDED) | FSM_TO(CANCELLED) },
    [SUSPENDED] = { "suspended", FSM_TO(OPEN) | FSM_TO(CANCELLED) },
    [CANCELLED] = { "cancelled", 0 },
};
static const struct fsm_move grant_moves[] = {
    { "open", FSM_FROM(WAITING), OPEN },
    { "suspend", FSM_FROM(OPEN), SUSPENDED },
    { "resume", FSM_FROM(SUSPENDED), OPEN },
    { "cancel", FSM_FROM(WAITING) | FSM_FROM(OPEN) | FSM_FROM(SUSPENDED), CANCELLED },
};
const struct fsm grant_fsm = FSM("grant", grant_states, grant_moves);

enum { RESERVED, PRINTED, SPOILED, INTERRUPTED, RETURNED, REVOKED };
static const struct fsm_state number_states[] = {
    [RESERVED] = { "reserved", FSM_TO(PRINTED) | FSM_TO(SPOILED) | FSM_TO(INTERRUPTED) | FSM_TO(RETURNED) },
    [PRINTED] = { "printed", FSM_TO(REVOKED) },
    [SPOILED] = { "spoiled", 0 },
    [INTERRUPTED] = { "interrupted", FSM_TO(PRINTED) | FSM_TO(SPOILED) },
    [RETURNED] = { "returned", FSM_TO(RESERVED) },
    [REVOKED] = { "revoked", 0 },
};
static const struct fsm_move number_moves[] = {
    { "reserve", FSM_FROM(RETURNED), RESERVED },
    { "report_printed", FSM_FROM(RESERVED), PRINTED },
    { "report_spoiled", FSM_FROM(RESERVED), SPOILED },
    { "report_refused", FSM_FROM(RESERVED), RETURNED },
    { "report_interrupted", FSM_FROM(RESERVED), INTERRUPTED },
    { "close_out", FSM_FROM(RESERVED), RETURNED },
    { "settle_printed", FSM_FROM(RESERVED) | FSM_FROM(INTERRUPTED), PRINTED },
    { "settle_spoiled", FSM_FROM(RESERVED) | FSM_FROM(INTERRUPTED), SPOILED },
    { "revoke", FSM_FROM(PRINTED), REVOKED },
};
const struct fsm number_fsm = FSM("impression", number_states, number_moves);

uint32_t rules_grant_remaining(const struct grant_count *g) {
    uint32_t fresh = g->copies + 1 > g->next ? g->copies + 1 - g->next : 0;
    return fresh + g->returned;
}

const char *rules_grant_state(
    const char *stored, const char *seal_state, const struct grant_count *g, int64_t not_after, int64_t now) {
    if (strcmp(stored, "cancelled") == 0) return stored;
    if (rules_grant_remaining(g) == 0) return "exhausted";
    if (now >= not_after) return "expired";
    if (strcmp(stored, "waiting") == 0) return stored;
    return strcmp(seal_state, "active") == 0 ? stored : "suspended";
}

chop_err rules_grant_printable(
    const char *stored, const char *seal_state, int64_t not_before, int64_t not_after, int64_t now) {
    if (strcmp(stored, "waiting") == 0) return CHOP_FAIL(ESTATE, NULL, "the grant waits for the registries' receipts");
    if (strcmp(stored, "open") != 0) return CHOP_FAIL(ESTATE, NULL, "the grant is %s", stored);
    if (strcmp(seal_state, "active") != 0) return CHOP_FAIL(ESTATE, NULL, "the seal is %s", seal_state);
    if (now >= not_after) return CHOP_FAIL(EEXPIRED, NULL, "the grant's time is over");
    if (now < not_before) return CHOP_FAIL(ESTATE, NULL, "the grant's time has not begun");
    return NULL;
}

chop_err rules_number_reserve(
    struct grant_count *g, const uint32_t *free, size_t n_free, uint32_t count, uint32_t *ret) {
    struct grant_count after = *g;
    uint32_t n = 0;
    for (size_t i = 0; i < n_free && n < count; i++) {
        if (free[i] > g->copies) continue; /* a replacement's number */
        ret[n++] = free[i];
        after.returned--;
    }
    while (n < count && after.next <= g->copies)
        ret[n++] = after.next++;
    if (count == 0 || n < count) return CHOP_FAIL(EOVERRUN, "print.count", "%u of %u are left", n, g->copies);
    *g = after;
    return NULL;
}

chop_err rules_number_replace(struct grant_count *g, const uint32_t *free, size_t n_free, uint32_t *ret) {
    for (size_t i = 0; i < n_free; i++) {
        if (free[i] <= g->copies) continue;
        *ret = free[i];
        return NULL;
    }
    if (g->replaced >= g->spoil_allowance)
        return CHOP_FAIL(EOVERRUN, "print.replaces", "the grant allows %u replacements", g->spoil_allowance);
    *ret = g->copies + ++g->replaced;
    return NULL;
}

const char *rules_report_action(const char *outcome, bool started) {
    if (strcmp(outcome, "printed") == 0) return "report_printed";
    if (strcmp(outcome, "spoiled") == 0) return "report_spoiled";
    if (strcmp(outcome, "interrupted") == 0) return "report_interrupted";
    if (strcmp(outcome, "refused") == 0) return started ? "report_interrupted" : "report_refused";
    return NULL;
}

const char *rules_settle_action(const char *outcome) {
    if (strcmp(outcome, "printed") == 0) return "settle_printed";
    if (strcmp(outcome, "spoiled") == 0) return "settle_spoiled";
    return NULL;
}
