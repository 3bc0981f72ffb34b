/* Requests: asking, withdrawing. */
#include <string.h>

#include "auth.h"

#define HOUR_MS ((int64_t)3600 * 1000)

/* What a person must see wherever a seal's use is judged. */
static void show_seal(Pb__ActContent *m, const struct seal *s, struct arena *mem) {
    bool sample;
    m->seal_name = PB_STR(s->name);
    m->seal_code = PB_STR(s->code);
    m->artwork_digest = arena_hex(mem, seal_artwork(s, &sample));
}

/* The same at prepare and at commit. */
static chop_err check_request(
    struct call *c, const struct actor *who, const Pb__RequestUse *in, struct seal *ret_seal) {
    TRY(seal_load(c, "seal_get", in->seal_id, who->organization_id, ret_seal));
    TRY(seal_usable(ret_seal));
    TRY(rules_request_check(in, ret_seal->policy, who->member_id));
    if (!*in->document->file_id) return NULL;
    return file_check(c, who, in->document->file_id, in->document->sha256);
}

static chop_err request_prepare(struct prep *p, const void *params) {
    const Pb__RequestUse *in = params;
    struct seal s;
    char **ids;
    size_t n;
    TRY(check_request(p->c, &p->who, in, &s));
    TRY(rules_approvers_freeze(s.policy, p->who.member_id, p->c->mem, &ids, &n));
    show_seal(p->content, &s, p->c->mem);
    p->content->requester_name = PB_STR(p->who.member_name);
    p->content->document = in->document;
    p->content->copies = in->copies;
    prep_policy(p, s.policy, STEP_REQUEST);
    return NULL;
}

static Pb__Request *request_body(const struct commit *k, const Pb__RequestUse *in, const struct seal *s) {
    Pb__Request *m = PB_NEW(k->c->mem, Pb__Request, pb__request);
    if (!m) return NULL;
    m->request_id = PB_STR(rpc_new_id(k->c, "req"));
    m->organization_id = PB_STR(s->organization_id);
    m->seal_id = PB_STR(s->seal_id);
    m->seal_name = PB_STR(s->name);
    m->requester_id = PB_STR(k->who.member_id);
    m->requester_name = PB_STR(k->who.member_name);
    m->document = in->document;
    m->copies = in->copies;
    m->purpose = in->purpose;
    m->created_at = k->c->now;
    m->expires_at = k->c->now + (int64_t)s->policy->request_hours * HOUR_MS;
    m->printer_ids = in->printer_ids;
    m->n_printer_ids = in->n_printer_ids;
    m->placement = in->placement;
    return m;
}

static chop_err request_store(const struct commit *k, const Pb__Request *m, const struct request *r) {
    struct chop_bytes packed;
    TRY(pb_pack(m, k->c->mem, &packed));
    return DB_DO(k->c->db, "request_add", T_(m->request_id), T_(m->organization_id), T_(m->seal_id),
        T_(m->requester_id), B_(packed), B_(CHOP_BYTES(k->act->content_digest, 32)),
        B_(CHOP_BYTES(k->act->proof_digest, 32)), T_(k->act->act_id), T_(r->approver_ids), I_(r->approvals_needed),
        L_(r->ordered), T_(m->document->file_id), I_(m->created_at), I_(m->expires_at), T_(r->turn));
}

static chop_err request_commit(struct commit *k, const void *params) {
    const Pb__RequestUse *in = params;
    struct seal s;
    struct approvers a = { .requester_id = k->who.member_id };
    char **ids;
    TRY(check_request(k->c, &k->who, in, &s));
    TRY(commit_policy(k, s.policy));
    TRY(rules_approvers_freeze(s.policy, k->who.member_id, k->c->mem, &ids, &a.n));
    a.ids = ids;
    a.needed = s.policy->approvals_needed;
    a.ordered = s.policy->ordered;
    char **turns = ARENA_ARRAY(k->c->mem, char *, a.n + 1);
    Pb__Request *body = request_body(k, in, &s);
    if (!turns || !body) return CHOP_ERR(EMEMORY);
    struct request r = { .body = body,
        .state = "pending",
        .grant_id = "",
        .awaiting = "",
        .approvals_needed = a.needed,
        .ordered = a.ordered,
        .expires_at = body->expires_at,
        .approver_ids = text_join(k->c->mem, a.ids, a.n),
        .turn = text_join(k->c->mem, turns, rules_approver_turns(&a, turns)) };
    TRY(request_store(k, body, &r));
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_REQUEST;
    return request_message(k->c, &r, NULL, &k->out->request);
}
const struct act_kind kind_request = { "request", "user", request_prepare, request_commit };

/* ---- withdraw ---- */
static chop_err check_withdraw(
    struct call *c, const struct actor *who, const Pb__Withdraw *in, const struct request *r, const char **ret_next) {
    TRY(rpc_check_len("withdraw.reason", in->reason, 0, 500));
    if (strcmp(r->requester_id, who->member_id) != 0) return CHOP_FAIL(EDENIED, NULL, "only the requester withdraws");
    return rules_request_apply(r->state, r->expires_at, c->now, "withdraw", ret_next);
}

static chop_err withdraw_prepare(struct prep *p, const void *params) {
    const Pb__Withdraw *in = params;
    struct request r;
    struct seal s;
    const char *next;
    TRY(request_load(p->c, "request_get", in->request_id, p->who.organization_id, &r, &s));
    if (!request_visible(&p->who, r.requester_id, r.approver_ids, r.awaiting))
        return CHOP_FAIL(ENOTFOUND, "request_id", "no such request");
    TRY(check_withdraw(p->c, &p->who, in, &r, &next));
    show_seal(p->content, &s, p->c->mem);
    p->content->requester_name = r.body->requester_name;
    p->content->document = r.body->document;
    p->content->copies = r.body->copies;
    p->content->request_digest = arena_hex(p->c->mem, r.digest);
    prep_policy(p, s.policy, STEP_REQUEST);
    return NULL;
}

static chop_err withdraw_commit(struct commit *k, const void *params) {
    const Pb__Withdraw *in = params;
    struct request r;
    struct seal s;
    struct decisions d;
    const char *next;
    int64_t moved;
    TRY(request_load(k->c, "request_lock", in->request_id, k->who.organization_id, &r, &s));
    TRY(check_withdraw(k->c, &k->who, in, &r, &next));
    TRY(DB_DO_COUNT(k->c->db, &moved, "request_move", T_(r.request_id), T_(r.state), T_(next), T_(""), T_(""), T_("")));
    if (moved != 1) return CHOP_FAIL(ESTATE, NULL, "the request changed meanwhile");
    TRY(decisions_load(k->c, r.request_id, &d));
    r.state = next;
    r.turn = r.awaiting = "";
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_REQUEST;
    return request_message(k->c, &r, &d, &k->out->request);
}
const struct act_kind kind_withdraw = { "withdraw", "", withdraw_prepare, withdraw_commit };
