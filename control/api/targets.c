/* SPDX-License-Identifier: Apache-2.0 */
/* Where an API's calls go: its targets, which of them get how many, when one is left alone. Each is
 * checked here and told to the gateways as contract/feed.md has it. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>

#include "api/apis.h"

#define TARGETS_MAX     16
#define CANARY_APPS_MAX 64
#define WEIGHT_MAX      1000
#define PAUSE_MAX_MS    3600000

static const char *const roles[] = {"primary", "standby", "canary", "sandbox", NULL};

bool targets_url_ok(const char *text, const char *scheme)
{
    static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                      CURLUPART_FRAGMENT};
    CURLU *url = curl_url();
    char *part = NULL;
    bool ok = url && strncmp(text, scheme, strlen(scheme)) == 0 &&
              curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK;

    for (size_t i = 0; i < COUNT(parts) && ok; i++) {
        ok = curl_url_get(url, parts[i], &part, 0) != CURLUE_OK;
        curl_free(part);
        part = NULL;
    }
    curl_url_cleanup(url);
    return ok;
}

/* Over TLS by name: a certificate's names are what the gateway compares, not its addresses. */
static bool upstream_ok(const char *text)
{
    CURLU *url = curl_url();
    char *host = NULL;
    unsigned char address[16];
    bool plain = targets_url_ok(text, "http://"), ok = plain;

    if (!plain && targets_url_ok(text, "https://")) {
        ok = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
             curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && host[0] != '[' &&
             inet_pton(AF_INET, host, address) != 1;
    }
    curl_free(host);
    curl_url_cleanup(url);
    return ok;
}

enum problem targets_check_upstream(struct rest_call *c, const char *where, const json_t *v)
{
    return upstream_ok(json_string_value(v))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "an address like https://name:port/base or http://host:port/base is "
                           "needed");
}

static bool role_ok(const json_t *role)
{
    const char *s = json_is_string(role) ? json_string_value(role) : "";

    for (size_t i = 0; roles[i]; i++) {
        if (strcmp(roles[i], s) == 0) {
            return true;
        }
    }
    return !role;
}

/* NULL: nothing is wrong. */
static const char *target_wrong(const json_t *target, json_t *seen)
{
    static const char *const members[] = {"url", "weight", "role", NULL};
    const json_t *url = json_object_get(target, "url"), *weight = json_object_get(target, "weight");

    if (!json_is_object(target) || !api_only_members(target, members)) {
        return "an object of url, weight and role is needed";
    }
    if (!json_is_string(url) || json_string_length(url) > 1000 ||
        !upstream_ok(json_string_value(url))) {
        return "an url like https://name:port/base or http://host:port/base is needed";
    }
    if (json_object_get(seen, json_string_value(url))) {
        return "this url is there twice";
    }
    if (weight && !api_int_within(weight, 1, WEIGHT_MAX)) {
        return "a weight from 1 to 1000 is needed";
    }
    if (!role_ok(json_object_get(target, "role"))) {
        return "primary, standby, canary and sandbox are roles";
    }
    json_object_set_new(seen, json_string_value(url), json_true());
    return NULL;
}

enum problem targets_check(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *seen = json_object(), *target;
    const char *why = NULL;
    size_t i, n = json_array_size(v);

    if (!json_is_array(v) || n == 0 || n > TARGETS_MAX) {
        why = "1 to 16 targets are needed";
    }
    json_array_foreach(v, i, target)
    {
        why = why ? why : target_wrong(target, seen);
    }
    json_decref(seen);
    return why ? rest_fail(c, PROBLEM_FIELD_INVALID, where, "%s", why) : PROBLEM_OK;
}

enum problem targets_check_canary_apps(struct rest_call *c, const char *where, const json_t *v)
{
    enum problem p = api_check_words(c, where, v, NULL, CANARY_APPS_MAX);
    json_t *item;
    struct uuid id;
    size_t i;

    json_array_foreach(v, i, item)
    {
        if (p == PROBLEM_OK &&
            !uuid_parse(&id, json_string_value(item), json_string_length(item))) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "ids of apps are needed");
        }
    }
    return p;
}

