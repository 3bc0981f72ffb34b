/* The gap notice: a registry will never take one fact; its lane goes on behind the notice, which says so for ever. */
#include <string.h>

#include "auth.h"

struct skipped {
    const char *fact_id;
    uint64_t seal_seq;
    struct chop_bytes digest;
};

static chop_err registry_valid(const char *name) {
    size_t n = strlen(name);
    if (n >= 1 && n <= 32 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == n) return NULL;
    return CHOP_FAIL(EINVAL, "gap.registry", "a registry's name is [a-z0-9-]{1,32}");
}

/* Whether the registry really refused it, filing-relay knows: a notice for anything but a dead letter changes nothing.
 */
static chop_err find_skipped(struct call *c, const Pb__Gap *in, const struct seal *s, struct skipped *ret_skipped) {
    struct db_rows *r;
    TRY(registry_valid(in->registry));
    TRY(rpc_check_len("gap.reason", in->reason, 1, 500));
    if (in->seal_seq > INT64_MAX) return CHOP_FAIL(EINVAL, "gap.seal_seq", "is too large");
    if (!*in->fact_id && in->seal_seq == 0) return CHOP_FAIL(EINVAL, "gap.fact_id", "wants a fact or its seal_seq");
    TRY(DB_QUERY(c->db, &r, "fact_find", T_(s->seal_id), T_(s->organization_id), T_(in->fact_id), I_(in->seal_seq)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "gap.fact_id", "no such fact of this seal");
    *ret_skipped = (struct skipped){ db_text(r, 0, 0), (uint64_t)db_int(r, 0, 1), db_bytes(r, 0, 2) };
    return NULL;
}

static chop_err gap_prepare(struct prep *p, const void *params) {
    Pb__Gap *shown = ARENA_NEW(p->c->mem, Pb__Gap);
    struct seal s;
    struct skipped x;
    if (!shown) return CHOP_ERR(EMEMORY);
    *shown = *(const Pb__Gap *)params;
    TRY(seal_load(p->c, "seal_get", shown->seal_id, p->who.organization_id, &s));
    TRY(find_skipped(p->c, shown, &s, &x));
    shown->fact_id = PB_STR(x.fact_id);
    shown->seal_seq = x.seal_seq;
    p->content->gap = shown;
    p->content->seal_name = PB_STR(s.name);
    p->content->seal_code = PB_STR(s.code);
    prep_policy(p, s.policy, STEP_ADMIN);
    return NULL;
}

static chop_err answer_fact(struct commit *k, const struct fact *f) {
    Pb__Fact *m = PB_NEW(k->c->mem, Pb__Fact, pb__fact);
    if (!m) return CHOP_ERR(EMEMORY);
    m->fact_id = f->statement.fact_id;
    m->kind = f->statement.kind;
    m->seal_id = f->statement.seal_id;
    m->seal_seq = f->statement.seal_seq;
    m->at = f->statement.at;
    m->statement = f->message;
    m->digest = arena_hex(k->c->mem, CHOP_BYTES(f->digest, 32));
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_FACT;
    k->out->fact = m;
    return NULL;
}

static chop_err gap_commit(struct commit *k, const void *params) {
    const Pb__Gap *in = params;
    struct seal s;
    struct skipped x;
    struct fact *f = ARENA_NEW(k->c->mem, struct fact);
    if (!f) return CHOP_ERR(EMEMORY);
    TRY(seal_load(k->c, "seal_lock", in->seal_id, k->who.organization_id, &s));
    TRY(commit_policy(k, s.policy));
    TRY(find_skipped(k->c, in, &s, &x));
    *f = fact_new("gap");
    TRY(fact_by(k->c, f, &k->who, k->act));
    Pb__FactStatement *m = &f->statement;
    m->gap_registry = in->registry;
    m->gap_fact_id = PB_STR(x.fact_id);
    m->gap_seq = x.seal_seq;
    m->gap_digest = PB_BIN(x.digest);
    m->detail = arena_printf(k->c->mem, "%s goes without fact %llu (%s): %s", in->registry,
        (unsigned long long)x.seal_seq, x.fact_id, in->reason);
    TRY(fact_file(k->c, f, &s, k->act->act_id));
    return answer_fact(k, f);
}
const struct act_kind kind_gap = { "gap", "admin,auditor", gap_prepare, gap_commit };
