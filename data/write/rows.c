/* SPDX-License-Identifier: Apache-2.0 */
#include "data/write/rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/codec.h"
#include "data/sources/metadata.h"

#define PARAMS_MAX 1024

struct statement {
    struct rows *r;
    struct source_param *params;
    size_t n;
    bool failed;
};

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static const json_t *columns_of(const json_t *shape)
{
    return json_object_get(shape, "columns");
}

static bool names(const json_t *keys, const char *column)
{
    size_t i;
    const json_t *key;
    json_array_foreach(keys, i, key)
    {
        if (strcmp(json_string_value(key), column) == 0)
            return true;
    }
    return false;
}

enum source_err rows_shape(struct source *s, const char *schema, const char *table,
                           const json_t *keys, json_t **shape)
{
    json_t *found = NULL, *columns = json_array(), *column;
    size_t i, n_keys = 0;
    enum source_err err = metadata_columns(s, schema, table, &found);
    json_array_foreach(found, i, column)
    {
        const char *name = text_of(column, "name");
        bool key = names(keys, name);
        n_keys += key;
        json_array_append_new(columns, json_pack("{s:s, s:s, s:b}", "n", name, "t",
                                                 text_of(column, "type"), "k", key));
    }
    json_decref(found);
    if (!err && (n_keys == 0 || n_keys != json_array_size(keys)))
        err = SOURCE_EUNAVAILABLE;
    *shape =
        err ? NULL
            : json_pack("{s:s, s:s, s:O}", "schema", schema, "table", table, "columns", columns);
    json_decref(columns);
    return err || *shape ? err : SOURCE_EUNAVAILABLE;
}

void rows_begin(struct rows *r, struct source *source, const json_t *shape, struct arena *arena)
{
    *r = (struct rows){.source = source, .shape = shape, .arena = arena};
    r->params = calloc(PARAMS_MAX, sizeof *r->params);
    buf_init(&r->sql);
}

void rows_end(struct rows *r)
{
    free(r->params);
    buf_fini(&r->sql);
}

json_t *rows_key(const json_t *shape, const json_t *image)
{
    json_t *key = json_object();
    const json_t *column;
    size_t i;
    json_array_foreach(columns_of(shape), i, column)
    {
        json_t *value = json_object_get(image, text_of(column, "n"));
        if (!json_is_true(json_object_get(column, "k")))
            continue;
        if (!value || json_is_null(value)) {
            json_decref(key);
            return NULL;
        }
        json_object_set(key, text_of(column, "n"), value);
    }
    return key;
}

json_t *rows_value(struct slice bytes, bool binary)
{
    json_t *value = binary ? NULL : json_stringn(bytes.p ? bytes.p : "", bytes.n);
    if (value)
        return value;
    struct buf b64;
    buf_init(&b64);
    if (buf_reserve(&b64, CODEC_BASE64_LEN(bytes.n) + 1))
        b64.n = codec_base64(b64.p, bytes.p, bytes.n);
    value = b64.failed ? NULL : json_pack("{s:s%}", "b64", b64.p, b64.n);
    buf_fini(&b64);
    return value;
}

struct slice rows_bytes(const json_t *value, struct arena *arena)
{
    if (json_is_string(value))
        return slice_of(json_string_value(value), json_string_length(value));
    const char *b64 = text_of(value, "b64");
    size_t n = 0, len = strlen(b64);
    char *out = json_is_object(value) ? arena_get(arena, 1, len + 1) : NULL;
    if (!out || !codec_unbase64(out, len + 1, &n, b64, len))
        return (struct slice){NULL, 0};
    return slice_of(out, n);
}

/* A quote in a name is doubled (SQL-92, delimited identifiers). */
static void add_name(struct statement *st, const char *name)
{
    struct buf *sql = &st->r->sql;
    char quote = source_quote(st->r->source)[0];
    st->failed |= !*name;
    buf_addc(sql, quote);
    for (; *name; name++) {
        if (*name == quote)
            buf_addc(sql, quote);
        buf_addc(sql, *name);
    }
    buf_addc(sql, quote);
}

static void add_table(struct statement *st)
{
    const char *schema = text_of(st->r->shape, "schema");
    if (*schema) {
        add_name(st, schema);
        buf_addc(&st->r->sql, '.');
    }
    add_name(st, text_of(st->r->shape, "table"));
}

