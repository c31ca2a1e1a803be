/* SPDX-License-Identifier: Apache-2.0 */
/* Records of connected platforms (CI-6.1.3), and what a party makes ready before its first call
 * (CI-6.1.2c, GS-6.1b). Every change of both stays in the operations log. */
#include <stdio.h>

#include "admission/inner.h"

#define REQUIRED_TEXT (AF_REQUIRED | AF_FILTER)
static const struct attr filing_attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"application_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "applications"},
    {"platform_name", ATTR_TEXT, REQUIRED_TEXT | AF_SORT, 1, 200},
    {"user_number", ATTR_TEXT, REQUIRED_TEXT | AF_SORT, 1, 64},
    {"domain", ATTR_TEXT, REQUIRED_TEXT, 1, 253},
    {"server_ip", ATTR_TEXT, REQUIRED_TEXT, 2, 64},
    {"operating_unit", ATTR_TEXT, REQUIRED_TEXT, 1, 200},
    {"contact_name", ATTR_TEXT, REQUIRED_TEXT, 1, 100},
    {"contact_phone", ATTR_TEXT, REQUIRED_TEXT, 3, 32},
    {"filed_by", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check_filing(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;

    if (ch->old) {
        return admission_state_is(ch->old, "active")
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the filing is closed");
    }
    json_object_set_new(ch->row, "filed_by", json_string(c->user.login));
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    if (p == PROBLEM_OK &&
        strcmp(row_text(app, "organisation_id"), row_text(ch->row, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "it is another organisation's app");
    }
    json_decref(app);
    return p;
}

static const struct transition filing_transitions[] = {
    {"active", "close", "closed", ROLE_STAFF},
};

static const struct scope filing_scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource filings_resource = {
    .plural = "filings",
    .kind = "filing",
    .initial = "active",
    .attrs = filing_attrs,
    .n_attrs = COUNT(filing_attrs),
    .transitions = filing_transitions,
    .n_transitions = COUNT(filing_transitions),
    .scopes = filing_scopes,
    .n_scopes = COUNT(filing_scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check_filing,
};

/* Preparations --------------------------------------------------------------------------------- */
static enum problem check_items(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"item", "done", "evidence", NULL};
    char at[64];
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > 64) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of 1 to 64 is needed");
    }
    json_array_foreach(v, i, item)
    {
        bool done = json_is_true(json_object_get(item, "done"));
        snprintf(at, sizeof at, "%.40s/%zu", where, i);
        if (!json_is_object(item) || !api_only_members(item, members) ||
            !row_text(item, "item")[0] || !json_is_boolean(json_object_get(item, "done"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, at, "item, done and evidence are needed");
        }
        enum problem p =
            attr_text_check(c, at, json_object_get(item, "evidence"), done, 1000, true);
        if (p != PROBLEM_OK) {
            return p; /* what is done shows by what */
        }
    }
    return PROBLEM_OK;
}

static const struct attr preparation_attrs[] = {
    {"application_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "applications"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"app_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "apps"},
    {"items", ATTR_JSON, AF_REQUIRED, .check = check_items},
    {"due_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"overdue_at", ATTR_TIME, AF_READ_ONLY},
    {"completed_by", ATTR_TEXT, AF_READ_ONLY},
};

static bool has_item(const json_t *items, const char *name)
{
    json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        if (strcmp(row_text(item, "item"), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Its items are the platform's: they are ticked off, not taken away. */
static enum problem check_preparation(struct rest_call *c, struct change *ch)
{
    json_t *item;
    size_t i;

    if (!ch->old || admission_state_is(ch->old, "done")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the preparation is done");
    }
    json_array_foreach(json_object_get(ch->old, "items"), i, item)
    {
        if (!has_item(json_object_get(ch->row, "items"), row_text(item, "item"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/items", "%.60s is missing",
                             row_text(item, "item"));
        }
    }
    return PROBLEM_OK;
}

static enum problem complete(struct rest_call *c, struct change *ch)
{
    json_t *item;
    size_t i;

    json_array_foreach(json_object_get(ch->row, "items"), i, item)
    {
        if (!json_is_true(json_object_get(item, "done"))) {
            return rest_fail(c, PROBLEM_STATE_CONFLICT, "/items", "%.60s is not done",
                             row_text(item, "item"));
        }
    }
    json_object_set_new(ch->row, "completed_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static const struct transition preparation_transitions[] = {
    {"open|overdue", "complete", "done", ROLE_STAFF, .hook = complete},
};

static const struct scope preparation_scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?",
     "t.organisation_id = ?"},
};

const struct resource preparations_resource = {
    .plural = "preparations",
    .kind = "preparation",
    .initial = "open",
    .attrs = preparation_attrs,
    .n_attrs = COUNT(preparation_attrs),
    .transitions = preparation_transitions,
    .n_transitions = COUNT(preparation_transitions),
    .scopes = preparation_scopes,
    .n_scopes = COUNT(preparation_scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .patch_roles = APPLICANT_ROLES,
    .check = check_preparation,
};
