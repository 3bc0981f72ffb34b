#include "app_internal.h"
#include "metrics.h"
#include "outbox_sql.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define AT(field) offsetof(struct app_conf, field)
static const struct conf_row base_conf[] = {
    { "BUS", CONF_STR, AT(bus_url), "nats://127.0.0.1:4222", 0, 256, 0, "URL of the bus" },
    { "BUS_USER", CONF_STR, AT(bus_user), "", 0, 64, 0, "this service's user on the bus" },
    { "BUS_PASSWORD", CONF_STR, AT(bus_password), "", 0, 256, CONF_SECRET, "its password" },
    { "DB", CONF_STR, AT(db), "", 0, 1024, 0, "libpq connection string; the role's search_path is the service's schema" },
    { "KEYS", CONF_STR, AT(keys), "", 0, 1024, 0, "directory with root.spki and manifest.signed" },
    { "SIGN_KEY", CONF_STR, AT(sign_key), "", 0, 1024, 0, "PEM file of the key this service signs with" },
    { "WORKERS", CONF_INT, AT(workers), "4", 1, 64, 0, "threads that answer calls, each with a database connection" },
    { "QUEUE", CONF_INT, AT(queue), "1024", 16, 65536, 0, "calls that may wait; beyond it the answer is \"busy\"" },
    { "CONSUMERS", CONF_INT, AT(consumers), "2", 1, 16, 0, "threads that apply events; the same in every replica" },
    { "HEALTH", CONF_INT, AT(health_port), "0", 0, 65535, 0, "port on 127.0.0.1 for /healthz, /readyz, /metrics; 0: none" },
    { "READY_FILE", CONF_STR, AT(ready_file), "", 0, 1024, 0, "file that exists while the service is ready" },
    { "LOG_LEVEL", CONF_STR, AT(log_level), "info", 0, 8, 0, "debug, info, warn or error" },
    CONF_END,
};

/* ---- what services ask for ---- */

const struct trust *app_trust(const struct app *app) {
    return atomic_load(&app->base->trust);
}

const struct crypto_key *app_sign_key(const struct app *app) {
    return app->base->sign_key;
}

struct bus *app_bus(const struct app *app) {
    return app->base->bus;
}

const char *app_conninfo(const struct app *app) {
    return app->base->conf.db;
}

const struct db_store *app_store(const struct app *app) {
    return app->base->store;
}

const char *app_keys_dir(const struct app *app) {
    return app->base->conf.keys;
}

int app_workers(const struct app *app) {
    return (int)app->base->conf.workers;
}

chop_err app_db(const struct app *app, struct db **ret_db) {
    return db_open(app->base->conf.db, app->base->store, ret_db);
}

bool app_stopping(const struct app *app) {
    return atomic_load(&app->base->stopping);
}

void app_wake_outbox(const struct app *app) {
    (void)rpc_take_events_mark();
    if (app->base->outbox) outbox_wake(app->base->outbox);
}

bool app_events_behind(const struct app *app, const char *producer, int64_t ms) {
    return !app->base->outbox || outbox_behind(app->base->outbox, producer, ms);
}

chop_err app_call_init(struct app *app, struct arena *mem, struct db *db, struct call *ret_call) {
    *ret_call = (struct call){ .mem = mem, .db = db, .trust = app_trust(app), .service = app->state,
        .now = chop_now_ms(), .trace = "", .name = app->name, .app = app, .bus = app->base->bus };
    ret_call->deadline = ret_call->now + 5000;
    return NULL;
}

/* ---- start, stage by stage ---- */

/* What is in force no more is kept for good: calls under way may hold it, and manifests change rarely. */
static void retire(struct trust *old) {
    static struct retired {
        struct trust *trust;
        struct retired *next;
    } *list;
    struct retired *r = old ? malloc(sizeof *r) : NULL;
    if (!r) return;
    *r = (struct retired){ old, list };
    list = r;
}

