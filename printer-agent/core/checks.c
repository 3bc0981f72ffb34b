/* What must hold before a number is reserved: one function a row, in the order of design 5. */
#include "core_internal.h"

#include "marks.h"
#include "outline.h"

#define HOUR_MS ((int64_t)3600000)

static bool same(ProtobufCBinaryData a, ProtobufCBinaryData b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The digest that a statement names is that of the bytes at hand. */
static bool names(const struct opened *o, ProtobufCBinaryData digest, ProtobufCBinaryData bytes) {
    uint8_t d[32];
    core_sha256(o->c, PB_VIEW(bytes), d);
    return core_same_digest(PB_VIEW(digest), d);
}

/* ---- the allotment ---- */
static bool distinct_numbers(const uint32_t *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (v[i] == 0) return false;
        for (size_t k = 0; k < i; k++)
            if (v[k] == v[i]) return false;
    }
    return n > 0;
}

static chop_err signed_by_authorization(
    struct opened *o, const Pb__Signed *s, const char *type, const Pb__KeyEntry **k) {
    return core_refuse(o->c, keys_verify(o->c, o->manifest, s, type, k), type);
}

chop_err check_allotment(struct opened *o) {
    const Pb__KeyEntry *k;
    Pb__AllotmentStatement *a;
    const Pb__Signed *s = o->envelope->allotment;
    TRY(signed_by_authorization(o, s, "allotment", &k));
    TRY(core_refuse(o->c, BUMP_UNPACK(o->mem, pb__allotment_statement, PB_VIEW(s->payload), &a), "allotment"));
    if (strcmp(a->printer_id, o->c->printer_id) != 0) return REFUSE(o->c, EMISMATCH, "allotment-printer");
    if (strcmp(a->organization_id, o->c->organization_id) != 0)
        return REFUSE(o->c, EMISMATCH, "allotment-organization");
    if (a->n_numbers > PRINTER_MAX_NUMBERS) return REFUSE(o->c, ELIMIT, "allotment-numbers");
    if (!distinct_numbers(a->numbers, a->n_numbers)) return REFUSE(o->c, EINVAL, "allotment-numbers");
    TRY(core_refuse(o->c, keys_in_time(k, a->allotted_at, o->now), "allotment-key"));
    o->allotment = a;
    return NULL;
}

/* ---- the rest; a row's function answers an error without saying which ---- */
static chop_err check_grant(struct opened *o) {
    const Pb__KeyEntry *k;
    const Pb__Signed *s = o->envelope->grant;
    TRY(keys_verify(o->c, o->manifest, s, "grant", &k));
    TRY(BUMP_UNPACK(o->mem, pb__grant_statement, PB_VIEW(s->payload), &o->grant));
    return keys_in_time(k, o->grant->granted_at, o->now);
}

static chop_err check_grant_bound(struct opened *o) {
    const Pb__AllotmentStatement *a = o->allotment;
    const Pb__GrantStatement *g = o->grant;
    if (strcmp(a->grant_id, g->grant_id) != 0) return CHOP_ERR(EMISMATCH);
    if (!names(o, a->grant_digest, o->envelope->grant->payload)) return CHOP_ERR(EMISMATCH);
    if (strcmp(a->organization_id, g->organization_id) != 0) return CHOP_ERR(EMISMATCH);
    return strcmp(a->seal_id, g->seal_id) == 0 ? NULL : CHOP_ERR(EMISMATCH);
}

static chop_err check_grant_printer(struct opened *o) {
    const Pb__GrantStatement *g = o->grant;
    if (g->n_printer_ids == 0) return NULL;
    for (size_t i = 0; i < g->n_printer_ids; i++)
        if (strcmp(g->printer_ids[i], o->c->printer_id) == 0) return NULL;
    return CHOP_ERR(EDENIED);
}

