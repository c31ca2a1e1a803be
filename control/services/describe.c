/* SPDX-License-Identifier: Apache-2.0 */
/* The description of an API as OpenAPI 3.1, made from its definition: what a caller of one level
 * sees and nothing above it. Nothing of what runs behind is in it (SW-4e). */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "services/services.h"

static json_t *example_of(const json_t *field)
{
    const char *mask = row_text(field, "mask");

    if (strcmp(row_text(field, "type"), "json") == 0) {
        return json_object();
    }
    return json_string(mask[0] ? "***" : "text");
}

static json_t *property_of(const json_t *field)
{
    const char *mask = row_text(field, "mask");
    json_t *out = json_object();

    if (strcmp(row_text(field, "type"), "json") != 0) {
        json_object_set_new(out, "type",
                            json_pack("[s, s, s, s]", "string", "number", "boolean", "null"));
    }
    json_object_set(out, "x-sluice-level", json_object_get(field, "level"));
    if (json_array_size(json_object_get(field, "tags")) > 0) { /* what a caller may write down */
        json_object_set(out, "x-sluice-tags", json_object_get(field, "tags"));
    }
    if (mask[0]) {
        json_object_set_new(out, "x-sluice-mask", json_string(mask));
    }
    json_object_set_new(out, "examples", json_pack("[o]", example_of(field)));
    return out;
}

/* data.items.id: objects inside each other; a list of them is told by its items, either way. */
static void put_property(json_t *schema, const char *path, const json_t *field)
{
    json_t *properties = json_object_get(schema, "properties");
    size_t n = strcspn(path, ".");
    char name[256];

    snprintf(name, sizeof name, "%.*s", (int)n, path);
    if (!path[n]) {
        json_object_set_new(properties, name, property_of(field));
        return;
    }
    json_t *inner = json_object_get(properties, name);
    if (!inner || !json_object_get(inner, "properties")) {
        inner = json_pack("{s:[s, s], s:{}}", "type", "object", "array", "properties");
        json_object_set_new(properties, name, inner);
    }
    put_property(inner, path + n + 1, field);
}

static json_t *answer_schema(const json_t *api, json_int_t level)
{
    json_t *schema = json_pack("{s:s, s:{}}", "type", "object", "properties"), *f;
    bool dataset = strcmp(row_text(api, "kind"), "dataset") == 0;
    bool rest = strcmp(row_text(api, "profile"), "rest") == 0;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, f)
    {
        json_int_t of = json_integer_value(json_object_get(f, "level"));
        if (of >= 1 && of <= level && of <= 3) {
            const char *name = row_text(f, "name");
            put_property(schema, dataset && rest && name[0] ? name : row_text(f, "path"), f);
        }
    }
    return dataset && rest ? json_pack("{s:s, s:o}", "type", "array", "items", schema) : schema;
}

static json_t *parameter(const char *name, const char *type, const char *text)
{
    return json_pack("{s:s, s:s, s:s, s:{s:s}}", "name", name, "in", "query", "description", text,
                     "schema", "type", type);
}

static json_t *parameters_of(const json_t *api)
{
    json_t *out = json_array();

    if (strcmp(row_text(api, "kind"), "dataset") == 0 &&
        strcmp(row_text(api, "profile"), "rest") == 0) {
        json_array_append_new(out, parameter("select", "string", "Fields wanted, with commas"));
        json_array_append_new(out, parameter("order", "string", "Fields to sort by"));
        json_array_append_new(out, parameter("pageno", "integer", "Page, from 1"));
        json_array_append_new(out, parameter("pagesize", "integer", "Rows of a page"));
    }
    return out;
}

/* CI-7.1d: what calls of a credit profile carry, and the form of each answer. */
static json_t *credit_body(const json_t *api)
{
    json_t *properties = json_object();

    if (json_is_true(json_object_get(api, "account_parameters"))) {
        json_object_set_new(properties, "accessid", json_pack("{s:s}", "type", "string"));
        json_object_set_new(properties, "username", json_pack("{s:s}", "type", "string"));
        json_object_set_new(properties, "pwd", json_pack("{s:s}", "type", "string"));
    }
    json_object_set_new(properties, "pageno", json_pack("{s:s}", "type", "integer"));
    json_object_set_new(properties, "pagesize", json_pack("{s:s}", "type", "integer"));
    return json_pack("{s:{s:{s:{s:s, s:o}}}}", "content", "application/json", "schema", "type",
                     "object", "properties", properties);
}

