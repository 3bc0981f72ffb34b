/* chop-registry: the reference registry. Started in stages, stopped in reverse. */
#include "http.h"
#include "log.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct registry {
    struct options options;
    struct webhook_secret secret;
    struct keys *keys;
    struct crypto_key *key;
    char *token;
    struct store *store, *reader;
    struct switches *switches;
    struct writer *writer;
    struct http *http;
};

/* A registry whose key the manifest does not name would sign what nobody accepts. */
static chop_err check_own_key(const struct registry *r) {
    struct arena *mem = arena_new(1 << 20);
    struct chop_bytes packed;
    Pb__Signed *s;
    if (!mem) return CHOP_ERR(EMEMORY);
    chop_err e = trust_sign_packed(r->key, NULL, "receipt", chop_str(""), mem, &packed);
    if (!e) e = trust_verify_packed(keys_now(r->keys), packed, "receipt", chop_now_ms(), mem, &s);
    arena_free(mem);
    return e;
}

static chop_err start(struct registry *r) {
    const struct options *o = &r->options;
    TRY(webhook_secret_load(o->secret_file, &r->secret));
    TRY(keys_open(o->keys, &r->keys));
    TRY(crypto_key_load(o->sign_key, &r->key));
    TRY(check_own_key(r));
    TRY(store_open(o->dir, &r->store));
    TRY(store_open(o->dir, &r->reader));
    if (o->test_switches && !(r->switches = switches_new())) return CHOP_ERR(EMEMORY);
    if (o->operator_token_file) TRY(orders_token_load(o->operator_token_file, &r->token));
    TRY(writer_start(&(struct writer_options){ r->store, o->name, r->key }, &r->writer));
    struct http_options http = {
        .options = o,
        .accept = { .keys = r->keys, .secret = &r->secret },
        .writer = r->writer,
        .reader = r->reader,
        .switches = r->switches,
        .orders = { .name = o->name, .key = r->key, .token = r->token },
    };
    return http_start(&http, &r->http);
}

static void stop(struct registry *r) {
    if (r->http) http_quiesce(r->http);
    writer_stop(r->writer); /* answers what waits; refuses what kept connections still send */
    http_stop(r->http);
    writer_free(r->writer);
    switches_free(r->switches);
    store_close(r->reader);
    store_close(r->store);
    crypto_key_free(r->key);
    keys_close(r->keys);
    free(r->token);
}

int main(int argc, char **argv) {
    struct registry r = { 0 };
    int done = options_read(argc, argv, &r.options);
    if (done) return done - 1;
    log_start("registry", LOG_INFO);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread: they inherit it */
    (void)signal(SIGPIPE, SIG_IGN);
    chop_err e = start(&r);
    if (e) {
        log_error("cannot start", e);
        stop(&r);
        return 1;
    }
    printf("chop-registry %s listens on %s:%u\n", r.options.name, r.options.host, http_port(r.http));
    (void)fflush(stdout);
    int got;
    (void)sigwait(&signals, &got);
    log_line(LOG_INFO, "stopping", "registry", r.options.name, NULL);
    stop(&r);
    return 0;
}
