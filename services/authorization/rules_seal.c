#include "rules_seal.h"

#include <string.h>

#include "rpc.h"

enum { DRAFT, REGISTERED, ACTIVE, SUSPENDED, LOST, REVOKED, DESTROYED };
static const struct fsm_state states[] = {
    [DRAFT] = { "draft", FSM_TO(REGISTERED) | FSM_TO(ACTIVE) | FSM_TO(DESTROYED) },
    [REGISTERED] = { "registered", FSM_TO(ACTIVE) | FSM_TO(LOST) | FSM_TO(REVOKED) },
    /* a seal that prints SAMPLE may be registered while it is in use */
    [ACTIVE] = { "active", FSM_TO(ACTIVE) | FSM_TO(SUSPENDED) | FSM_TO(LOST) | FSM_TO(REVOKED) },
    [SUSPENDED] = { "suspended", FSM_TO(SUSPENDED) | FSM_TO(ACTIVE) | FSM_TO(LOST) | FSM_TO(REVOKED) },
    [LOST] = { "lost", FSM_TO(SUSPENDED) | FSM_TO(REVOKED) | FSM_TO(DESTROYED) },
    [REVOKED] = { "revoked", FSM_TO(DESTROYED) },
    [DESTROYED] = { "destroyed", 0 },
};
static const struct fsm_move moves[] = {
    { "register", FSM_FROM(DRAFT), REGISTERED },
    { "register", FSM_FROM(ACTIVE), ACTIVE },
    { "register", FSM_FROM(SUSPENDED), SUSPENDED },
    { "activate", FSM_FROM(DRAFT) | FSM_FROM(REGISTERED), ACTIVE },
    { "suspend", FSM_FROM(ACTIVE), SUSPENDED },
    { "resume", FSM_FROM(SUSPENDED), ACTIVE },
    { "report_lost", FSM_FROM(REGISTERED) | FSM_FROM(ACTIVE) | FSM_FROM(SUSPENDED), LOST },
    /* who finds it looks at it first: it comes back suspended */
    { "recover", FSM_FROM(LOST), SUSPENDED },
    { "revoke", FSM_FROM(REGISTERED) | FSM_FROM(ACTIVE) | FSM_FROM(SUSPENDED) | FSM_FROM(LOST), REVOKED },
    { "destroy", FSM_FROM(DRAFT) | FSM_FROM(LOST) | FSM_FROM(REVOKED), DESTROYED },
};
const struct fsm seal_fsm = FSM("seal", states, moves);

static const struct seal_form forms[] = {
    { "official", "round", 40000, 40000, 38000, 60000, 1000, 1500, 14000, 45000 },
    { "official", "ellipse", 45000, 30000, 45000, 45000, 1000, 1000, 0, 0 },
    { "contract", "round", 38000, 38000, 38000, 58000, 1000, 1500, 12000, 0 },
    { "finance", "round", 38000, 38000, 36000, 40000, 1000, 1000, 12000, 0 },
    { "invoice", "ellipse", 40000, 30000, 40000, 40000, 1000, 1000, 0, 0 },
    { "legal_rep", "square", 20000, 20000, 18000, 25000, 1000, 1000, 0, 0 },
};

chop_err rules_seal_form(const char *kind, const char *shape, const struct seal_form **ret_form) {
    bool known = false;
    for (size_t i = 0; i < CHOP_COUNT(forms); i++) {
        if (strcmp(forms[i].kind, kind) != 0) continue;
        known = true;
        if (*shape && strcmp(forms[i].shape, shape) != 0) continue;
        *ret_form = &forms[i];
        return NULL;
    }
    if (known) return CHOP_FAIL(EINVAL, "seal_create.shape", "a seal of this kind has another shape");
    return CHOP_FAIL(EINVAL, "seal_create.kind", "wants official, contract, finance, invoice or legal_rep");
}

chop_err rules_seal_size(const struct seal_form *f, uint32_t *width_um, uint32_t *height_um) {
    uint32_t width = *width_um ? *width_um : f->width_um;
    TRY(rpc_check_int("seal_create.width_um", width, f->min_um, f->max_um));
    uint32_t height = (uint32_t)((uint64_t)width * f->height_um / f->width_um);
    if (*height_um && *height_um != height)
        return CHOP_FAIL(EINVAL, "seal_create.height_um", "%u um wide is %u um high for this kind", width, height);
    *width_um = width;
    *height_um = height;
    return NULL;
}

static bool all_of(const char *text, size_t min, size_t max, bool capitals) {
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(capitals && text[i] >= 'A' && text[i] <= 'Z')) return false;
    return n >= min && n <= max;
}

