/* chop's parts, and that it proves nothing for a server that shows one thing and means another. */
#include "svc_filing_world.h"

#include "cli.h"
#include "field.h"
#include "out.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "gateway.pb-c.h"
#include "identity.pb-c.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- a server of lies: /v1/keys, /v1/acts, and "not found" for the rest ---- */

static int port;
static struct chop_bytes keys_json, prepare_json;
static _Atomic int factors_asked;

static void answer(int fd, const char *status, struct chop_bytes body) {
    char head[256];
    int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        status, body.n);
    (void)!send(fd, head, (size_t)n, MSG_NOSIGNAL);
    (void)!send(fd, body.p, body.n, MSG_NOSIGNAL);
}

static void serve_one(int fd) {
    static char text[65536];
    size_t n = 0;
    for (;;) {
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0) return;
        n += (size_t)got;
        text[n] = 0;
        char *end = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (end && n >= (size_t)(end + 4 - text) + (length ? strtoul(length + 15, NULL, 10) : 0)) break;
    }
    if (strncmp(text, "GET /v1/keys ", 13) == 0) {
        answer(fd, "200 OK", keys_json);
    } else if (strncmp(text, "POST /v1/acts ", 14) == 0) {
        answer(fd, "200 OK", prepare_json);
    } else {
        factors_asked += strstr(text, "/factors ") != NULL;
        answer(fd, "404 Not Found", chop_str("{\"code\":\"ENOTFOUND\",\"detail\":\"\\u001b[2J\"}"));
    }
}

static void *serve(void *arg) {
    for (;;) {
        int fd = accept((int)(intptr_t)arg, NULL, NULL);
        if (fd < 0) return NULL;
        serve_one(fd);
        close(fd);
    }
}

static void serve_start(void) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_t t;
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    port = ntohs(a.sin_port);
    pthread_create(&t, NULL, serve, (void *)(intptr_t)fd);
    pthread_detach(t);
}

/* ---- the world ---- */

static struct world *w;
static struct crypto_key *identity;
static struct cli c;
static Pb__Cancel params;

/* What the server prepares; each test bends one thing. */
static struct bent {
    Pb__Ticket ticket;
    Pb__Cancel shown;
    Pb__ActContent content;
    const struct crypto_key *signer;
    const char *more; /* another member of the content's JSON */
    bool other_digest, other_nonce;
} bent;

static uint8_t nonce[32] = { 7 };
static Pb__Clause clause;
static char *factors[] = { (char *)(uintptr_t) "password" };
static Pb__Clause *clauses[] = { &clause };

static void make_bent(void) {
    memset(&bent, 0, sizeof bent);
    pb__ticket__init(&bent.ticket);
    pb__cancel__init(&bent.shown);
    pb__act_content__init(&bent.content);
    pb__clause__init(&clause);
    clause.factors = factors;
    clause.n_factors = 1;
    bent.signer = w->owner;
    bent.shown.grant_id = PB_STR("grant_1");
    bent.shown.reason = PB_STR("no longer needed");
    bent.content.act_id = bent.ticket.act_id = PB_STR("act_1");
    bent.content.kind = PB_STR("cancel");
    bent.content.params_case = PB__ACT_CONTENT__PARAMS_CANCEL;
    bent.content.cancel = &bent.shown;
    bent.ticket.owner = PB_STR("authorization");
    bent.ticket.member_id = PB_STR("mem_1");
    bent.ticket.expires_at = chop_now_ms() + 600000;
}

