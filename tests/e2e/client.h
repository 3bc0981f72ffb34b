/* client: what a terminal does, over the gateway's HTTP API: used by the end-to-end tests and the benches.
 * Every function answers the error whose code the problem named; its field and text are the thread's detail. */
#pragma once
#include "crypto.h"
#include "pb.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"
#include "identity.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"
#include "verification.pb-c.h"

/* ---- one connection, kept alive; belongs to one thread ---- */
struct api;
struct api *api_new(const char *base_url); /* "http://127.0.0.1:8080"; ends the process where it cannot */
void api_free(struct api *a);
void api_free_p(struct api **a);
/* Replies lie in this arena until it is reset. */
struct arena *api_mem(struct api *a);
void api_reset(struct api *a);

struct api_reply {
    long status;
    struct chop_bytes body; /* zero-terminated behind its bytes */
};
/* As it is: any status is a success. content_type NULL: no body. EUNREACHABLE where nobody answers. */
chop_err api_raw(struct api *a, const char *method, const char *path, const char *token, const char *content_type,
    struct chop_bytes body, struct api_reply *ret) CHOP_MUSTCHECK;
/* `in` NULL: no body. A problem becomes its error; `out` NULL: the answer is not read. */
chop_err api_call(struct api *a, const char *method, const char *path, const char *token, const void *in,
    const ProtobufCMessageDescriptor *out, void *ret_out) CHOP_MUSTCHECK;
/* API(a, "GET", path, token, NULL, pb__seal, &seal) */
#define API(a, method, path, token, in, name, ret) api_call(a, method, path, token, in, &name##__descriptor, ret)

/* ---- members ---- */
struct person {
    char slug[33], account[33], password[65];
    char name[65], member_id[CHOP_ID_MAX], organization_id[CHOP_ID_MAX];
    char token[129], terminal_id[CHOP_ID_MAX];
    struct crypto_key *key, *device; /* factor key and device key; NULL until equipped */
    uint8_t *terminal_cert;          /* packed Signed{terminal-cert} */
    size_t terminal_cert_n;
};
void person_done(struct person *p);
/* A new organization and its first admin, who has a password and is signed in. */
chop_err organization_create(struct api *a, const char *operator_token, const char *slug, const char *name,
    struct person *admin) CHOP_MUSTCHECK;
/* By the admin; not signed in yet. roles: "user", "manager auditor" ... */
chop_err member_add(struct api *a, struct person *admin, const char *account, const char *name, const char *post,
    const char *roles, struct person *ret) CHOP_MUSTCHECK;
/* With the key and device as far as there are any, else the password. */
chop_err person_sign_in(struct api *a, struct person *p) CHOP_MUSTCHECK;
/* Signs in by password, adds a key factor (ES256) and registers a terminal. */
chop_err person_equip(struct api *a, struct person *p) CHOP_MUSTCHECK;

/* ---- acts ---- */
enum act_owner { OF_AUTHORIZATION, OF_IDENTITY };
struct act {
    enum act_owner owner;
    Pb__PrepareActReply *prepared;
    struct chop_bytes proof; /* empty until all clauses hold */
};
/* in: PrepareActRequest or PrepareIdentityActRequest */
chop_err act_prepare(struct api *a, const struct person *p, enum act_owner owner, const void *in, struct act *ret)
    CHOP_MUSTCHECK;
chop_err act_prove_key(struct api *a, const struct person *p, struct act *act) CHOP_MUSTCHECK;
chop_err act_prove_password(struct api *a, const struct person *p, struct act *act) CHOP_MUSTCHECK;
/* May be repeated: the answer is the same. ret_out: CommitActReply or CommitIdentityActReply; NULL: not read. */
chop_err act_commit(struct api *a, const struct person *p, const struct act *act, void *ret_out) CHOP_MUSTCHECK;
/* All three, with the key if there is one. */
chop_err act_do(struct api *a, const struct person *p, enum act_owner owner, const void *in, void *ret_out)
    CHOP_MUSTCHECK;
