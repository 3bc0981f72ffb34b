/* Rows as structs, structs as messages. */
#include <string.h>

#include "auth.h"

/* ---- texts ---- */
char *text_join(struct arena *mem, char *const *items, size_t n) {
    size_t length = 1;
    for (size_t i = 0; i < n; i++)
        length += strlen(items[i]) + 1;
    char *out = arena_alloc(mem, length), *p = out;
    for (size_t i = 0; out && i < n; i++) {
        if (i) *p++ = ',';
        p = stpcpy(p, items[i]);
    }
    return out ? out : arena_str(mem, "");
}

char **text_split(struct arena *mem, const char *text, size_t *ret_n) {
    size_t n = 0, room = 1;
    for (const char *p = text; *p; p++)
        room += *p == ',';
    char **list = ARENA_ARRAY(mem, char *, room);
    for (const char *p = text; list && *p;) {
        size_t length = strcspn(p, ",");
        list[n++] = arena_strn(mem, p, length);
        p += length + (p[length] == ',');
    }
    *ret_n = n;
    return list;
}

bool text_has(const char *joined, const char *item) {
    size_t n = strlen(item);
    for (const char *p = joined; *p;) {
        size_t length = strcspn(p, ",");
        if (length == n && memcmp(p, item, n) == 0) return true;
        p += length + (p[length] == ',');
    }
    return false;
}

char **factors_of(struct call *c, const Pb__Proof *p, size_t *ret_n) {
    char **list = ARENA_ARRAY(c->mem, char *, p->n_factors + 1);
    for (size_t i = 0; list && i < p->n_factors; i++)
        list[i] = p->factors[i]->factor;
    *ret_n = list ? p->n_factors : 0;
    return list;
}

/* ---- seals ---- */
chop_err seal_read(struct call *c, const struct db_rows *r, size_t row, int at, struct seal *ret_seal) {
    struct seal s = { .seal_id = db_text(r, row, at),
        .organization_id = db_text(r, row, at + 1),
        .organization_name = db_text(r, row, at + 2),
        .name = db_text(r, row, at + 3),
        .kind = db_text(r, row, at + 4),
        .shape = db_text(r, row, at + 5),
        .width_um = (uint32_t)db_int(r, row, at + 6),
        .height_um = (uint32_t)db_int(r, row, at + 7),
        .code = db_text(r, row, at + 8),
        .state = db_text(r, row, at + 9),
        .filing_number = db_text(r, row, at + 10),
        .artwork_digest = db_bytes(r, row, at + 11),
        .sample_digest = db_bytes(r, row, at + 12),
        .policy_packed = db_bytes(r, row, at + 13),
        .version = (uint32_t)db_int(r, row, at + 14),
        .last_seq = (uint64_t)db_int(r, row, at + 15),
        .last_digest = db_bytes(r, row, at + 16),
        .warnings = db_text(r, row, at + 17),
        .created_at = db_int(r, row, at + 18) };
    TRY(PB_UNPACK(pb__policy, s.policy_packed, c->mem, &s.policy));
    *ret_seal = s;
    return NULL;
}

chop_err seal_load(
    struct call *c, const char *query, const char *seal_id, const char *organization_id, struct seal *ret_seal) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, query, T_(seal_id), T_(organization_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "seal_id", "no such seal");
    return seal_read(c, r, 0, 0, ret_seal);
}

struct chop_bytes seal_artwork(const struct seal *s, bool *ret_sample) {
    *ret_sample = !*s->filing_number && s->sample_digest.n == 32;
    return *ret_sample ? s->sample_digest : s->artwork_digest;
}

chop_err seal_usable(const struct seal *s) {
    return rules_seal_usable(s->state, s->filing_number, s->sample_digest.n == 0);
}

