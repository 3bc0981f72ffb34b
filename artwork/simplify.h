/* simplify: closed polylines with fewer points, none of which moves. */
#pragma once
#include <glib.h>
#include <stdint.h>

struct pixel_point {
    int32_t x, y;
};
/* Drops points of the closed polyline of n points that lie within `tolerance` of the line that remains
 * (Douglas-Peucker); returns how many are left, in place. Leaves n <= 4 alone. */
size_t simplify_closed(struct pixel_point *p, size_t n, double tolerance);
