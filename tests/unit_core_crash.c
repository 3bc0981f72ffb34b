/* Power fails at every write of the journal, before it and after it, and around every ink: after the restart no number
 * was inked twice, and each has exactly one outcome, and the right one. */
#include "unit_core_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What the reports say of a number; fails where two differ. */
static const char *outcome_of(const struct world *w, uint32_t number) {
    const char *outcome = "none";
    const struct chop_bytes *first = NULL;
    for (size_t i = 0; i < w->n_reports; i++) {
        if (w->reports[i].r->number != number) continue;
        if (first && !chop_bytes_equal(*first, w->reports[i].packed)) fail_msg("number %u has two reports", number);
        first = &w->reports[i].packed;
        outcome = w->reports[i].r->outcome;
    }
    return outcome;
}

static void check_outcomes(const struct world *w, const char *what) {
    for (uint32_t n = 1; n <= WORLD_NUMBERS; n++) {
        int inked = w->output.inked[n];
        const char *outcome = outcome_of(w, n);
        if (inked > 1) fail_msg("%s: number %u was inked %d times", what, n, inked);
        bool paper = strcmp(outcome, "printed") == 0 || strcmp(outcome, "interrupted") == 0;
        if (inked == 1 && !paper) fail_msg("%s: number %u is on paper but %s", what, n, outcome);
        if (strcmp(outcome, "printed") == 0 && inked != 1) fail_msg("%s: number %u is not on paper", what, n);
        if (strcmp(outcome, "none") == 0) fail_msg("%s: number %u has no outcome", what, n);
    }
}

static void expect_outcomes(const struct world *w, const char *what, const char *const want[WORLD_NUMBERS]) {
    for (uint32_t n = 1; n <= WORLD_NUMBERS; n++)
        if (want[n - 1] && strcmp(outcome_of(w, n), want[n - 1]) != 0)
            fail_msg("%s: number %u is %s, not %s", what, n, outcome_of(w, n), want[n - 1]);
}

/* Power comes back; the bridge sends the envelope again, twice. */
static void come_back(struct world *w, struct job *j, struct chop_bytes packed) {
    w->output.die_before_ink = w->output.die_after_ink = 0;
    world_boot(w);
    for (int i = 0; i < 2; i++) {
        chop_err e = job_print(j, packed);
        if (e && e != CHOP_ERR(EUSED)) fail_msg("after the restart: %s at %s", e->name, printer_check(&w->core));
    }
}

/* Returns whether the job came to the write `at` at all. */
static bool die_at_write(int at, bool after) {
    struct world *w = world_new();
    struct job j;
    char what[64];
    world_pair(w);
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    w->mem_journal->writes = 0;
    w->mem_journal->die_at = at;
    w->mem_journal->die_after = after;
    (void)!job_print(&j, packed);
    bool died = w->mem_journal->dead;
    if (died) assert_int_equal(printer_envelope(&w->core, packed)->http, 503);
    come_back(w, &j, packed);
    (void)snprintf(what, sizeof what, "dead %s write %d", after ? "after" : "before", at);
    check_outcomes(w, what);
    world_free(w);
    return died;
}

static void power_fails_at_every_write(void **state) {
    (void)state;
    int writes[2] = { 0, 0 };
    for (int after = 0; after < 2; after++)
        while (die_at_write(writes[after] + 1, after != 0))
            writes[after]++;
    /* server time, reserve, and started + printed of three numbers */
    assert_int_equal(writes[0], 2 + 2 * WORLD_NUMBERS);
    assert_int_equal(writes[1], 2 + 2 * WORLD_NUMBERS);
}

static void refusals_survive_every_write(void **state) {
    (void)state;
    for (int at = 1; at < 8; at++) {
        for (int after = 0; after < 2; after++) {
            struct world *w = world_new();
            struct job j;
            job_init(&j, w); /* not paired */
            struct chop_bytes packed = job_make(&j);
            w->mem_journal->writes = 0;
            w->mem_journal->die_at = at;
            w->mem_journal->die_after = after != 0;
            (void)!job_print(&j, packed);
            world_boot(w);
            world_pair(w); /* now it would be fine, but what was refused stays refused */
            chop_err e = job_print(&j, packed);
            if (at >= 2 && (at > 2 || after)) { /* at least one number had been refused */
                assert_non_null(e);
                assert_int_equal(w->output.inked[1], 0);
                assert_int_equal(w->output.inked[3], 0);
                assert_string_equal(outcome_of(w, 1), "refused");
                assert_string_equal(outcome_of(w, 3), "refused");
            }
            check_outcomes(w, "refusal");
            world_free(w);
        }
    }
}

static void power_fails_around_ink(void **state) {
    (void)state;
    for (int number = 1; number <= WORLD_NUMBERS; number++) {
        for (int after = 0; after < 2; after++) {
            struct world *w = world_new();
            struct job j;
            const char *want[WORLD_NUMBERS];
            world_pair(w);
            job_init(&j, w);
            struct chop_bytes packed = job_make(&j);
            *(after ? &w->output.die_after_ink : &w->output.die_before_ink) = number;
            (void)!job_print(&j, packed);
            assert_true(w->mem_journal->dead);
            come_back(w, &j, packed);
            for (int i = 1; i <= WORLD_NUMBERS; i++)
                want[i - 1] = i < number ? "printed" : i == number ? "interrupted" : "refused";
            expect_outcomes(w, "ink", want);
            assert_int_equal(w->output.inked[number], after);
            check_outcomes(w, "ink");
            world_free(w);
        }
    }
}

/* Between started and printed only ink stands: a machine check of what the journal allows. */
static void the_machine_has_no_way_back(void **state) {
    (void)state;
    for (int from = 0; from < NUMBER_STATES; from++) {
        assert_false(journal_may_move((enum journal_number_state)from, NUMBER_NONE));
        assert_false(journal_may_move(NUMBER_PRINTED, (enum journal_number_state)from));
        assert_false(journal_may_move(NUMBER_SPOILED, (enum journal_number_state)from));
        assert_false(journal_may_move(NUMBER_REFUSED, (enum journal_number_state)from));
        assert_false(journal_may_move(NUMBER_INTERRUPTED, (enum journal_number_state)from));
    }
    assert_false(journal_may_move(NUMBER_STARTED, NUMBER_REFUSED));
    assert_false(journal_may_move(NUMBER_RESERVED, NUMBER_PRINTED));
    assert_false(journal_may_move(NUMBER_NONE, NUMBER_STARTED));
    assert_false(journal_may_move(NUMBER_STATES, NUMBER_STARTED));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_fails_at_every_write),
        cmocka_unit_test(refusals_survive_every_write),
        cmocka_unit_test(power_fails_around_ink),
        cmocka_unit_test(the_machine_has_no_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
