#include "fixture_internal.h"

#include "common.pb-c.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* By purpose; and more for authorization and identity, of an organization alone. */
static const char *const purposes[] = { "identity", "identity-ca", "authorization", "issuance", "bridge", "registry",
    "authorization-org_b", "identity-org_b" };

static struct crypto_key *keys[CHOP_COUNT(purposes)], *root;
static struct trust *trust;

static size_t purpose_index(const char *purpose) {
    for (size_t i = 0; i < CHOP_COUNT(purposes); i++)
        if (strcmp(purposes[i], purpose) == 0) return i;
    fixture_die("no key of purpose %s", purpose);
}

const char *fixture_keys_dir(void) {
    return fixture_text("%s/keys", fixture_dir());
}

const char *fixture_key_path(const char *purpose) {
    return fixture_text("%s/keys/%s.pem", fixture_dir(), purpose);
}

const char *fixture_ca_cert_path(void) {
    return fixture_text("%s/keys/ca.crt", fixture_dir());
}

static void write_file(const char *path, struct chop_bytes b) {
    FILE *f = fopen(path, "we");
    if (!f || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0) fixture_die("%s: cannot write it", path);
}

static void entry_fill(Pb__KeyEntry *e, size_t i) {
    *e = (Pb__KeyEntry)PB__KEY_ENTRY__INIT;
    e->kid = PB_STR(crypto_key_kid(keys[i]));
    e->purpose = PB_STR(purposes[i]);
    const char *of = strstr(purposes[i], "-org_b");
    if (of) {
        e->purpose = PB_STR(fixture_text("%.*s", (int)(of - purposes[i]), purposes[i]));
        e->organization_id = PB_STR("org_b");
    }
    if (strcmp(purposes[i], "registry") == 0) e->name = PB_STR("police"); /* a registry's key names its registry */
    e->algorithm = PB_STR(crypto_alg_name(crypto_key_alg(keys[i])));
    e->public_key = PB_BIN(crypto_key_spki(keys[i]));
    e->not_before = chop_now_ms() - (int64_t)86400000;
    e->not_after = chop_now_ms() + (int64_t)86400000 * 365;
}

static struct chop_bytes manifest_make(void) {
    Pb__KeyManifest m = PB__KEY_MANIFEST__INIT;
    Pb__KeyEntry entries[CHOP_COUNT(purposes)], *list[CHOP_COUNT(purposes)];
    for (size_t i = 0; i < CHOP_COUNT(purposes); i++) {
        entry_fill(&entries[i], i);
        list[i] = &entries[i];
    }
    m.version = 1;
    m.issued_at = chop_now_ms();
    m.n_entries = CHOP_COUNT(purposes);
    m.entries = list;
    struct chop_bytes payload, packed;
    fixture_must(pb_pack(&m, fixture_mem(), &payload), "manifest");
    fixture_must(trust_sign_packed(root, NULL, "manifest", payload, fixture_mem(), &packed), "manifest");
    return packed;
}

void fixture_keys_up(void) {
    if (root) return;
    struct chop_bytes cert, manifest;
    if (mkdir(fixture_keys_dir(), 0700) != 0) fixture_die("cannot make %s", fixture_keys_dir());
    fixture_must(crypto_key_generate(CRYPTO_ES256, &root), "root key");
    for (size_t i = 0; i < CHOP_COUNT(purposes); i++) {
        fixture_must(crypto_key_generate(CRYPTO_ES256, &keys[i]), "key");
        fixture_must(crypto_key_save(keys[i], fixture_key_path(purposes[i])), "key");
    }
    fixture_must(crypto_ca_new(keys[purpose_index("identity-ca")], "Chopmark test CA", 30, fixture_mem(), &cert), "CA");
    write_file(fixture_ca_cert_path(), cert);
    manifest = manifest_make();
    write_file(fixture_text("%s/root.spki", fixture_keys_dir()), crypto_key_spki(root));
    write_file(fixture_text("%s/manifest.signed", fixture_keys_dir()), manifest);
    fixture_must(trust_new(crypto_key_spki(root), manifest, 0, &trust), "trust");
}

const struct crypto_key *fixture_key(const char *purpose) {
    fixture_up(FIX_KEYS);
    return keys[purpose_index(purpose)];
}

const struct trust *fixture_trust(void) {
    fixture_up(FIX_KEYS);
    return trust;
}

struct chop_bytes fixture_sign(const char *purpose, const char *type, const void *message) {
    struct chop_bytes payload, packed;
    fixture_must(pb_pack(message, fixture_mem(), &payload), type);
    fixture_must(trust_sign_packed(fixture_key(purpose), NULL, type, payload, fixture_mem(), &packed), type);
    return packed;
}

void fixture_keys_free(void) {
    for (size_t i = 0; i < CHOP_COUNT(purposes); i++)
        crypto_key_free(keys[i]);
    crypto_key_free(root);
    trust_free(trust);
    memset(keys, 0, sizeof keys);
    root = NULL;
    trust = NULL;
}
