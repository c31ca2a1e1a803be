/* SPDX-License-Identifier: Apache-2.0 */
/* The review of an application, step after step: each opinion is a row that nobody changes, with
 * who gave it and what they found of each material (SW-8.2c3-3, BK-9.1.2c1). */
#include <stdio.h>

#include "admission/forms.h"
#include "admission/inner.h"

static const char *const results[] = {"pass", "return", "refuse", NULL};
static const char *const reviewer_roles[] = {"operator", "admin", "provider", NULL};

/* The steps ------------------------------------------------------------------------------------ */
static enum problem check_form_kind(struct rest_call *c, const char *where, const json_t *v)
{
    return forms_find(json_string_value(v))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no such form kind");
}

static const struct attr step_attrs[] = {
    {"form_kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 40,
     .check = check_form_kind},
    {"position", ATTR_INT, AF_REQUIRED | AF_IMMUTABLE | AF_SORT, 1, 20},
    {"name", ATTR_TEXT, AF_REQUIRED, 1, 63},
    {"reviewer_role", ATTR_TEXT, AF_REQUIRED, 1, 15, .values = reviewer_roles},
};

/* Without gaps, and nothing under review loses the step it stands at. */
static enum problem check_step(struct rest_call *c, struct change *ch)
{
    static const char sql[] =
        "SELECT count(*) FROM review_steps WHERE form_kind = ? AND state = 'active'";
    const struct store_value v = store_text(row_text(ch->row, "form_kind"));
    int64_t n = 0;
    enum problem p = admission_count(c, ch->txn, sql, &v, 1, &n);

    return p == PROBLEM_OK && !ch->old &&
                   json_integer_value(json_object_get(ch->row, "position")) != n + 1
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/position", "the next one is %lld",
                           (long long)n + 1)
               : p;
}

static enum problem remove_step(struct rest_call *c, struct change *ch)
{
    static const char sql[] = "SELECT 1 FROM review_steps WHERE form_kind = ? AND position > ? AND "
                              "state = 'active'";
    static const char busy[] = "SELECT 1 FROM applications WHERE form_kind = ? AND step >= ? AND "
                               "state IN ('submitted', 'in_review')";
    const struct store_value v[] = {
        store_text(row_text(ch->row, "form_kind")),
        store_int(json_integer_value(json_object_get(ch->row, "position")))};
    bool later = false, used = false;
    enum problem p = admission_exists(c, ch->txn, sql, v, COUNT(v), &later);

    p = p == PROBLEM_OK ? admission_exists(c, ch->txn, busy, v, COUNT(v), &used) : p;
    if (p == PROBLEM_OK && (later || used || v[1].i == 1)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      used ? "an application stands at this step"
                           : "only the last step goes, and one stays");
    }
    return p;
}

static const struct transition step_transitions[] = {
    {"active", "remove", "removed", ROLE_ADMIN, .hook = remove_step},
};

const struct resource review_steps_resource = {
    .plural = "review_steps",
    .kind = "review-step",
    .initial = "active",
    .attrs = step_attrs,
    .n_attrs = COUNT(step_attrs),
    .transitions = step_transitions,
    .n_transitions = COUNT(step_transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_ADMIN,
    .patch_roles = ROLE_ADMIN,
    .check = check_step,
};

enum problem review_step_load(struct rest_call *c, struct store_txn *txn, const char *form_kind,
                              int64_t position, struct review_step *step)
{
    static const char sql[] =
        "SELECT name, reviewer_role, (SELECT max(position) FROM review_steps s WHERE s.form_kind = "
        "t.form_kind AND s.state = 'active') FROM review_steps t WHERE form_kind = ? AND position "
        "= ? AND state = 'active'";
    const struct store_value v[] = {store_text(form_kind), store_int(position)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, COUNT(v), &rows);
    bool there = err == STORE_OK && store_next(rows);

    if (there) {
        snprintf(step->name, sizeof step->name, "%s", store_get_text(rows, 0));
        snprintf(step->reviewer_role, sizeof step->reviewer_role, "%s", store_get_text(rows, 1));
        step->last = store_get_int(rows, 2) == position;
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    return p == PROBLEM_OK && !there
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the form kind has no step %lld",
                           (long long)position)
               : p;
}

/* The opinions --------------------------------------------------------------------------------- */
static bool verdict_ok(const json_t *v)
{
    const char *text = json_is_string(v) ? json_string_value(v) : "";

    return strcmp(text, "pass") == 0 || strcmp(text, "fail") == 0;
}

static bool finding_ok(const json_t *v)
{
    static const char *const of_document[] = {"document_id",  "validity", "completeness",
                                              "authenticity", "note",     NULL};
    static const char *const of_subject[] = {"subject", "result", "note", NULL};

    if (!json_is_object(v)) {
        return false;
    }
    if (json_object_get(v, "document_id")) {
        return api_only_members(v, of_document) && verdict_ok(json_object_get(v, "validity")) &&
               verdict_ok(json_object_get(v, "completeness")) &&
               verdict_ok(json_object_get(v, "authenticity"));
    }
    return api_only_members(v, of_subject) && row_text(v, "subject")[0] &&
           verdict_ok(json_object_get(v, "result"));
}

static enum problem check_findings(struct rest_call *c, const char *where, const json_t *v)
{
    char at[64];
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > 128) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of at most 128 is needed");
    }
    json_array_foreach(v, i, item)
    {
        if (!finding_ok(item)) {
            snprintf(at, sizeof at, "%.40s/%zu", where, i);
            return rest_fail(c, PROBLEM_FIELD_INVALID, at,
                             "subject and result, or document_id with validity, completeness and "
                             "authenticity, each pass or fail");
        }
    }
    return PROBLEM_OK;
}

