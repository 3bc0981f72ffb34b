/* A listening gateway over raw sockets, with a double in the bus's place. */
#include "gateway.h"
#include "crypto.h"
#include "http.h"
#include "log.h"
#include "pb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "identity.pb-c.h"
#include "verification.pb-c.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
#define OTHER "fedcba9876543210fedcba9876543210"
#define HOST "Host: chop.test\r\n"
#define BEARER "Authorization: Bearer " TOKEN "\r\n"
#define COOKIE "Cookie: a=b; chop_session=" TOKEN "; c=d\r\n"

/* ---- the bus's double: answers by subject, from a thread of its own, after a moment ---- */
struct canned {
    const char *subject;
    chop_err err;
    const char *field, *detail;
    uint8_t reply[65536];
    size_t n;
    int delay_ms;
};
static struct {
    pthread_mutex_t lock;
    struct canned canned[4];
    int calls, running;
    char subject[100], trace[64], principal[200];
    uint8_t request[4096];
    size_t request_n;
    int64_t deadline;
} bus = { .lock = PTHREAD_MUTEX_INITIALIZER };

struct job {
    bus_reply_fn fn;
    void *ctx;
    struct canned *canned;
};

static void *job_run(void *arg) {
    struct job *j = arg;
    usleep((useconds_t)(j->canned ? j->canned->delay_ms : 0) * 1000);
    chop_detail_clear();
    chop_err e = CHOP_ERR(EUNREACHABLE);
    if (j->canned) e = j->canned->err;
    if (e && j->canned) e = chop_fail(e, j->canned->field, "%s", j->canned->detail);
    j->fn(j->ctx, e, e ? CHOP_BYTES(NULL, 0) : CHOP_BYTES(j->canned->reply, j->canned->n));
    pthread_mutex_lock(&bus.lock);
    bus.running--;
    pthread_mutex_unlock(&bus.lock);
    free(j);
    return NULL;
}

static void note_call(const char *subject, const struct bus_headers *h, struct chop_bytes request) {
    bus.calls++;
    bus.running++;
    bus.deadline = h->deadline;
    (void)snprintf(bus.subject, sizeof bus.subject, "%s", subject);
    (void)snprintf(bus.trace, sizeof bus.trace, "%s", h->trace ? h->trace : "");
    (void)snprintf(bus.principal, sizeof bus.principal, "%s", h->principal ? h->principal : "");
    bus.request_n = request.n < sizeof bus.request ? request.n : sizeof bus.request;
    memcpy(bus.request, request.p, bus.request_n);
}

void bus_call_async(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    bus_reply_fn fn, void *ctx) {
    (void)b;
    struct job *j = calloc(1, sizeof *j);
    *j = (struct job){ .fn = fn, .ctx = ctx };
    pthread_mutex_lock(&bus.lock);
    note_call(subject, h, request);
    for (size_t i = 0; i < CHOP_COUNT(bus.canned); i++)
        if (bus.canned[i].subject && strcmp(bus.canned[i].subject, subject) == 0) j->canned = &bus.canned[i];
    pthread_mutex_unlock(&bus.lock);
    pthread_t t;
    if (pthread_create(&t, NULL, job_run, j) != 0) abort();
    pthread_detach(t);
}

static int bus_calls(void) {
    pthread_mutex_lock(&bus.lock);
    int n = bus.calls;
    pthread_mutex_unlock(&bus.lock);
    return n;
}

/* What was set before this is seen by every call after it. */
static void settle(void) {
    pthread_mutex_lock(&bus.lock);
    pthread_mutex_unlock(&bus.lock);
}

static struct canned *can(size_t i, const char *subject) {
    bus.canned[i] = (struct canned){ .subject = subject, .delay_ms = 1 };
    return &bus.canned[i];
}

static void can_message(size_t i, const char *subject, const void *message) {
    struct canned *c = can(i, subject);
    c->n = protobuf_c_message_pack(message, c->reply);
    settle();
}

static void can_error(size_t i, const char *subject, chop_err e, const char *field, const char *detail) {
    struct canned *c = can(i, subject);
    c->err = e;
    c->field = field;
    c->detail = detail;
    settle();
}

/* identity knows TOKEN */
static void can_session(void) {
    Pb__ResolveSessionReply r = PB__RESOLVE_SESSION_REPLY__INIT;
    r.principal = PB_BIN(chop_str("signed"));
    r.expires_at = chop_now_ms() + 3600000;
    can_message(0, "chop.identity.v1.ResolveSession", &r);
}

static void can_me(void) {
    Pb__Me me = PB__ME__INIT;
    me.session_id = PB_STR("ses_1");
    can_message(1, "chop.identity.v1.GetMe", &me);
}

/* ---- the gateway and its clients ---- */
static struct gateway gw;
static struct gateway_conf conf;
static char web[64];
static char got[262144];
static size_t got_n;

static void gateway_up(void) {
    chop_err e = gateway_start(&gw, &conf, (struct bus *)&bus);
    if (e) print_error("%s %s\n", e->name, chop_detail_text());
    assert_null(e);
}

