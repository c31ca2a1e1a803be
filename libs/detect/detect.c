/* SPDX-License-Identifier: Apache-2.0 */
/* A value is scanned once for all patterns; a match of digits or letters is widened to the whole
 * word it stands in before it is proven, so that part of a longer number is never taken for a
 * shorter one. */
#include "detect/detect_inner.h"

#include <stdio.h>
#include <stdlib.h>

#include <hs.h>
#include <pthread.h>

#include "base/utf8.h"
#include "id/idnum.h"

enum extent { WHOLE /* the value itself */, WORD /* letters and digits */, MAIL };

/* The forms that values can have. A rule may have several. */
static const struct {
    int rule;
    enum extent extent;
    const char *expression;
    unsigned min, max; /* bytes of the word; 0: any */
} forms[] = {
    {RULE_ID_CARD, WORD, "[0-9]{17}[0-9Xx]", 18, 18},
    {RULE_ID_CARD, WORD, "[1-8][0-9]{14}", 15, 15},
    {RULE_USCC, WORD, "[0-9A-Y][0-9A-Y][0-9]{6}[0-9A-Y]{9}[0-9A-Y]", 18, 18},
    {RULE_BANK_CARD, WORD, "[2-69][0-9]{13}", 14, 19},
    {RULE_MOBILE, WORD, "1[3-9][0-9]{9}", 11, 13},
    {RULE_EMAIL, MAIL,
     "[0-9A-Za-z._%+-]@[0-9A-Za-z-]{1,63}(\\.[0-9A-Za-z-]{1,63}){0,4}\\.[A-Za-z]{2,24}", 6, 254},
    {RULE_PLATE, WHOLE,
     "^[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·• "
     "-]?[A-HJ-NP-Z0-9]{4,5}"
     "[A-HJ-NP-Z0-9挂学警港澳]$",
     0, 0},
    {RULE_ADDRESS, WHOLE,
     "(省|市|自治区|自治州|区|县|旗|镇|乡).{1,80}(路|街|道|巷|弄|里|村|号|室|栋|楼|大厦|小区|组)",
     18, 400},
    {RULE_ADDRESS, WHOLE,
     "^[0-9]{1,5}[A-Za-z]? [A-Z][A-Za-z. "
     "]{1,60}(Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Court|Square)\\b",
     0, 0},
    {RULE_PASSPORT, WORD, "[A-Z][0-9A-Z][0-9]{7}", 9, 9},
    {RULE_NAME, WHOLE, "^[A-Z][a-z'-]{1,30}( [A-Z][a-z'.-]{0,30}){1,3}$", 0, 0},
    {RULE_BIRTHDAY, WHOLE,
     "^(19|20)[0-9]{2}(-|/|\\.|年)?[0-9]{1,2}(-|/|\\.|月)?[0-9]{1,2}日?([ T][0-9:.Z+]{5,20})?$", 8,
     40},
    {RULE_PHONE, WHOLE, "^(\\(?0[0-9]{2,3}\\)?[- ]?)?[2-9][0-9]{6,7}(-[0-9]{1,5})?$", 0, 0},
    {RULE_PHONE, WHOLE, "^\\+[0-9]{1,3}[ -]?[0-9][0-9 -]{5,14}[0-9]$", 0, 0},
    {RULE_BANK_ACCOUNT, WHOLE, "^([0-9]{8,30}|[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30})$", 0, 0},
};
#define FORMS (sizeof forms / sizeof *forms)

/* The forms take a tenth of a second to compile and never change: once for the process. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static hs_database_t *forms_database; /* NULL: it could not be made */

struct detect {
    hs_database_t *own_database; /* NULL: no patterns of an operator */
    hs_scratch_t *scratch;       /* fits both */
    size_t own;
};

struct scan { /* one value */
    struct slice value;
    uint32_t seen[DETECT_RULES_MAX]; /* end of the last word looked at, + 1 */
    bool matched[DETECT_RULES_MAX], valid[DETECT_RULES_MAX], inside[DETECT_RULES_MAX];
    detect_hit hit; /* NULL: only votes are wanted */
    void *ctx;
    struct slice written; /* in groups: the value as it stands; else empty */
    size_t before;        /* bytes left aside before it */
};

static void say(struct detect_error *err, size_t at, const char *why)
{
    err->at = at;
    snprintf(err->why, sizeof err->why, "%s", why);
}

/* "^(?:…)$": what an operator writes is the whole value. */
#define WRAP_BEFORE 4
static char *wrap(struct slice pattern)
{
    char *out = malloc(pattern.n + 7);

    if (out)
        snprintf(out, pattern.n + 7, "^(?:%.*s)$", SLICE_FMT(pattern));
    return out;
}

/* The offset vectorscan names is one in the wrapped text. */
static void explain(const hs_compile_error_t *error, size_t from, size_t most,
                    struct detect_error *err)
{
    const char *at = error ? strstr(error->message, "at index ") : NULL;
    size_t index = at ? strtoul(at + 9, NULL, 10) : 0;

    index = index > from ? index - from : 0;
    say(err, index < most ? index : most, error ? error->message : "it cannot be compiled");
}

