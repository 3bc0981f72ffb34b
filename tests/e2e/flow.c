/* e2e_flow BIN [SECOND_DECODER]: the whole job on a real stack: five services, gateway, bridge, three registries,
 * PostgreSQL, nats-server, mosquitto and a printer that draws pages. */
#include "flow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct world world;
const char *flow_read_zxing;

void flow_grant(uint32_t copies, char ret_grant_id[CHOP_ID_MAX]) {
    static unsigned n;
    const struct use u = { .seal_id = world.seal_id, .title = stack_text("销售合同 %u", ++n), .copies = copies };
    assert_ok(grant_make(world.a, &world.user, &world.manager, &u, ret_grant_id));
}

void assert_verdict(const char *mark, const char *cipher, const char *verdict) {
    Pb__Verdict *v;
    assert_ok(verify_until(world.a, mark, cipher, verdict, 3000, &v));
    assert_string_equal(v->verdict, verdict);
}

static const Pb__Number *number_of(const Pb__Grant *g, uint32_t number) {
    for (size_t i = 0; i < g->n_numbers; i++)
        if (g->numbers[i]->number == number) return g->numbers[i];
    return NULL;
}

/* The printer's report is on its way for a moment. */
void assert_number(const char *grant_id, uint32_t number, const char *state) {
    const Pb__Number *n = NULL;
    for (int i = 0; i < 200; i++) {
        Pb__Grant *g;
        assert_ok(grant_get(world.a, &world.user, grant_id, &g));
        n = number_of(g, number);
        if (n && strcmp(n->state, state) == 0) return;
        nap_ms(20);
    }
    fail_msg("number %u is %s, not %s", number, n ? n->state : "missing", state);
}

static int reset(void **state) {
    (void)state;
    api_reset(world.a);
    return 0;
}

static size_t gather(struct CMUnitTest *all, size_t n, const struct CMUnitTest *some, size_t count) {
    for (size_t i = 0; i < count; i++) {
        all[n + i] = some[i];
        all[n + i].setup_func = reset;
    }
    return n + count;
}

int main(int argc, char **argv) {
    static struct CMUnitTest tests[100];
    const char *env[] = { "CHOP_GATEWAY_ADDRESS_RATE=0", "CHOP_GATEWAY_SESSION_RATE=0",
        "CHOP_REGISTRY_OPTIONS=--test-switches", NULL };
    if (argc < 2) return 2;
    flow_read_zxing = argc > 2 ? argv[2] : NULL;
    stack_start("flow", argv[1], env);
    world_make(&world, "haichuan", world_seal_code(), "page");
    size_t n = gather(tests, 0, flow_paper_tests, flow_paper_count);
    n = gather(tests, n, flow_rules_tests, flow_rules_count);
    n = gather(tests, n, flow_printer_tests, flow_printer_count);
    n = gather(tests, n, flow_input_tests, flow_input_count);
    n = gather(tests, n, flow_order_tests, flow_order_count);
    if (getenv("CHOP_TEST_FILTER")) cmocka_set_test_filter(getenv("CHOP_TEST_FILTER"));
    int failed = _cmocka_run_group_tests("flow", tests, n, NULL, NULL);
    world_done(&world);
    return failed;
}
