/* SPDX-License-Identifier: Apache-2.0 */
/* An app's permission to call an API, applied for and approved (BK-9.2.1a2-4, EC-4.2.1c3). */
#include "access/access.h"
#include "admission/analysis.h"
#include "admission/terms.h"
#include "api/api.h"
#include "base/clock.h"
#include "classify/classify.h"
#include "consent/consent.h"
#include "exchange/exchange.h"
#include "exit/exit.h"
#include "identifiers/identifiers.h"
#include "identity/identity.h"
#include "policy/policy.h"
#include "sdks/sdks.h"
#include "services/services.h"

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"max_level", ATTR_INT, AF_REQUIRED | AF_SORT, 1, 3},
    {"fields", ATTR_JSON, 0, .check = api_check_paths},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_SORT},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"risk_assessment", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"risk_approver", ATTR_TEXT, AF_READ_ONLY},
    {"risk_approved_at", ATTR_TIME, AF_READ_ONLY},
    {"provider_approved_by", ATTR_TEXT, AF_READ_ONLY},
    {"provider_approved_at", ATTR_TIME, AF_READ_ONLY},
    {"categories", ATTR_JSON, 0, .check = classify_check_words},
    {"surplus_reason", ATTR_TEXT, AF_LINES, 1, 1000},
    {"accessid", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"share_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    ROW_FILTER_ATTRS,
};

/* BK-A-2, BK-A-3: whom the API is for at all. */
static enum problem serves(struct rest_call *c, struct store_txn *txn, const json_t *row,
                           const json_t *api, bool *serves)
{
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, row_text(row, "app_id"), &app);

    *serves = false;
    if (p == PROBLEM_OK) {
        p = identifiers_serves(c, txn, api, row_text(app, "organisation_id"), serves);
    }
    json_decref(app);
    return p;
}

static enum problem check_audience(struct rest_call *c, struct change *ch, const json_t *api)
{
    bool yes = false;
    enum problem p = serves(c, ch->txn, ch->row, api, &yes);

    return p == PROBLEM_OK && !yes ? rest_fail(c, PROBLEM_NOT_PERMITTED, "/api_id",
                                               "the API is not for the organisation of this app")
                                   : p;
}

static enum problem check_states(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL, *api = NULL;
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);

    if (p == PROBLEM_OK && strcmp(row_text(app, "state"), "withdrawn") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id", "the app is withdrawn");
    }
    if (p == PROBLEM_OK) {
        p = exit_refuse_new(c, ch->txn, row_text(ch->row, "app_id"));
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    }
    const char *state = row_text(api, "state");
    if (p == PROBLEM_OK && strcmp(state, "published") != 0 && strcmp(state, "deprecated") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_id", "the API is %s", state);
    }
    if (p == PROBLEM_OK && !life_bound_to(api, row_text(ch->row, "app_id"))) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "/api_id", "the API is bound to other apps");
    }
    if (p == PROBLEM_OK) {
        p = check_audience(c, ch, api);
    }
    if (p == PROBLEM_OK) {
        p = admission_subscription_allowed(c, ch->txn, ch->row, api);
    }
    json_decref(app);
    json_decref(api);
    return p;
}

/* What an operator approved is not the applicant's to widen. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");
    bool open = strcmp(state, "applied") == 0 || strcmp(state, "returned") == 0;

    if (ch->old && !open && !access_may(c, "subscriptions.update-approved")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "the subscription is %s; an operator changes it now", state);
    }
    if (row_text(ch->row, "risk_assessment")[0] && !access_may(c, "subscriptions.assess") &&
        (!ch->old || api_changed(ch->old, ch->row, "risk_assessment"))) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/risk_assessment",
                         "the platform assesses the risk, not the applicant");
    }
    if (row_text(ch->row, "surplus_reason")[0] && !access_may(c, "subscriptions.assess") &&
        (!ch->old || api_changed(ch->old, ch->row, "surplus_reason"))) {
        return rest_fail(c, PROBLEM_NOT_PERMITTED, "/surplus_reason",
                         "whoever reviews says why, not the applicant");
    }
    if (!open && !row_text(ch->row, "risk_assessment")[0] &&
        row_text(ch->row, "risk_approver")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/risk_assessment",
                         "what the approval rests on stays");
    }
    enum problem p = ch->old ? PROBLEM_OK : check_states(c, ch);
    if (p == PROBLEM_OK && !ch->old) {
        p = space_check_subscription(c, ch);
    }
    if (p == PROBLEM_OK) {
        p = api_check_validity(c, ch->row);
    }
    return p == PROBLEM_OK ? api_check_named_fields(c, ch->txn, ch->row) : p;
}

/* BK-6.2b3-1: nobody calls an A2 API before the risk of that app's doing so is assessed. */
static bool assessment_lacks(const json_t *api, const json_t *row)
{
    return protection_needs_assessment(api) && !row_text(row, "risk_assessment")[0];
}

