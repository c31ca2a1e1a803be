/* SPDX-License-Identifier: Apache-2.0 */
/* What the two sides of a service that ends agree on, matter by matter, and who answers for it
 * (BK-11c); and the steps of an end in their order, none of which can be jumped (BK-11a). */
#include <stdio.h>

#include "api/api.h"
#include "identifiers/identifiers.h"
#include "notices/notices.h"
#include "services/services.h"

static const char *const matters[] = {"archiving", "deletion", "personal-financial-information",
                                      "funds-and-accounts", "consumer-rights"};
static const char *const sides[] = {"provider", "party", "both", NULL};

static const struct attr attrs[] = {
    {"termination_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"api_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"organisation_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"matter", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"responsible", ATTR_TEXT, 0, 1, 10, .values = sides},
    {"responsible_name", ATTR_TEXT, 0, 1, 200},
    {"agreement", ATTR_TEXT, AF_LINES, 1, 2000},
    {"proposed_by", ATTR_TEXT, AF_READ_ONLY},
    {"proposed_at", ATTR_TIME, AF_READ_ONLY},
    {"agreed_by", ATTR_TEXT, AF_READ_ONLY},
    {"agreed_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem tell(struct rest_call *c, struct change *ch, const char *kind, bool provider)
{
    json_t *api = NULL;
    enum problem p = api_load(c, ch->txn, &apis_resource, row_text(ch->row, "api_id"), &api);
    const struct notice n = {.kind = kind,
                             .organisation_id = provider ? row_text(api, "organisation_id")
                                                         : row_text(ch->row, "organisation_id"),
                             .object_kind = "termination-item",
                             .object_id = row_text(ch->row, "id"),
                             .object_name = row_text(api, "name"),
                             .detail = row_text(ch->row, "matter")};

    if (p == PROBLEM_OK) {
        p = notice_put(c, ch->txn, &n);
    }
    json_decref(api);
    return p;
}

/* What was proposed is what is agreed: it is changed only while nobody looks at it. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    return strcmp(row_text(ch->old, "state"), "open") == 0
               ? PROBLEM_OK
               : rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the item is %s",
                           row_text(ch->old, "state"));
}

static enum problem propose(struct rest_call *c, struct change *ch)
{
    static const char *const needed[] = {"responsible", "responsible_name", "agreement"};
    char where[40];

    for (size_t i = 0; i < COUNT(needed); i++) {
        if (!row_text(ch->row, needed[i])[0]) {
            snprintf(where, sizeof where, "/%s", needed[i]);
            return rest_fail(c, PROBLEM_FIELD_INVALID, where,
                             "what is agreed, and who answers for it, is said first");
        }
    }
    stage_sign(c, ch->row, "proposed");
    return tell(c, ch, "termination-item-proposed", false);
}

static enum problem agree(struct rest_call *c, struct change *ch)
{
    stage_sign(c, ch->row, "agreed");
    return tell(c, ch, "termination-item-agreed", true);
}

static enum problem object(struct rest_call *c, struct change *ch)
{
    return tell(c, ch, "termination-item-objected", true);
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"open", "propose", "proposed", KEEPER, .hook = propose},
    {"proposed", "agree", "agreed", ROLE_DEVELOPER, .hook = agree},
    {"proposed", "object", "open", ROLE_DEVELOPER, .body_text = "comment", .hook = object},
    {"proposed", "reopen", "open", KEEPER},
};

#define OWN_API "t.api_id IN (SELECT id FROM apis WHERE organisation_id = ?)"
#define OWN     "t.organisation_id = ?"
static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, OWN_API, OWN_API},
    {ROLE_DEVELOPER, BIND_ORGANISATION, OWN, OWN},
};

const struct resource termination_items_resource = {
    .plural = "termination_items",
    .kind = "termination-item",
    .initial = "open",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_DEVELOPER | ROLE_AUDITOR,
    .patch_roles = KEEPER,
    .check = check,
};

static enum problem open_item(struct rest_call *c, struct store_txn *txn, const json_t *termination,
                              const char *organisation, const char *matter)
{
    json_t *row = resource_row(&termination_items_resource);

    json_object_set(row, "termination_id", json_object_get(termination, "id"));
    json_object_set(row, "api_id", json_object_get(termination, "api_id"));
    json_object_set_new(row, "organisation_id", json_string(organisation));
    json_object_set_new(row, "matter", json_string(matter));
    enum problem p = change_store(c, txn, &termination_items_resource, NULL, row, "create");
    json_decref(row);
    return p;
}

enum problem termination_items_open(struct rest_call *c, struct store_txn *txn,
                                    const json_t *termination, const json_t *parties)
{
    json_t *seen = json_object(), *app;
    size_t i;
    enum problem p = PROBLEM_OK;

    json_array_foreach(json_object_get(parties, "apps"), i, app)
    {
        const char *organisation = row_text(app, "organisation_id");
        if (!organisation[0] || json_object_get(seen, organisation)) {
            continue;
        }
        json_object_set_new(seen, organisation, json_true());
        for (size_t m = 0; m < COUNT(matters) && p == PROBLEM_OK; m++) {
            p = open_item(c, txn, termination, organisation, matters[m]);
        }
    }
    json_decref(seen);
    return p;
}

/* How many matters of an end are not agreed. An organisation that closed holds up nobody. */
static enum problem open_matters(struct rest_call *c, struct store_txn *txn, const char *id,
                                 int64_t *n)
{
    return services_count(c, txn,
                          "SELECT count(*) FROM termination_items i JOIN organisations o ON o.id = "
                          "i.organisation_id WHERE i.termination_id = ? AND i.state <> 'agreed' "
                          "AND o.state <> 'closed'",
                          id, n);
}

enum problem termination_items_agreed(struct rest_call *c, struct store_txn *txn,
                                      const json_t *termination)
{
    int64_t n = 0;
    enum problem p = open_matters(c, txn, row_text(termination, "id"), &n);

    return p == PROBLEM_OK && n > 0
               ? rest_fail(c, PROBLEM_STATE_CONFLICT, "",
                           "%d matters are not agreed with the parties: /termination_items", (int)n)
               : p;
}

/* The steps of an end ----------------------------------------------------------------------------
 */
struct seen {
    const json_t *termination, *api;
    int64_t open, told;
    bool cancelled; /* its code */
};

static bool has(const struct seen *s, const char *state)
{
    return strcmp(row_text(s->api, "state"), state) == 0;
}

static bool announced(const struct seen *s)
{
    return row_text(s->termination, "announced_by")[0] != '\0';
}

static bool told(const struct seen *s)
{
    return s->told > 0;
}

static bool agreed(const struct seen *s)
{
    return s->open == 0;
}

static bool baffled(const struct seen *s)
{
    return has(s, "baffled") || has(s, "offline") || has(s, "archived");
}

static bool handed_in(const struct seen *s)
{
    return s->cancelled || json_is_object(json_object_get(s->termination, "cancellation"));
}

static bool confirmed(const struct seen *s)
{
    return strcmp(row_text(s->termination, "state"), "confirmed") == 0;
}

static bool offline(const struct seen *s)
{
    return has(s, "offline") || has(s, "archived");
}

static bool archived(const struct seen *s)
{
    return has(s, "archived");
}

static const struct {
    const char *name, *en, *zh;
    bool (*done)(const struct seen *s);
} steps[] = {
    /* clang-format off */
    {"announce", "The end is announced with its date", "发布终止公告及日期", announced},
    {"tell", "Apps, the provider and users are told", "告知应用方、数据方与用户", told},
    {"agree", "Each matter is agreed with each party", "与各应用方就善后事项达成一致", agreed},
    {"baffle", "Callers are told that the service has ended", "设置终止提示挡板", baffled},
    {"cancel-code", "The cancellation of the code is handed in", "提交统一识别码注销申请", handed_in},
    {"confirm", "The date has come; the end is confirmed", "到期确认终止", confirmed},
    {"offline", "The interface is taken off", "接口下线", offline},
    {"archive", "What must be kept is archived", "归档", archived},
    /* clang-format on */
};

static json_t *steps_of(const struct seen *s)
{
    json_t *list = json_array();
    bool reached = true;

    for (size_t i = 0; i < COUNT(steps); i++) {
        bool done = steps[i].done(s);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:b, s:b}", "step", steps[i].name,
                                              "title_zh", steps[i].zh, "title_en", steps[i].en,
                                              "done", done, "next", reached && !done));
        reached = reached && done;
    }
    return list;
}

