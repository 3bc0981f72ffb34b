/* Plays authorization: holds events, announces heads, answers ReadEvents. */
#pragma once
#include "bus.h"

void owner_start(struct bus *b);
void owner_stop(void); /* announces no more */
/* Before the bus goes. */
void owner_stop(void);
/* authorization.fact.filed; registries NULL-terminated, NULL for all. */
void owner_emit(const char *seal_id, struct chop_bytes fact, const char *const *registries);
