#include "stack.h"

#include "fixture_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define TEXTS_MAX 4096

static char dir[64], url[64], bin[256], devices[96]; /* devices: where printers' directories are */
static int guard_fd = -1;
static pid_t guard_pid;

/* ---- texts ---- */

static char *texts[TEXTS_MAX]; /* a ring: old ones go */
static size_t n_texts;

static char *keep_text(char *text) {
    if (!text) fixture_die("out of memory");
    char **slot = &texts[n_texts++ % TEXTS_MAX];
    free(*slot);
    return *slot = text;
}

static char *format(const char *fmt, va_list args) {
    char *text = NULL;
    if (vasprintf(&text, fmt, args) < 0) text = NULL;
    return keep_text(text);
}

char *stack_text(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    return text;
}

/* ---- commands ---- */

static const char *script(const char *command) {
    return stack_text(". " E2E_ROOT "/script/lib.sh\n"
                      "[ ! -f \"$CHOP_VAR/ports.env\" ] || { . \"$CHOP_VAR/ports.env\"; verify_host; }\n%s",
        command);
}

static int run_script(const char *command) {
    const char *argv[] = { "bash", "-c", script(command), NULL };
    return fixture_run(&(struct fixture_command){ .argv = argv, .log = stack_text("%s/log/commands.log", dir) });
}

int stack_shell(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *command = format(fmt, args);
    va_end(args);
    return run_script(command);
}

static char *output_of_command(const char *command) {
    const char *argv[] = { "bash", "-c", command, NULL };
    char *text = fixture_output(&(struct fixture_command){ .argv = argv });
    size_t n = strlen(text);
    if (n && text[n - 1] == '\n') text[n - 1] = 0;
    return keep_text(text);
}

char *stack_output(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *command = format(fmt, args);
    va_end(args);
    return output_of_command(command);
}

static char *run_sql(const char *sql) {
    const char *argv[] = { "psql", "-XqAt", "-h", stack_text("%s/pg", dir), "-p", stack_text("%d", stack_port("PG")), "-U",
        "chop", "-d", "chop", "-v", "ON_ERROR_STOP=1", "-c", sql, NULL };
    char *text = fixture_output(&(struct fixture_command){ .argv = argv });
    size_t n = strlen(text);
    if (n && text[n - 1] == '\n') text[n - 1] = 0;
    return keep_text(text);
}

char *stack_sql(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *sql = format(fmt, args);
    va_end(args);
    return run_sql(sql);
}

long stack_number(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *sql = format(fmt, args);
    va_end(args);
    const char *text = run_sql(sql);
    char *end;
    long n = strtol(text, &end, 10);
    return end == text ? -1 : n;
}

char *stack_file(const char *name) {
    char buffer[65536];
    FILE *f = fopen(stack_text("%s/%s", dir, name), "re");
    size_t n = f ? fread(buffer, 1, sizeof buffer - 1, f) : 0;
    if (f) (void)fclose(f);
    buffer[n] = 0;
    return keep_text(strdup(buffer));
}

int stack_port(const char *name) {
    const char *key = stack_text("PORT_%s=", name), *at = strstr(stack_file("ports.env"), key);
    if (!at) fixture_die("no port %s", name);
    return atoi(at + strlen(key));
}

/* ---- life ---- */

const char *stack_dir(void) {
    return dir;
}

const char *stack_url(void) {
    return url;
}

const char *stack_bin(void) {
    return bin;
}

/* Lives until the test does not, then cleans up. */
static void guard(int fd) {
    char byte;
    (void)setsid();
    (void)signal(SIGINT, SIG_IGN);
    (void)signal(SIGTERM, SIG_IGN);
    while (read(fd, &byte, 1) < 0 && errno == EINTR) {}
    const char *removing = getenv("CHOP_TEST_KEEP") ? "true" : "rm -rf \"$CHOP_VAR\" \"$(readlink -f \"$CHOP_VAR/pg\")\" "
                                                             "\"/dev/shm/$(basename \"$CHOP_VAR\")\"";
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) _exit(1);
    execlp("bash", "bash", "-c", script(stack_text("stack_down; %s", removing)), NULL);
    _exit(1);
}

static void guard_start(void) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) fixture_die("pipe: %s", strerror(errno));
    (void)fflush(NULL);
    guard_pid = fork();
    if (guard_pid < 0) fixture_die("fork: %s", strerror(errno));
    if (guard_pid == 0) {
        (void)close(fds[1]);
        guard(fds[0]);
    }
    (void)close(fds[0]);
    guard_fd = fds[1];
}

static void finish(void) {
    if (guard_fd < 0) return;
    (void)close(guard_fd);
    guard_fd = -1;
    (void)fixture_wait(guard_pid);
}

static void environment(const char *bin_dir, const char *const *env) {
    char build[256];
    (void)snprintf(bin, sizeof bin, "%s", bin_dir);
    (void)snprintf(build, sizeof build, "%s/..", bin_dir);
    (void)setenv("CHOP_VAR", dir, 1);
    (void)setenv("CHOP_BUILD", build, 1);
    for (size_t i = 0; env && env[i]; i++)
        if (putenv((char *)(uintptr_t)env[i]) != 0) fixture_die("out of memory");
}

