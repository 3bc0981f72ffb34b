/* Everything that must be tamper-proof, altered: the expected error and the name of the check that found it. */
#include "unit_core_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR ((int64_t)3600000)

/* ---- 1. statements that their owner signed otherwise than they should be, row by row ---- */
struct row {
    const char *name;
    enum job_stage stage;
    void (*alter)(struct job *j);
    const char *error, *check;
    int reports; /* how many numbers are reported as refused */
};
#define ALTER(fn, body)                                                                                                \
    static void fn(struct job *j) {                                                                                    \
        body;                                                                                                          \
    }

static ProtobufCBinaryData other_digest(struct job *j) {
    return PB_BIN(arena_copy(j->w->mem, chop_str("0123456789abcdef0123456789ABCDEF")));
}
static char *other_id(struct job *j, const char *prefix) {
    char *id = arena_alloc(j->w->mem, CHOP_ID_MAX);
    chop_id_new(prefix, id);
    return id;
}

/* certificate */
ALTER(cert_stranger_ca, j->cert_key = KEY_STRANGER)
ALTER(cert_by_authorization, j->cert_key = KEY_AUTHORIZATION)
ALTER(cert_expired, j->cert.not_after = j->w->now - 1)
ALTER(cert_future, j->cert.not_before = j->w->now + 1)
ALTER(cert_other_org, j->cert.organization_id = other_id(j, "org"))
ALTER(cert_other_member, j->cert.member_id = other_id(j, "mem"))
ALTER(cert_no_member, j->cert.member_id = PB_STR(""))
ALTER(cert_other_key, j->cert.public_key = PB_BIN(crypto_key_spki(j->w->keys[KEY_STRANGER])))
ALTER(cert_broken_key, j->cert.public_key.len = 20)
ALTER(cert_other_terminal, j->cert.terminal_id = other_id(j, "trm"))
/* grant */
ALTER(grant_stranger, j->grant_key = KEY_STRANGER)
ALTER(grant_by_issuance, j->grant_key = KEY_ISSUANCE)
ALTER(grant_other_member, j->grant.member_id = other_id(j, "mem"))
ALTER(grant_other_org, j->grant.organization_id = other_id(j, "org"))
ALTER(grant_other_id, j->grant.grant_id = other_id(j, "grt"))
ALTER(grant_other_seal, j->grant.seal_id = other_id(j, "sel"))
ALTER(grant_early, j->grant.not_before = j->w->now + 1)
ALTER(grant_late, j->grant.not_after = j->w->now - 1)
ALTER(grant_artwork, j->grant.artwork_digest = other_digest(j))
ALTER(grant_document, j->grant.document_digest = other_digest(j))
ALTER(grant_no_document, j->grant.document_digest.len = 0; j->allotment.document_digest.len = 0)
ALTER(grant_specimen, j->grant.specimen_digest = other_digest(j))
ALTER(grant_no_signature, j->grant.signature_of = PB_STR(""))
ALTER(grant_before_key, j->grant.granted_at = j->w->now - 200 * HOUR)
static void grant_other_printer(struct job *j) {
    j->grant.printer_ids = ARENA_ARRAY(j->w->mem, char *, 1);
    j->grant.printer_ids[0] = other_id(j, "prn");
    j->grant.n_printer_ids = 1;
}
/* allotment */
ALTER(allotment_stranger, j->allotment_key = KEY_STRANGER)
ALTER(allotment_by_issuance, j->allotment_key = KEY_ISSUANCE)
ALTER(allotment_other_printer, j->allotment.printer_id = other_id(j, "prn"))
ALTER(allotment_other_org, j->allotment.organization_id = other_id(j, "org"))
ALTER(allotment_no_numbers, j->allotment.n_numbers = 0)
ALTER(allotment_zero, j->numbers[1] = 0)
ALTER(allotment_twice, j->numbers[2] = 1)
ALTER(allotment_before_key, j->allotment.allotted_at = j->w->now - 200 * HOUR)
ALTER(allotment_grant_id, j->allotment.grant_id = other_id(j, "grt"))
ALTER(allotment_grant_digest, j->allotment.grant_digest = other_digest(j))
ALTER(allotment_seal, j->allotment.seal_id = other_id(j, "sel"))
ALTER(allotment_early, j->allotment.not_before = j->w->now + 1)
ALTER(allotment_late, j->allotment.not_after = j->w->now - 1)
ALTER(allotment_artwork, j->allotment.artwork_digest = other_digest(j))
ALTER(allotment_document, j->allotment.document_digest = other_digest(j))
ALTER(allotment_member, j->allotment.member_id = other_id(j, "mem"))
ALTER(allotment_terminal, j->allotment.terminal_id = other_id(j, "trm"))
ALTER(allotment_challenge, j->allotment.challenge_digest = other_digest(j))
/* order */
ALTER(order_stranger, j->order_key = KEY_STRANGER)
ALTER(order_allotment, j->order.allotment_id = other_id(j, "alt"))
ALTER(order_allotment_digest, j->order.allotment_digest = other_digest(j))
ALTER(order_printer, j->order.printer_id = other_id(j, "prn"))
ALTER(order_terminal, j->order.terminal_id = other_id(j, "trm"))
ALTER(order_challenge, j->order.challenge_digest = other_digest(j))
ALTER(order_missing, j->envelope.order = NULL)
ALTER(order_kid, j->order_s->kid = other_id(j, "trm"))
/* envelope */
ALTER(envelope_stranger, j->envelope_key = KEY_STRANGER)
ALTER(envelope_by_authorization, j->envelope_key = KEY_AUTHORIZATION)
ALTER(envelope_other_printer, j->envelope.printer_id = other_id(j, "prn"))
ALTER(envelope_other_job, j->envelope.job_id = other_id(j, "job"))
ALTER(envelope_before_key, j->envelope.signed_at = j->w->now - 200 * HOUR)
ALTER(envelope_no_allotment, j->envelope.allotment = NULL)
ALTER(envelope_no_grant, j->envelope.grant = NULL)
ALTER(envelope_no_cert, j->envelope.terminal_cert = NULL)
ALTER(envelope_no_challenge, j->envelope.challenge = NULL)
ALTER(envelope_swapped, j->envelope.grant = j->allotment_s)
ALTER(envelope_artwork, j->envelope.artwork = PB_BIN(world_outline(j->w, 40000, 40001)))
ALTER(envelope_no_artwork, j->envelope.artwork.len = 0)
ALTER(envelope_signature, j->envelope.signature_artwork = PB_BIN(world_outline(j->w, 30001, 9000)))
ALTER(envelope_placement, j->envelope.placement = PB_NEW(j->w->mem, Pb__Placement, pb__placement))
ALTER(marks_fewer, j->envelope.n_impressions--)
ALTER(marks_other_number, j->envelope.impressions[0]->number = 9)
ALTER(marks_twice, j->envelope.impressions[0]->number = 2)
ALTER(marks_token_path, j->envelope.impressions[0]->token = PB_STR("../../etc/passwd"))
ALTER(marks_token_short, j->envelope.impressions[0]->token = PB_STR("ABC"))
ALTER(marks_serial, j->envelope.impressions[0]->serial = PB_STR("000000000000000x"))
ALTER(marks_cipher, j->envelope.impressions[0]->cipher = PB_STR("1234567"))
ALTER(marks_block, j->envelope.impressions[0]->mark_block.len = 5)
static void artwork_no_outline(struct job *j) {
    j->envelope.artwork = PB_BIN(chop_str("not an outline"));
    uint8_t *d = arena_alloc(j->w->mem, 32);
    crypto_sha256(chop_str("not an outline"), d);
    j->grant.artwork_digest = j->allotment.artwork_digest = (ProtobufCBinaryData){ 32, d };
}
/* sealed */
ALTER(sealed_printer, j->sealed.printer_id = other_id(j, "prn"))
ALTER(sealed_job, j->sealed.job_id = other_id(j, "job"))
ALTER(sealed_byte, j->sealed.sealed.data[100] ^= 1)
ALTER(sealed_short, j->sealed.sealed.len = 40)
ALTER(sealed_empty, j->sealed.sealed.len = 0)
/* time and journal */
ALTER(time_clock_far, j->w->now += 100 * HOUR)
ALTER(server_time_old, j->envelope.signed_at = j->w->now - 90 * HOUR)
ALTER(unpaired, j->w->mem_journal->n_pairings = 0)
ALTER(paired_other, (void)snprintf(j->w->mem_journal->pairings[0].member_id, PRINTER_ID_SIZE, "mem_other"))
ALTER(challenge_forgotten, j->w->mem_journal->n_challenges = 0)
ALTER(challenge_used, j->w->mem_journal->challenges[0].c.used = true)
ALTER(challenge_expired, j->w->now += PRINTER_CHALLENGE_MS + 1)
ALTER(challenge_kid, j->envelope.challenge->kid = other_id(j, "prn"))
static void number_printed(struct job *j) {
    struct journal_number *n = &j->w->mem_journal->numbers[j->w->mem_journal->n_numbers++].n;
    (void)snprintf(n->grant_id, sizeof n->grant_id, "%s", j->grant_id);
    (void)snprintf(n->allotment_id, sizeof n->allotment_id, "alt_earlier");
    n->number = 2;
    n->state = NUMBER_PRINTED;
}
/* manifest */
static void revoke(struct job *j, size_t entry) {
    j->w->manifest.entries[entry]->revoked_at = j->w->now - 1;
    j->w->manifest.version++;
    world_sign_manifest(j->w);
    assert_null(printer_manifest(&j->w->core, j->w->manifest_signed));
}
ALTER(issuance_revoked, revoke(j, 0))
ALTER(authorization_revoked, revoke(j, 1))
ALTER(ca_revoked, revoke(j, 2))
static void key_of_other_org(struct job *j) {
    j->w->manifest.entries[1]->organization_id = other_id(j, "org");
    j->w->manifest.version++;
    world_sign_manifest(j->w);
    assert_null(printer_manifest(&j->w->core, j->w->manifest_signed));
}

