#include "app.h"
#include "gateway.h"
#include "openapi.h"

#include <string.h>

static struct gateway_conf conf;
static struct gateway gateway;

static chop_err start(struct app *app) {
    return gateway_start(&gateway, &conf, app_bus(app));
}

static void stop(struct app *app) {
    (void)app;
    gateway_stop(&gateway);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--openapi") == 0) return openapi_print(stdout) ? 1 : 0;
    return app_run(
        &(struct app){ .name = "gateway", .conf = gateway_conf_rows, .config = &conf, .start = start, .stop = stop },
        argc, argv);
}