/* ACT(a, p, REQUEST, request, &params, &reply): one of authorization's acts. */
#define ACT(a, p, CASE, field, params, ret)                                                                            \
    ({                                                                                                                 \
        Pb__PrepareActRequest r_ = PB__PREPARE_ACT_REQUEST__INIT;                                                      \
        r_.params_case = PB__PREPARE_ACT_REQUEST__PARAMS_##CASE;                                                       \
        r_.field = (params);                                                                                           \
        act_do(a, p, OF_AUTHORIZATION, &r_, ret);                                                                      \
    })

/* ---- the job ---- */
/* Creates, registers with a filing number and activates a seal. `code`: 13 digits. policy NULL: the defaults. */
chop_err seal_make(struct api *a, const struct person *admin, const char *name, const char *code, Pb__Policy *policy,
    char ret_seal_id[CHOP_ID_MAX]) CHOP_MUSTCHECK;
chop_err printer_code(struct api *a, const struct person *admin, const char *name, char ret_printer_id[CHOP_ID_MAX],
    char ret_code[64]) CHOP_MUSTCHECK;
chop_err printer_pair(struct api *a, const struct person *p, const char *printer_id, const char *digits) CHOP_MUSTCHECK;

struct use { /* what a request is about */
    const char *seal_id, *title;
    uint32_t copies;
    const char *signature_of; /* for the decision; NULL none */
    uint32_t x_um, y_um;      /* placement; 0 0: 20 mm from the corner */
};
chop_err request_make(struct api *a, const struct person *user, const struct use *u, Pb__Request **ret) CHOP_MUSTCHECK;
/* Up to the proof: the commit is the caller's, who may repeat it. */
chop_err request_prepare(struct api *a, const struct person *user, const struct use *u, struct act *ret) CHOP_MUSTCHECK;
chop_err decide_prepare(struct api *a, const struct person *manager, const char *request_id, const char *verdict,
    const char *signature_of, struct act *ret) CHOP_MUSTCHECK;
/* verdict "approve" or "reject" */
chop_err request_decide(struct api *a, const struct person *manager, const char *request_id, const char *verdict,
    const char *signature_of, Pb__Request **ret) CHOP_MUSTCHECK;
/* Request and approval: the grant's id. */
chop_err grant_make(struct api *a, const struct person *user, const struct person *manager, const struct use *u,
    char ret_grant_id[CHOP_ID_MAX]) CHOP_MUSTCHECK;

struct print { /* a print act on its way; everything lies in the api's arena */
    struct act act;
    Pb__ChallengeReply *challenge;
    Pb__PrintResult *result;
    Pb__SubmitOrderRequest order;
    char allotment_id[CHOP_ID_MAX];
};
/* Challenge, print act up to the proof. */
chop_err print_prepare(struct api *a, const struct person *user, const char *grant_id, const char *printer_id,
    uint32_t count, uint32_t replaces, struct print *ret) CHOP_MUSTCHECK;
/* Commits and signs the order. May be repeated: the order is signed once. */
chop_err print_commit(struct api *a, const struct person *user, struct print *p) CHOP_MUSTCHECK;
chop_err print_submit(struct api *a, const struct person *user, const struct print *p, Pb__Job **ret) CHOP_MUSTCHECK;
/* All of it. */
chop_err print_start(struct api *a, const struct person *user, const char *grant_id, const char *printer_id,
    uint32_t count, Pb__Job **ret) CHOP_MUSTCHECK;
/* Until every number has an outcome, looking each look_ms. ETIMEOUT. */
chop_err job_wait(struct api *a, const struct person *user, const char *job_id, int ms, int look_ms, Pb__Job **ret)
    CHOP_MUSTCHECK;
chop_err grant_get(struct api *a, const struct person *p, const char *grant_id, Pb__Grant **ret) CHOP_MUSTCHECK;

chop_err verify_mark(struct api *a, const char *mark, const char *cipher, Pb__Verdict **ret) CHOP_MUSTCHECK;
/* Until this verdict is given, or time is over: the last one is answered in any case. */
chop_err verify_until(struct api *a, const char *mark, const char *cipher, const char *verdict, int ms,
    Pb__Verdict **ret) CHOP_MUSTCHECK;
/* Facts of a grant that registries have receipted. */
chop_err filings_of(struct api *a, const struct person *auditor, const char *grant_id, Pb__ListFilingsReply **ret)
    CHOP_MUSTCHECK;
void nap_ms(int ms);
