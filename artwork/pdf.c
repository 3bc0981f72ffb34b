#include <jansson.h>
#include <math.h>
#include <string.h>

#include "commands.h"
#include "io.h"
#include "pdf.h"

static void error_done(GError **e) {
    g_clear_error(e);
}

static void bytes_done(GBytes **b) {
    g_bytes_unref(*b);
}

static chop_err refuse(const GError *error, const char *path) {
    if (error && error->domain == POPPLER_ERROR && error->code == POPPLER_ERROR_ENCRYPTED)
        return CHOP_FAIL(EINVAL, path, "the document wants a password");
    return CHOP_FAIL(EINVAL, path, "not a PDF document, or a broken one");
}

chop_err pdf_open(const char *path, PopplerDocument **ret) {
    CHOP_BLOB file = { .p = NULL };
    TRY(path ? io_read_file(path, PDF_MAX_BYTES, &file) : io_read(PDF_MAX_BYTES, &file));
    if (file.n < 64 || !memmem(file.p, 64, "%PDF-", 5)) return refuse(NULL, path);
    __attribute__((cleanup(bytes_done))) GBytes *bytes = g_bytes_new(file.p, file.n);
    __attribute__((cleanup(error_done))) GError *error = NULL;
    CHOP_GOBJECT PopplerDocument *doc = poppler_document_new_from_bytes(bytes, NULL, &error);
    if (!doc) return refuse(error, path);
    int pages = poppler_document_get_n_pages(doc);
    if (pages > PDF_MAX_PAGES)
        return CHOP_FAIL(ELIMIT, path, "%d pages are above the limit of %d", pages, PDF_MAX_PAGES);
    if (pages < 1) return refuse(NULL, path);
    *ret = doc;
    doc = NULL;
    return NULL;
}

static chop_err add_page(PopplerDocument *doc, int i, const char *path, json_t *sizes) {
    CHOP_GOBJECT PopplerPage *page = poppler_document_get_page(doc, i);
    double width = 0, height = 0;
    if (page) poppler_page_get_size(page, &width, &height);
    if (!(width >= 1 && height >= 1 && width <= 14400 && height <= 14400)) /* ISO 32000-1, C.2: at most 14400 units */
        return CHOP_FAIL(EINVAL, path, "page %d is broken", i + 1);
    json_t *size =
        json_pack("[I, I]", (json_int_t)llround(width * 25400 / 72), (json_int_t)llround(height * 25400 / 72));
    return json_array_append_new(sizes, size) ? CHOP_ERR(EMEMORY) : NULL;
}

static void json_done(json_t **o) {
    json_decref(*o);
}

chop_err command_pdfinfo(const struct args *a) {
    TRY(args_check(a, "", "", 1));
    const char *path = a->n ? a->v[0] : NULL; /* none: standard input */
    CHOP_GOBJECT PopplerDocument *doc = NULL;
    TRY(pdf_open(path, &doc));
    int pages = poppler_document_get_n_pages(doc);
    __attribute__((cleanup(json_done))) json_t *sizes = json_array();
    for (int i = 0; i < pages; i++)
        TRY(add_page(doc, i, path, sizes));
    __attribute__((cleanup(json_done))) json_t *o = json_pack("{s:i, s:O}", "pages", pages, "page_sizes_um", sizes);
    if (!o || json_dumpf(o, stdout, JSON_COMPACT)) return CHOP_FAIL(EINTERNAL, NULL, "cannot be written");
    return io_write("\n", 1);
}
