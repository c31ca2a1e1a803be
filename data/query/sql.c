/* SPDX-License-Identifier: Apache-2.0 */
#include "data/query/sql_internal.h"

/* A quote in a name is doubled (SQL-92, delimited identifiers). */
void sql_name(struct sql *sql, struct slice name)
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

void sql_bind_integer(struct sql *sql, int64_t value)
{
    struct source_param *p = new_param(sql);
    if (p)
        *p = (struct source_param){.integer = value, .is_integer = true};
}

void sql_bind_null(struct sql *sql)
{
    struct source_param *p = new_param(sql);
    if (p)
        *p = (struct source_param){.is_null = true, .text = SLICE("")};
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

void sql_bind(struct sql *sql, uint8_t type, struct slice text)
{
    bool typed = sql->dialect->binding == DIALECT_BIND_TYPED;
    if (typed && type == QUERY_INTEGER) {
        sql_bind_integer(sql, to_integer(text));
        return;
    }
    if (typed && type == QUERY_BOOLEAN) {
        sql_bind_integer(sql, text.p[0] == 't' || text.p[0] == '1');
        return;
    }
    struct source_param *p = new_param(sql);
    struct slice copy = arena_copy(sql->arena, text);
    if (!copy.p)
        sql->failed = true;
    if (p)
        *p = (struct source_param){.text = copy};
}

/* A decimal as text would be compared as a floating number; one with an exponent is such. */
void sql_value(struct sql *sql, uint8_t type, struct slice text)
{
    bool decimal = type == QUERY_NUMBER && sql->dialect->number && text.n < 32 &&
                   !memchr(text.p, 'e', text.n) && !memchr(text.p, 'E', text.n);
    buf_adds(sql->text, decimal ? sql->dialect->number : "?");
    sql_bind(sql, type, text);
}

static void add_step(struct buf *out, struct slice step)
{
    uint64_t index;
    if (query_uint(step, &index) && index < 1000000) {
        buf_addf(out, "[%llu]", (unsigned long long)index);
        return;
    }
    buf_adds(out, ".\"");
    for (size_t i = 0; i < step.n; i++) {
        if (step.p[i] == '"' || step.p[i] == '\\')
            buf_addc(out, '\\');
        buf_addc(out, step.p[i]);
    }
    buf_addc(out, '"');
}

/* A null within JSON is a null, as it is behind an arrow. */
static void add_extract(struct sql *sql, struct slice column, const struct query_path *path)
{
    struct buf steps;
    buf_init(&steps);
    buf_addc(&steps, '$');
    for (size_t i = 0; i < path->n; i++)
        add_step(&steps, path->steps[i]);
    buf_adds(sql->text, path->text ? "JSON_UNQUOTE(NULLIF(JSON_EXTRACT(" : "JSON_EXTRACT(");
    sql_name(sql, column);
    buf_adds(sql->text, path->text ? ", ?), 'null'))" : ", ?)");
    sql->failed = sql->failed || steps.failed;
    sql_bind(sql, QUERY_STRING, steps.failed ? SLICE("") : buf_slice(&steps));
    buf_fini(&steps);
}

/* Steps are bound, never written: `col->?::text->>?::int`. */
void sql_column(struct sql *sql, struct slice column, const struct query_path *path)
{
    const struct dialect *d = sql->dialect;
    if (path && !d->json) {
        sql->failed = true;
        return;
    }
    if (path && d->json_path) {
        add_extract(sql, column, path);
        return;
    }
    sql_name(sql, column);
    for (size_t i = 0; path && i < path->n; i++) {
        uint64_t index;
        bool number = query_uint(path->steps[i], &index) && index < 1000000;
        buf_adds(sql->text, path->text && i + 1 == path->n ? "->>" : "->");
        buf_addf(sql->text, "?%s", number ? d->json[1] : d->json[0]);
        if (number)
            sql_bind_integer(sql, (int64_t)index);
        else
            sql_bind(sql, QUERY_STRING, path->steps[i]);
    }
}

static uint8_t type_of(const struct query_node *node, const struct query_column *c)
{
    return node->path ? QUERY_STRING : c->type;
}

/* Is equality of this type less than that of all letters, unless said so? */
static bool is_loose(const struct sql *sql, uint8_t type)
{
    return sql->dialect->exact[0] && type == QUERY_STRING;
}

static void add_exact(struct sql *sql, struct slice column, const struct query_path *path)
{
    buf_adds(sql->text, sql->dialect->exact[0]);
    sql_column(sql, column, path);
    buf_adds(sql->text, sql->dialect->exact[1]);
}

/* Also to the letter where that is not the same: the first condition is what an index can serve. */
void sql_equals(struct sql *sql, struct slice column, const struct query_path *path, uint8_t type,
                struct slice value)
{
    sql_column(sql, column, path);
    buf_adds(sql->text, " = ");
    sql_value(sql, type, value);
    if (!is_loose(sql, type))
        return;
    buf_adds(sql->text, " AND ");
    add_exact(sql, column, path);
    buf_adds(sql->text, " = ");
    sql_value(sql, type, value);
}

static void add_list_of(struct sql *sql, const struct query_node *node, uint8_t type)
{
    buf_adds(sql->text, " IN (");
    for (size_t i = 0; i < node->n_values; i++) {
        buf_adds(sql->text, i ? ", " : "");
        sql_value(sql, type, node->values[i]);
    }
    buf_addc(sql->text, ')');
}

static void add_in(struct sql *sql, const struct query_node *node, const struct query_column *c)
{
    uint8_t type = type_of(node, c);
    if (node->n_values == 0) {
        buf_adds(sql->text, "1 = 0");
        return;
    }
    sql_column(sql, c->column, node->path);
    add_list_of(sql, node, type);
    if (!is_loose(sql, type))
        return;
    buf_adds(sql->text, " AND ");
    add_exact(sql, c->column, node->path);
    add_list_of(sql, node, type);
}

static void add_is(struct sql *sql, const struct query_node *node, const struct query_column *c)
{
    const char *test = " IS NULL"; /* null and unknown */
    if (node->values[0].p[0] == 't')
        test = sql->dialect->is_true;
    else if (node->values[0].p[0] == 'f')
        test = sql->dialect->is_false;
    sql_column(sql, c->column, node->path);
    if (test != NULL && test[0] != ' ')
        buf_addc(sql->text, ' ');
    buf_adds(sql->text, test);
}

static const char *operator_text(const struct dialect *d, uint8_t op)
{
    switch (op) {
    case QUERY_EQ:
        return " = ";
    case QUERY_NEQ:
        return " <> ";
    case QUERY_GT:
        return " > ";
    case QUERY_GTE:
        return " >= ";
    case QUERY_LT:
        return " < ";
    case QUERY_LTE:
        return " <= ";
    case QUERY_DISTINCT:
        return d->distinct[1];
    default:
        return NULL;
    }
}

static const char *const *around_of(const struct dialect *d, uint8_t op)
{
    return op == QUERY_LIKE     ? d->like
           : op == QUERY_ILIKE  ? d->ilike
           : op == QUERY_MATCH  ? d->match
           : op == QUERY_IMATCH ? d->imatch
                                : NULL;
}

static void add_like(struct sql *sql, const struct query_node *node, const struct query_column *c,
                     const char *const *around)
{
    if (!around[0]) {
        sql->failed = true;
        return;
    }
    buf_adds(sql->text, around[0]);
    sql_column(sql, c->column, node->path);
    buf_adds(sql->text, around[1]);
    sql_bind(sql, QUERY_STRING, node->values[0]);
}

static void add_comparison(struct sql *sql, const struct query_node *node,
                           const struct query_column *c)
{
    const char *op = operator_text(sql->dialect, node->op),
               *before = node->op == QUERY_DISTINCT ? sql->dialect->distinct[0] : "";
    uint8_t type = type_of(node, c);
    bool differs = node->op == QUERY_NEQ || node->op == QUERY_DISTINCT;
    if (*before)
        buf_addf(sql->text, "%s(", before);
    if (differs && is_loose(sql, type))
        add_exact(sql, c->column, node->path);
    else
        sql_column(sql, c->column, node->path);
    buf_adds(sql->text, op ? op : " = ");
    sql->failed = sql->failed || !op;
    sql_value(sql, type, node->values[0]);
    if (*before)
        buf_addc(sql->text, ')');
}

static void add_condition(struct sql *sql, const struct query_table *table,
                          const struct query_node *node)
{
    const struct query_column *c = &table->columns[node->column];
    const char *const *around = around_of(sql->dialect, node->op);
    if (node->op == QUERY_IN)
        add_in(sql, node, c);
    else if (node->op == QUERY_IS)
        add_is(sql, node, c);
    else if (around)
        add_like(sql, node, c, around);
    else if (node->op == QUERY_EQ && !node->as_sorted)
        sql_equals(sql, c->column, node->path, type_of(node, c), node->values[0]);
    else
        add_comparison(sql, node, c);
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

/* A provider's own query stands in parentheses; its parameters are bound where it has them. */
static void add_from(struct sql *sql, const struct query_table *table, const struct query *q)
{
    buf_adds(sql->text, " FROM ");
    if (table->text.n) {
        buf_addc(sql->text, '(');
        buf_add(sql->text, table->text.p, table->text.n);
        buf_adds(sql->text, "\n) AS ");
        sql_name(sql, SLICE("q"));
        for (size_t i = 0; i < table->n_marks; i++) {
            uint16_t at = table->marks[i];
            if (q->arguments[at].p)
                sql_bind(sql, table->arguments[at].type, q->arguments[at]);
            else
                sql_bind_null(sql);
        }
        return;
    }
    if (table->schema.n) {
        sql_name(sql, table->schema);
        buf_addc(sql->text, '.');
    }
    sql_name(sql, table->table);
}

const char *sql_from_where(struct sql *sql, const struct query_table *table, const struct query *q,
                           const struct sql_scope *scope)
{
    add_from(sql, table, q);
    const char *glue = " WHERE ";
    struct slice owner = scope->owner;
    if (owner.p) {
        sql->failed = sql->failed || !query_value_fits((enum query_type)table->owner_type, owner);
        buf_adds(sql->text, glue);
        if (!sql->failed)
            sql_equals(sql, table->owner_column, NULL, table->owner_type, owner);
        glue = " AND ";
    }
    if (table->filter) {
        buf_adds(sql->text, glue);
        add_node(sql, table, table->filter);
        glue = " AND ";
    }
    if (scope->rows) {
        buf_adds(sql->text, glue);
        add_node(sql, table, scope->rows);
        glue = " AND ";
    }
    if (q->where.first) {
        buf_adds(sql->text, glue);
        add_node(sql, table, &q->where);
        glue = " AND ";
    }
    return glue;
}

/* The limit stands in the text: a planner that knows it plans once for all calls, where a bound one
 * makes PostgreSQL plan each anew. */
static void add_paging(struct sql *sql, const struct query *q)
{
    unsigned long long limit = (unsigned long long)q->limit;
    if (sql->dialect->paging == DIALECT_OFFSET_FETCH) {
        buf_adds(sql->text, " OFFSET ? ROWS");
        sql_bind_integer(sql, (int64_t)q->offset);
        buf_addf(sql->text, " FETCH NEXT %llu ROWS ONLY", limit);
        return;
    }
    buf_addf(sql->text, " LIMIT %llu", limit);
    if (q->offset) {
        buf_adds(sql->text, " OFFSET ?");
        sql_bind_integer(sql, (int64_t)q->offset);
    }
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

static void add_selected(struct sql *sql, const struct query_table *table, const struct query *q,
                         size_t i)
{
    static const char *const fns[QUERY_FNS] = {"", "COUNT(", "SUM(", "AVG(", "MIN(", "MAX("};
    const struct query_from *from = &q->from[i];
    if (!q->special) {
        sql_name(sql, table->columns[q->select[i]].column);
    } else if (from->fn && from->column == QUERY_NO_COLUMN) {
        buf_adds(sql->text, "COUNT(*)");
    } else {
        buf_adds(sql->text, fns[from->fn]);
        sql_column(sql, table->columns[from->column].column, from->path);
        buf_adds(sql->text, from->fn ? ")" : "");
    }
}

static void add_list(struct sql *sql, const struct query_table *table, const struct query *q)
{
    buf_adds(sql->text, "SELECT ");
    for (size_t i = 0; i < q->n_select; i++) {
        buf_adds(sql->text, i ? ", " : "");
        add_selected(sql, table, q, i);
    }
}

/* Groups that are too small to be given are not there. */
static void add_groups(struct sql *sql, const struct query_table *table, const struct query *q)
{
    const char *glue = " GROUP BY ";
    for (size_t i = 0; i < q->n_select; i++) {
        if (q->from[i].fn)
            continue;
        buf_adds(sql->text, glue);
        sql_name(sql, table->columns[q->select[i]].column);
        glue = ", ";
    }
    buf_addf(sql->text, " HAVING COUNT(*) >= %u", table->min_group);
}

void sql_select(struct sql *sql, const struct query_table *table, const struct query *q,
                const struct sql_scope *scope)
{
    struct sql_sort sorts[QUERY_SORT_MAX];
    size_t n_sorts = q->grouped ? 0 : sql_sorts(table, q, sorts);
    const char *glue = q->n_select ? ", " : "";
    begin(sql);
    add_list(sql, table, q);
    for (size_t i = 0; q->after.p && i < n_sorts; i++, glue = ", ") {
        buf_adds(sql->text, glue);
        sql_column(sql, sorts[i].column, sorts[i].path);
    }
    for (size_t i = 0; i < q->n_embeds; i++, glue = ", ") {
        buf_adds(sql->text, glue);
        sql_name(sql, q->embeds[i].relation->local);
    }
    glue = sql_from_where(sql, table, q, scope);
    if (q->n_seek)
        sql_seek(sql, q, sorts, n_sorts, glue);
    if (q->grouped)
        add_groups(sql, table, q);
    sql_order(sql, table, q);
    add_paging(sql, q);
    finish(sql);
}

void sql_related(struct sql *sql, const struct query_embed *embed, struct slice owner,
                 const struct slice *values, size_t n, uint64_t limit)
{
    const struct query_relation *r = embed->relation;
    struct query *q = embed->query;
    const struct sql_scope scope = {.owner = owner};
    begin(sql);
    add_list(sql, &r->table, q);
    buf_adds(sql->text, ", ");
    sql_name(sql, r->foreign);
    buf_adds(sql->text, sql_from_where(sql, &r->table, q, &scope));
    sql_name(sql, r->foreign);
    buf_adds(sql->text, " IN (");
    for (size_t i = 0; i < n; i++) {
        buf_adds(sql->text, i ? ", " : "");
        sql_value(sql, r->foreign_type, values[i]);
    }
    buf_addc(sql->text, ')');
    sql_order(sql, &r->table, q);
    q->offset = 0;
    q->limit = limit;
    add_paging(sql, q);
    finish(sql);
}

void sql_count(struct sql *sql, const struct query_table *table, const struct query *q,
               const struct sql_scope *scope)
{
    begin(sql);
    buf_adds(sql->text, q->grouped ? "SELECT COUNT(*) FROM (SELECT 1" : "SELECT COUNT(*)");
    sql_from_where(sql, table, q, scope);
    if (q->grouped) {
        add_groups(sql, table, q);
        buf_adds(sql->text, ") AS g");
    }
    finish(sql);
}
