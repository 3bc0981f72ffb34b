/* Statements of devices: a certificate by identity-ca, then the device's own key. */
#include "trust_internal.h"

#include "pb.h"

#include <string.h>

/* What both kinds of certificate say, whichever message says it. */
struct device {
    const char *id, *organization_id;
    struct chop_bytes spki;
    int64_t not_before, not_after;
};

/* The CA's key must have been in force when the certificate was made. A revoked one (it may have been stolen, and a
 * thief writes any date) makes no certificate good after its revocation; one that ran out leaves them good. */
static chop_err check_ca_time(const Pb__KeyEntry *ca, const struct device *d, int64_t at) {
    if (d->not_before < ca->not_before || d->not_before >= ca->not_after)
        return CHOP_FAIL(EEXPIRED, NULL, "key %s was not valid when the certificate was made", ca->kid);
    if (ca->revoked_at != 0 && at >= ca->revoked_at)
        return CHOP_FAIL(EEXPIRED, NULL, "key %s of the certificate is revoked", ca->kid);
    return NULL;
}

static chop_err check_cert(const Pb__KeyEntry *ca, const struct device *d, int64_t at) {
    if (!trust_key_serves(ca, d->organization_id))
        return CHOP_FAIL(EMISMATCH, NULL, "key %s certifies devices of another organization", ca->kid);
    TRY(check_ca_time(ca, d, at));
    if (at < d->not_before || at >= d->not_after)
        return CHOP_FAIL(EEXPIRED, NULL, "the certificate of %s was not valid then", d->id);
    return NULL;
}

static chop_err check_device_statement(
    const struct device *d, const Pb__Signed *s, const char *type, enum trust_signer signer) {
    const struct trust_type *row;
    TRY(trust_check_type(s, type, signer, &row));
    if (!d->id[0] || strcmp(s->kid, d->id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the statement is by %.64s, the certificate for %.64s", s->kid, d->id);
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    TRY(crypto_key_from_spki(d->spki, &k));
    if (crypto_key_alg(k) != CRYPTO_ES256) return CHOP_FAIL(EINVAL, NULL, "a device key that is not P-256");
    return trust_check_signature(k, s);
}

/* Verify first, unpack after: the certificate's bytes are the CA's before they are read. */
static chop_err open_cert(const struct trust *t, const Pb__Signed *cert, const char *type, struct arena *mem,
    const ProtobufCMessageDescriptor *desc, const Pb__KeyEntry **ret_ca, void *ret_cert) {
    const struct trust_type *row;
    TRY(trust_check_type(cert, type, TRUST_BY_MANIFEST, &row));
    TRY(trust_check_statement(t, cert, row, ret_ca));
    return pb_unpack(desc, PB_BYTES(cert->payload), mem, ret_cert);
}

chop_err trust_verify_terminal(const struct trust *t, const Pb__Signed *cert, const Pb__Signed *s, const char *type,
    int64_t at, struct arena *mem, Pb__TerminalCert **ret_cert) {
    Pb__TerminalCert *c = NULL;
    const Pb__KeyEntry *ca;
    TRY(open_cert(t, cert, "terminal-cert", mem, &pb__terminal_cert__descriptor, &ca, &c));
    struct device d = { c->terminal_id, c->organization_id, PB_BYTES(c->public_key), c->not_before, c->not_after };
    TRY(check_cert(ca, &d, at));
    TRY(check_device_statement(&d, s, type, TRUST_BY_TERMINAL));
    *ret_cert = c;
    return NULL;
}

chop_err trust_verify_printer(const struct trust *t, const Pb__Signed *cert, const Pb__Signed *s, const char *type,
    int64_t at, struct arena *mem, Pb__PrinterCert **ret_cert) {
    Pb__PrinterCert *c = NULL;
    const Pb__KeyEntry *ca;
    TRY(open_cert(t, cert, "printer-cert", mem, &pb__printer_cert__descriptor, &ca, &c));
    struct device d = { c->printer_id, c->organization_id, PB_BYTES(c->sign_key), c->not_before, c->not_after };
    TRY(check_cert(ca, &d, at));
    TRY(check_device_statement(&d, s, type, TRUST_BY_PRINTER));
    *ret_cert = c;
    return NULL;
}
