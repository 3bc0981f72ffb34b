/* unit_crypto_keys: the program chop-keys, from outside: argv[1] is its path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common.pb-c.h"
#include "trust.h"

static const char *program;
static char dir[64];

/* Runs a shell command in the directory, with $K the program; its output lies in the file out. */
static bool shell(const char *command) {
    char cmd[1024];
    (void)snprintf(cmd, sizeof cmd, "cd %s && K=%s && { %s; } >out 2>&1", dir, program, command);
    return system(cmd) == 0;
}

static const char *at(const char *name) {
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static unsigned mode_of(const char *name) {
    struct stat st;
    return stat(at(name), &st) == 0 ? st.st_mode & 0777 : 0;
}

static uint64_t version_of(const char *name, uint64_t least) {
    struct trust *t = NULL;
    if (trust_load(at(name), least, &t)) return 0;
    uint64_t v = trust_version(t);
    trust_free(t);
    return v;
}

static int setup(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof dir, "/tmp/unit_keys.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char cmd[96];
    (void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    return system(cmd);
}

static void test_add_revoke(void **state) {
    (void)state;
    assert_true(shell("$K init d"));
    assert_int_equal(version_of("d", 0), 1);
    assert_int_equal(mode_of("d/root"), 0700);
    assert_int_equal(mode_of("d/root/root.pem"), 0600);
    assert_false(shell("$K init d")); /* never twice */
    assert_true(shell("$K add d --purpose issuance --name iss --alg SM2 --org org_1 --out iss.pem"));
    assert_int_equal(version_of("d", 2), 2);
    assert_int_equal(mode_of("iss.pem"), 0600);
    assert_false(shell("$K add d --purpose issuance --name iss2 --out iss.pem")); /* overwrites no key */
    assert_false(shell("$K add d --purpose root --name r --out r.pem"));
    assert_false(shell("$K add d --purpose registry --name r --alg RSA --out r.pem"));
    assert_false(shell("$K add d --purpose registry --out r.pem"));
    assert_false(shell("test -e r.pem"));
    assert_int_equal(version_of("d", 0), 2);
    struct trust *t = NULL;
    assert_null(trust_load(at("d"), 2, &t));
    const Pb__KeyEntry *e = trust_find(t, "issuance", chop_now_ms());
    assert_string_equal(e->organization_id, "org_1");
    assert_string_equal(e->algorithm, "SM2");
    char command[96];
    (void)snprintf(command, sizeof command, "$K revoke d %s", e->kid);
    trust_free(t);
    assert_true(shell(command));
    assert_false(shell(command)); /* revoked already: its time stays */
    assert_false(shell("$K revoke d 0000000000000000"));
    assert_null(trust_load(at("d"), 3, &t));
    assert_null(trust_find(t, "issuance", chop_now_ms()));
    trust_free(t);
}

static void test_public_key_of_another(void **state) {
    (void)state;
    assert_true(shell("$K init p"));
    assert_true(
        shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out r.key && "
              "openssl pkey -in r.key -pubout -out r.pub && openssl pkey -in r.key -pubout -outform DER -out r.der"));
    assert_true(shell("$K add p --purpose registry --name police --public r.pub"));
    assert_false(shell("$K add p --purpose registry --name police --public r.der")); /* the same key */
    assert_true(
        shell("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:SM2 | openssl pkey -pubout -outform DER "
              "-out s.der && $K add p --purpose registry --name third --public s.der"));
    assert_false(shell("openssl genpkey -algorithm RSA | openssl pkey -pubout -outform DER -out x.der && "
                       "$K add p --purpose registry --name x --public x.der"));
    assert_int_equal(version_of("p", 0), 3);
    assert_true(shell("$K show p | grep -q 'registry SM2 name=third'"));
}

/* The root is away: looking works, changing does not; a manifest changed by hand is refused. */
static void test_offline_root(void **state) {
    (void)state;
    assert_true(shell("$K init o && mv o/root away"));
    assert_true(shell("$K show o"));
    assert_false(shell("$K add o --purpose bridge --name b --out b.pem"));
    assert_true(shell("mv away o/root && $K add o --purpose bridge --name b --out b.pem"));
    assert_true(shell("sed -i s/bridge/Bridge/ o/manifest.signed"));
    assert_false(shell("$K show o"));
    assert_false(shell("$K add o --purpose bridge --name c --out c.pem"));
}

static void test_ca_and_tls(void **state) {
    (void)state;
    assert_true(shell("$K init c && $K ca c --out ca.pem --cert ca.crt"));
    assert_true(shell("$K tls c --ca-key ca.pem --ca-cert ca.crt --cn broker --san DNS:broker,IP:10.0.0.1 --server "
                      "--out-key b.key --out-cert b.crt"));
    assert_true(shell("openssl verify -x509_strict -purpose sslserver -verify_hostname broker -CAfile ca.crt b.crt"));
    assert_true(shell("$K tls c --ca-key ca.pem --ca-cert ca.crt --cn bridge --out-key c.key --out-cert c.crt"));
    assert_true(shell("openssl verify -x509_strict -purpose sslclient -CAfile ca.crt c.crt"));
    assert_int_equal(mode_of("b.key"), 0600);
    assert_int_equal(mode_of("b.crt"), 0644);
    assert_false(shell("$K tls c --ca-key b.key --ca-cert ca.crt --cn x --out-key x.key --out-cert x.crt"));
    assert_false(shell("$K tls c --ca-key ca.pem --ca-cert ca.crt --cn x --days 0 --out-key x.key --out-cert x.crt"));
    assert_true(shell("chmod 644 ca.pem"));
    assert_false(shell("$K tls c --ca-key ca.pem --ca-cert ca.crt --cn x --out-key x.key --out-cert x.crt"));
    assert_true(shell("$K hpke --out h.pem"));
    assert_false(shell("$K hpke --out h.pem"));
}

static void test_demo(void **state) {
    (void)state;
    static const char *secret[] = { "identity.pem", "identity-ca.pem", "authorization.pem", "issuance.pem",
        "bridge.pem", "registry-police.pem", "registry-third-party.pem", "registry-internal.pem", "issuance-hpke.pem",
        "mqtt-server.key", "bridge-tls.key", "files.key", "cipher.key", "verify.key", "root/root.pem" };
    static const char *public[] = { "root.spki", "manifest.signed", "ca.crt", "mqtt-server.crt", "bridge.crt" };
    char name[64];
    assert_true(shell("umask 077; $K demo demo"));
    for (size_t i = 0; i < CHOP_COUNT(secret); i++) {
        (void)snprintf(name, sizeof name, "demo/%s", secret[i]);
        if (mode_of(name) != 0600) fail_msg("%s has mode %o", name, mode_of(name));
    }
    for (size_t i = 0; i < CHOP_COUNT(public); i++) {
        (void)snprintf(name, sizeof name, "demo/%s", public[i]);
        if (mode_of(name) != 0644) fail_msg("%s has mode %o", name, mode_of(name));
    }
    assert_true(shell("test $(cat demo/*.key | wc -c) -ge 96 && test $(stat -c %s demo/cipher.key) = 32"));
    assert_true(
        shell("openssl verify -purpose sslserver -verify_ip 127.0.0.1 -CAfile demo/ca.crt demo/mqtt-server.crt"));
    assert_true(
        shell("openssl x509 -in demo/bridge.crt -noout -subject -nameopt RFC2253 | grep -qx subject=CN=bridge"));
    /* Each private key is the manifest's key of its purpose. */
    struct trust *t = NULL;
    struct crypto_key *k = NULL;
    assert_null(trust_load(at("demo"), 1, &t));
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof name, "demo/%s", secret[i]);
        assert_null(crypto_key_load(at(name), &k));
        (void)snprintf(name, sizeof name, "%.*s", (int)strcspn(secret[i], "."), secret[i]);
        assert_string_equal(crypto_key_kid(k), trust_find(t, name, chop_now_ms())->kid);
        crypto_key_free(k);
    }
    trust_free(t);
    assert_false(shell("$K demo demo"));
}

static void test_usage(void **state) {
    (void)state;
    assert_false(shell("$K"));
    assert_false(shell("$K nothing"));
    assert_false(shell("$K init"));
    assert_false(shell("$K init a b"));
    assert_false(shell("$K --nothing init a"));
    assert_false(shell("test -e a"));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_add_revoke),
        cmocka_unit_test(test_public_key_of_another),
        cmocka_unit_test(test_offline_root),
        cmocka_unit_test(test_ca_and_tls),
        cmocka_unit_test(test_demo),
        cmocka_unit_test(test_usage),
    };
    if (argc != 2) return 2;
    program = argv[1];
    return cmocka_run_group_tests(tests, setup, teardown);
}
