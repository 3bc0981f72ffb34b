#include "svc_issuance_world.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "outline.h"

static struct world w;

static void must(chop_err e, const char *what) {
    if (!e) return;
    (void)fprintf(stderr, "%s: %s %s %s\n", what, e->name, chop_detail_field(), chop_detail_text());
    _Exit(99);
}

/* ---- the world ---- */

static const char *write_secret(const char *name, struct chop_bytes b) {
    const char *path = fixture_text("%s/%s", fixture_dir(), name);
    FILE *f = fopen(path, "we");
    if (!f || fwrite(b.p, 1, b.n, f) != b.n || fclose(f) != 0 || chmod(path, 0600) != 0) _Exit(98);
    return path;
}

static struct chop_bytes square(uint32_t size) {
    static uint8_t room[2][256];
    static int used;
    uint8_t *out = room[used++ % 2];
    struct outline_writer o;
    outline_begin(&o, out, sizeof room[0], (struct outline_size){ size, size });
    outline_rect(&o, 100, 100, (int32_t)size - 200, (int32_t)size - 200);
    return CHOP_BYTES(out, outline_end(&o));
}

static const char *member_principal(void) {
    Pb__Principal p = PB__PRINCIPAL__INIT;
    char *roles[] = { PB_STR("user") };
    p.organization_id = PB_STR("org_a");
    p.organization_name = PB_STR("北京华章科技有限公司");
    p.member_id = PB_STR("mem_user");
    p.member_name = PB_STR("张小三");
    p.roles = roles;
    p.n_roles = 1;
    p.session_id = PB_STR("ses_a");
    return fixture_principal(&p);
}

struct world *world_up(void) {
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    must(crypto_key_generate(CRYPTO_ES256, &w.terminal), "terminal key");
    must(crypto_key_generate(CRYPTO_ES256, &w.printer), "printer key");
    must(crypto_key_generate(CRYPTO_ES256, &w.printer_seal), "seal key");
    must(crypto_key_generate(CRYPTO_ES256, &w.hpke), "hpke key");
    chop_random(w.cipher_key, 32);
    chop_random(w.verify_key, 32);
    w.cipher_path = write_secret("cipher.key", CHOP_BYTES(w.cipher_key, 32));
    w.verify_path = write_secret("verify.key", CHOP_BYTES(w.verify_key, 32));
    w.hpke_path = fixture_text("%s/hpke.pem", fixture_dir());
    must(crypto_key_save(w.hpke, w.hpke_path), "hpke key");
    w.artwork = square(40000);
    w.specimen = square(20000);
    crypto_sha256(w.artwork, w.artwork_digest);
    crypto_sha256(w.specimen, w.specimen_digest);
    chop_random(w.document_digest, 32);
    w.principal = member_principal();
    return &w;
}

void world_down(void) {
    crypto_key_free(w.terminal);
    crypto_key_free(w.printer);
    crypto_key_free(w.printer_seal);
    crypto_key_free(w.hpke);
    fixture_down();
}

const char *const *world_issuance_env(void) {
    static const char *env[8];
    size_t n = 0;
    env[n++] = "CHOP_ISSUANCE_VERIFY_HOST=v.example.cn:8443";
    env[n++] = fixture_text("CHOP_ISSUANCE_CIPHER_KEY=%s", w.cipher_path);
    env[n++] = fixture_text("CHOP_ISSUANCE_VERIFY_KEY=%s", w.verify_path);
    env[n++] = fixture_text("CHOP_ISSUANCE_HPKE_KEY=%s", w.hpke_path);
    env[n] = NULL;
    return env;
}

const char *const *world_verification_env(void) {
    static const char *env[4];
    env[0] = "CHOP_VERIFICATION_VERIFY_HOST=v.example.cn:8443";
    env[1] = fixture_text("CHOP_VERIFICATION_VERIFY_KEY=%s", w.verify_path);
    env[2] = NULL;
    return env;
}

/* ---- kits ---- */

