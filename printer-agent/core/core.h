/* core: what makes a printer a seal printer (design 5). Portable C99: no heap, no threads, no files, no cryptography
 * and no drawing of its own; the device lends all of that through the structs below. One core is used by one thread.
 *
 * The life of a job: printer_envelope() checks a sealed envelope, in the order of docs/printer-protocol.md, and
 * reserves its numbers in the journal; then each printer_step() prints one number: started (durable) -> ink -> printed
 * or spoiled (durable, with the signed report). Between two steps the device may answer asks. After any ESTORE from the
 * journal the core refuses to go on (the device restarts and calls printer_recover).
 *
 * A loaded job (an offline allotment) is kept in the journal instead: its numbers are held, and printer_local() prints
 * some of them for a terminal's signed local order, with no server in reach. printer_close_out() gives the rest back.
 *
 * Every refusal has an error and a check: the error says what kind, printer_check() which of the checks it was. */
#pragma once
#include "bump.h"

#define PRINTER_ID_SIZE 64 /* ids with their zero */
#define PRINTER_SPKI_MAX 160
#define PRINTER_MAX_NUMBERS 1000 /* of one allotment */
#define PRINTER_CHALLENGE_MS ((int64_t)10 * 60 * 1000)
#define PRINTER_CODE_MS ((int64_t)10 * 60 * 1000)
#define PRINTER_CODE_TRIES 5
#define PRINTER_SERVER_TIME_HOURS 24 /* where the grant does not say */
#define PRINTER_SMALL_MAX 4096       /* a signed challenge, pairing, report or close-out fits into this */
#define PRINTER_HELD_NUMBERS 250     /* of one loaded allotment */
#define PRINTER_HELD_HOURS 72        /* the longest life of one */

/* ---- platform: cryptography, clock, randomness ---- */
struct printer_platform {
    void *ctx;
    void (*sha256)(void *ctx, struct chop_bytes data, uint8_t out[32]);
    void (*hmac_sha256)(void *ctx, struct chop_bytes key, struct chop_bytes data, uint8_t out[32]);
    bool (*equal)(void *ctx, const void *a, const void *b, size_t n); /* constant time */
    /* The message is head followed by body. `algorithm` ("ES256", "Ed25519", "SM2") is the one the key is pinned to; ""
     * only for the root: whatever its key is. ESIGNATURE for anything that does not verify, also unreadable keys. */
    chop_err (*verify)(void *ctx, const char *algorithm, struct chop_bytes spki, struct chop_bytes head,
        struct chop_bytes body, struct chop_bytes signature);
    /* By the printer's own key, ES256. */
    chop_err (*sign)(void *ctx, struct chop_bytes head, struct chop_bytes body, uint8_t out[64]);
    /* HPKE (RFC 9180) with the printer's seal key; out holds sealed.n bytes. */
    chop_err (*open)(void *ctx, struct chop_bytes info, struct chop_bytes aad, struct chop_bytes sealed, uint8_t *out,
        size_t *ret_n);
    void (*random)(void *ctx, void *out, size_t n);
    int64_t (*now)(void *ctx); /* the device's clock, ms since 1970; may be wrong */
};

/* ---- journal: the printer's only memory ---- */
enum journal_number_state {
    NUMBER_NONE, /* not in the journal */
    NUMBER_RESERVED,
    NUMBER_STARTED,
    NUMBER_PRINTED,
    NUMBER_SPOILED,
    NUMBER_REFUSED,
    NUMBER_INTERRUPTED,
    NUMBER_HELD,     /* loaded; waits for a local order */
    NUMBER_RETURNED, /* was held, is given back: never to be printed */
    NUMBER_STATES
};
/* The state machine of a number, as data: what may follow what. */
struct journal_fsm_row {
    const char *name;
    unsigned next; /* bits 1 << state */
};
extern const struct journal_fsm_row journal_fsm[NUMBER_STATES];
bool journal_may_move(enum journal_number_state from, enum journal_number_state to);

struct journal_state {
    uint64_t boot;       /* counts the starts of the device */
    uint64_t seq;        /* of the last report */
    int64_t signed_time; /* last server time that carried a signature; 0 none */
    int64_t last_time;   /* latest time written into the journal */
};
struct journal_challenge {
    int64_t expires_at;
    bool used;
};
struct journal_code { /* the pairing code that is on display */
    char digits[9];
    int64_t expires_at;
    uint32_t tries; /* left */
};
struct journal_pairing {
    char terminal_id[PRINTER_ID_SIZE];
    char member_id[PRINTER_ID_SIZE];
    uint8_t pair_digest[32]; /* SHA-256 of the pair statement's payload */
    int64_t paired_at;
};
struct journal_number { /* one impression number of one allotment: it has one outcome, once */
    char job_id[PRINTER_ID_SIZE];
    char allotment_id[PRINTER_ID_SIZE];
    char grant_id[PRINTER_ID_SIZE];
    uint32_t number;
    enum journal_number_state state;
    int64_t started_at, ended_at;
    uint8_t order_digest[32], envelope_digest[32];
};
struct journal_held { /* a job that was loaded */
    char job_id[PRINTER_ID_SIZE];
    char allotment_id[PRINTER_ID_SIZE];
    char grant_id[PRINTER_ID_SIZE];
    int64_t not_after;
    bool open; /* its envelope is there; false once it was closed out */
    size_t envelope_n;
};
struct journal_report {
    uint64_t seq;
    uint8_t digest[32];      /* SHA-256 of the report's payload */
    struct chop_bytes bytes; /* packed Signed{report} */
};

