/* limit: token buckets by key in a table of fixed size: what a stranger sends cannot make it grow. */
#pragma once
#include "base.h"

struct limit;
/* `rate` tokens a second up to `burst`; rate 0 lets everything pass. NULL when memory is out. */
struct limit *limit_new(int64_t rate, int64_t burst);
void limit_free(struct limit *l);
/* Takes `cost` tokens of the key's bucket; false, and after how many seconds to come again, when they are not there. */
bool limit_take(struct limit *l, struct chop_bytes key, int64_t cost, int64_t now_ns, int64_t *ret_wait_s);
