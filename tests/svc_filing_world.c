#include "svc_filing_world.h"

#include "pb.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

const char *const world_registries[3] = { "police", "third-party", "internal" };

static void write_file(const char *path, struct chop_bytes b) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
    close(fd);
}

static Pb__KeyEntry *entry(struct world *w, const struct crypto_key *k, const char *purpose, const char *name) {
    Pb__KeyEntry *e = PB_NEW(w->mem, Pb__KeyEntry, pb__key_entry);
    e->kid = PB_STR(crypto_key_kid(k));
    e->purpose = PB_STR(purpose);
    e->algorithm = PB_STR(crypto_alg_name(crypto_key_alg(k)));
    e->public_key = PB_BIN(crypto_key_spki(k));
    e->not_before = chop_now_ms() - 86400000;
    e->not_after = chop_now_ms() + 86400000;
    e->name = PB_STR(name);
    return e;
}

static void write_manifest(struct world *w, const struct crypto_key *identity) {
    Pb__KeyEntry *entries[5] = { entry(w, w->owner, "authorization", "") };
    for (int i = 0; i < 3; i++) entries[i + 1] = entry(w, w->registry[i], "registry", world_registries[i]);
    Pb__KeyManifest m = PB__KEY_MANIFEST__INIT;
    m.version = 1;
    m.issued_at = chop_now_ms();
    if (identity) entries[4] = entry(w, identity, "identity", "");
    m.n_entries = identity ? 5 : 4;
    m.entries = entries;
    struct chop_bytes payload, packed;
    assert_null(pb_pack(&m, w->mem, &payload));
    assert_null(trust_sign_packed(w->root, NULL, "manifest", payload, w->mem, &packed));
    write_file(arena_printf(w->mem, "%s/root.spki", w->keys), crypto_key_spki(w->root));
    write_file(arena_printf(w->mem, "%s/manifest.signed", w->keys), packed);
}

static void make_keys(struct world *w, const struct crypto_key *identity) {
    assert_null(crypto_key_generate(CRYPTO_ES256, &w->root));
    assert_null(crypto_key_generate(CRYPTO_ES256, &w->owner));
    assert_null(crypto_key_generate(CRYPTO_ES256, &w->stranger));
    for (int i = 0; i < 3; i++) {
        assert_null(crypto_key_generate(CRYPTO_ES256, &w->registry[i]));
        assert_null(crypto_key_save(w->registry[i], arena_printf(w->mem, "%s/%s.pem", w->keys, world_registries[i])));
    }
    write_manifest(w, identity);
    assert_null(trust_load(w->keys, 0, &w->trust));
}

