/* SPDX-License-Identifier: Apache-2.0 */
/* Writes over a real SQLite file and a real PostgreSQL and a real MariaDB: what is taken, what is
 * refused, what is taken back, and that source and journal agree wherever the service is killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "data/sources/pool.h"
#include "data/testing.h"
#include "data/write/write.h"

enum { ID_F, NAME_F, PRICE_F, PAID_F, MADE_F, NOTE_F, PHONE_F, CARD_F, MERCHANT_F };

static struct testing t;
static struct worker *w;
static struct service_reply reply;
static struct uuid api, app;
static enum testing_kind kind;
static unsigned told;
static char answer_text[65536];
static uint8_t outcome[9] = {PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP,
                             PLAN_KEEP, PLAN_MASK, PLAN_DROP, PLAN_KEEP};

/* Where a child kills itself. */
enum point { NOWHERE, BEFORE_PREPARE, AFTER_PREPARE, AFTER_COMMIT, AFTER_FINISH };
static enum point point;

static void maybe_die(enum point here)
{
    if (point == here)
        kill(getpid(), SIGKILL);
}

enum source_err __real_source_commit(struct source *s);
enum source_err __wrap_source_commit(struct source *s);
enum source_err __wrap_source_commit(struct source *s)
{
    enum source_err err = __real_source_commit(s);
    maybe_die(AFTER_COMMIT);
    return err;
}

enum journal_err __real_wjournal_prepare(struct journal *j, const struct journal_op *op);
enum journal_err __wrap_wjournal_prepare(struct journal *j, const struct journal_op *op);
enum journal_err __wrap_wjournal_prepare(struct journal *j, const struct journal_op *op)
{
    maybe_die(BEFORE_PREPARE);
    enum journal_err err = __real_wjournal_prepare(j, op);
    maybe_die(AFTER_PREPARE);
    return err;
}

enum journal_err __real_wjournal_finish(struct journal *j, const char *id, bool done,
                                        const char *reason);
enum journal_err __wrap_wjournal_finish(struct journal *j, const char *id, bool done,
                                        const char *reason);
enum journal_err __wrap_wjournal_finish(struct journal *j, const char *id, bool done,
                                        const char *reason)
{
    enum journal_err err = __real_wjournal_finish(j, id, done, reason);
    maybe_die(AFTER_FINISH);
    return err;
}

static void count(void *ctx, const char *dataset, const char *operation, const json_t *key,
                  bool gone)
{
    (void)ctx, (void)gone;
    assert_non_null(json_object_get(key, "order_id"));
    assert_true(dataset[0] && operation[0]);
    told++;
}

static void open_journal(void)
{
    char dir[128];
    snprintf(dir, sizeof dir, "%s/journal%d", t.dir, (int)kind);
    t.cfg.journal = wjournal_open(dir, t.cfg.link_key);
    assert_non_null(t.cfg.journal);
    w = worker_new(&t.cfg);
    assert_non_null(w);
}

static void close_journal(void)
{
    worker_free(&w);
    wjournal_close(&t.cfg.journal);
}

static json_t *column(const char *name, const char *column_name, const char *type, bool key)
{
    return json_pack("{s:s,s:s,s:s,s:b}", "name", name, "column", column_name, "type", type, "key",
                     key);
}

