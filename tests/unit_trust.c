/* unit_trust: every type under every purpose; time, revocation, versions; every byte tampered with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common.pb-c.h"
#include "pb.h"
#include "trust.h"

#define assert_err(e, name) assert_ptr_equal((e), CHOP_ERR(name))

#define FROM 1000000
#define TO 2000000
#define REVOKED 1800000
#define NOW 1500000

static const char *const purposes[] = { "identity", "identity-ca", "authorization", "issuance", "bridge", "registry" };
enum { IDENTITY, IDENTITY_CA, AUTHORIZATION, ISSUANCE, BRIDGE, REGISTRY, PURPOSES };

static const struct {
    const char *type;
    unsigned allowed; /* bit per purpose; 0: root or a device */
} types[] = {
    { "manifest", 0 },
    { "principal", 1 << IDENTITY },
    { "proof", 1 << IDENTITY },
    { "terminal-cert", 1 << IDENTITY_CA },
    { "printer-cert", 1 << IDENTITY_CA },
    { "ticket", 1 << IDENTITY | 1 << AUTHORIZATION },
    { "grant", 1 << AUTHORIZATION },
    { "allotment", 1 << AUTHORIZATION },
    { "fact", 1 << AUTHORIZATION },
    { "revocation", 1 << AUTHORIZATION },
    { "envelope", 1 << ISSUANCE },
    { "impression", 1 << ISSUANCE },
    { "mark", 1 << ISSUANCE },
    { "time", 1 << BRIDGE },
    { "receipt", 1 << REGISTRY },
    { "registry-order", 1 << REGISTRY },
    { "order", 0 },
    { "pair", 0 },
    { "challenge", 0 },
    { "report", 0 },
    { "paired", 0 },
    { "closeout", 0 },
};

static struct arena *mem;
static struct crypto_key *root, *keys[PURPOSES], *device, *seal;
static struct trust *trust;

/* ---- material ---- */

static Pb__KeyEntry *entry_of(int purpose, const struct crypto_key *k) {
    Pb__KeyEntry *e = PB_NEW(mem, Pb__KeyEntry, pb__key_entry);
    e->kid = PB_STR(crypto_key_kid(k));
    e->purpose = PB_STR(purposes[purpose]);
    e->algorithm = PB_STR(crypto_alg_name(crypto_key_alg(k)));
    e->public_key = PB_BIN(crypto_key_spki(k));
    e->name = PB_STR("name");
    e->not_before = FROM;
    e->not_after = TO;
    return e;
}

static struct chop_bytes pack_manifest(
    uint64_t version, Pb__KeyEntry **entries, size_t n, const struct crypto_key *by, const char *type) {
    Pb__KeyManifest m = PB__KEY_MANIFEST__INIT;
    struct chop_bytes payload, packed;
    m.version = version;
    m.entries = entries;
    m.n_entries = n;
    assert_null(pb_pack(&m, mem, &payload));
    assert_null(trust_sign_packed(by, NULL, type, payload, mem, &packed));
    return packed;
}

static struct chop_bytes manifest(uint64_t version, int64_t revoked) {
    static Pb__KeyEntry *entries[PURPOSES];
    for (int i = 0; i < PURPOSES; i++) {
        entries[i] = entry_of(i, keys[i]);
        entries[i]->revoked_at = revoked;
    }
    return pack_manifest(version, entries, PURPOSES, root, "manifest");
}

static int setup(void **state) {
    (void)state;
    static const enum crypto_alg algs[] = { CRYPTO_ES256, CRYPTO_ES256, CRYPTO_ES256, CRYPTO_SM2, CRYPTO_ED25519,
        CRYPTO_SM2 };
    mem = arena_new((size_t)64 << 20);
    if (!mem || crypto_key_generate(CRYPTO_ES256, &root) || crypto_key_generate(CRYPTO_ES256, &device)) return -1;
    if (crypto_key_generate(CRYPTO_ES256, &seal)) return -1;
    for (int i = 0; i < PURPOSES; i++)
        if (crypto_key_generate(algs[i], &keys[i])) return -1;
    return trust_new(crypto_key_spki(root), manifest(7, 0), 7, &trust) ? -1 : 0;
}