/* SW-8.1-r2: of an API whose provider said so, the provider grants too, and takes it back. */
static bool provider_lacks(const json_t *api, const json_t *row)
{
    return json_is_true(json_object_get(api, "provider_approval")) &&
           !row_text(row, "provider_approved_by")[0];
}

static enum problem authorize(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(ch->row, "provider_approved_by", json_string(c->user.login));
    json_object_set_new(ch->row, "provider_approved_at", json_string(now));
    return PROBLEM_OK;
}

static enum problem deauthorize(struct rest_call *c, struct change *ch)
{
    (void)c;
    json_object_set_new(ch->row, "provider_approved_by", json_null());
    json_object_set_new(ch->row, "provider_approved_at", json_null());
    return PROBLEM_OK;
}

/* BK-12.2b1-2: no more than the declared purpose needs, unless the reviewer says why. */
static enum problem check_surplus(struct rest_call *c, struct change *ch, const json_t *api)
{
    json_t *surplus = NULL;
    enum problem p = purposes_surplus(c, ch->txn, ch->row, api, &surplus);

    if (p == PROBLEM_OK && json_array_size(surplus) > 0 &&
        !row_text(ch->row, "surplus_reason")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/surplus_reason",
                      "%zu fields are asked for beyond what the purpose needs, as %.120s: have "
                      "them taken out, or say why they are given",
                      json_array_size(surplus), json_string_value(json_array_get(surplus, 0)));
    }
    json_decref(surplus);
    return p;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    char now[CLOCK_RFC3339_LEN + 1];
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);

    if (p == PROBLEM_OK) {
        p = exit_refuse_new(c, ch->txn, row_text(ch->row, "app_id"));
    }
    if (p == PROBLEM_OK && assessment_lacks(api, ch->row)) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/risk_assessment",
                      "the API is of class A2: an assessment of the risk is needed");
    }
    if (p == PROBLEM_OK) {
        p = admission_subscription_allowed(c, ch->txn, ch->row, api);
    }
    if (p == PROBLEM_OK) {
        p = check_surplus(c, ch, api);
    }
    json_decref(api);
    if (p == PROBLEM_OK && row_text(ch->row, "risk_assessment")[0]) {
        clock_format_ms(c->now_ms, now);
        json_object_set_new(ch->row, "risk_approver", json_string(c->user.login));
        json_object_set_new(ch->row, "risk_approved_at", json_string(now));
    }
    if (p == PROBLEM_OK && !row_text(ch->row, "accessid")[0]) {
        identity_accessid(ch->row);
    }
    return p;
}

