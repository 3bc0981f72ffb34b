/* commands: one function per subcommand; main.c holds the table. */
#pragma once
#include "args.h"

chop_err command_seal(const struct args *a) CHOP_MUSTCHECK;
chop_err command_trace(const struct args *a) CHOP_MUSTCHECK;
chop_err command_signature(const struct args *a) CHOP_MUSTCHECK;
chop_err command_png(const struct args *a) CHOP_MUSTCHECK;
chop_err command_glyphs(const struct args *a) CHOP_MUSTCHECK;
chop_err command_contract(const struct args *a) CHOP_MUSTCHECK;
chop_err command_pdfinfo(const struct args *a) CHOP_MUSTCHECK;
chop_err command_page(const struct args *a) CHOP_MUSTCHECK;
