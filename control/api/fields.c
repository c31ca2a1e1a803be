/* SPDX-License-Identifier: Apache-2.0 */
/* The field lists of datasets and APIs: checked member by member, turned into each other. */
#include <stdio.h>

#include "api/api.h"
#include "mask/mask.h"

#define FIELDS_MAX 512
#define NAME_MAX_  128 /* bytes of a column or public name */

struct member {
    const char *name;
    enum { TEXT, NUMBER, LEVEL, KEY, TAGS, WORD, FLAG } type;
    bool required;
};

static const struct member dataset_members[] = {
    {"column", TEXT, true},    {"name", TEXT, true},       {"title", TEXT, false},
    {"type", TEXT, false},     {"length", NUMBER, false},  {"key", KEY, false},
    {"level", LEVEL, false},   {"mask", TEXT, false},      {"tags", TAGS, false},
    {"category", WORD, false}, {"sensitive", FLAG, false}, {"rule", TEXT, false},
};
static const struct member api_members[] = {
    {"path", TEXT, true},      {"name", TEXT, false},      {"level", LEVEL, true},
    {"type", TEXT, false},     {"mask", TEXT, false},      {"tags", TAGS, false},
    {"category", WORD, false}, {"sensitive", FLAG, false},
};
/* What a field is beside its level: to the bank standard (BK-7.2.2c, BK-3.9b: those seven kinds and
 * no other, BK-3.10, BK-3.11), and to the trade standard (EC-3.13, EC-3.14). */
const char *const field_tags[] = {"personal-financial", "pfi-account",  "pfi-authentication",
                                  "pfi-transaction",    "pfi-identity", "pfi-property",
                                  "pfi-lending",        "pfi-other",    "payment-sensitive",
                                  "payment-account",    "user-data",    "business-data",
                                  "behaviour",          "derived",      NULL};

static enum problem refuse(struct rest_call *c, const char *where, size_t i, const char *member,
                           const char *why)
{
    char pointer[160];

    snprintf(pointer, sizeof pointer, "%s/%zu%s%.60s", where, i, member[0] ? "/" : "", member);
    return rest_fail(c, PROBLEM_FIELD_INVALID, pointer, "%s", why);
}

static bool tags_ok(const json_t *v)
{
    json_t *item;
    size_t i, k;

    json_array_foreach(v, i, item)
    {
        const char *tag = json_is_string(item) ? json_string_value(item) : "";
        for (k = 0; field_tags[k] && strcmp(field_tags[k], tag) != 0; k++) {
        }
        if (!field_tags[k]) {
            return false;
        }
    }
    return json_is_array(v) && json_array_size(v) < COUNT(field_tags);
}

static bool word_ok(const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = s ? strlen(s) : 0;

    return n > 0 && n <= 40 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static const char *member_wrong(const struct member *m, const json_t *v)
{
    json_int_t n = json_integer_value(v);

    if (json_is_null(v)) {
        return m->required ? "it is required" : NULL;
    }
    switch (m->type) {
    case TEXT:
        return json_is_string(v) && json_string_length(v) <= 255
                   ? NULL
                   : "a text of at most 255 bytes is needed";
    case NUMBER:
        return json_is_integer(v) && n >= 0 ? NULL : "a whole number is needed";
    case LEVEL:
        return json_is_integer(v) && n >= 0 && n <= 4
                   ? NULL
                   : "a level from 0 (unclassified) to 4 is needed";
    case KEY:
        return json_is_boolean(v) || (json_is_integer(v) && n >= 0) ? NULL
                                                                    : "true or false is needed";
    case TAGS:
        return tags_ok(v) ? NULL : "it is none of the tags of GET /classification/tags";
    case WORD:
        return word_ok(v) ? NULL : "a word of letters, digits and - is needed";
    case FLAG:
        return json_is_boolean(v) ? NULL : "true or false is needed";
    }
    return NULL;
}

static const struct member *member_by_name(const struct member *members, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(members[i].name, name) == 0) {
            return &members[i];
        }
    }
    return NULL;
}

