/* PrepareAct and CommitAct: a table of kinds; what is the same for all of them happens here. */
#include <string.h>

#include "auth.h"
#include "pbjson.h"

/* By the field number in PrepareActRequest.params; ActContent's are 29 higher. */
static const struct act_kind *const kinds[] = { [1] = &kind_request,
    &kind_decide,
    &kind_sign,
    &kind_print,
    &kind_withdraw,
    &kind_cancel,
    &kind_settle,
    &kind_revoke,
    &kind_seal_create,
    &kind_seal_change,
    &kind_policy_put,
    &kind_specimen_put,
    &kind_gap };
enum { CONTENT_CASE_OFFSET = PB__ACT_CONTENT__PARAMS_REQUEST - PB__PREPARE_ACT_REQUEST__PARAMS_REQUEST };
_Static_assert(PB__ACT_CONTENT__PARAMS_GAP - CONTENT_CASE_OFFSET == CHOP_COUNT(kinds) - 1, "one row a kind");

bool actor_has_role(const struct actor *a, const char *role) {
    return rules_list_has(a->roles, a->n_roles, role);
}

bool actor_has_any(const struct actor *a, const char *roles) {
    for (size_t i = 0; i < a->n_roles; i++)
        if (text_has(roles, a->roles[i])) return true;
    return false;
}

struct actor actor_of_call(const struct call *c) {
    const Pb__Principal *w = c->who;
    return (struct actor){ w->organization_id, w->organization_name, w->member_id, w->member_name, w->post,
        w->terminal_id, w->roles, w->n_roles };
}

static struct actor actor_of_proof(const Pb__Proof *p) {
    return (struct actor){ p->organization_id, p->organization_name, p->member_id, p->member_name, p->post,
        p->terminal_id, p->roles, p->n_roles };
}

static chop_err check_roles(const struct act_kind *k, const struct actor *who) {
    if (!*k->roles || actor_has_any(who, k->roles)) return NULL;
    return CHOP_FAIL(EDENIED, NULL, "needs the role %s", k->roles);
}

void prep_policy(struct prep *p, const Pb__Policy *policy, enum policy_step step) {
    p->clauses = rules_policy_clauses(policy, step);
    p->policy_version = policy ? policy->version : 0;
}

chop_err commit_policy(const struct commit *k, const Pb__Policy *policy) {
    if (policy->version != k->act->policy_version)
        return CHOP_FAIL(ESTATE, NULL, "the seal's policy changed meanwhile: prepare again");
    return NULL;
}

static chop_err prepare_content(struct call *c, const struct act_kind *kind, struct prep *p) {
    Pb__ActContent *m = PB_NEW(c->mem, Pb__ActContent, pb__act_content);
    if (!m) return CHOP_ERR(EMEMORY);
    m->act_id = PB_STR(rpc_new_id(c, "act"));
    m->kind = PB_STR(kind->name);
    m->organization_id = PB_STR(p->who.organization_id);
    m->organization_name = PB_STR(p->who.organization_name);
    m->member_id = PB_STR(p->who.member_id);
    m->member_name = PB_STR(p->who.member_name);
    m->post = PB_STR(p->who.post);
    m->terminal_id = PB_STR(p->who.terminal_id);
    m->prepared_at = c->now;
    p->content = m;
    return NULL;
}

chop_err act_handle_prepare(struct call *c, const void *in_, void *out) {
    const Pb__PrepareActRequest *in = in_;
    const int which = in->params_case;
    if (which < 1 || (size_t)which >= CHOP_COUNT(kinds)) return CHOP_FAIL(EINVAL, NULL, "the act has no parameters");
    const struct act_kind *kind = kinds[which];
    struct prep p = { .c = c, .who = actor_of_call(c) };
    TRY(check_roles(kind, &p.who));
    TRY(prepare_content(c, kind, &p));
    /* every member of the union is a pointer to a message */
    p.content->params_case = (Pb__ActContent__ParamsCase)(which + CONTENT_CASE_OFFSET);
    p.content->request = in->request;
    TRY(kind->prepare(&p, in->request));
    const struct act_new act = { .act_id = p.content->act_id,
        .kind = kind->name,
        .content = p.content,
        .secret = p.secret,
        .clauses = p.clauses.list,
        .n_clauses = p.clauses.n,
        .policy_version = p.policy_version };
    return act_prepare(c, auth_of(c)->sign, &act, out);
}

static chop_err commit_first(struct call *c, const struct act *act, Pb__CommitActReply *out) {
    Pb__ActContent *content;
    TRY(pbjson_read(&pb__act_content__descriptor, act->content, &PBJSON_LIMITS, c->mem, &content));
    const int which = (int)content->params_case - CONTENT_CASE_OFFSET;
    if (which < 1 || (size_t)which >= CHOP_COUNT(kinds)) return CHOP_FAIL(EINTERNAL, NULL, "an act without parameters");
    struct commit k = { .c = c, .who = actor_of_proof(act->proof), .act = act, .content = content, .out = out };
    TRY(check_roles(kinds[which], &k.who));
    out->act_id = PB_STR(act->act_id);
    TRY(kinds[which]->commit(&k, content->request));
    TRY(act_finish(c, act, out));
    chop_failpoint("authorization.commit.before");
    return NULL;
}

chop_err act_handle_commit(struct call *c, const void *in_, void *out) {
    const Pb__CommitActRequest *in = in_;
    struct act act;
    TRY(act_load(c, in->act_id, PB_BYTES(in->proof), &act));
    if (!act.committed) return commit_first(c, &act, out);
    Pb__CommitActReply *again;
    TRY(PB_UNPACK(pb__commit_act_reply, act.result, c->mem, &again));
    *(Pb__CommitActReply *)out = *again;
    return NULL;
}
