#include "device.h"

#include <stdlib.h>

/* An envelope of at most 2 MiB: as the journal held it, sealed, opened, unpacked as a Signed, unpacked as an Envelope,
 * and its manifest. */
#define JOB_BYTES ((size_t)11 << 20)
#define SCRATCH_BYTES ((size_t)512 << 10)
#define MANIFEST_BYTES ((size_t)64 << 10)
#define OPEN_BYTES ((size_t)4 << 20)

static chop_err start_core(struct device *d, const struct device_options *o) {
    d->memory = malloc(JOB_BYTES + SCRATCH_BYTES + MANIFEST_BYTES);
    if (!d->memory) return CHOP_ERR(EMEMORY);
    uint8_t *p = d->memory;
    struct printer_setup s = {
        .platform = &d->platform_fns,
        .journal = &d->journal_fns,
        .output = o->output,
        .report = o->report,
        .report_ctx = o->report_ctx,
        .root_spki = d->dir.root_spki,
        .cert = d->dir.cert,
        .manifest = d->dir.manifest,
        .job = p,
        .job_size = JOB_BYTES,
        .scratch = p + JOB_BYTES,
        .scratch_size = SCRATCH_BYTES,
        .manifest_room = p + JOB_BYTES + SCRATCH_BYTES,
        .manifest_size = MANIFEST_BYTES,
    };
    return printer_start(&d->core, &s);
}

chop_err device_start(struct device *d, const struct device_options *o) {
    TRY(dir_keys(o->dir, false, &d->dir));
    TRY(dir_load(&d->dir));
    if (o->boot) TRY(dir_lock(&d->dir));
    d->platform = (struct platform){ d->dir.sign_key, d->dir.seal_key, arena_new(OPEN_BYTES) };
    if (!d->platform.mem) return CHOP_ERR(EMEMORY);
    d->platform_fns = platform_of(&d->platform);
    TRY(journal_sqlite_open(o->dir, o->boot, &d->journal));
    d->journal_fns = journal_sqlite_of(d->journal);
    TRY(start_core(d, o));
    return o->boot ? printer_recover(&d->core) : NULL;
}

void device_done(struct device *d) {
    journal_sqlite_close(d->journal);
    free(d->memory);
    arena_free(d->platform.mem);
    dir_done(&d->dir);
}
