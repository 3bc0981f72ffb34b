/* world: everything around one printer, made afresh: keys, manifest, certificates, a grant and its job, an in-memory
 * journal that can die, and an output that counts. Real cryptography throughout. */
#pragma once
#include "core.h"
#include "platform.h"
#include "trust.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "pb.h"
#include "printer.pb-c.h"

#define WORLD_NUMBERS 3

enum world_key {
    KEY_ROOT,
    KEY_ISSUANCE,
    KEY_AUTHORIZATION,
    KEY_CA,
    KEY_BRIDGE,
    KEY_TERMINAL,
    KEY_PRINTER,
    KEY_SEAL,
    KEY_STRANGER,
    KEY_IDENTITY,
    KEY_COUNT
};

/* ---- journal in memory ---- */
struct mem_journal {
    struct journal_state state;
    uint8_t manifest[16384];
    size_t manifest_n;
    struct {
        uint8_t digest[32];
        struct journal_challenge c;
    } challenges[64];
    size_t n_challenges;
    struct journal_code code;
    bool has_code;
    struct journal_pairing pairings[8];
    size_t n_pairings;
    struct {
        struct journal_number n;
        uint8_t report[PRINTER_SMALL_MAX];
        size_t report_n;
    } numbers[64];
    size_t n_numbers;
    struct {
        struct journal_held h;
        uint8_t envelope[32768];
        uint8_t closeout[PRINTER_SMALL_MAX];
        size_t closeout_n;
    } held[4];
    size_t n_held;
    int writes;     /* so far */
    int die_at;     /* the write, from 1, at which power fails; 0 never */
    bool die_after; /* the write is made, but nobody hears of it */
    bool dead;
};
struct printer_journal mem_journal_of(struct mem_journal *j);

/* ---- output that counts ---- */
struct mem_output {
    int inked[64]; /* by number */
    int prepared[64];
    int fail_prepare; /* the number whose preparing fails; 0 none */
    int fail_ink;
    int die_before_ink, die_after_ink; /* the number at which power fails */
    struct mem_journal *journal;
};
struct printer_output mem_output_of(struct mem_output *o);

/* ---- the world ---- */
struct world {
    struct arena *mem;
    struct crypto_key *keys[KEY_COUNT];
    int64_t now; /* the printer's clock */
    char printer_id[CHOP_ID_MAX], terminal_id[CHOP_ID_MAX], member_id[CHOP_ID_MAX], org_id[CHOP_ID_MAX];
    Pb__KeyManifest manifest;
    struct chop_bytes manifest_signed, printer_cert, root_spki;

    struct platform device;
    struct printer_platform platform;
    struct mem_journal *mem_journal;
    struct printer_journal journal;
    struct mem_output output;
    struct printer_output out;
    struct printer_core core;
    void *job, *scratch, *room;

    /* reports that were sent, unpacked */
    struct {
        Pb__Report *r;
        struct chop_bytes packed;
    } reports[256];
    size_t n_reports;
    struct { /* Signed{held} and Signed{closeout}, as they were sent */
        const char *type;
        struct chop_bytes packed, payload;
    } told[64];
    size_t n_told;
};
struct world *world_new(void);
void world_free(struct world *w);
/* Makes the manifest of the keys as they are, and signs it. */
void world_make_manifest(struct world *w);
/* Signs the manifest as it stands (again). */
void world_sign_manifest(struct world *w);
/* Starts the core over the world's journal, as after power on. */
void world_boot(struct world *w);
chop_err world_try_boot(struct world *w);
/* Pairs the world's terminal through the real calls. */
void world_pair(struct world *w);
struct chop_bytes world_pack(struct world *w, const void *message);
struct chop_bytes world_sign(
    struct world *w, enum world_key key, const char *kid, const char *type, const void *message);
Pb__Signed *world_signed(struct world *w, enum world_key key, const char *kid, const char *type, const void *message);
struct chop_bytes world_time(struct world *w, int64_t at);

/* ---- a job; hooks alter what is not yet signed (stage before) or the Signed (stage after) ---- */
enum job_stage { ST_CERT, ST_GRANT, ST_ALLOTMENT, ST_ORDER, ST_ENVELOPE, ST_SIGNED_ENVELOPE, ST_SEALED, ST_COUNT };
struct job {
    struct world *w;
    Pb__TerminalCert cert;
    Pb__GrantStatement grant;
    Pb__AllotmentStatement allotment;
    Pb__PrintOrder order;
    Pb__Envelope envelope;
    Pb__Signed *cert_s, *grant_s, *allotment_s, *order_s, *challenge_s, *envelope_s;
    Pb__SealedEnvelope sealed;
    enum world_key cert_key, grant_key, allotment_key, order_key, envelope_key;
    uint32_t numbers[8];
    char grant_id[CHOP_ID_MAX], allotment_id[CHOP_ID_MAX], job_id[CHOP_ID_MAX];
    void (*hook)(struct job *j, enum job_stage stage);
    const void *hook_arg;
    struct chop_bytes challenge; /* packed; asked from the printer where empty */
};
void job_init(struct job *j, struct world *w);
/* Signs and seals everything; packed SealedEnvelope. */
struct chop_bytes job_make(struct job *j);
/* Hands it to the printer and prints all. */
chop_err job_print(struct job *j, struct chop_bytes packed);
/* A small outline of w x h micrometres. */
struct chop_bytes world_outline(struct world *w, uint32_t width, uint32_t height);
