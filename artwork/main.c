/* chop-draw: everything that is drawn: seals, traced pictures, previews, the demo's contract, printed paper.
 * Exit status: 0 done, 2 the input is at fault, 1 anything else. The last line of standard error is then JSON
 * {"error","field","text"}. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "io.h"

static const struct command {
    const char *name;
    chop_err (*run)(const struct args *a);
    const char *usage;
} commands[] = {
    { "seal", command_seal, "< seal.json > outline" },
    { "trace", command_trace, "--width-um W --height-um H [--threshold 128] < picture.png > outline" },
    { "signature", command_signature, "--text NAME [--height-um 12000] > outline" },
    { "png", command_png, "[--dpi 300] [--color C8102E] [--transparent] < outline > picture.png" },
    { "glyphs", command_glyphs, "> glyphs.h" },
    { "contract", command_contract, "--out FILE.pdf [--pages 3] > facts.json" },
    { "pdfinfo", command_pdfinfo, "FILE > pages.json" },
    { "page", command_page,
        "[--paper FILE.pdf] [--page 1] [--dpi 600] --raster RASTER.json [--png OUT.png] [--pdf OUT.pdf]" },
};

static int usage(void) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stderr, "chop-draw %s %s\n", commands[i].name, commands[i].usage);
    return 1;
}

static int report(chop_err e) {
    json_t *o = json_pack("{s:s, s:s, s:s}", "error", e->name, "field", chop_detail_field() ? chop_detail_field() : "",
        "text", *chop_detail_text() ? chop_detail_text() : e->text);
    if (o) json_dumpf(o, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(o);
    return e == CHOP_ERR(EINVAL) || e == CHOP_ERR(ELIMIT) ? 2 : 1;
}

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0) continue;
        io_fence();
        chop_err e = commands[i].run(&(struct args){ argc - 2, argv + 2 });
        return e ? report(e) : 0;
    }
    return usage();
}
