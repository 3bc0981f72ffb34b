/* verification: one function for each call. */
#include "handlers.h"

#include <string.h>

#include "pbjson.h"
#include "verification.h"

/* ---- Page ---- */

static bool wants_json(const char *accept) {
    return strstr(accept, "json") && !strstr(accept, "text/html");
}

static uint32_t status_of(const char *verdict) {
    if (strcmp(verdict, "unavailable") == 0) return 503;
    return strcmp(verdict, "unknown") == 0 || strcmp(verdict, "mistyped") == 0 ? 404 : 200;
}

static chop_err page_print(
    struct call *c, const Pb__PageRequest *in, const Pb__Verdict *v, const char *notice, Pb__HttpPage *out) {
    const struct verification *s = c->service;
    const struct page_view view = { .v = v, .host = s->conf.verify_host, .token = v->token, .notice = notice };
    bool json = wants_json(in->accept);
    struct chop_bytes body;
    if (json)
        TRY(pbjson_print(v, c->mem, &body));
    else
        TRY(page_render(&view, c->mem, &body));
    out->status = status_of(v->verdict);
    out->content_type = PB_STR(json ? "application/json" : "text/html; charset=utf-8");
    out->cache_control = PB_STR("no-store");
    out->body = PB_BIN(body);
    return NULL;
}

/* A QR's own form needs no reading; people type the rest. */
static bool token_plain(const char *s) {
    return strlen(s) == MARKS_TOKEN_LEN && strspn(s, "0123456789ABCDEFGHJKMNPQRSTVWXYZ") == MARKS_TOKEN_LEN;
}

/* The path's token; `ret_verdict` says what is wrong with it. */
static const char *page_token(struct call *c, const char *text, const char **ret_verdict) {
    struct marks_read m;
    *ret_verdict = NULL;
    if (token_plain(text)) return text;
    size_t n = strlen(text);
    const char *link = n <= 128 ? arena_printf(c->mem, "X/V/%s", text) : "";
    chop_err e = marks_read(link, strlen(link), "X", &m);
    if (!e) return arena_str(c->mem, m.token);
    *ret_verdict = e == CHOP_ERR(EMISTYPED) ? "mistyped" : "unknown";
    return NULL;
}

static const char *notice_of(chop_err e) {
    return !e ? NULL : e == CHOP_ERR(ETHROTTLED) ? "throttled" : e == CHOP_ERR(EMISTYPED) ? "mistyped" : "unavailable";
}

static chop_err page_bare(struct call *c, const Pb__PageRequest *in, const char *verdict, Pb__HttpPage *out) {
    Pb__Verdict v = PB__VERDICT__INIT;
    answer_bare(c, verdict, "", &v);
    return page_print(c, in, &v, NULL, out);
}

static chop_err page_found(struct call *c, const Pb__PageRequest *in, struct found *f, Pb__HttpPage *out) {
    if (!f->v) return page_bare(c, in, f->unavailable ? "unavailable" : "unknown", out);
    Pb__Verdict v = PB__VERDICT__INIT;
    const struct question q = { .cipher = in->cipher, .document_sha256 = "" };
    chop_err e = answer_make(c, f, &q, &v);
    if (!*v.verdict) return e;
    return page_print(c, in, &v, notice_of(e), out);
}

/* One page whose look-up gave this row of `rows`, NULL where the store is away. */
static chop_err page_one(struct call *c, const Pb__PageRequest *in, const char *token, const struct db_rows *rows, size_t row,
    Pb__HttpPage *out) {
    struct found f;
    if (rows) TRY(found_row(c, token, rows, row, &f));
    else found_ask(c, token, "", &f);
    return page_found(c, in, &f, out);
}

/* The tokens as an array of PostgreSQL: they are of 32 letters, none of which means anything there. */
static const char *array_of(struct arena *mem, const char *const *tokens, size_t n) {
    char *text = arena_alloc(mem, n * (MARKS_TOKEN_LEN + 1) + 2), *p = text;
    for (size_t i = 0; text && i < n; i++) {
        *p++ = i ? ',' : '{';
        memcpy(p, tokens[i], MARKS_TOKEN_LEN);
        p += MARKS_TOKEN_LEN;
    }
    if (text) *p = '}';
    return text;
}

/* rows[i]: where the answer for tokens[i] stands. NULL where the store is away. */
static struct db_rows *look_up(struct call *c, const char *const *tokens, size_t n, size_t *rows) {
    struct db_rows *r;
    const char *array = array_of(c->mem, tokens, n);
    if (n == 0 || !array || DB_QUERY(c->db, &r, "verification_marks", T_(array))) return NULL;
    for (size_t i = 0; i < n; i++) rows[i] = FOUND_NO_ROW;
    for (size_t k = 0; k < db_count(r); k++) rows[db_int(r, k, 6) - 1] = k;
    return r;
}

