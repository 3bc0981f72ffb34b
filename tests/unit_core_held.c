/* Loaded jobs: held, printed by local orders without a network, given back; every binding of a local order, and power
 * failing at every write. */
#include "unit_core_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HOUR ((int64_t)3600000)

static void expect_error(struct world *w, chop_err e, const char *name, const char *check) {
    if (!e || strcmp(e->name, name) != 0 || strcmp(printer_check(&w->core), check) != 0)
        fail_msg("%s at %s, expected %s at %s", e ? e->name : "success", printer_check(&w->core), name, check);
}

/* ---- loading ---- */
static void make_load(struct job *j, enum job_stage stage) {
    struct world *w = j->w;
    if (stage == ST_GRANT) {
        j->grant.offline = true;
        j->grant.printer_ids = ARENA_ARRAY(w->mem, char *, 1);
        j->grant.printer_ids[0] = w->printer_id;
        j->grant.n_printer_ids = 1;
    } else if (stage == ST_ALLOTMENT) {
        j->allotment.offline = true;
        j->allotment.not_after = w->now + 24 * HOUR;
        j->grant.server_time_hours = 2;
    } else if (stage == ST_ORDER) {
        j->order.load = true;
    }
    void (*more)(struct job *) = NULL;
    if (j->hook_arg) memcpy(&more, j->hook_arg, sizeof more);
    if (more && stage == ST_ORDER) more(j);
}

static struct chop_bytes load_packed(struct job *j, struct world *w) {
    job_init(j, w);
    j->hook = make_load;
    return job_make(j);
}

static struct world *loaded(struct job *j) {
    struct world *w = world_new();
    world_pair(w);
    assert_null(printer_envelope(&w->core, load_packed(j, w)));
    assert_false(w->core.job.active);
    return w;
}

/* ---- local orders ---- */
struct local {
    Pb__LocalOrder m;
    uint32_t numbers[8];
    uint8_t digest[32];
    enum world_key key;
    const char *kid;
    struct chop_bytes packed; /* once it is signed */
};

static void local_init(struct job *j, struct local *o, uint32_t first, uint32_t last) {
    struct world *w = j->w;
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    Pb__Signed *s;
    memset(o, 0, sizeof *o);
    pb__local_order__init(&o->m);
    assert_null(printer_challenge(&w->core, out, &n));
    assert_null(PB_UNPACK(pb__signed, CHOP_BYTES(out, n), w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), o->digest);
    for (uint32_t i = first; i <= last; i++)
        o->numbers[o->m.n_numbers++] = i;
    o->m.numbers = o->numbers;
    o->m.job_id = j->job_id;
    o->m.allotment_id = j->allotment_id;
    o->m.printer_id = w->printer_id;
    o->m.terminal_id = w->terminal_id;
    o->m.challenge_digest = (ProtobufCBinaryData){ 32, o->digest };
    o->m.ordered_at = w->now;
    o->key = KEY_TERMINAL;
    o->kid = w->terminal_id;
}

static chop_err local_send(struct job *j, struct local *o) {
    struct world *w = j->w;
    bool more = true;
    chop_err first = NULL;
    if (!o->packed.n) o->packed = world_sign(w, o->key, o->kid, "local-order", &o->m);
    TRY(printer_local(&w->core, o->packed, world_pack(w, j->cert_s)));
    while (more && !w->core.broken) {
        chop_err e = printer_step(&w->core, &more);
        if (e && !first) first = e;
    }
    return first;
}

static chop_err local_print(struct job *j, uint32_t first, uint32_t last) {
    struct local o;
    local_init(j, &o, first, last);
    return local_send(j, &o);
}

static enum journal_number_state state_of(struct job *j, uint32_t number) {
    struct journal_number n;
    const struct printer_journal *jr = &j->w->journal;
    return jr->number_get(jr->ctx, j->allotment_id, number, &n) ? NUMBER_NONE : n.state;
}

