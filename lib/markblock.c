#include <qrencode.h>
#include <stdio.h>
#include <string.h>
#include <zint.h>

#include "markblock.h"
#include "markblock_text.h"
#include "marks.h"

/* The layout in dots of 1/300 inch. */
#define BLOCK_DOTS 561 /* 187 modules: 167 of bars and two quiet zones of 10 */
#define QR_MODULES 29
#define QR_QUIET 4
#define QR_BOX ((QR_MODULES + 2 * QR_QUIET) * MARKBLOCK_QR_DOTS)
#define BAR_MODULES 167 /* start, 12 pairs, check: 11 each; stop: 13 */
#define BAR_QUIET (10 * MARKBLOCK_BAR_DOTS)
#define BAR_TOP (QR_BOX + 4)
#define BAR_DOTS 96 /* 8.1 mm */
#define DIGITS_TOP (BAR_TOP + BAR_DOTS + 7)
#define BLOCK_HEIGHT (DIGITS_TOP + 33)

#define TOKEN_EM 2700
#define CIPHER_EM 3600
#define LINE_EM 2100
#define DIGITS_EM 2500

/* The micrometre nearest to a whole dot: off by a third of one at most, far less than half a pixel. */
static int32_t um(int32_t dots) {
    return (dots * 254 + 1) / 3;
}

struct block {
    struct outline_writer w;
    struct markblock_layout layout;
};

static void dots_rect(struct block *b, int32_t x, int32_t y, int32_t width, int32_t height) {
    outline_rect(&b->w, um(x), um(y), um(x + width) - um(x), um(y + height) - um(y));
}

static struct markblock_area dots_area(int32_t x, int32_t y, int32_t width, int32_t height) {
    return (struct markblock_area){ um(x), um(y), um(x + width) - um(x), um(y + height) - um(y) };
}

/* ---- QR ---- */
static void qr_done(QRcode **code) {
    QRcode_free(*code);
}
#define CHOP_QR __attribute__((cleanup(qr_done))) QRcode *

/* Each row's dark runs as rectangles; rows share their edges exactly, so no light shows between them. */
static void draw_qr(struct block *b, const QRcode *code, int32_t x, int32_t y, int32_t module) {
    for (int32_t row = 0; row < code->width; row++) {
        const unsigned char *cells = code->data + row * code->width;
        for (int32_t from = 0, to; from < code->width; from = to) {
            for (to = from + 1; to < code->width && (cells[to] & 1) == (cells[from] & 1);)
                to++;
            if (cells[from] & 1) dots_rect(b, x + from * module, y + row * module, (to - from) * module, module);
        }
    }
}

/* libqrencode takes a larger version in silence when the text does not fit: so its length is checked first and the
 * version after. */
