#include "out.h"

#include "field.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CELL_MAX 46 /* columns of the screen */
#define COLUMNS_MAX 12

/* ---- characters ---- */

/* The next character's bytes; 1 where the text is not UTF-8. */
static size_t utf8_next(const char *s, uint32_t *ret_c) {
    const uint8_t *p = (const uint8_t *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (n > 1 && (strnlen(s, n) < n || !chop_utf8_valid(s, n))) {
        *ret_c = 0xfffd;
        return 1;
    }
    static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
    uint32_t c = p[0] & masks[n];
    for (size_t i = 1; i < n; i++) c = c << 6 | (p[i] & 0x3fu);
    *ret_c = c;
    return n;
}

static bool harmful(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0xfffd || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x200e || c == 0x200f || c == 0x2028 || c == 0x2029;
}

static int width(uint32_t c) {
    bool wide = (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) || (c >= 0xac00 && c <= 0xd7a3) ||
                (c >= 0xf900 && c <= 0xfaff) || (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
                (c >= 0x20000 && c <= 0x3fffd);
    return wide ? 2 : 1;
}

void out_text(FILE *to, const char *text) {
    uint32_t c;
    for (size_t n; *text; text += n) {
        n = utf8_next(text, &c);
        if (harmful(c))
            fputc('?', to);
        else
            fwrite(text, 1, n, to);
    }
}

static int columns_of(const char *text) {
    int all = 0;
    uint32_t c;
    for (size_t n; *text; text += n) {
        n = utf8_next(text, &c);
        all += harmful(c) ? 1 : width(c);
    }
    return all;
}

/* Cut to at most `most` columns. */
static const char *cut(const char *text, int most, struct arena *mem) {
    if (columns_of(text) <= most) return text;
    int all = 0;
    uint32_t c;
    const char *p = text;
    for (size_t n; *p; p += n) {
        n = utf8_next(p, &c);
        if (all + width(c) > most - 1) break;
        all += width(c);
    }
    return arena_printf(mem, "%.*s…", (int)(p - text), text);
}

/* ---- values ---- */

const char *out_time(int64_t ms, struct arena *mem) {
    time_t t = (time_t)(ms / 1000);
    struct tm tm;
    char text[40];
    if (!localtime_r(&t, &tm) || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) return "";
    return arena_str(mem, text);
}

static bool is_time(const ProtobufCFieldDescriptor *f) {
    size_t n = strlen(f->name);
    if (f->type != PROTOBUF_C_TYPE_INT64) return false;
    return strcmp(f->name, "at") == 0 || (n > 3 && strcmp(f->name + n - 3, "_at") == 0) || strcmp(f->name, "not_before") == 0 ||
           strcmp(f->name, "not_after") == 0 || strcmp(f->name, "as_of") == 0;
}

static const char *value_text(const void *message, const ProtobufCFieldDescriptor *f, size_t i, struct arena *mem) {
    const char *text = field_item_text(message, f, i, mem);
    return text && is_time(f) ? out_time(strtoll(text, NULL, 10), mem) : text;
}

static void put_name(FILE *to, const char *name, int indent) {
    fprintf(to, "%*s", indent, "");
    for (const char *p = name; *p; p++) fputc(*p == '_' ? ' ' : *p, to);
    fputs(": ", to);
}

static void put_list(FILE *to, const void *message, const ProtobufCFieldDescriptor *f, int indent, struct arena *mem) {
    size_t n = field_count(message, f);
    if (f->type == PROTOBUF_C_TYPE_BYTES) return;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE) {
        put_name(to, f->name, indent);
        for (size_t i = 0; i < n; i++) {
            if (i) fputs(", ", to);
            out_text(to, value_text(message, f, i, mem));
        }
        fputc('\n', to);
        return;
    }
    void **items = *(void ***)(void *)((uint8_t *)(uintptr_t)message + f->offset);
    for (size_t i = 0; i < n; i++) {
        put_name(to, f->name, indent);
        fprintf(to, "%zu of %zu\n", i + 1, n);
        out_message(to, items[i], indent + 2, mem);
    }
}

static void put_field(FILE *to, const void *message, const ProtobufCFieldDescriptor *f, int indent, struct arena *mem) {
    if (f->label == PROTOBUF_C_LABEL_REPEATED) {
        put_list(to, message, f, indent, mem);
        return;
    }
    put_name(to, f->name, indent);
    const ProtobufCMessage *sub = field_message(message, f);
    if (sub && strcmp(sub->descriptor->short_name, "Signed") != 0) {
        fputc('\n', to);
        out_message(to, sub, indent + 2, mem);
        return;
    }
    const char *text = value_text(message, f, 0, mem);
    out_text(to, text ? text : sub ? "(signed statement)" : "(bytes)");
    fputc('\n', to);
}

void out_message(FILE *to, const void *message, int indent, struct arena *mem) {
    const ProtobufCMessageDescriptor *d = ((const ProtobufCMessage *)message)->descriptor;
    for (unsigned i = 0; i < d->n_fields; i++)
        if (field_set(message, &d->fields[i])) put_field(to, message, &d->fields[i], indent, mem);
}

/* ---- tables ---- */

struct table {
    const char *names[COLUMNS_MAX];
    int widths[COLUMNS_MAX];
    size_t n;
};

static const char *cell(const void *message, const char *path, struct arena *mem) {
    const char *text = field_text(message, path, mem);
    size_t n = strlen(path);
    bool time = n >= 2 && strcmp(path + n - 2, "at") == 0 && strspn(text, "0123456789") == strlen(text) && *text;
    if (time) return out_time(strtoll(text, NULL, 10), mem);
    return cut(text, CELL_MAX, mem);
}

static void split(const char *columns, struct table *t, struct arena *mem) {
    while (*columns && t->n < COLUMNS_MAX) {
        size_t n = strcspn(columns, " ");
        t->names[t->n++] = arena_strn(mem, columns, n);
        columns += n + strspn(columns + n, " ");
    }
}

static void put_cell(const char *text, int wide, bool last) {
    out_text(stdout, text);
    if (!last) printf("%*s", wide - columns_of(text) + 2, "");
}

void out_table(void *const *messages, size_t n, const char *columns, struct arena *mem) {
    struct table t = { .n = 0 };
    split(columns, &t, mem);
    for (size_t k = 0; k < t.n; k++) {
        const char *dot = strrchr(t.names[k], '.');
        t.widths[k] = columns_of(dot ? dot + 1 : t.names[k]);
        for (size_t i = 0; i < n; i++) {
            int w = columns_of(cell(messages[i], t.names[k], mem));
            if (w > t.widths[k]) t.widths[k] = w;
        }
    }
    for (size_t k = 0; k < t.n; k++) {
        const char *dot = strrchr(t.names[k], '.');
        put_cell(dot ? dot + 1 : t.names[k], t.widths[k], k + 1 == t.n);
    }
    putchar('\n');
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < t.n; k++) put_cell(cell(messages[i], t.names[k], mem), t.widths[k], k + 1 == t.n);
        putchar('\n');
    }
}
