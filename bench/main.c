/* chop-bench BIN RESULTS [NAME]: runs the benches (verify, jobs, memory, start; all where none is named) on a private
 * stack, prints a table and writes RESULTS. Exit status 1: a bound was missed. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX 64

static struct bench_result results[RESULTS_MAX];
static size_t n_results;
static const char *bin;

static double ratio_of(const struct bench_result *r) {
    return r->reference > 0 ? r->value / r->reference : 0;
}

static bool good(const struct bench_result *r) {
    return r->bound <= 0 || (r->most ? ratio_of(r) <= r->bound : ratio_of(r) >= r->bound);
}

void bench_report(const struct bench_result *r) {
    if (n_results == RESULTS_MAX) return;
    results[n_results++] = *r;
    (void)printf("%-34s %12.2f %-12s %-32s %12.2f  ratio %8.4f  %s %g%s\n", r->name, r->value, r->unit, r->against,
        r->reference, ratio_of(r), r->most ? "at most" : "at least", r->bound, good(r) ? "" : "  MISSED");
    (void)fflush(stdout);
}

static bool results_write(const char *path) {
    FILE *f = fopen(path, "we");
    if (!f) return false;
    (void)fputs("[\n", f);
    for (size_t i = 0; i < n_results; i++) {
        const struct bench_result *r = &results[i];
        (void)fprintf(f, " {\"name\":\"%s\",\"value\":%.4f,\"unit\":\"%s\",\"against\":\"%s\",\"reference\":%.4f,\"ratio\":%.5f}%s\n",
            r->name, r->value, r->unit, r->against, r->reference, ratio_of(r), i + 1 < n_results ? "," : "");
    }
    (void)fputs("]\n", f);
    return fclose(f) == 0;
}

struct world *bench_world(struct bench *b) {
    static const char *const env[] = { "CHOP_GATEWAY_ADDRESS_RATE=0", "CHOP_GATEWAY_SESSION_RATE=0",
        "CHOP_GATEWAY_CONNECTIONS_PER_ADDRESS=0", NULL };
    if (!*stack_dir()) {
        stack_start("bench", bin, env);
        stack_devices_apart();
    }
    if (!b->has_world) world_make(&b->world, "bench", world_seal_code(), "null");
    b->has_world = true;
    return &b->world;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        void (*run)(struct bench *b);
    } benches[] = { { "start", bench_start }, { "memory", bench_memory }, { "verify", bench_verify }, { "jobs", bench_jobs },
        { "hold", bench_hold } };
    static struct bench b;
    if (argc < 3) return 2;
    bin = argv[1];
    for (size_t i = 0; i < CHOP_COUNT(benches); i++)
        if (argc < 4 ? benches[i].run != bench_hold : strcmp(argv[3], benches[i].name) == 0) benches[i].run(&b);
    if (b.has_world) world_done(&b.world);
    bool missed = n_results == 0 || !results_write(argv[2]);
    for (size_t i = 0; i < n_results; i++) missed |= !good(&results[i]);
    return missed;
}
