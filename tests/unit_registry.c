/* The real chop-registry: what it takes, what it refuses, and that nothing it answered is ever lost. */
#include "svc_filing_world.h"

#include "pb.h"

#include "authorization.pb-c.h"
#include "filing.pb-c.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *program;
static struct world *w;
static struct peer police;

static int setup(void **state) {
    (void)state;
    w = world_new(NULL);
    peer_start(w, &police, program, 0);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    peer_stop(&police);
    world_free(w);
    return 0;
}

#define FILE_OK(c, key)                                                                       \
    ({                                                                                        \
        struct peer_answer a_ = peer_file(w, &police, world_fact(w, c, "seal-state", NULL), key); \
        assert_null(a_.err);                                                                  \
        assert_int_equal(a_.status, 200);                                                     \
        a_;                                                                                   \
    })

static void assert_refused(struct peer_answer a, long status, const char *code) {
    assert_null(a.err);
    assert_int_equal(a.status, status);
    assert_string_equal(a.refusal->code, code);
}

static void test_receipt_tells_what_came(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct peer_answer a = FILE_OK(&c, world_key(w, 7));
    assert_string_equal(a.receipt->seal_id, "seal_a");
    assert_int_equal(a.receipt->seal_seq, 1);
    assert_memory_equal(a.receipt->fact_digest.data, c.last, 32);
    assert_string_equal(a.receipt->idempotency_key, world_key(w, 7));
    assert_int_equal(strncmp(a.receipt->number, "POLICE-20", 9), 0);
    assert_string_equal(a.receipt->number + 15, "-000001");
    assert_string_equal(FILE_OK(&c, world_key(w, 8)).receipt->number + 15, "-000002");
}

static void test_same_key_same_receipt(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct chop_bytes fact = world_fact(w, &c, "seal-state", NULL);
    struct peer_answer first = peer_file(w, &police, fact, world_key(w, 1));
    struct peer_answer again = peer_file(w, &police, fact, world_key(w, 1));
    assert_int_equal(again.status, 200);
    assert_true(chop_bytes_equal(first.receipt_signed, again.receipt_signed));
    struct peer_answer status = peer_status(w, &police, world_key(w, 1));
    assert_true(chop_bytes_equal(first.receipt_signed, status.receipt_signed));
    assert_refused(peer_status(w, &police, world_key(w, 2)), 404, "not_found");
    assert_int_equal(peer_holds(w, &police, "seal_a"), 1);
}

static void test_gap_names_what_is_expected(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct chop_bytes one = world_fact(w, &c, "seal-state", NULL), two = world_fact(w, &c, "seal-state", NULL);
    struct chop_bytes three = world_fact(w, &c, "seal-state", NULL);
    struct peer_answer a = peer_file(w, &police, two, world_key(w, 2));
    assert_refused(a, 409, "gap");
    assert_int_equal(a.refusal->expected, 1);
    assert_int_equal(peer_file(w, &police, one, world_key(w, 1)).status, 200);
    a = peer_file(w, &police, three, world_key(w, 3));
    assert_refused(a, 409, "gap");
    assert_int_equal(a.refusal->expected, 2);
    assert_int_equal(peer_file(w, &police, two, world_key(w, 2)).status, 200);
    assert_int_equal(peer_file(w, &police, three, world_key(w, 3)).status, 200);
    assert_int_equal(peer_holds(w, &police, "seal_a"), 3);
}

static void test_conflicts(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" }, other = { .seal_id = "seal_b" };
    FILE_OK(&c, world_key(w, 1));
    struct chop_bytes rival = world_fact_at(w, "seal_a", 1, CHOP_BYTES(NULL, 0), NULL);
    assert_refused(peer_file(w, &police, rival, world_key(w, 2)), 409, "conflict");
    assert_refused(peer_file(w, &police, rival, world_key(w, 1)), 409, "conflict");
    assert_refused(peer_file(w, &police, world_fact(w, &other, "seal-state", NULL), world_key(w, 1)), 409, "conflict");
    uint8_t wrong[32] = { 9 };
    struct chop_bytes unlinked = world_fact_at(w, "seal_a", 2, CHOP_BYTES(wrong, 32), NULL);
    assert_refused(peer_file(w, &police, unlinked, world_key(w, 3)), 409, "conflict");
    assert_int_equal(peer_holds(w, &police, "seal_a"), 1);
}

