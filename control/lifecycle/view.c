/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one dataset in one answer: what changed its stage, how its data came, where it lies,
 * who used it when, and what was given to whom on which grant. Each list is bounded. */
#include <stdio.h>
#include <stdlib.h>

#include "api/api.h"
#include "data_client.h"
#include "lifecycle/lifecycle.h"
#include "sandbox/stage.h"
#include "services/services.h"

#define LIST_MAX "200"
#define DAYS_MAX 400

struct section {
    const char *name, *sql, *columns;
    unsigned ids; /* how often the dataset's id is bound, before `since` */
    bool since;   /* then the first day */
    bool of_life; /* the life's id instead of the dataset's */
};

#define OF_DATASET  "a.dataset_id = ? AND u.day >= ?"
#define SUMS        "sum(u.calls), sum(u.refused), sum(u.rows), sum(u.bytes), min(u.day), max(u.day)"
#define SUM_COLUMNS "calls:i refused:i rows:i bytes:i first_day:m last_day:m"

static const struct section sections[] = {
    {"changes",
     "SELECT at_ms, actor, action, json_extract(\"after\", '$.stage') FROM operations WHERE "
     "resource_id = ? AND kind = 'dataset-life' AND action IN ('create', 'advance') ORDER BY seq "
     "LIMIT " LIST_MAX,
     "at:m by:t action:t stage:t", 1, false, true},
    {"uses_by_app",
     "SELECT u.app_id, p.name, " SUMS " FROM data_uses u JOIN apis a ON a.id = u.api_id LEFT JOIN "
     "apps p ON p.id = u.app_id WHERE " OF_DATASET " GROUP BY u.app_id ORDER BY sum(u.calls) DESC "
     "LIMIT " LIST_MAX,
     "app_id:t app:t " SUM_COLUMNS, 1, true, false},
    {"uses_by_user",
     "SELECT u.owner, " SUMS " FROM data_uses u JOIN apis a ON a.id = u.api_id WHERE " OF_DATASET
     " GROUP BY u.owner ORDER BY sum(u.calls) DESC LIMIT " LIST_MAX,
     "user:t " SUM_COLUMNS, 1, true, false},
    {"uses_by_day",
     "SELECT u.day, sum(u.calls), sum(u.refused), sum(u.rows), sum(u.bytes) FROM data_uses u JOIN "
     "apis a ON a.id = u.api_id WHERE " OF_DATASET " GROUP BY u.day ORDER BY u.day LIMIT 400",
     "day:m calls:i refused:i rows:i bytes:i", 1, true, false},
    {"shares",
     "SELECT o.id, o.name, u.app_id, p.name, u.grant_id, g.purpose, u.owner, a.path, " SUMS
     " FROM data_uses u JOIN apis a ON a.id = u.api_id LEFT JOIN apps p ON p.id = u.app_id LEFT "
     "JOIN organisations o ON o.id = p.organisation_id LEFT JOIN grants g ON g.id = u.grant_id "
     "WHERE " OF_DATASET " AND u.rows > 0 GROUP BY u.app_id, u.grant_id, u.owner, u.api_id ORDER "
     "BY sum(u.rows) DESC LIMIT " LIST_MAX,
     "recipient_id:t recipient:t app_id:t app:t grant_id:t purpose:t user:t path:t " SUM_COLUMNS, 1,
     true, false},
    {"files",
     "SELECT e.id, e.app_id, e.grant_id, e.owner, e.rows, e.bytes, e.state, e.finished_at FROM "
     "exports e JOIN apis a ON a.id = e.api_id WHERE a.dataset_id = ? AND e.zone_source_id IS NULL "
     "ORDER BY e.created_at DESC LIMIT " LIST_MAX,
     "export_id:t app_id:t grant_id:t user:t rows:i bytes:i state:t at:m", 1, false, false},
    {"transfers",
     "SELECT t.id, t.receiver_organisation_id, t.to_zone, t.reason, t.accepted, t.state, "
     "t.ended_at FROM transfers t WHERE t.dataset_id = ? ORDER BY t.created_at DESC "
     "LIMIT " LIST_MAX,
     "transfer_id:t recipient_id:t zone:t reason:t rows:i state:t at:m", 1, false, false},
    {"generated",
     "SELECT 'collection', r.id, c.name, r.state, r.accepted, r.ended_at FROM datasets d JOIN "
     "collections c ON c.target_id = d.source_id AND c.target_table = d.\"table\" JOIN "
     "collection_runs r ON r.collection_id = c.id WHERE d.id = ? UNION ALL SELECT 'transfer', "
     "t.id, t.reason, t.state, t.accepted, t.ended_at FROM datasets d JOIN transfers t ON "
     "t.target_id = d.source_id AND t.target_table = d.\"table\" WHERE d.id = ? UNION ALL SELECT "
     "'file', e.id, e.requested_by, e.state, e.rows, e.finished_at FROM datasets d JOIN exports e "
     "ON e.zone_source_id = d.source_id AND e.zone_table = d.\"table\" WHERE d.id = ? UNION ALL "
     "SELECT 'harvest', h.id, h.filter, i.state, NULL, i.updated_at FROM datasets d JOIN harvests "
     "h ON h.source_id = d.source_id JOIN harvest_items i ON i.harvest_id = h.id AND i.\"table\" = "
     "d.\"table\" WHERE d.id = ? ORDER BY 6 DESC LIMIT " LIST_MAX,
     "way:t id:t what:t state:t rows:i at:m", 4, false, false},
};

