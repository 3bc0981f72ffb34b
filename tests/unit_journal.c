/* The SQLite journal: what a reopened file remembers, and that a lost or restored one refuses old jobs. */
#include "journal_sqlite.h"
#include "output.h"
#include "unit_core_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char dir[] = "/tmp/chop-journal-XXXXXX";
static struct journal_sqlite *journal;

static void shell(const char *format) {
    char text[512];
    (void)snprintf(text, sizeof text, "cd %s && %s", dir, format);
    assert_int_equal(system(text), 0);
}

/* As after power on; recovers. */
static void boot(struct world *w) {
    journal_sqlite_close(journal);
    journal = NULL;
    assert_null(journal_sqlite_open(dir, true, &journal));
    w->journal = journal_sqlite_of(journal);
    world_boot(w);
}

static struct world *start(void) {
    shell("rm -f *");
    struct world *w = world_new();
    boot(w);
    world_pair(w);
    return w;
}

static void finish(struct world *w) {
    journal_sqlite_close(journal);
    journal = NULL;
    world_free(w);
}

static int count_reports;
static void count_report(void *ctx, struct chop_bytes packed) {
    (void)ctx;
    count_reports += packed.n > 0;
}
static int open_reports(void) {
    count_reports = 0;
    assert_null(journal_sqlite_reports(journal, 100, count_report, NULL));
    return count_reports;
}

static void it_remembers_over_restarts(void **state) {
    (void)state;
    struct world *w = start();
    struct job j;
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    assert_null(job_print(&j, packed));
    boot(w);
    assert_int_equal(w->core.at.boot, 2);
    assert_int_equal(w->core.at.seq, 3);
    assert_true(w->core.at.signed_time >= j.envelope.signed_at);
    assert_int_equal(open_reports(), 3);
    assert_ptr_equal(job_print(&j, packed), CHOP_ERR(EUSED)); /* the pairing is still there, the numbers are used */
    assert_int_equal(w->output.inked[1], 1);
    uint8_t d[32];
    Pb__Signed *s;
    assert_null(PB_UNPACK(pb__signed, w->reports[1].packed, w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), d);
    assert_null(journal_sqlite_ack(journal, j.allotment_id, 1, CHOP_BYTES(d, 32))); /* another number's digest */
    assert_int_equal(open_reports(), 3);
    assert_null(journal_sqlite_ack(journal, j.allotment_id, 2, CHOP_BYTES(d, 32)));
    assert_int_equal(open_reports(), 2);
    finish(w);
}

static void an_open_number_is_closed_at_start(void **state) {
    (void)state;
    struct world *w = start();
    struct job j;
    job_init(&j, w);
    w->output.die_after_ink = 2;
    struct chop_bytes packed = job_make(&j);
    assert_null(printer_envelope(&w->core, packed));
    bool more;
    assert_null(printer_step(&w->core, &more));
    /* the second is started, and then there is no power */
    struct journal_number n = w->core.job.like;
    n.number = 2;
    n.state = NUMBER_STARTED;
    n.started_at = w->now;
    assert_null(w->journal.move(w->journal.ctx, NUMBER_RESERVED, &n, NULL, w->now));
    boot(w);
    assert_int_equal(w->n_reports, 3);
    assert_string_equal(w->reports[0].r->outcome, "printed");
    assert_string_equal(w->reports[1].r->outcome, "interrupted");
    assert_int_equal(w->reports[1].r->number, 2);
    assert_string_equal(w->reports[2].r->outcome, "refused");
    assert_string_equal(w->reports[2].r->check, "restart");
    assert_int_equal(w->reports[2].r->boot_counter, 2);
    finish(w);
}

static void a_move_from_another_state_is_refused(void **state) {
    (void)state;
    struct world *w = start();
    struct job j;
    job_init(&j, w);
    assert_null(job_print(&j, job_make(&j)));
    struct journal_number n;
    assert_null(w->journal.number_get(w->journal.ctx, j.allotment_id, 1, &n));
    assert_int_equal(n.state, NUMBER_PRINTED);
    assert_ptr_equal(w->journal.move(w->journal.ctx, NUMBER_RESERVED, &n, NULL, w->now), CHOP_ERR(ESTATE));
    bool taken;
    assert_null(w->journal.number_taken(w->journal.ctx, j.grant_id, 1, &taken));
    assert_true(taken);
    assert_null(w->journal.number_taken(w->journal.ctx, j.grant_id, 9, &taken));
    assert_false(taken);
    finish(w);
}

