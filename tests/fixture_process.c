#include "fixture_process.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void fixture_die(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)fputs("fixture: ", stderr);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(99);
}

void fixture_sleep_ms(int ms) {
    (void)nanosleep(&(struct timespec){ ms / 1000, (ms % 1000) * 1000000L }, NULL);
}

/* ---- in the child ---- */

static void become(const char *user) {
    const struct passwd *pw = getuid() == 0 ? getpwnam(user) : NULL;
    if (!pw) return;
    if (setgroups(0, NULL) != 0 || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0) _exit(98);
    if (chdir("/") != 0) _exit(98);
}

static void redirect(const struct fixture_command *c) {
    if (c->stdout_fd > 0) (void)dup2(c->stdout_fd, 1);
    if (!c->log) return;
    int fd = open(c->log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    if (fd < 0) _exit(98);
    if (c->stdout_fd <= 0) (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    (void)close(fd);
}

static void child(const struct fixture_command *c, pid_t parent) {
    redirect(c);
    if (c->user) become(c->user);
    /* After the user changed, which would clear it. */
    (void)prctl(PR_SET_PDEATHSIG, c->end_signal ? c->end_signal : SIGKILL);
    if (getppid() != parent) _exit(98);
    for (size_t i = 0; c->env && c->env[i]; i++)
        if (putenv((char *)(uintptr_t)c->env[i]) != 0) _exit(98);
    execvp(c->argv[0], (char *const *)(uintptr_t)c->argv);
    (void)dprintf(2, "%s: %s\n", c->argv[0], strerror(errno));
    _exit(97);
}

/* ---- in the test ---- */

pid_t fixture_spawn(const struct fixture_command *c) {
    pid_t parent = getpid();
    (void)fflush(NULL);
    pid_t pid = fork();
    if (pid < 0) fixture_die("fork: %s", strerror(errno));
    if (pid == 0) child(c, parent);
    return pid;
}

int fixture_wait(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

static int exit_code(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int fixture_run(const struct fixture_command *c) {
    return exit_code(fixture_wait(fixture_spawn(c)));
}

static char *read_all(int fd) {
    size_t n = 0, room = 65536;
    char *text = malloc(room);
    for (;;) {
        if (!text) fixture_die("out of memory");
        ssize_t got = read(fd, text + n, room - n - 1);
        if (got <= 0) break;
        n += (size_t)got;
        if (room - n < 4096) text = realloc(text, room *= 2);
    }
    text[n] = 0;
    return text;
}

char *fixture_output(const struct fixture_command *c) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) fixture_die("pipe: %s", strerror(errno));
    struct fixture_command with_pipe = *c;
    with_pipe.stdout_fd = fds[1];
    pid_t pid = fixture_spawn(&with_pipe);
    (void)close(fds[1]);
    char *text = read_all(fds[0]);
    (void)close(fds[0]);
    int code = exit_code(fixture_wait(pid));
    if (code) fixture_die("%s ended with %d", c->argv[0], code);
    return text;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw) {
    (void)st, (void)flag, (void)ftw;
    (void)remove(path);
    return 0;
}

void fixture_remove_tree(const char *dir) {
    (void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
