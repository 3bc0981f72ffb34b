#include "rules.h"

#include <ctype.h>
#include <string.h>

#include "common.pb-c.h"

/* ---- bindings ---- */

struct same_text {
    const char *field, *a, *b;
};
struct same_bytes {
    const char *field;
    ProtobufCBinaryData a;
    struct chop_bytes b;
};

static chop_err texts_same(const struct same_text *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!*rows[i].a || strcmp(rows[i].a, rows[i].b) != 0)
            return CHOP_FAIL(EMISMATCH, rows[i].field, "belongs to something else");
    return NULL;
}

static chop_err digests_same(const struct same_bytes *rows, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (rows[i].a.len != 32 || !chop_bytes_equal(CHOP_BYTES(rows[i].a.data, rows[i].a.len), rows[i].b))
            return CHOP_FAIL(EMISMATCH, rows[i].field, "is of something else");
    return NULL;
}

static chop_err caller_bound(const struct order *o, const Pb__Principal *who) {
    if (strcmp(who->organization_id, o->grant->organization_id) != 0 ||
        strcmp(who->member_id, o->grant->member_id) != 0)
        return CHOP_FAIL(EDENIED, "grant.member_id", "another member may print this");
    return NULL;
}

static chop_err names_bound(const struct order *o) {
    const Pb__GrantStatement *g = o->grant;
    const Pb__AllotmentStatement *a = o->allotment;
    const struct same_text rows[] = {
        { "allotment.grant_id", a->grant_id, g->grant_id },
        { "allotment.organization_id", a->organization_id, g->organization_id },
        { "allotment.member_id", a->member_id, g->member_id },
        { "allotment.seal_id", a->seal_id, g->seal_id },
        { "order.allotment_id", o->order->allotment_id, a->allotment_id },
        { "order.printer_id", o->order->printer_id, a->printer_id },
        { "order.terminal_id", o->order->terminal_id, a->terminal_id },
        { "terminal_cert.terminal_id", o->terminal->terminal_id, a->terminal_id },
        { "terminal_cert.member_id", o->terminal->member_id, g->member_id },
        { "terminal_cert.organization_id", o->terminal->organization_id, g->organization_id },
        { "printer_cert.printer_id", o->printer->printer_id, a->printer_id },
        { "printer_cert.organization_id", o->printer->organization_id, g->organization_id },
        { "challenge.printer_id", o->challenge->printer_id, a->printer_id },
    };
    return texts_same(rows, CHOP_COUNT(rows));
}

static chop_err digests_bound(const struct order *o) {
    const Pb__AllotmentStatement *a = o->allotment;
    const struct chop_bytes challenge = CHOP_BYTES(o->challenge_digest, 32);
    const ProtobufCBinaryData document = o->grant->document_digest, artwork = o->grant->artwork_digest;
    const struct same_bytes rows[] = {
        { "allotment.grant_digest", a->grant_digest, CHOP_BYTES(o->grant_digest, 32) },
        { "allotment.document_digest", a->document_digest, CHOP_BYTES(document.data, document.len) },
        { "allotment.artwork_digest", a->artwork_digest, CHOP_BYTES(artwork.data, artwork.len) },
        { "allotment.challenge_digest", a->challenge_digest, challenge },
        { "order.allotment_digest", o->order->allotment_digest, CHOP_BYTES(o->allotment_digest, 32) },
        { "order.challenge_digest", o->order->challenge_digest, challenge },
    };
    return digests_same(rows, CHOP_COUNT(rows));
}

static chop_err printer_granted(const Pb__GrantStatement *g, const char *printer_id) {
    for (size_t i = 0; i < g->n_printer_ids; i++)
        if (strcmp(g->printer_ids[i], printer_id) == 0) return NULL;
    if (g->n_printer_ids == 0) return NULL;
    return CHOP_FAIL(EMISMATCH, "grant.printer_ids", "the grant names other printers");
}

