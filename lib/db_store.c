/* The texts of queries and migrations: parsed once, looked up by name. */
#include "db_internal.h"

#include <stdlib.h>
#include <string.h>

int db_store_find(const struct db_store *s, const char *name) {
    for (size_t at = chop_hash_text(name);; at++) {
        uint32_t slot = s->hash[at & (s->hash_size - 1)];
        if (slot == 0) return -1;
        if (strcmp(s->items[slot - 1].name, name) == 0) return (int)slot - 1;
    }
}

static chop_err add(struct db_store *s, struct db_named item) {
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 64;
        struct db_named *more = realloc(s->items, room * sizeof *more);
        if (!more) return CHOP_ERR(EMEMORY);
        s->items = more;
        s->room = room;
    }
    s->items[s->count++] = item;
    return NULL;
}

/* One section: its head line stands at `head`, its SQL goes up to `end`. */
static chop_err add_section(struct db_store *s, size_t text, const char *head, const char *end) {
    static const char query[] = "-- query: ", migration[] = "-- migration: ";
    const char *line_end = strchr(head, '\n');
    if (!line_end || line_end > end) line_end = end;
    bool is_query = strncmp(head, query, sizeof query - 1) == 0;
    const char *name = head + (is_query ? sizeof query : sizeof migration) - 1;
    struct db_named item = { .text = text };
    item.name = strndup(name, (size_t)(line_end - name));
    item.sql = strndup(line_end, (size_t)(end - line_end));
    if (!item.name || !item.sql) return CHOP_ERR(EMEMORY);
    if (!is_query) item.migration = atoi(item.name);
    if (!is_query && item.migration < 1) return CHOP_FAIL(EINTERNAL, NULL, "migration %s has no number", item.name);
    return add(s, item);
}

static const char *next_head(const char *p) {
    for (; p; p = strchr(p, '\n')) {
        if (*p == '\n') p++;
        if (strncmp(p, "-- query: ", 10) == 0 || strncmp(p, "-- migration: ", 14) == 0) return p;
        if (!*p) return NULL;
    }
    return NULL;
}

static chop_err parse(struct db_store *s, size_t number, const char *text) {
    for (const char *head = next_head(text); head;) {
        const char *after = strchr(head, '\n');
        const char *next = after ? next_head(after) : NULL;
        TRY(add_section(s, number, head, next ? next : head + strlen(head)));
        head = next;
    }
    return NULL;
}

static chop_err index_names(struct db_store *s) {
    s->hash_size = 64;
    while (s->hash_size < 4 * s->count) s->hash_size *= 2;
    s->hash = calloc(s->hash_size, sizeof *s->hash);
    if (!s->hash) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].migration) continue;
        if (db_store_find(s, s->items[i].name) >= 0)
            return CHOP_FAIL(EINTERNAL, NULL, "query %s is defined twice", s->items[i].name);
        size_t at = chop_hash_text(s->items[i].name);
        while (s->hash[at & (s->hash_size - 1)]) at++;
        s->hash[at & (s->hash_size - 1)] = (uint32_t)i + 1;
    }
    return NULL;
}

static void store_free_p(struct db_store **s) {
    db_store_free(*s);
}

chop_err db_store_new(const char *const *texts, struct db_store **ret_store) {
    CHOP_CLEANUP(store_free_p) struct db_store *s = calloc(1, sizeof *s);
    if (!s) return CHOP_ERR(EMEMORY);
    for (; texts[s->n_texts]; s->n_texts++) TRY(parse(s, s->n_texts, texts[s->n_texts]));
    TRY(index_names(s));
    *ret_store = CHOP_STEAL(s);
    return NULL;
}

void db_store_free(struct db_store *s) {
    if (!s) return;
    for (size_t i = 0; i < s->count; i++) {
        free((char *)(uintptr_t)s->items[i].name);
        free((char *)(uintptr_t)s->items[i].sql);
    }
    free(s->items);
    free(s->hash);
    free(s);
}
