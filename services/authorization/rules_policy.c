#include "rules_policy.h"

#include <stdio.h>
#include <string.h>

#include "rpc.h"

#define MAX_CLAUSES 8
#define MAX_MEMBERS 50
#define MAX_REGISTRIES 10

static bool made_of(const char *s, const char *letters) {
    size_t n = strlen(s);
    return n >= 1 && n <= 32 && strspn(s, letters) == n;
}

bool rules_registry_name(const char *name) {
    return made_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
}

bool rules_foreign_id(const char *id) {
    return made_of(id, "abcdefghijklmnopqrstuvwxyz0123456789_");
}

bool rules_list_has(char *const *list, size_t n, const char *item) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], item) == 0) return true;
    return false;
}

static bool factor_known(const char *name) {
    static const char *const factors[] = { "password", "key", "fingerprint", "face", "realname", "alipay", "wechat",
        "oidc" };
    for (size_t i = 0; i < CHOP_COUNT(factors); i++)
        if (strcmp(factors[i], name) == 0) return true;
    return false;
}

/* ---- which factors ---- */
static char *soft_factors[] = { "password", "key" };
static char *hard_factors[] = { "key", "fingerprint", "face" };
static Pb__Clause soft = { PROTOBUF_C_MESSAGE_INIT(&pb__clause__descriptor), CHOP_COUNT(soft_factors), soft_factors };
static Pb__Clause hard = { PROTOBUF_C_MESSAGE_INIT(&pb__clause__descriptor), CHOP_COUNT(hard_factors), hard_factors };
static Pb__Clause *soft_list[] = { &soft }, *hard_list[] = { &hard };

struct clauses rules_policy_clauses(const Pb__Policy *p, enum policy_step step) {
    if (p && step == STEP_REQUEST && p->n_request_clauses)
        return (struct clauses){ p->request_clauses, p->n_request_clauses };
    if (p && step == STEP_DECIDE && p->n_decide_clauses)
        return (struct clauses){ p->decide_clauses, p->n_decide_clauses };
    if (p && step == STEP_SIGN && p->n_sign_clauses) return (struct clauses){ p->sign_clauses, p->n_sign_clauses };
    if (p && step == STEP_PRINT && p->n_print_clauses) return (struct clauses){ p->print_clauses, p->n_print_clauses };
    if (p && step == STEP_ADMIN && p->n_admin_clauses) return (struct clauses){ p->admin_clauses, p->n_admin_clauses };
    if (step == STEP_SIGN) return rules_policy_clauses(p, STEP_DECIDE);
    return step == STEP_REQUEST || step == STEP_ADMIN ? (struct clauses){ soft_list, 1 }
                                                      : (struct clauses){ hard_list, 1 };
}

/* ---- checks ---- */
struct field { /* "seal_create.policy" + "." + name, for errors */
    char text[80];
};
static struct field under(const char *path, const char *name) {
    struct field f;
    snprintf(f.text, sizeof f.text, "%s.%s", path, name);
    return f;
}

static chop_err check_clauses(const char *path, const char *name, Pb__Clause *const *list, size_t n) {
    const struct field f = under(path, name);
    if (n > MAX_CLAUSES) return CHOP_FAIL(ELIMIT, f.text, "more than %d clauses", MAX_CLAUSES);
    for (size_t i = 0; i < n; i++) {
        TRY(rpc_check_int(f.text, (int64_t)list[i]->n_factors, 1, 8));
        for (size_t k = 0; k < list[i]->n_factors; k++)
            if (!factor_known(list[i]->factors[k])) return CHOP_FAIL(EINVAL, f.text, "there is no factor of this name");
    }
    return NULL;
}

static chop_err check_list(
    const char *path, const char *name, char *const *list, size_t n, size_t max, bool (*valid)(const char *)) {
    const struct field f = under(path, name);
    if (n > max) return CHOP_FAIL(ELIMIT, f.text, "more than %zu entries", max);
    for (size_t i = 0; i < n; i++) {
        if (!valid(list[i])) return CHOP_FAIL(EINVAL, f.text, "an entry is malformed");
        if (rules_list_has(list, i, list[i])) return CHOP_FAIL(EINVAL, f.text, "an entry is there twice");
    }
    return NULL;
}

static chop_err fill_int(const char *path, const char *name, uint32_t *value, uint32_t fallback, uint32_t max) {
    if (*value == 0) *value = fallback;
    return rpc_check_int(under(path, name).text, *value, fallback ? 1 : 0, max);
}

static chop_err check_all_clauses(const char *path, const Pb__Policy *p) {
    TRY(check_clauses(path, "request_clauses", p->request_clauses, p->n_request_clauses));
    TRY(check_clauses(path, "decide_clauses", p->decide_clauses, p->n_decide_clauses));
    TRY(check_clauses(path, "sign_clauses", p->sign_clauses, p->n_sign_clauses));
    TRY(check_clauses(path, "print_clauses", p->print_clauses, p->n_print_clauses));
    return check_clauses(path, "admin_clauses", p->admin_clauses, p->n_admin_clauses);
}

static chop_err check_lists(const char *path, const Pb__Policy *p) {
    TRY(check_list(path, "approver_ids", p->approver_ids, p->n_approver_ids, MAX_MEMBERS, rules_foreign_id));
    TRY(check_list(path, "requester_ids", p->requester_ids, p->n_requester_ids, MAX_MEMBERS, rules_foreign_id));
    TRY(check_list(path, "registries", p->registries, p->n_registries, MAX_REGISTRIES, rules_registry_name));
    TRY(check_list(path, "gate", p->gate, p->n_gate, MAX_REGISTRIES, rules_registry_name));
    for (size_t i = 0; i < p->n_gate && p->n_registries; i++)
        if (!rules_list_has(p->registries, p->n_registries, p->gate[i]))
            return CHOP_FAIL(EINVAL, under(path, "gate").text, "waits for a registry that is not filed with");
    return NULL;
}

static chop_err check_approvals(const char *path, const Pb__Policy *p) {
    if (p->n_approver_ids && p->approvals_needed > p->n_approver_ids)
        return CHOP_FAIL(EINVAL, under(path, "approvals_needed").text, "more approvals than approvers");
    if (p->ordered && !p->n_approver_ids)
        return CHOP_FAIL(EINVAL, under(path, "approver_ids").text, "an order needs a list of approvers");
    return NULL;
}

chop_err rules_policy_fill(
    const char *path, const Pb__Policy *in, uint32_t version, struct arena *mem, Pb__Policy **ret_policy) {
    Pb__Policy *p = ARENA_NEW(mem, Pb__Policy);
    if (!p) return CHOP_ERR(EMEMORY);
    if (in)
        *p = *in;
    else
        pb__policy__init(p);
    p->version = version;
    TRY(fill_int(path, "approvals_needed", &p->approvals_needed, 1, 10));
    TRY(fill_int(path, "max_copies", &p->max_copies, 20, 1000));
    TRY(fill_int(path, "window_hours", &p->window_hours, 72, 8760));
    TRY(fill_int(path, "request_hours", &p->request_hours, 168, 8760));
    TRY(fill_int(path, "offline_hours", &p->offline_hours, 24, 72));
    TRY(fill_int(path, "server_time_hours", &p->server_time_hours, 24, 168));
    TRY(fill_int(path, "spoil_allowance", &p->spoil_allowance, 0, 100));
    TRY(check_all_clauses(path, p));
    TRY(check_lists(path, p));
    TRY(check_approvals(path, p));
    *ret_policy = p;
    return NULL;
}
