/* SPDX-License-Identifier: Apache-2.0 */
/* How able and how safe a party is: scores by criterion, weighed, a rating, and what the rating
 * bears (BK-9.1.1d1, BK-9.1.1d2, BK-10.2.1c). The latest assessment of a party counts. */
#include <stdio.h>

#include "admission/inner.h"
#include "admission/terms.h"

#define PROTECTION "user-information-protection"

/* In percent of the whole; the protection of users' information weighs most. */
static const struct {
    const char *name;
    int64_t weight;
    const char *title_zh, *title_en;
} criteria[] = {
    /* clang-format off */
    {PROTECTION, 30, "用户信息保护能力", "How it protects users' information"},
    {"technical", 20, "技术能力", "Technical ability"},
    {"management", 15, "管理水平", "Management"},
    {"security-construction", 20, "信息安全建设水平", "How its information security is built"},
    {"continuity", 15, "业务连续性", "How it keeps going"},
    /* clang-format on */
};

/* Best first. D: not admitted. */
static const struct rating ratings[] = {
    {"A", 85, true, 3, 1000000000},
    {"B", 70, true, 3, 10000},
    {"C", 60, false, 2, 1000},
    {"D", 0, false, 0, 0},
};

static enum problem check_scores(struct rest_call *c, const char *where, const json_t *v)
{
    char at[80];

    if (!json_is_object(v) || json_object_size(v) != COUNT(criteria)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                         "an object with a score for each criterion is needed: GET "
                         "/api/v1/assessment-criteria");
    }
    for (size_t i = 0; i < COUNT(criteria); i++) {
        if (!api_int_within(json_object_get(v, criteria[i].name), 0, 100)) {
            snprintf(at, sizeof at, "%.20s/%s", where, criteria[i].name);
            return rest_fail(c, PROBLEM_FIELD_INVALID, at, "a score from 0 to 100 is needed");
        }
    }
    return PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"scores", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE, .check = check_scores},
    {"comment", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 0, REST_TEXT_MAX},
    {"technical_required", ATTR_BOOL, AF_IMMUTABLE, .fallback = "false"},
    {"technical_report_id", ATTR_REF, AF_FILTER, .ref = "documents"},
    {"security_level", ATTR_TEXT, 0, 1, 200},
    {"expires_at", ATTR_TIME, AF_REQUIRED | AF_IMMUTABLE | AF_SORT},
    {"score", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"rating", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"assessor", ATTR_TEXT, AF_READ_ONLY},
};

static int64_t weighed(const json_t *scores)
{
    int64_t sum = 0;

    for (size_t i = 0; i < COUNT(criteria); i++) {
        sum += criteria[i].weight * json_integer_value(json_object_get(scores, criteria[i].name));
    }
    return sum / 100;
}

static const struct rating *rate(int64_t score)
{
    size_t i = 0;

    while (i + 1 < COUNT(ratings) && score < ratings[i].score) {
        i++;
    }
    return &ratings[i];
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const json_t *scores = json_object_get(ch->row, "scores");
    int64_t floor = 0;
    enum problem p = admission_setting_int(c, ch->txn, "protection-floor", &floor);

    if (p != PROBLEM_OK) {
        return p;
    }
    if (ch->old && !admission_state_is(ch->old, "active")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the assessment is %s",
                         row_text(ch->old, "state"));
    }
    if (api_ms(ch->row, "expires_at") <= c->now_ms && !ch->old) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it lies in the past");
    }
    if (row_text(ch->row, "technical_report_id")[0] && !row_text(ch->row, "security_level")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/security_level",
                         "what the report says of how information security is built is needed");
    }
    bool low = json_integer_value(json_object_get(scores, PROTECTION)) < floor;
    int64_t score = weighed(scores);
    json_object_set_new(ch->row, "score", json_integer(score));
    json_object_set_new(ch->row, "rating",
                        json_string(low ? ratings[COUNT(ratings) - 1].name : rate(score)->name));
    if (!ch->old) {
        json_object_set_new(ch->row, "assessor", json_string(c->user.login));
    }
    return PROBLEM_OK;
}

static enum problem supersede(struct rest_call *c, struct change *ch)
{
    if (!admission_state_is(ch->row, "active") ||
        strcmp(row_text(ch->row, "id"), row_text(ch->arg, "id")) == 0) {
        return PROBLEM_OK;
    }
    return admission_move(c, ch->txn, ch->res, ch->row, "superseded", "supersede");
}

