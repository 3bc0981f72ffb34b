/* fixture: a private world for tests of services, one a process: PostgreSQL, nats-server, root key and manifest, the
 * programs under test, and calls to them. What cannot be set up ends the process with a message: a test whose world
 * does not stand has no result. Everything ends with the process, and its directory is removed (CHOP_TEST_KEEP=1
 * keeps it). */
#pragma once
#include "bus.h"
#include "crypto.h"
#include "pb.h"
#include "trust.h"

typedef struct ProtobufCServiceDescriptor ProtobufCServiceDescriptor;
typedef struct Pb__Principal Pb__Principal;

enum fixture_part { FIX_PG = 1, FIX_NATS = 2, FIX_KEYS = 4 };

/* Starts what is not up; a part that was killed comes back with its data and at its address. */
void fixture_up(unsigned parts);
/* SIGKILL to PostgreSQL (all of it) or nats-server. */
void fixture_kill_part(enum fixture_part part);
/* Ends everything; also done at exit. */
void fixture_down(void);
/* The world's own directory, mode 0755. */
const char *fixture_dir(void);
/* Text that lives as long as the process. */
const char *fixture_text(const char *fmt, ...) CHOP_PRINTF(1, 2);
/* Memory of the test: replies of fixture_call lie here. */
struct arena *fixture_mem(void);

/* ---- PostgreSQL ---- */
/* A role that owns a schema of its name, which is its search_path. Returns its conninfo. */
const char *fixture_db_role(const char *name);
/* Runs SQL as this role by psql; returns what it printed, unaligned, tuples only, without the last newline. */
const char *fixture_sql(const char *role, const char *sql);

/* ---- NATS ---- */
const char *fixture_nats_url(void);
struct bus *fixture_bus(void);

/* ---- keys: one ES256 key a purpose (identity, identity-ca, authorization, issuance, bridge, registry), valid now;
 * the registry is named police ---- */
const struct crypto_key *fixture_key(const char *purpose);
const char *fixture_key_path(const char *purpose); /* PEM */
const char *fixture_keys_dir(void);                /* root.spki, manifest.signed */
const char *fixture_ca_cert_path(void);
const struct trust *fixture_trust(void);
/* Signed by `purpose`'s key, packed. */
struct chop_bytes fixture_sign(const char *purpose, const char *type, const void *message);

/* ---- programs ---- */
struct fixture_program;
/* Starts build/bin/chop-<service> with CHOP_<SERVICE>_BUS, _KEYS, _READY_FILE, _DB (the role named like the service,
 * '-' as '_', made if FIX_PG is up), _SIGN_KEY (of sign_purpose; NULL: none), then `env` (NULL-terminated "NAME=value",
 * may be NULL), and waits until it is ready. Its log goes to <dir>/<service>.log. */
struct fixture_program *fixture_start(const char *service, const char *sign_purpose, const char *const *env);
void fixture_stop(struct fixture_program *p); /* SIGTERM, waits; a bad exit status fails the test */
void fixture_kill(struct fixture_program *p); /* SIGKILL, waits */
const char *fixture_log(const char *service); /* its log's text so far */

/* ---- calls ---- */
/* Base64 of a principal signed by identity's key; expires_at 0 becomes five minutes from now. */
const char *fixture_principal(const Pb__Principal *p);
const char *fixture_base64(struct chop_bytes b);
/* chop.<service>.v1.<method>, five seconds; principal: Base64, NULL for none. The error's field and text are the
 * thread's detail. ret_out may be NULL. */
chop_err fixture_call(const char *service, const ProtobufCServiceDescriptor *sd, const char *method, const void *in,
    const char *principal, void *ret_out) CHOP_MUSTCHECK;
