/* The tables of verification's calls and events. */
#pragma once
#include "rpc.h"

extern const struct rpc_method verification_methods[];
extern const struct event_row verification_events[];
