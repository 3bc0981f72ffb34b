#include "keys.h"

#include "pb.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MANIFEST_MAX ((size_t)1 << 20)
#define BACKDATE_MS ((int64_t)300000) /* clocks of other machines run behind */

const char *deployment_path(const struct deployment *d, const char *name) {
    return arena_printf(d->mem, "%s/%s", d->dir, name);
}

static void deployment_start(struct deployment *d, const char *dir, struct arena *mem) {
    *d = (struct deployment){ .dir = dir, .mem = mem, .lock = -1 };
    pb__key_manifest__init(&d->manifest);
    d->manifest.entries = d->entries;
}

void deployment_done(struct deployment *d) {
    crypto_key_free(d->root);
    if (d->dir) chop_close_p(&d->lock);
}

static chop_err lock_root(struct deployment *d) {
    const char *path = deployment_path(d, "root");
    d->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (d->lock < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) != 0) return CHOP_FAIL(EBUSY, NULL, "%s: another chop-keys is at work", path);
    return NULL;
}

chop_err deployment_init(struct deployment *d, const char *dir, struct arena *mem) {
    deployment_start(d, dir, mem);
    TRY(dir_make(dir, 0755));
    TRY(dir_make(deployment_path(d, "root"), 0700));
    TRY(lock_root(d));
    TRY(file_must_be_new(deployment_path(d, "root/root.pem")));
    TRY(file_must_be_new(deployment_path(d, "root.spki")));
    TRY(file_must_be_new(deployment_path(d, "manifest.signed")));
    TRY(crypto_key_generate(CRYPTO_ES256, &d->root));
    TRY(crypto_key_save(d->root, deployment_path(d, "root/root.pem")));
    TRY(file_write(deployment_path(d, "root.spki"), crypto_key_spki(d->root), 0644));
    return deployment_save(d);
}

/* trust_new has verified these bytes. */
static chop_err read_entries(struct deployment *d, struct chop_bytes packed) {
    Pb__Signed *s = NULL;
    Pb__KeyManifest *m = NULL;
    TRY(PB_UNPACK(pb__signed, packed, d->mem, &s));
    TRY(PB_UNPACK(pb__key_manifest, PB_BYTES(s->payload), d->mem, &m));
    if (m->n_entries > KEYS_ENTRIES_MAX) return CHOP_FAIL(ELIMIT, NULL, "too many keys");
    d->manifest.version = m->version;
    d->manifest.n_entries = m->n_entries;
    for (size_t i = 0; i < m->n_entries; i++)
        d->entries[i] = m->entries[i];
    return NULL;
}

static chop_err check_manifest(const struct deployment *d, struct chop_bytes packed) {
    struct trust *t = NULL;
    TRY(trust_new(crypto_key_spki(d->root), packed, d->manifest.version, &t));
    trust_free(t);
    return NULL;
}

chop_err deployment_open(struct deployment *d, const char *dir, struct arena *mem) {
    struct chop_bytes packed;
    deployment_start(d, dir, mem);
    TRY(lock_root(d));
    TRY(crypto_key_load(deployment_path(d, "root/root.pem"), &d->root));
    TRY(file_read(deployment_path(d, "manifest.signed"), MANIFEST_MAX, mem, &packed));
    TRY(check_manifest(d, packed));
    return read_entries(d, packed);
}

/* What is written is first read as everybody will read it. */
chop_err deployment_save(struct deployment *d) {
    struct chop_bytes payload, packed;
    d->manifest.version++;
    d->manifest.issued_at = chop_now_ms();
    TRY(pb_pack(&d->manifest, d->mem, &payload));
    TRY(trust_sign_packed(d->root, NULL, "manifest", payload, d->mem, &packed));
    TRY(check_manifest(d, packed));
    return file_write(deployment_path(d, "manifest.signed"), packed, 0644);
}

static Pb__KeyEntry *find_entry(const struct deployment *d, const char *kid) {
    for (size_t i = 0; i < d->manifest.n_entries; i++)
        if (strcmp(d->entries[i]->kid, kid) == 0) return d->entries[i];
    return NULL;
}

chop_err deployment_add(struct deployment *d, const struct key_spec *spec, const struct crypto_key *k) {
    const char *kid = crypto_key_kid(k);
    if (find_entry(d, kid)) return CHOP_FAIL(EEXISTS, NULL, "key %s is in the manifest already", kid);
    if (d->manifest.n_entries == KEYS_ENTRIES_MAX) return CHOP_FAIL(ELIMIT, NULL, "too many keys");
    Pb__KeyEntry *e = PB_NEW(d->mem, Pb__KeyEntry, pb__key_entry);
    if (!e) return CHOP_ERR(EMEMORY);
    e->kid = arena_str(d->mem, kid);
    e->purpose = arena_str(d->mem, spec->purpose);
    e->name = arena_str(d->mem, spec->name ? spec->name : "");
    e->organization_id = arena_str(d->mem, spec->organization_id ? spec->organization_id : "");
    e->algorithm = PB_STR(crypto_alg_name(crypto_key_alg(k)));
    e->public_key = PB_BIN(arena_copy(d->mem, crypto_key_spki(k)));
    e->not_before = chop_now_ms() - BACKDATE_MS;
    e->not_after = chop_now_ms() + spec->days * DAY_MS;
    if (arena_failed(d->mem)) return CHOP_ERR(EMEMORY);
    d->entries[d->manifest.n_entries++] = e;
    return NULL;
}

chop_err deployment_add_new(struct deployment *d, const struct key_spec *spec, enum crypto_alg alg, const char *path,
    struct crypto_key **ret_key) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    TRY(file_must_be_new(path));
    TRY(crypto_key_generate(alg, &k));
    TRY(deployment_add(d, spec, k));
    TRY(crypto_key_save(k, path));
    if (ret_key) *ret_key = CHOP_STEAL(k);
    return NULL;
}

chop_err deployment_revoke(struct deployment *d, const char *kid) {
    Pb__KeyEntry *e = find_entry(d, kid);
    if (!e) return CHOP_FAIL(ENOTFOUND, NULL, "no key %s in the manifest", kid);
    if (e->revoked_at) return CHOP_FAIL(ESTATE, NULL, "key %s is revoked already", kid);
    e->revoked_at = chop_now_ms();
    return NULL;
}
