/* What the files of the core share. */
#pragma once
#include "core.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

#include <string.h>

#define PB_VIEW(bd) CHOP_BYTES((bd).data, (bd).len)

/* Remembers which check it was. */
chop_err core_refuse(struct printer_core *c, chop_err e, const char *check) CHOP_MUSTCHECK;
#define REFUSE(c, NAME, check) core_refuse((c), &chop_errors[CHOP_E_##NAME], check)
/* An error of the journal ends this run of the core. */
chop_err core_broken(struct printer_core *c, chop_err e) CHOP_MUSTCHECK;
void core_sha256(const struct printer_core *c, struct chop_bytes data, uint8_t out[32]);
bool core_same_digest(struct chop_bytes a, const uint8_t digest[32]);
/* Copies an id; EINVAL where it is empty or too long. */
chop_err core_copy_id(char out[PRINTER_ID_SIZE], const char *id) CHOP_MUSTCHECK;
/* Takes a signed server time; the journal keeps it at least once a minute. */
chop_err core_note_time(struct printer_core *c, int64_t at) CHOP_MUSTCHECK;

/* ---- keys.c ---- */
/* The signature of s under spki: ESIGNATURE, EMISMATCH for another type. */
chop_err keys_verify_with(const struct printer_core *c, const char *algorithm, struct chop_bytes spki,
    const Pb__Signed *s, const char *type) CHOP_MUSTCHECK;
/* The manifest in force, unpacked into mem. */
chop_err keys_manifest(const struct printer_core *c, struct bump *mem, Pb__KeyManifest **ret_manifest) CHOP_MUSTCHECK;
/* s is a statement of this type under a manifest key of the purpose that may make it. */
chop_err keys_verify(const struct printer_core *c, const Pb__KeyManifest *m, const Pb__Signed *s, const char *type,
    const Pb__KeyEntry **ret_entry) CHOP_MUSTCHECK;
/* The key was in its time when the statement says it was made, and is not revoked now; EEXPIRED. */
chop_err keys_in_time(const Pb__KeyEntry *entry, int64_t made_at, int64_t now) CHOP_MUSTCHECK;
/* A certificate of a terminal of this organization, in its time, and that it made `s`. */
chop_err keys_verify_terminal(struct printer_core *c, struct bump *mem, const Pb__KeyManifest *m,
    const Pb__Signed *cert, const Pb__Signed *s, const char *type, int64_t now,
    Pb__TerminalCert **ret_cert) CHOP_MUSTCHECK;
/* Signs as this printer; packed into mem. */
chop_err keys_sign(struct printer_core *c, const char *type, struct chop_bytes payload, struct bump *mem,
    struct chop_bytes *ret_packed) CHOP_MUSTCHECK;

/* ---- checks.c ---- */
struct opened { /* an envelope whose signature holds, and its statements, unpacked */
    struct printer_core *c;
    struct bump *mem;
    const Pb__KeyManifest *manifest;
    const Pb__Envelope *envelope;
    Pb__AllotmentStatement *allotment;
    Pb__GrantStatement *grant;
    Pb__PrintOrder *order; /* NULL for a local order */
    Pb__LocalOrder *local; /* NULL for an envelope that just came */
    Pb__TerminalCert *cert;
    uint8_t envelope_digest[32], order_digest[32], challenge_digest[32];
    int64_t now;
};
/* The allotment is authorization's and for this printer: from here on its numbers may be reported. */
chop_err check_allotment(struct opened *o) CHOP_MUSTCHECK;
/* Everything else, in the order of the table; the first that fails names itself. */
chop_err check_all(struct opened *o) CHOP_MUSTCHECK;
/* The same for a held envelope and the local order in o. */
chop_err check_local(struct opened *o) CHOP_MUSTCHECK;

/* ---- envelope.c ---- */
/* Opens a packed SealedEnvelope and verifies it up to its allotment. */
chop_err envelope_open(struct opened *o, struct chop_bytes packed) CHOP_MUSTCHECK;
/* What the journal says of each number of it. */
chop_err envelope_like(const struct opened *o, struct journal_number *ret_like) CHOP_MUSTCHECK;
/* The core's job: these numbers, which are in this state. */
void envelope_begin(struct opened *o, const struct journal_number *like, const uint32_t *numbers, size_t n,
    enum journal_number_state from);

/* ---- held.c ---- */
/* Journals a loaded envelope and says so. */
chop_err held_keep(struct opened *o, struct chop_bytes packed) CHOP_MUSTCHECK;
/* Says again what is held of an allotment, or what was given back. */
chop_err held_again(struct opened *o) CHOP_MUSTCHECK;

/* ---- report.c ---- */
/* Moves a number to its end with a signed report, durably, then sends it. */
chop_err report_end(struct printer_core *c, enum journal_number_state from, struct journal_number *n,
    enum journal_number_state to, chop_err reason, const char *check) CHOP_MUSTCHECK;
/* Sends again what the journal holds about a number. */
void report_again(struct printer_core *c, const char *allotment_id, uint32_t number);
