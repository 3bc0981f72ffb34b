/* The print act: reserves impression numbers under the grant's row lock and signs the allotment. Authorization alone
 * owns counts; a printer never knows a total. */
#include <stdio.h>
#include <string.h>

#include "auth.h"
#include "outbox.h"
#include "printer.pb-c.h"

#define HOUR_MS ((int64_t)3600 * 1000)
#define CLOCK_SKEW_MS ((int64_t)5 * 60 * 1000)

/* ---- checks that prepare and commit share ---- */
static chop_err check_fields(const Pb__PrintUse *in) {
    TRY(rpc_check_int("print.count", in->count, 1, in->replaces ? 1 : in->load ? RULES_MAX_LOAD : RULES_MAX_COUNT));
    if (!rules_foreign_id(in->printer_id)) return CHOP_FAIL(EINVAL, "print.printer_id", "is malformed");
    if (in->load && in->replaces) return CHOP_FAIL(EINVAL, "print.load", "a replacement is printed at once");
    if (!in->placement) return NULL;
    TRY(rpc_check_int("print.placement.page", in->placement->page, 1, 2000));
    TRY(rpc_check_int("print.placement.x_um", in->placement->x_um, 0, 2000000));
    return rpc_check_int("print.placement.y_um", in->placement->y_um, 0, 2000000);
}

static chop_err check_grant(struct call *c, const struct actor *who, const Pb__PrintUse *in, const struct grant *g,
    const struct seal *s, const Pb__GrantStatement *m) {
    if (strcmp(g->member_id, who->member_id) != 0) return CHOP_FAIL(EDENIED, NULL, "the grant is another member's");
    if (!*who->terminal_id) return CHOP_FAIL(EDENIED, NULL, "printing needs a registered terminal");
    TRY(rules_grant_printable(g->state, s->state, g->not_before, g->not_after, c->now));
    if (m->n_printer_ids && !rules_list_has(m->printer_ids, m->n_printer_ids, in->printer_id))
        return CHOP_FAIL(EDENIED, "print.printer_id", "the grant names other printers");
    if (in->load && !m->offline) return CHOP_FAIL(EDENIED, "print.load", "the grant is not for printing offline");
    return NULL;
}

static chop_err check_challenge_time(const struct call *c, const Pb__Challenge *ch) {
    if (ch->expires_at <= c->now) return CHOP_FAIL(EEXPIRED, "print.challenge", "the printer's challenge is over");
    if (ch->issued_at > c->now + CLOCK_SKEW_MS) return CHOP_FAIL(EMISMATCH, "print.challenge", "is from the future");
    return NULL;
}

/* The printer's own statement that it is there and who it is. */
static chop_err check_printer(
    struct call *c, const struct actor *who, const Pb__PrintUse *in, Pb__PrinterCert **ret_cert) {
    Pb__Signed *cert, *challenge;
    Pb__Challenge *ch;
    TRY(PB_UNPACK(pb__signed, PB_BYTES(in->printer_cert), c->mem, &cert));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(in->challenge), c->mem, &challenge));
    TRY(trust_verify_printer(c->trust, cert, challenge, "challenge", c->now, c->mem, ret_cert));
    TRY(PB_UNPACK(pb__challenge, PB_BYTES(challenge->payload), c->mem, &ch));
    if (strcmp((*ret_cert)->printer_id, in->printer_id) != 0 || strcmp(ch->printer_id, in->printer_id) != 0)
        return CHOP_FAIL(EMISMATCH, "print.printer_id", "the challenge is another printer's");
    if (strcmp((*ret_cert)->organization_id, who->organization_id) != 0)
        return CHOP_FAIL(EDENIED, "print.printer_id", "the printer is another organization's");
    if (ch->nonce.len != 32) return CHOP_FAIL(EMISMATCH, "print.challenge", "has no nonce of 32 bytes");
    return check_challenge_time(c, ch);
}

/* ---- prepare ---- */
static chop_err show_grant(
    struct prep *p, const struct grant *g, const Pb__GrantStatement *m, const Pb__PrinterCert *cert) {
    p->content->seal_name = m->seal_name;
    p->content->seal_code = m->seal_code;
    p->content->requester_name = m->member_name;
    p->content->document = m->document;
    p->content->copies = m->copies;
    p->content->request_digest = arena_hex(p->c->mem, PB_BYTES(m->request_digest));
    p->content->grant_digest = arena_hex(p->c->mem, g->digest);
    p->content->artwork_digest = arena_hex(p->c->mem, PB_BYTES(m->artwork_digest));
    p->content->printer_name = cert->name;
    return NULL;
}

