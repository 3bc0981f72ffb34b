#include "svc_printer_world.h"

#include "act.h"
#include "outbox.h"
#include "pbjson.h"

#include "identity.pb-c.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 20000
#define MUST(e)                                                                                                        \
    do {                                                                                                               \
        chop_err m_ = (e);                                                                                             \
        if (m_) fixture_die("%s:%d: %s: %s", __FILE__, __LINE__, m_->name, chop_detail_text());                        \
    } while (0)

static const char *path_of(const char *name) {
    return fixture_text("%s/%s", fixture_dir(), name);
}

static void write_file(const char *path, struct chop_bytes data) {
    FILE *f = fopen(path, "we");
    if (!f || fwrite(data.p, 1, data.n, f) != data.n || fclose(f) != 0) fixture_die("%s: cannot write", path);
}

static const char *read_file(const char *path) {
    char *text = arena_alloc(fixture_mem(), 65536);
    FILE *f = fopen(path, "re");
    if (!f) return "";
    text[fread(text, 1, 65535, f)] = 0;
    fclose(f);
    return text;
}

/* ---- keys and certificates ---- */
static void take_key(struct world *w, enum world_key key, const char *purpose) {
    crypto_key_free(w->keys[key]);
    MUST(crypto_key_load(fixture_key_path(purpose), &w->keys[key]));
}

static struct chop_bytes ca_pem(void) {
    return chop_str(read_file(fixture_ca_cert_path()));
}

static void issue_cert(struct printer_world *p, const char *file, const char *name, const char *san) {
    struct crypto_key *key;
    struct chop_bytes pem;
    MUST(crypto_key_generate(CRYPTO_ES256, &key));
    MUST(crypto_cert_issue(p->w->keys[KEY_CA], ca_pem(), key, name, san, san != NULL, 30, fixture_mem(), &pem));
    MUST(crypto_key_save(key, path_of(fixture_text("%s.key", file))));
    write_file(path_of(fixture_text("%s.pem", file)), pem);
    crypto_key_free(key);
}

const char *pworld_client(struct printer_world *p, const char *name) {
    issue_cert(p, fixture_text("client-%s", name), name, NULL);
    return path_of(fixture_text("client-%s", name));
}

/* ---- broker ---- */
static uint16_t free_port(void) {
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    CHOP_CLEANUP(chop_close_p) int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (struct sockaddr *)&a, n) != 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0)
        fixture_die("no free port");
    return ntohs(a.sin_port);
}

/* As script/up does with deploy/mosquitto. */
static void write_broker_config(struct printer_world *p) {
    const char *const values[][2] = { { "@PORT@", fixture_text("%u", p->mqtt_port) },
        { "@CA@", fixture_ca_cert_path() }, { "@CERT@", path_of("broker.pem") }, { "@KEY@", path_of("broker.key") },
        { "@DATA@", path_of("broker") }, { "@ACL@", BROKER_DIR "/acl" },
        { "@USER@", getuid() == 0 ? "root" : "mosquitto" } }; /* only root changes to it; the keys are ours */
    const char *in = read_file(BROKER_DIR "/mosquitto.conf.in");
    FILE *f = fopen(path_of("mosquitto.conf"), "we");
    while (f && *in) {
        size_t i = 0;
        while (i < CHOP_COUNT(values) && strncmp(in, values[i][0], strlen(values[i][0])) != 0)
            i++;
        if (i == CHOP_COUNT(values)) {
            fputc(*in++, f);
        } else {
            fputs(values[i][1], f);
            in += strlen(values[i][0]);
        }
    }
    if (!f || fclose(f) != 0) fixture_die("cannot write the broker's configuration");
}

static bool broker_answers(uint16_t port) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)
    };
    CHOP_CLEANUP(chop_close_p) int fd = socket(AF_INET, SOCK_STREAM, 0);
    return connect(fd, (struct sockaddr *)&a, sizeof a) == 0;
}

