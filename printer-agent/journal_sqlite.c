#include "journal_db.h"
#include "journal_sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CHALLENGES_MAX 1024
#define BUSY_MS 5000

/* ---- state ---- */
static chop_err sq_load(void *ctx, struct journal_state *ret_state) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT boot, seq, signed_time, last_time, turns FROM state", &s));
    TRY(jdb_row(j, s));
    ret_state->boot = (uint64_t)sqlite3_column_int64(s, 0);
    ret_state->seq = (uint64_t)sqlite3_column_int64(s, 1);
    ret_state->signed_time = sqlite3_column_int64(s, 2);
    ret_state->last_time = sqlite3_column_int64(s, 3);
    j->turns = (uint64_t)sqlite3_column_int64(s, 4);
    sqlite3_reset(s);
    return NULL;
}

static chop_err sq_manifest_get(void *ctx, uint8_t *out, size_t size, size_t *ret_n) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT manifest FROM state", &s));
    TRY(jdb_row(j, s));
    chop_err e = jdb_copy_blob(s, 0, out, size, ret_n);
    sqlite3_reset(s);
    return e;
}

static chop_err sq_manifest_put(void *ctx, struct chop_bytes packed) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "UPDATE state SET manifest = ?1", &s));
    jdb_bind_bytes(s, 1, packed.p, packed.n);
    return jdb_run(j, s);
}

static chop_err sq_time_put(void *ctx, int64_t signed_time) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "UPDATE state SET signed_time = max(signed_time, ?1)", &s));
    jdb_bind_int(s, 1, signed_time);
    return jdb_run(j, s);
}

static chop_err put_last_time(struct journal_sqlite *j, int64_t now) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "UPDATE state SET last_time = max(last_time, ?1)", &s));
    jdb_bind_int(s, 1, now);
    return jdb_run(j, s);
}

/* ---- challenges ---- */
static chop_err prune_challenges(struct journal_sqlite *j, int64_t now) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "DELETE FROM challenge WHERE expires_at < ?1", &s));
    jdb_bind_int(s, 1, now);
    TRY(jdb_run(j, s));
    TRY(jdb_prepare(j, "SELECT count(*) FROM challenge", &s));
    TRY(jdb_row(j, s));
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_reset(s);
    return n < CHALLENGES_MAX ? NULL : CHOP_FAIL(EBUSY, "challenge", "%d challenges are open", CHALLENGES_MAX);
}

static chop_err add_challenge(struct journal_sqlite *j, const uint8_t digest[32], int64_t now, int64_t expires_at) {
    sqlite3_stmt *s;
    TRY(prune_challenges(j, now));
    TRY(jdb_prepare(j, "INSERT INTO challenge VALUES (?1, ?2, ?3, 0)", &s));
    jdb_bind_bytes(s, 1, digest, 32);
    jdb_bind_int(s, 2, now);
    jdb_bind_int(s, 3, expires_at);
    TRY(jdb_run(j, s));
    return put_last_time(j, now);
}

static chop_err sq_challenge_put(void *ctx, const uint8_t digest[32], int64_t now, int64_t expires_at) {
    struct journal_sqlite *j = ctx;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    return jdb_end(j, add_challenge(j, digest, now, expires_at));
}

static chop_err sq_challenge_get(void *ctx, const uint8_t digest[32], struct journal_challenge *ret_challenge) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT expires_at, used FROM challenge WHERE digest = ?1", &s));
    jdb_bind_bytes(s, 1, digest, 32);
    TRY(jdb_row(j, s));
    ret_challenge->expires_at = sqlite3_column_int64(s, 0);
    ret_challenge->used = sqlite3_column_int(s, 1) != 0;
    sqlite3_reset(s);
    return NULL;
}

/* ---- pairing ---- */
static chop_err sq_code_get(void *ctx, struct journal_code *ret_code) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT digits, expires_at, tries FROM code", &s));
    TRY(jdb_row(j, s));
    jdb_copy_column(s, 0, ret_code->digits, sizeof ret_code->digits);
    ret_code->expires_at = sqlite3_column_int64(s, 1);
    ret_code->tries = (uint32_t)sqlite3_column_int64(s, 2);
    sqlite3_reset(s);
    return NULL;
}

