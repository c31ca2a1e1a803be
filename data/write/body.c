/* SPDX-License-Identifier: Apache-2.0 */
#include "data/write/body.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/query/cell.h"
#include "data/write/rows.h"
#include "personal/personal.h"
#include "plan/plan.h"

static enum problem fail(struct write_body *b, enum problem p, const char *name, const char *detail)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    bool plain = strlen(name) < sizeof b->name && strspn(name, letters) == strlen(name);
    snprintf(b->name, sizeof b->name, "%s", plain ? name : "");
    b->where = slice_str(b->name);
    b->detail = detail;
    return p;
}

static size_t field_of(const struct catalog_api *api, const char *name)
{
    size_t i = 0;
    while (i < api->table.n_columns &&
           !(api->columns[i].column.n && slice_eq(api->columns[i].name, slice_str(name))))
        i++;
    return i;
}

static bool is_key(const struct catalog_api *api, struct slice column)
{
    for (size_t i = 0; i < api->table.n_keys; i++)
        if (slice_eq(api->table.keys[i], column))
            return true;
    return false;
}

static bool is_owner(const struct catalog_api *api, size_t i)
{
    return api->owner_scoped && slice_eq(api->columns[i].column, api->table.owner_column);
}

/* The owner's column is the owner's value, which may be said and not changed. */
static enum problem check_owner(struct write_body *b, const struct worker *w, const char *name,
                                const json_t *text)
{
    struct slice said = slice_of(json_string_value(text), json_string_length(text));
    return json_is_string(text) && slice_eq(said, w->call.owner)
               ? PROBLEM_OK
               : fail(b, PROBLEM_FIELD_FORBIDDEN, name, "the rows are of the owner of the grant");
}

static enum problem take_member(struct write_body *b, const struct worker *w,
                                const struct catalog_api *api, const char *name,
                                const json_t *value, bool insert, json_t *item)
{
    size_t i = field_of(api, name);
    char number[24];
    const char *why;
    if (i == api->table.n_columns)
        return fail(b, PROBLEM_FIELD_UNKNOWN, name, "the API has no such field");
    const struct query_column *c = &api->columns[i];
    if (w->call.outcome[i] == PLAN_DROP)
        return fail(b, PROBLEM_FIELD_FORBIDDEN, name, "the field is not open to this call");
    if (!api->writable[i] && !is_owner(api, i))
        return fail(b, PROBLEM_FIELD_FORBIDDEN, name, "the field is not for writing");
    if (!insert && is_key(api, c->column))
        return fail(b, PROBLEM_FIELD_FORBIDDEN, name, "a row keeps its key");
    if (w->call.outcome[i] == PLAN_MASK) {
        snprintf(number, sizeof number, "%zu", i);
        json_object_set(json_object_get(item, "masked"), number, (json_t *)(uintptr_t)value);
        return PROBLEM_OK;
    }
    json_t *text = write_value(value, (enum query_type)c->type, &why);
    if (!text)
        return fail(b, PROBLEM_BODY_INVALID, name, why ? why : "it cannot be read");
    if (api->guarded[i] && !personal_pass(api->guard, &text, &why)) {
        json_decref(text);
        return fail(b, PROBLEM_SENSITIVE_FIELD, name, PERSONAL_REFUSED);
    }
    enum problem p = is_owner(api, i) ? check_owner(b, w, name, text) : PROBLEM_OK;
    json_object_setn_new(json_object_get(item, "values"), c->column.p, c->column.n, text);
    return p;
}

static enum problem take_item(struct write_body *b, const struct worker *w,
                              const struct catalog_api *api, const json_t *object, bool insert)
{
    json_t *item = json_pack("{s:{}, s:{}}", "values", "masked"), *value;
    const char *name;
    enum problem p = json_is_object(object)
                         ? PROBLEM_OK
                         : fail(b, PROBLEM_BODY_INVALID, "", "objects of fields are needed");
    json_object_foreach((json_t *)(uintptr_t)object, name, value)
    {
        if (!p)
            p = take_member(b, w, api, name, value, insert, item);
    }
    if (!p && insert && api->owner_scoped) {
        struct slice owner = w->call.owner, column = api->table.owner_column;
        json_object_setn_new(json_object_get(item, "values"), column.p, column.n,
                             json_stringn(owner.p, owner.n));
    }
    json_array_append_new(b->items, item);
    return p;
}