void pworld_broker_start(struct printer_world *p) {
    const char *const argv[] = { "/usr/sbin/mosquitto", "-c", path_of("mosquitto.conf"), NULL };
    p->broker = fixture_spawn(&(struct fixture_command){ .argv = argv, .log = path_of("mosquitto.log") });
    for (int i = 0; i < WAIT_MS / 20 && !broker_answers(p->mqtt_port); i++)
        fixture_sleep_ms(20);
    if (!broker_answers(p->mqtt_port)) fixture_die("mosquitto does not start: %s", read_file(path_of("mosquitto.log")));
}

void pworld_broker_kill(struct printer_world *p) {
    kill(p->broker, SIGKILL);
    (void)fixture_wait(p->broker);
}

/* ---- identity and issuance, played ---- */
struct played { /* events of one producer */
    const char *producer;
    const Pb__Event *events[64];
    size_t n;
};
static struct played issuance = { .producer = "issuance" }, identity = { .producer = "identity" };
static struct printer_world *the_world;

static void answer_read_events(void *ctx, struct bus_msg *m) {
    struct played *x = ctx;
    struct arena *mem = arena_new((size_t)16 << 20);
    Pb__ReadEventsRequest *in;
    Pb__ReadEventsReply out = PB__READ_EVENTS_REPLY__INIT;
    struct chop_bytes packed;
    MUST(PB_UNPACK(pb__read_events_request, bus_msg_data(m), mem, &in));
    out.events = ARENA_ARRAY(mem, Pb__Event *, 64);
    out.epoch = 1;
    for (size_t i = 0; i < x->n; i++) {
        if (x->events[i]->partition != in->partition) continue;
        out.head = x->events[i]->position;
        if (x->events[i]->position >= in->from) out.events[out.n_events++] = (Pb__Event *)(uintptr_t)x->events[i];
    }
    MUST(pb_pack(&out, mem, &packed));
    bus_reply(fixture_bus(), m, packed, false);
    bus_msg_free(m);
    arena_free(mem);
}

static void announce(const struct played *x) {
    Pb__HeadAnnouncement a = PB__HEAD_ANNOUNCEMENT__INIT;
    uint64_t heads[OUTBOX_PARTITIONS] = { 0 };
    for (size_t i = 0; i < x->n; i++)
        heads[x->events[i]->partition] = x->events[i]->position;
    a.producer = PB_STR(x->producer);
    a.epoch = 1;
    a.heads = heads;
    a.n_heads = OUTBOX_PARTITIONS;
    MUST(bus_publish(fixture_bus(), fixture_text("chop.head.%s", x->producer), world_pack(the_world->w, &a)));
    bus_flush(fixture_bus());
}

static void play(struct played *x, const char *type, const char *key, const void *message) {
    struct world *w = the_world->w;
    Pb__Event *e = PB_NEW(w->mem, Pb__Event, pb__event);
    e->producer = PB_STR(x->producer);
    e->partition = outbox_partition(key);
    e->position = 1;
    for (size_t i = 0; i < x->n; i++)
        e->position += x->events[i]->partition == e->partition;
    e->epoch = 1;
    e->type = PB_STR(type);
    e->key = PB_STR(key);
    e->payload = PB_BIN(world_pack(w, message));
    e->at = chop_now_ms();
    x->events[x->n++] = e;
    announce(x);
}

