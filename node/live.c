/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the workers, read as they stand. One that does not exist yet has no rows: it is for
 * the workers to make it, of their size. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "limit/limit.h"
#include "node/report.h"
#include "replica/replica.h"

#define ROWS_MAX  1000
#define PATH_ROOM 700

static bool path_of(char out[static PATH_ROOM], const char *dir, const char *name)
{
    int n = snprintf(out, PATH_ROOM, "%s/%s", dir, name);
    return n > 0 && n < PATH_ROOM && access(out, R_OK | W_OK) == 0;
}

static void set_id(json_t *row, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    if (!uuid_is_nil(id)) {
        uuid_format(id, text);
        json_object_set_new(row, name, json_string(text));
    }
}

static void set_number(json_t *row, const char *name, uint64_t n)
{
    const uint64_t most = 1ull << 52; /* what the contract's numbers hold */
    json_object_set_new(row, name, json_integer((json_int_t)(n > most ? most : n)));
}

/* limits ---------------------------------------------------------------------------------------
 */

static json_t *limit_row(const struct limit_view *v, uint64_t now_ms)
{
    json_t *row = json_object(), *key = json_object();
    char who[LIMIT_WHO_LEN + 1] = "";
    unsigned char address[16];
    memcpy(who, v->label.who, LIMIT_WHO_LEN);
    set_id(row, "limit_id", &v->label.rule);
    set_id(key, "app_id", &v->label.app);
    set_id(key, "api_id", &v->label.api);
    bool is_address =
        inet_pton(AF_INET, who, address) == 1 || inet_pton(AF_INET6, who, address) == 1;
    if (who[0] != '\0') { /* left out when it is no UTF-8 */
        json_object_set_new(key, is_address ? "address" : "owner", json_string(who));
    }
    json_object_set_new(row, "key", key);
    set_number(row, "used", v->used);
    set_number(row, "remaining", v->amount > v->used ? v->amount - v->used : 0);
    set_number(row, "reset_s", v->suspended_s ? v->suspended_s : (v->window_ms + 999) / 1000);
    if (v->suspended_s) {
        set_number(row, "suspended_until", now_ms + v->suspended_s * 1000ull);
    }
    return row;
}

json_t *node_live_limits(const char *state_dir)
{
    char path[PATH_ROOM];
    struct limit *limit = NULL;
    struct limit_view view;
    size_t cursor = 0;
    json_t *rows = json_array();
    if (!path_of(path, state_dir, "limits") || limit_open(&limit, path, 16) != LIMIT_OK) {
        return rows;
    }
    struct limit_time now = limit_now(limit);
    while (json_array_size(rows) < ROWS_MAX && limit_next(limit, &cursor, now, &view)) {
        if (!uuid_is_nil(&view.label.rule)) {
            json_array_append_new(rows, limit_row(&view, now.wall_ms));
        }
    }
    limit_close(&limit);
    return rows;
}

/* targets --------------------------------------------------------------------------------------
 */

static json_t *target_row(const struct targets_view *v, const struct replica_api *api,
                          const struct replica_target *target)
{
    static const char *const roles[] = {[REPLICA_PRIMARY] = "primary",
                                        [REPLICA_STANDBY] = "standby",
                                        [REPLICA_CANARY] = "canary",
                                        [REPLICA_SANDBOX] = "sandbox"};
    static const char *const states[] = {
        [TARGETS_CLOSED] = "closed", [TARGETS_OPEN] = "open", [TARGETS_HALF_OPEN] = "half-open"};
    static const char *const healths[] = {
        [TARGETS_UNKNOWN] = "unknown", [TARGETS_UP] = "up", [TARGETS_DOWN] = "down"};
    json_t *row = json_object();
    set_id(row, "api_id", &api->policy.id);
    json_object_set_new(row, "target", json_stringn(target->host.p, target->host.n));
    json_object_set_new(row, "role", json_string(roles[target->role]));
    json_object_set_new(row, "breaker", json_string(states[v->state]));
    json_object_set_new(row, "health", json_string(healths[v->health]));
    set_number(row, "in_flight", v->inflight);
    set_number(row, "calls", v->calls);
    set_number(row, "failures", v->failures);
    set_number(row, "since", v->changed_ms);
    return row;
}

/* The view's label is the API's id; which of its targets it is its id says. */
static void add_target(json_t *rows, const struct targets_view *v, struct replica_reader *reader,
                       struct policy_field *fields)
{
    struct uuid id;
    struct replica_api api;
    if (!uuid_parse(&id, v->label, strlen(v->label)) ||
        replica_get_api(reader, &id, &api, fields) != REPLICA_OK) {
        return;
    }
    for (size_t i = 0; i < api.n_targets; i++) {
        const struct replica_target *t = &api.targets[i];
        if (targets_id(id.b, t->host, t->path) == v->id) {
            json_array_append_new(rows, target_row(v, &api, t));
            return;
        }
    }
}

static void add_targets(json_t *rows, struct targets *targets, struct replica_reader *reader)
{
    struct policy_field *fields = calloc(POLICY_FIELDS_MAX, sizeof *fields);
    struct targets_view view;
    uint64_t version, synced_ms;
    size_t cursor = 0;
    if (fields == NULL || replica_read_begin(reader, &version, &synced_ms) != REPLICA_OK) {
        free(fields);
        return;
    }
    uint64_t now_us = targets_now(targets);
    while (json_array_size(rows) < ROWS_MAX && targets_next(targets, &cursor, now_us, &view)) {
        add_target(rows, &view, reader, fields);
    }
    replica_read_end(reader);
    free(fields);
}

json_t *node_live_targets(const char *state_dir, struct replica *replica)
{
    char path[PATH_ROOM];
    struct targets *targets = NULL;
    struct replica_reader *reader = NULL;
    json_t *rows = json_array();
    if (path_of(path, state_dir, "targets") && targets_open(&targets, path, 16) == TARGETS_OK &&
        replica_reader_new(&reader, replica) == REPLICA_OK) {
        add_targets(rows, targets, reader);
    }
    replica_reader_free(&reader);
    targets_close(&targets);
    return rows;
}

json_t *node_live_keys(const char *state_dir)
{
    char path[PATH_ROOM];
    json_t *set = NULL;
    if (path_of(path, state_dir, "keys.json")) {
        set = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    }
    json_t *keys = json_incref(json_object_get(set, "keys"));
    json_decref(set);
    if (json_is_array(keys)) {
        return keys;
    }
    json_decref(keys);
    return json_array();
}