enum problem termination_steps(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *row = NULL, *api = NULL;
    struct seen s = {0};
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &service_terminations_resource, false, &row);
    }
    if (p == PROBLEM_OK) {
        p = api_load(c, txn, &apis_resource, row_text(row, "api_id"), &api);
    }
    if (p == PROBLEM_OK) {
        p = open_matters(c, txn, row_text(row, "id"), &s.open);
    }
    if (p == PROBLEM_OK) {
        p = services_count(c, txn, "SELECT count(*) FROM service_notices WHERE about_id = ?",
                           row_text(row, "id"), &s.told);
    }
    if (p == PROBLEM_OK) {
        p = identifiers_cancelled(c, txn, api, &s.cancelled);
    }
    store_rollback(&txn);
    s.termination = row;
    s.api = api;
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200,
                        json_pack("{s:O, s:O, s:o}", "termination_id", json_object_get(row, "id"),
                                  "state", json_object_get(row, "state"), "steps", steps_of(&s)));
    }
    json_decref(row);
    json_decref(api);
    return p;
}

/* To whom no notice can be sent, this is said in public (BK-11d). */
enum problem termination_announcements(struct rest_call *c)
{
    static const char sql[] =
        "SELECT a.name, a.title, a.version, t.user_notice, t.end_at, t.state FROM "
        "service_terminations t JOIN apis a ON a.id = t.api_id WHERE t.state <> 'cancelled' AND "
        "a.state <> 'archived' ORDER BY t.created_at DESC LIMIT 200";
    struct store_txn *txn = NULL;
    json_t *items = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, sql, NULL, 0,
                          "name:t title:t version:t user_notice:t end_at:m state:t", &items);
    }
    store_rollback(&txn);
    if (p != PROBLEM_OK) {
        json_decref(items);
        return p;
    }
    return rest_answer(c, 200, json_pack("{s:o}", "items", items));
}
