/* act: the owner's half of an act (design 4): freeze and ticket at prepare, proof and once-only at commit. */
#pragma once
#include "rpc.h"

typedef struct Pb__PrepareActReply Pb__PrepareActReply;
typedef struct Pb__Clause Pb__Clause;
typedef struct Pb__Proof Pb__Proof;

struct act_new {
    const char *act_id;  /* from rpc_new_id(c, "act"): also inside the content */
    const char *kind;
    const void *content; /* message frozen as JSON by pbjson_print */
    struct chop_bytes secret; /* kept with the act until commit, never shown (hashed password, artwork); may be empty */
    Pb__Clause **clauses;
    size_t n_clauses;
    uint32_t policy_version;
    int64_t lifetime_ms; /* 0: 10 minutes */
};
/* Stores the act and fills the reply. The ticket is signed with `signer`; owner is c->name. */
chop_err act_prepare(struct call *c, const struct crypto_key *signer, const struct act_new *a, Pb__PrepareActReply *out)
    CHOP_MUSTCHECK;

struct act {
    const char *act_id, *kind, *organization_id, *member_id, *terminal_id;
    struct chop_bytes content; /* the frozen JSON */
    uint8_t content_digest[32];
    struct chop_bytes secret;
    int64_t prepared_at;
    uint32_t policy_version;
    bool committed;            /* it was before: answer `result` again, change nothing */
    struct chop_bytes result;  /* packed reply message of the first commit */
    const Pb__Proof *proof;    /* verified; set unless committed */
    uint8_t proof_digest[32];  /* SHA-256 of the proof's payload */
    struct chop_bytes proof_signed; /* packed Signed{proof} */
};
/* Locks the act's row and checks everything that is generic: the caller is its member (ENOTFOUND otherwise), not
 * expired (EEXPIRED), the proof's signature, audience, act, digest, ticket, member, terminal (EMISMATCH), its two
 * minutes (EEXPIRED) and that every clause of the ticket is met (ECLAUSE). */
chop_err act_load(struct call *c, const char *act_id, struct chop_bytes proof, struct act *ret_act) CHOP_MUSTCHECK;
/* Marks it committed with its result (the CommitAct reply message), drops the secret. */
chop_err act_finish(struct call *c, const struct act *a, const void *result) CHOP_MUSTCHECK;
/* Whether the proof's factors meet all clauses; pure. */
bool act_clauses_met(Pb__Clause *const *clauses, size_t n_clauses, const char *const *proven, size_t n_proven);
extern const char act_sql[];
