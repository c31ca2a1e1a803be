/* SPDX-License-Identifier: Apache-2.0 */
/* One function for each kind of attachment: what creation and change refuse. */
#include "api/attachments.h"

#include <stdlib.h>

enum problem attachment_check_openapi(struct rest_call *c, const char *where, const json_t *v)
{
    return json_is_object(v) && json_is_object(json_object_get(v, "paths"))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an OpenAPI 3.1 document with paths is needed");
}

enum problem attachment_check_definition(struct rest_call *c, const char *where, const json_t *v)
{
    return json_is_object(v) ? PROBLEM_OK
                             : rest_fail(c, PROBLEM_FIELD_INVALID, where, "an object is needed");
}

enum problem attachment_check_graph(struct rest_call *c, const char *where, const json_t *v)
{
    const json_t *steps = json_object_get(v, "steps");
    size_t n = json_dumpb(v, NULL, 0, JSON_COMPACT);

    if (!json_is_object(v) || json_array_size(steps) + json_object_size(steps) == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an object with steps is needed");
    }
    if (n > ATTACHMENT_GRAPH_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "at most %u bytes, this has %zu",
                         ATTACHMENT_GRAPH_MAX, n);
    }
    return PROBLEM_OK;
}
