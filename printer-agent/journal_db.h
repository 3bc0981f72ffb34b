/* journal_db: the few SQLite habits of the journal. A statement is prepared once and found by its text's address. */
#pragma once
#include "journal_sqlite.h"

#include <sqlite3.h>

#define STATEMENTS_MAX 48

struct journal_sqlite {
    sqlite3 *db;
    uint64_t turns;
    char witness[512], dir[480];
    struct { /* prepared once each, found by the text's address */
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[STATEMENTS_MAX];
};

chop_err jdb_fail(struct journal_sqlite *j) CHOP_MUSTCHECK; /* ESTORE with SQLite's text */
/* sql must be a literal: its address is the key. */
chop_err jdb_prepare(struct journal_sqlite *j, const char *sql, sqlite3_stmt **ret_stmt) CHOP_MUSTCHECK;
void jdb_bind_text(sqlite3_stmt *s, int i, const char *text);
void jdb_bind_int(sqlite3_stmt *s, int i, int64_t n);
void jdb_bind_bytes(sqlite3_stmt *s, int i, const void *p, size_t n);
/* Runs a statement that gives no rows. */
chop_err jdb_run(struct journal_sqlite *j, sqlite3_stmt *s) CHOP_MUSTCHECK;
/* One row, to be read and then reset; ENOTFOUND. */
chop_err jdb_row(struct journal_sqlite *j, sqlite3_stmt *s) CHOP_MUSTCHECK;
chop_err jdb_exec(struct journal_sqlite *j, const char *sql) CHOP_MUSTCHECK;
/* Ends a transaction that went well (e NULL) or not; the first error counts. */
chop_err jdb_end(struct journal_sqlite *j, chop_err e) CHOP_MUSTCHECK;
void jdb_copy_column(sqlite3_stmt *s, int col, char *out, size_t size);
void jdb_copy_digest(sqlite3_stmt *s, int col, uint8_t out[32]);
/* ENOTFOUND where it is empty. */
chop_err jdb_copy_blob(sqlite3_stmt *s, int col, uint8_t *out, size_t size, size_t *ret_n) CHOP_MUSTCHECK;
/* 0 where there is none. */
chop_err jdb_witness_read(const char *path, uint64_t *ret_turns) CHOP_MUSTCHECK;
chop_err jdb_witness_write(struct journal_sqlite *j) CHOP_MUSTCHECK;

/* ---- shared by journal_sqlite.c and journal_held.c; inside of a transaction ---- */
/* A step that the witness is told of, after its commit by jdb_end_turn. */
chop_err jdb_add_turn(struct journal_sqlite *j) CHOP_MUSTCHECK;
chop_err jdb_end_turn(struct journal_sqlite *j, chop_err e) CHOP_MUSTCHECK;
/* Adds such records, and the challenge unused -> used; counts a turn. */
chop_err jdb_add_numbers(struct journal_sqlite *j, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], int64_t now) CHOP_MUSTCHECK;
chop_err jdb_add_report(struct journal_sqlite *j, const char *allotment_id, uint32_t number,
    const struct journal_report *r, int64_t now) CHOP_MUSTCHECK;

/* ---- journal_held.c: see struct printer_journal ---- */
chop_err jheld_hold(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], struct chop_bytes envelope, int64_t not_after, int64_t now);
chop_err jheld_get(void *ctx, const char *job_id, struct journal_held *ret_held);
chop_err jheld_envelope(void *ctx, const char *job_id, uint8_t *out, size_t size, size_t *ret_n);
chop_err jheld_numbers(void *ctx, const char *allotment_id, uint32_t out[PRINTER_HELD_NUMBERS], size_t *ret_n);
chop_err jheld_spend(void *ctx, const uint8_t challenge_digest[32], int64_t now);
chop_err jheld_close_out(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n,
    const struct journal_report *statement, int64_t now);
