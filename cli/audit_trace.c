/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit trace: one transaction from the enterprise that called to the provider whose data it
 * was (SW-8.3.4): what the call log says of the call and of the parts it was composed of, whose app
 * and whose data that is by the control plane's store, and what was written by the journal. */
#include <inttypes.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "audit.h"
#include "audit/audit.h"

#define PARTS_MAX 256 /* calls of one composition: libs/graph has fewer */
#define PART_OF   "part of "

struct trace {
    struct uuid txn;
    char text[UUID_TEXT_LEN + 1];
    json_t *whole, *parts;
};

/* A part names the whole where another call's target stands. */
static bool is_part(const struct trace *t, struct slice target)
{
    size_t n = sizeof PART_OF - 1;
    return target.n >= n + UUID_TEXT_LEN && memcmp(target.p, PART_OF, n) == 0 &&
           memcmp(target.p + n, t->text, UUID_TEXT_LEN) == 0;
}

static bool collect(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    struct trace *t = ctx;
    const struct audit_call *call = &rec->call;
    if (call->kind != AUDIT_CALL) {
        return true;
    }
    if (uuid_eq(&call->txn, &t->txn)) {
        json_decref(t->whole);
        t->whole = cli_audit_record(rec, plan);
    } else if (is_part(t, call->target) && json_array_size(t->parts) < PARTS_MAX) {
        json_array_append_new(t->parts, cli_audit_record(rec, plan));
    }
    return true;
}

static void say_defect(void *ctx, const struct audit_finding *f)
{
    (void)ctx;
    fprintf(stderr, "sluice audit: DEFECT %s, record %" PRIu64 ": %s\n", f->segment, f->index,
            f->text);
}

/* Stores ---------------------------------------------------------------------------------------
 */
static sqlite3 *open_store(const char *path)
{
    sqlite3 *db = NULL;
    if (path[0] && sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 5000) == SQLITE_OK) {
        return db;
    }
    sqlite3_close(db);
    return NULL;
}

/* Each row of sql, bound to one text, with its columns' names. New array. */
static json_t *rows_of(sqlite3 *db, const char *sql, const char *bound)
{
    json_t *list = json_array();
    sqlite3_stmt *st = NULL;
    if (db == NULL || bound == NULL || sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK) {
        return list;
    }
    sqlite3_bind_text(st, 1, bound, -1, SQLITE_STATIC);
    while (sqlite3_step(st) == SQLITE_ROW) {
        json_t *row = json_object();
        for (int i = 0; i < sqlite3_column_count(st); i++) {
            const char *text = (const char *)sqlite3_column_text(st, i);
            json_object_set_new(row, sqlite3_column_name(st, i),
                                sqlite3_column_type(st, i) == SQLITE_INTEGER
                                    ? json_integer(sqlite3_column_int64(st, i))
                                : text == NULL ? json_null()
                                               : json_string(text));
        }
        json_array_append_new(list, row);
    }
    sqlite3_finalize(st);
    return list;
}

static json_t *row_of(sqlite3 *db, const char *sql, const char *bound)
{
    json_t *list = rows_of(db, sql, bound);
    json_t *row = json_incref(json_array_get(list, 0));
    json_decref(list);
    return row ? row : json_object();
}

/* The hops ------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Moves members of the record into a hop. */
static json_t *hop(const char *role, const json_t *record, const char *const *members)
{
    json_t *out = json_pack("{s:s}", "hop", role);
    for (size_t i = 0; members[i] != NULL; i++) {
        json_object_set(out, members[i], json_object_get(record, members[i]));
    }
    return out;
}

static json_t *enterprise(sqlite3 *db, const json_t *record)
{
    static const char *const members[] = {"at",   "app",   "credential", "token",
                                          "user", "owner", "client",     NULL};
    static const char sql[] = "SELECT o.id AS organisation_id, o.name AS organisation, p.name AS "
                              "app_name FROM apps p JOIN organisations o ON o.id = "
                              "p.organisation_id WHERE p.id = ?";
    json_t *out = hop("enterprise", record, members), *names;
    names = row_of(db, sql, text_of(record, "app"));
    json_object_update(out, names);
    json_decref(names);
    return out;
}

static json_t *gateway(const json_t *record)
{
    static const char *const members[] = {
        "segment", "record",     "method", "target",    "class",    "status", "result", "reason",
        "grant",   "elapsed_us", "rows",   "bytes_out", "bytes_in", "fields", NULL};
    return hop("gateway", record, members);
}

static json_t *service(sqlite3 *db, sqlite3 *journal, const json_t *record, const char *txn)
{
    static const char *const members[] = {"api", "api_revision", NULL};
    static const char sql[] =
        "SELECT a.name AS api_name, a.version, a.path, a.kind, d.id AS dataset_id, d.name AS "
        "dataset, d.\"table\" FROM apis a LEFT JOIN datasets d ON d.id = a.dataset_id WHERE a.id "
        "= ?";
    static const char writes[] = "SELECT id AS operation_id, kind, state, n_rows AS rows FROM "
                                 "operations WHERE txn = ? ORDER BY seq";
    json_t *names = row_of(db, sql, text_of(record, "api"));
    const char *kind = text_of(names, "kind");
    bool unit = kind != NULL && strcmp(kind, "http") == 0;
    json_t *out = hop(unit ? "interface" : "data-service", record, members);
    json_object_update(out, names);
    json_decref(names);
    json_object_set_new(out, "written", rows_of(journal, writes, txn));
    return out;
}

