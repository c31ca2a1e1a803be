/* SPDX-License-Identifier: Apache-2.0 */
/* Where people stand: departments of an organisation, one below another, and posts. */
#include "access/access.h"
#include "api/api.h"

#define DEPTH_MAX 16 /* departments below one another */

static const struct attr department_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"parent_id", ATTR_REF, AF_FILTER, .ref = "departments"},
};

/* Up from the parent: it must end, before it comes back to the department itself. */
static enum problem check_parents(struct rest_call *c, struct change *ch)
{
    char at[UUID_TEXT_LEN + 1];
    enum problem p = PROBLEM_OK;

    snprintf(at, sizeof at, "%s", row_text(ch->row, "parent_id"));
    for (unsigned depth = 0; p == PROBLEM_OK && at[0]; depth++) {
        json_t *above = NULL;
        if (depth == DEPTH_MAX || strcmp(at, row_text(ch->row, "id")) == 0) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/parent_id",
                             "at most %d departments below one another, none below itself",
                             DEPTH_MAX);
        }
        p = api_load(c, ch->txn, &departments_resource, at, &above);
        if (p == PROBLEM_OK &&
            strcmp(row_text(above, "organisation_id"), row_text(ch->row, "organisation_id")) != 0) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/parent_id", "it is another organisation's");
        }
        snprintf(at, sizeof at, "%s", row_text(above, "parent_id"));
        json_decref(above);
    }
    return p;
}

/* A department that moves or ends changes what reaches all below it. */
static enum problem department_after(struct rest_call *c, struct change *ch)
{
    if (!ch->old ||
        (!api_changed(ch->old, ch->row, "parent_id") && !api_changed(ch->old, ch->row, "state"))) {
        return PROBLEM_OK;
    }
    return access_retell(c, ch->txn, "department", row_text(ch->row, "id"), 0);
}

static enum problem post_after(struct rest_call *c, struct change *ch)
{
    return ch->old && api_changed(ch->old, ch->row, "state")
               ? access_retell(c, ch->txn, "post", row_text(ch->row, "id"), 0)
               : PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "close", "closed", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource departments_resource = {
    .plural = "departments",
    .kind = "department",
    .initial = "active",
    .attrs = department_attrs,
    .n_attrs = COUNT(department_attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check_parents,
    .after = department_after,
};

static const struct attr post_attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
};

const struct resource posts_resource = {
    .plural = "posts",
    .kind = "post",
    .initial = "active",
    .attrs = post_attrs,
    .n_attrs = COUNT(post_attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .after = post_after,
};
