/* fixture_internal: what fixture.c and fixture_keys.c share. */
#pragma once
#include "fixture.h"
#include "fixture_process.h"

/* Ends the test unless e is NULL. */
void fixture_must(chop_err e, const char *what);
void fixture_keys_up(void);
void fixture_keys_free(void);
