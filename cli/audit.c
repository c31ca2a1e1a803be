/* SPDX-License-Identifier: Apache-2.0 */
/* sluice audit verify | show | operations: the call log and the operations log, to people and
 * scripts. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "cli.h"
#include "settings.h"

#define SHOW_LIMIT 100

static const char usage_text[] =
    "usage: sluice audit verify     [--data-dir D | --dir DIR] [--key PUB.pem] [--store FILE]\n"
    "       sluice audit show       [--data-dir D | --dir DIR] [filters] [--limit N] [--json | "
    "--table]\n"
    "       sluice audit operations [--data-dir D | --store FILE] [--limit N]\n"
    "\n"
    "verify      checks every record of the call log against its chain, the seals and the signed "
    "heads, and\n"
    "            every operation of the control plane against its chain. Prints each defect with "
    "its segment\n"
    "            and record. Exit code 0 only when all is well.\n"
    "show        prints calls, newest last: who got which field of whose data, on which grant, "
    "masked how.\n"
    "operations  prints what was changed on the control plane, by whom, before and after.\n"
    "\n"
    "  --data-dir D   the platform's data directory (" SETTINGS_DATA_DIR
    "): log in D/gateway/audit, "
    "public key\n"
    "                 D/keys/audit.pub, operations in D/control/store.db\n"
    "  --dir DIR      the log alone, e.g. a copy on an auditor's machine; give --key with it\n"
    "  --key PUB.pem  the node's public SM2 key; without one only the chains can be checked\n"
    "filters: --app ID, --api ID, --owner O, --txn ID, --grant ID, --refused,\n"
    "         --since TIME, --until TIME   as 2026-11-22T01:02:03Z\n"
    "  --limit N      at most the newest N (default 100; 0: all)\n"
    "\n"
    "examples:\n"
    "  sluice audit verify --data-dir var\n"
    "  sluice audit show --owner M00042 --since 2026-11-01T00:00:00Z --json | jq .fields\n"
    "  sluice audit show --refused --limit 20\n";

enum {
    OPT_DATA = 256,
    OPT_DIR,
    OPT_KEY,
    OPT_STORE,
    OPT_APP,
    OPT_API,
    OPT_OWNER,
    OPT_TXN,
    OPT_GRANT,
    OPT_SINCE,
    OPT_UNTIL,
    OPT_REFUSED,
    OPT_LIMIT,
    OPT_JSON,
    OPT_TABLE,
    OPT_HELP
};

static const struct option long_options[] = {
    {"data-dir", required_argument, NULL, OPT_DATA},
    {"dir", required_argument, NULL, OPT_DIR},
    {"key", required_argument, NULL, OPT_KEY},
    {"store", required_argument, NULL, OPT_STORE},
    {"app", required_argument, NULL, OPT_APP},
    {"api", required_argument, NULL, OPT_API},
    {"owner", required_argument, NULL, OPT_OWNER},
    {"txn", required_argument, NULL, OPT_TXN},
    {"grant", required_argument, NULL, OPT_GRANT},
    {"since", required_argument, NULL, OPT_SINCE},
    {"until", required_argument, NULL, OPT_UNTIL},
    {"refused", no_argument, NULL, OPT_REFUSED},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"json", no_argument, NULL, OPT_JSON},
    {"table", no_argument, NULL, OPT_TABLE},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

struct options {
    const char *data_dir, *owner;
    char dir[4096], key[4096], store[4096];
    struct uuid app, api, txn, grant; /* nil: any */
    uint64_t since_ms, until_ms;
    size_t limit;
    bool refused, json, help, dir_given, key_given;
};

static bool read_uuid(struct uuid *id, const char *name, const char *text)
{
    if (uuid_parse(id, text, strlen(text))) {
        return true;
    }
    fprintf(stderr,
            "sluice audit: --%s wants an id like 0193500a-7c00-7000-8000-000000000001, not '%s'\n",
            name, text);
    return false;
}

static bool read_time(uint64_t *ms, const char *name, const char *text)
{
    if (clock_parse_ms(text, strlen(text), ms)) {
        return true;
    }
    fprintf(stderr, "sluice audit: --%s wants a time like 2026-11-22T01:02:03Z, not '%s'\n", name,
            text);
    return false;
}

