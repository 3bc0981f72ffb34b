/* The printer at work: MQTT in, the core, MQTT out. Between two numbers of a job asks are answered. A second thread
 * serves the local channel (local.c): whoever touches the core holds agent.lock, and waiting for the network is done
 * without it. */
#include "agent.h"
#include "log.h"
#include "pb.h"

#include "printer.pb-c.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENT_VERSION "chop-printer/1"
#define RESEND_BATCH 100
#define STATUS_MS 60000
#define TURN_MS 1000

static const char *const topic_tails[] = { "down/#", "down/ask", "down/envelope", "up/answer", "up/report",
    "up/status" };

static volatile sig_atomic_t stopping;
static struct mqtt *volatile signal_mqtt;

static void on_signal(int sig) {
    (void)sig;
    stopping = 1;
    if (signal_mqtt) mqtt_wake(signal_mqtt);
}

/* ---- sending ---- */
static void send_message(struct agent *a, enum topic topic, const void *message, bool retain) {
    struct chop_bytes packed;
    chop_err e = pb_pack(message, a->mem, &packed);
    if (!e) e = mqtt_publish(a->mqtt, a->topics[topic], packed, retain);
    if (e && e != CHOP_ERR(EUNREACHABLE)) log_error("cannot send", e);
}

static void send_report(void *ctx, struct chop_bytes packed) {
    struct agent *a = ctx;
    if (local_heard(a, packed)) return;
    if (!a->mqtt) return; /* while recovering: it will be sent when the broker is there */
    chop_err e = mqtt_publish(a->mqtt, a->topics[UP_REPORT], packed, false);
    if (e && e != CHOP_ERR(EUNREACHABLE)) log_error("cannot send a report yet", e);
}

static void send_status(struct agent *a, bool online) {
    Pb__PrinterStatus s = PB__PRINTER_STATUS__INIT;
    s.online = online;
    s.at = printer_now(&a->device.core);
    s.boot_counter = a->device.core.at.boot;
    s.agent_version = PB_STR(AGENT_VERSION);
    s.manifest_version = a->device.core.manifest_version;
    send_message(a, UP_STATUS, &s, true);
    a->next_status_ms = chop_mono_ns() / 1000000 + STATUS_MS;
}

static void resend_reports(struct agent *a) {
    chop_err e = journal_sqlite_reports(a->device.journal, RESEND_BATCH, send_report, a);
    if (e) log_error("cannot read the reports", e);
    a->next_resend_ms = chop_mono_ns() / 1000000 + a->resend_ms;
}

/* ---- asks ---- */
static chop_err answer_pair(struct agent *a, const Pb__PrinterAsk *ask, Pb__PrinterAnswer *answer) {
    uint8_t *out = arena_alloc(a->mem, PRINTER_SMALL_MAX);
    size_t n;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(printer_pair(&a->device.core, PB_BYTES(ask->pair), PB_BYTES(ask->terminal_cert), out, &n));
    answer->paired = (ProtobufCBinaryData){ n, out };
    return NULL;
}

static chop_err answer_challenge(struct agent *a, Pb__PrinterAnswer *answer) {
    uint8_t *out = arena_alloc(a->mem, PRINTER_SMALL_MAX);
    size_t n;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(printer_challenge(&a->device.core, out, &n));
    answer->challenge = (ProtobufCBinaryData){ n, out };
    return NULL;
}

static chop_err answer_close_out(struct agent *a, const char *job_id, Pb__PrinterAnswer *answer) {
    uint8_t *out = arena_alloc(a->mem, PRINTER_SMALL_MAX);
    size_t n;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(printer_close_out(&a->device.core, job_id, out, &n));
    answer->closeout = (ProtobufCBinaryData){ n, out };
    return NULL;
}

static chop_err take_time(struct agent *a, const Pb__Signed *time) {
    struct chop_bytes packed;
    TRY(pb_pack(time, a->mem, &packed));
    return printer_time(&a->device.core, packed);
}

/* A manifest that does not hold is no reason not to answer; what it would have brought fails by itself. */
static void take_manifest(struct agent *a, struct chop_bytes packed) {
    uint64_t before = a->device.core.manifest_version;
    chop_err e = printer_manifest(&a->device.core, packed);
    if (e) log_error("manifest refused", e);
    if (a->device.core.manifest_version == before) return;
    log_line(LOG_INFO, "new manifest", "version", LOG_INT(a->device.core.manifest_version), NULL);
    send_status(a, true);
}

static chop_err answer_ask(struct agent *a, const Pb__PrinterAsk *ask, Pb__PrinterAnswer *answer) {
    if (ask->manifest.len) take_manifest(a, PB_BYTES(ask->manifest));
    if (ask->time) TRY(take_time(a, ask->time));
    if (ask->pair.len) TRY(answer_pair(a, ask, answer));
    if (ask->close_out[0]) TRY(answer_close_out(a, ask->close_out, answer));
    return ask->challenge ? answer_challenge(a, answer) : NULL;
}

