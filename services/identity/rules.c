#include "rules.h"

#include <string.h>
#include <strings.h>

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* ---- formats ---- */

static bool only(const char *s, const char *allowed) {
    return s[strspn(s, allowed)] == 0;
}

chop_err rules_slug(const char *field, const char *slug) {
    size_t n = strlen(slug);
    if (n < 2 || n > 32 || !only(slug, "abcdefghijklmnopqrstuvwxyz0123456789-") || slug[0] == '-' || slug[n - 1] == '-')
        return CHOP_FAIL(EINVAL, field, "not 2 to 32 of a-z, 0-9 and inner hyphens");
    return NULL;
}

chop_err rules_account(const char *field, const char *account) {
    size_t n = strlen(account);
    if (n < 2 || n > 64 || !only(account, "abcdefghijklmnopqrstuvwxyz0123456789._@-") || strchr("._@-", account[0]))
        return CHOP_FAIL(EINVAL, field, "not 2 to 64 of a-z, 0-9, '.', '_', '@', '-', starting with a letter or digit");
    return NULL;
}

static bool has_control(const char *s) {
    for (; *s; s++)
        if ((uint8_t)*s < 0x20 || *s == 0x7f) return true;
    return false;
}

chop_err rules_text(const char *field, const char *text, size_t min, size_t max) {
    size_t n = strlen(text);
    if (n < min || n > max) return CHOP_FAIL(EINVAL, field, "not %zu to %zu bytes", min, max);
    if (!chop_utf8_valid(text, n) || has_control(text)) return CHOP_FAIL(EINVAL, field, "has control characters");
    if (n && (text[0] == ' ' || text[n - 1] == ' ')) return CHOP_FAIL(EINVAL, field, "has blanks at an end");
    return NULL;
}

/* GB 32100-2015, 5 and annex: no I, O, S, V, Z; C18 = (31 - sum(Ci * 3^(i-1) mod 31) mod 31) mod 31. */
static const char uscc_letters[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";

static bool uscc_checks(const char *uscc) {
    unsigned sum = 0, weight = 1;
    for (int i = 0; i < 17; i++) {
        sum += (unsigned)(strchr(uscc_letters, uscc[i]) - uscc_letters) * weight;
        weight = weight * 3 % 31;
    }
    return uscc_letters[(31 - sum % 31) % 31] == uscc[17];
}

chop_err rules_uscc(const char *field, const char *uscc) {
    if (strlen(uscc) != 18 || !only(uscc, uscc_letters))
        return CHOP_FAIL(EINVAL, field, "not 18 of GB 32100's letters");
    if (strspn(uscc + 2, "0123456789") < 6) return CHOP_FAIL(EINVAL, field, "characters 3 to 8 are no area code");
    if (!uscc_checks(uscc)) return CHOP_FAIL(EMISTYPED, field, "the last character does not check the rest");
    return NULL;
}

/* What guessers try first among passwords of eight and more characters. */
static const char *const common_passwords[] = { "password", "password1", "password123", "passw0rd", "12345678",
    "123456789", "1234567890", "87654321", "11111111", "00000000", "88888888", "66666666", "12341234", "123123123",
    "11223344", "qwertyui", "qwertyuiop", "qwerty123", "1qaz2wsx", "1q2w3e4r", "q1w2e3r4", "asdfghjkl", "zxcvbnm123",
    "abcd1234", "abc12345", "a1234567", "a12345678", "aa123456", "aa123456789", "admin123", "admin888", "administrator",
    "iloveyou", "sunshine", "princess", "football", "baseball", "welcome1", "letmein1", "trustno1", "woaini1314",
    "5201314520", "chopmark" };

static bool one_letter(const char *s) {
    return s[strspn(s, (char[2]){ s[0], 0 })] == 0;
}

chop_err rules_password(const char *field, const char *password, const char *account) {
    size_t n = strlen(password);
    if (n < 8) return CHOP_FAIL(EINVAL, field, "shorter than 8 characters");
    if (n > 256) return CHOP_FAIL(EINVAL, field, "longer than 256 bytes");
    if (strcasecmp(password, account) == 0) return CHOP_FAIL(EINVAL, field, "the account's own name");
    if (one_letter(password)) return CHOP_FAIL(EINVAL, field, "one letter, repeated");
    for (size_t i = 0; i < CHOP_COUNT(common_passwords); i++)
        if (strcasecmp(password, common_passwords[i]) == 0)
            return CHOP_FAIL(EINVAL, field, "one of the passwords that are guessed first");
    return NULL;
}

/* ---- roles ---- */

static const struct {
    const char *name;
    unsigned role;
} role_names[] = { { "user", ROLE_USER }, { "manager", ROLE_MANAGER }, { "admin", ROLE_ADMIN },
    { "auditor", ROLE_AUDITOR } };

static const unsigned powers[] = { ROLE_USER, ROLE_MANAGER | ROLE_ADMIN, ROLE_AUDITOR };

static unsigned role_by_name(const char *name, size_t n) {
    for (size_t i = 0; i < CHOP_COUNT(role_names); i++)
        if (strlen(role_names[i].name) == n && memcmp(role_names[i].name, name, n) == 0) return role_names[i].role;
    return 0;
}

static bool one_power(unsigned set) {
    for (size_t i = 0; i < CHOP_COUNT(powers); i++)
        if ((set & ~powers[i]) == 0) return true;
    return false;
}

chop_err rules_roles(const char *field, char *const *roles, size_t n, unsigned *ret_set) {
    unsigned set = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned role = role_by_name(roles[i], strlen(roles[i]));
        if (!role) return CHOP_FAIL(EINVAL, field, "a role is none of user, manager, admin, auditor");
        if (set & role) return CHOP_FAIL(EINVAL, field, "%s is there twice", roles[i]);
        set |= role;
    }
    if (!one_power(set)) return CHOP_FAIL(EINVAL, field, "use, management and audit must not be in one hand");
    *ret_set = set;
    return NULL;
}

