/* The driver in use, its log of inks, and the faults that tests ask for. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct output {
    struct output_options o;
    const struct output_driver *driver;
    int fail_prepare, fail_ink; /* the how many-th impression of this process; 0 none */
    int prepared, inked;
};

static chop_err null_nothing(const struct output_options *o, const struct printer_page *page) {
    (void)o;
    (void)page;
    return NULL;
}
const struct output_driver output_null = { null_nothing, null_nothing };

/* One line an ink: the paper trail of tests; never consulted. */
static chop_err log_ink(const struct output *o, const struct printer_page *page) {
    char path[512], line[256];
    if (!o->o.out) return NULL;
    (void)snprintf(path, sizeof path, "%s/prints.log", o->o.out);
    int n = snprintf(line, sizeof line, "%s %s %u\n", page->token, page->allotment_id, page->number);
    CHOP_CLEANUP(chop_close_p) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, line, (size_t)n) != n) return CHOP_FAIL(ESTORE, "out", "%s: %s", path, strerror(errno));
    return NULL;
}

static chop_err output_prepare(void *ctx, const struct printer_page *page) {
    struct output *o = ctx;
    if (++o->prepared == o->fail_prepare) return CHOP_FAIL(EUNREACHABLE, "output", "no paper (as the test asked)");
    return o->driver->prepare(&o->o, page);
}

static void take_time(int ms) {
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    while (ms > 0 && nanosleep(&t, &t) != 0 && errno == EINTR) {
    }
}

static chop_err output_ink(void *ctx, const struct printer_page *page) {
    struct output *o = ctx;
    TRY(log_ink(o, page));
    take_time(o->o.delay_ms);
    if (++o->inked == o->fail_ink) return CHOP_FAIL(EPEER, "output", "the paper jammed (as the test asked)");
    return o->driver->ink(&o->o, page);
}

static chop_err read_fault(struct output *o) {
    const char *f = o->o.fault;
    if (!f || !f[0]) return NULL;
    if (sscanf(f, "prepare:%d", &o->fail_prepare) == 1 || sscanf(f, "ink:%d", &o->fail_ink) == 1) return NULL;
    return CHOP_FAIL(EINVAL, "CHOP_PRINTER_FAULT", "wants prepare:K or ink:K");
}

static chop_err find_driver(struct output *o) {
    o->driver = strcmp(o->o.kind, "page") == 0 ? &output_page : strcmp(o->o.kind, "null") == 0 ? &output_null : NULL;
    if (!o->driver) return CHOP_FAIL(EINVAL, "CHOP_PRINTER_OUTPUT", "wants page or null");
    if (o->driver == &output_page && !o->o.out) return CHOP_FAIL(EINVAL, "CHOP_PRINTER_OUT", "page wants a directory");
    if (o->o.out && mkdir(o->o.out, 0700) != 0 && errno != EEXIST)
        return CHOP_FAIL(EINVAL, "CHOP_PRINTER_OUT", "%s: %s", o->o.out, strerror(errno));
    return NULL;
}

chop_err output_new(const struct output_options *options, struct output **ret_output) {
    CHOP_CLEANUP(output_free_p) struct output *o = calloc(1, sizeof *o);
    if (!o) return CHOP_ERR(EMEMORY);
    o->o = *options;
    TRY(find_driver(o));
    TRY(read_fault(o));
    *ret_output = CHOP_STEAL(o);
    return NULL;
}

void output_free(struct output *o) {
    free(o);
}

void output_free_p(struct output **o) {
    output_free(*o);
}

struct printer_output output_of(struct output *o) {
    return (struct printer_output){ .ctx = o, .prepare = output_prepare, .ink = output_ink };
}
