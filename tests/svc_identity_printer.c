/* identity: enrolling printers. */
#include "svc_identity_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct fixture_program *program;
static struct person boss;

static Pb__PrinterCodeReply *code_make(void) {
    Pb__PrepareIdentityActRequest in = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__PrinterCode printer = PB__PRINTER_CODE__INIT;
    Pb__CommitIdentityActReply *out;
    printer.name = PB_STR("一号印章机");
    in.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PRINTER_CODE;
    in.printer_code = &printer;
    WORKS(world_act(&boss, &in, &out));
    assert_int_equal(strlen(out->printer_code->code), 10);
    return out->printer_code;
}

struct printer {
    struct crypto_key *key, *seal;
    uint8_t point[65];
    Pb__EnrolPrinterRequest in;
};

static void printer_sign(struct printer *p) {
    struct chop_bytes rest =
        CHOP_BYTES(arena_printf(fixture_mem(), "%s%65s", p->in.printer_id, ""), strlen(p->in.printer_id) + 65);
    memcpy((uint8_t *)(uintptr_t)rest.p + strlen(p->in.printer_id), p->in.seal_key.data, 65);
    p->in.signature = world_signature(p->key, world_statement("chop/1/printer-enrol", rest));
}

static void printer_make(struct printer *p, const Pb__PrinterCodeReply *code) {
    struct chop_bytes csr;
    p->key = world_key(CRYPTO_ES256);
    p->seal = world_key(CRYPTO_ES256);
    p->in = (Pb__EnrolPrinterRequest)PB__ENROL_PRINTER_REQUEST__INIT;
    p->in.printer_id = code->printer_id;
    p->in.code = code->code;
    WORKS(crypto_csr_new(p->key, code->printer_id, fixture_mem(), &csr));
    WORKS(crypto_key_point(p->seal, p->point));
    p->in.csr = PB_BIN(csr);
    p->in.seal_key = PB_BIN(CHOP_BYTES(p->point, 65));
    printer_sign(p);
}

static chop_err enrol(const struct printer *p, Pb__EnrolPrinterReply **ret) {
    return CALL("EnrolPrinter", &p->in, NULL, ret);
}

static void test_enrolled(void **state) {
    (void)state;
    struct printer p;
    Pb__EnrolPrinterReply *out, *again;
    Pb__PrinterCert *cert;
    struct trust *t;
    printer_make(&p, code_make());
    WORKS(enrol(&p, &out));
    assert_string_equal(out->organization_id, boss.organization_id);
    assert_string_equal(out->name, "一号印章机");
    WORKS(trust_new(PB_BYTES(out->root_spki), PB_BYTES(out->manifest), 0, &t));
    WORKS(trust_verify(t, out->printer_cert, "printer-cert", chop_now_ms(), NULL));
    trust_free(t);
    WORKS(PB_UNPACK(pb__printer_cert, PB_BYTES(out->printer_cert->payload), fixture_mem(), &cert));
    assert_string_equal(cert->printer_id, p.in.printer_id);
    assert_string_equal(cert->organization_id, boss.organization_id);
    assert_true(chop_bytes_equal(PB_BYTES(cert->sign_key), crypto_key_spki(p.key)));
    assert_memory_equal(cert->seal_key.data, p.point, 65);
    assert_non_null(memmem(out->tls_certificate.data, out->tls_certificate.len, "BEGIN CERTIFICATE", 17));
    assert_non_null(memmem(out->ca_certificate.data, out->ca_certificate.len, "BEGIN CERTIFICATE", 17));
    WORKS(enrol(&p, &again)); /* the answer was lost: the same again */
    assert_true(chop_bytes_equal(PB_BYTES(out->tls_certificate), PB_BYTES(again->tls_certificate)));
    assert_true(chop_bytes_equal(PB_BYTES(out->printer_cert->signature), PB_BYTES(again->printer_cert->signature)));
}

static void test_tls_certificate(void **state) {
    (void)state;
    struct printer p;
    Pb__EnrolPrinterReply *out;
    printer_make(&p, code_make());
    WORKS(enrol(&p, &out));
    const char *leaf = fixture_text("%s/leaf.pem", fixture_dir());
    FILE *f = fopen(leaf, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(out->tls_certificate.data, 1, out->tls_certificate.len, f), out->tls_certificate.len);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(system(fixture_text(
                         "openssl verify -purpose sslclient -CAfile %s %s >/dev/null", fixture_ca_cert_path(), leaf)),
        0);
    assert_int_equal(
        system(fixture_text("openssl x509 -in %s -noout -subject | grep -q 'CN = %s$'", leaf, p.in.printer_id)), 0);
}

static void test_code_works_once(void **state) {
    (void)state;
    Pb__PrinterCodeReply *code = code_make();
    struct printer first, second;
    printer_make(&first, code);
    printer_make(&second, code);
    WORKS(enrol(&first, NULL));
    FAILS(enrol(&second, NULL), EUSED, "code");
    WORKS(enrol(&first, NULL));
}