static void prepare(void) {
    struct chop_bytes json, payload, ticket;
    uint8_t digest[32];
    assert_null(pbjson_print(&bent.content, w->mem, &json));
    if (bent.more) json = chop_str(arena_printf(w->mem, "{%s,%.*s", bent.more, (int)json.n - 1, (const char *)json.p + 1));
    crypto_sha256(json, digest);
    if (bent.other_digest) digest[0] ^= 1;
    bent.ticket.digest = PB_BIN(CHOP_BYTES(digest, 32));
    bent.ticket.nonce = PB_BIN(CHOP_BYTES(nonce, 32));
    assert_null(pb_pack(&bent.ticket, w->mem, &payload));
    assert_null(trust_sign_packed(bent.signer, NULL, "ticket", payload, w->mem, &ticket));
    Pb__PrepareActReply r = PB__PREPARE_ACT_REPLY__INIT;
    r.act_id = PB_STR("act_1");
    r.content = PB_BIN(json);
    r.ticket = PB_BIN(ticket);
    r.clauses = clauses;
    r.n_clauses = 1;
    uint8_t other[32] = { 8 };
    r.nonce = PB_BIN(CHOP_BYTES(bent.other_nonce ? other : nonce, 32));
    assert_null(pbjson_print(&r, w->mem, &prepare_json));
}

static chop_err act(void) {
    Pb__CommitActReply *reply;
    prepare();
    factors_asked = 0;
    return act_run(&c, "cancel", false, &params, &reply, NULL);
}

static int setup(void **state) {
    (void)state;
    assert_null(crypto_key_generate(CRYPTO_ES256, &identity));
    w = world_new(identity);
    memset(&c, 0, sizeof c);
    c.mem = arena_new((size_t)64 << 20);
    c.yes = true;
    c.command = command_find("cancel");
    c.server = arena_printf(c.mem, "http://127.0.0.1:%d", port);
    c.password_file = arena_printf(c.mem, "%s/password", w->dir);
    setenv("CHOP_HOME", w->dir, 1);
    assert_null(profile_load(&c));
    c.profile.member_id = "mem_1";
    assert_null(local_write(&c, c.password_file, chop_str("secret\n")));
    Pb__Keys k = PB__KEYS__INIT;
    struct chop_bytes manifest;
    k.root_spki = PB_BIN(crypto_key_spki(w->root));
    assert_null(local_read(&c, arena_printf(c.mem, "%s/manifest.signed", w->keys), 1 << 20, &manifest));
    k.manifest = PB_BIN(manifest);
    assert_null(pbjson_print(&k, w->mem, &keys_json));
    pb__cancel__init(&params);
    params.grant_id = PB_STR("grant_1");
    params.reason = PB_STR("no longer needed");
    make_bent();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    httpc_free(c.http);
    trust_free(c.trust);
    arena_free(c.mem);
    crypto_key_free(identity);
    world_free(w);
    return 0;
}

/* ---- acts ---- */

static void test_right_act_goes_on_to_the_factors(void **state) {
    (void)state;
    assert_ptr_equal(act(), CHOP_ERR(ENOTFOUND));
    assert_int_equal(factors_asked, 1);
}

#define REFUSES(test, change)                                                                 \
    static void test(void **state) {                                                          \
        (void)state;                                                                          \
        change;                                                                               \
        chop_err e = act();                                                                   \
        if (e != CHOP_ERR(EMISMATCH) && e != CHOP_ERR(ESIGNATURE)) fail_msg("%s", e ? e->name : "accepted"); \
        assert_int_equal(factors_asked, 0);                                                   \
    }
REFUSES(test_ticket_over_another_content, bent.other_digest = true)
REFUSES(test_ticket_for_another_nonce, bent.other_nonce = true)
REFUSES(test_ticket_for_another_act, bent.ticket.act_id = PB_STR("act_2"))
REFUSES(test_ticket_for_another_member, bent.ticket.member_id = PB_STR("mem_2"))
REFUSES(test_ticket_of_another_owner, bent.ticket.owner = PB_STR("identity"))
REFUSES(test_ticket_signed_by_identity, bent.signer = identity)
REFUSES(test_ticket_signed_by_a_stranger, bent.signer = w->stranger)
REFUSES(test_content_of_another_grant, bent.shown.grant_id = PB_STR("grant_2"))
REFUSES(test_content_with_another_reason, bent.shown.reason = PB_STR("other"))
REFUSES(test_content_of_another_act, bent.content.act_id = PB_STR("act_2"))
REFUSES(test_content_of_another_kind, bent.content.params_case = PB__ACT_CONTENT__PARAMS__NOT_SET)
REFUSES(test_content_that_is_not_understood, bent.more = "\"also\":\"pay\"")

