/* Without a network: local orders over a printer's socket, close-outs, and what a signed QR says by itself. */
#include "cli.h"
#include "out.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"
#include "verification.pb-c.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)4 << 20)

/* ---- the channel ---- */

struct channel {
    struct cli *c;
    int fd;
    const struct trust *trust;
    Pb__Signed *printer_cert;
};

static chop_err channel_open(struct channel *ch, const char *path) {
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    TRY(pin_trust_local(ch->c, &ch->trust));
    if (strlen(path) >= sizeof at.sun_path) return CHOP_FAIL(EINVAL, NULL, "%s is too long", path);
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    ch->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (ch->fd < 0 || connect(ch->fd, (const struct sockaddr *)&at, sizeof at) != 0)
        return CHOP_FAIL(EUNREACHABLE, NULL, "%s: %s", path, strerror(errno));
    return NULL;
}

static void channel_close(struct channel *ch) {
    chop_close_p(&ch->fd);
}

static bool transfer(int fd, void *data, size_t n, bool out) {
    for (size_t at = 0; at < n;) {
        char *p = (char *)data + at;
        ssize_t got = out ? send(fd, p, n - at, MSG_NOSIGNAL) : recv(fd, p, n - at, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        at += (size_t)got;
    }
    return true;
}

static chop_err read_answer(struct channel *ch, Pb__LocalAnswer **ret_answer) {
    uint32_t length;
    if (!transfer(ch->fd, &length, sizeof length, false)) return CHOP_FAIL(EUNREACHABLE, NULL, "no answer");
    size_t n = ntohl(length);
    if (n > ANSWER_MAX) return CHOP_FAIL(EPEER, NULL, "an answer of %zu bytes", n);
    uint8_t *room = arena_alloc(ch->c->mem, n + 1);
    if (!room) return CHOP_ERR(EMEMORY);
    if (!transfer(ch->fd, room, n, false)) return CHOP_FAIL(EUNREACHABLE, NULL, "the answer broke off");
    return PB_UNPACK(pb__local_answer, CHOP_BYTES(room, n), ch->c->mem, ret_answer);
}

/* The printer's own error is left in the answer. */
static chop_err channel_ask(struct channel *ch, const Pb__LocalAsk *ask, Pb__LocalAnswer **ret_answer) {
    struct chop_bytes packed;
    TRY(pb_pack(ask, ch->c->mem, &packed));
    uint32_t length = htonl((uint32_t)packed.n);
    if (!transfer(ch->fd, &length, sizeof length, true) ||
        !transfer(ch->fd, (void *)(uintptr_t)packed.p, packed.n, true))
        return CHOP_FAIL(EUNREACHABLE, NULL, "the printer closed the channel");
    return read_answer(ch, ret_answer);
}

static chop_err refusal(const Pb__LocalAnswer *a) {
    return a->error[0] ? chop_fail(chop_err_by_name(a->error), NULL, "the printer refused: %.80s", a->detail) : NULL;
}

/* A statement of the printer whose certificate it showed: checked against the pinned keys. */
static chop_err printer_said(struct channel *ch, struct chop_bytes packed, const char *type, Pb__Signed **ret_signed) {
    Pb__PrinterCert *who;
    TRY(PB_UNPACK(pb__signed, packed, ch->c->mem, ret_signed));
    if (!ch->printer_cert) return CHOP_FAIL(EPEER, NULL, "the printer shows no certificate");
    return trust_verify_printer(ch->trust, ch->printer_cert, *ret_signed, type, chop_now_ms(), ch->c->mem, &who);
}

static chop_err channel_list(struct channel *ch, Pb__LocalAnswer **ret_answer) {
    Pb__LocalAsk ask = PB__LOCAL_ASK__INIT;
    ask.list = true;
    TRY(channel_ask(ch, &ask, ret_answer));
    TRY(refusal(*ret_answer));
    return PB_UNPACK(pb__signed, PB_BYTES((*ret_answer)->printer_cert), ch->c->mem, &ch->printer_cert);
}

static chop_err channel_challenge(struct channel *ch, Pb__Challenge **ret_challenge, uint8_t digest[32]) {
    Pb__LocalAsk ask = PB__LOCAL_ASK__INIT;
    Pb__LocalAnswer *a;
    Pb__Signed *s;
    ask.challenge = true;
    TRY(channel_ask(ch, &ask, &a));
    TRY(refusal(a));
    TRY(printer_said(ch, PB_BYTES(a->challenge), "challenge", &s));
    crypto_sha256(PB_BYTES(s->payload), digest);
    return PB_UNPACK(pb__challenge, PB_BYTES(s->payload), ch->c->mem, ret_challenge);
}

/* ---- print --local ---- */

static chop_err find_job(const Pb__LocalAnswer *list, const char *job_id, const Pb__HeldJob **ret_job) {
    for (size_t i = 0; i < list->n_held; i++)
        if (strcmp(list->held[i]->job_id, job_id) == 0) {
            *ret_job = list->held[i];
            return NULL;
        }
    return CHOP_FAIL(ENOTFOUND, NULL, "the printer holds nothing of %s", job_id);
}

static chop_err choose_number(struct cli *c, const Pb__HeldJob *job, uint32_t *ret_number) {
    const char *text = cli_option(c, "number");
    *ret_number = text ? (uint32_t)strtoul(text, NULL, 10) : job->n_numbers ? job->numbers[0] : 0;
    for (size_t i = 0; i < job->n_numbers; i++)
        if (job->numbers[i] == *ret_number) return NULL;
    return CHOP_FAIL(EUSED, "number", "the printer does not hold it any more");
}

static chop_err sign_order(struct channel *ch, const Pb__HeldJob *job, uint32_t *number, struct chop_bytes *ret_order) {
    struct cli *c = ch->c;
    const struct crypto_key *device;
    Pb__Challenge *challenge;
    Pb__LocalOrder o = PB__LOCAL_ORDER__INIT;
    struct chop_bytes payload;
    uint8_t digest[32];
    TRY(channel_challenge(ch, &challenge, digest));
    o.job_id = job->job_id;
    o.allotment_id = job->allotment_id;
    o.printer_id = challenge->printer_id;
    o.terminal_id = PB_STR(c->profile.terminal_id);
    o.numbers = number;
    o.n_numbers = 1;
    o.challenge_digest = PB_BIN(CHOP_BYTES(digest, 32));
    o.ordered_at = chop_now_ms();
    TRY(key_device(c, &device));
    TRY(pb_pack(&o, c->mem, &payload));
    return trust_sign_packed(device, c->profile.terminal_id, "local-order", payload, c->mem, ret_order);
}

static chop_err show_reports(struct channel *ch, const Pb__LocalAnswer *a) {
    struct cli *c = ch->c;
    for (size_t i = 0; i < a->n_reports; i++) {
        Pb__Signed *s;
        Pb__Report *r;
        struct chop_bytes json;
        TRY(printer_said(ch, PB_BYTES(a->reports[i]), "report", &s));
        TRY(PB_UNPACK(pb__report, PB_BYTES(s->payload), c->mem, &r));
        if (strcmp(r->outcome, "printed") != 0) c->status = EXIT_REFUSED;
        if (c->json) TRY(pbjson_print(r, c->mem, &json));
        if (c->json)
            printf("%.*s\n", (int)json.n, (const char *)json.p);
        else
            printf("number %u: %s\n", (unsigned)r->number, r->outcome);
    }
    return refusal(a);
}

static chop_err print_over(struct channel *ch, const char *job_id) {
    struct cli *c = ch->c;
    Pb__LocalAsk ask = PB__LOCAL_ASK__INIT;
    Pb__LocalPrint print = PB__LOCAL_PRINT__INIT;
    Pb__LocalAnswer *list, *a;
    const Pb__HeldJob *job;
    struct chop_bytes order, cert;
    uint32_t number;
    TRY(key_terminal_cert(c, &cert));
    TRY(channel_list(ch, &list));
    TRY(find_job(list, job_id, &job));
    TRY(choose_number(c, job, &number));
    TRY(local_confirm(c, arena_printf(c->mem, "Print impression %u of %s now?", (unsigned)number, job_id)));
    TRY(sign_order(ch, job, &number, &order));
    print.order = PB_BIN(order);
    print.terminal_cert = PB_BIN(cert);
    ask.print = &print;
    TRY(channel_ask(ch, &ask, &a));
    return show_reports(ch, a);
}

chop_err cmd_print_local(struct cli *c, const char *socket_path, const char *job_id) {
    CHOP_CLEANUP(channel_close) struct channel ch = { .c = c, .fd = -1 };
    TRY(channel_open(&ch, socket_path));
    return print_over(&ch, job_id);
}

/* ---- what is held, and giving it back ---- */

chop_err cmd_printer_held(struct cli *c) {
    CHOP_CLEANUP(channel_close) struct channel ch = { .c = c, .fd = -1 };
    Pb__LocalAnswer *a;
    struct chop_bytes json;
    TRY(channel_open(&ch, c->args[0]));
    TRY(channel_list(&ch, &a));
    if (c->json) {
        a->printer_cert.len = 0;
        TRY(pbjson_print(a, c->mem, &json));
        printf("%.*s\n", (int)json.n, (const char *)json.p);
    } else if (a->n_held) {
        out_table((void *const *)a->held, a->n_held, "job_id grant_id numbers not_after", c->mem);
    } else {
        fputs("none\n", stderr);
    }
    return NULL;
}

static chop_err show_closeout(struct cli *c, const Pb__Signed *s) {
    Pb__Closeout *m;
    struct chop_bytes json;
    TRY(PB_UNPACK(pb__closeout, PB_BYTES(s->payload), c->mem, &m));
    if (!c->json) {
        out_message(stdout, m, 0, c->mem);
        return NULL;
    }
    TRY(pbjson_print(m, c->mem, &json));
    printf("%.*s\n", (int)json.n, (const char *)json.p);
    return NULL;
}

static chop_err close_local(struct cli *c, const char *socket_path, const char *job_id) {
    CHOP_CLEANUP(channel_close) struct channel ch = { .c = c, .fd = -1 };
    Pb__LocalAsk ask = PB__LOCAL_ASK__INIT;
    Pb__LocalAnswer *a;
    Pb__Signed *s;
    TRY(channel_open(&ch, socket_path));
    TRY(channel_list(&ch, &a));
    ask.close_out = PB_STR(job_id);
    TRY(channel_ask(&ch, &ask, &a));
    TRY(refusal(a));
    TRY(printer_said(&ch, PB_BYTES(a->closeout), "closeout", &s));
    return show_closeout(c, s);
}

static chop_err close_remote(struct cli *c, const char *printer_id, const char *job_id) {
    Pb__CloseOutRequest in = PB__CLOSE_OUT_REQUEST__INIT;
    Pb__CloseOutReply *out;
    Pb__Signed *s;
    in.printer_id = PB_STR(printer_id);
    in.job_id = PB_STR(job_id);
    TRY(api_call(c, "POST", "/v1/printers/{printer_id}/close-outs", &in, &pb__close_out_reply__descriptor, &out));
    TRY(PB_UNPACK(pb__signed, PB_BYTES(out->closeout), c->mem, &s));
    return show_closeout(c, s);
}

chop_err cmd_printer_close_out(struct cli *c) {
    const char *local = cli_option(c, "local");
    if (local && c->n_args == 1) return close_local(c, local, c->args[0]);
    if (!local && c->n_args == 2) return close_remote(c, c->args[0], c->args[1]);
    return CHOP_FAIL(EINVAL, NULL, "wants PRINTER JOB, or --local SOCKET JOB");
}

/* ---- verify --offline: the signed QR (issuance.proto, OfflineMark) ---- */

static const char magic[] = "CHM1";

static int base64_value(char ch) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = ch ? strchr(letters, ch) : NULL;
    return at ? (int)(at - letters) : -1;
}