static bool read_limit(size_t *limit, const char *text)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != 0 || *text == '-') {
        fprintf(stderr, "sluice audit: --limit wants a number, not '%s'\n", text);
        return false;
    }
    *limit = (size_t)v;
    return true;
}

static bool take_option(struct options *o, int opt)
{
    switch (opt) {
    case OPT_DATA:
        o->data_dir = optarg;
        return true;
    case OPT_DIR:
        snprintf(o->dir, sizeof o->dir, "%s", optarg);
        o->dir_given = true;
        return true;
    case OPT_KEY:
        snprintf(o->key, sizeof o->key, "%s", optarg);
        o->key_given = true;
        return true;
    case OPT_STORE:
        snprintf(o->store, sizeof o->store, "%s", optarg);
        return true;
    case OPT_OWNER:
        o->owner = optarg;
        return true;
    case OPT_APP:
        return read_uuid(&o->app, "app", optarg);
    case OPT_API:
        return read_uuid(&o->api, "api", optarg);
    case OPT_TXN:
        return read_uuid(&o->txn, "txn", optarg);
    case OPT_GRANT:
        return read_uuid(&o->grant, "grant", optarg);
    case OPT_SINCE:
        return read_time(&o->since_ms, "since", optarg);
    case OPT_UNTIL:
        return read_time(&o->until_ms, "until", optarg);
    case OPT_REFUSED:
        o->refused = true;
        return true;
    case OPT_LIMIT:
        return read_limit(&o->limit, optarg);
    case OPT_JSON:
        o->json = true;
        return true;
    case OPT_TABLE:
        o->json = false;
        return true;
    case OPT_HELP:
        o->help = true;
        return true;
    default:
        return false; /* getopt_long has said why */
    }
}

static bool read_options(struct options *o, int argc, char **argv)
{
    *o = (struct options){.data_dir = SETTINGS_DATA_DIR, .limit = SHOW_LIMIT};
    optind = 1;
    for (int opt; (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if (!take_option(o, opt)) {
            return false;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sluice audit: what is '%s'?\n", argv[optind]);
        return false;
    }
    const struct {
        char *at;
        const char *below;
        bool wanted;
    } paths[] = {
        {o->dir, "gateway/audit", true},
        {o->key, "keys/audit.pub", !o->dir_given},
        {o->store, "control/store.db", !o->dir_given},
    };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (paths[i].at[0] == 0 && paths[i].wanted) {
            snprintf(paths[i].at, sizeof o->dir, "%s/%s", o->data_dir, paths[i].below);
        }
    }
    return true;
}

/* verify -------------------------------------------------------------------------------------- */

static void print_finding(void *ctx, const struct audit_finding *f)
{
    (*(uint64_t *)ctx)++;
    printf("DEFECT  %s, record %" PRIu64 ": %s\n", f->segment, f->index, f->text);
}

static void hash_text(struct crypto_hasher *h, const char *text, bool newline)
{
    crypto_hasher_add(h, text, strlen(text));
    if (newline) {
        crypto_hasher_add(h, "\n", 1);
    }
}

#define OPERATIONS                                                                                 \
    "SELECT seq, at_ms, actor, action, kind, resource_id, before, after, chain FROM operations "   \
    "ORDER BY seq"
enum { OP_SEQ, OP_AT, OP_ACTOR, OP_ACTION, OP_KIND, OP_RESOURCE, OP_BEFORE, OP_AFTER, OP_CHAIN };

static const char *column(sqlite3_stmt *st, int i)
{
    const char *text = (const char *)sqlite3_column_text(st, i);
    return text == NULL ? "" : text;
}

/* Chain of one operation: SM3(previous || seq \n at_ms \n … before \n after). */
static void hash_operation(struct crypto_hasher *h, sqlite3_stmt *st,
                           uint8_t chain[static CRYPTO_HASH_LEN])
{
    crypto_hasher_reset(h);
    crypto_hasher_add(h, chain, CRYPTO_HASH_LEN);
    for (int i = OP_SEQ; i <= OP_AFTER; i++) {
        hash_text(h, column(st, i), i < OP_AFTER);
    }
    crypto_hasher_end(h, chain);
}

static sqlite3 *open_store(const char *path)
{
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(db, 5000) == SQLITE_OK) {
        return db;
    }
    sqlite3_close(db);
    return NULL;
}