static void test_bad_fact_signatures(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    assert_refused(peer_file(w, &police, world_fact_at(w, "seal_a", 1, CHOP_BYTES(NULL, 0), w->stranger), world_key(w, 1)),
        422, "bad_fact");
    /* a registry's key may not sign facts */
    assert_refused(
        peer_file(w, &police, world_fact_at(w, "seal_a", 1, CHOP_BYTES(NULL, 0), w->registry[0]), world_key(w, 1)), 422,
        "bad_fact");
    struct chop_bytes fact = world_fact(w, &c, "seal-state", NULL);
    for (size_t at = 0; at < fact.n; at += 7) { /* any changed byte */
        struct chop_bytes bent = arena_copy(w->mem, fact);
        ((uint8_t *)(uintptr_t)bent.p)[at] ^= 1;
        struct peer_answer a = peer_file(w, &police, bent, world_key(w, 1));
        if (a.err || a.status < 400) fail_msg("byte %zu of %zu: status %ld %s", at, fact.n, a.status, a.err ? a.err->name : "");
    }
    assert_int_equal(peer_holds(w, &police, "seal_a"), 0);
    assert_int_equal(peer_file(w, &police, fact, world_key(w, 1)).status, 200);
}

static void test_bad_webhook_signature(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct chop_bytes fact = world_fact(w, &c, "seal-state", NULL);
    struct webhook_secret right = w->secret;
    w->secret.key[0] ^= 1;
    assert_refused(peer_file(w, &police, fact, world_key(w, 1)), 401, "bad_signature");
    w->secret = right;
    assert_refused(peer_file(w, &police, fact, "ZZ"), 400, "bad_request");
    assert_refused(peer_file(w, &police, CHOP_BYTES("junk", 4), world_key(w, 1)), 400, "bad_request");
    assert_int_equal(peer_file(w, &police, fact, world_key(w, 1)).status, 200);
}

/* Every answered filing is there after SIGKILL, with the same receipt, and the chain goes on. */
static void test_durable_after_kill(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct peer_answer last = { 0 };
    for (unsigned i = 0; i < 30; i++) last = FILE_OK(&c, world_key(w, i));
    peer_kill(&police);
    peer_again(w, &police);
    assert_int_equal(peer_holds(w, &police, "seal_a"), 30);
    struct peer_answer status = peer_status(w, &police, world_key(w, 29));
    assert_true(chop_bytes_equal(last.receipt_signed, status.receipt_signed));
    assert_string_equal(FILE_OK(&c, world_key(w, 30)).receipt->number + 15, "-000031");
}

static void test_switches(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    struct chop_bytes fact = world_fact(w, &c, "seal-state", NULL);
    peer_switch(w, &police, "error500", 1);
    assert_refused(peer_file(w, &police, fact, world_key(w, 1)), 500, "unavailable");
    peer_switch(w, &police, "refuse", 1);
    assert_refused(peer_file(w, &police, fact, world_key(w, 1)), 422, "bad_fact");
    assert_refused(peer_status(w, &police, world_key(w, 1)), 404, "not_found");
    peer_switch(w, &police, "lose_answer", 1);
    assert_ptr_equal(peer_file(w, &police, fact, world_key(w, 1)).err, CHOP_ERR(ETIMEOUT));
    assert_int_equal(peer_status(w, &police, world_key(w, 1)).status, 200);
    struct chop_bytes second = world_fact(w, &c, "seal-state", NULL);
    peer_switch(w, &police, "lie", 1);
    struct peer_answer lie = peer_file(w, &police, second, world_key(w, 2));
    assert_memory_not_equal(lie.receipt->fact_digest.data, c.last, 32);
    assert_memory_equal(peer_status(w, &police, world_key(w, 2)).receipt->fact_digest.data, c.last, 32);
    peer_switch(w, &police, "timeout", 0);
    assert_ptr_equal(peer_file(w, &police, world_fact(w, &c, "seal-state", NULL), world_key(w, 3)).err, CHOP_ERR(ETIMEOUT));
    peer_switch(w, &police, "ok", 0);
    assert_refused(peer_status(w, &police, world_key(w, 3)), 404, "not_found");
}

