/* e2e_faults BIN GROUP|NAME...: one job for each fault, on one stack. A process dies by SIGKILL, at a named point of its
 * work or while a job is under way; it is started again; the client repeats what it does not know to have worked, as it
 * was (the same act, the same order). Then everything must be as if nothing had happened. */
#include "faults.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STUBBORN_MS 30000

const struct fault faults[] = {
    { "request-committed", "authorization", "authorization", "rpc.commit.after:2", .inks = 1 },
    { "decision-open", "authorization", "authorization", "authorization.decide.before", .inks = 1 },
    { "decision-committed", "authorization", "authorization", "rpc.commit.after:4", .inks = 1 },
    { "print-open", "authorization", "authorization", "authorization.print.before", .inks = 1 },
    { "print-committed", "authorization", "authorization", "rpc.commit.after:6", .inks = 1 },
    { "facts-unsequenced", "authorization", "authorization", "outbox.sequence.before", .inks = 1 },
    { "facts-unpublished", "authorization", "authorization", "outbox.publish.before", .inks = 1 },
    { "report-open", "authorization", "authorization", "authorization.report.before", .inks = 1 },

    { "proof-open", "issuance", "identity", "identity.commit.before", .inks = 1 },
    { "proof-committed", "issuance", "identity", "identity.commit.after", .inks = 1 },
    { "job-open", "issuance", "issuance", "rpc.commit.before", .inks = 1 },
    { "job-committed", "issuance", "issuance", "rpc.commit.after", .inks = 1 },
    { "envelope-unsequenced", "issuance", "issuance", "outbox.sequence.before", .inks = 1 },
    { "envelope-unpublished", "issuance", "issuance", "outbox.publish.before", .inks = 1 },
    { "outcome-unapplied", "issuance", "issuance", "inbox.commit.before", .inks = 1 },
    { "answer-lost", "issuance", "gateway", "gateway.answer.before:7", .inks = 1 },

    { "fact-unapplied", "filing", "filing-relay", "inbox.commit.before", .inks = 1 },
    { "fact-sent", "filing", "filing-relay", "filing.sent.after", .inks = 1 },
    { "fact-sent-later", "filing", "filing-relay", "filing.sent.after:5", .inks = 1 },
    { "receipt-unsequenced", "filing", "filing-relay", "outbox.sequence.before", .inks = 1 },
    { "read-model-unapplied", "filing", "verification", "inbox.commit.before", .inks = 1 },
    { "read-model-later", "filing", "verification", "inbox.commit.before:3", .inks = 1 },
    { "registry", "filing", "registry-police", .stage = AFTER_DECISION, .inks = 1 },

    { "delivery-unapplied", "printer", "printer-bridge", "inbox.commit.before", .inks = 1 },
    { "report-uncommitted", "printer", "printer-bridge", "printer-bridge.report.before", .inks = 1 },
    { "report-committed", "printer", "printer-bridge", "printer-bridge.report.committed", .inks = 1 },
    { "report-unsequenced", "printer", "printer-bridge", "outbox.sequence.before", .inks = 1 },
    { "number-started", "printer", "printer", "printer.started.after", .settle = "spoiled", .inks = 0 },
    { "number-inked", "printer", "printer", "printer.ink.after", .settle = "printed", .inks = 1 },
    { "number-ended", "printer", "printer", "printer.ended.after", .inks = 1 },
    { "number-printed", "printer", "printer", "printer.printed.after", .inks = 1 },

    { "bus", "infrastructure", "nats", .stage = AFTER_COMMIT, .inks = 1 },
    { "bus-wiped", "infrastructure", "nats", .stage = AFTER_ORDER, .wipe = true, .inks = 1 },
    { "broker", "infrastructure", "mosquitto", .stage = AFTER_ORDER, .inks = 1 },
    { "store", "infrastructure", "pg", .stage = AFTER_COMMIT, .inks = 1 },
    { "store-later", "infrastructure", "pg", .stage = AFTER_ORDER, .inks = 1 },
};
const size_t fault_count = CHOP_COUNT(faults);

