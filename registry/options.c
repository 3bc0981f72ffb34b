#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: chop-registry --name NAME --title TITLE --listen ADDRESS:PORT --dir DIR --keys DIR\n"
    "                     --sign-key PEM --secret-file FILE [--operator-token-file FILE] [--signed-reads]\n"
    "                     [--test-switches]\n"
    "\n"
    "The reference registry: takes filings of seal facts, keeps them, answers with signed receipts.\n"
    "\n"
    "  --name NAME         its name in the key manifest, [a-z0-9-]{1,32}: police, third-party, internal\n"
    "  --title TITLE       its name for people\n"
    "  --listen ADDR:PORT  numeric address; put TLS in front for anything but this machine\n"
    "  --dir DIR           where filings are kept (registry.db); made if missing\n"
    "  --keys DIR          root.spki and manifest.signed; a newer manifest is taken up while running\n"
    "  --sign-key PEM      the key that signs receipts (manifest purpose registry, entry name NAME)\n"
    "  --secret-file FILE  the webhook secret, whsec_..., shared with the relay; mode 0600\n"
    "  --operator-token-file FILE\n"
    "                      the bearer token of PUT /v1/orders, at least 24 letters; mode 0600\n"
    "  --signed-reads      the status call and the list need a webhook signature too\n"
    "  --test-switches     accept PUT /v1/switch, and PUT /v1/orders without a token (tests and\n"
    "                      demonstrations only)\n"
    "  --help, --version\n"
    "\n"
    "Example: chop-registry --name police --title 公安印章系统 --listen 127.0.0.1:7101 --dir data/police \\\n"
    "             --keys keys --sign-key keys/police.pem --secret-file keys/police.secret\n";

enum { OPT_NAME = 1000, OPT_TITLE, OPT_LISTEN, OPT_DIR, OPT_KEYS, OPT_KEY, OPT_SECRET, OPT_TOKEN, OPT_READS, OPT_TEST, OPT_HELP, OPT_VERSION };

static const struct option table[] = {
    { "name", required_argument, NULL, OPT_NAME },
    { "title", required_argument, NULL, OPT_TITLE },
    { "listen", required_argument, NULL, OPT_LISTEN },
    { "dir", required_argument, NULL, OPT_DIR },
    { "keys", required_argument, NULL, OPT_KEYS },
    { "sign-key", required_argument, NULL, OPT_KEY },
    { "secret-file", required_argument, NULL, OPT_SECRET },
    { "operator-token-file", required_argument, NULL, OPT_TOKEN },
    { "signed-reads", no_argument, NULL, OPT_READS },
    { "test-switches", no_argument, NULL, OPT_TEST },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

static int complain(const char *text) {
    fprintf(stderr, "chop-registry: %s\n%s", text, usage);
    return 3;
}

/* "127.0.0.1:7101" or "[::1]:7101". */
static bool read_listen(const char *text, struct options *o) {
    const char *colon = strrchr(text, ':');
    if (!colon) return false;
    size_t n = (size_t)(colon - text);
    if (n >= 2 && text[0] == '[' && text[n - 1] == ']') text++, n -= 2;
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (n == 0 || n >= sizeof o->host || end == colon + 1 || *end || port > 65535) return false;
    memcpy(o->host, text, n);
    o->host[n] = 0;
    o->port = (uint16_t)port;
    return true;
}

static bool name_valid(const char *s) {
    size_t n = strlen(s);
    return n >= 1 && n <= 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int apply(int opt, const char *arg, struct options *o) {
    switch (opt) {
    case OPT_NAME: o->name = arg; return 0;
    case OPT_TITLE: o->title = arg; return 0;
    case OPT_LISTEN: return read_listen(arg, o) ? 0 : complain("--listen wants ADDRESS:PORT");
    case OPT_DIR: o->dir = arg; return 0;
    case OPT_KEYS: o->keys = arg; return 0;
    case OPT_KEY: o->sign_key = arg; return 0;
    case OPT_SECRET: o->secret_file = arg; return 0;
    case OPT_TOKEN: o->operator_token_file = arg; return 0;
    case OPT_READS: o->signed_reads = true; return 0;
    case OPT_TEST: o->test_switches = true; return 0;
    case OPT_HELP: fputs(usage, stdout); return 1;
    case OPT_VERSION: puts("chop-registry 0.1.0"); return 1;
    default: return complain("unknown option");
    }
}

int options_read(int argc, char **argv, struct options *ret_options) {
    struct options o = { .title = "" };
    int opt;
    while ((opt = getopt_long(argc, argv, "", table, NULL)) != -1) {
        int done = apply(opt, optarg, &o);
        if (done) return done;
    }
    if (optind < argc) return complain("arguments are options only");
    if (!o.name || !name_valid(o.name)) return complain("--name is missing or not [a-z0-9-]{1,32}");
    if (!o.host[0] || !o.dir || !o.keys || !o.sign_key || !o.secret_file)
        return complain("--listen, --dir, --keys, --sign-key and --secret-file are needed");
    *ret_options = o;
    return 0;
}
