/* SPDX-License-Identifier: Apache-2.0 */
/* Answers held against all that the API declares (SW-7d5), by the validator that the gateway holds
 * calls against (libs/schema). What a provider described is of its own answers: what a mask makes
 * of a member is of no form, and what does not leave is not asked for. Without a description the
 * fields are the declaration. */
#include "schema/schema.h"

#include <stdio.h>

#include "api/api.h"
#include "services/probe.h"

#define DEPTH_MAX 32
#define NAME_MAX_ 300

static bool leaves(const json_t *field)
{
    json_int_t level = json_integer_value(json_object_get(field, "level"));

    return level >= 1 && level <= 3;
}

static const json_t *field_at(const json_t *fields, const char *path)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (leaves(f) &&
            (strcmp(row_text(f, "path"), path) == 0 || strcmp(row_text(f, "name"), path) == 0)) {
            return f;
        }
    }
    return NULL;
}

/* It is a field or leads to one. */
static bool declared(const json_t *fields, const char *path)
{
    json_t *f;
    size_t i, n = strlen(path);

    json_array_foreach(fields, i, f)
    {
        const char *names[] = {row_text(f, "path"), row_text(f, "name")};
        for (size_t k = 0; k < 2 && leaves(f); k++) {
            if (strcmp(names[k], path) == 0 ||
                (strncmp(names[k], path, n) == 0 && names[k][n] == '.')) {
                return true;
            }
        }
    }
    return false;
}

/* A longer path than any field's is cut, and then it is none's. */
static void join(char out[static NAME_MAX_], const char *path, const char *name)
{
    if (snprintf(out, NAME_MAX_, "%s%s%s", path, path[0] ? "." : "", name) >= NAME_MAX_) {
        out[NAME_MAX_ - 1] = '\0';
    }
}

static bool only(const json_t *fields, const json_t *v, const char *path, int depth)
{
    const char *key;
    json_t *member;
    size_t i;
    char inner[NAME_MAX_];
    bool all = depth < DEPTH_MAX;

    json_array_foreach(v, i, member)
    {
        all = all && only(fields, member, path, depth + 1);
    }
    json_object_foreach((json_t *)v, key, member)
    {
        join(inner, path, key);
        const json_t *f = field_at(fields, inner);
        bool whole = f && strcmp(row_text(f, "type"), "json") == 0;
        all = all && declared(fields, inner) && (whole || only(fields, member, inner, depth + 1));
    }
    return all;
}

bool probe_only_declared(const json_t *fields, const json_t *answer)
{
    return only(fields, answer, "", 0);
}

/* From the fields --------------------------------------------------------------------------------
 */
struct making {
    const json_t *api;
    json_t *schemas; /* components: one of each object, so that a list of it costs nothing */
    bool required;   /* a row of a table has all its columns */
};

static json_t *object_at(struct making *m, const char *path, int depth);

static json_t *leaf_schema(const json_t *field)
{
    return strcmp(row_text(field, "type"), "json") == 0 || row_text(field, "mask")[0]
               ? json_object()
               : json_pack("{s:[s, s, s, s]}", "type", "string", "number", "boolean", "null");
}

/* An object, a list of such, or nothing. Takes object. */
static json_t *some(json_t *object)
{
    return json_pack("{s:[O, {s:s, s:o}, {s:s}]}", "anyOf", object, "type", "array", "items",
                     object, "type", "null");
}

static const char *public_path(const struct making *m, const json_t *field)
{
    const char *name = row_text(field, "name");

    return m->required && name[0] ? name : row_text(field, "path");
}

static void add_members(struct making *m, const char *path, json_t *properties, int depth)
{
    size_t i, n = strlen(path);
    json_t *f;
    char name[NAME_MAX_], inner[NAME_MAX_];

    json_array_foreach(json_object_get(m->api, "fields"), i, f)
    {
        const char *at = public_path(m, f);
        if (!leaves(f) || (n && (strncmp(at, path, n) != 0 || at[n] != '.'))) {
            continue;
        }
        at += n ? n + 1 : 0;
        size_t k = strcspn(at, ".");
        snprintf(name, sizeof name, "%.*s", (int)k, at);
        if (!at[k]) {
            json_object_set_new(properties, name, leaf_schema(f));
        } else if (!json_object_get(properties, name)) {
            join(inner, path, name);
            json_object_set_new(properties, name, some(object_at(m, inner, depth + 1)));
        }
    }
}

