#include "svc_verification_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EVENTS_MAX 512
#define PARTITIONS 16

static void must(chop_err e, const char *what) {
    if (!e) return;
    (void)fprintf(stderr, "%s: %s %s %s\n", what, e->name, chop_detail_field(), chop_detail_text());
    _Exit(99);
}

/* ---- producers ---- */

struct told {
    uint32_t partition;
    struct chop_bytes packed;
};
static struct producer {
    const char *name;
    struct told events[EVENTS_MAX];
    size_t n;
    uint64_t heads[PARTITIONS];
} producers[] = { { .name = "issuance" }, { .name = "authorization" }, { .name = "filing-relay" } };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool stop, quiet, silent;
static pthread_t announcer;
static size_t first_producer;
static const struct paper *known[32];
static size_t n_known;

/* As lib/outbox partitions: any function does, as long as one key stays in one partition. */
static uint32_t partition_of(const char *key) {
    uint32_t h = 0;
    while (*key)
        h = h * 31 + (unsigned char)*key++;
    return h % PARTITIONS;
}

static struct producer *producer_of(const char *name) {
    for (size_t i = 0; i < CHOP_COUNT(producers); i++)
        if (strcmp(producers[i].name, name) == 0) return &producers[i];
    _Exit(96);
}

void tell(const char *name, const char *type, const char *key, const void *message) {
    struct producer *p = producer_of(name);
    struct chop_bytes payload;
    Pb__Event e = PB__EVENT__INIT;
    must(pb_pack(message, fixture_mem(), &payload), type);
    (void)pthread_mutex_lock(&lock);
    e.producer = PB_STR(name);
    e.partition = partition_of(key);
    e.position = ++p->heads[e.partition];
    e.epoch = 1;
    e.type = PB_STR(type);
    e.key = PB_STR(key);
    e.payload = PB_BIN(payload);
    e.at = chop_now_ms();
    if (p->n == EVENTS_MAX) _Exit(95);
    p->events[p->n].partition = e.partition;
    must(pb_pack(&e, fixture_mem(), &p->events[p->n++].packed), type);
    (void)pthread_mutex_unlock(&lock);
}

static void announce(const struct producer *p, struct arena *mem) {
    Pb__HeadAnnouncement a = PB__HEAD_ANNOUNCEMENT__INIT;
    struct chop_bytes packed;
    char subject[64];
    uint64_t heads[PARTITIONS];
    (void)pthread_mutex_lock(&lock);
    memcpy(heads, p->heads, sizeof heads);
    (void)pthread_mutex_unlock(&lock);
    a.producer = PB_STR(p->name);
    a.epoch = 1;
    a.heads = heads;
    a.n_heads = PARTITIONS;
    (void)snprintf(subject, sizeof subject, "chop.head.%s", p->name);
    if (!pb_pack(&a, mem, &packed)) (void)!bus_publish(fixture_bus(), subject, packed);
}

static void *announce_main(void *arg) {
    (void)arg;
    struct arena *mem = arena_new(1 << 16);
    while (!atomic_load(&stop)) {
        for (size_t i = first_producer; i < CHOP_COUNT(producers) && !atomic_load(&quiet); i++)
            announce(&producers[i], mem);
        arena_reset(mem);
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    }
    arena_free(mem);
    return NULL;
}

/* ---- their calls ---- */

static chop_err read_events(struct producer *p, struct chop_bytes request, struct arena *mem, struct chop_bytes *ret) {
    Pb__ReadEventsRequest *in;
    Pb__ReadEventsReply out = PB__READ_EVENTS_REPLY__INIT;
    TRY(PB_UNPACK(pb__read_events_request, request, mem, &in));
    out.events = ARENA_ARRAY(mem, Pb__Event *, EVENTS_MAX);
    out.head = p->heads[in->partition];
    out.epoch = 1;
    for (size_t i = 0; i < p->n; i++) {
        Pb__Event *e;
        if (p->events[i].partition != in->partition) continue;
        TRY(PB_UNPACK(pb__event, p->events[i].packed, mem, &e));
        if (e->position >= in->from && out.n_events < in->limit) out.events[out.n_events++] = e;
    }
    return pb_pack(&out, mem, ret);
}