/* Returns the number of defects; *count the operations read. */
static uint64_t check_operations(sqlite3_stmt *st, uint64_t *count)
{
    struct crypto_hasher h;
    uint8_t chain[CRYPTO_HASH_LEN] = {0};
    uint64_t defects = 0;
    sqlite3_int64 last = 0;
    crypto_hasher_init(&h, CRYPTO_SM3);
    while (sqlite3_step(st) == SQLITE_ROW) {
        sqlite3_int64 seq = sqlite3_column_int64(st, OP_SEQ);
        (*count)++;
        if (seq != last + 1) {
            printf("DEFECT  operations: %lld to %lld are missing\n", (long long)last + 1,
                   (long long)seq - 1);
            defects++;
        }
        last = seq;
        hash_operation(&h, st, chain);
        const void *stored = sqlite3_column_blob(st, OP_CHAIN);
        bool sized = sqlite3_column_bytes(st, OP_CHAIN) == CRYPTO_HASH_LEN;
        if (!sized || memcmp(stored, chain, CRYPTO_HASH_LEN) != 0) {
            printf("DEFECT  operations: operation %lld does not match its chain value: it was "
                   "changed, or one before it removed\n",
                   (long long)seq);
            defects++;
        }
        if (sized) {
            memcpy(chain, stored,
                   CRYPTO_HASH_LEN); /* go on from what is stored: name each defect once */
        }
    }
    crypto_hasher_fini(&h);
    return defects;
}

