/* trust_types: who may sign what (design 4), as data. */
#pragma once
#include <stdbool.h>

enum trust_signer { TRUST_BY_ROOT = 1, TRUST_BY_MANIFEST, TRUST_BY_TERMINAL, TRUST_BY_PRINTER };

struct trust_type {
    const char *name;
    enum trust_signer signer;
    const char *purposes[2]; /* of TRUST_BY_MANIFEST: the entry's purpose is one of these */
};
/* NULL where there is no such type. */
const struct trust_type *trust_type_find(const char *name);
bool trust_type_allows(const struct trust_type *type, const char *purpose);
