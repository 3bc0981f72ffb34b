/* libmicrohttpd reads generously: bare line feeds, folded lines, NUL inside a value, a space before the colon, two
 * lengths. Behind a proxy that reads otherwise this lets one request hide another (RFC 9112, section 11.2). It leaves
 * its receive buffer as it came, each name and value in place, with zeros where CR LF and colons stood; so a cursor
 * that goes from the method to the empty line must meet every piece exactly where strict syntax puts it. Whatever
 * moved, vanished or is one byte short is refused. */
#include "head.h"

#include <string.h>
#include <strings.h>

static const char *const names[HEAD_COUNT] = {
    [HEAD_HOST] = "host",
    [HEAD_CONTENT_LENGTH] = "content-length",
    [HEAD_CONTENT_TYPE] = "content-type",
    [HEAD_AUTHORIZATION] = "authorization",
    [HEAD_COOKIE] = "cookie",
    [HEAD_ORIGIN] = "origin",
    [HEAD_X_CHOP] = "x-chop",
    [HEAD_TRACEPARENT] = "traceparent",
    [HEAD_ACCEPT] = "accept",
    [HEAD_ACCEPT_LANGUAGE] = "accept-language",
    [HEAD_IF_NONE_MATCH] = "if-none-match",
    [HEAD_FORWARDED_FOR] = "x-forwarded-for",
    [HEAD_TRANSFER_ENCODING] = "transfer-encoding",
};

struct walk {
    struct head *head;
    const char *cursor;
    const char *why; /* NULL while all is well */
};

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || !strchr("!#$%&'*+-.^_`|~", c))) return false;
    }
    return n > 0;
}

static bool is_text(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return false;
    }
    return true;
}

/* Where the value must begin: behind the colon and white space. */
static const char *value_start(const char *name, size_t n) {
    const char *p = name + n + 1;
    while (*p == ' ' || *p == '\t')
        p++;
    return p;
}

static const char *line_fault(
    const struct walk *w, const char *name, size_t name_n, const char *value, size_t value_n) {
    if (name != w->cursor) return "a line of the head does not end in CR LF, or holds NUL";
    if (!is_token(name, name_n)) return "a header's name is malformed";
    if (value != value_start(name, name_n)) return "a header's value is folded";
    if (!is_text(value, value_n)) return "a header's value holds a control character";
    if (value[value_n] != 0 || value[value_n + 1] != 0) return "a line of the head does not end in CR LF, or holds NUL";
    return NULL;
}

static const char *note(struct head *h, const char *name, const char *value) {
    for (size_t i = 0; i < HEAD_COUNT; i++) {
        if (strcasecmp(name, names[i]) != 0) continue;
        if (h->value[i] && i != HEAD_FORWARDED_FOR) return "a header is given twice";
        h->value[i] = value; /* of several X-Forwarded-For the last was added by the nearest proxy */
        return NULL;
    }
    return NULL;
}

static enum MHD_Result on_header(
    void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n, const char *value, size_t value_n) {
    (void)kind;
    struct walk *w = cls;
    w->why = value ? line_fault(w, name, name_n, value, value_n) : "a header has no value";
    if (!w->why) w->why = note(w->head, name, value);
    if (w->why) return MHD_NO;
    w->cursor = value + value_n + 2;
    return MHD_YES;
}

static size_t head_size(struct MHD_Connection *conn) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

const char *head_target_end(const char *uri) {
    const char *p = uri;
    for (; *p; p++)
        if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || strncmp(p, "%00", 3) == 0) return NULL;
    return p;
}

static const char *request_line_fault(const char *method, const char *url, const char *uri_end, const char *version) {
    size_t method_n = strlen(method);
    if (!is_token(method, method_n) || method_n > 16) return "the method is malformed";
    if (!uri_end || url != method + method_n + 1 || url[0] != '/') return "the request target is malformed";
    if (version != uri_end + 1) return "the request line is malformed";
    if (strcmp(version, "HTTP/1.1") != 0 && strcmp(version, "HTTP/1.0") != 0) return "only HTTP/1.1 and 1.0 are spoken";
    if (version[8] != 0 || version[9] != 0) return "the request line does not end in CR LF";
    return NULL;
}

static const char *length_read(const char *text, size_t *ret_n) {
    size_t n = 0, digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 15 || text[digits] != 0) return "Content-Length is malformed";
    for (size_t i = 0; i < digits; i++)
        n = n * 10 + (size_t)(text[i] - '0');
    *ret_n = n;
    return NULL;
}

static const char *framing_fault(struct head *h, const char *version) {
    if (h->value[HEAD_TRANSFER_ENCODING]) return "Transfer-Encoding is not taken: give Content-Length";
    if (!h->value[HEAD_HOST] && version[7] == '1') return "Host is missing";
    if (h->value[HEAD_HOST] && strpbrk(h->value[HEAD_HOST], " \t,/@\\\"'<>")) return "Host is malformed";
    if (!h->value[HEAD_CONTENT_LENGTH]) return NULL;
    return length_read(h->value[HEAD_CONTENT_LENGTH], &h->content_length);
}

chop_err head_read(struct MHD_Connection *conn, const char *method, const char *url, const char *uri_end,
    const char *version, struct head *ret_head) {
    struct head h = { 0 };
    struct walk w = { .head = &h, .cursor = version + 10 };
    w.why = request_line_fault(method, url, uri_end, version);
    if (!w.why) (void)MHD_get_connection_values_n(conn, MHD_HEADER_KIND, on_header, &w);
    /* The empty line is two bytes, too, and nothing else was taken. */
    if (!w.why && head_size(conn) != (size_t)(w.cursor + 2 - method)) w.why = "the head does not end in CR LF";
    if (!w.why) w.why = framing_fault(&h, version);
    if (w.why) return CHOP_FAIL(EINVAL, NULL, "%s", w.why);
    *ret_head = h;
    return NULL;
}
