/* SPDX-License-Identifier: Apache-2.0 */
#include "data/testing.h"

#include <glob.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/codec.h"
#include "data/sources/pool.h"

#define ID(last) "019a0000-0000-7000-8000-0000000000" last
#define REQUIRE(what)                                                                              \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #what);                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static const uint8_t orders_outcome[TESTING_FIELDS] = {PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP,
                                                       PLAN_KEEP, PLAN_KEEP, PLAN_MASK, PLAN_DROP};
static const uint8_t all_keep[16] = {PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP,
                                     PLAN_KEEP, PLAN_KEEP, PLAN_KEEP, PLAN_KEEP};

static struct uuid id_of(const char *text)
{
    struct uuid id;
    REQUIRE(uuid_parse(&id, text, strlen(text)));
    return id;
}

void testing_open(struct testing *t)
{
    uint8_t key[CRYPTO_KEY_LEN];
    char path[128];
    memset(t, 0, sizeof *t);
    strcpy(t->dir, "/tmp/data-test-XXXXXX");
    REQUIRE(mkdtemp(t->dir));
    snprintf(path, sizeof path, "%s/replica", t->dir);
    REQUIRE(replica_open_writer(&t->cfg.replica, path, 64u << 20) == REPLICA_OK);
    crypto_random(t->cfg.link_key, sizeof t->cfg.link_key);
    crypto_derive(t->cfg.link_key, "link.call", key);
    t->link = crypto_hmac_new(CRYPTO_SM3, key, sizeof key);
    t->cfg.max_rows = 1000;
    t->source = id_of(ID("01"));
    t->dataset = id_of(ID("02"));
    t->orders = id_of(ID("11"));
    t->owned = id_of(ID("12"));
    t->grade = id_of(ID("13"));
    t->grades = id_of(ID("14"));
    t->trading = id_of(ID("15"));
    t->grant = id_of(ID("21"));
    static const char *const folders[] = {"platform", "platform/control", "platform/demo"};
    /* Empty SQLite files: the service itself never makes one. */
    static const char *const files[] = {"test.db", "platform/control/store.db",
                                        "platform/demo/d.db"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, folders[i]);
        REQUIRE(mkdir(path, 0700) == 0);
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", t->dir, files[i]);
        FILE *f = fopen(path, "w");
        REQUIRE(f && fclose(f) == 0);
    }
    snprintf(t->data_dir, sizeof t->data_dir, "%s/platform", t->dir);
    t->cfg.data_dir = t->data_dir;
}