static void test_page_escapes(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    FILE_OK(&c, world_key(w, 1));
    struct httpc_reply r;
    assert_null(httpc_send(w->http, "GET", arena_printf(w->mem, "%s/", police.url), NULL, CHOP_BYTES(NULL, 0), w->mem, &r));
    const char *page = arena_strn(w->mem, (const char *)r.body.p, r.body.n);
    assert_non_null(strstr(page, "甲公司 &lt;&amp;&gt;"));
    assert_non_null(strstr(page, "测试 &lt;registry&gt;"));
    assert_null(strstr(page, "<registry>"));
    assert_non_null(strstr(page, "POLICE-20"));
}

/* ---- gaps ---- */

/* Fact 2 will never be taken. Only the notice that names it, for this registry, lets the chain go on behind it. */
static void test_gap_only_with_the_notice(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    uint8_t second[32], other[32] = { 7 };
    FILE_OK(&c, world_key(w, 1));
    (void)world_fact(w, &c, "seal-state", NULL);
    memcpy(second, c.last, 32);
    struct chop_bytes three = world_fact(w, &c, "seal-state", NULL);
    struct chain fork = c;
    struct chop_bytes foreign = world_notice(w, &fork, "internal", 2, second, "fact_skipped");
    fork = c;
    struct chop_bytes wrong_place = world_notice(w, &fork, "police", 3, second, "fact_skipped");
    fork = c;
    struct chop_bytes notice = world_notice(w, &fork, "police", 2, second, "fact_skipped");
    assert_refused(peer_file(w, &police, three, world_key(w, 3)), 409, "gap");
    assert_refused(peer_file(w, &police, foreign, world_key(w, 4)), 409, "gap");
    assert_refused(peer_file(w, &police, wrong_place, world_key(w, 4)), 409, "gap");
    struct chain later = c;
    assert_refused(peer_file(w, &police, world_notice(w, &later, "police", 9, other, "fact_skipped"), world_key(w, 4)), 422, "bad_fact");
    struct peer_answer a = peer_file(w, &police, notice, world_key(w, 20)); /* in the place of 2 */
    assert_int_equal(a.status, 200);
    assert_int_equal(a.receipt->seal_seq, 4);
    assert_memory_equal(a.receipt->fact_digest.data, fork.last, 32);
    struct peer_answer again = peer_file(w, &police, notice, world_key(w, 20));
    assert_true(chop_bytes_equal(a.receipt_signed, again.receipt_signed));
    peer_kill(&police);
    peer_again(w, &police);
    assert_int_equal(peer_file(w, &police, three, world_key(w, 3)).status, 200);
    assert_int_equal(peer_file(w, &police, notice, world_key(w, 4)).status, 200); /* now as the fact that it is */
    assert_int_equal(peer_file(w, &police, world_fact(w, &fork, "seal-state", NULL), world_key(w, 5)).status, 200);
    assert_int_equal(peer_holds(w, &police, "seal_a"), 5);
}

/* What the notice says of the skipped fact's digest is what the next one must continue. */
static void test_gap_keeps_the_chain(void **state) {
    (void)state;
    struct chain c = { .seal_id = "seal_a" };
    uint8_t wrong[32] = { 7 };
    FILE_OK(&c, world_key(w, 1));
    (void)world_fact(w, &c, "seal-state", NULL);
    struct chop_bytes three = world_fact(w, &c, "seal-state", NULL);
    assert_int_equal(peer_file(w, &police, world_notice(w, &c, "police", 2, wrong, "fact_skipped"), world_key(w, 20)).status, 200);
    assert_refused(peer_file(w, &police, three, world_key(w, 3)), 409, "conflict");
}

