#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

chop_err file_read(const char *path, size_t limit, struct arena *mem, struct chop_bytes *ret_data) {
    uint8_t *buf = arena_alloc(mem, limit + 1);
    if (!buf) return CHOP_ERR(EMEMORY);
    FILE *f = fopen(path, "rbe");
    if (!f) return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
    size_t n = fread(buf, 1, limit + 1, f);
    bool bad = ferror(f) != 0;
    (void)fclose(f);
    if (bad) return CHOP_FAIL(EINVAL, NULL, "%s: unreadable", path);
    if (n > limit) return CHOP_FAIL(ELIMIT, NULL, "%s: more than %zu bytes", path, limit);
    *ret_data = CHOP_BYTES(buf, n);
    return NULL;
}

static bool write_all(int fd, struct chop_bytes data) {
    for (size_t done = 0; done < data.n;) {
        ssize_t put = write(fd, data.p + done, data.n - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return false;
        done += (size_t)put;
    }
    return true;
}

static bool sync_parent(const char *path) {
    char dir[4096];
    (void)snprintf(dir, sizeof dir, "%s", path);
    char *slash = strrchr(dir, '/');
    if (slash) slash[slash == dir ? 1 : 0] = 0;
    CHOP_CLEANUP(chop_close_p) int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0;
}

chop_err file_write(const char *path, struct chop_bytes data, unsigned mode) {
    char tmp[4096];
    int len = snprintf(tmp, sizeof tmp, "%s.new.%ld", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof tmp) return CHOP_FAIL(EINVAL, NULL, "the path is too long");
    CHOP_CLEANUP(chop_close_p) int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return CHOP_FAIL(EINVAL, NULL, "%s: %s", tmp, strerror(errno));
    bool written = write_all(fd, data) && fchmod(fd, mode) == 0 && fsync(fd) == 0;
    if (written && rename(tmp, path) == 0 && sync_parent(path)) return NULL;
    int why = errno;
    (void)unlink(tmp);
    return CHOP_FAIL(EINTERNAL, NULL, "%s: %s", path, strerror(why));
}

chop_err file_must_be_new(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0) return CHOP_FAIL(EEXISTS, NULL, "%s is there already", path);
    return NULL;
}

chop_err dir_make(const char *path, unsigned mode) {
    struct stat st;
    if (mkdir(path, mode) == 0 && chmod(path, mode) == 0) return NULL;
    if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) return NULL;
    return CHOP_FAIL(EINVAL, NULL, "%s: %s", path, strerror(errno));
}