static int teardown(void **state) {
    (void)state;
    trust_free(trust);
    for (int i = 0; i < PURPOSES; i++)
        crypto_key_free(keys[i]);
    crypto_key_free(root);
    crypto_key_free(device);
    crypto_key_free(seal);
    arena_free(mem);
    return 0;
}

static Pb__Signed sign(const struct crypto_key *k, const char *type) {
    Pb__Signed s;
    assert_null(trust_sign(k, NULL, type, chop_str("payload"), mem, &s));
    return s;
}

/* ---- who may sign what ---- */

static void test_types_and_purposes(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(types); i++)
        for (int p = 0; p < PURPOSES; p++) {
            const Pb__KeyEntry *e = NULL;
            Pb__Signed s = sign(keys[p], types[i].type);
            chop_err got = trust_verify(trust, &s, types[i].type, NOW, &e);
            bool allowed = types[i].allowed >> p & 1;
            if (got != (allowed ? NULL : CHOP_ERR(EMISMATCH)))
                fail_msg("%s by %s: %s", types[i].type, purposes[p], got ? got->name : "accepted");
            if (allowed)
                assert_string_equal(e->purpose, purposes[p]);
            else
                assert_null(e);
        }
    Pb__Signed s = sign(root, "manifest");
    assert_err(trust_verify(trust, &s, "manifest", NOW, NULL), EMISMATCH);
    s = sign(root, "grant");
    assert_err(trust_verify(trust, &s, "grant", NOW, NULL), ESIGNATURE); /* the root signs nothing else */
}

/* A statement of one type given where another is wanted, though the same key may sign both. */
static void test_types_do_not_mix(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(types); i++)
        for (size_t j = 0; j < CHOP_COUNT(types); j++) {
            if (i == j) continue;
            Pb__Signed s = sign(keys[AUTHORIZATION], types[i].type);
            assert_err(trust_verify(trust, &s, types[j].type, NOW, NULL), EMISMATCH);
            s.type = PB_STR(types[j].type); /* relabelled */
            chop_err e = trust_verify(trust, &s, types[j].type, NOW, NULL);
            assert_true(e == CHOP_ERR(ESIGNATURE) || e == CHOP_ERR(EMISMATCH));
        }
    Pb__Signed s;
    assert_err(trust_sign(root, NULL, "no-such-type", chop_str(""), mem, &s), EINVAL);
    s = sign(root, "grant");
    assert_err(trust_verify(trust, &s, "no-such-type", NOW, NULL), EMISMATCH);
}

/* ---- time ---- */

static void test_time(void **state) {
    (void)state;
    Pb__Signed s = sign(keys[AUTHORIZATION], "grant");
    assert_err(trust_verify(trust, &s, "grant", FROM - 1, NULL), EEXPIRED);
    assert_null(trust_verify(trust, &s, "grant", FROM, NULL));
    assert_null(trust_verify(trust, &s, "grant", TO - 1, NULL));
    assert_err(trust_verify(trust, &s, "grant", TO, NULL), EEXPIRED);
    struct trust *t = NULL;
    assert_null(trust_new(crypto_key_spki(root), manifest(8, REVOKED), 7, &t));
    assert_null(trust_verify(t, &s, "grant", REVOKED - 1, NULL));
    assert_err(trust_verify(t, &s, "grant", REVOKED, NULL), EEXPIRED);
    assert_non_null(trust_find(t, "authorization", REVOKED - 1));
    assert_null(trust_find(t, "authorization", REVOKED));
    assert_null(trust_find(t, "authorization", FROM - 1));
    assert_null(trust_find(t, "nothing", NOW));
    trust_free(t);
    assert_string_equal(trust_find(trust, "registry", NOW)->kid, crypto_key_kid(keys[REGISTRY]));
}

/* ---- tampering ---- */

