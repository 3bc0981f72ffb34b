/* Calls that ask the printer itself. They run outside of a transaction: three seconds is long to hold one. */
#include "bridge.h"

#include <string.h>

/* Signed server time goes with every ask, so that a printer that is spoken to knows what time it is. */
static chop_err new_ask(struct call *c, const char *printer_id, Pb__PrinterAsk *ask) {
    Pb__TimeStatement t = PB__TIME_STATEMENT__INIT;
    struct chop_bytes payload;
    Pb__Signed *s = PB_NEW(c->mem, Pb__Signed, pb__signed);
    if (!s) return CHOP_ERR(EMEMORY);
    t.at = c->now;
    t.printer_id = PB_STR(printer_id);
    TRY(pb_pack(&t, c->mem, &payload));
    TRY(trust_sign(app_sign_key(c->app), NULL, "time", payload, c->mem, s));
    pb__printer_ask__init(ask);
    ask->ask_id = PB_STR(rpc_new_id(c, "ask"));
    ask->time = s;
    return NULL;
}

/* Statements of a printer are believed when its certificate says so, not because they came from the broker. */
static chop_err verify_answer(struct call *c, const struct db_rows *printer, ProtobufCBinaryData packed,
    const char *type, Pb__Signed **ret_signed) {
    Pb__Signed *cert;
    Pb__PrinterCert *unpacked;
    TRY(PB_UNPACK(pb__signed, db_bytes(printer, 0, 6), c->mem, &cert));
    if (packed.len == 0 || PB_UNPACK(pb__signed, PB_BYTES(packed), c->mem, ret_signed))
        return CHOP_FAIL(EPEER, NULL, "the printer's answer has no %s", type);
    if (trust_verify_printer(c->trust, cert, *ret_signed, type, c->now, c->mem, &unpacked))
        return CHOP_FAIL(EPEER, NULL, "the printer's %s does not verify", type);
    return NULL;
}

static chop_err reachable_printer(struct call *c, const char *printer_id, struct db_rows **ret_rows) {
    TRY(own_printer(c, printer_id, ret_rows));
    if (strcmp(db_text(*ret_rows, 0, 3), "enrolled") == 0) return NULL;
    return CHOP_FAIL(ESTATE, "printer_id", "the printer is %s", db_text(*ret_rows, 0, 3));
}

HANDLER(get_challenge_call, Pb__GetPrinterRequest, Pb__ChallengeReply) {
    const struct bridge *b = c->service;
    struct db_rows *r;
    Pb__PrinterAsk ask;
    Pb__PrinterAnswer *answer;
    Pb__Signed *s;
    Pb__Challenge *challenge;
    TRY(reachable_printer(c, in->printer_id, &r));
    TRY(new_ask(c, in->printer_id, &ask));
    ask.challenge = true;
    TRY(link_ask(b->link, in->printer_id, &ask, c->mem, &answer));
    TRY(verify_answer(c, r, answer->challenge, "challenge", &s));
    TRY(PB_UNPACK(pb__challenge, PB_BYTES(s->payload), c->mem, &challenge));
    if (strcmp(challenge->printer_id, in->printer_id) != 0)
        return CHOP_FAIL(EPEER, NULL, "another printer's challenge");
    out->challenge = answer->challenge;
    out->printer_cert = PB_BIN(db_bytes(r, 0, 6));
    return NULL;
}
chop_err get_challenge(struct call *c, const void *in, void *out) {
    return get_challenge_call(c, in, out);
}

/* ---- pairing: the printer decides ---- */
static chop_err store_pairing(struct call *c, const Pb__PairedStatement *p, struct chop_bytes packed) {
    TRY(db_begin(c->db));
    chop_err e =
        DB_DO(c->db, "pairing_put", T_(p->printer_id), T_(p->terminal_id), T_(p->member_id), B_(packed), I_(p->at));
    if (!e) e = db_commit(c->db);
    if (e) db_rollback(c->db);
    return e;
}

/* Refused here already where the printer would refuse: a stranger's statement costs no try of the code. */
static chop_err check_pair(struct call *c, const Pb__PairTerminalRequest *in) {
    Pb__Signed *pair, *cert;
    Pb__TerminalCert *t;
    TRY(PB_UNPACK(pb__signed, PB_BYTES(in->pair), c->mem, &pair));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(in->terminal_cert), c->mem, &cert));
    TRY(trust_verify_terminal(c->trust, cert, pair, "pair", c->now, c->mem, &t));
    if (strcmp(t->organization_id, c->who->organization_id) != 0 || strcmp(t->member_id, c->who->member_id) != 0)
        return CHOP_FAIL(EDENIED, "terminal_cert", "the terminal is not yours");
    return NULL;
}

HANDLER(pair_terminal_call, Pb__PairTerminalRequest, Pb__Pairing) {
    const struct bridge *b = c->service;
    struct db_rows *r;
    Pb__PrinterAsk ask;
    Pb__PrinterAnswer *answer;
    Pb__Signed *s;
    Pb__PairedStatement *p;
    TRY(reachable_printer(c, in->printer_id, &r));
    TRY(check_pair(c, in));
    TRY(new_ask(c, in->printer_id, &ask));
    ask.pair = in->pair;
    ask.terminal_cert = in->terminal_cert;
    TRY(link_ask(b->link, in->printer_id, &ask, c->mem, &answer));
    TRY(verify_answer(c, r, answer->paired, "paired", &s));
    TRY(PB_UNPACK(pb__paired_statement, PB_BYTES(s->payload), c->mem, &p));
    if (strcmp(p->printer_id, in->printer_id) != 0) return CHOP_FAIL(EPEER, NULL, "another printer's pairing");
    TRY(store_pairing(c, p, PB_BYTES(answer->paired)));
    out->printer_id = p->printer_id;
    out->terminal_id = p->terminal_id;
    out->member_id = p->member_id;
    out->statement = s;
    out->paired_at = p->at;
    return NULL;
}
chop_err pair_terminal(struct call *c, const void *in, void *out) {
    return pair_terminal_call(c, in, out);
}

/* ---- close-out: the printer gives back what it holds; what counts is its statement, which comes as reports do ---- */
HANDLER(close_out_call, Pb__CloseOutRequest, Pb__CloseOutReply) {
    const struct bridge *b = c->service;
    struct db_rows *r;
    Pb__PrinterAsk ask;
    Pb__PrinterAnswer *answer;
    Pb__Signed *s;
    Pb__Closeout *m;
    TRY(rpc_check_id("job_id", in->job_id, "job"));
    TRY(rpc_need_role(c, "user,manager,admin"));
    TRY(reachable_printer(c, in->printer_id, &r));
    TRY(new_ask(c, in->printer_id, &ask));
    ask.close_out = in->job_id;
    TRY(link_ask(b->link, in->printer_id, &ask, c->mem, &answer));
    TRY(verify_answer(c, r, answer->closeout, "closeout", &s));
    TRY(PB_UNPACK(pb__closeout, PB_BYTES(s->payload), c->mem, &m));
    if (strcmp(m->printer_id, in->printer_id) != 0 || strcmp(m->job_id, in->job_id) != 0)
        return CHOP_FAIL(EPEER, NULL, "another printer's or job's close-out");
    out->closeout = answer->closeout;
    out->numbers = m->numbers;
    out->n_numbers = m->n_numbers;
    return NULL;
}
chop_err close_out(struct call *c, const void *in, void *out) {
    return close_out_call(c, in, out);
}
