/* PEM and DER of test keys, made on the spot: no private key block lies in the repository. */
#pragma once
#include "base.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

__attribute__((unused)) static void test_pem(const char *name, struct chop_bytes der, char *out, size_t size) {
    unsigned char base64[1024];
    (void)EVP_EncodeBlock(base64, der.p, (int)der.n);
    int used = snprintf(out, size, "-----BEGIN %s-----\n", name);
    for (size_t i = 0; i < strlen((char *)base64); i += 64)
        used += snprintf(out + used, size - (size_t)used, "%.64s\n", (char *)base64 + i);
    (void)snprintf(out + used, size - (size_t)used, "-----END %s-----\n", name);
}

/* PKCS#8 of a P-256 key (RFC 5915 within RFC 5958). */
__attribute__((unused)) static void test_private_pem(
    const uint8_t scalar[32], const uint8_t point[65], char *out, size_t size) {
    static const char head[] = "\x30\x81\x87\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86"
                               "\x48\xce\x3d\x03\x01\x07\x04\x6d\x30\x6b\x02\x01\x01\x04\x20";
    uint8_t der[138];
    memcpy(der, head, 36);
    memcpy(der + 36, scalar, 32);
    memcpy(der + 68, "\xa1\x44\x03\x42\x00", 5);
    memcpy(der + 73, point, 65);
    test_pem("PRIVATE KEY", CHOP_BYTES(der, sizeof der), out, size);
}

/* r||s of a DER signature. */
__attribute__((unused)) static void test_der_to_raw(const uint8_t *der, size_t n, uint8_t out[64]) {
    memset(out, 0, 64);
    size_t at = 2;
    for (int i = 0; i < 2 && at + 2 < n; i++) {
        size_t len = der[at + 1], skip = len > 32 ? len - 32 : 0;
        memcpy(out + 32 * i + 32 - (len - skip), der + at + 2 + skip, len - skip);
        at += 2 + len;
    }
}