static void test_tampering(void **state) {
    (void)state;
    static const int signers[] = { AUTHORIZATION, ISSUANCE, BRIDGE };
    static const char *what[] = { "grant", "envelope", "time" };
    for (size_t i = 0; i < CHOP_COUNT(signers); i++) {
        struct chop_bytes packed;
        Pb__Signed *back = NULL;
        assert_null(trust_sign_packed(keys[signers[i]], NULL, what[i], chop_str("3 impressions"), mem, &packed));
        assert_null(trust_verify_packed(trust, packed, what[i], NOW, mem, &back));
        assert_true(chop_bytes_equal(PB_BYTES(back->payload), chop_str("3 impressions")));
        back = NULL;
        uint8_t *p = (uint8_t *)(uintptr_t)packed.p;
        for (size_t bit = 0; bit < packed.n * 8; bit++) { /* framing, type, kid, payload, signature */
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
            chop_err e = trust_verify_packed(trust, packed, what[i], NOW, mem, &back);
            if (!e) fail_msg("%s: bit %zu", what[i], bit);
            assert_null(back);
            p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        for (size_t n = 0; n < packed.n; n++)
            assert_non_null(trust_verify_packed(trust, CHOP_BYTES(p, n), what[i], NOW, mem, &back));
    }
}

/* The border between kid and payload, and between type and kid, cannot be moved. */
static void test_borders(void **state) {
    (void)state;
    Pb__Signed s = sign(keys[AUTHORIZATION], "grant"), t = s;
    char kid[32];
    (void)snprintf(kid, sizeof kid, "%.15s", s.kid);
    t.kid = kid;
    assert_err(trust_verify(trust, &t, "grant", NOW, NULL), ESIGNATURE);
    t = s;
    t.kid = PB_STR(crypto_key_kid(keys[IDENTITY]));
    assert_err(trust_verify(trust, &t, "grant", NOW, NULL), EMISMATCH);
    t = sign(keys[AUTHORIZATION], "ticket");
    t.kid = PB_STR(crypto_key_kid(keys[IDENTITY]));
    assert_err(trust_verify(trust, &t, "ticket", NOW, NULL), ESIGNATURE);
    t = s;
    t.signature.len = 0;
    assert_err(trust_verify(trust, &t, "grant", NOW, NULL), ESIGNATURE);
    char long_kid[80] = { 0 };
    memset(long_kid, 'a', 79);
    assert_err(trust_sign(root, long_kid, "grant", chop_str(""), mem, &t), ELIMIT);
}

/* What is covered, byte for byte: others (browsers, printers, registries) build it too. */
static void test_covered_bytes(void **state) {
    (void)state;
    Pb__Signed s;
    assert_null(trust_sign(keys[AUTHORIZATION], "k1", "grant", chop_str("abc"), mem, &s));
    assert_null(crypto_verify(keys[AUTHORIZATION], CHOP_BYTES("chop/1/grant\0k1\0abc", 19), PB_BYTES(s.signature)));
    assert_null(trust_verify_key(keys[AUTHORIZATION], &s, "grant"));
    assert_err(trust_verify_key(keys[AUTHORIZATION], &s, "ticket"), EMISMATCH);
    assert_err(trust_verify_key(keys[IDENTITY], &s, "grant"), ESIGNATURE);
    uint8_t large[5000], out[32], want[32];
    memset(large, 7, sizeof large);
    assert_null(trust_sign(keys[AUTHORIZATION], NULL, "grant", CHOP_BYTES(large, sizeof large), mem, &s));
    assert_null(trust_verify(trust, &s, "grant", NOW, NULL));
    trust_act_challenge("act_1", chop_str("nonce"), chop_str("digest"), out);
    crypto_sha256(CHOP_BYTES("chop/1/act\0act_1noncedigest", 27), want);
    assert_memory_equal(out, want, 32);
}

/* ---- the manifest itself ---- */

static chop_err load(struct chop_bytes packed) {
    struct trust *t = NULL;
    chop_err e = trust_new(crypto_key_spki(root), packed, 7, &t);
    if (!e)
        trust_free(t);
    else
        assert_null(t);
    return e;
}

static void test_manifest_refusals(void **state) {
    (void)state;
    assert_int_equal(trust_version(trust), 7);
    assert_null(load(manifest(7, 0)));
    assert_err(load(manifest(6, 0)), EMISMATCH); /* a lower version */
    Pb__KeyEntry *two[2] = { entry_of(IDENTITY, keys[0]), entry_of(ISSUANCE, keys[0]) };
    assert_err(load(pack_manifest(7, two, 2, root, "manifest")), EINVAL); /* one kid twice */
    assert_null(load(pack_manifest(7, two, 1, root, "manifest")));
    assert_err(load(pack_manifest(7, two, 1, root, "grant")), EMISMATCH);
    assert_err(load(pack_manifest(7, two, 1, keys[0], "manifest")), ESIGNATURE); /* not the root */
    two[0]->purpose = PB_STR("root");
    assert_err(load(pack_manifest(7, two, 1, root, "manifest")), EINVAL);
    two[0] = entry_of(IDENTITY, keys[0]);
    two[0]->algorithm = PB_STR("SM2"); /* the key is ES256 */
    assert_err(load(pack_manifest(7, two, 1, root, "manifest")), EINVAL);
    two[0]->algorithm = PB_STR("RS256");
    assert_err(load(pack_manifest(7, two, 1, root, "manifest")), EINVAL);
    two[0] = entry_of(IDENTITY, keys[0]);
    two[0]->public_key.len--;
    assert_err(load(pack_manifest(7, two, 1, root, "manifest")), EINVAL);
    two[0] = entry_of(IDENTITY, keys[0]);
    two[0]->kid = PB_STR("");
    assert_err(load(pack_manifest(7, two, 1, root, "manifest")), EINVAL);
    assert_non_null(load(chop_str("nonsense")));
    struct chop_bytes good = manifest(7, 0);
    uint8_t *p = (uint8_t *)(uintptr_t)good.p;
    for (size_t i = 0; i < good.n; i++) {
        p[i] ^= 1;
        assert_non_null(load(good));
        p[i] ^= 1;
    }
}

static void test_root_relabelled(void **state) {
    (void)state;
    Pb__Signed s;
    Pb__KeyManifest m = PB__KEY_MANIFEST__INIT;
    struct chop_bytes payload, packed;
    m.version = 9;
    assert_null(pb_pack(&m, mem, &payload));
    /* Another key calls itself by the root's kid. */
    assert_null(trust_sign(keys[0], crypto_key_kid(root), "manifest", payload, mem, &s));
    assert_null(pb_pack(&s, mem, &packed));
    assert_err(load(packed), ESIGNATURE);
}

static void put(const char *dir, const char *name, struct chop_bytes b) {
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b.p, 1, b.n, f), b.n);
    assert_int_equal(fclose(f), 0);
}

