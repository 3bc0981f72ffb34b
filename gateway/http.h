/* http: the listeners, their connections, and the clock that ends those that dawdle. */
#pragma once
#include "gateway.h"

/* EINVAL for a bad address or certificate, EBUSY when a port is taken. */
chop_err http_start(struct gateway *g, struct http **ret_http) CHOP_MUSTCHECK;
/* Takes no more connections, lets running requests end (their calls have deadlines), closes. False when a call was left
 * without an answer beyond any deadline: then everything stays as it is, for the process to end. */
bool http_stop(struct http *h);
uint16_t http_port(const struct http *h, bool tls); /* that was bound; 0: none */
