/* The page driver: rasters the impression exactly as an inkjet head would get it, then lets chop-draw put the layers
 * onto the paper. Before ink: <out>/.work/<token>-{seal,marks,signature}.pbm and <token>.json. Ink:
 * <out>/<token>.{pdf,png}. */
#include "outline.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SWATH_ROWS 128 /* about a print head's height: memory does not grow with the seal */
#define DRAW_TIMEOUT_MS 60000
#define SEAL_COLOR "C8102E"
#define DARK_COLOR "101418" /* marks are never seal red: red light does not see red */
#define PATH_SIZE 600

extern char **environ;

/* ---- raster ---- */
static uint32_t pixels(uint32_t um, uint32_t dpi) {
    return (uint32_t)(((uint64_t)um * dpi + 25399) / 25400);
}

static bool write_swaths(FILE *f, struct chop_bytes art, struct outline_raster *r, uint32_t height) {
    size_t stride = (r->width_px + 7) / 8;
    for (uint32_t y = 0; y < height; y += SWATH_ROWS) {
        r->y0_px = (int32_t)y;
        r->rows_px = height - y < SWATH_ROWS ? height - y : SWATH_ROWS;
        outline_raster(art, 0, 0, r);
        if (fwrite(r->bits, stride, r->rows_px, f) != r->rows_px) return false;
    }
    return true;
}

static chop_err write_pbm(const char *path, struct chop_bytes art, const struct outline_size *size, uint32_t dpi) {
    uint32_t width = pixels(size->width_um, dpi), height = pixels(size->height_um, dpi);
    CHOP_FREE int16_t *winding = malloc((size_t)SWATH_ROWS * (width + 1) * sizeof *winding);
    CHOP_FREE uint8_t *bits = malloc((size_t)SWATH_ROWS * ((width + 7) / 8));
    struct outline_raster r = { .dpi = dpi, .width_px = width, .winding = winding, .bits = bits };
    if (!winding || !bits) return CHOP_ERR(EMEMORY);
    FILE *f = fopen(path, "we");
    if (!f) return CHOP_FAIL(ESTORE, "out", "%s: %s", path, strerror(errno));
    bool ok = fprintf(f, "P4\n%u %u\n", width, height) > 0 && write_swaths(f, art, &r, height);
    ok = fclose(f) == 0 && ok;
    return ok ? NULL : CHOP_FAIL(ESTORE, "out", "%s: cannot write", path);
}

/* ---- before ink ---- */
struct layer_out {
    FILE *json;
    const struct output_options *o;
    const char *token;
    bool first;
};

static chop_err add_layer(struct layer_out *l, const char *name, struct chop_bytes art, const struct outline_size *size,
    struct layout_box at, const char *color) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/.work/%s-%s.pbm", l->o->out, l->token, name);
    TRY(write_pbm(path, art, size, l->o->dpi));
    fprintf(l->json, "%s{\"file\":\"%s-%s.pbm\",\"dpi\":%u,\"x_um\":%d,\"y_um\":%d,\"color\":\"%s\"}",
        l->first ? "" : ",", l->token, name, l->o->dpi, at.x_um, at.y_um, color);
    l->first = false;
    return NULL;
}

struct sizes {
    struct outline_size seal, marks, signature;
};

static chop_err read_sizes(const struct printer_page *page, struct sizes *s) {
    *s = (struct sizes){ .signature = { 0, 0 } };
    TRY(outline_check(page->artwork, &s->seal));
    TRY(outline_check(page->marks, &s->marks));
    return page->signature.n ? outline_check(page->signature, &s->signature) : NULL;
}

static struct layout page_layout(
    const struct output_options *o, const struct printer_page *page, const struct sizes *s) {
    return layout_make(&(struct layout_in){
        .x_um = page->x_um,
        .y_um = page->y_um,
        .paper_w = o->paper_width_um,
        .seal_w = s->seal.width_um,
        .seal_h = s->seal.height_um,
        .marks_w = s->marks.width_um,
        .marks_h = s->marks.height_um,
        .signature_w = s->signature.width_um,
        .signature_h = s->signature.height_um,
    });
}

static chop_err add_layers(struct layer_out *l, const struct printer_page *page) {
    struct sizes s;
    TRY(read_sizes(page, &s));
    struct layout at = page_layout(l->o, page, &s);
    TRY(add_layer(l, "seal", page->artwork, &s.seal, at.seal, SEAL_COLOR));
    TRY(add_layer(l, "marks", page->marks, &s.marks, at.marks, DARK_COLOR));
    if (page->signature.n == 0) return NULL;
    return add_layer(l, "signature", page->signature, &s.signature, at.signature, DARK_COLOR);
}

