/* SPDX-License-Identifier: Apache-2.0 */
/* The OpenAPI objects around the schemas: document, path items, operations, parameters, bodies,
 * responses. Each is a table of the keys it may have; what is not in the table is refused. */
#include "schema_inner.h"

#include <stdlib.h>
#include <strings.h>

#define REFS_MAX  8 /* a $ref to a $ref to … */
#define JSON_TYPE "application/json"
#define NO_OBJECT "an object is needed here"

const char *const schema_methods[METHOD_COUNT] = {"get",     "put",  "post",  "delete",
                                                  "options", "head", "patch", "trace"};

/* The keys each object may have. */
static const char *const document_keys[] = {
    "openapi",  "info", "jsonSchemaDialect", "servers", "paths", "webhooks", "components",
    "security", "tags", "externalDocs",      NULL};
static const char *const path_keys[] = {"summary", "description", "servers", "parameters", "get",
                                        "put",     "post",        "delete",  "options",    "head",
                                        "patch",   "trace",       NULL};
static const char *const operation_keys[] = {
    "tags",       "summary",     "description", "externalDocs", "operationId",
    "parameters", "requestBody", "responses",   "callbacks",    "deprecated",
    "security",   "servers",     NULL};
static const char *const parameter_keys[] = {"name",       "in",       "description",   "required",
                                             "deprecated", "style",    "explode",       "schema",
                                             "example",    "examples", "allowReserved", NULL};
static const char *const body_keys[] = {"description", "content", "required", NULL};
static const char *const response_keys[] = {"description", "headers", "content", "links", NULL};
static const char *const reference_keys[] = {"$ref", "summary", "description", NULL};
static const char *const media_keys[] = {"schema", "example", "examples", NULL};

static bool is_key(const char *const *keys, const char *key)
{
    if (strncmp(key, "x-", 2) == 0) {
        return true;
    }
    while (*keys != NULL && strcmp(*keys, key) != 0) {
        keys++;
    }
    return *keys != NULL;
}

static bool has_only(struct build *b, const json_t *json, const char *const *keys,
                     const struct at *at)
{
    const char *key;
    json_t *value;
    if (!json_is_object(json)) {
        return schema_refuse(b, at, NO_OBJECT);
    }
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        struct at below = {.up = at, .name = key};
        if (!is_key(keys, key)) {
            return schema_refuse(b, &below, "this cannot be enforced");
        }
    }
    return true;
}

/* json, or what it refers to; *at moves with it. The pointer it moves to is the document's own
 * text. keys: what may stand beside the $ref; NULL: anything, in a schema. */
static const json_t *follow(struct build *b, const json_t *json, const char *const *keys,
                            struct at *at)
{
    for (int i = 0; json != NULL && json_object_get(json, "$ref") != NULL; i++) {
        const char *ref = json_string_value(json_object_get(json, "$ref"));
        if (keys != NULL && !has_only(b, json, keys, at)) {
            return NULL;
        }
        if (i == REFS_MAX) {
            schema_refuse(b, at, "the $ref goes too far, or in a circle");
            return NULL;
        }
        json = schema_resolve(b, ref, at);
        if (json != NULL) {
            *at = (struct at){.name = ref + 1, .pointer = true};
        }
    }
    return json;
}

static bool read_flag(struct build *b, const json_t *json, const char *key, bool absent,
                      const struct at *at, bool *out)
{
    const json_t *value = json_object_get(json, key);
    struct at below = {.up = at, .name = key};
    *out = value == NULL ? absent : json_is_true(value);
    return value == NULL || json_is_boolean(value) ||
           schema_refuse(b, &below, "true or false is needed here");
}

/* -- parameters -------------------------------------------------------------------------------- */

static bool read_place(struct build *b, const char *in, const struct at *at, enum place *out)
{
    static const char *const places[] = {
        [IN_PATH] = "path", [IN_QUERY] = "query", [IN_HEADER] = "header"};
    for (size_t i = 0; in != NULL && i < sizeof places / sizeof *places; i++) {
        if (strcmp(in, places[i]) == 0) {
            *out = (enum place)i;
            return true;
        }
    }
    return schema_refuse(b, at,
                         "a parameter that is not in path, query or header cannot be enforced");
}

/* The one type a schema names, through a plain $ref; 0: none, or several. */
static unsigned only_type(struct build *b, const json_t **schema, struct at *at)
{
    *schema = follow(b, *schema, NULL, at);
    const char *type = json_string_value(json_object_get(*schema, "type"));
    static const struct {
        const char *name;
        enum kind kind;
    } types[] = {{"boolean", KIND_BOOLEAN},
                 {"integer", KIND_INTEGER},
                 {"number", KIND_NUMBER},
                 {"string", KIND_STRING},
                 {"array", KIND_ARRAY}};
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, type) == 0) {
            return 1u << types[i].kind;
        }
    }
    return 0;
}

