/* adapter: how one kind of registry is spoken to. A row says what the kind can do; the sender knows no more. */
#pragma once
#include "httpc.h"
#include "rules.h"

struct registry;
struct adapter_filing {
    const char *key;        /* idempotency key, 64 hex digits */
    struct chop_bytes fact; /* packed Signed{fact} */
};
struct adapter_answer {
    enum outcome outcome;      /* OUTCOME_RECEIPT: there is one, not judged yet */
    struct chop_bytes receipt; /* packed Signed{receipt}, in the arena */
    uint64_t expected;         /* of a gap */
    long retry_after_s;
    const char *detail;        /* for people; in the arena */
};
typedef struct adapter_answer (*adapter_fn)(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem);

enum adapter_can {
    ADAPTER_STATUS = 1,         /* answers what became of a filing */
    ADAPTER_SIGNED_RECEIPT = 2, /* its receipts are Signed statements */
};
struct adapter {
    const char *name;
    unsigned can;
    adapter_fn send;
    adapter_fn status; /* NULL without ADAPTER_STATUS: then a lost filing is sent again under its key */
};
const struct adapter *adapter_find(const char *name);

struct adapter_answer webhook_adapter_send(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem);
struct adapter_answer webhook_adapter_status(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem);
