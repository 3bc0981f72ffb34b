#include "app_internal.h"

#include <string.h>

#define VERSION "0.1.0"

/* "$SRV.PING[.<name>[.<id>]]": the verb if this service is meant. */
static const char *verb_for(const struct app *app, const char *subject) {
    static const char *const verbs[] = { "PING", "INFO", "STATS" };
    if (strncmp(subject, "$SRV.", 5) != 0) return NULL;
    const char *rest = subject + 5;
    for (size_t i = 0; i < CHOP_COUNT(verbs); i++) {
        size_t n = strlen(verbs[i]), name = strlen(app->name);
        if (strncmp(rest, verbs[i], n) != 0) continue;
        rest += n;
        if (!*rest) return verbs[i];
        if (*rest != '.' || strncmp(rest + 1, app->name, name) != 0) return NULL;
        rest += 1 + name;
        bool ours = !*rest || (*rest == '.' && strcmp(rest + 1, app->base->instance) == 0);
        return ours ? verbs[i] : NULL;
    }
    return NULL;
}

static const char *describe(struct app *app, const char *verb, struct arena *mem) {
    struct app_base *b = app->base;
    bool stats = strcmp(verb, "STATS") == 0, info = strcmp(verb, "INFO") == 0;
    const char *type = stats ? "stats" : info ? "info" : "ping";
    const char *head = arena_printf(mem,
        "{\"type\":\"io.nats.micro.v1.%s_response\",\"name\":\"%s\",\"id\":\"%s\",\"version\":\"" VERSION
        "\",\"metadata\":{}",
        type, app->name, b->instance);
    if (!info && !stats) return arena_printf(mem, "%s}", head);
    const char *list = b->server ? rpc_server_endpoints(b->server, stats, mem) : "";
    if (info) return arena_printf(mem, "%s,\"description\":\"Chopmark %s\",\"endpoints\":[%s]}", head, app->name, list);
    return arena_printf(mem, "%s,\"started\":\"%lld\",\"endpoints\":[%s]}", head, (long long)b->started_at, list);
}

static void on_monitor(void *ctx, struct bus_msg *m) {
    struct app *app = ctx;
    const char *verb = verb_for(app, bus_msg_subject(m));
    struct arena *mem = verb ? arena_new((size_t)256 << 10) : NULL;
    if (mem) bus_reply(app->base->bus, m, chop_str(describe(app, verb, mem)), false);
    arena_free(mem);
    bus_msg_free(m);
}

chop_err app_monitor_start(struct app *app) {
    return bus_subscribe(app->base->bus, "$SRV.>", NULL, on_monitor, app, &app->base->monitor);
}
