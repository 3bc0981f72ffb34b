/* stack: a private stack in a directory of its own, started by script/lib.sh, and printers beside it. Everything ends
 * with the process, however that ends: a guard takes the stack down and removes the directory (CHOP_TEST_KEEP=1 keeps
 * it). What cannot be set up ends the process with a message. */
#pragma once
#include "client.h"

#include <sys/types.h>

/* `tag` names the directory; env: "NAME=value", NULL-terminated, may be NULL. bin: where the programs are. */
void stack_start(const char *tag, const char *bin, const char *const *env);
const char *stack_dir(void); /* CHOP_VAR */
const char *stack_url(void);
const char *stack_bin(void);
/* Text that lives as long as the process. */
char *stack_text(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* A shell command with script/lib.sh at hand; returns its exit status. Output goes to DIR/log/commands.log. */
int stack_shell(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* What a command prints, without the last newline; freed with stack_text's. */
char *stack_output(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* One value, or lines of values with '|' between, as PostgreSQL's superuser; tables are named schema.table. */
char *stack_sql(const char *fmt, ...) CHOP_PRINTF(1, 2);
long stack_number(const char *fmt, ...) CHOP_PRINTF(1, 2); /* the same, one number; -1 where there is none */
/* The text of a file in DIR, "" where there is none. */
char *stack_file(const char *name);
int stack_port(const char *name); /* "MQTT" */

/* ---- processes of the stack, by their name in DIR/run ---- */
pid_t stack_pid(const char *name);
void stack_kill(const char *name, int signal); /* and waits until it is gone */
bool stack_alive(const char *name);
/* Again, with more environment ("A=b C=d" or ""), and waits until it is ready. */
void stack_service(const char *name, const char *env);

/* ---- printers ---- */
struct printer {
    char id[CHOP_ID_MAX], name[32];
    char dir[160], out[168];
    pid_t pid;
};
/* From now on printers' journals lie in memory: as if they were devices of their own, not on the disk of the stack. */
void stack_devices_apart(void);
/* Enrols a printer by its one-time code. */
void printer_new(struct api *a, const struct person *admin, const char *name, struct printer *ret);
/* Runs it; env may be NULL; kind: "page" or "null". Waits until the bridge says it is online. */
void printer_run(struct api *a, const struct person *who, struct printer *p, const char *kind, const char *const *env);
void printer_end(struct printer *p, int signal);
bool printer_gone(struct printer *p); /* it ended by itself: a crash point */
void printer_accept(struct api *a, struct printer *p, const struct person *who); /* pairs; it may run */
/* Lines of prints.log with this text in them. */
int printer_inks(const struct printer *p, const char *text);
