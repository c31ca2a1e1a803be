/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the fields that left are, say, personal financial information (BK-3.9a): the call log
 * has their paths, the control plane's store their tags. */
#include <sqlite3.h>
#include <string.h>

#include "audit.h"

#define TAGGED                                                                                     \
    "SELECT a.id, coalesce(json_extract(f.value, '$.path'), json_extract(f.value, '$.name')), "    \
    "json_extract(f.value, '$.tags') FROM apis a, json_each(a.fields) f WHERE "                    \
    "json_array_length(f.value, '$.tags') > 0"

static const char *column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text == NULL ? "" : text;
}

json_t *cli_audit_tags(const char *store)
{
    json_t *apis = json_object();
    sqlite3 *db = NULL;
    sqlite3_stmt *st = NULL;
    if (store[0] && sqlite3_open_v2(store, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 5000) == SQLITE_OK &&
        sqlite3_prepare_v2(db, TAGGED, -1, &st, NULL) == SQLITE_OK) {
        while (sqlite3_step(st) == SQLITE_ROW) {
            json_t *fields = json_object_get(apis, column(st, 0));
            if (fields == NULL) {
                fields = json_object();
                json_object_set_new(apis, column(st, 0), fields);
            }
            json_object_set_new(fields, column(st, 1), json_loads(column(st, 2), 0, NULL));
        }
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return apis;
}

static bool has(const json_t *tags, const char *only)
{
    json_t *tag;
    size_t i;
    json_array_foreach(tags, i, tag)
    {
        if (json_is_string(tag) && strcmp(json_string_value(tag), only) == 0) {
            return true;
        }
    }
    return false;
}

bool cli_audit_tag(json_t *record, const json_t *tags, const char *only)
{
    const char *api = json_string_value(json_object_get(record, "api"));
    const json_t *paths = api == NULL ? NULL : json_object_get(tags, api);
    bool found = only == NULL;
    json_t *field;
    size_t i;
    json_array_foreach(json_object_get(record, "fields"), i, field)
    {
        const char *path = json_string_value(json_object_get(field, "path"));
        json_t *of = path == NULL ? NULL : json_object_get(paths, path);
        if (of != NULL) {
            json_object_set(field, "tags", of);
            found = found || has(of, only);
        }
    }
    return found;
}
