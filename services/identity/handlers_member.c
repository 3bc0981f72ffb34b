/* Members and credentials, to read. They change by acts only. */
#include <string.h>

#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"

#define LIST_MAX 200

/* Colleagues see whom they may choose as approver; accounts are for admin and auditor. */
static void member_mask(const struct call *c, Pb__Member *m) {
    if (rpc_has_role(c, "admin") || rpc_has_role(c, "auditor") || strcmp(m->member_id, c->who->member_id) == 0) return;
    m->account = PB_STR("");
    m->created_at = 0;
}

IDENTITY_HANDLER(list_members, Pb__ListMembersRequest, Pb__ListMembersReply) {
    struct db_rows *rows;
    unsigned set;
    if (*in->role) TRY(rules_roles("role", &in->role, 1, &set));
    if (*in->after) TRY(rpc_check_id("after", in->after, "mem"));
    TRY(rpc_check_int("limit", in->limit, 0, LIST_MAX));
    TRY(DB_QUERY(c->db, &rows, "member_list", T_(c->who->organization_id), T_(in->after), T_(in->role),
        I_(in->limit ? in->limit : LIST_MAX)));
    size_t n = db_count(rows);
    out->members = ARENA_ARRAY(c->mem, Pb__Member *, n + 1);
    if (!out->members) return CHOP_ERR(EMEMORY);
    for (out->n_members = 0; out->n_members < n; out->n_members++) {
        TRY(identity_member_read(c, rows, out->n_members, &out->members[out->n_members]));
        member_mask(c, out->members[out->n_members]);
    }
    return NULL;
}

IDENTITY_HANDLER(list_credentials, Pb__Empty, Pb__ListCredentialsReply) {
    struct db_rows *rows;
    TRY(DB_QUERY(c->db, &rows, "credential_list", T_(c->who->member_id)));
    size_t n = db_count(rows);
    out->credentials = ARENA_ARRAY(c->mem, Pb__Credential *, n + 1);
    if (!out->credentials) return CHOP_ERR(EMEMORY);
    for (out->n_credentials = 0; out->n_credentials < n; out->n_credentials++)
        TRY(identity_credential_read(c, rows, out->n_credentials, &out->credentials[out->n_credentials]));
    return NULL;
}
