/* SPDX-License-Identifier: Apache-2.0 */
/* An enterprise reports (SW-9.7-3): its records, which came signed and sealed through the gateway,
 * go into the reporting area of its own exchange space, and it gets a receipt. One transaction; the
 * call's transaction number is the run's, so a receipt names what lies in the store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/collect/collect.h"
#include "data/service.h"
#include "personal/personal.h"

#define RECORDS_MAX 1000

static const char *const provenance[] = {"collected_from", "collected_run", "collected_at",
                                         "collected_sm3"};

static bool is_provenance(struct slice name)
{
    for (size_t i = 0; i < sizeof provenance / sizeof *provenance; i++)
        if (slice_eq(name, slice_str(provenance[i])))
            return true;
    return false;
}

static bool is_key(const struct catalog_api *api, struct slice column)
{
    for (size_t i = 0; i < api->table.n_keys; i++)
        if (slice_eq(api->table.keys[i], column))
            return true;
    return false;
}

/* The table's own columns: the API's fields behind which there is one. */
static json_t *columns_of(const struct catalog_api *api)
{
    json_t *list = json_array();
    for (size_t i = 0; i < api->table.n_columns; i++) {
        const struct query_column *c = &api->columns[i];
        if (c->column.n && !is_provenance(c->column))
            json_array_append_new(list,
                                  json_pack("{s:s%, s:s, s:b}", "name", c->column.p, c->column.n,
                                            "type", query_type_name((enum query_type)c->type),
                                            "key", is_key(api, c->column)));
    }
    return list;
}

static json_t *job_of(const struct worker *w, const struct catalog_api *api, json_t *records)
{
    char run[UUID_TEXT_LEN + 1], target[UUID_TEXT_LEN + 1], sender[UUID_TEXT_LEN + 1];
    uuid_format(&w->call.txn, run);
    uuid_format(&api->source, target);
    uuid_format(&w->call.app, sender);
    return json_pack("{s:s, s:s, s:s%, s:s, s:o, s:[{s:s, s:s, s:O}]}", "run", run, "target",
                     target, "table", api->table.table.p, api->table.table.n, "mode",
                     api->table.n_keys ? "upsert" : "append", "columns", columns_of(api), "inputs",
                     "kind", "inline", "sender", sender, "records", records);
}

static enum problem read_body(struct slice body, json_t **records, const char **detail)
{
    json_t *json = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(json, "records");
    enum problem p = PROBLEM_OK;
    if (!json_is_object(json) || json_object_size(json) != 1 || !json_is_array(list) ||
        json_array_size(list) == 0) {
        *detail = "an object with one member, records, an array, is needed";
        p = PROBLEM_BODY_MALFORMED;
    } else if (json_array_size(list) > RECORDS_MAX) {
        *detail = "at most 1000 records at once";
        p = PROBLEM_BODY_TOO_LARGE;
    } else {
        *records = json_incref(list);
    }
    json_decref(json);
    return p;
}

static enum problem answer(struct worker *w, const json_t *report)
{
    char run[UUID_TEXT_LEN + 1], now[CLOCK_RFC3339_LEN + 1];
    const char *code = json_string_value(json_object_get(report, "code"));
    if (code && *code)
        return strcmp(code, "storage-full") == 0 ? PROBLEM_STORAGE_FULL
                                                 : PROBLEM_SOURCE_UNAVAILABLE;
    uuid_format(&w->call.txn, run);
    clock_format_ms(clock_wall_ms(), now);
    json_t *receipt = json_pack(
        "{s:s, s:s, s:O, s:O, s:O, s:O}", "receipt_id", run, "received_at", now, "sm3",
        json_object_get(report, "sm3"), "received", json_object_get(report, "received"), "accepted",
        json_object_get(report, "accepted"), "quarantined", json_object_get(report, "quarantined"));
    char *text = receipt ? json_dumps(receipt, JSON_COMPACT) : NULL;
    if (text)
        buf_adds(&w->body, text);
    free(text);
    json_decref(receipt);
    return w->body.failed || !text ? PROBLEM_INTERNAL : PROBLEM_OK;
}

static bool is_guarded(const struct catalog_api *api, const char *name)
{
    for (size_t i = 0; i < api->table.n_columns; i++)
        if (api->guarded[i] && slice_eq(api->columns[i].column, slice_str(name)))
            return true;
    return false;
}

static enum problem guard_records(const struct catalog_api *api, json_t *records,
                                  const char **detail)
{
    const char *name, *kind;
    json_t *record, *value;
    size_t i;
    json_array_foreach(records, i, record)
    {
        json_object_foreach(record, name, value)
        {
            if (!is_guarded(api, name))
                continue;
            json_t *passed = json_incref(value);
            bool taken = personal_pass((enum personal_guard)api->guard, &passed, &kind);
            if (taken && passed != value)
                json_object_set(record, name, passed); /* of a key that is there: no rehash */
            json_decref(passed);
            if (!taken) {
                *detail = PERSONAL_REFUSED;
                return PROBLEM_SENSITIVE_FIELD;
            }
        }
    }
    return PROBLEM_OK;
}

void submission_handle(struct worker *w, const struct catalog_api *api,
                       const struct service_request *rq, struct service_reply *rp)
{
    const struct collect_env env = {w->catalog.data_dir, w->catalog.secret_key};
    const char *detail = NULL;
    json_t *records = NULL, *report = NULL;
    /* What is reported counts: there is no trying it out in a space that is real. */
    enum problem p =
        w->call.sandbox ? PROBLEM_SANDBOX_UNAVAILABLE : read_body(rq->body, &records, &detail);
    if (!p && api->guard)
        p = guard_records(api, records, &detail);
    if (!p) {
        json_t *job = job_of(w, api, records);
        report = job ? collect_run(&env, job) : NULL;
        json_decref(job);
        p = report ? answer(w, report) : PROBLEM_INTERNAL;
    }
    json_decref(report);
    json_decref(records);
    if (p)
        service_problem(w, rq, rp, p, detail, SLICE(""));
}
