/* acts: identity's own acts, one pair of functions a kind. The table is in handlers_act.c. */
#pragma once
#include "act.h"
#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

struct act_making {
    const Pb__PrepareIdentityActRequest *in;
    Pb__IdentityActContent *content; /* head filled, params to be filled */
    struct chop_bytes secret;
};
/* Validates and freezes: everything that can be said before factors are asked is said here. */
typedef chop_err (*act_prepare_fn)(struct call *c, struct act_making *m);
/* Checks again what may have changed, and applies. */
typedef chop_err (*act_commit_fn)(
    struct call *c, const struct act *a, const Pb__IdentityActContent *content, Pb__CommitIdentityActReply *out);

chop_err member_add_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err member_add_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err member_roles_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err member_roles_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err key_add_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err key_add_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err credential_revoke_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err credential_revoke_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err password_change_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err password_change_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err terminal_revoke_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err terminal_revoke_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
chop_err printer_code_prepare(struct call *c, struct act_making *m) CHOP_MUSTCHECK;
chop_err printer_code_commit(struct call *c, const struct act *a, const Pb__IdentityActContent *content,
    Pb__CommitIdentityActReply *out) CHOP_MUSTCHECK;
/* The code is never stored: it is computed again for the answer, and for the answer of a retry. */
chop_err printer_code_reveal(struct call *c, const char *act_id, Pb__PrinterCodeReply *out) CHOP_MUSTCHECK;
