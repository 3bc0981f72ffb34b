#include "platform.h"

#include <stdlib.h>
#include <string.h>

static void platform_sha256(void *ctx, struct chop_bytes data, uint8_t out[32]) {
    (void)ctx;
    crypto_sha256(data, out);
}

static void platform_hmac(void *ctx, struct chop_bytes key, struct chop_bytes data, uint8_t out[32]) {
    (void)ctx;
    crypto_hmac_sha256(key, data, out);
}

static bool platform_equal(void *ctx, const void *a, const void *b, size_t n) {
    (void)ctx;
    return crypto_equal(a, b, n);
}

static chop_err join(struct chop_bytes head, struct chop_bytes body, uint8_t **ret_text) {
    uint8_t *text = malloc(head.n + body.n + 1);
    if (!text) return CHOP_ERR(EMEMORY);
    memcpy(text, head.p, head.n);
    if (body.n) memcpy(text + head.n, body.p, body.n);
    *ret_text = text;
    return NULL;
}

static chop_err platform_verify(void *ctx, const char *algorithm, struct chop_bytes spki, struct chop_bytes head,
    struct chop_bytes body, struct chop_bytes signature) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *key = NULL;
    CHOP_FREE uint8_t *text = NULL;
    (void)ctx;
    if (crypto_key_from_spki(spki, &key)) return CHOP_ERR(ESIGNATURE);
    if (algorithm[0] && strcmp(crypto_alg_name(crypto_key_alg(key)), algorithm) != 0) return CHOP_ERR(ESIGNATURE);
    TRY(join(head, body, &text));
    return crypto_verify(key, CHOP_BYTES(text, head.n + body.n), signature);
}

static chop_err platform_sign(void *ctx, struct chop_bytes head, struct chop_bytes body, uint8_t out[64]) {
    CHOP_FREE uint8_t *text = NULL;
    struct platform *p = ctx;
    TRY(join(head, body, &text));
    return crypto_sign(p->sign_key, CHOP_BYTES(text, head.n + body.n), out);
}

static chop_err platform_open(
    void *ctx, struct chop_bytes info, struct chop_bytes aad, struct chop_bytes sealed, uint8_t *out, size_t *ret_n) {
    struct platform *p = ctx;
    struct chop_bytes plain;
    arena_reset(p->mem);
    TRY(crypto_hpke_open(p->seal_key, info, aad, sealed, p->mem, &plain));
    if (plain.n > sealed.n) return CHOP_ERR(EINTERNAL);
    memcpy(out, plain.p, plain.n);
    *ret_n = plain.n;
    return NULL;
}

static void platform_random(void *ctx, void *out, size_t n) {
    (void)ctx;
    chop_random(out, n);
}

static int64_t platform_now(void *ctx) {
    (void)ctx;
    return chop_now_ms();
}

struct printer_platform platform_of(struct platform *p) {
    return (struct printer_platform){
        .ctx = p,
        .sha256 = platform_sha256,
        .hmac_sha256 = platform_hmac,
        .equal = platform_equal,
        .verify = platform_verify,
        .sign = platform_sign,
        .open = platform_open,
        .random = platform_random,
        .now = platform_now,
    };
}
