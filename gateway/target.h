/* target: the parts of a request target: percent-decoding and query parameters. */
#pragma once
#include "arena.h"

/* EINVAL for a malformed escape, NUL, or what is not UTF-8. In a query '+' is a space. */
chop_err target_decode(struct chop_bytes raw, bool query, struct arena *mem, char **ret_text) CHOP_MUSTCHECK;
/* Sets a field of the message by each parameter; EINVAL names an unknown one or one given twice. */
chop_err target_query_into(const char *query, void *message, struct arena *mem) CHOP_MUSTCHECK;
/* The value of one parameter, NULL where it is absent; of several the first. */
chop_err target_query_find(const char *query, const char *name, struct arena *mem, char **ret_value) CHOP_MUSTCHECK;
