#include "trust_internal.h"

#include "pb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_MAX_BYTES ((size_t)1 << 20)
#define MANIFEST_MAX_ENTRIES 1000
#define ARENA_LIMIT ((size_t)16 << 20)

struct trust {
    struct arena *mem;
    struct crypto_key *root;
    Pb__KeyManifest *manifest;
    struct crypto_key **keys; /* one an entry: parsed at load, so that verifying parses nothing */
};

static void trust_free_p(struct trust **t) {
    trust_free(*t);
}

void trust_free(struct trust *t) {
    if (!t) return;
    for (size_t i = 0; t->keys && i < t->manifest->n_entries; i++)
        crypto_key_free(t->keys[i]);
    crypto_key_free(t->root);
    arena_free(t->mem);
    free(t);
}

uint64_t trust_version(const struct trust *t) {
    return t->manifest->version;
}

/* ---- loading ---- */

static const char *const purposes[] = { "identity", "identity-ca", "authorization", "issuance", "bridge", "registry" };

static bool known_purpose(const char *purpose) {
    for (size_t i = 0; i < CHOP_COUNT(purposes); i++)
        if (strcmp(purposes[i], purpose) == 0) return true;
    return false;
}

static chop_err check_unique(const struct trust *t, size_t nth) {
    const char *kid = t->manifest->entries[nth]->kid;
    for (size_t i = 0; i < nth; i++)
        if (strcmp(t->manifest->entries[i]->kid, kid) == 0)
            return CHOP_FAIL(EINVAL, "entries", "two keys named %s", kid);
    return NULL;
}

/* The algorithm is pinned by the entry: the key's own encoding must say the same. */
static chop_err load_entry(struct trust *t, size_t nth) {
    const Pb__KeyEntry *e = t->manifest->entries[nth];
    enum crypto_alg alg;
    if (!e->kid[0] || !known_purpose(e->purpose))
        return CHOP_FAIL(EINVAL, "entries", "key %zu has no kid or an unknown purpose", nth);
    TRY(check_unique(t, nth));
    TRY(crypto_alg_by_name(e->algorithm, &alg));
    TRY(crypto_key_from_spki(PB_BYTES(e->public_key), &t->keys[nth]));
    if (crypto_key_alg(t->keys[nth]) != alg)
        return CHOP_FAIL(EINVAL, "entries", "key %s is not of %s", e->kid, e->algorithm);
    return NULL;
}

static chop_err load_entries(struct trust *t) {
    if (t->manifest->n_entries > MANIFEST_MAX_ENTRIES)
        return CHOP_FAIL(ELIMIT, "entries", "more than %d keys", MANIFEST_MAX_ENTRIES);
    t->keys = ARENA_ARRAY(t->mem, struct crypto_key *, t->manifest->n_entries);
    if (!t->keys) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < t->manifest->n_entries; i++)
        TRY(load_entry(t, i));
    return NULL;
}

static chop_err open_manifest(struct trust *t, struct chop_bytes manifest_signed) {
    Pb__Signed *s = NULL;
    const struct trust_type *row;
    TRY(PB_UNPACK(pb__signed, manifest_signed, t->mem, &s));
    TRY(trust_check_type(s, "manifest", TRUST_BY_ROOT, &row));
    if (strcmp(s->kid, crypto_key_kid(t->root)) != 0)
        return CHOP_FAIL(ESIGNATURE, NULL, "the manifest is signed by another root");
    TRY(trust_check_signature(t->root, s));
    return PB_UNPACK(pb__key_manifest, PB_BYTES(s->payload), t->mem, &t->manifest);
}

chop_err trust_new(
    struct chop_bytes root_spki, struct chop_bytes manifest_signed, uint64_t min_version, struct trust **ret_trust) {
    if (manifest_signed.n > MANIFEST_MAX_BYTES) return CHOP_FAIL(ELIMIT, NULL, "the manifest is too large");
    CHOP_CLEANUP(trust_free_p) struct trust *t = calloc(1, sizeof *t);
    if (!t || !(t->mem = arena_new(ARENA_LIMIT))) return CHOP_ERR(EMEMORY);
    TRY(crypto_key_from_spki(root_spki, &t->root));
    TRY(open_manifest(t, manifest_signed));
    if (t->manifest->version < min_version)
        return CHOP_FAIL(EMISMATCH, NULL, "manifest %llu is older than %llu, which was in force already",
            (unsigned long long)t->manifest->version, (unsigned long long)min_version);
    TRY(load_entries(t));
    *ret_trust = CHOP_STEAL(t);
    return NULL;
}

