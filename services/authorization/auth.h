/* auth: what the files of this service share: its state, acts' kinds, rows, facts. */
#pragma once
#include "act.h"
#include "authorization.pb-c.h"
#include "rpc.h"
#include "rules_grant.h"
#include "rules_policy.h"
#include "rules_request.h"
#include "rules_seal.h"

struct auth { /* c->service */
    const struct crypto_key *sign;
    const char *draw;           /* path of chop-draw */
    uint8_t issuance_point[65]; /* whom specimens are sealed to */
    bool has_issuance;
    uint8_t files_key[32];
    bool has_files;
    int64_t allotment_ms;
    struct metric *refused; /* events that did not verify or fit */
};
static inline struct auth *auth_of(const struct call *c) {
    return c->service;
}

/* ---- who acts: from the principal at prepare, from the proof at commit ---- */
struct actor {
    const char *organization_id, *organization_name, *member_id, *member_name, *post, *terminal_id;
    char *const *roles;
    size_t n_roles;
};
bool actor_has_role(const struct actor *a, const char *role);
bool actor_has_any(const struct actor *a, const char *roles);
struct actor actor_of_call(const struct call *c);

/* ---- acts ---- */
struct prep {
    struct call *c;
    struct actor who;
    Pb__ActContent *content; /* params and what is generic are set; the kind adds what a person must see */
    struct chop_bytes secret;
    struct clauses clauses;
    uint32_t policy_version;
};
struct commit {
    struct call *c;
    struct actor who;
    const struct act *act;
    const Pb__ActContent *content;
    Pb__CommitActReply *out;
};
struct act_kind {
    const char *name;
    const char *roles; /* "user,manager": any of these; "": every member */
    chop_err (*prepare)(struct prep *p, const void *params);
    chop_err (*commit)(struct commit *k, const void *params);
};
extern const struct act_kind kind_request, kind_decide, kind_sign, kind_print, kind_withdraw, kind_cancel, kind_settle,
    kind_revoke, kind_seal_create, kind_seal_change, kind_policy_put, kind_specimen_put, kind_gap;

