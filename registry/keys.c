#include "keys.h"

#include "log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOOK_EVERY_MS 1000
#define MAX_MANIFESTS 256 /* in one process life */

struct keys {
    pthread_mutex_t lock;
    char *dir;
    struct trust *all[MAX_MANIFESTS];
    size_t n;
    struct timespec changed;
    int64_t looked_at;
};

static struct timespec manifest_changed(const char *dir) {
    char path[4096];
    struct stat st = { 0 };
    int n = snprintf(path, sizeof path, "%s/manifest.signed", dir);
    if (n > 0 && (size_t)n < sizeof path) (void)stat(path, &st);
    return st.st_mtim;
}

static bool same_time(struct timespec a, struct timespec b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

chop_err keys_open(const char *dir, struct keys **ret_keys) {
    struct keys *k = calloc(1, sizeof *k);
    if (!k) return CHOP_ERR(EMEMORY);
    (void)pthread_mutex_init(&k->lock, NULL);
    k->changed = manifest_changed(dir);
    if (asprintf(&k->dir, "%s", dir) < 0) k->dir = NULL;
    chop_err e = k->dir ? trust_load(dir, 0, &k->all[0]) : CHOP_ERR(EMEMORY);
    if (e) {
        keys_close(k);
        return e;
    }
    k->n = 1;
    *ret_keys = k;
    return NULL;
}

void keys_close(struct keys *k) {
    if (!k) return;
    for (size_t i = 0; i < k->n; i++) trust_free(k->all[i]);
    (void)pthread_mutex_destroy(&k->lock);
    free(k->dir);
    free(k);
}

/* With the lock held. A bad or lower manifest is refused, loudly, and the old one stays. */
static void reload(struct keys *k) {
    struct timespec changed = manifest_changed(k->dir);
    if (same_time(changed, k->changed) || k->n == MAX_MANIFESTS) return;
    k->changed = changed;
    chop_err e = trust_load(k->dir, trust_version(k->all[k->n - 1]), &k->all[k->n]);
    if (e) {
        log_error("manifest refused", e);
        return;
    }
    k->n++;
    log_line(LOG_INFO, "manifest taken up", "version", LOG_INT(trust_version(k->all[k->n - 1])), NULL);
}

const struct trust *keys_now(struct keys *k) {
    (void)pthread_mutex_lock(&k->lock);
    int64_t now = chop_mono_ns() / 1000000;
    if (now - k->looked_at >= LOOK_EVERY_MS) {
        k->looked_at = now;
        reload(k);
    }
    const struct trust *t = k->all[k->n - 1];
    (void)pthread_mutex_unlock(&k->lock);
    return t;
}
