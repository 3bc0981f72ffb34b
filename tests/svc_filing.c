/* filing-relay with a real PostgreSQL, nats-server and registries: whatever a registry does and whenever the relay dies,
 * every fact is filed once, in its seal's order. */
#include "fixture.h"
#include "fixture_process.h"
#include "svc_filing_owner.h"
#include "svc_filing_world.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ORG "org_00000000000000000000000001"

static const char *registry_program;
static struct world *w;
static struct peer peers[3];
static struct fixture_program *relay;
static const char *base_env[16];

static const char *db(const char *sql) {
    return fixture_sql("filing_relay", sql);
}

/* Waits until the query prints this. */
static void wait_sql(const char *sql, const char *wanted) {
    const char *got = "";
    for (int i = 0; i < 300; i++, fixture_sleep_ms(50)) {
        got = db(sql);
        if (strcmp(got, wanted) == 0) return;
    }
    fail_msg("%s: %s instead of %s\n%s", sql, got, wanted, fixture_log("filing-relay"));
}

static const char *count_sql(const char *registry, const char *seal, const char *state) {
    return fixture_text("select count(*) from filing where registry = '%s' and seal_id = '%s' and state = '%s'", registry, seal,
        state);
}

static void wait_state(const char *registry, const char *seal, const char *state, int n) {
    wait_sql(count_sql(registry, seal, state), fixture_text("%d", n));
}

static const char *column(const char *what, const char *registry, const char *seal, int seq) {
    return db(fixture_text("select %s from filing where registry = '%s' and seal_id = '%s' and seal_seq = %d", what, registry,
        seal, seq));
}

static void emit(struct chain *c, int n, const char *const *registries) {
    for (int i = 0; i < n; i++) owner_emit(c->seal_id, world_fact(w, c, "impression-printed", NULL), registries);
}

static const char *const police_only[] = { "police", NULL };

static void start_relay(const char *extra, const char *extra_file) {
    const char *env[20];
    size_t n = 0;
    while (base_env[n]) env[n] = base_env[n], n++;
    if (extra) env[n++] = extra;
    if (extra_file) env[n++] = extra_file;
    env[n] = NULL;
    relay = fixture_start("filing-relay", NULL, env);
}

/* ---- the world ---- */

static void write_registries(const char *path) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int i = 0; i < 3; i++)
        fprintf(f, "%s{\"name\":\"%s\",\"title\":\"%d\",\"url\":\"%s/\",\"adapter\":\"webhook\",\"secret_file\":\"%s\"}\n",
            i ? "," : "[", world_registries[i], i, peers[i].url, w->secret_file);
    fputs("]\n", f);
    fclose(f);
}

static int group_setup(void **state) {
    (void)state;
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    w = world_new(fixture_key("identity"));
    for (int i = 0; i < 3; i++) peer_start(w, &peers[i], registry_program, i);
    const char *registries = fixture_text("%s/registries.json", w->dir);
    write_registries(registries);
    const char *env[] = { fixture_text("CHOP_FILING_RELAY_KEYS=%s", w->keys),
        fixture_text("CHOP_FILING_RELAY_REGISTRIES=%s", registries), "CHOP_FILING_RELAY_ALLOW_PRIVATE=true",
        "CHOP_FILING_RELAY_ALLOW_HTTP=true", "CHOP_FILING_RELAY_TIMEOUT_MS=400", "CHOP_FILING_RELAY_RETRY_BASE_MS=20",
        "CHOP_FILING_RELAY_POLL_MS=20", "CHOP_FILING_RELAY_SENDERS=3",
        "CHOP_FILING_RELAY_ORDERS_MS=20" };
    memcpy(base_env, env, sizeof env);
    owner_start(fixture_bus());
    start_relay(NULL, NULL);
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    owner_stop();
    owner_stop();
    fixture_stop(relay);
    for (int i = 0; i < 3; i++) peer_stop(&peers[i]);
    world_free(w);
    return 0;
}

static const char *seal_new(void) {
    char id[CHOP_ID_MAX];
    chop_id_new("seal", id);
    return fixture_text("%s", id);
}

/* ---- tests ---- */

