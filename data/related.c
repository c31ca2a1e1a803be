/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with rows of other tables in them: all rows of the page first, then one statement for each
 * relation, by the values the page has. So a page costs one statement and one for each relation,
 * whatever number of rows it holds, and no database needs to know how to nest. */
#include <stdlib.h>
#include <xxhash.h>

#include "data/rows.h"

#define CHILDREN_MAX 10000 /* rows of one relation in one answer */
#define NONE         UINT32_MAX

struct parent {
    size_t start, n;                    /* its text, the closing brace aside */
    struct slice key[QUERY_EMBEDS_MAX]; /* p NULL: null */
    uint32_t group[QUERY_EMBEDS_MAX];   /* of the relation's groups */
};
struct child {
    size_t start, n;
    uint32_t next;
};
struct group { /* the children of one value */
    struct slice key;
    uint32_t first, last, next; /* next: in the bucket */
};

struct related_rows {
    struct buf text, child_text;
    struct parent *parents;
    size_t n, cap;
    struct child *children[QUERY_EMBEDS_MAX];
    struct group *groups[QUERY_EMBEDS_MAX];
    size_t n_groups;
};

static bool add_parent(struct worker *w, const struct source_rows *rows, size_t at,
                       struct related_rows *r)
{
    if (r->n == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 64;
        struct parent *grown = realloc(r->parents, cap * sizeof *grown);
        if (!grown)
            return false;
        r->parents = grown;
        r->cap = cap;
    }
    struct parent *p = &r->parents[r->n++];
    *p = (struct parent){.start = r->text.n};
    for (size_t e = 0; e < w->query.n_embeds; e++) {
        struct slice value;
        if (!source_cell(rows, at + e, &value))
            continue;
        p->key[e] = arena_copy(&w->arena, value);
        if (!p->key[e].p)
            return false;
    }
    return true;
}

static enum problem take_parents(struct worker *w, const struct catalog_api *api,
                                 struct source_rows *rows, struct rows_page *page,
                                 struct related_rows *r)
{
    size_t sorts = rows_sorts(w, api);
    if (rows->n_columns != w->query.n_select + sorts + w->query.n_embeds)
        return PROBLEM_SOURCE_CHANGED;
    for (page->n = 0;; page->n++) {
        bool more = false;
        enum source_err err = source_next(rows, &more);
        if (err || !more)
            return service_source_problem(err);
        if (!add_parent(w, rows, w->query.n_select + sorts, r))
            return PROBLEM_QUERY_TOO_LARGE;
        rows_object(&r->text, &w->query, &api->table, api->members, rows);
        struct parent *p = &r->parents[page->n];
        p->n = r->text.n - p->start;
        if (r->text.failed || r->text.n > SERVICE_ANSWER_MAX)
            return PROBLEM_QUERY_TOO_LARGE;
        rows_mark(w, rows, sorts, page);
    }
}

/* The group of a value; a new one when create. */
static uint32_t find_group(struct group *groups, uint32_t *buckets, size_t mask, size_t *n,
                           struct slice key, bool create)
{
    size_t bucket = XXH3_64bits(key.p, key.n) & mask;
    for (uint32_t g = buckets[bucket]; g != NONE; g = groups[g].next)
        if (slice_eq(groups[g].key, key))
            return g;
    if (!create)
        return NONE;
    groups[*n] = (struct group){key, NONE, NONE, buckets[bucket]};
    buckets[bucket] = (uint32_t)*n;
    return (uint32_t)(*n)++;
}

static enum problem take_children(const struct query_embed *e, const struct slice *members,
                                  struct source_rows *rows, struct related_rows *r,
                                  struct child *children, struct group *groups, uint32_t *buckets,
                                  size_t mask, size_t n_groups)
{
    if (rows->n_columns != e->query->n_select + 1)
        return PROBLEM_SOURCE_CHANGED;
    for (uint32_t n = 0;; n++) {
        bool more = false;
        struct slice key;
        enum source_err err = source_next(rows, &more);
        if (err || !more)
            return service_source_problem(err);
        if (n == CHILDREN_MAX)
            return PROBLEM_QUERY_TOO_LARGE;
        if (!source_cell(rows, e->query->n_select, &key))
            continue;
        uint32_t g = find_group(groups, buckets, mask, &n_groups, key, false);
        if (g == NONE)
            continue;
        children[n] = (struct child){r->child_text.n, 0, NONE};
        rows_object(&r->child_text, e->query, &e->relation->table, members, rows);
        buf_addc(&r->child_text, '}');
        children[n].n = r->child_text.n - children[n].start;
        if (r->child_text.failed || r->child_text.n > SERVICE_ANSWER_MAX)
            return PROBLEM_QUERY_TOO_LARGE;
        if (groups[g].first == NONE)
            groups[g].first = n;
        else
            children[groups[g].last].next = n;
        groups[g].last = n;
    }
}

