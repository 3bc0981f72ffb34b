/* unit_crypto_x509: certificates as the openssl command sees them, and requests that must be refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "crypto.h"

#define assert_err(e, name) assert_ptr_equal((e), CHOP_ERR(name))

static struct arena *mem;
static struct crypto_key *ca, *leaf, *sm;
static struct chop_bytes ca_pem;
static char dir[64];

static void put(const char *name, struct chop_bytes data) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(data.p, 1, data.n, f), data.n);
    assert_int_equal(fclose(f), 0);
}

static bool shell(const char *command) {
    char cmd[1024];
    (void)snprintf(cmd, sizeof cmd, "cd %s && (%s) >out 2>&1", dir, command);
    return system(cmd) == 0;
}

static int setup(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/unit_x509.XXXXXX");
    mem = arena_new((size_t)4 << 20);
    if (!mkdtemp(dir) || crypto_key_generate(CRYPTO_ES256, &ca) || crypto_key_generate(CRYPTO_ES256, &leaf)) return -1;
    if (crypto_key_generate(CRYPTO_SM2, &sm) || crypto_ca_new(ca, "Chopmark CA", 3650, mem, &ca_pem)) return -1;
    put("ca.crt", ca_pem);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    int rc = shell("rm -rf \"$PWD\"/*") ? rmdir(dir) : -1;
    crypto_key_free(ca);
    crypto_key_free(leaf);
    crypto_key_free(sm);
    arena_free(mem);
    return rc;
}

static void issue(const char *name, const char *san, bool server) {
    struct chop_bytes pem;
    assert_null(crypto_cert_issue(ca, ca_pem, leaf, "prn_1", san, server, 90, mem, &pem));
    put(name, pem);
}

static void test_chain(void **state) {
    (void)state;
    issue("client.crt", NULL, false);
    issue("server.crt", "DNS:localhost,IP:127.0.0.1,IP:::1", true);
    assert_true(shell("openssl verify -x509_strict -check_ss_sig -CAfile ca.crt ca.crt"));
    assert_true(shell("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt client.crt"));
    assert_false(shell("openssl verify -x509_strict -purpose sslserver -CAfile ca.crt client.crt"));
    assert_true(
        shell("openssl verify -x509_strict -purpose sslserver -verify_hostname localhost -CAfile ca.crt server.crt"));
    assert_true(shell("openssl verify -verify_ip 127.0.0.1 -CAfile ca.crt server.crt"));
    assert_true(shell("openssl verify -verify_ip ::1 -CAfile ca.crt server.crt"));
    assert_false(shell("openssl verify -purpose sslclient -CAfile ca.crt server.crt"));
    assert_false(shell("openssl verify -verify_hostname example.org -CAfile ca.crt server.crt"));
    assert_true(shell("openssl x509 -in client.crt -noout -subject -nameopt RFC2253 | grep -qx 'subject=CN=prn_1'"));
    assert_true(shell("openssl x509 -in client.crt -noout -checkend $((89*86400))"));
    assert_false(shell("openssl x509 -in client.crt -noout -checkend $((91*86400))"));
    assert_true(shell("openssl x509 -in ca.crt -noout -text | grep -q 'CA:TRUE, pathlen:0'"));
    /* A leaf is no CA. */
    struct chop_bytes leaf_pem, pem;
    assert_null(crypto_cert_issue(ca, ca_pem, leaf, "prn_1", NULL, false, 90, mem, &leaf_pem));
    assert_null(crypto_cert_issue(leaf, leaf_pem, leaf, "prn_2", NULL, false, 90, mem, &pem));
    put("sub.crt", pem);
    assert_false(shell("openssl verify -CAfile ca.crt -untrusted client.crt sub.crt"));
}

static void test_serials_differ(void **state) {
    (void)state;
    issue("a.crt", NULL, false);
    issue("b.crt", NULL, false);
    assert_false(
        shell("test \"$(openssl x509 -in a.crt -noout -serial)\" = \"$(openssl x509 -in b.crt -noout -serial)\""));
}

