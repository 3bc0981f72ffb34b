/* Registries' orders. The event confers no authority: the order is the registry's by its signature, applies once, and
 * through the same machines and locks as a member's act. What it may not do is recorded, filed and told, never retried.
 */
#include <string.h>

#include "auth.h"
#include "filing.pb-c.h"
#include "log.h"
#include "metrics.h"
#include "outbox.h"

#define CLOCK_SKEW_MS ((int64_t)5 * 60 * 1000)
#define MAX_ID 64
#define MAX_REASON 500

struct order {
    const Pb__Signed *statement;
    Pb__RegistryOrder *m;
    const char *organization_id; /* of the registry's key; "" for all */
    struct chop_bytes packed;
    uint8_t digest[32]; /* of the payload */
    bool has_seal;      /* one that the registry may order about; its row is locked */
    struct seal seal;
};

/* Errors of the store are tried again; anything else is the order's own fault and will never get better. */
static bool is_trouble(chop_err e) {
    return e && (e->retryable || e == CHOP_ERR(EINTERNAL));
}

static chop_err ignore(struct call *c, const Pb__OrderReceived *in, const char *why) {
    metric_add(auth_of(c)->refused, 1);
    log_line(LOG_ERROR, "order ignored", "registry", in->registry, "why", why, "detail", chop_detail_text(), NULL);
    chop_detail_clear();
    return NULL;
}

/* ---- whose order it is ---- */

static chop_err check_fields(const struct call *c, const Pb__RegistryOrder *m) {
    if (!*m->order_id || strlen(m->order_id) > MAX_ID) return CHOP_FAIL(EINVAL, "order_id", "has 1 to 64 bytes");
    if (strlen(m->seal_id) > MAX_ID || strlen(m->seal_code) > MAX_ID || strlen(m->grant_id) > MAX_ID ||
        strlen(m->action) > MAX_ID || strlen(m->reason) > MAX_REASON)
        return CHOP_FAIL(ELIMIT, NULL, "a text is too long");
    if (m->number > INT32_MAX || m->sequence > INT64_MAX) return CHOP_FAIL(EINVAL, "number", "is too large");
    if (m->at > c->now + CLOCK_SKEW_MS) return CHOP_FAIL(EMISMATCH, "at", "the order is of the future");
    return NULL;
}

/* Its key must be in force now: one that ran out, or was given up, commands nothing, whatever date it writes. */
static chop_err order_verify(struct call *c, const Pb__OrderReceived *in, struct order *o) {
    const Pb__KeyEntry *entry;
    if (!in->order) return CHOP_FAIL(EINVAL, NULL, "the event carries no order");
    TRY(trust_verify(c->trust, in->order, "registry-order", c->now, &entry));
    TRY(PB_UNPACK(pb__registry_order, PB_BYTES(in->order->payload), c->mem, &o->m));
    if (strcmp(entry->name, o->m->registry) != 0 || strcmp(in->registry, o->m->registry) != 0)
        return CHOP_FAIL(EMISMATCH, "registry", "the order is another registry's");
    TRY(check_fields(c, o->m));
    TRY(pb_pack(in->order, c->mem, &o->packed));
    crypto_sha256(PB_BYTES(in->order->payload), o->digest);
    o->statement = in->order;
    o->organization_id = entry->organization_id;
    return NULL;
}

static chop_err order_find_seal(struct call *c, struct order *o) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "order_seal", T_(o->m->seal_id), T_(o->m->seal_code)));
    if (db_count(r) != 1) return CHOP_FAIL(ENOTFOUND, "seal_id", "no such seal");
    const char *organization_id = db_text(r, 0, 1);
    if (*o->organization_id && strcmp(o->organization_id, organization_id) != 0)
        return CHOP_FAIL(EDENIED, "seal_id", "the registry is another organization's");
    TRY(seal_load(c, "seal_lock", db_text(r, 0, 0), organization_id, &o->seal));
    if ((*o->m->seal_id && strcmp(o->m->seal_id, o->seal.seal_id) != 0) ||
        (*o->m->seal_code && strcmp(o->m->seal_code, o->seal.code) != 0))
        return CHOP_FAIL(EMISMATCH, "seal_code", "id and code are not one seal's");
    o->has_seal = true;
    return NULL;
}

static chop_err order_add(struct call *c, const struct order *o, bool *ret_new) {
    const Pb__RegistryOrder *m = o->m;
    struct db_rows *same;
    int64_t added;
    TRY(DB_DO_COUNT(c->db, &added, "order_add", T_(m->registry), T_(m->order_id), I_(m->sequence),
        T_(o->has_seal ? o->seal.seal_id : ""), T_(m->action), B_(CHOP_BYTES(o->digest, 32)), B_(o->packed),
        I_(c->now)));
    *ret_new = added == 1;
    if (*ret_new) return NULL;
    TRY(DB_QUERY(c->db, &same, "order_same", T_(m->registry), T_(m->order_id), B_(CHOP_BYTES(o->digest, 32))));
    if (!db_count(same))
        log_line(LOG_ERROR, "order id used twice", "registry", m->registry, "order", m->order_id, NULL);
    return NULL;
}

/* ---- what it does ---- */