static void test_all_receipted_in_order(void **state) {
    (void)state;
    struct chain a = { .seal_id = seal_new() }, b = { .seal_id = seal_new() };
    for (int i = 0; i < 5; i++) emit(&a, 1, NULL), emit(&b, 1, NULL);
    for (int i = 0; i < 3; i++) {
        wait_state(world_registries[i], a.seal_id, "receipted", 5);
        wait_state(world_registries[i], b.seal_id, "receipted", 5);
        assert_int_equal(peer_holds(w, &peers[i], a.seal_id), 5); /* also asserts the order 1..5 */
    }
    /* one event each, with the registry's own number */
    assert_string_equal(db(fixture_text("select count(*) from outbox where type = 'filing-relay.filing.receipted' and key "
                                        "in ('%s', '%s')", a.seal_id, b.seal_id)), "30");
    assert_string_equal(db(fixture_text("select count(distinct number) from filing where seal_id = '%s'", a.seal_id)), "15");
    assert_string_equal(column("attempts", "police", a.seal_id, 1), "1");
}

static void test_errors_are_tried_again(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    peer_switch(w, &peers[0], "error500", 2);
    emit(&c, 2, police_only);
    wait_state("police", c.seal_id, "receipted", 2);
    assert_string_equal(column("attempts", "police", c.seal_id, 1), "3");
    assert_int_equal(peer_holds(w, &peers[0], c.seal_id), 2);
}

/* No answer and nothing stored: unknown, asked about, not found, sent again. */
static void test_timeout_is_unknown_not_failed(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    peer_switch(w, &peers[0], "timeout", 1);
    emit(&c, 2, police_only);
    wait_state("police", c.seal_id, "receipted", 2); /* "unknown" passes by too fast to be met: the attempts tell */
    assert_string_equal(column("attempts", "police", c.seal_id, 1), "3"); /* sent, asked, sent */
    assert_int_equal(peer_holds(w, &peers[0], c.seal_id), 2);
}

/* Stored but the answer was lost: asked about, and the receipt that exists is taken; nothing is sent twice. */
static void test_lost_answer_is_asked_for(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    peer_switch(w, &peers[0], "lose_answer", 1);
    emit(&c, 2, police_only);
    wait_state("police", c.seal_id, "receipted", 2);
    assert_string_equal(column("attempts", "police", c.seal_id, 1), "2"); /* sent, asked */
    assert_int_equal(peer_holds(w, &peers[0], c.seal_id), 2);
}

static chop_err call(const char *method, const char *role, const char *org, const void *in, void *out) {
    Pb__Principal p = PB__PRINCIPAL__INIT;
    char *roles[] = { PB_STR(role) };
    p.organization_id = PB_STR(org);
    p.member_id = PB_STR("mem_00000000000000000000000001");
    p.member_name = PB_STR("王");
    p.roles = roles;
    p.n_roles = 1;
    return fixture_call("filing-relay", &pb__filing_relay__descriptor, method, in, fixture_principal(&p), out);
}

static chop_err replay(const char *role, const char *org, const char *id, const char *reason, Pb__Filing **out) {
    Pb__ReplayFilingRequest in = PB__REPLAY_FILING_REQUEST__INIT;
    in.filing_id = PB_STR(id);
    in.reason = PB_STR(reason);
    return call("ReplayFiling", role, org, &in, out);
}

static uint32_t lanes_stopped(const char *name) {
    Pb__Empty in = PB__EMPTY__INIT;
    Pb__ListRegistriesReply *out;
    assert_null(call("ListRegistries", "user", ORG, &in, &out));
    assert_int_equal(out->n_registries, 3);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(out->registries[i]->name, name) == 0) return out->registries[i]->lanes_stopped;
    return 99;
}

