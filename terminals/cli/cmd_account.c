#include "cli.h"
#include "field.h"

#include "identity.pb-c.h"

#include <stdio.h>
#include <string.h>

/* ---- login ---- */

/* Another account has other keys and terminals: what the profile knew is not of this one. */
static void take_who(struct cli *c) {
    const char *organization = cli_option(c, "organization"), *account = cli_option(c, "account"), *ca = cli_option(c, "ca");
    struct profile *p = &c->profile;
    bool other = (organization && strcmp(organization, p->organization) != 0) || (account && strcmp(account, p->account) != 0);
    if (other) p->terminal_id = p->member_id = p->organization_id = "";
    if (organization) p->organization = organization;
    if (account) p->account = account;
    if (ca) p->ca_file = ca;
    p->token = "";
}

static chop_err start(struct cli *c, Pb__StartSignInReply **ret_started) {
    Pb__StartSignInRequest in = PB__START_SIGN_IN_REQUEST__INIT;
    in.organization = PB_STR(c->profile.organization);
    in.account = PB_STR(c->profile.account);
    return api_call(c, "POST", "/v1/sign-ins", &in, &pb__start_sign_in_reply__descriptor, ret_started);
}

static chop_err sign_with_factor(struct cli *c, const Pb__StartSignInReply *s, Pb__SignInRequest *in) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    struct chop_bytes signature;
    if (!key_factor_path(c)) return CHOP_FAIL(EINVAL, NULL, "this profile has no key");
    TRY(crypto_key_load(key_factor_path(c), &k));
    TRY(key_sign_labelled(c, k, "chop/1/sign-in", PB_BYTES(s->challenge), &signature));
    in->signature = PB_BIN(signature);
    return NULL;
}

static chop_err sign_with_device(struct cli *c, const Pb__StartSignInReply *s, Pb__SignInRequest *in) {
    const struct crypto_key *device;
    struct chop_bytes signature;
    TRY(key_device(c, &device));
    TRY(key_sign_labelled(c, device, "chop/1/terminal", PB_BYTES(s->challenge), &signature));
    in->terminal_id = PB_STR(c->profile.terminal_id);
    in->terminal_signature = PB_BIN(signature);
    return NULL;
}

static chop_err build_sign_in(struct cli *c, Pb__SignInRequest *in) {
    bool with_key = cli_flag(c, "with-key"), terminal = c->profile.terminal_id[0];
    Pb__StartSignInReply *s = NULL;
    const char *password;
    in->organization = PB_STR(c->profile.organization);
    in->account = PB_STR(c->profile.account);
    if (!with_key) {
        TRY(local_secret(c, c->password_file, "Password", &password));
        in->password = PB_STR(password);
    }
    if (!with_key && !terminal) return NULL;
    TRY(start(c, &s));
    in->sign_in_id = s->sign_in_id;
    if (with_key) TRY(sign_with_factor(c, s, in));
    return terminal ? sign_with_device(c, s, in) : NULL;
}

chop_err cmd_login(struct cli *c) {
    const struct trust *trust;
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    Pb__SignInReply *out;
    take_who(c);
    if (!c->profile.organization[0] || !c->profile.account[0])
        return CHOP_FAIL(EINVAL, NULL, "the first time, --organization and --account are wanted");
    TRY(pin_trust(c, &trust)); /* before any password leaves: at first contact this shows the root key */
    TRY(build_sign_in(c, &in));
    TRY(api_call(c, "POST", "/v1/sessions", &in, &pb__sign_in_reply__descriptor, &out));
    if (!out->me || !out->me->member || !out->token[0]) return CHOP_FAIL(EPEER, NULL, "the server gave no session");
    c->profile.token = out->token;
    c->profile.member_id = out->me->member->member_id;
    c->profile.organization_id = out->me->member->organization_id;
    TRY(profile_save(c));
    if (c->json)
        printf("{\"member_id\":\"%s\",\"terminal_id\":\"%s\",\"expires_at\":%lld}\n", out->me->member->member_id,
            out->me->terminal_id, (long long)out->expires_at);
    else
        printf("signed in as %s%s\n", out->me->member->member_id, out->me->terminal_id[0] ? ", on this terminal" : "");
    return NULL;
}

chop_err cmd_logout(struct cli *c) {
    if (c->profile.token[0]) {
        chop_err e = api_call(c, "DELETE", "/v1/sessions", NULL, NULL, NULL);
        if (e && e != CHOP_ERR(EAUTH)) return e;
    }
    c->profile.token = "";
    return profile_save(c);
}

/* ---- secrets into messages ---- */

chop_err cmd_org_create(struct cli *c, void *in_) {
    Pb__CreateOrganizationRequest *in = in_;
    const char *token, *password, *file = cli_option(c, "operator-token-file");
    if (!file) return CHOP_FAIL(EINVAL, NULL, "--operator-token-file is wanted");
    TRY(local_secret(c, file, "", &token));
    TRY(local_secret(c, cli_option(c, "admin-password-file"), "Password of the first admin", &password));
    in->operator_token = PB_STR(token);
    in->admin_password = PB_STR(password);
    c->profile.token = "";
    return NULL;
}

chop_err cmd_new_password(struct cli *c, void *in) {
    const char *file = cli_option(c, "new-password-file"), *password, *again;
    TRY(local_secret(c, file, "New password", &password));
    if (!file) {
        TRY(local_secret(c, NULL, "Once more", &again));
        if (strcmp(password, again) != 0) return CHOP_FAIL(EINVAL, NULL, "these are two different passwords");
    }
    bool own = strcmp(c->command->name, "password") == 0;
    return field_put(in, own ? "new_password" : "password", password, c->mem);
}
