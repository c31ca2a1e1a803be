/* SPDX-License-Identifier: Apache-2.0 */
/* What third-party software may call: a dataset or a business unit's own service, in versions. */
#include <ctype.h>
#include <curl/curl.h>

#include "api/api.h"

#define PATH_MAX_BYTES 255
#define SEGMENTS_MAX   12

static const char *const kinds[] = {"dataset", "http", NULL};
static const char *const classes[] = {"A1", "A2", NULL};
static const char *const accesses[] = {"subscription", "registered", NULL};
static const char *const profiles[] = {"rest", "getEnterpriseGrade", "getEnterpriseGrades",
                                       "getPublicResourcesTrading", NULL};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};

static enum problem check_version(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = *s == 'v' ? strspn(s + 1, "0123456789.") : 0;

    if (n == 0 || s[n + 1] != '\0' || !isdigit((unsigned char)s[1]) ||
        !isdigit((unsigned char)s[n])) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a version like v1 or v1.2 is needed");
    }
    return PROBLEM_OK;
}

static bool segment_ok(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isalnum((unsigned char)s[i]) && !strchr("-._~", s[i])) {
            return false;
        }
    }
    return n > 0 && !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}

/* Plain segments only: what a proxy, a browser or a router could read in two ways is no path. */
static enum problem check_path(struct rest_call *c, const char *where, const json_t *v)
{
    const char *at = json_string_value(v);
    size_t segments = 0;

    while (*at == '/') {
        size_t n = strcspn(at + 1, "/");
        if (!segment_ok(at + 1, n) || ++segments > SEGMENTS_MAX) {
            break;
        }
        at += n + 1;
    }
    if (*at != '\0') {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a path like /trade/orders/v1 is needed: up to %d segments of letters, "
                         "digits and - . _ ~",
                         SEGMENTS_MAX);
    }
    return PROBLEM_OK;
}

static enum problem check_upstream(struct rest_call *c, const char *where, const json_t *v)
{
    static const CURLUPart parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                      CURLUPART_FRAGMENT};
    CURLU *url = curl_url();
    char *part = NULL;
    bool ok = url && strncmp(json_string_value(v), "http://", 7) == 0 &&
              curl_url_set(url, CURLUPART_URL, json_string_value(v), 0) == CURLUE_OK;

    for (size_t i = 0; i < COUNT(parts) && ok; i++) {
        ok = curl_url_get(url, parts[i], &part, 0) != CURLUE_OK;
        curl_free(part);
        part = NULL;
    }
    curl_url_cleanup(url);
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "an address like http://host:port/base is needed");
}

static enum problem check_methods(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *item;
    size_t i, k;

    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) >= COUNT(methods)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of methods is needed");
    }
    json_array_foreach(v, i, item)
    {
        for (k = 0; methods[k] &&
                    strcmp(methods[k], json_is_string(item) ? json_string_value(item) : "") != 0;
             k++) {
        }
        if (!methods[k]) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "GET, HEAD, POST, PUT, PATCH and DELETE are methods");
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 128},
    {"version", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_SORT, 2, 16, .check = check_version},
    {"path", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 2, PATH_MAX_BYTES, .check = check_path},
    {"title", ATTR_TEXT, AF_SORT, 0, 200},
    {"description", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"dataset_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"organisation_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"upstream", ATTR_TEXT, 0, 8, 1000, .check = check_upstream},
    {"class", ATTR_TEXT, AF_FILTER | AF_SORT, 1, 2, .values = classes, .fallback = "\"A1\""},
    {"access", ATTR_TEXT, AF_FILTER, 1, 20, .values = accesses, .fallback = "\"subscription\""},
    {"methods", ATTR_JSON, 0, .check = check_methods, .fallback = "[\"GET\"]"},
    {"profile", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 40, .values = profiles,
     .fallback = "\"rest\""},
    {"owner_scoped", ATTR_BOOL, 0, .fallback = "false"},
    {"timeout_ms", ATTR_INT, 0, 10, 600000, .fallback = "10000"},
    {"max_body_bytes", ATTR_INT, 0, 0, 1 << 30, .fallback = "1048576"},
    {"fields", ATTR_JSON, 0, .check = fields_check_api, .fallback = "[]"},
    {"sunset_at", ATTR_TIME, AF_SORT},
};

