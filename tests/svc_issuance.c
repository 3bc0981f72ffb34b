/* chop-issuance against a real PostgreSQL and nats-server: an order becomes marks and an envelope once, and only if
 * every signature and every binding holds. */
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "marks.h"
#include "outline.h"
#include "svc_verification_world.h"

static struct world *w;
static struct authority *authority;
static struct fixture_program *program;

static chop_err submit(struct order_kit *k, Pb__Job **ret_job) {
    return fixture_call("issuance", &pb__issuance__descriptor, "SubmitOrder", &k->request, w->principal, ret_job);
}

#define SQL(text) fixture_sql("issuance", text)

/* ---- what comes out ---- */

static Pb__EnvelopeSealed *sealed_event(const char *job_id) {
    const char *hex =
        SQL(fixture_text("SELECT encode(payload, 'hex') FROM outbox WHERE type = 'issuance.envelope.sealed' "
                         "AND position(convert_to('%s', 'UTF8') IN payload) > 0",
            job_id));
    size_t n = strlen(hex) / 2;
    uint8_t *bytes = arena_alloc(fixture_mem(), n);
    Pb__EnvelopeSealed *ev;
    assert_true(n > 0 && chop_unhex(hex, bytes, n));
    assert_null(PB_UNPACK(pb__envelope_sealed, CHOP_BYTES(bytes, n), fixture_mem(), &ev));
    return ev;
}

static chop_err open_envelope(const Pb__EnvelopeSealed *ev, const char *printer_id, Pb__Envelope **ret) {
    char aad[128];
    size_t p = strlen(printer_id), j = strlen(ev->envelope->job_id);
    memcpy(aad, printer_id, p + 1);
    memcpy(aad + p + 1, ev->envelope->job_id, j);
    struct chop_bytes plain;
    Pb__Signed *s;
    TRY(crypto_hpke_open(w->printer_seal, chop_str("chop/1/envelope"), CHOP_BYTES(aad, p + 1 + j),
        PB_BYTES(ev->envelope->sealed), fixture_mem(), &plain));
    TRY(trust_verify_packed(fixture_trust(), plain, "envelope", chop_now_ms(), fixture_mem(), &s));
    return PB_UNPACK(pb__envelope, PB_BYTES(s->payload), fixture_mem(), ret);
}

static void check_cipher(const struct order_kit *k, const Pb__MarkedImpression *m) {
    char text[256], day[9], cipher[MARKS_CIPHER_LEN + 1];
    uint8_t mac[32];
    marks_day(k->allotment.allotted_at, day);
    size_t n = marks_cipher_input(m->serial, "1101082026001", day, w->document_digest, m->number, text, sizeof text);
    crypto_hmac_sha256(CHOP_BYTES(w->cipher_key, 32), CHOP_BYTES(text, n), mac);
    marks_cipher_make(mac, m->serial, cipher);
    assert_string_equal(m->cipher, cipher);
}

static void check_impression(const struct order_kit *k, const Pb__Job *job, const Pb__MarkedImpression *m, size_t i) {
    struct outline_size size;
    struct marks_read read;
    assert_int_equal(m->number, i + 1);
    assert_string_equal(m->token, job->marks[i]->token);
    assert_string_equal(m->serial, job->marks[i]->serial);
    assert_string_equal(m->cipher, job->marks[i]->cipher);
    assert_string_equal(job->marks[i]->url, fixture_text("HTTPS://V.EXAMPLE.CN:8443/V/%s", m->token));
    assert_null(marks_read(job->marks[i]->url, strlen(job->marks[i]->url), "v.example.cn:8443", &read));
    assert_string_equal(read.token, m->token);
    assert_null(outline_check(PB_BYTES(m->mark_block), &size));
    check_cipher(k, m);
}

