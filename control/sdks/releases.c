/* SPDX-License-Identifier: Apache-2.0 */
/* A release is registered by name, version and the digest of its files before it is given out; what
 * is not here, or not as it was registered, no gateway takes (BK-9.3.5c2). An older one is
 * outdated, if need be with a time from which it is refused, or withdrawn at once (BK-10.4b2);
 * either is told to every party that has an app. */
#include "sdks/sdks.h"

#include <stdio.h>

#include "api/api.h"
#include "base/clock.h"
#include "notices/notices.h"
#include "sdk/sdk.h"

static enum problem check_name(struct rest_call *c, const char *where, const json_t *v)
{
    return sdk_name_ok(slice_str(json_string_value(v)))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "a name of lower-case letters, digits and hyphens, at most %d, is "
                           "needed",
                           SDK_NAME_MAX);
}

static enum problem check_version(struct rest_call *c, const char *where, const json_t *v)
{
    return sdk_version_ok(slice_str(json_string_value(v)))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "a version as of Semantic Versioning, at most %d characters, is needed",
                           SDK_VERSION_MAX);
}

static enum problem check_digest(struct rest_call *c, const char *where, const json_t *v)
{
    const char *hex = json_string_value(v);
    bool ok = strlen(hex) == 2 * SDK_DIGEST_LEN && strspn(hex, "0123456789abcdef") == strlen(hex);

    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where, "64 lower-case hex digits are needed");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, SDK_NAME_MAX,
     .check = check_name},
    {"version", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, SDK_VERSION_MAX,
     .check = check_version},
    {"digest_sm3", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 64, 64,
     .check = check_digest},
    {"language", ATTR_TEXT, AF_REQUIRED | AF_FILTER, 1, 100},
    {"framework", ATTR_TEXT, 0, 1, 100},
    {"operating_system", ATTR_TEXT, 0, 1, 100},
    {"hardware", ATTR_TEXT, 0, 1, 100},
    {"notes", ATTR_TEXT, AF_LINES, 0, 4000},
    {"refused_from", ATTR_TIME, AF_SORT},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static bool in_state(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}

static enum problem find(struct rest_call *c, struct store_txn *txn, struct slice name,
                         struct slice version, json_t **row)
{
    static const char sql[] = "SELECT id FROM sdk_releases WHERE name = ? AND version = ?";
    const struct store_value v[] = {{.type = STORE_TEXT, .s = name},
                                    {.type = STORE_TEXT, .s = version}};
    struct store_rows *rows = NULL;
    char id[UUID_TEXT_LEN + 1] = "";
    enum problem p = rest_store_problem(c, store_query(txn, sql, v, COUNT(v), &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    if (store_next(rows)) {
        strncpy(id, store_get_text(rows, 0), sizeof id - 1);
    }
    p = rest_store_problem(c, store_rows_end(&rows));
    return p == PROBLEM_OK && id[0] ? row_load(c, txn, &sdk_releases_resource, id, false, row) : p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *other = NULL;
    enum problem p = PROBLEM_OK;

    if (in_state(ch->row, "withdrawn")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the release is withdrawn");
    }
    if (in_state(ch->row, "current") && api_ms(ch->row, "refused_from")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/refused_from",
                         "a current release is taken; one that is outdated may have a deadline");
    }
    if (!ch->old) {
        p = find(c, ch->txn, slice_str(row_text(ch->row, "name")),
                 slice_str(row_text(ch->row, "version")), &other);
    }
    if (p == PROBLEM_OK && other) {
        p = rest_fail(c, PROBLEM_ALREADY_EXISTS, "/version", "the release is registered");
    }
    json_decref(other);
    return p;
}

static enum problem reinstate(struct rest_call *c, struct change *ch)
{
    (void)c;
    json_object_set_new(ch->row, "refused_from", json_null());
    return PROBLEM_OK;
}

static enum problem withdraw(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "refused_from", json_string(now));
    return PROBLEM_OK;
}

