/* SPDX-License-Identifier: Apache-2.0 */
/* Finding entries: words ranked by where they stand, exact criteria, and how the hits divide. Of a
 * word that very many entries have the newest CANDIDATES alone are ranked and counted, so a search
 * costs the same however large the directory is. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"

#define CANDIDATES 2000
#define FACETS_MAX 50
#define TEXT_MAX   200

static const struct {
    const char *key;
    char mark;
} criteria[] = {
    {"tag", 't'},  {"department", 'd'}, {"theme", 'n'},
    {"node", 'n'}, {"category", 'n'},   {"application", 'n'},
};
static const char *const facets[] = {"department", "theme_id", "category_id", "application_id"};

struct search {
    struct buf match;
    long page, page_size;
    size_t hits;
    json_t *ids, *counts, *tags;
};

static enum problem read_number(struct rest_call *c, const char *key, long max, long fallback,
                                long *out)
{
    const char *text = rest_query(c, key);
    char *end = NULL, where[40];

    *out = text ? strtol(text, &end, 10) : fallback;
    if (text && (*text < '0' || *text > '9' || *end || *out < 1 || *out > max)) {
        snprintf(where, sizeof where, "/%s", key);
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, where,
                         "a whole number from 1 to %ld is needed", max);
    }
    return PROBLEM_OK;
}

static void add(struct search *s, const char *text)
{
    buf_addf(&s->match, "%s%s", s->match.n ? " AND " : "", text);
}

static void add_mark(struct buf *out, char kind, const char *value)
{
    buf_addc(out, '"');
    index_mark(out, kind, value);
    buf_addc(out, '"');
}

/* The index knows what is listed and whose each entry is: who has no more than that is given no
 * hits to be thrown away. What is shown is still for scope_sql() to say. */
static void narrow(const struct rest_call *c, struct search *s)
{
    struct buf marks;

    if (c->held || !(c->user.role & (ROLE_DEVELOPER | ROLE_OWNER | ROLE_PROVIDER))) {
        return;
    }
    buf_init(&marks);
    buf_addc(&marks, '(');
    add_mark(&marks, 'v', "open");
    if (c->user.role != ROLE_OWNER && c->user.organisation[0]) {
        buf_adds(&marks, " OR ");
        add_mark(&marks, c->user.role == ROLE_PROVIDER ? 'o' : 'r', c->user.organisation);
    }
    if (c->user.role == ROLE_PROVIDER && c->user.organisation[0]) {
        buf_adds(&marks, " OR ");
        add_mark(&marks, 'r', c->user.organisation);
    }
    buf_adds(&marks, ")");
    buf_addc(&marks, '\0');
    add(s, marks.failed ? "" : marks.p);
    buf_fini(&marks);
}

static enum problem read_criteria(struct rest_call *c, struct search *s)
{
    static const char *const known[] = {"q",        "tag",         "department", "theme",    "node",
                                        "category", "application", "page",       "page_size"};
    const char *q = rest_query(c, "q");
    enum problem p = rest_query_known(c, known, COUNT(known),
                                      "q, tag, department, theme, category, application, node, "
                                      "page and page_size are known");

    if (p == PROBLEM_OK) {
        p = read_number(c, "page", 1000, 1, &s->page);
    }
    if (p == PROBLEM_OK) {
        p = read_number(c, "page_size", 100, 20, &s->page_size);
    }
    if (p == PROBLEM_OK && q && strlen(q) > TEXT_MAX) {
        p = rest_fail(c, PROBLEM_QUERY_TOO_LARGE, "/q", "at most %d bytes", TEXT_MAX);
    }
    if (p == PROBLEM_OK && q && q[0] && !index_query(&s->match, q)) {
        p = rest_fail(c, PROBLEM_QUERY_MALFORMED, "/q", "it has no letter and no digit");
    }
    for (size_t i = 0; i < COUNT(criteria) && p == PROBLEM_OK; i++) {
        const char *value = rest_query(c, criteria[i].key);
        struct buf mark;
        buf_init(&mark);
        if (value && strlen(value) <= TEXT_MAX) {
            add_mark(&mark, criteria[i].mark, value);
            buf_addc(&mark, '\0');
            add(s, mark.failed ? "" : mark.p);
        } else if (value) {
            p = rest_fail(c, PROBLEM_QUERY_TOO_LARGE, "", "at most %d bytes", TEXT_MAX);
        }
        buf_fini(&mark);
    }
    narrow(c, s);
    return p;
}

static void count(json_t *counts, const char *value)
{
    json_t *n = json_object_get(counts, value);

    if (value && value[0] && (n || json_object_size(counts) < FACETS_MAX)) {
        json_object_set_new(counts, value, json_integer(json_integer_value(n) + 1));
    }
}