static void test_order_becomes_an_envelope(void **state) {
    (void)state;
    struct order_kit *k = kit_new(3);
    Pb__Job *job;
    Pb__Envelope *e;
    kit_seal(k);
    assert_null(submit(k, &job));
    assert_string_equal(job->state, "sealed");
    assert_int_equal(job->n_marks, 3);
    assert_null(open_envelope(sealed_event(job->job_id), "prn_a", &e));
    assert_string_equal(e->job_id, job->job_id);
    assert_string_equal(e->printer_id, "prn_a");
    assert_true(chop_bytes_equal(PB_BYTES(e->artwork), w->artwork));
    assert_int_equal(e->signature_artwork.len, 0);
    assert_int_equal(e->n_impressions, 3);
    assert_true(e->signed_at > chop_now_ms() - 60000);
    for (size_t i = 0; i < 3; i++)
        check_impression(k, job, e->impressions[i], i);
    struct chop_bytes order;
    assert_null(pb_pack(e->order, fixture_mem(), &order));
    assert_true(chop_bytes_equal(order, PB_BYTES(k->request.order)));
    /* bound to printer and job: with another printer's name it does not open */
    assert_non_null(open_envelope(sealed_event(job->job_id), "prn_b", &e));
}

static void test_each_number_is_told_once(void **state) {
    (void)state;
    struct order_kit *k = kit_new(2);
    Pb__Job *job;
    Pb__ImpressionIssued *found;
    Pb__FindImpressionRequest ask = PB__FIND_IMPRESSION_REQUEST__INIT;
    kit_seal(k);
    assert_null(submit(k, &job));
    assert_string_equal(
        SQL(fixture_text(
            "SELECT count(*) FROM outbox WHERE type = 'issuance.impression.issued' AND key = '%s'", k->grant.seal_id)),
        "2");
    ask.serial = job->marks[1]->serial;
    assert_null(fixture_call("issuance", &pb__issuance__descriptor, "FindImpression", &ask, NULL, &found));
    assert_string_equal(found->token, job->marks[1]->token);
    assert_null(trust_verify(fixture_trust(), found->statement, "impression", chop_now_ms(), NULL));
    ask.serial = PB_STR("");
    ask.token = job->marks[0]->token;
    assert_null(fixture_call("issuance", &pb__issuance__descriptor, "FindImpression", &ask, NULL, &found));
    assert_int_equal(found->number, 1);
    ask.token = PB_STR("0000000000000000");
    assert_ptr_equal(
        fixture_call("issuance", &pb__issuance__descriptor, "FindImpression", &ask, NULL, &found), CHOP_ERR(ENOTFOUND));
    /* no cipher leaves this service in the clear */
    const char *leak = fixture_text(
        "SELECT count(*) FROM outbox WHERE position(convert_to('%s', 'UTF8') IN payload) > 0", job->marks[0]->cipher);
    assert_string_equal(SQL(leak), "0");
}

static void test_same_order_same_job(void **state) {
    (void)state;
    struct order_kit *k = kit_new(2);
    Pb__Job *first, *again;
    kit_seal(k);
    assert_null(submit(k, &first));
    assert_null(submit(k, &again));
    assert_string_equal(first->job_id, again->job_id);
    assert_string_equal(first->marks[0]->cipher, again->marks[0]->cipher);
    /* signed anew by the same terminal at another moment: another order */
    k->order.ordered_at++;
    kit_seal(k);
    assert_ptr_equal(submit(k, &again), CHOP_ERR(EUSED));
    assert_string_equal(SQL(fixture_text("SELECT count(*) FROM job WHERE grant_id = '%s'", k->grant.grant_id)), "1");
}

/* ---- many at once ---- */

struct race {
    atomic_int left, made, used;
    char job_id[64];
    pthread_mutex_t lock;
};

static void raced(void *ctx, chop_err e, struct chop_bytes reply) {
    struct race *r = ctx;
    struct arena *mem = arena_new(1 << 20);
    Pb__Job *job;
    (void)pthread_mutex_lock(&r->lock);
    if (e == CHOP_ERR(EUSED)) atomic_fetch_add(&r->used, 1);
    if (!e && !PB_UNPACK(pb__job, reply, mem, &job) && (!*r->job_id || strcmp(r->job_id, job->job_id) == 0)) {
        (void)snprintf(r->job_id, sizeof r->job_id, "%s", job->job_id);
        atomic_fetch_add(&r->made, 1);
    }
    (void)pthread_mutex_unlock(&r->lock);
    arena_free(mem);
    atomic_fetch_sub(&r->left, 1);
}