size_t rules_roles_names(unsigned set, const char *ret_names[4]) {
    size_t n = 0;
    for (size_t i = 0; i < CHOP_COUNT(role_names); i++)
        if (set & role_names[i].role) ret_names[n++] = role_names[i].name;
    return n;
}

void rules_roles_text(unsigned set, char out[ROLES_TEXT_MAX]) {
    const char *names[4];
    size_t n = rules_roles_names(set, names);
    char *p = out;
    for (size_t i = 0; i < n; i++) {
        if (i) *p++ = ',';
        p = stpcpy(p, names[i]);
    }
    *p = 0;
}

unsigned rules_roles_parse(const char *text) {
    unsigned set = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        set |= role_by_name(text, n);
        text += n + (text[n] == ',');
    }
    return set;
}

/* ---- throttle ---- */

int64_t rules_pause_ms(int64_t failures) {
    if (failures < RULES_FREE_TRIES) return 0;
    int64_t doublings = failures - RULES_FREE_TRIES;
    return doublings > 5 ? RULES_PAUSE_MAX_MS : (int64_t)1000 << doublings;
}

/* ---- factors ---- */

enum factor rules_factor(const char *name) {
    static const char *const others[] = { "fingerprint", "face", "realname", "alipay", "wechat", "oidc" };
    if (strcmp(name, "password") == 0) return FACTOR_PASSWORD;
    if (strcmp(name, "key") == 0) return FACTOR_KEY;
    for (size_t i = 0; i < CHOP_COUNT(others); i++)
        if (strcmp(name, others[i]) == 0) return FACTOR_OTHER;
    return FACTOR_UNKNOWN;
}

/* ---- codes ---- */

void rules_code_make(const uint8_t random[7], char out[RULES_CODE_LEN + 1]) {
    uint64_t bits = 0;
    for (int i = 0; i < 7; i++)
        bits = bits << 8 | random[i];
    for (int i = 0; i < RULES_CODE_LEN; i++)
        out[i] = crockford[bits >> (5 * i) & 31];
    out[RULES_CODE_LEN] = 0;
}

static char code_letter(char c) {
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    if (c == 'O') return '0';
    return c == 'I' || c == 'L' ? '1' : c;
}

bool rules_code_read(const char *text, char out[RULES_CODE_LEN + 1]) {
    size_t n = 0;
    for (; *text; text++) {
        if (*text == ' ' || *text == '-') continue;
        char c = code_letter(*text);
        if (n == RULES_CODE_LEN || !memchr(crockford, c, 32)) return false;
        out[n++] = c;
    }
    out[n] = 0;
    return n == RULES_CODE_LEN;
}
