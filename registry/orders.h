/* orders: what the registry orders about seals: entered by its operator, signed, kept, handed out in sequence. */
#pragma once
#include "reads.h"
#include "trust.h"

struct orders {
    const char *name; /* of the registry */
    const struct crypto_key *key;
    const char *token; /* the operator's; NULL: none is asked for (registries under test) */
};
/* From a file that group and others must not read; at least 24 letters. The caller frees it. */
chop_err orders_token_load(const char *path, char **ret_token) CHOP_MUSTCHECK;
/* Whether the value of an Authorization header is the operator's. */
bool orders_may_enter(const struct orders *o, const char *authorization);
/* PUT /v1/orders: a RegistryOrder as JSON, without registry, sequence and at. The same order_id again: the same order,
 * or 409 conflict where it says something else. Answers a HeldOrder once it is durable. */
struct reads_answer orders_enter(const struct orders *o, struct store *s, struct chop_bytes body, struct arena *mem);
/* GET /v1/orders?after=&limit= ; NULL where absent */
struct reads_answer orders_list(struct store *s, const char *after, const char *limit, struct arena *mem);
