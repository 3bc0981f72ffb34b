/* rules: identity's pure decisions: formats, roles, pauses. No bus, no database. */
#pragma once
#include "base.h"

/* ---- formats; each error names `field` ---- */
chop_err rules_slug(const char *field, const char *slug) CHOP_MUSTCHECK; /* [a-z0-9-]{2,32}, no hyphen at an end */
chop_err rules_account(const char *field, const char *account) CHOP_MUSTCHECK; /* [a-z0-9][a-z0-9._@-]{1,63} */
/* min_chars to max_bytes of UTF-8 without control characters, without blanks at the ends. */
chop_err rules_text(const char *field, const char *text, size_t min, size_t max) CHOP_MUSTCHECK;
/* 统一社会信用代码, GB 32100-2015: 18 characters, the last checks the rest (weights 3^i mod 31). */
chop_err rules_uscc(const char *field, const char *uscc) CHOP_MUSTCHECK;
/* 8 to 256 bytes, neither the account name nor one of the passwords that are tried first. */
chop_err rules_password(const char *field, const char *password, const char *account) CHOP_MUSTCHECK;

/* ---- roles ---- */
enum role { ROLE_USER = 1, ROLE_MANAGER = 2, ROLE_ADMIN = 4, ROLE_AUDITOR = 8 };
#define ROLES_TEXT_MAX 32
/* A set of roles. EINVAL for unknown and repeated ones, and for a mix of powers: use (user), management (manager,
 * admin) and audit (auditor) are never in one hand (三权分立). An empty list is the empty set: the member leaves. */
chop_err rules_roles(const char *field, char *const *roles, size_t n, unsigned *ret_set) CHOP_MUSTCHECK;
/* "admin,manager": the stored form, and back. Unknown words are ignored. */
void rules_roles_text(unsigned set, char out[ROLES_TEXT_MAX]);
unsigned rules_roles_parse(const char *text);
/* The names of a set, in the list's order; returns how many. */
size_t rules_roles_names(unsigned set, const char *ret_names[4]);

/* ---- throttle ---- */
#define RULES_FREE_TRIES 5
#define RULES_PAUSE_MAX_MS 60000
/* The pause after the k-th failure in a row: none for the first four, then 1 s, doubled each time, at most a minute:
 * never a lockout, so that nobody can shut a member out. */
int64_t rules_pause_ms(int64_t failures);
/* Failures are forgotten after this long without one. */
#define RULES_FORGET_MS (60 * 60 * 1000)

/* ---- factors ---- */
enum factor { FACTOR_UNKNOWN, FACTOR_PASSWORD, FACTOR_KEY, FACTOR_OTHER };
/* FACTOR_OTHER: one of the eight names that this deployment has no means to check. */
enum factor rules_factor(const char *name);

/* ---- one-time codes: 10 letters of Crockford Base32 ---- */
#define RULES_CODE_LEN 10
/* Of 50 bits of `random`. */
void rules_code_make(const uint8_t random[7], char out[RULES_CODE_LEN + 1]);
/* Upper case, I and L are 1, O is 0, blanks and hyphens dropped; false unless ten letters remain. */
bool rules_code_read(const char *text, char out[RULES_CODE_LEN + 1]);
