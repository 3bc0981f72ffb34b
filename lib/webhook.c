#include "webhook.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_ID 128
static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648, section 4; out holds 4 * ((n + 2) / 3) + 1. */
static void base64(const uint8_t *p, size_t n, char *out) {
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)p[i] << 16;
        if (i + 1 < n) v |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < n) v |= p[i + 2];
        *out++ = letters[v >> 18];
        *out++ = letters[v >> 12 & 63];
        *out++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
        *out++ = i + 2 < n ? letters[v & 63] : '=';
    }
    *out = 0;
}

/* Reads n letters, padding at the end only, into at most `room` bytes. */
static bool unbase64(const char *text, size_t n, uint8_t *out, size_t room, size_t *ret_n) {
    size_t digits = n, got = 0;
    while (digits > 0 && n - digits < 2 && text[digits - 1] == '=') digits--;
    if (n % 4 != 0 || (digits * 6) / 8 > room) return false;
    uint32_t acc = 0;
    int held = 0;
    for (size_t i = 0; i < digits; i++) {
        const char *at = text[i] ? strchr(letters, text[i]) : NULL;
        if (!at) return false;
        acc = acc << 6 | (uint32_t)(at - letters);
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out[got++] = (uint8_t)(acc >> held);
    }
    *ret_n = got;
    return true;
}

chop_err webhook_secret_parse(const char *text, struct webhook_secret *ret_secret) {
    struct webhook_secret s;
    size_t n = strcspn(text, " \r\n\t");
    if (n < 6 || strncmp(text, "whsec_", 6) != 0 || text[n + strspn(text + n, " \r\n\t")] != 0)
        return CHOP_FAIL(EINVAL, NULL, "a webhook secret is whsec_ and Base64");
    if (!unbase64(text + 6, n - 6, s.key, sizeof s.key, &s.n) || s.n < 24)
        return CHOP_FAIL(EINVAL, NULL, "a webhook secret has 24 to 64 bytes in Base64");
    *ret_secret = s;
    return NULL;
}

chop_err webhook_secret_load(const char *path, struct webhook_secret *ret_secret) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return CHOP_FAIL(EINVAL, NULL, "%s: cannot be read", path);
    if (st.st_mode & 077) return CHOP_FAIL(EINVAL, NULL, "%s: others may read it (mode 0600 is wanted)", path);
    char text[256];
    ssize_t n = read(fd, text, sizeof text - 1);
    if (n < 0) return CHOP_FAIL(EINVAL, NULL, "%s: cannot be read", path);
    text[n] = 0;
    chop_err e = webhook_secret_parse(text, ret_secret);
    explicit_bzero(text, sizeof text);
    return e;
}

chop_err webhook_sign(const struct webhook_secret *s, const char *id, int64_t timestamp_s, struct chop_bytes body,
    char out[WEBHOOK_SIGNATURE_MAX]) {
    char head[MAX_ID + 32];
    int n = snprintf(head, sizeof head, "%s.%lld.", id, (long long)timestamp_s);
    if (n < 0 || (size_t)n >= sizeof head) return CHOP_FAIL(ELIMIT, NULL, "the webhook's id is too long");
    CHOP_FREE uint8_t *text = malloc((size_t)n + body.n);
    if (!text) return CHOP_ERR(EMEMORY);
    memcpy(text, head, (size_t)n);
    if (body.n) memcpy(text + n, body.p, body.n);
    uint8_t mac[32];
    crypto_hmac_sha256(CHOP_BYTES(s->key, s->n), CHOP_BYTES(text, (size_t)n + body.n), mac);
    memcpy(out, "v1,", 3);
    base64(mac, sizeof mac, out + 3);
    return NULL;
}

/* Whether `wanted` is one of the signatures of the header. */
static bool listed(const char *signatures, const char *wanted) {
    size_t n = strlen(wanted);
    bool found = false;
    for (const char *at = signatures; *at; at += strspn(at, " ")) {
        size_t len = strcspn(at, " ");
        found |= len == n && crypto_equal(at, wanted, n);
        at += len;
    }
    return found;
}

chop_err webhook_verify(const struct webhook_secret *s, const char *id, const char *timestamp, const char *signatures,
    struct chop_bytes body, int64_t now_s) {
    if (!id || !timestamp || !signatures) return CHOP_FAIL(EAUTH, NULL, "webhook-id, -timestamp and -signature are wanted");
    char *end;
    long long at = strtoll(timestamp, &end, 10);
    if (end == timestamp || *end || at < 0) return CHOP_FAIL(EAUTH, NULL, "webhook-timestamp is not a number");
    if (at < now_s - WEBHOOK_TOLERANCE_S || at > now_s + WEBHOOK_TOLERANCE_S)
        return CHOP_FAIL(EAUTH, NULL, "webhook-timestamp is more than %d s away", WEBHOOK_TOLERANCE_S);
    char wanted[WEBHOOK_SIGNATURE_MAX];
    TRY(webhook_sign(s, id, at, body, wanted));
    if (!listed(signatures, wanted)) return CHOP_FAIL(EAUTH, NULL, "the webhook signature does not verify");
    return NULL;
}
