/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/account.h"

#include <string.h>

/* One row of two numbers: may it administer the server, may it change a table. */
static const struct {
    const char *dbms, *sql;
} questions[] = {
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

static bool is_one(const struct source_rows *rows, size_t i)
{
    struct slice text;
    return source_cell(rows, i, &text) && slice_eq(text, SLICE("1"));
}

static void ask(struct source *s, const char *sql, json_t **rights)
{
    struct source_rows rows;
    bool more = false;
    if (source_query(s, slice_str(sql), NULL, 0, &rows) != SOURCE_OK)
        return;
    if (source_next(&rows, &more) == SOURCE_OK && more)
        *rights =
            json_pack("{s:b, s:b}", "administers", is_one(&rows, 0), "writes", is_one(&rows, 1));
    source_rows_end(&rows);
}

void account_rights(struct source *s, json_t **rights)
{
    const struct dialect *dialect = source_dialect(s);
    *rights = NULL;
    for (size_t i = 0; dialect && i < sizeof questions / sizeof *questions; i++)
        if (strncmp(dialect->dbms, questions[i].dbms, strlen(questions[i].dbms)) == 0)
            ask(s, questions[i].sql, rights);
}