static enum problem check_members(struct rest_call *c, const char *where, size_t i, const json_t *f,
                                  const struct member *members, size_t n)
{
    const char *key;
    json_t *v;

    if (!json_is_object(f)) {
        return refuse(c, where, i, "", "an object is needed");
    }
    json_object_foreach((json_t *)f, key, v)
    {
        const struct member *m = member_by_name(members, n, key);
        const char *why = m ? member_wrong(m, v) : "a field has no such member";
        if (why) {
            return refuse(c, where, i, key, why);
        }
    }
    for (size_t k = 0; k < n; k++) {
        if (members[k].required && !json_object_get(f, members[k].name)) {
            return refuse(c, where, i, members[k].name, "it is required");
        }
    }
    return PROBLEM_OK;
}

/* A public name becomes a path segment and a query parameter: no dots, no blanks, nothing that the
 * query grammar reads. Letters of any script are fine. */
static bool name_ok(const char *s, bool dots)
{
    size_t n = strlen(s);

    if (n == 0 || n > (dots ? 255 : NAME_MAX_)) {
        return false;
    }
    for (; *s; s++) {
        unsigned char b = (unsigned char)*s;
        if (b <= 0x20 || b == 0x7f || strchr(",()\"'&=?#/\\:;*%<>", b) || (b == '.' && !dots)) {
            return false;
        }
    }
    return true;
}

static bool column_ok(const char *s)
{
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return false;
        }
    }
    return n > 0 && n <= NAME_MAX_;
}

static bool mask_ok(const json_t *f)
{
    const char *text = row_text(f, "mask");
    struct mask_spec spec;

    return !text[0] || mask_parse(&spec, slice_str(text)) == MASK_OK;
}

static bool taken(json_t *seen, const char *name)
{
    bool there = json_object_get(seen, name) != NULL;

    json_object_set_new(seen, name, json_true());
    return there;
}

static enum problem check_size(struct rest_call *c, const char *where, const json_t *v)
{
    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > FIELDS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "1 to %d fields are needed", FIELDS_MAX);
    }
    return PROBLEM_OK;
}

static enum problem check_dataset_field(struct rest_call *c, const char *where, size_t i,
                                        const json_t *f, json_t *names, json_t *columns)
{
    enum problem p = check_members(c, where, i, f, dataset_members, COUNT(dataset_members));

    if (p != PROBLEM_OK) {
        return p;
    }
    if (!name_ok(row_text(f, "name"), false)) {
        return refuse(
            c, where, i, "name",
            "a public name has 1 to 128 bytes, no blanks, dots or punctuation of a query");
    }
    if (!column_ok(row_text(f, "column"))) {
        return refuse(c, where, i, "column",
                      "1 to 128 bytes without control characters are needed");
    }
    if (taken(names, row_text(f, "name"))) {
        return refuse(c, where, i, "name", "another field has this name");
    }
    if (taken(columns, row_text(f, "column"))) {
        return refuse(c, where, i, "column", "another field has this column");
    }
    bool library = row_text(f, "mask")[0] == '@'; /* which says later whether it has one */
    return library || mask_ok(f) ? PROBLEM_OK
                                 : refuse(c, where, i, "mask", "there is no such mask rule");
}

enum problem fields_check_dataset(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *names = json_object(), *columns = json_object(), *f;
    enum problem p = check_size(c, where, v);
    size_t i;

    json_array_foreach(v, i, f)
    {
        if (p == PROBLEM_OK) {
            p = check_dataset_field(c, where, i, f, names, columns);
        }
    }
    json_decref(names);
    json_decref(columns);
    return p;
}

static enum problem check_api_field(struct rest_call *c, const char *where, size_t i,
                                    const json_t *f, json_t *paths)
{
    const char *type = row_text(f, "type");
    enum problem p = check_members(c, where, i, f, api_members, COUNT(api_members));

    if (p != PROBLEM_OK) {
        return p;
    }
    if (!name_ok(row_text(f, "path"), true)) {
        return refuse(c, where, i, "path", "member names joined by dots are needed");
    }
    if (taken(paths, row_text(f, "path"))) {
        return refuse(c, where, i, "path", "another field has this path");
    }
    if (type[0] && strcmp(type, "scalar") != 0 && strcmp(type, "json") != 0) {
        return refuse(c, where, i, "type", "scalar or json is needed");
    }
    return mask_ok(f) ? PROBLEM_OK : refuse(c, where, i, "mask", "there is no such mask rule");
}

enum problem fields_check_api(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *paths = json_object(), *f;
    enum problem p = check_size(c, where, v);
    size_t i;

    json_array_foreach(v, i, f)
    {
        if (p == PROBLEM_OK) {
            p = check_api_field(c, where, i, f, paths);
        }
    }
    json_decref(paths);
    return p;
}