#define PERMISSIONS_MAX 256

/* EC-4.2.2a5: which APIs, up to which level, which fields; what is not named is not permitted. */
static enum problem check_permissions(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"api_id", "max_level", "fields", NULL};
    enum problem p = PROBLEM_OK;
    char at[48];
    json_t *item;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > PERMISSIONS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of at most %d is needed",
                         PERMISSIONS_MAX);
    }
    json_array_foreach(v, i, item)
    {
        const json_t *level = json_object_get(item, "max_level"),
                     *fields = json_object_get(item, "fields");
        const char *id = row_text(item, "api_id");
        struct uuid u;
        snprintf(at, sizeof at, "%.24s/%zu", where, i);
        if (!json_is_object(item) || !api_only_members(item, members) ||
            !uuid_parse(&u, id, strlen(id)) || (level && !api_int_within(level, 1, 3))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, at,
                             "an object with api_id, max_level from 1 to 3 and fields is needed");
        }
        p = p == PROBLEM_OK && fields ? api_check_paths(c, at, fields) : p;
    }
    return p;
}

static const struct attr review_attrs[] = {
    {"application_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "applications"},
    {"version", ATTR_INT, AF_READ_ONLY},
    {"position", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"step", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"result", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = results},
    {"comment", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"findings", ATTR_JSON, AF_IMMUTABLE, .check = check_findings, .fallback = "[]"},
    {"max_level", ATTR_INT, AF_IMMUTABLE, 1, 3},
    {"permissions", ATTR_JSON, AF_IMMUTABLE, .check = check_permissions},
    {"reviewer", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
};

/* Nobody looks at what they, or their own organisation, apply for. */
static bool own(const struct rest_call *c, const json_t *application)
{
    return strcmp(row_text(application, "submitted_by"), c->user.login) == 0 ||
           (c->user.organisation[0] &&
            strcmp(row_text(application, "organisation_id"), c->user.organisation) == 0);
}

static bool may_review(const struct rest_call *c, const struct review_step *step,
                       const json_t *application)
{
    if (strcmp(step->reviewer_role, "provider") == 0) {
        return c->user.role == ROLE_PROVIDER &&
               strcmp(row_text(application, "provider_id"), c->user.organisation) == 0;
    }
    return strcmp(step->reviewer_role, "admin") == 0 ? c->user.role == ROLE_ADMIN
                                                     : (c->user.role & ROLE_STAFF) != 0;
}

static enum problem check_reviewer(struct rest_call *c, const json_t *application,
                                   const struct review_step *step)
{
    const char *state = row_text(application, "state");

    if (strcmp(state, "submitted") != 0 && strcmp(state, "in_review") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "/application_id", "the application is %s",
                         state);
    }
    if (own(c, application)) {
        return PROBLEM_SELF_APPROVAL;
    }
    return may_review(c, step, application)
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_NOT_PERMITTED, "", "the step %s is for the role %s",
                           step->name, step->reviewer_role);
}

static enum problem check_review(struct rest_call *c, struct change *ch)
{
    json_t *application = NULL;
    struct review_step step;
    bool pass = strcmp(row_text(ch->row, "result"), "pass") == 0;
    enum problem p = api_load(c, ch->txn, &applications_resource,
                              row_text(ch->row, "application_id"), &application);
    int64_t position = json_integer_value(json_object_get(application, "step"));