static void answer_enrol(void *ctx, struct bus_msg *m) {
    struct printer_world *p = ctx;
    struct arena *mem = arena_new((size_t)4 << 20);
    Pb__EnrolPrinterRequest *in;
    Pb__EnrolPrinterReply out = PB__ENROL_PRINTER_REPLY__INIT;
    Pb__PrinterCert cert = PB__PRINTER_CERT__INIT;
    Pb__Signed s = PB__SIGNED__INIT;
    struct crypto_key *key = NULL;
    struct chop_bytes packed, tls, payload;
    MUST(PB_UNPACK(pb__enrol_printer_request, bus_msg_data(m), mem, &in));
    if (strcmp(in->code, "ABCD-EFGH") != 0 || crypto_csr_read(PB_BYTES(in->csr), &key)) {
        bus_reply_error(fixture_bus(), m, CHOP_ERR(EAUTH), "code", "wrong code");
        bus_msg_free(m);
        arena_free(mem);
        return;
    }
    cert.printer_id = in->printer_id;
    cert.organization_id = p->w->org_id;
    cert.sign_key = PB_BIN(crypto_key_spki(key));
    cert.seal_key = in->seal_key;
    cert.not_before = chop_now_ms() - 1000;
    cert.not_after = chop_now_ms() + 86400000;
    MUST(pb_pack(&cert, mem, &payload));
    MUST(trust_sign(p->w->keys[KEY_CA], NULL, "printer-cert", payload, mem, &s));
    MUST(crypto_cert_issue(p->w->keys[KEY_CA], ca_pem(), key, in->printer_id, NULL, false, 30, mem, &tls));
    out.printer_id = in->printer_id;
    out.organization_id = p->w->org_id;
    out.name = PB_STR("front desk");
    out.tls_certificate = PB_BIN(tls);
    out.ca_certificate = PB_BIN(ca_pem());
    out.printer_cert = &s;
    out.root_spki = PB_BIN(p->w->root_spki);
    out.manifest = PB_BIN(p->w->manifest_signed);
    MUST(pb_pack(&out, mem, &packed));
    bus_reply(fixture_bus(), m, packed, false);
    bus_msg_free(m);
    crypto_key_free(key);
    arena_free(mem);
}

static void play_neighbours(struct printer_world *p) {
    struct bus_sub *sub;
    MUST(bus_subscribe(fixture_bus(), "chop.identity.v1.EnrolPrinter", "identity", answer_enrol, p, &sub));
    MUST(bus_subscribe(fixture_bus(), "chop.identity.v1.ReadEvents", "identity", answer_read_events, &identity, &sub));
    MUST(bus_subscribe(fixture_bus(), "chop.issuance.v1.ReadEvents", "issuance", answer_read_events, &issuance, &sub));
    bus_flush(fixture_bus());
}

/* ---- the gateway, played: one POST becomes one call ---- */
static size_t read_http(int fd, char *text, size_t size) {
    size_t n = 0, want = 0;
    while (n < size - 1) {
        ssize_t got = read(fd, text + n, size - 1 - n);
        if (got <= 0) break;
        n += (size_t)got;
        text[n] = 0;
        char *body = strstr(text, "\r\n\r\n"), *length = strcasestr(text, "content-length:");
        if (!body || !length) continue;
        want = (size_t)(body + 4 - text) + (size_t)strtoul(length + 15, NULL, 10);
        if (n >= want) break;
    }
    return n;
}

static const char *enrol_reply(const char *text) {
    struct pbjson_limits limits = PBJSON_LIMITS;
    Pb__EnrolRequest *in;
    Pb__EnrolReply *out;
    struct chop_bytes json;
    if (strncmp(text, "POST /v1/printers/enrol ", 24) != 0) return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
    struct chop_bytes body = chop_str(strstr(text, "\r\n\r\n") + 4);
    MUST(pbjson_read(&pb__enrol_request__descriptor, body, &limits, fixture_mem(), &in));
    chop_err e = fixture_call("printer-bridge", &pb__printer_bridge__descriptor, "EnrolPrinter", in, NULL, &out);
    if (e) return fixture_text("HTTP/1.1 %d No\r\nContent-Length: %zu\r\n\r\n%s", e->http, strlen(e->name), e->name);
    MUST(pbjson_print(out, fixture_mem(), &json));
    return arena_printf(fixture_mem(),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%.*s", json.n, (int)json.n,
        (const char *)json.p);
}

static int listen_on(uint16_t port) {
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, 4) != 0) fixture_die("cannot listen");
    return fd;
}

