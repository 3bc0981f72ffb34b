#include "conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE_MAX ((size_t)64 << 10)

/* CHOP_FILING_RELAY_WORKERS of "filing-relay" and "WORKERS". */
static void variable_name(const char *service, const char *key, char *out, size_t size) {
    (void)snprintf(out, size, "CHOP_%s_%s", service, key);
    for (char *p = out; *p; p++) *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
}

chop_err conf_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_len) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    CHOP_FREE char *text = malloc(limit + 2);
    if (!text) return CHOP_ERR(EMEMORY);
    size_t n = 0;
    while (n <= limit) {
        ssize_t got = read(fd, text + n, limit + 1 - n);
        if (got < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
        if (got == 0) break;
        n += (size_t)got;
    }
    if (n > limit) return CHOP_FAIL(ELIMIT, NULL, "%s: above %zu bytes", path, limit);
    text[n] = 0;
    *ret_len = n;
    *ret_text = CHOP_STEAL(text);
    return NULL;
}

chop_err conf_read_key(const char *field, const char *path, uint8_t out[32]) {
    struct stat st;
    CHOP_FREE char *text = NULL;
    size_t n;
    if (stat(path, &st) == 0 && st.st_mode & 077) return CHOP_FAIL(EINVAL, field, "group or others may read %s", path);
    TRY(conf_read_file(path, 80, &text, &n));
    bool raw = n == 32;
    if (raw) memcpy(out, text, 32);
    text[strcspn(text, "\r\n")] = 0;
    bool good = raw || chop_unhex(text, out, 32);
    explicit_bzero(text, n);
    return good ? NULL : CHOP_FAIL(EINVAL, field, "needs 32 bytes or 64 hex digits");
}

/* The value as text: the variable, else the file that <variable>_FILE names (secrets only), else the default. */
static chop_err find_value(const char *variable, const struct conf_row *row, const char **ret_value) {
    const char *value = getenv(variable);
    char file_variable[128];
    (void)snprintf(file_variable, sizeof file_variable, "%s_FILE", variable);
    const char *path = row->flags & CONF_SECRET ? getenv(file_variable) : NULL;
    if (path && *path) {
        char *text;
        size_t n;
        TRY(conf_read_file(path, VALUE_MAX, &text, &n));
        text[strcspn(text, "\r\n")] = 0;
        value = text; /* lives as long as the process */
    }
    *ret_value = value && *value ? value : row->fallback;
    return NULL;
}

static chop_err store_int(const struct conf_row *row, const char *variable, const char *value, int64_t *slot) {
    char *end;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (errno || *end || end == value) return CHOP_FAIL(EINVAL, variable, "\"%s\" is not a whole number", value);
    if (n < row->min || n > row->max)
        return CHOP_FAIL(EINVAL, variable, "%lld is not within %lld to %lld", n, (long long)row->min, (long long)row->max);
    *slot = n;
    return NULL;
}

static chop_err store_bool(const char *variable, const char *value, bool *slot) {
    static const char *const yes[] = { "1", "true", "yes", "on" }, *const no[] = { "0", "false", "no", "off" };
    for (size_t i = 0; i < CHOP_COUNT(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *slot = strcmp(value, yes[i]) == 0;
            return NULL;
        }
    }
    return CHOP_FAIL(EINVAL, variable, "\"%s\" is neither true nor false", value);
}

static chop_err load_row(const char *service, const struct conf_row *row, void *into) {
    char variable[96];
    variable_name(service, row->key, variable, sizeof variable);
    const char *value;
    TRY(find_value(variable, row, &value));
    void *slot = (char *)into + row->offset;
    if (!value || !*value) {
        if (row->flags & CONF_REQUIRED) return CHOP_FAIL(EINVAL, variable, "is required: %s", row->doc);
        if (row->type == CONF_STR) *(const char **)slot = value ? value : "";
        return NULL;
    }
    if (row->type == CONF_INT) return store_int(row, variable, value, slot);
    if (row->type == CONF_BOOL) return store_bool(variable, value, slot);
    if (row->max > 0 && (int64_t)strlen(value) > row->max)
        return CHOP_FAIL(EINVAL, variable, "is longer than %lld characters", (long long)row->max);
    *(const char **)slot = value;
    return NULL;
}

chop_err conf_load(const char *service, const struct conf_row *rows, void *into) {
    for (const struct conf_row *row = rows; row && row->key; row++) TRY(load_row(service, row, into));
    return NULL;
}

void conf_print(const char *service, const struct conf_row *rows, const void *values) {
    for (const struct conf_row *row = rows; row && row->key; row++) {
        char variable[96];
        variable_name(service, row->key, variable, sizeof variable);
        const void *slot = (const char *)values + row->offset;
        printf("# %s%s\n", row->doc, row->flags & CONF_REQUIRED ? " (required)" : "");
        if (row->type == CONF_INT)
            printf("# %lld to %lld\n%s=%lld\n", (long long)row->min, (long long)row->max, variable,
                (long long)*(const int64_t *)slot);
        else if (row->type == CONF_BOOL)
            printf("%s=%s\n", variable, *(const bool *)slot ? "true" : "false");
        else {
            const char *text = *(const char *const *)slot;
            printf("%s=%s\n", variable, !text ? "" : row->flags & CONF_SECRET && *text ? "(secret)" : text);
        }
    }
}
