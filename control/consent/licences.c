/* SPDX-License-Identifier: Apache-2.0 */
/* Licences (CI-6.2.3): the agreement by which an enterprise lets one app see its data, uploaded by
 * the app's company as a document, reviewed by staff. An approved licence is a grant of the same
 * id, so the id the upload returned is what a call names, and the gateway has one rule for both. */
#include "api/api.h"
#include "base/clock.h"
#include "consent/consent.h"
#include "documents/documents.h"

static const struct attr attrs[] = {
    {"document_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE, .ref = "documents"},
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"owner", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 128},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"not_before", ATTR_TIME, 0},
    {"expires_at", ATTR_TIME, AF_REQUIRED},
    {"fields", ATTR_JSON, 0, .check = api_check_paths},
    {"document_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"submitted_by", ATTR_TEXT, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_by", ATTR_TEXT, AF_READ_ONLY},
    {"reviewed_at", ATTR_TIME, AF_READ_ONLY},
    {"revocation_reason", ATTR_TEXT, AF_READ_ONLY},
    {"revoked_by", ATTR_TEXT, AF_READ_ONLY},
};

static bool is(const json_t *row, const char *state)
{
    return strcmp(row_text(row, "state"), state) == 0;
}

/* Which bytes were reviewed stays known whatever becomes of the document. */
static enum problem take_digest(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    json_t *document = NULL;
    enum problem p =
        api_load(c, txn, resource_by_plural("documents"), row_text(row, "document_id"), &document);

    if (p == PROBLEM_OK && strcmp(row_text(document, "state"), "stored") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/document_id", "the document is %s",
                      row_text(document, "state"));
    }
    if (p == PROBLEM_OK) {
        json_object_set(row, "document_sm3", json_object_get(document, "content_sm3"));
    }
    json_decref(document);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    enum problem p = api_check_validity(c, ch->row);

    if (p == PROBLEM_OK && ch->old && !is(ch->old, "submitted") && !is(ch->old, "returned")) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                      "the licence is %s; what was reviewed is not changed, submit another",
                      row_text(ch->old, "state"));
    }
    if (p == PROBLEM_OK && api_ms(ch->row, "expires_at") <= c->now_ms) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it lies in the past");
    }
    if (p == PROBLEM_OK && !ch->old) {
        json_object_set_new(ch->row, "submitted_by", json_string(c->user.login));
        p = take_digest(c, ch->txn, ch->row);
    }
    return p == PROBLEM_OK ? api_check_named_fields(c, ch->txn, ch->row) : p;
}

static void note_review(struct rest_call *c, json_t *row)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, "reviewed_by", json_string(c->user.login));
    json_object_set_new(row, "reviewed_at", json_string(now));
}

static json_t *statement_of(const json_t *row)
{
    return json_sprintf("licence-1\ndocument: %s\nSM3: %s\nenterprise: %s\nsubmitted by: %s\n"
                        "reviewed by: %s at %s\n",
                        row_text(row, "document_id"), row_text(row, "document_sm3"),
                        row_text(row, "owner"), row_text(row, "submitted_by"),
                        row_text(row, "reviewed_by"), row_text(row, "reviewed_at"));
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    static const char *const copied[] = {"id",      "app_id",     "api_id",     "owner",
                                         "purpose", "not_before", "expires_at", "fields"};

    if (strcmp(row_text(ch->row, "submitted_by"), c->user.login) == 0) {
        return PROBLEM_SELF_APPROVAL;
    }
    enum problem p = take_digest(c, ch->txn, ch->row); /* what was reviewed is still there */
    if (p != PROBLEM_OK) {
        return p;
    }
    note_review(c, ch->row);
    json_t *grant =
        json_pack("{s:s, s:s, s:s}", "term", "agreement", "act", "paper", "channel", "licence");
    for (size_t i = 0; i < COUNT(copied); i++) {
        json_object_set(grant, copied[i], json_object_get(ch->row, copied[i]));
    }
    json_object_set_new(grant, "statement", statement_of(ch->row));
    p = api_ms(ch->row, "expires_at") <= c->now_ms
            ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/expires_at", "it is over")
            : grants_make(c, ch->txn, grant);
    json_decref(grant);
    return p;
}

