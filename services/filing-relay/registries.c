/* The registries file, read once at start. */
#include "adapter.h"
#include "metrics.h"
#include "pbjson.h"
#include "relay.h"
#include "rules.h"

#include <stdlib.h>
#include <string.h>

#define FILE_MAX (256 * 1024)
#define REGISTRIES_MAX 64

struct registry *registries_find(const struct relay *r, const char *name) {
    for (size_t i = 0; i < r->n_registries; i++)
        if (strcmp(r->registries[i].name, name) == 0) return &r->registries[i];
    return NULL;
}

bool registry_serves(const struct registry *g, const char *organization_id) {
    return !g->organization_id[0] || strcmp(g->organization_id, organization_id) == 0;
}

static chop_err read_file(struct relay *r, Pb__RegistriesFile **ret_file) {
    CHOP_FREE char *text = NULL;
    size_t n;
    TRY(conf_read_file(r->conf.registries, FILE_MAX, &text, &n));
    const char *json = arena_printf(r->mem, "{\"registries\":%s}", text);
    return pbjson_read(&pb__registries_file__descriptor, chop_str(json), &PBJSON_LIMITS, r->mem, ret_file);
}

static struct metric *counter(struct relay *r, const char *what, const char *name) {
    return metric_counter(arena_printf(r->mem, "chop_filing_relay_%s_total", what),
        arena_printf(r->mem, "registry=\"%s\"", name));
}

static chop_err add(struct relay *r, const Pb__RegistryConfig *in) {
    if (!rules_name_valid(in->name)) return CHOP_FAIL(EINVAL, "name", "a registry's name is [a-z0-9-]{1,32}");
    if (registries_find(r, in->name)) return CHOP_FAIL(EINVAL, "name", "%s stands there twice", in->name);
    bool https = strncmp(in->url, "https://", 8) == 0, http = strncmp(in->url, "http://", 7) == 0;
    if (!https && !(http && r->conf.allow_http)) return CHOP_FAIL(EINVAL, "url", "%s: its url must be https", in->name);
    struct registry *g = &r->registries[r->n_registries];
    size_t n = strlen(in->url);
    while (n > 0 && in->url[n - 1] == '/') n--;
    g->name = in->name;
    g->title = in->title;
    g->url = arena_strn(r->mem, in->url, n);
    g->organization_id = in->organization_id;
    g->adapter = adapter_find(in->adapter[0] ? in->adapter : "webhook");
    if (!g->adapter) return CHOP_FAIL(EINVAL, "adapter", "%s: no adapter named %s", in->name, in->adapter);
    TRY(webhook_secret_load(in->secret_file, &g->secret));
    g->receipted = counter(r, "receipts", in->name);
    g->failed = counter(r, "failures", in->name);
    g->died = counter(r, "dead", in->name);
    r->n_registries++;
    return NULL;
}

chop_err registries_load(struct relay *r) {
    Pb__RegistriesFile *file;
    r->mem = arena_new(4 << 20);
    if (!r->mem) return CHOP_ERR(EMEMORY);
    TRY(read_file(r, &file));
    if (file->n_registries > REGISTRIES_MAX) return CHOP_FAIL(ELIMIT, "REGISTRIES", "at most %d", REGISTRIES_MAX);
    r->registries = ARENA_ARRAY(r->mem, struct registry, file->n_registries + 1);
    if (!r->registries) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < file->n_registries; i++) TRY(add(r, file->registries[i]));
    return NULL;
}
