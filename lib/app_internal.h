/* What app.c, app_health.c and app_monitor.c share. */
#pragma once
#include "app.h"
#include "rpc_internal.h"

#include <stdatomic.h>

struct app_conf {
    const char *bus_url, *bus_user, *bus_password, *db, *keys, *sign_key, *log_level, *ready_file;
    int64_t workers, queue, consumers, health_port;
};

struct app_base {
    struct app_conf conf;
    struct bus *bus;
    struct db_store *store;
    const char *texts[8], *names[8];
    _Atomic(struct trust *) trust;
    int64_t manifest_mtime_ns;
    struct crypto_key *sign_key;
    struct rpc_server *server;
    struct outbox *outbox;
    struct bus_sub *monitor;
    struct app_health *health;
    _Atomic bool ready, stopping;
    char instance[CHOP_ID_MAX];
    int64_t started_at;
};

/* HTTP for probes on 127.0.0.1: /healthz, /readyz, /metrics. */
chop_err app_health_start(struct app *app) CHOP_MUSTCHECK;
void app_health_stop(struct app *app);
/* Answers $SRV.{PING,INFO,STATS} (NATS ADR-32), so that stock tooling sees the service. */
chop_err app_monitor_start(struct app *app) CHOP_MUSTCHECK;
