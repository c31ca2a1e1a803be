/* SPDX-License-Identifier: Apache-2.0 */
/* The library of mask rules: each has a name, a version that counts its changes, and may be the
 * default of a tag or of level 3, so that what is sensitive is masked without anybody saying how
 * (SW-9.4-2, BK-7.2.2c2-2). A field names one as `@name`; what the nodes get is its text. */
#include "batch/batch.h"

#include <stdio.h>

#include "api/api.h"
#include "mask/mask.h"

#define VALUES_MAX 100
#define VALUE_MAX  1024 /* bytes */

static enum problem check_rule(struct rest_call *c, const char *where, const json_t *v)
{
    struct mask_spec spec;

    return mask_parse(&spec, slice_str(json_string_value(v))) == MASK_OK
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "there is no such mask rule; `sluice mask --help` lists them");
}

static enum problem check_name(struct rest_call *c, const char *where, const json_t *v)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *s = json_string_value(v);

    return strspn(s, letters) == strlen(s)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "small letters, digits, - and _ are allowed");
}

/* The last that fits a field counts, so the narrow ones come behind (the order of rule_for). */
static const char *const tags[] = {"personal-financial", "payment-sensitive", "payment-account",
                                   NULL};
static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 50,
     .check = check_name},
    {"rule", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 60, .check = check_rule},
    {"default_of_tag", ATTR_TEXT, AF_FILTER, 1, 40, .values = tags},
    {"default_of_level", ATTR_INT, AF_FILTER, 3, 3},
    {"category", ATTR_TEXT, AF_FILTER | AF_SORT, 1, 60},
    {"description", ATTR_TEXT, 0, 1, 500},
    {"version", ATTR_INT, AF_READ_ONLY | AF_SORT, .fallback = "1"},
};

static enum problem only_default(struct rest_call *c, struct change *ch, const char *attribute)
{
    char sql[200];
    struct store_rows *rows = NULL;
    const json_t *v = json_object_get(ch->row, attribute);
    const struct store_value values[] = {json_is_integer(v)
                                             ? store_int(json_integer_value(v))
                                             : store_text(row_text(ch->row, attribute)),
                                         store_text(row_text(ch->row, "id"))};

    if (!v || json_is_null(v)) {
        return PROBLEM_OK;
    }
    snprintf(sql, sizeof sql,
             "SELECT name FROM mask_rules WHERE %s = ? AND id <> ? AND state = 'active'",
             attribute);
    enum problem p = rest_store_problem(c, store_query(ch->txn, sql, values, 2, &rows));
    if (p == PROBLEM_OK && store_next(rows)) {
        char where[40];
        snprintf(where, sizeof where, "/%s", attribute);
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "%.50s is its default",
                      store_get_text(rows, 0));
    }
    store_rows_end(&rows);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = only_default(c, ch, "default_of_tag");

    p = p == PROBLEM_OK ? only_default(c, ch, "default_of_level") : p;
    if (p == PROBLEM_OK && ch->old && api_changed(ch->old, ch->row, "rule")) {
        json_object_set_new(
            ch->row, "version",
            json_integer(json_integer_value(json_object_get(ch->old, "version")) + 1));
    }
    return p;
}

/* A changed rule reaches the fields that name it, and their APIs. */
static enum problem refill(struct rest_call *c, struct change *ch)
{
    const char *name = ch->arg;
    json_t *f, *old = json_deep_copy(ch->row);
    bool changed = false;
    size_t i;

    json_array_foreach(json_object_get(ch->row, "fields"), i, f)
    {
        if (strcmp(row_text(f, "rule"), name) == 0) {
            json_object_set_new(f, "mask", json_string(""));
            changed = true;
        }
    }
    enum problem p =
        changed ? mask_rules_fill(c, ch->txn, json_object_get(ch->row, "fields")) : PROBLEM_OK;
    if (changed && p == PROBLEM_OK) {
        p = change_store(c, ch->txn, &datasets_resource, old, ch->row, "update");
    }
    json_decref(old);
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    char name[64];

