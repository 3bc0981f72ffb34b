/* arena: memory that belongs to one call and is given back all at once. Not thread-safe. */
#pragma once
#include "base.h"

struct arena;
/* NULL when out of memory. `limit`: bytes that one call may take in all; beyond it allocations give NULL. */
struct arena *arena_new(size_t limit);
void arena_free(struct arena *a);
void arena_reset(struct arena *a); /* keeps the first chunk */

/* Zeroed, aligned for any type; NULL when the limit is reached. */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_array((a), sizeof(type), (n)))
void *arena_array(struct arena *a, size_t size, size_t n);
/* These return "" (never NULL) when memory is out, and set arena_failed(). */
char *arena_str(struct arena *a, const char *s);
char *arena_strn(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) CHOP_PRINTF(2, 3);
struct chop_bytes arena_copy(struct arena *a, struct chop_bytes b);
char *arena_hex(struct arena *a, struct chop_bytes b);
bool arena_failed(const struct arena *a); /* an allocation failed since the last reset */
