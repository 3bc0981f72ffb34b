/* What the files of the bridge share. Two sides: rpc workers and event consumers, each with their own database
 * connection; and the link, one thread that owns the MQTT connection and a connection of its own. They meet in
 * waiters.c (answers to asks) and in the link's queue of messages to send; these two are the only places with a mutex.
 */
#pragma once
#include "app.h"
#include "mqtt.h"

#include "common.pb-c.h"
#include "identity.pb-c.h"
#include "issuance.pb-c.h"
#include "printer.pb-c.h"

#define ASK_MS 3000
#define LIST_MAX 500

struct bridge { /* configuration and state: c->service */
    const char *mqtt_host, *public_host, *ca, *cert, *key, *client_id;
    int64_t mqtt_port, public_port, resend_ms;
    struct link *link;
};

/* ---- rows ---- */
/* Columns of printer_get and printer_list into a Printer. */
chop_err printer_fill(struct call *c, const struct db_rows *r, size_t row, Pb__Printer *out) CHOP_MUSTCHECK;

/* ---- handlers ---- */
chop_err enrol_printer(struct call *c, const void *in, void *out);
chop_err list_printers(struct call *c, const void *in, void *out);
chop_err get_printer(struct call *c, const void *in, void *out);
chop_err list_pairings(struct call *c, const void *in, void *out);
chop_err get_delivery(struct call *c, const void *in, void *out);
chop_err get_challenge(struct call *c, const void *in, void *out);
chop_err pair_terminal(struct call *c, const void *in, void *out);
chop_err close_out(struct call *c, const void *in, void *out);
/* The caller's own printer, or ENOTFOUND. */
chop_err own_printer(struct call *c, const char *printer_id, struct db_rows **ret_rows) CHOP_MUSTCHECK;

/* The certificate holds and is of this printer of this organization. */
chop_err printer_cert_of(
    struct call *c, const Pb__Signed *cert, const char *printer_id, const char *organization_id) CHOP_MUSTCHECK;

/* ---- events ---- */
chop_err envelope_sealed(struct call *c, const void *message, const Pb__Event *event);
chop_err printer_enrolled(struct call *c, const void *message, const Pb__Event *event);

/* ---- link: the MQTT side ---- */
chop_err link_start(struct app *app, struct bridge *b, struct link **ret_link) CHOP_MUSTCHECK;
void link_stop(struct link *l);
/* Something may be due to be delivered. Any thread. */
void link_wake(struct link *l);
/* Asks a printer and waits for its answer, at most ASK_MS: EUNREACHABLE; the printer's own error by its name. Any
 * thread. */
chop_err link_ask(struct link *l, const char *printer_id, Pb__PrinterAsk *ask, struct arena *mem,
    Pb__PrinterAnswer **ret_answer) CHOP_MUSTCHECK;

/* ---- inside of the link's thread ---- */
struct link_call { /* one message or one round of deliveries */
    struct link *link;
    struct call c; /* db outside of a transaction */
    struct bridge *bridge;
};
/* Publishes to chop/v1/printer/<id>/down/<tail>. */
chop_err link_publish(
    struct link *l, const char *printer_id, const char *tail, const void *message, struct arena *mem) CHOP_MUSTCHECK;
/* A report: verified, committed with its event, acknowledged. An error means: not stored, let it come again. */
chop_err report_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) CHOP_MUSTCHECK;
/* What a report is, and by the same road: a load that is held, a close-out. */
struct received {
    Pb__Signed *statement, *cert;
    const char *organization_id;
    uint8_t digest[32];
    struct chop_bytes packed;
};
chop_err held_receive(struct link_call *k, const char *printer_id, const struct received *x) CHOP_MUSTCHECK;
chop_err closeout_receive(struct link_call *k, const char *printer_id, const struct received *x) CHOP_MUSTCHECK;
/* To the printer: what has this digest needs not be sent again. number 0: the allotment's close-out. */
void report_acknowledge(struct link_call *k, const char *printer_id, char *allotment_id, uint32_t number,
    const uint8_t digest[32]);
chop_err status_receive(struct link_call *k, const char *printer_id, struct chop_bytes payload) CHOP_MUSTCHECK;
/* Sends what is due. */
chop_err deliver_due(struct link_call *k) CHOP_MUSTCHECK;

/* ---- waiters: answers by ask_id ---- */
struct waiters;
struct waiters *waiters_new(void); /* NULL: out of memory */
void waiters_free(struct waiters *w);
struct waiter { /* on the asker's stack */
    const char *ask_id, *printer_id;
    uint8_t *answer; /* malloc'ed, packed */
    size_t n;
    struct waiter *next;
};
void waiters_add(struct waiters *w, struct waiter *one);
/* Waits until it is answered or until the moment (monotonic ns) is over, then takes it off; false: no answer. */
bool waiters_wait(struct waiters *w, struct waiter *one, int64_t until_ns);
/* Gives the answer to who waits for it; an answer by another printer than was asked is nobody's. */
void waiters_answer(struct waiters *w, const char *printer_id, const char *ask_id, struct chop_bytes packed);
