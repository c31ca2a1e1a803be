/* SPDX-License-Identifier: Apache-2.0 */
/* From what a column holds and is called to what is proposed for it. An operator's rules go before
 * what the detector says (position below 1000), the shipped templates come after it. The first that
 * fits decides; what decided stands in the evidence. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "classify/classify.h"
#include "detect/detect.h"
#include "mask/mask.h"

#define TEMPLATES_FROM 1000

static const char *const types[] = {"text", "number", "time", "binary", "json", "boolean", NULL};
static const char *const confidentialities[] = {"public", "internal", "confidential", "secret",
                                                NULL};
static const char *const audiences[] = {"public", "registered", "authorised", "internal", NULL};

static enum problem check_mask(struct rest_call *c, const char *where, const json_t *v)
{
    struct mask_spec spec;

    return mask_parse(&spec, slice_str(json_string_value(v))) == MASK_OK
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such mask rule");
}

static enum problem check_kind(struct rest_call *c, const char *where, const json_t *v)
{
    for (size_t i = 0; i < detect_rules_n; i++) {
        if (strcmp(detect_rules[i].name, json_string_value(v)) == 0) {
            return PROBLEM_OK;
        }
    }
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the detector finds nothing of that name");
}

static const struct attr attrs[] = {
    {"position", ATTR_INT, AF_REQUIRED | AF_SORT | AF_FILTER, 1, 999999},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 100},
    {"clause", ATTR_TEXT, AF_READ_ONLY},
    {"words", ATTR_TEXT, 0, 1, 1000},
    {"kind", ATTR_TEXT, 0, 1, 60, .check = check_kind},
    {"data_type", ATTR_TEXT, 0, 1, 20, .values = types},
    {"confidentiality", ATTR_TEXT, 0, 1, 20, .values = confidentialities},
    {"audience", ATTR_TEXT, 0, 1, 20, .values = audiences},
    {"level", ATTR_INT, AF_REQUIRED, 1, 4},
    {"mask", ATTR_TEXT, 0, 1, 60, .check = check_mask},
    {"category", ATTR_TEXT, 0, 1, 40},
    {"tags", ATTR_JSON, 0, .check = classify_check_words},
    {"sensitive", ATTR_BOOL, 0},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const conditions[] = {"words", "kind", "data_type", "confidentiality",
                                             "audience"};
    bool any = false;

    for (size_t i = 0; i < COUNT(conditions); i++) {
        any = any || row_text(ch->row, conditions[i])[0];
    }
    return any ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/words",
                           "a rule says of what: words, kind, data_type, confidentiality or "
                           "audience");
}

static const struct transition transitions[] = {
    {"active", "disable", "inactive", ROLE_STAFF},
    {"inactive", "enable", "active", ROLE_STAFF},
    {"active|inactive", "remove", "removed", ROLE_STAFF},
};

const struct resource classification_rules_resource = {
    .plural = "classification_rules",
    .kind = "classification-rule",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

static enum problem collect(struct rest_call *c, struct change *ch)
{
    (void)c;
    return json_array_append(ch->arg, ch->row) == 0 ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static int by_position(const void *a, const void *b)
{
    json_int_t x = json_integer_value(json_object_get(*(json_t *const *)a, "position")),
               y = json_integer_value(json_object_get(*(json_t *const *)b, "position"));

    return x < y ? -1 : x > y;
}

static json_t *sorted(json_t *list)
{
    size_t n = json_array_size(list);
    json_t **items = calloc(n + 1, sizeof(json_t *)), *out = json_array();

    for (size_t i = 0; items && i < n; i++) {
        items[i] = json_array_get(list, i);
    }
    if (items) {
        qsort(items, n, sizeof(json_t *), by_position);
    }
    for (size_t i = 0; items && i < n; i++) {
        json_array_append(out, items[i]);
    }
    free(items);
    json_decref(list);
    return out;
}

enum problem classify_load_rules(struct rest_call *c, struct store_txn *txn, json_t **rules,
                                 json_t **patterns)
{
    *rules = json_array();
    *patterns = json_array();
    enum problem p =
        row_each(c, txn, &classification_rules_resource, "state", "active", collect, *rules);
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &detection_patterns_resource, "state", "active", collect, *patterns);
    }
    *rules = sorted(*rules);
    while (json_array_size(*patterns) > DETECT_OWN_MAX) {
        json_array_remove(*patterns, json_array_size(*patterns) - 1);
    }
    return p;
}

/* What the counts say --------------------------------------------------------------------------
 */