static struct statement begin(struct rows *r, const char *sql)
{
    struct statement st = {.r = r, .params = r->params, .failed = !r->params};
    buf_clear(&r->sql);
    buf_adds(&r->sql, sql);
    return st;
}

static enum query_type type_of(const struct rows *r, const char *name)
{
    size_t i;
    const json_t *column;
    json_array_foreach(columns_of(r->shape), i, column)
    {
        if (strcmp(text_of(column, "n"), name) == 0)
            return query_type_by_name(slice_str(text_of(column, "t")));
    }
    return QUERY_STRING;
}

static bool to_integer(struct slice text, int64_t *value)
{
    bool negative = text.n && text.p[0] == '-';
    size_t at = text.n && (text.p[0] == '-' || text.p[0] == '+');
    *value = 0;
    if (text.n - at == 0 || text.n - at > 18)
        return false;
    for (; at < text.n; at++) {
        if (text.p[at] < '0' || text.p[at] > '9')
            return false;
        *value = *value * 10 + (text.p[at] - '0');
    }
    *value = negative ? -*value : *value;
    return true;
}

static void bind(struct statement *st, const char *column, const json_t *value)
{
    bool typed = source_dialect(st->r->source)->binding == DIALECT_BIND_TYPED;
    enum query_type type = type_of(st->r, column);
    struct slice text = rows_bytes(value, st->r->arena);
    if (st->failed || !text.p || st->n == PARAMS_MAX) {
        st->failed = true;
        return;
    }
    struct source_param *p = &st->params[st->n++];
    *p = (struct source_param){.text = text, .is_binary = json_is_object(value)};
    if (typed && type == QUERY_INTEGER)
        p->is_integer = to_integer(text, &p->integer);
    if (typed && type == QUERY_BOOLEAN) {
        p->is_integer = true;
        p->integer = text.n && (text.p[0] == 't' || text.p[0] == '1');
    }
}

static void add_where(struct statement *st, const json_t *key)
{
    const char *name;
    json_t *value;
    const char *word = " WHERE ";
    st->failed |= json_object_size(key) == 0; /* never a whole table */
    json_object_foreach((json_t *)(uintptr_t)key, name, value)
    {
        buf_adds(&st->r->sql, word);
        add_name(st, name);
        buf_adds(&st->r->sql, " = ?");
        bind(st, name, value);
        word = " AND ";
    }
}

static struct slice finish(struct statement *st)
{
    buf_addc(&st->r->sql, '\0');
    st->failed |= st->r->sql.failed;
    return slice_of(st->r->sql.p, st->r->sql.n ? st->r->sql.n - 1 : 0);
}

static enum source_err query(struct statement *st, struct source_rows *rows)
{
    struct slice sql = finish(st);
    return st->failed ? SOURCE_EVALUE : source_query(st->r->source, sql, st->params, st->n, rows);
}

/* Exactly one row, or what was decided on is no longer so. */
static enum source_err execute(struct statement *st)
{
    int64_t affected = 0;
    struct slice sql = finish(st);
    enum source_err err = st->failed
                              ? SOURCE_EVALUE
                              : source_execute(st->r->source, sql, st->params, st->n, &affected);
    return err || affected == 1 ? err : SOURCE_EBUSY;
}

static json_t *image_of(const struct rows *r, const struct source_rows *rows)
{
    json_t *image = json_object();
    const json_t *column;
    size_t i;
    json_array_foreach(columns_of(r->shape), i, column)
    {
        struct slice text;
        bool binary = strcmp(text_of(column, "t"), "binary") == 0;
        json_object_set_new(image, text_of(column, "n"),
                            source_cell(rows, i, &text) ? rows_value(text, binary) : json_null());
    }
    return image;
}

