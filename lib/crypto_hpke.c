/* HPKE (RFC 9180), base mode, one suite: KEM 0x0010, KDF 0x0001, AEAD 0x0001. Names as in the RFC. */
#include "crypto_internal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <string.h>

#define POINT 65
#define HASH 32
#define KEY 16

static const char kem_suite[] = "KEM\x00\x10";
static const char hpke_suite[] = "HPKE\x00\x10\x00\x01\x00\x01";
#define KEM CHOP_BYTES(kem_suite, 5)
#define HPKE CHOP_BYTES(hpke_suite, 10)

/* LabeledExtract (section 4). */
static void labeled_extract(
    struct chop_bytes suite, struct chop_bytes salt, const char *label, struct chop_bytes ikm, uint8_t out[HASH]) {
    const struct chop_bytes parts[] = { chop_str("HPKE-v1"), suite, chop_str(label), ikm };
    crypto_hmac_parts(salt, parts, CHOP_COUNT(parts), out);
}

/* LabeledExpand (section 4) of at most one hash: HKDF's T(1) (RFC 5869, 2.3). */
static void labeled_expand(struct chop_bytes suite, const uint8_t prk[HASH], const char *label, struct chop_bytes info,
    uint8_t *out, size_t n) {
    const uint8_t length[2] = { 0, (uint8_t)n }, first = 1;
    uint8_t block[HASH];
    const struct chop_bytes parts[] = { CHOP_BYTES(length, 2), chop_str("HPKE-v1"), suite, chop_str(label), info,
        CHOP_BYTES(&first, 1) };
    crypto_hmac_parts(CHOP_BYTES(prk, HASH), parts, CHOP_COUNT(parts), block);
    memcpy(out, block, n);
    OPENSSL_cleanse(block, sizeof block);
}

static chop_err diffie_hellman(const struct crypto_key *own, const struct crypto_key *peer, uint8_t out[32]) {
    size_t n = 32;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own->pkey, NULL);
    bool ok = ctx && EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer->pkey) == 1 &&
              EVP_PKEY_derive(ctx, out, &n) == 1 && n == 32;
    EVP_PKEY_CTX_free(ctx);
    return ok ? NULL : crypto_failed("key agreement");
}

/* ExtractAndExpand (4.1) with kem_context = enc || pkRm. */
static void shared_secret(
    const uint8_t dh[32], const uint8_t enc[POINT], const uint8_t recipient[POINT], uint8_t out[HASH]) {
    uint8_t prk[HASH], context[2 * POINT];
    memcpy(context, enc, POINT);
    memcpy(context + POINT, recipient, POINT);
    labeled_extract(KEM, CHOP_BYTES(NULL, 0), "eae_prk", CHOP_BYTES(dh, 32), prk);
    labeled_expand(KEM, prk, "shared_secret", CHOP_BYTES(context, sizeof context), out, HASH);
    OPENSSL_cleanse(prk, sizeof prk);
}

struct schedule {
    uint8_t key[KEY], nonce[GCM_NONCE];
};

static void schedule_done(struct schedule *s) {
    OPENSSL_cleanse(s, sizeof *s);
}

/* KeySchedule (5.1) in mode_base: no psk, no psk_id. */
static void key_schedule(const uint8_t shared[HASH], struct chop_bytes info, struct schedule *out) {
    const struct chop_bytes none = { NULL, 0 };
    uint8_t context[1 + 2 * HASH] = { 0 }, secret[HASH];
    labeled_extract(HPKE, none, "psk_id_hash", none, context + 1);
    labeled_extract(HPKE, none, "info_hash", info, context + 1 + HASH);
    labeled_extract(HPKE, CHOP_BYTES(shared, HASH), "secret", none, secret);
    labeled_expand(HPKE, secret, "key", CHOP_BYTES(context, sizeof context), out->key, KEY);
    labeled_expand(HPKE, secret, "base_nonce", CHOP_BYTES(context, sizeof context), out->nonce, GCM_NONCE);
    OPENSSL_cleanse(secret, sizeof secret);
}

