/* What verification concludes (design 7). Pure: no bus, no store, no clock. */
#pragma once
#include "base.h"

#include "authorization.pb-c.h"
#include "verification.pb-c.h"

#define VERIFICATION_GRACE_MS (15 * 60 * 1000) /* how long a report may take after the allotment's end */
#define VERIFICATION_HOST_MAX 20

/* ---- states of an impression, as stored ---- */
enum outcome { ISSUED, INTERRUPTED, PRINTED, SPOILED, RETURNED, REVOKED, OUTCOMES };
/* From authorization's word; "reserved" is ISSUED. OUTCOMES where unknown. */
enum outcome outcome_of(const char *state);
/* Whether `to` may replace `from`: what was printed is never unprinted, what was revoked never comes back. */
bool outcome_follows(enum outcome from, enum outcome to);
/* Whether only signed proof makes it so; the others merely say that nothing is proven. */
bool outcome_needs_proof(enum outcome o);

/* A seal in such a state should not have printed: lost, revoked, destroyed. */
bool seal_ended(const char *state);

/* ---- the verdict ---- */
enum mark_flag { MARK_DOUBTFUL = 1, MARK_CANCELLED = 2, MARK_SUSPENDED = 4 };
struct situation {
    enum outcome outcome;
    unsigned flags;
    bool seal_ended_now;
    bool current; /* the read model is known to be up to date, or the owner was asked just now */
    bool differs; /* cipher or facts do not match */
    int64_t now, not_after;
};
struct conclusion {
    const char *verdict, *reason;
};
struct conclusion conclude(const struct situation *s);

/* ---- masking: what a token alone may show ---- */
struct arena;
/* 张三 -> 张*, 张小三 -> 张*三, Alice -> A***e */
char *mask_name(struct arena *mem, const char *name);
/* Titles and counterparties: the first and last two letters of a long one. */
char *mask_text(struct arena *mem, const char *text);
/* All of a full verdict. */
void mask_verdict(struct arena *mem, Pb__Verdict *v);

/* ---- comparing ---- */
/* Whether two facts say the same: blanks, letter case, full-width forms, thousands separators and currency signs aside.
 */
bool fact_same(const char *a, const char *b);
/* Whether facts are given that the masked level does not show. */
bool facts_hidden(const Pb__KeyFacts *given, const char *given_sha256);
/* Names of the given facts that differ, into names[8]; returns how many. Empty and zero means not given. */
size_t facts_differ(const Pb__KeyFacts *approved, const char *approved_sha256, const Pb__KeyFacts *given,
    const char *given_sha256, const char *names[8]);

/* VERIFY_HOST: 1 to 20 characters of QR's alphanumeric mode. */
chop_err verification_host(const char *host) CHOP_MUSTCHECK;
