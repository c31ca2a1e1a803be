/* SPDX-License-Identifier: Apache-2.0 */
/* Schema objects: one row a keyword. A keyword without a row is refused, so nothing can be ignored
 * by accident. */
#include "schema_inner.h"

#include <math.h>
#include <stdlib.h>

#define NOT_A_NUMBER "a number is needed here"

static const char *const kind_names[KIND_COUNT] = {
    [KIND_NULL] = "null",     [KIND_BOOLEAN] = "boolean", [KIND_INTEGER] = "integer",
    [KIND_NUMBER] = "number", [KIND_STRING] = "string",   [KIND_ARRAY] = "array",
    [KIND_OBJECT] = "object",
};

/* One keyword under way. member: where its result goes in the node. */
struct read {
    struct build *b;
    struct node *node;
    const json_t *value;
    const struct at *at;
    size_t member;
};

typedef bool (*read_fn)(const struct read *r);

static void *member_of(const struct read *r)
{
    return (char *)r->node + r->member;
}

static bool refuse(const struct read *r, const char *detail)
{
    return schema_refuse(r->b, r->at, detail);
}

static struct at below(const struct read *r, const char *name, size_t index)
{
    return (struct at){.up = r->at, .name = name, .index = index};
}

/* -- nodes ------------------------------------------------------------------------------------- */

static const struct node *known_node(const struct build *b, const json_t *json)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->list[i].json == json) {
            return b->list[i].node;
        }
    }
    return NULL;
}

static bool grow(struct build *b)
{
    size_t cap = b->cap == 0 ? 64 : b->cap * 2;
    struct pending *list = realloc(b->list, cap * sizeof *list);
    if (list == NULL) {
        return schema_no_memory(b);
    }
    b->list = list;
    b->cap = cap;
    return true;
}

static struct node *new_node(struct build *b)
{
    struct node *node = schema_alloc(b, 1, sizeof *node);
    if (node == NULL) {
        return NULL;
    }
    node->minimum = node->above = -INFINITY;
    node->maximum = node->below = INFINITY;
    node->max_length = node->max_items = node->max_members = UINT32_MAX;
    node->next = b->schema->nodes;
    b->schema->nodes = node;
    return node;
}

/* jansson keeps one `true` and one `false` for all, so those are never looked for. */
const struct node *schema_node(struct build *b, const json_t *json, const struct at *at)
{
    const struct node *known = json_is_object(json) ? known_node(b, json) : NULL;
    if (known != NULL) {
        return known;
    }
    if (b->n == SCHEMA_NODES_MAX) {
        schema_refuse(b, at, "the description has too many schemas");
        return NULL;
    }
    if (b->n == b->cap && !grow(b)) {
        return NULL;
    }
    char where[SCHEMA_WHERE_MAX + 1];
    schema_where(where, at);
    struct pending *p = &b->list[b->n];
    *p = (struct pending){.json = json, .node = new_node(b), .where = strdup(where)};
    b->n++;
    if (p->node == NULL || p->where == NULL) {
        schema_no_memory(b);
        return NULL;
    }
    return p->node;
}

/* The next token of a pointer, unescaped. False: it is no pointer of ours. */
static bool next_token(const char **p, char *out, size_t cap)
{
    size_t n = 0;
    for ((*p)++; **p != '\0' && **p != '/'; (*p)++) {
        char c = **p;
        if (c == '~' && (*p)[1] != '0' && (*p)[1] != '1') {
            return false;
        }
        if (c == '~') {
            (*p)++;
            c = **p == '0' ? '~' : '/';
        }
        if (c == '%' || n + 1 == cap) {
            return false;
        }
        out[n++] = c;
    }
    out[n] = '\0';
    return true;
}

static const json_t *step(const json_t *json, const char *token)
{
    if (!json_is_array(json)) {
        return json_object_get(json, token);
    }
    char *end;
    unsigned long i = strtoul(token, &end, 10);
    return *end == '\0' && token[0] >= '0' && token[0] <= '9' ? json_array_get(json, i) : NULL;
}

const json_t *schema_resolve(struct build *b, const char *ref, const struct at *at)
{
    char token[SCHEMA_WHERE_MAX + 1];
    const json_t *json = b->document;
    if (ref == NULL || ref[0] != '#' || ref[1] != '/') {
        schema_refuse(b, at, "only a $ref into this document, #/..., can be enforced");
        return NULL;
    }
    for (const char *p = ref + 1; *p == '/' && json != NULL;) {
        json = next_token(&p, token, sizeof token) ? step(json, token) : NULL;
    }
    if (json == NULL) {
        schema_refuse(b, at, "the $ref points nowhere");
    }
    return json;
}

