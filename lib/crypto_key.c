#include "crypto_internal.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One row an algorithm. A SubjectPublicKeyInfo of ours is a fixed prefix and the key, so reading one is comparing
 * bytes: no DER parser sees a stranger's key, and no second encoding of a key exists (a kid names one encoding). */
struct alg_row {
    const char *name;         /* ours */
    const char *type, *group; /* OpenSSL's */
    const char *prefix;
    size_t prefix_len, key_len;
};

static const struct alg_row alg_rows[] = {
    [CRYPTO_ES256] = { "ES256", "EC", "prime256v1",
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00", 26,
        65 },
    [CRYPTO_ED25519] = { "Ed25519", "ED25519", NULL, "\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", 12, 32 },
    [CRYPTO_SM2] = { "SM2", "SM2", "SM2",
        "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x81\x1c\xcf\x55\x01\x82\x2d\x03\x42\x00", 26,
        65 },
};
#define ALG_LAST CRYPTO_SM2

const char *crypto_alg_name(enum crypto_alg alg) {
    return alg >= CRYPTO_ES256 && alg <= ALG_LAST ? alg_rows[alg].name : "";
}

chop_err crypto_alg_by_name(const char *name, enum crypto_alg *ret_alg) {
    for (enum crypto_alg a = CRYPTO_ES256; a <= ALG_LAST; a++) {
        if (strcmp(alg_rows[a].name, name) != 0) continue;
        *ret_alg = a;
        return NULL;
    }
    return CHOP_FAIL(EINVAL, "algorithm", "not one of ES256, Ed25519, SM2");
}

/* ---- what is derived from a key once ---- */

static chop_err read_public(const EVP_PKEY *pkey, const struct alg_row *row, uint8_t *out) {
    size_t n = 0;
    int ok = row->group ? EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, out, row->key_len, &n)
                        : (n = row->key_len, EVP_PKEY_get_raw_public_key(pkey, out, &n));
    if (ok == 1 && n == row->key_len && (!row->group || out[0] == 4)) return NULL;
    ERR_clear_error();
    return CHOP_FAIL(EINVAL, NULL, "the key's public part is not an uncompressed %s key", row->name);
}

static chop_err find_alg(const EVP_PKEY *pkey, enum crypto_alg *ret_alg) {
    char group[32] = "";
    if (EVP_PKEY_is_a(pkey, "ED25519")) {
        *ret_alg = CRYPTO_ED25519;
        return NULL;
    }
    (void)EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL);
    ERR_clear_error();
    for (enum crypto_alg a = CRYPTO_ES256; a <= ALG_LAST; a++) {
        if (!alg_rows[a].group || strcmp(alg_rows[a].group, group) != 0) continue;
        if (!EVP_PKEY_is_a(pkey, alg_rows[a].type)) continue;
        *ret_alg = a;
        return NULL;
    }
    return CHOP_FAIL(EINVAL, NULL, "the key is none of ES256 (P-256), Ed25519, SM2");
}

/* Z of the default identity (GB/T 32918.2, 5.5; GB/T 35276): length in bits, identity, a, b, G, public key. */
static void sm2_z(const uint8_t point[65], uint8_t out[32]) {
    static const char head[] = "\x00\x80"
                               "1234567812345678"
                               /* a */
                               "\xff\xff\xff\xfe\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
                               "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xfc"
                               /* b */
                               "\x28\xe9\xfa\x9e\x9d\x9f\x5e\x34\x4d\x5a\x9e\x4b\xcf\x65\x09\xa7"
                               "\xf3\x97\x89\xf5\x15\xab\x8f\x92\xdd\xbc\xbd\x41\x4d\x94\x0e\x93"
                               /* x, y of G */
                               "\x32\xc4\xae\x2c\x1f\x19\x81\x19\x5f\x99\x04\x46\x6a\x39\xc9\x94"
                               "\x8f\xe3\x0b\xbf\xf2\x66\x0b\xe1\x71\x5a\x45\x89\x33\x4c\x74\xc7"
                               "\xbc\x37\x36\xa2\xf4\xf6\x77\x9c\x59\xbd\xce\xe3\x6b\x69\x21\x53"
                               "\xd0\xa9\x87\x7c\xc6\x2a\x47\x40\x02\xdf\x32\xe5\x21\x39\xf0\xa0";
    const struct chop_bytes parts[] = { CHOP_BYTES(head, sizeof head - 1), CHOP_BYTES(point + 1, 64) };
    crypto_digest_parts(crypto_algs()->sm3, parts, 2, out);
}

static chop_err prepare_contexts(struct crypto_key *k) {
    if (k->alg == CRYPTO_ED25519) return NULL; /* signs messages, not digests: crypto_sign.c */
    k->verifier = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (!k->verifier || EVP_PKEY_verify_init(k->verifier) != 1) return crypto_failed("preparing a key");
    if (!k->private) return NULL;
    k->signer = EVP_PKEY_CTX_new_from_pkey(NULL, k->pkey, NULL);
    if (!k->signer || EVP_PKEY_sign_init(k->signer) != 1) return crypto_failed("preparing a key");
    return NULL;
}

