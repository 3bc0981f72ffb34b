/* Identity's own acts (design 4): the table of kinds, prepare and commit. */
#include <string.h>

#include "acts.h"
#include "pbjson.h"

static const struct act_kind {
    Pb__PrepareIdentityActRequest__ParamsCase params;
    const char *kind;
    bool admin; /* only an admin may */
    act_prepare_fn prepare;
    act_commit_fn commit;
} kinds[] = {
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_MEMBER_ADD, "member-add", true, member_add_prepare, member_add_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_MEMBER_ROLES, "member-roles", true, member_roles_prepare,
        member_roles_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_KEY_ADD, "key-add", false, key_add_prepare, key_add_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_CREDENTIAL_REVOKE, "credential-revoke", false, credential_revoke_prepare,
        credential_revoke_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PASSWORD_CHANGE, "password-change", false, password_change_prepare,
        password_change_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_TERMINAL_REVOKE, "terminal-revoke", false, terminal_revoke_prepare,
        terminal_revoke_commit },
    { PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PRINTER_CODE, "printer-code", true, printer_code_prepare,
        printer_code_commit },
};

/* ---- prepare ---- */

static const struct act_kind *kind_by_params(Pb__PrepareIdentityActRequest__ParamsCase params) {
    for (size_t i = 0; i < CHOP_COUNT(kinds); i++)
        if (kinds[i].params == params) return &kinds[i];
    return NULL;
}

static chop_err content_head(struct call *c, const char *kind, Pb__IdentityActContent *content) {
    content->act_id = PB_STR(rpc_new_id(c, "act"));
    content->kind = PB_STR(kind);
    content->organization_id = c->who->organization_id;
    content->organization_name = c->who->organization_name;
    content->member_id = c->who->member_id;
    content->member_name = c->who->member_name;
    content->terminal_id = c->who->terminal_id;
    content->prepared_at = c->now;
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

/* What every member has by default; an organization without keys must be able to begin. */
static chop_err clauses_default(struct call *c, struct act_new *a) {
    static char password[] = "password", key[] = "key", *factors[] = { password, key };
    Pb__Clause *clause = PB_NEW(c->mem, Pb__Clause, pb__clause);
    a->clauses = ARENA_ARRAY(c->mem, Pb__Clause *, 1);
    if (!clause || !a->clauses) return CHOP_ERR(EMEMORY);
    clause->n_factors = CHOP_COUNT(factors);
    clause->factors = factors;
    a->clauses[0] = clause;
    a->n_clauses = 1;
    return NULL;
}

IDENTITY_HANDLER(prepare_act, Pb__PrepareIdentityActRequest, Pb__PrepareActReply) {
    const struct act_kind *kind = kind_by_params(in->params_case);
    if (!kind) return CHOP_FAIL(EINVAL, NULL, "none of the acts is there");
    if (kind->admin) TRY(rpc_need_role(c, "admin"));
    TRY(identity_member_active(c));
    Pb__IdentityActContent content = PB__IDENTITY_ACT_CONTENT__INIT;
    struct act_making m = { .in = in, .content = &content };
    TRY(content_head(c, kind->kind, &content));
    TRY(kind->prepare(c, &m));
    struct act_new a = { .act_id = content.act_id, .kind = kind->kind, .content = &content, .secret = m.secret };
    TRY(clauses_default(c, &a));
    return act_prepare(c, app_sign_key(c->app), &a, out);
}

/* ---- commit ---- */

static const struct act_kind *kind_by_name(const char *name) {
    for (size_t i = 0; i < CHOP_COUNT(kinds); i++)
        if (strcmp(kinds[i].kind, name) == 0) return &kinds[i];
    return NULL;
}

/* Roles as they are now, under the organization's lock: not as the principal or the proof remember them. */
static chop_err member_check(struct call *c, const struct act_kind *kind) {
    struct db_rows *rows;
    Pb__Member *m;
    if (kind->admin) TRY(DB_ONE(c->db, &rows, "organization_lock", T_(c->who->organization_id)));
    TRY(identity_member_find(c, "member_id", c->who->member_id, &m));
    if (strcmp(m->state, "active") != 0) return CHOP_FAIL(EDENIED, NULL, "the member has left");
    if (!kind->admin) return NULL;
    for (size_t i = 0; i < m->n_roles; i++)
        if (strcmp(m->roles[i], "admin") == 0) return NULL;
    return CHOP_FAIL(EDENIED, NULL, "needs the role admin");
}

static chop_err reveal(struct call *c, const struct act *a, Pb__CommitIdentityActReply *out) {
    if (out->result_case != PB__COMMIT_IDENTITY_ACT_REPLY__RESULT_PRINTER_CODE) return NULL;
    return printer_code_reveal(c, a->act_id, out->printer_code);
}

static chop_err answer_again(struct call *c, const struct act *a, Pb__CommitIdentityActReply *out) {
    Pb__CommitIdentityActReply *first;
    TRY(PB_UNPACK(pb__commit_identity_act_reply, a->result, c->mem, &first));
    *out = *first;
    return reveal(c, a, out);
}

IDENTITY_HANDLER(commit_act, Pb__CommitIdentityActRequest, Pb__CommitIdentityActReply) {
    struct act a;
    Pb__IdentityActContent *content;
    TRY(act_load(c, in->act_id, PB_BYTES(in->proof), &a));
    if (a.committed) return answer_again(c, &a, out);
    const struct act_kind *kind = kind_by_name(a.kind);
    if (!kind) return CHOP_FAIL(EINTERNAL, NULL, "an act of an unknown kind");
    TRY(member_check(c, kind));
    TRY(pbjson_read(&pb__identity_act_content__descriptor, a.content, &PBJSON_LIMITS, c->mem, &content));
    out->act_id = PB_STR(a.act_id);
    TRY(kind->commit(c, &a, content, out));
    TRY(act_finish(c, &a, out));
    return reveal(c, &a, out);
}
