#include "metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { COUNTER, GAUGE, LATENCY };
static const double bounds_ms[] = { 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 5000 };
#define BUCKETS CHOP_COUNT(bounds_ms)

struct metric {
    struct metric *next;
    enum kind kind;
    char *name, *label;
    _Atomic int64_t value; /* LATENCY: the sum in ns */
    _Atomic int64_t bucket[BUCKETS + 1];
};

static struct metric *first;
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

static bool same(const struct metric *m, const char *name, const char *label) {
    return strcmp(m->name, name) == 0 && strcmp(m->label, label) == 0;
}

static struct metric *find_or_add(enum kind kind, const char *name, const char *label) {
    static struct metric spare; /* where memory is out, counting goes nowhere */
    if (!label) label = "";
    pthread_mutex_lock(&registry_lock);
    struct metric **end = &first;
    while (*end && !same(*end, name, label)) end = &(*end)->next;
    if (!*end) {
        struct metric *m = calloc(1, sizeof *m);
        if (m) {
            m->kind = kind;
            m->name = strdup(name);
            m->label = strdup(label);
            *end = m;
        }
    }
    struct metric *m = *end ? *end : &spare;
    pthread_mutex_unlock(&registry_lock);
    return m;
}

struct metric *metric_counter(const char *name, const char *label) {
    return find_or_add(COUNTER, name, label);
}

struct metric *metric_gauge(const char *name, const char *label) {
    return find_or_add(GAUGE, name, label);
}

struct metric *metric_latency(const char *name, const char *label) {
    return find_or_add(LATENCY, name, label);
}

void metric_add(struct metric *m, int64_t n) {
    atomic_fetch_add_explicit(&m->value, n, memory_order_relaxed);
}

void metric_set(struct metric *m, int64_t n) {
    atomic_store_explicit(&m->value, n, memory_order_relaxed);
}

void metric_observe_ns(struct metric *m, int64_t ns) {
    size_t i = 0;
    while (i < BUCKETS && (double)ns > bounds_ms[i] * 1e6) i++;
    atomic_fetch_add_explicit(&m->bucket[i], 1, memory_order_relaxed);
    metric_add(m, ns);
}

static void print_latency(FILE *f, struct metric *m) {
    const char *comma = *m->label ? "," : "";
    int64_t total = 0;
    for (size_t i = 0; i <= BUCKETS; i++) {
        total += atomic_load(&m->bucket[i]);
        char le[32] = "+Inf";
        if (i < BUCKETS) (void)snprintf(le, sizeof le, "%g", bounds_ms[i]);
        fprintf(f, "%s_bucket{%s%sle=\"%s\"} %lld\n", m->name, m->label, comma, le, (long long)total);
    }
    fprintf(f, "%s_sum{%s} %.6f\n%s_count{%s} %lld\n", m->name, m->label, (double)atomic_load(&m->value) / 1e6, m->name,
        m->label, (long long)total);
}

char *metrics_text(void) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    if (!f) return NULL;
    pthread_mutex_lock(&registry_lock);
    for (struct metric *m = first; m; m = m->next) {
        if (m->kind == LATENCY)
            print_latency(f, m);
        else
            fprintf(f, "%s{%s} %lld\n", m->name, m->label, (long long)atomic_load(&m->value));
    }
    pthread_mutex_unlock(&registry_lock);
    fclose(f);
    return text;
}
