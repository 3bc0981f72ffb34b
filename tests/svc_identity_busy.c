/* identity: hashing passwords never stops other calls; beyond its queue the answer is EBUSY at once. */
#include "svc_identity_world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CALLERS 12

static struct fixture_program *program;
static struct person boss;
static atomic_int worked, busy, other, done;

struct caller {
    struct chop_bytes request;
    const char *url;
};

static void *sign_in_caller(void *arg) {
    const struct caller *caller = arg;
    struct arena *mem = arena_new(1 << 20);
    struct bus *bus = NULL;
    struct chop_bytes reply;
    struct bus_headers h = { .deadline = chop_now_ms() + 20000 };
    chop_err e = bus_open(&(struct bus_options){ caller->url, "", "", "caller" }, &bus);
    if (!e) e = bus_call(bus, "chop.identity.v1.SignIn", &h, caller->request, mem, &reply);
    atomic_fetch_add(!e ? &worked : e == &chop_errors[CHOP_E_EBUSY] ? &busy : &other, 1);
    if (bus) bus_close(bus);
    arena_free(mem);
    atomic_fetch_add(&done, 1);
    return NULL;
}

static void callers_start(pthread_t threads[CALLERS], struct caller *caller) {
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR("acme");
    in.account = PB_STR("boss");
    in.password = PB_STR(PASSWORD);
    assert_null(pb_pack(&in, fixture_mem(), &caller->request));
    caller->url = fixture_nats_url();
    for (int i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, sign_in_caller, caller), 0);
}

/* The fifth of several sign-ins at once meets the throttle: here only the pool is looked at. */
static void test_busy_and_others_go_on(void **state) {
    (void)state;
    pthread_t threads[CALLERS];
    struct caller caller;
    Pb__Empty empty = PB__EMPTY__INIT;
    int during = 0;
    callers_start(threads, &caller);
    while (atomic_load(&busy) == 0 && atomic_load(&done) < CALLERS)
        continue;
    for (; atomic_load(&done) < CALLERS && during < 100000; during++) {
        int64_t before = chop_mono_ns();
        WORKS(CALL("GetMe", &empty, boss.who, NULL));
        assert_true(chop_mono_ns() - before < (int64_t)500 * 1000000);
    }
    for (int i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    print_message("%d signed in, %d busy, %d other; %d calls went on meanwhile\n", worked, busy, other, during);
    assert_true(worked >= 1);
    assert_true(busy >= 1);
    assert_int_equal(other, 0);
    assert_true(during >= 10);
}

static int up(void **state) {
    (void)state;
    program = world_start((const char *const[]){ "CHOP_IDENTITY_WORKERS=4", "CHOP_IDENTITY_PASSWORD_THREADS=1",
        "CHOP_IDENTITY_PASSWORD_OPSLIMIT=10", "CHOP_IDENTITY_PASSWORD_MEMLIMIT=67108864", NULL });
    boss = world_organization("acme");
    return 0;
}

static int down(void **state) {
    (void)state;
    fixture_stop(program);
    fixture_down();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_busy_and_others_go_on) };
    return cmocka_run_group_tests(tests, up, down);
}
