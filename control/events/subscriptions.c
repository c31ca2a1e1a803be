/* SPDX-License-Identifier: Apache-2.0 */
/* How an app is given a topic's events when it does not ask for them itself: pushed to a webhook of
 * its own, or put by until it fetches and acknowledges them. What it may have of each event is
 * decided when it is given, by the app's subscription to the API and the owners' grants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/codec.h"
#include "data_client.h"
#include "events/events.h"
#include "outbound.h"

#define SECRET_LEN    32
#define SECRET_PREFIX "whsec_" /* as Standard Webhooks writes one, before its base64 */
#define TYPES_MAX     50

static const char *const modes[] = {"webhook", "pull", NULL};
static const char *const starts[] = {"new", "all", NULL};

static enum problem check_types(struct rest_call *c, const char *where, const json_t *v)
{
    if (!json_is_array(v)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, where, "an array of types is needed");
    }
    return json_array_size(v) ? api_check_words(c, where, v, NULL, TYPES_MAX) : PROBLEM_OK;
}

static const struct attr attrs[] = {
    {"app_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apps"},
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER | AF_SORT, 1, 64},
    {"mode", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 10, .values = modes},
    {"url", ATTR_TEXT, 0, 8, 1000},
    {"types", ATTR_JSON, 0, .check = check_types, .fallback = "[]"},
    {"start", ATTR_TEXT, AF_IMMUTABLE, 1, 5, .values = starts, .fallback = "\"new\""},
    {"batch", ATTR_INT, 0, 1, 100, .fallback = "1"},
    {"attempts", ATTR_INT, 0, 1, 50, .fallback = "10"},
    {"backoff_ms", ATTR_INT, 0, 10, 3600000, .fallback = "1000"},
    {"timeout_ms", ATTR_INT, 0, 100, 60000, .fallback = "10000"},
    {"secret_sealed", ATTR_TEXT, AF_HIDDEN},
};

static bool webhook(const json_t *row)
{
    return strcmp(row_text(row, "mode"), "webhook") == 0;
}

static enum problem make_secret(struct rest_call *c, json_t *row)
{
    uint8_t secret[SECRET_LEN];
    char text[sizeof SECRET_PREFIX + CODEC_BASE64_LEN(SECRET_LEN)] = SECRET_PREFIX;
    size_t n = strlen(text);

    crypto_random(secret, sizeof secret);
    text[n + codec_base64(text + n, secret, sizeof secret)] = '\0';
    json_t *sealed =
        api_seal_kept(c->ctl, row_text(row, "id"), slice_of((const char *)secret, sizeof secret));
    c->once = json_pack("{s:s}", "secret", text);
    json_object_set_new(row, "secret_sealed", sealed);
    crypto_wipe(secret, sizeof secret);
    crypto_wipe(text, sizeof text);
    return sealed && c->once ? PROBLEM_OK : PROBLEM_INTERNAL;
}

static enum problem prepare(struct rest_call *c, struct change *ch)
{
    return webhook(ch->row) ? make_secret(c, ch->row) : PROBLEM_OK;
}

static enum problem same_name(struct rest_call *c, struct change *ch)
{
    const json_t *mine = ch->arg;
    bool same = strcmp(row_text(ch->row, "api_id"), row_text(mine, "api_id")) == 0 &&
                strcmp(row_text(ch->row, "name"), row_text(mine, "name")) == 0 &&
                strcmp(row_text(ch->row, "state"), "removed") != 0;

    return same ? rest_fail(c, PROBLEM_ALREADY_EXISTS, "/name",
                            "the app has an event subscription of this name to the API")
                : PROBLEM_OK;
}

static enum problem check_new(struct rest_call *c, struct change *ch)
{
    json_t *app = NULL, *api = NULL;
    enum problem p = api_load(c, ch->txn, &apps_resource, row_text(ch->row, "app_id"), &app);

    if (p == PROBLEM_OK && c->user.role == ROLE_DEVELOPER &&
        strcmp(row_text(app, "organisation_id"), c->user.organisation) != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/app_id", "an app of your organisation is needed");
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    }
    if (p == PROBLEM_OK && strcmp(row_text(api, "kind"), "topic") != 0) {
        p = rest_fail(c, PROBLEM_FIELD_INVALID, "/api_id", "an API of kind topic is needed");
    }
    if (p == PROBLEM_OK) {
        p = row_each(c, ch->txn, &event_subscriptions_resource, "app_id", row_text(app, "id"),
                     same_name, ch->row);
    }
    json_decref(app);
    json_decref(api);
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    const char *url = row_text(ch->row, "url");

    if (ch->old && strcmp(row_text(ch->old, "state"), "removed") == 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it is removed; make another");
    }
    if (webhook(ch->row) && !outbound_webhook_ok(c->ctl->cfg, url)) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/url",
                         "an https:// address without user and fragment is needed");
    }
    if (!webhook(ch->row) && url[0]) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/url", "nothing is pushed in mode pull");
    }
    return ch->old ? PROBLEM_OK : check_new(c, ch);
}

static enum problem feed(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         json_t **data)
{
    static const char *const told[] = {"app_id",   "api_id",     "name",      "state",
                                       "mode",     "types",      "start",     "batch",
                                       "attempts", "backoff_ms", "timeout_ms"};

    (void)txn;
    *data = NULL;
    if (strcmp(row_text(row, "state"), "removed") == 0) {
        return PROBLEM_OK;
    }
    json_t *out = json_object();
    for (size_t i = 0; i < COUNT(told); i++) {
        json_object_set(out, told[i], json_object_get(row, told[i]));
    }
    if (webhook(row)) {
        json_t *sealed = api_reseal(c->ctl, row_text(row, "id"), row_text(row, "secret_sealed"));
        if (!sealed) {
            json_decref(out);
            return PROBLEM_INTERNAL;
        }
        json_object_set_new(out, "secret_sealed", sealed);
        json_object_set(out, "url", json_object_get(row, "url"));
    }
    *data = out;
    return PROBLEM_OK;
}