static int setup(void **state) {
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    memset(bus.canned, 0, sizeof bus.canned);
    bus.calls = 0;
    conf = (struct gateway_conf){ .address = "127.0.0.1",
        .web = web,
        .proxies = "",
        .tls_certificate = "",
        .tls_key = "",
        .tls_address = "127.0.0.1",
        .threads = 2,
        .connections = 64,
        .connections_per_address = 0,
        .head_bytes = 16384,
        .body_bytes = 65536,
        .body_memory = 1 << 20,
        .head_seconds = 10,
        .body_seconds = 10,
        .reply_seconds = 10,
        .call_ms = 2000,
        .session_seconds = 30,
        .sessions = 64,
        .address_rate = 0,
        .address_burst = 1,
        .session_rate = 0,
        .session_burst = 1 };
    gateway_up();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    if (gw.http) gateway_stop(&gw);
    for (int running = 1; running; usleep(1000)) {
        pthread_mutex_lock(&bus.lock);
        running = bus.running;
        pthread_mutex_unlock(&bus.lock);
    }
    return 0;
}

static void restart(void) {
    gateway_stop(&gw);
    gateway_up();
}

static int dial(void) {
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(http_port(gw.http, false)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    struct timeval wait = { .tv_sec = 8 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return fd;
}

static void give(int fd, const char *text, size_t n) {
    while (n > 0) {
        ssize_t some = send(fd, text, n, MSG_NOSIGNAL);
        if (some <= 0) return; /* refused and closed already */
        text += some;
        n -= (size_t)some;
    }
}

static size_t announced(const char *head) {
    const char *length = strcasestr(head, "\r\ncontent-length:");
    return length ? strtoul(length + 17, NULL, 10) : 0;
}

/* One reply into `got`; its status, 0 where the connection closed without one, -1 where nothing came in time. */
static int take(int fd, bool head_only) {
    got_n = 0;
    for (;;) {
        got[got_n] = 0;
        char *end = strstr(got, "\r\n\r\n");
        if (end && got_n >= (size_t)(end + 4 - got) + (head_only ? 0 : announced(got))) break;
        ssize_t some = recv(fd, got + got_n, sizeof got - 1 - got_n, 0);
        if (some < 0) return errno == EAGAIN ? -1 : 0;
        if (some == 0) return 0;
        got_n += (size_t)some;
    }
    return atoi(got + 9);
}

static bool is_closed(int fd) {
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

static int ask_n(const char *text, size_t n) {
    int fd = dial();
    give(fd, text, n);
    int status = take(fd, strncmp(text, "HEAD", 4) == 0);
    close(fd);
    return status;
}

static int ask(const char *text) {
    return ask_n(text, strlen(text));
}

static int post(const char *path, const char *headers, const char *body) {
    static char text[131072];
    int n = snprintf(text, sizeof text,
        "POST %s HTTP/1.1\r\n" HOST "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", path, headers,
        strlen(body), body);
    return ask_n(text, (size_t)n);
}

static const char *body_of(void) {
    const char *end = strstr(got, "\r\n\r\n");
    return end ? end + 4 : "";
}

static void says(const char *part) {
    if (!strstr(got, part)) fail_msg("no %s in:\n%s", part, got);
}

static void problem(int status, int expected, const char *code) {
    if (status != expected) fail_msg("%d instead of %d:\n%s", status, expected, got);
    char type[80], line[40];
    (void)snprintf(type, sizeof type, "{\"type\":\"urn:chop:error:%s\",\"title\":\"", code);
    (void)snprintf(line, sizeof line, "\"status\":%d,\"code\":\"%s\"", expected, code);
    says("Content-Type: application/problem+json\r\n");
    says("Cache-Control: no-store\r\n");
    says("X-Content-Type-Options: nosniff\r\n");
    assert_int_equal(strncmp(body_of(), type, strlen(type)), 0);
    says(line);
    const char *trace = strstr(got, "\"trace\":\"");
    assert_non_null(trace);
    assert_int_equal(strspn(trace + 9, "0123456789abcdef"), 32);
}

/* ---- what another reader could read differently ---- */
#define VERIFY "POST /v1/verify HTTP/1.1\r\n"
#define JSON "Content-Type: application/json\r\n"

struct raw {
    const char *text;
    size_t n; /* 0: strlen */
};
#define RAW(s)                                                                                                         \
    { s, sizeof s - 1 }

static const struct raw ambiguous[] = {
    RAW(VERIFY HOST JSON "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    RAW(VERIFY HOST JSON "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
    RAW(VERIFY HOST JSON "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Transfer-Encoding : chunked\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\r\ncontent-length: 0\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2, 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: +2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 0x2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2 \r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length:\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: -1\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 18446744073709551618\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length : 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length\t: 2\r\n\r\n{}"),
    RAW(VERIFY HOST "Host: other.test\r\n" JSON "Content-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST HOST JSON "Content-Length: 2\r\n\r\n{}"),
    RAW(VERIFY JSON "Content-Length: 2\r\n\r\n{}"),
    RAW(VERIFY "Host: a b\r\n" JSON "Content-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\r\n\n{}"),
    RAW("POST /v1/verify HTTP/1.1\n" HOST JSON "Content-Length: 2\r\n\r\n{}"),
    RAW("POST /v1/verify HTTP/1.1\n\nGET /V/X HTTP/1.1\r\n" HOST "\r\n"),
    RAW(VERIFY HOST JSON "X: a\rContent-Length: 0\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\r\n folded\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\r\n\tfolded\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\r\n \r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\r\n folded\r\n\r\n{}"),
    RAW(VERIFY " " HOST JSON "Content-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\0b\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\0\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X\0: a\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Length: 2\0\0\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X: a\001b\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "X@Y: a\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON ": a\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "no colon\r\nContent-Length: 2\r\n\r\n{}"),
    RAW(VERIFY HOST JSON "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"),
    RAW("GET /V/a%00b HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a\0b HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a b HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a?c=%00 HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a?c=1 2 HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a?c=1\0 HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET  /V/a HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a  HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a\tHTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/\xe5\x8d\xb0 HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a HTTP/1.2\r\n" HOST "\r\n"),
    RAW("GET /V/a HTTP/2.0\r\n" HOST "\r\n"),
    RAW("GET /V/a\r\n" HOST "\r\n"),
    RAW("GET http://chop.test/V/a HTTP/1.1\r\n" HOST "\r\n"),
    RAW("G@T /V/a HTTP/1.1\r\n" HOST "\r\n"),
    RAW("GET /V/a HTTP/1.1\r\n\r\n"),
    RAW("GET /V/a HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\n{}"),
};

static void test_ambiguous(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(ambiguous); i++) {
        int fd = dial();
        give(fd, ambiguous[i].text, ambiguous[i].n);
        shutdown(fd, SHUT_WR);
        int status = take(fd, false);
        if (status != 0 && (status < 400 || status >= 500) && status != 505)
            fail_msg("row %zu got %d: %s", i, status, ambiguous[i].text);
        if (status > 0 && !is_closed(fd)) fail_msg("row %zu stays open: %s", i, ambiguous[i].text);
        close(fd);
    }
    assert_int_equal(bus_calls(), 0); /* none went further */
}

static void can_verdict(void) {
    Pb__Verdict v = PB__VERDICT__INIT;
    v.verdict = PB_STR("genuine");
    v.as_of = 1700000000000;
    can_message(2, "chop.verification.v1.Verify", &v);
}

/* The refusals above are due to what was changed: the same request, written properly, is answered. */
static void test_proper(void **state) {
    (void)state;
    can_verdict();
    static const char *const proper[] = {
        VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}",
        VERIFY "HOST:chop.test\r\n" JSON "Content-Length:\t 2\r\nX:\r\nY: a\tb \r\nZ: \xe5\x8d\xb0\r\n\r\n{}",
        "POST /v1/verify HTTP/1.0\r\n" JSON "Content-Length: 2\r\n\r\n{}",
        VERIFY HOST "Content-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}",
        VERIFY HOST "Content-Length: 0\r\n\r\n",
        VERIFY HOST "\r\n",
    };
    for (size_t i = 0; i < CHOP_COUNT(proper); i++)
        if (ask(proper[i]) != 200) fail_msg("row %zu got %s", i, got);
    assert_string_equal(body_of(), "{\"verdict\":\"genuine\",\"as_of\":1700000000000}");
}

/* Byte by byte, and with a head that fills the memory: the cursor over the buffer holds. */
static void test_slow_and_long_heads(void **state) {
    (void)state;
    can_verdict();
    const char *text = VERIFY HOST JSON "X-A: b\r\nContent-Length: 2\r\n\r\n{}";
    int fd = dial(), one = 1;
    setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof one);
    for (size_t i = 0; text[i]; i++) {
        give(fd, text + i, 1);
        usleep(300);
    }
    assert_int_equal(take(fd, false), 200);
    static char head[8192];
    for (int lines = 1; lines < 90; lines += 8) {
        size_t n = (size_t)snprintf(head, sizeof head, VERIFY HOST JSON);
        for (int i = 0; i < lines; i++)
            n += (size_t)snprintf(head + n, sizeof head - n, "X-%d: %040d\r\n", i, i);
        n += (size_t)snprintf(head + n, sizeof head - n, "Content-Length: 2\r\n\r\n{}");
        give(fd, head, n / 2);
        usleep(1000);
        give(fd, head + n / 2, n - n / 2);
        int status = take(fd, false);
        if (status != 200) fail_msg("%d lines: %d %s", lines, status, got);
    }
    close(fd);
}

static void test_keep_alive(void **state) {
    (void)state;
    can_verdict();
    int fd = dial();
    for (int i = 0; i < 20; i++) {
        const char *text = i % 3 == 0   ? VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}"
                           : i % 3 == 1 ? "GET /nothing HTTP/1.1\r\n" HOST "\r\n"
                                        : "GET /v1/me HTTP/1.1\r\n" HOST "\r\n";
        static const int expected[] = { 200, 404, 401 };
        give(fd, text, strlen(text));
        assert_int_equal(take(fd, false), expected[i % 3]);
    }
    close(fd);
}

static void test_pipelined(void **state) {
    (void)state;
    can_verdict();
    int fd = dial();
    const char *text = VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}GET /nothing HTTP/1.1\r\n" HOST "\r\n";
    give(fd, text, strlen(text));
    assert_int_equal(take(fd, false), 200);
    size_t first = (size_t)(body_of() - got) + announced(got);
    if (got_n == first)
        assert_int_equal(take(fd, false), 404);
    else
        assert_non_null(strstr(got + first, "HTTP/1.1 404"));
    close(fd);
}

/* ---- calls ---- */
static void test_problem_shape(void **state) {
    (void)state;
    problem(ask("GET /v1/nothing HTTP/1.1\r\n" HOST "\r\n"), 404, "ENOTFOUND");
    says("\"title\":\"no such object\"");
    problem(ask("PATCH /v1/sessions HTTP/1.1\r\n" HOST "\r\n"), 405, "EMETHOD");
    says("Allow: POST, DELETE\r\n");
    problem(ask("GET /v1/me HTTP/1.1\r\n" HOST
                "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n"),
        401, "EAUTH");
    says("WWW-Authenticate: Bearer\r\n");
    says("\"trace\":\"4bf92f3577b34da6a3ce929d0e0e4736\"");
    can_error(2, "chop.verification.v1.Verify", CHOP_ERR(EMISTYPED), "mark", "digit 3 \"x\"\n\xff");
    problem(post("/v1/verify", "", "{\"mark\":\"1\"}"), 422, "EMISTYPED");
    says("\"field\":\"mark\",\"detail\":\"digit 3 \\\"x\\\"\\n?\"");
    can_error(2, "chop.verification.v1.Verify", CHOP_ERR(ETIMEOUT), NULL, "");
    problem(post("/v1/verify", "", "{}"), 504, "ETIMEOUT");
    says("\"retryable\":true");
    can_error(2, "chop.verification.v1.Verify", CHOP_ERR(EBUSY), NULL, "");
    problem(post("/v1/verify", "", "{}"), 503, "EBUSY");
    says("Retry-After: 1\r\n");
}

static void test_call(void **state) {
    (void)state;
    can_verdict();
    int64_t now = chop_now_ms();
    assert_int_equal(post("/v1/verify", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n",
                         "{\"mark\":\"印\",\"facts\":{\"pages\":3}}"),
        200);
    says("Content-Type: application/json\r\n");
    says("Cache-Control: no-store\r\n");
    says("X-Content-Type-Options: nosniff\r\n");
    assert_string_equal(bus.subject, "chop.verification.v1.Verify");
    assert_memory_equal(bus.trace, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_string_equal(bus.principal, "");
    assert_true(bus.deadline >= now + 1900 && bus.deadline <= now + 2500);
    Pb__VerifyRequest *in = pb__verify_request__unpack(NULL, bus.request_n, bus.request);
    assert_string_equal(in->mark, "印");
    assert_int_equal(in->facts->pages, 3);
    pb__verify_request__free_unpacked(in, NULL);
}

static void test_bad_messages(void **state) {
    (void)state;
    can_verdict();
    problem(post("/v1/verify", "", "{\"facts\":{\"pages\":1.5}}"), 400, "EINVAL");
    says("\"field\":\"facts.pages\"");
    problem(post("/v1/verify", "", "{\"mark\":\"\xff\"}"), 400, "EINVAL");
    problem(post("/v1/verify", "", "{\"mark\":\"a\",\"mark\":\"b\"}"), 400, "EINVAL");
    problem(post("/v1/verify?mark=b", "", "{\"mark\":\"a\"}"), 400, "EINVAL");
    problem(post("/v1/verify?nobody=b", "", "{}"), 400, "EINVAL");
    says("\"field\":\"nobody\"");
    problem(ask(VERIFY HOST "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"), 400, "EINVAL");
    problem(ask(VERIFY HOST "Content-Type: application/jsonp\r\nContent-Length: 2\r\n\r\n{}"), 400, "EINVAL");
    problem(
        ask(VERIFY HOST "Content-Type: application/json; charset=gbk\r\nContent-Length: 2\r\n\r\n{}"), 400, "EINVAL");
    problem(ask(VERIFY HOST "Content-Length: 2\r\n\r\n{}"), 400, "EINVAL");
    assert_int_equal(bus_calls(), 0);
}

static void test_answers_that_lie(void **state) {
    (void)state;
    struct canned *c = can(2, "chop.verification.v1.Verify");
    memcpy(c->reply, "\x0a\x05xx", 4);
    c->n = 4;
    problem(post("/v1/verify", "", "{}"), 502, "EPEER");
    Pb__HttpPage page = PB__HTTP_PAGE__INIT;
    page.status = 200;
    page.content_type = PB_STR("text/html\r\nX: y");
    can_message(3, "chop.verification.v1.Page", &page);
    problem(ask("GET /V/X HTTP/1.1\r\n" HOST "\r\n"), 502, "EPEER");
    page.content_type = PB_STR("text/html");
    page.status = 99;
    can_message(3, "chop.verification.v1.Page", &page);
    problem(ask("GET /V/X HTTP/1.1\r\n" HOST "\r\n"), 502, "EPEER");
}

static void test_page(void **state) {
    (void)state;
    Pb__HttpPage page = PB__HTTP_PAGE__INIT;
    page.status = 203;
    page.content_type = PB_STR("text/html; charset=utf-8");
    page.cache_control = PB_STR("private");
    page.body = PB_BIN(chop_str("<p>genuine"));
    can_message(3, "chop.verification.v1.Page", &page);
    assert_int_equal(ask("GET /V/0123456789ABCDEF?from=single+message%26&c=1234+56%378 HTTP/1.1\r\n" HOST
                         "Accept: text/html\r\nAccept-Language: zh-CN\r\n\r\n"),
        203);
    assert_string_equal(body_of(), "<p>genuine");
    says("Content-Type: text/html; charset=utf-8\r\n");
    says("Cache-Control: private\r\n");
    says("Content-Security-Policy: default-src 'none';");
    Pb__PageRequest *in = pb__page_request__unpack(NULL, bus.request_n, bus.request);
    assert_string_equal(in->token, "0123456789ABCDEF");
    assert_string_equal(in->cipher, "1234 5678");
    assert_string_equal(in->accept, "text/html");
    assert_string_equal(in->language, "zh-CN");
    pb__page_request__free_unpacked(in, NULL);
    assert_int_equal(ask("HEAD /v/0123456789abcdef HTTP/1.1\r\n" HOST "\r\n"), 203);
    says("Content-Length: 10\r\n");
    assert_string_equal(body_of(), "");
    assert_int_equal(ask("GET /V/a%2Fb HTTP/1.1\r\n" HOST "\r\n"), 203);
    in = pb__page_request__unpack(NULL, bus.request_n, bus.request);
    assert_string_equal(in->token, "a/b");
    pb__page_request__free_unpacked(in, NULL);
}

/* ---- sessions ---- */
#define ME(headers) "GET /v1/me HTTP/1.1\r\n" HOST headers "\r\n"

static void test_session(void **state) {
    (void)state;
    can_session();
    can_me();
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_string_equal(body_of(), "{\"session_id\":\"ses_1\"}");
    assert_string_equal(bus.principal, "c2lnbmVk");
    assert_int_equal(bus_calls(), 2);
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_int_equal(bus_calls(), 3); /* remembered */
    assert_string_equal(bus.principal, "c2lnbmVk");
    assert_int_equal(ask(ME(COOKIE)), 200);
    assert_int_equal(bus_calls(), 4);
    problem(ask(ME("Authorization: Basic eDp5\r\n")), 401, "EAUTH");
    problem(ask(ME("Authorization: Bearer short\r\n")), 401, "EAUTH");
    problem(ask(ME("Authorization: Bearer 0123456789abcdef;0123456789\r\n")), 401, "EAUTH");
    problem(ask(ME("Cookie: chop_session=" TOKEN "; chop_session=" OTHER "\r\n")), 401, "EAUTH");
    problem(ask(ME("Cookie: xchop_session=" TOKEN "\r\n")), 401, "EAUTH");
    assert_int_equal(bus_calls(), 4);
    can_error(0, "chop.identity.v1.ResolveSession", CHOP_ERR(EAUTH), NULL, "no such session");
    problem(ask(ME("Authorization: Bearer " OTHER "\r\n")), 401, "EAUTH");
    says("no such session");
    assert_int_equal(bus_calls(), 5); /* and nothing was called without a principal */
}

static void test_session_ends(void **state) {
    (void)state;
    Pb__ResolveSessionReply r = PB__RESOLVE_SESSION_REPLY__INIT;
    r.principal = PB_BIN(chop_str("signed"));
    r.expires_at = chop_now_ms() - 1;
    can_message(0, "chop.identity.v1.ResolveSession", &r);
    can_me();
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_int_equal(bus_calls(), 4); /* never remembered beyond its own end */
    r.principal.len = 0;
    can_message(0, "chop.identity.v1.ResolveSession", &r);
    problem(ask(ME(BEARER)), 502, "EPEER");
}

static void test_sign_out_forgets(void **state) {
    (void)state;
    can_session();
    can_me();
    Pb__Empty empty = PB__EMPTY__INIT;
    can_message(2, "chop.identity.v1.SignOut", &empty);
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_int_equal(ask("DELETE /v1/sessions HTTP/1.1\r\n" HOST COOKIE "X-Chop: 1\r\n\r\n"), 200);
    says("Set-Cookie: chop_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0\r\n");
    int before = bus_calls();
    assert_int_equal(ask(ME(BEARER)), 200);
    assert_int_equal(bus_calls(), before + 2);
}

static void can_sign_in(void) {
    Pb__SignInReply reply = PB__SIGN_IN_REPLY__INIT;
    reply.token = PB_STR(TOKEN);
    reply.expires_at = chop_now_ms() + 100500;
    can_message(1, "chop.identity.v1.SignIn", &reply);
}

static void test_sign_in(void **state) {
    (void)state;
    can_sign_in();
    assert_int_equal(post("/v1/sessions", "", "{\"organization\":\"o\",\"account\":\"a\",\"password\":\"p\"}"), 200);
    says("\"token\":\"" TOKEN "\"");
    assert_null(strcasestr(got, "set-cookie"));
    assert_int_equal(post("/v1/sessions", "X-Chop: 1\r\n", "{\"organization\":\"o\"}"), 200);
    says("Set-Cookie: chop_session=" TOKEN "; Path=/; HttpOnly; SameSite=Strict; Max-Age=100\r\n");
    assert_null(strstr(body_of(), TOKEN)); /* scripts never see it */
}

static void test_forgery(void **state) {
    (void)state;
    can_session();
    Pb__PrepareActReply reply = PB__PREPARE_ACT_REPLY__INIT;
    can_message(1, "chop.authorization.v1.PrepareAct", &reply);
    problem(post("/v1/acts", COOKIE, "{}"), 403, "EDENIED");
    problem(post("/v1/acts", COOKIE "X-Chop: 0\r\n", "{}"), 403, "EDENIED");
    problem(post("/v1/acts", COOKIE "Origin: https://evil.test\r\n", "{}"), 403, "EDENIED");
    problem(post("/v1/acts", COOKIE "Origin: https://chop.test.evil.test\r\n", "{}"), 403, "EDENIED");
    problem(post("/v1/acts", COOKIE "Origin: null\r\n", "{}"), 403, "EDENIED");
    problem(post("/v1/acts", COOKIE "Origin: https://\r\n", "{}"), 403, "EDENIED");
    problem(ask("DELETE /v1/sessions HTTP/1.1\r\n" HOST COOKIE "\r\n"), 403, "EDENIED");
    assert_int_equal(bus_calls(), 0);
    assert_int_equal(post("/v1/acts", COOKIE "X-Chop: 1\r\n", "{}"), 200);
    assert_int_equal(post("/v1/acts", COOKIE "Origin: https://chop.test\r\n", "{}"), 200);
    assert_int_equal(post("/v1/acts", BEARER, "{}"), 200); /* no browser adds that by itself */
    assert_int_equal(post("/v1/acts", BEARER COOKIE, "{}"), 200);
}

static void test_path_and_body_agree(void **state) {
    (void)state;
    can_session();
    Pb__CommitActReply reply = PB__COMMIT_ACT_REPLY__INIT;
    can_message(1, "chop.authorization.v1.CommitAct", &reply);
    assert_int_equal(post("/v1/acts/act_1/commit", BEARER, "{\"proof\":\"AA==\"}"), 200);
    Pb__CommitActRequest *in = pb__commit_act_request__unpack(NULL, bus.request_n, bus.request);
    assert_string_equal(in->act_id, "act_1");
    assert_int_equal(in->proof.len, 1);
    pb__commit_act_request__free_unpacked(in, NULL);
    int before = bus_calls();
    problem(post("/v1/acts/act_1/commit", BEARER, "{\"act_id\":\"act_2\",\"proof\":\"AA==\"}"), 400, "EINVAL");
    says("\"field\":\"act_id\"");
    problem(post("/v1/acts/act_1/commit?act_id=act_2", BEARER, "{}"), 400, "EINVAL");
    assert_int_equal(bus_calls(), before);
}

/* ---- limits ---- */
static void test_long_body(void **state) {
    (void)state;
    can_verdict();
    static char body[65537];
    memset(body, ' ', 65536);
    memcpy(body, "{}", 2);
    assert_int_equal(post("/v1/verify", "", body), 200);
    int fd = dial();
    const char *text = VERIFY HOST JSON "Content-Length: 65537\r\n\r\n";
    give(fd, text, strlen(text));
    problem(take(fd, false), 413, "ELIMIT"); /* before any of it was sent */
    assert_true(is_closed(fd));
    close(fd);
}

static void test_all_bodies_together(void **state) {
    (void)state;
    can_verdict();
    int fds[17];
    const char *text = VERIFY HOST JSON "Content-Length: 65536\r\n\r\n";
    for (size_t i = 0; i < 16; i++) {
        fds[i] = dial();
        give(fds[i], text, strlen(text));
    }
    usleep(200000);
    problem(ask(text), 503, "EBUSY");
    assert_int_equal(post("/v1/verify", "", "{}"), 200); /* small ones go on */
    for (size_t i = 0; i < 16; i++)
        close(fds[i]);
    usleep(200000);
    int fd = dial();
    give(fd, text, strlen(text));
    usleep(100000);
    static char body[65537];
    memset(body, ' ', 65536);
    memcpy(body, "{}", 2);
    give(fd, body, 65536);
    assert_int_equal(take(fd, false), 200); /* what was given up is free again */
    close(fd);
}

static void test_long_head(void **state) {
    (void)state;
    static char text[40000];
    int n = snprintf(text, sizeof text, "GET /V/a HTTP/1.1\r\n" HOST "X: %030000d\r\n\r\n", 1);
    int status = ask_n(text, (size_t)n);
    assert_true(status == 0 || (status >= 400 && status < 500));
    n = snprintf(text, sizeof text, "GET /V/%030000d HTTP/1.1\r\n" HOST "\r\n", 1);
    status = ask_n(text, (size_t)n);
    assert_true(status == 0 || (status >= 400 && status < 500));
    assert_int_equal(bus_calls(), 0);
}

/* Bytes that trickle in keep an inactivity timer happy, but not ours. */
static void trickle(int fd, const char *start, const char *drop) {
    int64_t began = chop_mono_ns();
    give(fd, start, strlen(start));
    struct timeval soon = { .tv_usec = 200000 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
    char c;
    for (;;) {
        ssize_t n = recv(fd, &c, 1, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) break;
        assert_true(chop_mono_ns() - began < INT64_C(5000000000));
        give(fd, drop, strlen(drop));
    }
    assert_true(chop_mono_ns() - began > INT64_C(800000000));
    close(fd);
}

static void test_slow(void **state) {
    (void)state;
    conf.head_seconds = conf.body_seconds = 1;
    restart();
    trickle(dial(), "GET /V/a HTTP/1.1\r\n" HOST, "X: y\r\n");
    trickle(dial(), VERIFY HOST JSON "Content-Length: 1000\r\n\r\n{", " ");
    trickle(dial(), "", "");
    assert_int_equal(bus_calls(), 0);
}

static void test_rate(void **state) {
    (void)state;
    conf.address_rate = 1;
    conf.address_burst = 30;
    restart();
    can_verdict();
    can_sign_in();
    for (int i = 0; i < 3; i++)
        assert_int_equal(post("/v1/verify", "", "{}"), 200);
    assert_int_equal(post("/v1/sessions", "", "{\"organization\":\"o\"}"), 200); /* costs 20 */
    problem(post("/v1/sessions", "", "{\"organization\":\"o\"}"), 429, "ETHROTTLED");
    says("Retry-After: ");
    assert_int_equal(post("/v1/verify", "", "{}"), 200); /* the cheap still pass */
    conf.proxies = "127.0.0.11,10.0.0.1,127.0.0.1";
    restart();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(post("/v1/sessions", "X-Forwarded-For: 6.6.6.6, 1.1.1.1\r\n", "{}"), i ? 429 : 200);
        assert_int_equal(post("/v1/sessions", "X-Forwarded-For: 6.6.6.6, 1.1.1.2\r\n", "{}"), i ? 429 : 200);
    }
    conf.proxies = "10.0.0.1,127.0.0.2,127.0.0.11,127.0.0.1:8";
    restart();
    assert_int_equal(post("/v1/sessions", "X-Forwarded-For: 1.1.1.1\r\n", "{}"), 200);
    assert_int_equal(
        post("/v1/sessions", "X-Forwarded-For: 1.1.1.2\r\n", "{}"), 429); /* a stranger's word is nothing */
}

static void test_session_rate(void **state) {
    (void)state;
    conf.session_rate = 1;
    conf.session_burst = 3;
    restart();
    can_session();
    can_me();
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(ME(BEARER)), 200);
    problem(ask(ME(BEARER)), 429, "ETHROTTLED");
    assert_int_equal(ask(ME("Authorization: Bearer " OTHER "\r\n")), 200);
}

/* ---- TLS ---- */
static void pem_write(const char *name, struct chop_bytes pem) {
    FILE *f = fopen(name, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(pem.p, 1, pem.n, f), pem.n);
    fclose(f);
}

static void test_tls(void **state) {
    (void)state;
    char dir[] = "/tmp/chop-tls-XXXXXX", certificate[64], key_path[64], command[256], line[64] = "";
    assert_non_null(mkdtemp(dir));
    (void)snprintf(certificate, sizeof certificate, "%s/cert.pem", dir);
    (void)snprintf(key_path, sizeof key_path, "%s/key.pem", dir);
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    struct arena *mem = arena_new(1 << 20);
    struct chop_bytes ca, pem;
    assert_null(crypto_key_generate(CRYPTO_ES256, &key));
    assert_null(crypto_ca_new(key, "test", 2, mem, &ca));
    assert_null(crypto_cert_issue(key, ca, key, "localhost", "IP:127.0.0.1", true, 2, mem, &pem));
    assert_null(crypto_key_save(key, key_path));
    pem_write(certificate, pem);
    arena_free(mem);
    conf.tls_certificate = certificate;
    conf.tls_key = key_path;
    restart();
    can_sign_in();
    (void)snprintf(command, sizeof command,
        "curl -skD - -H 'X-Chop: 1' -H 'Content-Type: application/json' -d '{}' https://127.0.0.1:%d/v1/sessions | "
        "grep -c '; Secure'",
        http_port(gw.http, true));
    FILE *p = popen(command, "r");
    assert_non_null(fgets(line, sizeof line, p));
    pclose(p);
    assert_string_equal(line, "1\n"); /* over TLS the cookie is marked so */
    conf.tls_certificate = "/nonexistent";
    struct gateway other;
    assert_ptr_equal(gateway_start(&other, &conf, NULL), CHOP_ERR(EINVAL));
    conf.tls_certificate = conf.tls_key = "";
    unlink(certificate);
    unlink(key_path);
    rmdir(dir);
}

/* ---- faults ---- */
static void test_bus_down(void **state) {
    (void)state;
    gateway_stop(&gw);
    assert_null(gateway_start(&gw, &conf, NULL));
    problem(post("/v1/verify", "", "{}"), 503, "EBUS");
    problem(ask(ME(BEARER)), 503, "EBUS");
    problem(ask("GET /V/x HTTP/1.1\r\n" HOST "\r\n"), 503, "EBUS");
    says("\"retryable\":true");
}

static void test_client_leaves(void **state) {
    (void)state;
    can_verdict();
    bus.canned[2].delay_ms = 100;
    for (int i = 0; i < 50; i++) {
        int fd = dial();
        const char *text = VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}";
        give(fd, text, strlen(text));
        usleep(2000);
        struct linger hard = { 1, 0 };
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
    }
    usleep(300000);
    assert_int_equal(atomic_load(&gw.calls), 0);
    assert_int_equal(post("/v1/verify", "", "{}"), 200);
}

