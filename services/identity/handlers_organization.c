/* Organizations and the keys that outsiders need. */
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

/* Compared by digest: equal in time whatever the token's length. */
static chop_err operator_check(struct call *c, const char *token) {
    const char *right = identity_of(c)->operator_token;
    uint8_t a[32], b[32];
    crypto_sha256(chop_str(token), a);
    crypto_sha256(chop_str(right), b);
    if (!crypto_equal(a, b, 32) || !*right) return CHOP_FAIL(EAUTH, "operator_token", "not the operator's token");
    return NULL;
}

static chop_err create_check(const Pb__CreateOrganizationRequest *in) {
    TRY(rules_text("name", in->name, 1, 200));
    TRY(rules_slug("slug", in->slug));
    if (*in->uscc) TRY(rules_uscc("uscc", in->uscc));
    TRY(rules_account("admin_account", in->admin_account));
    TRY(rules_text("admin_name", in->admin_name, 1, 100));
    TRY(rules_text("admin_post", in->admin_post, 0, 100));
    return rules_password("admin_password", in->admin_password, in->admin_account);
}

static chop_err organization_add(struct call *c, const Pb__CreateOrganizationRequest *in, const char *id) {
    chop_err e = DB_DO(c->db, "organization_add", T_(id), T_(in->name), T_(in->uscc), T_(in->slug), I_(c->now));
    if (e != CHOP_ERR(EEXISTS)) return e;
    bool slug = strstr(chop_detail_text(), "slug") != NULL;
    return CHOP_FAIL(EEXISTS, slug ? "slug" : "uscc", "another organization has it");
}

static chop_err admin_add(struct call *c, const Pb__CreateOrganizationRequest *in, const char *organization_id,
    const char *hash, Pb__Member **ret_admin) {
    struct db_rows *rows;
    const char *id = rpc_new_id(c, "mem");
    TRY(DB_DO(c->db, "member_add", T_(id), T_(organization_id), T_(in->admin_account), T_(in->admin_name),
        T_(in->admin_post), T_("admin"), I_(c->now)));
    TRY(DB_DO(c->db, "credential_add", T_(rpc_new_id(c, "crd")), T_(id), T_("password"), T_("password"), T_("argon2id"),
        N_, T_(hash), I_(c->now)));
    TRY(DB_ONE(c->db, &rows, "member_get", T_(id), T_(organization_id)));
    TRY(identity_member_read(c, rows, 0, ret_admin));
    return identity_member_event(c, *ret_admin);
}

IDENTITY_HANDLER(create_organization, Pb__CreateOrganizationRequest, Pb__CreateOrganizationReply) {
    const char *hash;
    TRY(operator_check(c, in->operator_token));
    TRY(create_check(in));
    TRY(identity_password_hash(c, in->admin_password, &hash));
    identity_wipe(in->admin_password);
    const char *id = rpc_new_id(c, "org");
    TRY(organization_add(c, in, id));
    TRY(admin_add(c, in, id, hash, &out->admin));
    return identity_organization_find(c, id, &out->organization);
}

IDENTITY_HANDLER(get_organization, Pb__GetOrganizationRequest, Pb__Organization) {
    Pb__Organization *o;
    if (*in->organization_id && strcmp(in->organization_id, c->who->organization_id) != 0)
        return CHOP_FAIL(ENOTFOUND, "organization_id", "no such organization");
    TRY(identity_organization_find(c, c->who->organization_id, &o));
    *out = *o;
    return NULL;
}

IDENTITY_HANDLER(get_keys, Pb__Empty, Pb__Keys) {
    struct chop_bytes root, manifest;
    TRY(identity_keys(c, &root, &manifest));
    out->root_spki = PB_BIN(root);
    out->manifest = PB_BIN(manifest);
    return NULL;
}