/* The job was ordered before; printed or not, the journal that comes up knows nothing of its challenge. */
static void old_job_after(const char *before_print, const char *after_print, bool print) {
    struct world *w = start();
    struct job j;
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    shell(before_print);
    if (print) assert_null(job_print(&j, packed));
    journal_sqlite_close(journal);
    journal = NULL;
    shell(after_print);
    int inked = w->output.inked[1];
    boot(w);
    if (w->mem_journal->n_pairings == 0) world_pair(w); /* even if somebody pairs again */
    chop_err e = job_print(&j, packed);
    assert_non_null(e);
    assert_string_equal(printer_check(&w->core), "challenge");
    assert_ptr_equal(e, CHOP_ERR(ENOTFOUND));
    assert_int_equal(w->output.inked[1], inked);
    finish(w);
}

static void a_lost_journal_refuses_old_jobs(void **state) {
    (void)state;
    old_job_after("true", "rm journal.db", false);
    old_job_after("true", "rm journal.db", true);
    old_job_after("true", "rm journal.db witness", true);
}

static void a_restored_journal_refuses_old_jobs(void **state) {
    (void)state;
    old_job_after("cp journal.db saved", "cp saved journal.db", true);
    old_job_after("true", "rm witness; echo 99 > witness", false); /* they disagree: nobody knows which is old */
}

/* A copy from after the reservation: it calls "reserved" what is on paper by now. "refused" would give the numbers back
 * and print them again, so a person has to look. */
static void a_restored_journal_gives_nothing_back(void **state) {
    (void)state;
    for (int printed = 0; printed <= 1; printed++) {
        struct world *w = start();
        struct job j;
        job_init(&j, w);
        struct chop_bytes packed = job_make(&j);
        assert_null(printer_envelope(&w->core, packed));
        shell("cp journal.db saved");
        bool more = printed;
        while (more)
            assert_null(printer_step(&w->core, &more));
        journal_sqlite_close(journal);
        journal = NULL;
        shell("cp saved journal.db");
        size_t before = (size_t)w->n_reports;
        boot(w);
        assert_int_equal(w->n_reports, before + 3);
        for (size_t i = 0; i < 3; i++) {
            assert_string_equal(w->reports[before + i].r->outcome, printed ? "interrupted" : "refused");
            assert_int_equal(w->reports[before + i].r->started_at != 0, printed);
        }
        assert_ptr_equal(job_print(&j, packed), CHOP_ERR(EUSED));
        assert_int_equal(w->output.inked[1], printed);
        finish(w);
    }
}

static void a_restart_alone_keeps_challenges(void **state) {
    (void)state;
    struct world *w = start();
    struct job j;
    job_init(&j, w);
    struct chop_bytes packed = job_make(&j);
    boot(w);
    boot(w);
    assert_null(job_print(&j, packed));
    finish(w);
}

static void open_challenges_are_bounded(void **state) {
    (void)state;
    struct world *w = start();
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    chop_err e = NULL;
    int made = 0;
    /* without waiting for the disk: the count is what matters */
    uint8_t digest[32] = { 0 };
    for (; !e && made < 2000; made++) {
        memcpy(digest, &made, sizeof made);
        e = w->journal.challenge_put(w->journal.ctx, digest, w->now, w->now + PRINTER_CHALLENGE_MS);
    }
    assert_ptr_equal(e, CHOP_ERR(EBUSY));
    assert_ptr_equal(printer_challenge(&w->core, out, &n), CHOP_ERR(EBUSY));
    assert_false(w->core.broken);
    w->now += PRINTER_CHALLENGE_MS + 1;
    assert_null(printer_challenge(&w->core, out, &n));
    finish(w);
}

