#include "app_internal.h"
#include "metrics.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

struct app_health {
    struct MHD_Daemon *daemon;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, char *text, enum MHD_ResponseMemoryMode mode) {
    struct MHD_Response *r = MHD_create_response_from_buffer(strlen(text), text, mode);
    if (!r) return MHD_NO;
    (void)MHD_add_response_header(r, "Content-Type", "text/plain; charset=utf-8");
    enum MHD_Result result = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return result;
}

static bool is_ready(const struct app_base *b) {
    return atomic_load(&b->ready) && !atomic_load(&b->stopping) && (!b->bus || bus_connected(b->bus));
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *size, void **state) {
    (void)version;
    (void)data;
    (void)size;
    struct app *app = ctx;
    if (strcmp(method, "GET") != 0) return MHD_NO;
    if (!*state) { /* queued on the second call: keeps the connection (pitfall 20) */
        *state = app;
        return MHD_YES;
    }
    static char alive[] = "alive\n", ready[] = "ready\n", unready[] = "not ready\n", none[] = "no such page\n";
    if (strcmp(url, "/healthz") == 0) return answer(c, 200, alive, MHD_RESPMEM_PERSISTENT);
    if (strcmp(url, "/readyz") == 0)
        return is_ready(app->base) ? answer(c, 200, ready, MHD_RESPMEM_PERSISTENT)
                                   : answer(c, 503, unready, MHD_RESPMEM_PERSISTENT);
    if (strcmp(url, "/metrics") == 0) {
        char *text = metrics_text();
        return text ? answer(c, 200, text, MHD_RESPMEM_MUST_FREE) : MHD_NO;
    }
    return answer(c, 404, none, MHD_RESPMEM_PERSISTENT);
}

chop_err app_health_start(struct app *app) {
    if (app->base->conf.health_port == 0) return NULL;
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)app->base->conf.health_port) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct app_health *h = calloc(1, sizeof *h);
    if (!h) return CHOP_ERR(EMEMORY);
    h->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, app, MHD_OPTION_SOCK_ADDR,
        (struct sockaddr *)&at, MHD_OPTION_CONNECTION_LIMIT, 16u, MHD_OPTION_CONNECTION_TIMEOUT, 10u, MHD_OPTION_END);
    app->base->health = h;
    return h->daemon ? NULL
                     : CHOP_FAIL(EINVAL, NULL, "cannot listen on 127.0.0.1:%d", (int)app->base->conf.health_port);
}

void app_health_stop(struct app *app) {
    if (app->base->health && app->base->health->daemon) MHD_stop_daemon(app->base->health->daemon);
}
