#include "store.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char schema[] =
    "create table if not exists filing ("
    " id integer primary key autoincrement, number text not null unique, idempotency_key text not null unique,"
    " fact_id text not null, kind text not null, seal_id text not null, seal_seq integer not null,"
    " seal_name text not null, organization text not null, member text not null,"
    " digest blob not null, fact blob not null, receipt blob not null, at integer not null,"
    " received_at integer not null, unique (seal_id, seal_seq));"
    "create table if not exists chain (seal_id text primary key, seq integer not null, digest blob not null)"
    " without rowid;"
    "create table if not exists day (day text primary key, last integer not null) without rowid;"
    "create table if not exists seal_order (sequence integer primary key, order_id text not null unique, packed blob not"
    " null);";

#define LISTED                                                                                \
    "select number, idempotency_key, fact_id, kind, seal_id, seal_seq, seal_name, organization, member, digest, at," \
    " received_at from filing "
enum { Q_BEGIN, Q_COMMIT, Q_ROLLBACK, Q_CHAIN, Q_BY_KEY, Q_BY_SEQ, Q_NUMBER, Q_ADD, Q_CHAIN_PUT, Q_LIST_SEAL, Q_LIST,
    Q_LATEST, Q_TOTAL, Q_ORDER_LAST, Q_ORDER_BY_ID, Q_ORDER_ADD, Q_ORDER_LIST, Q_COUNT };
static const char *const sql[Q_COUNT] = {
    [Q_BEGIN] = "begin immediate",
    [Q_COMMIT] = "commit",
    [Q_ROLLBACK] = "rollback",
    [Q_CHAIN] = "select seq, digest from chain where seal_id = ?1",
    [Q_BY_KEY] = "select digest, receipt from filing where idempotency_key = ?1",
    [Q_BY_SEQ] = "select digest, receipt from filing where seal_id = ?1 and seal_seq = ?2",
    [Q_NUMBER] = "insert into day (day, last) values (?1, 1) on conflict (day) do update set last = last + 1 "
                 "returning last",
    [Q_ADD] = "insert into filing (number, idempotency_key, fact_id, kind, seal_id, seal_seq, seal_name, organization,"
              " member, digest, fact, receipt, at, received_at) values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14)",
    [Q_CHAIN_PUT] = "insert into chain (seal_id, seq, digest) values (?1, ?2, ?3) "
                    "on conflict (seal_id) do update set seq = excluded.seq, digest = excluded.digest",
    [Q_LIST_SEAL] = LISTED "where seal_id = ?1 and seal_seq > cast(?2 as integer) order by seal_seq limit ?3",
    [Q_LIST] = LISTED "where id > coalesce((select id from filing where number = ?2), 0) order by id limit ?3",
    [Q_LATEST] = LISTED "order by id desc limit ?3",
    [Q_TOTAL] = "select count(*) from filing",
    [Q_ORDER_LAST] = "select coalesce(max(sequence), 0) from seal_order",
    [Q_ORDER_BY_ID] = "select sequence, order_id, packed from seal_order where order_id = ?1",
    [Q_ORDER_ADD] = "insert into seal_order (sequence, order_id, packed) values (?1, ?2, ?3)",
    [Q_ORDER_LIST] = "select sequence, order_id, packed from seal_order where sequence > ?1 order by sequence limit ?2",
};

struct store {
    sqlite3 *db;
    sqlite3_stmt *q[Q_COUNT];
};

static chop_err failed(struct store *s) {
    return CHOP_FAIL(ESTORE, NULL, "%s", sqlite3_errmsg(s->db));
}

void store_close(struct store *s) {
    if (!s) return;
    for (int i = 0; i < Q_COUNT; i++) (void)sqlite3_finalize(s->q[i]);
    (void)sqlite3_close(s->db);
    free(s);
}

static chop_err prepare(struct store *s) {
    static const char pragmas[] = "pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 10000;";
    if (sqlite3_exec(s->db, pragmas, NULL, NULL, NULL) != SQLITE_OK) return failed(s);
    if (sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK) return failed(s);
    for (int i = 0; i < Q_COUNT; i++)
        if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->q[i], NULL) != SQLITE_OK)
            return failed(s);
    return NULL;
}

chop_err store_open(const char *dir, struct store **ret_store) {
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) return CHOP_FAIL(ESTORE, NULL, "%s: cannot be made", dir);
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/registry.db", dir);
    if (n < 0 || (size_t)n >= sizeof path) return CHOP_ERR(ELIMIT);
    struct store *s = calloc(1, sizeof *s);
    if (!s) return CHOP_ERR(EMEMORY);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    chop_err e = sqlite3_open_v2(path, &s->db, flags, NULL) == SQLITE_OK ? prepare(s) : failed(s);
    if (e) {
        store_close(s);
        return e;
    }
    *ret_store = s;
    return NULL;
}

/* ---- small helpers: bind, run ---- */

static void bind_text(sqlite3_stmt *q, int i, const char *text) {
    (void)sqlite3_bind_text(q, i, text, -1, SQLITE_STATIC);
}

