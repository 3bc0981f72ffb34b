/* Decisions: approving, rejecting, ordering an electronic signature; the sign act of another member. */
#include <string.h>

#include "auth.h"

/* What a person must see to judge a request, and what binds the act to it. */
static chop_err show_request(struct prep *p, const struct request *r, const struct seal *s) {
    Pb__ActContent *m = p->content;
    bool sample;
    m->seal_name = PB_STR(s->name);
    m->seal_code = PB_STR(s->code);
    m->artwork_digest = arena_hex(p->c->mem, seal_artwork(s, &sample));
    m->requester_name = r->body->requester_name;
    m->document = r->body->document;
    m->copies = r->body->copies;
    m->request_digest = arena_hex(p->c->mem, r->digest);
    return NULL;
}

static chop_err check_bound(const struct commit *k, const struct request *r) {
    if (strcmp(k->content->request_digest, arena_hex(k->c->mem, r->digest)) == 0) return NULL;
    return CHOP_FAIL(EMISMATCH, "request_digest", "the act shows another request");
}

/* What all approvals so far leave, the asked terms first. */
static chop_err merge_terms(
    struct call *c, const struct request *r, const struct decisions *d, struct terms *ret_terms) {
    struct terms t = { .copies = r->body->copies,
        .printer_ids = r->body->printer_ids,
        .n_printers = r->body->n_printer_ids,
        .signature_of = "" };
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->terms[i]->verdict, "approve") == 0) TRY(rules_terms_merge(&t, d->terms[i], c->mem));
    *ret_terms = t;
    return NULL;
}

static chop_err need_specimen(struct call *c, const struct actor *who, const char *member_id) {
    struct db_rows *r;
    if (!*member_id) return NULL;
    TRY(DB_QUERY(c->db, &r, "specimen_latest", T_(who->organization_id), T_(member_id)));
    if (db_count(r)) return NULL;
    return CHOP_FAIL(ESTATE, "decide.signature_of", "this member has left no signature");
}

/* The same at prepare and at commit: state, turn, terms. */
static chop_err check_decide(struct call *c, const struct actor *who, const Pb__Decide *in, const struct request *r,
    const struct seal *s, const struct decisions *d) {
    const bool approve = strcmp(in->verdict, "approve") == 0;
    struct approvers a;
    struct terms t;
    const char *next;
    TRY(rules_decide_check(in, s->policy, c->now));
    TRY(rules_request_apply(r->state, r->expires_at, c->now, approve ? "approve" : "reject", &next));
    TRY(request_approvers(c, r, d, &a));
    TRY(rules_approver_check(&a, who->member_id));
    if (!approve) return NULL;
    TRY(seal_usable(s));
    TRY(merge_terms(c, r, d, &t));
    TRY(rules_terms_merge(&t, in, c->mem));
    return need_specimen(c, who, in->signature_of);
}

static chop_err decide_prepare(struct prep *p, const void *params) {
    const Pb__Decide *in = params;
    struct request r;
    struct seal s;
    struct decisions d;
    TRY(request_load(p->c, "request_get", in->request_id, p->who.organization_id, &r, &s));
    TRY(decisions_load(p->c, r.request_id, &d));
    TRY(check_decide(p->c, &p->who, in, &r, &s, &d));
    prep_policy(p, s.policy, STEP_DECIDE);
    return show_request(p, &r, &s);
}

static chop_err decision_add(
    const struct commit *k, const Pb__Decide *in, const struct request *r, struct decisions *d) {
    Pb__Decision *m = PB_NEW(k->c->mem, Pb__Decision, pb__decision);
    struct chop_bytes body, terms;
    if (!m) return CHOP_ERR(EMEMORY);
    m->decision_id = PB_STR(rpc_new_id(k->c, "dec"));
    m->member_id = PB_STR(k->who.member_id);
    m->member_name = PB_STR(k->who.member_name);
    m->post = PB_STR(k->who.post);
    m->verdict = in->verdict;
    m->reason = in->reason;
    m->copies = in->copies ? in->copies : r->body->copies;
    m->factors = factors_of(k->c, k->act->proof, &m->n_factors);
    m->at = k->c->now;
    m->proof_digest = arena_hex(k->c->mem, CHOP_BYTES(k->act->proof_digest, 32));
    m->signature_of = in->signature_of;
    TRY(pb_pack(m, k->c->mem, &body));
    TRY(pb_pack(in, k->c->mem, &terms));
    d->list[d->n] = m;
    d->terms[d->n] = (Pb__Decide *)(uintptr_t)in;
    d->proof_digests[d->n++] = CHOP_BYTES(k->act->proof_digest, 32);
    if (strcmp(in->verdict, "approve") == 0) d->approved[d->n_approved++] = m->member_id;
    return DB_DO(k->c->db, "decision_add", T_(m->decision_id), T_(r->request_id), T_(m->member_id), T_(m->verdict),
        B_(body), B_(terms), B_(CHOP_BYTES(k->act->proof_digest, 32)), T_(k->act->act_id), I_(m->at));
}

