/* What other services tell. An envelope has power by its signatures only: here it is cargo. */
#include "bridge.h"

#include <string.h>

#define NUMBERS_MAX 1000

static bool sane(const Pb__EnvelopeSealed *in) {
    const Pb__SealedEnvelope *e = in->envelope;
    return e && chop_id_valid(e->job_id, "job") && chop_id_valid(e->printer_id, "prn") && e->sealed.len > 0 &&
           e->sealed.len < MQTT_MAX_PAYLOAD - 1024 && in->n_numbers > 0 && in->n_numbers <= NUMBERS_MAX;
}

EVENT_HANDLER(envelope_sealed_event, Pb__EnvelopeSealed) {
    const struct bridge *b = c->service;
    struct chop_bytes packed;
    if (!sane(in)) {
        log_line(LOG_ERROR, "envelope ignored: it cannot be delivered", "allotment", in->allotment_id, NULL);
        return NULL;
    }
    TRY(pb_pack(in->envelope, c->mem, &packed));
    TRY(DB_DO(c->db, "delivery_add", T_(in->envelope->job_id), T_(in->envelope->printer_id), T_(in->organization_id),
        T_(in->allotment_id), T_(in->grant_id), B_(packed), I_(in->expires_at), I_(c->now)));
    for (size_t i = 0; i < in->n_numbers; i++)
        TRY(DB_DO(c->db, "delivery_number_add", T_(in->envelope->job_id), I_(in->numbers[i])));
    link_wake(b->link);
    return NULL;
}
chop_err envelope_sealed(struct call *c, const void *message, const Pb__Event *event) {
    return envelope_sealed_event(c, message, event);
}

EVENT_HANDLER(printer_enrolled_event, Pb__PrinterEnrolled) {
    struct chop_bytes cert;
    if (!in->printer_cert || printer_cert_of(c, in->printer_cert, in->printer_id, in->organization_id)) {
        log_line(LOG_ERROR, "printer ignored: its certificate does not verify", "printer", in->printer_id, "detail",
            chop_detail_text(), NULL);
        return NULL;
    }
    TRY(pb_pack(in->printer_cert, c->mem, &cert));
    return DB_DO(c->db, "printer_put", T_(in->printer_id), T_(in->organization_id), T_(in->name), B_(cert), I_(c->now));
}
chop_err printer_enrolled(struct call *c, const void *message, const Pb__Event *event) {
    return printer_enrolled_event(c, message, event);
}
