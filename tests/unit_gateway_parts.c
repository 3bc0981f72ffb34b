/* The gateway's parts without a socket: route table, templates, targets, limits, sessions, traces, web files, OpenAPI.
 */
#include "limit.h"
#include "openapi.h"
#include "pb.h"
#include "routes.h"
#include "session.h"
#include "static.h"
#include "target.h"
#include "trace.h"

#include <protobuf-c/protobuf-c.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "authorization.pb-c.h"
#include "filing.pb-c.h"
#include "identity.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"
#include "verification.pb-c.h"

static struct arena *mem;

/* Nothing here calls; the linker wants it. */
void bus_call_async(struct bus *b, const char *subject, const struct bus_headers *h, struct chop_bytes request,
    bus_reply_fn fn, void *ctx) {
    (void)b;
    (void)subject;
    (void)h;
    (void)request;
    (void)fn;
    (void)ctx;
    abort();
}

static int setup(void **state) {
    (void)state;
    mem = arena_new((size_t)1 << 20);
    return mem ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    arena_free(mem);
    return 0;
}

static struct routes *all_routes(void) {
    struct routes *r = NULL;
    chop_err e = routes_new(route_table, route_count, &r);
    if (e) print_error("%s: %s\n", chop_detail_field(), chop_detail_text());
    assert_null(e);
    return r;
}

/* "/v1/acts/{act_id}/commit" with each field filled in. */
static char *example_of(const char *path) {
    char *out = arena_alloc(mem, 512), *w = out;
    for (const char *p = path; *p; p++) {
        if (*p != '{') {
            *w++ = *p;
            continue;
        }
        memcpy(w, "x%2F-7", 6);
        w += 6;
        p = strchr(p, '}');
    }
    return out;
}

static void test_every_row_is_reached(void **state) {
    (void)state;
    struct routes *r = all_routes();
    for (size_t i = 0; i < routes_length(r); i++) {
        const struct route_ready *ready = routes_at(r, i);
        char *path = example_of(ready->row->path);
        struct route_match m;
        assert_null(routes_match(r, ready->row->method, path, &m));
        assert_ptr_equal(m.ready, ready); /* no earlier row hides it */
        assert_true(ready->row->doc && *ready->row->doc);
        for (size_t k = 0; k < ready->count; k++)
            if (ready->segments[k].field) assert_true(chop_bytes_equal(m.values[k], chop_str("x%2F-7")));
        if (strcmp(ready->row->method, "GET") == 0) assert_null(routes_match(r, "HEAD", path, &m));
        assert_ptr_equal(routes_match(r, "PATCH", path, &m), CHOP_ERR(EMETHOD));
        assert_non_null(strstr(m.allow, ready->row->method));
        path = arena_printf(mem, "%s/", path);
        assert_ptr_equal(routes_match(r, ready->row->method, path, &m), CHOP_ERR(ENOTFOUND));
    }
    routes_free(r);
}

static void test_unknown_paths(void **state) {
    (void)state;
    struct routes *r = all_routes();
    static const char *const wrong[] = { "", "/", "/v1", "/v1/", "//v1/me", "/v1//me", "/v1/me/", "/V1/me",
        "/v1/acts//commit", "/v1/seals/a/b", "/V/", "/V", "/V/a/b", "v1/me", "/v1/me%00",
        "/v1/acts/x/commit/y/z/1/2/3/4", "*" };
    for (size_t i = 0; i < CHOP_COUNT(wrong); i++) {
        struct route_match m;
        assert_ptr_equal(routes_match(r, "GET", wrong[i], &m), CHOP_ERR(ENOTFOUND));
    }
    routes_free(r);
}

static bool has_row(const ProtobufCServiceDescriptor *service, const char *rpc) {
    for (size_t i = 0; i < route_count; i++)
        if (route_table[i].service == service && strcmp(route_table[i].rpc, rpc) == 0) return true;
    return false;
}