static chop_err read_file(const char *dir, const char *name, uint8_t *buf, size_t size, struct chop_bytes *ret_data) {
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "rbe");
    if (!f) return CHOP_FAIL(EINVAL, NULL, "%s: %m", path);
    size_t n = fread(buf, 1, size, f);
    bool whole = feof(f) && !ferror(f);
    (void)fclose(f);
    if (!whole) return CHOP_FAIL(EINVAL, NULL, "%s: unreadable or too large", path);
    *ret_data = CHOP_BYTES(buf, n);
    return NULL;
}

chop_err trust_load(const char *dir, uint64_t min_version, struct trust **ret_trust) {
    uint8_t spki[256];
    CHOP_FREE uint8_t *manifest = malloc(MANIFEST_MAX_BYTES + 1);
    struct chop_bytes root_spki, manifest_signed;
    if (!manifest) return CHOP_ERR(EMEMORY);
    TRY(read_file(dir, "root.spki", spki, sizeof spki, &root_spki));
    TRY(read_file(dir, "manifest.signed", manifest, MANIFEST_MAX_BYTES + 1, &manifest_signed));
    return trust_new(root_spki, manifest_signed, min_version, ret_trust);
}

/* ---- verifying ---- */

static bool valid_at(const Pb__KeyEntry *e, int64_t at) {
    return at >= e->not_before && at < e->not_after && (e->revoked_at == 0 || at < e->revoked_at);
}

const Pb__KeyEntry *trust_find(const struct trust *t, const char *purpose, int64_t at) {
    for (size_t i = 0; i < t->manifest->n_entries; i++) {
        const Pb__KeyEntry *e = t->manifest->entries[i];
        if (strcmp(e->purpose, purpose) == 0 && valid_at(e, at)) return e;
    }
    return NULL;
}

chop_err trust_check_type(
    const Pb__Signed *s, const char *type, enum trust_signer signer, const struct trust_type **ret_type) {
    const struct trust_type *row = trust_type_find(type);
    if (!row || row->signer != signer) return CHOP_FAIL(EMISMATCH, NULL, "no such signer signs a %s", type);
    if (strcmp(s->type, type) != 0) return CHOP_FAIL(EMISMATCH, NULL, "a %.32s, not a %s", s->type, type);
    *ret_type = row;
    return NULL;
}

static bool find_kid(const struct trust *t, const char *kid, size_t *ret_nth) {
    for (size_t i = 0; i < t->manifest->n_entries; i++) {
        if (strcmp(t->manifest->entries[i]->kid, kid) != 0) continue;
        *ret_nth = i;
        return true;
    }
    return false;
}

chop_err trust_check_statement(
    const struct trust *t, const Pb__Signed *s, const struct trust_type *type, const Pb__KeyEntry **ret_entry) {
    size_t nth;
    if (!find_kid(t, s->kid, &nth)) return CHOP_FAIL(ESIGNATURE, NULL, "no key %.64s is in the manifest", s->kid);
    const Pb__KeyEntry *e = t->manifest->entries[nth];
    if (!trust_type_allows(type, e->purpose))
        return CHOP_FAIL(EMISMATCH, NULL, "a key for %s may not sign a %s", e->purpose, type->name);
    TRY(trust_check_signature(t->keys[nth], s));
    *ret_entry = e;
    return NULL;
}

chop_err trust_verify(
    const struct trust *t, const Pb__Signed *s, const char *type, int64_t at, const Pb__KeyEntry **ret_entry) {
    const struct trust_type *row;
    const Pb__KeyEntry *e;
    TRY(trust_check_type(s, type, TRUST_BY_MANIFEST, &row));
    TRY(trust_check_statement(t, s, row, &e));
    if (!valid_at(e, at)) return CHOP_FAIL(EEXPIRED, NULL, "key %s was not valid then", e->kid);
    if (ret_entry) *ret_entry = e;
    return NULL;
}

bool trust_key_serves(const Pb__KeyEntry *entry, const char *organization_id) {
    return entry->organization_id[0] == 0 || strcmp(entry->organization_id, organization_id) == 0;
}

chop_err trust_verify_packed(const struct trust *t, struct chop_bytes packed, const char *type, int64_t at,
    struct arena *mem, Pb__Signed **ret_signed) {
    Pb__Signed *s = NULL;
    TRY(PB_UNPACK(pb__signed, packed, mem, &s));
    TRY(trust_verify(t, s, type, at, NULL));
    *ret_signed = s;
    return NULL;
}