/* To each organisation that has an app which may call. */
static enum problem tell(struct rest_call *c, struct store_txn *txn, const struct notice *n)
{
    static const char sql[] = "SELECT DISTINCT organisation_id FROM apps WHERE state IN "
                              "('admitted', 'testing') ORDER BY organisation_id";
    struct store_rows *rows = NULL;
    json_t *all = json_array(), *one;
    size_t i;
    enum problem p = rest_store_problem(c, store_query(txn, sql, NULL, 0, &rows));

    while (p == PROBLEM_OK && store_next(rows)) {
        json_array_append_new(all, json_string(store_get_text(rows, 0)));
    }
    p = p == PROBLEM_OK ? rest_store_problem(c, store_rows_end(&rows)) : p;
    json_array_foreach(all, i, one)
    {
        struct notice mine = *n;
        mine.organisation_id = json_string_value(one);
        p = p == PROBLEM_OK ? notice_put(c, txn, &mine) : p;
    }
    json_decref(all);
    return p;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    char text[SDK_TEXT_MAX + 2];
    bool moved = api_changed(ch->old, ch->row, "state") ||
                 api_changed(ch->old, ch->row, "refused_from"),
         withdrawn = in_state(ch->row, "withdrawn");

    if (!ch->old || !moved || in_state(ch->row, "current")) {
        return PROBLEM_OK;
    }
    snprintf(text, sizeof text, "%s/%s", row_text(ch->row, "name"), row_text(ch->row, "version"));
    const struct notice n = {.kind = withdrawn ? "sdk-withdrawn" : "sdk-outdated",
                             .object_kind = "sdk-release",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = text,
                             .detail = row_text(ch->row, withdrawn ? "comment" : "refused_from")};
    return tell(c, ch->txn, &n);
}

static json_t *told(const json_t *row)
{
    json_t *out = json_pack("{s:s, s:s, s:s, s:s}", "name", row_text(row, "name"), "version",
                            row_text(row, "version"), "digest_sm3", row_text(row, "digest_sm3"),
                            "state", row_text(row, "state"));

    if (api_ms(row, "refused_from")) {
        json_object_set_new(out, "refused_from", api_feed_ms(row, "refused_from"));
    }
    return out;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    (void)c;
    (void)txn;
    *data = told(row);
    return *data ? PROBLEM_OK : PROBLEM_INTERNAL;
}

enum problem sdk_standing_of(struct rest_call *c, struct store_txn *txn, const char *text,
                             enum policy_sdk *standing)
{
    struct sdk_claim claim;
    struct sdk_release release;
    json_t *row = NULL, *data = NULL;

    *standing = POLICY_SDK_UNKNOWN;
    if (sdk_parse_name(&claim, slice_str(text)) != SDK_OK) {
        return rest_fail(c, PROBLEM_QUERY_MALFORMED, "/sdk",
                         "name/version of a release, as js/1.0.0");
    }
    enum problem p = find(c, txn, claim.name, claim.version, &row);
    data = row ? told(row) : NULL;
    if (p == PROBLEM_OK && data && sdk_release_read(&release, data)) {
        *standing = sdk_standing(&release, NULL, c->now_ms);
    }
    json_decref(data);
    json_decref(row);
    return p;
}

static const struct transition transitions[] = {
    {"current", "outdate", "outdated", ROLE_STAFF, .body_text = "refused_from", .body_time = true},
    {"outdated", "reinstate", "current", ROLE_STAFF, .hook = reinstate},
    {"current|outdated", "withdraw", "withdrawn", ROLE_STAFF, .body_text = "comment",
     .hook = withdraw},
};

/* Whoever calls through one may see what it is. */
static const struct scope scopes[] = {
    {ROLE_ALL & ~(unsigned)(ROLE_STAFF | ROLE_AUDITOR), BIND_ORGANISATION, "1 = 1", "1 = 0"},
};

const struct resource sdk_releases_resource = {
    .plural = "sdk_releases",
    .kind = "sdk-release",
    .initial = "current",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
    .feed = feed,
    .feed_kind = "sdk-release",
};
