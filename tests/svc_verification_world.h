/* Stand-ins for the producers that verification listens to: their events, heads, ReadEvents and FindImpression. */
#pragma once
#include "svc_issuance_world.h"

#include "filing.pb-c.h"
#include "marks.h"
#include "verification.pb-c.h"

/* One paper: its kit and its marks. */
struct paper {
    struct order_kit *kit;
    uint32_t number;
    char token[MARKS_TOKEN_LEN + 1], serial[MARKS_SERIAL_LEN + 1], cipher[MARKS_CIPHER_LEN + 1];
    Pb__ImpressionStatement statement; /* bend it before paper_issue */
    const char *statement_signer;      /* NULL: issuance */
    Pb__ImpressionIssued issued;
    uint8_t hash[32];
};
/* A new paper of a new grant; bend paper->kit before paper_issue seals it. */
struct paper *paper_new(void);
/* Another number of the same grant, under an allotment of its own where `allotment` is given. */
struct paper *paper_sibling(const struct paper *p, uint32_t number, const char *allotment);
/* Signs all, and tells issuance.impression.issued. */
void paper_issue(struct paper *p);
void paper_seal(struct paper *p); /* signs all, tells nothing */
/* Tells authorization.impression.settled with a fact of this kind (NULL: none) and detail, signed by authorization. */
void paper_settle(const struct paper *p, const char *state, const char *kind, const char *detail);
/* The same with anything bent. */
struct settle {
    const char *state, *kind, *detail, *signer;
    uint32_t fact_number;
    bool revocation;
    int64_t at;      /* of the event; the fact's is now */
    const char *key; /* of the event; NULL: the paper's seal */
};
void paper_settle_with(const struct paper *p, const struct settle *s);
/* The fact says `state`, the event around it another. */
void seal_change_as(const struct paper *p, const char *state, const char *event_state, uint64_t seq);
void seal_change(const struct paper *p, const char *state, uint64_t seq, const char *signer);
/* authorization.fact.filed for the paper; returns the fact's id, its digest into out. */
const char *fact_file(const struct paper *p, const char *kind, uint8_t out[32]);
void receipt_tell(const struct paper *p, const char *fact_id, const uint8_t digest[32], const struct crypto_key *signer,
    const char *number);

/* ---- producers ---- */
/* `issuance`: also stands in for issuance (where the real one does not run). */
void producers_up(bool issuance);
void producers_down(void);
void producers_quiet(bool quiet); /* heads are announced no more */
void tell(const char *producer, const char *type, const char *key, const void *message);
/* Answers of issuance.FindImpression: papers are known by paper_known; silent: no answer at all. */
void paper_known(const struct paper *p);
void issuance_silent(bool silent);

extern struct world *verification_world; /* set by the test after world_up */
