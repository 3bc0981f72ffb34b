/* adapter: how one kind of registry is spoken to. A row says what the kind can do; the sender knows no more. */
#pragma once
#include "httpc.h"
#include "rules.h"

struct registry;
typedef struct Pb__HeldOrders Pb__HeldOrders;
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

/* The registry's orders after this sequence, none of them opened. */
typedef chop_err (*adapter_orders_fn)(struct httpc *h, const struct registry *g, uint64_t after, struct arena *mem,
    Pb__HeldOrders **ret_orders);

enum adapter_can {
    ADAPTER_STATUS = 1,         /* answers what became of a filing */
    ADAPTER_SIGNED_RECEIPT = 2, /* its receipts are Signed statements */
};
struct adapter {
    const char *name;
    unsigned can;
    adapter_fn send;
    adapter_fn status; /* NULL without ADAPTER_STATUS: then a lost filing is sent again under its key */
    adapter_orders_fn orders; /* NULL: it gives none */
};
const struct adapter *adapter_find(const char *name);

struct adapter_answer webhook_adapter_send(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem);
struct adapter_answer webhook_adapter_status(struct httpc *h, const struct registry *g, const struct adapter_filing *f,
    struct arena *mem);
chop_err webhook_adapter_orders(struct httpc *h, const struct registry *g, uint64_t after, struct arena *mem,
    Pb__HeldOrders **ret_orders) CHOP_MUSTCHECK;
