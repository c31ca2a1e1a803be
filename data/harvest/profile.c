/* SPDX-License-Identifier: Apache-2.0 */
#include "data/harvest/harvest.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "data/service.h"
#include "data/sources/metadata.h"
#include "mask/mask.h"

#define DEFAULT_MASK "keep:1:1"
#define CELL_MAX     200 /* bytes of a sample before it is masked */

struct profile {
    struct source *source;
    const char *schema, *table;
    json_t *columns; /* of the answer */
    const json_t *masks, *codes;
    struct buf sql, name; /* name: the table's, quoted */
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

/* Names come from the source's own catalogue; its quote is doubled within them. */
static void add_name(struct profile *p, struct buf *out, const char *name)
{
    const char *quote = source_quote(p->source);
    char q = quote[0] && quote[0] != ' ' ? quote[0] : '"';
    buf_addc(out, q);
    for (; *name; name++) {
        if (*name == q)
            buf_addc(out, q);
        buf_addc(out, *name);
    }
    buf_addc(out, q);
}

static enum source_err query(struct profile *p, const struct source_param *params, size_t n,
                             struct source_rows *rows)
{
    buf_addc(&p->sql, '\0');
    if (p->sql.failed || p->name.failed)
        return SOURCE_EUNAVAILABLE;
    return source_query(p->source, slice_of(p->sql.p, p->sql.n - 1), params, n, rows);
}

static void add_limit(struct profile *p, unsigned n)
{
    if (source_dialect(p->source)->paging == DIALECT_OFFSET_FETCH)
        buf_addf(&p->sql, " OFFSET 0 ROWS FETCH NEXT %u ROWS ONLY", n);
    else
        buf_addf(&p->sql, " LIMIT %u", n);
}

static json_t *number(const struct source_rows *rows, size_t i)
{
    struct slice v;
    char text[32];
    if (!source_cell(rows, i, &v) || v.n >= sizeof text)
        return json_null();
    memcpy(text, v.p, v.n);
    text[v.n] = '\0';
    return json_integer(strtoll(text, NULL, 10));
}

static enum source_err count_rows(struct profile *p, json_t *answer)
{
    struct source_rows rows;
    bool more = false;
    buf_clear(&p->sql);
    buf_adds(&p->sql, "SELECT count(*) FROM ");
    buf_add(&p->sql, p->name.p, p->name.n);
    enum source_err err = query(p, NULL, 0, &rows);
    if (err)
        return err;
    err = source_next(&rows, &more);
    if (!err && more)
        json_object_set_new(answer, "rows", number(&rows, 0));
    source_rows_end(&rows);
    return err;
}

static bool is_a(const json_t *column, const char *type)
{
    return strcmp(text_of(column, "type"), type) == 0;
}

/* What every database can count and order. */
static bool measured(const json_t *column)
{
    return !is_a(column, "json") && !is_a(column, "binary") && !is_a(column, "boolean");
}

static size_t figures(const struct profile *p)
{
    size_t n = json_array_size(p->columns);
    return n < HARVEST_COLUMNS_MAX ? n : HARVEST_COLUMNS_MAX;
}

json_t *harvest_cover(const json_t *masks, const char *column, const char *type, struct slice v)
{
    struct mask_spec spec;
    char out[MASK_OUT_MAX(CELL_MAX)];
    const char *rule = text_of(masks, column);
    if (strcmp(rule, "none") == 0)
        return json_stringn(v.p, v.n < CELL_MAX ? v.n : CELL_MAX);
    if (!*rule)
        rule = strncmp(type, "date", 4) == 0 ? "year" : DEFAULT_MASK;
    if (mask_parse(&spec, slice_str(rule)) != MASK_OK || v.n > CELL_MAX)
        return json_string(MASK_COVER);
    if (spec.rule == MASK_NULL)
        return json_null();
    return json_stringn(out, mask_apply(&spec, NULL, v, out));
}

static json_t *covered(const struct profile *p, const json_t *column, struct slice v)
{
    return harvest_cover(p->masks, text_of(column, "name"), text_of(column, "type"), v);
}

static void read_figures(struct profile *p, const struct source_rows *rows)
{
    size_t at = 1;
    json_t *total = number(rows, 0);
    for (size_t i = 0; i < figures(p); i++) {
        json_t *column = json_array_get(p->columns, i), *filled = number(rows, at++);
        struct slice v;
        json_object_set_new(column, "nulls",
                            json_integer(json_integer_value(total) - json_integer_value(filled)));
        json_decref(filled);
        if (!measured(column))
            continue;
        json_object_set_new(column, "distinct", number(rows, at++));
        for (int k = 0; k < 2; k++) {
            json_t *edge = source_cell(rows, at++, &v) ? covered(p, column, v) : NULL;
            json_object_set_new(column, k ? "max" : "min", edge ? edge : json_null());
        }
    }
    json_decref(total);
}

static void add_figures(struct profile *p)
{
    buf_clear(&p->sql);
    buf_adds(&p->sql, "SELECT count(*)");
    for (size_t i = 0; i < figures(p); i++) {
        static const char *const of[] = {", count(", ", count(DISTINCT ", ", min(", ", max("};
        const json_t *column = json_array_get(p->columns, i);
        for (size_t k = 0; k < (measured(column) ? sizeof of / sizeof *of : 1); k++) {
            buf_adds(&p->sql, of[k]);
            add_name(p, &p->sql, text_of(column, "name"));
            buf_addc(&p->sql, ')');
        }
    }
    buf_adds(&p->sql, " FROM (SELECT * FROM ");
    buf_add(&p->sql, p->name.p, p->name.n);
    add_limit(p, HARVEST_SAMPLED);
    buf_adds(&p->sql, ") AS sampled");
}

static enum source_err measure(struct profile *p)
{
    struct source_rows rows;
    bool more = false;
    add_figures(p);
    enum source_err err = query(p, NULL, 0, &rows);
    if (err)
        return err;
    err = source_next(&rows, &more);
    if (!err && more)
        read_figures(p, &rows);
    source_rows_end(&rows);
    return err;
}

/* The codes of a column as a set; NULL: it has none. */
static json_t *codes_of(const struct profile *p, const char *column)
{
    const char *name;
    json_t *codes, *code, *set = NULL;
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)p->codes, name, codes)
    {
        if (strcasecmp(name, column) != 0)
            continue;
        set = json_object();
        json_array_foreach(codes, i, code)
        {
            json_object_set_new(set, json_string_value(code), json_true());
        }
        return set;
    }
    return NULL;
}

