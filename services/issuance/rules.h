/* What issuance decides: whether an order may become marks. Pure: no bus, no store, no clock. */
#pragma once
#include "base.h"

#include "authorization.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

#define ISSUANCE_HOST_MAX 20       /* design 6: a version 3 QR at level Q holds no more */
#define ISSUANCE_NUMBERS_MAX 1000u /* of one allotment; the envelope's size is bounded besides */

/* Everything that came with an order, each already verified by its owner's key, and the digests of the payloads. */
struct order {
    const Pb__GrantStatement *grant;
    const Pb__AllotmentStatement *allotment;
    const Pb__PrintOrder *order;
    const Pb__TerminalCert *terminal;
    const Pb__PrinterCert *printer;
    const Pb__Challenge *challenge;
    uint8_t grant_digest[32], allotment_digest[32], challenge_digest[32], order_digest[32];
};

/* Whether all of it speaks of the same grant, member, terminal, printer, document and artwork. EMISMATCH names the
 * binding that is broken ("order.allotment_digest"), EDENIED where the caller is not the member, EINVAL for bad
 * numbers. */
chop_err order_bound(const struct order *o, const Pb__Principal *who) CHOP_MUSTCHECK;
/* The windows of grant, allotment and challenge. EEXPIRED, ESTATE where it is too early. */
chop_err order_in_time(const struct order *o, int64_t now) CHOP_MUSTCHECK;

/* The host[:port] that goes into the QR: at most 20 characters of QR's alphanumeric mode, upper-cased in place. */
chop_err issuance_host(const char *host, char out[ISSUANCE_HOST_MAX + 1]) CHOP_MUSTCHECK;

/* Whether an outcome ends an impression: a job is done when all of its numbers have such a state. */
bool outcome_final(const char *state);
/* Whether `to` may follow `from`; what is printed or spoiled never becomes less. */
bool outcome_follows(const char *from, const char *to);
