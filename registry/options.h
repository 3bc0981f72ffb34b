/* options: the command line of chop-registry. */
#pragma once
#include "base.h"

struct options {
    const char *name;  /* [a-z0-9-]{1,32}: the name of its entry in the key manifest */
    const char *title; /* for people */
    char host[64];     /* a numeric address */
    uint16_t port;
    const char *dir, *keys, *sign_key, *secret_file;
    const char *operator_token_file; /* NULL: nobody may enter orders, but under test_switches everybody */
    bool test_switches;
    bool signed_reads; /* status and list need the webhook signature too */
};
/* Returns 0 to go on, else the exit code + 1 (help and version print and end with 0). */
int options_read(int argc, char **argv, struct options *ret_options);
