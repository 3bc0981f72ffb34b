#include "fixture.h"
#include "fixture_internal.h"

#include "common.pb-c.h"

#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG_BIN "/usr/lib/postgresql/15/bin/"
#define CALL_MS 5000
#define MAX_PROGRAMS 32
#define MAX_ROLES 16

struct fixture_program {
    const char *service;
    pid_t pid;
};

static struct world {
    char *dir;
    pid_t owner; /* a forked child's exit must not tear the world down */
    unsigned up;
    pid_t postgres, nats;
    int nats_port;
    const char *nats_url;
    struct bus *bus;
    struct arena *mem, *texts;
    struct fixture_program programs[MAX_PROGRAMS];
    const char *roles[MAX_ROLES];
} w;

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

void fixture_must(chop_err e, const char *what) {
    if (e) fixture_die("%s: %s %s", what, e->name, chop_detail_text());
}

/* ---- directory and memory ---- */

static void down_at_exit(void) {
    if (w.owner == getpid()) fixture_down();
}

const char *fixture_dir(void) {
    if (w.dir) return w.dir;
    w.dir = strdup("/tmp/chop-test-XXXXXX");
    if (!w.dir || !mkdtemp(w.dir) || chmod(w.dir, 0755) != 0) fixture_die("no directory under /tmp");
    w.owner = getpid();
    (void)atexit(down_at_exit);
    return w.dir;
}

struct arena *fixture_mem(void) {
    if (!w.mem) w.mem = arena_new((size_t)256 << 20);
    if (!w.mem) fixture_die("out of memory");
    return w.mem;
}

const char *fixture_text(const char *fmt, ...) {
    va_list args;
    char *text;
    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0) fixture_die("out of memory");
    va_end(args);
    if (!w.texts) w.texts = arena_new((size_t)16 << 20);
    const char *kept = arena_str(w.texts, text); /* one owner, so that leak checkers stay quiet */
    free(text);
    return kept;
}

/* ---- PostgreSQL ---- */

static const char *pg_log(void) {
    return fixture_text("%s/postgres.log", fixture_dir());
}