static void on_ask(struct agent *a, struct chop_bytes payload) {
    Pb__PrinterAsk *ask;
    Pb__PrinterAnswer answer = PB__PRINTER_ANSWER__INIT;
    chop_detail_clear();
    if (PB_UNPACK(pb__printer_ask, payload, a->mem, &ask)) return;
    chop_err e = answer_ask(a, ask, &answer);
    if (!ask->ask_id[0]) return;
    answer.ask_id = ask->ask_id;
    answer.error = PB_STR(e ? e->name : "");
    answer.detail = PB_STR(e ? printer_check(&a->device.core) : "");
    if (e)
        log_line(LOG_WARN, "ask refused", "error", e->name, "check", printer_check(&a->device.core), "detail",
            chop_detail_text(), NULL);
    send_message(a, UP_ANSWER, &answer, false);
}

/* ---- jobs ---- */
static void log_refusal(struct agent *a, const char *what, chop_err e) {
    log_line(e == CHOP_ERR(EUSED) ? LOG_INFO : LOG_WARN, what, "error", e->name, "check",
        printer_check(&a->device.core), "detail", chop_detail_text(), NULL);
}

static void open_job(struct agent *a, struct chop_bytes payload) {
    chop_detail_clear();
    chop_err e = printer_envelope(&a->device.core, payload);
    if (e) log_refusal(a, "envelope refused", e);
}

static void on_envelope(struct agent *a, struct chop_bytes payload) {
    if (!a->device.core.job.active && a->n_queue == 0) {
        open_job(a, payload);
        return;
    }
    if (a->n_queue == QUEUE_MAX) return;
    uint8_t *copy = malloc(payload.n ? payload.n : 1);
    if (!copy) return;
    memcpy(copy, payload.p, payload.n);
    a->queue[a->n_queue++] = (struct envelope){ copy, payload.n };
}

static void next_job(struct agent *a) {
    struct envelope next = a->queue[0];
    a->n_queue--;
    memmove(a->queue, a->queue + 1, a->n_queue * sizeof *a->queue);
    open_job(a, CHOP_BYTES(next.p, next.n));
    free(next.p);
}

static void work(struct agent *a) {
    bool more;
    if (a->local_job) return; /* the local channel steps its own */
    if (a->device.core.job.active) {
        chop_detail_clear();
        chop_err e = printer_step(&a->device.core, &more);
        if (e) log_refusal(a, "impression failed", e);
    } else if (a->n_queue > 0) {
        next_job(a);
    }
}

/* ---- MQTT ---- */
static void on_ack(struct agent *a, struct chop_bytes payload) {
    Pb__ReportAck *ack;
    if (PB_UNPACK(pb__report_ack, payload, a->mem, &ack)) return;
    chop_err e = journal_sqlite_ack(a->device.journal, ack->allotment_id, ack->number, PB_BYTES(ack->report_digest));
    if (e) log_error("cannot note an acknowledgement", e);
}

/* Always acknowledged to the broker: what matters is repeated by the bridge until the report is there. */
static bool on_message(void *ctx, const char *topic, struct chop_bytes payload) {
    struct agent *a = ctx;
    (void)pthread_mutex_lock(&a->lock);
    arena_reset(a->mem);
    if (strcmp(topic, a->topics[DOWN_ASK]) == 0)
        on_ask(a, payload);
    else if (strcmp(topic, a->topics[DOWN_ENVELOPE]) == 0)
        on_envelope(a, payload);
    else
        on_ack(a, payload);
    (void)pthread_mutex_unlock(&a->lock);
    return true;
}

static void on_up(void *ctx, bool up) {
    struct agent *a = ctx;
    log_line(LOG_INFO, up ? "broker connected" : "broker lost", "printer", a->device.core.printer_id, NULL);
    if (!up) return;
    (void)pthread_mutex_lock(&a->lock);
    arena_reset(a->mem);
    send_status(a, true);
    resend_reports(a);
    (void)pthread_mutex_unlock(&a->lock);
}

