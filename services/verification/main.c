/* chop-verification: the read model of impressions, and the page behind the QR. */
#include "handlers.h"
#include "verification.h"
#include "verification_sql.h"

static struct verification state;

static const struct conf_row rows[] = {
    { .key = "VERIFY_HOST",
        .type = CONF_STR,
        .offset = offsetof(struct verification_conf, verify_host),
        .max = VERIFICATION_HOST_MAX,
        .flags = CONF_REQUIRED,
        .doc = "host[:port] of this page as it stands in the QR; any other host is answered \"elsewhere\"" },
    { .key = "VERIFY_KEY",
        .type = CONF_STR,
        .offset = offsetof(struct verification_conf, verify_key),
        .flags = CONF_REQUIRED,
        .doc = "file with the 32 bytes (or 64 hex digits) that key the hashes of ciphers; the same as issuance's" },
    { .key = "STALE_MS",
        .type = CONF_INT,
        .offset = offsetof(struct verification_conf, stale_ms),
        .fallback = "2000",
        .min = 100,
        .max = 60000,
        .doc = "how far the read model may be behind before owners are asked" },
    CONF_END,
};

static chop_err start(struct app *app) {
    (void)app;
    TRY(verification_host(state.conf.verify_host));
    TRY(conf_read_key("VERIFY_KEY", state.conf.verify_key, state.verify_key));
    state.forged = metric_counter("chop_verification_forged_total", NULL);
    state.asked = metric_counter("chop_verification_asked_total", NULL);
    return NULL;
}

int main(int argc, char **argv) {
    static const char *const store[] = { verification_sql, NULL }, *const names[] = { "verification", NULL };
    return app_run(&(struct app){ .name = "verification",
                       .proto = &pb__verification__descriptor,
                       .methods = verification_methods,
                       .events = verification_events,
                       .conf = rows,
                       .config = &state.conf,
                       .store = store,
                       .store_names = names,
                       .state = &state,
                       .start = start },
        argc, argv);
}
