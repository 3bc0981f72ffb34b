/* Calls that only read, and enrolment. */
#include "bridge.h"

#include <string.h>

/* ---- rows ---- */
chop_err printer_fill(struct call *c, const struct db_rows *r, size_t row, Pb__Printer *out) {
    out->printer_id = PB_STR(db_text(r, row, 0));
    out->organization_id = PB_STR(db_text(r, row, 1));
    out->name = PB_STR(db_text(r, row, 2));
    out->state = PB_STR(db_text(r, row, 3));
    out->online = db_bool(r, row, 4);
    out->last_seen_at = db_int(r, row, 5);
    out->boot_counter = (uint64_t)db_int(r, row, 7);
    out->agent_version = PB_STR(db_text(r, row, 8));
    return PB_UNPACK(pb__signed, db_bytes(r, row, 6), c->mem, &out->printer_cert);
}

static chop_err pairing_fill(struct call *c, const struct db_rows *r, size_t row, Pb__Pairing *out) {
    out->printer_id = PB_STR(db_text(r, row, 0));
    out->terminal_id = PB_STR(db_text(r, row, 1));
    out->member_id = PB_STR(db_text(r, row, 2));
    out->paired_at = db_int(r, row, 4);
    return PB_UNPACK(pb__signed, db_bytes(r, row, 3), c->mem, &out->statement);
}

chop_err own_printer(struct call *c, const char *printer_id, struct db_rows **ret_rows) {
    TRY(rpc_check_id("printer_id", printer_id, "prn"));
    TRY(DB_ONE(c->db, ret_rows, "printer_get", T_(printer_id)));
    bool own = strcmp(db_text(*ret_rows, 0, 1), c->who->organization_id) == 0;
    return own ? NULL : CHOP_ERR(ENOTFOUND);
}

/* ---- calls ---- */
HANDLER(list_printers_call, Pb__ListPrintersRequest, Pb__ListPrintersReply) {
    struct db_rows *r;
    TRY(rpc_check_int("limit", in->limit, 0, LIST_MAX));
    TRY(DB_QUERY(c->db, &r, "printer_list", T_(c->who->organization_id), I_(in->limit ? in->limit : LIST_MAX)));
    out->printers = ARENA_ARRAY(c->mem, Pb__Printer *, db_count(r));
    if (!out->printers) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        Pb__Printer *p = PB_NEW(c->mem, Pb__Printer, pb__printer);
        if (!p) return CHOP_ERR(EMEMORY);
        TRY(printer_fill(c, r, i, p));
        out->printers[out->n_printers++] = p;
    }
    return NULL;
}
chop_err list_printers(struct call *c, const void *in, void *out) {
    return list_printers_call(c, in, out);
}

HANDLER(get_printer_call, Pb__GetPrinterRequest, Pb__Printer) {
    struct db_rows *r;
    TRY(own_printer(c, in->printer_id, &r));
    return printer_fill(c, r, 0, out);
}
chop_err get_printer(struct call *c, const void *in, void *out) {
    return get_printer_call(c, in, out);
}

HANDLER(list_pairings_call, Pb__ListPairingsRequest, Pb__ListPairingsReply) {
    struct db_rows *r;
    if (*in->printer_id) TRY(own_printer(c, in->printer_id, &r)); /* none: of all the organization's printers */
    TRY(DB_QUERY(c->db, &r, "pairing_list", T_(in->printer_id), T_(c->who->organization_id)));
    out->pairings = ARENA_ARRAY(c->mem, Pb__Pairing *, db_count(r) + 1);
    if (!out->pairings) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        Pb__Pairing *p = PB_NEW(c->mem, Pb__Pairing, pb__pairing);
        if (!p) return CHOP_ERR(EMEMORY);
        TRY(pairing_fill(c, r, i, p));
        out->pairings[out->n_pairings++] = p;
    }
    return NULL;
}
chop_err list_pairings(struct call *c, const void *in, void *out) {
    return list_pairings_call(c, in, out);
}

