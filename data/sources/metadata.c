/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/metadata.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "data/zones/zones.h"

#define METADATA_TEXT_MAX 512
#define NO_ODBC_TYPE      0 /* SQL_UNKNOWN_TYPE: the database's own catalogue was asked */

static const struct {
    int odbc;
    enum query_type type;
} odbc_types[] = {
    {SQL_BIT, QUERY_BOOLEAN},
    {SQL_TINYINT, QUERY_INTEGER},
    {SQL_SMALLINT, QUERY_INTEGER},
    {SQL_INTEGER, QUERY_INTEGER},
    {SQL_BIGINT, QUERY_INTEGER},
    {SQL_REAL, QUERY_NUMBER},
    {SQL_FLOAT, QUERY_NUMBER},
    {SQL_DOUBLE, QUERY_NUMBER},
    {SQL_NUMERIC, QUERY_NUMBER},
    {SQL_DECIMAL, QUERY_NUMBER},
    {SQL_TYPE_DATE, QUERY_DATE},
    {SQL_DATE, QUERY_DATE},
    {SQL_TYPE_TIMESTAMP, QUERY_DATETIME},
    {SQL_TIMESTAMP, QUERY_DATETIME},
    {SQL_BINARY, QUERY_BINARY},
    {SQL_VARBINARY, QUERY_BINARY},
    {SQL_LONGVARBINARY, QUERY_BINARY},
};

/* Where a driver reports text for something more: the beginning of the native name, any case. */
static const struct {
    const char *native;
    enum query_type type;
} native_types[] = {
    {"json", QUERY_JSON},          {"bool", QUERY_BOOLEAN},  {"numeric", QUERY_NUMBER},
    {"decimal", QUERY_NUMBER},     {"number", QUERY_NUMBER}, {"datetime", QUERY_DATETIME},
    {"timestamp", QUERY_DATETIME}, {"date", QUERY_DATE},
};

/* MariaDB's, asked of its own catalogue; texts are what is not here. */
static const struct {
    const char *native;
    enum query_type type;
} named_types[] = {
    {"tinyint", QUERY_INTEGER},   {"smallint", QUERY_INTEGER}, {"mediumint", QUERY_INTEGER},
    {"int", QUERY_INTEGER},       {"bigint", QUERY_INTEGER},   {"year", QUERY_INTEGER},
    {"float", QUERY_NUMBER},      {"double", QUERY_NUMBER},    {"bit(1)", QUERY_BOOLEAN},
    {"bit", QUERY_BINARY},        {"binary", QUERY_BINARY},    {"varbinary", QUERY_BINARY},
    {"tinyblob", QUERY_BINARY},   {"blob", QUERY_BINARY},      {"mediumblob", QUERY_BINARY},
    {"longblob", QUERY_BINARY},   {"geometry", QUERY_BINARY},  {"point", QUERY_BINARY},
    {"linestring", QUERY_BINARY}, {"polygon", QUERY_BINARY},   {"multi", QUERY_BINARY},
};

enum query_type metadata_type(int odbc_type, const char *native)
{
    for (size_t i = 0; odbc_type == NO_ODBC_TYPE && i < sizeof named_types / sizeof *named_types;
         i++)
        if (strncasecmp(native, named_types[i].native, strlen(named_types[i].native)) == 0)
            return named_types[i].type;
    for (size_t i = 0; i < sizeof native_types / sizeof *native_types; i++)
        if (strncasecmp(native, native_types[i].native, strlen(native_types[i].native)) == 0)
            return native_types[i].type;
    for (size_t i = 0; i < sizeof odbc_types / sizeof *odbc_types; i++)
        if (odbc_types[i].odbc == odbc_type)
            return odbc_types[i].type;
    return QUERY_STRING;
}

static void get_text(SQLHSTMT h, SQLUSMALLINT i, char out[256])
{
    SQLLEN length = 0;
    out[0] = '\0';
    if (!SQL_SUCCEEDED(SQLGetData(h, i, SQL_C_CHAR, out, 256, &length)) || length == SQL_NULL_DATA)
        out[0] = '\0';
}