static void test_issue_refusals(void **state) {
    (void)state;
    struct chop_bytes pem = { NULL, 0 };
    static const char *bad_san[] = { "", "localhost", "DNS:", "DNS:a,,DNS:b", "IP:1.2.3", "IP:localhost", "email:a@b.c",
        "dirName:sec", "URI:http://x/", "@section", "DNS:a\n" };
    for (size_t i = 0; i < CHOP_COUNT(bad_san); i++)
        assert_err(crypto_cert_issue(ca, ca_pem, leaf, "x", bad_san[i], true, 1, mem, &pem), EINVAL);
    assert_err(crypto_cert_issue(leaf, ca_pem, leaf, "x", NULL, true, 1, mem, &pem), EMISMATCH);
    assert_err(crypto_cert_issue(ca, chop_str("no pem"), leaf, "x", NULL, true, 1, mem, &pem), EINVAL);
    assert_err(crypto_cert_issue(ca, ca_pem, sm, "x", NULL, true, 1, mem, &pem), EINVAL);
    assert_err(crypto_cert_issue(ca, ca_pem, leaf, "", NULL, true, 1, mem, &pem), EINVAL);
    char name[66] = { 0 };
    memset(name, 'a', 65);
    assert_err(crypto_cert_issue(ca, ca_pem, leaf, name, NULL, true, 1, mem, &pem), EINVAL);
    assert_err(crypto_cert_issue(ca, ca_pem, leaf, "\xff", NULL, true, 1, mem, &pem), EINVAL);
    assert_err(crypto_ca_new(sm, "CA", 1, mem, &pem), EINVAL);
    assert_null(pem.p);
}

static void test_csr(void **state) {
    (void)state;
    struct chop_bytes der;
    struct crypto_key *got = NULL;
    assert_null(crypto_csr_new(leaf, "prn_1", mem, &der));
    put("req.der", der);
    assert_true(shell("openssl req -inform DER -in req.der -noout -verify"));
    assert_null(crypto_csr_read(der, &got));
    assert_string_equal(crypto_key_kid(got), crypto_key_kid(leaf));
    uint8_t sig[64];
    assert_err(crypto_sign(got, chop_str("x"), sig), EINVAL); /* it has the public part only */
    crypto_key_free(got);
    got = NULL;
    uint8_t *p = (uint8_t *)(uintptr_t)der.p;
    for (size_t bit = 0; bit < 8 * der.n; bit++) {
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        chop_err e = crypto_csr_read(der, &got);
        if (e != CHOP_ERR(EINVAL) && e != CHOP_ERR(ESIGNATURE)) fail_msg("bit %zu: %s", bit, e ? e->name : "accepted");
        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < der.n; n++)
        assert_err(crypto_csr_read(CHOP_BYTES(p, n), &got), EINVAL);
    assert_err(crypto_csr_new(sm, "x", mem, &der), EINVAL);
    assert_null(got);
}

static void assert_csr_refused(const char *command, const char *error) {
    assert_true(shell(command));
    char path[128];
    uint8_t buf[9000];
    struct crypto_key *got = NULL;
    (void)snprintf(path, sizeof path, "%s/r.der", dir);
    FILE *f = fopen(path, "rb");
    size_t n = fread(buf, 1, sizeof buf, f);
    (void)fclose(f);
    assert_ptr_equal(crypto_csr_read(CHOP_BYTES(buf, n), &got), chop_err_by_name(error));
    assert_null(got);
}

static void test_foreign_csr(void **state) {
    (void)state;
    assert_csr_refused(
        "openssl req -new -newkey rsa:2048 -nodes -keyout k -subj /CN=a -outform DER -out r.der", "EINVAL");
    assert_csr_refused("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout k -subj /CN=a "
                       "-outform DER -out r.der",
        "EINVAL");
    assert_csr_refused(
        "openssl req -new -newkey ed25519 -nodes -keyout k -subj /CN=a -outform DER -out r.der", "EINVAL");
    assert_csr_refused(
        "openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -sha1 -nodes -keyout k -subj /CN=a "
        "-outform DER -out r.der",
        "ESIGNATURE");
    assert_csr_refused("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -subj /CN=a "
                       "-outform DER -out r.der && printf x >>r.der",
        "EINVAL");
    assert_csr_refused("head -c 8193 /dev/zero >r.der", "ELIMIT");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_serials_differ),
        cmocka_unit_test(test_issue_refusals),
        cmocka_unit_test(test_csr),
        cmocka_unit_test(test_foreign_csr),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
