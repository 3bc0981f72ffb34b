/* Asking chop-verification, and waiting until it has heard. */
#pragma once
#include "svc_verification_world.h"

chop_err ask(const Pb__VerifyRequest *in, Pb__Verdict **ret);
chop_err verify(const char *mark, const char *cipher, Pb__Verdict **ret);
const char *verdict_of(const char *mark); /* or the error's name */
void nap(int ms);
/* Events take a moment: fails where the paper does not get this verdict. */
void becomes(const struct paper *p, const char *verdict);
/* Everything told so far of this seal has been applied: another paper of it, told after, is known. */
void settled(const struct paper *beside);
Pb__HttpPage *page(const char *token, const char *cipher, const char *accept);
bool has(const Pb__HttpPage *p, const char *text);
struct paper *printed_paper(void); /* a new one, genuine */