#define PARTIES (ROLE_STAFF | ROLE_DEVELOPER)
static const struct transition transitions[] = {
    {"active", "pause", "paused", PARTIES},
    {"paused", "resume", "active", PARTIES},
    {"active|paused", "remove", "removed", PARTIES},
};

#define OWN_APP "t.app_id IN (SELECT id FROM apps WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN_APP, OWN_APP},
};

const struct resource event_subscriptions_resource = {
    .plural = "event_subscriptions",
    .kind = "event-subscription",
    .initial = "active",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = PARTIES | ROLE_AUDITOR,
    .create_roles = PARTIES,
    .patch_roles = PARTIES,
    .prepare = prepare,
    .check = check,
    .feed = feed,
    .feed_kind = "event-subscription",
};

/* What the broker says ---------------------------------------------------------------------------
 */
static enum problem load(struct rest_call *c, bool write, json_t **row)
{
    struct store_txn *txn = NULL;
    struct uuid id;

    if (!uuid_parse(&id, c->segment[1], strlen(c->segment[1]))) {
        return PROBLEM_NOT_FOUND;
    }
    enum problem p = rest_begin(c, STORE_READ, &txn);
    if (p == PROBLEM_OK) {
        p = row_load(c, txn, &event_subscriptions_resource, c->segment[1], true, row);
    }
    if (p == PROBLEM_OK && *row && write &&
        !row_writable(c, txn, &event_subscriptions_resource, c->segment[1])) {
        p = PROBLEM_NOT_PERMITTED;
    }
    store_rollback(&txn);
    return p == PROBLEM_OK && !*row ? PROBLEM_NOT_FOUND : p;
}

static void timed(json_t *object, const char *name)
{
    char text[CLOCK_RFC3339_LEN + 1];
    json_int_t ms = json_integer_value(json_object_get(object, name));

    clock_format_ms((uint64_t)ms, text);
    json_object_set_new(object, name, ms ? json_string(text) : json_null());
}

enum problem event_subscription_status(struct rest_call *c)
{
    json_t *row = NULL, *answer = NULL, *one;
    size_t i;
    enum problem p = load(c, false, &row);

    if (p == PROBLEM_OK) {
        json_t *body = json_pack("{s:s}", "subscription", row_text(row, "id"));
        p = data_client_post(c, "/internal/v1/events/status", body, &answer);
        json_decref(body);
    }
    if (p == PROBLEM_OK) {
        timed(answer, "parked_until");
        json_array_foreach(json_object_get(answer, "dead"), i, one)
        {
            timed(one, "at");
        }
        p = rest_answer(c, 200, answer);
    } else {
        json_decref(answer);
    }
    json_decref(row);
    return p;
}

/* From a position, a time, or the dead letters: all, or one by its number. */
static enum problem read_replay(struct rest_call *c, json_t *ask)
{
    static const char *const members[] = {"after", "since", "sequence", NULL};
    const json_t *since = json_object_get(c->body, "since");
    uint64_t at_ms = 0;
    enum problem p = rest_body_members(c, members);

    if (p == PROBLEM_OK && json_object_size(c->body) > 1) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "", "one of after, since and sequence");
    }
    if (p == PROBLEM_OK && since &&
        (!json_is_string(since) ||
         !clock_parse_ms(json_string_value(since), json_string_length(since), &at_ms))) {
        return rest_fail(c, PROBLEM_FIELD_INVALID, "/since", "an RFC 3339 time in UTC is needed");
    }
    for (size_t i = 0; p == PROBLEM_OK && members[i]; i++) {
        const json_t *v = json_object_get(c->body, members[i]);
        char where[16];
        snprintf(where, sizeof where, "/%s", members[i]);
        if (v && v != since && (!json_is_integer(v) || json_integer_value(v) < 0)) {
            return rest_fail(c, PROBLEM_FIELD_INVALID, where, "a number is needed");
        }
        if (v) {
            json_object_set_new(
                ask, members[i],
                json_integer(v == since ? (json_int_t)at_ms : json_integer_value(v)));
        }
    }
    return p;
}

static enum problem log_replay(struct rest_call *c, const json_t *row, const json_t *ask)
{
    struct store_txn *txn = NULL;
    char *text = json_dumps(ask, JSON_COMPACT);
    const struct operation op = {.at_ms = c->now_ms,
                                 .actor = c->user.login,
                                 .action = "replay",
                                 .kind = "event-subscription",
                                 .id = row_text(row, "id"),
                                 .after = text};
    enum problem p = text ? rest_begin(c, STORE_WRITE, &txn) : PROBLEM_INTERNAL;

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, rest_store_problem(c, log_operation(txn, &op)));
    }
    free(text);
    return p;
}

enum problem event_subscription_replay(struct rest_call *c)
{
    json_t *row = NULL, *answer = NULL, *ask = json_object();
    enum problem p = load(c, true, &row);

    if (p == PROBLEM_OK) {
        p = read_replay(c, ask);
    }
    if (p == PROBLEM_OK) {
        p = log_replay(c, row, ask); /* the act is recorded before it is done */
    }
    if (p == PROBLEM_OK) {
        json_object_set(ask, "subscription", json_object_get(row, "id"));
        p = data_client_post(c, "/internal/v1/events/replay", ask, &answer);
    }
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200, answer);
    } else {
        json_decref(answer);
    }
    json_decref(ask);
    json_decref(row);
    return p;
}
