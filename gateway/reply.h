/* reply: what is sent: JSON, raw pages, problems (RFC 9457), and the headers that keep browsers careful. */
#pragma once
#include "request.h"

/* application/problem+json. `field` and `detail` may be NULL. */
void reply_problem(struct request *r, chop_err e, const char *field, const char *detail);
void reply_json(struct request *r, struct chop_bytes json);
/* A page of a service; EPEER when it is none that may be passed on. */
chop_err reply_page(
    struct request *r, uint32_t status, const char *type, struct chop_bytes body, const char *cache) CHOP_MUSTCHECK;
void reply_header(struct request *r, const char *name, const char *value);
enum MHD_Result reply_queue(struct request *r);

/* For the member's pages: scripts and styles only from here, nothing inline. */
#define REPLY_POLICY_WEB                                                                                               \
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "     \
    "form-action 'self'; frame-ancestors 'none'"