static Pb__Closeout *close_out(struct job *j) {
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    Pb__Signed *s;
    Pb__Closeout *m;
    assert_null(printer_close_out(&j->w->core, j->job_id, out, &n));
    assert_null(PB_UNPACK(pb__signed, CHOP_BYTES(out, n), j->w->mem, &s));
    assert_null(trust_verify_key(j->w->keys[KEY_PRINTER], s, "closeout"));
    assert_null(PB_UNPACK(pb__closeout, PB_BYTES(s->payload), j->w->mem, &m));
    return m;
}

/* ---- the ordinary life ---- */
static void a_load_is_held_and_printed_on_demand(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    Pb__HeldStatement *held;
    assert_int_equal(w->n_reports, 0);
    assert_int_equal(w->n_told, 1);
    assert_string_equal(w->told[0].type, "held");
    assert_null(PB_UNPACK(pb__held_statement, w->told[0].payload, w->mem, &held));
    assert_string_equal(held->job_id, j.job_id);
    assert_int_equal(held->n_numbers, 3);
    world_boot(w); /* hours later, somewhere else */
    w->now += HOUR;
    struct local o;
    local_init(&j, &o, 2, 2);
    assert_null(local_send(&j, &o));
    assert_int_equal(w->output.inked[2], 1);
    assert_int_equal(w->n_reports, 1);
    const Pb__Report *r = w->reports[0].r;
    assert_string_equal(r->outcome, "printed");
    assert_int_equal(r->number, 2);
    assert_string_equal(r->allotment_id, j.allotment_id);
    uint8_t d[32];
    Pb__Signed *s;
    assert_null(PB_UNPACK(pb__signed, o.packed, w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), d);
    assert_memory_equal(r->order_digest.data, d, 32);
    assert_null(local_print(&j, 3, 3));
    Pb__Closeout *c = close_out(&j);
    assert_int_equal(c->n_numbers, 1);
    assert_int_equal(c->numbers[0], 1);
    assert_int_equal(c->journal_seq, 3);
    assert_string_equal(c->grant_id, j.grant_id);
    assert_int_equal(w->output.inked[1] + w->output.inked[2] + w->output.inked[3], 2);
    world_free(w);
}

static void several_numbers_in_one_order(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    assert_null(local_print(&j, 1, 3));
    for (int n = 1; n <= 3; n++)
        assert_int_equal(w->output.inked[n], 1);
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    expect_error(w, printer_close_out(&w->core, j.job_id, out, &n), "ESTATE", "close-out");
    world_free(w);
}

/* The bridge sends the envelope until it heard of it. */
static void the_envelope_again_says_held_again(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    struct chop_bytes packed = world_pack(w, &j.sealed);
    assert_null(local_print(&j, 1, 1));
    expect_error(w, printer_envelope(&w->core, packed), "EUSED", "replay");
    assert_int_equal(w->n_told, 2);
    Pb__HeldStatement *held;
    assert_null(PB_UNPACK(pb__held_statement, w->told[1].payload, w->mem, &held));
    assert_int_equal(held->n_numbers, 2);
    assert_int_equal(w->n_reports, 2); /* of the printed number, again */
    (void)close_out(&j);
    expect_error(w, printer_envelope(&w->core, packed), "EUSED", "replay");
    assert_string_equal(w->told[w->n_told - 1].type, "closeout");
    assert_true(chop_bytes_equal(w->told[w->n_told - 1].packed, w->told[w->n_told - 2].packed));
    assert_int_equal(w->output.inked[1], 1);
    assert_int_equal(w->output.inked[2], 0);
    world_free(w);
}