struct world *world_new(const struct crypto_key *identity) {
    struct world *w = calloc(1, sizeof *w);
    w->mem = arena_new((size_t)256 << 20);
    snprintf(w->dir, sizeof w->dir, "/tmp/chop-filing-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->keys, sizeof w->keys, "%s/keys", w->dir);
    assert_int_equal(mkdir(w->keys, 0700), 0);
    make_keys(w, identity);
    snprintf(w->secret_file, sizeof w->secret_file, "%s/secret", w->keys);
    static const char secret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    write_file(w->secret_file, chop_str(secret));
    assert_null(webhook_secret_load(w->secret_file, &w->secret));
    struct httpc_options o = { .allow_private = true, .allow_http = true, .timeout_ms = 5000, .max_reply = 1 << 20 };
    assert_null(httpc_new(&o, &w->http));
    return w;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *at) {
    (void)st, (void)flag, (void)at;
    return remove(path);
}

void world_free(struct world *w) {
    nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    httpc_free(w->http);
    trust_free(w->trust);
    crypto_key_free(w->root);
    crypto_key_free(w->owner);
    crypto_key_free(w->stranger);
    for (int i = 0; i < 3; i++) crypto_key_free(w->registry[i]);
    arena_free(w->mem);
    free(w);
}

/* ---- facts ---- */

struct notice { /* what a gap notice says */
    const char *registry;
    uint64_t seq;
    const uint8_t *digest;
    const char *fact_id;
};

static void say_notice(Pb__FactStatement *f, const struct notice *n) {
    f->detail = PB_STR("another reason");
    f->gap_registry = PB_STR(n->registry);
    f->gap_fact_id = PB_STR(n->fact_id);
    f->gap_seq = n->seq;
    f->gap_digest = PB_BIN(CHOP_BYTES(n->digest, 32));
}

static struct chop_bytes make_fact(struct world *w, const char *seal_id, uint64_t seq, struct chop_bytes previous,
    const char *kind, const struct notice *notice, const struct crypto_key *signer) {
    char id[CHOP_ID_MAX];
    chop_id_new("fact", id);
    Pb__FactStatement f = PB__FACT_STATEMENT__INIT;
    if (notice) say_notice(&f, notice);
    f.fact_id = id;
    f.kind = PB_STR(kind);
    f.organization_id = PB_STR("org_00000000000000000000000001");
    f.organization_name = PB_STR("甲公司 <&>");
    f.seal_id = PB_STR(seal_id);
    f.seal_name = PB_STR("合同专用章");
    f.seal_seq = seq;
    f.previous_digest = PB_BIN(previous);
    f.at = chop_now_ms();
    f.grant_id = PB_STR("grant_00000000000000000000000001");
    f.number = 1;
    struct chop_bytes payload, packed;
    assert_null(pb_pack(&f, w->mem, &payload));
    assert_null(trust_sign_packed(signer ? signer : w->owner, NULL, "fact", payload, w->mem, &packed));
    return packed;
}

struct chop_bytes world_fact_at(struct world *w, const char *seal_id, uint64_t seq, struct chop_bytes previous,
    const struct crypto_key *signer) {
    return make_fact(w, seal_id, seq, previous, "seal-state", NULL, signer);
}

void world_fact_digest(struct world *w, struct chop_bytes fact, uint8_t out[32]) {
    Pb__Signed *s;
    assert_null(PB_UNPACK(pb__signed, fact, w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), out);
}

struct chop_bytes world_fact(struct world *w, struct chain *c, const char *kind, const struct crypto_key *signer) {
    struct chop_bytes fact = make_fact(w, c->seal_id, c->seq + 1, CHOP_BYTES(c->last, c->seq ? 32 : 0), kind, NULL, signer);
    world_fact_digest(w, fact, c->last);
    c->seq++;
    return fact;
}

struct chop_bytes world_notice(struct world *w, struct chain *c, const char *registry, uint64_t seq,
    const uint8_t digest[32], const char *fact_id) {
    struct notice n = { registry, seq, digest, fact_id };
    struct chop_bytes fact = make_fact(w, c->seal_id, c->seq + 1, CHOP_BYTES(c->last, c->seq ? 32 : 0), "gap", &n, NULL);
    world_fact_digest(w, fact, c->last);
    c->seq++;
    return fact;
}

const char *world_key(struct world *w, unsigned n) {
    return arena_printf(w->mem, "%064x", n);
}

/* ---- registries ---- */

static int free_port(void) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    getsockname(fd, (struct sockaddr *)&a, &n);
    close(fd);
    return ntohs(a.sin_port);
}

static void exec_registry(struct world *w, struct peer *p) {
    const char *name = world_registries[p->nth];
    char listen[32], *dir = arena_printf(w->mem, "%s/%s", w->dir, name);
    snprintf(listen, sizeof listen, "127.0.0.1:%d", p->port);
    int null = open("/dev/null", O_RDWR);
    dup2(null, 1);
    if (!getenv("VERBOSE")) dup2(null, 2);
    execl(p->program, p->program, "--name", name, "--title", "测试 <registry>", "--listen", listen, "--dir", dir, "--keys",
        w->keys, "--sign-key", arena_printf(w->mem, "%s/%s.pem", w->keys, name), "--secret-file", w->secret_file,
        p->token_file ? "--operator-token-file" : "--test-switches", p->token_file, (char *)NULL);
    _exit(127);
}

