/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from an approval by itself: one table, a row for each form and effect. */
#include "admission/inner.h"
#include "admission/terms.h"

#define PREPARE_DAYS 30

/* Addresses of an approved plan are the only ones its app calls from (GS-6.1a-1b). */
static enum problem allow_addresses(struct rest_call *c, struct store_txn *txn,
                                    const json_t *application)
{
    enum problem p = PROBLEM_OK;
    json_t *address;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(application, "content"), "addresses"), i,
                       address)
    {
        json_t *row = resource_row(&lists_resource);
        json_object_set_new(row, "list", json_string("allow"));
        json_object_set_new(row, "subject", json_string("address"));
        json_object_set(row, "value", address);
        json_object_set(row, "app_id", json_object_get(application, "app_id"));
        json_object_set_new(
            row, "reason",
            json_sprintf("access plan %s, approved", row_text(application, "number")));
        json_object_set_new(row, "added_by", json_string(c->user.login));
        struct change ch = {.res = &lists_resource, .txn = txn, .row = row};
        p = p == PROBLEM_OK ? lists_resource.check(c, &ch) : p;
        if (p == PROBLEM_OK) {
            p = change_store(c, txn, &lists_resource, NULL, row, "create");
        }
        json_decref(row);
    }
    return p;
}

/* A platform's filing takes over what its application says (CI-6.1.3a). */
static enum problem file_platform(struct rest_call *c, struct store_txn *txn,
                                  const json_t *application)
{
    static const char *const same[] = {"platform_name", "user_number",    "domain",
                                       "server_ip",     "operating_unit", "contact_name",
                                       "contact_phone"};
    static const char sql[] = "SELECT 1 FROM filings WHERE app_id = ? AND state = 'active'";
    const struct store_value v = store_text(row_text(application, "app_id"));
    json_t *row = resource_row(&filings_resource);
    bool there = false;
    enum problem p = admission_exists(c, txn, sql, &v, 1, &there);

    json_object_set(row, "organisation_id", json_object_get(application, "organisation_id"));
    json_object_set(row, "app_id", json_object_get(application, "app_id"));
    json_object_set(row, "application_id", json_object_get(application, "id"));
    json_object_set_new(row, "filed_by", json_string(c->user.login));
    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(row, same[i],
                        json_object_get(json_object_get(application, "content"), same[i]));
    }
    if (p == PROBLEM_OK && !there) {
        p = change_store(c, txn, &filings_resource, NULL, row, "create");
    }
    json_decref(row);
    return p;
}

