/* authorization.fact.filed: one filing per registry concerned, in the event's transaction. */
#include "metrics.h"
#include "relay.h"
#include "rules.h"

#include <string.h>

/* The fact's key must be valid now, or have been when the fact was made. An error holds the partition, loudly: to pass over
 * a fact would lose a filing. */
static chop_err verify(struct call *c, const Pb__Signed *s, Pb__FactStatement **ret_fact) {
    if (!s) return CHOP_FAIL(EINVAL, "fact", "the event carries none");
    Pb__FactStatement *f;
    chop_err e = trust_verify(c->trust, s, "fact", c->now, NULL);
    if (e && e != CHOP_ERR(EEXPIRED)) return e;
    TRY(PB_UNPACK(pb__fact_statement, PB_BYTES(s->payload), c->mem, &f));
    if (e) TRY(trust_verify(c->trust, s, "fact", f->at, NULL));
    if (!f->fact_id[0] || !f->seal_id[0] || f->seal_seq == 0 || strchr(f->seal_id, ','))
        return CHOP_FAIL(EINVAL, "fact", "fact_id, seal_id or seal_seq is missing");
    *ret_fact = f;
    return NULL;
}

/* ---- which registries ---- */

struct wanted {
    const char *names, *ids; /* joined by commas */
};

static void want(struct call *c, struct wanted *w, const char *name) {
    const char *comma = w->names[0] ? "," : "";
    w->names = arena_printf(c->mem, "%s%s%s", w->names, comma, name);
    w->ids = arena_printf(c->mem, "%s%s%s", w->ids, comma, rpc_new_id(c, "fil"));
}

/* A name that the policy has and the configuration not: the filing waits, visibly, until the registry is configured. */
static void want_named(struct call *c, struct wanted *w, const char *name, const Pb__FactStatement *f) {
    struct registry *g = registries_find(c->service, name);
    if (!rules_name_valid(name) || (g && !registry_serves(g, f->organization_id))) {
        log_line(LOG_ERROR, "registry not for this organization", "registry", name, "fact", f->fact_id, NULL);
        return;
    }
    if (!g) log_line(LOG_ERROR, "registry is not configured", "registry", name, "fact", f->fact_id, NULL);
    want(c, w, name);
}

static struct wanted registries_of(struct call *c, const Pb__FactFiled *in, const Pb__FactStatement *f) {
    struct wanted w = { "", "" };
    const struct relay *r = c->service;
    for (size_t i = 0; i < in->n_registries; i++) want_named(c, &w, in->registries[i], f);
    for (size_t i = 0; in->n_registries == 0 && i < r->n_registries; i++)
        if (registry_serves(&r->registries[i], f->organization_id)) want(c, &w, r->registries[i].name);
    return w;
}

static chop_err add_fact(struct call *c, const Pb__Signed *s, const Pb__FactStatement *f) {
    uint8_t digest[32];
    struct chop_bytes packed;
    TRY(pb_pack(s, c->mem, &packed));
    crypto_sha256(PB_BYTES(s->payload), digest);
    return DB_DO(c->db, "fact_add", T_(f->fact_id), T_(f->organization_id), T_(f->seal_id), I_(f->seal_seq), T_(f->kind),
        T_(f->grant_id), I_(f->number), B_(CHOP_BYTES(digest, 32)), B_(packed), I_(f->at));
}

/* ---- gap notices ---- */

static chop_err skip(struct call *c, const Pb__FactStatement *f, const char *filing_id, const char *was) {
    const char *next;
    int64_t changed;
    if (fsm_apply(&filing_fsm, was, "skip", &next)) {
        log_line(LOG_ERROR, "gap notice without use", "registry", f->gap_registry, "fact", f->gap_fact_id, "state", was, NULL);
        chop_detail_clear();
        return NULL;
    }
    TRY(DB_DO_COUNT(c->db, &changed, "filing_skip", T_(filing_id), T_(next), T_(f->fact_id), I_(c->now)));
    if (changed == 0) return CHOP_ERR(ESERIAL);
    log_line(LOG_WARN, "lane goes on behind a gap", "registry", f->gap_registry, "seal", f->seal_id, "filing", filing_id,
        "notice", f->fact_id, "by", f->member_id, NULL);
    return DB_DO(c->db, "lane_resume", T_(f->gap_registry), T_(f->seal_id), I_(c->now));
}

/* For the registry that it names alone: the notice is sent in the dead filing's place, and the lane goes on behind it. */
static chop_err take_notice(struct call *c, const Pb__FactStatement *f) {
    struct db_rows *lane, *rows;
    if (strcmp(f->kind, "gap") != 0) return NULL;
    TRY(DB_QUERY(c->db, &lane, "lanes_lock", T_(f->gap_registry), T_(f->seal_id))); /* lanes before filings */
    TRY(DB_QUERY(c->db, &rows, "filing_dead", T_(f->gap_registry), T_(f->seal_id), I_(f->gap_seq), T_(f->gap_fact_id)));
    if (db_count(rows) > 0) return skip(c, f, db_text(rows, 0, 0), db_text(rows, 0, 1));
    log_line(LOG_ERROR, "gap notice without use", "registry", f->gap_registry, "fact", f->gap_fact_id, "state", "", NULL);
    return NULL;
}

EVENT_HANDLER(on_fact, Pb__FactFiled) {
    Pb__FactStatement *f;
    TRY(verify(c, in->fact, &f));
    TRY(add_fact(c, in->fact, f));
    struct wanted w = registries_of(c, in, f);
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    if (!w.names[0]) return take_notice(c, f);
    TRY(DB_DO(c->db, "filings_add", T_(w.names), T_(w.ids), T_(f->fact_id), I_(c->now)));
    TRY(DB_DO(c->db, "lanes_wake", T_(w.names), T_(f->seal_id), I_(c->now)));
    TRY(take_notice(c, f));
    chop_failpoint("filing.event.before");
    senders_hint(c->service);
    return NULL;
}

chop_err relay_on_fact(struct call *c, const void *message, const Pb__Event *event) {
    return on_fact(c, message, event);
}