static chop_err from_base64(struct cli *c, const char *text, struct chop_bytes *ret_bytes) {
    size_t n = strlen(text), used = 0;
    while (n && text[n - 1] == '=')
        n--;
    uint8_t *out = arena_alloc(c->mem, n + 1);
    uint32_t bits = 0;
    if (!out) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < n; i++) {
        int v = base64_value(text[i]);
        if (v < 0) return CHOP_FAIL(EINVAL, NULL, "--offline wants a file with the QR's bytes, or these in Base64");
        bits = bits << 6 | (uint32_t)v;
        if (i % 4 != 0) out[used++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *ret_bytes = CHOP_BYTES(out, used);
    return NULL;
}

/* The key was in force when the mark was made: at most three days before its end. A key that was revoked proves nothing
 * here, since the mark itself is the only word on when it was made. */
static chop_err mark_verify(const struct trust *trust, const Pb__Signed *s, int64_t not_after) {
    const int64_t life = (int64_t)72 * 3600 * 1000;
    const Pb__KeyEntry *k = NULL;
    chop_err e = trust_verify(trust, s, "mark", not_after, &k);
    if (e == CHOP_ERR(EEXPIRED)) e = trust_verify(trust, s, "mark", not_after - life, &k);
    TRY(e);
    return k->revoked_at == 0 ? NULL : CHOP_FAIL(EEXPIRED, NULL, "its key was revoked: only the server can tell");
}

static chop_err read_mark(struct cli *c, struct chop_bytes qr, Pb__OfflineMark **ret_mark) {
    const size_t head = sizeof magic - 1;
    const struct trust *trust;
    Pb__Signed s = PB__SIGNED__INIT;
    if (qr.n <= head + 64 || memcmp(qr.p, magic, head) != 0) return CHOP_FAIL(EINVAL, NULL, "this is no signed QR");
    TRY(pin_trust_local(c, &trust));
    s.type = PB_STR("mark");
    s.payload = PB_BIN(CHOP_BYTES(qr.p + head, qr.n - head - 64));
    s.signature = PB_BIN(CHOP_BYTES(qr.p + qr.n - 64, 64));
    TRY(PB_UNPACK(pb__offline_mark, PB_BYTES(s.payload), c->mem, ret_mark));
    s.kid = (*ret_mark)->kid;
    return mark_verify(trust, &s, (*ret_mark)->not_after);
}

static chop_err same_document(struct cli *c, const Pb__OfflineMark *m, bool *ret_same) {
    const char *path = cli_option(c, "document");
    uint8_t digest[32];
    uint64_t size;
    *ret_same = true;
    if (!path) return NULL;
    TRY(local_sha256(path, digest, &size));
    *ret_same = m->document_prefix.len == 8 && memcmp(m->document_prefix.data, digest, 8) == 0;
    return NULL;
}

/* Never "genuine": nobody here knows whether it was printed, returned or revoked since. */
chop_err cmd_verify_offline(struct cli *c, const char *what) {
    struct chop_bytes qr;
    Pb__OfflineMark *m;
    bool same;
    if (local_exists(what))
        TRY(local_read(c, what, 4096, &qr));
    else
        TRY(from_base64(c, what, &qr));
    TRY(read_mark(c, qr, &m));
    TRY(same_document(c, m, &same));
    c->status = EXIT_NOT_GENUINE;
    const char *verdict = same ? "issued for this document, printing not confirmed" : "issued for another document";
    if (c->json) {
        struct chop_bytes json;
        TRY(pbjson_print(m, c->mem, &json));
        printf("{\"verdict\":\"%s\",\"mark\":%.*s}\n", verdict, (int)json.n, (const char *)json.p);
        return NULL;
    }
    printf("%s\n", verdict);
    out_message(stdout, m, 0, c->mem);
    if (chop_now_ms() > m->not_after) puts("its time for printing is over");
    puts("with a network: chop verify, for what is known now");
    return NULL;
}

chop_err cmd_verify(struct cli *c) {
    const char *offline = cli_option(c, "offline");
    Pb__VerifyRequest in = PB__VERIFY_REQUEST__INIT;
    Pb__Verdict *v;
    if (offline) return cmd_verify_offline(c, offline);
    TRY(args_into(c, &in));
    if (!in.mark[0]) return CHOP_FAIL(EINVAL, NULL, "wants a MARK, or --offline");
    TRY(api_call(c, "POST", "/v1/verify", &in, &pb__verdict__descriptor, &v));
    if (c->json) printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
    return cmd_verdict_shown(c, v);
}
