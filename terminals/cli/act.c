/* The terminal's half of an act (design 4): what is shown, hashed and proven is the frozen content itself. */
#include "cli.h"
#include "field.h"
#include "out.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "identity.pb-c.h"

#include <stdio.h>
#include <string.h>

#define TRIES_MAX 8

struct owner {
    const char *acts;
    const ProtobufCMessageDescriptor *prepare, *content, *commit;
    const char *name; /* who must have signed the ticket */
};
static const struct owner owners[2] = {
    { "/v1/acts", &pb__prepare_act_request__descriptor, &pb__act_content__descriptor, &pb__commit_act_reply__descriptor,
        "authorization" },
    { "/v1/identity/acts", &pb__prepare_identity_act_request__descriptor, &pb__identity_act_content__descriptor,
        &pb__commit_identity_act_reply__descriptor, "identity" },
};

struct act {
    struct cli *c;
    const struct owner *owner;
    const char *name;
    const void *params;
    Pb__PrepareActReply *prepared;
    uint8_t digest[32]; /* of the content, computed here */
    const char *password; /* asked for once */
};

/* ---- checking what came back ---- */

/* The ticket is the owner's, for this act of this member, over exactly the content that is about to be shown. */
static chop_err check_ticket(struct act *a) {
    struct cli *c = a->c;
    const struct trust *trust;
    const Pb__KeyEntry *entry;
    Pb__Signed *s;
    Pb__Ticket *t;
    TRY(pin_trust(c, &trust));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(a->prepared->ticket), c->mem, &s));
    TRY(trust_verify(trust, s, "ticket", chop_now_ms(), &entry));
    TRY(PB_UNPACK(pb__ticket, PB_BYTES(s->payload), c->mem, &t));
    if (strcmp(entry->purpose, a->owner->name) != 0 || strcmp(t->owner, a->owner->name) != 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "is not by %s", a->owner->name);
    if (!chop_bytes_equal(PB_BYTES(t->digest), CHOP_BYTES(a->digest, 32)))
        return CHOP_FAIL(EMISMATCH, "ticket", "covers another content than the one to be shown");
    if (strcmp(t->act_id, a->prepared->act_id) != 0 || !chop_bytes_equal(PB_BYTES(t->nonce), PB_BYTES(a->prepared->nonce)))
        return CHOP_FAIL(EMISMATCH, "ticket", "is for another act");
    if (c->profile.member_id[0] && strcmp(t->member_id, c->profile.member_id) != 0)
        return CHOP_FAIL(EMISMATCH, "ticket", "is for another member");
    return NULL;
}

/* The content says what was asked: no server changes it unseen, not even under --yes. */
static chop_err check_content(struct act *a, void **ret_content) {
    void *content;
    struct chop_bytes json = PB_BYTES(a->prepared->content);
    if (pbjson_read(a->owner->content, json, &PBJSON_LIMITS, a->c->mem, &content))
        return CHOP_FAIL(EMISMATCH, "content", "this chop does not understand all of it (%s): update chop", chop_detail_text());
    const ProtobufCFieldDescriptor *f = field_find(a->owner->content, a->name, strlen(a->name));
    const void *shown = f ? field_message(content, f) : NULL;
    const char *other = !shown ? a->name : NULL;
    if (shown && f->descriptor == ((const ProtobufCMessage *)a->params)->descriptor) other = field_differs(a->params, shown);
    if (other) return CHOP_FAIL(EMISMATCH, other, "the server prepared something else than was asked");
    if (strcmp(field_text(content, "act_id", a->c->mem), a->prepared->act_id) != 0)
        return CHOP_FAIL(EMISMATCH, "act_id", "the content is another act's");
    *ret_content = content;
    return NULL;
}

static chop_err show(struct act *a, const void *content) {
    FILE *to = stderr; /* stdout is for the result */
    fprintf(to, "\nYou are about to do this:\n");
    out_message(to, content, 2, a->c->mem);
    fprintf(to, "  content SHA-256: %s\n", arena_hex(a->c->mem, CHOP_BYTES(a->digest, 32)));
    return local_confirm(a->c, "Do it?");
}

static chop_err prepare(struct act *a) {
    struct cli *c = a->c;
    void *request = pb_new(a->owner->prepare, c->mem), *content;
    if (!request) return CHOP_ERR(EMEMORY);
    TRY(field_put_message(request, a->name, a->params));
    TRY(api_call(c, "POST", a->owner->acts, request, &pb__prepare_act_reply__descriptor, &a->prepared));
    crypto_sha256(PB_BYTES(a->prepared->content), a->digest);
    TRY(check_ticket(a));
    TRY(check_content(a, &content));
    return show(a, content);
}