static long get_long(SQLHSTMT h, SQLUSMALLINT i)
{
    SQLINTEGER v = 0;
    SQLLEN length = 0;
    if (!SQL_SUCCEEDED(SQLGetData(h, i, SQL_C_SLONG, &v, sizeof v, &length)) ||
        length == SQL_NULL_DATA)
        return 0;
    return v;
}

static void append_table(SQLHSTMT h, json_t *items)
{
    char schema[256], name[256], type[256];
    get_text(h, 2, schema);
    get_text(h, 3, name);
    get_text(h, 4, type);
    bool view = strcasecmp(type, "VIEW") == 0;
    if (strncmp(name, ZONE_HIDDEN, sizeof ZONE_HIDDEN - 1) == 0)
        return;
    json_array_append_new(items, json_pack("{s:s,s:s,s:s}", "schema", schema, "name", name, "type",
                                           view ? "view" : "table"));
}

static enum source_err open_statement(struct source *s, SQLHSTMT *h)
{
    enum source_err err = source_ready(s);
    if (err)
        return err;
    void *dbc = source_handle(s);
    if (!dbc)
        return SOURCE_EUNAVAILABLE;
    if (SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, h)))
        return SOURCE_OK;
    source_lost(s);
    return SOURCE_EUNAVAILABLE;
}

/* The database's own catalogue --------------------------------------------------------------- */

static const char *cell(const struct source_rows *rows, size_t i, char out[METADATA_TEXT_MAX])
{
    struct slice v;
    size_t n = 0;
    if (source_cell(rows, i, &v))
        n = v.n < METADATA_TEXT_MAX ? v.n : METADATA_TEXT_MAX - 1;
    if (n)
        memcpy(out, v.p, n);
    out[n] = '\0';
    return out;
}

static json_t *cell_json(const struct source_rows *rows, size_t i)
{
    struct slice v;
    return source_cell(rows, i, &v) ? json_stringn(v.p, v.n) : NULL;
}

static const struct dialect_catalogue *catalogue_of(struct source *s, enum source_err *err)
{
    *err = source_ready(s);
    return *err ? NULL : source_dialect(s)->catalogue;
}

static enum source_err own_tables(struct source *s, const char *sql, json_t *items)
{
    struct source_rows rows;
    char schema[METADATA_TEXT_MAX], name[METADATA_TEXT_MAX], type[METADATA_TEXT_MAX];
    bool more = true;
    enum source_err err = source_query(s, slice_str(sql), NULL, 0, &rows);
    if (err)
        return err;
    while (json_array_size(items) < METADATA_TABLES_MAX && !(err = source_next(&rows, &more)) &&
           more) {
        bool view = strcasecmp(cell(&rows, 2, type), "VIEW") == 0;
        json_array_append_new(items,
                              json_pack("{s:s, s:s, s:s}", "schema", cell(&rows, 0, schema), "name",
                                        cell(&rows, 1, name), "type", view ? "view" : "table"));
    }
    source_rows_end(&rows);
    return err;
}

/* "": the one the connection is in. */
static enum source_err own_schema(struct source *s, const char *sql, const char *given,
                                  char out[METADATA_TEXT_MAX])
{
    struct source_rows rows;
    bool more = false;
    snprintf(out, METADATA_TEXT_MAX, "%s", given);
    if (*given || !sql)
        return SOURCE_OK;
    enum source_err err = source_query(s, slice_str(sql), NULL, 0, &rows);
    if (err)
        return err;
    err = source_next(&rows, &more);
    if (!err && more)
        cell(&rows, 0, out);
    source_rows_end(&rows);
    return err;
}

