#include "svc_authorization_world.h"

#include <sys/stat.h>
#include <pthread.h>

#include "outline.h"

/* ---- the program ---- */
const struct person admin = { "org_a", "mem_admin", "管理员", "admin", "term_1" };
const struct person user = { "org_a", "mem_user", "张三", "user", "term_2" };
const struct person other_user = { "org_a", "mem_user2", "李四", "user", "term_3" };
const struct person manager = { "org_a", "mem_boss", "王总", "manager", "term_4" };
const struct person manager2 = { "org_a", "mem_boss2", "赵总", "manager", "term_5" };
const struct person both = { "org_a", "mem_both", "孙经理", "user,manager", "term_6" };
const struct person auditor = { "org_a", "mem_audit", "审计", "auditor", "term_7" };
const struct person stranger = { "org_b", "mem_x", "外人", "user,manager,admin,auditor", "term_8" };
struct printer *printer;

static struct fixture_program *program;
static struct crypto_key *issuance_key;
static void producers_start(void);

struct fixture_program *world_program(void) {
    return program;
}
const struct crypto_key *world_issuance_key(void) {
    return issuance_key;
}

static void write_file(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Before the fixture's own end: it closes the bus. */
static struct bus_sub *subscriptions[2];
static struct crypto_key *printer_keys[64];
static size_t n_printers;
static void end(void) {
    for (size_t i = 0; i < CHOP_COUNT(subscriptions); i++)
        bus_unsubscribe(subscriptions[i]);
    for (size_t i = 0; i < n_printers; i++)
        crypto_key_free(printer_keys[i]);
    crypto_key_free(issuance_key);
}

void world_restart_crashing(const char *point) {
    const char *env[] = { fixture_text("CHOP_AUTHORIZATION_ISSUANCE_HPKE=%s/issuance.spki", fixture_dir()),
        fixture_text("CHOP_AUTHORIZATION_FILES_KEY=%s/files.key", fixture_dir()),
        fixture_text("CHOP_FAILPOINT=%s", point), fixture_text("CHOP_FAILPOINT_FILE=%s/%s.died", fixture_dir(), point),
        NULL };
    if (!*point) env[2] = NULL;
    program = fixture_start("authorization", "authorization", env);
}

void world_restart(void) {
    world_restart_crashing("");
}

int world_setup(void **state) {
    uint8_t key[32];
    (void)state;
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    WORKS(crypto_key_generate(CRYPTO_ES256, &issuance_key));
    (void)atexit(end);
    chop_random(key, sizeof key);
    write_file(fixture_text("%s/files.key", fixture_dir()), key, sizeof key);
    assert_int_equal(chmod(fixture_text("%s/files.key", fixture_dir()), 0600), 0); /* a secret: others may not read it */
    struct chop_bytes spki = crypto_key_spki(issuance_key);
    write_file(fixture_text("%s/issuance.spki", fixture_dir()), spki.p, spki.n);
    producers_start();
    world_restart();
    printer = world_printer("org_a");
    return 0;
}

int world_teardown(void **state) {
    (void)state;
    fixture_stop(program);
    return 0;
}

/* ---- people ---- */
static size_t split_roles(const char *roles, char **out) {
    size_t n = 0;
    for (const char *p = roles; *p && n < 4;) {
        size_t length = strcspn(p, ",");
        out[n++] = TEXT(fixture_text("%.*s", (int)length, p));
        p += length + (p[length] == ',');
    }
    return n;
}

const char *world_principal(const struct person *p) {
    Pb__Principal m = PB__PRINCIPAL__INIT;
    char *roles[4];
    if (!p) return NULL;
    m.n_roles = split_roles(p->roles, roles);
    m.roles = roles;
    m.organization_id = TEXT(p->organization_id);
    m.organization_name = TEXT("上海测试有限公司");
    m.member_id = TEXT(p->member_id);
    m.member_name = TEXT(p->name);
    m.post = TEXT("职员");
    m.terminal_id = TEXT(p->terminal_id);
    m.session_id = TEXT("ses_1");
    return fixture_principal(&m);
}

/* ---- acts ---- */
chop_err world_prepare(const struct person *p, const Pb__PrepareActRequest *in, Pb__PrepareActReply **ret) {
    return CALL("PrepareAct", in, p, ret);
}

Pb__ActContent *world_content(const Pb__PrepareActReply *r) {
    Pb__ActContent *m;
    WORKS(pbjson_read(&pb__act_content__descriptor, PB_BYTES(r->content), &PBJSON_LIMITS, fixture_mem(), &m));
    return m;
}

struct proof *world_proof(const struct person *p, const Pb__PrepareActReply *r, const char *factor) {
    struct proof *x = arena_alloc(fixture_mem(), sizeof *x);
    uint8_t *digests = arena_alloc(fixture_mem(), 64);
    Pb__Signed *ticket;
    WORKS(PB_UNPACK(pb__signed, PB_BYTES(r->ticket), fixture_mem(), &ticket));
    WORKS(trust_verify(fixture_trust(), ticket, "ticket", chop_now_ms(), NULL));
    crypto_sha256(PB_BYTES(ticket->payload), digests);
    crypto_sha256(PB_BYTES(r->content), digests + 32);
    pb__proof__init(&x->m);
    pb__proven_factor__init(&x->factor);
    x->factors[0] = &x->factor;
    x->factor.factor = TEXT(factor);
    x->factor.amr = TEXT("pop");
    x->factor.proven_at = chop_now_ms();
    x->m.audience = TEXT("authorization");
    x->m.act_id = r->act_id;
    x->m.ticket_digest = PB_BIN(CHOP_BYTES(digests, 32));
    x->m.digest = PB_BIN(CHOP_BYTES(digests + 32, 32));
    x->m.organization_id = TEXT(p->organization_id);
    x->m.organization_name = TEXT("上海测试有限公司");
    x->m.member_id = TEXT(p->member_id);
    x->m.member_name = TEXT(p->name);
    x->m.post = TEXT("职员");
    x->m.terminal_id = TEXT(p->terminal_id);
    x->m.n_roles = split_roles(p->roles, x->roles);
    x->m.roles = x->roles;
    x->m.factors = x->factors;
    x->m.n_factors = 1;
    x->m.issued_at = chop_now_ms();
    x->m.expires_at = x->m.issued_at + 120000;
    return x;
}

chop_err world_commit(const struct person *p, const char *act_id, const struct proof *proof, Pb__CommitActReply **ret) {
    Pb__CommitActRequest in = PB__COMMIT_ACT_REQUEST__INIT;
    in.act_id = TEXT(act_id);
    in.proof = PB_BIN(fixture_sign("identity", "proof", &proof->m));
    return CALL("CommitAct", &in, p, ret);
}

chop_err world_act(const struct person *p, const Pb__PrepareActRequest *in, Pb__CommitActReply **ret) {
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    TRY(world_prepare(p, in, &r));
    TRY(world_commit(p, r->act_id, world_proof(p, r, "key"), &out));
    assert_string_equal(out->act_id, r->act_id);
    if (ret) *ret = out;
    return NULL;
}

Pb__PrepareActRequest *world_params(Pb__PrepareActRequest__ParamsCase which, void *params) {
    Pb__PrepareActRequest *m = NEW(Pb__PrepareActRequest, pb__prepare_act_request);
    m->params_case = which;
    m->request = params;
    return m;
}

/* ---- seals ---- */
const char *world_code(void) {
    static int n;
    return fixture_text("31010400%05d", ++n);
}

Pb__SealCreate *world_seal_params(const char *code, Pb__Policy *policy) {
    Pb__SealCreate *s = NEW(Pb__SealCreate, pb__seal_create);
    s->name = TEXT("合同专用章");
    s->kind = TEXT("contract");
    s->code = TEXT(code);
    s->policy = policy;
    return s;
}

chop_err world_seal_change(const struct person *by, const char *seal_id, const char *action, Pb__Seal **ret) {
    Pb__SealChange *m = NEW(Pb__SealChange, pb__seal_change);
    Pb__CommitActReply *out;
    m->seal_id = TEXT(seal_id);
    m->action = TEXT(action);
    if (strcmp(action, "register") == 0) m->filing_number = TEXT("沪公备2026-001");
    TRY(world_act(by, PARAMS(SEAL_CHANGE, m), &out));
    if (ret) *ret = out->seal;
    return NULL;
}

const char *world_seal(const struct person *by, Pb__Policy *policy) {
    Pb__CommitActReply *out;
    WORKS(world_act(by, PARAMS(SEAL_CREATE, world_seal_params(world_code(), policy)), &out));
    WORKS(world_seal_change(by, out->seal->seal_id, "activate", NULL));
    return out->seal->seal_id;
}

/* ---- requests and decisions ---- */
Pb__RequestUse *world_request_params(const char *seal_id, uint32_t copies) {
    Pb__RequestUse *m = NEW(Pb__RequestUse, pb__request_use);
    m->seal_id = TEXT(seal_id);
    m->copies = copies;
    m->purpose = TEXT("签订采购合同");
    m->document = NEW(Pb__Document, pb__document);
    m->document->title = TEXT("采购合同");
    m->document->sha256 = TEXT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    m->document->facts = NEW(Pb__KeyFacts, pb__key_facts);
    m->document->facts->number = TEXT("HT-2026-17");
    m->document->facts->pages = 3;
    return m;
}

const char *world_request(const struct person *p, const char *seal_id, uint32_t copies) {
    Pb__CommitActReply *out;
    WORKS(world_act(p, PARAMS(REQUEST, world_request_params(seal_id, copies)), &out));
    assert_string_equal(out->request->state, "pending");
    return out->request->request_id;
}

Pb__Decide *world_decide_params(const char *request_id, const char *verdict) {
    Pb__Decide *m = NEW(Pb__Decide, pb__decide);
    m->request_id = TEXT(request_id);
    m->verdict = TEXT(verdict);
    return m;
}

Pb__Request *world_approve(const struct person *p, const char *request_id) {
    Pb__CommitActReply *out;
    WORKS(world_act(p, PARAMS(DECIDE, world_decide_params(request_id, "approve")), &out));
    return out->request;
}

const char *world_grant(
    const struct person *asker, const struct person *decider, const char *seal_id, uint32_t copies) {
    Pb__Request *r = world_approve(decider, world_request(asker, seal_id, copies));
    assert_string_equal(r->state, "granted");
    return r->grant_id;
}

Pb__Grant *world_get_grant(const struct person *p, const char *grant_id) {
    Pb__GetGrantRequest in = PB__GET_GRANT_REQUEST__INIT;
    Pb__Grant *out;
    in.grant_id = TEXT(grant_id);
    WORKS(CALL("GetGrant", &in, p, &out));
    return out;
}

const char *world_number_state(const char *grant_id, uint32_t number) {
    return fixture_sql("authorization",
        fixture_text("SELECT state FROM number WHERE grant_id = '%s' AND number = %u", grant_id, number));
}

int64_t world_count(const char *sql) {
    return atoll(fixture_sql("authorization", sql));
}

/* ---- the printer ---- */
struct printer *world_printer(const char *organization_id) {
    struct printer *d = arena_alloc(fixture_mem(), sizeof *d);
    Pb__PrinterCert m = PB__PRINTER_CERT__INIT;
    char id[CHOP_ID_MAX];
    chop_id_new("prn", id);
    d->id = fixture_text("%s", id);
    WORKS(crypto_key_generate(CRYPTO_ES256, &d->key));
    assert_true(n_printers < CHOP_COUNT(printer_keys));
    printer_keys[n_printers++] = d->key;
    m.printer_id = TEXT(d->id);
    m.organization_id = TEXT(organization_id);
    m.name = TEXT("前台打印机");
    m.sign_key = PB_BIN(crypto_key_spki(d->key));
    uint8_t *point = arena_alloc(fixture_mem(), 65);
    WORKS(crypto_key_point(d->key, point));
    m.seal_key = PB_BIN(CHOP_BYTES(point, 65));
    m.not_before = chop_now_ms() - 60000;
    m.not_after = chop_now_ms() + (int64_t)86400000;
    d->cert_packed = fixture_sign("identity-ca", "printer-cert", &m);
    WORKS(PB_UNPACK(pb__signed, d->cert_packed, fixture_mem(), &d->cert));
    return d;
}

static struct chop_bytes printer_sign(const struct printer *d, const char *type, const void *message) {
    struct chop_bytes payload, packed;
    WORKS(pb_pack(message, fixture_mem(), &payload));
    WORKS(trust_sign_packed(d->key, d->id, type, payload, fixture_mem(), &packed));
    return packed;
}

struct chop_bytes world_challenge(const struct printer *d, int64_t expires_at) {
    Pb__Challenge m = PB__CHALLENGE__INIT;
    uint8_t nonce[32];
    chop_random(nonce, sizeof nonce);
    m.printer_id = TEXT(d->id);
    m.nonce = PB_BIN(CHOP_BYTES(nonce, 32));
    m.issued_at = chop_now_ms();
    m.expires_at = expires_at ? expires_at : m.issued_at + 600000;
    return printer_sign(d, "challenge", &m);
}

Pb__PrintUse *world_print_params(const char *grant_id, const struct printer *d, uint32_t count) {
    Pb__PrintUse *m = NEW(Pb__PrintUse, pb__print_use);
    m->grant_id = TEXT(grant_id);
    m->printer_id = TEXT(d->id);
    m->count = count;
    m->challenge = PB_BIN(world_challenge(d, 0));
    m->printer_cert = PB_BIN(d->cert_packed);
    return m;
}

Pb__AllotmentStatement *world_print(
    const struct person *p, const char *grant_id, const struct printer *d, uint32_t count) {
    Pb__CommitActReply *out;
    Pb__Signed *s;
    Pb__AllotmentStatement *a;
    WORKS(world_act(p, PARAMS(PRINT, world_print_params(grant_id, d, count)), &out));
    WORKS(trust_verify_packed(
        fixture_trust(), PB_BYTES(out->print->allotment), "allotment", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__allotment_statement, PB_BYTES(s->payload), fixture_mem(), &a));
    return a;
}

/* ---- events of two producers: kept here, read by ReadEvents ---- */
#define MAX_EVENTS 200
static struct producer {
    const char *name;
    pthread_mutex_t lock;
    struct chop_bytes events[MAX_EVENTS]; /* packed Event; position is index + 1, partition 0 */
    size_t n;
} producers[] = { { .name = "printer-bridge", .lock = PTHREAD_MUTEX_INITIALIZER },
    { .name = "filing-relay", .lock = PTHREAD_MUTEX_INITIALIZER } };

static void on_read(void *ctx, struct bus_msg *m) {
    struct producer *p = ctx;
    struct arena *mem = arena_new((size_t)8 << 20);
    Pb__ReadEventsRequest *in;
    Pb__ReadEventsReply out = PB__READ_EVENTS_REPLY__INIT;
    Pb__Event *list[MAX_EVENTS];
    struct chop_bytes packed;
    out.events = list;
    out.epoch = 1;
    if (mem && !PB_UNPACK(pb__read_events_request, bus_msg_data(m), mem, &in)) {
        pthread_mutex_lock(&p->lock);
        out.head = in->partition == 0 ? p->n : 0;
        for (size_t i = in->from ? in->from - 1 : 0; in->partition == 0 && i < p->n; i++)
            if (!PB_UNPACK(pb__event, p->events[i], mem, &list[out.n_events])) out.n_events++;
        pthread_mutex_unlock(&p->lock);
        if (!pb_pack(&out, mem, &packed)) bus_reply(fixture_bus(), m, packed, false);
    }
    arena_free(mem);
    bus_msg_free(m);
}

static void producers_start(void) {
    for (size_t i = 0; i < CHOP_COUNT(producers); i++)
        WORKS(bus_subscribe(fixture_bus(), fixture_text("chop.%s.v1.ReadEvents", producers[i].name), NULL, on_read,
            &producers[i], &subscriptions[i]));
}

static void announce(const struct producer *p) {
    Pb__HeadAnnouncement m = PB__HEAD_ANNOUNCEMENT__INIT;
    uint64_t heads[16] = { p->n };
    struct chop_bytes packed;
    m.producer = TEXT(p->name);
    m.epoch = 1;
    m.heads = heads;
    m.n_heads = 16;
    WORKS(pb_pack(&m, fixture_mem(), &packed));
    WORKS(bus_publish(fixture_bus(), fixture_text("chop.head.%s", p->name), packed));
    bus_flush(fixture_bus());
}

static void put(struct producer *p, const char *type, const char *key, const void *message) {
    Pb__Event e = PB__EVENT__INIT;
    struct chop_bytes payload, packed;
    WORKS(pb_pack(message, fixture_mem(), &payload));
    e.producer = TEXT(p->name);
    e.epoch = 1;
    e.type = TEXT(type);
    e.key = TEXT(key);
    e.payload = PB_BIN(payload);
    e.at = chop_now_ms();
    e.position = p->n + 1;
    WORKS(pb_pack(&e, fixture_mem(), &packed));
    pthread_mutex_lock(&p->lock);
    assert_true(p->n < MAX_EVENTS);
    p->events[p->n++] = packed;
    pthread_mutex_unlock(&p->lock);
}

static void wait_applied(const struct producer *p) {
    const char *passed = fixture_text("SELECT position FROM inbox WHERE producer = '%s' AND partition = 0", p->name);
    for (int i = 0; i < 200; i++) {
        if (i % 10 == 0) announce(p);
        if (world_count(passed) >= (int64_t)p->n) return;
        fixture_sleep_ms(30);
    }
    fail_msg("the event was not applied:\n%s", fixture_log("authorization"));
}

/* Puts the event and waits until authorization's inbox has passed it. */
static void produce(struct producer *p, const char *type, const char *key, const void *message) {
    put(p, type, key, message);
    wait_applied(p);
}

static Pb__ReportReceived *received(const struct printer *signer, const Pb__Report *m) {
    Pb__ReportReceived *e = NEW(Pb__ReportReceived, pb__report_received);
    WORKS(PB_UNPACK(pb__signed, printer_sign(signer, "report", m), fixture_mem(), &e->report));
    e->printer_cert = signer->cert;
    e->received_at = chop_now_ms();
    e->organization_id = TEXT("ignored");
    return e;
}

void world_report_message(const struct printer *signer, const Pb__Report *m) {
    produce(&producers[0], "printer-bridge.report.received", signer->id, received(signer, m));
}

void world_closeout(const struct printer *signer, const Pb__Closeout *m) {
    Pb__CloseoutReceived *e = NEW(Pb__CloseoutReceived, pb__closeout_received);
    WORKS(PB_UNPACK(pb__signed, printer_sign(signer, "closeout", m), fixture_mem(), &e->closeout));
    e->printer_cert = signer->cert;
    e->received_at = chop_now_ms();
    produce(&producers[0], "printer-bridge.closeout.received", signer->id, e);
}

static Pb__Report *report_of(
    const struct printer *d, const Pb__AllotmentStatement *a, uint32_t number, const char *outcome) {
    Pb__Report *m = NEW(Pb__Report, pb__report);
    const bool started = strcmp(outcome, "refused") != 0;
    m->printer_id = TEXT(d->id);
    m->boot_counter = 1;
    m->job_id = TEXT("job_1");
    m->allotment_id = a->allotment_id;
    m->grant_id = a->grant_id;
    m->number = number;
    m->outcome = TEXT(outcome);
    if (!started) m->reason = TEXT("EUSED");
    m->started_at = started ? a->allotted_at : 0;
    m->ended_at = started ? a->allotted_at + 1 : 0;
    return m;
}

void world_report(const struct printer *d, const Pb__AllotmentStatement *a, uint32_t number, const char *outcome) {
    world_report_message(d, report_of(d, a, number, outcome));
}

void world_report_later(
    const struct printer *d, const Pb__AllotmentStatement *a, uint32_t number, const char *outcome) {
    put(&producers[0], "printer-bridge.report.received", d->id, received(d, report_of(d, a, number, outcome)));
}

void world_announce_reports(void) {
    announce(&producers[0]);
}

void world_wait_reports(void) {
    wait_applied(&producers[0]);
}

void world_receipt(const char *registry, const Pb__Fact *fact, const char *key_purpose) {
    Pb__ReceiptStatement m = PB__RECEIPT_STATEMENT__INIT;
    Pb__FilingReceipted e = PB__FILING_RECEIPTED__INIT;
    uint8_t digest[32];
    assert_true(chop_unhex(fact->digest, digest, 32));
    m.registry = TEXT(registry);
    m.number = TEXT("B-1");
    m.fact_id = fact->fact_id;
    m.fact_digest = PB_BIN(CHOP_BYTES(digest, 32));
    m.seal_id = fact->seal_id;
    m.seal_seq = fact->seal_seq;
    m.received_at = chop_now_ms();
    e.registry = TEXT(registry);
    e.fact_id = fact->fact_id;
    e.fact_kind = fact->kind;
    e.grant_id = fact->grant_id;
    e.seal_id = fact->seal_id;
    WORKS(PB_UNPACK(pb__signed, fixture_sign(key_purpose, "receipt", &m), fixture_mem(), &e.receipt));
    produce(&producers[1], "filing-relay.filing.receipted", fact->seal_id, &e);
}

/* ---- registries' orders ---- */
Pb__RegistryOrder *world_order(const char *seal_id, const char *action) {
    static uint64_t sequence;
    Pb__RegistryOrder *m = NEW(Pb__RegistryOrder, pb__registry_order);
    m->order_id = TEXT(fixture_text("order-%llu", (unsigned long long)++sequence));
    m->registry = TEXT("police");
    m->sequence = sequence;
    m->seal_id = TEXT(seal_id);
    m->action = TEXT(action);
    m->reason = TEXT("协助调查");
    m->at = chop_now_ms();
    return m;
}

void world_order_event(const char *from, const Pb__RegistryOrder *m, const char *key_purpose) {
    Pb__OrderReceived e = PB__ORDER_RECEIVED__INIT;
    e.registry = TEXT(from);
    WORKS(PB_UNPACK(pb__signed, fixture_sign(key_purpose, "registry-order", m), fixture_mem(), &e.order));
    produce(&producers[1], "filing-relay.order.received", from, &e);
}

/* ---- facts ---- */
static void check_fact(const Pb__Fact *f, uint64_t seq, const uint8_t previous[32]) {
    Pb__FactStatement *m;
    uint8_t digest[32];
    char hex[65];
    WORKS(trust_verify(fixture_trust(), f->statement, "fact", chop_now_ms(), NULL));
    WORKS(PB_UNPACK(pb__fact_statement, PB_BYTES(f->statement->payload), fixture_mem(), &m));
    crypto_sha256(PB_BYTES(f->statement->payload), digest);
    chop_hex(digest, 32, hex);
    assert_string_equal(f->digest, hex);
    assert_int_equal(m->seal_seq, seq);
    assert_int_equal(f->seal_seq, seq);
    assert_int_equal(m->previous_digest.len, seq == 1 ? 0 : 32);
    if (seq > 1) assert_memory_equal(m->previous_digest.data, previous, 32);
}

size_t world_check_facts(const struct person *reader, const char *seal_id) {
    Pb__ListFactsRequest in = PB__LIST_FACTS_REQUEST__INIT;
    Pb__ListFactsReply *out;
    uint8_t previous[32] = { 0 };
    in.seal_id = TEXT(seal_id);
    in.limit = 3; /* pages */
    do {
        WORKS(CALL("ListFacts", &in, reader, &out));
        for (size_t i = 0; i < out->n_facts; i++) {
            check_fact(out->facts[i], ++in.after_seq, previous);
            crypto_sha256(PB_BYTES(out->facts[i]->statement->payload), previous);
        }
    } while (out->n_facts);
    return in.after_seq;
}
