/* Specimens: a member's own electronic signature, kept only as ciphertext to issuance. */
#include <string.h>

#include "auth.h"
#include "draw.h"
#include "outline.h"

#define MAX_PNG ((size_t)512 << 10)
#define MAX_WIDTH_UM 80000
#define MAX_HEIGHT_UM 40000

static chop_err specimen_outline(struct call *c, Pb__SpecimenPut *in, struct chop_bytes *ret_outline) {
    struct outline_size size;
    if ((in->png.len == 0) == (in->outline.len == 0))
        return CHOP_FAIL(EINVAL, "specimen_put", "wants either png or outline");
    if (in->png.len > MAX_PNG) return CHOP_FAIL(ELIMIT, "specimen_put.png", "is larger than 512 KiB");
    if (in->png.len) {
        TRY(rpc_check_int("specimen_put.width_um", in->width_um, 1000, MAX_WIDTH_UM));
        TRY(rpc_check_int("specimen_put.height_um", in->height_um, 1000, MAX_HEIGHT_UM));
        return draw_trace(auth_of(c)->draw, PB_BYTES(in->png), in->width_um, in->height_um, c->mem, ret_outline);
    }
    TRY(outline_check(PB_BYTES(in->outline), &size));
    TRY(rpc_check_int("specimen_put.width_um", size.width_um, 1000, MAX_WIDTH_UM));
    TRY(rpc_check_int("specimen_put.height_um", size.height_um, 1000, MAX_HEIGHT_UM));
    in->width_um = size.width_um;
    in->height_um = size.height_um;
    *ret_outline = PB_BYTES(in->outline);
    return NULL;
}

static chop_err specimen_prepare(struct prep *p, const void *params) {
    Pb__SpecimenPut *shown = ARENA_NEW(p->c->mem, Pb__SpecimenPut);
    const struct auth *auth = auth_of(p->c);
    struct chop_bytes outline;
    uint8_t digest[32];
    if (!shown) return CHOP_ERR(EMEMORY);
    if (!auth->has_issuance) return CHOP_FAIL(ESTATE, NULL, "this deployment keeps no signatures");
    *shown = *(const Pb__SpecimenPut *)params;
    TRY(specimen_outline(p->c, shown, &outline));
    crypto_sha256(outline, digest);
    TRY(crypto_hpke_seal(
        auth->issuance_point, chop_str("chop/1/specimen"), chop_str(p->who.member_id), outline, p->c->mem, &p->secret));
    shown->png = shown->outline = PB_BIN(CHOP_BYTES(NULL, 0));
    p->content->specimen_put = shown;
    p->content->artwork_digest = arena_hex(p->c->mem, CHOP_BYTES(digest, 32));
    prep_policy(p, NULL, STEP_ADMIN);
    return NULL;
}

static chop_err specimen_commit(struct commit *k, const void *params) {
    uint8_t digest[32];
    Pb__SpecimenReply *m = PB_NEW(k->c->mem, Pb__SpecimenReply, pb__specimen_reply);
    (void)params;
    if (!m) return CHOP_ERR(EMEMORY);
    TRY(rpc_check_digest("artwork_digest", k->content->artwork_digest, digest));
    TRY(DB_DO(k->c->db, "specimen_add", T_(k->who.organization_id), T_(k->who.member_id), B_(CHOP_BYTES(digest, 32)),
        T_(k->who.member_name), B_(k->act->secret), T_(k->act->act_id), I_(k->c->now)));
    m->specimen_digest = k->content->artwork_digest;
    k->out->result_case = PB__COMMIT_ACT_REPLY__RESULT_SPECIMEN;
    k->out->specimen = m;
    return NULL;
}
const struct act_kind kind_specimen_put = { "specimen-put", "", specimen_prepare, specimen_commit };

/* Leaves this service only for a signed allotment whose grant orders this signature. */
HANDLER(specimen_fetch, Pb__FetchSpecimenRequest, Pb__Specimen) {
    Pb__Signed *s;
    Pb__AllotmentStatement *a;
    Pb__GrantStatement *g;
    struct db_rows *r;
    TRY(trust_verify_packed(c->trust, PB_BYTES(in->allotment), "allotment", c->now, c->mem, &s));
    TRY(PB_UNPACK(pb__allotment_statement, PB_BYTES(s->payload), c->mem, &a));
    TRY(DB_QUERY(c->db, &r, "grant_specimen", T_(a->grant_id)));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "allotment", "no such grant");
    TRY(grant_statement(c, db_bytes(r, 0, 0), &g));
    if (!*g->signature_of) return CHOP_FAIL(EDENIED, "allotment", "the grant orders no signature");
    TRY(DB_QUERY(
        c->db, &r, "specimen_get", T_(g->organization_id), T_(g->signature_of), B_(PB_BYTES(g->specimen_digest))));
    if (!db_count(r)) return CHOP_FAIL(ENOTFOUND, "allotment", "the signature is gone");
    out->specimen_digest = g->specimen_digest;
    out->sealed = PB_BIN(db_bytes(r, 0, 0));
    out->member_id = g->signature_of;
    return NULL;
}
chop_err specimen_fetch_call(struct call *c, const void *in, void *out) {
    return specimen_fetch(c, in, out);
}
