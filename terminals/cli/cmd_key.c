/* Keys of this machine: the device key that identifies the terminal, and the member's key factor. */
#include "cli.h"
#include "out.h"

#include "common.pb-c.h"
#include "identity.pb-c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

chop_err key_device(struct cli *c, const struct crypto_key **ret_key) {
    if (!c->device) TRY(crypto_key_load(profile_path(c, "device.pem"), &c->device));
    *ret_key = c->device;
    return NULL;
}

chop_err key_terminal_cert(struct cli *c, struct chop_bytes *ret_packed) {
    const char *path = profile_path(c, "terminal.cert");
    if (!c->profile.terminal_id[0] || !local_exists(path))
        return CHOP_FAIL(ESTATE, NULL, "this machine is no registered terminal yet: chop terminal register");
    return local_read(c, path, 16384, ret_packed);
}

const char *key_factor_path(struct cli *c) {
    const char *path = c->key_file ? c->key_file : c->profile.key;
    return path[0] ? path : NULL;
}

chop_err key_sign_labelled(struct cli *c, const struct crypto_key *k, const char *label, struct chop_bytes data,
    struct chop_bytes *ret_signature) {
    size_t n = strlen(label) + 1; /* with its NUL */
    uint8_t *text = arena_alloc(c->mem, n + data.n), *signature = arena_alloc(c->mem, CRYPTO_SIGNATURE_LEN);
    if (!text || !signature) return CHOP_ERR(EMEMORY);
    memcpy(text, label, n);
    if (data.n) memcpy(text + n, data.p, data.n);
    TRY(crypto_sign(k, CHOP_BYTES(text, n + data.n), signature));
    *ret_signature = CHOP_BYTES(signature, CRYPTO_SIGNATURE_LEN);
    return NULL;
}

/* ---- key new, key add ---- */

static const char *absolute(struct cli *c, const char *path) {
    char *whole = realpath(path, NULL);
    const char *kept = arena_str(c->mem, whole ? whole : path);
    free(whole);
    return kept;
}

chop_err cmd_key_new(struct cli *c) {
    const char *out = cli_option(c, "out"), *name = cli_option(c, "algorithm");
    const char *path = out ? out : profile_path(c, "key.pem");
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    enum crypto_alg alg;
    TRY(crypto_alg_by_name(name ? name : "ES256", &alg));
    if (local_exists(path)) return CHOP_FAIL(EEXISTS, NULL, "%s is there already: name another with --out", path);
    TRY(crypto_key_generate(alg, &k));
    TRY(crypto_key_save(k, path));
    c->profile.key = absolute(c, path);
    TRY(profile_save(c));
    printf("%s\n", c->profile.key);
    fputs("chop: now register it: chop key add --name ...\n", stderr);
    return NULL;
}

static chop_err need_member(const struct cli *c) {
    return c->profile.member_id[0] ? NULL : CHOP_FAIL(EAUTH, NULL, "sign in first");
}

chop_err cmd_key_add(struct cli *c, void *in_) {
    Pb__KeyAdd *in = in_;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    struct chop_bytes signature;
    TRY(need_member(c));
    if (!key_factor_path(c)) return CHOP_FAIL(EINVAL, NULL, "no key yet: chop key new");
    TRY(crypto_key_load(key_factor_path(c), &k));
    TRY(key_sign_labelled(c, k, "chop/1/key-add", chop_str(c->profile.member_id), &signature));
    in->public_key = PB_BIN(arena_copy(c->mem, crypto_key_spki(k)));
    in->signature = PB_BIN(signature);
    const char *adding = absolute(c, key_factor_path(c));
    c->key_file = NULL;
    if (!c->profile.key[0]) {
        c->profile.key = adding;
        TRY(profile_save(c));
    }
    /* it is no factor yet: this act is proven by what was there before */
    if (strcmp(c->profile.key, adding) == 0) c->profile.key = "";
    return NULL;
}

/* ---- terminal register ---- */

static chop_err device_key(struct cli *c, const struct crypto_key **ret_key) {
    const char *path = profile_path(c, "device.pem");
    if (!local_exists(path)) {
        CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
        TRY(crypto_key_generate(CRYPTO_ES256, &k));
        TRY(crypto_key_save(k, path));
    }
    return key_device(c, ret_key);
}

/* What the server gave back certifies this very key for this member. */
static chop_err check_cert(struct cli *c, const Pb__Terminal *t, const struct crypto_key *device) {
    const struct trust *trust;
    Pb__TerminalCert *cert;
    TRY(pin_trust(c, &trust));
    if (!t->certificate) return CHOP_FAIL(EPEER, NULL, "the server gave no certificate");
    TRY(trust_verify(trust, t->certificate, "terminal-cert", chop_now_ms(), NULL));
    TRY(PB_UNPACK(pb__terminal_cert, PB_BYTES(t->certificate->payload), c->mem, &cert));
    if (!chop_bytes_equal(PB_BYTES(cert->public_key), crypto_key_spki(device)) ||
        strcmp(cert->member_id, c->profile.member_id) != 0 || strcmp(cert->terminal_id, t->terminal_id) != 0)
        return CHOP_FAIL(EMISMATCH, NULL, "the certificate is for another key, member or terminal");
    return NULL;
}

chop_err cmd_terminal_register(struct cli *c) {
    Pb__RegisterTerminalRequest in = PB__REGISTER_TERMINAL_REQUEST__INIT;
    const struct crypto_key *device;
    const char *name = cli_option(c, "name");
    struct chop_bytes signature, packed;
    Pb__Terminal *t;
    TRY(need_member(c));
    TRY(device_key(c, &device));
    TRY(key_sign_labelled(c, device, "chop/1/terminal-register", chop_str(c->profile.member_id), &signature));
    in.name = PB_STR(name ? name : "chop");
    in.public_key = PB_BIN(crypto_key_spki(device));
    in.signature = PB_BIN(signature);
    TRY(api_call(c, "POST", "/v1/terminals", &in, &pb__terminal__descriptor, &t));
    TRY(check_cert(c, t, device));
    TRY(pb_pack(t->certificate, c->mem, &packed));
    TRY(local_write(c, profile_path(c, "terminal.cert"), packed));
    c->profile.terminal_id = t->terminal_id;
    TRY(profile_save(c));
    if (c->json)
        printf("%.*s\n", (int)c->reply.n, (const char *)c->reply.p);
    else
        out_message(stdout, t, 0, c->mem);
    fputs("chop: sign in again, so that the session is this terminal's: chop login\n", stderr);
    return NULL;
}
