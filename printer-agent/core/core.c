/* Start, time, manifest, challenges. */
#include "core_internal.h"

#define TIME_KEEP_MS 60000

chop_err core_refuse(struct printer_core *c, chop_err e, const char *check) {
    if (e) c->check = check;
    return e;
}

chop_err core_broken(struct printer_core *c, chop_err e) {
    if (!e) return NULL;
    c->broken = true;
    return core_refuse(c, e, "journal");
}

const char *printer_check(const struct printer_core *c) {
    return c->check ? c->check : "";
}

void core_sha256(const struct printer_core *c, struct chop_bytes data, uint8_t out[32]) {
    c->s.platform->sha256(c->s.platform->ctx, data, out);
}

bool core_same_digest(struct chop_bytes a, const uint8_t digest[32]) {
    return a.n == 32 && memcmp(a.p, digest, 32) == 0;
}

chop_err core_copy_id(char out[PRINTER_ID_SIZE], const char *id) {
    size_t n = strlen(id);
    if (n == 0 || n >= PRINTER_ID_SIZE) return CHOP_FAIL(EINVAL, NULL, "an id of %zu letters", n);
    memcpy(out, id, n + 1);
    return NULL;
}

int64_t printer_now(struct printer_core *c) {
    int64_t now = c->s.platform->now(c->s.platform->ctx);
    if (now < c->at.signed_time) now = c->at.signed_time;
    return now < c->at.last_time ? c->at.last_time : now;
}

/* ---- manifest ---- */
/* Verifies under the root and gives the version; scratch is used. */
static chop_err manifest_read(struct printer_core *c, struct chop_bytes packed, uint64_t *ret_version) {
    Pb__Signed *s;
    Pb__KeyManifest *m;
    bump_reset(&c->scratch);
    TRY(BUMP_UNPACK(&c->scratch, pb__signed, packed, &s));
    TRY(keys_verify_with(c, "", c->s.root_spki, s, "manifest"));
    TRY(BUMP_UNPACK(&c->scratch, pb__key_manifest, PB_VIEW(s->payload), &m));
    *ret_version = m->version;
    return NULL;
}

static chop_err manifest_take(struct printer_core *c, struct chop_bytes packed, uint64_t version) {
    if (packed.n > c->s.manifest_size) return CHOP_ERR(ELIMIT);
    memmove(c->s.manifest_room, packed.p, packed.n);
    c->manifest_n = packed.n;
    c->manifest_version = version;
    return NULL;
}

chop_err printer_manifest(struct printer_core *c, struct chop_bytes packed) {
    uint64_t version = 0;
    c->check = "manifest";
    if (c->broken) return CHOP_ERR(ESTORE);
    TRY(manifest_read(c, packed, &version));
    if (version < c->manifest_version) return REFUSE(c, EEXPIRED, "manifest-version");
    if (version == c->manifest_version) return NULL;
    if (packed.n > c->s.manifest_size) return CHOP_ERR(ELIMIT);
    TRY(core_broken(c, c->s.journal->manifest_put(c->s.journal->ctx, packed)));
    return manifest_take(c, packed, version);
}

/* The newer of the journal's manifest and the enrolment's. */
static chop_err manifest_start(struct printer_core *c) {
    uint64_t version = 0;
    TRY(manifest_read(c, c->s.manifest, &version));
    TRY(manifest_take(c, c->s.manifest, version));
    size_t n = 0;
    bump_reset(&c->scratch);
    struct bump *b = &c->scratch;
    uint8_t *kept = bump_take(b, c->s.manifest_size);
    if (!kept) return CHOP_ERR(EMEMORY);
    chop_err e = c->s.journal->manifest_get(c->s.journal->ctx, kept, c->s.manifest_size, &n);
    if (e) return e == CHOP_ERR(ENOTFOUND) ? NULL : e;
    /* Reading resets the scratch, so the bytes go behind what it will use: into the job memory. */
    bump_reset(&c->job_mem);
    uint8_t *copy = bump_take(&c->job_mem, n);
    if (!copy) return CHOP_ERR(EMEMORY);
    memcpy(copy, kept, n);
    TRY(manifest_read(c, CHOP_BYTES(copy, n), &version));
    return version > c->manifest_version ? manifest_take(c, CHOP_BYTES(copy, n), version) : NULL;
}

