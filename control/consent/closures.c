/* SPDX-License-Identifier: Apache-2.0 */
/* Closing API services (BK-9.3.2b): by the user in the portal, at once; or by a clerk over the
 * counter, who enters what the user signed and then handles it. While one is in force the owner's
 * grants to that app, or to all, are over, their tokens too, and no new one is made. */
#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "consent/consent.h"
#include "oauth/oauth.h"

static const char *const acts[] = {"statement", "paper", "click", NULL};
static const char *const channels[] = {"api", "page", "counter", NULL};

static const struct attr attrs[] = {
    {"owner", ATTR_TEXT, AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 128},
    {"app_id", ATTR_REF, AF_IMMUTABLE | AF_FILTER | AF_REF_ANY, .ref = "apps"},
    {"reason", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"act", ATTR_TEXT, AF_IMMUTABLE, 1, 20, .values = acts, .fallback = "\"statement\""},
    {"channel", ATTR_TEXT, AF_READ_ONLY, .values = channels, .fallback = "\"api\""},
    {"statement", ATTR_TEXT, AF_IMMUTABLE | AF_LINES, 1, REST_TEXT_MAX},
    {"statement_sm3", ATTR_TEXT, AF_READ_ONLY},
    {"requested_by", ATTR_TEXT, AF_READ_ONLY},
    {"handled_by", ATTR_TEXT, AF_READ_ONLY},
    {"handled_at", ATTR_TIME, AF_READ_ONLY},
    {"grants_ended", ATTR_INT, AF_READ_ONLY, 0, INT32_MAX},
    {"reopen_statement", ATTR_TEXT, AF_READ_ONLY},
    {"reopened_by", ATTR_TEXT, AF_READ_ONLY},
    {"reopened_at", ATTR_TIME, AF_READ_ONLY},
};

enum problem closures_refuse(struct rest_call *c, struct store_txn *txn, const char *owner,
                             const char *app_id)
{
    static const char sql[] = "SELECT 1 FROM closures WHERE owner = ? AND state = 'closed' AND "
                              "(app_id IS NULL OR app_id = ?) LIMIT 1";
    const struct store_value v[] = {store_text(owner), store_text(app_id)};
    struct store_rows *rows = NULL;
    enum store_err err = store_query(txn, sql, v, 2, &rows);
    bool closed = err == STORE_OK && store_next(rows);
    enum problem p = rest_store_problem(c, err == STORE_OK ? store_rows_end(&rows) : err);

    return p == PROBLEM_OK && closed ? PROBLEM_SERVICES_CLOSED : p;
}

static void set_now(const struct rest_call *c, json_t *row, const char *who, const char *when)
{
    char now[CLOCK_RFC3339_LEN + 1];

    clock_format_ms(c->now_ms, now);
    json_object_set_new(row, who, json_string(c->user.login));
    json_object_set_new(row, when, json_string(now));
}

static void digest_statement(json_t *row)
{
    const char *said = row_text(row, "statement");
    uint8_t digest[CRYPTO_HASH_LEN];
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];

    if (said[0]) {
        crypto_hash(CRYPTO_SM3, said, strlen(said), digest);
        json_object_set_new(row, "statement_sm3",
                            json_stringn(hex, codec_hex(hex, digest, sizeof digest)));
    }
}

/* Closing -----------------------------------------------------------------------------------------
 */
struct ending {
    const char *app_id; /* "": every one */
    int64_t ended;
};

static enum problem end_grant(struct rest_call *c, struct change *ch)
{
    struct ending *e = ch->arg;

    if (strcmp(row_text(ch->row, "state"), "active") != 0 ||
        (e->app_id[0] && strcmp(row_text(ch->row, "app_id"), e->app_id) != 0)) {
        return PROBLEM_OK;
    }
    e->ended++;
    return grants_end(c, ch->txn, ch->row, "the user closed the API services");
}

static enum problem end_tokens(struct rest_call *c, struct change *ch)
{
    const struct ending *e = ch->arg;
    const struct oauth_revocation r = {.app_id = e->app_id[0] ? e->app_id : NULL,
                                       .user_id = row_text(ch->row, "id")};

    return oauth_revoke(c, ch->txn, &r);
}