/* -- keywords ---------------------------------------------------------------------------------- */

static bool read_annotation(const struct read *r)
{
    (void)r;
    return true;
}

static bool add_type(const struct read *r, const json_t *json)
{
    const char *name = json_string_value(json);
    for (int kind = 0; name != NULL && kind < KIND_COUNT; kind++) {
        if (strcmp(name, kind_names[kind]) == 0) {
            r->node->types |= (uint8_t)(1u << kind);
            return true;
        }
    }
    return refuse(r, "there is no such type");
}

static bool read_type(const struct read *r)
{
    size_t i;
    const json_t *one;
    if (!json_is_array(r->value)) {
        return add_type(r, r->value);
    }
    json_array_foreach(r->value, i, one)
    {
        if (!add_type(r, one)) {
            return false;
        }
    }
    return r->node->types != 0 || refuse(r, "no type is allowed");
}

/* Borrowed from the document until now: the compiled form keeps its own. */
static bool keep_json(const struct read *r)
{
    json_t *copy = json_deep_copy(r->value);
    *(json_t **)member_of(r) = copy;
    if (copy == NULL) {
        return schema_no_memory(r->b);
    }
    char *text = json_dumps(copy, JSON_ENCODE_ANY | JSON_COMPACT);
    r->b->schema->size_bytes += text == NULL ? 0 : 8 * strlen(text); /* an estimate */
    free(text);
    return true;
}

static bool read_enum(const struct read *r)
{
    return json_array_size(r->value) > 0 ? keep_json(r)
                                         : refuse(r, "an array of at least one value is needed");
}

static bool read_number(const struct read *r)
{
    if (!json_is_number(r->value)) {
        return refuse(r, NOT_A_NUMBER);
    }
    *(long double *)member_of(r) = schema_value_of(r->value).number;
    return true;
}

static bool read_step(const struct read *r)
{
    return json_number_value(r->value) > 0 ? read_number(r)
                                           : refuse(r, "a number above 0 is needed here");
}

static bool read_count(const struct read *r)
{
    struct value v = schema_value_of(r->value);
    if (v.kind != KIND_INTEGER || v.number < 0 || v.number > UINT32_MAX) {
        return refuse(r, "an integer from 0 to 4294967295 is needed here");
    }
    *(uint32_t *)member_of(r) = (uint32_t)v.number;
    return true;
}

static bool read_unique(const struct read *r)
{
    r->node->unique = json_is_true(r->value);
    return json_is_boolean(r->value) || refuse(r, "true or false is needed here");
}

static bool read_pattern(const struct read *r)
{
    return schema_pattern(r->b, &r->node->pattern, r->value, r->at);
}

static bool read_format(const struct read *r)
{
    const char *name = json_string_value(r->value);
    return (name != NULL && schema_format(name, &r->node->format, &r->node->int32)) ||
           refuse(r, "this format cannot be enforced; docs/validation.md lists those that can");
}

static bool read_schema(const struct read *r)
{
    const struct node *node = schema_node(r->b, r->value, r->at);
    *(const struct node **)member_of(r) = node;
    return node != NULL;
}

static bool read_schemas(const struct read *r)
{
    struct nodes *out = member_of(r);
    size_t n = json_array_size(r->value);
    if (n == 0) {
        return refuse(r, "an array of at least one schema is needed here");
    }
    out->list = schema_alloc(r->b, n, sizeof *out->list);
    for (out->n = 0; out->list != NULL && out->n < n; out->n++) {
        struct at at = below(r, NULL, out->n);
        out->list[out->n] = schema_node(r->b, json_array_get(r->value, out->n), &at);
        if (out->list[out->n] == NULL) {
            return false;
        }
    }
    return out->list != NULL;
}

static bool read_ref(const struct read *r)
{
    const char *ref = json_string_value(r->value);
    const json_t *target = schema_resolve(r->b, ref, r->at);
    struct at at = {.name = ref == NULL ? "" : ref + 1, .pointer = true};
    r->node->ref = target == NULL ? NULL : schema_node(r->b, target, &at);
    return r->node->ref != NULL;
}

/* Shorter first, then by bytes: cheap to compare. */
static int by_name(const void *left, const void *right)
{
    const struct property *a = left, *b = right;
    if (a->name.n != b->name.n) {
        return a->name.n < b->name.n ? -1 : 1;
    }
    return memcmp(a->name.p, b->name.p, a->name.n);
}

