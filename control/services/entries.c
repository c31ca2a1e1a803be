/* SPDX-License-Identifier: Apache-2.0 */
/* Entries of the service catalogue, what they are filed under, and how they were evaluated. */
#include <stdio.h>

#include "api/apis.h"
#include "services/services.h"

#define STAFF_OR_PROVIDER (ROLE_STAFF | ROLE_PROVIDER)

/* Domains ----------------------------------------------------------------------------------------
 */
static bool field_ok(const json_t *field)
{
    static const char *const members[] = {"name", "type", NULL};

    return json_is_object(field) && api_only_members(field, members) && row_text(field, "name")[0];
}

/* {"fields": [{"name", "type"?}], "methods"?: […], "paged"?: true} */
static enum problem check_interface(struct rest_call *c, const char *where, const json_t *v)
{
    static const char *const members[] = {"fields", "methods", "paged", NULL};
    const json_t *fields = json_object_get(v, "fields");
    json_t *field;
    size_t i;
    bool ok = json_is_object(v) && api_only_members(v, members) && json_array_size(fields) > 0 &&
              json_array_size(fields) <= 200;

    json_array_foreach(fields, i, field)
    {
        ok = ok && field_ok(field);
    }
    ok = ok && (!json_object_get(v, "methods") || json_is_array(json_object_get(v, "methods"))) &&
         (!json_object_get(v, "paged") || json_is_boolean(json_object_get(v, "paged")));
    return ok ? PROBLEM_OK
              : rest_fail(c, PROBLEM_FIELD_INVALID, where,
                          "fields (1 to 200 objects of name and perhaps type), and perhaps methods "
                          "and paged, are needed");
}

static const struct attr domain_attrs[] = {
    {"code", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 60},
    {"title_zh", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"title_en", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"interface", ATTR_JSON, 0, .check = check_interface},
};

static const struct transition domain_transitions[] = {
    {"active", "close", "closed", ROLE_STAFF},
};

static const struct scope domain_scopes[] = {
    {ROLE_PROVIDER | ROLE_DEVELOPER | ROLE_OWNER, BIND_USER, "1 = 1", "1 = 0"},
};

const struct resource service_domains_resource = {
    .plural = "service_domains",
    .kind = "service-domain",
    .initial = "active",
    .attrs = domain_attrs,
    .n_attrs = COUNT(domain_attrs),
    .transitions = domain_transitions,
    .n_transitions = COUNT(domain_transitions),
    .scopes = domain_scopes,
    .n_scopes = COUNT(domain_scopes),
    .read_roles = ROLE_ALL,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
};

/* Entries ----------------------------------------------------------------------------------------
 */
static const char *const kinds[] = {"api", "h5", NULL};

static enum problem check_link(struct rest_call *c, const char *where, const json_t *v)
{
    return targets_url_ok(json_string_value(v), "https://")
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_FIELD_INVALID, where, "an https address is needed");
}

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 128},
    {"title", ATTR_TEXT, AF_REQUIRED | AF_SORT, 1, 200},
    {"organisation_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 10, .values = kinds, .fallback = "\"api\""},
    {"domain_id", ATTR_REF, AF_FILTER, .ref = "service_domains"},
    {"purpose", ATTR_TEXT, AF_LINES, 1, 1000},
    {"audience", ATTR_TEXT, AF_LINES, 1, 1000},
    {"usage", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"availability_permille", ATTR_INT, 0, 1, 1000},
    {"response_ms", ATTR_INT, 0, 1, 600000},
    {"throughput", ATTR_INT, 0, 1, 1000000},
    {"support_hours", ATTR_TEXT, 0, 1, 200},
    {"technical", ATTR_TEXT, AF_LINES, 1, REST_TEXT_MAX},
    {"link", ATTR_TEXT, 0, 8, 1000, .check = check_link},
    {"dataset_ids", ATTR_JSON, 0, .check = service_check_ids},
    {"related_ids", ATTR_JSON, 0, .check = service_check_ids},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"submitted_at", ATTR_TIME, AF_READ_ONLY},
    {"approved_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem all_there(struct rest_call *c, struct store_txn *txn,
                              const struct resource *res, const char *where, const json_t *ids)
{
    json_t *id, *row = NULL;
    size_t i;
    enum problem p = PROBLEM_OK;

    json_array_foreach(ids, i, id)
    {
        if (p == PROBLEM_OK) {
            p = row_load(c, txn, res, json_string_value(id), true, &row);
        }
        if (p == PROBLEM_OK && !row) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, where, "there is no %s %s", res->kind,
                          json_string_value(id));
        }
        json_decref(row);
        row = NULL;
    }
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    bool h5 = strcmp(row_text(ch->row, "kind"), "h5") == 0;

    if (ch->old && strcmp(row_text(ch->old, "state"), "withdrawn") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the service is withdrawn");
    }
    if (h5 != (row_text(ch->row, "link")[0] != '\0')) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/link",
                         h5 ? "a page has a link" : "only a page (h5) has a link");
    }
    if (!ch->old && !row_text(ch->row, "organisation_id")[0] && c->user.organisation[0]) {
        json_object_set_new(ch->row, "organisation_id", json_string(c->user.organisation));
    }
    enum problem p = all_there(c, ch->txn, &datasets_resource, "/dataset_ids",
                               json_object_get(ch->row, "dataset_ids"));
    return p == PROBLEM_OK ? all_there(c, ch->txn, &services_resource, "/related_ids",
                                       json_object_get(ch->row, "related_ids"))
                           : p;
}

