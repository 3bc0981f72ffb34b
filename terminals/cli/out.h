/* out: messages for people. Whatever a server or another member wrote is shown without control characters or marks that
 * turn the direction of text: neither may draw over what a person is about to approve. */
#pragma once
#include "cli.h"

#include <stdio.h>

/* Every field that is set, one a line, messages indented. */
void out_message(FILE *to, const void *message, int indent, struct arena *mem);
/* A table of `columns` (field paths parted by blanks) of n messages. */
void out_table(void *const *messages, size_t n, const char *columns, struct arena *mem);
void out_text(FILE *to, const char *text);
const char *out_time(int64_t ms, struct arena *mem);
