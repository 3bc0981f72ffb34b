#include "httpc.h"

#include "httpc_address.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_URL 2048
#define MAX_HEADERS 32
#define MAX_CONNECT_MS 10000L

struct httpc {
    CURL *curl;
    struct httpc_options options;
    bool denied; /* the address of this exchange was refused */
    char reason[CURL_ERROR_SIZE];
    /* of the exchange under way */
    struct chop_bytes body;
    size_t sent;
    char *reply;
    size_t n_reply, room;
    bool too_long;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void global_init(void) {
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Decides on the address that the name really led to, so that no DNS answer leads inside (pitfall 23). */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *a) {
    struct httpc *h = ctx;
    if (purpose != CURLSOCKTYPE_IPCXN) return CURL_SOCKET_BAD;
    if (!h->options.allow_private && !httpc_address_public(&a->addr)) {
        h->denied = true;
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
}

/* The body comes by this call, and cannot be rewound: so libcurl never sends a request twice by itself when a kept
 * connection breaks. Whether to send again is the caller's decision alone. */
static size_t read_body(char *into, size_t size, size_t n, void *ctx) {
    struct httpc *h = ctx;
    size_t want = size * n, left = h->body.n - h->sent;
    if (want > left) want = left;
    if (want) memcpy(into, h->body.p + h->sent, want);
    h->sent += want;
    return want;
}

static int no_seek(void *ctx, curl_off_t offset, int origin) {
    (void)ctx, (void)offset, (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static bool reply_grow(struct httpc *h, size_t need) {
    if (need <= h->room) return true;
    size_t room = h->room ? h->room : 4096;
    while (room < need) room *= 2;
    char *p = realloc(h->reply, room);
    if (!p) return false;
    h->reply = p;
    h->room = room;
    return true;
}

static size_t write_reply(char *from, size_t size, size_t n, void *ctx) {
    struct httpc *h = ctx;
    size_t got = size * n;
    if (got > h->options.max_reply - h->n_reply) {
        h->too_long = true;
        return 0;
    }
    if (!reply_grow(h, h->n_reply + got)) return 0;
    memcpy(h->reply + h->n_reply, from, got);
    h->n_reply += got;
    return got;
}

/* What stays the same for every exchange of this client. */
static void set_fixed(struct httpc *h) {
    CURL *c = h->curl;
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, "");
    curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(c, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, h->options.allow_http ? "http,https" : "https");
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (h->options.ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, h->options.ca_file);
    long total = h->options.timeout_ms;
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, total);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, total < MAX_CONNECT_MS ? total : MAX_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, total / 1000 + 1);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(c, CURLOPT_OPENSOCKETDATA, h);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, read_body);
    curl_easy_setopt(c, CURLOPT_READDATA, h);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, no_seek);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, h);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, write_reply);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->reason);
}

chop_err httpc_new(const struct httpc_options *o, struct httpc **ret_client) {
    (void)pthread_once(&once, global_init);
    if (o->timeout_ms <= 0 || o->max_reply == 0) return CHOP_FAIL(EINVAL, NULL, "httpc needs a timeout and a cap");
    struct httpc *h = calloc(1, sizeof *h);
    if (!h) return CHOP_ERR(EMEMORY);
    h->options = *o;
    h->curl = curl_easy_init();
    if (!h->curl) {
        free(h);
        return CHOP_ERR(EMEMORY);
    }
    set_fixed(h);
    *ret_client = h;
    return NULL;
}

void httpc_free(struct httpc *h) {
    if (!h) return;
    curl_easy_cleanup(h->curl);
    free(h->reply);
    free(h);
}

static void slist_free(struct curl_slist **list) {
    curl_slist_free_all(*list);
}

/* Appends one header line; refuses what would begin another one. */
static chop_err add_header(struct curl_slist **list, const char *line) {
    if (strpbrk(line, "\r\n")) return CHOP_FAIL(EINVAL, NULL, "a line break in a header");
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer) return CHOP_ERR(EMEMORY);
    *list = longer;
    return NULL;
}

