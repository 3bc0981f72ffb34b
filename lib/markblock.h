/* markblock: the marks of one impression laid out as one outline, which the printer only fills (design 6).
 *
 *   +--------------------------------------------+
 *   | ##QR##  XXXX-XXXX-XXXX-XXXX-C  token       |   QR: ISO/IEC 18004 version 3, level Q, alphanumeric
 *   | ##QR##  1234 5678              cipher      |   bars: ISO/IEC 15417 Code 128, set C
 *   | ##QR##  up to three lines                  |
 *   |  ||||||||| serial and cipher |||||||||||   |
 *   |    1234 5678 9012 3456  1234 5678          |
 *   | ##signed QR##  (offline grants)            |
 *   +--------------------------------------------+
 *
 * All modules are whole multiples of 1/300 inch, so 300 and 600 dpi print them alike. A printer moves the block by whole
 * pixels (outline_raster's x0_px, y0_px). Letters come from a table in the program: no fonts, no files. */
#pragma once
#include "outline.h"

#define MARKBLOCK_MAX_BYTES 65536
#define MARKBLOCK_LINES 3
#define MARKBLOCK_LINE_LEN 27
#define MARKBLOCK_URL_LEN 47      /* what version 3-Q holds */
#define MARKBLOCK_SIGNED_LEN 213  /* what version 10-M holds */
#define MARKBLOCK_QR_DOTS 4       /* a module of the token QR in 1/300 inch: 0.339 mm */
#define MARKBLOCK_BAR_DOTS 3      /* X-dimension of the bars in 1/300 inch: 0.254 mm */
#define MARKBLOCK_SIGNED_DOTS 3   /* a module of the signed QR */

struct markblock {
    const char *url;                    /* QR payload, upper case: HTTPS://<host>/V/<token> */
    const char *token;                  /* as printed, with its check symbol: MARKS_TOKEN_TEXT_LEN characters */
    const char *serial;                 /* 16 digits */
    const char *cipher;                 /* 8 digits */
    const char *lines[MARKBLOCK_LINES]; /* 0-9 A-Z - : / . and space; NULL or "" for none */
    struct chop_bytes signed_qr;        /* n = 0 for none; printed in byte mode */
};
struct markblock_area { /* on the block; codes without their quiet zones */
    int32_t x_um, y_um, width_um, height_um;
};
struct markblock_layout {
    struct outline_size size; /* about 47.5 x 24.4 mm; with a signed QR of version 10 about 41 mm high */
    struct markblock_area qr, bars, digits, token, cipher, signed_qr;
    int signed_version; /* 0 for none, else 6 to 10 */
};

/* Writes the outline into out[size] (MARKBLOCK_MAX_BYTES always suffices). ELIMIT when the URL does not fit version 3-Q,
 * the signed bytes 10-M, a line its length; EINVAL for characters or lengths that a mark does not have. */
chop_err markblock_make(const struct markblock *in, uint8_t *out, size_t size, size_t *ret_used,
    struct markblock_layout *ret_layout) CHOP_MUSTCHECK;