static json_t *object_at(struct making *m, const char *path, int depth)
{
    json_t *properties = json_object(), *required = json_array();
    char name[24], ref[64];
    const char *key;
    json_t *v;

    snprintf(name, sizeof name, "o%zu", json_object_size(m->schemas));
    snprintf(ref, sizeof ref, "#/components/schemas/%s", name);
    json_object_set_new(m->schemas, name, json_null()); /* its number is taken */
    if (depth < DEPTH_MAX) {
        add_members(m, path, properties, depth);
    }
    json_object_foreach(properties, key, v)
    {
        if (m->required) {
            json_array_append_new(required, json_string(key));
        }
    }
    json_object_set_new(m->schemas, name,
                        json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties,
                                  "required", required));
    return json_pack("{s:s}", "$ref", ref);
}

static json_t *answer_of(json_t *schema)
{
    return json_pack("{s:{s:s, s:{s:{s:o}}}}", "2XX", "description", "the answer", "content",
                     "application/json", "schema", schema);
}

static json_t *from_fields(const json_t *api)
{
    static const char *const methods[] = {"get", "post", "put", "patch", "delete"};
    bool rest = strcmp(row_text(api, "profile"), "rest") == 0,
         table = rest && strcmp(row_text(api, "kind"), "dataset") == 0;
    struct making m = {.api = api, .schemas = json_object(), .required = table};
    json_t *object = object_at(&m, "", 0), *item = json_object();
    json_t *schema =
        table ? json_pack("{s:s, s:o}", "type", "array", "items", object) : some(object);

    for (size_t i = 0; i < COUNT(methods); i++) {
        json_object_set_new(item, methods[i],
                            json_pack("{s:o}", "responses", answer_of(json_incref(schema))));
    }
    json_decref(schema);
    return json_pack("{s:s, s:{s:o}, s:{s:o}}", "openapi", "3.1.0", "paths", "/", item,
                     "components", "schemas", m.schemas);
}

/* From the provider's description ----------------------------------------------------------------
 */
static json_t *resolved(json_t *doc, json_t *schema)
{
    char path[NAME_MAX_], *save = NULL;

    for (int i = 0; i < DEPTH_MAX && strncmp(row_text(schema, "$ref"), "#/", 2) == 0; i++) {
        json_t *at = doc;
        snprintf(path, sizeof path, "%s", row_text(schema, "$ref") + 2);
        for (char *w = strtok_r(path, "/", &save); w; w = strtok_r(NULL, "/", &save)) {
            at = json_object_get(at, w);
        }
        schema = at;
    }
    return schema;
}

static void not_required(json_t *schema, const char *name)
{
    json_t *required = json_object_get(schema, "required");

    for (size_t i = json_array_size(required); i > 0; i--) {
        const char *one = json_string_value(json_array_get(required, i - 1));
        if (one && strcmp(one, name) == 0) {
            json_array_remove(required, i - 1);
        }
    }
}

struct relaxing {
    json_t *doc;
    const json_t *fields;
};

static void relax(const struct relaxing *r, json_t *schema, const char *path, int depth);

static void relax_members(const struct relaxing *r, json_t *schema, const char *path, int depth)
{
    json_t *properties = json_object_get(schema, "properties"), *member;
    char inner[NAME_MAX_];
    const char *key;
    void *next;

    json_object_foreach_safe(properties, next, key, member)
    {
        join(inner, path, key);
        const json_t *f = field_at(r->fields, inner);
        if (!declared(r->fields, inner)) {
            not_required(schema, key);
            json_object_del(properties, key);
        } else if (f && row_text(f, "mask")[0]) {
            json_object_set_new(properties, key, json_object());
        } else if (!f || strcmp(row_text(f, "type"), "json") != 0) {
            relax(r, member, inner, depth + 1);
        }
    }
}

