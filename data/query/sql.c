/* SPDX-License-Identifier: Apache-2.0 */
#include "data/query/sql.h"

/* A quote in a name is doubled (SQL-92, delimited identifiers). */
static void add_name(struct sql *sql, struct slice name)
{
    if (name.n == 0 || name.n > 256 || memchr(name.p, '\0', name.n))
        sql->failed = true;
    buf_addc(sql->text, sql->quote);
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == sql->quote)
            buf_addc(sql->text, sql->quote);
        buf_addc(sql->text, name.p[i]);
    }
    buf_addc(sql->text, sql->quote);
}

static struct source_param *new_param(struct sql *sql)
{
    if (sql->n_params == sql->cap_params) {
        size_t cap = sql->cap_params ? sql->cap_params * 2 : 16;
        struct source_param *grown =
            cap > SQL_PARAMS_MAX * 2 ? NULL : arena_get(sql->arena, sizeof *grown, cap);
        if (!grown) {
            sql->failed = true;
            return NULL;
        }
        if (sql->n_params)
            memcpy(grown, sql->params, sql->n_params * sizeof *grown);
        sql->params = grown;
        sql->cap_params = cap;
    }
    return &sql->params[sql->n_params++];
}

static void bind_integer(struct sql *sql, int64_t value)
{
    struct source_param *p = new_param(sql);
    if (p)
        *p = (struct source_param){.integer = value, .is_integer = true};
}

/* The text has passed query_value_fits(QUERY_INTEGER): a sign, at most 18 digits. */
static int64_t to_integer(struct slice text)
{
    int64_t v = 0;
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] >= '0')
            v = v * 10 + (text.p[i] - '0');
    return text.n && text.p[0] == '-' ? -v : v;
}

static void bind_value(struct sql *sql, uint8_t type, struct slice text)
{
    bool typed = sql->dialect->binding == DIALECT_BIND_TYPED;
    if (typed && type == QUERY_INTEGER) {
        bind_integer(sql, to_integer(text));
        return;
    }
    if (typed && type == QUERY_BOOLEAN) {
        bind_integer(sql, text.p[0] == 't' || text.p[0] == '1');
        return;
    }
    struct source_param *p = new_param(sql);
    struct slice copy = arena_copy(sql->arena, text);
    if (!copy.p)
        sql->failed = true;
    if (p)
        *p = (struct source_param){.text = copy};
}

static void add_in(struct sql *sql, const struct query_node *node, const struct query_column *c)
{
    if (node->n_values == 0) {
        buf_adds(sql->text, "1 = 0");
        return;
    }
    add_name(sql, c->column);
    buf_adds(sql->text, " IN (");
    for (size_t i = 0; i < node->n_values; i++) {
        buf_adds(sql->text, i ? ", ?" : "?");
        bind_value(sql, c->type, node->values[i]);
    }
    buf_addc(sql->text, ')');
}

static void add_is(struct sql *sql, const struct query_node *node, const struct query_column *c)
{
    const char *test = " IS NULL"; /* null and unknown */
    if (node->values[0].p[0] == 't')
        test = sql->dialect->is_true;
    else if (node->values[0].p[0] == 'f')
        test = sql->dialect->is_false;
    add_name(sql, c->column);
    if (test != NULL && test[0] != ' ')
        buf_addc(sql->text, ' ');
    buf_adds(sql->text, test);
}

static const char *operator_text(const struct dialect *d, uint8_t op)
{
    switch (op) {
    case QUERY_EQ:
        return "=";
    case QUERY_NEQ:
        return "<>";
    case QUERY_GT:
        return ">";
    case QUERY_GTE:
        return ">=";
    case QUERY_LT:
        return "<";
    case QUERY_LTE:
        return "<=";
    case QUERY_MATCH:
        return d->match;
    case QUERY_IMATCH:
        return d->imatch;
    case QUERY_DISTINCT:
        return d->distinct;
    default:
        return NULL;
    }
}

static void add_like(struct sql *sql, const struct query_node *node, const struct query_column *c)
{
    const char *const *around = node->op == QUERY_LIKE ? sql->dialect->like : sql->dialect->ilike;
    buf_adds(sql->text, around[0]);
    add_name(sql, c->column);
    buf_adds(sql->text, around[1]);
    bind_value(sql, QUERY_STRING, node->values[0]);
}

static void add_condition(struct sql *sql, const struct query_table *table,
                          const struct query_node *node)
{
    const struct query_column *c = &table->columns[node->column];
    if (node->op == QUERY_IN) {
        add_in(sql, node, c);
    } else if (node->op == QUERY_IS) {
        add_is(sql, node, c);
    } else if (node->op == QUERY_LIKE || node->op == QUERY_ILIKE) {
        add_like(sql, node, c);
    } else {
        const char *op = operator_text(sql->dialect, node->op);
        add_name(sql, c->column);
        buf_addf(sql->text, " %s ?", op ? op : "=");
        sql->failed = sql->failed || !op;
        bind_value(sql, c->type, node->values[0]);
    }
}

