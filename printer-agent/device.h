/* device: a core with everything that it borrows, over a printer's directory. */
#pragma once
#include "dir.h"
#include "journal_sqlite.h"
#include "platform.h"

struct device {
    struct printer_dir dir;
    struct platform platform;
    struct printer_platform platform_fns;
    struct journal_sqlite *journal;
    struct printer_journal journal_fns;
    void *memory; /* of the core */
    struct printer_core core;
};
struct device_options {
    const char *dir;
    bool boot; /* this is the printer itself, not a tool beside it */
    const struct printer_output *output;
    void (*report)(void *ctx, struct chop_bytes packed);
    void *report_ctx;
};
/* `d` must not move afterwards. On error call device_done all the same. */
chop_err device_start(struct device *d, const struct device_options *o) CHOP_MUSTCHECK;
void device_done(struct device *d);
