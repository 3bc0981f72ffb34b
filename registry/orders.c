#include "orders.h"

#include "conf.h"
#include "log.h"
#include "pb.h"
#include "pbjson.h"

#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MOST 100 /* of some 1 KiB each: a page stays far below what a relay takes */
#define TEXT_MOST 64
#define REASON_MOST 500
#define TOKEN_LEAST 24
#define TOKEN_MOST 1024

chop_err orders_token_load(const char *path, char **ret_token) {
    CHOP_FREE char *text = NULL;
    struct stat st;
    size_t n;
    if (stat(path, &st) != 0 || (st.st_mode & 077) != 0)
        return CHOP_FAIL(EINVAL, NULL, "%s: missing, or others may read it", path);
    TRY(conf_read_file(path, TOKEN_MOST, &text, &n));
    text[strcspn(text, " \r\n\t")] = 0;
    if (strlen(text) < TOKEN_LEAST)
        return CHOP_FAIL(EINVAL, NULL, "%s: a token has at least %d letters", path, TOKEN_LEAST);
    *ret_token = text;
    text = NULL;
    return NULL;
}

bool orders_may_enter(const struct orders *o, const char *authorization) {
    static const char bearer[] = "Bearer ";
    if (!o->token) return true;
    if (!authorization || strncmp(authorization, bearer, sizeof bearer - 1) != 0) return false;
    const char *said = authorization + sizeof bearer - 1;
    size_t n = strlen(o->token);
    return strlen(said) == n && crypto_equal(said, o->token, n);
}

/* ---- entering ---- */

static bool action_known(const char *action) {
    static const char *const known[] = { "suspend", "resume", "report_lost", "revoke", "revoke_impression" };
    for (size_t i = 0; i < CHOP_COUNT(known); i++)
        if (strcmp(known[i], action) == 0) return true;
    return false;
}

static const char *wrong(const Pb__RegistryOrder *m) {
    bool impression = strcmp(m->action, "revoke_impression") == 0;
    size_t code = strlen(m->seal_code);
    if (!action_known(m->action)) return "action: suspend, resume, report_lost, revoke or revoke_impression";
    if (!m->seal_id[0] && !code) return "seal_id or seal_code is wanted";
    if (code && (code != 13 || strspn(m->seal_code, "0123456789") != 13)) return "seal_code has 13 digits";
    if (strlen(m->order_id) > TEXT_MOST || strlen(m->seal_id) > TEXT_MOST || strlen(m->grant_id) > TEXT_MOST)
        return "an id has at most 64 bytes";
    if (impression != (m->grant_id[0] && m->number > 0)) return "grant_id and number belong to revoke_impression";
    if (!m->reason[0] || strlen(m->reason) > REASON_MOST) return "reason has 1 to 500 bytes";
    return NULL;
}

static struct reads_answer refused(struct arena *mem, int status, const char *code, const char *detail) {
    return reads_refusal(mem, status, code, detail, 0);
}

static struct reads_answer held(struct arena *mem, uint64_t sequence, struct chop_bytes packed) {
    Pb__HeldOrder h = PB__HELD_ORDER__INIT;
    struct reads_answer a = { .status = 200, .type = "application/json" };
    h.sequence = sequence;
    h.order = PB_BIN(packed);
    return pbjson_print(&h, mem, &a.body) ? refused(mem, 503, "unavailable", "try again later") : a;
}

/* Whether the order that is kept under this id says what is asked now. */
static chop_err same_order(
    const struct store_order *kept, const Pb__RegistryOrder *asked, struct arena *mem, bool *ret_same) {
    Pb__Signed *s;
    Pb__RegistryOrder *m;
    struct chop_bytes a, b;
    TRY(PB_UNPACK(pb__signed, kept->packed, mem, &s));
    TRY(PB_UNPACK(pb__registry_order, PB_BYTES(s->payload), mem, &m));
    Pb__RegistryOrder now = *asked;
    now.registry = m->registry;
    now.sequence = m->sequence;
    now.at = m->at;
    TRY(pb_pack(m, mem, &a));
    TRY(pb_pack(&now, mem, &b));
    *ret_same = chop_bytes_equal(a, b);
    return NULL;
}