static void remove_tree(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", "--", dir, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void testing_close(struct testing *t)
{
    pool_close_all();
    testing_postgres_stop(t);
    testing_mariadb_stop(t);
    crypto_hmac_free(&t->link);
    replica_close(&t->cfg.replica);
    remove_tree(t->dir);
    if (t->postgres_dir[0])
        remove_tree(t->postgres_dir);
    if (t->mariadb_dir[0])
        remove_tree(t->mariadb_dir);
}

void testing_connection(const struct testing *t, enum testing_kind kind, char out[256])
{
    if (kind == TESTING_POSTGRES)
        snprintf(out, 256,
                 "DRIVER=PostgreSQL Unicode;Server=%s;Port=5432;Database=postgres;Uid=postgres",
                 t->postgres_dir);
    else if (kind == TESTING_MARIADB)
        snprintf(out, 256, "DRIVER=MariaDB Unicode;Socket=%s/s;Database=test;Uid=sluice;Pwd=a b",
                 t->mariadb_dir);
    else
        snprintf(out, 256, "DRIVER=SQLite3;Database=%s/test.db", t->dir);
}

/* Neither server runs as root: as whoever its package made. */
static const struct passwd *other_user(const char *name)
{
    return geteuid() == 0 ? getpwnam(name) : NULL;
}

static void become(const char *name)
{
    const struct passwd *user = other_user(name);
    if (user && (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    unsetenv("LD_PRELOAD");
    if (chdir("/") != 0 || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        _exit(126);
}

static void make_dir(char dir[64], const char *form, const char *owner)
{
    const struct passwd *user = other_user(owner);
    strcpy(dir, form);
    REQUIRE(mkdtemp(dir));
    if (user)
        REQUIRE(chown(dir, user->pw_uid, user->pw_gid) == 0);
}

static void wait_for(struct testing *t, enum testing_kind kind)
{
    char connection[256];
    testing_connection(t, kind, connection);
    for (int i = 0; i < 400; i++) {
        struct source *s = source_new(slice_str(connection), t->cfg.data_dir);
        enum source_err err = source_ready(s);
        source_free(&s);
        if (!err)
            return;
        usleep(50000);
    }
    REQUIRE(!"the server answers");
}

static pid_t spawn_postgres(const char *program, const char *dir)
{
    char path[256], data[128];
    glob_t found;
    REQUIRE(glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) == 0);
    snprintf(path, sizeof path, "%s/%s", found.gl_pathv[found.gl_pathc - 1], program);
    snprintf(data, sizeof data, "%s/data", dir);
    globfree(&found);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    become("postgres");
    if (strcmp(program, "initdb") == 0)
        execl(path, path, "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
              "--locale=C.UTF-8", "-N", (char *)NULL);
    else
        execl(path, path, "-D", data, "-k", dir, "-c", "listen_addresses=", "-p", "5432", "-c",
              "fsync=off", "-c", "max_connections=20", (char *)NULL);
    _exit(127);
}

void testing_postgres_start(struct testing *t)
{
    int status = -1;
    if (!t->postgres_dir[0]) {
        make_dir(t->postgres_dir, "/tmp/data-test-pg-XXXXXX", "postgres");
        REQUIRE(waitpid(spawn_postgres("initdb", t->postgres_dir), &status, 0) > 0 && status == 0);
    }
    t->postgres = spawn_postgres("postgres", t->postgres_dir);
    wait_for(t, TESTING_POSTGRES);
}

void testing_postgres_stop(struct testing *t)
{
    if (t->postgres <= 0)
        return;
    kill(t->postgres, SIGINT); /* fast shutdown: connections are cut */
    waitpid(t->postgres, NULL, 0);
    t->postgres = 0;
}

/* What makes the data folder, then the server itself. The user is made by the server's first
 * statements. */
static pid_t spawn_mariadb(bool install, const char *dir)
{
    char data[128], sock[128], init[128], pid_file[128];
    snprintf(data, sizeof data, "--datadir=%s/data", dir);
    snprintf(sock, sizeof sock, "--socket=%s/s", dir);
    snprintf(init, sizeof init, "--init-file=%s/init.sql", dir);
    snprintf(pid_file, sizeof pid_file, "--pid-file=%s/pid", dir);
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    become("mysql");
    if (install)
        execlp("mariadb-install-db", "mariadb-install-db", "--no-defaults", data,
               "--auth-root-authentication-method=normal", "--skip-test-db",
               "--innodb-log-file-size=4M", (char *)NULL);
    else
        execl("/usr/sbin/mariadbd", "mariadbd", "--no-defaults", data, sock, init, pid_file,
              "--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-fast-shutdown=2",
              "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--skip-log-bin",
              (char *)NULL);
    _exit(127);
}

void testing_mariadb_start(struct testing *t)
{
    char path[128];
    int status = -1;
    if (!t->mariadb_dir[0]) {
        make_dir(t->mariadb_dir, "/tmp/data-test-my-XXXXXX", "mysql");
        REQUIRE(waitpid(spawn_mariadb(true, t->mariadb_dir), &status, 0) > 0 && status == 0);
        snprintf(path, sizeof path, "%s/init.sql", t->mariadb_dir);
        FILE *f = fopen(path, "w");
        REQUIRE(f &&
                fputs("CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4;\n"
                      "CREATE USER IF NOT EXISTS sluice@localhost IDENTIFIED BY 'a b';\n"
                      "GRANT ALL ON *.* TO sluice@localhost;\n",
                      f) >= 0 &&
                fchmod(fileno(f), 0644) == 0 && fclose(f) == 0);
    }
    t->mariadb = spawn_mariadb(false, t->mariadb_dir);
    wait_for(t, TESTING_MARIADB);
}

void testing_mariadb_stop(struct testing *t)
{
    if (t->mariadb <= 0)
        return;
    kill(t->mariadb, SIGKILL); /* its folder goes with it, or it recovers */
    waitpid(t->mariadb, NULL, 0);
    t->mariadb = 0;
}

static const char *const statements[] = {
    "CREATE TABLE orders (order_id bigint PRIMARY KEY, name varchar(40), price numeric(12,2), paid "
    "boolean,"
    " made_at timestamp, note json, phone varchar(20), card varchar(20), merchant varchar(20) NOT "
    "NULL)",
    "INSERT INTO orders VALUES (1, '张三', 10.25, '1', '2026-01-02 03:04:05', '{\"a\":1}', "
    "'13800000001', '622201', "
    "'M1')",
    "INSERT INTO orders VALUES (2, 'Li \"Si\"', 0.75, '0', '2026-01-03 00:00:00', NULL, "
    "'13800000002', '622202', 'M1')",
    "INSERT INTO orders VALUES (3, 'wang', NULL, NULL, NULL, NULL, NULL, NULL, 'M2')",
    "CREATE TABLE ent (code varchar(18) PRIMARY KEY, ename varchar(60), grade varchar(2))",
    "INSERT INTO ent VALUES ('91310000X00000001A', '甲公司', 'AA')",
    "INSERT INTO ent VALUES ('91310000X00000002B', '乙公司', 'B')",
    "INSERT INTO ent VALUES ('91310000X00000003C', '丙公司', 'D')",
    "CREATE TABLE deal (deal_id integer PRIMARY KEY, code varchar(18), kind varchar(20), day "
    "timestamp,"
    " price numeric(14,2))",
    "INSERT INTO deal VALUES (1, '91310000X00000001A', '政府采购', '2019-01-07 13:20:24', 100.25)",
    "INSERT INTO deal VALUES (2, '91310000X00000001A', '土地', '2019-01-08 00:00:00', 7.75)",
    "INSERT INTO deal VALUES (3, '91310000X00000002B', '矿业', '2019-01-09 00:00:00', 1.25)",
    "CREATE TABLE wide (id integer PRIMARY KEY, body text)",
};

void testing_fill(const char *connection)
{
    SQLHENV env;
    SQLHDBC dbc;
    SQLHSTMT h;
    REQUIRE(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &env)));
    SQLSetEnvAttr(env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    REQUIRE(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, env, &dbc)));
    REQUIRE(SQL_SUCCEEDED(SQLDriverConnect(dbc, NULL, (SQLCHAR *)(uintptr_t)connection, SQL_NTS,
                                           NULL, 0, NULL, SQL_DRIVER_NOPROMPT)));
    REQUIRE(SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, dbc, &h)));
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++)
        REQUIRE(SQL_SUCCEEDED(SQLExecDirect(h, (SQLCHAR *)(uintptr_t)statements[i], SQL_NTS)));
    char wide[6200];
    memset(wide, 'w', sizeof wide);
    snprintf(wide, sizeof wide, "INSERT INTO wide VALUES (1, '");
    wide[strlen(wide)] = 'w';
    strcpy(wide + sizeof wide - 3, "')");
    REQUIRE(SQL_SUCCEEDED(SQLExecDirect(h, (SQLCHAR *)wide, SQL_NTS)));
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    SQLFreeHandle(SQL_HANDLE_ENV, env);
}

