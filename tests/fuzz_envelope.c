/* Bytes from the network into the core. The first byte chooses how deep they get: as a sealed envelope, as what lay in
 * the seal, as the envelope's payload or one of its statements (signatures are taken as good there), or as pair, time
 * and manifest. Nothing may crash, and without a real signature nothing may be inked. */
#include "core.h"

#include "common.pb-c.h"
#include "issuance.pb-c.h"
#include "unit_core_world.h"

#include <stdlib.h>
#include <string.h>

static struct world *w;
static struct mem_journal clean;
static bool believe; /* signatures hold: reaches the code behind them */

static chop_err fuzz_verify(void *ctx, const char *algorithm, struct chop_bytes spki, struct chop_bytes head,
    struct chop_bytes body, struct chop_bytes signature) {
    (void)ctx;
    (void)algorithm;
    (void)spki;
    (void)head;
    (void)body;
    (void)signature;
    return believe ? NULL : CHOP_ERR(ESIGNATURE);
}

static chop_err fuzz_open(
    void *ctx, struct chop_bytes info, struct chop_bytes aad, struct chop_bytes sealed, uint8_t *out, size_t *ret_n) {
    (void)ctx;
    (void)info;
    (void)aad;
    memcpy(out, sealed.p, sealed.n);
    *ret_n = sealed.n;
    return NULL;
}

static void start(void) {
    believe = true;
    w = world_new();
    world_pair(w);
    w->platform.verify = fuzz_verify;
    w->platform.open = fuzz_open;
    clean = *w->mem_journal;
}

/* data as the payload of a statement of this type. */
static struct chop_bytes as_signed(const char *type, const char *kid, struct chop_bytes data) {
    Pb__Signed s = PB__SIGNED__INIT;
    s.type = PB_STR(type);
    s.kid = PB_STR(kid);
    s.payload = PB_BIN(data);
    return world_pack(w, &s);
}

static struct chop_bytes as_sealed(struct chop_bytes data) {
    Pb__SealedEnvelope s = PB__SEALED_ENVELOPE__INIT;
    s.job_id = PB_STR("job_fuzz");
    s.printer_id = w->printer_id;
    s.sealed = PB_BIN(data);
    return world_pack(w, &s);
}

/* A whole good job but for one statement, which is the data. */
static int fuzz_part;
static struct chop_bytes fuzz_data;
static void part_hook(struct job *j, enum job_stage stage) {
    if (stage != ST_ENVELOPE) return;
    Pb__Signed *const parts[] = { j->allotment_s, j->grant_s, j->order_s, j->cert_s, j->challenge_s };
    if (fuzz_part < (int)CHOP_COUNT(parts)) parts[fuzz_part]->payload = PB_BIN(fuzz_data);
    if (fuzz_part == 5) j->envelope.artwork = PB_BIN(fuzz_data);
    if (fuzz_part == 6) j->envelope.impressions[1]->mark_block = PB_BIN(fuzz_data);
    if (fuzz_part == 7) j->envelope.signature_artwork = PB_BIN(fuzz_data);
}

static void print_job(int part, struct chop_bytes data) {
    struct job j;
    fuzz_part = part;
    fuzz_data = data;
    job_init(&j, w);
    j.hook = part_hook;
    (void)job_make(&j);
    (void)!job_print(&j, as_sealed(world_pack(w, j.envelope_s)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned runs;
    uint8_t out[PRINTER_SMALL_MAX];
    size_t n;
    if (size < 1 || size > 65536) return 0;
    if (runs++ % 512 == 0) { /* the world's memory only grows */
        if (w) world_free(w);
        start();
    }
    *w->mem_journal = clean;
    w->n_reports = CHOP_COUNT(w->reports);
    memset(w->output.inked, 0, sizeof w->output.inked);
    w->core.job.active = w->core.broken = false;
    struct chop_bytes rest = CHOP_BYTES(data + 1, size - 1);
    int way = data[0] % 16;
    believe = way >= 4;
    if (way == 0 || way == 4) (void)!printer_envelope(&w->core, rest);
    if (way == 1 || way == 5) (void)!printer_envelope(&w->core, as_sealed(rest));
    if (way == 2) (void)!printer_envelope(&w->core, as_sealed(as_signed("envelope", w->printer_id, rest)));
    if (way == 3) (void)!printer_manifest(&w->core, rest);
    if (way == 6) (void)!printer_pair(&w->core, as_signed("pair", w->terminal_id, rest), rest, out, &n);
    if (way == 7) (void)!printer_time(&w->core, as_signed("time", crypto_key_kid(w->keys[KEY_BRIDGE]), rest));
    if (way >= 8) print_job(way - 8, rest);
    if (!believe)
        for (size_t i = 0; i < CHOP_COUNT(w->output.inked); i++)
            if (w->output.inked[i]) abort();
    return 0;
}
