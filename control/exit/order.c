/* SPDX-License-Identifier: Apache-2.0 */
/* The order to delete: what the app could receive, from its subscriptions and grants. */
#include "api/api.h"
#include "exit/exit.h"

struct listing {
    json_t *order; /* an item each API */
    const char *app_id;
};

static json_t *item_of(struct listing *l, const char *api_id)
{
    json_t *item;
    size_t i;

    json_array_foreach(l->order, i, item)
    {
        if (strcmp(row_text(item, "api_id"), api_id) == 0) {
            return item;
        }
    }
    return NULL;
}

/* The fields a subscription opens: those it names, else all up to its level. */
static json_t *fields_of(const json_t *api, const json_t *subscription)
{
    const json_t *named = json_object_get(subscription, "fields");
    json_int_t most = json_integer_value(json_object_get(subscription, "max_level"));
    json_t *out = json_array(), *field;
    size_t i;

    if (json_is_array(named)) {
        json_array_extend(out, (json_t *)named);
        return out;
    }
    json_array_foreach(json_object_get(api, "fields"), i, field)
    {
        json_int_t level = json_integer_value(json_object_get(field, "level"));
        if (level >= 1 && level <= most) {
            json_array_append(out, json_object_get(field, "path"));
        }
    }
    return out;
}

static enum problem count_owners(struct rest_call *c, struct store_txn *txn, struct listing *l,
                                 const char *api_id, json_int_t *owners)
{
    const struct store_value v[] = {store_text(l->app_id), store_text(api_id)};
    struct store_rows *rows = NULL;
    enum store_err err =
        store_query(txn, "SELECT count(DISTINCT owner) FROM grants WHERE app_id = ? AND api_id = ?",
                    v, 2, &rows);

    *owners = err == STORE_OK && store_next(rows) ? store_get_int(rows, 0) : 0;
    return rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
}

static enum problem add(struct rest_call *c, struct store_txn *txn, struct listing *l,
                        const json_t *api, const char *from, json_t *fields)
{
    json_int_t owners = 0;
    enum problem p = count_owners(c, txn, l, row_text(api, "id"), &owners);
    bool people = owners > 0 || json_is_true(json_object_get(api, "owner_scoped"));

    json_array_append_new(l->order, json_pack("{s:s, s:s, s:s, s:s, s:o, s:s, s:o, s:I}", "api_id",
                                              row_text(api, "id"), "name", row_text(api, "name"),
                                              "version", row_text(api, "version"), "class",
                                              people ? "user-information" : "business-material",
                                              "fields", fields, "from", from, "to",
                                              stage_time(c->now_ms), "owners", owners));
    return p;
}

static enum problem add_subscription(struct rest_call *c, struct change *ch)
{
    struct listing *l = ch->arg;
    const char *state = row_text(ch->row, "state"), *api_id = row_text(ch->row, "api_id");
    json_t *api = NULL;

    if (strcmp(state, "applied") == 0 || strcmp(state, "returned") == 0 || item_of(l, api_id)) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, api_id, &api);
    if (p == PROBLEM_OK) {
        p = add(c, ch->txn, l, api, row_text(ch->row, "created_at"), fields_of(api, ch->row));
    }
    json_decref(api);
    return p;
}

/* What owners gave for an API that needs no subscription. */
static enum problem add_grant(struct rest_call *c, struct change *ch)
{
    struct listing *l = ch->arg;
    const char *api_id = row_text(ch->row, "api_id");
    json_t *api = NULL, *all;

    if (item_of(l, api_id)) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &apis_resource, api_id, &api);
    if (p == PROBLEM_OK) {
        all = json_pack("{s:i}", "max_level", 3);
        p = add(c, ch->txn, l, api, row_text(ch->row, "created_at"), fields_of(api, all));
        json_decref(all);
    }
    json_decref(api);
    return p;
}

enum problem exit_order(struct rest_call *c, struct store_txn *txn, const char *app_id,
                        json_t **order)
{
    struct listing l = {json_array(), app_id};
    enum problem p =
        row_each(c, txn, &subscriptions_resource, "app_id", app_id, add_subscription, &l);

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &grants_resource, "app_id", app_id, add_grant, &l);
    }
    *order = l.order;
    return p;
}
