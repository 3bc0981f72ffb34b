/* chop-filing-relay: owes each registry every fact, and each fact a receipt. */
#include "filing_relay_sql.h"
#include "relay.h"

static struct relay relay = { .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER };

#define AT(field) offsetof(struct relay_conf, field)
static const struct conf_row rows[] = {
    { .key = "REGISTRIES", .type = CONF_STR, .offset = AT(registries), .flags = CONF_REQUIRED, .doc = "the registries file: JSON array of {name, title, url, adapter, organization_id, secret_file}" },
    { .key = "ALLOW_PRIVATE", .type = CONF_BOOL, .offset = AT(allow_private), .fallback = "false", .doc = "registries may be at loopback and private addresses" },
    { .key = "ALLOW_HTTP", .type = CONF_BOOL, .offset = AT(allow_http), .fallback = "false", .doc = "registries may be reached without TLS" },
    { .key = "CA_FILE", .type = CONF_STR, .offset = AT(ca_file), .fallback = "", .doc = "PEM file of the authorities that registries' certificates come from; empty: the system's" },
    { .key = "SENDERS", .type = CONF_INT, .offset = AT(senders), .fallback = "4", .min = 1, .max = 64, .doc = "threads per registry; each has its own connections to the store and the registry" },
    { .key = "TIMEOUT_MS", .type = CONF_INT, .offset = AT(timeout_ms), .fallback = "15000", .min = 100, .max = 60000, .doc = "of one exchange with a registry" },
    { .key = "RETRY_BASE_MS", .type = CONF_INT, .offset = AT(retry_base_ms), .fallback = "500", .min = 1, .max = 60000, .doc = "first pause after a failure; then 4, 20, 120, 600, 1800 times" },
    { .key = "POLL_MS", .type = CONF_INT, .offset = AT(poll_ms), .fallback = "500", .min = 1, .max = 10000, .doc = "how often an idle sender looks for work without a hint" },
    { .key = "ORDERS_MS", .type = CONF_INT, .offset = AT(orders_ms), .fallback = "2000", .min = 10, .max = 600000, .doc = "how often each registry is asked for orders" },
    CONF_END,
};

static const struct event_row events[] = {
    EVENT("authorization.fact.filed", pb__fact_filed, relay_on_fact),
    EVENT_END,
};

static chop_err start(struct app *app) {
    relay.app = app;
    TRY(registries_load(&relay));
    TRY(senders_start(&relay));
    return pollers_start(&relay);
}

static void stop(struct app *app) {
    (void)app;
    senders_stop(&relay);
    pollers_stop(&relay);
    arena_free(relay.mem);
    relay.mem = NULL;
}

int main(int argc, char **argv) {
    static const char *const store[] = { filing_relay_sql, NULL }, *const names[] = { "filing-relay", NULL };
    return app_run(&(struct app){ .name = "filing-relay",
                       .proto = &pb__filing_relay__descriptor,
                       .methods = relay_methods,
                       .events = events,
                       .conf = rows,
                       .config = &relay.conf,
                       .store = store,
                       .store_names = names,
                       .produces = true,
                       .state = &relay,
                       .start = start,
                       .stop = stop },
        argc, argv);
}
