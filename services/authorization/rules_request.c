#include "rules_request.h"

#include <string.h>

#include "rpc.h"
#include "rules_policy.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define MAX_PAGES 2000
#define MAX_PRINTERS 20
#define MAX_PAPER_UM 2000000

enum { PENDING, SIGNING, GRANTED, REJECTED, WITHDRAWN, EXPIRED, CANCELLED };
static const struct fsm_state states[] = {
    [PENDING] = { "pending",
        FSM_TO(PENDING) | FSM_TO(SIGNING) | FSM_TO(GRANTED) | FSM_TO(REJECTED) | FSM_TO(WITHDRAWN) | FSM_TO(EXPIRED) },
    [SIGNING] = { "signing", FSM_TO(GRANTED) | FSM_TO(WITHDRAWN) | FSM_TO(EXPIRED) },
    [GRANTED] = { "granted", FSM_TO(CANCELLED) },
    [REJECTED] = { "rejected", 0 },
    [WITHDRAWN] = { "withdrawn", 0 },
    [EXPIRED] = { "expired", 0 },
    [CANCELLED] = { "cancelled", 0 },
};
static const struct fsm_move moves[] = {
    { "approve", FSM_FROM(PENDING), PENDING }, /* more approvals are needed */
    { "await_signature", FSM_FROM(PENDING), SIGNING },
    { "grant", FSM_FROM(PENDING), GRANTED },
    { "sign", FSM_FROM(SIGNING), GRANTED },
    { "reject", FSM_FROM(PENDING), REJECTED },
    { "withdraw", FSM_FROM(PENDING) | FSM_FROM(SIGNING), WITHDRAWN },
    { "expire", FSM_FROM(PENDING) | FSM_FROM(SIGNING), EXPIRED },
    { "cancel", FSM_FROM(GRANTED), CANCELLED },
};
const struct fsm request_fsm = FSM("request", states, moves);

const char *rules_request_state(const char *stored, int64_t expires_at, int64_t now) {
    const char *next;
    if (now < expires_at) return stored;
    if (fsm_apply(&request_fsm, stored, "expire", &next) == NULL) return next;
    chop_detail_clear();
    return stored;
}

chop_err rules_request_apply(
    const char *stored, int64_t expires_at, int64_t now, const char *action, const char **ret_next) {
    const char *state = rules_request_state(stored, expires_at, now);
    if (strcmp(state, "expired") == 0) return CHOP_FAIL(EEXPIRED, NULL, "the request waited too long");
    return fsm_apply(&request_fsm, state, action, ret_next);
}

/* ---- the request ---- */
static chop_err check_hex(const char *field, const char *text) {
    uint8_t digest[32];
    TRY(rpc_check_digest(field, text, digest));
    if (strspn(text, "0123456789abcdef") != 64) return CHOP_FAIL(EINVAL, field, "wants lower-case hex");
    return NULL;
}

static chop_err check_facts(const Pb__KeyFacts *f) {
    if (!f) return CHOP_FAIL(EINVAL, "request.document.facts", "is missing");
    TRY(rpc_check_len("request.document.facts.number", f->number, 0, 64));
    TRY(rpc_check_len("request.document.facts.counterparty", f->counterparty, 0, 200));
    TRY(rpc_check_len("request.document.facts.amount", f->amount, 0, 64));
    TRY(rpc_check_len("request.document.facts.date", f->date, 0, 32));
    TRY(rpc_check_int("request.document.facts.pages", f->pages, 1, MAX_PAGES));
    return rpc_check_int("request.document.facts.copies", f->copies, 0, 1000);
}

static chop_err check_document(const Pb__Document *d) {
    if (!d) return CHOP_FAIL(EINVAL, "request.document", "is missing");
    TRY(rpc_check_len("request.document.title", d->title, 1, 300));
    TRY(check_hex("request.document.sha256", d->sha256));
    if (*d->sm3) TRY(check_hex("request.document.sm3", d->sm3));
    if (*d->file_id) TRY(rpc_check_id("request.document.file_id", d->file_id, "file"));
    return check_facts(d->facts);
}

static chop_err check_printers(const char *field, char *const *ids, size_t n) {
    if (n > MAX_PRINTERS) return CHOP_FAIL(ELIMIT, field, "more than %d printers", MAX_PRINTERS);
    for (size_t i = 0; i < n; i++)
        if (!rules_foreign_id(ids[i])) return CHOP_FAIL(EINVAL, field, "a printer id is malformed");
    return NULL;
}

static chop_err check_placement(const Pb__Placement *p, uint32_t pages) {
    if (!p) return NULL;
    TRY(rpc_check_int("request.placement.page", p->page, 1, pages));
    TRY(rpc_check_int("request.placement.x_um", p->x_um, 0, MAX_PAPER_UM));
    return rpc_check_int("request.placement.y_um", p->y_um, 0, MAX_PAPER_UM);
}

chop_err rules_request_check(const Pb__RequestUse *in, const Pb__Policy *policy, const char *member_id) {
    TRY(check_document(in->document));
    TRY(rpc_check_int("request.copies", in->copies, 1, policy->max_copies));
    TRY(rpc_check_len("request.purpose", in->purpose, 0, 500));
    TRY(check_printers("request.printer_ids", in->printer_ids, in->n_printer_ids));
    TRY(check_placement(in->placement, in->document->facts->pages));
    if (policy->n_requester_ids && !rules_list_has(policy->requester_ids, policy->n_requester_ids, member_id))
        return CHOP_FAIL(EDENIED, NULL, "the seal's policy does not let you ask for it");
    return NULL;
}

