/* The journal in an SQLite file: synchronous=FULL, no write-ahead log: a commit is on the disk when it returns.
 *
 * Beside it stands a witness, a second small file with a counter that both hold and that moves at each start, at each
 * reservation, and whenever a held number changes its state. A journal that is lost, or was put back from a copy,
 * disagrees with it: then all challenges and held envelopes are dropped, so that every job ordered before is refused. A
 * device with a monotonic hardware counter keeps the witness
 * there. */
#pragma once
#include "core.h"

struct journal_sqlite;
/* DIR/journal.db and DIR/witness, created where missing. `boot` counts a start of the printer (and checks the witness);
 * without it the file is opened beside a running printer, for the display and for tools. */
chop_err journal_sqlite_open(const char *dir, bool boot, struct journal_sqlite **ret_journal) CHOP_MUSTCHECK;
void journal_sqlite_close(struct journal_sqlite *j);
void journal_sqlite_close_p(struct journal_sqlite **j);
struct printer_journal journal_sqlite_of(struct journal_sqlite *j);

/* ---- what only the daemon needs ---- */
/* Calls fn for each report that is not acknowledged, oldest first, at most `limit`. */
chop_err journal_sqlite_reports(
    struct journal_sqlite *j, size_t limit, void (*fn)(void *ctx, struct chop_bytes packed), void *ctx) CHOP_MUSTCHECK;
/* Marks the report with this digest as acknowledged. */
chop_err journal_sqlite_ack(
    struct journal_sqlite *j, const char *allotment_id, uint32_t number, struct chop_bytes digest) CHOP_MUSTCHECK;
/* Calls fn for each loaded job that is open, by its end, with the numbers that are still held. */
chop_err journal_sqlite_held(struct journal_sqlite *j,
    void (*fn)(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n),
    void *ctx) CHOP_MUSTCHECK;
chop_err journal_sqlite_unpair(struct journal_sqlite *j, const char *terminal_id) CHOP_MUSTCHECK;
chop_err journal_sqlite_pairings(
    struct journal_sqlite *j, void (*fn)(void *ctx, const struct journal_pairing *p), void *ctx) CHOP_MUSTCHECK;
