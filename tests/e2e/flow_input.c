/* What strangers and mistakes send. */
#include "flow.h"

#include "pbjson.h"

#include "gateway.pb-c.h"

#include <stdio.h>
#include <string.h>

/* POSTs this text as it is; the answer must be this problem. */
static void assert_refused(const char *path, const char *token, struct chop_bytes body, const char *code) {
    struct api_reply r;
    Pb__Problem *p;
    struct pbjson_limits limits = PBJSON_LIMITS;
    assert_ok(api_raw(world.a, "POST", path, token, "application/json", body, &r));
    assert_ok(pbjson_read(&pb__problem__descriptor, r.body, &limits, api_mem(world.a), &p));
    assert_string_equal(p->code, code);
    assert_int_equal(p->status, r.status);
    assert_true(r.status >= 400 && r.status < 500);
}

static void json_that_is_none(void **state) {
    (void)state;
    const char *t = world.user.token, *acts = "/v1/acts";
    assert_refused(acts, t, chop_str("{\"request\":{\"seal_id\":\"x\",\"colour\":\"red\"}}"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":{}} {}"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":null}"), "EINVAL");
    assert_refused(acts, t, chop_str("{}"), "EINVAL");
    assert_refused(acts, t, chop_str("[1]"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":{\"copies\":1.5}}"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":{\"copies\":-1}}"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":{\"purpose\":\"\xc3\x28\"}}"), "EINVAL");
    assert_refused(acts, t, chop_str("{\"request\":{},\"decide\":{}}"), "EINVAL");
    char deep[20000];
    memset(deep, '[', sizeof deep);
    assert_refused("/v1/verify", NULL, CHOP_BYTES(deep, sizeof deep), "EINVAL");
    size_t n = 0;
    for (int i = 0; i < 2000; i++) n += (size_t)snprintf(deep + n, sizeof deep - n, "{\"a\":");
    assert_refused("/v1/verify", NULL, CHOP_BYTES(deep, n), "EINVAL");
    assert_code(api_call(world.a, "GET", "/v1/nothing", t, NULL, NULL, NULL), ENOTFOUND);
    assert_code(api_call(world.a, "DELETE", acts, t, NULL, NULL, NULL), EMETHOD);
    assert_code(api_call(world.a, "GET", "/v1/me", NULL, NULL, NULL, NULL), EAUTH);
}

static void seals_that_are_none(void **state) {
    Pb__SealCreate in = PB__SEAL_CREATE__INIT;
    (void)state;
    in.name = PB_STR("财务专用章");
    in.kind = PB_STR("finance");
    in.code = PB_STR("110105123456"); /* 12 digits */
    assert_code(ACT(world.a, &world.admin, SEAL_CREATE, seal_create, &in, NULL), EINVAL);
    assert_string_equal(chop_detail_field(), "seal_create.code");
    in.code = PB_STR("11010512345a7");
    assert_code(ACT(world.a, &world.admin, SEAL_CREATE, seal_create, &in, NULL), EINVAL);
    in.code = PB_STR(world_seal_code());
    in.kind = PB_STR("royal");
    assert_code(ACT(world.a, &world.admin, SEAL_CREATE, seal_create, &in, NULL), EINVAL);
    in.kind = PB_STR("finance");
    assert_code(ACT(world.a, &world.user, SEAL_CREATE, seal_create, &in, NULL), EDENIED);
    uint8_t not_a_picture[64] = "GIF89a and so on";
    in.png = (ProtobufCBinaryData){ sizeof not_a_picture, not_a_picture };
    assert_code(ACT(world.a, &world.admin, SEAL_CREATE, seal_create, &in, NULL), EINVAL);
}

static void copies_out_of_range(void **state) {
    Pb__Request *r;
    struct use u = { .seal_id = world.seal_id, .title = "数量", .copies = 0 };
    (void)state;
    assert_code(request_make(world.a, &world.user, &u, &r), EINVAL);
    u.copies = 1000000;
    assert_code(request_make(world.a, &world.user, &u, &r), EINVAL);
    u.copies = 21; /* the policy's limit is 20 */
    assert_code(request_make(world.a, &world.user, &u, &r), EINVAL);
    u.copies = 1;
    u.seal_id = "seal_00000000000000000000000000";
    assert_code(request_make(world.a, &world.user, &u, &r), ENOTFOUND);
}

/* ---- files ---- */
static chop_err file_put(const char *text, const char *name, const char *sha256) {
    Pb__StartFileRequest start = PB__START_FILE_REQUEST__INIT;
    Pb__PutChunkRequest put = PB__PUT_CHUNK_REQUEST__INIT;
    Pb__FileReply *f;
    uint8_t digest[32];
    crypto_sha256(chop_str(text), digest);
    start.name = PB_STR(name);
    start.sha256 = sha256 ? PB_STR(sha256) : arena_hex(api_mem(world.a), CHOP_BYTES(digest, 32));
    start.size = strlen(text);
    TRY(API(world.a, "POST", "/v1/files", world.user.token, &start, pb__file_reply, &f));
    put.data = PB_BIN(chop_str(text));
    TRY(api_call(world.a, "PUT", stack_text("/v1/files/%s/chunks/0", f->file_id), world.user.token, &put, NULL, NULL));
    return api_call(world.a, "POST", stack_text("/v1/files/%s/finish", f->file_id), world.user.token, NULL, NULL, NULL);
}

static void files_that_are_no_pdf(void **state) {
    (void)state;
    assert_code(file_put("<html>not a PDF</html>", "contract.pdf", NULL), EINVAL);
    assert_code(file_put("%PDF-1.4 but nothing behind it", "contract.pdf", NULL), EINVAL);
    char other[65];
    memset(other, 'a', 64);
    other[64] = 0;
    assert_code(file_put("%PDF-1.4", "contract.pdf", other), EMISMATCH);
    assert_code(file_put("x", "../../etc/passwd", NULL), EINVAL);
}

const struct CMUnitTest flow_input_tests[] = {
    cmocka_unit_test(json_that_is_none),
    cmocka_unit_test(seals_that_are_none),
    cmocka_unit_test(copies_out_of_range),
    cmocka_unit_test(files_that_are_no_pdf),
};
const size_t flow_input_count = CHOP_COUNT(flow_input_tests);