/* Every function that writes returns only when the write survives power loss, or with an error and nothing written
 * (ESTORE where that is unknown). ENOTFOUND from a *_get means that there is none. A journal that finds itself rolled
 * back or new has no challenges and no held envelopes: what it believes to be unprinted may be on paper. */
struct printer_journal {
    void *ctx;
    chop_err (*load)(void *ctx, struct journal_state *ret_state);
    chop_err (*manifest_get)(void *ctx, uint8_t *out, size_t size, size_t *ret_n);
    chop_err (*manifest_put)(void *ctx, struct chop_bytes packed);
    chop_err (*time_put)(void *ctx, int64_t signed_time);
    chop_err (*challenge_put)(void *ctx, const uint8_t digest[32], int64_t now, int64_t expires_at);
    chop_err (*challenge_get)(void *ctx, const uint8_t digest[32], struct journal_challenge *ret_challenge);
    chop_err (*code_get)(void *ctx, struct journal_code *ret_code);
    chop_err (*code_put)(void *ctx, const struct journal_code *code);
    chop_err (*pairing_get)(void *ctx, const char *terminal_id, struct journal_pairing *ret_pairing);
    chop_err (*pairing_put)(void *ctx, const struct journal_pairing *p); /* and removes the code, in one */
    chop_err (*number_get)(void *ctx, const char *allotment_id, uint32_t number, struct journal_number *ret_number);
    /* Whether the number of this grant is reserved or was ever started, under any allotment. */
    chop_err (*number_taken)(void *ctx, const char *grant_id, uint32_t number, bool *ret_taken);
    /* All numbers NONE -> RESERVED and the challenge unused -> used, in one; `like` is each record but for its number.
     */
    chop_err (*reserve)(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
        const uint8_t challenge_digest[32], int64_t now);
    /* One number from -> n->state, only if its state is `from` (ESTATE otherwise), with its report if there is one. */
    chop_err (*move)(void *ctx, enum journal_number_state from, const struct journal_number *n,
        const struct journal_report *report, int64_t now);
    /* Any number that is reserved or started: what a crash left open. */
    chop_err (*open_get)(void *ctx, struct journal_number *ret_number);
    chop_err (*report_get)(
        void *ctx, const char *allotment_id, uint32_t number, uint8_t *out, size_t size, size_t *ret_n);

    /* ---- loaded jobs ---- */
    /* All numbers NONE -> HELD, the challenge unused -> used, and the envelope as it came, in one. EBUSY and nothing
     * written where too many are held. */
    chop_err (*hold)(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
        const uint8_t challenge_digest[32], struct chop_bytes envelope, int64_t not_after, int64_t now);
    chop_err (*held_get)(void *ctx, const char *job_id, struct journal_held *ret_held);
    /* Of an open one. */
    chop_err (*held_envelope)(void *ctx, const char *job_id, uint8_t *out, size_t size, size_t *ret_n);
    /* The numbers that are still held, ascending. */
    chop_err (*held_numbers)(void *ctx, const char *allotment_id, uint32_t out[PRINTER_HELD_NUMBERS], size_t *ret_n);
    /* The challenge unused -> used: a local order was taken. */
    chop_err (*spend)(void *ctx, const uint8_t challenge_digest[32], int64_t now);
    /* These numbers HELD -> RETURNED, the envelope away, and the statement kept as the report of number 0, in one. */
    chop_err (*close_out)(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n,
        const struct journal_report *statement, int64_t now);
};

/* ---- output: ink on paper ---- */
struct printer_page { /* lives until the next step */
    const char *job_id, *allotment_id;
    uint32_t number;
    const char *token, *serial, *cipher; /* checked: letters and digits of the right length */
    struct chop_bytes artwork, marks;    /* checked outlines */
    struct chop_bytes signature;         /* empty where none was ordered */
    uint32_t page, x_um, y_um;           /* where the seal goes */
};
struct printer_output {
    void *ctx;
    /* Everything that can be done before ink may touch paper. An error refuses the number: it stays usable. */
    chop_err (*prepare)(void *ctx, const struct printer_page *page);
    /* Returns when the impression is complete; an error means that ink may have touched the paper: spoiled. */
    chop_err (*ink)(void *ctx, const struct printer_page *page);
};

