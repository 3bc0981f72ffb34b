#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.pb-c.h"
#include "identity.pb-c.h"

/* ---- start and stop ---- */

/* The instances of the service share the CA key's file and nothing else that is secret: what they must agree on is
 * derived from it. */
static chop_err secret_derive(struct identity *id) {
    CHOP_FREE char *pem = NULL;
    size_t n;
    TRY(conf_read_file(id->ca_key_path, 16384, &pem, &n));
    crypto_hmac_sha256(CHOP_BYTES(pem, n), chop_str("chop/1/identity-secret"), id->secret);
    pwpool_wipe(pem, n);
    return NULL;
}

static chop_err ca_load(struct identity *id) {
    size_t n;
    TRY(crypto_key_load(id->ca_key_path, &id->ca_key));
    if (crypto_key_alg(id->ca_key) != CRYPTO_ES256) return CHOP_FAIL(EINVAL, "CA_KEY", "not a P-256 key");
    TRY(conf_read_file(id->ca_cert_path, 16384, &id->ca_cert, &n));
    return secret_derive(id);
}

/* At most half of the workers may wait for passwords: the others go on answering. */
static chop_err passwords_start(struct identity *id, int workers) {
    int64_t half = workers / 2 > 0 ? workers / 2 : 1;
    struct pwpool_options o = { .threads = (int)id->password_threads,
        .slots = (int)(half < id->password_queue ? half : id->password_queue),
        .ops = (uint64_t)id->password_ops,
        .memory = (size_t)id->password_memory };
    return pwpool_new(&o, &id->passwords);
}

chop_err identity_start(struct app *app) {
    struct identity *id = app->state;
    size_t n = strlen(id->operator_token);
    if (n > 0 && n < 16) return CHOP_FAIL(EINVAL, "OPERATOR_TOKEN", "shorter than 16 characters");
    if (!app_sign_key(app)) return CHOP_FAIL(EINVAL, "SIGN_KEY", "identity signs principals and proofs: no key");
    TRY(ca_load(id));
    return passwords_start(id, app_workers(app));
}

void identity_stop(struct app *app) {
    struct identity *id = app->state;
    pwpool_free(CHOP_STEAL(id->passwords));
    crypto_key_free(CHOP_STEAL(id->ca_key));
    free(CHOP_STEAL(id->ca_cert));
    pwpool_wipe(id->secret, sizeof id->secret);
}

/* ---- small things ---- */

chop_err identity_transaction(struct call *c, chop_err (*fn)(struct call *c, void *arg), void *arg) {
    TRY(db_begin(c->db));
    chop_err e = fn(c, arg);
    if (e) {
        db_rollback(c->db);
        return e;
    }
    chop_failpoint("identity.commit.before");
    TRY(db_commit(c->db));
    chop_failpoint("identity.commit.after");
    return NULL;
}

struct chop_bytes identity_concat(struct call *c, struct chop_bytes a, struct chop_bytes b) {
    uint8_t *p = arena_alloc(c->mem, a.n + b.n + 1);
    if (!p) return CHOP_BYTES(NULL, 0);
    if (a.n) memcpy(p, a.p, a.n);
    if (b.n) memcpy(p + a.n, b.p, b.n);
    return CHOP_BYTES(p, a.n + b.n);
}

struct chop_bytes identity_statement(struct call *c, const char *label, struct chop_bytes a) {
    return identity_concat(c, CHOP_BYTES(label, strlen(label) + 1), a);
}

void identity_mac(struct call *c, const char *label, const char *text, uint8_t out[32]) {
    crypto_hmac_sha256(CHOP_BYTES(identity_of(c)->secret, 32), identity_statement(c, label, chop_str(text)), out);
}

