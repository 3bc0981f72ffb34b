#include "accept.h"

#include "pb.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "filing.pb-c.h"

#include <string.h>

#define AHEAD_MS 300000 /* how far a fact's time may be in the future */

static bool key_valid(const char *key) {
    return strlen(key) == 64 && strspn(key, "0123456789abcdef") == 64;
}

static const char *why(struct filing *f) {
    return arena_str(f->mem, chop_detail_text());
}

/* The fact's key must be valid now, or have been when the fact was made: filings may arrive after a key has gone. */
static chop_err verify(const struct trust *t, const Pb__Signed *s, struct arena *mem, Pb__FactStatement **ret_fact) {
    int64_t now = chop_now_ms();
    chop_err e = trust_verify(t, s, "fact", now, NULL);
    if (e && e != CHOP_ERR(EEXPIRED)) return e;
    Pb__FactStatement *fact;
    TRY(PB_UNPACK(pb__fact_statement, PB_BYTES(s->payload), mem, &fact));
    if (e) TRY(trust_verify(t, s, "fact", fact->at, NULL));
    if (fact->at > now + AHEAD_MS) return CHOP_FAIL(EMISMATCH, "at", "the fact is of the future");
    *ret_fact = fact;
    return NULL;
}

static bool fact_complete(const Pb__FactStatement *s) {
    size_t previous = s->previous_digest.len;
    return s->fact_id[0] && s->kind[0] && s->seal_id[0] && s->seal_seq > 0 && s->seal_seq <= INT64_MAX &&
           (previous == 0 || previous == 32) && strlen(s->fact_id) <= 64 && strlen(s->seal_id) <= 64;
}

static bool notice_complete(const Pb__FactStatement *s) {
    if (strcmp(s->kind, "gap") != 0) return true;
    return s->gap_seq > 0 && s->gap_seq < s->seal_seq && s->gap_digest.len == 32 && s->gap_fact_id[0] && s->gap_registry[0];
}

static bool read_body(struct chop_bytes body, struct filing *f, Pb__Signed **ret_signed) {
    Pb__FilingPost *post;
    if (pbjson_read(&pb__filing_post__descriptor, body, &PBJSON_LIMITS, f->mem, &post) || !key_valid(post->idempotency_key) ||
        PB_UNPACK(pb__signed, PB_BYTES(post->fact), f->mem, ret_signed)) {
        filing_refuse(f, 400, "bad_request", "wanted: {\"fact\": Base64 of a packed Signed, \"idempotency_key\": 64 hex digits}");
        return false;
    }
    f->key = post->idempotency_key;
    f->fact = PB_BYTES(post->fact);
    return true;
}

bool accept_filing(const struct accept *a, const struct accept_headers *h, struct chop_bytes body, struct filing *f) {
    chop_detail_clear();
    if (webhook_verify(a->secret, h->id, h->timestamp, h->signature, body, chop_now_ms() / 1000)) {
        filing_refuse(f, 401, "bad_signature", why(f));
        return false;
    }
    Pb__Signed *s;
    Pb__FactStatement *statement;
    if (!read_body(body, f, &s)) return false;
    if (verify(keys_now(a->keys), s, f->mem, &statement)) {
        filing_refuse(f, 422, "bad_fact", why(f));
        return false;
    }
    if (!notice_complete(statement)) {
        filing_refuse(f, 422, "bad_fact", "a gap notice names registry, fact, an earlier seal_seq and the fact's digest");
        return false;
    }
    if (!fact_complete(statement)) {
        filing_refuse(f, 422, "bad_fact", "fact_id, kind, seal_id, seal_seq and a previous_digest of 32 bytes are wanted");
        return false;
    }
    f->statement = statement;
    crypto_sha256(PB_BYTES(s->payload), f->digest);
    return true;
}