static uint64_t verify_operations(const struct options *o)
{
    sqlite3_stmt *st = NULL;
    uint64_t count = 0, defects = 1;
    if (o->store[0] == 0 || access(o->store, F_OK) != 0) {
        puts("operations: no store here, not checked");
        return 0;
    }
    sqlite3 *db = open_store(o->store);
    if (db == NULL || sqlite3_prepare_v2(db, OPERATIONS, -1, &st, NULL) != SQLITE_OK) {
        printf("DEFECT  operations: the store %s cannot be read: %s\n", o->store,
               db == NULL ? "cannot open" : sqlite3_errmsg(db));
    } else {
        defects = check_operations(st, &count);
        printf("operations: %" PRIu64 " checked, %" PRIu64 " defects\n", count, defects);
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return defects;
}

static int verify(const struct options *o)
{
    struct crypto_sm2 *key = NULL;
    struct audit_summary sum;
    uint64_t findings = 0;
    bool keyed = o->key[0] != 0 && crypto_sm2_load(&key, o->key) == CRYPTO_OK;
    if (!keyed && o->key_given) {
        fprintf(stderr, "sluice audit: no SM2 key can be read from %s\n", o->key);
        return 2;
    }
    enum audit_err err = audit_walk(o->dir, key, NULL, print_finding, &findings, &sum);
    crypto_sm2_free(&key);
    if (err != AUDIT_OK && err != AUDIT_EBROKEN) {
        fprintf(stderr, "sluice audit: %s: %s\n", o->dir, audit_strerror(err));
        return 2;
    }
    printf("calls: %" PRIu64 " segments (%" PRIu64 " sealed), %" PRIu64 " records, %" PRIu64
           " calls, %" PRIu64 " answers cut short, %" PRIu64 " defects\n",
           sum.segments, sum.sealed, sum.records, sum.calls, sum.interrupted, findings);
    if (!keyed) {
        printf("signatures: NOT CHECKED, no key%s%s; give --key\n", o->key[0] != 0 ? " at " : "",
               o->key);
    }
    uint64_t defects = verify_operations(o);
    bool well = err == AUDIT_OK && defects == 0 && keyed;
    puts(well ? "OK" : err == AUDIT_OK && defects == 0 ? "INCOMPLETE" : "BROKEN");
    return well ? 0 : 1;
}

/* show ---------------------------------------------------------------------------------------- */

struct shown {
    uint64_t at_us;
    json_t *record;
};

struct show {
    const struct options *o;
    struct shown *rows;
    size_t n, cap;
    bool no_memory;
};

static bool id_matches(const struct uuid *want, const struct uuid *got)
{
    return uuid_is_nil(want) || uuid_eq(want, got);
}

static bool wanted(const struct options *o, const struct audit_call *c)
{
    uint64_t at_ms = c->at_us / 1000;
    return id_matches(&o->app, &c->app) && id_matches(&o->api, &c->api) &&
           id_matches(&o->txn, &c->txn) && id_matches(&o->grant, &c->grant) &&
           (o->owner == NULL || slice_eq(slice_str(o->owner), c->owner)) &&
           (o->since_ms == 0 || at_ms >= o->since_ms) &&
           (o->until_ms == 0 || at_ms < o->until_ms) &&
           (!o->refused || (c->kind == AUDIT_CALL && c->reason != PROBLEM_OK));
}

static void set_id(json_t *out, const char *name, const struct uuid *id)
{
    char text[UUID_TEXT_LEN + 1];
    uuid_format(id, text);
    json_object_set_new(out, name, uuid_is_nil(id) ? json_null() : json_string(text));
}

/* Text from outside may be no UTF-8; then it is shown as hex rather than not at all. */
static void set_text(json_t *out, const char *name, struct slice text)
{
    json_t *value = text.n == 0 ? json_null() : json_stringn(text.p, text.n);
    if (value == NULL) {
        char hex[2 * 512 + 1];
        size_t n = codec_hex(hex, text.p, text.n <= 512 ? text.n : 512);
        value = json_sprintf("hex:%.*s", (int)n, hex);
    }
    json_object_set_new(out, name, value);
}

static void set_client(json_t *out, struct slice client)
{
    char text[INET6_ADDRSTRLEN];
    bool ok = (client.n == 4 || client.n == 16) &&
              inet_ntop(client.n == 4 ? AF_INET : AF_INET6, client.p, text, sizeof text) != NULL;
    json_object_set_new(out, "client", ok ? json_string(text) : json_null());
}

/* Only fields that left, by name, each with its level and what was done to it. */
static json_t *fields_of(const struct audit_call *c, const json_t *plan)
{
    json_t *out = json_array(), *fields = json_object_get(plan, "fields");
    for (uint32_t i = 0; i < c->n_fields; i++) {
        if ((c->seen[i / 64] >> (i % 64) & 1) == 0) {
            continue;
        }
        json_t *field = json_array_get(fields, i);
        json_t *item = field == NULL
                           ? json_pack("{s:i}", "field", (int)i)
                           : json_pack("{s:O,s:O,s:O}", "path", json_object_get(field, "path"),
                                       "level", json_object_get(field, "level"), "outcome",
                                       json_object_get(field, "outcome"));
        const char *mask = json_string_value(json_object_get(field, "mask"));
        if (mask != NULL && *mask != 0) {
            json_object_set_new(item, "mask", json_string(mask));
        }
        json_array_append_new(out, item);
    }
    return out;
}

static const char *method_text(uint8_t method)
{
    static const struct {
        uint8_t bit;
        const char *text;
    } methods[] = {
        {POLICY_GET, "GET"}, {POLICY_HEAD, "HEAD"},   {POLICY_POST, "POST"},
        {POLICY_PUT, "PUT"}, {POLICY_PATCH, "PATCH"}, {POLICY_DELETE, "DELETE"},
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (methods[i].bit == method) {
            return methods[i].text;
        }
    }
    return "other";
}

static json_t *json_of(const struct audit_record *rec, const json_t *plan)
{
    const struct audit_call *c = &rec->call;
    const struct problem_row *reason = problem_row((enum problem)c->reason);
    char at[CLOCK_RFC3339_LEN + 1];
    clock_format_ms(c->at_us / 1000, at);
    json_t *out =
        json_pack("{s:s,s:s,s:I}", "at", at, "kind", c->kind == AUDIT_CALL ? "call" : "open",
                  "elapsed_us", (json_int_t)c->elapsed_us);
    set_id(out, "transaction", &c->txn);
    set_id(out, "app", &c->app);
    set_id(out, "api", &c->api);
    json_object_set_new(out, "api_revision", json_integer((json_int_t)c->api_rev));
    json_object_set_new(out, "class",
                        c->class_ == 0 ? json_null() : json_sprintf("A%u", c->class_));
    set_id(out, "credential", &c->credential);
    set_id(out, "grant", &c->grant);
    set_text(out, "owner", c->owner);
    set_client(out, c->client);
    json_object_set_new(out, "method", json_string(method_text(c->method)));
    set_text(out, "target", c->target);
    json_object_set_new(out, "status", json_integer(c->status));
    json_object_set_new(
        out, "result",
        json_string(c->reason == PROBLEM_OK && c->status < 400 ? "success" : "failure"));
    json_object_set_new(out, "reason", json_string(reason->code));
    json_object_set_new(out, "reason_text", json_string(reason->title_en));
    json_object_set_new(out, "rows", json_integer((json_int_t)c->rows));
    json_object_set_new(out, "bytes_out", json_integer((json_int_t)c->bytes_out));
    json_object_set_new(out, "bytes_in", json_integer((json_int_t)c->bytes_in));
    json_object_set_new(out, "fields", fields_of(c, plan));
    json_object_set_new(out, "segment", json_string(rec->segment));
    json_object_set_new(out, "record", json_integer((json_int_t)rec->index));
    return out;
}

static int by_time(const void *a, const void *b)
{
    const struct shown *x = a, *y = b;
    return x->at_us < y->at_us ? -1 : x->at_us > y->at_us;
}

/* Sorts and keeps the newest. */
static void trim(struct show *s, size_t keep)
{
    if (s->n > 1) {
        qsort(s->rows, s->n, sizeof *s->rows, by_time);
    }
    size_t drop = s->n > keep ? s->n - keep : 0;
    for (size_t i = 0; i < drop; i++) {
        json_decref(s->rows[i].record);
    }
    if (drop > 0) {
        memmove(s->rows, s->rows + drop, (s->n - drop) * sizeof *s->rows);
        s->n -= drop;
    }
}

static bool collect(void *ctx, const struct audit_record *rec, const json_t *plan)
{
    struct show *s = ctx;
    if (!wanted(s->o, &rec->call)) {
        return true;
    }
    if (s->o->limit > 0 && s->n >= 2 * s->o->limit) {
        trim(s, s->o->limit); /* memory stays bounded however long the log */
    }
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 256 : s->cap * 2;
        struct shown *more = reallocarray(s->rows, cap, sizeof *more);
        if (more == NULL) {
            s->no_memory = true;
            return false;
        }
        s->rows = more;
        s->cap = cap;
    }
    s->rows[s->n++] = (struct shown){rec->call.at_us, json_of(rec, plan)};
    return true;
}