/* Publication -------------------------------------------------------------------------------------
 */
static void add_name(char *list, size_t room, const json_t *f)
{
    size_t n = strlen(list);
    const char *name = row_text(f, "path");

    snprintf(list + n, room - n, "%s%s", n ? ", " : "", name[0] ? name : row_text(f, "name"));
}

static bool unclassified(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level")) == 0;
}

static bool unmasked(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level")) == 3 && !row_text(f, "mask")[0];
}

static bool openable(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level")) < 4;
}

static size_t name_all(const json_t *fields, bool (*is)(const json_t *), char *list, size_t room)
{
    size_t count = 0, i;
    json_t *f;

    list[0] = '\0';
    json_array_foreach(fields, i, f)
    {
        if (is(f)) {
            add_name(list, room, f);
            count++;
        }
    }
    return count;
}

enum problem fields_check_publication(struct rest_call *c, const json_t *fields)
{
    char list[240];

    if (name_all(fields, unclassified, list, sizeof list)) {
        return rest_fail(c, PROBLEM_FIELDS_UNCLASSIFIED, "/fields", "without a level: %s", list);
    }
    if (name_all(fields, unmasked, list, sizeof list)) {
        return rest_fail(c, PROBLEM_FIELD_UNMASKED, "/fields", "level 3 without a mask rule: %s",
                         list);
    }
    if (!name_all(fields, openable, list, sizeof list)) {
        return rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/fields", "every field is of level 4");
    }
    return PROBLEM_OK;
}

/* The credit platform's answers (CI-A): where its rows lie, and the members around them. */
static const struct {
    const char *profile, *prefix;
    const char *const envelope[8];
} profiles[] = {
    {"rest", "", {NULL}},
    {"getEnterpriseGrade", "data.", {"msg", "result", NULL}},
    {"getEnterpriseGrades",
     "data.companyList.",
     {"msg", "result", "data.pageno", "data.count", "data.pagesize", NULL}},
    {"getPublicResourcesTrading", "data.", {"msg", "result", NULL}},
    {"submission",
     "records.",
     {"receipt_id", "received_at", "sm3", "received", "accepted", "quarantined", NULL}},
};

static json_t *api_field(const char *prefix, const json_t *f)
{
    json_t *level = json_object_get(f, "level");
    const char *type = strcmp(row_text(f, "type"), "json") == 0 ? "json" : "scalar";

    return json_pack("{s:s+, s:s, s:O, s:s, s:s, s:O*, s:O*, s:O*}", "path", prefix,
                     row_text(f, "name"), "name", row_text(f, "name"), "level",
                     level ? level : json_null(), "type", type, "mask", row_text(f, "mask"), "tags",
                     json_object_get(f, "tags"), "category", json_object_get(f, "category"),
                     "sensitive", json_object_get(f, "sensitive"));
}

json_t *fields_for_profile(const char *profile, const json_t *dataset_fields)
{
    json_t *out = json_array(), *f;
    size_t at = 0, i;

    while (at < COUNT(profiles) - 1 && strcmp(profiles[at].profile, profile) != 0) {
        at++;
    }
    for (size_t k = 0; profiles[at].envelope[k]; k++) {
        const char *path = profiles[at].envelope[k], *dot = strrchr(path, '.');
        json_array_append_new(out, json_pack("{s:s, s:s, s:i, s:s, s:s}", "path", path, "name",
                                             dot ? dot + 1 : path, "level", 1, "type", "scalar",
                                             "mask", ""));
    }
    json_array_foreach(dataset_fields, i, f)
    {
        json_array_append_new(out, api_field(profiles[at].prefix, f));
    }
    return out;
}

json_t *fields_from_columns(const json_t *columns)
{
    json_t *out = json_array(), *col;
    size_t i;

    json_array_foreach(columns, i, col)
    {
        json_t *length = json_object_get(col, "length"), *key = json_object_get(col, "key");
        bool is_key = json_is_true(key) || json_integer_value(key) > 0;
        json_array_append_new(
            out, json_pack("{s:s, s:s, s:s, s:s, s:o, s:b, s:i, s:s}", "column",
                           row_text(col, "name"), "name", row_text(col, "name"), "title",
                           row_text(col, "comment"), "type", row_text(col, "type"), "length",
                           json_is_integer(length) ? json_incref(length) : json_integer(0), "key",
                           is_key, "level", 0, "mask", ""));
    }
    return out;
}
