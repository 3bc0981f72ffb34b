/* trust_internal: what trust.c, trust_sign.c and trust_device.c share. */
#pragma once
#include "trust.h"
#include "trust_types.h"

#include "common.pb-c.h"

/* Whether the bytes of s are signed by k; ESIGNATURE. Looks at nothing else. */
chop_err trust_check_signature(const struct crypto_key *k, const Pb__Signed *s) CHOP_MUSTCHECK;
/* Type, kid, purpose and signature, but no time: the entry is the caller's to judge. */
chop_err trust_check_statement(const struct trust *t, const Pb__Signed *s, const struct trust_type *type,
    const Pb__KeyEntry **ret_entry) CHOP_MUSTCHECK;
/* EMISMATCH where s is not of this type or the type is not of this signer. */
chop_err trust_check_type(
    const Pb__Signed *s, const char *type, enum trust_signer signer, const struct trust_type **ret_type) CHOP_MUSTCHECK;