/* ---- approvers ---- */
chop_err rules_approvers_freeze(
    const Pb__Policy *policy, const char *requester_id, struct arena *mem, char ***ret_ids, size_t *ret_n) {
    char **ids = ARENA_ARRAY(mem, char *, policy->n_approver_ids + 1);
    size_t n = 0;
    if (!ids) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < policy->n_approver_ids; i++)
        if (strcmp(policy->approver_ids[i], requester_id) != 0) ids[n++] = policy->approver_ids[i];
    if (policy->n_approver_ids && n < policy->approvals_needed)
        return CHOP_FAIL(EDENIED, NULL, "too few approvers remain beside the requester");
    *ret_ids = ids;
    *ret_n = n;
    return NULL;
}

static size_t place_of(const struct approvers *a, const char *member_id) {
    size_t i = 0;
    while (i < a->n && strcmp(a->ids[i], member_id) != 0)
        i++;
    return i;
}

static bool in_turn(const struct approvers *a, size_t place) {
    for (size_t i = 0; i < a->n_approved; i++)
        if (place_of(a, a->approved[i]) >= place) return false;
    return a->n_approved + (a->n - place) >= a->needed;
}

chop_err rules_approver_check(const struct approvers *a, const char *member_id) {
    if (strcmp(a->requester_id, member_id) == 0) return CHOP_FAIL(EDENIED, NULL, "nobody decides about an own request");
    if (rules_list_has(a->approved, a->n_approved, member_id))
        return CHOP_FAIL(EUSED, NULL, "each approver counts once");
    size_t place = place_of(a, member_id);
    if (a->n && place == a->n) return CHOP_FAIL(EDENIED, NULL, "the seal's policy names other approvers");
    if (a->n && a->ordered && !in_turn(a, place)) return CHOP_FAIL(EDENIED, NULL, "it is another approver's turn");
    return NULL;
}

bool rules_approver_last(const struct approvers *a) {
    return a->n_approved + 1 >= a->needed;
}

size_t rules_approver_turns(const struct approvers *a, char **ret_ids) {
    size_t n = 0;
    for (size_t i = 0; i < a->n; i++)
        if (rules_approver_check(a, a->ids[i]) == NULL) ret_ids[n++] = a->ids[i];
    chop_detail_clear();
    return n;
}

/* ---- terms ---- */
static chop_err check_window(const Pb__Decide *in, const Pb__Policy *policy, int64_t now) {
    const int64_t latest = now + (int64_t)policy->window_hours * HOUR_MS;
    if (in->not_before) TRY(rpc_check_int("decide.not_before", in->not_before, 0, latest));
    if (!in->not_after) return NULL;
    TRY(rpc_check_int("decide.not_after", in->not_after, now + 1, latest));
    if (in->not_after <= in->not_before) return CHOP_FAIL(EINVAL, "decide.not_after", "is before not_before");
    return NULL;
}

chop_err rules_decide_check(const Pb__Decide *in, const Pb__Policy *policy, int64_t now) {
    const bool approve = strcmp(in->verdict, "approve") == 0;
    if (!approve && strcmp(in->verdict, "reject") != 0)
        return CHOP_FAIL(EINVAL, "decide.verdict", "wants approve or reject");
    TRY(rpc_check_len("decide.reason", in->reason, approve ? 0 : 1, 500));
    if (!approve)
        return *in->signature_of ? CHOP_FAIL(EINVAL, "decide.signature_of", "only an approval orders one") : NULL;
    if (*in->signature_of && !rules_foreign_id(in->signature_of))
        return CHOP_FAIL(EINVAL, "decide.signature_of", "is malformed");
    TRY(check_printers("decide.printer_ids", in->printer_ids, in->n_printer_ids));
    return check_window(in, policy, now);
}

static chop_err merge_printers(struct terms *t, const Pb__Decide *in, struct arena *mem) {
    if (!in->n_printer_ids) return NULL;
    char **kept = ARENA_ARRAY(mem, char *, in->n_printer_ids);
    size_t n = 0;
    if (!kept) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < in->n_printer_ids; i++)
        if (!t->n_printers || rules_list_has(t->printer_ids, t->n_printers, in->printer_ids[i]))
            kept[n++] = in->printer_ids[i];
    if (!n) return CHOP_FAIL(ESTATE, "decide.printer_ids", "none of these printers was asked for");
    t->printer_ids = kept;
    t->n_printers = n;
    return NULL;
}

chop_err rules_terms_merge(struct terms *t, const Pb__Decide *in, struct arena *mem) {
    if (in->copies > t->copies) return CHOP_FAIL(EOVERRUN, "decide.copies", "at most %u are left to give", t->copies);
    if (*in->signature_of && *t->signature_of && strcmp(in->signature_of, t->signature_of) != 0)
        return CHOP_FAIL(ESTATE, "decide.signature_of", "another member's signature was ordered");
    TRY(merge_printers(t, in, mem));
    if (in->copies) t->copies = in->copies;
    if (in->not_before > t->not_before) t->not_before = in->not_before;
    if (in->not_after && (!t->not_after || in->not_after < t->not_after)) t->not_after = in->not_after;
    if (*in->signature_of) t->signature_of = in->signature_of;
    if (t->not_after && t->not_after <= t->not_before)
        return CHOP_FAIL(ESTATE, "decide.not_after", "the decisions leave no time to print");
    return NULL;
}
