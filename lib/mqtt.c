#include "mqtt.h"

#include <errno.h>
#include <mosquitto.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEEPALIVE_S 20
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define TOPICS_MAX 8
#define WAITING_MAX 2000 /* messages not yet acknowledged by the broker */
#define GOODBYE_MS 1000

struct mqtt {
    struct mqtt_options o;
    struct mosquitto *m;
    int wake_fd;
    bool connected; /* a socket is open */
    bool up;        /* and all subscriptions are confirmed */
    size_t n_topics, n_subscribed;
    int waiting;
    int64_t next_try_ns, pause_ms;
};

static void mqtt_lose(struct mqtt *m) {
    bool was_up = m->up;
    m->connected = m->up = false;
    m->next_try_ns = chop_mono_ns() + m->pause_ms * 1000000;
    m->pause_ms = m->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS : m->pause_ms * 2;
    if (was_up && m->o.on_up) m->o.on_up(m->o.ctx, false);
}

/* ---- callbacks of libmosquitto ---- */
static void on_connect(struct mosquitto *mosq, void *ctx, int rc) {
    struct mqtt *m = ctx;
    m->n_subscribed = 0;
    if (rc != 0) return; /* the broker closes */
    for (size_t i = 0; i < m->n_topics; i++)
        (void)mosquitto_subscribe(mosq, NULL, m->o.topics[i], 1);
}

static void on_subscribe(struct mosquitto *mosq, void *ctx, int mid, int n, const int *granted) {
    struct mqtt *m = ctx;
    (void)mosq;
    (void)mid;
    if (n < 1 || granted[0] > 2) return;
    if (++m->n_subscribed != m->n_topics) return;
    m->up = true;
    m->pause_ms = PAUSE_MIN_MS;
    if (m->o.on_up) m->o.on_up(m->o.ctx, true);
}

static void on_publish(struct mosquitto *mosq, void *ctx, int mid) {
    struct mqtt *m = ctx;
    (void)mosq;
    (void)mid;
    if (m->waiting > 0) m->waiting--;
}

/* The PUBACK waits in the queue until loop_write; with the socket shut it can never leave, which is how a message is
 * refused: the broker sends it again after the reconnect. */
static void on_message(struct mosquitto *mosq, void *ctx, const struct mosquitto_message *msg) {
    struct mqtt *m = ctx;
    if (msg->payloadlen < 0 || (size_t)msg->payloadlen > MQTT_MAX_PAYLOAD) return;
    if (m->o.on_message(m->o.ctx, msg->topic, CHOP_BYTES(msg->payload, (size_t)msg->payloadlen))) return;
    (void)shutdown(mosquitto_socket(mosq), SHUT_RDWR);
}

/* ---- life ---- */
static pthread_once_t lib_once = PTHREAD_ONCE_INIT;
static void lib_start(void) {
    (void)mosquitto_lib_init();
    (void)signal(SIGPIPE, SIG_IGN); /* a broken TLS connection is an error, not a death */
}

static chop_err set_tls(struct mqtt *m) {
    int rc = mosquitto_tls_set(m->m, m->o.ca_file, NULL, m->o.cert_file, m->o.key_file, NULL);
    if (rc != MOSQ_ERR_SUCCESS) return CHOP_FAIL(EINVAL, "tls", "%s", mosquitto_strerror(rc));
    rc = mosquitto_tls_opts_set(m->m, 1, "tlsv1.2", NULL);
    return rc == MOSQ_ERR_SUCCESS ? NULL : CHOP_FAIL(EINVAL, "tls", "%s", mosquitto_strerror(rc));
}

static chop_err set_up(struct mqtt *m) {
    (void)pthread_once(&lib_once, lib_start);
    m->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    m->m = mosquitto_new(m->o.client_id, !m->o.persistent, m);
    if (!m->m || m->wake_fd < 0) return CHOP_ERR(EMEMORY);
    /* Packets are only queued by the library's calls; our loop writes them, after the callback. */
    (void)mosquitto_threaded_set(m->m, true);
    mosquitto_connect_callback_set(m->m, on_connect);
    mosquitto_subscribe_callback_set(m->m, on_subscribe);
    mosquitto_message_callback_set(m->m, on_message);
    mosquitto_publish_callback_set(m->m, on_publish);
    while (m->o.topics[m->n_topics] && m->n_topics < TOPICS_MAX)
        m->n_topics++;
    TRY(set_tls(m));
    if (!m->o.will_topic) return NULL;
    int rc = mosquitto_will_set(m->m, m->o.will_topic, (int)m->o.will.n, m->o.will.p, 1, true);
    return rc == MOSQ_ERR_SUCCESS ? NULL : CHOP_FAIL(EINVAL, "will", "%s", mosquitto_strerror(rc));
}

