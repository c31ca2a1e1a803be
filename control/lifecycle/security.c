/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of what protects the data of the running platform (SW-9.8-0): each is made when it is
 * asked for, and kept, so that the one before can be laid beside it. */
#include "lifecycle/security.h"
#include "api/api.h"
#include "lifecycle/lifecycle.h"

static const struct attr attrs[] = {
    {"made_by", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"result", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"missing", ATTR_INT, AF_READ_ONLY},
    {"content", ATTR_JSON, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *stages = NULL;
    json_int_t missing = 0;
    enum problem p = security_stages(c, ch->txn, &stages, &missing);

    json_object_set_new(ch->row, "made_by", json_string(c->user.login));
    json_object_set_new(ch->row, "result", json_string(missing ? "findings" : "pass"));
    json_object_set_new(ch->row, "missing", json_integer(missing));
    json_object_set_new(ch->row, "content", stages);
    return p;
}

const struct resource security_reports_resource = {
    .plural = "security_reports",
    .kind = "security-report",
    .initial = "kept",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .check = check,
};
