/* unit_crypto_hpke: RFC 9180 A.3 (DHKEM(P-256), HKDF-SHA256, AES-128-GCM), base mode; AES-256-GCM boxes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "crypto_internal.h"
#include "unit_crypto_pem.h"

#define assert_err(e, name) assert_ptr_equal((e), CHOP_ERR(name))

#define SK_E "4995788ef4b9d6132b249ce59a77281493eb39af373d236a1fe415cb0c2d7beb"
#define PK_E                                                                                                           \
    "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e5b7f951c0900be863c403ce65c9b" \
    "fcb9382657222d18c4"
#define SK_R "f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2"
#define PK_R                                                                                                           \
    "04fe8c19ce0905191ebc298a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80e30f1d" \
    "128aafd68a2ce72ea0"
#define INFO "4f6465206f6e2061204772656369616e2055726e"
#define PLAIN "4265617574792069732074727574682c20747275746820626561757479"
#define AAD "436f756e742d30"
#define CIPHER "5ad590bb8baa577f8619db35a36311226a896e7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434"

static struct arena *mem;

static int setup(void **state) {
    (void)state;
    return (mem = arena_new((size_t)4 << 20)) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    arena_free(mem);
    return 0;
}

static struct chop_bytes unhex(const char *text) {
    size_t n = strlen(text) / 2;
    uint8_t *p = arena_alloc(mem, n + 1);
    assert_true(p && chop_unhex(text, p, n));
    return CHOP_BYTES(p, n);
}

static struct crypto_key *key(const char *scalar, const char *point) {
    struct crypto_key *k = NULL;
    char pem[512];
    test_private_pem(unhex(scalar).p, unhex(point).p, pem, sizeof pem);
    assert_null(crypto_key_from_pem(chop_str(pem), &k));
    return k;
}

static void test_vector(void **state) {
    (void)state;
    struct crypto_key *e = key(SK_E, PK_E), *r = key(SK_R, PK_R);
    struct chop_bytes sealed, plain, want = unhex(PK_E CIPHER);
    assert_null(crypto_hpke_seal_with(e, unhex(PK_R).p, unhex(INFO), unhex(AAD), unhex(PLAIN), mem, &sealed));
    assert_true(chop_bytes_equal(sealed, want));
    assert_null(crypto_hpke_open(r, unhex(INFO), unhex(AAD), want, mem, &plain));
    assert_true(chop_bytes_equal(plain, unhex(PLAIN)));
    crypto_key_free(e);
    crypto_key_free(r);
}

static void test_round_trip(void **state) {
    (void)state;
    struct crypto_key *r = NULL;
    uint8_t point[65];
    assert_null(crypto_key_generate(CRYPTO_ES256, &r));
    assert_null(crypto_key_point(r, point));
    static const size_t sizes[] = { 0, 1, 15, 16, 17, 200000 };
    for (size_t i = 0; i < CHOP_COUNT(sizes); i++) {
        uint8_t *text = arena_alloc(mem, sizes[i] + 1);
        chop_random(text, sizes[i]);
        struct chop_bytes in = CHOP_BYTES(text, sizes[i]), a, b, back;
        assert_null(crypto_hpke_seal(point, chop_str("i"), chop_str("a"), in, mem, &a));
        assert_null(crypto_hpke_seal(point, chop_str("i"), chop_str("a"), in, mem, &b));
        assert_int_equal(a.n, in.n + CRYPTO_HPKE_OVERHEAD);
        assert_false(chop_bytes_equal(a, b)); /* a fresh ephemeral key each time */
        assert_null(crypto_hpke_open(r, chop_str("i"), chop_str("a"), a, mem, &back));
        assert_true(chop_bytes_equal(in, back));
    }
    crypto_key_free(r);
}

static void test_tampering(void **state) {
    (void)state;
    struct crypto_key *r = key(SK_R, PK_R), *other = NULL, *sm = NULL, *pub = NULL;
    struct chop_bytes info = unhex(INFO), aad = unhex(AAD), sealed = unhex(PK_E CIPHER), out = { NULL, 0 };
    uint8_t *p = (uint8_t *)(uintptr_t)sealed.p;
    for (size_t i = 0; i < sealed.n; i++) {
        p[i] ^= 0x20;
        assert_err(crypto_hpke_open(r, info, aad, sealed, mem, &out), EMISMATCH);
        p[i] ^= 0x20;
    }
    for (size_t n = 0; n < sealed.n; n++)
        assert_err(crypto_hpke_open(r, info, aad, CHOP_BYTES(p, n), mem, &out), EMISMATCH);
    assert_err(crypto_hpke_open(r, chop_str("other"), aad, sealed, mem, &out), EMISMATCH);
    assert_err(crypto_hpke_open(r, info, chop_str("Count-1"), sealed, mem, &out), EMISMATCH);
    assert_null(crypto_key_generate(CRYPTO_ES256, &other));
    assert_null(crypto_key_generate(CRYPTO_SM2, &sm));
    assert_null(crypto_key_from_spki(crypto_key_spki(r), &pub));
    assert_err(crypto_hpke_open(other, info, aad, sealed, mem, &out), EMISMATCH);
    assert_err(crypto_hpke_open(sm, info, aad, sealed, mem, &out), EINVAL);
    assert_err(crypto_hpke_open(pub, info, aad, sealed, mem, &out), EINVAL);
    assert_null(out.p);
    uint8_t point[65];
    memcpy(point, unhex(PK_R).p, 65);
    point[64] ^= 1;
    assert_err(crypto_hpke_seal(point, info, aad, chop_str("x"), mem, &out), EINVAL);
    crypto_key_free(r);
    crypto_key_free(other);
    crypto_key_free(sm);
    crypto_key_free(pub);
}

/* Known answer: all-zero key and nonce over 16 zero bytes (GCM specification, test case 14). */
static void test_box(void **state) {
    (void)state;
    uint8_t key[32] = { 0 };
    struct chop_bytes box, again, out = { NULL, 0 };
    struct chop_bytes known =
        unhex("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    assert_null(crypto_box_open(key, CHOP_BYTES(NULL, 0), known, mem, &out));
    assert_true(chop_bytes_equal(out, unhex("00000000000000000000000000000000")));
    chop_random(key, sizeof key);
    assert_null(crypto_box_seal(key, chop_str("row 1"), chop_str("a secret"), mem, &box));
    assert_null(crypto_box_seal(key, chop_str("row 1"), chop_str("a secret"), mem, &again));
    assert_false(chop_bytes_equal(box, again));
    assert_null(crypto_box_open(key, chop_str("row 1"), box, mem, &out));
    assert_true(chop_bytes_equal(out, chop_str("a secret")));
    assert_err(crypto_box_open(key, chop_str("row 2"), box, mem, &out), EMISMATCH);
    uint8_t *p = (uint8_t *)(uintptr_t)box.p;
    for (size_t i = 0; i < box.n; i++) {
        p[i] ^= 1;
        assert_err(crypto_box_open(key, chop_str("row 1"), box, mem, &out), EMISMATCH);
        p[i] ^= 1;
        assert_err(crypto_box_open(key, chop_str("row 1"), CHOP_BYTES(p, i), mem, &out), EMISMATCH);
    }
    key[0] ^= 1;
    assert_err(crypto_box_open(key, chop_str("row 1"), box, mem, &out), EMISMATCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_box),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
