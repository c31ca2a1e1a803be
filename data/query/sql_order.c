/* SPDX-License-Identifier: Apache-2.0 */
/* In which order rows come, and where in it to go on. */
#include "data/query/sql_internal.h"

static bool ordered_by(const struct sql_sort *sorts, size_t n, struct slice column)
{
    for (size_t i = 0; i < n; i++)
        if (!sorts[i].path && slice_eq(sorts[i].column, column))
            return true;
    return false;
}

static bool can_order(uint8_t type)
{
    return type != QUERY_JSON && type != QUERY_BINARY;
}

/* The key comes last so that pages neither overlap nor leave rows out; a table without one is
 * ordered by what was selected, and then equal rows cannot be told apart anyway. */
size_t sql_sorts(const struct query_table *table, const struct query *q,
                 struct sql_sort out[static QUERY_SORT_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < q->n_order; i++) {
        const struct query_order *o = &q->order[i];
        const struct query_column *c = &table->columns[o->column];
        bool first =
            o->nulls == QUERY_NULLS_DEFAULT ? o->descending : o->nulls == QUERY_NULLS_FIRST;
        out[n++] = (struct sql_sort){.column = c->column,
                                     .path = o->path,
                                     .type = o->path ? (uint8_t)QUERY_STRING : c->type,
                                     .descending = o->descending,
                                     .nulls_first = first};
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < table->n_keys && !out[i].path; k++)
            out[i].key = out[i].key || slice_eq(out[i].column, table->keys[k]);
    for (size_t i = 0; i < table->n_keys && n < QUERY_SORT_MAX; i++)
        if (!ordered_by(out, n, table->keys[i]))
            out[n++] = (struct sql_sort){.column = table->keys[i],
                                         .type = table->key_types ? table->key_types[i]
                                                                  : (uint8_t)QUERY_STRING,
                                         .key = true};
    for (size_t i = 0; table->n_keys == 0 && i < q->n_select && n < QUERY_SORT_MAX; i++) {
        const struct query_column *c = &table->columns[q->select[i]];
        if (can_order(c->type) && !ordered_by(out, n, c->column))
            out[n++] = (struct sql_sort){.column = c->column, .type = c->type, .key = true};
    }
    return n;
}

/* Does the query ask for one key? Then there is one row at most, and no order among it. */
static bool asks_for_key(const struct query_table *table, const struct query *q)
{
    size_t found = 0;
    for (size_t i = 0; i < table->n_keys; i++)
        for (const struct query_node *n = q->where.first; n; n = n->next)
            if (n->kind == QUERY_CONDITION && n->op == QUERY_EQ && !n->negate && !n->path &&
                slice_eq(table->columns[n->column].column, table->keys[i])) {
                found++;
                break;
            }
    return table->n_keys > 0 && found == table->n_keys;
}

/* Nulls last ascending, first descending, said outright: sources differ in what they do unasked. A
 * key has none. */
static void add_item(struct sql *sql, const struct sql_sort *sort)
{
    bool usual = sort->nulls_first == sort->descending;
    if (!sql->dialect->nulls_words && !sort->key) { /* NULL sorts as false, 0, here */
        sql_column(sql, sort->column, sort->path);
        buf_adds(sql->text, sort->nulls_first ? " IS NOT NULL, " : " IS NULL, ");
    }
    sql_column(sql, sort->column, sort->path);
    if (sort->key && usual) {
        buf_adds(sql->text, sort->descending ? " DESC" : "");
        return;
    }
    buf_adds(sql->text, sort->descending ? " DESC" : " ASC");
    if (sql->dialect->nulls_words)
        buf_adds(sql->text, sort->nulls_first ? " NULLS FIRST" : " NULLS LAST");
}

static size_t group_sorts(const struct query_table *table, const struct query *q,
                          struct sql_sort out[static QUERY_SORT_MAX])
{
    size_t n = 0;
    struct sql_sort all[QUERY_SORT_MAX];
    size_t asked = sql_sorts(table, q, all);
    for (size_t i = 0; i < q->n_order && i < asked; i++)
        out[n++] = all[i];
    for (size_t i = 0; i < q->n_select && n < QUERY_SORT_MAX; i++) {
        const struct query_column *c = &table->columns[q->select[i]];
        if (!q->from[i].fn && !ordered_by(out, n, c->column))
            out[n++] = (struct sql_sort){.column = c->column, .type = c->type, .key = true};
    }
    return n;
}

void sql_order(struct sql *sql, const struct query_table *table, const struct query *q)
{
    struct sql_sort sorts[QUERY_SORT_MAX];
    if (!q->grouped && asks_for_key(table, q))
        return;
    size_t n = q->grouped ? group_sorts(table, q, sorts) : sql_sorts(table, q, sorts);
    for (size_t i = 0; i < n; i++) {
        buf_adds(sql->text, i ? ", " : " ORDER BY ");
        add_item(sql, &sorts[i]);
    }
}

/* Rows whose value of this column comes behind the last one's. */
static void add_behind(struct sql *sql, const struct sql_sort *sort, struct slice value)
{
    if (!value.p) {
        sql_column(sql, sort->column, sort->path);
        buf_adds(sql->text, sort->nulls_first ? " IS NOT NULL" : " IS NULL AND 1 = 0");
        return;
    }
    bool or_null = !sort->key && !sort->nulls_first;
    buf_adds(sql->text, or_null ? "(" : "");
    sql_column(sql, sort->column, sort->path);
    buf_adds(sql->text, sort->descending ? " < " : " > ");
    sql_value(sql, sort->type, value);
    if (!or_null)
        return;
    buf_adds(sql->text, " OR ");
    sql_column(sql, sort->column, sort->path);
    buf_adds(sql->text, " IS NULL)");
}

static void add_same(struct sql *sql, const struct sql_sort *sort, struct slice value)
{
    sql_column(sql, sort->column, sort->path);
    buf_adds(sql->text, value.p ? " = " : " IS NULL");
    if (value.p)
        sql_value(sql, sort->type, value);
}

/* (a > ? OR (a = ? AND (b > ? OR (b = ? AND k > ?)))), and before it, where the first column is
 * never null, a >= ?: a bound an index can start from. */
void sql_seek(struct sql *sql, const struct query *q, const struct sql_sort *sorts, size_t n,
              const char *glue)
{
    if (q->n_seek != n) {
        sql->failed = true;
        return;
    }
    buf_adds(sql->text, glue);
    if (n > 1 && sorts[0].key) {
        sql_column(sql, sorts[0].column, sorts[0].path);
        buf_adds(sql->text, sorts[0].descending ? " <= " : " >= ");
        sql_value(sql, sorts[0].type, q->seek[0]);
        buf_adds(sql->text, " AND ");
    }
    for (size_t i = 0; i < n; i++) {
        buf_addc(sql->text, '(');
        add_behind(sql, &sorts[i], q->seek[i]);
        if (i + 1 < n) {
            buf_adds(sql->text, " OR (");
            add_same(sql, &sorts[i], q->seek[i]);
            buf_adds(sql->text, " AND ");
        }
    }
    for (size_t i = 0; i < n; i++)
        buf_adds(sql->text, i + 1 < n ? "))" : ")");
}