/* In place: a part that several refer to is relaxed for all of them. */
static void relax(const struct relaxing *r, json_t *schema, const char *path, int depth)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf", "prefixItems"};
    json_t *part;
    size_t i;

    schema = resolved(r->doc, schema);
    if (!json_is_object(schema) || depth > DEPTH_MAX) {
        return;
    }
    relax_members(r, schema, path, depth);
    relax(r, json_object_get(schema, "items"), path, depth + 1);
    for (size_t k = 0; k < COUNT(lists); k++) {
        json_array_foreach(json_object_get(schema, lists[k]), i, part)
        {
            relax(r, part, path, depth + 1);
        }
    }
}

static void relax_operation(const struct relaxing *r, json_t *operation)
{
    json_t *response, *media;
    const char *status, *type;
    json_t *responses = json_object_get(operation, "responses");

    json_object_foreach(responses, status, response)
    {
        json_object_foreach(json_object_get(resolved(r->doc, response), "content"), type, media)
        {
            relax(r, json_object_get(media, "schema"), "", 0);
        }
    }
    if (!responses) { /* whatever comes is JSON, and only_declared sees to its members */
        json_object_set_new(operation, "responses", answer_of(json_object()));
    }
}

static json_t *from_description(const json_t *api, const json_t *openapi)
{
    json_t *doc = json_deep_copy(openapi), *item, *operation;
    const struct relaxing r = {doc, json_object_get(api, "fields")};
    const char *path, *method;

    json_object_foreach(json_object_get(doc, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (json_is_object(operation)) {
                relax_operation(&r, operation);
            }
        }
    }
    return doc;
}

/* ------------------------------------------------------------------------------------------------
 */
enum problem probe_schema_load(struct rest_call *c, struct store_txn *txn, const json_t *api,
                               struct probe_schema *schema)
{
    const struct store_value v = store_text(row_text(api, "id"));
    struct schema_error err = {.detail = ""};
    json_t *rows = NULL;
    enum problem p =
        services_rows(c, txn, "SELECT openapi FROM schemas WHERE api_id = ? AND state = 'active'",
                      &v, 1, "openapi:j", &rows);
    const json_t *openapi = json_object_get(json_array_get(rows, 0), "openapi");

    *schema = (struct probe_schema){.described = json_is_object(openapi)};
    json_t *doc = schema->described ? from_description(api, openapi) : from_fields(api);
    if (p == PROBLEM_OK && schema_compile(doc, &schema->schema, &err) != SCHEMA_OK) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "answers cannot be held against its description: %s at %.120s", err.detail,
                      err.where);
    }
    json_decref(doc);
    json_decref(rows);
    return p;
}

void probe_schema_fini(struct probe_schema *schema)
{
    schema_free(&schema->schema);
}

bool probe_schema_holds(const struct probe_schema *schema, const char *method, const char *more,
                        const struct probe_answer *answer, char note[static PROBE_NOTE_MAX])
{
    struct schema_error err = {.detail = ""};
    const struct schema_response res = {
        .method = slice_str(method),
        .path = schema->described ? slice_of(more, strcspn(more, "?")) : SLICE("/"),
        .status = (unsigned)answer->status,
        .content_type = slice_str(answer->type),
        .body = buf_slice(&answer->body)};

    note[0] = '\0';
    if (answer->status < 200 || answer->status > 299 ||
        (answer->status == 204 && answer->body.n == 0)) {
        return true; /* a refusal is the platform's, of one form (RFC 9457) */
    }
    if (schema_check_response(schema->schema, &res, &err) == SCHEMA_OK) {
        return true;
    }
    snprintf(note, PROBE_NOTE_MAX, "%.200s at %s%.120s", err.detail, err.where[0] ? "" : "the top",
             err.where);
    return false;
}
