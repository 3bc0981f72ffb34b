/* world: an organization ready to work on a running stack: people with keys and terminals, a seal, a paired printer. */
#pragma once
#include "stack.h"

struct world {
    struct api *a;
    struct person admin, user, manager, auditor;
    char seal_id[CHOP_ID_MAX];
    struct printer printer;
};
/* Ends the process where anything fails. slug and code: unique on the stack. kind: "page", "null". */
void world_make(struct world *w, const char *slug, const char *seal_code, const char *kind);
void world_done(struct world *w);
/* A member with a key and a terminal. */
void world_person(struct world *w, const char *account, const char *name, const char *roles, struct person *ret);
/* 13 digits: province, city, county and a serial of its own. */
const char *world_seal_code(void);
/* Fails the process with the error and its detail. */
void must(chop_err e, const char *what);
/* Waits until every registry has receipted all facts of the grant, `facts` of them; false when time is over. */
bool world_filed(struct world *w, const char *grant_id, int facts, int ms);
