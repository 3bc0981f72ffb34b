#include "svc_outbox_world.h"

#include <pthread.h>

#include "identity.pb-c.h"
#include "outbox_sql.h"
#include "rpc_internal.h"

struct outbox *producer, *consumer;
_Atomic int fail_partition = -1;
_Atomic size_t handler_bytes;

static const char taker_sql[] = "-- migration: 1\n"
                                "CREATE TABLE applied (id bigint GENERATED ALWAYS AS IDENTITY, key text, n bigint, "
                                "partition int, position bigint);\n"
                                "-- query: applied_add\n"
                                "INSERT INTO applied (key, n, partition, position) VALUES ($1, $2, $3, $4)\n";

/* ---- the handler ---- */
EVENT_HANDLER(on_thing, Pb__ReadEventsRequest) {
    size_t bytes = atomic_load(&handler_bytes);
    if (bytes && !arena_alloc(c->mem, bytes)) return CHOP_ERR(EMEMORY);
    TRY(DB_DO(c->db, "applied_add", T_(event->key), I_(in->from), I_(event->partition), I_(event->position)));
    if ((int)event->partition == atomic_load(&fail_partition)) return CHOP_FAIL(ESTATE, NULL, "as the test wants it");
    return NULL;
}
static const struct event_row events[] = { EVENT("identity.thing.done", pb__read_events_request, on_thing), EVENT_END };

/* ---- instances ---- */
#define MAX_INSTANCES 16
static struct side {
    const char *name, *conninfo;
    struct db_store *store;
    struct bus *buses[MAX_INSTANCES];
    struct outbox *instances[MAX_INSTANCES]; /* their memory stays (outbox_stop): in sight of leak checkers */
    bool running[MAX_INSTANCES];
    size_t n;
} giver = { .name = "identity" }, taker = { .name = "taker" };
static struct rpc_server *server;
static struct db *putting;
static pthread_mutex_t put_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct trust *trust_of(const struct app *app) {
    (void)app;
    return fixture_trust();
}

static void side_open(struct side *s, const char *const *texts, const char *const *names) {
    struct db *db;
    s->conninfo = fixture_db_role(s->name);
    WORKS(db_store_new(texts, &s->store));
    WORKS(db_open(s->conninfo, s->store, &db));
    WORKS(db_migrate(db, names));
    db_close(db);
}

static struct outbox *start(struct side *s, bool produces) {
    assert_true(s->n < MAX_INSTANCES);
    size_t i = s->n++;
    WORKS(bus_open(&(struct bus_options){ fixture_nats_url(), "", "", s->name }, &s->buses[i]));
    WORKS(outbox_start(&(struct outbox_options){ .service = s->name,
                           .conninfo = s->conninfo,
                           .store = s->store,
                           .bus = s->buses[i],
                           .events = produces ? NULL : events,
                           .trust = trust_of,
                           .consumers = 2,
                           .produces = produces },
        &s->instances[i]));
    s->running[i] = true;
    return s->instances[i];
}

struct outbox *world_producer(void) {
    return start(&giver, true);
}

struct outbox *world_consumer(void) {
    return start(&taker, false);
}

static void stop(struct side *s, size_t i) {
    if (!s->running[i]) return;
    outbox_stop(s->instances[i]);
    s->running[i] = false;
    bus_close(s->buses[i]);
}

void world_stop(struct outbox **o) {
    for (size_t i = 0; i < MAX_INSTANCES; i++) {
        if (giver.instances[i] == *o) stop(&giver, i);
        if (taker.instances[i] == *o) stop(&taker, i);
    }
    *o = NULL;
}

/* ---- life ---- */
static const struct rpc_method methods[] = { RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ), RPC_END };

int world_setup(void **state) {
    (void)state;
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    side_open(&giver, (const char *const[]){ outbox_sql, NULL }, (const char *const[]){ "outbox", NULL });
    side_open(
        &taker, (const char *const[]){ taker_sql, outbox_sql, NULL }, (const char *const[]){ "taker", "outbox", NULL });
    WORKS(db_open(giver.conninfo, giver.store, &putting));
    WORKS(rpc_server_start(&(struct rpc_server_options){ .service = "identity",
                               .proto = &pb__identity__descriptor,
                               .methods = methods,
                               .bus = fixture_bus(),
                               .conninfo = giver.conninfo,
                               .store = giver.store,
                               .trust = trust_of,
                               .workers = 2,
                               .queue = 64 },
        &server));
    producer = world_producer();
    consumer = world_consumer();
    return 0;
}

int world_teardown(void **state) {
    (void)state;
    for (size_t i = 0; i < MAX_INSTANCES; i++) {
        stop(&taker, i);
        stop(&giver, i);
    }
    rpc_server_stop(server);
    db_close(putting);
    return 0;
}

int world_clean(void **state) {
    (void)state;
    atomic_store(&fail_partition, -1);
    atomic_store(&handler_bytes, 0);
    (void)fixture_sql("taker", "DELETE FROM applied");
    return 0;
}

/* ---- events ---- */
static chop_err put(struct call *c, const char *key, uint64_t n) {
    Pb__ReadEventsRequest m = PB__READ_EVENTS_REQUEST__INIT;
    m.from = n;
    TRY(db_begin(c->db));
    chop_err e = outbox_put(c, "identity.thing.done", key, &m);
    if (!e) return db_commit(c->db);
    db_rollback(c->db);
    return e;
}

void world_put(const char *key, uint64_t n) {
    pthread_mutex_lock(&put_lock);
    struct arena *mem = arena_new((size_t)1 << 20);
    struct call c = { .mem = mem, .db = putting, .now = chop_now_ms(), .name = "identity" };
    chop_err e = put(&c, key, n);
    arena_free(mem);
    pthread_mutex_unlock(&put_lock);
    WORKS(e);
}

void world_put_awake(const char *key, uint64_t n) {
    world_put(key, n);
    outbox_wake(producer);
}

const char *world_key(uint32_t partition) {
    for (int i = 0;; i++) {
        const char *key = fixture_text("thing_%d", i);
        if (outbox_partition(key) == partition) return key;
    }
}

int64_t world_number(const char *role, const char *sql) {
    return strtoll(fixture_sql(role, sql), NULL, 10);
}

void world_wait(int64_t applied) {
    for (int i = 0; i < 200; i++, fixture_sleep_ms(100))
        if (world_number("taker", "SELECT count(*) FROM applied") >= applied) return;
    fail_msg(
        "%s of %lld events were applied", fixture_sql("taker", "SELECT count(*) FROM applied"), (long long)applied);
}

void world_check(int64_t applied) {
    world_wait(applied);
    assert_int_equal(world_number("taker", "SELECT count(*) FROM applied"), applied);
    assert_int_equal(
        world_number("taker", "SELECT count(*) FROM (SELECT DISTINCT partition, position FROM applied) x"), applied);
    assert_int_equal(
        world_number("taker", "SELECT count(*) FROM (SELECT n <= lag(n) OVER (PARTITION BY key ORDER BY id) AS bad,"
                              " position <> lag(position) OVER (PARTITION BY partition ORDER BY id) + 1 AS gap FROM "
                              "applied) x WHERE bad OR gap"),
        0);
    assert_int_equal(
        world_number("identity", "SELECT count(*) FROM outbox_head h WHERE position <> (SELECT count(*) FROM"
                                 " outbox o WHERE o.partition = h.partition AND o.position BETWEEN 1 AND h.position)"),
        0);
}
