/* Pins what lib/mqtt.h promises and libmosquitto does not document: a message whose callback did not return is not
 * acknowledged. The printer sends each report once here, so only the broker can bring one again. */
#include "svc_printer_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const once[] = { "CHOP_PRINTER_RESEND_MS=600000", NULL };

static void print_job(struct printer_world *p, struct job *j) {
    struct chop_bytes packed;
    assert_null(pworld_job(p, j, &packed));
    pworld_issue(p, j, packed);
}

__attribute__((unused)) static void crash_at(const char *point) {
    const char *mark = fixture_text("%s/failpoint-%s", fixture_dir(), point);
    const char *const env[] = { fixture_text("CHOP_FAILPOINT=%s", point), fixture_text("CHOP_FAILPOINT_FILE=%s", mark),
        NULL };
    struct printer_world *p = pworld_new(env);
    struct job j;
    pid_t pid = pworld_printer_start(p, once);
    pworld_wait_online(p, true);
    assert_null(pworld_pair(p, pworld_code(p)));
    print_job(p, &j);
    for (int i = 0; i < 500 && access(mark, F_OK) != 0; i++)
        fixture_sleep_ms(20);
    assert_int_equal(access(mark, F_OK), 0); /* the bridge died inside of its first report */
    kill(pid, SIGSTOP);                      /* and nothing but the broker may speak for the printer */
    fixture_kill(p->bridge);
    pworld_bridge_start(p, NULL);
    pworld_wait_reports(p, WORLD_NUMBERS);
    assert_string_equal(pworld_outcomes(p, &j), "1:printed 2:printed 3:printed");
    assert_string_equal(
        fixture_sql("printer_bridge", "SELECT count(*) FROM outbox WHERE type = 'printer-bridge.report.received'"),
        "3");
    kill(pid, SIGCONT);
    pworld_printer_stop(pid);
    fixture_stop(p->bridge);
    pworld_free(p);
}

static void a_report_whose_callback_died_comes_again(void **state) {
    (void)state;
#ifdef CHOP_FAILPOINTS
    crash_at("printer-bridge.report.before");
#else
    skip();
#endif
}

/* While the store is down reports are refused to the broker; they come again when it is back. */
static void a_report_that_cannot_be_stored_comes_again(void **state) {
    (void)state;
    /* nor does the bridge send the envelope again, which would make the printer repeat its reports */
    const char *const env[] = { "CHOP_PRINTER_BRIDGE_RESEND_MS=600000", NULL };
    struct printer_world *p = pworld_new(env);
    struct job j;
    const char *const slow[] = { "CHOP_PRINTER_RESEND_MS=600000", "CHOP_PRINTER_DELAY_MS=700", NULL };
    pid_t pid = pworld_printer_start(p, slow);
    pworld_wait_online(p, true);
    assert_null(pworld_pair(p, pworld_code(p)));
    print_job(p, &j);
    pworld_wait_reports(p, 1);
    fixture_kill_part(FIX_PG);
    fixture_sleep_ms(2500); /* the others are printed and reported meanwhile */
    fixture_up(FIX_PG);
    pworld_wait_reports(p, WORLD_NUMBERS);
    assert_string_equal(pworld_outcomes(p, &j), "1:printed 2:printed 3:printed");
    pworld_printer_stop(pid);
    fixture_stop(p->bridge);
    pworld_free(p);
}

int main(int argc, char **argv) {
    const struct CMUnitTest crash[] = { cmocka_unit_test(a_report_whose_callback_died_comes_again) };
    const struct CMUnitTest store[] = { cmocka_unit_test(a_report_that_cannot_be_stored_comes_again) };
    bool is_store = argc > 1 && strcmp(argv[1], "store") == 0;
    return is_store ? cmocka_run_group_tests_name("store", store, NULL, NULL)
                    : cmocka_run_group_tests_name("crash", crash, NULL, NULL);
}
