/* SPDX-License-Identifier: Apache-2.0 */
#include "rest/rest.h"

enum problem rest_health(struct rest_call *c)
{
    return rest_answer(c, 200, json_pack("{s:s}", "status", "ok"));
}

enum problem rest_openapi(struct rest_call *c)
{
    if (!c->ctl->openapi) {
        return PROBLEM_NOT_FOUND;
    }
    buf_adds(&c->resp->body, c->ctl->openapi);
    c->resp->content_type = "application/yaml";
    c->resp->status = 200;
    return PROBLEM_OK;
}
