/* SPDX-License-Identifier: Apache-2.0 */
/* A body's members onto a row, each by its row of the resource's table. What the table does not
 * name is refused. */
#include <stdio.h>

#include "base/clock.h"
#include "rest/resource.h"

#define WHERE_MAX 96

static const struct attr *attr_by_name(const struct resource *res, const char *name)
{
    for (size_t i = 0; i < res->n_attrs; i++) {
        if (strcmp(res->attrs[i].name, name) == 0) {
            return &res->attrs[i];
        }
    }
    return NULL;
}

enum problem attr_text_check(struct rest_call *c, const char *where, const json_t *v, int64_t min,
                             int64_t max, bool lines)
{
    if (!json_is_string(v)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a text is needed");
    }
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    if ((int64_t)n < min || (int64_t)n > max) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "%lld to %lld bytes are allowed, this has %zu", (long long)min,
                         (long long)max, n);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char b = (unsigned char)s[i];
        bool line = b == '\n' || b == '\r' || b == '\t';
        if (b == 0x7f || (b < 0x20 && !(lines && line))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "control characters are not allowed");
        }
    }
    return PROBLEM_OK;
}

static enum problem check_values(struct rest_call *c, const char *where, const struct attr *a,
                                 const json_t *v)
{
    char allowed[200] = "";
    size_t n = 0;

    for (size_t i = 0; a->values[i]; i++) {
        if (strcmp(a->values[i], json_string_value(v)) == 0) {
            return PROBLEM_OK;
        }
        n += (size_t)snprintf(allowed + n, sizeof allowed - n, "%s%s", i ? ", " : "", a->values[i]);
        n = n < sizeof allowed ? n : sizeof allowed - 1;
    }
    return rest_fail(c, PROBLEM_FIELD_INVALID, where, "one of %s is needed", allowed);
}

static enum problem check_text(struct rest_call *c, const char *where, const struct attr *a,
                               const json_t *v)
{
    enum problem p =
        attr_text_check(c, where, v, a->min, a->max ? a->max : REST_TEXT_MAX, a->flags & AF_LINES);
    return p == PROBLEM_OK && a->values ? check_values(c, where, a, v) : p;
}

static enum problem check_int(struct rest_call *c, const char *where, const struct attr *a,
                              const json_t *v)
{
    if (!json_is_integer(v) || json_integer_value(v) < a->min || json_integer_value(v) > a->max) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a whole number from %lld to %lld is needed", (long long)a->min,
                         (long long)a->max);
    }
    return PROBLEM_OK;
}

static enum problem check_time(struct rest_call *c, const char *where, const json_t *v)
{
    uint64_t ms;

    if (!json_is_string(v) || !clock_parse_ms(json_string_value(v), json_string_length(v), &ms)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a time like 2026-01-02T03:04:05.678Z is needed");
    }
    return PROBLEM_OK;
}

/* The resource must be there and, unless the table says otherwise, one the caller sees. */
static enum problem check_ref(struct rest_call *c, struct store_txn *txn, const char *where,
                              const struct attr *a, const json_t *v)
{
    struct uuid id;
    json_t *row = NULL;

    if (!json_is_string(v) || !uuid_parse(&id, json_string_value(v), json_string_length(v))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the id of one of the %s is needed",
                         a->ref);
    }
    enum problem p = row_load(c, txn, resource_by_plural(a->ref), json_string_value(v),
                              !(a->flags & AF_REF_ANY), &row);
    if (p == PROBLEM_OK && !row) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such one among the %s", a->ref);
    }
    json_decref(row);
    return p;
}

static enum problem check_value(struct rest_call *c, struct store_txn *txn, const char *where,
                                const struct attr *a, const json_t *v)
{
    enum problem p = PROBLEM_OK;

    switch (a->type) {
    case ATTR_TEXT:
        p = check_text(c, where, a, v);
        break;
    case ATTR_INT:
        p = check_int(c, where, a, v);
        break;
    case ATTR_BOOL:
        p = json_is_boolean(v)
                ? PROBLEM_OK
                : rest_fail(c, PROBLEM_FIELD_INVALID, where, "true or false is needed");
        break;
    case ATTR_TIME:
        p = check_time(c, where, v);
        break;
    case ATTR_REF:
        p = check_ref(c, txn, where, a, v);
        break;
    case ATTR_JSON:
        break;
    }
    return p == PROBLEM_OK && a->check ? a->check(c, where, v) : p;
}

/* A checked time as it will be read back. */
static json_t *whole_time(const json_t *v)
{
    char text[CLOCK_RFC3339_LEN + 1];
    uint64_t ms = 0;

    if (!clock_parse_ms(json_string_value(v), json_string_length(v), &ms)) {
        return json_null();
    }
    clock_format_ms(ms, text);
    return json_string(text);
}

static enum problem apply_member(struct rest_call *c, struct store_txn *txn,
                                 const struct resource *res, json_t *row, bool create,
                                 const char *key, json_t *v)
{
    const struct attr *a = attr_by_name(res, key);
    char where[WHERE_MAX];

    snprintf(where, sizeof where, "/%.80s", key);
    if (!a || (a->flags & AF_HIDDEN)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s have no such attribute", res->plural);
    }
    if (a->flags & AF_READ_ONLY) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "the platform sets this attribute");
    }
    if (!create && (a->flags & AF_IMMUTABLE)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "this attribute cannot be changed");
    }
    if (json_is_null(v) && (a->flags & AF_REQUIRED)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "this attribute is required");
    }
    if (!json_is_null(v)) {
        enum problem p = check_value(c, txn, where, a, v);
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    if (a->flags & AF_WRITE_ONLY) {
        return PROBLEM_OK; /* the resource's hook takes it from the body */
    }
    if (json_is_null(v) && a->fallback) {
        return json_object_set_new(row, key, json_loads(a->fallback, JSON_DECODE_ANY, NULL)) == 0
                   ? PROBLEM_OK
                   : PROBLEM_INTERNAL;
    }
    json_t *kept = a->type == ATTR_TIME && json_is_string(v) ? whole_time(v) : json_incref(v);
    return json_object_set_new(row, key, kept) == 0 ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem fill_new(struct rest_call *c, const struct resource *res, json_t *row)
{
    char where[WHERE_MAX];

    for (size_t i = 0; i < res->n_attrs; i++) {
        const struct attr *a = &res->attrs[i];
        if ((a->flags & AF_REQUIRED) && !json_object_get(c->body, a->name)) {
            snprintf(where, sizeof where, "/%s", a->name);
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "this attribute is required");
        }
        if (!(a->flags & AF_WRITE_ONLY)) {
            json_object_set_new(row, a->name,
                                a->fallback ? json_loads(a->fallback, JSON_DECODE_ANY, NULL)
                                            : json_null());
        }
    }
    return PROBLEM_OK;
}

enum problem attr_apply(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                        json_t *row, bool create)
{
    const char *key;
    json_t *v;

    if (!c->body) {
        return rest_fail(c, PROBLEM_BODY_MALFORMED, "", "a JSON object is needed");
    }
    enum problem p = create ? fill_new(c, res, row) : PROBLEM_OK;
    json_object_foreach(c->body, key, v)
    {
        if (p != PROBLEM_OK) {
            return p;
        }
        p = apply_member(c, txn, res, row, create, key, v);
    }
    return p;
}