/* Names its own check, terminal-cert or order, so its row's name is never seen. */
static chop_err check_order(struct opened *o) {
    const Pb__Envelope *e = o->envelope;
    TRY(keys_verify_terminal(o->c, o->mem, o->manifest, e->terminal_cert, e->order, "order", o->now, &o->cert));
    TRY(core_refuse(o->c, BUMP_UNPACK(o->mem, pb__print_order, PB_VIEW(e->order->payload), &o->order), "order"));
    core_sha256(o->c, PB_VIEW(e->order->payload), o->order_digest);
    return NULL;
}

static chop_err check_order_bound(struct opened *o) {
    const Pb__PrintOrder *p = o->order;
    if (strcmp(p->allotment_id, o->allotment->allotment_id) != 0) return CHOP_ERR(EMISMATCH);
    if (!names(o, p->allotment_digest, o->envelope->allotment->payload)) return CHOP_ERR(EMISMATCH);
    if (strcmp(p->printer_id, o->c->printer_id) != 0) return CHOP_ERR(EMISMATCH);
    return strcmp(p->terminal_id, o->cert->terminal_id) == 0 ? NULL : CHOP_ERR(EMISMATCH);
}

/* What is to be held and what is to be printed now is never mistaken for the other. */
static chop_err check_load(struct opened *o) {
    const Pb__AllotmentStatement *a = o->allotment;
    if ((a->offline != 0) != (o->order->load != 0)) return CHOP_ERR(EMISMATCH);
    if (!a->offline) return NULL;
    if (!o->grant->offline || o->grant->n_printer_ids != 1) return CHOP_ERR(EDENIED);
    bool long_lived = a->not_after - a->not_before > PRINTER_HELD_HOURS * HOUR_MS;
    return a->n_numbers > PRINTER_HELD_NUMBERS || long_lived ? CHOP_ERR(ELIMIT) : NULL;
}

static chop_err within(int64_t now, int64_t from, int64_t to) {
    return now >= from && now <= to ? NULL : CHOP_ERR(EEXPIRED);
}

static chop_err check_window(struct opened *o) {
    TRY(within(o->now, o->allotment->not_before, o->allotment->not_after));
    return within(o->now, o->grant->not_before, o->grant->not_after);
}

/* Without a signed time of late the clock may have been turned back: a window means nothing then. */
static chop_err check_server_time(struct opened *o) {
    int64_t hours = o->grant->server_time_hours ? (int64_t)o->grant->server_time_hours : PRINTER_SERVER_TIME_HOURS;
    int64_t heard = o->c->at.signed_time;
    return heard > 0 && o->now - heard <= hours * HOUR_MS ? NULL : CHOP_ERR(EEXPIRED);
}

static chop_err check_artwork(struct opened *o) {
    struct outline_size size;
    ProtobufCBinaryData art = o->envelope->artwork;
    if (!same(o->allotment->artwork_digest, o->grant->artwork_digest)) return CHOP_ERR(EMISMATCH);
    if (!names(o, o->grant->artwork_digest, art)) return CHOP_ERR(EMISMATCH);
    return outline_check(PB_VIEW(art), &size);
}

static chop_err check_signature(struct opened *o) {
    struct outline_size size;
    ProtobufCBinaryData art = o->envelope->signature_artwork;
    if (o->grant->signature_of[0] == 0) return art.len == 0 ? NULL : CHOP_ERR(EMISMATCH);
    if (!names(o, o->grant->specimen_digest, art)) return CHOP_ERR(EMISMATCH);
    return outline_check(PB_VIEW(art), &size);
}

static chop_err check_member(struct opened *o) {
    const char *member = o->cert->member_id;
    bool ok =
        member[0] != 0 && strcmp(member, o->grant->member_id) == 0 && strcmp(member, o->allotment->member_id) == 0;
    return ok ? NULL : CHOP_ERR(EMISMATCH);
}

static chop_err check_terminal(struct opened *o) {
    return strcmp(o->cert->terminal_id, o->allotment->terminal_id) == 0 ? NULL : CHOP_ERR(EMISMATCH);
}

