#include "cli.h"
#include "field.h"

#include "authorization.pb-c.h"

#include <stdio.h>
#include <string.h>

static bool named(const struct cli *c, const char *field) {
    const char *path = arena_printf(c->mem, "policy.%s", field);
    for (size_t i = 0; i < c->n_values; i++)
        if (c->values[i].row->field && strcmp(c->values[i].row->field, path) == 0) return true;
    return false;
}

/* A policy is put as a whole: what the line does not name is taken from the present one. */
chop_err cmd_seal_policy(struct cli *c, void *in_) {
    Pb__PolicyPut *in = in_;
    Pb__GetSealRequest ask = PB__GET_SEAL_REQUEST__INIT;
    Pb__Seal *seal;
    ask.seal_id = in->seal_id;
    TRY(api_call(c, "GET", "/v1/seals/{seal_id}", &ask, &pb__seal__descriptor, &seal));
    if (!in->policy) return CHOP_FAIL(EINVAL, NULL, "nothing to change is named");
    const ProtobufCMessageDescriptor *d = &pb__policy__descriptor;
    for (unsigned i = 0; seal->policy && i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        if (strcmp(f->name, "version") != 0 && !named(c, f->name)) field_copy(in->policy, seal->policy, f);
    }
    return NULL;
}
