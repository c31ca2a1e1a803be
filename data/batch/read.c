/* SPDX-License-Identifier: Apache-2.0 */
#include "data/batch/read.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "data/service.h"

#define KEYS_MAX    8
#define ARENA_ROOM  (256u << 10)
#define NO_LIMIT_AT ((uint64_t)INT64_MAX)

struct reader {
    struct source *source;
    const struct catalog_api *api;
    struct sql_scope scope;
    struct query query; /* what is asked for a page */
    const struct query *given;
    size_t n_given;
    bool keyset, open, over;
    bool paged; /* by keyset, or by offset where the driver would take all into memory */
    uint16_t keys[KEYS_MAX];   /* columns of the API */
    size_t key_at[KEYS_MAX];   /* where they stand in the row */
    size_t n_keys, tracked_at; /* tracked_at SIZE_MAX: none */
    struct buf last[KEYS_MAX]; /* values of the last row */
    bool begun;
    uint64_t left, page_left, offset;
    struct source_rows rows;
    struct arena arena;
    struct buf sql;
    struct slice values[QUERY_SELECT_MAX];
};

/* Where the column stands in the row; added behind the others when it is not there yet. */
static bool place(struct reader *r, uint16_t column, size_t *at)
{
    for (*at = 0; *at < r->query.n_select; ++*at)
        if (r->query.select[*at] == column)
            return true;
    if (r->query.n_select == QUERY_SELECT_MAX)
        return false;
    r->query.select[r->query.n_select++] = column;
    return true;
}

/* Types whose text compares in the source as it was read. */
static bool can_resume(uint8_t type)
{
    return type == QUERY_STRING || type == QUERY_INTEGER || type == QUERY_DATE ||
           type == QUERY_DATETIME;
}

static bool find_column(const struct catalog_api *api, struct slice column, uint16_t *at)
{
    for (size_t i = 0; i < api->table.n_columns; i++) {
        if (slice_eq(api->columns[i].column, column)) {
            *at = (uint16_t)i;
            return can_resume(api->columns[i].type);
        }
    }
    return false;
}

static bool find_keys(struct reader *r)
{
    const struct query_table *t = &r->api->table;
    if (r->given->n_order || t->n_keys == 0 || t->n_keys > KEYS_MAX)
        return false;
    for (size_t i = 0; i < t->n_keys; i++)
        if (!find_column(r->api, t->keys[i], &r->keys[i]) || !place(r, r->keys[i], &r->key_at[i]))
            return false;
    r->n_keys = t->n_keys;
    return true;
}

static bool restore(struct reader *r, struct slice at)
{
    json_t *list = at.n ? json_loadb(at.p, at.n, 0, NULL) : NULL;
    bool ok = !at.n || json_array_size(list) == r->n_keys;
    for (size_t i = 0; ok && at.n && i < r->n_keys; i++) {
        const json_t *v = json_array_get(list, i);
        ok = json_is_string(v);
        if (ok)
            buf_add(&r->last[i], json_string_value(v), json_string_length(v));
        ok = ok && !r->last[i].failed;
        r->begun = true;
    }
    json_decref(list);
    return ok;
}

struct reader *reader_new(const struct reader_ask *ask)
{
    struct reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->source = ask->source;
    r->api = ask->api;
    r->scope = ask->scope;
    r->given = ask->query;
    r->query = *ask->query;
    r->n_given = ask->query->n_select;
    r->tracked_at = SIZE_MAX;
    buf_init(&r->sql);
    for (size_t i = 0; i < KEYS_MAX; i++)
        buf_init(&r->last[i]);
    bool ok = arena_init(&r->arena, ARENA_ROOM) &&
              (ask->tracked < 0 || place(r, (uint16_t)ask->tracked, &r->tracked_at));
    size_t n_select = r->query.n_select;
    r->keyset = ok && find_keys(r);
    if (!r->keyset)
        r->query.n_select = n_select;
    uint64_t limit = ask->query->limit == UINT32_MAX ? NO_LIMIT_AT : ask->query->limit;
    r->left = limit > ask->rows ? limit - ask->rows : 0;
    r->offset = ask->query->offset;
    if (!ok || (r->keyset && !restore(r, ask->at)))
        reader_free(&r);
    return r;
}

static void end_page(struct reader *r)
{
    if (r->open)
        source_rows_end(&r->rows);
    r->open = false;
}

void reader_free(struct reader **slot)
{
    struct reader *r = *slot;
    if (!r)
        return;
    end_page(r);
    for (size_t i = 0; i < KEYS_MAX; i++)
        buf_wipe(&r->last[i]);
    buf_wipe(&r->sql);
    arena_fini(&r->arena);
    free(r);
    *slot = NULL;
}

bool reader_resumes(const struct reader *r)
{
    return r->keyset;
}

/* The next page ------------------------------------------------------------------------------- */

static struct query_node *node(struct reader *r, enum query_node_kind kind)
{
    struct query_node *n = arena_get(&r->arena, sizeof *n, 1);
    if (n)
        n->kind = (uint8_t)kind;
    return n;
}

static struct query_node *compare(struct reader *r, size_t key, enum query_op op)
{
    struct query_node *n = node(r, QUERY_CONDITION);
    struct slice *value = arena_get(&r->arena, sizeof *value, 1);
    if (!n || !value)
        return NULL;
    *value = r->last[key].n ? buf_slice(&r->last[key]) : SLICE("");
    n->op = (uint8_t)op;
    n->as_sorted = true;
    n->column = r->keys[key];
    n->n_values = 1;
    n->values = value;
    return n;
}

