/* What bus.c and bus_call.c share. */
#pragma once
#include "bus.h"

#include <nats/nats.h>
#include <stdatomic.h>

struct bus_calls;
struct bus {
    natsConnection *fast; /* every message is sent at once: low latency */
    natsConnection *bulk; /* buffered for up to a millisecond: high throughput (pitfall 2) */
    jsCtx *js;
    struct bus_calls *calls;
    char prefix[96]; /* of the private inbox */
    struct bus *next_retired;
};

chop_err bus_failed(natsStatus s, const char *what) CHOP_MUSTCHECK;
chop_err bus_calls_start(struct bus *b) CHOP_MUSTCHECK;
void bus_calls_stop(struct bus *b);