static void race(struct race *r, struct order_kit *k, int n, bool differ) {
    *r = (struct race){ .lock = PTHREAD_MUTEX_INITIALIZER };
    struct bus_headers h = { .deadline = chop_now_ms() + 8000, .principal = w->principal };
    struct chop_bytes packed[16];
    for (int i = 0; i < n; i++) {
        k->order.ordered_at += differ || i == 0;
        if (differ || i == 0) kit_seal(k);
        assert_null(pb_pack(&k->request, fixture_mem(), &packed[i]));
    }
    atomic_store(&r->left, n);
    for (int i = 0; i < n; i++)
        bus_call_async(fixture_bus(), "chop.issuance.v1.SubmitOrder", &h, packed[i], raced, r);
    while (atomic_load(&r->left))
        nanosleep(&(struct timespec){ 0, 1000000 }, NULL);
}

static void test_orders_at_once(void **state) {
    (void)state;
    static struct race r;
    for (int round = 0; round < 5; round++) {
        struct order_kit *same = kit_new(3), *other = kit_new(3);
        authority->number_state = "reserved";
        authority->number_allotment = same->allotment.allotment_id;
        race(&r, same, 12, false);
        assert_int_equal(r.made, 12); /* all the same job */
        authority->number_allotment = other->allotment.allotment_id;
        race(&r, other, 12, true);
        assert_int_equal(r.made, 1);
        assert_int_equal(r.used, 11);
        const char *sql =
            fixture_text("SELECT count(*) || ' ' || min(state) FROM impression WHERE grant_id IN ('%s', '%s')",
                same->grant.grant_id, other->grant.grant_id);
        assert_string_equal(SQL(sql), "6 issued");
    }
    authority->number_allotment = NULL;
}

/* The same numbers under another allotment: only if authorization itself says that they went back. */
static void test_number_once_unless_returned(void **state) {
    (void)state;
    struct order_kit *k = kit_new(2);
    Pb__Job *first, *second;
    kit_seal(k);
    assert_null(submit(k, &first));
    k->allotment.allotment_id = k->order.allotment_id = PB_STR(fixture_text("%.28sxy", k->allotment.allotment_id));
    kit_seal(k);
    authority->number_state = "reserved";
    authority->number_allotment = first->allotment_id;
    assert_ptr_equal(submit(k, &second), CHOP_ERR(EUSED));
    assert_string_equal(chop_detail_field(), "allotment.numbers");
    authority->number_state = NULL;
    assert_non_null(submit(k, &second));
    authority->number_state = "reserved";
    authority->number_allotment = k->allotment.allotment_id;
    assert_null(submit(k, &second));
    authority->number_allotment = NULL;
    assert_string_not_equal(first->marks[0]->token, second->marks[0]->token);
    assert_string_equal(
        SQL(fixture_text(
            "SELECT string_agg(state, ',' ORDER BY state) FROM impression WHERE grant_id = '%s'", k->grant.grant_id)),
        "issued,issued,returned,returned");
}

/* A seal suspended, a grant cancelled, a number settled between allotment and order: the signatures still hold. */
static void refused_now(struct order_kit *k, chop_err want) {
    Pb__Job *job;
    assert_ptr_equal(submit(k, &job), want);
    assert_string_equal(SQL(fixture_text("SELECT count(*) FROM job WHERE grant_id = '%s'", k->grant.grant_id)), "0");
}

static void test_asked_before_marks_are_made(void **state) {
    (void)state;
    static const char *const seals[] = { "suspended", "lost", "revoked", "destroyed" },
                             *const grants[] = { "cancelled", "suspended", "waiting", "expired" },
                             *const numbers[] = { "returned", "spoiled", "printed", "revoked" };
    struct order_kit *k = kit_new(2);
    Pb__Job *job, *again;
    kit_seal(k);
    for (size_t i = 0; i < 4; i++) {
        authority->seal_state = seals[i];
        refused_now(k, CHOP_ERR(ESTATE));
        authority->seal_state = NULL;
        authority->grant_state = grants[i];
        refused_now(k, CHOP_ERR(ESTATE));
        authority->grant_state = NULL;
        authority->number_state = numbers[i];
        refused_now(k, CHOP_ERR(EUSED));
        authority->number_state = "reserved";
    }
    authority->number_allotment = "alt_other";
    refused_now(k, CHOP_ERR(EUSED));
    authority->number_allotment = NULL;
    authority->grant_state = "exhausted"; /* its last numbers are these */
    assert_null(submit(k, &job));
    authority->grant_state = "cancelled"; /* what was made before is answered again */
    assert_null(submit(k, &again));
    assert_string_equal(job->job_id, again->job_id);
    authority->grant_state = NULL;
}

