/* SPDX-License-Identifier: Apache-2.0 */
/* A run from beginning to end. Fetching comes first and holds no lock on the store; the load that
 * follows is one transaction with the records, what was kept apart, and the report. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/collect/inner.h"
#include "mask/mask.h"

static const char tables[] =
    "CREATE TABLE IF NOT EXISTS _sluice_runs (id TEXT PRIMARY KEY, report TEXT NOT NULL,"
    " at INTEGER NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS _sluice_quarantine (run TEXT NOT NULL, n INTEGER NOT NULL,"
    " sender TEXT NOT NULL, reason TEXT NOT NULL, place TEXT NOT NULL, record TEXT NOT NULL,"
    " PRIMARY KEY (run, n)) STRICT;";

bool collect_fail(struct collect *c, const char *outcome, const char *code, const char *where,
                  const char *detail)
{
    c->outcome = outcome;
    c->code = code;
    snprintf(c->where, sizeof c->where, "%s", where);
    snprintf(c->detail, sizeof c->detail, "%s", detail);
    return false;
}

static bool store_failed(struct collect *c, enum zone_err err)
{
    return collect_fail(c, "failed", err == ZONE_EFULL ? "storage-full" : "store-failed", "",
                        zone_strerror(err));
}

/* Columns ----------------------------------------------------------------------------------------
 */
static const struct zone_column provenance[COLLECT_PROVENANCE] = {
    {{"collected_from", 14}, QUERY_STRING, false},
    {{"collected_run", 13}, QUERY_STRING, false},
    {{"collected_at", 12}, QUERY_DATETIME, false},
    {{"collected_sm3", 13}, QUERY_STRING, false},
};

static bool read_columns(struct collect *c)
{
    const json_t *list = json_object_get(c->job, "columns"), *item;
    size_t i, n = json_array_size(list);
    if (n == 0 || n > ZONE_COLUMNS_MAX - COLLECT_PROVENANCE)
        return collect_fail(c, "failed", "definition-invalid", "/columns", "columns are needed");
    c->columns = calloc(n + COLLECT_PROVENANCE, sizeof *c->columns);
    c->masks = calloc(n, sizeof *c->masks);
    if (!c->columns || !c->masks)
        return collect_fail(c, "failed", "out-of-memory", "", "");
    json_array_foreach(list, i, item)
    {
        const char *mask = collect_text(item, "mask");
        c->columns[i] =
            (struct zone_column){slice_str(collect_text(item, "name")),
                                 query_type_by_name(slice_str(collect_text(item, "type"))),
                                 json_is_true(json_object_get(item, "key"))};
        if (mask[0] && mask_parse(&c->masks[i], slice_str(mask)) != MASK_OK)
            return collect_fail(c, "failed", "definition-invalid", "/columns", "no such mask");
    }
    memcpy(c->columns + n, provenance, sizeof provenance);
    c->n_columns = n;
    return true;
}

/* The standard is the body of a request that nobody sends: libs/schema checks bodies. */
static bool read_standard(struct collect *c)
{
    json_t *standard = json_object_get(c->job, "standard");
    struct schema_error err;
    if (!json_is_object(standard))
        return true;
    json_t *api =
        json_pack("{s:s, s:{s:s, s:s}, s:{s:{s:{s:{s:b, s:{s:{s:O}}}, s:{s:{s:s}}}}}}", "openapi",
                  "3.1.0", "info", "title", "standard", "version", "1", "paths", "/", "post",
                  "requestBody", "required", 1, "content", "application/json", "schema", standard,
                  "responses", "200", "description", "ok");
    enum schema_err e = api ? schema_compile(api, &c->standard, &err) : SCHEMA_ENOMEM;
    json_decref(api);
    return e == SCHEMA_OK ||
           collect_fail(c, "failed", "definition-invalid", "/standard", "it cannot be enforced");
}

/* Inputs -----------------------------------------------------------------------------------------
 */
