/* SPDX-License-Identifier: Apache-2.0 */
/* Applications: drafted, submitted, looked at in steps, returned and submitted again as another
 * version, decided (EC-4.2.2a1, CI-6.1.1b). What was submitted is not changed by anybody. */
#include <stdio.h>
#include <time.h>

#include "admission/forms.h"
#include "admission/inner.h"

#define DOCUMENTS_MAX 64

static enum problem check_form_kind(struct rest_call *c, const char *where, const json_t *v)
{
    return forms_find(json_string_value(v))
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "one of the form kinds is needed: GET /api/v1/form-kinds");
}

static const struct attr attrs[] = {
    {"form_kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 40,
     .check = check_form_kind},
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"app_id", ATTR_REF, AF_FILTER, .ref = "apps"},
    {"provider_id", ATTR_REF, AF_FILTER | AF_REF_ANY, .ref = "organisations"},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"content", ATTR_JSON, 0, .fallback = "{}"},
    {"sealed", ATTR_JSON, AF_HIDDEN},
    {"documents", ATTR_JSON, 0, .fallback = "[]"},
    {"number", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"version", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"step", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"submitted_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"accepted_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"identity_check", ATTR_JSON, AF_READ_ONLY},
    {"max_level", ATTR_INT, AF_READ_ONLY},
    {"permissions", ATTR_JSON, AF_READ_ONLY},
    {"decided_by", ATTR_TEXT, AF_READ_ONLY},
    {"decided_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"review_due_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
};

/* Materials: each of a kind, a document, and until when it is valid. */
static enum problem check_documents(struct rest_call *c, struct store_txn *txn, const json_t *list)
{
    static const char *const members[] = {"kind", "document_id", "valid_until", NULL};
    char where[48];
    enum problem p = PROBLEM_OK;
    json_t *v;
    size_t i;

    if (!json_is_array(list) || json_array_size(list) > DOCUMENTS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/documents", "an array of at most %d is needed",
                         DOCUMENTS_MAX);
    }
    json_array_foreach(list, i, v)
    {
        snprintf(where, sizeof where, "/documents/%zu", i);
        const json_t *until = json_object_get(v, "valid_until");
        if (!json_is_object(v) || !api_only_members(v, members) ||
            (until && !json_is_null(until) && !api_ms(v, "valid_until"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "an object with kind, document_id and, as a time, valid_until");
        }
        p = attr_text_check(c, where, json_object_get(v, "kind"), 1, 64, false);
        p = p == PROBLEM_OK ? admission_document(c, txn, where, json_object_get(v, "document_id"))
                            : p;
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    return p;
}

static enum problem check_app(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    json_t *app = NULL;

    if (!row_text(row, "app_id")[0]) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, txn, &apps_resource, row_text(row, "app_id"), &app);
    if (p == PROBLEM_OK &&
        strcmp(row_text(app, "organisation_id"), row_text(row, "organisation_id")) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "it is another organisation's app");
    }
    json_decref(app);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const struct form *form = forms_find(row_text(ch->row, "form_kind"));

    if (ch->old && !admission_state_is(ch->old, "draft") &&
        !admission_state_is(ch->old, "returned")) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "the application is %s; it is changed as a "
                         "draft or when it was returned",
                         row_text(ch->old, "state"));
    }
    enum problem p = forms_check(c, ch->txn, form, json_object_get(ch->row, "content"), false);
    if (p == PROBLEM_OK && (!ch->old || api_changed(ch->old, ch->row, "documents"))) {
        p = check_documents(c, ch->txn, json_object_get(ch->row, "documents"));
    }
    if (p == PROBLEM_OK) {
        p = check_app(c, ch->txn, ch->row);
    }
    if (p == PROBLEM_OK && (!ch->old || api_changed(ch->old, ch->row, "content"))) {
        p = forms_seal(c, ch->old, ch->row);
    }
    return p;
}

/* Submitting ----------------------------------------------------------------------------------- */
static enum problem check_attached(struct rest_call *c, const struct form *form, const json_t *row)
{
    for (size_t i = 0; form->documents[i]; i++) {
        bool there = false;
        json_t *v;
        size_t k;
        json_array_foreach(json_object_get(row, "documents"), k, v)
        {
            there = there || strcmp(row_text(v, "kind"), form->documents[i]) == 0;
        }
        if (!there) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/documents",
                             "a document of kind %s is required", form->documents[i]);
        }
    }
    return PROBLEM_OK;
}

/* A provider that looks at it has to be known. */
static enum problem check_provider(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    static const char sql[] = "SELECT 1 FROM review_steps WHERE form_kind = ? AND state = 'active' "
                              "AND reviewer_role = 'provider'";
    const struct store_value v = store_text(row_text(row, "form_kind"));
    bool asks = false;
    enum problem p = admission_exists(c, txn, sql, &v, 1, &asks);

    return p == PROBLEM_OK && asks && !row_text(row, "provider_id")[0]
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/provider_id",
                           "the organisation that provides the data looks at it: name it")
               : p;
}

