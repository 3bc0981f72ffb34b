#include "unit_core_world.h"

#include <string.h>

/* ---- journal in memory: each write either is made or is not ---- */
static bool write_dies_before(struct mem_journal *j) {
    if (j->dead) return true;
    j->writes++;
    if (j->die_at == j->writes && !j->die_after) j->dead = true;
    return j->dead;
}

static chop_err write_done(struct mem_journal *j) {
    if (j->die_at == j->writes && j->die_after) j->dead = true;
    return j->dead ? CHOP_ERR(ESTORE) : NULL;
}

static chop_err mj_load(void *ctx, struct journal_state *ret) {
    struct mem_journal *j = ctx;
    j->state.boot++;
    *ret = j->state;
    return NULL;
}

static chop_err mj_manifest_get(void *ctx, uint8_t *out, size_t size, size_t *ret_n) {
    struct mem_journal *j = ctx;
    if (j->manifest_n == 0) return CHOP_ERR(ENOTFOUND);
    if (j->manifest_n > size) return CHOP_ERR(ELIMIT);
    memcpy(out, j->manifest, j->manifest_n);
    *ret_n = j->manifest_n;
    return NULL;
}

static chop_err mj_manifest_put(void *ctx, struct chop_bytes packed) {
    struct mem_journal *j = ctx;
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    memcpy(j->manifest, packed.p, packed.n);
    j->manifest_n = packed.n;
    return write_done(j);
}

static chop_err mj_time_put(void *ctx, int64_t t) {
    struct mem_journal *j = ctx;
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    j->state.signed_time = t;
    return write_done(j);
}

