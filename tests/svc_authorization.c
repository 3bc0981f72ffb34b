/* Authorization as a program: seals, requests, decisions, signatures, proofs, files, and all that must be refused. */
#include "svc_authorization_world.h"

/* ---- seals ---- */
static void test_seal_create(void **state) {
    (void)state;
    const char *code = world_code();
    Pb__CommitActReply *out;
    Pb__PrepareActReply *r;
    FAILS(world_prepare(&admin, PARAMS(SEAL_CREATE, world_seal_params("310104000001", NULL)), &r), EINVAL);
    assert_string_equal(chop_detail_field(), "seal_create.code");
    FAILS(world_prepare(&user, PARAMS(SEAL_CREATE, world_seal_params(code, NULL)), &r), EDENIED);
    WORKS(world_act(&admin, PARAMS(SEAL_CREATE, world_seal_params(code, NULL)), &out));
    assert_string_equal(out->seal->state, "draft");
    assert_int_equal(out->seal->width_um, 38000);
    assert_int_equal(out->seal->n_warnings, 0);
    assert_int_equal(out->seal->policy->max_copies, 20);
    FAILS(world_act(&admin, PARAMS(SEAL_CREATE, world_seal_params(code, NULL)), NULL), EEXISTS);
    FAILS(world_act(&stranger, PARAMS(SEAL_CREATE, world_seal_params(code, NULL)), NULL), EEXISTS);
    WORKS(world_act(&admin, PARAMS(SEAL_CREATE, world_seal_params("9901040000001", NULL)), &out));
    assert_int_equal(out->seal->n_warnings, 1);
}

static chop_err get_artwork(const struct person *p, const char *digest, Pb__Artwork **ret) {
    Pb__GetArtworkRequest in = PB__GET_ARTWORK_REQUEST__INIT;
    in.artwork_digest = TEXT(digest);
    return CALL("GetArtwork", &in, p, ret);
}

static void test_seal_artwork(void **state) {
    (void)state;
    Pb__Seal *s;
    Pb__Artwork *art;
    uint8_t digest[32];
    char hex[65];
    const char *seal_id = world_seal(&admin, NULL);
    Pb__GetSealRequest in = PB__GET_SEAL_REQUEST__INIT;
    in.seal_id = TEXT(seal_id);
    WORKS(CALL("GetSeal", &in, &user, &s));
    assert_string_equal(s->state, "active");
    const char *sample = s->artwork_digest;
    WORKS(get_artwork(&user, sample, &art));
    crypto_sha256(PB_BYTES(art->outline), digest);
    chop_hex(digest, 32, hex);
    assert_string_equal(hex, sample);
    FAILS(get_artwork(&stranger, sample, &art), ENOTFOUND);
    FAILS(CALL("GetSeal", &in, &stranger, &s), ENOTFOUND);
    WORKS(world_seal_change(&admin, seal_id, "register", &s));
    assert_string_not_equal(s->artwork_digest, sample);
    assert_string_equal(s->filing_number, "沪公备2026-001");
    FAILS(world_seal_change(&admin, seal_id, "register", NULL), ESTATE);
    FAILS(world_seal_change(&admin, seal_id, "destroy", NULL), ESTATE);
    FAILS(world_seal_change(&stranger, seal_id, "suspend", NULL), ENOTFOUND);
    FAILS(world_seal_change(&manager, seal_id, "suspend", NULL), EDENIED);
    assert_int_equal(world_check_facts(&auditor, seal_id), 3);
}

static void test_preview(void **state) {
    (void)state;
    Pb__PreviewArtworkRequest in = PB__PREVIEW_ARTWORK_REQUEST__INIT;
    Pb__HttpPage *page;
    in.seal = world_seal_params("3101040099999", NULL);
    WORKS(CALL("PreviewArtwork", &in, &admin, &page));
    assert_int_equal(page->status, 200);
    assert_true(page->body.len > 100 && memcmp(page->body.data, "\x89PNG", 4) == 0);
    FAILS(CALL("PreviewArtwork", &in, &user, &page), EDENIED);
}

