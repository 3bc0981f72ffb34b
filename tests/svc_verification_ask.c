#include "svc_verification_ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

chop_err ask(const Pb__VerifyRequest *in, Pb__Verdict **ret) {
    return fixture_call("verification", &pb__verification__descriptor, "Verify", in, NULL, ret);
}

chop_err verify(const char *mark, const char *cipher, Pb__Verdict **ret) {
    Pb__VerifyRequest in = PB__VERIFY_REQUEST__INIT;
    in.mark = PB_STR(mark);
    in.cipher = PB_STR(cipher);
    return ask(&in, ret);
}

const char *verdict_of(const char *mark) {
    Pb__Verdict *v;
    chop_err e = verify(mark, "", &v);
    return e ? e->name : v->verdict;
}

void nap(int ms) {
    nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000L }, NULL);
}

/* Events take a moment. */
void becomes(const struct paper *p, const char *verdict) {
    const char *now = "";
    for (int i = 0; i < 200 && strcmp(now = verdict_of(p->token), verdict) != 0; i++)
        nap(25);
    if (strcmp(now, verdict) != 0) fail_msg("want %s, is %s\n%s", verdict, now, fixture_log("verification"));
}

/* Everything told so far of this seal has been applied: another paper of it, told after, is known. */
void settled(const struct paper *beside) {
    struct paper *last = paper_new();
    last->kit->grant.seal_id = last->kit->allotment.seal_id = beside->kit->grant.seal_id;
    paper_issue(last);
    for (int i = 0; i < 200 && strcmp(verdict_of(last->token), "unknown") == 0; i++)
        nap(25);
    assert_string_not_equal(verdict_of(last->token), "unknown");
    nap(150); /* the other producers' lanes */
}

Pb__HttpPage *page(const char *token, const char *cipher, const char *accept) {
    Pb__PageRequest in = PB__PAGE_REQUEST__INIT;
    Pb__HttpPage *out;
    in.token = PB_STR(token);
    in.cipher = PB_STR(cipher);
    in.accept = PB_STR(accept);
    chop_err e = fixture_call("verification", &pb__verification__descriptor, "Page", &in, NULL, &out);
    if (e) fail_msg("page: %s %s", e->name, chop_detail_text());
    return out;
}

bool has(const Pb__HttpPage *p, const char *text) {
    return memmem(p->body.data, p->body.len, text, strlen(text)) != NULL;
}

struct paper *printed_paper(void) {
    struct paper *p = paper_new();
    paper_issue(p);
    paper_settle(p, "printed", "impression-printed", "");
    becomes(p, "genuine");
    return p;
}