static bool read_properties(const struct read *r)
{
    const char *key;
    json_t *value;
    struct node *node = r->node;
    if (!json_is_object(r->value)) {
        return refuse(r, "an object of schemas is needed here");
    }
    node->properties = schema_alloc(r->b, json_object_size(r->value), sizeof *node->properties);
    if (node->properties == NULL) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)r->value, key, value)
    {
        struct property *property = &node->properties[node->n_properties++];
        struct at at = below(r, key, 0);
        property->schema = schema_node(r->b, value, &at);
        if (property->schema == NULL || !schema_copy(r->b, &property->name, slice_str(key))) {
            return false;
        }
    }
    qsort(node->properties, node->n_properties, sizeof *node->properties, by_name);
    return true;
}

static bool read_pattern_properties(const struct read *r)
{
    const char *key;
    json_t *value;
    struct node *node = r->node;
    if (!json_is_object(r->value)) {
        return refuse(r, "an object of schemas is needed here");
    }
    node->patterns = schema_alloc(r->b, json_object_size(r->value), sizeof *node->patterns);
    if (node->patterns == NULL) {
        return false;
    }
    json_object_foreach((json_t *)(uintptr_t)r->value, key, value)
    {
        struct pattern_property *one = &node->patterns[node->n_patterns++];
        struct at at = below(r, key, 0);
        json_t *text = json_string(key);
        bool compiled = text != NULL && schema_pattern(r->b, &one->pattern, text, &at);
        json_decref(text);
        one->schema = compiled ? schema_node(r->b, value, &at) : NULL;
        if (one->schema == NULL) {
            return text != NULL ? false : schema_no_memory(r->b);
        }
    }
    return true;
}

static bool read_required(const struct read *r)
{
    size_t i;
    const json_t *name;
    struct node *node = r->node;
    if (!json_is_array(r->value)) {
        return refuse(r, "an array of names is needed here");
    }
    node->required = schema_alloc(r->b, json_array_size(r->value), sizeof *node->required);
    if (node->required == NULL) {
        return false;
    }
    json_array_foreach(r->value, i, name)
    {
        struct slice copy;
        if (!json_is_string(name)) {
            return refuse(r, "an array of names is needed here");
        }
        if (!schema_copy(r->b, &copy, slice_str(json_string_value(name)))) {
            return false;
        }
        node->required[node->n_required++] = copy.p;
    }
    return true;
}

static bool read_additional(const struct read *r)
{
    r->node->closed = json_is_false(r->value);
    return r->node->closed || read_schema(r);
}

static bool read_unevaluated(const struct read *r)
{
    r->node->open = json_is_true(r->value);
    r->node->scope = json_is_false(r->value);
    return json_is_boolean(r->value) || refuse(r, "only true and false can be enforced here");
}

#define AT(member) offsetof(struct node, member)

static const struct keyword {
    const char *name;
    read_fn read; /* read_annotation: constrains nothing */
    size_t member;
} keywords[] = {
    {"$comment", read_annotation, 0},
    {"$defs", read_annotation, 0}, /* compiled where a $ref needs them */
    {"$ref", read_ref, 0},
    {"additionalProperties", read_additional, AT(additional)},
    {"allOf", read_schemas, AT(all)},
    {"anyOf", read_schemas, AT(any)},
    {"const", keep_json, AT(constant)},
    {"contentEncoding", read_annotation, 0},
    {"contentMediaType", read_annotation, 0},
    {"default", read_annotation, 0},
    {"deprecated", read_annotation, 0},
    {"description", read_annotation, 0},
    {"discriminator", read_annotation, 0}, /* OAS 3.1: a hint that changes no verdict */
    {"enum", read_enum, AT(choices)},
    {"example", read_annotation, 0},
    {"examples", read_annotation, 0},
    {"exclusiveMaximum", read_number, AT(below)},
    {"exclusiveMinimum", read_number, AT(above)},
    {"externalDocs", read_annotation, 0},
    {"format", read_format, 0},
    {"items", read_schema, AT(items)},
    {"maxItems", read_count, AT(max_items)},
    {"maxLength", read_count, AT(max_length)},
    {"maxProperties", read_count, AT(max_members)},
    {"maximum", read_number, AT(maximum)},
    {"minItems", read_count, AT(min_items)},
    {"minLength", read_count, AT(min_length)},
    {"minProperties", read_count, AT(min_members)},
    {"minimum", read_number, AT(minimum)},
    {"multipleOf", read_step, AT(step)},
    {"not", read_schema, AT(excluded)},
    {"oneOf", read_schemas, AT(one)},
    {"pattern", read_pattern, 0},
    {"patternProperties", read_pattern_properties, 0},
    {"prefixItems", read_schemas, AT(prefix)},
    {"properties", read_properties, 0},
    {"readOnly", read_annotation, 0},
    {"required", read_required, 0},
    {"title", read_annotation, 0},
    {"type", read_type, 0},
    {"unevaluatedProperties", read_unevaluated, 0},
    {"uniqueItems", read_unique, 0},
    {"writeOnly", read_annotation, 0},
    {"xml", read_annotation, 0},
};

