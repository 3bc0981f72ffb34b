/* Seals: creating, changing their state, reading them and their artwork. */
#include <string.h>

#include "auth.h"
#include "draw.h"
#include "outbox.h"

/* ---- create ---- */
/* The drawn outlines wait beside the act: length of the SAMPLE one (4 bytes, little-endian), SAMPLE, real. */
static chop_err outlines_pack(
    struct arena *mem, struct chop_bytes sample, struct chop_bytes real, struct chop_bytes *ret_secret) {
    uint8_t *p = arena_alloc(mem, 4 + sample.n + real.n);
    if (!p) return CHOP_ERR(EMEMORY);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(sample.n >> (8 * i));
    if (sample.n) memcpy(p + 4, sample.p, sample.n);
    memcpy(p + 4 + sample.n, real.p, real.n);
    *ret_secret = CHOP_BYTES(p, 4 + sample.n + real.n);
    return NULL;
}

static chop_err outlines_unpack(struct chop_bytes secret, struct chop_bytes *ret_sample, struct chop_bytes *ret_real) {
    size_t n = 0;
    for (size_t i = 0; i < 4 && i < secret.n; i++)
        n |= (size_t)secret.p[i] << (8 * i);
    if (secret.n < 4 || n > secret.n - 4) return CHOP_FAIL(EINTERNAL, NULL, "the act lost its artwork");
    *ret_sample = CHOP_BYTES(secret.p + 4, n);
    *ret_real = CHOP_BYTES(secret.p + 4 + n, secret.n - 4 - n);
    return NULL;
}

static chop_err draw_create(struct call *c, const Pb__SealCreate *in, const struct seal_form *f, const char *ring_text,
    struct chop_bytes *ret_sample, struct chop_bytes *ret_real) {
    const char *draw = auth_of(c)->draw;
    if (in->png.len) {
        *ret_sample = CHOP_BYTES(NULL, 0);
        return draw_trace(draw, PB_BYTES(in->png), in->width_um, in->height_um, c->mem, ret_real);
    }
    TRY(draw_seal(draw, in, f, ring_text, true, c->mem, ret_sample));
    return draw_seal(draw, in, f, ring_text, false, c->mem, ret_real);
}

static const char *create_warning(const Pb__SealCreate *in, const struct seal_form *f) {
    if (!rules_seal_code_area(in->code)) return "the code's first two digits are no province of GB/T 2260";
    if (f->organ_um && in->width_um > f->organ_um) return "wider than 45 mm is for state organs";
    return "";
}

static chop_err create_prepare(struct prep *p, const void *params) {
    const Pb__SealCreate *in = params;
    Pb__SealCreate *shown = ARENA_NEW(p->c->mem, Pb__SealCreate);
    const struct seal_form *f;
    struct chop_bytes sample, real;
    uint8_t digest[32];
    if (!shown) return CHOP_ERR(EMEMORY);
    *shown = *in;
    TRY(rules_seal_create(in, &f));
    shown->shape = PB_STR(f->shape);
    TRY(rules_seal_size(f, &shown->width_um, &shown->height_um));
    TRY(rules_policy_fill("seal_create.policy", in->policy, 1, p->c->mem, &shown->policy));
    if (!*in->ring_text && !in->png.len) shown->ring_text = PB_STR(p->who.organization_name);
    TRY(draw_create(p->c, shown, f, shown->ring_text, &sample, &real));
    TRY(outlines_pack(p->c->mem, sample, real, &p->secret));
    crypto_sha256(real, digest);
    shown->png = PB_BIN(CHOP_BYTES(NULL, 0));
    p->content->seal_create = shown;
    p->content->seal_name = shown->name;
    p->content->seal_code = shown->code;
    p->content->artwork_digest = arena_hex(p->c->mem, CHOP_BYTES(digest, 32));
    prep_policy(p, NULL, STEP_ADMIN);
    return NULL;
}

static chop_err artwork_store(
    struct call *c, const char *organization_id, struct chop_bytes outline, uint8_t digest[32]) {
    crypto_sha256(outline, digest);
    return DB_DO(c->db, "artwork_add", B_(CHOP_BYTES(digest, 32)), T_(organization_id), B_(outline), I_(c->now));
}

static chop_err seal_store(
    const struct commit *k, const Pb__SealCreate *in, const struct seal_form *f, struct seal *s) {
    const struct db_arg sample = s->sample_digest.n ? B_(s->sample_digest) : N_;
    struct call *c = k->c;
    s->warnings = create_warning(in, f);
    chop_err e = DB_DO(c->db, "seal_add", T_(s->seal_id), T_(s->organization_id), T_(s->organization_name), T_(s->name),
        T_(s->kind), T_(s->shape), I_(s->width_um), I_(s->height_um), T_(s->code), T_(s->state), B_(s->artwork_digest),
        sample, B_(s->policy_packed), T_(s->warnings), I_(c->now));
    if (e == CHOP_ERR(EEXISTS)) return CHOP_FAIL(EEXISTS, "seal_create.code", "another seal has this code");
    TRY(e);
    return DB_DO(c->db, "policy_add", T_(s->seal_id), B_(s->policy_packed), T_(k->act->act_id), I_(c->now));
}

