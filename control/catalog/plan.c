/* SPDX-License-Identifier: Apache-2.0 */
/* The opening plan (SW-8.2a1-2): what is to be opened, until when, by whom. The clock tells of what
 * comes due and of what is late; an entry that gets listed ends its item by itself. */
#include <stdlib.h>

#include "api/api.h"
#include "catalog/catalog.h"
#include "catalog/opening.h"
#include "notices/notices.h"
#include "rest/settings.h"
#include "services/services.h"

static const struct attr attrs[] = {
    {"title", ATTR_TEXT, AF_REQUIRED | AF_FILTER | AF_SORT, 1, 200},
    {"entry_id", ATTR_REF, AF_FILTER, .ref = "entries"},
    {"organisation_id", ATTR_REF, AF_FILTER, .ref = "organisations"},
    {"responsible_id", ATTR_REF, AF_REQUIRED | AF_FILTER, .ref = "users"},
    {"due_at", ATTR_TIME, AF_REQUIRED | AF_SORT},
    {"note", ATTR_TEXT, AF_LINES, 0, REST_TEXT_MAX},
    {"started_at", ATTR_TIME, AF_READ_ONLY},
    {"done_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"reminded_at", ATTR_TIME, AF_READ_ONLY},
    {"overdue_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static bool open_item(const json_t *row)
{
    const char *state = row_text(row, "state");

    return strcmp(state, "planned") == 0 || strcmp(state, "started") == 0;
}

/* A new date is a new promise: what was told of the old one is told again. */
static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && !open_item(ch->row)) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the item is %s",
                         row_text(ch->row, "state"));
    }
    if (ch->old && api_changed(ch->old, ch->row, "due_at")) {
        json_object_set_new(ch->row, "reminded_at", json_null());
        json_object_set_new(ch->row, "overdue_at", json_null());
    }
    json_t *entry = NULL;
    const char *id = row_text(ch->row, "entry_id");
    enum problem p = id[0] ? api_load(c, ch->txn, &entries_resource, id, &entry) : PROBLEM_OK;
    if (p == PROBLEM_OK && entry) {
        json_object_set(ch->row, "organisation_id", json_object_get(entry, "organisation_id"));
    }
    json_decref(entry);
    return p;
}

