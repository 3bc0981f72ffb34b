#include "draw.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "outline.h"

#define DRAW_LIMIT_NS ((int64_t)10 * 1000000000)
#define DRAW_MAX_ARGS 10
#define DRAW_MAX_WORDS 2048 /* of standard error that is kept */

extern char **environ;

/* ---- the child ---- */
struct pipes { /* ours and the child's end of each */
    int in[2], out[2], err[2];
};
struct child {
    pid_t pid;
    int in, out, err;
    struct chop_bytes input;
    size_t sent;
    uint8_t *output;
    size_t limit, got;
    char words[DRAW_MAX_WORDS];
    size_t n_words;
};

static void close_one(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void pipes_close(struct pipes *p) {
    for (int i = 0; i < 2; i++)
        close_one(&p->in[i]), close_one(&p->out[i]), close_one(&p->err[i]);
}

static chop_err pipes_open(struct pipes *p) {
    if (pipe2(p->in, O_CLOEXEC) == 0 && pipe2(p->out, O_CLOEXEC) == 0 && pipe2(p->err, O_CLOEXEC) == 0) return NULL;
    return CHOP_FAIL(EBUSY, NULL, "no pipe: %s", strerror(errno));
}

/* Only what a drawing program may need: this service's own variables hold passwords. */
static void child_environment(char **out, size_t room) {
    static const char *const names[] = { "PATH=", "HOME=", "LANG=", "LC_", "XDG_", "FONTCONFIG_", "CHOP_DRAW_",
        "ASAN_OPTIONS=", "LSAN_OPTIONS=", "TMPDIR=" };
    size_t n = 0;
    for (char **e = environ; *e && n + 1 < room; e++)
        for (size_t i = 0; i < CHOP_COUNT(names); i++)
            if (strncmp(*e, names[i], strlen(names[i])) == 0) {
                out[n++] = *e;
                break;
            }
    out[n] = NULL;
}

static int child_spawn(const char *program, const char *const *argv, const struct pipes *p, pid_t *ret_pid) {
    char *args[DRAW_MAX_ARGS + 2] = { (char *)(uintptr_t)program }, *env[64];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t pipe_signal, none;
    for (size_t i = 0; i < DRAW_MAX_ARGS && argv[i]; i++)
        args[i + 1] = (char *)(uintptr_t)argv[i];
    child_environment(env, CHOP_COUNT(env));
    sigemptyset(&none);
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&actions, p->in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, p->out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, p->err[1], 2);
    posix_spawnattr_setsigdefault(&attr, &pipe_signal);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(ret_pid, program, &actions, &attr, args, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

static chop_err child_start(const char *program, const char *const *argv, struct child *ret_child) {
    struct pipes p = { { -1, -1 }, { -1, -1 }, { -1, -1 } };
    chop_err e = pipes_open(&p);
    if (!e) {
        int failed = child_spawn(program, argv, &p, &ret_child->pid);
        if (failed) e = CHOP_FAIL(EINTERNAL, NULL, "cannot run the drawing program: %s", strerror(failed));
    }
    if (!e) {
        ret_child->in = p.in[1], ret_child->out = p.out[0], ret_child->err = p.err[0];
        p.in[1] = p.out[0] = p.err[0] = -1;
        (void)fcntl(ret_child->in, F_SETFL, O_NONBLOCK);
    }
    pipes_close(&p);
    return e;
}

/* ---- talking to it ---- */
static void child_feed(struct child *k) {
    ssize_t n = write(k->in, k->input.p + k->sent, k->input.n - k->sent);
    if (n > 0) k->sent += (size_t)n;
    if ((n < 0 && errno != EAGAIN && errno != EINTR) || k->sent == k->input.n) close_one(&k->in);
}

static chop_err child_take(struct child *k) {
    uint8_t over;
    const bool full = k->got == k->limit;
    ssize_t n = read(k->out, full ? &over : k->output + k->got, full ? 1 : k->limit - k->got);
    if (n > 0 && full) return CHOP_FAIL(ELIMIT, NULL, "the drawing is too large");
    if (n > 0) k->got += (size_t)n;
    if (n == 0 || (n < 0 && errno != EINTR)) close_one(&k->out);
    return NULL;
}

static void child_hear(struct child *k) {
    char buf[512];
    ssize_t n = read(k->err, buf, sizeof buf);
    if (n == 0 || (n < 0 && errno != EINTR)) close_one(&k->err);
    for (ssize_t i = 0; i < n && k->n_words + 1 < sizeof k->words; i++)
        k->words[k->n_words++] = buf[i];
}

static chop_err child_talk(struct child *k, int64_t until) {
    if (k->input.n == 0) close_one(&k->in);
    while (k->out >= 0 || k->err >= 0) {
        struct pollfd fds[] = { { k->in, POLLOUT, 0 }, { k->out, POLLIN, 0 }, { k->err, POLLIN, 0 } };
        int64_t left = (until - chop_mono_ns()) / 1000000;
        if (left <= 0) return CHOP_FAIL(ETIMEOUT, NULL, "the drawing took too long");
        if (poll(fds, 3, (int)left) < 0 && errno != EINTR)
            return CHOP_FAIL(EINTERNAL, NULL, "poll: %s", strerror(errno));
        if (fds[0].revents) child_feed(k);
        if (fds[1].revents) TRY(child_take(k));
        if (fds[2].revents) child_hear(k);
    }
    return NULL;
}

/* The value of "text" in the last line {"error":..,"field":..,"text":..} of its standard error. */
static const char *child_words(struct child *k) {
    k->words[k->n_words] = 0;
    char *text = NULL;
    for (char *p = strstr(k->words, "\"text\":\""); p; p = strstr(p + 1, "\"text\":\""))
        text = p + 8;
    if (!text) return "the input cannot be drawn";
    text[strcspn(text, "\"\\\n")] = 0;
    return chop_utf8_valid(text, strlen(text)) ? text : "the input cannot be drawn";
}

static chop_err child_end(struct child *k, chop_err e) {
    int status = 0;
    close_one(&k->in), close_one(&k->out), close_one(&k->err);
    if (e) kill(k->pid, SIGKILL);
    while (waitpid(k->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (e) return e;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return CHOP_FAIL(EINVAL, NULL, "%s", child_words(k));
    return CHOP_FAIL(EINTERNAL, NULL, "the drawing program failed with status %d", status);
}

static atomic_int drawing;
static void drawing_done(const int *entered) {
    if (*entered) atomic_fetch_sub(&drawing, 1);
}

chop_err draw_run(const char *program, const char *const *argv, struct chop_bytes input, size_t limit,
    struct arena *mem, struct chop_bytes *ret_out) {
    CHOP_CLEANUP(drawing_done) int entered = 1;
    struct child k = { .in = -1, .out = -1, .err = -1, .input = input, .limit = limit };
    if (atomic_fetch_add(&drawing, 1) >= DRAW_AT_ONCE) return CHOP_FAIL(EBUSY, NULL, "others are drawing: try again");
    k.output = arena_alloc(mem, limit);
    if (!k.output) return CHOP_ERR(EMEMORY);
    TRY(child_start(program, argv, &k));
    TRY(child_end(&k, child_talk(&k, chop_mono_ns() + DRAW_LIMIT_NS)));
    *ret_out = CHOP_BYTES(k.output, k.got);
    return NULL;
}

/* ---- what it draws ---- */
static const char *json_text(struct arena *mem, const char *text) {
    static const char digits[] = "0123456789abcdef";
    char *out = arena_alloc(mem, strlen(text) * 6 + 1), *p = out;
    for (; out && *text; text++) {
        if ((unsigned char)*text < 0x20) {
            p = stpcpy(p, "\\u00");
            *p++ = digits[*text >> 4];
            *p++ = digits[*text & 15];
            continue;
        }
        if (*text == '"' || *text == '\\') *p++ = '\\';
        *p++ = *text;
    }
    return out ? out : "";
}

static const char *json_field(struct arena *mem, const char *name, const char *text) {
    return *text ? arena_printf(mem, ",\"%s\":\"%s\"", name, json_text(mem, text)) : "";
}

static const char *seal_json(
    const Pb__SealCreate *in, const struct seal_form *f, const char *ring_text, bool sample, struct arena *mem) {
    const bool wide = in->width_um >= 50000;
    const char *star = f->star_um ? arena_printf(mem, ",\"star\":true,\"star_um\":%u",
                                        (unsigned)((uint64_t)f->star_um * in->width_um / f->width_um))
                                  : ",\"star\":false";
    return arena_printf(mem,
        "{\"kind\":\"%s\",\"shape\":\"%s\",\"width_um\":%u,\"height_um\":%u,\"edge_um\":%u%s%s%s%s%s,"
        "\"sample\":%s}",
        f->kind, f->shape, in->width_um, in->height_um, wide ? f->edge_from_um : f->edge_um,
        json_field(mem, "ring_text", ring_text), json_field(mem, "center_text", in->center_text),
        json_field(mem, "code", in->code), json_field(mem, "tax_number", in->tax_number), star,
        sample ? "true" : "false");
}

static chop_err check_outline(struct chop_bytes outline, uint32_t width_um, uint32_t height_um) {
    struct outline_size size;
    TRY(outline_check(outline, &size));
    if (size.width_um == width_um && size.height_um == height_um) return NULL;
    return CHOP_FAIL(EINTERNAL, NULL, "the drawing has another size");
}

chop_err draw_seal(const char *program, const Pb__SealCreate *in, const struct seal_form *f, const char *ring_text,
    bool sample, struct arena *mem, struct chop_bytes *ret_outline) {
    const char *json = seal_json(in, f, ring_text, sample, mem);
    struct chop_bytes out;
    if (arena_failed(mem)) return CHOP_ERR(EMEMORY);
    TRY(draw_run(program, (const char *const[]){ "seal", NULL }, chop_str(json), OUTLINE_MAX_BYTES, mem, &out));
    TRY(check_outline(out, in->width_um, in->height_um));
    *ret_outline = out;
    return NULL;
}

chop_err draw_trace(const char *program, struct chop_bytes png, uint32_t width_um, uint32_t height_um,
    struct arena *mem, struct chop_bytes *ret_outline) {
    char width[16], height[16];
    snprintf(width, sizeof width, "%u", width_um);
    snprintf(height, sizeof height, "%u", height_um);
    const char *const argv[] = { "trace", "--width-um", width, "--height-um", height, NULL };
    struct chop_bytes out;
    TRY(draw_run(program, argv, png, OUTLINE_MAX_BYTES, mem, &out));
    TRY(check_outline(out, width_um, height_um));
    *ret_outline = out;
    return NULL;
}

chop_err draw_png(
    const char *program, struct chop_bytes outline, uint32_t dpi, struct arena *mem, struct chop_bytes *ret_png) {
    char text[16];
    snprintf(text, sizeof text, "%u", dpi);
    return draw_run(
        program, (const char *const[]){ "png", "--dpi", text, NULL }, outline, (size_t)2 << 20, mem, ret_png);
}

chop_err draw_check_pdf(const char *program, struct chop_bytes pdf, struct arena *mem) {
    struct chop_bytes out;
    return draw_run(program, (const char *const[]){ "pdfinfo", NULL }, pdf, (size_t)64 << 10, mem, &out);
}
