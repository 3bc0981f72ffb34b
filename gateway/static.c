#include "static.h"

#include "crypto.h"
#include "reply.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_FILES 2000
#define MAX_BYTES ((int64_t)64 << 20)

struct file {
    char *path; /* "/app.js" */
    char etag[36];
    struct MHD_Response *full, *unchanged;
};

struct static_files {
    size_t n;
    int64_t bytes;
    struct file files[MAX_FILES];
};

static const char *type_of(const char *path) {
    static const struct {
        const char *suffix, *type;
    } types[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".mjs", "text/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".json", "application/json" },
        { ".webmanifest", "application/manifest+json" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".webp", "image/webp" },
        { ".ico", "image/x-icon" },
        { ".woff2", "font/woff2" },
        { ".wasm", "application/wasm" },
        { ".txt", "text/plain; charset=utf-8" },
    };
    size_t n = strlen(path);
    for (size_t i = 0; i < CHOP_COUNT(types); i++) {
        size_t s = strlen(types[i].suffix);
        if (n > s && strcmp(path + n - s, types[i].suffix) == 0) return types[i].type;
    }
    return "application/octet-stream";
}

/* The file's bytes, malloc'ed. O_NOFOLLOW and the check of what was opened: a link put there meanwhile is not followed.
 */
static uint8_t *file_read(const char *path, size_t *ret_n) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_BYTES) return NULL;
    size_t n = (size_t)st.st_size, got = 0;
    uint8_t *bytes = malloc(n + 1);
    while (bytes && got < n) {
        ssize_t some = read(fd, bytes + got, n - got);
        if (some <= 0) break;
        got += (size_t)some;
    }
    *ret_n = got;
    return bytes;
}

static void headers_add(struct MHD_Response *m, const struct file *f) {
    (void)MHD_add_response_header(m, "ETag", f->etag);
    (void)MHD_add_response_header(m, "Cache-Control", "no-cache");
    (void)MHD_add_response_header(m, "Content-Security-Policy", REPLY_POLICY_WEB);
    (void)MHD_add_response_header(m, "X-Content-Type-Options", "nosniff");
    (void)MHD_add_response_header(m, "Referrer-Policy", "no-referrer");
    (void)MHD_add_response_header(m, "Cross-Origin-Opener-Policy", "same-origin");
    (void)MHD_add_response_header(m, "Permissions-Policy", "camera=(self), publickey-credentials-get=(self)");
}

static chop_err file_add(struct static_files *all, const char *full, const char *relative) {
    size_t n = 0;
    uint8_t *bytes = file_read(full, &n), digest[32];
    if (!bytes) return CHOP_FAIL(EINVAL, NULL, "cannot read %s: %s", full, strerror(errno));
    struct file *f = &all->files[all->n++];
    f->path = strdup(relative);
    f->full = MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE);
    f->unchanged = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!f->path || !f->full || !f->unchanged) return CHOP_ERR(EMEMORY);
    crypto_sha256(CHOP_BYTES(bytes, n), digest);
    f->etag[0] = '"';
    chop_hex(digest, 16, f->etag + 1);
    memcpy(f->etag + 33, "\"", 2);
    headers_add(f->full, f);
    headers_add(f->unchanged, f);
    (void)MHD_add_response_header(f->full, "Content-Type", type_of(relative));
    all->bytes += (int64_t)n;
    return NULL;
}

static chop_err entry_add(struct static_files *all, FTS *walk, const FTSENT *entry, size_t root) {
    if (entry->fts_level > 0 && entry->fts_name[0] == '.') {
        (void)fts_set(walk, (FTSENT *)(uintptr_t)entry, FTS_SKIP);
        return NULL;
    }
    if (entry->fts_info != FTS_F) return NULL;
    if (all->n == MAX_FILES || all->bytes > MAX_BYTES) return CHOP_FAIL(ELIMIT, NULL, "too many web files");
    return file_add(all, entry->fts_path, entry->fts_path + root);
}

static chop_err tree_add(struct static_files *all, const char *dir) {
    char root[4096];
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n >= sizeof root) return CHOP_FAIL(EINVAL, NULL, "the path of the web files is too long");
    memcpy(root, dir, n);
    root[n] = 0;
    if (access(root, R_OK | X_OK) < 0) return CHOP_FAIL(EINVAL, NULL, "cannot read %s: %s", root, strerror(errno));
    char *const roots[] = { root, NULL };
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    chop_err e = walk ? NULL : CHOP_ERR(EMEMORY);
    for (FTSENT *entry; !e && (entry = fts_read(walk)) != NULL;)
        e = entry_add(all, walk, entry, n);
    if (walk) fts_close(walk);
    return e;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

chop_err static_load(const char *dir, struct static_files **ret_files) {
    struct static_files *all = calloc(1, sizeof *all);
    if (!all) return CHOP_ERR(EMEMORY);
    chop_err e = dir && *dir ? tree_add(all, dir) : NULL;
    if (e) {
        static_free(all);
        return e;
    }
    qsort(all->files, all->n, sizeof all->files[0], by_path);
    *ret_files = all;
    return NULL;
}

void static_free(struct static_files *f) {
    if (!f) return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->files[i].path);
        if (f->files[i].full) MHD_destroy_response(f->files[i].full);
        if (f->files[i].unchanged) MHD_destroy_response(f->files[i].unchanged);
    }
    free(f);
}

size_t static_count(const struct static_files *f) {
    return f->n;
}

bool static_serve(struct request *r) {
    size_t n = strlen(r->path);
    if ((strcmp(r->method, "GET") != 0 && strcmp(r->method, "HEAD") != 0) || n > 1024) return false;
    struct file key = { .path = arena_printf(r->mem, "%s%s", r->path, r->path[n - 1] == '/' ? "index.html" : "") };
    const struct static_files *all = r->g->files;
    const struct file *f = bsearch(&key, all->files, all->n, sizeof all->files[0], by_path);
    if (!f) return false;
    const char *known = r->head.value[HEAD_IF_NONE_MATCH];
    bool same = known && strcmp(known, f->etag) == 0;
    r->reply.status = same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK;
    r->reply.shared = same ? f->unchanged : f->full;
    return true;
}