/* A text is read by its type, so the type must be known before the value is. */
static bool read_parameter_type(struct build *b, struct parameter *p, const json_t *schema,
                                const struct at *at)
{
    struct at here = *at;
    unsigned type = only_type(b, &schema, &here);
    p->array = type == 1u << KIND_ARRAY;
    if (p->array) {
        const json_t *items = json_object_get(schema, "items");
        type = only_type(b, &items, &here);
    }
    if (type == 0 || type == 1u << KIND_ARRAY) {
        return b->err->code == SCHEMA_EDOCUMENT
                   ? false
                   : schema_refuse(b, at,
                                   "a parameter needs one `type`: boolean, integer, number, "
                                   "string, or an array of one of these");
    }
    for (p->kind = KIND_NULL; type >> p->kind != 1; p->kind++) {
    }
    return true;
}

static bool read_style(struct build *b, struct parameter *p, const json_t *json,
                       const struct at *at)
{
    const char *wanted = p->in == IN_QUERY ? "form" : "simple";
    const json_t *style = json_object_get(json, "style");
    struct at below = {.up = at, .name = "style"};
    if (style != NULL &&
        (!json_is_string(style) || strcmp(json_string_value(style), wanted) != 0)) {
        return schema_refuse(b, &below,
                             "only style form (query) and simple (path, header) can be enforced");
    }
    return read_flag(b, json, "explode", p->in == IN_QUERY, at, &p->explode);
}

static bool read_name(struct build *b, struct parameter *p, const json_t *json, const struct at *at)
{
    static const char *const reserved[] = {"Accept", "Content-Type", "Authorization"};
    const char *name = json_string_value(json_object_get(json, "name"));
    struct at below = {.up = at, .name = "name"};
    if (name == NULL || *name == '\0' || strlen(name) > SCHEMA_WHERE_MAX) {
        return schema_refuse(b, &below, "a name is needed here");
    }
    for (size_t i = 0; p->in == IN_HEADER && i < sizeof reserved / sizeof *reserved; i++) {
        if (strcasecmp(name, reserved[i]) == 0) {
            return schema_refuse(b, &below, "OpenAPI ignores a header parameter of this name");
        }
    }
    return schema_copy(b, &p->name, slice_str(name));
}

static bool compile_parameter(struct build *b, struct parameter *p, const json_t *json,
                              struct at at)
{
    json = follow(b, json, reference_keys, &at);
    if (json == NULL || !has_only(b, json, parameter_keys, &at) ||
        !read_place(b, json_string_value(json_object_get(json, "in")), &at, &p->in) ||
        !read_name(b, p, json, &at) || !read_style(b, p, json, &at) ||
        !read_flag(b, json, "required", false, &at, &p->required)) {
        return false;
    }
    const json_t *schema = json_object_get(json, "schema");
    struct at below = {.up = &at, .name = "schema"};
    if (schema == NULL) {
        return schema_refuse(b, &at, "a parameter needs a `schema`");
    }
    if (p->in == IN_PATH && !p->required) {
        return schema_refuse(b, &at, "a path parameter must be `required`");
    }
    p->schema = read_parameter_type(b, p, schema, &below) ? schema_node(b, schema, &below) : NULL;
    return p->schema != NULL;
}

static struct parameter *find_parameter(struct operation *op, enum place in, struct slice name)
{
    for (size_t i = 0; i < op->n_parameters; i++) {
        struct slice other = op->parameters[i].name;
        bool same = other.n == name.n && (in == IN_HEADER ? strncasecmp(other.p, name.p, name.n)
                                                          : memcmp(other.p, name.p, name.n)) == 0;
        if (op->parameters[i].in == in && same) {
            return &op->parameters[i];
        }
    }
    return NULL;
}

/* The operation's list comes first: the path's own parameter of the same name gives way to it. */
static bool add_parameters(struct build *b, struct operation *op, const json_t *list,
                           const struct at *up, bool may_repeat)
{
    size_t i;
    const json_t *json;
    struct at at = {.up = up, .name = "parameters"};
    if (list != NULL && !json_is_array(list)) {
        return schema_refuse(b, &at, "an array of parameters is needed here");
    }
    json_array_foreach(list, i, json)
    {
        struct at below = {.up = &at, .index = i};
        struct parameter one = {0};
        if (op->n_parameters == SCHEMA_PARAMETERS_MAX) {
            return schema_refuse(b, &below, "the operation has too many parameters");
        }
        if (!compile_parameter(b, &one, json, below)) {
            return false;
        }
        if (find_parameter(op, one.in, one.name) == NULL) {
            op->parameters[op->n_parameters++] = one;
        } else if (!may_repeat) {
            return schema_refuse(b, &below, "the parameter is described twice");
        }
    }
    return true;
}