static json_t *own_column(const struct source_rows *rows)
{
    char name[METADATA_TEXT_MAX], native[METADATA_TEXT_MAX], text[METADATA_TEXT_MAX];
    unsigned long long length = strtoull(cell(rows, 2, text), NULL, 10);
    bool nullable = cell(rows, 3, text)[0] == '1', key = cell(rows, 4, text)[0] == '1';
    json_t *comment = cell_json(rows, 5);
    cell(rows, 0, name);
    cell(rows, 1, native);
    return json_pack("{s:s, s:s, s:i, s:b, s:b, s:s, s:o}", "name", name, "type",
                     query_type_name(metadata_type(NO_ODBC_TYPE, native)), "length",
                     (int)(length < INT_MAX ? length : INT_MAX), "nullable", nullable, "key", key,
                     "native_type", native, "comment", comment ? comment : json_string(""));
}

static enum source_err own_columns(struct source *s, const struct dialect_catalogue *catalogue,
                                   const char *schema, const char *table, json_t *columns)
{
    struct source_rows rows;
    char named[METADATA_TEXT_MAX];
    bool more = true;
    enum source_err err = own_schema(s, catalogue->schema, schema, named);
    const struct source_param params[] = {{.text = slice_str(named)},
                                          {.text = slice_str(table)},
                                          {.text = slice_str(named)},
                                          {.text = slice_str(table)}};
    if (!err)
        err = source_query(s, slice_str(catalogue->columns), params, 4, &rows);
    if (err)
        return err;
    while (!(err = source_next(&rows, &more)) && more)
        json_array_append_new(columns, own_column(&rows));
    source_rows_end(&rows);
    return err;
}

static void set_comment(json_t *columns, const struct source_rows *rows)
{
    struct slice name;
    json_t *comment = cell_json(rows, 3), *column;
    size_t i;
    json_array_foreach(columns, i, column)
    {
        if (comment && source_cell(rows, 2, &name) &&
            slice_eq(slice_str(json_string_value(json_object_get(column, "name"))), name))
            json_object_set(column, "comment", comment);
    }
    json_decref(comment);
}

enum source_err metadata_details(struct source *s, const char *schema, const char *table,
                                 json_t *columns, json_t *about)
{
    struct source_rows rows;
    char named[METADATA_TEXT_MAX], bytes[METADATA_TEXT_MAX];
    bool more = true;
    enum source_err err;
    const struct dialect_catalogue *catalogue = catalogue_of(s, &err);
    if (!catalogue)
        return err;
    err = own_schema(s, catalogue->schema, schema, named);
    const struct source_param params[] = {{.text = slice_str(named)}, {.text = slice_str(table)}};
    if (!err)
        err = source_query(s, slice_str(catalogue->details), params, 2, &rows);
    if (err)
        return err;
    while (!(err = source_next(&rows, &more)) && more) {
        json_t *comment = cell_json(&rows, 1);
        if (comment)
            json_object_set_new(about, "comment", comment);
        if (*cell(&rows, 0, bytes))
            json_object_set_new(about, "bytes", json_integer(strtoll(bytes, NULL, 10)));
        if (rows.n_columns > 2)
            set_comment(columns, &rows);
    }
    source_rows_end(&rows);
    return err;
}

/* The driver's calls --------------------------------------------------------------------------- */

static enum source_err tables_once(struct source *s, json_t *items)
{
    SQLHSTMT h;
    enum source_err err;
    const struct dialect_catalogue *catalogue = catalogue_of(s, &err);
    if (catalogue && catalogue->tables)
        return own_tables(s, catalogue->tables, items);
    if (!err)
        err = open_statement(s, &h);
    if (err)
        return err;
    SQLCHAR kinds[] = "TABLE,VIEW";
    SQLRETURN r = SQLTables(h, NULL, 0, NULL, 0, NULL, 0, kinds, SQL_NTS);
    bool ok = SQL_SUCCEEDED(r);
    while (ok && SQL_SUCCEEDED(r = SQLFetch(h)) && json_array_size(items) < METADATA_TABLES_MAX)
        append_table(h, items);
    ok = ok && (r == SQL_NO_DATA || SQL_SUCCEEDED(r));
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    return ok ? SOURCE_OK : SOURCE_EUNAVAILABLE;
}

