/* SPDX-License-Identifier: Apache-2.0 */
/* What the nodes said last of themselves: who is there, how much of each limit is used, how each
 * target does; and the keys they sign with. */
#include <stdlib.h>

#include "access/access.h"
#include "api/api.h"
#include "base/clock.h"
#include "feed/reports.h"

#define KEYS_SHOWN   1000
#define JWK_SET_TYPE "application/jwk-set+json"

static json_t *time_of(const json_t *object, const char *name)
{
    char text[CLOCK_RFC3339_LEN + 1];

    clock_format_ms((uint64_t)json_integer_value(json_object_get(object, name)), text);
    return json_string(text);
}

static enum problem check_query(struct rest_call *c)
{
    static const char *const known[] = {"node", "api_id", "app_id", "limit_id"};

    return rest_query_known(c, known, COUNT(known),
                            "node, api_id, app_id and limit_id are understood");
}

/* A limit says which calls it counted in its key. */
static const char *named(const json_t *row, const char *name)
{
    const char *own = row_text(row, name);

    return own[0] ? own : row_text(json_object_get(row, "key"), name);
}

static bool asked_for(const struct rest_call *c, const json_t *row)
{
    for (size_t i = 0; i < c->req->n_query; i++) {
        if (strcmp(named(row, c->req->query[i].key), c->req->query[i].value) != 0) {
            return false;
        }
    }
    return true;
}

/* The ids a provider may see: its APIs, and the limits on them. NULL in *own: all. */
static enum problem own_ids(struct rest_call *c, json_t **own)
{
    static const char sql[] =
        "SELECT id FROM apis WHERE organisation_id = ? UNION ALL SELECT id FROM limits "
        "WHERE api_id IN (SELECT id FROM apis WHERE organisation_id = ?)";
    const struct store_value v[] = {store_text(c->user.organisation),
                                    store_text(c->user.organisation)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;

    if (access_may(c, "live.nodes")) {
        return PROBLEM_OK; /* who sees the nodes sees what they report of anyone */
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p != PROBLEM_OK) {
        return p;
    }
    *own = json_object();
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_object_set_new(*own, store_get_text(rows, 0), json_true());
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    store_rollback(&txn);
    return rest_store_problem(c, err);
}

static bool visible(const json_t *own, const json_t *row)
{
    return !own || json_object_get(own, named(row, "api_id")) ||
           json_object_get(own, row_text(row, "limit_id"));
}

/* Times of a row as REST shows them. */
static void show_times(json_t *row)
{
    static const char *const times[] = {"suspended_until", "since"};

    for (size_t i = 0; i < COUNT(times); i++) {
        if (json_is_integer(json_object_get(row, times[i]))) {
            json_object_set_new(row, times[i], time_of(row, times[i]));
        }
    }
}

static void add_rows(struct rest_call *c, const json_t *node, const char *list, const json_t *own,
                     json_t *items)
{
    json_t *row;
    size_t i;

    json_array_foreach(json_object_get(node, list), i, row)
    {
        json_object_set(row, "node", json_object_get(node, "node"));
        if (visible(own, row) && asked_for(c, row)) {
            json_object_set_new(row, "at", time_of(node, "at"));
            show_times(row);
            json_array_append(items, row);
        }
    }
}

static enum problem answer_rows(struct rest_call *c, const char *list)
{
    json_t *own = NULL, *node, *items = json_array();
    const char *name;
    enum problem p = own_ids(c, &own);

    if (p == PROBLEM_OK) {
        p = check_query(c);
    }
    if (p == PROBLEM_OK) {
        json_t *nodes = live_view(c->ctl->live);
        json_object_foreach(nodes, name, node)
        {
            add_rows(c, node, list, own, items);
        }
        json_decref(nodes);
        p = rest_answer(c, 200, json_pack("{s:O}", "items", items));
    }
    json_decref(items);
    json_decref(own);
    return p;
}

enum problem rest_live_limits(struct rest_call *c)
{
    return answer_rows(c, "limits");
}

enum problem rest_live_targets(struct rest_call *c)
{
    return answer_rows(c, "targets");
}

static json_t *node_row(const struct rest_call *c, const json_t *node)
{
    json_int_t heard_ms = json_integer_value(json_object_get(node, "received_at"));
    bool alive = (json_int_t)c->now_ms - heard_ms < REPORTS_ALIVE_MS;

    return json_pack("{s:O, s:O, s:o, s:o, s:b, s:I, s:I, s:I}", "node",
                     json_object_get(node, "node"), "version", json_object_get(node, "version"),
                     "at", time_of(node, "at"), "received_at", time_of(node, "received_at"),
                     "alive", alive, "limits",
                     (json_int_t)json_array_size(json_object_get(node, "limits")), "targets",
                     (json_int_t)json_array_size(json_object_get(node, "targets")), "keys",
                     (json_int_t)json_array_size(json_object_get(node, "keys")));
}

enum problem rest_live_nodes(struct rest_call *c)
{
    const char *name;
    json_t *node;

    json_t *nodes = live_view(c->ctl->live), *items = json_array();
    json_object_foreach(nodes, name, node)
    {
        json_array_append_new(items, node_row(c, node));
    }
    json_decref(nodes);
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}

/* Keys that sign stay for as long as what they signed may be shown to someone; one that opens
 * bodies is of no use once its node is gone. */
enum problem rest_keys(struct rest_call *c)
{
    static const char sql[] = "SELECT jwk FROM node_keys WHERE \"use\" = 'sig' OR (\"current\" = 1 "
                              "AND last_at > ?) ORDER BY \"current\" DESC, last_at DESC LIMIT ?";
    const struct store_value v[] = {store_int((int64_t)(c->now_ms - REPORTS_KEY_LIFE_MS)),
                                    store_int(KEYS_SHOWN)};
    struct store_txn *txn = NULL;
    struct store_rows *rows = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *keys = json_array();
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    while (err == STORE_OK && store_next(rows)) {
        json_array_append_new(keys, json_loads(store_get_text(rows, 0), 0, NULL));
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    store_rollback(&txn);
    p = rest_store_problem(c, err);
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, json_pack("{s:O}", "keys", keys));
        c->resp->content_type = JWK_SET_TYPE;
    }
    json_decref(keys);
    return p;
}
