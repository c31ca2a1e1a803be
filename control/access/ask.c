/* SPDX-License-Identifier: Apache-2.0 */
/* Where calls meet the decision: one place before every handler, and the few handlers whose route
 * means more than one operation. */
#include <stdio.h>

#include "access/access.h"
#include "api/api.h"

static bool is_read(const char *method)
{
    return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

static const char *verb_of(const struct rest_call *c)
{
    if (is_read(c->req->method)) {
        return "read";
    }
    if (strcmp(c->req->method, "PATCH") == 0) {
        return "update";
    }
    return c->n_segments > 2 ? c->segment[2] : "create";
}

bool access_operation_of(const struct rest_call *c, const struct rest_route *route,
                         char operation[static ACCESS_OPERATION_MAX])
{
    unsigned roles = 0;

    if (route->operation) {
        snprintf(operation, ACCESS_OPERATION_MAX, "%s", route->operation);
        return true;
    }
    const struct resource *res = resource_by_plural(c->segment[0]);
    int n = res ? snprintf(operation, ACCESS_OPERATION_MAX, "%s.%s", res->plural, verb_of(c)) : 0;
    if (n <= 0 || n >= ACCESS_OPERATION_MAX) {
        return false;
    }
    if (access_operation_roles(operation, &roles)) {
        return true;
    }
    if (route->pattern[0] == '*') {
        return c->n_segments < 3; /* nobody may, which is not the same as there being no such */
    }
    snprintf(operation, ACCESS_OPERATION_MAX, "%s.read", res->plural);
    return true; /* a route of its own without a name: whoever sees the resource, and its handler */
}

bool access_may(const struct rest_call *c, const char *operation)
{
    const struct access_question q = {.operation = operation};
    struct access_verdict v;
    struct access_who who;

    access_caller(c, &who);
    access_decide(&who, &q, &v);
    return v.allowed;
}

enum problem access_check(struct rest_call *c, const char *operation)
{
    const struct access_question q = {.operation = operation};
    struct access_verdict v;
    struct access_who who;

    access_caller(c, &who);
    access_decide(&who, &q, &v);
    snprintf(c->operation, sizeof c->operation, "%s", operation);
    c->by_role = v.by_role;
    return v.allowed ? PROBLEM_OK : PROBLEM_NOT_PERMITTED;
}
