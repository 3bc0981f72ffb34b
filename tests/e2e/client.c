/* HTTP, members, acts. */
#include "client.h"

#include "pbjson.h"
#include "trust.h"

#include "gateway.pb-c.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY ((size_t)64 << 20)
#define REPLY_MAX ((size_t)8 << 20)

struct api {
    char base[128];
    CURL *curl;
    struct arena *mem;
    char *body; /* of the reply being read */
    size_t n, cap;
};

static void die(const char *what) {
    (void)fprintf(stderr, "client: %s\n", what);
    abort();
}

void nap_ms(int ms) {
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    while (nanosleep(&t, &t) != 0) {}
}

/* ---- HTTP ---- */

static size_t take(char *p, size_t size, size_t count, void *ctx) {
    struct api *a = ctx;
    size_t n = size * count;
    if (a->n + n + 1 > REPLY_MAX) return 0;
    if (a->n + n + 1 > a->cap) {
        size_t cap = (a->n + n + 1) * 2;
        char *grown = realloc(a->body, cap);
        if (!grown) return 0;
        a->body = grown;
        a->cap = cap;
    }
    memcpy(a->body + a->n, p, n);
    a->n += n;
    return n;
}

static void curl_ready(void) {
    static bool ready;
    if (!ready && curl_global_init(CURL_GLOBAL_DEFAULT) != 0) die("no libcurl");
    ready = true;
}

struct api *api_new(const char *base_url) {
    curl_ready();
    struct api *a = calloc(1, sizeof *a);
    if (!a) die("no memory");
    a->curl = curl_easy_init();
    a->mem = arena_new(MEMORY);
    if (!a->curl || !a->mem) die("no memory");
    (void)snprintf(a->base, sizeof a->base, "%s", base_url);
    return a;
}

void api_free(struct api *a) {
    if (!a) return;
    curl_easy_cleanup(a->curl);
    arena_free(a->mem);
    free(a->body);
    free(a);
}

void api_free_p(struct api **a) {
    api_free(*a);
}

struct arena *api_mem(struct api *a) {
    return a->mem;
}

void api_reset(struct api *a) {
    arena_reset(a->mem);
}

static struct curl_slist *headers(struct api *a, const char *token, const char *content_type) {
    struct curl_slist *h = curl_slist_append(NULL, "Expect:");
    h = curl_slist_append(h, "Accept: application/json");
    if (token) h = curl_slist_append(h, arena_printf(a->mem, "Authorization: Bearer %s", token));
    if (content_type) h = curl_slist_append(h, arena_printf(a->mem, "Content-Type: %s", content_type));
    return h;
}