static void *stop_run(void *arg) {
    (void)arg;
    gateway_stop(&gw);
    return NULL;
}

static void test_stop_while_calls_run(void **state) {
    (void)state;
    can_verdict();
    bus.canned[2].delay_ms = 400;
    int fd = dial();
    const char *text = VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}";
    give(fd, text, strlen(text));
    usleep(100000);
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, stop_run, NULL), 0);
    assert_int_equal(take(fd, false), 200); /* what was begun is answered */
    pthread_join(t, NULL);
    assert_null(gw.http); /* and all of it is gone */
    close(fd);
}

static void *hammer_run(void *arg) {
    (void)arg;
    const char *text = VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}";
    char reply[4096];
    int fd = dial();
    do
        give(fd, text, strlen(text));
    while (recv(fd, reply, sizeof reply, 0) > 0);
    close(fd);
    return NULL;
}

/* Clients that go on asking over open connections do not keep it from ending, nor let a call outlive its connection. */
static void test_stop_under_load(void **state) {
    (void)state;
    can_verdict();
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hammer_run, NULL), 0);
    usleep(300000);
    int64_t began = chop_mono_ns();
    gateway_stop(&gw);
    assert_true(chop_mono_ns() - began < INT64_C(2000000000));
    assert_null(gw.http);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

