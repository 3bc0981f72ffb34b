#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct profile_row {
    const char *name;
    size_t offset;
};
#define ROW(field) { #field, offsetof(struct profile, field) }
static const struct profile_row rows[] = { ROW(server), ROW(organization), ROW(account), ROW(token), ROW(member_id),
    ROW(organization_id), ROW(terminal_id), ROW(key), ROW(ca_file) };

static const char **value(const struct profile *p, size_t i) {
    return (const char **)(void *)((char *)(uintptr_t)p + rows[i].offset);
}

const char *profile_path(struct cli *c, const char *file) {
    return arena_printf(c->mem, "%s/%s", c->profile.dir, file);
}

static bool name_valid(const char *s) {
    size_t n = strlen(s);
    return n >= 1 && n <= 32 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == n;
}

/* Makes every directory of the path, for their owner only. */
static chop_err make_dirs(const char *path) {
    char part[512];
    for (const char *p = path + 1;; p++) {
        if (*p && *p != '/') continue;
        (void)snprintf(part, sizeof part, "%.*s", (int)(p - path), path);
        if (mkdir(part, 0700) != 0 && errno != EEXIST) return CHOP_FAIL(EINVAL, NULL, "%s: %s", part, strerror(errno));
        if (!*p) return NULL;
    }
}

static chop_err choose_dir(struct cli *c) {
    const char *home = getenv("CHOP_HOME"), *user = getenv("HOME"), *name = c->profile_name;
    if (!name) name = getenv("CHOP_PROFILE");
    if (!name) name = "default";
    if (!name_valid(name)) return CHOP_FAIL(EINVAL, NULL, "a profile's name is letters and digits");
    char *dir = c->profile.dir;
    size_t room = sizeof c->profile.dir;
    int n = home ? snprintf(dir, room, "%s/%s", home, name) : snprintf(dir, room, "%s/.config/chop/%s", user ? user : "", name);
    if (n < 0 || (size_t)n >= room || dir[0] != '/') return CHOP_FAIL(EINVAL, NULL, "CHOP_HOME or HOME must be an absolute path");
    return make_dirs(dir);
}

static void take_line(struct cli *c, const char *line, size_t n) {
    const char *equals = memchr(line, '=', n);
    if (!equals) return;
    for (size_t i = 0; i < CHOP_COUNT(rows); i++)
        if (strlen(rows[i].name) == (size_t)(equals - line) && strncmp(rows[i].name, line, (size_t)(equals - line)) == 0)
            *value(&c->profile, i) = arena_strn(c->mem, equals + 1, (size_t)(line + n - equals - 1));
}

static chop_err check_mode(const char *path) {
    struct stat st;
    if (stat(path, &st) == 0 && st.st_mode & 077)
        return CHOP_FAIL(EINVAL, NULL, "%s holds a session: others may read it (chmod 600)", path);
    return NULL;
}

chop_err profile_load(struct cli *c) {
    TRY(choose_dir(c));
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) *value(&c->profile, i) = "";
    const char *path = profile_path(c, "profile");
    struct chop_bytes text = { 0 };
    if (local_exists(path)) {
        TRY(check_mode(path));
        TRY(local_read(c, path, 16384, &text));
    }
    for (size_t at = 0; at < text.n;) {
        const char *line = (const char *)text.p + at, *end = memchr(line, '\n', text.n - at);
        size_t n = end ? (size_t)(end - line) : text.n - at;
        take_line(c, line, n);
        at += n + 1;
    }
    const char *server = c->server ? c->server : getenv("CHOP_SERVER");
    if (server) c->profile.server = server;
    size_t n = strlen(c->profile.server);
    while (n > 0 && c->profile.server[n - 1] == '/') n--;
    c->profile.server = arena_strn(c->mem, c->profile.server, n);
    return NULL;
}

chop_err profile_save(const struct cli *c) {
    struct cli *m = (struct cli *)(uintptr_t)c;
    const char *text = "";
    for (size_t i = 0; i < CHOP_COUNT(rows); i++) {
        const char *v = *value(&c->profile, i);
        if (strchr(v, '\n')) return CHOP_FAIL(EINVAL, rows[i].name, "a line break in the profile");
        if (v[0]) text = arena_printf(c->mem, "%s%s=%s\n", text, rows[i].name, v);
    }
    if (arena_failed(c->mem)) return CHOP_ERR(EMEMORY);
    return local_write(m, profile_path(m, "profile"), chop_str(text));
}
