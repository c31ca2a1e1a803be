/* SPDX-License-Identifier: Apache-2.0 */
#include "data/sources/dialect.h"

#include <string.h>

static const char *const plain_steps[2] = {"", ""}, *const cast_steps[2] = {"::text", "::int"};

static const struct dialect dialects[] = {
    {
        .dbms = "SQLite",
        .paging = DIALECT_LIMIT_OFFSET,
        .binding = DIALECT_BIND_TYPED,
        .like = {"", " LIKE ? ESCAPE '\\'"},
        .ilike = {"lower(", ") LIKE lower(?) ESCAPE '\\'"}, /* ASCII letters only */
        .distinct = "IS NOT",
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
    },
    {
        .dbms = "PostgreSQL",
        .paging = DIALECT_LIMIT_OFFSET,
        .binding = DIALECT_BIND_TEXT,
        .like = {"", " LIKE ?"}, /* '\' escapes by default */
        .ilike = {"", " ILIKE ?"},
        .match = "~",
        .imatch = "~*",
        .distinct = "IS DISTINCT FROM",
        .is_true = "IS TRUE",
        .is_false = "IS FALSE",
        .json = cast_steps,
        .costs = true,
        .nulls_words = true,
        .setup = {"SET default_transaction_read_only = on", "SET statement_timeout = 5000",
                  "SET client_encoding = 'UTF8'"},
        .setup_write = {"SET statement_timeout = 5000", "SET client_encoding = 'UTF8'"},
        .begin = "BEGIN ISOLATION LEVEL REPEATABLE READ",
        .lock = " FOR UPDATE",
        .guard = "SELECT 1 FROM (SELECT pg_advisory_xact_lock(?)) AS held",
        .last_key = "SELECT lastval()",
    },
};

const struct dialect *dialect_by_dbms(const char *dbms)
{
    for (size_t i = 0; i < sizeof dialects / sizeof *dialects; i++)
        if (strncmp(dbms, dialects[i].dbms, strlen(dialects[i].dbms)) == 0)
            return &dialects[i];
    return NULL;
}
