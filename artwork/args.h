/* args: the options of one subcommand: "--name value" and "--flag". */
#pragma once
#include "base.h"

struct args {
    int n;
    char **v;
};
/* Refuses what is not in `values` (with a value) or `flags` (without): space separated names with their dashes. A word
 * without dashes is allowed when `words` says how many. */
chop_err args_check(const struct args *a, const char *values, const char *flags, int words) CHOP_MUSTCHECK;
/* The value of an option, or `fallback`. */
const char *args_text(const struct args *a, const char *name, const char *fallback);
chop_err args_int(const struct args *a, const char *name, long fallback, long low, long high, long *ret) CHOP_MUSTCHECK;
bool args_flag(const struct args *a, const char *name);
/* RRGGBB. */
chop_err args_color(const char *text, uint8_t ret_rgb[3]) CHOP_MUSTCHECK;
