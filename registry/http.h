/* http: the registry's HTTP side. */
#pragma once
#include "accept.h"
#include "options.h"
#include "orders.h"
#include "store.h"
#include "writer.h"

#include <pthread.h>

struct http;
struct http_options {
    const struct options *options;
    struct accept accept;
    struct writer *writer;
    struct store *reader;      /* for GETs and orders; guarded by http */
    struct switches *switches; /* NULL: no PUT /v1/switch */
    struct orders orders;
};
/* Listens; the port is printed by who needs it. EUNREACHABLE when the address cannot be bound. */
chop_err http_start(const struct http_options *o, struct http **ret_http) CHOP_MUSTCHECK;
uint16_t http_port(const struct http *h);
/* No new connections from here on. */
void http_quiesce(struct http *h);
/* After writer_stop. */
void http_stop(struct http *h);