void testing_put(struct testing *t, const char *kind, const struct uuid *id, json_t *data)
{
    char text[UUID_TEXT_LEN + 1];
    size_t bad = 0;
    struct replica_cursor cursor = {.seq = ++t->seq, .synced_ms = clock_wall_ms()};
    uuid_format(id, text);
    REQUIRE(data);
    json_t *entries = json_pack("[{s:I,s:s,s:s,s:s,s:o}]", "seq", (json_int_t)t->seq, "kind", kind,
                                "id", text, "op", "put", "data", data);
    REQUIRE(entries &&
            replica_apply(t->cfg.replica, entries, &cursor, false, false, &bad) == REPLICA_OK);
    json_decref(entries);
}

void testing_seal(const struct testing *t, const struct uuid *id, const char *connection,
                  char out[1024])
{
    uint8_t key[CRYPTO_KEY_LEN], sealed[512];
    char text[UUID_TEXT_LEN + 1];
    size_t n = strlen(connection);
    uuid_format(id, text);
    crypto_derive(t->cfg.link_key, "feed.secret", key);
    crypto_seal(key, slice_str(text), connection, n, sealed);
    out[codec_base64url(out, sealed, n + CRYPTO_SEAL_EXTRA)] = '\0';
}

static json_t *column(const char *name, const char *column_name, const char *type, bool key)
{
    return json_pack("{s:s,s:s,s:s,s:b}", "name", name, "column", column_name, "type", type, "key",
                     key);
}