chop_err act_handle_prepare(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err act_handle_commit(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
/* Sets the clauses of a step and the policy version that the act is bound to. */
void prep_policy(struct prep *p, const Pb__Policy *policy, enum policy_step step);
/* ESTATE when the policy changed since the act was prepared. */
chop_err commit_policy(const struct commit *k, const Pb__Policy *policy) CHOP_MUSTCHECK;

/* ---- texts ---- */
char *text_join(struct arena *mem, char *const *items, size_t n);      /* with commas */
char **text_split(struct arena *mem, const char *text, size_t *ret_n); /* "" : none */
bool text_has(const char *joined, const char *item);
char **factors_of(struct call *c, const Pb__Proof *p, size_t *ret_n);

/* ---- rows ---- */
enum { SEAL_COLUMNS = 19, REQUEST_COLUMNS = 15, GRANT_COLUMNS = 20, NUMBER_COLUMNS = 8 };
struct seal {
    const char *seal_id, *organization_id, *organization_name, *name, *kind, *shape, *code, *state, *filing_number;
    uint32_t width_um, height_um, version;
    struct chop_bytes artwork_digest, sample_digest, policy_packed, last_digest;
    Pb__Policy *policy;
    uint64_t last_seq;
    const char *warnings;
    int64_t created_at;
};
chop_err seal_read(struct call *c, const struct db_rows *r, size_t row, int at, struct seal *ret_seal) CHOP_MUSTCHECK;
/* query is seal_get or seal_lock; ENOTFOUND also for another organization's. */
chop_err seal_load(struct call *c, const char *query, const char *seal_id, const char *organization_id,
    struct seal *ret_seal) CHOP_MUSTCHECK;
chop_err seal_message(struct call *c, const struct seal *s, Pb__Seal **ret_message) CHOP_MUSTCHECK;
/* The artwork that prints now: SAMPLE until a filing number is recorded. */
struct chop_bytes seal_artwork(const struct seal *s, bool *ret_sample);
chop_err seal_usable(const struct seal *s) CHOP_MUSTCHECK;

struct request {
    const char *request_id, *organization_id, *seal_id, *requester_id, *state, *approver_ids, *turn, *awaiting,
        *grant_id;
    Pb__Request *body;
    struct chop_bytes digest, proof_digest;
    uint32_t approvals_needed;
    bool ordered;
    int64_t expires_at;
};
struct decisions {
    size_t n, n_approved;
    Pb__Decision **list; /* all */
    Pb__Decide **terms;
    char **approved; /* members, in time */
    struct chop_bytes *proof_digests;
};
chop_err request_read(struct call *c, const struct db_rows *r, size_t row, struct request *ret_request) CHOP_MUSTCHECK;
/* query is request_get or request_lock. */
chop_err request_load(struct call *c, const char *query, const char *request_id, const char *organization_id,
    struct request *ret_request, struct seal *ret_seal) CHOP_MUSTCHECK;
chop_err decisions_load(struct call *c, const char *request_id, struct decisions *ret_decisions) CHOP_MUSTCHECK;
chop_err request_message(
    struct call *c, const struct request *r, const struct decisions *d, Pb__Request **ret_message) CHOP_MUSTCHECK;
chop_err request_approvers(
    struct call *c, const struct request *r, const struct decisions *d, struct approvers *ret_approvers) CHOP_MUSTCHECK;
/* Who may see a request and all that follows from it. */
bool request_visible(const struct actor *who, const char *requester_id, const char *approver_ids, const char *awaiting);

struct grant {
    const char *grant_id, *organization_id, *request_id, *seal_id, *member_id, *seal_name, *document_title, *state,
        *gate, *fact_id;
    struct chop_bytes statement, digest, fact_digest;
    struct grant_count count;
    int64_t not_before, not_after;
};
struct grant grant_read(const struct db_rows *r, size_t row);
/* The statement inside. */
chop_err grant_statement(struct call *c, struct chop_bytes packed, Pb__GrantStatement **ret_statement) CHOP_MUSTCHECK;
chop_err grant_lock(struct call *c, const char *grant_id, const char *organization_id, struct grant *ret_grant,
    struct seal *ret_seal) CHOP_MUSTCHECK;
/* Only for those who may see the request. */
chop_err grant_load(struct call *c, const char *grant_id, const struct actor *who, struct grant *ret_grant,
    struct seal *ret_seal) CHOP_MUSTCHECK;
chop_err grant_message(
    struct call *c, const struct grant *g, const char *seal_state, Pb__Grant **ret_message) CHOP_MUSTCHECK;
chop_err grant_with_numbers(
    struct call *c, const struct grant *g, const char *seal_state, Pb__Grant **ret_message) CHOP_MUSTCHECK;
chop_err number_message(
    struct call *c, const struct db_rows *r, size_t row, int at, Pb__Number **ret_message) CHOP_MUSTCHECK;
/* Signs the grant of a request that is complete, files the fact, tells it. Answers the grant's id. */
chop_err grant_make(const struct commit *k, const struct request *r, struct seal *s, const struct decisions *d,
    const char **ret_grant_id) CHOP_MUSTCHECK;

/* What the acts on one number share: grant, seal and number, locked. */
struct spot {
    struct grant grant;
    struct seal seal;
    Pb__Number *number;
    int64_t allotment_not_after;
    const char *terminal_id;
};
chop_err spot_lock(struct call *c, const char *grant_id, uint32_t number, const char *organization_id,
    struct spot *ret_spot) CHOP_MUSTCHECK;

/* ---- facts ---- */
struct fact {
    Pb__FactStatement statement; /* the caller fills what happened; fact_sign the rest */
    Pb__Signed *message;
    struct chop_bytes packed;
    uint8_t digest[32];
};
struct fact fact_new(const char *kind);
/* Who acted, with which factors and proof. */
chop_err fact_by(struct call *c, struct fact *f, const struct actor *who, const struct act *act) CHOP_MUSTCHECK;
/* Gives the fact the seal's next place in its chain and signs it; the seal's row must be locked. */
chop_err fact_sign(struct call *c, struct fact *f, struct seal *s) CHOP_MUSTCHECK;
/* Stores it and moves the seal's counter. */
chop_err fact_store(struct call *c, const struct fact *f, const char *act_id) CHOP_MUSTCHECK;
/* authorization.fact.filed, to the policy's registries. */
chop_err fact_publish(struct call *c, const struct fact *f, const struct seal *s) CHOP_MUSTCHECK;
/* All three. */
chop_err fact_file(struct call *c, struct fact *f, struct seal *s, const char *act_id) CHOP_MUSTCHECK;
chop_err settled_publish(
    struct call *c, const struct spot *s, const char *state, const char *reason, Pb__Signed *evidence) CHOP_MUSTCHECK;

/* The facts and events of a seal's new state and of a revoked impression, for acts and registries' orders alike; f says
 * who acted. The seal's row, and the number's, are locked. */
chop_err seal_tell(struct call *c, struct seal *s, struct fact *f, const char *reason, const char *act_id) CHOP_MUSTCHECK;
chop_err spot_fact(struct call *c, const char *kind, const struct spot *s, const char *detail, struct fact *f)
    CHOP_MUSTCHECK;
chop_err spot_revoke(struct call *c, struct spot *s, struct fact *f, const char *next, const char *reason,
    const char *by, const char *act_id) CHOP_MUSTCHECK;
/* Who holds the seal suspended; rules_seal.h. */
chop_err seal_holders(struct call *c, const char *seal_id, const char ***ret_holders, size_t *ret_n) CHOP_MUSTCHECK;

/* A signed statement of this service, unpacked and packed. */
chop_err auth_sign(struct call *c, const char *type, const void *message, struct arena *mem, Pb__Signed **ret_signed,
    struct chop_bytes *ret_packed, uint8_t ret_digest[32]) CHOP_MUSTCHECK;

/* ---- calls and events ---- */
chop_err seal_list_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err seal_get_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err artwork_get_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err artwork_fetch_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err artwork_preview_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err specimen_fetch_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err request_list_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err request_get_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err grant_get_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err grant_list_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err grant_find_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err fact_list_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err file_start_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err file_put_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err file_finish_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
chop_err file_get_call(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
/* A complete file of this member with this digest; ENOTFOUND, ESTATE or EMISMATCH otherwise. */
chop_err file_check(struct call *c, const struct actor *who, const char *file_id, const char *sha256) CHOP_MUSTCHECK;

/* Says loudly that an event has no effect, and takes it. */
chop_err event_ignore(
    struct call *c, const char *what, const char *why, const char *id, uint32_t number) CHOP_MUSTCHECK;
/* Errors of the store are tried again; anything else is the message's own fault and will never get better. */
bool event_trouble(chop_err e);
chop_err closeout_event(struct call *c, const void *message, const Pb__Event *event) CHOP_MUSTCHECK;
chop_err report_event(struct call *c, const void *message, const Pb__Event *event) CHOP_MUSTCHECK;
chop_err receipt_event(struct call *c, const void *message, const Pb__Event *event) CHOP_MUSTCHECK;
chop_err order_event(struct call *c, const void *message, const Pb__Event *event) CHOP_MUSTCHECK;
