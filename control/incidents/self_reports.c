/* SPDX-License-Identifier: Apache-2.0 */
/* What a third party reports of itself, by kind, each with the parts it must speak of. */
#include <stdio.h>

#include "api/api.h"
#include "incidents/incidents.h"
#include "notices/notices.h"

#define PARTS_MAX 8

/* A part is a text, or an object of text and document_id; with `proven` the document must be there.
 */
static const struct form {
    const char *kind;
    bool proven;
    const char *parts[PARTS_MAX];
} forms[] = {
    {"data-life-cycle", false, {"generation", "storage", "use", "sharing", "destruction"}},
    {"leak-prevention", false, {"access", "staff", "export", "monitoring", "response"}},
    {"vulnerability-management", false, {"mechanism", "contact"}},
    {"vulnerability-scan", true, {"result"}},
    {"emergency", false, {"organisation", "contacts", "procedure", "drill"}},
    {"software-life-cycle",
     true,
     {"requirements", "design", "code_audit", "security_test", "release_review"}},
    {"backup", false, {"backup", "recovery"}},
};
const char *const self_report_kinds[] = {"data-life-cycle",
                                         "leak-prevention",
                                         "vulnerability-management",
                                         "vulnerability-scan",
                                         "emergency",
                                         "software-life-cycle",
                                         "backup",
                                         NULL};
_Static_assert(COUNT(self_report_kinds) == COUNT(forms) + 1, "each word is a form");

static const struct attr attrs[] = {
    {"organisation_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "organisations"},
    {"kind", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 30, .values = self_report_kinds},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"content", ATTR_JSON, AF_REQUIRED | AF_IMMUTABLE},
    {"document_id", ATTR_REF, AF_IMMUTABLE, .ref = "documents"},
    {"period_from", ATTR_TIME, AF_IMMUTABLE},
    {"period_to", ATTR_TIME, AF_IMMUTABLE | AF_SORT},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"accepted_by", ATTR_TEXT, AF_READ_ONLY},
    {"accepted_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static const struct form *form_of(const json_t *row)
{
    for (size_t i = 0; i < COUNT(forms); i++) {
        if (strcmp(forms[i].kind, row_text(row, "kind")) == 0) {
            return &forms[i];
        }
    }
    return &forms[0];
}

static enum problem check_part(struct rest_call *c, struct store_txn *txn, const struct form *form,
                               const char *name, const json_t *part)
{
    static const char *const members[] = {"text", "document_id", NULL};
    const json_t *said = json_is_object(part) ? json_object_get(part, "text") : part;
    const char *document = row_text(part, "document_id");
    char where[64];

    snprintf(where, sizeof where, "/content/%s", name);
    if (json_is_object(part) && !api_only_members(part, members)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "text and document_id are its members");
    }
    enum problem p = attr_text_check(c, where, said, 1, REST_TEXT_MAX, true);
    if (p == PROBLEM_OK && document[0]) {
        p = stage_document(c, txn, where, document);
    }
    return p == PROBLEM_OK && form->proven && !document[0]
               ? rest_fail(c, PROBLEM_FIELD_INVALID, where,
                           "a document_id that proves it is needed")
               : p;
}

static enum problem check_content(struct rest_call *c, struct store_txn *txn, const json_t *row)
{
    const struct form *form = form_of(row);
    const json_t *content = json_object_get(row, "content");
    enum problem p = PROBLEM_OK;
    char where[64];
    size_t n = 0;

    for (; n < PARTS_MAX && form->parts[n] && p == PROBLEM_OK; n++) {
        const json_t *part = json_object_get(content, form->parts[n]);
        snprintf(where, sizeof where, "/content/%s", form->parts[n]);
        p = part ? check_part(c, txn, form, form->parts[n], part)
                 : rest_fail(c, PROBLEM_FIELD_INVALID, where, "a report of kind %s speaks of it",
                             form->kind);
    }
    return p == PROBLEM_OK && json_object_size(content) != n
               ? rest_fail(c, PROBLEM_FIELD_INVALID, "/content",
                           "a report of kind %s has no other parts", form->kind)
               : p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *organisation = row_text(ch->row, "organisation_id");
    uint64_t from = api_ms(ch->row, "period_from"), to = api_ms(ch->row, "period_to");
    json_t *app = NULL;
    enum problem p = PROBLEM_OK;

    if (!(c->user.role & ROLE_STAFF) && strcmp(organisation, c->user.organisation) != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/organisation_id", "report of your own");
    }
    if (from && to && from >= to) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/period_to", "it ends before it begins");
    }
    if (row_text(ch->row, "app_id")[0]) {
        p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
        if (p == PROBLEM_OK && strcmp(row_text(app, "organisation_id"), organisation) != 0) {
            p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "it is another organisation's");
        }
        json_decref(app);
    }
    if (p == PROBLEM_OK) {
        p = check_content(c, ch->txn, ch->row);
    }
    json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
    const struct notice n = {.kind = "self-report-submitted",
                             .object_kind = "self-report",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(ch->row, "kind")};
    return p == PROBLEM_OK ? notice_put(c, ch->txn, &n) : p;
}

static enum problem tell(struct rest_call *c, struct change *ch, const char *kind)
{
    const struct notice n = {.kind = kind,
                             .organisation_id = row_text(ch->row, "organisation_id"),
                             .object_kind = "self-report",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(ch->row, "kind"),
                             .detail = row_text(ch->row, "comment")};

    return notice_put(c, ch->txn, &n);
}

static enum problem accept(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "accepted");
    enum problem p = report_duty_met(c, ch->txn, row_text(ch->row, "organisation_id"),
                                     row_text(ch->row, "kind"));

    return p == PROBLEM_OK ? tell(c, ch, "self-report-accepted") : p;
}

static enum problem send_back(struct rest_call *c, struct change *ch)
{
    return tell(c, ch, "self-report-returned");
}

static const struct transition transitions[] = {
    {"submitted", "accept", "accepted", ROLE_STAFF, .hook = accept},
    {"submitted", "return", "returned", ROLE_STAFF, .body_text = "comment", .hook = send_back},
};

static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource self_reports_resource = {
    .plural = "self_reports",
    .kind = "self-report",
    .initial = "submitted",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR | ROLE_DEVELOPER,
    .create_roles = ROLE_STAFF | ROLE_DEVELOPER,
    .check = check,
};