/* The sequence stands in what is signed, so number, signature and row are one transaction. */
static chop_err sign_and_add(
    const struct orders *o, struct store *s, Pb__RegistryOrder *m, struct arena *mem, struct store_order *ret_order) {
    struct store_order row = { .order_id = m->order_id };
    struct chop_bytes payload;
    uint64_t last;
    TRY(store_order_last(s, &last));
    m->sequence = row.sequence = last + 1;
    m->registry = PB_STR(o->name);
    m->at = chop_now_ms();
    TRY(pb_pack(m, mem, &payload));
    TRY(trust_sign_packed(o->key, NULL, "registry-order", payload, mem, &row.packed));
    TRY(store_order_add(s, &row));
    *ret_order = row;
    return NULL;
}

static chop_err enter(const struct orders *o, struct store *s, Pb__RegistryOrder *m, struct arena *mem,
    struct store_order *ret_order, bool *ret_same) {
    bool found;
    *ret_same = true;
    TRY(store_order_by_id(s, m->order_id, mem, &found, ret_order));
    return found ? same_order(ret_order, m, mem, ret_same) : sign_and_add(o, s, m, mem, ret_order);
}

static chop_err enter_durably(const struct orders *o, struct store *s, Pb__RegistryOrder *m, struct arena *mem,
    struct store_order *ret_order, bool *ret_same) {
    TRY(store_begin(s));
    chop_err e = enter(o, s, m, mem, ret_order, ret_same);
    if (!e) e = store_commit(s);
    if (e) store_rollback(s);
    return e;
}

struct reads_answer orders_enter(const struct orders *o, struct store *s, struct chop_bytes body, struct arena *mem) {
    Pb__RegistryOrder *m;
    struct store_order row;
    char id[CHOP_ID_MAX];
    bool same;
    if (pbjson_read(&pb__registry_order__descriptor, body, &PBJSON_LIMITS, mem, &m))
        return refused(
            mem, 400, "bad_request", "wanted: {\"order_id\", \"seal_id\" or \"seal_code\", \"action\", \"reason\"}");
    const char *why = wrong(m);
    if (why) return refused(mem, 400, "bad_request", why);
    if (!m->order_id[0]) {
        chop_id_new("ord", id);
        m->order_id = id;
    }
    chop_err e = enter_durably(o, s, m, mem, &row, &same);
    if (e) {
        log_error("order not entered", e);
        return refused(mem, 503, "unavailable", "try again later");
    }
    if (!same) return refused(mem, 409, "conflict", "another order has this order_id");
    log_line(LOG_WARN, "order entered", "order", m->order_id, "action", m->action, "seal", m->seal_id, "code",
        m->seal_code, "sequence", LOG_INT(row.sequence), NULL);
    return held(mem, row.sequence, row.packed);
}

/* ---- handing out ---- */

static uint64_t number_of(const char *text, uint64_t fallback, uint64_t most) {
    uint64_t n = text ? strtoull(text, NULL, 10) : fallback;
    return n > most ? most : n;
}

static chop_err read_page(struct store *s, uint64_t after, uint32_t limit, struct arena *mem, Pb__HeldOrders *all) {
    struct store_order *list;
    TRY(store_order_last(s, &all->last));
    TRY(store_order_list(s, after, limit, mem, &list, &all->n_orders));
    all->orders = ARENA_ARRAY(mem, Pb__HeldOrder *, all->n_orders + 1);
    if (!all->orders) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < all->n_orders; i++) {
        all->orders[i] = PB_NEW(mem, Pb__HeldOrder, pb__held_order);
        if (!all->orders[i]) return CHOP_ERR(EMEMORY);
        all->orders[i]->sequence = list[i].sequence;
        all->orders[i]->order = PB_BIN(list[i].packed);
    }
    return NULL;
}

struct reads_answer orders_list(struct store *s, const char *after, const char *limit, struct arena *mem) {
    Pb__HeldOrders all = PB__HELD_ORDERS__INIT;
    struct reads_answer a = { .status = 200, .type = "application/json" };
    uint32_t n = (uint32_t)number_of(limit, LIMIT_DEFAULT, LIMIT_MOST);
    chop_err e = read_page(s, number_of(after, 0, INT64_MAX), n ? n : LIMIT_DEFAULT, mem, &all);
    if (!e) e = pbjson_print(&all, mem, &a.body);
    return e ? refused(mem, 503, "unavailable", "try again later") : a;
}
