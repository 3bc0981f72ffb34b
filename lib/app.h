/* app: process life, written once: options, configuration, staged start, readiness, signals, drain, reverse stop.
 * main() is a table and one call:
 *   int main(int argc, char **argv) { return app_run(&(struct app){ .name = "authorization", ... }, argc, argv); }
 * Every program takes --help, --version, --print-config, --check (configuration only) and --migrate (tables only). */
#pragma once
#include "conf.h"
#include "log.h"
#include "outbox.h"
#include "rpc.h"

struct app_base;
struct app {
    const char *name;                      /* "authorization" */
    const ProtobufCServiceDescriptor *proto; /* NULL: serves no calls */
    const struct rpc_method *methods;
    const struct event_row *events;
    const struct conf_row *conf;           /* own rows, into `config` */
    void *config;
    const char *const *store;              /* store.sql texts (own, then act_sql if used); NULL: no database. outbox_sql is added */
    const char *const *store_names;
    bool produces;                         /* has an outbox */
    void *state;                           /* c->service */
    chop_err (*start)(struct app *app);    /* after trust, bus and database are there, before serving */
    void (*stop)(struct app *app);
    struct app_base *base;                 /* lib/app's own */
};
int app_run(struct app *app, int argc, char **argv);

/* Configuration that every program has: CHOP_<SERVICE>_BUS (url), _BUS_USER, _BUS_PASSWORD (secret, or _FILE), _DB
 * (conninfo), _KEYS (directory with root.spki and manifest.signed), _SIGN_KEY (PEM path, optional), _WORKERS, _QUEUE,
 * _CONSUMERS, _LOG_LEVEL, _HEALTH (port on 127.0.0.1 for /healthz /readyz /metrics; 0 none), _READY_FILE (written
 * when ready, removed at drain). */
const struct trust *app_trust(const struct app *app);          /* reloaded when the manifest changes; old ones stay valid */
const struct crypto_key *app_sign_key(const struct app *app);  /* of _SIGN_KEY; NULL if none */
struct bus *app_bus(const struct app *app);
const char *app_conninfo(const struct app *app);
const struct db_store *app_store(const struct app *app);
const char *app_keys_dir(const struct app *app);               /* of _KEYS */
int app_workers(const struct app *app);                        /* of _WORKERS */
/* A connection of one's own, for threads that a service starts. */
chop_err app_db(const struct app *app, struct db **ret_db) CHOP_MUSTCHECK;
bool app_stopping(const struct app *app);
/* After committing outbox rows outside the dispatcher. */
void app_wake_outbox(const struct app *app);
/* Whether what arrived of `producer`'s events may be older than `ms` (lib/outbox.h). */
bool app_events_behind(const struct app *app, const char *producer, int64_t ms);
/* A call for work outside the dispatcher (own threads): fills c with memory, database, trust, now. */
chop_err app_call_init(struct app *app, struct arena *mem, struct db *db, struct call *ret_call) CHOP_MUSTCHECK;