static void a_failing_output_keeps_what_never_started(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    w->output.fail_prepare = 1;
    expect_error(w, local_print(&j, 1, 2), "EUNREACHABLE", "stopped");
    assert_int_equal(w->n_reports, 0); /* a refusal would free a number that is still here */
    assert_int_equal(state_of(&j, 1), NUMBER_HELD);
    assert_int_equal(state_of(&j, 2), NUMBER_HELD);
    w->output.fail_prepare = 0;
    w->output.fail_ink = 2;
    assert_ptr_equal(local_print(&j, 1, 3), CHOP_ERR(EPEER));
    assert_string_equal(w->reports[1].r->outcome, "spoiled");
    assert_int_equal(state_of(&j, 1), NUMBER_PRINTED);
    assert_int_equal(state_of(&j, 2), NUMBER_SPOILED);
    assert_int_equal(state_of(&j, 3), NUMBER_HELD);
    world_free(w);
}

/* ---- refusals ---- */
static void a_local_order_works_once(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    struct local o, again;
    local_init(&j, &o, 1, 1);
    assert_null(local_send(&j, &o));
    expect_error(w, local_send(&j, &o), "EUSED", "challenge");
    local_init(&j, &again, 1, 1); /* a fresh order for a used number */
    expect_error(w, local_send(&j, &again), "EUSED", "number");
    local_init(&j, &again, 2, 2); /* another number under the spent challenge */
    memcpy(again.digest, o.digest, 32);
    expect_error(w, local_send(&j, &again), "EUSED", "challenge");
    assert_int_equal(w->output.inked[1], 1);
    assert_int_equal(w->output.inked[2], 0);
    world_free(w);
}

static void time_ends_a_load(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    struct local o;
    local_init(&j, &o, 1, 1);
    w->now += PRINTER_CHALLENGE_MS + 1;
    expect_error(w, local_send(&j, &o), "EEXPIRED", "challenge");
    w->now += 2 * HOUR; /* the grant wants signed time of the last two hours */
    expect_error(w, local_print(&j, 1, 1), "EEXPIRED", "server-time");
    assert_null(printer_time(&w->core, world_time(w, w->now)));
    assert_null(local_print(&j, 1, 1));
    w->now += 24 * HOUR;
    assert_null(printer_time(&w->core, world_time(w, w->now)));
    expect_error(w, local_print(&j, 2, 2), "EEXPIRED", "window");
    w->now -= 24 * HOUR; /* a clock that is turned back */
    expect_error(w, local_print(&j, 2, 2), "EEXPIRED", "window");
    assert_int_equal(close_out(&j)->n_numbers, 2); /* what is over can still be given back */
    assert_int_equal(w->output.inked[2], 0);
    world_free(w);
}

static void nothing_is_printed_after_a_close_out(void **state) {
    (void)state;
    struct job j, k;
    struct world *w = loaded(&j);
    struct local before;
    local_init(&j, &before, 2, 2);
    Pb__Closeout *c = close_out(&j), *again = close_out(&j);
    assert_int_equal(c->n_numbers, 3);
    assert_int_equal(again->journal_seq, c->journal_seq);
    expect_error(w, local_send(&j, &before), "ESTATE", "held");
    expect_error(w, local_print(&j, 1, 3), "ESTATE", "held");
    world_boot(w);
    expect_error(w, local_print(&j, 1, 1), "ESTATE", "held");
    assert_int_equal(w->output.inked[1] + w->output.inked[2], 0);
    /* the numbers may come back under another allotment */
    (void)load_packed(&k, w);
    memcpy(k.grant_id, j.grant_id, sizeof k.grant_id);
    k.challenge = CHOP_BYTES(NULL, 0);
    assert_null(printer_envelope(&w->core, job_make(&k)));
    assert_null(local_print(&k, 1, 1));
    assert_int_equal(w->output.inked[1], 1);
    world_free(w);
}

struct row {
    const char *name;
    void (*alter)(struct job *j, struct local *o);
    const char *error, *check;
};
static char *other_id(struct job *j, const char *prefix) {
    char *id = arena_alloc(j->w->mem, CHOP_ID_MAX);
    chop_id_new(prefix, id);
    return id;
}
static void resign_cert(struct job *j, enum world_key key) {
    j->cert_s = world_signed(j->w, key, NULL, "terminal-cert", &j->cert);
}
#define ALTER(fn, body)                                                                                                \
    static void fn(struct job *j, struct local *o) {                                                                   \
        (void)j;                                                                                                       \
        (void)o;                                                                                                       \
        body;                                                                                                          \
    }
