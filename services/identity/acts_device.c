/* Acts on devices: revoking a terminal, making the code that enrols a printer. */
#include <string.h>

#include "acts.h"

#define CODE_MS HOUR_MS

/* ---- terminal-revoke: one's own, or an admin's ---- */

static chop_err terminal_find(struct call *c, const char *id, const struct db_rows **ret_rows) {
    struct db_rows *rows;
    TRY(rpc_check_id("terminal_revoke.terminal_id", id, "ter"));
    TRY(DB_QUERY(c->db, &rows, "terminal_get", T_(id), T_(c->who->organization_id)));
    if (db_count(rows) == 0) return CHOP_FAIL(ENOTFOUND, "terminal_revoke.terminal_id", "no such terminal");
    if (strcmp(db_text(rows, 0, 1), c->who->member_id) != 0) TRY(rpc_need_role(c, "admin"));
    if (strcmp(db_text(rows, 0, 3), "active") != 0)
        return CHOP_FAIL(ESTATE, "terminal_revoke.terminal_id", "revoked already");
    *ret_rows = rows;
    return NULL;
}

chop_err terminal_revoke_prepare(struct call *c, struct act_making *m) {
    const struct db_rows *rows;
    TRY(terminal_find(c, m->in->terminal_revoke->terminal_id, &rows));
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_TERMINAL_REVOKE;
    m->content->terminal_revoke = m->in->terminal_revoke;
    return NULL;
}

/* Another's terminal needs an admin who still is one. */
static chop_err admin_now(struct call *c) {
    Pb__Member *me;
    TRY(identity_member_find(c, "member_id", c->who->member_id, &me));
    for (size_t i = 0; i < me->n_roles; i++)
        if (strcmp(me->roles[i], "admin") == 0) return NULL;
    return CHOP_FAIL(EDENIED, NULL, "needs the role admin");
}

chop_err terminal_revoke_commit(struct call *c, const struct act *a CHOP_UNUSED, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) {
    const char *id = content->terminal_revoke->terminal_id;
    const struct db_rows *before;
    struct db_rows *rows;
    TRY(terminal_find(c, id, &before));
    if (strcmp(db_text(before, 0, 1), c->who->member_id) != 0) TRY(admin_now(c));
    TRY(DB_DO(c->db, "terminal_revoke", T_(id), T_(c->who->organization_id)));
    TRY(DB_DO(c->db, "session_end_terminal", T_(id)));
    TRY(DB_ONE(c->db, &rows, "terminal_get", T_(id), T_(c->who->organization_id)));
    TRY(identity_terminal_read(c, rows, 0, &out->terminal));
    out->result_case = PB__COMMIT_IDENTITY_ACT_REPLY__RESULT_TERMINAL;
    Pb__TerminalChanged event = PB__TERMINAL_CHANGED__INIT;
    event.terminal = out->terminal;
    return outbox_put(c, "identity.terminal.changed", id, &event);
}

/* ---- printer-code ---- */

chop_err printer_code_prepare(struct call *c CHOP_UNUSED, struct act_making *m) {
    TRY(rules_text("printer_code.name", m->in->printer_code->name, 1, 100));
    m->content->params_case = PB__IDENTITY_ACT_CONTENT__PARAMS_PRINTER_CODE;
    m->content->printer_code = m->in->printer_code;
    return NULL;
}

static void code_of_act(struct call *c, const char *act_id, char out[RULES_CODE_LEN + 1]) {
    uint8_t mac[32];
    identity_mac(c, "printer-code", act_id, mac);
    rules_code_make(mac, out);
}

chop_err printer_code_reveal(struct call *c, const char *act_id, Pb__PrinterCodeReply *out) {
    char code[RULES_CODE_LEN + 1];
    if (out->expires_at <= c->now) return NULL;
    code_of_act(c, act_id, code);
    out->code = arena_str(c->mem, code);
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

chop_err printer_code_commit(
    struct call *c, const struct act *a, const Pb__IdentityActContent *content, Pb__CommitIdentityActReply *out) {
    char code[RULES_CODE_LEN + 1];
    uint8_t mac[32];
    Pb__PrinterCodeReply *reply = PB_NEW(c->mem, Pb__PrinterCodeReply, pb__printer_code_reply);
    if (!reply) return CHOP_ERR(EMEMORY);
    reply->printer_id = PB_STR(rpc_new_id(c, "prn"));
    reply->expires_at = c->now + CODE_MS;
    code_of_act(c, a->act_id, code);
    identity_code_mac(c, reply->printer_id, code, mac);
    TRY(DB_DO(c->db, "printer_add", T_(reply->printer_id), T_(c->who->organization_id), T_(content->printer_code->name),
        B_(CHOP_BYTES(mac, 32)), I_(reply->expires_at), I_(c->now)));
    out->result_case = PB__COMMIT_IDENTITY_ACT_REPLY__RESULT_PRINTER_CODE;
    out->printer_code = reply;
    return NULL;
}