chop_err mqtt_new(const struct mqtt_options *o, struct mqtt **ret_mqtt) {
    CHOP_CLEANUP(mqtt_free_p) struct mqtt *m = calloc(1, sizeof *m);
    if (!m) return CHOP_ERR(EMEMORY);
    m->o = *o;
    m->wake_fd = -1;
    m->pause_ms = PAUSE_MIN_MS;
    TRY(set_up(m));
    *ret_mqtt = CHOP_STEAL(m);
    return NULL;
}

/* ---- the loop ---- */
static void connect_now(struct mqtt *m) {
    m->n_subscribed = 0;
    m->waiting = 0;
    int rc = mosquitto_connect(m->m, m->o.host, m->o.port, KEEPALIVE_S);
    m->connected = rc == MOSQ_ERR_SUCCESS;
    if (!m->connected) mqtt_lose(m);
}

static void drain_wake(struct mqtt *m) {
    uint64_t n;
    (void)!read(m->wake_fd, &n, sizeof n);
}

static void wait_unconnected(struct mqtt *m, int timeout_ms) {
    int64_t left = (m->next_try_ns - chop_mono_ns()) / 1000000 + 1;
    struct pollfd p = { .fd = m->wake_fd, .events = POLLIN };
    int wait = left < timeout_ms ? (int)(left > 0 ? left : 0) : timeout_ms;
    if (poll(&p, 1, wait) > 0) drain_wake(m);
}

static int serve_socket(struct mqtt *m, short events) {
    int rc = MOSQ_ERR_SUCCESS;
    if (events & (POLLIN | POLLHUP | POLLERR)) rc = mosquitto_loop_read(m->m, 1);
    if (rc == MOSQ_ERR_SUCCESS && mosquitto_want_write(m->m)) rc = mosquitto_loop_write(m->m, 1);
    if (rc == MOSQ_ERR_SUCCESS) rc = mosquitto_loop_misc(m->m);
    return rc;
}

static void wait_connected(struct mqtt *m, int timeout_ms) {
    struct pollfd p[2] = { { .fd = mosquitto_socket(m->m), .events = POLLIN }, { .fd = m->wake_fd, .events = POLLIN } };
    if (mosquitto_want_write(m->m)) p[0].events |= POLLOUT;
    if (p[0].fd < 0) {
        mqtt_lose(m);
        return;
    }
    int n = poll(p, 2, timeout_ms < 1000 ? timeout_ms : 1000);
    if (n < 0 && errno != EINTR) return;
    if (n > 0 && p[1].revents) drain_wake(m);
    int rc = serve_socket(m, n > 0 ? p[0].revents : 0);
    if (rc == MOSQ_ERR_SUCCESS) return;
    (void)mosquitto_disconnect(m->m);
    mqtt_lose(m);
}

void mqtt_turn(struct mqtt *m, int timeout_ms) {
    if (!m->connected && chop_mono_ns() >= m->next_try_ns) connect_now(m);
    if (m->connected)
        wait_connected(m, timeout_ms);
    else
        wait_unconnected(m, timeout_ms);
}

bool mqtt_up(const struct mqtt *m) {
    return m->up;
}

chop_err mqtt_publish(struct mqtt *m, const char *topic, struct chop_bytes payload, bool retain) {
    if (!m->up) return CHOP_ERR(EUNREACHABLE);
    if (payload.n > MQTT_MAX_PAYLOAD) return CHOP_FAIL(ELIMIT, NULL, "a message of %zu bytes", payload.n);
    if (m->waiting >= WAITING_MAX) return CHOP_ERR(EBUSY);
    int rc = mosquitto_publish(m->m, NULL, topic, (int)payload.n, payload.p, 1, retain);
    if (rc != MOSQ_ERR_SUCCESS) return CHOP_FAIL(EUNREACHABLE, NULL, "%s", mosquitto_strerror(rc));
    m->waiting++;
    return NULL;
}

void mqtt_wake(struct mqtt *m) {
    uint64_t one = 1;
    (void)!write(m->wake_fd, &one, sizeof one);
}

static void say_goodbye(struct mqtt *m) {
    int64_t until = chop_mono_ns() + (int64_t)GOODBYE_MS * 1000000;
    while (m->connected && m->waiting > 0 && chop_mono_ns() < until)
        mqtt_turn(m, 50);
    if (!m->connected) return;
    (void)mosquitto_disconnect(m->m);
    (void)mosquitto_loop_write(m->m, 1);
}

void mqtt_free(struct mqtt *m) {
    if (!m) return;
    if (m->m) say_goodbye(m);
    mosquitto_destroy(m->m);
    if (m->wake_fd >= 0) close(m->wake_fd);
    free(m);
}

void mqtt_free_p(struct mqtt **m) {
    mqtt_free(*m);
}
