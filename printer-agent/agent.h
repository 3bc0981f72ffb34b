/* agent: the running printer: what its two threads share. */
#pragma once
#include "commands.h"
#include "device.h"
#include "mqtt.h"
#include "pb.h"

#include "printer.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>

#define QUEUE_MAX 8 /* envelopes that wait; beyond it the bridge sends again */

struct envelope {
    uint8_t *p;
    size_t n;
};
enum topic { DOWN_ALL, DOWN_ASK, DOWN_ENVELOPE, UP_ANSWER, UP_REPORT, UP_STATUS };
struct agent {
    pthread_mutex_t lock; /* of the device and of all that is not said to be one thread's own */
    struct device device;
    struct output *output;
    struct printer_output output_fns;
    struct mqtt *mqtt;   /* the main thread's; others may wake it */
    struct arena *mem;   /* the main thread's, of one message */
    char topics[6][160]; /* by enum topic */
    struct envelope queue[QUEUE_MAX];
    size_t n_queue;
    int64_t resend_ms, next_resend_ms, next_status_ms;

    /* ---- the local channel ---- */
    bool local_job; /* the core's job is a local order's */
    int local_fd;   /* listens */
    pthread_t local_thread;
    bool local_running;
    atomic_bool local_stopping;
    struct arena *local_mem;       /* the thread's own, of one connection */
    Pb__LocalAnswer *local_answer; /* of the ask that holds the lock right now; reports go into it */
};

/* ---- local.c ---- */
/* Listens at DIR/local.sock (0600) and serves it by a thread of its own, whatever the network does. Where it cannot
 * listen it says so, and the printer works without. */
chop_err local_start(struct agent *a) CHOP_MUSTCHECK;
void local_stop(struct agent *a);
/* True where a report came from a local ask: it goes into its answer, and over MQTT at the next occasion. */
bool local_heard(struct agent *a, struct chop_bytes packed);
