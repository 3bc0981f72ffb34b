#include <jansson.h>
#include <math.h>
#include <string.h>

#include "commands.h"
#include "seal.h"

#define JSON_LIMIT 16384
#define TOLERANCE 6.0
#define MIN_SIDE 8000
#define MAX_SIDE 80000

/* ---- letters in cells ---- */
chop_err letters_split(const char *text, const char *field, struct letters *ret) {
    struct letters l = { 0 };
    if (!g_utf8_validate(text, -1, NULL)) return CHOP_FAIL(EINVAL, field, "is not UTF-8");
    for (const char *p = text; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (!g_unichar_isgraph(c) && c != ' ')
            return CHOP_FAIL(EINVAL, field, "holds a character that cannot be drawn");
        if (l.n == SEAL_MAX_LETTERS) return CHOP_FAIL(ELIMIT, field, "has more than %d letters", SEAL_MAX_LETTERS);
        g_unichar_to_utf8(c, l.at[l.n++]);
    }
    *ret = l;
    return NULL;
}

static cairo_matrix_t cell_matrix(const struct cell *c) {
    cairo_matrix_t m;
    cairo_matrix_init_translate(&m, c->x, c->y);
    cairo_matrix_rotate(&m, c->turn);
    return m;
}

chop_err cell_letter(struct font *f, const char *letter, const struct cell *c, struct shape *s) {
    const double ink = 0.93, middle = 0.38; /* share of the em that ink fills; its middle above the base line */
    if (strcmp(letter, " ") == 0) return NULL;
    cairo_matrix_t m = cell_matrix(c);
    cairo_matrix_scale(&m, c->width / ink, c->height / ink);
    cairo_matrix_translate(&m, -font_advance(f, letter) / 2, middle);
    return font_letter(f, letter, &m, TOLERANCE, s);
}

chop_err cell_digit(struct font *f, const char *letter, const struct cell *c, struct shape *s) {
    const double height = 0.735, width = 0.555;
    if (strcmp(letter, " ") == 0) return NULL;
    double x, y, w, h;
    font_box(f, letter, &x, &y, &w, &h);
    double wide = fmax(w / 0.5, 1) * width; /* M and W are narrowed to their cell */
    cairo_matrix_t m = cell_matrix(c);
    cairo_matrix_scale(&m, c->width / wide, c->height / height);
    cairo_matrix_translate(&m, -font_advance(f, letter) / 2, height / 2);
    return font_letter(f, letter, &m, TOLERANCE, s);
}

chop_err cell_row(struct font *f, const struct letters *l, struct cell c, double pitch, cell_fn draw, struct shape *s) {
    c.x -= pitch * (l->n - 1) / 2;
    for (int i = 0; i < l->n; i++, c.x += pitch)
        TRY(draw(f, l->at[i], &c, s));
    return NULL;
}

/* ---- the JSON ---- */
static const struct kind_row {
    const char *name;
    enum seal_shape shape;
    int32_t width, height, edge, star;
    const char *center;
} kinds[] = {
    /* domain 2.3: practice for limited companies, GB and tax rules for the invoice seal */
    [SEAL_OFFICIAL] = { "official", SEAL_ROUND, 40000, 40000, 1000, 14000, "" },
    [SEAL_CONTRACT] = { "contract", SEAL_ROUND, 38000, 38000, 1000, 12000, "合同专用章" },
    [SEAL_FINANCE] = { "finance", SEAL_ROUND, 38000, 38000, 1000, 12000, "财务专用章" },
    [SEAL_INVOICE] = { "invoice", SEAL_ELLIPSE, 40000, 30000, 1000, 0, "发票专用章" },
    [SEAL_LEGAL_REP] = { "legal_rep", SEAL_SQUARE, 20000, 20000, 1000, 0, "" },
};
static const char *const shapes[] = { [SEAL_ROUND] = "round", [SEAL_ELLIPSE] = "ellipse", [SEAL_SQUARE] = "square" };

static chop_err get_text(json_t *o, const char *key, const char *fallback, struct letters *ret) {
    json_t *v = json_object_get(o, key);
    if (v && !json_is_string(v)) return CHOP_FAIL(EINVAL, key, "wants a string");
    return letters_split(v ? json_string_value(v) : fallback, key, ret);
}

static chop_err get_int(json_t *o, const char *key, int32_t fallback, int32_t low, int32_t high, int32_t *ret) {
    json_t *v = json_object_get(o, key);
    if (v && (!json_is_integer(v) || json_integer_value(v) < low || json_integer_value(v) > high))
        return CHOP_FAIL(EINVAL, key, "wants a whole number from %d to %d", low, high);
    *ret = v ? (int32_t)json_integer_value(v) : fallback;
    return NULL;
}

static chop_err get_bool(json_t *o, const char *key, bool fallback, bool *ret) {
    json_t *v = json_object_get(o, key);
    if (v && !json_is_boolean(v)) return CHOP_FAIL(EINVAL, key, "wants true or false");
    *ret = v ? json_is_true(v) : fallback;
    return NULL;
}

static chop_err get_kind(json_t *o, struct seal *ret) {
    const char *name = json_string_value(json_object_get(o, "kind"));
    for (size_t i = 0; name && i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(name, kinds[i].name) == 0) {
            ret->kind = (enum seal_kind)i;
            return NULL;
        }
    return CHOP_FAIL(EINVAL, "kind", "wants official, contract, finance, invoice or legal_rep");
}