/* What the party's subscriptions bear follows its latest rating. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *organisation = row_text(ch->row, "organisation_id");
    enum problem p = PROBLEM_OK;

    if (ch->old && !admission_state_is(ch->row, "active") &&
        !admission_state_is(ch->row, "expired")) {
        return PROBLEM_OK;
    }
    if (!ch->old) {
        p = row_each(c, ch->txn, ch->res, "organisation_id", organisation, supersede, ch->row);
    }
    return p == PROBLEM_OK ? terms_refeed_organisation(c, ch->txn, organisation) : p;
}

static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource assessments_resource = {
    .plural = "assessments",
    .kind = "assessment",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
};

enum problem rest_assessment_criteria(struct rest_call *c)
{
    json_t *items = json_array(), *marks = json_array();

    for (size_t i = 0; i < COUNT(criteria); i++) {
        json_array_append_new(items,
                              json_pack("{s:s, s:I, s:s, s:s}", "name", criteria[i].name, "weight",
                                        (json_int_t)criteria[i].weight, "title_zh",
                                        criteria[i].title_zh, "title_en", criteria[i].title_en));
    }
    for (size_t i = 0; i < COUNT(ratings); i++) {
        json_array_append_new(marks,
                              json_pack("{s:s, s:I, s:b, s:I, s:I}", "name", ratings[i].name,
                                        "score", (json_int_t)ratings[i].score, "a2", ratings[i].a2,
                                        "max_level", (json_int_t)ratings[i].max_level, "max_owners",
                                        (json_int_t)ratings[i].max_owners));
    }
    return rest_answer(c, 200, json_pack("{s:o, s:o}", "items", items, "ratings", marks));
}

/* What a rating bears -------------------------------------------------------------------------- */
enum problem rating_of(struct rest_call *c, struct store_txn *txn, const char *organisation,
                       const struct rating **rating)
{
    static const char sql[] =
        "SELECT rating FROM assessments WHERE organisation_id = ? AND state = 'active' AND "
        "expires_at > ? AND (technical_required = 0 OR technical_report_id IS NOT NULL) ORDER BY "
        "created_at DESC, id DESC LIMIT 1";
    const struct store_value v[] = {store_text(organisation), store_int((int64_t)c->now_ms)};
    json_t *texts = json_array();
    enum problem p = admission_texts(c, txn, sql, v, COUNT(v), texts);
    const char *name = json_string_value(json_array_get(texts, 0));

    *rating = NULL;
    for (size_t i = 0; name && i < COUNT(ratings); i++) {
        if (strcmp(ratings[i].name, name) == 0) {
            *rating = &ratings[i];
        }
    }
    json_decref(texts);
    return p;
}

static enum problem rating_of_app(struct rest_call *c, struct store_txn *txn, const char *app_id,
                                  const struct rating **rating)
{
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, app_id, &app);

    *rating = NULL;
    p = p == PROBLEM_OK ? rating_of(c, txn, row_text(app, "organisation_id"), rating) : p;
    json_decref(app);
    return p;
}

enum problem admission_subscription_allowed(struct rest_call *c, struct store_txn *txn,
                                            const json_t *subscription, const json_t *api)
{
    const struct rating *rating = NULL;
    json_int_t level = json_integer_value(json_object_get(subscription, "max_level"));
    enum problem p = rating_of_app(c, txn, row_text(subscription, "app_id"), &rating);

    if (p != PROBLEM_OK || !rating) {
        return p;
    }
    if (level > rating->max_level) {
        return rest_fail(c, PROBLEM_RISK_EXCEEDED, "/max_level",
                         "a party rated %s is given data up to level %lld", rating->name,
                         (long long)rating->max_level);
    }
    if (strcmp(row_text(api, "class"), "A2") == 0 && !rating->a2) {
        return rest_fail(c, PROBLEM_RISK_EXCEEDED, "/api_id",
                         "a party rated %s calls no API of class A2", rating->name);
    }
    struct risk_bounds bounds;
    p = risk_bounds_of(c, txn, rating->name, api, &bounds);
    return p == PROBLEM_OK && !bounds.permitted
               ? rest_fail(c, PROBLEM_RISK_EXCEEDED, "/api_id",
                           "a party rated %s calls no API for %s", rating->name,
                           row_text(api, "operation"))
               : p;
}

enum problem admission_grant_allowed(struct rest_call *c, struct store_txn *txn,
                                     const json_t *grant)
{
    static const char sql[] =
        "SELECT count(DISTINCT owner) FROM grants WHERE state = 'active' AND owner <> ? AND app_id "
        "IN (SELECT id FROM apps WHERE organisation_id = (SELECT organisation_id FROM apps WHERE "
        "id = ?))";
    const struct store_value v[] = {store_text(row_text(grant, "owner")),
                                    store_text(row_text(grant, "app_id"))};
    const struct rating *rating = NULL;
    int64_t owners = 0;
    enum problem p = rating_of_app(c, txn, row_text(grant, "app_id"), &rating);

    if (p == PROBLEM_OK && rating) {
        p = admission_count(c, txn, sql, v, COUNT(v), &owners);
    }
    return p == PROBLEM_OK && rating && owners + 1 > rating->max_owners
               ? rest_fail(c, PROBLEM_RISK_EXCEEDED, "/owner",
                           "a party rated %s has at most %lld owners linked", rating->name,
                           (long long)rating->max_owners)
               : p;
}
