/* keys: the trust material of one deployment, a directory:
 *   root/root.pem     the root key (0600 in a directory of 0700): to be carried away and kept offline
 *   root.spki         its public half, which everybody pins
 *   manifest.signed   the key manifest, signed by the root; every change raises its version
 * and, where the one who types chooses to put them there, keys and certificates of services. */
#pragma once
#include "trust.h"

#include "common.pb-c.h"

#define KEYS_ENTRIES_MAX 1000
#define DAY_MS ((int64_t)86400000)

/* ---- files (keys_files.c) ---- */
chop_err file_read(const char *path, size_t limit, struct arena *mem, struct chop_bytes *ret_data) CHOP_MUSTCHECK;
/* Replaces the file as a whole, durably. */
chop_err file_write(const char *path, struct chop_bytes data, unsigned mode) CHOP_MUSTCHECK;
/* EEXISTS: no key is ever overwritten. */
chop_err file_must_be_new(const char *path) CHOP_MUSTCHECK;
/* Makes the directory, or finds it there. */
chop_err dir_make(const char *path, unsigned mode) CHOP_MUSTCHECK;

/* ---- deployment (keys_deployment.c) ---- */
struct deployment {
    const char *dir;
    struct arena *mem;
    struct crypto_key *root;
    Pb__KeyManifest manifest;
    Pb__KeyEntry *entries[KEYS_ENTRIES_MAX];
    int lock; /* held while open: two changes at once would both be version n + 1 */
};
/* Zeroed before; deployment_done frees what either opened. */
chop_err deployment_init(struct deployment *d, const char *dir, struct arena *mem) CHOP_MUSTCHECK;
chop_err deployment_open(struct deployment *d, const char *dir, struct arena *mem) CHOP_MUSTCHECK;
void deployment_done(struct deployment *d);
/* Signs and writes the manifest with the next version. */
chop_err deployment_save(struct deployment *d) CHOP_MUSTCHECK;

struct key_spec {
    const char *purpose, *name, *organization_id;
    int days;
};
/* In memory, until deployment_save. EEXISTS where the key is in the manifest already: one key, one purpose. */
chop_err deployment_add(struct deployment *d, const struct key_spec *spec, const struct crypto_key *k) CHOP_MUSTCHECK;
chop_err deployment_revoke(struct deployment *d, const char *kid) CHOP_MUSTCHECK;
/* A new key, into a new file and into the manifest. */
chop_err deployment_add_new(struct deployment *d, const struct key_spec *spec, enum crypto_alg alg, const char *path,
    struct crypto_key **ret_key) CHOP_MUSTCHECK;
/* "DIR/name" in the arena. */
const char *deployment_path(const struct deployment *d, const char *name);

/* ---- TLS and whole deployments ---- */
struct tls_spec {
    const char *common_name, *san;
    bool server;
    int days;
    const char *key_path, *cert_path;
};
/* A key and its certificate under the CA, into two new files. */
chop_err tls_issue(const struct crypto_key *ca, struct chop_bytes ca_pem, const struct tls_spec *spec,
    struct arena *mem) CHOP_MUSTCHECK;
/* identity-ca: key into the manifest, self-signed certificate beside it. */
chop_err ca_make(struct deployment *d, const char *key_path, const char *cert_path, struct crypto_key **ret_ca,
    struct chop_bytes *ret_pem) CHOP_MUSTCHECK;
/* Everything that one machine needs to run all parts (keys_demo.c). */
chop_err demo_make(const char *dir, struct arena *mem) CHOP_MUSTCHECK;