static void read_votes(const json_t *counts, const char *rule, struct detect_votes *v)
{
    const json_t *votes = json_object_get(json_object_get(counts, "votes"), rule);

    v->matched = (uint64_t)json_integer_value(json_array_get(votes, 0));
    v->valid = (uint64_t)json_integer_value(json_array_get(votes, 1));
    v->inside = (uint64_t)json_integer_value(json_array_get(votes, 2));
}

static json_t *evidence_of(const char *by, const char *rule, const struct detect_column *column,
                           size_t at, const struct detect_finding *f)
{
    const struct detect_votes *v = &column->votes[at];

    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:b, s:b}", "by", by, "rule", rule, "values",
                     (json_int_t)column->values, "matched", (json_int_t)v->matched, "valid",
                     (json_int_t)v->valid, "inside", (json_int_t)v->inside, "named", f->named,
                     "in_text", f->inside);
}

static json_t *found(const struct detect_column *column, const struct detect_finding *f)
{
    const struct detect_rule *r = &detect_rules[f->rule];
    json_t *tags = json_array();

    for (size_t i = 0; r->tags[i]; i++) {
        json_array_append_new(tags, json_string(r->tags[i]));
    }
    return json_pack("{s:i, s:s, s:s, s:o, s:b, s:f, s:o}", "level", r->level, "mask",
                     r->level == 3 ? r->mask : "", "category", r->category, "tags", tags,
                     "sensitive", r->level >= 3, "confidence", f->confidence, "evidence",
                     evidence_of("detector", r->name, column, f->rule, f));
}

static json_t *ruled(const json_t *rule, const char *by, double confidence, json_t *evidence)
{
    json_t *tags = json_object_get(rule, "tags"), *sensitive = json_object_get(rule, "sensitive");
    json_int_t level = json_integer_value(json_object_get(rule, "level"));
    const char *mask = row_text(rule, "mask");

    if (!evidence) {
        evidence = json_pack("{s:s, s:s}", "by", by, "rule", row_text(rule, "name"));
    }
    return json_pack("{s:I, s:s, s:s, s:o, s:b, s:f, s:o}", "level", level, "mask",
                     level == 3 && !mask[0] ? "keep:1:0" : mask, "category",
                     row_text(rule, "category"), "tags",
                     json_is_array(tags) ? json_incref(tags) : json_array(), "sensitive",
                     json_is_boolean(sensitive) ? json_is_true(sensitive) : level >= 3,
                     "confidence", confidence, "evidence", evidence);
}

/* Of several that are as sure the higher level counts: a card that also reads as an account. */
static const struct detect_finding *best(const struct detect_finding *f, size_t n)
{
    const struct detect_finding *at = n ? f : NULL;

    for (size_t i = 1; i < n; i++) {
        if (f[i].confidence >= at->confidence - 0.02 &&
            detect_rules[f[i].rule].level > detect_rules[at->rule].level) {
            at = &f[i];
        }
    }
    return at;
}

static json_t *own_pattern(const struct classify_context *x, const json_t *field,
                           const json_t *counts)
{
    json_t *pattern;
    size_t i;

    json_array_foreach(x->patterns, i, pattern)
    {
        struct detect_column column = {0};
        struct detect_finding f;
        char rule[32];
        snprintf(rule, sizeof rule, "own-%zu", i);
        column.values = (uint64_t)json_integer_value(json_object_get(counts, "values"));
        read_votes(counts, rule, &column.votes[DETECT_BUILT_IN]);
        bool named = detect_named(row_text(pattern, "words"), slice_str(row_text(field, "column")),
                                  slice_str(row_text(field, "title")));
        if (column.values && detect_weigh(&column, DETECT_BUILT_IN, DETECT_LIKELY, named, &f)) {
            return ruled(
                pattern, "pattern", f.confidence,
                evidence_of("pattern", row_text(pattern, "name"), &column, DETECT_BUILT_IN, &f));
        }
    }
    return NULL;
}

static const char *type_class(const char *type)
{
    static const struct {
        const char *type, *class;
    } known[] = {{"integer", "number"}, {"number", "number"}, {"date", "time"},
                 {"datetime", "time"},  {"binary", "binary"}, {"json", "json"},
                 {"boolean", "boolean"}};

    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].type, type) == 0) {
            return known[i].class;
        }
    }
    return "text";
}