/* Some drivers pad fixed text with blanks; a code has none at its end. */
static struct slice unpadded(struct slice v)
{
    while (v.n > 0 && v.p[v.n - 1] == ' ')
        v.n--;
    return v;
}

static enum source_err count_outside(struct profile *p, json_t *column, const json_t *set)
{
    struct source_rows rows;
    bool more = true;
    char text[CELL_MAX + 1];
    json_int_t outside = 0;
    buf_clear(&p->sql);
    buf_adds(&p->sql, "SELECT DISTINCT ");
    add_name(p, &p->sql, text_of(column, "name"));
    buf_adds(&p->sql, " FROM (SELECT * FROM ");
    buf_add(&p->sql, p->name.p, p->name.n);
    add_limit(p, HARVEST_SAMPLED);
    buf_adds(&p->sql, ") AS sampled");
    enum source_err err = query(p, NULL, 0, &rows);
    if (err)
        return err;
    while (!(err = source_next(&rows, &more)) && more) {
        struct slice v;
        if (!source_cell(&rows, 0, &v))
            continue;
        v = unpadded(v);
        snprintf(text, sizeof text, "%.*s", (int)(v.n < CELL_MAX ? v.n : CELL_MAX), v.p);
        outside += v.n > CELL_MAX || !json_object_get(set, text);
    }
    source_rows_end(&rows);
    if (!err)
        json_object_set_new(column, "outside", json_integer(outside));
    return err;
}