ALTER(by_stranger, o->key = KEY_STRANGER)
ALTER(by_other_kid, o->kid = other_id(j, "trm"))
ALTER(other_type, o->packed = world_sign(j->w, KEY_TERMINAL, o->kid, "order", &o->m))
ALTER(other_job, o->m.job_id = other_id(j, "job"))
ALTER(other_allotment, o->m.allotment_id = other_id(j, "alt"))
ALTER(other_printer, o->m.printer_id = other_id(j, "prn"))
ALTER(other_terminal, o->m.terminal_id = other_id(j, "trm"))
ALTER(no_challenge, o->m.challenge_digest.len = 0)
ALTER(unknown_challenge, o->digest[3] ^= 1)
ALTER(no_numbers, o->m.n_numbers = 0)
ALTER(number_twice, o->numbers[1] = 1; o->m.n_numbers = 2)
ALTER(number_zero, o->numbers[0] = 0)
ALTER(unknown_number, o->numbers[0] = 77)
ALTER(forged_cert, resign_cert(j, KEY_STRANGER))
ALTER(expired_cert, j->cert.not_after = j->w->now - 1; resign_cert(j, KEY_CA))
ALTER(other_org, j->cert.organization_id = other_id(j, "org"); resign_cert(j, KEY_CA))
ALTER(other_member, j->cert.member_id = other_id(j, "mem"); resign_cert(j, KEY_CA))
ALTER(unpaired, j->w->mem_journal->n_pairings = 0)
ALTER(revoked_issuer, j->w->manifest.entries[0]->revoked_at = j->w->now; j->w->manifest.version++;
      world_sign_manifest(j->w); assert_null(printer_manifest(&j->w->core, j->w->manifest_signed)))
static void garbage(struct job *j, struct local *o) {
    (void)j;
    o->packed = chop_str("\xff\xff\xff\xff");
}
static void another_terminal(struct job *j, struct local *o) { /* of the same member, but not the one that loaded */
    j->cert.terminal_id = o->m.terminal_id = other_id(j, "trm");
    o->kid = j->cert.terminal_id;
    resign_cert(j, KEY_CA);
}

static const struct row rows[] = {
    { "by_stranger", by_stranger, "ESIGNATURE", "local-order" },
    { "by_other_kid", by_other_kid, "EMISMATCH", "local-order" },
    { "other_type", other_type, "EMISMATCH", "local-order" },
    { "garbage", garbage, "EINVAL", "local-order" },
    { "other_job", other_job, "ENOTFOUND", "held" },
    { "other_allotment", other_allotment, "EMISMATCH", "order-bound" },
    { "other_printer", other_printer, "EMISMATCH", "order-bound" },
    { "other_terminal", other_terminal, "EMISMATCH", "order-bound" },
    { "no_challenge", no_challenge, "EMISMATCH", "order-bound" },
    { "unknown_challenge", unknown_challenge, "ENOTFOUND", "challenge" },
    { "no_numbers", no_numbers, "EINVAL", "number" },
    { "number_twice", number_twice, "EINVAL", "number" },
    { "number_zero", number_zero, "EINVAL", "number" },
    { "unknown_number", unknown_number, "ENOTFOUND", "number" },
    { "forged_cert", forged_cert, "ESIGNATURE", "terminal-cert" },
    { "expired_cert", expired_cert, "EEXPIRED", "terminal-cert" },
    { "other_org", other_org, "EMISMATCH", "terminal-cert" },
    { "other_member", other_member, "EMISMATCH", "member" },
    { "another_terminal", another_terminal, "EMISMATCH", "terminal" },
    { "unpaired", unpaired, "EUNPAIRED", "paired" },
    { "revoked_issuer", revoked_issuer, "EEXPIRED", "envelope" },
};