static chop_err derive(struct crypto_key *k) {
    TRY(find_alg(k->pkey, &k->alg));
    const struct alg_row *row = &alg_rows[k->alg];
    memcpy(k->spki, row->prefix, row->prefix_len);
    TRY(read_public(k->pkey, row, k->spki + row->prefix_len));
    k->spki_len = row->prefix_len + row->key_len;
    uint8_t digest[32];
    crypto_sha256(CHOP_BYTES(k->spki, k->spki_len), digest);
    chop_hex(digest, 8, k->kid);
    if (k->alg == CRYPTO_SM2) sm2_z(k->spki + row->prefix_len, k->z);
    return prepare_contexts(k);
}

chop_err crypto_key_wrap(EVP_PKEY *pkey, bool private, struct crypto_key **ret_key) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = calloc(1, sizeof *k);
    if (!k) {
        EVP_PKEY_free(pkey);
        return CHOP_ERR(EMEMORY);
    }
    k->pkey = pkey;
    k->private = private;
    TRY(derive(k));
    *ret_key = CHOP_STEAL(k);
    return NULL;
}

/* ---- making and reading ---- */

chop_err crypto_key_generate(enum crypto_alg alg, struct crypto_key **ret_key) {
    if (alg < CRYPTO_ES256 || alg > ALG_LAST) return CHOP_FAIL(EINVAL, "algorithm", "unknown");
    const struct alg_row *row = &alg_rows[alg];
    EVP_PKEY *pkey = alg == CRYPTO_ES256 ? EVP_EC_gen("prime256v1") : EVP_PKEY_Q_keygen(NULL, NULL, row->type);
    if (!pkey) return crypto_failed("making a key");
    return crypto_key_wrap(pkey, true, ret_key);
}

/* OpenSSL checks that the point is on the curve; both curves have cofactor 1, so no more is to check. */
static chop_err import_point(const struct alg_row *row, const uint8_t *point, EVP_PKEY **ret_pkey) {
    char group[16];
    (void)snprintf(group, sizeof group, "%s", row->group);
    uint8_t copy[65];
    memcpy(copy, point, sizeof copy);
    OSSL_PARAM params[] = { OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof copy), OSSL_PARAM_construct_end() };
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, row->type, NULL);
    EVP_PKEY *pkey = NULL;
    bool ok = copy[0] == 4 && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
              EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    if (!ok) return CHOP_FAIL(EINVAL, NULL, "the public key is no point of the curve");
    *ret_pkey = pkey;
    return NULL;
}

chop_err crypto_key_from_point(const uint8_t point[65], struct crypto_key **ret_key) {
    EVP_PKEY *pkey = NULL;
    TRY(import_point(&alg_rows[CRYPTO_ES256], point, &pkey));
    return crypto_key_wrap(pkey, false, ret_key);
}

/* Ed25519 keys of small order, in both encodings where there are two: under such a key signatures verify that nobody
 * made, so its owner could deny any. The sign bit does not matter. */
static bool small_order(const uint8_t key[32]) {
    static const char *const encodings[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    uint8_t bytes[32];
    for (size_t i = 0; i < CHOP_COUNT(encodings); i++) {
        if (!chop_unhex(encodings[i], bytes, sizeof bytes)) continue;
        bytes[31] |= key[31] & 0x80;
        if (memcmp(bytes, key, sizeof bytes) == 0) return true;
    }
    return false;
}

static chop_err import_public(const struct alg_row *row, const uint8_t *key, struct crypto_key **ret_key) {
    EVP_PKEY *pkey = NULL;
    if (!row->group && small_order(key)) return CHOP_FAIL(EINVAL, NULL, "the public key is of small order");
    if (row->group)
        TRY(import_point(row, key, &pkey));
    else
        pkey = EVP_PKEY_new_raw_public_key_ex(NULL, row->type, NULL, key, row->key_len);
    if (!pkey) return crypto_failed("reading a key");
    return crypto_key_wrap(pkey, false, ret_key);
}

chop_err crypto_key_from_spki(struct chop_bytes der, struct crypto_key **ret_key) {
    for (enum crypto_alg a = CRYPTO_ES256; a <= ALG_LAST; a++) {
        const struct alg_row *row = &alg_rows[a];
        if (der.n != row->prefix_len + row->key_len || memcmp(der.p, row->prefix, row->prefix_len) != 0) continue;
        return import_public(row, der.p + row->prefix_len, ret_key);
    }
    return CHOP_FAIL(EINVAL, NULL, "not a SubjectPublicKeyInfo of ES256 (P-256, uncompressed), Ed25519 or SM2");
}

void crypto_key_free(struct crypto_key *k) {
    if (!k) return;
    EVP_PKEY_CTX_free(k->signer);
    EVP_PKEY_CTX_free(k->verifier);
    EVP_PKEY_free(k->pkey);
    free(k);
}

void crypto_key_free_p(struct crypto_key **k) {
    crypto_key_free(*k);
}

enum crypto_alg crypto_key_alg(const struct crypto_key *k) {
    return k->alg;
}

struct chop_bytes crypto_key_spki(const struct crypto_key *k) {
    return CHOP_BYTES(k->spki, k->spki_len);
}

const char *crypto_key_kid(const struct crypto_key *k) {
    return k->kid;
}

chop_err crypto_key_point(const struct crypto_key *k, uint8_t out[65]) {
    if (k->alg != CRYPTO_ES256) return CHOP_FAIL(EINVAL, NULL, "the key is not a P-256 key");
    memcpy(out, k->spki + k->spki_len - 65, 65);
    return NULL;
}
