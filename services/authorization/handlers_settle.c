/* What people say about impressions and grants afterwards: settle, revoke, cancel. */
#include <string.h>

#include "auth.h"
#include "outbox.h"

static chop_err show(struct prep *p, const struct grant *g, const struct seal *s) {
    Pb__GrantStatement *m;
    TRY(grant_statement(p->c, g->statement, &m));
    p->content->seal_name = m->seal_name;
    p->content->seal_code = m->seal_code;
    p->content->requester_name = m->member_name;
    p->content->document = m->document;
    p->content->copies = m->copies;
    p->content->request_digest = arena_hex(p->c->mem, PB_BYTES(m->request_digest));
    p->content->grant_digest = arena_hex(p->c->mem, g->digest);
    p->content->artwork_digest = arena_hex(p->c->mem, PB_BYTES(m->artwork_digest));
    prep_policy(p, s->policy, STEP_DECIDE);
    return NULL;
}

static chop_err answer(struct commit *k, const struct grant *g, const char *seal_state) {
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_GRANT;
    return grant_with_numbers(k->c, g, seal_state, &k->out->grant);
}

static chop_err check_bound(const struct commit *k, const struct grant *g) {
    if (strcmp(k->content->grant_digest, arena_hex(k->c->mem, g->digest)) == 0) return NULL;
    return CHOP_FAIL(EMISMATCH, "grant_digest", "the act shows another grant");
}

/* Locks and shows nothing of what the member may not see. */
static chop_err spot_visible(
    struct call *c, const struct actor *who, const char *grant_id, uint32_t number, struct spot *ret_spot) {
    struct grant g;
    struct seal s;
    TRY(grant_load(c, grant_id, who, &g, &s));
    return spot_lock(c, grant_id, number, who->organization_id, ret_spot);
}

chop_err spot_fact(struct call *c, const char *kind, const struct spot *s, const char *detail, struct fact *f) {
    Pb__GrantStatement *g;
    *f = fact_new(kind);
    Pb__FactStatement *m = &f->statement;
    TRY(grant_statement(c, s->grant.statement, &g));
    m->request_id = PB_STR(s->grant.request_id);
    m->grant_id = PB_STR(s->grant.grant_id);
    m->allotment_id = s->number->allotment_id;
    m->number = s->number->number;
    m->printer_id = s->number->printer_id;
    m->document_digest = g->document_digest;
    m->artwork_digest = g->artwork_digest;
    m->copies = g->copies;
    m->detail = PB_STR(detail);
    return NULL;
}

static chop_err fact_of_spot(
    const struct commit *k, const char *kind, const struct spot *s, const char *detail, struct fact *f) {
    TRY(spot_fact(k->c, kind, s, detail, f));
    return fact_by(k->c, f, &k->who, k->act);
}

static chop_err number_move(struct call *c, struct spot *s, const char *next, const char *reason) {
    int64_t moved;
    TRY(DB_DO_COUNT(c->db, &moved, "number_move", T_(s->grant.grant_id), I_(s->number->number), T_(s->number->state),
        T_(next), T_(reason), I_(c->now)));
    return moved == 1 ? NULL : CHOP_FAIL(ESERIAL, NULL, "the number changed meanwhile");
}

/* ---- settle ---- */
static chop_err check_settle(
    struct call *c, const struct actor *who, const Pb__Settle *in, const struct spot *s, const char **ret_next) {
    const char *action = rules_settle_action(in->outcome);
    uint8_t digest[32];
    if (!action) return CHOP_FAIL(EINVAL, "settle.outcome", "wants printed or spoiled");
    TRY(rpc_check_len("settle.reason", in->reason, 1, 500));
    if (*in->photo_sha256) TRY(rpc_check_digest("settle.photo_sha256", in->photo_sha256, digest));
    if (strcmp(s->grant.member_id, who->member_id) == 0)
        return CHOP_FAIL(EDENIED, NULL, "nobody settles an own impression");
    TRY(fsm_apply(&number_fsm, s->number->state, action, ret_next));
    if (strcmp(s->number->state, "reserved") == 0 && c->now < s->allotment_not_after)
        return CHOP_FAIL(ESTATE, NULL, "the printer may still print it: wait until its allotment is over");
    return NULL;
}

static chop_err settle_prepare(struct prep *p, const void *params) {
    const Pb__Settle *in = params;
    struct spot s;
    const char *next;
    TRY(spot_visible(p->c, &p->who, in->grant_id, in->number, &s));
    TRY(check_settle(p->c, &p->who, in, &s, &next));
    return show(p, &s.grant, &s.seal);
}

/* The fact's detail is the outcome; the photo, if one was taken, is its evidence. */
static chop_err settle_fact(const struct commit *k, const Pb__Settle *in, struct spot *s, struct fact *f) {
    uint8_t *photo = arena_alloc(k->c->mem, 32);
    if (!photo) return CHOP_ERR(EMEMORY);
    TRY(fact_of_spot(k, "impression-settled", s, in->outcome, f));
    if (*in->photo_sha256 && chop_unhex(in->photo_sha256, photo, 32))
        f->statement.evidence_digest = PB_BIN(CHOP_BYTES(photo, 32));
    return fact_file(k->c, f, &s->seal, k->act->act_id);
}