/* filter: what holds for every row that the dataset gives. */
static void publish_with(const char *filter)
{
    static const char *const names[] = {"id",   "name",  "price", "paid",    "made",
                                        "note", "phone", "card",  "merchant"};
    char source[UUID_TEXT_LEN + 1], dataset[UUID_TEXT_LEN + 1];
    struct uuid id = t.dataset;
    id.b[15] = 0x40;
    api = t.orders;
    api.b[15] = 0x41;
    uuid_format(&t.source, source);
    uuid_format(&id, dataset);
    json_t *columns = json_pack(
        "[o,o,o,o,o,o,o,o,o]", column("id", "order_id", "integer", true),
        column("name", "name", "string", false), column("price", "price", "number", false),
        column("paid", "paid", "boolean", false), column("made", "made_at", "datetime", false),
        column("note", "note", "json", false), column("phone", "phone", "string", false),
        column("card", "card", "string", false), column("merchant", "merchant", "string", false));
    testing_put(&t, "dataset", &id,
                json_pack("{s:s,s:s*,s:s,s:s,s:s,s:o,s:b,s:{s:[s,s,s],s:[s,s,s,s,s,s,s]}}",
                          "source_id", source, "filter", filter, "schema", "", "table", "orders",
                          "owner_column", "merchant", "columns", columns, "delivers", 1, "writable",
                          "operations", "insert", "update", "delete", "fields", "id", "name",
                          "price", "paid", "made", "note", "phone"));
    json_t *fields = json_array();
    for (size_t i = 0; i < 9; i++)
        json_array_append_new(fields, json_pack("{s:s,s:s,s:i,s:s,s:s}", "path", names[i], "name",
                                                names[i], "level", i == PHONE_F ? 3 : 2, "type",
                                                "scalar", "mask", i == PHONE_F ? "phone" : ""));
    testing_put(&t, "api", &api,
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:[s,s,s,s],s:s,s:s,s:b,s:i,s:i,s:i,s:s,s:o}",
                          "name", "w", "path", "/t/41", "state", "published", "class", "A1",
                          "access", "subscription", "kind", "dataset", "methods", "GET", "POST",
                          "PATCH", "DELETE", "profile", "rest", "dataset_id", dataset,
                          "owner_scoped", 1, "timeout_ms", 1000, "max_body_bytes", 65536,
                          "sunset_at", 0, "upstream", "", "fields", fields));
}

static void publish(void)
{
    publish_with(NULL);
}

static int setup(enum testing_kind of)
{
    static char connection[256];
    kind = of;
    testing_open(&t);
    if (kind == TESTING_POSTGRES)
        testing_postgres_start(&t);
    if (kind == TESTING_MARIADB)
        testing_mariadb_start(&t);
    testing_connection(&t, kind, connection);
    testing_fill(connection);
    testing_publish(&t, connection);
    publish();
    uuid_new(&app);
    open_journal();
    return 0;
}

static int setup_sqlite(void **state)
{
    (void)state;
    return setup(TESTING_SQLITE);
}

static int setup_postgres(void **state)
{
    (void)state;
    return setup(TESTING_POSTGRES);
}

static int setup_mariadb(void **state)
{
    (void)state;
    return setup(TESTING_MARIADB);
}

static int teardown(void **state)
{
    (void)state;
    close_journal();
    testing_close(&t);
    return 0;
}

static struct testing_call base(const char *method, const char *target, const char *body)
{
    return (struct testing_call){.method = method,
                                 .target = target,
                                 .body = body,
                                 .api = &api,
                                 .owner = "M1",
                                 .app = &app,
                                 .outcome = outcome,
                                 .grant = true};
}

static unsigned send_call(const struct testing_call *call)
{
    testing_call(&t, w, call, &reply);
    snprintf(answer_text, sizeof answer_text, "%s", w->body.p);
    return reply.status;
}

static unsigned call(const char *method, const char *target, const char *body)
{
    struct testing_call c = base(method, target, body);
    return send_call(&c);
}

static void refused(unsigned status, enum problem problem)
{
    if (reply.status != status || reply.problem != problem)
        print_error("%u %s\n", reply.status, answer_text);
    assert_int_equal(reply.problem, problem);
    assert_int_equal(reply.status, status);
}