/* Each name between braces is a parameter, and each path parameter is between braces. */
static bool bind_path(struct build *b, const struct path *path, struct operation *op,
                      const struct at *at)
{
    size_t bound = 0, in_path = 0;
    for (size_t i = 0; i < op->n_parameters; i++) {
        in_path += op->parameters[i].in == IN_PATH;
    }
    for (size_t i = 0; i < path->n; i++) {
        if (!path->segments[i].variable) {
            continue;
        }
        struct parameter *p = find_parameter(op, IN_PATH, path->segments[i].text);
        if (p == NULL) {
            return schema_refuse(b, at,
                                 "a name between braces in the path is not among the parameters");
        }
        p->segment = (uint8_t)i;
        bound++;
    }
    return bound == in_path || schema_refuse(b, at, "a path parameter is not in the path");
}

/* -- bodies ------------------------------------------------------------------------------------ */

static bool is_json_type(const char *type)
{
    size_t n = strlen(type);
    return strcmp(type, JSON_TYPE) == 0 || (n > 5 && strcmp(type + n - 5, "+json") == 0);
}

static const char *why_no_media(const char *type)
{
    if (strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789/+-._") != strlen(type) ||
        strchr(type, '/') == NULL) {
        return "a media type is lower case, whole (no *) and without parameters";
    }
    bool form = strncmp(type, "multipart/", 10) == 0 ||
                strcmp(type, "application/x-www-form-urlencoded") == 0;
    return form ? "forms cannot be enforced" : NULL;
}

static bool compile_media(struct build *b, struct media *media, const char *type,
                          const json_t *json, const struct at *at, bool opaque)
{
    const char *why = why_no_media(type);
    const json_t *schema = json_object_get(json, "schema");
    struct at below = {.up = at, .name = "schema"};
    if (why != NULL) {
        return schema_refuse(b, at, why);
    }
    if (!has_only(b, json, media_keys, at) || !schema_copy(b, &media->type, slice_str(type))) {
        return false;
    }
    media->json = is_json_type(type);
    if (schema == NULL || (!media->json && opaque)) {
        return true;
    }
    if (!media->json) {
        return schema_refuse(
            b, &below, "the schema of a body that is not JSON cannot be enforced; leave it out");
    }
    media->schema = schema_node(b, schema, &below);
    return media->schema != NULL;
}

static bool compile_content(struct build *b, struct body *body, const json_t *content,
                            const struct at *up, bool opaque)
{
    const char *type;
    json_t *json;
    struct at at = {.up = up, .name = "content"};
    if (!json_is_object(content)) {
        return schema_refuse(b, &at, NO_OBJECT);
    }
    body->media = schema_alloc(b, json_object_size(content), sizeof *body->media);
    if (body->media == NULL) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)content, type, json)
    {
        struct at below = {.up = &at, .name = type};
        if (!compile_media(b, &body->media[body->n++], type, json, &below, opaque)) {
            return false;
        }
    }
    return true;
}

static bool compile_body(struct build *b, struct operation *op, const json_t *json,
                         const struct at *up)
{
    struct at at = {.up = up, .name = "requestBody"};
    json = follow(b, json, reference_keys, &at);
    if (json == NULL || !has_only(b, json, body_keys, &at) ||
        !read_flag(b, json, "required", false, &at, &op->body.required)) {
        return false;
    }
    const json_t *content = json_object_get(json, "content");
    if (json_object_size(content) == 0) {
        return schema_refuse(b, &at, "a body needs `content` with at least one media type");
    }
    return compile_content(b, &op->body, content, &at, false);
}

/* "200", "2XX", "default" */
static bool read_status(const char *text, struct response *out)
{
    if (strcmp(text, "default") == 0) {
        *out = (struct response){.first = 0, .last = 999};
        return true;
    }
    if (strlen(text) != 3 || text[0] < '1' || text[0] > '5') {
        return false;
    }
    unsigned hundred = (unsigned)(text[0] - '0') * 100;
    if (strcmp(text + 1, "XX") == 0) {
        *out = (struct response){.first = hundred, .last = hundred + 99};
        return true;
    }
    if (strspn(text, "0123456789") != 3) {
        return false;
    }
    out->first = out->last = hundred + (unsigned)(text[1] - '0') * 10 + (unsigned)(text[2] - '0');
    return true;
}

