/* Events that cannot be lost (design 9): applied once and in order whatever happens to the bus, the database's
 * connections, the producer or the consumer. */
#include "svc_outbox_world.h"

#include <pthread.h>

static void put_many(uint64_t from, uint64_t to) {
    for (uint64_t n = from; n <= to; n++)
        world_put_awake(world_key((uint32_t)(n % 5)), n);
}

static void test_order(void **state) {
    (void)state;
    put_many(1, 300);
    world_check(300);
}

/* ---- the fast path fails ---- */

/* nats-server dies with its whole store in the middle of the job. */
static void test_wiped_stream(void **state) {
    (void)state;
    put_many(1, 50);
    fixture_kill_part(FIX_NATS);
    fixture_remove_tree(fixture_text("%s/jetstream", fixture_dir()));
    put_many(51, 80);
    fixture_up(FIX_NATS);
    put_many(81, 120);
    world_check(120);
}

static struct chop_bytes event_packed(const char *key, uint64_t n, uint64_t position) {
    Pb__ReadEventsRequest m = PB__READ_EVENTS_REQUEST__INIT;
    Pb__Event e = PB__EVENT__INIT;
    struct chop_bytes payload, packed;
    m.from = n;
    WORKS(pb_pack(&m, fixture_mem(), &payload));
    e.producer = (char *)(uintptr_t) "identity";
    e.type = (char *)(uintptr_t) "identity.thing.done";
    e.key = (char *)(uintptr_t)key;
    e.partition = outbox_partition(key);
    e.position = position;
    e.epoch = 1;
    e.payload = PB_BIN(payload);
    WORKS(pb_pack(&e, fixture_mem(), &packed));
    return packed;
}

static int64_t head_of(uint32_t partition) {
    return world_number("identity", fixture_text("SELECT position FROM outbox_head WHERE partition = %u", partition));
}

/* Everything comes a second and a third time, late. */
static void test_duplicates(void **state) {
    (void)state;
    const char *key = world_key(3);
    uint64_t first = (uint64_t)head_of(3) + 1;
    for (uint64_t n = 1; n <= 20; n++)
        world_put_awake(key, n);
    world_wait(20);
    for (uint64_t n = 0; n < 40; n++)
        WORKS(bus_js_publish(fixture_bus(), "chop.evt.identity.thing.done", fixture_text("again-%d", (int)n),
            event_packed(key, n % 20 + 1, first + n % 20)));
    world_put_awake(key, 21);
    world_check(21);
}

/* The bus lets a service publish under its own name only: what it says there in another's name is not applied, and
 * the true event of that place is. */
static void test_foreign_event(void **state) {
    (void)state;
    const char *key = world_key(4);
    world_put_awake(key, 1);
    world_wait(1);
    WORKS(bus_js_publish(
        fixture_bus(), "chop.evt.taker.thing.done", "foreign-1", event_packed(key, 666, (uint64_t)head_of(4) + 1)));
    fixture_sleep_ms(500);
    WORKS(bus_js_publish(
        fixture_bus(), "chop.evt.identity.thing.lied", "foreign-2", event_packed(key, 666, (uint64_t)head_of(4) + 1)));
    fixture_sleep_ms(500);
    world_put_awake(key, 2);
    world_check(2);
    assert_int_equal(world_number("taker", "SELECT count(*) FROM applied WHERE n = 666"), 0);
}

/* ---- the handler fails ---- */

static void test_failing_lane(void **state) {
    (void)state;
    const char *bad = world_key(6), *good = world_key(8); /* of the same thread: both are even */
    atomic_store(&fail_partition, 6);
    for (uint64_t n = 1; n <= 10; n++) {
        world_put_awake(bad, n);
        world_put_awake(good, n);
    }
    world_wait(10);
    fixture_sleep_ms(300);
    assert_int_equal(world_number("taker", "SELECT count(*) FROM applied WHERE partition = 6"), 0);
    atomic_store(&fail_partition, -1);
    world_check(20);
}

/* A backlog of events that need much memory each: a batch of them must not stop its lane for ever. */
static void test_greedy_handler(void **state) {
    (void)state;
    const char *key = world_key(7);
    atomic_store(&handler_bytes, (size_t)2 << 20);
    world_stop(&consumer);
    for (uint64_t n = 1; n <= 40; n++)
        world_put_awake(key, n);
    consumer = world_consumer();
    world_check(40);
}

/* ---- the producer fails ---- */

