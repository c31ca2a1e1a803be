/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files of odbc.h only. */
#pragma once
#include "data/sources/encoding.h"
#include "data/sources/odbc.h"
#include "data/sources/postgres.h"

struct statement {
    uint64_t hash, used;
    char *sql;
    size_t sql_n;
    SQLHSTMT handle;
    struct source_column *columns;
    size_t n_columns;
};

struct source {
    char *connection;
    size_t given_n, connection_n; /* given_n: as the provider wrote it; then what we add */
    bool mariadb;                 /* as it says; what the driver is told then depends on patience */
    uint64_t patience_ms;         /* the longest statement the connection was opened for */
    const char *data_dir;
    struct postgres *postgres; /* NULL: queries go by ODBC */
    struct encoding *encoding; /* NULL: UTF-8 */
    bool managed;              /* a zone store: connection is ours */
    SQLHENV env;
    SQLHDBC dbc;
    bool connected; /* by ODBC */
    bool writable, in_txn;
    const struct dialect *dialect;
    char quote[2];
    uint64_t refuse_until_us;           /* monotonic */
    uint64_t uses, timeout_ms, said_ms; /* said_ms: the limit the server was told of */
    struct statement statements[SOURCE_STATEMENTS];
};

/* odbc_connection.c */
void source_statement_drop(struct statement *st);
/* odbc_error.c: what went wrong with the statement. *dead: the connection is of no more use. */
enum source_err source_judge(const struct source *s, SQLHSTMT h, bool *dead);
bool source_bind_param(SQLHSTMT h, SQLUSMALLINT i, const struct source_param *p, SQLLEN *length);
/* One statement that is ours as it stands. */
enum source_err source_say(struct source *s, const char *sql, bool *dead);

/* odbc_coded.c: parameters in the source's own encoding. */
struct coded {
    struct source_param *params;
    struct buf text;
};
bool source_needs_coding(const struct source *s);
/* False: the encoding has no such character, or no memory. source_coded_end is owed either way. */
bool source_code_params(struct source *s, const struct source_param *params, size_t n,
                        struct coded *coded);
void source_coded_end(struct coded *coded);