static chop_err settle_commit(struct commit *k, const void *params) {
    const Pb__Settle *in = params;
    struct spot s;
    struct fact f;
    const char *next;
    TRY(spot_lock(k->c, in->grant_id, in->number, k->who.organization_id, &s));
    TRY(check_bound(k, &s.grant));
    TRY(commit_policy(k, s.seal.policy));
    TRY(check_settle(k->c, &k->who, in, &s, &next));
    TRY(number_move(k->c, &s, next, in->reason));
    TRY(settle_fact(k, in, &s, &f));
    TRY(settled_publish(k->c, &s, next, in->reason, f.message));
    return answer(k, &s.grant, s.seal.state);
}
const struct act_kind kind_settle = { "settle", "manager,admin", settle_prepare, settle_commit };

/* ---- revoke ---- */
static chop_err check_revoke(const Pb__Revoke *in, const struct spot *s, const char **ret_next) {
    TRY(rpc_check_len("revoke.reason", in->reason, 1, 500));
    return fsm_apply(&number_fsm, s->number->state, "revoke", ret_next);
}

static chop_err revoke_prepare(struct prep *p, const void *params) {
    const Pb__Revoke *in = params;
    struct spot s;
    const char *next;
    TRY(spot_visible(p->c, &p->who, in->grant_id, in->number, &s));
    TRY(check_revoke(in, &s, &next));
    return show(p, &s.grant, &s.seal);
}

static chop_err revoke_statement(
    struct call *c, const struct spot *s, const char *reason, const char *by, Pb__Signed **ret_signed) {
    Pb__RevocationStatement m = PB__REVOCATION_STATEMENT__INIT;
    struct chop_bytes packed;
    uint8_t digest[32];
    m.grant_id = PB_STR(s->grant.grant_id);
    m.number = s->number->number;
    m.reason = PB_STR(reason);
    m.at = c->now;
    m.member_name = PB_STR(by);
    return auth_sign(c, "revocation", &m, c->mem, ret_signed, &packed, digest);
}

chop_err spot_revoke(struct call *c, struct spot *s, struct fact *f, const char *next, const char *reason,
    const char *by, const char *act_id) {
    Pb__Signed *revocation;
    TRY(number_move(c, s, next, reason));
    TRY(fact_file(c, f, &s->seal, act_id));
    TRY(revoke_statement(c, s, reason, by, &revocation));
    return settled_publish(c, s, next, reason, revocation);
}

static chop_err revoke_commit(struct commit *k, const void *params) {
    const Pb__Revoke *in = params;
    struct spot s;
    struct fact f;
    const char *next;
    TRY(spot_lock(k->c, in->grant_id, in->number, k->who.organization_id, &s));
    TRY(check_bound(k, &s.grant));
    TRY(commit_policy(k, s.seal.policy));
    TRY(check_revoke(in, &s, &next));
    TRY(fact_of_spot(k, "impression-revoked", &s, in->reason, &f));
    TRY(spot_revoke(k->c, &s, &f, next, in->reason, k->who.member_name, k->act->act_id));
    return answer(k, &s.grant, s.seal.state);
}
const struct act_kind kind_revoke = { "revoke", "manager,admin", revoke_prepare, revoke_commit };

/* ---- cancel ---- */
static chop_err check_cancel(
    const struct actor *who, const Pb__Cancel *in, const struct grant *g, const char **ret_next) {
    TRY(rpc_check_len("cancel.reason", in->reason, 0, 500));
    if (strcmp(g->member_id, who->member_id) != 0 && !actor_has_any(who, "manager,admin"))
        return CHOP_FAIL(EDENIED, NULL, "only the grant's member, a manager or an admin cancels it");
    if (rules_grant_remaining(&g->count) == 0) return CHOP_FAIL(ESTATE, NULL, "nothing is left to cancel");
    return fsm_apply(&grant_fsm, g->state, "cancel", ret_next);
}

static chop_err cancel_prepare(struct prep *p, const void *params) {
    const Pb__Cancel *in = params;
    struct grant g;
    struct seal s;
    const char *next;
    TRY(grant_load(p->c, in->grant_id, &p->who, &g, &s));
    TRY(check_cancel(&p->who, in, &g, &next));
    return show(p, &g, &s);
}

/* Numbers that are allotted already stay with the printer until it reports or their half hour is over. */
static chop_err cancel_commit(struct commit *k, const void *params) {
    const Pb__Cancel *in = params;
    struct grant g;
    struct seal s;
    const char *next;
    Pb__GrantChanged changed = PB__GRANT_CHANGED__INIT;
    TRY(grant_lock(k->c, in->grant_id, k->who.organization_id, &g, &s));
    TRY(check_bound(k, &g));
    TRY(commit_policy(k, s.policy));
    TRY(check_cancel(&k->who, in, &g, &next));
    TRY(DB_DO(k->c->db, "grant_cancel", T_(g.grant_id), T_(g.state)));
    g.state = next;
    changed.grant_id = PB_STR(g.grant_id);
    changed.state = PB_STR(next);
    changed.at = k->c->now;
    TRY(outbox_put(k->c, "authorization.grant.changed", g.seal_id, &changed));
    return answer(k, &g, s.state);
}
const struct act_kind kind_cancel = { "cancel", "", cancel_prepare, cancel_commit };
