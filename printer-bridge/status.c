/* A printer comes, goes, or says how it is. */
#include "bridge.h"

#include <stdio.h>
#include <stdlib.h>

#define MANIFEST_MAX ((size_t)256 << 10)

/* The boot counter only grows; one that fell tells of a printer put back to an older state. */
static chop_err store(struct link_call *k, const char *printer_id, const Pb__PrinterStatus *s) {
    struct db_rows *r;
    TRY(DB_QUERY(k->c.db, &r, "printer_status", T_(printer_id), L_(s->online), I_(k->c.now), I_(s->boot_counter),
        T_(s->agent_version), I_(s->manifest_version)));
    if (db_count(r) == 0) {
        log_line(LOG_WARN, "status of an unknown printer", "printer", printer_id, NULL);
        return NULL;
    }
    if (s->boot_counter < (uint64_t)db_int(r, 0, 0))
        log_line(LOG_ERROR, "a printer's boot counter fell: its journal was put back or lost", "printer", printer_id,
            "before", LOG_INT(db_int(r, 0, 0)), "now", LOG_INT(s->boot_counter), NULL);
    return s->online ? DB_DO(k->c.db, "delivery_printer_due", T_(printer_id)) : NULL;
}

static chop_err send_manifest(struct link_call *k, const char *printer_id) {
    CHOP_FREE char *text = NULL;
    size_t n = 0;
    Pb__PrinterAsk ask = PB__PRINTER_ASK__INIT; /* without ask_id: no answer is wanted, the next status tells */
    const char *path = arena_printf(k->c.mem, "%s/manifest.signed", app_keys_dir(k->c.app));
    TRY(conf_read_file(path, MANIFEST_MAX, &text, &n));
    ask.manifest = (ProtobufCBinaryData){ n, (uint8_t *)text };
    return link_publish(k->link, printer_id, "ask", &ask, k->c.mem);
}

chop_err status_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) {
    Pb__PrinterStatus *s;
    if (PB_UNPACK(pb__printer_status, payload, k->c.mem, &s)) return NULL;
    TRY(db_begin(k->c.db));
    chop_err e = store(k, printer_id, s);
    if (!e) e = db_commit(k->c.db);
    if (e) db_rollback(k->c.db);
    TRY(e);
    link_wake(k->link);
    if (!s->online || s->manifest_version >= trust_version(k->c.trust)) return NULL;
    e = send_manifest(k, printer_id);
    if (e) log_error("cannot send the manifest", e);
    return NULL;
}