static void take(struct search *s, struct store_rows *rows)
{
    const char *tags = store_get_text(rows, 5);
    json_t *list = tags ? json_loads(tags, 0, NULL) : NULL, *tag;
    long at = (long)s->hits++, from = (s->page - 1) * s->page_size;
    size_t i;

    if (at >= from && at < from + s->page_size) {
        json_array_append_new(s->ids, json_string(store_get_text(rows, 0)));
    }
    for (i = 0; i < COUNT(facets); i++) {
        count(json_object_get(s->counts, facets[i]), store_get_text(rows, (int)i + 1));
    }
    json_array_foreach(list, i, tag)
    {
        count(s->tags, json_string_value(tag));
    }
    json_decref(list);
}

static enum problem run(struct rest_call *c, struct store_txn *txn, struct search *s)
{
    static const char columns[] =
        "t.id, t.department, t.theme_id, t.category_id, t.application_id, t.tags, t.name_bytes";
    struct store_value v[1 + SCOPE_VALUES_MAX];
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 0;

    buf_init(&sql);
    buf_addf(&sql, "SELECT * FROM (SELECT %s, ", columns);
    if (s->match.n) {
        v[n++] = (struct store_value){.type = STORE_TEXT, .s = buf_slice(&s->match)};
        buf_adds(&sql, "word_rank(entry_words, 10, 6, 4, 1, 0) AS rank, t.doc AS doc FROM "
                       "entry_words JOIN entry_docs t ON t.doc = entry_words.rowid WHERE "
                       "entry_words MATCH ?");
    } else {
        buf_adds(&sql, "0 AS rank, t.doc AS doc FROM entry_docs t WHERE 1 = 1");
    }
    scope_sql(c, &entries_resource, false, &sql, v, &n);
    buf_addf(&sql,
             " AND t.state <> 'withdrawn' ORDER BY %s DESC LIMIT %d) ORDER BY rank%s, doc DESC",
             s->match.n ? "entry_words.rowid" : "t.doc", CANDIDATES + 1,
             s->match.n ? ", name_bytes" : "");
    buf_addc(&sql, '\0');
    enum store_err err =
        sql.failed || s->match.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows);
    while (err == STORE_OK && store_next(rows)) {
        take(s, rows);
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    buf_fini(&sql);
    return rest_store_problem(c, err);
}

static json_t *facet(struct rest_call *c, struct store_txn *txn, const json_t *counts, bool nodes)
{
    json_t *out = json_array(), *n, *node = NULL;
    const char *value;

    json_object_foreach((json_t *)(uintptr_t)counts, value, n)
    {
        json_t *item = json_pack("{s:s, s:O}", nodes ? "id" : "value", value, "count", n);
        if (nodes && row_load(c, txn, &catalog_nodes_resource, value, false, &node) == PROBLEM_OK &&
            node) {
            json_object_set(item, "name", json_object_get(node, "name"));
        }
        json_decref(node);
        node = NULL;
        json_array_append_new(out, item);
    }
    return out;
}

static enum problem answer(struct rest_call *c, struct store_txn *txn, struct search *s,
                           json_t **out)
{
    json_t *items = json_array(), *shown = json_object(), *id, *row = NULL;
    enum problem p = PROBLEM_OK;
    size_t i;

    json_array_foreach(s->ids, i, id)
    {
        p = p == PROBLEM_OK ? row_load(c, txn, &entries_resource, json_string_value(id), true, &row)
                            : p;
        if (row) {
            json_array_append_new(items, row_shown(c, &entries_resource, row));
        }
        json_decref(row);
        row = NULL;
    }
    for (i = 0; i < COUNT(facets); i++) {
        json_object_set_new(shown, facets[i],
                            facet(c, txn, json_object_get(s->counts, facets[i]), i > 0));
    }
    json_object_set_new(shown, "tag", facet(c, txn, s->tags, false));
    bool more = s->hits > CANDIDATES;
    *out = json_pack("{s:o, s:I, s:I, s:I, s:b, s:o}", "items", items, "page", (json_int_t)s->page,
                     "page_size", (json_int_t)s->page_size, "total",
                     (json_int_t)(more ? CANDIDATES : s->hits), "more", more, "facets", shown);
    return p;
}

enum problem entries_search(struct rest_call *c)
{
    struct search s = {.ids = json_array(), .counts = json_object(), .tags = json_object()};
    struct store_txn *txn = NULL;
    json_t *out = NULL;

    buf_init(&s.match);
    for (size_t i = 0; i < COUNT(facets); i++) {
        json_object_set_new(s.counts, facets[i], json_object());
    }
    enum problem p = read_criteria(c, &s);
    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = run(c, txn, &s);
        p = p == PROBLEM_OK ? answer(c, txn, &s, &out) : p;
        store_rollback(&txn);
    }
    buf_fini(&s.match);
    json_decref(s.ids);
    json_decref(s.counts);
    json_decref(s.tags);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}
