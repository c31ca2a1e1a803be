/* SPDX-License-Identifier: Apache-2.0 */
/* Major changes at a party, told by it with its plans; the operators judge risk and impact and
 * decide on a measure, which takes effect with the decision (BK-10.3c1, BK-10.3c2). */
#include "admission/inner.h"

static const char *const changes[] = {"volume", "integration", "organisation", "other", NULL};
static const char *const measures[] = {"continue", "limit", "suspend", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"change", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = changes},
    {"description", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"change_plan", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"emergency_plan", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"party_risk", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"user_notice", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"filed_by", ATTR_TEXT, AF_READ_ONLY},
    {"risk_assessment", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"impact_assessment", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"measure", ATTR_TEXT, AF_FILTER, 1, 10, .values = measures},
    {"limit_per_day", ATTR_INT, 0, 1, 1000000000},
    {"comment", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY},
};

/* The judgement is the operators'. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    static const char *const judged[] = {"risk_assessment", "impact_assessment", "measure",
                                         "limit_per_day", "comment"};

    if (ch->old) {
        return admission_state_is(ch->old, "filed")
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the change is decided");
    }
    for (size_t i = 0; i < COUNT(judged); i++) {
        if (!json_is_null(json_object_get(ch->row, judged[i])) && !(c->user.role & ROLE_STAFF)) {
            return rest_fail(c, PROBLEM_NOT_PERMITTED, "", "the platform says the %s", judged[i]);
        }
    }
    json_object_set_new(ch->row, "filed_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static enum problem after(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = PROBLEM_OK;

    if (ch->old && !api_changed(ch->old, ch->row, "state")) {
        return PROBLEM_OK;
    }
    p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    if (p == PROBLEM_OK) {
        p = ch->old ? admission_tell(c, ch->txn, "major-change-decided",
                                     row_text(app, "organisation_id"), ch->res, ch->row,
                                     row_text(app, "name"), row_text(ch->row, "comment"))
                    : admission_tell(c, ch->txn, "major-change-filed", NULL, ch->res, ch->row,
                                     row_text(app, "name"), row_text(ch->row, "description"));
    }
    json_decref(app);
    return p;
}

static enum problem limit_app(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *limit = resource_row(&limits_resource);

    json_object_set_new(limit, "name", json_string("after a major change"));
    json_object_set_new(limit, "per", json_string("app"));
    json_object_set(limit, "app_id", json_object_get(row, "app_id"));
    json_object_set_new(limit, "measure", json_string("calls"));
    json_object_set(limit, "amount", json_object_get(row, "limit_per_day"));
    json_object_set_new(limit, "action", json_string("reject"));
    json_object_set_new(limit, "reason", json_sprintf("major change %s", row_text(row, "id")));
    enum problem p = change_store(c, txn, &limits_resource, NULL, limit, "create");
    json_decref(limit);
    return p;
}

static enum problem suspend_app(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *app = NULL;
    enum problem p = api_load(c, txn, &apps_resource, row_text(row, "app_id"), &app);

    if (p == PROBLEM_OK && admission_state_is(app, "admitted")) {
        json_object_set(app, "comment", json_object_get(row, "impact_assessment"));
        p = admission_move(c, txn, &apps_resource, app, "suspended", "suspend");
    }
    json_decref(app);
    return p;
}

static enum problem decide(struct rest_call *c, struct change *ch)
{
    static const char *const needed[] = {"risk_assessment", "impact_assessment", "measure"};
    const char *measure = row_text(ch->row, "measure");

    for (size_t i = 0; i < COUNT(needed); i++) {
        if (!row_text(ch->row, needed[i])[0]) {
            return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "%s is needed first", needed[i]);
        }
    }
    if (strcmp(row_text(ch->row, "filed_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    json_object_set_new(ch->row, "decided_by", json_string(c->user.login));
    json_object_set_new(ch->row, "decided_at", admission_time(c->now_ms));
    if (strcmp(measure, "suspend") == 0) {
        return suspend_app(c, ch->txn, ch->row);
    }
    if (strcmp(measure, "limit") == 0) {
        return json_is_integer(json_object_get(ch->row, "limit_per_day"))
                   ? limit_app(c, ch->txn, ch->row)
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "/limit_per_day",
                               "measure limit needs it");
    }
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"filed", "decide", "decided", ROLE_STAFF, .hook = decide},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)",
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"},
};

const struct resource major_changes_resource = {
    .plural = "major_changes",
    .kind = "major-change",
    .initial = "filed",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF | ROLE_DEVELOPER,
    .patch_roles = ROLE_STAFF,
    .check = check,
    .after = after,
};
