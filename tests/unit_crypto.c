/* unit_crypto: digests against known answers; keys and signatures, and everything that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto.h"
#include "unit_crypto_pem.h"

#define assert_err(e, name) assert_ptr_equal((e), CHOP_ERR(name))

static const enum crypto_alg algs[] = { CRYPTO_ES256, CRYPTO_ED25519, CRYPTO_SM2 };

static void assert_hex(const uint8_t *p, size_t n, const char *want) {
    char got[257];
    chop_hex(p, n, got);
    assert_string_equal(got, want);
}

/* ---- digests ---- */

static void test_digests(void **state) {
    (void)state;
    uint8_t out[32];
    crypto_sha256(chop_str("abc"), out); /* FIPS 180-4 */
    assert_hex(out, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_sha256(CHOP_BYTES(NULL, 0), out);
    assert_hex(out, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    crypto_sm3(chop_str("abc"), out); /* GB/T 32905, A.1 */
    assert_hex(out, 32, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
    crypto_hmac_sha256(chop_str("Jefe"), chop_str("what do ya want for nothing?"), out); /* RFC 4231, case 2 */
    assert_hex(out, 32, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_hmac_sha256(CHOP_BYTES(NULL, 0), CHOP_BYTES(NULL, 0), out);
    assert_hex(out, 32, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_digest_parts_and_stream(void **state) {
    (void)state;
    uint8_t whole[32], parts[32], stream[32];
    crypto_sha256(chop_str("a seal on paper"), whole);
    const struct chop_bytes p[] = { chop_str("a seal"), CHOP_BYTES(NULL, 0), chop_str(" on paper") };
    crypto_sha256_parts(p, 3, parts);
    assert_memory_equal(whole, parts, 32);
    struct crypto_hash *h = crypto_hash_new();
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++)
            crypto_hash_add(h, p[i]);
        crypto_hash_end(h, stream);
        assert_memory_equal(whole, stream, 32);
    }
    crypto_hash_free(h);
    assert_true(crypto_equal(whole, parts, 32));
    parts[31] ^= 1;
    assert_false(crypto_equal(whole, parts, 32));
}

/* ---- signatures ---- */

static void test_sign_verify(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = NULL, *pub = NULL;
        uint8_t sig[64];
        assert_null(crypto_key_generate(algs[i], &k));
        assert_int_equal(crypto_key_alg(k), algs[i]);
        assert_null(crypto_key_from_spki(crypto_key_spki(k), &pub));
        assert_string_equal(crypto_key_kid(k), crypto_key_kid(pub));
        for (size_t n = 0; n < 300; n += 37) {
            uint8_t msg[300];
            chop_random(msg, n);
            assert_null(crypto_sign(k, CHOP_BYTES(msg, n), sig));
            assert_null(crypto_verify(pub, CHOP_BYTES(msg, n), CHOP_BYTES(sig, 64)));
            assert_null(crypto_verify(k, CHOP_BYTES(msg, n), CHOP_BYTES(sig, 64)));
        }
        assert_err(crypto_sign(pub, chop_str("x"), sig), EINVAL);
        crypto_key_free(k);
        crypto_key_free(pub);
    }
}

/* Every single bit of signature and message, and every other length. */
static void test_tampering(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = NULL, *other = NULL;
        uint8_t sig[65] = { 0 }, msg[] = "approve 3 impressions";
        struct chop_bytes m = CHOP_BYTES(msg, sizeof msg);
        assert_null(crypto_key_generate(algs[i], &k));
        assert_null(crypto_key_generate(algs[i], &other));
        assert_null(crypto_sign(k, m, sig));
        for (size_t bit = 0; bit < 512; bit++) {
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_err(crypto_verify(k, m, CHOP_BYTES(sig, 64)), ESIGNATURE);
            sig[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t bit = 0; bit < 8 * sizeof msg; bit++) {
            msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_err(crypto_verify(k, m, CHOP_BYTES(sig, 64)), ESIGNATURE);
            msg[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n <= 65; n++)
            if (n != 64) assert_err(crypto_verify(k, m, CHOP_BYTES(sig, n)), ESIGNATURE);
        assert_err(crypto_verify(other, m, CHOP_BYTES(sig, 64)), ESIGNATURE);
        assert_null(crypto_verify(k, m, CHOP_BYTES(sig, 64)));
        crypto_key_free(k);
        crypto_key_free(other);
    }
}

/* r and s of 0, of the group's order, and of all ones (CVE-2022-21449 and its like). */
static void test_degenerate_signatures(void **state) {
    (void)state;
    static const char *orders[] = { "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
        "fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123" };
    const enum crypto_alg ec[] = { CRYPTO_ES256, CRYPTO_SM2 };
    for (size_t i = 0; i < 2; i++) {
        struct crypto_key *k = NULL;
        uint8_t order[32], sig[64];
        assert_null(crypto_key_generate(ec[i], &k));
        assert_true(chop_unhex(orders[i], order, 32));
        memset(sig, 0, 64);
        assert_err(crypto_verify(k, chop_str("m"), CHOP_BYTES(sig, 64)), ESIGNATURE);
        memset(sig, 0xff, 64);
        assert_err(crypto_verify(k, chop_str("m"), CHOP_BYTES(sig, 64)), ESIGNATURE);
        memcpy(sig, order, 32);
        memcpy(sig + 32, order, 32);
        assert_err(crypto_verify(k, chop_str("m"), CHOP_BYTES(sig, 64)), ESIGNATURE);
        crypto_key_free(k);
    }
}

/* Fixed signatures of others: RFC 6979 A.2.5, RFC 8032 7.1 (test 2), GB/T 32918.5 A.2. */
static void test_known_signatures(void **state) {
    (void)state;
    static const struct {
        const char *spki, *msg, *sig;
    } rows[] = {
        { "3059301306072a8648ce3d020106082a8648ce3d03010703420004"
          "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
          "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299",
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
            "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
        { "302a300506032b65700321003d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
        { "3059301306072a8648ce3d020106082a811ccf5501822d03420004"
          "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
          "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13",
            "message digest",
            "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
            "b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa" },
    };
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        struct crypto_key *k = NULL;
        uint8_t spki[96], sig[64];
        size_t n = strlen(rows[i].spki) / 2;
        assert_true(chop_unhex(rows[i].spki, spki, n) && chop_unhex(rows[i].sig, sig, 64));
        assert_null(crypto_key_from_spki(CHOP_BYTES(spki, n), &k));
        assert_null(crypto_verify(k, chop_str(rows[i].msg), CHOP_BYTES(sig, 64)));
        crypto_key_free(k);
    }
}

static void *sign_many(void *key) {
    for (int i = 0; i < 200; i++) {
        uint8_t sig[64];
        struct chop_bytes m = CHOP_BYTES(&i, sizeof i);
        if (crypto_sign(key, m, sig) || crypto_verify(key, m, CHOP_BYTES(sig, 64))) return key;
    }
    return NULL;
}

static void test_threads_share_keys(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = NULL;
        pthread_t t[4];
        void *bad;
        assert_null(crypto_key_generate(algs[i], &k));
        for (int j = 0; j < 4; j++)
            assert_int_equal(pthread_create(&t[j], NULL, sign_many, k), 0);
        for (int j = 0; j < 4; j++) {
            pthread_join(t[j], &bad);
            assert_null(bad);
        }
        crypto_key_free(k);
    }
}

/* ---- keys ---- */

/* The hybrid form (X9.62, 4.3.6) is a valid second encoding of the same point: one key would have two kids. */
static void test_other_point_forms(void) {
    struct crypto_key *k = NULL, *got = NULL;
    uint8_t spki[91];
    assert_null(crypto_key_generate(CRYPTO_ES256, &k));
    memcpy(spki, crypto_key_spki(k).p, 91);
    for (uint8_t form = 0; form < 255; form++) {
        spki[26] = form;
        assert_ptr_equal(crypto_key_from_spki(CHOP_BYTES(spki, 91), &got), form == 4 ? NULL : CHOP_ERR(EINVAL));
        if (form == 4) crypto_key_free(got);
        got = NULL;
    }
    crypto_key_free(k);
}

static void test_spki_refusals(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = NULL, *got = NULL;
        uint8_t spki[128] = { 0 };
        assert_null(crypto_key_generate(algs[i], &k));
        size_t n = crypto_key_spki(k).n, prefix = algs[i] == CRYPTO_ED25519 ? 12 : 27;
        memcpy(spki, crypto_key_spki(k).p, n);
        for (size_t len = 0; len <= n + 1; len++) /* cut, and one byte too long */
            if (len != n) assert_err(crypto_key_from_spki(CHOP_BYTES(spki, len), &got), EINVAL);
        for (size_t at = 0; at < prefix; at++) { /* another curve, type, form of the point */
            spki[at] ^= 1;
            assert_err(crypto_key_from_spki(CHOP_BYTES(spki, n), &got), EINVAL);
            spki[at] ^= 1;
        }
        for (size_t bit = prefix * 8; algs[i] != CRYPTO_ED25519 && bit < n * 8; bit++) { /* off the curve */
            spki[bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_err(crypto_key_from_spki(CHOP_BYTES(spki, n), &got), EINVAL);
            spki[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        if (algs[i] != CRYPTO_ED25519) memset(spki + prefix, 0, 64);
        if (algs[i] != CRYPTO_ED25519) assert_err(crypto_key_from_spki(CHOP_BYTES(spki, n), &got), EINVAL);
        assert_null(got);
        crypto_key_free(k);
    }
    test_other_point_forms();
    /* A P-256 point under SM2's name is on another curve. */
    struct crypto_key *k = NULL, *sm = NULL, *got = NULL;
    assert_null(crypto_key_generate(CRYPTO_ES256, &k));
    assert_null(crypto_key_generate(CRYPTO_SM2, &sm));
    uint8_t mixed[91];
    memcpy(mixed, crypto_key_spki(sm).p, 26);
    memcpy(mixed + 26, crypto_key_spki(k).p + 26, 65);
    assert_err(crypto_key_from_spki(CHOP_BYTES(mixed, 91), &got), EINVAL);
    crypto_key_free(k);
    crypto_key_free(sm);
}

/* The identity as key: R = 0 and s = 0 sign every message. Its like, with either sign bit. */
static void test_small_order_refused(void **state) {
    (void)state;
    static const char *keys[] = { "00", "01", "ed", "ee", "ec",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" };
    for (size_t i = 0; i < CHOP_COUNT(keys); i++) {
        struct crypto_key *got = NULL;
        uint8_t spki[44];
        assert_true(chop_unhex("302a300506032b6570032100", spki, 12));
        memset(spki + 12, keys[i][0] == 'e' ? 0xff : 0, 32);
        if (keys[i][0] == 'e') spki[43] = 0x7f;
        assert_true(chop_unhex(keys[i], spki + 12, strlen(keys[i]) / 2));
        for (int sign = 0; sign < 2; sign++, spki[43] ^= 0x80)
            assert_err(crypto_key_from_spki(CHOP_BYTES(spki, 44), &got), EINVAL);
        assert_null(got);
    }
}

static void test_names_and_points(void **state) {
    (void)state;
    enum crypto_alg a;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        assert_null(crypto_alg_by_name(crypto_alg_name(algs[i]), &a));
        assert_int_equal(a, algs[i]);
    }
    assert_err(crypto_alg_by_name("none", &a), EINVAL);
    struct crypto_key *k = NULL, *sm = NULL;
    uint8_t point[65], digest[32];
    char kid[17];
    assert_null(crypto_key_generate(CRYPTO_ES256, &k));
    assert_null(crypto_key_generate(CRYPTO_SM2, &sm));
    assert_null(crypto_key_point(k, point));
    assert_memory_equal(point, crypto_key_spki(k).p + 26, 65);
    assert_err(crypto_key_point(sm, point), EINVAL);
    crypto_sha256(crypto_key_spki(k), digest);
    chop_hex(digest, 8, kid);
    assert_string_equal(kid, crypto_key_kid(k));
    crypto_key_free(k);
    crypto_key_free(sm);
}

static char dir[64];

static int make_dir(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/unit_crypto.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state) {
    (void)state;
    char cmd[96];
    (void)snprintf(cmd, sizeof cmd, "rm -rf %s", dir);
    return system(cmd);
}

static const char *path_of(const char *name) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void test_files(void **state) {
    (void)state;
    struct stat st;
    for (size_t i = 0; i < CHOP_COUNT(algs); i++) {
        struct crypto_key *k = NULL, *back = NULL;
        uint8_t sig[64];
        assert_null(crypto_key_generate(algs[i], &k));
        assert_null(crypto_key_save(k, path_of("key.pem"))); /* replaces the one before */
        assert_int_equal(stat(path_of("key.pem"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_null(crypto_key_load(path_of("key.pem"), &back));
        assert_string_equal(crypto_key_kid(k), crypto_key_kid(back));
        assert_null(crypto_sign(back, chop_str("m"), sig));
        assert_null(crypto_verify(k, chop_str("m"), CHOP_BYTES(sig, 64)));
        crypto_key_free(back);
        crypto_key_free(k);
    }
    static const mode_t open_modes[] = { 0644, 0640, 0604, 0620, 0601 };
    struct crypto_key *got = NULL;
    for (size_t i = 0; i < CHOP_COUNT(open_modes); i++) {
        assert_int_equal(chmod(path_of("key.pem"), open_modes[i]), 0);
        assert_err(crypto_key_load(path_of("key.pem"), &got), EDENIED);
    }
    assert_err(crypto_key_load(path_of("absent.pem"), &got), EINVAL);
    assert_err(crypto_key_load(dir, &got), EINVAL);
    assert_null(got);
}

/* What `openssl ...` writes into out.pem is refused. */
static void assert_refused(const char *command) {
    char cmd[512];
    struct crypto_key *got = NULL;
    (void)snprintf(
        cmd, sizeof cmd, "cd %s && (%s) >out.pem 2>/dev/null && chmod 600 out.pem && test -s out.pem", dir, command);
    assert_int_equal(system(cmd), 0);
    chop_err e = crypto_key_load(path_of("out.pem"), &got);
    if (e != CHOP_ERR(EINVAL) && e != CHOP_ERR(ELIMIT)) fail_msg("%s: %s", command, e ? e->name : "accepted");
    assert_null(got);
}

static void test_foreign_pem_refused(void **state) {
    (void)state;
    assert_refused("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024");
    assert_refused("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384");
    assert_refused("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1");
    assert_refused("openssl genpkey -algorithm X25519");
    assert_refused("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes128 -pass pass:abcd");
    assert_refused("openssl ecparam -name prime256v1 -genkey -noout"); /* SEC1, not PKCS#8 */
    assert_refused("openssl ecparam -name prime256v1 -genkey -noout | openssl ec -aes128 -passout pass:abcd");
    assert_refused("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkey -pubout");
    assert_refused("echo not a key");
    assert_refused("head -c 20000 /dev/zero");
}

static void test_openssl_reads_ours(void **state) {
    (void)state;
    char cmd[512];
    struct crypto_key *k = NULL;
    uint8_t sig[64];
    assert_null(crypto_key_generate(CRYPTO_SM2, &k));
    assert_null(crypto_key_save(k, path_of("sm2.pem")));
    /* Their SM2 signature over our key, in DER, as their own defaults make it: the same Z, the same digest. */
    (void)snprintf(cmd, sizeof cmd,
        "cd %s && printf paper >m && openssl pkeyutl -sign -rawin -digest sm3 -inkey sm2.pem -in m -out sig "
        "-pkeyopt distid:1234567812345678 && openssl pkeyutl -verify -rawin -digest sm3 -inkey sm2.pem -in m "
        "-sigfile sig -pkeyopt distid:1234567812345678 >/dev/null",
        dir);
    assert_int_equal(system(cmd), 0);
    FILE *f = fopen(path_of("sig"), "rb");
    uint8_t der[80];
    size_t n = fread(der, 1, sizeof der, f);
    (void)fclose(f);
    test_der_to_raw(der, n, sig);
    assert_null(crypto_verify(k, chop_str("paper"), CHOP_BYTES(sig, 64)));
    crypto_key_free(k);
}

static void test_public_pem(void **state) {
    (void)state;
    struct crypto_key *k = NULL, *pub = NULL;
    char pem[512];
    assert_null(crypto_key_generate(CRYPTO_ES256, &k));
    test_pem("PUBLIC KEY", crypto_key_spki(k), pem, sizeof pem);
    assert_null(crypto_key_from_pem(chop_str(pem), &pub));
    assert_string_equal(crypto_key_kid(k), crypto_key_kid(pub));
    assert_err(crypto_key_save(pub, path_of("pub.pem")), EINVAL);
    crypto_key_free(pub);
    pub = NULL;
    test_pem("CERTIFICATE", crypto_key_spki(k), pem, sizeof pem);
    assert_err(crypto_key_from_pem(chop_str(pem), &pub), EINVAL);
    crypto_key_free(k);
}

/* A private part under another key's public part. */
static void test_mixed_pair_refused(void **state) {
    (void)state;
    struct crypto_key *k = NULL, *got = NULL;
    char pem[512];
    uint8_t scalar[32] = { [31] = 7 };
    assert_null(crypto_key_generate(CRYPTO_ES256, &k));
    test_private_pem(scalar, crypto_key_spki(k).p + 26, pem, sizeof pem);
    assert_err(crypto_key_from_pem(chop_str(pem), &got), EINVAL);
    assert_null(got);
    crypto_key_free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_digest_parts_and_stream),
        cmocka_unit_test(test_sign_verify),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_degenerate_signatures),
        cmocka_unit_test(test_known_signatures),
        cmocka_unit_test(test_threads_share_keys),
        cmocka_unit_test(test_spki_refusals),
        cmocka_unit_test(test_small_order_refused),
        cmocka_unit_test(test_names_and_points),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_foreign_pem_refused),
        cmocka_unit_test(test_openssl_reads_ours),
        cmocka_unit_test(test_public_pem),
        cmocka_unit_test(test_mixed_pair_refused),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