enum problem targets_check_breaker(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"failures", "window_ms", "open_ms", NULL};

    if (!json_is_object(v) || !api_only_members(v, members) ||
        !api_int_within(json_object_get(v, "failures"), 1, 1000) ||
        !api_int_within(json_object_get(v, "window_ms"), 100, PAUSE_MAX_MS) ||
        !api_int_within(json_object_get(v, "open_ms"), 100, PAUSE_MAX_MS)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "failures from 1 to 1000, window_ms and open_ms from 100 to %d are needed",
                         PAUSE_MAX_MS);
    }
    return PROBLEM_OK;
}

enum problem targets_check_health(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"path", "interval_ms", "timeout_ms", NULL};
    const json_t *path = json_object_get(v, "path"), *timeout = json_object_get(v, "timeout_ms"),
                 *interval = json_object_get(v, "interval_ms");

    if (!json_is_object(v) || !api_only_members(v, members)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "an object of path, interval_ms and timeout_ms is needed");
    }
    if (!json_is_string(path) || json_string_length(path) > 255 ||
        !api_path_ok(json_string_value(path))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a path like /health is needed");
    }
    if (!api_int_within(interval, 500, PAUSE_MAX_MS) || !api_int_within(timeout, 10, 60000) ||
        json_integer_value(timeout) > json_integer_value(interval)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "interval_ms from 500, and timeout_ms from 10 up to that, are needed");
    }
    return PROBLEM_OK;
}

static size_t with_role(const json_t *targets, const char *role)
{
    json_t *target;
    size_t i, n = 0;

    json_array_foreach(targets, i, target)
    {
        const char *own = row_text(target, "role");
        n += strcmp(own[0] ? own : "primary", role) == 0;
    }
    return n;
}

static enum problem check_canary(struct rest_call *c, struct change *ch)
{
    json_t *apps = json_object_get(ch->row, "canary_apps"), *item, *app = NULL;
    bool named = json_array_size(apps) > 0,
         wanted = named || json_integer_value(json_object_get(ch->row, "canary_percent")) > 0,
         there = with_role(json_object_get(ch->row, "targets"), "canary") > 0;
    enum problem p = PROBLEM_OK;
    size_t i;

    if (there != wanted) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, there ? "/canary_percent" : "/targets",
                         there ? "a canary target needs canary_percent or canary_apps"
                               : "no target has the role canary");
    }
    json_array_foreach(apps, i, item)
    {
        if (p == PROBLEM_OK) {
            p = row_load(c, ch->txn, &apps_resource, json_string_value(item), false, &app);
        }
        if (p == PROBLEM_OK && !app) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/canary_apps", "there is no app %.40s",
                          json_string_value(item));
        }
        json_decref(app);
        app = NULL;
    }
    return p;
}

enum problem targets_check_api(struct rest_call *c, struct change *ch)
{
    static const char *const only[] = {
        "targets", "balance", "canary_percent", "canary_apps", "health", "upstream", NULL};
    const json_t *targets = json_object_get(ch->row, "targets");
    bool one = row_text(ch->row, "upstream")[0], many = json_is_array(targets);
    char where[40];

    if (strcmp(row_text(ch->row, "kind"), "http") != 0) {
        for (size_t i = 0; only[i]; i++) {
            const json_t *v = json_object_get(ch->row, only[i]);
            snprintf(where, sizeof where, "/%s", only[i]);
            if (v && !json_is_null(v)) {
                return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                                 "only an API of kind http has one");
            }
        }
        return PROBLEM_OK;
    }
    if (one == many) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, one ? "/targets" : "/upstream",
                         one ? "either upstream or targets, not both"
                             : "an API of kind http needs an upstream, or targets");
    }
    if (many && with_role(targets, "primary") == 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/targets", "one of them has to be primary");
    }
    return check_canary(c, ch);
}

/* What creation may leave out is told in full, so that no node has to guess. */
json_t *targets_feed(const json_t *targets)
{
    json_t *out = json_array(), *target;
    size_t i;

    json_array_foreach(targets, i, target)
    {
        const json_t *weight = json_object_get(target, "weight");
        const char *role = row_text(target, "role");
        json_array_append_new(out, json_pack("{s:s, s:I, s:s}", "url", row_text(target, "url"),
                                             "weight", weight ? json_integer_value(weight) : 1,
                                             "role", role[0] ? role : "primary"));
    }
    return out;
}
