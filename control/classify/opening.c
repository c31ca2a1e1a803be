/* SPDX-License-Identifier: Apache-2.0 */
/* The three classes of opening and the measures of each (SW-9.6.1-01, SW-9.6.1-02). A dataset that
 * is of a class is published with them, whatever the publication asked for. */
#include <stdio.h>

#include "api/api.h"
#include "classify/classify.h"
#include "sandbox/stage.h"

static const char *const accesses[] = {"subscription", "registered", NULL};
static const char *const seals[] = {"off", "optional", "required", NULL};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"title", ATTR_TEXT, AF_REQUIRED, 1, 60},
    {"max_level", ATTR_INT, AF_READ_ONLY},
    {"access", ATTR_TEXT, AF_REQUIRED, 1, 20, .values = accesses},
    {"sign_response", ATTR_BOOL, AF_REQUIRED},
    {"seal_response", ATTR_TEXT, AF_REQUIRED, 1, 10, .values = seals},
    {"cache", ATTR_BOOL, AF_REQUIRED},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "name"), "unconditional") != 0 &&
        strcmp(row_text(ch->row, "access"), "subscription") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/access",
                         "only what is open unconditionally is open without a subscription");
    }
    return PROBLEM_OK;
}

const struct resource opening_classes_resource = {
    .plural = "opening_classes",
    .kind = "opening-class",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_ALL,
    .patch_roles = ROLE_ADMIN,
    .check = check,
};

/* SW-8.1-p5: owner and levels always; what else an administrator asks for. */
static enum problem require(struct rest_call *c, struct store_txn *txn, const json_t *dataset)
{
    static const struct {
        const char *word, *member, *where;
    } known[] = {{"opening-class", "opening_class", "/opening_class"},
                 {"confidentiality", "confidentiality", "/confidentiality"},
                 {"audience", "audience", "/audience"},
                 {"title", "title", "/title"}};
    char value[CLASSIFY_SETTING_MAX];
    enum problem p = classify_setting(c, txn, "required-attributes", value);

    if (p == PROBLEM_OK && !row_text(dataset, "organisation_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/organisation_id", "a dataset has an owner");
    }
    for (size_t i = 0; i < COUNT(known) && p == PROBLEM_OK; i++) {
        if (strstr(value, known[i].word) && !row_text(dataset, known[i].member)[0]) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, known[i].where,
                          "the platform publishes no dataset without it");
        }
    }
    return p;
}

static enum problem keep(struct rest_call *c, struct change *ch)
{
    json_t **row = ch->arg;

    (void)c;
    if (!*row) {
        *row = json_incref(ch->row);
    }
    return PROBLEM_OK;
}

static enum problem class_row(struct rest_call *c, struct store_txn *txn, const char *name,
                              json_t **row)
{
    *row = NULL;
    enum problem p = row_each(c, txn, &opening_classes_resource, "name", name, keep, row);
    return p == PROBLEM_OK && !*row ? PROBLEM_INTERNAL : p;
}

static enum problem too_high(struct rest_call *c, const json_t *dataset, json_int_t max)
{
    char list[200] = "";
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(dataset, "fields"), i, f)
    {
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        size_t n = strlen(list);
        if (level > max && level < 4 && n < sizeof list - 1) {
            snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", row_text(f, "name"));
        }
    }
    return list[0] ? rest_fail(c, PROBLEM_FIELD_INVALID, "/opening_class",
                               "above level %d, too high for this class: %s", (int)max, list)
                   : PROBLEM_OK;
}

static void measures(const json_t *class, json_t *api)
{
    if (strcmp(row_text(api, "class"), "A2") != 0 ||
        strcmp(row_text(class, "access"), "registered") != 0) {
        json_object_set(api, "access", json_object_get(class, "access"));
    }
    if (json_is_true(json_object_get(class, "sign_response"))) {
        json_object_set_new(api, "sign_response", json_true());
    }
    if (strcmp(row_text(class, "seal_response"), "off") != 0 &&
        strcmp(row_text(api, "seal_response"), "required") != 0) {
        json_object_set(api, "seal_response", json_object_get(class, "seal_response"));
    }
    if (!json_is_true(json_object_get(class, "cache"))) {
        json_object_set_new(api, "cache_ms", json_null());
    }
}

enum problem classify_opening_apply(struct rest_call *c, struct store_txn *txn,
                                    const json_t *dataset, json_t *api)
{
    const char *name = row_text(dataset, "opening_class");
    json_t *class = NULL;
    bool checked = false;
    enum problem p = require(c, txn, dataset);

    if (p == PROBLEM_OK) {
        p = classify_setting_on(c, txn, "sensitive-check-required", &checked);
    }
    if (p == PROBLEM_OK && checked) {
        p = classify_zone_check(c, txn, dataset, CLASSIFY_OPEN);
    }
    if (p != PROBLEM_OK || !name[0]) {
        return p;
    }
    if (strcmp(name, "not-open") == 0) {
        return rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/opening_class", "the dataset is not open");
    }
    p = class_row(c, txn, name, &class);
    if (p == PROBLEM_OK) {
        p = too_high(c, dataset, json_integer_value(json_object_get(class, "max_level")));
    }
    if (p == PROBLEM_OK) {
        measures(class, api);
    }
    json_decref(class);
    return p;
}

static enum problem close_api(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");

    if (strcmp(state, "published") != 0 && strcmp(state, "deprecated") != 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p = stage_change(c, ch->txn, &apis_resource, old, ch->row, "offline", "offline");
    json_decref(old);
    return p;
}

enum problem classify_opening_changed(struct rest_call *c, struct store_txn *txn, const json_t *old,
                                      const json_t *dataset)
{
    bool closed = api_changed(old, dataset, "opening_class") &&
                  strcmp(row_text(dataset, "opening_class"), "not-open") == 0;

    return closed ? row_each(c, txn, &apis_resource, "dataset_id", row_text(dataset, "id"),
                             close_api, NULL)
                  : PROBLEM_OK;
}