static enum problem reviewed(struct rest_call *c, struct change *ch)
{
    note_review(c, ch->row);
    return PROBLEM_OK;
}

/* Its grant ends in the same transaction; that the licence follows its grant changes nothing then,
 * for it is stored as revoked before. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    json_t *grant = NULL;

    if (!ch->old || strcmp(ch->action, "revoke") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = api_load(c, ch->txn, &grants_resource, row_text(ch->row, "id"), &grant);
    if (p == PROBLEM_OK) {
        p = grants_end(c, ch->txn, grant, row_text(ch->row, "revocation_reason"));
    }
    json_decref(grant);
    return p;
}

static enum problem note_revoker(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "revoked_by", json_string(c->user.login));
    return PROBLEM_OK;
}

enum problem licences_follow(struct rest_call *c, struct store_txn *txn, const json_t *grant)
{
    json_t *old = NULL, *row = NULL;

    if (strcmp(row_text(grant, "channel"), "licence") != 0) {
        return PROBLEM_OK;
    }
    enum problem p = row_load(c, txn, &licences_resource, row_text(grant, "id"), false, &old);
    if (p == PROBLEM_OK && old && is(old, "approved")) {
        row = json_deep_copy(old);
        json_object_set_new(row, "state", json_string("revoked"));
        json_object_set(row, "revocation_reason", json_object_get(grant, "revocation_reason"));
        json_object_set_new(row, "revoked_by", json_string(c->user.login));
        p = change_store(c, txn, &licences_resource, old, row, "follow");
    }
    json_decref(old);
    json_decref(row);
    return p;
}

#define CALLER (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"submitted", "approve", "approved", ROLE_STAFF, .hook = approve},
    {"submitted", "return", "returned", ROLE_STAFF, .body_text = "comment", .hook = reviewed},
    {"submitted", "refuse", "refused", ROLE_STAFF, .body_text = "comment", .hook = reviewed},
    {"returned", "submit", "submitted", CALLER},
    {"submitted|returned", "withdraw", "withdrawn", CALLER},
    {"approved", "revoke", "revoked", CALLER | ROLE_OWNER, .body_text = "revocation_reason",
     .body_optional = true, .hook = note_revoker},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_SUBJECT, "t.owner = ?", "t.owner = ?"},
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

const struct resource licences_resource = {
    .plural = "licences",
    .kind = "licence",
    .initial = "submitted",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = CALLER,
    .patch_roles = CALLER,
    .check = check,
    .after = after,
};

/* CI-6.2.3c1: the file is the body, all else the query; one answer has the licence's id. */
static enum problem make(struct rest_call *c, struct store_txn *txn, json_t *document, json_t *row)
{
    enum problem p = document_keep(c, txn, document);

    if (p == PROBLEM_OK) {
        json_object_set(c->body, "document_id", json_object_get(document, "id"));
        p = resource_make(c, txn, &licences_resource, row);
    }
    return p;
}

enum problem rest_licence_upload(struct rest_call *c)
{
    static const char *const known[] = {"name",    "app_id",     "api_id",    "owner",
                                        "purpose", "not_before", "expires_at"};
    struct store_txn *txn = NULL;
    json_t *document = NULL, *row = json_object();
    enum problem p = rest_query_known(c, known, COUNT(known),
                                      "name, app_id, api_id, owner, purpose, not_before and "
                                      "expires_at are understood");

    c->body = json_object();
    for (size_t i = 1; i < COUNT(known); i++) {
        if (rest_query(c, known[i])) {
            json_object_set_new(c->body, known[i], json_string(rest_query(c, known[i])));
        }
    }
    p = p == PROBLEM_OK ? document_take(c, rest_query(c, "name"), "licence", &document) : p;
    p = p == PROBLEM_OK ? rest_begin(c, STORE_WRITE, &txn) : p;
    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, make(c, txn, document, row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &licences_resource, row, 201);
    }
    json_decref(document);
    json_decref(row);
    return p;
}