static struct world world;
static const struct fault *now;
static bool broken, restarted;
static int wrongs;

void wrong(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)fprintf(stderr, "  %s: ", now->name);
    (void)vfprintf(stderr, fmt, args);
    (void)fputc('\n', stderr);
    va_end(args);
    wrongs++;
}

/* ---- breaking and mending ---- */

static bool is_printer(void) {
    return strcmp(now->victim, "printer") == 0;
}

static char *crash_file(void) {
    return stack_text("%s/crash-%s", stack_dir(), now->name);
}

/* Runs the victim with its crash point armed. It may die at once: what it is asked to die of may wait for it. */
static void arm(void) {
    if (!now->point) return;
    if (is_printer()) {
        const char *env[] = { stack_text("CHOP_FAILPOINT=%s", now->point),
            stack_text("CHOP_FAILPOINT_FILE=%s", crash_file()), NULL };
        printer_end(&world.printer, SIGTERM);
        printer_run(world.a, &world.user, &world.printer, "null", env);
        return;
    }
    (void)stack_shell("stop_one %s; service_start %s CHOP_FAILPOINT=%s CHOP_FAILPOINT_FILE=%s; service_wait %s", now->victim,
        now->victim, now->point, crash_file(), now->victim);
}

static void start_again(void) {
    int status = 0;
    if (is_printer()) printer_run(world.a, &world.user, &world.printer, "null", NULL);
    else if (strcmp(now->victim, "nats") == 0) status = stack_shell("nats_start");
    else if (strcmp(now->victim, "mosquitto") == 0) status = stack_shell("mqtt_start");
    else if (strcmp(now->victim, "pg") == 0) status = stack_shell("pg_start");
    else if (strcmp(now->victim, "registry-police") == 0)
        status = stack_shell("registry_start police 公安印章管理系统 \"$PORT_REG_POLICE\"");
    else stack_service(now->victim, "");
    if (status) wrong("%s did not start again", now->victim);
    restarted = true;
}

/* Called between tries: a victim that died is started again, as its supervisor would. */
static void mend(void) {
    if (restarted || !now->point) return;
    if (is_printer() ? printer_gone(&world.printer) : !stack_alive(now->victim)) start_again();
}

static void at(enum stage stage) {
    mend();
    if (now->point || now->stage != stage || broken) return;
    broken = true;
    stack_kill(now->victim, strcmp(now->victim, "pg") == 0 ? SIGQUIT : SIGKILL);
    if (now->wipe) (void)stack_output("rm -rf %s/nats/*", stack_dir());
    start_again();
}

/* ---- a client that does not give up ---- */

/* Again, as it was, until it worked or cannot work. */
#define STUBBORN(call)                                                                                                 \
    ({                                                                                                                 \
        chop_err tried_;                                                                                               \
        int64_t end_ = chop_now_ms() + STUBBORN_MS;                                                                    \
        while ((tried_ = (call)) && tried_->retryable && chop_now_ms() < end_) {                                       \
            mend();                                                                                                    \
            nap_ms(50);                                                                                                \
        }                                                                                                              \
        tried_;                                                                                                        \
    })

static chop_err ask_and_decide(struct trace *t) {
    struct act act;
    Pb__CommitActReply *out;
    const struct use u = { .seal_id = world.seal_id, .title = stack_text("合同 %s", now->name), .copies = 1 };
    TRY(STUBBORN(request_prepare(world.a, &world.user, &u, &act)));
    TRY(STUBBORN(act_commit(world.a, &world.user, &act, &out)));
    const char *id = out->request->request_id;
    TRY(STUBBORN(decide_prepare(world.a, &world.manager, id, "approve", NULL, &act)));
    TRY(STUBBORN(act_commit(world.a, &world.manager, &act, &out)));
    (void)snprintf(t->grant_id, sizeof t->grant_id, "%s", out->request->grant_id);
    at(AFTER_DECISION);
    return NULL;
}

