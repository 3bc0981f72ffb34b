#include "crypto_internal.h"

#include <limits.h>
#include <openssl/err.h>
#include <string.h>

static bool gcm_feed(EVP_CIPHER_CTX *ctx, uint8_t *out, struct chop_bytes in) {
    int n = 0;
    return in.n == 0 || EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1;
}

/* Runs the cipher over aad and text; the tag is set before (opening) or read after (sealing). */
static bool gcm_run(
    EVP_CIPHER_CTX *ctx, const struct gcm *g, bool seal, struct chop_bytes in, uint8_t *out, uint8_t tag[GCM_TAG]) {
    int n = 0;
    if (EVP_CipherInit_ex2(ctx, g->cipher, g->key, g->nonce, seal, NULL) != 1) return false;
    if (!seal && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GCM_TAG, tag) != 1) return false;
    if (!gcm_feed(ctx, NULL, g->aad) || !gcm_feed(ctx, out, in)) return false;
    if (EVP_CipherFinal_ex(ctx, out + in.n, &n) != 1) return false;
    return !seal || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GCM_TAG, tag) == 1;
}

chop_err crypto_gcm_seal(const struct gcm *g, struct chop_bytes plain, uint8_t *out) {
    if (plain.n > INT_MAX || g->aad.n > INT_MAX) return CHOP_ERR(ELIMIT);
    uint8_t tag[GCM_TAG];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && gcm_run(ctx, g, true, plain, out, tag);
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) return crypto_failed("encrypting");
    memcpy(out + plain.n, tag, GCM_TAG);
    return NULL;
}

chop_err crypto_gcm_open(const struct gcm *g, struct chop_bytes sealed, uint8_t *out) {
    if (sealed.n < GCM_TAG) return CHOP_FAIL(EMISMATCH, NULL, "the sealed text is cut");
    if (sealed.n > INT_MAX || g->aad.n > INT_MAX) return CHOP_ERR(ELIMIT);
    struct chop_bytes text = CHOP_BYTES(sealed.p, sealed.n - GCM_TAG);
    uint8_t tag[GCM_TAG];
    memcpy(tag, sealed.p + text.n, GCM_TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx && gcm_run(ctx, g, false, text, out, tag);
    EVP_CIPHER_CTX_free(ctx);
    ERR_clear_error();
    return ok ? NULL : CHOP_FAIL(EMISMATCH, NULL, "the sealed text was changed or is for another key");
}

chop_err crypto_box_seal(const uint8_t key[32], struct chop_bytes aad, struct chop_bytes plain, struct arena *mem,
    struct chop_bytes *ret_box) {
    if (plain.n > INT_MAX) return CHOP_ERR(ELIMIT);
    size_t n = GCM_NONCE + plain.n + GCM_TAG;
    uint8_t *box = arena_alloc(mem, n);
    if (!box) return CHOP_ERR(EMEMORY);
    chop_random(box, GCM_NONCE);
    struct gcm g = { crypto_algs()->aes256gcm, key, box, aad };
    TRY(crypto_gcm_seal(&g, plain, box + GCM_NONCE));
    *ret_box = CHOP_BYTES(box, n);
    return NULL;
}

chop_err crypto_box_open(const uint8_t key[32], struct chop_bytes aad, struct chop_bytes box, struct arena *mem,
    struct chop_bytes *ret_plain) {
    if (box.n < GCM_NONCE + GCM_TAG) return CHOP_FAIL(EMISMATCH, NULL, "the sealed text is cut");
    size_t n = box.n - GCM_NONCE - GCM_TAG;
    uint8_t *plain = arena_alloc(mem, n + 1);
    if (!plain) return CHOP_ERR(EMEMORY);
    struct gcm g = { crypto_algs()->aes256gcm, key, box.p, aad };
    TRY(crypto_gcm_open(&g, CHOP_BYTES(box.p + GCM_NONCE, box.n - GCM_NONCE), plain));
    *ret_plain = CHOP_BYTES(plain, n);
    return NULL;
}