/* An uploaded picture has no SAMPLE version: it is of no use until its filing number is recorded. */
static void test_upload(void **state) {
    (void)state;
    Pb__PreviewArtworkRequest in = PB__PREVIEW_ARTWORK_REQUEST__INIT;
    Pb__HttpPage *page;
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    Pb__SealCreate *m = world_seal_params(world_code(), NULL);
    uint8_t rubbish[] = "\x89PNG\r\n\x1a\n and then nothing of the kind";
    in.seal = m;
    WORKS(CALL("PreviewArtwork", &in, &admin, &page));
    m->png = page->body;
    WORKS(world_prepare(&admin, PARAMS(SEAL_CREATE, m), &r));
    assert_int_equal(world_content(r)->seal_create->png.len, 0);
    WORKS(world_commit(&admin, r->act_id, world_proof(&admin, r, "key"), &out));
    const char *seal_id = out->seal->seal_id;
    WORKS(world_seal_change(&admin, seal_id, "activate", NULL));
    FAILS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r), ESTATE);
    WORKS(world_seal_change(&admin, seal_id, "register", NULL));
    WORKS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r));
    m = world_seal_params(world_code(), NULL);
    m->png = PB_BIN(CHOP_BYTES(rubbish, sizeof rubbish));
    FAILS(world_prepare(&admin, PARAMS(SEAL_CREATE, m), &r), EINVAL);
}

/* ---- the whole way ---- */
static void test_flow(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    WORKS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 2)), &r));
    Pb__ActContent *shown = world_content(r);
    assert_string_equal(shown->kind, "request");
    assert_string_equal(shown->seal_name, "合同专用章");
    assert_string_equal(shown->requester_name, "张三");
    assert_string_equal(shown->document->title, "采购合同");
    assert_int_equal(shown->copies, 2);
    assert_int_equal(r->n_clauses, 1);
    assert_string_equal(r->clauses[0]->factors[0], "password");
    WORKS(world_commit(&user, r->act_id, world_proof(&user, r, "password"), &out));
    const char *request_id = out->request->request_id;
    uint8_t digest[32];
    char hex[65];
    crypto_sha256(PB_BYTES(r->content), digest);
    chop_hex(digest, 32, hex);

    WORKS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(request_id, "approve")), &r));
    assert_string_equal(world_content(r)->request_digest, hex); /* bound to what the requester saw */
    WORKS(world_commit(&manager, r->act_id, world_proof(&manager, r, "key"), &out));
    assert_string_equal(out->request->state, "granted");
    assert_int_equal(out->request->n_decisions, 1);
    const char *grant_id = out->request->grant_id;

    Pb__Grant *g = world_get_grant(&user, grant_id);
    Pb__Signed *s;
    Pb__GrantStatement *m;
    WORKS(trust_verify_packed(fixture_trust(), PB_BYTES(g->statement), "grant", chop_now_ms(), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__grant_statement, PB_BYTES(s->payload), fixture_mem(), &m));
    assert_string_equal(m->member_id, "mem_user");
    assert_int_equal(m->copies, 2);
    assert_true(m->sample); /* no filing number was recorded */
    assert_memory_equal(m->request_digest.data, digest, 32);
    assert_int_equal(m->n_approvals, 1);
    assert_string_equal(m->approvals[0]->member_name, "王总");
    assert_string_equal(g->state, "open");

    Pb__AllotmentStatement *a = world_print(&user, grant_id, printer, 1);
    assert_int_equal(a->n_numbers, 1);
    assert_int_equal(a->numbers[0], 1);
    assert_string_equal(a->terminal_id, "term_2");
    assert_true(a->not_after <= a->allotted_at + 1800000 && a->not_after > a->allotted_at);
    assert_string_equal(world_number_state(grant_id, 1), "reserved");
    world_report(printer, a, 1, "printed");
    assert_string_equal(world_number_state(grant_id, 1), "printed");
    a = world_print(&user, grant_id, printer, 1);
    assert_int_equal(a->numbers[0], 2);
    world_report(printer, a, 2, "printed");
    g = world_get_grant(&manager, grant_id);
    assert_string_equal(g->state, "exhausted");
    assert_int_equal(g->remaining, 0);
    /* draft, active, given, 2 commanded, 2 printed */
    assert_int_equal(world_check_facts(&auditor, seal_id), 7);
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM outbox WHERE type = 'authorization.fact.filed' AND "
                                              "key = '%s'",
                         seal_id)),
        7);
    assert_int_equal(
        world_count(fixture_text("SELECT count(*) FROM outbox WHERE type = 'authorization.impression.settled' "
                                 "AND key = '%s'",
            seal_id)),
        2);
}

