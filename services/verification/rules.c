#include "rules.h"

#include <ctype.h>
#include <string.h>

#include "arena.h"

/* ---- states ---- */

#define TO(o) (1u << (o))
static const struct {
    const char *name;
    unsigned successors;
    bool proof;
} outcomes[OUTCOMES] = {
    [ISSUED] = { "reserved", TO(INTERRUPTED) | TO(PRINTED) | TO(SPOILED) | TO(RETURNED) | TO(REVOKED), false },
    [INTERRUPTED] = { "interrupted", TO(PRINTED) | TO(SPOILED) | TO(REVOKED), false },
    [PRINTED] = { "printed", TO(REVOKED), true },
    [SPOILED] = { "spoiled", TO(REVOKED), true },
    /* No signature says "returned": what is proven afterwards counts for more. */
    [RETURNED] = { "returned", TO(PRINTED) | TO(SPOILED) | TO(REVOKED), false },
    [REVOKED] = { "revoked", 0, true },
};

enum outcome outcome_of(const char *state) {
    unsigned i = 0;
    while (i < OUTCOMES && strcmp(outcomes[i].name, state) != 0)
        i++;
    return (enum outcome)i;
}

bool outcome_follows(enum outcome from, enum outcome to) {
    return from < OUTCOMES && to < OUTCOMES && (outcomes[from].successors & TO(to)) != 0;
}

bool outcome_needs_proof(enum outcome o) {
    return o < OUTCOMES && outcomes[o].proof;
}

bool seal_ended(const char *state) {
    return strcmp(state, "lost") == 0 || strcmp(state, "revoked") == 0 || strcmp(state, "destroyed") == 0;
}

/* ---- the verdict: the first row that applies ----
 * What is over stays over, even in an old read model. All else needs a current one; and a mark on the wrong paper is
 * wrong whatever its state is. */

static const char *halted(unsigned flags) {
    if (flags & MARK_CANCELLED) return "grant-cancelled";
    return flags & MARK_SUSPENDED ? "grant-suspended" : "";
}

static struct conclusion conclude_issued(const struct situation *s) {
    if (s->seal_ended_now) return (struct conclusion){ "doubtful", "seal-lost" };
    if (s->now > s->not_after + VERIFICATION_GRACE_MS) return (struct conclusion){ "overdue", halted(s->flags) };
    return (struct conclusion){ "pending", halted(s->flags) };
}

struct conclusion conclude(const struct situation *s) {
    if (s->outcome == REVOKED) return (struct conclusion){ "revoked", "" };
    if (s->outcome == SPOILED) return (struct conclusion){ "void", "spoiled" };
    if (s->outcome == RETURNED) return (struct conclusion){ "void", "returned" };
    if (s->differs) return (struct conclusion){ "mismatch", "" };
    if (!s->current || s->outcome >= OUTCOMES) return (struct conclusion){ "unavailable", "lag" };
    if (s->outcome == INTERRUPTED) return (struct conclusion){ "interrupted", "" };
    if (s->outcome == ISSUED) return conclude_issued(s);
    if (s->flags & MARK_DOUBTFUL) return (struct conclusion){ "doubtful", "after-loss" };
    return (struct conclusion){ "genuine", "" };
}

/* ---- masking ---- */