static void test_load(void **state) {
    (void)state;
    char dir[] = "/tmp/unit_trust.XXXXXX", cmd[64];
    struct trust *t = NULL;
    assert_non_null(mkdtemp(dir));
    assert_err(trust_load(dir, 0, &t), EINVAL);
    put(dir, "root.spki", crypto_key_spki(root));
    put(dir, "manifest.signed", manifest(9, 0));
    assert_err(trust_load(dir, 10, &t), EMISMATCH);
    assert_null(trust_load(dir, 9, &t));
    assert_int_equal(trust_version(t), 9);
    trust_free(t);
    (void)snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    assert_int_equal(system(cmd), 0);
}

/* ---- devices ---- */

static const char *cert_id = "trm_1";

static Pb__Signed terminal_cert(const struct crypto_key *by, const struct crypto_key *k, int64_t from, int64_t to) {
    Pb__TerminalCert c = PB__TERMINAL_CERT__INIT;
    struct chop_bytes payload;
    Pb__Signed s;
    c.terminal_id = PB_STR(cert_id);
    c.organization_id = PB_STR("org_1");
    c.member_id = PB_STR("mbr_1");
    c.public_key = PB_BIN(crypto_key_spki(k));
    c.not_before = from;
    c.not_after = to;
    assert_null(pb_pack(&c, mem, &payload));
    assert_null(trust_sign(by, NULL, "terminal-cert", payload, mem, &s));
    return s;
}