static void is_row(const char *target, const char *want)
{
    struct testing_call c = base("GET", target, NULL);
    static uint8_t open[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    for (size_t i = 0; i < 9; i++)
        open[i] = PLAN_KEEP;
    c.outcome = open;
    assert_int_equal(send_call(&c), 200);
    assert_string_equal(answer_text, want);
}

static enum problem internal(const char *path, json_t *body, json_t **answer, char detail[400])
{
    *answer = NULL;
    enum problem p = write_internal(w, slice_str(path), body, answer, detail);
    json_decref(body);
    return p;
}

static enum problem rollback(json_t *body, char detail[400])
{
    json_t *answer;
    enum problem p = internal("/internal/v1/writes/rollback", body, &answer, detail);
    json_decref(answer);
    return p;
}

static const char *state_of(const char *operation)
{
    static char state[16];
    json_t *list = wjournal_list(t.cfg.journal, NULL), *op;
    size_t i;
    state[0] = '\0';
    json_array_foreach(list, i, op)
    {
        if (strcmp(json_string_value(json_object_get(op, "id")), operation) == 0)
            snprintf(state, sizeof state, "%s", json_string_value(json_object_get(op, "state")));
    }
    json_decref(list);
    return state;
}

static void test_write(void **state)
{
    (void)state;
    struct testing_call c =
        base("POST", "/t/41?columns=%22id%22&select=id,name,paid,merchant",
             "{\"id\":10,\"name\":\"新\",\"price\":12.5,\"paid\":true,\"made\":\"2026-02-03 "
             "04:05:06\",\"note\":{\"x\":[1]}}");
    c.prefer = "return=representation";
    told = 0;
    assert_int_equal(send_call(&c), 201);
    assert_string_equal(answer_text, "[{\"id\":10,\"name\":\"新\",\"paid\":true,"
                                     "\"merchant\":\"M1\"}]");
    assert_int_equal(told, 1);
    assert_string_equal(state_of(reply.operation), "done");
    is_row("/t/41?id=eq.10&select=price,paid,made,note,merchant",
           kind != TESTING_SQLITE
               ? "[{\"price\":12.50,\"paid\":true,\"made\":\"2026-02-03T04:05:06\",\"note\":"
                 "{\"x\":[1]},\"merchant\":\"M1\"}]"
               : "[{\"price\":12.5,\"paid\":true,\"made\":\"2026-02-03T04:05:06\",\"note\":"
                 "{\"x\":[1]},\"merchant\":\"M1\"}]");
    assert_int_equal(call("POST", "/t/41", "[{\"id\":11,\"name\":\"a\"},{\"id\":12}]"), 201);
    assert_string_equal(answer_text, "");
    assert_int_equal(call("PATCH", "/t/41?id=in.(11,12)", "{\"name\":null,\"price\":\"7\"}"), 204);
    is_row("/t/41?id=in.(11,12)&select=id,name&order=id",
           "[{\"id\":11,\"name\":null},{\"id\":12,\"name\":null}]");
    assert_int_equal(call("DELETE", "/t/41?id=gte.11", NULL), 204);
    is_row("/t/41?id=gte.11&select=id", "[]");
    call("PATCH", "/t/41?id=eq.99", "{\"name\":\"x\"}");
    assert_int_equal(reply.status, 204);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *method, *target, *body;
        unsigned status;
        enum problem problem;
    } rows[] = {
        {"PATCH", "/t/41", "{\"name\":\"x\"}", 400, PROBLEM_QUERY_MALFORMED},
        {"DELETE", "/t/41", NULL, 400, PROBLEM_QUERY_MALFORMED},
        {"DELETE", "/t/41?id=eq.1&limit=1", NULL, 400, PROBLEM_QUERY_MALFORMED},
        {"POST", "/t/41?id=eq.1", "{\"id\":9}", 400, PROBLEM_QUERY_MALFORMED},
        {"POST", "/t/41?on_conflict=id", "{\"id\":9}", 400, PROBLEM_FIELD_UNKNOWN},
        {"POST", "/t/41", "{\"nothing\":1}", 400, PROBLEM_FIELD_UNKNOWN},
        {"POST", "/t/41", "{\"id\":9,\"card\":\"1\"}", 403, PROBLEM_FIELD_FORBIDDEN},
        {"POST", "/t/41", "{\"id\":9,\"merchant\":\"M2\"}", 403, PROBLEM_FIELD_FORBIDDEN},
        {"PATCH", "/t/41?id=eq.1", "{\"merchant\":\"M2\"}", 403, PROBLEM_FIELD_FORBIDDEN},
        {"PATCH", "/t/41?id=eq.1", "{\"id\":5}", 403, PROBLEM_FIELD_FORBIDDEN},
        {"PATCH", "/t/41?phone=eq.1", "{\"name\":\"x\"}", 403, PROBLEM_FILTER_FORBIDDEN},
        {"POST", "/t/41", "{\"id\":\"9; DROP TABLE orders\"}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":9,\"paid\":\"yes\"}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":9,\"made\":\"soon\"}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":9,\"phone\":\"138****5678\"}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":9,\"phone\":\"***\"}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":9,\"id\":8}", 400, PROBLEM_BODY_MALFORMED},
        {"POST", "/t/41", "[]", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "[1]", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{", 400, PROBLEM_BODY_MALFORMED},
        {"POST", "/t/41", NULL, 400, PROBLEM_BODY_MISSING},
        {"PATCH", "/t/41?id=eq.1", "{}", 400, PROBLEM_BODY_INVALID},
        {"POST", "/t/41", "{\"id\":1}", 409, PROBLEM_STATE_CONFLICT},
        {"PUT", "/t/41?id=eq.1", "{\"id\":1}", 405, PROBLEM_METHOD_NOT_ALLOWED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        call(rows[i].method, rows[i].target, rows[i].body);
        if (reply.problem != rows[i].problem)
            print_error("row %zu %s %s\n", i, rows[i].target, rows[i].body);
        refused(rows[i].status, rows[i].problem);
    }
    /* of another owner: not there; nothing of a list that breaks is there either */
    assert_int_equal(call("PATCH", "/t/41?id=eq.3", "{\"name\":\"mine\"}"), 204);
    assert_int_equal(call("POST", "/t/41", "[{\"id\":20},{\"id\":1}]"), 409);
    struct testing_call c = base("GET", "/t/41?id=in.(3,20)&select=id,name", NULL);
    c.owner = "M2";
    send_call(&c);
    assert_string_equal(answer_text, "[{\"id\":3,\"name\":\"wang\"}]");
    c = base("POST", "/t/41", "{\"id\":9}");
    c.owner = NULL;
    send_call(&c);
    refused(403, PROBLEM_GRANT_MISSING);
    c = base("POST", "/t/41", "{\"id\":9}");
    c.sandbox = true;
    send_call(&c);
    refused(503, PROBLEM_SANDBOX_UNAVAILABLE);
}

static void test_masked(void **state)
{
    (void)state;
    struct testing_call c =
        base("PATCH", "/t/41?id=eq.1", "{\"name\":\"neu\",\"phone\":\"138****0001\"}");
    assert_int_equal(send_call(&c), 204);
    is_row("/t/41?id=eq.1&select=name,phone", "[{\"name\":\"neu\",\"phone\":\"13800000001\"}]");
    call("PATCH", "/t/41?id=eq.1", "{\"phone\":\"138****0002\"}");
    refused(400, PROBLEM_BODY_INVALID);
    assert_int_equal(call("PATCH", "/t/41?id=eq.1", "{\"phone\":\"13900000009\"}"), 204);
    is_row("/t/41?id=eq.1&select=phone", "[{\"phone\":\"13900000009\"}]");
}

static void test_version(void **state)
{
    (void)state;
    char first[40];
    assert_int_equal(call("GET", "/t/41?id=eq.2", NULL), 200);
    snprintf(first, sizeof first, "%s", reply.etag);
    assert_true(first[0] == '"');
    assert_int_equal(call("GET", "/t/41?id=eq.2&select=id", NULL), 200);
    assert_string_equal(reply.etag, "");
    struct testing_call c = base("PATCH", "/t/41?id=eq.2", "{\"price\":1}");
    c.if_match = first;
    assert_int_equal(send_call(&c), 204);
    assert_string_not_equal(reply.etag, first);
    send_call(&c);
    refused(412, PROBLEM_PRECONDITION_FAILED);
    call("GET", "/t/41?id=eq.2", NULL);
    c.if_match = reply.etag;
    snprintf(first, sizeof first, "%s", reply.etag);
    c.if_match = first;
    assert_int_equal(send_call(&c), 204);
    c.target = "/t/41?id=eq.77";
    send_call(&c);
    refused(412, PROBLEM_PRECONDITION_FAILED);
}

static void test_idempotency(void **state)
{
    (void)state;
    char operation[UUID_TEXT_LEN + 1];
    struct testing_call c = base("POST", "/t/41?select=id", "{\"id\":30}");
    c.key = "k-1";
    c.prefer = "return=representation";
    assert_int_equal(send_call(&c), 201);
    assert_false(reply.replayed);
    snprintf(operation, sizeof operation, "%s", reply.operation);
    assert_int_equal(send_call(&c), 201);
    assert_true(reply.replayed);
    assert_string_equal(reply.operation, operation);
    assert_string_equal(answer_text, "[{\"id\":30}]");
    c.body = "{\"id\":31}";
    send_call(&c);
    refused(422, PROBLEM_IDEMPOTENCY_MISMATCH);
    struct uuid other;
    uuid_new(&other);
    c.app = &other; /* another app's keys are its own */
    assert_int_equal(send_call(&c), 201);
    c = base("POST", "/t/41", "{\"id\":1}"); /* what failed may be tried again */
    c.key = "k-2";
    send_call(&c);
    refused(409, PROBLEM_STATE_CONFLICT);
    c.body = "{\"id\":32}";
    assert_int_equal(send_call(&c), 201);
    c.key = "with blank";
    send_call(&c);
    refused(400, PROBLEM_PARAMETER_INVALID);
}

static void test_rollback(void **state)
{
    (void)state;
    char ops[3][UUID_TEXT_LEN + 1], detail[400];
    assert_int_equal(call("POST", "/t/41", "{\"id\":40,\"name\":\"one\"}"), 201);
    strcpy(ops[0], reply.operation);
    assert_int_equal(call("PATCH", "/t/41?id=eq.40", "{\"name\":\"two\"}"), 204);
    strcpy(ops[1], reply.operation);
    assert_int_equal(call("DELETE", "/t/41?id=eq.40", NULL), 204);
    strcpy(ops[2], reply.operation);
    assert_int_equal(rollback(json_pack("{s:s}", "operation", ops[0]), detail),
                     PROBLEM_ROLLBACK_REFUSED);
    assert_non_null(strstr(detail, ops[2]));
    assert_int_equal(rollback(json_pack("{s:s}", "operation", ops[2]), detail), PROBLEM_OK);
    is_row("/t/41?id=eq.40&select=name,merchant", "[{\"name\":\"two\",\"merchant\":\"M1\"}]");
    assert_string_equal(state_of(ops[2]), "rolled-back");
    assert_int_equal(rollback(json_pack("{s:s}", "operation", ops[2]), detail),
                     PROBLEM_ROLLBACK_REFUSED);
    assert_int_equal(rollback(json_pack("{s:s}", "operation", ops[1]), detail), PROBLEM_OK);
    is_row("/t/41?id=eq.40&select=name", "[{\"name\":\"one\"}]");
    assert_int_equal(rollback(json_pack("{s:s}", "operation", ops[0]), detail), PROBLEM_OK);
    is_row("/t/41?id=eq.40&select=name", "[]");
    assert_int_equal(rollback(json_pack("{s:s}", "operation", "none"), detail), PROBLEM_NOT_FOUND);
}

static const char *dataset_text(void)
{
    static char text[UUID_TEXT_LEN + 1];
    struct uuid id = t.dataset;
    id.b[15] = 0x40;
    uuid_format(&id, text);
    return text;
}

static void test_batch_and_time(void **state)
{
    (void)state;
    char detail[400], app_text[UUID_TEXT_LEN + 1], id[UUID_TEXT_LEN + 1];
    uuid_format(&app, app_text);
    assert_int_equal(call("POST", "/t/41", "{\"id\":50,\"name\":\"zero\"}"), 201);
    json_t *list = wjournal_list(t.cfg.journal, NULL);
    json_int_t at = json_integer_value(json_object_get(json_array_get(list, 0), "at"));
    json_decref(list);
    usleep(3000);
    struct testing_call c = base("PATCH", "/t/41?id=eq.50", "{\"name\":\"a\"}");
    c.batch = "b-1";
    send_call(&c);
    c.body = "{\"name\":\"b\"}";
    send_call(&c);
    c.method = "POST", c.target = "/t/41", c.body = "{\"id\":51}";
    assert_int_equal(send_call(&c), 201);
    assert_int_equal(rollback(json_pack("{s:s,s:s,s:s}", "batch", "b-1", "app", app_text, "dataset",
                                        dataset_text()),
                              detail),
                     PROBLEM_OK);
    is_row("/t/41?id=gte.50&select=id,name", "[{\"id\":50,\"name\":\"zero\"}]");
    assert_int_equal(call("PATCH", "/t/41?id=eq.50", "{\"name\":\"later\"}"), 204);
    strcpy(id, reply.operation);
    assert_int_equal(rollback(json_pack("{s:s}", "operation", id), detail), PROBLEM_OK);
    assert_int_equal(call("DELETE", "/t/41?id=eq.50", NULL), 204);
    assert_int_equal(rollback(json_pack("{s:s,s:I}", "dataset", dataset_text(), "to", at), detail),
                     PROBLEM_OK);
    is_row("/t/41?id=gte.50&select=id,name", "[{\"id\":50,\"name\":\"zero\"}]");
}

static void outside(const char *sql)
{
    SQLHENV env;
    SQLHDBC dbc;
    SQLHSTMT h;
    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env)));
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc)));
    assert_true(SQL_SUCCEEDED(SQLDriverConnect(dbc, NULL, (SQLCHAR *)(uintptr_t)t.connection,
                                               SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT)));
    assert_true(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h)));
    assert_true(SQL_SUCCEEDED(SQLExecDirect(h, (SQLCHAR *)(uintptr_t)sql, SQL_NTS)));
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, env);
}

