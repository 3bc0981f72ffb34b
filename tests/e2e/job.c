/* The job: seals, printers, requests, prints, checks. */
#include "client.h"

#include "trust.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- what an admin sets up ---- */

static chop_err seal_change(struct api *a, const struct person *admin, const char *seal_id, const char *action,
    const char *filing_number) {
    Pb__SealChange in = PB__SEAL_CHANGE__INIT;
    in.seal_id = PB_STR(seal_id);
    in.action = PB_STR(action);
    in.filing_number = PB_STR(filing_number);
    return ACT(a, admin, SEAL_CHANGE, seal_change, &in, NULL);
}

chop_err seal_make(struct api *a, const struct person *admin, const char *name, const char *code, Pb__Policy *policy,
    char ret_seal_id[CHOP_ID_MAX]) {
    Pb__SealCreate in = PB__SEAL_CREATE__INIT;
    Pb__CommitActReply *out;
    in.name = PB_STR(name);
    in.kind = PB_STR("contract");
    in.code = PB_STR(code);
    in.policy = policy;
    TRY(ACT(a, admin, SEAL_CREATE, seal_create, &in, &out));
    if (!out->seal) return CHOP_FAIL(EPEER, NULL, "no seal");
    (void)snprintf(ret_seal_id, CHOP_ID_MAX, "%s", out->seal->seal_id);
    TRY(seal_change(a, admin, ret_seal_id, "register", arena_printf(api_mem(a), "BA-%s", code)));
    return seal_change(a, admin, ret_seal_id, "activate", "");
}

chop_err printer_code(struct api *a, const struct person *admin, const char *name, char ret_printer_id[CHOP_ID_MAX],
    char ret_code[64]) {
    Pb__PrinterCode in = PB__PRINTER_CODE__INIT;
    Pb__PrepareIdentityActRequest r = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__CommitIdentityActReply *out;
    in.name = PB_STR(name);
    r.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_PRINTER_CODE;
    r.printer_code = &in;
    TRY(act_do(a, admin, OF_IDENTITY, &r, &out));
    if (!out->printer_code) return CHOP_FAIL(EPEER, NULL, "no code");
    (void)snprintf(ret_printer_id, CHOP_ID_MAX, "%s", out->printer_code->printer_id);
    (void)snprintf(ret_code, 64, "%s", out->printer_code->code);
    return NULL;
}

/* ---- statements of the terminal ---- */

static chop_err terminal_sign(struct api *a, const struct person *p, const char *type, const void *message,
    ProtobufCBinaryData *ret) {
    struct chop_bytes payload, packed;
    TRY(pb_pack(message, api_mem(a), &payload));
    TRY(trust_sign_packed(p->device, p->terminal_id, type, payload, api_mem(a), &packed));
    *ret = PB_BIN(packed);
    return NULL;
}

chop_err printer_pair(struct api *a, const struct person *p, const char *printer_id, const char *digits) {
    Pb__PairStatement s = PB__PAIR_STATEMENT__INIT;
    Pb__PairTerminalRequest in = PB__PAIR_TERMINAL_REQUEST__INIT;
    char text[160];
    uint8_t mac[32];
    size_t n = (size_t)snprintf(text, sizeof text, "chop/1/pair%c%s%c%s", 0, printer_id, 0, p->terminal_id);
    crypto_hmac_sha256(chop_str(digits), CHOP_BYTES(text, n), mac);
    s.printer_id = PB_STR(printer_id);
    s.terminal_id = PB_STR(p->terminal_id);
    s.code_mac = (ProtobufCBinaryData){ sizeof mac, mac };
    s.at = chop_now_ms();
    TRY(terminal_sign(a, p, "pair", &s, &in.pair));
    in.terminal_cert = (ProtobufCBinaryData){ p->terminal_cert_n, p->terminal_cert };
    return api_call(a, "POST", arena_printf(api_mem(a), "/v1/printers/%s/pairings", printer_id), p->token, &in, NULL,
        NULL);
}

/* ---- requests ---- */

static char *document_digest(struct api *a, const char *title) {
    uint8_t digest[32];
    crypto_sha256(chop_str(title), digest);
    return arena_hex(api_mem(a), CHOP_BYTES(digest, 32));
}

static chop_err prepare_and_prove(struct api *a, const struct person *p, const Pb__PrepareActRequest *r, struct act *ret) {
    TRY(act_prepare(a, p, OF_AUTHORIZATION, r, ret));
    return act_prove_key(a, p, ret);
}

static chop_err commit_request(struct api *a, const struct person *p, const struct act *act, Pb__Request **ret) {
    Pb__CommitActReply *out;
    TRY(act_commit(a, p, act, &out));
    if (!out->request) return CHOP_FAIL(EPEER, NULL, "no request");
    *ret = out->request;
    return NULL;
}

