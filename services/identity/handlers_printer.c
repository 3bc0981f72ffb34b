/* Enrolling a printer: the one-time code is the authority; the printer's own key makes a retry the same printer. */
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

#define CODE_TRIES 5
#define CSR_MAX 4096
#define POINT_LEN 65

struct enrolment {
    const Pb__EnrolPrinterRequest *in;
    const struct db_rows *row;
    struct crypto_key *key; /* of the CSR */
    Pb__EnrolPrinterReply *out;
    chop_err refusal; /* told after the counted try is committed */
};

enum column { ORGANIZATION, NAME, CODE_MAC, TRIES, CODE_EXPIRES, ENROLLED, PUBLIC_KEY, TLS_CERTIFICATE, PRINTER_CERT };

void identity_code_mac(struct call *c, const char *printer_id, const char *code, uint8_t out[32]) {
    identity_mac(c, "printer-code-kept", arena_printf(c->mem, "%s\n%s", printer_id, code), out);
}

/* ---- what the printer sent, before the store is asked ---- */

/* An uncompressed point off the curve would make HPKE leak the sender's key; the SPKI reader checks the point. */
static chop_err seal_key_check(struct call *c, struct chop_bytes point) {
    static const uint8_t head[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
        0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 }; /* RFC 5480: ecPublicKey, P-256 */
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    uint8_t *spki = arena_alloc(c->mem, sizeof head + POINT_LEN);
    if (!spki) return CHOP_ERR(EMEMORY);
    if (point.n != POINT_LEN || point.p[0] != 4)
        return CHOP_FAIL(EINVAL, "seal_key", "not an uncompressed P-256 point of 65 bytes");
    memcpy(spki, head, sizeof head);
    memcpy(spki + sizeof head, point.p, POINT_LEN);
    if (crypto_key_from_spki(CHOP_BYTES(spki, sizeof head + POINT_LEN), &key))
        return CHOP_FAIL(EINVAL, "seal_key", "not a point on P-256");
    return NULL;
}

static chop_err request_check(struct call *c, struct enrolment *e) {
    const Pb__EnrolPrinterRequest *in = e->in;
    TRY(rpc_check_id("printer_id", in->printer_id, "prn"));
    if (in->csr.len == 0 || in->csr.len > CSR_MAX) return CHOP_FAIL(EINVAL, "csr", "missing or too long");
    if (crypto_csr_read(PB_BYTES(in->csr), &e->key))
        return CHOP_FAIL(EINVAL, "csr", "not a PKCS#10 request signed by its P-256 key");
    TRY(seal_key_check(c, PB_BYTES(in->seal_key)));
    struct chop_bytes id_and_key = identity_concat(c, chop_str(in->printer_id), PB_BYTES(in->seal_key));
    struct chop_bytes statement = identity_statement(c, "chop/1/printer-enrol", id_and_key);
    if (crypto_verify(e->key, statement, PB_BYTES(in->signature)))
        return CHOP_FAIL(ESIGNATURE, "signature", "not by the request's key over printer id and seal key");
    return NULL;
}

/* ---- the code ---- */

static bool code_right(struct call *c, const struct enrolment *e) {
    char code[RULES_CODE_LEN + 1];
    uint8_t mac[32];
    if (!rules_code_read(e->in->code, code)) return false;
    identity_code_mac(c, e->in->printer_id, code, mac);
    return crypto_equal(mac, db_bytes(e->row, 0, CODE_MAC).p, 32);
}

/* An enrolled printer may ask again after the hour: it shows that it has the key. */
static chop_err code_check(struct call *c, struct enrolment *e) {
    if (db_int(e->row, 0, TRIES) >= CODE_TRIES)
        return CHOP_FAIL(EEXPIRED, "code", "too many wrong tries: ask for a new code");
    if (!db_bool(e->row, 0, ENROLLED) && db_int(e->row, 0, CODE_EXPIRES) <= c->now)
        return CHOP_FAIL(EEXPIRED, "code", "the code's hour is over: ask for a new one");
    if (code_right(c, e)) return NULL;
    TRY(DB_DO(c->db, "printer_try", T_(e->in->printer_id)));
    e->refusal = CHOP_FAIL(EAUTH, "code", "no printer waits with this code");
    return NULL; /* so that the counted try is committed */
}

/* ---- the certificates ---- */

