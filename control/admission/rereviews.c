/* SPDX-License-Identifier: Apache-2.0 */
/* Reviews that come again: opened by the clock or by an operator, with a date, and done with an
 * opinion and the next date (BK-10.2.1a2). */
#include "admission/inner.h"

static const char *const causes[] = {"schedule", "change", "certificate", "other", NULL};

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"application_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "applications"},
    {"change_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "major_changes"},
    {"cause", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = causes},
    {"due_at", ATTR_TIME, AF_REQUIRED | AF_SORT},
    {"overdue_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"reviewer", ATTR_TEXT, AF_READ_ONLY},
    {"next_due_at", ATTR_TIME, AF_SORT},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    return ch->old && admission_state_is(ch->old, "done")
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the review is done")
               : PROBLEM_OK;
}

/* The application's date moves on: to the one that was set, or by a whole period. */
static enum problem move_on(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *application = NULL;
    int64_t days = 0;
    enum problem p = admission_setting_int(c, txn, "review-days", &days);

    if (json_is_null(json_object_get(row, "next_due_at"))) {
        json_object_set_new(row, "next_due_at",
                            admission_time(c->now_ms + (uint64_t)days * DAY_MS));
    }
    if (p != PROBLEM_OK || !row_text(row, "application_id")[0]) {
        return p;
    }
    p = api_load(c, txn, &applications_resource, row_text(row, "application_id"), &application);
    if (p == PROBLEM_OK && admission_state_is(application, "approved")) {
        json_object_set(application, "review_due_at", json_object_get(row, "next_due_at"));
        p = admission_move(c, txn, &applications_resource, application, "approved", "re-review");
    }
    json_decref(application);
    return p;
}

static enum problem complete(struct rest_call *c, struct change *ch)
{
    if (c->user.organisation[0] &&
        strcmp(c->user.organisation, row_text(ch->row, "organisation_id")) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    if (api_ms(ch->row, "next_due_at") && api_ms(ch->row, "next_due_at") <= c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/next_due_at", "it lies in the past");
    }
    json_object_set_new(ch->row, "reviewer", json_string(c->user.login));
    return move_on(c, ch->txn, ch->row);
}

static const struct transition transitions[] = {
    {"open|overdue", "complete", "done", ROLE_STAFF, .body_text = "comment", .hook = complete},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "1 = 0"},
};

const struct resource re_reviews_resource = {
    .plural = "re_reviews",
    .kind = "re-review",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};
