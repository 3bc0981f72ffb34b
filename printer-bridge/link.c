/* The link: one thread with the MQTT connection. Others reach it by a queue and a wake-up. */
#include "bridge.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_BYTES ((size_t)128 << 20) /* a round of 50 envelopes at their largest */
#define OUT_MAX 1000
#define ROUND_MS 1000
#define TOPIC_SIZE 160

struct out { /* a message that another thread wants sent */
    struct out *next;
    char topic[TOPIC_SIZE];
    size_t n;
    uint8_t payload[];
};
struct link {
    struct app *app;
    struct bridge *bridge;
    struct mqtt *mqtt;
    struct db *db;
    struct arena *mem;
    struct waiters *waiters;
    pthread_t thread;
    bool running;
    atomic_bool stopping, due;
    int64_t next_round_ns;
    int hurry; /* rounds to come soon: a wake-up may come before the commit that it is about */
    pthread_mutex_t lock;
    struct out *first, **last;
    size_t n_out;
};

/* ---- what other threads call ---- */
void link_wake(struct link *l) {
    if (!l) return;
    atomic_store(&l->due, true);
    mqtt_wake(l->mqtt);
}

static chop_err queue_out(struct link *l, const char *printer_id, const char *tail, struct chop_bytes payload) {
    struct out *o = malloc(sizeof *o + payload.n);
    if (!o) return CHOP_ERR(EMEMORY);
    *o = (struct out){ .n = payload.n };
    (void)snprintf(o->topic, sizeof o->topic, "chop/v1/printer/%s/down/%s", printer_id, tail);
    memcpy(o->payload, payload.p, payload.n);
    (void)pthread_mutex_lock(&l->lock);
    bool full = l->n_out >= OUT_MAX;
    if (!full) {
        *l->last = o;
        l->last = &o->next;
        l->n_out++;
    }
    (void)pthread_mutex_unlock(&l->lock);
    if (full) free(o);
    mqtt_wake(l->mqtt);
    return full ? CHOP_ERR(EBUSY) : NULL;
}

static chop_err read_answer(struct waiter *w, struct arena *mem, Pb__PrinterAnswer **ret_answer) {
    Pb__PrinterAnswer *a;
    if (PB_UNPACK(pb__printer_answer, CHOP_BYTES(w->answer, w->n), mem, &a))
        return CHOP_FAIL(EPEER, NULL, "the printer's answer is malformed");
    if (a->error[0]) return chop_fail(chop_err_by_name(a->error), NULL, "the printer refused: %.80s", a->detail);
    *ret_answer = a;
    return NULL;
}

chop_err link_ask(
    struct link *l, const char *printer_id, Pb__PrinterAsk *ask, struct arena *mem, Pb__PrinterAnswer **ret_answer) {
    struct chop_bytes packed;
    struct waiter w = { .ask_id = ask->ask_id, .printer_id = printer_id };
    TRY(pb_pack(ask, mem, &packed));
    waiters_add(l->waiters, &w);
    chop_err e = queue_out(l, printer_id, "ask", packed);
    bool answered = waiters_wait(l->waiters, &w, e ? 0 : chop_mono_ns() + (int64_t)ASK_MS * 1000000);
    if (!e && !answered) e = CHOP_FAIL(EUNREACHABLE, "printer_id", "the printer does not answer");
    if (!e) e = read_answer(&w, mem, ret_answer);
    free(w.answer);
    return e;
}

/* ---- the thread's own ---- */
chop_err link_publish(
    struct link *l, const char *printer_id, const char *tail, const void *message, struct arena *mem) {
    char topic[TOPIC_SIZE];
    struct chop_bytes packed;
    (void)snprintf(topic, sizeof topic, "chop/v1/printer/%s/down/%s", printer_id, tail);
    TRY(pb_pack(message, mem, &packed));
    return mqtt_publish(l->mqtt, topic, packed, false);
}

static chop_err begin_call(struct link *l, struct link_call *k) {
    arena_reset(l->mem);
    *k = (struct link_call){ .link = l, .bridge = l->bridge };
    TRY(db_ready(l->db));
    return app_call_init(l->app, l->mem, l->db, &k->c);
}

static chop_err answer_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) {
    Pb__PrinterAnswer *a;
    if (PB_UNPACK(pb__printer_answer, payload, k->c.mem, &a)) return NULL;
    waiters_answer(k->link->waiters, printer_id, a->ask_id, payload);
    return NULL;
}

static const struct {
    const char *tail;
    chop_err (*fn)(struct link_call *k, const char *printer_id, struct chop_bytes payload);
} receivers[] = {
    { "up/report", report_receive },
    { "up/answer", answer_receive },
    { "up/status", status_receive },
};

/* chop/v1/printer/<id>/<tail>; the broker's ACL ties <id> to the client certificate. */
static const char *split_topic(const char *topic, char printer_id[CHOP_ID_MAX]) {
    static const char start[] = "chop/v1/printer/";
    if (strncmp(topic, start, sizeof start - 1) != 0) return NULL;
    const char *id = topic + sizeof start - 1, *slash = strchr(id, '/');
    if (!slash || (size_t)(slash - id) >= CHOP_ID_MAX) return NULL;
    memcpy(printer_id, id, (size_t)(slash - id));
    printer_id[slash - id] = 0;
    return chop_id_valid(printer_id, "prn") ? slash + 1 : NULL;
}

