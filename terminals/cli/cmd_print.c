/* Printing (design 5) and pairing: the terminal's signed statements. */
#include "cli.h"
#include "out.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_DEFAULT_S 90
#define POLL_MS 400

struct printing {
    struct cli *c;
    const struct trust *trust;
    Pb__PrintUse use;
    Pb__ChallengeReply *printer;
    struct chop_bytes challenge; /* payload */
    struct chop_bytes proof, cert;
    Pb__PrintResult *result;
    Pb__AllotmentStatement *allotment;
    uint8_t allotment_digest[32];
    Pb__Job *job;
};

/* ---- the printer is there: said before anything is asked of the person ---- */

static chop_err check_challenge(struct printing *p) {
    Pb__Signed *cert, *challenge;
    Pb__PrinterCert *who;
    Pb__Challenge *ch;
    struct arena *mem = p->c->mem;
    TRY(PB_UNPACK(pb__signed, PB_BYTES(p->printer->printer_cert), mem, &cert));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(p->printer->challenge), mem, &challenge));
    TRY(trust_verify_printer(p->trust, cert, challenge, "challenge", chop_now_ms(), mem, &who));
    TRY(PB_UNPACK(pb__challenge, PB_BYTES(challenge->payload), mem, &ch));
    if (strcmp(who->printer_id, p->use.printer_id) != 0 || strcmp(ch->printer_id, p->use.printer_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "another printer answered");
    p->challenge = PB_BYTES(challenge->payload);
    return NULL;
}

static chop_err fetch_challenge(struct printing *p) {
    Pb__GetPrinterRequest in = PB__GET_PRINTER_REQUEST__INIT;
    in.printer_id = p->use.printer_id;
    TRY(api_call(p->c, "POST", "/v1/printers/{printer_id}/challenge", &in, &pb__challenge_reply__descriptor, &p->printer));
    TRY(pin_trust(p->c, &p->trust));
    TRY(check_challenge(p));
    p->use.challenge = p->printer->challenge;
    p->use.printer_cert = p->printer->printer_cert;
    return NULL;
}

/* ---- the allotment is what was asked for ---- */

static chop_err mismatch(const char *what) {
    return CHOP_FAIL(EMISMATCH, what, "the allotment is for another %s", what);
}

static bool digest_is(ProtobufCBinaryData digest, struct chop_bytes of) {
    uint8_t d[32];
    crypto_sha256(of, d);
    return chop_bytes_equal(PB_BYTES(digest), CHOP_BYTES(d, 32));
}

static chop_err check_allotment(struct printing *p) {
    struct cli *c = p->c;
    Pb__Signed *s, *grant, *proof;
    Pb__AllotmentStatement *a;
    int64_t now = chop_now_ms();
    TRY(trust_verify_packed(p->trust, PB_BYTES(p->result->allotment), "allotment", now, c->mem, &s));
    TRY(PB_UNPACK(pb__allotment_statement, PB_BYTES(s->payload), c->mem, &a));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(p->result->grant), c->mem, &grant));
    TRY(PB_UNPACK(pb__signed, p->proof, c->mem, &proof));
    if (strcmp(a->grant_id, p->use.grant_id) != 0 || !digest_is(a->grant_digest, PB_BYTES(grant->payload)))
        return mismatch("grant");
    if (strcmp(a->printer_id, p->use.printer_id) != 0) return mismatch("printer");
    if (strcmp(a->member_id, c->profile.member_id) != 0) return mismatch("member");
    if (strcmp(a->terminal_id, c->profile.terminal_id) != 0) return mismatch("terminal");
    if (!digest_is(a->challenge_digest, p->challenge)) return mismatch("challenge");
    if (!digest_is(a->proof_digest, PB_BYTES(proof->payload))) return mismatch("proof");
    if (a->n_numbers != p->use.count) return mismatch("count");
    if ((a->offline != 0) != (p->use.load != 0)) return mismatch("use");
    crypto_sha256(PB_BYTES(s->payload), p->allotment_digest);
    p->allotment = a;
    return NULL;
}

/* ---- the order ---- */

