/* SPDX-License-Identifier: Apache-2.0 */
#include "incidents/emergency_plans.h"

#include <string.h>

#include "api/api.h"
#include "notices/notices.h"
#include "sandbox/stage.h"

#define DRILLS_MAX 200

static const struct attr attrs[] = {
    {"name", ATTR_TEXT, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, 1, 200},
    {"owner", ATTR_TEXT, AF_REQUIRED, 1, 200},
    {"document_id", ATTR_REF, AF_REQUIRED, .ref = "documents"},
    {"drill_days", ATTR_INT, 0, 1, 3650, .fallback = "365"},
    {"version", ATTR_INT, AF_READ_ONLY | AF_SORT, .fallback = "0"},
    {"made_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_by", ATTR_TEXT, AF_READ_ONLY},
    {"approved_at", ATTR_TIME, AF_READ_ONLY},
    {"drill_result", ATTR_TEXT, AF_READ_ONLY},
    {"drills", ATTR_JSON, AF_READ_ONLY, .fallback = "[]"},
    {"next_drill_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"warned_at", ATTR_TIME, AF_READ_ONLY},
    {"comment", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    if (ch->old && strcmp(row_text(ch->old, "state"), "draft") != 0) {
        return rest_fail(c, PROBLEM_STATE_CONFLICT, "", "the plan is %s: make another version",
                         row_text(ch->old, "state"));
    }
    if (!ch->old) {
        json_object_set_new(ch->row, "made_by", json_string(c->user.login));
    }
    return !ch->old || api_changed(ch->old, ch->row, "document_id")
               ? stage_document(c, ch->txn, "/document_id", row_text(ch->row, "document_id"))
               : PROBLEM_OK;
}

struct versions {
    json_int_t last;
};

static enum problem see_version(struct rest_call *c, struct change *ch)
{
    struct versions *seen = ch->arg;
    json_int_t version = json_integer_value(json_object_get(ch->row, "version"));
    enum problem p = PROBLEM_OK;

    seen->last = version > seen->last ? version : seen->last;
    if (strcmp(row_text(ch->row, "state"), "approved") == 0) {
        json_t *old = json_deep_copy(ch->row);
        p = stage_change(c, ch->txn, &emergency_plans_resource, old, ch->row, "superseded",
                         "supersede");
        json_decref(old);
    }
    return p;
}

static void set_next(const struct rest_call *c, json_t *row)
{
    json_int_t days = json_integer_value(json_object_get(row, "drill_days"));

    json_object_set_new(row, "next_drill_at",
                        stage_time(c->now_ms + (uint64_t)days * STAGE_DAY_MS));
    json_object_set_new(row, "warned_at", json_null());
}

static enum problem approve(struct rest_call *c, struct change *ch)
{
    struct versions seen = {0};

    if (strcmp(row_text(ch->row, "made_by"), c->user.login) == 0) {
        return rest_fail(c, PROBLEM_SELF_APPROVAL, "", "the plan is your own");
    }
    enum problem p = row_each(c, ch->txn, &emergency_plans_resource, "name",
                              row_text(ch->row, "name"), see_version, &seen);
    json_object_set_new(ch->row, "version", json_integer(seen.last + 1));
    stage_sign(c, ch->row, "approved");
    set_next(c, ch->row);
    return p;
}

static enum problem drill(struct rest_call *c, struct change *ch)
{
    json_t *list = json_deep_copy(json_object_get(ch->row, "drills"));

    if (json_array_size(list) >= DRILLS_MAX) {
        json_array_remove(list, 0); /* the operations log has them all */
    }
    json_array_append_new(list,
                          json_pack("{s:o, s:s, s:s}", "at", stage_time(c->now_ms), "by",
                                    c->user.login, "result", row_text(ch->row, "drill_result")));
    json_object_set_new(ch->row, "drills", list);
    set_next(c, ch->row);
    return PROBLEM_OK;
}

static const struct transition transitions[] = {
    {"draft", "approve", "approved", ROLE_STAFF, .hook = approve},
    {"draft", "withdraw", "withdrawn", ROLE_STAFF},
    {"approved", "drill", NULL, ROLE_STAFF, .body_text = "drill_result", .hook = drill},
    {"approved", "retire", "retired", ROLE_STAFF, .body_text = "comment"},
};

const struct resource emergency_plans_resource = {
    .plural = "emergency_plans",
    .kind = "emergency-plan",
    .initial = "draft",
    .attrs = attrs,
    .n_attrs = COUNT(attrs),
    .transitions = transitions,
    .n_transitions = COUNT(transitions),
    .read_roles = ROLE_STAFF | ROLE_AUDITOR,
    .create_roles = ROLE_STAFF,
    .patch_roles = ROLE_STAFF,
    .check = check,
};

static enum problem warn(struct rest_call *c, struct store_txn *txn, json_t *row)
{
    const struct notice n = {.kind = "drill-overdue",
                             .object_kind = "emergency-plan",
                             .object_id = row_text(row, "id"),
                             .object_name = row_text(row, "name"),
                             .detail = row_text(row, "owner")};
    json_t *old = json_deep_copy(row);

    json_object_set_new(row, "warned_at", stage_time(c->now_ms));
    enum problem p = stage_change(c, txn, &emergency_plans_resource, old, row, NULL, "warn");
    json_decref(old);
    return p == PROBLEM_OK ? notice_put(c, txn, &n) : p;
}

enum problem emergency_plans_job(struct rest_call *c)
{
    return stage_each_due(c,
                          "SELECT id FROM emergency_plans WHERE state = 'approved' AND warned_at "
                          "IS NULL AND next_drill_at <= ? ORDER BY next_drill_at",
                          0, &emergency_plans_resource, warn);
}