/* An offline grant's block carries a QR that a verifier without a network can check; a shorter one cannot be cut off
 * it. */
static void test_offline_mark(void **state) {
    (void)state;
    struct order_kit *k = kit_new(1), *online = kit_new(1);
    Pb__Job *job;
    Pb__Envelope *e;
    Pb__OfflineMark *m;
    struct outline_size with, without;
    kit_seal(online);
    assert_null(submit(online, &job));
    assert_null(open_envelope(sealed_event(job->job_id), "prn_a", &e));
    assert_int_equal(e->impressions[0]->offline_mark.len, 0);
    assert_null(outline_check(PB_BYTES(e->impressions[0]->mark_block), &without));
    k->grant.offline = true;
    kit_seal(k);
    assert_null(submit(k, &job));
    assert_null(open_envelope(sealed_event(job->job_id), "prn_a", &e));
    assert_null(outline_check(PB_BYTES(e->impressions[0]->mark_block), &with));
    assert_true(with.height_um > without.height_um);
    ProtobufCBinaryData b = e->impressions[0]->offline_mark;
    assert_true(b.len > 68 && b.len <= 213 && memcmp(b.data, "CHM1", 4) == 0);
    Pb__Signed s = PB__SIGNED__INIT;
    s.type = PB_STR("mark");
    s.payload = (ProtobufCBinaryData){ b.len - 68, b.data + 4 };
    s.signature = (ProtobufCBinaryData){ 64, b.data + b.len - 64 };
    assert_null(PB_UNPACK(pb__offline_mark, PB_BYTES(s.payload), fixture_mem(), &m));
    s.kid = m->kid;
    assert_null(trust_verify(fixture_trust(), &s, "mark", chop_now_ms(), NULL));
    assert_string_equal(m->token, job->marks[0]->token);
    assert_memory_equal(m->document_prefix.data, w->document_digest, 8);
    s.type = PB_STR("impression"); /* nor may it pass for issuance's longer word */
    assert_ptr_equal(trust_verify(fixture_trust(), &s, "impression", chop_now_ms(), NULL), CHOP_ERR(ESIGNATURE));
}

/* ---- signature ---- */

static void test_signature_is_printed_where_ordered(void **state) {
    (void)state;
    struct order_kit *k = kit_new(1);
    Pb__Job *job;
    Pb__Envelope *e;
    k->grant.signature_of = PB_STR("mem_boss");
    k->grant.specimen_digest = (ProtobufCBinaryData){ 32, w->specimen_digest };
    kit_seal(k);
    assert_null(submit(k, &job));
    assert_null(open_envelope(sealed_event(job->job_id), "prn_a", &e));
    assert_true(chop_bytes_equal(PB_BYTES(e->signature_artwork), w->specimen));

    k = kit_new(1);
    k->grant.signature_of = PB_STR("mem_boss");
    k->grant.specimen_digest = (ProtobufCBinaryData){ 32, w->artwork_digest };
    kit_seal(k);
    assert_ptr_equal(submit(k, &job), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "grant.specimen_digest");

    k = kit_new(1); /* sealed for the boss, but another member's was ordered */
    k->grant.signature_of = PB_STR("mem_other");
    k->grant.specimen_digest = (ProtobufCBinaryData){ 32, w->specimen_digest };
    kit_seal(k);
    assert_ptr_equal(submit(k, &job), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "grant.signature_of");
}

