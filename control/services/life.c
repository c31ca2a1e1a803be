/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of an API's life: what each asks and what was looked at when it was taken. The table of
 * states is in api/apis.c. */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"
#include "services/services.h"

/* row.gate goes into the operation's record with the step (BK-12.1a2, CI-8.1). */
static void note(struct rest_call *c, struct change *ch, json_t *looked_at)
{
    bool said = json_object_get(c->body, "comment") != NULL;

    json_object_set_new(ch->row, "gate",
                        json_pack("{s:s, s:o}", "step", ch->action ? ch->action : "create",
                                  "looked_at", looked_at ? looked_at : json_array()));
    if (!said) {
        json_object_set_new(ch->row, "comment", json_null());
    }
}

/* CI-8.1: where the platform says so, only its operators move an interface. */
static enum problem may_move(struct rest_call *c, struct change *ch)
{
    char who[SERVICE_SETTING_MAX];
    enum problem p = service_setting(c, ch->txn, "moved-by", who);

    return p == PROBLEM_OK && strcmp(who, "operators") == 0 && c->user.role &&
                   !(c->user.role & ROLE_STAFF)
               ? rest_fail(c, PROBLEM_NOT_PERMITTED, "", "here operators move an API")
               : p;
}

enum problem life_move(struct rest_call *c, struct change *ch)
{
    note(c, ch, NULL);
    return may_move(c, ch);
}

static enum problem no_findings(struct rest_call *c, struct change *ch)
{
    json_t *findings = NULL;
    enum problem p = lint_api(c, ch->txn, ch->row, &findings);
    const json_t *first = json_array_get(findings, 0);

    if (p == PROBLEM_OK && first) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, row_text(first, "where"), "%s: %s",
                      row_text(first, "rule"), row_text(first, "text"));
    }
    json_decref(findings);
    return p;
}

/* The design: a whole definition, approved by somebody else than who made it. */
enum problem life_design(struct rest_call *c, struct change *ch)
{
    json_t *rows = NULL;
    const struct store_value v = store_text(row_text(ch->row, "id"));
    enum problem p =
        services_rows(c, ch->txn,
                      "SELECT actor FROM operations WHERE kind = 'api' AND resource_id "
                      "= ? AND action = 'create' ORDER BY seq LIMIT 1",
                      &v, 1, "actor:t", &rows);

    if (p == PROBLEM_OK && strcmp(row_text(json_array_get(rows, 0), "actor"), c->user.login) == 0) {
        p = rest_fail(c, PROBLEM_SELF_APPROVAL, "", "the design is your own");
    }
    json_decref(rows);
    if (p == PROBLEM_OK) {
        p = no_findings(c, ch);
    }
    note(c, ch, json_pack("[s, s]", "definition", "approval"));
    return p == PROBLEM_OK ? may_move(c, ch) : p;
}

/* The comment is the developer's own test result (CI-8.1b); operator, time and version are in the
 * record. */
enum problem life_submit(struct rest_call *c, struct change *ch)
{
    enum problem p = no_findings(c, ch);

    note(c, ch, json_pack("[s, s]", "definition", "test-result"));
    return p == PROBLEM_OK ? may_move(c, ch) : p;
}

enum problem life_accept(struct rest_call *c, struct change *ch)
{
    note(c, ch, json_pack("[s, s]", "review", "levels"));
    return may_move(c, ch);
}

/* Publication ------------------------------------------------------------------------------------
 */
static void lacks(json_t *missing, const char *what, const char *text)
{
    json_array_append_new(missing, json_pack("{s:s, s:s}", "what", what, "text", text));
}

static bool in(const char *state, const char *const *states)
{
    for (size_t i = 0; states[i]; i++) {
        if (strcmp(states[i], state) == 0) {
            return true;
        }
    }
    return false;
}

static enum problem ask_stages(struct rest_call *c, struct store_txn *txn, const json_t *api,
                               json_t *missing)
{
    static const char *const before[] = {"draft", "development", "review", NULL};
    bool on = false;
    enum problem p = service_setting_on(c, txn, "stages-required", &on);

    if (p == PROBLEM_OK && on && in(row_text(api, "state"), before)) {
        lacks(missing, "stages", "design, development, review and test come first");
    }
    return p;
}