/* Encap and Decap end the same way: own private key, the other's public key, and both public keys in order. */
static chop_err agree(const struct crypto_key *own, const struct crypto_key *peer, const uint8_t enc[POINT],
    const uint8_t recipient[POINT], struct chop_bytes info, struct schedule *ret_schedule) {
    uint8_t dh[32], shared[HASH];
    TRY(diffie_hellman(own, peer, dh));
    shared_secret(dh, enc, recipient, shared);
    key_schedule(shared, info, ret_schedule);
    OPENSSL_cleanse(dh, sizeof dh);
    OPENSSL_cleanse(shared, sizeof shared);
    return NULL;
}

chop_err crypto_hpke_seal_with(const struct crypto_key *ephemeral, const uint8_t recipient_point[65],
    struct chop_bytes info, struct chop_bytes aad, struct chop_bytes plain, struct arena *mem,
    struct chop_bytes *ret_sealed) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *recipient = NULL;
    CHOP_CLEANUP(schedule_done) struct schedule s;
    TRY(crypto_key_from_point(recipient_point, &recipient));
    uint8_t *out = plain.n < SIZE_MAX - 256 ? arena_alloc(mem, plain.n + CRYPTO_HPKE_OVERHEAD) : NULL;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(crypto_key_point(ephemeral, out));
    TRY(agree(ephemeral, recipient, out, recipient_point, info, &s));
    struct gcm g = { crypto_algs()->aes128gcm, s.key, s.nonce, aad };
    TRY(crypto_gcm_seal(&g, plain, out + POINT));
    *ret_sealed = CHOP_BYTES(out, plain.n + CRYPTO_HPKE_OVERHEAD);
    return NULL;
}

chop_err crypto_hpke_seal(const uint8_t recipient_point[65], struct chop_bytes info, struct chop_bytes aad,
    struct chop_bytes plain, struct arena *mem, struct chop_bytes *ret_sealed) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ephemeral = NULL;
    TRY(crypto_key_generate(CRYPTO_ES256, &ephemeral));
    return crypto_hpke_seal_with(ephemeral, recipient_point, info, aad, plain, mem, ret_sealed);
}

static chop_err open_text(const struct crypto_key *recipient, struct chop_bytes info, struct chop_bytes aad,
    struct chop_bytes sealed, uint8_t *out) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ephemeral = NULL;
    CHOP_CLEANUP(schedule_done) struct schedule s;
    uint8_t point[POINT];
    TRY(crypto_key_point(recipient, point));
    if (crypto_key_from_point(sealed.p, &ephemeral))
        return CHOP_FAIL(EMISMATCH, NULL, "the sealed text starts with no point of P-256");
    TRY(agree(recipient, ephemeral, sealed.p, point, info, &s));
    struct gcm g = { crypto_algs()->aes128gcm, s.key, s.nonce, aad };
    return crypto_gcm_open(&g, CHOP_BYTES(sealed.p + POINT, sealed.n - POINT), out);
}

chop_err crypto_hpke_open(const struct crypto_key *recipient, struct chop_bytes info, struct chop_bytes aad,
    struct chop_bytes sealed, struct arena *mem, struct chop_bytes *ret_plain) {
    if (!recipient->private) return CHOP_FAIL(EINVAL, NULL, "the key has no private part");
    if (sealed.n < CRYPTO_HPKE_OVERHEAD) return CHOP_FAIL(EMISMATCH, NULL, "the sealed text is cut");
    size_t n = sealed.n - CRYPTO_HPKE_OVERHEAD;
    uint8_t *out = arena_alloc(mem, n + 1);
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(open_text(recipient, info, aad, sealed, out));
    *ret_plain = CHOP_BYTES(out, n);
    return NULL;
}
