/* platform: lib/crypto, the system's clock and random source as the core wants them. */
#pragma once
#include "core.h"
#include "crypto.h"

struct platform {
    const struct crypto_key *sign_key; /* of TLS, challenges and reports */
    const struct crypto_key *seal_key; /* what envelopes are sealed to */
    struct arena *mem;                 /* for opening; holds one envelope */
};
/* `p` must outlive the core. */
struct printer_platform platform_of(struct platform *p);