/* ---- what is refused at the request ---- */
static void test_request_refused(void **state) {
    (void)state;
    Pb__PrepareActReply *r;
    const char *seal_id = world_seal(&admin, NULL);
    FAILS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 0)), &r), EINVAL);
    assert_string_equal(chop_detail_field(), "request.copies");
    FAILS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 1000000)), &r), EINVAL);
    FAILS(world_prepare(&manager, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r), EDENIED);
    FAILS(world_prepare(&stranger, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r), ENOTFOUND);
    Pb__PrepareActRequest none = PB__PREPARE_ACT_REQUEST__INIT;
    FAILS(world_prepare(&user, &none, &r), EINVAL);
    WORKS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r));
    WORKS(world_seal_change(&admin, seal_id, "suspend", NULL));
    FAILS(world_commit(&user, r->act_id, world_proof(&user, r, "key"), NULL), ESTATE);
    FAILS(world_prepare(&user, PARAMS(REQUEST, world_request_params(seal_id, 1)), &r), ESTATE);
}

static void test_decide_refused(void **state) {
    (void)state;
    Pb__PrepareActReply *r;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&both, seal_id, 3);
    FAILS(world_prepare(&both, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EDENIED); /* self-approval */
    FAILS(world_prepare(&user, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EDENIED);
    FAILS(world_prepare(&stranger, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), ENOTFOUND);
    FAILS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "reject")), &r), EINVAL);
    Pb__Decide *more = world_decide_params(id, "approve");
    more->copies = 4;
    FAILS(world_prepare(&manager, PARAMS(DECIDE, more), &r), EOVERRUN);
    Pb__Decide *no = world_decide_params(id, "reject");
    Pb__CommitActReply *out;
    no->reason = TEXT("金额不符");
    WORKS(world_act(&manager, PARAMS(DECIDE, no), &out));
    assert_string_equal(out->request->state, "rejected");
    assert_string_equal(out->request->decisions[0]->reason, "金额不符");
    FAILS(world_prepare(&manager2, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), ESTATE);
}

static void test_reduced(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 5);
    Pb__Decide *d = world_decide_params(id, "approve");
    char *printers[] = { TEXT(printer->id) };
    Pb__CommitActReply *out;
    d->copies = 2;
    d->not_after = chop_now_ms() + 3600000;
    d->printer_ids = printers;
    d->n_printer_ids = 1;
    WORKS(world_act(&manager, PARAMS(DECIDE, d), &out));
    Pb__Grant *g = world_get_grant(&user, out->request->grant_id);
    assert_int_equal(g->copies, 2);
    assert_int_equal(g->not_after, d->not_after);
    struct printer *another = world_printer("org_a");
    Pb__PrepareActReply *r;
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(g->grant_id, another, 1)), &r), EDENIED);
}

/* ---- two of two, in order ---- */
static size_t inbox(const struct person *p, const char *request_id) {
    Pb__ListRequestsRequest in = PB__LIST_REQUESTS_REQUEST__INIT;
    Pb__ListRequestsReply *out;
    size_t n = 0;
    in.view = TEXT("inbox");
    in.limit = 100;
    WORKS(CALL("ListRequests", &in, p, &out));
    for (size_t i = 0; i < out->n_requests; i++)
        n += strcmp(out->requests[i]->request_id, request_id) == 0;
    return n;
}

