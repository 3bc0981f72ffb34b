/* chop-printer: the reference printer on Linux. */
#include "commands.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "chop-printer: the reference seal printer\n"
    "  --dir DIR                                  runs the printer whose keys and journal are in DIR\n"
    "  --dir DIR --enrol URL --printer-id ID [--code CODE] [--ca FILE]\n"
    "                                             makes keys and enrols; the one-time code may also be in\n"
    "                                             CHOP_PRINTER_CODE\n"
    "  --dir DIR --pair                           shows the pairing code (also in DIR/pairing-code)\n"
    "  --dir DIR --pairings                       lists paired terminals: id, member, time\n"
    "  --dir DIR --unpair TERMINAL                forgets a terminal\n"
    "Output (options of running; the variable stands for the option):\n"
    "  --output page|null    CHOP_PRINTER_OUTPUT  page draws on paper files, null does everything but drawing\n"
    "  --out DIR             CHOP_PRINTER_OUT     where <token>.png, <token>.pdf and prints.log go\n"
    "  --paper FILE.pdf      CHOP_PRINTER_PAPER   what lies in the tray; a blank A4 sheet if unset\n"
    "  --dpi N               CHOP_PRINTER_DPI     300 to 1200, 600 if unset\n"
    "  --paper-width-um N    CHOP_PRINTER_PAPER_WIDTH_UM   210000 if unset\n"
    "  --draw PATH           CHOP_PRINTER_DRAW    chop-draw, if it is not beside this program\n"
    "  --resend-ms N         CHOP_PRINTER_RESEND_MS   reports without acknowledgement go out again; 5000\n"
    "Tests: CHOP_PRINTER_FAULT=prepare:K|ink:K fails the K-th impression, CHOP_PRINTER_DELAY_MS slows each.\n"
    "  --help --version\n";

enum choice {
    OPT_DIR = 1,
    OPT_ENROL,
    OPT_PRINTER_ID,
    OPT_CODE,
    OPT_CA,
    OPT_PAIR,
    OPT_PAIRINGS,
    OPT_UNPAIR,
    OPT_OUTPUT,
    OPT_OUT,
    OPT_PAPER,
    OPT_DPI,
    OPT_WIDTH,
    OPT_DRAW,
    OPT_RESEND,
    OPT_HELP,
    OPT_VERSION,
    OPT_COUNT
};
static const struct option options[] = {
    { "dir", required_argument, NULL, OPT_DIR },
    { "enrol", required_argument, NULL, OPT_ENROL },
    { "printer-id", required_argument, NULL, OPT_PRINTER_ID },
    { "code", required_argument, NULL, OPT_CODE },
    { "ca", required_argument, NULL, OPT_CA },
    { "pair", no_argument, NULL, OPT_PAIR },
    { "pairings", no_argument, NULL, OPT_PAIRINGS },
    { "unpair", required_argument, NULL, OPT_UNPAIR },
    { "output", required_argument, NULL, OPT_OUTPUT },
    { "out", required_argument, NULL, OPT_OUT },
    { "paper", required_argument, NULL, OPT_PAPER },
    { "dpi", required_argument, NULL, OPT_DPI },
    { "paper-width-um", required_argument, NULL, OPT_WIDTH },
    { "draw", required_argument, NULL, OPT_DRAW },
    { "resend-ms", required_argument, NULL, OPT_RESEND },
    { "help", no_argument, NULL, OPT_HELP },
    { "version", no_argument, NULL, OPT_VERSION },
    { NULL, 0, NULL, 0 },
};

/* An option, else its variable, else the fallback. */
static const char *text_of(const char *const *v, enum choice o, const char *name, const char *fallback) {
    const char *env = name ? getenv(name) : NULL;
    return v[o] ? v[o] : env && env[0] ? env : fallback;
}

static chop_err int_of(
    const char *const *v, enum choice o, const char *name, const char *fallback, long min, long max, long *ret) {
    char *end;
    const char *text = text_of(v, o, name, fallback);
    *ret = strtol(text, &end, 10);
    if (*end || !*text || *ret < min || *ret > max) return CHOP_FAIL(EINVAL, name, "wants %ld to %ld", min, max);
    return NULL;
}

static chop_err run(const char *const *v) {
    long dpi, width, delay, resend;
    TRY(int_of(v, OPT_DPI, "CHOP_PRINTER_DPI", "600", 300, 1200, &dpi));
    TRY(int_of(v, OPT_WIDTH, "CHOP_PRINTER_PAPER_WIDTH_UM", "210000", 50000, 1000000, &width));
    TRY(int_of(v, OPT_RESEND, "CHOP_PRINTER_RESEND_MS", "5000", 10, 600000, &resend));
    TRY(int_of(v, 0, "CHOP_PRINTER_DELAY_MS", "0", 0, 60000, &delay));
    return command_run(&(struct run_options){
        .dir = v[OPT_DIR],
        .output = {
            .kind = text_of(v, OPT_OUTPUT, "CHOP_PRINTER_OUTPUT", "page"),
            .out = text_of(v, OPT_OUT, "CHOP_PRINTER_OUT", NULL),
            .paper = text_of(v, OPT_PAPER, "CHOP_PRINTER_PAPER", NULL),
            .draw = text_of(v, OPT_DRAW, "CHOP_PRINTER_DRAW", NULL),
            .fault = getenv("CHOP_PRINTER_FAULT"),
            .dpi = (uint32_t)dpi,
            .paper_width_um = (uint32_t)width,
            .delay_ms = (int)delay,
        },
        .resend_ms = resend,
    });
}

static chop_err enrol(const char *const *v) {
    struct enrol_options o = {
        .url = v[OPT_ENROL],
        .printer_id = text_of(v, OPT_PRINTER_ID, NULL, ""),
        .code = text_of(v, OPT_CODE, "CHOP_PRINTER_CODE", ""),
        .dir = v[OPT_DIR],
        .ca_file = v[OPT_CA],
    };
    return command_enrol(&o);
}

static chop_err dispatch(const char *const *v) {
    if (!v[OPT_DIR]) return CHOP_FAIL(EINVAL, "--dir", "is needed");
    if (v[OPT_ENROL]) return enrol(v);
    if (v[OPT_PAIR]) return command_pair(v[OPT_DIR]);
    if (v[OPT_PAIRINGS]) return command_pairings(v[OPT_DIR]);
    if (v[OPT_UNPAIR]) return command_unpair(v[OPT_DIR], v[OPT_UNPAIR]);
    return run(v);
}

int main(int argc, char **argv) {
    const char *v[OPT_COUNT] = { NULL };
    int o;
    while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (o <= 0 || o >= OPT_COUNT) return 2;
        v[o] = optarg ? optarg : "";
    }
    if (v[OPT_HELP]) return fputs(usage, stdout) < 0;
    if (v[OPT_VERSION]) return puts("chop-printer 0.1.0") < 0;
    if (optind < argc) return (void)fputs(usage, stderr), 2;
    chop_err e = dispatch(v);
    if (!e) return 0;
    (void)fprintf(stderr, "chop-printer: %s %s: %s\n", e->name, chop_detail_field(),
        chop_detail_text()[0] ? chop_detail_text() : e->text);
    return e == CHOP_ERR(EINVAL) ? 2 : 1;
}
