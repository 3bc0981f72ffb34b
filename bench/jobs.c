/* (c) Whole jobs: request, decision, print, the printer's report, and every fact filed with three registries and
 * receipted; 64 of them at a time. Beside it: what this PostgreSQL commits in a second. */
#include "bench.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_ONCE 64
#define PRINTERS 8
#define PEOPLE 8
#define SEALS 16
#define WARM_MS 3000
#define MEASURE_MS 15000
#define LOOK_MS 400 /* between two looks at what is not done yet: looking costs too */

struct team {
    struct person user, manager;
};
static struct world *world;
static struct team teams[PEOPLE];
static struct printer printers[PRINTERS];
static char seals[SEALS][CHOP_ID_MAX];
static _Atomic long done, failed;
static _Atomic long asked_ms, ordered_ms, printed_ms, filed_ms; /* of all jobs together */
static _Atomic bool stop;

static void prepare(void) {
    for (int i = 0; i < SEALS; i++)
        must(seal_make(world->a, &world->admin, stack_text("合同章%d", i), world_seal_code(), NULL, seals[i]), "seal");
    for (int i = 0; i < PRINTERS; i++) {
        printer_new(world->a, &world->admin, stack_text("bench%d", i), &printers[i]);
        printer_run(world->a, &world->user, &printers[i], "null", NULL);
    }
    for (int i = 0; i < PEOPLE; i++) {
        world_person(world, stack_text("user%d", i), "用户", "user", &teams[i].user);
        world_person(world, stack_text("manager%d", i), "经理", "manager", &teams[i].manager);
        printer_accept(world->a, &printers[i % PRINTERS], &teams[i].user);
    }
}

static bool filed(struct api *a, const char *grant_id) {
    Pb__ListFilingsReply *list;
    size_t receipted = 0;
    if (filings_of(a, &world->auditor, grant_id, &list)) return false;
    for (size_t i = 0; i < list->n_filings; i++) receipted += strcmp(list->filings[i]->state, "receipted") == 0;
    return receipted == 9;
}

static int64_t lap(_Atomic long *sum, int64_t since) {
    int64_t at = chop_now_ms();
    atomic_fetch_add(sum, at - since);
    return at;
}

static chop_err job(struct api *a, int n) {
    const struct team *t = &teams[n % PEOPLE];
    const struct use u = { .seal_id = seals[n % SEALS], .title = "销售合同", .copies = 1 };
    char grant_id[CHOP_ID_MAX];
    Pb__Job *j;
    int64_t at = chop_now_ms();
    TRY(grant_make(a, &t->user, &t->manager, &u, grant_id));
    at = lap(&asked_ms, at);
    TRY(print_start(a, &t->user, grant_id, printers[n % PEOPLE % PRINTERS].id, 1, &j));
    at = lap(&ordered_ms, at);
    TRY(job_wait(a, &t->user, j->job_id, 40000, LOOK_MS, &j));
    at = lap(&printed_ms, at);
    for (int i = 0; i < 40000 / LOOK_MS; i++, nap_ms(LOOK_MS)) {
        api_reset(a);
        if (!filed(a, grant_id)) continue;
        (void)lap(&filed_ms, at);
        return NULL;
    }
    return CHOP_ERR(ETIMEOUT);
}

static void *worker(void *arg) {
    int n = (int)(intptr_t)arg;
    CHOP_CLEANUP(api_free_p) struct api *a = api_new(stack_url());
    while (!atomic_load(&stop)) {
        api_reset(a);
        chop_err e = job(a, n);
        if (e && atomic_fetch_add(&failed, 1) < 3)
            (void)fprintf(stderr, "job: %s %s: %s\n", e->name, chop_detail_field(), chop_detail_text());
        if (!e) atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static double jobs_a_second(void) {
    pthread_t threads[AT_ONCE];
    for (int i = 0; i < AT_ONCE; i++)
        if (pthread_create(&threads[i], NULL, worker, (void *)(intptr_t)i) != 0) must(CHOP_ERR(EMEMORY), "thread");
    nap_ms(WARM_MS);
    long before = atomic_load(&done);
    int64_t began = chop_mono_ns();
    nap_ms(MEASURE_MS);
    long n = atomic_load(&done) - before;
    double seconds = (double)(chop_mono_ns() - began) / 1e9;
    atomic_store(&stop, true);
    for (int i = 0; i < AT_ONCE; i++) (void)pthread_join(threads[i], NULL);
    long all = atomic_load(&done) ? atomic_load(&done) : 1;
    (void)printf("a job's ms: request and decision %ld, order %ld, until printed %ld, until filed %ld\n",
        asked_ms / all, ordered_ms / all, printed_ms / all, filed_ms / all);
    if (atomic_load(&failed)) (void)fprintf(stderr, "%ld jobs failed\n", atomic_load(&failed));
    return (double)n / seconds;
}

static double commits_a_second(void) {
    const char *at = stack_text("-h %s/pg -p %d -U chop", stack_dir(), stack_port("PG"));
    (void)stack_output("psql -Xq %s -d postgres -c 'CREATE DATABASE pgbench'; pgbench -i -q %s pgbench >/dev/null 2>&1", at, at);
    const char *out = stack_output("pgbench -N -M prepared -c 16 -T 10 %s pgbench 2>/dev/null", at), *tps = strstr(out, "tps = ");
    return tps ? atof(tps + 6) : 0;
}

void bench_jobs(struct bench *b) {
    world = bench_world(b);
    prepare();
    double rate = jobs_a_second();
    bench_report(&(struct bench_result){ .name = "jobs.rate", .value = rate, .unit = "jobs/s",
        .against = "pgbench -N, commits/s", .reference = commits_a_second(), .bound = 0.01 });
    for (int i = 0; i < PRINTERS; i++) printer_end(&printers[i], SIGTERM);
}
