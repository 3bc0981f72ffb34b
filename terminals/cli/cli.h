/* cli: the chop command: one row of a table per command, run by the same few steps. */
#pragma once
#include "httpc.h"
#include "pb.h"
#include "trust.h"

enum { EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHABLE, EXIT_NOT_GENUINE };

/* ---- the table ---- */
enum option_kind {
    OPT_TEXT,    /* text or number into a scalar field */
    OPT_LIST,    /* may be repeated: into a repeated text field */
    OPT_FLAG,    /* takes no value; true into a bool field */
    OPT_TIME,    /* +90m, +8h, +3d or 2026-12-01[T08:00]: milliseconds */
    OPT_BYTES,   /* a file's content into a bytes field */
    OPT_DIGEST,  /* a file's SHA-256, as hex, into a text field */
    OPT_CLAUSES, /* factors that prove a step: key|fingerprint+password: + is and, | is or */
};
struct option_row {
    const char *name;  /* without dashes */
    enum option_kind kind;
    const char *field; /* path in the message, "document.facts.number"; NULL: read by the command's own function */
    const char *doc;
};
struct arg_row {
    const char *label; /* "REQUEST" */
    const char *field; /* NULL: read by the command's own function */
};
struct cli;
struct command {
    const char *name; /* "seal create" */
    const char *doc;
    struct arg_row args[3];
    int optional_args; /* so many of the last may be missing */
    const struct option_row *options; /* ended by a NULL name; may be NULL */
    const char *preset; /* "verdict=approve": a field that the command itself sets */
    /* a call: */
    const char *method, *path; /* "/v1/seals/{seal_id}" */
    /* or an act: the member of the prepare message's oneof */
    const char *act;
    bool identity; /* identity's act */
    const ProtobufCMessageDescriptor *in, *out; /* of an act: `in` is the parameters' message, `out` unset */
    chop_err (*before)(struct cli *c, void *in); /* what options cannot say */
    chop_err (*after)(struct cli *c, void *out); /* shows the outcome; NULL: all of it is shown */
    chop_err (*run)(struct cli *c);              /* instead of all this */
    const char *list, *columns; /* shows the repeated field `list` as a table of these fields, parted by blanks */
    const char *examples;       /* lines */
};
extern const struct command commands[]; /* ended by a NULL name */

/* ---- one run ---- */
#define CLI_VALUES 64
struct profile {
    char dir[512];
    const char *server, *organization, *account, *token, *member_id, *organization_id, *terminal_id, *key, *ca_file;
};
struct cli {
    struct arena *mem;
    struct profile profile;
    const struct command *command;
    struct {
        const struct option_row *row;
        const char *text;
    } values[CLI_VALUES];
    size_t n_values;
    const char *args[3];
    size_t n_args;
    bool json, yes, help;
    const char *profile_name, *server, *password_file, *key_file;
    struct httpc *http;
    struct trust *trust;
    struct crypto_key *device;
    struct chop_bytes reply; /* the last answer's JSON */
    int status;              /* the exit code, where not given by an error */
};

/* ---- args.c ---- */
/* EINVAL says what is wrong with the command line. */
chop_err args_read(struct cli *c, int argc, char **argv) CHOP_MUSTCHECK;
/* An option's last value, NULL where it was not given. */
const char *cli_option(const struct cli *c, const char *name);
bool cli_flag(const struct cli *c, const char *name);
/* Puts options and arguments that have a field into the message. */
chop_err args_into(struct cli *c, void *message) CHOP_MUSTCHECK;
chop_err args_time(const char *text, int64_t now, int64_t *ret_ms) CHOP_MUSTCHECK;
const struct command *command_find(const char *name);

/* ---- help.c ---- */
void help_all(void);
void help_command(const struct command *cmd);
/* One candidate a line, for completion: what may follow these words. */
void help_complete(int n, char **words);

/* ---- run.c ---- */
/* Runs a command whose line was read; returns the exit code. */
int cli_run(struct cli *c);
int cli_exit_code(chop_err e);

/* ---- api.c ---- */
/* One call of the gateway. {fields} of the path come from `in` (may be NULL); GET and DELETE take the rest as query. The
 * gateway's problem becomes the error it names, with its detail. ret_out may be NULL. */