static void note_input(struct collect *c, const json_t *input, const char *result, uint64_t n)
{
    json_array_append_new(c->inputs,
                          json_pack("{s:s, s:s, s:I}", "sender", collect_text(input, "sender"),
                                    "transfer", result, "received", (json_int_t)n));
}

static bool each_record(struct collect *c, const json_t *input, const json_t *records)
{
    size_t i;
    json_t *record;
    json_array_foreach(records, i, record)
    {
        if (!collect_record(c, record, collect_text(input, "sender")))
            return false;
    }
    return true;
}

struct fetched {     /* answers, opened, before the load begins */
    json_t *records; /* one array for each input; null for a source */
};

static bool fetch_one(struct collect *c, const json_t *input, json_t *out)
{
    const char *kind = collect_text(input, "kind");
    struct buf answer;
    json_t *records = NULL;
    if (strcmp(kind, "source") == 0)
        return json_array_append_new(out, json_null()) == 0;
    if (strcmp(kind, "inline") == 0)
        return json_array_append(out, json_object_get(input, "records")) == 0;
    buf_init(&answer);
    if (collect_fetch(c, input, &answer))
        records = collect_open(c, input, buf_slice(&answer));
    buf_wipe(&answer);
    if (!records)
        note_input(c, input, "failed", 0);
    return records && json_array_append_new(out, records) == 0;
}

static bool fetch_all(struct collect *c, json_t *out)
{
    size_t i;
    json_t *input;
    json_array_foreach(json_object_get(c->job, "inputs"), i, input)
    {
        if (!fetch_one(c, input, out))
            return c->code ? false : collect_fail(c, "failed", "out-of-memory", "", "");
    }
    return true;
}

static bool take_all(struct collect *c, const json_t *fetched)
{
    size_t i;
    json_t *input;
    json_array_foreach(json_object_get(c->job, "inputs"), i, input)
    {
        const json_t *records = json_array_get(fetched, i);
        uint64_t n = json_array_size(records);
        bool ok =
            json_is_array(records) ? each_record(c, input, records) : collect_table(c, input, &n);
        note_input(c, input, ok ? "complete" : "failed", n);
        if (!ok)
            return false;
    }
    return collect_finish_merge(c);
}

/* The report ------------------------------------------------------------------------------------
 */
static json_t *report_of(const struct collect *c)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:O}", "outcome",
                     c->outcome ? c->outcome : "succeeded", "code", c->code ? c->code : "", "where",
                     c->where, "detail", c->detail, "received", (json_int_t)c->received, "accepted",
                     (json_int_t)c->accepted, "duplicate", (json_int_t)c->duplicate, "blank",
                     (json_int_t)c->blank, "illegal", (json_int_t)c->illegal, "converted",
                     (json_int_t)c->converted, "quarantined", (json_int_t)c->quarantined, "inputs",
                     c->inputs);
}

static void add_sum(json_t *report, const struct zone_sum *sum)
{
    char hex[CODEC_HEX_LEN(CRYPTO_HASH_LEN)];
    json_object_set_new(report, "rows", json_integer((json_int_t)sum->rows));
    json_object_set_new(report, "sm3",
                        json_stringn(hex, codec_hex(hex, sum->sm3, sizeof sum->sm3)));
}

static bool keep_report(struct collect *c, const char *run, const json_t *report)
{
    sqlite3 *db = zone_handle(c->zone);
    sqlite3_stmt *st = NULL;
    char *text = json_dumps(report, JSON_COMPACT);
    int rc =
        text ? sqlite3_prepare_v2(db, "INSERT INTO _sluice_runs VALUES (?, ?, ?)", -1, &st, NULL)
             : SQLITE_NOMEM;
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(st, 1, run, -1, SQLITE_STATIC);
        sqlite3_bind_text(st, 2, text, -1, SQLITE_STATIC);
        sqlite3_bind_int64(st, 3, (sqlite3_int64)clock_wall_ms());
        rc = sqlite3_step(st);
    }
    sqlite3_finalize(st);
    free(text);
    return rc == SQLITE_DONE || store_failed(c, ZONE_EIO);
}

