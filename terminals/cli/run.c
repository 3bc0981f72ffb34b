/* One command: build the message, call or act, show the outcome. */
#include "cli.h"
#include "field.h"
#include "out.h"
#include "pbjson.h"

#include "authorization.pb-c.h"
#include "gateway.pb-c.h"
#include "identity.pb-c.h"

#include <stdio.h>
#include <string.h>

int cli_exit_code(chop_err e) {
    if (!e) return EXIT_OK;
    bool away = e == CHOP_ERR(EUNREACHABLE) || e == CHOP_ERR(ETIMEOUT) || e == CHOP_ERR(EBUS);
    return away ? EXIT_UNREACHABLE : EXIT_REFUSED;
}

static void show_list(struct cli *c, const void *out) {
    const ProtobufCFieldDescriptor *f =
        field_find(((const ProtobufCMessage *)out)->descriptor, c->command->list, strlen(c->command->list));
    size_t n = f ? field_count(out, f) : 0;
    if (n == 0) {
        fprintf(stderr, "none\n");
        return;
    }
    out_table(*(void ***)(void *)((uint8_t *)(uintptr_t)out + f->offset), n, c->command->columns, c->mem);
}

static chop_err show(struct cli *c, void *out) {
    if (c->json) {
        printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
        if (!c->command->after) return NULL;
    }
    if (c->command->after) return c->command->after(c, out);
    if (c->command->list)
        show_list(c, out);
    else
        out_message(stdout, out, 0, c->mem);
    return NULL;
}

static chop_err run_table(struct cli *c) {
    const struct command *cmd = c->command;
    const ProtobufCMessageDescriptor *out = cmd->out;
    void *in = cmd->in ? pb_new(cmd->in, c->mem) : NULL, *reply;
    if (cmd->in && !in) return CHOP_ERR(EMEMORY);
    if (in) TRY(args_into(c, in));
    if (cmd->before) TRY(cmd->before(c, in));
    if (cmd->act)
        TRY(act_run(c, cmd->act, cmd->identity, in, &reply, NULL));
    else
        TRY(api_call(c, cmd->method, cmd->path, in, out, &reply));
    return show(c, reply);
}

static void complain(struct cli *c, chop_err e) {
    if (c->json) {
        Pb__Problem p = PB__PROBLEM__INIT;
        struct chop_bytes json;
        p.code = PB_STR(e->name);
        p.title = PB_STR(e->text);
        p.field = PB_STR(chop_detail_field());
        p.detail = PB_STR(chop_detail_text());
        if (!pbjson_print(&p, c->mem, &json)) fprintf(stderr, "%.*s\n", (int)json.n, (const char *)json.p);
        return;
    }
    fprintf(stderr, "chop: %s: %s", e->name, e->text);
    if (chop_detail_text()[0]) {
        fputs(": ", stderr);
        if (chop_detail_field()[0]) fprintf(stderr, "%s ", chop_detail_field());
        out_text(stderr, chop_detail_text());
    }
    fputc('\n', stderr);
    if (e == CHOP_ERR(EAUTH) && c->command && strcmp(c->command->name, "login") != 0)
        fputs("chop: sign in with: chop login\n", stderr);
}

int cli_run(struct cli *c) {
    chop_err e = profile_load(c);
    if (!e) e = c->command->run ? c->command->run(c) : run_table(c);
    if (e) complain(c, e);
    if (fflush(stdout) != 0 && !e) c->status = EXIT_REFUSED;
    return e ? cli_exit_code(e) : c->status;
}