static chop_err sq_code_put(void *ctx, const struct journal_code *code) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "INSERT OR REPLACE INTO code VALUES (1, ?1, ?2, ?3)", &s));
    jdb_bind_text(s, 1, code->digits);
    jdb_bind_int(s, 2, code->expires_at);
    jdb_bind_int(s, 3, code->tries);
    return jdb_run(j, s);
}

static void read_pairing(sqlite3_stmt *s, struct journal_pairing *p) {
    jdb_copy_column(s, 0, p->terminal_id, sizeof p->terminal_id);
    jdb_copy_column(s, 1, p->member_id, sizeof p->member_id);
    jdb_copy_digest(s, 2, p->pair_digest);
    p->paired_at = sqlite3_column_int64(s, 3);
}

static chop_err sq_pairing_get(void *ctx, const char *terminal_id, struct journal_pairing *ret_pairing) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(
        j, "SELECT terminal_id, member_id, pair_digest, paired_at FROM pairing WHERE terminal_id = ?1", &s));
    jdb_bind_text(s, 1, terminal_id);
    TRY(jdb_row(j, s));
    read_pairing(s, ret_pairing);
    sqlite3_reset(s);
    return NULL;
}

static chop_err add_pairing(struct journal_sqlite *j, const struct journal_pairing *p) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "INSERT OR REPLACE INTO pairing VALUES (?1, ?2, ?3, ?4)", &s));
    jdb_bind_text(s, 1, p->terminal_id);
    jdb_bind_text(s, 2, p->member_id);
    jdb_bind_bytes(s, 3, p->pair_digest, 32);
    jdb_bind_int(s, 4, p->paired_at);
    TRY(jdb_run(j, s));
    return jdb_exec(j, "DELETE FROM code");
}

static chop_err sq_pairing_put(void *ctx, const struct journal_pairing *p) {
    struct journal_sqlite *j = ctx;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    return jdb_end(j, add_pairing(j, p));
}

/* ---- numbers ---- */
static void read_number(sqlite3_stmt *s, struct journal_number *n) {
    jdb_copy_column(s, 0, n->job_id, sizeof n->job_id);
    jdb_copy_column(s, 1, n->allotment_id, sizeof n->allotment_id);
    jdb_copy_column(s, 2, n->grant_id, sizeof n->grant_id);
    n->number = (uint32_t)sqlite3_column_int64(s, 3);
    n->state = (enum journal_number_state)sqlite3_column_int(s, 4);
    n->started_at = sqlite3_column_int64(s, 5);
    n->ended_at = sqlite3_column_int64(s, 6);
    jdb_copy_digest(s, 7, n->order_digest);
    jdb_copy_digest(s, 8, n->envelope_digest);
}

#define NUMBER_COLUMNS                                                                                                 \
    "job_id, allotment_id, grant_id, number, state, started_at, ended_at, order_digest, envelope_digest"

static chop_err sq_number_get(void *ctx, const char *allotment_id, uint32_t number, struct journal_number *ret_number) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT " NUMBER_COLUMNS " FROM number WHERE allotment_id = ?1 AND number = ?2", &s));
    jdb_bind_text(s, 1, allotment_id);
    jdb_bind_int(s, 2, number);
    TRY(jdb_row(j, s));
    read_number(s, ret_number);
    sqlite3_reset(s);
    return NULL;
}

static chop_err sq_open_get(void *ctx, struct journal_number *ret_number) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j,
        "SELECT " NUMBER_COLUMNS " FROM number WHERE state IN (1, 2) "
        "ORDER BY allotment_id, number LIMIT 1",
        &s));
    TRY(jdb_row(j, s));
    read_number(s, ret_number);
    sqlite3_reset(s);
    return NULL;
}