static chop_err check_paired(struct opened *o) {
    struct journal_pairing p;
    const struct printer_journal *j = o->c->s.journal;
    chop_err e = j->pairing_get(j->ctx, o->cert->terminal_id, &p);
    if (e == CHOP_ERR(ENOTFOUND)) return CHOP_ERR(EUNPAIRED);
    TRY(core_broken(o->c, e));
    return strcmp(p.member_id, o->cert->member_id) == 0 ? NULL : CHOP_ERR(EUNPAIRED);
}

/* Our own statement, and the very one that was ordered over. */
static chop_err check_challenge_bound(struct opened *o) {
    const Pb__Signed *s = o->envelope->challenge;
    if (s && strcmp(s->kid, o->c->printer_id) != 0) return CHOP_ERR(EMISMATCH);
    TRY(keys_verify_with(o->c, "ES256", CHOP_BYTES(o->c->sign_spki, o->c->sign_spki_n), s, "challenge"));
    core_sha256(o->c, PB_VIEW(s->payload), o->challenge_digest);
    bool bound = core_same_digest(PB_VIEW(o->allotment->challenge_digest), o->challenge_digest) &&
                 core_same_digest(PB_VIEW(o->order->challenge_digest), o->challenge_digest);
    return bound ? NULL : CHOP_ERR(EMISMATCH);
}

static chop_err check_challenge(struct opened *o) {
    struct journal_challenge ch;
    const struct printer_journal *j = o->c->s.journal;
    chop_err e = j->challenge_get(j->ctx, o->challenge_digest, &ch);
    if (e == CHOP_ERR(ENOTFOUND)) return e;
    TRY(core_broken(o->c, e));
    if (ch.used) return CHOP_ERR(EUSED);
    return o->now > ch.expires_at ? CHOP_ERR(EEXPIRED) : NULL;
}

static chop_err check_number(struct opened *o) {
    const struct printer_journal *j = o->c->s.journal;
    for (size_t i = 0; i < o->allotment->n_numbers; i++) {
        bool taken = false;
        TRY(core_broken(o->c, j->number_taken(j->ctx, o->grant->grant_id, o->allotment->numbers[i], &taken)));
        if (taken) return CHOP_ERR(EUSED);
    }
    return NULL;
}

static chop_err check_document(struct opened *o) {
    bool ok = o->grant->document_digest.len == 32 && same(o->grant->document_digest, o->allotment->document_digest);
    return ok ? NULL : CHOP_ERR(EMISMATCH);
}

static chop_err check_placement(struct opened *o) {
    const Pb__Placement *a = o->allotment->placement, *e = o->envelope->placement;
    if (!e) return NULL;
    if (!a) return e->page == 0 && e->x_um == 0 && e->y_um == 0 ? NULL : CHOP_ERR(EMISMATCH);
    return a->page == e->page && a->x_um == e->x_um && a->y_um == e->y_um ? NULL : CHOP_ERR(EMISMATCH);
}

/* ---- marks ---- */
static bool only(const char *text, const char *letters, size_t n) {
    return strlen(text) == n && strspn(text, letters) == n;
}

