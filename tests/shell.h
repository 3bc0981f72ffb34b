/* shell: run programs in a folder of their own. */
#pragma once
#include "base.h"

/* A new folder; removed at exit with all that is in it. */
const char *shell_folder(void);
/* Runs a command line in that folder; its standard output and error go to the files "out" and "err". Exit status. */
int shell_run(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* A file of the folder, zero-terminated behind its n bytes; the caller frees. NULL where there is none. */
uint8_t *shell_read(const char *name, size_t *ret_n);
void shell_write(const char *name, const void *p, size_t n);
/* Whether chop-draw refused its input: exit status 2, nothing on standard output, and on standard error
 * {"error":...,"field":...}. Says on standard error what it did instead. */
bool shell_refused(int status, const char *error, const char *field);
