/* The gateway between HTTP and the bus: calls, answers, sessions, forgery, faults. */
#include "unit_gateway_world.h"

#include "pb.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "identity.pb-c.h"
#include "verification.pb-c.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
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
        TEST(test_bus_down),
        TEST(test_client_leaves),
        TEST(test_stop_while_calls_run),
        TEST(test_stop_under_load),
        TEST(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, web_up, web_down);
}
