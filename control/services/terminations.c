/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a service (BK-11): announced with its lead time to everybody concerned, its code given
 * back, confirmed, and only then off. */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"
#include "services/services.h"

static const struct attr attrs[] = {
    {"api_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "apis"},
    {"reason", ATTR_TEXT, AF_REQUIRED | AF_LINES, 1, 1000},
    {"end_at", ATTR_TIME, AF_SORT},
    {"user_notice", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_LINES, 1, 1000},
    {"parties", ATTR_JSON, AF_READ_ONLY},
    {"announced_by", ATTR_TEXT, AF_READ_ONLY},
    {"cancellation", ATTR_JSON, AF_READ_ONLY},
    {"confirmed_by", ATTR_TEXT, AF_READ_ONLY},
    {"confirmed_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check_date(struct rest_call *c, struct change *ch)
{
    uint64_t days = 0, end_ms = api_ms(ch->row, "end_at");
    enum problem p = service_setting_days(c, ch->txn, "termination-notice-days", &days);
    uint64_t first = c->now_ms + days * STAGE_DAY_MS;

    if (p != PROBLEM_OK || (ch->old && !api_changed(ch->old, ch->row, "end_at"))) {
        return p;
    }
    if (!end_ms) {
        json_object_set_new(ch->row, "end_at", stage_time(first));
        return PROBLEM_OK;
    }
    return end_ms >= first ? PROBLEM_OK
                           : rest_fail(c, PROBLEM_FIELD_INVALID, "/end_at",
                                       "notice is given %d days before", (int)days);
}

static enum problem announce(struct rest_call *c, struct change *ch, const json_t *api)
{
    json_t *parties = NULL;
    char text[160];
    enum problem p = parties_of(c, ch->txn, api, &parties);

    snprintf(text, sizeof text, "%.40s", row_text(ch->row, "end_at"));
    if (p == PROBLEM_OK) {
        p = parties_tell(c, ch->txn, api, parties, "service-termination-announced",
                         "service-termination", row_text(ch->row, "id"), text);
    }
    if (p == PROBLEM_OK) {
        p = parties_tell_owners(c, ch->txn, api, "service-termination-for-users",
                                "service-termination", row_text(ch->row, "id"),
                                row_text(ch->row, "user_notice"));
    }
    json_object_set_new(ch->row, "announced_by", json_string(c->user.login));
    json_object_set_new(ch->row, "parties", parties ? parties : json_object());
    return p;
}

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *api = NULL;

    if (ch->old && strcmp(row_text(ch->row, "state"), "announced") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the termination is %s",
                         row_text(ch->row, "state"));
    }
    enum problem p = check_date(c, ch);
    if (p != PROBLEM_OK || ch->old) {
        return p;
    }
    p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    if (p == PROBLEM_OK && !row_writable(c, ch->txn, &apis_resource, row_text(api, "id"))) {
        p = PROBLEM_NOT_PERMITTED;
    }
    if (p == PROBLEM_OK &&
        (!api_state_live(api) || strcmp(row_text(api, "state"), "offline") == 0)) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/api_id", "the API is %s",
                      row_text(api, "state"));
    }
    if (p == PROBLEM_OK) {
        p = announce(c, ch, api);
    }
    json_decref(api);
    return p;
}

static enum problem open_items(struct rest_call *c, struct change *ch)
{
    return ch->old
               ? PROBLEM_OK
               : termination_items_open(c, ch->txn, ch->row, json_object_get(ch->row, "parties"));
}

static enum problem ordered(struct rest_call *c, struct store_txn *txn, bool *on)
{
    return service_setting_on(c, txn, "termination-control", on);
}

enum problem termination_ready(struct rest_call *c, struct store_txn *txn,
                               const json_t *termination)
{
    json_t *api = NULL;
    bool on = false, cancelled = false;
    enum problem p = ordered(c, txn, &on);

    if (p != PROBLEM_OK || !on) {
        return p;
    }
    p = termination_items_agreed(c, txn, termination);
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(termination, "api_id"), &api);
    }
    if (p == PROBLEM_OK && strcmp(row_text(api, "state"), "baffled") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "callers are told first: baffle");
    }
    if (p == PROBLEM_OK) {
        p = identifiers_cancelled(c, txn, api, &cancelled);
    }
    if (p == PROBLEM_OK && !cancelled &&
        !json_is_object(json_object_get(termination, "cancellation"))) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/cancellation",
                      "the cancellation of its U_API_ID was not handed in");
    }
    json_decref(api);
    return p;
}

