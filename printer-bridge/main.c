/* chop-printer-bridge: printers, pairings, deliveries, reports: the bus on one side, MQTT on the other. */
#include "bridge.h"

#include "bridge_sql.h"

#define CONF(key_, type_, member, fallback_, min_, max_, flags_, doc_)                                                 \
    {                                                                                                                  \
        .key = (key_), .type = (type_), .offset = offsetof(struct bridge, member), .fallback = (fallback_),            \
        .min = (min_), .max = (max_), .flags = (flags_), .doc = (doc_)                                                 \
    }

static const struct conf_row conf[] = {
    CONF("MQTT_HOST", CONF_STR, mqtt_host, NULL, 1, 128, CONF_REQUIRED,
        "the broker, as named in its certificate; printers are told the same"),
    CONF("MQTT_PORT", CONF_INT, mqtt_port, "8883", 1, 65535, 0, "its TLS port"),
    CONF("MQTT_PUBLIC_HOST", CONF_STR, public_host, "", 0, 128, 0, "what printers are told instead of MQTT_HOST"),
    CONF("MQTT_PUBLIC_PORT", CONF_INT, public_port, "0", 0, 65535, 0, "what printers are told instead of MQTT_PORT"),
    CONF("MQTT_CA", CONF_STR, ca, NULL, 0, 0, CONF_REQUIRED, "PEM file of the CA of the broker's certificate"),
    CONF("MQTT_CERT", CONF_STR, cert, NULL, 0, 0, CONF_REQUIRED, "PEM file of the client certificate, CN bridge"),
    CONF("MQTT_KEY", CONF_STR, key, NULL, 0, 0, CONF_REQUIRED, "PEM file of its key"),
    CONF("MQTT_CLIENT_ID", CONF_STR, client_id, "bridge", 1, 64, 0,
        "names the broker's session, which keeps reports while the bridge is away; one process at a time"),
    CONF("RESEND_MS", CONF_INT, resend_ms, "5000", 50, 600000, 0,
        "an envelope without reports goes out again after this; doubled each time, at most 12 times as long"),
    CONF_END,
};

static const struct rpc_method methods[] = {
    RPC(EnrolPrinter, enrol_printer, RPC_PUBLIC | RPC_READ),
    RPC(ListPrinters, list_printers, RPC_READ),
    RPC(GetPrinter, get_printer, RPC_READ),
    RPC(GetChallenge, get_challenge, RPC_READ),
    RPC(PairTerminal, pair_terminal, RPC_READ),
    RPC(ListPairings, list_pairings, RPC_READ),
    RPC(GetDelivery, get_delivery, RPC_READ),
    RPC(CloseOut, close_out, RPC_READ),
    RPC(ReadEvents, outbox_read_events, RPC_INTERNAL | RPC_READ | RPC_QUIET),
    RPC_END,
};

static const struct event_row events[] = {
    EVENT("issuance.envelope.sealed", pb__envelope_sealed, envelope_sealed),
    EVENT("identity.printer.enrolled", pb__printer_enrolled, printer_enrolled),
    EVENT_END,
};

static chop_err start(struct app *app) {
    struct bridge *b = app->state;
    if (!app_sign_key(app)) return CHOP_FAIL(EINVAL, "SIGN_KEY", "the bridge signs the time: it needs its key");
    return link_start(app, b, &b->link);
}

static void stop(struct app *app) {
    struct bridge *b = app->state;
    link_stop(b->link);
    b->link = NULL;
}

int main(int argc, char **argv) {
    static struct bridge bridge;
    struct app app = {
        .name = "printer-bridge",
        .proto = &pb__printer_bridge__descriptor,
        .methods = methods,
        .events = events,
        .conf = conf,
        .config = &bridge,
        .store = (const char *const[]){ bridge_sql, NULL },
        .store_names = (const char *const[]){ "printer_bridge", NULL },
        .produces = true,
        .state = &bridge,
        .start = start,
        .stop = stop,
    };
    return app_run(&app, argc, argv);
}