void peer_again(struct world *w, struct peer *p) {
    p->pid = fork();
    if (p->pid == 0) exec_registry(w, p);
    struct httpc_reply r;
    chop_err e = CHOP_ERR(EUNREACHABLE);
    for (int i = 0; i < 500 && e; i++) {
        usleep(10000);
        e = httpc_send(w->http, "GET", p->url, NULL, CHOP_BYTES(NULL, 0), w->mem, &r);
    }
    assert_null(e);
}

void peer_start(struct world *w, struct peer *p, const char *program, int nth) {
    *p = (struct peer){ .nth = nth, .port = free_port(), .program = program };
    snprintf(p->url, sizeof p->url, "http://127.0.0.1:%d", p->port);
    peer_again(w, p);
}

void peer_kill(struct peer *p) {
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
}

void peer_stop(struct peer *p) {
    int status;
    kill(p->pid, SIGTERM);
    waitpid(p->pid, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void read_answer(struct world *w, const struct httpc_reply *r, int nth, struct peer_answer *a) {
    Pb__FilingAnswer *ok;
    Pb__Signed *s;
    Pb__ReceiptStatement *receipt;
    Pb__FilingRefusal *refusal;
    a->status = r->status;
    if (r->status != 200) {
        assert_null(pbjson_read(&pb__filing_refusal__descriptor, r->body, &PBJSON_LIMITS, w->mem, &refusal));
        a->refusal = refusal;
        return;
    }
    assert_null(pbjson_read(&pb__filing_answer__descriptor, r->body, &PBJSON_LIMITS, w->mem, &ok));
    a->receipt_signed = PB_BYTES(ok->receipt);
    assert_null(trust_verify_packed(w->trust, a->receipt_signed, "receipt", chop_now_ms(), w->mem, &s));
    assert_null(PB_UNPACK(pb__receipt_statement, PB_BYTES(s->payload), w->mem, &receipt));
    assert_string_equal(receipt->registry, world_registries[nth]);
    a->receipt = receipt;
}

static struct peer_answer exchange(struct world *w, struct peer *p, const char *method, const char *url,
    struct chop_bytes body) {
    struct peer_answer a = { 0 };
    struct httpc_reply r;
    char signature[WEBHOOK_SIGNATURE_MAX];
    int64_t now = chop_now_ms() / 1000;
    assert_null(webhook_sign(&w->secret, "msg_test", now, body, signature));
    const char *headers[] = { "Content-Type: application/json", "webhook-id: msg_test",
        arena_printf(w->mem, "webhook-timestamp: %lld", (long long)now),
        arena_printf(w->mem, "webhook-signature: %s", signature), NULL };
    a.err = httpc_send(w->http, method, url, headers, body, w->mem, &r);
    if (!a.err) read_answer(w, &r, p->nth, &a);
    return a;
}

struct peer_answer peer_file(struct world *w, struct peer *p, struct chop_bytes fact, const char *key) {
    Pb__FilingPost post = PB__FILING_POST__INIT;
    post.fact = PB_BIN(fact);
    post.idempotency_key = PB_STR(key);
    struct chop_bytes body;
    assert_null(pbjson_print(&post, w->mem, &body));
    return exchange(w, p, "POST", arena_printf(w->mem, "%s/v1/filings", p->url), body);
}

struct peer_answer peer_status(struct world *w, struct peer *p, const char *key) {
    return exchange(w, p, "GET", arena_printf(w->mem, "%s/v1/filings/%s", p->url, key), CHOP_BYTES(NULL, 0));
}

void peer_switch(struct world *w, struct peer *p, const char *mode, unsigned count) {
    struct httpc_reply r;
    struct chop_bytes body = chop_str(arena_printf(w->mem, "{\"mode\":\"%s\",\"count\":%u}", mode, count));
    assert_null(httpc_send(w->http, "PUT", arena_printf(w->mem, "%s/v1/switch", p->url), NULL, body, w->mem, &r));
    assert_int_equal(r.status, 200);
}

/* ---- orders ---- */

const Pb__RegistryOrder *world_read_order(struct world *w, const struct peer *p, struct chop_bytes packed) {
    const Pb__KeyEntry *entry;
    Pb__Signed *s;
    Pb__RegistryOrder *m;
    assert_null(PB_UNPACK(pb__signed, packed, w->mem, &s));
    assert_null(trust_verify(w->trust, s, "registry-order", chop_now_ms(), &entry));
    assert_string_equal(entry->name, world_registries[p->nth]);
    assert_null(PB_UNPACK(pb__registry_order, PB_BYTES(s->payload), w->mem, &m));
    assert_string_equal(m->registry, world_registries[p->nth]);
    return m;
}

long peer_order(struct world *w, struct peer *p, const char *json, const char *token, const Pb__RegistryOrder **ret_order) {
    struct httpc_reply r;
    Pb__HeldOrder *held;
    const char *headers[] = { "Content-Type: application/json",
        token ? arena_printf(w->mem, "Authorization: Bearer %s", token) : NULL, NULL };
    assert_null(httpc_send(w->http, "PUT", arena_printf(w->mem, "%s/v1/orders", p->url), headers, chop_str(json), w->mem, &r));
    if (r.status != 200) return r.status;
    assert_null(pbjson_read(&pb__held_order__descriptor, r.body, &PBJSON_LIMITS, w->mem, &held));
    const Pb__RegistryOrder *m = world_read_order(w, p, PB_BYTES(held->order));
    assert_int_equal(m->sequence, held->sequence);
    if (ret_order) *ret_order = m;
    return 200;
}

long peer_orders(struct world *w, struct peer *p, uint64_t after, Pb__HeldOrders **ret_orders) {
    struct httpc_reply r;
    char signature[WEBHOOK_SIGNATURE_MAX];
    int64_t now = chop_now_ms() / 1000;
    assert_null(webhook_sign(&w->secret, "msg_test", now, CHOP_BYTES(NULL, 0), signature));
    const char *headers[] = { "webhook-id: msg_test", arena_printf(w->mem, "webhook-timestamp: %lld", (long long)now),
        arena_printf(w->mem, "webhook-signature: %s", signature), NULL };
    const char *url = arena_printf(w->mem, "%s/v1/orders?after=%llu", p->url, (unsigned long long)after);
    assert_null(httpc_send(w->http, "GET", url, headers, CHOP_BYTES(NULL, 0), w->mem, &r));
    if (r.status == 200) assert_null(pbjson_read(&pb__held_orders__descriptor, r.body, &PBJSON_LIMITS, w->mem, ret_orders));
    return r.status;
}

size_t peer_holds(struct world *w, struct peer *p, const char *seal_id) {
    size_t n = 0;
    for (;;) {
        struct httpc_reply r;
        Pb__HeldFilings *page;
        const char *url = arena_printf(w->mem, "%s/v1/filings?seal=%s&after=%zu&limit=1000", p->url, seal_id, n);
        assert_null(httpc_send(w->http, "GET", url, NULL, CHOP_BYTES(NULL, 0), w->mem, &r));
        assert_int_equal(r.status, 200);
        assert_null(pbjson_read(&pb__held_filings__descriptor, r.body, &PBJSON_LIMITS, w->mem, &page));
        for (size_t i = 0; i < page->n_filings; i++) assert_int_equal(page->filings[i]->seal_seq, ++n);
        if (page->n_filings < 1000) return n;
    }
}
