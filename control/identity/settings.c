/* SPDX-License-Identifier: Apache-2.0 */
/* How strict sign-in is: two tables with fixed rows that an administrator changes and nobody adds
 * to. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "identity/inner.h"
#include "rest/settings.h"
#include "rest/strict.h"

#define VERIFY_DAYS_MAX 3650

/* Session times (BK-9.3.1c1): no scenario may be given more than this. */
static const struct attr policy_attrs[] = {
    {"scenario", ATTR_TEXT, AF_READ_ONLY},
    {"idle_s", ATTR_INT, 0, 5, 3600},
    {"absolute_s", ATTR_INT, 0, 10, 86400},
};

static enum problem check_policy(struct rest_call *c, struct change *ch)
{
    json_int_t idle = json_integer_value(json_object_get(ch->row, "idle_s"));
    json_int_t absolute = json_integer_value(json_object_get(ch->row, "absolute_s"));

    /* null would have passed the attribute's own check */
    if (idle < 5 || absolute < 10 || idle > absolute) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/idle_s",
                         "both times are needed, idle_s at most absolute_s");
    }
    return PROBLEM_OK;
}

const struct resource session_policies_resource = {
    .plural = "session_policies",
    .kind = "session-policy",
    .initial = "active",
    .attrs = policy_attrs,
    .n_attrs = COUNT(policy_attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check_policy,
};

/* Settings ------------------------------------------------------------------------------------- */
static bool captcha_ok(const char *v)
{
    return strcmp(v, "always") == 0 || strcmp(v, "after-failures") == 0;
}

static bool second_factor_ok(const char *v)
{
    return strcmp(v, "off") == 0 || strcmp(v, "staff") == 0 || strcmp(v, "all") == 0;
}

static bool days_ok(const char *v)
{
    return setting_is_number(v, 0, VERIFY_DAYS_MAX);
}

static const struct setting settings[] = {
    {"captcha", captcha_ok, "always or after-failures"},
    {"second-factor", second_factor_ok, "off, staff or all"},
    {"verify-days", days_ok, "0 (never) to 3650"},
    {"separation", setting_is_switch, "off or on"},
    {"identity-source", realname_setting_ok,
     "checksum, an address with http:// or https://, or peer: and a name"},
};

static const struct attr setting_attrs[] = {SETTINGS_ATTRS(SETTING_MAX - 1)};

/* Once on, the old administrator can do only the system's part: the others must be there first. */
static enum problem check_separation(struct rest_call *c, struct change *ch)
{
    struct store_rows *rows = NULL;
    bool both = false;

    if (strcmp(row_text(ch->row, "name"), "separation") != 0 ||
        strcmp(row_text(ch->row, "value"), "on") != 0) {
        return PROBLEM_OK;
    }
    enum store_err err = store_query(
        ch->txn,
        "SELECT EXISTS (SELECT 1 FROM users WHERE role = 'security-admin' AND state = 'active') "
        "AND EXISTS (SELECT 1 FROM users WHERE role = 'auditor' AND state = 'active')",
        NULL, 0, &rows);
    both = err == STORE_OK && store_next(rows) && store_get_int(rows, 0);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && !both
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/value",
                           "an active security-admin and an active auditor are needed first")
               : p;
}

static enum problem check_setting(struct rest_call *c, struct change *ch)
{
    enum problem p = settings_check(c, settings, COUNT(settings), ch);

    return p == PROBLEM_OK ? check_separation(c, ch) : p;
}

const struct resource identity_settings_resource = {
    .plural = "identity_settings",
    .kind = "identity-setting",
    .initial = "active",
    .attrs = setting_attrs,
    .n_attrs = COUNT(setting_attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check_setting,
    .after = strict_after,
};

enum problem setting_get(struct rest_call *c, struct store_txn *txn, const char *name,
                         char value[static SETTING_MAX])
{
    return settings_get(c, txn, &identity_settings_resource, name, value, SETTING_MAX);
}

enum problem session_times_get(struct rest_call *c, struct store_txn *txn, const char *scenario,
                               struct session_times *t)
{
    const struct store_value v = store_text(scenario);
    struct store_rows *rows = NULL;
    bool found = false;
    enum store_err err = store_query(
        txn, "SELECT idle_s, absolute_s FROM session_policies WHERE scenario = ?", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        found = true;
        t->idle_ms = (uint64_t)store_get_int(rows, 0) * 1000;
        t->absolute_ms = (uint64_t)store_get_int(rows, 1) * 1000;
    }
    if (err == STORE_OK) {
        err = store_rows_end(&rows);
    }
    if (err == STORE_OK && !found) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/scenario", "there is no such scenario");
    }
    return rest_store_problem(c, err);
}