static void test_ordered(void **state) {
    (void)state;
    Pb__Policy *policy = NEW(Pb__Policy, pb__policy);
    char *ids[] = { TEXT("mem_boss"), TEXT("mem_boss2") };
    policy->approver_ids = ids;
    policy->n_approver_ids = 2;
    policy->approvals_needed = 2;
    policy->ordered = 1;
    const char *seal_id = world_seal(&admin, policy), *id = world_request(&user, seal_id, 1);
    Pb__PrepareActReply *r;
    assert_int_equal(inbox(&manager, id), 1);
    assert_int_equal(inbox(&manager2, id), 0);
    assert_int_equal(inbox(&both, id), 0);
    FAILS(world_prepare(&manager2, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EDENIED);
    FAILS(world_prepare(&both, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EDENIED);
    Pb__Request *q = world_approve(&manager, id);
    assert_string_equal(q->state, "pending");
    assert_int_equal(q->n_approver_ids, 1);
    assert_string_equal(q->approver_ids[0], "mem_boss2");
    FAILS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EUSED);
    assert_int_equal(inbox(&manager, id), 0);
    assert_int_equal(inbox(&manager2, id), 1);
    q = world_approve(&manager2, id);
    assert_string_equal(q->state, "granted");
    assert_int_equal(q->n_decisions, 2);
}

/* ---- electronic signatures ---- */
static Pb__SpecimenPut *specimen(void) {
    static uint8_t outline[] = { 'C', 'H', 'O', '1', 0x10, 0x27, 0, 0, 0x88, 0x13, 0, 0, /* 10 mm by 5 mm */
        3, 0, 0, 0xd0, 0x0f, 0, 0, 0xd0, 0x0f };
    Pb__SpecimenPut *m = NEW(Pb__SpecimenPut, pb__specimen_put);
    m->outline = PB_BIN(CHOP_BYTES(outline, sizeof outline));
    return m;
}

static void check_specimen(const Pb__PrintResult *p, const Pb__SpecimenPut *put) {
    Pb__FetchSpecimenRequest in = PB__FETCH_SPECIMEN_REQUEST__INIT;
    Pb__Specimen *out;
    struct chop_bytes plain;
    in.allotment = p->allotment;
    WORKS(CALL("FetchSpecimen", &in, NULL, &out));
    assert_string_equal(out->member_id, "mem_both");
    WORKS(crypto_hpke_open(world_issuance_key(), chop_str("chop/1/specimen"), chop_str("mem_both"),
        PB_BYTES(out->sealed), fixture_mem(), &plain));
    assert_true(chop_bytes_equal(plain, PB_BYTES(put->outline)));
    uint8_t spoiled[4096];
    memcpy(spoiled, p->allotment.data, p->allotment.len);
    spoiled[p->allotment.len - 1] ^= 1;
    in.allotment = PB_BIN(CHOP_BYTES(spoiled, p->allotment.len));
    FAILS(CALL("FetchSpecimen", &in, NULL, &out), ESIGNATURE);
    in.allotment = p->grant;
    FAILS(CALL("FetchSpecimen", &in, NULL, &out), EMISMATCH);
}

static void test_signing(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 1);
    Pb__Decide *d = world_decide_params(id, "approve");
    Pb__SpecimenPut *put = specimen();
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    d->signature_of = TEXT("mem_both");
    FAILS(world_prepare(&manager, PARAMS(DECIDE, d), &r), ESTATE); /* has left none */
    WORKS(world_act(&both, PARAMS(SPECIMEN_PUT, put), &out));
    assert_int_equal(world_count("SELECT count(*) FROM specimen WHERE position('CHO1'::bytea IN sealed) > 0"), 0);
    WORKS(world_act(&manager, PARAMS(DECIDE, d), &out));
    assert_string_equal(out->request->state, "signing");
    assert_string_equal(out->request->awaiting_signature_of, "mem_both");
    Pb__SignOrder *sign = NEW(Pb__SignOrder, pb__sign_order);
    sign->request_id = TEXT(id);
    assert_int_equal(inbox(&both, id), 1);
    FAILS(world_prepare(&manager2, PARAMS(SIGN, sign), &r), EDENIED);
    FAILS(world_prepare(&other_user, PARAMS(SIGN, sign), &r), ENOTFOUND);
    WORKS(world_act(&both, PARAMS(SIGN, sign), &out));
    assert_string_equal(out->request->state, "granted");
    WORKS(world_act(&user, PARAMS(PRINT, world_print_params(out->request->grant_id, printer, 1)), &out));
    check_specimen(out->print, put);
    const char *plain = world_grant(&user, &manager, seal_id, 1);
    WORKS(world_act(&user, PARAMS(PRINT, world_print_params(plain, printer, 1)), &out));
    Pb__FetchSpecimenRequest in = PB__FETCH_SPECIMEN_REQUEST__INIT;
    Pb__Specimen *none;
    in.allotment = out->print->allotment;
    FAILS(CALL("FetchSpecimen", &in, NULL, &none), EDENIED);
}

