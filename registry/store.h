/* store: what the registry holds, in SQLite (WAL, synchronous=FULL: a commit survives power loss). One connection,
 * used by one thread at a time. Errors: ESTORE. */
#pragma once
#include "arena.h"
#include "rules.h"

struct store;
/* Makes the directory and the tables where missing. */
chop_err store_open(const char *dir, struct store **ret_store) CHOP_MUSTCHECK;
void store_close(struct store *s);

chop_err store_begin(struct store *s) CHOP_MUSTCHECK;
chop_err store_commit(struct store *s) CHOP_MUSTCHECK;
void store_rollback(struct store *s);

chop_err store_chain(struct store *s, const char *seal_id, struct rules_chain *ret_chain) CHOP_MUSTCHECK;
/* What is held under the key, or else as that fact of the seal; its receipt lies in the arena. */
chop_err store_by_key(struct store *s, const char *key, struct arena *mem, struct rules_held *ret_held,
    struct chop_bytes *ret_receipt) CHOP_MUSTCHECK;
chop_err store_by_seq(struct store *s, const char *seal_id, uint64_t seq, struct arena *mem,
    struct rules_held *ret_held, struct chop_bytes *ret_receipt) CHOP_MUSTCHECK;
/* The next number of that day (YYYYMMDD), from 1. */
chop_err store_take_number(struct store *s, const char *day, uint64_t *ret_number) CHOP_MUSTCHECK;

struct store_filing {
    const char *number, *key;
    const char *fact_id, *kind, *seal_id, *seal_name, *organization, *member;
    uint64_t seq; /* the place in the seal that it takes */
    struct chop_bytes digest;  /* 32 */
    struct chop_bytes next;    /* 32: what the seal's next fact must name as the one before it; the digest, but for a notice
                                  that stands in another fact's place */
    struct chop_bytes fact;    /* packed Signed{fact}, as received */
    struct chop_bytes receipt; /* packed Signed{receipt} */
    int64_t at, received_at;
};
chop_err store_add(struct store *s, const struct store_filing *f) CHOP_MUSTCHECK;

/* Filings in order of arrival, or of one seal in its order. `after`: a seal_seq where seal_id is given, else the number
 * of a filing; "" from the first. Without fact and receipt. */
chop_err store_list(struct store *s, const char *seal_id, const char *after, uint32_t limit, struct arena *mem,
    struct store_filing **ret_list, size_t *ret_n) CHOP_MUSTCHECK;
/* The latest, newest first. */
chop_err store_latest(struct store *s, uint32_t limit, struct arena *mem, struct store_filing **ret_list, size_t *ret_n)
    CHOP_MUSTCHECK;
chop_err store_count(struct store *s, uint64_t *ret_count) CHOP_MUSTCHECK;

/* ---- orders ---- */
struct store_order {
    uint64_t sequence;
    const char *order_id;
    struct chop_bytes packed; /* Signed{registry-order} */
};
/* 0: none. */
chop_err store_order_last(struct store *s, uint64_t *ret_sequence) CHOP_MUSTCHECK;
chop_err store_order_by_id(struct store *s, const char *order_id, struct arena *mem, bool *ret_found,
    struct store_order *ret_order) CHOP_MUSTCHECK;
chop_err store_order_add(struct store *s, const struct store_order *o) CHOP_MUSTCHECK;
/* In sequence, after this one. */
chop_err store_order_list(struct store *s, uint64_t after, uint32_t limit, struct arena *mem,
    struct store_order **ret_list, size_t *ret_n) CHOP_MUSTCHECK;
