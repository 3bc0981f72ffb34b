/* Any bytes: either refused, or a message whose print reads back to the same print. */
#include "pbjson.h"

#include <stdlib.h>
#include <string.h>

#include "unit_pbjson.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct arena *mem;
    if (!mem) mem = arena_new((size_t)8 << 20);
    arena_reset(mem);
    struct pbjson_limits limits = PBJSON_LIMITS;
    void *first = NULL, *second = NULL;
    struct chop_bytes once, twice;
    if (pbjson_read(&pbtest__everything__descriptor, CHOP_BYTES(data, size), &limits, mem, &first)) return 0;
    if (pbjson_print(first, mem, &once)) abort();
    if (!chop_utf8_valid((const char *)once.p, once.n)) abort();
    if (pbjson_read(&pbtest__everything__descriptor, once, &limits, mem, &second)) abort();
    if (pbjson_print(second, mem, &twice) || !chop_bytes_equal(once, twice)) abort();
    return 0;
}
