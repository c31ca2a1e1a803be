/* SPDX-License-Identifier: Apache-2.0 */
/* How strict the platform is with what is opened: fixed rows that an administrator changes. */
#include "rest/settings.h"

#include "api/api.h"
#include "classify/classify.h"

static const struct setting settings[] = {
    {"security-review-required", setting_is_switch, "on or off"},
};

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"value", ATTR_TEXT, AF_REQUIRED, 1, CLASSIFY_SETTING_MAX - 1},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch->row);
}

const struct resource classify_settings_resource = {
    .plural = "classify_settings",
    .kind = "classify-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_PROVIDER,
    .patch_roles = ROLE_ADMIN,
    .check = check,
};

enum problem classify_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                              char value[static CLASSIFY_SETTING_MAX])
{
    enum problem p =
        settings_get(c, txn, &classify_settings_resource, name, value, CLASSIFY_SETTING_MAX);

    return p == PROBLEM_OK && !value[0] ? PROBLEM_INTERNAL : p;
}

enum problem classify_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                                 bool *on)
{
    char value[CLASSIFY_SETTING_MAX];
    enum problem p = classify_setting(c, txn, name, value);

    *on = strcmp(value, "on") == 0;
    return p;
}
