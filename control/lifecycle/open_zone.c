/* SPDX-License-Identifier: Apache-2.0 */
/* All that lies in a zone in one list, whoever provides it (SW-9.1-4a): the stores with their
 * tables, described or not, and the datasets with what serves them. The open zone's list has what
 * is opened out of a unit's own database too: that is opened data, wherever it lies. */
#include <stdlib.h>

#include "api/api.h"
#include "data_client.h"
#include "lifecycle/lifecycle.h"
#include "services/services.h"

#define PAGE       200
#define STORES_MAX "50"

static const char *const zones[] = {"open", "exchange", "landing"};

/* ?1: the zone; ?2 and ?3: the organisation whose rows count, '' for all; ?4: rows before. */
#define OF_CALLER " AND (? = '' OR d.organisation_id = ?)"
#define ITEMS                                                                                      \
    "SELECT d.id, d.name, d.state, o.id, o.name, s.id, s.name, s.kind, coalesce(s.zone, "          \
    "'outside'), d.\"table\", l.id, l.stage, (SELECT max(json_extract(f.value, '$.level')) FROM "  \
    "json_each(d.fields) f), (SELECT count(*) FROM json_each(d.fields) f WHERE "                   \
    "json_extract(f.value, '$.level') = 0), (SELECT group_concat(a.path, ' ') FROM apis a WHERE "  \
    "a.dataset_id = d.id AND a.state IN ('published', 'deprecated')), (SELECT count(*) FROM "      \
    "subscriptions b JOIN apis a ON a.id = b.api_id WHERE a.dataset_id = d.id AND b.state = "      \
    "'approved') FROM datasets d JOIN sources s ON s.id = d.source_id JOIN organisations o ON "    \
    "o.id = d.organisation_id LEFT JOIN dataset_lives l ON l.dataset_id = d.id WHERE d.state <> "  \
    "'retired' AND (s.zone = ?"
#define ITEM_COLUMNS                                                                               \
    "dataset_id:t dataset:t state:t provider_id:t provider:t source_id:t source:t kind:t zone:t "  \
    "table:t life_id:t stage:t highest_level:i unlabelled:i paths:t subscriptions:i"
#define ORDERED " ORDER BY o.name, d.name, d.id LIMIT 200 OFFSET ?"

static const char in_zone[] = ITEMS ")" OF_CALLER ORDERED;
static const char opened[] =
    ITEMS " OR EXISTS (SELECT 1 FROM apis a WHERE a.dataset_id = d.id AND a.state IN "
          "('published', 'deprecated')))" OF_CALLER ORDERED;

static enum problem read_page(struct rest_call *c, int64_t *page)
{
    static const char *const known[] = {"page"};
    const char *text = rest_query(c, "page");
    char *end = NULL;
    enum problem p = rest_query_known(c, known, 1, "page");

    *page = text ? strtol(text, &end, 10) : 1;
    if (p == PROBLEM_OK && text && (end == text || *end || *page < 1 || *page > 100000)) {
        p = rest_fail(c, PROBLEM_PARAMETER_INVALID, "page", "a number from 1");
    }
    return p;
}

static enum problem stores_of(struct rest_call *c, struct store_txn *txn, const char *zone,
                              const char *whose, json_t **stores)
{
    static const char sql[] =
        "SELECT s.id, s.name, s.kind, s.state, o.id, o.name FROM sources s JOIN organisations o ON "
        "o.id = s.organisation_id WHERE s.zone = ? AND s.state <> 'dropped' AND (? = '' OR "
        "s.organisation_id = ?) ORDER BY o.name, s.name LIMIT " STORES_MAX;
    const struct store_value v[] = {store_text(zone), store_text(whose), store_text(whose)};

    return services_rows(c, txn, sql, v, 3, "id:t name:t kind:t state:t provider_id:t provider:t",
                         stores);
}

/* The tables of each store, asked of the data service; null where it cannot say. */
static void tables_of(struct rest_call *c, json_t *stores)
{
    json_t *store, *answer;
    size_t i;

    json_array_foreach(stores, i, store)
    {
        answer = NULL;
        enum problem p = strcmp(row_text(store, "state"), "ready") == 0
                             ? data_client_call(c, "tables", store, NULL, NULL, &answer)
                             : PROBLEM_NOT_FOUND;
        json_t *tables = p == PROBLEM_OK ? json_object_get(answer, "items") : NULL;
        json_object_set_new(store, "tables", tables ? json_incref(tables) : json_null());
        json_decref(answer);
    }
    c->where[0] = c->detail[0] = '\0';
}

static const char *zone_of(const struct rest_call *c)
{
    for (size_t i = 0; i < COUNT(zones); i++) {
        if (strcmp(zones[i], c->segment[1]) == 0) {
            return zones[i];
        }
    }
    return NULL;
}

enum problem zone_view(struct rest_call *c)
{
    const char *zone = zone_of(c),
               *whose = c->user.role & (ROLE_STAFF | ROLE_AUDITOR) ? "" : c->user.organisation;
    struct store_txn *txn = NULL;
    json_t *items = NULL, *stores = NULL;
    int64_t page = 1;
    enum problem p = zone ? read_page(c, &page) : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        const struct store_value v[] = {store_text(zone), store_text(whose), store_text(whose),
                                        store_int((page - 1) * PAGE)};
        p = services_rows(c, txn, zone == zones[0] ? opened : in_zone, v, 4, ITEM_COLUMNS, &items);
    }
    if (p == PROBLEM_OK) {
        p = stores_of(c, txn, zone, whose, &stores);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        json_decref(stores);
        return p;
    }
    tables_of(c, stores);
    return rest_answer(c, 200,
                       json_pack("{s:s, s:I, s:o, s:o}", "zone", zone, "page", (json_int_t)page,
                                 "items", items, "stores", stores));
}
