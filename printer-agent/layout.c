#include "output.h"

#define GAP_UM 3000
/* Where nobody said anything: the lower right of an A4 page, where contracts are sealed. */
#define DEFAULT_X_UM 125000
#define DEFAULT_Y_UM 205000

static int32_t at_least_zero(int64_t v) {
    return v < 0 ? 0 : (int32_t)v;
}

struct layout layout_make(const struct layout_in *in) {
    struct layout l;
    bool placed = in->x_um != 0 || in->y_um != 0;
    int64_t x = placed ? in->x_um : DEFAULT_X_UM, y = placed ? in->y_um : DEFAULT_Y_UM;
    int64_t right = x + in->seal_w + GAP_UM, left = x - GAP_UM - (int64_t)in->marks_w;
    int64_t bottom = y + in->seal_h, middle = y + ((int64_t)in->seal_h - (int64_t)in->marks_h) / 2;
    bool to_right = right + in->marks_w <= in->paper_w, to_left = !to_right && left >= 0;
    l.seal = (struct layout_box){ (int32_t)x, (int32_t)y };
    l.signature.x_um = at_least_zero(to_left ? x : x + (int64_t)in->seal_w - (int64_t)in->signature_w);
    l.signature.y_um = at_least_zero(bottom - (int64_t)in->signature_h / 2);
    l.marks = to_right  ? (struct layout_box){ (int32_t)right, at_least_zero(middle) }
              : to_left ? (struct layout_box){ (int32_t)left, at_least_zero(middle) }
                        : (struct layout_box){ (int32_t)x, (int32_t)(bottom + in->signature_h / 2 + GAP_UM) };
    return l;
}