static chop_err dispatch(struct link *l, const char *tail, const char *printer_id, struct chop_bytes payload) {
    struct link_call k;
    TRY(begin_call(l, &k));
    for (size_t i = 0; i < CHOP_COUNT(receivers); i++)
        if (strcmp(receivers[i].tail, tail) == 0) return receivers[i].fn(&k, printer_id, payload);
    return NULL;
}

/* An error leaves the message unacknowledged: the broker sends it again when we are back. */
static bool on_message(void *ctx, const char *topic, struct chop_bytes payload) {
    struct link *l = ctx;
    char printer_id[CHOP_ID_MAX];
    const char *tail = split_topic(topic, printer_id);
    if (!tail) return true;
    chop_detail_clear();
    chop_err e = dispatch(l, tail, printer_id, payload);
    db_results_free(l->db);
    if (e) log_error("a printer's message must wait", e);
    return !e;
}

static void on_up(void *ctx, bool up) {
    struct link *l = ctx;
    struct link_call k;
    log_line(up ? LOG_INFO : LOG_WARN, up ? "broker connected" : "broker lost", NULL);
    atomic_store(&l->due, true);
    if (!up) return;
    /* The retained statuses come next and say who is there; who went while we were away is not. */
    chop_err e = begin_call(l, &k);
    if (!e) e = db_do(l->db, NULL, "printer_all_offline", DB_NOARGS);
    db_results_free(l->db);
    if (e) log_error("cannot note that printers may be gone", e);
}

static void send_queued(struct link *l) {
    while (mqtt_up(l->mqtt)) {
        (void)pthread_mutex_lock(&l->lock);
        struct out *o = l->first;
        if (o) {
            l->first = o->next;
            if (!l->first) l->last = &l->first;
            l->n_out--;
        }
        (void)pthread_mutex_unlock(&l->lock);
        if (!o) return;
        chop_err e = mqtt_publish(l->mqtt, o->topic, CHOP_BYTES(o->payload, o->n), false);
        if (e) log_error("an ask was not sent", e); /* who asked is told EUNREACHABLE */
        free(o);
    }
}

/* A wake-up is a hint that came from inside of a transaction: look at once, and a little later again. */
static void plan_round(struct link *l) {
    static const int64_t after_ms[] = { 0, 3, 20, 100 };
    int64_t now = chop_mono_ns();
    if (atomic_exchange(&l->due, false)) {
        l->hurry = (int)CHOP_COUNT(after_ms) - 1;
        l->next_round_ns = now;
    } else if (l->hurry > 0) {
        l->next_round_ns = now + after_ms[CHOP_COUNT(after_ms) - (size_t)l->hurry] * 1000000;
        l->hurry--;
    } else {
        l->next_round_ns = now + (int64_t)ROUND_MS * 1000000;
    }
}

static void run_round(struct link *l) {
    struct link_call k;
    chop_err e = begin_call(l, &k);
    if (!e) e = deliver_due(&k);
    db_results_free(l->db);
    if (e) log_error("deliveries must wait", e);
}

static void turn(struct link *l) {
    int64_t left = (l->next_round_ns - chop_mono_ns()) / 1000000;
    mqtt_turn(l->mqtt, left < 0 ? 0 : left > ROUND_MS ? ROUND_MS : (int)left);
    send_queued(l);
    if (!atomic_load(&l->due) && chop_mono_ns() < l->next_round_ns) return;
    if (mqtt_up(l->mqtt)) run_round(l);
    plan_round(l);
}

static void *run(void *arg) {
    struct link *l = arg;
    while (!atomic_load(&l->stopping))
        turn(l);
    return NULL;
}

/* ---- life ---- */
static chop_err open_mqtt(struct link *l) {
    static const char *const topics[] = { "chop/v1/printer/+/up/#", NULL };
    return mqtt_new(
        &(struct mqtt_options){
            .host = l->bridge->mqtt_host,
            .port = (uint16_t)l->bridge->mqtt_port,
            .client_id = l->bridge->client_id,
            .ca_file = l->bridge->ca,
            .cert_file = l->bridge->cert,
            .key_file = l->bridge->key,
            .topics = topics,
            .persistent = true,
            .on_message = on_message,
            .on_up = on_up,
            .ctx = l,
        },
        &l->mqtt);
}

static chop_err open_all(struct link *l) {
    (void)pthread_mutex_init(&l->lock, NULL);
    l->last = &l->first;
    l->mem = arena_new(CALL_BYTES);
    l->waiters = waiters_new();
    if (!l->mem || !l->waiters) return CHOP_ERR(EMEMORY);
    TRY(app_db(l->app, &l->db));
    TRY(open_mqtt(l));
    if (pthread_create(&l->thread, NULL, run, l) != 0) return CHOP_FAIL(EINTERNAL, NULL, "no thread");
    l->running = true;
    return NULL;
}

chop_err link_start(struct app *app, struct bridge *b, struct link **ret_link) {
    struct link *l = calloc(1, sizeof *l);
    if (!l) return CHOP_ERR(EMEMORY);
    l->app = app;
    l->bridge = b;
    chop_err e = open_all(l);
    if (e)
        link_stop(l);
    else
        *ret_link = l;
    return e;
}

void link_stop(struct link *l) {
    if (!l) return;
    atomic_store(&l->stopping, true);
    if (l->running) {
        mqtt_wake(l->mqtt);
        (void)pthread_join(l->thread, NULL);
    }
    mqtt_free(l->mqtt);
    db_close(l->db);
    waiters_free(l->waiters);
    arena_free(l->mem);
    for (struct out *o = l->first, *next; o; o = next) {
        next = o->next;
        free(o);
    }
    free(l);
}
