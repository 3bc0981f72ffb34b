/* The whole job from a shell: chop against a real stack, with a real printer. */
#include "fixture_process.h"
#include "stack.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const char *program, *bin;
static char seal[64], grant[64], printer[64], request[64], token[64], cipher[16];
static pid_t printer_pid;

/* ---- running chop ---- */

/* As this person: a profile of its own; the password comes from a file, and chop is told to ask nothing. */
static int chop(const char *who, const char *fmt, ...) CHOP_PRINTF(2, 3);
static int chop(const char *who, const char *fmt, ...) {
    char line[1500];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    const char *command = stack_text("cd %s && CHOP_HOME=%s/home CHOP_SERVER=%s %s --profile %s --password-file pw-%s --yes --json %s "
                                     ">cli.out 2>cli.err </dev/null", stack_dir(), stack_dir(), stack_url(), program, who, who, line);
    const char *argv[] = { "bash", "-c", command, NULL };
    return fixture_run(&(struct fixture_command){ .argv = argv });
}

static const char *json(const char *filter) {
    return stack_output("jq -r '%s' %s/cli.out", filter, stack_dir());
}

#define OK(...)                                                                               \
    do {                                                                                      \
        if (chop(__VA_ARGS__) != 0) fail_msg("%s", stack_file("cli.err"));                    \
    } while (0)
#define FAILS(code, status, ...)                                                              \
    do {                                                                                      \
        int got_ = chop(__VA_ARGS__);                                                         \
        if (got_ != (status) || !strstr(stack_file("cli.err"), code))                         \
            fail_msg("exit %d: %s", got_, stack_file("cli.err"));                             \
    } while (0)

static void keep(char *into, size_t room, const char *filter) {
    (void)snprintf(into, room, "%s", json(filter));
    assert_true(into[0] && strcmp(into, "null") != 0);
}

