/* SPDX-License-Identifier: Apache-2.0 */
/* What third-party software may call: a dataset or a business unit's own service, in versions. */
#include <ctype.h>

#include "access/access.h"
#include "admission/terms.h"
#include "api/apis.h"
#include "base/clock.h"
#include "classify/classify.h"
#include "events/events.h"
#include "exchange/exchange.h"
#include "identifiers/identifiers.h"
#include "services/services.h"
#include "write/write.h"

#define PATH_MAX_BYTES 255
#define SEGMENTS_MAX   12
#define ENTRY_MAX      32 /* = REPLICA_ENTRY_MAX */

static const char *const kinds[] = {"dataset", "http", "composed", "topic", NULL};
static const char *const classes[] = {"A1", "A2", NULL};
static const char *const accesses[] = {"subscription", "registered", NULL};
static const char *const profiles[] = {
    "rest", "getEnterpriseGrade", "getEnterpriseGrades", "getPublicResourcesTrading", "submission",
    NULL};
static const char *const types[] = {"internal", "partner", "external", NULL};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", NULL};

static const char *const balances[] = {"round-robin", "least-connections", NULL};
static const char *const seals[] = {"off", "optional", "required", NULL};

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
bool api_path_ok(const char *at)
{
    size_t segments = 0;

    while (*at == '/') {
        size_t n = strcspn(at + 1, "/");
        if (!segment_ok(at + 1, n) || ++segments > SEGMENTS_MAX) {
            return false;
        }
        at += n + 1;
    }
    return *at == '\0' && segments > 0;
}

static enum problem check_path(struct rest_call *c, const char *where, const json_t *v)
{
    if (!api_path_ok(json_string_value(v))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "a path like /trade/orders/v1 is needed: up to %d segments of letters, "
                         "digits and - . _ ~",
                         SEGMENTS_MAX);
    }
    return PROBLEM_OK;
}

static enum problem check_methods(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, methods, COUNT(methods) - 1);
}

#define PARTNERS_MAX 200

static enum problem check_partners(struct rest_call *c, const char *where, const json_t *v)
{
    return json_array_size(v) == 0 ? PROBLEM_OK : api_check_words(c, where, v, NULL, PARTNERS_MAX);
}

/* The name of an entry point of the gateways: a setting of theirs (BK-A-3). */
static enum problem check_entry(struct rest_call *c, const char *where, const json_t *v)
{
    const char *s = json_string_value(v);

    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(s)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "a name of lower-case letters, digits and hyphens is needed");
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
    {"upstream", ATTR_TEXT, 0, 8, 1000, .check = targets_check_upstream},
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
    {"operation", ATTR_TEXT, AF_FILTER, 1, 40, .values = protection_operations,
     .fallback = "\"other\""},
    {"query", ATTR_BOOL, 0, .fallback = "false"},
    {"targets", ATTR_JSON, 0, .check = targets_check},
    {"balance", ATTR_TEXT, 0, 1, 20, .values = balances},
    {"canary_percent", ATTR_INT, 0, 0, 100},
    {"canary_apps", ATTR_JSON, 0, .check = targets_check_canary_apps},
    {"retries", ATTR_INT, 0, 0, 3},
    {"breaker", ATTR_JSON, 0, .check = targets_check_breaker},
    {"health", ATTR_JSON, 0, .check = targets_check_health},
    {"cache_ms", ATTR_INT, 0, 0, 86400000},
    {"cache_epoch", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"schemes", ATTR_JSON, 0, .check = protection_check_schemes},
    {"signature_max_s", ATTR_INT, 0, 1, 300}, /* the ceiling of BK-9.2.1b3 */
    {"user_factors", ATTR_INT, 0, 0, 3, .fallback = "0"},
    {"account_parameters", ATTR_BOOL, 0, .fallback = "false"},
    {"sign_response", ATTR_BOOL, 0},
    {"seal_request", ATTR_TEXT, 0, 1, 10, .values = seals},
    {"seal_response", ATTR_TEXT, 0, 1, 10, .values = seals},
    {"successor", ATTR_TEXT, 0, 2, PATH_MAX_BYTES, .check = check_path},
    {"notice_zh", ATTR_TEXT, 0, 0, 500},
    {"notice_en", ATTR_TEXT, 0, 0, 500},
    {"mobile", ATTR_BOOL, 0, .fallback = "false"},
    {"mobile_only", ATTR_BOOL, AF_FILTER, .fallback = "false"},
    {"sdk_required", ATTR_BOOL, AF_FILTER},
    {"entry", ATTR_TEXT, AF_FILTER, 1, ENTRY_MAX, .check = check_entry},
    {"agreement_required", ATTR_BOOL, AF_FILTER, .fallback = "false"},
    {"deprecated_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"user_confirmation", ATTR_BOOL, 0},
    {"collects_user_data", ATTR_BOOL, 0, .fallback = "false"},
    {"analysis_agreement", ATTR_BOOL, 0, .fallback = "false"},
    {"provider_approval", ATTR_BOOL, 0, .fallback = "false"},
    {"service_id", ATTR_REF, AF_FILTER, .ref = "services"},
    {"bound_apps", ATTR_JSON, 0, .check = service_check_ids},
    {"paged", ATTR_BOOL, 0, .fallback = "false"},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"gate", ATTR_JSON, AF_READ_ONLY},
    {"rectified_at", ATTR_TIME, AF_READ_ONLY},
    {"type", ATTR_TEXT, AF_FILTER, 1, 20, .values = types, .fallback = "\"external\""},
    {"partners", ATTR_JSON, 0, .check = check_partners},
    {"api_identifier", ATTR_TEXT, AF_FILTER, 1, 64},
    {"category_id", ATTR_REF, AF_FILTER, .ref = "service_categories"},
    {"u_api_id", ATTR_TEXT, AF_FILTER, 1, 64},
    {"batch", ATTR_BOOL, AF_FILTER, .fallback = "false"},
    {"purpose_required", ATTR_BOOL, AF_FILTER},
    {"amount_path", ATTR_TEXT, 0, 1, 200},
    {"user_checks", ATTR_JSON, 0, .check = protection_check_claims},
};

