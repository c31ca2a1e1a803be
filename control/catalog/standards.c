/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata standards (SW-0.2): what the data of a business domain is made of, element by element.
 * An edition does not change once it is in force; the next one stands beside it. */
#include <stdio.h>
#include <strings.h>

#include "api/api.h"
#include "catalog/standards.h"
#include "sandbox/stage.h"

#define LISTS_MAX 200
#define CODES_MAX 5000

static const char *const types[] = {"string", "integer",  "number", "boolean",
                                    "date",   "datetime", "json",   "binary"};

static enum problem refuse(struct rest_call *c, const char *where, size_t i, const char *member,
                           const char *why)
{
    char at[128];

    snprintf(at, sizeof at, "%.40s/%zu/%s", where, i, member);
    return rest_fail(c, PROBLEM_FIELD_INVALID, at, "%s", why);
}

static bool type_known(const char *type)
{
    for (size_t i = 0; i < COUNT(types); i++) {
        if (strcmp(types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

static bool boolean_or_none(const json_t *v)
{
    return !v || json_is_null(v) || json_is_boolean(v);
}

static bool named_before(const json_t *list, size_t i, const char *name)
{
    for (size_t k = 0; k < i; k++) {
        if (strcasecmp(row_text(json_array_get(list, k), "name"), name) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem check_element(struct rest_call *c, const char *where, const json_t *list,
                                  size_t i)
{
    static const char *const members[] = {"name",      "title",     "type",        "length",
                                          "mandatory", "code_list", "description", NULL};
    static const char *const texts[] = {"title", "code_list", "description"};
    const json_t *e = json_array_get(list, i), *length = json_object_get(e, "length");
    enum problem p = PROBLEM_OK;

    if (!json_is_object(e) || !api_only_members(e, members)) {
        return refuse(c, where, i, "name",
                      "elements are {name, title, type, length, mandatory, code_list, "
                      "description}");
    }
    if (!row_text(e, "name")[0] || named_before(list, i, row_text(e, "name"))) {
        return refuse(c, where, i, "name", "a name that no other element has is needed");
    }
    if (!type_known(row_text(e, "type"))) {
        return refuse(c, where, i, "type",
                      "string, integer, number, boolean, date, datetime, json or binary");
    }
    if (length && !json_is_null(length) && !api_int_within(length, 1, INT32_MAX)) {
        return refuse(c, where, i, "length", "a whole number from 1, or none, is needed");
    }
    if (!boolean_or_none(json_object_get(e, "mandatory"))) {
        return refuse(c, where, i, "mandatory", "true or false");
    }
    p = attr_text_check(c, where, json_object_get(e, "name"), 1, 128, false);
    for (size_t k = 0; k < COUNT(texts) && p == PROBLEM_OK; k++) {
        const json_t *v = json_object_get(e, texts[k]);
        p = v && !json_is_null(v) ? attr_text_check(c, where, v, 0, 1000, false) : PROBLEM_OK;
    }
    return p;
}

static enum problem check_elements(struct rest_call *c, const char *where, const json_t *v)
{
    size_t n = json_array_size(v);
    enum problem p = PROBLEM_OK;

    if (n == 0 || n > STANDARD_ELEMENTS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "1 to %d elements are needed",
                         STANDARD_ELEMENTS_MAX);
    }
    for (size_t i = 0; i < n && p == PROBLEM_OK; i++) {
        p = check_element(c, where, v, i);
    }
    return p;
}

static enum problem check_codes(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = PROBLEM_OK;
    const char *name;
    json_t *codes, *code;
    size_t i;

    if (!json_is_object(v) || json_object_size(v) > LISTS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "an object of at most %d lists is needed: {name: [code]}", LISTS_MAX);
    }
    json_object_foreach((json_t *)(uintptr_t)v, name, codes)
    {
        if (!name[0] || strlen(name) > 128 || json_array_size(codes) == 0 ||
            json_array_size(codes) > CODES_MAX) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a list has a name and 1 to %d codes",
                             CODES_MAX);
        }
        json_array_foreach(codes, i, code)
        {
            p = p == PROBLEM_OK ? attr_text_check(c, where, code, 1, 100, false) : p;
        }
    }
    return p;
}

static const struct attr attrs[] = {
    {"code", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 60},
    {"edition", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 40},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"domain_id", ATTR_REF, AF_REQUIRED | AF_FILTER, .ref = "service_domains"},
    {"origin", ATTR_TEXT, 0, 0, 500},
    {"elements", ATTR_JSON, AF_REQUIRED, .check = check_elements},
    {"code_lists", ATTR_JSON, 0, .check = check_codes, .fallback = "{}"},
    {"in_force_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"retired_at", ATTR_TIME, AF_READ_ONLY},
};

/* Each list that an element names is there. */
static enum problem check_named(struct rest_call *c, const json_t *row)
{
    const json_t *lists = json_object_get(row, "code_lists");
    json_t *e;
    size_t i;

    json_array_foreach(json_object_get(row, "elements"), i, e)
    {
        const char *name = row_text(e, "code_list");
        if (name[0] && !json_object_get(lists, name)) {
            return refuse(c, "/elements", i, "code_list", "code_lists has no list of this name");
        }
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && strcmp(row_text(ch->old, "state"), "draft") != 0 &&
        (api_changed(ch->old, ch->row, "elements") ||
         api_changed(ch->old, ch->row, "code_lists"))) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/elements",
                         "an edition that is in force stays as it is; make the next one");
    }
    return check_named(c, ch->row);
}

static enum problem adopt(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "in_force_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static enum problem retire(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "retired_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"draft|retired", "adopt", "in-force", ROLE_STAFF, .hook = adopt},
    {"draft|in-force", "retire", "retired", ROLE_STAFF, .hook = retire},
};

/* Providers read what is asked of them. */
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.state <> 'draft'", "1 = 0"},
};

const struct resource metadata_standards_resource = {
    .plural = "metadata_standards",
    .kind = "metadata-standard",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
};