chop_err rules_seal_code(const char *code) {
    if (!all_of(code, 13, 13, false)) return CHOP_FAIL(EINVAL, "seal_create.code", "a seal code has exactly 13 digits");
    return NULL;
}

bool rules_seal_code_area(const char *code) {
    static const char areas[] = "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
                                "61 62 63 64 65 71 81 82";
    for (const char *p = areas; *p && p[1]; p += p[2] ? 3 : 2)
        if (strncmp(p, code, 2) == 0) return true;
    return false;
}

static chop_err check_texts(const Pb__SealCreate *in) {
    const bool drawn = in->png.len == 0;
    TRY(rpc_check_len("seal_create.name", in->name, 1, 120));
    TRY(rpc_check_len("seal_create.ring_text", in->ring_text, 0, 120));
    TRY(rpc_check_len("seal_create.center_text", in->center_text, 0, 36));
    if (*in->tax_number && !all_of(in->tax_number, 15, 20, true))
        return CHOP_FAIL(EINVAL, "seal_create.tax_number", "has 15 to 20 digits and capitals");
    if (drawn && strcmp(in->kind, "invoice") == 0 && !*in->tax_number)
        return CHOP_FAIL(EINVAL, "seal_create.tax_number", "an invoice seal shows its unit's tax number");
    if (drawn && strcmp(in->kind, "legal_rep") == 0 && !*in->ring_text)
        return CHOP_FAIL(EINVAL, "seal_create.ring_text", "a name seal shows the representative's name");
    return NULL;
}

chop_err rules_seal_create(const Pb__SealCreate *in, const struct seal_form **ret_form) {
    TRY(rules_seal_code(in->code));
    TRY(check_texts(in));
    if (in->png.len > (size_t)1 << 20) return CHOP_FAIL(ELIMIT, "seal_create.png", "is larger than 1 MiB");
    return rules_seal_form(in->kind, in->shape, ret_form);
}

chop_err rules_seal_usable(const char *state, const char *filing_number, bool uploaded) {
    if (strcmp(state, "active") != 0) return CHOP_FAIL(ESTATE, NULL, "the seal is %s", state);
    if (uploaded && !*filing_number)
        return CHOP_FAIL(
            ESTATE, NULL, "an uploaded seal has no SAMPLE version: it prints once its filing number is recorded");
    return NULL;
}

chop_err rules_seal_change(
    const Pb__SealChange *in, const char *state, const char *filing_number, const char **ret_next) {
    const bool registers = strcmp(in->action, "register") == 0;
    TRY(rpc_check_len("seal_change.reason", in->reason, 0, 500));
    TRY(rpc_check_len("seal_change.filing_number", in->filing_number, registers ? 1 : 0, registers ? 64 : 0));
    if (registers && *filing_number) return CHOP_FAIL(ESTATE, NULL, "the seal has a filing number already");
    return fsm_apply(&seal_fsm, state, in->action, ret_next);
}

/* ---- registries' orders ---- */

static bool holds(const char *const *holders, size_t n, const char *registry) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(holders[i], registry) == 0) return true;
    return false;
}

chop_err rules_seal_order(const char *action, const char *state, const char *registry, const char *const *holders,
    size_t n_holders, struct order_effect *ret_effect) {
    const bool held = holds(holders, n_holders, registry), suspend = strcmp(action, "suspend") == 0,
               resume = strcmp(action, "resume") == 0;
    struct order_effect x = { .hold = suspend, .release = resume };
    if (!suspend && !resume && strcmp(action, "report_lost") != 0 && strcmp(action, "revoke") != 0)
        return CHOP_FAIL(EINVAL, "action", "is not a registry's to order");
    if (suspend && held) return CHOP_FAIL(ESTATE, NULL, "the seal is suspended by its order already");
    if (resume && !held) return CHOP_FAIL(ESTATE, NULL, "the seal is not suspended by its order");
    /* Suspended by somebody else: the state stays, and now it takes both to lift it. */
    if ((suspend && strcmp(state, "suspended") == 0) || (resume && n_holders > 1 && strcmp(state, "suspended") == 0)) {
        x.next = "suspended";
        x.unit = suspend && n_holders == 0;
    } else {
        TRY(fsm_apply(&seal_fsm, state, action, &x.next));
    }
    *ret_effect = x;
    return NULL;
}

chop_err rules_seal_holders(const char *action, const char *const *holders, size_t n_holders) {
    if (n_holders == 0 || strcmp(action, "resume") != 0) return NULL;
    return CHOP_FAIL(ESTATE, NULL, "the seal is suspended by order of %s", *holders[n_holders - 1] ? holders[n_holders - 1] : "a registry");
}
