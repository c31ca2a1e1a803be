/* SPDX-License-Identifier: Apache-2.0 */
/* What the last opinion of an application rests on, and what follows from it by itself. */
#include <stdio.h>

#include "admission/forms.h"
#include "admission/inner.h"
#include "api/keys.h"
#include "identity/identity.h"

#define PREPARE_DAYS 30

/* Findings of this version's opinions: subject or document → finding, a later one wins. */
static enum problem gather(struct rest_call *c, struct store_txn *txn, const json_t *application,
                           json_t *found)
{
    static const char sql[] = "SELECT findings FROM application_reviews WHERE application_id = ? "
                              "AND version = ? ORDER BY created_at, id";
    const struct store_value v[] = {
        store_text(row_text(application, "id")),
        store_int(json_integer_value(json_object_get(application, "version")))};
    json_t *texts = json_array(), *text;
    size_t i, k;
    enum problem p = admission_texts(c, txn, sql, v, COUNT(v), texts);

    json_array_foreach(texts, i, text)
    {
        json_t *list = json_loads(json_string_value(text), 0, NULL), *finding;
        json_array_foreach(list, k, finding)
        {
            const char *document = row_text(finding, "document_id");
            json_object_set(found, document[0] ? document : row_text(finding, "subject"), finding);
        }
        json_decref(list);
    }
    json_decref(texts);
    return p;
}

static bool failed(const json_t *finding)
{
    static const char *const members[] = {"result", "validity", "completeness", "authenticity"};

    for (size_t i = 0; i < COUNT(members); i++) {
        if (strcmp(row_text(finding, members[i]), "fail") == 0) {
            return true;
        }
    }
    return false;
}

static enum problem judge(struct rest_call *c, const json_t *found, const char *key,
                          const char *what)
{
    const json_t *finding = json_object_get(found, key);

    if (!finding) {
        return rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "/findings", "nobody has judged %s yet",
                         what);
    }
    return failed(finding) ? rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "/findings",
                                       "the finding on %s is negative: return or refuse", what)
                           : PROBLEM_OK;
}

static enum problem check_documents(struct rest_call *c, const json_t *application,
                                    const json_t *found)
{
    enum problem p = PROBLEM_OK;
    json_t *v;
    size_t i;

    json_array_foreach(json_object_get(application, "documents"), i, v)
    {
        uint64_t until_ms = api_ms(v, "valid_until");
        if (p == PROBLEM_OK && until_ms && until_ms <= c->now_ms) {
            p = rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "/documents", "the %s is over",
                          row_text(v, "kind"));
        }
        p = p == PROBLEM_OK ? judge(c, found, row_text(v, "document_id"), row_text(v, "kind")) : p;
    }
    return p;
}

/* An assessment in force, its technical part there when it was demanded, and good enough in what
 * counts most: how users' information is protected (BK-9.1.1d2, BK-9.1.1d3). */
static enum problem check_assessed(struct rest_call *c, struct store_txn *txn,
                                   const json_t *application)
{
    const struct rating *rating = NULL;
    enum problem p = rating_of(c, txn, row_text(application, "organisation_id"), &rating);

    return p == PROBLEM_OK && (!rating || !rating->max_level)
               ? rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "",
                           rating ? "the applicant's rating is too low"
                                  : "the applicant has no assessment that counts: one is missing, "
                                    "over, or waits for its technical report")
               : p;
}

enum problem approval_check(struct rest_call *c, struct store_txn *txn, const json_t *application)
{
    const struct form *form = forms_find(row_text(application, "form_kind"));
    json_t *found = json_object();
    enum problem p = gather(c, txn, application, found);

    for (size_t i = 0; form->judged[i] && p == PROBLEM_OK; i++) {
        p = judge(c, found, form->judged[i], form->judged[i]);
    }
    if (p == PROBLEM_OK) {
        p = check_documents(c, application, found);
    }
    json_decref(found);
    const json_t *identity = json_object_get(application, "identity_check");
    if (p == PROBLEM_OK && (form->flags & FORM_IDENTITY) &&
        strcmp(row_text(identity, "result"), "pass") != 0) {
        p = rest_fail(c, PROBLEM_ADMISSION_INCOMPLETE, "/identity_check",
                      "the applicant's identity is not verified");
    }
    return p == PROBLEM_OK && (form->flags & FORM_ASSESSED) ? check_assessed(c, txn, application)
                                                            : p;
}

