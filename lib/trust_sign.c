#include "trust_internal.h"

#include "pb.h"

#include <stdlib.h>
#include <string.h>

#define PREFIX "chop/1/"
#define KID_MAX 64
#define TYPE_MAX 32

/* What the signature covers: "chop/1/" type 0x00 kid 0x00 payload. Neither type nor kid holds a NUL, so no two
 * statements share these bytes. */
struct covered {
    const char *type, *kid;
    struct chop_bytes payload;
};

static size_t covered_head(const struct covered *c) {
    return sizeof PREFIX - 1 + strlen(c->type) + 1 + strlen(c->kid) + 1;
}

static void covered_write(const struct covered *c, uint8_t *out) {
    char *end = stpcpy((char *)out, PREFIX);
    end = stpcpy(end, c->type) + 1;
    end = stpcpy(end, c->kid) + 1;
    if (c->payload.n) memcpy(end, c->payload.p, c->payload.n);
}

static chop_err check_sizes(const struct covered *c) {
    if (strlen(c->type) > TYPE_MAX || strlen(c->kid) > KID_MAX || c->payload.n > PB_MAX_BYTES)
        return CHOP_FAIL(ELIMIT, NULL, "a statement whose type, kid or payload is too long");
    return NULL;
}

chop_err trust_sign(const struct crypto_key *k, const char *kid, const char *type, struct chop_bytes payload,
    struct arena *mem, Pb__Signed *out) {
    if (!trust_type_find(type)) return CHOP_FAIL(EINVAL, "type", "no such statement: %s", type);
    struct covered c = { type, kid ? kid : crypto_key_kid(k), payload };
    TRY(check_sizes(&c));
    size_t head = covered_head(&c), at_kid = head - strlen(c.kid) - 1;
    uint8_t *covered = arena_alloc(mem, head + payload.n), *signature = arena_alloc(mem, CRYPTO_SIGNATURE_LEN);
    if (!covered || !signature) return CHOP_ERR(EMEMORY);
    covered_write(&c, covered);
    TRY(crypto_sign(k, CHOP_BYTES(covered, head + payload.n), signature));
    /* The message's fields are pieces of what was signed: no second copy. */
    pb__signed__init(out);
    out->type = (char *)covered + sizeof PREFIX - 1;
    out->kid = (char *)covered + at_kid;
    out->payload = PB_BIN(CHOP_BYTES(covered + head, payload.n));
    out->signature = PB_BIN(CHOP_BYTES(signature, CRYPTO_SIGNATURE_LEN));
    return NULL;
}

chop_err trust_sign_packed(const struct crypto_key *k, const char *kid, const char *type, struct chop_bytes payload,
    struct arena *mem, struct chop_bytes *ret_packed) {
    Pb__Signed s;
    TRY(trust_sign(k, kid, type, payload, mem, &s));
    return pb_pack(&s, mem, ret_packed);
}

chop_err trust_check_signature(const struct crypto_key *k, const Pb__Signed *s) {
    struct covered c = { s->type, s->kid, PB_BYTES(s->payload) };
    TRY(check_sizes(&c));
    uint8_t small[1024];
    size_t n = covered_head(&c) + c.payload.n;
    CHOP_FREE uint8_t *large = n > sizeof small ? malloc(n) : NULL;
    if (n > sizeof small && !large) return CHOP_ERR(EMEMORY);
    covered_write(&c, large ? large : small);
    if (crypto_verify(k, CHOP_BYTES(large ? large : small, n), PB_BYTES(s->signature)))
        return CHOP_FAIL(ESIGNATURE, NULL, "the signature of this %s does not verify", s->type);
    return NULL;
}

chop_err trust_verify_key(const struct crypto_key *k, const Pb__Signed *s, const char *type) {
    if (strcmp(s->type, type) != 0) return CHOP_FAIL(EMISMATCH, NULL, "a %.32s, not a %s", s->type, type);
    return trust_check_signature(k, s);
}

void trust_act_challenge(const char *act_id, struct chop_bytes nonce, struct chop_bytes digest, uint8_t out[32]) {
    static const char prefix[] = "chop/1/act"; /* its NUL is part of it */
    const struct chop_bytes parts[] = { CHOP_BYTES(prefix, sizeof prefix), chop_str(act_id), nonce, digest };
    crypto_sha256_parts(parts, CHOP_COUNT(parts), out);
}