static void bind_blob(sqlite3_stmt *q, int i, struct chop_bytes b) {
    (void)sqlite3_bind_blob64(q, i, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
}

static void bind_int(sqlite3_stmt *q, int i, int64_t n) {
    (void)sqlite3_bind_int64(q, i, n);
}

/* Runs a statement that gives no rows that are wanted. */
static chop_err run(struct store *s, int which) {
    int rc = sqlite3_step(s->q[which]);
    while (rc == SQLITE_ROW) rc = sqlite3_step(s->q[which]);
    chop_err e = rc == SQLITE_DONE ? NULL : failed(s);
    (void)sqlite3_reset(s->q[which]);
    return e;
}

static struct chop_bytes column_blob(sqlite3_stmt *q, int i) {
    const void *p = sqlite3_column_blob(q, i);
    return CHOP_BYTES(p, (size_t)sqlite3_column_bytes(q, i));
}

chop_err store_begin(struct store *s) {
    return run(s, Q_BEGIN);
}

chop_err store_commit(struct store *s) {
    return run(s, Q_COMMIT);
}

void store_rollback(struct store *s) {
    if (!sqlite3_get_autocommit(s->db) && run(s, Q_ROLLBACK)) {} /* nothing more can be done: the next begin fails */
}

/* ---- reading ---- */

chop_err store_chain(struct store *s, const char *seal_id, struct rules_chain *ret_chain) {
    sqlite3_stmt *q = s->q[Q_CHAIN];
    struct rules_chain c = { 0 };
    bind_text(q, 1, seal_id);
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        struct chop_bytes digest = column_blob(q, 1);
        c.last_seq = (uint64_t)sqlite3_column_int64(q, 0);
        if (digest.n == sizeof c.last_digest) memcpy(c.last_digest, digest.p, digest.n);
    }
    chop_err e = rc == SQLITE_ROW || rc == SQLITE_DONE ? NULL : failed(s);
    (void)sqlite3_reset(q);
    if (!e) *ret_chain = c;
    return e;
}

static chop_err find(struct store *s, int which, struct arena *mem, struct rules_held *ret_held,
    struct chop_bytes *ret_receipt) {
    sqlite3_stmt *q = s->q[which];
    struct rules_held held = { 0 };
    struct chop_bytes receipt = { 0 };
    int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        struct chop_bytes digest = column_blob(q, 0);
        if (digest.n == sizeof held.digest) memcpy(held.digest, digest.p, digest.n);
        receipt = arena_copy(mem, column_blob(q, 1));
        held.found = true;
    }
    chop_err e = rc == SQLITE_ROW || rc == SQLITE_DONE ? NULL : failed(s);
    (void)sqlite3_reset(q);
    if (!e && arena_failed(mem)) e = CHOP_ERR(EMEMORY);
    if (e) return e;
    *ret_held = held;
    *ret_receipt = receipt;
    return NULL;
}

chop_err store_by_key(struct store *s, const char *key, struct arena *mem, struct rules_held *ret_held,
    struct chop_bytes *ret_receipt) {
    bind_text(s->q[Q_BY_KEY], 1, key);
    return find(s, Q_BY_KEY, mem, ret_held, ret_receipt);
}

chop_err store_by_seq(struct store *s, const char *seal_id, uint64_t seq, struct arena *mem,
    struct rules_held *ret_held, struct chop_bytes *ret_receipt) {
    bind_text(s->q[Q_BY_SEQ], 1, seal_id);
    bind_int(s->q[Q_BY_SEQ], 2, (int64_t)seq);
    return find(s, Q_BY_SEQ, mem, ret_held, ret_receipt);
}

static const char *column_text(sqlite3_stmt *q, int i, struct arena *mem) {
    return arena_str(mem, (const char *)sqlite3_column_text(q, i));
}

static struct store_filing read_filing(sqlite3_stmt *q, struct arena *mem) {
    return (struct store_filing){
        .number = column_text(q, 0, mem),
        .key = column_text(q, 1, mem),
        .fact_id = column_text(q, 2, mem),
        .kind = column_text(q, 3, mem),
        .seal_id = column_text(q, 4, mem),
        .seq = (uint64_t)sqlite3_column_int64(q, 5),
        .seal_name = column_text(q, 6, mem),
        .organization = column_text(q, 7, mem),
        .member = column_text(q, 8, mem),
        .digest = arena_copy(mem, column_blob(q, 9)),
        .at = sqlite3_column_int64(q, 10),
        .received_at = sqlite3_column_int64(q, 11),
    };
}

static chop_err list(struct store *s, int which, uint32_t limit, struct arena *mem, struct store_filing **ret_list,
    size_t *ret_n) {
    sqlite3_stmt *q = s->q[which];
    bind_int(q, 3, limit);
    struct store_filing *all = ARENA_ARRAY(mem, struct store_filing, limit ? limit : 1);
    if (!all) return CHOP_ERR(EMEMORY);
    size_t n = 0;
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && n < limit) all[n++] = read_filing(q, mem);
    chop_err e = rc == SQLITE_DONE || rc == SQLITE_ROW ? NULL : failed(s);
    (void)sqlite3_reset(q);
    if (!e && arena_failed(mem)) e = CHOP_ERR(EMEMORY);
    if (e) return e;
    *ret_list = all;
    *ret_n = n;
    return NULL;
}

