#include "db_internal.h"
#include "log.h"

#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGS 40
#define BYTEA_OID 17

struct db_rows {
    struct db_rows *next;
    PGresult *result;
};

struct db {
    PGconn *conn;
    char *conninfo;
    const struct db_store *store;
    bool *prepared; /* by query */
    struct db_rows *results;
    bool in_transaction;
};

/* ---- errors ---- */

static chop_err lost(struct db *db) {
    log_line(LOG_WARN, "database connection lost", "detail", PQerrorMessage(db->conn), NULL);
    return CHOP_FAIL(ESTORE, NULL, "the database connection was lost");
}

/* SQLSTATE classes (PostgreSQL, appendix A) to errors of our own. */
static chop_err classify(struct db *db, const PGresult *result, const char *what) {
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!state || PQstatus(db->conn) != CONNECTION_OK) return lost(db);
    if (strcmp(state, "23505") == 0)
        return CHOP_FAIL(EEXISTS, NULL, "%s exists already", PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0 || strcmp(state, "55P03") == 0)
        return CHOP_ERR(ESERIAL);
    if (strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 || strncmp(state, "57", 2) == 0 ||
        strncmp(state, "58", 2) == 0)
        return CHOP_FAIL(ESTORE, NULL, "the database refuses work now");
    log_line(LOG_ERROR, "query failed", "query", what, "sqlstate", state, "detail",
        PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), NULL);
    return CHOP_FAIL(EINTERNAL, NULL, "a query failed");
}

/* ---- connection ---- */

static void quiet_notice(void *ctx, const char *text) {
    (void)ctx;
    log_line(LOG_DEBUG, "database notice", "text", text, NULL);
}

static void forget_prepared(struct db *db) {
    memset(db->prepared, 0, db->store->count * sizeof *db->prepared);
    db->in_transaction = false;
}

chop_err db_open(const char *conninfo, const struct db_store *store, struct db **ret_db) {
    struct db *db = calloc(1, sizeof *db);
    if (!db) return CHOP_ERR(EMEMORY);
    db->store = store;
    db->prepared = calloc(store->count + 1, sizeof *db->prepared);
    db->conninfo = strdup(conninfo);
    db->conn = PQconnectdb(conninfo);
    if (!db->prepared || !db->conninfo || PQstatus(db->conn) != CONNECTION_OK) {
        log_line(LOG_WARN, "no database", "detail", PQerrorMessage(db->conn), NULL);
        db_close(db);
        return CHOP_FAIL(ESTORE, NULL, "cannot connect to the database");
    }
    PQsetNoticeProcessor(db->conn, quiet_notice, NULL);
    *ret_db = db;
    return NULL;
}

void db_close(struct db *db) {
    if (!db) return;
    db_results_free(db);
    PQfinish(db->conn);
    free(db->prepared);
    free(db->conninfo);
    free(db);
}

chop_err db_ready(struct db *db) {
    if (PQstatus(db->conn) == CONNECTION_OK) return NULL;
    PQreset(db->conn);
    forget_prepared(db);
    return PQstatus(db->conn) == CONNECTION_OK ? NULL : lost(db);
}

void db_results_free(struct db *db) {
    while (db->results) {
        struct db_rows *next = db->results->next;
        PQclear(db->results->result);
        free(db->results);
        db->results = next;
    }
}

static chop_err keep(struct db *db, PGresult *result, struct db_rows **ret_rows) {
    struct db_rows *r = malloc(sizeof *r);
    if (!r) {
        PQclear(result);
        return CHOP_ERR(EMEMORY);
    }
    *r = (struct db_rows){ db->results, result };
    db->results = r;
    *ret_rows = r;
    return NULL;
}

/* ---- transactions ---- */

static chop_err command(struct db *db, const char *sql) {
    PGresult *result = PQexec(db->conn, sql);
    ExecStatusType status = PQresultStatus(result);
    chop_err e = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? NULL : classify(db, result, sql);
    PQclear(result);
    return e;
}

chop_err db_begin(struct db *db) {
    TRY(db_ready(db));
    chop_err e = command(db, "BEGIN");
    if (e == CHOP_ERR(ESTORE)) { /* a server restart is noticed only by the first use */
        TRY(db_ready(db));
        e = command(db, "BEGIN");
    }
    db->in_transaction = !e;
    return e;
}

chop_err db_commit(struct db *db) {
    db->in_transaction = false;
    PGresult *result = PQexec(db->conn, "COMMIT");
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), "COMMIT") == 0;
    chop_err e = NULL;
    if (!done) e = PQresultStatus(result) == PGRES_COMMAND_OK ? CHOP_ERR(EINTERNAL) : classify(db, result, "COMMIT");
    PQclear(result);
    return e;
}

void db_rollback(struct db *db) {
    if (PQstatus(db->conn) == CONNECTION_OK && PQtransactionStatus(db->conn) != PQTRANS_IDLE)
        PQclear(PQexec(db->conn, "ROLLBACK"));
    db->in_transaction = false;
}

/* ---- arguments ---- */

