/* Statements that others signed. An event or an answer is believed for what is signed inside it, and only after that.
 */
#include "verification.h"

#include <string.h>

static chop_err read_signed(struct call *c, const Pb__Signed *s, const char *type, int64_t at,
    const ProtobufCMessageDescriptor *desc, uint8_t digest[32], const Pb__KeyEntry **ret_key, void *ret) {
    if (!s) return CHOP_FAIL(EINVAL, type, "is missing");
    TRY(trust_verify(c->trust, s, type, at, ret_key));
    crypto_sha256(PB_BYTES(s->payload), digest);
    return pb_unpack(desc, PB_BYTES(s->payload), c->mem, ret);
}

static chop_err key_serves(const char *field, const Pb__KeyEntry *key, const char *organization_id) {
    if (trust_key_serves(key, organization_id)) return NULL;
    return CHOP_FAIL(EMISMATCH, field, "key %s is another organization's", key->kid);
}

static bool digest_is(ProtobufCBinaryData b, const uint8_t digest[32]) {
    return b.len == 32 && memcmp(b.data, digest, 32) == 0;
}

static bool has_number(const Pb__AllotmentStatement *a, uint32_t number) {
    for (size_t i = 0; i < a->n_numbers; i++)
        if (a->numbers[i] == number) return true;
    return false;
}

/* The chain: issuance's word names allotment and grant by digest, the allotment names the grant. */
static chop_err evidence_bound(const struct evidence *e, const uint8_t grant[32], const uint8_t allotment[32]) {
    const Pb__ImpressionStatement *i = e->impression;
    bool bound = digest_is(i->grant_digest, grant) && digest_is(i->allotment_digest, allotment) &&
                 digest_is(e->allotment->grant_digest, grant) && strcmp(i->grant_id, e->grant->grant_id) == 0 &&
                 strcmp(i->allotment_id, e->allotment->allotment_id) == 0 && has_number(e->allotment, i->number);
    if (!bound) return CHOP_FAIL(EMISMATCH, "impression", "was made for something else");
    if (strlen(i->token) != MARKS_TOKEN_LEN || strlen(i->serial) != MARKS_SERIAL_LEN || i->cipher_hash.len != 32 ||
        i->number == 0 || i->number > INT32_MAX)
        return CHOP_FAIL(EINVAL, "impression", "has malformed marks");
    return NULL;
}

chop_err evidence_read(struct call *c, const Pb__ImpressionIssued *in, int64_t at, struct evidence *ret) {
    struct evidence e;
    uint8_t impression[32], grant[32], allotment[32];
    const Pb__KeyEntry *issuer, *granter, *allotter;
    TRY(read_signed(
        c, in->statement, "impression", at, &pb__impression_statement__descriptor, impression, &issuer, &e.impression));
    TRY(read_signed(c, in->grant, "grant", at, &pb__grant_statement__descriptor, grant, &granter, &e.grant));
    TRY(read_signed(
        c, in->allotment, "allotment", at, &pb__allotment_statement__descriptor, allotment, &allotter, &e.allotment));
    TRY(key_serves("impression", issuer, e.grant->organization_id));
    TRY(key_serves("grant", granter, e.grant->organization_id));
    TRY(key_serves("allotment", allotter, e.grant->organization_id));
    TRY(evidence_bound(&e, grant, allotment));
    *ret = e;
    return NULL;
}

/* ---- what the page will tell of it ---- */

/* Who approved is public by name and post; internal ids are not. */
static void print_approvals(const Pb__GrantStatement *g, Pb__Verdict *v) {
    for (size_t i = 0; i < g->n_approvals; i++)
        g->approvals[i]->member_id = PB_STR("");
    v->n_approvals = g->n_approvals;
    v->approvals = g->approvals;
}

