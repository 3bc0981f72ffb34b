#include "cli.h"
#include "field.h"

#include "common.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- finding the command: the longest name wins, "seal create" before "seal" ---- */

const struct command *command_find(const char *name) {
    for (const struct command *cmd = commands; cmd->name; cmd++)
        if (strcmp(cmd->name, name) == 0) return cmd;
    return NULL;
}

static const struct command *find_words(int argc, char **argv, int *ret_used) {
    char two[80];
    if (argc >= 2 && argv[1][0] != '-') {
        (void)snprintf(two, sizeof two, "%s %s", argv[0], argv[1]);
        const struct command *cmd = command_find(two);
        *ret_used = 2;
        if (cmd) return cmd;
    }
    *ret_used = 1;
    return command_find(argv[0]);
}

/* ---- options ---- */

static const struct option_row *find_option(const struct command *cmd, const char *name, size_t n) {
    for (const struct option_row *o = cmd->options; o && o->name; o++)
        if (strlen(o->name) == n && strncmp(o->name, name, n) == 0) return o;
    return NULL;
}

const char *cli_option(const struct cli *c, const char *name) {
    const char *last = NULL;
    for (size_t i = 0; i < c->n_values; i++)
        if (strcmp(c->values[i].row->name, name) == 0) last = c->values[i].text;
    return last;
}

bool cli_flag(const struct cli *c, const char *name) {
    return cli_option(c, name) != NULL;
}

struct line {
    int argc, at;
    char **argv;
};

/* "--name=value" or the next word. */
static chop_err value_of(struct line *l, const char *word, const char **ret_value) {
    const char *equals = strchr(word, '=');
    if (equals) {
        *ret_value = equals + 1;
        return NULL;
    }
    if (l->at + 1 >= l->argc) return CHOP_FAIL(EINVAL, NULL, "%s wants a value", word);
    *ret_value = l->argv[++l->at];
    return NULL;
}

static bool is_word(const char *word, const char *name) {
    size_t n = strlen(name);
    return strncmp(word, name, n) == 0 && (word[n] == 0 || word[n] == '=');
}

/* Options that every command has; *ret_taken tells whether it was one. */
static chop_err global_option(struct cli *c, struct line *l, bool *ret_taken) {
    const char *word = l->argv[l->at];
    const struct {
        const char *name;
        const char **into;
    } texts[] = { { "--profile", &c->profile_name }, { "--server", &c->server }, { "--password-file", &c->password_file },
        { "--key", &c->key_file } };
    *ret_taken = true;
    if (strcmp(word, "--json") == 0) c->json = true;
    else if (strcmp(word, "--yes") == 0 || strcmp(word, "-y") == 0) c->yes = true;
    else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) c->help = true;
    else *ret_taken = false;
    for (size_t i = 0; i < CHOP_COUNT(texts) && !*ret_taken; i++) {
        if (!is_word(word, texts[i].name)) continue;
        *ret_taken = true;
        return value_of(l, word, texts[i].into);
    }
    return NULL;
}

static chop_err own_option(struct cli *c, struct line *l) {
    const char *word = l->argv[l->at], *name = word + 2;
    const struct option_row *o = strncmp(word, "--", 2) == 0 ? find_option(c->command, name, strcspn(name, "=")) : NULL;
    if (!o) return CHOP_FAIL(EINVAL, NULL, "%s has no option %s", c->command->name, word);
    if (c->n_values == CLI_VALUES) return CHOP_FAIL(ELIMIT, NULL, "too many options");
    const char *value = "true";
    if (o->kind != OPT_FLAG) TRY(value_of(l, word, &value));
    c->values[c->n_values].row = o;
    c->values[c->n_values++].text = value;
    return NULL;
}

static chop_err one_word(struct cli *c, struct line *l, bool *only_args) {
    const char *word = l->argv[l->at];
    if (!*only_args && strcmp(word, "--") == 0) {
        *only_args = true;
        return NULL;
    }
    if (!*only_args && word[0] == '-' && word[1]) {
        bool taken;
        TRY(global_option(c, l, &taken));
        return taken ? NULL : own_option(c, l);
    }
    if (c->n_args == CHOP_COUNT(c->args) || !c->command->args[c->n_args].label)
        return CHOP_FAIL(EINVAL, NULL, "%s does not take %s", c->command->name, word);
    c->args[c->n_args++] = word;
    return NULL;
}

static chop_err check_args(const struct cli *c) {
    size_t wanted = 0;
    while (wanted < CHOP_COUNT(c->command->args) && c->command->args[wanted].label) wanted++;
    if (c->help || c->n_args + (size_t)c->command->optional_args >= wanted) return NULL;
    return CHOP_FAIL(EINVAL, NULL, "%s wants %s", c->command->name, c->command->args[c->n_args].label);
}