/* ---- proving ---- */

static bool clause_has(const Pb__Clause *clause, const char *factor) {
    for (size_t i = 0; i < clause->n_factors; i++)
        if (strcmp(clause->factors[i], factor) == 0) return true;
    return false;
}

static chop_err prove_key(struct act *a, Pb__ProveFactorRequest *in) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    uint8_t challenge[32], *signature = arena_alloc(a->c->mem, CRYPTO_SIGNATURE_LEN);
    if (!signature) return CHOP_ERR(EMEMORY);
    TRY(crypto_key_load(key_factor_path(a->c), &k));
    trust_act_challenge(a->prepared->act_id, PB_BYTES(a->prepared->nonce), CHOP_BYTES(a->digest, 32), challenge);
    TRY(crypto_sign(k, CHOP_BYTES(challenge, 32), signature));
    in->factor = PB_STR("key");
    in->signature = PB_BIN(CHOP_BYTES(signature, CRYPTO_SIGNATURE_LEN));
    return NULL;
}

static chop_err prove_password(struct act *a, Pb__ProveFactorRequest *in) {
    if (!a->password) TRY(local_secret(a->c, a->c->password_file, "Password", &a->password));
    in->factor = PB_STR("password");
    in->password = PB_STR(a->password);
    return NULL;
}

/* The key where this profile has one, else the password. */
static chop_err prove_clause(struct act *a, const Pb__Clause *clause, Pb__ProveFactorReply **ret_reply) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    in.act_id = a->prepared->act_id;
    in.ticket = a->prepared->ticket;
    if (clause_has(clause, "key") && key_factor_path(a->c)) {
        TRY(prove_key(a, &in));
    } else if (clause_has(clause, "password")) {
        TRY(prove_password(a, &in));
    } else {
        return CHOP_FAIL(ECLAUSE, NULL, "this step needs %s: chop has password and key%s", field_text(clause, "factors", a->c->mem),
            key_factor_path(a->c) ? "" : " (this profile has no key: chop key new, chop key add)");
    }
    const char *path = arena_printf(a->c->mem, "%s/{act_id}/factors", a->owner->acts);
    return api_call(a->c, "POST", path, &in, &pb__prove_factor_reply__descriptor, ret_reply);
}

static chop_err prove(struct act *a, struct chop_bytes *ret_proof) {
    Pb__Clause **missing = a->prepared->clauses;
    size_t n = a->prepared->n_clauses;
    for (int tries = 0; tries < TRIES_MAX && n > 0; tries++) {
        Pb__ProveFactorReply *r;
        TRY(prove_clause(a, missing[0], &r));
        if (r->proof.len) {
            *ret_proof = PB_BYTES(r->proof);
            return NULL;
        }
        missing = r->missing;
        n = r->n_missing;
    }
    return CHOP_FAIL(ECLAUSE, NULL, "the server gave no proof");
}

/* ---- committing ---- */

/* A commit whose answer was lost is asked for again: the owner applies an act once and answers the same. */
static chop_err commit(struct act *a, struct chop_bytes proof, void *ret_reply) {
    Pb__CommitActRequest in = PB__COMMIT_ACT_REQUEST__INIT;
    in.act_id = a->prepared->act_id;
    in.proof = PB_BIN(proof);
    const char *path = arena_printf(a->c->mem, "%s/{act_id}/commit", a->owner->acts);
    chop_err e = NULL;
    for (int tries = 0; tries < 3; tries++) {
        if (tries) local_sleep_ms(500 * tries);
        e = api_call(a->c, "POST", path, &in, a->owner->commit, ret_reply);
        if (!e || !e->retryable || e == CHOP_ERR(ETHROTTLED)) return e;
    }
    return e;
}

chop_err act_run(struct cli *c, const char *name, bool identity, const void *params, void *ret_reply,
    struct chop_bytes *ret_proof) {
    struct act a = { .c = c, .owner = &owners[identity], .name = name, .params = params };
    struct chop_bytes proof;
    TRY(prepare(&a));
    TRY(prove(&a, &proof));
    TRY(commit(&a, proof, ret_reply));
    if (ret_proof) *ret_proof = proof;
    return NULL;
}
