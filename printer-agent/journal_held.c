/* Loaded jobs in the SQLite journal: their envelopes, and what becomes of their numbers but for the printing. */
#include "journal_db.h"

#define HELD_MAX 64

/* What has no held number left needs no envelope any more, and does not count. */
static chop_err room_to_hold(struct journal_sqlite *j) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j,
        "UPDATE held SET envelope = x'' WHERE length(envelope) > 0 AND NOT EXISTS "
        "(SELECT 1 FROM number n WHERE n.allotment_id = held.allotment_id AND n.state = ?1)",
        &s));
    jdb_bind_int(s, 1, NUMBER_HELD);
    TRY(jdb_run(j, s));
    TRY(jdb_prepare(j, "SELECT count(*) FROM held WHERE length(envelope) > 0", &s));
    TRY(jdb_row(j, s));
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return n < HELD_MAX ? NULL : CHOP_FAIL(EBUSY, "held", "%d jobs are held", HELD_MAX);
}

static chop_err add_held(
    struct journal_sqlite *j, const struct journal_number *like, struct chop_bytes envelope, int64_t not_after) {
    sqlite3_stmt *s;
    TRY(room_to_hold(j));
    TRY(jdb_prepare(j, "INSERT INTO held VALUES (?1, ?2, ?3, ?4, ?5)", &s));
    jdb_bind_text(s, 1, like->job_id);
    jdb_bind_text(s, 2, like->allotment_id);
    jdb_bind_text(s, 3, like->grant_id);
    jdb_bind_int(s, 4, not_after);
    jdb_bind_bytes(s, 5, envelope.p, envelope.n);
    return jdb_run(j, s);
}

chop_err jheld_hold(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], struct chop_bytes envelope, int64_t not_after, int64_t now) {
    struct journal_sqlite *j = ctx;
    struct journal_number record = *like;
    record.state = NUMBER_HELD;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    chop_err e = add_held(j, like, envelope, not_after);
    if (!e) e = jdb_add_numbers(j, &record, numbers, n, challenge_digest, now);
    return jdb_end_turn(j, e);
}

#define HELD_COLUMNS "job_id, allotment_id, grant_id, not_after, length(envelope)"
static void read_held(sqlite3_stmt *s, struct journal_held *h) {
    jdb_copy_column(s, 0, h->job_id, sizeof h->job_id);
    jdb_copy_column(s, 1, h->allotment_id, sizeof h->allotment_id);
    jdb_copy_column(s, 2, h->grant_id, sizeof h->grant_id);
    h->not_after = sqlite3_column_int64(s, 3);
    h->envelope_n = (size_t)sqlite3_column_int64(s, 4);
    h->open = h->envelope_n > 0;
}

chop_err jheld_get(void *ctx, const char *job_id, struct journal_held *ret_held) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT " HELD_COLUMNS " FROM held WHERE job_id = ?1", &s));
    jdb_bind_text(s, 1, job_id);
    TRY(jdb_row(j, s));
    read_held(s, ret_held);
    sqlite3_reset(s);
    return NULL;
}

chop_err jheld_envelope(void *ctx, const char *job_id, uint8_t *out, size_t size, size_t *ret_n) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT envelope FROM held WHERE job_id = ?1", &s));
    jdb_bind_text(s, 1, job_id);
    TRY(jdb_row(j, s));
    chop_err e = jdb_copy_blob(s, 0, out, size, ret_n);
    sqlite3_reset(s);
    return e;
}

chop_err jheld_numbers(void *ctx, const char *allotment_id, uint32_t out[PRINTER_HELD_NUMBERS], size_t *ret_n) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    size_t n = 0;
    int rc = SQLITE_DONE;
    TRY(jdb_prepare(j, "SELECT number FROM number WHERE allotment_id = ?1 AND state = ?2 ORDER BY number", &s));
    jdb_bind_text(s, 1, allotment_id);
    jdb_bind_int(s, 2, NUMBER_HELD);
    while (n < PRINTER_HELD_NUMBERS && (rc = sqlite3_step(s)) == SQLITE_ROW)
        out[n++] = (uint32_t)sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    if (rc != SQLITE_DONE && rc != SQLITE_ROW) return jdb_fail(j);
    *ret_n = n;
    return NULL;
}

chop_err jheld_spend(void *ctx, const uint8_t digest[32], int64_t now) {
    struct journal_sqlite *j = ctx;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    return jdb_end_turn(j, jdb_add_numbers(j, &(struct journal_number){ .number = 0 }, NULL, 0, digest, now));
}

static chop_err return_number(struct journal_sqlite *j, const char *allotment_id, uint32_t number, int64_t now) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(
        j, "UPDATE number SET state = ?1, ended_at = ?2 WHERE allotment_id = ?3 AND number = ?4 AND state = ?5", &s));
    jdb_bind_int(s, 1, NUMBER_RETURNED);
    jdb_bind_int(s, 2, now);
    jdb_bind_text(s, 3, allotment_id);
    jdb_bind_int(s, 4, number);
    jdb_bind_int(s, 5, NUMBER_HELD);
    TRY(jdb_run(j, s));
    return sqlite3_changes(j->db) == 1 ? NULL : CHOP_FAIL(ESTATE, "number", "not held");
}

static chop_err close_held(struct journal_sqlite *j, const struct journal_held *held, const uint32_t *numbers, size_t n,
    const struct journal_report *statement, int64_t now) {
    sqlite3_stmt *s;
    TRY(jdb_add_turn(j));
    for (size_t i = 0; i < n; i++)
        TRY(return_number(j, held->allotment_id, numbers[i], now));
    TRY(jdb_prepare(j, "UPDATE held SET envelope = x'' WHERE job_id = ?1", &s));
    jdb_bind_text(s, 1, held->job_id);
    TRY(jdb_run(j, s));
    return jdb_add_report(j, held->allotment_id, 0, statement, now);
}

/* The witness hears of it before anybody hears that the numbers are free: a copy from before would print them. */
chop_err jheld_close_out(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n,
    const struct journal_report *statement, int64_t now) {
    struct journal_sqlite *j = ctx;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    return jdb_end_turn(j, close_held(j, held, numbers, n, statement, now));
}

/* The numbers of each are read while the list stands open: two statements. */
chop_err journal_sqlite_held(struct journal_sqlite *j,
    void (*fn)(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n), void *ctx) {
    sqlite3_stmt *s;
    uint32_t numbers[PRINTER_HELD_NUMBERS];
    chop_err e = NULL;
    int rc = SQLITE_DONE;
    TRY(jdb_prepare(j, "SELECT " HELD_COLUMNS " FROM held WHERE length(envelope) > 0 ORDER BY not_after, job_id", &s));
    while (!e && (rc = sqlite3_step(s)) == SQLITE_ROW) {
        struct journal_held held;
        size_t n = 0;
        read_held(s, &held);
        e = jheld_numbers(j, held.allotment_id, numbers, &n);
        if (!e && n) fn(ctx, &held, numbers, n);
    }
    sqlite3_reset(s);
    if (e) return e;
    return rc == SQLITE_DONE ? NULL : jdb_fail(j);
}
