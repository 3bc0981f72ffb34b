/* rules_grant: grants, impression numbers and all counting. Pure. */
#pragma once
#include "arena.h"
#include "authorization.pb-c.h"
#include "fsm.h"

/* waiting, open, suspended, cancelled; exhausted and expired are computed. */
extern const struct fsm grant_fsm;
/* reserved, printed, spoiled, interrupted, returned, revoked. */
extern const struct fsm number_fsm;

struct grant_count {
    uint32_t copies, spoil_allowance;
    uint32_t next;     /* the lowest number never reserved; copies + 1 at the end */
    uint32_t returned; /* numbers up to copies that are free again */
    uint32_t replaced; /* numbers beyond copies that were ever made */
};
/* How many of the granted copies are still free (replacements apart). */
uint32_t rules_grant_remaining(const struct grant_count *g);

/* The state as shown: expired beyond its window, suspended while its seal is not active, exhausted with nothing left.
 */
const char *rules_grant_state(
    const char *stored, const char *seal_state, const struct grant_count *g, int64_t not_after, int64_t now);
/* NULL if printing is possible at `now`: ESTATE or EEXPIRED. */
chop_err rules_grant_printable(
    const char *stored, const char *seal_state, int64_t not_before, int64_t not_after, int64_t now) CHOP_MUSTCHECK;

/* Reserves `count` of the granted copies: returned ones first, lowest first, then new ones. free: the returned numbers,
 * ascending. EOVERRUN above copies. On success g moved on and ret[count] is ascending. */
chop_err rules_number_reserve(
    struct grant_count *g, const uint32_t *free, size_t n_free, uint32_t count, uint32_t *ret) CHOP_MUSTCHECK;
/* The number that replaces a spoiled one: beyond copies, within the allowance. */
chop_err rules_number_replace(struct grant_count *g, const uint32_t *free, size_t n_free, uint32_t *ret) CHOP_MUSTCHECK;
#define RULES_MAX_COUNT 100 /* numbers of one print act */
#define RULES_MAX_LOAD 80   /* offline marks are larger: so many fit into one envelope that the bridge carries */

/* What a printer's report does to a number: the action, or NULL for an unknown outcome. A refusal of what had started
 * is no refusal: somebody must look at the paper. */
const char *rules_report_action(const char *outcome, bool started);
/* The action of a settle act; NULL for an unknown outcome. */
const char *rules_settle_action(const char *outcome);
