/* A member, a terminal, a printer and what authorization and identity would have signed for them; and a stand-in for
 * authorization's internal calls. For the tests of issuance and verification. */
#pragma once
#include "fixture.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

struct world {
    struct crypto_key *terminal, *printer, *printer_seal, *hpke;
    uint8_t cipher_key[32], verify_key[32];
    const char *cipher_path, *verify_path, *hpke_path;
    const char *principal;               /* Base64 */
    struct chop_bytes artwork, specimen; /* outlines */
    uint8_t artwork_digest[32], specimen_digest[32], document_digest[32];
};
struct world *world_up(void);
void world_down(void);
/* Environment of chop-issuance and chop-verification. */
const char *const *world_issuance_env(void);
const char *const *world_verification_env(void);

/* What an order is made of; each statement is filled soundly and may be bent before world_seal signs it all. */
struct order_kit {
    Pb__GrantStatement grant;
    Pb__AllotmentStatement allotment;
    Pb__PrintOrder order;
    Pb__TerminalCert terminal;
    Pb__PrinterCert printer;
    Pb__Challenge challenge;
    uint32_t numbers[100];
    uint8_t grant_digest[32], allotment_digest[32], challenge_digest[32];
    const char *grant_signer, *allotment_signer; /* purposes; NULL: authorization */
    bool bend_allotment_digest, bend_order_challenge, bend_allotment_challenge, bend_grant_digest;
    Pb__SubmitOrderRequest request; /* packed by kit_seal */
};
/* A new grant and allotment of n numbers from 1. */
struct order_kit *kit_new(size_t n);
void kit_seal(struct order_kit *k);
/* The printer's and terminal's certificates under other keys than identity-ca are not made here: see the test. */
struct chop_bytes kit_sign_by(const struct crypto_key *k, const char *kid, const char *type, const void *message);
void kit_digest(const void *message, uint8_t out[32]);

/* ---- the stand-in for authorization: answers FetchArtwork, FetchSpecimen, FindGrantState ---- */
struct authority {
    int artwork_calls, specimen_calls, state_calls;
    bool wrong_artwork, wrong_specimen, silent;
    /* Of FindGrantState; a number_state of NULL: answers ENOTFOUND. A number_allotment of NULL: that of the kit that
     * was sealed last for the grant. */
    const char *number_state, *number_allotment;
    const char *grant_state, *seal_state; /* NULL: open, active */
};
struct authority *authority_up(void); /* one a process */