static void test_pinned_root(void **state) {
    (void)state;
    const struct trust *t;
    Pb__Keys k = PB__KEYS__INIT, *real;
    assert_null(pin_trust(&c, &t));
    assert_true(local_exists(profile_path(&c, "root.spki")));
    assert_null(pbjson_read(&pb__keys__descriptor, keys_json, &PBJSON_LIMITS, w->mem, &real));
    k.root_spki = PB_BIN(crypto_key_spki(w->stranger));
    k.manifest = real->manifest;
    assert_null(pbjson_print(&k, w->mem, &keys_json));
    trust_free(c.trust);
    c.trust = NULL;
    assert_ptr_equal(pin_trust(&c, &t), CHOP_ERR(ESIGNATURE));
}

/* ---- parts ---- */

static void test_fields(void **state) {
    (void)state;
    Pb__RequestUse *m = PB_NEW(c.mem, Pb__RequestUse, pb__request_use);
    assert_null(field_put(m, "document.facts.number", "合-1", c.mem));
    assert_null(field_put(m, "copies", "3", c.mem));
    assert_null(field_add(m, "printer_ids", "prn_1", c.mem));
    assert_null(field_add(m, "printer_ids", "prn_2", c.mem));
    assert_string_equal(m->document->facts->number, "合-1");
    assert_int_equal(m->copies, 3);
    assert_string_equal(field_text(m, "printer_ids", c.mem), "prn_1,prn_2");
    assert_string_equal(field_text(m, "document.facts.number", c.mem), "合-1");
    assert_ptr_equal(field_put(m, "document.nothing", "1", c.mem), CHOP_ERR(EINVAL));
    assert_ptr_equal(field_put(m, "copies", "three", c.mem), CHOP_ERR(EINVAL));
    assert_ptr_equal(field_add(m, "copies", "3", c.mem), CHOP_ERR(EINVAL));
    Pb__RequestUse *n = field_clone(m, c.mem);
    assert_null(field_differs(m, n));
    n->copies = 4;
    assert_string_equal(field_differs(m, n), "copies");
    n->copies = 3;
    n->n_printer_ids = 1;
    assert_string_equal(field_differs(m, n), "printer_ids");
}

static chop_err line(const char *words) {
    static char text[512];
    char *argv[32] = { (char *)(uintptr_t) "chop" };
    int argc = 1;
    snprintf(text, sizeof text, "%s", words);
    for (char *p = text, *end; *p; p = end) {
        end = p + strcspn(p, " ");
        if (*end) *end++ = 0;
        argv[argc++] = p;
    }
    struct arena *mem = c.mem;
    memset(&c, 0, sizeof c);
    c.mem = mem;
    return args_read(&c, argc, argv);
}

