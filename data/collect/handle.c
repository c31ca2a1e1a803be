/* SPDX-License-Identifier: Apache-2.0 */
#include "data/collect/handle.h"

#include "data/collect/collect.h"

static bool target_of(const json_t *body, struct uuid *target)
{
    const char *id = json_string_value(json_object_get(body, "target"));
    return id && uuid_parse(target, id, strlen(id));
}

static const char *run_of(const json_t *body)
{
    const char *run = json_string_value(json_object_get(body, "run"));
    return run ? run : "";
}

static enum problem start(struct worker *w, const json_t *body, json_t **answer)
{
    if (!collector_submit(w->collector, body))
        return PROBLEM_CONCURRENCY_LIMITED;
    *answer = json_pack("{s:b}", "ok", 1);
    return PROBLEM_OK;
}

static enum problem state(struct worker *w, const json_t *body, json_t **answer)
{
    struct uuid target;
    if (!target_of(body, &target))
        return PROBLEM_BODY_MALFORMED;
    *answer = collector_state(w->collector, &target, run_of(body));
    return PROBLEM_OK;
}

static enum problem quarantine(struct worker *w, const json_t *body, json_t **answer)
{
    const struct collect_env env = {w->catalog.data_dir, w->catalog.secret_key};
    struct uuid target;
    if (!target_of(body, &target))
        return PROBLEM_BODY_MALFORMED;
    json_int_t offset = json_integer_value(json_object_get(body, "offset"));
    *answer = collect_quarantine(&env, &target, run_of(body), offset > 0 ? (uint64_t)offset : 0);
    return *answer ? PROBLEM_OK : PROBLEM_SOURCE_UNAVAILABLE;
}

static enum problem table(struct worker *w, const json_t *body, json_t **answer)
{
    const struct collect_env env = {w->catalog.data_dir, w->catalog.secret_key};
    struct uuid target;
    if (!target_of(body, &target))
        return PROBLEM_BODY_MALFORMED;
    const char *name = json_string_value(json_object_get(body, "table"));
    switch (collect_make_table(&env, &target, name ? name : "", json_object_get(body, "columns"))) {
    case ZONE_OK:
        *answer = json_pack("{s:s}", "name", name);
        return PROBLEM_OK;
    case ZONE_ENAME:
        return PROBLEM_FIELD_INVALID;
    case ZONE_EEXISTS:
        return PROBLEM_ALREADY_EXISTS;
    case ZONE_EFULL:
        return PROBLEM_STORAGE_FULL;
    default:
        return PROBLEM_SOURCE_UNAVAILABLE;
    }
}

static const struct {
    struct slice path;
    enum problem (*run)(struct worker *w, const json_t *body, json_t **answer);
} routes[] = {
    {{"/internal/v1/collect/start", 26}, start},
    {{"/internal/v1/collect/state", 26}, state},
    {{"/internal/v1/collect/table", 26}, table},
    {{"/internal/v1/collect/quarantine", 31}, quarantine},
};

enum problem collect_handle(struct worker *w, struct slice target, const json_t *body,
                            json_t **answer)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (slice_eq(routes[i].path, target))
            return w->collector ? routes[i].run(w, body, answer) : PROBLEM_INTERNAL;
    return PROBLEM_NOT_FOUND;
}