static void test_changed_outside(void **state)
{
    (void)state;
    char detail[400];
    assert_int_equal(call("PATCH", "/t/41?id=eq.2", "{\"name\":\"ours\"}"), 204);
    outside("UPDATE orders SET name = 'theirs' WHERE order_id = 2");
    assert_int_equal(rollback(json_pack("{s:s}", "operation", reply.operation), detail),
                     PROBLEM_ROLLBACK_REFUSED);
    assert_non_null(strstr(detail, "outside the platform"));
    is_row("/t/41?id=eq.2&select=name", "[{\"name\":\"theirs\"}]");
}

static void test_supply(void **state)
{
    (void)state;
    char detail[400];
    json_t *answer, *body;
    body = json_pack("{s:s,s:s,s:s,s:[{s:i,s:s,s:s,s:s},{s:i,s:s}]}", "dataset", dataset_text(),
                     "actor", "unit", "idempotency_key", "s-1", "records", "id", 60, "name",
                     "delivered", "card", "6222", "merchant", "M9", "id", 1, "name", "shipped");
    assert_int_equal(internal("/internal/v1/writes/supply", json_deep_copy(body), &answer, detail),
                     PROBLEM_OK);
    assert_int_equal(json_integer_value(json_object_get(answer, "inserted")), 1);
    assert_int_equal(json_integer_value(json_object_get(answer, "updated")), 1);
    json_t *again;
    assert_int_equal(internal("/internal/v1/writes/supply", json_deep_copy(body), &again, detail),
                     PROBLEM_OK);
    assert_true(json_equal(answer, again));
    json_object_set_new(json_array_get(json_object_get(body, "records"), 1), "name",
                        json_string("else"));
    json_decref(again);
    assert_int_equal(internal("/internal/v1/writes/supply", json_deep_copy(body), &again, detail),
                     PROBLEM_IDEMPOTENCY_MISMATCH);
    json_decref(answer);
    json_object_set_new(json_array_get(json_object_get(body, "records"), 1), "other",
                        json_string("else"));
    assert_int_equal(internal("/internal/v1/writes/supply", body, &answer, detail),
                     PROBLEM_FIELD_UNKNOWN);
    is_row("/t/41?id=eq.1&select=name", "[{\"name\":\"shipped\"}]");
}