/* CI-7.2c1: drawn at the first approval, never chosen, changed or used again. */
static enum problem draw_accessid(struct rest_call *c, struct change *ch)
{
    if (row_text(ch->old, "accessid")[0] || strcmp(row_text(ch->row, "state"), "approved") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = PROBLEM_OK;
    if (!row_text(ch->row,
                  "accessid")[0]) { /* carried over to a new version, without an approval */
        identity_accessid(ch->row);
        const struct store_value v[] = {store_text(row_text(ch->row, "accessid")),
                                        store_text(row_text(ch->row, "id"))};
        p = rest_store_problem(
            c,
            store_exec(ch->txn, "UPDATE subscriptions SET accessid = ? WHERE id = ?", v, 2, NULL));
    }
    return p == PROBLEM_OK ? account_interface_made(c, ch->txn, ch->row) : p;
}

/* What was approved, as far as application, rating and agreement bear it. */
static json_t *entry(const json_t *row, const json_t *api, struct admission_terms *terms,
                     bool for_them)
{
    json_t *reach = classify_reach(json_object_get(api, "fields"),
                                   json_object_get(row, "categories"), terms->fields);

    /* Nothing left is not "all": the subscription does not serve. */
    terms->serves = terms->serves && !(reach && json_array_size(reach) == 0);
    json_decref(terms->fields);
    terms->fields = reach;
    /* An API may have become A2 since the approval. */
    bool active = for_them && strcmp(row_text(row, "state"), "approved") == 0 &&
                  !assessment_lacks(api, row) && !provider_lacks(api, row) && terms->serves &&
                  life_bound_to(api, row_text(row, "app_id"));

    json_t *out = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o}", "app_id", row_text(row, "app_id"),
        "api_id", row_text(row, "api_id"), "state", active ? "active" : "inactive", "max_level",
        (json_int_t)terms->max_level, "not_before", (json_int_t)terms->from_ms, "expires_at",
        (json_int_t)terms->to_ms, "agreed", terms->purpose != NULL, "purposes",
        api_purposes(terms->purpose ? json_string_value(terms->purpose) : row_text(row, "purpose")),
        "fields",
        terms->fields && json_array_size(terms->fields) ? json_incref(terms->fields) : json_null());
    row_filter_feed(row, out);
    if (out && terms->ways) {
        json_object_set(out, "ways", terms->ways);
    }
    if (out && terms->call_cents) {
        json_object_set_new(out, "amount_call", json_integer(terms->call_cents));
    }
    if (out && terms->day_cents) {
        json_object_set_new(out, "amount_day", json_integer(terms->day_cents));
    }
    return out;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    struct admission_terms terms = {0};
    json_t *api = NULL;
    bool for_them = false;
    uint64_t until_ms = 0;

    *data = NULL;
    if (strcmp(row_text(row, "state"), "cancelled") == 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    p = p == PROBLEM_OK ? admission_terms_of(c, txn, row, api, &terms) : p;
    p = p == PROBLEM_OK ? serves(c, txn, row, api, &for_them) : p;
    if (p == PROBLEM_OK) {
        p = direct_until(c, txn, row_text(row, "app_id"), row_text(row, "api_id"), &until_ms);
    }
    p = p == PROBLEM_OK ? analysis_bound(c, txn, row, api, &terms.ways) : p;
    *data = p == PROBLEM_OK ? entry(row, api, &terms, for_them) : NULL;
    if (*data && until_ms) {
        json_object_set_new(*data, "direct_until", json_integer((json_int_t)until_ms));
    }
    json_decref(terms.fields);
    json_decref(terms.purpose);
    json_decref(terms.ways);
    json_decref(api);
    return p == PROBLEM_OK && !*data ? PROBLEM_INTERNAL : p;
}

#define APPLICANT (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"applied", "approve", "approved", ROLE_STAFF, .body_text = "risk_assessment",
     .body_optional = true, .hook = approve},
    {"approved", "suspend", "suspended", ROLE_STAFF},
    {"suspended", "resume", "approved", ROLE_STAFF},
    {"applied", "return", "returned", ROLE_STAFF, .body_text = "comment"},
    {"returned", "apply", "applied", APPLICANT},
    {"applied|returned|approved|suspended", "cancel", "cancelled", APPLICANT},
    {"applied|approved|suspended", "authorize", NULL, ROLE_PROVIDER, .hook = authorize},
    {"applied|approved|suspended", "deauthorize", NULL, ROLE_PROVIDER, .hook = deauthorize},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API}, /* only authorize is theirs */
};

const struct resource subscriptions_resource = {
    .plural = "subscriptions",
    .kind = "subscription",
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
    .prepare = row_filter_prepare,
    .amend = row_filter_prepare,
    .check = check,
    .after = draw_accessid,
    .feed = feed,
    .feed_kind = "subscription",
};
