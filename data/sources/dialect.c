/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/dialect.h"

#include <string.h>

#include "data/sources/odbc.h"

static const char *const plain_steps[2] = {"", ""}, *const cast_steps[2] = {"::text", "::int"},
                         *const path_steps[2] = {"?", "?"};

static const struct dialect_catalogue postgres_catalogue = {
    .details =
        "SELECT pg_total_relation_size(a.attrelid), obj_description(a.attrelid, 'pg_class'), "
        "a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute a JOIN pg_class c ON "
        "c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = "
        "COALESCE(NULLIF(?, ''), current_schema()) AND c.relname = ? AND a.attnum > 0 AND NOT "
        "a.attisdropped",
};

/* The driver's calls tell neither a boolean from a number nor JSON from text, and take a database
 * for a catalogue. */
static const struct dialect_catalogue mariadb_catalogue = {
    .schema = "SELECT DATABASE()",
    .tables = "SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE "
              "TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') AND TABLE_SCHEMA NOT IN "
              "('mysql', 'sys', 'information_schema', 'performance_schema') ORDER BY 1, 2",
    .columns =
        "SELECT COLUMN_NAME, CASE WHEN COLUMN_TYPE = 'tinyint(1)' THEN 'boolean' WHEN COLUMN_NAME "
        "IN (SELECT CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS WHERE "
        "CONSTRAINT_SCHEMA = ? AND TABLE_NAME = ? AND CHECK_CLAUSE LIKE 'json_valid(%') THEN "
        "'json' ELSE COLUMN_TYPE END, COALESCE(CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, "
        "DATETIME_PRECISION, 0), IS_NULLABLE = 'YES', COLUMN_KEY = 'PRI', COLUMN_COMMENT FROM "
        "information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY "
        "ORDINAL_POSITION",
    .details = "SELECT DATA_LENGTH + INDEX_LENGTH, NULLIF(NULLIF(TABLE_COMMENT, 'VIEW'), '') FROM "
               "information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
};

static const struct dialect_error mariadb_errors[] = {
    {1139, SOURCE_EVALUE},      /* a regular expression that is none */
    {1205, SOURCE_EBUSY},       /* waited too long for a row */
    {1267, SOURCE_EVALUE},      /* a text that the column's character set has not */
    {1317, SOURCE_ETIMEOUT},    /* an operator of the database ended it */
    {1364, SOURCE_ECONSTRAINT}, /* a column without a default */
    {1969, SOURCE_ETIMEOUT},    /* max_statement_time */
    {0, SOURCE_OK},
};

/* Its driver refuses SET NAMES. */
#define MARIADB_CHARSET                                                                            \
    "SET SESSION character_set_client = 'utf8mb4', character_set_results = 'utf8mb4', "            \
    "character_set_connection = 'utf8mb4'"
#define MARIADB_TEXT " USING utf8mb4)"
/* Backslashes escape, texts are joined by ||, names may be quoted as everywhere; in a transaction
 * that writes, a value that does not fit is refused. */
#define MARIADB_MODE                                                                               \
    "SET SESSION sql_mode = "                                                                      \
    "'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"

static const struct dialect dialects[] = {
    {
        .dbms = "SQLite",
        .paging = DIALECT_LIMIT_OFFSET,
        .binding = DIALECT_BIND_TYPED,
        .like = {"", " LIKE ? ESCAPE '\\'"},
        .ilike = {"lower(", ") LIKE lower(?) ESCAPE '\\'"}, /* ASCII letters only */
        .distinct = {"", " IS NOT "},
        .is_true = "IS TRUE",
        .is_false = "IS FALSE",
        .json = plain_steps,
        .nulls_words = true,
        .unlimited = true,
        .setup = {"PRAGMA query_only=ON", "PRAGMA case_sensitive_like=ON"},
        .setup_write = {"PRAGMA case_sensitive_like=ON", "PRAGMA foreign_keys=ON"},
        .begin = "BEGIN IMMEDIATE",
        .lock = "",
        .last_key = "SELECT last_insert_rowid()",
        .defaults = " DEFAULT VALUES",
    },
    {
        .dbms = "PostgreSQL",
        .paging = DIALECT_LIMIT_OFFSET,
        .binding = DIALECT_BIND_TEXT,
        .like = {"", " LIKE ?"}, /* '\' escapes by default */
        .ilike = {"", " ILIKE ?"},
        .match = {"", " ~ ?"},
        .imatch = {"", " ~* ?"},
        .distinct = {"", " IS DISTINCT FROM "},
        .is_true = "IS TRUE",
        .is_false = "IS FALSE",
        .json = cast_steps,
        .costs = true,
        .nulls_words = true,
        .catalogue = &postgres_catalogue,
        .setup = {"SET default_transaction_read_only = on", "SET statement_timeout = 5000",
                  "SET client_encoding = 'UTF8'"},
        .raw = "SET client_encoding = 'SQL_ASCII'",
        .setup_write = {"SET statement_timeout = 5000", "SET client_encoding = 'UTF8'"},
        .begin = "BEGIN ISOLATION LEVEL REPEATABLE READ",
        .lock = " FOR UPDATE",
        .guard = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(?)) AS held",
        .last_key = "SELECT lastval()",
        .defaults = " DEFAULT VALUES",
    },
    {
        .dbms = "MariaDB",
        .paging = DIALECT_LIMIT_OFFSET,
        .binding = DIALECT_BIND_TYPED,
        .like = {"CONVERT(", MARIADB_TEXT " COLLATE utf8mb4_bin LIKE ?"},
        .ilike = {"lower(CONVERT(", MARIADB_TEXT ") COLLATE utf8mb4_bin LIKE lower(?)"},
        .match = {"CONVERT(", MARIADB_TEXT " COLLATE utf8mb4_bin REGEXP ?"},
        .imatch = {"CONVERT(", MARIADB_TEXT " COLLATE utf8mb4_general_ci REGEXP ?"},
        .distinct = {"NOT ", " <=> "},
        .exact = {"CONVERT(", MARIADB_TEXT " COLLATE utf8mb4_nopad_bin"},
        .number = "CAST(? AS DECIMAL(65,30))",
        .is_true = "IS TRUE",
        .is_false = "IS FALSE",
        .json = path_steps,
        .json_path = true,
        .utf8 = true,
        .buffers = true,
        .limit = "SET SESSION max_statement_time = ",
        .errors = mariadb_errors,
        .catalogue = &mariadb_catalogue,
        .setup = {MARIADB_CHARSET, MARIADB_MODE, "SET SESSION TRANSACTION READ ONLY"},
        .setup_write = {MARIADB_CHARSET, MARIADB_MODE, "SET SESSION innodb_lock_wait_timeout = 5"},
        .begin = "START TRANSACTION",
        .lock = " FOR UPDATE",
        .guard = "SELECT GET_LOCK(CONCAT('sluice.', ?), 5)",
        .unguard = "DO RELEASE_ALL_LOCKS()",
        .last_key = "SELECT LAST_INSERT_ID()",
        .defaults = " () VALUES ()",
    },
};

const struct dialect *dialect_by_dbms(const char *dbms)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (strncmp(dbms, dialects[i].dbms, strlen(dialects[i].dbms)) == 0)
            return &dialects[i];
    return NULL;
}
