/* markblock_text: lines of the marks' letters. Private to markblock. */
#pragma once
#include "outline.h"

/* Whether every character has a letter. */
bool marktext_valid(const char *text);
int32_t marktext_width(const char *text, int32_t em_um);
/* Writes a line whose base line starts at x, y; `em_um` is the font size. */
void marktext_write(struct outline_writer *w, const char *text, int32_t x, int32_t y, int32_t em_um);
#define MARKTEXT_CAP(em_um) ((em_um) * 729 / 1000) /* height of its capitals and digits */
