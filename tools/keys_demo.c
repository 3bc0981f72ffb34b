/* TLS certificates, the certificate authority, and all of a deployment at once. */
#include "keys.h"

#define CA_DAYS 3650
#define TLS_DAYS 825

chop_err tls_issue(
    const struct crypto_key *ca, struct chop_bytes ca_pem, const struct tls_spec *spec, struct arena *mem) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    struct chop_bytes pem;
    TRY(file_must_be_new(spec->key_path));
    TRY(file_must_be_new(spec->cert_path));
    TRY(crypto_key_generate(CRYPTO_ES256, &k));
    TRY(crypto_cert_issue(ca, ca_pem, k, spec->common_name, spec->san, spec->server, spec->days, mem, &pem));
    TRY(crypto_key_save(k, spec->key_path));
    return file_write(spec->cert_path, pem, 0644);
}

chop_err ca_make(struct deployment *d, const char *key_path, const char *cert_path, struct crypto_key **ret_ca,
    struct chop_bytes *ret_pem) {
    const struct key_spec spec = { "identity-ca", "identity-ca", NULL, CA_DAYS };
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ca = NULL;
    struct chop_bytes pem;
    TRY(file_must_be_new(cert_path));
    TRY(deployment_add_new(d, &spec, CRYPTO_ES256, key_path, &ca));
    TRY(crypto_ca_new(ca, "Chopmark device CA", CA_DAYS, d->mem, &pem));
    TRY(file_write(cert_path, pem, 0644));
    if (ret_pem) *ret_pem = pem;
    if (ret_ca) *ret_ca = CHOP_STEAL(ca);
    return NULL;
}

static const struct {
    const char *purpose, *name, *file;
} demo_keys[] = {
    { "identity", "identity", "identity.pem" },
    { "authorization", "authorization", "authorization.pem" },
    { "issuance", "issuance", "issuance.pem" },
    { "bridge", "bridge", "bridge.pem" },
    { "registry", "police", "registry-police.pem" },
    { "registry", "third-party", "registry-third-party.pem" },
    { "registry", "internal", "registry-internal.pem" },
};

static const char *const demo_data_keys[] = { "files.key", "cipher.key", "verify.key" };

static chop_err make_service_keys(struct deployment *d) {
    for (size_t i = 0; i < CHOP_COUNT(demo_keys); i++) {
        const struct key_spec spec = { demo_keys[i].purpose, demo_keys[i].name, NULL, CA_DAYS };
        TRY(deployment_add_new(d, &spec, CRYPTO_ES256, deployment_path(d, demo_keys[i].file), NULL));
    }
    return NULL;
}

static chop_err make_data_keys(const struct deployment *d) {
    for (size_t i = 0; i < CHOP_COUNT(demo_data_keys); i++) {
        const char *path = deployment_path(d, demo_data_keys[i]);
        uint8_t key[32];
        chop_random(key, sizeof key);
        TRY(file_must_be_new(path));
        TRY(file_write(path, CHOP_BYTES(key, sizeof key), 0600));
    }
    return NULL;
}

static chop_err make_hpke_key(const struct deployment *d) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    const char *path = deployment_path(d, "issuance-hpke.pem");
    TRY(file_must_be_new(path));
    TRY(crypto_key_generate(CRYPTO_ES256, &k));
    TRY(crypto_key_save(k, path));
    return file_write(deployment_path(d, "issuance-hpke.spki"), crypto_key_spki(k), 0644); /* what authorization seals to */
}

static chop_err make_tls(struct deployment *d) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ca = NULL;
    struct chop_bytes pem;
    TRY(ca_make(d, deployment_path(d, "identity-ca.pem"), deployment_path(d, "ca.crt"), &ca, &pem));
    const struct tls_spec server = { "localhost", "DNS:localhost,IP:127.0.0.1", true, TLS_DAYS,
        deployment_path(d, "mqtt-server.key"), deployment_path(d, "mqtt-server.crt") };
    TRY(tls_issue(ca, pem, &server, d->mem));
    const struct tls_spec bridge = { "bridge", NULL, false, TLS_DAYS, deployment_path(d, "bridge-tls.key"),
        deployment_path(d, "bridge.crt") };
    return tls_issue(ca, pem, &bridge, d->mem);
}

static chop_err fill(struct deployment *d) {
    TRY(make_service_keys(d));
    TRY(make_tls(d));
    TRY(make_hpke_key(d));
    TRY(make_data_keys(d));
    return deployment_save(d);
}

chop_err demo_make(const char *dir, struct arena *mem) {
    CHOP_CLEANUP(deployment_done) struct deployment d = { 0 };
    TRY(deployment_init(&d, dir, mem));
    return fill(&d);
}
