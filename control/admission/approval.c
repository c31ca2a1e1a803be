/* SPDX-License-Identifier: Apache-2.0 */
/* What the last opinion of an application rests on. */
#include <stdio.h>

#include "admission/forms.h"
#include "admission/inner.h"

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