static void compile_forms(void)
{
    const char *expressions[FORMS];
    unsigned flags[FORMS], ids[FORMS];
    hs_compile_error_t *error = NULL;

    for (unsigned i = 0; i < FORMS; i++) {
        expressions[i] = forms[i].expression;
        flags[i] = HS_FLAG_UTF8 | (forms[i].extent == WHOLE ? HS_FLAG_SINGLEMATCH : 0);
        ids[i] = i;
    }
    if (hs_compile_multi(expressions, flags, ids, FORMS, HS_MODE_BLOCK, NULL, &forms_database,
                         &error) != HS_SUCCESS)
        hs_free_compile_error(error);
}

static enum detect_err compile_own(const struct slice *own, size_t n, size_t *bad,
                                   struct detect_error *err, hs_database_t **database)
{
    char *texts[DETECT_OWN_MAX] = {NULL};
    unsigned flags[DETECT_OWN_MAX] = {0}, ids[DETECT_OWN_MAX] = {0};
    hs_compile_error_t *error = NULL;
    enum detect_err e = DETECT_OK;

    for (size_t i = 0; i < n && !e; i++) {
        *bad = i;
        e = detect_pattern_check(own[i], err);
        texts[i] = e ? NULL : wrap(own[i]);
        if (!e && !texts[i])
            e = DETECT_EMEMORY;
        flags[i] = HS_FLAG_UTF8 | HS_FLAG_SINGLEMATCH;
        ids[i] = FORMS + (unsigned)i;
    }
    if (!e && hs_compile_multi((const char *const *)texts, flags, ids, (unsigned)n, HS_MODE_BLOCK,
                               NULL, database, &error) != HS_SUCCESS) {
        explain(error, 0, 0, err);
        hs_free_compile_error(error);
        e = DETECT_EPATTERN;
    }
    for (size_t i = 0; i < n; i++)
        free(texts[i]);
    return e;
}

enum detect_err detect_new(struct detect **d, const struct slice *own, size_t n, size_t *bad,
                           struct detect_error *err)
{
    struct detect *made = calloc(1, sizeof *made);
    enum detect_err e = made && n <= DETECT_OWN_MAX ? DETECT_OK : DETECT_EMEMORY;

    pthread_once(&once, compile_forms);
    if (!e && n > 0)
        e = compile_own(own, n, bad, err, &made->own_database);
    if (!e && (!forms_database || hs_alloc_scratch(forms_database, &made->scratch) != HS_SUCCESS))
        e = DETECT_EMEMORY;
    if (!e && made->own_database &&
        hs_alloc_scratch(made->own_database, &made->scratch) != HS_SUCCESS)
        e = DETECT_EMEMORY;
    if (e) {
        detect_free(&made);
        return e;
    }
    made->own = n;
    *d = made;
    return DETECT_OK;
}

void detect_free(struct detect **d)
{
    if (!*d)
        return;
    hs_free_scratch((*d)->scratch);
    hs_free_database((*d)->own_database);
    free(*d);
    *d = NULL;
}

enum detect_err detect_pattern_compiles(struct slice pattern, struct detect_error *err)
{
    hs_database_t *database = NULL;
    hs_compile_error_t *error = NULL;
    char *text = wrap(pattern);

    if (!text)
        return DETECT_EMEMORY;
    hs_error_t rc = hs_compile(text, HS_FLAG_UTF8, HS_MODE_BLOCK, NULL, &database, &error);
    if (rc != HS_SUCCESS)
        explain(error, WRAP_BEFORE, pattern.n, err);
    hs_free_compile_error(error);
    hs_free_database(database);
    free(text);
    return rc == HS_SUCCESS ? DETECT_OK : DETECT_EPATTERN;
}

/* A value ---------------------------------------------------------------------------------------
 */

static bool word_byte(char c, enum extent extent)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (extent == MAIL && strchr("._%+-@", c) && c);
}

static struct slice widen(struct slice value, size_t end, enum extent extent)
{
    size_t from = end, to = end;

    if (extent == WHOLE)
        return value;
    while (from > 0 && word_byte(value.p[from - 1], extent))
        from--;
    while (to < value.n && word_byte(value.p[to], extent))
        to++;
    return slice_of(value.p + from, to - from);
}

static bool proven(int rule, struct slice s)
{
    switch (rule) {
    case RULE_ID_CARD: {
        char text[IDNUM_ID_CARD_LEN];
        if (s.n > sizeof text)
            return false;
        memcpy(text, s.p, s.n);
        if (text[s.n - 1] == 'x')
            text[s.n - 1] = 'X';
        return idnum_is_id_card(slice_of(text, s.n));
    }
    case RULE_USCC: /* one in 31 numbers has a right check character: a person's is not taken for
                       one */
        return idnum_is_uscc(s) && valid_division(s.p + 2) && !idnum_is_id_card(s);
    case RULE_BANK_CARD:
        return valid_bank_card(s);
    case RULE_MOBILE:
        return valid_mobile(s);
    case RULE_PASSPORT:
        return valid_passport(s);
    case RULE_BIRTHDAY:
        return valid_birthday(s);
    case RULE_EMAIL:
        return s.p[0] != '.' && s.p[0] != '@' &&
               !memchr((char *)memchr(s.p, '@', s.n) + 1, '@',
                       s.n - (size_t)((char *)memchr(s.p, '@', s.n) + 1 - s.p));
    default:
        return true;
    }
}