static enum problem ask_evaluation(struct rest_call *c, struct store_txn *txn,
                                   const json_t *service, json_t *missing)
{
    bool on = false;
    int64_t n = 0;
    enum problem p = service_setting_on(c, txn, "evaluation-required", &on);

    if (p == PROBLEM_OK && on) {
        p = services_count(c, txn,
                           "SELECT count(*) FROM service_evaluations WHERE service_id = ? AND "
                           "result = 'passed'",
                           row_text(service, "id"), &n);
    }
    if (p == PROBLEM_OK && on && n == 0) {
        lacks(missing, "evaluation", "no evaluation of its service says that it passed");
    }
    return p;
}

static bool has_field(const json_t *fields, const char *name)
{
    json_t *f;
    size_t i;

    json_array_foreach(fields, i, f)
    {
        const char *path = row_text(f, "path"), *last = strrchr(path, '.');
        if (strcmp(row_text(f, "name"), name) == 0 || strcmp(path, name) == 0 ||
            (last && strcmp(last + 1, name) == 0)) {
            return true;
        }
    }
    return false;
}

/* SW-0.3: an API of a domain has what the domain's interface names. */
static enum problem ask_interface(struct rest_call *c, struct store_txn *txn, const json_t *service,
                                  const json_t *api, json_t *missing)
{
    json_t *domain = NULL, *field;
    char text[300];
    size_t i;

    if (!row_text(service, "domain_id")[0]) {
        lacks(missing, "domain", "its service is filed under no domain");
        return PROBLEM_OK;
    }
    enum problem p =
        api_load(c, txn, &service_domains_resource, row_text(service, "domain_id"), &domain);
    const json_t *interface = json_object_get(domain, "interface");
    json_array_foreach(json_object_get(interface, "fields"), i, field)
    {
        if (!has_field(json_object_get(api, "fields"), row_text(field, "name"))) {
            snprintf(text, sizeof text, "the interface of %s has a field %s",
                     row_text(domain, "code"), row_text(field, "name"));
            lacks(missing, "interface", text);
        }
    }
    if (json_is_true(json_object_get(interface, "paged")) &&
        !json_is_true(json_object_get(api, "paged"))) {
        lacks(missing, "interface", "the interface of its domain is paged");
    }
    json_decref(domain);
    return p;
}

static enum problem ask_entry(struct rest_call *c, struct store_txn *txn, const json_t *api,
                              json_t *missing)
{
    const char *id = row_text(api, "service_id");
    json_t *service = NULL;
    bool on = false;
    enum problem p = service_setting_on(c, txn, "entry-required", &on);

    if (p != PROBLEM_OK || !id[0]) {
        if (p == PROBLEM_OK && on) {
            lacks(missing, "entry", "it belongs to no service: service_id");
        }
        return p;
    }
    p = api_load(c, txn, &services_resource, id, &service);
    if (p == PROBLEM_OK && strcmp(row_text(service, "state"), "listed") != 0) {
        lacks(missing, "entry", "its service is not approved");
    }
    if (p == PROBLEM_OK) {
        p = ask_evaluation(c, txn, service, missing);
    }
    if (p == PROBLEM_OK) {
        p = ask_interface(c, txn, service, api, missing);
    }
    json_decref(service);
    return p;
}

static enum problem ask_reports(struct rest_call *c, struct store_txn *txn, const json_t *api,
                                json_t *missing)
{
    char kinds[SERVICE_SETTING_MAX], text[120], *save = NULL;
    enum problem p = service_setting(c, txn, "reports-required", kinds);

    if (p != PROBLEM_OK || strcmp(kinds, "none") == 0) {
        return p;
    }
    for (char *kind = strtok_r(kinds, " ", &save); kind && p == PROBLEM_OK;
         kind = strtok_r(NULL, " ", &save)) {
        bool there = false;
        p = report_there(c, txn, api, kind, &there);
        if (p == PROBLEM_OK && !there) {
            snprintf(text, sizeof text, "no %s report of it as it is was accepted", kind);
            lacks(missing, "report", text);
        }
    }
    return p;
}

static enum problem ask_lint(struct rest_call *c, struct store_txn *txn, const json_t *api,
                             json_t *missing)
{
    json_t *findings = NULL, *f;
    size_t i;
    char text[400];
    enum problem p = lint_api(c, txn, api, &findings);

    json_array_foreach(findings, i, f)
    {
        snprintf(text, sizeof text, "%s: %s", row_text(f, "rule"), row_text(f, "text"));
        lacks(missing, "definition", text);
    }
    json_decref(findings);
    return p;
}

