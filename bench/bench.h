/* What the benches share: one stack, one world, results. A number is only quoted beside what it was measured against on
 * the same machine in the same run: the ratio is what may be compared. */
#pragma once
#include "world.h"

struct bench {
    struct world world; /* an organization with one printer, null output */
    bool has_world;
};
struct bench_result {
    const char *name;
    double value;
    const char *unit;
    const char *against;
    double reference;
    double bound; /* of the ratio value / reference; 0: none */
    bool most;    /* bound is the most that is accepted; else the least */
};
void bench_report(const struct bench_result *r);
/* Starts the stack (once) and makes the world (once). */
struct world *bench_world(struct bench *b);

void bench_verify(struct bench *b);  /* (a) page look-ups a second, and (b) the latency of one, beside nginx */
void bench_jobs(struct bench *b);    /* (c) whole jobs a second beside commits a second of pgbench */
void bench_memory(struct bench *b);  /* (d) resident memory of each service, idle */
void bench_start(struct bench *b);   /* (e) from nothing to a stack that is ready */
void bench_hold(struct bench *b);    /* only if asked for: the stack of (a), for a profiler, until a line is typed */
