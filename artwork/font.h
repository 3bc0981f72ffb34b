/* font: letters as shapes. The em is 1 wide and high; the pen stands at 0,0 on the base line, y down. */
#pragma once
#include "shape.h"

struct font;
/* EINTERNAL where no installed font has this family name. */
chop_err font_open(const char *family, bool bold, struct font **ret_font) CHOP_MUSTCHECK;
void font_close(struct font **font);
#define CHOP_FONT __attribute__((cleanup(font_close))) struct font *

#define FONT_SONG "Noto Serif CJK SC"
#define FONT_HEI "Noto Sans CJK SC"
#define FONT_CODE "DejaVu Sans Mono"

/* Adds one letter (UTF-8, one code point) with `m` from em to micrometres applied. EINVAL where the font lacks it. */
chop_err font_letter(
    struct font *f, const char *letter, const cairo_matrix_t *m, double tolerance, struct shape *s) CHOP_MUSTCHECK;
/* How far the pen moves after this letter, in em. */
double font_advance(struct font *f, const char *letter);
/* The letter's black box in em. */
void font_box(struct font *f, const char *letter, double *ret_x, double *ret_y, double *ret_width, double *ret_height);
