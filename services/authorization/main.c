/* chop-authorization: seals, artwork, policies, requests, decisions, grants, allotments, all counts, files, filed
 * facts. */
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "auth.h"
#include "filing.pb-c.h"
#include "metrics.h"
#include "printer.pb-c.h"
#include "sql_store.h"

static struct config {
    const char *draw, *issuance_hpke, *files_key;
    int64_t allotment_minutes;
} config;

static const struct conf_row conf[] = {
    { "DRAW", CONF_STR, offsetof(struct config, draw), "", 0, 4096, 0,
        "path of chop-draw; empty: beside this program" },
    { "ISSUANCE_HPKE", CONF_STR, offsetof(struct config, issuance_hpke), "", 0, 4096, 0,
        "file with issuance's HPKE public key (P-256, DER SubjectPublicKeyInfo or PEM); empty: no signatures are "
        "kept" },
    { "FILES_KEY", CONF_STR, offsetof(struct config, files_key), "", 0, 4096, 0,
        "file with 32 random bytes (or 64 hex digits) that wrap the files' keys; empty: no files are kept" },
    { "ALLOTMENT_MINUTES", CONF_INT, offsetof(struct config, allotment_minutes), "30", 1, 1440, 0,
        "life of an allotment for printing online" },
    CONF_END,
};

static const struct rpc_method methods[] = {
    RPC(PrepareAct, act_handle_prepare, RPC_MEMBER),
    RPC(CommitAct, act_handle_commit, RPC_MEMBER),
    RPC(ListSeals, seal_list_call, RPC_MEMBER | RPC_READ),
    RPC(GetSeal, seal_get_call, RPC_MEMBER | RPC_READ),
    RPC(GetArtwork, artwork_get_call, RPC_MEMBER | RPC_READ),
    RPC(FetchArtwork, artwork_fetch_call, RPC_INTERNAL | RPC_READ),
    RPC(FetchSpecimen, specimen_fetch_call, RPC_INTERNAL | RPC_READ),
    RPC(PreviewArtwork, artwork_preview_call, RPC_MEMBER | RPC_READ),
    RPC(ListRequests, request_list_call, RPC_MEMBER | RPC_READ),
    RPC(GetRequest, request_get_call, RPC_MEMBER | RPC_READ),
    RPC(GetGrant, grant_get_call, RPC_MEMBER | RPC_READ),
    RPC(ListGrants, grant_list_call, RPC_MEMBER | RPC_READ),
    RPC(ListFacts, fact_list_call, RPC_MEMBER | RPC_READ),
    RPC(StartFile, file_start_call, RPC_MEMBER),
    RPC(PutChunk, file_put_call, RPC_MEMBER),
    RPC(FinishFile, file_finish_call, RPC_MEMBER),
    RPC(GetChunk, file_get_call, RPC_MEMBER | RPC_READ),
    RPC(FindGrantState, grant_find_call, RPC_INTERNAL | RPC_READ),
    RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC_END,
};

static const struct event_row events[] = {
    EVENT("printer-bridge.report.received", pb__report_received, report_event),
    EVENT("printer-bridge.closeout.received", pb__closeout_received, closeout_event),
    EVENT("filing-relay.filing.receipted", pb__filing_receipted, receipt_event),
    EVENT("filing-relay.order.received", pb__order_received, order_event),
    EVENT_END,
};

static struct auth auth;

static chop_err find_draw(void) {
    static char path[PATH_MAX];
    auth.draw = config.draw;
    if (!*config.draw) {
        char self[PATH_MAX / 2];
        ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
        if (n <= 0) return CHOP_FAIL(EINTERNAL, "DRAW", "cannot find this program's directory");
        self[n] = 0;
        snprintf(path, sizeof path, "%s/chop-draw", dirname(self));
        auth.draw = path;
    }
    if (access(auth.draw, X_OK) != 0) return CHOP_FAIL(EINVAL, "DRAW", "%s cannot be run", auth.draw);
    return NULL;
}

static chop_err load_issuance(void) {
    CHOP_FREE char *der = NULL;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    size_t n;
    if (!*config.issuance_hpke) return NULL;
    TRY(conf_read_file(config.issuance_hpke, 4096, &der, &n));
    if (strncmp(der, "-----", 5) == 0)
        TRY(crypto_key_from_pem(CHOP_BYTES(der, n), &key));
    else
        TRY(crypto_key_from_spki(CHOP_BYTES(der, n), &key));
    TRY(crypto_key_point(key, auth.issuance_point));
    auth.has_issuance = true;
    return NULL;
}

static chop_err load_files_key(void) {
    if (!*config.files_key) return NULL;
    TRY(conf_read_key("FILES_KEY", config.files_key, auth.files_key));
    auth.has_files = true;
    return NULL;
}

static chop_err start(struct app *app) {
    signal(SIGPIPE, SIG_IGN); /* a drawing child may die while it is fed */
    auth.sign = app_sign_key(app);
    if (!auth.sign) return CHOP_FAIL(EINVAL, "SIGN_KEY", "is missing: grants could not be signed");
    auth.refused = metric_counter("chop_authorization_events_refused_total", NULL);
    auth.allotment_ms = config.allotment_minutes * 60 * 1000;
    TRY(find_draw());
    TRY(load_issuance());
    return load_files_key();
}

int main(int argc, char **argv) {
    static const char *const store[] = { sql_store, act_sql, NULL }, *const names[] = { "authorization", "act", NULL };
    return app_run(&(struct app){ .name = "authorization",
                       .proto = &pb__authorization__descriptor,
                       .methods = methods,
                       .events = events,
                       .conf = conf,
                       .config = &config,
                       .store = store,
                       .store_names = names,
                       .produces = true,
                       .state = &auth,
                       .start = start },
        argc, argv);
}
