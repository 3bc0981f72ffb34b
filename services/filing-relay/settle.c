#include "settle.h"

#include "metrics.h"

#include <string.h>

#define BACKFILL_MOST 500
#define GAPS_MOST 5 /* in a row: the registry does not keep what it is given */

/* ---- claiming ---- */

static chop_err claim_lanes(struct call *c, size_t n, int64_t lease_ms, struct batch *b) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "lanes_claim", T_(b->registry->name), I_(c->now), I_(n), I_(c->now + lease_ms)));
    b->n_lanes = db_count(rows);
    b->lanes = ARENA_ARRAY(c->mem, struct lane_claim, b->n_lanes + 1);
    if (!b->lanes) return CHOP_ERR(EMEMORY);
    b->seals = "";
    for (size_t i = 0; i < b->n_lanes; i++) {
        b->lanes[i] = (struct lane_claim){ .seal_id = db_text(rows, i, 0), .fence = db_int(rows, i, 1) };
        b->seals = arena_printf(c->mem, "%s%s%s", b->seals, i ? "," : "", b->lanes[i].seal_id);
    }
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

static struct lane_claim *lane_of(struct batch *b, const char *seal_id) {
    for (size_t i = 0; i < b->n_lanes; i++)
        if (strcmp(b->lanes[i].seal_id, seal_id) == 0) return &b->lanes[i];
    return NULL;
}

static chop_err claim_filings(struct call *c, struct batch *b) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "filings_claim", T_(b->registry->name), T_(b->seals), I_(RUN_MOST)));
    b->filings = ARENA_ARRAY(c->mem, struct filing_claim, db_count(rows) + 1);
    if (!b->filings) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(rows); i++) {
        struct filing_claim f = {
            .filing_id = db_text(rows, i, 0),
            .was = db_text(rows, i, 1),
            .seal_id = db_text(rows, i, 2),
            .seal_seq = (uint64_t)db_int(rows, i, 3),
            .key = db_text(rows, i, 4),
            .failures = (unsigned)db_int(rows, i, 5),
            .fact_id = db_text(rows, i, 6),
            .digest = db_bytes(rows, i, 7),
            .fact = db_bytes(rows, i, 8),
            .kind = db_text(rows, i, 9),
            .grant_id = db_text(rows, i, 10),
            .number = (uint32_t)db_int(rows, i, 11),
            .organization_id = db_text(rows, i, 12),
            .made_at = db_int(rows, i, 13),
            .fact_seq = (uint64_t)db_int(rows, i, 14),
            .notice = db_bool(rows, i, 15),
        };
        f.lane = lane_of(b, f.seal_id);
        if (!f.lane || f.digest.n != 32) return CHOP_FAIL(EINTERNAL, NULL, "a claimed filing without lane or digest");
        b->filings[b->n_filings++] = f;
    }
    return NULL;
}

chop_err batch_claim(struct call *c, struct registry *g, size_t n, int64_t lease_ms, struct batch *ret_batch) {
    struct batch b = { .registry = g };
    TRY(db_begin(c->db));
    chop_err e = claim_lanes(c, n, lease_ms, &b);
    if (!e && b.n_lanes > 0) e = claim_filings(c, &b);
    if (e || b.n_lanes == 0) {
        db_rollback(c->db);
    } else {
        e = db_commit(c->db);
    }
    if (!e) *ret_batch = b;
    return e;
}

/* ---- settling: receipts ---- */

static chop_err settle_receipt(struct call *c, struct batch *b, struct filing_claim *f) {
    const char *state;
    TRY(fsm_apply(&filing_fsm, "sending", f->notice ? "notice" : "receipt", &state));
    TRY(DB_DO(c->db, "filing_receipt", T_(f->filing_id), I_(f->exchanges), T_(f->receipt->number), B_(f->answer.receipt),
        I_(c->now), T_(state)));
    if (f->notice) return NULL; /* nothing of this seal was filed by it: the notice's own receipt comes in its own place */
    Pb__FilingReceipted e = PB__FILING_RECEIPTED__INIT;
    e.registry = PB_STR(b->registry->name);
    TRY(PB_UNPACK(pb__signed, f->answer.receipt, c->mem, &e.receipt));
    e.fact_id = PB_STR(f->fact_id);
    e.fact_kind = PB_STR(f->kind);
    e.grant_id = PB_STR(f->grant_id);
    e.number = f->number;
    e.seal_id = PB_STR(f->seal_id);
    return outbox_put(c, "filing-relay.filing.receipted", f->seal_id, &e);
}