static chop_err page_prepare(const struct output_options *o, const struct printer_page *page) {
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof path, "%s/.work", o->out);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) return CHOP_FAIL(ESTORE, "out", "%s: %s", path, strerror(errno));
    (void)snprintf(path, sizeof path, "%s/.work/%s.json", o->out, page->token);
    struct layer_out l = { .json = fopen(path, "we"), .o = o, .token = page->token, .first = true };
    if (!l.json) return CHOP_FAIL(ESTORE, "out", "%s: %s", path, strerror(errno));
    fputs("{\"layers\":[", l.json);
    chop_err e = add_layers(&l, page);
    fputs("]}\n", l.json);
    if (fclose(l.json) != 0 && !e) e = CHOP_FAIL(ESTORE, "out", "%s: cannot write", path);
    return e;
}

/* ---- ink ---- */
static chop_err draw_path(const struct output_options *o, char out[PATH_SIZE]) {
    if (o->draw) return snprintf(out, PATH_SIZE, "%s", o->draw) < PATH_SIZE ? NULL : CHOP_ERR(EINVAL);
    ssize_t n = readlink("/proc/self/exe", out, PATH_SIZE - 16);
    if (n <= 0) return CHOP_FAIL(EINTERNAL, NULL, "no /proc/self/exe");
    out[n] = 0;
    char *slash = strrchr(out, '/');
    (void)snprintf(slash ? slash + 1 : out, 16, "chop-draw");
    return NULL;
}

/* The child may hang on a broken document; the printer must not. */
static chop_err wait_child(pid_t pid) {
    struct timespec nap = { 0, 5000000 };
    int status = 0;
    for (int waited = 0; waited < DRAW_TIMEOUT_MS; waited += 5) {
        pid_t done = waitpid(pid, &status, WNOHANG);
        if (done == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0) return NULL;
        if (done == pid || (done < 0 && errno != EINTR)) return CHOP_FAIL(EPEER, "output", "chop-draw failed");
        (void)nanosleep(&nap, NULL);
    }
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, &status, 0);
    return CHOP_FAIL(ETIMEOUT, "output", "chop-draw did not end");
}

static chop_err run_draw(const struct output_options *o, const struct printer_page *page, const char *work) {
    char draw[PATH_SIZE], raster[PATH_SIZE], png[PATH_SIZE], pdf[PATH_SIZE], number[16], dpi[16];
    TRY(draw_path(o, draw));
    (void)snprintf(raster, sizeof raster, "%s.json", work);
    (void)snprintf(png, sizeof png, "%s.png", work);
    (void)snprintf(pdf, sizeof pdf, "%s.pdf", work);
    (void)snprintf(number, sizeof number, "%u", page->page);
    (void)snprintf(dpi, sizeof dpi, "%u", o->dpi);
    const char *argv[] = { draw, "page", "--page", number, "--dpi", dpi, "--raster", raster, "--png", png, "--pdf", pdf,
        o->paper ? "--paper" : NULL, o->paper, NULL };
    pid_t pid;
    int rc = posix_spawn(&pid, draw, NULL, NULL, (char *const *)(uintptr_t)argv, environ);
    if (rc != 0) return CHOP_FAIL(EPEER, "output", "%s: %s", draw, strerror(rc));
    return wait_child(pid);
}

static chop_err publish(const struct output_options *o, const char *token, const char *kind) {
    char from[PATH_SIZE], to[PATH_SIZE];
    (void)snprintf(from, sizeof from, "%s/.work/%s.%s", o->out, token, kind);
    (void)snprintf(to, sizeof to, "%s/%s.%s", o->out, token, kind);
    return rename(from, to) == 0 ? NULL : CHOP_FAIL(ESTORE, "out", "%s: %s", to, strerror(errno));
}

static void remove_work(const struct output_options *o, const char *token) {
    static const char *const names[] = { "-seal.pbm", "-marks.pbm", "-signature.pbm", ".json" };
    char path[PATH_SIZE];
    for (size_t i = 0; i < CHOP_COUNT(names); i++) {
        (void)snprintf(path, sizeof path, "%s/.work/%s%s", o->out, token, names[i]);
        (void)unlink(path);
    }
}

static chop_err page_ink(const struct output_options *o, const struct printer_page *page) {
    char work[PATH_SIZE - 16];
    (void)snprintf(work, sizeof work, "%s/.work/%s", o->out, page->token);
    TRY(run_draw(o, page, work));
    TRY(publish(o, page->token, "pdf"));
    TRY(publish(o, page->token, "png"));
    remove_work(o, page->token);
    return NULL;
}

const struct output_driver output_page = { page_prepare, page_ink };
