/* What e2e_faults shares: one fault, one job that goes through it, and what must be true afterwards. */
#pragma once
#include "world.h"

enum stage { /* where in the job somebody is killed; a crash point says by itself */
    AT_CRASH_POINT,
    AFTER_DECISION,
    AFTER_COMMIT, /* of the print act */
    AFTER_ORDER,
};
struct fault {
    const char *name;
    const char *group;  /* of faults that one ctest runs on one stack */
    const char *victim; /* as in DIR/run; "printer" */
    const char *point;  /* CHOP_FAILPOINT, with ":k"; NULL: SIGKILL (PostgreSQL: immediate shutdown) at `stage` */
    enum stage stage;
    bool wipe;          /* nats: the JetStream store too */
    const char *settle; /* what a manager says when the printer cannot; NULL: it reports by itself */
    int inks;           /* how often ink meets paper: once, but for a printer that died before */
};
extern const struct fault faults[];
extern const size_t fault_count;

/* What a job leaves behind, for the checks. */
struct trace {
    char grant_id[CHOP_ID_MAX], job_id[CHOP_ID_MAX], allotment_id[CHOP_ID_MAX], token[32], cipher[16];
};
/* Says what is wrong; the fault counts as failed. */
void wrong(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* Whatever happened, these hold once everything is up again. */
void check_all(struct world *w, const struct fault *f, const struct trace *t);