static void test_deliveries(void **state)
{
    (void)state;
    char detail[400];
    json_t *due, *none;
    assert_int_equal(call("POST", "/t/41", "{\"id\":70,\"name\":\"a\"}"), 201);
    assert_int_equal(call("PATCH", "/t/41?id=eq.70", "{\"name\":\"b\"}"), 204);
    /* of each row the oldest alone */
    for (int turn = 0; turn < 2; turn++) {
        size_t mine = 0, i;
        json_t *one, *out = json_array();
        assert_int_equal(internal("/internal/v1/writes/due", json_object(), &due, detail),
                         PROBLEM_OK);
        json_array_foreach(json_object_get(due, "items"), i, one)
        {
            json_t *id = json_object_get(json_object_get(one, "key"), "order_id");
            if (strcmp(json_string_value(id), "70") == 0) {
                mine++;
                json_t *name = json_object_get(json_object_get(one, "after"), "name");
                assert_string_equal(json_string_value(name), turn ? "b" : "a");
            }
            json_array_append_new(
                out, json_pack("{s:O,s:b}", "id", json_object_get(one, "id"), "ok", 1));
        }
        assert_int_equal(mine, 1);
        assert_int_equal(internal("/internal/v1/writes/delivered",
                                  json_pack("{s:o}", "outcome", out), &none, detail),
                         PROBLEM_OK);
        json_decref(none);
        json_decref(due);
    }
}

