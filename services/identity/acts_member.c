/* Acts on members: adding one, changing roles and post, leaving. */
#include <string.h>

#include "acts.h"

/* ---- member-add ---- */

static chop_err account_free(struct call *c, const char *field, const char *account) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "member_account_taken", T_(c->who->organization_id), T_(account)));
    return db_count(rows) ? CHOP_FAIL(EEXISTS, field, "another member has this account") : NULL;
}

static chop_err member_add_check(struct call *c, const Pb__MemberAdd *m) {
    unsigned roles;
    TRY(rules_account("member_add.account", m->account));
    TRY(rules_text("member_add.name", m->name, 1, 100));
    TRY(rules_text("member_add.post", m->post, 0, 100));
    TRY(rules_roles("member_add.roles", m->roles, m->n_roles, &roles));
    if (!roles) return CHOP_FAIL(EINVAL, "member_add.roles", "a member has at least one");
    TRY(rules_password("member_add.password", m->password, m->account));
    return account_free(c, "member_add.account", m->account);
}

chop_err member_add_prepare(struct call *c, struct act_making *m) {
    const Pb__MemberAdd *add = m->in->member_add;
    const char *hash;
    TRY(member_add_check(c, add));
    Pb__MemberAdd *shown = PB_NEW(c->mem, Pb__MemberAdd, pb__member_add);
    if (!shown) return CHOP_ERR(EMEMORY);
    TRY(identity_password_hash(c, add->password, &hash));
    identity_wipe(add->password);
    shown->account = add->account;
    shown->name = add->name;
    shown->post = add->post;
    shown->n_roles = add->n_roles;
    shown->roles = add->roles;
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_MEMBER_ADD;
    m->content->member_add = shown;
    m->secret = chop_str(hash);
    return NULL;
}

static chop_err member_insert(struct call *c, const Pb__MemberAdd *m, const char *id) {
    unsigned roles;
    char text[ROLES_TEXT_MAX];
    TRY(rules_roles("member_add.roles", m->roles, m->n_roles, &roles));
    rules_roles_text(roles, text);
    chop_err e = DB_DO(c->db, "member_add", T_(id), T_(c->who->organization_id), T_(m->account), T_(m->name),
        T_(m->post), T_(text), I_(c->now));
    if (e == CHOP_ERR(EEXISTS)) return CHOP_FAIL(EEXISTS, "account", "another member has this account");
    return e;
}

static chop_err member_answer(struct call *c, const char *id, Pb__CommitIdentityActReply *out) {
    TRY(identity_member_find(c, "member_id", id, &out->member));
    out->result_case = PB__COMMIT_IDENTITY_ACT_REPLY__RESULT_MEMBER;
    return identity_member_event(c, out->member);
}

chop_err member_add_commit(
    struct call *c, const struct act *a, const Pb__IdentityActContent *content, Pb__CommitIdentityActReply *out) {
    const char *id = rpc_new_id(c, "mem");
    const char *hash = arena_strn(c->mem, (const char *)a->secret.p, a->secret.n);
    TRY(member_insert(c, content->member_add, id));
    TRY(DB_DO(c->db, "credential_add", T_(rpc_new_id(c, "crd")), T_(id), T_("password"), T_("password"), T_("argon2id"),
        N_, T_(hash), I_(c->now)));
    return member_answer(c, id, out);
}

/* ---- member-roles; no roles at all: the member leaves ---- */

static chop_err last_admin_check(struct call *c, const char *member_id, unsigned roles) {
    struct db_rows *rows;
    if (roles & ROLE_ADMIN) return NULL;
    TRY(DB_ONE(c->db, &rows, "member_other_admins", T_(c->who->organization_id), T_(member_id)));
    if (db_int(rows, 0, 0) == 0) return CHOP_FAIL(ESTATE, "member_roles.roles", "the last admin stays admin");
    return NULL;
}

static chop_err member_roles_check(struct call *c, const Pb__MemberRoles *m, unsigned *ret_roles) {
    Pb__Member *member;
    TRY(rules_roles("member_roles.roles", m->roles, m->n_roles, ret_roles));
    TRY(rules_text("member_roles.post", m->post, 0, 100));
    TRY(identity_member_find(c, "member_roles.member_id", m->member_id, &member));
    return last_admin_check(c, m->member_id, *ret_roles);
}

chop_err member_roles_prepare(struct call *c, struct act_making *m) {
    unsigned roles;
    TRY(member_roles_check(c, m->in->member_roles, &roles));
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_MEMBER_ROLES;
    m->content->member_roles = m->in->member_roles;
    return NULL;
}

chop_err member_roles_commit(struct call *c, const struct act *a CHOP_UNUSED, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) {
    const Pb__MemberRoles *m = content->member_roles;
    char text[ROLES_TEXT_MAX];
    unsigned roles;
    TRY(member_roles_check(c, m, &roles));
    rules_roles_text(roles, text);
    TRY(DB_DO(c->db, "member_change", T_(m->member_id), T_(c->who->organization_id), T_(text), T_(m->post)));
    if (!roles) TRY(DB_DO(c->db, "session_end_member", T_(m->member_id), T_("")));
    return member_answer(c, m->member_id, out);
}
