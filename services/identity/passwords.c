/* Passwords: throttle, check, hash. The pool's slot is taken first: without one, no try is charged. */
#include <stdlib.h>

#include "crypto.h"
#include "identity.h"

static void throttle_key(const struct password_check *p, uint8_t out[32]) {
    const struct chop_bytes parts[] = { chop_str(p->throttle_kind), CHOP_BYTES("", 1), chop_str(p->throttle_name) };
    crypto_sha256_parts(parts, CHOP_COUNT(parts), out);
}

/* The row's lock makes parallel tries queue here: each is counted, and meets the pause that the one before it set. */
static chop_err throttle_charge(struct call *c, void *arg) {
    uint8_t key[32];
    struct db_rows *r;
    throttle_key(arg, key);
    TRY(DB_DO(c->db, "throttle_forget_old", I_(c->now - RULES_FORGET_MS)));
    TRY(DB_ONE(c->db, &r, "throttle_lock", B_(CHOP_BYTES(key, 32)), I_(c->now)));
    int64_t now = chop_now_ms(), blocked = db_int(r, 0, 2);
    if (blocked > now)
        return CHOP_FAIL(
            ETHROTTLED, NULL, "too many wrong passwords: wait %lld s", (long long)(blocked - now + 999) / 1000);
    int64_t failures = db_int(r, 0, 1) < now - RULES_FORGET_MS ? 1 : db_int(r, 0, 0) + 1;
    int64_t pause = rules_pause_ms(failures);
    return DB_DO(c->db, "throttle_charge", B_(CHOP_BYTES(key, 32)), I_(failures), I_(now), I_(pause ? now + pause : 0));
}

static chop_err check_in_slot(struct call *c, struct password_check *p) {
    bool right = false;
    TRY(identity_transaction(c, throttle_charge, p));
    TRY(pwpool_verify(identity_of(c)->passwords, p->hash, p->password, &right, p->rehash));
    return right ? NULL : CHOP_FAIL(EAUTH, NULL, "wrong account or password");
}

chop_err identity_password_check(struct call *c, struct password_check *p) {
    struct pwpool *pool = identity_of(c)->passwords;
    TRY(pwpool_enter(pool));
    chop_err e = check_in_slot(c, p);
    pwpool_leave(pool);
    return e;
}

chop_err identity_password_clear(struct call *c, const struct password_check *p) {
    uint8_t key[32];
    throttle_key(p, key);
    return DB_DO(c->db, "throttle_clear", B_(CHOP_BYTES(key, 32)));
}

chop_err identity_password_hash(struct call *c, const char *password, const char **ret_hash) {
    struct pwpool *pool = identity_of(c)->passwords;
    char hash[PWPOOL_HASH_MAX];
    TRY(pwpool_enter(pool));
    chop_err e = pwpool_hash(pool, password, hash);
    pwpool_leave(pool);
    TRY(e);
    *ret_hash = arena_str(c->mem, hash);
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}