static void test_artwork_is_fetched_once_and_checked(void **state) {
    (void)state;
    struct order_kit *k = kit_new(1);
    Pb__Job *job;
    kit_seal(k);
    assert_null(submit(k, &job));
    int calls = authority->artwork_calls;
    k = kit_new(1);
    kit_seal(k);
    assert_null(submit(k, &job));
    assert_int_equal(authority->artwork_calls, calls);
    static uint8_t other[32] = { 7 };
    k = kit_new(1);
    k->grant.artwork_digest = k->allotment.artwork_digest = (ProtobufCBinaryData){ 32, other };
    kit_seal(k);
    assert_ptr_equal(submit(k, &job), CHOP_ERR(EMISMATCH));
    assert_string_equal(chop_detail_field(), "grant.artwork_digest");
}

/* ---- everything that is bent is refused, by its own name ---- */

static void refuse(struct order_kit *k, chop_err want, const char *field) {
    Pb__Job *job;
    chop_err e = submit(k, &job);
    if (e != want || strcmp(chop_detail_field(), field) != 0)
        fail_msg("want %s at %s, got %s at %s: %s", want->name, field, e ? e->name : "success", chop_detail_field(),
            chop_detail_text());
    assert_string_equal(
        SQL(fixture_text("SELECT count(*) FROM job WHERE allotment_id = '%s'", k->allotment.allotment_id)), "0");
}

#define BENT(err, field, ...)                                                                                          \
    do {                                                                                                               \
        struct order_kit *k = kit_new(2);                                                                              \
        __VA_ARGS__;                                                                                                   \
        kit_seal(k);                                                                                                   \
        refuse(k, CHOP_ERR(err), field);                                                                               \
    } while (0)

static void test_bindings(void **state) {
    (void)state;
    BENT(EMISMATCH, "allotment.grant_digest", k->bend_grant_digest = true);
    BENT(EMISMATCH, "allotment.challenge_digest", k->bend_allotment_challenge = true);
    BENT(EMISMATCH, "order.challenge_digest", k->bend_order_challenge = true);
    BENT(EMISMATCH, "order.allotment_digest", k->bend_allotment_digest = true);
    BENT(EMISMATCH, "order.printer_id", k->order.printer_id = PB_STR("prn_b"));
    BENT(EMISMATCH, "order.terminal_id", k->order.terminal_id = PB_STR("trm_b"));
    BENT(EMISMATCH, "terminal_cert.terminal_id", k->terminal.terminal_id = PB_STR("trm_b"));
    BENT(EMISMATCH, "terminal_cert.member_id", k->terminal.member_id = PB_STR("mem_b"));
    BENT(EMISMATCH, "terminal_cert.organization_id", k->terminal.organization_id = PB_STR("org_b"));
    BENT(EMISMATCH, "printer_cert.printer_id", k->printer.printer_id = PB_STR("prn_b"));
    BENT(EMISMATCH, "printer_cert.organization_id", k->printer.organization_id = PB_STR("org_b"));
    BENT(EMISMATCH, "challenge.printer_id", k->challenge.printer_id = PB_STR("prn_b"));
    BENT(EMISMATCH, "allotment.member_id", k->allotment.member_id = PB_STR("mem_b"));
    BENT(EDENIED, "grant.member_id",
        k->grant.member_id = k->allotment.member_id = k->terminal.member_id = PB_STR("mem_b"));
    static char *printers[] = { "prn_b" };
    BENT(EMISMATCH, "grant.printer_ids", k->grant.printer_ids = printers, k->grant.n_printer_ids = 1);
}

static void test_windows(void **state) {
    (void)state;
    BENT(EEXPIRED, "grant.not_after", k->grant.not_after = chop_now_ms() - 1);
    BENT(ESTATE, "grant.not_after", k->grant.not_before = chop_now_ms() + 60000);
    BENT(EEXPIRED, "allotment.not_after", k->allotment.not_after = chop_now_ms() - 1);
    BENT(EEXPIRED, "challenge.expires_at", k->challenge.expires_at = chop_now_ms() - 1);
    BENT(EEXPIRED, "order", k->terminal.not_after = chop_now_ms() - 1);
    BENT(EEXPIRED, "challenge", k->printer.not_after = chop_now_ms() - 1);
}

