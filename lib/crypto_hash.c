#include "crypto_internal.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Digests cannot fail but for memory; a caller that had to check each one would check none well. */
static void *must(void *p, const char *what) {
    if (p) return p;
    (void)fprintf(stderr, "crypto: no %s\n", what);
    abort();
}

static void must_do(bool done, const char *what) {
    if (!done) (void)must(NULL, what);
}

static struct crypto_algs algs;

static EVP_MAC_CTX *hmac_template(void) {
    EVP_MAC *mac = must(EVP_MAC_fetch(NULL, "HMAC", NULL), "HMAC");
    EVP_MAC_CTX *ctx = must(EVP_MAC_CTX_new(mac), "memory");
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end() };
    must_do(EVP_MAC_CTX_set_params(ctx, params) == 1, "HMAC with SHA-256");
    EVP_MAC_free(mac);
    return ctx;
}

static void fetch_all(void) {
    algs.sha256 = must(EVP_MD_fetch(NULL, "SHA256", NULL), "SHA-256");
    algs.sm3 = must(EVP_MD_fetch(NULL, "SM3", NULL), "SM3");
    algs.aes128gcm = must(EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL), "AES-128-GCM");
    algs.aes256gcm = must(EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL), "AES-256-GCM");
    algs.hmac = hmac_template();
}

const struct crypto_algs *crypto_algs(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, fetch_all);
    return &algs;
}

chop_err crypto_failed(const char *what) {
    ERR_clear_error();
    return CHOP_FAIL(EINTERNAL, NULL, "cryptography: %s failed", what);
}

void crypto_digest_parts(const EVP_MD *md, const struct chop_bytes *parts, size_t n, uint8_t out[32]) {
    EVP_MD_CTX *ctx = must(EVP_MD_CTX_new(), "memory");
    must_do(EVP_DigestInit_ex2(ctx, md, NULL) == 1, "digest");
    for (size_t i = 0; i < n; i++)
        must_do(EVP_DigestUpdate(ctx, parts[i].p, parts[i].n) == 1, "digest");
    must_do(EVP_DigestFinal_ex(ctx, out, NULL) == 1, "digest");
    EVP_MD_CTX_free(ctx);
}

void crypto_sha256(struct chop_bytes data, uint8_t out[32]) {
    crypto_digest_parts(crypto_algs()->sha256, &data, 1, out);
}

void crypto_sha256_parts(const struct chop_bytes *parts, size_t n, uint8_t out[32]) {
    crypto_digest_parts(crypto_algs()->sha256, parts, n, out);
}

void crypto_sm3(struct chop_bytes data, uint8_t out[32]) {
    crypto_digest_parts(crypto_algs()->sm3, &data, 1, out);
}

/* An empty key is the key of zeros (RFC 2104 pads with them); EVP_MAC_init would take it for "no key given". */
void crypto_hmac_parts(struct chop_bytes key, const struct chop_bytes *parts, size_t n, uint8_t out[32]) {
    static const uint8_t zeros[32];
    if (key.n == 0) key = CHOP_BYTES(zeros, sizeof zeros);
    EVP_MAC_CTX *ctx = must(EVP_MAC_CTX_dup(crypto_algs()->hmac), "memory");
    must_do(EVP_MAC_init(ctx, key.p, key.n, NULL) == 1, "HMAC");
    for (size_t i = 0; i < n; i++)
        must_do(EVP_MAC_update(ctx, parts[i].p, parts[i].n) == 1, "HMAC");
    size_t got = 0;
    must_do(EVP_MAC_final(ctx, out, &got, 32) == 1 && got == 32, "HMAC");
    EVP_MAC_CTX_free(ctx);
}

void crypto_hmac_sha256(struct chop_bytes key, struct chop_bytes data, uint8_t out[32]) {
    crypto_hmac_parts(key, &data, 1, out);
}

bool crypto_equal(const void *a, const void *b, size_t n) {
    return CRYPTO_memcmp(a, b, n) == 0;
}

struct crypto_hash {
    EVP_MD_CTX *ctx;
};

struct crypto_hash *crypto_hash_new(void) {
    struct crypto_hash *h = must(malloc(sizeof *h), "memory");
    h->ctx = must(EVP_MD_CTX_new(), "memory");
    must_do(EVP_DigestInit_ex2(h->ctx, crypto_algs()->sha256, NULL) == 1, "digest");
    return h;
}

void crypto_hash_add(struct crypto_hash *h, struct chop_bytes data) {
    must_do(EVP_DigestUpdate(h->ctx, data.p, data.n) == 1, "digest");
}

void crypto_hash_end(struct crypto_hash *h, uint8_t out[32]) {
    must_do(EVP_DigestFinal_ex(h->ctx, out, NULL) == 1, "digest");
    must_do(EVP_DigestInit_ex2(h->ctx, crypto_algs()->sha256, NULL) == 1, "digest");
}

void crypto_hash_free(struct crypto_hash *h) {
    if (!h) return;
    EVP_MD_CTX_free(h->ctx);
    free(h);
}