chop_err seal_tell(struct call *c, struct seal *s, struct fact *f, const char *reason, const char *act_id) {
    bool sample;
    f->statement.detail = *reason ? arena_printf(c->mem, "%s: %s", s->state, reason) : PB_STR(s->state);
    f->statement.artwork_digest = PB_BIN(seal_artwork(s, &sample));
    TRY(fact_file(c, f, s, act_id));
    Pb__SealChanged e = PB__SEAL_CHANGED__INIT;
    e.seal_id = PB_STR(s->seal_id);
    e.state = PB_STR(s->state);
    e.name = PB_STR(s->name);
    e.organization_id = PB_STR(s->organization_id);
    e.at = c->now;
    e.fact = f->message;
    return outbox_put(c, "authorization.seal.changed", s->seal_id, &e);
}

static chop_err tell_state(const struct commit *k, struct seal *s, const char *reason) {
    struct fact f = fact_new("seal-state");
    TRY(fact_by(k->c, &f, &k->who, k->act));
    return seal_tell(k->c, s, &f, reason, k->act->act_id);
}

static chop_err answer_seal(const struct commit *k, const struct seal *s) {
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_SEAL;
    return seal_message(k->c, s, &k->out->seal);
}

static chop_err create_commit(struct commit *k, const void *params) {
    const Pb__SealCreate *in = params;
    const struct seal_form *f;
    struct chop_bytes sample, real;
    uint8_t real_digest[32], sample_digest[32];
    struct seal s = { .organization_id = k->who.organization_id,
        .organization_name = k->who.organization_name,
        .name = in->name,
        .kind = in->kind,
        .shape = in->shape,
        .code = in->code,
        .state = "draft",
        .filing_number = "",
        .width_um = in->width_um,
        .height_um = in->height_um,
        .version = 1,
        .policy = in->policy,
        .created_at = k->c->now,
        .artwork_digest = CHOP_BYTES(real_digest, 32) };
    TRY(rules_seal_create(in, &f));
    TRY(outlines_unpack(k->act->secret, &sample, &real));
    TRY(artwork_store(k->c, s.organization_id, real, real_digest));
    if (sample.n) {
        TRY(artwork_store(k->c, s.organization_id, sample, sample_digest));
        s.sample_digest = CHOP_BYTES(sample_digest, 32);
    }
    s.seal_id = rpc_new_id(k->c, "seal");
    TRY(pb_pack(in->policy, k->c->mem, &s.policy_packed));
    TRY(seal_store(k, in, f, &s));
    TRY(tell_state(k, &s, ""));
    return answer_seal(k, &s);
}
const struct act_kind kind_seal_create = { "seal-create", "admin", create_prepare, create_commit };

/* ---- change ---- */
chop_err seal_holders(struct call *c, const char *seal_id, const char ***ret_holders, size_t *ret_n) {
    struct db_rows *r;
    TRY(DB_QUERY(c->db, &r, "hold_list", T_(seal_id)));
    const char **list = ARENA_ARRAY(c->mem, const char *, db_count(r) + 1);
    if (!list) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++)
        list[i] = db_text(r, i, 0);
    *ret_holders = list;
    *ret_n = db_count(r);
    return NULL;
}

static chop_err change_check(struct call *c, const Pb__SealChange *in, const struct seal *s, const char **ret_next) {
    const char **holders;
    size_t n;
    TRY(rules_seal_change(in, s->state, s->filing_number, ret_next));
    TRY(seal_holders(c, s->seal_id, &holders, &n));
    return rules_seal_holders(in->action, holders, n);
}

static chop_err change_prepare(struct prep *p, const void *params) {
    const Pb__SealChange *in = params;
    const char *next;
    struct seal s;
    bool sample;
    TRY(seal_load(p->c, "seal_get", in->seal_id, p->who.organization_id, &s));
    TRY(change_check(p->c, in, &s, &next));
    p->content->seal_name = PB_STR(s.name);
    p->content->seal_code = PB_STR(s.code);
    p->content->artwork_digest = arena_hex(p->c->mem, seal_artwork(&s, &sample));
    prep_policy(p, s.policy, STEP_ADMIN);
    return NULL;
}

/* Printing is blocked at once: every print act reads the seal's state under this row's lock. */
static chop_err change_commit(struct commit *k, const void *params) {
    const Pb__SealChange *in = params;
    const char *next;
    struct seal s;
    int64_t moved;
    TRY(seal_load(k->c, "seal_lock", in->seal_id, k->who.organization_id, &s));
    TRY(commit_policy(k, s.policy));
    TRY(change_check(k->c, in, &s, &next));
    const char *number = *in->filing_number ? in->filing_number : s.filing_number;
    TRY(DB_DO_COUNT(k->c->db, &moved, "seal_change", T_(s.seal_id), T_(s.state), T_(next), T_(number)));
    if (moved != 1) return CHOP_FAIL(ESTATE, NULL, "the seal changed meanwhile");
    s.state = next;
    s.filing_number = number;
    s.version++;
    TRY(tell_state(k, &s, in->reason));
    return answer_seal(k, &s);
}
const struct act_kind kind_seal_change = { "seal-change", "admin", change_prepare, change_commit };

