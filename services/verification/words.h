/* What pages say, in Chinese and English. */
#pragma once

struct verdict_words {
    const char *verdict;
    const char *tone;    /* class: g good, w wait, d doubt, b bad, n none */
    const char *icon;    /* path in a 24 x 24 box, drawn in white lines */
    const char *zh, *en; /* the word itself */
    const char *zh_more, *en_more;
};
/* The row of a verdict; unavailable's where unknown. */
const struct verdict_words *words_of(const char *verdict);

struct pair {
    const char *key, *zh, *en;
};
/* NULL where unknown. */
const struct pair *reason_words(const char *reason);
const struct pair *seal_state_words(const char *state);
const struct pair *factor_words(const char *factor);
const struct pair *fact_words(const char *kind);
const struct pair *mismatch_words(const char *name);
const struct pair *registry_words(const char *name);