static void write_text(const char *name, const char *text) {
    FILE *f = fopen(stack_text("%s/%s", stack_dir(), name), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
    chmod(stack_text("%s/%s", stack_dir(), name), 0600);
}

/* ---- tests, each on the shoulders of the ones before ---- */

static void equip(const char *who) {
    OK(who, "login --organization cli --account %s", who);
    OK(who, "key new");
    OK(who, "key add --name laptop");
    OK(who, "terminal register --name %s", who);
    OK(who, "login --with-key");
    assert_int_not_equal(json(".terminal_id")[0], 0);
}

static void test_people(void **state) {
    (void)state;
    write_text("pw-admin", "correct horse battery admin\n");
    write_text("wrong-token", "not the operator's token\n");
    FAILS("EAUTH", 1, "admin", "org create --operator-token-file wrong-token --name 甲公司 --slug cli --admin-account admin "
        "--admin-name 赵 --admin-post 办公室 --admin-password-file pw-admin");
    OK("admin", "org create --operator-token-file secrets/operator --name 甲公司 --slug cli --admin-account admin --admin-name 赵 "
        "--admin-post 办公室 --admin-password-file pw-admin");
    write_text("pw-wrong", "a wrong password\n");
    FAILS("EAUTH", 1, "wrong", "login --organization cli --account admin");
    equip("admin");
    static const char *const people[][2] = { { "wang", "user" }, { "li", "manager" }, { "qian", "auditor" } };
    for (size_t i = 0; i < CHOP_COUNT(people); i++) {
        write_text(stack_text("pw-%s", people[i][0]), stack_text("correct horse battery %s\n", people[i][0]));
        OK("admin", "member add --account %s --name %s --post 职员 --role %s --new-password-file pw-%s", people[i][0], people[i][0],
            people[i][1], people[i][0]);
        equip(people[i][0]);
    }
    OK("wang", "whoami");
    assert_string_equal(json(".member.account"), "wang");
    OK("wang", "member list");
    assert_string_equal(json(".members | length"), "4");
    FAILS("EDENIED", 1, "wang", "member add --account x --name x --post x --role admin --new-password-file pw-wang");
}

static void test_seal(void **state) {
    (void)state;
    OK("admin", "seal create --name 合同专用章 --kind contract --code 1101050000001 --max-copies 5");
    keep(seal, sizeof seal, ".seal.seal_id");
    OK("admin", "seal change %s register --filing-number 1101050000001", seal);
    OK("admin", "seal change %s activate", seal);
    OK("admin", "seal policy %s --max-copies 7", seal);
    assert_string_equal(json(".seal.policy.max_copies"), "7");
    OK("admin", "seal policy %s --window-hours 24", seal);
    assert_string_equal(json(".seal.policy.max_copies"), "7"); /* what is not named stays */
    OK("wang", "show %s", seal);
    assert_string_equal(json(".state"), "active");
}

static void test_request_and_approve(void **state) {
    (void)state;
    write_text("contract.txt", "甲方将货物卖给乙方。\n");
    OK("wang", "request --seal %s --document contract.txt --counterparty 乙公司 --amount 120000 --pages 1 --copies 2 --purpose 签约 --upload", seal);
    keep(request, sizeof request, ".request.request_id");
    assert_string_equal(json(".request.document.sha256"), stack_output("sha256sum <%s/contract.txt | cut -d' ' -f1", stack_dir()));
    assert_int_equal(strncmp(json(".request.document.file_id"), "file_", 5), 0);
    OK("li", "inbox");
    assert_string_equal(json(".requests[0].request_id"), request);
    FAILS("EDENIED", 1, "wang", "approve %s", request);
    OK("li", "approve %s --not-after +8h --reason 同意", request);
    keep(grant, sizeof grant, ".request.grant_id");
    OK("wang", "grants");
    assert_string_equal(json(".grants[0].remaining"), "2");
}

static void test_reject_withdraw(void **state) {
    (void)state;
    char other[64];
    OK("wang", "request --seal %s --document contract.txt --title 另一份 --pages 1 --purpose 试", seal);
    keep(other, sizeof other, ".request.request_id");
    FAILS("EINVAL", 1, "li", "reject %s", other); /* a reason is due */
    OK("li", "reject %s --reason 金额有误", other);
    assert_string_equal(json(".request.state"), "rejected");
    OK("wang", "request --seal %s --document contract.txt --pages 1 --purpose 试", seal);
    keep(other, sizeof other, ".request.request_id");
    OK("wang", "withdraw %s", other);
    assert_string_equal(json(".request.state"), "withdrawn");
}

static pid_t spawn_printer(void) {
    const char *argv[] = { stack_text("%s/chop-printer", bin), "--dir", stack_text("%s/printer", stack_dir()), "--output", "null", "--out",
        stack_text("%s/paper", stack_dir()), "--resend-ms", "500", NULL };
    return fixture_spawn(&(struct fixture_command){ .argv = argv, .log = stack_text("%s/log/printer.log", stack_dir()),
        .end_signal = SIGTERM });
}

static void test_printer(void **state) {
    (void)state;
    OK("admin", "printer code --name 前台");
    keep(printer, sizeof printer, ".printer_code.printer_id");
    const char *dir = stack_text("%s/printer", stack_dir());
    assert_int_equal(mkdir(dir, 0700), 0);
    const char *enrol[] = { stack_text("%s/chop-printer", bin), "--dir", dir, "--enrol", stack_url(), "--printer-id", printer, NULL };
    const char *env[] = { stack_text("CHOP_PRINTER_CODE=%s", json(".printer_code.code")), NULL };
    assert_int_equal(fixture_run(&(struct fixture_command){ .argv = enrol, .env = env, .log = "/dev/null" }), 0);
    /* It is not running: that is said before any factor is asked for. */
    FAILS("EUNREACHABLE", 3, "wang", "print %s --printer %s --key /nonexistent", grant, printer);
    printer_pid = spawn_printer();
    for (int i = 0; i < 200; i++) {
        OK("wang", "printers");
        if (strcmp(json(".printers[0].online"), "true") == 0) break;
        fixture_sleep_ms(50);
    }
    const char *code[] = { stack_text("%s/chop-printer", bin), "--dir", dir, "--pair", NULL };
    assert_int_equal(fixture_run(&(struct fixture_command){ .argv = code, .log = "/dev/null" }), 0);
    write_text("code-wrong", "00000000\n");
    FAILS("E", 1, "wang", "pair %s --code-file code-wrong", printer);
    OK("wang", "pair %s --code-file printer/pairing-code", printer);
    OK("wang", "pairings %s", printer);
    assert_string_equal(json(".pairings[0].printer_id"), printer);
}

static void test_print_and_verify(void **state) {
    (void)state;
    OK("wang", "print %s --printer %s", grant, printer);
    assert_string_equal(json(".state"), "done");
    assert_string_equal(json(".numbers[0].state"), "printed");
    keep(token, sizeof token, ".marks[0].token");
    keep(cipher, sizeof cipher, ".marks[0].cipher");
    OK("wang", "job %s", json(".job_id"));
    int status = 1;
    for (int i = 0; i < 100 && status; i++) {
        status = chop("stranger", "verify %s --cipher %s --document contract.txt", token, cipher);
        if (status) fixture_sleep_ms(100);
    }
    assert_int_equal(status, 0);
    assert_string_equal(json(".verdict"), "genuine");
    assert_string_equal(json(".level"), "full");
    write_text("other.txt", "another paper\n");
    assert_int_equal(chop("stranger", "verify %s --document other.txt", token), 4);
    assert_int_equal(chop("stranger", "verify 0000000000000000"), 4);
    FAILS("EOVERRUN", 1, "wang", "print %s --printer %s --count 2", grant, printer);
    FAILS("EDENIED", 1, "li", "print %s --printer %s", grant, printer);
}

static void test_filed_and_revoked(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        OK("qian", "filings --grant %s --state receipted", grant);
        if (atoi(json(".filings | length")) == 9) break;
        fixture_sleep_ms(100);
    }
    assert_string_equal(json(".filings | length"), "9");
    OK("qian", "facts --seal %s --limit 50", seal);
    assert_non_null(strstr(stack_file("cli.err"), "all signatures and links verify"));
    OK("qian", "registries");
    assert_string_equal(json(".registries | length"), "3");
    OK("wang", "keys --save offline");
    assert_int_equal(access(stack_text("%s/offline/root.spki", stack_dir()), F_OK), 0);
    OK("li", "cancel %s --reason 不再需要", grant);
    OK("li", "revoke %s 1 --reason 合同作废", grant);
    int status = 0;
    for (int i = 0; i < 100 && status == 0; i++) {
        status = chop("stranger", "verify %s", token);
        if (status == 0) fixture_sleep_ms(100);
    }
    assert_int_equal(status, 4);
    assert_string_equal(json(".verdict"), "revoked");
}