static void test_code_forms(void **state) {
    (void)state;
    struct printer p;
    printer_make(&p, code_make());
    char *lower = arena_printf(fixture_mem(), "%.5s - %s", p.in.code, p.in.code + 5);
    for (char *c = lower; *c; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    p.in.code = lower;
    WORKS(enrol(&p, NULL));
}

static void test_code_guessing_ends(void **state) {
    (void)state;
    struct printer p;
    Pb__PrinterCodeReply *code = code_make();
    printer_make(&p, code);
    const char *guesses[] = { "", "0000000000", "short", "ZZZZZZZZZZ", "UUUUUUUUUU" };
    for (size_t i = 0; i < CHOP_COUNT(guesses); i++) {
        p.in.code = PB_STR(guesses[i]);
        FAILS(enrol(&p, NULL), EAUTH, "code");
    }
    p.in.code = code->code;
    FAILS(enrol(&p, NULL), EEXPIRED, "code");
}

static void test_code_expires(void **state) {
    (void)state;
    struct printer p;
    printer_make(&p, code_make());
    (void)fixture_sql("identity", fixture_text("UPDATE printer SET code_expires_at = %lld WHERE printer_id = '%s'",
                                      (long long)chop_now_ms(), p.in.printer_id));
    FAILS(enrol(&p, NULL), EEXPIRED, "code");
}

static void test_code_is_for_one_printer(void **state) {
    (void)state;
    Pb__PrinterCodeReply *one = code_make(), *two = code_make();
    struct printer p;
    printer_make(&p, one);
    p.in.code = two->code;
    FAILS(enrol(&p, NULL), EAUTH, "code");
    p.in.printer_id = PB_STR("prn_00000000000000000000000000");
    printer_sign(&p);
    FAILS(enrol(&p, NULL), EAUTH, "code");
}

static void test_tampered_request(void **state) {
    (void)state;
    struct printer p, other;
    Pb__PrinterCodeReply *code = code_make();
    printer_make(&p, code);
    printer_make(&other, code);
    p.in.seal_key = other.in.seal_key; /* somebody else's recipient key under this printer's name */
    FAILS(enrol(&p, NULL), ESIGNATURE, "signature");
    printer_make(&p, code);
    p.in.csr = other.in.csr;
    FAILS(enrol(&p, NULL), ESIGNATURE, "signature");
    printer_make(&p, code);
    p.point[64] ^= 1; /* off the curve */
    printer_sign(&p);
    FAILS(enrol(&p, NULL), EINVAL, "seal_key");
    p.in.seal_key.len = 64;
    FAILS(enrol(&p, NULL), EINVAL, "seal_key");
    printer_make(&p, code);
    p.in.csr.data[p.in.csr.len - 1] ^= 1;
    FAILS(enrol(&p, NULL), EINVAL, "csr");
    p.in.csr.len = 0;
    FAILS(enrol(&p, NULL), EINVAL, "csr");
    p.in.printer_id = PB_STR("printer");
    FAILS(enrol(&p, NULL), EINVAL, "printer_id");
    printer_make(&p, code); /* none of it cost a try */
    WORKS(enrol(&p, NULL));
}

/* A terminal's key, or another printer's, is not a new printer's. */
static void test_key_of_another(void **state) {
    (void)state;
    struct printer p, q;
    struct chop_bytes csr;
    printer_make(&p, code_make());
    WORKS(enrol(&p, NULL));
    printer_make(&q, code_make());
    q.key = p.key;
    WORKS(crypto_csr_new(q.key, q.in.printer_id, fixture_mem(), &csr));
    q.in.csr = PB_BIN(csr);
    printer_sign(&q);
    FAILS(enrol(&q, NULL), EUSED, "csr");
}

static void test_code_is_not_stored(void **state) {
    (void)state;
    Pb__PrepareIdentityActRequest in = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__PrinterCode printer = PB__PRINTER_CODE__INIT;
    Pb__PrepareActReply *act;
    Pb__ProveFactorReply *proven;
    Pb__CommitIdentityActReply *first, *again;
    printer.name = PB_STR("二号");
    in.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PRINTER_CODE;
    in.printer_code = &printer;
    WORKS(world_prepare(&boss, &in, &act));
    WORKS(world_prove_password(&boss, act, PASSWORD, &proven));
    WORKS(world_commit(&boss, act->act_id, proven->proof, &first));
    WORKS(world_commit(&boss, act->act_id, proven->proof, &again)); /* the answer was lost: the same code again */
    assert_string_equal(first->printer_code->code, again->printer_code->code);
    const char *code = first->printer_code->code;
    assert_string_equal(fixture_sql("identity", fixture_text("SELECT count(*) FROM act WHERE position('%s'::bytea IN "
                                                             "result) > 0",
                                                    code)),
        "0");
    assert_null(strstr(fixture_log("identity"), code));
}

static void test_event(void **state) {
    (void)state;
    struct printer p;
    printer_make(&p, code_make());
    WORKS(enrol(&p, NULL));
    size_t seen = 0;
    Pb__ReadEventsRequest in = PB__READ_EVENTS_REQUEST__INIT;
    in.from = 1;
    in.limit = 500;
    for (int tries = 0; tries < 40 && !seen; tries++) {
        for (in.partition = 0; in.partition < 16; in.partition++) {
            Pb__ReadEventsReply *out;
            WORKS(CALL("ReadEvents", &in, NULL, &out));
            for (size_t i = 0; i < out->n_events; i++)
                seen += strcmp(out->events[i]->type, "identity.printer.enrolled") == 0 &&
                        strcmp(out->events[i]->key, p.in.printer_id) == 0;
        }
        if (!seen) (void)usleep(100000);
    }
    assert_int_equal(seen, 1);
}

static int up(void **state) {
    (void)state;
    program = world_start(NULL);
    boss = world_organization("acme");
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    fixture_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_enrolled), cmocka_unit_test(test_tls_certificate),
        cmocka_unit_test(test_code_works_once), cmocka_unit_test(test_code_forms),
        cmocka_unit_test(test_code_guessing_ends), cmocka_unit_test(test_code_expires),
        cmocka_unit_test(test_code_is_for_one_printer), cmocka_unit_test(test_tampered_request),
        cmocka_unit_test(test_key_of_another), cmocka_unit_test(test_code_is_not_stored),
        cmocka_unit_test(test_event) };
    return cmocka_run_group_tests(tests, up, down);
}
