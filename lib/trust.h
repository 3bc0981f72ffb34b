/* trust: Signed statements (design 4): who may sign what, the key manifest, signing and verifying.
 *
 * Statement types and the purpose of the key that may sign them:
 *   manifest                                   root (pinned)
 *   principal, proof                           identity
 *   terminal-cert, printer-cert                identity-ca
 *   ticket                                     authorization or identity (the ticket's owner)
 *   grant, allotment, fact, revocation         authorization
 *   envelope, impression, mark                 issuance
 *   time                                       bridge
 *   receipt, registry-order                    registry (the manifest entry's name is the registry's id)
 *   order, pair, local-order                   the terminal's key (trust_verify_terminal)
 *   challenge, report, paired, closeout, held  the printer's key (trust_verify_printer)
 */
#pragma once
#include "crypto.h"

typedef struct Pb__Signed Pb__Signed;
typedef struct Pb__KeyEntry Pb__KeyEntry;
typedef struct Pb__TerminalCert Pb__TerminalCert;
typedef struct Pb__PrinterCert Pb__PrinterCert;

/* ---- signing ---- */
/* Signs payload under the key; *out's fields lie in the arena. kid NULL: the key's own. */
chop_err trust_sign(const struct crypto_key *k, const char *kid, const char *type, struct chop_bytes payload,
    struct arena *mem, Pb__Signed *out) CHOP_MUSTCHECK;
/* The same, packed: the bytes of a Signed. */
chop_err trust_sign_packed(const struct crypto_key *k, const char *kid, const char *type, struct chop_bytes payload,
    struct arena *mem, struct chop_bytes *ret_packed) CHOP_MUSTCHECK;

/* ---- verifying ---- */
struct trust; /* immutable set of keys; thread-safe */
/* Loads DIR/root.spki (pinned root public key, DER) and DIR/manifest.signed (packed Signed). A manifest version
 * below min_version is refused. */
chop_err trust_load(const char *dir, uint64_t min_version, struct trust **ret_trust) CHOP_MUSTCHECK;
/* From memory, for printers and tests. */
chop_err trust_new(struct chop_bytes root_spki, struct chop_bytes manifest_signed, uint64_t min_version,
    struct trust **ret_trust) CHOP_MUSTCHECK;
void trust_free(struct trust *t);
uint64_t trust_version(const struct trust *t);
/* The first entry of this purpose valid at `at`, NULL if none. */
const Pb__KeyEntry *trust_find(const struct trust *t, const char *purpose, int64_t at);

/* Checks type, purpose, the key's time range against `at` (when the statement was made or arrived) and the
 * signature. ESIGNATURE for a bad signature or unknown kid, EMISMATCH for a wrong type or purpose, EEXPIRED
 * when the key was not valid at `at`. On success the payload may be unpacked. ret_entry may be NULL. */
/* A ticket may be by authorization or identity: compare (*ret_entry)->purpose with the ticket's owner. A receipt or
 * registry-order: (*ret_entry)->name is the registry. */
chop_err trust_verify(const struct trust *t, const Pb__Signed *s, const char *type, int64_t at,
    const Pb__KeyEntry **ret_entry) CHOP_MUSTCHECK;
/* Whether the key may speak for this organization: an entry that names none serves all. Only who has read the statement
 * knows of which organization it is, so whoever acts on it asks this after unpacking. */
bool trust_key_serves(const Pb__KeyEntry *entry, const char *organization_id);
/* A packed Signed: unpacks it into the arena and verifies. */
chop_err trust_verify_packed(const struct trust *t, struct chop_bytes packed, const char *type, int64_t at,
    struct arena *mem, Pb__Signed **ret_signed) CHOP_MUSTCHECK;

/* A statement by a device: verifies the certificate (terminal-cert / printer-cert, its dates against `at`), then
 * the statement with the certificate's key, and that s->kid is the device's id. The CA's key must have been in force
 * when the certificate was made and not be revoked at `at`; one that ran out later leaves certificates good. ret_cert
 * lies in the arena. A CA of one organization certifies only its devices: EMISMATCH. */
chop_err trust_verify_terminal(const struct trust *t, const Pb__Signed *cert, const Pb__Signed *s, const char *type,
    int64_t at, struct arena *mem, Pb__TerminalCert **ret_cert) CHOP_MUSTCHECK;
chop_err trust_verify_printer(const struct trust *t, const Pb__Signed *cert, const Pb__Signed *s, const char *type,
    int64_t at, struct arena *mem, Pb__PrinterCert **ret_cert) CHOP_MUSTCHECK;
/* Only with a key at hand (CLI keys, tests). */
chop_err trust_verify_key(const struct crypto_key *k, const Pb__Signed *s, const char *type) CHOP_MUSTCHECK;

/* The challenge that a key factor signs (design 4): SHA-256("chop/1/act" 0x00 act id, nonce, digest). */
void trust_act_challenge(const char *act_id, struct chop_bytes nonce, struct chop_bytes digest, uint8_t out[32]);
