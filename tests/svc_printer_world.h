/* svc_printer_world: a real broker, bridge and printer around the statements of unit_core_world; identity and issuance
 * are played by the test. One a process. */
#pragma once
#include "fixture.h"
#include "fixture_process.h"
#include "unit_core_world.h"

struct printer_world {
    struct world *w; /* its keys are the fixture's, its printer is the program */
    uint16_t mqtt_port;
    pid_t broker;
    struct fixture_program *bridge;
    const char *dir, *out; /* of the printer */
    const char *principal; /* of the member who pairs and prints */
};
/* Broker and bridge are up, the printer is enrolled over HTTP, not started. bridge_env: added, may be NULL. */
struct printer_world *pworld_new(const char *const *bridge_env);
void pworld_free(struct printer_world *p);
void pworld_broker_start(struct printer_world *p);
void pworld_broker_kill(struct printer_world *p);
void pworld_bridge_start(struct printer_world *p, const char *const *env);
/* Starts chop-printer; env added, may be NULL. Waits until the bridge says that it is online unless env says so. */
pid_t pworld_printer_start(struct printer_world *p, const char *const *env);
void pworld_printer_stop(pid_t pid);
void pworld_wait_online(struct printer_world *p, bool online);
chop_err pworld_pair(struct printer_world *p, const char *code);
const char *pworld_code(struct printer_world *p); /* --pair */
/* Asks the printer for its challenge through the bridge and makes the job's envelope. */
chop_err pworld_job(struct printer_world *p, struct job *j, struct chop_bytes *ret_packed);
/* Plays issuance.envelope.sealed. */
void pworld_issue(struct printer_world *p, struct job *j, struct chop_bytes packed);
/* Plays identity.printer.enrolled with a certificate that says so. */
void pworld_enrolled(struct printer_world *p, const Pb__PrinterCert *cert, const char *printer_id, const char *org_id);
/* Waits until the bridge has committed n reports in all; fails after 20 s. */
void pworld_wait_reports(struct printer_world *p, int n);
/* "1:printed 2:interrupted" of the job's allotment, from the bridge's table. */
const char *pworld_outcomes(struct printer_world *p, const struct job *j);
int pworld_inks(struct printer_world *p); /* lines of prints.log */
/* Fails if any token was inked twice. */
void pworld_check_inks(struct printer_world *p);
/* The key manifest with the next version, where the bridge looks for it. */
void pworld_next_manifest(struct printer_world *p);
/* A client certificate for this name: paths without ".pem"/".key". */
const char *pworld_client(struct printer_world *p, const char *name);
