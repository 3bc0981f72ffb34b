/* Signing in. A challenge is not stored: it is a keyed function of its own id and of the account, so strangers cannot
 * fill the store; only a sign-in that succeeded writes its id down, and works once. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

#define SIGN_IN_MS (5 * MINUTE_MS)
#define TOKEN_LEN 32

struct attempt {
    const Pb__SignInRequest *in;
    struct password_check password;
    const Pb__Member *member; /* NULL: nobody has this account */
    const char *password_id;
    struct key_used key;
    struct chop_bytes challenge; /* empty without sign_in_id */
    int64_t challenge_ends;
    Pb__SignInReply *out;
};

/* ---- challenges ---- */

static void challenge_make(
    struct call *c, const char *id, const char *organization, const char *account, uint8_t out[32]) {
    identity_mac(c, "sign-in", arena_printf(c->mem, "%s\n%s\n%s", id, organization, account), out);
}

IDENTITY_HANDLER(start_sign_in, Pb__StartSignInRequest, Pb__StartSignInReply) {
    TRY(rules_slug("organization", in->organization));
    TRY(rules_account("account", in->account));
    uint8_t nonce[16], *challenge = arena_alloc(c->mem, 32);
    if (!challenge) return CHOP_ERR(EMEMORY);
    chop_random(nonce, sizeof nonce);
    out->expires_at = c->now + SIGN_IN_MS;
    out->sign_in_id =
        arena_printf(c->mem, "%s-%" PRId64, arena_hex(c->mem, CHOP_BYTES(nonce, sizeof nonce)), out->expires_at);
    challenge_make(c, out->sign_in_id, in->organization, in->account, challenge);
    out->challenge = PB_BIN(CHOP_BYTES(challenge, 32));
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

/* Whoever invents an id gets a challenge that nobody was ever shown; only its end must be read from it. */
static chop_err challenge_read(struct call *c, struct attempt *a) {
    const char *id = a->in->sign_in_id;
    uint8_t nonce[16], *challenge = arena_alloc(c->mem, 32);
    char *end;
    if (!challenge) return CHOP_ERR(EMEMORY);
    if (strlen(id) < 34 || strlen(id) > 60 || id[32] != '-' || !chop_unhex(arena_strn(c->mem, id, 32), nonce, 16))
        return CHOP_FAIL(EINVAL, "sign_in_id", "not from StartSignIn");
    a->challenge_ends = strtoll(id + 33, &end, 10);
    if (*end) return CHOP_FAIL(EINVAL, "sign_in_id", "not from StartSignIn");
    if (a->challenge_ends <= c->now) return CHOP_FAIL(EEXPIRED, "sign_in_id", "start again");
    challenge_make(c, id, a->in->organization, a->in->account, challenge);
    a->challenge = CHOP_BYTES(challenge, 32);
    return NULL;
}

/* ---- checks ---- */

static chop_err sign_in_check(const Pb__SignInRequest *in) {
    TRY(rules_slug("organization", in->organization));
    TRY(rules_account("account", in->account));
    TRY(rpc_check_len("password", in->password, 0, 256));
    if (!*in->password && !in->signature.len) return CHOP_FAIL(EINVAL, "password", "neither password nor signature");
    if (*in->password && in->signature.len) return CHOP_FAIL(EINVAL, "signature", "either this or the password");
    if ((in->signature.len || *in->terminal_id) && !*in->sign_in_id)
        return CHOP_FAIL(EINVAL, "sign_in_id", "is missing: call StartSignIn first");
    if (*in->credential_id) TRY(rpc_check_id("credential_id", in->credential_id, "crd"));
    if (*in->terminal_id) TRY(rpc_check_id("terminal_id", in->terminal_id, "ter"));
    return NULL;
}

static chop_err account_find(struct call *c, struct attempt *a) {
    struct db_rows *rows;
    Pb__Member *m;
    TRY(DB_QUERY(c->db, &rows, "member_by_account", T_(a->in->organization), T_(a->in->account)));
    if (db_count(rows) == 0) return NULL;
    TRY(identity_member_read(c, rows, 0, &m));
    a->member = m;
    TRY(DB_QUERY(c->db, &rows, "credential_password", T_(m->member_id)));
    if (db_count(rows) == 0) return NULL;
    a->password_id = db_text(rows, 0, 0);
    a->password.hash = db_text(rows, 0, 1);
    return NULL;
}

static chop_err password_prove(struct call *c, struct attempt *a) {
    a->password.throttle_kind = "account";
    a->password.throttle_name = arena_printf(c->mem, "%s/%s", a->in->organization, a->in->account);
    a->password.password = a->in->password;
    chop_err e = identity_password_check(c, &a->password);
    identity_wipe(a->in->password);
    return e;
}

static chop_err key_prove(struct call *c, struct attempt *a) {
    struct chop_bytes statement = identity_statement(c, "chop/1/sign-in", a->challenge);
    chop_err e = identity_key_check(
        c, a->member ? a->member->member_id : "", a->in->credential_id, statement, PB_BYTES(a->in->signature), &a->key);
    if (e == CHOP_ERR(EAUTH)) return CHOP_FAIL(EAUTH, NULL, "wrong account or key");
    return e;
}

static chop_err terminal_prove(struct call *c, const struct attempt *a) {
    struct db_rows *rows;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    TRY(DB_QUERY(c->db, &rows, "terminal_get", T_(a->in->terminal_id), T_(a->member->organization_id)));
    if (db_count(rows) == 0 || strcmp(db_text(rows, 0, 1), a->member->member_id) != 0 ||
        strcmp(db_text(rows, 0, 3), "active") != 0)
        return CHOP_FAIL(EAUTH, "terminal_id", "not an active terminal of this member");
    TRY(crypto_key_from_spki(db_bytes(rows, 0, 6), &key));
    if (crypto_verify(key, identity_statement(c, "chop/1/terminal", a->challenge), PB_BYTES(a->in->terminal_signature)))
        return CHOP_FAIL(EAUTH, "terminal_signature", "not by this terminal over this challenge");
    return NULL;
}

/* ---- the session ---- */

static chop_err challenge_use(struct call *c, const struct attempt *a) {
    int64_t added = 0;
    TRY(DB_DO(c->db, "sign_in_forget_old", I_(c->now - MINUTE_MS)));
    TRY(DB_DO_COUNT(c->db, &added, "sign_in_use", T_(a->in->sign_in_id), I_(a->challenge_ends)));
    return added == 1 ? NULL : CHOP_FAIL(EUSED, "sign_in_id", "works once");
}

static chop_err credential_note(struct call *c, const struct attempt *a) {
    if (!a->password.password) return DB_DO(c->db, "credential_used", T_(a->key.credential_id), I_(c->now));
    TRY(identity_password_clear(c, &a->password));
    if (*a->password.rehash)
        TRY(DB_DO(c->db, "credential_rehash", T_(a->password_id), T_(a->password.hash), T_(a->password.rehash)));
    return DB_DO(c->db, "credential_used", T_(a->password_id), I_(c->now));
}

static chop_err session_add(struct call *c, const struct attempt *a, const char *id, const char **ret_token) {
    uint8_t random[TOKEN_LEN], digest[32];
    chop_random(random, sizeof random);
    const char *token = arena_hex(c->mem, CHOP_BYTES(random, sizeof random));
    crypto_sha256(chop_str(token), digest);
    TRY(DB_DO(c->db, "session_forget_old", I_(c->now)));
    TRY(DB_DO(c->db, "session_add", T_(id), B_(CHOP_BYTES(digest, 32)), T_(a->member->member_id),
        T_(a->in->terminal_id), I_(c->now), I_(c->now + identity_of(c)->session_ms)));
    *ret_token = token;
    return NULL;
}

static chop_err session_open(struct call *c, void *arg) {
    struct attempt *a = arg;
    const char *id = rpc_new_id(c, "ses"), *token;
    Pb__Me *me = PB_NEW(c->mem, Pb__Me, pb__me);
    if (!me) return CHOP_ERR(EMEMORY);
    if (a->challenge.n) TRY(challenge_use(c, a));
    TRY(credential_note(c, a));
    TRY(session_add(c, a, id, &token));
    TRY(identity_organization_find(c, a->member->organization_id, &me->organization));
    me->member = (Pb__Member *)(uintptr_t)a->member;
    me->terminal_id = a->in->terminal_id;
    me->session_id = PB_STR(id);
    a->out->me = me;
    a->out->token = PB_STR(token);
    a->out->expires_at = c->now + identity_of(c)->session_ms;
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

IDENTITY_HANDLER(sign_in, Pb__SignInRequest, Pb__SignInReply) {
    struct attempt a = { .in = in, .out = out };
    TRY(sign_in_check(in));
    if (*in->sign_in_id) TRY(challenge_read(c, &a));
    TRY(account_find(c, &a));
    if (*in->password) {
        TRY(password_prove(c, &a));
    } else {
        TRY(key_prove(c, &a));
    }
    if (*in->terminal_id) TRY(terminal_prove(c, &a));
    return identity_transaction(c, session_open, &a);
}