static void set_up(struct api *a, const char *method, const char *path, struct chop_bytes body, bool has_body) {
    char url[2048];
    (void)snprintf(url, sizeof url, "%s%s", a->base, path);
    curl_easy_reset(a->curl);
    curl_easy_setopt(a->curl, CURLOPT_URL, url);
    curl_easy_setopt(a->curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(a->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(a->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(a->curl, CURLOPT_TIMEOUT_MS, 20000L);
    curl_easy_setopt(a->curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(a->curl, CURLOPT_WRITEDATA, a);
    if (!has_body) return;
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDS, body.p);
    curl_easy_setopt(a->curl, CURLOPT_POSTFIELDSIZE, (long)body.n);
}

chop_err api_raw(struct api *a, const char *method, const char *path, const char *token, const char *content_type,
    struct chop_bytes body, struct api_reply *ret) {
    set_up(a, method, path, body, content_type != NULL);
    struct curl_slist *list = headers(a, token, content_type);
    curl_easy_setopt(a->curl, CURLOPT_HTTPHEADER, list);
    a->n = 0;
    CURLcode done = curl_easy_perform(a->curl);
    curl_slist_free_all(list);
    if (done != CURLE_OK) return CHOP_FAIL(EUNREACHABLE, NULL, "%s %s: %s", method, path, curl_easy_strerror(done));
    curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &ret->status);
    char *copy = arena_strn(a->mem, a->n ? a->body : "", a->n);
    ret->body = CHOP_BYTES(copy, a->n);
    return NULL;
}

static chop_err problem(struct api *a, const struct api_reply *r) {
    Pb__Problem *p;
    struct pbjson_limits limits = PBJSON_LIMITS;
    if (pbjson_read(&pb__problem__descriptor, r->body, &limits, a->mem, &p))
        return CHOP_FAIL(EPEER, NULL, "status %ld without a problem: %.200s", r->status, (const char *)r->body.p);
    return chop_fail(chop_err_by_name(p->code), p->field, "%s", p->detail);
}

chop_err api_call(struct api *a, const char *method, const char *path, const char *token, const void *in,
    const ProtobufCMessageDescriptor *out, void *ret_out) {
    struct chop_bytes json = { NULL, 0 };
    struct api_reply r;
    struct pbjson_limits limits = { (size_t)8 << 20, 16, 1000 };
    if (in) TRY(pbjson_print(in, a->mem, &json));
    TRY(api_raw(a, method, path, token, in ? "application/json" : NULL, json, &r));
    if (r.status >= 400) return problem(a, &r);
    return out ? pbjson_read(out, r.body, &limits, a->mem, ret_out) : NULL;
}

/* ---- members ---- */

static void copy(char *to, size_t size, const char *from) {
    (void)snprintf(to, size, "%s", from);
}

void person_done(struct person *p) {
    crypto_key_free(p->key);
    crypto_key_free(p->device);
    free(p->terminal_cert);
    *p = (struct person){ .slug = "" };
}

static void person_known(struct person *p, const Pb__Member *m) {
    copy(p->member_id, sizeof p->member_id, m->member_id);
    copy(p->organization_id, sizeof p->organization_id, m->organization_id);
    copy(p->name, sizeof p->name, m->name);
    copy(p->account, sizeof p->account, m->account);
}

static void person_password(struct person *p) {
    uint8_t random[12];
    chop_random(random, sizeof random);
    chop_hex(random, sizeof random, p->password);
}

chop_err organization_create(struct api *a, const char *operator_token, const char *slug, const char *name,
    struct person *admin) {
    Pb__CreateOrganizationRequest in = PB__CREATE_ORGANIZATION_REQUEST__INIT;
    Pb__CreateOrganizationReply *out;
    *admin = (struct person){ .slug = "" };
    person_password(admin);
    in.operator_token = PB_STR(operator_token);
    in.name = PB_STR(name);
    in.slug = PB_STR(slug);
    in.admin_account = PB_STR("admin");
    in.admin_name = PB_STR("管理员");
    in.admin_post = PB_STR("印章管理员");
    in.admin_password = admin->password;
    TRY(API(a, "POST", "/v1/organizations", NULL, &in, pb__create_organization_reply, &out));
    person_known(admin, out->admin);
    copy(admin->slug, sizeof admin->slug, slug);
    return person_sign_in(a, admin);
}

static size_t split(struct api *a, const char *words, char ***ret_list) {
    char **list = ARENA_ARRAY(a->mem, char *, 8), *rest = arena_str(a->mem, words), *word;
    size_t n = 0;
    while (list && n < 8 && (word = strsep(&rest, " "))) list[n++] = word;
    *ret_list = list;
    return n;
}

chop_err member_add(struct api *a, struct person *admin, const char *account, const char *name, const char *post,
    const char *roles, struct person *ret) {
    Pb__MemberAdd in = PB__MEMBER_ADD__INIT;
    Pb__PrepareIdentityActRequest r = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__CommitIdentityActReply *out;
    *ret = (struct person){ .slug = "" };
    person_password(ret);
    in.account = PB_STR(account);
    in.name = PB_STR(name);
    in.post = PB_STR(post);
    in.n_roles = split(a, roles, &in.roles);
    in.password = ret->password;
    r.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_MEMBER_ADD;
    r.member_add = &in;
    TRY(act_do(a, admin, OF_IDENTITY, &r, &out));
    if (!out->member) return CHOP_FAIL(EPEER, NULL, "no member");
    person_known(ret, out->member);
    copy(ret->slug, sizeof ret->slug, admin->slug);
    return NULL;
}

/* "chop/1/..." 0x00 and what follows. */
static struct chop_bytes statement(struct api *a, const char *prefix, struct chop_bytes rest) {
    size_t n = strlen(prefix) + 1;
    char *p = arena_alloc(a->mem, n + rest.n);
    if (!p) die("no memory");
    memcpy(p, prefix, n);
    if (rest.n) memcpy(p + n, rest.p, rest.n);
    return CHOP_BYTES(p, n + rest.n);
}

static chop_err sign(struct api *a, const struct crypto_key *key, struct chop_bytes text, ProtobufCBinaryData *ret) {
    uint8_t *signature = arena_alloc(a->mem, CRYPTO_SIGNATURE_LEN);
    if (!signature) return CHOP_ERR(EMEMORY);
    TRY(crypto_sign(key, text, signature));
    *ret = (ProtobufCBinaryData){ CRYPTO_SIGNATURE_LEN, signature };
    return NULL;
}

chop_err person_sign_in(struct api *a, struct person *p) {
    Pb__StartSignInRequest start = PB__START_SIGN_IN_REQUEST__INIT;
    Pb__StartSignInReply *started;
    Pb__SignInRequest in = PB__SIGN_IN_REQUEST__INIT;
    Pb__SignInReply *out;
    in.organization = start.organization = p->slug;
    in.account = start.account = p->account;
    TRY(API(a, "POST", "/v1/sign-ins", NULL, &start, pb__start_sign_in_reply, &started));
    in.sign_in_id = started->sign_in_id;
    struct chop_bytes challenge = PB_BYTES(started->challenge);
    if (p->key) TRY(sign(a, p->key, statement(a, "chop/1/sign-in", challenge), &in.signature));
    else in.password = p->password;
    if (*p->terminal_id) {
        in.terminal_id = p->terminal_id;
        TRY(sign(a, p->device, statement(a, "chop/1/terminal", challenge), &in.terminal_signature));
    }
    TRY(API(a, "POST", "/v1/sessions", NULL, &in, pb__sign_in_reply, &out));
    copy(p->token, sizeof p->token, out->token);
    return NULL;
}

static chop_err key_add(struct api *a, struct person *p) {
    Pb__PrepareIdentityActRequest r = PB__PREPARE_IDENTITY_ACT_REQUEST__INIT;
    Pb__KeyAdd in = PB__KEY_ADD__INIT;
    struct crypto_key *key;
    TRY(crypto_key_generate(CRYPTO_ES256, &key));
    in.name = PB_STR("key");
    in.public_key = PB_BIN(crypto_key_spki(key));
    chop_err e = sign(a, key, statement(a, "chop/1/key-add", chop_str(p->member_id)), &in.signature);
    r.params_case = PB__PREPARE_IDENTITY_ACT_REQUEST__PARAMS_KEY_ADD;
    r.key_add = &in;
    if (!e) e = act_do(a, p, OF_IDENTITY, &r, NULL);
    if (e) crypto_key_free(key);
    else p->key = key;
    return e;
}

static chop_err terminal_register(struct api *a, struct person *p) {
    Pb__RegisterTerminalRequest in = PB__REGISTER_TERMINAL_REQUEST__INIT;
    Pb__Terminal *out;
    struct chop_bytes packed;
    TRY(crypto_key_generate(CRYPTO_ES256, &p->device));
    in.name = PB_STR("terminal");
    in.public_key = PB_BIN(crypto_key_spki(p->device));
    TRY(sign(a, p->device, statement(a, "chop/1/terminal-register", chop_str(p->member_id)), &in.signature));
    TRY(API(a, "POST", "/v1/terminals", p->token, &in, pb__terminal, &out));
    if (!out->certificate) return CHOP_FAIL(EPEER, NULL, "no certificate");
    TRY(pb_pack(out->certificate, a->mem, &packed));
    p->terminal_cert = malloc(packed.n);
    if (!p->terminal_cert) return CHOP_ERR(EMEMORY);
    memcpy(p->terminal_cert, packed.p, packed.n);
    p->terminal_cert_n = packed.n;
    copy(p->terminal_id, sizeof p->terminal_id, out->terminal_id);
    return NULL;
}

chop_err person_equip(struct api *a, struct person *p) {
    if (!*p->token) TRY(person_sign_in(a, p));
    TRY(key_add(a, p));
    TRY(terminal_register(a, p));
    return person_sign_in(a, p); /* now the session is this terminal's */
}

/* ---- acts ---- */

static const char *act_path(struct api *a, const struct act *act, const char *step) {
    return arena_printf(a->mem, "/v1/%sacts/%s/%s", act->owner == OF_IDENTITY ? "identity/" : "", act->prepared->act_id,
        step);
}

chop_err act_prepare(struct api *a, const struct person *p, enum act_owner owner, const void *in, struct act *ret) {
    *ret = (struct act){ .owner = owner };
    const char *path = owner == OF_IDENTITY ? "/v1/identity/acts" : "/v1/acts";
    return API(a, "POST", path, p->token, in, pb__prepare_act_reply, &ret->prepared);
}

static chop_err prove(struct api *a, const struct person *p, struct act *act, Pb__ProveFactorRequest *in) {
    Pb__ProveFactorReply *out;
    in->ticket = act->prepared->ticket;
    TRY(API(a, "POST", act_path(a, act, "factors"), p->token, in, pb__prove_factor_reply, &out));
    act->proof = PB_BYTES(out->proof);
    return NULL;
}

/* The digest is the terminal's own, of the very bytes that it shows. */
chop_err act_prove_key(struct api *a, const struct person *p, struct act *act) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    uint8_t digest[32], challenge[32];
    crypto_sha256(PB_BYTES(act->prepared->content), digest);
    trust_act_challenge(act->prepared->act_id, PB_BYTES(act->prepared->nonce), CHOP_BYTES(digest, 32), challenge);
    in.factor = PB_STR("key");
    TRY(sign(a, p->key, CHOP_BYTES(challenge, 32), &in.signature));
    return prove(a, p, act, &in);
}

chop_err act_prove_password(struct api *a, const struct person *p, struct act *act) {
    Pb__ProveFactorRequest in = PB__PROVE_FACTOR_REQUEST__INIT;
    in.factor = PB_STR("password");
    in.password = PB_STR(p->password);
    return prove(a, p, act, &in);
}

chop_err act_commit(struct api *a, const struct person *p, const struct act *act, void *ret_out) {
    const ProtobufCMessageDescriptor *out =
        act->owner == OF_IDENTITY ? &pb__commit_identity_act_reply__descriptor : &pb__commit_act_reply__descriptor;
    Pb__CommitActRequest in = PB__COMMIT_ACT_REQUEST__INIT; /* identity's has the same fields */
    in.proof = PB_BIN(act->proof);
    return api_call(a, "POST", act_path(a, act, "commit"), p->token, &in, ret_out ? out : NULL, ret_out);
}

chop_err act_do(struct api *a, const struct person *p, enum act_owner owner, const void *in, void *ret_out) {
    struct act act;
    TRY(act_prepare(a, p, owner, in, &act));
    if (p->key) TRY(act_prove_key(a, p, &act));
    else TRY(act_prove_password(a, p, &act));
    return act_commit(a, p, &act, ret_out);
}