/* Sets the row's state and does what it says; the row is stored by who calls. */
static enum problem close_now(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    struct ending e = {.app_id = row_text(row, "app_id")};
    const char *owner = row_text(row, "owner");
    enum problem p = row_each(c, txn, &grants_resource, "owner", owner, end_grant, &e);

    if (p == PROBLEM_OK) {
        p = row_each(c, txn, &users_resource, "subject", owner, end_tokens, &e);
    }
    json_object_set_new(row, "state", json_string("closed"));
    json_object_set_new(row, "grants_ended", json_integer(e.ended));
    set_now(c, row, "handled_by", "handled_at");
    return p;
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
        return consent_by_clerk(c);
    }
    return PROBLEM_OK;
}

/* The owner's own wish needs nobody's hand. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "requested_by", json_string(c->user.login));
    digest_statement(ch->row);
    return c->user.role == ROLE_OWNER ? close_now(c, ch->txn, ch->row) : PROBLEM_OK;
}

static enum problem handle(struct rest_call *c, struct change *ch)
{
    return close_now(c, ch->txn, ch->row);
}

static enum problem reopen(struct rest_call *c, struct change *ch)
{
    if ((c->user.role & ROLE_STAFF) && !row_text(ch->row, "reopen_statement")[0]) {
        return rest_fail(c, PROBLEM_CONSENT_INCOMPLETE, "/reopen_statement",
                         "the words the person signed or said are needed");
    }
    set_now(c, ch->row, "reopened_by", "reopened_at");
    return PROBLEM_OK;
}

/* For the pages -----------------------------------------------------------------------------------
 */
enum problem closures_close(struct rest_call *c, struct store_txn *txn, const char *app_id,
                            const char *statement)
{
    json_t *row = resource_row(&closures_resource);
    json_t *said = json_pack("{s:s, s:s?, s:s, s:s, s:s}", "owner", c->user.subject, "app_id",
                             app_id, "act", "click", "channel", "page", "statement", statement);
    json_object_update(row, said);
    json_decref(said);
    json_t *app = NULL;
    struct change ch = {.res = &closures_resource, .txn = txn, .row = row};
    enum problem p = app_id ? api_load(c, txn, &apps_resource, app_id, &app) : PROBLEM_OK;
    json_decref(app);
    if (p == PROBLEM_OK) {
        p = check(c, &ch);
    }
    if (p == PROBLEM_OK) {
        p = change_store(c, txn, &closures_resource, NULL, row, "create");
    }
    json_decref(row);
    return p;
}

enum problem closures_reopen(struct rest_call *c, struct store_txn *txn, const char *id)
{
    json_t *old = NULL, *row = NULL;
    struct uuid u;
    enum problem p = id && uuid_parse(&u, id, strlen(id))
                         ? row_load(c, txn, &closures_resource, id, true, &old)
                         : PROBLEM_NOT_FOUND;

    if (p == PROBLEM_OK && (!old || strcmp(row_text(old, "owner"), c->user.subject) != 0)) {
        p = PROBLEM_NOT_FOUND;
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "closed") == 0) {
        row = json_deep_copy(old);
        json_object_set_new(row, "state", json_string("reopened"));
        set_now(c, row, "reopened_by", "reopened_at");
        p = change_store(c, txn, &closures_resource, old, row, "reopen");
    }
    json_decref(old);
    json_decref(row);
    return p;
}

#define ASKER (ROLE_STAFF | ROLE_OWNER)
static const struct transition transitions[] = {
    {"requested", "handle", "closed", ROLE_STAFF, .hook = handle},
    {"requested", "cancel", "cancelled", ROLE_STAFF},
    {"closed", "reopen", "reopened", ASKER, .body_text = "reopen_statement", .body_optional = true,
     .hook = reopen},
};

static const struct scope scopes[] = {
    {ROLE_OWNER, BIND_SUBJECT, "t.owner = ?", "t.owner = ?"},
};

const struct resource closures_resource = {
    .plural = "closures",
    .kind = "closure",
    .initial = "requested",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = ASKER | ROLE_AUDITOR,
    .create_roles = ASKER,
    .prepare = prepare,
    .check = check,
};
