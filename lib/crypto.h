/* crypto: the only user of OpenSSL. Keys, signatures, digests, HPKE, authenticated encryption.
 * Keys are immutable after loading and may be used by several threads at once. */
#pragma once
#include "arena.h"

enum crypto_alg { CRYPTO_ES256 = 1, CRYPTO_ED25519 = 2, CRYPTO_SM2 = 3 };
const char *crypto_alg_name(enum crypto_alg alg); /* "ES256", "Ed25519", "SM2" */
chop_err crypto_alg_by_name(const char *name, enum crypto_alg *ret_alg) CHOP_MUSTCHECK;

#define CRYPTO_SHA256_LEN 32
#define CRYPTO_SIGNATURE_LEN 64

/* ---- digests ---- */
void crypto_sha256(struct chop_bytes data, uint8_t out[32]);
/* SHA-256 over the concatenation of the parts. */
void crypto_sha256_parts(const struct chop_bytes *parts, size_t n, uint8_t out[32]);
void crypto_sm3(struct chop_bytes data, uint8_t out[32]);
void crypto_hmac_sha256(struct chop_bytes key, struct chop_bytes data, uint8_t out[32]);
bool crypto_equal(const void *a, const void *b, size_t n); /* constant time */
/* Streaming SHA-256 for files; free with crypto_hash_free. */
struct crypto_hash;
struct crypto_hash *crypto_hash_new(void);
void crypto_hash_add(struct crypto_hash *h, struct chop_bytes data);
void crypto_hash_end(struct crypto_hash *h, uint8_t out[32]); /* may be reused after */
void crypto_hash_free(struct crypto_hash *h);

/* ---- keys ---- */
struct crypto_key;
chop_err crypto_key_generate(enum crypto_alg alg, struct crypto_key **ret_key) CHOP_MUSTCHECK;
/* Private key from a PEM file (PKCS#8, unencrypted, mode checked: group/other must not read). */
chop_err crypto_key_load(const char *path, struct crypto_key **ret_key) CHOP_MUSTCHECK;
chop_err crypto_key_save(const struct crypto_key *k, const char *path) CHOP_MUSTCHECK; /* 0600, atomic, fsynced */
/* PEM text, private or public. Refuses any algorithm but the three, and any curve but theirs. */
chop_err crypto_key_from_pem(struct chop_bytes pem, struct crypto_key **ret_key) CHOP_MUSTCHECK;
/* Public key from DER SubjectPublicKeyInfo, in the one form with a named curve and an uncompressed point (91 bytes;
 * Ed25519: 44); the point is checked to be on the curve. */
chop_err crypto_key_from_spki(struct chop_bytes der, struct crypto_key **ret_key) CHOP_MUSTCHECK;
void crypto_key_free(struct crypto_key *k);
void crypto_key_free_p(struct crypto_key **k);
enum crypto_alg crypto_key_alg(const struct crypto_key *k);
struct chop_bytes crypto_key_spki(const struct crypto_key *k); /* DER, owned by the key */
/* Lower-case hex of the first 8 bytes of SHA-256(SPKI); owned by the key. */
const char *crypto_key_kid(const struct crypto_key *k);
/* 65-byte uncompressed point of a P-256 key. */
chop_err crypto_key_point(const struct crypto_key *k, uint8_t out[65]) CHOP_MUSTCHECK;

/* ---- signatures: 64 bytes always (ECDSA and SM2 as r||s, big-endian) ----
 * ES256: ECDSA with SHA-256 (FIPS 186-4); SM2: GB/T 32918.2 with SM3 and the default id; Ed25519: RFC 8032. */
chop_err crypto_sign(const struct crypto_key *k, struct chop_bytes msg, uint8_t out[64]) CHOP_MUSTCHECK;
/* NULL when it verifies, ESIGNATURE otherwise. `sig` of another length than 64 is refused. */
chop_err crypto_verify(const struct crypto_key *k, struct chop_bytes msg, struct chop_bytes sig) CHOP_MUSTCHECK;

/* ---- HPKE, RFC 9180 base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-128-GCM ----
 * single-shot; out = enc (65 bytes) || ciphertext || tag (16). */
#define CRYPTO_HPKE_OVERHEAD (65 + 16)
chop_err crypto_hpke_seal(const uint8_t recipient_point[65], struct chop_bytes info, struct chop_bytes aad,
    struct chop_bytes plain, struct arena *mem, struct chop_bytes *ret_sealed) CHOP_MUSTCHECK;
/* EMISMATCH where it was changed, cut, or is for another key, info or aad. */
chop_err crypto_hpke_open(const struct crypto_key *recipient, struct chop_bytes info, struct chop_bytes aad,
    struct chop_bytes sealed, struct arena *mem, struct chop_bytes *ret_plain) CHOP_MUSTCHECK;

/* ---- AES-256-GCM, random 12-byte nonce in front: out = nonce || ciphertext || tag ---- */
chop_err crypto_box_seal(const uint8_t key[32], struct chop_bytes aad, struct chop_bytes plain, struct arena *mem,
    struct chop_bytes *ret_box) CHOP_MUSTCHECK;
/* EMISMATCH where it was changed, cut, or is for another key or aad. */
chop_err crypto_box_open(const uint8_t key[32], struct chop_bytes aad, struct chop_bytes box, struct arena *mem,
    struct chop_bytes *ret_plain) CHOP_MUSTCHECK;

/* ---- X.509 for TLS client certificates of printers (RFC 5280) ---- */
/* A self-signed CA certificate for key; PEM into the arena. */
chop_err crypto_ca_new(const struct crypto_key *ca, const char *common_name, int days, struct arena *mem,
    struct chop_bytes *ret_pem) CHOP_MUSTCHECK;
/* A leaf for `subject_key` under the CA: CN = common_name, extended key usage serverAuth if `server`, else clientAuth
 * (never both), SAN dns/ip list ("DNS:localhost,IP:127.0.0.1", NULL for none). PEM into the arena. */
chop_err crypto_cert_issue(const struct crypto_key *ca, struct chop_bytes ca_pem, const struct crypto_key *subject_key,
    const char *common_name, const char *san, bool server, int days, struct arena *mem,
    struct chop_bytes *ret_pem) CHOP_MUSTCHECK;
/* A PKCS#10 request by key. */
chop_err crypto_csr_new(
    const struct crypto_key *k, const char *common_name, struct arena *mem, struct chop_bytes *ret_der) CHOP_MUSTCHECK;
/* Checks the request's own signature and gives its P-256 public key. */
chop_err crypto_csr_read(struct chop_bytes der, struct crypto_key **ret_key) CHOP_MUSTCHECK;