chop_err api_call(struct cli *c, const char *method, const char *path, const void *in,
    const ProtobufCMessageDescriptor *out, void *ret_out) CHOP_MUSTCHECK;

/* ---- profile.c: $CHOP_HOME or ~/.config/chop, one directory a profile, all of it for its owner only ---- */
chop_err profile_load(struct cli *c) CHOP_MUSTCHECK;
chop_err profile_save(const struct cli *c) CHOP_MUSTCHECK;
const char *profile_path(struct cli *c, const char *file);

/* ---- pin.c: the deployment's root key, pinned at first contact; its manifest never goes back ---- */
chop_err pin_trust(struct cli *c, const struct trust **ret_trust) CHOP_MUSTCHECK;
/* As pinned, without asking the server: ESTATE where nothing is. */
chop_err pin_trust_local(struct cli *c, const struct trust **ret_trust) CHOP_MUSTCHECK;

/* ---- local.c: files, the person at the keyboard ---- */
chop_err local_read(struct cli *c, const char *path, size_t limit, struct chop_bytes *ret_bytes) CHOP_MUSTCHECK;
/* 0600, atomic. */
chop_err local_write(struct cli *c, const char *path, struct chop_bytes bytes) CHOP_MUSTCHECK;
chop_err local_sha256(const char *path, uint8_t out[32], uint64_t *ret_size) CHOP_MUSTCHECK;
bool local_exists(const char *path);
/* A secret: from the file if one is named (its first line), else asked for without echo. */
chop_err local_secret(struct cli *c, const char *file, const char *prompt, const char **ret_text) CHOP_MUSTCHECK;
/* NULL when the person says yes (or --yes was given); EDENIED otherwise. */
chop_err local_confirm(const struct cli *c, const char *question) CHOP_MUSTCHECK;
void local_sleep_ms(int ms);

/* ---- keys (cmd_key.c) ---- */
chop_err key_device(struct cli *c, const struct crypto_key **ret_key) CHOP_MUSTCHECK;
chop_err key_terminal_cert(struct cli *c, struct chop_bytes *ret_packed) CHOP_MUSTCHECK;
/* The key factor's path, NULL where this profile has none. */
const char *key_factor_path(struct cli *c);
/* Signs `label` 0x00 `data`. */
chop_err key_sign_labelled(struct cli *c, const struct crypto_key *k, const char *label, struct chop_bytes data,
    struct chop_bytes *ret_signature) CHOP_MUSTCHECK;

/* ---- act.c ---- */
/* Prepares, checks, shows, asks, proves and commits. proof: packed, may be NULL. */
chop_err act_run(struct cli *c, const char *name, bool identity, const void *params, void *ret_reply,
    struct chop_bytes *ret_proof) CHOP_MUSTCHECK;

/* ---- the commands' own functions ---- */
chop_err cmd_login(struct cli *c);
chop_err cmd_logout(struct cli *c);
chop_err cmd_org_create(struct cli *c, void *in);
chop_err cmd_new_password(struct cli *c, void *in);
chop_err cmd_key_new(struct cli *c);
chop_err cmd_key_add(struct cli *c, void *in);
chop_err cmd_terminal_register(struct cli *c);
chop_err cmd_seal_policy(struct cli *c, void *in);
chop_err cmd_request(struct cli *c, void *in);
chop_err cmd_show(struct cli *c);
chop_err cmd_approve(struct cli *c, void *in);
chop_err cmd_print(struct cli *c);
chop_err cmd_print_local(struct cli *c, const char *socket_path, const char *job_id);
chop_err cmd_printer_held(struct cli *c);
chop_err cmd_printer_close_out(struct cli *c);
chop_err cmd_verify(struct cli *c);
chop_err cmd_verify_offline(struct cli *c, const char *what);
chop_err cmd_pair(struct cli *c);
chop_err cmd_job_shown(struct cli *c, void *out);
chop_err cmd_verdict_shown(struct cli *c, void *out);
chop_err cmd_keys(struct cli *c);
chop_err cmd_facts_shown(struct cli *c, void *out);
