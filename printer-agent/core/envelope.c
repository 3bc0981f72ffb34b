/* A sealed envelope: opened, checked, refused or reserved. */
#include "core_internal.h"

#define JOB_AAD_MAX (2 * PRINTER_ID_SIZE)

/* ---- opening: nothing here may be reported, since nobody with power has spoken yet ---- */
static chop_err unseal(struct printer_core *c, const Pb__SealedEnvelope *s, Pb__Signed **ret_signed) {
    char aad[JOB_AAD_MAX];
    size_t id = strlen(c->printer_id) + 1, job = strlen(s->job_id), n = 0;
    if (job == 0 || job >= PRINTER_ID_SIZE) return REFUSE(c, EINVAL, "sealed");
    memcpy(aad, c->printer_id, id);
    memcpy(aad + id, s->job_id, job);
    uint8_t *plain = bump_take(&c->job_mem, s->sealed.len);
    if (!plain) return REFUSE(c, ELIMIT, "sealed");
    const struct printer_platform *p = c->s.platform;
    chop_err e = p->open(p->ctx, chop_str("chop/1/envelope"), CHOP_BYTES(aad, id + job), PB_VIEW(s->sealed), plain, &n);
    if (e) return core_refuse(c, e, "sealed");
    return core_refuse(c, BUMP_UNPACK(&c->job_mem, pb__signed, CHOP_BYTES(plain, n), ret_signed), "sealed");
}

static chop_err verify_envelope(struct opened *o, const Pb__SealedEnvelope *sealed, const Pb__Signed *s) {
    const Pb__KeyEntry *k;
    Pb__Envelope *e;
    Pb__KeyManifest *m;
    struct printer_core *c = o->c;
    TRY(core_refuse(c, keys_manifest(c, o->mem, &m), "manifest"));
    o->manifest = m;
    TRY(core_refuse(c, keys_verify(c, m, s, "envelope", &k), "envelope"));
    TRY(core_refuse(c, BUMP_UNPACK(o->mem, pb__envelope, PB_VIEW(s->payload), &e), "envelope"));
    if (strcmp(e->printer_id, c->printer_id) != 0) return REFUSE(c, EMISMATCH, "printer");
    if (strcmp(e->job_id, sealed->job_id) != 0) return REFUSE(c, EMISMATCH, "job");
    TRY(core_refuse(c, keys_in_time(k, e->signed_at, printer_now(c)), "envelope"));
    core_sha256(c, PB_VIEW(s->payload), o->envelope_digest);
    o->envelope = e;
    return NULL;
}

chop_err envelope_open(struct opened *o, struct chop_bytes packed) {
    Pb__SealedEnvelope *sealed;
    Pb__Signed *s;
    TRY(core_refuse(o->c, BUMP_UNPACK(o->mem, pb__sealed_envelope, packed, &sealed), "sealed"));
    if (strcmp(sealed->printer_id, o->c->printer_id) != 0) return REFUSE(o->c, EMISMATCH, "printer");
    TRY(unseal(o->c, sealed, &s));
    TRY(verify_envelope(o, sealed, s));
    TRY(core_note_time(o->c, o->envelope->signed_at));
    o->now = printer_now(o->c);
    return check_allotment(o);
}

/* ---- what the journal says of it ---- */
chop_err envelope_like(const struct opened *o, struct journal_number *like) {
    *like = (struct journal_number){ .state = NUMBER_NONE };
    TRY(core_copy_id(like->job_id, o->envelope->job_id));
    TRY(core_copy_id(like->allotment_id, o->allotment->allotment_id));
    TRY(core_copy_id(like->grant_id, o->allotment->grant_id));
    memcpy(like->order_digest, o->order_digest, 32);
    memcpy(like->envelope_digest, o->envelope_digest, 32);
    return NULL;
}

/* A refusal makes the number final for this allotment before it is reported: whoever hears "refused" may give the
 * number away again, so no later envelope over the same allotment may print it. */