chop_err request_prepare(struct api *a, const struct person *user, const struct use *u, struct act *ret) {
    Pb__PrepareActRequest r = PB__PREPARE_ACT_REQUEST__INIT;
    Pb__KeyFacts facts = PB__KEY_FACTS__INIT;
    Pb__Document doc = PB__DOCUMENT__INIT;
    Pb__Placement place = PB__PLACEMENT__INIT;
    Pb__RequestUse in = PB__REQUEST_USE__INIT;
    facts.number = PB_STR("HT-2026-001");
    facts.counterparty = PB_STR("海川贸易有限公司");
    facts.amount = PB_STR("12,500.00");
    facts.date = PB_STR("2026-11-23");
    facts.pages = 1;
    facts.copies = u->copies;
    doc.title = PB_STR(u->title);
    doc.sha256 = document_digest(a, u->title);
    doc.facts = &facts;
    place.page = 1;
    place.x_um = u->x_um ? u->x_um : 20000;
    place.y_um = u->y_um ? u->y_um : 20000;
    in.seal_id = PB_STR(u->seal_id);
    in.document = &doc;
    in.copies = u->copies;
    in.purpose = PB_STR("签订合同");
    in.placement = &place;
    r.params_case = PB__PREPARE_ACT_REQUEST__PARAMS_REQUEST;
    r.request = &in;
    return prepare_and_prove(a, user, &r, ret);
}

chop_err request_make(struct api *a, const struct person *user, const struct use *u, Pb__Request **ret) {
    struct act act;
    TRY(request_prepare(a, user, u, &act));
    return commit_request(a, user, &act, ret);
}

chop_err decide_prepare(struct api *a, const struct person *manager, const char *request_id, const char *verdict,
    const char *signature_of, struct act *ret) {
    Pb__PrepareActRequest r = PB__PREPARE_ACT_REQUEST__INIT;
    Pb__Decide in = PB__DECIDE__INIT;
    in.request_id = PB_STR(request_id);
    in.verdict = PB_STR(verdict);
    in.reason = PB_STR(strcmp(verdict, "reject") == 0 ? "金额不符" : "");
    in.signature_of = PB_STR(signature_of ? signature_of : "");
    r.params_case = PB__PREPARE_ACT_REQUEST__PARAMS_DECIDE;
    r.decide = &in;
    return prepare_and_prove(a, manager, &r, ret);
}

chop_err request_decide(struct api *a, const struct person *manager, const char *request_id, const char *verdict,
    const char *signature_of, Pb__Request **ret) {
    struct act act;
    TRY(decide_prepare(a, manager, request_id, verdict, signature_of, &act));
    return commit_request(a, manager, &act, ret);
}

chop_err grant_make(struct api *a, const struct person *user, const struct person *manager, const struct use *u,
    char ret_grant_id[CHOP_ID_MAX]) {
    Pb__Request *r;
    TRY(request_make(a, user, u, &r));
    TRY(request_decide(a, manager, r->request_id, "approve", u->signature_of, &r));
    (void)snprintf(ret_grant_id, CHOP_ID_MAX, "%s", r->grant_id);
    return *r->grant_id ? NULL : CHOP_FAIL(ESTATE, NULL, "the request is %s", r->state);
}

/* ---- printing ---- */

chop_err print_prepare(struct api *a, const struct person *user, const char *grant_id, const char *printer_id,
    uint32_t count, uint32_t replaces, struct print *ret) {
    Pb__PrintUse in = PB__PRINT_USE__INIT;
    Pb__PrepareActRequest r = PB__PREPARE_ACT_REQUEST__INIT;
    Pb__Placement place = PB__PLACEMENT__INIT;
    *ret = (struct print){ .order = PB__SUBMIT_ORDER_REQUEST__INIT };
    TRY(API(a, "POST", arena_printf(api_mem(a), "/v1/printers/%s/challenge", printer_id), user->token, NULL,
        pb__challenge_reply, &ret->challenge));
    place.page = 1;
    place.x_um = place.y_um = 20000;
    in.grant_id = PB_STR(grant_id);
    in.printer_id = PB_STR(printer_id);
    in.count = count;
    in.replaces = replaces;
    in.challenge = ret->challenge->challenge;
    in.printer_cert = ret->challenge->printer_cert;
    in.placement = &place;
    r.params_case = PB__PREPARE_ACT_REQUEST__PARAMS_PRINT;
    r.print = &in;
    TRY(act_prepare(a, user, OF_AUTHORIZATION, &r, &ret->act));
    return act_prove_key(a, user, &ret->act);
}