static size_t letter_len(const char *s) {
    unsigned char c = (unsigned char)*s;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static size_t letters(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

static const char *skip_letters(const char *s, size_t n) {
    while (n-- && *s)
        for (s++; ((unsigned char)*s & 0xC0) == 0x80;) /* by what is there: a cut letter must not lead past the end */
            s++;
    return s;
}

/* The first `head` and the last `tail` letters with `stars` between. */
static char *mask_middle(struct arena *mem, const char *s, size_t head, size_t tail, size_t stars) {
    const char *head_end = skip_letters(s, head), *tail_start = skip_letters(s, letters(s) - tail);
    size_t head_len = (size_t)(head_end - s), tail_len = strlen(tail_start);
    char *out = arena_alloc(mem, head_len + stars + tail_len + 1);
    if (!out) return arena_str(mem, "");
    memcpy(out, s, head_len);
    memset(out + head_len, '*', stars);
    memcpy(out + head_len + stars, tail_start, tail_len);
    return out;
}

char *mask_name(struct arena *mem, const char *name) {
    size_t n = letters(name);
    if (n == 0) return arena_str(mem, "");
    if (n == 1) return arena_str(mem, "*");
    if (n == 2) return mask_middle(mem, name, 1, 0, 1);
    return mask_middle(mem, name, 1, 1, n > 5 ? 3 : n - 2);
}

char *mask_text(struct arena *mem, const char *text) {
    size_t n = letters(text);
    if (n == 0) return arena_str(mem, "");
    if (n < 5) return mask_middle(mem, text, n > 2, 0, 3);
    return mask_middle(mem, text, 2, n < 8 ? 0 : 2, 4);
}

static void mask_approval(struct arena *mem, Pb__Approval *a) {
    a->member_name = mask_name(mem, a->member_name);
    a->proof_digest = (ProtobufCBinaryData){ 0 };
}

void mask_verdict(struct arena *mem, Pb__Verdict *v) {
    v->level = (char *)(uintptr_t) "masked";
    v->document_title = mask_text(mem, v->document_title);
    v->requester = mask_name(mem, v->requester);
    v->signature_name = mask_name(mem, v->signature_name);
    v->document_sha256 = (char *)(uintptr_t) "";
    for (size_t i = 0; i < v->n_approvals; i++)
        mask_approval(mem, v->approvals[i]);
    if (!v->facts) return;
    v->facts->counterparty = mask_text(mem, v->facts->counterparty);
    if (*v->facts->amount) v->facts->amount = (char *)(uintptr_t) "****";
}

/* ---- comparing ---- */

/* The next letter that counts as a code point, folded; 0 at the end. */
static uint32_t next_letter(const char **s) {
    while (**s) {
        size_t n = letter_len(*s);
        uint32_t cp = (unsigned char)**s;
        if (n > 1) cp &= 0x7Fu >> n;
        for (size_t i = 1; i < n && (*s)[i]; i++)
            cp = cp << 6 | ((unsigned char)(*s)[i] & 0x3F);
        *s = skip_letters(*s, 1);
        if (cp >= 0xFF01 && cp <= 0xFF5E) cp -= 0xFEE0; /* full-width forms */
        if (cp == ' ' || cp == '\t' || cp == 0x3000 || cp == 0xA0 || cp == ',' || cp == 0xA5 || cp == 0xFFE5) continue;
        return cp < 0x80 ? (uint32_t)tolower((int)cp) : cp;
    }
    return 0;
}

bool fact_same(const char *a, const char *b) {
    uint32_t x, y;
    do {
        x = next_letter(&a);
        y = next_letter(&b);
    } while (x == y && x);
    return x == y;
}

bool facts_hidden(const Pb__KeyFacts *given, const char *given_sha256) {
    return *given_sha256 || (given && (*given->counterparty || *given->amount));
}

size_t facts_differ(const Pb__KeyFacts *approved, const char *approved_sha256, const Pb__KeyFacts *given,
    const char *given_sha256, const char *names[8]) {
    static const Pb__KeyFacts none = PB__KEY_FACTS__INIT;
    size_t n = 0;
    if (!approved) approved = &none;
    if (!given) given = &none;
    const struct {
        const char *name, *approved, *given;
    } texts[] = {
        { "number", approved->number, given->number },
        { "counterparty", approved->counterparty, given->counterparty },
        { "amount", approved->amount, given->amount },
        { "date", approved->date, given->date },
        { "document_sha256", approved_sha256, given_sha256 },
    };
    for (size_t i = 0; i < CHOP_COUNT(texts); i++)
        if (*texts[i].given && !fact_same(texts[i].approved, texts[i].given)) names[n++] = texts[i].name;
    if (given->pages && given->pages != approved->pages) names[n++] = "pages";
    if (given->copies && given->copies != approved->copies) names[n++] = "copies";
    return n;
}

chop_err verification_host(const char *host) {
    size_t n = strlen(host);
    if (n == 0 || n > VERIFICATION_HOST_MAX)
        return CHOP_FAIL(EINVAL, "VERIFY_HOST", "1 to %d characters fit into the QR", VERIFICATION_HOST_MAX);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr("-.:", host[i]))
            return CHOP_FAIL(EINVAL, "VERIFY_HOST", "only letters, digits and \"-.:\" fit into the QR");
    return NULL;
}