static const struct row rows[] = {
#define R(fn, stage, error, check, reports)                                                                            \
    { #fn, stage, fn, #error, check, reports }
    R(cert_stranger_ca, ST_CERT, ESIGNATURE, "terminal-cert", 3),
    R(cert_by_authorization, ST_CERT, EMISMATCH, "terminal-cert", 3),
    R(cert_expired, ST_CERT, EEXPIRED, "terminal-cert", 3),
    R(cert_future, ST_CERT, EEXPIRED, "terminal-cert", 3),
    R(cert_other_org, ST_CERT, EMISMATCH, "terminal-cert", 3),
    R(cert_other_member, ST_CERT, EMISMATCH, "member", 3),
    R(cert_no_member, ST_CERT, EMISMATCH, "member", 3),
    R(cert_other_key, ST_CERT, ESIGNATURE, "order", 3),
    R(cert_broken_key, ST_CERT, ESIGNATURE, "order", 3),
    R(cert_other_terminal, ST_CERT, EMISMATCH, "order", 3),
    R(grant_stranger, ST_GRANT, ESIGNATURE, "grant", 3),
    R(grant_by_issuance, ST_GRANT, EMISMATCH, "grant", 3),
    R(grant_other_member, ST_GRANT, EMISMATCH, "member", 3),
    R(grant_other_org, ST_GRANT, EMISMATCH, "grant-bound", 3),
    R(grant_other_id, ST_GRANT, EMISMATCH, "grant-bound", 3),
    R(grant_other_seal, ST_GRANT, EMISMATCH, "grant-bound", 3),
    R(grant_early, ST_GRANT, EEXPIRED, "window", 3),
    R(grant_late, ST_GRANT, EEXPIRED, "window", 3),
    R(grant_artwork, ST_GRANT, EMISMATCH, "artwork", 3),
    R(grant_document, ST_GRANT, EMISMATCH, "document", 3),
    R(grant_no_document, ST_GRANT, EMISMATCH, "document", 3),
    R(grant_specimen, ST_GRANT, EMISMATCH, "signature", 3),
    R(grant_no_signature, ST_GRANT, EMISMATCH, "signature", 3),
    R(grant_before_key, ST_GRANT, EEXPIRED, "grant", 3),
    R(grant_other_printer, ST_GRANT, EDENIED, "grant-printer", 3),
    R(allotment_stranger, ST_ALLOTMENT, ESIGNATURE, "allotment", 0),
    R(allotment_by_issuance, ST_ALLOTMENT, EMISMATCH, "allotment", 0),
    R(allotment_other_printer, ST_ALLOTMENT, EMISMATCH, "allotment-printer", 0),
    R(allotment_other_org, ST_ALLOTMENT, EMISMATCH, "allotment-organization", 0),
    R(allotment_no_numbers, ST_ALLOTMENT, EINVAL, "allotment-numbers", 0),
    R(allotment_zero, ST_ALLOTMENT, EINVAL, "allotment-numbers", 0),
    R(allotment_twice, ST_ALLOTMENT, EINVAL, "allotment-numbers", 0),
    R(allotment_before_key, ST_ALLOTMENT, EEXPIRED, "allotment-key", 0),
    R(allotment_grant_id, ST_ALLOTMENT, EMISMATCH, "grant-bound", 3),
    R(allotment_grant_digest, ST_ALLOTMENT, EMISMATCH, "grant-bound", 3),
    R(allotment_seal, ST_ALLOTMENT, EMISMATCH, "grant-bound", 3),
    R(allotment_early, ST_ALLOTMENT, EEXPIRED, "window", 3),
    R(allotment_late, ST_ALLOTMENT, EEXPIRED, "window", 3),
    R(allotment_artwork, ST_ALLOTMENT, EMISMATCH, "artwork", 3),
    R(allotment_document, ST_ALLOTMENT, EMISMATCH, "document", 3),
    R(allotment_member, ST_ALLOTMENT, EMISMATCH, "member", 3),
    R(allotment_terminal, ST_ALLOTMENT, EMISMATCH, "terminal", 3),
    R(allotment_challenge, ST_ALLOTMENT, EMISMATCH, "challenge-bound", 3),
    R(order_stranger, ST_ORDER, ESIGNATURE, "order", 3),
    R(order_allotment, ST_ORDER, EMISMATCH, "order-bound", 3),
    R(order_allotment_digest, ST_ORDER, EMISMATCH, "order-bound", 3),
    R(order_printer, ST_ORDER, EMISMATCH, "order-bound", 3),
    R(order_terminal, ST_ORDER, EMISMATCH, "order-bound", 3),
    R(order_challenge, ST_ORDER, EMISMATCH, "challenge-bound", 3),
    R(order_missing, ST_ENVELOPE, EINVAL, "order", 3),
    R(order_kid, ST_ENVELOPE, EMISMATCH, "order", 3),
    R(envelope_stranger, ST_ENVELOPE, ESIGNATURE, "envelope", 0),
    R(envelope_by_authorization, ST_ENVELOPE, EMISMATCH, "envelope", 0),
    R(envelope_other_printer, ST_ENVELOPE, EMISMATCH, "printer", 0),
    R(envelope_other_job, ST_ENVELOPE, EMISMATCH, "job", 0),
    R(envelope_before_key, ST_ENVELOPE, EEXPIRED, "envelope", 0),
    R(envelope_no_allotment, ST_ENVELOPE, EINVAL, "allotment", 0),
    R(envelope_no_grant, ST_ENVELOPE, EINVAL, "grant", 3),
    R(envelope_no_cert, ST_ENVELOPE, EINVAL, "terminal-cert", 3),
    R(envelope_no_challenge, ST_ENVELOPE, EINVAL, "challenge-bound", 3),
    R(envelope_swapped, ST_ENVELOPE, EMISMATCH, "grant", 3),
    R(envelope_artwork, ST_ENVELOPE, EMISMATCH, "artwork", 3),
    R(envelope_no_artwork, ST_ENVELOPE, EMISMATCH, "artwork", 3),
    R(envelope_signature, ST_ENVELOPE, EMISMATCH, "signature", 3),
    R(envelope_placement, ST_ENVELOPE, EMISMATCH, "placement", 3),
    R(marks_fewer, ST_ENVELOPE, EMISMATCH, "marks", 3),
    R(marks_other_number, ST_ENVELOPE, EMISMATCH, "marks", 3),
    R(marks_twice, ST_ENVELOPE, EMISMATCH, "marks", 3),
    R(marks_token_path, ST_ENVELOPE, EINVAL, "marks", 3),
    R(marks_token_short, ST_ENVELOPE, EINVAL, "marks", 3),
    R(marks_serial, ST_ENVELOPE, EINVAL, "marks", 3),
    R(marks_cipher, ST_ENVELOPE, EINVAL, "marks", 3),
    R(marks_block, ST_ENVELOPE, EINVAL, "marks", 3),
    R(artwork_no_outline, ST_GRANT, EINVAL, "artwork", 3),
    R(sealed_printer, ST_SEALED, EMISMATCH, "printer", 0),
    R(sealed_job, ST_SEALED, EMISMATCH, "sealed", 0),
    R(sealed_byte, ST_SEALED, EMISMATCH, "sealed", 0),
    R(sealed_short, ST_SEALED, EMISMATCH, "sealed", 0),
    R(sealed_empty, ST_SEALED, EMISMATCH, "sealed", 0),
    R(time_clock_far, ST_SEALED, EEXPIRED, "window", 3),
    R(server_time_old, ST_ENVELOPE, EEXPIRED, "server-time", 3),
    R(unpaired, ST_SEALED, EUNPAIRED, "paired", 3),
    R(paired_other, ST_SEALED, EUNPAIRED, "paired", 3),
    R(challenge_forgotten, ST_SEALED, ENOTFOUND, "challenge", 3),
    R(challenge_used, ST_SEALED, EUSED, "challenge", 3),
    R(challenge_expired, ST_SEALED, EEXPIRED, "challenge", 3),
    R(challenge_kid, ST_ENVELOPE, EMISMATCH, "challenge-bound", 3),
    R(number_printed, ST_SEALED, EUSED, "number", 3),
    R(issuance_revoked, ST_SEALED, EEXPIRED, "envelope", 0),
    R(authorization_revoked, ST_SEALED, EEXPIRED, "allotment-key", 0),
    R(ca_revoked, ST_SEALED, EEXPIRED, "terminal-cert", 3),
    R(key_of_other_org, ST_SEALED, EMISMATCH, "allotment", 0),
};

static void row_hook(struct job *j, enum job_stage stage) {
    const struct row *r = j->hook_arg;
    if (stage == r->stage) r->alter(j);
}

static void expect_nothing_inked(const struct world *w) {
    for (size_t i = 0; i < CHOP_COUNT(w->output.inked); i++)
        assert_int_equal(w->output.inked[i], 0);
}

static void expect(struct job *j, chop_err e, const char *what, const char *error, const char *check, int reports) {
    struct world *w = j->w;
    if (!e || strcmp(e->name, error) != 0 || strcmp(printer_check(&w->core), check) != 0)
        fail_msg("%s: %s at %s, expected %s at %s (%s)", what, e ? e->name : "success", printer_check(&w->core), error,
            check, chop_detail_text());
    if ((int)w->n_reports != reports) fail_msg("%s: %zu reports, expected %d", what, w->n_reports, reports);
    for (size_t i = 0; i < w->n_reports; i++) {
        assert_string_equal(w->reports[i].r->outcome, "refused");
        assert_string_equal(w->reports[i].r->reason, error);
        assert_string_equal(w->reports[i].r->check, check);
        assert_int_equal(w->reports[i].r->number, j->numbers[i]);
    }
    expect_nothing_inked(w);
}

static void run_row(const struct row *r) {
    struct world *w = world_new();
    struct job j;
    world_pair(w);
    job_init(&j, w);
    j.hook = row_hook;
    j.hook_arg = r;
    chop_err e = job_print(&j, job_make(&j));
    expect(&j, e, r->name, r->error, r->check, r->reports);
    world_free(w);
}

static void altered_statements_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(rows); i++)
        run_row(&rows[i]);
}