static chop_err mj_challenge_put(void *ctx, const uint8_t digest[32], int64_t now, int64_t expires_at) {
    struct mem_journal *j = ctx;
    if (j->n_challenges == CHOP_COUNT(j->challenges)) return CHOP_ERR(EBUSY);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    memcpy(j->challenges[j->n_challenges].digest, digest, 32);
    j->challenges[j->n_challenges++].c = (struct journal_challenge){ .expires_at = expires_at };
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static struct journal_challenge *mj_challenge(struct mem_journal *j, const uint8_t digest[32]) {
    for (size_t i = 0; i < j->n_challenges; i++)
        if (memcmp(j->challenges[i].digest, digest, 32) == 0) return &j->challenges[i].c;
    return NULL;
}

static chop_err mj_challenge_get(void *ctx, const uint8_t digest[32], struct journal_challenge *ret) {
    struct journal_challenge *c = mj_challenge(ctx, digest);
    if (!c) return CHOP_ERR(ENOTFOUND);
    *ret = *c;
    return NULL;
}

static chop_err mj_code_get(void *ctx, struct journal_code *ret) {
    struct mem_journal *j = ctx;
    if (!j->has_code) return CHOP_ERR(ENOTFOUND);
    *ret = j->code;
    return NULL;
}

static chop_err mj_code_put(void *ctx, const struct journal_code *code) {
    struct mem_journal *j = ctx;
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    j->code = *code;
    j->has_code = true;
    return write_done(j);
}

static chop_err mj_pairing_get(void *ctx, const char *terminal_id, struct journal_pairing *ret) {
    struct mem_journal *j = ctx;
    for (size_t i = j->n_pairings; i-- > 0;)
        if (strcmp(j->pairings[i].terminal_id, terminal_id) == 0) {
            *ret = j->pairings[i];
            return NULL;
        }
    return CHOP_ERR(ENOTFOUND);
}

static chop_err mj_pairing_put(void *ctx, const struct journal_pairing *p) {
    struct mem_journal *j = ctx;
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    if (j->n_pairings == CHOP_COUNT(j->pairings)) return CHOP_ERR(ELIMIT);
    j->pairings[j->n_pairings++] = *p;
    j->has_code = false;
    return write_done(j);
}

static struct journal_number *mj_number(
    struct mem_journal *j, const char *allotment_id, uint32_t number, size_t *ret_i) {
    for (size_t i = 0; i < j->n_numbers; i++) {
        struct journal_number *n = &j->numbers[i].n;
        if (n->number != number || strcmp(n->allotment_id, allotment_id) != 0) continue;
        *ret_i = i;
        return n;
    }
    return NULL;
}

static chop_err mj_number_get(void *ctx, const char *allotment_id, uint32_t number, struct journal_number *ret) {
    size_t i;
    struct journal_number *n = mj_number(ctx, allotment_id, number, &i);
    if (!n) return CHOP_ERR(ENOTFOUND);
    *ret = *n;
    return NULL;
}

static chop_err mj_number_taken(void *ctx, const char *grant_id, uint32_t number, bool *ret) {
    struct mem_journal *j = ctx;
    *ret = false;
    for (size_t i = 0; i < j->n_numbers; i++) {
        const struct journal_number *n = &j->numbers[i].n;
        if (n->number == number && strcmp(n->grant_id, grant_id) == 0 && n->state != NUMBER_REFUSED &&
            n->state != NUMBER_RETURNED)
            *ret = true;
    }
    return NULL;
}

static chop_err mj_reserve(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], int64_t now) {
    struct mem_journal *j = ctx;
    struct journal_challenge *c = mj_challenge(j, challenge_digest);
    if (!c || c->used || j->n_numbers + n > CHOP_COUNT(j->numbers)) return CHOP_ERR(ESTATE);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    c->used = true;
    for (size_t i = 0; i < n; i++) {
        struct journal_number *r = &j->numbers[j->n_numbers++].n;
        *r = *like;
        r->number = numbers[i];
        r->state = NUMBER_RESERVED;
    }
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static chop_err mj_move(void *ctx, enum journal_number_state from, const struct journal_number *n,
    const struct journal_report *report, int64_t now) {
    struct mem_journal *j = ctx;
    size_t i = j->n_numbers;
    struct journal_number *r = mj_number(j, n->allotment_id, n->number, &i);
    if ((r ? r->state : NUMBER_NONE) != from || i == CHOP_COUNT(j->numbers)) return CHOP_ERR(ESTATE);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    if (!r) j->n_numbers++;
    j->numbers[i].n = *n;
    if (report) {
        memcpy(j->numbers[i].report, report->bytes.p, report->bytes.n);
        j->numbers[i].report_n = report->bytes.n;
        j->state.seq = report->seq;
    }
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static chop_err mj_open_get(void *ctx, struct journal_number *ret) {
    struct mem_journal *j = ctx;
    for (size_t i = 0; i < j->n_numbers; i++) {
        if (j->numbers[i].n.state != NUMBER_RESERVED && j->numbers[i].n.state != NUMBER_STARTED) continue;
        *ret = j->numbers[i].n;
        return NULL;
    }
    return CHOP_ERR(ENOTFOUND);
}

/* ---- loaded jobs ---- */
static chop_err mj_hold(void *ctx, const struct journal_number *like, const uint32_t *numbers, size_t n,
    const uint8_t challenge_digest[32], struct chop_bytes envelope, int64_t not_after, int64_t now) {
    struct mem_journal *j = ctx;
    struct journal_challenge *c = mj_challenge(j, challenge_digest);
    if (j->n_held == CHOP_COUNT(j->held)) return CHOP_ERR(EBUSY);
    if (!c || c->used || j->n_numbers + n > CHOP_COUNT(j->numbers) || envelope.n > sizeof j->held[0].envelope)
        return CHOP_ERR(ESTATE);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    c->used = true;
    for (size_t i = 0; i < n; i++) {
        struct journal_number *r = &j->numbers[j->n_numbers++].n;
        *r = *like;
        r->number = numbers[i];
        r->state = NUMBER_HELD;
    }
    struct journal_held *h = &j->held[j->n_held].h;
    *h = (struct journal_held){ .not_after = not_after, .open = true, .envelope_n = envelope.n };
    memcpy(h->job_id, like->job_id, sizeof h->job_id);
    memcpy(h->allotment_id, like->allotment_id, sizeof h->allotment_id);
    memcpy(h->grant_id, like->grant_id, sizeof h->grant_id);
    memcpy(j->held[j->n_held++].envelope, envelope.p, envelope.n);
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static size_t mj_held(const struct mem_journal *j, const char *job_id) {
    size_t i = 0;
    while (i < j->n_held && strcmp(j->held[i].h.job_id, job_id) != 0)
        i++;
    return i;
}

static chop_err mj_held_get(void *ctx, const char *job_id, struct journal_held *ret) {
    struct mem_journal *j = ctx;
    size_t i = mj_held(j, job_id);
    if (i == j->n_held) return CHOP_ERR(ENOTFOUND);
    *ret = j->held[i].h;
    return NULL;
}

static chop_err mj_held_envelope(void *ctx, const char *job_id, uint8_t *out, size_t size, size_t *ret_n) {
    struct mem_journal *j = ctx;
    size_t i = mj_held(j, job_id);
    if (i == j->n_held || !j->held[i].h.open) return CHOP_ERR(ENOTFOUND);
    *ret_n = j->held[i].h.envelope_n;
    if (*ret_n > size) return CHOP_ERR(ELIMIT);
    memcpy(out, j->held[i].envelope, *ret_n);
    return NULL;
}

static chop_err mj_held_numbers(
    void *ctx, const char *allotment_id, uint32_t out[PRINTER_HELD_NUMBERS], size_t *ret_n) {
    struct mem_journal *j = ctx;
    *ret_n = 0;
    for (size_t i = 0; i < j->n_numbers; i++)
        if (j->numbers[i].n.state == NUMBER_HELD && strcmp(j->numbers[i].n.allotment_id, allotment_id) == 0)
            out[(*ret_n)++] = j->numbers[i].n.number;
    return NULL;
}

static chop_err mj_spend(void *ctx, const uint8_t digest[32], int64_t now) {
    struct mem_journal *j = ctx;
    struct journal_challenge *c = mj_challenge(j, digest);
    if (!c || c->used) return CHOP_ERR(ESTATE);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    c->used = true;
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static chop_err mj_close_out(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n,
    const struct journal_report *statement, int64_t now) {
    struct mem_journal *j = ctx;
    size_t i, at = mj_held(j, held->job_id);
    if (at == j->n_held) return CHOP_ERR(ESTATE);
    if (write_dies_before(j)) return CHOP_ERR(ESTORE);
    for (size_t k = 0; k < n; k++)
        mj_number(j, held->allotment_id, numbers[k], &i)->state = NUMBER_RETURNED;
    j->held[at].h.open = false;
    memcpy(j->held[at].closeout, statement->bytes.p, statement->bytes.n);
    j->held[at].closeout_n = statement->bytes.n;
    j->state.seq = statement->seq;
    j->state.last_time = now > j->state.last_time ? now : j->state.last_time;
    return write_done(j);
}

static chop_err mj_closeout_get(
    struct mem_journal *j, const char *allotment_id, uint8_t *out, size_t size, size_t *ret_n) {
    for (size_t i = 0; i < j->n_held; i++) {
        if (strcmp(j->held[i].h.allotment_id, allotment_id) != 0 || j->held[i].closeout_n == 0) continue;
        if (j->held[i].closeout_n > size) return CHOP_ERR(ELIMIT);
        memcpy(out, j->held[i].closeout, j->held[i].closeout_n);
        *ret_n = j->held[i].closeout_n;
        return NULL;
    }
    return CHOP_ERR(ENOTFOUND);
}

static chop_err mj_report_get(
    void *ctx, const char *allotment_id, uint32_t number, uint8_t *out, size_t size, size_t *ret_n) {
    struct mem_journal *j = ctx;
    size_t i;
    if (number == 0) return mj_closeout_get(j, allotment_id, out, size, ret_n);
    if (!mj_number(j, allotment_id, number, &i) || j->numbers[i].report_n == 0) return CHOP_ERR(ENOTFOUND);
    if (j->numbers[i].report_n > size) return CHOP_ERR(ELIMIT);
    memcpy(out, j->numbers[i].report, j->numbers[i].report_n);
    *ret_n = j->numbers[i].report_n;
    return NULL;
}

struct printer_journal mem_journal_of(struct mem_journal *j) {
    return (struct printer_journal){
        .ctx = j,
        .load = mj_load,
        .manifest_get = mj_manifest_get,
        .manifest_put = mj_manifest_put,
        .time_put = mj_time_put,
        .challenge_put = mj_challenge_put,
        .challenge_get = mj_challenge_get,
        .code_get = mj_code_get,
        .code_put = mj_code_put,
        .pairing_get = mj_pairing_get,
        .pairing_put = mj_pairing_put,
        .number_get = mj_number_get,
        .number_taken = mj_number_taken,
        .reserve = mj_reserve,
        .move = mj_move,
        .open_get = mj_open_get,
        .report_get = mj_report_get,
        .hold = mj_hold,
        .held_get = mj_held_get,
        .held_envelope = mj_held_envelope,
        .held_numbers = mj_held_numbers,
        .spend = mj_spend,
        .close_out = mj_close_out,
    };
}

/* ---- output ---- */
static chop_err out_prepare(void *ctx, const struct printer_page *page) {
    struct mem_output *o = ctx;
    o->prepared[page->number]++;
    return (int)page->number == o->fail_prepare ? CHOP_ERR(EUNREACHABLE) : NULL;
}

static chop_err out_ink(void *ctx, const struct printer_page *page) {
    struct mem_output *o = ctx;
    if (o->journal && (o->journal->dead || (int)page->number == o->die_before_ink)) {
        o->journal->dead = true;
        return CHOP_ERR(EINTERNAL);
    }
    o->inked[page->number]++;
    if (o->journal && (int)page->number == o->die_after_ink) o->journal->dead = true;
    return (int)page->number == o->fail_ink ? CHOP_ERR(EPEER) : NULL;
}

struct printer_output mem_output_of(struct mem_output *o) {
    return (struct printer_output){ .ctx = o, .prepare = out_prepare, .ink = out_ink };
}