/* ---- orders ---- */

#define SUSPEND "{\"order_id\":\"%s\",\"seal_id\":\"seal_a\",\"action\":\"suspend\",\"reason\":\"查\"}"

static void test_orders_durable_in_sequence(void **state) {
    (void)state;
    const Pb__RegistryOrder *m;
    Pb__HeldOrders *all;
    int64_t began = chop_now_ms();
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(peer_order(w, &police, arena_printf(w->mem, SUSPEND, world_key(w, (unsigned)i)), NULL, &m), 200);
        assert_int_equal(m->sequence, i);
    }
    peer_kill(&police);
    peer_again(w, &police);
    assert_int_equal(peer_orders(w, &police, 0, &all), 200);
    assert_int_equal(all->n_orders, 5);
    assert_int_equal(all->last, 5);
    for (size_t i = 0; i < 5; i++) {
        m = world_read_order(w, &police, PB_BYTES(all->orders[i]->order));
        assert_int_equal(all->orders[i]->sequence, i + 1);
        assert_int_equal(m->sequence, i + 1);
        assert_string_equal(m->order_id, world_key(w, (unsigned)i + 1));
        assert_string_equal(m->action, "suspend");
        assert_true(m->at >= began && m->at <= chop_now_ms());
    }
    assert_int_equal(peer_orders(w, &police, 3, &all), 200);
    assert_int_equal(all->n_orders, 2);
    assert_int_equal(all->orders[0]->sequence, 4);
    assert_int_equal(peer_orders(w, &police, 5, &all), 200);
    assert_int_equal(all->n_orders, 0);
    assert_int_equal(all->last, 5);
}

static void test_order_entered_twice(void **state) {
    (void)state;
    const Pb__RegistryOrder *first, *again;
    Pb__HeldOrders *all;
    assert_int_equal(peer_order(w, &police, arena_printf(w->mem, SUSPEND, "o-1"), NULL, &first), 200);
    assert_int_equal(peer_order(w, &police, arena_printf(w->mem, SUSPEND, "o-1"), NULL, &again), 200);
    assert_int_equal(again->sequence, 1);
    assert_int_equal(again->at, first->at);
    assert_int_equal(peer_order(w, &police,
                         "{\"order_id\":\"o-1\",\"seal_id\":\"seal_b\",\"action\":\"suspend\",\"reason\":\"查\"}", NULL, NULL),
        409);
    assert_int_equal(peer_orders(w, &police, 0, &all), 200);
    assert_int_equal(all->n_orders, 1);
}

static void test_orders_that_are_none(void **state) {
    (void)state;
    static const char *const bodies[] = { "", "{}", "{\"seal_id\":\"s\",\"action\":\"destroy\",\"reason\":\"x\"}",
        "{\"action\":\"suspend\",\"reason\":\"x\"}", "{\"seal_id\":\"s\",\"action\":\"suspend\"}",
        "{\"seal_code\":\"12\",\"action\":\"suspend\",\"reason\":\"x\"}",
        "{\"seal_id\":\"s\",\"action\":\"revoke_impression\",\"reason\":\"x\"}",
        "{\"seal_id\":\"s\",\"action\":\"suspend\",\"grant_id\":\"g\",\"number\":1,\"reason\":\"x\"}" };
    Pb__HeldOrders *all;
    for (size_t i = 0; i < CHOP_COUNT(bodies); i++) assert_int_equal(peer_order(w, &police, bodies[i], NULL, NULL), 400);
    assert_int_equal(peer_orders(w, &police, 0, &all), 200);
    assert_int_equal(all->n_orders, 0);
}

