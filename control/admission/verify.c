/* SPDX-License-Identifier: Apache-2.0 */
/* Who applies is who they say (BK-9.1.2a): asked of the source of real-name verification, or looked
 * at in person; either way with who did it, when and what came out. */
#include "admission/forms.h"
#include "admission/inner.h"
#include "identity/identity.h"

/* PROBLEM_IDENTITY_MISMATCH is an outcome here, not a failure. */
static enum problem ask(struct rest_call *c, const struct identity_claim *claim, bool *match)
{
    enum problem p = realname_check(c, claim);

    *match = p == PROBLEM_OK;
    return p == PROBLEM_IDENTITY_MISMATCH ? PROBLEM_OK : p;
}

static enum problem ask_person(struct rest_call *c, const json_t *row, const json_t *person,
                               const char *pointer, bool *match)
{
    char number[FORM_NUMBER_ROOM];
    const struct identity_claim claim = {"person", row_text(person, "name"), number};

    if (!forms_unseal(c, row, pointer, number)) {
        *match = false;
        return PROBLEM_OK;
    }
    enum problem p = ask(c, &claim, match);
    crypto_wipe(number, sizeof number);
    return p;
}

/* The organisation by its code and, where the form names one, its legal person by theirs. */
static enum problem ask_source(struct rest_call *c, const json_t *row, const json_t *organisation,
                               bool *match)
{
    const json_t *content = json_object_get(row, "content"),
                 *person = json_object_get(content, "legal_person");
    const struct identity_claim claim = {"organisation", row_text(organisation, "name"),
                                         row_text(content, "uscc")};
    const char *known = row_text(organisation, "uscc");
    bool person_match = true;
    enum problem p = ask(c, &claim, match);

    if (p == PROBLEM_OK && known[0] && strcmp(known, claim.id_number) != 0) {
        *match = false; /* the code of the form is not the one on record */
    }
    if (p == PROBLEM_OK && person) {
        p = ask_person(c, row, person, "/legal_person", &person_match);
    }
    *match = *match && person_match;
    return p;
}

static enum problem read_parts(struct rest_call *c, json_t **row, json_t **organisation)
{
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = admission_load_path(c, txn, &applications_resource, row);
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &organisations_resource, row_text(*row, "organisation_id"),
                     organisation);
    }
    store_rollback(&txn);
    return p;
}

static enum problem note(struct rest_call *c, const char *how, bool match, json_t **row)
{
    struct store_txn *txn = NULL;
    const char *comment = row_text(c->body, "comment");
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    json_decref(*row);
    *row = NULL;
    if (p != PROBLEM_OK) {
        return p;
    }
    p = admission_load_path(c, txn, &applications_resource, row);
    if (p == PROBLEM_OK && !admission_state_is(*row, "submitted") &&
        !admission_state_is(*row, "in_review")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the application is %s",
                      row_text(*row, "state"));
    }
    if (p == PROBLEM_OK) {
        json_object_set_new(*row, "identity_check",
                            json_pack("{s:s, s:s, s:o, s:s, s:s}", "how", how, "by", c->user.login,
                                      "at", admission_time(c->now_ms), "result",
                                      match ? "pass" : "fail", "comment", comment));
        p = admission_move(c, txn, &applications_resource, *row, row_text(*row, "state"),
                           "verify-identity");
    }
    return rest_finish(c, &txn, p);
}

static enum problem read_body(struct rest_call *c, const char **how, bool *match)
{
    static const char *const members[] = {"how", "result", "comment", NULL};
    enum problem p = rest_body_members(c, members);

    *how = p == PROBLEM_OK ? rest_body_text(c, "how", 10, &p) : NULL;
    if (p != PROBLEM_OK) {
        return p;
    }
    bool offline = strcmp(*how, "offline") == 0;
    const char *result = row_text(c->body, "result");
    if (!offline && strcmp(*how, "online") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/how", "online or offline is needed");
    }
    *match = strcmp(result, "pass") == 0;
    if (offline && !*match && strcmp(result, "fail") != 0) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/result", "pass or fail is needed");
    }
    if (!offline && result[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/result", "online the source says it");
    }
    const json_t *comment = json_object_get(c->body, "comment");
    return comment || offline ? attr_text_check(c, "/comment", comment, 1, 1000, true) : PROBLEM_OK;
}

enum problem rest_application_verify(struct rest_call *c)
{
    json_t *row = NULL, *organisation = NULL;
    const char *how = NULL;
    bool match = false;
    enum problem p = read_body(c, &how, &match);

    if (p == PROBLEM_OK) {
        p = read_parts(c, &row, &organisation);
    }
    if (p == PROBLEM_OK && strcmp(row_text(row, "submitted_by"), c->user.login) == 0) {
        p = PROBLEM_SELF_APPROVAL;
    }
    if (p == PROBLEM_OK && strcmp(how, "online") == 0) {
        p = ask_source(c, row, organisation, &match);
    }
    if (p == PROBLEM_OK) {
        p = note(c, how, match, &row);
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &applications_resource, row, 200);
    }
    json_decref(row);
    json_decref(organisation);
    return p;
}
