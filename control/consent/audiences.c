/* SPDX-License-Identifier: Apache-2.0 */
/* A named group of persons an owner shares data with (EC-5.2.2a). A grant that names one opens only
 * for calls whose access token is of a member; who is in it may change at any time, and the nodes
 * hear of it as of any change of the grant. */
#include "api/api.h"
#include "consent/consent.h"

#define MEMBERS_MAX 100

/* Whether there is such a user is not looked at, so nobody learns of accounts here. */
static enum problem check_members(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i;
    struct uuid id;
    enum problem p = api_check_words(c, where, v, NULL, MEMBERS_MAX);

    json_array_foreach(v, i, item)
    {
        const char *text = json_string_value(item);
        if (p == PROBLEM_OK && !uuid_parse(&id, text, strlen(text))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "ids of users are needed");
        }
    }
    return p;
}

static const struct attr attrs[] = {
    {"owner", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 128},
    {"name", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"members", ATTR_JSON, AF_REQUIRED, .check = check_members},
};

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "owner", json_string(c->user.subject));
    return c->user.subject[0] ? PROBLEM_OK
                              : rest_fail(c, PROBLEM_FIELD_INVALID, "/owner",
                                          "only an owner of data has somebody to share with");
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    return ch->old && strcmp(row_text(ch->old, "state"), "active") != 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another")
               : PROBLEM_OK;
}

static enum problem tell(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    return ch->old ? row_each(c, ch->txn, &grants_resource, "audience_id", row_text(ch->row, "id"),
                              tell, NULL)
                   : PROBLEM_OK;
}

enum problem audiences_check(struct rest_call *c, struct store_txn *txn, const json_t *grant)
{
    const char *id = row_text(grant, "audience_id");
    json_t *row = NULL;
    enum problem p = id[0] ? api_load(c, txn, &audiences_resource, id, &row) : PROBLEM_OK;

    if (p == PROBLEM_OK && id[0] &&
        (strcmp(row_text(row, "owner"), row_text(grant, "owner")) != 0 ||
         strcmp(row_text(row, "state"), "active") != 0)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/audience_id",
                      "it is another owner's, or removed");
    }
    json_decref(row);
    return p;
}

enum problem audiences_members(struct rest_call *c, struct store_txn *txn, const json_t *grant,
                               json_t **members)
{
    const char *id = row_text(grant, "audience_id");
    json_t *row = NULL;

    *members = NULL;
    if (!id[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, &audiences_resource, id, &row);
    if (p == PROBLEM_OK) {
        *members = strcmp(row_text(row, "state"), "active") == 0
                       ? json_incref(json_object_get(row, "members"))
                       : json_array();
    }
    json_decref(row);
    return p;
}

static const struct transition transitions[] = {
    {"active", "remove", "removed", ROLE_OWNER},
};

static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_SUBJECT, "t.owner = ?", "t.owner = ?"},
};

const struct resource audiences_resource = {
    .plural = "audiences",
    .kind = "audience",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_OWNER | ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_OWNER,
    .patch_roles = ROLE_OWNER,
    .prepare = prepare,
    .check = check,
    .after = after,
};
