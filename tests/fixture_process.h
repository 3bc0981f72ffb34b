/* fixture_process: child processes that die with the test. */
#pragma once
#include "base.h"

#include <sys/types.h>

void fixture_die(const char *fmt, ...) CHOP_PRINTF(1, 2) __attribute__((noreturn));
struct fixture_command {
    const char *const *argv;
    const char *const *env; /* added to the own one; may be NULL */
    const char *log;        /* stdout and stderr are appended here; NULL: as they are */
    const char *user;       /* becomes this user if root; NULL: stays */
    int end_signal;         /* what the kernel sends when the test dies; 0: SIGKILL */
    int stdout_fd;          /* instead of the log, if above 0 */
};
pid_t fixture_spawn(const struct fixture_command *c);
/* Waits; the status as of waitpid. */
int fixture_wait(pid_t pid);
/* Runs to the end; returns the exit status, 128 + signal if killed. */
int fixture_run(const struct fixture_command *c);
/* Runs to the end and returns what it printed (malloc'ed); a bad status ends the test. */
char *fixture_output(const struct fixture_command *c);
void fixture_remove_tree(const char *dir);
void fixture_sleep_ms(int ms);