static int on_match(unsigned id, unsigned long long from, unsigned long long to, unsigned flags,
                    void *arg)
{
    struct scan *scan = arg;

    (void)from;
    (void)flags;
    if (id >= FORMS) {
        size_t rule = DETECT_BUILT_IN + (id - FORMS);
        scan->matched[rule] = scan->valid[rule] = true;
        return 0;
    }
    int rule = forms[id].rule;
    struct slice word = widen(scan->value, (size_t)to, forms[id].extent);
    uint32_t end = (uint32_t)(word.p + word.n - scan->value.p) + 1;
    bool fits =
        (!forms[id].min || word.n >= forms[id].min) && (!forms[id].max || word.n <= forms[id].max);
    if (!fits || (scan->seen[rule] == end && forms[id].extent != WHOLE))
        return 0;
    scan->seen[rule] = end;
    bool whole = word.n == scan->value.n, proof = proven(rule, word);
    scan->matched[rule] |= whole;
    scan->valid[rule] |= whole && proof;
    scan->inside[rule] |= !whole && proof;
    if (scan->hit && proof && forms[id].extent != WHOLE && scan->written.n)
        scan->hit(scan->ctx, (size_t)rule, scan->before, scan->written.n);
    else if (scan->hit && proof && forms[id].extent != WHOLE)
        scan->hit(scan->ctx, (size_t)rule, scan->before + (size_t)(word.p - scan->value.p), word.n);
    return 0;
}

static struct slice trim(struct slice s)
{
    while (s.n && (unsigned char)s.p[0] <= ' ')
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n && (unsigned char)s.p[s.n - 1] <= ' ')
        s.n--;
    return s;
}

/* "6222 0212 3456 7890" and "138-0013-8000" are numbers too: written in groups. */
static struct slice ungroup(struct slice s, char room[static 40])
{
    size_t n = 0, digits = 0;

    for (size_t i = 0; i < s.n && s.n < 40; i++) {
        bool digit = s.p[i] >= '0' && s.p[i] <= '9', last = i + 1 == s.n;
        if (!digit && s.p[i] != ' ' && s.p[i] != '-' &&
            !(last && (s.p[i] == 'X' || s.p[i] == 'x')) && !(i == 0 && s.p[i] == '+'))
            return s;
        if (digit || (last && s.p[i] != ' ' && s.p[i] != '-'))
            room[n++] = s.p[i];
        digits += digit;
    }
    return n < s.n && digits >= 11 && digits <= 19 ? slice_of(room, n) : s;
}

static void count(struct detect_column *column, const struct scan *scan, size_t rules)
{
    for (size_t i = 0; i < rules; i++) {
        column->votes[i].matched += scan->matched[i];
        column->votes[i].valid += scan->valid[i];
        column->votes[i].inside += scan->inside[i] && !scan->valid[i];
    }
}

static void run(struct detect *d, struct scan *scan)
{
    struct slice v = scan->value;

    (void)hs_scan(forms_database, v.p, (unsigned)v.n, 0, d->scratch, on_match, scan);
    if (d->own_database)
        (void)hs_scan(d->own_database, v.p, (unsigned)v.n, 0, d->scratch, on_match, scan);
}

static struct slice cut(struct slice s)
{
    if (s.n <= DETECT_VALUE_MAX)
        return s;
    s.n = DETECT_VALUE_MAX;
    while (s.n && ((unsigned char)s.p[s.n] & 0xc0) == 0x80)
        s.n--;
    return s;
}

/* As it is written, then without its groups. */
static void run_both(struct detect *d, struct scan *scan)
{
    char room[40];
    struct slice as_written = scan->value, plain = ungroup(as_written, room);

    run(d, scan);
    if (plain.p != as_written.p) {
        memset(scan->seen, 0, sizeof scan->seen);
        scan->value = plain;
        scan->written = as_written;
        run(d, scan);
    }
}

void detect_value(struct detect *d, struct detect_column *column, struct slice value)
{
    struct scan scan = {.value = trim(value)};

    if (scan.value.n == 0)
        return;
    column->values++;
    column->bytes += value.n;
    scan.value = cut(scan.value);
    if (!utf8_valid(scan.value))
        return;
    if (valid_chinese_name(scan.value))
        scan.matched[RULE_NAME] = scan.valid[RULE_NAME] = true;
    run_both(d, &scan);
    count(column, &scan, DETECT_BUILT_IN + d->own);
}

void detect_words(struct detect *d, struct slice value, detect_hit hit, void *ctx)
{
    struct scan scan = {.value = cut(trim(value)), .hit = hit, .ctx = ctx};

    scan.before = (size_t)(scan.value.p - value.p);
    if (scan.value.n && utf8_valid(scan.value))
        run_both(d, &scan);
}
