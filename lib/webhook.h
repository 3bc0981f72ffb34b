/* webhook: signatures of Standard Webhooks 1.0.0 (symmetric, v1), for who sends and who receives.
 * Signed is "<webhook-id>.<webhook-timestamp>.<body>"; the header is "v1,<Base64 of HMAC-SHA256>". */
#pragma once
#include "crypto.h"

#define WEBHOOK_SIGNATURE_MAX 48  /* "v1," 44 letters, NUL */
#define WEBHOOK_TOLERANCE_S 300   /* how far the timestamp may be from now */
#define WEBHOOK_SECRET_MAX 64

struct webhook_secret {
    uint8_t key[WEBHOOK_SECRET_MAX];
    size_t n;
};
/* "whsec_" and the Base64 of 24 to 64 bytes; white space at the end is ignored. EINVAL otherwise. */
chop_err webhook_secret_parse(const char *text, struct webhook_secret *ret_secret) CHOP_MUSTCHECK;
/* From a file that group and others must not read. */
chop_err webhook_secret_load(const char *path, struct webhook_secret *ret_secret) CHOP_MUSTCHECK;

chop_err webhook_sign(const struct webhook_secret *s, const char *id, int64_t timestamp_s, struct chop_bytes body,
    char out[WEBHOOK_SIGNATURE_MAX]) CHOP_MUSTCHECK;
/* EAUTH unless one of the space-separated signatures is right and the timestamp is near now. NULLs are absent headers. */
chop_err webhook_verify(const struct webhook_secret *s, const char *id, const char *timestamp, const char *signatures,
    struct chop_bytes body, int64_t now_s) CHOP_MUSTCHECK;