/* ---- settling: a registry that asks for earlier facts ---- */

static chop_err backfill_one(struct call *c, struct batch *b, const struct db_rows *rows, size_t i) {
    const char *fact = db_text(rows, i, 0), *filing = db_text(rows, i, 1);
    if (!filing[0])
        return DB_DO(c->db, "filings_add", T_(b->registry->name), T_(rpc_new_id(c, "fil")), T_(fact), I_(c->now));
    /* It had receipted this one: it was set back. The same key makes the filing the same. */
    log_line(LOG_ERROR, "registry lost a filing", "registry", b->registry->name, "fact", fact, "number",
        db_text(rows, i, 2), NULL);
    return DB_DO(c->db, "filing_refile", T_(filing), I_(c->now));
}

/* Whether what the registry waits for will now be filed before f. */
static chop_err backfill(struct call *c, struct batch *b, const struct filing_claim *f, bool *ret_will) {
    struct db_rows *rows, *held;
    uint64_t expected = f->answer.expected;
    *ret_will = false;
    if (expected == 0 || expected >= f->seal_seq || f->failures >= GAPS_MOST) return NULL;
    TRY(DB_QUERY(c->db, &held, "fact_held", T_(f->seal_id), I_(expected)));
    if (db_count(held) == 0) return NULL;
    TRY(DB_QUERY(c->db, &rows, "facts_missing", T_(b->registry->name), T_(f->seal_id), I_(expected), I_(f->seal_seq),
        I_(BACKFILL_MOST)));
    for (size_t i = 0; i < db_count(rows); i++) TRY(backfill_one(c, b, rows, i));
    log_line(LOG_WARN, "filing earlier facts", "registry", b->registry->name, "seal", f->seal_id, "from",
        LOG_INT(expected), NULL);
    *ret_will = true;
    return NULL;
}

/* ---- settling: failures ---- */

static chop_err bury(struct call *c, struct batch *b, struct filing_claim *f, const char *error) {
    log_line(LOG_ERROR, "lane stopped", "registry", b->registry->name, "seal", f->seal_id, "filing", f->filing_id, "fact",
        f->fact_id, "error", error, NULL);
    metric_add(b->registry->died, 1);
    Pb__FilingDied e = PB__FILING_DIED__INIT;
    e.registry = PB_STR(b->registry->name);
    e.fact_id = PB_STR(f->fact_id);
    e.grant_id = PB_STR(f->grant_id);
    e.error = PB_STR(error);
    e.seal_id = PB_STR(f->seal_id);
    return outbox_put(c, "filing-relay.filing.died", f->seal_id, &e);
}

static const char *error_text(struct call *c, const struct filing_claim *f) {
    static const char *const names[OUTCOME_COUNT] = { [OUTCOME_LIE] = "EPEER", [OUTCOME_UNREACHED] = "EUNREACHABLE",
        [OUTCOME_LOST] = "ETIMEOUT", [OUTCOME_BUSY] = "EBUSY", [OUTCOME_REFUSED] = "EPEER", [OUTCOME_GAP] = "EPEER",
        [OUTCOME_CONFLICT] = "EPEER", [OUTCOME_NOT_FOUND] = "EPEER" };
    const char *name = names[f->answer.outcome];
    return arena_printf(c->mem, "%s: %.200s", name ? name : "EINTERNAL", f->answer.detail ? f->answer.detail : "");
}