static const struct keyword *find_keyword(const char *name)
{
    static const struct keyword extension = {"x-", read_annotation, 0};
    if (strncmp(name, extension.name, 2) == 0) {
        return &extension;
    }
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        if (strcmp(keywords[i].name, name) == 0) {
            return &keywords[i];
        }
    }
    return NULL;
}

/* What only all keywords together show. */
static bool finish_node(const struct read *r)
{
    struct node *node = r->node;
    bool combined = node->ref != NULL || node->all.n > 0 || node->any.n > 0 || node->one.n > 0;
    node->tuple = node->prefix.n > 0 && node->items == NULL;
    if ((node->types & 1u << KIND_ARRAY) != 0 && node->items == NULL && node->prefix.n == 0 &&
        !combined) {
        return refuse(r, "an array needs `items`; say {} when any item will do");
    }
    return true;
}

static bool compile_object(const struct read *r)
{
    const char *key;
    json_t *value;
    size_t constraints = 0;
    json_object_foreach((json_t *)(uintptr_t)r->value, key, value)
    {
        struct at at = below(r, key, 0);
        const struct keyword *keyword = find_keyword(key);
        if (keyword == NULL) {
            return schema_refuse(r->b, &at, "this keyword cannot be enforced");
        }
        struct read one = {
            .b = r->b, .node = r->node, .value = value, .at = &at, .member = keyword->member};
        if (!keyword->read(&one)) {
            return false;
        }
        constraints += keyword->read != read_annotation;
    }
    r->node->anything = constraints == 0;
    r->node->alias = constraints == 1 && r->node->ref != NULL;
    return finish_node(r);
}

static bool compile_node(struct build *b, const json_t *json, struct node *node,
                         const struct at *at)
{
    struct read r = {.b = b, .node = node, .value = json, .at = at};
    if (json_is_boolean(json)) {
        node->anything = json_is_true(json);
        node->never = json_is_false(json);
        return true;
    }
    return json_is_object(json) ? compile_object(&r)
                                : refuse(&r, "a schema is an object, true or false");
}

/* -- nesting on one value ---------------------------------------------------------------------- */

static unsigned measure(struct node *node, unsigned depth);

static unsigned tallest(const struct node *const *list, size_t n, unsigned depth)
{
    unsigned height = 0;
    for (size_t i = 0; i < n && height <= SCHEMA_NESTING_MAX; i++) { /* one too many says enough */
        unsigned one = list[i] == NULL ? 0 : measure((struct node *)(uintptr_t)list[i], depth + 1);
        height = one > height ? one : height;
    }
    return height;
}

/* How many schemas look at the same value below each other; past SCHEMA_NESTING_MAX when it is too
 * many or goes in a circle, which comes to the same: such a check would not end. */
static unsigned measure(struct node *node, unsigned depth)
{
    if (depth > SCHEMA_NESTING_MAX) {
        return SCHEMA_NESTING_MAX + 1;
    }
    if (node->height > 0) {
        return node->height;
    }
    const struct node *const single[] = {node->ref, node->excluded};
    const struct nodes groups[] = {
        {(const struct node **)(uintptr_t)single, 2}, node->all, node->any, node->one};
    unsigned height = 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && height <= SCHEMA_NESTING_MAX; i++) {
        unsigned one = tallest(groups[i].list, groups[i].n, depth);
        height = one > height ? one : height;
    }
    height = height < SCHEMA_NESTING_MAX + 1 ? height + 1 : height;
    if (height <= SCHEMA_NESTING_MAX) {
        node->height = (uint8_t)height;
    }
    return height;
}

bool schema_compile_pending(struct build *b)
{
    for (size_t i = 0; i < b->n; i++) { /* grows under way */
        struct at at = {.name = b->list[i].where, .pointer = true};
        if (!compile_node(b, b->list[i].json, b->list[i].node, &at)) {
            return false;
        }
    }
    for (size_t i = 0; i < b->n; i++) {
        struct at at = {.name = b->list[i].where, .pointer = true};
        if (measure(b->list[i].node, 0) > SCHEMA_NESTING_MAX) {
            return schema_refuse(b, &at, "schemas on the same value go in a circle, or too deep");
        }
    }
    return true;
}
