/* What the sequencer (outbox.c) and the consumers (outbox_consume.c) share. */
#pragma once
#include "outbox.h"
#include "rpc_internal.h"

#include <pthread.h>
#include <stdatomic.h>

#define OUTBOX_READ_MAX 500

struct sequencer {
    struct outbox *o;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken, running;
};

#define PRODUCERS_MAX 8
struct producer {
    char name[32];
    struct bus_sub *heads_sub, *events_sub;
    _Atomic uint64_t head[OUTBOX_PARTITIONS];    /* as announced */
    _Atomic uint64_t applied[OUTBOX_PARTITIONS]; /* by this service */
    _Atomic int64_t heard_at;                    /* mono ns of the last announcement */
    _Atomic int64_t behind_since;                /* mono ns; 0: up to date */
    _Atomic int64_t delivered_at;                /* mono ns of the last event over JetStream */
};

struct consumer;
struct outbox {
    struct outbox_options opt;
    struct sequencer seq;
    struct producer producers[PRODUCERS_MAX];
    size_t n_producers;
    struct consumer *consumers;
    int n_consumers;
    _Atomic bool stop;
};

/* The advisory lock that elects one instance of a service for this work. */
int64_t outbox_lock_key(const char *service, const char *what, int index);

chop_err consumers_start(struct outbox *o) CHOP_MUSTCHECK;
void consumers_stop(struct outbox *o);
