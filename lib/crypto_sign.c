#include "crypto_internal.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>

#define DER_MAX 72 /* SEQUENCE of two INTEGERs of at most 33 bytes */

/* What ECDSA and SM2 sign: SHA-256(message), SM3(Z || message). */
static void digest_message(const struct crypto_key *k, struct chop_bytes msg, uint8_t out[32]) {
    const struct chop_bytes parts[] = { CHOP_BYTES(k->z, sizeof k->z), msg };
    if (k->alg == CRYPTO_SM2)
        crypto_digest_parts(crypto_algs()->sm3, parts, 2, out);
    else
        crypto_sha256(msg, out);
}

static bool der_to_raw(const uint8_t *der, size_t n, uint8_t out[64]) {
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)n);
    bool ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 32) == 32 &&
              BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 32, 32) == 32;
    ECDSA_SIG_free(sig);
    return ok;
}

/* A positive INTEGER of 32 big-endian bytes in its shortest form (X.690, 8.3). */
static size_t der_integer(const uint8_t *raw, uint8_t *out) {
    size_t skip = 0;
    while (skip < 31 && raw[skip] == 0)
        skip++;
    size_t pad = raw[skip] >> 7, n = 32 - skip;
    out[0] = 2;
    out[1] = (uint8_t)(n + pad);
    out[2] = 0;
    for (size_t i = 0; i < n; i++)
        out[2 + pad + i] = raw[skip + i];
    return 2 + pad + n;
}

static size_t raw_to_der(const uint8_t raw[64], uint8_t out[DER_MAX]) {
    size_t n = der_integer(raw, out + 2);
    n += der_integer(raw + 32, out + 2 + n);
    out[0] = 0x30;
    out[1] = (uint8_t)n;
    return 2 + n;
}

static chop_err sign_digest(const struct crypto_key *k, const uint8_t digest[32], uint8_t out[64]) {
    uint8_t der[DER_MAX], raw[64];
    size_t n = sizeof der;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->signer);
    bool ok = ctx && EVP_PKEY_sign(ctx, der, &n, digest, 32) == 1 && der_to_raw(der, n, raw);
    EVP_PKEY_CTX_free(ctx);
    if (!ok) return crypto_failed("signing");
    __builtin_memcpy(out, raw, sizeof raw);
    return NULL;
}

static chop_err sign_ed25519(const struct crypto_key *k, struct chop_bytes msg, uint8_t out[64]) {
    uint8_t raw[64];
    size_t n = sizeof raw;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestSign(ctx, raw, &n, msg.p, msg.n) == 1 && n == 64;
    EVP_MD_CTX_free(ctx);
    if (!ok) return crypto_failed("signing");
    __builtin_memcpy(out, raw, sizeof raw);
    return NULL;
}

chop_err crypto_sign(const struct crypto_key *k, struct chop_bytes msg, uint8_t out[64]) {
    if (!k->private) return CHOP_FAIL(EINVAL, NULL, "the key has no private part");
    if (k->alg == CRYPTO_ED25519) return sign_ed25519(k, msg, out);
    uint8_t digest[32];
    digest_message(k, msg, digest);
    return sign_digest(k, digest, out);
}

static bool verify_digest(const struct crypto_key *k, const uint8_t digest[32], const uint8_t raw[64]) {
    uint8_t der[DER_MAX];
    size_t n = raw_to_der(raw, der);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_dup(k->verifier);
    bool ok = ctx && EVP_PKEY_verify(ctx, der, n, digest, 32) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool verify_ed25519(const struct crypto_key *k, struct chop_bytes msg, const uint8_t raw[64]) {
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, k->pkey, NULL) == 1 &&
              EVP_DigestVerify(ctx, raw, 64, msg.p, msg.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

chop_err crypto_verify(const struct crypto_key *k, struct chop_bytes msg, struct chop_bytes sig) {
    uint8_t digest[32];
    bool ok = false;
    if (sig.n == CRYPTO_SIGNATURE_LEN && k->alg == CRYPTO_ED25519) ok = verify_ed25519(k, msg, sig.p);
    if (sig.n == CRYPTO_SIGNATURE_LEN && k->alg != CRYPTO_ED25519) {
        digest_message(k, msg, digest);
        ok = verify_digest(k, digest, sig.p);
    }
    if (ok) return NULL;
    ERR_clear_error();
    return CHOP_ERR(ESIGNATURE);
}
