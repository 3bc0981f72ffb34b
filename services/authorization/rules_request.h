/* rules_request: requests and who may decide about them. Pure. */
#pragma once
#include "arena.h"
#include "authorization.pb-c.h"
#include "fsm.h"

/* pending, signing, granted, rejected, withdrawn, expired, cancelled. */
extern const struct fsm request_fsm;
/* The state as shown: what waits beyond its time is expired. */
const char *rules_request_state(const char *stored, int64_t expires_at, int64_t now);
/* ESTATE, or EEXPIRED where its time is over, unless the action is possible. */
chop_err rules_request_apply(
    const char *stored, int64_t expires_at, int64_t now, const char *action, const char **ret_next) CHOP_MUSTCHECK;

/* Fields of the request itself, against the seal's policy. */
chop_err rules_request_check(const Pb__RequestUse *in, const Pb__Policy *policy, const char *member_id) CHOP_MUSTCHECK;

/* ---- approvers ----
 * `ids` was frozen at the request without the requester; empty: any manager. Ordered: approvals come in the order of
 * the list; one may be passed over only while enough remain behind. */
struct approvers {
    char *const *ids;
    size_t n;
    uint32_t needed;
    bool ordered;
    const char *requester_id;
    char *const *approved; /* who approved so far, in time */
    size_t n_approved;
};
/* The list of a policy without the requester; EDENIED where too few would remain. */
chop_err rules_approvers_freeze(const Pb__Policy *policy, const char *requester_id, struct arena *mem, char ***ret_ids,
    size_t *ret_n) CHOP_MUSTCHECK;
/* EDENIED: the requester, or nobody's turn; EUSED: counted once already. */
chop_err rules_approver_check(const struct approvers *a, const char *member_id) CHOP_MUSTCHECK;
/* Whether one more approval is enough. */
bool rules_approver_last(const struct approvers *a);
/* Whose turn it may be now, into ret (room for a->n); with no list 0: any manager. */
size_t rules_approver_turns(const struct approvers *a, char **ret_ids);

/* ---- what a decision may reduce ---- */
struct terms {
    uint32_t copies;
    int64_t not_before, not_after; /* 0: none named */
    char **printer_ids;
    size_t n_printers;
    const char *signature_of; /* "" none */
};
/* Checks a decision by itself, against the asked terms and the window. */
chop_err rules_decide_check(const Pb__Decide *in, const Pb__Policy *policy, int64_t now) CHOP_MUSTCHECK;
/* Merges one approval: the fewest copies, the narrowest window, the printers in both. ESTATE where two decisions order
 * different signatures or leave no printer. */
chop_err rules_terms_merge(struct terms *t, const Pb__Decide *in, struct arena *mem) CHOP_MUSTCHECK;
