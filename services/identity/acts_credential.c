/* Acts on one's own credentials: adding a key, revoking it, changing the password. */
#include <string.h>

#include "acts.h"

static chop_err credential_answer(struct call *c, const char *id, Pb__CommitIdentityActReply *out) {
    struct db_rows *rows;
    TRY(DB_ONE(c->db, &rows, "credential_get", T_(id), T_(c->who->member_id)));
    out->result_case = PB__COMMIT_IDENTITY_ACT_REPLY__RESULT_CREDENTIAL;
    return identity_credential_read(c, rows, 0, &out->credential);
}

/* ---- key-add ---- */

static chop_err key_unclaimed(struct call *c, struct chop_bytes spki) {
    uint8_t digest[32];
    struct db_rows *rows;
    crypto_sha256(spki, digest);
    TRY(DB_QUERY(c->db, &rows, "key_claimed", B_(CHOP_BYTES(digest, 32))));
    if (db_count(rows)) return CHOP_FAIL(EUSED, "key_add.public_key", "this key serves, or served, something else");
    return NULL;
}

static chop_err key_room(struct call *c) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "credential_keys", T_(c->who->member_id), T_("")));
    if (db_count(rows) >= MAX_KEYS)
        return CHOP_FAIL(ELIMIT, NULL, "a member has at most %d keys: revoke one", MAX_KEYS);
    return NULL;
}

static chop_err key_open(struct call *c, const Pb__KeyAdd *k, struct crypto_key **ret_key) {
    struct chop_bytes statement = identity_statement(c, "chop/1/key-add", chop_str(c->who->member_id));
    return identity_key_read(c, "key_add.", PB_BYTES(k->public_key), PB_BYTES(k->signature), statement, ret_key);
}

chop_err key_add_prepare(struct call *c, struct act_making *m) {
    Pb__KeyAdd *k = m->in->key_add;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    TRY(rules_text("key_add.name", k->name, 1, 100));
    TRY(key_open(c, k, &key));
    TRY(key_unclaimed(c, PB_BYTES(k->public_key)));
    TRY(key_room(c));
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_KEY_ADD;
    m->content->key_add = k;
    return NULL;
}

chop_err key_add_commit(struct call *c, const struct act *a CHOP_UNUSED, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) {
    const Pb__KeyAdd *k = content->key_add;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    const char *id = rpc_new_id(c, "crd");
    TRY(key_open(c, k, &key));
    TRY(key_room(c));
    TRY(identity_key_claim(c, "key_add.public_key", PB_BYTES(k->public_key), "factor", id));
    TRY(DB_DO(c->db, "credential_add", T_(id), T_(c->who->member_id), T_("key"), T_(k->name),
        T_(crypto_alg_name(crypto_key_alg(key))), B_(PB_BYTES(k->public_key)), N_, I_(c->now)));
    return credential_answer(c, id, out);
}

/* ---- credential-revoke ---- */

chop_err credential_revoke_prepare(struct call *c, struct act_making *m) {
    const char *id = m->in->credential_revoke->credential_id;
    struct db_rows *rows;
    TRY(rpc_check_id("credential_revoke.credential_id", id, "crd"));
    TRY(DB_QUERY(c->db, &rows, "credential_get", T_(id), T_(c->who->member_id)));
    if (db_count(rows) == 0) return CHOP_FAIL(ENOTFOUND, "credential_revoke.credential_id", "no such credential");
    if (strcmp(db_text(rows, 0, 1), "password") == 0)
        return CHOP_FAIL(ESTATE, "credential_revoke.credential_id", "a password is changed, not revoked");
    if (strcmp(db_text(rows, 0, 4), "active") != 0)
        return CHOP_FAIL(ESTATE, "credential_revoke.credential_id", "revoked already");
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_CREDENTIAL_REVOKE;
    m->content->credential_revoke = m->in->credential_revoke;
    return NULL;
}

chop_err credential_revoke_commit(struct call *c, const struct act *a CHOP_UNUSED,
    const Pb__IdentityActContent *content, Pb__CommitIdentityActReply *out) {
    const char *id = content->credential_revoke->credential_id;
    int64_t done = 0;
    TRY(DB_DO_COUNT(c->db, &done, "credential_revoke", T_(id), T_(c->who->member_id)));
    if (done == 0) return CHOP_FAIL(ESTATE, "credential_revoke.credential_id", "revoked already");
    return credential_answer(c, id, out);
}

/* ---- password-change ---- */

chop_err password_change_prepare(struct call *c, struct act_making *m) {
    const char *password = m->in->password_change->new_password, *hash;
    Pb__Member *me;
    Pb__Empty *shown = PB_NEW(c->mem, Pb__Empty, pb__empty);
    if (!shown) return CHOP_ERR(EMEMORY);
    TRY(identity_member_find(c, "member_id", c->who->member_id, &me));
    TRY(rules_password("password_change.new_password", password, me->account));
    TRY(identity_password_hash(c, password, &hash));
    identity_wipe(password);
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_PASSWORD_CHANGE;
    m->content->password_change = shown;
    m->secret = chop_str(hash);
    return NULL;
}

/* Whoever knew the old password loses what it opened; the session that changes it goes on. */
chop_err password_change_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content CHOP_UNUSED,
    Pb__CommitIdentityActReply *out) {
    const char *hash = arena_strn(c->mem, (const char *)a->secret.p, a->secret.n);
    struct db_rows *rows;
    TRY(DB_DO(c->db, "credential_password_change", T_(c->who->member_id), T_(hash)));
    TRY(DB_DO(c->db, "session_end_member", T_(c->who->member_id), T_(c->who->session_id)));
    TRY(DB_ONE(c->db, &rows, "credential_password", T_(c->who->member_id)));
    return credential_answer(c, db_text(rows, 0, 0), out);
}