static json_t *operation_of(const json_t *api, const char *method, json_int_t level)
{
    json_t *responses =
        json_pack("{s:{s:s, s:{s:{s:o}}}, s:{s:s, s:{s:{s:{s:s}}}}}", "200", "description",
                  "The answer", "content", "application/json", "schema", answer_schema(api, level),
                  "default", "description", "A problem; its code says which (RFC 9457)", "content",
                  "application/problem+json", "schema", "$ref", "#/components/schemas/Problem");
    json_t *out =
        json_pack("{s:o, s:o, s:o}", "operationId",
                  json_sprintf("%s %s %s", method, row_text(api, "name"), row_text(api, "version")),
                  "parameters", parameters_of(api), "responses", responses);

    if (strcmp(row_text(api, "profile"), "rest") != 0) {
        json_object_set_new(out, "requestBody", credit_body(api));
    }
    if (strcmp(row_text(api, "state"), "deprecated") == 0) {
        json_object_set_new(out, "deprecated", json_true());
    }
    return out;
}

static json_t *own_path(const json_t *api, json_int_t level)
{
    json_t *item = json_object(), *m;
    char lower[12];
    size_t i;

    json_array_foreach(json_object_get(api, "methods"), i, m)
    {
        const char *method = json_string_value(m);
        size_t k = 0;
        for (; k < sizeof lower - 1 && method[k]; k++) {
            lower[k] = (char)tolower((unsigned char)method[k]);
        }
        lower[k] = '\0';
        json_object_set_new(item, lower, operation_of(api, method, level));
    }
    return item;
}

/* What the provider described keeps its requests; answers are told by fields and level alone. */
static void put_described(json_t *paths, const json_t *api, const json_t *schema, json_int_t level)
{
    const char *path, *method;
    char whole[1024];
    json_t *item, *operation;

    json_object_foreach(json_object_get(schema, "paths"), path, item)
    {
        json_t *mine = json_deep_copy(item);
        json_object_foreach(mine, method, operation)
        {
            if (json_object_get(operation, "responses")) {
                json_t *own = operation_of(api, method, level);
                json_object_set(operation, "responses", json_object_get(own, "responses"));
                json_decref(own);
            }
        }
        snprintf(whole, sizeof whole, "%s%s", row_text(api, "path"),
                 strcmp(path, "/") == 0 ? "" : path);
        json_object_set_new(paths, whole, mine);
    }
}

static json_t *security_schemes(void)
{
    return json_pack(
        "{s:{s:s, s:s, s:s, s:s}, s:{s:s, s:s}}", "signature", "type", "apiKey", "in", "header",
        "name", "Signature", "description",
        "HTTP Message Signatures (RFC 9421) with Content-Digest (RFC 9530): docs/signatures.md",
        "token", "type", "http", "scheme", "bearer");
}

static json_t *problem_schema(void)
{
    return json_pack("{s:s, s:{s:{s:s}, s:{s:s}, s:{s:s}, s:{s:s}}}", "type", "object",
                     "properties", "type", "type", "string", "title", "type", "string", "status",
                     "type", "integer", "code", "type", "string");
}

/* What a client has to know of the API beside its operations: an SDK goes by it. */
static json_t *info_of(const json_t *api, json_int_t level)
{
    const char *title = row_text(api, "title"), *class = row_text(api, "class");
    int answers_signed =
        strcmp(class, "A2") == 0 || json_is_true(json_object_get(api, "sign_response"));

    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:s, s:s}", "title",
                     title[0] ? title : row_text(api, "name"), "version", row_text(api, "version"),
                     "description", row_text(api, "description"), "x-sluice-api",
                     row_text(api, "id"), "x-sluice-level", level, "x-sluice-state",
                     row_text(api, "state"), "x-sluice-class", class, "x-sluice-signed",
                     answers_signed, "x-sluice-seal-request", row_text(api, "seal_request"),
                     "x-sluice-seal-response", row_text(api, "seal_response"));
}

