/* What the program can do; each returns the error to print. */
#pragma once
#include "output.h"

struct enrol_options {
    const char *url, *printer_id, *code, *dir;
    const char *ca_file; /* of the gateway; NULL: the system's */
};
/* Makes keys (or takes those that are there), enrols over HTTP, stores what came. May be repeated with the same code.
 */
chop_err command_enrol(const struct enrol_options *o) CHOP_MUSTCHECK;

struct run_options {
    const char *dir;
    struct output_options output;
    int64_t resend_ms; /* a report is sent again after this long without its acknowledgement */
};
/* Serves until SIGTERM or SIGINT. */
chop_err command_run(const struct run_options *o) CHOP_MUSTCHECK;

/* Shows the pairing code: on standard output and in DIR/pairing-code. Works beside a running printer. */
chop_err command_pair(const char *dir) CHOP_MUSTCHECK;
chop_err command_pairings(const char *dir) CHOP_MUSTCHECK;
chop_err command_unpair(const char *dir, const char *terminal_id) CHOP_MUSTCHECK;