/* ---- start ---- */
static chop_err own_certificate(struct printer_core *c) {
    Pb__Signed *s;
    Pb__PrinterCert *cert;
    Pb__KeyManifest *m;
    const Pb__KeyEntry *k;
    bump_reset(&c->scratch);
    TRY(keys_manifest(c, &c->scratch, &m));
    TRY(BUMP_UNPACK(&c->scratch, pb__signed, c->s.cert, &s));
    TRY(BUMP_UNPACK(&c->scratch, pb__printer_cert, PB_VIEW(s->payload), &cert));
    TRY(core_copy_id(c->organization_id, cert->organization_id));
    TRY(core_copy_id(c->printer_id, cert->printer_id));
    TRY(keys_verify(c, m, s, "printer-cert", &k));
    if (cert->sign_key.len > sizeof c->sign_spki) return CHOP_ERR(ELIMIT);
    memcpy(c->sign_spki, cert->sign_key.data, cert->sign_key.len);
    c->sign_spki_n = cert->sign_key.len;
    return NULL;
}

chop_err printer_start(struct printer_core *c, const struct printer_setup *s) {
    memset(c, 0, sizeof *c);
    c->s = *s;
    c->check = "start";
    bump_init(&c->job_mem, s->job, s->job_size);
    bump_init(&c->scratch, s->scratch, s->scratch_size);
    TRY(s->journal->load(s->journal->ctx, &c->at));
    c->time_kept = c->at.signed_time;
    TRY(manifest_start(c));
    return own_certificate(c);
}

/* ---- time ---- */
chop_err core_note_time(struct printer_core *c, int64_t at) {
    if (at <= c->at.signed_time) return NULL;
    c->at.signed_time = at;
    if (at - c->time_kept < TIME_KEEP_MS) return NULL;
    TRY(core_broken(c, c->s.journal->time_put(c->s.journal->ctx, at)));
    c->time_kept = at;
    return NULL;
}

chop_err printer_time(struct printer_core *c, struct chop_bytes packed) {
    Pb__Signed *s;
    Pb__KeyManifest *m;
    Pb__TimeStatement *t;
    const Pb__KeyEntry *k;
    c->check = "time";
    if (c->broken) return CHOP_ERR(ESTORE);
    bump_reset(&c->scratch);
    TRY(keys_manifest(c, &c->scratch, &m));
    TRY(BUMP_UNPACK(&c->scratch, pb__signed, packed, &s));
    TRY(keys_verify(c, m, s, "time", &k));
    TRY(BUMP_UNPACK(&c->scratch, pb__time_statement, PB_VIEW(s->payload), &t));
    if (strcmp(t->printer_id, c->printer_id) != 0) return CHOP_ERR(EMISMATCH);
    TRY(keys_in_time(k, t->at, printer_now(c)));
    return core_note_time(c, t->at);
}

/* ---- challenge ---- */
chop_err printer_challenge(struct printer_core *c, uint8_t *out, size_t *ret_n) {
    c->check = "challenge";
    if (c->broken) return CHOP_ERR(ESTORE);
    bump_reset(&c->scratch);
    uint8_t nonce[32], digest[32];
    c->s.platform->random(c->s.platform->ctx, nonce, sizeof nonce);
    Pb__Challenge m = PB__CHALLENGE__INIT;
    m.printer_id = c->printer_id;
    m.nonce = (ProtobufCBinaryData){ sizeof nonce, nonce };
    m.issued_at = printer_now(c);
    m.expires_at = m.issued_at + PRINTER_CHALLENGE_MS;
    m.boot_counter = c->at.boot;
    struct chop_bytes payload, packed;
    TRY(bump_pack(&c->scratch, &m, &payload));
    TRY(keys_sign(c, "challenge", payload, &c->scratch, &packed));
    if (packed.n > PRINTER_SMALL_MAX) return CHOP_ERR(ELIMIT);
    core_sha256(c, payload, digest);
    chop_err e = c->s.journal->challenge_put(c->s.journal->ctx, digest, m.issued_at, m.expires_at);
    if (e == CHOP_ERR(EBUSY)) return e; /* too many are open: nothing was written */
    TRY(core_broken(c, e));
    memcpy(out, packed.p, packed.n);
    *ret_n = packed.n;
    return NULL;
}
