/* Orders, envelopes and printers that are not what they should be. */
#include "flow.h"

#include "fixture_process.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void an_order_works_once(void **state) {
    struct print p;
    Pb__Job *first, *again, *other;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(1, id);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &p));
    assert_ok(print_commit(world.a, &world.user, &p));
    assert_ok(print_submit(world.a, &world.user, &p, &first));
    assert_ok(print_submit(world.a, &world.user, &p, &again));
    assert_string_equal(first->job_id, again->job_id);
    assert_string_equal(first->marks[0]->token, again->marks[0]->token);
    p.order.order.len = 0; /* signed anew: another order over the same allotment */
    nap_ms(2);
    assert_ok(print_commit(world.a, &world.user, &p));
    assert_code(print_submit(world.a, &world.user, &p, &other), EUSED);
    assert_ok(job_wait(world.a, &world.user, first->job_id, 10000, 20, &first));
    assert_int_equal(printer_inks(&world.printer, p.allotment_id), 1);
}

static void an_order_is_the_terminals_own(void **state) {
    struct print p;
    Pb__Job *j;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(1, id);
    assert_ok(print_prepare(world.a, &world.user, id, world.printer.id, 1, 0, &p));
    assert_ok(print_commit(world.a, &world.user, &p));
    ProtobufCBinaryData order = p.order.order;
    uint8_t changed[1024];
    assert_true(order.len < sizeof changed);
    memcpy(changed, order.data, order.len);
    changed[order.len - 1] ^= 1;
    p.order.order.data = changed;
    assert_code(print_submit(world.a, &world.user, &p, &j), ESIGNATURE);
    p.order.order = order;
    assert_code(print_submit(world.a, &world.manager, &p, &j), EDENIED);
    assert_ok(print_submit(world.a, &world.user, &p, &j));
    assert_ok(job_wait(world.a, &world.user, j->job_id, 10000, 20, &j));
}

/* mosquitto's own clients; `who` is the stem of a certificate's files. */
static const char *mqtt(const char *program, const char *cert, const char *key) {
    return stack_text("%s -h localhost -p %d --cafile %s/keys/ca.crt --cert %s --key %s -q 1", program,
        stack_port("MQTT"), stack_dir(), cert, key);
}

static void a_replayed_envelope_prints_nothing(void **state) {
    Pb__Job *j;
    char id[CHOP_ID_MAX];
    (void)state;
    const char *topic = stack_text("chop/v1/printer/%s/down/envelope", world.printer.id);
    const char *heard = stack_text("%s/envelope.bin", stack_dir());
    const char *listen = stack_text("%s -N -C 1 -W 15 -t %s >%s", mqtt("exec mosquitto_sub",
        stack_text("%s/tls.pem", world.printer.dir), stack_text("%s/sign.pem", world.printer.dir)), topic, heard);
    const char *argv[] = { "bash", "-c", listen, NULL };
    pid_t ear = fixture_spawn(&(struct fixture_command){ .argv = argv });
    nap_ms(300);
    flow_grant(1, id);
    assert_ok(print_start(world.a, &world.user, id, world.printer.id, 1, &j));
    assert_ok(job_wait(world.a, &world.user, j->job_id, 10000, 20, &j));
    assert_int_equal(fixture_wait(ear), 0);
    int before = printer_inks(&world.printer, "");
    (void)stack_output("%s -t %s -f %s", mqtt("mosquitto_pub", stack_text("%s/keys/bridge.crt", stack_dir()),
        stack_text("%s/keys/bridge-tls.key", stack_dir())), topic, heard);
    nap_ms(700);
    assert_int_equal(printer_inks(&world.printer, ""), before);
    assert_false(printer_gone(&world.printer));
    assert_number(id, 1, "printed");
}

