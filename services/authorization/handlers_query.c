/* Reading requests, grants and facts. Another organization's objects do not exist here. */
#include <string.h>

#include "auth.h"

static chop_err page_limit(uint32_t asked, uint32_t *ret_limit) {
    uint32_t limit = asked ? asked : 50;
    TRY(rpc_check_int("limit", limit, 1, 200));
    *ret_limit = limit;
    return NULL;
}

/* ---- requests ---- */
static chop_err check_view(struct call *c, const char *view) {
    if (strcmp(view, "mine") == 0 || strcmp(view, "inbox") == 0) return NULL;
    if (strcmp(view, "all") == 0) return rpc_need_role(c, "admin,auditor");
    return CHOP_FAIL(EINVAL, "view", "wants mine, inbox or all");
}

HANDLER(request_list, Pb__ListRequestsRequest, Pb__ListRequestsReply) {
    struct db_rows *r;
    uint32_t limit;
    const char *view = *in->view ? in->view : "mine";
    TRY(check_view(c, view));
    TRY(page_limit(in->limit, &limit));
    if (*in->state && fsm_find(&request_fsm, in->state) < 0)
        return CHOP_FAIL(EINVAL, "state", "there is no such state");
    TRY(DB_QUERY(c->db, &r, "request_list", T_(c->who->organization_id), T_(view), T_(c->who->member_id), I_(c->now),
        L_(rpc_has_role(c, "manager")), T_(in->state), T_(in->after), I_(limit)));
    out->requests = ARENA_ARRAY(c->mem, Pb__Request *, db_count(r) + 1);
    if (!out->requests) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        struct request q;
        TRY(request_read(c, r, i, &q));
        TRY(request_message(c, &q, NULL, &out->requests[i]));
        out->n_requests++;
    }
    return NULL;
}
chop_err request_list_call(struct call *c, const void *in, void *out) {
    return request_list(c, in, out);
}

HANDLER(request_get, Pb__GetRequestRequest, Pb__Request) {
    const struct actor who = actor_of_call(c);
    struct request r;
    struct seal s;
    struct decisions d;
    Pb__Request *m;
    TRY(request_load(c, "request_get", in->request_id, who.organization_id, &r, &s));
    if (!request_visible(&who, r.requester_id, r.approver_ids, r.awaiting))
        return CHOP_FAIL(ENOTFOUND, "request_id", "no such request");
    TRY(decisions_load(c, r.request_id, &d));
    TRY(request_message(c, &r, &d, &m));
    *out = *m;
    return NULL;
}
chop_err request_get_call(struct call *c, const void *in, void *out) {
    return request_get(c, in, out);
}

/* ---- grants ---- */
HANDLER(grant_get, Pb__GetGrantRequest, Pb__Grant) {
    const struct actor who = actor_of_call(c);
    struct grant g;
    struct seal s;
    Pb__Grant *m;
    TRY(grant_load(c, in->grant_id, &who, &g, &s));
    TRY(grant_with_numbers(c, &g, s.state, &m));
    *out = *m;
    return NULL;
}
chop_err grant_get_call(struct call *c, const void *in, void *out) {
    return grant_get(c, in, out);
}

HANDLER(grant_list, Pb__ListGrantsRequest, Pb__ListGrantsReply) {
    struct db_rows *r;
    uint32_t limit;
    const char *view = *in->view ? in->view : "mine";
    const bool all = strcmp(view, "all") == 0, sees_all = rpc_has_role(c, "admin") || rpc_has_role(c, "auditor");
    if (!all && strcmp(view, "mine") != 0) return CHOP_FAIL(EINVAL, "view", "wants mine or all");
    if (all) TRY(rpc_need_role(c, "manager,admin,auditor"));
    TRY(page_limit(in->limit, &limit));
    TRY(DB_QUERY(c->db, &r, "grant_list", T_(c->who->organization_id), T_(view), T_(c->who->member_id), L_(sees_all),
        T_(in->after), I_(limit)));
    out->grants = ARENA_ARRAY(c->mem, Pb__Grant *, db_count(r) + 1);
    if (!out->grants) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        const struct grant g = grant_read(r, i);
        TRY(grant_message(c, &g, db_text(r, i, GRANT_COLUMNS), &out->grants[i]));
        out->n_grants++;
    }
    return NULL;
}
chop_err grant_list_call(struct call *c, const void *in, void *out) {
    return grant_list(c, in, out);
}