enum problem life_missing(struct rest_call *c, struct store_txn *txn, const json_t *api,
                          json_t **missing)
{
    static enum problem (*const asked[])(struct rest_call *, struct store_txn *, const json_t *,
                                         json_t *) = {ask_stages, ask_entry, ask_reports, ask_lint};
    enum problem p = PROBLEM_OK;

    *missing = json_array();
    for (size_t i = 0; i < COUNT(asked) && p == PROBLEM_OK; i++) {
        p = asked[i](c, txn, api, *missing);
    }
    return p;
}

enum problem life_publish(struct rest_call *c, struct change *ch)
{
    json_t *missing = NULL, *item;
    char text[280] = "";
    size_t i, n = 0;
    enum problem p = may_move(c, ch);

    json_t *now = json_copy(ch->row); /* as it is before the step */
    json_object_set_new(now, "state", json_string(ch->old ? row_text(ch->old, "state") : "draft"));
    if (p == PROBLEM_OK) {
        p = life_missing(c, ch->txn, now, &missing);
    }
    json_decref(now);
    json_array_foreach(missing, i, item)
    {
        if (n < sizeof text - 1) {
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", n ? "; " : "",
                                  row_text(item, "text"));
        }
    }
    if (p == PROBLEM_OK && n) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "before it is published: %s", text);
    }
    json_decref(missing);
    note(c, ch,
         json_pack("[s, s, s, s, s]", "stages", "entry", "evaluation", "reports", "definition"));
    return p;
}

/* Stopping, suspending, ending -------------------------------------------------------------------
 */
enum problem life_rectify(struct rest_call *c, struct change *ch)
{
    note(c, ch, json_pack("[s]", "remedy"));
    json_object_set_new(ch->row, "rectified_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

enum problem life_resume(struct rest_call *c, struct change *ch)
{
    note(c, ch, json_pack("[s]", "remedy"));
    if (!row_text(ch->row, "rectified_at")[0]) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "nobody says that it was put right");
    }
    json_object_set_new(ch->row, "rectified_at", json_null());
    return PROBLEM_OK;
}

static enum problem termination_of(struct rest_call *c, struct change *ch, bool confirmed,
                                   json_t **termination)
{
    bool on = false;
    enum problem p = service_setting_on(c, ch->txn, "termination-control", &on);

    if (p == PROBLEM_OK) {
        p = termination_confirmed(c, ch->txn, ch->row, termination);
    }
    if (p != PROBLEM_OK || !on) {
        return p;
    }
    if (!*termination) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                         "its end is announced first: POST /service_terminations");
    }
    return confirmed && strcmp(row_text(*termination, "state"), "confirmed") != 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the end of the service is not confirmed")
               : PROBLEM_OK;
}

/* What follows is agreed before anybody is turned away (BK-11c). */
static enum problem matters_agreed(struct rest_call *c, struct change *ch,
                                   const json_t *termination)
{
    bool on = false;
    enum problem p = service_setting_on(c, ch->txn, "termination-control", &on);

    return p == PROBLEM_OK && on ? termination_items_agreed(c, ch->txn, termination) : p;
}

enum problem life_baffle(struct rest_call *c, struct change *ch)
{
    json_t *termination = NULL;
    enum problem p = may_move(c, ch);

    if (p == PROBLEM_OK) {
        p = termination_of(c, ch, false, &termination);
    }
    if (p == PROBLEM_OK) {
        p = matters_agreed(c, ch, termination);
    }
    json_decref(termination);
    note(c, ch, json_pack("[s]", "termination"));
    return p;
}

/* Its code is given back, here or by what the termination says. */
static enum problem code_given_back(struct rest_call *c, struct change *ch,
                                    const json_t *termination)
{
    bool cancelled = false;
    enum problem p = identifiers_cancelled(c, ch->txn, ch->old, &cancelled);

    return p == PROBLEM_OK && !cancelled &&
                   !json_is_object(json_object_get(termination, "cancellation"))
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "the cancellation of its U_API_ID was not handed in")
               : p;
}

/* The baffle comes before (BK-11e2), the end is confirmed (BK-11e1), codes are given back
 * (BK-11b2).
 */
enum problem life_offline(struct rest_call *c, struct change *ch)
{
    json_t *termination = NULL;
    bool on = false;
    enum problem p = may_move(c, ch);

