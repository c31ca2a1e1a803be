/* SPDX-License-Identifier: Apache-2.0 */
/* An agreement's access modes and data formats, as ways that nodes know. What the API or the export
 * job cannot give in an agreed format is not given by that way at all. */
#include "admission/inner.h"
#include "admission/terms.h"
#include "services/services.h"

static const struct {
    const char *mode, *way;
} ways_of[] = {{"direct", "call"}, {"sdk", "sdk"}, {"file", "export"}, {"event", "event"}};

static const char *way_of(const char *mode)
{
    for (size_t i = 0; i < COUNT(ways_of); i++) {
        if (strcmp(ways_of[i].mode, mode) == 0) {
            return ways_of[i].way;
        }
    }
    return NULL;
}

static bool has(const json_t *words, const char *word)
{
    json_t *item;
    size_t i;

    json_array_foreach(words, i, item)
    {
        if (strcmp(json_string_value(item), word) == 0) {
            return true;
        }
    }
    return false;
}

bool terms_ways_agree(const json_t *interface)
{
    const char *way = way_of(row_text(interface, "access_mode"));
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(interface, "ways"), i, item)
    {
        if (way && strcmp(json_string_value(item), way) != 0) {
            return false;
        }
    }
    return true;
}

/* The interface's own ways, else its mode's, else those of the agreement's modes. */
static json_t *named_ways(const json_t *interface, const json_t *terms)
{
    const json_t *modes = json_object_get(terms, "access_mode"),
                 *own = json_object_get(interface, "ways");
    const char *way = way_of(row_text(interface, "access_mode"));
    json_t *out = NULL, *mode;
    size_t i;

    if (json_is_array(own)) {
        return json_copy((json_t *)(uintptr_t)own);
    }
    if (way) {
        return json_pack("[s]", way);
    }
    json_array_foreach(modes, i, mode) /* of before there were words for them: a text, any way */
    {
        way = way_of(json_string_value(mode));
        out = out ? out : json_array();
        if (way && !has(out, way)) {
            json_array_append_new(out, json_string(way));
        }
    }
    return out;
}

/* JSON, and what its conversion speaks with clients beside. */
static enum problem speaks_xml(struct rest_call *c, struct store_txn *txn, const char *api_id,
                               bool *xml)
{
    const struct store_value v = store_text(api_id);
    json_t *rows = NULL, *operation, *client;
    size_t i, k;
    enum problem p = services_rows(
        c, txn, "SELECT definition FROM conversions WHERE api_id = ? AND state = 'active'", &v, 1,
        "definition:j", &rows);
    const json_t *operations =
        json_object_get(json_object_get(json_array_get(rows, 0), "definition"), "operations");

    *xml = false;
    json_array_foreach(operations, i, operation)
    {
        json_array_foreach(json_object_get(operation, "client"), k, client)
        {
            *xml = *xml || strcmp(json_string_value(client), "json") != 0;
        }
    }
    json_decref(rows);
    return p;
}

static void drop(json_t *ways, const char *way)
{
    for (size_t i = json_array_size(ways); i > 0; i--) {
        if (strcmp(json_string_value(json_array_get(ways, i - 1)), way) == 0) {
            json_array_remove(ways, i - 1);
        }
    }
}

static enum problem keep_formats(struct rest_call *c, struct store_txn *txn, const char *api_id,
                                 const json_t *formats, json_t *ways)
{
    bool xml = false;
    enum problem p = speaks_xml(c, txn, api_id, &xml);

    if (!has(formats, "json") || (xml && !has(formats, "xml"))) {
        drop(ways, "call");
        drop(ways, "sdk");
    }
    if (!has(formats, "json")) { /* events are JSON (CloudEvents) */
        drop(ways, "event");
    }
    if (!has(formats, "csv") && !has(formats, "ndjson") && !has(formats, "xml")) {
        drop(ways, "export");
    }
    return p;
}

enum problem terms_ways(struct rest_call *c, struct store_txn *txn, const json_t *interface,
                        const json_t *terms, json_t **ways)
{
    const json_t *formats = json_object_get(terms, "data_format");

    *ways = named_ways(interface, terms);
    if (!json_is_array(formats)) {
        return PROBLEM_OK;
    }
    *ways = *ways ? *ways : json_pack("[s, s, s]", "call", "export", "event");
    return keep_formats(c, txn, row_text(interface, "api_id"), formats, *ways);
}

enum problem terms_format_agreed(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                 const char *api_id, const char *format, bool *agreed)
{
    const struct store_value v[] = {store_text(app_id), store_text(api_id),
                                    store_int((int64_t)c->now_ms)};
    json_t *rows = NULL;
    enum problem p = services_rows(
        c, txn,
        "SELECT a.terms FROM agreements a, json_each(a.interfaces) i WHERE a.app_id = ? AND a.kind "
        "<> 'privacy' AND json_extract(i.value, '$.api_id') = ? AND a.state = 'in_force' ORDER BY "
        "coalesce(a.not_before, 0) > ?, a.in_force_at DESC LIMIT 1",
        v, COUNT(v), "terms:j", &rows);
    const json_t *formats =
        json_object_get(json_object_get(json_array_get(rows, 0), "terms"), "data_format");

    *agreed = !json_is_array(formats) || has(formats, format);
    json_decref(rows);
    return p;
}
