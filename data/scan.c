/* SPDX-License-Identifier: Apache-2.0 */
#include "data/scan.h"

#include <stdio.h>
#include <stdlib.h>

#include "data/service.h"
#include "detect/detect.h"

struct scan {
    struct detect *detect;
    struct detect_column *columns;
    const json_t *names;
    size_t own, rows;
};

static const char *text_of(const json_t *body, const char *member)
{
    const char *text = json_string_value(json_object_get(body, member));
    return text ? text : "";
}

static bool texts(const json_t *list, size_t max)
{
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) if (!json_is_string(item) ||
                                          json_string_length(item) == 0) return false;
    return json_is_array(list) && json_array_size(list) <= max;
}

/* A quote in a name is doubled (SQL-92, delimited identifiers). */
static void add_name(struct buf *sql, const char *name, char quote)
{
    if (quote)
        buf_addc(sql, quote);
    for (; *name; name++) {
        if (quote && *name == quote)
            buf_addc(sql, quote);
        buf_addc(sql, *name);
    }
    if (quote)
        buf_addc(sql, quote);
}

static void add_names(struct buf *sql, const json_t *names, char quote)
{
    size_t i;
    json_t *name;
    json_array_foreach(names, i, name)
    {
        buf_adds(sql, i ? ", " : "");
        add_name(sql, json_string_value(name), quote);
    }
}

/* In the order of the key, so that the next step goes on where this one ended. */
static void make_sql(struct source *s, const json_t *body, long long offset, long long rows,
                     struct buf *sql)
{
    const char *schema = text_of(body, "schema");
    const json_t *order = json_object_get(body, "order");
    char quote = source_quote(s)[0];
    bool fetch = source_dialect(s)->paging == DIALECT_OFFSET_FETCH;

    buf_adds(sql, "SELECT ");
    add_names(sql, json_object_get(body, "columns"), quote);
    buf_adds(sql, " FROM ");
    if (schema[0]) {
        add_name(sql, schema, quote);
        buf_addc(sql, '.');
    }
    add_name(sql, text_of(body, "table"), quote);
    if (json_array_size(order) || fetch) {
        buf_adds(sql, " ORDER BY ");
        if (json_array_size(order))
            add_names(sql, order, quote);
        else
            buf_adds(sql, "1");
    }
    if (fetch)
        buf_addf(sql, " OFFSET %lld ROWS FETCH NEXT %lld ROWS ONLY", offset, rows);
    else
        buf_addf(sql, " LIMIT %lld OFFSET %lld", rows, offset);
}

static enum problem read_rows(struct source *s, struct buf *sql, struct scan *scan)
{
    struct source_rows rows;
    bool more = true;
    enum source_err err = source_query(s, buf_slice(sql), NULL, 0, &rows);

    if (err)
        return service_source_problem(err);
    while (!(err = source_next(&rows, &more)) && more) {
        scan->rows++;
        for (size_t i = 0; i < json_array_size(scan->names); i++) {
            struct slice value;
            if (source_cell(&rows, i, &value))
                detect_value(scan->detect, &scan->columns[i], value);
        }
    }
    source_rows_end(&rows);
    return service_source_problem(err);
}

static json_t *votes_of(const struct scan *scan, const struct detect_column *column)
{
    json_t *votes = json_object();

    for (size_t r = 0; r < DETECT_BUILT_IN + scan->own; r++) {
        const struct detect_votes *v = &column->votes[r];
        char own[32];
        if (v->matched == 0 && v->inside == 0)
            continue;
        snprintf(own, sizeof own, "own-%zu", r - DETECT_BUILT_IN);
        json_object_set_new(votes, r < DETECT_BUILT_IN ? detect_rules[r].name : own,
                            json_pack("[I,I,I]", (json_int_t)v->matched, (json_int_t)v->valid,
                                      (json_int_t)v->inside));
    }
    return votes;
}

static json_t *answer_of(const struct scan *scan)
{
    json_t *columns = json_array(), *name;
    size_t i;

    json_array_foreach(scan->names, i, name)
        json_array_append_new(columns, json_pack("{s:O,s:I,s:I,s:o}", "name", name, "values",
                                                 (json_int_t)scan->columns[i].values, "bytes",
                                                 (json_int_t)scan->columns[i].bytes, "votes",
                                                 votes_of(scan, &scan->columns[i])));
    return json_pack("{s:I,s:o}", "rows", (json_int_t)scan->rows, "columns", columns);
}

static enum problem open_detect(const json_t *patterns, struct scan *scan)
{
    struct slice own[DETECT_OWN_MAX];
    struct detect_error err;
    size_t bad, i;
    json_t *pattern;

    json_array_foreach(patterns, i, pattern) own[i] = slice_str(json_string_value(pattern));
    scan->own = json_array_size(patterns);
    enum detect_err e = detect_new(&scan->detect, own, scan->own, &bad, &err);
    return e == DETECT_OK         ? PROBLEM_OK
           : e == DETECT_EPATTERN ? PROBLEM_BODY_MALFORMED
                                  : PROBLEM_INTERNAL;
}

enum problem scan_step(struct source *s, const json_t *body, json_t **answer)
{
    const json_t *patterns = json_object_get(body, "patterns"),
                 *order = json_object_get(body, "order");
    struct scan scan = {.names = json_object_get(body, "columns")};
    json_int_t offset = json_integer_value(json_object_get(body, "offset")),
               rows = json_integer_value(json_object_get(body, "rows"));
    struct buf sql;

    if (!texts(scan.names, SCAN_COLUMNS_MAX) || json_array_size(scan.names) == 0 ||
        (order && !texts(order, SCAN_COLUMNS_MAX)) ||
        (patterns && !texts(patterns, DETECT_OWN_MAX)) || !text_of(body, "table")[0] ||
        offset < 0 || rows < 1 || rows > SCAN_ROWS_MAX)
        return PROBLEM_BODY_MALFORMED;
    enum problem p = service_source_problem(source_ready(s));
    if (!p)
        p = open_detect(patterns, &scan);
    if (p)
        return p;
    buf_init(&sql);
    scan.columns = calloc(json_array_size(scan.names), sizeof *scan.columns);
    make_sql(s, body, offset, rows, &sql);
    p = scan.columns && !sql.failed ? read_rows(s, &sql, &scan) : PROBLEM_INTERNAL;
    if (!p)
        *answer = answer_of(&scan);
    buf_fini(&sql);
    free(scan.columns);
    detect_free(&scan.detect);
    return p;
}