static chop_err statement_sign(struct call *c, const struct enrolment *e, struct chop_bytes *ret_packed) {
    Pb__PrinterCert cert = PB__PRINTER_CERT__INIT;
    cert.printer_id = e->in->printer_id;
    cert.organization_id = PB_STR(db_text(e->row, 0, ORGANIZATION));
    cert.name = PB_STR(db_text(e->row, 0, NAME));
    cert.sign_key = PB_BIN(crypto_key_spki(e->key));
    cert.seal_key = e->in->seal_key;
    cert.not_before = c->now - MINUTE_MS;
    cert.not_after = c->now + identity_of(c)->printer_days * DAY_MS;
    struct chop_bytes payload;
    TRY(pb_pack(&cert, c->mem, &payload));
    return trust_sign_packed(identity_of(c)->ca_key, NULL, "printer-cert", payload, c->mem, ret_packed);
}

static chop_err answer(struct call *c, const struct enrolment *e, struct chop_bytes tls, struct chop_bytes cert) {
    struct chop_bytes root, manifest;
    Pb__EnrolPrinterReply *out = e->out;
    TRY(identity_keys(c, &root, &manifest));
    TRY(PB_UNPACK(pb__signed, cert, c->mem, &out->printer_cert));
    out->printer_id = e->in->printer_id;
    out->organization_id = PB_STR(db_text(e->row, 0, ORGANIZATION));
    out->name = PB_STR(db_text(e->row, 0, NAME));
    out->tls_certificate = PB_BIN(tls);
    out->ca_certificate = PB_BIN(chop_str(identity_of(c)->ca_cert));
    out->root_spki = PB_BIN(root);
    out->manifest = PB_BIN(manifest);
    return NULL;
}

static chop_err enrolled_event(struct call *c, const Pb__EnrolPrinterReply *out) {
    Pb__PrinterEnrolled event = PB__PRINTER_ENROLLED__INIT;
    event.printer_id = out->printer_id;
    event.organization_id = out->organization_id;
    event.name = out->name;
    event.printer_cert = out->printer_cert;
    return outbox_put(c, "identity.printer.enrolled", out->printer_id, &event);
}

static chop_err enrol(struct call *c, const struct enrolment *e) {
    const struct identity *id = identity_of(c);
    struct chop_bytes tls, cert, spki = crypto_key_spki(e->key);
    TRY(identity_key_claim(c, "csr", spki, "printer", e->in->printer_id));
    TRY(crypto_cert_issue(id->ca_key, chop_str(id->ca_cert), e->key, e->in->printer_id, NULL, false,
        (int)id->printer_days, c->mem, &tls));
    TRY(statement_sign(c, e, &cert));
    TRY(DB_DO(c->db, "printer_enrol", T_(e->in->printer_id), I_(c->now), B_(spki), B_(PB_BYTES(e->in->seal_key)),
        B_(tls), B_(cert)));
    TRY(answer(c, e, tls, cert));
    return enrolled_event(c, e->out);
}

static chop_err enrol_locked(struct call *c, void *arg) {
    struct enrolment *e = arg;
    struct db_rows *row;
    TRY(DB_QUERY(c->db, &row, "printer_lock", T_(e->in->printer_id)));
    if (db_count(row) == 0) return CHOP_FAIL(EAUTH, "code", "no printer waits with this code");
    e->row = row;
    TRY(code_check(c, e));
    if (e->refusal) return NULL;
    if (!db_bool(row, 0, ENROLLED)) return enrol(c, e);
    if (!chop_bytes_equal(db_bytes(row, 0, PUBLIC_KEY), crypto_key_spki(e->key)))
        return CHOP_FAIL(EUSED, "code", "another printer enrolled with this code");
    return answer(c, e, db_bytes(row, 0, TLS_CERTIFICATE), db_bytes(row, 0, PRINTER_CERT));
}

IDENTITY_HANDLER(enrol_printer, Pb__EnrolPrinterRequest, Pb__EnrolPrinterReply) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    struct enrolment e = { .in = in, .out = out };
    chop_err refused = request_check(c, &e);
    key = e.key;
    TRY(refused);
    TRY(identity_transaction(c, enrol_locked, &e));
    if (e.refusal) return e.refusal;
    app_wake_outbox(c->app);
    return NULL;
}