/* What was given and what the store is about to show have one digest, or nothing is shown. */
static json_t *commit(struct collect *c, const char *run)
{
    struct zone_sum given, held;
    zone_sum_end(&c->given, &given);
    zone_sum_init(&c->given);
    enum zone_err err = zone_load_sum(c->zone, &held);
    if (err) {
        store_failed(c, err);
        return NULL;
    }
    if (given.rows != held.rows || memcmp(given.sm3, held.sm3, sizeof held.sm3) != 0) {
        collect_fail(c, "failed", "checksum-mismatch", "", "what was stored is not what was sent");
        return NULL;
    }
    json_t *report = report_of(c);
    add_sum(report, &held);
    if (keep_report(c, run, report) && (err = zone_load_commit(c->zone, NULL)) != ZONE_OK)
        store_failed(c, err);
    if (c->code) {
        json_decref(report);
        return NULL;
    }
    return report;
}

static enum zone_mode mode_of(const json_t *job)
{
    const char *mode = collect_text(job, "mode");
    return strcmp(mode, "replace") == 0  ? ZONE_REPLACE
           : strcmp(mode, "upsert") == 0 ? ZONE_UPSERT
                                         : ZONE_APPEND;
}

#define TURN_S 60
#define LOADS  8

/* Loads into one store wait for each other: each is one transaction of its file. */
static pthread_mutex_t loads[LOADS] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                       PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};

static json_t *load(struct collect *c, const char *run, const json_t *fetched)
{
    sqlite3 *db = zone_handle(c->zone);
    sqlite3_stmt *st = NULL;
    json_t *report = NULL;
    if (sqlite3_exec(db, tables, NULL, NULL, NULL) != SQLITE_OK) {
        store_failed(c, ZONE_EIO);
        return NULL;
    }
    enum zone_err err =
        zone_load_begin(c->zone, slice_str(run), slice_str(collect_text(c->job, "table")),
                        mode_of(c->job), c->columns, c->n_columns + COLLECT_PROVENANCE, NULL);
    if (err) {
        store_failed(c, err);
        return NULL;
    }
    if (sqlite3_prepare_v2(db, "INSERT INTO _sluice_quarantine VALUES (?, ?, ?, ?, ?, ?)", -1, &st,
                           NULL) == SQLITE_OK) {
        c->quarantine = st;
        report = take_all(c, fetched) ? commit(c, run) : NULL;
    } else {
        store_failed(c, ZONE_EIO);
    }
    sqlite3_finalize(st);
    zone_load_abort(c->zone);
    return report;
}

static json_t *send(struct collect *c)
{
    char hex[65] = "";
    json_t *none = json_array();
    c->outgoing = json_array();
    bool ok = take_all(c, none) && collect_send(c, hex) && !c->code;
    json_decref(none);
    json_t *report = ok ? report_of(c) : NULL;
    if (report)
        json_object_set_new(report, "sm3", json_string(hex));
    return report;
}

static json_t *work(struct collect *c)
{
    struct uuid target;
    const char *id = collect_text(c->job, "target"), *run = collect_text(c->job, "run");
    json_t *report = NULL, *fetched;
    if (!uuid_parse(&target, id, strlen(id)) || !run[0]) {
        collect_fail(c, "failed", "definition-invalid", "/target", "");
        return NULL;
    }
    report = collect_done(c->env, &target, run);
    if (report || !read_columns(c) || !read_standard(c))
        return report;
    if (json_is_object(json_object_get(c->job, "send")))
        return send(c);
    if (json_is_string(json_object_get(c->job, "merge")))
        c->merged = json_object();
    fetched = json_array();
    if (fetch_all(c, fetched)) {
        enum zone_err err = zone_open(&c->zone, c->env->data_dir, &target);
        if (err)
            store_failed(c, err);
        else {
            pthread_mutex_t *turn = &loads[target.b[UUID_LEN - 1] % LOADS];
            struct timespec until;
            clock_gettime(CLOCK_REALTIME, &until);
            until.tv_sec += TURN_S;
            if (pthread_mutex_timedlock(turn, &until) == 0) {
                report = load(c, run, fetched);
                pthread_mutex_unlock(turn);
            } else {
                collect_fail(c, "failed", "store-failed", "", "another load of the store goes on");
            }
        }
    }
    json_decref(fetched);
    return report;
}