static enum problem start(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "started_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

static enum problem finish(struct rest_call *c, struct change *ch)
{
    json_object_set_new(ch->row, "done_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"planned", "start", "started", KEEPER, .hook = start},
    {"planned|started", "finish", "done", ROLE_STAFF, .hook = finish},
    {"planned|started", "drop", "dropped", ROLE_STAFF, .body_text = "comment"},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource opening_plan_items_resource = {
    .plural = "opening_plan_items",
    .kind = "opening-plan-item",
    .initial = "planned",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

static enum problem opened(struct rest_call *c, struct change *ch)
{
    json_t *old;
    enum problem p;

    if (!open_item(ch->row)) {
        return PROBLEM_OK;
    }
    old = json_deep_copy(ch->row);
    json_object_set_new(ch->row, "done_at", stage_time(c->now_ms));
    p = stage_change(c, ch->txn, &opening_plan_items_resource, old, ch->row, "done", "finish");
    json_decref(old);
    return p;
}

enum problem plan_entry_opened(struct rest_call *c, struct store_txn *txn, const json_t *entry)
{
    return row_each(c, txn, &opening_plan_items_resource, "entry_id", row_text(entry, "id"), opened,
                    NULL);
}

/* By the clock ----------------------------------------------------------------------------------
 */
static enum problem tell(struct rest_call *c, struct store_txn *txn, const json_t *row,
                         const char *kind, const char *user_id)
{
    const struct notice n = {.kind = kind,
                             .user_id = user_id,
                             .object_kind = "opening-plan-item",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "title"),
                             .detail = row_text(row, "due_at")};

    return notice_put(c, txn, &n);
}

static enum problem mark(struct rest_call *c, struct store_txn *txn, json_t *row, const char *when,
                         const char *action)
{
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, when, stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &opening_plan_items_resource, old, row, NULL, action);
    json_decref(old);
    return p;
}

static enum problem remind(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "reminded_at", "remind");

    return p == PROBLEM_OK ? tell(c, txn, row, "opening-due", row_text(row, "responsible_id")) : p;
}

/* Who is responsible is told, and the operators. */
static enum problem overdue(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    enum problem p = mark(c, txn, row, "overdue_at", "warn");

    if (p == PROBLEM_OK) {
        p = tell(c, txn, row, "opening-overdue", row_text(row, "responsible_id"));
    }
    return p == PROBLEM_OK ? tell(c, txn, row, "opening-overdue", NULL) : p;
}

static enum problem notice_days(struct rest_call *c, uint64_t *days)
{
    char value[CATALOG_SETTING_MAX];
    struct store_txn *txn = NULL;
    enum problem p = rest_begin(c, STORE_READ, &txn);

    if (p != PROBLEM_OK) {
        return p;
    }
    p = settings_get(c, txn, &catalog_settings_resource, "plan-notice-days", value, sizeof value);
    store_rollback(&txn);
    *days = strtoull(value, NULL, 10);
    return p;
}

#define OPEN_ITEMS "SELECT id FROM opening_plan_items WHERE state IN ('planned', 'started') AND "

enum problem opening_plan_job(struct rest_call *c)
{
    uint64_t days = 0;
    enum problem p = notice_days(c, &days);

    if (p == PROBLEM_OK) {
        p = stage_each_due(c, OPEN_ITEMS "overdue_at IS NULL AND due_at <= ?", 0,
                           &opening_plan_items_resource, overdue);
    }
    return p == PROBLEM_OK
               ? stage_each_due(c,
                                OPEN_ITEMS "reminded_at IS NULL AND overdue_at IS NULL AND due_at "
                                           "<= ?",
                                days * STAGE_DAY_MS, &opening_plan_items_resource, remind)
               : p;
}

/* The report ------------------------------------------------------------------------------------
 */
static const char counts_sql[] =
    "SELECT state, count(*) FROM opening_plan_items GROUP BY state ORDER BY state";
static const char late_sql[] =
    "SELECT i.id, i.title, i.entry_id, i.state, i.due_at, i.responsible_id, u.display_name, (?1 - "
    "i.due_at) / 86400000 FROM opening_plan_items i LEFT JOIN users u ON u.id = i.responsible_id "
    "WHERE i.state IN ('planned', 'started') AND i.due_at <= ?1 ORDER BY i.due_at LIMIT 500";
static const char scopes_sql[] =
    "SELECT id, title, state, expires_at, approved_by, approved_at FROM opening_scopes WHERE state "
    "<> 'ended' ORDER BY created_at DESC LIMIT 500";

enum problem opening_report(struct rest_call *c)
{
    const struct store_value now = store_int((int64_t)c->now_ms);
    json_t *counts = NULL, *late = NULL, *agreed = NULL, *uncovered = NULL;
    struct store_txn *txn = NULL;
    enum problem p = rest_query_known(c, NULL, 0, "no parameter is known");

    p = p == PROBLEM_OK ? rest_begin(c, STORE_READ, &txn) : p;
    if (p != PROBLEM_OK) {
        return p;
    }
    p = services_rows(c, txn, counts_sql, NULL, 0, "state:t items:i", &counts);
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, late_sql, &now, 1,
                          "id:t title:t entry_id:t state:t due_at:m responsible_id:t responsible:t "
                          "days_late:i",
                          &late);
    }
    if (p == PROBLEM_OK) {
        p = services_rows(c, txn, scopes_sql, NULL, 0,
                          "id:t title:t state:t expires_at:m approved_by:t approved_at:m", &agreed);
    }
    p = p == PROBLEM_OK ? scope_uncovered(c, txn, &uncovered) : p;
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        p = rest_answer(c, 200,
                        json_pack("{s:O, s:O, s:O, s:O}", "plan", counts, "overdue", late, "scopes",
                                  agreed, "outside_scope", uncovered));
    }
    json_decref(counts);
    json_decref(late);
    json_decref(agreed);
    json_decref(uncovered);
    return p;
}
