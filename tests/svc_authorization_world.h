/* The world of authorization's tests: people, acts with proofs, a printer that signs, the bridge's events. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "authorization.pb-c.h"
#include "filing.pb-c.h"
#include "fixture.h"
#include "fixture_process.h"
#include "pbjson.h"
#include "printer.pb-c.h"

#define WORKS(e)                                                                                                       \
    do {                                                                                                               \
        chop_err w_ = (e);                                                                                             \
        if (w_) fail_msg("%s: %s (%s)", w_->name, chop_detail_text(), chop_detail_field() ? chop_detail_field() : ""); \
    } while (0)
#define FAILS(e, NAME)                                                                                                 \
    do {                                                                                                               \
        chop_err f_ = (e);                                                                                             \
        if (f_ != CHOP_ERR(NAME)) fail_msg("%s, not " #NAME ": %s", f_ ? f_->name : "success", chop_detail_text());    \
    } while (0)
#define NEW(Type, name) ((Type *)pb_new(&name##__descriptor, fixture_mem()))
#define TEXT(s) ((char *)(uintptr_t)(s))
#define CALL(method, in, person, out)                                                                                  \
    fixture_call("authorization", &pb__authorization__descriptor, method, in, world_principal(person), out)

struct person {
    const char *organization_id, *member_id, *name, *roles, *terminal_id;
};
/* Of org_a, but for the stranger, who has every role elsewhere. */
extern const struct person admin, user, other_user, manager, manager2, both, auditor, stranger;
const char *world_principal(const struct person *p); /* NULL for nobody */

/* Of a group of tests. */
int world_setup(void **state);
int world_teardown(void **state); /* drains and ends well */
struct fixture_program *world_program(void);
void world_restart(void);
/* Dies by SIGKILL at this crash point, once (builds with CHOP_FAILPOINTS). */
void world_restart_crashing(const char *point);
const struct crypto_key *world_issuance_key(void);

/* ---- acts ---- */
chop_err world_prepare(const struct person *p, const Pb__PrepareActRequest *in, Pb__PrepareActReply **ret);
Pb__ActContent *world_content(const Pb__PrepareActReply *r);
/* What identity would say; the test may spoil it before it is signed. */
struct proof {
    Pb__Proof m;
    Pb__ProvenFactor factor, *factors[1];
    char *roles[4];
};
struct proof *world_proof(const struct person *p, const Pb__PrepareActReply *r, const char *factor);
chop_err world_commit(const struct person *p, const char *act_id, const struct proof *proof, Pb__CommitActReply **ret);
/* All three steps with factor "key". */
chop_err world_act(const struct person *p, const Pb__PrepareActRequest *in, Pb__CommitActReply **ret);

/* ---- short ways ---- */
Pb__PrepareActRequest *world_params(Pb__PrepareActRequest__ParamsCase which, void *params);
#define PARAMS(CASE, message) world_params(PB__PREPARE_ACT_REQUEST__PARAMS_##CASE, message)
const char *world_code(void); /* a fresh seal code */
Pb__SealCreate *world_seal_params(const char *code, Pb__Policy *policy);
/* Created and activated, without filing number. */
const char *world_seal(const struct person *by, Pb__Policy *policy);
chop_err world_seal_change(const struct person *by, const char *seal_id, const char *action, Pb__Seal **ret);
Pb__RequestUse *world_request_params(const char *seal_id, uint32_t copies);
const char *world_request(const struct person *p, const char *seal_id, uint32_t copies);
Pb__Decide *world_decide_params(const char *request_id, const char *verdict);
/* Approves; the request as it is then. */
Pb__Request *world_approve(const struct person *p, const char *request_id);
/* Seal, request and decision in one. */
const char *world_grant(const struct person *asker, const struct person *decider, const char *seal_id, uint32_t copies);
Pb__Grant *world_get_grant(const struct person *p, const char *grant_id);

/* ---- the printer ---- */
struct printer {
    const char *id;
    struct crypto_key *key;
    Pb__Signed *cert;
    struct chop_bytes cert_packed;
};
extern struct printer *printer; /* of org_a, from the start */
struct printer *world_printer(const char *organization_id);
struct chop_bytes world_challenge(const struct printer *d, int64_t expires_at);
Pb__PrintUse *world_print_params(const char *grant_id, const struct printer *d, uint32_t count);
/* Prints; the allotment. */
Pb__AllotmentStatement *world_print(
    const struct person *p, const char *grant_id, const struct printer *d, uint32_t count);
/* The printer's signed report, as the bridge's event; waits until authorization has applied it. */
void world_report(const struct printer *d, const Pb__AllotmentStatement *a, uint32_t number, const char *outcome);
/* In three steps, so that many are applied together. */
void world_report_later(const struct printer *d, const Pb__AllotmentStatement *a, uint32_t number, const char *outcome);
void world_announce_reports(void);
void world_wait_reports(void);
void world_report_message(const struct printer *signer, const Pb__Report *m);
/* A printer's signed close-out, as the bridge's event; waits until it was taken. */
void world_closeout(const struct printer *signer, const Pb__Closeout *m);
/* The receipt of a registry, as the relay's event. */
void world_receipt(const char *registry, const Pb__Fact *fact, const char *key_purpose);
/* A registry's order as the relay's event; `from` is what the relay says, the key's purpose is the signer. */
Pb__RegistryOrder *world_order(const char *seal_id, const char *action);
void world_order_event(const char *from, const Pb__RegistryOrder *m, const char *key_purpose);
const char *world_number_state(const char *grant_id, uint32_t number);

int64_t world_count(const char *sql);
/* Walks all facts of a seal: dense from 1, linked by hash, each signature verified. Returns how many. */
size_t world_check_facts(const struct person *reader, const char *seal_id);