static void on_read(void *ctx, struct bus_msg *m) {
    struct arena *mem = arena_new(8 << 20);
    struct chop_bytes reply = { 0 };
    (void)pthread_mutex_lock(&lock);
    chop_err e = read_events(ctx, bus_msg_data(m), mem, &reply);
    (void)pthread_mutex_unlock(&lock);
    if (e)
        bus_reply_error(fixture_bus(), m, e, "", "");
    else
        bus_reply(fixture_bus(), m, reply, false);
    bus_msg_free(m);
    arena_free(mem);
}

static chop_err find(struct chop_bytes request, struct arena *mem, struct chop_bytes *ret) {
    Pb__FindImpressionRequest *in;
    TRY(PB_UNPACK(pb__find_impression_request, request, mem, &in));
    for (size_t i = 0; i < n_known; i++)
        if (strcmp(*in->token ? in->token : in->serial, *in->token ? known[i]->token : known[i]->serial) == 0)
            return pb_pack(&known[i]->issued, mem, ret);
    return CHOP_ERR(ENOTFOUND);
}

static void on_find(void *ctx, struct bus_msg *m) {
    (void)ctx;
    struct arena *mem = arena_new(1 << 20);
    struct chop_bytes reply = { 0 };
    chop_err e = find(bus_msg_data(m), mem, &reply);
    if (atomic_load(&silent))
        e = NULL;
    else if (e)
        bus_reply_error(fixture_bus(), m, e, "", "");
    else
        bus_reply(fixture_bus(), m, reply, false);
    bus_msg_free(m);
    arena_free(mem);
}

static void serve(const char *subject, bus_msg_fn fn, void *ctx) {
    struct bus_sub *sub; /* ends with the bus */
    must(bus_subscribe(fixture_bus(), subject, NULL, fn, ctx, &sub), subject);
}

void producers_up(bool issuance) {
    for (size_t i = issuance ? 0 : 1; i < CHOP_COUNT(producers); i++)
        serve(fixture_text("chop.%s.v1.ReadEvents", producers[i].name), on_read, &producers[i]);
    if (issuance) serve("chop.issuance.v1.FindImpression", on_find, NULL);
    first_producer = issuance ? 0 : 1;
    bus_flush(fixture_bus());
    if (pthread_create(&announcer, NULL, announce_main, NULL) != 0) _Exit(94);
}

void producers_down(void) {
    atomic_store(&stop, true);
    (void)pthread_join(announcer, NULL);
}

void producers_quiet(bool on) {
    atomic_store(&quiet, on);
}

void issuance_silent(bool on) {
    atomic_store(&silent, on);
}

void paper_known(const struct paper *p) {
    known[n_known++ % CHOP_COUNT(known)] = p;
    if (n_known > CHOP_COUNT(known)) n_known = CHOP_COUNT(known);
}

/* ---- papers ---- */

static void draw_marks(struct paper *p, const struct world *w) {
    uint8_t bits[10], mac[32];
    uint64_t n;
    char text[256], day[9], line[MARKS_SERIAL_LEN + 1 + MARKS_CIPHER_LEN];
    chop_random(bits, sizeof bits);
    chop_random(&n, sizeof n);
    marks_token_make(bits, p->token);
    marks_serial_make(n % 1000000000000000u, p->serial);
    marks_day(p->kit->allotment.allotted_at, day);
    size_t len = marks_cipher_input(p->serial, "1101082026001", day, w->document_digest, p->number, text, sizeof text);
    crypto_hmac_sha256(CHOP_BYTES(w->cipher_key, 32), CHOP_BYTES(text, len), mac);
    marks_cipher_make(mac, p->serial, p->cipher);
    memcpy(line, p->serial, MARKS_SERIAL_LEN);
    line[MARKS_SERIAL_LEN] = '|';
    memcpy(line + MARKS_SERIAL_LEN + 1, p->cipher, MARKS_CIPHER_LEN);
    crypto_hmac_sha256(CHOP_BYTES(w->verify_key, 32), CHOP_BYTES(line, sizeof line), p->hash);
}