static void test_exit_codes(void **state) {
    (void)state;
    assert_int_equal(chop("wang", "no-such-command"), 2);
    assert_int_equal(chop("wang", "show"), 2);
    assert_int_equal(chop("wang", "grants --no-such-option"), 2);
    FAILS("EUNREACHABLE", 3, "wang", "whoami --server http://127.0.0.1:1");
    FAILS("EDENIED", 1, "wang", "whoami --server http://example.invalid"); /* no password over plain HTTP */
    OK("wang", "logout");
    FAILS("EAUTH", 1, "wang", "whoami");
}

/* Sessions and keys are for their owner's eyes; no secret went into a log of the stack. */
static void test_secrets(void **state) {
    (void)state;
    assert_string_equal(stack_output("find %s/home \\( -type f -perm /077 -o -type d -perm /077 \\) | head -n 3", stack_dir()), "");
    assert_string_equal(stack_output("grep -rl 'correct horse' %s/log %s/home || true", stack_dir(), stack_dir()), "");
    OK("qian", "whoami");
    assert_int_equal(chmod(stack_text("%s/home/qian/profile", stack_dir()), 0644), 0);
    FAILS("EINVAL", 1, "qian", "whoami");
}

static int stop_printer(void **state) {
    (void)state;
    if (printer_pid > 0) {
        kill(printer_pid, SIGTERM);
        (void)fixture_wait(printer_pid);
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    program = argv[1];
    bin = argv[2];
    stack_start("cli", bin, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_people),         cmocka_unit_test(test_seal),
        cmocka_unit_test(test_request_and_approve), cmocka_unit_test(test_reject_withdraw),
        cmocka_unit_test(test_printer),        cmocka_unit_test(test_print_and_verify),
        cmocka_unit_test(test_filed_and_revoked), cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_secrets),
    };
    return cmocka_run_group_tests_name("chop", tests, NULL, stop_printer);
}
