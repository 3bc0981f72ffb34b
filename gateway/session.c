#include "session.h"

#include "crypto.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WAYS 8
#define LOCKS 64

struct entry {
    uint8_t key[SESSION_KEY];
    int64_t until; /* 0: free */
    char *principal;
};

struct session_cache {
    size_t sets;
    pthread_mutex_t locks[LOCKS];
    struct entry entries[];
};

struct session_cache *session_cache_new(size_t entries) {
    size_t sets = entries / WAYS + 1;
    struct session_cache *c = calloc(1, sizeof *c + sets * WAYS * sizeof c->entries[0]);
    if (!c) return NULL;
    c->sets = sets;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&c->locks[i], NULL);
    return c;
}

void session_cache_free(struct session_cache *c) {
    if (!c) return;
    for (size_t i = 0; i < c->sets * WAYS; i++)
        free(c->entries[i].principal);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&c->locks[i]);
    free(c);
}

void session_key(struct chop_bytes token, uint8_t out[SESSION_KEY]) {
    crypto_sha256(token, out);
}

/* The key is a digest: its first bytes are as even as any hash of it. */
static size_t set_of(const struct session_cache *c, const uint8_t key[SESSION_KEY]) {
    uint64_t h;
    memcpy(&h, key, sizeof h);
    return (size_t)(h % c->sets);
}

static struct entry *entry_find(struct entry *set, const uint8_t key[SESSION_KEY]) {
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].until && memcmp(set[i].key, key, SESSION_KEY) == 0) return &set[i];
    return NULL;
}

static void entry_clear(struct entry *e) {
    free(e->principal);
    *e = (struct entry){ 0 };
}

const char *session_find(struct session_cache *c, const uint8_t key[SESSION_KEY], int64_t now_ms, struct arena *mem) {
    size_t set = set_of(c, key);
    const char *copy = NULL;
    pthread_mutex_lock(&c->locks[set % LOCKS]);
    struct entry *e = entry_find(&c->entries[set * WAYS], key);
    if (e && e->until <= now_ms)
        entry_clear(e);
    else if (e)
        copy = arena_str(mem, e->principal);
    pthread_mutex_unlock(&c->locks[set % LOCKS]);
    return copy && *copy ? copy : NULL;
}

/* A new session takes the place of the one that ends first. */
static struct entry *entry_victim(struct entry *set) {
    struct entry *first = set;
    for (size_t i = 1; i < WAYS; i++)
        if (set[i].until < first->until) first = &set[i];
    return first;
}

void session_put(struct session_cache *c, const uint8_t key[SESSION_KEY], const char *principal, int64_t until_ms) {
    char *copy = strdup(principal);
    if (!copy) return; /* then the next request asks again */
    size_t set = set_of(c, key);
    pthread_mutex_lock(&c->locks[set % LOCKS]);
    struct entry *ways = &c->entries[set * WAYS], *e = entry_find(ways, key);
    if (!e) e = entry_victim(ways);
    entry_clear(e);
    memcpy(e->key, key, SESSION_KEY);
    e->until = until_ms;
    e->principal = copy;
    pthread_mutex_unlock(&c->locks[set % LOCKS]);
}

void session_drop(struct session_cache *c, const uint8_t key[SESSION_KEY]) {
    size_t set = set_of(c, key);
    pthread_mutex_lock(&c->locks[set % LOCKS]);
    struct entry *e = entry_find(&c->entries[set * WAYS], key);
    if (e) entry_clear(e);
    pthread_mutex_unlock(&c->locks[set % LOCKS]);
}