/* ---- 2. every field of every statement, altered after it was signed ---- */
static bool alter_field(struct world *w, ProtobufCMessage *m, const ProtobufCFieldDescriptor *f) {
    char *at = (char *)m + f->offset;
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t *n = (size_t *)(void *)((char *)m + f->quantifier_offset);
        if (*n == 0) return false;
        (*n)--;
    } else if (f->type == PROTOBUF_C_TYPE_STRING) {
        *(char **)(void *)at = arena_printf(w->mem, "%sx", *(char **)(void *)at);
    } else if (f->type == PROTOBUF_C_TYPE_BYTES) {
        ProtobufCBinaryData *b = (ProtobufCBinaryData *)(void *)at;
        struct chop_bytes copy = arena_copy(w->mem, CHOP_BYTES(b->data, b->len));
        *b = copy.n ? PB_BIN(copy) : PB_BIN(arena_copy(w->mem, chop_str("x")));
        b->data[0] ^= 1;
    } else if (f->type == PROTOBUF_C_TYPE_MESSAGE) {
        if (!*(void **)(void *)at) return false;
        *(void **)(void *)at = NULL;
    } else if (f->type == PROTOBUF_C_TYPE_INT64 || f->type == PROTOBUF_C_TYPE_UINT64) {
        (*(int64_t *)(void *)at)++;
    } else if (f->type == PROTOBUF_C_TYPE_BOOL) {
        *(protobuf_c_boolean *)(void *)at = !*(protobuf_c_boolean *)(void *)at;
    } else {
        (*(uint32_t *)(void *)at)++;
    }
    return true;
}