static enum source_err hold_codes(struct profile *p)
{
    enum source_err err = SOURCE_OK;
    for (size_t i = 0; i < figures(p) && !err; i++) {
        json_t *column = json_array_get(p->columns, i);
        json_t *set = codes_of(p, text_of(column, "name"));
        err = set ? count_outside(p, column, set) : SOURCE_OK;
        json_decref(set);
    }
    return err;
}

static json_t *sample_row(struct profile *p, const struct source_rows *rows)
{
    json_t *row = json_object();
    size_t at = 0;
    for (size_t i = 0; i < figures(p); i++) {
        const json_t *column = json_array_get(p->columns, i);
        struct slice v;
        if (is_a(column, "binary"))
            continue;
        json_t *cell = source_cell(rows, at++, &v) ? covered(p, column, v) : json_null();
        json_object_set_new(row, text_of(column, "name"), cell ? cell : json_null());
    }
    return row;
}

static enum source_err sample(struct profile *p, unsigned n_rows, json_t *out)
{
    struct source_rows rows;
    bool more = true, any = false;
    buf_clear(&p->sql);
    buf_adds(&p->sql, "SELECT ");
    for (size_t i = 0; i < figures(p); i++) {
        const json_t *column = json_array_get(p->columns, i);
        if (is_a(column, "binary"))
            continue;
        buf_adds(&p->sql, any ? ", " : "");
        add_name(p, &p->sql, text_of(column, "name"));
        any = true;
    }
    buf_adds(&p->sql, any ? " FROM " : "1 FROM ");
    buf_add(&p->sql, p->name.p, p->name.n);
    add_limit(p, n_rows);
    enum source_err err = any ? query(p, NULL, 0, &rows) : SOURCE_OK;
    if (err || !any)
        return err;
    while (!(err = source_next(&rows, &more)) && more)
        json_array_append_new(out, sample_row(p, &rows));
    source_rows_end(&rows);
    return err;
}

/* Figures that a database cannot give in time are left out; that it holds the table is not. */
static enum source_err fill(struct profile *p, unsigned n_rows, json_t *answer)
{
    json_t *rows = json_array();
    enum source_err err = metadata_details(p->source, p->schema, p->table, p->columns, answer);
    if (!err)
        err = count_rows(p, answer);
    if (err == SOURCE_ETIMEOUT)
        err = SOURCE_OK;
    if (!err && measure(p))
        err = source_ready(p->source);
    if (!err)
        err = hold_codes(p);
    if (!err)
        err = sample(p, n_rows < HARVEST_ROWS_MAX ? n_rows : HARVEST_ROWS_MAX, rows);
    json_object_set_new(answer, "sample", rows);
    return err;
}

enum problem harvest_profile(struct source *s, const char *schema, const char *table,
                             const json_t *masks, const json_t *codes, unsigned n_rows,
                             json_t **answer)
{
    struct profile p = {
        .source = s, .schema = schema, .table = table, .masks = masks, .codes = codes};
    enum source_err err = metadata_columns(s, schema, table, &p.columns);
    if (err)
        return service_source_problem(err);
    if (json_array_size(p.columns) == 0) {
        json_decref(p.columns);
        return PROBLEM_NOT_FOUND;
    }
    buf_init(&p.sql);
    buf_init(&p.name);
    if (*schema) {
        add_name(&p, &p.name, schema);
        buf_addc(&p.name, '.');
    }
    add_name(&p, &p.name, table);
    json_t *out = json_pack("{s:O}", "columns", p.columns);
    err = fill(&p, n_rows, out);
    buf_fini(&p.sql);
    buf_fini(&p.name);
    json_decref(p.columns);
    if (err)
        json_decref(out);
    else
        *answer = out;
    return service_source_problem(err);
}
