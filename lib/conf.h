/* conf: configuration as a typed table that prints itself. Values come from the environment: CHOP_<SERVICE>_<KEY>,
 * and for secrets from a file named by CHOP_<SERVICE>_<KEY>_FILE. */
#pragma once
#include "base.h"

enum conf_type { CONF_STR, CONF_INT, CONF_BOOL };
enum conf_flag { CONF_SECRET = 1, CONF_REQUIRED = 2 };

struct conf_row {
    const char *key; /* "WORKERS" */
    enum conf_type type;
    size_t offset; /* of a `const char *`, `int64_t` or `bool` in the configuration struct */
    const char *fallback;
    int64_t min, max; /* of CONF_INT; of a string's length where max > 0 */
    unsigned flags;
    const char *doc;
};
#define CONF_END { .key = NULL }

/* Reads all rows into `into` (strings live as long as the process). EINVAL names the variable. */
chop_err conf_load(const char *service, const struct conf_row *rows, void *into) CHOP_MUSTCHECK;
/* Prints every row with its variable, value (secrets redacted), bounds and doc. */
void conf_print(const char *service, const struct conf_row *rows, const void *values);
/* Reads a small file (at most `limit` bytes) into malloc'ed, zero-terminated memory. */
chop_err conf_read_file(const char *path, size_t limit, char **ret_text, size_t *ret_len) CHOP_MUSTCHECK;
/* A symmetric key: a file of 32 bytes, or of 64 hex digits, that neither group nor others may read. EINVAL names `field`. */
chop_err conf_read_key(const char *field, const char *path, uint8_t out[32]) CHOP_MUSTCHECK;
