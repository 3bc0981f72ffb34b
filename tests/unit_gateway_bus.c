/* The program itself over a real bus: what a service receives, what comes back, and what happens when the bus goes. */
#include "fixture.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "common.pb-c.h"
#include "identity.pb-c.h"
#include "verification.pb-c.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct fixture_program *gateway;
static int port;
static char got[16384];
static struct {
    _Atomic int calls;
    char trace[80], principal[200], deadline[40], token[300];
} seen;

/* ---- services ---- */
static void answer(struct bus_msg *m, const void *message) {
    struct arena *mem = arena_new(1 << 20);
    struct chop_bytes packed;
    assert_null(pb_pack(message, mem, &packed));
    bus_reply(fixture_bus(), m, packed, false);
    arena_free(mem);
    bus_msg_free(m);
}

static void note(const struct bus_msg *m) {
    const char *trace = bus_msg_header(m, "traceparent"), *principal = bus_msg_header(m, "Chop-Principal"),
               *deadline = bus_msg_header(m, "Chop-Deadline");
    (void)snprintf(seen.trace, sizeof seen.trace, "%s", trace ? trace : "");
    (void)snprintf(seen.principal, sizeof seen.principal, "%s", principal ? principal : "");
    (void)snprintf(seen.deadline, sizeof seen.deadline, "%s", deadline ? deadline : "");
    seen.calls++;
}

static void on_resolve(void *ctx, struct bus_msg *m) {
    (void)ctx;
    Pb__ResolveSessionReply r = PB__RESOLVE_SESSION_REPLY__INIT;
    r.principal = PB_BIN(chop_str("signed"));
    r.expires_at = chop_now_ms() + 60000;
    answer(m, &r);
}

static void on_me(void *ctx, struct bus_msg *m) {
    (void)ctx;
    note(m);
    Pb__Me me = PB__ME__INIT;
    me.session_id = PB_STR("ses_1");
    answer(m, &me);
}

static void on_verify(void *ctx, struct bus_msg *m) {
    (void)ctx;
    note(m);
    bus_reply_error(fixture_bus(), m, CHOP_ERR(EMISTYPED), "mark", "the 3rd letter");
    bus_msg_free(m);
}

static void on_silence(void *ctx, struct bus_msg *m) {
    (void)ctx;
    seen.calls++;
    bus_msg_free(m);
}

static void serve(const char *subject, bus_msg_fn fn) {
    struct bus_sub *sub;
    assert_null(bus_subscribe(fixture_bus(), subject, "test", fn, NULL, &sub));
}

/* ---- a client ---- */
static int dial(void) {
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval wait = { .tv_sec = 10 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(fd, (struct sockaddr *)&sa, sizeof sa) == 0) return fd;
    close(fd);
    return -1;
}

/* The status, 0 for none; asks for the connection to be closed, so that the end of it is the end of the reply. */
static int ask(const char *method, const char *path, const char *headers) {
    char text[1024];
    int fd = dial(), n = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: chop.test\r\nConnection: close\r\n%s\r\n",
                         method, path, headers);
    if (fd < 0) return 0;
    assert_int_equal(send(fd, text, (size_t)n, MSG_NOSIGNAL), n);
    size_t len = 0;
    for (ssize_t some; (some = recv(fd, got + len, sizeof got - 1 - len, 0)) > 0;)
        len += (size_t)some;
    got[len] = 0;
    close(fd);
    return len > 12 ? atoi(got + 9) : 0;
}

static void says(const char *part) {
    if (!strstr(got, part)) fail_msg("no %s in:\n%s", part, got);
}

/* A port that is free now. */
static int port_find(void) {
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof sa;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, n), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &n), 0);
    close(fd);
    return ntohs(sa.sin_port);
}

static void gateway_up(void) {
    port = port_find();
    const char *const env[] = { fixture_text("CHOP_GATEWAY_PORT=%d", port), "CHOP_GATEWAY_CALL_MS=1000", NULL };
    gateway = fixture_start("gateway", NULL, env);
}

static int setup(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    fixture_up(FIX_NATS | FIX_KEYS);
    serve("chop.identity.v1.ResolveSession", on_resolve);
    serve("chop.identity.v1.GetMe", on_me);
    serve("chop.verification.v1.Verify", on_verify);
    serve("chop.identity.v1.GetKeys", on_silence);
    bus_flush(fixture_bus());
    gateway_up();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fixture_down();
    return 0;
}

/* ---- tests ---- */
static void test_call(void **state) {
    (void)state;
    int64_t now = chop_now_ms();
    assert_int_equal(ask("GET", "/v1/me",
                         "Authorization: Bearer " TOKEN
                         "\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"),
        200);
    says("{\"session_id\":\"ses_1\"}");
    assert_memory_equal(seen.trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_string_equal(seen.principal, "c2lnbmVk");
    int64_t deadline = strtoll(seen.deadline, NULL, 10);
    assert_true(deadline > now && deadline <= chop_now_ms() + 1000);
}

static void test_error(void **state) {
    (void)state;
    assert_int_equal(ask("POST", "/v1/verify", ""), 422);
    says("\"code\":\"EMISTYPED\",\"field\":\"mark\",\"detail\":\"the 3rd letter\"");
    assert_string_equal(seen.principal, "");
}

static void test_nobody_serves(void **state) {
    (void)state;
    assert_int_equal(ask("POST", "/v1/sign-ins", ""), 504);
    says("\"code\":\"EUNREACHABLE\"");
}

static void test_silence(void **state) {
    (void)state;
    int64_t began = chop_mono_ns();
    assert_int_equal(ask("GET", "/v1/keys", ""), 504);
    says("\"code\":\"ETIMEOUT\"");
    assert_true(chop_mono_ns() - began < INT64_C(3000000000));
}

/* The bus dies: answers are errors that say so, soon; it comes back: calls go through again, without a restart. */
static void test_bus_dies_and_returns(void **state) {
    (void)state;
    fixture_kill_part(FIX_NATS);
    for (int i = 0; i < 5; i++) {
        int64_t began = chop_mono_ns();
        int status = ask("POST", "/v1/verify", "");
        assert_true(status == 503 || status == 504);
        says("\"retryable\":true");
        assert_true(chop_mono_ns() - began < INT64_C(3000000000));
    }
    fixture_up(FIX_NATS);
    int status = 0;
    for (int i = 0; i < 100 && status != 422; i++) {
        usleep(100000);
        status = ask("POST", "/v1/verify", "");
    }
    assert_int_equal(status, 422);
}

static void *hammer(void *arg) {
    int *odd = arg;
    for (;;) {
        int status = ask("GET", "/v1/keys", "");
        if (status == 0) return NULL;
        *odd += status != 504 && status != 503;
    }
}

/* SIGTERM with calls that nobody answers: it waits for their deadlines and ends well (fixture_stop checks the status).
 */
static void test_stops_well(void **state) {
    (void)state;
    pthread_t t;
    int odd = 0;
    assert_int_equal(pthread_create(&t, NULL, hammer, &odd), 0);
    usleep(200000);
    fixture_stop(gateway);
    pthread_join(t, NULL);
    assert_int_equal(odd, 0);
    gateway_up();
    assert_int_equal(ask("POST", "/v1/verify", ""), 422);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_call),
        cmocka_unit_test(test_error),
        cmocka_unit_test(test_nobody_serves),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_bus_dies_and_returns),
        cmocka_unit_test(test_stops_well),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