struct target {
    const char *type;
    const ProtobufCMessageDescriptor *desc;
    size_t offset; /* of the Signed in struct job */
    enum job_stage stage;
    const char *check;
    int reports;
};
static const struct target targets[] = {
    { "terminal-cert", &pb__terminal_cert__descriptor, offsetof(struct job, cert_s), ST_ENVELOPE, "terminal-cert", 3 },
    { "grant", &pb__grant_statement__descriptor, offsetof(struct job, grant_s), ST_ENVELOPE, "grant", 3 },
    { "allotment", &pb__allotment_statement__descriptor, offsetof(struct job, allotment_s), ST_ENVELOPE, "allotment",
        0 },
    { "order", &pb__print_order__descriptor, offsetof(struct job, order_s), ST_ENVELOPE, "order", 3 },
    { "challenge", &pb__challenge__descriptor, offsetof(struct job, challenge_s), ST_ENVELOPE, "challenge-bound", 3 },
    { "envelope", &pb__envelope__descriptor, offsetof(struct job, envelope_s), ST_SIGNED_ENVELOPE, "envelope", 0 },
};
struct field_case {
    const struct target *t;
    unsigned field;
    bool altered;
};

static void field_hook(struct job *j, enum job_stage stage) {
    struct field_case *f = (struct field_case *)(uintptr_t)j->hook_arg;
    if (stage != f->t->stage) return;
    Pb__Signed *s = *(Pb__Signed **)(void *)((char *)j + f->t->offset);
    ProtobufCMessage *m = NULL;
    assert_null(pb_unpack(f->t->desc, PB_BYTES(s->payload), j->w->mem, &m));
    f->altered = alter_field(j->w, m, &f->t->desc->fields[f->field]);
    s->payload = PB_BIN(world_pack(j->w, m));
}