static chop_err order(struct trace *t) {
    struct print p;
    Pb__Job *j;
    TRY(STUBBORN(print_prepare(world.a, &world.user, t->grant_id, world.printer.id, 1, 0, &p)));
    TRY(STUBBORN(print_commit(world.a, &world.user, &p)));
    at(AFTER_COMMIT);
    TRY(STUBBORN(print_submit(world.a, &world.user, &p, &j)));
    at(AFTER_ORDER);
    (void)snprintf(t->job_id, sizeof t->job_id, "%s", j->job_id);
    (void)snprintf(t->allotment_id, sizeof t->allotment_id, "%s", p.allotment_id);
    (void)snprintf(t->token, sizeof t->token, "%s", j->marks[0]->token);
    (void)snprintf(t->cipher, sizeof t->cipher, "%s", j->marks[0]->cipher);
    return NULL;
}

static chop_err settle(const struct trace *t) {
    Pb__Settle in = PB__SETTLE__INIT;
    in.grant_id = PB_STR(t->grant_id);
    in.number = 1;
    in.outcome = PB_STR(now->settle);
    in.reason = PB_STR("断电");
    return ACT(world.a, &world.manager, SETTLE, settle, &in, NULL);
}

static chop_err number_state(const struct trace *t, const char *want) {
    Pb__Grant *g;
    TRY(grant_get(world.a, &world.user, t->grant_id, &g));
    bool there = g->n_numbers == 1 && strcmp(g->numbers[0]->state, want) == 0;
    return there ? NULL : CHOP_FAIL(EBUSY, NULL, "the number is %s", g->n_numbers ? g->numbers[0]->state : "not there");
}

static chop_err job(struct trace *t) {
    TRY(ask_and_decide(t));
    TRY(order(t));
    if (now->settle) {
        TRY(STUBBORN(number_state(t, "interrupted")));
        TRY(settle(t));
    }
    return STUBBORN(number_state(t, now->settle ? now->settle : "printed"));
}

/* What dies of its work behind the answers, filing and reading, does so a little later. */
static void wait_for_crash(void) {
    for (int i = 0; now->point && !restarted && i < 500; i++, nap_ms(10)) mend();
    if (!now->point) return;
    const char *hit = stack_file(stack_text("crash-%s", now->name));
    size_t n = strcspn(now->point, ":");
    if (strncmp(hit, now->point, n) != 0 || hit[n] != '\n') wrong("the crash point %s was not met", now->point);
}

static bool run(const struct fault *f) {
    struct trace t = { .grant_id = "" };
    int64_t began = chop_now_ms();
    int before = wrongs;
    now = f;
    broken = restarted = false;
    api_reset(world.a);
    arm();
    chop_err e = job(&t);
    if (e) wrong("the job failed: %s %s: %s", e->name, chop_detail_field(), chop_detail_text());
    wait_for_crash();
    if (!e) check_all(&world, f, &t);
    (void)printf("%-22s %-8s %6lld ms\n", f->name, wrongs == before ? "ok" : "FAILED", (long long)(chop_now_ms() - began));
    (void)fflush(stdout);
    return wrongs == before;
}

int main(int argc, char **argv) {
    const char *env[] = { "CHOP_GATEWAY_ADDRESS_RATE=0", "CHOP_GATEWAY_SESSION_RATE=0", "CHOP_GATEWAY_CALL_MS=1500",
        "CHOP_PRINTER_BRIDGE_RESEND_MS=300", "CHOP_FILING_RELAY_RETRY_BASE_MS=100", "CHOP_FILING_RELAY_POLL_MS=100",
        "CHOP_FILING_RELAY_TIMEOUT_MS=1000", NULL };
    int failed = 0, ran = 0;
    if (argc < 3) return 2;
    stack_start("faults", argv[1], env);
    world_make(&world, "faults", world_seal_code(), "null");
    for (size_t i = 0; i < fault_count; i++)
        for (int k = 2; k < argc; k++)
            if (strcmp(argv[k], faults[i].name) == 0 || strcmp(argv[k], faults[i].group) == 0) {
                failed += !run(&faults[i]);
                ran++;
            }
    world_done(&world);
    return failed || ran == 0;
}
