/* httpc against a small server on 127.0.0.1 whose behaviour is chosen by the path. */
#include "httpc.h"
#include "httpc_address.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static int port;
static _Atomic int requests, connections;
static char seen[8192]; /* the last request, head and body */

static bool read_request(int fd) {
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, seen + n, sizeof seen - 1 - n, 0);
        if (got <= 0) return false;
        n += (size_t)got;
        seen[n] = 0;
        char *end = strstr(seen, "\r\n\r\n");
        if (!end) continue;
        char *length = strcasestr(seen, "content-length:");
        size_t want = length ? strtoul(length + 15, NULL, 10) : 0;
        if (n >= (size_t)(end + 4 - seen) + want) return true;
    }
}

static void reply(int fd, const char *head, size_t body) {
    char text[512];
    int n = snprintf(text, sizeof text, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n\r\n", head, body);
    (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL);
    for (; body > 0; body--) (void)!send(fd, "x", 1, MSG_NOSIGNAL);
}

/* false: close the connection. */
static bool answer(int fd) {
    atomic_fetch_add(&requests, 1);
    if (strstr(seen, "/drop ")) return false;
    if (strstr(seen, "/slow ")) return sleep(2), false;
    if (strstr(seen, "/redirect ")) return reply(fd, "302 Found\r\nLocation: /ok", 0), true;
    if (strstr(seen, "/big ")) return reply(fd, "200 OK", 5000), true;
    if (strstr(seen, "/wait ")) return reply(fd, "503 Later\r\nRetry-After: 7", 0), true;
    return reply(fd, "200 OK", 10), true;
}

static void *serve_one(void *arg) {
    int fd = (int)(intptr_t)arg;
    while (read_request(fd) && answer(fd)) {}
    close(fd);
    return NULL;
}

static void *serve(void *arg) {
    int listener = (int)(intptr_t)arg;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0) return NULL;
        atomic_fetch_add(&connections, 1);
        pthread_t t;
        pthread_create(&t, NULL, serve_one, (void *)(intptr_t)fd);
        pthread_detach(t);
    }
}

static int listen_any(void) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    port = ntohs(a.sin_port);
    return fd;
}

struct fixture {
    struct httpc *client;
    struct arena *mem;
    char url[128];
};

