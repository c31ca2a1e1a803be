/* SPDX-License-Identifier: Apache-2.0 */
/* The consent of whoever the data is about: who, which app, which API, what for, how long
 * (EC-4.2.2b, BK-9.3.2a2). */
#include "admission/terms.h"
#include "api/api.h"
#include "base/codec.h"
#include "consent/consent.h"
#include "exit/exit.h"
#include "identity/identity.h"
#include "policy/policy.h"

#define ONCE_LIFE_MAX_MS (24ull * 3600 * 1000)

static const char *const terms[] = {"once", "period", "agreement", NULL};

static const char *const acts[] = {"statement", "paper", "tick", "click", NULL};
static const char *const channels[] = {"api", "page", "counter", "licence", "request", NULL};

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"owner", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 128},
    {"purpose", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"term", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 20, .values = terms},
    {"not_before", ATTR_TIME, AF_SORT},
    {"expires_at", ATTR_TIME, AF_REQUIRED | AF_SORT},
    {"fields", ATTR_JSON, 0, .check = api_check_paths},
    {"act", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER, 1, 20, .values = acts,
     .fallback = "\"statement\""},
    {"channel", ATTR_TEXT, AF_READ_ONLY | AF_FILTER, .values = channels, .fallback = "\"api\""},
    {"statement", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 0, REST_TEXT_MAX},
    {"statement_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"given_by", ATTR_TEXT, AF_READ_ONLY},
    {"revocation_reason", ATTR_TEXT, AF_READ_ONLY},
    {"revoked_by", ATTR_TEXT, AF_READ_ONLY},
    {"last_used_at", ATTR_TIME, AF_READ_ONLY},
    {"audience_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER, .ref = "audiences"},
    ROW_FILTER_ATTRS,
};

/* Who gave it, and the digest of what they were shown or said, so that it can be held against them
 * or us. */
void grants_witness(struct rest_call *c, json_t *row)
{
    const char *said = row_text(row, "statement");
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];

    json_object_set_new(row, "given_by", json_string(c->user.login));
    if (said[0]) {
        crypto_hash(CRYPTO_SM3, said, strlen(said), digest);
        json_object_set_new(row, "statement_sm3",
                            json_stringn(hex, codec_hex(hex, digest, sizeof digest)));
    }
}

static enum problem note_revoker(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "revoked_by", json_string(c->user.login));
    return PROBLEM_OK;
}

/* What a clerk enters for somebody rests on what that person signed or said, so it says which and
 * in what words (BK-3.12a, BK-3.12b, BK-9.3.2b). */
enum problem consent_by_clerk(struct rest_call *c)
{
    const char *act = json_string_value(json_object_get(c->body, "act")),
               *said = json_string_value(json_object_get(c->body, "statement"));

    if (!act || (strcmp(act, "paper") != 0 && strcmp(act, "statement") != 0)) {
        return rest_fail(c, PROBLEM_CONSENT_INCOMPLETE, "/act",
                         "paper or statement: how did the person give it?");
    }
    return said && said[0] ? PROBLEM_OK
                           : rest_fail(c, PROBLEM_CONSENT_INCOMPLETE, "/statement",
                                       "the words the person signed or said are needed");
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    if (c->user.role == ROLE_OWNER) {
        json_object_set_new(ch->row, "owner", json_string(c->user.subject));
    }
    if (!row_text(ch->row, "owner")[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/owner", "this attribute is required");
    }
    if (c->user.role & ROLE_STAFF) {
        json_object_set_new(ch->row, "channel", json_string("counter"));
        enum problem p = consent_by_clerk(c);
        if (p != PROBLEM_OK) {
            return p;
        }
    }
    grants_witness(c, ch->row);
    if (api_ms(ch->row, "expires_at") <= c->now_ms) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at", "it lies in the past");
    }
    return row_filter_prepare(c, ch);
}

/* The gateways remember for a day that a grant was spent (libs/replay): one that lives longer, or
 * longer than it did when it was spent, would pass again (BK-9.3.2a3). */
static enum problem check_single_use(struct rest_call *c, const struct change *ch)
{
    uint64_t expires_ms = api_ms(ch->row, "expires_at");

    if (strcmp(row_text(ch->row, "term"), "once") != 0) {
        return PROBLEM_OK;
    }
    if (ch->old && expires_ms > api_ms(ch->old, "expires_at")) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at",
                         "a grant of a single use is not extended; make another");
    }
    if (!ch->old && expires_ms > c->now_ms + ONCE_LIFE_MAX_MS) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/expires_at",
                         "a grant of a single use lives 24 hours at most");
    }
    return PROBLEM_OK;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL;
    enum problem p = api_check_validity(c, ch->row);

    if (p == PROBLEM_OK) {
        p = check_single_use(c, ch);
    }
    if (p == PROBLEM_OK && ch->old && strcmp(row_text(ch->row, "state"), "active") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the grant is %s", row_text(ch->row, "state"));
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = audiences_check(c, ch->txn, ch->row);
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = closures_refuse(c, ch->txn, row_text(ch->row, "owner"), row_text(ch->row, "app_id"));
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);
    }
    if (p == PROBLEM_OK && app && !api_app_calls(app)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/app_id", "the app is not admitted");
    }
    if (p == PROBLEM_OK && !ch->old) {
        p = exit_refuse_new(c, ch->txn, row_text(ch->row, "app_id"));
    }
    if (p == PROBLEM_OK && app) {
        p = admission_grant_allowed(c, ch->txn, ch->row);
    }
    json_decref(app);
    return p == PROBLEM_OK ? api_check_named_fields(c, ch->txn, ch->row) : p;
}