chop_err seal_message(struct call *c, const struct seal *s, Pb__Seal **ret_message) {
    Pb__Seal *m = PB_NEW(c->mem, Pb__Seal, pb__seal);
    bool sample;
    if (!m) return CHOP_ERR(EMEMORY);
    m->seal_id = PB_STR(s->seal_id);
    m->organization_id = PB_STR(s->organization_id);
    m->name = PB_STR(s->name);
    m->kind = PB_STR(s->kind);
    m->shape = PB_STR(s->shape);
    m->width_um = s->width_um;
    m->height_um = s->height_um;
    m->code = PB_STR(s->code);
    m->state = PB_STR(s->state);
    m->filing_number = PB_STR(s->filing_number);
    m->artwork_digest = arena_hex(c->mem, seal_artwork(s, &sample));
    m->policy = s->policy;
    m->version = s->version;
    m->created_at = s->created_at;
    m->warnings = *s->warnings ? ARENA_NEW(c->mem, char *) : NULL;
    if (m->warnings) m->warnings[m->n_warnings++] = PB_STR(s->warnings);
    *ret_message = m;
    return NULL;
}

/* ---- requests ---- */
chop_err request_read(struct call *c, const struct db_rows *r, size_t row, struct request *ret_request) {
    struct request q = { .request_id = db_text(r, row, 0),
        .organization_id = db_text(r, row, 1),
        .seal_id = db_text(r, row, 2),
        .requester_id = db_text(r, row, 3),
        .digest = db_bytes(r, row, 5),
        .proof_digest = db_bytes(r, row, 6),
        .state = db_text(r, row, 7),
        .approver_ids = db_text(r, row, 8),
        .approvals_needed = (uint32_t)db_int(r, row, 9),
        .ordered = db_bool(r, row, 10),
        .turn = db_text(r, row, 11),
        .awaiting = db_text(r, row, 12),
        .grant_id = db_text(r, row, 13),
        .expires_at = db_int(r, row, 14) };
    TRY(PB_UNPACK(pb__request, db_bytes(r, row, 4), c->mem, &q.body));
    *ret_request = q;
    return NULL;
}

chop_err request_load(struct call *c, const char *query, const char *request_id, const char *organization_id,
    struct request *ret_request, struct seal *ret_seal) {
    struct db_rows *r;
    struct seal s;
    TRY(DB_QUERY(c->db, &r, query, T_(request_id), T_(organization_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "request_id", "no such request");
    TRY(seal_read(c, r, 0, REQUEST_COLUMNS, &s));
    TRY(request_read(c, r, 0, ret_request));
    *ret_seal = s;
    return NULL;
}

static chop_err decision_read(struct call *c, const struct db_rows *r, size_t i, struct decisions *d) {
    TRY(PB_UNPACK(pb__decision, db_bytes(r, i, 2), c->mem, &d->list[i]));
    TRY(PB_UNPACK(pb__decide, db_bytes(r, i, 3), c->mem, &d->terms[i]));
    d->proof_digests[i] = db_bytes(r, i, 4);
    if (strcmp(db_text(r, i, 1), "approve") == 0) d->approved[d->n_approved++] = PB_STR(db_text(r, i, 0));
    return NULL;
}

chop_err decisions_load(struct call *c, const char *request_id, struct decisions *ret_decisions) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "decision_list", T_(request_id)));
    const size_t room = db_count(r) + 1; /* one more for the decision being made */
    struct decisions d = { .n = db_count(r),
        .list = ARENA_ARRAY(c->mem, Pb__Decision *, room),
        .terms = ARENA_ARRAY(c->mem, Pb__Decide *, room),
        .approved = ARENA_ARRAY(c->mem, char *, room),
        .proof_digests = ARENA_ARRAY(c->mem, struct chop_bytes, room) };
    if (!d.list || !d.terms || !d.approved || !d.proof_digests) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < d.n; i++)
        TRY(decision_read(c, r, i, &d));
    *ret_decisions = d;
    return NULL;
}

