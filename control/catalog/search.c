/* SPDX-License-Identifier: Apache-2.0 */
/* Finding entries: words ranked by where they stand, exact criteria, and how the hits divide. Of a
 * word that very many entries have the newest CANDIDATES alone are ranked and counted, so a search
 * costs the same however large the directory is. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/tally.h"

#define CANDIDATES 2000
#define TEXT_MAX   200

static const struct {
    const char *key;
    char mark;
} criteria[] = {
    {"tag", 't'},  {"department", 'd'}, {"theme", 'n'},
    {"node", 'n'}, {"category", 'n'},   {"application", 'n'},
};
static const char *const facets[] = {"department", "theme_id", "category_id", "application_id",
                                     "tag"};
enum { TAGS = COUNT(facets) - 1 };

struct hit {
    int64_t rank, name_bytes, doc;
};

struct search {
    struct buf match;
    long page, page_size;
    struct hit hits[CANDIDATES + 1];
    size_t n;
    struct tally counts[COUNT(facets)];
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

/* Tags stand in one text, divided by what none of them can hold. */
static void count_tags(struct tally *counts, const char *tags)
{
    while (tags && *tags) {
        size_t n = strcspn(tags, INDEX_DIVIDER);
        tally_add(counts, tags, n);
        tags += tags[n] ? n + 1 : n;
    }
}

static void take(struct search *s, struct store_rows *rows)
{
    struct hit *hit = &s->hits[s->n++];

    *hit = (struct hit){store_get_int(rows, 0), store_get_int(rows, 1), store_get_int(rows, 2)};
    for (size_t i = 0; i < TAGS; i++) {
        const char *value = store_get_text(rows, (int)i + 3);
        tally_add(&s->counts[i], value, value ? strlen(value) : 0);
    }
    count_tags(&s->counts[TAGS], store_get_text(rows, TAGS + 3));
}

static int by_rank(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;

    if (x->rank != y->rank) {
        return x->rank < y->rank ? -1 : 1;
    }
    if (x->name_bytes != y->name_bytes) {
        return x->name_bytes < y->name_bytes ? -1 : 1;
    }
    return (x->doc < y->doc) - (x->doc > y->doc);
}

static enum problem run(struct rest_call *c, struct store_txn *txn, struct search *s)
{
    static const char columns[] =
        "t.doc, t.department, t.theme_id, t.category_id, t.application_id, t.tags";
    struct store_value v[1 + SCOPE_VALUES_MAX];
    struct store_rows *rows = NULL;
    struct buf sql;
    size_t n = 0;

    buf_init(&sql);
    if (s->match.n) {
        v[n++] = (struct store_value){.type = STORE_TEXT, .s = buf_slice(&s->match)};
        buf_addf(&sql,
                 "SELECT word_rank(entry_words, 10, 6, 4, 1, 0), t.name_bytes, %s FROM entry_words "
                 "JOIN entry_docs t ON t.doc = entry_words.rowid WHERE entry_words MATCH ?",
                 columns);
    } else {
        buf_addf(&sql, "SELECT 0, 0, %s FROM entry_docs t WHERE 1 = 1", columns);
    }
    scope_sql(c, &entries_resource, false, &sql, v, &n);
    buf_addf(&sql, " AND t.state <> 'withdrawn' ORDER BY %s DESC LIMIT %d",
             s->match.n ? "entry_words.rowid" : "t.doc", CANDIDATES + 1);
    buf_addc(&sql, '\0');
    enum store_err err =
        sql.failed || s->match.failed ? STORE_EIO : store_query(txn, sql.p, v, n, &rows);
    while (err == STORE_OK && s->n <= CANDIDATES && store_next(rows)) {
        take(s, rows);
    }
    if (rows) {
        enum store_err end = store_rows_end(&rows);
        err = err == STORE_OK ? end : err;
    }
    buf_fini(&sql);
    qsort(s->hits, s->n, sizeof *s->hits, by_rank);
    return rest_store_problem(c, err);
}

static json_t *facet(struct rest_call *c, struct store_txn *txn, const struct tally *counts,
                     bool nodes)
{
    json_t *out = json_array(), *node = NULL;

    for (size_t i = 0; i < counts->n; i++) {
        const char *value = counts->of[i].text;
        json_t *item = json_pack("{s:s, s:I}", nodes ? "id" : "value", value, "count",
                                 (json_int_t)counts->of[i].times);
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

static enum problem load_entry(struct rest_call *c, struct store_txn *txn, int64_t doc,
                               json_t *items)
{
    const struct store_value v = store_int(doc);
    struct store_rows *rows = NULL;
    char id[UUID_TEXT_LEN + 1] = "";
    json_t *row = NULL;
    enum store_err err = store_query(txn, "SELECT id FROM entry_docs WHERE doc = ?", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        snprintf(id, sizeof id, "%s", store_get_text(rows, 0));
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    p = p == PROBLEM_OK ? row_load(c, txn, &entries_resource, id, true, &row) : p;
    if (row) {
        json_array_append_new(items, row_shown(c, &entries_resource, row));
    }
    json_decref(row);
    return p;
}

static enum problem answer(struct rest_call *c, struct store_txn *txn, struct search *s,
                           json_t **out)
{
    json_t *items = json_array(), *shown = json_object();
    size_t from = (size_t)((s->page - 1) * s->page_size), to = from + (size_t)s->page_size;
    enum problem p = PROBLEM_OK;

    for (size_t i = from; i < to && i < s->n && p == PROBLEM_OK; i++) {
        p = load_entry(c, txn, s->hits[i].doc, items);
    }
    for (size_t i = 0; i < COUNT(facets); i++) {
        json_object_set_new(shown, facets[i], facet(c, txn, &s->counts[i], i > 0 && i != TAGS));
    }
    bool more = s->n > CANDIDATES;
    *out = json_pack("{s:o, s:I, s:I, s:I, s:b, s:o}", "items", items, "page", (json_int_t)s->page,
                     "page_size", (json_int_t)s->page_size, "total",
                     (json_int_t)(more ? CANDIDATES : s->n), "more", more, "facets", shown);
    return p;
}

enum problem entries_search(struct rest_call *c)
{
    struct search *s = calloc(1, sizeof *s);
    struct store_txn *txn = NULL;
    json_t *out = NULL;

    if (!s) {
        return PROBLEM_INTERNAL;
    }
    buf_init(&s->match);
    enum problem p = read_criteria(c, s);
    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p == PROBLEM_OK) {
        p = run(c, txn, s);
        p = p == PROBLEM_OK ? answer(c, txn, s, &out) : p;
        store_rollback(&txn);
    }
    buf_fini(&s->match);
    free(s);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}
