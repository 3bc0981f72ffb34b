/* A job: its envelope, its rows, its events. */
#include "issuance.h"

#include <string.h>

#include "common.pb-c.h"

/* What the bridge carries in one message (2 MiB) and the printer has memory for. */
#define ENVELOPE_MAX (((size_t)2 << 20) - 2048)

/* ---- the envelope ---- */

static chop_err too_large(void) {
    return CHOP_FAIL(ELIMIT, "allotment.numbers", "too many impressions for one envelope");
}

static chop_err marked_list(struct call *c, const struct job *j, Pb__Envelope *e) {
    Pb__MarkedImpression *rows = ARENA_ARRAY(c->mem, Pb__MarkedImpression, j->n);
    e->impressions = ARENA_ARRAY(c->mem, Pb__MarkedImpression *, j->n);
    if (!rows || !e->impressions) return CHOP_ERR(EMEMORY);
    size_t total = 0;
    for (size_t i = 0; i < j->n; i++) {
        struct impression *in = &j->impressions[i];
        pb__marked_impression__init(&rows[i]);
        rows[i].number = in->number;
        rows[i].token = in->token;
        rows[i].serial = in->serial;
        rows[i].cipher = in->cipher;
        rows[i].mark_block = PB_BIN(in->block);
        rows[i].offline_mark = PB_BIN(in->offline);
        e->impressions[i] = &rows[i];
        total += in->block.n;
    }
    e->n_impressions = j->n;
    return total + j->artwork.n + j->signature.n > ENVELOPE_MAX ? too_large() : NULL;
}

static chop_err envelope_pack(struct call *c, const struct job *j, struct chop_bytes *ret_payload) {
    const struct submitted *s = j->from;
    Pb__Envelope e = PB__ENVELOPE__INIT;
    e.job_id = PB_STR(j->job_id);
    e.printer_id = s->o.printer->printer_id;
    e.allotment = s->allotment;
    e.grant = s->grant;
    e.order = s->order;
    e.terminal_cert = s->terminal_cert;
    e.challenge = s->challenge;
    e.artwork = PB_BIN(j->artwork);
    e.signature_artwork = PB_BIN(j->signature);
    e.signed_at = c->now;
    e.placement = s->o.allotment->placement;
    TRY(marked_list(c, j, &e));
    return pb_pack(&e, c->mem, ret_payload);
}

chop_err envelope_seal(struct call *c, struct job *j) {
    const Pb__PrinterCert *printer = j->from->o.printer;
    struct chop_bytes payload, packed;
    TRY(envelope_pack(c, j, &payload));
    TRY(trust_sign_packed(app_sign_key(c->app), NULL, "envelope", payload, c->mem, &packed));

    size_t id = strlen(printer->printer_id), job = strlen(j->job_id);
    char *aad = arena_alloc(c->mem, id + 1 + job);
    if (!aad) return CHOP_ERR(EMEMORY);
    memcpy(aad, printer->printer_id, id); /* the zero byte between is the arena's */
    memcpy(aad + id + 1, j->job_id, job);
    TRY(crypto_hpke_seal(printer->seal_key.data, chop_str("chop/1/envelope"), CHOP_BYTES(aad, id + 1 + job), packed,
        c->mem, &j->sealed));
    return j->sealed.n > ENVELOPE_MAX ? too_large() : NULL;
}

/* ---- events ---- */

static chop_err put_issued(struct call *c, const struct job *j, struct impression *i) {
    const struct submitted *s = j->from;
    Pb__Signed *statement;
    TRY(PB_UNPACK(pb__signed, i->statement, c->mem, &statement));
    Pb__ImpressionIssued ev = PB__IMPRESSION_ISSUED__INIT;
    ev.impression_id = PB_STR(i->impression_id);
    ev.grant_id = s->o.grant->grant_id;
    ev.number = i->number;
    ev.token = i->token;
    ev.serial = i->serial;
    ev.cipher_hash = PB_BIN(CHOP_BYTES(i->cipher_hash, 32));
    ev.grant = s->grant;
    ev.allotment = s->allotment;
    ev.issued_at = c->now;
    ev.job_id = PB_STR(j->job_id);
    ev.printer_id = s->o.printer->printer_id;
    ev.printer_name = s->o.printer->name;
    ev.statement = statement;
    return outbox_put(c, "issuance.impression.issued", s->o.grant->seal_id, &ev);
}