static void *client_run(void *arg) {
    int *bad = arg, fd = dial();
    char reply[4096];
    for (int i = 0; i < 200; i++) {
        const char *text = i % 2 ? VERIFY HOST JSON "Content-Length: 2\r\n\r\n{}" : ME(BEARER);
        give(fd, text, strlen(text));
        size_t n = 0;
        for (;;) {
            ssize_t some = recv(fd, reply + n, sizeof reply - 1 - n, 0);
            if (some <= 0) break;
            n += (size_t)some;
            reply[n] = 0;
            char *end = strstr(reply, "\r\n\r\n");
            if (end && n >= (size_t)(end + 4 - reply) + announced(reply)) break;
        }
        *bad += strncmp(reply, "HTTP/1.1 200", 12) != 0 || !strstr(reply, i % 2 ? "genuine" : "ses_1");
    }
    close(fd);
    return NULL;
}

static void test_many_at_once(void **state) {
    (void)state;
    can_session();
    can_me();
    can_verdict();
    pthread_t threads[8];
    int bad[8] = { 0 };
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, client_run, &bad[i]), 0);
    for (size_t i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(bad[i], 0);
    }
}

/* ---- web files ---- */
static void file_write(const char *name, const char *text) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", web, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_web(void **state) {
    (void)state;
    assert_int_equal(ask("GET / HTTP/1.1\r\n" HOST "\r\n"), 200);
    assert_string_equal(body_of(), "<p>chop");
    says("Content-Type: text/html; charset=utf-8\r\n");
    says("Content-Security-Policy: default-src 'self';");
    says("X-Content-Type-Options: nosniff\r\n");
    char etag[64], text[256];
    assert_int_equal(sscanf(strstr(got, "ETag: "), "ETag: %63s", etag), 1);
    (void)snprintf(text, sizeof text, "GET /index.html HTTP/1.1\r\n" HOST "If-None-Match: %s\r\n\r\n", etag);
    assert_int_equal(ask(text), 304);
    assert_int_equal(ask("HEAD /app.js HTTP/1.1\r\n" HOST "\r\n"), 200);
    says("Content-Type: text/javascript; charset=utf-8\r\n");
    assert_int_equal(ask("GET /app.js?v=1 HTTP/1.1\r\n" HOST "\r\n"), 200);
    problem(ask("POST /app.js HTTP/1.1\r\n" HOST "\r\n"), 404, "ENOTFOUND");
}

