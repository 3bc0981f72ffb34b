/* identity: the service's own state and what its handlers share. */
#pragma once
#include "app.h"
#include "crypto.h"
#include "pwpool.h"
#include "rules.h"

typedef struct Pb__Member Pb__Member;
typedef struct Pb__Organization Pb__Organization;
typedef struct Pb__Credential Pb__Credential;
typedef struct Pb__Terminal Pb__Terminal;

#define MINUTE_MS ((int64_t)60 * 1000)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)
#define MAX_KEYS 10      /* active ones of a member; also at most what a check without credential_id tries */
#define MAX_TERMINALS 20 /* active ones of a member */
#define SPKI_MAX 256

struct identity {
    /* configuration */
    const char *ca_key_path, *ca_cert_path, *operator_token;
    int64_t password_threads, password_queue, password_ops, password_memory;
    int64_t session_idle_ms, session_ms, terminal_days, printer_days;
    /* made at start */
    struct crypto_key *ca_key;
    char *ca_cert;      /* PEM */
    uint8_t secret[32]; /* keys the challenges of sign-ins and the one-time codes; the same in every instance */
    struct pwpool *passwords;
};
static inline struct identity *identity_of(const struct call *c) {
    return c->service;
}
chop_err identity_start(struct app *app) CHOP_MUSTCHECK;
void identity_stop(struct app *app);

/* Runs fn in a transaction of its own: for calls that must keep something although they answer an error. */
chop_err identity_transaction(struct call *c, chop_err (*fn)(struct call *c, void *arg), void *arg) CHOP_MUSTCHECK;
/* In the arena; empty when memory is out, so that nothing verifies. */
struct chop_bytes identity_concat(struct call *c, struct chop_bytes a, struct chop_bytes b);
/* label 0x00 a: what devices and keys sign. */
struct chop_bytes identity_statement(struct call *c, const char *label, struct chop_bytes a);
/* HMAC of label 0x00 text under the service's secret. */
void identity_mac(struct call *c, const char *label, const char *text, uint8_t out[32]);
/* What is kept of a printer's code. */
void identity_code_mac(struct call *c, const char *printer_id, const char *code, uint8_t out[32]);
/* Root key and manifest as they are in the keys' directory. */
chop_err identity_keys(struct call *c, struct chop_bytes *ret_root, struct chop_bytes *ret_manifest) CHOP_MUSTCHECK;
/* Reads a public key and checks that `signature` over the statement is by it. Errors name the field's prefix:
 * "key_add." or "". */
chop_err identity_key_read(struct call *c, const char *prefix, struct chop_bytes spki, struct chop_bytes signature,
    struct chop_bytes statement, struct crypto_key **ret_key) CHOP_MUSTCHECK;
/* The key serves this from now on; EUSED if it ever served anything. */
chop_err identity_key_claim(
    struct call *c, const char *field, struct chop_bytes spki, const char *use, const char *owner_id) CHOP_MUSTCHECK;

/* ---- rows to messages; `r` is the row's index, columns in the order of the member_get, ..._get queries ---- */
chop_err identity_member_read(
    struct call *c, const struct db_rows *rows, size_t r, Pb__Member **ret_member) CHOP_MUSTCHECK;
/* ENOTFOUND naming the field where the organization has no such member. */
chop_err identity_member_find(
    struct call *c, const char *field, const char *member_id, Pb__Member **ret_member) CHOP_MUSTCHECK;
/* EDENIED where the caller has left, though the principal still lives for minutes. */
chop_err identity_member_active(struct call *c) CHOP_MUSTCHECK;
chop_err identity_organization_find(struct call *c, const char *id, Pb__Organization **ret_organization) CHOP_MUSTCHECK;
chop_err identity_credential_read(
    struct call *c, const struct db_rows *rows, size_t r, Pb__Credential **ret_credential) CHOP_MUSTCHECK;
chop_err identity_terminal_read(
    struct call *c, const struct db_rows *rows, size_t r, Pb__Terminal **ret_terminal) CHOP_MUSTCHECK;
chop_err identity_member_event(struct call *c, const Pb__Member *m) CHOP_MUSTCHECK;

/* ---- passwords (outside a transaction) ---- */
struct password_check {
    const char *throttle_kind, *throttle_name; /* "account", "slug/account" */
    const char *hash;                          /* NULL: nobody's; the work is done all the same */
    const char *password;
    char rehash[PWPOOL_HASH_MAX]; /* out: "" or the hash to store instead */
};
/* EBUSY, ETHROTTLED, EAUTH. Counts the try before the work is done, so that parallel tries are counted too;
 * identity_password_clear forgets them, in the transaction that uses the success. */
chop_err identity_password_check(struct call *c, struct password_check *p) CHOP_MUSTCHECK;
chop_err identity_password_clear(struct call *c, const struct password_check *p) CHOP_MUSTCHECK;
/* Hashes a new password into the arena. */
chop_err identity_password_hash(struct call *c, const char *password, const char **ret_hash) CHOP_MUSTCHECK;
/* Overwrites a password that came in a message. */
void identity_wipe(const char *password);

/* Which of the member's active keys made this signature; EAUTH where none did. */
struct key_used {
    const char *credential_id, *algorithm;
};
chop_err identity_key_check(struct call *c, const char *member_id, const char *credential_id,
    struct chop_bytes statement, struct chop_bytes signature, struct key_used *ret_used) CHOP_MUSTCHECK;