/* What its users must be told, in their words (SW-8.3.2-01, -02), and what it is filed under. */
static enum problem submit(struct rest_call *c, struct change *ch)
{
    static const char *const needed[] = {"purpose",
                                         "audience",
                                         "usage",
                                         "domain_id",
                                         "response_ms",
                                         "support_hours",
                                         "availability_permille"};
    char missing[200] = "";
    size_t n = 0;

    for (size_t i = 0; i < COUNT(needed); i++) {
        if (json_is_null(json_object_get(ch->row, needed[i])) ||
            !json_object_get(ch->row, needed[i])) {
            n +=
                (size_t)snprintf(missing + n, sizeof missing - n, "%s%s", n ? ", " : "", needed[i]);
        }
    }
    stage_sign(c, ch->row, "submitted");
    return n == 0 ? PROBLEM_OK
                  : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the entry lacks %s", missing);
}

static enum problem evaluated(struct rest_call *c, struct store_txn *txn, const json_t *row,
                              bool *yes)
{
    int64_t n = 0;
    enum problem p = services_count(c, txn,
                                    "SELECT count(*) FROM service_evaluations WHERE service_id = ? "
                                    "AND result = 'passed'",
                                    row_text(row, "id"), &n);

    *yes = n > 0;
    return p;
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    bool on = false, done = false;
    enum problem p = service_setting_on(c, ch->txn, "evaluation-required", &on);

    if (p == PROBLEM_OK && on) {
        p = evaluated(c, ch->txn, ch->row, &done);
    }
    if (p == PROBLEM_OK && on && !done) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "no evaluation says that it passed: POST /service_evaluations");
    }
    if (p == PROBLEM_OK && strcmp(row_text(ch->row, "submitted_by"), c->user.login) == 0) {
        p = rest_fail(c, PROBLEM_SELF_APPROVAL, "", "you submitted it yourself");
    }
    stage_sign(c, ch->row, "approved");
    return p;
}

static enum problem withdraw(struct rest_call *c, struct change *ch)
{
    int64_t n = 0;
    enum problem p = services_count(c, ch->txn,
                                    "SELECT count(*) FROM apis WHERE service_id = ? AND state NOT "
                                    "IN ('draft', 'offline', 'archived')",
                                    row_text(ch->row, "id"), &n);

    return p == PROBLEM_OK && n > 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "%d of its APIs are not offline", (int)n)
               : p;
}

static const struct transition transitions[] = {
    {"registered|returned", "submit", "submitted", STAFF_OR_PROVIDER, .hook = submit},
    {"submitted", "approve", "listed", ROLE_STAFF, .body_text = "comment", .body_optional = true,
     .hook = approve},
    {"submitted", "return", "returned", ROLE_STAFF, .body_text = "comment"},
    {"listed", "suspend", "suspended", ROLE_STAFF, .body_text = "comment"},
    {"suspended", "resume", "listed", ROLE_STAFF, .body_text = "comment", .body_optional = true},
    {"registered|submitted|returned|listed|suspended", "withdraw", "withdrawn", STAFF_OR_PROVIDER,
     .hook = withdraw},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.state = 'listed' OR t.organisation_id = ?",
     "t.organisation_id = ?"},
    {ROLE_DEVELOPER | ROLE_OWNER, BIND_ORGANISATION, "t.state = 'listed'", "1 = 0"},
};

const struct resource services_resource = {
    .plural = "services",
    .kind = "service",
    .initial = "registered",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = STAFF_OR_PROVIDER,
    .patch_roles = STAFF_OR_PROVIDER,
    .check = check,
};

/* Evaluations ------------------------------------------------------------------------------------
 */
static const char *const results[] = {"passed", "failed", NULL};
static const struct attr evaluation_attrs[] = {
    {"service_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "services"},
    {"need", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"acceptance", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"business_value", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"risk", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"level", ATTR_INT, AF_REQUIRED | AF_IMMUTABLE, 1, 3},
    {"result", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = results},
    {"evaluated_by", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check_evaluation(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "evaluated_by", json_string(c->user.login));
    return PROBLEM_OK;
}

static const struct scope evaluation_scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.service_id IN (SELECT id FROM services WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource service_evaluations_resource = {
    .plural = "service_evaluations",
    .kind = "service-evaluation",
    .initial = "kept",
    .attrs = evaluation_attrs,
    .n_attrs = COUNT(evaluation_attrs),
    .scopes = evaluation_scopes,
    .n_scopes = COUNT(evaluation_scopes),
    .read_roles = ROLE_STAFF | ROLE_PROVIDER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .check = check_evaluation,
};
