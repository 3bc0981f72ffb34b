#include "bridge.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct waiters {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    struct waiter *first;
};

struct waiters *waiters_new(void) {
    struct waiters *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->answered, &attr);
    (void)pthread_condattr_destroy(&attr);
    return w;
}

void waiters_free(struct waiters *w) {
    if (!w) return;
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->answered);
    free(w);
}

void waiters_add(struct waiters *w, struct waiter *one) {
    (void)pthread_mutex_lock(&w->lock);
    one->next = w->first;
    w->first = one;
    (void)pthread_mutex_unlock(&w->lock);
}

static void take_off(struct waiters *w, struct waiter *one) {
    struct waiter **at = &w->first;
    while (*at && *at != one)
        at = &(*at)->next;
    if (*at) *at = one->next;
}

bool waiters_wait(struct waiters *w, struct waiter *one, int64_t until_ns) {
    struct timespec until = { until_ns / 1000000000, until_ns % 1000000000 };
    (void)pthread_mutex_lock(&w->lock);
    int rc = 0;
    while (!one->answer && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&w->answered, &w->lock, &until);
    take_off(w, one);
    (void)pthread_mutex_unlock(&w->lock);
    return one->answer != NULL;
}

void waiters_answer(struct waiters *w, const char *printer_id, const char *ask_id, struct chop_bytes packed) {
    (void)pthread_mutex_lock(&w->lock);
    for (struct waiter *one = w->first; one; one = one->next) {
        if (one->answer || strcmp(one->ask_id, ask_id) != 0 || strcmp(one->printer_id, printer_id) != 0) continue;
        one->answer = malloc(packed.n ? packed.n : 1);
        if (!one->answer) continue;
        memcpy(one->answer, packed.p, packed.n);
        one->n = packed.n;
    }
    (void)pthread_cond_broadcast(&w->answered);
    (void)pthread_mutex_unlock(&w->lock);
}
