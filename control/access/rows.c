/* SPDX-License-Identifier: Apache-2.0 */
/* Which rows a permission reaches. Without grants this is the scope of the resource's table alone.
 * What is bound is ids of this user's grants, joined into one text: an id is found in it whole,
 * since all are of one length and none is part of another. */
#include <stdlib.h>

#include "access/access.h"

static const struct scope *scope_of(const struct rest_call *c, const struct resource *res)
{
    for (size_t i = 0; i < res->n_scopes; i++) {
        if (res->scopes[i].roles & c->user.role) {
            return &res->scopes[i];
        }
    }
    return NULL;
}

/* A role without a scope row sees all rows only when it is staff's or the auditors'. */
static void add_scope(const struct rest_call *c, const struct resource *res, bool write,
                      struct buf *sql, struct store_value *v, size_t *n)
{
    const struct scope *s = scope_of(c, res);

    if (!s) {
        buf_adds(sql, c->user.role & (ROLE_STAFF | ROLE_AUDITOR) ? "1 = 1" : "1 = 0");
        return;
    }
    const char *text = write ? s->write : s->read;
    const char *value = s->bind == BIND_ORGANISATION ? c->user.organisation
                        : s->bind == BIND_USER       ? c->user.id
                                                     : c->user.subject;
    buf_addf(sql, "(%s)", text);
    for (const char *at = strchr(text, '?'); at; at = strchr(at + 1, '?')) {
        v[(*n)++] = store_text(value);
    }
}

