#include "switches.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct switches {
    pthread_mutex_t lock;
    enum switch_mode mode;
    uint32_t left; /* 0: for ever */
};

static const char *const names[] = {
    [SWITCH_OK] = "ok",           [SWITCH_ERROR500] = "error500", [SWITCH_TIMEOUT] = "timeout",
    [SWITCH_LOSE_ANSWER] = "lose_answer", [SWITCH_REFUSE] = "refuse", [SWITCH_LIE] = "lie",
    [SWITCH_LIE_NUMBER] = "lie_number",
};

struct switches *switches_new(void) {
    struct switches *s = calloc(1, sizeof *s);
    if (s) (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

void switches_free(struct switches *s) {
    if (s) (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

chop_err switches_set(struct switches *s, const char *mode, uint32_t count) {
    for (size_t i = 0; i < CHOP_COUNT(names); i++) {
        if (strcmp(names[i], mode) != 0) continue;
        (void)pthread_mutex_lock(&s->lock);
        s->mode = (enum switch_mode)i;
        s->left = count;
        (void)pthread_mutex_unlock(&s->lock);
        return NULL;
    }
    return CHOP_FAIL(EINVAL, "mode", "no such mode");
}

enum switch_mode switches_take(struct switches *s) {
    if (!s) return SWITCH_OK;
    (void)pthread_mutex_lock(&s->lock);
    enum switch_mode mode = s->mode;
    if (s->left > 0 && --s->left == 0) s->mode = SWITCH_OK;
    (void)pthread_mutex_unlock(&s->lock);
    return mode;
}
