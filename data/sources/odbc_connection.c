/* SPDX-License-Identifier: Apache-2.0 */
/* A source from its connection string to a connection that answers, and back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "crypto/crypto.h"
#include "data/sources/connection.h"
#include "data/sources/odbc_inner.h"
#include "data/zones/zones.h"

#define EXTRA_MAX 128

/* A SQLite file that is gone must not be made anew. MariaDB's driver is to count the rows that an
 * UPDATE found, not those that became other, and to wait for a server that has gone silent no
 * longer than for a statement and its grace. */
static void add_extra(struct source *s)
{
    char *at = s->connection + s->given_n;
    unsigned wait_s = (unsigned)(s->patience_ms / 1000) + 2;
    *at = '\0';
    if (strcasestr(s->connection, "sqlite"))
        strcpy(at, ";NoCreat=1;Timeout=2000");
    else if (s->mariadb)
        snprintf(at, EXTRA_MAX, ";OPTION=2;CHARSET=utf8mb4;READ_TIMEOUT=%u;WRITE_TIMEOUT=%u",
                 wait_s, wait_s);
}

struct source *source_new(struct slice connection, const char *data_dir)
{
    struct source *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->given_n = connection.n;
    s->connection_n = connection.n + EXTRA_MAX;
    s->connection = calloc(1, s->connection_n);
    if (!s->connection) {
        free(s);
        return NULL;
    }
    s->timeout_ms = s->patience_ms = SOURCE_TIMEOUT_S * 1000;
    memcpy(s->connection, connection.p, connection.n);
    s->mariadb = strcasestr(s->connection, "mariadb") != NULL;
    add_extra(s);
    s->data_dir = data_dir;
    s->postgres = postgres_new(connection);
    return s;
}

struct source *source_new_managed(const struct uuid *id, const char *data_dir)
{
    char path[700], connection[800];
    if (!zone_path(data_dir, id, path, sizeof path) || strchr(path, ';'))
        return NULL;
    snprintf(connection, sizeof connection, "DRIVER=SQLite3;Database=%s", path);
    struct source *s = source_new(slice_str(connection), data_dir);
    if (s)
        s->managed = true;
    return s;
}

void source_statement_drop(struct statement *st)
{
    for (size_t i = 0; i < st->n_columns; i++) {
        free(st->columns[i].bytes);
        buf_fini(&st->columns[i].more);
    }
    free(st->columns);
    free(st->sql);
    if (st->handle)
        SQLFreeHandle(SQL_HANDLE_STMT, st->handle);
    *st = (struct statement){0};
}

void source_lost(struct source *s)
{
    for (size_t i = 0; i < SOURCE_STATEMENTS; i++)
        source_statement_drop(&s->statements[i]);
    if (s->dbc) {
        SQLDisconnect(s->dbc);
        SQLFreeHandle(SQL_HANDLE_DBC, s->dbc);
        s->dbc = NULL;
    }
    if (s->env) {
        SQLFreeHandle(SQL_HANDLE_ENV, s->env);
        s->env = NULL;
    }
    s->connected = false;
    s->said_ms = 0;
    if (s->postgres)
        postgres_close(s->postgres);
}

void source_free(struct source **s)
{
    if (!*s)
        return;
    source_lost(*s);
    postgres_free(&(*s)->postgres);
    encoding_free(&(*s)->encoding);
    crypto_wipe((*s)->connection, (*s)->connection_n);
    free((*s)->connection);
    free(*s);
    *s = NULL;
}

static bool run_setup(struct source *s)
{
    SQLHSTMT h;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, s->dbc, &h)))
        return false;
    const char *const *setup = s->writable ? s->dialect->setup_write : s->dialect->setup;
    bool ok = !s->writable || s->dialect->begin;
    for (size_t i = 0; ok && i < 4 && setup[i]; i++) {
        SQLRETURN r = SQLExecDirect(h, (SQLCHAR *)(uintptr_t)setup[i], SQL_NTS);
        ok = SQL_SUCCEEDED(r) || r == SQL_NO_DATA;
        SQLFreeStmt(h, SQL_CLOSE);
    }
    SQLFreeHandle(SQL_HANDLE_STMT, h);
    return ok;
}

static bool learn_dialect(struct source *s)
{
    char name[128] = "";
    SQLSMALLINT n;
    if (!SQL_SUCCEEDED(SQLGetInfo(s->dbc, SQL_DBMS_NAME, name, sizeof name, &n)))
        return false;
    s->dialect = dialect_by_dbms(name);
    memset(s->quote, 0, sizeof s->quote);
    SQLRETURN r = SQLGetInfo(s->dbc, SQL_IDENTIFIER_QUOTE_CHAR, s->quote, sizeof s->quote, &n);
    return s->dialect && SQL_SUCCEEDED(r) && s->quote[0] && s->quote[0] != ' ';
}

static bool connect_now(struct source *s)
{
    if (s->patience_ms < s->timeout_ms)
        s->patience_ms = s->timeout_ms;
    add_extra(s);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &s->env)))
        return false;
    SQLSetEnvAttr(s->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, s->env, &s->dbc)))
        return false;
    SQLSetConnectAttr(s->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)SOURCE_TIMEOUT_S,
                      SQL_IS_UINTEGER);
    SQLSMALLINT n;
    SQLRETURN r = SQLDriverConnect(s->dbc, NULL, (SQLCHAR *)s->connection, SQL_NTS, NULL, 0, &n,
                                   SQL_DRIVER_NOPROMPT);
    s->connected = SQL_SUCCEEDED(r);
    return s->connected && learn_dialect(s) && run_setup(s);
}

static bool connect_postgres(struct source *s)
{
    s->dialect = dialect_by_dbms("PostgreSQL");
    s->quote[0] = '"';
    const char *setup[4] = {NULL};
    size_t n = 0;
    while (n < 3 && s->dialect->setup[n]) {
        setup[n] = s->dialect->setup[n];
        n++;
    }
    setup[n] = s->encoding ? s->dialect->raw : NULL;
    return postgres_connect(s->postgres, setup);
}

static enum source_err ready(struct source *s, bool connected, bool (*connect)(struct source *s))
{
    if (connected)
        return SOURCE_OK;
    uint64_t now = clock_mono_us();
    if (now < s->refuse_until_us)
        return SOURCE_EUNAVAILABLE;
    if (!s->managed && !connection_allowed(slice_of(s->connection, s->given_n), s->data_dir))
        return SOURCE_ECONNECTION;
    if (connect(s)) {
        s->refuse_until_us = 0;
        return SOURCE_OK;
    }
    source_lost(s);
    s->refuse_until_us = clock_mono_us() + SOURCE_RETRY_MS * 1000;
    return SOURCE_EUNAVAILABLE;
}

enum source_err source_ready(struct source *s)
{
    return s->postgres ? ready(s, postgres_connected(s->postgres), connect_postgres)
                       : ready(s, s->connected, connect_now);
}

const struct dialect *source_dialect(const struct source *s)
{
    return s->dialect;
}

const char *source_quote(const struct source *s)
{
    return s->quote;
}

/* A connection that would not wait so long is made anew. */
void source_set_timeout_ms(struct source *s, uint64_t timeout_ms)
{
    s->timeout_ms = timeout_ms;
    if (s->mariadb && s->connected && s->patience_ms < timeout_ms)
        source_lost(s);
    if (s->postgres)
        postgres_limit(s->postgres, timeout_ms);
}

void *source_handle(struct source *s)
{
    return ready(s, s->connected, connect_now) == SOURCE_OK ? s->dbc : NULL;
}