static chop_err load_trust(struct app *app) {
    struct app_base *b = app->base;
    if (!*b->conf.keys) return NULL;
    char path[1100];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/manifest.signed", b->conf.keys);
    if (stat(path, &st) != 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    int64_t mtime = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    struct trust *now = atomic_load(&b->trust), *fresh;
    if (now && mtime == b->manifest_mtime_ns) return NULL;
    TRY(trust_load(b->conf.keys, now ? trust_version(now) : 0, &fresh));
    b->manifest_mtime_ns = mtime;
    retire(now);
    atomic_store(&b->trust, fresh);
    return NULL;
}

static chop_err load_keys(struct app *app) {
    TRY(load_trust(app));
    if (!*app->base->conf.sign_key) return NULL;
    return crypto_key_load(app->base->conf.sign_key, &app->base->sign_key);
}

static chop_err open_store(struct app *app, bool migrate) {
    struct app_base *b = app->base;
    if (!app->store) return NULL;
    size_t n = 0;
    for (; app->store[n] && n < CHOP_COUNT(b->texts) - 2; n++) {
        b->texts[n] = app->store[n];
        b->names[n] = app->store_names[n];
    }
    b->texts[n] = outbox_sql;
    b->names[n] = "outbox";
    TRY(db_store_new(b->texts, &b->store));
    struct db *db;
    TRY(app_db(app, &db));
    chop_err e = migrate ? db_migrate(db, b->names) : NULL;
    db_close(db);
    return e;
}

static chop_err open_bus(struct app *app) {
    struct app_base *b = app->base;
    return bus_open(&(struct bus_options){ b->conf.bus_url, b->conf.bus_user, b->conf.bus_password, app->name }, &b->bus);
}

static void on_committed(void *ctx) {
    struct app_base *b = ctx;
    if (b->outbox) outbox_wake(b->outbox);
}

static chop_err start_events(struct app *app) {
    struct app_base *b = app->base;
    if (!app->produces && !app->events) return NULL;
    return outbox_start(&(struct outbox_options){ .app = app, .service = app->name, .conninfo = b->conf.db,
                            .store = b->store, .bus = b->bus, .events = app->events, .trust = app_trust,
                            .state = app->state, .consumers = (int)b->conf.consumers, .produces = app->produces },
        &b->outbox);
}

static chop_err start_server(struct app *app) {
    struct app_base *b = app->base;
    if (!app->methods) return NULL;
    return rpc_server_start(&(struct rpc_server_options){ .service = app->name, .proto = app->proto,
                                .methods = app->methods, .bus = b->bus, .conninfo = app->store ? b->conf.db : NULL,
                                .store = b->store, .trust = app_trust, .app = app, .state = app->state,
                                .workers = (int)b->conf.workers, .queue = (int)b->conf.queue, .committed = on_committed,
                                .committed_ctx = b },
        &b->server);
}

static chop_err write_ready_file(const char *path) {
    if (!*path) return NULL;
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    dprintf(fd, "%d\n", (int)getpid());
    return NULL;
}

static chop_err start_all(struct app *app) {
    struct app_base *b = app->base;
    TRY(load_keys(app));
    TRY(open_store(app, true));
    TRY(app_health_start(app));
    TRY(open_bus(app));
    if (app->start) TRY(app->start(app));
    TRY(start_events(app));
    TRY(start_server(app));
    TRY(app_monitor_start(app));
    atomic_store(&b->ready, true);
    return write_ready_file(b->conf.ready_file);
}

static void stop_all(struct app *app) {
    struct app_base *b = app->base;
    atomic_store(&b->ready, false);
    atomic_store(&b->stopping, true);
    if (*b->conf.ready_file) (void)unlink(b->conf.ready_file);
    if (b->server) rpc_server_stop(b->server);
    if (b->outbox) outbox_stop(b->outbox);
    if (app->stop) app->stop(app);
    app_health_stop(app);
    bus_unsubscribe(b->monitor);
    if (b->bus) bus_close(b->bus);
}

/* ---- life ---- */

static chop_err configure(struct app *app) {
    struct app_conf *conf = &app->base->conf;
    TRY(conf_load(app->name, base_conf, conf));
    if (app->conf) TRY(conf_load(app->name, app->conf, app->config));
    static const char *const levels[] = { "debug", "info", "warn", "error" };
    for (int i = 0; i < 4; i++)
        if (strcmp(conf->log_level, levels[i]) == 0) {
            log_start(app->name, (enum log_level)i);
            return NULL;
        }
    return CHOP_FAIL(EINVAL, "LOG_LEVEL", "is none of debug, info, warn, error");
}

/* Sleeps until asked to end; meanwhile looks for a newer key manifest once a second, at once on SIGHUP. */
static void wait_for_end(struct app *app, const sigset_t *signals) {
    for (;;) {
        struct timespec second = { .tv_sec = 1 };
        int got = sigtimedwait(signals, NULL, &second);
        if (got == SIGTERM || got == SIGINT) return;
        chop_err e = load_trust(app);
        if (e) log_error("key manifest not taken", e);
    }
}

static int run(struct app *app) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: all inherit it */
    signal(SIGPIPE, SIG_IGN);
    chop_err e = start_all(app);
    if (e) {
        log_error("start failed", e);
        stop_all(app);
        return 1;
    }
    malloc_trim(0);
    log_line(LOG_INFO, "ready", NULL);
    wait_for_end(app, &signals);
    log_line(LOG_INFO, "stopping", NULL);
    stop_all(app);
    log_line(LOG_INFO, "stopped", NULL);
    return 0;
}

static int print_config(struct app *app) {
    conf_print(app->name, base_conf, &app->base->conf);
    if (app->conf) conf_print(app->name, app->conf, app->config);
    return 0;
}

static int migrate_only(struct app *app) {
    chop_err e = open_store(app, true);
    if (e) log_error("migration failed", e);
    return e ? 1 : 0;
}

static int usage(const char *name, int status) {
    fprintf(status ? stderr : stdout,
        "usage: chop-%s [--print-config | --check | --migrate | --version | --help]\n"
        "Runs the service in the foreground until SIGTERM. Configuration comes from the environment;\n"
        "--print-config lists every variable with its value, bounds and meaning.\n",
        name);
    return status;
}

int app_run(struct app *app, int argc, char **argv) {
    const char *option = argc > 1 ? argv[1] : "";
    if (argc > 2) return usage(app->name, 2);
    if (strcmp(option, "--help") == 0) return usage(app->name, 0);
    if (strcmp(option, "--version") == 0) return puts("0.1.0") < 0;
    (void)mallopt(M_ARENA_MAX, 2);
    static struct app_base *running; /* the process's own: in sight of leak checkers to the end */
    running = app->base = calloc(1, sizeof *app->base);
    if (!running) return 1;
    chop_id_new("inst", app->base->instance);
    app->base->started_at = chop_now_ms();
    log_start(app->name, LOG_INFO);
    chop_err e = configure(app);
    if (e) {
        fprintf(stderr, "chop-%s: %s %s\n", app->name, chop_detail_field(), chop_detail_text());
        return 2;
    }
    if (strcmp(option, "--print-config") == 0) return print_config(app);
    if (strcmp(option, "--check") == 0) return 0;
    if (strcmp(option, "--migrate") == 0) return migrate_only(app);
    return *option ? usage(app->name, 2) : run(app);
}
