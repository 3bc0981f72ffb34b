/* base: what every file of the project may use: errors, bytes, clock, ids, cleanup. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- errors ------------------------------------------------------------------------------
 * A chop_err is a pointer to a constant row; NULL is success. The list below is the only one:
 * the bus carries `name`, the gateway answers `http`, docs/errors.md is printed from it.
 *   X(name, http status, retryable, text) */
#define CHOP_ERRORS(X)                                                                        \
    X(EINVAL, 400, false, "a field is missing or malformed")                                  \
    X(ELIMIT, 413, false, "a size, count or depth is above its limit")                        \
    X(EAUTH, 401, false, "authentication is missing, wrong or expired")                       \
    X(EDENIED, 403, false, "not permitted")                                                   \
    X(ENOTFOUND, 404, false, "no such object")                                                \
    X(EMETHOD, 405, false, "this path does not take this method")                             \
    X(EEXISTS, 409, false, "an object with this key exists already")                          \
    X(ESTATE, 409, false, "the object's state does not allow this")                           \
    X(EUSED, 409, false, "used already: it works once")                                       \
    X(EOVERRUN, 409, false, "more impressions than were granted")                             \
    X(EEXPIRED, 410, false, "its time is over")                                               \
    X(EMISMATCH, 422, false, "a digest, proof or binding does not match")                     \
    X(ESIGNATURE, 422, false, "a signature does not verify")                                  \
    X(EUNPAIRED, 422, false, "the printer does not know this terminal")                       \
    X(ECLAUSE, 422, false, "the proof does not satisfy the required factors")                 \
    X(EMISTYPED, 422, false, "the check digit says this was mistyped")                        \
    X(EELSEWHERE, 422, false, "this code leads to another place")                             \
    X(EBUSY, 503, true, "too many calls are waiting")                                         \
    X(ETHROTTLED, 429, true, "too many tries: wait")                                          \
    X(ESERIAL, 503, true, "a concurrent change won: try again")                               \
    X(ESTORE, 503, true, "the store is unavailable")                                          \
    X(EBUS, 503, true, "the bus is unavailable")                                              \
    X(ETIMEOUT, 504, true, "no answer in time")                                               \
    X(EUNREACHABLE, 504, true, "the device or peer does not answer")                          \
    X(EPEER, 502, true, "a peer answered with an error or a lie")                             \
    X(EMEMORY, 503, true, "out of memory for this call")                                      \
    X(EINTERNAL, 500, false, "internal error")

struct chop_errinfo {
    const char *name; /* stable code on the wire: "EDENIED" */
    int http;
    bool retryable;
    const char *text;
};
typedef const struct chop_errinfo *chop_err;

enum chop_errno {
#define X(name, http, retry, text) CHOP_E_##name,
    CHOP_ERRORS(X)
#undef X
        CHOP_E_COUNT
};
extern const struct chop_errinfo chop_errors[CHOP_E_COUNT];

/* CHOP_ERR(EDENIED): the row itself. */
#define CHOP_ERR(name) (&chop_errors[CHOP_E_##name])

#define CHOP_MUSTCHECK __attribute__((warn_unused_result))
#define CHOP_PRINTF(f, a) __attribute__((format(printf, f, a)))

#define TRY(e)                                                                                \
    do {                                                                                      \
        chop_err e_ = (e);                                                                    \
        if (e_) return e_;                                                                    \
    } while (0)

/* Sets the thread's error detail and returns `e`: return CHOP_FAIL(EINVAL, "pages", "0 is below 1");
 * `field` is the JSON path of the offending field, or NULL. The detail is what the caller reads: no secrets. */
/* Pastes the name itself: through CHOP_ERR it would first become errno.h's number (EINVAL, EBUSY). */
#define CHOP_FAIL(name, field, ...) chop_fail(&chop_errors[CHOP_E_##name], field, __VA_ARGS__)
chop_err chop_fail(chop_err e, const char *field, const char *fmt, ...) CHOP_PRINTF(3, 4) CHOP_MUSTCHECK
    __attribute__((returns_nonnull));
/* The last detail of this thread ("" where none was set), valid until the next chop_fail or chop_detail_clear. */
const char *chop_detail_text(void);
const char *chop_detail_field(void);
void chop_detail_clear(void);
/* The row with this wire name; EINTERNAL where unknown. */
chop_err chop_err_by_name(const char *name);

/* ---- bytes ------------------------------------------------------------------------------- */
struct chop_bytes { /* borrowed; never zero-terminated by promise */
    const uint8_t *p;
    size_t n;
};
#define CHOP_BYTES(ptr, len) ((struct chop_bytes){ (const uint8_t *)(ptr), (len) })
static inline struct chop_bytes chop_str(const char *s) {
    return CHOP_BYTES(s, __builtin_strlen(s));
}
bool chop_bytes_equal(struct chop_bytes a, struct chop_bytes b); /* not constant time */

/* FNV-1a, 64 bits: for tables and for spreading work; nothing that a stranger chooses may rest on it. Its values stand
 * in stores (partitions of events), so it never changes. */
uint64_t chop_hash_text(const char *s);

/* Lower-case hex of n bytes into out[2n+1]. */
void chop_hex(const uint8_t *p, size_t n, char *out);
/* Reads exactly n bytes from 2n hex digits of either case; false where text is anything else. */
bool chop_unhex(const char *text, uint8_t *out, size_t n);
/* Whether s is valid UTF-8 (RFC 3629: no surrogates, no overlongs) without NUL. */
bool chop_utf8_valid(const char *s, size_t n);

/* ---- clock and ids ----------------------------------------------------------------------- */
int64_t chop_now_ms(void);  /* UTC, milliseconds since 1970; CHOP_TEST_CLOCK_OFFSET_MS shifts it */
int64_t chop_mono_ns(void); /* monotonic */
void chop_random(void *out, size_t n); /* getrandom(2); aborts if the kernel has none */
/* A new id: prefix, '_' and 26 lower-case Crockford Base32 letters: 48 bits of time, 80 random (ULID order).
 * out holds CHOP_ID_MAX bytes; prefix at most 5 letters. */
#define CHOP_ID_MAX 33
void chop_id_new(const char *prefix, char out[CHOP_ID_MAX]);
/* Whether s is an id with this prefix. */
bool chop_id_valid(const char *s, const char *prefix);

/* ---- cleanup ----------------------------------------------------------------------------- */
#define CHOP_CLEANUP(f) __attribute__((cleanup(f)))
void chop_free_p(void *pp); /* free(*(void **)pp) */
void chop_close_p(int *fd);
#define CHOP_FREE CHOP_CLEANUP(chop_free_p)
#define CHOP_STEAL(v)                                                                         \
    ({                                                                                        \
        __typeof__(v) v_ = (v);                                                               \
        (v) = NULL;                                                                           \
        v_;                                                                                   \
    })
#define CHOP_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- failpoints (only in builds with CHOP_FAILPOINTS) -------------------------------------
 * CHOP_FAILPOINT="name[:k]" with CHOP_FAILPOINT_FILE=path: the k-th time (default first) the process comes by
 * `name` it appends the name to the file and dies by SIGKILL, unless the file says it did so already. */
#ifdef CHOP_FAILPOINTS
void chop_failpoint(const char *name);
#else
#define chop_failpoint(name) ((void)0)
#endif