void stack_start(const char *tag, const char *bin_dir, const char *const *env) {
    (void)snprintf(dir, sizeof dir, "/tmp/chop-%s-XXXXXX", tag);
    if (!mkdtemp(dir) || chmod(dir, 0755) != 0 || mkdir(stack_text("%s/log", dir), 0755) != 0)
        fixture_die("%s: %s", dir, strerror(errno));
    (void)snprintf(devices, sizeof devices, "%s", dir);
    environment(bin_dir, env);
    guard_start();
    (void)atexit(finish);
    if (stack_shell("stack_up") != 0) fixture_die("the stack did not start:\n%s", stack_file("log/commands.log"));
    (void)snprintf(url, sizeof url, "%s", stack_file("run/url"));
    url[strcspn(url, "\n")] = 0;
}

/* ---- processes ---- */

pid_t stack_pid(const char *name) {
    return atoi(stack_file(stack_text("run/%s.pid", name)));
}

bool stack_alive(const char *name) {
    pid_t pid = stack_pid(name);
    return pid > 0 && kill(pid, 0) == 0;
}

/* Not our children: gone is when their id is, or when only a zombie is left that init has yet to see. */
static bool gone(pid_t pid) {
    char state = 0;
    if (kill(pid, 0) != 0) return true;
    FILE *f = fopen(stack_text("/proc/%d/stat", pid), "re");
    if (!f) return true;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = 'Z';
    (void)fclose(f);
    return state == 'Z';
}

void stack_kill(const char *name, int signal) {
    pid_t pid = stack_pid(name);
    if (pid <= 1) fixture_die("%s does not run", name);
    (void)kill(pid, signal);
    for (int i = 0; i < 1000 && !gone(pid); i++) nap_ms(10);
}

void stack_service(const char *name, const char *env) {
    if (stack_shell("service_start %s %s && service_wait %s", name, env, name) != 0)
        fixture_die("%s did not start again:\n%s", name, stack_output("tail -n 5 %s/log/%s.log", dir, name));
}

/* ---- printers ---- */

void stack_devices_apart(void) {
    (void)snprintf(devices, sizeof devices, "/dev/shm%s", strrchr(dir, '/'));
    if (mkdir(devices, 0700) != 0) fixture_die("%s: %s", devices, strerror(errno));
}

void printer_new(struct api *a, const struct person *admin, const char *name, struct printer *ret) {
    char code[64];
    struct printer p = { .pid = 0 };
    (void)snprintf(p.name, sizeof p.name, "%s", name);
    if (printer_code(a, admin, name, p.id, code)) fixture_die("no printer code: %s", chop_detail_text());
    (void)snprintf(p.dir, sizeof p.dir, "%s/printer-%s", devices, name);
    (void)snprintf(p.out, sizeof p.out, "%s/out", p.dir);
    if (mkdir(p.dir, 0700) != 0) fixture_die("%s: %s", p.dir, strerror(errno));
    const char *argv[] = { stack_text("%s/chop-printer", bin), "--dir", p.dir, "--enrol", url, "--printer-id", p.id, NULL };
    const char *env[] = { stack_text("CHOP_PRINTER_CODE=%s", code), NULL };
    const char *log = stack_text("%s/log/printer-%s.log", dir, name);
    if (fixture_run(&(struct fixture_command){ .argv = argv, .env = env, .log = log }) != 0)
        fixture_die("%s was not enrolled:\n%s", name, stack_file(stack_text("log/printer-%s.log", name)));
    *ret = p;
}

static bool online(struct api *a, const struct person *who, const struct printer *p) {
    Pb__ChallengeReply *c;
    return !API(a, "POST", stack_text("/v1/printers/%s/challenge", p->id), who->token, NULL, pb__challenge_reply, &c);
}

void printer_run(struct api *a, const struct person *who, struct printer *p, const char *kind, const char *const *env) {
    const char *argv[] = { stack_text("%s/chop-printer", bin), "--dir", p->dir, "--output", kind, "--out", p->out,
        "--resend-ms", "500", NULL };
    const char *log = stack_text("%s/log/printer-%s.log", dir, p->name);
    p->pid = fixture_spawn(&(struct fixture_command){ .argv = argv, .env = env, .log = log, .end_signal = SIGTERM });
    for (int i = 0; i < 200 && !online(a, who, p); i++) {
        if (printer_gone(p)) fixture_die("%s ended:\n%s", p->name, stack_output("tail -n 5 %s", log));
        nap_ms(20);
    }
}

bool printer_gone(struct printer *p) {
    if (p->pid && waitpid(p->pid, NULL, WNOHANG) == p->pid) p->pid = 0;
    return p->pid == 0;
}

void printer_end(struct printer *p, int signal) {
    if (printer_gone(p)) return;
    (void)kill(p->pid, signal);
    (void)fixture_wait(p->pid);
    p->pid = 0;
}

void printer_accept(struct api *a, struct printer *p, const struct person *who) {
    char digits[32];
    const char *argv[] = { stack_text("%s/chop-printer", bin), "--dir", p->dir, "--pair", NULL };
    const char *log = stack_text("%s/log/printer-%s.log", dir, p->name);
    if (fixture_run(&(struct fixture_command){ .argv = argv, .log = log }) != 0) fixture_die("%s shows no code", p->name);
    (void)snprintf(digits, sizeof digits, "%s", stack_output("cat %s/pairing-code", p->dir));
    digits[strcspn(digits, "\n")] = 0;
    chop_err e = printer_pair(a, who, p->id, digits);
    if (e) fixture_die("%s was not paired: %s %s", p->name, e->name, chop_detail_text());
}

int printer_inks(const struct printer *p, const char *text) {
    char line[256];
    int n = 0;
    FILE *f = fopen(stack_text("%s/prints.log", p->out), "re");
    while (f && fgets(line, sizeof line, f)) n += strstr(line, text) != NULL;
    if (f) (void)fclose(f);
    return n;
}
