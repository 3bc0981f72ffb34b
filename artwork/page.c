/* chop-draw page: the paper as it lies in the printer's tray afterwards: a page of a document, or a blank A4 sheet,
 * with the printed layers on it. Ink multiplies with what is below, so a seal does not hide the text it stands on. */
#include <cairo-pdf.h>
#include <math.h>
#include <string.h>

#include "commands.h"
#include "layer.h"
#include "lettering.h"
#include "pdf.h"
#include "picture.h"

#define A4_WIDTH (210 / 25.4 * 72)
#define A4_HEIGHT (297 / 25.4 * 72)
#define MAX_PIXELS ((int64_t)100 * 1000 * 1000)

struct paper {
    PopplerDocument *doc; /* NULL: blank */
    PopplerPage *page;
    double width, height; /* points */
};

static chop_err paper_open(const char *path, int number, struct paper *p) {
    *p = (struct paper){ .width = A4_WIDTH, .height = A4_HEIGHT };
    if (!path) return NULL;
    TRY(pdf_open(path, &p->doc));
    if (number <= poppler_document_get_n_pages(p->doc)) p->page = poppler_document_get_page(p->doc, number - 1);
    if (!p->page) return CHOP_FAIL(EINVAL, "--page", "the document has no page %d", number);
    poppler_page_get_size(p->page, &p->width, &p->height);
    return NULL;
}

static void paper_done(struct paper *p) {
    pdf_done(&p->page);
    pdf_done(&p->doc);
}

static void paint_paper(cairo_t *cr, const struct paper *p) {
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    if (p->page) poppler_page_render_for_printing(p->page, cr);
}

/* ---- as pixels ---- */
static void multiply(uint8_t *bgrx, const uint8_t rgb[3]) {
    for (int i = 0; i < 3; i++)
        bgrx[i] = (uint8_t)((bgrx[i] * rgb[2 - i] + 127) / 255);
}

/* Each pixel takes the layer's nearest; at the layer's own resolution that is one to one. */
static void ink_row(uint8_t *row, int64_t width, int64_t x0, const struct layer *l, uint32_t source_y, uint32_t dpi) {
    const uint8_t *bits = l->bits + (size_t)source_y * ((l->width + 7) / 8);
    int64_t end = x0 + ((int64_t)l->width * dpi + l->dpi - 1) / l->dpi;
    for (int64_t x = x0 < 0 ? 0 : x0; x < width && x < end; x++) {
        uint32_t sx = (uint32_t)((2 * (x - x0) + 1) * l->dpi / (2 * dpi));
        if (sx < l->width && bits[sx / 8] & 0x80 >> sx % 8) multiply(row + 4 * x, l->rgb);
    }
}

static void ink_layer(
    uint8_t *pixels, size_t stride, int64_t width, int64_t height, const struct layer *l, uint32_t dpi) {
    int64_t x0 = llround((double)l->x_um * dpi / 25400), y0 = llround((double)l->y_um * dpi / 25400);
    int64_t end = y0 + ((int64_t)l->height * dpi + l->dpi - 1) / l->dpi;
    for (int64_t y = y0 < 0 ? 0 : y0; y < height && y < end; y++) {
        uint32_t sy = (uint32_t)((2 * (y - y0) + 1) * l->dpi / (2 * dpi));
        if (sy < l->height) ink_row(pixels + (size_t)y * stride, width, x0, l, sy, dpi);
    }
}

static cairo_surface_t *paint_pixels(const struct paper *p, int width, int height, uint32_t dpi) {
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    cairo_t *cr = cairo_create(image);
    cairo_scale(cr, dpi / 72.0, dpi / 72.0);
    paint_paper(cr, p);
    cairo_destroy(cr);
    cairo_surface_flush(image);
    return image;
}

static chop_err write_png(const char *path, const struct paper *p, const struct layers *layers, uint32_t dpi) {
    int64_t width = llround(p->width * dpi / 72), height = llround(p->height * dpi / 72);
    if (width < 1 || height < 1 || width * height > MAX_PIXELS)
        return CHOP_FAIL(ELIMIT, "--dpi", "the picture would be too large");
    cairo_surface_t *image = paint_pixels(p, (int)width, (int)height, dpi);
    if (cairo_surface_status(image)) return CHOP_ERR(EMEMORY);
    uint8_t *pixels = cairo_image_surface_get_data(image);
    size_t stride = (size_t)cairo_image_surface_get_stride(image);
    for (size_t i = 0; i < layers->n; i++)
        ink_layer(pixels, stride, width, height, &layers->at[i], dpi);
    chop_err e = png_write_pixels(path, &(struct png_pixels){ pixels, (uint32_t)width, (uint32_t)height, dpi, stride });
    cairo_surface_destroy(image);
    return e;
}

