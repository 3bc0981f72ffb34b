#include "cli.h"

#include "common.pb-c.h"
#include "identity.pb-c.h"

#include <stdio.h>
#include <string.h>

#define KEYS_MAX ((size_t)2 << 20)

/* First contact: the root key is believed and remembered, and its fingerprint shown, to be compared by other means. */
static chop_err pin_root(struct cli *c, struct chop_bytes root, const char *path) {
    uint8_t digest[32];
    crypto_sha256(root, digest);
    const char *hex = arena_hex(c->mem, CHOP_BYTES(digest, 32)), *wanted = cli_option(c, "root");
    if (wanted && strcasecmp(wanted, hex) != 0) return CHOP_FAIL(ESIGNATURE, NULL, "the server's root key is %s", hex);
    if (!wanted) fprintf(stderr, "chop: pinned this deployment's root key, SHA-256 %s\n", hex);
    return local_write(c, path, root);
}

static chop_err root_of(struct cli *c, const Pb__Keys *keys, struct chop_bytes *ret_root) {
    const char *path = profile_path(c, "root.spki");
    if (!local_exists(path)) TRY(pin_root(c, PB_BYTES(keys->root_spki), path));
    TRY(local_read(c, path, 4096, ret_root));
    if (chop_bytes_equal(*ret_root, PB_BYTES(keys->root_spki))) return NULL;
    return CHOP_FAIL(ESIGNATURE, NULL, "the server shows another root key than the pinned one (%s)", path);
}

/* The highest version seen so far; 0 at first. */
static uint64_t version_seen(struct cli *c, struct chop_bytes root) {
    const char *path = profile_path(c, "manifest.signed");
    struct chop_bytes old;
    struct trust *t;
    if (!local_exists(path) || local_read(c, path, KEYS_MAX, &old) || trust_new(root, old, 0, &t)) return 0;
    uint64_t version = trust_version(t);
    trust_free(t);
    return version;
}

chop_err pin_trust(struct cli *c, const struct trust **ret_trust) {
    Pb__Keys *keys;
    struct chop_bytes root, manifest;
    if (!c->trust) {
        struct chop_bytes reply = c->reply; /* what the command itself was answered stays its answer */
        TRY(api_call(c, "GET", "/v1/keys", NULL, &pb__keys__descriptor, &keys));
        c->reply = reply;
        manifest = PB_BYTES(keys->manifest);
        TRY(root_of(c, keys, &root));
        uint64_t seen = version_seen(c, root);
        TRY(trust_new(root, manifest, seen, &c->trust));
        if (trust_version(c->trust) > seen) TRY(local_write(c, profile_path(c, "manifest.signed"), manifest));
    }
    *ret_trust = c->trust;
    return NULL;
}

chop_err pin_trust_local(struct cli *c, const struct trust **ret_trust) {
    struct chop_bytes root, manifest;
    if (!c->trust) {
        const char *path = profile_path(c, "manifest.signed");
        if (!local_exists(path)) return CHOP_FAIL(ESTATE, NULL, "no keys are pinned yet: chop keys, with a network");
        TRY(local_read(c, profile_path(c, "root.spki"), 4096, &root));
        TRY(local_read(c, path, KEYS_MAX, &manifest));
        TRY(trust_new(root, manifest, 0, &c->trust));
    }
    *ret_trust = c->trust;
    return NULL;
}