static bool compile_response(struct build *b, struct response *out, const char *status,
                             const json_t *json, const struct at *up)
{
    struct at at = {.up = up, .name = status};
    if (!read_status(status, out)) {
        return schema_refuse(b, &at,
                             "a response is of a status (200), a class of them (2XX) or default");
    }
    json = follow(b, json, reference_keys, &at);
    if (json == NULL || !has_only(b, json, response_keys, &at)) {
        return false;
    }
    const json_t *content = json_object_get(json, "content");
    return content == NULL || compile_content(b, &out->body, content, &at, true);
}

static int by_width(const void *left, const void *right)
{
    const struct response *a = left, *b = right;
    unsigned wide = a->last - a->first, other = b->last - b->first;
    return wide < other ? -1 : wide > other;
}

static bool compile_responses(struct build *b, struct operation *op, const json_t *json,
                              const struct at *up)
{
    const char *status;
    json_t *one;
    struct at at = {.up = up, .name = "responses"};
    if (!json_is_object(json)) {
        return schema_refuse(b, &at, NO_OBJECT);
    }
    op->responses = schema_alloc(b, json_object_size(json), sizeof *op->responses);
    if (op->responses == NULL) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)json, status, one)
    {
        if (strncmp(status, "x-", 2) != 0 &&
            !compile_response(b, &op->responses[op->n_responses++], status, one, &at)) {
            return false;
        }
    }
    qsort(op->responses, op->n_responses, sizeof *op->responses, by_width);
    return true;
}

/* -- operations and paths ---------------------------------------------------------------------- */

static bool compile_operation(struct build *b, const struct path *path, struct operation *op,
                              const json_t *json, const json_t *item, const struct at *at)
{
    const json_t *body = json_object_get(json, "requestBody"),
                 *responses = json_object_get(json, "responses");
    const json_t *open = json_object_get(json, "x-sluice-query");
    struct at below = {.up = at, .name = "x-sluice-query"};
    size_t n = json_array_size(json_object_get(json, "parameters")) +
               json_array_size(json_object_get(item, "parameters"));
    op->parameters = schema_alloc(b, n, sizeof *op->parameters);
    if (op->parameters == NULL || !has_only(b, json, operation_keys, at)) {
        return false;
    }
    op->query_open = open != NULL;
    if (open != NULL && (!json_is_string(open) || strcmp(json_string_value(open), "open") != 0)) {
        return schema_refuse(b, &below, "the only value there is is \"open\"");
    }
    return add_parameters(b, op, json_object_get(json, "parameters"), at, false) &&
           add_parameters(b, op, json_object_get(item, "parameters"), at->up, true) &&
           bind_path(b, path, op, at) && (body == NULL || compile_body(b, op, body, at)) &&
           (responses == NULL || compile_responses(b, op, responses, at));
}

/* A whole segment is literal or a parameter; a mixture, /{id}.json, has no one way to be cut. */
static bool compile_segment(struct build *b, struct segment *out, struct slice text,
                            const struct at *at)
{
    bool braced = text.n > 2 && text.p[0] == '{' && text.p[text.n - 1] == '}';
    struct slice name = braced ? slice_of(text.p + 1, text.n - 2) : text;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c >= 0x7f || strchr("{}%?#\\\"<>", c) != NULL) {
            return schema_refuse(b, at, "a segment of a path is plain characters, or {name}");
        }
    }
    out->variable = braced;
    return schema_copy(b, &out->text, name);
}

static bool compile_segments(struct build *b, struct path *path, const char *text,
                             const struct at *at)
{
    size_t slashes = 0;
    for (const char *p = text; *p != '\0'; p++) {
        slashes += *p == '/';
    }
    path->segments = schema_alloc(b, slashes, sizeof *path->segments);
    if (path->segments == NULL) {
        return false;
    }
    if (text[0] != '/') {
        return schema_refuse(b, at, "a path starts with /");
    }
    for (const char *p = text; *p != '\0' && text[1] != '\0';) {
        size_t n = strcspn(++p, "/");
        if (path->n == SCHEMA_SEGMENTS_MAX) {
            return schema_refuse(b, at, "the path has too many segments");
        }
        if (!compile_segment(b, &path->segments[path->n++], slice_of(p, n), at)) {
            return false;
        }
        p += n;
    }
    return true;
}

