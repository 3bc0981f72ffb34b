/* serve: from a complete request to its reply: session, message, call, answer. */
#pragma once
#include "request.h"

/* The first step of every request. */
void serve_request(struct request *r);
/* ETHROTTLED, with Retry-After. */
chop_err serve_throttled(struct request *r, int64_t wait_s) CHOP_MUSTCHECK;