json_t *describe_api(const struct rest_call *c, const json_t *api, const json_t *schema,
                     json_int_t level)
{
    json_t *paths = json_object();

    (void)c;
    if (schema) {
        put_described(paths, api, schema, level);
    } else {
        json_object_set_new(paths, row_text(api, "path"), own_path(api, level));
    }
    json_t *components = json_pack("{s:o, s:{s:o}}", "securitySchemes", security_schemes(),
                                   "schemas", "Problem", problem_schema());
    json_t *described = json_object_get(json_object_get(schema, "components"), "schemas");
    if (described) {
        json_object_update_missing(json_object_get(components, "schemas"), described);
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:[{s:[]}, {s:[]}]}", "openapi", "3.1.0", "info",
                     info_of(api, level), "paths", paths, "components", components, "security",
                     "signature", "token");
}

/* ?level=1..3: what a caller of that level sees. A developer's is that of the best subscription of
 * theirs, else what is open to all. */
static enum problem level_of(struct rest_call *c, struct store_txn *txn, const json_t *api,
                             json_int_t *level)
{
    const char *asked = rest_query(c, "level");
    const struct store_value v[] = {store_text(row_text(api, "id")),
                                    store_text(c->user.organisation)};
    json_t *rows = NULL;

    *level = 3;
    if (asked && (strlen(asked) != 1 || asked[0] < '1' || asked[0] > '3')) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "/level", "1, 2 or 3 is needed");
    }
    if (asked) {
        *level = asked[0] - '0';
        return PROBLEM_OK;
    }
    if (!(c->user.role & ROLE_DEVELOPER)) {
        return PROBLEM_OK;
    }
    enum problem p =
        services_rows(c, txn,
                      "SELECT max(max_level) FROM subscriptions WHERE api_id = ? AND state = "
                      "'approved' AND app_id IN (SELECT id FROM apps WHERE organisation_id = ?)",
                      v, COUNT(v), "level:i", &rows);
    const json_t *best = json_object_get(json_array_get(rows, 0), "level");
    *level = json_is_integer(best) ? json_integer_value(best) : 1;
    json_decref(rows);
    return p;
}

static enum problem describe_row(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                 json_t **doc)
{
    static const char *const known[] = {"level"};
    const struct store_value v = store_text(row_text(api, "id"));
    json_t *rows = NULL;
    json_int_t level = 1;
    enum problem p = rest_query_known(c, known, COUNT(known), "level");

    if (p == PROBLEM_OK) {
        p = level_of(c, txn, api, &level);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn,
                          "SELECT openapi FROM schemas WHERE api_id = ? AND state = 'active'", &v,
                          1, "openapi:j", &rows);
    }
    if (p == PROBLEM_OK) {
        *doc = describe_api(c, api, json_object_get(json_array_get(rows, 0), "openapi"), level);
        p = *doc ? PROBLEM_OK : PROBLEM_INTERNAL;
    }
    json_decref(rows);
    return p;
}

enum problem service_api_openapi(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *doc = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &apis_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = describe_row(c, txn, row, &doc);
    }
    store_rollback(&txn);
    json_decref(row);
    return p == PROBLEM_OK ? rest_answer(c, 200, doc) : p;
}

struct merging {
    json_t *doc; /* NULL: nothing yet */
};

static enum problem merge(struct rest_call *c, struct change *ch)
{
    struct merging *all = ch->arg;
    json_t *one = NULL;
    const char *state = row_text(ch->row, "state");

    if (strcmp(state, "published") != 0 && strcmp(state, "deprecated") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = describe_row(c, ch->txn, ch->row, &one);
    if (p == PROBLEM_OK && all->doc) {
        json_object_update(json_object_get(all->doc, "paths"), json_object_get(one, "paths"));
        json_object_update_missing(
            json_object_get(json_object_get(all->doc, "components"), "schemas"),
            json_object_get(json_object_get(one, "components"), "schemas"));
    } else if (p == PROBLEM_OK) {
        all->doc = json_incref(one);
    }
    json_decref(one);
    return p;
}

enum problem service_openapi(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    struct merging all = {NULL};
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &services_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &apis_resource, "service_id", row_text(row, "id"), merge, &all);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK && !all.doc) {
        p = rest_fail(c, PROBLEM_NOT_FOUND, "", "no version of the service is open");
    }
    if (p == PROBLEM_OK) {
        json_t *info = json_object_get(all.doc, "info");
        json_object_set(info, "title", json_object_get(row, "title"));
        json_object_set_new(info, "description", json_string(row_text(row, "purpose")));
        p = rest_answer(c, 200, json_incref(all.doc));
    }
    json_decref(all.doc);
    json_decref(row);
    return p;
}