static chop_err put_sealed(struct call *c, const struct job *j) {
    const struct order *o = &j->from->o;
    Pb__SealedEnvelope sealed = PB__SEALED_ENVELOPE__INIT;
    sealed.job_id = PB_STR(j->job_id);
    sealed.printer_id = o->printer->printer_id;
    sealed.sealed = PB_BIN(j->sealed);
    Pb__EnvelopeSealed ev = PB__ENVELOPE_SEALED__INIT;
    ev.envelope = &sealed;
    ev.expires_at = o->allotment->not_after;
    ev.numbers = o->allotment->numbers;
    ev.n_numbers = o->allotment->n_numbers;
    ev.grant_id = o->grant->grant_id;
    ev.allotment_id = o->allotment->allotment_id;
    ev.organization_id = o->grant->organization_id;
    return outbox_put(c, "issuance.envelope.sealed", o->grant->seal_id, &ev);
}

/* ---- rows ---- */

static chop_err store_impression(struct call *c, const struct job *j, const struct impression *i) {
    const struct order *o = &j->from->o;
    struct db_rows *r;
    TRY(DB_ONE(c->db, &r, "issuance_impression_add", T_(o->grant->grant_id), I_(i->number),
        T_(o->allotment->allotment_id), T_(j->job_id), T_(i->token), T_(i->serial), T_(i->impression_id),
        B_(CHOP_BYTES(i->cipher_hash, 32)), B_(i->statement), I_(c->now)));
    if (db_int(r, 0, 0) != 1) return CHOP_FAIL(EUSED, "allotment.numbers", "number %u has marks", (unsigned)i->number);
    if (db_int(r, 0, 1) != 2) return CHOP_FAIL(ESERIAL, NULL, "a mark was taken meanwhile");
    return NULL;
}

static chop_err store_job(struct call *c, const struct job *j) {
    const struct submitted *s = j->from;
    const struct order *o = &s->o;
    struct chop_bytes grant, allotment;
    int64_t added;
    TRY(pb_pack(s->grant, c->mem, &grant));
    TRY(pb_pack(s->allotment, c->mem, &allotment));
    TRY(DB_DO_COUNT(c->db, &added, "issuance_job_add", T_(j->job_id), T_(o->allotment->allotment_id),
        B_(CHOP_BYTES(o->order_digest, 32)), T_(o->grant->grant_id), T_(o->grant->organization_id),
        T_(o->grant->member_id), T_(o->printer->printer_id), T_(o->printer->name), T_(o->grant->seal_id), B_(grant),
        B_(allotment), I_(c->now)));
    return added == 1 ? NULL : CHOP_FAIL(ESERIAL, "allotment", "the same allotment was ordered at this moment");
}

chop_err job_store(struct call *c, const struct job *j) {
    TRY(store_job(c, j));
    for (size_t i = 0; i < j->n; i++) {
        TRY(store_impression(c, j, &j->impressions[i]));
        TRY(put_issued(c, j, &j->impressions[i]));
    }
    return put_sealed(c, j);
}

/* ---- answering ---- */

struct job_row {
    Pb__GrantStatement *grant;
    Pb__AllotmentStatement *allotment;
};

static chop_err row_statements(struct call *c, const struct db_rows *r, struct job_row *ret) {
    Pb__Signed *grant, *allotment;
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 6), c->mem, &grant));
    TRY(PB_UNPACK(pb__signed, db_bytes(r, 0, 7), c->mem, &allotment));
    TRY(PB_UNPACK(pb__grant_statement, PB_BYTES(grant->payload), c->mem, &ret->grant));
    return PB_UNPACK(pb__allotment_statement, PB_BYTES(allotment->payload), c->mem, &ret->allotment);
}