/* A first look only: the count is what commit finds under the lock. */
static chop_err check_left(struct call *c, const Pb__PrintUse *in, const struct grant *g) {
    struct db_rows *r;
    const uint32_t left = rules_grant_remaining(&g->count);
    if (!in->replaces) return in->count <= left ? NULL : CHOP_FAIL(EOVERRUN, "print.count", "%u are left", left);
    if (in->replaces > INT32_MAX) return CHOP_FAIL(ENOTFOUND, "print.replaces", "no such impression");
    TRY(DB_QUERY(c->db, &r, "number_for_replace", T_(g->grant_id), I_(in->replaces)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "print.replaces", "no such impression");
    if (strcmp(db_text(r, 0, 0), "spoiled") != 0)
        return CHOP_FAIL(ESTATE, "print.replaces", "the impression is %s, not spoiled", db_text(r, 0, 0));
    if (db_int(r, 0, 1)) return CHOP_FAIL(EUSED, "print.replaces", "the impression has its replacement");
    return NULL;
}

static chop_err print_prepare(struct prep *p, const void *params) {
    const Pb__PrintUse *in = params;
    struct grant g;
    struct seal s;
    Pb__GrantStatement *m;
    Pb__PrinterCert *cert;
    TRY(check_fields(in));
    TRY(grant_load(p->c, in->grant_id, &p->who, &g, &s));
    TRY(grant_statement(p->c, g.statement, &m));
    TRY(check_grant(p->c, &p->who, in, &g, &s, m));
    TRY(check_printer(p->c, &p->who, in, &cert));
    TRY(check_left(p->c, in, &g));
    prep_policy(p, s.policy, STEP_PRINT);
    return show_grant(p, &g, m, cert);
}

/* ---- commit ---- */
static chop_err free_numbers(struct call *c, const char *grant_id, uint32_t **ret_free, size_t *ret_n) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "number_free", T_(grant_id)));
    *ret_free = ARENA_ARRAY(c->mem, uint32_t, db_count(r) + 1);
    if (!*ret_free) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++)
        (*ret_free)[i] = (uint32_t)db_int(r, i, 0);
    *ret_n = db_count(r);
    return NULL;
}

/* Most grants never had a number returned: then nothing need be read. */
static chop_err reserve(struct call *c, const Pb__PrintUse *in, struct grant *g, uint32_t *ret_numbers) {
    uint32_t *free = NULL;
    size_t n = 0;
    if (in->replaces) TRY(check_left(c, in, g));
    if (in->replaces || g->count.returned) TRY(free_numbers(c, g->grant_id, &free, &n));
    if (in->replaces) return rules_number_replace(&g->count, free, n, ret_numbers);
    return rules_number_reserve(&g->count, free, n, in->count, ret_numbers);
}

static int64_t allotment_end(const struct call *c, const struct grant *g, const struct seal *s, bool load) {
    int64_t life = load ? (int64_t)s->policy->offline_hours * HOUR_MS : auth_of(c)->allotment_ms;
    return c->now + life < g->not_after ? c->now + life : g->not_after;
}

static chop_err challenge_digest(struct call *c, const Pb__PrintUse *in, uint8_t digest[32]) {
    Pb__Signed *s;
    Pb__Challenge *ch;
    TRY(PB_UNPACK(pb__signed, PB_BYTES(in->challenge), c->mem, &s));
    TRY(PB_UNPACK(pb__challenge, PB_BYTES(s->payload), c->mem, &ch));
    crypto_sha256(PB_BYTES(s->payload), digest);
    return check_challenge_time(c, ch);
}

struct job { /* one print commit */
    const Pb__PrintUse *in;
    struct grant grant;
    struct seal seal;
    Pb__GrantStatement *statement;
    uint32_t numbers[RULES_MAX_COUNT];
    uint8_t challenge[32], digest[32];
    Pb__AllotmentStatement allotment;
    Pb__Signed *signed_allotment;
    struct chop_bytes packed;
    struct fact fact;
};

static chop_err make_allotment(const struct commit *k, struct job *j) {
    Pb__AllotmentStatement *a = &j->allotment;
    pb__allotment_statement__init(a);
    a->allotment_id = PB_STR(rpc_new_id(k->c, "allot"));
    a->grant_id = PB_STR(j->grant.grant_id);
    a->grant_digest = PB_BIN(j->grant.digest);
    a->organization_id = PB_STR(j->grant.organization_id);
    a->printer_id = j->in->printer_id;
    a->member_id = PB_STR(k->who.member_id);
    a->terminal_id = PB_STR(k->who.terminal_id);
    a->numbers = j->numbers;
    a->n_numbers = j->in->count;
    a->document_digest = j->statement->document_digest;
    a->artwork_digest = j->statement->artwork_digest;
    a->proof_digest = PB_BIN(CHOP_BYTES(k->act->proof_digest, 32));
    a->challenge_digest = PB_BIN(CHOP_BYTES(j->challenge, 32));
    a->not_before = k->c->now;
    a->not_after = allotment_end(k->c, &j->grant, &j->seal, j->in->load);
    a->offline = j->in->load;
    a->allotted_at = k->c->now;
    a->placement = j->in->placement ? j->in->placement : j->statement->placement;
    a->replaces = j->in->replaces;
    a->seal_id = PB_STR(j->grant.seal_id);
    return auth_sign(k->c, "allotment", a, k->c->mem, &j->signed_allotment, &j->packed, j->digest);
}

