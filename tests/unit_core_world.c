#include "unit_core_world.h"

#include "outline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOB_SIZE ((size_t)2 << 20)
#define SCRATCH_SIZE ((size_t)256 << 10)
#define ROOM_SIZE ((size_t)16 << 10)
#define HOUR ((int64_t)3600000)
#define MUST(e)                                                                                                        \
    do {                                                                                                               \
        chop_err m_ = (e);                                                                                             \
        if (m_) {                                                                                                      \
            (void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, m_->name, chop_detail_text());                \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

/* ---- signing ---- */
struct chop_bytes world_pack(struct world *w, const void *message) {
    struct chop_bytes b;
    MUST(pb_pack(message, w->mem, &b));
    return b;
}

Pb__Signed *world_signed(struct world *w, enum world_key key, const char *kid, const char *type, const void *message) {
    Pb__Signed *s = PB_NEW(w->mem, Pb__Signed, pb__signed);
    MUST(trust_sign(w->keys[key], kid, type, world_pack(w, message), w->mem, s));
    return s;
}

struct chop_bytes world_sign(
    struct world *w, enum world_key key, const char *kid, const char *type, const void *message) {
    return world_pack(w, world_signed(w, key, kid, type, message));
}

struct chop_bytes world_time(struct world *w, int64_t at) {
    Pb__TimeStatement t = PB__TIME_STATEMENT__INIT;
    t.at = at;
    t.printer_id = w->printer_id;
    return world_sign(w, KEY_BRIDGE, NULL, "time", &t);
}

/* ---- manifest and certificates ---- */
static Pb__KeyEntry *entry(struct world *w, enum world_key key, const char *purpose) {
    Pb__KeyEntry *e = PB_NEW(w->mem, Pb__KeyEntry, pb__key_entry);
    e->kid = PB_STR(crypto_key_kid(w->keys[key]));
    e->purpose = PB_STR(purpose);
    e->algorithm = PB_STR("ES256");
    e->public_key = PB_BIN(crypto_key_spki(w->keys[key]));
    e->not_before = w->now - 100 * HOUR;
    e->not_after = w->now + 1000 * HOUR;
    return e;
}

void world_sign_manifest(struct world *w) {
    w->manifest_signed = world_sign(w, KEY_ROOT, NULL, "manifest", &w->manifest);
}

void world_make_manifest(struct world *w) {
    pb__key_manifest__init(&w->manifest);
    w->manifest.version = 5;
    w->manifest.n_entries = 5;
    w->manifest.entries = ARENA_ARRAY(w->mem, Pb__KeyEntry *, 5);
    w->manifest.entries[0] = entry(w, KEY_ISSUANCE, "issuance");
    w->manifest.entries[1] = entry(w, KEY_AUTHORIZATION, "authorization");
    w->manifest.entries[2] = entry(w, KEY_CA, "identity-ca");
    w->manifest.entries[3] = entry(w, KEY_BRIDGE, "bridge");
    w->manifest.entries[4] = entry(w, KEY_IDENTITY, "identity");
    world_sign_manifest(w);
    w->root_spki = crypto_key_spki(w->keys[KEY_ROOT]);
}

static void make_printer_cert(struct world *w) {
    uint8_t point[65];
    Pb__PrinterCert c = PB__PRINTER_CERT__INIT;
    MUST(crypto_key_point(w->keys[KEY_SEAL], point));
    c.printer_id = w->printer_id;
    c.organization_id = w->org_id;
    c.name = PB_STR("front desk");
    c.sign_key = PB_BIN(crypto_key_spki(w->keys[KEY_PRINTER]));
    c.seal_key = (ProtobufCBinaryData){ sizeof point, point };
    c.not_before = w->now - HOUR;
    c.not_after = w->now + 1000 * HOUR;
    w->printer_cert = world_sign(w, KEY_CA, NULL, "printer-cert", &c);
}

/* ---- boot ---- */
static int64_t world_now(void *ctx) {
    return ((struct world *)((char *)ctx - offsetof(struct world, device)))->now;
}

static void keep_told(struct world *w, const Pb__Signed *s, struct chop_bytes packed) {
    if (w->n_told == CHOP_COUNT(w->told)) return;
    MUST(trust_verify_key(w->keys[KEY_PRINTER], s, s->type));
    w->told[w->n_told].type = s->type;
    w->told[w->n_told].packed = arena_copy(w->mem, packed);
    w->told[w->n_told++].payload = PB_BYTES(s->payload);
}

static void keep_report(void *ctx, struct chop_bytes packed) {
    struct world *w = ctx;
    Pb__Signed *s;
    if (w->n_reports == CHOP_COUNT(w->reports)) return;
    MUST(PB_UNPACK(pb__signed, packed, w->mem, &s));
    if (strcmp(s->type, "report") != 0) {
        keep_told(w, s, packed);
        return;
    }
    w->reports[w->n_reports].packed = arena_copy(w->mem, packed);
    MUST(trust_verify_key(w->keys[KEY_PRINTER], s, "report"));
    MUST(PB_UNPACK(pb__report, PB_BYTES(s->payload), w->mem, &w->reports[w->n_reports].r));
    w->n_reports++;
}

chop_err world_try_boot(struct world *w) {
    w->mem_journal->dead = false;
    w->mem_journal->die_at = 0;
    struct printer_setup s = {
        .platform = &w->platform,
        .journal = &w->journal,
        .output = &w->out,
        .report = keep_report,
        .report_ctx = w,
        .root_spki = w->root_spki,
        .cert = w->printer_cert,
        .manifest = w->manifest_signed,
        .job = w->job,
        .scratch = w->scratch,
        .manifest_room = w->room,
        .job_size = JOB_SIZE,
        .scratch_size = SCRATCH_SIZE,
        .manifest_size = ROOM_SIZE,
    };
    TRY(printer_start(&w->core, &s));
    return printer_recover(&w->core);
}

void world_boot(struct world *w) {
    MUST(world_try_boot(w));
}

struct world *world_new(void) {
    struct world *w = calloc(1, sizeof *w);
    w->mem = arena_new((size_t)256 << 20);
    w->mem_journal = calloc(1, sizeof *w->mem_journal);
    w->job = malloc(JOB_SIZE);
    w->scratch = malloc(SCRATCH_SIZE);
    w->room = malloc(ROOM_SIZE);
    w->now = 1800000000000;
    for (int i = 0; i < KEY_COUNT; i++)
        MUST(crypto_key_generate(CRYPTO_ES256, &w->keys[i]));
    chop_id_new("prn", w->printer_id);
    chop_id_new("trm", w->terminal_id);
    chop_id_new("mem", w->member_id);
    chop_id_new("org", w->org_id);
    world_make_manifest(w);
    make_printer_cert(w);
    w->device = (struct platform){ w->keys[KEY_PRINTER], w->keys[KEY_SEAL], arena_new((size_t)8 << 20) };
    w->platform = platform_of(&w->device);
    w->platform.now = world_now;
    w->journal = mem_journal_of(w->mem_journal);
    w->output.journal = w->mem_journal;
    w->out = mem_output_of(&w->output);
    world_boot(w);
    return w;
}

void world_free(struct world *w) {
    for (int i = 0; i < KEY_COUNT; i++)
        crypto_key_free(w->keys[i]);
    arena_free(w->device.mem);
    arena_free(w->mem);
    free(w->mem_journal);
    free(w->job);
    free(w->scratch);
    free(w->room);
    free(w);
}

/* ---- pairing ---- */
static void fill_cert(struct world *w, Pb__TerminalCert *c) {
    pb__terminal_cert__init(c);
    c->terminal_id = w->terminal_id;
    c->organization_id = w->org_id;
    c->member_id = w->member_id;
    c->public_key = PB_BIN(crypto_key_spki(w->keys[KEY_TERMINAL]));
    c->not_before = w->now - HOUR;
    c->not_after = w->now + 1000 * HOUR;
}

void world_pair(struct world *w) {
    struct journal_code code;
    Pb__TerminalCert cert;
    Pb__PairStatement p = PB__PAIR_STATEMENT__INIT;
    uint8_t mac[32], out[PRINTER_SMALL_MAX];
    size_t n;
    MUST(printer_pair_code(&w->core, &code));
    const char *text = arena_printf(w->mem, "chop/1/pair#%s#%s", w->printer_id, w->terminal_id);
    char *bytes = arena_str(w->mem, text);
    size_t len = strlen(bytes);
    bytes[11] = 0;
    bytes[12 + strlen(w->printer_id)] = 0;
    crypto_hmac_sha256(chop_str(code.digits), CHOP_BYTES(bytes, len), mac);
    p.printer_id = w->printer_id;
    p.terminal_id = w->terminal_id;
    p.code_mac = (ProtobufCBinaryData){ 32, mac };
    p.at = w->now;
    fill_cert(w, &cert);
    MUST(printer_pair(&w->core, world_sign(w, KEY_TERMINAL, w->terminal_id, "pair", &p),
        world_sign(w, KEY_CA, NULL, "terminal-cert", &cert), out, &n));
}

/* ---- jobs ---- */
struct chop_bytes world_outline(struct world *w, uint32_t width, uint32_t height) {
    struct outline_writer o;
    uint8_t *room = arena_alloc(w->mem, 256);
    outline_begin(&o, room, 256, (struct outline_size){ width, height });
    outline_rect(&o, 0, 0, (int32_t)width, (int32_t)height);
    return CHOP_BYTES(room, outline_end(&o));
}

static ProtobufCBinaryData digest_of(struct world *w, struct chop_bytes b) {
    uint8_t *d = arena_alloc(w->mem, 32);
    crypto_sha256(b, d);
    return (ProtobufCBinaryData){ 32, d };
}

static void fill_grant(struct job *j) {
    struct world *w = j->w;
    Pb__GrantStatement *g = &j->grant;
    pb__grant_statement__init(g);
    g->grant_id = j->grant_id;
    g->organization_id = w->org_id;
    g->member_id = w->member_id;
    g->seal_id = PB_STR("sel_0123456789");
    g->artwork_digest = digest_of(w, PB_BYTES(j->envelope.artwork));
    g->document_digest = digest_of(w, chop_str("the document"));
    g->copies = WORLD_NUMBERS;
    g->not_before = w->now - HOUR;
    g->not_after = w->now + 48 * HOUR;
    g->granted_at = w->now - HOUR;
    g->server_time_hours = 2;
    g->signature_of = w->member_id;
    g->specimen_digest = digest_of(w, PB_BYTES(j->envelope.signature_artwork));
}

static void fill_allotment(struct job *j) {
    struct world *w = j->w;
    Pb__AllotmentStatement *a = &j->allotment;
    Pb__Placement *p = PB_NEW(w->mem, Pb__Placement, pb__placement);
    p->page = 1;
    p->x_um = 30000;
    p->y_um = 40000;
    pb__allotment_statement__init(a);
    a->allotment_id = j->allotment_id;
    a->grant_id = j->grant.grant_id;
    a->organization_id = w->org_id;
    a->printer_id = w->printer_id;
    a->member_id = w->member_id;
    a->terminal_id = w->terminal_id;
    a->numbers = j->numbers;
    a->n_numbers = WORLD_NUMBERS;
    a->document_digest = j->grant.document_digest;
    a->artwork_digest = j->grant.artwork_digest;
    a->not_before = w->now - 60000;
    a->not_after = w->now + HOUR;
    a->allotted_at = w->now;
    a->placement = p;
    a->seal_id = j->grant.seal_id;
}

static void fill_impressions(struct job *j) {
    struct world *w = j->w;
    Pb__MarkedImpression **list = ARENA_ARRAY(w->mem, Pb__MarkedImpression *, WORLD_NUMBERS);
    for (uint32_t i = 0; i < WORLD_NUMBERS; i++) {
        list[i] = PB_NEW(w->mem, Pb__MarkedImpression, pb__marked_impression);
        list[i]->number = j->numbers[i];
        list[i]->token = arena_printf(w->mem, "ABCDEFGH0123456%u", i);
        list[i]->serial = PB_STR("0000000000000001");
        list[i]->cipher = PB_STR("12345678");
        list[i]->mark_block = PB_BIN(world_outline(w, 30000, 20000));
    }
    j->envelope.impressions = list;
    j->envelope.n_impressions = WORLD_NUMBERS;
}

void job_init(struct job *j, struct world *w) {
    memset(j, 0, sizeof *j);
    j->w = w;
    chop_id_new("grt", j->grant_id);
    chop_id_new("alt", j->allotment_id);
    chop_id_new("job", j->job_id);
    j->cert_key = KEY_CA;
    j->grant_key = j->allotment_key = KEY_AUTHORIZATION;
    j->order_key = KEY_TERMINAL;
    j->envelope_key = KEY_ISSUANCE;
    for (uint32_t i = 0; i < WORLD_NUMBERS; i++)
        j->numbers[i] = i + 1;
    pb__envelope__init(&j->envelope);
    j->envelope.artwork = PB_BIN(world_outline(w, 40000, 40000));
    j->envelope.signature_artwork = PB_BIN(world_outline(w, 30000, 9000));
    fill_cert(w, &j->cert);
    fill_grant(j);
    fill_allotment(j);
    fill_impressions(j);
}

static void hook(struct job *j, enum job_stage stage) {
    if (j->hook) j->hook(j, stage);
}

static void make_challenge(struct job *j) {
    struct world *w = j->w;
    if (j->challenge.n == 0) {
        uint8_t out[PRINTER_SMALL_MAX];
        size_t n = 0;
        MUST(printer_challenge(&w->core, out, &n));
        j->challenge = arena_copy(w->mem, CHOP_BYTES(out, n));
    }
    MUST(PB_UNPACK(pb__signed, j->challenge, w->mem, &j->challenge_s));
}

static void make_statements(struct job *j) {
    struct world *w = j->w;
    hook(j, ST_CERT);
    j->cert_s = world_signed(w, j->cert_key, NULL, "terminal-cert", &j->cert);
    hook(j, ST_GRANT);
    j->grant_s = world_signed(w, j->grant_key, NULL, "grant", &j->grant);
    j->allotment.grant_digest = digest_of(w, PB_BYTES(j->grant_s->payload));
    j->allotment.challenge_digest = digest_of(w, PB_BYTES(j->challenge_s->payload));
    hook(j, ST_ALLOTMENT);
    j->allotment_s = world_signed(w, j->allotment_key, NULL, "allotment", &j->allotment);
    pb__print_order__init(&j->order);
    j->order.allotment_id = j->allotment.allotment_id;
    j->order.allotment_digest = digest_of(w, PB_BYTES(j->allotment_s->payload));
    j->order.printer_id = w->printer_id;
    j->order.challenge_digest = digest_of(w, PB_BYTES(j->challenge_s->payload));
    j->order.terminal_id = w->terminal_id;
    j->order.ordered_at = w->now;
    hook(j, ST_ORDER);
    j->order_s = world_signed(w, j->order_key, w->terminal_id, "order", &j->order);
}

static void make_envelope(struct job *j) {
    struct world *w = j->w;
    Pb__Envelope *e = &j->envelope;
    e->job_id = j->job_id;
    e->printer_id = w->printer_id;
    e->allotment = j->allotment_s;
    e->grant = j->grant_s;
    e->order = j->order_s;
    e->terminal_cert = j->cert_s;
    e->challenge = j->challenge_s;
    e->signed_at = w->now;
    e->placement = j->allotment.placement;
    hook(j, ST_ENVELOPE);
    j->envelope_s = world_signed(w, j->envelope_key, NULL, "envelope", e);
    hook(j, ST_SIGNED_ENVELOPE);
}

struct chop_bytes job_make(struct job *j) {
    struct world *w = j->w;
    uint8_t point[65];
    struct chop_bytes sealed;
    make_challenge(j);
    make_statements(j);
    make_envelope(j);
    MUST(crypto_key_point(w->keys[KEY_SEAL], point));
    size_t id = strlen(w->printer_id) + 1, n = id + strlen(j->job_id);
    char *aad = arena_printf(w->mem, "%s#%s", w->printer_id, j->job_id);
    aad[id - 1] = 0;
    MUST(crypto_hpke_seal(
        point, chop_str("chop/1/envelope"), CHOP_BYTES(aad, n), world_pack(w, j->envelope_s), w->mem, &sealed));
    pb__sealed_envelope__init(&j->sealed);
    j->sealed.job_id = j->job_id;
    j->sealed.printer_id = w->printer_id;
    j->sealed.sealed = PB_BIN(sealed);
    hook(j, ST_SEALED);
    return world_pack(w, &j->sealed);
}

chop_err job_print(struct job *j, struct chop_bytes packed) {
    bool more = true;
    chop_err first = NULL;
    TRY(printer_envelope(&j->w->core, packed));
    while (more && !j->w->core.broken) {
        chop_err e = printer_step(&j->w->core, &more);
        if (e && !first) first = e;
    }
    return first;
}