    if (p == PROBLEM_OK) {
        p = service_setting_on(c, ch->txn, "termination-control", &on);
    }
    if (p == PROBLEM_OK && on && strcmp(row_text(ch->old, "state"), "baffled") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "callers are told first: baffle");
    }
    if (p == PROBLEM_OK) {
        p = termination_of(c, ch, true, &termination);
    }
    if (p == PROBLEM_OK && on) {
        p = code_given_back(c, ch, termination);
    }
    json_decref(termination);
    note(c, ch, json_pack("[s, s, s]", "baffle", "termination", "identifier"));
    return p;
}

enum problem life_archive(struct rest_call *c, struct change *ch)
{
    json_t *termination = NULL;
    bool lived = strcmp(row_text(ch->old, "state"), "offline") == 0 ||
                 strcmp(row_text(ch->old, "state"), "stopped") == 0;
    bool on = false;
    enum problem p = may_move(c, ch);

    if (p == PROBLEM_OK && lived) {
        p = service_setting_on(c, ch->txn, "termination-control", &on);
    }
    if (p == PROBLEM_OK && on && strcmp(row_text(ch->old, "state"), "offline") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "", "it ends in order: taken offline first");
    }
    if (p == PROBLEM_OK && lived) {
        p = termination_confirmed(c, ch->txn, ch->row, &termination);
    }
    if (p == PROBLEM_OK && lived) {
        p = archive_make(c, ch->txn, ch->old, row_text(termination, "id"));
    }
    json_decref(termination);
    note(c, ch, json_pack("[s]", "archive"));
    return p;
}

/* As nodes know it -------------------------------------------------------------------------------
 */
static void say(const json_t *api, json_t *out, const char *zh, const char *en)
{
    json_object_set_new(out, "state", json_string("offline"));
    if (!row_text(api, "notice_zh")[0] && !row_text(api, "notice_en")[0]) {
        json_object_set_new(out, "notice_zh", json_string(zh));
        json_object_set_new(out, "notice_en", json_string(en));
    }
}

void life_feed(const json_t *api, json_t *out)
{
    const char *state = row_text(api, "state");

    if (strcmp(state, "test") == 0) { /* for the platform's own app alone */
        json_object_set_new(out, "state", json_string("published"));
        json_object_set_new(out, "access", json_string("subscription"));
    } else if (strcmp(state, "stopped") == 0) {
        say(api, out, "该接口已停用。", "This interface is disabled.");
    } else if (strcmp(state, "suspended") == 0) {
        say(api, out, "该接口已暂停，待整改后恢复。",
            "This interface is suspended until it is put right.");
    } else if (strcmp(state, "baffled") == 0) {
        say(api, out, "该服务已终止。", "This service has been terminated.");
    }
}

bool life_bound_to(const json_t *api, const char *app_id)
{
    const json_t *apps = json_object_get(api, "bound_apps");
    json_t *id;
    size_t i;

    if (!json_is_array(apps)) {
        return true;
    }
    json_array_foreach(apps, i, id)
    {
        if (strcmp(json_string_value(id), app_id) == 0) {
            return true;
        }
    }
    return false;
}

/* Told ------------------------------------------------------------------------------------------
 */
static const char *told_of(struct change *ch)
{
    static const struct {
        const char *state, *notice;
    } moves[] = {{"deprecated", "api-deprecated"},
                 {"stopped", "api-stopped"},
                 {"suspended", "api-suspended"},
                 {"baffled", "api-ended"},
                 {"offline", "api-ended"}};
    const char *state = row_text(ch->row, "state");
    char before[65], after[65];

    if (!ch->old) {
        return NULL;
    }
    for (size_t i = 0; i < COUNT(moves); i++) {
        if (strcmp(moves[i].state, state) == 0 && api_changed(ch->old, ch->row, "state")) {
            return moves[i].notice;
        }
    }
    if (strcmp(state, "published") != 0 || api_changed(ch->old, ch->row, "state")) {
        return NULL;
    }
    report_definition_sm3(ch->old, before);
    report_definition_sm3(ch->row, after);
    return strcmp(before, after) != 0 ? "api-changed" : NULL;
}

/* BK-7.1f3, CI-8.1d: whoever holds something on it hears of it. */
enum problem life_tell(struct rest_call *c, struct change *ch)
{
    const char *notice = told_of(ch);
    json_t *parties = NULL;

    if (!notice) {
        return PROBLEM_OK;
    }
    enum problem p = parties_of(c, ch->txn, ch->row, &parties);
    if (p == PROBLEM_OK) {
        p = parties_tell(c, ch->txn, ch->row, parties, notice, "api", row_text(ch->row, "id"),
                         row_text(ch->row, "version"));
    }
    json_decref(parties);
    return p;
}