static chop_err check_marked(const Pb__MarkedImpression *m) {
    static const char digits[] = "0123456789", base32[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    struct outline_size size;
    bool ok = only(m->token, base32, MARKS_TOKEN_LEN) && only(m->serial, digits, MARKS_SERIAL_LEN) &&
              only(m->cipher, digits, MARKS_CIPHER_LEN);
    return ok ? outline_check(PB_VIEW(m->mark_block), &size) : CHOP_ERR(EINVAL);
}

static size_t count_marked(const Pb__Envelope *e, uint32_t number) {
    size_t n = 0;
    for (size_t i = 0; i < e->n_impressions; i++)
        n += e->impressions[i]->number == number;
    return n;
}

/* Exactly the numbers of the allotment, each once. */
static chop_err check_marks(struct opened *o) {
    const Pb__Envelope *e = o->envelope;
    if (e->n_impressions != o->allotment->n_numbers) return CHOP_ERR(EMISMATCH);
    for (size_t i = 0; i < o->allotment->n_numbers; i++)
        if (count_marked(e, o->allotment->numbers[i]) != 1) return CHOP_ERR(EMISMATCH);
    for (size_t i = 0; i < e->n_impressions; i++)
        TRY(check_marked(e->impressions[i]));
    return NULL;
}

/* ---- a local order over a held envelope ---- */
static chop_err check_local_bound(struct opened *o) {
    const Pb__LocalOrder *p = o->local;
    if (strcmp(p->job_id, o->envelope->job_id) != 0) return CHOP_ERR(EMISMATCH);
    if (strcmp(p->allotment_id, o->allotment->allotment_id) != 0) return CHOP_ERR(EMISMATCH);
    if (strcmp(p->printer_id, o->c->printer_id) != 0) return CHOP_ERR(EMISMATCH);
    if (strcmp(p->terminal_id, o->cert->terminal_id) != 0) return CHOP_ERR(EMISMATCH);
    if (p->challenge_digest.len != sizeof o->challenge_digest) return CHOP_ERR(EMISMATCH);
    memcpy(o->challenge_digest, p->challenge_digest.data, sizeof o->challenge_digest);
    return o->allotment->offline && o->grant->offline ? NULL : CHOP_ERR(EDENIED);
}

/* Each is held under this very allotment: then it was loaded here, and neither started nor given back. */
static chop_err check_local_number(struct opened *o) {
    struct journal_number n;
    const Pb__LocalOrder *p = o->local;
    const struct printer_journal *j = o->c->s.journal;
    if (p->n_numbers > PRINTER_HELD_NUMBERS || !distinct_numbers(p->numbers, p->n_numbers)) return CHOP_ERR(EINVAL);
    for (size_t i = 0; i < p->n_numbers; i++) {
        chop_err e = j->number_get(j->ctx, o->allotment->allotment_id, p->numbers[i], &n);
        if (e == CHOP_ERR(ENOTFOUND)) return e;
        TRY(core_broken(o->c, e));
        if (n.state != NUMBER_HELD) return CHOP_ERR(EUSED);
    }
    return NULL;
}

enum { ONLINE = 1, LOCAL = 2, BOTH = 3 };
static const struct {
    const char *name;
    chop_err (*fn)(struct opened *o);
    int when;
} checks[] = {
    { "grant", check_grant, BOTH },
    { "grant-bound", check_grant_bound, BOTH },
    { "grant-printer", check_grant_printer, BOTH },
    { NULL, check_order, ONLINE },
    { "order-bound", check_order_bound, ONLINE },
    { "load", check_load, ONLINE },
    { "order-bound", check_local_bound, LOCAL },
    { "window", check_window, BOTH },
    { "server-time", check_server_time, BOTH },
    { "artwork", check_artwork, BOTH },
    { "signature", check_signature, BOTH },
    { "member", check_member, BOTH },
    { "terminal", check_terminal, BOTH },
    { "paired", check_paired, BOTH },
    { "challenge-bound", check_challenge_bound, ONLINE },
    { "challenge", check_challenge, BOTH },
    { "number", check_number, ONLINE },
    { "number", check_local_number, LOCAL },
    { "document", check_document, BOTH },
    { "placement", check_placement, BOTH },
    { "marks", check_marks, BOTH },
};

static chop_err check_rows(struct opened *o, int when) {
    for (size_t i = 0; i < CHOP_COUNT(checks); i++) {
        if (!(checks[i].when & when)) continue;
        chop_err e = checks[i].fn(o);
        if (e) return checks[i].name ? core_refuse(o->c, e, checks[i].name) : e;
    }
    return NULL;
}

chop_err check_all(struct opened *o) {
    return check_rows(o, ONLINE);
}

chop_err check_local(struct opened *o) {
    return check_rows(o, LOCAL);
}