static chop_err payload_of(struct api *a, ProtobufCBinaryData packed, struct chop_bytes *ret_payload, uint8_t **ret_digest) {
    Pb__Signed *s;
    TRY(PB_UNPACK(pb__signed, PB_BYTES(packed), api_mem(a), &s));
    *ret_digest = arena_alloc(api_mem(a), 32);
    if (!*ret_digest) return CHOP_ERR(EMEMORY);
    *ret_payload = PB_BYTES(s->payload);
    crypto_sha256(*ret_payload, *ret_digest);
    return NULL;
}

static chop_err order_sign(struct api *a, const struct person *user, struct print *p) {
    Pb__PrintOrder o = PB__PRINT_ORDER__INIT;
    Pb__AllotmentStatement *allotment;
    struct chop_bytes payload, challenge;
    uint8_t *digest, *challenge_digest;
    TRY(payload_of(a, p->result->allotment, &payload, &digest));
    TRY(payload_of(a, p->challenge->challenge, &challenge, &challenge_digest));
    TRY(PB_UNPACK(pb__allotment_statement, payload, api_mem(a), &allotment));
    (void)snprintf(p->allotment_id, sizeof p->allotment_id, "%s", allotment->allotment_id);
    o.allotment_id = allotment->allotment_id;
    o.allotment_digest = (ProtobufCBinaryData){ 32, digest };
    o.printer_id = allotment->printer_id;
    o.challenge_digest = (ProtobufCBinaryData){ 32, challenge_digest };
    o.terminal_id = PB_STR(user->terminal_id);
    o.ordered_at = chop_now_ms();
    p->order.allotment = p->result->allotment;
    p->order.grant = p->result->grant;
    p->order.printer_cert = p->challenge->printer_cert;
    p->order.challenge = p->challenge->challenge;
    p->order.terminal_cert = (ProtobufCBinaryData){ user->terminal_cert_n, user->terminal_cert };
    return terminal_sign(a, user, "order", &o, &p->order.order);
}

chop_err print_commit(struct api *a, const struct person *user, struct print *p) {
    Pb__CommitActReply *out;
    if (p->order.order.len) return NULL;
    TRY(act_commit(a, user, &p->act, &out));
    if (!out->print) return CHOP_FAIL(EPEER, NULL, "no print result");
    p->result = out->print;
    return order_sign(a, user, p);
}

chop_err print_submit(struct api *a, const struct person *user, const struct print *p, Pb__Job **ret) {
    return API(a, "POST", "/v1/prints", user->token, &p->order, pb__job, ret);
}

chop_err print_start(struct api *a, const struct person *user, const char *grant_id, const char *printer_id,
    uint32_t count, Pb__Job **ret) {
    struct print p;
    TRY(print_prepare(a, user, grant_id, printer_id, count, 0, &p));
    TRY(print_commit(a, user, &p));
    return print_submit(a, user, &p, ret);
}

chop_err job_wait(struct api *a, const struct person *user, const char *job_id, int ms, int look_ms, Pb__Job **ret) {
    int64_t until = chop_now_ms() + ms;
    char path[96];
    (void)snprintf(path, sizeof path, "/v1/prints/%s", job_id);
    for (;;) {
        chop_err e = API(a, "GET", path, user->token, NULL, pb__job, ret);
        if (!e && strcmp((*ret)->state, "done") == 0) return NULL;
        if (e && !e->retryable) return e;
        if (chop_now_ms() > until) return CHOP_FAIL(ETIMEOUT, NULL, "job %s is %s", job_id, e ? e->name : (*ret)->state);
        nap_ms(look_ms);
    }
}

chop_err grant_get(struct api *a, const struct person *p, const char *grant_id, Pb__Grant **ret) {
    return API(a, "GET", arena_printf(api_mem(a), "/v1/grants/%s", grant_id), p->token, NULL, pb__grant, ret);
}

/* ---- checking ---- */

chop_err verify_mark(struct api *a, const char *mark, const char *cipher, Pb__Verdict **ret) {
    Pb__VerifyRequest in = PB__VERIFY_REQUEST__INIT;
    in.mark = PB_STR(mark);
    in.cipher = PB_STR(cipher ? cipher : "");
    return API(a, "POST", "/v1/verify", NULL, &in, pb__verdict, ret);
}

chop_err verify_until(struct api *a, const char *mark, const char *cipher, const char *verdict, int ms,
    Pb__Verdict **ret) {
    int64_t until = chop_now_ms() + ms;
    for (;;) {
        chop_err e = verify_mark(a, mark, cipher, ret);
        if (e && !e->retryable) return e;
        if (!e && strcmp((*ret)->verdict, verdict) == 0) return NULL;
        if (chop_now_ms() > until) return e;
        nap_ms(30);
    }
}

chop_err filings_of(struct api *a, const struct person *auditor, const char *grant_id, Pb__ListFilingsReply **ret) {
    return API(a, "GET", arena_printf(api_mem(a), "/v1/filings?grant_id=%s&limit=200", grant_id), auditor->token, NULL,
        pb__list_filings_reply, ret);
}
