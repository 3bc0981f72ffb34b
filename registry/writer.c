#include "writer.h"

#include "log.h"
#include "marks.h"
#include "pb.h"

#include "authorization.pb-c.h"
#include "filing.pb-c.h"

#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct writer {
    struct writer_options o;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    struct filing *first, **last;
    size_t waiting;
    bool stopping;
};

static void unavailable(struct filing *f) {
    filing_refuse(f, 503, "unavailable", "try again later");
}

/* ---- one filing ---- */

/* POLICE-20261123-000001; the day is that of UTC+8. */
static chop_err make_number(struct writer *w, struct filing *f, int64_t now, const char **ret_number) {
    char day[9], upper[33] = { 0 };
    uint64_t n;
    marks_day(now, day);
    TRY(store_take_number(w->o.store, day, &n));
    for (size_t i = 0; w->o.name[i] && i < sizeof upper - 1; i++) upper[i] = (char)toupper((unsigned char)w->o.name[i]);
    *ret_number = arena_printf(f->mem, "%s-%s-%06llu", upper, day, (unsigned long long)n);
    return arena_failed(f->mem) ? CHOP_ERR(EMEMORY) : NULL;
}

static chop_err sign_receipt(struct writer *w, struct filing *f, const Pb__ReceiptStatement *r,
    struct chop_bytes *ret_receipt) {
    struct chop_bytes payload;
    TRY(pb_pack(r, f->mem, &payload));
    return trust_sign_packed(w->o.key, NULL, "receipt", payload, f->mem, ret_receipt);
}

/* Under test only: the true receipt is stored, a false one is answered. */
static chop_err lie(struct writer *w, struct filing *f, Pb__ReceiptStatement r) {
    uint8_t wrong[32];
    memcpy(wrong, f->digest, 32);
    wrong[0] ^= 1;
    if (f->mode == SWITCH_LIE) r.fact_digest = PB_BIN(CHOP_BYTES(wrong, 32));
    if (f->mode == SWITCH_LIE_NUMBER) r.seal_seq++;
    return sign_receipt(w, f, &r, &f->receipt);
}

/* A gap notice that stands in takes the place of the fact that it names, and the chain goes on behind that one. */
static chop_err add(struct writer *w, struct filing *f, const Pb__ReceiptStatement *r, bool stands_in) {
    const Pb__FactStatement *s = f->statement;
    struct store_filing row = {
        .number = r->number,
        .key = f->key,
        .fact_id = s->fact_id,
        .kind = s->kind,
        .seal_id = s->seal_id,
        .seal_name = s->seal_name,
        .organization = s->organization_name,
        .member = s->member_name,
        .seq = stands_in ? s->gap_seq : s->seal_seq,
        .digest = CHOP_BYTES(f->digest, 32),
        .next = stands_in ? PB_BYTES(s->gap_digest) : CHOP_BYTES(f->digest, 32),
        .fact = f->fact,
        .receipt = f->receipt,
        .at = s->at,
        .received_at = r->received_at,
    };
    return store_add(w->o.store, &row);
}

static chop_err accept_fact(struct writer *w, struct filing *f, bool stands_in) {
    const Pb__FactStatement *s = f->statement;
    const char *number;
    Pb__ReceiptStatement r = PB__RECEIPT_STATEMENT__INIT;
    r.received_at = chop_now_ms();
    TRY(make_number(w, f, r.received_at, &number));
    r.registry = PB_STR(w->o.name);
    r.number = PB_STR(number);
    r.fact_id = s->fact_id;
    r.fact_digest = PB_BIN(CHOP_BYTES(f->digest, 32));
    r.seal_id = s->seal_id;
    r.seal_seq = s->seal_seq;
    r.idempotency_key = PB_STR(f->key);
    TRY(sign_receipt(w, f, &r, &f->receipt));
    TRY(add(w, f, &r, stands_in));
    if (f->mode == SWITCH_LIE || f->mode == SWITCH_LIE_NUMBER) TRY(lie(w, f, r));
    f->status = 200;
    return NULL;
}

/* The place that a notice for this registry may take; accept.c saw to it that a notice is whole. */
static uint64_t gap_for(const struct writer *w, const Pb__FactStatement *s) {
    return strcmp(s->kind, "gap") == 0 && strcmp(s->gap_registry, w->o.name) == 0 ? s->gap_seq : 0;
}