    if (!ch->old || !api_changed(ch->old, ch->row, "rule")) {
        return PROBLEM_OK;
    }
    snprintf(name, sizeof name, "%s", row_text(ch->row, "name"));
    enum problem p = PROBLEM_OK;
    static const char *const states[] = {"draft", "published"};
    for (size_t i = 0; i < COUNT(states) && p == PROBLEM_OK; i++) {
        p = row_each(c, ch->txn, &datasets_resource, "state", states[i], refill, name);
    }
    return p;
}

static const struct transition transitions[] = {
    {"active", "retire", "retired", ROLE_STAFF},
};

const struct resource mask_rules_resource = {
    .plural = "mask_rules",
    .kind = "mask-rule",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
};

/* Fields ----------------------------------------------------------------------------------------
 */

static enum problem active_rules(struct rest_call *c, struct store_txn *txn, json_t *rules)
{
    static const char sql[] = "SELECT name, rule, version, default_of_tag, default_of_level FROM "
                              "mask_rules WHERE state = 'active' ORDER BY default_of_tag = "
                              "'personal-financial' DESC, name";
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(c, store_query(txn, sql, NULL, 0, &rows));

    while (p == PROBLEM_OK && store_next(rows)) {
        const char *tag = store_get_text(rows, 3);
        json_array_append_new(
            rules, json_pack("{s:s, s:s, s:I, s:s, s:I}", "name", store_get_text(rows, 0), "rule",
                             store_get_text(rows, 1), "version", (json_int_t)store_get_int(rows, 2),
                             "tag", tag ? tag : "", "level", (json_int_t)store_get_int(rows, 4)));
    }
    enum store_err err = rows ? store_rows_end(&rows) : STORE_OK;
    return p == PROBLEM_OK ? rest_store_problem(c, err) : p;
}

static bool has_tag(const json_t *f, const char *tag)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(f, "tags"), i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), tag) == 0) {
            return true;
        }
    }
    return false;
}

/* The rule the field names, or else the default of a tag it has, or else of its level. */
static const json_t *rule_for(const json_t *rules, const json_t *f)
{
    const char *name = row_text(f, "rule"), *mask = row_text(f, "mask");
    const json_t *by_tag = NULL, *by_level = NULL;
    bool sensitive = json_integer_value(json_object_get(f, "level")) == 3;
    json_t *rule;
    size_t i;

    name = mask[0] == '@' ? mask + 1 : name;
    json_array_foreach(rules, i, rule)
    {
        const char *tag = row_text(rule, "tag");
        if (name[0] && strcmp(row_text(rule, "name"), name) == 0) {
            return rule;
        }
        by_tag = sensitive && tag[0] && has_tag(f, tag) ? rule : by_tag;
        by_level =
            sensitive && json_integer_value(json_object_get(rule, "level")) == 3 ? rule : by_level;
    }
    return name[0] ? NULL : by_tag ? by_tag : by_level;
}

enum problem mask_rules_fill(struct rest_call *c, struct store_txn *txn, json_t *fields)
{
    json_t *rules = json_array(), *f;
    size_t i;
    enum problem p = active_rules(c, txn, rules);

    json_array_foreach(fields, i, f)
    {
        const char *mask = row_text(f, "mask");
        bool named = mask[0] == '@';
        const json_t *rule = p == PROBLEM_OK && (named || !mask[0]) ? rule_for(rules, f) : NULL;
        if (p == PROBLEM_OK && named && !rule) {
            char where[40];
            snprintf(where, sizeof where, "/fields/%zu/mask", i);
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "the library has no such rule");
        }
        if (rule) {
            json_object_set(f, "rule", json_object_get(rule, "name"));
            json_object_set(f, "mask", json_object_get(rule, "rule"));
        } else if (mask[0] && json_object_get(f, "rule") && p == PROBLEM_OK) {
            const json_t *own =
                rule_for(rules, f); /* a mask of its own is no rule of the library */
            if (!own || strcmp(row_text(own, "rule"), mask) != 0) {
                json_object_del(f, "rule");
            }
        }
    }
    json_decref(rules);
    return p;
}