/* In a child of its own: a replica, a journal and a source that nobody else has open. */
static void die_at(enum point where, const char *method, const char *target, const char *body)
{
    char path[128];
    close_journal();
    replica_close(&t.cfg.replica);
    pool_close_all(); /* what dies has connections of its own */
    snprintf(path, sizeof path, "%s/replica", t.dir);
    pid_t pid = fork();
    if (pid == 0) {
        if (replica_open_writer(&t.cfg.replica, path, 64u << 20) != REPLICA_OK)
            _exit(1);
        open_journal();
        point = where;
        call(method, target, body);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(replica_open_writer(&t.cfg.replica, path, 64u << 20), REPLICA_OK);
    open_journal();
}

static size_t open_operations(void)
{
    json_t *list = wjournal_unsettled(t.cfg.journal, NULL);
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static void test_killed(void **state)
{
    (void)state;
    static const struct {
        enum point where;
        bool happened;
        unsigned open;
        const char *last; /* state of the newest operation */
    } rows[] = {{BEFORE_PREPARE, false, 0, ""},
                {AFTER_PREPARE, false, 1, "failed"},
                {AFTER_COMMIT, true, 1, "done"},
                {AFTER_FINISH, true, 0, "done"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char body[64], want[64], filter[64];
        int id = 80 + (int)i;
        snprintf(body, sizeof body, "{\"id\":%d}", id);
        snprintf(filter, sizeof filter, "/t/41?id=eq.%d&select=id", id);
        snprintf(want, sizeof want, rows[i].happened ? "[{\"id\":%d}]" : "[]", id);
        die_at(rows[i].where, "POST", "/t/41", body);
        assert_int_equal(open_operations(), rows[i].open);
        write_recover(w, NULL);
        assert_int_equal(open_operations(), 0);
        is_row(filter, want);
        json_t *list = wjournal_list(t.cfg.journal, NULL);
        if (rows[i].last[0])
            assert_string_equal(
                json_string_value(json_object_get(json_array_get(list, 0), "state")), rows[i].last);
        json_decref(list);
    }
    /* a change, likewise; and each can be taken back as if nothing had been */
    die_at(AFTER_COMMIT, "PATCH", "/t/41?id=eq.82", "{\"name\":\"killed\"}");
    json_t *list = wjournal_list(t.cfg.journal, NULL);
    char detail[400];
    assert_int_equal(
        rollback(json_pack("{s:O}", "operation", json_object_get(json_array_get(list, 0), "id")),
                 detail),
        PROBLEM_OK);
    json_decref(list);
    is_row("/t/41?id=eq.82&select=name", "[{\"name\":null}]");
}

static void test_full(void **state)
{
    (void)state;
    char path[160];
    struct stat st;
    struct rlimit old, tight;
    snprintf(path, sizeof path, "%s/journal1/journal.db-wal", t.dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    tight = (struct rlimit){4096, old.rlim_max};
    (void)st;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    call("POST", "/t/41", "{\"id\":90}");
    enum problem p = reply.problem;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(p, PROBLEM_STORAGE_FULL);
    is_row("/t/41?id=eq.90&select=id", "[]");
    assert_int_equal(call("POST", "/t/41", "{\"id\":90}"), 201);
}

#define ON(kind, title, f)                                                                         \
    {                                                                                              \
        title " (" #kind ")", f, NULL, NULL, NULL                                                  \
    }
/* A row that the dataset does not give is not made, not found, and no row becomes one. */
static void test_filter(void **state)
{
    (void)state;
    publish_with("price=lt.100&name=neq.hidden");
    assert_int_equal(call("POST", "/t/41", "{\"id\":90,\"name\":\"a\",\"price\":5}"), 201);
    assert_int_equal(call("POST", "/t/41", "{\"id\":91,\"name\":\"a\",\"price\":500}"), 403);
    refused(403, PROBLEM_ROW_FORBIDDEN);
    assert_int_equal(call("POST", "/t/41",
                          "[{\"id\":92,\"name\":\"a\",\"price\":1},{\"id\":93,\"name\":\"hidden\","
                          "\"price\":1}]"),
                     403);
    refused(403, PROBLEM_ROW_FORBIDDEN);
    assert_int_equal(call("PATCH", "/t/41?id=eq.90", "{\"price\":100}"), 403);
    refused(403, PROBLEM_ROW_FORBIDDEN);
    assert_int_equal(call("PATCH", "/t/41?id=eq.90", "{\"price\":null}"), 403); /* unknown is no */
    assert_int_equal(call("PATCH", "/t/41?id=eq.90", "{\"price\":99}"), 204);
    publish();
    is_row("/t/41?id=gte.90&select=id,price",
           kind == TESTING_SQLITE ? "[{\"id\":90,\"price\":99}]" : "[{\"id\":90,\"price\":99.00}]");
    assert_int_equal(call("PATCH", "/t/41?id=eq.90", "{\"price\":500}"), 204);
    publish_with("price=lt.100");
    assert_int_equal(call("PATCH", "/t/41?id=eq.90", "{\"price\":1}"), 204); /* of no row */
    publish();
    is_row("/t/41?id=eq.90&select=id,price", kind == TESTING_SQLITE
                                                 ? "[{\"id\":90,\"price\":500}]"
                                                 : "[{\"id\":90,\"price\":500.00}]");
    assert_int_equal(call("DELETE", "/t/41?id=eq.90", NULL), 204);
}

#define ALL(kind)                                                                                  \
    ON(kind, "[EC-6.1.3.2] insert, update and delete reach the source, whole or not at all",       \
       test_write),                                                                                \
        ON(kind, "[EC-6.1.3.2] what is no write of this caller is refused, by name",               \
           test_refusals),                                                                         \
        ON(kind, "[EC-6.1.3.2] a masked value that comes back leaves the original", test_masked),  \
        ON(kind, "[EC-7.1.4.1c] a write names the version it saw", test_version),                  \
        ON(kind, "[EC-6.1.3.2] the same key is the same write, once", test_idempotency),           \
        ON(kind,                                                                                   \
           "[EC-3.11a, EC-6.1.3.2] an operation is taken back, refused where others build "        \
           "on it",                                                                                \
           test_rollback),                                                                         \
        ON(kind, "[EC-3.11a] a batch, and all since a time, are taken back", test_batch_and_time), \
        ON(kind, "[EC-3.11a] what was changed outside is not overwritten", test_changed_outside),  \
        ON(kind, "[EC-4.3.4] a business unit supplies records by their key", test_supply),         \
        ON(kind, "[EC-4.3.4] writes are told in the order of each row", test_deliveries),          \
        ON(kind, "[EC-6.1.3.2] a row that is not given is not written", test_filter),              \
        ON(kind, "[EC-6.1.3.2] killed anywhere, source and journal agree", test_killed)
/* On SQLite the limit of the test would be the source's too. */
#define FULL(kind)                                                                                 \
    ON(kind, "[EC-6.1.3.2] a full disk refuses the write and leaves nothing half done", test_full)

int main(void)
{
    const struct CMUnitTest sqlite[] = {ALL(SQLite)},
                            postgres[] = {ALL(PostgreSQL), FULL(PostgreSQL)},
                            mariadb[] = {ALL(MariaDB)};
    write_on_committed(count, NULL);
    return cmocka_run_group_tests(sqlite, setup_sqlite, teardown) +
           cmocka_run_group_tests(postgres, setup_postgres, teardown) +
           cmocka_run_group_tests(mariadb, setup_mariadb, teardown);
}