static void a_local_order_is_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        struct job j;
        struct world *w = loaded(&j);
        struct local o;
        local_init(&j, &o, 1, 1);
        rows[i].alter(&j, &o);
        chop_err e = local_send(&j, &o);
        if (!e || strcmp(e->name, rows[i].error) != 0 || strcmp(printer_check(&w->core), rows[i].check) != 0)
            fail_msg("%s: %s at %s", rows[i].name, e ? e->name : "success", printer_check(&w->core));
        assert_int_equal(w->output.inked[1], 0);
        assert_int_equal(w->n_reports, 0);
        assert_int_equal(state_of(&j, 1), NUMBER_HELD);
        world_free(w);
    }
}

/* A held number is nothing for an ordinary envelope, and a printed or ordinary one nothing for a local order. */
static void held_and_online_do_not_mix(void **state) {
    (void)state;
    struct job j, k;
    struct world *w = loaded(&j);
    job_init(&k, w);
    memcpy(k.grant_id, j.grant_id, sizeof k.grant_id);
    expect_error(w, job_print(&k, job_make(&k)), "EUSED", "number");
    job_init(&k, w);
    assert_null(job_print(&k, job_make(&k)));
    expect_error(w, local_print(&k, 1, 1), "ENOTFOUND", "held");
    assert_int_equal(w->output.inked[1], 1);
    world_free(w);
}

/* ---- what must not be loaded ---- */
static void not_ordered(struct job *j) {
    j->order.load = false;
}
static void too_long(struct job *j) {
    struct world *w = j->w; /* signed by authorization all the same */
    uint8_t *d = arena_alloc(w->mem, 32);
    j->allotment.not_after = j->allotment.not_before + 72 * HOUR + 1;
    j->allotment_s = world_signed(w, KEY_AUTHORIZATION, NULL, "allotment", &j->allotment);
    crypto_sha256(PB_BYTES(j->allotment_s->payload), d);
    j->order.allotment_digest = (ProtobufCBinaryData){ 32, d };
}

static void only_offline_allotments_are_held(void **state) {
    (void)state;
    static void (*const alters[])(struct job *) = { not_ordered, too_long };
    static const char *const errors[] = { "EMISMATCH", "ELIMIT" };
    for (size_t i = 0; i < CHOP_COUNT(alters); i++) {
        struct world *w = world_new();
        struct job j;
        world_pair(w);
        job_init(&j, w);
        j.hook = make_load;
        j.hook_arg = &alters[i];
        expect_error(w, printer_envelope(&w->core, job_make(&j)), errors[i], "load");
        assert_int_equal(w->n_reports, 3);
        assert_string_equal(w->reports[0].r->outcome, "refused");
        world_free(w);
    }
}

static void online_order_with_load(struct job *j, enum job_stage stage) {
    if (stage == ST_ORDER) j->order.load = true;
}
static void grant_not_offline(struct job *j, enum job_stage stage) {
    if (stage != ST_GRANT) make_load(j, stage);
}

static void a_load_needs_an_offline_grant(void **state) {
    (void)state;
    struct world *w = world_new();
    struct job j;
    world_pair(w);
    job_init(&j, w);
    j.hook = online_order_with_load;
    expect_error(w, printer_envelope(&w->core, job_make(&j)), "EMISMATCH", "load");
    job_init(&j, w);
    j.hook = grant_not_offline;
    expect_error(w, printer_envelope(&w->core, job_make(&j)), "EDENIED", "load");
    assert_int_equal(w->mem_journal->n_held, 0);
    world_free(w);
}

static void a_full_printer_refuses_a_load(void **state) {
    (void)state;
    struct job j;
    struct world *w = loaded(&j);
    for (size_t i = 1; i < CHOP_COUNT(w->mem_journal->held); i++)
        assert_null(printer_envelope(&w->core, load_packed(&j, w)));
    expect_error(w, printer_envelope(&w->core, load_packed(&j, w)), "EBUSY", "held");
    assert_false(w->core.broken);
    assert_int_equal(w->n_reports, 3);
    world_free(w);
}

