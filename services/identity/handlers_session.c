/* Sessions: resolving, ending, looking at oneself. */
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

#define PRINCIPAL_MS (5 * MINUTE_MS)

static void token_digest(const char *token, uint8_t out[32]) {
    crypto_sha256(chop_str(token), out);
}

struct session {
    Pb__Member *member;
    const char *session_id, *terminal_id, *organization_name;
    int64_t seen_at, ends_at;
};

static chop_err session_find(struct call *c, const char *token, struct session *ret_session) {
    uint8_t digest[32];
    struct db_rows *r;
    struct session s;
    if (strlen(token) != 64) return CHOP_FAIL(EAUTH, "token", "no such session");
    token_digest(token, digest);
    TRY(DB_QUERY(c->db, &r, "session_find", B_(CHOP_BYTES(digest, 32))));
    if (db_count(r) == 0) return CHOP_FAIL(EAUTH, "token", "no such session");
    TRY(identity_member_read(c, r, 0, &s.member));
    s.session_id = db_text(r, 0, 8);
    s.terminal_id = db_text(r, 0, 9);
    s.seen_at = db_int(r, 0, 10);
    s.ends_at = db_int(r, 0, 11);
    s.organization_name = db_text(r, 0, 12);
    if (s.ends_at <= c->now || s.seen_at + identity_of(c)->session_idle_ms <= c->now)
        return CHOP_FAIL(EAUTH, "token", "the session is over");
    *ret_session = s;
    return NULL;
}

static chop_err principal_sign(struct call *c, const struct session *s, Pb__ResolveSessionReply *out) {
    Pb__Principal p = PB__PRINCIPAL__INIT;
    p.organization_id = s->member->organization_id;
    p.organization_name = PB_STR(s->organization_name);
    p.member_id = s->member->member_id;
    p.member_name = s->member->name;
    p.post = s->member->post;
    p.n_roles = s->member->n_roles;
    p.roles = s->member->roles;
    p.terminal_id = PB_STR(s->terminal_id);
    p.session_id = PB_STR(s->session_id);
    p.expires_at = c->now + PRINCIPAL_MS < s->ends_at ? c->now + PRINCIPAL_MS : s->ends_at;
    struct chop_bytes payload, packed;
    TRY(pb_pack(&p, c->mem, &payload));
    TRY(trust_sign_packed(app_sign_key(c->app), NULL, "principal", payload, c->mem, &packed));
    out->principal = PB_BIN(packed);
    out->expires_at = p.expires_at;
    return NULL;
}

IDENTITY_HANDLER(resolve_session, Pb__ResolveSessionRequest, Pb__ResolveSessionReply) {
    struct session s;
    TRY(session_find(c, in->token, &s));
    /* A minute's grain is enough for hours of idleness, and spares a write per call. */
    if (c->now - s.seen_at > MINUTE_MS) TRY(DB_DO(c->db, "session_seen", T_(s.session_id), I_(c->now)));
    return principal_sign(c, &s, out);
}

IDENTITY_HANDLER(sign_out, Pb__SignOutRequest, Pb__Empty) {
    uint8_t digest[32];
    if (*in->token) {
        token_digest(in->token, digest);
        return DB_DO(c->db, "session_end_by_token", B_(CHOP_BYTES(digest, 32)));
    }
    if (!c->who) return CHOP_FAIL(EAUTH, "token", "which session?");
    return DB_DO(c->db, "session_end", T_(c->who->session_id));
}

IDENTITY_HANDLER(get_me, Pb__Empty, Pb__Me) {
    TRY(identity_member_find(c, "member_id", c->who->member_id, &out->member));
    TRY(identity_organization_find(c, c->who->organization_id, &out->organization));
    out->terminal_id = c->who->terminal_id;
    out->session_id = c->who->session_id;
    return NULL;
}
