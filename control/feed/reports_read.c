/* SPDX-License-Identifier: Apache-2.0 */
/* A node's report, member by member against tables: what they do not name is refused, since a node
 * and a control plane that disagree have to notice. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "crypto/key.h"
#include "feed/reports.h"
#include "id/uuid.h"
#include "lifecycle/lifecycle.h"
#include "rest/rest.h"

#define DEPTH_MAX    6 /* report, usage, rows, row, times and what is in them */
#define COUNTS_MAX   16
#define TIME_MAX     (1ll << 52)
#define COUNT(table) (sizeof(table) / sizeof *(table))

enum type { UUID, NUMBER, WORD, TEXT, NAME, KEY, COUNTS };
struct member {
    const char *name;
    enum type type;
    bool required;
    const char *const *words; /* WORD */
};

static const char *const kinds[] = {
    "limit-alert",  "limit-suspended", "calls-refused", "impersonation",
    "breaker-open", "breaker-closed",  "target-down",   "target-up",
    "standby-used", "redis-lost",      "redis-back",    "policy-unreadable",
    "grant-used",   "sandbox-call",    "package-named", NULL};
static const char *const roles[] = {"primary", "standby", "canary", "sandbox", NULL};
static const char *const breakers[] = {"closed", "open", "half-open", NULL};
static const char *const healths[] = {"unknown", "up", "down", NULL};

static const struct member event_members[] = {
    {"id", UUID, true},        {"at", NUMBER, true},     {"kind", WORD, true, kinds},
    {"api_id", UUID, false},   {"app_id", UUID, false},  {"credential_id", UUID, false},
    {"limit_id", UUID, false}, {"owner", TEXT, false},   {"address", TEXT, false},
    {"target", TEXT, false},   {"count", NUMBER, false}, {"reason", TEXT, false},
    {"grant_id", UUID, false}, {NULL, 0, false, NULL}};
static const struct member key_members[] = {{"app_id", UUID, false},
                                            {"api_id", UUID, false},
                                            {"owner", TEXT, false},
                                            {"address", TEXT, false},
                                            {NULL, 0, false, NULL}};
static const struct member limit_members[] = {
    {"limit_id", UUID, true},    {"key", KEY, true},        {"used", NUMBER, true},
    {"remaining", NUMBER, true}, {"reset_s", NUMBER, true}, {"suspended_until", NUMBER, false},
    {NULL, 0, false, NULL}};
static const struct member target_members[] = {
    {"api_id", UUID, true},          {"target", TEXT, true},
    {"role", WORD, true, roles},     {"breaker", WORD, true, breakers},
    {"health", WORD, true, healths}, {"in_flight", NUMBER, true},
    {"calls", NUMBER, true},         {"failures", NUMBER, true},
    {"since", NUMBER, true},         {NULL, 0, false, NULL}};

static const struct member usage_members[] = {
    {"day", NUMBER, true},     {"api_id", UUID, true},   {"app_id", UUID, false},
    {"grant_id", UUID, false}, {"owner", TEXT, false},   {"calls", NUMBER, true},
    {"refused", NUMBER, true}, {"rows", NUMBER, true},   {"bytes", NUMBER, true},
    {"failed", NUMBER, false}, {"times", COUNTS, false}, {NULL, 0, false, NULL}};

struct reader {
    char *why; /* of REPORTS_WHY_MAX; empty: nothing is wrong so far */
};

static bool wrong(struct reader *r, const char *where, const char *what)
{
    if (!r->why[0]) {
        snprintf(r->why, REPORTS_WHY_MAX, "%.60s: %.80s", where, what);
    }
    return false;
}

static bool text_ok(const json_t *v)
{
    const char *s = json_string_value(v);

    for (size_t i = 0; s && s[i]; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            return false;
        }
    }
    return s && json_string_length(v) <= 1024 && strlen(s) == json_string_length(v);
}

static bool name_ok(const json_t *v)
{
    const char *s = text_ok(v) ? json_string_value(v) : "";
    size_t n = strlen(s);

    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i]) && !strchr("-._", s[i])) {
            return false;
        }
    }
    return n >= 1 && n <= 64;
}

static bool word_ok(const json_t *v, const char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        if (json_is_string(v) && strcmp(words[i], json_string_value(v)) == 0) {
            return true;
        }
    }
    return false;
}

static bool counts_ok(const json_t *v)
{
    json_t *n;
    size_t i;
    bool ok = json_is_array(v) && json_array_size(v) <= COUNTS_MAX;

    json_array_foreach(v, i, n)
    {
        ok = ok && json_is_integer(n) && json_integer_value(n) >= 0 &&
             json_integer_value(n) <= TIME_MAX;
    }
    return ok;
}

static bool members_ok(struct reader *r, const json_t *object, const struct member *members);

static bool value_ok(struct reader *r, const json_t *v, const struct member *m)
{
    struct uuid id;

    switch (m->type) {
    case UUID:
        return json_is_string(v) && uuid_parse(&id, json_string_value(v), json_string_length(v));
    case NUMBER:
        return json_is_integer(v) && json_integer_value(v) >= 0 &&
               json_integer_value(v) <= TIME_MAX;
    case WORD:
        return word_ok(v, m->words);
    case TEXT:
        return text_ok(v);
    case NAME:
        return name_ok(v);
    case KEY:
        return members_ok(r, v, key_members);
    case COUNTS:
        return counts_ok(v);
    }
    return false;
}

