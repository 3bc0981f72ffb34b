/* What the tests of identity share: the running service, organizations, people, acts. */
#pragma once
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "common.pb-c.h"
#include "identity.pb-c.h"

#define OPERATOR "operator-token-of-the-tests"
#define PASSWORD "correct horse 1"
#define CALL(method, in, who, ret) fixture_call("identity", &pb__identity__descriptor, method, in, who, ret)
/* The call fails with this error and, unless NULL, names this field. */
#define FAILS(e, code_, field_)                                                                                        \
    do {                                                                                                               \
        chop_err got_ = (e), want_ = &chop_errors[CHOP_E_##code_];                                                     \
        const char *in_field_ = (field_);                                                                              \
        if (got_ != want_) print_message("%s: %s\n", got_ ? got_->name : "no error", chop_detail_text());              \
        assert_ptr_equal(got_, want_);                                                                                 \
        if (in_field_) assert_string_equal(chop_detail_field(), in_field_);                                            \
    } while (0)
#define WORKS(e)                                                                                                       \
    do {                                                                                                               \
        chop_err got_ = (e);                                                                                           \
        if (got_) print_message("%s: %s %s\n", got_->name, chop_detail_field(), chop_detail_text());                   \
        assert_null(got_);                                                                                             \
    } while (0)
#define NO_FIELD ((const char *)NULL)

/* The service with cheap passwords; `more` settings may be NULL. */
struct fixture_program *world_start(const char *const *more);

struct person {
    const char *slug, *account, *member_id, *organization_id, *session_id, *token;
    const char *who; /* principal, Base64 */
};
/* A new organization and its admin "boss", signed in. */
struct person world_organization(const char *slug);
struct person world_sign_in(const char *slug, const char *account, const char *password);
Pb__StartSignInReply *world_start_sign_in(const char *slug, const char *account);
/* Resolves the session again. */
void world_refresh(struct person *p);
/* A member with these roles (comma-separated), added by an act of the admin, signed in. */
struct person world_member(const struct person *admin, const char *account, const char *roles);
struct chop_bytes world_statement(const char *label, struct chop_bytes a);
ProtobufCBinaryData world_signature(const struct crypto_key *k, struct chop_bytes statement);

/* ---- acts ---- */
chop_err world_prepare(const struct person *p, const Pb__PrepareIdentityActRequest *in, Pb__PrepareActReply **ret);
/* A preparation that is not refused: adding a member that nobody else adds. */
Pb__PrepareActReply *world_prepare_something(const struct person *admin);
chop_err world_prove_password(
    const struct person *p, const Pb__PrepareActReply *act, const char *password, Pb__ProveFactorReply **ret);
chop_err world_prove_key(
    const struct person *p, const Pb__PrepareActReply *act, const struct crypto_key *k, Pb__ProveFactorReply **ret);
chop_err world_commit(
    const struct person *p, const char *act_id, ProtobufCBinaryData proof, Pb__CommitIdentityActReply **ret);
/* Prepare, prove by PASSWORD, commit. */
chop_err world_act(const struct person *p, const Pb__PrepareIdentityActRequest *in, Pb__CommitIdentityActReply **ret);
Pb__PrepareIdentityActRequest *world_member_add(const char *account, const char *roles);
Pb__PrepareIdentityActRequest *world_member_roles(const char *member_id, const char *roles);
Pb__PrepareIdentityActRequest *world_key_add(const struct person *p, const struct crypto_key *k);
Pb__PrepareIdentityActRequest *world_credential_revoke(const char *credential_id);
/* A registered terminal with this key. */
chop_err world_terminal(const struct person *p, const struct crypto_key *k, Pb__Terminal **ret);
struct crypto_key *world_key(enum crypto_alg alg); /* lives as long as the process */
