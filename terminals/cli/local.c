#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SECRET_MAX 256

bool local_exists(const char *path) {
    return access(path, F_OK) == 0;
}

static chop_err cannot(const char *path) {
    return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
}

chop_err local_read(struct cli *c, const char *path, size_t limit, struct chop_bytes *ret_bytes) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return cannot(path);
    if (!S_ISREG(st.st_mode)) return CHOP_FAIL(EINVAL, NULL, "%s is not a file", path);
    if ((uint64_t)st.st_size > limit) return CHOP_FAIL(ELIMIT, NULL, "%s is above %zu bytes", path, limit);
    size_t n = 0, room = (size_t)st.st_size;
    uint8_t *p = arena_alloc(c->mem, room + 1);
    if (!p) return CHOP_ERR(EMEMORY);
    while (n < room) {
        ssize_t got = read(fd, p + n, room - n);
        if (got < 0) return cannot(path);
        if (got == 0) break;
        n += (size_t)got;
    }
    *ret_bytes = CHOP_BYTES(p, n);
    return NULL;
}

static bool write_all(int fd, struct chop_bytes b) {
    while (b.n) {
        ssize_t n = write(fd, b.p, b.n);
        if (n < 0) return false;
        b = CHOP_BYTES(b.p + n, b.n - (size_t)n);
    }
    return fsync(fd) == 0;
}

chop_err local_write(struct cli *c, const char *path, struct chop_bytes bytes) {
    const char *fresh = arena_printf(c->mem, "%s.new", path);
    CHOP_CLEANUP(chop_close_p) int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0 || !write_all(fd, bytes) || rename(fresh, path) != 0) return cannot(path);
    return NULL;
}

static void hash_free_p(struct crypto_hash **h) {
    if (*h) crypto_hash_free(*h);
}

chop_err local_sha256(const char *path, uint8_t out[32], uint64_t *ret_size) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHOP_CLEANUP(hash_free_p) struct crypto_hash *h = crypto_hash_new();
    uint8_t part[65536];
    uint64_t size = 0;
    if (fd < 0) return cannot(path);
    if (!h) return CHOP_ERR(EMEMORY);
    for (;;) {
        ssize_t got = read(fd, part, sizeof part);
        if (got < 0) return cannot(path);
        if (got == 0) break;
        crypto_hash_add(h, CHOP_BYTES(part, (size_t)got));
        size += (uint64_t)got;
    }
    crypto_hash_end(h, out);
    *ret_size = size;
    return NULL;
}

/* ---- secrets ---- */

static chop_err first_line(struct cli *c, char *text, const char **ret_text) {
    text[strcspn(text, "\r\n")] = 0;
    *ret_text = arena_str(c->mem, text);
    explicit_bzero(text, strlen(text));
    if (!(*ret_text)[0]) return CHOP_FAIL(EINVAL, NULL, "the secret is empty");
    return NULL;
}

static chop_err secret_from_file(struct cli *c, const char *file, const char **ret_text) {
    char text[SECRET_MAX + 2];
    CHOP_CLEANUP(chop_close_p) int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n < 0) return cannot(file);
    text[n] = 0;
    return first_line(c, text, ret_text);
}

chop_err local_secret(struct cli *c, const char *file, const char *prompt, const char **ret_text) {
    if (file) return secret_from_file(c, file, ret_text);
    CHOP_CLEANUP(chop_close_p) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    struct termios shown, hidden;
    char text[SECRET_MAX + 2];
    if (fd < 0 || tcgetattr(fd, &shown) != 0)
        return CHOP_FAIL(EINVAL, NULL, "no terminal to ask at (%s); name a file instead", prompt);
    (void)dprintf(fd, "%s: ", prompt);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(fd, TCSAFLUSH, &hidden);
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)tcsetattr(fd, TCSAFLUSH, &shown);
    (void)dprintf(fd, "\n");
    if (n < 0) return CHOP_FAIL(EINVAL, NULL, "nothing was typed");
    text[n] = 0;
    return first_line(c, text, ret_text);
}

chop_err local_confirm(const struct cli *c, const char *question) {
    if (c->yes) return NULL;
    CHOP_CLEANUP(chop_close_p) int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    char answer[16] = "";
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "no terminal to ask at; --yes says yes");
    (void)dprintf(fd, "%s [y/N] ", question);
    ssize_t n = read(fd, answer, sizeof answer - 1);
    if (n > 0 && (answer[0] == 'y' || answer[0] == 'Y')) return NULL;
    return CHOP_FAIL(EDENIED, NULL, "not confirmed");
}

void local_sleep_ms(int ms) {
    struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };
    (void)nanosleep(&t, NULL);
}
