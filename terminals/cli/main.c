/* chop: the same things as the web page, from a shell. */
#include "cli.h"

#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define ARENA_MAX ((size_t)128 << 20)

static int run(struct cli *c, int argc, char **argv) {
    chop_err e = args_read(c, argc, argv);
    if (e) {
        fprintf(stderr, "chop: %s\nTry: chop --help\n", chop_detail_text());
        return EXIT_USAGE;
    }
    if (c->help) {
        if (c->command)
            help_command(c->command);
        else
            help_all();
        return EXIT_OK;
    }
    return cli_run(c);
}

int main(int argc, char **argv) {
    (void)setlocale(LC_ALL, "");
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc >= 2 && strcmp(argv[1], "--complete") == 0) {
        help_complete(argc - 2, argv + 2);
        return EXIT_OK;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts("chop 0.1.0");
        return EXIT_OK;
    }
    struct cli c = { .mem = arena_new(ARENA_MAX) };
    if (!c.mem) return EXIT_REFUSED;
    int status = run(&c, argc, argv);
    httpc_free(c.http);
    trust_free(c.trust);
    crypto_key_free(c.device);
    arena_free(c.mem);
    return status;
}