static bool has(const struct resource *res, const char *attribute)
{
    for (size_t i = 0; i < res->n_attrs; i++) {
        if (strcmp(res->attrs[i].name, attribute) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL: rows of this resource are no app's. */
static const char *app_column(const struct resource *res)
{
    return strcmp(res->plural, "apps") == 0 ? "t.id" : has(res, "app_id") ? "t.app_id" : NULL;
}

/* Binds one value. NULL: its rows are no organisation's. */
static const char *organisation_rule(const struct resource *res)
{
    if (strcmp(res->plural, "organisations") == 0) {
        return "t.id = ?";
    }
    if (has(res, "organisation_id")) {
        return "t.organisation_id = ?";
    }
    if (has(res, "app_id")) {
        return "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)";
    }
    if (has(res, "api_id")) {
        return "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)";
    }
    return has(res, "user_id") ? "t.user_id IN (SELECT id FROM users WHERE organisation_id = ?)"
                               : NULL;
}

static const char *department_rule(const struct resource *res)
{
    if (strcmp(res->plural, "departments") == 0) {
        return "? LIKE ('%' || t.id || '%')";
    }
    if (has(res, "department_id")) {
        return "? LIKE ('%' || t.department_id || '%')";
    }
    return has(res, "user_id") ? "t.user_id IN (SELECT id FROM users WHERE ? LIKE ('%' || "
                                 "department_id || '%'))"
                               : NULL;
}

/* The operation that reaches rows of res now: the call's, or reading what a body refers to. */
static void operation_on(const struct rest_call *c, const struct resource *res,
                         char operation[static ACCESS_OPERATION_MAX], bool *by_role)
{
    size_t n = strlen(res->plural);
    unsigned roles = 0;

    if (strncmp(c->operation, res->plural, n) == 0 && c->operation[n] == '.') {
        snprintf(operation, ACCESS_OPERATION_MAX, "%s", c->operation);
        *by_role = c->by_role;
        return;
    }
    snprintf(operation, ACCESS_OPERATION_MAX, "%s.read", res->plural);
    *by_role = !access_operation_roles(operation, &roles) || (roles & c->user.role);
}

/* What of the user's function grants covers the operation. */
struct reach {
    bool own, unit[REACH_ALL + 1];
    struct buf apps, denied_apps;
};

static void reach_fill(struct reach *r, const struct rest_call *c, const char *operation,
                       bool by_role)
{
    *r = (struct reach){.own = by_role};
    buf_init(&r->apps);
    buf_init(&r->denied_apps);
    for (size_t i = 0; i < c->held->n_functions; i++) {
        const struct access_function *f = &c->held->functions[i];
        if (!access_covers(f->operation, operation)) {
            continue;
        }
        if (f->app[0]) {
            buf_addf(f->deny ? &r->denied_apps : &r->apps, "%s ", f->app);
        } else if (!f->deny) {
            r->own = true;
            r->unit[f->reach] = true;
        }
    }
}

/* A text that lives as long as what the caller holds. */
static struct store_value kept(const struct rest_call *c, struct buf *text)
{
    json_t *s = text->failed ? json_string("") : json_stringn(text->p ? text->p : "", text->n);

    if (!c->held->lists) {
        c->held->lists = json_array();
    }
    json_array_append_new(c->held->lists, s);
    buf_fini(text);
    return store_text(json_string_value(s));
}

static void add_units(const struct rest_call *c, const struct resource *res, const struct reach *r,
                      struct buf *sql, struct store_value *v, size_t *n)
{
    const char *organisation = organisation_rule(res), *department = department_rule(res);

    if (r->unit[REACH_ALL]) {
        buf_adds(sql, " OR 1 = 1");
    }
    if (r->unit[REACH_ORGANISATION] && organisation && c->user.organisation[0]) {
        buf_addf(sql, " OR %s", organisation);
        v[(*n)++] = store_text(c->user.organisation);
    }
    if (r->unit[REACH_DEPARTMENT] && department && c->held->departments) {
        buf_addf(sql, " OR %s", department);
        v[(*n)++] = store_text(c->held->departments);
    }
}

/* APIs and datasets are the data that data grants name; an allow lets them be read about. */
static void add_data(const struct rest_call *c, const struct resource *res, bool deny,
                     struct buf *sql, struct store_value *v, size_t *n)
{
    bool apis = strcmp(res->plural, "apis") == 0;
    struct buf ids, datasets;

    if (!apis && strcmp(res->plural, "datasets") != 0) {
        return;
    }
    buf_init(&ids);
    buf_init(&datasets);
    for (size_t i = 0; i < c->held->n_data; i++) {
        const struct access_data *d = &c->held->data[i];
        if (d->deny == deny) {
            buf_addf(&ids, "%s ", apis ? d->api : d->dataset);
            buf_addf(&datasets, "%s ", d->dataset);
        }
    }
    if (ids.n == 0) {
        buf_fini(&ids);
        buf_fini(&datasets);
        return;
    }
    buf_addf(sql,
             deny ? " AND NOT (? LIKE ('%%' || t.id || '%%')%s)"
                  : " OR ? LIKE ('%%' || t.id || '%%')%s",
             apis ? " OR ? LIKE ('%' || coalesce(t.dataset_id, 'none') || '%')" : "");
    v[(*n)++] = kept(c, &ids);
    if (apis) {
        v[(*n)++] = kept(c, &datasets);
    }
    buf_fini(&datasets);
}

static void add_granted(const struct rest_call *c, const struct resource *res, bool write,
                        struct buf *sql, struct store_value *v, size_t *n)
{
    char operation[ACCESS_OPERATION_MAX];
    const char *app = app_column(res);
    bool by_role = false;
    struct reach r;

    operation_on(c, res, operation, &by_role);
    reach_fill(&r, c, operation, by_role);
    buf_adds(sql, " AND (");
    if (r.own) {
        add_scope(c, res, write, sql, v, n);
    } else {
        buf_adds(sql, "1 = 0");
    }
    add_units(c, res, &r, sql, v, n);
    if (r.apps.n && app) {
        buf_addf(sql, " OR ? LIKE ('%%' || %s || '%%')", app);
        v[(*n)++] = kept(c, &r.apps);
    }
    if (!write) {
        add_data(c, res, false, sql, v, n);
    }
    buf_addc(sql, ')');
    if (r.denied_apps.n && app) {
        buf_addf(sql, " AND NOT (? LIKE ('%%' || coalesce(%s, 'none') || '%%'))", app);
        v[(*n)++] = kept(c, &r.denied_apps);
    }
    add_data(c, res, true, sql, v, n);
    buf_fini(&r.apps);
    buf_fini(&r.denied_apps);
}

void scope_sql(const struct rest_call *c, const struct resource *res, bool write, struct buf *sql,
               struct store_value *v, size_t *n)
{
    if (c->held) {
        add_granted(c, res, write, sql, v, n);
        return;
    }
    buf_adds(sql, " AND (");
    add_scope(c, res, write, sql, v, n);
    buf_addc(sql, ')');
}