json_t *collect_run(const struct collect_env *env, const json_t *job)
{
    struct collect c = {.env = env, .job = job, .inputs = json_array()};
    clock_format_ms(clock_wall_ms(), c.at);
    zone_sum_init(&c.given);
    json_t *report = work(&c);
    if (!report)
        report = report_of(&c);
    struct zone_sum unused;
    zone_sum_end(&c.given, &unused);
    zone_close(&c.zone);
    schema_free(&c.standard);
    free(c.columns);
    free(c.masks);
    free(c.seen.slots);
    json_decref(c.merged);
    json_decref(c.outgoing);
    json_decref(c.inputs);
    return report;
}

enum zone_err collect_make_table(const struct collect_env *env, const struct uuid *target,
                                 const char *table, const json_t *columns)
{
    const json_t *job = json_pack("{s:O}", "columns", columns);
    struct collect c = {.env = env, .job = job};
    enum zone_err err =
        job && read_columns(&c) ? zone_open(&c.zone, env->data_dir, target) : ZONE_ENAME;
    if (!err)
        err =
            zone_table_make(c.zone, slice_str(table), c.columns, c.n_columns + COLLECT_PROVENANCE);
    zone_close(&c.zone);
    free(c.columns);
    free(c.masks);
    json_decref((json_t *)(uintptr_t)job);
    return err;
}

/* Reading back -----------------------------------------------------------------------------------
 */
static sqlite3_stmt *prepare(struct zone *z, const char *sql, const char *run)
{
    sqlite3_stmt *st = NULL;
    if (sqlite3_prepare_v2(zone_handle(z), sql, -1, &st, NULL) == SQLITE_OK)
        sqlite3_bind_text(st, 1, run, -1, SQLITE_STATIC);
    return st;
}

json_t *collect_done(const struct collect_env *env, const struct uuid *target, const char *run)
{
    struct zone *z = NULL;
    json_t *report = NULL;
    if (zone_open(&z, env->data_dir, target) != ZONE_OK)
        return NULL;
    sqlite3_stmt *st = prepare(z, "SELECT report FROM _sluice_runs WHERE id = ?", run);
    if (st && sqlite3_step(st) == SQLITE_ROW)
        report = json_loads((const char *)sqlite3_column_text(st, 0), 0, NULL);
    sqlite3_finalize(st);
    zone_close(&z);
    return report;
}

static json_t *kept_apart(sqlite3_stmt *st)
{
    json_error_t err;
    json_t *record = json_loads((const char *)sqlite3_column_text(st, 4), JSON_DECODE_ANY, &err);
    return json_pack("{s:I, s:s, s:s, s:s, s:o}", "n", (json_int_t)sqlite3_column_int64(st, 0),
                     "sender", sqlite3_column_text(st, 1), "reason", sqlite3_column_text(st, 2),
                     "where", sqlite3_column_text(st, 3), "record", record ? record : json_null());
}

json_t *collect_quarantine(const struct collect_env *env, const struct uuid *target,
                           const char *run, uint64_t offset)
{
    static const char sql[] =
        "SELECT n, sender, reason, place, record FROM _sluice_quarantine WHERE run = ?"
        " ORDER BY n LIMIT 100 OFFSET ?";
    struct zone *z = NULL;
    if (zone_open(&z, env->data_dir, target) != ZONE_OK)
        return NULL;
    json_t *items = json_array();
    sqlite3_stmt *st = prepare(z, sql, run);
    if (st)
        sqlite3_bind_int64(st, 2, (sqlite3_int64)offset);
    while (st && sqlite3_step(st) == SQLITE_ROW)
        json_array_append_new(items, kept_apart(st));
    sqlite3_finalize(st);
    zone_close(&z);
    return json_pack("{s:o}", "items", items);
}