static enum problem give_number(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    int64_t n = 0;
    time_t now = (time_t)(c->now_ms / 1000);
    struct tm tm;

    if (row_text(row, "number")[0]) {
        return PROBLEM_OK; /* submitted again: it keeps its number */
    }
    enum problem p = admission_count(
        c, txn, "SELECT count(*) FROM applications WHERE number IS NOT NULL", NULL, 0, &n);
    gmtime_r(&now, &tm);
    json_object_set_new(row, "number",
                        json_sprintf("%d-%06lld", tm.tm_year + 1900, (long long)n + 1));
    return p;
}

/* What was submitted is kept as it was, whatever comes after. */
static enum problem keep_version(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    static const char *const same[] = {"version", "content", "sealed", "documents", "submitted_by"};
    json_t *version = resource_row(&application_versions_resource);

    json_object_set(version, "application_id", json_object_get(row, "id"));
    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(version, same[i], json_object_get(row, same[i]));
    }
    enum problem p = change_store(c, txn, &application_versions_resource, NULL, version, "create");
    json_decref(version);
    return p;
}

static enum problem submit(struct rest_call *c, struct change *ch)
{
    const struct form *form = forms_find(row_text(ch->row, "form_kind"));
    json_int_t version = json_integer_value(json_object_get(ch->row, "version"));
    struct review_step step;
    enum problem p = forms_check(c, ch->txn, form, json_object_get(ch->row, "content"), true);

    if (p == PROBLEM_OK) {
        p = check_attached(c, form, ch->row);
    }
    if (p == PROBLEM_OK && (form->flags & FORM_APP) && !row_text(ch->row, "app_id")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "the app it is about is needed");
    }
    p = p == PROBLEM_OK ? check_provider(c, ch->txn, ch->row) : p;
    p = p == PROBLEM_OK ? review_step_load(c, ch->txn, form->name, 1, &step) : p;
    p = p == PROBLEM_OK ? give_number(c, ch->txn, ch->row) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    json_object_set_new(ch->row, "version", json_integer(version + 1));
    json_object_set_new(ch->row, "step", json_integer(1));
    json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
    json_object_set_new(ch->row, "submitted_at", admission_time(c->now_ms));
    json_object_set_new(ch->row, "identity_check", json_null());
    return keep_version(c, ch->txn, ch->row);
}

/* Whoever looks at it next is told (CI-6.1.1b): the operators, or the provider as well. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    const char *provider = row_text(ch->row, "provider_id"), *title = row_text(ch->row, "title"),
               *number = row_text(ch->row, "number");

    if (!ch->action || strcmp(ch->action, "submit") != 0) {
        return PROBLEM_OK;
    }
    enum problem p =
        admission_tell(c, ch->txn, "application-submitted", NULL, ch->res, ch->row, title, number);
    if (p == PROBLEM_OK && provider[0]) {
        p = admission_tell(c, ch->txn, "application-submitted", provider, ch->res, ch->row, title,
                           number);
    }
    return p;
}

static const struct transition transitions[] = {
    {"draft|returned", "submit", "submitted", APPLICANT_ROLES, .hook = submit},
    {"draft|returned|submitted|in_review", "withdraw", "withdrawn", APPLICANT_ROLES},
};

#define OWN "t.organisation_id = ?"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN, OWN},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.organisation_id = ? OR (t.provider_id = ? AND t.state <> 'draft')", OWN},
};

const struct resource applications_resource = {
    .plural = "applications",
    .kind = "application",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
    .create_roles = APPLICANT_ROLES,
    .patch_roles = APPLICANT_ROLES,
    .check = check,
    .after = after,
};

/* Versions ------------------------------------------------------------------------------------- */
static const struct attr version_attrs[] = {
    {"application_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "applications"},
    {"version", ATTR_INT, AF_READ_ONLY | AF_SORT},
    {"content", ATTR_JSON, AF_READ_ONLY},
    {"sealed", ATTR_JSON, AF_HIDDEN},
    {"documents", ATTR_JSON, AF_READ_ONLY},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
};

static const struct scope version_scopes[] = {
    {ROLE_DEVELOPER | ROLE_PROVIDER, BIND_ORGANISATION,
     "t.application_id IN (SELECT id FROM applications WHERE organisation_id = ? OR provider_id = "
     "?)",
     "1 = 0"},
};

const struct resource application_versions_resource = {
    .plural = "application_versions",
    .kind = "application-version",
    .initial = "kept",
    .attrs = version_attrs,
    .n_attrs = COUNT(version_attrs),
    .scopes = version_scopes,
    .n_scopes = COUNT(version_scopes),
    .read_roles = ROLE_ALL & ~(unsigned)ROLE_OWNER,
};