struct packed_args {
    const char *values[MAX_ARGS];
    int lengths[MAX_ARGS], formats[MAX_ARGS];
    char numbers[MAX_ARGS][24];
};

static void pack_args(const struct db_arg *args, size_t n, struct packed_args *out) {
    for (size_t i = 0; i < n; i++) {
        out->lengths[i] = 0;
        out->formats[i] = 0;
        out->values[i] = NULL;
        switch (args[i].type) {
        case DB_NULL:
            break;
        case DB_TEXT:
            out->values[i] = args[i].text;
            break;
        case DB_INT:
            (void)snprintf(out->numbers[i], sizeof out->numbers[i], "%lld", (long long)args[i].i);
            out->values[i] = out->numbers[i];
            break;
        case DB_BYTEA:
            out->values[i] = args[i].b.p ? (const char *)args[i].b.p : "";
            out->lengths[i] = (int)args[i].b.n;
            out->formats[i] = 1;
            break;
        case DB_BOOL:
            out->values[i] = args[i].i ? "t" : "f";
            break;
        }
    }
}

/* ---- queries ---- */

static chop_err prepare(struct db *db, int index) {
    if (db->prepared[index]) return NULL;
    PGresult *result = PQprepare(db->conn, db->store->items[index].name, db->store->items[index].sql, 0, NULL);
    chop_err e = PQresultStatus(result) == PGRES_COMMAND_OK ? NULL : classify(db, result, db->store->items[index].name);
    PQclear(result);
    if (!e) db->prepared[index] = true;
    return e;
}

static chop_err find(struct db *db, const char *name, size_t n_args, int *ret_index) {
    *ret_index = db_store_find(db->store, name);
    if (*ret_index < 0 || n_args > MAX_ARGS) return CHOP_FAIL(EINTERNAL, NULL, "no query %s", name);
    return NULL;
}

static chop_err run(struct db *db, const char *name, const struct db_arg *args, size_t n, PGresult **ret_result) {
    int index;
    TRY(find(db, name, n, &index));
    if (!db->in_transaction) TRY(db_ready(db));
    TRY(prepare(db, index));
    struct packed_args packed;
    pack_args(args, n, &packed);
    PGresult *result =
        PQexecPrepared(db->conn, name, (int)n, packed.values, packed.lengths, packed.formats, 1);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *ret_result = result;
        return NULL;
    }
    chop_err e = classify(db, result, name);
    PQclear(result);
    return e;
}

chop_err db_query(struct db *db, struct db_rows **ret_rows, const char *name, const struct db_arg *args, size_t n) {
    PGresult *result;
    TRY(run(db, name, args, n, &result));
    return keep(db, result, ret_rows);
}

chop_err db_one(struct db *db, struct db_rows **ret_rows, const char *name, const struct db_arg *args, size_t n) {
    struct db_rows *rows;
    TRY(db_query(db, &rows, name, args, n));
    if (db_count(rows) == 0) return CHOP_ERR(ENOTFOUND);
    *ret_rows = rows;
    return NULL;
}

