#include "crypto_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_MAX 16384

struct pem {
    char *name, *header;
    unsigned char *der;
    long n;
};

static void pem_done(struct pem *p) {
    OPENSSL_free(p->name);
    OPENSSL_free(p->header);
    if (p->der) OPENSSL_clear_free(p->der, (size_t)p->n);
}

static chop_err pem_decode(struct chop_bytes text, struct pem *p) {
    if (text.n > PEM_MAX) return CHOP_FAIL(ELIMIT, NULL, "a key of %zu bytes", text.n);
    BIO *in = BIO_new_mem_buf(text.p, (int)text.n);
    int ok = in && PEM_read_bio(in, &p->name, &p->header, &p->der, &p->n);
    BIO_free(in);
    ERR_clear_error();
    if (!ok) return CHOP_FAIL(EINVAL, NULL, "not PEM");
    /* A header means encryption (RFC 1421): there is nobody to ask for a password. */
    if (p->header[0]) return CHOP_FAIL(EINVAL, NULL, "the key is encrypted");
    return NULL;
}

static EVP_PKEY *pkcs8_decode(const struct pem *p) {
    const unsigned char *at = p->der;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, p->n);
    EVP_PKEY *pkey = info && at == p->der + p->n ? EVP_PKCS82PKEY(info) : NULL;
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    return pkey;
}

/* Whether public and private part belong together: a file that mixes two keys would sign what nobody verifies. */
static bool pair_fits(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool fits = ctx && EVP_PKEY_pairwise_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return fits;
}

static chop_err private_decode(const struct pem *p, struct crypto_key **ret_key) {
    EVP_PKEY *pkey = pkcs8_decode(p);
    if (!pkey) return CHOP_FAIL(EINVAL, NULL, "not a PKCS#8 private key");
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    TRY(crypto_key_wrap(pkey, true, &k));
    if (!pair_fits(pkey)) return CHOP_FAIL(EINVAL, NULL, "the key's two parts do not belong together");
    *ret_key = CHOP_STEAL(k);
    return NULL;
}

chop_err crypto_key_from_pem(struct chop_bytes pem, struct crypto_key **ret_key) {
    CHOP_CLEANUP(pem_done) struct pem p = { 0 };
    TRY(pem_decode(pem, &p));
    if (strcmp(p.name, "PUBLIC KEY") == 0) return crypto_key_from_spki(CHOP_BYTES(p.der, (size_t)p.n), ret_key);
    if (strcmp(p.name, "PRIVATE KEY") == 0) return private_decode(&p, ret_key);
    return CHOP_FAIL(EINVAL, NULL, "PEM holds neither PRIVATE KEY (PKCS#8, unencrypted) nor PUBLIC KEY");
}

/* ---- files ---- */

static chop_err check_mode(int fd, const char *path) {
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) return CHOP_FAIL(EINVAL, NULL, "%s: not a file", path);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return CHOP_FAIL(EDENIED, NULL, "%s: others may use this private key (mode %03o): chmod 600", path,
            (unsigned)(st.st_mode & 0777));
    return NULL;
}

static chop_err read_all(int fd, const char *path, uint8_t *buf, size_t size, size_t *ret_n) {
    size_t n = 0;
    for (ssize_t got = 1; got != 0 && n < size;) {
        got = read(fd, buf + n, size - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
        n += (size_t)got;
    }
    *ret_n = n;
    return NULL;
}

static chop_err load_private(const char *path, struct chop_bytes pem, struct crypto_key **ret_key) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    TRY(crypto_key_from_pem(pem, &k));
    if (!k->private) return CHOP_FAIL(EINVAL, NULL, "%s: a public key", path);
    *ret_key = CHOP_STEAL(k);
    return NULL;
}

chop_err crypto_key_load(const char *path, struct crypto_key **ret_key) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    TRY(check_mode(fd, path));
    uint8_t buf[PEM_MAX + 1];
    size_t n = 0;
    chop_err e = read_all(fd, path, buf, sizeof buf, &n);
    if (!e) e = load_private(path, CHOP_BYTES(buf, n), ret_key);
    OPENSSL_cleanse(buf, sizeof buf);
    return e;
}

chop_err crypto_key_to_pem(const struct crypto_key *k, char **ret_pem, size_t *ret_n) {
    if (!k->private) return CHOP_FAIL(EINVAL, NULL, "the key has no private part");
    BIO *out = BIO_new(BIO_s_mem());
    char *data = NULL, *copy = NULL;
    long n = 0;
    if (out && PEM_write_bio_PKCS8PrivateKey(out, k->pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        n = BIO_get_mem_data(out, &data);
        copy = n > 0 ? OPENSSL_memdup(data, (size_t)n) : NULL;
        OPENSSL_cleanse(data, (size_t)n);
    }
    BIO_free(out);
    if (!copy) return crypto_failed("writing a key");
    *ret_pem = copy;
    *ret_n = (size_t)n;
    return NULL;
}

void crypto_pem_free(char *pem, size_t n) {
    OPENSSL_clear_free(pem, n);
}

static bool write_synced(int fd, const char *p, size_t n) {
    for (size_t done = 0; done < n;) {
        ssize_t put = write(fd, p + done, n - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        done += (size_t)put;
    }
    return fsync(fd) == 0;
}

/* The name becomes durable with its directory. */
static bool sync_directory_of(const char *path) {
    char dir[4096];
    const char *slash = strrchr(path, '/');
    int n = slash ? (int)(slash - path) : 1;
    (void)snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : n, slash ? path : ".");
    CHOP_CLEANUP(chop_close_p) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

static chop_err save_pem(const char *path, const char *pem, size_t n) {
    char tmp[4096];
    uint32_t tail;
    chop_random(&tail, sizeof tail);
    int len = snprintf(tmp, sizeof tmp, "%s.%08x", path, tail);
    if (len < 0 || (size_t)len >= sizeof tmp) return CHOP_FAIL(EINVAL, NULL, "the path is too long");
    CHOP_CLEANUP(chop_close_p) int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", tmp, strerror(errno));
    if (write_synced(fd, pem, n) && rename(tmp, path) == 0 && sync_directory_of(path)) return NULL;
    int why = errno;
    (void)unlink(tmp);
    return CHOP_FAIL(EINTERNAL, NULL, "%s: %s", path, strerror(why));
}

chop_err crypto_key_save(const struct crypto_key *k, const char *path) {
    char *pem = NULL;
    size_t n = 0;
    TRY(crypto_key_to_pem(k, &pem, &n));
    chop_err e = save_pem(path, pem, n);
    crypto_pem_free(pem, n);
    return e;
}