static char *new_id(const char *prefix) {
    char *id = arena_alloc(fixture_mem(), CHOP_ID_MAX);
    if (!id) _Exit(97);
    chop_id_new(prefix, id);
    return id;
}

#define BIN(a) ((ProtobufCBinaryData){ sizeof(a), (a) })

static void kit_document(Pb__GrantStatement *g) {
    static Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
    static Pb__Document document = PB__DOCUMENT__INIT;
    static Pb__Approval approval = PB__APPROVAL__INIT, *approvals[] = { &approval };
    static char *factors[] = { "key" };
    facts.number = PB_STR("CG-2026-1123");
    facts.counterparty = PB_STR("上海远航贸易有限公司");
    facts.amount = PB_STR("128,000.00");
    facts.date = PB_STR("2026-11-20");
    facts.pages = 12;
    facts.copies = 2;
    document.title = PB_STR("二零二六年度<设备>采购合同");
    document.facts = &facts;
    approval.member_id = PB_STR("mem_boss");
    approval.member_name = PB_STR("王小明");
    approval.post = PB_STR("总经理");
    approval.at = chop_now_ms() - 60000;
    approval.factors = factors;
    approval.n_factors = 1;
    g->document = &document;
    g->approvals = approvals;
    g->n_approvals = 1;
}

static void kit_grant(struct order_kit *k) {
    Pb__GrantStatement *g = &k->grant;
    pb__grant_statement__init(g);
    g->grant_id = new_id("grt");
    g->organization_id = PB_STR("org_a");
    g->organization_name = PB_STR("北京华章科技有限公司");
    g->member_id = PB_STR("mem_user");
    g->member_name = PB_STR("张小三");
    g->seal_id = new_id("seal");
    g->seal_name = PB_STR("合同专用章");
    g->seal_code = PB_STR("1101082026001");
    g->artwork_digest = BIN(w.artwork_digest);
    g->document_digest = BIN(w.document_digest);
    g->copies = 100;
    g->not_before = chop_now_ms() - 60000;
    g->not_after = chop_now_ms() + 3600000;
    g->granted_at = chop_now_ms() - 60000;
    kit_document(g);
}

static void kit_allotment(struct order_kit *k, size_t n) {
    Pb__AllotmentStatement *a = &k->allotment;
    pb__allotment_statement__init(a);
    for (size_t i = 0; i < n; i++)
        k->numbers[i] = (uint32_t)i + 1;
    a->allotment_id = new_id("alt");
    a->grant_id = k->grant.grant_id;
    a->organization_id = k->grant.organization_id;
    a->printer_id = PB_STR("prn_a");
    a->member_id = k->grant.member_id;
    a->terminal_id = PB_STR("trm_a");
    a->numbers = k->numbers;
    a->n_numbers = n;
    a->document_digest = k->grant.document_digest;
    a->artwork_digest = k->grant.artwork_digest;
    a->not_before = k->grant.not_before;
    a->not_after = k->grant.not_after;
    a->allotted_at = chop_now_ms();
    a->seal_id = k->grant.seal_id;
}

static void kit_devices(struct order_kit *k) {
    static uint8_t point[65], nonce[32];
    must(crypto_key_point(w.printer_seal, point), "point");
    pb__terminal_cert__init(&k->terminal);
    pb__printer_cert__init(&k->printer);
    pb__challenge__init(&k->challenge);
    pb__print_order__init(&k->order);
    k->terminal.terminal_id = k->order.terminal_id = PB_STR("trm_a");
    k->terminal.organization_id = k->printer.organization_id = PB_STR("org_a");
    k->terminal.member_id = PB_STR("mem_user");
    k->terminal.public_key = PB_BIN(crypto_key_spki(w.terminal));
    k->printer.printer_id = k->challenge.printer_id = k->order.printer_id = PB_STR("prn_a");
    k->printer.name = PB_STR("前台印章机");
    k->printer.sign_key = PB_BIN(crypto_key_spki(w.printer));
    k->printer.seal_key = BIN(point);
    k->terminal.not_before = k->printer.not_before = chop_now_ms() - 60000;
    k->terminal.not_after = k->printer.not_after = chop_now_ms() + 3600000;
    chop_random(nonce, 32);
    k->challenge.nonce = BIN(nonce);
    k->challenge.issued_at = chop_now_ms();
    k->challenge.expires_at = chop_now_ms() + 600000;
}

