/* Reading what others can check too: verdicts, facts, keys. */
#include "cli.h"
#include "out.h"

#include "authorization.pb-c.h"
#include "common.pb-c.h"
#include "verification.pb-c.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

chop_err cmd_verdict_shown(struct cli *c, void *out) {
    const Pb__Verdict *v = out;
    bool genuine = strcmp(v->verdict, "genuine") == 0;
    if (!genuine) c->status = EXIT_NOT_GENUINE;
    if (!c->json) out_message(stdout, v, 0, c->mem);
    return NULL;
}

/* ---- facts: each signature, and that each names the one before it ---- */

static chop_err check_fact(struct cli *c, const struct trust *trust, const Pb__Fact *f, const Pb__Fact *before) {
    uint8_t digest[32];
    Pb__FactStatement *s;
    if (!f->statement) return CHOP_FAIL(EPEER, f->fact_id, "a fact without its statement");
    chop_err e = trust_verify(trust, f->statement, "fact", chop_now_ms(), NULL);
    if (e == CHOP_ERR(EEXPIRED)) e = trust_verify(trust, f->statement, "fact", f->at, NULL);
    TRY(e);
    TRY(PB_UNPACK(pb__fact_statement, PB_BYTES(f->statement->payload), c->mem, &s));
    if (strcmp(s->fact_id, f->fact_id) != 0 || s->seal_seq != f->seal_seq || s->at != f->at || strcmp(s->kind, f->kind) != 0)
        return CHOP_FAIL(EMISMATCH, f->fact_id, "the list says something else than the signed fact");
    if (!before || before->seal_seq + 1 != f->seal_seq || strcmp(before->seal_id, f->seal_id) != 0) return NULL;
    crypto_sha256(PB_BYTES(before->statement->payload), digest);
    if (!chop_bytes_equal(PB_BYTES(s->previous_digest), CHOP_BYTES(digest, 32)))
        return CHOP_FAIL(EMISMATCH, f->fact_id, "does not continue the fact before it");
    return NULL;
}

chop_err cmd_facts_shown(struct cli *c, void *out) {
    const Pb__ListFactsReply *r = out;
    const struct trust *trust;
    TRY(pin_trust(c, &trust));
    for (size_t i = 0; i < r->n_facts; i++) TRY(check_fact(c, trust, r->facts[i], i ? r->facts[i - 1] : NULL));
    if (!c->json && r->n_facts) out_table((void *const *)r->facts, r->n_facts, c->command->columns, c->mem);
    fprintf(stderr, "chop: %zu facts, all signatures and links verify\n", r->n_facts);
    return NULL;
}

/* ---- keys ---- */

static chop_err save_copy(struct cli *c, const char *dir, const char *name) {
    struct chop_bytes b;
    TRY(local_read(c, profile_path(c, name), (size_t)2 << 20, &b));
    return local_write(c, arena_printf(c->mem, "%s/%s", dir, name), b);
}

chop_err cmd_keys(struct cli *c) {
    const struct trust *trust;
    const char *save = cli_option(c, "save");
    struct chop_bytes packed;
    Pb__Signed *s;
    Pb__KeyManifest *m;
    TRY(pin_trust(c, &trust));
    if (save) {
        if (mkdir(save, 0755) != 0 && errno != EEXIST) return CHOP_FAIL(EINVAL, NULL, "%s: %s", save, strerror(errno));
        TRY(save_copy(c, save, "root.spki"));
        TRY(save_copy(c, save, "manifest.signed"));
    }
    TRY(local_read(c, profile_path(c, "manifest.signed"), (size_t)2 << 20, &packed)); /* verified when it was pinned */
    TRY(PB_UNPACK(pb__signed, packed, c->mem, &s));
    TRY(PB_UNPACK(pb__key_manifest, PB_BYTES(s->payload), c->mem, &m));
    if (!c->json) printf("manifest version %llu\n", (unsigned long long)m->version);
    if (c->json)
        printf("{\"version\":%llu,\"keys\":%zu}\n", (unsigned long long)m->version, m->n_entries);
    else
        out_table((void *const *)m->entries, m->n_entries, "kid purpose name algorithm not_before not_after revoked_at", c->mem);
    return NULL;
}
