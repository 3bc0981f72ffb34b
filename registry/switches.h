/* switches: how a registry under test misbehaves. Thread-safe. */
#pragma once
#include "base.h"

enum switch_mode {
    SWITCH_OK,
    SWITCH_ERROR500,    /* answers 500, stores nothing */
    SWITCH_TIMEOUT,     /* stores nothing and does not answer */
    SWITCH_LOSE_ANSWER, /* stores, then drops the connection */
    SWITCH_REFUSE,      /* answers 422, stores nothing */
    SWITCH_LIE,         /* stores, but signs a receipt with another digest */
    SWITCH_LIE_NUMBER,  /* stores, but signs a receipt for another seal_seq */
};
struct switches;
struct switches *switches_new(void);
void switches_free(struct switches *s);
/* For the next `count` filings; 0: until switched again. EINVAL for an unknown mode. */
chop_err switches_set(struct switches *s, const char *mode, uint32_t count) CHOP_MUSTCHECK;
/* The mode of the next filing. s may be NULL. */
enum switch_mode switches_take(struct switches *s);
