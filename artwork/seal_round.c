/* Round and elliptic seals: an edge, the name along the upper arc with its letters standing on the middle, a star or
 * a tax number, a line below, and the code along the lower arc, read from left to right. */
#include <math.h>

#include "seal.h"

#define STEPS 2048

/* A row's middle line: an ellipse around (cx, cy) with lengths measured along it, clockwise from its top. */
struct track {
    double cx, cy, rx, ry, half;
    double length[STEPS + 1]; /* from the top to angle i * pi / STEPS */
};

static void track_init(struct track *t, double cx, double cy, double rx, double ry) {
    *t = (struct track){ .cx = cx, .cy = cy, .rx = rx, .ry = ry };
    for (int i = 1; i <= STEPS; i++) {
        double a = M_PI * (i - 1) / STEPS, b = M_PI * i / STEPS;
        t->length[i] = t->length[i - 1] + hypot(rx * (sin(b) - sin(a)), ry * (cos(b) - cos(a)));
    }
    t->half = t->length[STEPS];
}

/* The angle at which `length` is reached; negative lengths run counter-clockwise. */
static double track_angle(const struct track *t, double length) {
    double want = fmin(fabs(length), t->half);
    int i = 1;
    while (i < STEPS && t->length[i] < want)
        i++;
    double part = (want - t->length[i - 1]) / (t->length[i] - t->length[i - 1]);
    return copysign((i - 1 + part) * M_PI / STEPS, length);
}

/* The cell at an angle, standing upright to the middle (feet inward), or with its feet outward. */
static struct cell track_cell(const struct track *t, double angle, bool feet_out, double width, double height) {
    struct cell c = {
        .x = t->cx + t->rx * sin(angle), .y = t->cy - t->ry * cos(angle), .width = width, .height = height
    };
    c.turn = atan2(t->ry * sin(angle), t->rx * cos(angle)) + (feet_out ? M_PI : 0);
    return c;
}

struct layout {
    const struct seal *seal;
    double cx, cy, rx, ry, gap; /* inside of the edge */
    double inner_rx, inner_ry;  /* inside of the name */
    double ring_end_y;          /* where the name's last letter ends, below the middle */
    double code_height;         /* 0 for none */
};

static double blend(double n, double n0, double v0, double n1, double v1) {
    double t = fmin(fmax((n - n0) / (n1 - n0), 0), 1);
    return v0 + t * (v1 - v0);
}

/* What share of the middle line the name takes: few letters stand apart, many fill all that the code leaves free. */
static double ring_share(const struct layout *l) {
    double most = (l->code_height > 0 ? 268.0 : 300.0) / 360;
    return fmin((75 + 17.0 * l->seal->ring.n) / 360, most);
}

static chop_err draw_ring_text(struct layout *l, struct shape *s) {
    const struct letters *name = &l->seal->ring;
    double r = fmin(l->rx, l->ry), height = r * blend(name->n, 12, 0.275, 32, 0.21);
    struct track t;
    track_init(&t, l->cx, l->cy, l->rx - l->gap - height / 2, l->ry - l->gap - height / 2);
    double pitch = 2 * t.half * ring_share(l) / name->n;
    /* letters taper towards the middle, where neighbours would touch first */
    double width = fmin(height * 0.86, pitch * (1 - height / 2 / fmin(t.rx, t.ry)) * 1.04);
    for (int i = 0; i < name->n; i++) {
        struct cell c = track_cell(&t, track_angle(&t, pitch * (i - (name->n - 1) / 2.0)), false, width, height);
        TRY(cell_letter(l->seal->song, name->at[i], &c, s));
    }
    l->inner_rx = t.rx - height / 2 - l->gap, l->inner_ry = t.ry - height / 2 - l->gap;
    l->ring_end_y = -l->inner_ry * cos(track_angle(&t, pitch * name->n / 2.0));
    return NULL;
}

static chop_err draw_code(const struct layout *l, struct shape *s) {
    const struct letters *code = &l->seal->code;
    double height = l->code_height, pitch = height * 0.92;
    struct track t;
    track_init(&t, l->cx, l->cy, l->rx - l->gap - height / 2, l->ry - l->gap - height / 2);
    pitch = fmin(pitch, 2 * t.half * 0.22 / code->n);
    for (int i = 0; i < code->n; i++) {
        double from_bottom = pitch * (i - (code->n - 1) / 2.0);
        double angle = track_angle(&t, t.half - fabs(from_bottom));
        struct cell c = track_cell(&t, from_bottom < 0 ? -angle : angle, true, pitch * 0.78, height);
        TRY(cell_digit(l->seal->hei, code->at[i], &c, s));
    }
    return NULL;
}

/* Half of the width that is free from y to y + height below the middle. */
static double room(const struct layout *l, double y, double height) {
    double rx = l->inner_rx, ry = l->inner_ry;
    if (y > l->ring_end_y) /* below the name's ends only the code is in the way */
        rx = l->rx - l->code_height - 2 * l->gap, ry = l->ry - l->code_height - 2 * l->gap;
    double low = fmin(fmax(fabs(y), fabs(y + height * 0.9)) / ry, 0.98);
    return rx * sqrt(1 - low * low) * 0.97;
}

static chop_err draw_line(const struct layout *l, double y, double height, struct shape *s) {
    const struct letters *text = &l->seal->center;
    double pitch = fmin(height * 0.84, 2 * room(l, y, height) / text->n);
    const struct cell c = { .x = l->cx, .y = l->cy + y + height / 2, .width = pitch * 0.9, .height = height };
    return cell_row(l->seal->song, text, c, pitch, cell_letter, s);
}

static chop_err draw_tax(const struct layout *l, double height, struct shape *s) {
    const struct letters *tax = &l->seal->tax;
    double pitch = fmin(height * 0.42, 2 * room(l, -height / 2, height) / tax->n);
    const struct cell c = { .x = l->cx, .y = l->cy, .width = pitch * 0.84, .height = height };
    return cell_row(l->seal->hei, tax, c, pitch, cell_digit, s);
}

/* The middle: what stands in it, then the line of text below, or in its place. */
static chop_err draw_center(const struct layout *l, struct shape *s) {
    double r = fmin(l->rx, l->ry), height = r * (l->seal->shape == SEAL_ELLIPSE ? 0.31 : 0.235), y = -height / 2;
    if (l->seal->tax.n) {
        double tax = r * 0.24;
        TRY(draw_tax(l, tax, s));
        y = tax / 2 + r * 0.085;
    } else if (l->seal->star) {
        double star = fmin(l->seal->star / 2.0, l->inner_ry * 0.85);
        shape_star(s, l->cx, l->cy, star);
        y = star * 0.809 + r * 0.07;
    }
    return l->seal->center.n ? draw_line(l, y, height, s) : NULL;
}

chop_err seal_draw_round(const struct seal *seal, struct shape *s) {
    struct layout l = { .seal = seal, .cx = seal->width / 2.0, .cy = seal->height / 2.0 };
    shape_ellipse(s, l.cx, l.cy, l.cx, l.cy, false);
    l.rx = l.cx - seal->edge, l.ry = l.cy - seal->edge;
    l.gap = fmin(l.rx, l.ry) * 0.038;
    shape_ellipse(s, l.cx, l.cy, l.rx, l.ry, true);
    if (seal->code.n) l.code_height = fmin(l.rx, l.ry) * (seal->shape == SEAL_ELLIPSE ? 0.125 : 0.095);
    TRY(draw_ring_text(&l, s));
    if (seal->code.n) TRY(draw_code(&l, s));
    return draw_center(&l, s);
}