static chop_err sign_statement(struct cli *c, const char *type, const void *message, struct chop_bytes *ret_packed) {
    const struct crypto_key *device;
    struct chop_bytes payload;
    TRY(key_device(c, &device));
    TRY(pb_pack(message, c->mem, &payload));
    return trust_sign_packed(device, c->profile.terminal_id, type, payload, c->mem, ret_packed);
}

static chop_err sign_order(struct printing *p, struct chop_bytes *ret_order) {
    uint8_t challenge[32];
    Pb__PrintOrder o = PB__PRINT_ORDER__INIT;
    crypto_sha256(p->challenge, challenge);
    o.allotment_id = p->allotment->allotment_id;
    o.allotment_digest = PB_BIN(CHOP_BYTES(p->allotment_digest, 32));
    o.printer_id = p->use.printer_id;
    o.challenge_digest = PB_BIN(CHOP_BYTES(challenge, 32));
    o.terminal_id = PB_STR(p->c->profile.terminal_id);
    o.ordered_at = chop_now_ms();
    o.load = p->use.load;
    return sign_statement(p->c, "order", &o, ret_order);
}

/* The same order again answers the same job: so a lost answer is simply asked for again. */
static chop_err submit(struct printing *p) {
    Pb__SubmitOrderRequest in = PB__SUBMIT_ORDER_REQUEST__INIT;
    struct chop_bytes order;
    TRY(sign_order(p, &order));
    in.allotment = p->result->allotment;
    in.grant = p->result->grant;
    in.order = PB_BIN(order);
    in.terminal_cert = PB_BIN(p->cert);
    in.printer_cert = p->printer->printer_cert;
    in.challenge = p->printer->challenge;
    chop_err e = NULL;
    for (int tries = 0; tries < 5; tries++) {
        if (tries) local_sleep_ms(500 * tries);
        e = api_call(p->c, "POST", "/v1/prints", &in, &pb__job__descriptor, &p->job);
        if (!e || !e->retryable) return e;
    }
    return e;
}

/* ---- the outcome ---- */

static chop_err wait_done(struct printing *p) {
    const char *text = cli_option(p->c, "wait");
    int64_t until = chop_mono_ns() + (text ? strtoll(text, NULL, 10) : WAIT_DEFAULT_S) * 1000000000;
    Pb__GetJobRequest in = PB__GET_JOB_REQUEST__INIT;
    in.job_id = p->job->job_id;
    while (strcmp(p->job->state, "done") != 0 && chop_mono_ns() < until) {
        local_sleep_ms(POLL_MS);
        chop_err e = api_call(p->c, "GET", "/v1/prints/{job_id}", &in, &pb__job__descriptor, &p->job);
        if (e && !e->retryable) return e;
    }
    return NULL;
}

/* A load is there when the printer says that it holds it. */
static chop_err wait_held(struct printing *p) {
    const char *text = cli_option(p->c, "wait");
    int64_t until = chop_mono_ns() + (text ? strtoll(text, NULL, 10) : WAIT_DEFAULT_S) * 1000000000;
    Pb__GetDeliveryRequest in = PB__GET_DELIVERY_REQUEST__INIT;
    Pb__Delivery *d = NULL;
    in.job_id = p->job->job_id;
    for (;;) {
        chop_err e = api_call(p->c, "GET", "/v1/prints/{job_id}/delivery", &in, &pb__delivery__descriptor, &d);
        if (e && !e->retryable && e != CHOP_ERR(ENOTFOUND)) return e; /* the bridge may not have heard of it yet */
        bool ended = !e && (strcmp(d->state, "owed") != 0 && strcmp(d->state, "sent") != 0);
        if (ended || chop_mono_ns() >= until) break;
        local_sleep_ms(POLL_MS);
    }
    bool held = d && strcmp(d->state, "held") == 0;
    if (!held) p->c->status = EXIT_REFUSED;
    if (p->c->json)
        printf("%.*s\n", (int)p->c->reply.n, (const char *)p->c->reply.p);
    else
        printf("job %s: %s\n", p->job->job_id, d ? d->state : "owed");
    return NULL;
}