static void pg_init(void) {
    const char *dir = fixture_text("%s/pg", fixture_dir());
    const struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : NULL;
    if (mkdir(dir, 0700) != 0) fixture_die("%s: cannot make it", dir);
    if (pw && chown(dir, pw->pw_uid, pw->pw_gid) != 0) fixture_die("%s: cannot give it away", dir);
    int fd = open(pg_log(), O_CREAT | O_WRONLY, 0666); /* by us first: the server's user may not create it */
    if (fd >= 0) (void)close(fd);
    const char *data = fixture_text("%s/data", dir);
    if (fixture_run(&(struct fixture_command){ .user = "postgres",
            .log = pg_log(),
            .argv = ARGV(PG_BIN "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                "-N", "--no-instructions") }) != 0)
        fixture_die("initdb failed: see %s", pg_log());
}

static bool pg_answers(void) {
    return fixture_run(&(struct fixture_command){
               .log = "/dev/null", .argv = ARGV(PG_BIN "pg_isready", "-q", "-h", fixture_text("%s/pg", w.dir)) }) == 0;
}

static void pg_up(void) {
    const char *dir = fixture_text("%s/pg", fixture_dir()), *data = fixture_text("%s/data", dir);
    struct stat st;
    if (stat(data, &st) != 0) pg_init();
    w.postgres = fixture_spawn(&(struct fixture_command){ .user = "postgres",
        .log = pg_log(),
        .end_signal = SIGQUIT,
        .argv = ARGV(PG_BIN "postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c",
            "max_connections=200", "-c", "shared_buffers=32MB") });
    for (int i = 0; i < 600; i++, fixture_sleep_ms(50))
        if (pg_answers()) return;
    fixture_die("PostgreSQL does not answer: see %s", pg_log());
}

static const char *psql(const char *user, const char *sql) {
    char *text = fixture_output(
        &(struct fixture_command){ .argv = ARGV("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h",
                                       fixture_text("%s/pg", w.dir), "-U", user, "-d", "postgres", "-c", sql) });
    size_t n = strlen(text);
    if (n && text[n - 1] == '\n') text[n - 1] = 0;
    const char *kept = fixture_text("%s", text);
    free(text);
    return kept;
}

const char *fixture_sql(const char *role, const char *sql) {
    return psql(role, sql);
}

static bool role_is_new(const char *name) {
    size_t i = 0;
    for (; i < MAX_ROLES && w.roles[i]; i++)
        if (strcmp(w.roles[i], name) == 0) return false;
    if (i == MAX_ROLES) fixture_die("too many roles");
    w.roles[i] = fixture_text("%s", name);
    return true;
}

const char *fixture_db_role(const char *name) {
    fixture_up(FIX_PG);
    if (role_is_new(name))
        (void)psql("postgres", fixture_text("CREATE ROLE \"%s\" LOGIN; CREATE SCHEMA \"%s\" AUTHORIZATION \"%s\"; "
                                            "ALTER ROLE \"%s\" SET search_path = \"%s\"",
                                   name, name, name, name, name));
    return fixture_text("host=%s/pg user=%s dbname=postgres", w.dir, name);
}

/* ---- NATS ---- */

static char *read_text(const char *path) {
    FILE *f = fopen(path, "re");
    char *text = f ? calloc(1, 1 << 20) : NULL;
    if (text && fread(text, 1, (1 << 20) - 1, f) == 0) text[0] = 0;
    if (f) (void)fclose(f);
    return text;
}

/* The server writes {"nats":["nats://127.0.0.1:PORT"],...} once it listens. */
static int nats_port_read(void) {
    const char *path = fixture_text("%s/nats-server_%d.ports", w.dir, (int)w.nats);
    for (int i = 0; i < 400; i++, fixture_sleep_ms(25)) {
        char *text = read_text(path);
        const char *at = text ? strstr(text, "127.0.0.1:") : NULL;
        int port = at ? atoi(at + strlen("127.0.0.1:")) : 0;
        free(text);
        if (port > 0) return port;
    }
    fixture_die("nats-server does not listen: see %s/nats.log", w.dir);
}

static void nats_up(void) {
    const char *dir = fixture_dir();
    w.nats = fixture_spawn(&(struct fixture_command){ .log = fixture_text("%s/nats.log", dir),
        .argv = ARGV("nats-server", "-a", "127.0.0.1", "-p", fixture_text("%d", w.nats_port ? w.nats_port : -1), "-js",
            "-sd", fixture_text("%s/jetstream", dir), "--ports_file_dir", dir) });
    w.nats_port = nats_port_read();
    w.nats_url = fixture_text("nats://127.0.0.1:%d", w.nats_port);
}

const char *fixture_nats_url(void) {
    fixture_up(FIX_NATS);
    return w.nats_url;
}

struct bus *fixture_bus(void) {
    if (!w.bus) fixture_must(bus_open(&(struct bus_options){ fixture_nats_url(), "", "", "fixture" }, &w.bus), "bus");
    return w.bus;
}

/* ---- programs ---- */

static const char *upper(const char *service) {
    char name[64];
    size_t i = 0;
    for (; service[i] && i + 1 < sizeof name; i++)
        name[i] = service[i] == '-' ? '_' : (char)toupper((unsigned char)service[i]);
    name[i] = 0;
    return fixture_text("%s", name);
}

static const char *role_name(const char *service) {
    char *name = (char *)(uintptr_t)fixture_text("%s", service);
    for (char *p = name; *p; p++)
        if (*p == '-') *p = '_';
    return name;
}

static size_t base_env(const char *service, const char *sign_purpose, const char *ready, const char **env) {
    const char *name = upper(service);
    size_t n = 0;
    if (w.up & FIX_NATS) env[n++] = fixture_text("CHOP_%s_BUS=%s", name, w.nats_url);
    if (w.up & FIX_KEYS) env[n++] = fixture_text("CHOP_%s_KEYS=%s", name, fixture_keys_dir());
    if (w.up & FIX_PG) env[n++] = fixture_text("CHOP_%s_DB=%s", name, fixture_db_role(role_name(service)));
    if (sign_purpose) env[n++] = fixture_text("CHOP_%s_SIGN_KEY=%s", name, fixture_key_path(sign_purpose));
    env[n++] = fixture_text("CHOP_%s_READY_FILE=%s", name, ready);
    return n;
}

static void ready_wait(const struct fixture_program *p, const char *ready) {
    struct stat st;
    for (int i = 0; i < 600; i++, fixture_sleep_ms(25)) {
        if (stat(ready, &st) == 0) return;
        if (kill(p->pid, 0) != 0 || waitpid(p->pid, NULL, WNOHANG) != 0) break;
    }
    fixture_die("%s is not ready:\n%s", p->service, fixture_log(p->service));
}

static struct fixture_program *program_slot(void) {
    for (size_t i = 0; i < MAX_PROGRAMS; i++)
        if (w.programs[i].pid == 0) return &w.programs[i];
    fixture_die("too many programs");
}

struct fixture_program *fixture_start(const char *service, const char *sign_purpose, const char *const *env) {
    static int started;
    const char *all[64], *ready = fixture_text("%s/%s.%d.ready", fixture_dir(), service, ++started);
    size_t n = base_env(service, sign_purpose, ready, all);
    for (size_t i = 0; env && env[i] && n < CHOP_COUNT(all) - 1; i++)
        all[n++] = env[i];
    all[n] = NULL;
    struct fixture_program *p = program_slot();
    p->service = fixture_text("%s", service);
    p->pid = fixture_spawn(&(struct fixture_command){ .env = all,
        .log = fixture_text("%s/%s.log", w.dir, service),
        .argv = ARGV(fixture_text(FIXTURE_BIN "/chop-%s", service)) });
    ready_wait(p, ready);
    return p;
}

const char *fixture_log(const char *service) {
    char *text = read_text(fixture_text("%s/%s.log", fixture_dir(), service));
    const char *kept = fixture_text("%s", text ? text : "");
    free(text);
    return kept;
}

void fixture_stop(struct fixture_program *p) {
    (void)kill(p->pid, SIGTERM);
    int status = fixture_wait(p->pid);
    p->pid = 0;
    if (status != 0) fixture_die("%s ended badly (status %d):\n%s", p->service, status, fixture_log(p->service));
}

void fixture_kill(struct fixture_program *p) {
    (void)kill(p->pid, SIGKILL);
    (void)fixture_wait(p->pid);
    p->pid = 0;
}

/* ---- up and down ---- */

void fixture_up(unsigned parts) {
    unsigned wanted = parts & ~w.up;
    (void)fixture_dir();
    w.up |= wanted; /* first: what starts may ask for what is up */
    if (wanted & FIX_PG) pg_up();
    if (wanted & FIX_NATS) nats_up();
    if (wanted & FIX_KEYS) fixture_keys_up();
}

/* SIGQUIT stops the whole cluster at once, as a crash would: the postmaster alone, killed, leaves its children. */
static void part_end(pid_t *pid, int sig) {
    if (*pid == 0) return;
    (void)kill(*pid, sig);
    (void)fixture_wait(*pid);
    *pid = 0;
}

void fixture_kill_part(enum fixture_part part) {
    if (part == FIX_PG) part_end(&w.postgres, SIGQUIT);
    if (part == FIX_NATS) part_end(&w.nats, SIGKILL);
    w.up &= ~(unsigned)part;
}

void fixture_down(void) {
    if (!w.dir) return;
    if (w.bus) bus_close(w.bus);
    for (size_t i = 0; i < MAX_PROGRAMS; i++)
        if (w.programs[i].pid) fixture_kill(&w.programs[i]);
    part_end(&w.nats, SIGKILL);
    part_end(&w.postgres, SIGQUIT);
    fixture_keys_free();
    if (!getenv("CHOP_TEST_KEEP")) fixture_remove_tree(w.dir);
    free(w.dir);
    arena_free(w.mem);
    arena_free(w.texts);
    memset(&w, 0, sizeof w);
}

/* ---- calls ---- */

const char *fixture_base64(struct chop_bytes b) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *out = arena_alloc(fixture_mem(), (b.n + 2) / 3 * 4 + 1), *p = out;
    if (!out) fixture_die("out of memory");
    for (size_t i = 0; i < b.n; i += 3) {
        uint32_t v = (uint32_t)b.p[i] << 16 | (i + 1 < b.n ? (uint32_t)b.p[i + 1] << 8 : 0) |
                     (i + 2 < b.n ? (uint32_t)b.p[i + 2] : 0);
        *p++ = digits[v >> 18];
        *p++ = digits[v >> 12 & 63];
        *p++ = i + 1 < b.n ? digits[v >> 6 & 63] : '=';
        *p++ = i + 2 < b.n ? digits[v & 63] : '=';
    }
    return out;
}

const char *fixture_principal(const Pb__Principal *p) {
    Pb__Principal copy = *p;
    if (copy.expires_at == 0) copy.expires_at = chop_now_ms() + (int64_t)300000;
    return fixture_base64(fixture_sign("identity", "principal", &copy));
}

chop_err fixture_call(const char *service, const ProtobufCServiceDescriptor *sd, const char *method, const void *in,
    const char *principal, void *ret_out) {
    const ProtobufCMethodDescriptor *m = protobuf_c_service_descriptor_get_method_by_name(sd, method);
    if (!m) fixture_die("no method %s", method);
    struct bus_headers h = { .deadline = chop_now_ms() + CALL_MS, .principal = principal };
    struct chop_bytes request, reply;
    chop_detail_clear();
    fixture_must(pb_pack(in, fixture_mem(), &request), method);
    TRY(bus_call(fixture_bus(), fixture_text("chop.%s.v1.%s", service, method), &h, request, fixture_mem(), &reply));
    return ret_out ? pb_unpack(m->output, reply, fixture_mem(), ret_out) : NULL;
}