static void test_wrong_signers(void **state) {
    (void)state;
    BENT(EMISMATCH, "grant", k->grant_signer = "issuance");
    BENT(EMISMATCH, "allotment", k->allotment_signer = "bridge");
    struct order_kit *k = kit_new(1);
    kit_seal(k); /* the order under the printer's key */
    k->request.order = PB_BIN(kit_sign_by(w->printer, "trm_a", "order", &k->order));
    refuse(k, CHOP_ERR(ESIGNATURE), "order");
    kit_seal(k); /* the challenge under the terminal's */
    k->request.challenge = PB_BIN(kit_sign_by(w->terminal, "prn_a", "challenge", &k->challenge));
    refuse(k, CHOP_ERR(ESIGNATURE), "challenge");
    kit_seal(k); /* a grant where an allotment should be */
    k->request.allotment = k->request.grant;
    refuse(k, CHOP_ERR(EMISMATCH), "allotment");
    kit_seal(k); /* a certificate that the member made */
    k->request.terminal_cert = PB_BIN(kit_sign_by(w->terminal, NULL, "terminal-cert", &k->terminal));
    refuse(k, CHOP_ERR(ESIGNATURE), "order");
}

/* Each byte of each part, one in seven of them, turned over: never accepted. */
/* A key that the manifest gives to another organization alone. */
static void test_keys_of_another_organization(void **state) {
    (void)state;
    BENT(EMISMATCH, "grant", k->grant_signer = "authorization-org_b");
    BENT(EMISMATCH, "allotment", k->allotment_signer = "authorization-org_b");
}

static void test_no_byte_may_change(void **state) {
    (void)state;
    struct order_kit *k = kit_new(1);
    kit_seal(k);
    ProtobufCBinaryData *parts[] = { &k->request.allotment, &k->request.grant, &k->request.order,
        &k->request.terminal_cert, &k->request.printer_cert, &k->request.challenge };
    size_t refused = 0;
    for (size_t p = 0; p < CHOP_COUNT(parts); p++)
        for (size_t i = p; i < parts[p]->len; i += 7, refused++) {
            Pb__Job *job;
            parts[p]->data[i] ^= 0x20;
            if (!submit(k, &job)) fail_msg("part %zu, byte %zu", p, i);
            parts[p]->data[i] ^= 0x20;
        }
    assert_true(refused > 100);
    Pb__Job *job;
    assert_null(submit(k, &job)); /* and unchanged it is sound */
}

static void test_nobody_else_sees_the_job(void **state) {
    (void)state;
    struct order_kit *k = kit_new(1);
    Pb__Job *job, *seen;
    Pb__GetJobRequest get = PB__GET_JOB_REQUEST__INIT;
    Pb__Principal p = PB__PRINCIPAL__INIT;
    char *user[] = { "user" }, *auditor[] = { "auditor" };
    kit_seal(k);
    assert_null(submit(k, &job));
    get.job_id = job->job_id;
    p.organization_id = PB_STR("org_a");
    p.member_id = PB_STR("mem_other");
    p.roles = user;
    p.n_roles = 1;
    chop_err e = fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, fixture_principal(&p), &seen);
    assert_ptr_equal(e, CHOP_ERR(ENOTFOUND));
    p.roles = auditor; /* sees the job, not the marks */
    assert_null(fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, fixture_principal(&p), &seen));
    assert_int_equal(seen->n_marks, 0);
    p.organization_id = PB_STR("org_b");
    e = fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, fixture_principal(&p), &seen);
    assert_ptr_equal(e, CHOP_ERR(ENOTFOUND));
    assert_ptr_equal(fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, NULL, &seen), CHOP_ERR(EAUTH));
    assert_null(fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, w->principal, &seen));
    assert_string_equal(seen->marks[0]->cipher, job->marks[0]->cipher);
}

static void settle(const struct order_kit *k, uint32_t number, const char *state) {
    Pb__ImpressionSettled ev = PB__IMPRESSION_SETTLED__INIT;
    ev.grant_id = k->grant.grant_id;
    ev.allotment_id = k->allotment.allotment_id;
    ev.number = number;
    ev.state = PB_STR(state);
    ev.at = chop_now_ms();
    tell("authorization", "authorization.impression.settled", k->grant.seal_id, &ev);
}

