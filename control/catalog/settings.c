/* SPDX-License-Identifier: Apache-2.0 */
/* How strict the platform is with its directory: fixed rows that an administrator changes. */
#include "rest/settings.h"
#include "rest/strict.h"

#include "api/api.h"
#include "catalog/opening.h"

static bool days_ok(const char *v)
{
    return setting_is_number(v, 0, 365);
}

static const struct setting settings[] = {
    {"scope-required", setting_is_switch, "on or off"},
    {"plan-notice-days", days_ok, "0 to 365"},
};

static const struct attr attrs[] = {SETTINGS_ATTRS(CATALOG_SETTING_MAX - 1)};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch);
}

const struct resource catalog_settings_resource = {
    .plural = "catalog_settings",
    .kind = "catalog-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = strict_after,
};

enum problem catalog_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                bool *on)
{
    return settings_on(c, txn, &catalog_settings_resource, name, on);
}