/* A dead letter stops its lane alone, is told, and an auditor's replay lets the lane go on in order. */
static void test_dead_letter_and_replay(const char *mode, const char *error) {
    struct chain bad = { .seal_id = seal_new() }, good = { .seal_id = seal_new() };
    Pb__Filing *f;
    peer_switch(w, &peers[0], mode, 1);
    emit(&bad, 1, NULL);
    wait_state("police", bad.seal_id, "dead", 1);
    emit(&bad, 2, NULL);
    emit(&good, 2, NULL);
    wait_state("police", good.seal_id, "receipted", 2);
    wait_state("internal", bad.seal_id, "receipted", 3);
    assert_string_equal(db(count_sql("police", bad.seal_id, "waiting")), "2");
    assert_int_equal(lanes_stopped("police"), 1);
    assert_int_equal(lanes_stopped("internal"), 0);
    assert_non_null(strstr(column("last_error", "police", bad.seal_id, 1), error));
    assert_string_equal(db(fixture_text("select count(*) from outbox where type = 'filing-relay.filing.died' and key = '%s'",
                            bad.seal_id)), "1");
    assert_non_null(strstr(fixture_log("filing-relay"), "\"lane stopped\""));
    const char *id = column("filing_id", "police", bad.seal_id, 1), *second = column("filing_id", "police", bad.seal_id, 2);
    assert_ptr_equal(replay("user", ORG, id, "again", NULL), CHOP_ERR(EDENIED));
    assert_ptr_equal(replay("auditor", "org_00000000000000000000000002", id, "again", NULL), CHOP_ERR(ENOTFOUND));
    assert_ptr_equal(replay("auditor", ORG, id, "", NULL), CHOP_ERR(EINVAL));
    assert_ptr_equal(replay("auditor", ORG, second, "again", NULL), CHOP_ERR(ESTATE));
    assert_null(replay("auditor", ORG, id, "spoken with the police", &f));
    assert_string_equal(f->state, "waiting");
    wait_state("police", bad.seal_id, "receipted", 3);
    assert_int_equal(peer_holds(w, &peers[0], bad.seal_id), 3);
    assert_int_equal(lanes_stopped("police"), 0);
    assert_string_equal(db(fixture_text("select reason from replay where filing_id = '%s'", id)), "spoken with the police");
}

static void test_refusal_dies(void **state) {
    (void)state;
    test_dead_letter_and_replay("refuse", "EPEER: 422");
}

static void test_lie_dies(void **state) {
    (void)state;
    test_dead_letter_and_replay("lie", "EPEER: the receipt's digest");
}

static void test_lying_number_dies(void **state) {
    (void)state;
    test_dead_letter_and_replay("lie_number", "EPEER: the receipt's number");
}

static void test_registry_down_and_back(void **state) {
    (void)state;
    struct chain c[4];
    peer_kill(&peers[1]);
    for (int i = 0; i < 4; i++) {
        c[i] = (struct chain){ .seal_id = seal_new() };
        emit(&c[i], 3, NULL);
    }
    for (int i = 0; i < 4; i++) wait_state("police", c[i].seal_id, "receipted", 3); /* others do not wait for it */
    assert_string_equal(db(count_sql("third-party", c[0].seal_id, "receipted")), "0");
    peer_again(w, &peers[1]);
    for (int i = 0; i < 4; i++) {
        wait_state("third-party", c[i].seal_id, "receipted", 3);
        assert_int_equal(peer_holds(w, &peers[1], c[i].seal_id), 3);
    }
}

/* A registry that comes later asks for the chain from its beginning, and is given it. */
static void test_late_registry_is_backfilled(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    emit(&c, 3, police_only);
    wait_state("police", c.seal_id, "receipted", 3);
    emit(&c, 1, NULL);
    wait_state("third-party", c.seal_id, "receipted", 4);
    assert_int_equal(peer_holds(w, &peers[1], c.seal_id), 4);
}

static void test_who_may_list(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    Pb__ListFilingsRequest in = PB__LIST_FILINGS_REQUEST__INIT;
    Pb__ListFilingsReply *out;
    emit(&c, 2, police_only);
    wait_state("police", c.seal_id, "receipted", 2);
    in.seal_id = PB_STR(c.seal_id);
    assert_ptr_equal(call("ListFilings", "user", ORG, &in, &out), CHOP_ERR(EDENIED));
    assert_null(call("ListFilings", "auditor", ORG, &in, &out));
    assert_int_equal(out->n_filings, 2);
    assert_string_equal(out->filings[0]->state, "receipted");
    assert_int_equal(strncmp(out->filings[0]->number, "POLICE-", 7), 0);
    assert_null(trust_verify(w->trust, out->filings[0]->receipt, "receipt", chop_now_ms(), NULL));
    in.after = out->filings[0]->filing_id;
    assert_null(call("ListFilings", "admin", ORG, &in, &out));
    assert_int_equal(out->n_filings, 1);
    in.after = PB_STR("");
    assert_null(call("ListFilings", "auditor", "org_00000000000000000000000002", &in, &out));
    assert_int_equal(out->n_filings, 0);
    in.grant_id = PB_STR("grant_00000000000000000000000001");
    assert_null(call("ListFilings", "user", ORG, &in, &out));
    assert_int_equal(out->n_filings, 2);
    in.limit = 201;
    assert_ptr_equal(call("ListFilings", "user", ORG, &in, &out), CHOP_ERR(EINVAL));
    assert_ptr_equal(fixture_call("filing-relay", &pb__filing_relay__descriptor, "ListFilings", &in, NULL, &out),
        CHOP_ERR(EAUTH));
}

