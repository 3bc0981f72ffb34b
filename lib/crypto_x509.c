/* X.509 certificates for TLS (RFC 5280) and certificate requests (RFC 2986), P-256 with SHA-256 only. */
#include "crypto_internal.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_MAX_BYTES 64 /* ub-common-name (RFC 5280, appendix A) */
#define SAN_MAX 16
#define CSR_MAX 8192
#define BACKDATE_S 300 /* clocks of devices run behind */

static void x509_free_p(X509 **c) {
    X509_free(*c);
}

static void req_free_p(X509_REQ **r) {
    X509_REQ_free(*r);
}

static chop_err must_sign_p256(const struct crypto_key *k) {
    if (!k->private) return CHOP_FAIL(EINVAL, NULL, "the key has no private part");
    if (k->alg != CRYPTO_ES256) return CHOP_FAIL(EINVAL, NULL, "certificates need a P-256 key");
    return NULL;
}

static chop_err set_common_name(X509_NAME *name, const char *common_name) {
    size_t n = strlen(common_name);
    if (n == 0 || n > NAME_MAX_BYTES || !chop_utf8_valid(common_name, n))
        return CHOP_FAIL(EINVAL, "common_name", "1 to %d bytes of UTF-8", NAME_MAX_BYTES);
    const unsigned char *text = (const unsigned char *)common_name;
    if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, text, (int)n, -1, 0) != 1)
        return crypto_failed("naming a certificate");
    return NULL;
}

/* 127 random bits: unique without a register (RFC 5280, 4.1.2.2: positive, at most 20 octets). */
static bool set_serial(X509 *cert) {
    uint8_t bits[16];
    chop_random(bits, sizeof bits);
    bits[0] = (uint8_t)((bits[0] & 0x7f) | 0x40);
    BIGNUM *n = BN_bin2bn(bits, sizeof bits, NULL);
    bool ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert));
    BN_free(n);
    return ok;
}

static bool set_frame(X509 *cert, const struct crypto_key *subject, int days) {
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -BACKDATE_S) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) && X509_set_pubkey(cert, subject->pkey) == 1;
}

struct extension {
    int nid;
    const char *value; /* OpenSSL's configuration text: constants of this file only */
};

static bool add_extensions(X509 *cert, X509 *issuer, const struct extension *rows, size_t n) {
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, rows[i].nid, rows[i].value);
        bool ok = e && X509_add_ext(cert, e, -1) == 1;
        X509_EXTENSION_free(e);
        if (!ok) return false;
    }
    return true;
}

static chop_err write_pem(const X509 *cert, struct arena *mem, struct chop_bytes *ret_pem) {
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL;
    bool ok = out && PEM_write_bio_X509(out, cert) == 1;
    long n = ok ? BIO_get_mem_data(out, &data) : 0;
    char *copy = n > 0 ? arena_alloc(mem, (size_t)n + 1) : NULL;
    if (copy) memcpy(copy, data, (size_t)n);
    BIO_free(out);
    if (!ok) return crypto_failed("writing a certificate");
    if (!copy) return CHOP_ERR(EMEMORY);
    *ret_pem = CHOP_BYTES(copy, (size_t)n);
    return NULL;
}

static chop_err finish(X509 *cert, const struct crypto_key *ca, struct arena *mem, struct chop_bytes *ret_pem) {
    if (X509_sign(cert, ca->pkey, crypto_algs()->sha256) <= 0) return crypto_failed("signing a certificate");
    return write_pem(cert, mem, ret_pem);
}

chop_err crypto_ca_new(
    const struct crypto_key *ca, const char *common_name, int days, struct arena *mem, struct chop_bytes *ret_pem) {
    static const struct extension rows[] = {
        { NID_basic_constraints, "critical,CA:TRUE,pathlen:0" },
        { NID_key_usage, "critical,keyCertSign,cRLSign" },
        { NID_subject_key_identifier, "hash" },
    };
    TRY(must_sign_p256(ca));
    CHOP_CLEANUP(x509_free_p) X509 *cert = X509_new();
    if (!cert || !set_frame(cert, ca, days)) return crypto_failed("making a certificate");
    TRY(set_common_name(X509_get_subject_name(cert), common_name));
    if (X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1 ||
        !add_extensions(cert, cert, rows, CHOP_COUNT(rows)))
        return crypto_failed("making a certificate");
    return finish(cert, ca, mem, ret_pem);
}

/* ---- subject alternative names: read by hand, because OpenSSL's own reader takes a whole language ---- */

static GENERAL_NAME *san_name(const char *text, size_t n) {
    char value[256];
    bool dns = n > 4 && strncmp(text, "DNS:", 4) == 0, ip = n > 3 && strncmp(text, "IP:", 3) == 0;
    size_t skip = dns ? 4 : 3;
    if ((!dns && !ip) || n - skip >= sizeof value) return NULL;
    memcpy(value, text + skip, n - skip);
    value[n - skip] = 0;
    if (dns && value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*")]) return NULL;
    ASN1_STRING *s = dns ? ASN1_IA5STRING_new() : a2i_IPADDRESS(value);
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!s || !name || (dns && ASN1_STRING_set(s, value, (int)(n - skip)) != 1)) {
        ASN1_STRING_free(s);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, dns ? GEN_DNS : GEN_IPADD, s);
    return name;
}

static bool san_fill(GENERAL_NAMES *names, const char *list) {
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        GENERAL_NAME *name = sk_GENERAL_NAME_num(names) < SAN_MAX ? san_name(at, n) : NULL;
        if (!name || sk_GENERAL_NAME_push(names, name) <= 0) {
            GENERAL_NAME_free(name);
            return false;
        }
        at += n + (at[n] == ',');
    }
    return sk_GENERAL_NAME_num(names) > 0;
}

