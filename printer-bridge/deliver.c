/* Envelopes that are owed: sent while their printer is online, again and again until each number has a report or the
 * envelope's time is over. The printer takes an envelope once, so sending too often costs only bytes. */
#include "bridge.h"

#define BACKOFF_MAX 12

static int64_t pause_ms(const struct bridge *b, int64_t attempts) {
    int64_t times = attempts >= 4 ? BACKOFF_MAX : (int64_t)1 << attempts;
    return b->resend_ms * (times > BACKOFF_MAX ? BACKOFF_MAX : times);
}

/* Noted first, sent then: what could not be sent is due again soon. */
static chop_err deliver_one(struct link_call *k, const struct db_rows *r, size_t i) {
    Pb__SealedEnvelope *e;
    int64_t next = k->c.now + pause_ms(k->bridge, db_int(r, i, 3));
    TRY(PB_UNPACK(pb__sealed_envelope, db_bytes(r, i, 2), k->c.mem, &e));
    TRY(DB_DO(k->c.db, "delivery_sent", T_(db_text(r, i, 0)), I_(next), I_(k->c.now)));
    chop_err sent = link_publish(k->link, db_text(r, i, 1), "envelope", e, k->c.mem);
    if (sent && !sent->retryable) log_error("cannot send an envelope", sent);
    return NULL;
}

static chop_err deliver_all(struct link_call *k) {
    struct db_rows *r;
    TRY(DB_DO(k->c.db, "delivery_expire", I_(k->c.now)));
    TRY(DB_QUERY(k->c.db, &r, "delivery_due", I_(k->c.now)));
    for (size_t i = 0; i < db_count(r); i++)
        TRY(deliver_one(k, r, i));
    return NULL;
}

chop_err deliver_due(struct link_call *k) {
    TRY(db_begin(k->c.db));
    chop_err e = deliver_all(k);
    if (!e) e = db_commit(k->c.db);
    if (e) db_rollback(k->c.db);
    return e;
}
