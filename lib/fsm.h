/* fsm: state machines as data. A machine has states, each with the states that may follow it, and moves: an action
 * leads from any of some states to one. Both are said, so that each checks the other (fsm_valid, in every test).
 *
 *   static const struct fsm_state states[] = { [OPEN] = { "open", FSM_TO(CLOSED) }, [CLOSED] = { "closed", 0 } };
 *   static const struct fsm_move moves[] = { { "close", FSM_FROM(OPEN), CLOSED } };
 *   static const struct fsm door = FSM("door", states, moves);
 */
#pragma once
#include "base.h"

#define FSM_TO(state) (1u << (state))
#define FSM_FROM(state) (1u << (state))
#define FSM_MAX_STATES 32

struct fsm_state {
    const char *name; /* as stored and shown */
    uint32_t to;      /* FSM_TO of every state that may follow */
};
struct fsm_move {
    const char *action;
    uint32_t from; /* FSM_FROM of every state in which the action is allowed */
    int to;
};
struct fsm {
    const char *name; /* names the field in errors: "seal" */
    const struct fsm_state *states;
    size_t n_states;
    const struct fsm_move *moves;
    size_t n_moves;
};
#define FSM(name, states, moves)                                                                                       \
    { (name), (states), CHOP_COUNT(states), (moves), CHOP_COUNT(moves) }

/* Index of a state; -1 where there is none of this name. */
int fsm_find(const struct fsm *m, const char *state);
/* "" for an index outside of the machine. */
const char *fsm_name(const struct fsm *m, int state);
/* Whether the machine has a move of this name at all. */
bool fsm_has_action(const struct fsm *m, const char *action);
/* The state after the action: EINVAL for an unknown action, EINTERNAL for an unknown state, ESTATE where this state
 * does not allow it. ret_next points to the machine's own text. */
chop_err fsm_apply(const struct fsm *m, const char *state, const char *action, const char **ret_next) CHOP_MUSTCHECK;
/* Whether `to` may follow `from`. */
bool fsm_may(const struct fsm *m, const char *from, const char *to);
/* Whether states and moves agree: names unique, targets exist, each move is an allowed succession and each allowed
 * succession has a move. */
bool fsm_valid(const struct fsm *m);