static Pb__Signed printer_cert(void) {
    Pb__PrinterCert c = PB__PRINTER_CERT__INIT;
    struct chop_bytes payload;
    Pb__Signed s;
    c.printer_id = PB_STR("prn_1");
    c.organization_id = PB_STR("org_1");
    c.sign_key = PB_BIN(crypto_key_spki(device));
    c.not_before = FROM + 10;
    c.not_after = TO - 10;
    assert_null(pb_pack(&c, mem, &payload));
    assert_null(trust_sign(keys[IDENTITY_CA], NULL, "printer-cert", payload, mem, &s));
    return s;
}

static chop_err terminal_says(
    Pb__Signed cert, const struct crypto_key *k, const char *kid, const char *type, int64_t at) {
    Pb__Signed s;
    Pb__TerminalCert *c = NULL;
    assert_null(trust_sign(k, kid, type, chop_str("x"), mem, &s));
    chop_err e = trust_verify_terminal(trust, &cert, &s, type, at, mem, &c);
    assert_true(e ? c == NULL : strcmp(c->member_id, "mbr_1") == 0);
    return e;
}

static void test_terminal(void **state) {
    (void)state;
    const struct crypto_key *ca = keys[IDENTITY_CA];
    Pb__Signed cert = terminal_cert(ca, device, FROM + 10, TO - 10);
    assert_null(terminal_says(cert, device, "trm_1", "order", NOW));
    assert_null(terminal_says(cert, device, "trm_1", "pair", NOW));
    assert_err(terminal_says(cert, device, "trm_2", "order", NOW), EMISMATCH); /* another device's name */
    assert_err(terminal_says(cert, device, "", "order", NOW), EMISMATCH);
    assert_err(terminal_says(cert, seal, "trm_1", "order", NOW), ESIGNATURE); /* another key */
    assert_err(terminal_says(cert, device, "trm_1", "order", FROM + 9), EEXPIRED);
    assert_err(terminal_says(cert, device, "trm_1", "order", TO - 10), EEXPIRED);
    for (size_t i = 0; i < CHOP_COUNT(types); i++)
        if (strcmp(types[i].type, "order") != 0 && strcmp(types[i].type, "pair") != 0)
            assert_err(terminal_says(cert, device, "trm_1", types[i].type, NOW), EMISMATCH);
    for (int p = 0; p < PURPOSES; p++) /* a certificate by a key that is no CA */
        if (p != IDENTITY_CA)
            assert_err(
                terminal_says(terminal_cert(keys[p], device, FROM, TO), device, "trm_1", "order", NOW), EMISMATCH);
    assert_err(terminal_says(terminal_cert(device, device, FROM, TO), device, "trm_1", "order", NOW), ESIGNATURE);
    assert_err(
        terminal_says(terminal_cert(ca, keys[ISSUANCE], FROM, TO), keys[ISSUANCE], "trm_1", "order", NOW), EINVAL);
    /* The CA's key was not in force when the certificate was made. */
    assert_err(terminal_says(terminal_cert(ca, device, FROM - 1, TO), device, "trm_1", "order", NOW), EEXPIRED);
    assert_err(terminal_says(terminal_cert(ca, device, TO, TO + 9), device, "trm_1", "order", TO + 1), EEXPIRED);
    /* One that ran out since leaves its certificates good. */
    assert_null(terminal_says(terminal_cert(ca, device, FROM, TO + 100), device, "trm_1", "order", TO + 50));
    cert_id = "";
    assert_err(terminal_says(terminal_cert(ca, device, FROM, TO), device, "", "order", NOW), EMISMATCH); /* no name */
    cert_id = "trm_1";
    cert.payload.data[3] ^= 1;
    assert_err(terminal_says(cert, device, "trm_1", "order", NOW), ESIGNATURE);
}