/* ---- gap notices ---- */

/* Fact 1 is refused for ever by one registry. */
static void die_first(struct chain *c, uint8_t digest[32]) {
    peer_switch(w, &peers[0], "refuse", 1);
    struct chop_bytes fact = world_fact(w, c, "impression-printed", NULL);
    memcpy(digest, c->last, 32);
    owner_emit(c->seal_id, fact, NULL);
    wait_state("police", c->seal_id, "dead", 1);
    assert_string_equal(db(fixture_text("select fact_id from fact where seal_id = '%s'", c->seal_id)),
        column("fact_id", "police", c->seal_id, 1));
}

/* The notice as authorization files it: it must name the very fact. */
static void emit_notice(struct chain *c, const char *registry, uint64_t seq, const uint8_t digest[32]) {
    const char *fact = column("fact_id", "police", c->seal_id, (int)seq);
    owner_emit(c->seal_id, world_notice(w, c, registry, seq, digest, fact), NULL);
}

static void test_gap_notice_lets_the_lane_go_on(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    uint8_t first[32];
    die_first(&c, first);
    emit(&c, 2, NULL);
    const char *key = column("idempotency_key", "police", c.seal_id, 1);
    emit_notice(&c, "internal", 1, first); /* another registry's changes nothing here */
    wait_state("internal", c.seal_id, "receipted", 4);
    assert_string_equal(column("state", "police", c.seal_id, 1), "dead");
    emit_notice(&c, "police", 1, first);
    emit(&c, 1, NULL);
    wait_state("police", c.seal_id, "receipted", 5);
    assert_string_equal(column("state", "police", c.seal_id, 1), "skipped");
    assert_string_not_equal(column("idempotency_key", "police", c.seal_id, 1), key);
    assert_non_null(strstr(column("last_error", "police", c.seal_id, 1), "422"));
    assert_int_equal(peer_holds(w, &peers[0], c.seal_id), 6);
    assert_int_equal(lanes_stopped("police"), 0);
    for (int i = 1; i < 3; i++) { /* to the others the notice is a fact like any */
        wait_state(world_registries[i], c.seal_id, "receipted", 6);
        assert_int_equal(peer_holds(w, &peers[i], c.seal_id), 6);
    }
    /* no receipt was told for what was skipped */
    assert_string_equal(db(fixture_text("select count(*) from outbox where type = 'filing-relay.filing.receipted' and key = "
                                        "'%s'", c.seal_id)), "17");
    assert_ptr_equal(replay("auditor", ORG, column("filing_id", "police", c.seal_id, 1), "again", NULL), CHOP_ERR(ESTATE));
}

static void test_gap_notice_for_what_is_not_dead(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    uint8_t first[32];
    emit(&c, 1, NULL);
    memcpy(first, c.last, 32);
    wait_state("police", c.seal_id, "receipted", 1);
    emit_notice(&c, "police", 1, first);
    wait_state("police", c.seal_id, "receipted", 2);
    assert_int_equal(peer_holds(w, &peers[0], c.seal_id), 2);
    assert_non_null(strstr(fixture_log("filing-relay"), "gap notice without use"));
}

/* ---- orders ---- */

#define ORDERS "select count(*) from outbox where type = 'filing-relay.order.received' and key = '%s'"

static const Pb__RegistryOrder *order(int nth, const char *seal, const char *action) {
    const Pb__RegistryOrder *m;
    const char *json = fixture_text("{\"seal_id\":\"%s\",\"action\":\"%s\",\"reason\":\"查\"}", seal, action);
    assert_int_equal(peer_order(w, &peers[nth], json, NULL, &m), 200);
    return m;
}

/* The nth of the registry's orders as it lies in the outbox, still the registry's own. */
static const Pb__RegistryOrder *passed_on(int nth, unsigned which) {
    const char *hex = db(fixture_text("select encode(payload, 'hex') from outbox where type = 'filing-relay.order.received' and "
                                      "key = '%s' order by id offset %u limit 1", world_registries[nth], which));
    size_t n = strlen(hex) / 2;
    uint8_t *p = arena_alloc(w->mem, n + 1);
    Pb__OrderReceived *e;
    struct chop_bytes packed;
    assert_true(chop_unhex(hex, p, n));
    assert_null(PB_UNPACK(pb__order_received, CHOP_BYTES(p, n), w->mem, &e));
    assert_string_equal(e->registry, world_registries[nth]);
    assert_null(pb_pack(e->order, w->mem, &packed));
    return world_read_order(w, &peers[nth], packed);
}

