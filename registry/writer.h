/* writer: the one thread that stores. It takes all filings that wait into one transaction (group commit), so that many
 * share one fsync; nobody is answered before the commit. */
#pragma once
#include "filing.h"
#include "store.h"

#define WRITER_MAX_WAITING 4096
#define WRITER_MAX_BATCH 256

struct writer;
struct writer_options {
    struct store *store; /* the writer's own */
    const char *name;    /* of the registry */
    const struct crypto_key *key;
};
chop_err writer_start(const struct writer_options *o, struct writer **ret_writer) CHOP_MUSTCHECK;
/* Hands over a filing; its done() is called whatever happens. */
void writer_push(struct writer *w, struct filing *f);
/* Finishes what waits, then ends the thread. Later pushes are refused at once. */
void writer_stop(struct writer *w);
void writer_free(struct writer *w);