/* All waiting pages at once: one query for all their tokens. */
static void page_batch(struct call *c, size_t n, const void *const *in, void *const *out, chop_err *errs) {
    const char **tokens = ARENA_ARRAY(c->mem, const char *, n);
    size_t *rows = ARENA_ARRAY(c->mem, size_t, n), *which = ARENA_ARRAY(c->mem, size_t, n), m = 0;
    for (size_t i = 0; i < n; i++) errs[i] = tokens && rows && which ? NULL : CHOP_ERR(EMEMORY);
    if (n == 0 || errs[0]) return;
    for (size_t i = 0; i < n; i++) {
        const char *verdict, *token = page_token(c, ((const Pb__PageRequest *)in[i])->token, &verdict);
        if (!token) {
            errs[i] = page_bare(c, in[i], verdict, out[i]);
            continue;
        }
        tokens[m] = token;
        which[m++] = i;
    }
    struct db_rows *r = look_up(c, tokens, m, rows);
    for (size_t k = 0; k < m; k++) errs[which[k]] = page_one(c, in[which[k]], tokens[k], r, rows[k], out[which[k]]);
}

/* ---- Verify ---- */

static chop_err find_token(struct call *c, const struct marks_read *m, struct found *ret) {
    struct db_rows *r;
    const char *token = m->token;
    if (m->kind != MARKS_TOKEN) {
        chop_err e = DB_ONE(c->db, &r, "verification_token_of", T_(m->serial));
        if (e) {
            found_ask(c, "", m->serial, ret);
            return NULL;
        }
        token = db_text(r, 0, 0);
    }
    if (!DB_QUERY(c->db, &r, "verification_mark", T_(token))) return found_row(c, token, r, db_count(r) ? 0 : FOUND_NO_ROW, ret);
    found_ask(c, token, "", ret);
    return NULL;
}

/* How often, never by whom. A count that cannot be written is not worth refusing an answer. */
static void count_check(struct call *c, const char *token) {
    char day[9];
    marks_day(c->now, day);
    chop_err e = DB_DO(c->db, "verification_checked", T_(token), T_(day));
    if (e) log_error("check not counted", e);
}

static chop_err verify_found(
    struct call *c, const Pb__VerifyRequest *in, const struct marks_read *m, Pb__Verdict *out) {
    struct found f;
    TRY(find_token(c, m, &f));
    if (!f.v) {
        answer_bare(c, f.unavailable ? "unavailable" : "unknown", "", out);
        return NULL;
    }
    const struct question q = {
        .cipher = m->kind == MARKS_BARCODE ? m->cipher : in->cipher,
        .facts = in->facts,
        .document_sha256 = in->document_sha256,
    };
    TRY(answer_make(c, &f, &q, out));
    count_check(c, out->token);
    return NULL;
}

static chop_err check_lengths(const Pb__VerifyRequest *in) {
    TRY(rpc_check_len("mark", in->mark, 1, 512));
    TRY(rpc_check_len("cipher", in->cipher, 0, 64));
    TRY(rpc_check_len("document_sha256", in->document_sha256, 0, 64));
    if (!in->facts) return NULL;
    TRY(rpc_check_len("facts.number", in->facts->number, 0, 512));
    TRY(rpc_check_len("facts.counterparty", in->facts->counterparty, 0, 512));
    TRY(rpc_check_len("facts.amount", in->facts->amount, 0, 512));
    return rpc_check_len("facts.date", in->facts->date, 0, 512);
}

HANDLER(verify, Pb__VerifyRequest, Pb__Verdict) {
    const struct verification *s = c->service;
    struct marks_read m;
    TRY(check_lengths(in));
    chop_err e = marks_read(in->mark, strlen(in->mark), s->conf.verify_host, &m);
    if (e == CHOP_ERR(EMISTYPED) || e == CHOP_ERR(EELSEWHERE)) {
        answer_bare(c, e == CHOP_ERR(EMISTYPED) ? "mistyped" : "elsewhere", "", out);
        return NULL;
    }
    if (e) return chop_fail(e, "mark", "neither a token, nor 16 or 24 digits, nor a link of ours");
    if (m.kind == MARKS_CIPHER_ONLY) return CHOP_FAIL(EINVAL, "mark", "a cipher needs its serial or token");
    return verify_found(c, in, &m, out);
}

const struct rpc_method verification_methods[] = {
    RPC_BATCH(Page, page_batch, RPC_PUBLIC | RPC_READ | RPC_QUIET),
    RPC(Verify, verify, RPC_PUBLIC | RPC_READ),
    RPC_END,
};