/* k1 = v1 and … and kn > vn: rows that agree with the last one in the keys before the nth. */
static struct query_node *past_key(struct reader *r, size_t n)
{
    struct query_node *all = node(r, QUERY_AND), *next = compare(r, n, QUERY_GT);
    for (size_t i = n; all && next && i-- > 0;) {
        struct query_node *same = compare(r, i, QUERY_EQ);
        if (!same)
            return NULL;
        same->next = next;
        next = same;
    }
    if (!all || !next)
        return NULL;
    all->first = next;
    return all;
}

/* What was asked, and after the last row. */
static bool narrow(struct reader *r)
{
    struct query_node *whole = node(r, QUERY_AND), *past = node(r, QUERY_OR);
    if (!whole || !past)
        return false;
    for (size_t i = r->n_keys; i-- > 0;) {
        struct query_node *part = past_key(r, i);
        if (!part)
            return false;
        part->next = past->first;
        past->first = part;
    }
    *whole = r->given->where;
    whole->next = past;
    r->query.where = (struct query_node){.kind = QUERY_AND};
    r->query.where.first = r->given->where.first ? whole : past;
    return true;
}

static bool keys_fit(const struct reader *r)
{
    for (size_t i = 0; i < r->n_keys; i++)
        if (!query_value_fits((enum query_type)r->api->columns[r->keys[i]].type,
                              buf_slice(&r->last[i])))
            return false;
    return true;
}

static enum problem ask(struct reader *r)
{
    struct sql sql = {.text = &r->sql, .arena = &r->arena};
    sql.dialect = source_dialect(r->source);
    sql.quote = source_quote(r->source)[0];
    sql_select(&sql, &r->api->table, &r->query, &r->scope);
    if (sql.failed)
        return PROBLEM_QUERY_TOO_LARGE;
    enum source_err err =
        source_query(r->source, buf_slice(sql.text), sql.params, sql.n_params, &r->rows);
    r->open = !err;
    if (r->open && r->rows.n_columns != r->query.n_select)
        return PROBLEM_SOURCE_UNAVAILABLE;
    return service_source_problem(err);
}

static enum problem begin_page(struct reader *r)
{
    arena_reset(&r->arena);
    enum source_err err = source_ready(r->source);
    if (err)
        return service_source_problem(err);
    r->paged = r->keyset || source_dialect(r->source)->buffers;
    if (!r->paged)
        source_set_timeout_ms(r->source, READ_WHOLE_MS);
    r->page_left = !r->paged || r->left < READ_PAGE_ROWS ? r->left : READ_PAGE_ROWS;
    r->query.limit = r->page_left;
    r->query.offset = r->keyset && r->begun ? 0 : r->offset;
    if (r->keyset && r->begun && (!keys_fit(r) || !narrow(r)))
        return PROBLEM_INTERNAL;
    return ask(r);
}

static bool remember(struct reader *r)
{
    bool ok = true;
    for (size_t i = 0; i < r->n_keys; i++) {
        struct slice v = r->values[r->key_at[i]];
        buf_clear(&r->last[i]);
        buf_add(&r->last[i], v.p ? v.p : "", v.n);
        ok = ok && v.p && !r->last[i].failed;
    }
    return ok;
}

static enum problem take_row(struct reader *r)
{
    for (size_t i = 0; i < r->query.n_select; i++)
        if (!source_cell(&r->rows, i, &r->values[i]))
            r->values[i] = (struct slice){NULL, 0};
        else if (!r->values[i].p)
            r->values[i] = SLICE("");
    r->begun = true;
    r->left--;
    r->page_left--;
    r->offset += !r->keyset;
    return r->keyset && !remember(r) ? PROBLEM_INTERNAL : PROBLEM_OK;
}

enum problem reader_next(struct reader *r, const struct slice **values, bool *more)
{
    *more = false;
    *values = r->values;
    for (;;) {
        if (r->over || r->left == 0)
            return PROBLEM_OK;
        enum problem p = r->open ? PROBLEM_OK : begin_page(r);
        bool row = false;
        enum source_err err = p || !r->page_left ? SOURCE_OK : source_next(&r->rows, &row);
        if (p || err) {
            end_page(r);
            source_lost(r->source);
            return p ? p : PROBLEM_SOURCE_UNAVAILABLE;
        }
        if (row) {
            *more = true;
            return take_row(r);
        }
        /* A page that was not filled was the last. */
        r->over = !r->paged || r->page_left > 0;
        end_page(r);
    }
}

struct slice reader_tracked(const struct reader *r)
{
    return r->tracked_at == SIZE_MAX ? (struct slice){NULL, 0} : r->values[r->tracked_at];
}

bool reader_at(const struct reader *r, struct buf *at)
{
    buf_clear(at);
    if (!r->keyset || !r->begun)
        return true;
    for (size_t i = 0; i < r->n_keys; i++) {
        if (!utf8_valid(buf_slice(&r->last[i])))
            return false;
        buf_addc(at, i ? ',' : '[');
        buf_add_json(at, r->last[i].n ? buf_slice(&r->last[i]) : SLICE(""));
    }
    buf_addc(at, ']');
    return !at->failed;
}