HANDLER(get_delivery_call, Pb__GetDeliveryRequest, Pb__Delivery) {
    struct db_rows *r;
    TRY(rpc_check_id("job_id", in->job_id, "job"));
    TRY(DB_ONE(c->db, &r, "delivery_get", T_(in->job_id)));
    if (strcmp(db_text(r, 0, 2), c->who->organization_id) != 0) return CHOP_ERR(ENOTFOUND);
    out->job_id = PB_STR(db_text(r, 0, 0));
    out->printer_id = PB_STR(db_text(r, 0, 1));
    out->state = PB_STR(db_text(r, 0, 3));
    out->attempts = (uint32_t)db_int(r, 0, 4);
    out->at = db_int(r, 0, 5);
    return NULL;
}
chop_err get_delivery(struct call *c, const void *in, void *out) {
    return get_delivery_call(c, in, out);
}

/* ---- enrolment: identity decides; the row also comes by its event ---- */
static chop_err ask_identity(struct call *c, const Pb__EnrolRequest *in, Pb__EnrolPrinterReply **ret_reply) {
    Pb__EnrolPrinterRequest r = PB__ENROL_PRINTER_REQUEST__INIT;
    r.printer_id = in->printer_id;
    r.code = in->code;
    r.csr = in->csr;
    r.seal_key = in->seal_key;
    r.signature = in->signature;
    return rpc_call(c, "identity", &pb__identity__descriptor, "EnrolPrinter", &r, false, ret_reply);
}

chop_err printer_cert_of(struct call *c, const Pb__Signed *cert, const char *printer_id, const char *organization_id) {
    Pb__PrinterCert *p;
    TRY(trust_verify(c->trust, cert, "printer-cert", c->now, NULL));
    TRY(PB_UNPACK(pb__printer_cert, PB_BYTES(cert->payload), c->mem, &p));
    if (strcmp(p->printer_id, printer_id) != 0 || strcmp(p->organization_id, organization_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the certificate is of another printer");
    return NULL;
}

static chop_err store_printer(struct call *c, const Pb__EnrolPrinterReply *r) {
    struct chop_bytes cert;
    if (!r->printer_cert) return CHOP_FAIL(EPEER, NULL, "identity sent no certificate");
    TRY(printer_cert_of(c, r->printer_cert, r->printer_id, r->organization_id));
    TRY(pb_pack(r->printer_cert, c->mem, &cert));
    TRY(db_begin(c->db));
    chop_err e =
        DB_DO(c->db, "printer_put", T_(r->printer_id), T_(r->organization_id), T_(r->name), B_(cert), I_(c->now));
    if (!e) e = db_commit(c->db);
    if (e) db_rollback(c->db);
    return e;
}

HANDLER(enrol_printer_call, Pb__EnrolRequest, Pb__EnrolReply) {
    const struct bridge *b = c->service;
    Pb__EnrolPrinterReply *r = NULL;
    TRY(rpc_check_id("printer_id", in->printer_id, "prn"));
    TRY(rpc_check_len("code", in->code, 1, 64));
    TRY(ask_identity(c, in, &r));
    TRY(store_printer(c, r));
    out->printer_id = r->printer_id;
    out->organization_id = r->organization_id;
    out->name = r->name;
    out->tls_certificate = r->tls_certificate;
    out->ca_certificate = r->ca_certificate;
    out->printer_cert = r->printer_cert;
    out->root_spki = r->root_spki;
    out->manifest = r->manifest;
    out->mqtt_host = PB_STR(b->public_host[0] ? b->public_host : b->mqtt_host);
    out->mqtt_port = (uint32_t)(b->public_port ? b->public_port : b->mqtt_port);
    return NULL;
}
chop_err enrol_printer(struct call *c, const void *in, void *out) {
    return enrol_printer_call(c, in, out);
}
