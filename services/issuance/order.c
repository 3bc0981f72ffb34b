/* Reading an order: first the signatures, then the words, then whether the words belong together. */
#include "issuance.h"

#include "common.pb-c.h"

#define STATEMENT_MAX ((size_t)64 << 10)

static chop_err packed_signed(struct call *c, const char *field, ProtobufCBinaryData b, Pb__Signed **ret) {
    if (b.len == 0 || b.len > STATEMENT_MAX) return CHOP_FAIL(EINVAL, field, "1 to %zu bytes", STATEMENT_MAX);
    if (PB_UNPACK(pb__signed, PB_BYTES(b), c->mem, ret)) return CHOP_FAIL(EINVAL, field, "is not a signed statement");
    return NULL;
}

/* The library tells what is wrong; this tells with which of the six. */
static chop_err name_field(chop_err e, const char *field) {
    if (!e) return NULL;
    char detail[160];
    (void)__builtin_snprintf(detail, sizeof detail, "%s", *chop_detail_text() ? chop_detail_text() : e->text);
    return chop_fail(e, field, "%s", detail);
}

static chop_err signed_by_service(
    struct call *c, const char *type, ProtobufCBinaryData b, Pb__Signed **ret_signed, const Pb__KeyEntry **ret_key) {
    TRY(packed_signed(c, type, b, ret_signed));
    return name_field(trust_verify(c->trust, *ret_signed, type, c->now, ret_key), type);
}

static chop_err key_serves(const char *field, const Pb__KeyEntry *key, const char *organization_id) {
    if (trust_key_serves(key, organization_id)) return NULL;
    return CHOP_FAIL(EMISMATCH, field, "key %s is another organization's", key->kid);
}

static chop_err read_terminal(
    struct call *c, const Pb__SubmitOrderRequest *in, struct submitted *s, const Pb__TerminalCert **ret_cert) {
    TRY(packed_signed(c, "terminal_cert", in->terminal_cert, &s->terminal_cert));
    TRY(packed_signed(c, "order", in->order, &s->order));
    Pb__TerminalCert *cert;
    TRY(name_field(
        trust_verify_terminal(c->trust, s->terminal_cert, s->order, "order", c->now, c->mem, &cert), "order"));
    *ret_cert = cert;
    return NULL;
}

static chop_err read_printer(
    struct call *c, const Pb__SubmitOrderRequest *in, struct submitted *s, const Pb__PrinterCert **ret_cert) {
    Pb__Signed *signed_cert;
    TRY(packed_signed(c, "printer_cert", in->printer_cert, &signed_cert));
    TRY(packed_signed(c, "challenge", in->challenge, &s->challenge));
    Pb__PrinterCert *cert;
    TRY(name_field(
        trust_verify_printer(c->trust, signed_cert, s->challenge, "challenge", c->now, c->mem, &cert), "challenge"));
    *ret_cert = cert;
    return NULL;
}

static chop_err unpack_payload(struct call *c, const char *field, const Pb__Signed *s,
    const ProtobufCMessageDescriptor *desc, uint8_t digest[32], void *ret) {
    crypto_sha256(PB_BYTES(s->payload), digest);
    return name_field(pb_unpack(desc, PB_BYTES(s->payload), c->mem, ret), field);
}

chop_err submitted_read(struct call *c, const Pb__SubmitOrderRequest *in, struct submitted *ret) {
    struct submitted s = { 0 };
    struct order *o = &s.o;
    const Pb__KeyEntry *allotment_key, *grant_key;
    TRY(signed_by_service(c, "allotment", in->allotment, &s.allotment, &allotment_key));
    TRY(signed_by_service(c, "grant", in->grant, &s.grant, &grant_key));
    TRY(read_terminal(c, in, &s, &o->terminal));
    TRY(read_printer(c, in, &s, &o->printer));
    TRY(unpack_payload(
        c, "allotment", s.allotment, &pb__allotment_statement__descriptor, o->allotment_digest, &o->allotment));
    TRY(unpack_payload(c, "grant", s.grant, &pb__grant_statement__descriptor, o->grant_digest, &o->grant));
    TRY(unpack_payload(c, "order", s.order, &pb__print_order__descriptor, o->order_digest, &o->order));
    TRY(unpack_payload(c, "challenge", s.challenge, &pb__challenge__descriptor, o->challenge_digest, &o->challenge));
    TRY(key_serves("allotment", allotment_key, o->allotment->organization_id));
    TRY(key_serves("grant", grant_key, o->grant->organization_id));
    TRY(order_bound(o, c->who));
    *ret = s;
    return NULL;
}