/* ---- reading ---- */
HANDLER(seal_list, Pb__ListSealsRequest, Pb__ListSealsReply) {
    struct db_rows *r;
    const uint32_t limit = in->limit ? in->limit : 50;
    TRY(rpc_check_int("limit", limit, 1, 200));
    TRY(DB_QUERY(c->db, &r, "seal_list", T_(c->who->organization_id), T_(in->after), I_(limit)));
    out->seals = ARENA_ARRAY(c->mem, Pb__Seal *, db_count(r) + 1);
    if (!out->seals) return CHOP_ERR(EMEMORY);
    for (size_t i = 0; i < db_count(r); i++) {
        struct seal s;
        TRY(seal_read(c, r, i, 0, &s));
        TRY(seal_message(c, &s, &out->seals[i]));
        out->n_seals++;
    }
    return NULL;
}
chop_err seal_list_call(struct call *c, const void *in, void *out) {
    return seal_list(c, in, out);
}

HANDLER(seal_get, Pb__GetSealRequest, Pb__Seal) {
    struct seal s;
    Pb__Seal *m;
    TRY(seal_load(c, "seal_get", in->seal_id, c->who->organization_id, &s));
    TRY(seal_message(c, &s, &m));
    *out = *m;
    return NULL;
}
chop_err seal_get_call(struct call *c, const void *in, void *out) {
    return seal_get(c, in, out);
}

static chop_err artwork_answer(const Pb__GetArtworkRequest *in, const struct db_rows *r, Pb__Artwork *out) {
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "artwork_digest", "no such artwork");
    out->artwork_digest = in->artwork_digest;
    out->outline = PB_BIN(db_bytes(r, 0, 0));
    return NULL;
}

HANDLER(artwork_get, Pb__GetArtworkRequest, Pb__Artwork) {
    struct db_rows *r;
    uint8_t digest[32];
    TRY(rpc_check_digest("artwork_digest", in->artwork_digest, digest));
    TRY(DB_QUERY(c->db, &r, "artwork_get", B_(CHOP_BYTES(digest, 32)), T_(c->who->organization_id)));
    return artwork_answer(in, r, out);
}
chop_err artwork_get_call(struct call *c, const void *in, void *out) {
    return artwork_get(c, in, out);
}

HANDLER(artwork_fetch, Pb__GetArtworkRequest, Pb__Artwork) {
    struct db_rows *r;
    uint8_t digest[32];
    TRY(rpc_check_digest("artwork_digest", in->artwork_digest, digest));
    TRY(DB_QUERY(c->db, &r, "artwork_fetch", B_(CHOP_BYTES(digest, 32))));
    return artwork_answer(in, r, out);
}
chop_err artwork_fetch_call(struct call *c, const void *in, void *out) {
    return artwork_fetch(c, in, out);
}

/* Always the SAMPLE version of a drawn seal: a preview must not be a seal. */
static chop_err preview_outline(struct call *c, Pb__SealCreate *seal, struct chop_bytes *ret_outline) {
    const struct seal_form *f;
    TRY(rules_seal_create(seal, &f));
    TRY(rules_seal_size(f, &seal->width_um, &seal->height_um));
    if (seal->png.len)
        return draw_trace(auth_of(c)->draw, PB_BYTES(seal->png), seal->width_um, seal->height_um, c->mem, ret_outline);
    const char *ring = *seal->ring_text ? seal->ring_text : c->who->organization_name;
    return draw_seal(auth_of(c)->draw, seal, f, ring, true, c->mem, ret_outline);
}

HANDLER(artwork_preview, Pb__PreviewArtworkRequest, Pb__HttpPage) {
    struct chop_bytes outline, png;
    const uint32_t dpi = in->dpi ? in->dpi : 150;
    if (!in->seal) return CHOP_FAIL(EINVAL, "seal", "is missing");
    TRY(rpc_need_role(c, "admin"));
    TRY(rpc_check_int("dpi", dpi, 72, 600));
    Pb__SealCreate seal = *in->seal;
    TRY(preview_outline(c, &seal, &outline));
    TRY(draw_png(auth_of(c)->draw, outline, dpi, c->mem, &png));
    out->status = 200;
    out->content_type = PB_STR("image/png");
    out->body = PB_BIN(png);
    out->cache_control = PB_STR("no-store");
    return NULL;
}
chop_err artwork_preview_call(struct call *c, const void *in, void *out) {
    return artwork_preview(c, in, out);
}