/* What is for the authorised alone is served owner by owner, each row on its owner's grant, and by
 * no general query (CI-6.2.3a). */
static enum problem check_audience(struct rest_call *c, const json_t *dataset, const json_t *api)
{
    bool authorised = strcmp(row_text(dataset, "audience"), "authorised") == 0;

    return authorised && !json_is_true(json_object_get(api, "owner_scoped"))
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/owner_scoped",
                           "the dataset's audience is authorised: only an API that serves each "
                           "owner's rows on the owner's grant may open it")
               : PROBLEM_OK;
}

static enum problem check_dataset_kind(struct rest_call *c, struct change *ch)
{
    json_t *dataset = NULL;
    bool credit = strcmp(row_text(ch->row, "profile"), "rest") != 0;

    if (json_object_get(c->body, "fields")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields",
                         "an API on a dataset takes them from there");
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
    p = p == PROBLEM_OK ? check_audience(c, dataset, ch->row) : p;
    if (p == PROBLEM_OK && strcmp(row_text(dataset, "state"), "retired") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/dataset_id", "the dataset is retired");
    }
    if (p == PROBLEM_OK && !credit) {
        p = write_check_methods(c, ch->row, dataset);
    }
    json_decref(dataset);
    return p;
}

static enum problem check_other_kind(struct rest_call *c, struct change *ch)
{
    if (row_text(ch->row, "dataset_id")[0] || strcmp(row_text(ch->row, "profile"), "rest") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID,
                         row_text(ch->row, "dataset_id")[0] ? "/dataset_id" : "/profile",
                         "only an API of kind dataset has one");
    }
    if (!ch->old && !row_text(ch->row, "organisation_id")[0] && c->user.organisation[0]) {
        json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
    }
    return PROBLEM_OK;
}

/* A password in each call is for the interfaces that have it in their contract, and for no more. */
static enum problem check_account_parameters(struct rest_call *c, const json_t *row)
{
    bool fits = strcmp(row_text(row, "class"), "A1") == 0 &&
                strcmp(row_text(row, "profile"), "rest") != 0 &&
                strcmp(row_text(row, "profile"), "submission") != 0;

    return fits || !json_is_true(json_object_get(row, "account_parameters"))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, "/account_parameters",
                           "only APIs of class A1 with a profile of the credit platform take them");
}