static enum problem check_type(struct write_body *b, const struct service_request *rq)
{
    struct slice type = rq->header(rq->ctx, "Content-Type");
    const char *end = type.n ? memchr(type.p, ';', type.n) : NULL;
    size_t n = end ? (size_t)(end - type.p) : type.n;
    bool json = type.n == 0 || (n >= 16 && strncasecmp(type.p, "application/json", 16) == 0 &&
                                strspn(type.p + 16, " ") >= n - 16);
    return json ? PROBLEM_OK
                : fail(b, PROBLEM_MEDIA_TYPE_UNSUPPORTED, "", "application/json is needed");
}

enum problem write_body_parse(struct write_body *b, struct worker *w, const struct catalog_api *api,
                              const struct service_request *rq, bool insert)
{
    json_error_t error;
    const json_t *one;
    size_t i;
    *b = (struct write_body){.items = json_array(), .where = SLICE("")};
    enum problem p = check_type(b, rq);
    if (p)
        return p;
    json_t *body =
        rq->body.n ? json_loadb(rq->body.p, rq->body.n, JSON_REJECT_DUPLICATES, &error) : NULL;
    if (!body)
        p = rq->body.n ? fail(b, PROBLEM_BODY_MALFORMED, "", "it is no JSON")
                       : fail(b, PROBLEM_BODY_MISSING, "", NULL);
    else if (insert && json_is_array(body)) {
        if (json_array_size(body) == 0 || json_array_size(body) > WRITE_ROWS_MAX)
            p = fail(b, PROBLEM_BODY_INVALID, "", "one to 500 rows are written at once");
        json_array_foreach(body, i, one)
        {
            if (!p)
                p = take_item(b, w, api, one, true);
        }
    } else {
        p = take_item(b, w, api, body, insert);
        if (!p && !insert && json_object_size(body) == 0)
            p = fail(b, PROBLEM_BODY_INVALID, "", "it changes nothing");
    }
    json_decref(body);
    return p;
}

/* The stored value as this caller was shown it. */
static json_t *shown(struct worker *w, const struct catalog_api *api, size_t i,
                     const json_t *stored)
{
    struct buf cell;
    struct slice text = rows_bytes(stored, &w->arena);
    if (json_is_null(stored) || !text.p || api->rules[i].mask.rule == MASK_NULL)
        return json_null();
    buf_init(&cell);
    cell_write(&cell, (enum query_type)api->columns[i].type, text);
    json_t *value = json_loadb(cell.p ? cell.p : "", cell.n, JSON_DECODE_ANY, NULL), *out = NULL;
    if (json_is_string(value))
        text = slice_of(json_string_value(value), json_string_length(value));
    else
        text = buf_slice(&cell);
    char *masked = malloc(MASK_OUT_MAX(text.n));
    if (masked) {
        size_t n = mask_apply(&api->rules[i].mask, w->mask_key, text, masked);
        out = json_stringn(masked, n);
    }
    free(masked);
    json_decref(value);
    buf_fini(&cell);
    return out ? out : json_null();
}

/* Of a field that this caller only ever sees masked, a text with a star is taken for a mask: to
 * store one as a value would lose the original for good. */
static bool looks_masked(const json_t *came)
{
    struct slice text = slice_of(json_string_value(came), json_string_length(came));
    return json_is_string(came) && text.n && memchr(text.p, '*', text.n);
}

static enum problem take_masked(struct write_body *b, struct worker *w,
                                const struct catalog_api *api, size_t i, const json_t *came,
                                const json_t *before, json_t *values)
{
    const struct query_column *c = &api->columns[i];
    const char *why, *name = c->name.p;
    const json_t *stored = before ? json_object_getn(before, c->column.p, c->column.n) : NULL;
    if (stored) {
        json_t *seen = shown(w, api, i, stored);
        bool same = json_equal(seen, (json_t *)(uintptr_t)came);
        json_decref(seen);
        if (same)
            return PROBLEM_OK; /* what was shown comes back: the original stays */
    }
    if (looks_masked(came))
        return fail(b, PROBLEM_BODY_INVALID, name, "a masked value is no value to store");
    json_t *text = write_value(came, (enum query_type)c->type, &why);
    if (!text)
        return fail(b, PROBLEM_BODY_INVALID, name, why ? why : "it cannot be read");
    json_object_setn_new(values, c->column.p, c->column.n, text);
    return PROBLEM_OK;
}

enum problem write_body_values(struct write_body *b, struct worker *w,
                               const struct catalog_api *api, const json_t *item,
                               const json_t *before, json_t **values)
{
    const char *number;
    json_t *came;
    enum problem p = PROBLEM_OK;
    *values = json_copy(json_object_get(item, "values"));
    json_object_foreach(json_object_get(item, "masked"), number, came)
    {
        if (!p)
            p = take_masked(b, w, api, strtoul(number, NULL, 10), came, before, *values);
    }
    return p;
}