/* Depth is bounded by the parser (QUERY_DEPTH_MAX). */
static void add_node(struct sql *sql, const struct query_table *table,
                     const struct query_node *node)
{
    buf_adds(sql->text, node->negate ? "NOT (" : "(");
    if (node->kind == QUERY_CONDITION)
        add_condition(sql, table, node);
    for (const struct query_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            buf_adds(sql->text, node->kind == QUERY_OR ? " OR " : " AND ");
        add_node(sql, table, child);
    }
    buf_addc(sql->text, ')');
}

static void add_from_where(struct sql *sql, const struct query_table *table, const struct query *q,
                           struct slice owner)
{
    buf_adds(sql->text, " FROM ");
    if (table->schema.n) {
        add_name(sql, table->schema);
        buf_addc(sql->text, '.');
    }
    add_name(sql, table->table);
    const char *glue = " WHERE ";
    if (owner.p) {
        sql->failed = sql->failed || !query_value_fits((enum query_type)table->owner_type, owner);
        buf_adds(sql->text, glue);
        add_name(sql, table->owner_column);
        buf_adds(sql->text, " = ?");
        if (!sql->failed)
            bind_value(sql, table->owner_type, owner);
        glue = " AND ";
    }
    if (q->where.first) {
        buf_adds(sql->text, glue);
        add_node(sql, table, &q->where);
    }
}

static bool ordered_by(const struct query_table *table, const struct query *q, struct slice column)
{
    for (size_t i = 0; i < q->n_order; i++)
        if (slice_eq(table->columns[q->order[i].column].column, column))
            return true;
    return false;
}

/* Nulls last ascending, first descending, said outright: sources differ in what they do unasked. */
static void add_order_item(struct sql *sql, const struct query_table *table,
                           const struct query_order *o)
{
    bool first = o->nulls == QUERY_NULLS_DEFAULT ? o->descending : o->nulls == QUERY_NULLS_FIRST;
    add_name(sql, table->columns[o->column].column);
    buf_adds(sql->text, o->descending ? " DESC" : " ASC");
    buf_adds(sql->text, first ? " NULLS FIRST" : " NULLS LAST");
}

static bool can_order(uint8_t type)
{
    return type != QUERY_JSON && type != QUERY_BINARY;
}

/* The key comes last so that pages neither overlap nor leave rows out; a table without one is
 * ordered by what was selected, and then equal rows cannot be told apart anyway. */
static void add_order(struct sql *sql, const struct query_table *table, const struct query *q)
{
    const char *glue = " ORDER BY ";
    for (size_t i = 0; i < q->n_order; i++, glue = ", ") {
        buf_adds(sql->text, glue);
        add_order_item(sql, table, &q->order[i]);
    }
    for (size_t i = 0; i < table->n_keys; i++) {
        if (ordered_by(table, q, table->keys[i]))
            continue;
        buf_adds(sql->text, glue);
        add_name(sql, table->keys[i]);
        glue = ", ";
    }
    for (size_t i = 0; table->n_keys == 0 && i < q->n_select; i++) {
        const struct query_column *c = &table->columns[q->select[i]];
        if (!can_order(c->type) || ordered_by(table, q, c->column))
            continue;
        buf_adds(sql->text, glue);
        add_name(sql, c->column);
        glue = ", ";
    }
}

static void add_paging(struct sql *sql, const struct query *q)
{
    bool limit_first = sql->dialect->paging == DIALECT_LIMIT_OFFSET;
    buf_adds(sql->text,
             limit_first ? " LIMIT ? OFFSET ?" : " OFFSET ? ROWS FETCH NEXT ? ROWS ONLY");
    bind_integer(sql, (int64_t)(limit_first ? q->limit : q->offset));
    bind_integer(sql, (int64_t)(limit_first ? q->offset : q->limit));
}

static void begin(struct sql *sql)
{
    buf_clear(sql->text);
    sql->params = NULL;
    sql->n_params = sql->cap_params = 0;
    sql->failed = false;
}

static void finish(struct sql *sql)
{
    buf_addc(sql->text, '\0');
    sql->failed = sql->failed || sql->text->failed;
    if (!sql->failed)
        sql->text->n--;
}

void sql_select(struct sql *sql, const struct query_table *table, const struct query *q,
                struct slice owner)
{
    begin(sql);
    for (size_t i = 0; i < q->n_select; i++) {
        buf_adds(sql->text, i ? ", " : "SELECT ");
        add_name(sql, table->columns[q->select[i]].column);
    }
    add_from_where(sql, table, q, owner);
    add_order(sql, table, q);
    add_paging(sql, q);
    finish(sql);
}

void sql_count(struct sql *sql, const struct query_table *table, const struct query *q,
               struct slice owner)
{
    begin(sql);
    buf_adds(sql->text, "SELECT COUNT(*)");
    add_from_where(sql, table, q, owner);
    finish(sql);
}
