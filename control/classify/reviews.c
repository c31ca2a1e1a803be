/* SPDX-License-Identifier: Apache-2.0 */
/* The data-security review before data is opened: on a legal basis, by another than who asked, of
 * the fields as they were then. What is lowered or added afterwards needs a new one. */
#include <stdio.h>

#include "api/apis.h"
#include "classify/classify.h"
#include "sandbox/stage.h"

#define REVIEW_FIELDS_MAX 1024

static enum problem check_fields(struct rest_call *c, const char *where, const json_t *v);

static const struct attr attrs[] = {
    {"dataset_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "datasets"},
    {"api_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"legal_basis", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"fields", ATTR_JSON, AF_IMMUTABLE, .check = check_fields},
    {"no_clearing", ATTR_BOOL, 0},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_at", ATTR_TIME, AF_READ_ONLY},
    {"conclusion", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

/* What a field is called by its subject's fields. */
static const char *field_name(const json_t *f)
{
    const char *column = row_text(f, "column"), *path = row_text(f, "path");

    return column[0] ? column : path[0] ? path : row_text(f, "name");
}

static bool field_ok(const json_t *f)
{
    static const char *const members[] = {"name", "level", "mask", NULL};

    return api_only_members(f, members) && row_text(f, "name")[0] &&
           api_int_within(json_object_get(f, "level"), 1, 4) &&
           (!json_object_get(f, "mask") || json_is_string(json_object_get(f, "mask")));
}

static enum problem check_fields(struct rest_call *c, const char *where, const json_t *v)
{
    json_t *f;
    size_t i;

    if (!json_is_array(v) || json_array_size(v) > REVIEW_FIELDS_MAX) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of fields is needed");
    }
    json_array_foreach(v, i, f)
    {
        if (!field_ok(f)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "fields are {name, level, mask}, the level from 1 to 4");
        }
    }
    return PROBLEM_OK;
}

static const json_t *find(const json_t *fields, const char *name)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        if (strcmp(field_name(f), name) == 0) {
            return f;
        }
    }
    return NULL;
}

/* Every field of the subject as it is, or as it is meant to become. */
static enum problem snapshot(struct rest_call *c, const json_t *fields, const json_t *meant,
                             json_t **out)
{
    json_t *f;
    size_t i;

    json_array_foreach(meant, i, f)
    {
        if (!find(fields, row_text(f, "name"))) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, "/fields", "there is no field %.100s",
                             row_text(f, "name"));
        }
    }
    *out = json_array();
    json_array_foreach(fields, i, f)
    {
        const json_t *m = find(meant, field_name(f));
        const json_t *level = json_object_get(m ? m : f, "level");
        json_array_append_new(*out, json_pack("{s:s, s:I, s:s}", "name", field_name(f), "level",
                                              json_integer_value(level), "mask",
                                              row_text(m ? m : f, "mask")));
    }
    return PROBLEM_OK;
}

static enum problem load_subject(struct rest_call *c, struct store_txn *txn, const json_t *row,
                                 json_t **subject)
{
    const char *dataset = row_text(row, "dataset_id"), *api = row_text(row, "api_id");

    if (!dataset[0] == !api[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/dataset_id",
                         "dataset_id or api_id is needed, one of them");
    }
    enum problem p = dataset[0] ? api_load(c, txn, &datasets_resource, dataset, subject)
                                : api_load(c, txn, &apis_resource, api, subject);
    if (p == PROBLEM_OK && api[0] && row_text(*subject, "dataset_id")[0]) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id",
                      "the API is one of a dataset: that is what is reviewed");
    }
    return p;
}

static bool theirs(const struct rest_call *c, const json_t *subject)
{
    return c->user.role != ROLE_PROVIDER ||
           strcmp(row_text(subject, "organisation_id"), c->user.organisation) == 0;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *subject = NULL, *fields = NULL;

    if (ch->old) {
        return strcmp(row_text(ch->old, "state"), "requested") == 0
                   ? PROBLEM_OK
                   : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the review is %s",
                               row_text(ch->old, "state"));
    }
    if (c->user.role == ROLE_PROVIDER) { /* it is the reviewer's to answer */
        json_object_set_new(ch->row, "no_clearing", json_null());
    }
    enum problem p = load_subject(c, ch->txn, ch->row, &subject);
    if (p == PROBLEM_OK && !theirs(c, subject)) {
        p = rest_fail(c, PROBLEM_NOT_PERMITTED, "", "it is another organisation's");
    }
    if (p == PROBLEM_OK) {
        p = snapshot(c, json_object_get(subject, "fields"), json_object_get(ch->row, "fields"),
                     &fields);
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(ch->row, "fields", fields);
        json_object_set(ch->row, "organisation_id", json_object_get(subject, "organisation_id"));
        json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    }
    json_decref(subject);
    return p;
}