struct world *verification_world;

static struct paper *paper_make(struct order_kit *kit, uint32_t number) {
    struct paper *p = ARENA_NEW(fixture_mem(), struct paper);
    if (!p) _Exit(97);
    p->kit = kit;
    p->number = number;
    draw_marks(p, verification_world);
    Pb__ImpressionStatement *s = &p->statement;
    pb__impression_statement__init(s);
    s->impression_id = PB_STR(fixture_text("imp_%s", p->token));
    s->number = number;
    s->token = p->token;
    s->serial = p->serial;
    s->cipher_hash = (ProtobufCBinaryData){ 32, p->hash };
    s->printer_id = PB_STR("prn_a");
    s->printer_name = PB_STR("前台印章机");
    s->issued_at = chop_now_ms();
    return p;
}

struct paper *paper_new(void) {
    return paper_make(kit_new(3), 1);
}

struct paper *paper_sibling(const struct paper *p, uint32_t number, const char *allotment) {
    struct order_kit *k = ARENA_NEW(fixture_mem(), struct order_kit);
    if (!k) _Exit(97);
    *k = *p->kit;
    if (allotment) k->allotment.allotment_id = k->order.allotment_id = PB_STR(allotment);
    return paper_make(k, number);
}

static Pb__Signed *unpack_signed(ProtobufCBinaryData b) {
    Pb__Signed *s;
    must(PB_UNPACK(pb__signed, PB_BYTES(b), fixture_mem(), &s), "signed");
    return s;
}

void paper_seal(struct paper *p) {
    kit_seal(p->kit);
    Pb__ImpressionStatement *s = &p->statement;
    s->grant_id = p->kit->grant.grant_id;
    s->allotment_id = p->kit->allotment.allotment_id;
    s->grant_digest = (ProtobufCBinaryData){ 32, p->kit->grant_digest };
    s->allotment_digest = (ProtobufCBinaryData){ 32, p->kit->allotment_digest };
    struct chop_bytes packed = fixture_sign(p->statement_signer ? p->statement_signer : "issuance", "impression", s);
    Pb__ImpressionIssued *ev = &p->issued;
    pb__impression_issued__init(ev);
    ev->impression_id = s->impression_id;
    ev->grant_id = s->grant_id;
    ev->number = s->number;
    ev->token = s->token;
    ev->serial = s->serial;
    ev->cipher_hash = s->cipher_hash;
    ev->issued_at = s->issued_at;
    ev->statement = unpack_signed(PB_BIN(packed));
    ev->grant = unpack_signed(p->kit->request.grant);
    ev->allotment = unpack_signed(p->kit->request.allotment);
}

void paper_issue(struct paper *p) {
    paper_seal(p);
    tell("issuance", "issuance.impression.issued", p->kit->grant.seal_id, &p->issued);
}

/* ---- what authorization tells ---- */

static Pb__FactStatement fact_of(const struct paper *p, const char *kind) {
    Pb__FactStatement f = PB__FACT_STATEMENT__INIT;
    char *id = arena_alloc(fixture_mem(), CHOP_ID_MAX);
    if (!id) _Exit(97);
    chop_id_new("fact", id);
    f.fact_id = id;
    f.kind = PB_STR(kind);
    f.seal_id = p->kit->grant.seal_id;
    f.grant_id = p->kit->grant.grant_id;
    f.allotment_id = p->kit->allotment.allotment_id;
    f.number = p->number;
    f.at = chop_now_ms();
    return f;
}

