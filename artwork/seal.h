/* seal: what a seal says and how it is laid out. Sizes in micrometres. */
#pragma once
#include "font.h"

#define SEAL_MAX_LETTERS 48
struct letters {
    int n;
    char at[SEAL_MAX_LETTERS][8]; /* one code point each, UTF-8 */
};

enum seal_kind { SEAL_OFFICIAL, SEAL_CONTRACT, SEAL_FINANCE, SEAL_INVOICE, SEAL_LEGAL_REP };
enum seal_shape { SEAL_ROUND, SEAL_ELLIPSE, SEAL_SQUARE };
struct seal {
    enum seal_kind kind;
    enum seal_shape shape;
    int32_t width, height, edge, star; /* star: 0 for none, else the diameter of its tips */
    struct letters ring, center, code, tax;
    bool sample;
    struct font *song, *hei; /* borrowed */
};

/* Reads and checks the JSON of `chop-draw seal`, filling in what its kind usually has. */
chop_err seal_parse(const char *json, size_t n, struct seal *ret) CHOP_MUSTCHECK;
chop_err seal_draw_round(const struct seal *seal, struct shape *s) CHOP_MUSTCHECK; /* and ellipse */
chop_err seal_draw_square(const struct seal *seal, struct shape *s) CHOP_MUSTCHECK;
/* Clears a band across what is drawn and writes SAMPLE 样章 into it. */
chop_err sample_band(struct font *f, struct outline_size box, bool curved, struct shape *s) CHOP_MUSTCHECK;

chop_err letters_split(const char *text, const char *field, struct letters *ret) CHOP_MUSTCHECK;

/* A cell in which a letter is centred: its middle, size, and turn clockwise in radians. */
struct cell {
    double x, y, width, height, turn;
};
/* A Chinese letter fills the cell by its em box, keeping its own proportions inside of it. */
chop_err cell_letter(struct font *f, const char *letter, const struct cell *c, struct shape *s) CHOP_MUSTCHECK;
/* A digit or capital fills the cell by its height. */
chop_err cell_digit(struct font *f, const char *letter, const struct cell *c, struct shape *s) CHOP_MUSTCHECK;
typedef chop_err (*cell_fn)(struct font *f, const char *letter, const struct cell *c, struct shape *s);
/* A straight row around (cell.x, cell.y); `pitch` from letter to letter. */
chop_err cell_row(
    struct font *f, const struct letters *l, struct cell c, double pitch, cell_fn draw, struct shape *s) CHOP_MUSTCHECK;
