/* metrics: counters and histograms in the text format that Prometheus scrapes. Thread-safe, lock-free to update. */
#pragma once
#include "base.h"

struct metric;
/* name: chop_<service>_<noun>_<unit>; label may be NULL ("method=\"Decide\""). Registered once, never freed. */
struct metric *metric_counter(const char *name, const char *label);
struct metric *metric_gauge(const char *name, const char *label);
struct metric *metric_latency(const char *name, const char *label); /* milliseconds, fixed buckets */
void metric_add(struct metric *m, int64_t n);
void metric_set(struct metric *m, int64_t n);
void metric_observe_ns(struct metric *m, int64_t ns);
/* All metrics as text, malloc'ed; NULL when memory is out. */
char *metrics_text(void);