/* A tenth at random, so that lanes that failed together do not come back together. */
static int64_t with_jitter(int64_t ms) {
    uint32_t random;
    chop_random(&random, sizeof random);
    return ms + (int64_t)(random % (uint32_t)(ms / 10 + 1));
}

static chop_err settle_failure(struct call *c, const struct relay *r, struct batch *b, struct filing_claim *f) {
    const char *action = rules_action(f->answer.outcome, f->asking), *state, *error = error_text(c, f);
    int64_t pause = with_jitter(rules_pause(f->failures + 1, r->conf.retry_base_ms));
    if (pause < f->answer.retry_after_s * 1000) pause = f->answer.retry_after_s * 1000;
    if (f->answer.outcome == OUTCOME_GAP && !f->asking) {
        bool will;
        TRY(backfill(c, b, f, &will));
        action = will ? "retry" : "bury";
        pause = 0;
    }
    TRY(fsm_apply(&filing_fsm, "sending", action ? action : "lose", &state));
    if (strcmp(state, "dead") == 0) TRY(bury(c, b, f, error));
    log_line(LOG_WARN, "filing not receipted", "registry", b->registry->name, "filing", f->filing_id, "state", state,
        "error", error, NULL);
    metric_add(b->registry->failed, 1);
    return DB_DO(c->db, "filing_fail", T_(f->filing_id), T_(state), I_(f->exchanges), I_(f->failures + 1), T_(error),
        I_(c->now), I_(c->now + pause));
}

static chop_err settle_one(struct call *c, const struct relay *r, struct batch *b, struct filing_claim *f) {
    if (!f->lane->ours || f->exchanges == 0) return NULL; /* the lease ran out; whoever has the lane now asks what became of it */
    if (f->receipt) return settle_receipt(c, b, f);
    return settle_failure(c, r, b, f);
}

/* ---- the transaction ---- */

static chop_err lock_lanes(struct call *c, struct batch *b) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "lanes_lock", T_(b->registry->name), T_(b->seals)));
    const char *ours = "";
    for (size_t i = 0; i < db_count(rows); i++) {
        struct lane_claim *lane = lane_of(b, db_text(rows, i, 0));
        if (!lane || lane->fence != db_int(rows, i, 1)) continue;
        lane->ours = true;
        ours = arena_printf(c->mem, "%s%s%s", ours, ours[0] ? "," : "", lane->seal_id);
    }
    b->seals = ours;
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

/* What there was no time for, or what waits behind a failure, is what it was. */
static chop_err give_back(struct call *c, struct batch *b) {
    const char *ids = "", *states = "";
    for (size_t i = 0; i < b->n_filings; i++) {
        const struct filing_claim *f = &b->filings[i];
        if (!f->lane->ours || f->exchanges > 0) continue;
        ids = arena_printf(c->mem, "%s%s%s", ids, ids[0] ? "," : "", f->filing_id);
        states = arena_printf(c->mem, "%s%s%s", states, states[0] ? "," : "", f->was);
    }
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    return ids[0] ? DB_DO(c->db, "filings_back", T_(ids), T_(states)) : NULL;
}

static chop_err settle_all(struct call *c, const struct relay *r, struct batch *b) {
    TRY(lock_lanes(c, b));
    TRY(give_back(c, b));
    for (size_t i = 0; i < b->n_filings; i++) TRY(settle_one(c, r, b, &b->filings[i]));
    return DB_DO(c->db, "lanes_settle", T_(b->registry->name), T_(b->seals));
}

chop_err batch_settle(struct call *c, const struct relay *r, struct batch *b) {
    const char *claimed = b->seals;
    for (int tries = 0;; tries++) { /* the consumer locks lanes too, in another order: one of both may have to give way */
        b->seals = claimed;
        for (size_t i = 0; i < b->n_lanes; i++) b->lanes[i].ours = false;
        TRY(db_begin(c->db));
        chop_err e = settle_all(c, r, b);
        if (!e) return db_commit(c->db);
        db_rollback(c->db);
        if (e != CHOP_ERR(ESERIAL) || tries == 5) return e;
    }
}
