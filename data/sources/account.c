/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/account.h"

#include <string.h>
#include <sys/stat.h>

#include "data/query/query.h"

struct question {
    const char *dbms, *sql;
};

/* One row of two numbers: may it administer the server, may it change a table. */
static const struct question rights_questions[] = {
    {"PostgreSQL",
     "SELECT CASE WHEN (SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR "
     "rolbypassrls FROM pg_roles WHERE rolname = current_user) THEN 1 ELSE 0 END, CASE WHEN EXISTS "
     "(SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN "
     "('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND "
     "(has_table_privilege(c.oid, 'INSERT') OR has_table_privilege(c.oid, 'UPDATE') OR "
     "has_table_privilege(c.oid, 'DELETE'))) THEN 1 ELSE 0 END"},
    {"MariaDB",
     "SELECT EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE grantee = "
     "concat('''', replace(current_user(), '@', '''@'''), '''') AND privilege_type IN ('SUPER', "
     "'CREATE USER', 'FILE', 'RELOAD', 'SHUTDOWN', 'PROCESS')), EXISTS (SELECT 1 FROM "
     "information_schema.user_privileges WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE') "
     "UNION ALL SELECT 1 FROM information_schema.schema_privileges WHERE privilege_type IN "
     "('INSERT', 'UPDATE', 'DELETE') UNION ALL SELECT 1 FROM information_schema.table_privileges "
     "WHERE privilege_type IN ('INSERT', 'UPDATE', 'DELETE'))"},
};

/* One row of five numbers or nulls: see account.h. */
static const struct question keeping_questions[] = {
    {"PostgreSQL",
     "SELECT CASE WHEN (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) THEN 1 ELSE 0 "
     "END, NULL, CASE WHEN current_setting('data_checksums') = 'on' THEN 1 ELSE 0 END, CASE WHEN "
     "current_setting('archive_mode') <> 'off' OR EXISTS (SELECT 1 FROM pg_stat_replication) THEN "
     "1 ELSE 0 END, (SELECT CAST(floor(extract(epoch FROM last_archived_time) * 1000) AS bigint) "
     "FROM pg_stat_archiver)"},
    {"MariaDB",
     "SELECT CASE WHEN (SELECT variable_value FROM information_schema.session_status WHERE "
     "variable_name = 'SSL_CIPHER') <> '' THEN 1 ELSE 0 END, CASE WHEN (SELECT variable_value FROM "
     "information_schema.global_variables WHERE variable_name = 'INNODB_ENCRYPT_TABLES') IN ('ON', "
     "'FORCE') THEN 1 ELSE 0 END, CASE WHEN (SELECT variable_value FROM "
     "information_schema.global_variables WHERE variable_name = 'INNODB_CHECKSUM_ALGORITHM') NOT "
     "LIKE '%none' THEN 1 ELSE 0 END, CASE WHEN (SELECT variable_value FROM "
     "information_schema.global_variables WHERE variable_name = 'LOG_BIN') = 'ON' THEN 1 ELSE 0 "
     "END, NULL"},
};

static const char *question_of(struct source *s, const struct question *rows, size_t n)
{
    const struct dialect *dialect = source_dialect(s);
    for (size_t i = 0; dialect && i < n; i++)
        if (strncmp(dialect->dbms, rows[i].dbms, strlen(rows[i].dbms)) == 0)
            return rows[i].sql;
    return NULL;
}

static json_t *cell(const struct source_rows *rows, size_t i, bool number)
{
    struct slice text;
    uint64_t value = 0;
    if (!source_cell(rows, i, &text) || !query_uint(text, &value))
        return json_null();
    return number ? json_integer((json_int_t)value) : json_boolean(value == 1);
}

/* The first row's cells under these names; those of the last `numbers` names are no booleans. */
static json_t *ask(struct source *s, const char *sql, const char *const *names, size_t n,
                   size_t numbers)
{
    struct source_rows rows;
    json_t *out = NULL;
    bool more = false;
    if (!sql || source_query(s, slice_str(sql), NULL, 0, &rows) != SOURCE_OK)
        return NULL;
    if (source_next(&rows, &more) == SOURCE_OK && more && rows.n_columns == n) {
        out = json_object();
        for (size_t i = 0; i < n; i++)
            json_object_set_new(out, names[i], cell(&rows, i, i + numbers >= n));
    }
    source_rows_end(&rows);
    return out;
}

/* A database that is a file has no accounts but those of its machine. */
static json_t *file_rights(struct source *s)
{
    static const char sql[] = "SELECT file FROM pragma_database_list WHERE name = 'main'";
    struct source_rows rows;
    struct slice path;
    struct stat st;
    bool more = false, known = false, others = false;
    char at[4096];
    if (source_query(s, slice_str(sql), NULL, 0, &rows) != SOURCE_OK)
        return NULL;
    if (source_next(&rows, &more) == SOURCE_OK && more && source_cell(&rows, 0, &path) &&
        path.n < sizeof at) {
        memcpy(at, path.p, path.n);
        at[path.n] = '\0';
        known = stat(at, &st) == 0;
        others = known && (st.st_mode & S_IWOTH);
    }
    source_rows_end(&rows);
    return known ? json_pack("{s:b, s:b}", "administers", others, "writes", others) : NULL;
}

void account_ask(struct source *s, json_t **rights, json_t **keeping)
{
    static const char *const can[] = {"administers", "writes"};
    static const char *const keeps[] = {"tls", "at_rest", "checksums", "copies", "copied_ms"};
    const struct dialect *dialect = source_dialect(s);
    bool file = dialect && strncmp(dialect->dbms, "SQLite", 6) == 0;
    *rights = file ? file_rights(s)
                   : ask(s,
                         question_of(s, rights_questions,
                                     sizeof rights_questions / sizeof *rights_questions),
                         can, 2, 0);
    *keeping = ask(
        s, question_of(s, keeping_questions, sizeof keeping_questions / sizeof *keeping_questions),
        keeps, 5, 1);
}