    if (p == PROBLEM_OK && !row_text(application, "number")[0]) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/application_id", "the application is %s",
                      row_text(application, "state"));
    }
    if (p == PROBLEM_OK) {
        p = review_step_load(c, ch->txn, row_text(application, "form_kind"), position, &step);
    }
    if (p == PROBLEM_OK) {
        p = check_reviewer(c, application, &step);
    }
    if (p == PROBLEM_OK && !pass && !row_text(ch->row, "comment")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/comment", "the applicant is owed a reason");
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "version", json_object_get(application, "version"));
        json_object_set_new(ch->row, "position", json_integer(position));
        json_object_set_new(ch->row, "step", json_string(step.name));
        json_object_set_new(ch->row, "reviewer", json_string(c->user.login));
    }
    json_decref(application);
    return p;
}

static void decided(const struct rest_call *c, json_t *application)
{
    json_object_set_new(application, "decided_by", json_string(c->user.login));
    json_object_set_new(application, "decided_at", admission_time(c->now_ms));
}

/* The data levels asked for, unless the reviewer says less (EC-4.2.2a4, EC-4.2.2a5). */
static void approved_level(json_t *application, const json_t *review)
{
    json_int_t asked = 0, given = json_integer_value(json_object_get(review, "max_level"));
    json_t *level;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(application, "content"), "data_levels"), i,
                       level)
    {
        asked = json_integer_value(level) > asked ? json_integer_value(level) : asked;
    }
    if (given && (!asked || given < asked)) {
        asked = given;
    }
    json_object_set_new(application, "max_level", asked ? json_integer(asked) : json_null());
    json_object_set(application, "permissions", json_object_get(review, "permissions"));
}

static enum problem approve(struct rest_call *c, struct change *ch, json_t *application)
{
    int64_t days = 0;
    enum problem p = approval_check(c, ch->txn, application);

    p = p == PROBLEM_OK ? admission_setting_int(c, ch->txn, "review-days", &days) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    decided(c, application);
    approved_level(application, ch->row);
    json_object_set_new(application, "review_due_at",
                        admission_time(c->now_ms + (uint64_t)days * DAY_MS));
    p = admission_move(c, ch->txn, &applications_resource, application, "approved", "approve");
    return p == PROBLEM_OK ? approval_effects(c, ch->txn, application) : p;
}

static enum problem pass(struct rest_call *c, struct change *ch, json_t *application)
{
    int64_t position = json_integer_value(json_object_get(application, "step"));
    struct review_step step;
    enum problem p =
        review_step_load(c, ch->txn, row_text(application, "form_kind"), position, &step);

    if (p != PROBLEM_OK) {
        return p;
    }
    if (position == 1) {
        json_object_set_new(application, "accepted_at", admission_time(c->now_ms));
    }
    if (step.last) {
        return approve(c, ch, application);
    }
    json_object_set_new(application, "step", json_integer(position + 1));
    return admission_move(c, ch->txn, &applications_resource, application, "in_review",
                          position == 1 ? "accept" : "advance");
}

/* The application follows the opinion, in the same transaction. */
static enum problem after_review(struct rest_call *c, struct change *ch)
{
    const char *result = row_text(ch->row, "result");
    json_t *application = NULL;
    enum problem p = api_load(c, ch->txn, &applications_resource,
                              row_text(ch->row, "application_id"), &application);

    if (p == PROBLEM_OK) {
        json_object_set(application, "comment", json_object_get(ch->row, "comment"));
        if (strcmp(result, "pass") == 0) {
            p = pass(c, ch, application);
        } else if (strcmp(result, "return") == 0) {
            p = admission_move(c, ch->txn, &applications_resource, application, "returned",
                               "return");
        } else {
            decided(c, application);
            p = admission_move(c, ch->txn, &applications_resource, application, "refused",
                               "refuse");
        }
    }
    json_decref(application);
    return p;
}

static const struct scope review_scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.application_id IN (SELECT id FROM applications WHERE organisation_id = ?)", "1 = 0"},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.application_id IN (SELECT id FROM applications WHERE organisation_id = ? OR provider_id = "
     "?)",
     "t.application_id IN (SELECT id FROM applications WHERE provider_id = ?)"},
};

const struct resource application_reviews_resource = {
    .plural = "application_reviews",
    .kind = "application-review",
    .initial = "given",
    .attrs = review_attrs,
    .n_attrs = COUNT(review_attrs),
    .scopes = review_scopes,
    .n_scopes = COUNT(review_scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = ROLE_STAFF | ROLE_PROVIDER,
    .check = check_review,
    .after = after_review,
};