static enum problem read_days(struct rest_call *c, uint64_t *since_ms)
{
    static const char *const known[] = {"days"};
    const char *text = rest_query(c, "days");
    char *end = NULL;
    long days = text ? strtol(text, &end, 10) : 30;
    enum problem p = rest_query_known(c, known, 1, "days");

    if (p == PROBLEM_OK && text && (end == text || *end || days < 1 || days > DAYS_MAX)) {
        p = rest_fail(c, PROBLEM_PARAMETER_INVALID, "days", "a number from 1 to %d", DAYS_MAX);
    }
    *since_ms = (c->now_ms / STAGE_DAY_MS - (uint64_t)days + 1) * STAGE_DAY_MS;
    return p;
}

static enum problem fill(struct rest_call *c, struct store_txn *txn, const json_t *life,
                         uint64_t since_ms, json_t *out)
{
    enum problem p = PROBLEM_OK;

    for (size_t i = 0; i < COUNT(sections) && p == PROBLEM_OK; i++) {
        const struct section *s = &sections[i];
        struct store_value v[5];
        json_t *rows = NULL;
        size_t n = 0;
        while (n < s->ids) {
            v[n++] = store_text(row_text(life, s->of_life ? "id" : "dataset_id"));
        }
        if (s->since) {
            v[n++] = store_int((int64_t)since_ms);
        }
        p = services_rows(c, txn, s->sql, v, n, s->columns, &rows);
        json_object_set_new(out, s->name, rows);
    }
    return p;
}

static enum problem storage(struct rest_call *c, struct store_txn *txn, const json_t *life,
                            json_t *out)
{
    static const char sql[] =
        "SELECT s.id, s.name, s.kind, coalesce(s.zone, 'outside'), s.state, o.name, d.\"schema\", "
        "d.\"table\", d.state, x.administers, x.writes, x.tls, x.at_rest, x.checksums, x.copies, "
        "x.copied_at "
        "FROM datasets d JOIN sources s ON s.id = "
        "d.source_id JOIN "
        "organisations o ON o.id = s.organisation_id LEFT JOIN source_accounts x ON x.source_id = "
        "s.id WHERE d.id = ?";
    static const char *const said[] = {"encryption",   "backup_place", "backed_up_at",
                                       "must_encrypt", "backup_days",  "zones",
                                       "breaches",     "checked_at"};
    const struct store_value v = store_text(row_text(life, "dataset_id"));
    json_t *rows = NULL;
    enum problem p = services_rows(c, txn, sql, &v, 1,
                                   "source_id:t source:t kind:t zone:t source_state:t keeper:t "
                                   "schema:t table:t dataset_state:t account_administers:b "
                                   "account_writes:b connection_tls:b tables_encrypted:b "
                                   "checksums:b copies_log:b copied_at:m",
                                   &rows);

    json_t *where = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    for (size_t i = 0; where && i < COUNT(said); i++) {
        json_object_set(where, said[i], json_object_get(life, said[i]));
    }
    json_object_set_new(out, "storage", where ? where : json_null());
    return p;
}

/* What apps and the unit itself wrote, as the journal has it. The data service away: none is told,
 * and that is said. */
static void written(struct rest_call *c, const json_t *life, json_t *out)
{
    json_t *answer = NULL, *op, *list = json_array(),
           *body = json_pack("{s:O, s:[O], s:i}", "dataset", json_object_get(life, "dataset_id"),
                             "datasets", json_object_get(life, "dataset_id"), "limit", 100);
    size_t i;
    enum problem p = data_client_post(c, "/internal/v1/writes/list", body, &answer);

    json_array_foreach(json_object_get(answer, "items"), i, op)
    {
        static const char *const told[] = {"id", "kind", "state", "app_id", "actor", "rows"};
        json_t *row = json_object();
        for (size_t k = 0; k < COUNT(told); k++) {
            json_object_set(row, told[k], json_object_get(op, told[k]));
        }
        json_object_set_new(row, "at",
                            stage_time((uint64_t)json_integer_value(json_object_get(op, "at"))));
        json_array_append_new(list, row);
    }
    if (p != PROBLEM_OK) {
        c->where[0] = c->detail[0] = '\0';
        json_decref(list);
        list = json_null();
    }
    json_object_set_new(out, "written", list);
    json_decref(answer);
    json_decref(body);
}

enum problem life_view(struct rest_call *c)
{
    struct store_txn *txn = NULL;
    json_t *life = NULL, *out = json_object();
    uint64_t since_ms = 0;
    enum problem p = read_days(c, &since_ms);

    if (p == PROBLEM_OK) {
        p = rest_begin(c, STORE_READ, &txn);
    }
    if (p == PROBLEM_OK) {
        p = service_load(c, txn, &dataset_lives_resource, false, &life);
    }
    if (p == PROBLEM_OK) {
        p = fill(c, txn, life, since_ms, out);
    }
    if (p == PROBLEM_OK) {
        p = storage(c, txn, life, out);
    }
    store_rollback(&txn);
    if (p == PROBLEM_OK) {
        static const char *const head[] = {"dataset_id", "name", "stage",
                                           "since",      "ways", "remains"};
        for (size_t i = 0; i < COUNT(head); i++) {
            json_object_set(out, head[i], json_object_get(life, head[i]));
        }
        written(c, life, out);
    }
    json_decref(life);
    if (p != PROBLEM_OK) {
        json_decref(out);
        return p;
    }
    return rest_answer(c, 200, out);
}
