/* SPDX-License-Identifier: Apache-2.0 */
/* How strict the platform is with the life of its services: fixed rows that an administrator
 * changes. */
#include <stdio.h>
#include <stdlib.h>

#include "api/apis.h"
#include "rest/settings.h"
#include "rest/strict.h"
#include "services/services.h"

static bool days_ok(const char *v)
{
    return setting_is_number(v, 0, 3650);
}

static bool some_days_ok(const char *v)
{
    return setting_is_number(v, 1, 3650);
}

static bool kinds_ok(const char *v)
{
    char list[SERVICE_SETTING_MAX], *save = NULL;
    bool any = false;

    if (strcmp(v, "none") == 0) {
        return true;
    }
    snprintf(list, sizeof list, "%s", v);
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        if (!service_report_kind_known(word)) {
            return false;
        }
        any = true;
    }
    return any;
}

static bool movers_ok(const char *v)
{
    return strcmp(v, "providers") == 0 || strcmp(v, "operators") == 0;
}

static bool url_ok(const char *v)
{
    return strcmp(v, "none") == 0 || targets_url_ok(v, "http://") || targets_url_ok(v, "https://");
}

static bool app_ok(const char *v)
{
    struct uuid id;

    return strcmp(v, "none") == 0 || uuid_parse(&id, v, strlen(v));
}

static const struct setting settings[] = {
    {"stages-required", setting_is_switch, "on or off"},
    {"entry-required", setting_is_switch, "on or off"},
    {"evaluation-required", setting_is_switch, "on or off"},
    {"reports-required", kinds_ok, "none, or words among functional, security and performance"},
    {"report-days", some_days_ok, "1 to 3650"},
    {"moved-by", movers_ok, "providers or operators"},
    {"change-control", setting_is_switch, "on or off"},
    {"change-notice-days", days_ok, "0 to 3650"},
    {"termination-control", setting_is_switch, "on or off"},
    {"termination-notice-days", days_ok, "0 to 3650"},
    {"gateway-url", url_ok, "none, or the address of a gateway"},
    {"probe-app", app_ok, "none, or the id of an app"},
};

static const struct attr attrs[] = {SETTINGS_ATTRS(SERVICE_SETTING_MAX - 1)};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch);
}

const struct resource service_settings_resource = {
    .plural = "service_settings",
    .kind = "service-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = strict_after,
};

enum problem service_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                             char value[static SERVICE_SETTING_MAX])
{
    enum problem p =
        settings_get(c, txn, &service_settings_resource, name, value, SERVICE_SETTING_MAX);

    return p == PROBLEM_OK && !value[0] ? PROBLEM_INTERNAL : p;
}

enum problem service_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                bool *on)
{
    return settings_on(c, txn, &service_settings_resource, name, on);
}

enum problem service_setting_days(struct rest_call *c, struct store_txn *txn, const char *name,
                                  uint64_t *days)
{
    char value[SERVICE_SETTING_MAX];
    enum problem p = service_setting(c, txn, name, value);

    *days = strtoull(value, NULL, 10);
    return p;
}