static chop_err sq_number_taken(void *ctx, const char *grant_id, uint32_t number, bool *ret_taken) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT EXISTS (SELECT 1 FROM number WHERE grant_id = ?1 AND number = ?2 AND state NOT IN (?3, ?4))",
        &s));
    jdb_bind_text(s, 1, grant_id);
    jdb_bind_int(s, 2, number);
    jdb_bind_int(s, 3, NUMBER_REFUSED);
    jdb_bind_int(s, 4, NUMBER_RETURNED);
    TRY(jdb_row(j, s));
    *ret_taken = sqlite3_column_int(s, 0) != 0;
    sqlite3_reset(s);
    return NULL;
}

static chop_err add_number(struct journal_sqlite *j, const struct journal_number *n) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "INSERT INTO number (" NUMBER_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &s));
    jdb_bind_text(s, 1, n->job_id);
    jdb_bind_text(s, 2, n->allotment_id);
    jdb_bind_text(s, 3, n->grant_id);
    jdb_bind_int(s, 4, n->number);
    jdb_bind_int(s, 5, n->state);
    jdb_bind_int(s, 6, n->started_at);
    jdb_bind_int(s, 7, n->ended_at);
    jdb_bind_bytes(s, 8, n->order_digest, 32);
    jdb_bind_bytes(s, 9, n->envelope_digest, 32);
    return jdb_run(j, s);
}

/* A step that the witness is told of, after its commit. */
chop_err jdb_add_turn(struct journal_sqlite *j) {
    return jdb_exec(j, "UPDATE state SET turns = turns + 1");
}

chop_err jdb_end_turn(struct journal_sqlite *j, chop_err e) {
    TRY(jdb_end(j, e));
    j->turns++;
    return jdb_witness_write(j);
}

static chop_err use_challenge(struct journal_sqlite *j, const uint8_t digest[32]) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "UPDATE challenge SET used = 1 WHERE digest = ?1 AND used = 0", &s));
    jdb_bind_bytes(s, 1, digest, 32);
    TRY(jdb_run(j, s));
    return sqlite3_changes(j->db) == 1 ? NULL : CHOP_FAIL(ESTATE, "challenge", "not open any more");
}

chop_err jdb_add_numbers(struct journal_sqlite *j, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], int64_t now) {
    struct journal_number record = *like;
    TRY(jdb_add_turn(j));
    TRY(use_challenge(j, challenge_digest));
    for (size_t i = 0; i < n; i++) {
        record.number = numbers[i];
        TRY(add_number(j, &record));
    }
    return put_last_time(j, now);
}

/* The witness follows the journal before any ink: a copy of the journal from before this reservation is found out. */
static chop_err sq_reserve(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], int64_t now) {
    struct journal_sqlite *j = ctx;
    struct journal_number record = *like;
    record.state = NUMBER_RESERVED;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    return jdb_end_turn(j, jdb_add_numbers(j, &record, numbers, n, challenge_digest, now));
}

static chop_err update_number(
    struct journal_sqlite *j, enum journal_number_state from, const struct journal_number *n) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j,
        "UPDATE number SET state = ?1, started_at = ?2, ended_at = ?3, order_digest = ?7 "
        "WHERE allotment_id = ?4 AND number = ?5 AND state = ?6",
        &s));
    jdb_bind_int(s, 1, n->state);
    jdb_bind_int(s, 2, n->started_at);
    jdb_bind_int(s, 3, n->ended_at);
    jdb_bind_text(s, 4, n->allotment_id);
    jdb_bind_int(s, 5, n->number);
    jdb_bind_int(s, 6, from);
    jdb_bind_bytes(s, 7, n->order_digest, 32);
    TRY(jdb_run(j, s));
    return sqlite3_changes(j->db) == 1 ? NULL : CHOP_FAIL(ESTATE, "number", "not %s", journal_fsm[from].name);
}

chop_err jdb_add_report(struct journal_sqlite *j, const char *allotment_id, uint32_t number,
    const struct journal_report *r, int64_t now) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(
        j, "INSERT INTO report (seq, allotment_id, number, digest, bytes) VALUES (?1, ?2, ?3, ?4, ?5)", &s));
    jdb_bind_int(s, 1, (int64_t)r->seq);
    jdb_bind_text(s, 2, allotment_id);
    jdb_bind_int(s, 3, number);
    jdb_bind_bytes(s, 4, r->digest, 32);
    jdb_bind_bytes(s, 5, r->bytes.p, r->bytes.n);
    TRY(jdb_run(j, s));
    TRY(jdb_prepare(j, "UPDATE state SET seq = ?1", &s));
    jdb_bind_int(s, 1, (int64_t)r->seq);
    TRY(jdb_run(j, s));
    return put_last_time(j, now);
}

