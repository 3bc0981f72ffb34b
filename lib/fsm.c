#include "fsm.h"

#include <string.h>

int fsm_find(const struct fsm *m, const char *state) {
    for (size_t i = 0; i < m->n_states; i++)
        if (strcmp(m->states[i].name, state) == 0) return (int)i;
    return -1;
}

const char *fsm_name(const struct fsm *m, int state) {
    return state >= 0 && (size_t)state < m->n_states ? m->states[state].name : "";
}

static const struct fsm_move *find_move(const struct fsm *m, const char *action, int state) {
    for (size_t i = 0; i < m->n_moves; i++)
        if (strcmp(m->moves[i].action, action) == 0 && (state < 0 || (m->moves[i].from & FSM_FROM(state))))
            return &m->moves[i];
    return NULL;
}

bool fsm_has_action(const struct fsm *m, const char *action) {
    return find_move(m, action, -1) != NULL;
}

chop_err fsm_apply(const struct fsm *m, const char *state, const char *action, const char **ret_next) {
    if (!fsm_has_action(m, action)) return CHOP_FAIL(EINVAL, "action", "%s has no action of this name", m->name);
    int at = fsm_find(m, state);
    if (at < 0) return CHOP_FAIL(EINTERNAL, NULL, "%s has no state of this name", m->name);
    const struct fsm_move *move = find_move(m, action, at);
    if (!move) return CHOP_FAIL(ESTATE, NULL, "%s is %s: %s is not possible", m->name, state, action);
    *ret_next = m->states[move->to].name;
    return NULL;
}

bool fsm_may(const struct fsm *m, const char *from, const char *to) {
    int a = fsm_find(m, from), b = fsm_find(m, to);
    return a >= 0 && b >= 0 && (m->states[a].to & FSM_TO(b));
}

static bool names_unique(const struct fsm *m) {
    for (size_t i = 0; i < m->n_states; i++)
        if (!m->states[i].name || fsm_find(m, m->states[i].name) != (int)i) return false;
    return true;
}

bool fsm_valid(const struct fsm *m) {
    uint32_t reached[FSM_MAX_STATES] = { 0 };
    if (m->n_states > FSM_MAX_STATES || !names_unique(m)) return false;
    for (size_t i = 0; i < m->n_moves; i++) {
        const struct fsm_move *move = &m->moves[i];
        if (move->to < 0 || (size_t)move->to >= m->n_states || !move->from) return false;
        for (size_t s = 0; s < FSM_MAX_STATES; s++) {
            if (!(move->from & FSM_FROM(s))) continue;
            if (s >= m->n_states || find_move(m, move->action, (int)s) != move) return false;
            reached[s] |= FSM_TO(move->to);
        }
    }
    for (size_t s = 0; s < m->n_states; s++)
        if (reached[s] != m->states[s].to) return false;
    return true;
}
