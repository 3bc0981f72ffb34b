/* The gateway as an HTTP server over raw sockets: what it refuses to read, limits, TLS, web files. */
#include "unit_gateway_world.h"

#include "crypto.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "identity.pb-c.h"

/* ---- what another reader could read differently ---- */

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
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
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
    char line[128];
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
    /* a proxy may add a line of its own below the client's */
    for (int i = 0; i < 3; i++) {
        (void)snprintf(
            line, sizeof line, "X-Forwarded-For: 7.7.7.%d\r\nX-Forwarded-For: 1.1.1.3%s\r\n", i, i > 1 ? ":4711" : "");
        assert_int_equal(post("/v1/sessions", line, "{}"), i ? 429 : 200);
    }
    /* of IPv6 the /64 is one customer, here as without a proxy */
    for (int i = 0; i < 2; i++) {
        (void)snprintf(line, sizeof line, "X-Forwarded-For: 2001:db8:0:7::%d\r\n", i + 1);
        assert_int_equal(post("/v1/sessions", line, "{}"), i ? 429 : 200);
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

/* ---- web files ---- */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_ambiguous),
        TEST(test_proper),
        TEST(test_slow_and_long_heads),
        TEST(test_keep_alive),
        TEST(test_pipelined),
        TEST(test_long_body),
        TEST(test_all_bodies_together),
        TEST(test_long_head),
        TEST(test_slow),
        TEST(test_rate),
        TEST(test_session_rate),
        TEST(test_tls),
        TEST(test_web),
        TEST(test_web_traversal),
    };
    return cmocka_run_group_tests(tests, web_up, web_down);
}
