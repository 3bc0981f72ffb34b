/* A seal's policy: every version is kept; acts that were prepared under another one must be prepared again. */

#include "auth.h"

static chop_err policy_prepare(struct prep *p, const void *params) {
    const Pb__PolicyPut *in = params;
    Pb__PolicyPut *shown = ARENA_NEW(p->c->mem, Pb__PolicyPut);
    struct seal s;
    if (!shown) return CHOP_ERR(EMEMORY);
    *shown = *in;
    if (!in->policy) return CHOP_FAIL(EINVAL, "policy_put.policy", "is missing");
    TRY(seal_load(p->c, "seal_get", in->seal_id, p->who.organization_id, &s));
    if (fsm_find(&seal_fsm, s.state) > fsm_find(&seal_fsm, "lost"))
        return CHOP_FAIL(ESTATE, NULL, "the seal is %s", s.state);
    TRY(rules_policy_fill("policy_put.policy", in->policy, s.policy->version + 1, p->c->mem, &shown->policy));
    p->content->policy_put = shown;
    p->content->seal_name = PB_STR(s.name);
    p->content->seal_code = PB_STR(s.code);
    prep_policy(p, s.policy, STEP_ADMIN);
    return NULL;
}

static chop_err policy_commit(struct commit *k, const void *params) {
    const Pb__PolicyPut *in = params;
    struct chop_bytes packed;
    struct seal s;
    TRY(seal_load(k->c, "seal_lock", in->seal_id, k->who.organization_id, &s));
    TRY(commit_policy(k, s.policy));
    TRY(pb_pack(in->policy, k->c->mem, &packed));
    TRY(DB_DO(
        k->c->db, "policy_put", T_(s.seal_id), I_(in->policy->version), B_(packed), T_(k->act->act_id), I_(k->c->now)));
    s.policy = in->policy;
    s.version++;
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_SEAL;
    return seal_message(k->c, &s, &k->out->seal);
}
const struct act_kind kind_policy_put = { "policy-put", "admin", policy_prepare, policy_commit };
