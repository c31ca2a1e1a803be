/* SPDX-License-Identifier: Apache-2.0 */
/* The whole on one page: what there is, whence, of what theme, how much, and what is served of it;
 * and how much of what the sources hold is in the directory. */
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "services/services.h"

#define RESOURCES_MAX 500

/* Rows of {name: value} with the caller's scope on `entries AS t`. */
static enum problem table(struct rest_call *c, struct store_txn *txn, const char *head,
                          const char *tail, const char *const *names, size_t n_names, json_t *out)
{
    struct store_value v[SCOPE_VALUES_MAX];
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 0;

    buf_init(&sql);
    buf_adds(&sql, head);
    scope_sql(c, &entries_resource, false, &sql, v, &n);
    buf_adds(&sql, tail);
    buf_addc(&sql, '\0');
    enum problem p =
        rest_store_problem(c, sql.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows));
    while (p == PROBLEM_OK && store_next(rows)) {
        json_t *item = json_object();
        for (size_t i = 0; i < n_names; i++) {
            const char *name = names[i] + 1; /* '#' a number, '$' a text */
            json_object_set_new(item, name,
                                store_is_null(rows, (int)i) ? json_null()
                                : names[i][0] == '#' ? json_integer(store_get_int(rows, (int)i))
                                                     : json_string(store_get_text(rows, (int)i)));
        }
        json_array_append_new(out, item);
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    buf_fini(&sql);
    return p;
}

static const struct {
    const char *name, *head, *tail;
    const char *names[12];
    size_t n_names;
} parts[] = {
    {"states",
     "SELECT t.state, count(*) FROM entries t WHERE 1 = 1",
     " GROUP BY t.state ORDER BY t.state",
     {"$state", "#entries"},
     2},
    {"departments",
     "SELECT t.department, count(*), sum(t.volume) FROM entries t WHERE t.state <> 'withdrawn'",
     " GROUP BY t.department ORDER BY 2 DESC LIMIT 200",
     {"$department", "#entries", "#volume"},
     3},
    {"themes",
     "SELECT n.id, n.name, count(*), sum(t.volume) FROM entries t LEFT JOIN catalog_nodes n ON "
     "n.id "
     "= t.theme_id WHERE t.state <> 'withdrawn'",
     " GROUP BY n.id ORDER BY 3 DESC LIMIT 200",
     {"$id", "$name", "#entries", "#volume"},
     4},
    {"resources",
     "SELECT t.id, t.identifier, t.name, t.state, t.department, (SELECT name FROM catalog_nodes "
     "WHERE id = t.theme_id), t.volume, (SELECT count(*) FROM apis a WHERE a.dataset_id = "
     "t.dataset_id AND a.state IN ('published', 'deprecated') AND a.type = 'external'), "
     "'/api/v1/entries/' || t.id || '/lineage' FROM entries t WHERE t.state <> 'withdrawn'",
     " ORDER BY t.created_at DESC LIMIT 500",
     {"$id", "$identifier", "$name", "$state", "$department", "$theme", "#volume", "#services",
      "$links"},
     9},
};

/* Of what the sources held when they were last harvested. Not for outsiders: it names sources. */
static enum problem add_sources(struct rest_call *c, struct store_txn *txn, json_t *out)
{
    static const char *const names[] = {"$id",     "$name",   "$owner",     "$state", "#entries",
                                        "#opened", "#closed", "#undecided", "#tables"};
    json_t *list = json_array(), *s;
    json_int_t tables = 0, listed = 0, harvested = 0;
    size_t i;
    enum problem p =
        table(c, txn,
              "SELECT s.id, s.name, (SELECT name FROM organisations WHERE id = s.organisation_id), "
              "s.state, count(t.id), sum(t.decision = 'open'), sum(t.decision = 'closed'), "
              "sum(t.decision = 'undecided'), (SELECT max(h.total) FROM harvests h WHERE "
              "h.source_id = s.id AND h.state IN ('done', 'running')) FROM sources s LEFT JOIN "
              "entries t ON t.source_id = s.id AND t.state <> 'withdrawn' AND t.gone_at IS NULL "
              "WHERE s.state <> 'dropped'",
              " GROUP BY s.id ORDER BY s.name LIMIT 500", names, COUNT(names), list);

    json_array_foreach(list, i, s)
    {
        json_int_t n = json_integer_value(json_object_get(s, "tables")),
                   m = json_integer_value(json_object_get(s, "entries"));
        tables += n > m ? n : m;
        listed += m;
        harvested += m > 0;
    }
    json_object_set_new(out, "coverage",
                        json_pack("{s:I, s:I, s:I, s:I, s:f}", "sources", (json_int_t)i,
                                  "sources_listed", harvested, "tables", tables, "tables_listed",
                                  listed, "percent",
                                  tables ? 100.0 * (double)listed / (double)tables : 0.0));
    json_object_set_new(out, "sources", list);
    return p;
}

enum problem catalog_overview(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *out = json_object();
    enum problem p = rest_begin(c, STORE_READ, &txn);

    for (size_t i = 0; i < COUNT(parts) && p == PROBLEM_OK; i++) {
        json_t *list = json_array();
        p = table(c, txn, parts[i].head, parts[i].tail, parts[i].names, parts[i].n_names, list);
        json_object_set_new(out, parts[i].name, list);
    }
    if (p == PROBLEM_OK && (c->user.role & (ROLE_STAFF | ROLE_AUDITOR))) {
        p = add_sources(c, txn, out);
    }
    if (txn) {
        store_rollback(&txn);
    }
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}

/* The inventory of what lies in sources: each table with its owner, its domain and whether it is to
 * be open. For those who keep it alone. */
#define INVENTORY_PAGE 200

enum problem catalog_inventory(struct rest_call *c)
{
    static const char *const known[] = {"page"};
    static const char head[] =
        "SELECT t.id, s.name, o.name, ifnull(t.schema, ''), t.\"table\", d.code, d.title_zh, "
        "t.decision, t.state, t.volume FROM entries t JOIN sources s ON s.id = t.source_id JOIN "
        "organisations o ON o.id = t.organisation_id LEFT JOIN service_domains d ON d.id = "
        "t.domain_id WHERE t.state <> 'withdrawn' AND t.gone_at IS NULL";
    const char *text = rest_query(c, "page");
    long page = text ? strtol(text, NULL, 10) : 1;
    struct store_value v[SCOPE_VALUES_MAX];
    struct store_txn *txn = NULL;
    json_t *items = NULL;
    struct buf sql;
    size_t n = 0;
    enum problem p = rest_query_known(c, known, 1, "page is known");

    if (p == PROBLEM_OK && (page < 1 || page > 100000)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/page", "a whole number from 1 is needed");
    }
    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    buf_init(&sql);
    buf_adds(&sql, head);
    scope_sql(c, &entries_resource, true, &sql, v, &n);
    buf_addf(&sql, " ORDER BY s.name, t.schema, t.\"table\" LIMIT %d OFFSET %ld", INVENTORY_PAGE,
             (page - 1) * INVENTORY_PAGE);
    buf_addc(&sql, '\0');
    p = sql.failed ? PROBLEM_INTERNAL
                   : services_rows(c, txn, sql.p, v, n,
                                   "entry_id:t source:t owner:t schema:t table:t domain:t "
                                   "domain_title:t decision:t state:t volume:i",
                                   &items);
    buf_fini(&sql);
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o, s:I}", "items", items, "page", (json_int_t)page));
}
