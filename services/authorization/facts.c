/* Filed facts: each takes the next place of its seal and names the hash of the one before, in the very transaction that
 * changes the state it tells. */
#include <string.h>

#include "auth.h"
#include "outbox.h"

chop_err auth_sign(struct call *c, const char *type, const void *message, struct arena *mem, Pb__Signed **ret_signed,
    struct chop_bytes *ret_packed, uint8_t ret_digest[32]) {
    struct chop_bytes payload, packed;
    Pb__Signed *s = PB_NEW(mem, Pb__Signed, pb__signed);
    if (!s) return CHOP_ERR(EMEMORY);
    TRY(pb_pack(message, mem, &payload));
    TRY(trust_sign(auth_of(c)->sign, NULL, type, payload, mem, s));
    TRY(pb_pack(s, mem, &packed));
    crypto_sha256(payload, ret_digest);
    *ret_signed = s;
    *ret_packed = packed;
    return NULL;
}

struct fact fact_new(const char *kind) {
    struct fact f = { .message = NULL };
    pb__fact_statement__init(&f.statement);
    f.statement.kind = PB_STR(kind);
    return f;
}

chop_err fact_by(struct call *c, struct fact *f, const struct actor *who, const struct act *act) {
    Pb__FactStatement *s = &f->statement;
    s->member_id = PB_STR(who->member_id);
    s->member_name = PB_STR(who->member_name);
    s->terminal_id = PB_STR(who->terminal_id);
    s->factors = factors_of(c, act->proof, &s->n_factors);
    s->proof_digests = ARENA_NEW(c->mem, ProtobufCBinaryData);
    if (!s->factors || !s->proof_digests) return CHOP_ERR(EMEMORY);
    s->proof_digests[0] = PB_BIN(CHOP_BYTES(act->proof_digest, 32));
    s->n_proof_digests = 1;
    return NULL;
}

chop_err fact_sign(struct call *c, struct fact *f, struct seal *s) {
    Pb__FactStatement *m = &f->statement;
    m->fact_id = PB_STR(rpc_new_id(c, "fact"));
    m->organization_id = PB_STR(s->organization_id);
    m->organization_name = PB_STR(s->organization_name);
    m->seal_id = PB_STR(s->seal_id);
    m->seal_code = PB_STR(s->code);
    m->seal_name = PB_STR(s->name);
    m->seal_seq = s->last_seq + 1;
    m->previous_digest = PB_BIN(s->last_digest);
    m->at = c->now;
    TRY(auth_sign(c, "fact", m, c->mem, &f->message, &f->packed, f->digest));
    struct chop_bytes digest = arena_copy(c->mem, CHOP_BYTES(f->digest, 32));
    if (digest.n != 32) return CHOP_ERR(EMEMORY);
    s->last_seq++;
    s->last_digest = digest;
    return NULL;
}

chop_err fact_store(struct call *c, const struct fact *f, const char *act_id) {
    const Pb__FactStatement *m = &f->statement;
    return DB_DO(c->db, "fact_add", T_(m->seal_id), I_(m->seal_seq), T_(m->fact_id), T_(m->organization_id),
        T_(m->kind), T_(m->grant_id), I_(m->number), I_(m->at), B_(CHOP_BYTES(f->digest, 32)), B_(f->packed),
        T_(act_id));
}

chop_err fact_publish(struct call *c, const struct fact *f, const struct seal *s) {
    Pb__FactFiled filed = PB__FACT_FILED__INIT;
    filed.fact = f->message;
    filed.registries = s->policy->registries;
    filed.n_registries = s->policy->n_registries;
    return outbox_put(c, "authorization.fact.filed", s->seal_id, &filed);
}

chop_err fact_file(struct call *c, struct fact *f, struct seal *s, const char *act_id) {
    TRY(fact_sign(c, f, s));
    TRY(fact_store(c, f, act_id));
    return fact_publish(c, f, s);
}

chop_err settled_publish(
    struct call *c, const struct spot *s, const char *state, const char *reason, Pb__Signed *evidence) {
    Pb__ImpressionSettled m = PB__IMPRESSION_SETTLED__INIT;
    m.grant_id = PB_STR(s->grant.grant_id);
    m.number = s->number->number;
    m.state = PB_STR(state);
    m.at = c->now;
    m.reason = PB_STR(reason);
    m.fact = evidence;
    m.allotment_id = s->number->allotment_id;
    m.replaces = s->number->replaces;
    m.organization_id = PB_STR(s->grant.organization_id);
    m.printer_id = s->number->printer_id;
    return outbox_put(c, "authorization.impression.settled", s->grant.seal_id, &m);
}
