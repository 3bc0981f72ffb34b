#include "svc_filing_owner.h"

#include "outbox.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define EVENTS_MAX 8192

static struct bus *bus;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct arena *mem; /* guarded by lock */
static Pb__Event *held[OUTBOX_PARTITIONS][EVENTS_MAX];
static uint64_t heads[OUTBOX_PARTITIONS];

static void answer(struct bus_msg *m) {
    Pb__ReadEventsRequest *in;
    Pb__ReadEventsReply out = PB__READ_EVENTS_REPLY__INIT;
    struct arena *a = arena_new(16 << 20);
    struct chop_bytes packed;
    if (!PB_UNPACK(pb__read_events_request, bus_msg_data(m), a, &in)) {
        (void)pthread_mutex_lock(&lock);
        out.head = heads[in->partition];
        out.epoch = 1;
        out.events = &held[in->partition][in->from - 1];
        out.n_events = in->from > out.head ? 0 : out.head - in->from + 1;
        if (out.n_events > in->limit) out.n_events = in->limit;
        if (!pb_pack(&out, a, &packed)) bus_reply(bus, m, packed, false);
        (void)pthread_mutex_unlock(&lock);
    }
    arena_free(a);
    bus_msg_free(m);
}

static void on_read(void *ctx, struct bus_msg *m) {
    (void)ctx;
    answer(m);
}

static void announce(void) {
    Pb__HeadAnnouncement h = PB__HEAD_ANNOUNCEMENT__INIT;
    struct arena *a = arena_new(1 << 16);
    struct chop_bytes packed;
    h.producer = PB_STR("authorization");
    h.epoch = 1;
    (void)pthread_mutex_lock(&lock);
    h.heads = heads;
    h.n_heads = OUTBOX_PARTITIONS;
    if (!pb_pack(&h, a, &packed) && bus_publish(bus, "chop.head.authorization", packed)) {} /* again soon */
    (void)pthread_mutex_unlock(&lock);
    bus_flush(bus);
    arena_free(a);
}

static _Atomic bool stopping;
static pthread_t announcer;

static void *announce_all(void *arg) {
    while (!stopping) {
        announce();
        struct timespec t = { .tv_nsec = 200 * 1000000L };
        nanosleep(&t, NULL);
    }
    return arg;
}

void owner_start(struct bus *b) {
    static struct bus_sub *sub;
    bus = b;
    mem = arena_new((size_t)256 << 20);
    assert_null(bus_subscribe(b, "chop.authorization.v1.ReadEvents", "authorization", on_read, NULL, &sub));
    assert_int_equal(pthread_create(&announcer, NULL, announce_all, NULL), 0);
}

void owner_stop(void) {
    if (!bus) return;
    stopping = true;
    pthread_join(announcer, NULL);
}

void owner_emit(const char *seal_id, struct chop_bytes fact, const char *const *registries) {
    uint32_t p = outbox_partition(seal_id);
    Pb__FactFiled filed = PB__FACT_FILED__INIT;
    struct chop_bytes payload;
    (void)pthread_mutex_lock(&lock);
    assert_true(heads[p] < EVENTS_MAX);
    assert_null(PB_UNPACK(pb__signed, fact, mem, &filed.fact));
    while (registries && registries[filed.n_registries]) filed.n_registries++;
    filed.registries = (char **)(uintptr_t)registries;
    assert_null(pb_pack(&filed, mem, &payload));
    Pb__Event *e = PB_NEW(mem, Pb__Event, pb__event);
    e->producer = PB_STR("authorization");
    e->partition = p;
    e->position = ++heads[p];
    e->epoch = 1;
    e->type = PB_STR("authorization.fact.filed");
    e->key = arena_str(mem, seal_id);
    e->payload = PB_BIN(payload);
    e->at = chop_now_ms();
    held[p][e->position - 1] = e;
    (void)pthread_mutex_unlock(&lock);
    announce();
}
