/* Artwork and specimens: fetched by digest, believed by digest. The cache is the one place of this service with a lock:
 * it is held for a copy of some ten kilobytes, never over a call. */
#include "issuance.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "outline.h"

#define CACHE_SLOTS 512u /* a power of two */

struct slot {
    uint8_t digest[32];
    uint8_t *data; /* NULL: free */
    size_t n;
    uint64_t used; /* the tick of the last use */
};
struct cache {
    pthread_mutex_t lock;
    struct slot slots[CACHE_SLOTS];
    size_t limit, bytes;
    uint64_t tick;
};

struct cache *cache_new(size_t limit_bytes) {
    struct cache *k = calloc(1, sizeof *k);
    if (!k) return NULL;
    (void)pthread_mutex_init(&k->lock, NULL);
    k->limit = limit_bytes;
    return k;
}

void cache_free(struct cache *k) {
    if (!k) return;
    for (size_t i = 0; i < CACHE_SLOTS; i++)
        free(k->slots[i].data);
    (void)pthread_mutex_destroy(&k->lock);
    free(k);
}

/* Digests are evenly spread already: four neighbours are where one may lie. */
static struct slot *slot_find(struct cache *k, const uint8_t digest[32], struct slot **ret_oldest) {
    size_t at = ((size_t)digest[0] << 8 | digest[1]) & (CACHE_SLOTS - 1);
    struct slot *oldest = NULL;
    for (size_t i = 0; i < 4; i++) {
        struct slot *s = &k->slots[(at + i) & (CACHE_SLOTS - 1)];
        if (s->data && memcmp(s->digest, digest, 32) == 0) return s;
        if (!oldest || s->used < oldest->used) oldest = s;
    }
    *ret_oldest = oldest;
    return NULL;
}

bool cache_get(struct cache *k, const uint8_t digest[32], struct arena *mem, struct chop_bytes *ret) {
    struct slot *oldest;
    (void)pthread_mutex_lock(&k->lock);
    struct slot *s = slot_find(k, digest, &oldest);
    struct chop_bytes copy = { 0 };
    if (s) {
        s->used = ++k->tick;
        copy = arena_copy(mem, CHOP_BYTES(s->data, s->n));
    }
    (void)pthread_mutex_unlock(&k->lock);
    if (copy.n == 0) return false;
    *ret = copy;
    return true;
}

static void slot_clear(struct cache *k, struct slot *s) {
    k->bytes -= s->n;
    free(s->data);
    *s = (struct slot){ 0 };
}

static void make_room(struct cache *k, size_t n) {
    while (k->bytes + n > k->limit) {
        struct slot *oldest = NULL;
        for (size_t i = 0; i < CACHE_SLOTS; i++)
            if (k->slots[i].data && (!oldest || k->slots[i].used < oldest->used)) oldest = &k->slots[i];
        if (!oldest) return;
        slot_clear(k, oldest);
    }
}

void cache_put(struct cache *k, const uint8_t digest[32], struct chop_bytes data) {
    if (data.n == 0 || data.n > k->limit) return;
    uint8_t *copy = malloc(data.n);
    if (!copy) return;
    memcpy(copy, data.p, data.n);
    (void)pthread_mutex_lock(&k->lock);
    struct slot *slot = NULL;
    if (slot_find(k, digest, &slot)) {
        free(copy); /* another worker was first */
    } else {
        slot_clear(k, slot);
        make_room(k, data.n);
        *slot = (struct slot){ .data = copy, .n = data.n, .used = ++k->tick };
        memcpy(slot->digest, digest, 32);
        k->bytes += data.n;
    }
    (void)pthread_mutex_unlock(&k->lock);
}

/* ---- fetching ---- */

static chop_err outline_is(const char *field, struct chop_bytes outline, ProtobufCBinaryData digest) {
    uint8_t own[32];
    struct outline_size size;
    crypto_sha256(outline, own);
    if (digest.len != 32 || memcmp(own, digest.data, 32) != 0)
        return CHOP_FAIL(EMISMATCH, field, "what was fetched has another digest");
    return outline_check(outline, &size);
}

chop_err artwork_fetch(struct call *c, const Pb__GrantStatement *g, struct chop_bytes *ret_outline) {
    struct issuance *s = c->service;
    if (g->artwork_digest.len != 32) return CHOP_FAIL(EINVAL, "grant.artwork_digest", "must be 32 bytes");
    if (cache_get(s->artwork, g->artwork_digest.data, c->mem, ret_outline)) return NULL;
    Pb__GetArtworkRequest ask = PB__GET_ARTWORK_REQUEST__INIT;
    Pb__Artwork *artwork;
    ask.artwork_digest = arena_hex(c->mem, PB_BYTES(g->artwork_digest));
    TRY(rpc_call(c, "authorization", &pb__authorization__descriptor, "FetchArtwork", &ask, false, &artwork));
    struct chop_bytes outline = PB_BYTES(artwork->outline);
    TRY(outline_is("grant.artwork_digest", outline, g->artwork_digest));
    cache_put(s->artwork, g->artwork_digest.data, outline);
    *ret_outline = outline;
    return NULL;
}

/* Never cached: a person's signature stays in memory for one call only. */
chop_err specimen_fetch(
    struct call *c, const Pb__SubmitOrderRequest *in, const Pb__GrantStatement *g, struct chop_bytes *ret_outline) {
    struct issuance *s = c->service;
    if (!*g->signature_of) {
        *ret_outline = CHOP_BYTES(NULL, 0);
        return NULL;
    }
    Pb__FetchSpecimenRequest ask = PB__FETCH_SPECIMEN_REQUEST__INIT;
    Pb__Specimen *specimen;
    struct chop_bytes outline;
    ask.allotment = in->allotment;
    TRY(rpc_call(c, "authorization", &pb__authorization__descriptor, "FetchSpecimen", &ask, false, &specimen));
    if (strcmp(specimen->member_id, g->signature_of) != 0)
        return CHOP_FAIL(EMISMATCH, "grant.signature_of", "the specimen is another member's");
    TRY(crypto_hpke_open(
        s->hpke, chop_str("chop/1/specimen"), chop_str(g->signature_of), PB_BYTES(specimen->sealed), c->mem, &outline));
    TRY(outline_is("grant.specimen_digest", outline, g->specimen_digest));
    *ret_outline = outline;
    return NULL;
}