/* Every call of every service has a row, but for those that the protos call internal: they must have none. */
static void test_every_call_has_a_row(void **state) {
    (void)state;
    static const ProtobufCServiceDescriptor *const services[] = { &pb__identity__descriptor,
        &pb__authorization__descriptor, &pb__issuance__descriptor, &pb__printer_bridge__descriptor,
        &pb__filing_relay__descriptor, &pb__verification__descriptor };
    static const char *const internal[] = { "Identity.ResolveSession", "Identity.EnrolPrinter",
        "Authorization.FetchArtwork", "Authorization.FetchSpecimen", "Authorization.FindGrantState",
        "Issuance.FindImpression" };
    for (size_t s = 0; s < CHOP_COUNT(services); s++) {
        for (unsigned m = 0; m < services[s]->n_methods; m++) {
            const char *rpc = services[s]->methods[m].name;
            const char *name = arena_printf(mem, "%s.%s", services[s]->short_name, rpc);
            bool hidden = strcmp(rpc, "ReadEvents") == 0;
            for (size_t i = 0; i < CHOP_COUNT(internal); i++)
                hidden |= strcmp(internal[i], name) == 0;
            if (has_row(services[s], rpc) == hidden) fail_msg("%s %s", name, hidden ? "is internal" : "has no row");
        }
    }
}

static void row_refused(const char *path, const char *rpc) {
    struct route row = { .method = "GET",
        .path = path,
        .service = &pb__authorization__descriptor,
        .bus_name = "authorization",
        .rpc = rpc,
        .doc = "x" };
    struct routes *r = NULL;
    assert_ptr_equal(routes_new(&row, 1, &r), CHOP_ERR(EINTERNAL));
    assert_string_equal(chop_detail_field(), path);
    assert_null(r);
}

static void test_wrong_rows(void **state) {
    (void)state;
    row_refused("/v1/seals/{seal}", "GetSeal");
    row_refused("/v1/seals/{seal_id", "GetSeal");
    row_refused("/v1/seals/{}", "GetSeal");
    row_refused("/v1//seals", "GetSeal");
    row_refused("", "GetSeal");
    row_refused("v1", "GetSeal");
    row_refused("/v1/seals/{seal_id}", "GetSeals");
    row_refused("/v1/{request}", "PrepareAct"); /* a message, no scalar */
    row_refused("/1/2/3/4/5/6/7/8/9", "ListSeals");
}

static chop_err decode(const char *raw, bool query, char **ret) {
    return target_decode(chop_str(raw), query, mem, ret);
}

static void test_target(void **state) {
    (void)state;
    char *text = NULL;
    assert_null(decode("a%2Fb+c%20%e5%8D%b0", false, &text));
    assert_string_equal(text, "a/b+c 印");
    assert_null(decode("a+b%2B", true, &text));
    assert_string_equal(text, "a b+");
    static const char *const wrong[] = { "%", "%4", "%zz", "a%0", "%00", "a%00b", "%ff", "%c0%80", "%ed%a0%80", "%-1",
        "% 1" };
    for (size_t i = 0; i < CHOP_COUNT(wrong); i++)
        assert_ptr_equal(decode(wrong[i], false, &text), CHOP_ERR(EINVAL));
    assert_string_equal(text, "a b+");
}

static chop_err query(const char *text) {
    Pb__ListRequestsRequest *in = PB_NEW(mem, Pb__ListRequestsRequest, pb__list_requests_request);
    chop_detail_clear();
    return target_query_into(text, in, mem);
}