chop_err args_read(struct cli *c, int argc, char **argv) {
    struct line l = { .argc = argc, .argv = argv, .at = 1 };
    bool taken = true, only_args = false;
    for (; l.at < argc && argv[l.at][0] == '-'; l.at++) { /* before the command: those of every command */
        TRY(global_option(c, &l, &taken));
        if (!taken) return CHOP_FAIL(EINVAL, NULL, "no option %s", argv[l.at]);
    }
    if (l.at >= argc) return c->help ? NULL : CHOP_FAIL(EINVAL, NULL, "which command?");
    int used;
    c->command = find_words(argc - l.at, argv + l.at, &used);
    if (!c->command) return CHOP_FAIL(EINVAL, NULL, "no command %s", argv[l.at]);
    for (l.at += used; l.at < argc; l.at++) TRY(one_word(c, &l, &only_args));
    return check_args(c);
}

/* ---- into messages ---- */

chop_err args_time(const char *text, int64_t now, int64_t *ret_ms) {
    char *end;
    long long n = text[0] == '+' ? strtoll(text + 1, &end, 10) : 0;
    if (text[0] == '+' && end > text + 1 && n > 0 && n < 100000 && end[0] && !end[1]) {
        static const char units[] = "mhd";
        static const int64_t lengths[] = { 60000, 3600000, 86400000 };
        const char *unit = strchr(units, *end);
        if (unit) {
            *ret_ms = now + n * lengths[unit - units];
            return NULL;
        }
    }
    struct tm tm = { .tm_isdst = -1 };
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M", &tm);
    if (!rest) {
        tm = (struct tm){ .tm_isdst = -1 };
        rest = strptime(text, "%Y-%m-%d", &tm);
    }
    if (!rest || *rest) return CHOP_FAIL(EINVAL, NULL, "%s is no time: +90m, +8h, +3d or 2026-12-01T08:00", text);
    *ret_ms = (int64_t)mktime(&tm) * 1000;
    return NULL;
}

/* "key|fingerprint+password": two clauses. */
static chop_err put_clauses(struct cli *c, void *message, const struct option_row *o, const char *text) {
    while (*text) {
        size_t n = strcspn(text, "+");
        Pb__Clause *clause = PB_NEW(c->mem, Pb__Clause, pb__clause);
        if (!clause) return CHOP_ERR(EMEMORY);
        const char *one = arena_strn(c->mem, text, n);
        for (size_t k; *one; one += k + (one[k] == '|')) {
            k = strcspn(one, "|");
            if (k == 0) return CHOP_FAIL(EINVAL, NULL, "--%s: an empty factor", o->name);
            TRY(field_add(clause, "factors", arena_strn(c->mem, one, k), c->mem));
        }
        TRY(field_add(message, o->field, clause, c->mem));
        text += n + (text[n] == '+');
    }
    return NULL;
}

static chop_err put_time(struct cli *c, void *message, const struct option_row *o, const char *text) {
    int64_t ms;
    TRY(args_time(text, chop_now_ms(), &ms));
    return field_put(message, o->field, arena_printf(c->mem, "%lld", (long long)ms), c->mem);
}

static chop_err put_digest(struct cli *c, void *message, const struct option_row *o, const char *path) {
    uint8_t digest[32];
    uint64_t size;
    TRY(local_sha256(path, digest, &size));
    return field_put(message, o->field, arena_hex(c->mem, CHOP_BYTES(digest, 32)), c->mem);
}

static chop_err put_value(struct cli *c, void *message, const struct option_row *o, const char *text) {
    struct chop_bytes bytes;
    switch (o->kind) {
    case OPT_LIST: return field_add(message, o->field, text, c->mem);
    case OPT_TIME: return put_time(c, message, o, text);
    case OPT_DIGEST: return put_digest(c, message, o, text);
    case OPT_CLAUSES: return put_clauses(c, message, o, text);
    case OPT_BYTES:
        TRY(local_read(c, text, (size_t)1 << 20, &bytes));
        return field_put_bytes(message, o->field, bytes, c->mem);
    case OPT_TEXT:
    case OPT_FLAG: break;
    }
    return field_put(message, o->field, text, c->mem);
}

static chop_err put_preset(struct cli *c, void *message) {
    const char *preset = c->command->preset, *equals = preset ? strchr(preset, '=') : NULL;
    if (!equals) return NULL;
    return field_put(message, arena_strn(c->mem, preset, (size_t)(equals - preset)), equals + 1, c->mem);
}

chop_err args_into(struct cli *c, void *message) {
    TRY(put_preset(c, message));
    for (size_t i = 0; i < c->n_values; i++)
        if (c->values[i].row->field) TRY(put_value(c, message, c->values[i].row, c->values[i].text));
    for (size_t i = 0; i < c->n_args; i++)
        if (c->command->args[i].field) TRY(field_put(message, c->command->args[i].field, c->args[i], c->mem));
    return arena_failed(c->mem) ? CHOP_ERR(EMEMORY) : NULL;
}