/* ---- the core ---- */
struct printer_setup {
    const struct printer_platform *platform;
    const struct printer_journal *journal;
    const struct printer_output *output;
    /* A report or close-out is durable in the journal; send it now, and again until its ReportAck. Also Signed{held},
     * once each time. May be NULL. */
    void (*report)(void *ctx, struct chop_bytes packed);
    void *report_ctx;
    struct chop_bytes root_spki; /* pinned at enrolment */
    struct chop_bytes cert;      /* own packed Signed{printer-cert} */
    struct chop_bytes manifest;  /* of enrolment; a newer one in the journal goes first */
    void *job, *scratch, *manifest_room;
    size_t job_size;     /* about four times the largest envelope */
    size_t scratch_size; /* about four times the largest manifest, and 16 KiB */
    size_t manifest_size;
};

struct printer_job {
    const void *envelope; /* unpacked, in the job memory */
    struct journal_number like;
    const uint32_t *numbers;
    size_t n_numbers, next;
    uint32_t page, x_um, y_um; /* as allotted */
    int64_t not_after;
    enum journal_number_state from; /* RESERVED, or HELD of a local order */
    bool active, stopped;
};
struct printer_core { /* in memory of the caller; not to be touched by it */
    struct printer_setup s;
    struct bump job_mem, scratch;
    char printer_id[PRINTER_ID_SIZE];
    char organization_id[PRINTER_ID_SIZE];
    uint8_t sign_spki[PRINTER_SPKI_MAX];
    size_t sign_spki_n;
    size_t manifest_n;
    uint64_t manifest_version;
    struct journal_state at;
    int64_t time_kept; /* signed time as it stands in the journal */
    struct printer_job job;
    bool broken;
    const char *check;
};

/* Loads journal and manifest and reads the own certificate. */
chop_err printer_start(struct printer_core *c, const struct printer_setup *s) CHOP_MUSTCHECK;
/* Gives an outcome to every number that a crash left open: started without end is interrupted, reserved is refused. */
chop_err printer_recover(struct printer_core *c) CHOP_MUSTCHECK;
/* max(clock, last signed server time, last journal time). */
int64_t printer_now(struct printer_core *c);
/* A packed Signed{manifest}: verified under the pinned root; a lower version is refused, the same ignored. */
chop_err printer_manifest(struct printer_core *c, struct chop_bytes packed) CHOP_MUSTCHECK;
/* A packed Signed{time} for this printer. */
chop_err printer_time(struct printer_core *c, struct chop_bytes packed) CHOP_MUSTCHECK;
/* A new packed Signed{challenge} into out[PRINTER_SMALL_MAX]. */
chop_err printer_challenge(struct printer_core *c, uint8_t *out, size_t *ret_n) CHOP_MUSTCHECK;
/* The pairing code to show: the one on display while it is usable, else a new one. */
chop_err printer_pair_code(struct printer_core *c, struct journal_code *ret_code) CHOP_MUSTCHECK;
/* Signed{pair} and Signed{terminal-cert} in; packed Signed{paired} into out[PRINTER_SMALL_MAX]. A pair statement that
 * was accepted before is answered again. */
chop_err printer_pair(struct printer_core *c, struct chop_bytes pair, struct chop_bytes terminal_cert, uint8_t *out,
    size_t *ret_n) CHOP_MUSTCHECK;
/* A packed SealedEnvelope. NULL: its numbers are reserved, call printer_step; or, loaded, they are held, and there is
 * nothing to step. An error whose numbers could be trusted has been journalled and reported; EBUSY while a job is being
 * printed. */
chop_err printer_envelope(struct printer_core *c, struct chop_bytes packed) CHOP_MUSTCHECK;
/* Prints the next number of the job; *ret_more tells whether there is another. */
chop_err printer_step(struct printer_core *c, bool *ret_more) CHOP_MUSTCHECK;
/* Signed{local-order} and Signed{terminal-cert} in: NULL: call printer_step for each number. What is refused here, or
 * fails before ink, stays held and is told to the terminal alone; what was started ends like any other number. */
chop_err printer_local(struct printer_core *c, struct chop_bytes order, struct chop_bytes terminal_cert) CHOP_MUSTCHECK;
/* Gives back all numbers of a loaded job that are held: packed Signed{closeout} into out[PRINTER_SMALL_MAX]; the same
 * again when asked again. ESTATE where nothing is left to give back. */
chop_err printer_close_out(struct printer_core *c, const char *job_id, uint8_t *out, size_t *ret_n) CHOP_MUSTCHECK;
/* Which check made the last error: "challenge", "artwork"...; "" where none. */
const char *printer_check(const struct printer_core *c);