chop_err db_do(struct db *db, int64_t *ret_affected, const char *name, const struct db_arg *args, size_t n) {
    PGresult *result;
    TRY(run(db, name, args, n, &result));
    if (ret_affected) *ret_affected = strtoll(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return NULL;
}

/* ---- results ---- */

size_t db_count(const struct db_rows *r) {
    return (size_t)PQntuples(r->result);
}

const char *db_text(const struct db_rows *r, size_t row, int col) {
    return PQgetvalue(r->result, (int)row, col); /* "" for NULL; libpq ends every value with a zero byte */
}

int64_t db_int(const struct db_rows *r, size_t row, int col) {
    const char *p = PQgetvalue(r->result, (int)row, col);
    uint16_t n16;
    uint32_t n32;
    uint64_t n64;
    switch (PQgetlength(r->result, (int)row, col)) {
    case 2:
        memcpy(&n16, p, 2);
        return (int16_t)be16toh(n16);
    case 4:
        memcpy(&n32, p, 4);
        return (int32_t)be32toh(n32);
    case 8:
        memcpy(&n64, p, 8);
        return (int64_t)be64toh(n64);
    default:
        return 0;
    }
}

struct chop_bytes db_bytes(const struct db_rows *r, size_t row, int col) {
    return CHOP_BYTES(PQgetvalue(r->result, (int)row, col), (size_t)PQgetlength(r->result, (int)row, col));
}

bool db_bool(const struct db_rows *r, size_t row, int col) {
    return PQgetlength(r->result, (int)row, col) == 1 && *PQgetvalue(r->result, (int)row, col);
}

bool db_null(const struct db_rows *r, size_t row, int col) {
    return PQgetisnull(r->result, (int)row, col);
}

/* ---- pipeline (pitfall 18: nonblocking, or both sides can wait for each other) ---- */

static chop_err pipeline_flush(struct db *db) {
    for (;;) {
        int left = PQflush(db->conn);
        if (left < 0) return lost(db);
        if (left == 0) return NULL;
        struct pollfd p = { .fd = PQsocket(db->conn), .events = POLLIN | POLLOUT };
        if (poll(&p, 1, 5000) <= 0) return CHOP_FAIL(ESTORE, NULL, "the database does not take the queries");
        if (p.revents & POLLIN && !PQconsumeInput(db->conn)) return lost(db);
    }
}

static chop_err pipeline_send(struct db *db, const char *name, const struct db_arg *args, size_t per_query, size_t n) {
    for (size_t i = 0; i < n; i++) {
        struct packed_args packed;
        pack_args(args + i * per_query, per_query, &packed);
        if (!PQsendQueryPrepared(
                db->conn, name, (int)per_query, packed.values, packed.lengths, packed.formats, 1))
            return lost(db);
    }
    if (!PQpipelineSync(db->conn)) return lost(db);
    return pipeline_flush(db);
}

static chop_err pipeline_receive(struct db *db, const char *name, size_t n, struct db_rows **ret_rows) {
    chop_err e = NULL;
    for (size_t i = 0; i < n; i++) {
        PGresult *result = PQgetResult(db->conn);
        if (!result) return lost(db);
        if (PQresultStatus(result) == PGRES_TUPLES_OK) {
            if (!e) e = keep(db, result, &ret_rows[i]);
            else PQclear(result);
        } else {
            if (!e) e = classify(db, result, name);
            PQclear(result);
        }
        PGresult *end = PQgetResult(db->conn); /* the NULL that ends each query's results */
        if (end) PQclear(end);
    }
    PGresult *sync = PQgetResult(db->conn);
    if (!e && PQresultStatus(sync) != PGRES_PIPELINE_SYNC) e = lost(db);
    PQclear(sync);
    return e;
}

chop_err db_pipeline(struct db *db, const char *name, const struct db_arg *args, size_t per_query, size_t n,
    struct db_rows **ret_rows) {
    int index;
    TRY(find(db, name, per_query, &index));
    TRY(db_ready(db));
    TRY(prepare(db, index));
    if (PQsetnonblocking(db->conn, 1) != 0 || !PQenterPipelineMode(db->conn)) return lost(db);
    chop_err e = pipeline_send(db, name, args, per_query, n);
    if (!e) e = pipeline_receive(db, name, n, ret_rows);
    if (!PQexitPipelineMode(db->conn) || PQsetnonblocking(db->conn, 0) != 0) {
        PQreset(db->conn); /* what is left in the pipe would be read as another query's answer */
        forget_prepared(db);
        if (!e) e = lost(db);
    }
    return e;
}

/* ---- migrations and locks ---- */

chop_err db_try_lock(struct db *db, int64_t key, bool *ret_held) {
    TRY(db_ready(db));
    char text[24];
    (void)snprintf(text, sizeof text, "%lld", (long long)key);
    const char *values[] = { text };
    PGresult *result = PQexecParams(db->conn, "SELECT pg_try_advisory_lock($1::bigint)", 1, NULL, values, NULL, NULL, 0);
    chop_err e = PQresultStatus(result) == PGRES_TUPLES_OK ? NULL : classify(db, result, "lock");
    if (!e) *ret_held = *PQgetvalue(result, 0, 0) == 't';
    PQclear(result);
    return e;
}

static chop_err version_of(struct db *db, const char *name, int *ret_version) {
    const char *values[] = { name };
    PGresult *result = PQexecParams(
        db->conn, "SELECT coalesce(max(version), 0)::text FROM schema_version WHERE name = $1", 1, NULL, values, NULL, NULL, 0);
    chop_err e = PQresultStatus(result) == PGRES_TUPLES_OK ? NULL : classify(db, result, "schema_version");
    if (!e) *ret_version = atoi(PQgetvalue(result, 0, 0));
    PQclear(result);
    return e;
}

static chop_err apply(struct db *db, const struct db_named *m, const char *name) {
    TRY(command(db, m->sql));
    char number[16];
    (void)snprintf(number, sizeof number, "%d", m->migration);
    const char *values[] = { name, number };
    PGresult *result = PQexecParams(
        db->conn, "INSERT INTO schema_version (name, version) VALUES ($1, $2::int)", 2, NULL, values, NULL, NULL, 0);
    chop_err e = PQresultStatus(result) == PGRES_COMMAND_OK ? NULL : classify(db, result, "schema_version");
    PQclear(result);
    return e;
}

static chop_err migrate_all(struct db *db, const char *const *names) {
    TRY(command(db, "SELECT pg_advisory_xact_lock(hashtext('chop.migrate.' || current_schema()))"));
    TRY(command(db, "CREATE TABLE IF NOT EXISTS schema_version (name text, version int, PRIMARY KEY (name, version))"));
    for (size_t i = 0; i < db->store->count; i++) {
        const struct db_named *m = &db->store->items[i];
        if (!m->migration) continue;
        int version;
        TRY(version_of(db, names[m->text], &version));
        if (m->migration > version) TRY(apply(db, m, names[m->text]));
    }
    return NULL;
}

chop_err db_migrate(struct db *db, const char *const *names) {
    TRY(db_begin(db));
    chop_err e = migrate_all(db, names);
    if (!e) e = db_commit(db);
    if (e) db_rollback(db);
    return e;
}
