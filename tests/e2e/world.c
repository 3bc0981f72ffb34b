#include "world.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGISTRIES 3

void must(chop_err e, const char *what) {
    if (!e) return;
    (void)fprintf(stderr, "%s: %s %s: %s\n", what, e->name, chop_detail_field(), chop_detail_text());
    exit(99);
}

const char *world_seal_code(void) {
    static _Atomic unsigned n;
    return stack_text("110105%07u", 1000000 + atomic_fetch_add(&n, 1));
}

void world_person(struct world *w, const char *account, const char *name, const char *roles, struct person *ret) {
    must(member_add(w->a, &w->admin, account, name, "职员", roles, ret), account);
    must(person_equip(w->a, ret), account);
    api_reset(w->a);
}

static char *operator_token(void) {
    char *token = stack_file("secrets/operator");
    token[strcspn(token, "\n")] = 0;
    return token;
}

void world_make(struct world *w, const char *slug, const char *seal_code, const char *kind) {
    *w = (struct world){ .a = api_new(stack_url()) };
    must(organization_create(w->a, operator_token(), slug, stack_text("北京%s科技有限公司", slug), &w->admin), "organization");
    must(person_equip(w->a, &w->admin), "admin");
    world_person(w, "user", "张小三", "user", &w->user);
    world_person(w, "manager", "李四", "manager", &w->manager);
    world_person(w, "auditor", "王五", "auditor", &w->auditor);
    must(seal_make(w->a, &w->admin, "合同专用章", seal_code, NULL, w->seal_id), "seal");
    printer_new(w->a, &w->admin, slug, &w->printer);
    printer_run(w->a, &w->user, &w->printer, kind, NULL);
    printer_accept(w->a, &w->printer, &w->user);
    api_reset(w->a);
}

void world_done(struct world *w) {
    printer_end(&w->printer, SIGTERM);
    person_done(&w->admin);
    person_done(&w->user);
    person_done(&w->manager);
    person_done(&w->auditor);
    api_free(w->a);
}

bool world_filed(struct world *w, const char *grant_id, int facts, int ms) {
    Pb__ListFilingsReply *list;
    for (int64_t until = chop_now_ms() + ms; chop_now_ms() < until; nap_ms(30)) {
        int receipted = 0;
        if (filings_of(w->a, &w->auditor, grant_id, &list)) continue;
        for (size_t i = 0; i < list->n_filings; i++) receipted += strcmp(list->filings[i]->state, "receipted") == 0;
        if (receipted == facts * REGISTRIES) return true;
    }
    return false;
}