static enum problem judged(struct rest_call *c, struct change *ch)
{
    if (strcmp(row_text(ch->row, "requested_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    stage_sign(c, ch->row, "reviewed");
    return PROBLEM_OK;
}

static const char *subject_column(const json_t *row)
{
    return row_text(row, "dataset_id")[0] ? "dataset_id" : "api_id";
}

static enum problem supersede_one(struct rest_call *c, struct change *ch)
{
    const char *but = ch->arg;

    if (strcmp(row_text(ch->row, "state"), "passed") != 0 ||
        strcmp(row_text(ch->row, "id"), but) == 0) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p = stage_change(c, ch->txn, &security_reviews_resource, old, ch->row,
                                  "superseded", "supersede");
    json_decref(old);
    return p;
}

/* BK-9.1.1f: of what moves money the reviewer says that no clearing between institutions is done by
 * it; nothing of which that is not said is published. */
static enum problem check_clearing(struct rest_call *c, struct change *ch)
{
    const json_t *said = json_object_get(ch->row, "no_clearing");
    json_t *subject = NULL;
    enum problem p = load_subject(c, ch->txn, ch->row, &subject);
    bool asked = p == PROBLEM_OK && protection_moves_money(subject);

    json_decref(subject);
    if (p != PROBLEM_OK || !asked || json_is_true(said)) {
        return p;
    }
    return rest_fail(c, PROBLEM_FIELD_INVALID, "/no_clearing",
                     json_is_false(said)
                         ? "an API by which clearing between institutions is done is not opened"
                         : "the reviewer has to say whether clearing between institutions is done "
                           "by it");
}

static enum problem pass(struct rest_call *c, struct change *ch)
{
    const char *column = subject_column(ch->row), *id = row_text(ch->row, "id");
    enum problem p = judged(c, ch);

    p = p == PROBLEM_OK ? check_clearing(c, ch) : p;
    return p == PROBLEM_OK ? row_each(c, ch->txn, &security_reviews_resource, column,
                                      row_text(ch->row, column), supersede_one, (void *)id)
                           : p;
}

static enum problem close_api(struct rest_call *c, struct change *ch)
{
    const char *state = row_text(ch->row, "state");

    /* What is only stopped or suspended would come back without being published again. */
    if (strcmp(state, "offline") == 0 || !api_state_live(ch->row)) {
        return PROBLEM_OK;
    }
    json_t *old = json_deep_copy(ch->row);
    enum problem p = stage_change(c, ch->txn, &apis_resource, old, ch->row, "offline", "offline");
    json_decref(old);
    return p;
}

/* What rested on the review is closed with it. */
static enum problem revoke(struct rest_call *c, struct change *ch)
{
    const char *column = subject_column(ch->row);
    bool required = true, dataset = strcmp(column, "dataset_id") == 0;
    enum problem p = classify_setting_on(c, ch->txn, "security-review-required", &required);

    return p == PROBLEM_OK && required
               ? row_each(c, ch->txn, &apis_resource, dataset ? "dataset_id" : "id",
                          row_text(ch->row, column), close_api, NULL)
               : p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"requested", "pass", "passed", ROLE_STAFF, .body_text = "conclusion", .hook = pass},
    {"requested", "fail", "failed", ROLE_STAFF, .body_text = "conclusion", .hook = judged},
    {"requested", "withdraw", "withdrawn", KEEPER},
    {"passed", "revoke", "revoked", ROLE_STAFF, .body_text = "comment", .hook = revoke},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource security_reviews_resource = {
    .plural = "security_reviews",
    .kind = "security-review",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = ROLE_STAFF, /* all but no_clearing is immutable */
    .check = check,
};

/* Coverage --------------------------------------------------------------------------------------
 */

static enum problem keep_passed(struct rest_call *c, struct change *ch)
{
    (void)c;
    if (strcmp(row_text(ch->row, "state"), "passed") == 0) {
        json_object_set(ch->arg, "fields", json_object_get(ch->row, "fields"));
    }
    return PROBLEM_OK;
}

static bool covered(const json_t *reviewed, const json_t *f)
{
    const json_t *r = find(reviewed, field_name(f));
    json_int_t level = json_integer_value(json_object_get(f, "level")),
               then = json_integer_value(json_object_get(r, "level"));

    if (level < 1 || level > 3 || (level == 3 && !row_text(f, "mask")[0])) {
        return true; /* it does not leave */
    }
    return then >= 1 && then <= level &&
           (level != 3 || then != 3 || strcmp(row_text(r, "mask"), row_text(f, "mask")) == 0);
}

static enum problem refuse(struct rest_call *c, const json_t *reviewed, const json_t *fields)
{
    char list[240] = "";
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        size_t n = strlen(list);
        if (!covered(reviewed, f) && n < sizeof list - 1) {
            snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", field_name(f));
        }
    }
    return list[0] ? rest_fail(c, PROBLEM_SECURITY_REVIEW_MISSING, "/fields",
                               "no passed review covers: %s", list)
                   : PROBLEM_OK;
}

enum problem security_review_covers(struct rest_call *c, struct store_txn *txn,
                                    const struct resource *res, const json_t *subject,
                                    const json_t *fields)
{
    json_t *passed = json_object();
    bool required = true;
    enum problem p = classify_setting_on(c, txn, "security-review-required", &required);

    if (p == PROBLEM_OK && required) {
        p = row_each(c, txn, &security_reviews_resource,
                     res == &datasets_resource ? "dataset_id" : "api_id", row_text(subject, "id"),
                     keep_passed, passed);
        p = p == PROBLEM_OK ? refuse(c, json_object_get(passed, "fields"), fields) : p;
    }
    json_decref(passed);
    return p;
}
