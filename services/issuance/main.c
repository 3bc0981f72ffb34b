/* chop-issuance: marks, impressions, envelopes. */
#include "handlers.h"
#include "issuance.h"
#include "issuance_sql.h"

static struct issuance state;

static const struct conf_row rows[] = {
    { .key = "VERIFY_HOST",
        .type = CONF_STR,
        .offset = offsetof(struct issuance_conf, verify_host),
        .max = ISSUANCE_HOST_MAX,
        .flags = CONF_REQUIRED,
        .doc = "host[:port] of the verification page; the QR reads HTTPS://<host>/V/<token>" },
    { .key = "CIPHER_KEY",
        .type = CONF_STR,
        .offset = offsetof(struct issuance_conf, cipher_key),
        .flags = CONF_REQUIRED,
        .doc = "file with the 32 bytes (or 64 hex digits) that key the ciphers" },
    { .key = "VERIFY_KEY",
        .type = CONF_STR,
        .offset = offsetof(struct issuance_conf, verify_key),
        .flags = CONF_REQUIRED,
        .doc = "file with verification's 32 bytes (or 64 hex digits): only keyed hashes of ciphers are told to it" },
    { .key = "HPKE_KEY",
        .type = CONF_STR,
        .offset = offsetof(struct issuance_conf, hpke_key),
        .flags = CONF_REQUIRED,
        .doc = "PEM file of the P-256 key that signature specimens are encrypted to" },
    { .key = "CACHE_MB",
        .type = CONF_INT,
        .offset = offsetof(struct issuance_conf, cache_mb),
        .fallback = "32",
        .min = 1,
        .max = 4096,
        .doc = "memory for artwork that was fetched" },
    CONF_END,
};

static chop_err start(struct app *app) {
    TRY(issuance_host(state.conf.verify_host, state.host));
    TRY(conf_read_key("CIPHER_KEY", state.conf.cipher_key, state.cipher_key));
    TRY(conf_read_key("VERIFY_KEY", state.conf.verify_key, state.verify_key));
    TRY(crypto_key_load(state.conf.hpke_key, &state.hpke));
    if (!app_sign_key(app)) return CHOP_FAIL(EINVAL, "SIGN_KEY", "issuance signs envelopes: it needs its key");
    state.artwork = cache_new((size_t)state.conf.cache_mb << 20);
    return state.artwork ? NULL : CHOP_ERR(EMEMORY);
}

static void stop(struct app *app) {
    (void)app;
    cache_free(state.artwork);
    crypto_key_free(state.hpke);
    state.artwork = NULL;
    state.hpke = NULL;
}

int main(int argc, char **argv) {
    static const char *const store[] = { issuance_sql, NULL }, *const names[] = { "issuance", NULL };
    return app_run(&(struct app){ .name = "issuance",
                       .proto = &pb__issuance__descriptor,
                       .methods = issuance_methods,
                       .events = issuance_events,
                       .conf = rows,
                       .config = &state.conf,
                       .store = store,
                       .store_names = names,
                       .produces = true,
                       .state = &state,
                       .start = start,
                       .stop = stop },
        argc, argv);
}