enum problem mask_rules_used(struct rest_call *c, struct store_txn *txn, const json_t *fields,
                             json_t **used)
{
    json_t *rules = json_array(), *out = json_array(), *f, *rule;
    size_t i, k;
    enum problem p = active_rules(c, txn, rules);

    json_array_foreach(rules, k, rule)
    {
        bool there = false;
        json_array_foreach(fields, i, f)
        {
            there = there || (row_text(f, "mask")[0] &&
                              strcmp(row_text(f, "mask"), row_text(rule, "rule")) == 0);
        }
        if (there) {
            json_array_append_new(out, json_pack("{s:O, s:O, s:O}", "name",
                                                 json_object_get(rule, "name"), "version",
                                                 json_object_get(rule, "version"), "rule",
                                                 json_object_get(rule, "rule")));
        }
    }
    json_decref(rules);
    if (p != PROBLEM_OK || !used) {
        json_decref(out);
        return p;
    }
    *used = out;
    return PROBLEM_OK;
}

/* The test bench ---------------------------------------------------------------------------------
 */

static enum problem find_spec(struct rest_call *c, struct mask_spec *spec)
{
    const char *text = row_text(c->body, "rule");
    struct store_txn *txn = NULL;
    json_t *rules = json_array(), *f = json_pack("{s:s}", "mask", text);
    enum problem p = PROBLEM_OK;

    if (text[0] == '@') {
        p = rest_begin(c, STORE_READ, &txn);
        p = p == PROBLEM_OK ? active_rules(c, txn, rules) : p;
        store_rollback(&txn);
    }
    const json_t *rule = text[0] == '@' && p == PROBLEM_OK ? rule_for(rules, f) : NULL;
    if (p == PROBLEM_OK &&
        mask_parse(spec, slice_str(rule ? row_text(rule, "rule") : text)) != MASK_OK) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/rule", "there is no such mask rule");
    }
    json_decref(rules);
    json_decref(f);
    return p;
}

static enum problem try_one(struct rest_call *c, const struct mask_spec *spec, struct mask_key *key,
                            size_t i, const json_t *v, json_t *results)
{
    char where[32], out[MASK_OUT_MAX(VALUE_MAX)];

    snprintf(where, sizeof where, "/values/%zu", i);
    if (!json_is_string(v) || json_string_length(v) > VALUE_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a text of at most 1024 bytes is needed");
    }
    size_t n = mask_apply(spec, key, slice_of(json_string_value(v), json_string_length(v)), out);
    json_array_append_new(results, spec->rule == MASK_NULL ? json_null() : json_stringn(out, n));
    return PROBLEM_OK;
}

/* Keyed rules work with a key of this moment: with the true one a bench would be an oracle that
 * tells the pseudonym of any guess (EC-3.15b). */
enum problem mask_rule_try(struct rest_call *c)
{
    static const char *const members[] = {"rule", "values", NULL};
    uint8_t bytes[CRYPTO_KEY_LEN];
    struct mask_spec spec;
    json_t *v, *results = json_array();
    size_t i;
    enum problem p = rest_body_members(c, members);
    const json_t *values = json_object_get(c->body, "values");

    if (p == PROBLEM_OK && (!json_is_array(values) || json_array_size(values) == 0 ||
                            json_array_size(values) > VALUES_MAX)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/values", "1 to 100 texts are needed");
    }
    p = p == PROBLEM_OK ? find_spec(c, &spec) : p;
    crypto_random(bytes, sizeof bytes);
    struct mask_key *key = mask_key_new(bytes);
    crypto_wipe(bytes, sizeof bytes);
    json_array_foreach(values, i, v)
    {
        p = p == PROBLEM_OK ? try_one(c, &spec, key, i, v, results) : p;
    }
    mask_key_free(&key);
    if (p != PROBLEM_OK) {
        json_decref(results);
        return p;
    }
    return rest_answer(
        c, 200, json_pack("{s:b, s:o}", "keyed", mask_rule_keyed(spec.rule), "results", results));
}
