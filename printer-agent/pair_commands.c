/* The printer's display and buttons. */
#include "commands.h"
#include "device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static chop_err show_code(struct device *d) {
    struct journal_code code;
    char line[64], until[32];
    struct tm tm;
    TRY(printer_pair_code(&d->core, &code));
    time_t t = (time_t)(code.expires_at / 1000);
    (void)strftime(until, sizeof until, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &tm));
    int n = snprintf(line, sizeof line, "%s\n", code.digits);
    TRY(dir_save(&d->dir, "pairing-code", CHOP_BYTES(line, (size_t)n)));
    (void)printf("pairing code %s (%u tries, until %s)\n", code.digits, code.tries, until);
    (void)fflush(stdout);
    return NULL;
}

chop_err command_pair(const char *dir) {
    CHOP_CLEANUP(device_done) struct device d = { .dir = { .lock_fd = -1 } };
    TRY(device_start(&d, &(struct device_options){ .dir = dir }));
    return show_code(&d);
}

static void print_pairing(void *ctx, const struct journal_pairing *p) {
    (void)ctx;
    (void)printf("%s %s %" PRId64 "\n", p->terminal_id, p->member_id, p->paired_at);
}

chop_err command_pairings(const char *dir) {
    CHOP_CLEANUP(journal_sqlite_close_p) struct journal_sqlite *j = NULL;
    TRY(journal_sqlite_open(dir, false, &j));
    return journal_sqlite_pairings(j, print_pairing, NULL);
}

chop_err command_unpair(const char *dir, const char *terminal_id) {
    CHOP_CLEANUP(journal_sqlite_close_p) struct journal_sqlite *j = NULL;
    TRY(journal_sqlite_open(dir, false, &j));
    return journal_sqlite_unpair(j, terminal_id);
}
