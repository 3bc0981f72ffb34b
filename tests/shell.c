#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "shell.h"

static char folder[64];

static void remove_folder(void) {
    char line[128];
    snprintf(line, sizeof line, "rm -rf '%s'", folder);
    if (system(line) != 0) fprintf(stderr, "cannot remove %s\n", folder);
}

const char *shell_folder(void) {
    if (*folder) return folder;
    snprintf(folder, sizeof folder, "/tmp/chop-test-XXXXXX");
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    return folder;
}

int shell_run(const char *fmt, ...) {
    char command[2048], line[2304];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    if (n < 0 || n >= (int)sizeof command) abort();
    snprintf(line, sizeof line, "cd %s && { %s ; } > out 2> err", shell_folder(), command);
    int status = system(line);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static FILE *open_file(const char *name, const char *mode) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", shell_folder(), name);
    return fopen(path, mode);
}

uint8_t *shell_read(const char *name, size_t *ret_n) {
    FILE *f = open_file(name, "rb");
    if (!f) return NULL;
    size_t size = 64 << 20, n;
    uint8_t *p = malloc(size);
    if (!p) abort();
    n = fread(p, 1, size - 1, f);
    fclose(f);
    p[n] = 0;
    *ret_n = n;
    return realloc(p, n + 1);
}

void shell_write(const char *name, const void *p, size_t n) {
    FILE *f = open_file(name, "wb");
    if (!f || fwrite(p, 1, n, f) != n || fclose(f) != 0) abort();
}

bool shell_refused(int status, const char *error, const char *field) {
    size_t n, said;
    char want[128], *err = (char *)shell_read("err", &said);
    snprintf(want, sizeof want, "{\"error\":\"%s\",\"field\":\"%s\"", error, field);
    free(shell_read("out", &n));
    bool refused = status == 2 && n == 0 && err && strstr(err, want);
    if (!refused) fprintf(stderr, "status %d, %zu bytes, %s instead of %s\n", status, n, err ? err : "", want);
    free(err);
    return refused;
}
