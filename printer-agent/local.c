/* The local channel: DIR/local.sock, in the place of USB or Bluetooth. Who may connect is the file's mode; what he may
 * do is decided by signatures, as for anybody. One connection at a time. */
#include "agent.h"
#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ASK_MAX ((size_t)64 << 10)
#define IDLE_MS 5000 /* a connection that says nothing is closed */
#define POLL_MS 200
#define REPORTS_MAX PRINTER_HELD_NUMBERS
#define JOBS_MAX 64
#define LOCAL_MEM ((size_t)4 << 20)

/* ---- bytes ---- */
static bool wait_for(const struct agent *a, int fd, short what, int ms) {
    for (int64_t until = chop_mono_ns() + (int64_t)ms * 1000000; chop_mono_ns() < until;) {
        struct pollfd p = { .fd = fd, .events = what };
        if (atomic_load(&a->local_stopping)) return false;
        int n = poll(&p, 1, POLL_MS);
        if (n > 0) return true;
        if (n < 0 && errno != EINTR) return false;
    }
    return false;
}

static bool read_whole(const struct agent *a, int fd, void *out, size_t n) {
    for (size_t at = 0; at < n;) {
        if (!wait_for(a, fd, POLLIN, IDLE_MS)) return false;
        ssize_t got = recv(fd, (char *)out + at, n - at, 0);
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

static bool write_whole(const struct agent *a, int fd, const void *data, size_t n) {
    for (size_t at = 0; at < n;) {
        if (!wait_for(a, fd, POLLOUT, IDLE_MS)) return false;
        ssize_t put = send(fd, (const char *)data + at, n - at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put < 0 && errno != EAGAIN) return false;
        if (put > 0) at += (size_t)put;
    }
    return true;
}

static bool read_ask(struct agent *a, int fd, Pb__LocalAsk **ret_ask) {
    uint32_t length;
    if (!read_whole(a, fd, &length, sizeof length)) return false;
    size_t n = ntohl(length);
    if (n > ASK_MAX) return false;
    uint8_t *room = arena_alloc(a->local_mem, n + 1);
    if (!room || !read_whole(a, fd, room, n)) return false;
    return !PB_UNPACK(pb__local_ask, CHOP_BYTES(room, n), a->local_mem, ret_ask);
}

static bool write_answer(struct agent *a, int fd, const Pb__LocalAnswer *answer) {
    struct chop_bytes packed;
    if (pb_pack(answer, a->local_mem, &packed)) return false;
    uint32_t length = htonl((uint32_t)packed.n);
    return write_whole(a, fd, &length, sizeof length) && write_whole(a, fd, packed.p, packed.n);
}

/* ---- asks ---- */
bool local_heard(struct agent *a, struct chop_bytes packed) {
    Pb__LocalAnswer *answer = a->local_answer;
    if (!answer) return false;
    a->next_resend_ms = 0; /* the journal has it: the main thread sends it from there */
    mqtt_wake(a->mqtt);
    struct chop_bytes copy = arena_copy(a->local_mem, packed);
    if (answer->n_reports < REPORTS_MAX && copy.n) answer->reports[answer->n_reports++] = PB_BIN(copy);
    return true;
}

static chop_err answer_challenge(struct agent *a, Pb__LocalAnswer *answer) {
    uint8_t *out = arena_alloc(a->local_mem, PRINTER_SMALL_MAX);
    size_t n;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(printer_challenge(&a->device.core, out, &n));
    answer->challenge = (ProtobufCBinaryData){ n, out };
    answer->printer_cert = PB_BIN(a->device.dir.cert);
    return NULL;
}

struct listing {
    struct agent *a;
    Pb__LocalAnswer *answer;
};
static void list_one(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n) {
    struct listing *l = ctx;
    struct arena *mem = l->a->local_mem;
    Pb__HeldJob *job = PB_NEW(mem, Pb__HeldJob, pb__held_job);
    if (!job || l->answer->n_held == JOBS_MAX) return;
    job->job_id = arena_str(mem, held->job_id);
    job->allotment_id = arena_str(mem, held->allotment_id);
    job->grant_id = arena_str(mem, held->grant_id);
    job->not_after = held->not_after;
    job->numbers = ARENA_ARRAY(mem, uint32_t, n);
    if (!job->numbers) return;
    memcpy(job->numbers, numbers, n * sizeof *numbers);
    job->n_numbers = n;
    l->answer->held[l->answer->n_held++] = job;
}

static chop_err answer_list(struct agent *a, Pb__LocalAnswer *answer) {
    struct listing l = { a, answer };
    answer->held = ARENA_ARRAY(a->local_mem, Pb__HeldJob *, JOBS_MAX);
    if (!answer->held) return CHOP_ERR(EMEMORY);
    answer->printer_cert = PB_BIN(a->device.dir.cert);
    return journal_sqlite_held(a->device.journal, list_one, &l);
}

static chop_err answer_close_out(struct agent *a, const char *job_id, Pb__LocalAnswer *answer) {
    uint8_t *out = arena_alloc(a->local_mem, PRINTER_SMALL_MAX);
    size_t n;
    if (!out) return CHOP_ERR(EMEMORY);
    TRY(printer_close_out(&a->device.core, job_id, out, &n));
    answer->closeout = (ProtobufCBinaryData){ n, out };
    answer->n_reports = 0; /* it is the close-out itself */
    return NULL;
}

/* Other asks come in between two numbers; the error that counts is the first. */
static chop_err print_all(struct agent *a, Pb__LocalAnswer *answer, const char **ret_check) {
    chop_err first = NULL;
    for (bool more = true; more;) {
        chop_err e = printer_step(&a->device.core, &more);
        if (e && !first) {
            first = e;
            *ret_check = printer_check(&a->device.core);
        }
        if (a->device.core.broken) return first;
        a->local_answer = NULL;
        (void)pthread_mutex_unlock(&a->lock);
        (void)poll(NULL, 0, 1); /* a mutex is not fair: whoever waits shall have his turn */
        (void)pthread_mutex_lock(&a->lock);
        a->local_answer = answer;
    }
    return first;
}

static chop_err answer_print(
    struct agent *a, const Pb__LocalPrint *print, Pb__LocalAnswer *answer, const char **ret_check) {
    TRY(printer_local(&a->device.core, PB_BYTES(print->order), PB_BYTES(print->terminal_cert)));
    a->local_job = true;
    chop_err e = print_all(a, answer, ret_check);
    a->local_job = false;
    return e;
}

static chop_err dispatch(struct agent *a, const Pb__LocalAsk *ask, Pb__LocalAnswer *answer, const char **ret_check) {
    if (ask->challenge) return answer_challenge(a, answer);
    if (ask->list) return answer_list(a, answer);
    if (ask->print) return answer_print(a, ask->print, answer, ret_check);
    if (ask->close_out[0]) return answer_close_out(a, ask->close_out, answer);
    return CHOP_FAIL(EINVAL, NULL, "an empty ask");
}

static void answer_ask(struct agent *a, const Pb__LocalAsk *ask, Pb__LocalAnswer *answer) {
    const char *check = NULL;
    chop_detail_clear();
    (void)pthread_mutex_lock(&a->lock);
    a->local_answer = answer;
    answer->reports = ARENA_ARRAY(a->local_mem, ProtobufCBinaryData, REPORTS_MAX);
    chop_err e = answer->reports ? dispatch(a, ask, answer, &check) : CHOP_ERR(EMEMORY);
    if (e && !check) check = printer_check(&a->device.core);
    a->local_answer = NULL;
    (void)pthread_mutex_unlock(&a->lock);
    mqtt_wake(a->mqtt); /* a queue may have waited for it; or the journal failed */
    if (!e) return;
    answer->error = PB_STR(e->name);
    answer->detail = arena_str(a->local_mem, check);
    log_line(LOG_WARN, "local ask refused", "error", e->name, "check", check, "detail", chop_detail_text(), NULL);
}

/* ---- connections ---- */
static void serve_connection(struct agent *a, int fd) {
    for (;;) {
        Pb__LocalAsk *ask;
        Pb__LocalAnswer answer = PB__LOCAL_ANSWER__INIT;
        arena_reset(a->local_mem);
        if (!read_ask(a, fd, &ask)) return;
        answer_ask(a, ask, &answer);
        if (!write_answer(a, fd, &answer)) return;
    }
}

static void *run(void *arg) {
    struct agent *a = arg;
    while (!atomic_load(&a->local_stopping)) {
        if (!wait_for(a, a->local_fd, POLLIN, 1000)) continue;
        CHOP_CLEANUP(chop_close_p) int fd = accept4(a->local_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) serve_connection(a, fd);
    }
    return NULL;
}

/* ---- life ---- */
static chop_err listen_at(struct agent *a, const char *path) {
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof at.sun_path) return CHOP_FAIL(EINVAL, "--dir", "too long for %s", path);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    a->local_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (a->local_fd < 0) return CHOP_FAIL(EINTERNAL, NULL, "%s", strerror(errno));
    (void)unlink(path); /* the lock of the directory says that nobody else runs here */
    mode_t old = umask(0177);
    int rc = bind(a->local_fd, (const struct sockaddr *)&at, sizeof at);
    umask(old);
    if (rc != 0 || listen(a->local_fd, 4) != 0) return CHOP_FAIL(EINVAL, "--dir", "%s: %s", path, strerror(errno));
    return NULL;
}

static chop_err start_thread(struct agent *a) {
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
    int rc = pthread_create(&a->local_thread, NULL, run, a);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    a->local_running = rc == 0;
    return rc == 0 ? NULL : CHOP_FAIL(EINTERNAL, NULL, "no thread");
}

chop_err local_start(struct agent *a) {
    a->local_mem = arena_new(LOCAL_MEM);
    if (!a->local_mem) return CHOP_ERR(EMEMORY);
    chop_err e = listen_at(a, dir_path(&a->device.dir, "local.sock"));
    if (!e) return start_thread(a);
    log_error("no local channel", e); /* printing online does not need it */
    return NULL;
}

void local_stop(struct agent *a) {
    atomic_store(&a->local_stopping, true);
    if (a->local_running) (void)pthread_join(a->local_thread, NULL);
    a->local_running = false;
    chop_close_p(&a->local_fd);
    arena_free(a->local_mem);
    a->local_mem = NULL;
}