chop_err evidence_verdict(struct call *c, const struct evidence *e, Pb__Verdict **ret) {
    Pb__Verdict *v = PB_NEW(c->mem, Pb__Verdict, pb__verdict);
    if (!v) return CHOP_ERR(EMEMORY);
    const Pb__GrantStatement *g = e->grant;
    v->organization = g->organization_name;
    v->seal_name = g->seal_name;
    v->seal_code = g->seal_code;
    v->document_title = g->document ? g->document->title : PB_STR("");
    v->facts = g->document ? g->document->facts : NULL;
    v->number = e->impression->number;
    v->copies = g->copies;
    print_approvals(g, v);
    v->requester = g->member_name;
    v->signature_name = g->signature_name;
    v->granted_at = g->granted_at;
    v->printer = e->impression->printer_name;
    v->document_sha256 = arena_hex(c->mem, PB_BYTES(g->document_digest));
    v->serial = e->impression->serial;
    v->token = e->impression->token;
    v->sample = g->sample;
    *ret = v;
    return NULL;
}

/* ---- facts, outcomes, receipts ---- */

chop_err fact_read(struct call *c, const Pb__Signed *s, int64_t at, Pb__FactStatement **ret) {
    uint8_t digest[32];
    const Pb__KeyEntry *key;
    TRY(read_signed(c, s, "fact", at, &pb__fact_statement__descriptor, digest, &key, ret));
    return key_serves("fact", key, (*ret)->organization_id);
}

static const char *fact_of(enum outcome o) {
    return o == PRINTED ? "impression-printed" : o == SPOILED ? "impression-spoiled" : "impression-revoked";
}

bool detail_says(const Pb__FactStatement *f, const char *word) {
    size_t n = strlen(word);
    return n > 0 && strncmp(f->detail, word, n) == 0 && !(f->detail[n] >= 'a' && f->detail[n] <= 'z');
}

static bool settled_as(const Pb__FactStatement *f, enum outcome o) {
    return strcmp(f->kind, "impression-settled") == 0 && o != REVOKED &&
           detail_says(f, o == PRINTED ? "printed" : "spoiled");
}

static chop_err revocation_proves(struct call *c, const Pb__ImpressionSettled *in, int64_t at) {
    Pb__RevocationStatement *r;
    uint8_t digest[32];
    TRY(read_signed(c, in->fact, "revocation", at, &pb__revocation_statement__descriptor, digest, NULL, &r));
    bool same = strcmp(r->grant_id, in->grant_id) == 0 && r->number == in->number;
    return same ? NULL : CHOP_FAIL(EMISMATCH, "fact", "is of another impression");
}

chop_err outcome_proven(
    struct call *c, const Pb__ImpressionSettled *in, enum outcome o, int64_t at, const Pb__FactStatement **ret_fact) {
    Pb__FactStatement *f;
    if (!in->fact) return CHOP_FAIL(EINVAL, "fact", "nothing proves it");
    if (o == REVOKED && strcmp(in->fact->type, "revocation") == 0) return revocation_proves(c, in, at);
    TRY(fact_read(c, in->fact, at, &f));
    bool same = strcmp(f->grant_id, in->grant_id) == 0 && f->number == in->number &&
                (!*f->allotment_id || strcmp(f->allotment_id, in->allotment_id) == 0);
    if (!same) return CHOP_FAIL(EMISMATCH, "fact", "is of another impression");
    if (strcmp(f->kind, fact_of(o)) != 0 && !settled_as(f, o))
        return CHOP_FAIL(EMISMATCH, "fact", "says something else");
    *ret_fact = f;
    return NULL;
}

chop_err receipt_read(struct call *c, const Pb__Signed *s, const char *registry, const char *fact_id, int64_t at,
    Pb__ReceiptStatement **ret) {
    const Pb__KeyEntry *key;
    Pb__ReceiptStatement *r;
    if (!s) return CHOP_FAIL(EINVAL, "receipt", "is missing");
    TRY(trust_verify(c->trust, s, "receipt", at, &key));
    TRY(PB_UNPACK(pb__receipt_statement, PB_BYTES(s->payload), c->mem, &r));
    if (!*registry || strcmp(key->name, registry) != 0 || strcmp(r->registry, registry) != 0)
        return CHOP_FAIL(EMISMATCH, "receipt", "another registry signed it");
    if (strcmp(r->fact_id, fact_id) != 0 || r->fact_digest.len != 32)
        return CHOP_FAIL(EMISMATCH, "receipt", "is for another fact");
    *ret = r;
    return NULL;
}
