/* What db.c and db_store.c share. */
#pragma once
#include "db.h"

struct db_named {
    const char *name, *sql; /* zero-terminated copies */
    int migration;          /* > 0: a migration of text number `text` */
    size_t text;
};
struct db_store {
    struct db_named *items;
    size_t count, room;
    uint32_t *hash; /* open addressing over query names: index + 1 */
    size_t hash_size;
    size_t n_texts;
};
/* Index of a query, -1 where unknown. */
int db_store_find(const struct db_store *s, const char *name);