static chop_err add_san(X509 *cert, const char *san) {
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool read = names && san_fill(names, san);
    bool added = read && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(names);
    ERR_clear_error();
    if (!read) return CHOP_FAIL(EINVAL, "san", "not a list like DNS:localhost,IP:127.0.0.1");
    return added ? NULL : crypto_failed("naming a certificate");
}

/* ---- leaves ---- */

static chop_err read_ca(struct chop_bytes pem, const struct crypto_key *ca, X509 **ret_cert) {
    if (pem.n > CSR_MAX) return CHOP_ERR(ELIMIT);
    BIO *in = BIO_new_mem_buf(pem.p, (int)pem.n);
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    bool fits = cert && X509_check_private_key(cert, ca->pkey) == 1;
    ERR_clear_error();
    if (fits) {
        *ret_cert = cert;
        return NULL;
    }
    bool any = cert != NULL;
    X509_free(cert);
    if (any) return CHOP_FAIL(EMISMATCH, NULL, "the CA certificate is of another key");
    return CHOP_FAIL(EINVAL, NULL, "the CA certificate is not PEM");
}

/* A key for one side only: a stolen server key must not pass for a client, nor a printer's for the broker. */
static bool add_leaf_extensions(X509 *cert, X509 *issuer, bool server) {
    const struct extension rows[] = {
        { NID_basic_constraints, "critical,CA:FALSE" },
        { NID_key_usage, "critical,digitalSignature" },
        { NID_ext_key_usage, server ? "serverAuth" : "clientAuth" },
        { NID_subject_key_identifier, "hash" },
        { NID_authority_key_identifier, "keyid:always" },
    };
    return add_extensions(cert, issuer, rows, CHOP_COUNT(rows));
}

chop_err crypto_cert_issue(const struct crypto_key *ca, struct chop_bytes ca_pem, const struct crypto_key *subject_key,
    const char *common_name, const char *san, bool server, int days, struct arena *mem, struct chop_bytes *ret_pem) {
    TRY(must_sign_p256(ca));
    if (subject_key->alg != CRYPTO_ES256) return CHOP_FAIL(EINVAL, NULL, "certificates need a P-256 key");
    CHOP_CLEANUP(x509_free_p) X509 *issuer = NULL, *cert = X509_new();
    TRY(read_ca(ca_pem, ca, &issuer));
    if (!cert || !set_frame(cert, subject_key, days)) return crypto_failed("making a certificate");
    TRY(set_common_name(X509_get_subject_name(cert), common_name));
    if (X509_set_issuer_name(cert, X509_get_subject_name(issuer)) != 1 || !add_leaf_extensions(cert, issuer, server))
        return crypto_failed("making a certificate");
    if (san) TRY(add_san(cert, san));
    return finish(cert, ca, mem, ret_pem);
}

/* ---- requests ---- */

chop_err crypto_csr_new(
    const struct crypto_key *k, const char *common_name, struct arena *mem, struct chop_bytes *ret_der) {
    TRY(must_sign_p256(k));
    CHOP_CLEANUP(req_free_p) X509_REQ *req = X509_REQ_new();
    if (!req || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 || X509_REQ_set_pubkey(req, k->pkey) != 1)
        return crypto_failed("making a request");
    TRY(set_common_name(X509_REQ_get_subject_name(req), common_name));
    if (X509_REQ_sign(req, k->pkey, crypto_algs()->sha256) <= 0) return crypto_failed("signing a request");
    unsigned char *der = NULL;
    int n = i2d_X509_REQ(req, &der);
    if (n <= 0) return crypto_failed("writing a request");
    uint8_t *copy = arena_alloc(mem, (size_t)n);
    if (copy) memcpy(copy, der, (size_t)n);
    OPENSSL_free(der);
    if (!copy) return CHOP_ERR(EMEMORY);
    *ret_der = CHOP_BYTES(copy, (size_t)n);
    return NULL;
}

static chop_err csr_key(X509_REQ *req, struct crypto_key **ret_key) {
    unsigned char *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_REQ_get_X509_PUBKEY(req), &spki);
    if (n <= 0) return crypto_failed("reading a request");
    chop_err e = crypto_key_from_spki(CHOP_BYTES(spki, (size_t)n), ret_key);
    OPENSSL_free(spki);
    return e;
}

/* One algorithm is pinned: what the request says of its own signature must be ECDSA with SHA-256. */
static chop_err csr_check(X509_REQ *req, const struct crypto_key *k) {
    if (k->alg != CRYPTO_ES256) return CHOP_FAIL(EINVAL, NULL, "the request's key is not P-256");
    bool ok = X509_REQ_get_signature_nid(req) == NID_ecdsa_with_SHA256 && X509_REQ_verify(req, k->pkey) == 1;
    ERR_clear_error();
    return ok ? NULL : CHOP_FAIL(ESIGNATURE, NULL, "the request is not signed by its own key");
}

chop_err crypto_csr_read(struct chop_bytes der, struct crypto_key **ret_key) {
    if (der.n > CSR_MAX) return CHOP_FAIL(ELIMIT, NULL, "a request of %zu bytes", der.n);
    const unsigned char *at = der.p;
    CHOP_CLEANUP(req_free_p) X509_REQ *req = d2i_X509_REQ(NULL, &at, (long)der.n);
    ERR_clear_error();
    if (!req || at != der.p + der.n) return CHOP_FAIL(EINVAL, NULL, "not a PKCS#10 request in DER");
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    TRY(csr_key(req, &k));
    TRY(csr_check(req, k));
    *ret_key = CHOP_STEAL(k);
    return NULL;
}