static void count_finding(void *ctx, const struct audit_finding *f)
{
    (void)ctx;
    fprintf(stderr, "sluice audit: DEFECT %s, record %" PRIu64 ": %s\n", f->segment, f->index,
            f->text);
}

static const char *text_of(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));
    return text == NULL ? "-" : text;
}

/* Control characters of a hostile path must not reach a terminal. */
static void print_clean(const char *label, const char *text)
{
    printf(" %s=", label);
    for (; *text != 0; text++) {
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
    }
}

static void print_fields(const json_t *record)
{
    size_t i;
    json_t *field;
    json_array_foreach(json_object_get(record, "fields"), i, field)
    {
        const char *mask = json_string_value(json_object_get(field, "mask"));
        printf("%s%s L%" JSON_INTEGER_FORMAT " %s%s%s", i == 0 ? "    fields: " : ", ",
               text_of(field, "path"), json_integer_value(json_object_get(field, "level")),
               text_of(field, "outcome"), mask == NULL ? "" : " by ", mask == NULL ? "" : mask);
    }
    if (json_array_size(json_object_get(record, "fields")) > 0) {
        putchar('\n');
    }
}

static void print_table_row(const json_t *r)
{
    printf("%s %-4s %-6s %3" JSON_INTEGER_FORMAT " %-20s %8" JSON_INTEGER_FORMAT
           " us %6" JSON_INTEGER_FORMAT " rows %9" JSON_INTEGER_FORMAT " bytes\n",
           text_of(r, "at"), text_of(r, "kind"), text_of(r, "method"),
           json_integer_value(json_object_get(r, "status")), text_of(r, "reason"),
           json_integer_value(json_object_get(r, "elapsed_us")),
           json_integer_value(json_object_get(r, "rows")),
           json_integer_value(json_object_get(r, "bytes_out")));
    printf("    txn=%s app=%s api=%s\n    grant=%s", text_of(r, "transaction"), text_of(r, "app"),
           text_of(r, "api"), text_of(r, "grant"));
    print_clean("owner", text_of(r, "owner"));
    print_clean("client", text_of(r, "client"));
    print_clean("target", text_of(r, "target"));
    putchar('\n');
    print_fields(r);
}

