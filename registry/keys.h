/* keys: the key manifest, taken up again when a newer one is put in its place. Thread-safe. */
#pragma once
#include "trust.h"

struct keys;
chop_err keys_open(const char *dir, struct keys **ret_keys) CHOP_MUSTCHECK;
void keys_close(struct keys *k);
/* The newest manifest. What it returned before stays valid until keys_close: others may be using it. */
const struct trust *keys_now(struct keys *k);