static chop_err add_headers(struct curl_slist **list, const char *const *headers) {
    TRY(add_header(list, "Expect:")); /* no wait for 100 Continue */
    for (size_t i = 0; headers && headers[i]; i++) {
        if (i == MAX_HEADERS) return CHOP_ERR(ELIMIT);
        TRY(add_header(list, headers[i]));
    }
    return NULL;
}

static chop_err set_method(struct httpc *h, const char *method, struct chop_bytes body) {
    static const char *const known[] = { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" };
    bool found = false;
    for (size_t i = 0; i < CHOP_COUNT(known); i++) found = found || strcmp(method, known[i]) == 0;
    if (!found) return CHOP_FAIL(EINVAL, NULL, "method %.16s", method);
    bool upload = body.n || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
    if (upload) {
        curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.n);
    } else {
        curl_easy_setopt(h->curl, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(h->curl, CURLOPT_CUSTOMREQUEST, method);
    return NULL;
}

/* Whether the request may have left: libcurl notes the moment before it begins to send. */
static bool may_have_left(struct httpc *h) {
    curl_off_t before = 0;
    curl_easy_getinfo(h->curl, CURLINFO_PRETRANSFER_TIME_T, &before);
    return before > 0;
}

static chop_err failure(struct httpc *h, CURLcode code) {
    const char *why = h->reason[0] ? h->reason : curl_easy_strerror(code);
    if (h->denied) return CHOP_FAIL(EDENIED, NULL, "the name leads to a private address");
    if (h->too_long) return CHOP_FAIL(ELIMIT, NULL, "the answer is above %zu bytes", h->options.max_reply);
    if (code == CURLE_OUT_OF_MEMORY) return CHOP_ERR(EMEMORY);
    if (code == CURLE_UNSUPPORTED_PROTOCOL) return CHOP_FAIL(EDENIED, NULL, "only https is allowed");
    if (code == CURLE_URL_MALFORMAT || code == CURLE_LOGIN_DENIED) return CHOP_FAIL(EINVAL, NULL, "%s", why);
    if (may_have_left(h)) return CHOP_FAIL(ETIMEOUT, NULL, "%s", why);
    return CHOP_FAIL(EUNREACHABLE, NULL, "%s", why);
}

static chop_err collect(struct httpc *h, struct arena *mem, struct httpc_reply *ret_reply) {
    struct httpc_reply r = { 0 };
    if (h->n_reply) r.body = arena_copy(mem, CHOP_BYTES(h->reply, h->n_reply));
    if (r.body.n != h->n_reply) return CHOP_ERR(EMEMORY);
    curl_off_t after = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &r.status);
    curl_easy_getinfo(h->curl, CURLINFO_RETRY_AFTER, &after);
    r.retry_after_s = after > 0 && after < 86400 ? (long)after : 0;
    *ret_reply = r;
    return NULL;
}

chop_err httpc_send(struct httpc *h, const char *method, const char *url, const char *const *headers,
    struct chop_bytes body, struct arena *mem, struct httpc_reply *ret_reply) {
    if (strlen(url) > MAX_URL) return CHOP_FAIL(ELIMIT, NULL, "the address is too long");
    CHOP_CLEANUP(slist_free) struct curl_slist *list = NULL;
    TRY(add_headers(&list, headers));
    TRY(set_method(h, method, body));
    h->denied = h->too_long = false;
    h->reason[0] = 0;
    h->body = body;
    h->sent = h->n_reply = 0;
    curl_easy_setopt(h->curl, CURLOPT_URL, url);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, list);
    CURLcode code = curl_easy_perform(h->curl);
    curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, NULL);
    if (code != CURLE_OK) return failure(h, code);
    return collect(h, mem, ret_reply);
}
