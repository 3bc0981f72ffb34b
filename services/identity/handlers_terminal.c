/* Terminals: a member's devices. Their keys identify the device; they never prove the member. */
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

IDENTITY_HANDLER(list_terminals, Pb__ListTerminalsRequest, Pb__ListTerminalsReply) {
    const char *member_id = *in->member_id ? in->member_id : c->who->member_id;
    struct db_rows *rows;
    Pb__Member *member;
    if (strcmp(member_id, c->who->member_id) != 0) TRY(rpc_need_role(c, "admin,auditor"));
    TRY(identity_member_find(c, "member_id", member_id, &member));
    TRY(DB_QUERY(c->db, &rows, "terminal_list", T_(c->who->organization_id), T_(member_id)));
    size_t n = db_count(rows);
    out->terminals = ARENA_ARRAY(c->mem, Pb__Terminal *, n + 1);
    if (!out->terminals) return CHOP_ERR(EMEMORY);
    for (out->n_terminals = 0; out->n_terminals < n; out->n_terminals++)
        TRY(identity_terminal_read(c, rows, out->n_terminals, &out->terminals[out->n_terminals]));
    return NULL;
}

/* ---- registering ---- */

static chop_err key_check(struct call *c, const Pb__RegisterTerminalRequest *in) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    struct chop_bytes statement = identity_statement(c, "chop/1/terminal-register", chop_str(c->who->member_id));
    TRY(identity_key_read(c, "", PB_BYTES(in->public_key), PB_BYTES(in->signature), statement, &key));
    if (crypto_key_alg(key) != CRYPTO_ES256) return CHOP_FAIL(EINVAL, "public_key", "a device key is of P-256");
    return NULL;
}

/* A retry of the same registration answers the same terminal. */
static chop_err registered_find(struct call *c, struct chop_bytes spki, const char **ret_id) {
    uint8_t digest[32];
    struct db_rows *claim, *rows;
    *ret_id = NULL;
    crypto_sha256(spki, digest);
    TRY(DB_QUERY(c->db, &claim, "key_claimed", B_(CHOP_BYTES(digest, 32))));
    if (db_count(claim) == 0 || strcmp(db_text(claim, 0, 0), "terminal") != 0) return NULL;
    const char *id = db_text(claim, 0, 1);
    TRY(DB_QUERY(c->db, &rows, "terminal_get", T_(id), T_(c->who->organization_id)));
    if (db_count(rows) && strcmp(db_text(rows, 0, 1), c->who->member_id) == 0 &&
        strcmp(db_text(rows, 0, 3), "active") == 0)
        *ret_id = id;
    return NULL;
}

static chop_err certificate_sign(
    struct call *c, const Pb__RegisterTerminalRequest *in, const char *id, struct chop_bytes *ret_packed) {
    Pb__TerminalCert cert = PB__TERMINAL_CERT__INIT;
    cert.terminal_id = PB_STR(id);
    cert.organization_id = c->who->organization_id;
    cert.member_id = c->who->member_id;
    cert.public_key = in->public_key;
    cert.not_before = c->now - MINUTE_MS; /* a printer's clock may be a little behind */
    cert.not_after = c->now + identity_of(c)->terminal_days * DAY_MS;
    cert.name = in->name;
    struct chop_bytes payload;
    TRY(pb_pack(&cert, c->mem, &payload));
    return trust_sign_packed(identity_of(c)->ca_key, NULL, "terminal-cert", payload, c->mem, ret_packed);
}

static chop_err count_check(struct call *c) {
    struct db_rows *rows;
    TRY(DB_ONE(c->db, &rows, "terminal_count", T_(c->who->member_id)));
    if (db_int(rows, 0, 0) >= MAX_TERMINALS)
        return CHOP_FAIL(ELIMIT, NULL, "a member has at most %d terminals: revoke one", MAX_TERMINALS);
    return NULL;
}

static chop_err terminal_event(struct call *c, const Pb__Terminal *t) {
    Pb__TerminalChanged event = PB__TERMINAL_CHANGED__INIT;
    event.terminal = (Pb__Terminal *)(uintptr_t)t;
    return outbox_put(c, "identity.terminal.changed", t->terminal_id, &event);
}

/* A first registration also names the session's terminal: the device key was just shown in it. A repetition does
 * not, because its signature may be a recorded one. */
static chop_err terminal_add(struct call *c, const Pb__RegisterTerminalRequest *in, const char *id) {
    struct chop_bytes certificate;
    TRY(count_check(c));
    TRY(certificate_sign(c, in, id, &certificate));
    TRY(identity_key_claim(c, "public_key", PB_BYTES(in->public_key), "terminal", id));
    TRY(DB_DO(c->db, "terminal_add", T_(id), T_(c->who->organization_id), T_(c->who->member_id), T_(in->name),
        B_(PB_BYTES(in->public_key)), B_(certificate), I_(c->now)));
    return DB_DO(c->db, "session_bind_terminal", T_(c->who->session_id), T_(id));
}

IDENTITY_HANDLER(register_terminal, Pb__RegisterTerminalRequest, Pb__Terminal) {
    const char *id;
    struct db_rows *rows;
    Pb__Terminal *t;
    TRY(rules_text("name", in->name, 1, 100));
    TRY(identity_member_active(c));
    TRY(key_check(c, in));
    TRY(registered_find(c, PB_BYTES(in->public_key), &id));
    bool added = !id;
    if (added) {
        id = rpc_new_id(c, "ter");
        TRY(terminal_add(c, in, id));
    }
    TRY(DB_ONE(c->db, &rows, "terminal_get", T_(id), T_(c->who->organization_id)));
    TRY(identity_terminal_read(c, rows, 0, &t));
    if (added) TRY(terminal_event(c, t));
    *out = *t;
    return NULL;
}
