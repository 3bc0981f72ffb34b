/* Who may sign what, for a printer: the few rows of lib/trust.h that reach it, without its memory. */
#include "core_internal.h"

static const struct {
    const char *type, *purpose;
} rules[] = {
    { "envelope", "issuance" },
    { "allotment", "authorization" },
    { "grant", "authorization" },
    { "terminal-cert", "identity-ca" },
    { "printer-cert", "identity-ca" },
    { "time", "bridge" },
};

static const char *purpose_of(const char *type) {
    for (size_t i = 0; i < CHOP_COUNT(rules); i++)
        if (strcmp(rules[i].type, type) == 0) return rules[i].purpose;
    return "";
}

/* What a signature covers before the payload: "chop/1/" type 0x00 kid 0x00 (design 4). */
#define HEAD_MAX 160
static chop_err statement_head(const char *type, const char *kid, uint8_t out[HEAD_MAX], struct chop_bytes *ret_head) {
    static const char start[] = "chop/1/";
    size_t a = sizeof start - 1, b = strlen(type) + 1, k = strlen(kid) + 1;
    if (b > 32 || k > PRINTER_ID_SIZE) return CHOP_ERR(ESIGNATURE);
    memcpy(out, start, a);
    memcpy(out + a, type, b);
    memcpy(out + a + b, kid, k);
    *ret_head = CHOP_BYTES(out, a + b + k);
    return NULL;
}

chop_err keys_verify_with(const struct printer_core *c, const char *algorithm, struct chop_bytes spki,
    const Pb__Signed *s, const char *type) {
    if (!s) return CHOP_ERR(EINVAL);
    if (strcmp(s->type, type) != 0) return CHOP_ERR(EMISMATCH);
    uint8_t room[HEAD_MAX];
    struct chop_bytes head;
    TRY(statement_head(type, s->kid, room, &head));
    const struct printer_platform *p = c->s.platform;
    return p->verify(p->ctx, algorithm, spki, head, PB_VIEW(s->payload), PB_VIEW(s->signature));
}

chop_err keys_manifest(const struct printer_core *c, struct bump *mem, Pb__KeyManifest **ret_manifest) {
    Pb__Signed *s;
    TRY(BUMP_UNPACK(mem, pb__signed, CHOP_BYTES(c->s.manifest_room, c->manifest_n), &s));
    return BUMP_UNPACK(mem, pb__key_manifest, PB_VIEW(s->payload), ret_manifest);
}

static const Pb__KeyEntry *find_key(const Pb__KeyManifest *m, const char *kid) {
    for (size_t i = 0; i < m->n_entries; i++)
        if (strcmp(m->entries[i]->kid, kid) == 0) return m->entries[i];
    return NULL;
}

chop_err keys_verify(const struct printer_core *c, const Pb__KeyManifest *m, const Pb__Signed *s, const char *type,
    const Pb__KeyEntry **ret_entry) {
    if (!s) return CHOP_ERR(EINVAL);
    if (strcmp(s->type, type) != 0) return CHOP_ERR(EMISMATCH);
    const Pb__KeyEntry *k = find_key(m, s->kid);
    if (!k || k->algorithm[0] == 0) return CHOP_ERR(ESIGNATURE);
    if (strcmp(k->purpose, purpose_of(type)) != 0) return CHOP_ERR(EMISMATCH);
    bool ours = k->organization_id[0] == 0 || strcmp(k->organization_id, c->organization_id) == 0;
    if (!ours) return CHOP_ERR(EMISMATCH);
    TRY(keys_verify_with(c, k->algorithm, PB_VIEW(k->public_key), s, type));
    *ret_entry = k;
    return NULL;
}

/* A paper signed before a revocation stays valid; a printer makes new papers, so for it a revoked key is dead. */
chop_err keys_in_time(const Pb__KeyEntry *entry, int64_t made_at, int64_t now) {
    if (made_at < entry->not_before || made_at > entry->not_after) return CHOP_ERR(EEXPIRED);
    if (entry->revoked_at != 0 && entry->revoked_at <= now) return CHOP_ERR(EEXPIRED);
    return NULL;
}

chop_err keys_verify_terminal(struct printer_core *c, struct bump *mem, const Pb__KeyManifest *m,
    const Pb__Signed *cert, const Pb__Signed *s, const char *type, int64_t now, Pb__TerminalCert **ret_cert) {
    const Pb__KeyEntry *k;
    Pb__TerminalCert *t;
    chop_err e = keys_verify(c, m, cert, "terminal-cert", &k);
    if (e) return core_refuse(c, e, "terminal-cert");
    TRY(BUMP_UNPACK(mem, pb__terminal_cert, PB_VIEW(cert->payload), &t));
    e = keys_in_time(k, t->not_before, now);
    if (!e && (now < t->not_before || now > t->not_after)) e = CHOP_ERR(EEXPIRED);
    if (!e && strcmp(t->organization_id, c->organization_id) != 0) e = CHOP_ERR(EMISMATCH);
    if (e) return core_refuse(c, e, "terminal-cert");
    if (!s) return REFUSE(c, EINVAL, type);
    if (strcmp(s->kid, t->terminal_id) != 0) return REFUSE(c, EMISMATCH, type);
    e = keys_verify_with(c, "ES256", PB_VIEW(t->public_key), s, type);
    if (e) return core_refuse(c, e, type);
    *ret_cert = t;
    return NULL;
}

chop_err keys_sign(struct printer_core *c, const char *type, struct chop_bytes payload, struct bump *mem,
    struct chop_bytes *ret_packed) {
    uint8_t room[HEAD_MAX], signature[64];
    struct chop_bytes head;
    TRY(statement_head(type, c->printer_id, room, &head));
    const struct printer_platform *p = c->s.platform;
    TRY(p->sign(p->ctx, head, payload, signature));
    Pb__Signed s = PB__SIGNED__INIT;
    s.type = (char *)(uintptr_t)type;
    s.kid = c->printer_id;
    s.payload = (ProtobufCBinaryData){ payload.n, (uint8_t *)(uintptr_t)payload.p };
    s.signature = (ProtobufCBinaryData){ sizeof signature, signature };
    return bump_pack(mem, &s, ret_packed);
}