/* A composed API has no provider of its own: its parts have. */
static json_t *provider(sqlite3 *db, const json_t *record)
{
    static const char *const none[] = {NULL};
    static const char sql[] =
        "SELECT o.id AS organisation_id, o.name AS organisation, s.id AS source_id, s.name AS "
        "source, coalesce(s.zone, 'outside') AS zone, a.upstream FROM apis a LEFT JOIN datasets d "
        "ON d.id = a.dataset_id LEFT JOIN sources s ON s.id = d.source_id JOIN organisations o ON "
        "o.id = coalesce(d.organisation_id, a.organisation_id) WHERE a.id = ? AND a.kind <> "
        "'composed'";
    json_t *out = hop("provider", record, none);
    json_t *names = row_of(db, sql, text_of(record, "api"));
    bool known = json_object_size(names) > 0;
    json_object_update(out, names);
    json_decref(names);
    if (!known) {
        json_decref(out);
        return NULL;
    }
    return out;
}

/* A call that was refused went no further than the gateway. */
static json_t *chain_of(sqlite3 *db, sqlite3 *journal, const json_t *record, bool part)
{
    json_t *hops = json_array();
    const char *result = text_of(record, "result");
    if (!part) {
        json_array_append_new(hops, enterprise(db, record));
    }
    json_array_append_new(hops, gateway(record));
    if (result != NULL && strcmp(result, "success") == 0) {
        json_array_append_new(hops, service(db, journal, record, text_of(record, "transaction")));
        json_t *last = provider(db, record);
        if (last != NULL) {
            json_array_append_new(hops, last);
        }
    }
    return hops;
}

static json_t *trace_of(const struct trace *t, sqlite3 *db, sqlite3 *journal)
{
    json_t *parts = json_array(), *record;
    size_t i;
    json_array_foreach(t->parts, i, record)
    {
        json_array_append_new(parts, json_pack("{s:O, s:o}", "transaction",
                                               json_object_get(record, "transaction"), "hops",
                                               chain_of(db, journal, record, true)));
    }
    return json_pack("{s:s, s:o, s:o}", "transaction", t->text, "hops",
                     chain_of(db, journal, t->whole, false), "parts", parts);
}

/* For people ----------------------------------------------------------------------------------- */

static void print_member(const json_t *h, const char *name)
{
    const json_t *v = json_object_get(h, name);
    if (json_is_integer(v)) {
        printf(" %s=%" JSON_INTEGER_FORMAT, name, json_integer_value(v));
    }
    for (const char *s = json_string_value(v), *first = s; s != NULL && *s != 0; s++) {
        if (s == first) {
            printf(" %s=", name);
        }
        putchar((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s); /* a hostile path */
    }
}

static void print_hops(const json_t *hops, int indent)
{
    static const char *const shown[] = {
        "at",         "organisation", "app_name", "app",    "client", "owner",
        "method",     "api_name",     "version",  "path",   "kind",   "dataset",
        "table",      "status",       "reason",   "grant",  "rows",   "bytes_out",
        "elapsed_us", "segment",      "record",   "source", "zone",   "upstream"};
    json_t *h;
    size_t i;
    json_array_foreach(hops, i, h)
    {
        printf("%*s%s %s:", indent, "", i == 0 ? " " : "->", text_of(h, "hop"));
        for (size_t k = 0; k < sizeof shown / sizeof *shown; k++) {
            print_member(h, shown[k]);
        }
        putchar('\n');
    }
}

static void print_trace(const json_t *trace)
{
    json_t *part;
    size_t i;
    printf("transaction %s\n", text_of(trace, "transaction"));
    print_hops(json_object_get(trace, "hops"), 2);
    json_array_foreach(json_object_get(trace, "parts"), i, part)
    {
        printf("  part %s\n", text_of(part, "transaction"));
        print_hops(json_object_get(part, "hops"), 4);
    }
}

int cli_audit_trace(const struct audit_options *o)
{
    struct trace t = {.txn = o->txn, .parts = json_array()};
    struct audit_summary sum;
    char journal_path[sizeof o->store + 32];
    uuid_format(&o->txn, t.text);
    enum audit_err err = audit_walk(o->dir, NULL, collect, say_defect, &t, &sum);
    if (err == AUDIT_EIO || t.whole == NULL) {
        fprintf(stderr, "sluice audit: %s: %s\n", err == AUDIT_EIO ? o->dir : t.text,
                err == AUDIT_EIO ? audit_strerror(err) : "the log has no such transaction");
        json_decref(t.whole);
        json_decref(t.parts);
        return err == AUDIT_EIO ? 2 : 1;
    }
    snprintf(journal_path, sizeof journal_path, "%s/data/journal/journal.db",
             o->dir_given ? "" : o->data_dir);
    sqlite3 *db = open_store(o->store), *journal = open_store(journal_path);
    json_t *trace = trace_of(&t, db, journal);
    if (o->json) {
        json_dumpf(trace, stdout, JSON_COMPACT);
        putchar('\n');
    } else {
        print_trace(trace);
    }
    json_decref(trace);
    json_decref(t.whole);
    json_decref(t.parts);
    sqlite3_close(journal);
    sqlite3_close(db);
    return 0;
}