/* Dead before the sequencer saw the rows, and dead between its commit and the first publish. */
static void test_unpublished(void **state) {
    (void)state;
    const char *key = world_key(9);
    world_stop(&producer);
    for (uint64_t n = 1; n <= 5; n++)
        world_put(key, n);
    (void)fixture_sql("identity",
        "WITH p AS (SELECT id, row_number() OVER (ORDER BY id) AS n FROM outbox WHERE position IS NULL),"
        " h AS (UPDATE outbox_head SET position = position + 5 WHERE partition = 9 RETURNING position - 5 AS base)"
        " UPDATE outbox o SET position = h.base + p.n FROM p, h WHERE o.id = p.id");
    for (uint64_t n = 6; n <= 10; n++)
        world_put(key, n);
    producer = world_producer();
    world_check(10);
}

static _Atomic int heads_heard;
static void on_head(void *ctx, struct bus_msg *m) {
    (void)ctx;
    atomic_fetch_add(&heads_heard, 1);
    bus_msg_free(m);
}

static void drop_connections(const char *role) {
    (void)fixture_sql(
        "postgres", fixture_text("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                 " WHERE usename = '%s' AND pid IN (SELECT pid FROM pg_locks WHERE locktype"
                                 " = 'advisory' AND granted)",
                        role));
}

static void *put_some(void *arg) {
    for (uint64_t n = 1; n <= 60; n++)
        world_put_awake(arg, n);
    return NULL;
}

/* Two instances, several writers, and the elected one's connection lost again and again: positions stay dense, and in
 * the end one sequencer is at work, not two. */
static void test_two_sequencers(void **state) {
    (void)state;
    struct outbox *second = world_producer();
    pthread_t writers[4];
    struct bus_sub *sub;
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, put_some, (void *)(uintptr_t)world_key(i)), 0);
    for (int i = 0; i < 5; i++, fixture_sleep_ms(100))
        drop_connections("identity");
    for (int i = 0; i < 4; i++)
        pthread_join(writers[i], NULL);
    world_check(240);
    for (int i = 0; i < 3; i++, fixture_sleep_ms(1200))
        drop_connections("identity");
    fixture_sleep_ms(3000);
    WORKS(bus_subscribe(fixture_bus(), "chop.head.identity", NULL, on_head, NULL, &sub));
    fixture_sleep_ms(4000);
    int heard = atomic_load(&heads_heard);
    bus_unsubscribe(sub);
    if (heard < 2 || heard > 6) fail_msg("%d announcements in 4 s", heard);
    world_stop(&second);
}

/* ---- two consumers ---- */

static void wait_up_to_date(const struct outbox *o, const char *which) {
    for (int i = 0; i < 60; i++, fixture_sleep_ms(100))
        if (!outbox_behind(o, "identity", 200)) return;
    fail_msg("the %s instance believes that it is behind", which);
}

/* One of them works; both know how far that is. When the working one loses its connections nothing is applied twice. */
static void test_two_consumers(void **state) {
    (void)state;
    struct outbox *second = world_consumer();
    put_many(1, 100);
    world_check(100);
    fixture_sleep_ms(500);
    wait_up_to_date(consumer, "first");
    wait_up_to_date(second, "second");
    for (uint64_t n = 101; n <= 400; n++) {
        put_many(n, n);
        if (n % 60 == 0) drop_connections("taker");
    }
    world_check(400);
    wait_up_to_date(consumer, "first");
    wait_up_to_date(second, "second");
    world_stop(&consumer);
    put_many(401, 450);
    world_check(450);
    consumer = second;
}

/* ---- what a stranger may ask ---- */

static chop_err read_events(uint32_t partition, uint64_t from, uint32_t limit) {
    extern const ProtobufCServiceDescriptor pb__identity__descriptor;
    Pb__ReadEventsRequest in = PB__READ_EVENTS_REQUEST__INIT;
    Pb__ReadEventsReply *out;
    in.partition = partition;
    in.from = from;
    in.limit = limit;
    return fixture_call("identity", &pb__identity__descriptor, "ReadEvents", &in, NULL, &out);
}

static void test_read_bounds(void **state) {
    (void)state;
    assert_ptr_equal(read_events(16, 1, 10), CHOP_ERR(EINVAL));
    assert_ptr_equal(read_events(0, 0, 10), CHOP_ERR(EINVAL));
    assert_ptr_equal(read_events(0, UINT64_MAX, 10), CHOP_ERR(EINVAL));
    assert_ptr_equal(read_events(0, 1, 501), CHOP_ERR(EINVAL));
    WORKS(read_events(0, INT64_MAX, 500));
}

#define TEST(f) cmocka_unit_test_setup(f, world_clean)
int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_order), TEST(test_duplicates), TEST(test_foreign_event),
        TEST(test_failing_lane), TEST(test_greedy_handler), TEST(test_unpublished), TEST(test_two_sequencers),
        TEST(test_two_consumers), TEST(test_wiped_stream), TEST(test_read_bounds) };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
