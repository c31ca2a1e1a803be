/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/metadata.h"

#include <strings.h>

#include "data/zones/zones.h"

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

enum query_type metadata_type(int odbc_type, const char *native)
{
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

static enum source_err tables_once(struct source *s, json_t *items)
{
    SQLHSTMT h;
    enum source_err err = open_statement(s, &h);
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
    enum source_err err = open_statement(s, &h);
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