static chop_err file_read(struct call *c, const char *dir, const char *name, struct chop_bytes *ret_bytes) {
    CHOP_FREE char *text = NULL;
    size_t n;
    TRY(conf_read_file(arena_printf(c->mem, "%s/%s", dir, name), (size_t)1 << 20, &text, &n));
    *ret_bytes = arena_copy(c->mem, CHOP_BYTES(text, n));
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

chop_err identity_keys(struct call *c, struct chop_bytes *ret_root, struct chop_bytes *ret_manifest) {
    const char *dir = app_keys_dir(c->app);
    if (file_read(c, dir, "root.spki", ret_root) || file_read(c, dir, "manifest.signed", ret_manifest))
        return CHOP_FAIL(EINTERNAL, NULL, "the keys' directory cannot be read");
    return NULL;
}

void identity_wipe(const char *password) {
    pwpool_wipe((char *)(uintptr_t)password, strlen(password));
}

/* ---- public keys ---- */

chop_err identity_key_read(struct call *c, const char *prefix, struct chop_bytes spki, struct chop_bytes signature,
    struct chop_bytes statement, struct crypto_key **ret_key) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    const char *key_field = arena_printf(c->mem, "%spublic_key", prefix);
    const char *signature_field = arena_printf(c->mem, "%ssignature", prefix);
    if (spki.n == 0 || spki.n > SPKI_MAX) return CHOP_FAIL(EINVAL, key_field, "missing or too long");
    if (crypto_key_from_spki(spki, &key))
        return CHOP_FAIL(EINVAL, key_field, "not a SubjectPublicKeyInfo of P-256, Ed25519 or SM2");
    if (signature.n != CRYPTO_SIGNATURE_LEN) return CHOP_FAIL(EINVAL, signature_field, "not 64 bytes");
    if (crypto_verify(key, statement, signature))
        return CHOP_FAIL(ESIGNATURE, signature_field, "not by this key over what was asked for");
    *ret_key = CHOP_STEAL(key);
    return NULL;
}

chop_err identity_key_claim(
    struct call *c, const char *field, struct chop_bytes spki, const char *use, const char *owner_id) {
    uint8_t digest[32];
    crypto_sha256(spki, digest);
    chop_err e = DB_DO(c->db, "key_claim", B_(CHOP_BYTES(digest, 32)), T_(use), T_(owner_id));
    if (e == CHOP_ERR(EEXISTS)) return CHOP_FAIL(EUSED, field, "this key serves, or served, something else");
    return e;
}

static bool key_matches(
    const struct db_rows *rows, size_t r, struct chop_bytes statement, struct chop_bytes signature) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    return !crypto_key_from_spki(db_bytes(rows, r, 2), &key) &&
           strcmp(crypto_alg_name(crypto_key_alg(key)), db_text(rows, r, 1)) == 0 &&
           !crypto_verify(key, statement, signature);
}

chop_err identity_key_check(struct call *c, const char *member_id, const char *credential_id,
    struct chop_bytes statement, struct chop_bytes signature, struct key_used *ret_used) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "credential_keys", T_(member_id), T_(credential_id)));
    for (size_t i = 0; i < db_count(rows); i++)
        if (key_matches(rows, i, statement, signature)) {
            *ret_used = (struct key_used){ db_text(rows, i, 0), db_text(rows, i, 1) };
            return NULL;
        }
    return CHOP_FAIL(EAUTH, "signature", "not by an active key of this member over this challenge");
}

/* ---- rows to messages ---- */

static chop_err roles_read(struct call *c, const char *text, Pb__Member *m) {
    const char *names[4];
    m->n_roles = rules_roles_names(rules_roles_parse(text), names);
    m->roles = ARENA_ARRAY(c->mem, char *, 4);
    if (!m->roles) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < m->n_roles; i++)
        m->roles[i] = PB_STR(names[i]);
    return NULL;
}