static chop_err make_fact(const struct commit *k, struct job *j) {
    j->fact = fact_new("print-commanded");
    Pb__FactStatement *f = &j->fact.statement;
    TRY(fact_by(k->c, &j->fact, &k->who, k->act));
    f->request_id = PB_STR(j->grant.request_id);
    f->grant_id = PB_STR(j->grant.grant_id);
    f->allotment_id = j->allotment.allotment_id;
    f->printer_id = j->in->printer_id;
    f->document_digest = j->statement->document_digest;
    f->artwork_digest = j->statement->artwork_digest;
    f->copies = j->in->count;
    f->numbers = j->numbers;
    f->n_numbers = j->in->count;
    if (j->in->load) f->detail = PB_STR("loaded"); /* to be printed later, without a network */
    return fact_sign(k->c, &j->fact, &j->seal);
}

static const char *numbers_text(struct arena *mem, const uint32_t *numbers, size_t n) {
    const size_t room = n * 11 + 1;
    char *out = arena_alloc(mem, room);
    size_t used = 0;
    for (size_t i = 0; out && i < n; i++)
        used += (size_t)snprintf(out + used, room - used, "%s%u", i ? "," : "", numbers[i]);
    return out ? out : "";
}

/* All rows of the print act in one statement (store.sql). The primary key of the numbers is the last fence. */
static chop_err store_job(const struct commit *k, const struct job *j) {
    const Pb__AllotmentStatement *a = &j->allotment;
    const Pb__FactStatement *f = &j->fact.statement;
    struct db_rows *r;
    chop_err e = DB_ONE(k->c->db, &r, "print_commit", T_(a->allotment_id), T_(a->grant_id), T_(a->organization_id),
        T_(a->printer_id), T_(a->terminal_id), B_(CHOP_BYTES(j->challenge, 32)), B_(j->packed), T_(k->act->act_id),
        I_(a->not_after), I_(k->c->now), I_(j->grant.count.next), I_(j->grant.count.returned),
        I_(j->grant.count.replaced), T_(numbers_text(k->c->mem, j->numbers, j->in->count)), I_(a->replaces),
        T_(j->seal.seal_id), I_(f->seal_seq), B_(CHOP_BYTES(j->fact.digest, 32)), T_(f->fact_id), B_(j->fact.packed),
        L_(a->offline));
    if (e == CHOP_ERR(EEXISTS)) return CHOP_FAIL(EUSED, "print.challenge", "the printer's challenge was used already");
    TRY(e);
    if (db_int(r, 0, 0) != j->in->count) return CHOP_FAIL(EOVERRUN, "print.count", "a number is taken already");
    return NULL;
}

static chop_err tell_job(const struct commit *k, struct job *j) {
    Pb__AllotmentMade made = PB__ALLOTMENT_MADE__INIT;
    made.allotment = j->signed_allotment;
    TRY(fact_publish(k->c, &j->fact, &j->seal));
    return outbox_put(k->c, "authorization.allotment.made", j->seal.seal_id, &made);
}

static chop_err check_job(const struct commit *k, struct job *j) {
    TRY(grant_lock(k->c, j->in->grant_id, k->who.organization_id, &j->grant, &j->seal));
    TRY(grant_statement(k->c, j->grant.statement, &j->statement));
    TRY(commit_policy(k, j->seal.policy));
    TRY(check_grant(k->c, &k->who, j->in, &j->grant, &j->seal, j->statement));
    if (strcmp(k->content->grant_digest, arena_hex(k->c->mem, j->grant.digest)) != 0)
        return CHOP_FAIL(EMISMATCH, "grant_digest", "the act shows another grant");
    return challenge_digest(k->c, j->in, j->challenge);
}

static chop_err print_commit(struct commit *k, const void *params) {
    struct job *j = ARENA_NEW(k->c->mem, struct job);
    Pb__PrintResult *out = PB_NEW(k->c->mem, Pb__PrintResult, pb__print_result);
    if (!j || !out) return CHOP_ERR(EMEMORY);
    j->in = params;
    TRY(check_fields(j->in));
    TRY(check_job(k, j));
    TRY(reserve(k->c, j->in, &j->grant, j->numbers));
    TRY(make_allotment(k, j));
    TRY(make_fact(k, j));
    TRY(store_job(k, j));
    TRY(tell_job(k, j));
    out->allotment = PB_BIN(j->packed);
    out->grant = PB_BIN(j->grant.statement);
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_PRINT;
    k->out->print = out;
    chop_failpoint("authorization.print.before");
    return NULL;
}
const struct act_kind kind_print = { "print", "user", print_prepare, print_commit };
