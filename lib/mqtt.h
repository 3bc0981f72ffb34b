/* mqtt: the only user of libmosquitto: one TLS connection with a client certificate, QoS 1, its own poll loop.
 *
 * A message is acknowledged (PUBACK) only after on_message has returned true: a crash inside of it makes the broker
 * send the message again. libmosquitto gives that only with mosquitto_threaded_set and an own loop;
 * tests/svc_printer_puback.c pins it. All functions but mqtt_wake belong to one thread. */
#pragma once
#include "base.h"

struct mqtt;
struct mqtt_options {
    const char *host; /* must be named in the broker's certificate */
    uint16_t port;
    const char *client_id;
    const char *ca_file, *cert_file, *key_file; /* PEM */
    const char *const *topics;                  /* to subscribe, NULL-terminated */
    const char *will_topic;                     /* last will, retained; NULL none */
    struct chop_bytes will;
    bool persistent; /* the broker keeps the session and its messages while we are away */
    /* false: not acknowledged; the connection is dropped and the message comes again after a pause. */
    bool (*on_message)(void *ctx, const char *topic, struct chop_bytes payload);
    void (*on_up)(void *ctx, bool up); /* connected and subscribed, or lost */
    void *ctx;
};
#define MQTT_MAX_PAYLOAD ((size_t)2 << 20)

chop_err mqtt_new(const struct mqtt_options *o, struct mqtt **ret_mqtt) CHOP_MUSTCHECK;
/* Sends what is queued (at most a second), says goodbye (the will is not sent) and frees. */
void mqtt_free(struct mqtt *m);
void mqtt_free_p(struct mqtt **m);
/* One turn of the loop: connects when it is time to, waits at most timeout_ms for anything, reads, calls back, writes.
 */
void mqtt_turn(struct mqtt *m, int timeout_ms);
bool mqtt_up(const struct mqtt *m);
/* QoS 1. EUNREACHABLE while not up, EBUSY while too much waits to be sent: the caller owns repeating. */
chop_err mqtt_publish(struct mqtt *m, const char *topic, struct chop_bytes payload, bool retain) CHOP_MUSTCHECK;
/* Ends the wait of the current or next turn. From any thread or signal handler. */
void mqtt_wake(struct mqtt *m);