/* SIGKILL at a moment of a print: whatever the file holds then is taken up rightly. */
static void a_killed_process_never_prints_twice(void **state) {
    (void)state;
    for (int i = 0; i < 12; i++) {
        struct world *w = start();
        struct job j;
        job_init(&j, w);
        struct chop_bytes packed = job_make(&j);
        int ink[2];
        assert_int_equal(pipe(ink), 0);
        journal_sqlite_close(journal);
        journal = NULL;
        pid_t child = fork();
        if (child == 0) {
            boot(w);
            (void)!printer_envelope(&w->core, packed);
            for (bool more = true; more;) {
                int before[4] = { 0, w->output.inked[1], w->output.inked[2], w->output.inked[3] };
                (void)!printer_step(&w->core, &more);
                for (int k = 1; k < 4; k++)
                    if (w->output.inked[k] > before[k]) (void)!write(ink[1], "i", 1);
            }
            _exit(0);
        }
        (void)usleep((useconds_t)(i * 1500));
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        close(ink[1]);
        boot(w);
        w->output = (struct mem_output){ .journal = w->mem_journal };
        (void)!job_print(&j, packed);
        char text[16];
        ssize_t inked_before = read(ink[0], text, sizeof text);
        int inked = w->output.inked[1] + w->output.inked[2] + w->output.inked[3];
        assert_true(inked_before <= 3 && inked_before + inked <= 3);
        assert_true(inked == 0 || inked_before == 0);
        close(ink[0]);
        finish(w);
    }
}

/* ---- loaded jobs ---- */
static void make_load(struct job *j, enum job_stage stage) {
    if (stage == ST_GRANT) {
        j->grant.offline = true;
        j->grant.printer_ids = ARENA_ARRAY(j->w->mem, char *, 1);
        j->grant.printer_ids[0] = j->w->printer_id;
        j->grant.n_printer_ids = 1;
    }
    if (stage == ST_ALLOTMENT) j->allotment.offline = true;
    if (stage == ST_ORDER) j->order.load = true;
}

static struct world *start_loaded(struct job *j) {
    struct world *w = start();
    job_init(j, w);
    j->hook = make_load;
    assert_null(printer_envelope(&w->core, job_make(j)));
    return w;
}

static chop_err local_print(struct job *j, uint32_t number) {
    struct world *w = j->w;
    uint8_t out[PRINTER_SMALL_MAX], digest[32];
    size_t n;
    bool more;
    Pb__Signed *s;
    Pb__LocalOrder m = PB__LOCAL_ORDER__INIT;
    TRY(printer_challenge(&w->core, out, &n));
    assert_null(PB_UNPACK(pb__signed, CHOP_BYTES(out, n), w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), digest);
    m.job_id = j->job_id;
    m.allotment_id = j->allotment_id;
    m.printer_id = w->printer_id;
    m.terminal_id = w->terminal_id;
    m.numbers = &number;
    m.n_numbers = 1;
    m.challenge_digest = (ProtobufCBinaryData){ 32, digest };
    TRY(printer_local(&w->core, world_sign(w, KEY_TERMINAL, w->terminal_id, "local-order", &m), world_pack(w, j->cert_s)));
    return printer_step(&w->core, &more);
}

struct listed {
    size_t jobs, numbers;
    uint32_t first;
};
static void list_one(void *ctx, const struct journal_held *held, const uint32_t *numbers, size_t n) {
    struct listed *l = ctx;
    assert_true(held->open && held->envelope_n > 100);
    l->jobs++;
    l->numbers += n;
    l->first = numbers[0];
}
static struct listed list(void) {
    struct listed l = { .jobs = 0 };
    assert_null(journal_sqlite_held(journal, list_one, &l));
    return l;
}