/* ---- power ---- */
/* Loads, prints 1 and 2, closes out 3; dies at the write `at`; then power comes back and all is tried once more. */
static bool live_and_die(int at, bool after) {
    struct world *w = world_new();
    struct job j;
    struct local o;
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    world_pair(w);
    struct chop_bytes packed = load_packed(&j, w);
    local_init(&j, &o, 1, 2);
    w->mem_journal->writes = 0;
    w->mem_journal->die_at = at;
    w->mem_journal->die_after = after;
    chop_err e = printer_envelope(&w->core, packed);
    if (!e) e = local_send(&j, &o);
    if (!e) e = printer_close_out(&w->core, j.job_id, out, &n);
    bool died = w->mem_journal->dead;
    assert_true(died ? e != NULL : e == NULL);
    world_boot(w);
    (void)!printer_envelope(&w->core, packed);
    bool spent = local_send(&j, &o) != NULL; /* the same order: either it never began, or it never works again */
    (void)local_print(&j, 1, 1);
    (void)local_print(&j, 2, 2);
    (void)!printer_close_out(&w->core, j.job_id, out, &n);
    for (uint32_t i = 1; i <= 3; i++) {
        enum journal_number_state s = state_of(&j, i);
        assert_true(w->output.inked[i] <= 1);
        assert_true(i == 3 ? s == NUMBER_RETURNED : s == NUMBER_PRINTED || s == NUMBER_INTERRUPTED);
        if (s == NUMBER_PRINTED) assert_int_equal(w->output.inked[i], 1);
    }
    assert_int_equal(w->output.inked[3], 0);
    (void)spent;
    world_free(w);
    return died;
}

static void power_fails_at_every_write_of_a_load(void **state) {
    (void)state;
    int writes[2] = { 0, 0 };
    for (int after = 0; after < 2; after++)
        while (live_and_die(writes[after] + 1, after != 0))
            writes[after]++;
    /* server time, hold, spend, started + printed of two numbers, close-out */
    assert_int_equal(writes[0], 8);
    assert_int_equal(writes[1], 8);
}

static void power_fails_around_local_ink(void **state) {
    (void)state;
    for (int after = 0; after < 2; after++) {
        struct job j;
        struct world *w = loaded(&j);
        *(after ? &w->output.die_after_ink : &w->output.die_before_ink) = 2;
        (void)!local_print(&j, 1, 3);
        assert_true(w->mem_journal->dead);
        w->output.die_before_ink = w->output.die_after_ink = 0;
        world_boot(w);
        assert_string_equal(w->reports[w->n_reports - 1].r->outcome, "interrupted");
        assert_int_equal(state_of(&j, 2), NUMBER_INTERRUPTED);
        expect_error(w, local_print(&j, 2, 2), "EUSED", "number");
        assert_null(local_print(&j, 3, 3));
        assert_int_equal(w->output.inked[2], after);
        assert_int_equal(w->output.inked[3], 1);
        world_free(w);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_is_held_and_printed_on_demand),
        cmocka_unit_test(several_numbers_in_one_order),
        cmocka_unit_test(the_envelope_again_says_held_again),
        cmocka_unit_test(a_failing_output_keeps_what_never_started),
        cmocka_unit_test(a_local_order_works_once),
        cmocka_unit_test(time_ends_a_load),
        cmocka_unit_test(nothing_is_printed_after_a_close_out),
        cmocka_unit_test(a_local_order_is_checked),
        cmocka_unit_test(held_and_online_do_not_mix),
        cmocka_unit_test(only_offline_allotments_are_held),
        cmocka_unit_test(a_load_needs_an_offline_grant),
        cmocka_unit_test(a_full_printer_refuses_a_load),
        cmocka_unit_test(power_fails_at_every_write_of_a_load),
        cmocka_unit_test(power_fails_around_local_ink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