/* The decider's own signature needs no further act; what was ordered stands in the grant. */
static void test_own_signature(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 1);
    Pb__Decide *d = world_decide_params(id, "approve");
    Pb__CommitActReply *out;
    Pb__Signed *s;
    Pb__GrantStatement *g;
    WORKS(world_act(&both, PARAMS(SPECIMEN_PUT, specimen()), &out));
    const char *digest = out->specimen->specimen_digest;
    d->signature_of = TEXT("mem_both");
    WORKS(world_act(&both, PARAMS(DECIDE, d), &out));
    assert_string_equal(out->request->state, "granted");
    WORKS(
        PB_UNPACK(pb__signed, PB_BYTES(world_get_grant(&user, out->request->grant_id)->statement), fixture_mem(), &s));
    WORKS(PB_UNPACK(pb__grant_statement, PB_BYTES(s->payload), fixture_mem(), &g));
    assert_string_equal(g->signature_of, "mem_both");
    assert_string_equal(g->signature_name, "孙经理");
    assert_string_equal(arena_hex(fixture_mem(), PB_BYTES(g->specimen_digest)), digest);
}

/* ---- proofs ---- */
static void test_proofs(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 1),
               *id2 = world_request(&user, seal_id, 1);
    Pb__PrepareActReply *r, *r2;
    Pb__CommitActReply *out, *again;
    struct proof *p;
    WORKS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "approve")), &r));
    WORKS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id2, "approve")), &r2));
    FAILS(world_commit(&manager, r->act_id, world_proof(&manager, r2, "key"), &out), EMISMATCH); /* another act's */
    FAILS(world_commit(&manager, r->act_id, world_proof(&manager2, r, "key"), &out), EMISMATCH); /* another member's */
    FAILS(world_commit(&manager2, r->act_id, world_proof(&manager2, r, "key"), &out), ENOTFOUND);
    FAILS(world_commit(&manager, r->act_id, world_proof(&manager, r, "password"), &out),
        ECLAUSE); /* a password is not enough */
    p = world_proof(&manager, r, "key");
    p->m.audience = TEXT("identity");
    FAILS(world_commit(&manager, r->act_id, p, &out), EMISMATCH);
    p = world_proof(&manager, r, "key");
    p->m.digest.data[0] ^= 1;
    FAILS(world_commit(&manager, r->act_id, p, &out), EMISMATCH);
    p = world_proof(&manager, r, "key");
    p->m.issued_at -= 130000, p->m.expires_at -= 130000;
    FAILS(world_commit(&manager, r->act_id, p, &out), EEXPIRED);
    p = world_proof(&manager, r, "key");
    p->m.terminal_id = TEXT("term_99");
    FAILS(world_commit(&manager, r->act_id, p, &out), EMISMATCH);
    p = world_proof(&manager, r, "key");
    p->m.roles[0] = TEXT("user"); /* no longer a manager when the proof was made */
    FAILS(world_commit(&manager, r->act_id, p, &out), EDENIED);
    Pb__CommitActRequest in = PB__COMMIT_ACT_REQUEST__INIT;
    in.act_id = r->act_id;
    in.proof =
        PB_BIN(fixture_sign("issuance", "proof", &world_proof(&manager, r, "key")->m)); /* a key of another purpose */
    FAILS(CALL("CommitAct", &in, &manager, &out), EMISMATCH);
    in.proof = PB_BIN(
        fixture_sign("identity-org_b", "proof", &world_proof(&manager, r, "key")->m)); /* identity's, of org_b alone */
    FAILS(CALL("CommitAct", &in, &manager, &out), EMISMATCH);
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM decision WHERE request_id = '%s'", id)), 0);
    /* after all that the right proof still works, once; a repeat answers the same and changes nothing */
    p = world_proof(&manager, r, "key");
    WORKS(world_commit(&manager, r->act_id, p, &out));
    WORKS(world_commit(&manager, r->act_id, p, &again));
    assert_string_equal(out->request->grant_id, again->request->grant_id);
    assert_int_equal(world_count(fixture_text("SELECT count(*) FROM seal_grant WHERE request_id = '%s'", id)), 1);
}

