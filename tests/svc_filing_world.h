/* A small world for the tests of registries and relay: keys, manifest, secret, facts that chain, real registries. */
#pragma once
#include "httpc.h"
#include "trust.h"
#include "webhook.h"

#include <sys/types.h>

typedef struct Pb__FilingRefusal Pb__FilingRefusal;
typedef struct Pb__ReceiptStatement Pb__ReceiptStatement;
typedef struct Pb__RegistryOrder Pb__RegistryOrder;
typedef struct Pb__HeldOrders Pb__HeldOrders;

struct world {
    char dir[128]; /* of its own, removed by world_free */
    char keys[160], secret_file[192];
    struct crypto_key *root, *owner, *stranger; /* owner: purpose authorization */
    struct crypto_key *registry[3];             /* police, third-party, internal */
    struct trust *trust;
    struct webhook_secret secret;
    struct httpc *http;
    struct arena *mem;
};
extern const char *const world_registries[3];

/* identity: a further key of the manifest, or NULL; borrowed. */
struct world *world_new(const struct crypto_key *identity);
void world_free(struct world *w);

/* ---- facts ---- */
struct chain { /* one seal's */
    const char *seal_id;
    uint64_t seq;
    uint8_t last[32];
};
/* The next fact of the seal, packed and signed by `signer` (NULL: the owner); moves the chain on. */
struct chop_bytes world_fact(struct world *w, struct chain *c, const char *kind, const struct crypto_key *signer);
/* A fact with any number and previous digest. */
struct chop_bytes world_fact_at(struct world *w, const char *seal_id, uint64_t seq, struct chop_bytes previous,
    const struct crypto_key *signer);
/* A gap notice: the next fact of the chain, that names fact `seq` with this digest as what the registry goes without. */
struct chop_bytes world_notice(struct world *w, struct chain *c, const char *registry, uint64_t seq,
    const uint8_t digest[32], const char *fact_id);
void world_fact_digest(struct world *w, struct chop_bytes fact, uint8_t out[32]);

/* ---- registries ---- */
struct peer {
    pid_t pid;
    int nth; /* which of world_registries */
    int port;
    char url[64];
    const char *program;
    const char *token_file; /* then without --test-switches */
};
void peer_start(struct world *w, struct peer *p, const char *program, int nth);
void peer_kill(struct peer *p); /* SIGKILL */
void peer_stop(struct peer *p); /* SIGTERM; asserts a clean end */
void peer_again(struct world *w, struct peer *p); /* on the same port and directory */

struct peer_answer {
    chop_err err; /* of the exchange */
    long status;
    const Pb__FilingRefusal *refusal;    /* status other than 200 */
    const Pb__ReceiptStatement *receipt; /* verified; status 200 */
    struct chop_bytes receipt_signed;
};
/* key: 64 hex digits. */
struct peer_answer peer_file(struct world *w, struct peer *p, struct chop_bytes fact, const char *key);
struct peer_answer peer_status(struct world *w, struct peer *p, const char *key);
void peer_switch(struct world *w, struct peer *p, const char *mode, unsigned count);
/* PUT /v1/orders with this body; the HTTP status, and the order where it is 200. token NULL: none is sent. */
long peer_order(struct world *w, struct peer *p, const char *json, const char *token, const Pb__RegistryOrder **ret_order);
/* GET /v1/orders?after= ; the HTTP status. */
long peer_orders(struct world *w, struct peer *p, uint64_t after, Pb__HeldOrders **ret_orders);
/* Verifies as this registry's and unpacks. */
const Pb__RegistryOrder *world_read_order(struct world *w, const struct peer *p, struct chop_bytes packed);
/* How many filings it holds of the seal, asserting that their numbers are 1..n without gap or double. */
size_t peer_holds(struct world *w, struct peer *p, const char *seal_id);
/* 64 hex digits from a number. */
const char *world_key(struct world *w, unsigned n);