static chop_err start_mqtt(struct agent *a) {
    struct printer_dir *d = &a->device.dir;
    Pb__PrinterStatus gone = PB__PRINTER_STATUS__INIT;
    struct chop_bytes will;
    for (size_t i = 0; i < CHOP_COUNT(topic_tails); i++)
        (void)snprintf(
            a->topics[i], sizeof a->topics[i], "chop/v1/printer/%s/%s", a->device.core.printer_id, topic_tails[i]);
    gone.boot_counter = a->device.core.at.boot;
    gone.manifest_version = a->device.core.manifest_version;
    gone.agent_version = PB_STR(AGENT_VERSION);
    TRY(pb_pack(&gone, d->mem, &will));
    const char **topics = ARENA_ARRAY(d->mem, const char *, 2);
    if (!topics) return CHOP_ERR(EMEMORY);
    topics[0] = a->topics[DOWN_ALL];
    return mqtt_new(
        &(struct mqtt_options){
            .host = d->mqtt_host,
            .port = d->mqtt_port,
            .client_id = a->device.core.printer_id,
            .ca_file = dir_path(d, "ca.pem"),
            .cert_file = dir_path(d, "tls.pem"),
            .key_file = dir_path(d, "sign.pem"),
            .topics = topics,
            .will_topic = a->topics[UP_STATUS],
            .will = will,
            .on_message = on_message,
            .on_up = on_up,
            .ctx = a,
        },
        &a->mqtt);
}

/* ---- life ---- */
/* ---- loads whose time is over: nobody can print them any more, so they go back by themselves ---- */
struct over {
    int64_t now;
    char job_id[PRINTER_ID_SIZE];
};
static void find_over(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n) {
    struct over *o = ctx;
    (void)numbers;
    (void)n;
    if (held->not_after < o->now && !o->job_id[0]) memcpy(o->job_id, held->job_id, sizeof o->job_id);
}

static void close_over(struct agent *a) {
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    struct over o = { .now = printer_now(&a->device.core) };
    if (a->device.core.job.active) return;
    chop_err e = journal_sqlite_held(a->device.journal, find_over, &o);
    if (!e && !o.job_id[0]) return;
    if (!e) e = printer_close_out(&a->device.core, o.job_id, out, &n);
    if (e)
        log_error("cannot close out a load that is over", e);
    else
        log_line(LOG_INFO, "load is over, closed out", "job", o.job_id, NULL);
}

static void timers(struct agent *a) {
    int64_t now = chop_mono_ns() / 1000000;
    if (!mqtt_up(a->mqtt)) return;
    arena_reset(a->mem);
    if (now >= a->next_resend_ms) {
        close_over(a);
        resend_reports(a);
    }
    if (now >= a->next_status_ms) send_status(a, true);
}

static bool has_work(struct agent *a) {
    (void)pthread_mutex_lock(&a->lock);
    bool busy = !a->local_job && (a->device.core.job.active || a->n_queue > 0);
    (void)pthread_mutex_unlock(&a->lock);
    return busy;
}

/* A journal that failed is not argued with: a new start recovers from what is on the disk. */
static chop_err turn(struct agent *a) {
    mqtt_turn(a->mqtt, has_work(a) ? 0 : TURN_MS);
    (void)pthread_mutex_lock(&a->lock);
    work(a);
    timers(a);
    bool broken = a->device.core.broken;
    (void)pthread_mutex_unlock(&a->lock);
    return broken ? CHOP_FAIL(ESTORE, "journal", "the journal failed: start again") : NULL;
}

static chop_err serve(struct agent *a) {
    while (!stopping)
        TRY(turn(a));
    (void)pthread_mutex_lock(&a->lock);
    arena_reset(a->mem);
    send_status(a, false);
    (void)pthread_mutex_unlock(&a->lock);
    return NULL;
}

static chop_err start(struct agent *a, const struct run_options *o) {
    a->mem = arena_new((size_t)8 << 20);
    if (!a->mem) return CHOP_ERR(EMEMORY);
    TRY(output_new(&o->output, &a->output));
    a->output_fns = output_of(a->output);
    a->resend_ms = o->resend_ms;
    struct device_options d = {
        .dir = o->dir, .boot = true, .output = &a->output_fns, .report = send_report, .report_ctx = a
    };
    TRY(device_start(&a->device, &d));
    TRY(start_mqtt(a));
    return local_start(a);
}

static void agent_done(struct agent *a) {
    signal_mqtt = NULL;
    local_stop(a);
    mqtt_free(a->mqtt);
    for (size_t i = 0; i < a->n_queue; i++)
        free(a->queue[i].p);
    device_done(&a->device);
    output_free(a->output);
    arena_free(a->mem);
}

static void catch_signals(struct mqtt *m) {
    struct sigaction sa = { .sa_handler = on_signal };
    signal_mqtt = m;
    (void)sigaction(SIGTERM, &sa, NULL);
    (void)sigaction(SIGINT, &sa, NULL);
}

chop_err command_run(const struct run_options *o) {
    CHOP_CLEANUP(agent_done)
    struct agent a = { .device = { .dir = { .lock_fd = -1 } }, .lock = PTHREAD_MUTEX_INITIALIZER, .local_fd = -1 };
    log_start("printer", LOG_INFO);
    TRY(start(&a, o));
    catch_signals(a.mqtt);
    log_line(
        LOG_INFO, "printer started", "printer", a.device.core.printer_id, "boot", LOG_INT(a.device.core.at.boot), NULL);
    return serve(&a);
}
