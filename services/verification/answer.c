/* From what was found to what is told: cipher, facts, verdict, level. */
#include "verification.h"

#include <string.h>

/* ---- the cipher ---- */

/* Full-width digits, blanks and dashes are typed too. */
static bool cipher_digits(const char *text, char out[MARKS_CIPHER_LEN + 1]) {
    struct marks_read m;
    if (marks_read(text, strlen(text), "", &m) || m.kind != MARKS_CIPHER_ONLY) return false;
    memcpy(out, m.cipher, MARKS_CIPHER_LEN + 1);
    return true;
}

static bool cipher_right(const struct verification *s, const struct found *f, const char *cipher) {
    char text[MARKS_SERIAL_LEN + 1 + MARKS_CIPHER_LEN];
    uint8_t hash[32];
    memcpy(text, f->v->serial, MARKS_SERIAL_LEN);
    text[MARKS_SERIAL_LEN] = '|';
    memcpy(text + MARKS_SERIAL_LEN + 1, cipher, MARKS_CIPHER_LEN);
    crypto_hmac_sha256(CHOP_BYTES(s->verify_key, 32), CHOP_BYTES(text, sizeof text), hash);
    return crypto_equal(hash, f->cipher_hash, sizeof hash);
}

static chop_err throttled(struct call *c, const char *key, const char *field) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "verification_cipher_pause", T_(key)));
    int64_t left = db_count(r) ? db_int(r, 0, 0) - c->now : 1000;
    return CHOP_FAIL(ETHROTTLED, field, "wait %d seconds", (int)(left > 0 ? (left + 999) / 1000 : 1));
}

/* NULL with *ret_right, EMISTYPED by its own check digit (counted as no try), ETHROTTLED. */
static chop_err cipher_check(struct call *c, const struct found *f, const char *text, bool *ret_right) {
    char cipher[MARKS_CIPHER_LEN + 1];
    struct db_rows *r;
    if (!cipher_digits(text, cipher)) return CHOP_FAIL(EMISTYPED, "cipher", "it has eight digits");
    if (marks_cipher_check(f->v->serial, cipher) != cipher[MARKS_CIPHER_LEN - 1])
        return CHOP_FAIL(EMISTYPED, "cipher", "its check digit does not fit");
    TRY(DB_QUERY(c->db, &r, "verification_cipher_claim", T_(f->v->token), I_(c->now)));
    if (db_count(r) == 0) return throttled(c, f->v->token, "cipher");
    *ret_right = cipher_right(c->service, f, cipher);
    return *ret_right ? DB_DO(c->db, "verification_cipher_right", T_(f->v->token)) : NULL;
}

/* ---- the verdict ---- */

static chop_err add_mismatch(struct call *c, Pb__Verdict *v, const char *const *names, size_t n) {
    char **all = ARENA_ARRAY(c->mem, char *, v->n_mismatches + n);
    if (!all) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < v->n_mismatches; i++)
        all[i] = v->mismatches[i];
    for (size_t i = 0; i < n; i++)
        all[v->n_mismatches + i] = PB_STR(names[i]);
    v->mismatches = all;
    v->n_mismatches += n;
    return NULL;
}

/* Without the cipher a yes or no to a fact that the masked level hides is a guess at it: wrong ones slow the next, as
 * with ciphers, and stand in a count of their own, so that they never close the full level to who holds the paper. */
static chop_err claim_guess(struct call *c, const char *key) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "verification_cipher_claim", T_(key), I_(c->now)));
    if (db_count(r) == 0) return throttled(c, key, "facts");
    return NULL;
}

static chop_err compare_facts(struct call *c, const struct question *q, bool open, Pb__Verdict *v) {
    const char *names[8];
    bool guess = !open && facts_hidden(q->facts, q->document_sha256);
    const char *key = guess ? arena_printf(c->mem, "%s/facts", v->token) : "";
    if (guess) TRY(claim_guess(c, key));
    size_t n = facts_differ(v->facts, v->document_sha256, q->facts, q->document_sha256, names);
    if (guess && n == 0) TRY(DB_DO(c->db, "verification_facts_right", T_(key), I_(c->now)));
    return n ? add_mismatch(c, v, names, n) : NULL;
}

static void conclude_into(struct found *f, Pb__Verdict *v) {
    f->at.differs = v->n_mismatches > 0;
    struct conclusion end = conclude(&f->at);
    v->verdict = PB_STR(end.verdict);
    v->reason = PB_STR(end.reason);
    v->as_of = f->as_of;
}

chop_err answer_make(struct call *c, struct found *f, const struct question *q, Pb__Verdict *out) {
    bool right = false;
    chop_err cipher = *q->cipher ? cipher_check(c, f, q->cipher, &right) : NULL;
    static const char *const cipher_name[] = { "cipher" };
    if (*q->cipher && !cipher && !right) TRY(add_mismatch(c, f->v, cipher_name, 1));
    if (!cipher) TRY(compare_facts(c, q, right, f->v));
    conclude_into(f, f->v);
    f->v->level = PB_STR("full");
    if (!right) mask_verdict(c->mem, f->v);
    *out = *f->v;
    return cipher;
}

void answer_bare(struct call *c, const char *verdict, const char *reason, Pb__Verdict *out) {
    out->verdict = PB_STR(verdict);
    out->reason = PB_STR(reason);
    out->as_of = c->now;
    out->level = PB_STR("masked");
}
