/* db: the only user of libpq. One connection, used by one thread. Queries are named, live in store.sql texts
 * ("-- migration: N" and "-- query: name" sections) and are prepared on first use.
 *
 * Errors: ESTORE connection lost or server trouble (the next db_begin reconnects), ESERIAL deadlock or
 * serialisation (retry the call), EEXISTS unique violation, EINTERNAL anything else in SQL (logged). After any
 * error inside a transaction only db_rollback works. */
#pragma once
#include "arena.h"

struct db;
struct db_store; /* parsed texts; shared by all connections */

/* texts: NULL-terminated list; must outlive the store. Query names are unique over all texts. */
chop_err db_store_new(const char *const *texts, struct db_store **ret_store) CHOP_MUSTCHECK;
void db_store_free(struct db_store *s);
/* Applies what is missing of each text's migrations, each text under its own name, in one transaction each, under an
 * advisory lock. `names` runs beside `texts`. */
chop_err db_migrate(struct db *db, const char *const *names) CHOP_MUSTCHECK;

chop_err db_open(const char *conninfo, const struct db_store *store, struct db **ret_db) CHOP_MUSTCHECK;
void db_close(struct db *db);
/* Reconnects if the connection is lost; ESTORE. */
chop_err db_ready(struct db *db) CHOP_MUSTCHECK;

chop_err db_begin(struct db *db) CHOP_MUSTCHECK;
chop_err db_commit(struct db *db) CHOP_MUSTCHECK; /* ESTORE: the outcome is unknown */
void db_rollback(struct db *db);
/* Frees all results since the last call; the dispatcher does it after the reply. */
void db_results_free(struct db *db);

/* ---- running queries ---- */
struct db_arg {
    enum { DB_NULL, DB_TEXT, DB_INT, DB_BYTEA, DB_BOOL } type;
    const char *text;
    int64_t i;
    struct chop_bytes b;
};
#define T_(s) ((struct db_arg){ .type = DB_TEXT, .text = (s) })  /* NULL pointer: NULL */
#define I_(n) ((struct db_arg){ .type = DB_INT, .i = (int64_t)(n) })
#define B_(bytes) ((struct db_arg){ .type = DB_BYTEA, .b = (bytes) })
#define L_(v) ((struct db_arg){ .type = DB_BOOL, .i = (v) })
#define N_ ((struct db_arg){ .type = DB_NULL })

struct db_rows; /* lives until db_results_free */
#define DB_ARGS(...) (const struct db_arg[]){ __VA_ARGS__ }, CHOP_COUNT(((const struct db_arg[]){ __VA_ARGS__ }))
#define DB_NOARGS NULL, 0
/* DB_QUERY(db, &rows, "find_seal", T_(id)): any number of rows. */
#define DB_QUERY(db, ret, name, ...) db_query(db, ret, name, DB_ARGS(__VA_ARGS__))
chop_err db_query(struct db *db, struct db_rows **ret_rows, const char *name, const struct db_arg *args, size_t n)
    CHOP_MUSTCHECK;
/* DB_ONE: ENOTFOUND unless there is exactly one row or more; the first counts. */
#define DB_ONE(db, ret, name, ...) db_one(db, ret, name, DB_ARGS(__VA_ARGS__))
chop_err db_one(struct db *db, struct db_rows **ret_rows, const char *name, const struct db_arg *args, size_t n)
    CHOP_MUSTCHECK;
/* DB_DO: no rows wanted. DB_DO_COUNT gives the rows affected. */
#define DB_DO(db, name, ...) db_do(db, NULL, name, DB_ARGS(__VA_ARGS__))
#define DB_DO_COUNT(db, count, name, ...) db_do(db, count, name, DB_ARGS(__VA_ARGS__))
chop_err db_do(struct db *db, int64_t *ret_affected, const char *name, const struct db_arg *args, size_t n)
    CHOP_MUSTCHECK;

size_t db_count(const struct db_rows *r);
/* Columns by index. Texts are zero-terminated and live as long as the rows; NULL reads as "", 0, empty, false. */
const char *db_text(const struct db_rows *r, size_t row, int col);
int64_t db_int(const struct db_rows *r, size_t row, int col); /* int2, int4, int8 */
struct chop_bytes db_bytes(const struct db_rows *r, size_t row, int col); /* bytea or text */
bool db_bool(const struct db_rows *r, size_t row, int col);
bool db_null(const struct db_rows *r, size_t row, int col);

/* ---- pipelined look-ups: one query, n argument lists, n results in one round trip (outside a transaction).
 * ret_rows[i] has any number of rows. All or nothing. `args` holds n * per_query items. */
chop_err db_pipeline(struct db *db, const char *name, const struct db_arg *args, size_t per_query, size_t n,
    struct db_rows **ret_rows) CHOP_MUSTCHECK;

/* Session advisory lock for elections: true when held by this connection now. */
chop_err db_try_lock(struct db *db, int64_t key, bool *ret_held) CHOP_MUSTCHECK;