static Pb__Signed *proof_of(const struct paper *p, const struct settle *s) {
    if (s->revocation) {
        Pb__RevocationStatement r = PB__REVOCATION_STATEMENT__INIT;
        r.grant_id = p->kit->grant.grant_id;
        r.number = s->fact_number ? s->fact_number : p->number;
        return unpack_signed(PB_BIN(fixture_sign(s->signer ? s->signer : "authorization", "revocation", &r)));
    }
    if (!s->kind) return NULL;
    Pb__FactStatement f = fact_of(p, s->kind);
    f.detail = PB_STR(s->detail ? s->detail : "");
    if (s->fact_number) f.number = s->fact_number;
    return unpack_signed(PB_BIN(fixture_sign(s->signer ? s->signer : "authorization", "fact", &f)));
}

void paper_settle_with(const struct paper *p, const struct settle *s) {
    Pb__ImpressionSettled ev = PB__IMPRESSION_SETTLED__INIT;
    ev.grant_id = p->kit->grant.grant_id;
    ev.number = p->number;
    ev.state = PB_STR(s->state);
    ev.at = s->at ? s->at : chop_now_ms();
    ev.allotment_id = p->kit->allotment.allotment_id;
    ev.fact = proof_of(p, s);
    tell("authorization", "authorization.impression.settled", s->key ? s->key : p->kit->grant.seal_id, &ev);
}

void paper_settle(const struct paper *p, const char *state, const char *kind, const char *detail) {
    paper_settle_with(p, &(struct settle){ .state = state, .kind = kind, .detail = detail });
}

static void seal_tell(
    const struct paper *p, const char *state, const char *event_state, uint64_t seq, const char *signer) {
    Pb__FactStatement f = fact_of(p, "seal-state");
    Pb__SealChanged ev = PB__SEAL_CHANGED__INIT;
    f.grant_id = f.allotment_id = PB_STR("");
    f.number = 0;
    f.seal_seq = seq;
    f.detail = PB_STR(fixture_text("%s: a reason", state));
    ev.seal_id = p->kit->grant.seal_id;
    ev.state = PB_STR(event_state);
    ev.at = f.at;
    ev.fact = unpack_signed(PB_BIN(fixture_sign(signer ? signer : "authorization", "fact", &f)));
    tell("authorization", "authorization.seal.changed", ev.seal_id, &ev);
}

void seal_change(const struct paper *p, const char *state, uint64_t seq, const char *signer) {
    seal_tell(p, state, state, seq, signer);
}

void seal_change_as(const struct paper *p, const char *state, const char *event_state, uint64_t seq) {
    seal_tell(p, state, event_state, seq, NULL);
}

const char *fact_file(const struct paper *p, const char *kind, uint8_t out[32]) {
    static char *registries[] = { "police" };
    Pb__FactStatement f = fact_of(p, kind);
    Pb__FactFiled ev = PB__FACT_FILED__INIT;
    kit_digest(&f, out);
    ev.fact = unpack_signed(PB_BIN(fixture_sign("authorization", "fact", &f)));
    ev.registries = registries;
    ev.n_registries = 1;
    tell("authorization", "authorization.fact.filed", f.seal_id, &ev);
    return f.fact_id;
}

void receipt_tell(const struct paper *p, const char *fact_id, const uint8_t digest[32], const struct crypto_key *signer,
    const char *number) {
    Pb__ReceiptStatement r = PB__RECEIPT_STATEMENT__INIT;
    Pb__FilingReceipted ev = PB__FILING_RECEIPTED__INIT;
    r.registry = ev.registry = PB_STR("police");
    r.number = PB_STR(number);
    r.fact_id = ev.fact_id = PB_STR(fact_id);
    r.fact_digest = PB_BIN(CHOP_BYTES(digest, 32));
    r.seal_id = ev.seal_id = p->kit->grant.seal_id;
    r.received_at = chop_now_ms();
    ev.receipt = unpack_signed(PB_BIN(kit_sign_by(signer, NULL, "receipt", &r)));
    tell("filing-relay", "filing-relay.filing.receipted", r.seal_id, &ev);
}