static void a_load_survives_restarts(void **state) {
    (void)state;
    struct job j;
    uint8_t out[PRINTER_SMALL_MAX], again[PRINTER_SMALL_MAX];
    size_t n, n_again;
    struct world *w = start_loaded(&j);
    boot(w);
    assert_int_equal(list().numbers, 3);
    assert_null(local_print(&j, 1));
    boot(w);
    assert_ptr_equal(local_print(&j, 1), CHOP_ERR(EUSED));
    assert_null(local_print(&j, 3));
    assert_int_equal(list().first, 2);
    assert_null(printer_close_out(&w->core, j.job_id, out, &n));
    boot(w);
    assert_int_equal(list().jobs, 0);
    assert_ptr_equal(local_print(&j, 2), CHOP_ERR(ESTATE));
    assert_null(printer_close_out(&w->core, j.job_id, again, &n_again));
    assert_int_equal(n_again, n);
    assert_memory_equal(again, out, n);
    assert_int_equal(w->output.inked[1] + w->output.inked[2] + w->output.inked[3], 2);
    assert_int_equal(open_reports(), 3);
    uint8_t d[32];
    Pb__Signed *s;
    assert_null(PB_UNPACK(pb__signed, CHOP_BYTES(out, n), w->mem, &s));
    crypto_sha256(PB_BYTES(s->payload), d);
    assert_null(journal_sqlite_ack(journal, j.allotment_id, 0, CHOP_BYTES(d, 32)));
    assert_int_equal(open_reports(), 2);
    finish(w);
}

/* A copy of the journal from before a local print or a close-out would print what is printed or given away. */
static void a_restored_journal_prints_no_load(void **state) {
    (void)state;
    for (int closed = 0; closed <= 1; closed++) {
        struct job j;
        uint8_t out[PRINTER_SMALL_MAX];
        size_t n;
        struct world *w = start_loaded(&j);
        shell("cp journal.db saved");
        if (closed)
            assert_null(printer_close_out(&w->core, j.job_id, out, &n));
        else
            assert_null(local_print(&j, 1));
        journal_sqlite_close(journal);
        journal = NULL;
        shell("cp saved journal.db");
        boot(w);
        assert_int_equal(list().jobs, 0);
        assert_ptr_equal(local_print(&j, 1), CHOP_ERR(ESTATE));
        assert_ptr_equal(printer_close_out(&w->core, j.job_id, out, &n), CHOP_ERR(ESTATE)); /* nor given back */
        assert_string_equal(w->reports[w->n_reports - 1].r->outcome, "interrupted");
        assert_int_equal(w->output.inked[1], !closed);
        finish(w);
    }
}

/* ---- layout, pure ---- */
static void marks_go_where_there_is_room(void **state) {
    (void)state;
    struct layout_in in = { .x_um = 20000,
        .y_um = 100000,
        .paper_w = 210000,
        .seal_w = 40000,
        .seal_h = 40000,
        .marks_w = 47500,
        .marks_h = 24400,
        .signature_w = 30000,
        .signature_h = 10000 };
    struct layout l = layout_make(&in);
    assert_int_equal(l.seal.x_um, 20000);
    assert_int_equal(l.marks.x_um, 63000);
    assert_int_equal(l.marks.y_um, 107800);
    assert_int_equal(l.signature.y_um, 135000);
    assert_true(l.signature.x_um + 30000 <= l.marks.x_um);
    in.x_um = 150000;
    l = layout_make(&in);
    assert_int_equal(l.marks.x_um, 150000 - 3000 - 47500);
    assert_true(l.signature.x_um >= 150000);
    in.paper_w = 60000; /* neither side */
    in.x_um = 10000;
    l = layout_make(&in);
    assert_int_equal(l.marks.x_um, 10000);
    assert_true(l.marks.y_um >= 140000 + 5000);
}

static int up(void **state) {
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}
static int down(void **state) {
    (void)state;
    shell("rm -f *");
    return rmdir(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_remembers_over_restarts),
        cmocka_unit_test(an_open_number_is_closed_at_start),
        cmocka_unit_test(a_move_from_another_state_is_refused),
        cmocka_unit_test(a_lost_journal_refuses_old_jobs),
        cmocka_unit_test(a_restored_journal_refuses_old_jobs),
        cmocka_unit_test(a_restored_journal_gives_nothing_back),
        cmocka_unit_test(a_restart_alone_keeps_challenges),
        cmocka_unit_test(open_challenges_are_bounded),
        cmocka_unit_test(a_killed_process_never_prints_twice),
        cmocka_unit_test(a_load_survives_restarts),
        cmocka_unit_test(a_restored_journal_prints_no_load),
        cmocka_unit_test(marks_go_where_there_is_room),
    };
    return cmocka_run_group_tests(tests, up, down);
}
