#include <math.h>

#include "simplify.h"

struct span {
    size_t from, to;
};

static double away(const struct pixel_point *p, const struct pixel_point *a, const struct pixel_point *b) {
    double dx = b->x - a->x, dy = b->y - a->y, length = hypot(dx, dy);
    double px = p->x - a->x, py = p->y - a->y;
    if (length == 0) return hypot(px, py);
    return fabs(px * dy - py * dx) / length;
}

static size_t farthest(const struct pixel_point *p, size_t n, struct span s, double *ret_distance) {
    size_t best = s.from;
    *ret_distance = -1;
    for (size_t i = s.from + 1; i < s.to; i++) {
        double d = away(&p[i], &p[s.from], &p[s.to % n]);
        if (d > *ret_distance) *ret_distance = d, best = i;
    }
    return best;
}

static void split(const struct pixel_point *p, size_t n, GArray *spans, double tolerance, gboolean *keep) {
    while (spans->len > 0) {
        struct span s = g_array_index(spans, struct span, spans->len - 1);
        g_array_set_size(spans, spans->len - 1);
        double distance;
        size_t middle = farthest(p, n, s, &distance);
        if (distance <= tolerance) continue;
        keep[middle] = TRUE;
        const struct span halves[2] = { { s.from, middle }, { middle, s.to } };
        g_array_append_vals(spans, halves, 2);
    }
}

size_t simplify_closed(struct pixel_point *p, size_t n, double tolerance) {
    if (n <= 4) return n;
    gboolean *keep = g_new0(gboolean, n);
    GArray *spans = g_array_new(FALSE, FALSE, sizeof(struct span));
    double distance;
    size_t opposite = farthest(p, n, (struct span){ 0, n }, &distance);
    keep[0] = keep[opposite] = TRUE;
    const struct span halves[2] = { { 0, opposite }, { opposite, n } };
    g_array_append_vals(spans, halves, 2);
    split(p, n, spans, tolerance, keep);
    size_t left = 0;
    for (size_t i = 0; i < n; i++)
        if (keep[i]) p[left++] = p[i];
    g_array_unref(spans);
    g_free(keep);
    return left;
}