/* A key of one organization makes nobody a member of another. */
static void test_principal_of_a_foreign_key(void **state) {
    (void)state;
    Pb__Principal p = PB__PRINCIPAL__INIT;
    Pb__ListSealsRequest in = PB__LIST_SEALS_REQUEST__INIT;
    p.member_id = TEXT(manager.member_id);
    p.expires_at = chop_now_ms() + 60000;
    for (int own = 0; own <= 1; own++) {
        p.organization_id = TEXT(own ? "org_b" : "org_a");
        const char *who = fixture_base64(fixture_sign("identity-org_b", "principal", &p));
        assert_ptr_equal(fixture_call("authorization", &pb__authorization__descriptor, "ListSeals", &in, who, NULL),
            own ? NULL : CHOP_ERR(EAUTH));
    }
}

static void test_policy_change_between(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *id = world_request(&user, seal_id, 1);
    Pb__PolicyPut *put = NEW(Pb__PolicyPut, pb__policy_put);
    Pb__PrepareActReply *r;
    Pb__CommitActReply *out;
    WORKS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "approve")), &r));
    put->seal_id = TEXT(seal_id);
    put->policy = NEW(Pb__Policy, pb__policy);
    put->policy->max_copies = 5;
    FAILS(world_act(&manager, PARAMS(POLICY_PUT, put), NULL), EDENIED);
    WORKS(world_act(&admin, PARAMS(POLICY_PUT, put), &out));
    assert_int_equal(out->seal->policy->version, 2);
    assert_int_equal(out->seal->policy->max_copies, 5);
    FAILS(world_commit(&manager, r->act_id, world_proof(&manager, r, "key"), &out), ESTATE);
    assert_string_equal(world_approve(&manager, id)->state, "granted");
}

static void test_expired(void **state) {
    (void)state;
    const char *seal_id = world_seal(&admin, NULL), *grant_id = world_grant(&user, &manager, seal_id, 1),
               *id = world_request(&user, seal_id, 1);
    Pb__PrepareActReply *r;
    Pb__GetRequestRequest in = PB__GET_REQUEST_REQUEST__INIT;
    Pb__Request *q;
    (void)fixture_sql(
        "authorization", fixture_text("UPDATE seal_grant SET not_after = 1 WHERE grant_id = '%s'", grant_id));
    (void)fixture_sql("authorization", fixture_text("UPDATE request SET expires_at = 1 WHERE request_id = '%s'", id));
    FAILS(world_prepare(&user, PARAMS(PRINT, world_print_params(grant_id, printer, 1)), &r), EEXPIRED);
    FAILS(world_prepare(&manager, PARAMS(DECIDE, world_decide_params(id, "approve")), &r), EEXPIRED);
    assert_string_equal(world_get_grant(&user, grant_id)->state, "expired");
    in.request_id = TEXT(id);
    WORKS(CALL("GetRequest", &in, &user, &q));
    assert_string_equal(q->state, "expired");
    assert_int_equal(inbox(&manager, id), 0);
    FAILS(CALL("GetRequest", &in, &other_user, &q), ENOTFOUND);
    FAILS(CALL("GetRequest", &in, &stranger, &q), ENOTFOUND);
}