static int enrol(struct printer_world *p, const char *code) {
    uint16_t port = free_port();
    CHOP_CLEANUP(chop_close_p) int listener = listen_on(port);
    const char *const argv[] = { PRINTER_BIN, "--dir", p->dir, "--enrol", fixture_text("http://127.0.0.1:%u/", port),
        "--printer-id", p->w->printer_id, "--code", code, NULL };
    pid_t pid = fixture_spawn(&(struct fixture_command){ .argv = argv, .log = path_of("enrol.log") });
    CHOP_CLEANUP(chop_close_p) int fd = accept(listener, NULL, NULL);
    char *text = arena_alloc(fixture_mem(), 65536);
    (void)read_http(fd, text, 65536);
    const char *reply = enrol_reply(text);
    (void)!write(fd, reply, strlen(reply));
    (void)shutdown(fd, SHUT_WR);
    return fixture_wait(pid);
}

/* ---- life ---- */
static struct printer_world *new_world(void) {
    struct printer_world *p = calloc(1, sizeof *p);
    the_world = p;
    fixture_up(FIX_PG | FIX_NATS | FIX_KEYS);
    p->w = world_new();
    p->w->now = chop_now_ms();
    take_key(p->w, KEY_ISSUANCE, "issuance");
    take_key(p->w, KEY_AUTHORIZATION, "authorization");
    take_key(p->w, KEY_CA, "identity-ca");
    take_key(p->w, KEY_BRIDGE, "bridge");
    take_key(p->w, KEY_IDENTITY, "identity");
    world_make_manifest(p->w); /* with a root of our own, so that a test can issue the next one */
    (void)mkdir(path_of("keys-printer"), 0700);
    write_file(path_of("keys-printer/root.spki"), p->w->root_spki);
    write_file(path_of("keys-printer/manifest.signed"), p->w->manifest_signed);
    p->mqtt_port = free_port();
    p->dir = path_of("printer");
    p->out = path_of("paper");
    return p;
}

void pworld_bridge_start(struct printer_world *p, const char *const *env) {
    const char *all[24];
    size_t n = 0;
    all[n++] = "CHOP_PRINTER_BRIDGE_MQTT_HOST=localhost";
    all[n++] = fixture_text("CHOP_PRINTER_BRIDGE_MQTT_PORT=%u", p->mqtt_port);
    all[n++] = fixture_text("CHOP_PRINTER_BRIDGE_MQTT_CA=%s", fixture_ca_cert_path());
    all[n++] = fixture_text("CHOP_PRINTER_BRIDGE_MQTT_CERT=%s", path_of("bridge.pem"));
    all[n++] = fixture_text("CHOP_PRINTER_BRIDGE_MQTT_KEY=%s", path_of("bridge.key"));
    all[n++] = fixture_text("CHOP_PRINTER_BRIDGE_KEYS=%s", path_of("keys-printer"));
    all[n++] = "CHOP_PRINTER_BRIDGE_RESEND_MS=300";
    for (size_t i = 0; env && env[i] && n < CHOP_COUNT(all) - 1; i++)
        all[n++] = env[i];
    all[n] = NULL;
    p->bridge = fixture_start("printer-bridge", "bridge", all);
}

static const char *principal_of(struct world *w) {
    Pb__Principal me = PB__PRINCIPAL__INIT;
    me.organization_id = w->org_id;
    me.member_id = w->member_id;
    char *roles[] = { PB_STR("user") };
    me.roles = roles;
    me.n_roles = 1;
    return fixture_principal(&me);
}

static void load_printer_keys(struct printer_world *p) {
    crypto_key_free(p->w->keys[KEY_PRINTER]);
    crypto_key_free(p->w->keys[KEY_SEAL]);
    MUST(crypto_key_load(fixture_text("%s/sign.pem", p->dir), &p->w->keys[KEY_PRINTER]));
    MUST(crypto_key_load(fixture_text("%s/seal.pem", p->dir), &p->w->keys[KEY_SEAL]));
}