static bool members_ok(struct reader *r, const json_t *object, const struct member *members)
{
    const char *name;
    json_t *v;

    if (!json_is_object(object)) {
        return wrong(r, "row", "an object is needed");
    }
    json_object_foreach((json_t *)object, name, v)
    {
        const struct member *m = members;
        while (m->name && strcmp(m->name, name) != 0) {
            m++;
        }
        if (!m->name) {
            return wrong(r, name, "there is no such member");
        }
        if (!(json_is_null(v) && !m->required) && !value_ok(r, v, m)) {
            return wrong(r, name, "not a value it may have");
        }
    }
    for (const struct member *m = members; m->name; m++) {
        if (m->required && !json_object_get(object, m->name)) {
            return wrong(r, m->name, "it is required");
        }
    }
    return true;
}

static bool list_ok(struct reader *r, const json_t *report, const char *name, size_t max,
                    const struct member *members)
{
    const json_t *list = json_object_get(report, name);
    json_t *row;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > max) {
        return wrong(r, name, "an array is needed, no longer than the contract says");
    }
    json_array_foreach(list, i, row)
    {
        if (!members_ok(r, row, members)) {
            return false;
        }
    }
    return true;
}

/* Only the public part of a key that can be used, and nothing else beside it. */
static bool jwk_ok(const json_t *jwk)
{
    static const char *const members[] = {"kty", "crv", "x", "y", "n", "e", "use", "kid", "alg"};
    const char *name, *use = json_string_value(json_object_get(jwk, "use"));
    struct crypto_key *key = NULL;
    json_t *v;

    json_object_foreach((json_t *)jwk, name, v)
    {
        size_t i = 0;
        while (i < COUNT(members) && strcmp(members[i], name) != 0) {
            i++;
        }
        if (i == COUNT(members) || !text_ok(v)) {
            return false;
        }
    }
    char *text = json_is_object(jwk) ? json_dumps(jwk, JSON_COMPACT) : NULL;
    bool ok = text && use && (strcmp(use, "sig") == 0 || strcmp(use, "enc") == 0) &&
              crypto_key_load_jwk(&key, CRYPTO_KEY_PUBLIC, slice_str(text)) == CRYPTO_OK;
    crypto_key_free(&key);
    free(text);
    return ok;
}

static bool keys_ok(struct reader *r, const json_t *report)
{
    const json_t *list = json_object_get(report, "keys");
    json_t *jwk;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > REPORTS_KEYS_MAX) {
        return wrong(r, "keys", "an array of at most 8 keys is needed");
    }
    json_array_foreach(list, i, jwk)
    {
        if (!jwk_ok(jwk)) {
            return wrong(r, "keys", "a public JWK with use sig or enc is needed");
        }
    }
    return true;
}

/* What was counted of the calls; a report may come without it. */
static bool usage_ok(struct reader *r, const json_t *report)
{
    static const struct member id = {"id", UUID, true, NULL};
    const json_t *usage = json_object_get(report, "usage");

    if (!usage) {
        return true;
    }
    if (!json_is_object(usage) || json_object_size(usage) != 2 ||
        !value_ok(r, json_object_get(usage, "id"), &id)) {
        return wrong(r, "usage", "an object of id and rows is needed");
    }
    return list_ok(r, usage, "rows", USES_ROWS_MAX, usage_members);
}

static bool head_ok(struct reader *r, const json_t *report)
{
    static const char *const members[] = {"node",   "at",      "version", "events",
                                          "limits", "targets", "keys",    "usage"};
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)report, name, v)
    {
        size_t i = 0;
        while (i < COUNT(members) && strcmp(members[i], name) != 0) {
            i++;
        }
        if (i == COUNT(members)) {
            return wrong(r, name, "there is no such member");
        }
    }
    static const struct member node = {"node", NAME, true, NULL}, at = {"at", NUMBER, true, NULL},
                               version = {"version", TEXT, true, NULL};
    return (value_ok(r, json_object_get(report, "node"), &node) &&
            value_ok(r, json_object_get(report, "at"), &at) &&
            value_ok(r, json_object_get(report, "version"), &version)) ||
           wrong(r, "report", "node, at and version are needed");
}

json_t *reports_read(struct slice body, char why[static REPORTS_WHY_MAX])
{
    struct reader r = {.why = why};
    json_t *report = NULL;

    why[0] = '\0';
    if (body.n <= REPORTS_BODY_MAX && utf8_valid(body)) {
        report = json_loadb(body.p ? body.p : "", body.n, JSON_REJECT_DUPLICATES, NULL);
    }
    bool ok = (json_is_object(report) && !rest_too_deep(report, DEPTH_MAX)) ||
              wrong(&r, "report", "a JSON object of at most 1 MiB is needed");
    ok = ok && head_ok(&r, report) &&
         list_ok(&r, report, "events", REPORTS_EVENTS_MAX, event_members) &&
         list_ok(&r, report, "limits", REPORTS_ROWS_MAX, limit_members) &&
         list_ok(&r, report, "targets", REPORTS_ROWS_MAX, target_members) && keys_ok(&r, report) &&
         usage_ok(&r, report);
    if (!ok) {
        json_decref(report);
        report = NULL;
    }
    return report;
}