static chop_err get_shape(json_t *o, struct seal *ret) {
    ret->shape = kinds[ret->kind].shape;
    json_t *v = json_object_get(o, "shape");
    if (!v) return NULL;
    for (size_t i = 0; json_is_string(v) && i < G_N_ELEMENTS(shapes); i++)
        if (strcmp(json_string_value(v), shapes[i]) == 0) {
            ret->shape = (enum seal_shape)i;
            return NULL;
        }
    return CHOP_FAIL(EINVAL, "shape", "wants round, ellipse or square");
}

static chop_err get_sizes(json_t *o, struct seal *ret) {
    const struct kind_row *k = &kinds[ret->kind];
    bool star = false;
    TRY(get_int(o, "width_um", k->width, MIN_SIDE, MAX_SIDE, &ret->width));
    TRY(get_int(o, "height_um", k->width == k->height ? ret->width : k->height, MIN_SIDE, MAX_SIDE, &ret->height));
    TRY(get_int(o, "edge_um", k->edge, 200, 4000, &ret->edge));
    TRY(get_bool(o, "star", k->star > 0, &star));
    TRY(get_int(o, "star_um", k->star ? k->star : 12000, 2000, 40000, &ret->star));
    if (!star) ret->star = 0;
    if (ret->shape == SEAL_ROUND && ret->width != ret->height)
        return CHOP_FAIL(EINVAL, "height_um", "a round seal is as high as wide");
    if (ret->width > 3 * ret->height || ret->height > 2 * ret->width)
        return CHOP_FAIL(EINVAL, "height_um", "the sides differ too much");
    return NULL;
}

static chop_err check_code(const struct letters *l, const char *field, int low, int high, bool capitals) {
    if (l->n && (l->n < low || l->n > high)) return CHOP_FAIL(EINVAL, field, "has %d to %d characters", low, high);
    for (int i = 0; i < l->n; i++)
        if (!g_ascii_isdigit(l->at[i][0]) && !(capitals && g_ascii_isupper(l->at[i][0])))
            return CHOP_FAIL(EINVAL, field, capitals ? "holds digits and capitals only" : "holds digits only");
    return NULL;
}

static chop_err get_texts(json_t *o, struct seal *ret) {
    TRY(get_text(o, "ring_text", "", &ret->ring));
    TRY(get_text(o, "center_text", kinds[ret->kind].center, &ret->center));
    TRY(get_text(o, "code", "", &ret->code));
    TRY(get_text(o, "tax_number", "", &ret->tax));
    TRY(check_code(&ret->code, "code", 3, 19, false));
    TRY(check_code(&ret->tax, "tax_number", 15, 20, true));
    if (ret->ring.n < 2 || ret->ring.n > 40) return CHOP_FAIL(EINVAL, "ring_text", "has 2 to 40 letters");
    if (ret->shape == SEAL_SQUARE && ret->ring.n > 12) return CHOP_FAIL(EINVAL, "ring_text", "has 2 to 12 letters");
    if (ret->center.n > 12) return CHOP_FAIL(EINVAL, "center_text", "has at most 12 letters");
    return NULL;
}

/* A field that nobody knows is a mistake that would show on paper only. */
static chop_err check_keys(json_t *o) {
    static const char known[] =
        " kind shape width_um height_um edge_um ring_text center_text code tax_number star star_um sample ";
    const char *key;
    json_t *value;
    json_object_foreach(o, key, value) {
        char word[64];
        if (snprintf(word, sizeof word, " %s ", key) >= (int)sizeof word || !strstr(known, word) || strchr(key, ' '))
            return CHOP_FAIL(EINVAL, NULL, "a seal has no field of this name");
    }
    return NULL;
}

static chop_err parse_object(json_t *o, struct seal *ret) {
    if (!json_is_object(o)) return CHOP_FAIL(EINVAL, NULL, "wants a JSON object");
    TRY(check_keys(o));
    TRY(get_kind(o, ret));
    TRY(get_shape(o, ret));
    TRY(get_sizes(o, ret));
    TRY(get_texts(o, ret));
    return get_bool(o, "sample", false, &ret->sample);
}

chop_err seal_parse(const char *json, size_t n, struct seal *ret) {
    struct seal seal = { 0 };
    json_error_t error;
    json_t *o = json_loadb(json, n, JSON_REJECT_DUPLICATES, &error);
    if (!o) return CHOP_FAIL(EINVAL, NULL, "not JSON: %s", error.text);
    chop_err e = parse_object(o, &seal);
    json_decref(o);
    if (!e) *ret = seal;
    return e;
}

/* ---- the command ---- */
static chop_err draw(struct seal *seal, struct blob *ret) {
    CHOP_FONT song = NULL;
    CHOP_FONT hei = NULL;
    TRY(font_open(FONT_SONG, true, &song));
    TRY(font_open(FONT_HEI, true, &hei));
    seal->song = song, seal->hei = hei;
    CHOP_SHAPE s;
    shape_init(&s);
    const struct outline_size box = { (uint32_t)seal->width, (uint32_t)seal->height };
    TRY(seal->shape == SEAL_SQUARE ? seal_draw_square(seal, &s) : seal_draw_round(seal, &s));
    if (seal->sample) TRY(sample_band(hei, box, seal->shape != SEAL_SQUARE, &s));
    return shape_outline(&s, box, ret);
}

chop_err command_seal(const struct args *a) {
    TRY(args_check(a, "", "", 0));
    CHOP_BLOB json = { .p = NULL };
    CHOP_BLOB outline = { .p = NULL };
    struct seal seal;
    TRY(io_read(JSON_LIMIT, &json));
    TRY(seal_parse((const char *)json.p, json.n, &seal));
    TRY(draw(&seal, &outline));
    return io_write(outline.p, outline.n);
}
