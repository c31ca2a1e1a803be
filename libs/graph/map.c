/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/internal.h"

/* Of a literal a copy: the graph's own trees are read by several threads. */
static json_t *map_leaf(const json_t *mapping, const json_t *scope, bool *absent)
{
    const json_t *ref = json_object_get(mapping, "$ref");
    if (!ref) {
        const json_t *literal = json_object_get(mapping, "$literal");
        return json_deep_copy(literal ? literal : mapping);
    }
    const json_t *value = graph_find(scope, json_string_value(ref));
    const json_t *otherwise = json_object_get(mapping, "default");
    if ((!value || json_is_null(value)) && otherwise)
        return json_deep_copy(otherwise);
    *absent = value == NULL;
    return value ? json_incref((json_t *)value) : json_null();
}

static json_t *map_text(const json_t *mapping, const json_t *scope, bool *absent)
{
    struct buf text;
    buf_init(&text);
    const char *template_text = json_string_value(json_object_get(mapping, "$text"));
    bool ok = graph_header(template_text, scope, &text) == GRAPH_TEXT_OK;
    json_t *out = ok ? json_stringn(text.n ? text.p : "", text.n) : json_null();
    *absent = !ok;
    buf_fini(&text);
    return out;
}

static json_t *map_value(const json_t *mapping, const json_t *scope, bool *absent);

static json_t *map_object(const json_t *mapping, const json_t *scope)
{
    json_t *out = json_object(), *value;
    const char *name;
    json_object_foreach((json_t *)mapping, name, value)
    {
        bool absent = false;
        json_t *made = map_value(value, scope, &absent);
        if (made && absent) {
            json_decref(made);
            continue;
        }
        if (json_object_set_new(out, name, made) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

static json_t *map_array(const json_t *mapping, const json_t *scope)
{
    json_t *out = json_array(), *value;
    size_t i;
    json_array_foreach((json_t *)mapping, i, value)
    {
        bool absent = false;
        if (json_array_append_new(out, map_value(value, scope, &absent)) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

/* Depth is bounded by graph_new(). */
static json_t *map_value(const json_t *mapping, const json_t *scope, bool *absent)
{
    if (json_object_get(mapping, "$text"))
        return map_text(mapping, scope, absent);
    if (json_object_get(mapping, "$ref") || json_object_get(mapping, "$literal"))
        return map_leaf(mapping, scope, absent);
    if (json_is_object(mapping))
        return map_object(mapping, scope);
    return json_is_array(mapping) ? map_array(mapping, scope) : map_leaf(mapping, scope, absent);
}

json_t *graph_map(const json_t *mapping, const json_t *scope)
{
    bool absent = false;
    return map_value(mapping, scope, &absent);
}

struct sink {
    struct buf *out;
    size_t left;
};

static int write_some(const char *text, size_t n, void *data)
{
    struct sink *sink = data;
    if (n > sink->left)
        return -1;
    sink->left -= n;
    buf_add(sink->out, text, n);
    return sink->out->failed ? -1 : 0;
}

bool graph_write(const json_t *value, size_t max, struct buf *out)
{
    struct sink sink = {out, max};
    return json_dump_callback(value, write_some, &sink, GRAPH_JSON) == 0;
}
