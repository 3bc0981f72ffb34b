#include "journal_db.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- statements ---- */
chop_err jdb_fail(struct journal_sqlite *j) {
    return CHOP_FAIL(ESTORE, "journal", "%s", sqlite3_errmsg(j->db));
}

chop_err jdb_prepare(struct journal_sqlite *j, const char *sql, sqlite3_stmt **ret_stmt) {
    size_t i = 0;
    while (i < STATEMENTS_MAX && j->cache[i].sql && j->cache[i].sql != sql)
        i++;
    if (i == STATEMENTS_MAX) return CHOP_FAIL(EINTERNAL, "journal", "more than %d statements", STATEMENTS_MAX);
    if (!j->cache[i].sql) {
        if (sqlite3_prepare_v3(j->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &j->cache[i].stmt, NULL) != SQLITE_OK)
            return jdb_fail(j);
        j->cache[i].sql = sql;
    }
    sqlite3_reset(j->cache[i].stmt);
    *ret_stmt = j->cache[i].stmt;
    return NULL;
}

void jdb_bind_text(sqlite3_stmt *s, int i, const char *text) {
    sqlite3_bind_text(s, i, text, -1, SQLITE_STATIC);
}

void jdb_bind_int(sqlite3_stmt *s, int i, int64_t n) {
    sqlite3_bind_int64(s, i, n);
}

void jdb_bind_bytes(sqlite3_stmt *s, int i, const void *p, size_t n) {
    sqlite3_bind_blob64(s, i, p, n, SQLITE_STATIC);
}

/* Runs a statement that gives no rows. */
chop_err jdb_run(struct journal_sqlite *j, sqlite3_stmt *s) {
    int rc = sqlite3_step(s);
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? NULL : jdb_fail(j);
}

/* One row, to be read and then reset; ENOTFOUND. */
chop_err jdb_row(struct journal_sqlite *j, sqlite3_stmt *s) {
    int rc = sqlite3_step(s);
    if (rc == SQLITE_ROW) return NULL;
    sqlite3_reset(s);
    return rc == SQLITE_DONE ? CHOP_ERR(ENOTFOUND) : jdb_fail(j);
}

chop_err jdb_exec(struct journal_sqlite *j, const char *sql) {
    return sqlite3_exec(j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? NULL : jdb_fail(j);
}

/* Ends a transaction that went well or not; the first error counts. */
chop_err jdb_end(struct journal_sqlite *j, chop_err e) {
    if (!e) e = jdb_exec(j, "COMMIT");
    if (e) (void)sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    return e;
}

void jdb_copy_column(sqlite3_stmt *s, int col, char *out, size_t size) {
    const char *text = (const char *)sqlite3_column_text(s, col);
    (void)snprintf(out, size, "%s", text ? text : "");
}

void jdb_copy_digest(sqlite3_stmt *s, int col, uint8_t out[32]) {
    memset(out, 0, 32);
    if (sqlite3_column_bytes(s, col) == 32) memcpy(out, sqlite3_column_blob(s, col), 32);
}

chop_err jdb_copy_blob(sqlite3_stmt *s, int col, uint8_t *out, size_t size, size_t *ret_n) {
    size_t n = (size_t)sqlite3_column_bytes(s, col);
    if (n > size) return CHOP_ERR(ELIMIT);
    if (n) memcpy(out, sqlite3_column_blob(s, col), n);
    *ret_n = n;
    return n ? NULL : CHOP_ERR(ENOTFOUND);
}

/* ---- the witness ---- */
chop_err jdb_witness_read(const char *path, uint64_t *ret_turns) {
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32] = "";
    if (fd < 0) {
        *ret_turns = 0;
        return errno == ENOENT ? NULL : CHOP_FAIL(ESTORE, "witness", "%s: %s", path, strerror(errno));
    }
    if (read(fd, text, sizeof text - 1) < 0) return CHOP_FAIL(ESTORE, "witness", "%s", strerror(errno));
    *ret_turns = strtoull(text, NULL, 10);
    return NULL;
}

/* Fixed width and one sector: overwritten in place, it is either the old or the new number. */
chop_err jdb_witness_write(struct journal_sqlite *j) {
    char text[32];
    int n = snprintf(text, sizeof text, "%020" PRIu64 "\n", j->turns);
    CHOP_CLEANUP(chop_close_p) int fd = open(j->witness, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || pwrite(fd, text, (size_t)n, 0) != n || fdatasync(fd) != 0)
        return CHOP_FAIL(ESTORE, "witness", "%s: %s", j->witness, strerror(errno));
    return NULL;
}