static bool compile_path(struct build *b, struct path *path, const char *text, const json_t *item,
                         const struct at *at)
{
    if (!has_only(b, item, path_keys, at) || !compile_segments(b, path, text, at)) {
        return false;
    }
    for (int i = 0; i < METHOD_COUNT; i++) {
        const json_t *json = json_object_get(item, schema_methods[i]);
        struct at below = {.up = at, .name = schema_methods[i]};
        if (json == NULL) {
            continue;
        }
        path->operations[i] = schema_alloc(b, 1, sizeof *path->operations[i]);
        if (path->operations[i] == NULL ||
            !compile_operation(b, path, path->operations[i], json, item, &below)) {
            return false;
        }
    }
    return true;
}

/* Shorter first; then, segment by segment, a literal before a parameter: the first that fits is the
 * most special. */
static int by_specialty(const void *left, const void *right)
{
    const struct path *a = left, *b = right;
    if (a->n != b->n) {
        return a->n < b->n ? -1 : 1;
    }
    for (size_t i = 0; i < a->n; i++) {
        if (a->segments[i].variable != b->segments[i].variable) {
            return a->segments[i].variable ? 1 : -1;
        }
        int order =
            a->segments[i].variable ? 0 : strcmp(a->segments[i].text.p, b->segments[i].text.p);
        if (order != 0) {
            return order;
        }
    }
    return 0;
}

static bool compile_path_items(struct build *b, const json_t *paths, const struct at *at)
{
    const char *text;
    json_t *item;
    struct schema *s = b->schema;
    s->paths = schema_alloc(b, json_object_size(paths), sizeof *s->paths);
    if (s->paths == NULL) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)paths, text, item)
    {
        struct at below = {.up = at, .name = text};
        if (strncmp(text, "x-", 2) == 0) {
            continue;
        }
        if (!compile_path(b, &s->paths[s->n_paths++], text, item, &below)) {
            return false;
        }
    }
    qsort(s->paths, s->n_paths, sizeof *s->paths, by_specialty);
    for (size_t i = 1; i < s->n_paths; i++) {
        if (by_specialty(&s->paths[i - 1], &s->paths[i]) == 0) {
            return schema_refuse(b, at, "two paths differ only in the names of their parameters");
        }
    }
    return true;
}

/* -- document ---------------------------------------------------------------------------------- */

/* x-sluice-version: {"in": "header", "name": "Api-Version"}: a call must name info.version there.
 */
static bool compile_version(struct build *b)
{
    static const char *const keys[] = {"in", "name", NULL};
    const json_t *wanted = json_object_get(b->document, "x-sluice-version");
    const char *version =
        json_string_value(json_object_get(json_object_get(b->document, "info"), "version"));
    struct at at = {.name = "x-sluice-version"};
    struct parameter p = {0};
    if (wanted == NULL) {
        return true;
    }
    if (version == NULL) {
        return schema_refuse(b, &at, "info.version is missing");
    }
    if (!has_only(b, wanted, keys, &at) ||
        !read_place(b, json_string_value(json_object_get(wanted, "in")), &at, &p.in) ||
        !read_name(b, &p, wanted, &at)) {
        return false;
    }
    b->schema->versioned = true;
    b->schema->version_in = p.in;
    b->schema->version_name = p.name;
    return (p.in != IN_PATH ||
            schema_refuse(b, &at, "a version is asked for in a header or the query")) &&
           schema_copy(b, &b->schema->version, slice_str(version));
}

static bool check_dialect(struct build *b)
{
    const json_t *openapi = json_object_get(b->document, "openapi");
    const json_t *dialect = json_object_get(b->document, "jsonSchemaDialect");
    struct at version_at = {.name = "openapi"}, dialect_at = {.name = "jsonSchemaDialect"};
    if (openapi != NULL &&
        (!json_is_string(openapi) || strncmp(json_string_value(openapi), "3.1.", 4) != 0)) {
        return schema_refuse(b, &version_at, "only OpenAPI 3.1 is read");
    }
    return dialect == NULL ||
           schema_refuse(b, &dialect_at, "only OpenAPI's own dialect can be enforced");
}

bool schema_compile_paths(struct build *b)
{
    const json_t *paths = json_object_get(b->document, "paths");
    struct at at = {.name = "paths"};
    if (!has_only(b, b->document, document_keys, NULL) || !check_dialect(b) ||
        !compile_version(b)) {
        return false;
    }
    if (json_object_size(paths) == 0) {
        return schema_refuse(b, &at, "at least one path is needed");
    }
    if (json_object_size(paths) > SCHEMA_PATHS_MAX) {
        return schema_refuse(b, &at, "there are too many paths");
    }
    return compile_path_items(b, paths, &at);
}
