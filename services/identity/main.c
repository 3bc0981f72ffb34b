/* chop-identity: organizations, members, credentials, terminals, sessions, proofs; the CA of terminals and printers. */
#include "act.h"
#include "handlers.h"
#include "identity.h"
#include "identity.pb-c.h"
#include "identity_sql.h"

#define CONF(key_, type_, member, fallback_, min_, max_, flags_, doc_)                                                 \
    {                                                                                                                  \
        .key = (key_), .type = (type_), .offset = offsetof(struct identity, member), .fallback = (fallback_),          \
        .min = (min_), .max = (max_), .flags = (flags_), .doc = (doc_)                                                 \
    }

static const struct conf_row conf[] = {
    CONF("CA_KEY", CONF_STR, ca_key_path, NULL, 0, 0, CONF_REQUIRED, "PEM file of the identity-ca key (P-256)"),
    CONF("CA_CERT", CONF_STR, ca_cert_path, NULL, 0, 0, CONF_REQUIRED, "PEM file of that key's CA certificate"),
    CONF("OPERATOR_TOKEN", CONF_STR, operator_token, "", 0, 256, CONF_SECRET,
        "what CreateOrganization asks for, at least 16 characters; empty: nobody may"),
    CONF("PASSWORD_THREADS", CONF_INT, password_threads, "2", 1, 64, 0, "threads that hash passwords"),
    CONF("PASSWORD_QUEUE", CONF_INT, password_queue, "64", 1, 4096, 0,
        "passwords hashed or waiting at once; never more than half of WORKERS"),
    CONF("PASSWORD_OPSLIMIT", CONF_INT, password_ops, "2", 1, 100, 0, "Argon2id passes (libsodium opslimit)"),
    CONF("PASSWORD_MEMLIMIT", CONF_INT, password_memory, "67108864", 8192, (int64_t)4 << 30, 0,
        "Argon2id memory in bytes (libsodium memlimit)"),
    CONF("SESSION_IDLE_MS", CONF_INT, session_idle_ms, "43200000", 60000, 7 * DAY_MS, 0,
        "a session unused so long ends"),
    CONF("SESSION_MS", CONF_INT, session_ms, "86400000", 60000, 30 * DAY_MS, 0, "a session never lasts longer"),
    CONF("TERMINAL_DAYS", CONF_INT, terminal_days, "730", 1, 3650, 0, "life of a terminal's certificate"),
    CONF("PRINTER_DAYS", CONF_INT, printer_days, "1825", 1, 7300, 0, "life of a printer's certificates"),
    CONF_END,
};

static const struct rpc_method methods[] = {
    RPC(CreateOrganization, create_organization, RPC_PUBLIC),
    RPC(GetOrganization, get_organization, RPC_READ),
    RPC(StartSignIn, start_sign_in, RPC_PUBLIC | RPC_READ),
    RPC(SignIn, sign_in, RPC_PUBLIC | RPC_READ),
    RPC(SignOut, sign_out, RPC_PUBLIC),
    RPC(ResolveSession, resolve_session, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC(GetMe, get_me, RPC_READ),
    RPC(ListMembers, list_members, RPC_READ),
    RPC(ListCredentials, list_credentials, RPC_READ),
    RPC(ListTerminals, list_terminals, RPC_READ),
    RPC(PrepareAct, prepare_act, RPC_MEMBER),
    RPC(CommitAct, commit_act, RPC_MEMBER),
    RPC(ProveFactor, prove_factor, RPC_READ),
    RPC(RegisterTerminal, register_terminal, RPC_MEMBER),
    RPC(EnrolPrinter, enrol_printer, RPC_INTERNAL | RPC_READ),
    RPC(GetKeys, get_keys, RPC_PUBLIC | RPC_READ | RPC_QUIET),
    RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC_END,
};

int main(int argc, char **argv) {
    static struct identity identity;
    struct app app = {
        .name = "identity",
        .proto = &pb__identity__descriptor,
        .methods = methods,
        .conf = conf,
        .config = &identity,
        .store = (const char *const[]){ identity_sql, act_sql, NULL },
        .store_names = (const char *const[]){ "identity", "act", NULL },
        .produces = true,
        .state = &identity,
        .start = identity_start,
        .stop = identity_stop,
    };
    return app_run(&app, argc, argv);
}