static enum problem confirm(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "confirmed");
    return api_ms(ch->row, "end_at") > c->now_ms
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "/end_at", "its date has not come")
               : termination_ready(c, ch->txn, ch->old);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"announced", "confirm", "confirmed", KEEPER, .hook = confirm},
    {"announced|confirmed", "cancel", "cancelled", ROLE_STAFF, .body_text = "comment"},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
};

const struct resource service_terminations_resource = {
    .plural = "service_terminations",
    .kind = "service-termination",
    .initial = "announced",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = KEEPER,
    .patch_roles = KEEPER,
    .check = check,
    .after = open_items,
};

enum problem termination_confirmed(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                   json_t **termination)
{
    const struct store_value v = store_text(row_text(api, "id"));
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn,
                                   "SELECT id, state, cancellation FROM service_terminations WHERE "
                                   "api_id = ? AND state <> 'cancelled'",
                                   &v, 1, "id:t state:t cancellation:j", &rows);

    *termination = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return p;
}

/* The application that goes to the registration platform (BK-11b2): GET shows it, POST says that it
 * was handed in. */
enum problem termination_application(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *api = NULL, *organisation = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &service_terminations_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    }
    if (p == PROBLEM_OK && row_text(api, "organisation_id")[0]) {
        p = api_load(c, txn, &organisations_resource, row_text(api, "organisation_id"),
                     &organisation);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = rest_answer(
            c, 200,
            json_pack("{s:s, s:O?, s:O, s:O, s:O, s:O?, s:O, s:O, s:O?}", "application",
                      "cancellation", "u_api_id", json_object_get(api, "u_api_id"), "name",
                      json_object_get(api, "name"), "version", json_object_get(api, "version"),
                      "path", json_object_get(api, "path"), "institution",
                      json_object_get(organisation, "name"), "reason",
                      json_object_get(row, "reason"), "end_at", json_object_get(row, "end_at"),
                      "submitted", json_object_get(row, "cancellation")));
    }
    json_decref(row);
    json_decref(api);
    json_decref(organisation);
    return p;
}

static enum problem agreed_first(struct rest_call *c, struct store_txn *txn,
                                 const json_t *termination)
{
    bool on = false;
    enum problem p = ordered(c, txn, &on);

    return p == PROBLEM_OK && on ? termination_items_agreed(c, txn, termination) : p;
}

static enum problem submit(struct rest_call *c, struct store_txn *txn, json_t **row)
{
    static const char *const members[] = {"reference", "receipt", NULL};
    json_t *old = NULL, *body = NULL;
    enum problem p = rest_body_members(c, members);
    const char *reference = p == PROBLEM_OK ? rest_body_text(c, "reference", 200, &p) : NULL;

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &service_terminations_resource, true, &old);
    }
    if (p == PROBLEM_OK) {
        p = change_precondition(c, old, true);
    }
    if (p == PROBLEM_OK) {
        p = agreed_first(c, txn, old);
    }
    if (p == PROBLEM_OK && strcmp(row_text(old, "state"), "cancelled") == 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the termination is cancelled");
    }
    if (p == PROBLEM_OK && json_object_get(c->body, "receipt")) {
        (void)rest_body_text(c, "receipt", 1000, &p);
    }
    if (p == PROBLEM_OK) {
        body = json_pack("{s:s, s:s, s:o, s:O?}", "reference", reference, "submitted_by",
                         c->user.login, "submitted_at", stage_time(c->now_ms), "receipt",
                         json_object_get(c->body, "receipt"));
        *row = json_deep_copy(old);
        json_object_set_new(*row, "cancellation", body);
        p = change_store(c, txn, &service_terminations_resource, old, *row, "cancellation");
    }
    json_decref(old);
    return p;
}

enum problem termination_submit(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL;
    enum problem p = rest_begin(c, STORE_WRITE, &txn);

    if (p == PROBLEM_OK) {
        p = rest_finish(c, &txn, submit(c, txn, &row));
    }
    if (p == PROBLEM_OK) {
        p = resource_answer(c, &service_terminations_resource, row, 200);
    }
    json_decref(row);
    return p;
}