static chop_err file(struct writer *w, struct filing *f) {
    const Pb__FactStatement *s = f->statement;
    struct rules_chain chain;
    struct rules_held by_key, by_seq = { 0 };
    struct chop_bytes receipt;
    TRY(store_by_key(w->o.store, f->key, f->mem, &by_key, &receipt));
    if (!by_key.found) TRY(store_by_seq(w->o.store, s->seal_id, s->seal_seq, f->mem, &by_seq, &receipt));
    TRY(store_chain(w->o.store, s->seal_id, &chain));
    struct rules_fact fact = { .seq = s->seal_seq, .previous = PB_BYTES(s->previous_digest), .gap_seq = gap_for(w, s) };
    memcpy(fact.digest, f->digest, 32);
    switch (rules_judge(&chain, &by_key, &by_seq, &fact)) {
    case RULES_ACCEPT: return accept_fact(w, f, false);
    case RULES_STAND_IN:
        log_line(LOG_WARN, "gap notice taken", "seal", s->seal_id, "fact", s->gap_fact_id, "reason", s->detail, NULL);
        return accept_fact(w, f, true);
    case RULES_SAME: f->status = 200, f->receipt = receipt; return NULL;
    case RULES_GAP:
        f->expected = chain.last_seq + 1;
        filing_refuse(f, 409, "gap", "not the next fact of its seal");
        return NULL;
    case RULES_CONFLICT: break;
    }
    filing_refuse(f, 409, "conflict", "this key, number or chain belongs to another fact");
    return NULL;
}

/* ---- batches ---- */

static chop_err store_batch(struct writer *w, struct filing *first) {
    TRY(store_begin(w->o.store));
    for (struct filing *f = first; f; f = f->next) TRY(file(w, f));
    return store_commit(w->o.store);
}

/* A failure spoils the whole batch: nothing of it was stored, all may try again. */
static void run_batch(struct writer *w, struct filing *first) {
    chop_err e = store_batch(w, first);
    if (e) {
        log_error("batch failed", e);
        store_rollback(w->o.store);
    }
    for (struct filing *f = first, *next; f; f = next) {
        next = f->next; /* done() gives f away */
        if (e) unavailable(f);
        f->done(f->ctx);
    }
}

/* Waits for filings and takes up to a batch; NULL at the end. */
static struct filing *take_batch(struct writer *w) {
    (void)pthread_mutex_lock(&w->lock);
    while (!w->first && !w->stopping) (void)pthread_cond_wait(&w->wake, &w->lock);
    struct filing *first = w->first, *end = first;
    size_t n = first ? 1 : 0;
    for (; end && end->next && n < WRITER_MAX_BATCH; n++) end = end->next;
    w->first = end ? end->next : NULL;
    if (!w->first) w->last = &w->first;
    if (end) end->next = NULL;
    w->waiting -= n;
    (void)pthread_mutex_unlock(&w->lock);
    return first;
}

static void *write_all(void *arg) {
    struct writer *w = arg;
    for (struct filing *first; (first = take_batch(w));) run_batch(w, first);
    return NULL;
}

chop_err writer_start(const struct writer_options *o, struct writer **ret_writer) {
    struct writer *w = calloc(1, sizeof *w);
    if (!w) return CHOP_ERR(EMEMORY);
    w->o = *o;
    w->last = &w->first;
    (void)pthread_mutex_init(&w->lock, NULL);
    (void)pthread_cond_init(&w->wake, NULL);
    if (pthread_create(&w->thread, NULL, write_all, w) != 0) {
        free(w);
        return CHOP_ERR(EMEMORY);
    }
    *ret_writer = w;
    return NULL;
}

void writer_push(struct writer *w, struct filing *f) {
    f->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    bool full = w->stopping || w->waiting == WRITER_MAX_WAITING;
    if (!full) {
        *w->last = f;
        w->last = &f->next;
        w->waiting++;
        (void)pthread_cond_signal(&w->wake);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (!full) return;
    unavailable(f);
    f->done(f->ctx);
}

void writer_stop(struct writer *w) {
    if (!w) return;
    (void)pthread_mutex_lock(&w->lock);
    w->stopping = true;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
    (void)pthread_join(w->thread, NULL);
}

void writer_free(struct writer *w) {
    if (!w) return;
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
