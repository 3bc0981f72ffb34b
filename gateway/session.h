/* session: resolved sessions for a short while, by the SHA-256 of their token; a table of fixed size. */
#pragma once
#include "arena.h"

struct session_cache;
/* Room for about `entries`; NULL when memory is out. */
struct session_cache *session_cache_new(size_t entries);
void session_cache_free(struct session_cache *c);

#define SESSION_KEY 32
void session_key(struct chop_bytes token, uint8_t out[SESSION_KEY]);
/* The Chop-Principal header (Base64) as a copy in the arena; NULL when it is not held or its time is over. */
const char *session_find(struct session_cache *c, const uint8_t key[SESSION_KEY], int64_t now_ms, struct arena *mem);
void session_put(struct session_cache *c, const uint8_t key[SESSION_KEY], const char *principal, int64_t until_ms);
void session_drop(struct session_cache *c, const uint8_t key[SESSION_KEY]);