struct order_kit *kit_new(size_t n) {
    struct order_kit *k = ARENA_NEW(fixture_mem(), struct order_kit);
    if (!k || n > CHOP_COUNT(k->numbers)) _Exit(97);
    kit_grant(k);
    kit_allotment(k, n);
    kit_devices(k);
    k->order.allotment_id = k->allotment.allotment_id;
    k->order.ordered_at = chop_now_ms();
    return k;
}

void kit_digest(const void *message, uint8_t out[32]) {
    struct chop_bytes payload;
    must(pb_pack(message, fixture_mem(), &payload), "pack");
    crypto_sha256(payload, out);
}

struct chop_bytes kit_sign_by(const struct crypto_key *k, const char *kid, const char *type, const void *message) {
    struct chop_bytes payload, packed;
    must(pb_pack(message, fixture_mem(), &payload), type);
    must(trust_sign_packed(k, kid, type, payload, fixture_mem(), &packed), type);
    return packed;
}

static ProtobufCBinaryData digest_field(uint8_t digest[32], bool bend) {
    uint8_t *copy = arena_alloc(fixture_mem(), 32);
    if (!copy) _Exit(97);
    memcpy(copy, digest, 32);
    if (bend) copy[0] ^= 1;
    return (ProtobufCBinaryData){ 32, copy };
}

/* What the stand-in for authorization would have on record: the allotment sealed last for each grant. */
static struct {
    const char *grant_id, *allotment_id;
} made[2048];
static size_t n_made;
static pthread_mutex_t authority_lock = PTHREAD_MUTEX_INITIALIZER; /* answers come on several threads of the bus */

static size_t made_find(const char *grant_id) {
    size_t i = 0;
    while (i < n_made && strcmp(made[i].grant_id, grant_id) != 0)
        i++;
    return i;
}

static void made_note(const Pb__AllotmentStatement *a) {
    (void)pthread_mutex_lock(&authority_lock);
    size_t i = made_find(a->grant_id);
    if (i == CHOP_COUNT(made)) _Exit(96);
    if (i == n_made) n_made++;
    made[i].grant_id = a->grant_id;
    made[i].allotment_id = a->allotment_id;
    (void)pthread_mutex_unlock(&authority_lock);
}

void kit_seal(struct order_kit *k) {
    made_note(&k->allotment);
    const char *grant_signer = k->grant_signer ? k->grant_signer : "authorization";
    const char *allotment_signer = k->allotment_signer ? k->allotment_signer : "authorization";
    kit_digest(&k->grant, k->grant_digest);
    kit_digest(&k->challenge, k->challenge_digest);
    k->allotment.grant_digest = digest_field(k->grant_digest, k->bend_grant_digest);
    k->allotment.challenge_digest = digest_field(k->challenge_digest, k->bend_allotment_challenge);
    kit_digest(&k->allotment, k->allotment_digest);
    k->order.allotment_digest = digest_field(k->allotment_digest, k->bend_allotment_digest);
    k->order.challenge_digest = digest_field(k->challenge_digest, k->bend_order_challenge);
    pb__submit_order_request__init(&k->request);
    k->request.grant = PB_BIN(fixture_sign(grant_signer, "grant", &k->grant));
    k->request.allotment = PB_BIN(fixture_sign(allotment_signer, "allotment", &k->allotment));
    k->request.terminal_cert = PB_BIN(fixture_sign("identity-ca", "terminal-cert", &k->terminal));
    k->request.printer_cert = PB_BIN(fixture_sign("identity-ca", "printer-cert", &k->printer));
    k->request.order = PB_BIN(kit_sign_by(w.terminal, k->terminal.terminal_id, "order", &k->order));
    k->request.challenge = PB_BIN(kit_sign_by(w.printer, k->printer.printer_id, "challenge", &k->challenge));
}

