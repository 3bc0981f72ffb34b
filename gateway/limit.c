#include "limit.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SETS 16384 /* a power of two */
#define WAYS 4
#define LOCKS 64
#define MILLI 1000 /* tokens are counted in thousandths */

struct bucket {
    uint64_t key; /* 0: free */
    int64_t tokens;
    int64_t at_ns;
};

struct limit {
    int64_t rate, burst;
    uint64_t seed[2]; /* nobody outside can aim at one set */
    pthread_mutex_t locks[LOCKS];
    struct bucket sets[SETS][WAYS];
};

struct limit *limit_new(int64_t rate, int64_t burst) {
    struct limit *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->rate = rate;
    l->burst = burst * MILLI;
    chop_random(l->seed, sizeof l->seed);
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_init(&l->locks[i], NULL);
    return l;
}

void limit_free(struct limit *l) {
    if (!l) return;
    for (size_t i = 0; i < LOCKS; i++)
        pthread_mutex_destroy(&l->locks[i]);
    free(l);
}

static uint64_t mix(uint64_t h) {
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint64_t key_hash(const struct limit *l, struct chop_bytes key) {
    uint64_t h = l->seed[0];
    for (size_t i = 0; i < key.n; i += 8) {
        uint64_t part = 0;
        memcpy(&part, key.p + i, key.n - i < 8 ? key.n - i : 8);
        h = mix(h ^ part) + l->seed[1];
    }
    h = mix(h ^ key.n);
    return h ? h : 1;
}

static int64_t refilled(const struct limit *l, const struct bucket *b, int64_t now_ns) {
    int64_t passed_us = (now_ns - b->at_ns) / 1000;
    if (passed_us >= l->burst * 1000 / l->rate) return l->burst; /* also keeps the product small */
    int64_t tokens = b->tokens + passed_us * l->rate * MILLI / 1000000;
    return tokens > l->burst ? l->burst : tokens;
}

/* The key's bucket; a new key takes the place of the fullest one, whose owner loses least. */
static struct bucket *bucket_find(struct limit *l, uint64_t key, int64_t now_ns) {
    struct bucket *set = l->sets[key & (SETS - 1)], *fullest = &set[0];
    int64_t most = -1;
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].key == key) return &set[i];
        int64_t tokens = set[i].key ? refilled(l, &set[i], now_ns) : INT64_MAX;
        if (tokens <= most) continue;
        most = tokens;
        fullest = &set[i];
    }
    *fullest = (struct bucket){ .key = key, .tokens = l->burst, .at_ns = now_ns };
    return fullest;
}

bool limit_take(struct limit *l, struct chop_bytes key, int64_t cost, int64_t now_ns, int64_t *ret_wait_s) {
    if (l->rate == 0) return true;
    uint64_t hash = key_hash(l, key);
    pthread_mutex_t *lock = &l->locks[hash & (LOCKS - 1)];
    cost = cost * MILLI > l->burst ? l->burst : cost * MILLI;
    pthread_mutex_lock(lock);
    struct bucket *b = bucket_find(l, hash, now_ns);
    int64_t tokens = refilled(l, b, now_ns);
    bool enough = tokens >= cost;
    if (enough) *b = (struct bucket){ .key = hash, .tokens = tokens - cost, .at_ns = now_ns };
    pthread_mutex_unlock(lock);
    if (!enough) *ret_wait_s = 1 + (cost - tokens) / MILLI / l->rate;
    return enough;
}
