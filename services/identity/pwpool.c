#include "pwpool.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(PWPOOL_HASH_MAX >= crypto_pwhash_STRBYTES, "a hash fits");

struct job {
    struct job *next;
    const char *hash; /* NULL: make one */
    const char *password;
    char made[PWPOOL_HASH_MAX];
    bool right, done;
    chop_err err;
};

struct pwpool {
    struct pwpool_options options;
    pthread_mutex_t lock;
    pthread_cond_t work, finished;
    struct job *first, **last;
    int slots_taken;
    bool stopping;
    char dummy[PWPOOL_HASH_MAX]; /* of nobody's password */
    pthread_t *threads;
    int started;
};

/* ---- the work ---- */

static chop_err hash_make(const struct pwpool *p, const char *password, char out[PWPOOL_HASH_MAX]) {
    if (crypto_pwhash_str_alg(
            out, password, strlen(password), p->options.ops, p->options.memory, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return CHOP_FAIL(EMEMORY, NULL, "not enough memory to hash a password");
    return NULL;
}

static chop_err job_run(const struct pwpool *p, struct job *j) {
    if (!j->hash) return hash_make(p, j->password, j->made);
    j->right = crypto_pwhash_str_verify(j->hash, j->password, strlen(j->password)) == 0;
    if (j->right && crypto_pwhash_str_needs_rehash(j->hash, p->options.ops, p->options.memory) != 0)
        return hash_make(p, j->password, j->made);
    return NULL;
}

static struct job *job_take(struct pwpool *p) {
    while (!p->first && !p->stopping)
        pthread_cond_wait(&p->work, &p->lock);
    struct job *j = p->first;
    if (!j) return NULL;
    p->first = j->next;
    if (!p->first) p->last = &p->first;
    return j;
}

static void *pool_thread(void *arg) {
    struct pwpool *p = arg;
    pthread_mutex_lock(&p->lock);
    for (struct job *j; (j = job_take(p));) {
        pthread_mutex_unlock(&p->lock);
        chop_err e = job_run(p, j);
        pthread_mutex_lock(&p->lock);
        j->err = e;
        j->done = true;
        pthread_cond_broadcast(&p->finished);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static chop_err job_wait(struct pwpool *p, struct job *j) {
    pthread_mutex_lock(&p->lock);
    *p->last = j;
    p->last = &j->next;
    pthread_cond_signal(&p->work);
    while (!j->done)
        pthread_cond_wait(&p->finished, &p->lock);
    pthread_mutex_unlock(&p->lock);
    return j->err;
}

/* ---- slots ---- */

chop_err pwpool_enter(struct pwpool *p) {
    pthread_mutex_lock(&p->lock);
    bool room = p->slots_taken < p->options.slots;
    if (room) p->slots_taken++;
    pthread_mutex_unlock(&p->lock);
    return room ? NULL : CHOP_FAIL(EBUSY, NULL, "too many passwords are being checked: try again");
}

void pwpool_leave(struct pwpool *p) {
    pthread_mutex_lock(&p->lock);
    p->slots_taken--;
    pthread_mutex_unlock(&p->lock);
}

/* ---- calls ---- */

chop_err pwpool_verify(
    struct pwpool *p, const char *hash, const char *password, bool *ret_right, char ret_rehash[PWPOOL_HASH_MAX]) {
    struct job j = { .hash = hash ? hash : p->dummy, .password = password };
    TRY(job_wait(p, &j));
    *ret_right = hash && j.right;
    memcpy(ret_rehash, j.made, sizeof j.made);
    return NULL;
}

chop_err pwpool_hash(struct pwpool *p, const char *password, char ret_hash[PWPOOL_HASH_MAX]) {
    struct job j = { .password = password };
    TRY(job_wait(p, &j));
    memcpy(ret_hash, j.made, sizeof j.made);
    return NULL;
}

void pwpool_wipe(void *p, size_t n) {
    sodium_memzero(p, n);
}

/* ---- life ---- */

static chop_err dummy_make(struct pwpool *p) {
    uint8_t random[16];
    char text[33];
    chop_random(random, sizeof random);
    chop_hex(random, sizeof random, text);
    return hash_make(p, text, p->dummy);
}

static chop_err threads_start(struct pwpool *p) {
    p->threads = calloc((size_t)p->options.threads, sizeof *p->threads);
    if (!p->threads) return CHOP_ERR(EMEMORY);
    for (; p->started < p->options.threads; p->started++)
        if (pthread_create(&p->threads[p->started], NULL, pool_thread, p) != 0)
            return CHOP_FAIL(EMEMORY, NULL, "no thread for passwords");
    return NULL;
}

chop_err pwpool_new(const struct pwpool_options *o, struct pwpool **ret_pool) {
    if (sodium_init() < 0) return CHOP_FAIL(EINTERNAL, NULL, "libsodium does not start");
    struct pwpool *p = calloc(1, sizeof *p);
    if (!p) return CHOP_ERR(EMEMORY);
    p->options = *o;
    p->last = &p->first;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->finished, NULL);
    chop_err e = dummy_make(p);
    if (!e) e = threads_start(p);
    if (e) {
        pwpool_free(p);
        return e;
    }
    *ret_pool = p;
    return NULL;
}

void pwpool_free(struct pwpool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->threads[i], NULL);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->finished);
    pthread_mutex_destroy(&p->lock);
    free(p->threads);
    free(p);
}
