/* e2e_flow: the police order a suspension at their own registry, and no printer prints until they lift it. */
#include "flow.h"

#include <string.h>

static void order(const char *action) {
    CHOP_CLEANUP(api_free_p) struct api *police = api_new(stack_text("http://127.0.0.1:%d", stack_port("REG_POLICE")));
    Pb__RegistryOrder in = PB__REGISTRY_ORDER__INIT;
    Pb__HeldOrder *out;
    in.seal_id = world.seal_id;
    in.action = PB_STR(action);
    in.reason = PB_STR("协助调查");
    assert_ok(API(police, "PUT", "/v1/orders", NULL, &in, pb__held_order, &out));
}

static void wait_seal(const char *state) {
    Pb__Seal *s = NULL;
    for (int i = 0; i < 200; i++) {
        assert_ok(
            API(world.a, "GET", stack_text("/v1/seals/%s", world.seal_id), world.admin.token, NULL, pb__seal, &s));
        if (strcmp(s->state, state) == 0) return;
        nap_ms(50);
    }
    fail_msg("the seal is %s, not %s", s ? s->state : "missing", state);
}

static void a_registrys_order_stops_printing(void **state) {
    Pb__SealChange lift = PB__SEAL_CHANGE__INIT;
    Pb__Job *j;
    char id[CHOP_ID_MAX];
    (void)state;
    flow_grant(1, id);
    order("suspend");
    wait_seal("suspended");
    assert_code(print_start(world.a, &world.user, id, world.printer.id, 1, &j), ESTATE);
    lift.seal_id = world.seal_id;
    lift.action = PB_STR("resume");
    assert_code(ACT(world.a, &world.admin, SEAL_CHANGE, seal_change, &lift, NULL), ESTATE);
    order("resume");
    wait_seal("active");
    assert_ok(print_start(world.a, &world.user, id, world.printer.id, 1, &j));
    assert_ok(job_wait(world.a, &world.user, j->job_id, 20000, 50, &j));
    assert_number(id, 1, "printed");
}

const struct CMUnitTest flow_order_tests[] = { cmocka_unit_test(a_registrys_order_stops_printing) };
const size_t flow_order_count = CHOP_COUNT(flow_order_tests);