static int show(const struct options *o)
{
    struct show s = {.o = o};
    struct audit_summary sum;
    enum audit_err err = audit_walk(o->dir, NULL, collect, count_finding, &s, &sum);
    if (err == AUDIT_EIO || s.no_memory) {
        fprintf(stderr, "sluice audit: %s: %s\n", o->dir,
                s.no_memory ? "out of memory; give --limit" : audit_strerror(err));
        trim(&s, 0);
        free(s.rows);
        return 2;
    }
    trim(&s, o->limit == 0 ? s.n : o->limit);
    for (size_t i = 0; i < s.n; i++) {
        if (o->json) {
            json_dumpf(s.rows[i].record, stdout, JSON_COMPACT);
            putchar('\n');
        } else {
            print_table_row(s.rows[i].record);
        }
    }
    trim(&s, 0);
    free(s.rows);
    return 0;
}

/* operations ---------------------------------------------------------------------------------- */

static json_t *json_column(sqlite3_stmt *st, int i)
{
    json_t *json = sqlite3_column_type(st, i) == SQLITE_NULL
                       ? json_null()
                       : json_loads(column(st, i), JSON_DECODE_ANY, NULL);
    return json != NULL ? json : json_string(column(st, i));
}

static int print_operations(sqlite3_stmt *st)
{
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        char at[CLOCK_RFC3339_LEN + 1];
        clock_format_ms((uint64_t)sqlite3_column_int64(st, OP_AT), at);
        json_t *out =
            json_pack("{s:I,s:s,s:s,s:s,s:s,s:s,s:o,s:o}", "seq",
                      (json_int_t)sqlite3_column_int64(st, OP_SEQ), "at", at, "actor",
                      column(st, OP_ACTOR), "action", column(st, OP_ACTION), "kind",
                      column(st, OP_KIND), "resource_id", column(st, OP_RESOURCE), "before",
                      json_column(st, OP_BEFORE), "after", json_column(st, OP_AFTER));
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(out);
    }
    return rc == SQLITE_DONE ? 0 : 2;
}

static int operations(const struct options *o)
{
    sqlite3_stmt *st = NULL;
    int code = 2;
    sqlite3 *db = open_store(o->store);
    static const char sql[] =
        "SELECT * FROM (SELECT seq, at_ms, actor, action, kind, resource_id, before, after "
        "FROM operations ORDER BY seq DESC LIMIT ?1) ORDER BY seq";
    if (db != NULL && sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(st, 1, o->limit == 0 ? -1 : (sqlite3_int64)o->limit);
        code = print_operations(st);
    }
    if (code != 0) {
        fprintf(stderr, "sluice audit: the store %s cannot be read: %s\n", o->store,
                db == NULL ? "no such file?" : sqlite3_errmsg(db));
    }
    sqlite3_finalize(st);
    sqlite3_close(db);
    return code;
}

int cli_audit(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(const struct options *o);
    } actions[] = {
        {"verify", verify},
        {"show", show},
        {"operations", operations},
    };
    struct options o;
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        fputs(usage_text, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        if (strcmp(argv[1], actions[i].name) != 0) {
            continue;
        }
        if (!read_options(&o, argc - 1, argv + 1)) {
            return 2;
        }
        if (o.help) {
            fputs(usage_text, stdout);
            return 0;
        }
        return actions[i].run(&o);
    }
    fprintf(stderr, "sluice audit: there is no '%s'; try verify, show or operations\n", argv[1]);
    return 2;
}
