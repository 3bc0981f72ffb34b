/* The marks of one number: drawn by chance, keyed, laid out, signed. */
#include "issuance.h"

#include <stdio.h>
#include <string.h>

#include "common.pb-c.h"
#include "markblock.h"

static const uint64_t serial_space = 1000000000000000u; /* 10^15 */

static uint64_t random_below(uint64_t limit) {
    const uint64_t whole = UINT64_MAX - UINT64_MAX % limit; /* above it the low values would come more often */
    uint64_t n;
    do
        chop_random(&n, sizeof n);
    while (n >= whole);
    return n % limit;
}

/* Sixteen digits would read as a serial where a person types them. */
static bool only_digits(const char *token) {
    return strspn(token, "0123456789") == strlen(token);
}

static void token_draw(char out[MARKS_TOKEN_LEN + 1]) {
    uint8_t bits[10];
    do {
        chop_random(bits, sizeof bits);
        marks_token_make(bits, out);
    } while (only_digits(out));
}

chop_err cipher_of(const struct issuance *s, const Pb__GrantStatement *g, const Pb__AllotmentStatement *a,
    uint32_t number, const char *serial, char out[MARKS_CIPHER_LEN + 1]) {
    char day[9], text[256];
    uint8_t mac[32];
    marks_day(a->allotted_at, day);
    size_t n = marks_cipher_input(serial, g->seal_code, day, g->document_digest.data, number, text, sizeof text);
    if (n == 0) return CHOP_FAIL(EINVAL, "grant.seal_code", "too long");
    crypto_hmac_sha256(CHOP_BYTES(s->cipher_key, 32), CHOP_BYTES(text, n), mac);
    marks_cipher_make(mac, serial, out);
    return NULL;
}

void cipher_hash_of(const struct issuance *s, const char *serial, const char *cipher, uint8_t out[32]) {
    char text[MARKS_SERIAL_LEN + 1 + MARKS_CIPHER_LEN];
    memcpy(text, serial, MARKS_SERIAL_LEN);
    text[MARKS_SERIAL_LEN] = '|';
    memcpy(text + MARKS_SERIAL_LEN + 1, cipher, MARKS_CIPHER_LEN);
    crypto_hmac_sha256(CHOP_BYTES(s->verify_key, 32), CHOP_BYTES(text, sizeof text), out);
}

chop_err impression_draw(const struct issuance *s, const struct order *o, uint32_t number, struct impression *ret) {
    ret->number = number;
    token_draw(ret->token);
    marks_serial_make(random_below(serial_space), ret->serial);
    TRY(cipher_of(s, o->grant, o->allotment, number, ret->serial, ret->cipher));
    cipher_hash_of(s, ret->serial, ret->cipher, ret->cipher_hash);
    return NULL;
}

const char *mark_url(struct call *c, const char *token) {
    const struct issuance *s = c->service;
    return arena_printf(c->mem, "HTTPS://%s/V/%s", s->host, token);
}

/* ---- the signed QR of offline grants: issuance.proto, OfflineMark ---- */

static const char offline_magic[] = "CHM1";

static chop_err offline_payload(
    struct call *c, const struct order *o, const struct impression *i, struct chop_bytes *ret_payload) {
    Pb__OfflineMark m = PB__OFFLINE_MARK__INIT;
    m.token = PB_STR(i->token);
    m.seal_code = o->grant->seal_code;
    m.document_prefix = PB_BIN(CHOP_BYTES(o->grant->document_digest.data, 8));
    m.printer_id = o->printer->printer_id;
    m.not_after = o->allotment->not_after;
    m.kid = PB_STR(crypto_key_kid(app_sign_key(c->app)));
    m.number = i->number;
    return pb_pack(&m, c->mem, ret_payload);
}

static chop_err offline_make(struct call *c, const struct order *o, struct impression *i) {
    const size_t head = sizeof offline_magic - 1;
    struct chop_bytes payload;
    Pb__Signed s;
    if (!o->grant->offline) return NULL;
    TRY(offline_payload(c, o, i, &payload));
    pb__signed__init(&s);
    TRY(trust_sign(app_sign_key(c->app), NULL, "mark", payload, c->mem, &s));
    uint8_t *out = arena_alloc(c->mem, head + payload.n + s.signature.len);
    if (!out) return CHOP_ERR(EMEMORY);
    memcpy(out, offline_magic, head);
    memcpy(out + head, payload.p, payload.n);
    memcpy(out + head + payload.n, s.signature.data, s.signature.len);
    i->offline = CHOP_BYTES(out, head + payload.n + s.signature.len);
    return NULL;
}

/* ---- the block ---- */

/* Three lines in the block's few letters: which seal, when and which of how many, and whether it is only a sample. */
static void block_lines(struct call *c, const struct order *o, uint32_t number, struct markblock *b) {
    char day[9];
    marks_day(o->allotment->allotted_at, day);
    b->lines[0] = o->grant->seal_code;
    b->lines[1] = arena_printf(
        c->mem, "%.4s-%.2s-%.2s  %u/%u", day, day + 4, day + 6, (unsigned)number, (unsigned)o->grant->copies);
    b->lines[2] = o->grant->sample ? "SAMPLE" : NULL;
}

static chop_err block_make(struct call *c, const struct order *o, struct impression *i) {
    char text[MARKS_TOKEN_TEXT_LEN + 1];
    marks_token_text(i->token, text);
    struct markblock b = {
        .url = mark_url(c, i->token), .token = text, .serial = i->serial, .cipher = i->cipher, .signed_qr = i->offline
    };
    block_lines(c, o, i->number, &b);
    uint8_t outline[MARKBLOCK_MAX_BYTES];
    size_t used;
    struct markblock_layout layout;
    TRY(markblock_make(&b, outline, sizeof outline, &used, &layout));
    i->block = arena_copy(c->mem, CHOP_BYTES(outline, used));
    return i->block.n ? NULL : CHOP_ERR(EMEMORY);
}

static chop_err statement_sign(struct call *c, const struct order *o, struct impression *i) {
    Pb__ImpressionStatement st = PB__IMPRESSION_STATEMENT__INIT;
    st.impression_id = PB_STR(i->impression_id);
    st.grant_id = o->grant->grant_id;
    st.allotment_id = o->allotment->allotment_id;
    st.number = i->number;
    st.token = i->token;
    st.serial = i->serial;
    st.cipher_hash = PB_BIN(CHOP_BYTES(i->cipher_hash, 32));
    st.grant_digest = PB_BIN(CHOP_BYTES(o->grant_digest, 32));
    st.allotment_digest = PB_BIN(CHOP_BYTES(o->allotment_digest, 32));
    st.printer_id = o->printer->printer_id;
    st.printer_name = o->printer->name;
    st.issued_at = c->now;
    struct chop_bytes payload;
    TRY(pb_pack(&st, c->mem, &payload));
    return trust_sign_packed(app_sign_key(c->app), NULL, "impression", payload, c->mem, &i->statement);
}

chop_err impression_finish(struct call *c, const struct order *o, struct impression *i) {
    i->impression_id = rpc_new_id(c, "imp");
    TRY(offline_make(c, o, i));
    TRY(block_make(c, o, i));
    return statement_sign(c, o, i);
}
