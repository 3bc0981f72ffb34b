#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"

static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; (p = strstr(p, name)) != NULL; p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == 0 || p[n] == ' ')) return true;
    return false;
}

chop_err args_check(const struct args *a, const char *values, const char *flags, int words) {
    for (int i = 0; i < a->n; i++) {
        bool dashed = strncmp(a->v[i], "--", 2) == 0;
        if (dashed && listed(flags, a->v[i])) continue;
        if (!dashed && words-- > 0) continue;
        if (!dashed || !listed(values, a->v[i])) return CHOP_FAIL(EINVAL, a->v[i], "is no option of this command");
        if (++i == a->n) return CHOP_FAIL(EINVAL, a->v[i - 1], "wants a value");
    }
    return NULL;
}

const char *args_text(const struct args *a, const char *name, const char *fallback) {
    for (int i = 0; i + 1 < a->n; i++)
        if (strcmp(a->v[i], name) == 0) return a->v[i + 1];
    return fallback;
}

chop_err args_int(const struct args *a, const char *name, long fallback, long low, long high, long *ret) {
    const char *text = args_text(a, name, NULL);
    if (!text && fallback >= low) {
        *ret = fallback;
        return NULL;
    }
    char *end = NULL;
    errno = 0;
    long v = text ? strtol(text, &end, 10) : 0;
    if (!text || *text == 0 || *end != 0 || errno || v < low || v > high)
        return CHOP_FAIL(EINVAL, name, "wants a number from %ld to %ld", low, high);
    *ret = v;
    return NULL;
}

bool args_flag(const struct args *a, const char *name) {
    for (int i = 0; i < a->n; i++)
        if (strcmp(a->v[i], name) == 0) return true;
    return false;
}

chop_err args_color(const char *text, uint8_t ret_rgb[3]) {
    if (strlen(text) != 6 || !chop_unhex(text, ret_rgb, 3)) return CHOP_FAIL(EINVAL, "color", "wants RRGGBB");
    return NULL;
}
