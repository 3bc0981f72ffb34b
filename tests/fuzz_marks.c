/* fuzz_marks: whatever is scanned, reading it ends, and what is read is a mark that reads the same again. */
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "marks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const char *canonical(const struct marks_read *m, char out[32]) {
    out[0] = 0;
    if (m->kind == MARKS_TOKEN)
        marks_token_text(m->token, out);
    else
        (void)snprintf(out, 32, "%s%s", m->serial, m->cipher);
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    struct marks_read m, again;
    char text[32];
    if (marks_read((const char *)data, n, "v.chop.example", &m)) return 0;
    canonical(&m, text);
    if (marks_read(text, strlen(text), NULL, &again) || memcmp(&m, &again, sizeof m) != 0) abort();
    return 0;
}