chop_err request_approvers(
    struct call *c, const struct request *r, const struct decisions *d, struct approvers *ret_approvers) {
    struct approvers a = { .needed = r->approvals_needed,
        .ordered = r->ordered,
        .requester_id = r->requester_id,
        .approved = d->approved,
        .n_approved = d->n_approved };
    a.ids = text_split(c->mem, r->approver_ids, &a.n);
    if (!a.ids) return CHOP_ERR(EMEMORY);
    *ret_approvers = a;
    return NULL;
}

chop_err request_message(
    struct call *c, const struct request *r, const struct decisions *d, Pb__Request **ret_message) {
    Pb__Request *m = r->body;
    m->state = PB_STR(rules_request_state(r->state, r->expires_at, c->now));
    m->grant_id = PB_STR(r->grant_id);
    m->awaiting_signature_of = PB_STR(strcmp(m->state, "signing") == 0 ? r->awaiting : "");
    m->approvals_needed = r->approvals_needed;
    m->approver_ids = text_split(c->mem, r->turn, &m->n_approver_ids);
    if (d) m->decisions = d->list, m->n_decisions = d->n;
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    *ret_message = m;
    return NULL;
}

bool request_visible(
    const struct actor *who, const char *requester_id, const char *approver_ids, const char *awaiting) {
    if (actor_has_any(who, "admin,auditor")) return true;
    if (strcmp(who->member_id, requester_id) == 0 || strcmp(who->member_id, awaiting) == 0) return true;
    return actor_has_role(who, "manager") && (!*approver_ids || text_has(approver_ids, who->member_id));
}

/* ---- grants ---- */
struct grant grant_read(const struct db_rows *r, size_t row) {
    return (struct grant){ .grant_id = db_text(r, row, 0),
        .organization_id = db_text(r, row, 1),
        .request_id = db_text(r, row, 2),
        .seal_id = db_text(r, row, 3),
        .member_id = db_text(r, row, 4),
        .seal_name = db_text(r, row, 5),
        .document_title = db_text(r, row, 6),
        .statement = db_bytes(r, row, 7),
        .digest = db_bytes(r, row, 8),
        .state = db_text(r, row, 9),
        .count = { .copies = (uint32_t)db_int(r, row, 10),
            .spoil_allowance = (uint32_t)db_int(r, row, 11),
            .next = (uint32_t)db_int(r, row, 12),
            .returned = (uint32_t)db_int(r, row, 13),
            .replaced = (uint32_t)db_int(r, row, 14) },
        .not_before = db_int(r, row, 15),
        .not_after = db_int(r, row, 16),
        .gate = db_text(r, row, 17),
        .fact_id = db_text(r, row, 18),
        .fact_digest = db_bytes(r, row, 19) };
}

chop_err grant_statement(struct call *c, struct chop_bytes packed, Pb__GrantStatement **ret_statement) {
    Pb__Signed *s;
    TRY(PB_UNPACK(pb__signed, packed, c->mem, &s));
    return PB_UNPACK(pb__grant_statement, PB_BYTES(s->payload), c->mem, ret_statement);
}

chop_err grant_lock(
    struct call *c, const char *grant_id, const char *organization_id, struct grant *ret_grant, struct seal *ret_seal) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "grant_lock", T_(grant_id), T_(organization_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "grant_id", "no such grant");
    TRY(seal_read(c, r, 0, GRANT_COLUMNS, ret_seal));
    *ret_grant = grant_read(r, 0);
    return NULL;
}

chop_err grant_load(
    struct call *c, const char *grant_id, const struct actor *who, struct grant *ret_grant, struct seal *ret_seal) {
    struct db_rows *r;
    const int after = GRANT_COLUMNS + SEAL_COLUMNS;
    TRY(DB_QUERY(c->db, &r, "grant_get", T_(grant_id), T_(who->organization_id)));
    if (!db_count(r) || !request_visible(who, db_text(r, 0, 4), db_text(r, 0, after), db_text(r, 0, after + 1)))
        return CHOP_FAIL(ENOTFOUND, "grant_id", "no such grant");
    TRY(seal_read(c, r, 0, GRANT_COLUMNS, ret_seal));
    *ret_grant = grant_read(r, 0);
    return NULL;
}

