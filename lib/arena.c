#include "arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CHUNK ((size_t)16 << 10)
#define ALIGN sizeof(max_align_t)

struct chunk {
    struct chunk *next;
    size_t size, used;
    max_align_t data[];
};

struct arena {
    struct chunk *head, *first;
    size_t limit, taken;
    bool failed;
};

static struct chunk *chunk_new(size_t size) {
    struct chunk *c = malloc(sizeof *c + size);
    if (c) *c = (struct chunk){ .size = size };
    return c;
}

struct arena *arena_new(size_t limit) {
    struct arena *a = calloc(1, sizeof *a);
    struct chunk *c = chunk_new(FIRST_CHUNK);
    if (!a || !c) {
        free(a);
        free(c);
        return NULL;
    }
    a->limit = limit;
    a->head = a->first = c;
    return a;
}

void arena_reset(struct arena *a) {
    while (a->head != a->first) {
        struct chunk *next = a->head->next;
        free(a->head);
        a->head = next;
    }
    a->first->used = 0;
    a->taken = 0;
    a->failed = false;
}

void arena_free(struct arena *a) {
    if (!a) return;
    arena_reset(a);
    free(a->first);
    free(a);
}

void *arena_alloc(struct arena *a, size_t n) {
    size_t need = n > SIZE_MAX - ALIGN ? SIZE_MAX : (n + ALIGN - 1) / ALIGN * ALIGN;
    if (need > a->limit - a->taken) {
        a->failed = true;
        return NULL;
    }
    if (a->head->size - a->head->used < need) {
        struct chunk *c = chunk_new(need > 4 * FIRST_CHUNK ? need : 4 * FIRST_CHUNK);
        if (!c) {
            a->failed = true;
            return NULL;
        }
        c->next = a->head;
        a->head = c;
    }
    void *p = (uint8_t *)a->head->data + a->head->used;
    a->head->used += need;
    a->taken += need;
    return memset(p, 0, need);
}

void *arena_array(struct arena *a, size_t size, size_t n) {
    size_t total;
    if (__builtin_mul_overflow(size, n, &total)) total = SIZE_MAX;
    return arena_alloc(a, total);
}

char *arena_strn(struct arena *a, const char *s, size_t n) {
    static char empty[1];
    char *copy = arena_alloc(a, n + 1);
    if (!copy) return empty;
    return n ? memcpy(copy, s, n) : copy; /* s may be NULL then */
}

char *arena_str(struct arena *a, const char *s) {
    return arena_strn(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...) {
    static char empty[1];
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (s) (void)vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s ? s : empty;
}

struct chop_bytes arena_copy(struct arena *a, struct chop_bytes b) {
    return CHOP_BYTES(arena_strn(a, (const char *)b.p, b.n), arena_failed(a) ? 0 : b.n);
}

char *arena_hex(struct arena *a, struct chop_bytes b) {
    static char empty[1];
    char *s = arena_alloc(a, 2 * b.n + 1);
    if (!s) return empty;
    chop_hex(b.p, b.n, s);
    return s;
}

bool arena_failed(const struct arena *a) {
    return a->failed;
}