/* Effects -------------------------------------------------------------------------------------- */
/* Addresses of an approved plan are the only ones its app calls from (GS-6.1a-1b). */
static enum problem allow_addresses(struct rest_call *c, struct store_txn *txn,
                                    const json_t *application)
{
    enum problem p = PROBLEM_OK;
    json_t *address;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(application, "content"), "addresses"), i,
                       address)
    {
        json_t *row = admission_row(&lists_resource);
        json_object_set_new(row, "list", json_string("allow"));
        json_object_set_new(row, "subject", json_string("address"));
        json_object_set(row, "value", address);
        json_object_set(row, "app_id", json_object_get(application, "app_id"));
        json_object_set_new(
            row, "reason",
            json_sprintf("access plan %s, approved", row_text(application, "number")));
        json_object_set_new(row, "added_by", json_string(c->user.login));
        struct change ch = {.res = &lists_resource, .txn = txn, .row = row};
        p = p == PROBLEM_OK ? lists_resource.check(c, &ch) : p;
        if (p == PROBLEM_OK) {
            p = change_store(c, txn, &lists_resource, NULL, row, "create");
        }
        json_decref(row);
    }
    return p;
}

/* A platform's filing takes over what its application says (CI-6.1.3a). */
static enum problem file_platform(struct rest_call *c, struct store_txn *txn,
                                  const json_t *application)
{
    static const char *const same[] = {"platform_name", "user_number",    "domain",
                                       "server_ip",     "operating_unit", "contact_name",
                                       "contact_phone"};
    static const char sql[] = "SELECT 1 FROM filings WHERE app_id = ? AND state = 'active'";
    const struct store_value v = store_text(row_text(application, "app_id"));
    json_t *row = admission_row(&filings_resource);
    bool there = false;
    enum problem p = admission_exists(c, txn, sql, &v, 1, &there);

    json_object_set(row, "organisation_id", json_object_get(application, "organisation_id"));
    json_object_set(row, "app_id", json_object_get(application, "app_id"));
    json_object_set(row, "application_id", json_object_get(application, "id"));
    json_object_set_new(row, "filed_by", json_string(c->user.login));
    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(row, same[i],
                        json_object_get(json_object_get(application, "content"), same[i]));
    }
    if (p == PROBLEM_OK && !there) {
        p = change_store(c, txn, &filings_resource, NULL, row, "create");
    }
    json_decref(row);
    return p;
}

/* What is to be made ready before the first call (CI-6.1.2c, GS-6.1b). */
static enum problem open_preparation(struct rest_call *c, struct store_txn *txn,
                                     const json_t *application)
{
    static const char *const items[] = {"environment", "connectivity", "security-hardening",
                                        "staff-contact"};
    static const char *const same[] = {"organisation_id", "app_id"};
    json_t *row = admission_row(&preparations_resource), *list = json_array();

    for (size_t i = 0; i < COUNT(items); i++) {
        json_array_append_new(
            list, json_pack("{s:s, s:b, s:s}", "item", items[i], "done", false, "evidence", ""));
    }
    json_object_set_new(row, "items", list);
    json_object_set(row, "application_id", json_object_get(application, "id"));
    for (size_t i = 0; i < COUNT(same); i++) {
        json_object_set(row, same[i], json_object_get(application, same[i]));
    }
    json_object_set_new(row, "due_at", admission_time(c->now_ms + PREPARE_DAYS * DAY_MS));
    enum problem p = change_store(c, txn, &preparations_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

enum problem approval_effects(struct rest_call *c, struct store_txn *txn, const json_t *application)
{
    const char *form = row_text(application, "form_kind");
    enum problem p = PROBLEM_OK;

    if (strcmp(form, "access-plan") == 0) {
        p = allow_addresses(c, txn, application);
    }
    if (p == PROBLEM_OK && strcmp(form, "credit-platform") == 0) {
        p = file_platform(c, txn, application);
    }
    if (p == PROBLEM_OK &&
        (strcmp(form, "access-plan") == 0 || strcmp(form, "credit-platform") == 0)) {
        p = open_preparation(c, txn, application);
    }
    if (p == PROBLEM_OK && row_text(application, "app_id")[0]) {
        p = terms_refeed_app(c, txn, row_text(application, "app_id"));
    }
    return p;
}
