/* SPDX-License-Identifier: Apache-2.0 */
/* How strict the platform is with what is opened: fixed rows that an administrator changes. */
#include "rest/settings.h"
#include "rest/strict.h"

#include "api/api.h"
#include "classify/classify.h"

static bool attributes_ok(const char *v)
{
    static const char *const known[] = {"opening-class", "confidentiality", "audience", "title"};

    for (const char *at = v; *at && strcmp(v, "none") != 0; at += strspn(at, " ")) {
        size_t n = strcspn(at, " "), i = 0;
        while (i < COUNT(known) && (strlen(known[i]) != n || strncmp(known[i], at, n) != 0)) {
            i++;
        }
        if (i == COUNT(known)) {
            return false;
        }
        at += n;
    }
    return true;
}

static bool submitted_ok(const char *v)
{
    return strcmp(v, "off") == 0 || strcmp(v, "mask") == 0 || strcmp(v, "refuse") == 0;
}

static const struct setting settings[] = {
    {"security-review-required", setting_is_switch, "on or off"},
    {"discover-new-datasets", setting_is_switch, "on or off"},
    {"sensitive-check-required", setting_is_switch, "on or off"},
    {"submitted-personal", submitted_ok, "off, mask or refuse"},
    {"personal-financial-consent", setting_is_switch, "on or off"},
    {"required-attributes", attributes_ok,
     "none, or words among opening-class, confidentiality, audience and title"},
};

static const struct attr attrs[] = {SETTINGS_ATTRS(CLASSIFY_SETTING_MAX - 1)};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch);
}

static enum problem tell(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

/* The data service looks at what is handed in: each published dataset tells it how. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    enum problem p = strict_after(c, ch);

    return p == PROBLEM_OK && strcmp(row_text(ch->row, "name"), "submitted-personal") == 0
               ? row_each(c, ch->txn, &datasets_resource, "state", "published", tell, NULL)
               : p;
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
    .after = after,
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
    return settings_on(c, txn, &classify_settings_resource, name, on);
}
