/* The tables of issuance's calls and events. */
#pragma once
#include "rpc.h"

extern const struct rpc_method issuance_methods[];
extern const struct event_row issuance_events[];