/* What is to be made ready before the first call (CI-6.1.2c, GS-6.1b). */
static enum problem open_preparation(struct rest_call *c, struct store_txn *txn,
                                     const json_t *application)
{
    static const char *const items[] = {"environment", "connectivity", "security-hardening",
                                        "staff-contact"};
    static const char *const same[] = {"organisation_id", "app_id"};
    json_t *row = resource_row(&preparations_resource), *list = json_array();

    for (size_t i = 0; i < COUNT(items); i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:s}", "item", items[i], "done", false, "evidence", ""));
    }
    json_object_set_new(row, "items", list);
    json_object_set(row, "application_id", json_object_get(application, "id"));
    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(row, same[i], json_object_get(application, same[i]));
    }
    json_object_set_new(row, "due_at", admission_time(c->now_ms + PREPARE_DAYS * DAY_MS));
    enum problem p = change_store(c, txn, &preparations_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

/* Subscriptions ------------------------------------------------------------------------------- */
/* Those of the application's fields that the API has; new, NULL: none. */
static json_t *fields_of(const json_t *application, const json_t *api)
{
    json_t *out = json_array(), *path, *field;
    size_t i, k;

    json_array_foreach(json_object_get(json_object_get(application, "content"), "fields"), i, path)
    {
        json_array_foreach(json_object_get(api, "fields"), k, field)
        {
            if (json_equal(json_object_get(field, "path"), path)) {
                json_array_append(out, path);
            }
        }
    }
    if (json_array_size(out) == 0) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* What was asked for and approved is the subscription: fields, purpose, term (SW-8.2c2-4). An API
 * of class A2 waits for its own assessment of risk (BK-6.2b3-1). */
static enum problem subscribe_approved(struct rest_call *c, struct store_txn *txn,
                                       const json_t *application, const json_t *api, json_t *row)
{
    const json_t *content = json_object_get(application, "content");
    json_t *fields = fields_of(application, api);

    if (!fields) {
        return PROBLEM_OK; /* nothing of it is this API's */
    }
    json_object_set_new(row, "fields", fields);
    json_object_set(row, "purpose", json_object_get(content, "purpose"));
    json_object_set(row, "expires_at", json_object_get(content, "until"));
    if (json_object_get(content, "from")) {
        json_object_set(row, "not_before", json_object_get(content, "from"));
    }
    if (!protection_needs_assessment(api)) {
        json_object_set_new(row, "state", json_string("approved"));
    }
    enum problem p = admission_subscription_allowed(c, txn, row, api);
    return p == PROBLEM_OK ? change_store(c, txn, &subscriptions_resource, NULL, row, "create") : p;
}

/* The interfaces of a plan are applied for by it (GS-6.1a-4); an operator decides on each. */
static enum problem subscribe_applied(struct rest_call *c, struct store_txn *txn,
                                      const json_t *application, json_t *row)
{
    json_object_set_new(row, "purpose",
                        json_sprintf("access plan %s", row_text(application, "number")));
    return change_store(c, txn, &subscriptions_resource, NULL, row, "create");
}

static bool open_now(const json_t *api)
{
    return admission_state_is(api, "published") || admission_state_is(api, "deprecated");
}

static enum problem open_subscription(struct rest_call *c, struct store_txn *txn,
                                      const json_t *application, const char *api_id)
{
    static const char sql[] = "SELECT 1 FROM subscriptions WHERE app_id = ? AND api_id = ? AND "
                              "state <> 'cancelled'";
    const struct store_value v[] = {store_text(row_text(application, "app_id")),
                                    store_text(api_id)};
    json_t *api = NULL, *row = resource_row(&subscriptions_resource);
    json_t *level = json_object_get(application, "max_level");
    bool there = false;
    enum problem p = admission_exists(c, txn, sql, v, COUNT(v), &there);

    p = p == PROBLEM_OK ? api_load(c, txn, &apis_resource, api_id, &api) : p;
    json_object_set(row, "app_id", json_object_get(application, "app_id"));
    json_object_set_new(row, "api_id", json_string(api_id));
    json_object_set_new(row, "max_level",
                        json_integer(json_is_integer(level) ? json_integer_value(level) : 1));
    if (p == PROBLEM_OK && !there && open_now(api)) {
        p = strcmp(row_text(application, "form_kind"), "data-service") == 0
                ? subscribe_approved(c, txn, application, api, row)
                : subscribe_applied(c, txn, application, row);
    }
    json_decref(api);
    json_decref(row);
    return p;
}

static enum problem open_subscriptions(struct rest_call *c, struct store_txn *txn,
                                       const json_t *application)
{
    enum problem p = PROBLEM_OK;
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(application, "content"), "interfaces"), i,
                       item)
    {
        p = p == PROBLEM_OK ? open_subscription(c, txn, application, row_text(item, "api_id")) : p;
    }
    return p;
}

static const struct {
    const char *form;
    enum problem (*effect)(struct rest_call *c, struct store_txn *txn, const json_t *application);
} effects[] = {
    {"access-plan", allow_addresses},      {"access-plan", open_preparation},
    {"access-plan", open_subscriptions},   {"credit-platform", file_platform},
    {"credit-platform", open_preparation}, {"credit-platform", open_subscriptions},
    {"data-service", open_subscriptions},
};

enum problem approval_effects(struct rest_call *c, struct store_txn *txn, const json_t *application)
{
    const char *form = row_text(application, "form_kind");
    bool app = row_text(application, "app_id")[0];
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(effects) && p == PROBLEM_OK && app; i++) {
        if (strcmp(effects[i].form, form) == 0) {
            p = effects[i].effect(c, txn, application);
        }
    }
    return p == PROBLEM_OK && app ? terms_refeed_app(c, txn, row_text(application, "app_id")) : p;
}
