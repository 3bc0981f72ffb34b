/* head: the received head of a request, walked once. What another HTTP reader could read differently is refused. */
#pragma once
#include "base.h"

#include <microhttpd.h>

enum head_id {
    HEAD_HOST,
    HEAD_CONTENT_LENGTH,
    HEAD_CONTENT_TYPE,
    HEAD_AUTHORIZATION,
    HEAD_COOKIE,
    HEAD_ORIGIN,
    HEAD_X_CHOP,
    HEAD_TRACEPARENT,
    HEAD_ACCEPT,
    HEAD_ACCEPT_LANGUAGE,
    HEAD_IF_NONE_MATCH,
    HEAD_FORWARDED_FOR,
    HEAD_TRANSFER_ENCODING,
    HEAD_COUNT
};

struct head {
    const char *value[HEAD_COUNT]; /* NULL where absent; in the connection's buffer, until the request is over */
    size_t content_length;
};

/* The end of a request target as received; NULL where it holds what none may hold: spaces, controls, bytes above ASCII,
 * or %00, which some would end it at. */
const char *head_target_end(const char *uri);

/* `uri_end` is where the request target ended in the buffer, by head_target_end. EINVAL: answer it and close the
 * connection. */
chop_err head_read(struct MHD_Connection *conn, const char *method, const char *url, const char *uri_end,
    const char *version, struct head *ret_head) CHOP_MUSTCHECK;