static void test_revoked_ca(void **state) {
    (void)state;
    struct trust *t = NULL;
    Pb__Signed cert = terminal_cert(keys[IDENTITY_CA], device, FROM, TO), s;
    Pb__TerminalCert *c = NULL;
    assert_null(trust_sign(device, "trm_1", "order", chop_str("x"), mem, &s));
    assert_null(trust_new(crypto_key_spki(root), manifest(8, REVOKED), 7, &t));
    assert_null(trust_verify_terminal(t, &cert, &s, "order", REVOKED - 1, mem, &c));
    assert_err(trust_verify_terminal(t, &cert, &s, "order", REVOKED, mem, &c), EEXPIRED);
    trust_free(t);
}

/* A CA of one organization makes no device of another. */
static void test_ca_of_an_organization(void **state) {
    (void)state;
    Pb__KeyEntry *ca = entry_of(IDENTITY_CA, keys[IDENTITY_CA]);
    Pb__Signed cert = terminal_cert(keys[IDENTITY_CA], device, FROM, TO), printer = printer_cert(), order, report;
    Pb__TerminalCert *c = NULL;
    Pb__PrinterCert *p = NULL;
    assert_null(trust_sign(device, "trm_1", "order", chop_str("x"), mem, &order));
    assert_null(trust_sign(device, "prn_1", "report", chop_str("x"), mem, &report));
    for (int other = 0; other <= 1; other++) {
        struct trust *t = NULL;
        ca->organization_id = other ? PB_STR("org_2") : PB_STR("org_1");
        assert_null(trust_new(crypto_key_spki(root), pack_manifest(8, &ca, 1, root, "manifest"), 7, &t));
        chop_err want = other ? CHOP_ERR(EMISMATCH) : NULL;
        assert_ptr_equal(trust_verify_terminal(t, &cert, &order, "order", NOW, mem, &c), want);
        assert_ptr_equal(trust_verify_printer(t, &printer, &report, "report", NOW, mem, &p), want);
        assert_int_equal(trust_key_serves(ca, "org_1"), !other);
        trust_free(t);
    }
}

static void test_printer(void **state) {
    (void)state;
    Pb__Signed cert = printer_cert(), term = terminal_cert(keys[IDENTITY_CA], device, FROM, TO), s;
    Pb__PrinterCert *c = NULL;
    static const char *good[] = { "challenge", "report", "paired", "closeout" };
    for (size_t i = 0; i < 4; i++) {
        assert_null(trust_sign(device, "prn_1", good[i], chop_str("x"), mem, &s));
        assert_null(trust_verify_printer(trust, &cert, &s, good[i], NOW, mem, &c));
        assert_string_equal(c->printer_id, "prn_1");
        assert_err(trust_verify_printer(trust, &cert, &s, good[i], FROM, mem, &c), EEXPIRED);
        assert_err(trust_verify_printer(trust, &term, &s, good[i], NOW, mem, &c), EMISMATCH); /* a terminal's */
        s.payload = PB_BIN(chop_str("y"));
        assert_err(trust_verify_printer(trust, &cert, &s, good[i], NOW, mem, &c), ESIGNATURE);
    }
    assert_null(trust_sign(device, "prn_1", "order", chop_str("x"), mem, &s));
    assert_err(trust_verify_printer(trust, &cert, &s, "order", NOW, mem, &c), EMISMATCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types_and_purposes),
        cmocka_unit_test(test_types_do_not_mix),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_tampering),
        cmocka_unit_test(test_borders),
        cmocka_unit_test(test_covered_bytes),
        cmocka_unit_test(test_manifest_refusals),
        cmocka_unit_test(test_root_relabelled),
        cmocka_unit_test(test_load),
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_revoked_ca),
        cmocka_unit_test(test_ca_of_an_organization),
        cmocka_unit_test(test_printer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