static const struct httpc_options open_options = {
    .allow_private = true, .allow_http = true, .timeout_ms = 800, .max_reply = 4096
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_null(httpc_new(&open_options, &f->client));
    f->mem = arena_new(1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    httpc_free(f->client);
    arena_free(f->mem);
    free(f);
    return 0;
}

static chop_err send_path(struct fixture *f, const char *method, const char *path, const char *body,
    struct httpc_reply *r) {
    snprintf(f->url, sizeof f->url, "http://127.0.0.1:%d%s", port, path);
    const char *headers[] = { "X-Test: 1", NULL };
    return httpc_send(f->client, method, f->url, headers, chop_str(body), f->mem, r);
}

static void test_exchange(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    assert_null(send_path(f, "POST", "/ok", "hello", &r));
    assert_int_equal(r.status, 200);
    assert_int_equal(r.body.n, 10);
    assert_non_null(strstr(seen, "POST /ok HTTP/1.1"));
    assert_non_null(strstr(seen, "X-Test: 1"));
    assert_non_null(strstr(seen, "\r\n\r\nhello"));
    assert_null(send_path(f, "GET", "/wait", "", &r));
    assert_int_equal(r.status, 503);
    assert_int_equal(r.retry_after_s, 7);
    assert_null(send_path(f, "PUT", "/ok", "x", &r));
    assert_non_null(strstr(seen, "PUT /ok"));
    assert_null(send_path(f, "OPTIONS", "/ok", "", &r));
    assert_non_null(strstr(seen, "OPTIONS /ok"));
}

static void test_connection_kept(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    int before = connections;
    for (int i = 0; i < 5; i++) assert_null(send_path(f, "POST", "/ok", "hello", &r));
    assert_int_equal(connections, before + 1);
}

static void test_redirect_not_followed(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    int before = requests;
    assert_null(send_path(f, "GET", "/redirect", "", &r));
    assert_int_equal(r.status, 302);
    assert_int_equal(requests, before + 1);
}

static void test_reply_cap(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r = { .status = -1 };
    assert_ptr_equal(send_path(f, "GET", "/big", "", &r), CHOP_ERR(ELIMIT));
    assert_int_equal(r.status, -1);
    assert_null(send_path(f, "GET", "/ok", "", &r));
}

static void test_timeout(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    int64_t began = chop_mono_ns();
    assert_ptr_equal(send_path(f, "POST", "/slow", "x", &r), CHOP_ERR(ETIMEOUT));
    assert_true(chop_mono_ns() - began < 1500 * 1000000LL);
}

/* A lost answer is ETIMEOUT, and the request went out exactly once: on a fresh connection and on a kept one. */
static void test_lost_answer_sent_once(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    int before = requests;
    assert_ptr_equal(send_path(f, "POST", "/drop", "x", &r), CHOP_ERR(ETIMEOUT));
    assert_int_equal(requests, before + 1);
    assert_null(send_path(f, "POST", "/ok", "x", &r));
    assert_ptr_equal(send_path(f, "POST", "/drop", "x", &r), CHOP_ERR(ETIMEOUT));
    assert_int_equal(requests, before + 3);
}

static void test_unreachable(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    int was = port;
    int closed = listen_any(); /* bound, not listening */
    assert_ptr_equal(send_path(f, "POST", "/ok", "x", &r), CHOP_ERR(EUNREACHABLE));
    close(closed);
    port = was;
    assert_ptr_equal(httpc_send(f->client, "GET", "http://name.invalid/", NULL, CHOP_BYTES(NULL, 0), f->mem, &r),
        CHOP_ERR(EUNREACHABLE));
}

static chop_err send_with(struct httpc_options o, const char *url) {
    struct httpc *client;
    struct httpc_reply r;
    struct arena *mem = arena_new(1 << 16);
    assert_null(httpc_new(&o, &client));
    chop_err e = httpc_send(client, "GET", url, NULL, CHOP_BYTES(NULL, 0), mem, &r);
    httpc_free(client);
    arena_free(mem);
    return e;
}

/* Decided on the resolved address: a name that leads to loopback is refused like the number, and nothing connects. */
static void test_private_refused(void **state) {
    (void)state;
    struct httpc_options o = open_options;
    o.allow_private = false;
    char url[64];
    const char *hosts[] = { "127.0.0.1", "localhost", "[::1]", "0x7f000001", "[::ffff:127.0.0.1]" };
    int before = connections;
    for (size_t i = 0; i < CHOP_COUNT(hosts); i++) {
        snprintf(url, sizeof url, "http://%s:%d/ok", hosts[i], port);
        assert_ptr_equal(send_with(o, url), CHOP_ERR(EDENIED));
    }
    assert_int_equal(connections, before);
}

static void test_http_refused(void **state) {
    (void)state;
    struct httpc_options o = open_options;
    o.allow_http = false;
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/ok", port);
    assert_ptr_equal(send_with(o, url), CHOP_ERR(EDENIED));
    assert_ptr_equal(send_with(open_options, "file:///etc/passwd"), CHOP_ERR(EDENIED));
}

static void test_no_proxy(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_null(send_path(f, "GET", "/ok", "", &r));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void test_bad_input(void **state) {
    struct fixture *f = *state;
    struct httpc_reply r;
    const char *split[] = { "X-A: 1\r\nX-B: 2", NULL };
    assert_ptr_equal(httpc_send(f->client, "GET", "http://127.0.0.1/", split, CHOP_BYTES(NULL, 0), f->mem, &r),
        CHOP_ERR(EINVAL));
    assert_ptr_equal(send_path(f, "BREW", "/ok", "", &r), CHOP_ERR(EINVAL));
    assert_ptr_equal(send_with(open_options, "http://user:secret@127.0.0.1/"), CHOP_ERR(EINVAL));
}

static bool is_public(const char *text) {
    struct sockaddr_in a4 = { .sin_family = AF_INET };
    struct sockaddr_in6 a6 = { .sin6_family = AF_INET6 };
    if (inet_pton(AF_INET, text, &a4.sin_addr) == 1) return httpc_address_public((struct sockaddr *)&a4);
    assert_int_equal(inet_pton(AF_INET6, text, &a6.sin6_addr), 1);
    return httpc_address_public((struct sockaddr *)&a6);
}

static void test_addresses(void **state) {
    (void)state;
    static const char *const yes[] = { "1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.0.1",
        "2400:3200::1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1" };
    static const char *const no[] = { "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254",
        "172.16.0.1", "172.31.255.255", "192.168.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::", "::1", "fe80::1",
        "fc00::1", "fd12::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::1", "2001:db8::1", "2001:0::1" };
    for (size_t i = 0; i < CHOP_COUNT(yes); i++)
        if (!is_public(yes[i])) fail_msg("%s should be public", yes[i]);
    for (size_t i = 0; i < CHOP_COUNT(no); i++)
        if (is_public(no[i])) fail_msg("%s should be special", no[i]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    int listener = listen_any();
    pthread_t t;
    if (listen(listener, 16) != 0 || pthread_create(&t, NULL, serve, (void *)(intptr_t)listener) != 0) return 1;
    const struct CMUnitTest tests[] = {
        TEST(test_exchange), TEST(test_connection_kept), TEST(test_redirect_not_followed), TEST(test_reply_cap),
        TEST(test_timeout), TEST(test_lost_answer_sent_once), TEST(test_unreachable), TEST(test_private_refused),
        TEST(test_http_refused), TEST(test_no_proxy), TEST(test_bad_input), TEST(test_addresses),
    };
    return cmocka_run_group_tests_name("httpc", tests, NULL, NULL);
}