/* Orders go to the relay alone, and are entered by who holds the operator's token alone. */
static void test_who_may_order(void **state) {
    (void)state;
    static const char token[] = "0123456789abcdefghijklmnopqrstuv";
    const char *order = arena_printf(w->mem, SUSPEND, "o-1"), *path = arena_printf(w->mem, "%s/token", w->dir);
    struct webhook_secret right = w->secret;
    Pb__HeldOrders *all;
    FILE *f = fopen(path, "we");
    assert_true(f && fputs(token, f) >= 0 && fclose(f) == 0 && chmod(path, 0600) == 0);
    peer_stop(&police);
    struct peer closed = police;
    closed.token_file = path;
    peer_again(w, &closed);
    assert_int_equal(peer_order(w, &closed, order, NULL, NULL), 401);
    assert_int_equal(peer_order(w, &closed, order, "0123456789abcdefghijklmnopqrstuw", NULL), 401);
    assert_int_equal(peer_order(w, &closed, order, "0123456789abcdefghijklmnopqrstu", NULL), 401);
    assert_int_equal(peer_order(w, &closed, order, token, NULL), 200);
    w->secret.key[0] ^= 1;
    assert_int_equal(peer_orders(w, &closed, 0, &all), 401);
    w->secret = right;
    assert_int_equal(peer_orders(w, &closed, 0, &all), 200);
    assert_int_equal(all->n_orders, 1);
    peer_stop(&closed);
    peer_again(w, &police);
}

/* ---- many at once: thousands a second, because commits are shared ---- */
enum { CLIENTS = 16, EACH = 250 };
struct client {
    pthread_t thread;
    struct world own; /* a copy with its own client and memory */
    struct chop_bytes facts[EACH];
    int nth, bad;
};

static void *file_all(void *arg) {
    struct client *c = arg;
    for (int i = 0; i < EACH; i++) {
        struct peer_answer a = peer_file(&c->own, &police, c->facts[i], world_key(&c->own, (unsigned)(c->nth * EACH + i)));
        c->bad += a.err || a.status != 200;
    }
    return NULL;
}

static void test_group_commit(void **state) {
    (void)state;
    static struct client clients[CLIENTS];
    struct httpc_options o = { .allow_private = true, .allow_http = true, .timeout_ms = 20000, .max_reply = 1 << 20 };
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];
        *c = (struct client){ .own = *w, .nth = i };
        c->own.mem = arena_new((size_t)64 << 20);
        assert_null(httpc_new(&o, &c->own.http));
        struct chain chain = { .seal_id = arena_printf(w->mem, "seal_%d", i) };
        for (int k = 0; k < EACH; k++) c->facts[k] = world_fact(w, &chain, "seal-state", NULL);
    }
    int64_t began = chop_mono_ns();
    for (int i = 0; i < CLIENTS; i++) pthread_create(&clients[i].thread, NULL, file_all, &clients[i]);
    for (int i = 0; i < CLIENTS; i++) pthread_join(clients[i].thread, NULL);
    double seconds = (double)(chop_mono_ns() - began) / 1e9;
    print_message("%d filings in %.2f s: %.0f/s\n", CLIENTS * EACH, seconds, CLIENTS * EACH / seconds);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(clients[i].bad, 0);
        assert_int_equal(peer_holds(w, &police, arena_printf(w->mem, "seal_%d", i)), EACH);
        httpc_free(clients[i].own.http);
        arena_free(clients[i].own.mem);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    program = argv[1];
    const struct CMUnitTest tests[] = {
        TEST(test_receipt_tells_what_came), TEST(test_same_key_same_receipt), TEST(test_gap_names_what_is_expected),
        TEST(test_conflicts), TEST(test_bad_fact_signatures), TEST(test_bad_webhook_signature),
        TEST(test_durable_after_kill), TEST(test_switches), TEST(test_page_escapes), TEST(test_group_commit),
        TEST(test_gap_only_with_the_notice), TEST(test_gap_keeps_the_chain), TEST(test_orders_durable_in_sequence),
        TEST(test_order_entered_twice), TEST(test_orders_that_are_none), TEST(test_who_may_order),
    };
    return cmocka_run_group_tests_name("registry", tests, NULL, NULL);
}