static chop_err refuse_number(struct opened *o, uint32_t number, chop_err reason, const char *check) {
    struct journal_number n;
    TRY(envelope_like(o, &n));
    n.number = number;
    return report_end(o->c, NUMBER_NONE, &n, NUMBER_REFUSED, reason, check);
}

static chop_err refuse_all(struct opened *o, chop_err reason) {
    const char *check = o->c->check;
    for (size_t i = 0; i < o->allotment->n_numbers; i++)
        TRY(refuse_number(o, o->allotment->numbers[i], reason, check));
    return core_refuse(o->c, reason, check);
}

static chop_err known(struct opened *o, uint32_t number, struct journal_number *n, bool *ret_known) {
    const struct printer_journal *j = o->c->s.journal;
    chop_err e = j->number_get(j->ctx, o->allotment->allotment_id, number, n);
    *ret_known = !e;
    return e == CHOP_ERR(ENOTFOUND) ? NULL : core_broken(o->c, e);
}

static chop_err count_known(struct opened *o, size_t *ret_n) {
    struct journal_number n;
    *ret_n = 0;
    for (size_t i = 0; i < o->allotment->n_numbers; i++) {
        bool is = false;
        TRY(known(o, o->allotment->numbers[i], &n, &is));
        *ret_n += is;
    }
    return NULL;
}

/* This allotment was here before: what was decided then is said again, and nothing else happens. */
static chop_err replay(struct opened *o) {
    for (size_t i = 0; i < o->allotment->n_numbers; i++) {
        struct journal_number n;
        bool is = false;
        uint32_t number = o->allotment->numbers[i];
        TRY(known(o, number, &n, &is));
        if (is)
            report_again(o->c, o->allotment->allotment_id, number);
        else
            TRY(refuse_number(o, number, CHOP_ERR(EUSED), "replay"));
    }
    if (o->allotment->offline) TRY(held_again(o));
    return REFUSE(o->c, EUSED, "replay");
}

static void fill_place(const Pb__Placement *p, struct printer_job *job) {
    job->page = p && p->page ? p->page : 1;
    job->x_um = p ? p->x_um : 0;
    job->y_um = p ? p->y_um : 0;
}

void envelope_begin(struct opened *o, const struct journal_number *like, const uint32_t *numbers, size_t n,
    enum journal_number_state from) {
    struct printer_job *job = &o->c->job;
    job->like = *like;
    job->envelope = o->envelope;
    job->numbers = numbers;
    job->n_numbers = n;
    job->from = from;
    job->not_after = o->allotment->not_after < o->grant->not_after ? o->allotment->not_after : o->grant->not_after;
    fill_place(o->allotment->placement, job);
    job->next = 0;
    job->stopped = false;
    job->active = true;
}

static chop_err reserve(struct opened *o) {
    struct printer_core *c = o->c;
    struct journal_number like;
    const struct printer_journal *j = c->s.journal;
    TRY(envelope_like(o, &like));
    TRY(core_broken(
        c, j->reserve(j->ctx, &like, o->allotment->numbers, o->allotment->n_numbers, o->challenge_digest, o->now)));
    c->at.last_time = o->now;
    envelope_begin(o, &like, o->allotment->numbers, o->allotment->n_numbers, NUMBER_RESERVED);
    return NULL;
}

chop_err printer_envelope(struct printer_core *c, struct chop_bytes packed) {
    c->check = "";
    if (c->broken) return CHOP_ERR(ESTORE);
    if (c->job.active) return CHOP_ERR(EBUSY);
    bump_reset(&c->job_mem);
    struct opened o = { .c = c, .mem = &c->job_mem };
    size_t before = 0;
    TRY(envelope_open(&o, packed));
    TRY(count_known(&o, &before));
    if (before > 0) return replay(&o);
    chop_err e = check_all(&o);
    if (c->broken) return e;
    if (e == CHOP_ERR(EMEMORY)) return e; /* says nothing about the job: it may come again */
    if (e) return refuse_all(&o, e);
    if (!o.allotment->offline) return reserve(&o);
    e = held_keep(&o, packed);
    return e && !c->broken ? refuse_all(&o, e) : e;
}