/* ---- files ---- */
static chop_err put_file(const struct person *p, const char *name, const char *text, const char **ret_id) {
    Pb__StartFileRequest s = PB__START_FILE_REQUEST__INIT;
    Pb__PutChunkRequest c = PB__PUT_CHUNK_REQUEST__INIT;
    Pb__FinishFileRequest f = PB__FINISH_FILE_REQUEST__INIT;
    Pb__FileReply *out;
    uint8_t digest[32];
    char hex[65];
    crypto_sha256(chop_str(text), digest);
    chop_hex(digest, 32, hex);
    s.name = TEXT(name);
    s.sha256 = hex;
    s.size = strlen(text);
    TRY(CALL("StartFile", &s, p, &out));
    c.file_id = f.file_id = out->file_id;
    *ret_id = out->file_id;
    c.data = PB_BIN(CHOP_BYTES(text, 4));
    TRY(CALL("PutChunk", &c, p, &out));
    TRY(CALL("PutChunk", &c, p, &out)); /* again, after a lost answer */
    assert_int_equal(out->chunks, 1);
    c.index = 1;
    c.data = PB_BIN(CHOP_BYTES(text + 4, strlen(text) - 4));
    TRY(CALL("PutChunk", &c, p, &out));
    TRY(CALL("FinishFile", &f, p, &out));
    assert_string_equal(out->state, "complete");
    return NULL;
}

static chop_err get_chunk(const struct person *p, const char *file_id, uint32_t index, Pb__Chunk **ret) {
    Pb__GetChunkRequest in = PB__GET_CHUNK_REQUEST__INIT;
    in.file_id = TEXT(file_id);
    in.index = index;
    return CALL("GetChunk", &in, p, ret);
}

static void test_files(void **state) {
    (void)state;
    const char *id, *bad, *secret = "the quick brown fox's contract";
    Pb__Chunk *c;
    WORKS(put_file(&user, "合同.txt", secret, &id));
    WORKS(get_chunk(&user, id, 1, &c));
    assert_int_equal(c->chunks, 2);
    assert_memory_equal(c->data.data, secret + 4, c->data.len);
    WORKS(get_chunk(&auditor, id, 0, &c));
    FAILS(get_chunk(&user, id, 2, &c), ENOTFOUND);
    FAILS(get_chunk(&stranger, id, 0, &c), ENOTFOUND);
    FAILS(get_chunk(&other_user, id, 0, &c), ENOTFOUND);
    FAILS(get_chunk(&manager, id, 0, &c), ENOTFOUND); /* nobody asked a manager yet */
    assert_int_equal(world_count("SELECT count(*) FROM file_chunk WHERE position('quick'::bytea IN box) > 0"), 0);
    FAILS(put_file(&user, "a.pdf", "this is no PDF at all", &bad), EINVAL);
    FAILS(put_file(&user, "b.PDF", "%PDF-1.7 but nothing more", &bad), EINVAL);

    Pb__RequestUse *m = world_request_params(world_seal(&admin, NULL), 1);
    Pb__PrepareActReply *r;
    m->document->file_id = TEXT(id);
    FAILS(world_prepare(&user, PARAMS(REQUEST, m), &r), EMISMATCH);
    uint8_t digest[32];
    char hex[65];
    crypto_sha256(chop_str(secret), digest);
    chop_hex(digest, 32, hex);
    m->document->sha256 = hex;
    FAILS(world_prepare(&other_user, PARAMS(REQUEST, m), &r), ENOTFOUND);
    WORKS(world_act(&user, PARAMS(REQUEST, m), NULL));
    WORKS(get_chunk(&manager, id, 0, &c)); /* who decides may read */
}

