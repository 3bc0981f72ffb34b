/* What the files of this service share. */
#pragma once
#include "app.h"
#include "marks.h"
#include "rules.h"

struct issuance_conf {
    const char *verify_host, *cipher_key, *verify_key, *hpke_key;
    int64_t cache_mb;
};
struct cache;
struct issuance {
    struct issuance_conf conf;
    char host[ISSUANCE_HOST_MAX + 1]; /* upper case, as in the QR */
    uint8_t cipher_key[32], verify_key[32];
    struct crypto_key *hpke;
    struct cache *artwork;
};

/* An order as it came: packed statements, what they say, and the certificate chain that proved them. */
struct submitted {
    struct order o;
    Pb__Signed *grant, *allotment, *order, *terminal_cert, *challenge;
};
/* Verifies every signature, unpacks, checks all bindings. Nothing about time but the keys' own. */
chop_err submitted_read(struct call *c, const Pb__SubmitOrderRequest *in, struct submitted *ret) CHOP_MUSTCHECK;

/* ---- artwork.c ---- */
struct cache *cache_new(size_t limit_bytes);
void cache_free(struct cache *k);
/* A copy in the arena; false when it is not there. */
bool cache_get(struct cache *k, const uint8_t digest[32], struct arena *mem, struct chop_bytes *ret);
void cache_put(struct cache *k, const uint8_t digest[32], struct chop_bytes data);
/* The grant's artwork and, where one was ordered, the signature's specimen: fetched from authorization, checked against
 * the grant's digests. */
chop_err artwork_fetch(struct call *c, const Pb__GrantStatement *g, struct chop_bytes *ret_outline) CHOP_MUSTCHECK;
chop_err specimen_fetch(struct call *c, const Pb__SubmitOrderRequest *in, const Pb__GrantStatement *g,
    struct chop_bytes *ret_outline) CHOP_MUSTCHECK;

/* ---- marks_of.c: what is made for one number ---- */
struct impression {
    uint32_t number;
    const char *impression_id;
    char token[MARKS_TOKEN_LEN + 1], serial[MARKS_SERIAL_LEN + 1], cipher[MARKS_CIPHER_LEN + 1];
    uint8_t cipher_hash[32];
    struct chop_bytes block;     /* outline */
    struct chop_bytes offline;   /* what the signed QR holds; empty but for offline grants */
    struct chop_bytes statement; /* packed Signed{impression} */
};
/* Token and serial by chance, the cipher from them. */
chop_err impression_draw(
    const struct issuance *s, const struct order *o, uint32_t number, struct impression *ret) CHOP_MUSTCHECK;
/* The block and the signed statement. */
chop_err impression_finish(struct call *c, const struct order *o, struct impression *i) CHOP_MUSTCHECK;
chop_err cipher_of(const struct issuance *s, const Pb__GrantStatement *g, const Pb__AllotmentStatement *a,
    uint32_t number, const char *serial, char out[MARKS_CIPHER_LEN + 1]) CHOP_MUSTCHECK;
/* HMAC-SHA256(verification's key, serial "|" cipher). */
void cipher_hash_of(const struct issuance *s, const char *serial, const char *cipher, uint8_t out[32]);
const char *mark_url(struct call *c, const char *token);

/* ---- job.c ---- */
struct job {
    const char *job_id;
    const struct submitted *from;
    struct impression *impressions;
    size_t n;
    struct chop_bytes artwork, signature;
    struct chop_bytes sealed; /* HPKE over the packed Signed{envelope} */
};
chop_err envelope_seal(struct call *c, struct job *j) CHOP_MUSTCHECK;
/* Rows and events, in the call's transaction. EUSED when the allotment or a number was used meanwhile. */
chop_err job_store(struct call *c, const struct job *j) CHOP_MUSTCHECK;
chop_err job_print(struct call *c, const char *job_id, Pb__Job *out) CHOP_MUSTCHECK;
