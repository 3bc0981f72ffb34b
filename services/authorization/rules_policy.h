/* rules_policy: a seal's policy: its defaults, its bounds, and which factors an act needs. Pure. */
#pragma once
#include "arena.h"
#include "authorization.pb-c.h"

/* A complete policy: what is absent gets its default. EINVAL or ELIMIT names the field below `path`. `in` may be
 * NULL. The result shares its lists with `in`. */
chop_err rules_policy_fill(const char *path, const Pb__Policy *in, uint32_t version, struct arena *mem,
    Pb__Policy **ret_policy) CHOP_MUSTCHECK;

enum policy_step { STEP_REQUEST, STEP_DECIDE, STEP_SIGN, STEP_PRINT, STEP_ADMIN };
struct clauses {
    Pb__Clause **list;
    size_t n;
};
/* The seal's clauses for a step, else the defaults: request and admin: password or key; decide, sign and print: key,
 * fingerprint or face, because a compromised gateway can misuse a password that it sees. policy may be NULL. */
struct clauses rules_policy_clauses(const Pb__Policy *policy, enum policy_step step);

bool rules_list_has(char *const *list, size_t n, const char *item);
/* [a-z0-9-]{1,32}. */
bool rules_registry_name(const char *name);
/* [a-z0-9_]{1,32}: an id of another service, whose prefix is its own affair. */
bool rules_foreign_id(const char *id);
