/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration centre's memory (SW-6-config): what a setting was at each revision, out of the
 * operations log, and back to one of them. */
#include <stdlib.h>

#include "api/api.h"
#include "services/services.h"

static const struct resource *setting_resource(const char *plural)
{
    static const char *const plurals[] = {
        "service_settings",  "stage_settings",      "admission_settings",  "identity_settings",
        "session_policies",  "credential_policies", "retention_rules",     "limits",
        "classify_settings", "catalog_settings",    "identifier_settings", "algorithms",
        "risk_classes",      "financial_scenarios", "service_configs"};

    for (size_t i = 0; i < COUNT(plurals); i++) {
        if (strcmp(plurals[i], plural) == 0) {
            return resource_by_plural(plural);
        }
    }
    return NULL;
}

static enum problem revisions(struct rest_call *c, struct store_txn *txn,
                              const struct resource *res, json_t **items)
{
    const struct store_value v[] = {store_text(res->kind), store_text(c->segment[1])};

    return services_rows(
        c, txn,
        "SELECT at_ms, actor, action, before, after FROM operations WHERE kind = ? "
        "AND resource_id = ? ORDER BY seq LIMIT 1000",
        v, 2, "at:m operator:t action:t before:j after:j", items);
}

enum problem settings_history(struct rest_call *c)
{
    const struct resource *res = setting_resource(c->segment[0]);
    struct store_txn *txn = NULL;
    json_t *items = NULL, *row = NULL;
    enum problem p = !res                                ? PROBLEM_NOT_FOUND
                     : !(res->read_roles & c->user.role) ? PROBLEM_NOT_PERMITTED
                                                         : rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, res, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = revisions(c, txn, res, &items);
    }
    store_rollback(&txn);
    json_decref(row);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* The image of the row at that revision: after a change, or before the first. */
static json_t *image_of(const json_t *items, json_int_t revision)
{
    static const char *const sides[] = {"after", "before"};
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        for (size_t k = 0; k < COUNT(sides); k++) {
            json_t *image = json_object_get(item, sides[k]);
            if (json_integer_value(json_object_get(image, "revision")) == revision) {
                return image;
            }
        }
    }
    return NULL;
}

static json_t *changeable(const struct resource *res, const json_t *image)
{
    json_t *out = json_object();

    for (size_t i = 0; i < res->n_attrs; i++) {
        const struct attr *a = &res->attrs[i];
        json_t *v = json_object_get(image, a->name);
        if (v && !(a->flags & (AF_READ_ONLY | AF_HIDDEN | AF_IMMUTABLE | AF_WRITE_ONLY))) {
            json_object_set(out, a->name, v);
        }
    }
    return out;
}

static enum problem restore(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                            json_int_t revision, json_t **row)
{
    json_t *old = NULL, *items = NULL, *body = c->body;
    enum problem p = service_load(c, txn, res, true, &old);

    if (p == PROBLEM_OK) {
        p = change_precondition(c, old, true);
    }
    if (p == PROBLEM_OK) {
        p = revisions(c, txn, res, &items);
    }
    const json_t *image = image_of(items, revision);
    if (p == PROBLEM_OK && !image) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/revision", "there was no such revision");
    }
    if (p == PROBLEM_OK) {
        *row = json_deep_copy(old);
        c->body = changeable(res, image);
        p = attr_apply(c, txn, res, *row, false);
        struct change ch = {.res = res, .txn = txn, .old = old, .row = *row};
        p = p == PROBLEM_OK && res->check ? res->check(c, &ch) : p;
        json_decref(c->body);
        c->body = body;
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, res, old, *row, "update");
    }
    json_decref(items);
    json_decref(old);
    return p;
}

enum problem settings_restore(struct rest_call *c)
{
    static const char *const members[] = {"revision", NULL};
    const struct resource *res = setting_resource(c->segment[0]);
    const json_t *revision = json_object_get(c->body, "revision");
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = !res                                 ? PROBLEM_NOT_FOUND
                     : !(res->patch_roles & c->user.role) ? PROBLEM_NOT_PERMITTED
                                                          : rest_body_members(c, members);

    if (p == PROBLEM_OK && !json_is_integer(revision)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/revision", "a whole number is needed");
    }
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_WRITE, &txn);
    }
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, restore(c, txn, res, json_integer_value(revision), &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, res, row, 200);
    }
    json_decref(row);
    return p;
}