static void an_unpaired_terminal_is_refused(void **state) {
    struct person stranger;
    Pb__Job *j;
    char id[CHOP_ID_MAX];
    (void)state;
    world_person(&world, "unpaired", "赵六", "user", &stranger);
    const struct use u = { .seal_id = world.seal_id, .title = "未配对", .copies = 1 };
    assert_ok(grant_make(world.a, &stranger, &world.manager, &u, id));
    assert_ok(print_start(world.a, &stranger, id, world.printer.id, 1, &j));
    char token[32], job_id[CHOP_ID_MAX];
    (void)snprintf(token, sizeof token, "%s", j->marks[0]->token);
    (void)snprintf(job_id, sizeof job_id, "%s", j->job_id);
    assert_ok(job_wait(world.a, &stranger, job_id, 10000, 20, &j));
    assert_string_equal(j->numbers[0]->state, "returned");
    assert_string_equal(j->numbers[0]->reason, "EUNPAIRED");
    assert_int_equal(printer_inks(&world.printer, token), 0);
    /* The number is free again, and works once the printer knows the terminal. */
    printer_accept(world.a, &world.printer, &stranger);
    assert_ok(print_start(world.a, &stranger, id, world.printer.id, 1, &j));
    assert_ok(job_wait(world.a, &stranger, j->job_id, 10000, 20, &j));
    assert_string_equal(j->numbers[0]->state, "printed");
    person_done(&stranger);
}

static void an_interruption_is_settled_by_people(void **state) {
    const char *slow[] = { "CHOP_PRINTER_DELAY_MS=3000", NULL };
    struct printer p;
    Pb__Settle in = PB__SETTLE__INIT;
    Pb__Job *j;
    char id[CHOP_ID_MAX], token[32], cipher[16];
    (void)state;
    printer_new(world.a, &world.admin, "fragile", &p);
    printer_run(world.a, &world.user, &p, "null", slow);
    printer_accept(world.a, &p, &world.user);
    flow_grant(1, id);
    assert_ok(print_start(world.a, &world.user, id, p.id, 1, &j));
    (void)snprintf(token, sizeof token, "%s", j->marks[0]->token);
    (void)snprintf(cipher, sizeof cipher, "%s", j->marks[0]->cipher);
    for (int i = 0; i < 300 && printer_inks(&p, token) == 0; i++) nap_ms(10);
    printer_end(&p, SIGKILL); /* the power goes while ink meets paper */
    printer_run(world.a, &world.user, &p, "null", NULL);
    assert_number(id, 1, "interrupted");
    assert_verdict(token, NULL, "interrupted");
    in.grant_id = id;
    in.number = 1;
    in.outcome = PB_STR("printed");
    in.reason = PB_STR("照片显示印迹完整");
    assert_code(ACT(world.a, &world.user, SETTLE, settle, &in, NULL), EDENIED);
    assert_ok(ACT(world.a, &world.manager, SETTLE, settle, &in, NULL));
    assert_number(id, 1, "printed");
    assert_verdict(token, cipher, "genuine");
    assert_int_equal(printer_inks(&p, token), 1);
    assert_code(ACT(world.a, &world.manager, SETTLE, settle, &in, NULL), ESTATE);
    printer_end(&p, SIGTERM);
}

static void a_silent_printer_is_said_at_once(void **state) {
    struct printer p;
    struct print print;
    char id[CHOP_ID_MAX];
    (void)state;
    printer_new(world.a, &world.admin, "silent", &p);
    flow_grant(1, id);
    assert_code(print_prepare(world.a, &world.user, id, p.id, 1, 0, &print), EUNREACHABLE);
}

const struct CMUnitTest flow_printer_tests[] = {
    cmocka_unit_test(an_order_works_once),
    cmocka_unit_test(an_order_is_the_terminals_own),
    cmocka_unit_test(a_replayed_envelope_prints_nothing),
    cmocka_unit_test(an_unpaired_terminal_is_refused),
    cmocka_unit_test(an_interruption_is_settled_by_people),
    cmocka_unit_test(a_silent_printer_is_said_at_once),
};
const size_t flow_printer_count = CHOP_COUNT(flow_printer_tests);