/* ---- the stand-in ---- */

static struct authority authority;
static chop_err answer_artwork(struct arena *mem, struct chop_bytes *ret) {
    Pb__Artwork a = PB__ARTWORK__INIT;
    authority.artwork_calls++;
    a.outline = PB_BIN(authority.wrong_artwork ? w.specimen : w.artwork);
    return pb_pack(&a, mem, ret);
}

static chop_err answer_specimen(struct arena *mem, struct chop_bytes *ret) {
    Pb__Specimen s = PB__SPECIMEN__INIT;
    uint8_t point[65];
    struct chop_bytes sealed;
    authority.specimen_calls++;
    TRY(crypto_key_point(w.hpke, point));
    TRY(crypto_hpke_seal(point, chop_str("chop/1/specimen"), chop_str("mem_boss"),
        authority.wrong_specimen ? w.artwork : w.specimen, mem, &sealed));
    s.sealed = PB_BIN(sealed);
    s.specimen_digest = PB_BIN(CHOP_BYTES(w.specimen_digest, 32));
    s.member_id = PB_STR("mem_boss");
    return pb_pack(&s, mem, ret);
}

static chop_err answer_state(struct chop_bytes request, struct arena *mem, struct chop_bytes *ret) {
    Pb__FindGrantStateRequest *in;
    Pb__GrantState out = PB__GRANT_STATE__INIT;
    Pb__Number number = PB__NUMBER__INIT;
    authority.state_calls++;
    TRY(PB_UNPACK(pb__find_grant_state_request, request, mem, &in));
    if (!authority.number_state) return CHOP_FAIL(ENOTFOUND, "grant_id", "no such grant");
    number.number = in->number;
    number.state = PB_STR(authority.number_state);
    size_t i = made_find(in->grant_id);
    number.allotment_id = PB_STR(authority.number_allotment ? authority.number_allotment
                                 : i < n_made               ? made[i].allotment_id
                                                            : "");
    out.number = &number;
    out.grant_state = PB_STR(authority.grant_state ? authority.grant_state : "open");
    out.seal_state = PB_STR(authority.seal_state ? authority.seal_state : "active");
    out.as_of = chop_now_ms();
    return pb_pack(&out, mem, ret);
}

static void on_call(void *ctx, struct bus_msg *m) {
    (void)ctx;
    struct arena *mem = arena_new(1 << 20);
    struct chop_bytes reply = { 0 };
    const char *subject = bus_msg_subject(m), *method = strrchr(subject, '.') + 1;
    (void)pthread_mutex_lock(&authority_lock);
    chop_err e = CHOP_ERR(ENOTFOUND);
    bool silent = authority.silent;
    if (silent)
        e = NULL;
    else if (strcmp(method, "FetchArtwork") == 0)
        e = answer_artwork(mem, &reply);
    else if (strcmp(method, "FetchSpecimen") == 0)
        e = answer_specimen(mem, &reply);
    else if (strcmp(method, "FindGrantState") == 0)
        e = answer_state(bus_msg_data(m), mem, &reply);
    (void)pthread_mutex_unlock(&authority_lock);
    if (e)
        bus_reply_error(fixture_bus(), m, e, "", "stand-in");
    else if (!silent)
        bus_reply(fixture_bus(), m, reply, false);
    bus_msg_free(m);
    arena_free(mem);
}

struct authority *authority_up(void) {
    static const char *const methods[] = { "FetchArtwork", "FetchSpecimen", "FindGrantState" };
    static struct bus_sub *subs[CHOP_COUNT(methods)];
    for (size_t i = 0; i < CHOP_COUNT(methods); i++)
        must(bus_subscribe(
                 fixture_bus(), fixture_text("chop.authorization.v1.%s", methods[i]), NULL, on_call, NULL, &subs[i]),
            "stand-in");
    bus_flush(fixture_bus());
    return &authority;
}
