/* The calls: what is filed where, and sending a dead letter again. */
#include "relay.h"
#include "rules.h"

#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MOST 200

/* ---- ListRegistries ---- */

static void count_lanes(const struct db_rows *rows, Pb__Registry *g) {
    for (size_t i = 0; i < db_count(rows); i++) {
        if (strcmp(db_text(rows, i, 0), g->name) != 0) continue;
        g->waiting = (uint32_t)db_int(rows, i, 1);
        g->lanes_stopped = (uint32_t)db_int(rows, i, 2);
    }
}

HANDLER(list_registries, Pb__Empty, Pb__ListRegistriesReply) {
    const struct relay *r = c->service;
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "registries_count", T_(c->who->organization_id)));
    out->registries = ARENA_ARRAY(c->mem, Pb__Registry *, r->n_registries + 1);
    if (!out->registries) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < r->n_registries; i++) {
        const struct registry *g = &r->registries[i];
        if (!registry_serves(g, c->who->organization_id)) continue;
        Pb__Registry *one = PB_NEW(c->mem, Pb__Registry, pb__registry);
        if (!one) return CHOP_ERR(EMEMORY);
        one->name = PB_STR(g->name);
        one->title = PB_STR(g->title);
        one->url = PB_STR(g->url);
        one->adapter = PB_STR("webhook");
        one->organization_id = PB_STR(g->organization_id);
        count_lanes(rows, one);
        out->registries[out->n_registries++] = one;
    }
    return NULL;
}

/* ---- ListFilings ---- */

static chop_err read_filing(struct call *c, const struct db_rows *rows, size_t i, Pb__Filing *f) {
    struct chop_bytes receipt = db_bytes(rows, i, 10);
    f->filing_id = PB_STR(db_text(rows, i, 0));
    f->registry = PB_STR(db_text(rows, i, 1));
    f->fact_id = PB_STR(db_text(rows, i, 2));
    f->fact_kind = PB_STR(db_text(rows, i, 3));
    f->seal_id = PB_STR(db_text(rows, i, 4));
    f->seal_seq = (uint64_t)db_int(rows, i, 5);
    f->state = PB_STR(db_text(rows, i, 6));
    f->attempts = (uint32_t)db_int(rows, i, 7);
    f->last_error = PB_STR(db_text(rows, i, 8));
    f->number = PB_STR(db_text(rows, i, 9));
    f->at = db_int(rows, i, 11);
    f->next_at = db_int(rows, i, 12);
    f->grant_id = PB_STR(db_text(rows, i, 13));
    f->impression_number = (uint32_t)db_int(rows, i, 14);
    f->organization_id = PB_STR(db_text(rows, i, 15));
    return receipt.n ? PB_UNPACK(pb__signed, receipt, c->mem, &f->receipt) : NULL;
}

HANDLER(list_filings, Pb__ListFilingsRequest, Pb__ListFilingsReply) {
    if (!in->grant_id[0]) TRY(rpc_need_role(c, "admin,auditor"));
    TRY(rpc_check_int("limit", in->limit, 0, LIMIT_MOST));
    int64_t limit = in->limit ? in->limit : LIMIT_DEFAULT;
    struct db_rows *rows;
    /* By what narrows it most: plans do not look at the values. */
    const char *query = in->grant_id[0] ? "filings_of_grant" : in->seal_id[0] ? "filings_of_seal" : "filings_list";
    TRY(DB_QUERY(c->db, &rows, query, T_(c->who->organization_id), T_(in->grant_id), T_(in->seal_id),
        T_(in->registry), T_(in->state), T_(in->after), I_(limit)));
    out->filings = ARENA_ARRAY(c->mem, Pb__Filing *, db_count(rows) + 1);
    if (!out->filings) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(rows); i++) {
        out->filings[i] = PB_NEW(c->mem, Pb__Filing, pb__filing);
        if (!out->filings[i]) return CHOP_ERR(EMEMORY);
        TRY(read_filing(c, rows, i, out->filings[i]));
        out->n_filings++;
    }
    return NULL;
}

/* ---- ReplayFiling: the same filing under the same key; its lane goes on behind it ---- */

HANDLER(replay_filing, Pb__ReplayFilingRequest, Pb__Filing) {
    TRY(rpc_need_role(c, "admin,auditor"));
    TRY(rpc_check_id("filing_id", in->filing_id, "fil"));
    TRY(rpc_check_len("reason", in->reason, 1, 500));
    struct db_rows *rows, *lane;
    TRY(DB_ONE(c->db, &rows, "filing_find", T_(in->filing_id), T_(c->who->organization_id)));
    const char *registry = db_text(rows, 0, 1), *seal = db_text(rows, 0, 4), *next;
    TRY(DB_ONE(c->db, &lane, "lanes_lock", T_(registry), T_(seal))); /* lanes before filings, as everywhere */
    TRY(fsm_apply(&filing_fsm, db_text(rows, 0, 6), "replay", &next));
    int64_t changed;
    TRY(DB_DO_COUNT(c->db, &changed, "filing_replay", T_(in->filing_id), T_(next), I_(c->now)));
    if (changed == 0) return CHOP_ERR(ESERIAL);
    TRY(DB_DO(c->db, "replay_add", T_(in->filing_id), T_(c->who->member_id), T_(c->who->member_name), T_(in->reason),
        T_(db_text(rows, 0, 8)), I_(c->now)));
    TRY(DB_DO(c->db, "lane_resume", T_(registry), T_(seal), I_(c->now)));
    log_line(LOG_WARN, "lane resumed", "registry", registry, "seal", seal, "filing", in->filing_id, "by",
        c->who->member_id, NULL);
    TRY(DB_ONE(c->db, &rows, "filing_find", T_(in->filing_id), T_(c->who->organization_id)));
    senders_hint(c->service);
    return read_filing(c, rows, 0, out);
}

const struct rpc_method relay_methods[] = {
    RPC(ListRegistries, list_registries, RPC_MEMBER | RPC_READ),
    RPC(ListFilings, list_filings, RPC_MEMBER | RPC_READ),
    RPC(ReplayFiling, replay_filing, RPC_MEMBER),
    RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC_END,
};