static void test_file_limits(void **state) {
    (void)state;
    Pb__StartFileRequest s = PB__START_FILE_REQUEST__INIT;
    Pb__PutChunkRequest c = PB__PUT_CHUNK_REQUEST__INIT;
    Pb__FinishFileRequest f = PB__FINISH_FILE_REQUEST__INIT;
    Pb__FileReply *out;
    uint8_t *big = arena_alloc(fixture_mem(), 300 << 10);
    s.name = TEXT("x.bin");
    s.sha256 = TEXT("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    s.size = (uint64_t)33 << 20;
    FAILS(CALL("StartFile", &s, &manager2, &out), ELIMIT);
    s.size = 0;
    FAILS(CALL("StartFile", &s, &manager2, &out), EINVAL);
    s.size = 10;
    WORKS(CALL("StartFile", &s, &manager2, &out));
    c.file_id = f.file_id = out->file_id;
    c.data = PB_BIN(CHOP_BYTES(big, (256 << 10) + 1));
    FAILS(CALL("PutChunk", &c, &manager2, &out), ELIMIT);
    c.data.len = 11;
    FAILS(CALL("PutChunk", &c, &manager2, &out), ELIMIT);
    c.data.len = 10;
    FAILS(CALL("PutChunk", &c, &user, &out), ENOTFOUND);
    FAILS(CALL("FinishFile", &f, &manager2, &out), ESTATE);
    WORKS(CALL("PutChunk", &c, &manager2, &out));
    FAILS(CALL("FinishFile", &f, &manager2, &out), EMISMATCH);
}

/* ---- lists ---- */
static void test_lists(void **state) {
    (void)state;
    const char *seal_id = world_seal(&stranger, NULL); /* an organization of its own: counts are known */
    static const struct person asker = { "org_b", "mem_asker", "钱七", "user", "term_9" };
    Pb__ListRequestsRequest in = PB__LIST_REQUESTS_REQUEST__INIT;
    Pb__ListRequestsReply *out;
    const char *ids[5];
    for (size_t i = 0; i < 5; i++)
        ids[i] = world_request(&asker, seal_id, 1);
    in.view = TEXT("mine");
    in.limit = 2;
    for (size_t i = 0; i < 5; i++) { /* newest first, in pages */
        if (i % 2 == 0) {
            WORKS(CALL("ListRequests", &in, &asker, &out));
            assert_int_equal(out->n_requests, i == 4 ? 1 : 2);
        }
        assert_string_equal(out->requests[i % 2]->request_id, ids[4 - i]);
        in.after = out->requests[i % 2]->request_id;
    }
    in.after = TEXT("");
    in.view = TEXT("all");
    FAILS(CALL("ListRequests", &in, &asker, &out), EDENIED);
    in.limit = 201;
    FAILS(CALL("ListRequests", &in, &stranger, &out), EINVAL);
    in.limit = 200;
    in.state = TEXT("granted");
    WORKS(CALL("ListRequests", &in, &stranger, &out));
    assert_int_equal(out->n_requests, 0);
    in.state = TEXT("pending");
    WORKS(CALL("ListRequests", &in, &stranger, &out));
    assert_int_equal(out->n_requests, 5);
    in.view = TEXT("inbox");
    WORKS(CALL("ListRequests", &in, &asker, &out));
    assert_int_equal(out->n_requests, 0);
    FAILS(CALL("ListRequests", &in, NULL, &out), EAUTH);
    Pb__ListFactsRequest facts = PB__LIST_FACTS_REQUEST__INIT;
    Pb__ListFactsReply *list;
    facts.seal_id = TEXT(seal_id);
    FAILS(CALL("ListFacts", &facts, &user, &list), EDENIED);
    WORKS(CALL("ListFacts", &facts, &auditor, &list));
    assert_int_equal(list->n_facts, 0); /* another organization's */
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_seal_create), cmocka_unit_test(test_seal_artwork),
        cmocka_unit_test(test_preview), cmocka_unit_test(test_upload), cmocka_unit_test(test_flow),
        cmocka_unit_test(test_request_refused), cmocka_unit_test(test_decide_refused), cmocka_unit_test(test_reduced),
        cmocka_unit_test(test_ordered), cmocka_unit_test(test_signing), cmocka_unit_test(test_own_signature),
        cmocka_unit_test(test_proofs), cmocka_unit_test(test_principal_of_a_foreign_key),
        cmocka_unit_test(test_policy_change_between), cmocka_unit_test(test_expired), cmocka_unit_test(test_files),
        cmocka_unit_test(test_file_limits), cmocka_unit_test(test_lists) };
    return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