chop_err identity_member_read(struct call *c, const struct db_rows *rows, size_t r, Pb__Member **ret_member) {
    Pb__Member *m = PB_NEW(c->mem, Pb__Member, pb__member);
    if (!m) return CHOP_ERR(EMEMORY);
    m->member_id = PB_STR(db_text(rows, r, 0));
    m->organization_id = PB_STR(db_text(rows, r, 1));
    m->account = PB_STR(db_text(rows, r, 2));
    m->name = PB_STR(db_text(rows, r, 3));
    m->post = PB_STR(db_text(rows, r, 4));
    TRY(roles_read(c, db_text(rows, r, 5), m));
    m->state = PB_STR(db_text(rows, r, 6));
    m->created_at = db_int(rows, r, 7);
    *ret_member = m;
    return NULL;
}

chop_err identity_member_find(struct call *c, const char *field, const char *member_id, Pb__Member **ret_member) {
    struct db_rows *rows;
    TRY(rpc_check_id(field, member_id, "mem"));
    TRY(DB_QUERY(c->db, &rows, "member_get", T_(member_id), T_(c->who->organization_id)));
    if (db_count(rows) == 0) return CHOP_FAIL(ENOTFOUND, field, "no such member");
    return identity_member_read(c, rows, 0, ret_member);
}

chop_err identity_member_active(struct call *c) {
    Pb__Member *m;
    TRY(identity_member_find(c, "member_id", c->who->member_id, &m));
    return strcmp(m->state, "active") == 0 ? NULL : CHOP_FAIL(EDENIED, NULL, "the member has left");
}

chop_err identity_organization_find(struct call *c, const char *id, Pb__Organization **ret_organization) {
    struct db_rows *rows;
    Pb__Organization *o = PB_NEW(c->mem, Pb__Organization, pb__organization);
    if (!o) return CHOP_ERR(EMEMORY);
    TRY(DB_QUERY(c->db, &rows, "organization_get", T_(id)));
    if (db_count(rows) == 0) return CHOP_FAIL(ENOTFOUND, "organization_id", "no such organization");
    o->organization_id = PB_STR(db_text(rows, 0, 0));
    o->name = PB_STR(db_text(rows, 0, 1));
    o->uscc = PB_STR(db_text(rows, 0, 2));
    o->slug = PB_STR(db_text(rows, 0, 3));
    o->created_at = db_int(rows, 0, 4);
    *ret_organization = o;
    return NULL;
}

chop_err identity_credential_read(
    struct call *c, const struct db_rows *rows, size_t r, Pb__Credential **ret_credential) {
    Pb__Credential *m = PB_NEW(c->mem, Pb__Credential, pb__credential);
    if (!m) return CHOP_ERR(EMEMORY);
    m->credential_id = PB_STR(db_text(rows, r, 0));
    m->kind = PB_STR(db_text(rows, r, 1));
    m->name = PB_STR(db_text(rows, r, 2));
    m->algorithm = PB_STR(db_text(rows, r, 3));
    m->state = PB_STR(db_text(rows, r, 4));
    m->created_at = db_int(rows, r, 5);
    m->last_used_at = db_int(rows, r, 6);
    *ret_credential = m;
    return NULL;
}

chop_err identity_terminal_read(struct call *c, const struct db_rows *rows, size_t r, Pb__Terminal **ret_terminal) {
    Pb__Terminal *t = PB_NEW(c->mem, Pb__Terminal, pb__terminal);
    if (!t) return CHOP_ERR(EMEMORY);
    t->terminal_id = PB_STR(db_text(rows, r, 0));
    t->member_id = PB_STR(db_text(rows, r, 1));
    t->name = PB_STR(db_text(rows, r, 2));
    t->state = PB_STR(db_text(rows, r, 3));
    TRY(PB_UNPACK(pb__signed, db_bytes(rows, r, 4), c->mem, &t->certificate));
    t->created_at = db_int(rows, r, 5);
    *ret_terminal = t;
    return NULL;
}

chop_err identity_member_event(struct call *c, const Pb__Member *m) {
    Pb__MemberChanged event = PB__MEMBER_CHANGED__INIT;
    event.member = (Pb__Member *)(uintptr_t)m;
    return outbox_put(c, "identity.member.changed", m->member_id, &event);
}