enum source_err rows_read(struct rows *r, const json_t *key, json_t **image)
{
    struct statement st = begin(r, "SELECT ");
    struct source_rows rows;
    const json_t *column;
    bool more = false;
    size_t i;
    *image = NULL;
    json_array_foreach(columns_of(r->shape), i, column)
    {
        if (i)
            buf_adds(&r->sql, ", ");
        add_name(&st, text_of(column, "n"));
    }
    buf_adds(&r->sql, " FROM ");
    add_table(&st);
    add_where(&st, key);
    buf_adds(&r->sql, source_dialect(r->source)->lock);
    enum source_err err = query(&st, &rows);
    if (err)
        return err;
    err = source_next(&rows, &more);
    if (!err && more)
        *image = image_of(r, &rows);
    if (!err && more)
        err = source_next(&rows, &more);
    if (!err && more) /* what is said to be a key is none */
        err = SOURCE_ECONSTRAINT;
    source_rows_end(&rows);
    if (err) {
        json_decref(*image);
        *image = NULL;
    }
    return err;
}

static enum source_err made_key(struct rows *r, const json_t *values, json_t **key)
{
    json_t *whole = json_copy((json_t *)(uintptr_t)values);
    const json_t *column;
    struct source_rows rows;
    struct slice text;
    const char *missing = NULL;
    bool more = false;
    size_t i;
    json_array_foreach(columns_of(r->shape), i, column)
    {
        json_t *value = json_object_get(values, text_of(column, "n"));
        if (json_is_true(json_object_get(column, "k")) && (!value || json_is_null(value)))
            missing = text_of(column, "n");
    }
    enum source_err err = SOURCE_OK;
    if (missing) {
        struct statement st = begin(r, source_dialect(r->source)->last_key);
        err = query(&st, &rows);
        if (!err) {
            err = source_next(&rows, &more);
            if (!err && more && source_cell(&rows, 0, &text))
                json_object_set_new(whole, missing, rows_value(text, false));
            source_rows_end(&rows);
        }
    }
    *key = err ? NULL : rows_key(r->shape, whole);
    json_decref(whole);
    return err || *key ? err : SOURCE_ECONSTRAINT;
}

enum source_err rows_insert(struct rows *r, const json_t *values, json_t **key)
{
    struct statement st = begin(r, "INSERT INTO ");
    const char *name;
    json_t *value;
    size_t i = 0;
    *key = NULL;
    add_table(&st);
    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        buf_adds(&r->sql, i++ ? ", " : " (");
        add_name(&st, name);
    }
    if (i == 0)
        buf_adds(&r->sql, source_dialect(r->source)->defaults);
    else
        buf_adds(&r->sql, ") VALUES (");
    i = 0;
    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        buf_adds(&r->sql, i++ ? ", " : "");
        buf_adds(&r->sql, json_is_null(value) ? "NULL" : "?");
        if (!json_is_null(value))
            bind(&st, name, value);
    }
    if (i)
        buf_addc(&r->sql, ')');
    enum source_err err = execute(&st);
    return err ? err : made_key(r, values, key);
}

enum source_err rows_update(struct rows *r, const json_t *key, const json_t *values)
{
    struct statement st = begin(r, "UPDATE ");
    const char *name;
    json_t *value;
    const char *word = " SET ";
    if (json_object_size(values) == 0)
        return SOURCE_OK;
    add_table(&st);
    json_object_foreach((json_t *)(uintptr_t)values, name, value)
    {
        buf_adds(&r->sql, word);
        add_name(&st, name);
        buf_adds(&r->sql, json_is_null(value) ? " = NULL" : " = ?");
        if (!json_is_null(value))
            bind(&st, name, value);
        word = ", ";
    }
    add_where(&st, key);
    return execute(&st);
}

enum source_err rows_delete(struct rows *r, const json_t *key)
{
    struct statement st = begin(r, "DELETE FROM ");
    add_table(&st);
    add_where(&st, key);
    return execute(&st);
}

enum source_err rows_guard(struct rows *r, int64_t number)
{
    const char *guard = source_dialect(r->source)->guard;
    struct source_param param = {.integer = number, .is_integer = true};
    struct source_rows rows;
    bool more;
    if (!guard)
        return SOURCE_OK;
    enum source_err err = source_query(r->source, slice_str(guard), &param, 1, &rows);
    if (err)
        return err;
    struct slice held;
    err = source_next(&rows, &more);
    if (!err && (!more || !source_cell(&rows, 0, &held) || !slice_eq(held, SLICE("1"))))
        err = SOURCE_EBUSY; /* the transaction of that number is not over */
    source_rows_end(&rows);
    return err;
}
