/* SPDX-License-Identifier: Apache-2.0 */
/* Which changes are told to whom, without the resources knowing of notices. */
#include "api/api.h"
#include "notices/notices.h"

enum to {
    TO_ORGANISATION,      /* row.organisation_id */
    TO_APPS_ORGANISATION, /* the organisation of row.app_id */
    TO_OWNER,             /* whoever row.owner stands for */
    TO_OPERATORS
};

static const struct {
    const char *kind, *action, *notice;
    enum to to;
} rules[] = {
    {"app", "admit", "app-admitted", TO_ORGANISATION},
    {"app", "return", "app-returned", TO_ORGANISATION},
    {"app", "test", "app-testing", TO_ORGANISATION},
    {"app", "suspend", "app-suspended", TO_ORGANISATION},
    {"app", "resume", "app-resumed", TO_ORGANISATION},
    {"subscription", "approve", "subscription-approved", TO_APPS_ORGANISATION},
    {"subscription", "return", "subscription-returned", TO_APPS_ORGANISATION},
    {"subscription", "suspend", "subscription-suspended", TO_APPS_ORGANISATION},
    {"grant", "create", "grant-made", TO_APPS_ORGANISATION},
    {"grant", "revoke", "grant-revoked", TO_APPS_ORGANISATION},
    {"credential", "revoke", "credential-revoked", TO_APPS_ORGANISATION},
    {"application", "accept", "application-accepted", TO_ORGANISATION},
    {"application", "advance", "application-advanced", TO_ORGANISATION},
    {"application", "return", "application-returned", TO_ORGANISATION},
    {"application", "approve", "application-approved", TO_ORGANISATION},
    {"application", "refuse", "application-refused", TO_ORGANISATION},
    {"grant-request", "create", "grant-requested", TO_OWNER},
    {"grant-request", "approve", "grant-request-approved", TO_APPS_ORGANISATION},
    {"grant-request", "refuse", "grant-request-refused", TO_APPS_ORGANISATION},
    {"licence", "approve", "licence-approved", TO_APPS_ORGANISATION},
    {"licence", "return", "licence-returned", TO_APPS_ORGANISATION},
    {"licence", "refuse", "licence-refused", TO_APPS_ORGANISATION},
    {"licence", "revoke", "licence-revoked", TO_APPS_ORGANISATION},
    {"licence", "follow", "licence-revoked", TO_APPS_ORGANISATION},
    {"closure", "handle", "services-closed", TO_OWNER},
    {"direct-connection", "approve", "direct-connection-decided", TO_APPS_ORGANISATION},
    {"direct-connection", "refuse", "direct-connection-decided", TO_APPS_ORGANISATION},
    {"direct-connection", "revoke", "direct-connection-decided", TO_APPS_ORGANISATION},
    {"direct-connection", "create", "direct-connection-requested", TO_OPERATORS},
};

static enum problem recipient(struct rest_call *c, struct store_txn *txn, enum to to,
                              const json_t *row, json_t **app, const char **organisation)
{
    enum problem p = PROBLEM_OK;

    if (to == TO_APPS_ORGANISATION || to == TO_OPERATORS ||
        (to == TO_OWNER && row_text(row, "app_id")[0])) {
        p = api_load(c, txn, &apps_resource, row_text(row, "app_id"), app);
        row = *app;
    }
    *organisation = p != PROBLEM_OK      ? ""
                    : to == TO_OPERATORS ? NULL
                                         : row_text(row, "organisation_id");
    return p;
}

/* One to each account that stands for the owner. */
static enum problem tell_owner(struct rest_call *c, struct change *ch)
{
    const struct notice *n = ch->arg;
    struct notice mine = *n;

    mine.user_id = row_text(ch->row, "id");
    return strcmp(row_text(ch->row, "state"), "active") == 0 ? notice_put(c, ch->txn, &mine)
                                                             : PROBLEM_OK;
}

static enum problem tell(struct rest_call *c, struct store_txn *txn, const struct resource *res,
                         const json_t *row, size_t i)
{
    json_t *app = NULL;
    const char *organisation = "", *name = row_text(row, "name"), *title = row_text(row, "title");
    enum problem p = recipient(c, txn, rules[i].to, row, &app, &organisation);
    struct notice n = {.kind = rules[i].notice,
                       .organisation_id = organisation,
                       .object_kind = res->kind,
                       .object_id = row_text(row, "id"),
                       .object_name = name[0]    ? name
                                      : title[0] ? title
                                      : app      ? row_text(app, "name")
                                                 : NULL,
                       .detail = row_text(row, "comment")};

    if (p == PROBLEM_OK && rules[i].to == TO_OWNER) {
        n.organisation_id = NULL;
        p = row_each(c, txn, &users_resource, "subject", row_text(row, "owner"), tell_owner, &n);
    } else if (p == PROBLEM_OK) {
        p = notice_put(c, txn, &n);
    }
    json_decref(app);
    return p;
}

enum problem notice_of_change(struct rest_call *c, struct store_txn *txn,
                              const struct resource *res, const json_t *row, const char *action)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        if (strcmp(rules[i].kind, res->kind) == 0 && strcmp(rules[i].action, action) == 0) {
            return tell(c, txn, res, row, i);
        }
    }
    return PROBLEM_OK;
}