bool api_state_live(const json_t *api)
{
    static const char *const live[] = {"test",      "published", "deprecated", "stopped",
                                       "suspended", "baffled",   "offline"};

    for (size_t i = 0; i < COUNT(live); i++) {
        if (strcmp(row_text(api, "state"), live[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A page without an interface has no versions (BK-6.1d); what is bound to apps is subscribed to
 * (BK-6.2b3-2). */
static enum problem check_service(struct rest_call *c, struct change *ch)
{
    const char *id = row_text(ch->row, "service_id");
    json_t *service = NULL;
    enum problem p = PROBLEM_OK;

    if (json_is_array(json_object_get(ch->row, "bound_apps")) &&
        strcmp(row_text(ch->row, "access"), "subscription") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/bound_apps",
                         "only an API that is subscribed to is bound to apps");
    }
    if (!id[0] || (ch->old && !api_changed(ch->old, ch->row, "service_id"))) {
        return PROBLEM_OK;
    }
    p = api_load(c, ch->txn, &services_resource, id, &service);
    if (p == PROBLEM_OK && strcmp(row_text(service, "kind"), "h5") == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/service_id", "a page (h5) has no interfaces");
    }
    if (p == PROBLEM_OK && !row_writable(c, ch->txn, &services_resource, id)) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "/service_id", "the service is not yours");
    }
    json_decref(service);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const json_t *fields = json_object_get(ch->row, "fields");
    bool topic = strcmp(row_text(ch->row, "kind"), "topic") == 0;
    bool dataset = strcmp(row_text(ch->row, "kind"), "dataset") == 0 ||
                   (topic && row_text(ch->row, "dataset_id")[0]);

    if (ch->old && strcmp(row_text(ch->old, "state"), "archived") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API is archived");
    }
    enum problem p = check_service(c, ch);
    if (p == PROBLEM_OK) {
        p = change_holds(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = targets_check_api(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = dataset ? check_dataset_kind(c, ch) : check_other_kind(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = topic_check_api(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = check_account_parameters(c, ch->row);
    }
    if (p == PROBLEM_OK) {
        p = space_check_api(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = protection_check_api(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = identifiers_check(c, ch);
    }
    if (p == PROBLEM_OK && row_text(ch->row, "successor")[0] &&
        strcmp(row_text(ch->row, "successor"), row_text(ch->row, "path")) == 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/successor", "it is this API's own path");
    }
    /* What is live keeps to the rules of publication. */
    if (p != PROBLEM_OK || !ch->old || !api_state_live(ch->row)) {
        return p;
    }
    p = lint_change(c, ch);
    p = p == PROBLEM_OK && !dataset ? fields_check_publication(c, fields) : p;
    if (p == PROBLEM_OK && !dataset && api_changed(ch->old, ch->row, "fields")) {
        p = security_review_covers(c, ch->txn, ch->res, ch->row, fields);
    }
    return p == PROBLEM_OK ? protection_check_fields(c, ch->row, fields) : p;
}

/* A composed API without its graph would be published into nothing. */
static enum problem publish_own(struct rest_call *c, struct change *ch)
{
    const json_t *fields = json_object_get(ch->row, "fields");
    bool there = true;
    enum problem p = json_array_size(fields) ? fields_check_publication(c, fields)
                                             : rest_fail(c, PROBLEM_LEVEL_FORBIDDEN, "/fields",
                                                         "the API names no field");

    if (p == PROBLEM_OK && strcmp(row_text(ch->row, "kind"), "composed") == 0) {
        p = attachment_exists(c, ch->txn, &compositions_resource, row_text(ch->row, "id"), &there);
    }
    if (p == PROBLEM_OK && !there) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the API has no composition yet");
    }
    if (p == PROBLEM_OK && strcmp(row_text(ch->row, "kind"), "composed") == 0) {
        p = agreement_permits_composed(c, ch->txn, ch->row);
    }
    if (p == PROBLEM_OK) {
        p = protection_check_fields(c, ch->row, fields);
    }
    return p == PROBLEM_OK ? security_review_covers(c, ch->txn, ch->res, ch->row, fields) : p;
}

/* Into the test stage an API goes as into the open, but for what the test is to show. */
static enum problem gate(struct rest_call *c, struct change *ch)
{
    enum problem p = classify_financial_consent(c, ch->txn, ch->row);

    if (p != PROBLEM_OK) {
        return p;
    }
    return strcmp(ch->action, "accept") == 0 ? life_accept(c, ch) : life_publish(c, ch);
}

/* Takes the fields from the dataset as they are now and refuses what may not be opened. */
static enum problem publish(struct rest_call *c, struct change *ch)
{
    const char *dataset_id = row_text(ch->row, "dataset_id");
    json_t *dataset = NULL;

    json_object_set_new(ch->row, "sunset_at", json_null());
    json_object_set_new(ch->row, "deprecated_at", json_null());
    enum problem p = identifiers_publish(c, ch);
    if (p != PROBLEM_OK || !dataset_id[0]) {
        p = p == PROBLEM_OK ? publish_own(c, ch) : p;
        return p == PROBLEM_OK ? gate(c, ch) : p;
    }
    p = api_load(c, ch->txn, &datasets_resource, dataset_id, &dataset);
    if (p == PROBLEM_OK && strcmp(row_text(dataset, "state"), "retired") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "its dataset is retired");
    }
    p = p == PROBLEM_OK ? check_audience(c, dataset, ch->row) : p;
    if (p == PROBLEM_OK) {
        p = fields_check_publication(c, json_object_get(dataset, "fields"));
    }
    if (p == PROBLEM_OK) {
        p = classify_opening_apply(c, ch->txn, dataset, ch->row);
    }
    if (p == PROBLEM_OK) {
        json_t *fields = NULL;
        p = publication_fields(c, ch->txn, row_text(ch->row, "profile"), dataset, &fields);
        json_object_set_new(ch->row, "fields", fields);
    }
    if (p == PROBLEM_OK) {
        p = protection_check_fields(c, ch->row, json_object_get(ch->row, "fields"));
    }
    if (p == PROBLEM_OK) {
        p = gate(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = publication_refresh(c, ch->txn, dataset_id, row_text(ch->row, "id"));
    }
    json_decref(dataset);
    return p;
}

static enum problem prepare_publish(struct rest_call *c, struct change *ch)
{
    const char *dataset_id = row_text(ch->row, "dataset_id");

    return dataset_id[0] ? reading_prepare(c, dataset_id) : PROBLEM_OK;
}

static enum problem resume(struct rest_call *c, struct change *ch)
{
    enum problem p = publish(c, ch);

    return p == PROBLEM_OK ? life_resume(c, ch) : p;
}

static enum problem deprecate(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];
    enum problem p = life_move(c, ch);

    if (p != PROBLEM_OK) {
        return p;
    }

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "deprecated_at", json_string(now));
    return PROBLEM_OK;
}

static enum problem purge(struct rest_call *c, struct change *ch)
{
    json_int_t epoch = json_integer_value(json_object_get(ch->row, "cache_epoch"));

    (void)c;
    json_object_set_new(ch->row, "cache_epoch", json_integer(epoch + 1));
    return PROBLEM_OK;
}

/* In full, whatever the provider left out. Tags are the platform's own business: nodes go by level,
 * mask and sealing. */
static json_t *feed_fields(const json_t *api, const int served[static 5])
{
    json_t *out = json_array(), *f;
    bool registered = strcmp(row_text(api, "access"), "registered") == 0;
    size_t i;

    json_array_foreach(json_object_get(api, "fields"), i, f)
    {
        const char *name = row_text(f, "name"), *path = row_text(f, "path"),
                   *type = strcmp(row_text(f, "type"), "json") == 0 ? "json" : "scalar";
        json_int_t level = json_integer_value(json_object_get(f, "level"));
        /* Without a subscription nobody has a category. */
        level = registered && row_text(f, "category")[0]
                    ? 4
                    : served[level >= 0 && level < 5 ? level : 0];
        json_array_append_new(out, json_pack("{s:s, s:s, s:I, s:s, s:s}", "path", path, "name",
                                             name[0] ? name : path, "level", level, "type", type,
                                             "mask", row_text(f, "mask")));
    }
    return out;
}

/* What may be left out is told only when it says something. */
static void feed_optional(const json_t *row, json_t *out)
{
    static const char *const optional[] = {"balance",
                                           "canary_percent",
                                           "canary_apps",
                                           "retries",
                                           "breaker",
                                           "health",
                                           "cache_ms",
                                           "schemes",
                                           "signature_max_s",
                                           "user_factors",
                                           "sign_response",
                                           "seal_request",
                                           "seal_response",
                                           "successor",
                                           "notice_zh",
                                           "notice_en",
                                           "mobile",
                                           "cache_epoch",
                                           "user_confirmation",
                                           "collects_user_data",
                                           "batch",
                                           "purpose_required",
                                           "account_parameters",
                                           "mobile_only",
                                           "entry"};

    for (size_t i = 0; i < COUNT(optional); i++) {
        json_t *v = json_object_get(row, optional[i]);
        if (v && !json_is_null(v) && !json_is_false(v)) {
            json_object_set(out, optional[i], v);
        }
    }
    if (protection_user_factors(row) > 0) { /* also of an API from before they were forced */
        json_object_set_new(out, "user_factors", json_integer(protection_user_factors(row)));
    }
    if (json_object_size(json_object_get(row, "user_checks")) > 0) {
        json_object_set(out, "user_checks", json_object_get(row, "user_checks"));
    }
    if (protection_sdk_required(row)) { /* also of an API from before there were kits */
        json_object_set_new(out, "sdk_required", json_true());
    }
    if (protection_amount_path(row)[0]) {
        json_object_set_new(out, "amount_path", json_string(protection_amount_path(row)));
    }
    if (json_is_array(json_object_get(row, "targets"))) {
        json_object_set_new(out, "targets", targets_feed(json_object_get(row, "targets")));
    }
    if (api_ms(row, "deprecated_at")) {
        json_object_set_new(out, "deprecated_at", api_feed_ms(row, "deprecated_at"));
    }
}

/* A node refuses calls of an API whose schema or conversion it has not got yet. */
static enum problem feed_attached(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                  json_t *out)
{
    static const struct {
        const char *member;
        const struct resource *res;
    } attached[] = {{"has_schema", &schemas_resource}, {"has_conversion", &conversions_resource}};
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(attached) && p == PROBLEM_OK; i++) {
        bool there = false;
        p = attachment_exists(c, txn, attached[i].res, row_text(row, "id"), &there);
        if (there) {
            json_object_set_new(out, attached[i].member, json_true());
        }
    }
    return p;
}

/* The rows of a folder's documents have files, which are asked for below the API's path. */
static enum problem feed_documents(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                   json_t *out)
{
    static const char sql[] =
        "SELECT 1 FROM datasets d JOIN sources s ON s.id = d.source_id WHERE d.id = ? AND s.kind = "
        "'files' AND d.\"table\" = 'documents' AND ifnull(d.query, '') = ''";
    const struct store_value v = store_text(row_text(row, "dataset_id"));
    struct store_rows *rows = NULL;
    enum problem p = rest_store_problem(c, store_query(txn, sql, &v, 1, &rows));

    if (p != PROBLEM_OK) {
        return p;
    }
    if (store_next(rows)) {
        json_object_set_new(out, "documents", json_true());
    }
    return rest_store_problem(c, store_rows_end(&rows));
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const copied[] = {
        "name",    "path",    "state",        "class",      "access",         "kind",
        "methods", "profile", "owner_scoped", "timeout_ms", "max_body_bytes", "dataset_id"};

    *data = NULL;
    if (!api_state_live(row)) {
        return PROBLEM_OK;
    }
    int served[5];
    enum problem p = classify_served_levels(c, txn, served);
    if (p != PROBLEM_OK) {
        return p;
    }
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(out, copied[i], json_object_get(row, copied[i]));
    }
    json_object_set_new(out, "fields", feed_fields(row, served));
    json_object_set_new(out, "upstream", json_string(row_text(row, "upstream")));
    json_object_set_new(out, "sunset_at", api_feed_ms(row, "sunset_at"));
    if (strcmp(row_text(row, "type"), "internal") == 0) {
        json_object_set_new(out, "internal", json_true());
    }
    feed_optional(row, out);
    life_feed(row, out);
    *data = out;
    p = instances_feed(c, txn, row, out);
    p = p == PROBLEM_OK ? feed_documents(c, txn, row, out) : p;
    return p == PROBLEM_OK ? feed_attached(c, txn, row, out) : p;
}

static enum problem tell(struct rest_call *c, struct change *ch)
{
    return change_feed(c, ch->txn, ch->res, ch->row);
}

/* Whether a subscription counts depends on the class (BK-6.2b3-1) and on agreements. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    bool turned =
        api_changed(ch->old, ch->row, "class") || api_changed(ch->old, ch->row, "operation") ||
        api_changed(ch->old, ch->row, "methods") ||
        api_changed(ch->old, ch->row, "agreement_required") ||
        api_changed(ch->old, ch->row, "amount_path") ||
        api_changed(ch->old, ch->row, "analysis_agreement") ||
        api_changed(ch->old, ch->row, "provider_approval") ||
        api_changed(ch->old, ch->row, "bound_apps") || api_changed(ch->old, ch->row, "state") ||
        api_changed(ch->old, ch->row, "type") || api_changed(ch->old, ch->row, "partners") ||
        (ch->old && api_changed(ch->old, ch->row, "fields"));

    enum problem p = identifiers_after(c, ch);
    if (p == PROBLEM_OK && turned) {
        p = row_each(c, ch->txn, &subscriptions_resource, "api_id", row_text(ch->row, "id"), tell,
                     NULL);
    }
    if (p == PROBLEM_OK && ch->old && api_changed(ch->old, ch->row, "user_checks")) {
        p = row_each(c, ch->txn, &grants_resource, "api_id", row_text(ch->row, "id"), tell, NULL);
    }
    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->row, "kind"), "topic") == 0 &&
        api_changed(ch->old, ch->row, "fields")) {
        p = topics_tell(c, ch->txn, "api_id", row_text(ch->row, "id"));
    }
    if (p == PROBLEM_OK) {
        p = life_tell(c, ch);
    }
    bool other_data = !ch->old || api_changed(ch->old, ch->row, "fields") ||
                      api_changed(ch->old, ch->row, "dataset_id");
    return p == PROBLEM_OK && other_data ? access_api_changed(c, ch->txn, ch->row) : p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"draft", "approve-design", "development", ROLE_STAFF, .body_text = "comment",
     .body_optional = true, .hook = life_design},
    {"development", "submit", "review", KEEPER, .body_text = "comment", .hook = life_submit},
    {"review", "accept", "test", ROLE_STAFF, .body_text = "comment", .body_optional = true,
     .prepare = prepare_publish, .hook = publish},
    {"review|test", "return", "development", ROLE_STAFF, .body_text = "comment", .hook = life_move},
    {"draft|development|review|test|deprecated|offline", "publish", "published", KEEPER,
     .prepare = prepare_publish, .hook = publish},
    {"published", "deprecate", "deprecated", KEEPER, .body_text = "sunset_at", .body_time = true,
     .hook = deprecate},
    {"published|deprecated", "stop", "stopped", KEEPER, .body_text = "comment",
     .body_optional = true, .hook = life_move},
    {"stopped", "start", "published", KEEPER, .prepare = prepare_publish, .hook = publish},
    {"published|deprecated|stopped", "suspend", "suspended", ROLE_STAFF, .body_text = "comment",
     .hook = life_move},
    {"suspended", "rectify", NULL, KEEPER, .body_text = "comment", .hook = life_rectify},
    {"suspended", "resume", "published", ROLE_STAFF, .body_text = "comment", .body_optional = true,
     .prepare = prepare_publish, .hook = resume},
    {"published|deprecated|stopped|suspended", "baffle", "baffled", KEEPER, .hook = life_baffle},
    {"published|deprecated|baffled", "offline", "offline", KEEPER, .hook = life_offline},
    {"draft|development|review|test|stopped|offline", "archive", "archived", KEEPER,
     .hook = life_archive},
    {"test|published|deprecated|offline", "purge", NULL, KEEPER, .hook = purge},
};

#define OPEN_NOW "t.state IN ('published', 'deprecated')"
/* Internal APIs are nobody's to find, a partner's those of the organisations it names. */
#define FOR_THEM                                                                                   \
    "t.type = 'external' OR (t.type = 'partner' AND t.id IN (SELECT api_id FROM api_partners "     \
    "WHERE organisation_id = ?))"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OPEN_NOW " AND (" FOR_THEM ") OR t.organisation_id = ?",
     "t.organisation_id = ?"},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, OPEN_NOW " AND (" FOR_THEM ")", "1 = 0"},
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
    .after = after,
    .feed = feed,
    .feed_kind = "api",
};
