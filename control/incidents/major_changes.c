/* SPDX-License-Identifier: Apache-2.0 */
/* A third party's notice that how it uses what is open to it will change in a way that matters
 * (BK-10.3b): complete with its plans, its view of the risk and how users were told, or refused. */
#include "api/api.h"
#include "incidents/incidents.h"

static const char *const kinds[] = {"volume", "integration", "other", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = kinds},
    {"description", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"expected_calls_per_day", ATTR_INT, 0, 0, INT64_MAX},
    {"change_plan", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"emergency_plan", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"risk_assessment", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"user_notice", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, REST_TEXT_MAX},
    {"user_noticed_at", ATTR_TIME, AF_REQUIRED},
    {"document_id", ATTR_REF, 0, .ref = "documents"},
    {"starts_at", ATTR_TIME, AF_REQUIRED | AF_SORT},
    {"noticed_at", ATTR_TIME, AF_READ_ONLY},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"acknowledged_by", ATTR_TEXT, AF_READ_ONLY},
    {"acknowledged_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem notice(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "noticed_at", stage_time(c->now_ms));
    json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
    return stage_tell(c, ch->txn, "major-change-noticed", "major-change", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "kind"), true);
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;

    if (ch->old) {
        return strcmp(row_text(ch->row, "state"), "returned") == 0
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "what was sent in stays as it is");
    }
    enum problem p = stage_app(c, ch->txn, ch->row, &app);
    json_decref(app);
    if (p == PROBLEM_OK && strcmp(row_text(ch->row, "kind"), "volume") == 0 &&
        !json_is_integer(json_object_get(ch->row, "expected_calls_per_day"))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expected_calls_per_day",
                         "a change of volume says how many");
    }
    if (p == PROBLEM_OK && api_ms(ch->row, "starts_at") <= c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/starts_at", "a change is told beforehand");
    }
    return p == PROBLEM_OK ? notice(c, ch) : p;
}

static enum problem acknowledge(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "acknowledged");
    return stage_tell(c, ch->txn, "major-change-acknowledged", "major-change", ch->row,
                      row_text(ch->row, "app_id"), NULL, false);
}

static enum problem send_back(struct rest_call *c, struct change *ch)
{
    return stage_tell(c, ch->txn, "major-change-returned", "major-change", ch->row,
                      row_text(ch->row, "app_id"), row_text(ch->row, "comment"), false);
}

static const struct transition transitions[] = {
    {"submitted", "acknowledge", "acknowledged", ROLE_STAFF, .hook = acknowledge},
    {"submitted", "return", "returned", ROLE_STAFF, .body_text = "comment", .hook = send_back},
    {"returned", "submit", "submitted", ROLE_DEVELOPER, .hook = notice},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, STAGE_OWN_APP, STAGE_OWN_APP},
};

const struct resource major_changes_resource = {
    .plural = "major_changes",
    .kind = "major-change",
    .initial = "submitted",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = ROLE_DEVELOPER | ROLE_STAFF,
    .patch_roles = ROLE_DEVELOPER,
    .check = check,
};
