#include "hooks.h"

#include "reply.h"
#include "target.h"

#include <string.h>

#include "identity.pb-c.h"
#include "verification.pb-c.h"

/* A header as a text field: only what fits, and only ASCII. */
static char *header_text(const struct request *r, enum head_id id) {
    const char *value = r->head.value[id];
    size_t n = value ? strlen(value) : 0;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] >= 0x80) n = 0;
    return arena_strn(r->mem, value ? value : "", n > 256 ? 0 : n);
}

chop_err hook_page(struct request *r, ProtobufCMessage *in) {
    Pb__PageRequest *page = (Pb__PageRequest *)in;
    char *cipher = NULL;
    TRY(target_query_find(r->query, "c", r->mem, &cipher));
    if (cipher && strlen(cipher) <= 64) page->cipher = cipher;
    page->accept = header_text(r, HEAD_ACCEPT);
    page->language = header_text(r, HEAD_ACCEPT_LANGUAGE);
    return NULL;
}

static bool is_browser(const struct request *r) {
    const char *mark = r->head.value[HEAD_X_CHOP];
    return mark && strcmp(mark, "1") == 0;
}

static void cookie_set(struct request *r, const char *token, int64_t seconds) {
    const char *secure = r->tls || r->g->conf->cookie_secure ? "; Secure" : "";
    reply_header(r, "Set-Cookie",
        arena_printf(r->mem, "chop_session=%s; Path=/; HttpOnly; SameSite=Strict; Max-Age=%lld%s", token,
            (long long)seconds, secure));
}

void hook_signed_in(struct request *r, ProtobufCMessage *out) {
    Pb__SignInReply *reply = (Pb__SignInReply *)out;
    int64_t seconds = (reply->expires_at - chop_now_ms()) / 1000;
    if (!is_browser(r) || !*reply->token || seconds <= 0 || strpbrk(reply->token, "; ,\"\\\t\r\n")) return;
    cookie_set(r, reply->token, seconds);
    reply->token = (char *)(uintptr_t) "";
}

void hook_signed_out(struct request *r, ProtobufCMessage *out) {
    (void)out;
    session_drop(r->g->sessions, r->session);
    if (r->by_cookie) cookie_set(r, "", 0);
}
