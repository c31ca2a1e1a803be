/* SPDX-License-Identifier: Apache-2.0 */
/* To open what was sensitive: a lower level, or a field without the mask it had, is asked for with
 * a reason and approved by somebody else; only then the dataset changes, and the record of who, why
 * and from what to what stays (SW-9.6.2-0d, SW-9.4-2). */
#include "batch/batch.h"

#include "api/api.h"

static const struct attr attrs[] = {
    {"dataset_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"field", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 128},
    {"to_level", ATTR_INT, AF_REQUIRED | AF_IMMUTABLE, 1, 3},
    {"to_mask", ATTR_TEXT, AF_IMMUTABLE, 0, 60},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 5, 2000},
    {"from_level", ATTR_INT, AF_READ_ONLY},
    {"from_mask", ATTR_TEXT, AF_READ_ONLY},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static json_t *find_field(const json_t *fields, const char *name)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(row_text(f, "name"), name) == 0) {
            return f;
        }
    }
    return NULL;
}

static json_int_t level_of(const json_t *f)
{
    return json_integer_value(json_object_get(f, "level"));
}

/* Level 3 or 4 before, and less of it afterwards; or the same level with no mask at all. */
static bool opens(const json_t *was, const json_t *is)
{
    return level_of(was) >= 3 && (!is || level_of(is) < level_of(was) ||
                                  (level_of(is) == 3 && row_text(was, "mask")[0] &&
                                   strcmp(row_text(is, "mask"), "keep:255:255") == 0));
}

enum problem declassification_check(struct rest_call *c, const json_t *old, const json_t *row)
{
    json_t *f;
    size_t i;

    json_array_foreach(json_object_get(old, "fields"), i, f)
    {
        const json_t *now = find_field(json_object_get(row, "fields"), row_text(f, "name"));
        if (now && opens(f, now)) {
            return rest_fail(c, PROBLEM_DECLASSIFICATION_NEEDED, "/fields",
                             "%.100s is of level %d: ask for a declassification",
                             row_text(f, "name"), (int)level_of(f));
        }
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;

    if (ch->old) {
        return PROBLEM_OK;
    }
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);
    const json_t *f =
        p == PROBLEM_OK ? find_field(json_object_get(dataset, "fields"), row_text(ch->row, "field"))
                        : NULL;
    if (p == PROBLEM_OK && !f) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/field", "the dataset has no such field");
    }
    if (p == PROBLEM_OK &&
        level_of(f) <= json_integer_value(json_object_get(ch->row, "to_level"))) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/to_level", "the field is of level %d",
                      (int)level_of(f));
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "from_level", json_integer(level_of(f)));
        json_object_set_new(ch->row, "from_mask", json_string(row_text(f, "mask")));
        json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    }
    json_decref(dataset);
    return p;
}

static enum problem refuse(struct rest_call *c, struct change *ch)
{
    api_decided(c, ch->row);
    return PROBLEM_OK;
}

static enum problem apply(struct rest_call *c, struct change *ch, json_t *dataset)
{
    const char *mask = row_text(ch->row, "to_mask");
    json_t *fields = json_object_get(dataset, "fields"), *old = json_deep_copy(dataset);
    json_t *f = find_field(fields, row_text(ch->row, "field"));
    enum problem p = PROBLEM_OK;

    if (!f || level_of(f) != json_integer_value(json_object_get(ch->row, "from_level"))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the field is another by now");
    } else {
        json_object_set(f, "level", json_object_get(ch->row, "to_level"));
        if (level_of(f) < 3) {
            json_object_set_new(f, "mask", json_string(mask));
            json_object_del(f, "rule");
        } else if (mask[0]) {
            json_object_set_new(f, "mask", json_string(mask));
        }
        p = mask_rules_fill(c, ch->txn, fields);
        p = p == PROBLEM_OK ? fields_check_dataset(c, "/fields", fields) : p;
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, ch->txn, &datasets_resource, old, dataset, "update");
    }
    json_decref(old);
    return p;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;

    if (strcmp(row_text(ch->row, "requested_by"), c->user.login) == 0) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "somebody else decides");
    }
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);
    p = p == PROBLEM_OK ? apply(c, ch, dataset) : p;
    json_decref(dataset);
    api_decided(c, ch->row);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"requested", "approve", "applied", ROLE_STAFF, .hook = approve},
    {"requested", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = refuse},
    {"requested", "withdraw", "withdrawn", KEEPER},
};

#define OWN "t.dataset_id IN (SELECT id FROM datasets WHERE organisation_id = ?)"
static const struct scope scopes[] = {{ROLE_PROVIDER, BIND_ORGANISATION, OWN, OWN}};

const struct resource declassifications_resource = {
    .plural = "declassifications",
    .kind = "declassification",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .check = check,
};
