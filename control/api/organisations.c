/* SPDX-License-Identifier: Apache-2.0 */
/* Organisations: the platform's operator, data holders, third-party providers (EC-4.2.1a). */
#include "access/access.h"
#include "api/api.h"
#include "id/idnum.h"

static const char *const kinds[] = {"platform", "holder", "third_party", NULL};

static enum problem check_uscc(struct rest_call *c, const char *where, const json_t *v)
{
    if (!idnum_is_uscc(slice_str(json_string_value(v)))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "not a unified social credit code: its check character does not fit");
    }
    return PROBLEM_OK;
}

static const char *const parties[] = {"data-provider", "data-user", "credit-scenario", NULL};
static const char *const receivers[] = {"enterprise", "government", "third_party", NULL};

static enum problem check_parties(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, parties, 3);
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 20, .values = kinds},
    {"uscc", ATTR_TEXT, AF_FILTER, 1, 18, .check = check_uscc},
    {"contact", ATTR_TEXT, AF_LINES, 0, 1000},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"subject", ATTR_TEXT, AF_FILTER, 1, 128},
    {"parties", ATTR_JSON, 0, .check = check_parties},
    {"receiver", ATTR_TEXT, AF_FILTER, 1, 20, .values = receivers},
    {"surviving_duties", ATTR_JSON, AF_READ_ONLY},
};

static const struct transition transitions[] = {
    {"applied", "approve", "active", ROLE_STAFF},
    {"applied", "reject", "rejected", ROLE_STAFF},
    {"active", "suspend", "suspended", ROLE_STAFF},
    {"suspended", "resume", "active", ROLE_STAFF},
    {"active|suspended", "close", "closed", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "t.id = ?", "1 = 0"},
};

static enum problem tell_app(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

/* Only an active organisation's apps are served, and its own rows are not third-party data: their
 * entries follow its state and subject (EC-6.1.4.4a, SW-9.6.1). */
static enum problem after(struct rest_call *c, struct change *ch)
{
    if (!api_changed(ch->old, ch->row, "state") && !api_changed(ch->old, ch->row, "subject")) {
        return PROBLEM_OK;
    }
    return row_each(c, ch->txn, &apps_resource, "organisation_id", row_text(ch->row, "id"),
                    tell_app, NULL);
}

/* What an organisation is, and whose rows are its own, is not for it to say. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const identity[] = {"subject", "parties", "uscc"};

    for (size_t i = 0; ch->old && i < COUNT(identity); i++) {
        if (api_changed(ch->old, ch->row, identity[i]) &&
            !access_may(c, "organisations.identify")) {
            return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "an operator changes %s", identity[i]);
        }
    }
    return PROBLEM_OK;
}

const struct resource organisations_resource = {
    .plural = "organisations",
    .kind = "organisation",
    .initial = "applied",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
};