struct printer_world *pworld_new(const char *const *bridge_env) {
    struct printer_world *p = new_world();
    issue_cert(p, "broker", "localhost", "DNS:localhost,IP:127.0.0.1");
    issue_cert(p, "bridge", "bridge", NULL);
    (void)mkdir(path_of("broker"), 0700);
    write_broker_config(p);
    pworld_broker_start(p);
    play_neighbours(p);
    pworld_bridge_start(p, bridge_env);
    p->principal = principal_of(p->w);
    assert_int_not_equal(enrol(p, "WRONG-CODE"), 0);
    if (enrol(p, "ABCD-EFGH") != 0) fixture_die("cannot enrol: %s", read_file(path_of("enrol.log")));
    load_printer_keys(p);
    return p;
}

void pworld_free(struct printer_world *p) {
    pworld_broker_kill(p);
    world_free(p->w);
    free(p);
    fixture_down();
}

void pworld_next_manifest(struct printer_world *p) {
    p->w->manifest.version++;
    world_sign_manifest(p->w);
    write_file(path_of("keys-printer/manifest.new"), p->w->manifest_signed);
    if (rename(path_of("keys-printer/manifest.new"), path_of("keys-printer/manifest.signed")) != 0)
        fixture_die("no manifest");
}

/* ---- the printer ---- */
pid_t pworld_printer_start(struct printer_world *p, const char *const *env) {
    const char *all[24];
    size_t n = 0;
    all[n++] = "CHOP_PRINTER_OUTPUT=null";
    all[n++] = fixture_text("CHOP_PRINTER_OUT=%s", p->out);
    for (size_t i = 0; env && env[i] && n < CHOP_COUNT(all) - 1; i++)
        all[n++] = env[i];
    all[n] = NULL;
    const char *const argv[] = { PRINTER_BIN, "--dir", p->dir, NULL };
    return fixture_spawn(&(struct fixture_command){ .argv = argv, .env = all, .log = path_of("printer.log") });
}

void pworld_printer_stop(pid_t pid) {
    kill(pid, SIGTERM);
    int status = fixture_wait(pid);
    if (status != 0) fixture_die("the printer ended with %d: %s", status, read_file(path_of("printer.log")));
}

void pworld_wait_online(struct printer_world *p, bool online) {
    const char *sql = fixture_text("SELECT online FROM printer WHERE printer_id = '%s'", p->w->printer_id);
    for (int i = 0; i < WAIT_MS / 20; i++) {
        if (strcmp(fixture_sql("printer_bridge", sql), online ? "t" : "f") == 0) return;
        fixture_sleep_ms(20);
    }
    fixture_die("the printer is not %s: %s\n%s", online ? "online" : "offline", read_file(path_of("printer.log")),
        fixture_log("printer-bridge"));
}

const char *pworld_code(struct printer_world *p) {
    const char *const argv[] = { PRINTER_BIN, "--dir", p->dir, "--pair", NULL };
    if (fixture_run(&(struct fixture_command){ .argv = argv, .log = path_of("pair.log") }) != 0)
        fixture_die("--pair: %s", read_file(path_of("pair.log")));
    const char *text = read_file(fixture_text("%s/pairing-code", p->dir));
    return fixture_text("%.8s", text);
}

chop_err pworld_pair(struct printer_world *p, const char *code) {
    struct world *w = p->w;
    struct job j;
    uint8_t mac[32];
    char text[160] = "chop/1/pair";
    size_t a = strlen(w->printer_id), b = strlen(w->terminal_id);
    Pb__PairStatement s = PB__PAIR_STATEMENT__INIT;
    Pb__PairTerminalRequest in = PB__PAIR_TERMINAL_REQUEST__INIT;
    memcpy(text + 12, w->printer_id, a + 1);
    memcpy(text + 13 + a, w->terminal_id, b);
    crypto_hmac_sha256(chop_str(code), CHOP_BYTES(text, 13 + a + b), mac);
    s.printer_id = w->printer_id;
    s.terminal_id = w->terminal_id;
    s.code_mac = (ProtobufCBinaryData){ 32, mac };
    s.at = chop_now_ms();
    job_init(&j, w);
    in.printer_id = w->printer_id;
    in.pair = PB_BIN(world_sign(w, KEY_TERMINAL, w->terminal_id, "pair", &s));
    in.terminal_cert = PB_BIN(world_sign(w, KEY_CA, NULL, "terminal-cert", &j.cert));
    return fixture_call("printer-bridge", &pb__printer_bridge__descriptor, "PairTerminal", &in, p->principal, NULL);
}