static enum problem ask(struct worker *w, const struct catalog_api *api, struct source *source,
                        size_t e, struct related_rows *r, uint32_t *buckets, size_t mask)
{
    const struct query_embed *embed = &w->query.embeds[e];
    const struct query_relation *rel = embed->relation;
    size_t n = 0, at = (size_t)(rel - api->table.relations);
    struct slice owner = {NULL, 0};
    struct source_rows rows;
    struct slice *values = arena_get(&w->arena, sizeof *values, r->n + 1);
    if (!values)
        return PROBLEM_QUERY_TOO_LARGE;
    for (size_t i = 0; i < r->n; i++) {
        struct slice key = r->parents[i].key[e];
        r->parents[i].group[e] = NONE;
        if (!key.p || !query_value_fits((enum query_type)rel->foreign_type, key))
            continue;
        size_t before = n;
        r->parents[i].group[e] = find_group(r->groups[e], buckets, mask, &n, key, true);
        if (n > before)
            values[before] = key;
    }
    if (n == 0)
        return PROBLEM_OK;
    if (api->owner_scoped && rel->table.owner_column.n)
        owner = w->call.owner;
    struct sql sql = service_sql(w, source);
    sql_related(&sql, embed, owner, values, n, CHILDREN_MAX + 1);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum source_err err =
        source_query(source, buf_slice(sql.text), sql.params, sql.n_params, &rows);
    if (err)
        return service_source_problem(err);
    enum problem p = take_children(embed, api->related[at].members, &rows, r, r->children[e],
                                   r->groups[e], buckets, mask, n);
    source_rows_end(&rows);
    return p;
}

static enum problem ask_all(struct worker *w, const struct catalog_api *api, struct source *source,
                            struct related_rows *r)
{
    size_t size = 64;
    while (size < r->n * 2)
        size *= 2;
    uint32_t *buckets = malloc(size * sizeof *buckets);
    enum problem p = buckets ? PROBLEM_OK : PROBLEM_INTERNAL;
    for (size_t e = 0; !p && e < w->query.n_embeds; e++) {
        memset(buckets, 0xff, size * sizeof *buckets);
        r->children[e] = malloc((CHILDREN_MAX + 1) * sizeof *r->children[e]);
        r->groups[e] = malloc((r->n + 1) * sizeof *r->groups[e]);
        p = r->children[e] && r->groups[e] ? ask(w, api, source, e, r, buckets, size - 1)
                                           : PROBLEM_INTERNAL;
    }
    free(buckets);
    return p;
}

static void write_related(struct worker *w, const struct related_rows *r, size_t e, uint32_t group)
{
    bool many = w->query.embeds[e].relation->many;
    uint32_t at = group == NONE ? NONE : r->groups[e][group].first;
    if (!many && at == NONE)
        buf_adds(&w->body, "null");
    if (many)
        buf_addc(&w->body, '[');
    for (bool first = true; at != NONE; first = false) {
        const struct child *c = &r->children[e][at];
        if (!first)
            buf_addc(&w->body, ',');
        buf_add(&w->body, r->child_text.p + c->start, c->n);
        at = many ? c->next : NONE;
    }
    if (many)
        buf_addc(&w->body, ']');
}

static enum problem write_all(struct worker *w, const struct catalog_api *api,
                              const struct related_rows *r)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct parent *p = &r->parents[i];
        if (i)
            buf_addc(&w->body, ',');
        buf_add(&w->body, r->text.p + p->start, p->n);
        for (size_t e = 0; e < w->query.n_embeds; e++) {
            size_t at = (size_t)(w->query.embeds[e].relation - api->table.relations);
            if (e || w->query.n_select)
                buf_addc(&w->body, ',');
            buf_add(&w->body, api->related[at].member.p, api->related[at].member.n);
            write_related(w, r, e, p->group[e]);
        }
        buf_addc(&w->body, '}');
        if (w->body.failed || w->body.n > SERVICE_ANSWER_MAX)
            return PROBLEM_QUERY_TOO_LARGE;
    }
    return PROBLEM_OK;
}

enum problem related_rows(struct worker *w, const struct catalog_api *api, struct source *source,
                          struct source_rows *rows, struct rows_page *page)
{
    struct related_rows r = {0};
    buf_init(&r.text);
    buf_init(&r.child_text);
    enum problem p = take_parents(w, api, rows, page, &r);
    source_rows_end(rows); /* the connection is free for the next statement */
    if (!p)
        p = ask_all(w, api, source, &r);
    if (!p)
        p = write_all(w, api, &r);
    for (size_t e = 0; e < QUERY_EMBEDS_MAX; e++) {
        free(r.children[e]);
        free(r.groups[e]);
    }
    free(r.parents);
    buf_fini(&r.text);
    buf_fini(&r.child_text);
    return p;
}