chop_err store_list(struct store *s, const char *seal_id, const char *after, uint32_t limit, struct arena *mem,
    struct store_filing **ret_list, size_t *ret_n) {
    int which = seal_id[0] ? Q_LIST_SEAL : Q_LIST;
    if (seal_id[0]) bind_text(s->q[which], 1, seal_id);
    bind_text(s->q[which], 2, after);
    return list(s, which, limit, mem, ret_list, ret_n);
}

chop_err store_latest(struct store *s, uint32_t limit, struct arena *mem, struct store_filing **ret_list,
    size_t *ret_n) {
    return list(s, Q_LATEST, limit, mem, ret_list, ret_n);
}

static chop_err one_int(struct store *s, int which, uint64_t *ret_n) {
    int rc = sqlite3_step(s->q[which]);
    if (rc == SQLITE_ROW) *ret_n = (uint64_t)sqlite3_column_int64(s->q[which], 0);
    chop_err e = rc == SQLITE_ROW ? NULL : failed(s);
    (void)sqlite3_reset(s->q[which]);
    return e;
}

chop_err store_count(struct store *s, uint64_t *ret_count) {
    return one_int(s, Q_TOTAL, ret_count);
}

/* ---- writing ---- */

chop_err store_take_number(struct store *s, const char *day, uint64_t *ret_number) {
    bind_text(s->q[Q_NUMBER], 1, day);
    return one_int(s, Q_NUMBER, ret_number);
}

chop_err store_add(struct store *s, const struct store_filing *f) {
    sqlite3_stmt *q = s->q[Q_ADD];
    const char *const texts[] = { f->number, f->key, f->fact_id, f->kind, f->seal_id };
    for (int i = 0; i < 5; i++) bind_text(q, i + 1, texts[i]);
    bind_int(q, 6, (int64_t)f->seq);
    bind_text(q, 7, f->seal_name);
    bind_text(q, 8, f->organization);
    bind_text(q, 9, f->member);
    bind_blob(q, 10, f->digest);
    bind_blob(q, 11, f->fact);
    bind_blob(q, 12, f->receipt);
    bind_int(q, 13, f->at);
    bind_int(q, 14, f->received_at);
    TRY(run(s, Q_ADD));
    q = s->q[Q_CHAIN_PUT];
    bind_text(q, 1, f->seal_id);
    bind_int(q, 2, (int64_t)f->seq);
    bind_blob(q, 3, f->next);
    return run(s, Q_CHAIN_PUT);
}

/* ---- orders ---- */

chop_err store_order_last(struct store *s, uint64_t *ret_sequence) {
    return one_int(s, Q_ORDER_LAST, ret_sequence);
}

chop_err store_order_add(struct store *s, const struct store_order *o) {
    sqlite3_stmt *q = s->q[Q_ORDER_ADD];
    bind_int(q, 1, (int64_t)o->sequence);
    bind_text(q, 2, o->order_id);
    bind_blob(q, 3, o->packed);
    return run(s, Q_ORDER_ADD);
}

static chop_err read_orders(struct store *s, int which, uint32_t limit, struct arena *mem, struct store_order *all,
    size_t *ret_n) {
    sqlite3_stmt *q = s->q[which];
    size_t n = 0;
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW && n < limit)
        all[n++] = (struct store_order){ (uint64_t)sqlite3_column_int64(q, 0), column_text(q, 1, mem),
            arena_copy(mem, column_blob(q, 2)) };
    chop_err e = rc == SQLITE_DONE || rc == SQLITE_ROW ? NULL : failed(s);
    (void)sqlite3_reset(q);
    if (!e && arena_failed(mem)) e = CHOP_ERR(EMEMORY);
    if (!e) *ret_n = n;
    return e;
}

chop_err store_order_by_id(struct store *s, const char *order_id, struct arena *mem, bool *ret_found,
    struct store_order *ret_order) {
    struct store_order one;
    size_t n;
    bind_text(s->q[Q_ORDER_BY_ID], 1, order_id);
    TRY(read_orders(s, Q_ORDER_BY_ID, 1, mem, &one, &n));
    *ret_found = n > 0;
    if (n > 0) *ret_order = one;
    return NULL;
}

chop_err store_order_list(struct store *s, uint64_t after, uint32_t limit, struct arena *mem,
    struct store_order **ret_list, size_t *ret_n) {
    struct store_order *all = ARENA_ARRAY(mem, struct store_order, limit ? limit : 1);
    if (!all) return CHOP_ERR(EMEMORY);
    bind_int(s->q[Q_ORDER_LIST], 1, (int64_t)after);
    bind_int(s->q[Q_ORDER_LIST], 2, limit);
    TRY(read_orders(s, Q_ORDER_LIST, limit, mem, all, ret_n));
    *ret_list = all;
    return NULL;
}
