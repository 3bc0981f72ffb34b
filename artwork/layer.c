#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "args.h"
#include "layer.h"

#define PBM_MAX_BYTES ((size_t)64 << 20)
#define PBM_MAX_SIDE 20000
#define MAX_PLACE_UM 2000000

/* A number of a PBM header: white space and comments come before it. */
static bool header_number(const struct blob *f, size_t *pos, uint32_t *ret) {
    while (*pos < f->n && strchr(" \t\r\n#", f->p[*pos]) && f->p[*pos]) {
        if (f->p[*pos] == '#')
            while (*pos < f->n && f->p[*pos] != '\n')
                (*pos)++;
        else
            (*pos)++;
    }
    uint32_t value = 0;
    for (; *pos < f->n && f->p[*pos] >= '0' && f->p[*pos] <= '9' && value <= PBM_MAX_SIDE; (*pos)++)
        value = value * 10 + (uint32_t)(f->p[*pos] - '0');
    *ret = value;
    return value > 0 && value <= PBM_MAX_SIDE;
}

static chop_err read_pbm(const char *path, struct layer *l) {
    TRY(io_read_file(path, PBM_MAX_BYTES, &l->file));
    size_t pos = 2;
    bool good = l->file.n > 2 && memcmp(l->file.p, "P4", 2) == 0 && header_number(&l->file, &pos, &l->width) &&
                header_number(&l->file, &pos, &l->height);
    pos++; /* exactly one white space before the rows */
    if (!good || l->file.n < pos || l->file.n - pos != (size_t)(l->width + 7) / 8 * l->height)
        return CHOP_FAIL(EINVAL, path, "not a raw PBM picture");
    l->bits = l->file.p + pos;
    return NULL;
}

static chop_err get_int(json_t *o, const char *key, int32_t low, int32_t high, int32_t *ret) {
    json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high)
        return CHOP_FAIL(EINVAL, key, "wants a whole number from %d to %d", low, high);
    *ret = (int32_t)json_integer_value(v);
    return NULL;
}

static chop_err read_layer(json_t *o, const char *folder, size_t folder_len, struct layer *l) {
    const char *file = json_string_value(json_object_get(o, "file"));
    const char *color = json_string_value(json_object_get(o, "color"));
    char path[PATH_MAX];
    int32_t dpi;
    if (!file || !color) return CHOP_FAIL(EINVAL, "layers", "wants file and color");
    TRY(args_color(color, l->rgb));
    TRY(get_int(o, "dpi", 30, 2400, &dpi));
    TRY(get_int(o, "x_um", -MAX_PLACE_UM, MAX_PLACE_UM, &l->x_um));
    TRY(get_int(o, "y_um", -MAX_PLACE_UM, MAX_PLACE_UM, &l->y_um));
    l->dpi = (uint32_t)dpi;
    int n = snprintf(path, sizeof path, "%.*s%s", *file == '/' ? 0 : (int)folder_len, folder, file);
    if (n >= (int)sizeof path) return CHOP_FAIL(EINVAL, "file", "too long");
    return read_pbm(path, l);
}

static chop_err read_all(json_t *o, const char *path, struct layers *ret) {
    json_t *list = json_object_get(o, "layers"), *item;
    if (!json_is_array(list) || json_array_size(list) > LAYER_MAX)
        return CHOP_FAIL(EINVAL, "layers", "wants a list of at most %d", LAYER_MAX);
    const char *slash = strrchr(path, '/');
    size_t i, folder = slash ? (size_t)(slash - path) + 1 : 0;
    json_array_foreach(list, i, item) {
        ret->n = i + 1;
        TRY(read_layer(item, path, folder, &ret->at[i]));
    }
    return NULL;
}

chop_err layers_read(const char *json_path, struct layers *ret) {
    CHOP_BLOB file = { .p = NULL };
    TRY(io_read_file(json_path, 1 << 16, &file));
    json_error_t error;
    json_t *o = json_loadb((const char *)file.p, file.n, JSON_REJECT_DUPLICATES, &error);
    if (!o) return CHOP_FAIL(EINVAL, json_path, "not JSON: %s", error.text);
    memset(ret, 0, sizeof *ret);
    chop_err e = read_all(o, json_path, ret);
    json_decref(o);
    if (e) layers_done(ret);
    return e;
}

void layers_done(struct layers *l) {
    for (size_t i = 0; i < l->n; i++)
        blob_done(&l->at[i].file);
    l->n = 0;
}