static void put_dataset(struct testing *t, uint8_t last, const char *table, const char *owner,
                        json_t *columns)
{
    char source[UUID_TEXT_LEN + 1];
    struct uuid id = t->dataset;
    id.b[15] = last;
    uuid_format(&t->source, source);
    testing_put(t, "dataset", &id,
                json_pack("{s:s,s:s,s:s,s:s,s:o}", "source_id", source, "schema", "", "table",
                          table, "owner_column", owner, "columns", columns));
}

/* fields: paths joined by spaces, all level 1. */
static void put_api(struct testing *t, const struct uuid *id, uint8_t dataset, const char *profile,
                    bool owned, const char *paths)
{
    char text[UUID_TEXT_LEN + 1], path[64], list[512], *save = NULL;
    struct uuid dataset_id = t->dataset;
    dataset_id.b[15] = dataset;
    uuid_format(&dataset_id, text);
    snprintf(path, sizeof path, "/t/%02x", id->b[15]);
    snprintf(list, sizeof list, "%s", paths);
    json_t *fields = json_array();
    for (char *p = strtok_r(list, " ", &save); p; p = strtok_r(NULL, " ", &save))
        json_array_append_new(fields, json_pack("{s:s,s:s,s:i,s:s,s:s}", "path", p, "name", p,
                                                "level", 1, "type", "scalar", "mask", ""));
    testing_put(t, "api", id,
                json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:[s,s,s],s:s,s:s,s:b,s:i,s:i,s:i,s:s,s:b,s:o}",
                          "name", path, "path", path, "state", "published", "class", "A1", "access",
                          "registered", "kind", "dataset", "methods", "GET", "HEAD", "POST",
                          "profile", profile, "dataset_id", text, "owner_scoped", owned,
                          "timeout_ms", 1000, "max_body_bytes", 65536, "sunset_at", 0, "upstream",
                          "", "batch", 1, "fields", fields));
}

void testing_publish(struct testing *t, const char *connection)
{
    char sealed[1024];
    static const char orders[] = "id name price paid made note phone card";
    t->connection = connection;
    testing_seal(t, &t->source, connection, sealed);
    testing_put(t, "source", &t->source,
                json_pack("{s:s,s:s,s:i,s:s}", "kind", "odbc", "connection_sealed", sealed,
                          "max_connections", 8, "state", "ready"));
    put_dataset(
        t, 2, "orders", "merchant",
        json_pack(
            "[o,o,o,o,o,o,o,o]", column("id", "order_id", "integer", true),
            column("name", "name", "string", false), column("price", "price", "number", false),
            column("paid", "paid", "boolean", false), column("made", "made_at", "datetime", false),
            column("note", "note", "json", false), column("phone", "phone", "string", false),
            column("card", "card", "string", false)));
    put_dataset(t, 3, "ent", "",
                json_pack("[o,o,o]", column("uniscId", "code", "string", true),
                          column("enterpriseName", "ename", "string", false),
                          column("assessGrade", "grade", "string", false)));
    put_dataset(t, 4, "deal", "code",
                json_pack("[o,o,o,o]", column("dealId", "deal_id", "integer", true),
                          column("type", "kind", "string", false),
                          column("publicizingDay", "day", "datetime", false),
                          column("bidPrice", "price", "number", false)));
    put_api(t, &t->orders, 2, "rest", false, orders);
    put_api(t, &t->owned, 2, "rest", true, orders);
    put_api(t, &t->grade, 3, "getEnterpriseGrade", false,
            "msg result data.uniscId data.enterpriseName data.assessGrade");
    put_api(t, &t->grades, 3, "getEnterpriseGrades", false,
            "msg result data.pageno data.count data.pagesize data.companyList.uniscId "
            "data.companyList.enterpriseName "
            "data.companyList.assessGrade");
    put_api(t, &t->trading, 4, "getPublicResourcesTrading", true,
            "msg result data.type data.publicizingDay data.bidPrice");
}

