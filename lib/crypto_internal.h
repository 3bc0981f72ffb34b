/* crypto_internal: what the files of lib/crypto share; nobody else includes it (one test does, for the HPKE vectors).
 */
#pragma once
#include "crypto.h"

#include <openssl/evp.h>

#define SPKI_MAX 96

struct crypto_key {
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *signer, *verifier; /* ready-made contexts: an operation copies one instead of looking algorithms up */
    enum crypto_alg alg;
    bool private;
    uint8_t spki[SPKI_MAX];
    size_t spki_len;
    uint8_t z[32]; /* SM2: the hash of identity and key that every digest starts with (GB/T 32918.2, 5.5) */
    char kid[17];
};

/* The algorithms, looked up once in the life of the process: EVP_*_fetch costs more than hashing a short text. */
struct crypto_algs {
    EVP_MD *sha256, *sm3;
    EVP_MAC_CTX *hmac;
    EVP_CIPHER *aes128gcm, *aes256gcm;
};
const struct crypto_algs *crypto_algs(void);

/* Forgets OpenSSL's error queue, so that no later call finds our leftovers in it; gives EINTERNAL. */
chop_err crypto_failed(const char *what) CHOP_MUSTCHECK;

/* Digest of the parts in order with `md` (32 bytes long). */
void crypto_digest_parts(const EVP_MD *md, const struct chop_bytes *parts, size_t n, uint8_t out[32]);
void crypto_hmac_parts(struct chop_bytes key, const struct chop_bytes *parts, size_t n, uint8_t out[32]);

/* Takes pkey over, also on failure. EINVAL where it is none of the three algorithms. */
chop_err crypto_key_wrap(EVP_PKEY *pkey, bool private, struct crypto_key **ret_key) CHOP_MUSTCHECK;
chop_err crypto_key_from_point(const uint8_t point[65], struct crypto_key **ret_key) CHOP_MUSTCHECK;
/* PKCS#8 PEM text of a private key, in a buffer to wipe and free with crypto_pem_free. */
chop_err crypto_key_to_pem(const struct crypto_key *k, char **ret_pem, size_t *ret_n) CHOP_MUSTCHECK;
void crypto_pem_free(char *pem, size_t n);

/* GCM with a 12-byte nonce. Sealing writes plain.n + 16 bytes to out, opening sealed.n - 16. */
#define GCM_NONCE 12
#define GCM_TAG 16
struct gcm {
    const EVP_CIPHER *cipher;
    const uint8_t *key, *nonce;
    struct chop_bytes aad;
};
chop_err crypto_gcm_seal(const struct gcm *g, struct chop_bytes plain, uint8_t *out) CHOP_MUSTCHECK;
/* EMISMATCH where the tag does not fit: out then holds nothing of use. */
chop_err crypto_gcm_open(const struct gcm *g, struct chop_bytes sealed, uint8_t *out) CHOP_MUSTCHECK;

/* crypto_hpke_seal with the ephemeral key given: a key used twice breaks the encryption, so only vectors call it. */
chop_err crypto_hpke_seal_with(const struct crypto_key *ephemeral, const uint8_t recipient_point[65],
    struct chop_bytes info, struct chop_bytes aad, struct chop_bytes plain, struct arena *mem,
    struct chop_bytes *ret_sealed) CHOP_MUSTCHECK;
