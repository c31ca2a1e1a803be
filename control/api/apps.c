/* SPDX-License-Identifier: Apache-2.0 */
/* Third-party software, admitted before it may call anything (BK-9.2.1a2). */
#include <stdio.h>

#include "access/access.h"
#include "admission/gate.h"
#include "api/api.h"
#include "api/credentials.h"
#include "exit/exit.h"
#include "sandbox/sandbox.h"

static const char *const environments[] = {"general", "monitored", "controlled", NULL};

static const char *const factors[] = {"secret", "key", "certificate", NULL};
static const char *const channels[] = {"server", "mobile", NULL};

static enum problem check_factors(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, factors, COUNT(factors) - 1);
}

/* What products and kinds of service the App_ID is given for (BK-3.6a). */
static enum problem check_services(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, NULL, 64);
}

/* "com.example.orders", or with ";" and the digest of what it is signed by, in hex. */
static enum problem check_packages(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = api_check_words(c, where, v, NULL, 32);
    json_t *item;
    size_t i;

    json_array_foreach(v, i, item)
    {
        const char *text = json_is_string(item) ? json_string_value(item) : "";
        size_t id = strspn(text,
                           "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"),
               digest = text[id] == ';' ? strspn(text + id + 1, "0123456789abcdef") : 0;
        bool ok = id > 0 && strlen(text) <= 200 &&
                  (!text[id] || (digest == 64 && !text[id + 1 + digest]));
        if (p == PROBLEM_OK && !ok) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "ids of packages, each perhaps with ; and a digest of 64 hex digits");
        }
    }
    return p;
}

/* A package that was registered by its id alone may be signed by anybody. */
enum problem app_has_package(struct rest_call *c, struct store_txn *txn, const char *app_id,
                             const char *package, bool *has)
{
    json_t *app = NULL, *item;
    size_t i, id = strcspn(package, ";");
    enum problem p = row_load(c, txn, &apps_resource, app_id, false, &app);

    *has = !app; /* of one that is gone nothing is said */
    json_array_foreach(json_object_get(app, "packages"), i, item)
    {
        const char *text = json_string_value(item);
        *has = *has || strcmp(text, package) == 0 ||
               (strlen(text) == id && strncmp(text, package, id) == 0);
    }
    json_decref(app);
    return p;
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"environment", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 20, .values = environments},
    {"description", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"factors", ATTR_JSON, 0, .check = check_factors},
    {"channel", ATTR_TEXT, AF_FILTER, 1, 10, .values = channels, .fallback = "\"server\""},
    {"services", ATTR_JSON, 0, .check = check_services},
    {"packages", ATTR_JSON, 0, .check = check_packages},
    {"testing_since", ATTR_TIME, AF_READ_ONLY},
    {"scan_days", ATTR_INT, 0, 1, 3650},
    {"scanned_at", ATTR_TIME, AF_READ_ONLY},
    {"scan_warned_at", ATTR_TIME, AF_HIDDEN},
};

/* The environment bounds what an app may receive (EC-7.1.3), the factors how it proves itself and
 * the channel which APIs it may call, so once reviewed they are not its developer's to change. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const reviewed[] = {"environment", "factors",   "channel",
                                           "services",    "scan_days", "packages"};
    bool open = !ch->old || strcmp(row_text(ch->old, "state"), "applied") == 0 ||
                strcmp(row_text(ch->old, "state"), "returned") == 0;
    char where[24];

    for (size_t i = 0; i < COUNT(reviewed) && !open && !access_may(c, "apps.update-reviewed");
         i++) {
        snprintf(where, sizeof where, "/%s", reviewed[i]);
        if (api_changed(ch->old, ch->row, reviewed[i])) {
            return rest_fail(c, PROBLEM_NOT_PERMITTED, where,
                             "an operator changes it after admission");
        }
    }
    /* A grade that may receive more is earned like going live. */
    bool live = ch->old && strcmp(row_text(ch->old, "state"), "admitted") == 0;
    return live && api_changed(ch->old, ch->row, "environment") ? sandbox_gate(c, ch->txn, ch->row)
                                                                : PROBLEM_OK;
}

static enum problem go_live(struct rest_call *c, struct change *ch)
{
    enum problem p = admission_gate_hook(c, ch);

    return p == PROBLEM_OK ? sandbox_gate(c, ch->txn, ch->row) : p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    enum problem p = sandbox_follow_app(c, ch);

    return p == PROBLEM_OK ? credentials_follow_app(c, ch) : p;
}

/* What the nodes are told. An app in its test stage is given synthetic data alone. */
static const char *feed_state(const json_t *row, const json_t *org)
{
    const char *state = row_text(row, "state");

    if (strcmp(row_text(org, "state"), "active") != 0) {
        return "inactive";
    }
    return strcmp(state, "admitted") == 0  ? "active"
           : strcmp(state, "testing") == 0 ? "testing"
                                           : "inactive";
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    json_t *org = NULL, *factors_given = json_object_get(row, "factors");
    enum problem p =
        api_load(c, txn, &organisations_resource, row_text(row, "organisation_id"), &org);

    if (p != PROBLEM_OK) {
        return p;
    }
    *data = json_pack("{s:s, s:s, s:s, s:s}", "org_id", row_text(row, "organisation_id"), "name",
                      row_text(row, "name"), "state", feed_state(row, org), "environment",
                      row_text(row, "environment"));
    if (json_is_array(factors_given)) {
        json_object_set(*data, "factors", factors_given);
    }
    if (strcmp(row_text(row, "channel"), "mobile") == 0) {
        json_object_set_new(*data, "channel", json_string("mobile"));
    }
    if (row_text(org, "subject")[0]) {
        json_object_set(*data, "subject", json_object_get(org, "subject"));
    }
    json_decref(org);
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

#define APPLICANT (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"applied", "test", "testing", ROLE_STAFF, .hook = sandbox_enter},
    {"applied|testing", "admit", "admitted", ROLE_STAFF, .hook = go_live},
    {"admitted", "suspend", "suspended", ROLE_STAFF},
    {"suspended", "resume", "admitted", ROLE_STAFF, .hook = go_live},
    {"applied|testing", "return", "returned", ROLE_STAFF, .body_text = "comment"},
    {"returned", "apply", "applied", APPLICANT},
    {"applied|returned|testing|admitted|suspended", "withdraw", "withdrawn", APPLICANT,
     .hook = exit_hold_app},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.organisation_id = ? OR EXISTS (SELECT 1 FROM subscriptions s JOIN apis a ON a.id = "
     "s.api_id WHERE s.app_id = t.id AND a.organisation_id = ?)",
     "1 = 0"},
};

const struct resource apps_resource = {
    .plural = "apps",
    .kind = "app",
    .initial = "applied",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = APPLICANT,
    .patch_roles = APPLICANT,
    .check = check,
    .after = after,
    .feed = feed,
    .feed_kind = "app",
};