static void test_web_traversal(void **state) {
    (void)state;
    static const char *const wrong[] = { "/../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/etc/passwd",
        "/....//etc/passwd", "//etc/passwd", "/./index.html", "/sub/../index.html", "/.hidden", "/link", "/index.html/",
        "/index.html%01.js", "/index%2ehtml", "/\\..\\etc\\passwd", "/..;/index.html", "/etc/passwd" };
    for (size_t i = 0; i < CHOP_COUNT(wrong); i++) {
        char text[256];
        (void)snprintf(text, sizeof text, "GET %s HTTP/1.1\r\n" HOST "\r\n", wrong[i]);
        problem(ask(text), 404, "ENOTFOUND");
    }
}

static int web_up(void **state) {
    (void)state;
    log_start("gateway", LOG_ERROR);
    strcpy(web, "/tmp/chop-gw-XXXXXX");
    if (!mkdtemp(web)) return -1;
    file_write("index.html", "<p>chop");
    file_write("app.js", "1;");
    file_write(".hidden", "secret");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/link", web);
    return symlink("/etc/passwd", path);
}

static int web_down(void **state) {
    (void)state;
    static const char *const names[] = { "index.html", "app.js", ".hidden", "link" };
    for (size_t i = 0; i < CHOP_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", web, names[i]);
        unlink(path);
    }
    return rmdir(web);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_ambiguous),
        TEST(test_proper),
        TEST(test_slow_and_long_heads),
        TEST(test_keep_alive),
        TEST(test_pipelined),
        TEST(test_problem_shape),
        TEST(test_call),
        TEST(test_bad_messages),
        TEST(test_answers_that_lie),
        TEST(test_page),
        TEST(test_session),
        TEST(test_session_ends),
        TEST(test_sign_out_forgets),
        TEST(test_sign_in),
        TEST(test_forgery),
        TEST(test_path_and_body_agree),
        TEST(test_long_body),
        TEST(test_all_bodies_together),
        TEST(test_long_head),
        TEST(test_slow),
        TEST(test_rate),
        TEST(test_session_rate),
        TEST(test_tls),
        TEST(test_bus_down),
        TEST(test_client_leaves),
        TEST(test_stop_while_calls_run),
        TEST(test_stop_under_load),
        TEST(test_many_at_once),
        TEST(test_web),
        TEST(test_web_traversal),
    };
    return cmocka_run_group_tests(tests, web_up, web_down);
}
