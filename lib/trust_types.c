#include "trust_types.h"

#include "base.h"

#include <string.h>

static const struct trust_type types[] = {
    { "manifest", TRUST_BY_ROOT, { NULL, NULL } },
    { "principal", TRUST_BY_MANIFEST, { "identity", NULL } },
    { "proof", TRUST_BY_MANIFEST, { "identity", NULL } },
    { "terminal-cert", TRUST_BY_MANIFEST, { "identity-ca", NULL } },
    { "printer-cert", TRUST_BY_MANIFEST, { "identity-ca", NULL } },
    { "ticket", TRUST_BY_MANIFEST, { "authorization", "identity" } },
    { "grant", TRUST_BY_MANIFEST, { "authorization", NULL } },
    { "allotment", TRUST_BY_MANIFEST, { "authorization", NULL } },
    { "fact", TRUST_BY_MANIFEST, { "authorization", NULL } },
    { "revocation", TRUST_BY_MANIFEST, { "authorization", NULL } },
    { "envelope", TRUST_BY_MANIFEST, { "issuance", NULL } },
    { "impression", TRUST_BY_MANIFEST, { "issuance", NULL } },
    { "mark", TRUST_BY_MANIFEST, { "issuance", NULL } },
    { "time", TRUST_BY_MANIFEST, { "bridge", NULL } },
    { "receipt", TRUST_BY_MANIFEST, { "registry", NULL } },
    { "registry-order", TRUST_BY_MANIFEST, { "registry", NULL } },
    { "order", TRUST_BY_TERMINAL, { NULL, NULL } },
    { "pair", TRUST_BY_TERMINAL, { NULL, NULL } },
    { "local-order", TRUST_BY_TERMINAL, { NULL, NULL } },
    { "challenge", TRUST_BY_PRINTER, { NULL, NULL } },
    { "report", TRUST_BY_PRINTER, { NULL, NULL } },
    { "paired", TRUST_BY_PRINTER, { NULL, NULL } },
    { "closeout", TRUST_BY_PRINTER, { NULL, NULL } },
    { "held", TRUST_BY_PRINTER, { NULL, NULL } },
};

const struct trust_type *trust_type_find(const char *name) {
    for (size_t i = 0; i < CHOP_COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0) return &types[i];
    return NULL;
}

bool trust_type_allows(const struct trust_type *type, const char *purpose) {
    for (size_t i = 0; i < CHOP_COUNT(type->purposes) && type->purposes[i]; i++)
        if (strcmp(type->purposes[i], purpose) == 0) return true;
    return false;
}
