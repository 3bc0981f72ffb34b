/* Makes the rows that look-ups read, always from all that is known: so it does not matter which event came first. */
#include "verification.h"

#include <string.h>

#define FILINGS_MAX 64

/* Whether row i of verification_filings concerns this impression. */
static bool filing_concerns(const struct db_rows *r, size_t i, uint32_t number, const char *allotment_id) {
    int64_t of = db_int(r, i, 0);
    const char *allotment = db_text(r, i, 1);
    return (of == 0 || of == number) && (!*allotment || strcmp(allotment, allotment_id) == 0);
}

static chop_err build_filings(struct call *c, const struct db_rows *filings, const char *allotment_id, Pb__Verdict *v) {
    size_t n = db_count(filings), used = 0;
    Pb__FilingState *rows = ARENA_ARRAY(c->mem, Pb__FilingState, FILINGS_MAX);
    v->filings = ARENA_ARRAY(c->mem, Pb__FilingState *, FILINGS_MAX);
    if (!rows || !v->filings) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < n && used < FILINGS_MAX; i++) {
        if (!filing_concerns(filings, i, v->number, allotment_id)) continue;
        Pb__FilingState *f = &rows[used];
        pb__filing_state__init(f);
        f->registry = PB_STR(db_text(filings, i, 3));
        f->state = PB_STR(db_bool(filings, i, 6) ? "filed" : "pending");
        f->number = PB_STR(db_text(filings, i, 4));
        f->at = db_int(filings, i, 5);
        f->fact = PB_STR(db_text(filings, i, 2));
        v->filings[used++] = f;
    }
    v->n_filings = used;
    return NULL;
}

static chop_err build_one(
    struct call *c, const char *grant_id, const struct db_rows *r, size_t i, const struct db_rows *filings) {
    Pb__Verdict *v;
    struct chop_bytes packed;
    TRY(PB_UNPACK(pb__verdict, db_bytes(r, i, 4), c->mem, &v));
    enum outcome state = (enum outcome)db_int(r, i, 7);
    v->printed_at = db_int(r, i, 8);
    v->replaced_by = (uint32_t)db_int(r, i, 10);
    TRY(build_filings(c, filings, db_text(r, i, 6), v));
    TRY(pb_pack(v, c->mem, &packed));
    int64_t flags = db_int(r, i, 11) | (db_bool(r, i, 9) ? MARK_DOUBTFUL : 0);
    return DB_DO(c->db, "verification_mark_put", T_(db_text(r, i, 0)), T_(grant_id), T_(db_text(r, i, 6)),
        T_(db_text(r, i, 1)), I_(state), I_(flags), I_(db_int(r, i, 2)), B_(db_bytes(r, i, 3)), B_(packed));
}

chop_err build_rows(struct call *c, const char *grant_id, uint32_t number) {
    struct db_rows *r, *filings;
    TRY(DB_QUERY(c->db, &r, "verification_build", T_(grant_id), I_(number)));
    if (db_count(r) == 0) return NULL;
    TRY(DB_QUERY(c->db, &filings, "verification_filings", T_(grant_id), I_(number)));
    for (size_t i = 0; i < db_count(r); i++)
        TRY(build_one(c, grant_id, r, i, filings));
    return NULL;
}