static void test_orders_are_passed_on_once(void **state) {
    (void)state;
    const char *seal = seal_new(), *all = fixture_text(ORDERS, "police");
    const char *first = order(0, seal, "suspend")->order_id, *second = order(0, seal, "resume")->order_id;
    wait_sql(all, "2");
    assert_string_equal(passed_on(0, 0)->order_id, first);
    assert_string_equal(passed_on(0, 1)->order_id, second);
    assert_string_equal(passed_on(0, 0)->seal_id, seal);
    fixture_stop(relay);
    start_relay(NULL, NULL);
    (void)order(0, seal, "suspend");
    wait_sql(all, "3");
    assert_int_equal(passed_on(0, 2)->sequence, 3);
    assert_string_equal(db("select sequence from order_place where registry = 'police'"), "3");
    assert_string_equal(db("select count(*) from order_place where registry = 'internal'"), "0");
}

/* Put back to an older copy it numbers its orders anew: none is missed, what is passed on again is the receiver's to know. */
static void test_registry_set_back_orders_again(void **state) {
    (void)state;
    const char *all = fixture_text(ORDERS, "internal");
    for (int i = 0; i < 3; i++) (void)order(2, seal_new(), "suspend");
    wait_sql(all, "3");
    peer_kill(&peers[2]);
    assert_int_equal(remove(fixture_text("%s/internal/registry.db", w->dir)), 0);
    (void)remove(fixture_text("%s/internal/registry.db-wal", w->dir));
    (void)remove(fixture_text("%s/internal/registry.db-shm", w->dir));
    peer_again(w, &peers[2]);
    const char *fresh = order(2, seal_new(), "suspend")->order_id;
    wait_sql(all, "4");
    assert_string_equal(passed_on(2, 3)->order_id, fresh);
    assert_non_null(strstr(fixture_log("filing-relay"), "registry lost orders"));
}

/* ---- dying ---- */

static void wait_hit(const char *file) {
    for (int i = 0; i < 400 && access(file, F_OK) != 0; i++) fixture_sleep_ms(25);
    assert_int_equal(access(file, F_OK), 0);
}

static void die_at(const char *point) {
#ifndef CHOP_FAILPOINTS
    skip(); /* this build has none */
#endif
    struct chain a = { .seal_id = seal_new() }, b = { .seal_id = seal_new() };
    const char *file = fixture_text("%s/hit-%s", w->dir, point);
    fixture_stop(relay);
    start_relay(fixture_text("CHOP_FAILPOINT=%s:3", point), fixture_text("CHOP_FAILPOINT_FILE=%s", file));
    emit(&a, 4, NULL);
    emit(&b, 4, NULL);
    wait_hit(file);
    fixture_kill(relay); /* it killed itself */
    start_relay(NULL, NULL);
    emit(&a, 2, NULL);
    for (int i = 0; i < 3; i++) {
        wait_state(world_registries[i], a.seal_id, "receipted", 6);
        wait_state(world_registries[i], b.seal_id, "receipted", 4);
        assert_int_equal(peer_holds(w, &peers[i], a.seal_id), 6);
        assert_int_equal(peer_holds(w, &peers[i], b.seal_id), 4);
    }
    assert_string_equal(db(fixture_text("select count(*) from outbox where type = 'filing-relay.filing.receipted' and key "
                                        "in ('%s', '%s')", a.seal_id, b.seal_id)), "30");
}

static void test_dies_after_the_answer(void **state) {
    (void)state;
    die_at("filing.sent.after");
}

static void test_dies_in_the_event(void **state) {
    (void)state;
    die_at("filing.event.before");
}

static void test_dies_with_an_order(void **state) {
    (void)state;
#ifndef CHOP_FAILPOINTS
    skip();
#endif
    const char *all = fixture_text(ORDERS, "third-party"), *file = fixture_text("%s/hit-order", w->dir);
    fixture_stop(relay);
    start_relay("CHOP_FAILPOINT=filing.order.before:1", fixture_text("CHOP_FAILPOINT_FILE=%s", file));
    (void)order(1, seal_new(), "revoke");
    wait_hit(file);
    fixture_kill(relay);
    assert_string_equal(db(all), "0");
    start_relay(NULL, NULL);
    wait_sql(all, "1");
    fixture_sleep_ms(300);
    assert_string_equal(db(all), "1");
}