enum problem grants_make(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    resource_fill(&grants_resource, row);
    grants_witness(c, row);
    struct change ch = {.res = &grants_resource, .txn = txn, .row = row};
    enum problem p = check(c, &ch);
    return p == PROBLEM_OK ? change_store(c, txn, &grants_resource, NULL, row, "create") : p;
}

enum problem grants_end(struct rest_call *c, struct store_txn *txn, const json_t *old,
                        const char *reason)
{
    json_t *row = NULL;

    if (strcmp(row_text(old, "state"), "active") != 0) {
        return PROBLEM_OK;
    }
    row = json_deep_copy(old);
    json_object_set_new(row, "state", json_string("revoked"));
    json_object_set_new(row, "revoked_by", json_string(c->user.login));
    json_object_set_new(row, "revocation_reason", reason ? json_string(reason) : json_null());
    enum problem p = change_store(c, txn, &grants_resource, old, row, "revoke");
    json_decref(row);
    return p;
}

/* BK-9.3.1b: of an API that has its users' data checked, what nodes compare with
 * (crypto/verifier.h). */
static enum problem add_claims(struct rest_call *c, struct store_txn *txn, const json_t *row,
                               json_t *data)
{
    const struct store_value v = store_text(row_text(row, "api_id"));
    struct store_rows *rows = NULL;
    json_t *checks = NULL, *claims = NULL;
    enum store_err err = store_query(
        txn, "SELECT user_checks FROM apis WHERE id = ? AND user_checks IS NOT NULL", &v, 1, &rows);

    if (err == STORE_OK && store_next(rows)) {
        const char *text = store_get_text(rows, 0);
        checks = text ? json_loads(text, 0, NULL) : NULL;
    }
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);
    if (p == PROBLEM_OK && json_object_size(checks) > 0) {
        p = identity_claims(c, txn, row_text(row, "owner"), checks, &claims);
        json_object_set_new(data, "claims", claims);
    }
    json_decref(checks);
    return p;
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    bool overdue = false;
    json_t *members = NULL;
    enum problem p = identity_overdue(c, txn, row_text(row, "owner"), &overdue);

    if (p == PROBLEM_OK) {
        p = audiences_members(c, txn, row, &members);
    }
    if (p != PROBLEM_OK) {
        return p;
    }
    *data = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:O}", "app_id", row_text(row, "app_id"),
                      "api_id", row_text(row, "api_id"), "owner", row_text(row, "owner"), "state",
                      overdue ? "revoked" : row_text(row, "state"), "term", row_text(row, "term"),
                      "not_before", api_feed_ms(row, "not_before"), "expires_at",
                      api_feed_ms(row, "expires_at"), "fields", json_object_get(row, "fields"));
    if (*data) {
        json_object_set_new(*data, "purposes", api_purposes(row_text(row, "purpose")));
    }
    if (members) {
        json_object_set_new(*data, "audience", members);
    }
    row_filter_feed(row, *data);
    return *data ? add_claims(c, txn, row, *data) : PROBLEM_INTERNAL;
}

/* The licence a grant follows from ends with it. */
static enum problem after(struct rest_call *c, struct change *ch)
{
    return ch->old && strcmp(ch->action, "revoke") == 0 ? licences_follow(c, ch->txn, ch->row)
                                                        : PROBLEM_OK;
}

#define GIVER (ROLE_STAFF | ROLE_OWNER)
static const struct transition transitions[] = {
    {"active", "revoke", "revoked", GIVER, .body_text = "revocation_reason", .body_optional = true,
     .hook = note_revoker},
};

static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_SUBJECT, "t.owner = ?", "t.owner = ?"},
    {ROLE_DEVELOPER, BIND_ORGANISATION,
     "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)", "1 = 0"},
    {ROLE_PROVIDER, BIND_ORGANISATION,
     "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)", "1 = 0"},
};

/* Only its owner changes a grant; an operator may end one, never widen it. */
const struct resource grants_resource = {
    .plural = "grants",
    .kind = "grant",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ROLE_ALL,
    .create_roles = GIVER,
    .patch_roles = ROLE_OWNER,
    .prepare = prepare,
    .amend = row_filter_prepare,
    .check = check,
    .after = after,
    .feed = feed,
    .feed_kind = "grant",
};