static chop_err encode_url(const char *url, QRcode **ret_code) {
    size_t n = strlen(url);
    if (n == 0 || url[strspn(url, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")])
        return CHOP_FAIL(EINVAL, "url", "not upper-case alphanumeric");
    if (n > MARKBLOCK_URL_LEN) return CHOP_FAIL(ELIMIT, "url", "longer than %d characters", MARKBLOCK_URL_LEN);
    QRinput *input = QRinput_new2(3, QR_ECLEVEL_Q);
    if (!input) return CHOP_ERR(EMEMORY);
    CHOP_QR code = NULL;
    if (QRinput_append(input, QR_MODE_AN, (int)n, (const unsigned char *)url) == 0) code = QRcode_encodeInput(input);
    QRinput_free(input);
    if (!code) return CHOP_FAIL(EINTERNAL, "url", "no QR code");
    if (code->version != 3) return CHOP_FAIL(ELIMIT, "url", "does not fit version 3");
    *ret_code = code;
    code = NULL;
    return NULL;
}

static chop_err encode_signed(struct chop_bytes data, QRcode **ret_code) {
    static const uint8_t capacity[] = { 106, 122, 152, 180, MARKBLOCK_SIGNED_LEN }; /* bytes of versions 6-M to 10-M */
    int version = 6;
    while (version <= 10 && data.n > capacity[version - 6])
        version++;
    if (version > 10) return CHOP_FAIL(ELIMIT, "signed_qr", "longer than %d bytes", MARKBLOCK_SIGNED_LEN);
    CHOP_QR code = QRcode_encodeData((int)data.n, data.p, version, QR_ECLEVEL_M);
    if (!code || code->version != version) return CHOP_FAIL(EINTERNAL, "signed_qr", "no QR code");
    *ret_code = code;
    code = NULL;
    return NULL;
}

/* ---- bars ---- */
static void symbol_done(struct zint_symbol **s) {
    if (*s) ZBarcode_Delete(*s);
}

/* Pairs of digits only, hence set C throughout: any other set would be wider than 167 modules. */
static chop_err draw_bars(struct block *b, const char digits[25]) {
    __attribute__((cleanup(symbol_done))) struct zint_symbol *s = ZBarcode_Create();
    if (!s) return CHOP_ERR(EMEMORY);
    s->symbology = BARCODE_CODE128;
    if (ZBarcode_Encode(s, (const unsigned char *)digits, 24) >= ZINT_ERROR || s->rows != 1 || s->width != BAR_MODULES)
        return CHOP_FAIL(EINTERNAL, "serial", "no bar code: %s", s->errtxt);
    for (int32_t from = 0, to; from < BAR_MODULES; from = to) {
        bool dark = s->encoded_data[0][from / 8] >> from % 8 & 1;
        for (to = from + 1; to < BAR_MODULES && (s->encoded_data[0][to / 8] >> to % 8 & 1) == dark;)
            to++;
        if (dark)
            dots_rect(b, BAR_QUIET + from * MARKBLOCK_BAR_DOTS, BAR_TOP, (to - from) * MARKBLOCK_BAR_DOTS, BAR_DOTS);
    }
    b->layout.bars = dots_area(BAR_QUIET, BAR_TOP, BAR_MODULES * MARKBLOCK_BAR_DOTS, BAR_DOTS);
    return NULL;
}

/* ---- text ---- */
static struct markblock_area draw_text(struct block *b, const char *text, int32_t x, int32_t base, int32_t em) {
    marktext_write(&b->w, text, x, base, em);
    return (struct markblock_area){ x, base - MARKTEXT_CAP(em), marktext_width(text, em), MARKTEXT_CAP(em) };
}

static void draw_beside_qr(struct block *b, const struct markblock *in) {
    int32_t x = um(QR_BOX);
    char cipher[10];
    snprintf(cipher, sizeof cipher, "%.4s %.4s", in->cipher, in->cipher + 4);
    b->layout.token = draw_text(b, in->token, x, 2600, TOKEN_EM);
    b->layout.cipher = draw_text(b, cipher, x, 5950, CIPHER_EM);
    for (int i = 0; i < MARKBLOCK_LINES; i++)
        if (in->lines[i]) draw_text(b, in->lines[i], x, 8150 + i * 1900, LINE_EM);
}

/* All 24 digits in fours, the cipher set apart. */
static void draw_digits(struct block *b, const char digits[25]) {
    char text[32];
    snprintf(text, sizeof text, "%.4s %.4s %.4s %.4s  %.4s %.4s", digits, digits + 4, digits + 8, digits + 12,
        digits + 16, digits + 20);
    int32_t x = (um(BLOCK_DOTS) - marktext_width(text, DIGITS_EM)) / 2;
    b->layout.digits = draw_text(b, text, x, um(DIGITS_TOP) + MARKTEXT_CAP(DIGITS_EM), DIGITS_EM);
}

static void draw_signed(struct block *b, const QRcode *code) {
    int32_t quiet = QR_QUIET * MARKBLOCK_SIGNED_DOTS, side = code->width * MARKBLOCK_SIGNED_DOTS;
    b->layout.signed_qr = dots_area(quiet, BLOCK_HEIGHT + quiet, side, side);
    b->layout.signed_version = code->version;
    draw_qr(b, code, quiet, BLOCK_HEIGHT + quiet, MARKBLOCK_SIGNED_DOTS);
    draw_text(b, "SIGNED", um(side + 2 * quiet), um(BLOCK_HEIGHT + quiet) + MARKTEXT_CAP(TOKEN_EM), TOKEN_EM);
    draw_text(b, "FOR OFFLINE CHECKS", um(side + 2 * quiet), um(BLOCK_HEIGHT + quiet) + 2 * TOKEN_EM, LINE_EM);
}

/* ---- all ---- */
static bool digits_only(const char *s, size_t n) {
    return strlen(s) == n && strspn(s, "0123456789") == n;
}

static chop_err check(const struct markblock *in) {
    if (strlen(in->token) != MARKS_TOKEN_TEXT_LEN || !marktext_valid(in->token))
        return CHOP_FAIL(EINVAL, "token", "not a token as printed");
    if (!digits_only(in->serial, MARKS_SERIAL_LEN)) return CHOP_FAIL(EINVAL, "serial", "not 16 digits");
    if (!digits_only(in->cipher, MARKS_CIPHER_LEN)) return CHOP_FAIL(EINVAL, "cipher", "not 8 digits");
    for (int i = 0; i < MARKBLOCK_LINES; i++) {
        if (!in->lines[i]) continue;
        if (strlen(in->lines[i]) > MARKBLOCK_LINE_LEN)
            return CHOP_FAIL(ELIMIT, "lines", "longer than %d characters", MARKBLOCK_LINE_LEN);
        if (!marktext_valid(in->lines[i])) return CHOP_FAIL(EINVAL, "lines", "holds a character that has no letter");
    }
    return NULL;
}

static chop_err draw(struct block *b, const struct markblock *in, const QRcode *code, const QRcode *proof) {
    char digits[MARKS_SERIAL_LEN + MARKS_CIPHER_LEN + 1];
    snprintf(digits, sizeof digits, "%s%s", in->serial, in->cipher);
    const int32_t quiet = QR_QUIET * MARKBLOCK_QR_DOTS, side = QR_MODULES * MARKBLOCK_QR_DOTS;
    draw_qr(b, code, quiet, quiet, MARKBLOCK_QR_DOTS);
    b->layout.qr = dots_area(quiet, quiet, side, side);
    draw_beside_qr(b, in);
    TRY(draw_bars(b, digits));
    draw_digits(b, digits);
    if (proof) draw_signed(b, proof);
    return NULL;
}

chop_err markblock_make(
    const struct markblock *in, uint8_t *out, size_t size, size_t *ret_used, struct markblock_layout *ret_layout) {
    TRY(check(in));
    CHOP_QR code = NULL;
    CHOP_QR proof = NULL;
    TRY(encode_url(in->url, &code));
    if (in->signed_qr.n) TRY(encode_signed(in->signed_qr, &proof));
    int32_t below = proof ? (proof->width + 2 * QR_QUIET) * MARKBLOCK_SIGNED_DOTS : 0;
    struct block b = { .layout.size = { (uint32_t)um(BLOCK_DOTS), (uint32_t)um(BLOCK_HEIGHT + below) } };
    outline_begin(&b.w, out, size, b.layout.size);
    TRY(draw(&b, in, code, proof));
    size_t used = outline_end(&b.w);
    if (used == 0) return CHOP_FAIL(ELIMIT, NULL, "the marks do not fit the buffer");
    *ret_used = used;
    *ret_layout = b.layout;
    return NULL;
}