/* Two relays on one store, killed by turns under load: once each, in order. */
static void test_two_relays_killed_by_turns(void **state) {
    (void)state;
    enum { SEALS = 6, FACTS = 30 };
    struct chain c[SEALS];
    struct fixture_program *first = relay, *second;
    start_relay(NULL, NULL);
    second = relay;
    for (int i = 0; i < SEALS; i++) c[i] = (struct chain){ .seal_id = seal_new() };
    for (int k = 0; k < FACTS; k++) {
        for (int i = 0; i < SEALS; i++) emit(&c[i], 1, NULL);
        if (k % 10 != 5) continue;
        fixture_kill(k % 20 == 5 ? first : second);
        start_relay(NULL, NULL);
        *(k % 20 == 5 ? &first : &second) = relay;
    }
    for (int i = 0; i < SEALS; i++)
        for (int r = 0; r < 3; r++) {
            wait_state(world_registries[r], c[i].seal_id, "receipted", FACTS);
            assert_int_equal(peer_holds(w, &peers[r], c[i].seal_id), FACTS);
        }
    fixture_stop(second);
    relay = first;
}

static void test_rate(void **state) {
    (void)state;
    enum { SEALS = 40, FACTS = 15 };
    struct chain c[SEALS];
    for (int i = 0; i < SEALS; i++) c[i] = (struct chain){ .seal_id = seal_new() };
    int64_t began = chop_mono_ns();
    for (int k = 0; k < FACTS; k++)
        for (int i = 0; i < SEALS; i++) emit(&c[i], 1, NULL);
    wait_sql("select count(*) from filing where state <> 'receipted' and state <> 'skipped'", "0");
    wait_sql(fixture_text("select count(*) from filing where seal_id = '%s'", c[SEALS - 1].seal_id), "45");
    wait_sql("select count(*) from filing where state <> 'receipted' and state <> 'skipped'", "0");
    double s = (double)(chop_mono_ns() - began) / 1e9;
    print_message("%d filings in %.2f s: %.0f/s, events made meanwhile\n", SEALS * FACTS * 3, s, SEALS * FACTS * 3 / s);
}

/* An event carries no authority: a fact that the owner did not sign is not filed, and the refusal is loud. */
static void test_forged_fact(void **state) {
    (void)state;
    struct chain c = { .seal_id = seal_new() };
    owner_emit(c.seal_id, world_fact(w, &c, "authorization-given", w->stranger), NULL);
    fixture_sleep_ms(1500);
    assert_string_equal(db(fixture_text("select count(*) from filing where seal_id = '%s'", c.seal_id)), "0");
    assert_string_equal(db(fixture_text("select count(*) from fact where seal_id = '%s'", c.seal_id)), "0");
    assert_non_null(strstr(fixture_log("filing-relay"), "ESIGNATURE"));
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    registry_program = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_receipted_in_order), cmocka_unit_test(test_errors_are_tried_again),
        cmocka_unit_test(test_timeout_is_unknown_not_failed), cmocka_unit_test(test_lost_answer_is_asked_for),
        cmocka_unit_test(test_refusal_dies), cmocka_unit_test(test_lie_dies), cmocka_unit_test(test_lying_number_dies),
        cmocka_unit_test(test_registry_down_and_back), cmocka_unit_test(test_late_registry_is_backfilled),
        cmocka_unit_test(test_who_may_list), cmocka_unit_test(test_gap_notice_lets_the_lane_go_on),
        cmocka_unit_test(test_gap_notice_for_what_is_not_dead), cmocka_unit_test(test_orders_are_passed_on_once),
        cmocka_unit_test(test_dies_after_the_answer), cmocka_unit_test(test_dies_in_the_event),
        cmocka_unit_test(test_dies_with_an_order),
        cmocka_unit_test(test_two_relays_killed_by_turns), cmocka_unit_test(test_rate),
        cmocka_unit_test(test_registry_set_back_orders_again), cmocka_unit_test(test_forged_fact),
    };
    return cmocka_run_group_tests_name("filing-relay", tests, group_setup, group_teardown);
}
