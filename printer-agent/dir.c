#include "dir.h"

#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)256 << 10)
#define DIR_MEM ((size_t)2 << 20)

const char *dir_path(const struct printer_dir *d, const char *name) {
    return arena_printf(d->mem, "%s/%s", d->path, name);
}

/* ---- keys ---- */
static chop_err load_key(const struct printer_dir *d, const char *name, bool create, struct crypto_key **ret_key) {
    const char *path = dir_path(d, name);
    if (access(path, F_OK) == 0 || !create) return crypto_key_load(path, ret_key);
    TRY(crypto_key_generate(CRYPTO_ES256, ret_key));
    return crypto_key_save(*ret_key, path);
}

chop_err dir_keys(const char *path, bool create, struct printer_dir *ret_dir) {
    struct printer_dir *d = ret_dir;
    *d = (struct printer_dir){ .lock_fd = -1 };
    if (strlen(path) >= sizeof d->path) return CHOP_FAIL(EINVAL, "--dir", "the path is too long");
    (void)snprintf(d->path, sizeof d->path, "%s", path);
    if (create && mkdir(path, 0700) != 0 && errno != EEXIST) return CHOP_FAIL(EINVAL, "--dir", "%s", strerror(errno));
    d->mem = arena_new(DIR_MEM);
    if (!d->mem) return CHOP_ERR(EMEMORY);
    TRY(load_key(d, "sign.pem", create, &d->sign_key));
    return load_key(d, "seal.pem", create, &d->seal_key);
}

/* ---- files ---- */
static chop_err load_file(struct printer_dir *d, const char *name, struct chop_bytes *ret_bytes) {
    CHOP_FREE char *text = NULL;
    size_t n = 0;
    const char *path = dir_path(d, name);
    if (access(path, F_OK) != 0) return CHOP_FAIL(ENOTFOUND, "--dir", "%s is missing: enrol this printer first", path);
    TRY(conf_read_file(path, FILE_LIMIT, &text, &n));
    *ret_bytes = arena_copy(d->mem, CHOP_BYTES(text, n));
    return arena_failed(d->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

static chop_err read_settings(struct printer_dir *d, json_t *o) {
    const char *id = json_string_value(json_object_get(o, "printer_id"));
    const char *host = json_string_value(json_object_get(o, "mqtt_host"));
    json_int_t port = json_integer_value(json_object_get(o, "mqtt_port"));
    if (!id || !chop_id_valid(id, "prn") || !host || !host[0] || port < 1 || port > 65535)
        return CHOP_FAIL(EINVAL, "printer.json", "wants printer_id, mqtt_host and mqtt_port");
    d->printer_id = arena_str(d->mem, id);
    d->mqtt_host = arena_str(d->mem, host);
    d->mqtt_port = (uint16_t)port;
    return NULL;
}

chop_err dir_load(struct printer_dir *d) {
    struct chop_bytes text;
    json_error_t error;
    TRY(load_file(d, "printer.json", &text));
    TRY(load_file(d, "printer-cert.signed", &d->cert));
    TRY(load_file(d, "root.spki", &d->root_spki));
    TRY(load_file(d, "manifest.signed", &d->manifest));
    json_t *o = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &error);
    if (!o) return CHOP_FAIL(EINVAL, "printer.json", "%s", error.text);
    chop_err e = read_settings(d, o);
    json_decref(o);
    return e;
}

chop_err dir_lock(struct printer_dir *d) {
    d->lock_fd = open(dir_path(d, "lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock_fd < 0) return CHOP_FAIL(ESTORE, "--dir", "lock: %s", strerror(errno));
    if (flock(d->lock_fd, LOCK_EX | LOCK_NB) == 0) return NULL;
    return CHOP_FAIL(EBUSY, "--dir", "another process runs this printer");
}

static chop_err write_whole(int fd, struct chop_bytes data) {
    for (size_t at = 0; at < data.n;) {
        ssize_t n = write(fd, data.p + at, data.n - at);
        if (n <= 0) return CHOP_FAIL(ESTORE, "--dir", "%s", strerror(errno));
        at += (size_t)n;
    }
    return fsync(fd) == 0 ? NULL : CHOP_FAIL(ESTORE, "--dir", "%s", strerror(errno));
}

static chop_err sync_dir(const struct printer_dir *d) {
    CHOP_CLEANUP(chop_close_p) int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? NULL : CHOP_FAIL(ESTORE, "--dir", "%s", strerror(errno));
}

chop_err dir_save(const struct printer_dir *d, const char *name, struct chop_bytes data) {
    const char *path = dir_path(d, name), *temp = arena_printf(d->mem, "%s/.%s.new", d->path, name);
    CHOP_CLEANUP(chop_close_p) int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return CHOP_FAIL(ESTORE, "--dir", "%s: %s", temp, strerror(errno));
    TRY(write_whole(fd, data));
    if (rename(temp, path) != 0) return CHOP_FAIL(ESTORE, "--dir", "%s: %s", path, strerror(errno));
    return sync_dir(d);
}

void dir_done(struct printer_dir *d) {
    crypto_key_free(d->sign_key);
    crypto_key_free(d->seal_key);
    arena_free(d->mem);
    chop_close_p(&d->lock_fd);
    *d = (struct printer_dir){ .lock_fd = -1 };
}
