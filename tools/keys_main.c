/* chop-keys: makes and changes the trust material of a deployment. */
#include "keys.h"

#include "pb.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct options {
    const char *dir, *kid;
    const char *purpose, *name, *alg, *org, *out, *public, *cert, *ca_key, *ca_cert, *cn, *san, *out_key, *out_cert;
    const char *days;
    bool server;
};

struct command {
    const char *name, *usage;
    int words; /* after the command's name: DIR, KID */
    chop_err (*run)(const struct options *o, struct arena *mem);
};

static chop_err must_have(const char *value, const char *option) {
    return value && value[0] ? NULL : CHOP_FAIL(EINVAL, option, "--%s is missing", option);
}

static chop_err read_days(const char *text, int otherwise, int *ret_days) {
    char *end = NULL;
    long days = text ? strtol(text, &end, 10) : otherwise;
    if (text && (*end || end == text)) days = 0;
    if (days < 1 || days > 36500) return CHOP_FAIL(EINVAL, "days", "1 to 36500");
    *ret_days = (int)days;
    return NULL;
}

/* ---- commands ---- */

static chop_err run_init(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(deployment_done) struct deployment d = { 0 };
    TRY(deployment_init(&d, o->dir, mem));
    printf("root %s: carry %s/root away and keep it offline\n", crypto_key_kid(d.root), o->dir);
    return NULL;
}

/* Somebody else's public key: PEM or DER. */
static chop_err add_public(
    struct deployment *d, const struct key_spec *spec, const char *path, struct crypto_key **ret_key) {
    struct chop_bytes data;
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *read = NULL, *k = NULL;
    TRY(file_read(path, 16384, d->mem, &data));
    bool pem = data.n > 0 && data.p[0] == '-';
    TRY(pem ? crypto_key_from_pem(data, &read) : crypto_key_from_spki(data, &read));
    TRY(crypto_key_from_spki(crypto_key_spki(read), &k));
    TRY(deployment_add(d, spec, k));
    *ret_key = CHOP_STEAL(k);
    return NULL;
}

static chop_err add_one(
    struct deployment *d, const struct options *o, const struct key_spec *spec, struct crypto_key **ret_key) {
    enum crypto_alg alg = CRYPTO_ES256;
    if (o->public) return add_public(d, spec, o->public, ret_key);
    TRY(must_have(o->out, "out"));
    if (o->alg) TRY(crypto_alg_by_name(o->alg, &alg));
    return deployment_add_new(d, spec, alg, o->out, ret_key);
}

static chop_err check_purpose(const char *purpose) {
    static const char *const known[] = { "identity", "identity-ca", "authorization", "issuance", "bridge", "registry" };
    TRY(must_have(purpose, "purpose"));
    for (size_t i = 0; i < CHOP_COUNT(known); i++)
        if (strcmp(known[i], purpose) == 0) return NULL;
    return CHOP_FAIL(EINVAL, "purpose", "not one of identity, identity-ca, authorization, issuance, bridge, registry");
}

static chop_err run_add(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(deployment_done) struct deployment d = { 0 };
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    struct key_spec spec = { o->purpose, o->name, o->org, 0 };
    TRY(check_purpose(o->purpose));
    TRY(must_have(o->name, "name"));
    TRY(read_days(o->days, 3650, &spec.days));
    TRY(deployment_open(&d, o->dir, mem));
    TRY(add_one(&d, o, &spec, &k));
    TRY(deployment_save(&d));
    printf("%s\n", crypto_key_kid(k));
    return NULL;
}

static chop_err run_ca(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(deployment_done) struct deployment d = { 0 };
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ca = NULL;
    TRY(must_have(o->out, "out"));
    TRY(must_have(o->cert, "cert"));
    TRY(deployment_open(&d, o->dir, mem));
    TRY(ca_make(&d, o->out, o->cert, &ca, NULL));
    TRY(deployment_save(&d));
    printf("%s\n", crypto_key_kid(ca));
    return NULL;
}

static chop_err run_tls(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *ca = NULL;
    struct chop_bytes pem;
    struct tls_spec spec = { o->cn, o->san, o->server, 0, o->out_key, o->out_cert };
    TRY(must_have(o->ca_key, "ca-key"));
    TRY(must_have(o->ca_cert, "ca-cert"));
    TRY(must_have(o->cn, "cn"));
    TRY(must_have(o->out_key, "out-key"));
    TRY(must_have(o->out_cert, "out-cert"));
    TRY(read_days(o->days, 825, &spec.days));
    TRY(crypto_key_load(o->ca_key, &ca));
    TRY(file_read(o->ca_cert, 8192, mem, &pem));
    return tls_issue(ca, pem, &spec, mem);
}

static chop_err run_revoke(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(deployment_done) struct deployment d = { 0 };
    TRY(deployment_open(&d, o->dir, mem));
    TRY(deployment_revoke(&d, o->kid));
    return deployment_save(&d);
}