static void every_field_is_covered_by_its_signature(void **state) {
    (void)state;
    int altered = 0;
    for (size_t t = 0; t < CHOP_COUNT(targets); t++) {
        for (unsigned i = 0; i < targets[t].desc->n_fields; i++) {
            struct field_case f = { &targets[t], i, false };
            struct world *w = world_new();
            struct job j;
            world_pair(w);
            job_init(&j, w);
            j.hook = field_hook;
            j.hook_arg = &f;
            chop_err e = job_print(&j, job_make(&j));
            if (f.altered) {
                char what[128];
                (void)snprintf(what, sizeof what, "%s.%s", targets[t].type, targets[t].desc->fields[i].name);
                expect(&j, e, what, "ESIGNATURE", targets[t].check, targets[t].reports);
                altered++;
            }
            world_free(w);
        }
    }
    assert_true(altered > 70);
}

/* ---- 3. the Signed around them: type, kid, signature ---- */
struct signed_case {
    const struct target *t;
    int part; /* 0 type, 1 kid, 2 signature's last bit, 3 signature cut, 4 signature empty */
};

static void signed_hook(struct job *j, enum job_stage stage) {
    const struct signed_case *c = j->hook_arg;
    if (stage != c->t->stage) return;
    Pb__Signed *s = *(Pb__Signed **)(void *)((char *)j + c->t->offset);
    if (c->part == 0) s->type = PB_STR("manifest");
    if (c->part == 1) s->kid = PB_STR("0123456789abcdef");
    if (c->part == 2) s->signature.data[63] ^= 1;
    if (c->part == 3) s->signature.len = 63;
    if (c->part == 4) s->signature.len = 0;
}

static void every_part_of_a_signed_is_checked(void **state) {
    (void)state;
    for (size_t t = 0; t < CHOP_COUNT(targets); t++) {
        for (int part = 0; part < 5; part++) {
            struct signed_case c = { &targets[t], part };
            struct world *w = world_new();
            struct job j;
            world_pair(w);
            job_init(&j, w);
            j.hook = signed_hook;
            j.hook_arg = &c;
            chop_err e = job_print(&j, job_make(&j));
            bool device = strcmp(targets[t].type, "order") == 0 || strcmp(targets[t].type, "challenge") == 0;
            const char *error = part == 0 || (part == 1 && device) ? "EMISMATCH" : "ESIGNATURE";
            expect(&j, e, targets[t].type, error, targets[t].check, targets[t].reports);
            world_free(w);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(altered_statements_are_refused),
        cmocka_unit_test(every_field_is_covered_by_its_signature),
        cmocka_unit_test(every_part_of_a_signed_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