chop_err grant_message(struct call *c, const struct grant *g, const char *seal_state, Pb__Grant **ret_message) {
    Pb__Grant *m = PB_NEW(c->mem, Pb__Grant, pb__grant);
    if (!m) return CHOP_ERR(EMEMORY);
    m->grant_id = PB_STR(g->grant_id);
    m->statement = PB_BIN(g->statement);
    m->state = PB_STR(rules_grant_state(g->state, seal_state, &g->count, g->not_after, c->now));
    m->copies = g->count.copies;
    m->remaining = rules_grant_remaining(&g->count);
    m->not_after = g->not_after;
    m->request_id = PB_STR(g->request_id);
    m->seal_id = PB_STR(g->seal_id);
    m->seal_name = PB_STR(g->seal_name);
    m->document_title = PB_STR(g->document_title);
    m->member_id = PB_STR(g->member_id);
    *ret_message = m;
    return NULL;
}

chop_err number_message(struct call *c, const struct db_rows *r, size_t row, int at, Pb__Number **ret_message) {
    Pb__Number *m = PB_NEW(c->mem, Pb__Number, pb__number);
    if (!m) return CHOP_ERR(EMEMORY);
    m->number = (uint32_t)db_int(r, row, at);
    m->state = PB_STR(db_text(r, row, at + 1));
    m->allotment_id = PB_STR(db_text(r, row, at + 2));
    m->printer_id = PB_STR(db_text(r, row, at + 3));
    m->at = db_int(r, row, at + 4);
    m->reason = PB_STR(db_text(r, row, at + 5));
    m->replaces = (uint32_t)db_int(r, row, at + 6);
    m->replaced_by = (uint32_t)db_int(r, row, at + 7);
    *ret_message = m;
    return NULL;
}

chop_err grant_with_numbers(struct call *c, const struct grant *g, const char *seal_state, Pb__Grant **ret_message) {
    struct db_rows *r;
    Pb__Grant *m;
    TRY(grant_message(c, g, seal_state, &m));
    TRY(DB_QUERY(c->db, &r, "number_list", T_(g->grant_id)));
    m->numbers = ARENA_ARRAY(c->mem, Pb__Number *, db_count(r) + 1);
    if (!m->numbers) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++)
        TRY(number_message(c, r, i, 0, &m->numbers[m->n_numbers++]));
    TRY(DB_ONE(c->db, &r, "grant_at_risk", T_(g->grant_id)));
    m->offline_at_risk = (uint32_t)db_int(r, 0, 0);
    m->offline_until = db_int(r, 0, 1);
    *ret_message = m;
    return NULL;
}

chop_err spot_lock(
    struct call *c, const char *grant_id, uint32_t number, const char *organization_id, struct spot *ret_spot) {
    struct db_rows *r;
    struct spot s;
    const int after = GRANT_COLUMNS + SEAL_COLUMNS;
    /* A stranger's number: what the column cannot hold would be the store's error, tried again for ever. */
    if (number > INT32_MAX) return CHOP_FAIL(ENOTFOUND, "number", "no such impression");
    TRY(DB_QUERY(c->db, &r, "report_lock", T_(grant_id), I_(number), T_(organization_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "number", "no such impression");
    s.grant = grant_read(r, 0);
    TRY(seal_read(c, r, 0, GRANT_COLUMNS, &s.seal));
    TRY(number_message(c, r, 0, after, &s.number));
    s.allotment_not_after = db_int(r, 0, after + NUMBER_COLUMNS);
    s.terminal_id = db_text(r, 0, after + NUMBER_COLUMNS + 1);
    *ret_spot = s;
    return NULL;
}