static void test_query(void **state) {
    (void)state;
    Pb__ListRequestsRequest *in = PB_NEW(mem, Pb__ListRequestsRequest, pb__list_requests_request);
    assert_null(target_query_into("view=inbox&&limit=20&after=%E5%8d%b0+1", in, mem));
    assert_string_equal(in->view, "inbox");
    assert_int_equal(in->limit, 20);
    assert_string_equal(in->after, "印 1");
    assert_null(query(""));
    assert_ptr_equal(query("nobody=1"), CHOP_ERR(EINVAL));
    assert_string_equal(chop_detail_field(), "nobody");
    assert_ptr_equal(query("view=a&view=b"), CHOP_ERR(EINVAL));
    assert_ptr_equal(query("limit=-1"), CHOP_ERR(EINVAL));
    assert_ptr_equal(query("limit"), CHOP_ERR(EINVAL));
    assert_ptr_equal(query("view=%00"), CHOP_ERR(EINVAL));
    char *many = arena_strn(mem, "", 0);
    for (int i = 0; i < 33; i++)
        many = arena_printf(mem, "%sview&", many);
    assert_ptr_equal(query(many), CHOP_ERR(ELIMIT));
    char *found = NULL;
    assert_null(target_query_find("from=singlemessage&c=12%2034&c=9", "c", mem, &found));
    assert_string_equal(found, "12 34");
    assert_null(target_query_find("cc=1", "c", mem, &found));
    assert_null(found);
}

static void test_limit(void **state) {
    (void)state;
    struct limit *l = limit_new(10, 3);
    int64_t now = INT64_C(1000000000000), wait = 0;
    for (int i = 0; i < 3; i++)
        assert_true(limit_take(l, chop_str("a"), 1, now, &wait));
    assert_false(limit_take(l, chop_str("a"), 1, now, &wait));
    assert_int_equal(wait, 1);
    assert_true(limit_take(l, chop_str("b"), 3, now, &wait)); /* another key has its own */
    assert_false(limit_take(l, chop_str("b"), 1, now, &wait));
    assert_false(limit_take(l, chop_str("a"), 1, now + 99000000, &wait));
    assert_true(limit_take(l, chop_str("a"), 1, now + 101000000, &wait)); /* a tenth of a second brings one */
    assert_false(limit_take(l, chop_str("a"), 1, now + 101000000, &wait));
    assert_true(limit_take(l, chop_str("a"), 100, now + INT64_C(3600000000000), &wait)); /* never more than all of it */
    assert_false(limit_take(l, chop_str("a"), 1, now + INT64_C(3600000000000), &wait));
    limit_free(l);
    l = limit_new(0, 1);
    for (int i = 0; i < 100; i++)
        assert_true(limit_take(l, chop_str("a"), 1, now, &wait));
    limit_free(l);
}

/* However many keys come, one that is being held back stays so: the new take the places of the full. */
static void test_limit_survives_a_flood(void **state) {
    (void)state;
    struct limit *l = limit_new(1, 5);
    int64_t now = INT64_C(1000000000000), wait;
    assert_true(limit_take(l, chop_str("guesser"), 5, now, &wait));
    for (uint64_t i = 0; i < 300000; i++)
        (void)limit_take(l, CHOP_BYTES(&i, sizeof i), 1, now, &wait);
    assert_false(limit_take(l, chop_str("guesser"), 1, now, &wait));
    limit_free(l);
}

static void test_sessions(void **state) {
    (void)state;
    struct session_cache *c = session_cache_new(64);
    uint8_t key[SESSION_KEY], other[SESSION_KEY];
    session_key(chop_str("token-a"), key);
    session_key(chop_str("token-b"), other);
    assert_null(session_find(c, key, 1000, mem));
    session_put(c, key, "principal", 2000);
    assert_string_equal(session_find(c, key, 1999, mem), "principal");
    assert_null(session_find(c, other, 1999, mem));
    session_put(c, key, "newer", 3000);
    assert_string_equal(session_find(c, key, 1999, mem), "newer");
    assert_null(session_find(c, key, 3000, mem)); /* its time is over */
    assert_null(session_find(c, key, 10, mem));   /* and it does not come back */
    session_put(c, key, "again", 9000);
    session_drop(c, key);
    assert_null(session_find(c, key, 10, mem));
    for (int i = 0; i < 1000; i++) {
        session_key(CHOP_BYTES(&i, sizeof i), key);
        session_put(c, key, "p", 5000 + i);
    }
    assert_string_equal(session_find(c, key, 10, mem), "p"); /* full: the new one is there */
    session_cache_free(c);
}

