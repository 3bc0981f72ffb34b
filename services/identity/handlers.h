/* handlers: one function a call; the table is in main.c. */
#pragma once
#include "rpc.h"

/* Like HANDLER of rpc.h, for a table in another file. */
#define IDENTITY_HANDLER(fn, In, Out)                                                                                  \
    static chop_err fn##_typed(struct call *c, const In *in, Out *out);                                                \
    chop_err fn(struct call *c, const void *in, void *out) {                                                           \
        return fn##_typed(c, in, out);                                                                                 \
    }                                                                                                                  \
    static chop_err fn##_typed(struct call *c CHOP_UNUSED, const In *in CHOP_UNUSED, Out *out CHOP_UNUSED)

chop_err create_organization(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err get_organization(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err start_sign_in(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err sign_in(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err sign_out(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err resolve_session(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err get_me(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err list_members(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err list_credentials(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err list_terminals(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err register_terminal(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err prepare_act(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err commit_act(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err prove_factor(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err enrol_printer(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err get_keys(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
