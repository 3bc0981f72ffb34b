/* Pairing: a terminal proves that its member stands in front of the printer by a code that only the display shows. */
#include "core_internal.h"

static bool usable(const struct journal_code *code, int64_t now) {
    return code->tries > 0 && now <= code->expires_at;
}

/* Eight digits, without the bias of a plain remainder. */
static void new_digits(struct printer_core *c, char out[9]) {
    uint32_t r = UINT32_MAX;
    while (r >= 4200000000u)
        c->s.platform->random(c->s.platform->ctx, &r, sizeof r);
    r %= 100000000u;
    for (int i = 7; i >= 0; i--, r /= 10)
        out[i] = (char)('0' + r % 10);
    out[8] = 0;
}

chop_err printer_pair_code(struct printer_core *c, struct journal_code *ret_code) {
    struct journal_code code;
    c->check = "pair-code";
    if (c->broken) return CHOP_ERR(ESTORE);
    int64_t now = printer_now(c);
    chop_err e = c->s.journal->code_get(c->s.journal->ctx, &code);
    if (e && e != CHOP_ERR(ENOTFOUND)) return core_broken(c, e);
    if (e || !usable(&code, now)) {
        new_digits(c, code.digits);
        code.expires_at = now + PRINTER_CODE_MS;
        code.tries = PRINTER_CODE_TRIES;
        TRY(core_broken(c, c->s.journal->code_put(c->s.journal->ctx, &code)));
    }
    *ret_code = code;
    return NULL;
}

/* HMAC-SHA256(key: the code's digits, "chop/1/pair" 0x00 printer id 0x00 terminal id). */
static void code_mac(const struct printer_core *c, const char *digits, const char *terminal_id, uint8_t out[32]) {
    static const char start[] = "chop/1/pair";
    char text[sizeof start + 2 * PRINTER_ID_SIZE];
    size_t a = sizeof start, b = strlen(c->printer_id) + 1, t = strlen(terminal_id);
    memcpy(text, start, a);
    memcpy(text + a, c->printer_id, b);
    memcpy(text + a + b, terminal_id, t);
    c->s.platform->hmac_sha256(c->s.platform->ctx, chop_str(digits), CHOP_BYTES(text, a + b + t), out);
}

/* A try is spent, durably, before the code is compared: power cuts buy no more of them. */
static chop_err try_code(struct printer_core *c, const Pb__PairStatement *p, int64_t now) {
    struct journal_code code;
    chop_err e = c->s.journal->code_get(c->s.journal->ctx, &code);
    if (e == CHOP_ERR(ENOTFOUND)) return REFUSE(c, EEXPIRED, "pair-code");
    TRY(core_broken(c, e));
    if (now > code.expires_at) return REFUSE(c, EEXPIRED, "pair-code");
    if (code.tries == 0) return REFUSE(c, ETHROTTLED, "pair-code");
    code.tries--;
    TRY(core_broken(c, c->s.journal->code_put(c->s.journal->ctx, &code)));
    uint8_t mac[32];
    code_mac(c, code.digits, p->terminal_id, mac);
    bool right = p->code_mac.len == 32 && c->s.platform->equal(c->s.platform->ctx, mac, p->code_mac.data, 32);
    return right ? NULL : REFUSE(c, EDENIED, "pair-code");
}

static chop_err paired_statement(struct printer_core *c, const struct journal_pairing *p, uint8_t *out, size_t *ret_n) {
    Pb__PairedStatement m = PB__PAIRED_STATEMENT__INIT;
    m.printer_id = c->printer_id;
    m.terminal_id = (char *)(uintptr_t)p->terminal_id;
    m.member_id = (char *)(uintptr_t)p->member_id;
    m.at = p->paired_at;
    struct chop_bytes payload, packed;
    TRY(bump_pack(&c->scratch, &m, &payload));
    TRY(keys_sign(c, "paired", payload, &c->scratch, &packed));
    if (packed.n > PRINTER_SMALL_MAX) return CHOP_ERR(ELIMIT);
    memcpy(out, packed.p, packed.n);
    *ret_n = packed.n;
    return NULL;
}

static chop_err read_pair(struct printer_core *c, struct chop_bytes pair, struct chop_bytes cert, int64_t now,
    Pb__PairStatement **ret_pair, struct journal_pairing *ret_pairing) {
    Pb__KeyManifest *m;
    Pb__Signed *s, *sc;
    Pb__TerminalCert *t;
    TRY(keys_manifest(c, &c->scratch, &m));
    TRY(BUMP_UNPACK(&c->scratch, pb__signed, pair, &s));
    TRY(BUMP_UNPACK(&c->scratch, pb__signed, cert, &sc));
    TRY(keys_verify_terminal(c, &c->scratch, m, sc, s, "pair", now, &t));
    TRY(BUMP_UNPACK(&c->scratch, pb__pair_statement, PB_VIEW(s->payload), ret_pair));
    if (strcmp((*ret_pair)->printer_id, c->printer_id) != 0) return REFUSE(c, EMISMATCH, "printer");
    if (strcmp((*ret_pair)->terminal_id, t->terminal_id) != 0) return REFUSE(c, EMISMATCH, "pair");
    TRY(core_copy_id(ret_pairing->terminal_id, t->terminal_id));
    TRY(core_copy_id(ret_pairing->member_id, t->member_id));
    core_sha256(c, PB_VIEW(s->payload), ret_pairing->pair_digest);
    ret_pairing->paired_at = now;
    return NULL;
}

/* The answer to this very statement may have been lost on its way. */
static bool paired_before(struct printer_core *c, struct journal_pairing *p) {
    struct journal_pairing known;
    if (c->s.journal->pairing_get(c->s.journal->ctx, p->terminal_id, &known)) return false;
    if (memcmp(known.pair_digest, p->pair_digest, 32) != 0 || strcmp(known.member_id, p->member_id) != 0) return false;
    *p = known;
    return true;
}

chop_err printer_pair(
    struct printer_core *c, struct chop_bytes pair, struct chop_bytes terminal_cert, uint8_t *out, size_t *ret_n) {
    c->check = "pair";
    if (c->broken) return CHOP_ERR(ESTORE);
    bump_reset(&c->scratch);
    int64_t now = printer_now(c);
    Pb__PairStatement *p = NULL;
    struct journal_pairing pairing = { .paired_at = 0 };
    TRY(read_pair(c, pair, terminal_cert, now, &p, &pairing));
    if (!paired_before(c, &pairing)) {
        TRY(try_code(c, p, now));
        TRY(core_broken(c, c->s.journal->pairing_put(c->s.journal->ctx, &pairing)));
    }
    return paired_statement(c, &pairing, out, ret_n);
}