/* The cipher is kept nowhere: it is computed again, and left out when the key is no longer the one it was made with. */
static chop_err print_marks(
    struct call *c, const struct job_row *job, const struct db_rows *r, size_t row, Pb__Marks *m) {
    const struct issuance *s = c->service;
    char *cipher = arena_alloc(c->mem, MARKS_CIPHER_LEN + 1);
    if (!cipher) return CHOP_ERR(EMEMORY);
    uint8_t hash[32];
    pb__marks__init(m);
    m->number = (uint32_t)db_int(r, row, 0);
    m->token = arena_str(c->mem, db_text(r, row, 1));
    m->serial = arena_str(c->mem, db_text(r, row, 2));
    m->url = PB_STR(mark_url(c, m->token));
    TRY(cipher_of(s, job->grant, job->allotment, m->number, m->serial, cipher));
    cipher_hash_of(s, m->serial, cipher, hash);
    if (chop_bytes_equal(CHOP_BYTES(hash, 32), db_bytes(r, row, 3))) m->cipher = cipher;
    return NULL;
}

static void print_number(struct call *c, const Pb__Job *job, const struct db_rows *r, size_t row, Pb__Number *n) {
    pb__number__init(n);
    n->number = (uint32_t)db_int(r, row, 0);
    n->state = arena_str(c->mem, db_text(r, row, 4));
    n->allotment_id = job->allotment_id;
    n->printer_id = job->printer_id;
    n->at = db_int(r, row, 5);
    n->reason = arena_str(c->mem, db_text(r, row, 6));
    n->replaces = (uint32_t)db_int(r, row, 7);
}

/* Marks for the member who prints; outcomes, as far as there are any, for all who may see the job. */
static chop_err print_rows(struct call *c, const struct job_row *job, bool own, Pb__Job *out) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "issuance_job_marks", T_(out->grant_id), T_(out->job_id)));
    size_t n = db_count(r), ended = 0;
    Pb__Marks *marks = ARENA_ARRAY(c->mem, Pb__Marks, n);
    Pb__Number *numbers = ARENA_ARRAY(c->mem, Pb__Number, n);
    out->marks = ARENA_ARRAY(c->mem, Pb__Marks *, n);
    out->numbers = ARENA_ARRAY(c->mem, Pb__Number *, n);
    if (!marks || !numbers || !out->marks || !out->numbers) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < n; i++) {
        const char *state = db_text(r, i, 4);
        if (own) {
            TRY(print_marks(c, job, r, i, &marks[i]));
            out->marks[out->n_marks++] = &marks[i];
        }
        ended += outcome_final(state);
        if (strcmp(state, "issued") == 0) continue;
        print_number(c, out, r, i, &numbers[i]);
        out->numbers[out->n_numbers++] = &numbers[i];
    }
    out->state = PB_STR(n && ended == n ? "done" : "sealed");
    return NULL;
}

chop_err job_print(struct call *c, const char *job_id, Pb__Job *out) {
    struct db_rows *r;
    struct job_row row;
    TRY(DB_ONE(c->db, &r, "issuance_job", T_(job_id)));
    bool own = strcmp(db_text(r, 0, 4), c->who->member_id) == 0;
    bool same = strcmp(db_text(r, 0, 3), c->who->organization_id) == 0;
    if (!same || (!own && rpc_need_role(c, "admin,manager,auditor")))
        return CHOP_FAIL(ENOTFOUND, "job_id", "no such job");
    TRY(row_statements(c, r, &row));
    out->job_id = arena_str(c->mem, db_text(r, 0, 0));
    out->allotment_id = arena_str(c->mem, db_text(r, 0, 1));
    out->grant_id = arena_str(c->mem, db_text(r, 0, 2));
    out->printer_id = arena_str(c->mem, db_text(r, 0, 5));
    out->created_at = db_int(r, 0, 8);
    return print_rows(c, &row, own, out);
}
