/* accept: reads and verifies one posted filing, before it is handed to the writer. */
#pragma once
#include "filing.h"
#include "keys.h"
#include "webhook.h"

struct accept_headers { /* NULL where absent */
    const char *id, *timestamp, *signature;
};
struct accept {
    struct keys *keys;
    const struct webhook_secret *secret;
};
/* Fills f, or f's refusal: true when the filing may go on. f->mem is set. */
bool accept_filing(const struct accept *a, const struct accept_headers *h, struct chop_bytes body, struct filing *f);