static bool equal_or_unsaid(const json_t *rule, const char *member, const char *value)
{
    const char *wanted = row_text(rule, member);

    return !wanted[0] || strcmp(wanted, value) == 0;
}

static bool fits(const struct classify_context *x, const json_t *rule, const json_t *field,
                 const char *kind)
{
    const char *words = row_text(rule, "words");

    return equal_or_unsaid(rule, "kind", kind) &&
           equal_or_unsaid(rule, "data_type", type_class(row_text(field, "type"))) &&
           equal_or_unsaid(rule, "confidentiality", row_text(x->dataset, "confidentiality")) &&
           equal_or_unsaid(rule, "audience", row_text(x->dataset, "audience")) &&
           (!words[0] || detect_named(words, slice_str(row_text(field, "column")),
                                      slice_str(row_text(field, "title"))));
}

static json_t *by_rule(const struct classify_context *x, const json_t *field, const char *kind,
                       bool templates, const json_t *evidence)
{
    json_t *rule;
    size_t i;

    json_array_foreach(x->rules, i, rule)
    {
        bool shipped = json_integer_value(json_object_get(rule, "position")) >= TEMPLATES_FROM;
        if (shipped != templates || !fits(x, rule, field, kind)) {
            continue;
        }
        json_t *out = ruled(rule, templates ? "template" : "rule", templates ? 0.7 : 0.9, NULL);
        if (evidence) {
            json_object_set(json_object_get(out, "evidence"), "found", (json_t *)evidence);
        }
        return out;
    }
    return NULL;
}

json_t *classify_propose(const struct classify_context *x, const json_t *field,
                         const json_t *counts)
{
    struct detect_column column = {0};
    struct detect_finding f[DETECT_BUILT_IN];

    column.values = (uint64_t)json_integer_value(json_object_get(counts, "values"));
    for (size_t i = 0; i < detect_rules_n; i++) {
        read_votes(counts, detect_rules[i].name, &column.votes[i]);
    }
    size_t n = detect_judge(&column, slice_str(row_text(field, "column")),
                            slice_str(row_text(field, "title")), f, DETECT_BUILT_IN);
    const struct detect_finding *at = best(f, n);
    json_t *detected = at ? found(&column, at) : NULL;
    json_t *out = by_rule(x, field, at ? detect_rules[at->rule].name : "", false,
                          json_object_get(detected, "evidence"));
    if (!out) {
        out = own_pattern(x, field, counts);
    }
    if (!out && detected) {
        return detected;
    }
    if (!out) {
        out = by_rule(x, field, "", true, NULL);
    }
    json_decref(detected);
    return out ? out
               : json_pack("{s:i, s:s, s:s, s:[], s:b, s:f, s:{s:s}}", "level", 2, "mask", "",
                           "category", "", "tags", "sensitive", 0, "confidence", 0.3, "evidence",
                           "by", "nothing");
}

/* Harvest ---------------------------------------------------------------------------------------
 */

/* The value of `name=` in a comment, a word; false: it has none. */
static bool said(const char *comment, const char *name, char out[static 41])
{
    size_t n = strlen(name);

    for (const char *at = comment; (at = strstr(at, name)); at += n) {
        bool begins = at == comment || !isalnum((unsigned char)at[-1]);
        if (begins && at[n] == '=') {
            size_t m = strspn(at + n + 1, "abcdefghijklmnopqrstuvwxyz0123456789-");
            if (m > 0 && m <= 40) {
                snprintf(out, 41, "%.*s", (int)m, at + n + 1);
                return true;
            }
        }
    }
    return false;
}

void classify_harvest(json_t *fields, const json_t *columns)
{
    json_t *f;
    size_t i;
    char word[41];

    json_array_foreach(fields, i, f)
    {
        const char *comment = row_text(json_array_get(columns, i), "comment");
        if (said(comment, "level", word) && word[1] == '\0' && word[0] >= '1' && word[0] <= '4') {
            json_object_set_new(f, "level", json_integer(word[0] - '0'));
        }
        if (said(comment, "category", word)) {
            json_object_set_new(f, "category", json_string(word));
        }
        if (said(comment, "sensitive", word)) {
            json_object_set_new(f, "sensitive", json_boolean(strcmp(word, "yes") == 0));
        }
    }
}
