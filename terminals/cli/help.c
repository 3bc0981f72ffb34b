#include "cli.h"

#include <stdio.h>
#include <string.h>

static const char *const global_options[] = { "--profile", "--server", "--password-file", "--key", "--json", "--yes", "--help" };

static void put_usage(const struct command *cmd) {
    int args = 0;
    printf("chop %s", cmd->name);
    while (args < 3 && cmd->args[args].label) args++;
    for (int i = 0; i < args; i++) printf(i >= args - cmd->optional_args ? " [%s]" : " %s", cmd->args[i].label);
    if (cmd->options) printf(" [options]");
    putchar('\n');
}

void help_all(void) {
    puts("chop: electronic seals from a shell: ask, approve, print, verify.\n");
    for (const struct command *cmd = commands; cmd->name; cmd++) printf("  %-18s %s\n", cmd->name, cmd->doc);
    puts("\nOptions of every command:\n"
         "  --profile NAME          one of several sign-ins (or $CHOP_PROFILE); kept under $CHOP_HOME or ~/.config/chop\n"
         "  --server URL            the gateway (or $CHOP_SERVER)\n"
         "  --password-file FILE    the password's first line; else it is asked for. Never an argument\n"
         "  --key FILE              the key factor's PEM file\n"
         "  --json                  the answer as JSON\n"
         "  --yes, -y               do not ask for confirmation\n"
         "  --help, -h              help, also of one command: chop request --help\n"
         "\nExit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 server or printer not reachable, 4 a mark that is not genuine.");
}

void help_command(const struct command *cmd) {
    put_usage(cmd);
    printf("\n%s\n", cmd->doc);
    if (cmd->options) puts("\nOptions:");
    for (const struct option_row *o = cmd->options; o && o->name; o++) {
        static const char *const values[] = { [OPT_TEXT] = " TEXT", [OPT_LIST] = " TEXT...", [OPT_FLAG] = "", [OPT_TIME] = " TIME",
            [OPT_BYTES] = " FILE", [OPT_DIGEST] = " FILE", [OPT_CLAUSES] = " FACTORS" };
        char left[48];
        (void)snprintf(left, sizeof left, "--%s%s", o->name, values[o->kind]);
        printf("  %-26s %s\n", left, o->doc);
    }
    if (cmd->examples) printf("\nExamples:\n%s\n", cmd->examples);
}

/* ---- completion ---- */

static void complete_options(const struct command *cmd) {
    for (const struct option_row *o = cmd->options; o && o->name; o++) printf("--%s\n", o->name);
    for (size_t i = 0; i < CHOP_COUNT(global_options); i++) puts(global_options[i]);
}

/* The next words of commands that begin with `first`; all first words where it is NULL. */
static bool complete_names(const char *first) {
    bool any = false;
    const char *last = "";
    size_t last_n = 0;
    for (const struct command *cmd = commands; cmd->name; cmd++) {
        size_t n = strcspn(cmd->name, " ");
        if (!first && !(n == last_n && strncmp(last, cmd->name, n) == 0)) printf("%.*s\n", (int)n, cmd->name);
        if (first && strlen(first) == n && strncmp(first, cmd->name, n) == 0 && cmd->name[n]) puts(cmd->name + n + 1), any = true;
        last = cmd->name;
        last_n = n;
    }
    return any;
}

void help_complete(int n, char **words) {
    char two[80];
    if (n == 0) {
        (void)complete_names(NULL);
        return;
    }
    (void)snprintf(two, sizeof two, "%s %s", words[0], n > 1 ? words[1] : "");
    const struct command *cmd = n > 1 ? command_find(two) : NULL;
    if (!cmd) cmd = command_find(words[0]);
    if (n == 1) (void)complete_names(words[0]);
    if (cmd) complete_options(cmd);
}