static enum problem check_dataset_kind(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;
    bool credit = strcmp(row_text(ch->row, "profile"), "rest") != 0;

    if (json_object_get(c->body, "fields") || row_text(ch->row, "upstream")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID,
                         json_object_get(c->body, "fields") ? "/fields" : "/upstream",
                         "an API on a dataset takes it from there");
    }
    if (!row_text(ch->row, "dataset_id")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id",
                         "an API of kind dataset needs one");
    }
    enum problem p =
        api_load(c, ch->txn, &datasets_resource, row_text(ch->row, "dataset_id"), &dataset);
    if (p != PROBLEM_OK) {
        return p;
    }
    bool owned = row_text(dataset, "owner_column")[0] != '\0';
    json_object_set(ch->row, "organisation_id", json_object_get(dataset, "organisation_id"));
    if (!ch->old && !json_object_get(c->body, "owner_scoped")) {
        json_object_set_new(ch->row, "owner_scoped", json_boolean(owned));
    }
    if (credit) {
        json_object_set_new(ch->row, "methods", json_pack("[s]", "POST"));
    } else if (!ch->old && !json_object_get(c->body, "methods")) {
        json_object_set_new(ch->row, "methods", json_pack("[s, s]", "GET", "HEAD"));
    }
    if (json_is_true(json_object_get(ch->row, "owner_scoped")) && !owned) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/owner_scoped",
                      "the dataset names no owner_column");
    }
    if (p == PROBLEM_OK && strcmp(row_text(dataset, "state"), "retired") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/dataset_id", "the dataset is retired");
    }
    json_decref(dataset);
    return p;
}

static enum problem check_http_kind(struct rest_call *c, struct change *ch)
{
    if (!row_text(ch->row, "upstream")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/upstream", "an API of kind http needs one");
    }
    if (row_text(ch->row, "dataset_id")[0] || strcmp(row_text(ch->row, "profile"), "rest") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID,
                         row_text(ch->row, "dataset_id")[0] ? "/dataset_id" : "/profile",
                         "only an API of kind dataset has one");
    }
    if (!ch->old && !row_text(ch->row, "organisation_id")[0] && c->user.organisation[0]) {
        json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
    }
    /* What is live keeps to the rules of publication. */
    bool live = ch->old && strstr("published deprecated offline", row_text(ch->row, "state"));
    return live ? fields_check_publication(c, json_object_get(ch->row, "fields")) : PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && strcmp(row_text(ch->old, "state"), "archived") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API is archived");
    }
    return strcmp(row_text(ch->row, "kind"), "dataset") == 0 ? check_dataset_kind(c, ch)
                                                             : check_http_kind(c, ch);
}

/* Takes the fields from the dataset as they are now and refuses what may not be opened. */
static enum problem publish(struct rest_call *c, struct change *ch)
{
    const char *dataset_id = row_text(ch->row, "dataset_id");
    json_t *dataset = NULL;
    enum problem p = PROBLEM_OK;

    json_object_set_new(ch->row, "sunset_at", json_null());
    if (!dataset_id[0]) {
        return json_array_size(json_object_get(ch->row, "fields"))
                   ? fields_check_publication(c, json_object_get(ch->row, "fields"))
                   : rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/fields", "the API names no field");
    }
    p = api_load(c, ch->txn, &datasets_resource, dataset_id, &dataset);
    if (p == PROBLEM_OK && strcmp(row_text(dataset, "state"), "retired") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "its dataset is retired");
    }
    if (p == PROBLEM_OK) {
        p = fields_check_publication(c, json_object_get(dataset, "fields"));
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(
            ch->row, "fields",
            fields_for_profile(row_text(ch->row, "profile"), json_object_get(dataset, "fields")));
        p = publication_refresh(c, ch->txn, dataset_id, row_text(ch->row, "id"));
    }
    json_decref(dataset);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const copied[] = {
        "name",    "path",         "state",      "class",          "access", "kind",      "methods",
        "profile", "owner_scoped", "timeout_ms", "max_body_bytes", "fields", "dataset_id"};

    (void)c;
    (void)txn;
    *data = NULL;
    if (!strstr("published deprecated offline", row_text(row, "state"))) {
        return PROBLEM_OK;
    }
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(out, copied[i], json_object_get(row, copied[i]));
    }
    json_object_set_new(out, "upstream", json_string(row_text(row, "upstream")));
    json_object_set_new(out, "sunset_at", api_feed_ms(row, "sunset_at"));
    *data = out;
    return PROBLEM_OK;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft|deprecated|offline", "publish", "published", KEEPER, .hook = publish},
    {"published", "deprecate", "deprecated", KEEPER, .body_text = "sunset_at", .body_time = true},
    {"published|deprecated", "offline", "offline", KEEPER},
    {"draft|offline", "archive", "archived", KEEPER},
};

#define OPEN_NOW "t.state IN ('published', 'deprecated')"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OPEN_NOW " OR t.organisation_id = ?",
     "t.organisation_id = ?"},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, OPEN_NOW, "1 = 0"},
};

const struct resource apis_resource = {
    .plural = "apis",
    .kind = "api",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
    .feed = feed,
    .feed_kind = "api",
};
