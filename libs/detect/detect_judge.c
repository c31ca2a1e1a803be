/* SPDX-License-Identifier: Apache-2.0 */
/* From votes and names to findings. A check digit can stand alone; a form that other things have
 * too needs the column's name beside it; a name without values that fit says little. */
#include "detect/detect_inner.h"

#define NAME_MAX_ 512

/* "buyerPhone", "BUYER_PHONE" and "buyer-phone" become "_buyer_phone_". */
static size_t normalise(struct slice s, char out[static 2 * NAME_MAX_ + 2])
{
    size_t n = 0;
    bool lower = false;

    out[n++] = '_';
    for (size_t i = 0; i < s.n && i < NAME_MAX_; i++) {
        char c = s.p[i];
        bool upper = c >= 'A' && c <= 'Z',
             letter = upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (((upper && lower) || (!letter && (unsigned char)c < 0x80)) && out[n - 1] != '_')
            out[n++] = '_';
        if (letter || (unsigned char)c >= 0x80)
            out[n++] = upper ? (char)(c + 32) : c;
        lower = letter && !upper;
    }
    if (out[n - 1] != '_')
        out[n++] = '_';
    out[n] = '\0';
    return n;
}

/* A word of Latin letters stands alone between `_`; with its own `_` it may be written together. */
static bool has_latin(const char *name, const char *word, size_t n)
{
    char both[2][80];
    size_t m = 1;

    if (n + 3 > sizeof both[0])
        return false;
    both[0][0] = both[1][0] = '_';
    memcpy(both[0] + 1, word, n);
    memcpy(both[0] + 1 + n, "_", 2);
    for (size_t i = 0; i < n; i++) {
        if (word[i] != '_')
            both[1][m++] = word[i];
    }
    memcpy(both[1] + m, "_", 2);
    return strstr(name, both[0]) || strstr(name, both[1]);
}

static bool has(const char *name, const char *word, size_t n)
{
    if (word[0] == '=')
        return strlen(name) == n + 1 && strncmp(name + 1, word + 1, n - 1) == 0;
    if ((unsigned char)word[0] < 0x80)
        return has_latin(name, word, n);
    for (const char *at = name; (at = strchr(at, word[0])); at++) {
        if (strncmp(at, word, n) == 0)
            return true;
    }
    return false;
}

static bool named_one(const char *words, struct slice text)
{
    char name[2 * NAME_MAX_ + 2];

    if (text.n == 0)
        return false;
    normalise(text, name);
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n && has(name, at, n))
            return true;
        at += n;
    }
    return false;
}

bool detect_named(const char *words, struct slice name, struct slice comment)
{
    return named_one(words, name) || named_one(words, comment);
}

static double share(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : 0;
}

/* Without values to look at the name is all there is. */
static double by_name(enum detect_proof proof, bool named)
{
    static const double sure[] = {[DETECT_PROVEN] = 0.6,
                                  [DETECT_LIKELY] = 0.6,
                                  [DETECT_SUPPORTED] = 0.5,
                                  [DETECT_NAMED] = 0.85};

    return named ? sure[proof] : 0;
}

static double by_values(enum detect_proof proof, bool named, double valid, double matched)
{
    switch (proof) {
    case DETECT_PROVEN:
        if (valid >= 0.5)
            return 0.6 + 0.39 * valid;
        if (named && valid >= 0.1)
            return 0.5 + 0.5 * valid;
        return named && matched >= 0.5 ? 0.55
                                       : 0; /* made-up numbers in a column that is called so */
    case DETECT_LIKELY:
        if (valid >= 0.7)
            return 0.5 + 0.4 * valid;
        return named && valid >= 0.3 ? 0.55 + 0.4 * valid : 0;
    case DETECT_SUPPORTED:
        return named && valid >= 0.5 ? 0.5 + 0.45 * valid : 0;
    case DETECT_NAMED:
        return by_name(proof, named);
    }
    return 0;
}

bool detect_weigh(const struct detect_column *column, size_t rule, enum detect_proof proof,
                  bool named, struct detect_finding *finding)
{
    const struct detect_votes *v = &column->votes[rule];
    double valid = share(v->valid, column->values), matched = share(v->matched, column->values);
    double inside = share(v->inside, column->values);
    double sure = column->values ? by_values(proof, named, valid, matched) : by_name(proof, named);
    bool within = false;

    /* Names of two or three characters in nearly every row, whatever the column is called. */
    if (rule == RULE_NAME && sure == 0 && column->values >= 20 && valid >= 0.95)
        sure = 0.6;
    /* In running text each is one too many; a chance hit is not. */
    if (sure == 0 && proof == DETECT_PROVEN && v->inside >= 2 && inside >= 0.02) {
        sure = 0.5 + 0.4 * inside;
        within = true;
    }
    if (sure <= 0)
        return false;
    *finding =
        (struct detect_finding){.rule = rule, .confidence = sure, .named = named, .inside = within};
    return true;
}

size_t detect_judge(const struct detect_column *column, struct slice name, struct slice comment,
                    struct detect_finding *findings, size_t max)
{
    size_t n = 0;

    for (size_t i = 0; i < detect_rules_n; i++) {
        struct detect_finding f;
        bool named = detect_named(detect_rules[i].words, name, comment);
        if (!detect_weigh(column, i, detect_rules[i].proof, named, &f))
            continue;
        size_t at = n < max ? n++ : max;
        for (; at > 0 && findings[at - 1].confidence < f.confidence; at--) {
            if (at < max)
                findings[at] = findings[at - 1];
        }
        if (at < max)
            findings[at] = f;
    }
    return n;
}