static chop_err move_number(struct journal_sqlite *j, enum journal_number_state from, const struct journal_number *n,
    const struct journal_report *report, int64_t now) {
    TRY(from == NUMBER_NONE ? add_number(j, n) : update_number(j, from, n));
    return report ? jdb_add_report(j, n->allotment_id, n->number, report, now) : put_last_time(j, now);
}

/* The witness hears of each start before the ink: a copy from between reservation and start would call a printed number
 * reserved, and recovery would give it back. */
static chop_err sq_move(void *ctx, enum journal_number_state from, const struct journal_number *n,
    const struct journal_report *report, int64_t now) {
    struct journal_sqlite *j = ctx;
    bool starts = n->state == NUMBER_STARTED;
    TRY(jdb_exec(j, "BEGIN IMMEDIATE"));
    chop_err e = starts ? jdb_add_turn(j) : NULL;
    if (!e) e = move_number(j, from, n, report, now);
    return starts ? jdb_end_turn(j, e) : jdb_end(j, e);
}

/* ---- reports ---- */
static chop_err sq_report_get(
    void *ctx, const char *allotment_id, uint32_t number, uint8_t *out, size_t size, size_t *ret_n) {
    struct journal_sqlite *j = ctx;
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT bytes FROM report WHERE allotment_id = ?1 AND number = ?2", &s));
    jdb_bind_text(s, 1, allotment_id);
    jdb_bind_int(s, 2, number);
    TRY(jdb_row(j, s));
    chop_err e = jdb_copy_blob(s, 0, out, size, ret_n);
    sqlite3_reset(s);
    return e;
}

chop_err journal_sqlite_reports(
    struct journal_sqlite *j, size_t limit, void (*fn)(void *ctx, struct chop_bytes packed), void *ctx) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "SELECT bytes FROM report WHERE acked = 0 ORDER BY seq LIMIT ?1", &s));
    jdb_bind_int(s, 1, (int64_t)limit);
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW)
        fn(ctx, CHOP_BYTES(sqlite3_column_blob(s, 0), (size_t)sqlite3_column_bytes(s, 0)));
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? NULL : jdb_fail(j);
}

chop_err journal_sqlite_ack(
    struct journal_sqlite *j, const char *allotment_id, uint32_t number, struct chop_bytes digest) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "UPDATE report SET acked = 1 WHERE allotment_id = ?1 AND number = ?2 AND digest = ?3", &s));
    jdb_bind_text(s, 1, allotment_id);
    jdb_bind_int(s, 2, number);
    jdb_bind_bytes(s, 3, digest.p, digest.n);
    return jdb_run(j, s);
}

chop_err journal_sqlite_unpair(struct journal_sqlite *j, const char *terminal_id) {
    sqlite3_stmt *s;
    TRY(jdb_prepare(j, "DELETE FROM pairing WHERE terminal_id = ?1", &s));
    jdb_bind_text(s, 1, terminal_id);
    TRY(jdb_run(j, s));
    return sqlite3_changes(j->db) == 1 ? NULL : CHOP_FAIL(ENOTFOUND, NULL, "no pairing with %s", terminal_id);
}

chop_err journal_sqlite_pairings(
    struct journal_sqlite *j, void (*fn)(void *ctx, const struct journal_pairing *p), void *ctx) {
    sqlite3_stmt *s;
    struct journal_pairing p;
    TRY(jdb_prepare(j, "SELECT terminal_id, member_id, pair_digest, paired_at FROM pairing ORDER BY paired_at", &s));
    int rc;
    while ((rc = sqlite3_step(s)) == SQLITE_ROW) {
        read_pairing(s, &p);
        fn(ctx, &p);
    }
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? NULL : jdb_fail(j);
}