static void print_time(const char *label, int64_t ms) {
    char text[32] = "-";
    time_t s = (time_t)(ms / 1000);
    struct tm tm;
    if (ms && gmtime_r(&s, &tm)) (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    printf(" %s=%s", label, text);
}

static void print_entry(const Pb__KeyEntry *e) {
    printf("%s %s %s name=%s org=%s", e->kid, e->purpose, e->algorithm, e->name, e->organization_id);
    print_time("from", e->not_before);
    print_time("to", e->not_after);
    print_time("revoked", e->revoked_at);
    printf("\n");
}

/* Needs no private key: anybody may look. */
static chop_err run_show(const struct options *o, struct arena *mem) {
    struct trust *t = NULL;
    struct chop_bytes packed;
    Pb__Signed *s = NULL;
    Pb__KeyManifest *m = NULL;
    TRY(trust_load(o->dir, 0, &t));
    trust_free(t);
    TRY(file_read(arena_printf(mem, "%s/manifest.signed", o->dir), (size_t)1 << 20, mem, &packed));
    TRY(PB_UNPACK(pb__signed, packed, mem, &s));
    TRY(PB_UNPACK(pb__key_manifest, PB_BYTES(s->payload), mem, &m));
    printf("root %s version %llu", s->kid, (unsigned long long)m->version);
    print_time("issued", m->issued_at);
    printf("\n");
    for (size_t i = 0; i < m->n_entries; i++)
        print_entry(m->entries[i]);
    return NULL;
}

static chop_err run_hpke(const struct options *o, struct arena *mem) {
    CHOP_CLEANUP(crypto_key_free_p) struct crypto_key *k = NULL;
    uint8_t point[65];
    TRY(must_have(o->out, "out"));
    TRY(file_must_be_new(o->out));
    TRY(crypto_key_generate(CRYPTO_ES256, &k));
    TRY(crypto_key_point(k, point));
    TRY(crypto_key_save(k, o->out));
    printf("%s\n", arena_hex(mem, CHOP_BYTES(point, sizeof point)));
    return NULL;
}

static chop_err run_demo(const struct options *o, struct arena *mem) {
    return demo_make(o->dir, mem);
}

static const struct command commands[] = {
    { "init", "DIR", 1, run_init },
    { "add",
        "DIR --purpose P --name NAME [--org ID] [--days N] ([--alg ES256|SM2|Ed25519] --out KEY.pem | --public FILE)",
        1, run_add },
    { "ca", "DIR --out KEY.pem --cert CA.crt", 1, run_ca },
    { "tls",
        "DIR --ca-key KEY --ca-cert CRT --cn NAME [--san DNS:..,IP:..] [--server] [--days N] --out-key K --out-cert C",
        1, run_tls },
    { "revoke", "DIR KID", 2, run_revoke },
    { "show", "DIR", 1, run_show },
    { "hpke", "--out KEY.pem", 0, run_hpke },
    { "demo", "DIR", 1, run_demo },
};

/* ---- the command line ---- */

static int usage(void) {
    for (size_t i = 0; i < CHOP_COUNT(commands); i++)
        (void)fprintf(stderr, "%s chop-keys %s %s\n", i ? "      " : "usage:", commands[i].name, commands[i].usage);
    return 2;
}

/* getopt's value of an option is where its text goes. */
#define SLOT(field) (256 + (int)offsetof(struct options, field))

static const struct option long_options[] = {
    { "purpose", 1, NULL, SLOT(purpose) },
    { "name", 1, NULL, SLOT(name) },
    { "alg", 1, NULL, SLOT(alg) },
    { "org", 1, NULL, SLOT(org) },
    { "out", 1, NULL, SLOT(out) },
    { "public", 1, NULL, SLOT(public) },
    { "cert", 1, NULL, SLOT(cert) },
    { "ca-key", 1, NULL, SLOT(ca_key) },
    { "ca-cert", 1, NULL, SLOT(ca_cert) },
    { "cn", 1, NULL, SLOT(cn) },
    { "san", 1, NULL, SLOT(san) },
    { "out-key", 1, NULL, SLOT(out_key) },
    { "out-cert", 1, NULL, SLOT(out_cert) },
    { "days", 1, NULL, SLOT(days) },
    { "server", 0, NULL, 's' },
    { NULL, 0, NULL, 0 },
};

static bool read_options(int argc, char **argv, struct options *o) {
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (c == '?') return false;
        if (c == 's')
            o->server = true;
        else
            memcpy((char *)o + (c - 256), &optarg, sizeof optarg);
    }
    return true;
}

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < CHOP_COUNT(commands); i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int run(const struct command *command, const struct options *o) {
    struct arena *mem = arena_new((size_t)16 << 20);
    if (!mem) return 1;
    chop_err e = command->run(o, mem);
    if (e) (void)fprintf(stderr, "chop-keys: %s: %s\n", e->name, chop_detail_text()[0] ? chop_detail_text() : e->text);
    arena_free(mem);
    return e ? 1 : 0;
}

int main(int argc, char **argv) {
    struct options o = { 0 };
    if (argc < 2 || !read_options(argc, argv, &o)) return usage();
    const struct command *command = optind < argc ? find_command(argv[optind]) : NULL;
    if (!command || argc - optind - 1 != command->words) return usage();
    if (command->words > 0) o.dir = argv[optind + 1];
    if (command->words > 1) o.kid = argv[optind + 2];
    return run(command, &o);
}
