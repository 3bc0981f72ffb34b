#include "unit_gateway_world.h"

#include "log.h"
#include "pb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "identity.pb-c.h"
#include "verification.pb-c.h"

/* ---- the bus's double: answers by subject, from a thread of its own, after a moment ---- */
struct bus_double bus = { .lock = PTHREAD_MUTEX_INITIALIZER };

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

int bus_calls(void) {
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

struct canned *can(size_t i, const char *subject) {
    bus.canned[i] = (struct canned){ .subject = subject, .delay_ms = 1 };
    return &bus.canned[i];
}

void can_message(size_t i, const char *subject, const void *message) {
    struct canned *c = can(i, subject);
    c->n = protobuf_c_message_pack(message, c->reply);
    settle();
}

void can_error(size_t i, const char *subject, chop_err e, const char *field, const char *detail) {
    struct canned *c = can(i, subject);
    c->err = e;
    c->field = field;
    c->detail = detail;
    settle();
}

/* identity knows TOKEN */
void can_session(void) {
    Pb__ResolveSessionReply r = PB__RESOLVE_SESSION_REPLY__INIT;
    r.principal = PB_BIN(chop_str("signed"));
    r.expires_at = chop_now_ms() + 3600000;
    can_message(0, "chop.identity.v1.ResolveSession", &r);
}

void can_me(void) {
    Pb__Me me = PB__ME__INIT;
    me.session_id = PB_STR("ses_1");
    can_message(1, "chop.identity.v1.GetMe", &me);
}

/* ---- the gateway and its clients ---- */
struct gateway gw;
struct gateway_conf conf;
static char web[64];
char got[262144];
size_t got_n;

void gateway_up(void) {
    chop_err e = gateway_start(&gw, &conf, (struct bus *)&bus);
    if (e) print_error("%s %s\n", e->name, chop_detail_text());
    assert_null(e);
}

int gateway_setup(void **state) {
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

int gateway_teardown(void **state) {
    (void)state;
    if (gw.http) gateway_stop(&gw);
    for (int running = 1; running; usleep(1000)) {
        pthread_mutex_lock(&bus.lock);
        running = bus.running;
        pthread_mutex_unlock(&bus.lock);
    }
    return 0;
}

void restart(void) {
    gateway_stop(&gw);
    gateway_up();
}

int dial(void) {
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons(http_port(gw.http, false)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    struct timeval wait = { .tv_sec = 8 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    return fd;
}

void give(int fd, const char *text, size_t n) {
    while (n > 0) {
        ssize_t some = send(fd, text, n, MSG_NOSIGNAL);
        if (some <= 0) return; /* refused and closed already */
        text += some;
        n -= (size_t)some;
    }
}

size_t announced(const char *head) {
    const char *length = strcasestr(head, "\r\ncontent-length:");
    return length ? strtoul(length + 17, NULL, 10) : 0;
}

/* One reply into `got`; its status, 0 where the connection closed without one, -1 where nothing came in time. */
int take(int fd, bool head_only) {
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

bool is_closed(int fd) {
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}

int ask_n(const char *text, size_t n) {
    int fd = dial();
    give(fd, text, n);
    int status = take(fd, strncmp(text, "HEAD", 4) == 0);
    close(fd);
    return status;
}

int ask(const char *text) {
    return ask_n(text, strlen(text));
}

int post(const char *path, const char *headers, const char *body) {
    static char text[131072];
    int n = snprintf(text, sizeof text,
        "POST %s HTTP/1.1\r\n" HOST "%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", path, headers,
        strlen(body), body);
    return ask_n(text, (size_t)n);
}

const char *body_of(void) {
    const char *end = strstr(got, "\r\n\r\n");
    return end ? end + 4 : "";
}

void says(const char *part) {
    if (!strstr(got, part)) fail_msg("no %s in:\n%s", part, got);
}

void problem(int status, int expected, const char *code) {
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

void can_verdict(void) {
    Pb__Verdict v = PB__VERDICT__INIT;
    v.verdict = PB_STR("genuine");
    v.as_of = 1700000000000;
    can_message(2, "chop.verification.v1.Verify", &v);
}

void can_sign_in(void) {
    Pb__SignInReply reply = PB__SIGN_IN_REPLY__INIT;
    reply.token = PB_STR(TOKEN);
    reply.expires_at = chop_now_ms() + 100500;
    can_message(1, "chop.identity.v1.SignIn", &reply);
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

int web_up(void **state) {
    (void)state;
    log_start("gateway", LOG_ERROR);
    (void)snprintf(web, sizeof web, "/tmp/chop-gw-XXXXXX");
    if (!mkdtemp(web)) return -1;
    file_write("index.html", "<p>chop");
    file_write("app.js", "1;");
    file_write(".hidden", "secret");
    char path[128];
    (void)snprintf(path, sizeof path, "%s/link", web);
    return symlink("/etc/passwd", path);
}

int web_down(void **state) {
    (void)state;
    static const char *const names[] = { "index.html", "app.js", ".hidden", "link" };
    for (size_t i = 0; i < CHOP_COUNT(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "%s/%s", web, names[i]);
        unlink(path);
    }
    return rmdir(web);
}
