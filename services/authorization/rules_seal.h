/* rules_seal: what a seal may look like and what may become of it. Pure. */
#pragma once
#include "arena.h"
#include "authorization.pb-c.h"
#include "fsm.h"

/* draft, registered, active, suspended, lost, revoked, destroyed. */
extern const struct fsm seal_fsm;

/* Shapes and sizes of the field's practice (GO 1999/25 and local rules); a table, because regions differ. */
struct seal_form {
    const char *kind, *shape;
    uint32_t width_um, height_um;   /* default */
    uint32_t min_um, max_um;        /* of the width */
    uint32_t edge_um, edge_from_um; /* edge, and the wider edge of seals from 50 mm */
    uint32_t star_um;               /* 0: none */
    uint32_t organ_um;              /* wider than this is for state organs: a warning; 0: no such bound */
};
/* The kind's form with this shape ("" : its first); EINVAL naming seal_create.kind or .shape. */
chop_err rules_seal_form(const char *kind, const char *shape, const struct seal_form **ret_form) CHOP_MUSTCHECK;
/* Fills sizes that are 0 and checks them; a form keeps its proportions. */
chop_err rules_seal_size(const struct seal_form *f, uint32_t *width_um, uint32_t *height_um) CHOP_MUSTCHECK;
/* Exactly 13 digits. */
chop_err rules_seal_code(const char *code) CHOP_MUSTCHECK;
/* Whether the first two digits are a province of GB/T 2260. */
bool rules_seal_code_area(const char *code);
/* All of SealCreate but its policy and picture. */
chop_err rules_seal_create(const Pb__SealCreate *in, const struct seal_form **ret_form) CHOP_MUSTCHECK;

/* What printing would need: active, and artwork that may be shown. `uploaded`: there is no SAMPLE version. */
chop_err rules_seal_usable(const char *state, const char *filing_number, bool uploaded) CHOP_MUSTCHECK;
/* Who may lift a suspension: each registry that ordered it holds the seal; "" among the holders is the unit, where it had
 * suspended the seal itself before. Without holders a suspension is the unit's alone. */
struct order_effect {
    const char *next;           /* the seal's state */
    bool hold, release, unit;   /* the registry becomes, is no longer a holder; the unit becomes one too */
};
/* What a registry's suspend, resume, report_lost or revoke does; EINVAL for another action, ESTATE where it may not. */
chop_err rules_seal_order(const char *action, const char *state, const char *registry, const char *const *holders,
    size_t n_holders, struct order_effect *ret_effect) CHOP_MUSTCHECK;
/* The unit lifts its own suspensions only: ESTATE for "resume" while there are holders. */
chop_err rules_seal_holders(const char *action, const char *const *holders, size_t n_holders) CHOP_MUSTCHECK;
/* The state after the action of a SealChange, with its fields checked against the seal's filing number. */
chop_err rules_seal_change(
    const Pb__SealChange *in, const char *state, const char *filing_number, const char **ret_next) CHOP_MUSTCHECK;