/* Rising, so that a number cannot stand twice in one job. */
static chop_err numbers_sound(const Pb__AllotmentStatement *a) {
    if (a->n_numbers == 0 || a->n_numbers > ISSUANCE_NUMBERS_MAX)
        return CHOP_FAIL(EINVAL, "allotment.numbers", "1 to %u numbers", ISSUANCE_NUMBERS_MAX);
    uint32_t last = 0;
    for (size_t i = 0; i < a->n_numbers; i++) {
        if (a->numbers[i] <= last || a->numbers[i] > INT32_MAX)
            return CHOP_FAIL(EINVAL, "allotment.numbers", "numbers must rise from 1");
        last = a->numbers[i];
    }
    return NULL;
}

chop_err order_bound(const struct order *o, const Pb__Principal *who) {
    TRY(names_bound(o));
    TRY(digests_bound(o));
    TRY(caller_bound(o, who));
    TRY(printer_granted(o->grant, o->allotment->printer_id));
    /* What is loaded is printed later, by local orders: the terminal says so itself, and never by mistake. */
    if ((o->order->load != 0) != (o->allotment->offline != 0))
        return CHOP_FAIL(EMISMATCH, "order.load", "the allotment says otherwise");
    if (o->allotment->offline && !o->grant->offline)
        return CHOP_FAIL(EMISMATCH, "allotment.offline", "the grant is not for printing offline");
    if (o->challenge->nonce.len != 32) return CHOP_FAIL(EINVAL, "challenge.nonce", "must be 32 bytes");
    if (o->printer->seal_key.len != 65) return CHOP_FAIL(EINVAL, "printer_cert.seal_key", "must be 65 bytes");
    return numbers_sound(o->allotment);
}

/* ---- windows ---- */

static chop_err window(const char *field, int64_t from, int64_t to, int64_t now) {
    if (now < from) return CHOP_FAIL(ESTATE, field, "it is not valid yet");
    if (now >= to) return CHOP_FAIL(EEXPIRED, field, "its time is over");
    return NULL;
}

chop_err order_in_time(const struct order *o, int64_t now) {
    TRY(window("grant.not_after", o->grant->not_before, o->grant->not_after, now));
    TRY(window("allotment.not_after", o->allotment->not_before, o->allotment->not_after, now));
    return window("challenge.expires_at", 0, o->challenge->expires_at, now);
}

/* ---- the QR's host ---- */

chop_err issuance_host(const char *host, char out[ISSUANCE_HOST_MAX + 1]) {
    size_t n = strlen(host);
    if (n == 0 || n > ISSUANCE_HOST_MAX)
        return CHOP_FAIL(EINVAL, "VERIFY_HOST", "1 to %d characters fit into the QR", ISSUANCE_HOST_MAX);
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)toupper((unsigned char)host[i]);
        if (!strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:", out[i]))
            return CHOP_FAIL(EINVAL, "VERIFY_HOST", "only letters, digits and \"-.:\" fit into the QR");
    }
    out[n] = 0;
    return NULL;
}

/* ---- outcomes, in the order in which one may replace another ---- */

enum outcome { ISSUED, INTERRUPTED, PRINTED, SPOILED, RETURNED, REVOKED, OUTCOMES };
#define TO(o) (1u << (o))
static const struct {
    const char *state;
    bool final;
    unsigned successors;
} outcomes[OUTCOMES] = {
    [ISSUED] = { "issued", false, TO(INTERRUPTED) | TO(PRINTED) | TO(SPOILED) | TO(RETURNED) | TO(REVOKED) },
    [INTERRUPTED] = { "interrupted", false, TO(PRINTED) | TO(SPOILED) | TO(REVOKED) },
    [PRINTED] = { "printed", true, TO(REVOKED) },
    [SPOILED] = { "spoiled", true, TO(REVOKED) },
    [RETURNED] = { "returned", true, 0 },
    [REVOKED] = { "revoked", true, 0 },
};

static enum outcome outcome_of(const char *state) {
    unsigned i = 0;
    while (i < OUTCOMES && strcmp(outcomes[i].state, state) != 0)
        i++;
    return (enum outcome)i;
}

bool outcome_final(const char *state) {
    enum outcome o = outcome_of(state);
    return o < OUTCOMES && outcomes[o].final;
}

bool outcome_follows(const char *from, const char *to) {
    enum outcome a = outcome_of(from), b = outcome_of(to);
    return a < OUTCOMES && b < OUTCOMES && (outcomes[a].successors & TO(b)) != 0;
}
