/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be harvested, when, and how it went table by table. */
#include "api/api.h"
#include "catalog/catalog.h"
#include "sandbox/stage.h"

static const char *const demands[] = {"comment", "key", "length", "lower-case", NULL};

static enum problem check_standard(struct rest_call *c, const char *where, const json_t *v)
{
    return api_check_words(c, where, v, demands, COUNT(demands) - 1);
}

static const struct attr attrs[] = {
    {"source_id", ATTR_REF, AF_REQUIRED | AF_IMMUTABLE | AF_FILTER, .ref = "sources"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"filter", ATTR_TEXT, 0, 0, 200},
    {"schedule", ATTR_INT, 0, 1, 8784},
    {"dry_run", ATTR_BOOL, AF_FILTER, .fallback = "false"},
    {"standard", ATTR_JSON, 0, .check = check_standard},
    {"standard_id", ATTR_REF, AF_FILTER, .ref = "metadata_standards"},
    {"department", ATTR_TEXT, 0, 0, 200},
    {"domain_id", ATTR_REF, AF_FILTER, .ref = "service_domains"},
    {"run", ATTR_INT, AF_READ_ONLY, .fallback = "1"},
    {"due_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"started_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"finished_at", ATTR_TIME, AF_READ_ONLY | AF_SORT},
    {"total", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"done", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"failures", ATTR_INT, AF_READ_ONLY, .fallback = "0"},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
};

static enum problem check(struct rest_call *c, struct change *ch)
{
    json_t *source = NULL;

    if (ch->old) {
        return PROBLEM_OK;
    }
    enum problem p =
        api_load(c, ch->txn, &sources_resource, row_text(ch->row, "source_id"), &source);
    if (p == PROBLEM_OK && strcmp(row_text(source, "state"), "ready") != 0) {
        p = rest_fail(c, PROBLEM_STATE_CONFLICT, "/source_id", "the source is not ready");
    }
    if (p == PROBLEM_OK) {
        json_object_set(ch->row, "organisation_id", json_object_get(source, "organisation_id"));
        json_object_set_new(ch->row, "run", json_integer(1));
        json_object_set_new(ch->row, "due_at", stage_time(c->now_ms));
    }
    json_decref(source);
    return p;
}

static enum problem again(struct rest_call *c, struct change *ch)
{
    json_int_t run = json_integer_value(json_object_get(ch->row, "run"));

    json_object_set_new(ch->row, "run", json_integer(run + 1));
    json_object_set_new(ch->row, "due_at", stage_time(c->now_ms));
    return PROBLEM_OK;
}

enum problem harvest_again(struct rest_call *c, struct store_txn *txn, json_t *harvest)
{
    json_t *old = json_deep_copy(harvest);
    struct change ch = {.res = &harvests_resource, .txn = txn, .old = old, .row = harvest};
    enum problem p = again(c, &ch);

    if (p == PROBLEM_OK) {
        p = stage_change(c, txn, &harvests_resource, old, harvest, "waiting", "run");
    }
    json_decref(old);
    return p;
}

#define KEEPER (ROLE_STAFF | ROLE_PROVIDER)
static const struct transition transitions[] = {
    {"done|failed|stopped", "run", "waiting", KEEPER, .hook = again},
    {"waiting|running|done|failed", "stop", "stopped", KEEPER},
};

static const struct scope scopes[] = {
    {ROLE_PROVIDER, BIND_ORGANISATION, "t.organisation_id = ?", "t.organisation_id = ?"},
};

const struct resource harvests_resource = {
    .plural = "harvests",
    .kind = "harvest",
    .initial = "waiting",
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
};

static const struct attr item_attrs[] = {
    {"harvest_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "harvests"},
    {"organisation_id", ATTR_REF, AF_READ_ONLY | AF_FILTER, .ref = "organisations"},
    {"run", ATTR_INT, AF_READ_ONLY | AF_FILTER},
    {"schema", ATTR_TEXT, AF_READ_ONLY},
    {"table", ATTR_TEXT, AF_READ_ONLY | AF_FILTER | AF_SORT},
    {"kind", ATTR_TEXT, AF_READ_ONLY},
    {"entry_id", ATTR_TEXT, AF_READ_ONLY | AF_FILTER},
    {"reason", ATTR_TEXT, AF_READ_ONLY},
    {"deviations", ATTR_JSON, AF_READ_ONLY},
};

const struct resource harvest_items_resource = {
    .plural = "harvest_items",
    .kind = "harvest-item",
    .initial = "pending",
    .attrs = item_attrs,
    .n_attrs = COUNT(item_attrs),
    .scopes = scopes,
    .n_scopes = COUNT(scopes),
    .read_roles = KEEPER | ROLE_AUDITOR,
};