/* ---- as a document ---- */
static uint8_t mirrored(uint8_t b) {
    b = (uint8_t)(b >> 4 | b << 4);
    b = (uint8_t)((b & 0xcc) >> 2 | (b & 0x33) << 2);
    return (uint8_t)((b & 0xaa) >> 1 | (b & 0x55) << 1);
}

/* Cairo's one-bit masks start at the least significant bit on this byte order. */
static cairo_surface_t *mask_of(const struct layer *l) {
    cairo_surface_t *mask = cairo_image_surface_create(CAIRO_FORMAT_A1, (int)l->width, (int)l->height);
    if (cairo_surface_status(mask)) return mask;
    size_t stride = (size_t)cairo_image_surface_get_stride(mask), row = (l->width + 7) / 8;
    uint8_t *out = cairo_image_surface_get_data(mask);
    for (size_t y = 0; y < l->height; y++)
        for (size_t i = 0; i < row; i++) {
            uint8_t b = l->bits[y * row + i];
            out[y * stride + i] = G_BYTE_ORDER == G_LITTLE_ENDIAN ? mirrored(b) : b;
        }
    cairo_surface_mark_dirty(mask);
    return mask;
}

static void ink_mask(cairo_t *cr, const struct layer *l) {
    cairo_surface_t *mask = mask_of(l);
    cairo_pattern_t *pattern = cairo_pattern_create_for_surface(mask);
    cairo_pattern_set_filter(pattern, CAIRO_FILTER_NEAREST);
    cairo_save(cr);
    cairo_set_operator(cr, CAIRO_OPERATOR_MULTIPLY);
    cairo_translate(cr, l->x_um * 72 / 25400.0, l->y_um * 72 / 25400.0);
    cairo_scale(cr, 72.0 / l->dpi, 72.0 / l->dpi);
    cairo_set_source_rgb(cr, l->rgb[0] / 255.0, l->rgb[1] / 255.0, l->rgb[2] / 255.0);
    cairo_mask(cr, pattern);
    cairo_restore(cr);
    cairo_pattern_destroy(pattern);
    cairo_surface_destroy(mask);
}

static chop_err write_pdf(const char *path, const struct paper *p, const struct layers *layers) {
    cairo_surface_t *pdf = cairo_pdf_surface_create(path, p->width, p->height);
    cairo_t *cr = cairo_create(pdf);
    lettering_as_shapes(true);
    if (p->page) poppler_page_render_for_printing(p->page, cr);
    lettering_as_shapes(false);
    for (size_t i = 0; i < layers->n; i++)
        ink_mask(cr, &layers->at[i]);
    cairo_status_t status = cairo_status(cr);
    cairo_destroy(cr);
    cairo_surface_finish(pdf);
    if (!status) status = cairo_surface_status(pdf);
    cairo_surface_destroy(pdf);
    return status ? CHOP_FAIL(EINTERNAL, "--pdf", "%s", cairo_status_to_string(status)) : NULL;
}

chop_err command_page(const struct args *a) {
    TRY(args_check(a, "--paper --page --dpi --raster --png --pdf", "", 0));
    const char *raster = args_text(a, "--raster", NULL), *png = args_text(a, "--png", NULL),
               *pdf = args_text(a, "--pdf", NULL);
    long number, dpi;
    TRY(args_int(a, "--page", 1, 1, PDF_MAX_PAGES, &number));
    TRY(args_int(a, "--dpi", 600, 30, 1200, &dpi));
    if (!raster) return CHOP_FAIL(EINVAL, "--raster", "wants a file name");
    __attribute__((cleanup(paper_done))) struct paper paper = { .doc = NULL };
    __attribute__((cleanup(layers_done))) struct layers layers = { .n = 0 };
    TRY(paper_open(args_text(a, "--paper", NULL), (int)number, &paper));
    TRY(layers_read(raster, &layers));
    if (png) TRY(write_png(png, &paper, &layers, (uint32_t)dpi));
    return pdf ? write_pdf(pdf, &paper, &layers) : NULL;
}
