/* Standard Webhooks 1.0.0: the specification's own example, and what must be refused. */
#include "webhook.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char secret_text[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char id[] = "msg_p5jXN8AQM9LWM0D4loKWxJek";
static const char body[] = "{\"test\": 2432232314}";
static const char signature[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
static const int64_t at = 1614265330;

static chop_err verify(const char *i, const char *t, const char *s, const char *b, int64_t now) {
    struct webhook_secret secret;
    assert_null(webhook_secret_parse(secret_text, &secret));
    return webhook_verify(&secret, i, t, s, chop_str(b), now);
}

static void test_example(void **state) {
    (void)state;
    struct webhook_secret secret;
    char out[WEBHOOK_SIGNATURE_MAX];
    assert_null(webhook_secret_parse(secret_text, &secret));
    assert_int_equal(secret.n, 24);
    assert_null(webhook_sign(&secret, id, at, chop_str(body), out));
    assert_string_equal(out, signature);
    assert_null(verify(id, "1614265330", signature, body, at));
    assert_null(verify(id, "1614265330", "v1,AAAA v1a,zz v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", body, at + 299));
}

static void test_refused(void **state) {
    (void)state;
    chop_err no = CHOP_ERR(EAUTH);
    assert_ptr_equal(verify("msg_x", "1614265330", signature, body, at), no);
    assert_ptr_equal(verify(id, "1614265331", signature, body, at), no);
    assert_ptr_equal(verify(id, "1614265330", signature, "{\"test\": 2432232315}", at), no);
    assert_ptr_equal(verify(id, "1614265330", signature, body, at + 301), no);
    assert_ptr_equal(verify(id, "1614265330", signature, body, at - 301), no);
    assert_ptr_equal(verify(id, "1614265330 ", signature, body, at), no);
    assert_ptr_equal(verify(id, "1614265330", "", body, at), no);
    assert_ptr_equal(verify(id, "1614265330", "v1,", body, at), no);
    assert_ptr_equal(verify(NULL, "1614265330", signature, body, at), no);
    assert_ptr_equal(verify(id, NULL, signature, body, at), no);
    assert_ptr_equal(verify(id, "1614265330", NULL, body, at), no);
}

static void test_secrets(void **state) {
    (void)state;
    struct webhook_secret s;
    assert_null(webhook_secret_parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", &s));
    static const char *const bad[] = { "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqr",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw x",
        "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        if (webhook_secret_parse(bad[i], &s) != CHOP_ERR(EINVAL)) fail_msg("accepted %s", bad[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests_name("webhook", tests, NULL, NULL);
}
