/* What running costs: memory and time to start. */
#include "bench.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define MIB (1024.0)

static const char *const services[] = { "identity", "authorization", "issuance", "filing-relay", "verification",
    "printer-bridge", "gateway" };

static double resident_kib(pid_t pid) {
    char line[256];
    double kib = 0;
    FILE *f = fopen(stack_text("/proc/%d/status", pid), "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %lf", &kib) == 1) break;
    if (f) (void)fclose(f);
    return kib;
}

void bench_memory(struct bench *b) {
    (void)bench_world(b);
    nap_ms(1500); /* idle: what the first job stirred up has settled */
    for (size_t i = 0; i < CHOP_COUNT(services); i++)
        bench_report(&(struct bench_result){ .name = stack_text("memory.%s", services[i]),
            .value = resident_kib(stack_pid(services[i])) / MIB, .unit = "MiB", .against = "what is allowed",
            .reference = 20, .bound = 1, .most = true });
    bench_report(&(struct bench_result){ .name = "memory.printer", .value = resident_kib(b->world.printer.pid) / MIB,
        .unit = "MiB", .against = "what is allowed", .reference = 20, .bound = 1, .most = true });
}

/* The stack of the other benches is the one that is measured: from an empty directory, keys and database included. */
void bench_start(struct bench *b) {
    int64_t began = chop_mono_ns();
    if (*stack_dir()) return;
    b->has_world = true; /* not yet: only the stack */
    (void)bench_world(b);
    b->has_world = false;
    bench_report(&(struct bench_result){ .name = "start", .value = (double)(chop_mono_ns() - began) / 1e9, .unit = "s",
        .against = "what is allowed", .reference = 5, .bound = 1, .most = true });
}
