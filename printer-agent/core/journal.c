#include "core.h"

#define TO(state) (1u << NUMBER_##state)

const struct journal_fsm_row journal_fsm[NUMBER_STATES] = {
    [NUMBER_NONE] = { "none", TO(RESERVED) | TO(REFUSED) | TO(HELD) },
    [NUMBER_RESERVED] = { "reserved", TO(STARTED) | TO(REFUSED) },
    [NUMBER_STARTED] = { "started", TO(PRINTED) | TO(SPOILED) | TO(INTERRUPTED) },
    [NUMBER_PRINTED] = { "printed", 0 },
    [NUMBER_SPOILED] = { "spoiled", 0 },
    [NUMBER_REFUSED] = { "refused", 0 },
    [NUMBER_INTERRUPTED] = { "interrupted", 0 },
    [NUMBER_HELD] = { "held", TO(STARTED) | TO(RETURNED) },
    [NUMBER_RETURNED] = { "returned", 0 },
};

bool journal_may_move(enum journal_number_state from, enum journal_number_state to) {
    return from < NUMBER_STATES && to < NUMBER_STATES && (journal_fsm[from].next >> to & 1u) != 0;
}
