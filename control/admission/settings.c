/* SPDX-License-Identifier: Apache-2.0 */
/* What admission asks for on this platform (rest/strict.c says why). What was admitted before
 * something was asked for is looked at when it is next admitted or resumed. */
#include <stdlib.h>

#include "admission/inner.h"
#include "rest/settings.h"
#include "rest/strict.h"

static bool overdue_ok(const char *v)
{
    return strcmp(v, "alert") == 0 || strcmp(v, "suspend") == 0;
}

static bool score_ok(const char *v)
{
    return setting_is_number(v, 0, 100);
}

static bool days_ok(const char *v)
{
    return setting_is_number(v, 1, 3650);
}

static bool grace_ok(const char *v)
{
    return setting_is_number(v, 0, 365);
}

static const struct setting settings[] = {
    {"admission-required", setting_is_switch, "on or off"},
    {"agreement-required", setting_is_switch, "on or off"},
    {"privacy-agreement-required", setting_is_switch, "on or off"},
    {"provider-approval-required", setting_is_switch, "on or off"},
    {"certificates-required", certificates_list_ok, "none, or kinds of certificate with commas"},
    {"protection-floor", score_ok, "0 to 100"},
    {"review-days", days_ok, "1 to 3650"},
    {"warn-days", grace_ok, "0 to 365"},
    {"grace-days", grace_ok, "0 to 365"},
    {"overdue-review", overdue_ok, "alert or suspend"},
};

static const struct attr attrs[] = {SETTINGS_ATTRS(ADMISSION_VALUE - 1)};

static enum problem refeed_one(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

/* Which subscriptions are served depends on these. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *name = row_text(ch->row, "name");
    enum problem p = strict_after(c, ch);

    if (p != PROBLEM_OK ||
        (strcmp(name, "agreement-required") != 0 &&
         strcmp(name, "provider-approval-required") != 0) ||
        !api_changed(ch->old, ch->row, "value")) {
        return p;
    }
    return row_each(c, ch->txn, &subscriptions_resource, "state", "approved", refeed_one, NULL);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch);
}

const struct resource admission_settings_resource = {
    .plural = "admission_settings",
    .kind = "admission-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = after,
};

enum problem admission_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                               char value[static ADMISSION_VALUE])
{
    return settings_get(c, txn, &admission_settings_resource, name, value, ADMISSION_VALUE);
}

enum problem admission_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                  bool *on)
{
    return settings_on(c, txn, &admission_settings_resource, name, on);
}

enum problem admission_setting_int(struct rest_call *c, struct store_txn *txn, const char *name,
                                   int64_t *value)
{
    char text[ADMISSION_VALUE];
    enum problem p = admission_setting(c, txn, name, text);

    *value = strtol(text, NULL, 10);
    return p;
}
