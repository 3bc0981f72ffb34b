/* The world of the outbox's tests: "identity" produces events of numbered things, "taker" writes down what it applied.
 * Both run in this process, as many instances as a test wants; only their database and the bus are others. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <stdatomic.h>

#include "common.pb-c.h"
#include "fixture.h"
#include "fixture_process.h"
#include "outbox.h"

#define WORKS(e)                                                                                                       \
    do {                                                                                                               \
        chop_err w_ = (e);                                                                                             \
        if (w_) fail_msg("%s: %s", w_->name, chop_detail_text());                                                      \
    } while (0)

int world_setup(void **state);
int world_teardown(void **state);
/* Before each test: nothing applied, nothing failing. */
int world_clean(void **state);

/* Instances; stopped by world_stop or at the end. */
struct outbox *world_producer(void);
struct outbox *world_consumer(void);
void world_stop(struct outbox **o);
extern struct outbox *producer, *consumer; /* the first of each: running */

/* One event in a transaction of its own; thread-safe. Wakes no sequencer. */
void world_put(const char *key, uint64_t n);
void world_put_awake(const char *key, uint64_t n);
/* A key of this partition. */
const char *world_key(uint32_t partition);

/* What the handler does. */
extern _Atomic int fail_partition;   /* writes its effect, then fails; -1: none */
extern _Atomic size_t handler_bytes; /* memory that it takes of the call */

int64_t world_number(const char *role, const char *sql);
/* Waits until so many rows were applied, 20 s at most. */
void world_wait(int64_t applied);
/* Nothing twice, each key in its order, every lane dense. */
void world_check(int64_t applied);
