/* SPDX-License-Identifier: Apache-2.0 */
/* How strict the platform is with third parties before, during and after their time here: a table
 * with fixed rows that an administrator changes and nobody adds to. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "incidents/incidents.h"
#include "rest/settings.h"
#include "rest/strict.h"
#include "sandbox/sandbox.h"

#define DAYS_MAX 3650

static bool days_ok(const char *v)
{
    return setting_is_number(v, 0, DAYS_MAX);
}

static bool some_days_ok(const char *v)
{
    return setting_is_number(v, 1, DAYS_MAX);
}

static bool words_ok(const char *v, bool (*known)(const char *word))
{
    char word[STAGE_SETTING_MAX];
    bool any = false;

    for (const char *at = v; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)n, at);
        if (!known(word)) {
            return false;
        }
        any = true;
        at += n;
    }
    return any;
}

static bool kinds_ok(const char *v)
{
    return words_ok(v, test_report_kind_known);
}

static bool self_report_kind_known(const char *word)
{
    for (size_t i = 0; self_report_kinds[i]; i++) {
        if (strcmp(self_report_kinds[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static bool self_reports_ok(const char *v)
{
    return strcmp(v, "none") == 0 || words_ok(v, self_report_kind_known);
}

static bool overdue_ok(const char *v)
{
    return strcmp(v, "alert") == 0 || strcmp(v, "downgrade") == 0;
}

static bool rights_ok(const char *v)
{
    return strcmp(v, "alert") == 0 || strcmp(v, "refuse") == 0;
}

static const struct setting settings[] = {
    {"test-report-required", setting_is_switch, "on or off"},
    {"test-report-kinds", kinds_ok,
     "words among functional, security, performance, scan and conformity"},
    {"test-report-days", some_days_ok, "1 to 3650"},
    {"self-reports-required", self_reports_ok, "none, or kinds of self_reports"},
    {"preparation-required", setting_is_switch, "on or off"},
    {"user-documents-required", setting_is_switch, "on or off"},
    {"preparation-days", some_days_ok, "1 to 3650"},
    {"scan-overdue", overdue_ok, "alert or downgrade"},
    {"source-rights", rights_ok, "alert or refuse"},
    {"incident-suspend-days", days_ok, "0 (never) to 3650"},
    {"self-report-suspend-days", days_ok, "0 (never) to 3650"},
    {"exit-required", setting_is_switch, "on or off"},
    {"declassification-required", setting_is_switch, "on or off"},
    {"exit-notice-days", days_ok, "0 to 3650"},
    {"exit-receipt-days", some_days_ok, "1 to 3650"},
    {"confidentiality-days", days_ok, "0 to 3650"},
};

static const struct attr attrs[] = {SETTINGS_ATTRS(STAGE_SETTING_MAX - 1)};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return settings_check(c, settings, COUNT(settings), ch);
}

const struct resource stage_settings_resource = {
    .plural = "stage_settings",
    .kind = "stage-setting",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .patch_roles = ROLE_ADMIN,
    .check = check,
    .after = strict_after,
};

enum problem stage_setting(struct rest_call *c, struct store_txn *txn, const char *name,
                           char value[static STAGE_SETTING_MAX])
{
    enum problem p = settings_get(c, txn, &stage_settings_resource, name, value, STAGE_SETTING_MAX);

    return p == PROBLEM_OK && !value[0] ? PROBLEM_INTERNAL : p;
}

enum problem stage_setting_days(struct rest_call *c, struct store_txn *txn, const char *name,
                                uint64_t *days)
{
    char value[STAGE_SETTING_MAX];
    enum problem p = stage_setting(c, txn, name, value);

    *days = strtoull(value, NULL, 10);
    return p;
}

enum problem stage_setting_on(struct rest_call *c, struct store_txn *txn, const char *name,
                              bool *on)
{
    return settings_on(c, txn, &stage_settings_resource, name, on);
}