static void trace_is_new(const char *header) {
    char parent[56], trace[33];
    trace_begin(header, parent, trace);
    assert_int_equal(strlen(parent), 55);
    assert_memory_equal(parent + 3, trace, 32);
    assert_true(strspn(trace, "0123456789abcdef") == 32 && strspn(trace, "0") < 32);
    if (header && strlen(header) > 34) assert_true(strncmp(trace, header + 3, 32) != 0);
}

static void test_trace(void **state) {
    (void)state;
    char parent[56], trace[33];
    trace_begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", parent, trace);
    assert_string_equal(trace, "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_memory_equal(parent, "00-4bf92f3577b34da6a3ce929d0e0e4736-", 36);
    assert_memory_not_equal(parent + 36, "00f067aa0ba902b7", 16); /* our own span */
    assert_string_equal(parent + 52, "-00");
    trace_is_new(NULL);
    trace_is_new("");
    trace_is_new("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
    trace_is_new("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-00");
    trace_is_new("00-00000000000000000000000000000000-00f067aa0ba902b7-00");
    trace_is_new("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-00");
    trace_is_new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0");
    trace_is_new("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00x");
}

static void file_write(const char *path, const char *text) {
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_web_files(void **state) {
    (void)state;
    char dir[] = "/tmp/chop-web-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("pub", 0700), 0);
    assert_int_equal(mkdir("pub/sub", 0700), 0);
    assert_int_equal(mkdir("pub/.git", 0700), 0);
    file_write("secret", "s");
    file_write("pub/index.html", "<p>");
    file_write("pub/sub/a.js", "1");
    file_write("pub/.env", "s");
    file_write("pub/.git/config", "s");
    assert_int_equal(symlink("../secret", "pub/link"), 0);
    assert_int_equal(symlink("..", "pub/up"), 0);
    struct static_files *f = NULL;
    assert_null(static_load("pub/", &f));
    assert_int_equal(static_count(f), 2); /* no links, nothing hidden */
    static_free(f);
    assert_null(static_load("", &f));
    assert_int_equal(static_count(f), 0);
    static_free(f);
    assert_ptr_equal(static_load("pub/nothing", &f), CHOP_ERR(EINVAL));
    assert_int_equal(system("rm -r pub secret"), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(dir), 0);
}

/* docs/openapi.yaml is what the table and the protos say today. */
static void test_openapi_is_fresh(void **state) {
    (void)state;
    char *now = NULL, *kept = NULL;
    size_t now_n = 0, kept_n = 0;
    FILE *out = open_memstream(&now, &now_n);
    assert_null(openapi_print(out));
    fclose(out);
    FILE *in = fopen(OPENAPI_FILE, "r");
    assert_non_null(in);
    ssize_t got = getdelim(&kept, &kept_n, 0, in);
    fclose(in);
    assert_true(got > 0);
    if (strcmp(now, kept) != 0) fail_msg("docs/openapi.yaml is stale: chop-gateway --openapi > docs/openapi.yaml");
    for (size_t i = 0; i < route_count; i++)
        assert_non_null(strstr(now, arena_printf(mem, "  %s:\n", route_table[i].path)));
    free(now);
    free(kept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_row_is_reached),
        cmocka_unit_test(test_unknown_paths),
        cmocka_unit_test(test_every_call_has_a_row),
        cmocka_unit_test(test_wrong_rows),
        cmocka_unit_test(test_target),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_limit_survives_a_flood),
        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_trace),
        cmocka_unit_test(test_web_files),
        cmocka_unit_test(test_openapi_is_fresh),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