/* A signature is authorized by its owner's own approval of this document that orders it, or by a sign act. */
static bool signature_given(const struct decisions *d, const char *member_id) {
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->list[i]->member_id, member_id) == 0 && strcmp(d->terms[i]->signature_of, member_id) == 0)
            return true;
    return !*member_id;
}

/* `approvers` as it stood before this decision. */
static const char *decide_action(
    const struct approvers *before, const Pb__Decide *in, const struct decisions *d, const struct terms *t) {
    if (strcmp(in->verdict, "reject") == 0) return "reject";
    if (!rules_approver_last(before)) return "approve";
    return signature_given(d, t->signature_of) ? "grant" : "await_signature";
}

static chop_err turns_text(struct call *c, const struct request *r, const struct decisions *d, const char **ret_turn) {
    struct approvers a;
    TRY(request_approvers(c, r, d, &a));
    char **turns = ARENA_ARRAY(c->mem, char *, a.n + 1);
    if (!turns) return CHOP_ERR(EMEMORY);
    *ret_turn = text_join(c->mem, turns, rules_approver_turns(&a, turns));
    return NULL;
}

static chop_err request_move(struct commit *k, struct request *r, struct seal *s, const struct decisions *d,
    const char *action, const char *awaiting) {
    const char *old = r->state;
    int64_t moved;
    TRY(rules_request_apply(old, r->expires_at, k->c->now, action, &r->state));
    r->turn = "";
    r->awaiting = awaiting;
    if (strcmp(r->state, "pending") == 0) TRY(turns_text(k->c, r, d, &r->turn));
    if (strcmp(r->state, "granted") == 0) TRY(grant_make(k, r, s, d, &r->grant_id));
    TRY(DB_DO_COUNT(k->c->db, &moved, "request_move", T_(r->request_id), T_(old), T_(r->state), T_(r->turn),
        T_(r->awaiting), T_(r->grant_id)));
    if (moved != 1) return CHOP_FAIL(ESTATE, NULL, "the request changed meanwhile");
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_REQUEST;
    return request_message(k->c, r, d, &k->out->request);
}

static chop_err decide_commit(struct commit *k, const void *params) {
    const Pb__Decide *in = params;
    struct request r;
    struct seal s;
    struct decisions d;
    struct approvers before;
    struct terms t;
    TRY(request_load(k->c, "request_lock", in->request_id, k->who.organization_id, &r, &s));
    TRY(check_bound(k, &r));
    TRY(commit_policy(k, s.policy));
    TRY(decisions_load(k->c, r.request_id, &d));
    TRY(check_decide(k->c, &k->who, in, &r, &s, &d));
    TRY(request_approvers(k->c, &r, &d, &before));
    TRY(decision_add(k, in, &r, &d));
    TRY(merge_terms(k->c, &r, &d, &t));
    const char *action = decide_action(&before, in, &d, &t);
    TRY(request_move(k, &r, &s, &d, action, strcmp(action, "await_signature") == 0 ? t.signature_of : ""));
    chop_failpoint("authorization.decide.before");
    return NULL;
}
const struct act_kind kind_decide = { "decide", "manager", decide_prepare, decide_commit };

/* ---- sign ---- */
static chop_err check_sign(struct call *c, const struct actor *who, const struct request *r, const struct seal *s) {
    const char *next;
    TRY(rules_request_apply(r->state, r->expires_at, c->now, "sign", &next));
    if (strcmp(r->awaiting, who->member_id) != 0)
        return CHOP_FAIL(EDENIED, NULL, "another member's signature is awaited");
    TRY(seal_usable(s));
    return need_specimen(c, who, who->member_id);
}

static chop_err sign_prepare(struct prep *p, const void *params) {
    const Pb__SignOrder *in = params;
    struct request r;
    struct seal s;
    TRY(request_load(p->c, "request_get", in->request_id, p->who.organization_id, &r, &s));
    if (!request_visible(&p->who, r.requester_id, r.approver_ids, r.awaiting))
        return CHOP_FAIL(ENOTFOUND, "request_id", "no such request");
    TRY(check_sign(p->c, &p->who, &r, &s));
    prep_policy(p, s.policy, STEP_SIGN);
    return show_request(p, &r, &s);
}

static chop_err sign_commit(struct commit *k, const void *params) {
    const Pb__SignOrder *in = params;
    struct request r;
    struct seal s;
    struct decisions d;
    TRY(request_load(k->c, "request_lock", in->request_id, k->who.organization_id, &r, &s));
    TRY(check_bound(k, &r));
    TRY(commit_policy(k, s.policy));
    TRY(check_sign(k->c, &k->who, &r, &s));
    TRY(decisions_load(k->c, r.request_id, &d));
    return request_move(k, &r, &s, &d, "sign", "");
}
const struct act_kind kind_sign = { "sign", "", sign_prepare, sign_commit };