/* An idle connection may have died since it was last used: one more try on a fresh one. */
enum source_err metadata_tables(struct source *s, json_t **items)
{
    enum source_err err = SOURCE_EUNAVAILABLE;
    for (int i = 0; i < 2 && err == SOURCE_EUNAVAILABLE; i++) {
        if (i)
            source_lost(s);
        json_t *list = json_array();
        err = tables_once(s, list);
        if (!err)
            *items = list;
        else
            json_decref(list);
    }
    return err;
}

/* Catalogue calls take patterns: '_' and '%' of a real name would match others, so what comes back
 * is compared with the name that was asked for. */
static bool same_table(SQLHSTMT h, const char *schema, const char *table)
{
    char found_schema[256], found_table[256];
    get_text(h, 2, found_schema);
    get_text(h, 3, found_table);
    return strcmp(found_table, table) == 0 && (!*schema || strcmp(found_schema, schema) == 0);
}

static json_t *pack_column(SQLHSTMT h)
{
    char name[256], native[256], comment[256];
    get_text(h, 4, name);
    long odbc = get_long(h, 5);
    get_text(h, 6, native);
    long length = get_long(h, 7), nullable = get_long(h, 11);
    get_text(h, 12, comment);
    return json_pack("{s:s,s:s,s:i,s:b,s:b,s:s,s:s}", "name", name, "type",
                     query_type_name(metadata_type((int)odbc, native)), "length",
                     (int)(length > 0 ? length : 0), "nullable", nullable != SQL_NO_NULLS, "key", 0,
                     "native_type", native, "comment", comment);
}

static void mark_keys(SQLHDBC dbc, const char *schema, const char *table, json_t *columns)
{
    SQLHSTMT h;
    char name[256];
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h)))
        return;
    SQLRETURN r = SQLPrimaryKeys(h, NULL, 0, (SQLCHAR *)(uintptr_t)(*schema ? schema : NULL),
                                 *schema ? SQL_NTS : 0, (SQLCHAR *)(uintptr_t)table, SQL_NTS);
    while (SQL_SUCCEEDED(r) && SQL_SUCCEEDED(r = SQLFetch(h))) {
        size_t i;
        json_t *column;
        get_text(h, 4, name);
        json_array_foreach(
            columns, i,
            column) if (strcmp(json_string_value(json_object_get(column, "name")), name) == 0)
            json_object_set_new(column, "key", json_true());
    }
    SQLFreeHandle(SQL_HANDLE_STMT, h);
}

static enum source_err columns_once(struct source *s, const char *schema, const char *table,
                                    json_t *columns)
{
    SQLHSTMT h;
    enum source_err err;
    const struct dialect_catalogue *catalogue = catalogue_of(s, &err);
    if (catalogue && catalogue->columns)
        return own_columns(s, catalogue, schema, table, columns);
    if (!err)
        err = open_statement(s, &h);
    if (err)
        return err;
    SQLRETURN r = SQLColumns(h, NULL, 0, (SQLCHAR *)(uintptr_t)(*schema ? schema : NULL),
                             *schema ? SQL_NTS : 0, (SQLCHAR *)(uintptr_t)table, SQL_NTS, NULL, 0);
    bool ok = SQL_SUCCEEDED(r);
    while (ok && SQL_SUCCEEDED(r = SQLFetch(h)))
        if (same_table(h, schema, table))
            json_array_append_new(columns, pack_column(h));
    ok = ok && r == SQL_NO_DATA;
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    if (ok)
        mark_keys(source_handle(s), schema, table, columns);
    return ok ? SOURCE_OK : SOURCE_EUNAVAILABLE;
}

enum source_err metadata_columns(struct source *s, const char *schema, const char *table,
                                 json_t **columns)
{
    enum source_err err = SOURCE_EUNAVAILABLE;
    for (int i = 0; i < 2 && err == SOURCE_EUNAVAILABLE; i++) {
        if (i)
            source_lost(s);
        json_t *list = json_array();
        err = columns_once(s, schema, table, list);
        if (!err)
            *columns = list;
        else
            json_decref(list);
    }
    return err;
}
