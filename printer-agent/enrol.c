/* Enrolment: POST URL/v1/printers/enrol. The one-time code is the authority; the root key that comes back is pinned. */
#include "commands.h"
#include "dir.h"
#include "httpc.h"
#include "pbjson.h"
#include "trust.h"

#include "printer.pb-c.h"

#include <stdio.h>
#include <string.h>

#define ENROL_TIMEOUT_MS 30000
#define ENROL_MAX_REPLY ((size_t)512 << 10)

/* The code and the pinned root travel here: plain HTTP only within this machine. */
static chop_err check_url(const char *url, bool *ret_plain) {
    static const char *const local[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };
    *ret_plain = strncmp(url, "http://", 7) == 0;
    if (!*ret_plain) return NULL;
    for (size_t i = 0; i < CHOP_COUNT(local); i++) {
        size_t n = strlen(local[i]);
        if (strncmp(url, local[i], n) == 0 && strchr(":/", url[n])) return NULL;
    }
    return CHOP_FAIL(EINVAL, "--enrol", "plain HTTP is for this machine only: use https");
}

static chop_err make_request(const struct enrol_options *o, struct printer_dir *d, struct chop_bytes *ret_json) {
    uint8_t *point = arena_alloc(d->mem, 65), *signature = arena_alloc(d->mem, 64);
    struct chop_bytes csr;
    if (!point || !signature) return CHOP_ERR(EMEMORY);
    TRY(crypto_csr_new(d->sign_key, o->printer_id, d->mem, &csr));
    TRY(crypto_key_point(d->seal_key, point));
    static const char start[] = "chop/1/printer-enrol"; /* with its zero */
    size_t id = strlen(o->printer_id), n = sizeof start + id + 65;
    uint8_t *text = arena_alloc(d->mem, n);
    if (!text) return CHOP_ERR(EMEMORY);
    memcpy(text, start, sizeof start);
    memcpy(text + sizeof start, o->printer_id, id);
    memcpy(text + sizeof start + id, point, 65);
    TRY(crypto_sign(d->sign_key, CHOP_BYTES(text, n), signature));
    Pb__EnrolRequest r = PB__ENROL_REQUEST__INIT;
    r.printer_id = PB_STR(o->printer_id);
    r.code = PB_STR(o->code);
    r.csr = PB_BIN(csr);
    r.seal_key = (ProtobufCBinaryData){ 65, point };
    r.signature = (ProtobufCBinaryData){ 64, signature };
    return pbjson_print(&r, d->mem, ret_json);
}

static chop_err post(
    const struct enrol_options *o, struct printer_dir *d, struct chop_bytes json, Pb__EnrolReply **ret_reply) {
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    struct httpc_options options = {
        .allow_private = true, .ca_file = o->ca_file, .timeout_ms = ENROL_TIMEOUT_MS, .max_reply = ENROL_MAX_REPLY
    };
    struct httpc *http;
    struct httpc_reply reply;
    TRY(check_url(o->url, &options.allow_http));
    TRY(httpc_new(&options, &http));
    size_t n = strlen(o->url);
    while (n > 0 && o->url[n - 1] == '/')
        n--;
    const char *url = arena_printf(d->mem, "%.*s/v1/printers/enrol", (int)n, o->url);
    chop_err e = httpc_send(http, "POST", url, headers, json, d->mem, &reply);
    httpc_free(http);
    TRY(e);
    if (reply.status != 200)
        return CHOP_FAIL(EPEER, "--enrol", "HTTP %ld: %.*s", reply.status,
            (int)(reply.body.n > 160 ? 160 : reply.body.n), (const char *)reply.body.p);
    struct pbjson_limits limits = PBJSON_LIMITS;
    return pbjson_read(&pb__enrol_reply__descriptor, reply.body, &limits, d->mem, ret_reply);
}

/* The certificate holds under the root that is about to be pinned. */
static chop_err check_chain(const Pb__EnrolReply *r) {
    struct trust *trust;
    if (trust_new(PB_BYTES(r->root_spki), PB_BYTES(r->manifest), 0, &trust))
        return CHOP_FAIL(EPEER, "--enrol", "the key manifest does not verify");
    chop_err e = trust_verify(trust, r->printer_cert, "printer-cert", chop_now_ms(), NULL);
    trust_free(trust);
    return e ? CHOP_FAIL(EPEER, "--enrol", "the certificate does not verify") : NULL;
}

/* What came must be about this printer and its keys. */
static chop_err check_reply(const struct enrol_options *o, const struct printer_dir *d, const Pb__EnrolReply *r) {
    uint8_t point[65];
    Pb__PrinterCert *cert;
    if (strcmp(r->printer_id, o->printer_id) != 0 || !r->printer_cert || r->root_spki.len == 0)
        return CHOP_FAIL(EPEER, "--enrol", "the answer is not about this printer");
    TRY(PB_UNPACK(pb__printer_cert, PB_BYTES(r->printer_cert->payload), d->mem, &cert));
    TRY(crypto_key_point(d->seal_key, point));
    bool ours = chop_bytes_equal(PB_BYTES(cert->sign_key), crypto_key_spki(d->sign_key)) &&
                chop_bytes_equal(PB_BYTES(cert->seal_key), CHOP_BYTES(point, 65)) &&
                strcmp(cert->printer_id, o->printer_id) == 0;
    if (!ours) return CHOP_FAIL(EPEER, "--enrol", "the certificate is not for this printer's keys");
    if (r->mqtt_port < 1 || r->mqtt_port > 65535 || !r->mqtt_host[0] || strpbrk(r->mqtt_host, "\"\\ \n"))
        return CHOP_FAIL(EPEER, "--enrol", "the answer names no broker");
    return NULL;
}

static chop_err store(struct printer_dir *d, const Pb__EnrolReply *r) {
    struct chop_bytes cert;
    TRY(pb_pack(r->printer_cert, d->mem, &cert));
    TRY(dir_save(d, "tls.pem", PB_BYTES(r->tls_certificate)));
    TRY(dir_save(d, "ca.pem", PB_BYTES(r->ca_certificate)));
    TRY(dir_save(d, "printer-cert.signed", cert));
    TRY(dir_save(d, "root.spki", PB_BYTES(r->root_spki)));
    TRY(dir_save(d, "manifest.signed", PB_BYTES(r->manifest)));
    const char *json = arena_printf(d->mem, "{\"printer_id\":\"%s\",\"mqtt_host\":\"%s\",\"mqtt_port\":%u}\n",
        r->printer_id, r->mqtt_host, r->mqtt_port);
    return dir_save(d, "printer.json", chop_str(json)); /* last: it says that all is there */
}

chop_err command_enrol(const struct enrol_options *o) {
    CHOP_CLEANUP(dir_done) struct printer_dir d = { .lock_fd = -1 };
    struct chop_bytes json;
    Pb__EnrolReply *reply;
    if (!chop_id_valid(o->printer_id, "prn")) return CHOP_FAIL(EINVAL, "--printer-id", "not a printer's id");
    TRY(dir_keys(o->dir, true, &d));
    TRY(dir_lock(&d));
    TRY(make_request(o, &d, &json));
    TRY(post(o, &d, json, &reply));
    TRY(check_reply(o, &d, reply));
    TRY(check_chain(reply));
    TRY(store(&d, reply));
    (void)printf("enrolled %s: %s\n", reply->printer_id, reply->name);
    return NULL;
}
