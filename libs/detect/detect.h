/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what the columns of a table hold, from their values and from what they are called: all
 * patterns in one pass (vectorscan), then the check digit, date, range or surname that proves or
 * refutes each match. A column is judged by the votes of its values; what is reported is how many
 * matched which rule, never a value. Pure: no I/O. A struct detect belongs to one thread at a time;
 * the tables and detect_judge are safe from any. */
#pragma once
#include "base/slice.h"

#define DETECT_OWN_MAX     64   /* patterns an operator adds */
#define DETECT_PATTERN_MAX 256  /* bytes of one */
#define DETECT_VALUE_MAX   4096 /* bytes of a value that are looked at */

/* How far values alone can prove a rule. */
enum detect_proof {
    DETECT_PROVEN,    /* a check digit, or a form that nothing else has */
    DETECT_LIKELY,    /* a form that few other things have */
    DETECT_SUPPORTED, /* only together with what the column is called */
    DETECT_NAMED      /* only what it is called: a password looks like anything */
};

/* What a rule finds, and what is proposed for it (EC-5.2.3a1, EC-5.2.4a, BK-3.9 to BK-3.11). */
struct detect_rule {
    const char *name;
    enum detect_proof proof;
    int level;            /* 1 to 4 */
    const char *mask;     /* a rule of libs/mask, for level 3 or lower */
    const char *category; /* security category */
    const char *tags[5];  /* NULL-terminated */
    const char *words;    /* of a column's name or comment, between blanks; zh and en */
};
/* Which rules there are: rows 0 to detect_rules_n - 1, by which counts are kept. Append only. */
extern const struct detect_rule detect_rules[];
extern const size_t detect_rules_n;
#define DETECT_BUILT_IN  24
#define DETECT_RULES_MAX (DETECT_BUILT_IN + DETECT_OWN_MAX)

struct detect_error {
    size_t at; /* offset in bytes */
    char why[160];
};

enum detect_err { DETECT_OK, DETECT_EPATTERN, DETECT_EMEMORY };

/* Whether an operator's pattern is one we run: literals, classes, \d \w \s, groups, alternatives,
 * `.`, and repetition that says how often at most; it is compared with whole values. On
 * DETECT_EPATTERN *err says what is wrong and where. Also compiles it. */
enum detect_err detect_pattern_check(struct slice pattern, struct detect_error *err)
    __attribute__((warn_unused_result));

struct detect;
/* own: n operator's patterns, which count as rules DETECT_BUILT_IN, + 1, … *bad: the one that
 * fails. */
enum detect_err detect_new(struct detect **d, const struct slice *own, size_t n, size_t *bad,
                           struct detect_error *err) __attribute__((warn_unused_result));
void detect_free(struct detect **d);

struct detect_votes {
    uint64_t matched; /* values that have the form */
    uint64_t valid;   /* of these: proven too, and nothing else in the value */
    uint64_t inside;  /* values of running text with a proven one in it */
};
struct detect_column {
    uint64_t values; /* that are neither null nor blank */
    uint64_t bytes;
    struct detect_votes votes[DETECT_RULES_MAX];
};
/* Adds a value to the column's counts. Bytes that are not UTF-8 count as a value without votes. */
void detect_value(struct detect *d, struct detect_column *column, struct slice value);

/* Tells each word of a value, of which DETECT_VALUE_MAX bytes are looked at, that is proven to be
 * what a rule finds, and where it is; a number written in groups is the value without the blanks
 * around it. A word may be told more than once. Of what only whole values show nothing is told. */
typedef void (*detect_hit)(void *ctx, size_t rule, size_t at, size_t n);
void detect_words(struct detect *d, struct slice value, detect_hit hit, void *ctx);

/* Whether a column's name or its comment has one of the words; comment may be empty. Names are read
 * as written, in snake_case and in camelCase. */
bool detect_named(const char *words, struct slice name, struct slice comment);

struct detect_finding {
    size_t rule;
    double confidence; /* 0 to 1 */
    bool named, inside;
};
/* The votes of rule `rule`, weighed with whether the column is called so. False: nothing to report.
 * proof: of detect_rules, or DETECT_LIKELY for an operator's. */
bool detect_weigh(const struct detect_column *column, size_t rule, enum detect_proof proof,
                  bool named, struct detect_finding *finding);
/* The built-in rules that a column speaks for, the surest first; at most `max`. */
size_t detect_judge(const struct detect_column *column, struct slice name, struct slice comment,
                    struct detect_finding *findings, size_t max);