static void test_command_lines(void **state) {
    (void)state;
    assert_null(line("--json approve req_1 --copies=2 --printer a --printer b -y"));
    assert_true(c.json && c.yes);
    Pb__Decide *d = PB_NEW(c.mem, Pb__Decide, pb__decide);
    assert_null(args_into(&c, d));
    assert_string_equal(d->verdict, "approve");
    assert_string_equal(d->request_id, "req_1");
    assert_int_equal(d->copies, 2);
    assert_int_equal(d->n_printer_ids, 2);
    assert_null(line("seal create --decide-factors key|fingerprint+password"));
    assert_string_equal(c.command->name, "seal create");
    Pb__SealCreate *s = PB_NEW(c.mem, Pb__SealCreate, pb__seal_create);
    assert_null(args_into(&c, s));
    assert_int_equal(s->policy->n_decide_clauses, 2);
    assert_int_equal(s->policy->decide_clauses[0]->n_factors, 2);
    assert_string_equal(s->policy->decide_clauses[1]->factors[0], "password");
    static const char *const bad[] = { "", "nothing", "seal", "approve", "approve a b", "approve a --what", "approve a --copies",
        "--copies 1 approve a" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        if (!line(bad[i])) fail_msg("accepted: %s", bad[i]);
    c.http = NULL;
}

static void test_times(void **state) {
    (void)state;
    int64_t ms;
    assert_null(args_time("+90m", 1000, &ms));
    assert_int_equal(ms, 1000 + 90 * 60000);
    assert_null(args_time("+3d", 0, &ms));
    assert_int_equal(ms, 3 * 86400000);
    setenv("TZ", "UTC", 1);
    assert_null(args_time("2026-12-01T08:00", 0, &ms));
    assert_int_equal(ms, 1796112000000);
    static const char *const bad[] = { "", "+", "+0m", "+5", "+5x", "+5mm", "tomorrow", "2026-13-01", "2026-12-01T08:00Z" };
    for (size_t i = 0; i < CHOP_COUNT(bad); i++)
        if (!args_time(bad[i], 0, &ms)) fail_msg("accepted: %s", bad[i]);
}

/* What others wrote cannot move the cursor or turn the text around. */
static void test_shown_text_is_tame(void **state) {
    (void)state;
    char *text;
    size_t n;
    FILE *f = open_memstream(&text, &n);
    out_text(f, "金额\x1b[2J 1\n2\xe2\x80\xae" "3\xc2\x9b" "4\xff" "5");
    fclose(f);
    assert_string_equal(text, "金额?[2J 1?2?3?4?5");
    free(text);
}

static void test_every_command_has_help(void **state) {
    (void)state;
    for (const struct command *cmd = commands; cmd->name; cmd++) {
        if (!cmd->doc || !cmd->examples || !strstr(cmd->examples, arena_printf(c.mem, "chop %s", cmd->name)))
            fail_msg("%s has no help or example", cmd->name);
        if (!cmd->run && !cmd->act && !cmd->path) fail_msg("%s does nothing", cmd->name);
        for (const struct option_row *o = cmd->options; o && o->name; o++)
            if (!o->doc || (o->field && !cmd->in && !cmd->run)) fail_msg("%s --%s", cmd->name, o->name);
    }
}

/* Every field that a row names exists in its message: a renamed field is found here, not by a user. */
static void test_every_field_exists(void **state) {
    (void)state;
    for (const struct command *cmd = commands; cmd->name; cmd++) {
        if (!cmd->in) continue;
        for (const struct option_row *o = cmd->options; o && o->name; o++) {
            if (!o->field) continue;
            void *m = pb_new(cmd->in, c.mem);
            chop_err e = o->kind == OPT_LIST ? field_add(m, o->field, "x", c.mem)
                       : o->kind == OPT_CLAUSES ? field_add(m, o->field, &clause, c.mem)
                       : o->kind == OPT_BYTES ? field_put_bytes(m, o->field, chop_str("x"), c.mem)
                                              : field_put(m, o->field, "1", c.mem);
            if (e && field_put(m, o->field, "true", c.mem)) fail_msg("%s --%s: %s", cmd->name, o->name, o->field);
        }
        for (size_t i = 0; i < 3 && cmd->args[i].label; i++)
            if (cmd->args[i].field && field_put(pb_new(cmd->in, c.mem), cmd->args[i].field, "1", c.mem))
                fail_msg("%s %s", cmd->name, cmd->args[i].label);
    }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void) {
    serve_start();
    const struct CMUnitTest tests[] = {
        TEST(test_right_act_goes_on_to_the_factors), TEST(test_ticket_over_another_content), TEST(test_ticket_for_another_nonce),
        TEST(test_ticket_for_another_act), TEST(test_ticket_for_another_member), TEST(test_ticket_of_another_owner),
        TEST(test_ticket_signed_by_identity), TEST(test_ticket_signed_by_a_stranger), TEST(test_content_of_another_grant),
        TEST(test_content_with_another_reason), TEST(test_content_of_another_act), TEST(test_content_of_another_kind),
        TEST(test_content_that_is_not_understood), TEST(test_pinned_root), TEST(test_fields), TEST(test_command_lines),
        TEST(test_times), TEST(test_shown_text_is_tame), TEST(test_every_command_has_help), TEST(test_every_field_exists),
    };
    return cmocka_run_group_tests_name("chop", tests, NULL, NULL);
}
