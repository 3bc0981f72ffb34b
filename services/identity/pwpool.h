/* pwpool: the only user of libsodium (whose names clash with lib/crypto's: never include both).
 * Argon2id in threads of its own. A caller takes a slot first: slots are fewer than the service's workers, so
 * that calls without a password go on while passwords are hashed; without a free slot the answer is EBUSY at once. */
#pragma once
#include "base.h"

struct pwpool;
struct pwpool_options {
    int threads;
    int slots;     /* callers that may wait or be served at once */
    uint64_t ops;  /* Argon2id: passes */
    size_t memory; /* Argon2id: bytes */
};
#define PWPOOL_HASH_MAX 128 /* crypto_pwhash_STRBYTES */

chop_err pwpool_new(const struct pwpool_options *o, struct pwpool **ret_pool) CHOP_MUSTCHECK;
void pwpool_free(struct pwpool *p);

chop_err pwpool_enter(struct pwpool *p) CHOP_MUSTCHECK; /* EBUSY */
void pwpool_leave(struct pwpool *p);

/* With a slot held. hash NULL: the work of a check is done all the same, and fails. *ret_rehash is "" or, where the
 * password is right and its hash has other parameters than the pool's, a new hash. */
chop_err pwpool_verify(struct pwpool *p, const char *hash, const char *password, bool *ret_right,
    char ret_rehash[PWPOOL_HASH_MAX]) CHOP_MUSTCHECK;
chop_err pwpool_hash(struct pwpool *p, const char *password, char ret_hash[PWPOOL_HASH_MAX]) CHOP_MUSTCHECK;
/* Overwrites a secret; not optimized away. */
void pwpool_wipe(void *p, size_t n);
