/* dir: the printer's directory: sign.pem and seal.pem (keys, made once), tls.pem, ca.pem, printer-cert.signed,
 * root.spki, manifest.signed (of enrolment) and printer.json (id, broker). Beside them lie journal.db and witness. */
#pragma once
#include "arena.h"
#include "crypto.h"

struct printer_dir {
    char path[480];
    struct arena *mem; /* holds the bytes below */
    struct crypto_key *sign_key, *seal_key;
    struct chop_bytes cert, root_spki, manifest;
    const char *printer_id, *mqtt_host;
    uint16_t mqtt_port;
    int lock_fd;
};
/* Loads the keys, making them (and the directory, 0700) where `create` says so. */
chop_err dir_keys(const char *path, bool create, struct printer_dir *ret_dir) CHOP_MUSTCHECK;
/* What enrolment brought; ENOTFOUND before it. */
chop_err dir_load(struct printer_dir *d) CHOP_MUSTCHECK;
/* EBUSY when another process runs this printer. Held until dir_done. */
chop_err dir_lock(struct printer_dir *d) CHOP_MUSTCHECK;
/* Writes a file of the directory: 0600, whole or not at all, on the disk when it returns. */
chop_err dir_save(const struct printer_dir *d, const char *name, struct chop_bytes data) CHOP_MUSTCHECK;
/* A path in the directory, in d->mem. */
const char *dir_path(const struct printer_dir *d, const char *name);
void dir_done(struct printer_dir *d);
