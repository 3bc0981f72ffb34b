/* What is true when things broke (docs/architecture.md): nothing lost, nothing twice, nothing out of order. */
#include "faults.h"

#include <stdio.h>
#include <string.h>

#define SETTLE_MS 10000

static const char *const registries[] = { "POLICE", "THIRD", "INTERNAL" };

/* ---- the registries' own books ---- */

static bool book_dense(struct api *registry, const char *seal_id, uint64_t facts) {
    uint64_t next = 1;
    for (;;) {
        Pb__HeldFilings *page;
        const char *path = stack_text("/v1/filings?seal=%s&after=%llu&limit=100", seal_id, (unsigned long long)(next - 1));
        if (API(registry, "GET", path, NULL, NULL, pb__held_filings, &page)) return false;
        for (size_t i = 0; i < page->n_filings; i++)
            if (page->filings[i]->seal_seq != next++) return false;
        if (page->n_filings == 0) return next == facts + 1;
    }
}

/* Every registry holds every fact of the seal once, in order, without a gap. */
static void check_books(struct world *w) {
    uint64_t facts = (uint64_t)stack_number("SELECT count(*) FROM \"authorization\".fact WHERE seal_id = '%s'", w->seal_id);
    for (size_t r = 0; r < CHOP_COUNT(registries); r++) {
        const char *url = stack_text("http://127.0.0.1:%d", stack_port(stack_text("REG_%s", registries[r])));
        CHOP_CLEANUP(api_free_p) struct api *registry = api_new(url);
        bool dense = false;
        for (int64_t until = chop_now_ms() + SETTLE_MS; !dense && chop_now_ms() < until;) {
            dense = book_dense(registry, w->seal_id, facts);
            if (!dense) nap_ms(50);
        }
        if (!dense) wrong("registry %s does not hold facts 1 to %llu exactly", registries[r], (unsigned long long)facts);
    }
    long receipts = stack_number("SELECT count(*) FROM filing_relay.filing WHERE seal_id = '%s' AND state = 'receipted' "
                                 "AND receipt IS NOT NULL", w->seal_id);
    if (receipts != (long)facts * 3) wrong("%ld receipts for %llu facts", receipts, (unsigned long long)facts);
    long gaps = stack_number("SELECT max(seal_seq) - count(*) FROM \"authorization\".fact WHERE seal_id = '%s'", w->seal_id);
    if (gaps != 0) wrong("the seal's facts have %ld gaps", gaps);
}

/* ---- events ---- */

static const char *const producers[] = { "identity", "authorization", "issuance", "filing-relay", "printer-bridge" };
static const char *const consumers[] = { "authorization", "issuance", "filing-relay", "verification", "printer-bridge" };

static const char *schema_of(const char *service) {
    char *name = stack_text("\"%s\"", service);
    for (char *p = name; *p; p++)
        if (*p == '-') *p = '_';
    return name;
}

static const char *pending_sql(void) {
    const char *sql = "SELECT 0";
    for (size_t i = 0; i < CHOP_COUNT(producers); i++)
        sql = stack_text("%s + (SELECT count(*) FROM %s.outbox WHERE position IS NULL)", sql, schema_of(producers[i]));
    return sql;
}

static const char *behind_sql(void) {
    const char *sql = "SELECT 0";
    for (size_t i = 0; i < CHOP_COUNT(producers); i++)
        for (size_t k = 0; k < CHOP_COUNT(consumers); k++)
            sql = stack_text("%s + (SELECT count(*) FROM %s.inbox i JOIN %s.outbox_head h USING (partition) WHERE "
                             "i.producer = '%s' AND i.position <> h.position)",
                sql, schema_of(consumers[k]), schema_of(producers[i]), producers[i]);
    return sql;
}

static void check_events(void) {
    long pending = -1, behind = -1;
    for (int64_t until = chop_now_ms() + SETTLE_MS; chop_now_ms() < until && (pending || behind); nap_ms(100)) {
        pending = stack_number("%s", pending_sql());
        behind = stack_number("%s", behind_sql());
    }
    if (pending) wrong("%ld events without a position", pending);
    if (behind) wrong("%ld inboxes are behind", behind);
}

/* ---- the impression ---- */

static void check_paper(struct world *w, const struct fault *f, const struct trace *t) {
    int inks = printer_inks(&w->printer, t->allotment_id);
    if (inks != f->inks) wrong("ink met paper %d times", inks);
    long numbers = stack_number("SELECT count(*) FROM \"authorization\".number WHERE grant_id = '%s'", t->grant_id);
    if (numbers != 1) wrong("the grant has %ld numbers", numbers);
    long marks = stack_number("SELECT count(*) FROM issuance.impression WHERE grant_id = '%s'", t->grant_id);
    if (marks != 1) wrong("the number has %ld marks", marks);
    long requests = stack_number("SELECT count(*) FROM \"authorization\".request");
    long grants = stack_number("SELECT count(*) FROM \"authorization\".seal_grant");
    if (requests != grants) wrong("%ld requests, but %ld grants: one was committed twice", requests, grants);
}

static void check_verdict(struct world *w, const struct fault *f, const struct trace *t) {
    Pb__Verdict *v = NULL;
    const char *want = f->settle && strcmp(f->settle, "spoiled") == 0 ? "void" : "genuine";
    chop_err e = verify_until(w->a, t->token, t->cipher, want, SETTLE_MS, &v);
    if (e) wrong("no verdict: %s %s", e->name, chop_detail_text());
    else if (strcmp(v->verdict, want) != 0) wrong("the verdict is %s, not %s", v->verdict, want);
}

void check_all(struct world *w, const struct fault *f, const struct trace *t) {
    if (!world_filed(w, t->grant_id, 3, SETTLE_MS)) wrong("the three facts were not receipted by three registries in time");
    check_paper(w, f, t);
    check_verdict(w, f, t);
    check_events();
    check_books(w);
}
