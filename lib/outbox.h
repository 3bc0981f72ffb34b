/* outbox: events that cannot be lost (design 9). An event is a row of the producer's own transaction; one elected
 * sequencer gives committed rows dense positions per partition; consumers apply position + 1 only, together with
 * their effect, and ask ReadEvents for what they miss. JetStream is only the fast path. */
#pragma once
#include "rpc.h"

#define OUTBOX_PARTITIONS 16

/* Adds an event to the call's transaction; type "<service>.<noun>.<past-verb>"; key is what partitions it. */
chop_err outbox_put(struct call *c, const char *type, const char *key, const void *message) CHOP_MUSTCHECK;
uint32_t outbox_partition(const char *key);

/* The handler of every service's ReadEvents. */
chop_err outbox_read_events(struct call *c, const void *in, void *out) CHOP_MUSTCHECK;
/* The tables and queries of both sides: `outbox_sql.h` (generated) declares `const char outbox_sql[]`. */

/* Run by lib/app: the sequencer of this service and the consumers of its event table. */
struct outbox;
struct outbox_options {
    struct app *app;
    const char *service;
    const char *conninfo;
    const struct db_store *store;
    struct bus *bus;
    const struct event_row *events; /* NULL: consumes nothing */
    const struct trust *(*trust)(const struct app *app);
    void *state;
    int consumers; /* threads; the same number in every replica */
    bool produces;
};
chop_err outbox_start(const struct outbox_options *o, struct outbox **ret_outbox) CHOP_MUSTCHECK;
void outbox_stop(struct outbox *o);
/* Wakes the sequencer: called by the dispatcher after a commit that put events. */
void outbox_wake(struct outbox *o);
/* Whether what this service knows from `producer` may be older than `ms`: its announced head is ahead of what was
 * applied here, or nothing was heard from it for so long. */
bool outbox_behind(const struct outbox *o, const char *producer, int64_t ms);
