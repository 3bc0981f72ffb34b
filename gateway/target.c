#include "target.h"

#include "pbjson.h"

#include <string.h>

#define MAX_PARAMETERS 32

static int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

chop_err target_decode(struct chop_bytes raw, bool query, struct arena *mem, char **ret_text) {
    char *text = arena_alloc(mem, raw.n + 1), *w = text;
    if (!text) return CHOP_ERR(EMEMORY);
    const char *p = (const char *)raw.p, *end = p + raw.n;
    while (p < end) {
        if (*p != '%') {
            *w++ = query && *p == '+' ? ' ' : *p;
            p++;
            continue;
        }
        int hi = end - p > 2 ? hex(p[1]) : -1, lo = end - p > 2 ? hex(p[2]) : -1;
        if (hi < 0 || lo < 0) return CHOP_FAIL(EINVAL, NULL, "a malformed escape in the target");
        *w++ = (char)(hi << 4 | lo);
        p += 3;
    }
    /* This refuses %00, too. */
    if (!chop_utf8_valid(text, (size_t)(w - text))) return CHOP_FAIL(EINVAL, NULL, "the target is not UTF-8");
    *ret_text = text;
    return NULL;
}

struct parameter {
    struct chop_bytes name, value;
};

/* Takes the next parameter off *rest; false at the end. */
static bool parameter_next(const char **rest, struct parameter *ret) {
    while (**rest == '&')
        (*rest)++;
    if (**rest == 0) return false;
    size_t n = strcspn(*rest, "&"), name = strcspn(*rest, "=&");
    *ret = (struct parameter){ CHOP_BYTES(*rest, name), CHOP_BYTES(*rest + name, 0) };
    if (name < n) ret->value = CHOP_BYTES(*rest + name + 1, n - name - 1);
    *rest += n;
    return true;
}

chop_err target_query_into(const char *query, void *message, struct arena *mem) {
    struct parameter p;
    for (int count = 0; parameter_next(&query, &p); count++) {
        char *name, *value;
        if (count == MAX_PARAMETERS) return CHOP_FAIL(ELIMIT, NULL, "too many query parameters");
        TRY(target_decode(p.name, true, mem, &name));
        TRY(target_decode(p.value, true, mem, &value));
        TRY(pbjson_set(message, name, value, mem));
    }
    return NULL;
}

chop_err target_query_find(const char *query, const char *name, struct arena *mem, char **ret_value) {
    struct parameter p;
    *ret_value = NULL;
    while (parameter_next(&query, &p))
        if (chop_bytes_equal(p.name, chop_str(name))) return target_decode(p.value, true, mem, ret_value);
    return NULL;
}