HANDLER(grant_find, Pb__FindGrantStateRequest, Pb__GrantState) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "grant_find", T_(in->grant_id), I_(in->number > INT32_MAX ? 0 : in->number)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "grant_id", "no such grant");
    const struct grant_count count = { .copies = (uint32_t)db_int(r, 0, 1),
        .spoil_allowance = (uint32_t)db_int(r, 0, 2),
        .next = (uint32_t)db_int(r, 0, 3),
        .returned = (uint32_t)db_int(r, 0, 4),
        .replaced = (uint32_t)db_int(r, 0, 5) };
    out->seal_state = PB_STR(db_text(r, 0, 7));
    out->grant_state = PB_STR(rules_grant_state(db_text(r, 0, 0), out->seal_state, &count, db_int(r, 0, 6), c->now));
    out->as_of = c->now;
    return db_null(r, 0, 8) ? NULL : number_message(c, r, 0, 8, &out->number);
}
chop_err grant_find_call(struct call *c, const void *in, void *out) {
    return grant_find(c, in, out);
}

/* ---- facts ---- */
static chop_err fact_message(struct call *c, const struct db_rows *r, size_t row, Pb__Fact **ret_message) {
    Pb__Fact *m = PB_NEW(c->mem, Pb__Fact, pb__fact);
    if (!m) return CHOP_ERR(EMEMORY);
    m->fact_id = PB_STR(db_text(r, row, 0));
    m->kind = PB_STR(db_text(r, row, 1));
    m->seal_id = PB_STR(db_text(r, row, 2));
    m->seal_seq = (uint64_t)db_int(r, row, 3);
    m->at = db_int(r, row, 4);
    m->grant_id = PB_STR(db_text(r, row, 5));
    m->number = (uint32_t)db_int(r, row, 6);
    m->digest = arena_hex(c->mem, db_bytes(r, row, 8));
    TRY(PB_UNPACK(pb__signed, db_bytes(r, row, 7), c->mem, &m->statement));
    *ret_message = m;
    return NULL;
}

static chop_err find_facts(struct call *c, const Pb__ListFactsRequest *in, uint32_t limit, struct db_rows **ret_rows) {
    const struct actor who = actor_of_call(c);
    struct grant g;
    struct seal s;
    if (!*in->grant_id) {
        TRY(rpc_need_role(c, "admin,auditor"));
        return DB_QUERY(
            c->db, ret_rows, "fact_list_seal", T_(in->seal_id), T_(who.organization_id), I_(in->after_seq), I_(limit));
    }
    TRY(grant_load(c, in->grant_id, &who, &g, &s));
    return DB_QUERY(
        c->db, ret_rows, "fact_list_grant", T_(in->grant_id), T_(who.organization_id), I_(in->after_seq), I_(limit));
}

HANDLER(fact_list, Pb__ListFactsRequest, Pb__ListFactsReply) {
    struct db_rows *r;
    uint32_t limit;
    if (!*in->grant_id && !*in->seal_id) return CHOP_FAIL(EINVAL, "seal_id", "wants a seal or a grant");
    if (in->after_seq > INT64_MAX) return CHOP_FAIL(EINVAL, "after_seq", "is too large");
    TRY(page_limit(in->limit, &limit));
    TRY(find_facts(c, in, limit, &r));
    out->facts = ARENA_ARRAY(c->mem, Pb__Fact *, db_count(r) + 1);
    if (!out->facts) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        TRY(fact_message(c, r, i, &out->facts[i]));
        out->n_facts++;
    }
    return NULL;
}
chop_err fact_list_call(struct call *c, const void *in, void *out) {
    return fact_list(c, in, out);
}