chop_err cmd_job_shown(struct cli *c, void *out) {
    const Pb__Job *job = out;
    bool all = strcmp(job->state, "done") == 0;
    for (size_t i = 0; i < job->n_numbers; i++) all = all && strcmp(job->numbers[i]->state, "printed") == 0;
    if (!all) c->status = EXIT_REFUSED;
    if (c->json) return NULL;
    printf("job %s: %s\n", job->job_id, job->state);
    if (job->n_marks) out_table((void *const *)job->marks, job->n_marks, "number token serial cipher url", c->mem);
    if (job->n_numbers) out_table((void *const *)job->numbers, job->n_numbers, "number state at reason", c->mem);
    return NULL;
}

static chop_err prepare(struct printing *p) {
    struct cli *c = p->c;
    pb__print_use__init(&p->use);
    TRY(args_into(c, &p->use));
    if (!p->use.printer_id[0]) return CHOP_FAIL(EINVAL, NULL, "--printer is wanted (chop printers lists them)");
    if (p->use.count == 0) p->use.count = 1;
    return key_terminal_cert(c, &p->cert);
}

chop_err cmd_print(struct cli *c) {
    struct printing p = { .c = c };
    Pb__CommitActReply *done;
    const char *local = cli_option(c, "local");
    if (local) return cmd_print_local(c, local, c->args[0]);
    TRY(prepare(&p));
    TRY(fetch_challenge(&p));
    TRY(act_run(c, "print", false, &p.use, &done, &p.proof));
    if (done->result_case != PB__COMMIT_ACT_REPLY__RESULT_PRINT) return CHOP_FAIL(EPEER, NULL, "no allotment came back");
    p.result = done->print;
    TRY(check_allotment(&p));
    TRY(submit(&p));
    fprintf(stderr, "chop: job %s\n", p.job->job_id);
    if (p.use.load) return wait_held(&p);
    TRY(wait_done(&p));
    if (c->json) printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
    const char *wait = cli_option(c, "wait");
    TRY(cmd_job_shown(c, p.job));
    if (wait && strcmp(wait, "0") == 0) c->status = EXIT_OK;
    return NULL;
}

/* ---- pairing ---- */

/* HMAC-SHA256(key: the code's digits, "chop/1/pair" 0x00 printer id 0x00 terminal id). */
static void code_mac(struct cli *c, const char *digits, const char *printer_id, uint8_t out[32]) {
    static const char label[] = "chop/1/pair";
    size_t n = sizeof label, k = strlen(printer_id) + 1, t = strlen(c->profile.terminal_id);
    char *text = arena_alloc(c->mem, n + k + t + 1);
    if (!text) return;
    memcpy(text, label, n);
    memcpy(text + n, printer_id, k);
    memcpy(text + n + k, c->profile.terminal_id, t);
    crypto_hmac_sha256(chop_str(digits), CHOP_BYTES(text, n + k + t), out);
}

chop_err cmd_pair(struct cli *c) {
    Pb__PairTerminalRequest in = PB__PAIR_TERMINAL_REQUEST__INIT;
    Pb__PairStatement s = PB__PAIR_STATEMENT__INIT;
    Pb__Pairing *pairing;
    struct chop_bytes cert, pair;
    const char *code;
    uint8_t mac[32] = { 0 };
    TRY(key_terminal_cert(c, &cert));
    TRY(local_secret(c, cli_option(c, "code-file"), "Code that the printer shows", &code));
    code_mac(c, code, c->args[0], mac);
    s.printer_id = PB_STR(c->args[0]);
    s.terminal_id = PB_STR(c->profile.terminal_id);
    s.code_mac = PB_BIN(CHOP_BYTES(mac, 32));
    s.at = chop_now_ms();
    TRY(sign_statement(c, "pair", &s, &pair));
    in.printer_id = PB_STR(c->args[0]);
    in.pair = PB_BIN(pair);
    in.terminal_cert = PB_BIN(cert);
    TRY(api_call(c, "POST", "/v1/printers/{printer_id}/pairings", &in, &pb__pairing__descriptor, &pairing));
    if (c->json)
        printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
    else
        out_message(stdout, pairing, 0, c->mem);
    return NULL;
}