static Pb__Job *job_when(char *job_id, size_t outcomes) {
    Pb__GetJobRequest get = PB__GET_JOB_REQUEST__INIT;
    Pb__Job *job = NULL;
    get.job_id = job_id;
    for (int i = 0; i < 200; i++) {
        assert_null(fixture_call("issuance", &pb__issuance__descriptor, "GetJob", &get, w->principal, &job));
        if (job->n_numbers >= outcomes) return job;
        nanosleep(&(struct timespec){ 0, 25000000 }, NULL);
    }
    fail_msg("%zu outcomes, want %zu", job->n_numbers, outcomes);
    return job;
}

static void test_outcomes_close_the_job(void **state) {
    (void)state;
    struct order_kit *k = kit_new(2);
    Pb__Job *job, *again;
    kit_seal(k);
    assert_null(submit(k, &job));
    settle(k, 1, "printed");
    job = job_when(job->job_id, 1);
    assert_string_equal(job->state, "sealed");
    assert_string_equal(job->numbers[0]->state, "printed");
    settle(k, 1, "interrupted"); /* what is printed stays printed */
    settle(k, 2, "returned");
    job = job_when(job->job_id, 2);
    assert_string_equal(job->state, "done");
    assert_string_equal(job->numbers[0]->state, "printed");
    /* the returned number may have new marks, the printed one never, whatever authorization says */
    k->allotment.allotment_id = k->order.allotment_id = PB_STR("alt_outcomes_1");
    kit_seal(k);
    assert_ptr_equal(submit(k, &again), CHOP_ERR(EUSED));
    k->numbers[0] = 2;
    k->allotment.n_numbers = 1;
    kit_seal(k);
    assert_null(submit(k, &again));
    assert_int_equal(again->marks[0]->number, 2);
}

/* A hundred numbers: one envelope, and far below a second. */
static void test_many_numbers(void **state) {
    (void)state;
    struct order_kit *k = kit_new(100);
    Pb__Job *job;
    kit_seal(k);
    int64_t start = chop_mono_ns();
    assert_null(submit(k, &job));
    int64_t took = (chop_mono_ns() - start) / 1000000;
    assert_int_equal(job->n_marks, 100);
    size_t sealed = sealed_event(job->job_id)->envelope->sealed.len;
    print_message("100 numbers: %lld ms, envelope of %zu bytes\n", (long long)took, sealed);
    assert_true(took < 2000);
}

/* The bridge carries 2 MiB in one message, and the printer has memory for as much: what is larger must be refused
 * before marks are made, not lie in the bridge for ever. Blocks of offline grants hold a second QR. */
static void test_what_no_printer_takes(void **state) {
    (void)state;
    for (size_t n = 20; n <= 100; n += 20) {
        struct order_kit *k = kit_new(n);
        Pb__Job *job;
        k->grant.offline = true;
        kit_seal(k);
        if (submit(k, &job))
            refuse(k, CHOP_ERR(ELIMIT), "allotment.numbers");
        else
            assert_true(sealed_event(job->job_id)->envelope->sealed.len < ((size_t)2 << 20) - 1024);
    }
}

static int up(void **state) {
    (void)state;
    w = world_up();
    authority = authority_up();
    authority->number_state = "reserved";
    producers_up(false);
    program = fixture_start("issuance", "issuance", world_issuance_env());
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    producers_down();
    world_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_becomes_an_envelope),
        cmocka_unit_test(test_each_number_is_told_once),
        cmocka_unit_test(test_same_order_same_job),
        cmocka_unit_test(test_orders_at_once),
        cmocka_unit_test(test_number_once_unless_returned),
        cmocka_unit_test(test_asked_before_marks_are_made),
        cmocka_unit_test(test_offline_mark),
        cmocka_unit_test(test_signature_is_printed_where_ordered),
        cmocka_unit_test(test_artwork_is_fetched_once_and_checked),
        cmocka_unit_test(test_bindings),
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_wrong_signers),
        cmocka_unit_test(test_keys_of_another_organization),
        cmocka_unit_test(test_no_byte_may_change),
        cmocka_unit_test(test_nobody_else_sees_the_job),
        cmocka_unit_test(test_outcomes_close_the_job),
        cmocka_unit_test(test_many_numbers),
        cmocka_unit_test(test_what_no_printer_takes),
    };
    return cmocka_run_group_tests(tests, up, down);
}