/* ---- jobs ---- */
chop_err pworld_job(struct printer_world *p, struct job *j, struct chop_bytes *ret_packed) {
    Pb__GetPrinterRequest in = PB__GET_PRINTER_REQUEST__INIT;
    Pb__ChallengeReply *out;
    in.printer_id = p->w->printer_id;
    p->w->now = chop_now_ms();
    job_init(j, p->w);
    TRY(fixture_call("printer-bridge", &pb__printer_bridge__descriptor, "GetChallenge", &in, p->principal, &out));
    j->challenge = PB_BYTES(out->challenge);
    *ret_packed = job_make(j);
    return NULL;
}

void pworld_issue(struct printer_world *p, struct job *j, struct chop_bytes packed) {
    Pb__EnvelopeSealed e = PB__ENVELOPE_SEALED__INIT;
    MUST(PB_UNPACK(pb__sealed_envelope, packed, p->w->mem, &e.envelope));
    e.expires_at = chop_now_ms() + 600000;
    e.numbers = j->numbers;
    e.n_numbers = WORLD_NUMBERS;
    e.grant_id = j->grant_id;
    e.allotment_id = j->allotment_id;
    e.organization_id = p->w->org_id;
    play(&issuance, "issuance.envelope.sealed", j->grant.seal_id, &e);
}

void pworld_enrolled(struct printer_world *p, const Pb__PrinterCert *cert, const char *printer_id, const char *org_id) {
    Pb__PrinterEnrolled e = PB__PRINTER_ENROLLED__INIT;
    e.printer_cert = world_signed(p->w, KEY_CA, crypto_key_kid(p->w->keys[KEY_CA]), "printer-cert", cert);
    e.printer_id = PB_STR(printer_id);
    e.organization_id = PB_STR(org_id);
    e.name = PB_STR("played");
    play(&identity, "identity.printer.enrolled", printer_id, &e);
}

void pworld_wait_reports(struct printer_world *p, int n) {
    (void)p;
    int have = -1;
    for (int i = 0; i < WAIT_MS / 20; i++) {
        have = atoi(fixture_sql("printer_bridge", "SELECT count(*) FROM report"));
        if (have == n) return;
        if (i % 50 == 49) announce(&issuance);
        fixture_sleep_ms(20);
    }
    fixture_die("%d reports, expected %d\n%s\n%s\n%s", have, n, read_file(path_of("printer.log")),
        fixture_log("printer-bridge"), read_file(path_of("mosquitto.log")));
}

const char *pworld_outcomes(struct printer_world *p, const struct job *j) {
    (void)p;
    return fixture_sql(
        "printer_bridge", fixture_text("SELECT string_agg(number || ':' || outcome, ' ' ORDER BY number) FROM report "
                                       "WHERE allotment_id = '%s'",
                              j->allotment_id));
}

int pworld_inks(struct printer_world *p) {
    int n = 0;
    for (const char *t = read_file(fixture_text("%s/prints.log", p->out)); *t; t++)
        n += *t == '\n';
    return n;
}

void pworld_check_inks(struct printer_world *p) {
    const char *const argv[] = { "/bin/sh", "-c",
        fixture_text("test -z \"$(cut -d' ' -f2- %s/prints.log | sort | uniq -d)\"", p->out), NULL };
    assert_int_equal(fixture_run(&(struct fixture_command){ .argv = argv }), 0);
}
