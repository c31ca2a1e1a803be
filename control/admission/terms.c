/* SPDX-License-Identifier: Apache-2.0 */
#include "admission/terms.h"

#include <stdio.h>

#include "admission/inner.h"

/* Agreements ----------------------------------------------------------------------------------- */
struct named { /* what agreements say of an app and an API */
    bool in_force, before, with_provider;
    json_t *purpose;   /* its agreement's */
    json_t *terms;     /* its agreement's */
    json_t *interface; /* of the latest in force whose term has begun, else of one to come */
    uint64_t from_ms, to_ms;
};

static enum problem read_named(struct rest_call *c, struct store_txn *txn, const char *app_id,
                               const char *api_id, struct named *n)
{
    static const char sql[] =
        "SELECT a.state, i.value, a.not_before, a.expires_at, a.purpose, a.terms FROM agreements "
        "a, "
        "json_each(a.interfaces) i WHERE a.app_id = ? AND a.kind <> 'privacy' AND "
        "json_extract(i.value, '$.api_id') = ? AND a.state IN ('in_force', 'ended', 'expired') "
        "ORDER BY a.state <> 'in_force', coalesce(a.not_before, 0) > ?, a.in_force_at DESC";
    const struct store_value v[] = {store_text(app_id), store_text(api_id),
                                    store_int((int64_t)c->now_ms)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    if (err == STORE_OK && store_next(rows)) {
        n->before = true;
        n->in_force = strcmp(store_get_text(rows, 0), "in_force") == 0;
        n->interface = json_loads(store_get_text(rows, 1), 0, NULL);
        n->from_ms = (uint64_t)store_get_int(rows, 2);
        n->to_ms = (uint64_t)store_get_int(rows, 3);
        n->purpose = json_string(store_get_text(rows, 4) ? store_get_text(rows, 4) : "");
        n->terms = json_loads(store_get_text(rows, 5) ? store_get_text(rows, 5) : "{}", 0, NULL);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

/* Whoever agreed with a provider gets of that provider what they agreed on and nothing else. */
static enum problem read_provider(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                  const json_t *api, struct named *n)
{
    static const char sql[] = "SELECT 1 FROM agreements WHERE app_id = ? AND provider_id = ? AND "
                              "kind <> 'privacy' AND state = 'in_force'";
    const struct store_value v[] = {store_text(app_id),
                                    store_text(row_text(api, "organisation_id"))};

    return admission_exists(c, txn, sql, v, COUNT(v), &n->with_provider);
}

static bool listed(const json_t *fields, const json_t *path)
{
    json_t *item;
    size_t i;

    json_array_foreach(fields, i, item)
    {
        if (json_equal(item, path)) {
            return true;
        }
    }
    return false;
}

/* What both name; new. Nothing in common stays nothing: an empty array. */
static json_t *common(const json_t *asked, const json_t *agreed)
{
    json_t *out = json_array(), *item;
    size_t i;

    json_array_foreach(agreed, i, item)
    {
        if (!json_is_array(asked) || listed(asked, item)) {
            json_array_append(out, item);
        }
    }
    return out;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a && (!b || a < b) ? a : b;
}

static void bound_by_agreement(const struct named *n, struct admission_terms *t)
{
    json_t *left = common(t->fields, json_object_get(n->interface, "fields"));

    t->from_ms = n->from_ms > t->from_ms ? n->from_ms : t->from_ms;
    t->to_ms = earlier(t->to_ms, n->to_ms);
    json_decref(t->fields);
    t->fields = left;
    t->serves = t->serves && json_array_size(t->fields) > 0;
    t->purpose = json_incref(n->purpose);
}

/* By which ways it is reached follows from what was agreed on; by none, it is not served. */
static enum problem by_ways(struct rest_call *c, struct store_txn *txn, const struct named *n,
                            struct admission_terms *t)
{
    enum problem p = terms_ways(c, txn, n->interface, n->terms, &t->ways);

    if (t->ways && json_array_size(t->ways) == 0) {
        t->serves = false;
        json_decref(t->ways);
        t->ways = NULL;
    }
    return p;
}

static enum problem agreed(struct rest_call *c, struct store_txn *txn, const json_t *subscription,
                           const json_t *api, struct admission_terms *t)
{
    const char *app_id = row_text(subscription, "app_id");
    struct named n = {0};
    bool required = false;
    enum problem p = read_named(c, txn, app_id, row_text(api, "id"), &n);

    p = p == PROBLEM_OK ? read_provider(c, txn, app_id, api, &n) : p;
    p = p == PROBLEM_OK ? admission_setting_on(c, txn, "agreement-required", &required) : p;
    required = required || json_is_true(json_object_get(api, "agreement_required"));
    if (n.in_force) {
        bound_by_agreement(&n, t);
        p = p == PROBLEM_OK ? by_ways(c, txn, &n, t) : p;
    } else if (required || n.before || n.with_provider) {
        t->serves = false;
    }
    json_decref(n.interface);
    json_decref(n.purpose);
    json_decref(n.terms);
    return p;
}

/* Levels --------------------------------------------------------------------------------------- */
static void lower(struct admission_terms *t, int64_t level)
{
    t->max_level = level < t->max_level ? level : t->max_level;
    t->serves = t->serves && t->max_level > 0;
}

/* EC-4.2.2a5: exactly what the reviewer permitted, where he named it. */
static void permitted(const json_t *permissions, const char *api_id, struct admission_terms *t)
{
    const json_t *named = NULL;
    json_t *item;
    size_t i;

    json_array_foreach(permissions, i, item)
    {
        if (strcmp(row_text(item, "api_id"), api_id) == 0) {
            named = item;
        }
    }
    const json_t *level = json_object_get(named, "max_level"),
                 *fields = json_object_get(named, "fields");
    t->serves = t->serves && named;
    lower(t, json_is_integer(level) ? json_integer_value(level) : t->max_level);
    if (json_is_array(fields)) {
        json_t *left = common(t->fields, fields);
        json_decref(t->fields);
        t->fields = left;
        t->serves = t->serves && json_array_size(left) > 0;
    }
}

/* The latest decision counts. */
static enum problem approved(struct rest_call *c, struct store_txn *txn, const char *app_id,
                             const char *api_id, struct admission_terms *t)
{
    static const char sql[] =
        "SELECT max_level, permissions FROM applications WHERE app_id = ? AND state = 'approved' "
        "AND (max_level IS NOT NULL OR permissions IS NOT NULL) AND form_kind IN "
        "('third-party-software', 'bank-application-party') ORDER BY decided_at DESC, id DESC "
        "LIMIT 1";
    const struct store_value v = store_text(app_id);
    struct store_rows *rows = NULL;
    json_t *permissions = NULL;
    int64_t level = 0;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        const char *text = store_get_text(rows, 1);
        level = store_get_int(rows, 0);
        permissions = text ? json_loads(text, 0, NULL) : NULL;
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    lower(t, level ? level : t->max_level);
    if (p == PROBLEM_OK && json_is_array(permissions)) {
        permitted(permissions, api_id, t);
    }
    json_decref(permissions);
    return p;
}

static enum problem rated(struct rest_call *c, struct store_txn *txn, const char *app_id,
                          const json_t *api, struct admission_terms *t)
{
    const struct rating *rating = NULL;
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, app_id, &app);

    p = p == PROBLEM_OK ? rating_of(c, txn, row_text(app, "organisation_id"), &rating) : p;
    json_decref(app);
    if (p == PROBLEM_OK && rating) {
        lower(t, rating->max_level);
        t->serves = t->serves && (rating->a2 || strcmp(row_text(api, "class"), "A2") != 0);
        struct risk_bounds bounds;
        p = risk_bounds_of(c, txn, rating->name, api, &bounds);
        t->serves = t->serves && bounds.permitted;
        t->call_cents = bounds.call_cents;
        t->day_cents = bounds.day_cents;
    }
    return p;
}

/* SW-8.1-r2: where the platform asks for it, no API is served without its provider's own word. */
static enum problem provider_agreed(struct rest_call *c, struct store_txn *txn,
                                    const json_t *subscription, const json_t *api,
                                    struct admission_terms *t)
{
    bool required = false, owned = row_text(api, "organisation_id")[0] != '\0';
    enum problem p = admission_setting_on(c, txn, "provider-approval-required", &required);

    t->serves =
        t->serves && !(required && owned && !row_text(subscription, "provider_approved_by")[0]);
    return p;
}

enum problem admission_terms_of(struct rest_call *c, struct store_txn *txn,
                                const json_t *subscription, const json_t *api,
                                struct admission_terms *t)
{
    const char *app_id = row_text(subscription, "app_id");

    *t = (struct admission_terms){
        .serves = true,
        .max_level = json_integer_value(json_object_get(subscription, "max_level")),
        .from_ms = api_ms(subscription, "not_before"),
        .to_ms = api_ms(subscription, "expires_at"),
    };
    if (json_is_array(json_object_get(subscription, "fields"))) {
        t->fields = json_incref(json_object_get(subscription, "fields"));
    }
    enum problem p = approved(c, txn, app_id, row_text(api, "id"), t);
    p = p == PROBLEM_OK ? rated(c, txn, app_id, api, t) : p;
    p = p == PROBLEM_OK ? agreed(c, txn, subscription, api, t) : p;
    p = p == PROBLEM_OK ? provider_agreed(c, txn, subscription, api, t) : p;
    t->max_level = t->max_level < 1 ? 1 : t->max_level; /* what a node reads; it serves none */
    return p;
}

/* Telling the nodes ---------------------------------------------------------------------------- */
static enum problem refeed_subscription(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

enum problem terms_refeed_app(struct rest_call *c, struct store_txn *txn, const char *app_id)
{
    return row_each(c, txn, &subscriptions_resource, "app_id", app_id, refeed_subscription, NULL);
}

static enum problem refeed_app(struct rest_call *c, struct change *ch)
{
    return terms_refeed_app(c, ch->txn, row_text(ch->row, "id"));
}

enum problem terms_refeed_organisation(struct rest_call *c, struct store_txn *txn,
                                       const char *organisation)
{
    return row_each(c, txn, &apps_resource, "organisation_id", organisation, refeed_app, NULL);
}

/* Privacy agreements --------------------------------------------------------------------------- */
static bool has_word(const json_t *list, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if (json_is_string(item) && strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

static bool terms_permit(const char *text, const struct admission_task *task)
{
    json_t *terms = text ? json_loads(text, 0, NULL) : NULL;
    bool ok = has_word(json_object_get(terms, "operations"), task->operation) &&
              task->level <= json_integer_value(json_object_get(terms, "max_level"));

    json_decref(terms);
    return ok;
}

static enum problem find_permit(struct rest_call *c, struct store_txn *txn,
                                const struct admission_task *task, bool *permitted)
{
    static const char sql[] =
        "SELECT a.terms FROM agreements a, json_each(a.interfaces) i WHERE a.kind = 'privacy' AND "
        "a.state = 'in_force' AND a.provider_id = ? AND a.receiver_id = ? AND coalesce(a.not_before"
        ", 0) <= ? AND a.expires_at > ? AND json_extract(i.value, '$.api_id') = ?";
    const struct store_value v[] = {store_text(task->provider), store_text(task->receiver),
                                    store_int((int64_t)c->now_ms), store_int((int64_t)c->now_ms),
                                    store_text(task->api_id)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);

    *permitted = false;
    while (err == STORE_OK && store_next(rows)) {
        *permitted = *permitted || terms_permit(store_get_text(rows, 0), task);
    }
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

enum problem agreement_permits(struct rest_call *c, struct store_txn *txn,
                               const struct admission_task *task)
{
    bool on = false, permitted = false;
    enum problem p = admission_setting_on(c, txn, "privacy-agreement-required", &on);

    if (p != PROBLEM_OK || !(on || task->always) || strcmp(task->provider, task->receiver) == 0) {
        return p;
    }
    p = find_permit(c, txn, task, &permitted);
    return p == PROBLEM_OK && !permitted
               ? rest_fail(c, PROBLEM_AGREEMENT_MISSING, "",
                           "no privacy agreement in force lets the API %s be used to %s at level "
                           "%lld",
                           task->api_id, task->operation, (long long)task->level)
               : p;
}

/* The highest level that leaves the API. */
static int64_t level_of(const char *fields)
{
    json_t *list = json_loads(fields ? fields : "[]", 0, NULL), *field;
    int64_t highest = 1;
    size_t i;

    json_array_foreach(list, i, field)
    {
        int64_t level = json_integer_value(json_object_get(field, "level"));
        highest = level > highest && level <= 3 ? level : highest;
    }
    json_decref(list);
    return highest;
}

static enum problem permits_part(struct rest_call *c, struct store_txn *txn, const char *receiver,
                                 const char *path)
{
    static const char sql[] =
        "SELECT id, coalesce(organisation_id, ''), fields FROM apis WHERE path = ? AND state IN "
        "('published', 'deprecated')";
    const struct store_value v = store_text(path);
    char id[UUID_TEXT_LEN + 1] = "", provider[UUID_TEXT_LEN + 1] = "";
    struct store_rows *rows = NULL;
    int64_t level = 1;
    enum store_err err = store_query(txn, sql, &v, 1, &rows);
    bool there = err == STORE_OK && store_next(rows);

    if (there) {
        snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
        snprintf(provider, sizeof provider, "%s", store_get_text(rows, 1));
        level = level_of(store_get_text(rows, 2));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    const struct admission_task task = {provider, receiver, id, "compose", level, false};
    return p == PROBLEM_OK && there ? agreement_permits(c, txn, &task) : p;
}

enum problem agreement_permits_graph(struct rest_call *c, struct store_txn *txn,
                                     const json_t *composed_api, const json_t *graph)
{
    enum problem p = PROBLEM_OK;
    json_t *step;
    size_t i;

    json_array_foreach(json_object_get(graph, "steps"), i, step)
    {
        p = p == PROBLEM_OK ? permits_part(c, txn, row_text(composed_api, "organisation_id"),
                                           row_text(step, "api"))
                            : p;
    }
    return p;
}

static enum problem permits_composition(struct rest_call *c, struct change *ch)
{
    return admission_state_is(ch->row, "active")
               ? agreement_permits_graph(c, ch->txn, ch->arg, json_object_get(ch->row, "graph"))
               : PROBLEM_OK;
}

enum problem agreement_permits_composed(struct rest_call *c, struct store_txn *txn,
                                        const json_t *composed_api)
{
    return row_each(c, txn, &compositions_resource, "api_id", row_text(composed_api, "id"),
                    permits_composition, (void *)(uintptr_t)composed_api);
}

static enum problem stop_one(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "kind"), "composed") != 0 || !api_state_live(ch->row) ||
        admission_state_is(ch->row, "offline")) {
        return PROBLEM_OK;
    }
    enum problem p = agreement_permits_composed(c, ch->txn, ch->row);
    return p == PROBLEM_AGREEMENT_MISSING
               ? admission_move(c, ch->txn, ch->res, ch->row, "offline", "offline")
               : p;
}

enum problem terms_stop_composed(struct rest_call *c, struct store_txn *txn,
                                 const char *organisation)
{
    return row_each(c, txn, &apis_resource, "organisation_id", organisation, stop_one, NULL);
}
