#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io.h"
#include "outline.h"

#define MEMORY_LIMIT ((rlim_t)1 << 30)
#define CPU_SECONDS 20

void blob_done(struct blob *b) {
    free(b->p);
    b->p = NULL;
}

static chop_err read_all(FILE *f, const char *name, size_t limit, struct blob *ret) {
    CHOP_BLOB b = { .p = NULL };
    size_t room = 1 << 16, got = 1;
    while (got > 0) {
        if (room > limit + 1) room = limit + 1;
        uint8_t *p = realloc(b.p, room);
        if (!p) return CHOP_ERR(EMEMORY);
        b.p = p;
        got = fread(b.p + b.n, 1, room - b.n, f);
        b.n += got;
        if (b.n > limit) return CHOP_FAIL(ELIMIT, name, "more than %zu bytes", limit);
        if (b.n == room) room *= 2;
    }
    if (ferror(f)) return CHOP_FAIL(EINVAL, name, "cannot be read");
    *ret = b;
    b.p = NULL;
    return NULL;
}

chop_err io_read(size_t limit, struct blob *ret) {
    return read_all(stdin, "stdin", limit, ret);
}

chop_err io_read_file(const char *path, size_t limit, struct blob *ret) {
    FILE *f = fopen(path, "rbe");
    if (!f) return CHOP_FAIL(EINVAL, path, "cannot be opened: %s", strerror(errno));
    chop_err e = read_all(f, path, limit, ret);
    fclose(f);
    return e;
}

chop_err io_write(const void *p, size_t n) {
    if (fwrite(p, 1, n, stdout) != n || fflush(stdout) != 0)
        return CHOP_FAIL(EINTERNAL, "stdout", "cannot be written: %s", strerror(errno));
    return NULL;
}

chop_err io_read_outline(struct blob *ret, struct outline_size *ret_size) {
    CHOP_BLOB b = { .p = NULL };
    TRY(io_read(OUTLINE_MAX_BYTES, &b));
    TRY(outline_check(CHOP_BYTES(b.p, b.n), ret_size));
    *ret = b;
    b.p = NULL;
    return NULL;
}

static void limit_to(__rlimit_resource_t what, rlim_t value) {
    struct rlimit l;
    if (getrlimit(what, &l) == 0 && l.rlim_max != RLIM_INFINITY && l.rlim_max < value) value = l.rlim_max;
    l = (struct rlimit){ value, value };
    if (setrlimit(what, &l) != 0) {
        perror("chop-draw: setrlimit");
        exit(1);
    }
}

void io_fence(void) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* its shadow alone is terabytes of address space */
    limit_to(RLIMIT_AS, MEMORY_LIMIT);
#endif
    limit_to(RLIMIT_CPU, CPU_SECONDS);
    limit_to(RLIMIT_CORE, 0);
}

void io_fence_files(void) {
    limit_to(RLIMIT_NOFILE, 0);
}
