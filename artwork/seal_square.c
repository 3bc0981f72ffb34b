/* Square seals: letters in columns from right to left, filling the frame as an engraver would. */
#include <stdio.h>
#include <string.h>

#include "seal.h"

/* A name becomes four letters where it can: 张三 -> 张三之印, 王小明 -> 王小明印, 欧阳小明 -> 欧阳小明印 in two
 * columns. */
static struct letters with_ending(const struct seal *seal) {
    struct letters l = seal->ring;
    if (seal->kind != SEAL_LEGAL_REP || strcmp(l.at[l.n - 1], "印") == 0 || strcmp(l.at[l.n - 1], "章") == 0) return l;
    if (l.n == 2) memcpy(l.at[l.n++], "之", sizeof "之");
    memcpy(l.at[l.n++], "印", sizeof "印");
    return l;
}

struct grid {
    double left, top, width, height; /* inside of the frame */
    int columns;
};

/* Column `k` from the right holds letters [k * n / columns, (k + 1) * n / columns). */
static chop_err draw_column(
    const struct seal *seal, const struct letters *l, const struct grid *g, int k, struct shape *s) {
    int from = k * l->n / g->columns, to = (k + 1) * l->n / g->columns;
    double width = g->width / g->columns, height = g->height / (to - from);
    struct cell c = { .x = g->left + g->width - width * (k + 0.5),
        .y = g->top + height / 2,
        .width = width * 0.93,
        .height = height * 0.94 };
    for (int i = from; i < to; i++, c.y += height)
        TRY(cell_letter(seal->song, l->at[i], &c, s));
    return NULL;
}

chop_err seal_draw_square(const struct seal *seal, struct shape *s) {
    struct letters l = with_ending(seal);
    double edge = seal->edge, margin = edge + (seal->width < seal->height ? seal->width : seal->height) * 0.035;
    shape_rect(s, 0, 0, seal->width, seal->height, false);
    shape_rect(s, edge, edge, seal->width - 2 * edge, seal->height - 2 * edge, true);
    const struct grid g = { margin, margin, seal->width - 2 * margin, seal->height - 2 * margin,
        l.n <= 3   ? l.n > 2 ? 2 : 1
        : l.n <= 6 ? 2
                   : 3 };
    for (int k = 0; k < g.columns; k++)
        TRY(draw_column(seal, &l, &g, k, s));
    return NULL;
}
