/* docs/registry-protocol.md: JSON over HTTP with the headers of Standard Webhooks. */
#include "adapter.h"
#include "pbjson.h"
#include "relay.h"

static struct adapter_answer failed(struct arena *mem, enum outcome o, const char *detail) {
    return (struct adapter_answer){ .outcome = o, .detail = arena_str(mem, detail) };
}

/* An exchange that gave no answer. What is over the cap or broken in between may well have been filed. */
static struct adapter_answer no_answer(struct arena *mem, chop_err e) {
    bool surely_not = e == CHOP_ERR(EUNREACHABLE) || e == CHOP_ERR(EDENIED) || e == CHOP_ERR(EINVAL);
    const char *text = chop_detail_text();
    return failed(mem, surely_not ? OUTCOME_UNREACHED : OUTCOME_LOST, text[0] ? text : e->text);
}

static struct adapter_answer read_receipt(const struct httpc_reply *r, struct arena *mem) {
    Pb__FilingAnswer *a;
    if (pbjson_read(&pb__filing_answer__descriptor, r->body, &PBJSON_LIMITS, mem, &a) || a->receipt.len == 0)
        return failed(mem, OUTCOME_LOST, "200 without a receipt");
    return (struct adapter_answer){ .outcome = OUTCOME_RECEIPT, .receipt = PB_BYTES(a->receipt), .detail = "" };
}

static struct adapter_answer read_refusal(const struct httpc_reply *r, bool asking, struct arena *mem) {
    Pb__FilingRefusal none = PB__FILING_REFUSAL__INIT, *said;
    if (pbjson_read(&pb__filing_refusal__descriptor, r->body, &PBJSON_LIMITS, mem, &said)) said = &none;
    return (struct adapter_answer){
        .outcome = rules_http(r->status, said->code, asking),
        .expected = said->expected,
        .retry_after_s = r->retry_after_s,
        .detail = arena_printf(mem, "%ld %.32s: %.160s", r->status, said->code, said->detail),
    };
}

static chop_err send_signed(struct httpc *h, const struct registry *g, const char *id, const char *method,
    const char *url, struct chop_bytes body, struct arena *mem, struct httpc_reply *ret_reply) {
    char signature[WEBHOOK_SIGNATURE_MAX];
    int64_t now_s = chop_now_ms() / 1000;
    chop_detail_clear();
    TRY(webhook_sign(&g->secret, id, now_s, body, signature));
    const char *headers[] = { "Content-Type: application/json", arena_printf(mem, "webhook-id: %s", id),
        arena_printf(mem, "webhook-timestamp: %lld", (long long)now_s),
        arena_printf(mem, "webhook-signature: %s", signature), NULL };
    if (arena_failed(mem)) return CHOP_ERR(EMEMORY);
    return httpc_send(h, method, url, headers, body, mem, ret_reply);
}

static struct adapter_answer exchange(struct httpc *h, const struct registry *g, const char *key, const char *method,
    const char *url, struct chop_bytes body, struct arena *mem) {
    struct httpc_reply r;
    chop_err e = send_signed(h, g, key, method, url, body, mem, &r);
    if (e) return no_answer(mem, e);
    return r.status == 200 ? read_receipt(&r, mem) : read_refusal(&r, body.n == 0, mem);
}

struct adapter_answer webhook_adapter_send(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem) {
    Pb__FilingPost post = PB__FILING_POST__INIT;
    post.fact = PB_BIN(f->fact);
    post.idempotency_key = PB_STR(f->key);
    struct chop_bytes body;
    chop_err e = pbjson_print(&post, mem, &body);
    if (e) return no_answer(mem, e);
    return exchange(h, g, f->key, "POST", arena_printf(mem, "%s/v1/filings", g->url), body, mem);
}

struct adapter_answer webhook_adapter_status(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem) {
    return exchange(h, g, f->key, "GET", arena_printf(mem, "%s/v1/filings/%s", g->url, f->key), CHOP_BYTES(NULL, 0), mem);
}

chop_err webhook_adapter_orders(struct httpc *h, const struct registry *g, uint64_t after, struct arena *mem,
    Pb__HeldOrders **ret_orders) {
    const char *url = arena_printf(mem, "%s/v1/orders?after=%llu", g->url, (unsigned long long)after);
    const char *id = arena_printf(mem, "orders-%llu-%lld", (unsigned long long)after, (long long)chop_now_ms());
    struct httpc_reply r;
    TRY(send_signed(h, g, id, "GET", url, CHOP_BYTES(NULL, 0), mem, &r));
    if (r.status != 200) return CHOP_FAIL(EPEER, NULL, "it answers %ld when asked for orders", r.status);
    return pbjson_read(&pb__held_orders__descriptor, r.body, &PBJSON_LIMITS, mem, ret_orders);
}
