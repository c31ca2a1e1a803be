/* SPDX-License-Identifier: Apache-2.0 */
/* How much may be called, and what happens past it: alert, suspend, reject (BK-10.1.2a1). */
#include "api/api.h"
#include "base/clock.h"

#define AMOUNT_MAX (1ll << 52)  /* what any JSON reader holds exactly */
#define RATE_MAX   1000000000ll /* as libs/limit counts */

static const char *const pers[] = {"all", "app", "api", "app-api", "user", "address", NULL};
static const char *const measures[] = {"rate",  "concurrency", "calls", "rows",
                                       "bytes", "refused",     NULL};
static const char *const actions[] = {"alert", "suspend", "reject", NULL};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, 0, 0, 200},
    {"per", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE, 1, 20, .values = pers},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"measure", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = measures},
    {"amount", ATTR_INT, AF_REQUIRED, 1, AMOUNT_MAX},
    {"window_ms", ATTR_INT, 0, 1000, 86400000}, /* as libs/limit counts */
    {"action", ATTR_TEXT, AF_REQUIRED, 1, 20, .values = actions},
    {"suspend_s", ATTR_INT, 0, 1, 2678400},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"released_at", ATTR_TIME, AF_READ_ONLY},
    {"reason", ATTR_TEXT, AF_LINES, 0, 1000},
    {"alert_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"agreement_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
};

static bool set(const json_t *row, const char *name)
{
    const json_t *v = json_object_get(row, name);

    return v && !json_is_null(v);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *measure = row_text(ch->row, "measure");
    bool window = strcmp(measure, "rate") == 0 || strcmp(measure, "refused") == 0,
         suspend = strcmp(row_text(ch->row, "action"), "suspend") == 0;

    if (ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the limit is removed");
    }
    if (window != set(ch->row, "window_ms")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/window_ms",
                         window ? "of measure rate and refused the window is needed"
                                : "only measure rate and refused have a window; calls, rows and "
                                  "bytes count a day");
    }
    if (strcmp(measure, "rate") == 0 &&
        json_integer_value(json_object_get(ch->row, "amount")) > RATE_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/amount",
                         "a rate is at most %lld in its window", RATE_MAX);
    }
    if (suspend != set(ch->row, "suspend_s")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/suspend_s",
                         suspend ? "action suspend needs its length in seconds"
                                 : "only action suspend has a length");
    }
    return api_check_validity(c, ch->row);
}

static enum problem release(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "released_at", json_string(now));
    return PROBLEM_OK;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const told[] = {"per",    "app_id",    "api_id", "measure",
                                       "amount", "window_ms", "action", "suspend_s"};
    static const char *const times[] = {"released_at", "not_before", "expires_at"};

    (void)c;
    (void)txn;
    *data = NULL;
    if (strcmp(row_text(row, "state"), "removed") == 0) {
        return PROBLEM_OK;
    }
    *data = json_pack("{s:s}", "state", row_text(row, "state"));
    for (size_t i = 0; i < COUNT(told); i++) {
        if (set(row, told[i])) {
            json_object_set(*data, told[i], json_object_get(row, told[i]));
        }
    }
    for (size_t i = 0; i < COUNT(times); i++) {
        if (set(row, times[i])) {
            json_object_set_new(*data, times[i], api_feed_ms(row, times[i]));
        }
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"active", "release", NULL, ROLE_STAFF, .hook = release},
    {"active", "disable", "inactive", ROLE_STAFF},
    {"inactive", "enable", "active", ROLE_STAFF},
    {"active|inactive", "remove", "removed", ROLE_STAFF},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource limits_resource = {
    .plural = "limits",
    .kind = "limit",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .feed = feed,
    .feed_kind = "limit",
};