static uint64_t rev_of(struct testing *t, const struct uuid *id, uint32_t *n_fields)
{
    static struct policy_field fields[POLICY_FIELDS_MAX];
    struct replica_reader *rd = NULL;
    struct replica_api api;
    uint64_t version, synced, rev = 1;
    REQUIRE(replica_reader_new(&rd, t->cfg.replica) == REPLICA_OK);
    REQUIRE(replica_read_begin(rd, &version, &synced) == REPLICA_OK);
    if (replica_get_api(rd, id, &api, fields) == REPLICA_OK) {
        rev = api.policy.rev;
        *n_fields = api.policy.n_fields;
    }
    replica_read_end(rd);
    replica_reader_free(&rd);
    return rev;
}

size_t testing_prove(struct testing *t, const struct testing_call *call, char out[LINK_TEXT_MAX])
{
    static struct link_call link;
    memset(&link, 0, sizeof link);
    uuid_new(&link.txn);
    link.owner = call->owner ? slice_str(call->owner) : SLICE("");
    link.rows = call->rows ? slice_str(call->rows) : SLICE("");
    link.issued_ms = clock_wall_ms();
    link.sandbox = call->sandbox;
    if (call->grant)
        link.grant = t->grant;
    if (call->api) {
        bool orders = uuid_eq(call->api, &t->orders) || uuid_eq(call->api, &t->owned);
        link.api = *call->api;
        link.api_rev = rev_of(t, call->api, &link.n_fields);
        memcpy(link.outcome, orders ? orders_outcome : all_keep, link.n_fields);
        link.app = t->grant; /* always the same one */
    }
    if (call->app)
        link.app = *call->app;
    link.api_rev = call->rev ? call->rev : link.api_rev;
    link.n_fields = call->n_fields ? call->n_fields : link.n_fields;
    if (call->outcome)
        memcpy(link.outcome, call->outcome, link.n_fields);
    return link_encode(&link, t->link, slice_str(call->method), slice_str(call->target), out);
}

struct headers {
    const struct testing_call *call;
    struct slice proof;
};

static struct slice get_header(void *ctx, const char *name)
{
    const struct headers *h = ctx;
    const struct {
        const char *name, *value;
    } rows[] = {{"Content-Type", h->call->content_type},
                {"Prefer", h->call->prefer},
                {"Range", h->call->range},
                {"Accept", h->call->accept},
                {"If-Match", h->call->if_match},
                {"Idempotency-Key", h->call->key},
                {"Batch-Id", h->call->batch}};
    if (strcmp(name, LINK_HEADER) == 0)
        return h->proof;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value && strcmp(rows[i].name, name) == 0)
            return slice_str(rows[i].value);
    return SLICE("");
}

void testing_call(struct testing *t, struct worker *w, const struct testing_call *call,
                  struct service_reply *rp)
{
    char proof[LINK_TEXT_MAX];
    struct headers h = {call, {proof, 0}};
    if (!call->no_proof)
        h.proof.n = testing_prove(t, call, proof);
    struct service_request rq = {.method = slice_str(call->method),
                                 .target = slice_str(call->target),
                                 .body = call->body ? slice_str(call->body) : SLICE(""),
                                 .header = get_header,
                                 .ctx = &h};
    service_handle(w, &rq, rp);
    buf_addc(&w->body, '\0');
}