/* ---- opening ---- */
/* The journal writes first, so it may be one ahead; anything else means that one of the two is not what it was. */
static chop_err check_witness(struct journal_sqlite *j) {
    uint64_t seen = 0;
    TRY(jdb_witness_read(j->witness, &seen));
    if (seen == j->turns || seen + 1 == j->turns) return NULL;
    (void)fprintf(stderr, "journal and witness disagree (%" PRIu64 ", %" PRIu64 "): all challenges are dropped\n",
        j->turns, seen);
    if (seen > j->turns) j->turns = seen;
    /* 1, 2 and 7: reserved, started, held. What was reserved or held may have been printed, and what was held given
     * back since: only a person can tell. */
    return jdb_exec(j,
        "UPDATE number SET state = 2, started_at = (SELECT max(last_time, 1) FROM state) WHERE state IN (1, 7);"
        "DELETE FROM challenge; DELETE FROM code; UPDATE held SET envelope = x''");
}

static chop_err count_boot(struct journal_sqlite *j) {
    struct journal_state st;
    sqlite3_stmt *s;
    TRY(sq_load(j, &st));
    TRY(check_witness(j));
    j->turns++;
    TRY(jdb_prepare(j, "UPDATE state SET boot = boot + 1, turns = ?1", &s));
    jdb_bind_int(s, 1, (int64_t)j->turns);
    TRY(jdb_run(j, s));
    return jdb_witness_write(j);
}

static chop_err open_file(struct journal_sqlite *j) {
    char path[512];
    (void)snprintf(path, sizeof path, "%s/journal.db", j->dir);
    (void)snprintf(j->witness, sizeof j->witness, "%s/witness", j->dir);
    mode_t old = umask(077);
    int rc = sqlite3_open(path, &j->db);
    umask(old);
    if (rc != SQLITE_OK) return jdb_fail(j);
    sqlite3_busy_timeout(j->db, BUSY_MS);
    /* EXTRA also syncs the directory after the rollback journal is removed: without it a commit may come back undone.
     */
    TRY(jdb_exec(j, "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA foreign_keys = ON"));
    return jdb_exec(j, journal_sql);
}

chop_err journal_sqlite_open(const char *dir, bool boot, struct journal_sqlite **ret_journal) {
    CHOP_CLEANUP(journal_sqlite_close_p) struct journal_sqlite *j = calloc(1, sizeof *j);
    if (!j) return CHOP_ERR(EMEMORY);
    if (strlen(dir) >= sizeof j->dir) return CHOP_FAIL(EINVAL, "dir", "the path is too long");
    (void)snprintf(j->dir, sizeof j->dir, "%s", dir);
    TRY(open_file(j));
    if (boot) TRY(count_boot(j));
    *ret_journal = CHOP_STEAL(j);
    return NULL;
}

void journal_sqlite_close(struct journal_sqlite *j) {
    if (!j) return;
    for (size_t i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(j->cache[i].stmt);
    sqlite3_close(j->db);
    free(j);
}

void journal_sqlite_close_p(struct journal_sqlite **j) {
    journal_sqlite_close(*j);
}

struct printer_journal journal_sqlite_of(struct journal_sqlite *j) {
    return (struct printer_journal){
        .ctx = j,
        .load = sq_load,
        .manifest_get = sq_manifest_get,
        .manifest_put = sq_manifest_put,
        .time_put = sq_time_put,
        .challenge_put = sq_challenge_put,
        .challenge_get = sq_challenge_get,
        .code_get = sq_code_get,
        .code_put = sq_code_put,
        .pairing_get = sq_pairing_get,
        .pairing_put = sq_pairing_put,
        .number_get = sq_number_get,
        .number_taken = sq_number_taken,
        .reserve = sq_reserve,
        .move = sq_move,
        .open_get = sq_open_get,
        .report_get = sq_report_get,
        .hold = jheld_hold,
        .held_get = jheld_get,
        .held_envelope = jheld_envelope,
        .held_numbers = jheld_numbers,
        .spend = jheld_spend,
        .close_out = jheld_close_out,
    };
}