static chop_err fact_by_order(struct call *c, const struct order *o, struct fact *f) {
    Pb__FactStatement *m = &f->statement;
    struct chop_bytes digest = arena_copy(c->mem, CHOP_BYTES(o->digest, 32));
    m->member_id = arena_printf(c->mem, "registry:%s", o->m->registry);
    m->member_name = o->m->registry;
    m->evidence_digest = PB_BIN(digest);
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

static chop_err move_holds(struct call *c, const struct order *o, const struct order_effect *x) {
    const char *seal_id = o->seal.seal_id;
    if (x->release) TRY(DB_DO(c->db, "hold_end", T_(seal_id), T_(o->m->registry)));
    if (x->unit) TRY(DB_DO(c->db, "hold_add", T_(seal_id), T_(""), T_(o->m->order_id), I_(c->now)));
    if (x->hold) TRY(DB_DO(c->db, "hold_add", T_(seal_id), T_(o->m->registry), T_(o->m->order_id), I_(c->now)));
    return NULL;
}

/* Printing is blocked at once, as by a member's act: every print act reads the seal's state under this row's lock. */
static chop_err seal_apply(struct call *c, struct order *o, const struct order_effect *x) {
    struct fact f = fact_new("seal-state");
    struct seal *s = &o->seal;
    int64_t moved;
    TRY(DB_DO_COUNT(c->db, &moved, "seal_change", T_(s->seal_id), T_(s->state), T_(x->next), T_(s->filing_number)));
    if (moved != 1) return CHOP_FAIL(ESERIAL, NULL, "the seal changed meanwhile");
    TRY(move_holds(c, o, x));
    s->state = x->next;
    s->version++;
    TRY(fact_by_order(c, o, &f));
    return seal_tell(c, s, &f, o->m->reason, o->m->order_id);
}

static chop_err order_seal(struct call *c, struct order *o, chop_err *ret_refused) {
    struct order_effect x;
    const char **holders;
    size_t n;
    TRY(seal_holders(c, o->seal.seal_id, &holders, &n));
    *ret_refused = rules_seal_order(o->m->action, o->seal.state, o->m->registry, holders, n, &x);
    return *ret_refused ? NULL : seal_apply(c, o, &x);
}

static chop_err impression_judge(struct call *c, const struct order *o, struct spot *s, const char **ret_next) {
    TRY(spot_lock(c, o->m->grant_id, o->m->number, o->seal.organization_id, s));
    if (strcmp(s->seal.seal_id, o->seal.seal_id) != 0)
        return CHOP_FAIL(EMISMATCH, "grant_id", "the impression is another seal's");
    return fsm_apply(&number_fsm, s->number->state, "revoke", ret_next);
}

static chop_err order_impression(struct call *c, struct order *o, chop_err *ret_refused) {
    struct spot s;
    struct fact f;
    const char *next;
    chop_err e = impression_judge(c, o, &s, &next);
    if (is_trouble(e)) return e;
    *ret_refused = e;
    if (e) return NULL;
    TRY(spot_fact(c, "impression-revoked", &s, o->m->reason, &f));
    TRY(fact_by_order(c, o, &f));
    return spot_revoke(c, &s, &f, next, o->m->reason, o->m->registry, o->m->order_id);
}

/* ---- what it may not do: recorded, and filed where its seal is known, so that the registry learns it too ---- */

static chop_err order_refuse(struct call *c, struct order *o, chop_err why) {
    const Pb__RegistryOrder *m = o->m;
    const char *error = arena_printf(c->mem, "%s: %.200s", why->name, chop_detail_text());
    struct fact f = fact_new("order-refused");
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    metric_add(auth_of(c)->refused, 1);
    log_line(LOG_ERROR, "order refused", "registry", m->registry, "order", m->order_id, "action", m->action, "seal",
        o->has_seal ? o->seal.seal_id : "", "error", error, NULL);
    chop_detail_clear();
    TRY(DB_DO(c->db, "order_refuse", T_(m->registry), T_(m->order_id), T_(error)));
    if (!o->has_seal) return NULL;
    f.statement.detail = arena_printf(c->mem, "%s: %s", m->action, error);
    TRY(fact_by_order(c, o, &f));
    return fact_file(c, &f, &o->seal, m->order_id);
}

static chop_err order_take(struct call *c, struct order *o) {
    bool fresh;
    chop_err e = order_find_seal(c, o), refused = e;
    if (is_trouble(e)) return e;
    const char *why = e ? arena_str(c->mem, chop_detail_text()) : "";
    TRY(order_add(c, o, &fresh));
    if (!fresh) return NULL; /* applied or refused before */
    if (e) {
        refused = CHOP_FAIL(ENOTFOUND, NULL, "%s", why);
    } else if (strcmp(o->m->action, "revoke_impression") == 0) {
        TRY(order_impression(c, o, &refused));
    } else {
        TRY(order_seal(c, o, &refused));
    }
    if (refused) return order_refuse(c, o, refused);
    log_line(LOG_WARN, "order applied", "registry", o->m->registry, "order", o->m->order_id, "action", o->m->action,
        "seal", o->seal.seal_id, NULL);
    chop_failpoint("authorization.order.before");
    return NULL;
}

chop_err order_event(struct call *c, const void *message, const Pb__Event *event) {
    const Pb__OrderReceived *in = message;
    struct order *o = ARENA_NEW(c->mem, struct order);
    (void)event;
    if (!o) return CHOP_ERR(EMEMORY);
    chop_detail_clear();
    chop_err e = order_verify(c, in, o);
    if (is_trouble(e)) return e;
    if (e) return ignore(c, in, e->name);
    return order_take(c, o);
}
